# Forgeries of a guest while rules are replaced, and while it starts; sourced by those who say what it forges:
#
#   forge_with TEXT MILLISECONDS   leaves in `forge` the words of netprobe for a stream of frames that carry the text
#   flush_rules                    takes away rules of this root, but for those in the bridge
#   write ENTRIES                  the spec, with further ports

run_in() { # CONTAINER COMMAND...: as a process that can be killed by its number
    local name=$1
    shift
    exec lxc-attach -P "$ROOT/var/lib/lxc" -n "$(lxc_of "$name")" --clear-env -- "$@"
}

# A stream of forgeries while rules are replaced again and again: not one gets through.
forge_while_rules_change() {
    local stream ear changes=0
    forge_with forged 6000
    run_in t/rogue "${forge[@]}" >/dev/null 2>&1 &
    stream=$!
    run_in t/victim netprobe hear eth0 5000 forged >"$ROOT/stream" 2>&1 &
    ear=$!
    eventually 5 grep -q listening "$ROOT/stream"
    while kill -0 $ear 2>/dev/null; do
        write ", \"$((PORT + 1 + changes % 7)):80\""
        fps apply -q -y -f "$FILE" >/dev/null 2>&1 && changes=$((changes + 1))
        [ $changes -ne 5 ] || flush_rules
    done
    kill $stream 2>/dev/null
    wait
    check "rules were replaced while forgeries came ($changes times)" test $changes -gt 3
    is 'not one forged frame got through' "$(tail -n 1 "$ROOT/stream")" 0
}

# It is guarded before it is up.
forge_while_it_starts() {
    local ear
    fps stop --timeout 0 t/rogue >/dev/null 2>&1
    inside t/victim netprobe hear eth0 4000 early >"$ROOT/early" 2>&1 &
    ear=$!
    eventually 5 grep -q listening "$ROOT/early"
    fps start t/rogue >/dev/null 2>&1
    forge_with early 1000
    inside t/rogue "${forge[@]}" >/dev/null 2>&1
    wait $ear
    is 'nor one from a container that just came up' "$(tail -n 1 "$ROOT/early")" 0
}

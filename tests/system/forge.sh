# Forgeries of a guest, and what the victim hears of them; also while rules are replaced, and while the guest starts.
# Sourced by those who say what it forges:
#
#   forge_with TEXT COUNT   leaves in `forge` the words of netprobe for so many frames that carry the text
#   flush_rules             takes away rules of this root, but for those in the bridge
#   write ENTRIES           the spec, with further ports

# Who hears and who forges: containers, or `there`, a place that whoever sources this has a function for.
EAR=t/victim MOUTH=t/rogue
at_place() { # PLACE COMMAND...
    local place=$1
    shift
    [ "$place" = there ] || { inside "$place" "$@"; return; }
    [ "$1" != netprobe ] || set -- "$BUILD/tests/system/netprobe" "${@:2}"
    there "$@"
}

# The ear listens from then on until `count`, however long what is sent in between takes.
listen() { # what netprobe hears
    [ -p "$ROOT/listens" ] || mkfifo "$ROOT/listens"
    : >"$ROOT/heard"
    at_place "$EAR" netprobe "$@" <"$ROOT/listens" >"$ROOT/heard" 2>&1 &
    listener=$!
    exec 7>"$ROOT/listens"
    eventually 60 grep -q listening "$ROOT/heard" || echo 'nobody listens'
}
count() { # leaves in `frames` how many it heard
    exec 7>&-
    wait $listener
    frames=$(tail -n 1 "$ROOT/heard")
}
heard() { # what netprobe hears -- command of the mouth...: what the ear hears meanwhile
    local ear=()
    while [ "$1" != -- ]; do ear+=("$1") && shift; done
    shift
    listen "${ear[@]}"
    at_place "$MOUTH" "$@" >/dev/null 2>&1 7>&- || echo "$MOUTH cannot: $*"
    count
    echo "$frames"
}

# A stream of forgeries while rules are replaced again and again: not one gets through.
forge_while_rules_change() {
    local stream changes
    forge_with forged 600000
    listen hear eth0 forged
    inside t/rogue "${forge[@]}" >/dev/null 2>&1 7>&- &
    stream=$!
    for changes in 1 2 3 4 5 6 7 8; do
        write ", \"$((PORT + changes)):80\""
        fps apply -q -y -f "$FILE" >/dev/null 2>&1 7>&- || not_ok "change $changes of the rules"
        [ $changes -ne 5 ] || flush_rules
    done
    check 'forgeries came all the time' kill -0 $stream
    inside t/rogue killall netprobe 7>&-
    wait $stream
    count
    is 'not one forged frame got through' "$frames" 0
}

# It is guarded before it is up.
forge_while_it_starts() {
    fps stop --timeout 0 t/rogue >/dev/null 2>&1
    listen hear eth0 early
    fps start t/rogue >/dev/null 2>&1 7>&-
    forge_with early 1000
    check 'a container that just came up forges' inside t/rogue "${forge[@]}" 7>&-
    count
    is 'and nobody hears it' "$frames" 0
}

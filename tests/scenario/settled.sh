# A run that need not decide (reconciler/settled.h), on the fakes; sourced by run.sh. FPSYNC_FAKE_DOUBT lets it decide all the
# same and die where it was wrong, and counts: so `taken` says whether a run was taken for settled.
taken() { # ARGUMENT...: of fpsync
    local before after
    before=$(stat -c %s "$FPSYNC_FAKE_DOUBT")
    run "$@" >"$root/said" 2>&1
    status=$?
    after=$(stat -c %s "$FPSYNC_FAKE_DOUBT")
    [ "$after" -gt "$before" ]
}

holds() { # WHAT ARGUMENT...: taken for settled, and nothing to do
    local what=$1
    shift
    taken "$@" && [ "$status" = 0 ] || { echo "$what: not taken for settled, or exit $status"; cat "$root/said"; return 1; }
}

decides() { # WHAT EXIT ARGUMENT...: not taken for settled, and this comes of it
    local what=$1 wanted=$2
    shift 2
    if taken "$@" || [ "$status" != "$wanted" ]; then
        echo "$what: taken for settled, or exit $status and not $wanted"
        cat "$root/said"
        return 1
    fi
}

settled_spec() {
    cat >"$root/$1" <<END
images: { base: { source: "bootstrap:bookworm" } }
networks: { net: { subnet: 10.9.0.0/24, subnet6: "fd00:9::/64" } }
volumes: { data: {} }
containers:
  web: { image: base, networks: [ net ], volumes: [ "data:/srv" ], ports: [ "8080:80" ], limits: { memory: 512MiB }, env: { A: "${2:-1}" } }
  ice: { image: base, networks: [ net ], frozen: true, restart: never }
END
}

settle() { # ARGUMENT...: applied, and so noted
    run "$@" apply -q >"$root/said" 2>&1 || { cat "$root/said"; return 1; }
}

# ---- the world ----

world_differs() { # EXIT TOOL ARGUMENT...: noticed, and forgotten when the world is as it was
    local wanted=$1
    shift
    "$tool" "$root" "$@" || { echo "tool $*"; return 1; }
    decides "$*" "$wanted" plan -q -f "$root/spec.yaml" || return 1
    cp "$root/saved" "$root/fake/world.json"
    holds "as before $*" plan -q -f "$root/spec.yaml"
}

every_drift() {
    at settled-drift
    settled_spec spec.yaml
    settle -f "$root/spec.yaml" && cp "$root/fake/world.json" "$root/saved" || return 1
    holds 'at once' apply -q -f "$root/spec.yaml" || return 1
    local drift listen
    listen=$("$tool" "$root" print | jq -r '.rules.forwards[0].listen')
    while read -r wanted drift; do
        # shellcheck disable=SC2086
        world_differs "$wanted" $drift || return 1
    done <<END
2 kill web
2 kill-init web
0 replace-init web
2 edit-config web
2 undefine web
2 set-limit web memory 1
2 thaw ice
2 freeze web
0 foreign-container other
0 lxc-container another
2 drop-port web eth0
2 detach-port web eth0
2 port-down web eth0
2 unmark-port web eth0
2 hairpin-off web eth0
2 nic-down web eth0
2 drop-address web eth0
2 drop-gateway web eth0
2 set-mac web eth0 02:00:00:00:00:01
2 drop-bridge default/net
2 drop-bridge-address default/net
2 unmark-bridge default/net
2 bridge-down default/net
2 bridge-mac default/net 02:00:00:00:00:02
2 bridge-setting-off default/net forwards
2 bridge-setting-off default/net routes_local
2 forwarding-off
2 spoil-names default/net
2 kill-resolver default/net
2 flush-rules
2 drop-rule forwards $listen
0 host-bridge br7 add
0 route 10.77.0.0/16 eth9
0 listen tcp - 8080 nginx
2 unmount-volume web /srv
2 silence web /srv
2 unmount-root web
2 drop-image default/base
2 drop-layer default_web
2 drop-volume default_data
END
}

# What nobody asks about may change.
unasked() {
    at settled-unasked
    settled_spec spec.yaml
    settle -f "$root/spec.yaml" || return 1
    "$tool" "$root" listen tcp - 9999 sshd && "$tool" "$root" set-use web memory_use 1000 &&
        holds 'a socket on a port of nobody' plan -q -f "$root/spec.yaml" &&
        "$tool" "$root" mount-volume web /mnt default_data &&
        holds 'a volume that a guest put elsewhere' plan -q -f "$root/spec.yaml" &&
        holds 'without -q' apply -f "$root/spec.yaml" && says 'Nothing to do' &&
        holds 'as data' plan -o json -f "$root/spec.yaml" && jq -e '.actions == [] and .held == []' "$root/said" >/dev/null
}

# What was applied by hand is settled for a timer, too; but not where it would read variables differently.
by_timer() {
    at settled-timer
    mkdir -p "$root/etc/fpsync/specs.d"
    settled_spec etc/fpsync/specs.d/spec.yaml
    settle && holds 'by hand' apply -q && holds 'by a timer' apply -q --auto || return 1
    "$tool" "$root" kill web && settle --auto && holds 'by hand' apply -q && holds 'by a timer' apply -q --auto || return 1
    settled_spec spec.yaml && sed -i '/networks:/d; s/net /net2 /; s/, networks: \[[^]]*\]//; s/web:/web2:/; s/ice:/ice2:/; s/ports: [^]]*\], //; s/data/data2/g; s/base/base2/g' "$root/spec.yaml"
    settle -f "$root/spec.yaml" && holds 'a file' apply -q -f "$root/spec.yaml" && decides 'a file by a timer' 0 apply -q --auto -f "$root/spec.yaml"
}

# ---- the specs and all that brings them in ----

every_input() {
    at settled-input
    local specs=$root/specs old="$root/specs/a.yaml" stamp=$root/stamp
    mkdir -p "$specs/more" "$specs/a.yaml.d"
    settled_spec specs/a.yaml '${A}'
    echo 'include: [ more/*.yaml, one.inc.yaml ]' >>"$old"
    echo 'containers: { one: { image: base, networks: [] } }' >"$specs/one.inc.yaml"
    mv "$specs/one.inc.yaml" "$specs/more/one.yaml" && sed -i 's/, one.inc.yaml//' "$old"
    echo 'A=1' >"$specs/.env"
    echo 'containers: { "${INSTANCE}": { image: base, networks: [] } }' >"$specs/t@.yaml"
    ln -s t@.yaml "$specs/t@x.yaml"
    echo 'containers: { web: { env: { B: "1" } } }' >"$specs/a.yaml.d/10.yaml"
    local all=(-q -f "$specs")
    settle "${all[@]}" && holds 'at once' plan "${all[@]}" || return 1

    cp -p "$old" "$stamp" && sed -i 's/512MiB/256MiB/' "$old" && touch -r "$stamp" "$old" &&
        decides 'an edit of the same size and time' 2 plan "${all[@]}" || return 1
    cp -p "$stamp" "$old" && touch "$old" && holds 'a new time, nothing else' plan "${all[@]}" || return 1
    echo 'A=2' >"$specs/.env" && decides '.env' 2 plan "${all[@]}" || return 1
    rm "$specs/.env" && decides '.env gone' 6 plan "${all[@]}" && echo 'A=1' >"$specs/.env" || return 1
    A=2 decides 'a variable' 2 plan "${all[@]}" && A=1 decides 'a variable of the same value' 0 plan "${all[@]}" || return 1
    B=2 holds 'a variable of nobody' plan "${all[@]}" || return 1
    echo 'containers: { web: { env: { B: "2" } } }' >"$specs/a.yaml.d/20.yaml"
    decides 'a drop-in more' 2 plan "${all[@]}" && rm "$specs/a.yaml.d/20.yaml" || return 1
    mv "$specs/a.yaml.d" "$root/away" && decides 'no drop-ins' 2 plan "${all[@]}" && mv "$root/away" "$specs/a.yaml.d" || return 1
    mkdir "$specs/t@x.yaml.d" && echo 'containers: { x: { env: { C: "1" } } }' >"$specs/t@x.yaml.d/1.yaml" &&
        decides 'drop-ins where there were none' 2 plan "${all[@]}" && rm -r "$specs/t@x.yaml.d" || return 1
    echo 'containers: { two: { image: base, networks: [] } }' >"$specs/more/two.yaml"
    decides 'an include more' 2 plan "${all[@]}" && rm "$specs/more/two.yaml" || return 1
    mv "$specs/more/one.yaml" "$root/away" && decides 'an include less' 2 plan "${all[@]}" && mv "$root/away" "$specs/more/one.yaml" || return 1
    echo 'containers: { three: { image: base, networks: [] } }' >"$specs/b.yaml"
    decides 'a file more' 2 plan "${all[@]}" && rm "$specs/b.yaml" || return 1
    cp "$specs/t@.yaml" "$stamp" && sed -i 's/image: base/image: base, router: true/' "$specs/t@.yaml" &&
        decides 'the template' 2 plan "${all[@]}" && cp "$stamp" "$specs/t@.yaml" || return 1
    mv "$specs/t@x.yaml" "$specs/t@y.yaml" && decides 'another instance' 2 plan "${all[@]}" && mv "$specs/t@y.yaml" "$specs/t@x.yaml" || return 1
    mkdir "$specs/new" && settled_spec specs/new/a.yaml 9 && mv "$specs" "$root/old" && mv "$root/old/new" "$specs" &&
        decides 'another folder of the name' 2 plan "${all[@]}" && rm -r "$specs" && mv "$root/old" "$specs" || return 1
    mkdir -p "$root/etc/fpsync" && echo 'retention: 7d' >"$root/etc/fpsync/fpsync.conf"
    decides 'fpsync.conf' 0 plan "${all[@]}" && rm "$root/etc/fpsync/fpsync.conf" || return 1
    if [ "$(id -u)" = 0 ]; then
        chmod g+w "$old" && decides 'a file that others may write' 6 plan "${all[@]}" && chmod g-w "$old" || return 1
        chmod o+w "$specs" && decides 'a folder that others may write' 6 plan "${all[@]}" && chmod o-w "$specs" || return 1
    fi
    holds 'all as it was' plan "${all[@]}"
}

every_option() {
    at settled-option
    settled_spec spec.yaml
    settle -q -f "$root/spec.yaml" || return 1
    cp "$fpsync" "$root/fpsync-fake" && ln -s "$build/fpsync-worker-fake" "$root/"
    holds 'as it was' plan -q -f "$root/spec.yaml" &&
        fpsync=$root/fpsync-fake decides 'another fpsync' 0 plan -q -f "$root/spec.yaml" &&
        decides 'another source' 4 plan -q --source x -f "$root/spec.yaml" &&
        decides 'a part' 0 plan -q --target container/web -f "$root/spec.yaml" &&
        decides 'a plan to keep' 0 plan -q --out "$root/plan" -f "$root/spec.yaml" &&
        (cd "$root" && decides 'another spelling' 0 plan -q -f spec.yaml) &&
        decides 'no file' 0 plan -q &&
        echo '{}' >"$root/other.yaml" && decides 'a file more' 0 plan -q -f "$root/spec.yaml" -f "$root/other.yaml" &&
        holds 'as it was' plan -q --force --take-over --allow-mass-delete -f "$root/spec.yaml"
}

# Who types a spec and ends it is not asked for another one.
from_terminal() {
    at settled-terminal
    gives 0 timeout 30 python3 -c '
import os, pty, subprocess, sys
ours, theirs = pty.openpty()
os.write(ours, b"containers: {}\nvolumes: { data: {} }\n\x04")
try:
    sys.exit(subprocess.run(sys.argv[1:], stdin=theirs, timeout=10).returncode)
except subprocess.TimeoutExpired:
    sys.exit("it waits for more")' "$fpsync" --root "$root" -y --source s -f - apply && says "create volume default/data: done"
}

# A relative path means another file elsewhere.
elsewhere() {
    at settled-elsewhere
    mkdir -p "$root/a" "$root/b"
    settled_spec a/spec.yaml && settled_spec b/spec.yaml
    (cd "$root/a" && settle --source s -f spec.yaml && holds 'at home' plan -q --source s -f spec.yaml) &&
        (cd "$root/b" && decides 'elsewhere' 0 plan -q --source s -f spec.yaml)
}

# ---- the record ----

every_record() {
    at settled-record
    settled_spec spec.yaml
    local all=(-q -f "$root/spec.yaml")
    settle "${all[@]}" && holds 'at once' plan "${all[@]}" || return 1
    run stop web >/dev/null && decides 'stopped' 0 plan "${all[@]}" &&
        run start web >/dev/null && decides 'started' 0 plan "${all[@]}" || return 1
    sed -i 's/memory: 512MiB/memory: 256MiB/' "$root/spec.yaml" && settle "${all[@]}" && holds 'applied again' plan "${all[@]}" || return 1
    run forget volume/data >/dev/null && decides 'forgotten' 2 plan "${all[@]}" && settle "${all[@]}" && holds 'made again' plan "${all[@]}" || return 1
    echo 'volumes: { more: {} }' >"$root/other.yaml" && settle -f "$root/other.yaml" &&
        decides 'another source was applied' 0 plan "${all[@]}" && holds 'that one' plan -q -f "$root/other.yaml" || return 1
    run down -y -q -f "$root/other.yaml" >/dev/null && decides 'down' 2 plan -q -f "$root/other.yaml" || return 1
    settle -f "$root/other.yaml" && holds 'up again' plan -q -f "$root/other.yaml" || return 1
    local at
    for at in $(grep -abo volume/default/more "$root/var/lib/fpsync/state/data.mdb" | cut -d: -f1); do
        printf x | dd of="$root/var/lib/fpsync/state/data.mdb" bs=1 seek=$((at + 30)) conv=notrunc 2>/dev/null
    done
    decides 'damaged' 1 plan -q -f "$root/other.yaml"
}

# A value that is sealed lies beside the record.
sealed_value() {
    at settled-sealed
    web 'env: { APP_PASSWORD: "one" }'
    settle -f "$root/spec.yaml" && holds 'at once' plan -q -f "$root/spec.yaml" || return 1
    local sealed
    sealed=$(find "$root/var/lib/fpsync/secrets" -type f ! -name key)
    echo -n two >"$sealed" && decides 'another value' 2 plan -q -f "$root/spec.yaml" &&
        rm "$sealed" && decides 'no value' 2 plan -q -f "$root/spec.yaml"
}

# What containers are lent is looked at as well.
every_loan() {
    at settled-loan
    mkdir -p "$root/etc/fpsync" && echo 'allow: { binds: [/srv], devices: [/dev/fuse] }' >"$root/etc/fpsync/fpsync.conf"
    web 'binds: [ "/srv:/srv", "/srv/x:/x:ro" ], devices: [ /dev/fuse ]'
    settle -f "$root/spec.yaml" && cp "$root/fake/world.json" "$root/saved" || return 1
    holds 'at once' plan -q -f "$root/spec.yaml" &&
        world_differs 2 unbind web /srv &&
        world_differs 2 unbind web /x &&
        world_differs 2 take-device web /dev/fuse &&
        world_differs 2 miss /srv &&
        world_differs 2 miss /dev/fuse &&
        echo 'allow: { devices: [/dev/fuse] }' >"$root/etc/fpsync/fpsync.conf" &&
        decides 'what is permitted' 2 plan -q -f "$root/spec.yaml"
}

# What was not all done, or is held, is never taken for settled.
not_settled() {
    at settled-not
    web 'ports: [ "8080:80" ]' && "$tool" "$root" listen tcp - 8080 nginx
    run -q -f "$root/spec.yaml" apply >/dev/null && return 1
    decides 'held' 2 plan -q -f "$root/spec.yaml"
}

# Nothing is written, whether it is taken for settled or not.
writes_nothing() {
    at settled-writes
    settled_spec spec.yaml
    settle -f "$root/spec.yaml" || return 1
    local listing='find . ! -name said ! -name lock ! -name lock.mdb -printf "%p %s %T@ %C@\n"' before
    before=$(cd "$root" && eval "$listing" | sort)
    FPSYNC_FAKE_DOUBT='' run -q -f "$root/spec.yaml" apply >"$root/said" && run -q --source x -f "$root/spec.yaml" plan >"$root/said" 2>&1
    diff <(echo "$before") <(cd "$root" && eval "$listing" | sort)
}

check 'settled: every drift makes a run decide' every_drift
check 'settled: what nobody asks about does not' unasked
check 'settled: for runs by hand and by a timer' by_timer
check 'settled: every change of what specs are read from makes a run decide' every_input
check 'settled: other options make a run decide' every_option
check 'settled: a spec on standard input is read once' from_terminal
check 'settled: a relative path elsewhere makes a run decide' elsewhere
check 'settled: every change of the record makes a run decide' every_record
check 'settled: a sealed value that changed or went makes a run decide' sealed_value
check 'settled: every change of what is lent makes a run decide' every_loan
check 'settled: what is held is never taken for it' not_settled
check 'settled: a run that does nothing writes nothing' writes_nothing

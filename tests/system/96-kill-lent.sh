#!/bin/bash
# kill -9 of real runs that attach and detach devices, binds, sized volumes and a macvlan, make and remove a container
# with a root of its own, take snapshots and go back to them: the next apply converges, what is asked for works, no data is
# lost, and after down nothing is left over.
. "$(dirname "$0")/walk.sh"
FPSYNC_KILLS=${FPSYNC_KILLS:-24}
. "$(dirname "$0")/kill.sh"

PARENT=kp$TAG
after_cleanup() {
    ip link del "$PARENT" 2>/dev/null
}
ip link add "$PARENT" type veth peer name "$PARENT.2" && ip link set "$PARENT" up && ip link set "$PARENT.2" up || exit
mkdir -p "$ROOT/lent/dev" "$ROOT/lent/a" "$ROOT/lent/b"
mknod -m 600 "$ROOT/lent/dev/tun" c 10 200
mknod -m 600 "$ROOT/lent/dev/zero" c 1 5
echo a >"$ROOT/lent/a/name"
echo b >"$ROOT/lent/b/name"
echo "allow: { binds: [ $ROOT/lent ], devices: [ $ROOT/lent/dev ] }" >"$ROOT/etc/fpsync/fpsync.conf"

odd() { # what every second round asks for
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { lan: { parent: $PARENT, subnet: $NET.0/24 } }
volumes: { sized: { size: 16MiB }, plain: {} }
containers:
  one:
    image: guest
    networks: { lan: { address: $NET.40 } }
    devices: [ { path: $ROOT/lent/dev/tun, target: /dev/net/tun } ]
    binds: [ "$ROOT/lent/a:/srv/a:ro" ]
    volumes: [ "sized:/srv/data" ]
  own: { image: guest, root: copy, networks: [] }
END
}
even() { # and what the others do
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { lan: { parent: $PARENT, subnet: $NET.0/24 } }
volumes: { sized: { size: 16MiB }, plain: {} }
containers:
  one:
    image: guest
    networks: []
    devices: [ { path: $ROOT/lent/dev/zero, target: /dev/zero2, mode: 0666 } ]
    binds: [ "$ROOT/lent/b:/srv/b", { path: /srv/name, source: $ROOT/lent/a/name, read_only: true } ]
    volumes: [ "plain:/srv/data" ]
END
}
has() { # of `one`: NICs, devices that can be opened, binds, the mark in what lies at /srv/data; of `own` its mark
    # shellcheck disable=SC2016
    inside t/one sh -c '
        for path in /sys/class/net/*; do [ "${path##*/}" = lo ] || echo "${path##*/}"; done
        for path in /dev/net/tun /dev/zero2; do (exec 3<"$path") 2>/dev/null && echo "$path"; done
        for path in /srv/a/name /srv/b/name /srv/name /srv/data/mark; do [ -s "$path" ] && echo "$path=$(cat "$path")"; done
        :' | paste -sd' '
    [ -z "$(pid_of t/own)" ] || inside t/own cat /srv/mark
}
odd_has="eth0 /dev/net/tun /srv/a/name=a /srv/data/mark=sized
own"
even_has='/dev/zero2 /srv/b/name=b /srv/name=a /srv/data/mark=plain'
loops() {
    grep -l "^$ROOT/" /sys/block/loop*/loop/backing_file 2>/dev/null | wc -l
}
no_loops() {
    [ "$(loops)" = 0 ]
}

spec lent < <(odd)
converge 'what is lent' || exit
inside t/one sh -c 'echo sized >/srv/data/mark'
inside t/own sh -c 'echo own >/srv/mark'
is 'it is there' "$(has)" "$odd_has"
check 'a snapshot of a volume' fps snapshot volume/t/sized --name good
check 'and of a copy' fps snapshot t/own --name good
spec lent < <(even)
converge 'something else'
inside t/one sh -c 'echo plain >/srv/data/mark'
is 'it is there, too' "$(has)" "$even_has"
spec lent < <(odd)
measure apply -y -q -f "$FILE"
flip=$lasts
measure restore t/own good
back=$lasts

for round in $(seq "$kills"); do
    wanted=$even_has
    [ $((round % 2)) -eq 0 ] || wanted=$odd_has
    spec lent < <([ "$wanted" = "$odd_has" ] && odd || even)
    # By turns live, and from nothing.
    [ $((round % 5)) -ne 0 ] || fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
    lasts=$flip
    kill_during apply -y -q -f "$FILE"
    recovers || continue
    now=$(has)
    [ "$now" = "$wanted" ] || spoiled 'all is as asked' "$now"
    [ "$wanted" = "$odd_has" ] || continue
    lasts=$back
    case $((round / 2 % 3)) in
    0) kill_during snapshot volume/t/sized --name "round-$round" ;;
    1) kill_during restore volume/t/sized good ;;
    2) kill_during restore t/own good ;;
    esac
    recovers || continue
    now=$(has)
    [ "$now" = "$wanted" ] || spoiled 'nothing is lost by a snapshot or the way back' "$now"
done
is "$kills rounds, $killed kills in time: every next apply converged" "$bad" 0
is 'no more than one device stands for a file' "$(($(loops) > 1))" 0
no_temporary_files
check 'down' fps down -y --timeout 0 -f "$FILE"
check 'it leaves no device' eventually 60 no_loops
is 'no node of a device' "$(find "$ROOT/var/lib/lxc" -type c -o -type b)" ''
check 'gc' fps gc --force -y
is 'nothing is left' "$(leftovers)" ''
is 'and the parent has nothing above it' "$(ip -o link show type macvlan | grep -c "$PARENT")" 0
is 'what was lent is as it was' "$(stat -c %a "$ROOT/lent/dev/"* | paste -sd' ') $(cat "$ROOT"/lent/*/name | paste -sd' ')" '600 600 a b'

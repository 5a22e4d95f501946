#!/bin/bash
# What fpsync did not make stays as it is: containers, bridges, nft tables, mounts, processes; also where a name is
# one that fpsync would use itself.
. "$(dirname "$0")/lib.sh"

LXC=$ROOT/var/lib/lxc
foreign=stranger
after_cleanup() {
    ip link del "xx$TAG" 2>/dev/null
    nft delete table inet "foreign_$TAG" 2>/dev/null
}
mkdir -p "$LXC/$foreign" "$ROOT/mnt"
chmod 711 "$ROOT/var" "$ROOT/var/lib" "$LXC"
cat >"$LXC/$foreign/config" <<END
lxc.uts.name = $foreign
lxc.rootfs.path = dir:$BUSYBOX
lxc.net.0.type = empty
lxc.mount.auto = proc:mixed sys:ro
END
lxc-start -P "$LXC" -n $foreign -d -o "$ROOT/foreign.log" -- /bin/sleep 100000 2>/dev/null ||
    lxc-execute -P "$LXC" -n $foreign -d -- /bin/sleep 100000
ip link add "xx$TAG" type bridge
ip addr add 192.0.2.1/28 dev "xx$TAG"
ip link set "xx$TAG" up
nft add table inet "foreign_$TAG"
nft add chain inet "foreign_$TAG" forward '{ type filter hook forward priority 10; policy accept; }'
nft add rule inet "foreign_$TAG" forward ip saddr 192.0.2.7 counter drop
mount -t tmpfs tmpfs "$ROOT/mnt"
echo here >"$ROOT/mnt/file"

state() {
    lxc-info -P "$LXC" -n $foreign -psH
    sha256sum "$LXC/$foreign/config"
    ip -4 -o addr show dev "xx$TAG"
    ip -d -o link show dev "xx$TAG" | sed 's/ \(hello\|tcn\|topology_change\|gc\)_timer *[0-9.]*//g'
    nft -s list table inet "foreign_$TAG"
    grep " $ROOT/mnt " /proc/self/mountinfo
    cat "$ROOT/mnt/file"
}
before=$(state)
like 'the stranger runs' "$before" RUNNING

base_spec
converge 'apply beside it'
is 'nothing foreign changed' "$(state)" "$before"
like 'status does not list it' "$(fps status | grep -c stranger)" '^0$'
check 'down' fps down -y --timeout 0 -f "$FILE"
is 'nothing foreign changed by down' "$(state)" "$before"
left=$(leftovers | grep -v -e "$ROOT/mnt" -e stranger)
is 'and nothing of ours is left' "$left" ''

# Names that are taken by others: refused, untouched.
mkdir -p "$LXC/$(lxc_of t/one)"
printf 'lxc.uts.name = one\n# not made by fpsync\n' >"$LXC/$(lxc_of t/one)/config"
before_one=$(sha256sum "$LXC/$(lxc_of t/one)/config")
fps apply -y -f "$FILE" >"$ROOT/out" 2>&1
status=$?
[ $status -eq 3 ] && ok 'a container name that is taken: the rest converges, exit 3' ||
    not_ok 'a container name that is taken: the rest converges, exit 3' "status $status
$(cat "$ROOT/out")"
is 'the foreign definition is untouched' "$(sha256sum "$LXC/$(lxc_of t/one)/config")" "$before_one"
isnt 'its neighbour runs' "$(pid_of t/two)" ''
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'down leaves the foreign definition' "$(sha256sum "$LXC/$(lxc_of t/one)/config" 2>&1)" "$before_one"
rm -r "${LXC:?}/$(lxc_of t/one)"

bridge=fp${TAG}n$(printf t/front | sha256sum | cut -c1-8)
ip link add "$bridge" type bridge
fps apply -y -f "$FILE" >"$ROOT/out" 2>&1
status=$?
isnt 'a bridge name that is taken is refused' "$status" 0
is 'the foreign bridge got no address' "$(ip -4 -o addr show dev "$bridge")" ''
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
check 'down leaves the foreign bridge' ip link show dev "$bridge"
ip link del "$bridge"

# A port that a process of the host listens on, and a subnet that the host routes: held, the other side named.
"$BUSYBOX/bin/busybox" httpd -f -p "$PORT" >/dev/null 2>&1 &
listener=$!
eventually 5 sh -c "ss -ltn | grep -q ':$PORT '"
PLAN=$(plan_of "$FILE")
like 'a port that is listened on is held, the process named' "$(held_of "$PLAN")" "$PORT.*busybox|busybox.*$PORT"
kill $listener
wait $listener 2>/dev/null
ip addr add "$NET.100/26" dev "xx$TAG"
PLAN=$(plan_of "$FILE")
like 'a subnet that the host routes is held, the interface named' "$(held_of "$PLAN")" "xx$TAG"
ip addr del "$NET.100/26" dev "xx$TAG"
converge 'with both gone it converges'

# An upper that someone else mounted, which the kernel would mount a second time without a word.
fps stop --timeout 0 t/one >/dev/null 2>&1
mkdir "$ROOT/stranger" "$ROOT/stranger-work"
mount -t overlay -o "lowerdir=$BUSYBOX,upperdir=$ROOT/var/lib/fpsync/layers/t_one/upper,workdir=$ROOT/stranger-work" stranger "$ROOT/stranger"
fails 'a layer that someone else mounted is not mounted again' 3 fps start t/one
like 'and where it is, is said' "$(fps start t/one 2>&1)" "layer t_one is mounted at $ROOT/stranger"
is 'the stranger keeps it' "$(findmnt -n -o SOURCE "$ROOT/stranger")" stranger
umount "$ROOT/stranger"
check 'without the stranger it starts' fps start t/one
check 'and runs' test -n "$(pid_of t/one)"
is 'nothing foreign changed to the end' "$(state)" "$before"
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
lxc-stop -P "$LXC" -n $foreign -k

#!/bin/bash
# Drift: everything that somebody else can do to what fpsync made. One apply each: the cause is named, only that is
# repaired, and every other container keeps its init.
. "$(dirname "$0")/lib.sh"

base_spec
converge 'what the tests start from' || exit

# $1 text, $2 cause (regular expression, case ignored), $3 the container that may get a new init ("" none), and the
# rest is done to the host.
drift() {
    local text=$1 cause=$2 may=$3 one two actions
    shift 3
    one=$(pid_of t/one)
    two=$(pid_of t/two)
    "$@" >/dev/null 2>&1
    status=$(fps status --drift 2>&1)
    [ $? -eq 2 ] && ok "$text: status --drift sees it" || not_ok "$text: status --drift sees it" "$status"
    converge "$text: one apply repairs it" || return
    like "$text: the cause is named" "$(causes_of "$PLAN" | tr A-Z a-z)" "$cause"
    actions=$(actions_of "$PLAN" | wc -l)
    [ "$actions" -le "${ACTIONS:-1}" ] && [ "$actions" -gt 0 ] && ok "$text: only that" ||
        not_ok "$text: only that" "$(actions_of "$PLAN")"
    [ "$may" = t/one ] || is "$text: one keeps its init" "$(pid_of t/one)" "$one"
    [ "$may" = t/two ] || is "$text: two keeps its init" "$(pid_of t/two)" "$two"
}

pid=$(pid_of t/two)
gone() {
    kill -9 "$pid"
    eventually 10 sh -c "lxc-info -P $ROOT/var/lib/lxc -n $(lxc_of t/two) -sH | grep -q STOPPED"
}
drift 'init killed' 'killed|exited|not running|died' t/two gone
isnt 'init killed: it runs again' "$(pid_of t/two)" ''

# A monitor that does not come to its end keeps its socket: what has happened is still that init was killed.
linger() {
    local init monitor
    init=$(pid_of t/two)
    monitor=$(sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$init/stat")
    kill -STOP "$monitor" && kill -9 "$init" && eventually 10 grep -q '^State:.Z' "/proc/$init/status"
}
drift 'init killed, monitor stuck' '^drift: killed - - ' t/two linger
isnt 'init killed, monitor stuck: it runs again' "$(pid_of t/two)" ''

drift 'veth deleted' 'eth0|veth|link|nic|port' '' ip link del "$(port_of t/two)"
check 'veth deleted: two reaches one again' inside t/two timeout 3 wget -q -O- http://one/
drift 'veth taken off the bridge' 'eth0|bridge|master|port' '' ip link set "$(port_of t/two)" nomaster
check 'veth taken off the bridge: two reaches one again' inside t/two timeout 3 wget -q -O- http://one/
drift "bridge's address removed" "address.*$NET.1|$NET.1" '' ip addr flush dev "$(bridges)"
check "bridge's address removed: names resolve again" inside t/two timeout 3 wget -q -O- http://one/
drift 'bridge set down' 'down|up' '' ip link set "$(bridges)" down
drift "guest's address removed" "address.*$NET.10|$NET.10" '' inside t/one ip addr flush dev eth0
is "guest's address removed: it is back" "$(address_of t/one)" "$NET.10"
check "guest's address removed: the way out is back" sh -c "lxc-attach -P $ROOT/var/lib/lxc -n $(lxc_of t/one) -- ip route | grep -q 'default via $NET.1'"
drift "guest's link set down" 'eth0|down' '' inside t/one ip link set eth0 down
wrong_mac() { inside t/one sh -c 'ip link set eth0 down; ip link set eth0 address 02:00:00:00:00:99; ip link set eth0 up'; }
mac=$(mac_in t/one)
drift "guest's MAC changed" 'mac|eth0' '' wrong_mac
is "guest's MAC changed: it is back" "$(mac_in t/one)" "$mac"

flush() { nft list tables | grep "fpsync_$TAG" | while read -r _ family name; do nft flush table "$family" "$name"; done; }
ACTIONS=2 drift 'nft table flushed' 'rules|nft|forward|table' '' flush
check 'nft table flushed: the forward works' eventually 5 page "http://127.0.0.1:$PORT/"
delete() { nft list tables | grep "fpsync_$TAG" | while read -r _ family name; do nft delete table "$family" "$name"; done; }
ACTIONS=2 drift 'nft table deleted' 'rules|nft|forward|table' '' delete
check 'nft table deleted: the forward works' eventually 5 page "http://127.0.0.1:$PORT/"

resolver() { processes | awk '/dnsmasq/ { print $1 }'; }
kill_resolver() { kill -9 $(resolver); eventually 5 sh -c "! kill -0 $(resolver | head -n 1)"; }
drift 'dnsmasq killed' 'dnsmasq|resolver' '' kill_resolver
check 'dnsmasq killed: names resolve again' inside t/two timeout 3 wget -q -O- http://one/

resolver_pid=$(resolver)
drift 'names of the network removed' 'names' '' rm -r "$ROOT/run/fpsync/networks/$(bridges)/hosts"
check 'names of the network removed: they resolve again' inside t/two timeout 3 wget -q -O- http://one/
add_name() { echo "$NET.99 intruder" >"$ROOT/run/fpsync/networks/$(bridges)/hosts/more"; }
drift 'a name added' 'names' '' add_name
check 'a name added: it is gone' eventually 5 sh -c "! lxc-attach -P $ROOT/var/lib/lxc -n $(lxc_of t/two) -- nslookup intruder"
is 'the resolver runs on' "$(resolver)" "$resolver_pid"

# What is set beside the links. The host's own net.ipv4.ip_forward is not this test's to turn off: see the unit tests.
setting_off() { echo 0 >"/proc/sys/net/ipv4/conf/$(bridges)/$1"; }
drift "bridge's forwarding turned off" 'forwarding' '' setting_off forwarding
is "bridge's forwarding turned off: it is on" "$(cat "/proc/sys/net/ipv4/conf/$(bridges)/forwarding")" 1
drift "bridge's route_localnet turned off" 'route_localnet' '' setting_off route_localnet
check "bridge's route_localnet turned off: 127.0.0.1 is forwarded" eventually 5 page "http://127.0.0.1:$PORT/"
mac=$(cat "/sys/class/net/$(bridges)/address")
drift "bridge's MAC changed" 'mac of bridge' '' ip link set "$(bridges)" address 02:00:00:00:00:99
is "bridge's MAC changed: it is back" "$(cat "/sys/class/net/$(bridges)/address")" "$mac"
port=$(port_of t/one)
drift 'hairpin mode turned off' 'hairpin' '' ip link set "$port" type bridge_slave hairpin off
is 'hairpin mode turned off: it is on' "$(cat "/sys/class/net/$port/brport/hairpin_mode")" 1

# A volume that was there at start is locked into the guest; one that was attached later can be unmounted.
fails 'volume unmounted inside the guest: not one that was there at start' 1 inside t/one umount /srv/data
sed -i 's/^  data: {}/  data: {}\n  late: {}/; s#"data:/srv/data"#"data:/srv/data", "late:/srv/late"#' "$FILE"
converge 'a volume is attached to the running container'
inside t/one sh -c 'echo precious >/srv/late/file'
drift 'volume unmounted inside the guest' '/srv/late' '' inside t/one umount /srv/late
is 'volume unmounted inside the guest: it is back' "$(inside t/one cat /srv/late/file)" precious

limit=$(cgroup_of t/one pids)/pids.max
if [ -w "$limit" ]; then
    change_limit() { echo 55 >"$limit"; }
    drift 'limit changed in the cgroup' 'pids.*(55|100)' '' change_limit
    is 'limit changed in the cgroup: it is back' "$(cat "$limit")" 100
else
    skip 'limit changed in the cgroup' 'no pids controller'
fi

config=$ROOT/var/lib/lxc/$(lxc_of t/two)/config
edit() { echo 'lxc.environment = INTRUDER=1' >>"$config"; }
drift 'LXC config edited' 'config' '' edit
check 'LXC config edited: the line is gone' sh -c "! grep -q INTRUDER $config"
remove() { rm "$config"; }
drift 'LXC config removed' 'config|defin' '' remove
check 'LXC config removed: it is back' test -s "$config"

# A running container's root, unmounted on the host: never a second mount of its upper while the first one lives in
# the guest. It is said, and put right when the container starts next.
root=$ROOT/run/fpsync/mounts/$(lxc_of t/two)/root
umount -l "$root" 2>/dev/null || umount -R -l "$root"
upper_mounts() { # by all mount namespaces: superblocks that have this upper
    cat /proc/[0-9]*/mountinfo 2>/dev/null | grep -F 'upperdir=' | grep -F "$ROOT/" | grep t_two | awk '{ print $3 }' | sort -u | wc -l
}
pid=$(pid_of t/two)
PLAN=$(plan_of "$FILE")
like 'root unmounted on the host: it is reported' "$(jq -c '[.actions, .held]' <<<"$PLAN")$(fps status)" 'root|layer|mount'
fps apply -y -f "$FILE" >/dev/null 2>&1
is 'root unmounted on the host: the running init stays' "$(pid_of t/two)" "$pid"
is 'root unmounted on the host: the upper is mounted once at most' "$(($(upper_mounts) <= 1))" 1
for bridge in $(bridges); do ip link del "$bridge"; done
fps apply -y -f "$FILE" >"$ROOT/out" 2>&1
is 'root unmounted on the host: a lost bridge is put right all the same' "$(grep -c ': failed' "$ROOT/out") $(plan_of "$FILE" | jq '.actions | length')" '0 0'
check 'root unmounted on the host: its NIC is on it' sh -c "ip -o link show $(port_of t/two) | grep -q ' master fp'"
inside t/two sh -c 'echo here >/root/written'
check 'root unmounted on the host: restart' fps restart t/two
is 'root unmounted on the host: what was written is there' "$(inside t/two cat /root/written)" here
is 'root unmounted on the host: after the restart it is mounted once' "$(upper_mounts)" 1
converge 'root unmounted on the host: nothing more to do'

check 'down' fps down -y --timeout 0 -f "$FILE"
is 'nothing is left' "$(leftovers)" ''

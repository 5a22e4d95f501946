#!/bin/bash
# Live changes: limits, ports, names, addresses, networks, volumes. The init pid stays.
. "$(dirname "$0")/lib.sh"

base_spec
converge 'what the test starts from' || exit
pids="$(pid_of t/one) $(pid_of t/two)"
same() {
    is "$1: every init stays" "$(pid_of t/one) $(pid_of t/two)" "$pids"
}

sed -i 's/memory: 64MiB, pids: 100/memory: 96MiB, swap: 32MiB, cpus: 0.5, pids: 120/' "$FILE"
converge 'limits'
same limits
like 'limits: the class is live' "$(jq -r '.actions[].class' <<<"$PLAN")" '^live$'
folder=$(cgroup_of t/one pids)
[ -r "$folder/pids.max" ] && is 'limits: pids' "$(cat "$folder/pids.max")" 120
folder=$(cgroup_of t/one memory)
memory=$(cat "$folder/memory.max" 2>/dev/null || cat "$folder/memory.limit_in_bytes" 2>/dev/null)
[ -z "$memory" ] || is 'limits: memory' "$memory" $((96 << 20))
sed -i 's/memory: 96MiB, swap: 32MiB, cpus: 0.5, pids: 120/memory: 48MiB, pids: 90/' "$FILE"
converge 'limits lowered'
same 'limits lowered'
memory=$(cat "$folder/memory.max" 2>/dev/null || cat "$folder/memory.limit_in_bytes" 2>/dev/null)
[ -z "$memory" ] || is 'limits lowered: memory' "$memory" $((48 << 20))

sed -i "s/\"$PORT:80\"/\"$((PORT + 1)):80\", \"127.0.0.1:$((PORT + 2)):80\", \"$((PORT + 3)):7\/udp\"/" "$FILE"
converge 'ports'
same ports
check 'ports: the new one is open' eventually 5 page "http://127.0.0.1:$((PORT + 1))/"
check 'ports: the bound one is open on its address' eventually 5 page "http://127.0.0.1:$((PORT + 2))/"
check 'ports: the old one is shut' sh -c "! curl -s -m 2 http://127.0.0.1:$PORT/"
HOST=$(ip -4 -o route get 1.1.1.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
if [ -n "$HOST" ]; then
    check 'ports: the bound one is shut elsewhere' sh -c "! curl -s -m 2 http://$HOST:$((PORT + 2))/"
    like 'ports: UDP' "$("$BUILD/tests/system/netprobe" ask-udp "$HOST" $((PORT + 3)) hello)" 'hello'
fi
like 'ports: UDP from the host by loopback' "$("$BUILD/tests/system/netprobe" ask-udp 127.0.0.1 $((PORT + 3)) hello)" 'hello'

like 'fpsync ports: what is bound says so' "$(fps ports)" "^127\.0\.0\.1:$((PORT + 2))/tcp +t/one +$NET\.10:80 +open on 127\.0\.0\.1 to: host\$"
is 'fpsync ports: all three as data' "$(fps ports -o json | jq -c '[.ports[] | [.protocol, .guest, .open]]')" '[["tcp",80,true],["tcp",80,true],["udp",7,true]]'

sed -i "s/address: $NET.10/address: $NET.77/" "$FILE"
converge 'address'
same address
is 'address: it is in the guest' "$(address_of t/one)" "$NET.77"
check 'address: the name follows' eventually 5 inside t/two timeout 2 wget -q -O- http://one/
check 'address: the forward follows' eventually 5 page "http://127.0.0.1:$((PORT + 1))/"

sed -i "s#^  front: .*#&\n  back: { subnet: $NET.128/25 }#" "$FILE"
sed -i "/^  two:/,\$ s/\[ front \]/[ front, back ]/; s/networks: { front: { address: $NET.77 } }/networks: { front: { address: $NET.77 }, back: {} }/" "$FILE"
converge 'a network more'
same 'a network more'
like 'a network more: eth1 is there' "$(address_of t/two eth1)" "^$NET\."

# Interfaces are named in the order of the list; MAC and address belong to the network and go along.
was="$(mac_in t/two eth1) $(address_of t/two eth1) $(mac_in t/two eth0) $(address_of t/two eth0)"
sed -i '/^  two:/,$ s/\[ front, back \]/[ back, front ]/' "$FILE"
converge 'networks trade places'
same 'networks trade places'
is 'networks trade places: the cause is the order' "$(causes_of "$PLAN" | sed 's/ [^ ]*$//')" 'networks [t/front, t/back] [t/back, t/front]'
is 'networks trade places: so do the interfaces' \
    "$(mac_in t/two eth0) $(address_of t/two eth0) $(mac_in t/two eth1) $(address_of t/two eth1)" "$was"
like 'networks trade places: the default route follows' "$(inside t/two ip route | grep ^default)" "^default via $NET.129 dev eth0 *\$"
printf '#!/bin/sh\n[ "$1" != bound ] || echo "$ip router=$router"\n' >"$ROOT/lease" && chmod 755 "$ROOT/lease"
lease_of() { # CONTAINER INSIDE: what its network's DHCP server says to it
    nsenter -t "$(pid_of "$1")" -n busybox udhcpc -i "$2" -n -q -f -t 5 -T 1 -s "$ROOT/lease" 2>/dev/null
}
is 'DHCP tells of the router where the default route is' "$(lease_of t/two eth0)" "$(address_of t/two eth0) router=$NET.129"
is 'and of none elsewhere' "$(lease_of t/two eth1)" "$(address_of t/two eth1) router="
is 'networks trade places: names are asked of the first' "$(inside t/two sed -n 's/^nameserver //p' /etc/resolv.conf)" "$NET.129"
is 'and resolv.conf belongs to the guest' "$(inside t/two stat -c '%u:%g %a' /etc/resolv.conf)" '0:0 644'
check 'networks trade places: two reaches one' eventually 5 inside t/two timeout 2 wget -q -O- http://one/

sed -i 's/^  data: {}/  data: {}\n  extra: {}/; s#"data:/srv/data"#"data:/srv/data", "extra:/srv/deep/extra"#' "$FILE"
inside t/one sh -c 'echo one >/srv/data/first'
converge 'a volume more'
same 'a volume more'
check 'a volume more: it can be written' inside t/one sh -c 'echo two >/srv/deep/extra/file'
check 'a volume more: on disk it carries ids of the container' test "$(stat -c %u "$ROOT/var/lib/fpsync/volumes/t_extra/data/file" 2>/dev/null)" = 0
sed -i 's#"data:/srv/data"#"data:/srv/elsewhere"#' "$FILE"
converge 'a volume moved'
same 'a volume moved'
is 'a volume moved: its data is there' "$(inside t/one cat /srv/elsewhere/first)" one

# The guest's symlinks lead nowhere but into the guest.
inside t/one ln -s ../../../../../../etc /srv/evil
mkdir -p "$ROOT/canary"
hosts=$(sha256sum /etc/passwd /etc/hostname; ls /etc | wc -l)
sed -i 's#"extra:/srv/deep/extra"#"extra:/srv/evil/planted"#' "$FILE"
fps apply -y -f "$FILE" >/dev/null 2>&1
is 'a symlink of the guest: the host is untouched' "$(sha256sum /etc/passwd /etc/hostname; ls /etc | wc -l)" "$hosts"
check 'a symlink of the guest: no mount outside' sh -c "! grep -q planted /proc/self/mountinfo"
sed -i 's#"extra:/srv/evil/planted"#"extra:/srv/deep/extra"#' "$FILE"
converge 'the symlink is out of the way'

# A network gives up half of its subnet and a new one takes it, in one plan: our own bridge's route is no obstacle.
sed -i "s#^  front: .*#  front: { subnet: $NET.64/26 }#; s#^  back: .*#&\n  half: { subnet: $NET.0/26 }#" "$FILE"
converge 'a subnet given up is claimed by another network'
is 'the declared address is still in the guest' "$(address_of t/one)" "$NET.77"

fps stop --timeout 0 t/one >/dev/null 2>&1
is 'fpsync ports: what does not run is closed' "$(fps ports -o json | jq -r '[.ports[] | select(.open | not) | .reason] | unique[]')" \
    'the container does not run'
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'nothing is left' "$(leftovers)" ''

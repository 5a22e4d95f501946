#!/bin/bash
# Interfaces of what LXC had before fpsync: they become places in attached networks, the running containers keep link,
# address, MAC address and init, and from then on they change like any other's.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/adopt.sh"

BRIDGE=xx$TAG
after_cleanup() {
    ip link del "$BRIDGE" 2>/dev/null
    ip link del "$BRIDGE.p" 2>/dev/null
}
ip link add "$BRIDGE" type bridge && ip addr add "$NET.1/25" dev "$BRIDGE" && ip link set "$BRIDGE" up
ip link add "$BRIDGE.p" type veth peer name "$BRIDGE.q" && ip link set "$BRIDGE.p" up
dnsmasq -k -C /dev/null --interface="$BRIDGE" --bind-dynamic --except-interface=lo --port=0 \
    --dhcp-range="$NET.100,$NET.120,1h" --dhcp-leasefile="$ROOT/leases" --pid-file="$ROOT/dnsmasq.pid" \
    --dhcp-authoritative 2>"$ROOT/dnsmasq.log" &

furnish() { # FOLDER: what asks for an address
    ln -s busybox "$1/bin/udhcpc"
    printf '#!/bin/sh\n[ "$1" != bound ] || ip addr add "$ip/25" dev "$interface"\n' >"$1/etc/lease"
    chmod 755 "$1/etc/lease"
}
make static <<END
lxc.net.0.type = veth
lxc.net.0.link = $BRIDGE
lxc.net.0.flags = up
lxc.net.0.hwaddr = 02:16:3E:00:00:0A
lxc.net.0.ipv4.address = $NET.11/25
lxc.net.0.ipv4.gateway = $NET.1
END
make dhcp <<END
lxc.net.0.type = veth
lxc.net.0.link = $BRIDGE
lxc.net.0.flags = up
lxc.net.0.name = eth0
END
echo '::respawn:/bin/udhcpc -f -i eth0 -s /etc/lease' >>"$LXC/$(name_of dhcp)/rootfs/etc/inittab"
make two <<END
lxc.net.0.type = veth
lxc.net.0.link = $BRIDGE
lxc.net.0.flags = up
lxc.net.0.ipv4.address = $NET.12/25
lxc.net.1.type = macvlan
lxc.net.1.macvlan.mode = bridge
lxc.net.1.link = $BRIDGE.p
lxc.net.1.flags = up
lxc.net.1.ipv4.address = $NET.200/25
END
make other <<END
lxc.net.0.type = veth
lxc.net.0.link = $BRIDGE
lxc.net.0.flags = up
lxc.net.0.mtu = 1400
lxc.net.0.ipv4.address = $NET.14/25
END
SHAPES='static dhcp two other'
start_all $SHAPES
inside two ip route add default via "$NET.2" # its own doing
leased() {
    address_of dhcp | grep -q .
}
eventually 20 leased

links() { # SHAPE: init, and of every interface MAC, number, that of its other end, addresses, routes
    local pid
    pid=$(pid_of "$1")
    echo "$pid $(cut -d' ' -f22 "/proc/$pid/stat")"
    inside "$1" sh -c 'cd /sys/class/net; for i in eth*; do echo $i $(cat $i/address $i/ifindex $i/iflink); done; ip -4 -o addr | while read number name rest; do echo "$name $rest" | cut -d" " -f1-4; done; ip route'
}
declare -A was was_config
for shape in $SHAPES; do
    was[$shape]=$(links $shape)
    was_config[$shape]=$(sha256sum <"$LXC/$(name_of $shape)/config")
done
same() { # TEXT
    for shape in $SHAPES; do is "$shape: $1: the same init, links, addresses and routes" "$(links $shape)" "${was[$shape]}"; done
}

# ---- export ----
FILE=$SPEC/lxc.yaml
fps export "${SPECS[@]}" >"$FILE"
text=$(cat "$FILE")
check 'what is exported is valid' fps validate -f "$FILE"
like 'a bridge becomes an attached network, once' "$(grep -c "bridge: $BRIDGE" "$FILE") $(grep -c "network: $BRIDGE[,}]" "$FILE")" '^2 2$'
like 'with subnet and gateway of who says so' "$text" "gateway: $NET.1\$"
like 'and another for a guest that leads elsewhere' "$text" "gateway: $NET.2\$"
like 'a macvlan has its parent' "$text" "parent: $BRIDGE.p"
like 'an address' "$text" "address: $NET.11"
like 'a guest that asks' "$text" 'dhcp: true'
is 'no line is left but those of what has no field' "$(grep -o 'lxc.net.[0-9].[a-z]*' "$FILE" | sort -u | tr '\n' ' ')" 'lxc.net.0.flags lxc.net.0.ipv lxc.net.0.link lxc.net.0.mtu lxc.net.0.type '

# As lxc-create writes it, with the configuration that Debian has for new ones and no template.
printf 'lxc.include = /usr/share/lxc/config/common.conf\nlxc.net.0.type = veth\nlxc.net.0.link = %s\nlxc.net.0.flags = up\nlxc.net.0.hwaddr = 00:16:3e:xx:xx:xx\nlxc.apparmor.profile = generated\nlxc.apparmor.allow_nesting = 1\n' "$BRIDGE" >"$ROOT/default.conf"
check 'lxc-create' lxc-create -P "$LXC" -n "$(name_of made)" -f "$ROOT/default.conf" -t none
echo "lxc.rootfs.path = dir:$LXC/$(name_of static)/rootfs" >>"$LXC/$(name_of made)/config"
text=$(fps export --lxc "$(name_of made)")
is 'what lxc-create makes has no line' "$(grep -c '    lxc:' <<<"$text") $(grep -cE 'dhcp: true|includes: .common.' <<<"$text")" '0 2'

# ---- adopt ----
fps adopt -f "$FILE" >"$ROOT/out" 2>&1
is 'what Debian makes needs no permission, a line does' "$? $(grep -c 'raw_lxc: true' "$ROOT/out")" '3 1'
for shape in static dhcp two; do
    port=$(port_of $shape)
    like "$shape: its host end is called as ours" "$port" "^fp${TAG}p"
    like "$shape: and marked" "$(ip link show dev "$port")" "alias fpsync [^ ]+ default/$shape"
    like "$shape: in its bridge" "$(ip link show dev "$port")" "master $BRIDGE "
    like "$shape: guarded" "$(nft list table bridge "fpsync_$TAG")" "$port"
done
same adopted
PLAN=$(plan_of "$FILE")
is 'the plan after it is empty, but for what was not permitted' "$(actions_of "$PLAN")$(held_of "$PLAN" | cut -d: -f1)" 'container/default/other'
echo 'allow: { raw_lxc: true }' >"$ROOT/etc/fpsync/fpsync.conf"
check 'with permission the rest follows' fps adopt -f "$FILE"
converge 'and apply changes nothing'
is 'no action' "$(actions_of "$PLAN")" ''
same applied
fps export -f "$FILE" >"$ROOT/again.yaml"
is 'export of what is adopted is what was exported' "$(diff "$FILE" "$ROOT/again.yaml")" ''
rm -rf "$ROOT/var/lib/fpsync/state"
check 'a lost record is made again from marks and files' fps doctor --rebuild -f "$FILE"
PLAN=$(plan_of "$FILE")
is 'and nothing is left to do' "$(actions_of "$PLAN")$(held_of "$PLAN")" ''
same rebuilt

# ---- a guard ----
inside static ip addr add "$NET.66/25" dev eth0
inside static ping -c 1 -W 1 -I "$NET.11" "$NET.1" >/dev/null
is 'from its own address it is heard' "$?" 0
inside static ping -c 1 -W 1 -I "$NET.66" "$NET.1" >/dev/null
isnt 'from another it is not' "$?" 0
inside static ip addr del "$NET.66/25" dev eth0

# ---- it changes like one of ours ----
sed -i "s/address: $NET.11}/address: $NET.13}/" "$FILE"
converge 'an address'
is 'is live' "$(address_of static)" "$NET.13"
is 'on the same link' "$(links static | head -2)" "$(head -2 <<<"${was[static]}")"
like 'and leads out' "$(inside static ip route)" "default via $NET.1 "
ip link set "$(port_of dhcp)" nomaster
converge 'a host end that was taken off its bridge goes back'
is 'with the same init' "$(links dhcp | head -1)" "$(head -1 <<<"${was[dhcp]}")"
mac=$(mac_in two eth1)
# Whoever is in its network keeps that, and the interface that came live, a while longer.
nsenter -t "$(pid_of two)" -n sleep 1 &
lingers=$!
check 'restart' fps restart two
is 'it comes back with its addresses' "$(address_of two) $(address_of two eth1)" "$NET.12 $NET.200"
is 'and its MAC addresses' "$(mac_in two) $(mac_in two eth1)" "$(awk '$1 == "eth0" { print $2; exit }' <<<"${was[two]}") $mac"
like 'and a marked host end' "$(ip link show dev "$(port_of two)")" 'alias fpsync [^ ]+ default/two'
wait $lingers
sed -i "s#^containers:#  front: { subnet: $NET.128/26 }\n&#" "$FILE"
own() { # ENTRIES of `static`: in the network of fpsync's own
    sed -i "/^  static:/,/^  two:/{ /^    networks:/,/^    [a-z]/{ /^      /d; s/^    networks:.*/    networks: [ front ]\n    ports: [ \"$PORT:80\" ]/ } }" "$FILE"
}
init=$(links static | head -1)
own
converge 'another network, live'
is 'the old link is gone' "$(links static | head -1) $(inside static ls /sys/class/net | tr '\n' ' ')" "$init eth0 lo "
like 'an address of the new one' "$(address_of static)" "^$NET\.(129|1[3-8][0-9])"
check 'a port of the host leads into it' eventually 5 page "http://$NET.1:$PORT/"

# ---- and goes back ----
pid=$(pid_of dhcp)
lease=$(links dhcp)
check 'forget' fps forget container/dhcp
is 'leaves it running with all it had' "$(links dhcp)" "$lease"
is 'without a mark' "$(grep -c fpsync "$LXC/$(name_of dhcp)/config") $(ip link show dev "$(port_of dhcp)" | grep -c alias)" '0 0'
is 'its config is what its owner wrote' "$(sha256sum <"$LXC/$(name_of dhcp)/config")" "${was_config[dhcp]}"
check 'and it is adopted again' fps adopt -f "$FILE" dhcp
is 'as it is' "$(links dhcp)" "$lease"
sed -i '/^  dhcp:/,/^  [a-z]*:$/{ /^  dhcp:/d; /^    /d }' "$FILE"
converge 'one leaves the spec'
is 'it is stopped' "$(pid_of dhcp)" ''
is 'and its config again what its owner wrote' "$(sha256sum <"$LXC/$(name_of dhcp)/config")" "${was_config[dhcp]}"
check 'and LXC starts it, as ever' lxc-start -P "$LXC" -n "$(name_of dhcp)"
eventually 20 leased
is 'with an end that is not called as ours' "$(port_of dhcp | grep -c "^fp$TAG")" 0
check 'down' fps down -y --timeout 0 -f "$FILE"
is 'a changed config has no port of ours in it' "$(grep -c "fp${TAG}p" "$LXC/$(name_of static)/config")" 0
for shape in $SHAPES; do lxc-stop -P "$LXC" -n "$(name_of $shape)" -k >/dev/null 2>&1; done
is 'nothing of ours is left' "$(leftovers | grep -v dnsmasq)" ''

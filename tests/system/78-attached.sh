#!/bin/bash
# Networks attached to a bridge of the host, here one of the test's own: a LAN with a DHCP server and a neighbour, both in
# a network namespace.
. "$(dirname "$0")/walk.sh"

LAN=lan$TAG
after_cleanup() {
    ip link del "$LAN" 2>/dev/null
    ip link del "$LAN.2" 2>/dev/null
    for link in "$LAN.u" "$LAN.p" "$LAN.q"; do ip link del "$link" 2>/dev/null; done
    rm -f "/tmp/$LAN.leases"
    ip netns pids "$LAN" 2>/dev/null | xargs -r kill 2>/dev/null
    ip netns del "$LAN" 2>/dev/null
}
there() { # COMMAND...: in the LAN
    ip netns exec "$LAN" "$@"
}
ip netns add "$LAN"
ip link add "$LAN" type bridge
ip link add "$LAN.2" type bridge
ip link add "$LAN.u" mtu 1400 address 02:00:00:00:00:01 type veth peer name eth0 netns "$LAN"
there ip link set eth0 mtu 1400
there ip addr add "$NET.1/24" dev eth0
there ip link set eth0 up
there ip link set lo up
ip link set "$LAN.u" master "$LAN"
no_advertisements() { # INTERFACE: of the host, which is not to change by what the LAN says
    echo 0 >"/proc/sys/net/ipv6/conf/$1/accept_ra"
} 2>/dev/null
for link in "$LAN" "$LAN.2" "$LAN.u"; do no_advertisements "$link"; ip link set "$link" up; done
six=$([ ! -e /proc/sys/net/ipv6 ] || echo yes)
[ -z "$six" ] || there ip addr add "fd02:$TAG6::1/64" dev eth0 nodad
there dnsmasq -k -C /dev/null --interface=eth0 --bind-interfaces --except-interface=lo --port=0 --dhcp-authoritative \
    --dhcp-range="$NET.200,$NET.209,255.255.255.0,1h" --dhcp-leasefile="/tmp/$LAN.leases" --pid-file= \
    --dhcp-option=option:router,"$NET.1" --no-ping ${six:+--enable-ra --dhcp-range="fd02:$TAG6::,ra-only"} >/dev/null 2>&1 &
there "$BUSYBOX/bin/busybox" httpd -f -p 80 -h "$BUSYBOX/www" >/dev/null 2>&1 &

bridge_state() { # what is not ours to change
    { ip -d -o link show dev "$LAN"; ip -o addr show dev "$LAN"; ip -d -o link show dev "$LAN.u"; } |
        sed -E 's/[a-z_]*timer +[0-9.]+//g; s/ tentative//'
    cat "/proc/sys/net/ipv4/conf/$LAN/"{forwarding,route_localnet,rp_filter,proxy_arp}
}
check 'the neighbour answers' eventually 10 there "$BUSYBOX/bin/busybox" wget -q -O - http://127.0.0.1/
before=$(bridge_state)

lan() { # ENTRIES of the network, of the place of `one`, of the place of `two`
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks:
  lan: { bridge: $1, subnet: $NET.0/24$2 }
containers:
  one: { image: guest, networks: [ { network: lan$3 } ] }
  two: { image: guest, networks: [ { network: lan$4 } ] }
END
}
lan_without() { lan "$LAN" '' ", address: $NET.20" ", address: $NET.30, dhcp: false"; }
lan_set() { lan "$LAN.2" ", range: $NET.100-$NET.101, gateway: $NET.1" '' ', dhcp: true'; }
lan_changed() { lan "$LAN" ", range: $NET.150-$NET.160, gateway: none" '' ', dhcp: true'; }
asks() { # CONTAINER: its own DHCP client, when it has no address yet
    [ -n "$(address_of "$1")" ] || inside "$1" sh -c 'cat >/tmp/script && chmod 755 /tmp/script && /bin/busybox udhcpc -i eth0 -n -q -t 10 -T 1 -s /tmp/script >/dev/null 2>&1' <<'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev "$interface"
ip route add default via "$router"
END
    address_of "$1"
}
master_of() { # CONTAINER: the bridge that its NIC leads to
    ip -o link show dev "$(port_of "$1")" | grep -oE 'master [^ ]*' | cut -d' ' -f2
}
asked() { # whether the address is one of the DHCP server's, the neighbour answers, and status shows it
    [ "$(master_of "$1")" = "$LAN" ] || { echo away; return; }
    address=$(asks "$1")
    case $address in
    "$NET.20"[0-9]) where=theirs ;;
    *) where=$address ;;
    esac
    shown=$(fps status -o json | jq -r '.objects[] | select(.kind == "container" and .name == "t/two") | .addresses[0]')
    inside "$1" timeout 2 wget -q -O - "http://$NET.1/cgi-bin/who" 2>/dev/null | sed "s/^$address\$/$where/"
    [ "$shown" = "$address" ] || echo "but status shows $shown"
}
effect network.bridge 'master_of t/one' "$LAN" "$LAN.2" "$LAN" "$LAN"
effect network.range 'address_of t/one' "$NET.20" "$NET.100" "$NET.150" "$NET.20"
effect container.networks.dhcp 'asked t/two' "$NET.30" away theirs "$NET.30"
walk t/one live lan
is 'the host has its bridge as it was' "$(bridge_state)" "$before"

# ---- by macvlan: two parents, both with their other ends in the LAN ----

for link in p q; do
    ip link add "$LAN.$link" type veth peer name "$LAN.${link}2"
    ip link set "$LAN.${link}2" master "$LAN"
    no_advertisements "$LAN.$link"
    no_advertisements "$LAN.${link}2"
    ip link set "$LAN.$link" up
    ip link set "$LAN.${link}2" up
done
state_of_parents() {
    { ip -d -o link show dev "$LAN.p"; ip -o addr show dev "$LAN.p"; } | sed -E 's/ tentative//; s/promiscuity [0-9]+//; s/allmulti [0-9]+//'
}
untouched=$(state_of_parents)
parent() { # NAME, ENTRIES of the network, NETWORKS of `one`
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks:
  lan: { parent: $LAN.$1, subnet: $NET.0/24$2 }
containers:
  one: { image: guest, networks: $3 }
  two: { image: guest, networks: { lan: { dhcp: true } } }
END
}
parent_without() { parent p '' '[]'; }
parent_set() { parent p ", gateway: $NET.1" "{ lan: { address: $NET.40 } }"; }
parent_changed() { parent q ", range: $NET.120-$NET.130" '[ lan ]'; }
parent_inside() { # CONTAINER: which parent, by its number on the host; its address, default route, and whether LAN answers
    local number
    number=$(inside "$1" cat /sys/class/net/eth0/iflink 2>/dev/null) || { echo none; return; }
    echo "$(ip -o link | awk -F': ' -v want="$number" '$1 == want { sub(/@.*/, "", $2); print $2 }')" "$(address_of "$1")" \
        "$(inside "$1" ip route | awk '$1 == "default" { print $3 }')" \
        "$(inside "$1" timeout 2 wget -q -O - "http://$NET.1/cgi-bin/who" 2>/dev/null)" | xargs
}
effect network.parent 'parent_inside t/one' none "$LAN.p $NET.40 $NET.1 $NET.40" "$LAN.q $NET.120 $NET.120" none
walk t/one live parent
spec parent < <(parent p ", gateway: $NET.1" "{ lan: { address: $NET.41 } }")
converge 'containers start with a macvlan'
is 'one with its address' "$(parent_inside t/one)" "$LAN.p $NET.41 $NET.1 $NET.41"
like 'one that asks' "$(asks t/two; fps status)" "t/two .* $NET\.20[0-9]"
init=$(started t/one)
nsenter -t "${init% *}" -n ip link del eth0
converge 'one that was deleted is made again'
is 'as it was' "$(parent_inside t/one)" "$LAN.p $NET.41 $NET.1 $NET.41"
is 'and the init stays' "$(started t/one)" "$init"
check 'down' fps down -y --timeout 0 -f "$SPEC/parent.yaml"
is 'nothing is left' "$(leftovers)$(ip -o link show type macvlan)" ''
is 'the parent is as it was' "$(state_of_parents)" "$untouched"
for link in p q; do ip link del "$LAN.$link"; done

# ---- started there, and not there ----

spec lan < <(lan "$LAN" ", range: $NET.100-$NET.120, gateway: $NET.1" '' ', dhcp: true')
converge 'containers start in the LAN'
is 'a leased one' "$(address_of t/one)" "$NET.100"
is 'with the gateway of the LAN' "$(inside t/one ip route | awk '$1 == "default" { print $3 }')" "$NET.1"
is 'one that asks' "$(asked t/two)" theirs
is 'its MTU is the LAN’s' "$(inside t/one cat /sys/class/net/eth0/mtu)" 1400
is 'the host has its bridge as it was' "$(bridge_state)" "$before"
if [ -n "$six" ]; then
    address6() {
        inside t/two ip -6 -o addr show dev eth0 scope global | awk '{ sub("/.*", "", $4); print $4; exit }'
    }
    # Its kernel asked while the container started, and asks three times in eight seconds.
    answers6() {
        inside t/two ping -6 -c 1 -W 1 "fd02:$TAG6::1"
    }
    check 'one that asks is given an IPv6 address, too, and answered' eventually 20 answers6
    six=$(address6)
    like 'of the LAN' "$six" '^fd02:'
    like 'which status shows' "$(fps status -o json | jq -r '.objects[] | select(.kind == "container" and .name == "t/two") | .addresses[1]')" "^$six\$"
    is 'its default route is the LAN’s' "$(inside t/two ip -6 route | awk '$1 == "default" { print $3 }' | cut -c1-4)" fe80
    is 'that is as it should be' "$(actions_of "$(plan_of "$FILE")")" ''
    nsenter -t "$(pid_of t/two)" -n ip link add link eth0 name fake0 address 02:13:37:00:00:02 type macvlan 2>/dev/null
    is 'from another MAC address it is not heard' "$(inside t/two netprobe nd eth0 5 02:13:37:00:00:02 "$six" 136 "$six" 02:13:37:00:00:02; there ip -6 neigh show "$six" | grep -c 02:13:37)" 0
    nsenter -t "$(pid_of t/two)" -n ip link del fake0 2>/dev/null
    is 'who has an address of ours and no IPv6 is not heard' "$(inside t/one ping -6 -c 2 -W 1 "fd02:$TAG6::1" 2>&1 | grep -c ' bytes from')" 0
fi
inside t/one ip addr add "$NET.77/24" dev eth0
is 'an address that it was not given leads nowhere' "$(inside t/one timeout 1 ping -c 1 -W 1 -I "$NET.77" "$NET.1" >/dev/null 2>&1 || echo lost)" lost
like 'host ends carry the mark' "$(ip -d link show dev "$(port_of t/one)")" 'alias fpsync [0-9a-f]* t/one'
init=$(started t/one)
ip link set "$(port_of t/one)" nomaster
converge 'an interface that was taken off is put back'
is 'where it was' "$(master_of t/one)" "$LAN"
is 'and the init stays' "$(started t/one)" "$init"
spec gone <<END
project: u
images: { guest: { source: "file:$BUSYBOX" } }
networks: { lan: { bridge: no$TAG } }
containers: { one: { image: guest, networks: { lan: { dhcp: true } } } }
END
like 'a bridge that is not there holds' "$(held_of "$(plan_of "$FILE")")" "network/u/lan: the host has no bridge no$TAG"
check 'down' fps down -y --timeout 0 -f "$SPEC/lan.yaml"
is 'nothing is left' "$(leftovers)" ''
is 'the host has its bridge as it was' "$(bridge_state)" "$before"

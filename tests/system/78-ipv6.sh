#!/bin/bash
# IPv6 of own networks: what IPv4 has, from inside, from the host, from outside and against spoofing. See walk.sh.
. "$(dirname "$0")/walk.sh"

probe=$BUILD/tests/system/netprobe
outside=fps$TAG # a network namespace with a wire to this host
NET6=fd00:$TAG6          # of this test
OUT6=fd01:$TAG6::
after_cleanup() {
    ip link del "o$TAG" 2>/dev/null
    ip netns pids "$outside" 2>/dev/null | xargs -r kill 2>/dev/null
    ip netns del "$outside" 2>/dev/null
}
if [ ! -e /proc/sys/net/ipv6 ]; then
    skip 'IPv6' 'this kernel has none'
    exit 0
fi
ip netns add "$outside" && ip link add "o$TAG" type veth peer name eth0 netns "$outside" &&
    ip addr add "${OUT6}1/64" dev "o$TAG" nodad && ip addr add "${OUT6}3/64" dev "o$TAG" nodad && ip link set "o$TAG" up &&
    ip -n "$outside" addr add "${OUT6}2/64" dev eth0 nodad && ip -n "$outside" link set eth0 up && ip -n "$outside" link set lo up &&
    ip -n "$outside" route add default via "${OUT6}1" || exit 1
from_outside() {
    ip netns exec "$outside" "$@"
}
addresses6() { # of a container, without those of the link
    inside "$1" ip -6 -o addr show dev eth0 | awk '$4 !~ /^fe80/ { sub("/.*", "", $4); print $4 }' | paste -sd' '
}
serve() { # CONTAINER FIRST LAST
    inside "$1" sh -c "netstat -ltn | grep -q ':$3 ' || { netprobe serve-both $2 $3 >/dev/null 2>&1 & }"
    eventually 5 inside "$1" sh -c "netstat -ltn | grep -q ':$3 '"
}
reaches() { # CONTAINER ADDRESS
    inside "$1" ping -6 -c 1 -W 1 "$2" >/dev/null 2>&1 && echo yes || echo no
}

# ---- the fields ----

fields() { # ENTRIES of the network, of the attachment, ENTRIES of the container
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/24$1 } }
containers:
  one: { image: guest, networks: { front: { address: $NET.10$2 } }$3 }
END
}
six_without() { fields '' '' ''; }
six_set() { fields ", subnet6: \"$NET6:1::/64\"" ", address6: \"$NET6:1::10\"" ", ports: [ \"[${OUT6}3]:$PORT:7000\" ]"; }
six_changed() { fields ", subnet6: \"$NET6:2::/64\"" ", address6: \"$NET6:2::11\"" ", ports: [ \"[${OUT6}1]:$PORT:7000\" ]"; }
subnet_of_bridge() {
    ip -6 -o addr show dev "$(bridges)" | awk '$4 !~ /^fe80/ { print $4 }'
}
opens6() { # an address of the bridge's is not used before the kernel knows that nobody else has it
    local at
    serve t/one 7000 7009
    for at in "${OUT6}3" "${OUT6}1"; do eventually 3 "$probe" ask-tcp "$at" "$PORT" && echo "$at"; done
}
effect network.subnet6 subnet_of_bridge '' "$NET6:1::1/64" "$NET6:2::1/64" ''
effect container.networks.address6 'addresses6 t/one' '' "$NET6:1::10" "$NET6:2::11" ''
effect container.ports.address opens6 '' "${OUT6}3" "${OUT6}1" ''
walk t/one live six

# ---- a network with both ----

both() { # MORE of front
    spec both <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks:
  front: { subnet: $NET.0/25, subnet6: auto$1 }
  back: { subnet: $NET.128/25, subnet6: "$NET6:3::/64" }
containers:
  one: { image: guest, networks: [ front ], ports: [ "$((PORT + 10))-$((PORT + 19)):$((PORT + 10))-$((PORT + 19))", "$((PORT + 20)):7005/tcp+udp" ] }
  two: { image: guest, networks: [ front ] }
  far: { image: guest, networks: { back: { address6: "$NET6:3::f" } } }
END
}
both ''
converge 'two networks with IPv6'
one=$(addresses6 t/one) two=$(addresses6 t/two)
like 'an address is leased in a subnet of this host alone' "$one" '^fd'
gateway=$(inside t/one ip -6 route | awk '/^default/ { print $3 }')
check 'the default route leads to the bridge' eventually 5 inside t/one ping -6 -c 1 -W 1 "$gateway" # the kernel looks for duplicates first
eventually 5 inside t/one ping -6 -c 1 -W 1 "$two" # and that of a guest is not heard before it does
is 'neighbours reach each other' "$(reaches t/one "$two")" yes
is 'by name, too' "$(inside t/one nslookup -type=aaaa two 2>/dev/null | awk '/^Address: fd/ { print $2 }')" "$two"
is 'another network is not reached' "$(reaches t/far "$one")" no
is 'what is outside is' "$(reaches t/one "${OUT6}2")" yes
fps restart t/one >/dev/null 2>&1
is 'a restart keeps the address' "$(addresses6 t/one)" "$one"
eventually 5 inside t/one ping -6 -c 1 -W 1 "$gateway"

serve t/one $((PORT + 10)) $((PORT + 19))
serve t/one 7000 7009
is 'a range of IPv6 is one element' "$(nft -j list map ip6 "fpsync_$TAG" tcp_span | jq '[.nftables[] | .map? // empty | .elem | length] | add')" 1
for at in 10 15 19; do
    is "from outside port $at of it leads in with the client's address" "$(from_outside "$probe" ask-tcp "${OUT6}1" $((PORT + at)))" "${OUT6}2 $((PORT + at))"
done
is 'by UDP, too' "$(from_outside "$probe" ask-udp "${OUT6}1" $((PORT + 20)) x)" "${OUT6}2 7005"
is 'from the host, with its address' "$("$probe" ask-tcp "${OUT6}1" $((PORT + 15)))" "${OUT6}1 $((PORT + 15))"
is 'by UDP, too' "$("$probe" ask-udp "${OUT6}1" $((PORT + 20)) x)" "${OUT6}1 7005"
like 'from ::1 none can, and that is said at once' "$("$probe" ask-tcp ::1 $((PORT + 15)) 2>&1)" 'Connection refused'
is 'a guest reaches itself by the host' "$(inside t/one netprobe ask-tcp "${OUT6}1" $((PORT + 15)))" "$gateway $((PORT + 15))"
is 'its neighbour does' "$(inside t/two netprobe ask-tcp "${OUT6}1" $((PORT + 15)))" "$gateway $((PORT + 15))"
is 'one of another network does, with its address' "$(inside t/far netprobe ask-tcp "${OUT6}1" $((PORT + 15)))" "$(short "$NET6:3::f") $((PORT + 15))"
is 'IPv4 is served beside it' "$("$probe" ask-tcp 127.0.0.1 $((PORT + 15)))" "$NET.1 $((PORT + 15))"
like 'ports says so' "$(fps ports)" "$((PORT + 10))-$((PORT + 19))/tcp .* open on all addresses, IPv6 too, save ::1"

# ---- out, and back ----

serve_outside() {
    from_outside "$probe" serve-tcp 9000 9000 &
}
serve_outside
eventually 5 from_outside "$probe" ask-tcp ::1 9000
like 'what leaves has an address of the host' "$(inside t/one netprobe ask-tcp "${OUT6}2" 9000)" "^fd01:.*::[13] 9000$"
both ', nat: false'
converge 'routed'
ip -n "$outside" route replace default via "${OUT6}1"
is 'what leaves has its own address' "$(inside t/one netprobe ask-tcp "${OUT6}2" 9000)" "$one 9000"
both ', isolated: true'
converge 'isolated'
is 'nothing leaves' "$(reaches t/one "${OUT6}2") $(inside t/one netprobe ask-tcp "${OUT6}2" 9000 2>/dev/null)" 'no '
is 'neighbours still reach each other' "$(reaches t/one "$two")" yes
both ''
converge 'and back'

# ---- drift ----

drifted() { # TEXT COMMAND...
    local text=$1
    shift
    "$@"
    isnt "$text is seen" "$(actions_of "$(plan_of "$FILE")")" ''
    converge "$text is repaired"
}
nic() {
    nsenter -t "$(pid_of "$1")" -n ip -6 "${@:2}"
}
drifted 'a lost address' nic t/one addr del "$one/64" dev eth0
is 'it is back' "$(addresses6 t/one)" "$one"
drifted 'a lost route' nic t/one route del default
is 'outside is reached again' "$(reaches t/one "${OUT6}2")" yes
front=$(ip -6 -o addr | awk -v at="$gateway/64" '$4 == at { print $2 }')
drifted 'a lost address of the bridge' ip -6 addr del "$gateway/64" dev "$front"
drifted 'forwarding turned off' sh -c "echo 0 >/proc/sys/net/ipv6/conf/$front/forwarding"
drifted 'a lost table' nft delete table ip6 "fpsync_$TAG"
drifted 'a lost guard' nft flush set bridge "fpsync_$TAG" guards6
is 'all is reached as before' "$(reaches t/one "$two") $("$probe" ask-tcp "${OUT6}1" $((PORT + 15)))" "yes ${OUT6}1 $((PORT + 15))"

# ---- spoofing ----

nic t/two addr add "$gateway/64" dev eth0 nodad
nic t/two addr add "${one%::*}::99/64" dev eth0 nodad 2>/dev/null
is 'an address that a guest gives itself is of no use' "$(inside t/two ping -6 -I "${one%::*}::99" -c 1 -W 1 "$one" 2>&1 | grep -c ' 0% packet loss')" 0
nsenter -t "$(pid_of t/one)" -n ip -6 neigh flush dev eth0
is "nobody answers for the bridge's" "$(reaches t/one "$gateway") $(nic t/one neigh show "$gateway" | awk '{ print $5 }')" "yes $(cat "/sys/class/net/$front/address")"

fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1

# ---- what the host has already ----

claimed() { # SUBNET6, HOST-PORT, MORE of the port
    spec claimed <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/25, subnet6: "$1" } }
containers: { one: { image: guest, networks: [ front ], ports: [ { host: $2, guest: 7000$3 } ] } }
END
}
ip -6 route add "$NET6:8::/48" dev "o$TAG"
claimed "$NET6:8::/64" $PORT ''
held 'a subnet6 below a route of the host' "subnet6 $(short "$NET6:8::")?.* overlaps the host's route .*/48 by o$TAG" 'choose another subnet6'
claimed "$NET6:9::/64" $PORT ''
converge 'one beside it'
claimed "$NET6:8::/64" $PORT ''
held 'moved below it' "overlaps the host's route .*/48 by o$TAG" 'choose another subnet6'
claimed "$NET6:9::/64" $PORT ''
converge 'and back'
ip -6 route del "$NET6:8::/48" dev "o$TAG"
"$probe" serve-tcp6 "${OUT6}1" $((PORT + 30)) &
listener=$!
eventually 5 "$probe" ask-tcp "${OUT6}1" $((PORT + 30))
claimed "$NET6:9::/64" $((PORT + 30)) ''
held 'a port that a program listens on by IPv6 alone' "netprobe .* listens there on the host" 'take: true'
claimed "$NET6:9::/64" $((PORT + 30)) ", address: $NET.1"
converge 'of IPv4 it is free'
claimed "$NET6:9::/64" $((PORT + 30)) ", address: \"${OUT6}3\""
converge 'and of another address'
claimed "$NET6:9::/64" $((PORT + 30)) ", address: \"${OUT6}1\""
held 'of that one it is not' "netprobe .* listens there on the host" 'take: true'
claimed "$NET6:9::/64" $((PORT + 30)) ", address: \"${OUT6}1\", take: true"
converge 'it is taken'
serve t/one 7000 7000
eventually 10 from_outside "$probe" ask-tcp "${OUT6}1" $((PORT + 30)) # a link that came up just now drops the first packets
is 'and led in' "$(from_outside "$probe" ask-tcp "${OUT6}1" $((PORT + 30)))" "${OUT6}2 7000"
kill $listener
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1

# ---- replicas, shifted ranges, another project ----

spread() { # COUNT
    spec spread <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/25, subnet6: "$NET6:a::/64", allow: [ u ] } }
containers:
  web: { image: guest, replicas: $1, networks: [ front ], ports: [ "$((PORT + 40)):7000", "$((PORT + 50))-$((PORT + 54)):7000-7004" ] }
END
}
serve_five() { # CONTAINER
    local name=$1
    inside "$name" sh -c "netstat -ltn | grep -q ':7000 ' || { netprobe serve-both 7000 7004 >/dev/null 2>&1 & }"
    eventually 5 inside "$name" sh -c "netstat -ltn | grep -q ':7004 '"
}
spread 2
sed -i 's/, "[0-9]*-[0-9]*:7000-7004"//' "$FILE"
converge 'two replicas'
for i in 1 2; do serve_five t/web-$i; done
eventually 5 "$probe" ask-tcp "${OUT6}1" $((PORT + 40))
hits() { # CONTAINER: segments of connections that came in
    inside "$1" awk '$1 == "Ip6InReceives" { print $2 }' /proc/net/snmp6
}
first=$(hits t/web-1) second=$(hits t/web-2)
for i in $(seq 40); do "$probe" ask-tcp "${OUT6}1" $((PORT + 40)) >/dev/null; done
check 'both get what comes in by IPv6' test $(($(hits t/web-1) - first)) -gt 20 -a $(($(hits t/web-2) - second)) -gt 20
spec shifted <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/25, subnet6: "$NET6:a::/64", allow: [ u ] } }
containers:
  web: { image: guest, networks: [ front ], ports: [ "$((PORT + 50))-$((PORT + 54)):7000-7004/tcp+udp" ] }
END
fps down -y --timeout 0 -f "$SPEC/spread.yaml" >/dev/null 2>&1
converge 'a shifted range'
serve_five t/web
eventually 5 from_outside "$probe" ask-tcp "${OUT6}1" $((PORT + 50))
for at in 0 2 4; do
    is "port $at of a shifted range leads to its own" "$(from_outside "$probe" ask-tcp "${OUT6}1" $((PORT + 50 + at))), $(from_outside "$probe" ask-udp "${OUT6}1" $((PORT + 50 + at)) x)" "${OUT6}2 $((7000 + at)), ${OUT6}2 $((7000 + at))"
done
spec guest <<END
project: u
containers: { far: { image: t/guest, networks: [ t/front ] } }
END
converge 'a container of another project that is allowed'
web=$(addresses6 t/web)
check 'reaches its neighbours by IPv6' eventually 5 inside u/far ping -6 -c 1 -W 1 "$web"
is 'and finds them by name' "$(inside u/far nslookup -type=aaaa web.t 2>/dev/null | awk '/^Address: fd/ { print $2 }')" "$web"
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps down -y --timeout 0 -f "$SPEC/shifted.yaml" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
is 'nothing is left' "$(leftovers)" ''

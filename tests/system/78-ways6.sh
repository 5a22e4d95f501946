#!/bin/bash
# Ways out of own networks by IPv6: who leads out, under which address, and what a router passes on. As 77-networks.sh
# does for IPv4. See walk.sh.
. "$(dirname "$0")/walk.sh"

probe=$BUILD/tests/system/netprobe
OUTSIDE=ows$TAG
NET6=fd00:$TAG6
OUT6=fd01:$TAG6::
after_cleanup() {
    ip link del "$OUTSIDE" 2>/dev/null
    ip netns pids "$OUTSIDE" 2>/dev/null | xargs -r kill 2>/dev/null
    ip netns del "$OUTSIDE" 2>/dev/null
}
if [ ! -e /proc/sys/net/ipv6 ]; then
    skip 'ways by IPv6' 'this kernel has none'
    exit 0
fi
outside() {
    ip netns exec "$OUTSIDE" "$@"
}
ip netns add "$OUTSIDE" && ip link add "$OUTSIDE" type veth peer name eth0 netns "$OUTSIDE" || exit 1
ip addr add "${OUT6}1/64" dev "$OUTSIDE" nodad
for n in 3 4; do ip addr add "$OUT6$n/64" dev "$OUTSIDE" nodad preferred_lft 0; done # not chosen by the kernel
ip link set "$OUTSIDE" up
outside ip addr add "${OUT6}2/64" dev eth0 nodad
outside ip link set eth0 up
outside ip link set lo up
outside ip route add "$NET6::/32" via "${OUT6}1"
outside "$probe" serve-tcp 9000 9000 >/dev/null 2>&1 &
check 'the outside answers' eventually 10 "$probe" ask-tcp "${OUT6}2" 9000

seen_as() { # CONTAINER: by the outside
    inside "$1" netprobe ask-tcp "${OUT6}2" 9000 2>/dev/null | cut -d' ' -f1
}
default_of() { # CONTAINER: its default routes
    inside "$1" ip -6 route | awk '$1 == "default" { print $3, $5 }' | paste -sd' '
}
forwards() {
    inside "$1" cat /proc/sys/net/ipv6/conf/all/forwarding
}
nic() {
    nsenter -t "$(pid_of "$1")" -n ip -6 "${@:2}"
}

# `edge` is between the two networks; `one` is in both, `two` only in the inner one, and asks a server in the outer.
led() { # ENTRIES of the inner network, of the outer, of the places of `one`, of `edge`
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks:
  inner: { subnet: $NET.0/26, subnet6: "$NET6:1::/64"$1 }
  outer: { subnet: $NET.64/26, subnet6: "$NET6:2::/64"$2 }
containers:
  edge: { image: guest, networks: { inner: { address6: "$NET6:1::5" }, outer: { address6: "$NET6:2::5" } }$4 }
  one: { image: guest, networks: [ { network: outer }, { network: inner$3 } ] }
  two: { image: guest, networks: { inner: { address6: "$NET6:1::2" } } }
  far: { image: guest, networks: { outer: { address6: "$NET6:2::f" } } }
END
}
led_without() { led '' '' '' ''; }
led_set() { led ", gateway6: edge, nat_address6: ${OUT6}3" ', gateway: edge' ', default_route: true' ', router: true'; }
led_changed() { led ', gateway6: none' ", gateway6: \"$NET6:2::5\", nat_address6: \"${OUT6}4\"" '' ', router: false'; }
passes() { # whether `two` reaches `far` by the edge, under its own address
    local answer
    inside t/far sh -c "netstat -ltn | grep -q ':9001 ' || { netprobe serve-tcp 9001 9001 >/dev/null 2>&1 & }"
    eventually 5 inside t/far netprobe ask-tcp ::1 9001
    nic t/two route replace "$NET6:2::/64" via "$NET6:1::5" dev eth0
    nic t/far route replace "$NET6:1::/64" via "$NET6:2::5" dev eth0
    answer=$(inside t/two netprobe ask-tcp "$NET6:2::f" 9001 2>/dev/null)
    nic t/two route del "$NET6:2::/64" dev eth0
    nic t/far route del "$NET6:1::/64" dev eth0
    [ "$answer" = "$(short "$NET6:1::2") 9001" ] && echo yes || echo no
}
passes_on() { # an address is not used before the kernel knows that nobody else has it
    [ "$(passes)" = yes ]
}
in1=$(short "$NET6:1::1") in5=$(short "$NET6:1::5") out1=$(short "$NET6:2::1") out5=$(short "$NET6:2::5")
effect network.gateway6 'default_of t/two' "$in1 eth0" "$in5 eth0" '' "$in1 eth0"
effect network.gateway 'default_of t/far' "$out1 eth0" "$out5 eth0" "$out5 eth0" "$out1 eth0"
effect container.networks.default_route 'default_of t/one' "$out1 eth0" "$in5 eth1" "$out5 eth0" "$out1 eth0"
effect container.router 'forwards t/edge' 0 1 0 0
effect container.router 'passes t/edge' no yes no no
effect container.router 'default_of t/edge' "$in1 eth0" '' - "$in1 eth0"
walk t/edge live led

# ---- under which address ----

named() { # ENTRIES of the network
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/26, subnet6: "$NET6:3::/64"$1 } }
containers: { one: { image: guest, networks: { front: { address6: "$NET6:3::a" } } } }
END
}
named_without() { named ''; }
named_set() { named ", nat_address6: \"${OUT6}3\""; }
named_changed() { named ", nat_address6: \"${OUT6}4\""; }
awaited() { # an address is not used before the kernel knows that nobody else has it
    eventually 5 inside t/one netprobe ask-tcp "${OUT6}2" 9000
    seen_as t/one
}
effect network.nat_address6 awaited "$(short "${OUT6}1")" "$(short "${OUT6}3")" "$(short "${OUT6}4")" "$(short "${OUT6}1")"
walk t/one - named

# ---- what another hand changes ----

spec led < <(led ', gateway: edge' ", nat_address6: \"${OUT6}3\"" '' ', router: true')
converge 'a router and who goes by it'
before=$(started t/edge)
is 'a container leads both families' "$(default_of t/two)" "$in5 eth0"
check 'it passes on' eventually 5 passes_on
inside t/edge sh -c 'echo 0 >/proc/sys/net/ipv6/conf/all/forwarding'
converge 'its forwarding turned off from inside'
like 'that is told' "$(causes_of "$PLAN")" 'drift: forwarding of IPv6 by eth[01] turned off'
is 'it forwards again' "$(forwards t/edge)" 1
inside t/edge sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth1/forwarding'
converge 'that of one interface alone'
check 'it passes on' eventually 5 passes_on
nic t/two route replace default via "$NET6:1::1" dev eth0
converge 'a default route led elsewhere'
is 'it is where it was' "$(default_of t/two)" "$in5 eth0"
nic t/two route add default via "$NET6:1::1" dev eth0 table 100
is 'one of another table is the guest'"'"'s own' "$(actions_of "$(plan_of "$FILE")")" ''
nic t/two route replace default via "$NET6:1::5" dev eth0 table 100
nic t/two route del default via "$NET6:1::5" dev eth0
converge 'a default route that is in another table alone'
is 'it is in the main one' "$(nic t/two route show default | awk '{ print $3, $5 }')" "$in5 eth0"
nft flush map ip6 "fpsync_$TAG" sources
converge 'the address to leave under taken away'
is 'it leaves under it again' "$(seen_as t/far)" "$(short "${OUT6}3")"
fps restart --timeout 0 t/edge >/dev/null 2>&1
is 'a router that starts forwards' "$(forwards t/edge)" 1
check 'and passes on' eventually 5 passes_on
is 'the plan is empty' "$(actions_of "$(plan_of "$FILE")")" ''
spec led < <(led ', gateway6: none' ', gateway6: none' '' '')
converge 'no way out'
is 'there is none' "$(default_of t/one)$(default_of t/edge)" ''
nic t/one route add default via "$NET6:1::5" dev eth1
converge 'a default route added'
is 'it is gone' "$(default_of t/one)" ''
nic t/one route add default via "$NET6:1::5" dev eth1 table 100
is 'one of another table stays' "$(actions_of "$(plan_of "$FILE")")" ''
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'nothing is left' "$(leftovers)" ''

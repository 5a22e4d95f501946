#!/bin/bash
# Networks of our own, seen by somebody outside of the host: how they leave it, and whether they do. The outside is a
# network namespace that answers with the address by which it was asked, and routes back to every network.
. "$(dirname "$0")/walk.sh"

OUTSIDE=out$TAG
OUT=198.18.$((0x${TAG:0:2})).$((0x${TAG:2:2} & 0xf8)) # /29
out() { # N: an address of it
    echo "${OUT%.*}.$((${OUT##*.} + $1))"
}
after_cleanup() {
    ip link del "$OUTSIDE" 2>/dev/null
    ip netns pids "$OUTSIDE" 2>/dev/null | xargs -r kill 2>/dev/null
    ip netns del "$OUTSIDE" 2>/dev/null
}
outside() {
    ip netns exec "$OUTSIDE" "$@"
}
serve() { # COMMAND...: one that stays; it is a job of this script, which ends it
    "$@" >/dev/null 2>&1 &
}
ip netns add "$OUTSIDE"
ip link add "$OUTSIDE" type veth peer name eth0 netns "$OUTSIDE"
for n in 1 3 4; do ip addr add "$(out $n)/29" dev "$OUTSIDE"; done
ip link set "$OUTSIDE" up
outside ip addr add "$(out 2)/29" dev eth0
outside ip link set eth0 up
outside ip link set lo up
outside ip route add "$NET.0/24" via "$(out 1)"
serve outside "$BUSYBOX/bin/busybox" httpd -f -p 80 -h "$BUSYBOX/www"
serve "$BUSYBOX/bin/busybox" httpd -f -p "$(out 1):$PORT" -h "$BUSYBOX/www"
check 'the outside answers' eventually 10 page "http://$(out 2)/"
check 'the host answers' eventually 10 page "http://$(out 1):$PORT/"

ask() { # CONTAINER URL
    inside "$1" timeout 2 wget -q -O - "$2" 2>/dev/null
}
seen_as() { # CONTAINER: by the outside
    ask "$1" "http://$(out 2)/cgi-bin/who"
}
reaches() { # what of a world around CONTAINER answers
    local name=$1
    ask "$name" "http://$(out 2)/" >/dev/null && echo outside
    ask "$name" "http://$(out 1):$PORT/" >/dev/null && echo host
    ask "$name" "http://$(out 1):$((PORT + 1))/" >/dev/null && echo forward
    ask "$name" 'http://mate.t/' >/dev/null && echo neighbour
    outside timeout 2 "$BUSYBOX/bin/busybox" wget -q -O - "http://$(out 1):$((PORT + 2))/" >/dev/null 2>&1 && echo published
    outside timeout 2 "$BUSYBOX/bin/busybox" wget -q -O - "http://$(address_of "$name")/" >/dev/null 2>&1 && echo routed
}
ways() { # ENTRIES of `plain`, of `named`, of `shut`
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks:
  plain: { subnet: $NET.0/26$1 }
  named: { subnet: $NET.64/26$2 }
  shut: { subnet: $NET.128/26$3 }
containers:
  one: { image: guest, networks: { plain: { address: $NET.10 } }, ports: [ "$((PORT + 1)):80" ] }
  two: { image: guest, networks: [ named ] }
  three: { image: guest, networks: [ shut ], ports: [ "$((PORT + 2)):80" ] }
  mate: { image: guest, networks: [ shut ] }
END
}
ways_without() { ways '' '' ''; }
ways_set() { ways ', nat: false' ", nat_address: $(out 3)" ', isolated: true'; }
ways_changed() { ways ', nat: true' ", nat_address: $(out 4)" ', isolated: false'; }
open='outside host forward neighbour published routed'
effect network.nat 'seen_as t/one' "$(out 1)" "$NET.10" "$(out 1)" "$(out 1)"
effect network.nat_address 'seen_as t/two' "$(out 1)" "$(out 3)" "$(out 4)" "$(out 1)"
effect network.isolated 'reached t/three' "$open" 'neighbour published' "$open" "$open"
reached() {
    reaches "$1" | paste -sd' '
}
walk t/one - ways

# ---- who leads out ----

# `edge` is between the two networks; `one` is in both, `two` only in the inner one, and asks a server in the outer.
led() { # ENTRIES of the inner network, of the outer, of the places of `one`, of `edge`
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks:
  inner: { subnet: $NET.0/26$1 }
  outer: { subnet: $NET.64/26$2 }
containers:
  edge: { image: guest, networks: { inner: { address: $NET.5 }, outer: { address: $NET.69 } }$4 }
  one: { image: guest, networks: [ { network: outer }, { network: inner$3 } ] }
  two: { image: guest, networks: [ inner ] }
  far: { image: guest, networks: { outer: { address: $NET.70 } } }
END
}
led_without() { led '' '' '' ''; }
led_set() { led ', gateway: edge' ", gateway: edge" ', default_route: true' ', router: true'; }
led_changed() { led ', gateway: none' ", gateway: $NET.69" ', default_route: false' ', router: false'; }
default_of() { # CONTAINER: its default routes
    inside "$1" ip route | awk '$1 == "default" { print $3, $5 }' | paste -sd' '
}
forwards() { # CONTAINER: in its namespace, and what it lets through from others
    inside "$1" cat /proc/sys/net/ipv4/ip_forward
}
passes() { # whether `two` reaches `far` by the edge, under its own address
    seen=$(ask t/two "http://$NET.70/cgi-bin/who")
    [ "$seen" = "$(address_of t/two)" ] && echo yes || echo no
}
effect network.gateway 'default_of t/two' "$NET.1 eth0" "$NET.5 eth0" '' "$NET.1 eth0"
effect container.networks.default_route 'default_of t/one' "$NET.65 eth0" "$NET.5 eth1" "$NET.69 eth0" "$NET.65 eth0"
effect container.router 'forwards t/edge' 0 1 0 0
effect container.router 'passes t/edge' no yes no no
effect container.router 'default_of t/edge' "$NET.1 eth0" '' "$NET.69 eth1" "$NET.1 eth0"
walk t/edge live led

# ---- whose ----

lent() { # ENTRIES of the network, of the volume
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { wide: { subnet: $NET.0/26$1 } }
volumes: { data: { $2 } }
containers: { one: { image: guest, networks: [ wide ], volumes: [ "data:/srv/data" ] } }
END
}
lent_without() { lent '' ''; }
lent_set() { lent ', allow: [ u ]' 'allow: [ u, v ]'; }
lent_changed() { lent ', allow: [ v ]' 'allow: [ v ]'; }
borrows() { # what another project may use: networks, volumes
    local what
    for what in 'networks: [ t/wide ]' 'networks: [], volumes: [ "t/data:/srv" ]'; do
        printf 'project: u\ncontainers: { one: { image: t/guest, %s } }\n' "$what" >"$ROOT/borrower.yaml"
        fps apply -y -f "$ROOT/borrower.yaml" >/dev/null 2>&1 && case $what in
        *wide*) ask u/one "http://$(address_of t/one)/" >/dev/null && echo network ;;
        *) inside u/one grep -q ' /srv ' /proc/mounts && echo volume ;;
        esac
        fps down -y --timeout 0 -f "$ROOT/borrower.yaml" >/dev/null 2>&1
    done | paste -sd' '
}
effect network.allow borrows '' 'network volume' '' ''
effect volume.allow borrows '' 'network volume' '' ''
walk t/one - lent

# ---- another address, none, and back ----

moved() { # NETWORKS
    printf 'project: t\nimages: { guest: { source: "file:%s" } }\nnetworks: { front: { subnet: %s.0/26 }, back: { subnet: %s.64/26 } }\n' "$BUSYBOX" "$NET" "$NET"
    echo "containers: { one: { image: guest, networks: $1 } }"
}
spec moved < <(moved "{ front: { address: $NET.10 } }")
converge 'a container to move'
init=$(started t/one) mac=$(mac_in t/one)
inside t/one ip route add 203.0.113.0/24 via "$NET.1"
spec moved < <(moved "{ front: { address: $NET.11 } }")
converge 'another address'
is 'it has that one alone' "$(addresses t/one)" "$NET.11"
is 'its routes stay, and one that somebody added' "$(inside t/one ip route | awk '/via/ { print $1, $3 }' | sort | paste -sd,)" \
    "203.0.113.0/24 $NET.1,default $NET.1"
spec moved < <(moved '[]')
converge 'no network'
is 'nothing but loopback' "$(inside t/one ls /sys/class/net | paste -sd' ')" lo
spec moved < <(moved '[ back, front ]')
converge 'two networks'
is 'the MAC address is the one before' "$(mac_in t/one eth1)" "$mac"
is 'and so is the address' "$(address_of t/one eth1)" "$NET.11"
is 'all without another init' "$(started t/one)" "$init"
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'nothing is left' "$(leftovers)" ''

# ---- what another hand changes ----

spec led < <(led ', gateway: edge' '' '' ', router: true')
converge 'a router and who goes by it'
before=$(started t/edge)
inside t/edge sh -c 'echo 0 >/proc/sys/net/ipv4/ip_forward'
converge 'its forwarding turned off from inside'
like 'that is told' "$(causes_of "$PLAN")" 'drift: forwarding of eth[01] turned off'
is 'it forwards again' "$(forwards t/edge)" 1
inside t/edge sh -c 'echo 0 >/proc/sys/net/ipv4/conf/eth1/forwarding'
converge 'that of one interface alone'
is 'it forwards again' "$(inside t/edge cat /proc/sys/net/ipv4/conf/eth1/forwarding)" 1
inside t/two ip route del default
converge 'a default route removed'
is 'it is back' "$(default_of t/two)" "$NET.5 eth0"
inside t/one ip route replace default via "$NET.5" dev eth1
converge 'a default route led elsewhere'
is 'it is where it was' "$(default_of t/one)" "$NET.65 eth0"
nft flush set ip "fpsync_$TAG" masqueraded
converge 'NAT taken away'
is 'who goes out has the host’s address' "$(seen_as t/far)" "$(out 1)"
nft flush set bridge "fpsync_$TAG" routers
converge 'the router’s freedom taken away'
is 'the init stays' "$(started t/edge)" "$before"
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1

# ---- a router whose first interface comes while it runs ----

late() { # ENTRIES of its container, of the network
    printf 'project: t\nimages: { guest: { source: "file:%s" } }\nnetworks: { late: { subnet: %s.0/26%s } }\ncontainers: { one: { image: guest%s } }\n' "$BUSYBOX" "$NET" "$2" "$1"
}
forwards6() { # CONTAINER
    inside "$1" cat /proc/sys/net/ipv6/conf/all/forwarding
}
spec late < <(late ', networks: []' '')
converge 'nobody’s router, in no network'
before=$(started t/one)
spec late < <(late ', networks: [ late ], router: true' '')
converge 'a network and a router at once'
is 'it forwards' "$(forwards t/one) $(forwards6 t/one)" '1 0'
spec late < <(late ', networks: []' ', subnet6: fd00:77::/64')
converge 'neither of them'
spec late < <(late ', networks: [ late ], router: true' ', subnet6: fd00:77::/64')
converge 'both, with IPv6'
is 'it forwards both' "$(forwards t/one) $(forwards6 t/one)" '1 1'
is 'all that live' "$(started t/one)" "$before"
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'nothing is left' "$(leftovers)" ''

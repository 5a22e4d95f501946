#!/bin/bash
# Forwards: ranges, both protocols, what is in their way, who comes in by them and under which address. See walk.sh.
. "$(dirname "$0")/walk.sh"

probe=$BUILD/tests/system/netprobe
outside=fps$TAG # a network namespace with a wire to this host
OUT=10.$((200 + 0x${TAG:0:2} % 55)).$((0x${TAG:2:2} % 250))
after_cleanup() {
    ip link del "o$TAG" 2>/dev/null
    ip netns pids "$outside" 2>/dev/null | xargs -r kill 2>/dev/null
    ip netns del "$outside" 2>/dev/null
}
ip netns add "$outside" && ip link add "o$TAG" type veth peer name eth0 netns "$outside" &&
    ip addr add "$OUT.1/24" dev "o$TAG" && ip link set "o$TAG" up &&
    ip -n "$outside" addr add "$OUT.2/24" dev eth0 && ip -n "$outside" link set eth0 up && ip -n "$outside" link set lo up &&
    ip -n "$outside" route add default via "$OUT.1" || exit 1
from_outside() {
    ip netns exec "$outside" "$@"
}
serve() { # CONTAINER FIRST LAST: answers there, once a start of its init
    inside "$1" sh -c "netstat -ltn | grep -q ':$3 ' || { netprobe serve-both $2 $3 >/dev/null 2>&1 & }"
    eventually 5 inside "$1" sh -c "netstat -ltn | grep -q ':$3 '"
}
answers() { # [udp] OFFSET...: the guest's ports (or offsets from $PORT) that the host's lead to, from outside
    local way=tcp at got
    for at in "$@"; do
        case $at in
        tcp | udp) way=$at && continue ;;
        esac
        if [ $way = tcp ]; then got=$(from_outside "$probe" ask-tcp "$OUT.1" $((PORT + at)) 2>/dev/null); else
            got=$(from_outside "$probe" ask-udp "$OUT.1" $((PORT + at)) hello 2>/dev/null)
        fi
        [ -n "$got" ] || continue
        got=${got#* }
        echo $((got >= PORT ? got - PORT : got))
    done | paste -sd' '
}
elements() { # of a map of forwards
    nft -j list map ip "fpsync_$TAG" "$1" 2>/dev/null | jq '[.nftables[] | .map? // empty | .elem // [] | length] | add // 0'
}

# ---- the fields ----

ports() { # PORTS
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/24 } }
containers:
  one: { image: guest, networks: { front: { address: $NET.10 } }$1 }
END
}
ports_without() { ports ''; }
ports_set() {
    ports ", ports: [ \"$((PORT + 100))-$((PORT + 1100)):$((PORT + 100))-$((PORT + 1100))\", \"$((PORT + 1200))-$((PORT + 1209)):7000-7009/tcp+udp\",
    { host: $((PORT + 1300)), guest: 7100, count: 3 }, { host: $((PORT + 1400)), guest: 7200, take: true } ]"
}
ports_changed() {
    ports ", ports: [ \"$((PORT + 100))-$((PORT + 600)):$((PORT + 100))-$((PORT + 600))\", \"$((PORT + 1200))-$((PORT + 1209)):7000-7009/udp\",
    { host: $((PORT + 1300)), guest: 7100, count: 2 }, { host: $((PORT + 1400)), guest: 7201 } ]"
}
"$probe" serve-tcp $((PORT + 1400)) $((PORT + 1400)) &
equal() {
    serve t/one $((PORT + 100)) $((PORT + 1100))
    answers 99 100 600 1100 1101
}
both() {
    serve t/one 7000 7300
    answers 1199 1200 1205 1209 1210 udp 1199 1200 1205 1209 1210
}
effect container.ports equal '' '100 600 1100' '100 600' ''
effect container.ports.protocol both '' '7000 7005 7009 7000 7005 7009' '7000 7005 7009' ''
effect container.ports.count 'answers 1300 1301 1302 1303' '' '7100 7101 7102' '7100 7101' ''
effect container.ports.take 'answers 1400' 1400 7200 7201 1400 # the host's own program, or the guest
walk t/one live ports

# ---- what a range costs ----

spec wide < <(ports ", ports: [ \"$((PORT + 100))-$((PORT + 1100)):$((PORT + 100))-$((PORT + 1100))\" ]")
converge 'a range of 1,001 ports'
is 'it is one element' "$(elements tcp_span) $(elements tcp_any) $(elements tcp_at)" '1 0 0'
is 'and no process: there are a resolver and a monitor, as before' "$(processes | grep -c .)" 2
is 'ports shows it as a range' "$(fps ports | sed -n 2p | tr -s ' ' | sed "s|, outside$||")" "$((PORT + 100))-$((PORT + 1100))/tcp t/one $NET.10:$((PORT + 100))-$((PORT + 1100)) open on all addresses to: host, containers"
serve t/one $((PORT + 100)) $((PORT + 1100))
is 'every port of it leads to its own number' "$(for at in {100..1100..50}; do answers $at; done | paste -sd' ')" "$(echo {100..1100..50})"

# One client, one port of its own, two addresses of the host: the second must not be led to a neighbouring port.
ip addr add "$OUT.3/32" dev "o$TAG"
from_outside "$probe" ask-tcp "$OUT.1" $((PORT + 500)) 45000 >/dev/null 2>&1
isnt 'a client whose own port is taken is not led to another port' \
    "$(from_outside "$probe" ask-tcp "$OUT.3" $((PORT + 500)) 45000 2>/dev/null | grep -v " $((PORT + 500))$" || echo none)" ''

nft delete element ip "fpsync_$TAG" tcp_span "{ 0.0.0.0/0 . $((PORT + 100))-$((PORT + 1100)) }"
is 'a missing range is drift' "$(causes_of "$(plan_of "$FILE")" | cut -d' ' -f1-5)" "drift: forward $((PORT + 100))-$((PORT + 1100))/tcp removed -"
like 'ports says so, too' "$(fps ports)" "$((PORT + 100))-$((PORT + 1100))/tcp .* closed: its forward is missing"
converge 'and is put back'
is 'as one element' "$(elements tcp_span)" 1

# ---- what is in the way ----

"$probe" serve-tcp $((PORT + 1150)) $((PORT + 1150)) &
listener=$!
spec wide < <(ports ", ports: [ \"$((PORT + 100))-$((PORT + 1199)):$((PORT + 100))-$((PORT + 1199))\" ]")
held=$(held_of "$(plan_of "$FILE")")
like 'a program that listens inside a range holds it' "$held" "port $((PORT + 100))-$((PORT + 1199))/tcp: netprobe \($listener\) listens there on the host"
spec wide < <(ports ", ports: [ { host: $((PORT + 100)), guest: $((PORT + 100)), count: 1100, take: true } ]")
converge 'take: true forwards it all the same'
serve t/one $((PORT + 1101)) $((PORT + 1199))
is 'and the guest answers instead of the program' "$(from_outside "$probe" ask-tcp "$OUT.1" $((PORT + 1150)))" "$OUT.2 $((PORT + 1150))"

printf 'project: u\nimages: { guest: { source: "file:%s" } }\ncontainers: { one: { image: guest, ports: [ "%s:80" ] } }\n' \
    "$BUSYBOX" "$OUT.1:$((PORT + 700))" >"$ROOT/other.yaml"
fails 'another source cannot claim a port inside the range' 6 fps plan -f "$ROOT/other.yaml"
sed -i "s/$((PORT + 700)):80/$((PORT + 1200)):80/" "$ROOT/other.yaml"
fails 'a port behind it is free' 2 fps plan -f "$ROOT/other.yaml"

# ---- who comes in, and as whom ----

spec set <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/25 }, back: { subnet: $NET.128/25 } }
containers:
  one: { image: guest, networks: { front: { address: $NET.10 } }, ports: [ "$((PORT + 10))-$((PORT + 19)):$((PORT + 10))-$((PORT + 19))", "$((PORT + 20)):7005/tcp+udp" ] }
  two: { image: guest, networks: { front: { address: $NET.11 } } }
  far: { image: guest, networks: { back: { address: $NET.140 } } }
END
fps down -y --timeout 0 -f "$SPEC/wide.yaml" >/dev/null 2>&1
converge 'a set with a neighbour and a stranger'
serve t/one $((PORT + 10)) $((PORT + 19))
serve t/one 7000 7009
is 'from outside the client keeps its address' "$(from_outside "$probe" ask-tcp "$OUT.1" $((PORT + 15)))" "$OUT.2 $((PORT + 15))"
is 'by UDP, too' "$(from_outside "$probe" ask-udp "$OUT.1" $((PORT + 20)) x)" "$OUT.2 7005"
is 'from loopback it is the bridge' "$("$probe" ask-tcp 127.0.0.1 $((PORT + 15)))" "$NET.1 $((PORT + 15))"
is 'by UDP, too' "$("$probe" ask-udp 127.0.0.1 $((PORT + 20)) x)" "$NET.1 7005"
is 'by an address of the host it is that' "$("$probe" ask-tcp "$OUT.1" $((PORT + 15)))" "$OUT.1 $((PORT + 15))"
hairpin() { # TEXT
    is "$1: a guest reaches itself by the host's port" "$(inside t/one netprobe ask-tcp "$OUT.1" $((PORT + 15)))" "$NET.1 $((PORT + 15))"
    is "$1: by UDP" "$(inside t/one netprobe ask-udp "$OUT.1" $((PORT + 20)) x)" "$NET.1 7005"
    is "$1: its neighbour does" "$(inside t/two netprobe ask-tcp "$OUT.1" $((PORT + 15)))" "$NET.1 $((PORT + 15))"
    is "$1: by the bridge's address" "$(inside t/two netprobe ask-tcp "$NET.1" $((PORT + 15)))" "$NET.1 $((PORT + 15))"
    is "$1: one of another network does, with its address" "$(inside t/far netprobe ask-tcp "$OUT.1" $((PORT + 15)))" "$NET.140 $((PORT + 15))"
}
hairpin "bridge-nf $(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null || echo off)"

strays() { fps doctor -o json 2>/dev/null | jq -r '.checks[] | select(.check | test("files name|are gateways")) | .level' | paste -sd' '; }
is 'doctor has nothing to say of addresses and gateways' "$(strays)" 'ok ok'
spec set <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/25, gateway: two, nat_address: 203.0.113.76 } }
containers:
  one: { image: guest, networks: { front: { address: $NET.10 } }, ports: [ "203.0.113.77:$((PORT + 10)):7005", "$OUT.1:$((PORT + 11)):7005", "127.0.0.1:$((PORT + 12)):7005" ] }
  two: { image: guest, networks: { front: { address: $NET.11 } } }
END
converge 'addresses that are nowhere'
is 'the plan warned of each, and of the gateway' "$(jq -r '.warnings[].warning' <<<"$PLAN" | grep -oE '^[a-z_]+( [^ ]*)?: (the host does not have|container t/two is no router)' | paste -sd';')" \
    "nat_address: the host does not have;gateway: container t/two is no router;port 203.0.113.77:$((PORT + 10))/tcp: the host does not have"
is 'ports says which the host does not have' "$(fps ports | grep -c 'which the host does not have')" 1
like 'and of which port' "$(fps ports)" "203.0.113.77:$((PORT + 10))/tcp .* open on 203.0.113.77, which the host does not have"
is 'doctor tells of both' "$(strays)" 'warning warning'
like 'by name' "$(fps doctor 2>/dev/null)" 'container t/two is a gateway and no router'
like 'and address' "$(fps doctor 2>/dev/null)" 'the host does not have 203.0.113.7[67]'

fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
is 'nothing is left' "$(leftovers)" ''

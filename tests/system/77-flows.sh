#!/bin/bash
# UDP that goes on being sent follows the rules: to where a port leads now, whoever it led to before, and nowhere when it
# is taken away. Each client is one socket, which sends when it is told to, and never pauses long enough to be forgotten.
. "$(dirname "$0")/lib.sh"

probe=$BUILD/tests/system/netprobe
outside=fw$TAG # a network namespace with a wire to this host
wire=w$TAG
foreign=foreign_$TAG
OUT=198.18.$((0x$TAG % 250))
OUT6=fd99:0:0:$TAG
after_cleanup() {
    nft delete table inet "$foreign" 2>/dev/null
    ip netns pids "$outside" 2>/dev/null | xargs -r kill 2>/dev/null
    ip netns del "$outside" 2>/dev/null
    ip link del "$wire" 2>/dev/null
}
ip netns add "$outside" && ip link add "$wire" type veth peer name eth0 netns "$outside" &&
    ip addr add "$OUT.1/24" dev "$wire" && ip addr add "$OUT.9/24" dev "$wire" && ip link set "$wire" up &&
    ip addr add "$OUT6::1/64" dev "$wire" nodad &&
    ip -n "$outside" addr add "$OUT.2/24" dev eth0 && ip -n "$outside" addr add "$OUT6::2/64" dev eth0 nodad &&
    ip -n "$outside" link set eth0 up && ip -n "$outside" link set lo up || exit 1

declare -A sends hears
from=$((PORT % 10000 + 10000))
client() { # NAME ADDRESS PORT [COMMAND...]: outside, or where the command leads
    local name=$1 address=$2 port=$3 in out
    shift 3
    [ $# -gt 0 ] || set -- ip netns exec "$outside"
    mkfifo "$ROOT/$name.in" "$ROOT/$name.out"
    from=$((from + 1))
    "$@" "$probe" talk-udp "$address" "$port" $from <"$ROOT/$name.in" >"$ROOT/$name.out" &
    exec {in}>"$ROOT/$name.in" {out}<"$ROOT/$name.out"
    sends[$name]=$in hears[$name]=$out
}
say() { # CLIENT...: a datagram from each, and who answered
    local name line
    for name in "$@"; do
        echo datagram >&"${sends[$name]}"
        read -r -t 5 -u "${hears[$name]}" line || line=nothing
        echo "$line"
    done | paste -sd' '
}
serve() { # CONTAINER NAME PORT...: answers there with the name
    local container=$1 name=$2 port
    shift 2
    for port in "$@"; do
        inside "$container" sh -c "netprobe serve-udp $port $name >/dev/null 2>&1 &"
        eventually 5 inside "$container" sh -c "netstat -lun | grep -q ':$port '"
    done
    # The kernel uses no address of IPv6 before it has asked for it, and a link that came up just now drops the first packets,
    # where nobody sends a datagram again.
    eventually 10 answers6 "$container" "$port"
}
answers6() { # CONTAINER PORT
    local address
    address=$(inside "$1" ip -6 -o addr show dev eth0 | awk '$4 !~ /^fe80/ { sub("/.*", "", $4); print $4 }')
    "$probe" ask-udp "$address" "$2" hello >/dev/null
}
led() { # PORTS of a, PORTS of b
    spec led <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/24, subnet6: "fd00:$TAG6::/64" } }
containers:
  a: { image: guest, networks: { front: { address: $NET.10, address6: "fd00:$TAG6::10" } }, ports: [ $1 ] }
  b: { image: guest, networks: { front: { address: $NET.11, address6: "fd00:$TAG6::11" } }, ports: [ $2 ] }
END
}

led '' ''
converge 'two without a port' || exit
serve t/a a 5300 $PORT $((PORT + 100))
serve t/b b 5300 $PORT $((PORT + 100))
serve t/b other 5301

# ---- moved, taken away, given again ----

other="\"$PORT:5300/udp\""
client four $OUT.1 $PORT
client six $OUT6::1 $PORT
client own 127.0.0.1 $PORT env
client guest $OUT.1 $PORT nsenter -t "$(pid_of t/b)" -n
all='four six own guest'
is 'nobody answers who sends before there is a port' "$(say $all)" 'refused refused refused refused'
led "$other" ''
converge 'it leads to the first'
is 'the next datagrams arrive' "$(say $all)" 'a a a a'
is 'and those after them' "$(say $all)" 'a a a a'
led '' "$other"
converge 'it leads to the second'
is 'the next datagrams arrive there' "$(say $all)" 'b b b b'
led '' ''
converge 'it is taken away'
is 'the next datagrams are refused' "$(say $all)" 'refused refused refused refused'
led '' "$other"
converge 'it is there again'
is 'the next datagrams arrive again' "$(say $all)" 'b b b b'
led '' "\"$PORT:5301/udp\""
converge 'it leads to another port of the same'
is 'that one answers' "$(say $all)" 'other other other other'

# ---- ports in a row, ports of one address ----

row="\"$((PORT + 100))-$((PORT + 1100)):$((PORT + 100))-$((PORT + 1100))/udp\""
led "$row" ''
converge '1,001 ports in a row'
client row $OUT.1 $((PORT + 100))
client row6 $OUT6::1 $((PORT + 100))
is 'lead to the first' "$(say row row6)" 'a a'
led '' "$row"
converge 'and then to the second'
is 'which the next datagrams reach' "$(say row row6)" 'b b'
led "\"$OUT.1:$PORT:5300/udp\"" "\"$OUT.9:$PORT:5300/udp\""
converge 'a port of one address, and of another'
client one $OUT.1 $PORT
client nine $OUT.9 $PORT
is 'lead where each says' "$(say one nine)" 'a b'
led "\"$OUT.9:$PORT:5300/udp\"" "\"$OUT.1:$PORT:5300/udp\""
converge 'they change places'
is 'and so do the next datagrams' "$(say one nine)" 'b a'
led "\"$PORT:5300/udp\"" ''
converge 'a port of all addresses instead'
is 'takes both' "$(say one nine)" 'a a'

# ---- whoever keeps sending, and whoever keeps answering ----

same="\"$PORT:$PORT/udp\""
led "$same" ''
converge 'the same port on both sides'
ip netns exec "$outside" "$probe" stream-udp $OUT.1 $PORT $((from + 1)) 2 >"$ROOT/stream" &
last_is() {
    [ "$(tail -n 1 "$ROOT/stream")" = "$1" ]
}
check 'a stream of datagrams arrives' eventually 5 last_is a
for round in 1 2 3; do
    led '' "$same"
    converge "moved while it goes on, $round"
    check 'it arrives there' eventually 2 last_is b
    led "$same" ''
    converge 'and back'
    check 'it arrives there' eventually 2 last_is a
done
kill $!

# ---- what is others' stays ----

led "$other" ''
converge 'as it was'
nft -f - <<END
table inet $foreign {
    chain led {
        type nat hook prerouting priority dstnat - 5
        udp dport $((PORT + 50)) dnat ip to $NET.10:5300
    }
    chain marked {
        type filter hook prerouting priority 0
        ip daddr $OUT.2 udp dport $PORT ct mark set 0x$TAG
    }
}
END
client foreign $OUT.1 $((PORT + 50))
client through $OUT.2 $PORT nsenter -t "$(pid_of t/b)" -n
client host $OUT.1 $((PORT + 60))
"$probe" serve-udp $((PORT + 60)) host &
eventually 5 sh -c "ss -lun | grep -q ':$((PORT + 60)) '"
is "another's rule leads to the first, nobody answers elsewhere, the host does" "$(say foreign through host)" 'a refused host'
nft delete table inet "$foreign"
marked() {
    grep -c "mark=$((0x$TAG)) " /proc/net/nf_conntrack
}
is 'its flow is there' "$(marked)" 1
led '' "$other, { host: $((PORT + 60)), guest: 5300, protocol: udp, take: true }"
converge 'all of ours moves'
is 'ours is led there' "$(say four six)" 'b b'
is "what another's rule led goes on, and whom the host serves" "$(say foreign host)" 'a host'
is 'so does what passes through' "$(marked)" 1
client late $OUT.1 $((PORT + 60))
is 'whoever comes later is led' "$(say late)" b

# ---- another hand, and a run that ended too early ----

nft delete table ip "fpsync_$TAG"
client gap $OUT.1 $PORT
is 'no rules, no answer' "$(say gap)" refused
converge 'they are put back'
is 'its next datagram arrives' "$(say gap four)" 'b b'
# Where nobody translates, a flow would still be led once somebody does.
nft "add table inet $foreign; add chain inet $foreign led { type nat hook prerouting priority dstnat - 5; }"
nft delete table ip6 "fpsync_$TAG"
client gap6 $OUT6::1 $PORT
is 'no rules of IPv6, no answer by it' "$(say gap6)" refused
converge 'they are put back, too'
is 'its next datagram arrives' "$(say gap6 six)" 'b b'
nft delete table inet "$foreign"
old=$(base64 "$ROOT/run/fpsync/networks/flows")
nft -f - <<END
delete element ip fpsync_$TAG udp_any { $PORT }
add element ip fpsync_$TAG udp_any { $PORT : $NET.10 . 5300 }
END
rm "$ROOT/run/fpsync/networks/rules"
is 'the rules lead elsewhere, and its flow as before' "$(say gap)" b
led "$other" "{ host: $((PORT + 60)), guest: 5300, protocol: udp, take: true }"
converge 'the next run'
is 'ends it' "$(say gap)" a
isnt 'and has noted what it led' "$(base64 "$ROOT/run/fpsync/networks/flows")" "$old"

flows_of() { # ADDRESS: how many were led there
    grep -cE "^ipv4.* udp .* dport=$PORT .*src=$1 " /proc/net/nf_conntrack
}
isnt 'some are led to the first' "$(flows_of $NET.10)" 0
for family in ip ip6 bridge; do nft delete table "$family" "fpsync_$TAG"; done
rm "$ROOT/run/fpsync/networks/rules"
check 'down, where a run ended behind the rules' fps down -y --timeout 0 -f "$FILE"
is 'no flow is led there any more' "$(flows_of $NET.10)" 0
is 'and nothing says that there is one' "$(ls "$ROOT/run/fpsync/networks" 2>/dev/null)" ''
like 'doctor knows that the kernel tells of flows' "$(fps doctor 2>&1)" '^ok +a kernel that tells of the flows'

# ---- members of a set ----

set_of() { # REPLICAS
    spec led <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/24, subnet6: "fd00:$TAG6::/64" } }
containers:
  web: { image: guest, networks: [ front ], replicas: $1, ports: [ $other ] }
END
}
set_of 2
converge 'a set of two'
serve t/web-1 web-1 5300
serve t/web-2 web-2 5300
many=
for i in {1..12}; do
    client "m$i" $OUT.1 $PORT
    client "n$i" $OUT6::1 $PORT
    many="$many m$i n$i"
done
first=$(say $many)
is 'each answers some' "$(tr ' ' '\n' <<<"$first" | sort -u | paste -sd' ')" 'web-1 web-2'
set_of 3
converge 'one more'
is 'whoever was led goes on where he was' "$(say $many)" "$first"
serve t/web-3 web-3 5300
check 'one is stopped' fps stop t/web-1 --timeout 0
second=$(say $many)
is 'those whom it served are spread over the others' "$(tr ' ' '\n' <<<"$second" | sort -u | paste -sd' ')" 'web-2 web-3'
is 'and those of another stay with that' \
    "$(paste -d' ' <(tr ' ' '\n' <<<"$first") <(tr ' ' '\n' <<<"$second") | grep -c 'web-2 web-3')" 0
check 'another, too' fps stop t/web-2 --timeout 0
is 'the one that is left answers all' "$(say $many | tr ' ' '\n' | sort -u)" web-3
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'nobody answers after the last' "$(say four m1 n1)" 'refused refused refused'
is 'nothing is left' "$(leftovers)$(ls "$ROOT/run/fpsync/networks" 2>/dev/null)" ''

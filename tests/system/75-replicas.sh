#!/bin/bash
# Sets of equal containers: members with addresses, ids and layers of their own, one name that answers with all of them,
# and scaling that leaves alone whoever stays.
. "$(dirname "$0")/walk.sh"

web() { # REPLICAS [FURTHER FIELDS]: a set, or without a number a container, beside one that asks for it
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/24 } }
volumes: { data: {} }
containers:
  one: { image: guest, networks: [ front ] }
  web: { image: guest, networks: [ front ], volumes: [ "data:/srv/data" ]${1:+, replicas: $1}${2-} }
END
}
running() { # the containers of LXC that run, besides the one that asks
    lxc-ls -P "$ROOT/var/lib/lxc" --running -1 | sed -n "s/^t_\(web.*\)\.$TAG\$/\1/p" | sort | paste -sd' '
}
answers() { # NAME: the addresses that the asking guest gets
    inside t/one nslookup -type=a "$1" 2>/dev/null | awk '/^Name:/ { told = 1 } told && /^Address: / { print $2 }' | sort
}
addresses() { # CONTAINER...
    local name
    for name in "$@"; do address_of "$name"; done | sort
}
members() { # who runs, and of how many the guest hears
    echo "$(running): $(answers web.t.internal | grep -c .)"
}

# ---- the field ----

replicas_without() { web ''; }
replicas_set() { web 2; }
replicas_changed() { web 3; }
effect container.replicas members 'web: 1' 'web-1 web-2: 2' 'web-1 web-2 web-3: 3' 'web: 1'
walk t/one - replicas

# ---- each of its own ----

spec scaled < <(web 2)
converge 'a set of two'
is 'its name answers with both' "$(answers web)" "$(addresses t/web-1 t/web-2)"
is 'as do its longer ones' "$(answers web.t) $(answers web.t.internal)" "$(answers web) $(answers web)"
is 'each answers to its own' "$(answers web-1) $(answers web-2.t)" "$(address_of t/web-1) $(address_of t/web-2)"
is 'their addresses differ' "$(answers web | uniq | grep -c .)" 2
isnt 'so do their MACs' "$(mac_in t/web-1)" "$(mac_in t/web-2)"
isnt 'and their ids' "$(awk '{ print $2 }' "/proc/$(pid_of t/web-1)/uid_map")" "$(awk '{ print $2 }' "/proc/$(pid_of t/web-2)/uid_map")"
is 'each is called by its own name' "$(inside t/web-1 hostname) $(inside t/web-2 hostname)" 'web-1 web-2'
inside t/web-1 sh -c 'echo first >/root/own; echo shared >/srv/data/file'
is 'a layer is its own' "$(inside t/web-2 ls /root)" ''
is 'a volume is everybody'"'"'s' "$(inside t/web-2 cat /srv/data/file)" shared
is 'status shows each' "$(fps status -o json | jq -r '.. | objects | select(.kind? == "container") | .name' | sort -u | paste -sd' ')" 't/one t/web-1 t/web-2'
inside t/web-1 sh -c 'echo web-1 >/www/me' && inside t/web-2 sh -c 'echo web-2 >/www/me'
met() { # who answers a guest that asks the set by its name often: each query has its turn
    local i
    for i in {1..20}; do inside t/one wget -qO- "http://web/me"; done | sort -u | paste -sd' '
}
is 'who connects to the name meets all of them' "$(met)" 'web-1 web-2'

# ---- scaling ----

first=$(started t/web-1) second=$(started t/web-2) asks=$(started t/one) address=$(address_of t/web-2)
spec scaled < <(web 3)
converge 'three'
is 'one comes, and nothing else' "$(jq -r '[.actions[] | "\(.verb) \(.kind) \(.name)"] | join(", ")' <<<"$PLAN")" 'create container t/web-3'
is 'the name answers with three' "$(answers web)" "$(addresses t/web-1 t/web-2 t/web-3)"
spec scaled < <(web 1)
converge 'one'
is 'the highest go' "$(running)" web-1
is 'the name answers with one' "$(answers web)" "$(address_of t/web-1)"
is 'names that went are unknown' "$(answers web-3)" ''
is 'who stays was not touched' "$(started t/web-1) $(started t/one)" "$first $asks"
spec scaled < <(web 2)
converge 'two again'
is 'with its address' "$(address_of t/web-2)" "$address"
is 'and its layer' "$(inside t/web-2 cat /www/me)" web-2
isnt 'but started anew' "$(started t/web-2)" "$second"

# ---- drift and wishes ----

kill -KILL "$(pid_of t/web-2)"
eventually 10 test -z "$(pid_of t/web-2)"
converge 'one of them is killed'
is 'it alone is started' "$(jq -r '[.actions[] | "\(.verb) \(.name)"] | join(", ")' <<<"$PLAN")" 'start t/web-2'
is 'the other ran on' "$(started t/web-1)" "$first"
check 'one of them is stopped' fps stop t/web-2 --timeout 0
converge 'a stopped one stays so'
is 'a command in the set runs in one that is up' "$(fps exec t/web -- hostname)" web-1
is 'and its neighbour runs' "$(running)" web-1
check 'it is started again' fps start t/web-2
is 'both run' "$(running)" 'web-1 web-2'
check 'both are stopped by the name of the set' fps stop t/web --timeout 0
is 'none runs' "$(running)" ''
fails 'a command in it finds none' 1 fps exec t/web -- true
check 'and started' fps start t/web
is 'both run again' "$(running)" 'web-1 web-2'
is 'logs are of each' "$(fps logs t/web | grep '^==>' | paste -sd' ')" '==> t/web-1 <== ==> t/web-2 <=='
first=$(started t/web-1)

# ---- forwards ----

outside=q$TAG
hub=h$TAG
after_cleanup() {
    ip netns pids "$outside" 2>/dev/null | xargs -r kill 2>/dev/null
    ip netns del "$outside" 2>/dev/null
    ip link del "$hub" 2>/dev/null
}
OUT=198.19.$((0x$TAG % 250))
ip netns add "$outside" && ip link add "$hub" type veth peer name eth0 netns "$outside" &&
    ip addr add "$OUT.1/24" dev "$hub" && ip link set "$hub" up &&
    ip -n "$outside" addr add "$OUT.2/24" dev eth0 && ip -n "$outside" link set eth0 up && ip -n "$outside" link set lo up || exit 1
OUT6=fd98:0:0:$TAG
ip addr add "$OUT6::1/64" dev "$hub" nodad && ip -n "$outside" addr add "$OUT6::2/64" dev eth0 nodad || exit 1
ports=", ports: [ \"$PORT:80\", \"$((PORT + 1))-$((PORT + 3)):$((PORT + 1))-$((PORT + 3))\", \"$((PORT + 4)):7/udp\" ]"
drawn() { # PORT: who answers sixty connections from outside
    local i
    for i in {1..60}; do ip netns exec "$outside" curl -fsS -m 2 "http://$OUT.1:$1/me"; done 2>&1 | sort -u | paste -sd' '
}
serve() { # on the range of ports that leads to its own numbers
    local name
    for name in "$@"; do
        inside "t/$name" sh -c "echo $name >/www/me; netstat -ltn | grep -q ':$((PORT + 2)) ' || httpd -p $((PORT + 2)) -h /www"
    done
}
elements() { # of a map of forwards
    nft -j list map ip "fpsync_$TAG" "$1" 2>/dev/null | jq '[.nftables[] | .map? // empty | .elem // [] | length] | add // 0'
}
spec scaled < <(web 2 "$ports")
converge 'a port of the host for both'
is 'the inits stay' "$(started t/web-1)" "$first"
serve web-1 web-2
is 'connections are spread over them' "$(drawn $PORT)" 'web-1 web-2'
is 'those to a range of ports, too' "$(drawn $((PORT + 2)))" 'web-1 web-2'
is 'and datagrams' "$(for i in {1..40}; do ip netns exec "$outside" "$BUILD/tests/system/netprobe" ask-udp "$OUT.1" $((PORT + 4)) hello; done | grep -c .)" 40
is 'from the host itself, too' "$(for i in {1..60}; do curl -fsS -m 2 "http://127.0.0.1:$PORT/me"; done | sort -u | paste -sd' ')" 'web-1 web-2'
is 'and from a guest' "$(for i in {1..60}; do inside t/one wget -qO- "http://$OUT.1:$PORT/me"; done | sort -u | paste -sd' ')" 'web-1 web-2'
spec scaled < <(web 3 "$ports")
converge 'three behind a port'
serve web-3
is 'three answer' "$(drawn $PORT)" 'web-1 web-2 web-3'
check 'one of them is stopped' fps stop t/web-2 --timeout 0
is 'no connection leads to it from then on' "$(drawn $PORT)" 'web-1 web-3'
converge 'nothing is left for an apply'
is 'the others answer, and nothing is lost' "$(drawn $PORT)" 'web-1 web-3'
like 'ports says that it takes none' "$(fps ports)" "^$PORT/tcp +t/web-2 .*closed: the container does not run"
like 'and who does' "$(fps ports)" "^$PORT/tcp +t/web-3 +$(address_of t/web-3):80 +open"
check 'it is started again' fps start t/web-2
converge 'which brings it back'
serve web-2
is 'it answers again' "$(drawn $PORT)" 'web-1 web-2 web-3'
kill -KILL "$(pid_of t/web-3)"
eventually 10 test -z "$(pid_of t/web-3)"
converge 'one that is killed comes back'
serve web-3
is 'and answers' "$(drawn $PORT)" 'web-1 web-2 web-3'
nft delete element ip "fpsync_$TAG" tcp_share "{ 0.0.0.0/0 . $PORT . 0-21844 }"
like 'a share that somebody removed is drift' "$(fps plan -f "$FILE")" 'rules were changed by another hand'
converge 'and is put back'
is 'all of them are there' "$(elements tcp_share) $(elements tcp_share_span) $(elements udp_share)" '3 3 3'
spec scaled < <(web 3 "$ports" | sed "s|subnet: $NET.0/24|&, subnet6: auto|")
converge 'with IPv6'
is 'connections by IPv6 are spread, too' "$(for i in {1..60}; do ip netns exec "$outside" curl -gfsS -m 2 "http://[$OUT6::1]:$PORT/me"; done 2>&1 | sort -u | paste -sd' ')" 'web-1 web-2 web-3'
is 'by as many elements' "$(nft -j list map ip6 "fpsync_$TAG" tcp_share | jq '[.nftables[] | .map? // empty | .elem // [] | length] | add // 0')" 3
spec scaled < <(web 1 "$ports")
converge 'one behind a port'
is 'it alone answers' "$(drawn $PORT)" web-1
is 'by a forward like any other' "$(elements tcp_share) $(elements tcp_any)" '0 1'
is 'its init stayed all the time' "$(started t/web-1)" "$first"
spec scaled < <(web 2 "$ports, restart: never")
converge 'members that are not started again'
serve web-1 web-2
kill -KILL "$(pid_of t/web-2)"
eventually 10 test -z "$(pid_of t/web-2)"
converge 'one that is over'
is 'leaves the forward to the other' "$(drawn $PORT) $(elements tcp_any)" 'web-1 1'

# ---- order, targets, what is written out ----

{
    web 2 ', command: [ /bin/sleep, inf ]'
    echo '  last: { image: guest, networks: [], depends_on: [ web ] }'
} | sed "s/^  one: .*//" >"$SPEC/waits.yaml"
FILE=$SPEC/waits.yaml
fps down -y --timeout 0 -f "$SPEC/scaled.yaml" >/dev/null 2>&1
plan=$(fps plan -o json -f "$FILE")
is 'who waits for the set comes behind all of it' "$(jq -r '[.actions[] | select(.kind == "container") | .name] | join(" ")' <<<"$plan")" 't/web-1 t/web-2 t/last'
fps apply -y --target container/web -f "$FILE" >/dev/null 2>&1
is 'a target is the whole set' "$(running)" 'web-1 web-2'
converge 'all of it'
fps export >"$SPEC/exported.yaml"
is 'export writes the set' "$(grep -c 'replicas: 2' "$SPEC/exported.yaml") $(grep -c 'web-' "$SPEC/exported.yaml")" '1 0'
mv "$SPEC/exported.yaml" "$FILE"
is 'which says the same' "$(fps plan -o json -f "$FILE" | jq '.actions | length')" 0

fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
is 'nothing is left' "$(leftovers)" ''

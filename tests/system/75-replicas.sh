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
is 'and its neighbour runs' "$(running)" web-1
check 'it is started again' fps start t/web-2
is 'both run' "$(running)" 'web-1 web-2'

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

#!/bin/bash
# Beside the firewalls of others: what `fpsync ports` says of who gets in is what packets do, doctor names the rule, and
# the line that it advises lets them through. The host of this test is a network namespace of its own, so that no
# firewall here meets what else runs on the machine; strangers come from a second one.
if [ -z "${FIREWALLED-}" ] && [ "$(id -u)" -eq 0 ]; then
    host=fph$$
    ip netns add "$host" && ip -n "$host" link set lo up || exit 1
    FIREWALLED=$host nsenter --net="/run/netns/$host" unshare -m --propagation private bash "$0"
    status=$?
    ip netns pids "$host" | xargs -r kill 2>/dev/null
    ip netns del "$host"
    exit $status
fi
# liblxc looks for bridges below /sys, which has those of the namespace it was mounted in.
if [ "$(id -u)" -eq 0 ]; then
    sys=$(mktemp -d) && mount --rbind /sys "$sys" && umount -l /sys && mount -t sysfs none /sys || exit 1
    for below in fs/cgroup kernel/security; do # AppArmor's profiles are loaded by the latter
        ! mountpoint -q "$sys/$below" || mount --rbind "$sys/$below" "/sys/$below" || exit 1
    done
    umount -l "$sys" && rmdir "$sys"
fi
. "$(dirname "$0")/lib.sh"

probe=$BUILD/tests/system/netprobe
rules=$HERE/firewalls
outside=fpo$$
OUT=10.$((200 + 0x${TAG:0:2} % 55)).$((0x${TAG:2:2} % 250))
after_cleanup() {
    ip netns pids "$outside" 2>/dev/null | xargs -r kill 2>/dev/null
    ip netns del "$outside" 2>/dev/null
}
ip netns add "$outside" && ip link add up0 type veth peer name eth0 netns "$outside" &&
    ip addr add "$OUT.1/24" dev up0 && ip link set up0 up && ip route add default via "$OUT.2" &&
    ip -n "$outside" addr add "$OUT.2/24" dev eth0 && ip -n "$outside" link set eth0 up && ip -n "$outside" link set lo up &&
    ip -n "$outside" route add default via "$OUT.1" || exit 1
from_outside() {
    ip netns exec "$outside" "$@"
}
from_outside "$probe" serve-tcp 7 7 &

spec set <<END2
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/25 }, back: { subnet: $NET.128/25 } }
containers:
  one: { image: guest, networks: { front: { address: $NET.10 } }, ports: [ "$PORT:7000/tcp+udp" ] }
  two: { image: guest, networks: { front: { address: $NET.11 } } }
  far: { image: guest, networks: { back: { address: $NET.140 } } }
END2
converge 'containers in a namespace of its own'
inside t/one sh -c 'netprobe serve-both 7000 7000 >/dev/null 2>&1 &'
inside t/one sh -c 'netprobe serve-both 7001 7001 >/dev/null 2>&1 &'
eventually 5 inside t/one sh -c 'netstat -ltn | grep -q :7001'
front=$(ip -o addr | awk -v net="$NET.1/25" '$4 == net { print $2 }')

reaches() { # COMMAND...: open or blocked
    if "$@" >/dev/null 2>&1; then echo open; else echo blocked; fi
}
packets() { # what they do, from the host, a neighbour, a container of another network, outside
    local ask="ask-tcp $OUT.1 $PORT"
    # shellcheck disable=SC2086
    echo "host:$(reaches "$probe" $ask) front:$(reaches inside t/two netprobe $ask) back:$(reaches inside t/far netprobe $ask)" \
        "outside:$(reaches from_outside "$probe" $ask)"
}
said() { # the same by fpsync ports
    fps ports -o json | jq -r '.ports[0].ways | map(select(.protocol == "tcp" and .family == "ip")) |
        [("host", "t/front", "t/back", "up0") as $way | (map(select((.way // .from) == $way)) | first) |
         (if .from == "outside" then "outside" else (.way // .from) end | sub("t/"; "")) + ":" +
         (if .open == null then "unknown" elif .open then "open" else "blocked" end)] | join(" ")'
}
agree() { # TEXT, what ports is to say [, what packets do where that is not sure]
    is "$1: ports says who gets in" "$(said)" "$2"
    is "$1: so it is" "$(packets)" "${3-$2}"
}
all_open='host:open front:open back:open outside:open'
doctor() {
    fps doctor -o json 2>/dev/null | jq -r '.checks[] | select(.check | test("no firewall")) | select(.level != "ok") | "\(.cost) | \(.mend)"'
}
way_out() {
    reaches inside t/one netprobe ask-tcp "$OUT.2" 7
}
neighbours() {
    reaches inside t/two netprobe ask-tcp "$NET.10" 7001
}
follow() { # what doctor advises, line by line, until it finds nothing
    local round line
    for round in 1 2 3 4; do
        line=$(doctor | head -n 1)
        [ -n "$line" ] || return 0
        line=${line#* | }
        eval "${line##*, or: }" >/dev/null
    done
    [ -z "$(doctor)" ]
}

# ---- nobody's ----

agree 'no firewall' "$all_open"
is 'doctor finds nothing' "$(doctor)" ''
like 'ports says it in words' "$(fps ports)" "$PORT/tcp\+udp +t/one +$NET.10:7000 +open on all addresses to: host, containers, outside"

# ---- plain nft ----

nft -f - <<END2
table inet mine {
    set friends { type ipv4_addr; flags interval; elements = { 192.0.2.0/24 } }
    chain forward {
        type filter hook forward priority 10; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iifname vmap { "$front" : jump from_front }
        ip saddr @friends accept
    }
    chain from_front { oifname "up0" accept comment "the way out"; tcp dport 1-1023 reject; }
}
END2
agree 'a policy of drop' 'host:open front:blocked back:blocked outside:unknown' 'host:open front:blocked back:blocked outside:blocked'
like 'ports names the rule, and what may let some through' "$(fps ports)" \
    'from outside \(up0\): .*may end in table inet mine, chain forward: policy drop, unless accepted by table inet mine, chain forward, rule 3'
is 'a rule with a comment lets out' "$(way_out)" open
is 'bridge-nf parts neighbours' "$(neighbours)" blocked
like 'doctor names what ends forwards' "$(doctor)" 'port [0-9]+/tcp ends in table inet mine, chain forward: policy drop'
like 'and what containers of a network send each other' "$(doctor)" 'what containers of network t/back send each other ends in .*policy drop.*sysctl -w net.bridge.bridge-nf-call-iptables=0'
nft insert rule inet mine forward oifname "$front" tcp dport 7000 accept
nft add chain inet mine answers '{ type filter hook forward priority 11; }'
nft add rule inet mine answers ct direction reply oifname up0 reject
agree 'with a rule for the port, and one that ends answers to outside' 'host:open front:open back:open outside:blocked'
like 'ports says that it is the answer' "$(fps ports)" 'from outside \(up0\): what it answers ends in table inet mine, chain answers, rule 1'
check 'what doctor advises can be done' follow
agree 'with the lines that doctor advises' "$all_open"
is 'neighbours reach each other' "$(neighbours)" open
is 'and the way out is open' "$(way_out)" open
nft delete table inet mine

# What some packets leave, which of them cannot be known, does not pass for that: each of these ends those.
may_end() { # TEXT, RULES: what comes from outside passes, and that of somebody else would not
    nft -f - <<<"$2" || not_ok "$1: loads"
    agree "$1" 'host:open front:open back:open outside:unknown' "$all_open"
    nft list tables | grep -v "fpsync_$TAG" | while read -r _ family name; do
        nft delete table "$family" "$name"
    done
}
some='ip saddr 203.0.113.0/24'
hooked='type filter hook forward priority 0;'
may_end 'a return to a policy of drop' "table ip mine { chain f { $hooked policy drop; $some return; accept; }; }"
may_end 'a return to a drop' "table ip mine { chain c { $some return; accept; }; chain f { $hooked jump c; drop; }; }"
may_end 'a goto that comes to no end' "table ip mine {
    chain c { ip saddr 203.0.113.1 accept; }
    chain f { $hooked policy drop; $some goto c; accept; }
}"
may_end 'a return by a map' "table ip mine { chain f { $hooked policy drop; ip saddr vmap { 203.0.113.0/24 : return }; accept; }; }"
nft "table ip mine { chain c { iifname != up0 return; $some return; drop; }; chain f { $hooked jump c; }; }"
agree 'a return before a drop' 'host:open front:open back:open outside:unknown' 'host:open front:open back:open outside:blocked'
nft delete table ip mine
nft "table ip mine {
    chain marks { type filter hook forward priority -10; ct state new ct mark set 7; }
    chain f { $hooked oifname up0 ct mark 7 drop; }
}"
agree 'a mark of the connection that ends its answers' 'host:open front:open back:open outside:blocked'
nft delete table ip mine
nft "table ip mine { chain f { $hooked iifname up0 ct state established ct direction original drop; }; }"
agree 'what ends a connection that is there' 'host:open front:open back:open outside:blocked'
nft delete table ip mine
may_end 'no connections for some' "table ip raw { chain p { type filter hook prerouting priority raw; $some notrack; }; }"
may_end 'NAT of others before ours' "table ip mine {
    chain p { type nat hook prerouting priority -110; $some tcp dport $PORT dnat to 192.0.2.1:9; }
}"
iptables-nft -t raw -A PREROUTING -i up0 -p tcp --dport "$PORT" -j CT --notrack
agree 'no connections by iptables' 'host:open front:open back:open outside:unknown' 'host:open front:open back:open outside:blocked'
like 'ports names the rule' "$(fps ports)" 'from outside \(up0\): .*may end in table ip raw, chain PREROUTING, rule 1'
nft delete table ip raw
nft "table netdev mine { chain e { type filter hook egress device \"up0\" priority 0; tcp sport 1 drop; }; }"
agree 'rules where frames leave a device' 'host:open front:open back:open outside:unknown' "$all_open"
like 'ports names one' "$(fps ports)" 'may end in table netdev mine, chain e, rule 1'
nft delete table netdev mine
nft 'table bridge mine { chain f { type filter hook forward priority 0; tcp sport 1 drop; }; }'
agree 'rules of others in bridges' 'host:unknown front:unknown back:unknown outside:unknown' "$all_open"
like 'ports names one of them' "$(fps ports)" 'may end in table bridge mine, chain f, rule 1'
nft delete table bridge mine

# ---- the firewalls that there are ----

# Their rule sets as they write them (ufw 0.36.2, firewalld 1.3.3 and docker 20.10.24 of Debian 12), or, with
# FIREWALLS=ROOT, a Debian root where they are installed, themselves.
daemons=()
real() {
    chroot "$FIREWALLS" "$@"
}
load() {
    case $1${FIREWALLS:+-real} in
    docker) iptables-restore "$rules/docker.v4" ;;
    ufw) iptables-restore "$rules/ufw.v4" && ip6tables-restore "$rules/ufw.v6" ;;
    firewalld) nft -f "$rules/firewalld.nft" ;;
    docker-real)
        mount --rbind /sys/fs/cgroup "$FIREWALLS/sys/fs/cgroup"
        rm -f "$FIREWALLS/run/docker.pid"
        real dockerd --storage-driver=vfs --userland-proxy=false >"$ROOT/dockerd.log" 2>&1 &
        daemons+=($!)
        eventually 30 iptables -n -L DOCKER-USER && iptables -P FORWARD DROP # as on a host that did not forward before
        ;;
    ufw-real) real ufw --force enable ;;
    firewalld-real)
        real dbus-daemon --system --nofork --nopidfile >/dev/null 2>&1 &
        daemons+=($!)
        real firewalld --nofork --nopid >"$ROOT/firewalld.log" 2>&1 &
        daemons+=($!)
        eventually 30 real firewall-cmd --state
        ;;
    esac
}
unload() {
    [ ${#daemons[@]} -eq 0 ] || { kill "${daemons[@]}" && wait "${daemons[@]}"; } 2>/dev/null
    daemons=()
    [ -z "${FIREWALLS-}" ] || real ufw --force disable >/dev/null
    nft list tables | grep -v "fpsync_$TAG" | while read -r _ family name; do
        nft delete table "$family" "$name"
    done
}
# What the programs do with the lines that doctor advises.
ufw() { # route allow in|out on IFNAME
    [ -z "${FIREWALLS-}" ] || { real ufw "$@" && return; }
    iptables -A ufw-user-forward "$([ "$3" = in ] && echo -i || echo -o)" "$5" -j ACCEPT
}
firewall-cmd() { # --permanent --zone=trusted --add-interface=IFNAME, --reload
    [ -z "${FIREWALLS-}" ] || { real firewall-cmd "$@" && return; }
    [ "$1" = --permanent ] || return 0
    local name=${3#*=}
    nft -f - <<END2
table inet firewalld {
    chain filter_FWD_trusted { jump filter_FWD_trusted_allow; accept; }
    chain filter_FWD_trusted_allow { oifname "${name%+}*" accept; }
}
insert rule inet firewalld filter_FORWARD_ZONES iifname "${name%+}*" goto filter_FWD_trusted
END2
}
beside() { # NAME, who gets in, whether the way out is open, neighbours, RULE that doctor names
    load "$1" >/dev/null 2>&1 || not_ok "$1: loads"
    agree "$1" "$2"
    is "$1: the way out" "$(way_out)" "$3"
    is "$1: neighbours" "$(neighbours)" "$4"
    like "$1: doctor names the rule" "$(doctor)" "$5"
    check "$1: what doctor advises can be done" follow
    agree "$1, with that" "$all_open"
    is "$1, with that: the way out" "$(way_out)" open
    is "$1, with that: neighbours" "$(neighbours)" open
    unload
}
beside docker 'host:open front:blocked back:blocked outside:blocked' blocked blocked \
    'ends in table ip filter, chain FORWARD: policy drop.*iptables -I DOCKER-USER -i fp'
beside ufw 'host:open front:blocked back:blocked outside:blocked' blocked blocked \
    'ends in table ip filter, chain FORWARD: policy drop.*ufw route allow out on fp'
beside firewalld "$all_open" blocked blocked \
    'what leaves network t/[a-z]* by up0 ends in table inet firewalld, chain filter_FWD_public, rule 8.*firewall-cmd'

# iptables-legacy keeps its tables elsewhere: they are told of, not weighed.
iptables-legacy -P FORWARD DROP
agree 'iptables-legacy' 'host:unknown front:unknown back:unknown outside:unknown' 'host:open front:blocked back:blocked outside:blocked'
like 'iptables-legacy: doctor says so' "$(doctor)" 'may end in a table of iptables-legacy \(filter\), which fpsync does not read.*iptables-legacy-save'
iptables-legacy -P FORWARD ACCEPT
agree 'empty tables of iptables-legacy' "$all_open"

# ---- whose port it is ----

claim() { # TEXT, RULESET of nft, HOST-PORT, pattern of the rule: held, forced by take, and then ours
    local held
    nft -f - <<<"$2" || not_ok "$1: loads"
    sed "s/\"$PORT:7000.tcp+udp\"/\"$3:7000\"/" "$SPEC/set.yaml" >"$ROOT/claim.yaml"
    FILE=$SPEC/set.yaml && cp "$ROOT/claim.yaml" "$FILE"
    held=$(held_of "$(plan_of "$FILE")")
    like "$1: held, with the rule's name" "$held" "container/t/one: port $3/tcp: $4 leads it elsewhere"
    sed -i "s/\"$3:7000\"/{ host: $3, guest: 7000, take: true }/" "$FILE"
    converge "$1: take: true"
    is "$1: and the guest gets it, from outside" "$(reaches from_outside "$probe" ask-tcp "$OUT.1" "$3")" open
    is "$1: and from the host" "$(reaches "$probe" ask-tcp "$OUT.1" "$3")" open
    cp "$ROOT/first.yaml" "$FILE"
    converge "$1: back"
    nft list tables | grep -v "fpsync_$TAG" | while read -r _ family name; do
        nft delete table "$family" "$name"
    done
}
cp "$FILE" "$ROOT/first.yaml"
elsewhere='dnat ip to 192.0.2.1'
claim 'a dnat for the port' "table ip theirs {
    chain pre { type nat hook prerouting priority dstnat; iifname up0 tcp dport $((PORT + 1)) $elsewhere:9; }
    chain out { type nat hook output priority -100; tcp dport $((PORT + 1)) $elsewhere:9; }
}" \
    $((PORT + 1)) 'table ip theirs, chain pre, rule 1 \(handle [0-9]+\)'
claim 'a map of ports' "table inet theirs {
    map ports { type inet_service : ipv4_addr; flags interval; elements = { $((PORT + 2))-$((PORT + 4)) : 192.0.2.1 }; }
    chain pre { type nat hook prerouting priority dstnat; fib daddr type local dnat ip to tcp dport map @ports; }
}" \
    $((PORT + 3)) 'table inet theirs, chain pre, rule 1 .*'
iptables-restore <"$rules/docker.v4"
iptables -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport $((PORT + 5)) -j DNAT --to-destination 172.17.0.2:80 # as -p has it
iptables -P FORWARD ACCEPT
claim 'a port of Docker' '' $((PORT + 5)) 'table ip nat, chain DOCKER, rule 1 .*'
nft -f - <<END2
table ip theirs {
    map shares {
        typeof ip daddr . tcp dport . numgen random mod 65536 : ip daddr
        flags interval
        elements = { 0.0.0.0/0 . $((PORT + 9)) . 0-32767 : 192.0.2.1, 0.0.0.0/0 . $((PORT + 9)) . 32768-65535 : 192.0.2.3 }
    }
    chain pre {
        type nat hook prerouting priority dstnat;
        dnat to ip daddr . tcp dport . numgen random mod 65536 map @shares
        ip daddr 198.51.100.7 tcp dport $PORT dnat to 192.0.2.1:9
        udp dport $((PORT + 6)) dnat to 192.0.2.1:9
        tcp dport $((PORT + 7)) redirect to :9
        fib daddr type != local tcp dport $((PORT + 6)) dnat to 192.0.2.1:9
    }
}
END2
sed -i "s/\"$PORT:7000.tcp+udp\"/\"$PORT:7000\", \"$((PORT + 6)):7000\"/" "$FILE"
converge 'rules for another address, protocol, port (shares of it, too) or for what is forwarded anyway hold nothing'
nft delete table ip theirs # and made anew: at one priority, what came last goes first
nft "table ip theirs { chain pre { type nat hook prerouting priority dstnat; tcp dport $((PORT + 6)) redirect to :9; }; }"
is 'a port on record stays, whatever comes later' "$(held_of "$(plan_of "$FILE")")$(actions_of "$(plan_of "$FILE")")" ''
is 'and it is still ours' "$(reaches from_outside "$probe" ask-tcp "$OUT.1" $((PORT + 6)))" open
nft delete table ip theirs

# ---- IPv6 ----

OUT6=fd00:$TAG6:1::
ip addr add "${OUT6}1/64" dev up0 nodad && ip -n "$outside" addr add "${OUT6}2/64" dev eth0 nodad
ip -n "$outside" route add default via "${OUT6}1" && ip route add default via "${OUT6}2"
sed "s|subnet: $NET.0/25 |subnet: $NET.0/25, subnet6: \"fd00:$TAG6::/64\" |; s|front: { address: $NET.10 }|front: { address: $NET.10, address6: \"fd00:$TAG6::10\" }|" \
    "$ROOT/first.yaml" >"$FILE"
converge 'a network with IPv6'
inside6() {
    eventually 5 inside t/one sh -c 'netstat -ltn | grep -q :7000 || { netprobe serve-both 7000 7000 >/dev/null 2>&1 & }; netstat -ltn | grep -q :7000'
}
inside6
said6() {
    fps ports -o json | jq -r '.ports[0].ways | map(select(.protocol == "tcp" and .family == "ip6" and .from == "outside")) |
        first | "\(.open) \(.rule // "")"'
}
ask6() {
    reaches from_outside "$probe" ask-tcp "${OUT6}1" "$PORT"
}
eventually 5 from_outside "$probe" ask-tcp "${OUT6}1" "$PORT"
is 'IPv6: ports says that it is open' "$(said6)" 'true '
is 'IPv6: so it is' "$(ask6)" open
nft -f - <<END2
table ip6 theirs {
    chain forward { type filter hook forward priority filter; policy accept; ip6 daddr fd00:$TAG6::/64 tcp dport 7000 ct state new reject; }
}
END2
like 'IPv6: ports names the rule' "$(said6)" '^false table ip6 theirs, chain forward, rule 1 '
is 'IPv6: and it ends there' "$(ask6)" blocked
check 'IPv6: what doctor advises can be done' follow
is 'IPv6: it helps' "$(said6) $(ask6)" 'true  open'
nft delete table ip6 theirs
load ufw
like 'IPv6: ufw ends it' "$(said6)" '^false table ip6 filter, chain FORWARD: policy drop'
is 'IPv6: it does' "$(ask6)" blocked
unload
nft "table ip6 theirs { chain pre { type nat hook prerouting priority dstnat; tcp dport $((PORT + 8)) dnat to [2001:db8::1]:9; }; }"
sed -i "s/\"$PORT:7000.tcp+udp\"/\"$((PORT + 8)):7000\"/" "$FILE"
like 'IPv6: a dnat of others holds the port' "$(held_of "$(plan_of "$FILE")")" "port $((PORT + 8))/tcp: table ip6 theirs, chain pre, rule 1 .* leads it elsewhere"
nft delete table ip6 theirs

fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
is 'nothing is left' "$(leftovers)" ''

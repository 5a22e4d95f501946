#!/bin/bash
# Isolation and anti-spoof of IPv6, by packets that guests send, one by one as 90-isolation.sh does for IPv4: with
# bridge-nf 0 and 1, behind extension headers, by a router, while rules change and while a container starts.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/forge.sh"

switch=/proc/sys/net/bridge/bridge-nf-call-ip6tables
old=$(cat $switch 2>/dev/null)
after_cleanup() {
    [ -z "$old" ] || echo "$old" >$switch
}
if [ ! -e /proc/sys/net/ipv6 ]; then
    skip 'isolation of IPv6' 'this kernel has none'
    exit 0
fi
NET6=fd00:$TAG6
write() { # extra ports of the victim, ENTRIES of the rogue
    spec set <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks:
  front: { subnet: $NET.0/25, subnet6: "$NET6:1::/64" }
  back: { subnet: $NET.128/25, subnet6: "$NET6:2::/64" }
containers:
  victim: { image: guest, networks: { front: { address6: "$NET6:1::a" } }, ports: [ "$PORT:80"$1 ] }
  rogue: { image: guest, networks: { front: { address6: "$NET6:1::b" } }${2-} }
  apart: { image: guest, networks: { back: { address6: "$NET6:2::c" } } }
END
}
write ''
converge 'what the test starts from' || exit
victim=$(mac_in t/victim)
rogue=$(mac_in t/rogue)
broadcast=33:33:00:00:00:01
strange=02:13:37:00:00:01
A=$NET6:1::a B=$NET6:1::b GATEWAY=$NET6:1::1

frame() { # TEXT DST-MAC SRC-MAC SRC-IP [FROM-PORT]
    heard hear eth0 "$1" -- netprobe frame6 eth0 20 "$2" "$3" "$4" $A "${5:-4000}" "$1"
}
discovery() { # SRC-MAC SRC-IP TYPE TARGET LINK-MAC [behind]
    heard hear-nd eth0 "$3" "$4" "$5" -- netprobe nd eth0 20 "$@"
}
pings() { # CONTAINER ADDRESS [more of ping]: what comes back, of one
    inside "$1" ping -6 -c 1 -W 1 "${@:3}" "$2" 2>&1 | grep -c ' 0% packet loss'
}
eventually 5 inside t/rogue ping -6 -c 1 -W 1 $A
eventually 5 inside t/apart ping -6 -c 1 -W 1 "$NET6:2::1"
none() { # TEXT: of what nobody may send, router or not
    is "$1: a forged MAC does not" "$(frame forged "$victim" $strange $B)" 0
    is "$1: the victim's own MAC does not" "$(frame forged $broadcast "$victim" $B)" 0
    is "$1: an advertisement for the gateway's address does not" "$(discovery "$rogue" $B 136 $GATEWAY "$rogue")" 0
    is "$1: one for the victim's does not" "$(discovery "$rogue" $B 136 $A "$rogue")" 0
    is "$1: one from the gateway's address does not" "$(discovery "$rogue" $GATEWAY 136 $GATEWAY "$rogue")" 0
    is "$1: one with another's MAC does not" "$(discovery "$rogue" $B 136 $B $strange)" 0
    is "$1: a solicitation from the gateway's address does not" "$(discovery "$rogue" $GATEWAY 135 $A "$rogue")" 0
    is "$1: one with another's MAC does not" "$(discovery "$rogue" $B 135 $A $strange)" 0
    is "$1: one that looks for the victim's address does not" "$(discovery "$rogue" :: 135 $A "$rogue")" 0
    is "$1: a router advertisement does not" "$(discovery "$rogue" $B 134 $B "$rogue")" 0
    is "$1: nor from the link's address" "$(discovery "$rogue" "$own" 134 $B "$rogue")" 0
    is "$1: nor behind an extension header" "$(discovery "$rogue" "$own" 134 $B "$rogue" behind)" 0
    is "$1: a redirect does not" "$(discovery "$rogue" "$own" 137 $B "$rogue")" 0
    is "$1: nor behind an extension header" "$(discovery "$rogue" $B 137 $B "$rogue" behind)" 0
    is "$1: an advertisement for the gateway behind one does not" "$(discovery "$rogue" $B 136 $GATEWAY "$rogue" behind)" 0
    is "$1: an answer of a DHCPv6 server does not" "$(frame forged "$victim" "$rogue" $B 547)" 0
}
own=$(nsenter -t "$(pid_of t/rogue)" -n ip -6 -o addr show dev eth0 scope link | awk '{ sub("/.*", "", $4); print $4 }')
round() { # TEXT
    is "$1: what is true arrives" "$(frame honest "$victim" "$rogue" $B)" 20
    is "$1: from the link's address as well" "$(frame honest "$victim" "$rogue" "$own")" 20
    is "$1: a forged address does not" "$(frame forged "$victim" "$rogue" "$NET6:1::99")" 0
    is "$1: the gateway's address does not" "$(frame forged $broadcast "$rogue" $GATEWAY)" 0
    is "$1: the victim's does not" "$(frame forged $broadcast "$rogue" $A)" 0
    is "$1: a true advertisement arrives" "$(discovery "$rogue" $B 136 $B "$rogue")" 20
    is "$1: a true solicitation arrives" "$(discovery "$rogue" $B 135 $A "$rogue")" 20
    none "$1"
    is "$1: another network cannot be reached" "$(pings t/rogue "$NET6:2::c")" 0
    is "$1: nor its gateway's neighbours from there" "$(pings t/apart $A)" 0
    is "$1: neighbours reach each other" "$(pings t/rogue $A)" 1
    check "$1: the forward is open to all" eventually 5 page "http://127.0.0.1:$PORT/"
}
if [ -n "$old" ]; then
    for value in 0 1; do
        echo $value >$switch
        round "bridge-nf $value"
    done
else
    round 'without bridge-nf'
    skip 'bridge-nf 1' 'this kernel has no bridge netfilter'
fi
is 'the victim has one default route' "$(inside t/victim ip -6 route | grep -c ^default)" 1

# A guest that gives itself another link's address has no IPv6, and nobody else's.
nsenter -t "$(pid_of t/rogue)" -n ip -6 addr add fe80::1:2:3/64 dev eth0 nodad
is 'a link address that a guest gives itself is of no use' "$(pings t/rogue "$(inside t/victim ip -6 -o addr show dev eth0 scope link | awk '{ sub("/.*", "", $4); print $4 }')%eth0" -I fe80::1:2:3)" 0
nsenter -t "$(pid_of t/rogue)" -n ip -6 addr del fe80::1:2:3/64 dev eth0

# A router sends what has others' addresses, and may lie about neighbours as little as anybody.
write '' ', router: true'
converge 'the rogue becomes a router'
is 'what it passes on arrives' "$(frame honest "$victim" "$rogue" "2001:db8::1")" 20
none router
write ''
converge 'and is none again'
is 'what it passes on does not arrive' "$(frame honest "$victim" "$rogue" "2001:db8::1")" 0

forge_with() { # first an address, then a MAC address that is not its own
    case $1 in
    forged) forge=(netprobe frame6 eth0 "$2" "$victim" "$rogue" "$GATEWAY" "$A" 4000 "$1") ;;
    *) forge=(netprobe frame6 eth0 "$2" "$victim" "$strange" "$B" "$A" 4000 "$1") ;;
    esac
}
flush_rules() {
    nft flush table ip6 "fpsync_$TAG"
}
forge_while_rules_change
forge_while_it_starts
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'nothing is left' "$(leftovers)" ''

#!/bin/bash
# Isolation and anti-spoof, by packets that guests send; with bridge-nf 0 and 1, and while rules change.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/forge.sh"

switch=/proc/sys/net/bridge/bridge-nf-call-iptables
old=$(cat $switch 2>/dev/null)
after_cleanup() {
    [ -z "$old" ] || echo "$old" >$switch
}
write() { # extra ports of the victim
    spec set <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks:
  front: { subnet: $NET.0/25 }
  back: { subnet: $NET.128/25 }
containers:
  victim: { image: guest, networks: { front: { address: $NET.10 } }, ports: [ "$PORT:80"$1 ] }
  rogue: { image: guest, networks: { front: { address: $NET.11 } } }
  apart: { image: guest, networks: { back: { address: $NET.140 } } }
END
}
write ''
converge 'what the test starts from' || exit
victim=$(mac_in t/victim)
rogue=$(mac_in t/rogue)
broadcast=ff:ff:ff:ff:ff:ff
strange=02:13:37:00:00:01

round() { # TEXT
    is "$1: what is true arrives" "$(heard hear eth0 honest -- netprobe frame eth0 20 "$victim" "$rogue" $NET.11 $NET.10 honest)" 20
    is "$1: a forged MAC does not" "$(heard hear eth0 forged -- netprobe frame eth0 20 "$victim" $strange $NET.11 $NET.10 forged)" 0
    is "$1: the victim's own MAC does not" "$(heard hear eth0 forged -- netprobe frame eth0 20 $broadcast "$victim" $NET.11 $NET.10 forged)" 0
    is "$1: a forged address does not" "$(heard hear eth0 forged -- netprobe frame eth0 20 "$victim" "$rogue" $NET.99 $NET.10 forged)" 0
    is "$1: the gateway's address does not" "$(heard hear eth0 forged -- netprobe frame eth0 20 $broadcast "$rogue" $NET.1 $NET.10 forged)" 0
    is "$1: a true ARP arrives" "$(heard hear-arp eth0 $NET.11 "$rogue" -- netprobe arp eth0 20 "$rogue" "$rogue" $NET.11 $NET.10)" 20
    is "$1: an ARP for the gateway's address does not" "$(heard hear-arp eth0 $NET.1 "$rogue" -- netprobe arp eth0 20 "$rogue" "$rogue" $NET.1 $NET.10)" 0
    is "$1: an ARP with another's MAC does not" "$(heard hear-arp eth0 $NET.11 $strange -- netprobe arp eth0 20 "$rogue" $strange $NET.11 $NET.10)" 0
    is "$1: a VLAN tag does not" "$(heard hear eth0 forged -- netprobe raw eth0 20 "$victim" "$rogue" 0x8100 forged)" 0
    is "$1: a double tag does not" "$(heard hear eth0 forged -- netprobe raw eth0 20 "$victim" "$rogue" 0x88a8 forged)" 0
    is "$1: RARP does not" "$(heard hear eth0 forged -- netprobe raw eth0 20 $broadcast "$rogue" 0x8035 forged)" 0
    is "$1: IPv6 of a forged MAC does not" "$(heard hear eth0 forged -- netprobe raw eth0 20 "$victim" $strange 0x86dd forged)" 0
    is "$1: another network cannot be reached" "$(inside t/rogue ping -c 1 -W 1 $NET.140 2>&1 | grep -c ' 0% packet loss')" 0
    is "$1: nor its gateway's neighbours from there" "$(inside t/apart ping -c 1 -W 1 $NET.10 2>&1 | grep -c ' 0% packet loss')" 0
    check "$1: neighbours reach each other" inside t/rogue timeout 3 wget -q -O- http://victim/
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

# A guest cannot add itself an address and use it.
inside t/rogue ip addr add $NET.50/25 dev eth0
is 'an address that a guest gives itself is of no use' "$(inside t/rogue ping -I $NET.50 -c 2 -W 1 $NET.10 2>&1 | grep -c ' 0% packet loss')" 0
inside t/rogue ip addr del $NET.50/25 dev eth0

# What a guest's root makes of its own NIC does not keep the host's runs from the other containers.
in_rogue() {
    nsenter -t "$(pid_of t/rogue)" -n "$@"
}
long=$(head -c 124 /dev/zero | tr '\0' n)
for i in $(seq 100 700); do echo "link property add dev eth0 altname $long$i"; done >"$ROOT/names"
in_rogue ip -batch "$ROOT/names" >/dev/null 2>&1
isnt 'a guest gave its NIC all the names that fit' "$(in_rogue ip link show eth0 | grep -c altname)" 0
check '64 KiB of names for a NIC do not stop a plan' fps plan -f "$FILE"
for i in $(seq 4000); do echo "addr add 10.255.$((i / 250)).$((i % 250 + 1))/32 dev eth0"; done >"$ROOT/many"
in_rogue ip -batch "$ROOT/many"
for i in $(seq 3000); do printf 'addr del 10.255.0.7/32 dev eth0\naddr add 10.255.0.7/32 dev eth0\n'; done >"$ROOT/flap"
while cat "$ROOT/flap"; do :; done 2>/dev/null | (exec nsenter -t "$(pid_of t/rogue)" -n timeout 60 ip -force -batch -) >/dev/null 2>&1 &
flapping=$! # the timeout, which takes ip with it
plans() { # COUNT
    for _ in $(seq "$1"); do fps plan -f "$FILE" || return; done
}
check 'nor do addresses that change all the time' plans 5
kill $flapping
wait $flapping 2>/dev/null
in_rogue ip addr flush dev eth0 to 10.255.0.0/16

forge_with() {
    forge=(netprobe frame eth0 "$2" "$victim" "$strange" "$NET.11" "$NET.10" "$1")
}
flush_rules() {
    nft list tables | grep "fpsync_$TAG" | grep -v bridge | while read -r _ family name; do
        nft flush table "$family" "$name"
    done
}
forge_while_rules_change
forge_while_it_starts
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'nothing is left' "$(leftovers)" ''

#!/bin/bash
# kill -9 of real runs that give a guest in a LAN its IPv6 and take it away, attach and detach its second NIC, and start it
# again while the kernel still has those of the run before: the next apply converges, what was ours has gone, what was
# not has stayed, and after down nothing is left over.
. "$(dirname "$0")/lib.sh"
FPSYNC_KILLS=${FPSYNC_KILLS:-30}
. "$(dirname "$0")/kill.sh"

if [ ! -e /proc/sys/net/ipv6 ]; then
    skip 'IPv6 in a LAN' 'this kernel has none'
    exit 0
fi
LAN=kl$TAG
NET6=fd05:$TAG6
after_cleanup() {
    ip link del "$LAN" 2>/dev/null
}
ip link add "$LAN" type bridge && echo 0 >"/proc/sys/net/ipv6/conf/$LAN/accept_ra" && ip link set "$LAN" up || exit

lan() { # FIELDS of the network, of the container in it, its other networks
    spec lan <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks:
  lan: { bridge: $LAN, subnet: $NET.0/25$1 }
  front: { subnet: $NET.128/25 }
containers:
  one: { image: guest, networks: { lan: { address: $NET.20$2 }$3 } }
  other: { image: guest, networks: [ front ] }
END
}
told() { lan ", subnet6: \"$NET6::/64\"" ", address6: \"$NET6::20\"" ''; }
untold() { lan '' '' ', front: {}'; }
nics() { # with what they have, the link's own aside
    nsenter -t "$(pid_of t/one)" -n ip -o addr show scope global |
        awk '{ sub("/.*", "", $4); print $2 "=" $4 }' | sort | paste -sd' '
}
named() { # its own IPv6 by hand, which nobody is to take from it
    nsenter -t "$(pid_of t/one)" -n ip -6 addr add "$NET6::5/64" dev eth0 nodad
}
expect() { # TEXT, what nics() is to say, what it may say, too
    local seen
    seen=$(nics)
    [ -z "${3-}" ] || seen=${seen/ $3/}
    [ "$seen" = "$2" ] || spoiled "$1" "$seen, not $2"
}

told
converge 'with IPv6 of its spec' || exit
is 'which it has' "$(nics)" "eth0=$NET.20 eth0=$NET6::20"
named
untold
measure apply -y -q -f "$FILE"
change=$lasts
front=$(address_of t/one eth1)
is 'without, it keeps its own, beside a second NIC' "$(nics)" "eth0=$NET.20 eth0=$NET6::5 eth1=$front"
measure restart --timeout 0 t/one
restart=$lasts
is 'both are there after a restart' "$(nics)" "eth0=$NET.20 eth1=$front"
told
converge 'and back'
for round in $(seq "$((kills / 3))"); do
    fps restart --timeout 0 t/one >/dev/null 2>&1 || spoiled 'it starts again with one NIC'
    named
    untold
    lasts=$change
    kill_during apply -y -q -f "$FILE"
    recovers || continue
    expect 'what was ours goes, what was not stays' "eth0=$NET.20 eth0=$NET6::5 eth1=$front"
    # Of the second NIC, which came live, liblxc knows nothing: it goes with its namespace, which lasts while it is held.
    lasts=$((2 * restart))
    exec {namespace}<"/proc/$(pid_of t/one)/ns/net"
    sleep 0.$((RANDOM % 9)) &
    lingers=$!
    exec {namespace}<&-
    kill_during restart --timeout 0 t/one
    # A guest that was being killed may be seen as one that runs, once more: the run after that one starts it.
    text=$(fps apply -y -f "$FILE" 2>&1) || spoiled 'the next apply does what it has to' "$text"
    recovers
    wait $lingers
    expect 'all NICs of ours are there again' "eth0=$NET.20 eth1=$front" "eth0=$NET6::5"
    told
    lasts=$change
    kill_during apply -y -q -f "$FILE"
    recovers || continue
    expect 'what is said comes, and the second NIC goes' "eth0=$NET.20 eth0=$NET6::20"
done
is "$((kills / 3 * 3)) kills, $killed of them in time: every next apply converged" "$bad" 0
is 'two ports' "$(ports_of_host | wc -l)" 2
no_temporary_files
check 'down' fps down -y --timeout 0 -f "$FILE"
is 'nothing is left' "$(leftovers)" ''

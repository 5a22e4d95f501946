#!/bin/bash
# A network that becomes one of another kind: fpsync's own, attached to a bridge of the host, or by a parent. The
# containers run on; their interfaces come back where the network is now.
. "$(dirname "$0")/lib.sh"

LAN=lan$TAG
after_cleanup() {
    ip link del "$LAN" 2>/dev/null
    ip link del "$LAN.p" 2>/dev/null
}
ip link add "$LAN" type bridge && ip addr add "$NET.129/26" dev "$LAN" && ip link set "$LAN" up
ip link add "$LAN.p" type veth peer name "$LAN.q" && ip link set "$LAN.p" up && ip link set "$LAN.q" up

lan() { # ENTRIES of the network, of the place in it
    spec lan <<END
images: { guest: { source: "file:$BUSYBOX" } }
networks:
  lan: { $1 }
containers:
  one: { image: guest, networks: [ { network: lan$2 } ] }
  two: { image: guest, networks: [ { network: lan${2/%.140/.150} } ] }
END
}
init_of() {
    echo "$(pid_of one) $(pid_of two)"
}
kind_inside() { # what eth0 is
    nsenter -t "$(pid_of one)" -n ip -d -o link show dev eth0 | grep -oE 'veth|macvlan' | head -1
}
master_of() {
    ip -o link show dev "$(port_of one)" | sed -n 's/.* master \([^ ]*\) .*/\1/p'
}
lan "subnet: $NET.0/26" ''
converge 'its own'
init=$(init_of)
mac=$(mac_in one)
bridge=$(bridges)
is 'one bridge of its own' "$(master_of)" "$bridge"

lan "bridge: $LAN, subnet: $NET.128/26, gateway: $NET.129" ", address: $NET.140"
converge 'becomes the host'"'"'s'
is 'its own bridge is gone' "$(bridges)" ''
is 'the containers run on' "$(init_of)" "$init"
is 'in the other bridge' "$(master_of)" "$LAN"
is 'with their MAC addresses' "$(mac_in one)" "$mac"
is 'and the new address' "$(address_of one)" "$NET.140"
check 'and are heard there' inside one ping -c 1 -W 2 "$NET.129"
check 'and by each other' inside two ping -c 1 -W 2 "$NET.140"

lan "parent: $LAN.p, subnet: $NET.128/26" ", address: $NET.140"
converge 'becomes a parent'
is 'the same containers' "$(init_of)" "$init"
is 'by macvlan' "$(kind_inside) $(address_of one)" "macvlan $NET.140"
is 'without an end on the host' "$(ports_of_host)" ''
check 'and hear each other' inside two ping -c 1 -W 2 "$NET.140"

lan "bridge: $LAN, subnet: $NET.128/26" ", address: $NET.140"
converge 'and a bridge again'
is 'by veth' "$(kind_inside) $(master_of) $(init_of)" "veth $LAN $init"

lan "subnet: $NET.128/26" ''
held 'to be its own with the subnet that the host has' 'overlaps the host' 'choose another subnet'
lan "subnet: $NET.0/26" ''
converge 'and its own again'
is 'by the same MAC address' "$(mac_in one) $(init_of)" "$mac $init"
is 'in a bridge of its own' "$(master_of)" "$(bridges)"
is 'with the same host part' "$(address_of one)" "$NET.12"
check 'its names are known' inside one nslookup two
check restart fps restart one
is 'and it comes back there' "$(master_of)" "$(bridges)"
check down fps down -y --timeout 0 -f "$FILE"
is 'nothing of ours is left' "$(leftovers)" ''

#!/bin/bash
# IPv6 in networks attached to a bridge or an interface of the host: addresses that are said or leased, the LAN's
# gateway, and who goes by the LAN's routers. The LAN is a network namespace whose router advertises a prefix.
. "$(dirname "$0")/walk.sh"
. "$(dirname "$0")/forge.sh"

LAN=ln6$TAG
NET6=fd02:$TAG6
FAR=fd03:$TAG6::9 # behind the router
probe=$BUILD/tests/system/netprobe
after_cleanup() {
    for link in "$LAN" "$LAN.u" "$LAN.p"; do ip link del "$link" 2>/dev/null; done
    ip netns pids "$LAN" 2>/dev/null | xargs -r kill 2>/dev/null
    ip netns del "$LAN" 2>/dev/null
    rm -f "/tmp/$LAN.leases"
}
if [ ! -e /proc/sys/net/ipv6 ]; then
    skip 'IPv6 in a LAN' 'this kernel has none'
    exit 0
fi
there() { # COMMAND...: in the LAN
    ip netns exec "$LAN" "$@"
}
ip netns add "$LAN" && ip link add "$LAN" type bridge &&
    ip link add "$LAN.u" address 02:00:00:00:00:01 type veth peer name eth0 netns "$LAN" || exit 1
there ip link set lo up
there ip addr add "$NET.1/24" dev eth0
there ip addr add fe80::1/64 dev eth0 nodad
there ip addr add "$NET6::1/64" dev eth0 nodad
there ip addr add "$FAR/128" dev lo nodad
there ip link set eth0 up
ip link set "$LAN.u" master "$LAN"
quiet() { # INTERFACE: of the host, which is not to change by what the LAN says
    echo 0 >"/proc/sys/net/ipv6/conf/$1/accept_ra"
}
for link in "$LAN" "$LAN.u"; do quiet "$link" && ip link set "$link" up; done
router=
lead() { # the router begins anew, and advertises its prefix to all at once
    [ -z "$router" ] || { kill "$router" && wait "$router"; } 2>/dev/null
    there dnsmasq -k -C /dev/null --interface=eth0 --bind-interfaces --except-interface=lo --port=0 --dhcp-authoritative \
        --dhcp-range="$NET.200,$NET.209,255.255.255.0,1h" --dhcp-leasefile="/tmp/$LAN.leases" --pid-file= --no-ping \
        --enable-ra --dhcp-range="$NET6::,ra-only" >/dev/null 2>&1 &
    router=$!
}
lead
there "$probe" serve-both 9000 9000 >/dev/null 2>&1 &
check 'the LAN answers' eventually 10 there "$probe" ask-tcp "$FAR" 9000
nic() { # CONTAINER, of ip
    nsenter -t "$(pid_of "$1")" -n ip -6 "${@:2}"
}
addresses6() {
    nic "$1" -o addr show dev eth0 scope global | awk '{ sub("/.*", "", $4); print $4 }' | paste -sd' '
}
default6() {
    nic "$1" route | awk '$1 == "default" { print $3, $5 }' | paste -sd' '
}
far_sees() { # CONTAINER: with which address it is heard behind the LAN's router
    inside "$1" netprobe ask-tcp "$FAR" 9000 2>/dev/null | cut -d' ' -f1
}
heard_as() { # CONTAINER ADDRESS; a new address may be looked for by others first
    [ "$(far_sees "$1")" = "$2" ]
}
advertised() { # CONTAINER: how often it heard routers
    inside "$1" awk '$1 == "Icmp6InRouterAdvertisements" { print $2 }' /proc/net/snmp6
}
advertise() { # CONTAINER: which hears it, as all in the LAN might
    local before
    before=$(advertised "$1")
    again() { [ "$(advertised "$1")" -gt "$before" ]; }
    lead
    check 'the LAN’s router speaks' eventually 20 again "$1"
}
has_address6() {
    [ -n "$(addresses6 "$1")" ]
}
theirs() { # whether an address is one that the LAN's prefix and the MAC address make
    [[ $1 == "$NET6":* ]] && [[ $1 == *ff:fe* ]] && echo theirs || echo "$1"
}

lan() { # LINK, ENTRIES of the network, of the place of `one`
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { lan: { $1, subnet: $NET.0/24$2 } }
containers:
  one: { image: guest, networks: [ { network: lan$3 } ] }
  asks: { image: guest, networks: { lan: { dhcp: true } } }
END
}

# ---- fields, by a bridge ----

six_without() { lan "bridge: $LAN" ", subnet6: \"$NET6::/64\"" ", address: $NET.20"; }
six_set() { lan "bridge: $LAN" ", subnet6: \"$NET6::/64\", range6: \"$NET6::100-$NET6::101\", gateway6: \"fe80::1\"" ", address: $NET.20"; }
six_changed() { lan "bridge: $LAN" ", subnet6: \"$NET6::/64\", range6: \"$NET6::150-$NET6::15f\", gateway6: \"$NET6::1\"" ", address: $NET.20"; }
effect network.range6 'addresses6 t/one' '' "$NET6::100" "$NET6::150" ''
effect network.gateway6 'default6 t/one' '' 'fe80::1 eth0' "$NET6::1 eth0" ''
walk t/one live six

said_without() { lan "bridge: $LAN" ", subnet6: \"$NET6::/64\", gateway6: \"$NET6::1\"" ", address: $NET.20"; }
said_set() { lan "bridge: $LAN" ", subnet6: \"$NET6::/64\", gateway6: \"$NET6::1\"" ", address: $NET.20, address6: \"$NET6::20\""; }
said_changed() { lan "bridge: $LAN" ", subnet6: \"$NET6::/64\", gateway6: \"$NET6::1\"" ", address: $NET.20, address6: \"$NET6::21\""; }
seen6() { # its addresses, and as whom it is heard
    local address
    address=$(addresses6 "$1")
    [ -z "$address" ] || eventually 10 heard_as "$1" "$(short "$address")"
    echo "$address $(far_sees "$1")" | xargs
}
A=$(short "$NET6::20") B=$(short "$NET6::21")
effect container.networks.address6 'seen6 t/one' '' "$A $A" "$B $B" ''
walk t/one live said

# ---- and by a parent ----

ip link add "$LAN.p" type veth peer name "$LAN.q" && ip link set "$LAN.q" master "$LAN" || exit 1
for link in p q; do quiet "$LAN.$link" && ip link set "$LAN.$link" up; done
parent_without() { lan "parent: $LAN.p" ", subnet6: \"$NET6::/64\"" ", address: $NET.20"; }
parent_set() { lan "parent: $LAN.p" ", subnet6: \"$NET6::/64\", range6: \"$NET6::100-$NET6::101\", gateway6: \"fe80::1\"" ", address: $NET.20"; }
parent_changed() { lan "parent: $LAN.p" ", subnet6: \"$NET6::/64\", range6: \"$NET6::100-$NET6::101\", gateway6: \"$NET6::1\"" ", address: $NET.20, address6: \"$NET6::21\""; }
C=$(short "$NET6::100")
effect network.range6 'seen6 t/one' '' "$C $C" "$B $B" ''
effect network.gateway6 'default6 t/one' '' 'fe80::1 eth0' "$NET6::1 eth0" ''
effect container.networks.address6 'addresses6 t/one' '' "$NET6::100" "$NET6::21" ''
walk t/one live parent

# ---- who goes by the LAN's routers ----

routers() { # TEXT, LINK, SOURCE of `one` for what is not its own
    local init
    spec routers < <(lan "$2" ", subnet6: \"$NET6::/64\"" ", address: $NET.20")
    converge "$1: one is told its address, one asks"
    init=$(started t/one)
    check "$1: who asks is given an address of IPv6" eventually 20 has_address6 t/asks
    is "$1: one of the LAN's" "$(theirs "$(addresses6 t/asks)")" theirs
    check "$1: and is heard by it" eventually 10 heard_as t/asks "$(addresses6 t/asks)"
    like "$1: by the LAN's router" "$(default6 t/asks)" '^fe80:'
    advertise t/asks
    is "$1: who is told its address makes none up" "$(addresses6 t/one)" ''
    is "$1: and takes no router" "$(default6 t/one)" ''

    spec routers < <(lan "$2" ", subnet6: \"$NET6::/64\"" ', dhcp: true')
    converge "$1: it asks from now on"
    check "$1: and is given an address" eventually 20 has_address6 t/one
    check "$1: with which it is heard" eventually 10 heard_as t/one "$(addresses6 t/one)"
    is "$1: the init stays" "$(started t/one)" "$init"
    is "$1: nothing is left to do" "$(actions_of "$(plan_of "$FILE")")" ''

    spec routers < <(lan "$2" ", subnet6: \"$NET6::/64\", gateway6: \"$NET6::1\"" ", address: $NET.20, address6: \"$NET6::20\"")
    converge "$1: it is told again"
    is "$1: and has that alone" "$(addresses6 t/one) $(default6 t/one)" "$NET6::20 $NET6::1 eth0"
    advertise t/asks
    is "$1: whatever is advertised" "$(addresses6 t/one) $(default6 t/one)" "$NET6::20 $NET6::1 eth0"
    check "$1: as which it is heard" eventually 10 heard_as t/one "$A"
    is "$1: the init stays" "$(started t/one)" "$init"
    nic t/one addr del "$NET6::20/64" dev eth0
    converge "$1: an address that was removed is put back"
    is "$1: as it was" "$(addresses6 t/one) $(default6 t/one)" "$NET6::20 $NET6::1 eth0"
    nic t/one route del default
    converge "$1: a default route that was removed is put back"
    is "$1: as it was" "$(addresses6 t/one) $(default6 t/one)" "$NET6::20 $NET6::1 eth0"
    is "$1: the init stays" "$(started t/one)" "$init"
    check "$1: it starts again" fps restart t/one
    is "$1: with the same" "$(addresses6 t/one) $(default6 t/one)" "$NET6::20 $NET6::1 eth0"
    is "$1: nothing is left to do" "$(actions_of "$(plan_of "$FILE")")" ''
    like "$1: status shows it" "$(fps status -o json | jq -r '.objects[] | select(.kind == "container" and .name == "t/one") | .addresses | join(" ")')" "^$NET.20 $NET6::20\$"
}
routers parent "parent: $LAN.p"
spec routers < <(lan "parent: $LAN.p" ", subnet6: \"$NET6::/64\"" ", address: $NET.20")
converge 'parent: it has none again'
is 'parent: none' "$(addresses6 t/one)" ''
init=$(pid_of t/one)
nsenter -t "$init" -n sh -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra; echo 1 >/proc/sys/net/ipv6/conf/eth0/autoconf'
advertise t/asks
check 'parent: a guest that turns that back hears the LAN' eventually 20 has_address6 t/one
check 'parent: and is heard, which hurts nobody' eventually 10 heard_as t/one "$(addresses6 t/one)"
is 'parent: and is no drift' "$(actions_of "$(plan_of "$FILE")")" ''
check 'parent: down' fps down -y --timeout 0 -f "$FILE"
ip link del "$LAN.p"

routers bridge "bridge: $LAN"
spec routers < <(lan "bridge: $LAN" ", subnet6: \"$NET6::/64\"" ", address: $NET.20")
converge 'bridge: it has none again'
is 'bridge: none' "$(addresses6 t/one)" ''
init=$(started t/one)
nft flush chain bridge "fpsync_$TAG" postrouting
advertise t/asks
check 'bridge: without the rule it goes by the LAN’s router' eventually 20 has_address6 t/one
is 'bridge: and is not heard with that' "$(far_sees t/one)" ''
converge 'bridge: that is repaired'
is 'bridge: it has none again' "$(addresses6 t/one) $(default6 t/one)" ' '
advertise t/asks
is 'bridge: and takes none' "$(addresses6 t/one)" ''
is 'bridge: the init stays' "$(started t/one)" "$init"
check 'bridge: down' fps down -y --timeout 0 -f "$FILE"
is 'nothing is left' "$(leftovers)" ''

# ---- where nothing is said of IPv6 ----

told6() { # CONTAINER: its addresses and default routes, but those that a router advertised
    echo "$(nic "$1" -o addr show dev eth0 scope global | grep -v dynamic | awk '{ sub("/.*", "", $4); print $4 }')" \
        "$(nic "$1" route | awk '$1 == "default" && !/proto ra/ { print $3, $5 }')"
}
spared() { # TEXT, LINK: what the guest has of IPv6 stays, whatever is repaired
    local init own
    spec spared < <(lan "$2" ", subnet6: \"$NET6::/64\", gateway6: \"$NET6::1\"" ", address: $NET.20, address6: \"$NET6::20\"")
    converge "$1: with an address of its spec"
    init=$(started t/one)
    nic t/one addr add "$NET6::5/64" dev eth0 nodad
    spec spared < <(lan "$2" '' ", address: $NET.20")
    converge "$1: its network says nothing of IPv6 any more"
    is "$1: what was said goes, and nothing else" "$(told6 t/one)" "$NET6::5 "
    [ "$1" = parent ] || nic t/one route add default via fe80::1 dev eth0 # else it may have the LAN's
    own=$(told6 t/one)
    is "$1: a route of its own is no drift" "$(actions_of "$(plan_of "$FILE")")" ''
    nsenter -t "$(pid_of t/one)" -n ip addr del "$NET.20/24" dev eth0
    converge "$1: its IPv4 is repaired"
    is "$1: its IPv6 stays" "$(told6 t/one)" "$own"
    is "$1: the init stays" "$(started t/one)" "$init"
    check "$1: it starts again" fps restart t/one
    is "$1: nothing is left to do" "$(actions_of "$(plan_of "$FILE")")" ''
}
spared bridge "bridge: $LAN"
advertise t/asks
is 'bridge: it hears no router' "$(addresses6 t/one)" ''
nsenter -t "$(pid_of t/one)" -n sh -c 'echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6'
spec spared < <(lan "bridge: $LAN" '' ', dhcp: true')
converge 'bridge: it asks from now on'
is 'bridge: and has no IPv6, which it turned off itself' "$(nsenter -t "$(pid_of t/one)" -n cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6)" 1
check 'bridge: down' fps down -y --timeout 0 -f "$FILE"
ip link add "$LAN.p" type veth peer name "$LAN.q" && ip link set "$LAN.q" master "$LAN" || exit 1
for link in p q; do quiet "$LAN.$link" && ip link set "$LAN.$link" up; done
spared parent "parent: $LAN.p"
advertise t/asks
check 'parent: it goes by the LAN’s routers' eventually 20 has_address6 t/one
check 'parent: and is heard' eventually 10 heard_as t/one "$(addresses6 t/one)"
is 'parent: which is no drift' "$(actions_of "$(plan_of "$FILE")")" ''
check 'parent: down' fps down -y --timeout 0 -f "$FILE"
ip link del "$LAN.p"

# ---- beside a network of its own ----

both() { # NETWORKS of `one`, PORTS
    spec both <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks:
  front: { subnet: 10.$((200 + 0x${TAG:0:2} % 50)).$((0x${TAG:2:2} % 250)).0/24, subnet6: "fd04:$TAG6::/64" }
  plain: { subnet: 10.$((200 + 0x${TAG:0:2} % 50)).$((0x${TAG:2:2} % 250 + 1)).0/24 }
  lan: { bridge: $LAN, subnet: $NET.0/24, gateway: $NET.1, subnet6: "$NET6::/64", gateway6: "$NET6::1" }
containers:
  one: { image: guest, networks: [ $1 ]$2 }
END
}
both "{ network: lan, address: $NET.20 }, front" ''
converge 'without an address of IPv6 in the LAN'
is 'the way out of IPv6 is its own network’s' "$(default6 t/one)" "fd04:$TAG6::1 eth1"
both "{ network: lan, address: $NET.20, address6: \"$NET6::20\" }, front" ''
converge 'with one'
is 'it is the LAN’s, which comes first' "$(default6 t/one)" "$NET6::1 eth0"
both "{ network: front }, { network: lan, address: $NET.20, address6: \"$NET6::20\" }" ''
converge 'behind its own network'
is 'it is that' "$(default6 t/one | cut -d' ' -f1)" "fd04:$TAG6::1"
both "{ network: front }, { network: lan, address: $NET.20, address6: \"$NET6::20\", default_route: true }" ''
converge 'where it is said to lead'
is 'it leads through the LAN' "$(default6 t/one | cut -d' ' -f1)" "$NET6::1"
both "plain, { network: lan, address: $NET.20, address6: \"$NET6::20\" }" ", ports: [ \"$PORT:80\" ]"
converge 'a forward of who has IPv6 in the LAN alone'
is 'leads by IPv4 alone' "$(nft list table ip6 "fpsync_$TAG" 2>/dev/null | grep -c "$PORT")" 0
like 'as ports says' "$(fps ports)" "$PORT.*t/one"
check down fps down -y --timeout 0 -f "$FILE"

# ---- a host that was booted without IPv6 ----

# Seen so by those that start the container alone: one that is not privileged needs all of /proc there.
mkdir -p "$ROOT/etc/fpsync" && echo 'allow: { privileged: true }' >"$ROOT/etc/fpsync/fpsync.conf"
ip link add "$LAN.p" type veth peer name "$LAN.q" && ip link set "$LAN.q" master "$LAN" || exit 1
for link in p q; do quiet "$LAN.$link" && ip link set "$LAN.$link" up; done
spec none <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { lan: { parent: $LAN.p, subnet: $NET.0/24, subnet6: "$NET6::/64" } }
containers: { deaf: { image: guest, privileged: true, networks: { lan: { address: $NET.20 } } } }
END
heeds() {
    nsenter -t "$(pid_of t/deaf)" -n cat /proc/sys/net/ipv6/conf/eth0/accept_ra
}
converge 'a guest that heeds no routers'
is 'does not' "$(heeds)" 0
check 'without IPv6 it starts' unshare -m sh -c 'mount -t tmpfs none /proc/sys/net && exec "$@"' sh "$FPSYNC" --root "$ROOT" restart t/deaf
is 'and nothing is set of that' "$(heeds)" 1
check 'with IPv6 it starts' fps restart t/deaf
is 'and heeds none' "$(heeds)" 0
check down fps down -y --timeout 0 -f "$FILE"
ip link del "$LAN.p"
rm "$ROOT/etc/fpsync/fpsync.conf"

# ---- a pool that is dry, and what nobody can say ----

spec dry <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { lan: { bridge: $LAN, subnet: $NET.0/24, range: $NET.100-$NET.110, subnet6: "$NET6::/64", range6: "$NET6::ffff:ffff:ffff:fffe-$NET6:0:0:ffff:ffff:ffff:ffff" } }
containers:
  early: { image: guest, networks: [ lan ] }
  two: { image: guest, networks: [ lan ] }
  three: { image: guest, networks: [ lan ] }
END
plan=$(plan_of "$FILE")
like 'who gets no address is held' "$(held_of "$plan")" 'container/t/two: no free address is left in network t/lan'
like 'the others are told theirs' "$(jq -r '.actions[].leases[]?.address6 // empty' <<<"$plan" | paste -sd' ')" ":fffe .*:ffff$"
fails 'without it, the others start' 3 fps apply -y -f "$FILE"
free=$(addresses6 t/early)
like 'and have theirs' "$free" ':fffe$'
sed -i '/ early:/d' "$FILE"
fails 'one goes, and holds its address until it is gone' 3 fps apply -y -f "$FILE"
converge 'in the next run the address is free'
is 'and is that of who was held' "$(addresses6 t/two)" "$free"
check down fps down -y --timeout 0 -f "$FILE"
spec wrong <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { lan: { bridge: $LAN, subnet: $NET.0/24, range6: "$NET6::1-$NET6::2" } }
END
fails 'a range without the LAN’s subnet is refused' 6 fps validate -f "$FILE"

# ---- hostile guests ----

spec rogue <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { lan: { bridge: $LAN, subnet: $NET.0/24, subnet6: "$NET6::/64", gateway6: "fe80::1" } }
containers:
  rogue: { image: guest, networks: { lan: { address: $NET.30, address6: "$NET6::b" } } }
  victim: { image: guest, networks: { lan: { address: $NET.31, address6: "$NET6::a" } } }
  asks: { image: guest, networks: { lan: { dhcp: true } } }
  bare: { image: guest, networks: { lan: { address: $NET.32 } } }
END
converge 'neighbours in the LAN'
V=$NET6::a R=$NET6::b
check 'the rogue is heard as itself' eventually 10 heard_as t/rogue "$(short "$R")"
victim=$(mac_in t/victim) rogue=$(mac_in t/rogue) strange=02:13:37:00:00:01
own=$(nic t/rogue -o addr show dev eth0 scope link | awk '{ sub("/.*", "", $4); print $4 }')
frame() { # AT TEXT DST-MAC SRC-MAC SRC-IP
    EAR=$1 heard hear eth0 "$2" -- netprobe frame6 eth0 20 "$3" "$4" "$5" "$V" 4000 "$2"
}
discovery() { # AT SRC-MAC SRC-IP TYPE TARGET LINK-MAC [behind]
    EAR=$1 heard hear-nd eth0 "$4" "$5" "$6" -- netprobe nd eth0 20 "${@:2}"
}
all=33:33:00:00:00:01
for at in t/victim there; do
    is "$at: what is true arrives" "$(frame $at honest $all "$rogue" "$R")" 20
    is "$at: a forged address does not" "$(frame $at forged $all "$rogue" "$NET6::99")" 0
    is "$at: nor the victim's" "$(frame $at forged $all "$rogue" "$V")" 0
    is "$at: nor one from another MAC address" "$(frame $at forged $all $strange "$R")" 0
    is "$at: a true advertisement arrives" "$(discovery $at "$rogue" "$R" 136 "$R" "$rogue")" 20
    is "$at: one for the router does not" "$(discovery $at "$rogue" "$R" 136 "$NET6::1" "$rogue")" 0
    is "$at: one for its link's address does not" "$(discovery $at "$rogue" "$own" 136 fe80::1 "$rogue")" 0
    is "$at: one for the victim does not" "$(discovery $at "$rogue" "$R" 136 "$V" "$rogue")" 0
    is "$at: a router advertisement does not" "$(discovery $at "$rogue" "$own" 134 :: "$rogue")" 0
    is "$at: nor behind an extension header" "$(discovery $at "$rogue" "$own" 134 :: "$rogue" behind)" 0
    is "$at: a redirect does not" "$(discovery $at "$rogue" "$own" 137 "$R" "$rogue")" 0
    MOUTH=t/asks
    is "$at: a router advertisement of who asks the LAN does not" "$(discovery $at "$(mac_in t/asks)" "$own" 134 :: "$(mac_in t/asks)")" 0
    MOUTH=t/bare
    is "$at: who has no address of IPv6 is not heard with one" "$(frame $at forged $all "$(mac_in t/bare)" "$NET6::c")" 0
    MOUTH=t/rogue
done
hears() { # CONTAINER [behind]: how many advertisements of the LAN's router
    EAR=$1 MOUTH=there heard hear-nd eth0 134 :: 02:00:00:00:00:01 -- \
        netprobe nd eth0 20 "$(there cat /sys/class/net/eth0/address)" fe80::1 134 :: 02:00:00:00:00:01 ${2-}
}
is 'who asks hears the router' "$(hears t/asks)" 20
is 'who has its address does not' "$(hears t/victim)" 0
is 'nor behind an extension header' "$(hears t/victim behind)" 0
is 'who has none of IPv6 does not' "$(hears t/bare)" 0
check down fps down -y --timeout 0 -f "$FILE"
is 'nothing is left' "$(leftovers)" ''

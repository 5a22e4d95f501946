#!/bin/bash
# IPv6 of what LXC had before fpsync: an address that its config says becomes one of an attached network; what a router
# of the LAN told a guest stays with it, because its lines do.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/adopt.sh"

QUIET=xq$TAG TELLS=xt$TAG # bridges: in the second a router tells of itself
after_cleanup() {
    ip link del "$QUIET" 2>/dev/null
    ip link del "$TELLS" 2>/dev/null
}
SIX=fd0a:$TAG6
bridge() { # NAME, its last byte, number of the subnet; a MAC address of its own, else it takes that of a port that comes
    ip link add "$1" address "02:16:3e:$(printf '%02x:%02x:%02x' 0x${TAG:0:2} 0x${TAG:2:2} "$3")" type bridge && ip addr add "$NET.$2/25" dev "$1" && ip addr add "$SIX:$3::1/64" dev "$1" nodad &&
        ip link set "$1" up
}
bridge "$QUIET" 1 1
bridge "$TELLS" 129 2
dnsmasq -k -C /dev/null --interface="$TELLS" --bind-dynamic --except-interface=lo --port=0 --enable-ra \
    --dhcp-range="$SIX:2::,ra-only,64" --ra-param="$TELLS",4,60 --pid-file="$ROOT/dnsmasq.pid" 2>"$ROOT/dnsmasq.log" &

nic() { # BRIDGE, more lines of a NIC there from standard input
    printf 'lxc.net.0.type = veth\nlxc.net.0.link = %s\nlxc.net.0.flags = up\n' "$1" && cat
}
nic "$QUIET" <<END | make both
lxc.net.0.ipv4.address = $NET.11/25
lxc.net.0.ipv6.address = $SIX:1:0::11/64
lxc.net.0.ipv6.gateway = $SIX:1::1
END
nic "$QUIET" <<END | make only6
lxc.net.0.ipv6.address = $SIX:1::12/64
END
nic "$TELLS" <<END | make told
lxc.net.0.hwaddr = 02:16:3e:00:00:0b
lxc.net.0.ipv4.address = $NET.140/25
END
SHAPES='both only6 told'
start_all $SHAPES
six() { # SHAPE: its addresses of IPv6 that reach beyond its link
    inside "$1" ip -6 -o addr show dev eth0 scope global | awk '{ print $4 }' | sort | paste -sd' '
}
settled() { # SHAPE: it has one, and knows that nobody else has it
    six "$1" | grep -q . && ! inside "$1" ip -6 -o addr show dev eth0 | grep -q tentative
}
for shape in $SHAPES; do check "$shape: has IPv6" eventually 30 settled $shape; done
declare -A was
for shape in $SHAPES; do was[$shape]="$(pid_of $shape) $(six $shape)"; done
like 'the router told one' "${was[told]}" "$SIX:2:"
reaches() { # SHAPE, address of the host: by its IPv6
    inside "$1" ping -6 -c 1 -W 2 "$2" >/dev/null 2>&1 || inside "$1" ping6 -c 1 -w 2 "$2" >/dev/null 2>&1
}
same() { # TEXT
    for shape in $SHAPES; do is "$shape: $1: the same init and addresses" "$(pid_of $shape) $(six $shape)" "${was[$shape]}"; done
    check "both: $1: is heard" eventually 15 reaches both "$SIX:1::1"
    check "only6: $1: is heard" eventually 15 reaches only6 "$SIX:1::1"
    check "told: $1: is heard" eventually 15 reaches told "$SIX:2::1"
}
same 'before'

FILE=$SPEC/lxc.yaml
fps export "${SPECS[@]}" >"$FILE"
text=$(cat "$FILE")
check 'what is exported is valid' fps validate -f "$FILE"
like 'a declared address is one of a network' "$text" "address6: \"?$SIX:1::11"
like 'with its subnet' "$text" "subnet6: \"?$SIX:1::/64"
like 'with its router' "$text" "gateway6: \"?$SIX:1::1"
is 'what the router told stays with its lines, as does IPv6 alone' "$(grep -c 'lxc.net.0.type = veth' "$FILE")" 2
echo 'allow: { raw_lxc: true }' >"$ROOT/etc/fpsync/fpsync.conf"
check 'adopt' fps adopt -f "$FILE"
same adopted
converge 'apply changes nothing'
is 'no action' "$(actions_of "$PLAN")" ''
same applied
check 'told: restart' fps restart told
check 'told: it is told again' eventually 30 settled told
was[told]="$(pid_of told) ${was[told]#* }"
check 'both: restart' fps restart both
check 'both: has IPv6 again' eventually 30 settled both
was[both]="$(pid_of both) ${was[both]#* }"
same 'restarted'
is 'nothing to do' "$(actions_of "$(plan_of "$FILE")")" ''

# Addresses that are leased, on the fakes: of pools that run dry, and of LANs that several networks share; sourced by
# run.sh, behind commands.sh.

small_network() { # CONTAINER...: in one that has room for five
    printf 'images: { base: { source: "bootstrap:bookworm" } }\nnetworks: { small: { subnet: 10.30.0.0/29 } }\ncontainers:\n' >"$root/spec.yaml"
    printf '  %s: { image: base, networks: [ small ] }\n' "$@" >>"$root/spec.yaml"
    run_spec --allow-mass-delete apply
}
address() { # CONTAINER, ADDRESS: it has
    run -o json status | jq -e --arg name "default/$1" --arg address "$2" '.objects[] | select(.name == $name and .kind == "container").addresses[0] | contains($address)'
}

dry_pool() {
    at dry
    gives 0 small_network a b c d e && address b 10.30.0.3 && gives 0 small_network a c d e && gives 0 small_network c d e || return 1
    gives 0 small_network c d e f && address f 10.30.0.3 || return 1 # of b, which left before a
    gives 0 small_network a c d e f && address a 10.30.0.2 || return 1
    gives 3 small_network b c d e f && says 'no free address is left in network default/small (10.30.0.0/29)' || return 1
    gives 0 run_spec apply && address b 10.30.0.2 && gives 0 run_spec plan # of a, which went meanwhile
}

lan_of() { # ENTRIES of the network, CONTAINER...: each in it
    printf 'images: { base: { source: "bootstrap:bookworm" } }\nnetworks: { lan: { bridge: br0, subnet: 192.168.1.0/24, %s } }\ncontainers:\n' "$1" >"$root/spec.yaml"
    printf '  %s: { image: base, networks: [ lan ] }\n' "${@:2}" >>"$root/spec.yaml"
    run_spec --allow-mass-delete apply
}
addresses() { # CONTAINER: all that it has
    run -o json status | jq -r --arg name "default/$1" '.objects[] | select(.name == $name and .kind == "container").addresses | join(" ")'
}
has() { # CONTAINER ADDRESSES
    [ "$(addresses "$1")" = "$2" ] || { echo "$1 has $(addresses "$1"), not $2"; return 1; }
}
converged() {
    gives 0 run_spec plan && [ -z "$("$tool" "$root" violations)" ]
}

dry_range() {
    at dry-range
    local end='2001:db8:1:0:ffff:ffff:ffff' # the last addresses that there are in a subnet
    local net="range: 192.168.1.100-192.168.1.101, subnet6: \"2001:db8:1::/64\", range6: \"$end:fffe-$end:ffff\""
    local a="192.168.1.100 $end:fffe" b="192.168.1.101 $end:ffff"
    "$tool" "$root" host-bridge br0 add
    gives 0 lan_of "$net" a b && has a "$a" && has b "$b" && gives 0 lan_of "$net" b || return 1
    gives 0 lan_of "$net" b c && has c "$a" && converged || return 1 # of a, which is gone
    gives 3 lan_of "$net" d && says 'no free address is left in network default/lan (192.168.1.100-192.168.1.101)' &&
        gives 0 run_spec apply && has d "$b" && converged || return 1 # of b, which left before c
    gives 0 lan_of "$net" d b && has b "$a" && has d "$b" && converged || return 1
    gives 3 lan_of "${net/1.101,/1.110,}" d b e && says "no free address is left in network default/lan ($end:fffe-$end:ffff)"
}

# Networks on one link are one LAN.
shared_link() {
    at link
    local net='subnet: 192.168.1.0/24, range: 192.168.1.100-192.168.1.110, subnet6: "2001:db8:1::/64", range6: "2001:db8:1::100-2001:db8:1::110"'
    "$tool" "$root" host-bridge br0 add
    shared() { # ENTRIES of more, CONTAINERS
        cat >"$root/spec.yaml" <<END
images: { base: { source: "bootstrap:bookworm" } }
networks: { lan: { bridge: br0, $net }, more: { bridge: br0, $1 } }
containers: { $2 }
END
        run_spec --allow-mass-delete apply
    }
    gives 0 shared "$net" 'a: { image: base, networks: [ lan ] }, b: { image: base, networks: [ more ] }, c: { image: base, networks: [ more, lan ] }' &&
        has a '192.168.1.100 2001:db8:1::100' && has b '192.168.1.101 2001:db8:1::101' &&
        has c '192.168.1.102 2001:db8:1::102 192.168.1.103 2001:db8:1::103' && converged || return 1
    # A router that one of them names is there for all, and what one says is taken in the other.
    gives 0 shared "${net/range: /gateway: 192.168.1.99, range: }" 'a: { image: base, networks: [ lan ] }, b: { image: base, networks: { more: { address: 192.168.1.100 } } }' &&
        has b '192.168.1.100 2001:db8:1::101' && has a '192.168.1.104 2001:db8:1::100' && converged || return 1
    gives 0 shared 'subnet: 192.168.1.0/24, range: 192.168.1.200-192.168.1.210, gateway: 192.168.1.105' 'a: { image: base, networks: [ lan ] }, d: { image: base, networks: [ lan ] }, e: { image: base, networks: [ lan ] }' &&
        has a '192.168.1.104 2001:db8:1::100' && has d '192.168.1.101 2001:db8:1::104' && has e '192.168.1.106 2001:db8:1::105' && converged || return 1
    # Who goes leaves its address before another has it, whatever the networks are called.
    sed -i 's/ e: .*/ f: { image: base, networks: { more: { address: 192.168.1.106 } } } }/' "$root/spec.yaml"
    gives 2 run_spec -v plan && says 'after: delete container/default/e' && gives 0 run_spec --allow-mass-delete apply &&
        has f 192.168.1.106 && converged || return 1
    # A lease of the gateway's address, from before that was known, is given up.
    gives 0 shared 'subnet: 192.168.1.0/24, gateway: 192.168.1.101' 'a: { image: base, networks: [ lan ] }, d: { image: base, networks: [ lan ] }' &&
        has d '192.168.1.105 2001:db8:1::104' && converged
}

# The host part stays in another subnet, and an address that nobody else has is not given up for the range's first.
moved_lan() {
    at moved-lan
    "$tool" "$root" host-bridge br0 add
    gives 0 lan_of 'range: 192.168.1.100-192.168.1.110' a b && gives 0 lan_of 'range: 192.168.1.100-192.168.1.110' b || return 1
    sed -i 's/192\.168\.1\./192.168.9./g' "$root/spec.yaml"
    gives 0 run_spec apply && has b 192.168.9.101 && converged
}

check "whoever left first gives its address up when a network is full" dry_pool
check "and when a range of a LAN is, of both families" dry_range
check "networks on one link lease no address twice, and none of a router" shared_link
check "a lease in a LAN keeps its host part" moved_lan

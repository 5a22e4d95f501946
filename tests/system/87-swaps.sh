#!/bin/bash
# Containers that take each other's things in one run: layers, volumes, addresses and ports of the host.
. "$(dirname "$0")/lib.sh"

things() { # LAYER VOLUME ADDRESS PORT of a, then of b
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/24 } }
volumes: { u: {}, v: { size: 16MiB } }
layers: { x: { image: guest }, y: { image: guest }, z: { image: guest } }
containers:
  a: { image: guest, layer: $1, volumes: [ "$2:/data" ], networks: { front: { address: $NET.$3 } }, ports: [ "$4:80" ] }
  b: { image: guest, layer: $5, volumes: [ "$6:/data" ], networks: { front: { address: $NET.$7 } }, ports: [ "$8:80" ] }
END
}
seen() { # CONTAINER: what it stands on, what is mounted in it, where it is, and whether its port leads to it
    echo "$(inside "t/$1" cat /root/layer) $(inside "t/$1" cat /data/volume) $(address_of "t/$1")"
}
answer() { # PORT
    curl -fsS -m 5 --retry 5 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$1/me" 2>&1
}

spec all < <(things x u 10 "$PORT" y v 11 $((PORT + 1)))
converge 'two of each'
inside t/a sh -c 'echo x >/root/layer; echo u >/data/volume; echo x >/www/me'
inside t/b sh -c 'echo y >/root/layer; echo v >/data/volume; echo y >/www/me'
is 'the first has its own' "$(seen a) $(answer $PORT)" "x u $NET.10 x"
is 'and the second' "$(seen b) $(answer $((PORT + 1)))" "y v $NET.11 y"
mac_a=$(mac_in t/a) mac_b=$(mac_in t/b)

spec all < <(things y v 11 $((PORT + 1)) x u 10 "$PORT")
converge 'they change places in all'
is 'in two actions' "$(jq -r '[.actions[] | "\(.verb) \(.name)"] | sort | join(", ")' <<<"$PLAN")" 'recreate t/a, recreate t/b'
is 'the first has what was the second'"'"'s' "$(seen a) $(answer $((PORT + 1)))" "y v $NET.11 y"
is 'and the second what was the first'"'"'s' "$(seen b) $(answer $PORT)" "x u $NET.10 x"
is 'their MACs are their own' "$(mac_in t/a) $(mac_in t/b)" "$mac_a $mac_b"

inits="$(pid_of t/a) $(pid_of t/b)"
spec all < <(things y u 10 "$PORT" x v 11 $((PORT + 1)))
converge 'they change volumes, addresses and ports alone'
is 'live' "$(pid_of t/a) $(pid_of t/b)" "$inits"
is 'the first' "$(seen a) $(answer $PORT)" "y u $NET.10 y"
is 'and the second' "$(seen b) $(answer $((PORT + 1)))" "x v $NET.11 x"

sed -i 's/^  b: .*/&\n  c: { image: guest, layer: z, networks: [] }/' "$FILE"
converge 'a third'
inside t/c sh -c 'echo z >/root/layer'
sed -i '/^  a:/s/layer: y/layer: Q/; /^  b:/s/layer: x/layer: y/; /^  c:/s/layer: z/layer: x/; s/layer: Q/layer: z/' "$FILE"
converge 'three in a circle'
is 'each has its neighbour'"'"'s' "$(for name in a b c; do inside t/$name cat /root/layer; done | paste -sd' ')" 'z y x'

check 'down' fps down -y --timeout 0 -f "$FILE"
check 'gc' fps gc --force -y
is 'nothing is left over' "$(leftovers)" ''

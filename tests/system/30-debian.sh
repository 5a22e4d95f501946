#!/bin/bash
# A bootstrapped Debian with systemd: every example applied, then nothing to do, nothing mutated by plan, and down
# leaves nothing. The base is bootstrapped once, by examples/hello; the others take its tree, as do the guests that
# configure their network themselves (ifupdown with a DHCP client, networkd).
. "$(dirname "$0")/lib.sh"

examples=$ROOT/examples
cp -R "$PWD/examples" "$examples"
find "$examples" -name '*.yaml' -exec sed -i "s/\"8080:80\"/\"$PORT:80\"/; s/10\.31\.0\./$NET./" {} +
# A client for the DHCP guest comes with the same bootstrap.
sed -i 's/busybox\] }/busybox, isc-dhcp-client] }/' "$examples/hello/hello.yaml"
hello=$examples/hello

supervise() { # NAME, FILE
    local text status
    text=$("$BUILD/tests/system/no-mutation" -a /lock.mdb -- "$FPSYNC" --root "$ROOT" plan -f "$2" 2>&1)
    status=$?
    if [ $status -eq 0 ] || [ $status -eq 2 ]; then ok "$1"; else not_ok "$1" "$text"; fi
}

if ! timeout 120 apt-get -qq update >/dev/null 2>&1; then
    skip 'examples on a bootstrapped Debian' 'no Debian mirror can be reached'
    exit 0
fi
supervise 'plan of hello mutates nothing, with nothing there' "$hello"
converge 'examples/hello, bootstrapped' "$hello" || exit
supervise 'plan of hello mutates nothing, when it runs' "$hello"
check 'its page answers through the port' eventually 30 page "http://127.0.0.1:$PORT/" 'Hello from fpsync'
check 'systemd is up in the system container' eventually 60 sh -c \
    "lxc-attach -P $ROOT/var/lib/lxc -n $(lxc_of hello/system) -- systemctl is-system-running | grep -qE 'running|degraded'"
is 'no unit failed' "$(inside hello/system systemctl --failed --no-legend --plain | awk '{ print $1 }' | tr '\n' ' ')" ''
before=$(pid_of hello/system)
is 'a second apply says nothing' "$(fps apply -q -f "$hello" 2>&1)" ''
is 'and leaves the init' "$(pid_of hello/system)" "$before"

# From here on the bootstrapped tree stands in for bootstrap:.
debian=$ROOT/debian
cp -a "$(find "$ROOT/var/lib/fpsync/images" -maxdepth 2 -name root | head -n 1)" "$debian"
for example in "$examples"/*/; do
    name=$(basename "$example")
    [ "$name" = hello ] || [ "$name" = apps ] && continue # 64-apps.sh
    grep -qE "^converge $name " tests/system/34-examples.sh && continue # on a smaller root
    sed -i "s#source: \"bootstrap:bookworm\", packages: \[[^]]*\]#source: \"file:$debian\"#" "$example"/*.yaml
    supervise "examples/$name: plan mutates nothing, with nothing there" "$example"
    converge "examples/$name" "$example" || continue
    supervise "examples/$name: plan mutates nothing, when it runs" "$example"
done
check 'names: the client got its answer by name' eventually 20 sh -c \
    "lxc-attach -P $ROOT/var/lib/lxc -n $(lxc_of names/client) -- grep -q 'I am the server' /tmp/answer"
is 'stateful: it counted its first start' "$(fps exec stateful/counter -- cat /srv/counter/starts)" 1
check 'stateful: restart' fps restart stateful/counter
check 'stateful: it counted on' eventually 5 sh -c "[ \"\$(lxc-attach -P $ROOT/var/lib/lxc -n $(lxc_of stateful/counter) -- cat /srv/counter/starts)\" = 2 ]"
like 'command: completed' "$(fps status)" 'command/sum +completed'
is 'command: it is not run again' "$(actions_of "$(plan_of "$examples/command")")" ''
for example in many names stateful command volumes; do
    check "examples/$example: down" fps down -y --timeout 0 -f "$examples/$example"
done

# Guests that bring up their network themselves.
networkd=$ROOT/networkd
cp -a "$debian" "$networkd"
rm -f "$networkd"/etc/network/interfaces
mkdir -p "$networkd/etc/systemd/network" "$networkd/etc/systemd/system/multi-user.target.wants"
printf '[Match]\nName=eth0\n[Network]\nDHCP=ipv4\n' >"$networkd/etc/systemd/network/10-eth0.network"
ln -sf /lib/systemd/system/systemd-networkd.service "$networkd/etc/systemd/system/multi-user.target.wants/"
mkdir -p "$debian/etc/network/interfaces.d" "$debian/etc/systemd/system"
printf 'auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet dhcp\n' >"$debian/etc/network/interfaces"
for root in "$debian" "$networkd"; do
    printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c "env >/run/env-of-service"\n' \
        >"$root/etc/systemd/system/envtest.service"
    mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
    ln -sf /etc/systemd/system/envtest.service "$root/etc/systemd/system/multi-user.target.wants/"
done
spec guests <<END
project: g
images:
  ifupdown: { source: "file:$debian" }
  networkd: { source: "file:$networkd" }
networks:
  net: { subnet: 10.9.$((0x${TAG:0:2} % 250)).0/24 }
containers:
  ifup: { image: ifupdown, networks: [ net ], env: { COLOR: "deep \"blue\" \$HOME" } }
  netd: { image: networkd, networks: [ net ], env: { COLOR: "deep \"blue\" \$HOME" } }
END
converge 'two Debian guests'
for name in ifup netd; do
    check "$name: systemd is up" eventually 60 sh -c \
        "lxc-attach -P $ROOT/var/lib/lxc -n $(lxc_of g/$name) -- systemctl is-system-running | grep -qE 'running|degraded'"
    is "$name: no unit failed" "$(inside g/$name systemctl --failed --no-legend --plain | awk '{ print $1 }' | tr '\n' ' ')" ''
    like "$name: the address is its lease" "$(inside g/$name ip -4 -o addr show dev eth0)" \
        "$(fps status -o json | jq -r --arg name g/$name '.objects[] | select(.kind == "container" and .name == $name).addresses[0]')"
    is "$name: there is one address" "$(inside g/$name ip -4 -o addr show dev eth0 | wc -l)" 1
    check "$name: names resolve" inside g/$name getent hosts "$([ $name = ifup ] && echo netd || echo ifup)"
    is "$name: env in exec" "$(fps exec g/$name -- printenv COLOR)" 'deep "blue" $HOME'
    is "$name: env in a service" "$(inside g/$name sed -n 's/^COLOR=//p' /run/env-of-service)" 'deep "blue" $HOME'
    is "$name: env in PID 1" "$(tr '\0' '\n' <"/proc/$(pid_of g/$name)/environ" | sed -n 's/^COLOR=//p')" 'deep "blue" $HOME'
done
before="$(pid_of g/ifup) $(pid_of g/netd)"
converge 'when they run there is nothing to do'
is 'nor was anything done' "$(actions_of "$PLAN")" ''
is 'their inits stay' "$(pid_of g/ifup) $(pid_of g/netd)" "$before"
began=$(date +%s%N)
check 'graceful stop of a systemd guest' fps stop g/ifup
check 'it was quick' test $((($(date +%s%N) - began) / 1000000)) -lt 8000
check 'start, and stop at once' fps start g/ifup
check 'a stop right after the start is not lost' fps stop g/ifup
for file in "$SPEC/guests.yaml" "$hello"; do
    check "down of $(basename "$file")" fps down -y --timeout 0 -f "$file"
done
is 'nothing is left' "$(leftovers)" ''

# What mmdebstrap says last of a disk that is full is only that it failed.
mkdir -p "$ROOT/small/var/lib/fpsync" && mount -t tmpfs -o size=100m small "$ROOT/small/var/lib/fpsync"
spec small <<END
images: { debian: { source: "bootstrap:bookworm" } }
END
like 'a bootstrap on a disk that is full' "$("$FPSYNC" --root "$ROOT/small" apply -y -f "$FILE" 2>&1)" \
    'mmdebstrap ended with status [0-9]+: the disk of .* is full: '
check 'the small disk goes' umount "$ROOT/small/var/lib/fpsync"

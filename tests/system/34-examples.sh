#!/bin/bash
# The examples as their readers would use them, each applied and seen from its guests. A small root stands in for the
# bootstrapped Debian (30-debian.sh applies some on the real one), and ports and subnets are the test's own.
. "$(dirname "$0")/lib.sh"

LAN=lan$TAG
after_cleanup() {
    ip link del "$LAN" 2>/dev/null
}
examples=$ROOT/examples
cp -R examples "$examples"
find "$examples" -name '*.yaml' -exec sed -i -E "
    s#source: \"bootstrap:bookworm\", packages: \[[^]]*\]#source: \"file:$BUSYBOX\"#
    s#192\.168\.1\.#$NET.#g; s#10\.3[0-9]\.0\.0/24#$NET.0/25#; s#10\.33\.1\.0/24#$NET.128/25#
    s#10\.33\.0\.2\b#$NET.2#; s#10\.36\.0\.10\b#$NET.10#; s#10\.33\.1\.2\b#$NET.130#; s#br0#$LAN#
    s#\"8080:#\"$PORT:#; s#PORT 8080:#PORT $PORT:#; s#\"25:25\", \"143:143\"#\"$((PORT + 1)):80\", \"$((PORT + 2)):143\"#
    s#\"5060:5060#\"$((PORT + 3)):5060#; s#20000-20099:20000-20099#$((PORT + 100))-$((PORT + 199)):20000-20099#" {} +

answer() { # CONTAINER URL
    inside "$1" timeout 3 wget -q -O - "$2" 2>/dev/null
}
answers() { # CONTAINER URL TEXT
    answer "$1" "$2" | grep -q "$3"
}
cuts_off() { # CONTAINER URL
    ! answer "$1" "$2" >/dev/null
}
gone() { # EXAMPLE
    check "$1: down" fps down -y --timeout 0 -f "$examples/$1"
}

converge three-tiers "$examples/three-tiers"
check 'three-tiers: the page of the database comes through all three' eventually 20 page "http://127.0.0.1:$PORT/" '42 orders'
check 'three-tiers: the proxy does not reach the database' cuts_off shop/proxy "http://$(address_of shop/db)/total"
check 'three-tiers: the number is changed in the volume' inside shop/db sh -c 'echo 43 orders >/srv/records/total'
check 'three-tiers: the database is made anew' fps restart shop/db
check 'three-tiers: and the number is what it was' eventually 20 page "http://127.0.0.1:$PORT/" '43 orders'
gone three-tiers

ip link add "$LAN" address 02:00:5e:00:53:01 type bridge && ip addr add "$NET.1/24" dev "$LAN" && ip link set "$LAN" up
lan() { # what fpsync could have changed of it
    ip -4 -o addr show dev "$LAN"
    ip -o -d link show "$LAN" | grep -oE 'link/ether [^ ]*|master .*|alias .*|mtu [0-9]*'
}
before=$(lan)
converge dev-boxes "$examples/dev-boxes"
is 'dev-boxes: a leased address' "$(address_of dev/ann)" "$NET.200"
is 'dev-boxes: a declared address' "$(address_of dev/ben)" "$NET.230"
check 'dev-boxes: the LAN reaches a box' eventually 10 page "http://$NET.200/"
check 'dev-boxes: one box reaches the other' answers dev/ann "http://$NET.230/" busybox
check 'dev-boxes: something in a home' inside dev/ann touch /home/notes
check 'dev-boxes: the box is stopped and started' fps restart --timeout 0 dev/ann
check 'dev-boxes: what is in the home is still there' inside dev/ann test -e /home/notes
gone dev-boxes
is 'dev-boxes: the bridge of the host is as it was' "$(lan)" "$before"
ip link del "$LAN"

converge router "$examples/router"
is 'router: the way out of the inside' "$(inside lab/client ip route | awk '/^default/ { print $3 }')" "$NET.130"
check 'router: the client reaches the server through it' eventually 10 answers lab/client "http://$(address_of lab/server)/" busybox
check 'router: it is stopped' fps stop --timeout 0 lab/router
check 'router: nobody else forwards' cuts_off lab/client "http://$(address_of lab/server)/"
gone router

converge ci-pool "$examples/ci-pool"
check 'ci-pool: a job leaves something' inside ci/runner-1 touch /root/left
check 'ci-pool: and cannot touch the cache' sh -c "! lxc-attach -P $ROOT/var/lib/lxc -n $(lxc_of ci/runner-1) -- touch /var/cache/ci/left"
check 'ci-pool: the runner is started again' fps restart --timeout 0 ci/runner-1
check 'ci-pool: nothing is left of the job' inside ci/runner-1 test ! -e /root/left
gone ci-pool

converge inline "$examples/inline"
check 'inline: the page that stands in the spec comes through the port that the image says' \
    eventually 10 page "http://127.0.0.1:$PORT/" 'Built from a spec alone'
gone inline

mkdir -p "$ROOT/mail/var/mail" && cp -a "$BUSYBOX/." "$ROOT/mail/" && echo hello >"$ROOT/mail/var/mail/ann" && chown 8:8 "$ROOT/mail/var/mail/ann"
tar -C "$ROOT/mail" -cf "$examples/mail/mail.tar" .
converge mail "$examples/mail"
is 'mail: it is called as the spec says' "$(inside post/mail hostname)" mail.example.org
is 'mail: the volume has the mail of the tarball, owner included' "$(inside post/mail stat -c '%u %s' /var/mail/ann)" '8 6'
check 'mail: it answers on its port' eventually 10 page "http://127.0.0.1:$((PORT + 1))/"
check 'mail: new mail' inside post/mail sh -c 'echo more >/var/mail/ben'
gone mail
converge 'mail: back again' "$examples/mail"
is 'mail: with all mail' "$(inside post/mail cat /var/mail/ann /var/mail/ben | tr '\n' ' ')" 'hello more '
gone mail

converge port-range "$examples/port-range"
check 'port-range: somebody listens in the middle' inside calls/proxy sh -c 'netprobe serve-udp 20050 >/dev/null 2>&1 &'
like 'port-range: and is heard through the middle of the host' "$(
    eventually 10 "$BUILD/tests/system/netprobe" ask-udp 127.0.0.1 $((PORT + 150)) call
    "$BUILD/tests/system/netprobe" ask-udp 127.0.0.1 $((PORT + 150)) call)" 'call$'
fails 'port-range: nobody is behind its end' 1 "$BUILD/tests/system/netprobe" ask-udp 127.0.0.1 $((PORT + 199)) call
gone port-range

converge shared-network "$examples/shared-network"
check 'shared-network: the shop finds the mail server' eventually 10 answers store/web http://mail.base/ busybox
gone shared-network

devices_are_held() {
    [ "$(held_of "$(plan_of "$examples/devices")" | grep -c 'is not permitted on this host')" = 2 ]
}
check 'devices: not before root permits it' devices_are_held
mkdir -p "$ROOT/etc/fpsync" && echo 'allow: { devices: [ /dev/net/tun, /dev/kvm ] }' >"$ROOT/etc/fpsync/fpsync.conf"
converge devices "$examples/devices"
check 'devices: the gateway makes a tunnel' inside lab/vpn sh -c 'busybox tunctl -t tun7 && ip link show tun7'
check 'devices: the builder has none' inside lab/builder sh -c '[ ! -e /dev/net/tun ]'
gone devices

converge renamed "$examples/renamed"
check 'renamed: something in its layer' inside sales/till touch /root/takings
before="$(address_of sales/till) $(mac_in sales/till)"
sed -i -E 's/^  till: \{/  counter: { was: till,/' "$examples/renamed/till.yaml"
converge 'renamed: under another name' "$examples/renamed"
check 'renamed: what it wrote is there' inside sales/counter test -e /root/takings
is 'renamed: address and MAC are the same' "$(address_of sales/counter) $(mac_in sales/counter)" "$before"
gone renamed

converge forty "$examples/forty/main.yaml"
is 'forty: forty run' "$(fps status -o json | jq '[.objects[] | select(.kind == "container" and .phase == "running")] | length')" 40
check 'forty: one finds another by its name' eventually 20 answers forty/billing-web http://mail-queue/ mail-queue
is 'forty: what is said once holds for each' "$(cat "$(cgroup_of forty/search-store pids)/pids.max")" 100
check 'forty: down' fps down -y --timeout 0 -f "$examples/forty/main.yaml"
is 'nothing is left' "$(leftovers)" ''

#!/bin/bash
# A container on the host's network. The test makes no interface of its own: the host's are what the guest shall see.
. "$(dirname "$0")/walk.sh"

permit 'host_network: true, privileged: true'
one() { # ENTRIES of the container
    printf 'project: t\nimages: { guest: { source: "file:%s" } }\nnetworks: { front: { subnet: %s.0/26 }, back: { subnet: %s.64/26 } }\ncontainers: { one: { image: guest%s } }\n' \
        "$BUSYBOX" "$NET" "$NET" "$1"
}
own=$(readlink /proc/self/ns/net)
net_of() { # CONTAINER: whose network its init is in, and how many interfaces of its own it sees
    local pid
    pid=$(pid_of "$1")
    [ "$(readlink "/proc/$pid/ns/net")" = "$own" ] && echo host || inside "$1" ip -o link | awk -F': ' '$2 !~ /^lo/' | wc -l
}

# ---- there and back ----

spec own < <(one ', networks: []')
converge 'no network at first'
spec own < <(one ', networks: host')
converge 'the host'"'"'s network'
is 'by a restart' "$(class_of t/one)" restart
is 'its network is the host'"'"'s' "$(net_of t/one)" host
like 'the plan says it' "$(causes_of "$PLAN")" '^host_network (- |false )true'

# ---- from inside ----

is 'it sees the interfaces of the host' "$(inside t/one ls /sys/class/net | sort | paste -sd' ')" "$(ls /sys/class/net | sort | paste -sd' ')"
is 'and their addresses' "$(inside t/one ip -4 -o addr show dev lo | awk '{ print $4 }')" 127.0.0.1/8
is 'it has the names that the host goes by' "$(inside t/one cat /etc/resolv.conf)" "$(cat /etc/resolv.conf)"
is 'it cannot change them' "$(inside t/one ip link set lo mtu 1400 2>&1 | grep -c 'not permitted')" 1
is 'nor what is in sysfs' "$(inside t/one sh -c 'echo 1400 >/sys/class/net/lo/mtu' 2>&1 | grep -cE 'Read-only|denied')" 1
is 'nor make sysfs writable' "$(inside t/one sh -c 'mount -o remount,bind,rw /sys 2>/dev/null && echo yes || echo no')" no
is 'its hostname is its own' "$(inside t/one hostname)" one
forwarding=$(cat /proc/sys/net/ipv4/ip_forward)
inside t/one sh -c "mkdir -p /srv/www && echo busybox >/srv/www/index.html && httpd -p 127.0.0.1:$PORT -h /srv/www"
check 'what it listens on is open on the host' eventually 5 page "http://127.0.0.1:$PORT/"
check 'a restart' fps restart t/one --timeout 0
check 'a second apply makes no mutating call' "$BUILD/tests/system/no-mutation" -a /lock -a /lock.mdb -- "$FPSYNC" --root "$ROOT" apply -f "$FILE"
is 'nothing of the host was changed' "$(cat /proc/sys/net/ipv4/ip_forward)" "$forwarding"
is 'status knows of no address' "$(fps status -o json | jq -c '[.objects[] | select(.kind == "container") | .addresses[]?]')" '[]'
like 'export says so' "$(fps export)" '^ +networks: host$'
fps export >"$SPEC/exported.yaml"
cp "$SPEC/exported.yaml" "$SPEC/own.yaml"
is 'and what it says changes nothing' "$(fps plan -f "$FILE" -o json | jq -c '[.actions[] | select(.class != "record")]')" '[]'
spec own < <(one ', networks: host')
fps apply -y -f "$FILE" >/dev/null 2>&1

# ---- drift, and other containers ----

sed -i 's/^lxc.net.0.type = none/lxc.net.0.type = empty/' "$ROOT/var/lib/lxc/$(lxc_of t/one)/config"
like 'an edited config is seen' "$(causes_of "$(plan_of "$FILE")")" 'drift: its LXC config was edited'
converge 'and put right'
is 'it is what it was' "$(grep '^lxc.net' "$ROOT/var/lib/lxc/$(lxc_of t/one)/config")" 'lxc.net.0.type = none'
spec own < <(one ', networks: host, privileged: true')
converge 'with privileges'
is 'the same network' "$(net_of t/one)" host
spec own < <(one ', networks: [ front, back ]')
converge 'two networks of its own'
is 'by a recreation, the privileges being gone' "$(class_of t/one) $(net_of t/one)" 'recreate 2'
spec own < <(one ', networks: [ front ]')
converge 'back in a network of its own'
is 'with an address of its own' "$(address_of t/one | cut -d. -f1-3)" "$NET"
is 'and sysfs of its own' "$(inside t/one ls /sys/class/net | sort | paste -sd' ')" 'eth0 lo'

# ---- what is refused and held ----

permit 'privileged: true'
spec own < <(one ', networks: host')
held 'what is not permitted' 'networks: host is not permitted on this host' 'allow: \{ privileged: true, host_network: true \}'
spec bad < <(one ", networks: host, ports: [ \"$PORT:80\" ]")
like 'ports are refused' "$(fps validate -f "$FILE" 2>&1)" "bad.yaml:4:.*a container on the host's network has no ports of its own"

FILE=$SPEC/own.yaml
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
is 'nothing is left behind' "$(leftovers)" ''

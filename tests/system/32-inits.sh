#!/bin/bash
# Debian guests whose init is not systemd: sysvinit, and OpenRC below it. They boot, have their network before init is,
# take volumes and limits while they run, end by the signal that is their own, within their time, and come back.
# FPSYNC_SYSVINIT and FPSYNC_OPENRC may name archives of such roots, to be used instead of a bootstrap.
. "$(dirname "$0")/lib.sh"

if [ -z "${FPSYNC_SYSVINIT:-}" ] && ! timeout 120 apt-get -qq update >/dev/null 2>&1; then
    skip 'guests with sysvinit and OpenRC' 'no Debian mirror can be reached'
    exit 0
fi
source_of() { # ARCHIVE or nothing, PACKAGES
    if [ -n "$1" ]; then echo "source: \"file:$1\""; else echo "source: \"bootstrap:bookworm\", packages: [$2]"; fi
}
guests() { # further lines of each container
    cat <<END
project: i
images:
  sysvinit: { $(source_of "${FPSYNC_SYSVINIT:-}" 'sysvinit-core, ifupdown, busybox, iproute2') }
  openrc: { $(source_of "${FPSYNC_OPENRC:-}" 'sysvinit-core, openrc, ifupdown, busybox, iproute2') }
networks:
  net: { subnet: $NET.0/24 }
volumes: { data: {} }
containers:
  sysvinit: { image: sysvinit, networks: [ net ], env: { COLOR: "deep \"blue\"" }$1 }
  openrc: { image: openrc, networks: [ net ], env: { COLOR: "deep \"blue\"" }$1 }
END
}
up() { # CONTAINER: its boot came to its end
    [ "$(inside "$1" cat /run/up 2>/dev/null)" = up ]
}

boots() { # CONTAINER: init has come to its runlevel
    inside "$1" runlevel | grep -q ' 2$'
}

spec inits < <(guests '')
converge 'guests with sysvinit and OpenRC' || exit
for name in sysvinit openrc; do
    # A service of the guest's own, of the kind that both know; it is there from the next boot on.
    inside i/$name sh -c 'cat >/etc/init.d/uptest && chmod 755 /etc/init.d/uptest && update-rc.d uptest defaults' >/dev/null 2>&1 <<'END'
#!/bin/sh
### BEGIN INIT INFO
# Provides: uptest
# Required-Start: $all
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
# Short-Description: says that the boot came to its end, and that it was ended
### END INIT INFO
case $1 in
start) env >/run/env-of-service; echo up >/run/up ;;
stop) date >>/root/stopped ;;
esac
END
    eventually 60 boots i/$name
    began=$(date +%s%N)
    check "$name: stopped and started" fps restart i/$name
    check "$name: it did not have to be killed" test $((($(date +%s%N) - began) / 1000000)) -lt 25000
    check "$name: it boots" eventually 60 up i/$name
    check "$name: its own init is process 1" grep -qE '^init' "/proc/$(pid_of i/$name)/cmdline"
    like "$name: services were ended in order" "$(inside i/$name cat /root/stopped 2>&1 || true)$(fps restart i/$name 2>&1; eventually 60 up i/$name; inside i/$name cat /root/stopped)" '20[0-9][0-9]'
    is "$name: there is one address" "$(inside i/$name ip -4 -o addr show dev eth0 | wc -l)" 1
    like "$name: the address is its lease" "$(inside i/$name ip -4 -o addr show dev eth0)" \
        "$(fps status -o json | jq -r --arg name i/$name '.objects[] | select(.kind == "container" and .name == $name).addresses[0]')"
    check "$name: names resolve" inside i/$name getent hosts "$([ $name = openrc ] && echo sysvinit || echo openrc)"
    is "$name: env in exec" "$(fps exec i/$name -- printenv COLOR)" 'deep "blue"'
    is "$name: env in PID 1" "$(tr '\0' '\n' <"/proc/$(pid_of i/$name)/environ" | sed -n 's/^COLOR=//p')" 'deep "blue"'
    [ $name = openrc ] || # which hands services only what its rc_env_allow names
        is "$name: env in a service" "$(inside i/$name sed -n 's/^COLOR=//p' /run/env-of-service)" 'deep "blue"'
done
before="$(pid_of i/sysvinit) $(pid_of i/openrc)"
spec inits < <(guests ', volumes: [ "data:/srv/data" ], limits: { memory: 200MiB, pids: 300 }')
converge 'a volume and limits while they run'
is 'their inits stay' "$(pid_of i/sysvinit) $(pid_of i/openrc)" "$before"
check 'one writes into the volume' inside i/sysvinit touch /srv/data/seen
check 'and the other sees it' inside i/openrc test -e /srv/data/seen
for name in sysvinit openrc; do
    is "$name: its limit is in force" "$(cat "$(cgroup_of i/$name pids)/pids.max")" 300
    check "$name: start, and stop at once" fps restart i/$name
    began=$(date +%s%N)
    check "$name: a stop right after the start is not lost" fps stop i/$name
    check "$name: nor has to kill" test $((($(date +%s%N) - began) / 1000000)) -lt 25000
done
check 'down' fps down -y --timeout 0 -f "$FILE"
is 'nothing is left' "$(leftovers)" ''

#!/bin/bash
# What LXC had before fpsync: exported to a spec, taken over in place, changed like one of ours, and given back. Each
# shape keeps its init, its address and its root, and no byte of its root moves.
. "$(dirname "$0")/lib.sh"

LXC=$ROOT/var/lib/lxc
BRIDGE=xx$TAG
mkdir -p "$LXC" "$ROOT/shared" "$ROOT/etc/fpsync"
chmod 711 "$ROOT/var" "$ROOT/var/lib" "$LXC"
echo from-the-host >"$ROOT/shared/file"
after_cleanup() {
    ip link del "$BRIDGE" 2>/dev/null
}
BASE=$((0x50000000 + 0x$TAG * 16 * 1024)) # of ids, outside of fpsync's pool
ip link add "$BRIDGE" type bridge && ip addr add "$NET.1/24" dev "$BRIDGE" && ip link set "$BRIDGE" up
dnsmasq -k -C /dev/null --interface="$BRIDGE" --bind-dynamic --except-interface=lo --port=0 \
    --dhcp-range="$NET.100,$NET.120,1h" --dhcp-leasefile="$ROOT/leases" --pid-file="$ROOT/dnsmasq.pid" \
    --dhcp-authoritative 2>"$ROOT/dnsmasq.log" &

# A root of its own with a DHCP client, owned by the ids that it will run with.
root_of() { # FOLDER, first id
    cp -a "$BUSYBOX" "$1"
    ln -s busybox "$1/bin/udhcpc"
    printf '#!/bin/sh\n[ "$1" != bound ] || ip addr add "$ip/24" dev "$interface"\n' >"$1/etc/lease"
    chmod 755 "$1/etc/lease"
    [ "$2" = 0 ] || find "$1" -xdev -exec chown -h "$2:$2" {} +
}
config() { # NAME: from standard input, on top of what every one here has
    { cat && printf 'lxc.console.buffer.size = 65536\nlxc.hook.post-stop =\nlxc.mount.auto = proc:mixed sys:ro\nlxc.log.file = %s\n' "$LXC/$1/log"; } >"$LXC/$1/config"
}
name_of() {
    echo "$1.$TAG"
}
make() { # NAME, first id of its root
    mkdir -p "$LXC/$(name_of "$1")" && chmod 711 "$LXC/$(name_of "$1")"
    root_of "$LXC/$(name_of "$1")/rootfs" "$2"
}

make priv 0
config "$(name_of priv)" <<END
# Written by hand, and to stay so.
lxc.include = /usr/share/lxc/config/common.conf
lxc.hook.mount =
lxc.uts.name = priv.example.org
lxc.rootfs.path = dir:$LXC/$(name_of priv)/rootfs
lxc.net.0.type = empty
lxc.environment = COLOR=deep blue
lxc.cap.drop = sys_time net_raw
lxc.start.auto = 1
END
make unpriv $BASE
config "$(name_of unpriv)" <<END
lxc.rootfs.path = $LXC/$(name_of unpriv)/rootfs
lxc.idmap = u 0 $BASE 65536
lxc.idmap = g 0 $BASE 65536
lxc.net.0.type = veth
lxc.net.0.link = $BRIDGE
lxc.net.0.flags = up
lxc.net.0.ipv4.address = $NET.11/24
lxc.net.0.ipv4.gateway = $NET.1
END
# As lxc-copy makes it: what it writes goes into delta0.
mkdir -p "$LXC/$(name_of overlay)/"{delta0,olwork,rootfs} && chmod 711 "$LXC/$(name_of overlay)"
config "$(name_of overlay)" <<END
lxc.uts.name = Over_Lay
lxc.rootfs.path = overlay:$LXC/$(name_of priv)/rootfs:$LXC/$(name_of overlay)/delta0
END
make dhcp 0
echo '::once:/bin/echo told to the console' >>"$LXC/$(name_of priv)/rootfs/etc/inittab"
echo '::respawn:/bin/udhcpc -f -i eth0 -s /etc/lease' >>"$LXC/$(name_of dhcp)/rootfs/etc/inittab"
config "$(name_of dhcp)" <<END
lxc.rootfs.path = dir:$LXC/$(name_of dhcp)/rootfs
lxc.net.0.type = veth
lxc.net.0.link = $BRIDGE
lxc.net.0.flags = up
lxc.net.0.hwaddr = 02:16:3e:00:00:07
END
make limits 0
printf '#!/bin/sh\necho "$1 $3" >>%s\n' "$ROOT/hooks" >"$ROOT/hook"
chmod 755 "$ROOT/hook"
config "$(name_of limits)" <<END
lxc.rootfs.path = dir:$LXC/$(name_of limits)/rootfs
lxc.net.0.type = empty
lxc.mount.entry = $ROOT/shared srv/shared none bind,create=dir 0 0
lxc.cgroup.memory.limit_in_bytes = 48M
lxc.cgroup2.memory.max = 48M
lxc.cgroup.pids.max = 77
lxc.cgroup2.pids.max = 77
lxc.hook.pre-start = $ROOT/hook
lxc.signal.halt = SIGUSR2
END
SHAPES='priv unpriv overlay dhcp limits'
SPECS=() DIGESTS=
for shape in $SHAPES; do
    lxc-start -P "$LXC" -n "$(name_of $shape)" -o "$ROOT/$shape.log" -l INFO || not_ok "$shape starts" "$(tail -n 5 "$ROOT/$shape.log")"
    SPECS+=(--lxc "$(name_of $shape)")
done
leased() {
    address_of dhcp | grep -q .
}
eventually 20 leased

# Init, its start, its addresses, and the device and inode of its root and of a file in it.
identity() { # SHAPE
    local pid
    pid=$(pid_of "$1")
    echo "$pid $(cut -d' ' -f22 "/proc/$pid/stat") $(inside "$1" ip -4 -o addr show 2>/dev/null | awk '{ print $2, $4 }' | tr '\n' ' ') $(inside "$1" cat /sys/class/net/eth0/address 2>/dev/null)" \
        "$(stat -c %d:%i "/proc/$pid/root/" "/proc/$pid/root/etc/passwd" | tr '\n' ' ')"
}
bytes() { # SHAPE: all that lies in its folder but logs and its config
    find "$LXC/$(name_of "$1")" -xdev \( -name log -o -name 'config*' \) -prune -o -printf '%P %i %s %m %U %Ts\n' | grep -vE '^(|rootfs/(run|dev)[^ ]*|delta0/(run|dev)[^ ]*) ' | sort | sha256sum
}
written() { # SHAPE: its config without what adopting adds
    grep -vE '^# fpsync |^lxc.group = fpsync$|^lxc.net.0.(veth.pair|hwaddr) = ' "$LXC/$(name_of "$1")/config" | sha256sum
}
declare -A was_identity was_bytes was_config was_written
remember() {
    for shape in $SHAPES; do
        was_identity[$shape]=$(identity $shape)
        was_bytes[$shape]=$(bytes $shape)
        was_config[$shape]=$(sha256sum <"$LXC/$(name_of $shape)/config")
        was_written[$shape]=$(written $shape)
    done
}
same() { # TEXT
    for shape in $SHAPES; do
        is "$shape: $1: the same init, addresses and root" "$(identity $shape)" "${was_identity[$shape]}"
    done
}
remember
for shape in $SHAPES; do like "$shape runs" "${was_identity[$shape]}" '^[0-9]+ [0-9]+ '; done
like 'the DHCP client has an address' "${was_identity[dhcp]}" "eth0 $NET\.1[0-9][0-9]/24"

# ---- export ----
FILE=$SPEC/lxc.yaml
check 'export: whatever LXC has' fps export "${SPECS[@]}"
fps export "${SPECS[@]}" >"$FILE"
check 'what is exported is valid' fps validate -f "$FILE"
text=$(cat "$FILE")
like 'a root is an absolute path' "$text" "root: $LXC/$(name_of unpriv)/rootfs"
like 'an overlay names both' "$text" "root: .?overlay:$LXC/$(name_of priv)/rootfs:$LXC/$(name_of overlay)/delta0"
like 'a host name' "$text" 'hostname: priv.example.org'
like 'capabilities' "$text" 'drop: \[sys_time, net_raw\]'
like 'an environment' "$text" 'COLOR: deep blue'
like 'limits' "$text" 'memory: 48MiB.*pids: 77'
like 'a signal' "$text" 'stop_signal: SIGUSR2'
like 'what has no field is a line' "$text" 'lxc.hook.mount ='
like 'LXC'"'"'s own configs' "$text" 'includes: \[common\]'
like 'a mount' "$text" "$ROOT/shared:/srv/shared|source: $ROOT/shared"
is 'what LXC starts by itself is its own affair' "$(grep -c 'lxc.start.auto' <<<"$text")" 0
like 'so are hooks' "$text" "lxc.hook.pre-start = $ROOT/hook"
like 'and a host name that is none' "$text" 'lxc.uts.name = Over_Lay'
is 'export changed nothing' "$(for shape in $SHAPES; do sha256sum <"$LXC/$(name_of $shape)/config"; done)" "$(for shape in $SHAPES; do echo "${was_config[$shape]}"; done)"
mkdir "$ROOT/elsewhere" && cp -r "$LXC/$(name_of limits)" "$ROOT/elsewhere/limits"
is 'from another folder' "$(fps export --lxc limits --lxc-path "$ROOT/elsewhere" | grep -c 'memory: 48MiB')" 1
fails 'of what is not there' 1 fps export --lxc nothing

# ---- before it is asked for, nothing happens ----
PLAN=$(plan_of "$FILE")
is 'plan: all are held, none is touched' "$(held_of "$PLAN" | grep -c 'was not taken over yet') $(actions_of "$PLAN" | grep -c container)" '5 0'
fps apply -y -f "$FILE" >/dev/null 2>&1
is 'apply takes nothing over' "$?" 3
same 'before'
fps adopt -f "$FILE" >"$ROOT/out" 2>&1
is 'adopt asks what fpsync.conf permits' "$?" 3
like 'and names the line' "$(cat "$ROOT/out")" 'allow: \{ (privileged|raw_lxc): true \}'
echo 'allow: { privileged: true, raw_lxc: true }' >"$ROOT/etc/fpsync/fpsync.conf"
fps adopt --dry-run -f "$FILE" limits >"$ROOT/out" 2>&1
like 'a mount of the host is asked for, too, with the line to write' "$(cat "$ROOT/out")" "allow: \{ privileged: true, raw_lxc: true, binds: \[$ROOT/shared\] \}"
echo "allow: { privileged: true, raw_lxc: true, binds: [ $ROOT/shared ] }" >"$ROOT/etc/fpsync/fpsync.conf"
fps adopt --dry-run -f "$FILE" >"$ROOT/out" 2>&1
is 'a dry run plans' "$? $(grep -c 'adopt container' "$ROOT/out")" '2 5'
same 'after a dry run'

# ---- adopt ----
check 'adopt' fps adopt -f "$FILE"
same adopted
for shape in $SHAPES; do
    is "$shape: no byte of its root moved" "$(bytes $shape)" "${was_bytes[$shape]}"
    is "$shape: its config says what it said, our mark and what its NICs are called" "$(written $shape)" "${was_written[$shape]}"
done
PLAN=$(plan_of "$FILE")
is 'the plan after it is empty' "$(actions_of "$PLAN")$(held_of "$PLAN")" ''
check 'adopting again does nothing' fps adopt -f "$FILE"
fps export -f "$FILE" >"$ROOT/again.yaml"
is 'export of what is adopted is what was exported' "$(diff "$FILE" "$ROOT/again.yaml")" ''
converge 'apply of the export changes nothing'
is 'no action' "$(actions_of "$PLAN")" ''
same 'applied'

like 'logs has what the monitor remembers of a console without a file' "$(fps logs priv)" 'told to the console'

rm -rf "$ROOT/var/lib/fpsync/state"
check 'a lost record is made again from marks and files' fps doctor --rebuild -f "$FILE"
PLAN=$(plan_of "$FILE")
is 'and nothing is left to do' "$(actions_of "$PLAN")$(held_of "$PLAN")" ''
same 'after that'

# ---- it changes like one of ours ----
sed -i 's/memory: 48MiB/memory: 40MiB/' "$FILE"
converge 'a limit'
is 'is live' "$(cat "$(cgroup_of limits memory)"/memory.{limit_in_bytes,max} 2>/dev/null)" $((40 << 20))
is 'the same init' "$(identity limits)" "${was_identity[limits]}"
like 'and stands in its config' "$(cat "$LXC/$(name_of limits)/config")" '^lxc.cgroup2?.memory.(max|limit_in_bytes) = 41943040$'
like 'beside what has no field' "$(cat "$LXC/$(name_of limits)/config")" "^lxc.hook.pre-start = $ROOT/hook$"
is 'the file as it was written by hand is kept' "$(sha256sum <"$LXC/$(name_of limits)/config.adopted")" "${was_config[limits]}"
cp "$FILE" "$ROOT/with-bind.yaml"
sed -i "/^  limits:/,/^  [a-z]*:\$/{ /^    binds:/d; /shared/d }" "$FILE"
converge 'a mount goes'
is 'live' "$(identity limits) $(inside limits ls /srv/shared)" "${was_identity[limits]} "
cp "$ROOT/with-bind.yaml" "$FILE"
converge 'and comes back'
is 'live, too' "$(identity limits) $(inside limits cat /srv/shared/file)" "${was_identity[limits]} from-the-host"
is 'as LXC would mount it' "$(awk '$5 == "/srv/shared" { print $6 }' "/proc/$(pid_of limits)/mountinfo" | grep -c nosuid)" 0
# ---- what leads elsewhere is not lent: LXC would follow it ----
lent() { # SOURCE of a second bind
    sed "/^  limits:/,/^  [a-z]*:\$/s#^    binds:.*#&\n      - { path: /srv/second, source: $1, optional: true }#" "$ROOT/with-bind.yaml" >"$FILE"
}
mkdir -p "$ROOT/shared/below"
ln -s /etc "$ROOT/shared/link"
lent "$ROOT/shared/link"
held 'a link' "bind of $ROOT/shared/link: a symbolic link is on the way to it on the host" 'name its real path: readlink -f'
lent "$ROOT/shared/link/ssl"
held 'a link on the way' "bind of $ROOT/shared/link/ssl: a symbolic link is on the way to it on the host" 'name its real path: readlink -f'
lent "$ROOT/shared/below"
held 'what a guest could swap for a link' "bind of $ROOT/shared/below: it lies below a bind that container default/limits can write to" read_only
is 'nothing of that is in its config' "$(grep -c srv/second "$LXC/$(name_of limits)/config")" 0
cp "$ROOT/with-bind.yaml" "$FILE"
converge 'nothing else is to be done'
rm -f "$ROOT/hooks"
check 'stop' fps stop limits
is 'stops it' "$(pid_of limits)" ''
check 'start' fps start limits
isnt 'starts it' "$(pid_of limits)" ''
like 'with its hook' "$(cat "$ROOT/hooks")" "$(name_of limits) pre-start"
is 'its limit' "$(cat "$(cgroup_of limits memory)"/memory.{limit_in_bytes,max} 2>/dev/null)" $((40 << 20))
is 'its mount' "$(inside limits cat /srv/shared/file)" from-the-host
sed -i 's/COLOR: deep blue/COLOR: red/' "$FILE"
converge 'a variable'
is 'LXC would still start it by itself' "$(grep -c '^lxc.start.auto = 1$' "$LXC/$(name_of priv)/config")" 1
is 'after a restart init has it' "$(tr '\0' '\n' <"/proc/$(pid_of priv)/environ" | grep ^COLOR)" COLOR=red
capabilities_of() { # PID: what it may ever have
    sed -n 's/^CapBnd:[[:space:]]*/0x/p' "/proc/$1/status"
}
is 'and what an include says counts' "$(capabilities_of "$(pid_of priv)")" \
    "$(printf '0x%016x' $(($(capabilities_of self) & ~(1 << 25 | 1 << 13 | 1 << 33 | 1 << 32 | 1 << 16 | 1 << 17))))"
check 'restart keeps a fixed address' fps restart unpriv
eventually 10 test -n "$(address_of unpriv)"
is 'fixed' "$(address_of unpriv)" "$NET.11"
is 'and ids' "$(awk '{ print $2 }' "/proc/$(pid_of unpriv)/uid_map")" "$BASE"
lxc-stop -P "$LXC" -n "$(name_of overlay)" -k
converge 'one that was killed is started again'
isnt 'and runs' "$(pid_of overlay)" ''
sed -i 's/lxc.uts.name = Over_Lay/lxc.uts.name = Over_Two/' "$FILE"
converge 'a line'
is 'and it has the new name' "$(inside overlay hostname)" Over_Two
isnt 'where no word was said of networks it has none of the host' "$(readlink "/proc/$(pid_of overlay)/ns/net")" "$(readlink /proc/self/ns/net)"

# ---- and goes back ----
sed -i '/^  unpriv:/,/^  [a-z]*:$/{ /^  unpriv:/d; /^    /d }' "$FILE"
before=$(sha256sum <"$LXC/$(name_of unpriv)/config")
converge 'one leaves the spec'
is 'it is stopped' "$(pid_of unpriv)" ''
check 'its root stays' test -x "$LXC/$(name_of unpriv)/rootfs/sbin/init"
is 'its config carries no mark' "$(grep -c fpsync "$LXC/$(name_of unpriv)/config")" 0
check 'and starts it, as ever' lxc-start -P "$LXC" -n "$(name_of unpriv)"
is 'with its address' "$(address_of unpriv)" "$NET.11"
pid=$(pid_of dhcp)
check 'forget' fps forget container/dhcp
is 'leaves it running' "$(pid_of dhcp)" "$pid"
is 'without a mark' "$(grep -c fpsync "$LXC/$(name_of dhcp)/config")" 0
like 'it is to be adopted again' "$(held_of "$(plan_of "$FILE")")" 'dhcp: LXC container .* was not taken over yet'
check 'by its name' fps adopt -f "$FILE" dhcp
is 'the same init' "$(pid_of dhcp)" "$pid"
sed -i 's#^    root: .*priv/rootfs$#    root: /srv/elsewhere#' "$FILE"
check 'down' fps down -y --timeout 0 -f "$FILE"
for shape in priv overlay dhcp limits; do
    is "$shape: down stops it" "$(pid_of $shape)" ''
    is "$shape: down unmarks it" "$(grep -c fpsync "$LXC/$(name_of $shape)/config")" 0
    check "$shape: LXC still has it" lxc-info -P "$LXC" -n "$(name_of $shape)"
done

# ---- by name alone ----
fps adopt "$(name_of unpriv)" >"$ROOT/out" 2>&1
is 'adopt NAME writes a spec, too' "$? $(cat "$ROOT/out" | grep -c "Wrote $ROOT/etc/fpsync/specs.d/unpriv.yaml")" '0 1'
is 'and nothing is left to do' "$(fps plan)" 'Nothing to do: everything is as declared.'
fails 'of what LXC does not have' 1 fps adopt nothing
check 'down' fps down -y --timeout 0
for shape in $SHAPES; do lxc-destroy -P "$LXC" -n "$(name_of $shape)" >/dev/null 2>&1; done
kill "$(cat "$ROOT/dnsmasq.pid")"
is 'nothing of ours is left' "$(leftovers | grep -v dnsmasq)" ''

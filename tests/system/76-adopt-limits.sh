#!/bin/bash
# Limits of what LXC had before fpsync: lines of the control groups that a field can say become fields and change live,
# those that none can say stay lines, in force through every change beside them.
. "$(dirname "$0")/lib.sh"

LXC=$ROOT/var/lib/lxc
mkdir -p "$LXC" "$ROOT/etc/fpsync"
chmod 711 "$ROOT/var" "$ROOT/var/lib" "$LXC"
echo 'allow: { privileged: true, raw_lxc: true }' >"$ROOT/etc/fpsync/fpsync.conf"
device=$(stat -c '%Hd:%Ld' "$ROOT")
[ ! -e "/sys/dev/block/$device/partition" ] || device=$(cat "/sys/dev/block/$device/../dev")
other=$(cat /sys/block/*/dev | grep -v "^$device$" | head -n 1)
unified=$([ -e /sys/fs/cgroup/cgroup.controllers ] && echo yes || echo no)
if [ ! -e "/sys/dev/block/$device" ] || { [ $unified = no ] && [ ! -e /sys/fs/cgroup/blkio/blkio.throttle.read_bps_device ]; }; then
    skip 'limits of io' 'this kernel cannot limit io here'
    exit 0
fi
weighs=no
if [ -e /sys/fs/cgroup/blkio/blkio.bfq.io_serviced ] || compgen -G '/sys/fs/cgroup/*/io.bfq.weight' >/dev/null; then weighs=bfq; fi
[ ! -e /sys/fs/cgroup/io.cost.qos ] || weighs=no # then lines of both would be needed

make() { # NAME: lines from standard input
    mkdir -p "$LXC/$1.$TAG" && chmod 711 "$LXC/$1.$TAG"
    cp -a "$BUSYBOX" "$LXC/$1.$TAG/rootfs"
    { printf 'lxc.rootfs.path = dir:%s/rootfs\nlxc.net.0.type = empty\nlxc.mount.auto = proc:mixed sys:ro\n' "$LXC/$1.$TAG" && cat; } >"$LXC/$1.$TAG/config"
}
io_lines() { # DEVICE, bytes read a second, writes a second
    if [ $unified = yes ]; then
        echo "lxc.cgroup2.io.max = $1 rbps=$2 wiops=$3"
    else
        printf 'lxc.cgroup.blkio.throttle.read_bps_device = %s %s\nlxc.cgroup.blkio.throttle.write_iops_device = %s %s\n' "$1" "$2" "$1" "$3"
    fi
}
io() { # CONTAINER DEVICE: bytes read and writes a second
    local group
    group=$(cgroup_of "$1" "$([ $unified = yes ] && echo io || echo blkio)")
    if [ $unified = yes ]; then
        sed -n "s/^$2 rbps=\([^ ]*\) .*wiops=\([^ ]*\).*/\1 \2/p" "$group/io.max"
    else
        echo "$(sed -n "s/^$2 //p" "$group/blkio.throttle.read_bps_device")" "$(sed -n "s/^$2 //p" "$group/blkio.throttle.write_iops_device")"
    fi
}
weight() {
    local group
    group=$(cgroup_of "$1" "$([ $unified = yes ] && echo io || echo blkio)")
    cat "$group"/{io,blkio}.bfq.weight 2>/dev/null | awk '{ print $NF }'
}
version=$([ $unified = yes ] && echo 2 || echo '')
weight_line() {
    [ $weighs = no ] || echo "lxc.cgroup$version.$([ $unified = yes ] && echo io || echo blkio).bfq.weight = 200"
}
make said < <(
    io_lines "$device" 10485760 300
    weight_line
    [ $unified = yes ] || echo "lxc.cgroup2.io.max = $device rbps=10485760 wiops=300"
)
make other < <(
    io_lines "$device" 10485760 300
    io_lines "$other" 20971520 400
)
# No spec says a thousandth of a processor, or so little memory; the last word counts.
make odd < <(
    if [ $unified = yes ]; then
        printf 'lxc.cgroup2.cpu.max = 5000 1000000\nlxc.cgroup2.pids.max = 44\nlxc.cgroup2.pids.max = 55\nlxc.cgroup2.memory.max = 64M\nlxc.cgroup2.memory.max =\n'
    else
        printf 'lxc.cgroup.cpu.cfs_period_us = 1000000\nlxc.cgroup.cpu.cfs_quota_us = 5000\nlxc.cgroup.pids.max = 44\nlxc.cgroup.pids.max = 55\nlxc.cgroup2.memory.max = 64M\nlxc.cgroup2.memory.max =\n'
    fi
)
# What only the version says that this host does not have is not in force.
make elsewhere < <(
    if [ $unified = yes ]; then echo 'lxc.cgroup.memory.limit_in_bytes = 64M'; else echo 'lxc.cgroup2.memory.max = 64M'; fi
)
SHAPES='said other odd elsewhere'
SPECS=()
declare -A init
for shape in $SHAPES; do
    lxc-start -P "$LXC" -n "$shape.$TAG" -o "$ROOT/$shape.log" -l INFO || not_ok "$shape starts" "$(tail -n 5 "$ROOT/$shape.log")"
    SPECS+=(--lxc "$shape.$TAG")
    init[$shape]=$(pid_of $shape)
done
is 'LXC limits io' "$(io said "$device")" '10485760 300'
cpus() {
    local group
    group=$(cgroup_of odd cpu)
    cat "$group"/cpu.max "$group"/cpu.cfs_quota_us 2>/dev/null
}
cpus=$(cpus)

FILE=$SPEC/lxc.yaml
fps export "${SPECS[@]}" >"$FILE"
check 'what is exported is valid' fps validate -f "$FILE"
of() { # CONTAINER: its part of the spec
    sed -n "/^  $1:/,/^  [a-z]*:\$/p" "$FILE"
}
like 'io is a field' "$(of said)" 'io_read: 10MiB'
like 'so are its operations' "$(of said)" 'io_write_ops: 300'
[ $weighs = no ] || like 'and its weight' "$(of said)" "io_weight: $((100 + 100 * 11))"
is 'no line is left, not of the other version either' "$(of said | grep -c 'cgroup')" 0
is 'where a line is of another disk all stay lines' "$(of other | grep -o 'lxc.cgroup' | wc -l) $(of other | grep -c 'io_read')" "$([ $unified = yes ] && echo 2 || echo 4) 0"
like 'the last word of a limit is its field' "$(of odd)" 'pids: 55'
is 'what is taken back is none' "$(of odd | grep -c 'memory: ')" 0
like 'what no spec can say stays' "$(of odd)" 'lxc.cgroup2?.cpu.(max|cfs_quota_us) = 5000'
like 'what is not in force stays a line' "$(of elsewhere)" 'lxc.cgroup2?.memory.(max|limit_in_bytes) = 64M'
is 'and is no field' "$(of elsewhere | grep -c 'memory: 64')" 0

check 'adopt' fps adopt -f "$FILE"
PLAN=$(plan_of "$FILE")
is 'the plan after it is empty' "$(actions_of "$PLAN")$(held_of "$PLAN")" ''
fps export -f "$FILE" >"$ROOT/again.yaml"
is 'export of what is adopted is what was exported' "$(diff "$FILE" "$ROOT/again.yaml")" ''

sed -i 's/io_read: 10MiB/io_read: 30MiB/' "$FILE"
converge 'io changes'
is 'live' "$(io said "$device") $(pid_of said)" "31457280 300 ${init[said]}"
[ $weighs = no ] || is 'beside its weight' "$(weight said)" 200
sed -i "/^  odd:/,\$ s/pids: 55/pids: 66/" "$FILE"
converge 'another limit changes'
is 'live, and what a line says stays in force' "$(cpus) $(pid_of odd) $(cat "$(cgroup_of odd pids)/pids.max")" "$cpus ${init[odd]} 66"
check 'restart' fps restart odd
is 'and over a restart' "$(cpus) $(cat "$(cgroup_of odd pids)/pids.max")" "$cpus 66"
has_several() { [ "$(cat "$(cgroup_of odd pids)/pids.current")" -gt 1 ]; }
check 'it has come up' eventually 20 has_several
sed -i "/^  odd:/,\$ s/pids: 66/pids: 1/" "$FILE"
held 'less than it uses' 'limits.pids: 1 is less than the [0-9]+ in use' '--force lowers it'
sed -i "/^  odd:/,\$ s/pids: 1\b/pids: 66/" "$FILE"
sed -i "/^  other:/,/^  [a-z]*:\$/ s/limits: {/limits: {memory: 64MiB, /" "$FILE"
converge 'a limit beside io of two disks'
is 'which stays in force' "$(io other "$device") $(io other "$other") $(pid_of other)" "10485760 300 20971520 400 ${init[other]}"
check 'restart' fps restart other
is 'and over a restart' "$(io other "$device") $(io other "$other")" '10485760 300 20971520 400'
sed -i '/^  said:/,/^  [a-z]*:$/ s/io_read: 30MiB, //' "$FILE"
converge 'io goes'
like 'live' "$(io said "$device") $(pid_of said)" "^(max)? ?300 ${init[said]}$"
check 'forget' fps forget container/said
is 'leaves it running, limited' "$(pid_of said) $(grep -c 'io' "$LXC/said.$TAG/config" | sed 's/^[1-9].*/some/')" "${init[said]} some"
check down fps down -y --timeout 0 -f "$FILE"
lxc-stop -P "$LXC" -n "said.$TAG" -k
is 'nothing of ours is left' "$(leftovers)" ''

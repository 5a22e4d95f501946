#!/bin/bash
# Limits of io on the disk that the store lies on.
. "$(dirname "$0")/walk.sh"

device=$(stat -c '%Hd:%Ld' "$ROOT")
[ ! -e "/sys/dev/block/$device/partition" ] || device=$(cat "/sys/dev/block/$device/../dev")
if [ ! -e "/sys/dev/block/$device" ] || { [ ! -e /sys/fs/cgroup/cgroup.controllers ] && [ ! -e /sys/fs/cgroup/blkio/blkio.throttle.read_bps_device ]; }; then
    skip 'limits of io' 'this kernel cannot limit io here'
    exit 0
fi
one() { # ENTRIES of the container
    printf 'project: t\nimages: { guest: { source: "file:%s" } }\ncontainers: { one: { image: guest, networks: []%s } }\n' "$BUSYBOX" "$1"
}
io_without() { one ''; }
io_set() { one ', limits: { io_read: 20MiB, io_write: 10MiB, io_read_ops: 500, io_write_ops: 200 }'; }
io_changed() { one ', limits: { io_read: 30MiB, io_write: 5MiB, io_read_ops: 300 }'; }
io() { # CONTAINER, key of v2, file of v1
    in_cgroup "$1" blkio io.max "blkio.throttle.$3" | awk -v device="$device" -v key="$2=" '
        $1 == device && NF == 2 { found = $2 }
        $1 == device && NF > 2 { for (i = 2; i <= NF; i++) if (index($i, key) == 1) found = substr($i, length(key) + 1) }
        END { print found == "" || found == "max" ? "none" : found }'
}
effect container.limits.io_read 'io t/one rbps read_bps_device' none $((20 << 20)) $((30 << 20)) none
effect container.limits.io_write 'io t/one wbps write_bps_device' none $((10 << 20)) $((5 << 20)) none
effect container.limits.io_read_ops 'io t/one riops read_iops_device' none 500 300 none
effect container.limits.io_write_ops 'io t/one wiops write_iops_device' none 200 none none
walk t/one live io

# ---- weights ----

io_weight() { # CONTAINER
    in_cgroup "$1" blkio io.bfq.weight blkio.bfq.weight 2>/dev/null | awk '{ print $NF }'
}
weights_without() { one ''; }
weights_set() { one ', limits: { io_weight: 50 }'; }
weights_changed() { one ', limits: { io_weight: 80 }'; }
weighs=no
[ ! -e /sys/fs/cgroup/io.cost.qos ] || weighs=cost
if [ -e /sys/fs/cgroup/blkio/blkio.bfq.io_serviced ] || compgen -G '/sys/fs/cgroup/*/io.bfq.weight' >/dev/null; then weighs=bfq; fi
[ $weighs != cost ] || io_weight() { in_cgroup "$1" io io.weight '' | awk '$1 == "default" { print $2 }'; }
[ $weighs != no ] && effect container.limits.io_weight 'io_weight t/one' 100 50 80 100
[ $weighs = no ] || walk t/one live weights
if [ $weighs = no ]; then
    spec own < <(weights_set)
    held 'a weight' 'this kernel weighs no io' 'modprobe bfq'
elif [ $weighs = bfq ]; then
    spec own < <(one ', limits: { io_weight: 500 }')
    converge 'a weight above the usual'
    is 'bfq counts to 1,000' "$(io_weight t/one)" 136
    if [ ! -e /sys/fs/cgroup/io.cost.qos ]; then
        echo 300 >"$(cgroup_of t/one blkio)/$([ -e /sys/fs/cgroup/cgroup.controllers ] && echo io.bfq.weight || echo blkio.bfq.weight)"
        like 'another hand is seen' "$(causes_of "$(plan_of "$FILE")")" 'drift: limit io_weight is 2300 in the cgroup'
        converge 'and undone'
    fi
    fps restart t/one --timeout 0 >/dev/null 2>&1
    is 'it is there after a restart' "$(io_weight t/one)" 136
    fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
    fps gc --force -y >/dev/null 2>&1
fi
like 'doctor says whether it counts' "$(fps doctor 2>&1)" 'scheduler that weighs io'

spec slow < <(one ', limits: { io_write: 2MiB }')
converge 'a slow disk from the start'
began=$(date +%s%N)
inside t/one sh -c 'dd if=/dev/zero of=/srv/file bs=1M count=4 oflag=direct 2>/dev/null || dd if=/dev/zero of=/srv/file bs=1M count=4 conv=fsync 2>/dev/null'
took=$((($(date +%s%N) - began) / 1000000))
if inside t/one sh -c 'dd if=/dev/zero of=/srv/probe bs=4096 count=1 oflag=direct 2>/dev/null'; then
    is '4 MiB past the cache take their time' "$([ $took -gt 1000 ] && echo yes || echo "$took ms")" yes
else
    skip '4 MiB past the cache take their time' 'the guest cannot write past the cache'
fi
if [ -e "$(cgroup_of t/one blkio)/blkio.throttle.write_bps_device" ]; then
    echo "$device 0" >"$(cgroup_of t/one blkio)/blkio.throttle.write_bps_device"
else
    echo "$device wbps=max" >"$(cgroup_of t/one blkio)/io.max"
fi
like 'another hand is seen' "$(causes_of "$(plan_of "$FILE")")" 'drift: limit io_write is none in the cgroup'
converge 'and undone'
is 'the limit is back' "$(io t/one wbps write_bps_device)" $((2 << 20))
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1

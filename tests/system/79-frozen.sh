#!/bin/bash
# Containers that stand still, and limits that go below what is used.
. "$(dirname "$0")/walk.sh"

one() { # ENTRIES of the container, which counts
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
containers:
  one: { image: guest, networks: []$1, command: [ /bin/sh, -c, 'trap "exit 0" TERM; while :; do echo >>/srv/ticks; sleep 0.05; done' ] }
END
}
frozen_without() { one ''; }
frozen_set() { one ', frozen: true'; }
frozen_changed() { one ', frozen: false'; }
ticks=$ROOT/var/lib/fpsync/layers/t_one/upper/srv/ticks
counts() { # whether the command goes on
    local before
    eventually 10 test -s "$ticks"
    before=$(stat -c %s "$ticks")
    read -r -t 0.5 <> <(:)
    [ "$(stat -c %s "$ticks")" = "$before" ] && echo no || echo yes
}
effect container.frozen counts yes no yes yes
walk t/one - frozen

spec still < <(one ', frozen: true')
converge 'a container that begins frozen'
is 'it stands still' "$(counts)" no
is 'status says so' "$(fps status -o json | jq -r '.objects[] | select(.kind == "container") | "\(.phase) \(.reason)"')" 'running frozen'
fails 'nothing is run in it' 126 timeout 20 "$FPSYNC" --root "$ROOT" exec t/one -- true
thaw() { # by hand
    local folder
    folder=$(cgroup_of t/one freezer)
    if [ -e "$folder/freezer.state" ]; then echo THAWED >"$folder/freezer.state"; else echo 0 >"$folder/cgroup.freeze"; fi
}
thaw
is 'a hand wakes it' "$(counts)" yes
like 'that is drift' "$(causes_of "$(plan_of "$FILE")")" 'drift: its processes were woken'
converge 'it is repaired'
is 'it stands still again' "$(counts)" no
before=$(started t/one)
check 'it can be restarted' fps restart t/one
isnt 'another init runs' "$(started t/one)" "$before"
is 'and stands still, too' "$(counts)" no
check 'it can be stopped, and ends by itself' fps stop t/one
# It may stand still since before it could trap the signal: then that ended it. A kill would be 137.
like 'its command got the signal' "$(cat "$ROOT/var/lib/lxc/$(lxc_of t/one)/init/exit")" '^(0|143)$'
check 'it can be started' fps start t/one
is 'it stands still once more' "$(counts)" no
spec still < <(one '')
converge 'it goes on when nothing says otherwise'
is 'it does' "$(counts)" yes

frozen_by_hand t/one
is 'a hand freezes it' "$(counts)" no
is 'status says so' "$(fps status -o json | jq -r '.objects[] | select(.kind == "container") | "\(.phase) \(.reason)"')" 'running frozen'
like 'that is drift' "$(causes_of "$(plan_of "$FILE")")" 'drift: its processes stand still'
converge 'it is woken'
is 'it goes on' "$(counts)" yes

# ---- limits below what is used ----

spec still < <(one ', limits: { memory: 256MiB }')
converge 'a limit'
inside t/one sh -c 'mkdir -p /tmp/held && mount -t tmpfs none /tmp/held && dd if=/dev/zero of=/tmp/held/x bs=1M count=48 2>/dev/null; dd if=/dev/zero of=/srv/cached bs=1M count=32 2>/dev/null'
memory_limit() { bytes t/one memory memory.max memory.limit_in_bytes; }
spec still < <(one ', limits: { memory: 32MiB }')
like 'less than is used is held' "$(held_of "$(plan_of "$FILE")")" 'limits.memory: 32MiB is less than the .* in use'
fps apply -y -f "$FILE" >/dev/null 2>&1
is 'the limit stays' "$(memory_limit)" $((256 << 20))
if [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
    text=$(fps apply -y --force -f "$FILE" 2>&1)
    is 'not by force where the kernel takes back nothing that is in use' $? 3
    like 'and what it takes is said' "$text" 'also not by force: free some in it, or fpsync stop t/one'
    is 'the limit stays as it was' "$(memory_limit)" $((256 << 20))
fi
spec still < <(one ', limits: { memory: 256MiB, cpuset: 0-4000 }')
held 'processors that the host has not' 'limits.cpuset: the host has the processors [0-9,-]+, not all of 0-4000' 'name some of those'
spec still < <(one ', limits: { memory: 32MiB }')
spec still < <(one ', limits: { memory: 64MiB }')
converge 'what only files take is no reason' # 48 MiB and the container's own
is 'the limit is lower' "$(memory_limit)" $((64 << 20))
quiet() { # ENTRIES of a container that makes no processes
    printf 'project: t\nimages: { guest: { source: "file:%s" } }\ncontainers: { one: { image: guest, networks: []%s } }\n' "$BUSYBOX" "$1"
}
spec still < <(quiet ', limits: { memory: 64MiB }')
converge 'a quiet one'
spec still < <(quiet ', limits: { memory: 64MiB, pids: 1 }')
like 'fewer processes than there are is held' "$(held_of "$(plan_of "$FILE")")" 'limits.pids: 1 is less than the [0-9]+ in use'
fps apply -y --force -f "$FILE" >/dev/null 2>&1
is '--force does it' "$(in_cgroup t/one pids pids.max pids.max)" 1
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
is 'nothing is left behind' "$(leftovers)" ''

#!/bin/bash
# Who stands still while a backup is written, and how long: each guest only while its own data is read, and none for
# somebody else's. Those that share a volume stand together, and what is frozen already stays so.
. "$(dirname "$0")/lib.sh"

spec all <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
volumes: { first: {}, second: {}, third: {}, shared: {} }
containers:
  one: { image: guest, networks: [], volumes: [ "first:/data" ] }
  two: { image: guest, networks: [], volumes: [ "second:/data" ] }
  three: { image: guest, networks: [], volumes: [ "third:/data", "shared:/shared" ] }
  four: { image: guest, networks: [], volumes: [ "shared:/shared" ] }
  cold: { image: guest, networks: [], frozen: true }
END
converge 'four that write and one that is frozen'
guests='one two three four'
for name in one two three; do
    inside "t/$name" sh -c 'dd if=/dev/urandom of=/data/large bs=1M count=96 2>/dev/null'
done
state_of() { # CONTAINER: the file that says whether it stands
    local group
    group=$(cgroup_of "$1" freezer)
    [ -e "$group/freezer.state" ] && echo "$group/freezer.state" || echo "$group/cgroup.events"
}
for name in $guests; do printf -v "file_$name" %s "$(state_of "t/$name")"; done
watch() { # until ROOT/written: when each stood, in microseconds, line by line
    local name file
    while [ ! -e "$ROOT/written" ]; do
        for name in $guests; do
            file=file_$name
            grep -qsE '^(FROZEN|frozen 1)$' "${!file}" && echo "$name ${EPOCHREALTIME/[.,]/}"
        done
    done
}
watch >"$ROOT/stood" &
began=${EPOCHREALTIME/[.,]/}
check 'backup' fps backup "$ROOT/backup.tar"
ended=${EPOCHREALTIME/[.,]/}
touch "$ROOT/written"
wait
for name in $guests; do
    read -r from to <<<"$(awk -v name="$name" '$1 == name { from = from ? from : $2; to = $2 } END { print (from ? from : 0), (to ? to : 0) }' "$ROOT/stood")"
    printf -v "from_$name" %d "$from"
    printf -v "to_$name" %d "$to"
    check "$name stood, and not all the time" test "$from" -gt 0 -a $(((to - from) * 3)) -lt $(((ended - began) * 2))
    echo "# $name stood for $(((to - from) / 1000)) of $(((ended - began) / 1000)) ms"
done
apart() { # LEFT RIGHT: neither begins before the other has ended
    local from_left=from_$1 to_left=to_$1 from_right=from_$2 to_right=to_$2
    [ "${!to_left}" -lt "${!from_right}" ] || [ "${!to_right}" -lt "${!from_left}" ]
}
check 'the first and the second do not stand together' apart one two
check 'nor the first and the third' apart one three
check 'nor the second and the third' apart two three
check 'who shares a volume stands with its neighbour' test "$from_four" -lt "$to_three" -a "$from_three" -lt "$to_four"
is 'who was frozen is' "$(fps status -o json | jq -r '.objects[] | select(.kind == "container" and .name == "t/cold") | .reason')" frozen
converge 'and nothing is left to do'

frozen_by_hand t/two
check 'backup while somebody else has one frozen' fps backup "$ROOT/frozen.tar"
check 'it stays so' grep -qsE '^(FROZEN|frozen 1)$' "$file_two"
lxc-unfreeze -P "$ROOT/var/lib/lxc" -n "$(lxc_of t/two)"
rm -f "$ROOT/frozen.tar"

killed() { # once the third stands: the one that reads its data and the guard that would wake it, at once
    local worker guard
    stood() { grep -qsE '^(FROZEN|frozen 1)$' "$file_three"; }
    eventually 20 stood || return 1
    for guard in $(pgrep -x fpsync-thaw); do
        worker=$(ps -o ppid= -p "$guard")
        grep -qszF "$ROOT" "/proc/${worker// /}/cmdline" "/proc/${worker// /}/environ" || continue
        kill -KILL "${worker// /}" "$guard"
        return 0
    done
    return 1
}
fps backup "$ROOT/killed.tar" >"$ROOT/said" 2>&1 &
check 'the guard is killed with the one that it guards' killed
wait $!
rm -f "$ROOT/killed.tar"
check 'who stood stands' grep -qsE '^(FROZEN|frozen 1)$' "$file_three"
like 'that is drift' "$(causes_of "$(plan_of "$FILE")")" 'drift: its processes stand still'
converge 'it is woken'
fails 'it goes on' 1 grep -qsE '^(FROZEN|frozen 1)$' "$file_three"
began=$(pid_of t/three)
restarted() {
    local now
    now=$(pid_of t/three)
    [ -n "$now" ] && [ "$now" != "$began" ]
}
fps backup - 2>"$ROOT/said" | { head -c 1000000 >/dev/null; inside t/three reboot -f; eventually 20 restarted; cat >/dev/null; }
is 'a guest that boots again meanwhile is not read while it runs' "${PIPESTATUS[0]}" 1
like 'and it is said' "$(cat "$ROOT/said")" 'three.* was started again while its data was to be read'

wanted=$(sha256sum <"$ROOT/var/lib/fpsync/volumes/t_third/data/large" 2>/dev/null || find "$ROOT/var/lib/fpsync/volumes/" -path '*third*' -name large -exec sha256sum {} + | cut -d' ' -f1)
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
rm -rf "$ROOT/var/lib/fpsync" "$ROOT/var/lib/lxc" "$ROOT/run"
check 'restore' fps restore --from "$ROOT/backup.tar"
converge 'apply brings them up'
is 'with what each had written' "$(inside t/three sha256sum /data/large | cut -d' ' -f1)" "${wanted%% *}"
check 'down' fps down -y --timeout 0 -f "$FILE"
check 'gc' fps gc --force -y
is 'nothing is left over' "$(leftovers)" ''

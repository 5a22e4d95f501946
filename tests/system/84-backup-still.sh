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
for name in $guests; do
    [ "$name" = four ] || inside "t/$name" sh -c 'dd if=/dev/urandom of=/data/large bs=1M count=96 2>/dev/null'
    inside "t/$name" sh -c '(while [ ! -e /tmp/end ]; do read now rest </proc/uptime; echo "$now"; usleep 5000; done) >/tmp/beats 2>/dev/null &'
done
beats() { inside t/four sh -c 'wc -l </tmp/beats'; }
eventually 10 test "$(beats)" -gt 5
began=$(cut -d' ' -f1 /proc/uptime)
check 'backup' fps backup "$ROOT/backup.tar"
ended=$(cut -d' ' -f1 /proc/uptime)
still() { # CONTAINER: from when to when it stood, in hundredths of a second of uptime: its longest pause
    inside "t/$1" sh -c 'touch /tmp/end; cat /tmp/beats' | awk -v began="$began" -v ended="$ended" '
        $1 > began - 1 && last && $1 - last > longest && last < ended { longest = $1 - last; from = last; to = $1 }
        { last = $1 }
        END { printf "%d %d", from * 100, to * 100 }'
}
for name in $guests; do
    read -r from to <<<"$(still "$name")"
    printf -v "from_$name" %d "$from"
    printf -v "to_$name" %d "$to"
    echo "# $name stood for $(((to - from) * 10)) of $(awk "BEGIN { printf \"%d\", ($ended - $began) * 1000 }") ms"
done
apart() { # LEFT RIGHT: neither begins before the other has ended, by the clock's two ticks
    local from_left=from_$1 to_left=to_$1 from_right=from_$2 to_right=to_$2
    [ "${!to_left}" -le $((${!from_right} + 2)) ] || [ "${!to_right}" -le $((${!from_left} + 2)) ]
}
check 'the first and the second do not stand together' apart one two
check 'nor the first and the third' apart one three
check 'nor the second and the third' apart two three
check 'who shares a volume stands with its neighbour' test "$from_four" -lt "$to_three" -a "$from_three" -lt "$to_four"
is 'who was frozen is' "$(fps status -o json | jq -r '.objects[] | select(.kind == "container" and .name == "t/cold") | .reason')" frozen
converge 'and nothing is left to do'

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

#!/bin/bash
# Layers of a limited size: what a guest meets at the bound, and what becomes of its data when the bound moves.
. "$(dirname "$0")/walk.sh"

if [ ! -e /dev/loop-control ]; then
    skip 'limits.disk' 'this host has no loop devices'
    exit 0
fi
cp -a "$BUSYBOX" "$ROOT/guest"
mkdir -p "$ROOT/guest/srv/old/deep"
echo below >"$ROOT/guest/srv/old/deep/file"
echo below >"$ROOT/guest/srv/gone"

one() { # ENTRIES of the container, further containers
    printf 'project: t\nimages: { guest: { source: "file:%s" } }\ncontainers:\n  one: { image: guest, networks: []%s }\n%s\n' \
        "$ROOT/${from:-guest}" "$1" "${2-}"
}
disk() { # SIZE, further ENTRIES
    one ", limits: { disk: $1 }${2-}" "${3-}"
}
layer=$ROOT/var/lib/fpsync/layers/t_one

# ---- the walk ----

bound() { # CONTAINER: the smallest of these that its root's file system fits into
    inside "$1" df -Pk / | awk 'END {
        size = $2 / 1024
        print (size > 1000 ? "none" : size > 64 ? "96" : size > 48 ? "64" : "48") }'
}
disk_without() { one ''; }
disk_set() { disk 64MiB; }
disk_changed() { disk 48MiB; }
effect container.limits.disk 'bound t/one' none 64 48 none
walk t/one restart disk

# ---- at the bound ----

spec own < <(disk 64MiB '' '  two: { image: guest, networks: [] }')
converge 'one limited, one not'
fill() { # CONTAINER MiB: what dd says of the file
    inside "$1" sh -c 'dd if=/dev/zero of=/srv/big bs=1M count=$0 2>&1; sync' "$2"
}
like 'more does not fit' "$(fill t/one 100)" 'No space left on device'
is 'what fits is less than the bound' "$(inside t/one stat -c %s /srv/big | awk '{ print ($1 < 64 * 1048576 && $1 > 40 * 1048576 ? "yes" : $1) }')" yes
is 'the guest sees that it is full' "$(inside t/one df / | awk 'END { print ($5 + 0 >= 95 ? "full" : $0) }')" full
like 'the other has room' "$(fill t/two 100)" '100.*records out'
is 'and wrote all of it' "$(inside t/two stat -c %s /srv/big)" $((100 << 20))
inside t/one rm /srv/big
inside t/two rm /srv/big
is 'what is deleted can be written again' "$(fill t/one 30 | grep -c 'No space')" 0
inside t/one sh -c 'rm /srv/big; sync'
check 'a second apply makes no mutating call' "$BUILD/tests/system/no-mutation" -a /lock -a /lock.mdb -- "$FPSYNC" --root "$ROOT" apply -f "$FILE"

# ---- data follow ----

picture() { # of all that the guest can tell of what it has
    inside t/one sh -c 'cd /srv && find . | sort | while read -r name; do stat -c "%n %F %a %u:%g %h %Y" "$name"; [ ! -f "$name" ] || sha256sum "$name"; [ ! -L "$name" ] || readlink "$name"; done'
}
spec own < <(one '')
converge 'without the limit'
inside t/one sh -c 'cd /srv && echo data >file && ln file second && ln -s file link && mkfifo pipe && mkdir -m 1777 folder &&
    chown 33:44 file && rm gone && rm -r old && mkdir old && echo new >old/new && touch -d "2001-02-03 04:05:06" file && dd if=/dev/urandom of=folder/bytes bs=1M count=3 2>/dev/null'
before=$(picture)
moved() { # TEXT, bound
    is "$1: what it holds is the same" "$(picture)" "$before"
    is "$1: the bound" "$(bound t/one)" "$2"
    is "$1: a file with two names is one" "$(inside t/one sh -c 'test /srv/file -ef /srv/second && echo one')" one
    is "$1: what was deleted is" "$(inside t/one sh -c 'ls /srv/gone /srv/old/deep 2>/dev/null')" ''
}
spec own < <(disk 64MiB)
converge 'the limit comes to a layer that holds something'
moved 'into a file' 64
is 'nothing of it is left beside the file' "$(find "$layer/upper" "$layer/root" "$layer/frozen" -mindepth 1 2>/dev/null)" ''
spec own < <(disk 96MiB)
started_before=$(started t/one)
converge 'it grows'
moved 'a larger file' 96
if can_grow; then
    is 'it grew live' "$(class_of t/one) $(started t/one)" "live $started_before"
else
    is 'it grew at a restart: this host lets nobody do it live' "$(class_of t/one)" restart
fi
spec own < <(disk 48MiB)
converge 'it shrinks'
moved 'a smaller file' 48
is 'at a restart' "$(class_of t/one)" restart

inside t/one sh -c 'dd if=/dev/zero of=/srv/most bs=1M count=30 2>/dev/null; sync'
spec own < <(disk 20MiB)
held 'less than it holds' 'limits.disk: 20MiB has no room for the .* that its layer holds' 'allow more, or remove something first'
fps apply -y --force -f "$FILE" >/dev/null 2>&1
is 'also by force' "$(bound t/one)" 48
inside t/one rm /srv/most

spec own < <(disk 48MiB)
before=$(picture)
check 'a snapshot' fps snapshot t/one --name first
inside t/one sh -c 'echo later >/srv/later; rm /srv/file'
spec own < <(disk 64MiB)
converge 'a larger one with something frozen'
spec own < <(one '')
converge 'and none'
is 'what was frozen came along' "$(inside t/one cat /srv/later /srv/second)" 'later
data'
spec own < <(disk 64MiB)
converge 'and one again'
check 'the snapshot is gone back to' fps restore t/one first -y --timeout 0
moved 'the snapshot' 64
converge 'nothing else is to be done'
check 'a reset' fps reset t/one -y --timeout 0
is 'it begins anew' "$(inside t/one cat /srv/gone; bound t/one)" 'below
64'

# ---- other roots ----

spec own < <(disk 96MiB ', root: copy')
converge 'a copy'
is 'a copy has the bound' "$(bound t/one)" 96
inside t/one sh -c 'echo mine >/srv/mine'
spec own < <(one ', root: copy')
converge 'a copy without'
is 'a copy without: its data' "$(inside t/one cat /srv/mine; bound t/one)" 'mine
none'
spec own < <(disk 80MiB ', root: copy')
converge 'and with it again'
is 'its data and its bound' "$(inside t/one cat /srv/mine; bound t/one)" 'mine
96'
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1

permit_all=$(cat "$ROOT/etc/fpsync/fpsync.conf")
spec own < <(disk 64MiB ', privileged: true')
converge 'a privileged one'
is 'it has the bound' "$(bound t/one)" 64
inside t/one sh -c 'mknod /srv/null c 1 3; mknod /srv/disk b 7 3'
spec own < <(one ', privileged: true')
converge 'a privileged one without'
is 'its devices came along' "$(inside t/one stat -c '%n %t:%T' /srv/null /srv/disk | paste -sd' ')" '/srv/null 1:3 /srv/disk 7:3'
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1

# ---- interrupted moves, and what outlives its container ----

spec own < <(disk 64MiB)
converge 'a limited one again'
inside t/one sh -c 'echo kept >/srv/kept; sync'
fps stop t/one --timeout 0 >/dev/null 2>&1
echo half >"$layer/image.new"
mkdir -p "$layer/plain.new/upper" && echo half >"$layer/plain.new/upper/half"
echo stale >"$layer/upper/stale"
fps start t/one >/dev/null 2>&1
is 'half a move is thrown away' "$(inside t/one cat /srv/kept; inside t/one sh -c 'ls /half /stale 2>/dev/null'; ls -A "$layer" | paste -sd' ')" "kept
disk image upper work"
fps stop t/one --timeout 0 >/dev/null 2>&1
mkdir "$ROOT/mounted" "$layer/plain" && mount -o loop "$layer/image" "$ROOT/mounted" && cp -a "$ROOT/mounted/upper" "$layer/plain/"
umount "$ROOT/mounted"
fps start t/one >/dev/null 2>&1
is 'a move out that was whole is finished, and the limit asked for anew' "$(inside t/one cat /srv/kept; bound t/one)" 'kept
64'
spec own < <(printf 'project: t\n')
fps apply -y --allow-mass-delete -f "$FILE" >/dev/null 2>&1
like 'gc says what it holds' "$(fps gc --dry-run 2>&1)" 'layer t/one: kept'
spec own < <(one '')
converge 'declared again without the limit'
is 'its data are there' "$(inside t/one cat /srv/kept; bound t/one)" 'kept
none'
spec own < <(disk 64MiB ', retain: none')
converge 'one that is thrown away at every start'
inside t/one sh -c 'echo never >/srv/never'
fps restart t/one --timeout 0 >/dev/null 2>&1
is 'is empty after it, and limited' "$(inside t/one cat /srv/never 2>/dev/null; bound t/one)" 64

# ---- what it stands on ----

spec own < <(disk 64MiB)
converge 'a layer that is kept'
inside t/one sh -c 'echo kept >/srv/kept'
cp -a "$ROOT/guest" "$ROOT/other" && echo other >"$ROOT/other/srv/other"
from=other
spec own < <(disk 64MiB)
held 'what it holds is not looked into' 'what it holds lies in a file, for limits.disk, and cannot be looked into' 'on_image_change: restack'
spec own < <(disk 64MiB ', on_image_change: restack')
converge 'another image below it'
is 'it has both' "$(inside t/one cat /srv/other /srv/kept; bound t/one)" 'other
kept
64'
spec own < <(disk 48MiB ', on_image_change: restack')
converge 'what lies frozen goes into a smaller one'
is 'it has both still' "$(inside t/one cat /srv/other /srv/kept; bound t/one)" 'other
kept
48'

# ---- drift, and what is left ----

fps stop t/one --timeout 0 >/dev/null 2>&1
check 'a backup' fps backup "$ROOT/backup.tar"
rm -r "$ROOT/var/lib/fpsync" "$ROOT"/var/lib/lxc/*
check 'is read back' fps restore --from "$ROOT/backup.tar"
check 'and started' fps start t/one
is 'with all it had' "$(inside t/one cat /srv/other /srv/kept; bound t/one)" 'other
kept
48'
converge 'nothing else is to be done'
truncate -s 64M "$layer/image"
is 'a file that is larger, but not what is in it: nothing but a growth that did not come to its end' "$(causes_of "$(plan_of "$FILE")")" ''
inside t/one sync
cp "$layer/image" "$layer/larger" && e2fsck -fp "$layer/larger" >/dev/null 2>&1
resize2fs "$layer/larger" >/dev/null 2>&1
mv "$layer/larger" "$layer/image"
held 'a file of another size' 'drift: the file of its layer has 67108864 bytes, not 50331648' 'fpsync restart'
check 'a restart' fps restart t/one --timeout 0
converge 'puts that right'
is 'and loses nothing' "$(inside t/one cat /srv/other /srv/kept; bound t/one)" 'other
kept
48'
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
is 'no layer is left' "$(ls "$ROOT/var/lib/fpsync/layers")" ''
is 'no loop device is left' "$(losetup -a | grep -F "$ROOT/")" ''
is 'nothing is left behind' "$(leftovers)" ''

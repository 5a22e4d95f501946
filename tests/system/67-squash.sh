#!/bin/bash
# Images that come as squashfs are kept as they are and mounted where they are used: the same containers, builds and promises
# as on folders; nothing stays mounted, and no loop device, when nobody uses them; and the kernel sees only what was looked
# at before.
. "$(dirname "$0")/lib.sh"
. "$HERE/fetch.sh"
. "$HERE/squash.sh"
W=$ROOT/work
ARCH=$(dpkg --print-architecture)
PRELOADED="LD_PRELOAD=$BUILD/tests/preload/lacks.so ASAN_OPTIONS=verify_asan_link_order=0"
mkdir -p "$ROOT/etc/fpsync" "$W" "$ROOT/served"
needs_squashfs 'images as squashfs'

bytes() { # of all that is kept so, with what else a write would change
    find "$IMAGES" -name image.squashfs -exec sha256sum {} + -printf '%m %U:%G %s %T@\n' | sort
}
no_mutation() { # TEXT
    check "$1: a second apply makes no mutating call" "$BUILD/tests/system/no-mutation" -a /lock -a /lock.mdb -- \
        "$FPSYNC" --root "$ROOT" apply -q -f "$FILE"
}
as_user() { # CONTAINER, command...
    local name=$1
    shift
    timeout 60 env -C / lxc-attach -P "$ROOT/var/lib/lxc" -n "$(lxc_of "$name")" --clear-env -u 1000 -g 1000 -- "$@"
}
squash() { # TREE FILE [more of mksquashfs]
    local tree=$1 file=$2
    shift 2
    rm -f "$file"
    mksquashfs "$tree" "$file" -noappend -quiet -no-progress "$@" >/dev/null
}
inspected() { # NAME FIELD
    fps image inspect "$1" | jq -r ".images[0].$2"
}
down() {
    fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
}
clear_all() {
    down
    fps gc --force -y >/dev/null 2>&1
}

# A guest with what only shows where ids, modes and attributes are as they should be.
TREE=$W/tree
cp -a "$BUSYBOX" "$TREE"
sed -i 's/^root:x:/root::/' "$TREE/etc/passwd"
echo 'user:x:1000:1000:user:/:/bin/sh' >>"$TREE/etc/passwd"
mkdir -p "$TREE/srv/data" "$TREE/srv/own"
cp "$TREE/bin/busybox" "$TREE/srv/su" && chmod 4755 "$TREE/srv/su"
cp "$TREE/bin/busybox" "$TREE/srv/chown" && setcap cap_chown+ep "$TREE/srv/chown"
echo data >"$TREE/srv/data/file"
echo mine >"$TREE/srv/own/file" && chown -R 1000:1000 "$TREE/srv/own"
echo first >"$TREE/srv/mark"
ln "$TREE/srv/mark" "$TREE/srv/mark2"
setfattr -n user.note -v here "$TREE/srv/mark"
printf 'ID=squashed\nVERSION_ID="1"\n' >"$TREE/etc/os-release"
chmod 0711 "$TREE" && touch -d @1700000000 "$TREE"
squash "$TREE" "$ROOT/guest.squashfs" -comp xz

# ---- in containers ----

containers() { # SOURCE [fields of one]
    spec run <<END
project: t
images: { guest: { source: "$1" } }
volumes: { filled: {} }
containers:
  one: { image: guest, networks: []${2-} }
  two: { image: guest, networks: [], volumes: [ "filled:/srv/data" ] }
END
}
containers "file:$ROOT/guest.squashfs"
converge 'two containers on one squashfs'
digest=$(kept)
like 'it is kept as it came' "$(ls "$IMAGES/$digest")" '^image.squashfs$'
is 'byte for byte' "$(sha <"$IMAGES/$digest/image.squashfs")" "$(sha <"$ROOT/guest.squashfs")"
is 'its digest is noted' "$(inspected guest squashfs)" "$(sha <"$ROOT/guest.squashfs")"
is 'and its size' "$(inspected guest stored)" "$(stat -c %s "$ROOT/guest.squashfs")"
is 'no program may write to it' "$(stat -c '%a %u:%g' "$IMAGES/$digest/image.squashfs")" '400 0:0'
is 'nothing is unpacked' "$(ls -A "$IMAGES/$digest/root")" ''
is 'both share a device' "$(loops)" 1
is 'which is only read' "$(cat "/sys/block/$(grep -lF "$ROOT/" /sys/block/loop*/loop/backing_file | cut -d/ -f4)/ro")" 1
is 'inspect says that it is mounted' "$(inspected guest mounted)" true
is 'it is in nobody else'\''s mount table' "$(grep -c ' squashfs ' /proc/self/mountinfo)" 0
is 'owners are those of the guest' "$(inside t/one stat -c %u:%g /srv/own/file)" 1000:1000
is 'setuid works' "$(as_user t/one /srv/su -c 'id -u' 2>&1)" 0
is 'file capabilities work' "$(as_user t/one sh -c '/srv/chown 0:0 /srv/own/file && stat -c %u:%g /srv/own/file' 2>&1)" 0:0
is 'as without them' "$(as_user t/two sh -c 'chown 0:0 /srv/own/file 2>/dev/null; stat -c %u:%g /srv/own/file')" 1000:1000
is 'a volume is filled from it' "$(inside t/two cat /srv/data/file)" data
check 'it is written to as any root' inside t/one sh -c 'echo more >>/srv/mark && rm -r /srv/data && mkdir /srv/data && mv /srv/mark2 /srv/moved'
is 'by one only' "$(inside t/two cat /srv/mark)" first
no_mutation 'on a squashfs'
is 'its bytes never change' "$(sha <"$IMAGES/$digest/image.squashfs")" "$(sha <"$ROOT/guest.squashfs")"
fails 'what is used is not removed' 4 fps image rm guest
check 'down' fps down -y --timeout 0 -f "$FILE"
check 'frees the device' eventually 5 no_loops
is 'and leaves nothing' "$(leftovers)" ''
is 'inspect says so' "$(fps image inspect "$digest" | jq -r '.images[0].mounted')" false
converge 'up again'
is 'with what was written' "$(inside t/one sh -c 'cat /srv/mark /srv/moved' | paste -sd' ')" 'first more first'

# ---- after a reboot, and after kills ----

for name in one two; do
    timeout 20 lxc-stop -P "$ROOT/var/lib/lxc" -n "$(lxc_of t/$name)" -k
done
awk -v root="$ROOT/" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | tac | while read -r point; do umount -l "$point"; done
rm -rf "$ROOT/run/fpsync"
check 'all unmounted by hand, as a reboot does: no device' eventually 5 no_loops
converge 'apply mounts it again'
is 'by one device' "$(loops)" 1
is 'what was written is there' "$(inside t/one cat /srv/moved)" first
clear_all
check 'gc frees all' eventually 5 no_loops
is 'and the image' "$(kept)" ''

export KILL_LOG=$ROOT/killed
round() { # N: a run that dies before its worker's Nth call; false when it lived
    rm -f "$KILL_LOG"
    env LD_PRELOAD="$BUILD/tests/preload/kill-at.so" ASAN_OPTIONS=verify_asan_link_order=0 KILL_AT="$1" \
        setsid -w "$FPSYNC" --root "$ROOT" apply -y -q -f "$FILE" >/dev/null 2>&1
    [ -s "$KILL_LOG" ]
}
wrong=0 rounds=0
while [ $rounds -lt 100 ] && round $((rounds + 1)); do
    rounds=$((rounds + 1))
    text=$(fps apply -y -q -f "$FILE" 2>&1) && text=$(fps plan -f "$FILE" -o json) && text=$(actions_of "$text")
    [ "$(inside t/one cat /srv/mark)" = first ] || text+=' its mark is not there'
    [ "$(loops)" = 1 ] || text+=" $(loops) devices"
    [ -z "$(find "$IMAGES" -maxdepth 1 -name '.tmp*')" ] || text+=' a temporary folder'
    clear_all
    eventually 5 no_loops || text+=' a device stays'
    [ -z "$(leftovers)" ] || text+=" $(leftovers)"
    [ -z "$text" ] || { wrong=$((wrong + 1)) && not_ok "killed before $(<"$KILL_LOG")" "$text"; }
done
check "killed before each of $rounds calls: the next apply converges, and nothing leaks" test $rounds -gt 20 -a $wrong -eq 0
clear_all

# ---- the same tree, whichever way it comes ----

only_image() { # of the last spec, by the same source: what is preloaded is for no container
    cp "$FILE" "$W/whole.yaml" && grep -E '^(project|images):' "$W/whole.yaml" >"$FILE"
}
unpacked=
for lacking in squashfs idmap; do
    containers "file:$ROOT/guest.squashfs"
    only_image
    text=$(env $PRELOADED LACKS=$lacking "$FPSYNC" --root "$ROOT" apply -y -f "$FILE" 2>&1)
    cp "$W/whole.yaml" "$FILE"
    converge "without $lacking: containers on it"
    is "a kernel without $lacking: nothing is kept as it came" "$(kept)" ''
    like "without $lacking: it says why" "$text" 'unpacking it: this kernel cannot mount it for containers: '
    unpacked=$(images_in_store)
    is "without $lacking: the same image" "$unpacked" "$digest"
    is "without $lacking: it runs" "$(inside t/one cat /srv/mark)" first
    is "without $lacking: setuid" "$(as_user t/one /srv/su -c 'id -u' 2>&1)" 0
    is "without $lacking: no device" "$(loops)" 0
    is "without $lacking: no attribute differs" "$(diff <(walked "$TREE") <(walked "$IMAGES/$unpacked/root"))" ''
    no_mutation "without $lacking"
    [ $lacking = idmap ] || clear_all
done
converge 'a kernel that can, later: what is there stays'
is 'as it is' "$(kept)" ''
clear_all
for packer in gzip xz lz4 zstd; do
    mksquashfs "$TREE" "$W/x.squashfs" -comp $packer -noappend -quiet -no-progress >/dev/null 2>&1 || continue
    containers "file:$W/x.squashfs"
    check "packed by $packer" fps apply -y -q -f "$FILE"
    is "packed by $packer: it is the same image" "$(images_in_store)" "$digest"
    is "packed by $packer: it runs" "$(inside t/one cat /srv/mark)" first
    clear_all
done
# Sizes that are no whole blocks.
squash "$TREE" "$W/odd.squashfs" -nopad
containers "file:$W/odd.squashfs"
check 'one whose size is no number of blocks' fps apply -y -q -f "$FILE"
is 'is padded' "$(($(stat -c %s "$IMAGES/$(kept)/image.squashfs") % 4096))" 0
is 'the digest is that of what is stored' "$(inspected guest squashfs)" "$(sha <"$IMAGES/$(kept)/image.squashfs")"
is 'and it is the same image' "$(kept)" "$digest"
clear_all

# ---- what unpacking would change is unpacked ----

changed() { # TEXT, what is said
    containers "file:$W/x.squashfs"
    like "$1: said" "$(fps apply -y -f "$FILE" 2>&1)" "$2"
    is "$1: unpacked" "$(kept)" ''
    is "$1: it runs" "$(inside t/one cat /srv/mark)" first
    is "$1: what is dangerous is left out" "$(find "$IMAGES" -type b -o -type c -o -type s; getfattr -R -h -d -m '^trusted' "$IMAGES" 2>/dev/null)" ''
    clear_all
}
cp -a "$TREE" "$W/odd" && mknod "$W/odd/dev/x" c 1 3
squash "$W/odd" "$W/x.squashfs"
changed 'a device node' 'unpacking it: 1 of its entries'
rm "$W/odd/dev/x" && python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$W/odd/run.sock')"
squash "$W/odd" "$W/x.squashfs"
changed 'a socket' 'unpacking it: 1 of its entries'
rm "$W/odd/run.sock" && setfattr -n trusted.overlay.opaque -v y "$W/odd/srv"
squash "$W/odd" "$W/x.squashfs"
changed 'an attribute of overlays' 'unpacking it: 1 of its entries'
rm -r "$W/odd" && mkdir "$W/odd" && cp -a "$TREE" "$W/odd/rootfs" && echo 'architecture: x86_64' >"$W/odd/metadata.yaml"
squash "$W/odd" "$W/x.squashfs"
containers "file:$W/x.squashfs"
check 'a root with metadata beside it' fps apply -y -q -f "$FILE"
is 'is unpacked: the same image' "$(kept)$(images_in_store)" "$digest"
clear_all
rm -r "$W/odd"

# ---- hostile ones are never mounted ----

mkdir "$W/shapes" && "$HERE/hostile-archive" write squashfs "$W/shapes"
mounted() { # how often squashfs was asked for; the first time is the probe
    grep -c . "$ROOT/asked" 2>/dev/null
}
refused=0 wrong=
while IFS=$'\t' read -r name said; do
    [ "$said" != - ] || continue
    refused=$((refused + 1))
    rm -f "$ROOT/asked"
    printf 'images: { bad: { source: "file:%s" } }\n' "$W/shapes/$name" >"$FILE"
    env $PRELOADED LACKS_LOG="$ROOT/asked" timeout 60 "$FPSYNC" --root "$ROOT" apply -y -q -f "$FILE" >/dev/null 2>&1
    [ $? -eq 3 ] || wrong+=" $name is taken"
    [ "$(mounted)" = 1 ] || wrong+=" $name is mounted"
    [ -z "$(find "$IMAGES" -mindepth 1 -maxdepth 1)" ] || wrong+=" $name stays"
done < <("$HERE/hostile-archive" list squashfs)
is "$refused hostile ones are refused, and never mounted" "$wrong" ''
check 'there were some' test $refused -gt 30
wrong=
while IFS=$'\t' read -r name said; do
    [ "$said" = - ] || continue
    printf 'images: { bad: { source: "file:%s" } }\n' "$W/shapes/$name" >"$FILE"
    fps apply -y -q -f "$FILE" >/dev/null 2>&1 || wrong+=" $name"
    case $name in one-number | another-type | devices) [ -z "$(kept)" ] || wrong+=" $name is mounted" ;; esac
    clear_all
done < <("$HERE/hostile-archive" list squashfs)
is 'odd ones are taken, those of which the kernel would make something else unpacked' "$wrong" ''
check 'no device stays' eventually 5 no_loops
# Damaged data is found before the kernel comes upon it.
squash "$TREE" "$W/x.squashfs" -comp gzip
printf '\xff\xff\xff\xff\xff\xff\xff\xff' | dd of="$W/x.squashfs" bs=1 seek=40000 conv=notrunc status=none
rm -f "$ROOT/asked"
containers "file:$W/x.squashfs"
only_image
fails 'a damaged block: refused' 3 env $PRELOADED LACKS_LOG="$ROOT/asked" "$FPSYNC" --root "$ROOT" apply -y -q -f "$FILE"
is 'before it is mounted' "$(mounted)" 1
is 'nothing of it stays' "$(images_in_store)" ''

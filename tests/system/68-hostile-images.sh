#!/bin/bash
# Images that somebody made to break out, to fill the disk, or to take all day: tar in each packing, LXD's images, layers
# and squashfs, written byte by byte (hostile-archive). Each is refused with a reason, or taken with what is dangerous in
# it left out; and nothing of the host is touched.
. "$(dirname "$0")/lib.sh"
. "$HERE/fetch.sh"
. "$HERE/canary.sh"
after_cleanup() { canary_end; }
make_ca || { not_ok 'certificates of a CA of our own' && exit; }
mkdir -p "$ROOT/etc/fpsync" "$ROOT/served/plain"
FETCH=$BUILD/fpsync-fetch
IMAGES=$ROOT/var/lib/fpsync/images
# Once, so that the store is there before it is looked at.
spec image <<<"images: { guest: { source: \"file:$BUSYBOX\" } }"
check 'an image that harms nobody' fps apply -y -f "$FILE"
rm -r "${IMAGES:?}"/*
canary_begin

harm() { # what must not be in any image
    find "$IMAGES" \( -type b -o -type c -o -type s \) -printf 'device %P\n'
    find "$IMAGES" -type f -perm /6000 ! -path '*/root/*' -printf 'setuid %P\n'
    find "$IMAGES" -name after-the-end -printf 'beyond the end %P\n'
    lsattr -R "$IMAGES" 2>/dev/null | awk '$1 ~ /^-[-a-zA-Z]*[ia]/ { print "flags " $1 }'
    getfattr -R -h -d -m '^(trusted|security)\.' --absolute-names "$IMAGES" 2>/dev/null | grep -v '^security.capability' | grep =
}
left() { # of a run that failed
    find "$IMAGES" "$ROOT/var/lib/fpsync/downloads" -mindepth 1 -maxdepth 1 2>/dev/null
}
good=0
try() { # NAME, what is said or "-", SOURCE: counts the good ones
    local said status wanted=3 wrong=
    printf 'images: { guest: { source: "%s" } }\n' "$3" >"$FILE"
    said=$(timeout 60 "$FPSYNC" --root "$ROOT" apply -y -f "$FILE" 2>&1)
    status=$?
    [ "$2" != - ] || wanted=0
    [ $status -eq $wanted ] || wrong="status $status"
    if [ $wanted -eq 3 ]; then
        grep -qE -- "$2" <<<"$said" || wrong+=" said otherwise than $2"
        [ -z "$(left)" ] || wrong+=" left $(left)"
        LC_ALL=C grep -q '[^ -~	]' <(tr -d '\n' <<<"$said" | LC_ALL=C sed 's/[\x80-\xff]//g') && wrong+=' control characters'
    else
        wrong+=$(harm)
        fps down -y -f "$FILE" >/dev/null 2>&1 && fps gc --force -y >/dev/null 2>&1
        [ -z "$(left)" ] || wrong+=" left $(left)"
    fi
    if [ -z "$wrong" ]; then good=$((good + 1)); else not_ok "$1" "$wrong
$said"; fi
}
unpacked() { # NAME, what is said or "-", FILE, WORD: by the fetch program alone, which is killed by nothing
    local said status wrong= wanted=1
    rm -rf "$ROOT/into" && mkdir "$ROOT/into"
    [ "$4" = unpack ] || { mkdir -p "$ROOT/into/below" && ln -s / "$ROOT/into/out"; }
    said=$(timeout 60 "$FETCH" "$4" <"$3" 3<"$ROOT/into" 2>&1)
    status=$?
    [ "$2" != - ] || wanted=0
    [ $status -eq $wanted ] || wrong="status $status"
    [ $wanted -eq 0 ] || grep '^error ' <<<"$said" | grep -qE -- "$2" || wrong+=" said otherwise than $2"
    if [ -z "$wrong" ]; then good=$((good + 1)); else not_ok "$1" "$wrong
$(tail -n 3 <<<"$said")"; fi
}
counted() { # TEXT, how many
    is "$1" "$good" "$2"
    good=0
    canary_lives "$1: the host is as it was"
}

# ---- tar ----

SHAPES=$ROOT/shapes
shapes() { # KIND: written to a folder, and listed
    rm -rf "$SHAPES" && mkdir "$SHAPES"
    "$HERE/hostile-archive" write "$1" "$SHAPES"
    "$HERE/hostile-archive" list "$1" >"$ROOT/list"
    count=$(wc -l <"$ROOT/list")
}
shapes tar
while IFS=$'\t' read -r name said; do
    try "tar: $name" "$said" "file:$SHAPES/$name"
done <"$ROOT/list"
counted "$count shapes of tar: refused with a reason, or harmless" "$count"
left_out() { # SHAPE: how much
    rm -rf "$ROOT/into" && mkdir "$ROOT/into" && "$FETCH" unpack <"$SHAPES/$1" 3<"$ROOT/into" | sed -n 's/^done [0-9]* [0-9]* //p'
}
is 'flags and access lists are counted as left out' "$(left_out immutable) $(left_out access-list)" '2 2'
for packer in 'gzip -1' 'xz -0' 'zstd -q'; do
    while IFS=$'\t' read -r name said; do
        $packer -c <"$SHAPES/$name" >"$ROOT/packed"
        unpacked "$packer: $name" "$said" "$ROOT/packed" unpack
    done <"$ROOT/list"
done
counted 'the same by gzip, xz and zstd' $((3 * count))

# ---- layers ----

shapes layer
while IFS=$'\t' read -r name said; do
    unpacked "layer: $name" "$said" "$SHAPES/$name" layer
    [ -d "$ROOT/into/below" ] || not_ok "layer: $name" 'below is gone'
done <"$ROOT/list"
counted "$count layers: what they hide and where they write is below their root" "$count"

# ---- LXD's images, in one file, from a server ----

shapes whole
serve "$ROOT/served"
printf 'downloads: { ca: "%s", tries: 0 }\nremotes: { images: { url: "%s/plain" } }\n' "$PKI/ca.pem" "$SERVER" >"$ROOT/etc/fpsync/fpsync.conf"
canary_again
arch=$(dpkg --print-architecture)
publish "$ROOT/served" a:b:c '' 20240101 x whole "$arch"
place=$ROOT/served/images/a/b/$arch/c/20240101/incus_combined.tar.gz
while IFS=$'\t' read -r name said; do
    gzip -1 -c <"$SHAPES/$name" >"$place"
    add_item "$ROOT/served" "a:b:$arch:c" 20240101 incus_combined.tar.gz incus_combined.tar.gz "$place"
    relist "$ROOT/served"
    try "LXD's: $name" "$said" images:a/b/c
    rm -rf "$ROOT/var/lib/fpsync/downloads"
done <"$ROOT/list"
counted "$count images of LXD's kind" "$count"
stop_servers

# ---- squashfs ----

shapes squashfs
while IFS=$'\t' read -r name said; do
    try "squashfs: $name" "$said" "file:$SHAPES/$name"
done <"$ROOT/list"
counted "$count shapes of squashfs" "$count"
# Damaged at one place each: header, tables and data. Whatever becomes of it, the reader ends by itself.
mksquashfs "$BUSYBOX" "$ROOT/whole.squashfs" -noappend -quiet -no-progress >/dev/null
size=$(stat -c %s "$ROOT/whole.squashfs")
RANDOM=7 died=
for i in {1..60}; do
    cp "$ROOT/whole.squashfs" "$ROOT/damaged"
    case $((i % 3)) in 0) at=$((RANDOM % 96)) ;; 1) at=$((size - 1 - RANDOM % 4096)) ;; *) at=$((RANDOM * 37 % size)) ;; esac
    printf "\\x$(printf %02x $((RANDOM % 256)))" | dd of="$ROOT/damaged" bs=1 seek=$at conv=notrunc status=none
    rm -rf "$ROOT/into" && mkdir "$ROOT/into"
    timeout 20 "$FETCH" unpack <"$ROOT/damaged" 3<"$ROOT/into" >/dev/null 2>&1
    [ $? -le 1 ] || died+=" at $at"
done
is '60 damaged ones: the reader ends by itself' "$died" ''

# ---- much from little ----

bounded() { # TEXT, what is said, seconds, COMMAND that writes the archive: also memory, and what is left on the disk
    local began=$SECONDS said
    rm -rf "$ROOT/into" && mkdir "$ROOT/into"
    said=$(eval "$4" 2>/dev/null | env time -f 'peak %M' timeout 120 "$FETCH" unpack 3<"$ROOT/into" 2>&1)
    like "$1: refused" "$(grep '^error' <<<"$said")" "$2"
    check "$1: within $3 s" test $((SECONDS - began)) -le "$3"
    check "$1: within 512 MiB of memory" test "$(sed -n 's/^peak //p' <<<"$said")" -lt 524288
    check "$1: within 1 GiB of disk" test "$(du -sm "$ROOT/into" | cut -f1)" -lt 1024
}
zeros() { # PACKER: a file of 4 GiB in which nothing is, of as many members as it takes
    { "$HERE/hostile-archive" zeros | $1; head -c 64M /dev/zero | $1 >"$ROOT/member"; for _ in {1..64}; do cat "$ROOT/member"; done; }
}
for packer in 'gzip -9' 'xz -6' 'zstd -q -19'; do
    bounded "4 GiB of nothing by ${packer%% *}" '200 times its size' 60 "zeros '$packer'"
done
like 'a window of 2 GiB of zstd: refused' "$({ "$HERE/hostile-archive" zeros; head -c 300M /dev/zero; } | zstd -q --long=31 --ultra -1 |
    "$FETCH" unpack 3<"$ROOT/into" 2>&1)" '^error .*(memory|[Zz]std)|200 times'
rm -rf "$ROOT/into" && mkdir "$ROOT/into"
like '200,000 empty files: taken, within 512 MiB of memory' "$("$HERE/hostile-archive" many 0 200000 | zstd -q -1 |
    env time -f 'peak %M' timeout 120 "$FETCH" unpack 3<"$ROOT/into" 2>&1 | tail -n 2 | paste -sd' ')" '^done 200000 .*peak ([0-9]{1,5}|[1-4][0-9]{5})$'
is 'all of them are there' "$(find "$ROOT/into" -type f -empty | wc -l)" 200000
# To gzip(1), too, what follows is nothing; the others know that it is none of theirs.
behind() { # PACKER, WANTED: a packed archive and garbage
    rm -rf "$ROOT/into" && mkdir "$ROOT/into"
    { $1 -c <"$SHAPES/garbage" && head -c 5000 /dev/urandom; } | timeout 60 "$FETCH" unpack 3<"$ROOT/into" >"$ROOT/said" 2>&1
    like "garbage behind ${1%% *}'s end" "$? $(tail -n 1 "$ROOT/said")" "$2"
}
tar -C "$BUSYBOX" -cf "$SHAPES/garbage" etc
behind 'gzip -1' '^0 done '
behind 'xz -0' '^1 error .*Corrupted'
behind 'zstd -q' '^1 error .*frame descriptor'
# Of nodes, which are left out, and of one folder again and again: two million files would be the disk's time.
bounded '10 million empty nodes' 'more than 2 million' 90 "'$HERE/hostile-archive' many 3 10000000 | zstd -q -1"
bounded '10 million times one folder' '200 times its size' 90 "'$HERE/hostile-archive' many 5 10000000 | zstd -q -1"
canary_lives 'after all of it: the host is as it was'
finish

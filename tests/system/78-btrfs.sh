#!/bin/bash
# Volumes that are subvolumes, on a store that is btrfs for this test: an image of its own, mounted where the store lies.
. "$(dirname "$0")/lib.sh"

spec btrfs <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
volumes:
  data: { type: btrfs }
containers: { one: { image: guest, networks: [], volumes: [ "data:/www" ] } }
END
like 'no btrfs: the volume is held' "$(held_of "$(plan_of "$FILE")")" '^volume/t/data: it is of type btrfs, and the store is not on btrfs$'
like 'no btrfs: so is its container' "$(held_of "$(plan_of "$FILE")")" '^container/t/one: it needs volume t/data, which is held$'

if ! [ -x /sbin/mkfs.btrfs ] || ! { modprobe btrfs 2>/dev/null; grep -qw btrfs /proc/filesystems; }; then
    skip 'subvolumes' 'this host has no btrfs, or no mkfs.btrfs'
    exit
fi
STORE=$ROOT/var/lib/fpsync
mkdir -p "$STORE"
truncate -s 512M "$ROOT/disk" && mkfs.btrfs -q "$ROOT/disk" >/dev/null && mount -o loop "$ROOT/disk" "$STORE" || exit
chmod 711 "$STORE"

is_subvolume() {
    [ "$(stat -c %i "$1")" = 256 ]
}
converge 'a subvolume'
check 'a subvolume: it is one' is_subvolume "$STORE/volumes/t_data/data"
check 'a subvolume: filled from the image' inside t/one test -e /www/index.html
inside t/one sh -c 'echo kept >/www/mark'
is 'a subvolume: ids of the container on disk' "$(stat -c %u "$STORE/volumes/t_data/data/mark")" 0
fps restart t/one >/dev/null 2>&1
is 'a subvolume: restarted, the data is there' "$(inside t/one cat /www/mark)" kept
before=$(pid_of t/one)
check 'a snapshot of it' fps snapshot volume/t/data --name good
check 'a snapshot of it is a subvolume, too' is_subvolume "$STORE/volumes/t_data/frozen/1"
is 'nobody was stopped for it' "$(pid_of t/one)" "$before"
inside t/one sh -c 'echo later >/www/mark'
check 'it is gone back to' fps restore volume/t/data good
is 'and as it was' "$(inside t/one cat /www/mark)" kept
check 'still a subvolume' is_subvolume "$STORE/volumes/t_data/data"
check 'what it replaced is one as well' is_subvolume "$STORE/volumes/t_data/frozen/2"
is 'nothing is left to do' "$(actions_of "$(plan_of "$FILE")")" ''
btrfs subvolume create "$STORE/volumes/t_data/data/nested" >/dev/null 2>&1
btrfs subvolume snapshot -r "$STORE/volumes/t_data/data" "$STORE/volumes/t_data/data/nested/old" >/dev/null 2>&1
inside t/one sh -c 'echo deep >/www/nested/mark'
check 'backup' fps backup "$ROOT/backup.tar"
listing=$(tar --ignore-zeros -tf "$ROOT/backup.tar" 2>/dev/null) # several archives
for name in data/mark data/nested/mark data/nested/old/mark frozen/1/mark; do
    is "backup: it has $name" "$(grep -cx "./volumes/t_data/$name" <<<"$listing")" 1
done

sed -i 's/^  data: .*/&\n  more: { type: btrfs, size: 16MiB }/; s#"data:/www"#&, "more:/srv"#' "$FILE"
like 'a size without quotas is held' "$(fps plan -f "$FILE" 2>&1)" "it has a size, and the store's btrfs has no quotas"
like 'and says how to have them' "$(fps plan -f "$FILE" 2>&1)" "btrfs quota enable $STORE"
btrfs quota enable "$STORE"
btrfs quota rescan -w "$STORE" >/dev/null 2>&1
converge 'a subvolume with a size, attached live'
fails 'with a size: it is full at its bound' 1 inside t/one dd if=/dev/zero of=/srv/big bs=1M count=40
inside t/one rm -f /srv/big
before=$(pid_of t/one)
sed -i 's/size: 16MiB/size: 64MiB/' "$FILE"
converge 'grown live'
sync -f "$STORE"
check 'grown live: more fits in' inside t/one dd if=/dev/zero of=/srv/big bs=1M count=40
is 'grown live: the init stays' "$(pid_of t/one)" "$before"
id=$(btrfs subvolume list "$STORE" | awk '$NF ~ "t_more/data$" { print $2 }')
btrfs qgroup limit 20M "0/$id" "$STORE"
like 'another bound is seen' "$(causes_of "$(plan_of "$FILE")")" 'drift: its quota is of 20971520 bytes'
converge 'another bound: repaired'
btrfs qgroup limit none "0/$id" "$STORE"
like 'no bound is seen' "$(causes_of "$(plan_of "$FILE")")" 'drift: its quota is gone'
converge 'no bound: repaired'
btrfs qgroup destroy "0/$id" "$STORE" 2>/dev/null
converge 'a group that is gone: repaired, where the kernel lets it go'
btrfs quota rescan -w "$STORE" >/dev/null 2>&1
fails 'the bound holds again' 1 inside t/one dd if=/dev/zero of=/srv/more bs=1M count=40
inside t/one rm -f /srv/more
is 'all that live' "$(pid_of t/one)" "$before"
sed -i 's/size: 64MiB/size: 32MiB/' "$FILE"
fails 'it does not shrink' 6 fps plan -f "$FILE"
sed -i 's/size: 32MiB/size: 64MiB/' "$FILE"

fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
check 'gc frees subvolumes, nested and read-only ones among them' fps gc --force -y
is 'gc frees subvolumes: none is left' "$(btrfs subvolume list "$STORE")" ''
rm -rf "${STORE:?}"/* "$ROOT/run" "$ROOT/var/lib/lxc"
check 'restore' fps restore --from "$ROOT/backup.tar"
is 'restore: the volume has its content' "$(cat "$STORE/volumes/t_data/data/mark")" kept
is 'restore: and what a guest nested in it' "$(cat "$STORE/volumes/t_data/data/nested/mark" "$STORE/volumes/t_data/data/nested/old/mark" | paste -sd' ')" 'deep kept'
sed -i '/^  more:/d; s/, "more:[^"]*"//' "$FILE"
converge 'apply brings it up'
is 'restore: the guest has it' "$(inside t/one cat /www/mark /www/nested/mark | paste -sd' ')" 'kept deep'
# As a guest nests them: deeper than one may have files open, and one that is read-only among them.
nest() {
    local n
    cd "$STORE/volumes/t_data/data" || return
    for ((n = 0; n < 700; n++)); do btrfs subvolume create n && cd n || return; done
    for ((n = 0; n < 300; n++)); do mkdir n && cd n || return; done
    btrfs property set -ts "$STORE/volumes/t_data/data/n/n/n" ro true
}
(nest) >/dev/null 2>&1
is 'hundreds of subvolumes lie in one another' "$(btrfs subvolume list "$STORE" | grep -c 'data/n')" 700
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
gc_of_all() { # with as many open files as is usual
    (ulimit -Sn 1024 && fps gc --force -y)
}
check 'gc of what was restored, and of them' gc_of_all
is 'none is left' "$(btrfs subvolume list "$STORE")" ''
is 'nor anything that was set aside' "$(ls -A "$STORE/volumes")" ''
rm -rf "${STORE:?}"/*
umount "$STORE"
is 'nothing is left' "$(leftovers)" ''

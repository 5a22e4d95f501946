#!/bin/bash
# What a loss of power right after a run leaves: a copy of the disk that the store lies on, as it is on disk by then.
. "$(dirname "$0")/lib.sh"

if ! [ -x /sbin/mkfs.ext4 ]; then
    skip 'a loss of power' 'this host has no mkfs.ext4'
    exit
fi
STORE=$ROOT/var/lib/fpsync
mkdir -p "$STORE" "$ROOT/later"
truncate -s 256M "$ROOT/disk" && mkfs.ext4 -q "$ROOT/disk" >/dev/null && mount -o loop "$ROOT/disk" "$STORE" || exit
chmod 711 "$STORE"
GUEST=$ROOT/guest
cp -a "$BUSYBOX" "$GUEST"
mkdir -p "$GUEST/srv/seed"
seq 300000 >"$GUEST/srv/seed/numbers"
lose_power() {
    sync "$ROOT/disk" && cp --sparse=always "$ROOT/disk" "$ROOT/copy" && mount -o loop "$ROOT/copy" "$ROOT/later"
}

spec power <<END
project: t
images: { guest: { source: "file:$GUEST" } }
volumes: { data: {} }
containers: { one: { image: guest, networks: [], volumes: [ "data:/srv/seed" ] } }
END
converge 'a new volume, filled from the image'
# Names are on disk with any file that somebody has written there; what is in files is not.
touch "$STORE/another" && sync "$STORE/another"
check 'power is lost' lose_power
check 'its mark is on disk' test -e "$ROOT/later/volumes/t_data/used"
check 'and so is what it was filled with' cmp "$ROOT/later/volumes/t_data/data/numbers" "$GUEST/srv/seed/numbers"
umount "$ROOT/later"

fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
check 'gc' fps gc --force -y
rm -rf "${STORE:?}"/*
umount "$STORE"
is 'nothing is left' "$(leftovers)" ''

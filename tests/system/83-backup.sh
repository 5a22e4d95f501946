#!/bin/bash
# A whole root in one file, and back into an empty one: data, leases, snapshots and images are as they were.
. "$(dirname "$0")/lib.sh"

spec all <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
networks:
  front: { subnet: $NET.0/25 }
  leased: {}
volumes: { data: {}, sized: { size: 16MiB } }
containers:
  one: { image: guest, networks: [ front, leased ], volumes: [ "data:/data", "sized:/sized" ], env: { DB_PASSWORD: "hidden value" } }
  two: { image: guest, networks: { front: { address: $NET.20 } }, root: copy }
  three: { image: guest, networks: [] }
END
converge 'what is to be kept'
inside t/one sh -c 'echo layer >/srv/mine; echo volume >/data/mine; echo sized >/sized/mine; chown 7:8 /srv/mine; ln /srv/mine /srv/same; rm /www/index.html; mkfifo /srv/pipe'
inside t/two sh -c 'echo copy >/srv/mine'
check 'a snapshot' fps snapshot t/one --name good
inside t/one sh -c 'echo later >/srv/later'
check 'one is stopped by hand' fps stop t/three --timeout 0
facts() { # what has to be the same again
    echo "$(address_of t/one) $(address_of t/one eth1) $(mac_in t/one) $(mac_in t/one eth1) $(address_of t/two) $(mac_in t/two) ids $(awk '{ print $2 }' "/proc/$(pid_of t/one)/uid_map")"
    inside t/one sh -c 'cat /srv/mine /srv/later /data/mine /sized/mine; stat -c "%u:%g %h" /srv/mine; ls /www; stat -c %F /srv/pipe; env | grep -c DB_PASSWORD; tr "\0" "\n" </proc/1/environ | grep DB_'
    inside t/two cat /srv/mine
    inside t/one cat /data/sub/.tmp-1 /srv/sub/.tmp-2 /data/.tmp-3
    fps snapshot -o name
    [ -z "$(pid_of t/three)" ] && echo 'three is stopped'
    fps history -o json | jq '.generations | length'
}
inside t/one sh -c 'mkdir -p /data/sub /srv/sub; echo own >/data/sub/.tmp-1; echo own >/srv/sub/.tmp-2; echo own >/data/.tmp-3'
mkdir -p "$ROOT/var/lib/fpsync/layers/.tmp-own"
before=$(facts)
is 'there is something to lose' "$(wc -l <<<"$before")" 17
file=$ROOT/backup.tar
inside t/one sh -c '(while [ ! -e /data/end ]; do echo x >>/data/ticks; sleep 0.02; done) >/dev/null 2>&1 &'
eventually 10 test -s "$ROOT/var/lib/fpsync/volumes/t_data/data/ticks"
check 'backup' fps backup "$file"
inside t/one touch /data/end
check 'it is an archive' tar -tf "$file"
is 'what is half made stays out of it' "$(tar --ignore-zeros -tf "$file" 2>/dev/null | grep -c tmp-own)" 0
rmdir "$ROOT/var/lib/fpsync/layers/.tmp-own"
is 'nothing half made lies beside it' "$(ls "$file"*)" "$file"
is 'the guests go on' "$(inside t/one sh -c 'echo on')" on
if chattr +i "$ROOT/var/lib/fpsync" 2>/dev/null; then
    check 'a store that takes nothing more is backed up, too' fps backup "$ROOT/full.tar"
    chattr -i "$ROOT/var/lib/fpsync"
    is 'with the note of what it is' "$(tar -xOf "$ROOT/full.tar" ./.backup)" 'fpsync backup 2'
    rm -f "$ROOT/full.tar"
else
    skip 'a store that takes nothing more' 'this file system knows no immutable files'
fi
check 'to a pipe' sh -c "'$FPSYNC' --root '$ROOT' backup - | cat >'$ROOT/piped.tar' && tar -tf '$ROOT/piped.tar' >/dev/null"
fails 'a backup is not read into a root that is in use' 1 fps restore --from "$file"

check 'down' fps down -y --timeout 0 -f "$FILE"
check 'and freed' fps gc --force -y
rm -rf "$ROOT/var/lib/fpsync" "$ROOT/var/lib/lxc" "$ROOT/run"
cp "$file" "$ROOT/damaged.tar"
printf 'X' | dd of="$ROOT/damaged.tar" bs=1 seek=5000 conv=notrunc 2>/dev/null
fails 'a damaged one is refused' 1 fps restore --from "$ROOT/damaged.tar"
head -c 100000 "$file" >"$ROOT/cut.tar"
fails 'one that was cut off is refused' 1 fps restore --from "$ROOT/cut.tar"
is 'and nothing came of them' "$(ls -A "$ROOT/var/lib/fpsync/layers" "$ROOT/var/lib/fpsync/state" "$ROOT/var/lib/fpsync/images" 2>/dev/null | grep -v : | grep .)" ''
# Somebody else's words on who may read what: the digest at the end is no signature.
mkdir "$ROOT/forged" && tar --ignore-zeros -xpf "$file" -C "$ROOT/forged" 2>/dev/null
chmod 777 "$ROOT"/forged/{secrets,images,layers,volumes} "$ROOT/forged/state/data.mdb"
chmod 644 "$ROOT"/forged/secrets/* && chown 65534 "$ROOT"/forged/secrets "$ROOT"/forged/secrets/*
forge_backup() {
    tar -C "$ROOT/forged" -cf "$ROOT/forged.tar" .backup secrets images layers volumes state
    printf 'fpsync-backup-sha256 %s\n' "$(sha256sum <"$ROOT/forged.tar" | cut -d' ' -f1)" >>"$ROOT/forged.tar"
}
mknod "$ROOT/forged/secrets/device" c 240 77 && forge_backup
like 'one with a device in it is refused, and the device is not opened' "$(fps restore --from "$ROOT/forged.tar" 2>&1)" 'device is no plain file'
rm -f "$ROOT/forged/secrets/device" && forge_backup
check 'one of open folders is restored' fps restore --from "$ROOT/forged.tar"
is 'and nobody gets in' "$(cd "$ROOT/var/lib/fpsync" && stat -c '%n %U %a' secrets images layers volumes secrets/key state/data.mdb | paste -sd' ')" \
    'secrets root 700 images root 700 layers root 700 volumes root 700 secrets/key root 600 state/data.mdb root 600'
rm -rf "$ROOT/var/lib/fpsync" "$ROOT/var/lib/lxc" "$ROOT/run" "$ROOT/forged"
check 'restore' fps restore --from "$file"
converge 'apply brings everything up'
is 'all is as it was' "$(facts | sed '/^[0-9]*$/d')" "$(sed '/^[0-9]*$/d' <<<"$before")"
check 'down again' fps down -y --timeout 0 -f "$FILE"
check 'a snapshot goes by its name' fps gc layer/t/one@good
check 'and all else' fps gc --force -y
rm -rf "$ROOT/var/lib/fpsync" "$ROOT/var/lib/lxc" "$ROOT/run"
check 'restore from a pipe' sh -c "cat '$ROOT/piped.tar' | '$FPSYNC' --root '$ROOT' restore --from -"
converge 'apply brings it up, too'
is 'with its data' "$(inside t/one cat /srv/mine /data/mine | paste -sd' ')" 'layer volume'
check 'down at last' fps down -y --timeout 0 -f "$FILE"
is 'nothing is left over' "$(leftovers)" ''

#!/bin/bash
# A restart finds out before the stop what the start needs, and a start that fails tells what LXC said about it.
. "$(dirname "$0")/lib.sh"

mkdir -p "$ROOT/first" "$ROOT/bound" "$ROOT/var/lib/lxc" "$ROOT/etc/fpsync" && cp -a "$BUSYBOX/." "$ROOT/first"
echo "allow: { binds: [$ROOT/bound], raw_lxc: true, privileged: true }" >"$ROOT/etc/fpsync/fpsync.conf"
one() { # FURTHER ENTRIES: the container that is restarted
    spec one <<END
project: t
images: { guest: { source: "file:$ROOT/first" } }
containers:
  one: { image: guest, networks: []${1:+, $1} }
END
}
goes_on() { # TEXT, what is said, command...: it fails, and the container runs as it did
    local text=$1 said=$2 output before status
    shift 2
    before=$(pid_of t/one)
    output=$("$@" 2>&1)
    status=$?
    is "$text: fails" $status 3
    like "$text: says why" "$output" "$said"
    isnt "$text: a container ran before" "$before" ''
    is "$text: and goes on" "$(pid_of t/one)" "$before"
}

# ---- what can be known before ----

truncate -s 4M "$ROOT/disk" && mkfs.ext4 -q -m 0 -b 1024 "$ROOT/disk" && mount -o loop "$ROOT/disk" "$ROOT/var/lib/lxc" && chmod 711 "$ROOT/var/lib/lxc" || exit
one && converge 'a container whose config lies on a disk of its own' || exit
fill() { # FOLDER: to the last block
    mkdir "$1/.full"
    local number
    dd if=/dev/zero of="$1/.full/0" bs=1M status=none 2>/dev/null
    for number in $(seq 64); do
        dd if=/dev/zero of="$1/.full/$number" bs=1k oflag=sync status=none 2>/dev/null
        [ -s "$1/.full/$number" ] || return 0
    done
    return 1
}
check 'its disk is full' fill "$ROOT/var/lib/lxc"
one 'env: { A: b }'
goes_on 'no room for its config' 'config.new.*No space left' fps apply -y -f "$FILE"
rm -r "$ROOT/var/lib/lxc/.full"
converge 'with room it is restarted'
is 'as asked' "$(inside t/one sh -c 'echo $A')" b

digest=$(basename "$(dirname "$(echo "$ROOT"/var/lib/fpsync/images/*/complete)")")
mv "$ROOT/var/lib/fpsync/images/$digest/complete" "$ROOT/kept"
goes_on 'an image that is not whole' "image $digest is not whole in the store" fps restart t/one
mv "$ROOT/kept" "$ROOT/var/lib/fpsync/images/$digest/complete"
check 'once it is' fps restart t/one

one "env: { A: b }, binds: [\"$ROOT/bound:/srv/bound\"]" && converge 'a folder of the host'
mv "$ROOT/bound" "$ROOT/bound.away"
goes_on 'a folder of the host that is not there' "$ROOT/bound on the host" fps restart t/one
mv "$ROOT/bound.away" "$ROOT/bound"
check 'once that is' fps restart t/one

# A snapshot stops it, too; on a store that is full it would stay down.
check 'it is stopped' fps stop --timeout 0 t/one
small_store() {
    truncate -s 64M "$ROOT/small" && mkfs.ext4 -q -m 0 -b 1024 "$ROOT/small" && mv "$ROOT/var/lib/fpsync" "$ROOT/store" && mkdir "$ROOT/var/lib/fpsync" &&
        mount -o loop "$ROOT/small" "$ROOT/var/lib/fpsync" && cp -a "$ROOT/store/." "$ROOT/var/lib/fpsync"
}
check 'its store is on a small disk' small_store
check 'it is started' fps start t/one
check 'whose disk is full' fill "$ROOT/var/lib/fpsync"
goes_on 'a snapshot without room' 'has no room for its files' fps snapshot t/one --name full
rm -r "$ROOT/var/lib/fpsync/.full"
check 'with room it is made' fps snapshot t/one --name full
isnt 'and it runs' "$(pid_of t/one)" ''

# Where its work folder cannot be made, the kernel mounts an overlay read-only.
check 'it is stopped again' fps stop --timeout 0 t/one
check 'its work folder goes' find "$ROOT/var/lib/fpsync/layers" -mindepth 3 -maxdepth 3 -name work -exec rm -r {} +
check 'its disk is full again' fill "$ROOT/var/lib/fpsync"
said=$(fps start t/one 2>&1)
is 'a root without room for it: fails' $? 3
like 'says why' "$said" 'overlay of layer t_one: the disk that it lies on is full'
rm -r "$ROOT/var/lib/fpsync/.full"
check 'with room it starts' fps start t/one

# ---- what cannot ----

says_why() { # TEXT, pattern...
    local text=$1 output status
    shift
    output=$(fps apply -y -f "$FILE" 2>&1)
    status=$?
    is "$text: fails" $status 3
    for pattern; do like "$text: says why" "$output" "$pattern"; done
}
one 'lxc: [ "lxc.hook.pre-start = /nowhere/hook" ]'
says_why 'a hook that is not there' 'cannot start: Script exited with status 127'
one 'lxc: [ "lxc.mount.entry = /nowhere/at-all srv/x none bind,create=dir 0 0" ]'
says_why 'a mount that cannot be' 'Failed to mount "/nowhere/at-all"'
check 'down' fps down -y -f "$FILE"
mkdir "$ROOT/bare" && echo page >"$ROOT/bare/page"
spec bare <<END
project: t
images: { bare: { source: "file:$ROOT/bare" } }
containers:
  bare: { image: bare, networks: [] }
END
says_why 'an image that runs nothing' 'its image has no /sbin/init that could run, .* by command: or by CMD .*systemd-sysv, dbus.*/log\)'
is 'and leaves out what LXC calls it' "$(fps apply -y -f "$FILE" 2>&1 | grep -cE 'ABORTING|sequence number')" 0
check 'down' fps down -y -f "$FILE"

# One whose config LXC wrote logs where its owner says, or nowhere.
mkdir -p "$ROOT/var/lib/lxc/old.$TAG" && chmod 711 "$ROOT/var/lib/lxc/old.$TAG"
printf 'lxc.rootfs.path = dir:%s/first\nlxc.net.0.type = empty\nlxc.mount.auto = proc:mixed sys:ro\nlxc.hook.pre-start = %s/hook\n' "$ROOT" "$ROOT" >"$ROOT/var/lib/lxc/old.$TAG/config"
printf '#!/bin/sh\n[ -e %s/good ]\n' "$ROOT" >"$ROOT/hook" && chmod 755 "$ROOT/hook" && touch "$ROOT/good"
fps export --lxc "old.$TAG" >"$SPEC/old.yaml" && FILE=$SPEC/old.yaml
check 'what LXC had is taken over' fps adopt -y -f "$FILE"
check 'and runs' fps start old
rm "$ROOT/good"
fails 'a start whose hook says no' 3 fps restart old
says_why 'and an apply' 'cannot start: Script exited with status 1; .*/old.*/log'
sed -i "s|lxc: \[|&lxc.log.file = $ROOT/owners.log, |" "$FILE"
echo 'lxc old 20260101000000.000 ERROR    start - ../src/lxc/start.c:x:1 - of another day' >"$ROOT/owners.log"
said=$(fps apply -y -f "$FILE" 2>&1)
isnt "a container with a log of its owner" "$(grep -c owners.log "$FILE")" 0
like 'the owner has a log' "$said" "cannot start: Script exited with status 1; .*owners.log"
check 'that goes on as it was' grep -q 'of another day' "$ROOT/owners.log"
is 'and is read from this start on' "$(grep -c 'of another day' <<<"$said")" 0
touch "$ROOT/good"
check 'it starts' fps apply -y -f "$FILE"
check 'down' fps down -y -f "$FILE"

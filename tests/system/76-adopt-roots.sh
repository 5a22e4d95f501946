#!/bin/bash
# Roots that are no folder: LXC mounts them itself, and goes on doing so for an adopted container.
. "$(dirname "$0")/lib.sh"

LXC=$ROOT/var/lib/lxc
mkdir -p "$LXC/looped.$TAG" "$LXC/pool.$TAG" "$ROOT/etc/fpsync"
chmod 711 "$ROOT/var" "$ROOT/var/lib" "$LXC"
echo 'allow: { privileged: true }' >"$ROOT/etc/fpsync/fpsync.conf"
mkfs.ext4 -q -d "$BUSYBOX" "$ROOT/disk.img" 48M
config() { # ROOT
    printf 'lxc.include = /usr/share/lxc/config/common.conf\nlxc.arch = linux64\nlxc.rootfs.path = %s\nlxc.net.0.type = empty\n' "$1"
}
config "loop:$ROOT/disk.img" >"$LXC/looped.$TAG/config"
config zfs:tank/pool >"$LXC/pool.$TAG/config"
if ! lxc-start -P "$LXC" -n "looped.$TAG" -o "$ROOT/looped.log" -l INFO; then
    skip 'a root in a file' 'LXC cannot mount one here'
    exit 0
fi
inside looped touch /etc/mark
before=$(pid_of looped)
FILE=$SPEC/looped.yaml
fps export --lxc "looped.$TAG" >"$FILE"
like 'a root in a file is exported' "$(cat "$FILE")" "root: loop:$ROOT/disk.img"
check 'and adopted' fps adopt -f "$FILE"
is 'the init stays' "$(pid_of looped)" "$before"
converge 'nothing is left to do'
is 'no action' "$(actions_of "$PLAN")" ''
check 'restart' fps restart looped
isnt 'it is another init' "$(pid_of looped)" "$before"
check 'on the same root' inside looped test -e /etc/mark
fps export -f "$FILE" >"$ROOT/again.yaml"
is 'its export is what was exported' "$(diff "$FILE" "$ROOT/again.yaml")" ''
check 'stop' fps stop looped
check 'start' fps start looped
check 'on the same root, too' inside looped test -e /etc/mark
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'it leaves the file and its definition' "$(ls "$ROOT/disk.img" "$LXC/looped.$TAG/config" | wc -l)" 2

FILE=$SPEC/pool.yaml
fps export --lxc "pool.$TAG" >"$FILE"
like 'one in a pool is exported' "$(cat "$FILE")" 'root: zfs:tank/pool'
check 'and adopted' fps adopt -f "$FILE"
is 'and nothing is left to do for who did not run' "$(actions_of "$(plan_of "$FILE")")" ''
is 'its config is as it was' "$(grep -v '^#' "$LXC/pool.$TAG/config" | grep rootfs.path)" 'lxc.rootfs.path = zfs:tank/pool'

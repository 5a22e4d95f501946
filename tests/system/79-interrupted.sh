#!/bin/bash
# kill -9 before every call by which the way back of a volume changes the store: whoever uses the volume next finds what was
# there, or what it was to become, what was replaced is kept, and nothing half made stays.
. "$(dirname "$0")/lib.sh"

export KILL_LOG=$ROOT/killed
die_at() { # N, ARGUMENTS of fpsync: false when it came to its end
    local at=$1
    shift
    : >"$KILL_LOG"
    LD_PRELOAD=$BUILD/tests/preload/kill-at.so ASAN_OPTIONS=verify_asan_link_order=0 KILL_AT=$at \
        setsid -w "$FPSYNC" --root "$ROOT" "$@" >/dev/null 2>&1
    [ -s "$KILL_LOG" ]
}
spoiled() { # WHAT, detail
    bad=$((bad + 1))
    not_ok "killed before $(<"$KILL_LOG"): $1" "${2-}"
}
unnamed() { # what is in the volume's folder that no note speaks of
    ls "$STORE" | grep -vxE 'data|image|used|frozen|snapshots|stack'
    ls -A "$STORE/snapshots" 2>/dev/null | grep '^\.'
    for kept in "$STORE"/frozen/*; do
        [ ! -e "$kept" ] || grep -qx "frozen ${kept##*/}" "$STORE"/snapshots/* 2>/dev/null || echo "$kept"
    done
}
kept() { # what the snapshots hold that the way back left, one word each
    local note
    for note in "$STORE"/snapshots/before-restore-*; do
        [ -e "$note" ] || continue
        note=$STORE/frozen/$(sed -n 's/^frozen //p' "$note")
        if [ -e "$note/image" ]; then
            mount -o ro,loop,noload "$note/image" "$ROOT/look" && cat "$ROOT/look/mark" && umount "$ROOT/look"
        else
            cat "$note/mark"
        fi
    done
}
interrupted() { # TEXT, fields of the volume, whether its user runs
    local round now users=$3
    bad=0
    spec interrupted <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
volumes: { data: { $2 } }
containers:
  one: { image: guest, networks: [], volumes: [ "data:/data" ] }
END
    converge "$1" || return
    inside t/one sh -c 'echo good >/data/mark'
    check 'a snapshot' fps snapshot volume/t/data --name good
    inside t/one sh -c 'echo later >/data/mark'
    for ((round = 1; round < 60; round++)); do
        [ "$users" = run ] || fps stop t/one --timeout 0 >/dev/null 2>&1
        die_at "$round" restore volume/t/data good --timeout 0 || break
        # By turns who comes next starts the container alone, and puts all in order.
        if [ "$users" = run ] || [ $((round % 2)) -eq 0 ]; then
            now=$(fps apply -y -f "$FILE" 2>&1) || spoiled 'apply' "$now"
            [ "$users" = run ] || fps start t/one >/dev/null 2>&1
        else
            now=$(fps start t/one 2>&1) || spoiled 'start' "$now"
            fps apply -y -q -f "$FILE" >/dev/null 2>&1
        fi
        now=$(inside t/one cat /data/mark 2>&1)
        case $now,$(kept) in
        later, | good,later) ;;
        *) spoiled 'what is there, and what is kept' "$now, $(kept)" ;;
        esac
        [ -z "$(unnamed)" ] || spoiled 'something is left over' "$(unnamed)"
        [ "$users" = run ] || [ "$(stat -c %h "$STORE/image" 2>/dev/null || echo 1)" = 1 ] || spoiled 'it has one name'
        now=$(fps plan -f "$FILE" 2>&1) || spoiled 'nothing is left to do' "$now"
        inside t/one sh -c 'echo later >/data/mark'
        fps gc -q $(fps snapshot -o name | grep before-) >/dev/null 2>&1
    done
    is "$1: $((round - 1)) moments" "$bad" 0
    is 'there were some' $((round > 12)) 1
    is 'what came to its end did it' "$(kept)" later
    check 'down' fps down -y --timeout 0 -f "$FILE"
    check 'gc' fps gc --force -y
}
full() { # a store without room for a snapshot, then without any
    local store=$ROOT/var/lib/fpsync
    rm -rf "${store:?}"/*
    truncate -s 40M "$ROOT/disk" && mkfs.ext4 -q -m 0 "$ROOT/disk" && mount -o loop "$ROOT/disk" "$store" || return
    chmod 711 "$store"
    spec full <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
volumes: { data: {} }
containers: { one: { image: guest, networks: [], volumes: [ "data:/data" ] } }
END
    converge 'a small store'
    inside t/one dd if=/dev/zero of=/data/big bs=1k count=$(($(stat -f -c '%a * %S' "$store") * 2 / 3072)) 2>/dev/null
    fails 'a snapshot that finds no room' 3 fps snapshot volume/t/data
    is 'leaves nothing of itself' "$(unnamed)$(fps snapshot -o name)" ''
    inside t/one dd if=/dev/zero of=/data/more bs=1k 2>/dev/null
    fails 'where nothing can be written down, a run is an error' 1 fps down -y --timeout 0 -f "$FILE"
    rm "$store/volumes/t_data/data/more"
    check 'with room again it goes on' fps down -y --timeout 0 -f "$FILE"
    check 'gc' fps gc --force -y
    rm -rf "${store:?}"/*
    umount "$store"
}
mkdir "$ROOT/look"
STORE=$ROOT/var/lib/fpsync/volumes/t_data
interrupted 'a folder that nobody is on' '' rest
interrupted 'a folder that somebody is on' '' run
if [ -x /sbin/mkfs.ext4 ]; then
    interrupted 'a file system in a file that nobody is on' 'size: 16MiB' rest
    interrupted 'a file system in a file that somebody is on' 'size: 16MiB' run
    full
else
    skip 'a file system in a file' 'this host has no mkfs.ext4'
fi
is 'nothing is left' "$(leftovers)" ''

#!/bin/bash
# What a container writes to its console can be read, followed, and read on when the file was full and a new one began.
. "$(dirname "$0")/lib.sh"

spec logs <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
containers:
  talker:
    image: guest
    networks: []
    command:
    - /bin/sh
    - -c
    - echo first; printf 'bell\007\n'; while :; do [ ! -p /srv/say ] || cat /srv/say; sleep 0.1; done
END
converge 'a container that talks' || exit
inside t/talker mkfifo /srv/say
say() {
    inside t/talker sh -c "{ $1; } >/srv/say"
}
holds() { # FILE, text
    grep -qF "$2" "$1"
}
logs_hold() {
    fps logs t/talker | grep -qF "$1"
}

check 'logs has what it said' eventually 5 logs_hold first
check 'a program gets every byte' grep -qP 'bell\x07' <(fps logs t/talker)
isnt 'and a terminal none that commands it' "$(script -qec "$FPSYNC --root $ROOT logs t/talker" /dev/null | grep -F 'bell?')" ''
fails 'an unknown container is an error' 1 fps logs t/walker

"$FPSYNC" --root "$ROOT" logs --follow t/talker >"$ROOT/followed" &
follower=$!
check 'follow begins with what is there' eventually 5 holds "$ROOT/followed" first
say 'echo second'
check 'and goes on' eventually 5 holds "$ROOT/followed" second
say 'seq 200000; echo third'
check 'over a full file as well' eventually 20 holds "$ROOT/followed" third
check 'and it was full' test -s "$ROOT/var/lib/lxc/$(lxc_of t/talker)/console.log.1"
# Not line by line: of the piece that did not fit any more, liblxc 5.0.2 repeats a part and loses another.
check 'with every byte of both files' cmp "$ROOT/followed" <(cat "$ROOT/var/lib/lxc/$(lxc_of t/talker)"/console.log{.1,})
check 'logs has the end of it' logs_hold third
kill $follower
wait $follower 2>/dev/null

fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'nothing is left' "$(leftovers)" ''

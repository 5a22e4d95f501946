#!/bin/bash
# What a run tells of a download while it comes: how far it is where the server says how long it is, and how much came where
# it does not; of one that is taken up, all that is there.
. "$(dirname "$0")/lib.sh"
. "$HERE/fetch.sh"
make_ca || { not_ok 'certificates of a CA of our own' && exit; }
mkdir -p "$ROOT/etc/fpsync" "$ROOT/served"
printf 'downloads: { ca: "%s", stall: 60s, tries: 0 }\n' "$PKI/ca.pem" >"$ROOT/etc/fpsync/fpsync.conf"
archive() { # NAME MIBIBYTES: an image with that much in it that cannot be packed
    cp -a "$BUSYBOX" "$ROOT/tree" && head -c "${2}M" /dev/urandom >"$ROOT/tree/large"
    tar -C "$ROOT/tree" -czf "$ROOT/served/$1" . && rm -r "$ROOT/tree"
}
archive x.tar.gz 5
SIZE=$(stat -c %s "$ROOT/served/x.tar.gz")
THIRD=$((SIZE / 3))
serve "$ROOT/served"
image() { # PATH on the server
    spec image <<END
project: t
images: { guest: { source: "$SERVER/$1" } }
END
}
begin() { # ARGUMENTS of fpsync: it runs beside us
    "$FPSYNC" --root "$ROOT" "$@" >"$ROOT/out" 2>"$ROOT/said" &
    RUN=$!
}
tells() { # TEXT, line: it is told while the rest is held back
    check "$1" eventually 20 grep -qxF -- "$2" "$ROOT/said" || cat "$ROOT/said"
}
ends() { # TEXT: the rest comes
    let_go
    wait "$RUN"
    is "$1: ends" "$?" 0
}
forgotten() {
    fps down -y -f "$FILE" >/dev/null 2>&1
    rm -rf "$ROOT"/var/lib/fpsync/{downloads,images}
}
percents() {
    sed -n 's/.* downloading \([0-9]*\) % of .*/\1/p' "$ROOT/said"
}
OF="of $((SIZE >> 20)) MiB"

image "held/$THIRD/x.tar.gz"
begin apply -y -f "$FILE"
tells 'a body of a length: how far it is' "        image t/guest: downloading $((THIRD * 100 / SIZE)) % $OF"
ends 'a body of a length'
is 'a body of a length: it only comes nearer' "$(percents | sort -cn 2>&1)" ''
like 'a body of a length: unpacking follows' "$(sed -n '/downloading/!p' "$ROOT/said")" '^        image t/guest: unpacking [0-9]+ %$'

: >"$LOG"
archive x.tar.gz 5
SIZE=$(stat -c %s "$ROOT/served/x.tar.gz")
begin image pull t/guest
tells 'image pull: how far it is' "        image t/guest: downloading $((THIRD * 100 / SIZE)) % $OF"
ends 'image pull'
forgotten

begin --progress json apply -y -f "$FILE"
like_event() { jq -se --arg message "downloading $((THIRD * 100 / SIZE)) % $OF" \
    'any(.event == "progress" and .kind == "image" and .name == "t/guest" and .message == $message)' "$ROOT/said"; }
check 'events: how far it is' eventually 20 like_event
ends events
forgotten

begin -q apply -y -f "$FILE"
part_came() { [ "$(stat -c %s "$ROOT"/var/lib/fpsync/downloads/*.part 2>/dev/null)" = "$THIRD" ]; }
check 'quietly: it comes' eventually 20 part_came
ends 'quietly'
is 'quietly: nothing is told of it' "$(grep -c downloading "$ROOT/said")" 0
forgotten

# What is taken up begins with what is there.
begin apply -y -f "$FILE"
check 'ended in the middle: it comes' eventually 20 part_came
has_ended() { ! kill -TERM "$RUN"; } # at once when it is asked for the second time
check 'ended in the middle' eventually 10 has_ended
wait "$RUN"
isnt 'ended in the middle: it says so' $? 0
let_go
begin apply -y -f "$FILE"
tells 'taken up: how far it is' "        image t/guest: downloading $((THIRD * 2 * 100 / SIZE)) % $OF"
ends 'taken up'
is 'taken up: it was told from what was there on' "$(percents | awk -v least=$((THIRD * 100 / SIZE)) '$1 < least')" ''
forgotten

image "held-open/$THIRD/x.tar.gz"
begin apply -y -f "$FILE"
tells 'a body of no length: how much came' "        image t/guest: downloading: $((THIRD >> 20)) MiB"
ends 'a body of no length'
is 'a body of no length: no part of it is told' "$(percents)" ''
forgotten

archive small.tar.gz 0
small=$(stat -c %s "$ROOT/served/small.tar.gz")
[ "$small" -lt 1048576 ] || { head -c 1000 /dev/urandom >"$ROOT/served/small.tar.gz" && small=1000; }
image "held/100/small.tar.gz"
begin apply -y -f "$FILE"
tells 'less than a MiB' "        image t/guest: downloading $((100 * 100 / small)) % of $(((small + 1023) / 1024)) KiB"
let_go
wait "$RUN"
forgotten
finish

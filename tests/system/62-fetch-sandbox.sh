#!/bin/bash
# Who speaks to servers and who reads what they sent, seen from outside while they do it, and tried from within: nobody on
# the host, with no file system but the file that is written, no power, and bounds.
. "$(dirname "$0")/lib.sh"
. "$HERE/fetch.sh"
make_ca || { not_ok 'certificates of a CA of our own' && exit; }
mkdir -p "$ROOT/etc/fpsync" "$ROOT/served"
printf 'downloads: { ca: "%s", stall: 60s, tries: 0, size: 48MiB }\n' "$PKI/ca.pem" >"$ROOT/etc/fpsync/fpsync.conf"
NOBODY=1878982656 # 0x6fff0000, below all that containers are given
head -c 300000 /dev/urandom >"$ROOT/served/large"
serve "$ROOT/served"

named() { # PARENT COMMAND-LINE: a process below it that is called so
    local child
    for child in $(pgrep -P "$1"); do
        [ "$(tr '\0' ' ' <"/proc/$child/cmdline" 2>/dev/null)" != "$2 " ] || { echo "$child" && return; }
        named "$child" "$2" && return
    done
    return 1
}
status_of() { # PID FIELD
    sed -n "s/^$2:\t//p" "/proc/$1/status" | tr '\t' ' '
}
limit_of() { # PID NAME: the soft and the hard one
    sed -n "s/^Max $2  *//p" "/proc/$1/limits" | awk '{ print $1, $2 }'
}
spaces() { # PID ANOTHER: the namespaces that they do not share
    local name
    for name in cgroup ipc mnt net pid user uts; do
        [ "$(readlink "/proc/$1/ns/$name")" = "$(readlink "/proc/$2/ns/$name")" ] || printf '%s ' "$name"
    done
}
mounts_of() { # PID: as "PLACE FLAGS"
    awk '{ print $5, $6 }' "/proc/$1/mountinfo"
}
is_nobody() { # TEXT PID: what holds of both words
    local none=0000000000000000
    is "$1: an id that nobody has" "$(status_of "$2" Uid) / $(status_of "$2" Gid)" \
        "$NOBODY $NOBODY $NOBODY $NOBODY / $NOBODY $NOBODY $NOBODY $NOBODY"
    is "$1: the only one that its namespace has" "$(tr -s ' ' <"/proc/$2/uid_map") /$(tr -s ' ' <"/proc/$2/gid_map")" \
        " 0 $NOBODY 1 / 0 $NOBODY 1"
    is "$1: in no group" "$(status_of "$2" Groups | tr -d ' ')" ''
    is "$1: with no capability, and none to gain" \
        "$(for field in CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs; do status_of "$2" $field; done | paste -sd' ')" "$none $none $none $none $none 1"
    is "$1: behind a filter of system calls" "$(status_of "$2" Seccomp)" 2
    like "$1: a root of its own, in which nothing is written, run, or more than a file" "$(mounts_of "$2")" \
        '^/ ro,nosuid,nodev,noexec'
    is "$1: and nothing beside it" "$(mounts_of "$2" | wc -l)" 1
    is "$1: no core is dumped" "$(limit_of "$2" 'core file size')" '0 0'
    is "$1: bounded in files and threads" "$(limit_of "$2" 'open files'), $(limit_of "$2" processes)" '64 64, 16 16'
    if nm "$FPSYNC-fetch" 2>/dev/null | grep -q __asan_init; then
        skip "$1: bounded in memory" 'the sanitizer takes more'
    else
        is "$1: bounded in memory" "$(limit_of "$2" 'address space')" '1073741824 1073741824'
    fi
}

# ---- get, while a server holds the rest back ----

spec held <<END
project: t
images: { guest: { source: "$SERVER/held/100000/large" } }
END
part_came() { [ "$(stat -c %s "$ROOT"/var/lib/fpsync/downloads/*.part 2>/dev/null)" = 100000 ]; }
gets() { GET=$(named "$RUN" "$FPSYNC-fetch get"); }
"$FPSYNC" --root "$ROOT" apply -y -f "$FILE" >"$ROOT/said" 2>&1 &
RUN=$!
eventually 20 part_came || not_ok 'the first of it comes' "$(cat "$ROOT/said")"
gets || not_ok 'somebody fetches' "$(ps -ejH)"
is 'get: namespaces of its own, but for what it speaks through' "$(spaces "$GET" "$RUN")" 'cgroup ipc mnt user uts '
is_nobody get "$GET"
is 'get: in its root is what resolving names and verifying servers takes' \
    "$(find "/proc/$GET/root/" -mindepth 1 -printf '%y %m %P\n' | sort)" 'd 755 etc
f 444 ca.pem
f 444 etc/hosts
f 444 etc/nsswitch.conf
f 444 etc/resolv.conf'
check 'get: its certificates are those that were asked for' cmp "$PKI/ca.pem" "/proc/$GET/root/ca.pem"
is 'get: writes no file beyond downloads.size' "$(limit_of "$GET" 'file size')" "$((48 << 20)) $((48 << 20))"
is 'get: of the host it has the part alone open' "$(readlink "/proc/$GET"/fd/* | grep '^/' | grep -v '^/memfd:request ')" \
    "$(echo "$ROOT"/var/lib/fpsync/downloads/*.part)"

# It is stopped, so that it cannot see by itself that nobody listens.
WORKER=$(status_of "$GET" PPid)
kill -STOP "$GET"
kill -9 "$WORKER"
is_gone() { [ ! -e "/proc/$GET" ]; }
check 'get: ends with who runs it' eventually 10 is_gone
wait "$RUN"
kill -9 "$GET" 2>/dev/null
let_go

# ---- resolve, while it waits for the rest of an index ----

mkfifo "$ROOT/index"
exec 8<>"$ROOT/index"
"$FPSYNC-fetch" resolve 3<"$ROOT/index" 8<&- < <(echo '{"want": "products"}') > >(cat >"$ROOT/answer") &
RESOLVE=$!
head -c 200000 /dev/zero | tr '\0' ' ' >&8 # more than a pipe holds: who has read it reads in the sandbox
is 'resolve: namespaces of its own, that of the network among them' "$(spaces "$RESOLVE" $$)" 'cgroup ipc mnt net user uts '
is_nobody resolve "$RESOLVE"
is 'resolve: in its root is nothing' "$(find "/proc/$RESOLVE/root/" -mindepth 1)" ''
is 'resolve: writes no file' "$(limit_of "$RESOLVE" 'file size')" '0 0'
echo '{"format": "index:1.0", "index": {"images": {"datatype": "image-downloads", "format": "products:1.0", "path": "p.json"}}}' >&8
exec 8>&-
wait "$RESOLVE"
is 'resolve: and does its work' $? 0
is 'resolve: and says what it found' "$(eventually 5 test -s "$ROOT/answer" && cat "$ROOT/answer")" '{"paths":["p.json"]}'

# ---- from within ----

tried() { # WORD, request: what came of each try but the refused ones
    LD_PRELOAD="$BUILD/tests/preload/tries.so" ASAN_OPTIONS=verify_asan_link_order=0 \
        "$FPSYNC-fetch" "$1" 3<>"$ROOT/tried" <<<"$2" 2>&1 | tee "$ROOT/tries" | grep -v ENOSYS
}
rm -f "$ROOT/tried"
is 'get: what it tries is refused' "$(tried get '{"url": "https://127.0.0.1:1/x", "limit": 1000, "stall": 1000, "tries": 0}' | grep -v '^{')" \
    'raw-socket EPERM
make-file EROFS
write-file EROFS
proc ENOENT
outside ENOENT'
is 'get: all of it' "$(wc -l <"$ROOT/tries")" 24
echo '{}' >"$ROOT/tried"
is 'resolve: what it tries is refused' "$(tried resolve '{"want": "products"}' | grep -v '^{')" ''
is 'resolve: all of it' "$(wc -l <"$ROOT/tries")" 24
finish

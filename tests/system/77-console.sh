#!/bin/bash
# A terminal joined to a container's console, through a pty of script(1): what is typed arrives, what is said comes back,
# and whatever ends it leaves the terminal as it was.
. "$(dirname "$0")/lib.sh"

spec console <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
containers:
  talker:
    image: guest
    networks: []
    restart: never
    command: [ /bin/sh, -c, 'while read -r line; do echo "got <\$line>"; [ "\$line" != end ] || exit 0; done' ]
END
converge 'a container that answers' || exit

fails 'without a terminal it is refused' 1 fps console t/talker
like 'and says why' "$(fps console t/talker 2>&1 </dev/null)" 'no terminal; fpsync logs'
fails 'an unknown container is an error' 1 fps console t/walker
fails 'as is none' 1 fps console

# In a shell on a pty of its own: its modes before, the console, its status, the modes after.
mkfifo "$ROOT/keys"
cat >"$ROOT/session" <<END
stty -g >$ROOT/before
$FPSYNC --root $ROOT console t/talker
echo "status \$?"
stty -g >$ROOT/after
END
begin() {
    : >"$ROOT/screen"
    rm -f "$ROOT/before" "$ROOT/after"
    script -qfc "sh $ROOT/session" "$ROOT/screen" <"$ROOT/keys" >/dev/null 2>&1 &
    terminal=$!
    exec 5>"$ROOT/keys"
    eventually 10 grep -q 'Type <Ctrl+a q>' "$ROOT/screen"
}
shown() { # text
    eventually 10 grep -qF "$1" "$ROOT/screen"
}
ends() { # within ten seconds
    eventually 10 test -s "$ROOT/after"
    local status=$?
    exec 5>&-
    wait "$terminal" 2>/dev/null
    return $status
}
workers() { # pids of those that hold a console of this root
    local entry
    for entry in /proc/[0-9]*; do
        cat "$entry/cmdline" 2>/dev/null | tr '\0' ' ' | grep -q -- "worker --console $ROOT " && echo "${entry#/proc/}"
    done | sort -n
}

begin
is 'it is joined' $? 0
printf 'hello\n' >&5
check 'what is typed arrives, and the answer comes back' shown 'got <hello>'
printf '\001q' >&5
ends
is 'Ctrl-a q leaves' $? 0
check 'with success' grep -q 'status 0' "$ROOT/screen"
is 'the terminal is as it was' "$(cat "$ROOT/after")" "$(cat "$ROOT/before")"
pid=$(pid_of t/talker)
isnt 'the container runs on' "$pid" ''

begin
printf 'again\n' >&5
check 'it can be joined again' shown 'got <again>'
kill -TERM "$(workers | head -n 1)"
ends
is 'a signal ends it' $? 0
is 'the terminal is as it was after it' "$(cat "$ROOT/after")" "$(cat "$ROOT/before")"
is 'and the container runs on' "$(pid_of t/talker)" "$pid"

begin
printf 'end\n' >&5
ends
is 'the end of the container ends it' $? 0
is 'the terminal is as it was after that, too' "$(cat "$ROOT/after")" "$(cat "$ROOT/before")"
eventually 10 test -z "$(pid_of t/talker)"
script -qec "$FPSYNC --root $ROOT console t/talker" /dev/null >"$ROOT/out" 2>&1 </dev/null
is 'one that does not run has none' "$? $(grep -c 'is not running' "$ROOT/out")" '1 1'
is 'no process of it is left' "$(workers)" ''

fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'nothing is left' "$(leftovers)" ''

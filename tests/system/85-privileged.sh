#!/bin/bash
# privileged: true needs root's word in fpsync.conf: without it the container is held and nothing of it is made, and a
# file that cannot be read permits nothing.
. "$(dirname "$0")/lib.sh"

FILE=$SPEC/base.yaml
conf=$ROOT/etc/fpsync/fpsync.conf
cat >"$FILE" <<SPEC
project: t
images: { guest: { source: "file:$BUSYBOX" } }
containers:
  plain: { image: guest, networks: [] }
  root: { image: guest, networks: [], privileged: true }
SPEC
text=$(fps plan -f "$FILE")
is 'plan without permission: pending' $? 2
like 'it says what is held' "$text" 'held container t/root.*privileged: true is not permitted'
like 'and which line permits it' "$text" "hint: write to $conf: allow: \{ privileged: true \}"
fps apply -y -f "$FILE" >/dev/null 2>&1
is 'apply: the rest converges, something is held' $? 3
is 'nothing of it was made' "$(ls "$ROOT/var/lib/lxc")" "$(lxc_of t/plain)"
plain=$(pid_of t/plain)
mkdir -p "${conf%/*}"
echo 'allow: { privilegd: true }' >"$conf"
text=$(fps apply -y -f "$FILE" 2>&1)
is 'a broken fpsync.conf: invalid' $? 6
like 'with its position' "$text" "fpsync.conf:1:10: .*privilegd"
like 'and a hint' "$text" "did you mean 'privileged'"
echo 'allow: { privileged: true }' >"$conf"
chmod 666 "$conf"
fps apply -y -f "$FILE" >/dev/null 2>&1
is 'a file that others may write permits nothing' $? 6
chmod 644 "$conf"
check 'permitted: apply' fps apply -y -f "$FILE"
is 'root inside is root outside' "$(awk '{ print $1, $2 }' "/proc/$(pid_of t/root)/uid_map")" '0 0'
as_user() { # COMMAND...: of the host
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
for name in plain root; do # a program that runs as who owns it
    inside t/$name sh -c 'cp /bin/busybox /srv/id && chmod 4755 /srv/id'
    program=$ROOT/run/fpsync/mounts/$(lxc_of t/$name)/root/srv/id
    check "what $name makes setuid is there" test -u "$program"
    fails "no user of the host runs what $name makes setuid" 126 as_user sh -c "'$program' id"
done
open=$ROOT/run/fpsync/mounts/$(lxc_of t/root)
is 'doctor finds no root open' "$(fps doctor 2>&1 | grep -c 'open to the host')" 0
mount --bind "$open/root" "$open" # as an older fpsync had it
check 'a root at the place of an older fpsync: users get at it' as_user test -u "$open/srv/id"
like 'doctor says so' "$(fps doctor 2>&1)" "the roots of $(lxc_of t/root) lie open to the host's users"
check 'a restart' fps restart t/root
fails 'after a restart it is closed' 1 as_user test -e "$open/srv/id"
fails 'where it is now, too' 1 as_user test -e "$open/root/srv/id"
is 'and doctor finds none' "$(fps doctor 2>&1 | grep -c 'open to the host')" 0
isnt_base=$(awk '{ print $2 }' "/proc/$plain/uid_map")
check 'its neighbour keeps its own range' [ "$isnt_base" -gt 65536 ]
is 'and its init' "$(pid_of t/plain)" "$plain"
rm "$conf"
sed -i 's/privileged: true/privileged: true, env: { A: "1" }/' "$FILE"
root=$(pid_of t/root)
fps apply -y -f "$FILE" >/dev/null 2>&1
is 'permission withdrawn: a change is held' $? 3
is 'and what runs is left alone' "$(pid_of t/root)" "$root"
fails 'a command does not start it anew' 4 fps restart t/root
fails 'nor for the sake of its layer' 4 fps snapshot t/root
is 'it still runs' "$(pid_of t/root)" "$root"
check 'it can be stopped' fps stop t/root --timeout 0
fails 'and is not started' 4 fps start t/root
is 'it is stopped' "$(pid_of t/root)" ''
echo '  raw: { image: guest, networks: [], lxc: [ "lxc.prlimit.nofile = 100" ] }' >>"$FILE"
text=$(fps plan -f "$FILE")
like 'lines of the LXC config are held as well' "$text" 'held container t/raw: lxc is not permitted'
like 'and the line that permits them is named' "$text" "hint: write to $conf: allow: \{ raw_lxc: true \}"
check 'down' fps down -y --timeout 0 -f "$FILE"
is 'nothing is left' "$(leftovers)" ''

# A file system of such a guest that does not answer, above the place of a volume: whoever asks it waits for ever.
echo 'allow: { privileged: true }' >"$conf"
spec silent <<SPEC
project: s
images: { guest: { source: "file:$BUSYBOX" } }
volumes: { data: {}, log: {} }
containers:
  one: { image: guest, networks: [], privileged: true, volumes: [ "data:/srv/data", "log:/var/log" ] }
SPEC
converge 'a guest with volumes'
inside s/one umount /srv/data
"$BUILD/tests/system/silent-fuse" "$(pid_of s/one)" /srv >"$ROOT/silent" &
silent=$!
eventually 10 grep -q up "$ROOT/silent"
plan_silent() { # TEXT
    local text began=${EPOCHREALTIME/./}
    text=$(timeout -s KILL 10 "$FPSYNC" --root "$ROOT" plan -f "$FILE" 2>&1)
    is "$1: the plan comes to its end" $? 2
    is "$1: soon" $((${EPOCHREALTIME/./} - began < 3000000)) 1
    like "$1: it says what is not known" "$text" 'held container s/one: what is mounted at /srv/data is not known'
    is "$1: which is no drift" "$(grep -c drift: <<<"$text")" "${2:-0}"
}
plan_silent 'a file system does not answer'
plan_silent 'asked again'
waiting() { # who waits for an answer
    pgrep -f "^$FPSYNC --root $ROOT plan"
}
is 'one waits on, and no more' "$(waiting | wc -l)" 1
is 'it holds nothing of its own' "$(ls -l "/proc/$(waiting)/fd" | grep -c -e "$ROOT" -e pipe:)" 1
inside s/one umount /var/log
plan_silent 'other drift is seen' 1
timeout -s KILL 20 "$FPSYNC" --root "$ROOT" apply -y -f "$FILE" >/dev/null 2>&1
is 'and put right' "$? $(inside s/one grep -c ' /var/log ' /proc/self/mountinfo)" '3 1'
kill $silent
wait $silent 2>/dev/null
check 'who waited is gone with it' eventually 10 eval '! waiting'
inside s/one umount /srv
converge 'what could not be seen is put right once it can'
is 'it is there' "$(inside s/one grep -c ' /srv/data ' /proc/self/mountinfo)" 1
check 'down' fps down -y --timeout 0 -f "$FILE"
is 'nothing is left' "$(leftovers)" ''

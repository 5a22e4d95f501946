#!/bin/bash
# Shells in the root of a RUN that failed, by real terminals: at once, and as long as it is kept.
#   FPSYNC_SLOW=FACTOR for a machine on which a start takes so much longer (1)
. "$(dirname "$0")/lib.sh"
SLOW=${FPSYNC_SLOW:-1}

mkdir -p "$SPEC/app"
recipe() {
    cat >"$SPEC/app/Recipe"
}
cat >"$SPEC/app/part" <<<'of the context'
recipe <<'END'
FROM guest
ARG WHO=nobody
ENV COLOR="deep blue"
WORKDIR /srv/place
RUN chown www:www /srv/place && echo made >/srv/made
USER www
RUN --mount=type=tmpfs,target=/scratch --mount=type=cache,target=/kept,uid=33,gid=33 \
    --mount=type=bind,source=part,target=/part --mount=type=secret,id=token,target=/token,mode=0444 \
    echo half >half && echo before >/kept/note && exit 7
RUN echo never reached >never
END
spec shell <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  app: { build: { context: ./app, network: wire } }
networks:
  wire: { subnet: $NET.0/25 }
END
printf hush-hush >"$ROOT/token"

# ---- a terminal ----

# In a shell on a pty of script(1)'s: its modes before, the command, its status, the modes after.
mkfifo "$ROOT/keys"
begin() { # command...
    rm -f "$ROOT/before" "$ROOT/after" "$ROOT/tty" "$ROOT/pid"
    : >"$ROOT/screen"
    {
        echo "tty >$ROOT/tty; stty rows 31 cols 97; stty -g >$ROOT/before"
        printf '%q ' "$@"
        echo "& echo \$! >$ROOT/pid; fg >/dev/null 2>&1"
        echo "echo \"ended with <\$?>\"; stty -g >$ROOT/after"
    } >"$ROOT/session"
    TERM=vt220 script -qfc "bash -m $ROOT/session" "$ROOT/screen" <"$ROOT/keys" >/dev/null 2>&1 &
    terminal=$!
    exec 5>"$ROOT/keys"
}
shown() { # text
    eventually $((15 * SLOW)) grep -qF -- "$1" "$ROOT/screen"
}
types() {
    printf '%s\n' "$1" >&5
}
# Marks are taken apart where they are typed, so that the echo of a line is not taken for its output.
answers() { # command: what it prints
    local marks
    marks=$(($(cat "$ROOT/marks") + 1))
    echo $marks >"$ROOT/marks"
    types "echo \"<\"\"$marks:\$($1)>\""
    eventually $((15 * SLOW)) grep -q "<$marks:.*>" "$ROOT/screen" || tr -d '\r' <"$ROOT/screen" | tail -n 5
    tr -d '\r' <"$ROOT/screen" | grep -o "<$marks:[^>]*>" | tail -n 1 | sed "s/^<$marks://; s/>\$//"
}
echo 0 >"$ROOT/marks"
ends() {
    eventually $((60 * SLOW)) test -s "$ROOT/after"
    local status=$?
    exec 5>&-
    wait "$terminal" 2>/dev/null
    return $status
}
status_of() {
    tr -d '\r' <"$ROOT/screen" | grep -o 'ended with <[0-9]*>' | tail -n 1 | tr -dc 0-9
}
unchanged() { # TEXT
    is "$1" "$(cat "$ROOT/after")" "$(cat "$ROOT/before")"
}
nothing_left() { # TEXT
    is "$1: no container" "$(ls "$ROOT/var/lib/lxc" 2>/dev/null)" ''
    is "$1: no mount" "$(leftovers | grep '^mount')" ''
    is "$1: nothing of it in the root" "$(ls "$ROOT"/var/lib/fpsync/build/failed/* 2>/dev/null | grep -vE '^(note|run|upper|)$|:$')" ''
    is "$1: no step in the making" "$(ls -A "$ROOT/var/lib/fpsync/build/steps" | grep '^\.')" ''
}
build=("$FPSYNC" --root "$ROOT" build app -f "$FILE" -y --build-arg WHO=somebody --secret "id=token,src=$ROOT/token")
failed=$ROOT/var/lib/fpsync/build/failed
images() {
    (cd "$ROOT/var/lib/fpsync" && find images build/steps \( -type f ! -name note -exec sha256sum {} + \) -o -printf '%p %m %U %G %l\n' | sort)
}

# ---- without one ----

said=$("${build[@]}" --shell-on-failure 2>&1 </dev/null)
is 'without a terminal --shell-on-failure is refused' $? 1
like 'and says why, and what helps' "$said" 'no terminal.*--shell IMAGE'
is 'before anything is done' "$(ls "$ROOT/var" 2>/dev/null)" ''
fails 'with --shell it is one or the other' 1 fps build --shell --shell-on-failure app
fails 'a shell in no image' 1 fps build --shell
fails 'nor is anything built with it' 1 fps build --shell app --build-arg A=b
like 'a root that is not there' "$(fps build --shell app -f "$FILE" -- true 2>&1)" 'no root of image t/app is kept'
like 'an image that is not there' "$(fps build --shell xyzzy -- true 2>&1)" 'no such image: xyzzy .* -f says'
like 'nor in the files of -f' "$(fps build --shell aqp -f "$FILE" -- true 2>&1)" 'no image aqp is declared; did you mean app\?'
fails 'nor has a file of -f that is not there one' 1 fps build --shell app -f "$SPEC/none.yaml" -- true
"${build[@]}" >/dev/null 2>&1
plain=$?
is 'a build that fails' "$plain" 3
rm -rf "$failed"

# ---- at once ----

begin "${build[@]}" --shell-on-failure
check 'a RUN that fails opens a shell' shown 'a shell in the root that Recipe:7 RUN'
is 'by the user of the RUN' "$(answers 'id -un')" www
is 'in its folder' "$(answers pwd)" /srv/place
is 'with ENV and ARG' "$(answers 'echo $COLOR $WHO')" 'deep blue somebody'
is 'with what the command left' "$(answers 'cat half')" half
is 'and what the steps before it made' "$(answers 'cat /srv/made')" made
is 'with its tmpfs' "$(answers 'grep -c " /scratch tmpfs " /proc/mounts')" 1
is 'its cache' "$(answers 'cat /kept/note')" before
is 'the context' "$(answers 'cat /part')" 'of the context'
is 'and the secret' "$(answers 'cat /token')" hush-hush
is 'on its network' "$(answers "ip -4 -o addr show dev eth0 | grep -c $NET.")" 1
is 'which works' "$(answers "nc -w 5 $NET.1 53 </dev/null && echo yes")" yes
is 'with the capabilities of any container' "$(answers 'mount -t proc proc /mnt 2>/dev/null || echo none')" none
is 'on a terminal of its own' "$(answers 'tty | sed s/[0-9]//g')" /dev/pts/
is 'of the kind and size of ours' "$(answers 'echo $TERM $(stty size)')" 'vt220 31 97'
stty -F "$(cat "$ROOT/tty")" rows 40 cols 120
check 'and of another once that has it' eventually $((10 * SLOW)) eval 'test "$(answers "stty size")" = "40 120"'
types 'trap "echo cau""ght" INT; echo wai""ting; sleep 30; echo went-on'
shown waiting
printf '\003' >&5
check 'Ctrl-C goes inside' eventually $((10 * SLOW)) grep -q 'caught' "$ROOT/screen"
check 'and ends nothing else' test -d "/proc/$(cat "$ROOT/pid")"
types 'trap - INT'
types 'echo changed >by-hand'
like 'who else comes is told who is there' "$(fps build --shell app -- true 2>&1)" 'lock|running|another'
types 'exit 5'
ends
check 'the end of the shell is the end of it' shown 'ended with'
is 'with the status of a build that fails' "$(status_of)" "$plain"
unchanged 'the terminal is as it was'
nothing_left 'after the shell'
is 'the root is kept' "$(cat "$failed"/*/upper/srv/place/half)" half
is 'with what was changed' "$(cat "$failed"/*/upper/srv/place/by-hand)" changed
is 'the secret is nowhere' "$(grep -rlaF hush-hush "$ROOT" 2>/dev/null | grep -v "^$ROOT/\(token\|screen\)$")" ''
like 'a plain build does not notice' "$("${build[@]}" 2>&1)" 'exit status 7'
is 'and begins anew' "$(find "$failed" -name by-hand)" ''

# ---- later ----

is 'a command in the root that is kept' "$(fps build --shell app -- cat half)" half
like 'by a name that is nearly right' "$(fps build --shell aqp -- true 2>&1)" 'no such image: aqp .*did you mean app\?'
is 'by the file that declares it' "$(fps build --shell app -f "$FILE" -- cat half)" half
spec other <<'END'
project: u
images: { app: { build: ./app } }
END
like 'and in no other file' "$(fps build --shell app -f "$FILE" -- true 2>&1)" 'no root of image u/app is kept'
FILE=$SPEC/shell.yaml
is 'the environment says the same' "$(FPSYNC_SHELL=1 FPSYNC_FILE=$FILE fps build app -- cat half)" half
for other in NO_CACHE=1 TARGET=image/none TAG=other BUILD_ARG=A=b SHELL_ON_FAILURE=1; do
    is "FPSYNC_$other is there for other builds" "$(env "FPSYNC_$other" "$FPSYNC" --root "$ROOT" build --shell app -- cat half)" half
done
like 'but FPSYNC_DRY_RUN' "$(FPSYNC_DRY_RUN=1 fps build --shell app -- cat half 2>&1)" 'has no --dry-run'
like 'and of the two shells the command line chooses' "$(FPSYNC_SHELL=1 fps build --shell-on-failure app 2>&1 </dev/null)" 'build --shell-on-failure: .*no terminal'
is 'with the streams of the caller' "$(echo hello | fps build --shell image/t/app -- tr a-z A-Z 2>&1)" HELLO
echo first >"$ROOT/out"
fps build --shell t/app -- echo second >>"$ROOT/out"
is 'as they are' "$(tr '\n' ' ' <"$ROOT/out")" 'first second '
fps build --shell app -- sh -c 'exit 9'
is 'and its status' $? 9
fails 'a command that is not there' 127 fps build --shell app -- /bin/nothing
like 'a shell without a terminal' "$(fps build --shell app 2>&1 </dev/null)" 'no terminal.*-- COMMAND'
check 'on its network' fps build --shell app -- nc -w 5 "$NET.1" 53
like 'whose rules are as before' "$(fps plan -f "$FILE" | head -n 3)" 'build image t/app'
is 'the secret of a file is there' "$(fps build --shell app -- cat /token)" hush-hush
before=$(images)
begin "$FPSYNC" --root "$ROOT" build --shell app
check 'a shell' shown 'a shell in the root'
is 'in the same place' "$(answers 'echo $(id -un) $(pwd) $COLOR')" 'www /srv/place deep blue'
types 'echo later >by-hand; rm half'
types 'exit 4'
ends
is 'its status is that of the command' "$(status_of)" 4
unchanged 'and the terminal is as it was'
nothing_left 'after it'
is 'what it changed is there for the next' "$(fps build --shell app -- sh -c 'cat by-hand; ls half 2>/dev/null')" later
is 'and in no image and no step' "$(images)" "$before"

# ---- ends of all kinds ----

pid_in() {
    cat "$ROOT/pid"
}
for signal in TERM HUP INT; do
    begin "$FPSYNC" --root "$ROOT" build --shell app
    answers 'echo there' >/dev/null
    kill -$signal "$(pid_in)"
    ends
    is "$signal ends it" $? 0
    unchanged "$signal: the terminal is as it was"
    nothing_left "$signal"
done
begin "$FPSYNC" --root "$ROOT" build --shell app
answers 'echo there' >/dev/null
types '(while :; do echo noise; done) & exit 6'
ends
is 'what it has left running holds nothing up' "$(status_of)" 6
nothing_left 'noise'
begin "$FPSYNC" --root "$ROOT" build --shell app
answers 'echo there' >/dev/null
types 'seq 1 20000; echo "la""st words"; exit'
ends
check 'whatever is written to the end is shown' shown 'last words'
is 'all of it' "$(tr -d '\r' <"$ROOT/screen" | grep -cxE '[0-9]+')" 20000
workers_of() {
    pgrep -f "fpsync-worker $ROOT\$"
}
begin "$FPSYNC" --root "$ROOT" build --shell app
answers 'echo there' >/dev/null
kill -9 "$(pid_in)"
ends
check 'kill -9: its worker ends' eventually $((30 * SLOW)) eval '[ -z "$(workers_of)" ]'
is 'kill -9: the terminal is as it was' "$(cat "$ROOT/after")" "$(cat "$ROOT/before")"
nothing_left 'kill -9'
is 'and the root is kept' "$(fps build --lock-timeout 20s --shell app -- cat by-hand)" later
begin "$FPSYNC" --root "$ROOT" build --shell app
answers 'echo there' >/dev/null
inner=$(pgrep -f "lxc monitor. $ROOT" | head -n 1)
for pid in $(pid_in) $(workers_of); do kill -STOP "$pid"; done
for pid in $(pid_in) $(workers_of); do kill -9 "$pid"; done
ends
is 'all of it killed: the next one takes away what it left' "$(fps build --lock-timeout 20s --shell app -- cat by-hand)" later
nothing_left 'all killed'
check 'down to its monitor' eventually $((10 * SLOW)) test ! -d "/proc/${inner:-none}"
begin "$FPSYNC" --root "$ROOT" build --shell app
answers 'echo there' >/dev/null
for pid in $(workers_of); do kill -9 "$pid"; done
ends
unchanged 'the worker killed: the terminal is as it was'
"${build[@]}" >/dev/null 2>&1
nothing_left 'a build, too, takes away what is left'
begin "$FPSYNC" --root "$ROOT" build --shell app
answers 'echo there' >/dev/null
{ kill -9 "$terminal" && wait "$terminal"; } 2>/dev/null
check 'a terminal that goes away ends it' eventually $((30 * SLOW)) eval '[ -z "$(workers_of)" ]'
exec 5>&-
nothing_left 'hung up'

# ---- how long, and of what ----

sed -i 's/exit 7$/exit 0/' "$SPEC/app/Recipe"
check 'the recipe is mended' "${build[@]}"
digest=$(fps image inspect t/app -o json | jq -r '.images[0].digest')
is 'nothing of the shells is in the image' "$(find "$ROOT/var/lib/fpsync/images/$digest/root" -name by-hand)" ''
check 'the root is there as before' fps build --shell app -- true
note=$(echo "$failed"/*/note)
sed -i "s/^expires .*/expires $(($(date +%s) - 60))/" $note
said=$(fps build --shell app -- true 2>&1)
is 'expired' $? 1
like 'it says so' "$said" 'was kept until .*build it again'
check 'gc takes it' fps gc -y
like 'after which there is none' "$(fps build --shell app -- true 2>&1)" 'no root of image t/app is kept|no root of image app is kept'

# ---- --no-cache, and other images ----

recipe <<'END'
FROM guest
RUN echo one >/one
RUN [ -e /two ]
END
"${build[@]}" --no-cache >/dev/null 2>&1
is 'steps of --no-cache get other names under a root' "$(fps build --shell app -- cat /one)" one
recipe <<'END'
FROM guest
RUN rm -rf /bin/sh /bin/busybox; exit 3
END
"${build[@]}" >/dev/null 2>&1
sed -i "s/^expires .*/expires $(($(date +%s) + 600))/" "$failed"/*/note
like 'of two that are kept it is the newer one, which has no shell' "$(timeout 60 script -qec "$FPSYNC --root $ROOT build --shell app" /dev/null 2>&1)" 'neither bash nor sh'
recipe <<'END'
FROM guest
RUN --init exit 3
END
"${build[@]}" >/dev/null 2>&1
is "after a RUN --init, the image's init is there" "$(fps build --shell app -- cat /proc/1/comm)" init
check 'and what it starts' fps build --shell app -- timeout 20 sh -c 'until ps | grep -q "[/]bin/httpd"; do :; done'
nothing_left 'booted'
begin "${build[@]}" --shell-on-failure
answers 'echo there' >/dev/null
kill -9 "$(pid_in)"
ends
check 'kill -9 of the build: its workers end' eventually $((60 * SLOW)) eval '[ -z "$(workers_of)" ]'
unchanged 'kill -9 of the build: the terminal is as it was'
nothing_left 'kill -9 of the build'
check 'the root is kept' fps build --shell app -- true
like 'the next run finds the end of that one' "$(fps plan -f "$FILE" 2>&1)" 'build image t/app'
check 'down' fps down -f "$FILE" -y
like 'without its network it says what helps' "$(fps build --shell app -- true 2>&1)" 'network .* is gone: fpsync apply'
check 'gc --force' fps gc --force -y
is 'nothing of it is left' "$(find "$ROOT/var/lib/fpsync/build" -mindepth 2 | wc -l)" 0

#!/bin/bash
# What a person says of a build on the command line, and gets to see of one: arguments, stages, secrets, warnings and logs.
. "$(dirname "$0")/lib.sh"

mkdir -p "$SPEC/app"
cat >"$SPEC/app/Recipe" <<'END'
FROM guest AS one
ARG VERSION=1
RUN echo $VERSION >/version
FROM one AS two
RUN echo two >/stage
END
spec flags <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  app: { build: { context: ./app, network: none } }
  other: { build: { from: guest, network: none, steps: [ "ENV A=b" ] } }
END
data_of() { # IMAGE FILE: in the image's own part of the store
    local digest
    digest=$(fps status -o json | jq -r --arg name "$1" '.objects[] | select(.kind == "image" and .name == $name).digest')
    cat "$ROOT/var/lib/fpsync/images/$digest/root$2" 2>/dev/null
}
converge 'images by the spec alone'
is 'ARG has its default' "$(data_of t/app /version)" 1

said=$(fps build app -f "$FILE" -y --build-arg VERSION=2 2>&1)
like 'the plan says which flag' "$said" 'args: VERSION by --build-arg'
is 'and the image has its value' "$(data_of t/app /version)" 2
like 'once more there is nothing to do' "$(fps build app -f "$FILE" -y --build-arg VERSION=2 2>&1)" 'Nothing to do'
plan=$(fps plan -f "$FILE")
like 'the next plain plan says what it would undo' "$plan" 'args: VERSION by --build-arg -> as the spec says'
unlike() {
    if grep -qE -- "$3" <<<"$2"; then not_ok "$1" "$2"; else ok "$1"; fi
}
unlike 'and no other image is touched' "$plan" 'image t/other'
VERSION=3 fps build app -f "$FILE" -y --build-arg VERSION >/dev/null 2>&1
is 'a value of the environment' "$(data_of t/app /version)" 3
fails 'which the environment does not have' 1 env -u NOWHERE "$FPSYNC" --root "$ROOT" build app -f "$FILE" --build-arg NOWHERE
fails 'flags for none in particular' 1 fps build -f "$FILE" -y --build-arg VERSION=4
fps build app -f "$FILE" -y --target one >/dev/null 2>&1
is 'a stage becomes the image' "$(data_of t/app /stage)" ''
like 'and the plan says so' "$(fps plan -f "$FILE")" 'args: stage one by --target -> as the spec says'
like 'a stage that is none' "$(fps build app -f "$FILE" -y --target onee 2>&1)" "no stage 'onee'"
fails 'an object that is no image' 1 fps build -f "$FILE" --target container/web
converge 'the spec again'
is 'and its last stage' "$(data_of t/app /stage)" two

# ---- secrets ----
value=geheim-$TAG-$RANDOM
cat >"$SPEC/app/Recipe" <<'END'
FROM guest
RUN --mount=type=secret,id=token,required,mode=0444 cat /run/secrets/token && sha256sum </run/secrets/token >/file
RUN --mount=type=secret,id=other,env=OTHER --mount=type=secret,id=none [ ! -e /run/secrets/other ] && echo "says $OTHER" && printf %s "$OTHER" | sha256sum >/variable
END
like 'an image whose secret is not given is held' "$(fps plan -f "$FILE")" 'secret token is required'
check 'which is no fault of the set' fps validate -f "$FILE"
printf %s "$value" >"$ROOT/token"
chmod 600 "$ROOT/token"
seen() { # bytes of all command lines, over and over
    while :; do cat /proc/[0-9]*/cmdline >>"$ROOT.seen" 2>/dev/null; done
}
seen &
watcher=$!
said=$(OTHER=$value fps build app -f "$FILE" -y --secret "id=token,src=$ROOT/token" --secret id=other,env=OTHER --progress plain 2>&1)
is 'built with secrets' $? 0
kill "$watcher"
wait "$watcher" 2>/dev/null
sum=$(sha256sum <"$ROOT/token")
is 'as a file' "$(data_of t/app /file)" "$sum"
is 'and as a variable' "$(data_of t/app /variable)" "$sum"
like 'what is printed of one is not shown' "$said" 'says \*\*\*'
holders() { # files below the root that hold the value, but for where it came from
    grep -rlaF -- "$value" "$ROOT" 2>/dev/null | grep -v "^$ROOT/token$"
}
is 'it is nowhere in the record, steps, images and logs' "$(holders)" ''
is 'nor in what was said' "$(grep -cF -- "$value" <<<"$said")" 0
check 'command lines were looked at' test -s "$ROOT.seen"
is 'nor in one of them' "$(grep -acF -- "$value" "$ROOT.seen")" 0
rm -f "$ROOT.seen"
printf another >"$ROOT/token"
is 'another value is no reason to build' "$(actions_of "$(plan_of "$FILE")" | grep -c image)" 0
sed -i "s|context: ./app, network: none|context: ./app, network: none, secrets: { token: { file: $ROOT/token } }|" "$FILE"
echo '# again' >>"$SPEC/app/Recipe"
sed -i 's/>\/file/>\/file2/' "$SPEC/app/Recipe"
converge 'secrets of the spec'
is 'which RUN had' "$(data_of t/app /file2)" "$(sha256sum <"$ROOT/token")"

# ---- what is kept of a build, and told ----
is 'logs are for root alone' "$(find "$ROOT/var/lib/fpsync/build/logs" -type f ! -perm 600 | wc -l)" 0
sed -i 's/^RUN.*id=other.*/RUN seq 1 40; echo last words; exit 9/' "$SPEC/app/Recipe"
said=$(fps apply -f "$FILE" -y 2>&1)
like 'the error of a build names a file' "$said" "status 9 \(log: $ROOT/var/lib/fpsync/build/logs/t_app\.[0-9a-f]{64}\)"
file=$(grep -oE "$ROOT/var/lib/fpsync/build/logs/t_app\.[0-9a-f]{64}" <<<"$said" | head -n 1)
like 'which begins with what it is of' "$(head -n 1 "$file")" '^# .*Z, Recipe:3 RUN seq'
is 'and holds all of it' "$(sed 1d "$file" | head -n 41 | tail -n 2 | tr '\n' ' ')" '40 last words '
is 'logs prints it' "$(fps logs image/t/app | tail -n 1)" 'last words'
is 'by its bare name, too' "$(fps logs image/app | tail -n 1)" 'last words'
logs=$ROOT/var/lib/fpsync/build/logs
kept=${file##*/}
echo 'of another' >"$logs/u_${kept#t_}"
like 'two of one bare name are named' "$(fps logs image/app 2>&1)" 'both t/app and u/app .*write image/PROJECT/NAME'
is 'and each is found by its own' "$(fps logs image/u/app)" 'of another'
mv "$logs/u_${kept#t_}" "$logs/default_${kept#t_}"
is 'a bare name is that of project default' "$(fps logs image/app)" 'of another'
rm "$logs/default_${kept#t_}"
fails 'of an image that was never built there is none' 1 fps logs image/nothing
sed -i 's/^RUN seq.*/RUN yes 0123456789 | head -n 150000; exit 9/' "$SPEC/app/Recipe"
fps apply -f "$FILE" -y >/dev/null 2>&1
is 'a log is bounded' "$(find "$ROOT/var/lib/fpsync/build/logs" -type f -size +513k | wc -l)" 0
check 'and what is newest of it stays' test "$(fps logs image/t/app | wc -c)" -gt 500000
touch -d '8 days ago' "$file"
fps apply -f "$FILE" -y >/dev/null 2>&1
check 'an old one goes with the next build' test ! -e "$file"
like 'gc knows them' "$(fps gc --dry-run)" '^build logs: kept \([0-9]+ files?, [0-9]+'

# What a RUN prints is told and kept while it runs: it goes on when it has been seen.
gate=$ROOT/var/lib/fpsync/build/caches/gate/data
cat >"$SPEC/app/Recipe" <<'END'
FROM guest
RUN --mount=type=cache,id=gate,target=/gate rm -f /gate/pipe; mkfifo /gate/pipe; echo to one; echo to another >&2; cat /gate/pipe; echo at last
END
kept() { [ "$(fps logs image/t/app | sed 1d | paste -sd' ')" = 'to one to another' ]; }
goes_on() { # TEXT, options of fpsync: runs a build, and lets its RUN end once what it printed was seen
    local text=$1
    shift
    "$FPSYNC" --root "$ROOT" "$@" build --no-cache app -f "$FILE" -y >"$ROOT/out" 2>"$ROOT/said" &
    build=$!
    check "$text: told while it runs" eventually 30 told
    check "$text: and kept, of both streams" eventually 5 kept
    is "$text: and no more" "$(grep -c 'at last' "$ROOT/said")" 0
    timeout 20 sh -c "echo >$gate/pipe"
    wait "$build"
    is "$text: it ends" $? 0
    is "$text: the rest is kept, too" "$(fps logs image/t/app | tail -n 1)" 'at last'
}
told() { grep -qxF '        image t/app: to another' "$ROOT/said"; }
goes_on lines
is 'lines: the last of them' "$(grep '^ ' "$ROOT/said" | tail -n 1)" '        image t/app: at last'
told() {
    jq -se 'any(.event == "progress" and .kind == "image" and .name == "t/app" and .message == "to another")' "$ROOT/said"
}
goes_on events --progress json
told() { kept; }
goes_on quietly -q
is 'quietly: nothing is told of it' "$(cat "$ROOT/out" "$ROOT/said" | grep -c another)" 0
like 'a build that runs tells of itself: it is not followed' "$(fps logs --follow image/t/app 2>&1)" 'of containers'

cat >"$SPEC/app/Recipe" <<'END'
FROM guest
ENV PLACE=/srv
WORKDIR $PLACE/$NOWHERE
RUN true
END
like 'a variable that nothing sets is warned of' "$(fps plan -f "$FILE")" 'warning: WORKDIR: the variable NOWHERE is set by no ARG and no ENV above.*Recipe:3'
like 'by validate, too' "$(fps validate -f "$FILE" 2>&1)" 'warning: .*Recipe:3:[0-9]+: WORKDIR: the variable NOWHERE'
cat >"$SPEC/steps.yaml" <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  app:
    build:
      from: guest
      steps:
        - ENV A=b
        - RUNN true
END
like 'an inline step stands where it stands' "$(fps validate -f "$SPEC/steps.yaml" 2>&1)" 'steps.yaml:9:11: .*RUNN'
check 'down' fps down -f "$FILE" -y
check 'gc' fps gc --force -y
is 'nothing of a build is left' "$(find "$ROOT/var/lib/fpsync/build" -mindepth 2 | wc -l)" 0

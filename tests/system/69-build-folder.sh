#!/bin/bash
# Builds of folders, archives and recipes that no spec lists: made by the same way as any other, named by specs, and kept.
. "$(dirname "$0")/lib.sh"

mkdir -p "$SPEC/page/site" "$ROOT/elsewhere"
recipe() {
    cat >"$SPEC/page/Recipe"
}
echo hello >"$SPEC/page/site/index.html"
recipe <<'END'
FROM guest AS one
ARG VERSION=1
RUN echo $VERSION >/version && date +%s%N >/moment
COPY site /www
FROM one AS two
RUN echo two >/stage
END
spec base <<END
images:
  guest: { source: "file:$BUSYBOX" }
  listed: { build: { from: guest, network: none, steps: [ "ENV A=b" ] } }
networks: { default: { subnet: $NET.0/25 } }
END
converge 'a base that specs have' || exit
data_of() { # IMAGE FILE: in the image's own part of the store
    local digest
    digest=$(fps image inspect "$1" -o json | jq -r '.images[0].digest')
    cat "$ROOT/var/lib/fpsync/images/$digest/root$2" 2>/dev/null
}
digest_of() {
    fps image inspect "$1" -o json | jq -r '.images[0].digest'
}
still() { # TEXT, arguments of build: it makes no mutating call
    local text=$1
    shift
    check "$text" "$BUILD/tests/system/no-mutation" -a /lock -a /lock.mdb -- "$FPSYNC" --root "$ROOT" build -q "$@"
}

# ---- a folder ----

# A program that runs there has left its socket.
python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$SPEC/page/site/left.sock')"
plan=$(fps build "$SPEC/page" --dry-run)
like 'the plan of a folder' "$plan" 'build image default/page'
is 'which makes nothing' "$(fps image ls -o name | grep -c page)" 0
said=$(fps build "$SPEC/page" -y 2>&1)
is 'a folder is built' $? 0
like 'under its name' "$said" 'build image default/page: done'
is 'by its recipe' "$(data_of page /version) $(data_of page /stage) $(data_of page /www/index.html)" '1 two hello'
is 'without a socket' "$(ls "$ROOT/var/lib/fpsync/images/$(digest_of page)/root/www")" index.html
mkfifo "$SPEC/page/site/pipe"
like 'a pipe is refused' "$(fps build "$SPEC/page" --dry-run 2>&1)" 'COPY: site/pipe is neither a file'
like 'with a hint' "$(fps build "$SPEC/page" --dry-run 2>&1)" 'hint: a line of .dockerignore leaves it out'
rm "$SPEC/page/site/pipe"
like 'image ls has it' "$(fps image ls)" 'default/page'
still 'a second build does nothing' "$SPEC/page"
cd "$SPEC/page" || exit
"$FPSYNC" --root "$ROOT" build . -y >/dev/null 2>&1
is 'a relative path is the same' $? 0
cd - >/dev/null || exit
still 'and the same image' "$SPEC/page/"
before=$(data_of page /moment)
echo goodbye >"$SPEC/page/site/index.html"
like 'what changed is told' "$(fps build "$SPEC/page" --dry-run)" 'Recipe:4 COPY site'
check 'and built' fps build "$SPEC/page" -y
is 'anew' "$(data_of page /www/index.html)" goodbye
is 'from the step cache' "$(data_of page /moment)" "$before"
check 'another apply leaves it alone' fps apply -f "$FILE" -y
check 'as does gc' fps gc --force -y
is 'it is there' "$(data_of page /stage)" two

# ---- flags ----

check '--build-arg' fps build "$SPEC/page" -y --build-arg VERSION=2
is 'has its value' "$(data_of page /version)" 2
still 'and is no reason to build again' "$SPEC/page" --build-arg VERSION=2
like 'without it the plan says so' "$(fps build "$SPEC/page" --dry-run)" 'args: VERSION by --build-arg'
check '--target' fps build "$SPEC/page" -y --target one
is 'makes that stage' "$(data_of page /version)$(data_of page /stage)" 1
check '--no-cache' fps build "$SPEC/page" -y --no-cache
isnt 'makes every step again' "$(data_of page /moment)" "$before"
cat >"$SPEC/page/Other" <<'END'
FROM guest
RUN --mount=type=secret,id=token,required,mode=0444 sha256sum </run/secrets/token >/sum
END
printf value >"$ROOT/token"
fails 'a secret that is not given' 3 fps build "$SPEC/page/Other" -y -t secret
check '--secret' fps build "$SPEC/page/Other" -y -t secret --secret "id=token,src=$ROOT/token"
is 'which RUN had' "$(data_of secret /sum)" "$(sha256sum <"$ROOT/token")"

# ---- names ----

sed 's/^FROM guest/FROM default\/guest/' "$SPEC/page/Recipe" >"$SPEC/page/Elsewhere"
check 'a recipe by its path, with a name' fps build "$SPEC/page/Elsewhere" -y -t shop/page
is 'another project' "$(data_of shop/page /stage)" two
said=$(fps build "$SPEC/page" -y -t listed 2>&1)
is 'a name that a spec declares is refused' $? 1
like 'and says what helps' "$said" 'declared by .*base\.yaml: fpsync build default/listed builds that one, -t gives'
mkdir "$SPEC/Odd Name" && cp "$SPEC/page/Other" "$SPEC/Odd Name/Dockerfile"
like 'a folder whose name is none' "$(fps build "$SPEC/Odd Name" -y 2>&1)" 'no name of an image.*-t NAME gives it one'
fails 'nor is every -t one' 1 fps build "$SPEC/page" -y -t 'No:Name'
fails '-t is for those alone' 1 fps build listed -f "$FILE" -t other
fails '-f is not' 1 fps build "$SPEC/page" -f "$FILE" -y
fails 'one at a time' 1 fps build "$SPEC/page" "$SPEC/page/Other" -y
fails 'what is not there' 1 fps build "$SPEC/nothing" -y
mkdir "$SPEC/empty"
said=$(fps build "$SPEC/empty" -y 2>&1)
is 'a folder without a recipe' $? 6
like 'is told of' "$said" 'neither a Recipe nor a Dockerfile'
printf 'FROM guest\nRUNN true\n' >"$SPEC/empty/Recipe"
like 'a mistake has its line' "$(fps build "$SPEC/empty" -y 2>&1)" 'empty/Recipe:2:1: .*RUNN'
printf 'FROM nowhere\n' >"$SPEC/empty/Recipe"
like 'a base that is none' "$(fps build "$SPEC/empty" -y 2>&1)" 'nowhere'

# ---- archives ----

tar -C "$SPEC/page" -cJf "$ROOT/elsewhere/packed.tar.xz" Recipe site
check 'an archive' fps build "$ROOT/elsewhere/packed.tar.xz" -y
is 'under its name' "$(data_of packed /www/index.html)" goodbye
still 'a second time it is as it was' "$ROOT/elsewhere/packed.tar.xz"
tar -C "$SPEC/page" -cf "$ROOT/elsewhere/plain.tar" Recipe site
check 'one that is not compressed' fps build "$ROOT/elsewhere/plain.tar" -y
is 'is no recipe' "$(data_of plain /stage)" two
echo more >>"$SPEC/page/site/index.html"
tar -C "$SPEC/page" -cJf "$ROOT/elsewhere/packed.tar.xz" Recipe site
check 'another archive' fps build "$ROOT/elsewhere/packed.tar.xz" -y
like 'is another image' "$(data_of packed /www/index.html)" more

# ---- used ----

spec user <<END
project: t
networks: { wire: { subnet: $NET.128/26 } }
images: { above: { build: { from: default/page, network: wire, steps: [ "RUN echo above >/above" ] } } }
containers:
  web: { image: default/page, networks: { wire: { address: $NET.140 } } }
  top: { image: above, networks: { wire: { address: $NET.141 } } }
END
fps build "$SPEC/page" -y >/dev/null 2>&1
converge 'specs name it, and build on it'
is 'a container runs it' "$(inside t/web cat /stage)" two
is 'and one what stands on it' "$(inside t/top cat /above)" above
fails 'in use it is not removed' 4 fps image rm page
echo 'newest' >"$SPEC/page/site/index.html"
check 'built again' fps build "$SPEC/page" -y
like 'whoever runs it follows at the next apply' "$(fps plan -f "$FILE")" 'restart container t/web'
converge 'as it does'
is 'the new one' "$(inside t/web cat /www/index.html)" newest
check 'a failed build' test "$(
    echo 'RUN exit 4' >>"$SPEC/page/Recipe"
    fps build "$SPEC/page" -y >/dev/null 2>&1
    echo $?
)" = 3
is 'leaves the image' "$(data_of page /www/index.html)" newest
is 'its root is kept' "$(fps build --shell page -- cat /www/index.html)" newest
sed -i '$d' "$SPEC/page/Recipe"

# ---- killed ----

cat >"$SPEC/page/Slow" <<'END'
FROM guest
RUN echo begun >/begun && sleep 2 && echo done >/done
RUN echo end >/end
END
spawn() {
    "$FPSYNC" --root "$ROOT" build "$SPEC/page/Slow" -y -t slow >"$ROOT/slow.log" 2>&1 &
    killed=$!
}
for moment in 0.05 0.2 0.5 1 2.2; do
    spawn
    read -r -t "$moment" <> <(:) || true
    kill -9 "$killed" 2>/dev/null
    wait "$killed" 2>/dev/null
done
check 'killed again and again, it is built in the end' fps build "$SPEC/page/Slow" -y -t slow
is 'as a whole' "$(data_of slow /begun) $(data_of slow /done) $(data_of slow /end)" 'begun done end'
still 'with nothing more to do' "$SPEC/page/Slow" -t slow
is 'and nothing of it is left' "$(ls "$ROOT/var/lib/lxc" | grep -c Build)$(ls -A "$ROOT/var/lib/fpsync/build/steps" | grep -c '^\.')" 00

printf 'FROM default/guest\nRUN sleep 1000\n' >"$SPEC/page/Endless"
running() {
    lxc-ls -P "$ROOT/var/lib/lxc" --running -1 | grep -c ^Build
}
endless() {
    "$FPSYNC" --root "$ROOT" build "$SPEC/page/Endless" -y -t endless >"$ROOT/endless.log" 2>&1 &
    killed=$!
    check 'a RUN that never ends' eventually 30 eval '[ "$(running)" = 1 ]'
    kill -9 "$killed"
    wait "$killed" 2>/dev/null
}
endless
said() {
    fps doctor 2>&1 | grep -cE 'a build was killed|failed or cut off:.*build image default/endless'
}
told=$(fps doctor 2>&1)
like 'whose build is killed: doctor tells of it' "$told" 'a build was killed'
like 'and which one' "$told" 'failed or cut off:.*build image default/endless'
like 'any apply ends it' "$(fps apply -y -f "$FILE" 2>&1)" 'ended what a build that was killed had left running'
is 'and it is gone at once' "$(running)$(ls -A "$ROOT/var/lib/fpsync/build/steps" | grep -c '^\.')" 00
endless
like 'gc ends one, too' "$(fps gc)" '^build unfinished: freed \(1 step, left by a build that was killed\)'
is 'and it is gone' "$(running)$(ls -A "$ROOT/var/lib/fpsync/build/steps" | grep -c '^\.')" 00
check 'with its name' fps image rm endless
is 'nothing more is told' "$(said)" 0

# ---- freed ----

check 'what somebody builds on stays' test "$(fps image gc --dry-run -o name | grep -c "$(digest_of page)")" = 0
check 'image rm removes one' fps image rm slow
is 'and it is gone' "$(fps image ls -o name | grep -c slow)" 0
kept=$(digest_of page)
fps image gc >"$ROOT/gc.log" 2>&1
is 'image gc frees those that nobody uses' "$(fps image ls -o name | grep -cE 'packed|plain|secret|empty|shop/page')" 0
is 'and not what somebody runs' "$(digest_of page)" "$kept"
check 'down' fps down -f "$FILE" -y
check 'and what it wrote' fps gc --force -y
check 'then the last of them goes' fps image gc
is 'and is gone' "$(fps image ls -o name | grep -c page)" 0
bridges() {
    ip -o link show type bridge | wc -l
}
networks() {
    fps status -o json | jq -r '.objects[] | select(.kind == "network") | .name' | grep -c lone
}
before=$(bridges)
check 'a project that no spec has' fps build "$SPEC/page/Elsewhere" -y -t lone/one
check 'has two images' fps build "$SPEC/page/Elsewhere" -y -t lone/two
is 'and a network for their RUN' "$(networks) $(($(bridges) - before))" '1 1'
check 'one of them goes' fps image rm lone/one
is 'and the network is needed still' "$(networks) $(($(bridges) - before))" '1 1'
said=$(fps image rm lone/two 2>&1)
is 'with the last one it goes' "$(networks) $(($(bridges) - before))" '0 0'
like 'and that is told' "$said" 'delete network lone/default'
check 'what nobody uses' fps build "$SPEC/page/Elsewhere" -y -t lone/three
check 'leaves no network behind its images' fps image gc
is 'when they are freed' "$(networks) $(($(bridges) - before))" '0 0'

check 'and the base' fps down -f "$SPEC/base.yaml" -y

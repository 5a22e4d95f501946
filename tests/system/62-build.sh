#!/bin/bash
# Images from recipes: what is built, when it is built again and why, and what is left when that fails.
. "$(dirname "$0")/lib.sh"

mkdir -p "$SPEC/app/site"
echo hello >"$SPEC/app/site/index.html"
recipe() {
    cat >"$SPEC/app/Recipe"
}
recipe <<END
FROM guest
ENV COLOR="deep blue"
RUN rm /etc/motd 2>/dev/null; echo "\$COLOR" >/srv/color && rm /www/cgi-bin/who && id -u >/srv/uid
COPY site /www
WORKDIR /srv/app
RUN pwd >/srv/where
END
spec build <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  app: { build: ./app }
networks:
  default: { subnet: $NET.0/25 }
containers:
  web: { image: app, networks: { default: { address: $NET.10 } } }
END
tree() { # of all images: path, mode, owner, size, content
    (cd "$ROOT/var/lib/fpsync/images" && find . \( -type f -exec sha256sum {} + \) -o -printf '%p %m %U %G %l\n' | sort)
}
steps() {
    ls "$ROOT/var/lib/fpsync/build/steps" 2>/dev/null | wc -l
}

plan=$(fps plan -f "$FILE")
like 'the plan builds' "$plan" 'build image t/app'
like 'and says by which recipe' "$plan" '/app/Recipe'
is 'a plan makes nothing' "$(ls "$ROOT")" spec
converge 'the first build'
is 'RUN saw ENV, as root' "$(inside t/web cat /srv/color /srv/uid | tr '\n' ' ')" 'deep blue 0 '
is 'COPY' "$(inside t/web cat /www/index.html)" hello
is 'WORKDIR is made and used' "$(inside t/web cat /srv/where)" /srv/app
check 'what RUN removed is gone' inside t/web sh -c '! [ -e /www/cgi-bin/who ]'
check 'and the rest of that folder is there' inside t/web test -d /www/cgi-bin
is 'nothing of the building containers is left' "$(ls "$ROOT/var/lib/lxc" | tr '\n' ' ')" "$(lxc_of t/web) "
is 'nor a port of theirs' "$(ports_of_host | wc -l)" 1
before=$(tree)
inside t/web sh -c 'echo own >/srv/color; rm /srv/uid; echo x >/new'
is 'a container changes no byte of an image' "$(tree)" "$before"
check 'a second apply makes no mutating call' "$BUILD/tests/system/no-mutation" \
    -a /lock -a /lock.mdb -- "$FPSYNC" --root "$ROOT" apply -q -f "$FILE"

count=$(steps)
echo goodbye >"$SPEC/app/site/index.html"
like 'the plan says which input changed' "$(causes_of "$(plan_of "$FILE")")" 'Recipe:4'
check 'build makes the image again' fps build -f "$FILE" -y
is 'steps before it are not made again' "$(($(steps) - count))" 3
like 'then its container stands on an old one' "$(fps plan -f "$FILE")" 'restart container t/web'
touch "$SPEC/app/site/index.html"
is 'a time is no reason' "$(actions_of "$(plan_of "$FILE")" | grep -c image)" 0
converge 'the container follows' "$FILE"
is 'what it wrote moved along' "$(inside t/web cat /new)" x

digest() {
    jq -r '.objects[] | select(.kind == "image" and .name == "t/app").digest' <<<"$(fps status -o json)"
}
count=$(steps)
sed -i 's/^RUN pwd.*/RUN echo before the end; exit 7/' "$SPEC/app/Recipe"
said=$(fps apply -f "$FILE" -y 2>&1)
is 'a RUN that fails: some failed' $? 3
like 'with the line of the recipe' "$said" 'Recipe:6'
like 'and the status' "$said" 'status 7'
like 'and its output' "$said" 'before the end'
is 'and once where to look' "$(grep -c 'fpsync build --shell t/app .*fpsync logs image/t/app ' <<<"$said")" 1
like 'the one works' "$(fps build --shell t/app -- echo here)" here
like 'and the other' "$(fps logs image/t/app)" 'before the end'
check 'and nothing of the rules is out of place for it' fps status --drift
is 'the image before it is still what runs' "$(inside t/web cat /www/index.html)" goodbye
is 'nothing of the building containers is left then, either' "$(ls "$ROOT/var/lib/lxc" | tr '\n' ' ')" "$(lxc_of t/web) "
sed -i 's/^RUN echo before.*/RUNN pwd/' "$SPEC/app/Recipe"
said=$(fps plan -f "$FILE" 2>&1)
is 'a keyword that is none: invalid' $? 6
like 'with line, column and a hint' "$said" "Recipe:6:1.*RUNN"
like 'that names the nearest' "$said" "RUN"
sed -i 's/^RUNN.*/COPY nothing.txt \//' "$SPEC/app/Recipe"
said=$(fps validate -f "$FILE" 2>&1)
is 'a file that is not there: invalid' $? 6
like 'with the line' "$said" "Recipe:6.*nothing.txt"
sed -i 's/^COPY nothing.*/RUN pwd >\/srv\/where/' "$SPEC/app/Recipe"
converge 'mended'

spec chain <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  app: { build: ./app }
  more: { build: { from: app, steps: ["RUN cat /srv/color >/srv/chained", "ENV MORE=1"] } }
networks:
  default: { subnet: $NET.0/25 }
containers:
  web: { image: app, networks: { default: { address: $NET.10 } } }
  two: { image: more }
END
FILE=$SPEC/build.yaml
mv "$SPEC/chain.yaml" "$FILE"
converge 'an image on a built one'
is 'it has what its base has' "$(inside t/two cat /srv/chained)" 'deep blue'
is 'its base is the whole tree below both' "$(grep -l "^lower" "$ROOT"/var/lib/fpsync/images/*/complete | wc -l)" 3
sed -i 's/deep blue/red/' "$SPEC/app/Recipe"
like 'a changed base is built again, and what stands on it' "$(actions_of "$(plan_of "$FILE")" | tr '\n' ' ')" \
    '^build image/t/app build image/t/more '
like 'and the plan says so' "$(causes_of "$(plan_of "$FILE")")" 'dependency: image t/app'
converge 'the chain again'
is 'with what the base has now' "$(inside t/two cat /srv/chained)" red
check 'a build with nothing to do' fps build -f "$FILE"
like 'asked to, it makes every step again' "$(fps build --no-cache -f "$FILE" 2>&1)" 'asked for: --no-cache'
is 'which is no reason to build again' "$(actions_of "$(plan_of "$FILE")" | grep -c image)" 0
converge 'and containers are on what it made'
check 'an image is written as an OCI layout' fps image export t/more "$ROOT/layout:v1"
like 'which skopeo reads' "$(skopeo inspect --config "oci:$ROOT/layout:v1" 2>&1)" 'MORE=1'
is 'as two layers, of base and of what was built' "$(skopeo inspect "oci:$ROOT/layout:v1" | jq '.Layers | length')" 2
like 'a tag that is none is refused' "$(fps image export t/more "$ROOT/layout:-x" 2>&1)" 'tag'
check 'down' fps down -f "$FILE" -y

# ---- a root that is closed to the ids of containers ----

closed() { # FOLDER: what doctor says of it
    fps doctor -o json 2>/dev/null | jq -r '.checks[] | select(.check | test("^folders on the way")) | "\(.level) \(.mend)"'
}
like 'doctor finds every folder open' "$(closed)" '^ok'
for folder in "$ROOT" "$ROOT/run"; do
    mode=$(stat -c %a "$folder")
    chmod 700 "$folder"
    like "a RUN below ${folder#"${ROOT%/*}"/} that is closed" "$(fps build --no-cache -f "$FILE" -y 2>&1)" \
        "failed: .*its ids cannot enter the folder $folder; chmod o\+x $folder lets them pass"
    is 'doctor says so, too' "$(closed)" "missing chmod o+x $folder"
    chmod o+x "$folder"
    like 'and that it was enough' "$(closed)" '^ok'
    chmod "$mode" "$folder"
done

mkdir -p "$ROOT/etc/fpsync"
echo "aliases: { 'tiny:*': 'file:$BUSYBOX' }" >"$ROOT/etc/fpsync/fpsync.conf"
spec named <<END
project: t
images:
  one: { build: { from: "tiny:1", network: none, steps: [ "RUN echo 1 >/one" ] } }
  two: { build: { from: "tiny:2", network: none, steps: [ "RUN echo 2 >/two" ] } }
END
like 'FROM means what an alias says, and the plan says what that is' "$(causes_of "$(plan_of "$FILE")")" "needed - file:$BUSYBOX"
converge 'images on an alias'
is 'they share what it names' "$(fps status -o name | grep -c image/t/from-)" 1
check 'down again' fps down -f "$FILE" -y
like 'gc keeps steps that were built upon of late' "$(fps gc --dry-run)" 'build steps: kept'
check 'and frees them by force' fps gc --force -y
is 'nothing of a build is left' "$(find "$ROOT/var/lib/fpsync/build" -mindepth 2 | wc -l)" 0

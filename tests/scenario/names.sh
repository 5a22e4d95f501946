# What the names of images in recipes mean, as plans, warnings and failures tell it; sourced by run.sh.
named() { # LINES: a recipe of the image app, beside an image guest
    at "$1"
    mkdir -p "$root/app" "$root/etc/fpsync"
    cat >"$root/app/Recipe"
    echo "aliases: { 'debian:*': 'bootstrap:bookworm' }" >"$root/etc/fpsync/fpsync.conf"
    printf '%s\n' 'images:' '  guest: { source: "bootstrap:trixie" }' '  app: { build: ./app }' >"$root/spec.yaml"
}

meanings() {
    named names-meanings <<'END'
FROM debian:12 AS tool
FROM guest
COPY --from=tool /a /a
COPY --from=busybox /b /b
END
    gives 2 run_spec -o json plan && diff -u - <(jq -r --arg root "$root/" '.actions[] | select(.kind == "image") |
        "\(.verb) \(.name | sub("[0-9a-f]{16}"; "HASH"))", (.causes[] | "  \(.field): \(.new | sub("[0-9a-f]{16}"; "HASH")) (\(.at))" | gsub($root; ""))' "$root/said" | sort) <<'END' || return 1
  COPY --from=busybox: a registry, as nothing on this host has the name (app/Recipe:4)
  COPY --from=busybox: image default/from-HASH (a registry, as nothing on this host has the name) (app/Recipe:4)
  FROM debian:12: alias debian:* of fpsync.conf (app/Recipe:1)
  FROM debian:12: image default/from-HASH (alias debian:* of fpsync.conf) (app/Recipe:1)
  FROM guest: image default/guest of the spec (app/Recipe:2)
  declared: app/Recipe (spec.yaml:3)
  declared: bootstrap:trixie (spec.yaml:2)
  needed: bootstrap:bookworm (app/Recipe:1)
  needed: oci:busybox (app/Recipe:4)
build default/app
create default/from-HASH
create default/from-HASH
create default/guest
END
    gives 0 run_spec apply && gives 0 run_spec plan || return 1
    # Declared no more, it is kept as long as an image of another source stands on it.
    echo 'images: { other: { build: { from: guest, steps: [ "ENV A=b" ] } } }' >"$root/other.yaml"
    gives 2 run -f "$root/other.yaml" plan && says "FROM guest: image default/guest of the store   ($root/other.yaml:1)"
}

mistyped() {
    named names-mistyped <<'END'
FROM geust AS build
RUN true
FROM build
COPY --from=biuld /a /a
RUN --mount=type=bind,from=nothing,target=/c true
END
    local place=$root/app/Recipe
    gives 0 run_spec validate && diff -u - "$root/said" <<END || return 1
warning: $place:1:6: FROM geust: nothing on this host has the name, so that it is pulled from a registry
    hint: did you mean 'guest'?
warning: $place:4:6: COPY --from=biuld: nothing on this host has the name, so that it is pulled from a registry
    hint: did you mean 'build'?
6 objects, no errors
END
    gives 2 run_spec plan && says "hint: did you mean 'build'?" || return 1
    FPSYNC_FAKE_FAIL=1+ gives 3 run_spec apply && says "(for COPY --from=biuld at $place:4:6; did you mean 'build'?)" &&
        says "(for RUN --mount from=nothing at $place:5:5)" || return 1
    # What was pulled once is what was meant.
    gives 0 run_spec apply && gives 0 run_spec plan && gives 0 run_spec validate && ! grep -q warning "$root/said"
}
check 'a plan says what the names of images in a recipe mean' meanings
check 'a name that is nearly a stage or an image is warned of, and one that cannot be pulled has its place' mistyped

all_told() {
    named names-all <<'END'
FROM --platform=linux/none guest AS tool
COPY nofile1 /x
COPY nofile2 /y
WORKDIR ${Q:?must}
END
    printf '%s\n' 'images:' '  a: { build: ./nofolder }' '  app: { build: ./app }' '  b: { build: { context: ./app, target: tolo } }' \
        '  c: { build: { context: ./app, target: nope } }' '  guest: { source: "bootstrap:trixie" }' >"$root/spec.yaml"
    gives 6 run_spec validate && diff -u - <(sed "s#$root/##g; /hint: [al]/d; s#linux/[a-z0-9]*, #linux/OWN, #" "$root/said") <<'END'
app/Recipe:1:6: FROM --platform: this host is linux/OWN, not linux/none
app/Recipe:2:6: COPY: nofile1: No such file or directory
app/Recipe:3:6: COPY: nofile2: No such file or directory
app/Recipe:4:9: WORKDIR: Q: must
spec.yaml:2:15: 'build': nofolder: No such file or directory
spec.yaml:4:41: the recipe has no stage 'tolo': it has tool
    hint: did you mean 'tool'?
spec.yaml:5:41: the recipe has no stage 'nope': it has tool
END
}
# What an image sets that the same run makes first is known once it is made.
set_below() {
    named names-below <<'END'
FROM below
WORKDIR /$DIR
USER $WHO
COPY $DIR/file /
END
    mkdir -p "$root/app/sub" && touch "$root/app/sub/file"
    echo '  below: { build: { from: guest, steps: [ "ENV DIR=sub WHO=nobody" ] } }' >>"$root/spec.yaml"
    gives 0 run_spec validate && ! grep warning "$root/said" && gives 0 run_spec apply && gives 0 run_spec plan &&
        gives 0 run image inspect app && [ "$(jq -r '.images[0].config | .WorkingDir + " " + .User' "$root/said")" = '/sub nobody' ] || return 1
    # It is judged then, and with the next run before anything is made.
    sed -i 's/DIR=sub/DIR=other/' "$root/spec.yaml"
    gives 0 run_spec validate && gives 6 run_spec apply && says 'build image default/app: failed: Recipe:4: COPY: other' && gives 6 run_spec validate && says "app/Recipe:4:6: COPY: other" || return 1
    named names-below-address <<'END'
FROM below
ADD https://example.org/$DIR/file /file
END
    echo '  below: { build: { from: guest, steps: [ "ENV DIR=sub" ] } }' >>"$root/spec.yaml"
    gives 3 run_spec apply && says 'an address of ADD was not known before its base was made: the next run fetches it' &&
        gives 0 run_spec apply && gives 0 run_spec plan
}
check 'what an image sets that is made by the same run is known once it is made' set_below

# Each image of them stands in the message.
circles() {
    at names-circles
    printf '%s\n' 'project: p' 'images:' '  a: { build: { from: b, steps: [ "RUN x" ] } }' '  b: { build: { from: c, steps: [ "RUN x" ] } }' \
        '  c: { build: { from: "bootstrap:trixie", steps: [ "COPY --from=b /x /x" ] } }' \
        '  d: { build: { from: d, steps: [ "RUN x" ] } }' >"$root/spec.yaml"
    gives 6 run_spec validate && diff -u - <(sed "s#$root/##g" "$root/said") <<'END'
spec.yaml:5:52: COPY --from=b: images are made from each other: p/b from p/c, p/c from p/b
spec.yaml:6:23: FROM d: image d is made from itself
END
}
check 'images that are made from each other are all named' circles

# Sources whose kind is mistyped: where the text may be of a registry or a remote it is only asked about.
mistyped_kinds() {
    at names-kinds
    printf '%s\n' 'images:' '  a: { source: "bootstap:bookworm" }' '  b: { source: "dockr:nginx" }' '  c: { source: "ocii:nginx:1" }' \
        '  d: { source: "debian:12" }' '  e: { build: { from: "bootstap:bookworm", steps: [ "RUN x" ] } }' \
        '  f: { build: { from: "dockr:nginx", steps: [ "RUN x" ] } }' '  g: { build: { from: "docker:dind", steps: [ "RUN x" ] } }' >"$root/spec.yaml"
    gives 0 run_spec validate && diff -u - <(grep -v objects "$root/said") <<END || return 1
warning: $root/spec.yaml:6:23: FROM bootstap:bookworm: nothing on this host has the name, so that it is pulled from a registry
    hint: did you mean 'bootstrap:bookworm'?
warning: $root/spec.yaml:7:23: FROM dockr:nginx: nothing on this host has the name, so that it is pulled from a registry
    hint: did you mean 'oci:nginx'?
END
    gives 2 run_spec plan && diff -u - <(sed -n "s# A remote is written.*##; s#; a remote is.*##; s/^      hint: //p" <(grep -A1 '^  = held' "$root/said")) <<'END' || return 1
did you mean 'bootstrap:bookworm'?
did you mean 'oci:nginx'?
did you mean 'oci:nginx:1'?
an image of a registry is 'oci:debian:12'
END
    # What is no name at all.
    printf '%s\n' 'images:' '  a: { source: "docker:nginx" }' '  b: { source: "docker://nginx" }' '  c: { source: nginx }' '  d: { source: "http://example.org/x.tar" }' \
        '  e: { source: "oci://nginx:1" }' >"$root/spec.yaml"
    gives 6 run_spec validate && [ "$(sed -n "s/.*hint: did you mean '\(.*\)'?/\1/p" "$root/said" | paste -sd' ')" = 'oci:nginx oci:nginx oci:nginx https://example.org/x.tar oci:nginx:1' ] || return 1
    printf '%s\n' 'images:' '  a: { build: { from: Base, steps: [ "RUN x" ] } }' '  b: { build: { from: "imagess:debian/12", steps: [ "RUN x" ] } }' >"$root/spec.yaml"
    gives 6 run_spec validate && says "hint: names of images are in lower case: did you mean 'base'?" && says "hint: did you mean 'images:debian/12'?"
}
check 'a source whose kind is mistyped is asked about' mistyped_kinds

# What stands in a recipe that cannot be read to its end, and what it names: each line is told of once.
broken_told() {
    named names-broken <<'END'
FROM nowhere! AS tool
RUNN x
COPY nofile /x
COPY --chmod=888 nofile /x
PORT 70000 8080:80
ENV A
COPY $A nofile /x/
FROM guest
COPY --from=9 /a /a
COPY --from=tool /a /a
COPY --from=nothing! /a /a
END
    gives 6 run_spec validate && diff -u - <(sed "s#$root/##g; /hint:/d; s/: there is no image .*/: NONE/" "$root/said") <<'END'
app/Recipe:1:6: FROM nowhere!: NONE
app/Recipe:2:1: expected a keyword, found 'RUNN'
app/Recipe:3:6: COPY: nofile: No such file or directory
app/Recipe:4:6: COPY --chmod: expected octal permissions up to 07777, found '888'
app/Recipe:4:18: COPY: nofile: No such file or directory
app/Recipe:5:6: PORT: expected [[address:]host:]container[/tcp|udp|tcp+udp], ports from 1 to 65535 or ranges of them, found '70000'
app/Recipe:6:5: ENV: expected name=value, found 'A'
app/Recipe:9:6: there is no stage 9: the recipe has 2
app/Recipe:11:6: COPY --from=nothing!: NONE
END
}
check 'what is wrong in a recipe is told in one go, by line, whatever else is wrong in it' broken_told

# Also beside what is wrong in the specs, as far as a recipe by itself can tell.
told_beside() {
    named names-beside <<'END'
FROM guest
RUNN x
END
    printf '%s\n' 'images:' '  a: { build: ./nofolder }' '  app: { build: ./app, colour: red }' \
        '  c: { build: { from: guest, steps: [ "ENV a" ] } }' '  d: { build: { steps: [ "RUN x" ] } }' \
        '  guest: { source: "bootstrap:trixie" }' >"$root/spec.yaml"
    gives 6 run_spec validate && diff -u - <(sed "s#$root/##g; /hint:/d" "$root/said") <<'END'
app/Recipe:2:1: expected a keyword, found 'RUNN'
spec.yaml:2:15: 'build': nofolder: No such file or directory
spec.yaml:3:24: unknown key 'colour' in image
spec.yaml:4:39: ENV: expected name=value, found 'a'
spec.yaml:5:15: a build needs a folder, or the image that its steps begin on
END
}
check 'recipes are read also beside what is wrong in the specs' told_beside

check 'all that is wrong in recipes is told in one go, where it is' all_told

gone_lines() {
    named names-gone <<'END'
FROM guest
COPY site /x
VOLUME up:/up
END
    touch "$root/app/site"
    gives 0 run_spec apply || return 1
    sed -i '/^COPY/d' "$root/app/Recipe"
    gives 2 run_spec plan && says "Recipe:2: COPY site /x (removed)   ($root/app/Recipe)" || return 1
    gives 2 run_spec -o json plan && [ "$(jq -c '[.actions[].causes[] | select(.new == null).at]' "$root/said")" = "[\"$root/app/Recipe\",\"$root/app/Recipe\"]" ] || return 1
    gives 1 run_spec build gest && says 'fpsync: no image gest is declared; did you mean guest?'
}
check 'what is in a recipe no more stands in none of its lines' gone_lines

# Also of images that another file declares.
mistyped_record() {
    at names-record
    local pair word meant
    mkdir -p "$root/site"
    printf '%s\n' 'project: play' 'images: { base: { source: "bootstrap:bookworm" } }' >"$root/play.yaml"
    echo 'images: { tiny: { source: "bootstrap:trixie" }, bass: { source: "bootstrap:trixie" } }' >"$root/spec.yaml"
    gives 0 run -f "$root/play.yaml" apply && gives 0 run_spec apply || return 1
    for pair in play/bas=play/base plya/base=play/base tinny=tiny default/tinny=default/tiny base=play/base; do
        word=${pair%=*} meant=${pair#*=}
        echo "FROM $word" >"$root/site/Recipe"
        gives 2 run --dry-run build "$root/site" -t site && says "warning: FROM $word: nothing on this host has the name" &&
            says "hint: did you mean '$meant'?" || return 1
        echo 'images: { site: { build: ./site } }' >"$root/other.yaml"
        gives 0 run -f "$root/other.yaml" validate && says "hint: did you mean '$meant'?" || return 1
    done
    # What this run forgets is not offered.
    echo FROM tinny >"$root/site/Recipe"
    cp "$root/other.yaml" "$root/spec.yaml"
    gives 0 run_spec validate && ! grep warning "$root/said"
}
check 'a name that is nearly an image on record is warned of, too' mistyped_record

# What a published recipe stands on, to those who read it.
published_bases() {
    named names-published <<'END'
FROM guest AS build
RUN true
FROM bootstrap:trixie
COPY --from=middle /a /a
COPY --from=build /b /b
COPY --from=debian:12 /c /c
COPY --from=own:1 /d /d
END
    local place=$root/app/Recipe
    mkdir -p "$root/own"
    echo "aliases: { 'debian:*': 'bootstrap:bookworm', 'own:*': 'file:$root/own' }" >"$root/etc/fpsync/fpsync.conf"
    echo '  middle: { build: { from: "bootstrap:trixie", steps: [ "RUN true" ] } }' >>"$root/spec.yaml"
    gives 0 run_spec apply && gives 0 run image publish app middle --to "$root/tree" && diff -u - <(grep ' of this host' "$root/said") <<END || return 1
fpsync: image default/app: $place:1: FROM guest is an image of this host: elsewhere the name is looked for in a registry; its source bootstrap:trixie is the same everywhere
fpsync: image default/app: $place:4: COPY --from=middle is an image of this host: elsewhere the name is looked for in a registry; publish default/middle, too, and name it as REMOTE:middle, of the remote that serves it
fpsync: image default/app: $place:6: COPY --from=debian:12 is an alias in the fpsync.conf of this host: elsewhere the name is looked for in a registry; its source bootstrap:bookworm is the same everywhere
fpsync: image default/app: $place:7: COPY --from=own:1 is an alias in the fpsync.conf of this host: elsewhere the name is looked for in a registry; what it stands for is on this host alone
END
    gives 0 run -q image publish app --to "$root/tree" && ! grep ' of this host' "$root/said"
}
check 'a recipe that is published is warned of where it names images of this host' published_bases

unknown_images() (
    at names-unknown
    mkdir -p "$root/site" "$root/lit"
    echo FROM scratch >"$root/site/Recipe"
    echo 'images: { gust: { build: { from: scratch, steps: [ "ENV A=b" ] } } }' >"$root/spec.yaml"
    cd "$root" || return 1
    gives 1 run build site && says 'fpsync: no image site is declared; ./site is built by: fpsync build ./site' &&
        gives 1 run_spec build lit && says 'fpsync: no image lit is declared; ./lit is built by: fpsync build ./lit' &&
        gives 1 run build lit/t && says "fpsync: no image lit/t is declared in $root/etc/fpsync/specs.d; -f says which file declares it" &&
        gives 1 run_spec build lit/t && says 'fpsync: no image lit/t is declared' && ! grep -e -f "$root/said"
)
check 'who builds what is not declared hears how a folder, and a file elsewhere, is built' unknown_images

secret_of_unlisted() {
    at names-secret
    mkdir -p "$root/sec"
    printf '%s\n' 'FROM bootstrap:trixie' 'RUN --mount=type=secret,id=tok,required true' >"$root/sec/Recipe"
    echo word >"$root/tok"
    gives 3 run build "$root/sec" -y && says 'the secret tok is required, and not given' && says '--secret id=tok,src=FILE' &&
        ! grep 'fpsync build default/sec' "$root/said" && gives 0 run build "$root/sec" -y --secret "id=tok,src=$root/tok"
}
check 'a build of what is in no spec asks for a secret by the flag that this command takes' secret_of_unlisted

mistyped_remotes() {
    at names-remotes
    mkdir -p "$root/etc/fpsync"
    echo 'remotes: { mirror: { url: "https://mirror.example" } }' >"$root/etc/fpsync/fpsync.conf"
    local name meant
    while read -r name meant; do
        echo "images: { base: { source: \"$name:x/bookworm\" } }" >"$root/spec.yaml"
        gives 2 run_spec plan && says "no remote is called \"$name\"" &&
            says "hint: $meant into $root/etc/fpsync/fpsync.conf: remotes: { $name: { url: \"https://...\" } }" || return 1
    done <<'END'
bootstap did you mean 'bootstrap:'? A remote is written
fiel did you mean 'file:x/bookworm'? A remote is written
oci-layuot did you mean 'oci-layout:x/bookworm'? A remote is written
image did you mean 'images:x/bookworm'? A remote is written
miror did you mean 'mirror:x/bookworm'? A remote is written
store write
END
    echo 'images: { base: { build: "fiel:x/bookworm" } }' >"$root/spec.yaml"
    gives 2 run_spec plan && says 'no remote is called "fiel"' && says "hint: write into" &&
        sed -i s/fiel/miror/ "$root/spec.yaml" && gives 2 run_spec plan && says "hint: did you mean 'mirror:x/bookworm'?"
}
check 'a remote that nobody knows may be a mistyped one, or a kind of source' mistyped_remotes

export_paths() {
    at names-export
    local path
    echo 'images: { tiny: { source: "bootstrap:trixie" } }' >"$root/spec.yaml"
    gives 0 run_spec apply || return 1
    for path in t.tgz t.tar.bz2 t.ZIP t.squashfs t.tgz:v1; do
        gives 1 run image export tiny "$root/$path" &&
            says "image export: $root/${path%:v1}: an archive is .tar, .tar.gz, .tar.xz or .tar.zst" || return 1
    done
    for path in t.tar t.tar.gz t.tar.xz t.tar.zst t t.tgz/ zip; do
        gives 0 run image export tiny "$root/$path" || return 1
    done
}
check 'an archive of a kind that export does not write is no folder of that name' export_paths

given_in_vain() { # also where there is nothing to build
    at names-in-vain
    mkdir -p "$root/sec" && echo x >"$root/x"
    printf '%s\n' 'FROM scratch' 'ARG TOKEN=1' 'RUN --mount=type=secret,id=key make $TOKEN' >"$root/sec/Recipe"
    printf '%s\n' 'images:' '  app:' '    build:' '      context: ./sec' '      args: { TOKNE: "1" }' "      secrets: { kye: { file: $root/x } }" >"$root/spec.yaml"
    gives 2 run_spec plan && says 'warning: no ARG of the recipe takes the argument TOKNE; did you mean TOKEN?   (' &&
        says 'warning: no RUN of the recipe mounts the secret kye; did you mean key?   (' || return 1
    gives 0 run build "$root/sec" -y && gives 0 run build "$root/sec" -y && says 'Nothing to do' && ! says 'warning' >/dev/null || return 1
    gives 0 run build "$root/sec" -y --build-arg TOKN=1 --secret "id=ky,src=$root/x" && says 'Nothing to do' &&
        says "warning: $root/sec/Recipe:1:1: no ARG of the recipe takes the argument TOKN; did you mean TOKEN?" &&
        says "warning: $root/sec/Recipe:1:1: no RUN of the recipe mounts the secret ky; did you mean key?" || return 1
    gives 0 run build "$root/sec" -q --build-arg TOKN=1 && [ ! -s "$root/said" ] || return 1
    # What is built tells it in its plan, and once.
    gives 0 run build "$root/sec" -y --build-arg TOKN=1 --build-arg TOKEN=2 && says 'build image default/sec: done' &&
        [ "$(grep -c 'takes the argument TOKN' "$root/said")" = 1 ]
}
check 'what a build is given and its recipe does not ask for is warned of' given_in_vain

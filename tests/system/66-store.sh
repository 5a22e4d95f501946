#!/bin/bash
# The app store: a tree that one host publishes and signs is searched, run and built from by another, whose name for it is
# `store`. What a server says of itself, and what it publishes, is a stranger's.
. "$(dirname "$0")/lib.sh"
. "$HERE/fetch.sh"
make_ca || { not_ok 'certificates of a CA of our own' && exit; }
mkdir -p "$ROOT/etc/fpsync" "$ROOT/canary"
echo untouched >"$ROOT/canary/file"
TREE=$ROOT/served
ARCH=$(dpkg --print-architecture)
KEY=
# minisign's and signify's programs are not everywhere: without them the same is shown unsigned, over TLS alone.
if command -v minisign >/dev/null; then
    minisign -G -W -p "$ROOT/key.pub" -s "$ROOT/key.sec" >/dev/null 2>&1
    KEY=$(tail -n 1 "$ROOT/key.pub")
fi
sign() {
    [ -z "$KEY" ] || for file in index images; do
        minisign -S -s "$ROOT/key.sec" -m "$TREE/streams/v1/$file.json" >/dev/null 2>&1 </dev/null
    done
}
# NAME VERSION DESCRIPTION CONFIG RECIPE-FOLDER [KIND] as `image publish` lays it out: an image of the guest with that config.
publish_app() {
    local name=$1 version=$2 description=$3 config=$4 recipe=$5 kind=${6:-squashfs} id place work=$ROOT/work root
    id=$name:current:$ARCH:default
    place=$TREE/images/$name/current/$ARCH/default/$version
    rm -rf "$work" && mkdir -p "$place" "$work/meta"
    [ -e "$TREE/products.json" ] || echo '{}' >"$TREE/products.json"
    jq --arg id "$id" --arg name "$name" --arg arch "$ARCH" --arg description "$description" --argjson config "$config" \
        '.[$id] += {aliases: "\($name),\($name)/current", arch: $arch, os: $name, release: "current", variant: "default",
            fpsync: {description: $description, version: "1.0", volumes: (($config.Volumes // {}) | keys),
                env: (($config.Env // []) | map(sub("=.*"; ""))), ports: ($config.Labels."org.fpsync.ports" // "[]" | fromjson)}}' \
        "$TREE/products.json" >"$TREE/products.new" && mv "$TREE/products.new" "$TREE/products.json"
    printf 'architecture: %s\ncreation_date: 1700000000\n' "$ARCH" >"$work/meta/metadata.yaml"
    jq -ncS "$config" >"$work/meta/fpsync.json"
    eval "${EVIL-:}"
    cp -a "$BUSYBOX" "$work/meta/rootfs"
    if [ "$kind" = whole ]; then
        tar -C "$work/meta" -czf "$place/lxd_combined.tar.gz" .
        add_item "$TREE" "$id" "$version" lxd_combined.tar.gz lxd_combined.tar.gz "$place/lxd_combined.tar.gz"
    else
        root=$work/meta/rootfs
        tar -C "$work/meta" --exclude=./rootfs -cJf "$place/lxd.tar.xz" .
        if [ "$kind" = squashfs ]; then
            mksquashfs "$root" "$place/root.squashfs" -noappend -quiet -no-progress >/dev/null
            add_item "$TREE" "$id" "$version" root.squashfs squashfs "$place/root.squashfs"
        else
            tar -C "$root" -cJf "$place/root.tar.xz" .
            add_item "$TREE" "$id" "$version" root.tar.xz root.tar.xz "$place/root.tar.xz"
        fi
        add_item "$TREE" "$id" "$version" lxd.tar.xz lxd.tar.xz "$place/lxd.tar.xz" "$(jq -n \
            --arg tar "$(cat "$place/lxd.tar.xz" "$place/root.tar.xz" 2>/dev/null | sha)" \
            --arg squashfs "$(cat "$place/lxd.tar.xz" "$place/root.squashfs" 2>/dev/null | sha)" \
            '{combined_rootxz_sha256: $tar, combined_squashfs_sha256: $squashfs}')"
    fi
    if [ -n "$recipe" ]; then
        tar -C "$recipe" -cJf "$place/recipe.tar.xz" .
        add_item "$TREE" "$id" "$version" recipe.tar.xz fpsync-recipe "$place/recipe.tar.xz"
    fi
    relist "$TREE" && sign
}
conf() { # MORE entries of the remote
    printf 'downloads: { ca: "%s", stall: 1s, tries: 1 }\nremotes: { store: { url: "%s/plain"%s } }\n' \
        "$PKI/ca.pem" "$SERVER" "${KEY:+, key: \"$KEY\"}${1-}" >"$ROOT/etc/fpsync/fpsync.conf"
}
settle() { # TEXT: what runs an image is planned when that is here
    check "$1" fps apply -y -f "$FILE" && converge "$1: nothing more to do"
}
# shellcheck disable=SC2016
hello=$(jq -nc --arg ports "[\"$PORT:8080\"]" '{Entrypoint: ["/bin/sh", "-c"], Env: ["GREETING=hello"],
    Cmd: ["echo $GREETING >/srv/data/index.html; httpd -f -p 8080 -h /srv/data"],
    Volumes: {"/srv/data": {}}, Labels: {"org.fpsync.ports": $ports}}')
RECIPE=$ROOT/recipe
mkdir -p "$RECIPE"
printf 'FROM base\nARG NAME=world\nRUN echo hello $NAME >/greeting\nCOPY file /file\nCMD ["/bin/sh", "-c", "sleep 1000"]\n' >"$RECIPE/Recipe"
echo first >"$RECIPE/file"
publish_app hello 20260101_100000 'Says hello' "$hello" "$RECIPE"
publish_app evil 20260101_100000 "$(printf 'turns \e[31mred \xc2\x9b31m \xe2\x80\xaeand round')" '{}' '' tar
publish_app whole 20260101_100000 'All in one' '{"Env": ["WHOLE=yes"]}' '' whole
serve "$TREE"

# ---- without a remote ----

spec app <<END
images: { hello: { source: "store:hello" } }
END
held 'no remote is called store: held, with the line to write' 'no remote is called "store"' 'fpsync.conf: remotes: \{ store: \{ url: '
fails 'nor can it be searched' 1 fps store search
like 'the line to write is said' "$(fps store search 2>&1)" 'write into .*/fpsync.conf: remotes: \{ store: \{ url: "https://..."'
conf

# ---- searched ----

said=$(fps store search)
like 'what it has' "$said" '^hello +1\.0 .* - +Says hello$'
is 'a size has a unit, however odd' "$(awk 'NR > 1 && $3 !~ /^[0-9]+[KMGT]iB$/' <<<"$said" | grep -c '^[a-z]')" 0
is 'no terminal obeys it' "$(printf %s "$said" | LC_ALL=C grep -cP '\x1b|\xc2\x9b|\xe2\x80\xae')" 0
like 'it is told all the same' "$said" '^evil .*turns \?\[31mred \?\?31m \?\?\?and round$'
is 'by words, whatever their case' "$(fps -o name store search SAYS hel)" 'store:hello'
is 'a word that nothing has' "$(fps store search nothing-has-it 2>/dev/null)" ''
like 'nor one with a word like a name' "$(fps store search hlelo 2>&1)" 'no image for this machine that says hlelo; did you mean hello\?$'
like 'with none like it nothing is proposed' "$(fps store search nothing-has-it 2>&1)" 'no image for this machine that says nothing-has-it$'
is 'as data it is an empty list' "$(fps -o json store search hlelo 2>&1 | jq -c .images)" '[]'
said=$(fps store info hello)
for line in "name +hello" "description +Says hello" "arch +$ARCH" "ports +$PORT:8080" "volumes +/srv/data" "env +GREETING" "recipe +yes" "here +no"; do
    like "info: $line" "$said" "^$line$"
done
is 'and as data' "$(fps -o json store info hello | jq -c '[.schema, .images[0].name, .images[0].recipe, .images[0].here, .images[0].volumes]')" \
    '[1,"hello",true,null,["/srv/data"]]'
# As fpsync publishes a recipe that names an image of its publisher.
cp "$TREE/products.json" "$ROOT/products.kept"
jq '(.[] | select(.os == "hello") | .fpsync.needs) = ["base", "t/tools\u001b[31m"]' "$ROOT/products.kept" >"$TREE/products.json" && relist "$TREE" && sign
said=$(fps store info hello)
like 'a recipe that needs images of its publisher' "$said" "^recipe +yes, on its publisher's own base, t/tools\?\[31m$"
like 'is no line to take over' "$said" '^# build: "store:hello" needs what its recipe names by base, '
is 'the image is' "$(grep -c '^images: ' <<<"$said") $(grep -c 'source: "store:hello"' <<<"$said")" '1 1'
# A list that is longer than an answer: what is called just so is found in it, and that it is not all is said.
jq '. as $all | [.[] | select(.os == "hello")][0] as $one | reduce range(600) as $i ({}; .["a\($i):current:x:default"] = ($one | .os = "a\($i)" | .aliases = "a\($i)")) + $all' \
    "$ROOT/products.kept" >"$TREE/products.json" && relist "$TREE" && sign
like 'one far down a long list is found' "$(fps store info hello)" '^name +hello$'
like 'of the others it is said that there are more' "$(fps store search 2>&1 >/dev/null)" '^fpsync: 1[0-9]{2} more are not shown; further words narrow it$'
like 'to whoever takes data, too' "$(fps -o json store search says 2>&1 >/dev/null)" '^fpsync: 1[0-9]{2} more are not shown'
like 'words narrow it' "$(fps -o name store search a59 2>&1)" '^store:a599$'
mv "$ROOT/products.kept" "$TREE/products.json" && relist "$TREE" && sign
fails 'what it does not have' 1 fps store info nobody
like 'with the way to the list' "$(fps store info nobody 2>&1)" 'no image nobody .*fpsync store search lists them'
like 'what is called nearly so' "$(fps store info hlelo 2>&1)" 'no image hlelo .*did you mean hello\?'
like 'offline' "$(fps --offline store search 2>&1)" 'not asked, as fpsync is to stay offline'
would_ask() { # REMOTE: the server that is not asked
    fps --offline --remote "$1" store search 2>&1 | sed -n 's|^fpsync: image.list: \(.*\)/streams/v1/index.json: not asked, .*|\1|p'
}
is 'images is preset, beside what is declared' "$(would_ask images) $(would_ask store)" "https://images.linuxcontainers.org $SERVER/plain"
sed -i.kept "s|^remotes: {|& images: { url: \"$SERVER/other\" },|" "$ROOT/etc/fpsync/fpsync.conf"
is 'or what fpsync.conf says' "$(would_ask images) $(would_ask store)" "$SERVER/other $SERVER/plain"
mv "$ROOT/etc/fpsync/fpsync.conf.kept" "$ROOT/etc/fpsync/fpsync.conf"
requests >/dev/null
like 'another remote' "$(fps --remote other store search 2>&1)" 'no remote is called "other"'
is 'is not asked' "$(requests)" ''

# ---- run ----

spec app <<END
project: t
images: { hello: { source: "store:hello" } }
networks: { front: { subnet: $NET.0/25 } }
containers: { one: { image: hello, networks: [ front ] } }
END
like 'its container is planned when it is here' "$(fps plan -f "$FILE")" 'expand container t/one'
settle 'it runs'
check 'as its config says: its port' eventually 20 page "http://127.0.0.1:$PORT/" hello
is 'its volume' "$(cat "$ROOT"/var/lib/fpsync/volumes/t_one-*/data/index.html)" hello
like 'it is here now' "$(fps store search hello)" '^hello .* current +Says hello$'
requests >/dev/null
check 'nothing to do' fps apply -y -f "$FILE"
is 'and no server is asked' "$(requests)" ''
publish_app hello 20260102_100000 'Says it again' "${hello/GREETING=hello/GREETING=again}" "$RECIPE"
converge 'a new version changes nothing by itself'
like 'what is here is an older one' "$(fps store info hello)" '^here +t/hello, of an older version$'
check 'it is pulled' fps image pull hello
plan=$(plan_of "$FILE")
like 'the plan says why' "$(causes_of "$plan")" 'image|env.GREETING'
settle 'it moves'
check 'to what is new' eventually 20 page "http://127.0.0.1:$PORT/" again
requests >/dev/null
is 'pulled once more: it is what it is' "$(fps image pull hello 2>&1)" 'image t/hello is what its source has today'
asked=$(requests)
like 'the server was asked' "$asked" 'streams/v1/'
is 'and nothing of the image was fetched' "$(grep -cE 'squashfs|tar' <<<"$asked")" 0
spec whole <<END
project: w
images: { whole: { source: "store:whole" } }
containers: { two: { image: whole, networks: [] } }
END
settle 'one file for all'
is 'with its config' "$(fps -o json image inspect w/whole | jq -c .images[0].config.Env)" '["WHOLE=yes"]'

# ---- built from ----

base='base: { source: "store:whole" }'
built() { # ENTRY of the image `app`
    spec built <<END
project: b
images: { $base, app: { build: $1 } }
containers: { app: { image: app, networks: [], on_image_change: reset } }
END
}
built '{ context: "store:hello", args: { NAME: store }, network: none }'
plan=$(plan_of "$FILE")
like 'a published recipe: it is fetched first' "$(actions_of "$plan")" '^fetch image/b/app'
like 'and what it asks for is known then' "$(causes_of "$plan")" 'known after its recipe is fetched'
is 'nothing of it is here' "$(ls "$ROOT/var/lib/fpsync/build/contexts" 2>/dev/null)" ''
check 'it is built' fps apply -y -f "$FILE"
is 'with the argument that the spec has' "$(inside b/app cat /greeting)" 'hello store'
is 'and with the files that were published' "$(inside b/app cat /file)" first
is 'known by the digest of what the index names' "$(ls "$ROOT/var/lib/fpsync/build/contexts")" \
    "$(sha "$TREE"/images/hello/current/*/default/20260102_100000/recipe.tar.xz)"
is 'no download stays' "$(downloads_in_store)" ''
requests >/dev/null
is 'nothing to do' "$(fps plan -f "$FILE")" 'Nothing to do: everything is as declared.'
check 'nor for apply' fps apply -y -f "$FILE"
is 'and no server is asked' "$(requests)" ''
sed -i 's/hello \$NAME/goodbye $NAME/' "$RECIPE/Recipe"
publish_app hello 20260103_100000 'Says goodbye' "$hello" "$RECIPE"
is 'another recipe there changes nothing by itself' "$(fps plan -f "$FILE")" 'Nothing to do: everything is as declared.'
check 'it is pulled' fps image pull b/app
plan=$(plan_of "$FILE")
like 'the plan says which line changed' "$(causes_of "$plan")" 'Recipe:3 .*hello .*goodbye'
check 'and it is built anew' fps apply -y -f "$FILE"
is 'of that' "$(inside b/app cat /greeting)" 'goodbye store'
is 'what it was built from is there, and what it was' "$(ls "$ROOT/var/lib/fpsync/build/contexts" | wc -l)" 2
check 'gc' fps gc --force -y
is 'frees what nothing is built from' "$(ls "$ROOT/var/lib/fpsync/build/contexts")" \
    "$(sha "$TREE"/images/hello/current/*/default/20260103_100000/recipe.tar.xz)"
mkdir -p "$ROOT/archive/app-1.0" && cp "$RECIPE/file" "$ROOT/archive/app-1.0"
printf 'FROM base\nCOPY file /file\nCMD ["/bin/sh", "-c", "sleep 1000"]\n' >"$ROOT/archive/app-1.0/Dockerfile"
pack() { # CONTENT of the file
    echo "$1" >"$ROOT/archive/app-1.0/file"
    tar -C "$ROOT/archive" -czf "$TREE/app.tar.gz" app-1.0
}
pack address
built "{ context: \"$SERVER/plain/app.tar.gz\", digest: \"sha256:$(printf %064d 1)\", network: none }"
like 'an address with another digest' "$(fps apply -y -f "$FILE" 2>&1)" 'expected sha256:0+1, and what came has sha256:'
is 'leaves what was there' "$(inside b/app cat /greeting)" 'goodbye store'
built "{ context: \"$SERVER/plain/app.tar.gz\", digest: \"sha256:$(sha "$TREE/app.tar.gz")\", network: none }"
said=$(fps apply -y -f "$FILE" 2>&1)
is 'an address with its digest' $? 0
like 'what is small is told in KiB' "$said" 'downloading 100 % of [1-9][0-9]* KiB'
is 'is unpacked, the one folder that it holds' "$(inside b/app cat /file)" address
pack file && cp "$TREE/app.tar.gz" "$SPEC/app.tar.gz"
built '{ context: ./app.tar.gz, network: none }'
check 'a file' fps apply -y --offline -f "$FILE"
is 'is unpacked, too' "$(inside b/app cat /file)" file
pack changed && cp "$TREE/app.tar.gz" "$SPEC/app.tar.gz"
like 'which changes as it is changed' "$(actions_of "$(plan_of "$FILE")")" '^fetch image/b/app'
check 'and is built anew' fps apply -y -f "$FILE"
is 'of what it holds now' "$(inside b/app cat /file)" changed
is 'and that is all' "$(fps plan -f "$FILE")" 'Nothing to do: everything is as declared.'
mkdir -p "$ROOT/packed/in" && echo added >"$ROOT/packed/in/file" && tar -C "$ROOT/packed" -cJf "$ROOT/archive/app-1.0/in.tar.xz" in
printf 'FROM base\nCOPY file /file\nADD in.tar.xz /added/\nADD --checksum=sha256:%s %s/plain/app.tar.gz /whole.tar.gz\nCMD sleep 1000\n' \
    "$(sha "$TREE/app.tar.gz")" "$SERVER" >"$ROOT/archive/app-1.0/Dockerfile"
tar -C "$ROOT/archive" -cJf "$SPEC/app.tar.xz" app-1.0
built '{ context: ./app.tar.xz, network: none }'
cp "$ROOT/etc/fpsync/fpsync.conf" "$ROOT/conf.kept" && echo 'builds: { private_addresses: true }' >>"$ROOT/etc/fpsync/fpsync.conf"
check 'one whose recipe adds an archive that is in it, and an address' fps apply -y -f "$FILE"
is 'the one is unpacked' "$(inside b/app cat /added/in/file)" added
is 'the other is as it came' "$(inside b/app sha256sum /whole.tar.gz | cut -d' ' -f1)" "$(sha "$TREE/app.tar.gz")"
is 'and that is all, too' "$(fps plan -f "$FILE")" 'Nothing to do: everything is as declared.'

cp "$ROOT/conf.kept" "$ROOT/etc/fpsync/fpsync.conf"

# Recipes from elsewhere that no spec lists.
digest_of() { # IMAGE
    fps status -o json | jq -r --arg name "$1" '.objects[] | select(.kind == "image" and .name == $name).digest'
}
spec base <<<"{ project: default, images: { $base } }"
check 'a base for those of project default' fps apply -y -f "$FILE"
FILE=$SPEC/built.yaml
check 'build of an address' fps build -y "$SERVER/plain/app.tar.gz"
is 'it is called as the file is' "$(cat "$ROOT/var/lib/fpsync/images/$(digest_of default/app)/root/file")" changed
check 'build of what the store has' fps build -y store:hello -t default/greeter --build-arg NAME=nobody
like 'it is built of that' "$(cat "$ROOT/var/lib/fpsync/images/$(digest_of default/greeter)/root/greeting")" 'nobody'
fps build -y store:hello -t default/greeter --build-arg NAME=nobody >"$ROOT/said" 2>&1
is 'once more: nothing to do' $? 0
like 'as it says' "$(cat "$ROOT/said")" 'Nothing to do'
like 'without the argument it is another, and that is why' "$(fps build -y store:hello -t default/greeter 2>&1)" 'args: .*NAME.* -> none'
check 'and it goes' fps image rm default/greeter

# What is fetched can be wrong: said in the one document, beside what was done.
cp "$FILE" "$ROOT/kept.yaml"
printf 'FROM base\nCOPPY file /file\n' >"$ROOT/archive/app-1.0/Dockerfile"
tar -C "$ROOT/archive" -cf "$SPEC/wrong.tar" app-1.0
built '{ context: ./wrong.tar, network: none }'
fps apply -y -o json -f "$FILE" >"$ROOT/wrong.json" 2>&1
is 'a recipe that came and is wrong: invalid' $? 6
is 'one document says what was done, and what is wrong with it' \
    "$(jq -rs 'length, (.[0] | .actions[0].verb, .actions[0].outcome, .errors[0].line, .errors[0].column, .code)' "$ROOT/wrong.json" | tr '\n' ' ')" \
    '1 fetch done 2 1 6 '
like 'with the place in it' "$(jq -r '.errors[0].file' "$ROOT/wrong.json")" '/Dockerfile$'
is 'what was there stays' "$(inside b/app cat /added/in/file)" added
cp "$ROOT/kept.yaml" "$FILE"
built '{ context: ./app.tar.gz, network: none }'
check 'as before' fps apply -y -f "$FILE"
lies() { # TEXT, COMMAND that writes evil.tar, what is said
    rm -f "$SPEC/evil.tar" && (cd "$ROOT/archive" && eval "$2")
    cp "$FILE" "$ROOT/kept.yaml" && built '{ context: ./evil.tar, network: none }'
    like "$1: refused" "$(fps apply -y -f "$FILE" 2>&1)" "$3"
    is "$1: what was there stays" "$(inside b/app cat /file)" changed
    is "$1: nothing is left" "$(find "$ROOT/var/lib/fpsync/build/contexts" -mindepth 1 -maxdepth 1 -name '.*')" ''
    cp "$ROOT/kept.yaml" "$FILE"
}
lies 'a way up' "tar -P --transform 's#^app-1.0#../../app#' -cf '$SPEC/evil.tar' app-1.0" 'leads upwards'
lies 'a way through a link' "ln -s /etc link && tar -cf '$SPEC/evil.tar' link && rm link && mkdir link && echo x >link/passwd && tar -rf '$SPEC/evil.tar' link/passwd; rm -r link" 'link'
lies 'more than a context has' "python3 -c 'import io, sys, tarfile
with tarfile.open(sys.argv[1], \"w\") as tar:
    for n in range(100001):
        tar.addfile(tarfile.TarInfo(str(n)), io.BytesIO())' '$SPEC/evil.tar'" 'is one of more than 100000'
lies 'no archive' "echo nothing >'$SPEC/evil.tar'" 'evil.tar: '
is 'nothing else was touched' "$(cat "$ROOT/canary/file")" untouched

# ---- what is no config ----

KNOWN=$(images_in_store)
version=0
refused() { # TEXT, COMMAND in $work/meta, what is said
    version=$((version + 1))
    EVIL="(cd \"\$work/meta\" && $2)" publish_app "bad$version" 20260101_100000 bad '{}' '' tar
    spec bad <<<"images: { bad: { source: \"store:bad$version\" } }"
    like "$1: refused" "$(fps apply -y -f "$FILE" 2>&1)" "$3"
    is "$1: no image" "$(images_in_store)" "$KNOWN"
}
refused 'fpsync.json is a link' 'rm fpsync.json; ln -s /etc/shadow fpsync.json' 'fpsync.json is no file of at most 1 MiB'
refused 'fpsync.json is a pipe' 'rm fpsync.json; mkfifo fpsync.json' 'fpsync.json is no file of at most 1 MiB'
refused 'fpsync.json is a folder' 'rm fpsync.json; mkdir fpsync.json' 'fpsync.json is no file of at most 1 MiB'
refused 'fpsync.json has another name' 'ln fpsync.json other' 'fpsync.json is no file of at most 1 MiB'
refused 'fpsync.json is too large' 'truncate -s 2M fpsync.json' 'fpsync.json is no file of at most 1 MiB'
refused 'fpsync.json is no JSON' 'echo "{" >fpsync.json' 'fpsync.json: '
refused 'fpsync.json names a user that is none' "echo '{\"User\": \"../x\"}' >fpsync.json" 'fpsync.json: .*USER'
refused 'metadata.yaml is for another machine' 'echo "architecture: s390x" >metadata.yaml' "says that it is for s390x, and $ARCH was asked for"
stop_servers
finish

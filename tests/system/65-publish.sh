#!/bin/bash
# image publish: the tree that it writes, read by others' programs (LXD's daemon and client, LXC's template download,
# minisign, signify, gpg) and by fpsync as a remote; updates, kills before every call, and trees that strangers wrote.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fetch.sh"

make_ca || { not_ok 'a CA for the test' && exit 1; }
mkdir -p "$ROOT/etc/fpsync" "$ROOT/canary" && echo mine >"$ROOT/canary/file"
TREE=$ROOT/tree
ARCH=$(dpkg --print-architecture)
KEY=$ROOT/key.sec
minisign -G -W -p "$ROOT/key.pub" -s "$KEY" >/dev/null 2>&1 && chmod 600 "$KEY"
signify-openbsd -G -n -p "$ROOT/sy.pub" -s "$ROOT/sy.sec" && chmod 600 "$ROOT/sy.sec"

everything() { # FOLDER: all entries, with what they hold and when they were written
    (cd "$1" && find . -printf '%p %y %m %U %G %s %T@ %l\n' -o -true | LC_ALL=C sort && find . -type f -exec sha256sum {} + | LC_ALL=C sort)
}
contents() { # FOLDER: the same without times
    (cd "$1" && find . -printf '%p %y %m\n' | LC_ALL=C sort && find . -type f -exec sha256sum {} + | LC_ALL=C sort)
}
walked() { # ROOT of an image: path, type, mode, owner, link, content, device, links to one file, extended attributes
    (
        cd "$1" || exit
        find . -type f -printf '%p %y %m %U %G %s\n' -o -type l -printf '%p %y %U %G %l\n' -o -printf '%p %y %m %U %G\n' | LC_ALL=C sort
        find . -type f -exec sha256sum {} + | LC_ALL=C sort
        find . -type f -printf '%i %p\n' | LC_ALL=C sort -k 2 | awk '{ names[$1] = names[$1] " " $2; count[$1]++ }
            END { for (i in names) if (count[i] > 1) print "one file:" names[i] }' | LC_ALL=C sort
        find . \( -type f -o -type d \) -print0 | LC_ALL=C sort -z | xargs -0 getfattr -h -d -e hex -m '^(user|security\.capability|system\.posix)' 2>/dev/null
    )
}
digest_of() { # IMAGE
    fps image inspect "$1" -o json | jq -r '.images[0].digest'
}
stored() { # DIGEST: its root in the store
    root_of_image "$ROOT/var/lib/fpsync/images/$1"
}
place_of() { # NAME: folder of its newest version
    printf '%s\n' "$TREE/images/$1/current/$ARCH/default"/2* | tail -n 1
}
wrong_in() { # TREE [KEY]: what its indexes say and is not so
    local path sha size
    [ "$(jq -r '.index.images.path' "$1/streams/v1/index.json" 2>&1)" = streams/v1/images.json ] || echo 'index.json names no list'
    jq -r '.products[].versions[].items[] | "\(.path) \(.sha256) \(.size)"' "$1/streams/v1/images.json" 2>&1 |
        while read -r path sha size; do
            [ "$(sha "$1/$path") $(stat -c %s "$1/$path")" = "$sha $size" ] || echo "$path is not what images.json says"
        done
    while IFS=\; read -r _ _ _ _ _ path; do
        [ -f "$1$path/rootfs.tar.xz" ] && [ -f "$1$path/meta.tar.xz" ] || echo "$path is not there"
    done < <(cat "$1"/meta/1.0/* 2>/dev/null | grep -v '^other;')
    [ -z "${2-}" ] || for path in index images; do
        minisign -V -q -p "$2" -m "$1/streams/v1/$path.json" 2>&1 >/dev/null
        signify-openbsd -V -q -p "$2" -m "$1/streams/v1/$path.json" 2>&1
    done
}
equal() { # TEXT, got, wanted: long ones
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "$(diff <(echo "$2") <(echo "$3"))"; fi
}
refused() { # TEXT, what is said, ARGUMENTS of image publish
    local text=$1 wanted=$2 said
    shift 2
    said=$(fps image publish "$@" 2>&1) && said='it was published'
    like "$text" "$said" "$wanted"
}

# ---- images ----

ODD=$ROOT/odd
cp -a "$BUSYBOX" "$ODD"
(
    cd "$ODD" && echo odd >mark && mkdir -p keep gone 'with blank/ünïcode' && touch keep/a gone/b hidden 'with blank/x'
    chown 1234:5678 keep && chown -h 65535:65535 mark 'with blank' && chmod 2711 keep && chmod 1777 tmp && mkfifo -m 620 pipe
    cp bin/busybox special && chown 33:33 special && chmod 6755 special && ln special again && ln -s ../nowhere link
    cp bin/busybox able && setcap cap_net_raw,cap_net_bind_service+ep able
    setfattr -n user.note -v 'a note' mark && setfattr -n user.folder -v yes keep
)
# Before Linux 6.2 their ids cannot be read by who packs.
lists=$(printf '%s\n' 6.2 "$(uname -r)" | sort -V | head -n 1)
[ "$lists" != 6.2 ] && ODD_LISTED=$ROOT/listed && mkdir "$ODD_LISTED" && touch "$ODD_LISTED/hidden" || ODD_LISTED=$ODD
python3 -c 'import os, struct, sys
os.setxattr(sys.argv[1], "system.posix_acl_access", struct.pack("<I", 2) + b"".join(struct.pack("<HHI", t, p, i) for t, p, i in
    ((1, 6, 2**32-1), (2, 4, 1000), (4, 4, 2**32-1), (16, 4, 2**32-1), (32, 4, 2**32-1))))' "$ODD_LISTED/hidden"
CONTEXT=$ROOT/context
mkdir -p "$CONTEXT/site/deep" "$CONTEXT/unused"
cat >"$CONTEXT/Recipe" <<'END'
FROM odd
LABEL org.opencontainers.image.description="Shows a page" org.opencontainers.image.version=1.5
COPY site /srv
RUN rm -r /gone && mkdir /gone && echo new >/gone/c && echo app >/mark && chown 7:8 /mark
PORT 8080:80
VOLUME pages:/srv/more
CMD ["/bin/httpd", "-f", "-h", "/srv"]
END
printf 'site/secret\n' >"$CONTEXT/.dockerignore"
echo 'a page' >"$CONTEXT/site/index.html" && echo token >"$CONTEXT/site/secret" && echo x >"$CONTEXT/unused/y" && ln -s index.html "$CONTEXT/site/deep/link"
echo outside >"$ROOT/outside"
mkdir "$ROOT/small" && echo one >"$ROOT/small/one" && printf 'FROM scratch\nCOPY one /\n' >"$ROOT/small/Dockerfile"
spec app <<END
project: t
images:
  odd: { source: "file:$ODD" }
  app: { build: "$CONTEXT" }
  small: { build: "$ROOT/small" }
END
check 'an image of a folder, and two of recipes' fps apply -y -q -f "$FILE"
[ $failures -eq 0 ] || exit 1
BEFORE=$(canary)
DIGEST=$(digest_of app)

# ---- the tree ----

export SOURCE_DATE_EPOCH=1700000000
check 'published' fps image publish t/odd app --to "$TREE"
is 'what the indexes name is there' "$(wrong_in "$TREE")" ''
all=$(everything "$TREE")
like 'again' "$(fps image publish t/odd app --to "$TREE")" 'already published'
equal 'changes no byte and no time' "$(everything "$TREE")" "$all"
check 'into another folder' fps image publish odd t/app --to "$ROOT/tree2"
equal 'the same time gives the same bytes' "$(contents "$ROOT/tree2")" "$(contents "$TREE")"
place=$(place_of app)
is 'its version is the time' "${place##*/}" 20231114_221320
is 'what a store shows without fetching more' "$(jq -c '.products[] | select(.os == "app") | .fpsync' "$TREE/streams/v1/images.json")" \
    '{"description":"Shows a page","version":"1.5","ports":["8080:80"],"volumes":["pages:/srv/more"],"env":["PATH"],"needs":["odd"]}'
is 'what the image says about being run goes along' "$(tar -xOJf "$place/lxd.tar.xz" fpsync.json | sha)" \
    "$(sha "$ROOT/var/lib/fpsync/images/$DIGEST/config")"
is 'its recipe, and what that takes of its folder' "$(tar -tJf "$place/recipe.tar.xz" | LC_ALL=C sort | paste -sd' ')" \
    './ .dockerignore Recipe site/ site/deep/ site/deep/link site/index.html'
is 'as it stands there' "$(tar -xOJf "$place/recipe.tar.xz" Recipe | sha)" "$(sha "$CONTEXT/Recipe")"
is 'no key, no signature' "$(ls "$TREE/streams/v1" | paste -sd' ')" 'images.json index.json'
is 'the owner of all of it is root, and everybody reads it' "$(find "$TREE" ! -user 0 -o ! -group 0 -o ! -perm -444)" ''
# No archive may give an image a device, but a bootstrap makes some: one is put into the store by hand.
mknod -m 620 "$(stored "$(digest_of odd)")/dev/x" c 1 5 2>/dev/null || mkdir "$(stored "$(digest_of odd)")/dev" && mknod -m 620 "$(stored "$(digest_of odd)")/dev/x" c 1 5 2>/dev/null
(cd "$(stored "$(digest_of odd)")" && python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("left.sock")')
said=$(fps image publish app --to "$ROOT/tree3" 2>&1)
like 'what cannot be in it is told' "$said" 'left out [0-9]* sockets'
like 'so is what takes its time' "$(tr '\n' ' ' <<<"$said")" 'packing the root .*compressing it as rootfs.tar.xz .*making rootfs.squashfs'
like 'and of an archive, too' "$(fps image export app "$ROOT/app.tar" 2>&1)" 'left out [0-9]* sockets'
rm "$(stored "$(digest_of odd)")/left.sock"
like 'a device is in the squashfs' "$(unsquashfs -lln "$ROOT"/tree3/images/app/*/*/*/*/rootfs.squashfs dev/x 2>&1)" '^crw--w---- 0/0 +1, +5 '
like 'and in the tar' "$(tar -tvJf "$ROOT"/tree3/images/app/*/*/*/*/rootfs.tar.xz dev/x 2>&1)" '^crw--w---- .* 1,5 '
rm "$(stored "$(digest_of odd)")/dev/x"
mkdir "$ROOT/layer" && mount -t overlay overlay -o "ro,lowerdir=$(stored "$DIGEST"):$(stored "$(digest_of odd)")" "$ROOT/layer"
wanted=$(walked "$ROOT/layer")
umount "$ROOT/layer"
mkdir "$ROOT/tar" "$ROOT/squashed" && tar -C "$ROOT/tar" --xattrs --xattrs-include='*' --numeric-owner -xpJf "$place/rootfs.tar.xz"
without_lists() {
    grep -v '^system\.posix' | sed '/^# file:/{N;/\n$/d}'
}
equal 'tar unpacks the image: owners, modes, links, capabilities, attributes' "$(walked "$ROOT/tar" | grep -v posix)" "$(grep -v posix <<<"$wanted")"
unsquashfs -q -n -f -d "$ROOT/squashed" "$place/rootfs.squashfs" >/dev/null 2>&1
equal 'unsquashfs does' "$(walked "$ROOT/squashed" | without_lists)" "$(without_lists <<<"$wanted")"
if [ "$lists" != 6.2 ]; then
    skip 'access lists are in the tar' 'this kernel does not let who packs read them'
    check 'an image with one' fps image import "$ODD_LISTED" p/listed
    check 'is exported' fps image export p/listed "$ROOT/listed.tar"
    is 'without it' "$(grep -ac posix_acl "$ROOT/listed.tar")" 0
    check 'and imported again' fps image import "$ROOT/listed.tar" p/unlisted
    fps image rm p/listed p/unlisted >/dev/null 2>&1
else like 'access lists are in the tar' "$(bsdtar -cf - "@$place/rootfs.tar.xz" --format pax 2>/dev/null | grep -ao 'posix_acl_access\|SCHILY.acl' | head -n 1)" acl; fi
rm -r "$ROOT/tar" "$ROOT/squashed" "$ROOT/tree2" "$ROOT/tree3"

# ---- fpsync ----

serve "$TREE"
PUBLISHED=$SERVER
conf() { # MORE of the remote
    printf 'downloads: { tries: 1, ca: "%s" }\nremotes: { pub: { url: "%s/plain"%s } }\n' "$PKI/ca.pem" "$PUBLISHED" "${1-}" >"$ROOT/etc/fpsync/fpsync.conf"
}
pulled() { # IMAGES...: digests that they have here
    local name
    spec pulled <<END
project: p
images: { $(for name; do printf '%s: { source: "pub:%s" }, ' "$name" "$name"; done) }
END
    fps apply -y -q -f "$SPEC/pulled.yaml" >"$ROOT/pulled.out" 2>&1 || cat "$ROOT/pulled.out"
}
dropped() { # NAME of a spec
    fps down -y --timeout 0 -f "$SPEC/$1.yaml" >/dev/null 2>&1 && fps gc --force -y >/dev/null 2>&1
}
conf
pulled odd app
equal 'pulled again: the tree of a build, whole' "$(walked "$(stored "$(digest_of p/app)")")" "$(without_lists <<<"$wanted")"
isnt 'it is another image than the one of two layers' "$(digest_of p/app)" "$DIGEST"
dropped pulled
check 'as tar.xz' fps image publish odd app --to "$TREE" --format tar.xz
is 'what the indexes name is there' "$(wrong_in "$TREE")" ''
pulled odd app
equal 'pulled again, of tars: access lists, too' "$(walked "$(stored "$(digest_of p/app)")")" "$wanted"
is 'an image that is whole is the very same' "$(digest_of p/odd)" "$(digest_of t/odd)"
dropped pulled
spec run <<END
project: p
images: { app: { source: "pub:app" } }
containers: { one: { image: app, init: true, networks: [], ports: [] } }
END
check 'runs from there' fps apply -y -q -f "$SPEC/run.yaml"
is 'with what was built' "$(inside p/one cat /mark /srv/index.html 2>&1 | paste -sd' ')" 'app a page'
dropped run

# ---- others ----

if command -v lxd >/dev/null && command -v lxc >/dev/null; then
    export LXD_DIR=$ROOT/lxd LXD_CONF=$ROOT/lxdconf
    mkdir -p "$LXD_DIR" "$LXD_CONF"
    SSL_CERT_FILE=$PKI/ca.pem lxd --group root >"$ROOT/lxd.log" 2>&1 &
    lxd=$!
    export SSL_CERT_FILE=$PKI/ca.pem
    check 'LXD runs' lxd waitready --timeout 60
    check 'LXD: the tree is a remote' lxc remote add pub "$PUBLISHED/plain" --protocol simplestreams
    is 'its images are listed' "$(lxc image list pub: --format json | jq -r '[.[].aliases[]?.name] | unique | map(select(test("/amd64|/arm64") | not)) | join(" ")')" \
        'app app/current odd odd/current'
    check 'a pool' lxc storage create "pool-$TAG" dir
    check 'a root as tar.xz is copied, its fingerprint checked' lxc image copy pub:odd local:
    lxc init pub:odd "one-$TAG" -s "pool-$TAG" >/dev/null 2>&1 </dev/null
    check 'a container of it starts' lxc start "one-$TAG"
    is 'and runs a command' "$(lxc exec "one-$TAG" -- cat /mark </dev/null)" odd
    is 'owners are as they were' "$(lxc exec "one-$TAG" -- stat -c '%u:%g %a' /special /keep </dev/null | paste -sd' ')" '33:33 6755 1234:5678 2711'
    lxc delete -f "one-$TAG" >/dev/null
    SOURCE_DATE_EPOCH=1700001000 fps image publish odd --to "$TREE" >/dev/null
    rm -rf "$LXD_CONF" "$ROOT/cache" && mkdir "$LXD_CONF" && lxc remote add pub2 "$PUBLISHED/norange" --protocol simplestreams >/dev/null 2>&1
    lxc init pub2:odd "two-$TAG" -s "pool-$TAG" >/dev/null 2>&1 </dev/null
    check 'a container of the squashfs starts' lxc start "two-$TAG"
    is 'and runs a command, too' "$(lxc exec "two-$TAG" -- cat /mark </dev/null)" odd
    lxc delete -f "two-$TAG" >/dev/null
    lxc image list --format json | jq -r '.[].fingerprint' | while read -r image; do lxc image delete "$image"; done
    lxc storage delete "pool-$TAG" >/dev/null
    lxd shutdown -t 30 >/dev/null 2>&1
    wait "$lxd"
    awk -v root="$ROOT/lxd/" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount
    rm -rf "$LXD_DIR" "$LXD_CONF"
    unset SSL_CERT_FILE
else
    skip 'LXD reads the tree' 'lxd is not installed'
fi
if [ -x /usr/share/lxc/templates/lxc-download ] && command -v wget >/dev/null; then
    export LXC_CACHE_PATH=$ROOT/lxc-cache WGETRC=$ROOT/wgetrc
    echo "ca_certificate = $PKI/ca.pem" >"$WGETRC"
    mkdir "$ROOT/lxc-own" && echo 'lxc.net.0.type = empty' >"$ROOT/lxc.conf"
    own() { # lxc-PROGRAM, ARGUMENTS
        local program=$1
        shift
        timeout 120 env -C / "$program" -P "$ROOT/lxc-own" "$@"
    }
    created() { # NAME IMAGE
        own lxc-create -n "$1.$TAG" -f "$ROOT/lxc.conf" -t download -- --server "${PUBLISHED#https://}/plain" -d "$2" -r current -a "$ARCH"
    }
    check "LXC's template makes a container" created odd odd
    check 'it starts' own lxc-start -n "odd.$TAG"
    is 'and runs a command' "$(own lxc-attach -n "odd.$TAG" --clear-env -- cat /mark)" odd
    # Its tar is not told to take extended attributes.
    listed() { # ROOT: without what LXC makes there
        (cd "$1" && find . \( -path ./dev -o -path ./run \) -prune -o -printf '%p %y %m %U %G %l\n' | grep -v '^\. ' | LC_ALL=C sort)
    }
    equal 'its root is the image' "$(listed "$ROOT/lxc-own/odd.$TAG/rootfs")" "$(listed "$ODD")"
    own lxc-destroy -f -n "odd.$TAG" >/dev/null
    check 'one of an image with a command' created app app
    like 'has that command' "$(cat "$ROOT/lxc-own/app.$TAG/config")" '^lxc.init.cmd = /bin/httpd -f -h /srv$'
    check 'it starts' own lxc-start -n "app.$TAG"
    is 'which is its single process' "$(tr '\0' ' ' <"/proc/$(own lxc-info -n "app.$TAG" -pH)/cmdline")" '/bin/httpd -f -h /srv '
    own lxc-destroy -f -n "app.$TAG" >/dev/null
else
    skip "LXC's template reads the tree" 'there is no template, or no wget'
fi

# ---- updates ----

fps image publish odd app --to "$TREE" >/dev/null
versions() {
    jq -r --arg os "$1" '.products[] | select(.os == $os) | .versions | keys | join(" ")' "$TREE/streams/v1/images.json"
}
is 'the last two stay, newer ones by a second where the time is no later' "$(versions app)" '20231114_221321 20231114_221322'
is 'no other folder does' "$(ls -A "$TREE/images/app/current/$ARCH/default" | paste -sd' ')" '20231114_221321 20231114_221322'
echo changed >"$CONTEXT/site/index.html"
like 'a recipe that changed since the image was built' "$(fps image publish app --to "$TREE" --format tar.xz 2>&1 >/dev/null)" 'its recipe is left out: .*changed since'
is 'is not beside it' "$(ls "$(place_of app)" | paste -sd' ')" 'lxd.tar.xz meta.tar.xz rootfs.tar.xz'
check 'built anew' fps build -y -q -f "$SPEC/app.yaml"
check 'and published' fps image publish app --to "$TREE" --keep 1
is 'the only version' "$(versions app)" 20231114_221324
is 'with its recipe' "$(tar -xOJf "$(place_of app)/recipe.tar.xz" site/index.html)" changed
is 'what the indexes name is there' "$(wrong_in "$TREE")" ''
jq '.products["other:1:amd64:x"] = {arch: "amd64", os: "other", versions: {}} | .products["small:current:'"$ARCH"':default"] = {arch: "'"$ARCH"'", versions: {}}' \
    "$TREE/streams/v1/images.json" >"$ROOT/new.json" && mv "$ROOT/new.json" "$TREE/streams/v1/images.json"
jq '.index.theirs = {path: "streams/v1/theirs.json"}' "$TREE/streams/v1/index.json" >"$ROOT/new.json" && mv "$ROOT/new.json" "$TREE/streams/v1/index.json"
echo '{}' >"$TREE/streams/v1/theirs.json" && echo 'other;1;amd64;x;1;/images/x/' >>"$TREE/meta/1.0/index-system"
mkdir -p "$TREE/images/app/current/$ARCH/default/notes" && echo '<html>' >"$TREE/index.html"
refused 'a product of that name that is somebody'\''s' 'that fpsync did not publish' small --to "$TREE"
check 'beside what others have' fps image publish app odd --to "$TREE" --format tar.xz
is 'that stays' "$(jq -c '.products["other:1:amd64:x"]' "$TREE/streams/v1/images.json") $(jq -c .index.theirs "$TREE/streams/v1/index.json") $(cat "$TREE/streams/v1/theirs.json") $(grep -c '^other;' "$TREE/meta/1.0/index-system") $(ls -d "$TREE/images/app/current/$ARCH/default/notes" "$TREE/index.html" | wc -l)" \
    '{"arch":"amd64","os":"other","versions":{}} {"path":"streams/v1/theirs.json"} {} 1 2'
place=$(place_of odd)
rm "$place/lxd.tar.xz"
like 'a file that is gone' "$(fps image publish odd --to "$TREE" --format tar.xz)" 'published as'
is 'is published anew, and the version that lost it goes' "$(wrong_in "$TREE")$(ls "$(place_of odd)" | grep -c lxd.tar.xz)" 1

# ---- signed ----

SIGNED=$ROOT/signed
check 'signed by a key of minisign' fps image publish small --to "$SIGNED" --key "$KEY"
is 'minisign and signify accept it' "$(wrong_in "$SIGNED" "$ROOT/key.pub")" ''
all=$(everything "$SIGNED")
check 'again' fps image publish small --to "$SIGNED" --key "$KEY"
equal 'changes nothing' "$(everything "$SIGNED")" "$all"
refused 'without the key' 'the tree is signed .*publish with --key' small odd --to "$SIGNED"
fails 'which is a refusal' 4 fps image publish odd --to "$SIGNED"
refused 'with another key' 'signed with another key' odd --to "$SIGNED" --key "$ROOT/sy.sec"
equal 'nothing was changed' "$(everything "$SIGNED")" "$all"
check 'more, with the key' fps image publish odd --to "$SIGNED" --key "$KEY"
is 'is signed' "$(wrong_in "$SIGNED" "$ROOT/key.pub")" ''
check 'a tree that was not signed becomes so, by a key of signify' fps image publish app odd --to "$TREE" --format tar.xz --key "$ROOT/sy.sec"
is 'minisign and signify accept that' "$(wrong_in "$TREE" "$ROOT/sy.pub")" ''
conf ", key: \"$(tail -n 1 "$ROOT/sy.pub")\""
pulled odd
is 'fpsync does, with the key pinned' "$(digest_of p/odd)" "$(digest_of t/odd)"
dropped pulled
chmod 640 "$KEY"
refused 'a key that others can read' 'nobody else can read: chmod 600' small --to "$SIGNED" --key "$KEY"
chmod 600 "$KEY" && head -c 60 "$KEY" >"$ROOT/cut.sec" && sed 's/^\(R.....\)./\1x/' "$KEY" >"$ROOT/bad.sec" && chmod 600 "$ROOT"/*.sec
refused 'half a key' 'is no secret key of' small --to "$SIGNED" --key "$ROOT/cut.sec"
refused 'a damaged key' 'is damaged|is no secret key' small --to "$SIGNED" --key "$ROOT/bad.sec"
refused 'a public key' 'must be a file|is no secret key' small --to "$SIGNED" --key "$ROOT/key.pub"
secret=$(tail -n 1 "$KEY")
is 'the key is in no record' "$(grep -rlF -e "${secret:80:40}" "$ROOT/var/lib/fpsync" "$ROOT/run/fpsync" "$SIGNED" "$TREE" 2>/dev/null)" ''
export GNUPGHOME=$ROOT/gnupg
mkdir -m 700 "$GNUPGHOME"
gpg -q --batch --passphrase '' --quick-generate-key 'test <test@example.org>' ed25519 sign never 2>/dev/null
gpg -q --export >"$ROOT/keyring.gpg" && chmod 644 "$ROOT/keyring.gpg"
check 'signed by GPG, too' fps image publish small --to "$SIGNED" --key "$KEY" --gpg test@example.org
for index in index images; do
    is "gpgv accepts $index.sjson, over the same text" "$(gpgv --keyring "$ROOT/keyring.gpg" --output - "$SIGNED/streams/v1/$index.sjson" 2>/dev/null | jq -cS .)" \
        "$(jq -cS . "$SIGNED/streams/v1/$index.json")"
done
all=$(everything "$SIGNED")
check 'again' fps image publish small --to "$SIGNED" --key "$KEY" --gpg test@example.org
equal 'it is not signed anew' "$(everything "$SIGNED")" "$all"
refused 'without --gpg' 'publish with --gpg' small --to "$SIGNED" --key "$KEY"
refused 'a key that GPG has not' 'gpg does not sign with' odd --to "$ROOT/tree5" --gpg nobody@example.org
refused 'an option as a key' 'names no key of GPG' odd --to "$ROOT/tree6" --gpg=--output
gpgconf --kill all
serve "$SIGNED"
PUBLISHED=$SERVER
conf ", gpg: \"$ROOT/keyring.gpg\""
pulled odd
is 'fpsync accepts it' "$(cat "$(stored "$(digest_of p/odd)")/mark")" odd
dropped pulled

# ---- killed ----

export KILL_LOG=$ROOT/killed
publish_small() {
    env "$@" setsid -w "$FPSYNC" --root "$ROOT" image publish small --to "$ROOT/victim" --key "$KEY" --keep 1 >/dev/null 2>&1
}
fps image publish odd --to "$ROOT/victim0" --key "$KEY" >/dev/null
fps image publish small --to "$ROOT/victim0" --key "$KEY" --format tar.xz >/dev/null
cp -a "$ROOT/victim0" "$ROOT/victim"
publish_small SOURCE_DATE_EPOCH=1700002000
wanted=$(contents "$ROOT/victim")
rounds=0 spoiled=0
while [ $rounds -lt 200 ]; do
    rm -rf "$ROOT/victim" "$KILL_LOG" && cp -a "$ROOT/victim0" "$ROOT/victim"
    publish_small SOURCE_DATE_EPOCH=1700002000 LD_PRELOAD="$BUILD/tests/preload/kill-at.so" ASAN_OPTIONS=verify_asan_link_order=0 KILL_AT=$((rounds + 1))
    [ -s "$KILL_LOG" ] || break
    rounds=$((rounds + 1))
    text=$(wrong_in "$ROOT/victim" "$ROOT/key.pub")
    publish_small SOURCE_DATE_EPOCH=1700002000
    [ "$(contents "$ROOT/victim")" = "$wanted" ] || text="$text
$(diff <(contents "$ROOT/victim") <(echo "$wanted"))"
    [ -z "$text" ] || { spoiled=$((spoiled + 1)) && not_ok "killed before $(<"$KILL_LOG")" "$text"; }
done
check "killed before each of $rounds calls: the tree is whole, and the next run completes it" test $rounds -gt 20 -a $spoiled -eq 0
first=0 spoiled=0
while [ $first -lt 200 ]; do
    rm -rf "$ROOT/victim" "$KILL_LOG"
    publish_small SOURCE_DATE_EPOCH=1700002000 LD_PRELOAD="$BUILD/tests/preload/kill-at.so" ASAN_OPTIONS=verify_asan_link_order=0 KILL_AT=$((first + 1))
    [ -s "$KILL_LOG" ] || break
    first=$((first + 3))
    publish_small SOURCE_DATE_EPOCH=1700002000
    text=$(wrong_in "$ROOT/victim" "$ROOT/key.pub")$(find "$ROOT/victim" -name '.*')
    [ -z "$text" ] || { spoiled=$((spoiled + 1)) && not_ok "killed before $(<"$KILL_LOG"), where nothing was" "$text"; }
done
check 'the same where nothing was' test $first -gt 15 -a $spoiled -eq 0

# ---- strangers' trees ----

hostile() { # TEXT, COMMAND in a tree, what is said
    rm -rf "$ROOT/hostile" && cp -a "$ROOT/victim0" "$ROOT/hostile" && rm -f "$ROOT/hostile"/streams/v1/*.minisig "$ROOT/hostile"/streams/v1/*.sig
    (cd "$ROOT/hostile" && eval "$2")
    refused "$1" "$3" small --to "$ROOT/hostile"
}
hostile 'images is a link' 'mv images x && ln -s ../canary images' 'nothing in the tree is followed'
hostile 'the folder of a product is a link' "rm -r images/small && ln -s ../../canary images/small" 'nothing in the tree is followed'
hostile 'streams is a link' 'mv streams ../away && ln -s ../away streams' 'neither empty nor|nothing in the tree is followed'
rm -rf "$ROOT/away"
hostile 'streams/v1 is a link' 'mv streams/v1 streams/x && ln -s x streams/v1' 'neither empty nor|nothing in the tree is followed'
hostile 'meta is a link' 'rm -r meta && ln -s ../canary meta' 'nothing in the tree is followed'
hostile 'images.json is a link' 'ln -sf ../../../canary/file streams/v1/images.json' 'images.json'
hostile 'images.json is a pipe' 'rm streams/v1/images.json && mkfifo streams/v1/images.json' 'is no file of at most'
hostile 'images.json is huge' 'truncate -s 1G streams/v1/images.json' 'is no file of at most'
hostile 'images.json is none' 'echo "{" >streams/v1/images.json' 'images.json'
hostile 'images.json is deep' 'printf "[%.0s" {1..5000} >streams/v1/images.json' 'images.json'
hostile 'images.json is another format' 'echo "{\"format\": \"index:1.0\"}" >streams/v1/images.json' 'is none of simplestreams'
hostile 'index.json has a list of lists' 'echo "{\"format\": \"index:1.0\", \"index\": []}" >streams/v1/index.json' 'is none of simplestreams'
hostile 'a version that is a way out' 'sed -i "s/20[0-9]*_[0-9]*\": {/..\/..\/..\/zzz\": {/" streams/v1/images.json' 'is none of ours'
hostile 'a version that nothing follows' 'sed -i "s/20[0-9]*_[0-9]*\": {/99991231_235959\": {/" streams/v1/images.json' 'no version can follow'
hostile 'a version that sorts elsewhere' 'sed -i "s/20[0-9]*_[0-9]*\": {/9 0101_000000\": {/" streams/v1/images.json' 'is none of ours'
hostile 'a folder in streams/v1' 'mkdir streams/v1/x' 'is no file'
hostile 'a list of LXC is a link' 'ln -sf ../../../canary/file meta/1.0/index-system' 'index-system'
rm -rf "$ROOT/hostile" && mkdir "$ROOT/hostile" && echo mine >"$ROOT/hostile/file"
refused 'a folder of something else' 'neither empty nor a tree of images' small --to "$ROOT/hostile"
refused 'no folder' 'needs --to' small
refused 'a format that is none' 'squashfs or tar.xz' small --to "$ROOT/hostile" --format zip
refused 'an image that is not there' 'no image nothing is recorded' nothing --to "$ROOT/hostile"
is 'nothing outside was touched' "$(canary)" "$BEFORE"

#!/bin/bash
# Images of a simplestreams server, as LXD's and Incus' public ones are laid out: by alias, by parts, by fingerprint;
# what is signed, and what is not what it says.
. "$(dirname "$0")/lib.sh"
. "$HERE/fetch.sh"
make_ca || { not_ok 'certificates of a CA of our own' && exit; }
mkdir -p "$ROOT/etc/fpsync" "$ROOT/canary"
echo untouched >"$ROOT/canary/file"
TREE=$ROOT/served
ARCH=$(dpkg --print-architecture)
publish "$TREE" debian:bookworm:default debian/12,debian/bookworm 20240101_05:24 old tar "$ARCH"
publish "$TREE" debian:bookworm:default debian/12,debian/bookworm 20240301_05:24 new tar+squashfs "$ARCH"
publish "$TREE" debian:bookworm:default debian/12,debian/bookworm 20240401_05:24 foreign tar s390x
publish "$TREE" ubuntu:24.04:cloud ubuntu/24.04/cloud 20240201_07:42 squashed squashfs "$ARCH"
publish "$TREE" alpine:3.20:default '' 20240202_13:00 whole whole "$ARCH"
serve "$TREE"
conf() { # ENTRIES of the remote
    printf 'downloads: { ca: "%s", stall: 1s, tries: 1 }\nremotes: { images: { url: "%s/plain"%s } }\n' "$PKI/ca.pem" "$SERVER" "$1" \
        >"$ROOT/etc/fpsync/fpsync.conf"
}
conf ''
image() { # SOURCE [ENTRIES]
    spec image <<END
project: t
images: { guest: { source: "$1"${2-} } }
containers: { one: { image: guest, networks: [], on_image_change: reset } }
END
}
# What runs an image of a server is planned when that is here: one apply runs two plans.
settle() { # TEXT
    check "$1" fps apply -y -f "$FILE" && converge "$1: nothing more to do"
}
BEFORE=$(canary)
failed() { # TEXT, what the message must match: nothing of it is in the store, and nothing else was touched
    local said
    said=$(fps apply -y -f "$FILE" 2>&1)
    like "$1: refused" "$said" "$2"
    is "$1: no image" "$(images_in_store)" "$KNOWN"
    is "$1: no download stays" "$(downloads_in_store)" ''
}

# ---- every shape ----

for case in debian/12=new debian/bookworm/default=new ubuntu/24.04/cloud=squashed alpine/3.20=whole; do
    image "images:${case%=*}"
    settle "images:${case%=*}"
    is "images:${case%=*}: the newest for this machine" "$(inside t/one cat /mark)" "${case#*=}"
done
is 'all of it was taken out of the downloads' "$(downloads_in_store)" ''
is 'nothing else was touched' "$(canary)" "$BEFORE"
requests >/dev/null
check 'nothing to do' fps apply -y -f "$FILE"
is 'and no server is asked' "$(requests)" ''

# ---- pinned, lost, offline ----

fingerprint() { # VERSION
    cat "$TREE/images/debian/bookworm/$ARCH/default/$1"/{incus,rootfs}.tar.xz | sha
}
image images:debian/12 ", digest: \"sha256:$(fingerprint 20240101_05:24)\""
settle 'an older one by its fingerprint'
is 'it is that' "$(inside t/one cat /mark)" old
image images:debian/12
settle 'the pin is taken away: what is here is as good'
is 'it is still that' "$(inside t/one cat /mark)" old
digest=$(images_in_store | while read -r name; do grep -qx old "$ROOT/var/lib/fpsync/images/$name/root/mark" 2>/dev/null && echo "$name"; done)
rm -r "$ROOT/var/lib/fpsync/images/$digest"
plan=$(fps plan --offline -f "$FILE" -o json)
like 'bytes that are lost, offline: held' "$(held_of "$plan")" 'image/t/guest: it is not in the store, and nothing is to be fetched \(--offline\)'
settle 'bytes that are lost are fetched again'
is 'the very same ones, though the server has newer ones' "$(images_in_store | grep -c "$digest")" 1
image images:debian/12 ', pull: never'
settle 'never to be fetched, and here'

# ---- what is not there, and what lies ----

KNOWN=$(images_in_store)
image images:debian/13
failed 'an alias that nobody has' 'no image is called so'
image store:debian/12
held 'a remote that is not named' 'no remote is called "store"' 'remotes: \{ store: \{ url: '
image images:ubuntu/24.04/cloud ", digest: \"sha256:$(printf %064d 1)\""
failed 'a fingerprint that nobody has' 'no version of it has the fingerprint sha256:0+1'
lie() { # TEXT, jq filter over the products, what is said
    cp "$TREE/products.json" "$ROOT/truth.json"
    jq --arg debian "ubuntu:24.04:$ARCH:cloud" "$2" "$ROOT/truth.json" >"$TREE/products.json" && relist "$TREE"
    failed "$1" "$3"
    mv "$ROOT/truth.json" "$TREE/products.json" && relist "$TREE"
}
image images:liar
at='.[$debian].versions[].items["root.squashfs"]'
mine='.[$debian].aliases = "liar" | '
for path in file:///etc/passwd ftp://127.0.0.1/x http://169.254.169.254/latest/meta-data https://localhost/x //localhost/x \
    ../../etc/passwd /etc/passwd 'images/../../x' 'a b' 'x?y' 'x%2e%2e/y' ''; do
    lie "the path '$path'" "$mine$at.path = \"$path\"" 'is no path below it'
done
for hash in ../../../../../../../../../../../../../../../../../../../../../../x "$(printf %064d 1 | tr 01 AF)" abc "$(printf %065d 1)"; do
    lie "the hash $hash" "$mine$at.sha256 = \"$hash\"" 'names no sha256 of'
done
lie 'no hash' "$mine del($at.sha256)" 'names no sha256 of'
lie 'another hash' "$mine$at.sha256 = \"$(printf %064d 1)\"" 'expected sha256:0+1, and what came has sha256:'
lie 'a size that is smaller' "$mine$at.size -= 1" 'more than the'
lie 'a size that is larger' "$mine$at.size += 1" 'bytes, and .* came'
lie 'no size' "$mine del($at.size)" 'are allowed'
lie 'a size beyond all bounds' "$mine$at.size = 100000000000000" 'are allowed'
lie 'another fingerprint' "$mine.[\$debian].versions[].items[\"incus.tar.xz\"].combined_squashfs_sha256 = \"$(printf %064d 1)\"" \
    'together have the fingerprint'
lie 'the hash of another file' "$mine$at = (.[\$debian].versions[].items[\"incus.tar.xz\"] | .ftype = \"squashfs\")" \
    'together have the fingerprint'
lie 'a version that is none' "$mine.[\$debian].versions |= with_entries(.key = \"../../x\")" 'names a version that is none'
lie 'a product that is none' "$mine.[\$debian].versions = [1]" 'holds a root'
image images:ubuntu/24.04/cloud
for text in '' '{' '[]' '{"format": "index:1.0", "index": []}' '{"format": "index:1.0", "index": {"a": {"path": "file:///etc/passwd"}}}' \
    "$(printf '[%.0s' {1..5000})"; do
    printf %s "$text" >"$TREE/streams/v1/index.json"
    failed "the index '${text:0:60}'" 'index.json|is no path below it|lists no images'
done
relist "$TREE"
hostile() { # TEXT COMMAND in the metadata's folder, what is said: metadata that is none
    local place meta=$ROOT/meta
    place=$(echo "$TREE/images/ubuntu/24.04/$ARCH/cloud"/*)
    cp "$TREE/products.json" "$ROOT/truth.json" && cp "$place/incus.tar.xz" "$ROOT/meta.tar.xz"
    mkdir "$meta" && (cd "$meta" && eval "$2" && tar -cJf "$place/incus.tar.xz" .)
    rm -r "$meta"
    add_item "$TREE" "ubuntu:24.04:$ARCH:cloud" "$(basename "$place")" incus.tar.xz incus.tar.xz "$place/incus.tar.xz" && relist "$TREE"
    failed "$1" "$3"
    mv "$ROOT/truth.json" "$TREE/products.json" && mv "$ROOT/meta.tar.xz" "$place/incus.tar.xz" && relist "$TREE"
}
hostile 'no metadata.yaml' 'touch x' 'metadata.yaml is missing'
hostile 'metadata.yaml is a link' 'ln -s /etc/shadow metadata.yaml' 'metadata.yaml is missing'
hostile 'metadata.yaml is a pipe' 'mkfifo metadata.yaml' 'metadata.yaml is missing'
hostile 'metadata.yaml is a folder' 'mkdir metadata.yaml' 'metadata.yaml is missing'
hostile 'metadata.yaml is too large' 'truncate -s 2M metadata.yaml' 'metadata.yaml is missing'
is 'after all of it the canary lives' "$(canary)" "$BEFORE"
settle 'and the truth is taken'

# ---- signed ----

if command -v minisign >/dev/null; then
    minisign -G -W -p "$ROOT/key.pub" -s "$ROOT/key.sec" >/dev/null 2>&1
    key=$(tail -n 1 "$ROOT/key.pub")
    conf ", key: \"$key\""
    KNOWN=$(images_in_store)
    image images:alpine/3.20 ", digest: \"sha256:$(sha "$TREE"/images/alpine/*/*/*/*/incus_combined.tar.gz)\""
    rm -r "$ROOT/var/lib/fpsync/images"/*
    KNOWN=
    failed 'a key, and no signature' 'this is not signed'
    sign() { for file in index images; do minisign -S "$@" -s "$ROOT/key.sec" -m "$TREE/streams/v1/$file.json" >/dev/null 2>&1 </dev/null; done; }
    sign -l
    cp "$TREE/streams/v1/index.json.minisig" "$ROOT/other.minisig"
    settle 'signed by minisign'
    rm -r "$ROOT/var/lib/fpsync/images"/* && sign
    settle 'signed by minisign over a hash of the file'
    rm -r "$ROOT/var/lib/fpsync/images"/*
    cp "$TREE/streams/v1/images.json.minisig" "$TREE/streams/v1/index.json.minisig"
    failed 'a signature over another file' 'is not one over this file'
    sign && jq -c . "$TREE/streams/v1/images.json" >"$ROOT/new" && mv "$ROOT/new" "$TREE/streams/v1/images.json"
    failed 'a file that was changed after it was signed' 'is not one over this file'
    minisign -G -W -f -p "$ROOT/key.pub" -s "$ROOT/key.sec" >/dev/null 2>&1 && sign
    failed 'signed with another key' 'signed with another key'
    echo garbage >"$TREE/streams/v1/index.json.minisig"
    failed 'a signature that is none' 'none of minisign or signify'

    # Rightly signed, and old: who stands between us and the server may keep an index and play it again.
    sign && cp -r "$TREE/streams" "$ROOT/streams.old"
    conf ", key: \"$(tail -n 1 "$ROOT/key.pub")\""
    image images:alpine/3.20
    settle 'what is here, by its alias'
    publish "$TREE" alpine:3.20:default '' 20240601_13:00 newer whole "$ARCH" && sign
    check 'a newer one is pulled' fps image pull t/guest
    settle 'its container follows'
    KNOWN=$(images_in_store)
    rolled_back() { # TEXT, what is said
        like "$1: refused" "$(fps image pull t/guest 2>&1)" "$2"
        is "$1: what was here stays" "$(images_in_store) $(inside t/one cat /mark)" "$KNOWN newer"
        is "$1: no download stays" "$(downloads_in_store)" ''
    }
    cp -r "$TREE/streams" "$ROOT/streams.new"
    rm -r "$TREE/streams" && cp -r "$ROOT/streams.old" "$TREE/streams"
    rolled_back 'an older index is played again' 'the server is 20240202_13:00, older than 20240601_13:00'
    rm -r "$TREE/streams" && cp -r "$ROOT/streams.new" "$TREE/streams"
    check 'the newer one is as good as before' fps image pull t/guest
    publish "$TREE" alpine:3.20:default '' 20240601_13:00 swapped whole "$ARCH" && sign
    rolled_back 'another image under the same version' 'version 20240601_13:00 of the server is another one'
    rm -r "$TREE/streams" && cp -r "$ROOT/streams.old" "$TREE/streams"
    image images:alpine/3.20 ", digest: \"sha256:$(sha "$TREE/images/alpine/3.20/$ARCH/default/20240202_13:00/incus_combined.tar.gz")\""
    settle 'by its fingerprint one goes back'
    is 'to what that says' "$(inside t/one cat /mark)" whole
    KNOWN=
    rm "$TREE"/streams/v1/*.minisig
else
    skip 'signatures of minisign' 'minisign is not installed'
fi
if command -v signify-openbsd >/dev/null; then
    signify-openbsd -G -n -p "$ROOT/sy.pub" -s "$ROOT/sy.sec"
    conf ", key: \"$(tail -n 1 "$ROOT/sy.pub")\""
    for file in index images; do signify-openbsd -S -s "$ROOT/sy.sec" -m "$TREE/streams/v1/$file.json"; done
    rm -rf "$ROOT/var/lib/fpsync/images"/*
    settle 'signed by signify'
    rm -r "$ROOT/var/lib/fpsync/images"/* && echo >>"$TREE/streams/v1/images.json"
    failed 'changed after signify signed it' 'is not one over this file'
    rm "$TREE"/streams/v1/*.sig && relist "$TREE"
else
    skip 'signatures of signify' 'signify-openbsd is not installed'
fi
if command -v gpg >/dev/null && command -v gpgv >/dev/null; then
    export GNUPGHOME=$ROOT/gnupg
    mkdir -m 700 "$GNUPGHOME"
    gpg -q --batch --passphrase '' --quick-generate-key 'test <test@example.org>' ed25519 sign never 2>/dev/null
    gpg -q --export >"$ROOT/keyring.gpg" && chmod 644 "$ROOT/keyring.gpg"
    conf ", gpg: \"$ROOT/keyring.gpg\""
    clearsign() { for file in index images; do gpg -q --batch --yes --clearsign -o "$TREE/streams/v1/$file.sjson" "$TREE/streams/v1/$file.json"; done; }
    rm -rf "$ROOT/var/lib/fpsync/images"/*
    failed 'a keyring, and nothing signed' 'status 404'
    clearsign
    settle 'signed by GPG'
    rm -r "$ROOT/var/lib/fpsync/images"/* && sed -i 's/"products"/"Products"/' "$TREE/streams/v1/images.sjson"
    failed 'changed after GPG signed it' 'gpgv does not accept the signature'
    clearsign && sed -i '1i {"format": "index:1.0"}' "$TREE/streams/v1/index.sjson"
    settle 'what stands beside the signed text does not count'
    rm -r "$ROOT/var/lib/fpsync/images"/*
    gpg -q --batch --passphrase '' --quick-generate-key 'other <other@example.org>' ed25519 sign never 2>/dev/null
    for file in index images; do gpg -q --batch --yes -u other@example.org --clearsign -o "$TREE/streams/v1/$file.sjson" "$TREE/streams/v1/$file.json"; done
    failed 'signed with a key that is not in the keyring' 'gpgv does not accept the signature'
    gpgconf --kill all
else
    skip 'signatures of GPG' 'gpg or gpgv is not installed'
fi
finish

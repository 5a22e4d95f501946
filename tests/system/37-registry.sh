#!/bin/bash
# Images from registries: Debian's docker-registry over TLS with a CA of our own, what skopeo pushed into it, passwords and
# tokens, and what goes wrong on the way.
. "$(dirname "$0")/lib.sh"
. "$HERE/fetch.sh"
make_ca || { not_ok 'certificates of a CA of our own' && exit; }
W=$ROOT/work
IMAGES=$ROOT/var/lib/fpsync/images
mkdir -p "$W/one/etc" "$ROOT/etc/fpsync" "$ROOT/served"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$W/token.key" -out "$W/token.pem" -days 2 -subj /CN=tokens 2>/dev/null

registry() { # NAME, port, auth as YAML: a registry; a line of its log an answer
    cat >"$W/$1.yml" <<END
version: 0.1
log: { level: info }
storage: { filesystem: { rootdirectory: $W/storage }, delete: { enabled: true } }
http: { addr: "127.0.0.1:$2", tls: { certificate: "$PKI/good.pem", key: "$PKI/good.key" } }
$3
END
    docker-registry serve "$W/$1.yml" >"$W/$1.log" 2>&1 &
    REGISTRY=$!
    eventually 10 curl -sk -o /dev/null "https://127.0.0.1:$2/v2/" || not_ok "registry $1 starts" "$(tail -n 5 "$W/$1.log")"
}
end_registry() {
    kill "$REGISTRY" && wait "$REGISTRY" 2>/dev/null
}
policy() {
    printf 'downloads: { ca: "%s", stall: 2s, tries: 1 }\nremotes: { local: { url: "https://127.0.0.1:%s", protocol: oci, ca: "%s" } }\n' \
        "${1:-$PKI/ca.pem}" "$PORT" "$PKI/ca.pem" >"$ROOT/etc/fpsync/fpsync.conf"
}
source_is() { # SOURCE [ENTRIES]
    spec oci <<END
project: t
images: { guest: { source: "$1"${2-} } }
END
}
forgotten() {
    rm -rf "${IMAGES:?}"/*
    fps forget image/t/guest -y >/dev/null 2>&1
}
made() { # TEXT, SOURCE [ENTRIES]: the image of the layout
    forgotten
    source_is "$2" "${3-}"
    converge "$1"
    is "$1: the image" "$(ls "$IMAGES")" "$FIRST"
    is "$1: no download stays" "$(downloads_in_store)" ''
}
refused() { # TEXT, reason, SOURCE [ENTRIES]
    forgotten
    source_is "$3" "${4-}"
    fps apply -y -f "$FILE" >"$ROOT/out" 2>&1
    like "$1: refused" "$? $(tr '\n' ' ' <"$ROOT/out")" "^3 .*$2"
    is "$1: nothing is left" "$(find "$IMAGES" -mindepth 1 2>/dev/null)" ''
}

# ---- open to all ----

echo a >"$W/one/etc/a" && chown 12:34 "$W/one/etc/a" && cp "$(command -v busybox)" "$W/one/able" && setcap cap_net_bind_service=ep "$W/one/able"
head -c 3000000 /dev/urandom >"$W/one/large"
(
    cd "$W" && umoci init --layout L && umoci new --image L:v1 && umoci insert --image L:v1 one / &&
        umoci config --image L:v1 --config.cmd /able --architecture "$(dpkg --print-architecture)"
) >"$W/umoci.log" 2>&1 || not_ok 'umoci writes an image' "$(cat "$W/umoci.log")"
policy
source_is "oci-layout:$W/L:v1"
converge 'the image of a layout'
FIRST=$(ls "$IMAGES")
mkdir -p "$W/certs" && cp "$PKI/ca.pem" "$W/certs/ca.crt"
push() { # LAYOUT:TAG NAME
    skopeo --insecure-policy copy -q --dest-cert-dir "$W/certs" ${CREDENTIALS:+--dest-creds "$CREDENTIALS"} "oci:$1" "docker://127.0.0.1:$PORT/$2" 2>&1 | comment
}
registry open "$PORT" ''
push "$W/L:v1" shop/app:v1
made 'by its tag' "oci:127.0.0.1:$PORT/shop/app:v1"
MANIFEST=$(jq -r '.manifests[0].digest' "$W/L/index.json")
# Killed between the last byte of a layer and its unpacking: the registry says of the rest that there is none, with the
# length of all.
LAYER=$(jq -r '.layers[0].digest' "$W/L/blobs/sha256/${MANIFEST#*:}")
URL=https://127.0.0.1:$PORT/v2/shop/app/blobs/$LAYER
KEY=$ROOT/var/lib/fpsync/downloads/$(printf %s "$URL" | sha256sum | cut -d' ' -f1)
forgotten
mkdir -p "${KEY%/*}" && chmod 700 "${KEY%/*}"
curl -sk -o "$KEY.part" "$URL" && printf %s "\"$LAYER\"" >"$KEY.note"
is 'the registry calls a layer by its digest' "$(curl -skI "$URL" | tr -d '\r' | sed -n 's/^etag: //Ip')" "$(cat "$KEY.note")"
source_is "oci:127.0.0.1:$PORT/shop/app:v1"
converge 'with a layer that came before'
is 'the image' "$(ls "$IMAGES")" "$FIRST"
is 'the layer is taken up' "$(downloads_in_store)" ''
like 'after it was asked for what is behind it' "$(grep -c 'shop/app/blobs.* 416 ' "$W/open.log")" '^[1-9]'
made 'by its digest' "oci:127.0.0.1:$PORT/shop/app@$MANIFEST"
made 'by its tag, pinned' "oci:127.0.0.1:$PORT/shop/app:v1" ", digest: \"$MANIFEST\""
made 'of a remote' 'local:shop/app:v1'
skopeo --insecure-policy copy -q --format v2s2 --dest-cert-dir "$W/certs" --src-cert-dir "$W/certs" \
    "docker://127.0.0.1:$PORT/shop/app:v1" "docker://127.0.0.1:$PORT/shop/docker:v1" 2>&1 | comment
made 'of docker'"'"'s own types' "oci:127.0.0.1:$PORT/shop/docker:v1"

# For several machines, another one's first: an index that names both, as `--all` pushes it.
mkdir -p "$W/other/etc" && echo other >"$W/other/etc/a"
(
    cd "$W" && umoci init --layout M && umoci new --image M:other && umoci insert --image M:other other / &&
        umoci config --image M:other --architecture s390x && skopeo --insecure-policy copy -q oci:L:v1 oci:M:own
) >"$W/umoci.log" 2>&1 || not_ok 'an image for another machine' "$(cat "$W/umoci.log")"
blob() { # FILE: into the layout; its descriptor without a type
    printf '"digest":"sha256:%s","size":%s' "$(sha "$1")" "$(stat -c %s "$1")" && cp "$1" "$W/M/blobs/sha256/$(sha "$1")"
}
several() { # TAG, ARCHITECTURE of what is this machine's: pushes it; sets INDEX, its digest
    jq -c --arg own "$2" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [.manifests[] |
        .platform = {os: "linux", architecture: (if .annotations[] == "own" then $own else "s390x" end)} | del(.annotations)] |
        sort_by(.platform.architecture != "s390x")}' "$W/manifests.json" >"$W/list"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json",%s,"annotations":{"org.opencontainers.image.ref.name":"%s"}}]}' \
        "$(blob "$W/list")" "$1" >"$W/M/index.json"
    INDEX=sha256:$(sha "$W/list")
    skopeo --insecure-policy copy -q --all --dest-cert-dir "$W/certs" "oci:$W/M:$1" "docker://127.0.0.1:$PORT/shop/several:$1" 2>&1 | comment
}
cp "$W/M/index.json" "$W/manifests.json"
of_several() { # TEXT, SOURCE
    made "for several machines, $1" "$2"
    is "for several machines, $1: this machine's is on record" "$(fps image inspect t/guest -o json | jq -r '.images[0].origin')" "$MANIFEST"
}
several v1 "$(dpkg --print-architecture)"
is 'the registry has the index' "$(skopeo inspect --raw --cert-dir "$W/certs" "docker://127.0.0.1:$PORT/shop/several:v1" | sha256sum | cut -d' ' -f1)" "${INDEX#*:}"
of_several 'by a tag' "oci:127.0.0.1:$PORT/shop/several:v1"
of_several 'by the digest of the index' "oci:127.0.0.1:$PORT/shop/several@$INDEX"
of_several 'by the digest of one' "oci:127.0.0.1:$PORT/shop/several@$MANIFEST"
several v2 arm64be
refused 'for other machines only' "no image for linux on $(dpkg --print-architecture): there is s390x, arm64be" "oci:127.0.0.1:$PORT/shop/several:v2"

# What fpsync made and wrote itself: a build of two layers, the upper of which takes something away.
tree_of() { # FOLDER
    tar -C "$1" --sort=name --mtime=@0 --numeric-owner --xattrs --xattrs-include='*' --format=pax \
        --pax-option='exthdr.name=x,delete=atime,delete=ctime' -cf - . | sha256sum
}
whole() { # IMAGE of two: its tree
    mkdir -p "$W/whole" && mount -t overlay overlay -o "ro,lowerdir=$IMAGES/$1/root:$IMAGES/$(digest_of t/base)/root" "$W/whole" &&
        tree_of "$W/whole"
    umount "$W/whole"
}
digest_of() { # IMAGE
    fps image inspect "$1" -o json | jq -r '.images[0].digest'
}
how_it_runs() { # IMAGE
    fps image inspect "$1" -o json | jq -cS '.images[0].config'
}
mkdir -p "$W/recipe" "$W/base" && cp -a "$BUSYBOX/." "$W/base" && cp -a "$W/one/." "$W/base"
printf 'FROM base\nENV A=b\nRUN rm /large && rm -r /www && mkdir /www && echo b >/www/b && chown 3:4 /www/b && chmod 4710 /www/b\nCMD ["/bin/id"]\n' >"$W/recipe/Recipe"
spec written <<END
project: t
images: { base: { source: "file:$W/base" }, app: { build: { context: "$W/recipe", network: none } } }
END
converge 'an image of a recipe'
check 'written as a layout' fps image export t/app "$W/A:v1"
tree=$(whole "$(digest_of t/app)") ran=$(how_it_runs t/app)
like 'it says how it is run' "$ran" '/bin/id.*A=b'
push "$W/A:v1" shop/built:v1
pulled() { # TEXT, SOURCE
    forgotten
    source_is "$2"
    converge "$1"
    is "$1: it is the same tree" "$(tree_of "$IMAGES/$(digest_of t/guest)/root")" "$tree"
    is "$1: and is run as the recipe says" "$(how_it_runs t/guest)" "$ran"
    digest_of t/guest >"$W/pulled.${1%% *}"
}
fps down -y -f "$FILE" >/dev/null 2>&1
pulled 'pushed, and pulled again' "oci:127.0.0.1:$PORT/shop/built:v1"
pulled 'of the layout itself' "oci-layout:$W/A:v1"
is 'both are one image' "$(<"$W/pulled.pushed,")" "$(<"$W/pulled.of")"
is 'and the registry has it by the digest that was written' "$(skopeo inspect --cert-dir "$W/certs" "docker://127.0.0.1:$PORT/shop/built:v1" | jq -r .Digest)" \
    "$(jq -r '.manifests[0].digest' "$W/A/index.json")"

refused 'a tag that is not there' 'manifests/v9.*404' "oci:127.0.0.1:$PORT/shop/app:v9"
refused 'a pin that is another image' '404' "oci:127.0.0.1:$PORT/shop/app:v1" ", digest: \"sha256:$(printf %064d 1)\""
policy "$PKI/self.pem"
refused 'a server whose certificate nobody vouches for' 'certificate' "oci:127.0.0.1:$PORT/shop/app:v1"
policy

# What it was made of is fetched again, also when the tag is another image by now.
forgotten
source_is "oci:127.0.0.1:$PORT/shop/app:v1"
converge 'fetched'
echo other >"$W/one/etc/a" && umoci insert --image "$W/L:v1" --tag v2 "$W/one/etc/a" /etc/a 2>&1 | comment
push "$W/L:v2" shop/app:v1
rm -rf "${IMAGES:?}"/*
converge 'lost and fetched again'
is 'it is the same image' "$(ls "$IMAGES")" "$FIRST"

# A blob that was changed on the server: nothing of it is ever an image.
layer=$W/storage/docker/registry/v2/blobs/sha256
for blob in "$layer"/*/*/data; do
    [ "$(stat -c %s "$blob")" -lt 3000000 ] || printf x | dd of="$blob" bs=1 seek=1000000 conv=notrunc 2>/dev/null
done
refused 'a layer that was changed on the server' 'sha256|digest|holds something else' "oci:127.0.0.1:$PORT/shop/app@$MANIFEST"
is 'of it no download stays' "$(downloads_in_store)" ''
end_registry
refused 'a server that is gone' 'onnect' "oci:127.0.0.1:$PORT/shop/app:v1"
rm -rf "$W/storage"

# ---- with a password ----

printf 'me:$2y$05$%s\n' "$(python3 -c 'import crypt; print(crypt.crypt("secret", "$2b$05$abcdefghijklmnopqrstuu")[7:])' 2>/dev/null)" >"$W/htpasswd"
registry password "$PORT" "auth: { htpasswd: { realm: here, path: $W/htpasswd } }"
CREDENTIALS=me:secret push "$W/L:v1" shop/app:v1
refused 'without a password' 'wants a user and a password' "oci:127.0.0.1:$PORT/shop/app:v1"
auth() { # KEY VALUE
    printf '{"auths": {"%s": {"auth": "%s"}}}' "$1" "$2" >"$ROOT/etc/fpsync/auth.json"
}
auth "127.0.0.1:$PORT" "$(printf me:wrong | base64)"
refused 'with a wrong password' '401|refuse' "oci:127.0.0.1:$PORT/shop/app:v1"
auth "127.0.0.1:$PORT" "$(printf me:secret | base64)"
made 'with the password of the host' "oci:127.0.0.1:$PORT/shop/app:v1"
auth "127.0.0.1:$PORT/shop" "$(printf me:secret | base64)"
made 'with the password of a part of it' "oci:127.0.0.1:$PORT/shop/app:v1"
auth "127.0.0.1:$PORT" "$(printf 'me:secret' | base64)\\r\\nX-Evil: 1"
refused 'with what would be a header more' 'wants a user and a password' "oci:127.0.0.1:$PORT/shop/app:v1"
rm "$ROOT/etc/fpsync/auth.json"
end_registry

# ---- with a token ----

base64url() {
    base64 -w0 | tr '+/' '-_' | tr -d =
}
token() { # NAME of the repository
    local head body now
    now=$(date +%s)
    head=$(printf '{"typ":"JWT","alg":"RS256","x5c":["%s"]}' "$(openssl x509 -in "$W/token.pem" -outform der | base64 -w0)" | base64url)
    body=$(printf '{"iss":"us","sub":"","aud":"registry","exp":%d,"nbf":%d,"iat":%d,"jti":"1","access":[{"type":"repository","name":"%s","actions":["pull","push"]}]}' \
        $((now + 600)) $((now - 60)) "$now" "$1" | base64url)
    printf '%s.%s.%s' "$head" "$body" "$(printf '%s.%s' "$head" "$body" | openssl dgst -sha256 -sign "$W/token.key" | base64url)"
}
serve "$ROOT/served"
printf '{"token": "%s", "expires_in": 300}' "$(token shop/app)" >"$ROOT/served/token"
registry token "$PORT" "auth: { token: { realm: \"$SERVER/plain/token\", service: registry, issuer: us, rootcertbundle: $W/token.pem } }"
made 'with a token' "oci:127.0.0.1:$PORT/shop/app:v1"
like 'it was asked for what is needed' "$(requests)" 'service=registry&scope=repository:shop/app:pull'
printf '{"token": "x\\r\\nX-Evil: 1"}' >"$ROOT/served/token"
refused 'a token that would be a header more' 'holds no token' "oci:127.0.0.1:$PORT/shop/app:v1"
printf '{"token": "%s"}' "$(token shop/other)" >"$ROOT/served/token"
refused 'a token for something else' '401|refuse' "oci:127.0.0.1:$PORT/shop/app:v1"
end_registry
stop_servers

#!/bin/bash
# Images as OCI has them: what umoci, skopeo and docker-registry write is read, and what they make of it is the same tree.
. "$(dirname "$0")/lib.sh"
IMAGES=$ROOT/var/lib/fpsync/images
W=$ROOT/work
mkdir "$W"

# Path, type, mode, owner, link, xattrs and content of all that is in a folder.
tree_of() {
    tar -C "$1" --sort=name --mtime=@0 --numeric-owner --xattrs --xattrs-include='*' --format=pax \
        --pax-option='exthdr.name=x,delete=atime,delete=ctime' -cf - . | sha256sum
}
list_of() {
    find "$1" -printf '%P %y %m %U:%G %s %l\n' | sort
}
same_tree() { # TEXT, folder, folder
    if [ -d "$2" ] && [ "$(tree_of "$2")" = "$(tree_of "$3")" ]; then ok "$1"; else not_ok "$1" "$(diff <(list_of "$2") <(list_of "$3"))"; fi
}
source_is() { # SOURCE: makes it the image of the spec
    spec oci <<END
project: t
images: { guest: { source: "$1" } }
END
}
image_of() { # the digest of the spec's image
    fps image ls -o json 2>/dev/null | jq -r '[.. | .digest? // empty] | .[0]'
}
# The one image that there is, made of SOURCE in a store without others.
made() { # TEXT, SOURCE
    rm -rf "${IMAGES:?}"/*
    source_is "$2"
    fps forget image/t/guest -y >/dev/null 2>&1
    converge "$1"
    DIGEST=$(ls "$IMAGES")
}

mkdir -p "$W"/one/{etc,usr/lib,d/sub,gone,keep} "$W/two" "$W/three/lib"
echo a >"$W/one/etc/a" && chown 12:34 "$W/one/etc/a" && ln "$W/one/etc/a" "$W/one/etc/same"
ln -s usr/lib "$W/one/lib" && mkfifo -m 620 "$W/one/fifo" && chmod 2750 "$W/one/keep"
for file in d/x d/sub/y gone/g; do echo $file >"$W/one/$file"; done
cp "$(command -v busybox)" "$W/one/tool" && chmod 4711 "$W/one/tool"
cp "$(command -v busybox)" "$W/one/able" && setcap cap_net_bind_service=ep "$W/one/able"
echo new >"$W/two/new"
echo z >"$W/three/lib/z"
(
    cd "$W" || exit
    umoci init --layout L && umoci new --image L:v1 && umoci insert --image L:v1 one / &&
        umoci insert --opaque --image L:v1 two /d && umoci insert --whiteout --image L:v1 /gone &&
        umoci insert --image L:v1 three/lib/z /usr/lib/z &&
        umoci config --image L:v1 --config.env A=1 --config.cmd /tool --config.user 5 --config.workingdir /d \
            --config.exposedports 80/tcp --config.volume /keep && umoci unpack --image L:v1 B
) >"$W/umoci.log" 2>&1 || not_ok 'umoci writes an image' "$(cat "$W/umoci.log")"

made 'a layout' "file:$W/L"
same_tree 'a layout: the tree is umoci'"'"'s' "$W/B/rootfs" "$IMAGES/$DIGEST/root"
is 'file capabilities' "$(getcap -n "$IMAGES/$DIGEST/root/able" | cut -d' ' -f2)" cap_net_bind_service=ep
is 'what it says about being run' "$(jq -cS . "$IMAGES/$DIGEST/config")" \
    '{"Cmd":["/tool"],"Env":["A=1"],"ExposedPorts":{"80/tcp":{}},"User":"5","Volumes":{"/keep":{}},"WorkingDir":"/d"}'
FIRST=$DIGEST
for way in oci-archive: docker-archive:; do
    skopeo --insecure-policy copy -q "oci:$W/L:v1" "$way$W/${way%:}.tar" 2>&1 | comment
    made "$way" "file:$W/${way%:}.tar"
    same_tree "$way the tree is the same" "$W/B/rootfs" "$IMAGES/$DIGEST/root"
done

# ---- other forms of layouts ----
rebuilt() { # TEXT, SOURCE: the same tree again
    made "$1" "$2"
    same_tree "$1: the tree is the same" "$W/B/rootfs" "$IMAGES/$DIGEST/root"
    is "$1: the image is the same" "$DIGEST" "$FIRST"
}
skopeo --insecure-policy copy -q --dest-oci-accept-uncompressed-layers \
    "docker-archive:$W/docker-archive.tar" "oci:$W/Z:z" 2>&1 | comment
rebuilt 'written by skopeo' "oci-layout:$W/Z:z"

# An index in the index, with another machine's image first, as registries and docker have it.
umoci init --layout "$W/M" && umoci new --image "$W/M:other" && umoci config --image "$W/M:other" --architecture s390x 2>&1 | comment
skopeo --insecure-policy copy -q "oci:$W/L:v1" "oci:$W/M:own" 2>&1 | comment
blob() { # FILE: into the layout; prints its descriptor without a type
    local digest
    digest=$(sha256sum <"$1" | cut -d' ' -f1)
    cp "$1" "$W/M/blobs/sha256/$digest"
    printf '"digest":"sha256:%s","size":%s' "$digest" "$(stat -c %s "$1")"
}
machine=$(dpkg --print-architecture)
jq -c --arg own "$machine" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [.manifests[] |
    .platform = {os: "linux", architecture: (if .annotations[] == "own" then $own else "s390x" end)} | del(.annotations)]}' \
    "$W/M/index.json" >"$W/list"
index_of() { # TAG
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json",%s,"annotations":{"org.opencontainers.image.ref.name":"%s"}}]}' \
        "$(blob "$W/list")" "$1"
}
index_of multi >"$W/M/index.json.new" && mv "$W/M/index.json.new" "$W/M/index.json"
rebuilt 'an image for several machines' "oci-layout:$W/M:multi"

# ---- what is not what it says ----
refused() { # TEXT, SOURCE, reason
    rm -rf "${IMAGES:?}"/*
    fps forget image/t/guest -y >/dev/null 2>&1
    source_is "$2"
    fps apply -y -f "$FILE" >"$ROOT/out" 2>&1
    like "$1: refused" "$? $(tr '\n' ' ' <"$ROOT/out")" "^3 .*$3"
    is "$1: nothing is left" "$(find "$IMAGES" -mindepth 1 2>/dev/null)" ''
}
copy_of() { # FOLDER: a layout to be spoilt
    rm -rf "$W/S" && cp -a "$1" "$W/S"
}
manifest_of() { # LAYOUT
    echo "$1/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$1/index.json")"
}
layer_of() { # LAYOUT, number
    echo "$1/blobs/sha256/$(jq -r ".layers[$2].digest[7:]" "$(manifest_of "$1")")"
}
refused 'a tag that is not there' "oci-layout:$W/L:v2" 'no image is called .v2.: there is v1'
copy_of "$W/L" && printf x >>"$(layer_of "$W/S" 0)"
refused 'a layer with a byte more' "file:$W/S" 'layer 1 of 4: .*holds something else'
copy_of "$W/L" && rm "$(layer_of "$W/S" 2)"
refused 'a layer that is not there' "file:$W/S" 'layer 3 of 4: .*No such file'
copy_of "$W/L" && cp "$(layer_of "$W/S" 1)" "$(layer_of "$W/S" 3)"
refused 'another layer in its place' "file:$W/S" 'layer 4 of 4: .*holds something else'
copy_of "$W/L" && ln -sf /etc/passwd "$(layer_of "$W/S" 1)"
refused 'a layer that leads out' "file:$W/S" 'layer 2 of 4: .*cross-device link'
copy_of "$W/L" && rm "$(layer_of "$W/S" 1)" && mkfifo "$(layer_of "$W/S" 1)"
refused 'a layer that is a pipe' "file:$W/S" 'layer 2 of 4: .*not a file'
copy_of "$W/L" && sed -i 's/"schemaVersion"/"SchemaVersion"/' "$(manifest_of "$W/S")"
refused 'a manifest that was changed' "file:$W/S" 'holds something else'
copy_of "$W/L" && sed -i 's|sha256:[0-9a-f]*|sha256:../../../../../../etc/passwd|' "$W/S/index.json"
refused 'a digest that is a path' "file:$W/S" 'without a sha256 digest'
copy_of "$W/L" && printf '{"imageLayoutVersion": "2.0.0"}' >"$W/S/oci-layout"
refused 'a layout of another version' "file:$W/S" 'version 2.0.0'
copy_of "$W/M" && jq -c '.manifests[].platform.architecture = "s390x"' "$W/list" >"$W/other" && mv "$W/other" "$W/list"
index_of multi | sed "s|$W/M|$W/S|" >"$W/S/index.json" && cp "$W"/M/blobs/sha256/* "$W/S/blobs/sha256/"
refused 'an image for other machines' "oci-layout:$W/S:multi" "no image for linux on $machine: there is s390x"
# Of the right digests, and hostile: the config's diff_ids are those of other layers.
copy_of "$W/L"
swap() { # a manifest whose config is another one
    local config=$W/config.json manifest=$W/manifest.json
    jq -c '.rootfs.diff_ids |= reverse' "$W/S/blobs/sha256/$(jq -r '.config.digest[7:]' "$(manifest_of "$W/S")")" >"$config"
    jq -c --arg digest "sha256:$(sha256sum <"$config" | cut -d' ' -f1)" --argjson size "$(stat -c %s "$config")" \
        '.config.digest = $digest | .config.size = $size' "$(manifest_of "$W/S")" >"$manifest"
    jq -c --arg digest "sha256:$(sha256sum <"$manifest" | cut -d' ' -f1)" --argjson size "$(stat -c %s "$manifest")" \
        '.manifests[0].digest = $digest | .manifests[0].size = $size' "$W/S/index.json" >"$W/index.json"
    cp "$config" "$W/S/blobs/sha256/$(sha256sum <"$config" | cut -d' ' -f1)"
    cp "$manifest" "$W/S/blobs/sha256/$(sha256sum <"$manifest" | cut -d' ' -f1)"
    cp "$W/index.json" "$W/S/index.json"
}
swap
refused 'layers in another order than the config says' "file:$W/S" 'not the one of the config.s diff_ids'
# Layers that reach beyond what they may.
hostile() { # TEXT, reason: $W/evil.tar is the only layer of an image
    rm -rf "$W/S" && umoci init --layout "$W/S" && umoci new --image "$W/S:x" && umoci raw add-layer --image "$W/S:x" "$W/evil.tar" 2>&1 | comment
    refused "$1" "file:$W/S" "$2"
}
tar -C "$W" -cf "$W/evil.tar" -P --transform='s|.*|../../evil|' L/oci-layout && hostile 'a layer that climbs' 'leads upwards'
mkdir -p "$W/e" && : >"$W/e/.wh..." && tar -C "$W/e" -cf "$W/evil.tar" .wh... && hostile 'a whiteout of ..' 'hides nothing that can be named'
: >"$W/e/.wh." && tar -C "$W/e" -cf "$W/evil.tar" .wh. && hostile 'a whiteout of nothing' 'hides nothing that can be named'
tar -C "$W" --owner=70000 -cf "$W/evil.tar" e && hostile 'an owner beyond the image' 'owner outside'

# ---- what is in the files is true in a container ----
rm -rf "${IMAGES:?}"/*
fps forget image/t/guest -y >/dev/null 2>&1
cp -a "$BUSYBOX" "$W/guest" && cp "$(command -v busybox)" "$W/guest/bin/busybox-able" && setcap cap_net_bind_service=ep "$W/guest/bin/busybox-able"
tar -C "$W/guest" --xattrs --xattrs-include='*' -cf "$W/guest.tar" .
spec able <<END
project: t
images: { guest: { source: "file:$W/guest.tar" } }
containers: { one: { image: guest, networks: [] } }
END
converge 'a container of an image with file capabilities'
is 'they are honoured' "$(timeout 60 env -C / lxc-attach -P "$ROOT/var/lib/lxc" -n "$(lxc_of t/one)" --clear-env -u 5 -- \
    /bin/busybox-able awk '/CapEff/ { print $2 }' /proc/self/status)" 0000000000000400

# ---- what fpsync writes is read by umoci and skopeo ----
odd=$W/odd
cp -a "$BUSYBOX" "$odd"
(
    cd "$odd" && mkdir -p keep gone/deep replaced 'with blank/ünïcode' && touch keep/a gone/deep/b replaced/old 'with blank/x'
    chown 1234:5678 keep && chown -h 65535:65535 'with blank' && chmod 2711 keep && chmod 1777 tmp && mkfifo -m 620 pipe
    cp bin/busybox special && chown 33:33 special && chmod 6755 special && ln special again && ln -s ../nowhere link
    cp bin/busybox able && setcap cap_net_raw,cap_net_bind_service+ep able
    setfattr -n user.note -v 'a note' keep/a && setfattr -n user.folder -v yes keep
)
mkdir "$W/x" "$W/context" && echo 'a page' >"$W/context/page"
cat >"$W/context/Recipe" <<'END'
FROM odd
ENV COLOR="deep blue" SIZE=large
LABEL org.example.kind=shop
COPY --chown=7:8 --chmod=640 page /srv/page
RUN rm -r /gone /keep/a && rm -r /replaced && mkdir /replaced && echo new >/replaced/new && chown 5:6 /special && chmod 4710 /special && ln -s page /srv/link
USER 33:44
WORKDIR /srv
VOLUME /srv/data
EXPOSE 80/tcp
STOPSIGNAL SIGUSR1
ENTRYPOINT ["/bin/httpd"]
CMD ["-f"]
END
spec export <<END
project: x
images: { odd: { source: "file:$odd" }, app: { build: { context: "$W/context", network: none } } }
END
converge 'an image of a folder, and one that a recipe puts on it'
root_of() { # IMAGE
    echo "$IMAGES/$(fps image inspect "$1" -o json | jq -r '.images[0].digest')/root"
}
unpacked_by_umoci() { # TEXT, IMAGE, folder with what it is
    check "$1: written as a layout" fps image export "$2" "$W/$2:v"
    check "$1: umoci unpacks it" umoci unpack --image "$W/$2:v" "$W/$2.bundle"
    same_tree "$1: the tree is the same" "$W/$2.bundle/rootfs" "$3"
}
unpacked_by_umoci 'a plain one' x/odd "$(root_of x/odd)"
mkdir "$W/both" && mount -t overlay overlay -o "ro,lowerdir=$(root_of x/app):$(root_of x/odd)" "$W/both"
unpacked_by_umoci 'a build' x/app "$W/both"
umount "$W/both"
is 'it has two layers, the lower one that of its base' "$(skopeo inspect "oci:$W/x/app:v" | jq -r '.Layers | length, .[0]' | paste -sd' ')" \
    "2 $(skopeo inspect "oci:$W/x/odd:v" | jq -r '.Layers[0]')"
is 'what it took away is not there, and what it changed is' \
    "$(cd "$W/x/app.bundle/rootfs" && ls -d gone keep/a replaced/* 2>/dev/null; stat -c '%u:%g %a' special srv/page)" 'replaced/new
5:6 4710
7:8 640'
is 'skopeo reads how it is run' "$(skopeo inspect --config "oci:$W/x/app:v" | jq -cS '.config | del(.Env)')" \
    '{"Cmd":["-f"],"Entrypoint":["/bin/httpd"],"ExposedPorts":{"80/tcp":{}},"Labels":{"org.example.kind":"shop"},"StopSignal":"SIGUSR1","User":"33:44","Volumes":{"/srv/data":{}},"WorkingDir":"/srv"}'
is 'umoci makes of it what runs' "$(jq -cS '.process | [.args, .cwd, .user.uid, .user.gid, (.env | map(select(test("COLOR|SIZE"))) | sort)]' "$W/x/app.bundle/config.json")" \
    '[["/bin/httpd","-f"],"/srv",33,44,["COLOR=deep blue","SIZE=large"]]'
check 'umoci builds on it' umoci config --image "$W/x/app:v" --tag more --config.env MORE=1
is 'and skopeo reads that' "$(skopeo inspect --config "oci:$W/x/app:more" | jq -c '.config.Env | map(select(test("MORE|SIZE"))) | sort')" '["MORE=1","SIZE=large"]'
made 'umoci'"'"'s, read again' "oci-layout:$W/x/app:more"
same_tree 'umoci'"'"'s, read again: the tree is the same' "$W/x/app.bundle/rootfs" "$IMAGES/$DIGEST/root"

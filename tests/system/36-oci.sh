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
    if [ "$(tree_of "$2")" = "$(tree_of "$3")" ]; then ok "$1"; else not_ok "$1" "$(diff <(list_of "$2") <(list_of "$3"))"; fi
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

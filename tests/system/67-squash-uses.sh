#!/bin/bash
# What is done with images applies to those that are kept as a squashfs, too: they come from servers and files, builds stand
# on them, layers follow and leave them, and they go out again with equal trees.
. "$(dirname "$0")/lib.sh"
. "$HERE/fetch.sh"
. "$HERE/squash.sh"
W=$ROOT/work
ARCH=$(dpkg --print-architecture)
mkdir -p "$ROOT/etc/fpsync" "$W" "$ROOT/served"
needs_squashfs 'uses of squashfs images'
make_ca || { not_ok 'certificates of a CA of our own' && exit; }
digest_of() {
    fps image inspect "$1" | jq -r '.images[0].digest'
}
guest() { # FILE MARK: a guest whose /srv/mark says MARK
    rm -rf "$W/tree" "$1" && cp -a "$BUSYBOX" "$W/tree" && mkdir -p "$W/tree/srv/data" && echo "$2" >"$W/tree/srv/mark"
    echo filling >"$W/tree/srv/data/file"
    cp "$W/tree/bin/busybox" "$W/tree/srv/able" && setcap cap_chown+ep "$W/tree/srv/able" && chmod 6755 "$W/tree/bin/busybox"
    printf 'ID=squashed\nVERSION_ID="1"\n' >"$W/tree/etc/os-release"
    mksquashfs "$W/tree" "$1" -noappend -quiet -no-progress >/dev/null
}
guest "$ROOT/one.squashfs" first
cp -a "$W/tree" "$W/first"
guest "$ROOT/two.squashfs" second

# ---- where they come from ----

publish "$ROOT/served" debian:bookworm:default debian/12 20240101_05:24 served squashfs "$ARCH"
cp "$ROOT/one.squashfs" "$ROOT/served/plain.squashfs"
serve "$ROOT/served"
printf 'allow: { privileged: true }\ndownloads: { ca: "%s", tries: 1 }\nremotes: { images: { url: "%s" } }\n' "$PKI/ca.pem" "$SERVER/plain" >"$ROOT/etc/fpsync/fpsync.conf"
check 'a file is imported' fps image import "$ROOT/one.squashfs" imported
spec from <<END
project: t
images:
  served: { source: "images:debian/12" }
  web: { source: "$SERVER/plain/plain.squashfs" }
containers:
  a: { image: served, networks: [] }
  b: { image: web, networks: [] }
  c: { image: default/imported, networks: [] }
END
converge 'from a server of images, by https and imported'
is 'all are kept as they came' "$(kept | wc -l)" 2
is 'two of them are the same' "$(digest_of t/web)" "$(digest_of default/imported)"
is 'that of the server is the one that it has' "$(fps image inspect t/served | jq -r '.images[0].squashfs')" \
    "$(sha <"$(find "$ROOT/served" -name rootfs.squashfs)")"
is 'they run' "$(for name in a b c; do inside t/$name cat /mark /srv/mark 2>/dev/null; done | paste -sd' ')" 'served first first'
is 'by two devices' "$(loops)" 2
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
check 'which are free after down' eventually 5 no_loops
check 'gc' fps gc --force -y
check 'and rm' fps image rm imported
is 'nothing is left of them' "$(images_in_store)" ''
stop_servers

# ---- builds ----

mkdir -p "$SPEC/app" "$SPEC/top"
cat >"$SPEC/app/Recipe" <<END
FROM guest
ENV A=b
RUN echo ran >/srv/ran; rm /srv/data/file
COPY --from=guest /srv/mark /copied
RUN --mount=type=bind,from=guest,target=/mnt cat /mnt/srv/mark >/bound
END
cat >"$SPEC/top/Recipe" <<END
FROM app
RUN --mount=type=bind,from=app,target=/mnt cat /mnt/srv/ran >/bound2
COPY --from=app /srv/mark /copied2
END
spec build <<END
project: t
images: { guest: { source: "file:$ROOT/one.squashfs" }, app: { build: ./app }, top: { build: ./top } }
networks: { default: { subnet: $NET.0/25 } }
containers: { one: { image: app }, two: { image: top } }
END
converge 'builds on a squashfs'
base=$(digest_of t/guest)
is 'are deltas on it' "$(fps image inspect t/app t/top | jq -r '.images[].lower' | sort -u)" "$base"
is 'and folders' "$(kept)" "$base"
is 'RUN, COPY --from and mounts saw it' "$(inside t/one cat /srv/ran /copied /bound | paste -sd' ')" 'ran first first'
is 'the second one, the first' "$(inside t/two cat /bound2 /copied2 | paste -sd' ')" 'ran first'
fails 'what a RUN removed is gone' 1 inside t/two test -e /srv/data/file
check 'a second apply makes no mutating call' "$BUILD/tests/system/no-mutation" -a /lock -a /lock.mdb -- \
    "$FPSYNC" --root "$ROOT" apply -q -f "$FILE"
is 'one device carries all' "$(loops)" 1
is 'its bytes are as they came' "$(sha <"$IMAGES/$base/image.squashfs")" "$(sha <"$ROOT/one.squashfs")"

# ---- out, and in again ----

check 'export as a tar' fps image export t/guest "$W/out.tar"
mkdir "$W/out" && tar -C "$W/out" --xattrs --xattrs-include='*' --numeric-owner -xpf "$W/out.tar"
is 'is the tree' "$(diff <(walked "$W/out") <(walked "$W/first"))" ''
check 'export as a layout' fps image export t/app "$W/layout"
check 'which is imported' fps image import "$W/layout" whole
is 'with the tree of the build' "$(walked "$IMAGES/$(digest_of default/whole)/root" | grep -c 'srv/ran\|copied\|bound')" 6
whole=$(digest_of default/whole)
check 'which goes again, or the same would not be kept twice' fps image rm whole
for format in squashfs tar.xz; do
    check "published as $format" fps image publish t/guest t/app --to "$ROOT/published-$format" --format "$format"
done
# Where a server has both, the tar is taken.
index=$ROOT/published-squashfs/streams/v1/images.json
jq '(.products[].versions[].items) |= with_entries(select(.value.ftype != "root.tar.xz"))' "$index" >"$W/images.json" && cp "$W/images.json" "$index"
serve "$ROOT/published-squashfs"
printf 'downloads: { ca: "%s", tries: 1 }\nremotes: { shop: { url: "%s/plain" } }\n' "$PKI/ca.pem" "$SERVER" >"$ROOT/etc/fpsync/fpsync.conf"
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
spec again <<END
project: t
images: { back: { source: "shop:guest" }, app2: { source: "shop:app" } }
containers: { three: { image: app2, networks: [] } }
END
converge 'pulled from there'
is 'the same image' "$(digest_of t/back)" "$base"
is 'the build as one squashfs' "$(kept | grep -c "$(digest_of t/app2)")" 1
is 'which is the image that the layout was' "$(digest_of t/app2)" "$whole"
is 'which runs' "$(inside t/three cat /srv/ran /copied | paste -sd' ')" 'ran first'
is 'with its capabilities' "$(walked "$(root_of_image "$IMAGES/$(digest_of t/app2)")" | grep -c security.capability)" 1
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
stop_servers

# ---- layers ----

layers() { # SOURCE, fields of one
    spec layers <<END
project: t
images: { guest: { source: "file:$ROOT/$1" } }
volumes: { filled: {} }
containers:
  one: { image: guest, networks: [], on_image_change: restack$2 }
  whole: { image: guest, networks: [], root: copy }
  two: { image: guest, networks: [], volumes: [ "filled:/srv/data" ] }
END
}
layers one.squashfs ''
converge 'a layer, a copy and a volume'
is 'the copy has what the image has' "$(inside t/whole cat /srv/mark)" first
is 'the volume is filled' "$(inside t/two cat /srv/data/file)" filling
inside t/one sh -c 'echo own >/srv/own'
check 'a snapshot' fps snapshot t/one --name before
inside t/one sh -c 'echo later >/srv/own'
check 'restored' fps restore t/one before -y
converge 'it runs again'
is 'with what it had then' "$(inside t/one cat /srv/own /srv/mark | paste -sd' ')" 'own first'
layers two.squashfs ''
"$BUILD/tests/system/no-mutation" -a /lock.mdb -- "$FPSYNC" --root "$ROOT" plan -f "$FILE" >"$W/plan" 2>&1
is 'a plan that looks into both images mounts nothing' "$?" 2
fps image pull t/guest -y >/dev/null 2>&1
"$BUILD/tests/system/no-mutation" -a /lock.mdb -- "$FPSYNC" --root "$ROOT" plan -f "$FILE" >"$W/plan" 2>&1
is 'nor when both are there' "$?" 2
fps apply -y -f "$FILE" >"$W/apply" 2>&1
is 'restacked on another squashfs' "$(inside t/one cat /srv/own /srv/mark | paste -sd' ')" 'own second'
layers two.squashfs ', limits: { disk: 64MiB }'
fps apply -y -f "$FILE" >"$W/apply" 2>&1
is 'a limited layer on it' "$(inside t/one cat /srv/own /srv/mark | paste -sd' ')" 'own second'
held_images=$(kept)
check 'a backup' fps backup "$W/backup.tar"
check 'down' fps down -y --timeout 0 -f "$FILE"
check 'and freed' fps gc --force -y
rm -rf "$ROOT/var/lib/fpsync" "$ROOT/var/lib/lxc" "$ROOT/run"
check 'into an empty root' fps restore --from "$W/backup.tar"
is 'come the images as they were kept' "$(kept)" "$held_images"
check 'and start' fps apply -y -f "$FILE"
is 'with what stood on them' "$(inside t/one cat /srv/own /srv/mark | paste -sd' ')" 'own second'
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
check 'down frees all devices' eventually 5 no_loops
fps gc --force -y >/dev/null 2>&1
is 'and gc all images' "$(kept)" ''
is 'nothing is left' "$(leftovers)" ''

# ---- privileged ----

echo 'allow: { privileged: true }' >"$ROOT/etc/fpsync/fpsync.conf"
spec root <<END
project: t
images: { guest: { source: "file:$ROOT/one.squashfs" } }
containers: { one: { image: guest, networks: [], privileged: true } }
END
converge 'a privileged container'
is 'sees it' "$(inside t/one cat /srv/mark)" first
check 'and writes over it' inside t/one sh -c 'echo x >/srv/mark'
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
check 'no device stays' eventually 5 no_loops

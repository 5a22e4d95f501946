#!/bin/bash
# What becomes of images once they are there: they follow their servers, go out and come in as files, and go when nobody
# has used them for long.
. "$(dirname "$0")/walk.sh"
. "$HERE/fetch.sh"
make_ca || { not_ok 'certificates of a CA of our own' && exit; }
W=$ROOT/work
TREE=$ROOT/served
ARCH=$(dpkg --print-architecture)
IMAGES=$ROOT/var/lib/fpsync/images
mkdir -p "$ROOT/etc/fpsync" "$TREE" "$W"
archive() { # TEXT: a guest whose /mark says TEXT
    cp -a "$BUSYBOX" "$W/tree" && echo "$1" >"$W/tree/mark"
    tar -C "$W/tree" -cJf "$TREE/x.tar.xz" . && rm -r "$W/tree"
}
conf() { # ENTRIES
    printf 'allow: { privileged: true }\ndownloads: { ca: "%s", stall: 1s, tries: 1 }\nremotes: { images: { url: "%s/plain" }, shop: { url: "https://127.0.0.1:%s", protocol: oci, ca: "%s" } }\n%s\n' \
        "$PKI/ca.pem" "$SERVER" "$PORT" "$PKI/ca.pem" "${1-}" >"$ROOT/etc/fpsync/fpsync.conf"
}
image() { # SOURCE ENTRIES
    spec image <<END
project: t
images: { guest: { source: "$1"$2 } }
containers: { one: { image: guest, networks: [], on_image_change: reset } }
END
}
settle() { # TEXT
    check "$1" fps apply -y -f "$FILE" && converge "$1: nothing more to do"
}
mark() {
    inside t/one cat /mark
}
archive first
serve "$TREE"
conf

# ---- the fields ----

web() { # ENTRIES of the image
    printf 'project: t\nimages: { guest: { source: "%s/plain/x.tar.xz"%s } }\ncontainers: { one: { image: guest, networks: [] } }\n' "$SERVER" "$1"
}
asks_after_an_hour() { # what a plan asks that is made an hour after the last answer
    touch -d '1 hour ago' "$ROOT/run/fpsync/asked/t_guest" 2>/dev/null
    requests >/dev/null
    plan_of "$FILE" >/dev/null
    requests | cut -d' ' -f1 | sort -u
}
follow_without() { web ''; }
follow_set() { web ', follow: 59m'; }
follow_changed() { web ', follow: 61m'; }
effect image.follow asks_after_an_hour '' HEAD '' ''
walk t/one - follow

# ---- a file of a web server ----

image "$SERVER/plain/x.tar.xz" ', pull: always'
settle 'of a web server'
is 'of a web server: what it has' "$(mark)" first
requests >/dev/null
check 'of a web server, unchanged: nothing to do' fps apply -y -f "$FILE"
is 'of a web server, unchanged: it is asked, and sends nothing' "$(requests)" 'HEAD /plain/x.tar.xz - 200'
archive second
plan=$(plan_of "$FILE")
like 'of a web server, changed: recreated' "$(actions_of "$plan")" 'recreate image/t/guest'
like 'of a web server, changed: the cause' "$(causes_of "$plan")" 'at its server [0-9a-f]{12} another version'
like 'of a web server, changed: the container follows' "$(actions_of "$plan")" 'restart container/t/one'
settle 'of a web server, changed'
is 'of a web server, changed: what it has' "$(mark)" second
touch "$TREE/x.tar.xz"
check 'of a web server, touched: nothing to do' fps plan -f "$FILE"
image "$SERVER/mute/x.tar.xz" ', pull: always'
settle 'of a server that says nothing of versions'
like 'of a server that says nothing of versions: said' "$(fps plan -f "$FILE" 2>&1)" 'image t/guest stays what it is: .*neither ETag nor Last-Modified'

# ---- an image server ----

publish "$TREE" debian:bookworm:default debian/12 20240101_05:24 old tar "$ARCH"
image images:debian/12 ', follow: 1h'
settle 'of an image server'
is 'of an image server: what it has' "$(mark)" old
publish "$TREE" debian:bookworm:default debian/12 20240301_05:24 new tar "$ARCH"
requests >/dev/null
check 'of an image server, within the hour: nothing to do' fps apply --auto -y -f "$FILE"
is 'of an image server, within the hour: it is not asked' "$(requests)" ''
touch -d '61 minutes ago' "$ROOT/run/fpsync/asked/t_guest"
like 'of an image server, after the hour: both versions' "$(causes_of "$(plan_of "$FILE")")" 'at its server [0-9a-f]{12} [0-9a-f]{12}'
check 'of an image server, after the hour: a timer does it' fps apply --auto -y -f "$FILE"
is 'of an image server, after the hour: what it has' "$(mark)" new
converge 'of an image server, after the hour: nothing more to do'
# An older one is refused, and what is there serves.
touch -d '61 minutes ago' "$ROOT/run/fpsync/asked/t_guest"
jq 'map_values(.versions |= del(.["20240301_05:24"]))' "$TREE/products.json" >"$TREE/products.new" && mv "$TREE/products.new" "$TREE/products.json" && relist "$TREE"
said=$(fps apply --auto -y -f "$FILE" 2>&1)
is 'of an image server that goes back: no failure' "$?" 0
like 'of an image server that goes back: said' "$said" 'image t/guest stays what it is: .*older than'
is 'of an image server that goes back: what is there serves' "$(mark)" new

# ---- a registry ----

registry() {
    printf 'version: 0.1\nlog: { level: info }\nstorage: { filesystem: { rootdirectory: %s } }\nhttp: { addr: "127.0.0.1:%s", tls: { certificate: "%s", key: "%s" } }\n' \
        "$W/storage" "$PORT" "$PKI/good.pem" "$PKI/good.key" >"$W/registry.yml"
    docker-registry serve "$W/registry.yml" >"$W/registry.log" 2>&1 &
    REGISTRY=$!
    eventually 10 curl -sk -o /dev/null "https://127.0.0.1:$PORT/v2/"
}
end_registry() {
    kill "$REGISTRY" && wait "$REGISTRY" 2>/dev/null
}
push() { # TEXT: a guest whose /mark says TEXT, as guest:latest
    rm -rf "$W/L" "$W/tree" && cp -a "$BUSYBOX" "$W/tree" && echo "$1" >"$W/tree/mark"
    umoci init --layout "$W/L" && umoci new --image "$W/L:v" && umoci insert --image "$W/L:v" "$W/tree" / &&
        umoci config --image "$W/L:v" --architecture "$ARCH" --config.label "x=$1" &&
        skopeo --insecure-policy copy -q --dest-cert-dir "$W/certs" "oci:$W/L:v" "docker://127.0.0.1:$PORT/guest:latest"
} >>"$W/push.log" 2>&1
mkdir -p "$W/certs" && cp "$PKI/ca.pem" "$W/certs/ca.crt"
if command -v docker-registry skopeo umoci >/dev/null; then
    registry && ok 'a registry starts' || not_ok 'a registry starts' "$(cat "$W/registry.log")"
    check 'an image is pushed' push one
    image shop:guest ', pull: always'
    settle 'of a registry'
    is 'of a registry: what it has' "$(mark)" one
    check 'of a registry, unchanged: nothing to do' fps plan -f "$FILE"
    check 'another image is pushed' push two
    like 'of a registry, changed: both digests' "$(causes_of "$(plan_of "$FILE")")" 'at its server [0-9a-f]{12} [0-9a-f]{12}'
    settle 'of a registry, changed'
    is 'of a registry, changed: what it has' "$(mark)" two
    image shop:guest ''
    check 'a third image is pushed' push three
    converge 'of a registry, not followed'
    is 'of a registry, not followed: what it has' "$(mark)" two
    check 'image pull takes it all the same' fps image pull guest
    settle 'image pull takes it all the same: applied'
    is 'image pull takes it all the same: what it has' "$(mark)" three
    is 'image pull of what is here already' "$(fps image pull guest 2>&1)" 'image t/guest is what its source has today'
    image shop:guest ', pull: always'
    settle 'followed again'
    end_registry
    said=$(fps apply -y -f "$FILE" 2>&1)
    is 'a registry that is gone: no failure' "$?" 0
    like 'a registry that is gone: said' "$said" 'image t/guest stays what it is: .*onnect'
    is 'a registry that is gone: what is there serves' "$(mark)" three
    fps down -y -f "$FILE" >/dev/null && fps gc --force >/dev/null && rm -rf "${IMAGES:?}"/* && fps forget image/t/guest -y >/dev/null 2>&1
    fails 'a registry that is gone, and nothing there' 3 fps apply -y -f "$FILE"
else
    skip 'of a registry' 'docker-registry, skopeo and umoci'
fi
take_down

# ---- image gc ----

for name in a b c; do
    cp -a "$BUSYBOX" "$W/$name" && head -c 1000000 /dev/urandom >"$W/$name/large"
done
spec gc <<END
project: t
images: { a: { source: "file:$W/a" }, b: { source: "file:$W/b" }, c: { source: "file:$W/c" } }
containers: { one: { image: a, networks: [] }, two: { image: b, networks: [] } }
END
converge 'three images, two of them used'
of() { # NAME: its digest
    fps image ls -o json | jq -r --arg name "t/$1" '.images[] | select(.name == $name) | .digest'
}
A=$(of a) B=$(of b) C=$(of c)
spec gc <<END
project: t
images: { a: { source: "file:$W/a" } }
containers: { one: { image: a, networks: [] } }
END
check 'two of them go' fps apply -y --allow-mass-delete -f "$FILE"
touch -d '40 days ago' "$IMAGES/$A" "$IMAGES/$B" "$IMAGES/$C"
check 'image gc: a dry run' fps image gc --older-than 30d --dry-run
is 'image gc: a dry run frees nothing' "$(images_in_store | grep -c .)" 3
check 'image gc frees what was not used for long' fps image gc --older-than 30d
is 'image gc spares what a retained layer stands on' "$(images_in_store)" "$(printf '%s\n' "$A" "$B" | sort)"
check 'the layer goes' fps gc --force layer/t/two
check 'image gc with room' fps image gc --budget 1GiB
is 'image gc with room frees nothing' "$(images_in_store | grep -c .)" 2
conf 'images: { budget: 1MiB }'
check 'image gc by the budget of fpsync.conf' fps image gc
is 'image gc never frees what a container uses' "$(images_in_store)" "$A"
before=$(stat -c %Y "$IMAGES/$A")
check 'a container restarts' fps restart t/one --timeout 0
[ "$(stat -c %Y "$IMAGES/$A")" -gt "$before" ] && ok 'a start on it is a use of it' || not_ok 'a start on it is a use of it'
take_down

# ---- out and in again ----

cp -a "$BUSYBOX" "$W/source" && chown 1234:5678 "$W/source/bin" && cp "$BUSYBOX/bin/busybox" "$W/source/able" 2>/dev/null ||
    cp "$(command -v busybox)" "$W/source/able"
setcap cap_net_bind_service=ep "$W/source/able"
setfattr -n user.note -v here "$W/source/able"
chmod 4755 "$W/source/able.suid" 2>/dev/null || { cp "$W/source/able" "$W/source/suid" && chmod 4755 "$W/source/suid"; }
ln -s able "$W/source/link" && ln "$W/source/suid" "$W/source/hard" && mkfifo "$W/source/pipe" && printf x >"$W/source/ünïcode name"
entries() { # FOLDER: every entry with type, mode, owner, link, xattrs and content
    (
        cd "$1" && find . -printf '%P %y %m %U %G %l %n\n' | sort
        find . -exec getfattr -h -d -m - --absolute-names -e hex {} + 2>/dev/null
        find . -type f -exec sha256sum {} + | sort
    )
}
check 'a folder is imported' fps image import "$W/source" t/golden
DIGEST=$(of golden)
is 'an imported folder: all entries are its' "$(entries "$IMAGES/$DIGEST/root")" "$(entries "$W/source")"
for end in tar tar.xz tar.zst; do
    check "exported as $end" fps image export t/golden "$W/out.$end"
    check "imported from $end" fps image import "$W/out.$end" "t/from-${end/./-}"
    is "out and in as $end: the same image" "$(of "from-${end/./-}")" "$DIGEST"
done
fails 'nothing is written over' 1 fps image export t/golden "$W/out.tar"
check 'exported as a layout' fps image export t/golden "$W/layout:x"
check 'imported from a layout' fps image import "$W/layout" t/from-layout
is 'out and in as a layout: all entries are its' "$(entries "$IMAGES/$(of from-layout)/root")" "$(entries "$W/source")"
mkdir "$W/unified" && cp -a "$W/source" "$W/unified/rootfs" && echo 'architecture: x86_64' >"$W/unified/metadata.yaml" && mkdir "$W/unified/templates"
tar --xattrs --xattrs-include='*' -C "$W/unified" -cJf "$W/unified.tar.xz" .
check 'imported from an archive with metadata' fps image import "$W/unified.tar.xz" t/from-unified
is 'from an archive with metadata: the root is the image' "$(entries "$IMAGES/$(of from-unified)/root")" "$(entries "$W/source")"
spec imported <<END
project: t
containers: { one: { image: golden, networks: [] } }
END
converge 'a container of an imported image'
is 'a container of an imported image: its files' "$(inside t/one ls -d /able)" /able
check 'exported under another tag' fps image export t/from-tar "$W/layout:y"
like 'which of them is said' "$(fps image import "$W/layout" t/either 2>&1)" ':TAG'
check 'one of two is imported by its tag' fps image import "$W/layout:y" t/by-tag
check 'also with its scheme, from here' env -C "$W" "$FPSYNC" --root "$ROOT" image import oci-layout:layout:x t/by-scheme
is 'both are that image' "$(of by-tag) $(of by-scheme)" "$(of from-layout) $(of from-layout)"
like 'a file that is not there' "$(fps image import "$W/nowhere.tar" t/lost 2>&1)" "nowhere.tar: there is no such file"
head -c 3000 "$W/out.tar" >"$W/short.tar"
fails 'an archive that ends too early' 3 fps image import "$W/short.tar" t/lost
is 'leaves no name' "$(fps image ls -o json | jq -r '.images[].names[]?' | grep -c lost)" 0
take_down
is 'an imported image is nobody else'"'"'s to free' "$(of golden)" "$DIGEST"
check 'it goes by its name' fps image rm t/golden

# Ad-hoc builds: who goes is named, also when another has the name by now.
mkdir -p "$W/adhoc" && printf 'FROM scratch\nCOPY x /\n' >"$W/adhoc/Recipe" && echo one >"$W/adhoc/x"
fps build "$W/adhoc" -t aa -y >/dev/null 2>&1 && fps build "$W/adhoc" -t bb -y >/dev/null 2>&1
before=$(fps image inspect default/aa | jq -r '.images[0].digest')
echo two >"$W/adhoc/x" && fps build "$W/adhoc" -t aa -y >/dev/null 2>&1
said=$(fps image gc --dry-run)
like 'image gc names who goes' "$said" "$before: would be freed \(default/bb,"
like 'each of them' "$said" "$(fps image inspect default/aa | jq -r '.images[0].digest'): would be freed \(default/aa,"
stop_servers

spec nowhere <<END
images:
  lost: { source: "file:/nowhere.tar" }
END
like 'what cannot be had is told with the line that asks for it' "$(fps apply -y -f "$FILE" 2>&1)" \
    '/nowhere.tar: No such file or directory \(for source at .*nowhere.yaml:2:19\)'

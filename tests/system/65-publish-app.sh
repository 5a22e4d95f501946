#!/bin/bash
# One of examples/apps is built, published, and runs elsewhere: from the remote, in a store that has nothing else, and in LXC.
# Needs a mirror of Debian's packages.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/fetch.sh"

if ! command -v mmdebstrap >/dev/null || ! timeout 120 apt-get -qq update >/dev/null 2>&1; then
    skip 'an application is published' 'no mmdebstrap, or no Debian mirror can be reached'
    exit 0
fi
make_ca || { not_ok 'a CA for the test' && exit 1; }
cp -R examples/apps/stamp "$ROOT/stamp"
spec app <<END
project: apps
images: { debian: { source: "bootstrap:bookworm" }, stamp: { build: "$ROOT/stamp" } }
END
check 'it is built' fps build -y -q -f "$FILE"
minisign -G -W -p "$ROOT/key.pub" -s "$ROOT/key.sec" >/dev/null 2>&1
check 'published and signed' fps image publish stamp --to "$ROOT/tree" --key "$ROOT/key.sec"
is 'its recipe and its source are beside it' "$(tar -tJf "$ROOT"/tree/images/stamp/*/*/*/*/recipe.tar.xz | LC_ALL=C sort | paste -sd' ')" './ Recipe stamp.c'
fps down -y -f "$FILE" >/dev/null && fps gc --force -y >/dev/null
serve "$ROOT/tree"
is 'nothing of it stays in the store' "$(images_in_store)" ''
mkdir -p "$ROOT/etc/fpsync"
printf 'downloads: { ca: "%s" }\nremotes: { pub: { url: "%s/plain", key: "%s" } }\n' "$PKI/ca.pem" "$SERVER" "$(tail -n 1 "$ROOT/key.pub")" \
    >"$ROOT/etc/fpsync/fpsync.conf"
spec there <<END
project: there
images: { stamp: { source: "pub:stamp" } }
containers: { stamp: { image: stamp, command: [ /stamp ], networks: [ front ], ports: [ "$PORT:8000" ] } }
networks: { front: { subnet: $NET.128/25 } }
END
check 'elsewhere it runs from there' fps apply -y -q -f "$FILE"
check 'and answers' eventually 20 page "http://127.0.0.1:$PORT/" '^20..-..-..T'
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
if [ -x /usr/share/lxc/templates/lxc-download ] && command -v wget >/dev/null; then
    export LXC_CACHE_PATH=$ROOT/lxc-cache WGETRC=$ROOT/wgetrc
    echo "ca_certificate = $PKI/ca.pem" >"$WGETRC"
    mkdir "$ROOT/lxc-own" && echo 'lxc.net.0.type = empty' >"$ROOT/lxc.conf"
    check "LXC's template makes a container of it" timeout 120 lxc-create -P "$ROOT/lxc-own" -n "stamp.$TAG" -f "$ROOT/lxc.conf" -t download -- \
        --server "${SERVER#https://}/plain" -d stamp -r current -a "$(dpkg --print-architecture)"
    check 'which starts' lxc-start -P "$ROOT/lxc-own" -n "stamp.$TAG"
    is 'as its single process' "$(tr '\0' ' ' <"/proc/$(lxc-info -P "$ROOT/lxc-own" -n "stamp.$TAG" -pH)/cmdline")" '/stamp '
    lxc-destroy -f -P "$ROOT/lxc-own" -n "stamp.$TAG" >/dev/null
else
    skip "LXC's template runs it" 'there is no template, or no wget'
fi
stop_servers

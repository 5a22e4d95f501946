# What tests of servers share: certificates of a CA of their own, servers on loopback, and a canary.
#
#   make_ca                         $PKI with ca.pem, and good.pem, expired.pem, other.pem (another host's), self.pem,
#                                   revoked.pem; lists of what is revoked: crl.pem, old.crl.pem
#   serve FOLDER [CERTIFICATE [ADDRESS]]   a server; sets $SERVER, "https://ADDRESS:PORT"; requests are in $LOG
#   let_go                          it sends the rest of what it holds back of a body (/held/)
#   canary / is_untouched TEXT      nothing outside the store was changed
PKI=$ROOT/pki
LOG=$ROOT/requests.log
servers=()

certificate() { # NAME SUBJECT-ALTERNATIVE-NAME DAYS [signer's options]
    local name=$1 names=$2 days=$3
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/$name.key" -subj "/CN=$name" \
        -out "$PKI/$name.csr" 2>/dev/null
    openssl x509 -req -in "$PKI/$name.csr" -CA "$PKI/ca.pem" -CAkey "$PKI/ca.key" -days "$days" \
        -extfile <(echo "subjectAltName=$names") -out "$PKI/$name.pem" 2>/dev/null
}
authority() { # OPTIONS of openssl ca
    openssl ca -batch -md sha256 -cert "$PKI/ca.pem" -keyfile "$PKI/ca.key" -config "$PKI/db/conf" "$@" 2>/dev/null
}
make_ca() {
    mkdir -p "$PKI"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/ca.key" -out "$PKI/ca.pem" \
        -days 2 -subj "/CN=test CA $TAG" 2>/dev/null
    certificate good "DNS:localhost,IP:127.0.0.1,IP:203.0.113.$((0x${TAG:0:2} % 250 + 1))" 2
    certificate other 'DNS:example.org' 2
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/self.key" -out "$PKI/self.pem" \
        -days 2 -subj /CN=localhost -addext 'subjectAltName=IP:127.0.0.1' 2>/dev/null
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$PKI/expired.key" -subj /CN=expired \
        -out "$PKI/expired.csr" 2>/dev/null
    mkdir -p "$PKI/db" && : >"$PKI/db/index" && echo 01 >"$PKI/db/serial"
    printf '[ca]\ndefault_ca=x\n[x]\ndatabase=%s\nserial=%s\nrand_serial=yes\npolicy=y\nx509_extensions=z\n[y]\ncommonName=supplied\n[z]\nsubjectAltName=IP:127.0.0.1\n' \
        "$PKI/db/index" "$PKI/db/serial" >"$PKI/db/conf"
    authority -notext -in "$PKI/expired.csr" -startdate 20200101000000Z -enddate 20200201000000Z -out "$PKI/expired.pem" -outdir "$PKI/db"
    certificate revoked 'IP:127.0.0.1' 2
    authority -revoke "$PKI/revoked.pem"
    authority -gencrl -crldays 2 -out "$PKI/crl.pem"
    authority -gencrl -crl_lastupdate 20200101000000Z -crl_nextupdate 20200201000000Z -out "$PKI/old.crl.pem"
    [ -s "$PKI/good.pem" ] && [ -s "$PKI/expired.pem" ] && [ -s "$PKI/crl.pem" ] && [ -s "$PKI/old.crl.pem" ]
}
begin_server() { # COMMAND...: one that prints its port, which is in $port then
    local pipe=$ROOT/port.fifo
    mkfifo "$pipe"
    "$@" >"$pipe" 2>>"$ROOT/server.err" &
    servers+=($!)
    read -r port <"$pipe"
    rm "$pipe"
}
serve() {
    local port
    [ -p "$LOG.go" ] || mkfifo "$LOG.go"
    begin_server "$HERE/image-server" "$(realpath "$1")" "$PKI/${2:-good}.pem" "$PKI/${2:-good}.key" "$LOG" "${3:-127.0.0.1}"
    SERVER=https://${3:-127.0.0.1}:$port
}
let_go() {
    timeout 20 bash -c 'echo >"$1"' - "$LOG.go"
}
stop_servers() {
    local pid
    for pid in "${servers[@]}"; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    servers=()
}
canary() {
    find /etc/passwd /etc/shadow /etc/fpsync "$ROOT/canary" \
        -printf '%p %y %m %u %g %s %T@\n' 2>/dev/null | sort
}
images_in_store() {
    find "$ROOT/var/lib/fpsync/images" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null | sort
}
downloads_in_store() {
    find "$ROOT/var/lib/fpsync/downloads" -type f -printf '%f\n' 2>/dev/null | sort
}
requests() { # what was asked since the last time
    cat "$LOG" 2>/dev/null
    : >"$LOG"
}

# ---- an image server's tree ----
#
#   publish FOLDER PRODUCT ALIASES VERSION MARK KIND [ARCH]   a guest whose /mark says MARK, as LXD's servers have it;
#                     PRODUCT is OS:RELEASE:VARIANT, KIND tar, squashfs, tar+squashfs or whole
#   relist FOLDER     index.json and images.json again, also after edits of products.json there
sha() {
    sha256sum "$@" | cut -d' ' -f1 | head -n 1
}
add_item() { # FOLDER PRODUCT VERSION NAME FTYPE FILE [more as JSON]
    jq --arg product "$2" --arg version "$3" --arg name "$4" --arg type "$5" --arg path "${6#"$1"/}" \
        --arg sha "$(sha "$6")" --argjson size "$(stat -c %s "$6")" --argjson more "${7:-{\}}" \
        '.[$product].versions[$version].items[$name] = {ftype: $type, path: $path, sha256: $sha, size: $size} + $more' \
        "$1/products.json" >"$1/products.new" && mv "$1/products.new" "$1/products.json"
}
publish() {
    local folder=$1 product=$2 aliases=$3 version=$4 mark=$5 kind=$6 arch=${7:-amd64} os release variant id place tree=$ROOT/publish
    IFS=: read -r os release variant <<<"$product"
    id=$os:$release:$arch:$variant
    place=$folder/images/$os/$release/$arch/$variant/$version
    mkdir -p "$place" "$tree/meta/templates"
    [ -e "$folder/products.json" ] || echo '{}' >"$folder/products.json"
    jq --arg id "$id" --arg aliases "$aliases" --arg arch "$arch" --arg os "$os" --arg release "$release" --arg variant "$variant" \
        '.[$id] += {aliases: $aliases, arch: $arch, os: $os, release: $release, release_title: $release, variant: $variant}' \
        "$folder/products.json" >"$folder/products.new" && mv "$folder/products.new" "$folder/products.json"
    cp -a "$BUSYBOX" "$tree/meta/rootfs" && echo "$mark" >"$tree/meta/rootfs/mark"
    printf 'architecture: x86_64\ncreation_date: 1700000000\nproperties: {os: %s, release: %s}\n' "$os" "$release" >"$tree/meta/metadata.yaml"
    tar -C "$tree/meta" -cJf "$place/incus.tar.xz" metadata.yaml templates
    case $kind in
    *tar*)
        tar -C "$tree/meta/rootfs" -cJf "$place/rootfs.tar.xz" .
        add_item "$folder" "$id" "$version" root.tar.xz root.tar.xz "$place/rootfs.tar.xz"
        ;;&
    *squashfs*)
        mksquashfs "$tree/meta/rootfs" "$place/rootfs.squashfs" -noappend -quiet -no-progress >/dev/null
        add_item "$folder" "$id" "$version" root.squashfs squashfs "$place/rootfs.squashfs"
        ;;&
    whole)
        tar -C "$tree/meta" -czf "$place/incus_combined.tar.gz" metadata.yaml templates rootfs
        add_item "$folder" "$id" "$version" incus_combined.tar.gz incus_combined.tar.gz "$place/incus_combined.tar.gz"
        ;;
    *)
        add_item "$folder" "$id" "$version" incus.tar.xz incus.tar.xz "$place/incus.tar.xz" "$(jq -n \
            --arg tar "$(cat "$place/incus.tar.xz" "$place/rootfs.tar.xz" 2>/dev/null | sha)" \
            --arg squashfs "$(cat "$place/incus.tar.xz" "$place/rootfs.squashfs" 2>/dev/null | sha)" \
            '{combined_rootxz_sha256: $tar, combined_squashfs_sha256: $squashfs}')"
        ;;
    esac
    rm -r "$tree"
    relist "$folder"
}
relist() {
    mkdir -p "$1/streams/v1"
    jq '{format: "products:1.0", content_id: "images", datatype: "image-downloads", products: .}' "$1/products.json" \
        >"$1/streams/v1/images.json"
    jq '{format: "index:1.0", index: {images: {datatype: "image-downloads", format: "products:1.0", path: "streams/v1/images.json", products: keys}}}' \
        "$1/products.json" >"$1/streams/v1/index.json"
}

root_of_image() { # its FOLDER in the store: a folder that shows its root, whichever way it is kept
    local shown
    shown=$ROOT/shown/$(basename "$1")
    [ -e "$1/image.squashfs" ] || shown=$1/root
    [ -d "$shown" ] || { mkdir -p "$ROOT/shown" && unsquashfs -q -n -d "$shown" "$1/image.squashfs" >/dev/null 2>&1; }
    echo "$shown"
}

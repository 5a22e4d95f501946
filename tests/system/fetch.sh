# What tests of servers share: certificates of a CA of their own, servers on loopback, and a canary.
#
#   make_ca                         $PKI with ca.pem, and good.pem, expired.pem, other.pem (another host's), self.pem
#   serve FOLDER [CERTIFICATE [ADDRESS]]   a server; sets $SERVER, "https://ADDRESS:PORT"; requests are in $LOG
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
    openssl ca -batch -notext -md sha256 -in "$PKI/expired.csr" -cert "$PKI/ca.pem" -keyfile "$PKI/ca.key" \
        -startdate 20200101000000Z -enddate 20200201000000Z -out "$PKI/expired.pem" -outdir "$PKI/db" -config <(
            printf '[ca]\ndefault_ca=x\n[x]\ndatabase=%s\nserial=%s\nrand_serial=yes\npolicy=y\nx509_extensions=z\n[y]\ncommonName=supplied\n[z]\nsubjectAltName=IP:127.0.0.1\n' \
                "$PKI/db/index" "$PKI/db/serial"
        ) 2>/dev/null
    [ -s "$PKI/good.pem" ] && [ -s "$PKI/expired.pem" ]
}
serve() {
    local port pipe=$ROOT/port.fifo
    mkfifo "$pipe"
    "$HERE/image-server" "$(realpath "$1")" "$PKI/${2:-good}.pem" "$PKI/${2:-good}.key" "$LOG" "${3:-127.0.0.1}" \
        >"$pipe" 2>>"$ROOT/server.err" &
    servers+=($!)
    read -r port <"$pipe"
    rm "$pipe"
    SERVER=https://${3:-127.0.0.1}:$port
}
stop_servers() {
    local pid
    for pid in "${servers[@]}"; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    servers=()
}
canary() {
    find /etc/passwd /etc/shadow /etc/fpsync "$ROOT/canary" "$ROOT/var/lib/fpsync/layers" "$ROOT/var/lib/fpsync/volumes" \
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

#!/bin/bash
# Images behind https:// addresses, and servers that do not do what they should: nothing is ever visible that is not
# whole and what it was said to be, what came is taken up again, and nothing stays behind.
. "$(dirname "$0")/walk.sh"
. "$HERE/fetch.sh"
make_ca || { not_ok 'certificates of a CA of our own' && exit; }
mkdir -p "$ROOT/etc/fpsync" "$ROOT/served" "$ROOT/canary"
echo untouched >"$ROOT/canary/file"
policy() { # ENTRIES
    printf 'allow: { privileged: true }\ndownloads: { ca: "%s", stall: 1s, tries: %s }\n%s\n' "$PKI/ca.pem" "${2:-2}" "$1" \
        >"$ROOT/etc/fpsync/fpsync.conf"
}
archive() { # NAME TEXT: a guest whose /mark says TEXT
    cp -a "$BUSYBOX" "$ROOT/tree" && echo "$2" >"$ROOT/tree/mark"
    tar -C "$ROOT/tree" -cJf "$ROOT/served/$1" . && rm -r "$ROOT/tree"
}
sum() { sha256sum <"$ROOT/served/$1" | cut -d' ' -f1; }
policy ''
archive x.tar.xz first
serve "$ROOT/served"

# ---- the fields ----

web() { # ENTRIES of the image
    printf 'project: t\nimages: { guest: { source: "%s/plain/x.tar.xz"%s } }\n' "$SERVER" "$1"
    printf 'containers: { one: { image: guest, networks: [], on_image_change: reset } }\n'
}
without_bytes() { # what a plan would do if the image's bytes were lost
    local plan
    mv "$ROOT/var/lib/fpsync/images" "$ROOT/var/lib/fpsync/aside"
    plan=$(plan_of "$FILE")
    mv "$ROOT/var/lib/fpsync/aside" "$ROOT/var/lib/fpsync/images"
    { actions_of "$plan" | grep image; held_of "$plan" | sed -n 's|^image/t/guest: .*(\(.*\))|held: \1|p'; } | head -n 1
}
digest_without() { archive x.tar.xz first && web '' | sed s/plain/norange/; }
digest_set() { archive x.tar.xz second && web ", digest: \"sha256:$(sum x.tar.xz)\""; }
digest_changed() { archive x.tar.xz third && web ", digest: \"sha256:$(sum x.tar.xz)\""; }
effect image.digest 'inside t/one cat /mark' first second third first
walk t/one restart digest
pull_without() { web ''; }
pull_set() { web ', pull: never'; }
pull_changed() { web ', pull: missing'; }
effect image.pull without_bytes 'repair image/t/guest' 'held: pull: never' 'repair image/t/guest' 'repair image/t/guest'
walk t/one - pull

# ---- the ten shapes of a bad download ----

archive x.tar.xz whole
SIZE=$(stat -c %s "$ROOT/served/x.tar.xz")
PIN="sha256:$(sum x.tar.xz)"
image() { # URL [ENTRIES]
    spec bad <<END
project: t
images: { guest: { source: "$1"${2-} } }
END
}
clean() {
    take_down
    rm -rf "$ROOT/var/lib/fpsync/downloads" "$ROOT/var/lib/fpsync/images"
    : >"$LOG"
}
BEFORE=$(canary)
refused() { # TEXT, what is said, what stays of downloads: files of that name's ending, or nothing
    local said status
    said=$(fps apply -y -f "$FILE" 2>&1)
    status=$?
    is "$1: fails" "$status" 3
    like "$1: why" "$said" "$2"
    is "$1: no image" "$(images_in_store)" ''
    is "$1: what stays" "$(downloads_in_store | sed 's/.*\.//' | tr '\n' ' ')" "${3-}"
}
part() { # bytes of the only part
    stat -c %s "$ROOT"/var/lib/fpsync/downloads/*.part 2>/dev/null
}
policy '' 0
clean

step=$((SIZE / 64 + 1))
image "$SERVER/flaky/$step/x.tar.xz" ", digest: \"$PIN\""
good=0 wrong=
for ((i = 1; i < 64 && i * step < SIZE; i++)); do
    fps apply -y -f "$FILE" >/dev/null 2>&1
    [ "$? $(images_in_store) $(part)" = "3  $((i * step))" ] && good=$((good + 1)) || wrong+="$i: $(part) instead of $((i * step)); "
done
is 'cut at every 64th: each time no image, and all that came is kept' "$good $wrong" "$((i - 1)) "
converge 'cut at every 64th: the last part makes it whole'
is 'each part was asked for once' "$(grep -c ' 206$' "$LOG")" $((i - 1))
is 'and no part stays' "$(downloads_in_store)" ''
clean

image "$SERVER/wrong/x.tar.xz" ", digest: \"$PIN\""
refused 'another hash' "expected $PIN, and what came has sha256:"
image "$SERVER/long/x.tar.xz" ", digest: \"$PIN\""
refused 'shorter than it says' 'transfer closed|bytes came instead of|recv error' 'note part '
check 'gc frees what came' fps gc -y --force
is 'nothing of it is left' "$(downloads_in_store)" ''
: >"$LOG"
image "$SERVER/registry/x.tar.xz" ", digest: \"$PIN\""
refused 'all of it came, and then nothing' 'transfer closed|bytes came instead of|recv error' 'note part '
is 'which is kept' "$(part)" "$SIZE"
converge 'that there is no more is said with the length of all, as docker-registry does: it is taken as it is'
is 'without another byte' "$(grep -cE ' (200|206)$' "$LOG") $(grep -c ' 416$' "$LOG")" '1 1'
clean
image "$SERVER/stall/$step/x.tar.xz" ", digest: \"$PIN\""
refused 'silence' 'too slow|[Tt]imeout|timed out' 'note part '
clean
image "$SERVER/slow/x.tar.xz"
refused 'a byte a second' 'too slow|[Tt]imeout|timed out' 'note part '
clean
image "$SERVER/html/x.tar.xz"
refused 'a page instead of an archive' 'sends a web page and no archive'
image "$SERVER/loop/x.tar.xz"
refused 'a circle of redirects' 'redirects more than 5 times'
is 'which is left after six requests' "$(requests | grep -c loop)" 6
image "$SERVER/fail/404/9/x.tar.xz"
refused 'not there' 'status 404'
image "$SERVER/login/x.tar.xz"
refused 'a login' 'status 401'
image "$SERVER/plain/../../etc/passwd"
refused 'what is no archive' 'status 404'

# The file changes on the server while it comes.
image "$SERVER/flaky/$((SIZE / 2))/x.tar.xz"
refused 'the first half' '' 'note part '
archive x.tar.xz "another, which is longer"
refused 'the rest is of another file: begun anew' '' 'note part '
is 'it has as much as came of the new one' "$(part)" "$((SIZE / 2))"
fps apply -y -f "$FILE" >/dev/null 2>&1
converge 'and ends as the new one'
is 'whole' "$(cat "$ROOT"/var/lib/fpsync/images/*/root/mark)" 'another, which is longer'
clean

# The server goes, in the middle of it and before.
policy '' 1
first=$SERVER
serve "$ROOT/served"
second=${servers[-1]}
image "$SERVER/stall/$step/x.tar.xz"
(eventually 20 grep -q stall "$LOG" && kill "$second") &
refused 'the server ends' '' 'note part '
refused 'the server is gone' "[Cc]onnect" 'note part '
SERVER=$first
clean

for case in expired='clock says' other='subject|name|match|verification' self='verification'; do
    first=$SERVER
    serve "$ROOT/served" "${case%=*}"
    image "$SERVER/plain/x.tar.xz"
    refused "a certificate that is ${case%=*}" "${case#*=}"
    is "a certificate that is ${case%=*}: nothing was asked" "$(requests)" ''
    SERVER=$first
done

# Lists of what is revoked, of each authority's own: without one nothing is looked up.
looks_up() { # LIST
    policy '' 0 && sed -i "s|ca: |crl: \"$1\", ca: |" "$ROOT/etc/fpsync/fpsync.conf"
}
first=$SERVER
serve "$ROOT/served" revoked
image "$SERVER/plain/x.tar.xz"
converge 'a revoked certificate, where no list is declared'
clean
looks_up "$PKI/crl.pem"
refused 'a revoked certificate' 'verification.*may have revoked it'
is 'a revoked certificate: nothing was asked' "$(requests)" ''
looks_up "$PKI/good.pem"
refused 'a list that is none' '.crl. of fpsync.conf: expected revocation lists'
{ cat "$PKI/old.crl.pem" && printf '\0' && cat "$PKI/crl.pem"; } >"$PKI/cut.pem"
looks_up "$PKI/cut.pem"
refused 'a list behind a zero byte' 'cut.pem: expected PEM, found a zero byte'
looks_up "$PKI/old.crl.pem"
refused 'by a list that is out of date, too' 'verification.*may have revoked it'
SERVER=$first
image "$SERVER/plain/x.tar.xz"
looks_up "$PKI/crl.pem"
converge 'a certificate that is in no list'
clean
policy '' 0

mkdir -p "$ROOT/var/lib/fpsync/downloads" && mount -t tmpfs -o size=256k fpsync-test "$ROOT/var/lib/fpsync/downloads"
image "$SERVER/plain/x.tar.xz"
refused 'a full disk' 'No space left'
is 'which is not kept full' "$(df --output=used "$ROOT/var/lib/fpsync/downloads" | tail -n 1 | tr -d ' ')" 0
umount "$ROOT/var/lib/fpsync/downloads"
converge 'with room again'
clean

# A worker that is killed in the middle of it leaves a part that is taken up.
policy '' 0 && sed -i 's/stall: 1s/stall: 20s/' "$ROOT/etc/fpsync/fpsync.conf"
image "$SERVER/stall/$step/x.tar.xz"
"$FPSYNC" --root "$ROOT" apply -y -f "$FILE" >/dev/null 2>&1 &
running=$!
part_came() { [ "$(part)" = "$step" ]; }
eventually 20 part_came
kill -9 "$running" && wait "$running" 2>/dev/null
is 'killed in the middle: no image' "$(images_in_store | grep -v '^\.tmp-')" ''
is 'what came stays' "$(part)" "$step"
policy '' 0
refused 'taken up by the next run' '' 'note part '
is 'from where it ended' "$(requests | tail -n 1)" "GET /stall/$step/x.tar.xz bytes=$step- 206"
clean

# ---- tried again, bounded, sent elsewhere ----

policy '' 3
image "$SERVER/fail/503/3/x.tar.xz"
rm -f "$LOG.times"
converge 'a server that is busy three times'
is 'it was asked four times' "$(requests | wc -l)" 4
# After at least half of 0.5, 1 and 2 s, the rest of which is by chance.
check "each time later: $(paste -sd' ' "$LOG.times")" awk '{ at[NR] = $1 } END { first = at[2] - at[1]; third = at[4] - at[3];
    exit !(first >= 0.25 && at[3] - at[2] >= 0.5 && third >= 1 && third > 1.5 * first) }' "$LOG.times"
clean
policy '' 2 && sed -i 's/stall: 1s/stall: 1s, size: 64KiB/' "$ROOT/etc/fpsync/fpsync.conf"
# What says its length is refused by that, and what does not at the first bytes beyond: of a MiB, which libcurl hands on
# by at most half of one.
head -c 1M /dev/urandom >"$ROOT/served/large"
for way in plain chunked open; do
    : >"$LOG"
    image "$SERVER/$way/large"
    refused "more than is allowed ($way)" 'more than the 65536 that are allowed'
    is "more than is allowed ($way): it came once" "$(requests)" "GET /$way/large - 200"
    like "more than is allowed ($way): by what it says, or by what came" "$(fps apply -y -f "$FILE" 2>&1)" \
        "it has $([ $way = plain ] && echo 1048576 || echo '([0-9]{5}|[1-5][0-9]{5})') bytes"
done
policy '' 0
# Within the bounds a length is not needed, if the end is one that can be told from a cut.
for way in chunked open; do
    image "$SERVER/$way/x.tar.xz"
    converge "a body without a length ($way)"
    clean
done
image "$SERVER/torn/$step/x.tar.xz"
refused 'a body without a length, cut' 'terminated|closed|recv|EOF' 'note part '
clean

# Within one run what came stays, too: the rest of it is asked for, as long as it is the same file.
policy '' 2
archive x.tar.xz parts
SIZE=$(stat -c %s "$ROOT/served/x.tar.xz") step=$((SIZE / 3 + 1))
image "$SERVER/flaky/$step/x.tar.xz" ", digest: \"sha256:$(sum x.tar.xz)\""
converge 'cut twice, within one run'
is 'cut twice: each part was asked for once' "$(requests | cut -d' ' -f3-)" "- 200
bytes=$step- 206
bytes=$((2 * step))- 206"
is 'cut twice: it is whole' "$(cat "$ROOT"/var/lib/fpsync/images/*/root/mark) $(downloads_in_store)" 'parts '
clean
image "$SERVER/changing/$step/x.tar.xz"
refused 'another file each time that the rest is asked for' 'changed on the server meanwhile'
is 'it is begun anew twice, and each time the rest is refused' "$(requests | cut -d' ' -f3- | sort | uniq -c | tr -s ' ')" " 3 - 200
 3 bytes=$step- 200"
policy '' 0
for to in http://127.0.0.1/x file:///etc/passwd ftp://127.0.0.1/x gopher://127.0.0.1/x; do
    image "$SERVER/to/$(jq -rn --arg to "$to" '$to | @uri')"
    refused "sent to $to" 'is not https://'
done
image "$SERVER/to/$(jq -rn --arg to "$SERVER/plain/x.tar.xz" '$to | @uri')"
converge 'sent to another place of the same kind'
clean
PUBLIC=203.0.113.$((0x${TAG:0:2} % 250 + 1))
if ip addr add "$PUBLIC/32" dev lo 2>/dev/null; then
    private=$SERVER
    serve "$ROOT/served" good "$PUBLIC"
    image "$SERVER/plain/x.tar.xz"
    converge 'a public address'
    clean
    for to in "$private/plain/x.tar.xz" https://169.254.169.254/latest/meta-data https://localhost/x https://127.1/x \
        https://2130706433/x 'https://[::1]/x' 'https://[::ffff:10.0.0.1]/x' https://10.0.0.1/x https://192.168.1.1/x; do
        image "$SERVER/to/$(jq -rn --arg to "$to" '$to | @uri')"
        refused "from there to $to" 'not public'
    done
    SERVER=$private
    ip addr del "$PUBLIC/32" dev lo
else
    skip 'redirects from a public address' 'no address can be added to lo'
fi
image "$SERVER/plain/x.tar.xz"
: >"$LOG"
export https_proxy=http://127.0.0.1:1
refused 'a proxy that is not there' '[Cc]onnect'
is 'the server itself was not asked' "$(requests)" ''
export no_proxy=example.org,127.0.0.1
converge 'but for what is to be asked without one'
clean
begin_server "$HERE/connect-proxy" "$ROOT/proxied"
proxy=$port
export https_proxy=http://127.0.0.1:$port no_proxy=example.org
converge 'a proxy that is there'
is 'it was asked for the way to the server once' "$(cat "$ROOT/proxied")" "CONNECT ${SERVER#https://}"
is 'by which the server was asked' "$(requests)" 'GET /plain/x.tar.xz - 200'
clean
first=$SERVER
serve "$ROOT/served" other
image "$SERVER/plain/x.tar.xz"
refused 'behind it, a certificate of another server' 'subject|name|match|verification'
SERVER=$first
unset https_proxy no_proxy
clean

# The proxy of all kinds of addresses is that of https:// where none is said for those; and of two spellings the small one
# counts.
export ALL_PROXY=http://127.0.0.1:$proxy NO_PROXY=example.org
: >"$ROOT/proxied"
image "$SERVER/plain/x.tar.xz"
converge 'ALL_PROXY'
is 'ALL_PROXY: by it' "$(cat "$ROOT/proxied")" "CONNECT ${SERVER#https://}"
clean
: >"$ROOT/proxied"
export https_proxy=http://127.0.0.1:1
refused 'https_proxy, which is not there, beside it' '[Cc]onnect'
is 'https_proxy beside it: nobody else was asked' "$(cat "$ROOT/proxied")$(requests)" ''
export NO_PROXY=127.0.0.1
converge 'NO_PROXY'
is 'NO_PROXY: by none' "$(cat "$ROOT/proxied") $(requests)" ' GET /plain/x.tar.xz - 200'
clean
unset https_proxy
export no_proxy=example.org
converge 'no_proxy beside it'
is 'no_proxy beside it: which counts' "$(cat "$ROOT/proxied")" "CONNECT ${SERVER#https://}"
unset ALL_PROXY NO_PROXY no_proxy
clean
is 'after all of it the canary lives' "$(canary)" "$BEFORE"
finish

#!/bin/bash
# ADD of addresses: when a server is asked, what is made of what it sends, and what is refused.
. "$(dirname "$0")/lib.sh"
. "$HERE/fetch.sh"

make_ca || not_ok 'certificates' "$(ls -l "$PKI")"
after_cleanup() {
    stop_servers
}
mkdir -p "$ROOT/www" "$ROOT/etc/fpsync" "$SPEC/app"
echo first >"$ROOT/www/file.txt"
tar -C "$ROOT/www" -czf "$ROOT/www/packed.tar.gz" file.txt
serve "$ROOT/www"
SERVER=$SERVER/plain
sum() {
    sha256sum "$ROOT/www/$1" | cut -c1-64
}
conf() {
    echo "downloads: { ca: \"$PKI/ca.pem\", tries: 1 }
$1" >"$ROOT/etc/fpsync/fpsync.conf"
}
recipe() { # LINES
    printf 'FROM guest\n%s\n' "$1" >"$SPEC/app/Recipe"
}
image() {
    echo "$ROOT/var/lib/fpsync/images/$(fps status -o json | jq -r '.objects[] | select(.kind == "image" and .name == "t/app").digest')/root"
}
asked() { # how often for a file, by now
    grep -c "$1" "$LOG" 2>/dev/null
}
steps() {
    ls "$ROOT/var/lib/fpsync/build/steps" | wc -l
}
spec add <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  app: { build: { context: ./app, network: none } }
END

conf ''
recipe "ADD $SERVER/file.txt /srv/"
said=$(fps build -f "$FILE" 2>&1)
is 'a server without a public address is refused' $? 3
like 'with the line' "$said" 'Recipe:2: .*cannot be fetched'
like 'and the reason, with the line that helps' "$said" 'Recipe:2: .*127.0.0.1 is not public: .*builds: \{ private_addresses: true \}'
conf 'builds: { private_addresses: true }'
before=$(asked file.txt)
like 'a plan asks no server' "$(fps plan -f "$FILE")" 'build image t/app'
is 'as its log says' "$(asked file.txt)" "$before"
converge 'ADD of an address'
is 'is the file' "$(cat "$(image)/srv/file.txt")" first
is 'of root, for root, as docker has it' "$(stat -c '%u:%g %a' "$(image)/srv/file.txt")" '0:0 600'
is 'nothing of it is left beside the step' "$(ls "$ROOT/var/lib/fpsync/build/fetched" "$ROOT/var/lib/fpsync/downloads" 2>/dev/null | grep -v :)" ''
count=$(asked file.txt)
check 'a second apply makes no mutating call' "$BUILD/tests/system/no-mutation" \
    -a /lock -a /lock.mdb -- "$FPSYNC" --root "$ROOT" apply -q -f "$FILE"
echo second >"$ROOT/www/file.txt"
check 'what it holds by now is no reason to build' fps plan -f "$FILE"
is 'and nobody asked' "$(asked file.txt)" "$count"
recipe "ADD $SERVER/file.txt /srv/
RUN cat /srv/file.txt >/after"
converge 'an image that is made for another reason'
is 'has what the address holds now' "$(cat "$(image)/after")" second
count=$(steps)
recipe "ADD $SERVER/file.txt /srv/
RUN cat /srv/file.txt >/after
RUN true"
converge 'once more'
is 'the same bytes are the same step' "$(($(steps) - count))" 1
fps gc --force -y >/dev/null
check 'without the cache the plan knows the bytes all the same' fps plan -f "$FILE"
recipe "ADD $SERVER/missing /srv/
RUN true"
said=$(fps build -f "$FILE" 2>&1)
is 'an address that is not there: failed' $? 3
like 'with its line' "$said" 'Recipe:2: ADD: .*cannot be fetched: .*status 404'
like 'which the plan was to fetch' "$said" 'missing: to be fetched'
is 'the image is what it was' "$(cat "$(image)/after")" second
like 'offline nobody is asked' "$(recipe "ADD $SERVER/file.txt /other/"; fps build --offline -f "$FILE" 2>&1)" 'offline'

recipe "ADD --checksum=sha256:$(sum file.txt) $SERVER/file.txt /srv/named"
converge 'with a checksum'
is 'it is the file' "$(cat "$(image)/srv/named")" second
count=$(asked file.txt)
recipe "ADD --checksum=sha256:$(sum file.txt) $SERVER/file.txt /srv/named
RUN true"
converge 'what is cached'
is 'is not asked for again' "$(asked file.txt)" "$count"
echo third >"$ROOT/www/file.txt"
recipe "ADD --checksum=sha256:$(printf %064d 1) $SERVER/file.txt /srv/named"
like 'another digest is refused' "$(fps build -f "$FILE" 2>&1)" 'expected sha256:0*1, and what came has'
is 'and nothing of it kept' "$(ls "$ROOT/var/lib/fpsync/build/fetched" 2>/dev/null)" ''
recipe "ADD --chown=7:8 --chmod=640 $SERVER/packed.tar.gz $SERVER/file.txt /to/"
converge 'several, with an owner and a mode'
is 'archives of servers stay packed, as docker has it' "$(stat -c '%n %u:%g %a' "$(image)"/to/* | sed 's|.*/||' | paste -sd' ')" \
    'file.txt 7:8 640 packed.tar.gz 7:8 640'

# Whether archives are unpacked: those of the context unless it is denied, those of servers if it is asked for.
tar -C "$ROOT/www" --owner=5 --group=6 -czf "$ROOT/www/packed.tar.gz" file.txt
cp "$ROOT/www/packed.tar.gz" "$SPEC/app/"
unpacks() { # TEXT, flags and sources of ADD, what is in the target: names, owners and whether it is packed
    recipe "ADD $2 /to/"
    converge "$1"
    is "$1: what came" "$(cd "$(image)/to" && for file in *; do echo "$file $(stat -c %u:%g "$file")" "$(cmp -s "$file" "$ROOT/www/$file" && echo same)"; done)" "$3"
}
for flag in '' '--unpack ' '--unpack=true '; do
    unpacks "ADD ${flag}of an archive" "${flag}packed.tar.gz" 'file.txt 5:6 same'
done
unpacks 'ADD --unpack=false' '--unpack=false packed.tar.gz' 'packed.tar.gz 0:0 same'
unpacks 'its --chown is of what comes out, too' '--chown=7:8 packed.tar.gz' 'file.txt 7:8 same'
unpacks 'ADD --unpack=false of an address' "--unpack=false $SERVER/packed.tar.gz" 'packed.tar.gz 0:0 same'
for flag in '--unpack ' '--unpack=true '; do
    unpacks "ADD ${flag}of an address" "$flag$SERVER/packed.tar.gz" 'file.txt 5:6 same'
done
unpacks 'ADD --unpack of what is no archive' "--unpack $SERVER/file.txt" 'file.txt 0:0 same'
if zstd -qf "$ROOT/www/packed.tar.gz" -o /dev/null 2>/dev/null; then
    tar -C "$ROOT/www" --owner=5 --group=6 --zstd -cf "$SPEC/app/packed.tar.zst" file.txt
    unpacks 'ADD of a tar.zst' packed.tar.zst 'file.txt 5:6 same'
else
    skip 'ADD of a tar.zst' 'there is no zstd'
fi
recipe "ADD $SERVER/ /to/"
like 'an address without a name needs one' "$(fps validate -f "$FILE" 2>&1)" 'Recipe:2:.*no name of a file'
for other in http://example.org/x git@example.org:x.git https://example.org/x.git https://user:password@example.org/x; do
    recipe "ADD $other /x"
    like "refused: $other" "$(fps build -f "$FILE" 2>&1)" 'Recipe:2:|user'
done
recipe "COPY $SERVER/file.txt /x"
like 'COPY takes none' "$(fps validate -f "$FILE" 2>&1)" 'Recipe:2:6: COPY fetches no address'

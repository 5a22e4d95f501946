#!/bin/bash
# Identity belongs to the name: MAC, addresses, id range, layer and volumes survive restart, recreate, removal and
# return. And the image's bytes are the same before and after.
. "$(dirname "$0")/lib.sh"

base_spec
converge 'what the test starts from' || exit
identity() { # CONTAINER
    echo "$(mac_in "$1") $(address_of "$1") $(awk '{ print $2 }' "/proc/$(pid_of "$1")/uid_map")"
}
image() {
    find "$ROOT"/var/lib/fpsync/images/*/root -printf '%P %y %m %U %G %s %l %T@\n' | sort | sha256sum
    find "$ROOT"/var/lib/fpsync/images/*/root -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
}
one=$(identity t/one)
two=$(identity t/two)
bytes=$(image)
inside t/two sh -c 'echo mine >/root/file; echo more >>/etc/passwd; rm /www/index.html; chmod 700 /srv'

check 'restart' fps restart t/two
is 'identity survives a restart' "$(identity t/two)" "$two"
sed -i '/^  two:/,$ s/networks: \[ front \]/networks: [ front ]\n    privileged: false\n    env: { NEW: "1" }/' "$FILE"
pid=$(pid_of t/two)
converge 'a change of class restart'
isnt 'it has a new init' "$(pid_of t/two)" "$pid"
is 'identity survives it' "$(identity t/two)" "$two"
is 'its data too' "$(inside t/two cat /root/file)" mine

# Another image under the same layer would put its files on what it never saw: held. With a layer of the new image
# the container is made anew, and its name keeps its identity.
cp -a "$BUSYBOX" "$ROOT/other-root"
echo other >"$ROOT/other-root/www/other.html"
cp "$FILE" "$ROOT/whole"
sed -i "s#^  guest: .*#&\n  other: { source: \"file:$ROOT/other-root\" }#; /^  two:/,\$ s/image: guest/image: other/" "$FILE"
pid=$(pid_of t/two)
fails 'another image under the same layer is held' 3 fps apply -y -f "$FILE"
is 'it runs on' "$(pid_of t/two)" "$pid"
sed -i '/^  two:/,$ s/image: other/layer: fresh/' "$FILE"
printf 'layers:\n  fresh: { image: other }\n' >>"$FILE"
converge 'a change of class recreate'
is 'identity survives the recreate' "$(identity t/two)" "$two"
check 'it stands on the new image' inside t/two test -e /www/other.html
check 'and on a new layer' inside t/two test ! -e /root/file
cp "$ROOT/whole" "$FILE"
converge 'back to the first image and layer'
is 'identity survives that, too' "$(identity t/two)" "$two"
is 'its data is there again' "$(inside t/two cat /root/file)" mine
is 'its neighbour was left alone' "$(identity t/one)" "$one"

sed '/^  two:/,$d' "$FILE" >"$ROOT/less" && cp "$FILE" "$ROOT/whole" && cp "$ROOT/less" "$FILE"
converge 'two leaves'
cp "$ROOT/whole" "$FILE"
converge 'two returns'
is 'identity survives that' "$(identity t/two)" "$two"
is 'so does its data' "$(inside t/two cat /root/file)" mine
check 'down' fps down -y --timeout 0 -f "$FILE"
converge 'up again'
is 'identity of one survives down' "$(identity t/one)" "$one"
is 'identity of two survives down' "$(identity t/two)" "$two"
rm -rf "$ROOT/other-root"

# Ids that are somebody's: a user's, by a file, and of a user namespace that another hand made.
last=$(for name in t/one t/two; do awk '{ print $2 }' "/proc/$(pid_of "$name")/uid_map"; done | sort -n | tail -1)
mkdir -p "$ROOT/etc"
first=$((0x70000000))
printf 'root:%d:268435456\nsomebody:%d:%d\n' "$first" "$first" $((last + 2 * 65536 - first)) >"$ROOT/etc/subuid"
printf 'somebody:%d:10\n' $((last + 2 * 65536 + 100)) >"$ROOT/etc/subgid"
unshare -U sleep 60 &
other=$!
mapped() { [ "$(readlink "/proc/$other/ns/user")" != "$(readlink /proc/self/ns/user)" ] && echo "0 $((last + 4 * 65536 - 1)) 2" >"/proc/$other/uid_map"; }
eventually 5 mapped
printf '  three: { image: guest, networks: [] }\n' >>"$FILE"
converge 'a third'
base=$(awk '{ print $2 }' "/proc/$(pid_of t/three)/uid_map")
check 'its ids are past all of them' test "$base" -ge $((last + 5 * 65536))
check 'and no further than those of other roots make it' test "$base" -lt $((last + 512 * 65536))
is 'the others keep theirs' "$(identity t/one) $(identity t/two)" "$one $two"
kill "$other"
check 'restart' fps restart t/three
is 'it keeps its own' "$(awk '{ print $2 }' "/proc/$(pid_of t/three)/uid_map")" "$base"
mv "$ROOT"/var/lib/fpsync/images "$ROOT/images-all"
mkdir "$ROOT/var/lib/fpsync/images"
for folder in "$ROOT"/images-all/*; do
    [ -e "$folder/root/www/other.html" ] || cp -a "$folder" "$ROOT/var/lib/fpsync/images/"
done
is "the image's bytes are the same after all that" "$(image)" "$bytes"
rm -rf "$ROOT/var/lib/fpsync/images"
mv "$ROOT/images-all" "$ROOT/var/lib/fpsync/images"
is 'one copy of the image serves both' "$(find "$ROOT/var/lib/fpsync" -path '*busybox' -type f -links 1 -size +500k | grep -v /images/ | wc -l)" 0
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1

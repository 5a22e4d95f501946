#!/bin/bash
# What root of one guest does with its own mounts is its own affair: it costs nobody else anything, and is no drift.
. "$(dirname "$0")/lib.sh"

spec hostile <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
volumes: { data: {}, log: {}, sized: { size: 16MiB }, spare: {} }
containers:
  one: { image: guest, networks: [], volumes: [ "data:/data", "sized:/sized" ] }
  two: { image: guest, networks: [] }
  tri: { image: guest, networks: [] }
END
converge 'guests and volumes'

nothing_to_do() { # TEXT
    local plan status
    plan=$(timeout 20 "$FPSYNC" --root "$ROOT" plan -f "$FILE" -o json)
    status=$?
    is "$1: nothing to do" "$status $(causes_of "$plan")" '0 '
}

# Its volume bound elsewhere, hidden there, and at a name with a newline.
inside t/one sh -c 'mkdir -p /mnt/x /mnt/y/z; mount -o bind /data /mnt/x; mount -o bind /sized /mnt/y/z; mount -t tmpfs none /mnt/y
    d=$(printf "/a\nb"); mkdir -p "$d"; mount -o bind /data "$d"'
nothing_to_do 'volumes bound elsewhere by the guest'
is 'they stay' "$(inside t/one grep -c ' /mnt/x ' /proc/self/mountinfo)" 1

# On its own place several times: that is still there; and all of it goes with the declaration.
inside t/one sh -c 'mount -o bind /data /data; mount -o bind /data /data'
nothing_to_do 'a volume bound over itself'
sed -i 's|"data:/data", ||' "$FILE"
converge 'a volume is taken out, however often it is there'
is 'it is gone from its place' "$(inside t/one grep -c ' /data ' /proc/self/mountinfo)" 0
sed -i 's|\[ "sized|[ "data:/data", "sized|' "$FILE"
converge 'and comes back'

# Another volume in its place is drift, and so is none.
inside t/one mount -o bind /sized /data
like 'another volume in its place: seen' "$(causes_of "$(plan_of "$FILE")")" 'drift: volume at /data'
converge 'another volume in its place: repaired'
inside t/one umount /data
converge 'unmounted by the guest: repaired'
is 'it is there again' "$(inside t/one grep -c ' /data ' /proc/self/mountinfo)" 1
inside t/one sh -c 'umount /mnt/x /mnt/y /mnt/y/z'

# A mount table of some 90 MiB: names of newlines, which the kernel writes as four characters each, bound into each other.
inside t/one sh -c 'mount -t tmpfs none /tmp; cd /tmp || exit
    name=$(head -c 240 /dev/zero | tr "\0" "\n"; echo .); name=${name%.}
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do mkdir "$name"; cd "$name"; done
    mkdir m
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do mount -o bind /tmp m; done'
lines=$(inside t/one grep -c ^ /proc/self/mountinfo)
if [ "$lines" -gt 16000 ]; then ok 'a mount table that is too long to read'; else not_ok 'a mount table that is too long to read' "$lines"; fi
nothing_to_do 'a mount table that is too long to read'
sed -i 's|"sized:/sized"|"sized:/sized", "log:/log"|' "$FILE"
converge 'a volume comes into such a guest'
check 'it is there' inside t/one touch /log/file
sed -i 's/, spare: {}//' "$FILE"
sed -i '/^  two:/d' "$FILE"
converge 'another guest and a volume are taken out'
fps gc volume/t/spare >"$ROOT/out" 2>&1
like 'what may be mounted in such a guest is not removed, and that is said' "$? $(cat "$ROOT/out")" '^3 .*may be mounted in process [0-9]+, which has more mounts than are read'
check 'its data is there' test -d "$ROOT/var/lib/fpsync/volumes/t_spare"
check 'of a layer the kernel knows better' fps gc layer/t/two
fails 'it is gone' 1 test -e "$ROOT/var/lib/fpsync/layers/t_two"
fps stop t/one --timeout 0 >/dev/null
check 'without that guest all goes' fps gc volume/t/spare

# Folders that are called like those of another's layer and image: an overlay of them is none of these.
STORE=$ROOT/var/lib/fpsync
DIGEST=$(ls "$STORE/images")
check 'the guest starts again' fps start t/one
inside t/one sh -c "mkdir -p $ROOT /mnt/forged && mount -t tmpfs none $ROOT && mkdir -p $STORE/layers/t_tri/upper $STORE/layers/t_tri/work $STORE/images/$DIGEST/root &&
    mount -t overlay -o userxattr,lowerdir=$STORE/images/$DIGEST/root,upperdir=$STORE/layers/t_tri/upper,workdir=$STORE/layers/t_tri/work fpsync /mnt/forged"
like 'a mount that says to stand on the layer of another' "$(inside t/one grep forged /proc/self/mountinfo)" "upperdir=$STORE/layers/t_tri/upper"
nothing_to_do 'such a mount'
inside t/tri sh -c 'echo data >/mark'
sed -i 's/^  tri: { /  now: { was: tri, /' "$FILE"
converge 'the other one goes on under another name'
is 'it has its data' "$(inside t/now cat /mark)" data
inside t/one sh -c "umount /mnt/forged && mkdir -p $STORE/layers/t_now/upper $STORE/layers/t_now/work &&
    mount -t overlay -o userxattr,lowerdir=$STORE/images/$DIGEST/root,upperdir=$STORE/layers/t_now/upper,workdir=$STORE/layers/t_now/work fpsync /mnt/forged"
sed -i '/^  now:/d' "$FILE"
converge 'it is taken out'
check 'its layer is freed' fps gc layer/t/now
fails 'and gone' 1 test -e "$STORE/layers/t_now"

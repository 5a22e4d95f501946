#!/bin/bash
# A restart finds out before the stop what the start needs, and a start that fails tells what LXC said about it.
. "$(dirname "$0")/lib.sh"

mkdir -p "$ROOT/first" "$ROOT/bound" "$ROOT/var/lib/lxc" "$ROOT/etc/fpsync" && cp -a "$BUSYBOX/." "$ROOT/first"
echo "allow: { binds: [$ROOT/bound], raw_lxc: true }" >"$ROOT/etc/fpsync/fpsync.conf"
one() { # FURTHER ENTRIES: the container that is restarted
    spec one <<END
project: t
images: { guest: { source: "file:$ROOT/first" } }
containers:
  one: { image: guest, networks: []${1:+, $1} }
END
}
goes_on() { # TEXT, what is said, command...: it fails, and the container runs as it did
    local text=$1 said=$2 output before status
    shift 2
    before=$(pid_of t/one)
    output=$("$@" 2>&1)
    status=$?
    is "$text: fails" $status 3
    like "$text: says why" "$output" "$said"
    isnt "$text: a container ran before" "$before" ''
    is "$text: and goes on" "$(pid_of t/one)" "$before"
}

# ---- what can be known before ----

truncate -s 4M "$ROOT/disk" && mkfs.ext4 -q -m 0 -b 1024 "$ROOT/disk" && mount -o loop "$ROOT/disk" "$ROOT/var/lib/lxc" && chmod 711 "$ROOT/var/lib/lxc" || exit
one && converge 'a container whose config lies on a disk of its own' || exit
fill() { # to the last block
    mkdir "$ROOT/var/lib/lxc/.full"
    local number
    for number in $(seq 64); do
        dd if=/dev/zero of="$ROOT/var/lib/lxc/.full/$number" bs=1k oflag=sync status=none 2>/dev/null
        [ -s "$ROOT/var/lib/lxc/.full/$number" ] || return 0
    done
    return 1
}
check 'its disk is full' fill
one 'env: { A: b }'
goes_on 'no room for its config' 'config.new.*No space left' fps apply -y -f "$FILE"
rm -r "$ROOT/var/lib/lxc/.full"
converge 'with room it is restarted'
is 'as asked' "$(inside t/one sh -c 'echo $A')" b

digest=$(basename "$(dirname "$(echo "$ROOT"/var/lib/fpsync/images/*/complete)")")
mv "$ROOT/var/lib/fpsync/images/$digest/complete" "$ROOT/kept"
goes_on 'an image that is not whole' "image $digest is not whole in the store" fps restart t/one
mv "$ROOT/kept" "$ROOT/var/lib/fpsync/images/$digest/complete"
check 'once it is' fps restart t/one

one "env: { A: b }, binds: [\"$ROOT/bound:/srv/bound\"]" && converge 'a folder of the host'
mv "$ROOT/bound" "$ROOT/bound.away"
goes_on 'a folder of the host that is not there' "$ROOT/bound on the host" fps restart t/one
mv "$ROOT/bound.away" "$ROOT/bound"
check 'once that is' fps restart t/one
check 'down' fps down -y -f "$FILE"

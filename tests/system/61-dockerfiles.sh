#!/bin/bash
# The Dockerfiles of tests/dockerfiles, built by docker and by fpsync: the same trees (path, type, mode, owner, link,
# extended attributes, content) and the same metadata.
#
# Left out of the comparison, with the reason: times (fpsync's keys know none); /dev, /proc, /sys, /.dockerenv and the
# four entries of /etc that docker puts there for a container; PATH, where only docker's own default stands in its
# metadata; the slash at the end of a WORKDIR, which docker keeps; attributes called user.*, which `docker export` drops.
. "$(dirname "$0")/lib.sh"

# What a repository cannot hold: a file of a context, and one of an archive, with a capability.
cases=$ROOT/cases
cp -R tests/dockerfiles "$cases"
power() { # FILE: cap_net_raw+ep
    python3 -c 'import os, sys; os.setxattr(sys.argv[1], "security.capability", bytes([1, 0, 0, 2, 0, 0x20] + [0] * 14))' "$1"
}
power "$cases/58-copy-attributes/program"
cp "$cases/58-copy-attributes/program" "$ROOT/program" && power "$ROOT/program"
tar -C "$ROOT" --owner=0 --group=0 --xattrs --xattrs-include='*' -cf "$cases/59-add-attributes/powers.tar" program
# And what is compressed: archives, and files that are none.
(cd "$cases/60-add-compressed" && mkdir tree && for kind in tar tar.gz tar.bz2 tar.xz; do
    echo "$kind" >"tree/$kind" && tar --owner=0 --group=0 -caf "tree.$kind" -C tree "$kind"
done && rm -r tree && echo note >note && gzip -nk note && bzip2 -k note && xz -k note && echo 'PK no zip' >note.zip && rm note)
docker_root=$(mktemp -d /dev/shm/fps-docker-XXXX)
docker=/usr/bin/docker
# Where docker is not installed it is only unpacked: its package would start it, and change what the host lets through.
if ! [ -x /usr/sbin/dockerd ] || ! [ -x "$docker" ]; then
    (cd "$docker_root" && apt-get -qq download docker.io containerd runc && for package in *.deb; do dpkg -x "$package" . && rm "$package"; done) \
        >"$ROOT/docker.log" 2>&1
    PATH=$docker_root/usr/sbin:$docker_root/usr/bin:$PATH
    docker=$docker_root/usr/bin/docker
fi
if ! dockerd --version >/dev/null 2>&1; then
    skip 'Dockerfiles beside docker' 'docker.io can neither be found nor downloaded'
    rm -rf "$docker_root"
    exit 0
fi
export DOCKER_HOST=unix://$docker_root/socket DOCKER_BUILDKIT=1
dockerd --data-root="$docker_root/data" --exec-root="$docker_root/run" --pidfile="$docker_root/pid" -H "$DOCKER_HOST" \
    --bridge=none --iptables=false --ip-forward=false --storage-driver=overlay2 >"$ROOT/dockerd.log" 2>&1 &
daemon=$!
stop_docker() {
    kill "$daemon" && wait "$daemon"
    umount -R "$docker_root/data" "$docker_root/run"
    rm -rf "$docker_root"
} 2>/dev/null
after_cleanup() {
    stop_docker
}
if ! eventually 60 "$docker" version; then
    not_ok 'dockerd runs' "$(tail -5 "$ROOT/dockerd.log")"
    exit 1
fi
tar -C "$BUSYBOX" -c . | "$docker" import - base >/dev/null

{
    printf 'project: d\nimages:\n  base: { source: "file:%s" }\n' "$BUSYBOX"
    for folder in "$cases"/*/; do
        name=$(basename "$folder")
        echo "  i$name: { build: { context: \"${folder%/}\", network: none } }"
    done
} >"$SPEC/all.yaml"
check 'fpsync builds them all' fps build -f "$SPEC/all.yaml" -y

# One line an entry, in byte order.
list() { # FOLDER
    (
        cd "$1" || exit
        find . -mindepth 1 \( -path ./dev -o -path ./proc -o -path ./sys -o -path ./.dockerenv -o -path ./etc/hosts -o \
            -path ./etc/hostname -o -path ./etc/resolv.conf -o -path ./etc/mtab \) -prune -o -printf '%p %y %m %U:%G %l\n'
        find . -mindepth 1 \( -path ./dev -o -path ./proc -o -path ./sys \) -prune -o -type f ! -path ./.dockerenv \
            ! -path './etc/host*' ! -path ./etc/resolv.conf -exec sha256sum {} +
        getfattr -R -h -d -m '^security\.' . 2>/dev/null | grep -v '^$'
    ) | LC_ALL=C sort
}
metadata() { # of docker's or ours, as JSON on stdin
    jq -S '{Env: [(.Env // [])[] | select(startswith("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") | not)] | sort,
        Cmd: (.Cmd // null), Entrypoint: (.Entrypoint // null), User: (.User // ""),
        WorkingDir: ((.WorkingDir // "") | rtrimstr("/")),
        ExposedPorts: ((.ExposedPorts // {}) | keys), Volumes: ((.Volumes // {}) | keys), StopSignal: (.StopSignal // ""),
        Labels: (.Labels // {}), Healthcheck: (.Healthcheck // null), Shell: (.Shell // null)}'
}
status=$(fps status -o json)
digest_of() {
    jq -r --arg name "d/$1" '.objects[] | select(.kind == "image" and .name == $name).digest' <<<"$status"
}
merged=$ROOT/merged
mkdir "$merged"
for folder in "$cases"/*/; do
    name=$(basename "$folder")
    if ! said=$("$docker" build -q --network=none -t "t:$name" "$folder" 2>&1); then
        not_ok "$name: docker builds it" "$said"
        continue
    fi
    image=$ROOT/var/lib/fpsync/images/$(digest_of "i$name")
    lower=$(sed -n 's/^lower //p' "$image/complete" 2>/dev/null)
    if [ ! -f "$image/complete" ]; then
        not_ok "$name: fpsync built it"
        continue
    fi
    mkdir "$ROOT/theirs"
    id=$("$docker" create "t:$name" x)
    "$docker" export "$id" | tar -C "$ROOT/theirs" --xattrs --xattrs-include='*' -x
    "$docker" rm "$id" >/dev/null
    if [ -n "$lower" ]; then
        mount -t overlay overlay -o "lowerdir=$image/root:$ROOT/var/lib/fpsync/images/$lower/root" "$merged"
    else
        mount --bind "$image/root" "$merged"
    fi
    list "$merged" >"$ROOT/ours.list"
    difference=$(diff <(list "$ROOT/theirs") "$ROOT/ours.list")
    umount "$merged"
    [ "$name" != 59-add-attributes ] || is "$name: with capabilities" "$(grep -c '^security.capability' "$ROOT/ours.list")" 3
    if [ -z "$difference" ]; then ok "$name: the same tree"; else not_ok "$name: the same tree (< docker, > fpsync)" "$difference"; fi
    is "$name: the same metadata" "$(metadata <"$image/config" 2>/dev/null)" \
        "$("$docker" inspect -f '{{json .Config}}' "t:$name" | metadata)"
    rm -rf "$ROOT/theirs"
done

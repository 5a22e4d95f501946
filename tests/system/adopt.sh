# What tests share whose guests LXC had before fpsync, as lxc-create makes them on Debian. After lib.sh.
LXC=$ROOT/var/lib/lxc
BASE=$((0x50000000 + 0x$TAG * 16 * 1024)) # of ids, outside of fpsync's pool
mkdir -p "$LXC" "$ROOT/etc/fpsync"
chmod 711 "$ROOT/var" "$ROOT/var/lib" "$LXC"

name_of() {
    echo "$1.$TAG"
}
make() { # NAME, more lines of its config from standard input; furnish FOLDER, where a test has it, adds to its root
    local folder
    folder=$LXC/$(name_of "$1")
    mkdir -p "$folder" && chmod 711 "$folder"
    cp -a "$BUSYBOX" "$folder/rootfs"
    [ "$(type -t furnish)" != function ] || furnish "$folder/rootfs"
    find "$folder/rootfs" -xdev -exec chown -h $BASE:$BASE {} +
    {
        cat <<END
lxc.include = /usr/share/lxc/config/common.conf
lxc.include = /usr/share/lxc/config/userns.conf
lxc.arch = linux64
lxc.apparmor.profile = generated
lxc.apparmor.allow_nesting = 1
lxc.rootfs.path = dir:$folder/rootfs
lxc.uts.name = $1
lxc.idmap = u 0 $BASE 65536
lxc.idmap = g 0 $BASE 65536
END
        cat
    } >"$folder/config"
}
SPECS=() # of those that run, for fpsync export
start_all() { # NAME...
    local shape
    for shape in "$@"; do
        lxc-start -P "$LXC" -n "$(name_of "$shape")" -o "$ROOT/$shape.log" -l INFO || not_ok "$shape starts" "$(tail -n 5 "$ROOT/$shape.log")"
        SPECS+=(--lxc "$(name_of "$shape")")
    done
}

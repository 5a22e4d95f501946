# Images that are kept as squashfs, for the tests of them.
IMAGES=$ROOT/var/lib/fpsync/images

needs_squashfs() { # WHAT is skipped without
    if ! { modprobe -q squashfs 2>/dev/null; grep -qw squashfs /proc/filesystems && losetup -f >/dev/null 2>&1; }; then
        skip "$1" 'the kernel has no squashfs, or no loop devices'
        exit
    fi
    if [ "$(printf '6.2\n%s\n' "$(uname -r)" | sort -V | head -n 1)" != 6.2 ]; then
        skip "$1" 'before Linux 6.2 their ids cannot be mapped: they are unpacked, as other tests show there'
        exit
    fi
}
loops() { # how many devices stand for files of this root
    cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -cF "$ROOT/"
}
no_loops() {
    [ "$(loops)" = 0 ]
}
kept() { # DIGESTS of images that are kept as squashfs
    find "$IMAGES" -mindepth 2 -maxdepth 2 -name image.squashfs -printf '%h\n' 2>/dev/null | sed 's|.*/||' | sort
}
walked() { # FOLDER: path, type, mode, owner, link, content, extended attributes
    (
        cd "$1" || exit
        find . -type f -printf '%p %y %m %U %G %s\n' -o -type l -printf '%p %y %U %G %l\n' -o -printf '%p %y %m %U %G\n' | LC_ALL=C sort
        find . -type f -exec sha256sum {} + | LC_ALL=C sort
        getfattr -R -h -d -m '^(user|security.capability)' -e hex . 2>/dev/null | grep -v '^$'
    )
}

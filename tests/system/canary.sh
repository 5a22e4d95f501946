# The oracle of tests with hostile images: nothing of the host is other than it was. Sourced after lib.sh.
#
#   canary_begin               lays decoys at likely targets, and remembers all that is looked at
#   canary_again               the test's own things changed since: a network of its own came, or went
#   canary_lives TEXT          one case: files of the host, its mounts, links and namespaces are as they were
export CANARY=/etc/fpsync-canary-$TAG # for hostile-archive
DECOYS="$CANARY /root/fpsync-canary-$TAG"
canary_files() {
    local others=(-name 'fpsync-canary-*' ! -name "fpsync-canary-$TAG" -prune) # of tests beside this one
    # What lies deeper below /root is a person's, who may be at work; and folders change by what comes and goes in them.
    {
        find /etc "$ROOT/canary" -xdev "${others[@]}" -o -type f -print0
        find /root -xdev -maxdepth 1 "${others[@]}" -o -type f -print0
    } 2>/dev/null | sort -z | xargs -0 sha256sum
    {
        find /etc "$ROOT/canary" -xdev "${others[@]}" -o -type d -printf '%p %y %m %U:%G\n' -o -printf '%p %y %m %U:%G %l %T@\n'
        find /root -xdev -maxdepth 1 "${others[@]}" -o -type f -printf '%p %y %m %U:%G %T@\n' -o -printf '%p %y %m %U:%G %l\n'
    } 2>/dev/null | sort
    # Of the store all but what runs make there.
    find "$ROOT/var/lib/fpsync" -xdev -mindepth 1 -maxdepth 1 -type d ! -name build ! -name downloads -printf '%p %y %m %U:%G\n' 2>/dev/null | sort
    find "$ROOT" -xdev -path "$ROOT/var/lib/fpsync/images" -prune -o \( -perm /6000 -o -type b -o -type c \) -printf 'special %p\n'
    ip netns list | grep -F "$TAG"
    leftovers
}
canary_begin() {
    local file
    mkdir -p "$ROOT/canary/etc"
    for file in $DECOYS "$ROOT/canary/file" "$ROOT/canary/etc/passwd"; do echo untouched >"$file"; done
    canary_again
}
canary_again() {
    canary_files >"$ROOT/before"
}
canary_lives() {
    canary_files >"$ROOT/after"
    if cmp -s "$ROOT/before" "$ROOT/after"; then ok "$1"; else not_ok "$1" "$(diff "$ROOT/before" "$ROOT/after")"; fi
}
canary_end() {
    rm -f $DECOYS
}

#!/bin/bash
# Images behind https:// addresses, and servers that do not do what they should: nothing is ever visible that is not
# whole and what it was said to be, what came is taken up again, and nothing stays behind.
. "$(dirname "$0")/lib.sh"
. "$HERE/fetch.sh"
. "$HERE/walk.sh"
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
finish

#!/bin/bash
# Volumes: what they are made of, how they are mounted, what becomes of them.
. "$(dirname "$0")/walk.sh"

# ---- read-only, for root inside, too ----

reading() { # MODES of two volumes of one container, and of one of a privileged container
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
volumes: { data: {}, more: {} }
containers:
  one: { image: guest, networks: [], volumes: [ { volume: data, path: /srv/a$1 }, "more:/srv/b$2" ] }
  strong: { image: guest, networks: [], privileged: true, volumes: [ "data:/srv/a$3" ] }
END
}
reading_without() { reading '' '' ''; }
reading_set() { reading ', read_only: true' ':rw' ':ro'; }
reading_changed() { reading ', read_only: false' ':ro' ':ro'; }
writes() { # where, after trying to make it writable
    local at
    for at in one/a one/b strong/a; do
        inside "t/${at%/*}" mount -o remount,bind,rw "/srv/${at#*/}" >/dev/null 2>&1
        inside "t/${at%/*}" touch "/srv/${at#*/}/mark" 2>/dev/null && echo "$at"
    done | paste -sd' '
}
effect container.volumes.read_only writes 'one/a one/b strong/a' one/b one/a 'one/a one/b strong/a'
walk t/one live reading

spec reading < <(reading_set)
converge 'read-only from the start'
is 'read-only from the start: only one volume can be written' "$(writes)" one/b
spec reading < <(reading_without)
before=$(started t/one)
converge 'writable live'
is 'writable live: all can be written' "$(writes)" 'one/a one/b strong/a'
is 'writable live: the init stays' "$(started t/one)" "$before"
inside t/one mount -o remount,bind,ro /srv/a
like 'a guest that makes its own volume read-only is drift' "$(causes_of "$(plan_of "$FILE")")" '^drift: volume at /srv/a is mounted read-only '
converge 'that is put right'
is 'that is put right: it writes' "$(writes)" 'one/a one/b strong/a'
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1

# ---- what fills one that several containers have ----

GUEST=$ROOT/guest
cp -a "$BUSYBOX" "$GUEST"
for at in a b strong; do mkdir -p "$GUEST/srv/$at" && echo $at >"$GUEST/srv/$at/from"; done
several() { # VOLUMES of a container, of another, of a third
    cat <<END
project: t
images: { guest: { source: "file:$GUEST" } }
volumes: { first: {}, second: {}, third: {}, none: { fill: false } }
containers:
  a: { image: guest, networks: [], volumes: [ $1 ] }
  b: { image: guest, networks: [], depends_on: [ a ], volumes: [ $2 ] }
  c: { image: guest, networks: [], depends_on: [ a ], volumes: [ $3 ] }
END
}
spec several < <(several '"first:/srv/a", "second:/srv/nothing", "third:/srv/strong:ro", "none:/srv/b"' \
    '"first:/srv/else", "second:/srv/b", "third:/srv/more", "none:/srv/a"' '"third:/srv/a"')
like 'the plan says what fills them' "$(causes_of "$(plan_of "$FILE")")" \
    '^filled with - /srv/a of image t/guest, or else /srv/else of image t/guest'
converge 'new volumes of several containers'
is 'whoever starts first, they are filled with the first that is there' \
    "$(inside t/a cat /srv/a/from) $(inside t/b cat /srv/b/from)" 'a b'
is 'and with what can be written to before what cannot' "$(inside t/c cat /srv/a/from)" a
is 'where none is to be, none is' "$(inside t/a ls /srv/b)" ''
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'what was filled once is not filled again, and not said to be' "$(causes_of "$(plan_of "$FILE")" | grep 'filled with')" ''
fps gc --force -y >/dev/null 2>&1
spec several < <(several '' '' '')
converge 'containers without any'
spec several < <(several '"first:/srv/else"' '"first:/srv/b"' '"first:/srv/a:ro"')
converge 'a new one, attached to three'
is 'it is filled in the same order' "$(inside t/a cat /srv/else/from)" b
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1

# ---- what they are made of ----

made() { # VOLUMES, the one that is mounted and at which path
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
volumes: { $1 }
containers: { one: { image: guest, networks: [], volumes: [ "$2" ] } }
END
}
# Where the kernel lets nobody make a mounted ext4 larger, the change is to another volume.
more=$(can_grow && echo sized || echo more)
made_without() { made 'plain: {}' plain:/www; }
made_set() { made 'plain: {}, sized: { size: 64MiB, fill: false }' sized:/www; }
made_changed() { made "plain: { type: dir }, $more: { size: 96MiB, type: loop, fill: true }" $more:/www; }
space() { # in MiB, of a file system that is not much larger; as seen inside
    inside "$1" df -m /www | awk 'NR == 2 { size = $2 } END { print size < 50 ? "small" : size < 64 ? "64" : size < 96 ? "96" : "all" }'
}
device() {
    inside "$1" awk '$2 == "/www" { sub("[0-9]*$", "", $1); print $1 == "/dev/loop" ? "loop" : "dir" }' /proc/mounts
}
filled() {
    inside "$1" test -e /www/index.html && echo filled || echo empty
}
effect volume.size 'space t/one' all 64 96 all
effect volume.type 'device t/one' dir loop loop dir
effect volume.fill 'filled t/one' filled empty "$(can_grow && echo empty || echo filled)" filled
# A volume that grows while it is mounted is nothing to its container.
walk t/one "$(can_grow && echo - || echo live)" made

sized() { # SIZE
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
volumes: { data: { size: $1 } }
containers:
  one: { image: guest, networks: [], volumes: [ "data:/www" ] }
  two: { image: guest, networks: [], volumes: [ "data:/srv:ro" ] }
END
}
loops() { # devices that stand for files of this root
    grep -l "^$ROOT/" /sys/block/loop*/loop/backing_file 2>/dev/null | wc -l
}
no_loops() {
    [ "$(loops)" = 0 ]
}
spec sized < <(sized 64MiB)
converge 'a sized volume'
is 'a sized volume: two containers have one device' "$(loops)" 1
inside t/one sh -c 'echo shared >/www/mark'
is 'a sized volume: two containers see one file system' "$(inside t/two cat /srv/mark)" shared
system() { # ro or rw: as ext4 makes itself on errors, for all its mounts
    nsenter -t "$(pid_of t/one)" -m /bin/busybox mount -t ext4 -o "remount,$1,nosuid,nodev,relatime" none /www
}
system ro
fails 'a sized volume whose file system is read-only: nothing can be written' 1 inside t/one touch /www/more
held 'a sized volume whose file system is read-only' 'the file system of volume t/data at /www is read-only' 'fsck.ext4'
fails 'a sized volume whose file system is read-only: is no drift that apply fails at' 3 fps apply -y -f "$FILE"
is 'a sized volume whose file system is read-only: who does not write to it is not named' "$(held_of "$(plan_of "$FILE")" | grep -c read-only)" 1
is 'and nothing was tried' "$(actions_of "$(plan_of "$FILE")")" ''
fps stop t/one --timeout 0 >/dev/null && fps stop t/two --timeout 0 >/dev/null
check 'a sized volume whose file system was read-only: a start' fps start t/one
fps start t/two >/dev/null
converge 'a sized volume whose file system was read-only: nothing is left to do'
check 'it can be written' inside t/one touch /www/more
fails 'a sized volume: it is full at its bound' 1 inside t/one dd if=/dev/zero of=/www/big bs=1M count=80
like 'a sized volume: and says so' "$(inside t/one dd if=/dev/zero of=/www/big bs=1M count=80 2>&1)" 'No space left on device'
check 'a sized volume: not so in the root' inside t/one dd if=/dev/zero of=/big bs=1M count=80
inside t/one rm /www/big
inside t/one sync
check 'a sized volume: what is deleted is given back' eventually 10 sh -c "[ \$(du -m '$ROOT/var/lib/fpsync/volumes/t_data/image' | cut -f1) -lt 40 ]"
spec sized < <(sized 32MiB)
fails 'a sized volume does not shrink' 6 fps plan -f "$FILE"
like 'a sized volume does not shrink: where and why' "$(fps plan -f "$FILE" 2>&1)" "^$FILE:3:26: volume data has 64MiB and cannot shrink to 32MiB"
spec sized < <(sized 64MiB | sed 's/size: 64MiB/type: dir/')
fails 'a sized volume becomes no folder' 6 fps apply -y -f "$FILE"

# As after a reboot: nothing runs, nothing is mounted.
spec sized < <(sized 64MiB)
for name in one two; do kill -9 "$(pid_of t/$name)"; done
for name in one two; do eventually 10 sh -c "! [ -e /proc/$(pid_of t/$name)/ns ]"; done
awk -v root="$ROOT/" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | tac | xargs -r umount -l
check 'after a reboot there is no device' eventually 60 no_loops
converge 'after a reboot'
is 'after a reboot the data is there' "$(inside t/two cat /srv/mark)" shared
is 'after a reboot there is one device' "$(loops)" 1
spec sized < <(sized 64MiB | sed 's#"data:/www"#&, "data:/third"#')
converge 'attached once more, live'
inside t/one umount /third
like 'unmounted by the guest' "$(causes_of "$(plan_of "$FILE")")" '^drift: volume at /third unmounted '
converge 'that is put right, too'
is 'that is put right, too: the data is there' "$(inside t/one cat /third/mark)" shared
is 'and there is still one device' "$(loops)" 1

for name in one two; do fps stop --timeout 0 t/$name >/dev/null 2>&1; done
check 'stopped, they leave no device' eventually 60 no_loops
spec sized < <(sized 128MiB)
fps apply -y -f "$FILE" >/dev/null 2>&1
for name in one two; do fps start t/$name >/dev/null 2>&1; done
converge 'grown'
is 'grown: as seen inside' "$(($(inside t/one df -m /www | awk 'NR == 2 { print $2 }') > 100))" 1
is 'grown: the data is there' "$(inside t/two cat /srv/mark)" shared
if can_grow; then
    before=$(started t/one)
    spec sized < <(sized 256MiB)
    converge 'grown live'
    is 'grown live: as seen inside' "$(($(inside t/one df -m /www | awk 'NR == 2 { print $2 }') > 200))" 1
    is 'grown live: the init stays' "$(started t/one)" "$before"
else
    spec sized < <(sized 256MiB)
    held 'it grows while nobody has it' 'size: it is mounted for t/one t/two, and fpsync may not' 'fpsync stop t/one t/two, apply this, fpsync start t/one t/two'
    before=$(started t/two)
    sed -i 's/two: {/& env: { A: b },/' "$FILE"
    fps apply -y -f "$FILE" >/dev/null 2>&1
    is 'who has it takes other changes' "$(inside t/two sh -c 'echo $A') $(($(inside t/one df -m /www | awk 'NR == 2 { print $2 }') > 200))" 'b 0'
    isnt 'by a restart' "$(started t/two)" "$before"
    fps stop --timeout 0 t/one t/two >/dev/null 2>&1 && fps apply -y -f "$FILE" >/dev/null 2>&1 && fps start t/one t/two >/dev/null 2>&1
    is 'so it grows' "$(($(inside t/one df -m /www | awk 'NR == 2 { print $2 }') > 200))" 1
    is 'and nothing is left to do' "$(fps plan -f "$FILE" >/dev/null; echo $?)" 0
fi
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
check 'down, they leave no device' eventually 60 no_loops

# ---- what becomes of them ----

spec sized < <(sized 32MiB)
like 'retained, it is larger: held' "$(held_of "$(plan_of "$FILE")")" '^volume/t/data: what is retained for 0 days, [0-9]*[KM]iB is of type loop and larger'
like 'retained, it is larger: so are its users' "$(held_of "$(plan_of "$FILE")")" '^container/t/one: it needs volume t/data, which is held'
like 'gc says age, size and kind' "$(fps gc --dry-run)" '^volume t/data: kept \(retained for 0 days, [0-9]*[KM]iB, of type loop\)$'
like 'and for a layer its image' "$(fps gc --dry-run)" '^layer t/one: kept \(retained for 0 days, [0-9]*[KM]iB, on image t/guest, sha256:[0-9a-f]{12}\)$'
echo 'retention: 0' >>"$ROOT/etc/fpsync/fpsync.conf"
like 'gc goes by the retention' "$(fps gc --dry-run)" '^volume t/data: would be freed '
sed -i /^retention/d "$ROOT/etc/fpsync/fpsync.conf"
check 'gc of one by name' fps gc volume/t/data
converge 'then it may be smaller'
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1

kept() { # RETAIN of the volume, of the declared layer, of the container with an implicit one
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
volumes: { data: {$1} }
layers: { upper: { image: guest$2 } }
containers:
  one: { layer: upper, networks: [], volumes: [ "data:/srv" ] }
  own: { image: guest, networks: []$3 }
END
}
kept_without() { kept '' '' ''; }
kept_set() { kept ' retain: keep ' ', retain: none' ', retain: keep'; }
kept_changed() { kept ' retain: none ' ', retain: keep' ', retain: none'; }
fate() { # KIND/NAME, CONTAINER, file of its own there: what gc would do, and whether the file is there when all is declared again
    local whole freed
    whole=$(cat "$FILE")
    inside "$2" touch "$3"
    printf 'project: t\nimages: { guest: { source: "file:%s" } }\n' "$BUSYBOX" >"$FILE"
    fps apply -y --allow-mass-delete -f "$FILE" >/dev/null 2>&1
    freed=$(fps gc --dry-run --force -o json | jq -r --arg id "$1" '.objects[] | select("\(.kind)/\(.name)" == $id) | if .freed then "freed" else "kept" end')
    cat >"$FILE" <<<"$whole"
    fps apply -y -f "$FILE" >/dev/null 2>&1
    echo "${freed:-thrown away}: $(inside "$2" test -e "$3" && echo there || echo gone)"
}
effect volume.retain 'fate volume/t/data t/one /srv/mark' 'freed: there' 'kept: there' 'thrown away: gone' 'freed: there'
effect layer.retain 'fate layer/t/upper t/one /etc/mark' 'freed: there' 'thrown away: gone' 'kept: there' 'freed: there'
effect container.retain 'fate layer/t/own t/own /etc/mark' 'freed: there' 'kept: there' 'thrown away: gone' 'freed: there'
walk t/one - kept

anew() { # ENTRIES of the container
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" }, other: { source: "file:$ROOT/other" } }
containers: { one: { image: guest, networks: []$1 } }
END
}
anew_without() { anew ''; }
anew_set() { anew ', fresh: true'; }
anew_changed() { anew ', fresh: false'; }
begins() { # CONTAINER: on an image of another name; and back
    inside "$1" touch /etc/mark
    sed -i 's/image: guest/image: other/' "$FILE"
    fps apply -y -f "$FILE" >/dev/null 2>&1
    inside "$1" sh -c 'cat /image; ls /etc/mark' 2>/dev/null | paste -sd' ' | sed 's/^$/nothing/'
    sed -i 's/image: other/image: guest/' "$FILE"
    fps apply -y -f "$FILE" >/dev/null 2>&1
}
cp -a "$BUSYBOX" "$ROOT/other" && echo other >"$ROOT/other/image"
effect container.fresh 'begins t/one' /etc/mark other /etc/mark /etc/mark
walk t/one - anew

spec anew < <(anew '')
converge 'a layer'
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
spec anew < <(anew ', root: copy')
like 'a retained layer is picked up by no copy' "$(held_of "$(plan_of "$FILE")")" '^container/t/one: what is retained for 0 days, [0-9]*[KM]iB is a layer, and its root is to be a copy$'
fps gc --force -y >/dev/null 2>&1
converge 'but once it is freed'
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
spec anew < <(anew '')
like 'a retained copy is picked up by no layer' "$(held_of "$(plan_of "$FILE")")" '^container/t/one: what is retained for 0 days, [0-9]*[KM]iB is a copy, and its root is to be a layer$'
fps gc --force -y >/dev/null 2>&1

spec kept < <(kept ' retain: none ' ', retain: none' ', retain: keep')
converge 'thrown away at every start'
inside t/one touch /srv/mark /etc/mark
inside t/own touch /etc/mark
fps restart t/one >/dev/null 2>&1
fps restart t/own >/dev/null 2>&1
is 'thrown away at every start: gone' "$(inside t/one ls /srv/mark /etc/mark 2>/dev/null)" ''
is 'thrown away at every start: nothing else' "$(inside t/own ls /etc/mark)" /etc/mark
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'down throws it away, too' "$(ls "$ROOT/var/lib/fpsync/layers" "$ROOT/var/lib/fpsync/volumes" | grep -E '^t_(upper|data)$')" ''
fails 'what is to be kept is no matter of gc' 1 fps gc layer/t/own
fps gc --force -y >/dev/null 2>&1
is 'what is to be kept stays with --force' "$(ls "$ROOT/var/lib/fpsync/layers")" t_own
is 'nothing is left' "$(leftovers)" ''

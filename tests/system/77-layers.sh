#!/bin/bash
# What lies below a container: images that change under layers, copies, snapshots. Walks the fields of layers and images:
# see walk.sh.
. "$(dirname "$0")/walk.sh"

for name in first second third; do
    cp -a "$BUSYBOX" "$ROOT/$name"
    echo "$name" >"$ROOT/$name/image"
    printf 'ID=fake\nVERSION_ID=1\n' >"$ROOT/$name/etc/os-release"
done
uses() { # NAME: the spec's image is made of that folder
    sed -i -E "s#file:$ROOT/(first|second|third)#file:$ROOT/$1#" "$FILE"
}
shows() { # CONTAINER: the image below, and what was written above it
    inside "$1" sh -c 'echo $(cat /image) $(cat /srv/mine 2>/dev/null || echo nothing)'
}

# ---- an image is another one ----

below() { # IMAGE
    cat <<END
project: t
images: { guest: { source: "file:$ROOT/$1" } }
containers: { one: { image: guest, networks: [] } }
END
}
below_without() { below first; }
below_set() { below second; }
below_changed() { below third; }
effect image.source 'shows t/one' 'first nothing' 'second nothing' 'third nothing' 'first nothing'
walk t/one restart below

# ---- what becomes of a layer whose image changed ----

layered() { # ENTRIES of the layer, of the container
    cat <<END
project: t
images: { guest: { source: "file:$ROOT/first" } }
layers: { data: { image: guest$1 } }
containers: { one: { layer: data, networks: []$2 } }
END
}
follows() { # what is seen once the image has changed; it changes back
    inside t/one sh -c 'echo mine >/srv/mine'
    uses second && fps apply -y -f "$FILE" >/dev/null 2>&1
    shows t/one
    uses first && fps apply -y -f "$FILE" >/dev/null 2>&1
}
layer_without() { layered '' ''; }
layer_set() { layered ', on_image_change: keep' ''; }
layer_changed() { layered ', on_image_change: reset' ''; }
effect layer.on_image_change follows 'second mine' 'first mine' 'second nothing' 'second mine'
walk t/one - layer

container_without() { layered ', on_image_change: keep' ''; }
container_set() { layered ', on_image_change: keep' ', on_image_change: restack'; }
container_changed() { layered ', on_image_change: keep' ', on_image_change: reset'; }
effect container.on_image_change follows 'first mine' 'second mine' 'second nothing' 'first mine'
walk t/one - container

# ---- a root of its own ----

rooted() { # ENTRIES of the container
    cat <<END
project: t
images: { guest: { source: "file:$ROOT/first" } }
containers: { one: { image: guest, networks: []$1 } }
END
}
root_without() { rooted ''; }
root_set() { rooted ', root: copy'; }
root_changed() { rooted ', root: copy, privileged: true'; }
stands_on() { # what is mounted as its root, and whether what was written before is there
    local type
    type=$(awk '$5 == "/" { for (i = 7; i < NF; i++) if ($i == "-") print $(i + 1) }' "/proc/$(pid_of t/one)/mountinfo" | tail -n 1)
    [ "$type" = overlay ] || type=copy
    echo "$type $(inside t/one sh -c 'cat /srv/mine 2>/dev/null; echo mine >/srv/mine')"
}
effect container.root stands_on 'overlay ' 'copy mine' 'copy mine' 'overlay '
walk t/one recreate root

# ---- the same in detail ----

spec restack < <(rooted '')
converge 'a container to restack'
inside t/one sh -c 'echo mine >/srv/mine; rm /www/index.html; rm -r /var/log; mkdir /var/log; echo x >/var/log/x; ln /srv/mine /srv/same'
for name in second third first second third first; do
    uses $name
    converge "its image changes to $name"
done
is 'what it wrote is there, what it removed is not' \
    "$(inside t/one sh -c 'ls /www /var/log /srv | paste -sd" "; cat /srv/mine; stat -c %h /srv/mine')" '/srv: mine same  /var/log: x  /www: cgi-bin
mine
2'
is 'no more than four frozen uppers lie below it' "$(ls "$ROOT/var/lib/fpsync/layers/t_one/frozen" | wc -l)" 4
is 'on disk it carries container ids' "$(find "$ROOT/var/lib/fpsync/layers/t_one" ! -uid 0 | wc -l)" 0
for name in first second third; do
    is "image $name was not written to" "$(diff -rq --no-dereference "$ROOT/$name" "$(grep -l "$name" "$ROOT"/var/lib/fpsync/images/*/root/image | xargs dirname)" 2>&1)" ''
done

inside t/one sh -c 'mkdir -p /var/lib/dpkg; echo Package: x >/var/lib/dpkg/status'
uses second
fails 'with a package database in it the change is held' 3 fps apply -y -f "$FILE"
like 'with the reason' "$(held_of "$(plan_of "$FILE")")" 'stays on the old one: it holds a package database \(dpkg\)'
is 'and the container runs on' "$(shows t/one)" 'first mine'
inside t/one rm -r /var/lib/dpkg
printf 'ID=fake\nVERSION_ID=2\n' >"$ROOT/third/etc/os-release"
echo other >"$ROOT/third/image"
uses third
fails 'onto another version of the system it is not put' 3 fps apply -y -f "$FILE"
like 'with the reason' "$(held_of "$(plan_of "$FILE")")" 'VERSION_ID of its system changes from 1 to 2'
is 'and the container runs on' "$(shows t/one)" 'first mine'
spec restack < <(rooted ', on_image_change: restack')
uses third
converge 'unless it is asked to'
is 'then it is there' "$(shows t/one)" 'other mine'

# ---- a folder that somebody removed ----

before=$(started t/one)
rm -rf "$ROOT/var/lib/fpsync/layers/t_one"
fails 'a layer that is gone from the store is seen' 3 fps apply -y -f "$FILE"
like 'with the reason' "$(held_of "$(plan_of "$FILE")")" 'the data of its layer t/one is gone from the store'
fails 'nothing restarts it' 1 fps restart t/one
is 'it runs on' "$(started t/one)" "$before"
check 'down' fps down -y --timeout 0 -f "$FILE"
rm -rf "$ROOT/var/lib/fpsync/layers/t_one"
converge 'what was retained and is gone is made anew'
check 'stopped' fps stop t/one --timeout 0
rm -rf "$ROOT/var/lib/fpsync/layers/t_one"
fails 'it does not come up on an empty one' 1 fps start t/one
is 'it is down' "$(pid_of t/one)" ''
check 'it may begin anew' fps reset t/one
check 'then it starts' fps start t/one
is 'and nothing is left to do' "$(actions_of "$(plan_of "$FILE")")$(held_of "$(plan_of "$FILE")")" ''
check 'gone without a trace' fps down -y --timeout 0 -f "$FILE"
check 'and freed' fps gc --force -y
is 'nothing is left in the store' "$(ls "$ROOT/var/lib/fpsync/layers" "$ROOT/var/lib/fpsync/images" | grep -v : | grep .)" ''
is 'nothing is left over' "$(leftovers)" ''

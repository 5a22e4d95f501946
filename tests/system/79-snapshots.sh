#!/bin/bash
# Snapshots of layers and volumes, a fresh beginning, and the way back: what is replaced is always kept.
. "$(dirname "$0")/walk.sh"
mkdir "$ROOT/first" && cp -a "$BUSYBOX/." "$ROOT/first"
data() { # ENTRIES of the container, of the volume
    cat <<END
project: t
images: { guest: { source: "file:$ROOT/first" } }
volumes: { files: {$2} }
containers:
  one: { image: guest, networks: [], volumes: [ "files:/data" ]$1 }
  two: { image: guest, networks: [], volumes: [ "files:/data" ] }
END
}
in_step() { # COMMAND...: it succeeds, and nothing is left to do
    check "fpsync $*" fps "$@"
    is 'and nothing is left to do' "$(actions_of "$(plan_of "$FILE")")" ''
}
mine() { # what is written in the container and in the volume
    inside t/one sh -c 'cat /srv/mine /data/mine 2>/dev/null' | paste -sd' '
}
for root in layer copy; do
    spec data < <(data ", root: $root" "$([ $root = layer ] || echo size: 16MiB)")
    converge "data of a container with root: $root"
    write() { inside t/one sh -c "echo $1 >/srv/mine; echo $1 >/data/mine; chown 5:6 /srv/mine /data/mine"; }
    write first
    in_step snapshot t/one --name good
    write second
    is 'what was there is still there' "$(mine)" 'second second'
    in_step reset t/one
    is 'a container that was reset begins anew, its volume does not' "$(mine)" second
    in_step restore t/one good
    is 'it is back as it was in the snapshot' "$(mine)" 'first second'
    is 'with its owner' "$(inside t/one stat -c %u:%g /srv/mine)" 5:6
    in_step restore t/one "$(fps snapshot -o name | sed -n 's/.*@\(before-reset.*\)/\1/p')"
    is 'and the reset is undone' "$(mine)" 'second second'
    other=$(started t/two)
    in_step snapshot volume/t/files --name kept
    is 'nobody was stopped for it' "$(started t/two)" "$other"
    write third
    in_step restore volume/t/files kept
    is 'a volume is back as it was' "$(mine)" 'third second'
    is 'for all that use it' "$(inside t/two cat /data/mine)" second
    is 'with its owner' "$(inside t/two stat -c %u:%g /data/mine)" 5:6
    fails 'a snapshot that is not there' 1 fps restore t/one none
    fails 'a name that is taken' 1 fps snapshot t/one --name good
    check 'stopped by hand' fps stop t/one --timeout 0
    in_step reset t/one
    is 'what is stopped stays stopped' "$(pid_of t/one)" ''
    check 'started' fps start t/one
    is 'and begins anew' "$(mine)" second
    is 'gc by itself frees no snapshot by command' "$(fps gc --force -o name | grep -c '@good\|@kept')" 0
    check 'by its name it does' fps gc layer/t/one@good volume/t/files@kept
    is 'then none is left' "$(fps snapshot -o name)" ''
    in_step snapshot t/one --name good
    in_step snapshot volume/t/files --name kept
    is 'names that were freed are given again' "$(fps snapshot -o name | sort | paste -sd' ')" 'layer/t/one@good volume/t/files@kept'
    write fourth
    in_step snapshot volume/t/files --name later
    write fifth
    check 'for a moment nobody is on it' fps stop t/one t/two --timeout 0
    check 'two ways back within a second: the first' fps restore volume/t/files kept
    check 'and the second' fps restore volume/t/files later
    check 'they are back' fps start t/one t/two
    is 'each is gone its way' "$(inside t/two cat /data/mine)" fourth
    check 'freed again' fps gc layer/t/one@good volume/t/files@kept volume/t/files@later \
        $(fps snapshot -o name | grep before-)
    is 'and nothing of them on disk' "$(ls "$ROOT"/var/lib/fpsync/*/*/snapshots | grep -v :)$(ls "$ROOT"/var/lib/fpsync/volumes/t_files/frozen)" ''
    check 'down' fps down -y --timeout 0 -f "$FILE"
    check 'and freed' fps gc --force -y
done
is 'nothing is left in the store' "$(ls "$ROOT/var/lib/fpsync/layers" "$ROOT/var/lib/fpsync/volumes" | grep -v : | grep .)" ''
is 'nothing is left over' "$(leftovers)" ''

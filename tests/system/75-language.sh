#!/bin/bash
# Fields of the language that change what a name stands for: what goes on from another name is seen from inside the
# guest and in the kernel. And spec sets in parts, applied for real.
. "$(dirname "$0")/walk.sh"

# ---- was: containers. The last phase declares the first name again: that is a new container. ----

renamed_as() { # BODY of the container, after its name and was
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/25 } }
containers:
  witness: { image: guest, networks: [] }
  $1 image: guest, networks: [ front ], ports: [ "$PORT:80" ] }
END
}
renamed_without() { renamed_as 'first: {'; }
renamed_set() { renamed_as 'second: { was: first,'; }
renamed_changed() { renamed_as 'third: { was: second,'; }
carried() { # which of the three runs, and what of the first it has: its file, MAC, address, ids; and whether the port leads to it
    local name out=
    for name in first second third; do
        [ -n "$(pid_of t/$name)" ] || continue
        out="$out $name"
        if [ ! -e "$ROOT/was-first" ]; then
            inside t/$name sh -c 'echo mine >/srv/mark'
            echo "$(mac_in t/$name) $(address_of t/$name) $(id_base t/$name)" >"$ROOT/was-first"
        fi
        [ "$(inside t/$name cat /srv/mark 2>/dev/null)" = mine ] && out="$out file"
        [ "$(mac_in t/$name) $(address_of t/$name) $(id_base t/$name)" = "$(cat "$ROOT/was-first")" ] && out="$out identity"
        eventually 5 page "http://127.0.0.1:$PORT/" && out="$out port"
        [ "$(inside t/$name hostname)" = $name ] && out="$out hostname"
    done
    echo $out
}
id_base() {
    awk '{ print $2; exit }' "/proc/$(pid_of "$1")/uid_map"
}
effect container.was carried 'first file identity port hostname' 'second file identity port hostname' \
    'third file identity port hostname' 'first port hostname'
walk t/witness - renamed

# ---- was: networks and volumes, under a container that runs on ----

under_as() { # NETWORK and its body, VOLUME and its body
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { $1: { $2 subnet: $NET.0/25 } }
volumes: { $3: { $4 } }
containers:
  web: { image: guest, networks: [ $1 ], volumes: [ "$3:/srv/data" ] }
END
}
network_without() { under_as front '' data ''; }
network_set() { under_as middle 'was: front,' data ''; }
network_changed() { under_as back 'was: middle,' data ''; }
nic() { # what the container has in it, and whether that still works
    [ -e "$ROOT/nic" ] || echo "$(mac_in t/web) $(address_of t/web)" >"$ROOT/nic"
    [ "$(mac_in t/web) $(address_of t/web)" = "$(cat "$ROOT/nic")" ] && echo -n 'same '
    inside t/web ping -c1 -W5 $NET.1 >/dev/null 2>&1 && echo -n 'works '
    bridges | wc -l
}
effect network.was nic 'same works 1' 'same works 1' 'same works 1' 'works 1'
walk t/web live network

volume_without() { under_as front '' data ''; }
volume_set() { under_as front '' uploads 'was: data'; }
volume_changed() { under_as front '' files 'was: uploads'; }
data() { # what stands in the volume, and how often it was mounted since the container began
    [ -e "$ROOT/data" ] || { inside t/web sh -c 'echo kept >/srv/data/file' && touch "$ROOT/data"; }
    inside t/web cat /srv/data/file 2>/dev/null
    find "$ROOT/var/lib/fpsync/volumes" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort
}
effect volume.was data $'kept\nt_data' $'kept\nt_uploads' $'kept\nt_files' $'t_data\nt_files'
walk t/web - volume

# ---- was: a declared layer, while its container is down ----

layer_as() {
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
layers: { $1: { $2 image: guest } }
containers: { web: { layer: $1, networks: [] } }
END
}
layer_without() { layer_as one ''; }
layer_set() { layer_as two 'was: one,'; }
layer_changed() { layer_as three 'was: two,'; }
upper() {
    [ -e "$ROOT/upper" ] || { inside t/web sh -c 'echo kept >/srv/file' && touch "$ROOT/upper"; }
    inside t/web cat /srv/file 2>/dev/null
    find "$ROOT/var/lib/fpsync/layers" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort
}
effect layer.was upper $'kept\nt_one' $'kept\nt_two' $'kept\nt_three' $'t_one\nt_three'
walk t/web recreate layer

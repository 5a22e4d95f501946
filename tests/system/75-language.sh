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

# ---- spec sets in parts: an include, defaults, a drop-in and a template, applied for real ----

parts=$ROOT/parts
mkdir -p "$parts/services" "$parts/main.yaml.d"
cat >"$parts/main.yaml" <<END
project: t
include: services/*.yaml
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/25 } }
defaults: { containers: { image: guest, networks: [ front ], limits: { pids: 50 } } }
containers: { web: { limits: { memory: 64MiB } } }
END
echo 'containers: { mail: { depends_on: [ web ] } }' >"$parts/services/mail.yaml"
echo 'containers: { "job-${INSTANCE}": { env: { QUEUE: "${INSTANCE}" } } }' >"$parts/job@.yaml"
printf 'project: t\ninclude: job@red.yaml\n' >"$parts/more.yaml"
converge 'a set in parts' "$parts"
is 'a default holds in an included file' "$(in_cgroup t/mail pids pids.max pids.max)" 50
is 'a template made its instance' "$(inside t/job-red sh -c 'tr "\0" "\n" </proc/1/environ' | grep QUEUE)" 'QUEUE=red'
web=$(pid_of t/web)
echo 'containers: { web: { limits: { memory: 96MiB } } }' >"$parts/main.yaml.d/1.yaml"
converge 'a drop-in' "$parts"
like 'its line is the cause' "$(causes_of "$PLAN")" 'limits.memory 64MiB 96MiB .*main.yaml.d/1.yaml:1'
is 'it changed what runs' "$(bytes t/web memory memory.max memory.limit_in_bytes) $(pid_of t/web)" "$((96 << 20)) $web"
rm -r "$parts/main.yaml.d" "$parts/services/mail.yaml"
converge 'without the drop-in and the included file' "$parts"
is 'its container is gone, and the default came back' "$(pid_of t/mail)$(bytes t/web memory memory.max memory.limit_in_bytes)" $((64 << 20))

# ---- plans on disk, and a part of a set ----

sed -i 's/64MiB/80MiB/' "$parts/main.yaml"
fails 'a plan is written' 2 fps plan -f "$parts" --out "$ROOT/plan.json"
lxc-stop -P "$ROOT/var/lib/lxc" -n "$(lxc_of t/job-red)" -k
text=$(fps apply -y -f "$parts" --plan "$ROOT/plan.json" 2>&1)
is 'the host is another than when it was made: refused' $? 4
like 'the difference is named' "$text" 'now it is .*start container/t/job-red|job-red'
is 'nothing was done' "$(bytes t/web memory memory.max memory.limit_in_bytes)$(pid_of t/job-red)" $((64 << 20))
check 'a target is put right alone' fps apply -y -f "$parts" --target container/job-red
isnt 'it runs again' "$(pid_of t/job-red)" ''
is 'and nothing else was touched' "$(bytes t/web memory memory.max memory.limit_in_bytes) $(pid_of t/web)" "$((64 << 20)) $web"
check 'then the plan is the one of the file' fps apply -y -f "$parts" --plan "$ROOT/plan.json" --exact
is 'it was applied' "$(bytes t/web memory memory.max memory.limit_in_bytes)" $((80 << 20))
fps down -y --timeout 0 -f "$parts" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
is 'nothing is left over' "$(leftovers)" ''

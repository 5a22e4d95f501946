#!/bin/bash
# What an image says about being run is done by real containers, and what the container says wins.
. "$(dirname "$0")/walk.sh"
LAYOUT=$ROOT/layout

blob() { # FILE: into the layout, prints "DIGEST SIZE"
    local digest
    digest=$(sha256sum "$1" | cut -d' ' -f1)
    cp "$1" "$LAYOUT/blobs/sha256/$digest" && echo "$digest $(stat -c %s "$1")"
}
layout() { # CONFIG: an OCI layout of the guest with it
    local layer config manifest machine
    rm -rf "$LAYOUT" && mkdir -p "$LAYOUT/blobs/sha256"
    [ -e "$ROOT/layer.tar" ] || tar -C "$BUSYBOX" --numeric-owner -cf "$ROOT/layer.tar" .
    machine=$(dpkg --print-architecture)
    read -ra layer < <(blob "$ROOT/layer.tar")
    jq -n --arg arch "$machine" --arg diff "sha256:${layer[0]}" --argjson config "$1" \
        '{architecture: $arch, os: "linux", config: $config, rootfs: {type: "layers", diff_ids: [$diff]}}' >"$ROOT/c"
    read -ra config < <(blob "$ROOT/c")
    jq -n --arg config "sha256:${config[0]}" --argjson csize "${config[1]}" --arg layer "sha256:${layer[0]}" --argjson lsize "${layer[1]}" '
        {schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
         config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $config, size: $csize},
         layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar", digest: $layer, size: $lsize}]}' >"$ROOT/m"
    read -ra manifest < <(blob "$ROOT/m")
    jq -n --arg digest "sha256:${manifest[0]}" --argjson size "${manifest[1]}" '
        {schemaVersion: 2, manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $digest, size: $size}]}' >"$LAYOUT/index.json"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$LAYOUT/oci-layout"
}
app() { # ENTRIES of the container
    printf 'project: t\nimages: { app: { source: "file:%s" } }\nnetworks: { front: { subnet: %s.0/25 } }\nvolumes: { mine: {} }\ncontainers: { one: { image: app, networks: [ front ]%s } }\n' "$LAYOUT" "$NET" "$1"
}
applied() { # TEXT: what hangs on an image is planned a second time, and then nothing is left to do
    check "$1" fps apply -y -f "$FILE"
    is "$1: and nothing is left to do" "$(fps plan -f "$FILE")" 'Nothing to do: everything is as declared.'
}
data() { # FILE in the volume of the image
    cat "$ROOT"/var/lib/fpsync/volumes/t_one-*/data/"$1" 2>/dev/null
}
has_seen() {
    [ -n "$(data seen)" ]
}
forwarded() {
    page "http://127.0.0.1:$PORT/" 2>/dev/null
}

# shellcheck disable=SC2016
layout "$(jq -nc --arg ports "[\"$PORT:8080\"]" '{Entrypoint: ["/bin/sh", "-c"],
    Cmd: ["echo $(id -u):$(id -g) $(pwd) $HOME $COLOR $SIZE >/srv/data/seen; trap \"echo asked >/srv/data/asked; exit\" USR1; httpd -p 8080 -h /www; while :; do sleep 0.1; done # first"],
    Env: ["COLOR=red", "SIZE=large"], WorkingDir: "/srv/new", StopSignal: "SIGUSR1",
    Volumes: {"/srv/data": {}}, Labels: {"org.fpsync.ports": $ports}}')"
spec app < <(app ', env: { SIZE: small }')
like 'the plan waits for the image' "$(fps plan -f "$FILE")" 'expand container t/one'
applied 'a container does as its image says'
eventually 10 has_seen
is 'its command runs where and with what the image says, and its volume is written to' "$(data seen)" '0:0 /srv/new /root red small'
eventually 10 forwarded
check 'its port is forwarded' forwarded
check 'restarted' fps restart t/one
is 'it was asked to end by the signal of the image' "$(data asked)" asked
spec app < <(app ', ports: [], user: www, env: { COLOR: blue }, volumes: [ "mine:/srv/data" ]')
applied 'what the container says wins'
fails 'the port is not forwarded any more' 1 forwarded
command=$(pgrep -P "$(pid_of t/one)" | head -n1)
is 'the command runs as another' "$(awk '/^Uid:/ { print $2 }' "/proc/$command/status")" \
    $((33 + $(awk 'NR == 1 { print $2 }' "/proc/$(pid_of t/one)/uid_map")))
is 'the data of the image'"'"'s volume is kept' "$(data asked)" asked
take_down

# ---- init or not ----

layout '{"Cmd": ["/bin/sh", "-c", "while :; do sleep 1; done # first"]}'
choice() { # ENTRIES of the container
    printf 'project: t\nimages: { guest: { source: "file:%s" } }\ncontainers: { one: { image: guest, networks: []%s } }\n' "$LAYOUT" "$1"
}
choice_without() { choice ''; }
choice_set() { choice ', init: true'; }
choice_changed() { choice ', init: true, hostname: other'; }
program() { # what runs beside init: the image's command, or what its init starts
    inside "$1" ps | grep -oE '# first|/bin/httpd' | sort -u
}
spec choice < <(choice '')
check 'the image, so that the walk has nothing to wait for' fps apply -y -f "$FILE"
effect container.init 'program t/one' '# first' /bin/httpd /bin/httpd '# first'
walk t/one restart choice

# ---- health ----

layout '{"Cmd": ["/bin/httpd", "-f", "-p", "8080", "-h", "/www"],
    "Healthcheck": {"Test": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/"], "Interval": 1000000000, "Retries": 5}}'
lively() { # ENTRIES of the container
    printf 'project: t\nimages: { app: { source: "file:%s" } }\nnetworks: { front: { subnet: %s.0/25 } }\ncontainers: { one: { image: app, networks: [ front ]%s } }\n' "$LAYOUT" "$NET" "$1"
}
health() {
    fps status -o json | jq -r '.objects[] | select(.kind == "container") | .phase'
}
spec lively < <(lively '')
said=$(fps apply -y -f "$FILE" 2>&1)
is 'an image with a Healthcheck is run' $? 0
like 'the plan tells of it with the image as the cause' "$said" 'health: .*interval: 1s, retries: 5.*\(image t/app: HEALTHCHECK\)'
is 'its check does well inside' "$(health)" healthy
spec lively < <(lively ', health: { http: ":8080/missing", retries: 1 }')
fails 'the container says otherwise, as often as the image has it' 7 fps apply -y --wait -f "$FILE"
is 'and is unhealthy by that' "$(health)" unhealthy
spec lively < <(lively ', health: none')
applied 'the container takes it back'
is 'so nothing probes it' "$(health)" running
take_down

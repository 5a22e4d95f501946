# What images say about being run, on the fakes; sourced by run.sh after commands.sh.
layout() { # CONFIG: what the image of ROOT/img says
    mkdir -p "$root/img"
    echo '{}' >"$root/img/index.json"
    echo '{}' >"$root/img/oci-layout"
    echo "$1" >"$root/img/config"
}

app() { # CONTAINERS
    printf 'images: { app: { source: "file:img" }, other: { source: "bootstrap:bookworm" } }\ncontainers: { %s }\n' "$1" >"$root/spec.yaml"
}

defined() { # CONTAINER FILTER: of what it was defined as
    jq -c --arg name "$1" ".containers | to_entries[] | select(.key | startswith(\$name + \".\")) | .value.definition | $2" \
        "$root/fake/world.json"
}

is_defined() { # CONTAINER FILTER WANTED
    local found
    found=$(defined "$1" "$2")
    [ "$found" = "$3" ] || { echo "$1 $2: $found, expected $3"; return 1; }
}

nothing_to_do() {
    local before
    before=$(calls)
    gives 0 run_spec apply && says 'Nothing to do' && [ "$(calls)" = "$before" ] && gives 0 run_spec plan
}

full='{"Entrypoint":["/bin/app"],"Cmd":["-f"],"Env":["A=1","B=2"],"User":"www","WorkingDir":"/srv","StopSignal":"SIGINT","Volumes":{"/data":{},"/var/x":{}},"Labels":{"org.fpsync.ports":"[\"8080:80\"]","org.fpsync.volumes":"[\"shared:/data\"]"}}'

image_is_heeded() {
    at metadata
    layout "$full"
    app 'web: { image: app }, plain: { image: other, depends_on: [ web ] }'
    gives 2 run_spec plan && says 'expand container default/web' && says 'known after image/default/app' &&
        says 'expand container default/plain' && says '2 known later' &&
        gives 0 run_spec apply && says 'command: [/bin/app, "-f"]   (image default/app: ENTRYPOINT and CMD)' &&
        says '(image default/app: PORT 8080:80)' && says 'volumes./data: default/shared   (image default/app: VOLUME shared:/data)' &&
        is_defined web '[.command, .env, .user, .directory, .halt_signal]' \
            '[["/bin/app","-f"],{"A":"1","B":"2"},"www","/srv","SIGINT"]' && nothing_to_do || return 1
    "$tool" "$root" print | jq -e '.rules.forwards[0].port == 8080 or (.rules.forwards | tostring | contains("8080"))' >/dev/null &&
        [ "$("$tool" "$root" print | jq -c '.volumes | keys | map(sub("-.*"; ""))')" = '["default_shared","default_web"]' ]
}

container_wins() {
    app 'web: { image: app, command: [ /bin/other ], env: { B: "3" }, ports: [ "9090:90" ], volumes: [ "own:/var/x/below" ], stop_signal: SIGTERM, user: root }'
    sed -i '1i volumes: { own: {} }' "$root/spec.yaml"
    gives 0 run_spec apply && is_defined web '[.command, .env, .user, .directory, .halt_signal]' \
        '[["/bin/other"],{"A":"1","B":"3"},"root","/srv","SIGTERM"]' && nothing_to_do &&
        "$tool" "$root" print | jq -e '.rules.forwards | tostring | contains("9090") and (contains("8080") | not)' >/dev/null &&
        app 'web: { image: app, init: true, ports: [] }' && gives 0 run_spec --allow-mass-delete apply &&
        is_defined web '[.command, .env, .user, .directory]' '[[],{"A":"1","B":"2"},null,null]' && nothing_to_do
}

image_changes_its_mind() {
    at metadata-changes
    layout '{"Cmd":["/bin/app"],"Env":["A=1"]}'
    app 'web: { image: app, on_image_change: restack }'
    gives 0 run_spec apply && layout '{"Cmd":["/bin/next"],"Env":["A=2"],"User":"5"}' &&
        sed -i 's#file:img#file:./img/../next#' "$root/spec.yaml" && mv "$root/img" "$root/next" &&
        gives 2 run_spec plan && says 'expand container default/web' && is_defined web .command '["/bin/app"]' &&
        gives 0 run_spec apply && says '/bin/app] -> [/bin/next]   (image default/app: CMD)' &&
        says 'env.A: 1 -> 2   (image default/app: ENV A)' &&
        is_defined web '[.command, .env, .user]' '[["/bin/next"],{"A":"2"},"5"]' && nothing_to_do || return 1
    layout '{"Cmd":["/bin/third"]}'
    app 'web: { image: app }'
    gives 3 run_spec apply && says 'held container default/web: image default/app changed' && is_defined web .command '["/bin/next"]'
}

# Whoever says how it runs is the cause: the image by the word that does, or the line of the spec, which may say the same.
causes_name_who_says_it() {
    at metadata-causes
    layout '{"Entrypoint":["/bin/app"],"User":"www","WorkingDir":"/srv","StopSignal":"SIGINT"}'
    app 'web: { image: app }'
    gives 0 run_spec apply && says 'command: [/bin/app]   (image default/app: ENTRYPOINT)' &&
        says 'user: www   (image default/app: USER www)' && says 'directory: /srv   (image default/app: WORKDIR /srv)' &&
        says 'stop_signal: SIGINT   (image default/app: STOPSIGNAL SIGINT)' || return 1
    app 'web: { image: app, user: www, directory: /srv, stop_signal: SIGINT, command: [ /bin/app ] }'
    nothing_to_do || return 1
    app 'web: { image: app, user: root, directory: /, stop_signal: SIGTERM, command: [ /bin/other ] }'
    gives 2 run_spec plan && says "command: [/bin/app] -> [/bin/other]   ($root/spec.yaml:2)" &&
        says "user: www -> root   ($root/spec.yaml:2)" && says "directory: /srv -> /   ($root/spec.yaml:2)" &&
        says "stop_signal: SIGINT -> SIGTERM   ($root/spec.yaml:2)" && ! says 'image default/app:' >/dev/null &&
        gives 0 run_spec apply || return 1
    app 'web: { image: app }'
    gives 2 run_spec plan && says 'command: [/bin/other] -> [/bin/app]   (image default/app: ENTRYPOINT)' &&
        says 'user: root -> www   (image default/app: USER www)' && says 'directory: / -> /srv   (image default/app: WORKDIR /srv)' &&
        says 'stop_signal: SIGTERM -> SIGINT   (image default/app: STOPSIGNAL SIGINT)' && ! says "$root/spec.yaml" >/dev/null &&
        gives 0 run_spec apply && nothing_to_do
}

stops_where_asked() {
    at metadata-exact
    layout '{"Cmd":["/bin/app"]}'
    app 'web: { image: app }'
    gives 2 run_spec --exact apply && says 'create container default/web' && [ -z "$(defined web .command)" ] &&
        says 'known only since images were made, is not begun under --exact: apply does it' &&
        gives 0 run_spec apply && runs web && nothing_to_do || return 1
    at metadata-plan
    layout '{"Cmd":["/bin/app"]}'
    app 'web: { image: app }'
    gives 2 run_spec --out "$root/p" plan && gives 2 run_spec --plan "$root/p" apply && [ -z "$(defined web .command)" ] &&
        says "known only since images were made, is not in $root/p and not begun: plan --out and apply --plan do it" &&
        gives 2 run_spec --out "$root/p" plan && gives 0 run_spec --plan "$root/p" apply && runs web && nothing_to_do
}

ports_of_two() {
    at metadata-ports
    layout "$full"
    app 'web: { image: app }, two: { image: app }'
    gives 3 run_spec apply && says 'held container default/web: port 8080/tcp of its image: container default/two has it' &&
        says 'hint: say ports:' && runs two || return 1
    app 'web: { image: app, ports: [] }, two: { image: app }' && gives 0 run_spec apply && runs web && nothing_to_do &&
        app 'web: { image: app, replicas: 2 }' && gives 0 run_spec --allow-mass-delete apply && runs web-1 && runs web-2 && nothing_to_do
}

data_goes_along() {
    at metadata-renamed
    layout '{"Cmd":["/bin/app"],"Volumes":{"/var/x":{}}}'
    app 'web: { image: app }'
    gives 0 run_spec apply && app 'site: { image: app, was: web }' && gives 2 run_spec plan && says 'rename volume default/site-' &&
        gives 0 run_spec apply && nothing_to_do && [ "$("$tool" "$root" print | jq '.volumes | length')" = 1 ] &&
        app '' && gives 0 run_spec --allow-mass-delete apply && says 'retain volume default/site-' &&
        [ "$("$tool" "$root" print | jq '.volumes | length')" = 1 ] || return 1
}

export_says_no_more() {
    at metadata-export
    layout "$full"
    app 'web: { image: app, env: { B: "3" } }'
    gives 0 run_spec apply && run export >"$root/exported.yaml" && cat "$root/exported.yaml" &&
        ! grep -qE 'command|user|directory|ports|volumes|SIGINT' "$root/exported.yaml" && grep -q 'B: "3"' "$root/exported.yaml" &&
        cp "$root/exported.yaml" "$root/spec.yaml" && nothing_to_do
}

nonsense_is_refused() {
    at metadata-nonsense
    layout '{"User":"../../x"}'
    app 'web: { image: app }'
    gives 3 run_spec apply && says 'image default/app: config: User: expected USER[:GROUP]' && ! runs web >/dev/null
}

images_are_listed() {
    at metadata-image
    layout '{"Cmd":["/bin/app"],"Env":["DB_PASSWORD=x","A=1"]}'
    app 'web: { image: app }'
    gives 0 run image && ! says NAME >/dev/null && gives 0 run_spec apply && gives 0 run image ls &&
        grep -qE '^default/app +[0-9a-f]{12} +1MiB .* file:.*/img +container/default/web$' "$root/said" &&
        grep -qE '^default/other +[0-9a-f]{12} +1MiB .* bootstrap:bookworm +-$' "$root/said" || return 1
    local digest before
    gives 0 run -o json image ls && digest=$(jq -r '.images[] | select(.name == "default/app") | .digest' "$root/said") &&
        gives 0 run image inspect app && jq -e --arg digest "$digest" '.schema == 1 and (.images[0] | .digest == $digest and
            .config.Env == ["A=1", "DB_PASSWORD=(sensitive)"] and .used_by == ["container/default/web"])' "$root/said" >/dev/null &&
        gives 0 run image inspect "${digest:0:12}" && says '"name": "default/app"' &&
        gives 4 run image rm other app && says 'image app is used by container/default/web' &&
        gives 0 run -o name image ls && says image/default/other && gives 0 run image rm other && [ "$(cat "$root/said")" = 'image default/other: removed (1MiB freed)' ] &&
        gives 0 run -o name image ls && [ "$(cat "$root/said")" = image/default/app ] &&
        [ "$("$tool" "$root" print | jq '.images | length')" = 1 ] &&
        gives 2 run_spec plan && says 'create image default/other' &&
        gives 0 run_spec apply && before=$(calls) && layout '{"Cmd":["/bin/newer"]}' && gives 0 run image pull app &&
        says 'recreate image default/app: done' && [ "$(calls)" = $((before + 1)) ] &&
        gives 2 run_spec plan && says 'restart container default/web' && says '/bin/app] -> [/bin/newer]   (image default/app: CMD)' &&
        gives 0 run_spec apply && is_defined web .command '["/bin/newer"]' && nothing_to_do &&
        gives 1 run image rm nothing && says 'no image nothing is recorded' && gives 1 run image inspect && gives 1 run image frobnicate
}

# Images that are built say of what, and what stands on one is told by its name where it has one.
built_are_listed() {
    at metadata-built
    mkdir -p "$root/app"
    printf '%s\n' 'FROM guest' 'RUN true' | tee "$root/app/Recipe" >"$root/app/Other"
    printf '%s\n' 'images:' '  guest: { source: "bootstrap:bookworm" }' '  app: { build: ./app }' '  other: { build: { context: ./app, recipe: Other } }' \
        '  inline: { build: { from: guest, steps: [ "RUN x" ] } }' >"$root/spec.yaml"
    gives 0 run_spec apply && gives 0 run image ls &&
        diff -u - <(awk 'NR > 1 { $2 = $3 = $4 = ""; print }' "$root/said" | sed "s#$root#ROOT#g; s/  */ /g") <<'END' || return 1
default/app build ROOT/app -
default/guest bootstrap:bookworm image/default/app, image/default/inline
default/inline build from guest -
default/other build ROOT/app/Other -
END
    local digest
    gives 0 run -o json image ls && digest=$(jq -r '.images[] | select(.name == "default/app") | .digest' "$root/said") &&
        gives 0 run image rm app && [ "$(cat "$root/said")" = 'image default/app: removed (what it holds stays, as image/default/other)' ] &&
        gives 0 run image rm "$digest" && says 'image default/other: removed (' || return 1
}

nobody_to_be() {
    at metadata-user
    web 'user: www, directory: /srv'
    gives 2 run_spec plan && says 'warning: user: neither it nor its image has a command, and an init has none   (' &&
        gives 0 run_spec apply && is_defined web .user null && nothing_to_do
}

check 'metadata: a user without a command is told of' nobody_to_be
check 'images are listed, looked at and removed, but for those in use' images_are_listed
check 'metadata: a container does as its image says, and the plan says so' image_is_heeded
check 'metadata: what the container says wins' container_wins
check 'metadata: the plan names who says how it runs' causes_name_who_says_it
check 'metadata: an image that changes its mind is followed' image_changes_its_mind
check 'metadata: --exact and --plan stop before what became known, and say so' stops_where_asked
check 'metadata: one port of an image is one container'"'"'s, or a set'"'"'s' ports_of_two
check 'metadata: volumes that an image names go with the container'"'"'s name, and stay as data' data_goes_along
check 'metadata: what is exported does not repeat the image' export_says_no_more
check 'metadata: a config that is none makes no image' nonsense_is_refused
check 'metadata: what is built is listed with its recipe, and its users by name' built_are_listed

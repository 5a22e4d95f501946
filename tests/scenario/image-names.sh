# Images that have the same bytes under several names. Sourced by run.sh.
used_by() { # NAME USERS: what image ls and image inspect say, as "a, b" or -
    gives 0 run image ls && grep -qE "^default/$1 .* $2\$" "$root/said" && gives 0 run image inspect "$1" &&
        [ "$(jq -r '.images[0].used_by | join(", ") | if . == "" then "-" else . end' "$root/said")" = "$2" ]
}

users_of_a_name() {
    at image-names
    printf '%s\n' 'images:' '  app: { source: "bootstrap:bookworm" }' '  app2: { source: "bootstrap:bookworm" }' \
        '  page: { build: { from: app, steps: [ "RUN make" ] } }' 'containers: { web: { image: app, networks: [] } }' >"$root/spec.yaml"
    gives 0 run_spec apply && used_by app 'container/default/web, image/default/page' && used_by app2 - || return 1
    # Whoever goes by the other name keeps this one from nothing, whichever is asked for first.
    gives 4 run image rm app && says 'image app is used by container/default/web' && gives 4 run image rm app app2 &&
        gives 4 run image rm app2 app && says 'image app is used by container/default/web, image/default/page' &&
        gives 0 run -o name image ls && says image/default/app2 && gives 0 run image rm app2 &&
        says 'image default/app2: removed (what it holds stays, as image/default/app)' || return 1
    # What stands on the bytes and goes by no name that they have is told at each, and keeps the last of them.
    printf '%s\n' 'images:' '  app: { source: "bootstrap:bookworm" }' '  app2: { source: "bootstrap:bookworm" }' '  app3: { source: "bootstrap:bookworm" }' \
        'containers: { web: { image: app, networks: [], on_image_change: keep } }' >"$root/spec.yaml"
    gives 0 run_spec --allow-mass-delete apply && gives 0 run gc --force && sed -i 's/app: { source: "bootstrap:bookworm"/app: { source: "bootstrap:trixie"/' "$root/spec.yaml" &&
        gives 0 run_spec apply && used_by app container/default/web && used_by app2 container/default/web && used_by app3 container/default/web &&
        gives 4 run image rm app2 app3 && says 'image app3 is used by container/default/web' && gives 0 run image rm app2 &&
        gives 4 run image rm app3 && says 'image app3 is used by container/default/web'
}
check 'who uses bytes with several names is told at the name that it goes by, and the others may go' users_of_a_name

names_of_a_build() { # gc drops no name of bytes that somebody stands on
    at image-names-gc
    mkdir -p "$root/golden.d"
    gives 0 run image import "$root/golden.d" one && gives 0 run image import "$root/golden.d" two || return 1
    echo 'containers: { web: { image: one, networks: [] } }' >"$root/spec.yaml"
    gives 0 run_spec apply && used_by one container/default/web && used_by two - && gives 0 run image gc && used_by two - && gives 0 run image rm two
}
check 'image gc leaves a name alone whose bytes another name needs' names_of_a_build

pid_of() { # CONTAINER
    run -o json status | jq -r --arg name "default/$1" '.objects[] | select(.kind == "container" and .name == $name) | .pid'
}

renamed_in_the_spec() {
    at image-renamed
    local pid
    printf '%s\n' 'images:' '  base: { source: "bootstrap:bookworm" }' '  app: { build: { from: base, network: none, steps: [ "RUN make" ] } }' \
        'containers: { web: { image: app, networks: [] } }' >"$root/spec.yaml"
    gives 0 run_spec apply && pid=$(pid_of web) && [ -n "$pid" ] && sed -i 's/app\b/page/' "$root/spec.yaml" &&
        gives 0 run_spec apply && says 'image: default/app -> default/page' && [ "$(pid_of web)" = "$pid" ] && nothing_to_do &&
        used_by page container/default/web && ! grep -q default/app <(run image ls) || return 1
    # Of other bytes it is held as ever, and nobody takes from it what it stands on.
    sed -i 's/page\b/other/; s/RUN make/RUN makes/' "$root/spec.yaml"
    gives 3 run_spec apply && says 'build image default/other: done' && says 'its layer default/web was made on image default/page, not on default/other' &&
        [ "$(pid_of web)" = "$pid" ] && used_by page container/default/web && used_by other - && gives 3 run_spec apply &&
        says 'its layer default/web was made on image default/page' || return 1
    sed -i 's/other\b/page/; s/RUN makes/RUN make/' "$root/spec.yaml"
    gives 0 run_spec apply && nothing_to_do && [ "$(pid_of web)" = "$pid" ] || return 1
    # What was retained is picked up by whichever name its image has.
    sed -i '/^containers/d' "$root/spec.yaml" && gives 0 run_spec --allow-mass-delete apply && sed -i 's/page\b/again/' "$root/spec.yaml" &&
        echo 'containers: { web: { image: again, networks: [] } }' >>"$root/spec.yaml" && gives 0 run_spec apply && runs web && nothing_to_do
}
check 'a container goes on with its data where its image has another name, and the same bytes' renamed_in_the_spec

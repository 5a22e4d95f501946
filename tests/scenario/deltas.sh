# Images that stand on another one. Sourced by run.sh.
digest_of() { # NAME
    jq -r --arg name "default/$1" '.images | to_entries[] | select(.value.name == $name) | .key' "$root/fake/world.json"
}

a_lower_stays() {
    at deltas
    echo 'images: { base: { source: "bootstrap:bookworm" }, app: { source: "bootstrap:trixie" } }' >"$root/spec.yaml"
    gives 0 run_spec apply || return 1
    local base app
    base=$(digest_of base) app=$(digest_of app)
    "$tool" "$root" stand default/app default/base || return 1
    echo 'images: { app: { source: "bootstrap:trixie" } }' >"$root/spec.yaml"
    gives 0 run_spec --allow-mass-delete apply && gives 0 run gc --force --dry-run || return 1
    ! grep -q "$base" "$root/said" || return 1
    gives 0 run gc --force && [ "$(digest_of base)" = "$base" ] || return 1
    echo 'x-empty: nothing' >"$root/spec.yaml"
    gives 0 run_spec --allow-mass-delete apply && gives 0 run gc --force || return 1
    # The delta goes before what it stands on.
    [ "$(grep -oE "$base|$app" "$root/said")" = "$app"$'\n'"$base" ] && [ -z "$(digest_of base)$(digest_of app)" ]
}
check 'gc spares what an image in use stands on, and frees both when nobody does' a_lower_stays

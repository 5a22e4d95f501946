# Renames that do not come to their end, and what becomes of them; sourced by run.sh.
named() { # NETWORK VOLUME LAYER WEB CACHE [ENTRIES of web]; each name, or "name, was: old"
    local network=${1%%,*} volume=${2%%,*} layer=${3%%,*} cache=${5%%,*}
    printf 'images: { base: { source: "bootstrap:bookworm" } }\n' >"$root/spec.yaml"
    printf 'networks: { %s: { subnet: 10.9.8.0/24%s } }\n' "$network" "${1#"$network"}" >>"$root/spec.yaml"
    printf 'volumes: { %s: { type: loop, size: 64MiB%s } }\n' "$volume" "${2#"$volume"}" >>"$root/spec.yaml"
    printf 'layers: { %s: { image: base%s } }\n' "$layer" "${3#"$layer"}" >>"$root/spec.yaml"
    printf 'containers:\n  %s: { image: base, networks: [ %s ], volumes: [ "%s:/srv" ]%s%s }\n  %s: { layer: %s, networks: [ %s ]%s }\n' \
        "${4%%,*}" "$network" "$volume" "${4#"${4%%,*}"}" "${6:+, $6}" "$cache" "$layer" "$network" "${5#"$cache"}" >>"$root/spec.yaml"
}
old_names() { named front data kept web cache; }
new_names() { named 'back, was: front' 'files, was: data' 'stays, was: kept' 'shop, was: web' 'store, was: cache'; }
in_between() { # of somebody who does not know why it is down
    run stop web || true
    run start web || true
    run -y stop cache || true
    run start cache || true
    old_names
}
newer_names() { named 'third, was: front' 'papers, was: data' 'remains, was: kept' 'desk, was: web' 'drawer, was: cache'; }

# Names of data in the store that the record does not know, and when each was made.
unknown_data() {
    comm -13 <("$fpsync" --root "$root" status | awk '{ print $1 "s", $2 } /^container/ { print "layers", $2 }' | tr / _ | sort -u) \
        <("$tool" "$root" print | jq -r '{ volumes, layers } | to_entries[] | "\(.key) \(.value | keys[])"' | sort)
}
data_made() {
    "$tool" "$root" print | jq -r '[.layers, .volumes] | .[][].modified' | sort
}
alone() { # no bridge and no container but those that are declared
    "$tool" "$root" print | jq -e '(.bridges | length == 1) and (.containers | length == 2)' >/dev/null
}

# Whatever call of the rename is its last, and whatever is declared then: all data are there, and known by a name. A bridge may
# go under a container that came up half and is stopped right after.
renames_go() { # THEN FAULT
    case_number=$((${case_number:-0} + 1)) # a root of few letters
    at "renames-$case_number"
    local n died=0 made first
    old_names && gives 0 run_spec apply && rm -rf "$root.before" && cp -a "$root" "$root.before" || return 1
    made=$(data_made) first=$("$tool" "$root" calls)
    for ((n = first + 1; n < first + 60; n++)); do
        rm -rf "$root" && cp -a "$root.before" "$root" && new_names || return 1
        env "${2/\%/$n}" "$fpsync" --root "$root" --parallel 1 -f "$root/spec.yaml" apply >/dev/null 2>&1 && break
        died=$((died + 1))
        "$1" && gives 0 run_spec --allow-mass-delete apply && gives 0 run_spec plan && [ -z "$(unknown_data)" ] && alone &&
            [ -z "$(comm -23 <(echo "$made") <(data_made))" ] && ! "$tool" "$root" violations | grep -v ' under port ' ||
            { echo "after $2, $n: unknown: $(unknown_data)" && data_made; return 1; }
        [ "$1" != new_names ] || [ "$(data_made)" = "$made" ] || { echo "after $2, $n: $(data_made)"; return 1; }
    done
    [ $died -gt 12 ] || { echo "$died times only"; return 1; }
}
for then in old_names new_names newer_names in_between; do
    check "renames that fail, and then $then" renames_go $then FPSYNC_FAKE_FAIL=%
    check "renames that fail behind an effect, and then $then" renames_go $then FPSYNC_FAKE_FAIL=%:after
    check "renames that die, and then $then" renames_go $then FPSYNC_FAKE_DIE=%:after
done

# And nobody wants any of it any more.
renames_leave_nothing() { # FAULT
    case_number=$((case_number + 1))
    at "renames-$case_number"
    local n died=0 first
    old_names && gives 0 run_spec apply && rm -rf "$root.before" && cp -a "$root" "$root.before" || return 1
    first=$("$tool" "$root" calls)
    for ((n = first + 1; n < first + 60; n++)); do
        rm -rf "$root" && cp -a "$root.before" "$root" && new_names || return 1
        env "${1/\%/$n}" "$fpsync" --root "$root" --parallel 1 -f "$root/spec.yaml" apply >/dev/null 2>&1 && break
        died=$((died + 1))
        gives 0 run_spec -y down && gives 0 run gc --force &&
            "$tool" "$root" print | jq -e '[.layers, .volumes, .bridges, .containers] | all(. == {})' || { echo "after $1, $n"; return 1; }
    done
    [ $died -gt 12 ] || { echo "$died times only"; return 1; }
}
check "renames that fail leave nothing" renames_leave_nothing FPSYNC_FAKE_FAIL=%
check "nor do those that fail behind an effect" renames_leave_nothing FPSYNC_FAKE_FAIL=%:after
check "nor those that die" renames_leave_nothing FPSYNC_FAKE_DIE=%:after

# Where both names are declared nobody knows whose the data are: neither has them until one of the two goes.
both_names() {
    at renames-both
    old_names && gives 0 run_spec apply && new_names || return 1
    local n first=$("$tool" "$root" calls) made=$(data_made)
    for ((n = first + 1; n < first + 20; n++)); do
        "$tool" "$root" print | jq -e '.volumes | has("default_files")' >/dev/null && break
        FPSYNC_FAKE_DIE=$n:after "$fpsync" --root "$root" --parallel 1 -f "$root/spec.yaml" apply >/dev/null 2>&1
    done
    old_names && sed -i 's/^volumes: { /&files: {}, /' "$root/spec.yaml" && gives 3 run_spec apply && says 'held volume default/data: it cannot take over from default/files' &&
        says 'held volume default/files: it cannot take over from default/data' && old_names && gives 0 run_spec apply && gives 0 run_spec plan &&
        [ "$(data_made)" = "$made" ] && "$tool" "$root" print | jq -e '.volumes | keys == ["default_data"]'
}
check "both names of one that did not end are held" both_names

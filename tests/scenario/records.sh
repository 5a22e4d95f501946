# What stands in the record, and what a plan says of it beforehand; sourced by run.sh after commands.sh.
record() { # whether the database holds the text
    grep -aqF -- "$1" "$root/var/lib/fpsync/state/data.mdb"
}

told() { # [{network, address, address6, mac}] of what is planned, in order
    gives 2 run_spec -o json plan >/dev/null &&
        jq -S '[.actions[].leases[]? | select(.network) | del(.network)] | sort_by(.mac)' "$root/said"
}

given() { # the same of what NICs in the world have
    jq -S '[.containers[].definition.nics[]? | {mac, address, address6} | map_values(select(.) | sub("/.*"; ""))] | sort_by(.mac)' \
        "$root/fake/world.json"
}

leases_are_told() {
    at leases-told
    cat >"$root/spec.yaml" <<'END'
images: { base: { source: "bootstrap:bookworm" } }
networks: { front: {}, six: { subnet6: auto } }
containers: { web: { image: base, networks: [ front, six ] }, other: { image: base, networks: [ six ] } }
END
    local told subnets
    told=$(told) && subnets=$(jq -c '[.actions[].leases[]? | select(.subnet) | .subnet, .subnet6]' "$root/said") &&
        [ "$(jq length <<<"$told")" = 3 ] && gives 0 run_spec apply && diff <(echo "$told") <(given) || return 1
    echo "$subnets"
    [ "$(jq 'length' <<<"$subnets")" = 4 ] && "$tool" "$root" print | grep -q '"address": "10.64.0.1/24"' &&
        jq -e '.[0] == "10.64.0.0/24" and .[2] == "10.64.1.0/24" and (.[3] | startswith("fd"))' <<<"$subnets"
}

# What is known of the values but the key: the digests of what they stand in.
plain_digests() {
    "$fpsync" --root "$root" -f "$root/spec.yaml" --out "$root/plan" plan >/dev/null
    jq -r .files "$root/plan"
    jq -r '.containers[] | select(.definition.env) | .config_digest' "$root/fake/world.json"
}

digests_are_keyed() {
    at keyed
    web 'env: { DB_PASSWORD: guess-me }'
    gives 0 run_spec apply || return 1
    local digest
    for digest in $(plain_digests); do
        [ ${#digest} = 64 ] && ! record "$digest" || { echo "$digest is recorded"; return 1; }
    done
    record keyed: && gives 0 run_spec plan && web 'env: { SITE: shop }' && gives 0 run_spec apply &&
        digest=$(plain_digests | tail -n 1) && record "$digest" || { echo "the search finds nothing: $digest"; return 1; }
    gives 0 run_spec plan
}

# The root of a fixture is the same folder for everybody who stands beside it.
old_record() {
    "$fpsync" --root /proc/self/cwd/r1 -f /proc/self/cwd/r1/spec.yaml "$@"
}

digests_are_migrated() {
    at migrated
    tar xzf "$scenarios/records/plain-digests.tar.gz" -C "$root" --no-same-owner && cd "$root" || return 1
    local code=0
    migrates || code=1
    cd "$OLDPWD" || return 1
    return $code
}

migrates() {
    # Nothing to do is nothing done, also by a newer program.
    gives 0 old_record apply && says 'Nothing to do' && ! grep -aq keyed: r1/var/lib/fpsync/state/data.mdb || return 1
    sed -i 's/SITE: two/SITE: three/' r1/spec.yaml
    gives 0 old_record apply && gives 0 old_record plan && gives 0 "$fpsync" --root /proc/self/cwd/r1 history -o json &&
        jq -e '[.. | .digest? // empty] | length == 3 and all(startswith("keyed:"))' "$root/said" || return 1
    # Without the key nobody can tell any more whether it is the config that was written.
    rm r1/var/lib/fpsync/secrets/key
    gives 2 old_record plan && says 'its LXC config was edited'
}

check 'a plan tells what will be leased, and apply gives that' leases_are_told
check 'no digest in the record lets a hidden value be guessed' digests_are_keyed
check 'digests of an older version are keyed by the next run that writes' digests_are_migrated

# ---- what a run leaves that dies between a step and its record ----

lend() { # ENTRIES
    printf 'images: { base: { source: "bootstrap:bookworm" } }\nvolumes: { data: {} }\ncontainers: { web: { image: base, networks: []%s } }\n' \
        "${1:+, $1}" >"$root/spec.yaml"
}

# At every call of the run that brings it in; then its line goes.
nothing_lent_is_left() { # ENTRIES
    at "lent-${1%%:*}"
    mkdir -p "$root/etc/fpsync" && echo 'allow: { binds: [/srv], devices: [/dev/fuse] }' >"$root/etc/fpsync/fpsync.conf"
    lend '' && gives 0 run_spec apply || return 1
    local wanted died=0 n
    wanted=$("$tool" "$root" state) && rm -rf "$root.before" && cp -a "$root" "$root.before" || return 1
    local first
    first=$("$tool" "$root" calls)
    for ((n = first + 1; n < first + 30; n++)); do
        rm -rf "$root" && cp -a "$root.before" "$root" && lend "$1" || return 1
        FPSYNC_FAKE_DIE=$n:after run_spec apply >/dev/null 2>&1 && break
        died=$((died + 1))
        lend ''
        run_spec apply >/dev/null 2>&1
        gives 0 run_spec plan && diff <(echo "$wanted") <("$tool" "$root" state) || { echo "after a death at call $n"; return 1; }
    done
    [ $died -gt 0 ] || { echo 'nothing died'; return 1; }
}

check 'a bind of a run that died goes with its line' nothing_lent_is_left 'binds: [ "/srv/www:/www" ]'
check 'so does a device' nothing_lent_is_left 'devices: [ /dev/fuse ]'
check 'and a volume' nothing_lent_is_left 'volumes: [ "data:/data" ]'

# ---- what a creation leaves that does not come to its end ----

made_of() { # IMAGE [ENTRIES]
    printf 'images: { base: { source: "bootstrap:bookworm" }, other: { source: "bootstrap:trixie" } }\ncontainers: { web: { image: %s, networks: []%s } }\n' \
        "$1" "${2:+, $2}" >"$root/spec.yaml"
}

# At every call, for whatever reason; then its set goes, and what was retained.
nothing_of_a_creation_is_left() { # FAULT
    at "creation-${1//[^A-Za-z]/}"
    local n died=0 wanted
    made_of base && rm -rf "$root.before" && cp -a "$root" "$root.before" && gives 0 run_spec apply &&
        gives 0 run_spec -y down && gives 0 run gc --force && wanted=$("$tool" "$root" state) || return 1
    for ((n = 1; n < 30; n++)); do
        rm -rf "$root" && cp -a "$root.before" "$root" || return 1
        env "${1/\%/$n}" "$fpsync" --root "$root" --parallel 1 -f "$root/spec.yaml" apply >/dev/null 2>&1 && break
        died=$((died + 1))
        run_spec -y down >/dev/null 2>&1
        gives 0 run gc --force && diff <(echo "$wanted") <("$tool" "$root" state) || { echo "after $1, $n"; return 1; }
    done
    [ $died -gt 3 ] || { echo "$died times only"; return 1; }
}

# What it began on the image that it could not start on is not what it goes on with; it is kept, as all that is replaced.
begins_on_another_image() { # [ENTRIES]
    at "another-${1:+copy}"
    made_of base "${1-}" && FPSYNC_FAKE_FAIL=5 gives 3 run_spec apply && says 'container.start' && made_of other "${1-}" &&
        gives 2 run_spec plan && says 'image default/other changed: begins anew' && gives 0 run_spec apply && gives 0 run_spec plan || return 1
    "$tool" "$root" print >"$root/said" && jq '.layers.default_web' "$root/said" &&
        jq -e --arg entries "${1-}" '.layers.default_web | (.snapshots | length == 1 and all((.whole // false) == ($entries != ""))) and .frozen == []' "$root/said"
}

check 'nothing is left of a creation that failed' nothing_of_a_creation_is_left FPSYNC_FAKE_FAIL=%
check 'nor of one that failed behind an effect' nothing_of_a_creation_is_left FPSYNC_FAKE_FAIL=%:after
check 'nor of one that died' nothing_of_a_creation_is_left FPSYNC_FAKE_DIE=%:after
check 'a container that did not come up begins anew on another image' begins_on_another_image
check 'and so does a copy' begins_on_another_image 'root: copy'

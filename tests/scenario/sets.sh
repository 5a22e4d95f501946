# What is asked of a set of replicas by its name; sourced by run.sh after commands.sh.
leads() { # ADDRESS...: where the forward of port 8080 leads
    local seen
    seen=$(jq -c '[.. | objects | select(.listen? == "8080/tcp") | if (.shared // [] | length) > 0 then .shared[] else .target end] | unique' \
        "$root/fake/world.json")
    [ "$seen" = "$(jq -nc '$ARGS.positional | sort' --args "$@")" ] || { echo "it leads to $seen, expected $*"; return 1; }
}

forwards_at_once() {
    at sets
    echo 'images: { base: { source: "bootstrap:bookworm" } }
containers: { web: { image: base, replicas: 3, ports: [ "8080:80" ] }, other: { image: base } }' >"$root/spec.yaml"
    gives 0 run_spec apply && leads 10.64.0.3 10.64.0.4 10.64.0.5 &&
        gives 0 run stop web-2 && leads 10.64.0.3 10.64.0.5 && gives 0 run_spec plan &&
        gives 0 run start web-2 && leads 10.64.0.3 10.64.0.4 10.64.0.5 && gives 0 run_spec plan
}

wishes_for_all() {
    gives 0 run stop web && ! runs web-1 && ! runs web-2 && ! runs web-3 && runs other && gives 0 run_spec plan &&
        gives 0 run start container/web && runs web-1 && runs web-2 && runs web-3 && gives 0 run_spec plan &&
        gives 0 run -o json restart web web-2 &&
        jq -e '[.actions[].id] == ["restart container/default/web-1", "restart container/default/web-2", "restart container/default/web-3"]' "$root/said"
}

one_is_to_be_named() {
    local command
    for command in 'reset web' 'snapshot web' 'logs --follow web'; do
        # shellcheck disable=SC2086
        gives 1 run $command && says 'web is a set' && says 'default/web-1, default/web-2, default/web-3' || return 1
    done
    gives 1 run stop wep && says 'no container wep is recorded' || return 1
    gives 0 run stop web && gives 1 run exec web true && says 'no member of the set web runs'
}

# Some members were given the new definition and some were not: what is exported says so, and says nothing once they are
# alike.
cut_off_export() {
    at sets-cut-off
    spec_of() { echo "images: { base: { source: \"bootstrap:bookworm\" } }
containers: { web: { image: base, replicas: 3$1 } }" >"$root/spec.yaml"; }
    spec_of '' && gives 0 run_spec apply && gives 0 run export && ! grep -q '#' "$root/said" || return 1
    spec_of ', env: { A: b }' && FPSYNC_FAKE_FAIL=$(($(calls) + 8))+ gives 3 run_spec apply || return 1
    gives 0 run export && says '# Not yet like web-1: web-2 (env.A), web-3 (env.A). Apply makes them so.' &&
        cp "$root/said" "$root/exported.yaml" && gives 2 run --source "$root/spec.yaml" -f "$root/exported.yaml" plan &&
        says 'container default/web-2' && gives 0 run_spec apply && gives 0 run export && ! grep -q '#' "$root/said"
}

check 'export of a set after half a run says which members are not as it says' cut_off_export
check 'forwards of a set follow a wish at once' forwards_at_once
check 'stop, start and restart of a set are of all its members' wishes_for_all
check 'what can be of one member only lists them' one_is_to_be_named

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

check 'forwards of a set follow a wish at once' forwards_at_once
check 'stop, start and restart of a set are of all its members' wishes_for_all
check 'what can be of one member only lists them' one_is_to_be_named

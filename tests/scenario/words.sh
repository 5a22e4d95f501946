# The words that people are told; sourced by run.sh after commands.sh.
phases() { # of KIND
    sed -n "s/^$1 *[^ ]* *\([^ ]*\) .*/\1/p" "$root/said" | paste -sd' '
}
says_of() { # KIND, its phases
    [ "$(phases "$1")" = "$2" ] || { echo "$1: $(phases "$1"), expected $2"; return 1; }
}

phase_words() {
    at words-phases
    cat >"$root/spec.yaml" <<'END'
images: { base: { source: "bootstrap:bookworm" } }
networks: { n: {} }
volumes: { v: {} }
containers:
  a: { image: base, networks: [ n ], volumes: [ "v:/srv" ] }
  b: { image: base, networks: [], depends_on: [ a ] }
END
    FPSYNC_FAKE_FAIL=6+ gives 3 run_spec apply && says 'create container default/b: skipped' && gives 0 run status &&
        says_of container 'failed pending' && says_of image present && says_of volume present && says_of network running || return 1
    gives 0 run -o json status && jq -e '[.objects[] | select(.kind == "image" or .kind == "volume").phase] == ["running", "running"]' "$root/said" || return 1
    gives 0 run_spec apply && gives 0 run status && says_of container 'running running'
}

# A container that a restart left down was killed by nobody, and nobody edited the config that was written for it.
own_stops() {
    at words-stops
    web 'networks: []'
    gives 0 run_spec apply || return 1
    local try
    for try in 1 2 3 4 5 6; do
        web "networks: [], env: { A: \"$try\" }"
        FPSYNC_FAKE_FAIL=$(($(calls) + try))+ gives 3 run_spec apply || return 1
        runs web >/dev/null || break
    done
    gives 2 run_spec plan && says 'drift: stopped for the restart that failed' && ! grep -E 'killed|edited' "$root/said" || return 1
    gives 0 run_spec apply && gives 0 run_spec plan && "$tool" "$root" kill web && gives 2 run_spec plan && says 'drift: killed'
}

snapshot_sizes() {
    at words-sizes
    web 'networks: []'
    gives 0 run_spec apply && gives 0 run snapshot web --name good &&
        gives 0 run gc --dry-run && says 'layer default/web@good: kept (a snapshot by command: goes by name, or with what it is of, 12MiB)' || return 1
    gives 0 run_spec -y down && gives 0 run gc --force && grep '^layer default/web: freed (.*, with snapshot good)$' "$root/said"
}

held_lock() {
    at words-lock
    web 'networks: []'
    gives 0 run_spec apply || return 1
    exec 7<>"$root/run/fpsync/lock"
    flock -n 7 && printf 'pid %d, fpsync test' $$ >"$root/run/fpsync/lock"
    web 'networks: [], env: { A: b }'
    gives 5 run_spec apply && says "another run holds $root/run/fpsync/lock: pid $$, fpsync test; --lock-timeout 60s waits for its end" &&
        gives 5 run_spec apply --lock-timeout 10ms && ! grep -q 'waits for' "$root/said"
    local result=$?
    exec 7>&-
    return $result
}

# What asks for nothing to be done is not lost on a command that cannot do that.
dry_runs() {
    at words-dry-run
    local command refused=
    for command in $("$fpsync" --help | sed -n 's/^  \([a-z]\+\) .*/\1/p'); do
        FPSYNC_DRY_RUN=1 run "$command" x </dev/null >"$root/said" 2>&1
        ! grep -q "$command has no --dry-run; it is for plan, apply, down, build, gc, image, adopt" "$root/said" || refused+=" $command"
    done
    [ "$refused" = ' exec start stop restart snapshot reset restore backup forget' ] || { echo "refused by$refused"; return 1; }
    FPSYNC_DRY_RUN=1 gives 1 run doctor --rebuild && says 'doctor has no --dry-run' &&
        FPSYNC_DRY_RUN=1 run snapshot >"$root/said" 2>&1
    ! grep -q 'has no --dry-run' "$root/said"
}

closed_ports() {
    at words-ports
    web 'ports: [ "18080:80" ], restart: never'
    gives 0 run_spec apply && gives 0 run stop web && gives 0 run ports && says 'closed: the container does not run'
}

check 'ports: those of one that does not run are closed' closed_ports
check 'status: what was never begun is pending, and what does not run is present' phase_words
check 'what our own restart left down was killed by nobody' own_stops
check 'gc says what a snapshot holds' snapshot_sizes
check 'a held lock is told with the flag that waits' held_lock
check '--dry-run in the environment is refused by what acts and cannot do that' dry_runs

begun_is_told_once() { # however often it failed
    at words-begun
    mkdir -p "$root/page" && printf 'FROM scratch\nRUN false\n' >"$root/page/Recipe"
    gives 3 run build "$root/page" -y && gives 3 run build "$root/page" -y || return 1
    run doctor >"$root/said"
    grep -q 'failed or cut off: build image default/page$' "$root/said" || { cat "$root/said"; return 1; }
}
check 'what failed twice is told once' begun_is_told_once

# Who waits until another container is healthy, and what a run finds out (SEMANTICS 22, 42); sourced by run.sh after metadata.sh.
healthy() { # FIELDS of cache, FIELDS of web
    {
        echo 'images: { base: { source: "bootstrap:bookworm" } }'
        echo 'containers:'
        echo "  cache: { image: base${1-, health: { tcp: 6379 \}} }"
        echo "  web: { image: base, depends_on: { cache: healthy }${2-} }"
    } >"$root/spec.yaml"
}
phase_of() { # CONTAINER
    run -o json status | jq -r --arg name "default/$1" '.objects[] | select(.kind == "container" and .name == $name) | .phase'
}
has_phase() { # CONTAINER PHASE
    local found
    found=$(phase_of "$1")
    [ "$found" = "$2" ] || { echo "$1 is $found, not $2"; return 1; }
}

gate_passes() {
    at health
    healthy
    gives 2 run_spec -v plan && says 'then: until it is healthy, 1m30s at most' && says 'after: container default/cache is healthy' || return 1
    [ "$(run_spec -o json plan | jq -c '.gates[] | [.container, .until, .after, .waiting[]]')" = \
        '["default/cache","healthy","create container/default/cache","create container/default/web"]' ] || return 1
    gives 0 run_spec apply && runs web && has_phase cache healthy && has_phase web running &&
        says_status 'probed 2' && nothing_to_do
}
says_status() { # TEXT
    gives 0 run status && says "$1"
}

gate_fails() { # exit 7, dependents left out, the rest done; and a second run waits again
    at health-late
    healthy && echo '  other: { image: base }' >>"$root/spec.yaml"
    gives 0 run_spec apply && "$tool" "$root" kill web && "$tool" "$root" ails cache 'connection refused' || return 1
    healthy ', health: { tcp: 6379 }, env: { A: b }' && echo '  other: { image: base, env: { A: b } }' >>"$root/spec.yaml"
    gives 7 run_spec apply && says 'needs "wait until container default/cache is healthy", which failed' &&
        says 'connection refused' && ! runs web && runs other && runs cache && has_phase cache unhealthy &&
        says_status 'nothing probes between runs: ' && says 'connection refused' || return 1
    gives 2 run_spec plan && says 'start container default/web' && ! grep 'container default/cache$' "$root/said" || return 1
    gives 7 run_spec apply && ! runs web && "$tool" "$root" ails cache - && gives 0 run_spec apply && runs web && has_phase cache healthy && nothing_to_do
}

nobody_waits() { # what is started is waited for all the same, and an unhealthy container asks for no action
    at health-alone
    healthy ', health: { command: "exit 1" }' && sed -i '/web/d' "$root/spec.yaml"
    gives 0 run_spec apply && "$tool" "$root" ails cache 'sick' && "$tool" "$root" kill cache || return 1
    gives 7 run_spec apply && says 'wait until container default/cache is healthy' && says sick && runs cache && has_phase cache unhealthy && nothing_to_do || return 1
    gives 0 run restart cache && has_phase cache running
}

ends_meanwhile() { # the end of a container ends the wait with its status
    at health-ends
    healthy ', command: [ /bin/cache ], restart: never, health: { tcp: 1 }'
    gives 0 run_spec apply && "$tool" "$root" kill web && "$tool" "$root" ails cache 'ends 3' || return 1
    gives 3 run_spec apply && says 'ended with status 3 before it was healthy' && ! runs web && ! runs cache || return 1
    gives 2 run_spec plan && says 'held container default/web: it waits until default/cache is healthy, which does not run'
}

waits_for_all() { # --wait probes what runs, and writes only what is news
    at health-wait
    healthy && gives 0 run_spec apply || return 1
    local before
    before=$(mutations)
    gives 0 run_spec apply --wait && gives 0 run_spec apply --wait=10s && [ "$(mutations)" = "$before" ] || return 1
    "$tool" "$root" ails cache slow
    gives 7 run_spec apply --wait && says 'wait until container default/cache is healthy' && has_phase cache unhealthy || return 1
    gives 0 run_spec apply && "$tool" "$root" ails cache - && gives 0 run_spec apply --wait && has_phase cache healthy || return 1
    gives 1 run_spec apply --wait=soon && says 'expected a duration' && gives 1 run_spec plan --wait && says 'plan has no --wait'
}
mutations() {
    "$tool" "$root" print | jq .mutations
}

health_of_image() { # as the image has it; the container's own wins, and takes it back
    at health-image
    layout '{"Cmd":["/bin/app"],"Healthcheck":{"Test":["CMD-SHELL","curl -f localhost"],"Interval":5000000000,"Retries":2}}'
    app 'web: { image: app }, late: { image: other, depends_on: { web: healthy } }'
    gives 2 run_spec plan && says 'expand container default/late' && gives 0 run_spec apply &&
        says '{command: [/bin/sh, "-c", curl -f localhost], interval: 5s, retries: 2}   (image default/app: HEALTHCHECK)' &&
        says 'then: until it is healthy, 10s at most' && runs late && has_phase web healthy && nothing_to_do || return 1
    app 'web: { image: app, health: { timeout: 2s } }, late: { image: other, depends_on: { web: healthy } }'
    gives 0 run_spec apply && says 'health.timeout: 30s -> 2s' && nothing_to_do || return 1
    app 'web: { image: app, health: { http: ":80" } }, late: { image: other, depends_on: { web: healthy } }'
    gives 0 run_spec apply && says 'health.http:' && says ':80/' && runs web && nothing_to_do || return 1
    app 'web: { image: app, health: none }'
    gives 0 run_spec --allow-mass-delete apply && has_phase web running || return 1
    app 'web: { image: app, health: none }, late: { image: other, depends_on: { web: healthy } }'
    gives 6 run_spec plan && says "'healthy': nothing says how container 'web' is probed"
}
none_in_image() { # known only once it is there
    at health-none
    layout '{"Cmd":["/bin/app"],"Healthcheck":{"Test":["NONE"]}}'
    app 'web: { image: app }, late: { image: other, depends_on: { web: healthy } }'
    gives 3 run_spec apply && says 'it waits until default/web is healthy, which has no health, and its image no HEALTHCHECK' && runs web && ! runs late
}

others_go_on() { # what hangs on an image that the run makes, but for who waits for one that is not healthy
    at health-others
    mkdir -p "$root/good" && printf 'FROM base\nRUN true\n' >"$root/good/Recipe"
    local with='images: { base: { source: "bootstrap:bookworm" }, app: { build: ./good } }' cache='cache: { image: base, health: { tcp: 6379 } }'
    printf '%s\n' "${with/, app*/ \}}" "containers: { $cache }" >"$root/spec.yaml"
    gives 0 run_spec apply && "$tool" "$root" kill cache && "$tool" "$root" ails cache 'connection refused' || return 1
    printf '%s\n' "$with" "containers: { $cache, web: { image: app }, late: { image: app, depends_on: { cache: healthy } } }" >"$root/spec.yaml"
    gives 7 run_spec --exact apply -y && ! runs web || return 1
    gives 7 run_spec apply -y && runs web && ! runs late && has_phase cache unhealthy && "$tool" "$root" ails cache - || return 1
    gives 0 run_spec apply && runs late && nothing_to_do
}

stopped_or_frozen() {
    at health-stopped
    healthy ', health: { tcp: 1 }' ', env: { A: b }' && gives 0 run_spec apply && gives 0 run stop cache && "$tool" "$root" kill web || return 1
    gives 3 run_spec apply && says 'which is stopped by hand' && ! runs web || return 1
    healthy ', health: { tcp: 1 }, frozen: true' && gives 0 run start cache && gives 3 run_spec apply && says 'which is frozen' && ! runs web
}

# Wherever a run is cut off or a probe fails, the next one waits again and comes to the same end.
cut_off_gates() { # WHEN: fail, die
    local n=0 variable=FPSYNC_FAKE_${1^^} all
    at "health-$1-all"
    healthy && gives 0 run_spec apply && all=$(calls)
    while [ $n -lt "$all" ]; do
        n=$((n + 1))
        at "health-$1-$n"
        healthy
        env "$variable=$n" "$fpsync" --root "$root" -f "$root/spec.yaml" apply >"$root/said" 2>&1
        gives 0 run_spec apply && runs web && has_phase cache healthy && gives 0 run_spec plan || { echo "call $n"; return 1; }
    done
    [ $n -gt 8 ]
}

check 'who waits until another is healthy begins behind its probe' gate_passes
check 'one that is not healthy in time leaves out who waits: 7' gate_fails
check 'what is started is waited for without anybody waiting' nobody_waits
check 'one that ends meanwhile ends the wait with its status' ends_meanwhile
check '--wait asks all, and writes only news' waits_for_all
check 'health is as the image has it, and the container wins' health_of_image
check 'an image without health holds who waits for it' none_in_image
check 'nor keeps it others from what hangs on images' others_go_on
check 'one that is stopped or frozen is not waited for' stopped_or_frozen
check 'a gate after a failure at every call' cut_off_gates fail
check 'a gate after a death at every call' cut_off_gates die

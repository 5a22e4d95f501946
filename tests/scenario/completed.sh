# Who waits until another container has completed (SEMANTICS 42); sourced by run.sh after commands.sh.
waits() { # FIELDS of web, which is left out without any [FIELDS of the job]
    {
        echo 'images: { base: { source: "bootstrap:bookworm" } }'
        echo 'containers:'
        echo "  job: { image: base, command: [ /bin/job ], restart: never${2-} }"
        [ -z "$1" ] || echo "  web: { image: base, depends_on: { job: completed }$1 }"
    } >"$root/spec.yaml"
}

failed_first() { # a job that fails holds who waits for it, until it is run again and does well
    at completed
    waits '' && gives 0 run_spec apply && "$tool" "$root" exit job 0 && "$tool" "$root" ends-with job 3 || return 1
    waits ', env: { A: b }' ', env: { A: b }'
    gives 2 run_spec -v plan && says 'after: container default/job has completed' || return 1
    gives 3 run_spec apply && says 'needs "wait until container default/job has completed", which failed: container.await: container job.' &&
        says 'ended with status 3' && ! runs web || return 1
    gives 2 run_spec plan && says 'held container default/web: it waits until default/job has completed, which failed: it ended with status 3' || return 1
    "$tool" "$root" ends-with job 0 && gives 0 run start job && gives 0 run_spec apply && runs web && gives 0 run_spec plan
}

too_late() { # one that takes its time: exit 7, and the next run waits again
    at completed-late
    waits '' && gives 0 run_spec apply && "$tool" "$root" ends-with job - || return 1
    waits ', env: { A: b }'
    gives 7 run_spec apply --timeout 1s && says 'did not complete within 1 s' && ! runs web && runs job || return 1
    "$tool" "$root" exit job 0 && gives 0 run_spec apply && runs web && gives 0 run_spec plan
}

# Under another name it has completed as well: a policy of on-failure does not run it again.
renamed_job() {
    at completed-renamed
    waits '' && sed -i 's/restart: never/restart: on-failure/' "$root/spec.yaml" && gives 0 run_spec apply && "$tool" "$root" exit job 0 || return 1
    waits ', env: { A: b }' && sed -i 's/restart: never/restart: on-failure/; s/ job: {/ task: { was: job,/; s/job: completed/task: completed/' "$root/spec.yaml"
    gives 0 run_spec apply && says 'rename container default/task' && runs web && ! runs task && gives 0 run_spec plan
}

# What was killed has left no status, and so has not completed.
killed_job() {
    at completed-killed
    waits '' && gives 0 run_spec apply && "$tool" "$root" kill job || return 1
    waits ', env: { A: b }'
    gives 3 run_spec apply && says 'it waits until default/job has completed, which was ended before its command did' && ! runs web || return 1
    gives 0 run start job && gives 0 run_spec apply && runs web && gives 0 run_spec plan
}

# What this run makes anew or names otherwise is waited for, whatever became of it before.
remade_job() {
    at completed-remade
    waits '' && gives 0 run_spec apply && "$tool" "$root" exit job 3 || return 1
    waits ', env: { A: b }' ', root: copy'
    gives 2 run_spec -v plan && says 'recreate container default/job' && says 'after: container default/job has completed' || return 1
    "$tool" "$root" ends-with job 3
    gives 3 run_spec apply && says 'ended with status 3' && ! runs web || return 1
    "$tool" "$root" ends-with job 0
    waits ', env: { A: b }' ', env: { B: c }'
    gives 0 run_spec apply && runs web && gives 0 run_spec plan || return 1
    gives 0 run start job && waits ', env: { A: c }' ', env: { B: c }' && sed -i 's/ job: {/ task: { was: job,/; s/job: completed/task: completed/' "$root/spec.yaml"
    gives 2 run_spec -v plan && says 'rename container default/task' && says 'after: container default/task has completed' &&
        gives 0 run_spec apply && ! runs task && runs web && gives 0 run_spec plan
}

# Wherever a rename is cut off, what the job ended with is known afterwards: its command runs no second time.
cut_off_rename() {
    local n=0
    while true; do
        n=$((n + 1))
        at "completed-cut-off-$n"
        waits '' && sed -i 's/restart: never/restart: on-failure/' "$root/spec.yaml" && gives 0 run_spec apply && "$tool" "$root" exit job 0 || return 1
        waits '' && sed -i 's/restart: never/restart: on-failure/; s/ job: {/ task: { was: job,/' "$root/spec.yaml"
        FPSYNC_FAKE_DIE=$(($(calls) + n)):after run_spec apply >/dev/null 2>&1 && break
        gives 0 run_spec apply && ! runs task >/dev/null || return 1
        waits '' && sed -i 's/ job: {/ task: { was: job,/' "$root/spec.yaml" && sed -i 's/restart: never/restart: on-failure/' "$root/spec.yaml"
        gives 0 run_spec plan && says 'Nothing to do' || return 1
        "$tool" "$root" print | jq -e '[.containers[] | select(.definition)] | length == 1' >/dev/null || return 1
    done
    [ $n -gt 4 ] || { echo "it was cut off $n times only"; return 1; }
}

# A backup has nothing of LXC's: what the job ended with is in its record, and it runs no second time.
restored_job() { # POLICY
    at "completed-restored-$1"
    waits ', env: { A: b }' && sed -i "s/restart: never/restart: $1/" "$root/spec.yaml" && gives 0 run_spec apply &&
        runs web && ! runs job && gives 0 run backup "$root/whole" || return 1
    "$tool" "$root" lose && rm -rf "$root/var/lib/fpsync" && gives 0 run restore --from "$root/whole" || return 1
    gives 2 run_spec plan && says 'repair container default/job' && says 'start container default/web' && gives 0 run_spec apply && runs web && ! runs job || return 1
    gives 0 run_spec plan && [ "$(run -o json status | jq -r '.objects[] | select(.name == "default/job" and .kind == "container") | .phase')" = completed ] || return 1
    # What it ended with before its last start is of no account.
    [ "$1" != never ] || { gives 0 run start job && "$tool" "$root" kill job && "$tool" "$root" undefine job && "$tool" "$root" kill web && gives 2 run_spec plan &&
        says 'it waits until default/job has completed, which LXC has no more, nor how its command ended'; }
}

stopped_job() {
    at completed-stopped
    waits '' && gives 0 run_spec apply && gives 0 run stop job || return 1
    waits ', env: { A: b }'
    gives 3 run_spec apply && says 'which is stopped by hand' && ! runs web
}

# What was written for one that then was not made is no other hand's doing, and goes.
nobodys_rules() {
    at completed-alone
    waits '' && gives 0 run_spec apply && "$tool" "$root" exit job 0 && "$tool" "$root" ends-with job 3 || return 1
    waits ', networks: [ only ], env: { A: b }' ', env: { A: b }'
    echo 'networks: { only: { subnet: 10.30.0.0/24 } }' >>"$root/spec.yaml"
    gives 3 run_spec apply && ! runs web || return 1
    gives 2 run_spec plan && says 'those of container default/web, which is not on record, go' && ! grep 'another hand' "$root/said" || return 1
    gives 3 run_spec apply
    gives 2 run_spec plan && ! grep -E 'another hand|which is not on record' "$root/said"
}
check "rules and names of one that was not made are nobody's doing" nobodys_rules

# An address that begins like one that is not given out any more is another one.
alike_addresses() {
    at completed-alike
    local who='other: { image: base, networks: { only: { address: 10.30.0.2 } } }'
    spec() {
        printf 'images: { base: { source: "bootstrap:bookworm" } }\nnetworks: { only: { subnet: 10.30.0.0/24 } }\n' >"$root/spec.yaml"
        printf 'containers: { web: { image: base, networks: { only: { address: 10.30.0.20 } } }%s }\n' "${1:+, $1}" >>"$root/spec.yaml"
    }
    spec "$who" && gives 0 run_spec apply && spec '' && gives 0 run_spec --allow-mass-delete apply || return 1
    "$tool" "$root" kill-resolver default/only && gives 2 run_spec plan && says "drift: " && ! grep "which is not on record" "$root/said"
}
check "an address that begins like one that went is not taken for it" alike_addresses
check 'who waits for a job that failed is held, and comes when it did well' failed_first
check 'a job that does not end in time leaves out who waits for it' too_late
check 'a job that has completed did so under another name, too' renamed_job
check 'a job that was killed has not completed' killed_job
check 'a job that is made anew or renamed is waited for' remade_job
check 'wherever that is cut off' cut_off_rename
check 'a job that has completed did so after a restore, too' restored_job never
check 'whatever its policy' restored_job on-failure
check 'a job that was stopped by hand does not complete' stopped_job

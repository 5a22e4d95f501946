# What commands say and answer, on the fakes; sourced by run.sh, whose check() counts. A case plays in a root of its
# own: `at CASE` makes it, `run ARGUMENTS` is fpsync in it, and the spec is ROOT/spec.yaml.
at() { # CASE
    root=$work/case-$1
    mkdir -p "$root"
}

run() {
    "$fpsync" --root "$root" --parallel 1 "$@"
}

run_spec() {
    run -f "$root/spec.yaml" "$@"
}

gives() { # EXIT COMMAND...: its status must be this; what it printed is kept in $root/said
    local wanted=$1 status
    shift
    "$@" >"$root/said" 2>&1
    status=$?
    cat "$root/said"
    [ "$status" = "$wanted" ] && return 0
    echo "exit $status, expected $wanted: ${*}"
    return 1
}

says() { # TEXT
    grep -qF -- "$1" "$root/said" || { echo "not said: $1"; return 1; }
}

web() { # ENTRIES: a spec with one container web of them
    printf 'images: { base: { source: "bootstrap:bookworm" } }\ncontainers: { web: { image: base%s } }\n' \
        "${1:+, $1}" >"$root/spec.yaml"
}

runs() { # CONTAINER
    "$tool" "$root" print | jq -e --arg name "$1" '.containers | to_entries[] | select(.key | startswith($name + ".")) | .value.running' >/dev/null ||
        { echo "$1 does not run"; return 1; }
}

calls() {
    "$tool" "$root" calls
}

# ---- plans on disk, and a part of a set ----

two() { # TAG of an env
    printf 'images: { base: { source: "bootstrap:bookworm" } }\ncontainers: { web: { image: base, env: { A: "%s" } }, other: { image: base }, top: { image: base, depends_on: [web] } }\n' \
        "$1" >"$root/spec.yaml"
}

plan_files() {
    at plan-file
    two 1
    gives 2 run_spec --out "$root/p" plan && [ "$(stat -c %a "$root/p")" = 600 ] &&
        gives 0 run_spec --plan "$root/p" apply && runs web &&
        gives 4 run_spec --plan "$root/p" apply && says 'planned was create image/default/base, now it is nothing more' &&
        two 2 && gives 2 run_spec --out "$root/p" plan && two 3 &&
        gives 4 run_spec --plan "$root/p" apply && says 'restart container/default/web: it was' && says '"new":"3"' &&
        two 2 && echo '# another byte' >>"$root/spec.yaml" &&
        gives 4 run_spec --plan "$root/p" apply && says 'the spec files, or the variables' &&
        two 2 && gives 0 run_spec --plan "$root/p" --exact apply && gives 0 run_spec plan &&
        gives 1 run_spec --plan "$root/spec.yaml" apply && says 'the plan' && gives 1 run_spec --plan "$root/none" apply
}

targets() {
    at target
    two 1
    gives 2 run_spec --target container/top plan && says '4 to create' || return 1
    gives 0 run_spec --target container/top apply && runs web && runs top && ! runs other >/dev/null &&
        gives 0 run_spec --target containers/default/top plan || return 1
    gives 0 run_spec apply && runs other || return 1
    # What is not meant is neither repaired nor removed.
    "$tool" "$root" kill other
    printf 'images: { base: { source: "bootstrap:bookworm" } }\ncontainers: { web: { image: base, env: { A: "9" } } }\n' >"$root/spec.yaml"
    gives 2 run_spec --target container/web plan && says '0 to create, 1 to change, 0 to remove' &&
        gives 0 run_spec --target container/web apply && ! runs other >/dev/null && runs top &&
        gives 1 run_spec --target container/wbe plan && says 'did you mean' &&
        gives 1 run_spec --target web plan && says 'expected KIND/NAME' &&
        gives 1 run_spec --target container/web down
}

check 'apply --plan does what was planned, and refuses all else by naming it' plan_files
check '--target acts on the object and what it needs, and on nothing else' targets

# ---- broken files: SEMANTICS 17 ----

held_back() {
    at held-back
    mkdir -p "$root/set"
    echo 'images: { base: { source: "bootstrap:bookworm" } }' >"$root/set/0.yaml"
    echo 'containers: { web: { image: base }, old: { image: base } }' >"$root/set/1.yaml"
    echo 'containers: { other: { image: base } }' >"$root/set/2.yaml"
    gives 0 run -f "$root/set" apply || return 1
    # One is broken: what it said stays in force, and the rest is applied, removals among it.
    echo 'containers: { web: { image: base, hostname: {} } }' >"$root/set/1.yaml"
    echo 'containers: { new: { image: base } }' >"$root/set/2.yaml"
    "$tool" "$root" kill old
    gives 6 run -f "$root/set" apply && ! runs new >/dev/null && runs other || return 1
    gives 6 run --auto --allow-mass-delete -f "$root/set" apply && says '1.yaml is held back' && says "'hostname'" || return 1
    runs web && runs old && runs new && ! runs other >/dev/null || return 1
    gives 6 run --auto -f "$root/set" apply && says 'Nothing to do' || return 1
    # Its mistake is in another that was not touched: both are held back.
    echo 'containers: { web: { image: base }, new: { image: base } }' >"$root/set/1.yaml"
    gives 6 run --auto -f "$root/set" apply && runs new && runs old || return 1
    # The rest does not stand without it: all of them.
    echo 'images: { base: [] }' >"$root/set/0.yaml"
    echo 'containers: { third: { image: bsae } }' >"$root/set/3.yaml"
    gives 6 run --auto -f "$root/set" apply && runs web && runs new || return 1
    rm "$root/set/3.yaml"
    echo 'images: { base: { source: "bootstrap:bookworm" } }' >"$root/set/0.yaml"
    echo 'containers: { web: { image: base } }' >"$root/set/1.yaml"
    gives 0 run --auto --allow-mass-delete -f "$root/set" apply && runs web && ! runs old >/dev/null
}

check 'an automatic run holds broken files back singly' held_back

# ---- values that must not be shown: SEMANTICS 30 ----

canary=Kanarienvogel

leaks_nowhere() {
    ! grep -q "$canary" "$root/said" || { echo "it is shown"; return 1; }
    # fake/ is the world: what containers are given. secrets/ is where the value is meant to be.
    ! find "$root" -type f ! -path '*/fake/*' ! -path '*/secrets/*' ! -name spec.yaml \
        -exec grep -l "$canary" {} + || return 1
}

hidden_values() {
    at hidden
    web "env: { DB_PASSWORD: $canary-1, api_token: $canary-2, SITE: shop }"
    gives 2 run_spec plan && leaks_nowhere &&
        gives 0 run_spec -o json apply && leaks_nowhere &&
        grep -aq shop "$root/var/lib/fpsync/state/data.mdb" || return 1 # the search finds what is there
    for arguments in 'plan' 'status' '-o json status' 'stop web' '-o json status' 'start web' 'apply' 'doctor'; do
        # shellcheck disable=SC2086
        run_spec $arguments >"$root/said" 2>&1
        leaks_nowhere || { echo "by $arguments"; return 1; }
    done
    [ "$(stat -c %a "$root/var/lib/fpsync/secrets" "$root"/var/lib/fpsync/secrets/* | sort -u | tr '\n' ' ')" = '600 700 ' ] &&
        gives 0 run_spec plan
}

hidden_change() {
    web "env: { DB_PASSWORD: $canary-3, api_token: $canary-2, SITE: shop }"
    gives 2 run_spec plan && says 'env.DB_PASSWORD: (sensitive, changed)' && leaks_nowhere &&
        gives 0 run_spec apply && gives 0 run_spec plan &&
        [ "$("$tool" "$root" print | grep -c "$canary-3")" -gt 0 ] || return 1
    # What no record needs any more is gone: the key and two values stay.
    ls "$root/var/lib/fpsync/secrets"
    ! grep -rq "$canary-1" "$root/var/lib/fpsync/secrets" && [ "$(ls "$root/var/lib/fpsync/secrets" | wc -l)" = 3 ]
}

hidden_kept() { # start, and a repair without a file, have the value
    "$tool" "$root" kill web || return 1
    echo 'containers: {' >"$root/spec.yaml"
    gives 6 run_spec --auto apply && runs web && [ "$("$tool" "$root" print | grep -c "$canary-3")" -gt 0 ]
}

hidden_lost() {
    rm -r "$root/var/lib/fpsync/secrets"
    gives 0 run stop web && gives 1 run start web && says 'container default/web: the value of env.DB_PASSWORD is not kept any more' || return 1
    web "env: { DB_PASSWORD: $canary-3, api_token: $canary-2, SITE: shop }"
    gives 2 run_spec plan && says 'env.DB_PASSWORD: (sensitive, changed)' && gives 0 run_spec apply &&
        gives 0 run start web && runs web && gives 0 run_spec plan
}

check "values of sensitive variables stand in no output and in no record" hidden_values
check "a changed one is told as such and replaces the old" hidden_change
check "it is there where there is no file to ask" hidden_kept
check "a lost one stops no container, starts none without it, and comes back from the file" hidden_lost

# ---- a lost record: SEMANTICS 46 ----

lost_record() {
    at rebuild
    cat >"$root/spec.yaml" <<'END'
images: { base: { source: "bootstrap:bookworm" } }
networks: { front: { subnet: 10.30.0.0/24 } }
volumes: { data: {} }
containers:
  web: { image: base, networks: { front: { address: 10.30.0.10 }, default: {} }, volumes: [ "data:/srv" ], ports: [ "8080:80" ], env: { A: b, DB_PASSWORD: x } }
  job: { image: base, command: [ sleep, "9" ], limits: { pids: 20 } }
END
    gives 0 run_spec apply && gives 0 run stop job || return 1
    "$tool" "$root" state >"$root/before"
    rm -r "$root/var/lib/fpsync/state"
    before=$(calls)
    gives 4 run_spec apply && says 'fpsync doctor --rebuild' && [ "$before" = "$(calls)" ] &&
        gives 4 run_spec --auto apply && [ "$before" = "$(calls)" ]
}

rebuilt_record() {
    gives 0 run_spec doctor --rebuild && says 'container/default/web: on record again' && [ "$before" = "$(calls)" ] || return 1
    # What was stopped by hand stays so.
    gives 0 run_spec plan && gives 0 run status && says 'stopped by' && "$tool" "$root" state | diff "$root/before" - || return 1
    gives 0 run start job && runs job && gives 0 run stop job && "$tool" "$root" state | diff "$root/before" - || return 1
    gives 0 run_spec doctor --rebuild && says 'Nothing to rebuild'
}

rebuilt_difference() { # what changed in the file meanwhile is told and done, no more
    rm -r "$root/var/lib/fpsync/state"
    sed -i 's/A: b/A: c/; s/, default: {}//' "$root/spec.yaml"
    gives 0 run_spec doctor --rebuild && gives 2 run_spec plan && says 'env.A: b -> c' && says 'restart container default/web' && ! grep -q recreate "$root/said"
}

rebuilt_half() {
    rm -r "$root/var/lib/fpsync/state"
    cp "$root/spec.yaml" "$root/all.yaml"
    sed -i '/ job:/d' "$root/spec.yaml"
    gives 3 run_spec doctor --rebuild && says 'job.' && says 'no file given declares it'
}

check "without its database apply refuses and touches nothing" lost_record
check "doctor --rebuild restores record and leases, and apply then has nothing to do" rebuilt_record
check "what the files say otherwise meanwhile is a change as ever" rebuilt_difference
rebuilt_retained() {
    at rebuild-retained
    cat >"$root/spec.yaml" <<'END'
images: { base: { source: "bootstrap:bookworm" } }
volumes: { data: {}, old: {}, sized: { size: 64MiB } }
containers:
  web: { image: base, volumes: [ "data:/srv" ] }
  gone: { image: base, volumes: [ "old:/srv", "sized:/sized" ] }
END
    gives 0 run_spec apply && sed -i '/ gone:/d; s/, old: .*/ }/' "$root/spec.yaml" && gives 0 run_spec apply || return 1
    gives 0 run -o name gc --dry-run --force && cp "$root/said" "$root/retained" && [ "$(grep -c . "$root/retained")" = 3 ] || return 1
    rm -r "$root/var/lib/fpsync/state"
    gives 0 run_spec doctor --rebuild && gives 0 run_spec plan &&
        gives 0 run -o name gc --dry-run --force && diff "$root/retained" "$root/said" || return 1
    # One of them is declared again, and is what it was.
    sed -i 's/data: {}/data: {}, sized: { size: 32MiB }/' "$root/spec.yaml"
    gives 3 run_spec apply && says 'of type loop and larger' && sed -i 's/32MiB/64MiB/' "$root/spec.yaml" &&
        gives 0 run_spec apply && gives 0 run_spec plan && gives 0 run gc --force && gives 0 run -o name gc --dry-run --force && [ ! -s "$root/said" ]
}

check "what no file given declares is named" rebuilt_half
check "retained data is on record again, to be declared or freed" rebuilt_retained

host_lacks() { # doctor tells of it, and what it costs
    at lacking
    web ''
    gives 0 run_spec apply && gives 0 run doctor && says 'ok       a kernel that tells of the flows' || return 1
    "$tool" "$root" miss ctnetlink
    gives 0 run doctor && says 'warning  the kernel does not tell of the flows' && says 'goes on to where it led' && says 'modprobe nf_conntrack_netlink'
}

check "doctor says what the host lacks" host_lacks

# ---- automatic runs and human wishes: SEMANTICS 16, 18, 19, 24, 25 ----

same_calls() { # COMMAND...: it makes no effect call
    local were now
    were=$(calls)
    "$@" || return 1
    now=$(calls)
    [ "$were" = "$now" ] || { echo "$((now - were)) calls of a driver: ${*}"; return 1; }
}

auto_broken() {
    at auto
    web
    gives 0 run_spec apply || return 1
    for broken in 'containers: {' 'containers: { web: { image: nowhere } }' ''; do
        echo "$broken" >"$root/spec.yaml"
        "$tool" "$root" kill web || return 1
        wanted=4
        [[ $broken != containers* ]] || wanted=6
        same_calls gives $wanted run_spec apply || return 1
        gives $wanted run_spec --auto apply && runs web && same_calls gives $wanted run_spec --auto apply || return 1
    done
}

auto_missing() {
    at missing
    web
    gives 0 run_spec apply && rm "$root/spec.yaml" || return 1
    "$tool" "$root" kill web && same_calls gives 4 run_spec apply && says 'missing' && gives 4 run_spec --auto apply && runs web || return 1
    mkdir -p "$root/specs"
    web
    mv "$root/spec.yaml" "$root/specs/web.yaml"
    sed -i 's/base/lower/g; s/web:/other:/' "$root/specs/web.yaml"
    gives 0 run -f "$root/specs" apply && rm "$root/specs/web.yaml" && "$tool" "$root" kill other || return 1
    same_calls gives 4 run -f "$root/specs" apply && says 'missing or empty' && gives 4 run -f "$root/specs" --auto apply && runs other
}

# Files without a word are none, whatever lies beside them; one that says that there is nothing is believed.
empty_files() {
    at empty-files
    mkdir -p "$root/specs/main.yaml.d"
    echo 'images: { base: { source: "bootstrap:bookworm" } }' >"$root/specs/main.yaml"
    echo 'containers: { web: { image: base } }' >"$root/specs/web.yaml"
    echo 'x-note: 1' >"$root/specs/main.yaml.d/a.yaml"
    gives 0 run -f "$root/specs" apply || return 1
    : >"$root/specs/main.yaml"
    printf '\n# web\n---\n \n' >"$root/specs/web.yaml"
    gives 4 run -f "$root/specs" plan && says "apply would refuse" || return 1
    for flag in -q --auto; do
        same_calls gives 4 run -f "$root/specs" $flag apply && says 'missing or empty' && runs web || return 1
    done
    # Another source that is empty keeps nobody from removing of his own.
    : >"$root/none.yaml"
    echo 'containers: {}' >"$root/specs/web.yaml"
    gives 0 run -f "$root/specs" -f "$root/none.yaml" apply && ! runs web >/dev/null && gives 0 run -f "$root/none.yaml" apply
}

# SEMANTICS 23: what an automatic run has repaired three times within ten minutes it lets stand, and says so once.
contested_drift() {
    at contested
    web 'networks: []'
    gives 0 run_spec apply || return 1
    for _ in 1 2 3; do
        "$tool" "$root" kill web && gives 0 run_spec --auto apply && runs web || return 1
    done
    "$tool" "$root" kill web || return 1
    same_calls gives 0 run_spec --auto -q apply && says 'contested: "drift: killed" came back after three repairs' &&
        same_calls gives 0 run_spec --auto -q apply && [ ! -s "$root/said" ] && gives 1 runs web &&
        gives 0 run status -o json && jq -e '.objects[] | select(.kind == "container") | .phase == "contested"' "$root/said" || return 1
    # Another drift of it, a change and a person have their way.
    gives 0 run_spec apply && runs web && "$tool" "$root" kill web || return 1
    web 'networks: [], env: { A: b }' && gives 0 run_spec --auto apply && runs web
}

contested_failures() {
    at contested-failures
    web 'networks: []'
    gives 0 run_spec apply && "$tool" "$root" kill web || return 1
    for _ in 1 2 3; do
        FPSYNC_FAKE_FAIL=$(($(calls) + 1)) gives 3 run_spec --auto apply && ! runs web || return 1
    done
    same_calls gives 0 run_spec --auto apply && says 'contested: "drift: killed"' && gives 0 run_spec apply && runs web
}

start_cut_off() { # behind its effect: the second time it runs already
    at start-cut-off
    web 'ports: [ "8080:80" ]'
    gives 0 run_spec apply && gives 0 run stop web || return 1
    cp -a "$root" "$root.before"
    local first n
    first=$(calls)
    for ((n = first + 1; n < first + 9; n++)); do
        rm -rf "$root" && cp -a "$root.before" "$root" || return 1
        FPSYNC_FAKE_DIE=$n:after run start web >/dev/null 2>&1 && break
        gives 0 run start web && runs web && gives 0 run_spec plan && gives 0 run_spec apply && runs web || { echo "after a death at call $n"; return 1; }
    done
    [ $n -gt $((first + 2)) ]
}

stop_survives() {
    at wishes
    web
    gives 0 run_spec apply && gives 0 run stop web || return 1
    web 'env: { A: b }'
    gives 0 run_spec apply && ! runs web && gives 0 run_spec plan && gives 0 run_spec --auto apply && ! runs web || return 1
    run -o json status | jq -e '.objects[] | select(.kind == "container") | .phase == "stopped" and (.reason | test("^stopped by .* at 20"))' >/dev/null &&
        gives 0 run start web && runs web &&
        [ "$("$tool" "$root" print | jq -r '.containers[].definition.env.A')" = b ] && gives 0 run_spec plan
}

crash_is_drift() {
    "$tool" "$root" kill web && gives 2 run_spec plan && says 'drift: killed' && gives 0 run_spec --auto apply && runs web
}

down_stays() {
    before=$(run -o json status | jq -c '.objects[] | select(.kind == "container") | .addresses')
    gives 0 run_spec down && same_calls gives 0 run_spec --auto apply && ! runs web || return 1
    run -o json status | jq -e '.objects | map(.kind + " " + .phase) == ["layer retained"]' >/dev/null && gives 0 run_spec apply && runs web &&
        [ "$before" = "$(run -o json status | jq -c '.objects[] | select(.kind == "container") | .addresses')" ] && gives 0 run_spec --auto apply
}

down_is_one_source() {
    at two-sources
    web
    sed 's/web:/other:/; s/base/lower/g' "$root/spec.yaml" >"$root/other.yaml"
    local both=(-f "$root/spec.yaml" -f "$root/other.yaml")
    gives 0 run "${both[@]}" apply && gives 0 run_spec down && "$tool" "$root" kill other || return 1
    gives 0 run "${both[@]}" --auto apply && runs other && ! runs web && gives 0 run "${both[@]}" apply && runs web
}

used_by_another_source() {
    at used
    printf 'images: { base: { source: "bootstrap:bookworm" } }\nnetworks: { front: { subnet: 10.30.0.0/24 } }\ncontainers: { web: { image: base, networks: [ front ] } }\n' >"$root/spec.yaml"
    printf 'images: { lower: { source: "bootstrap:bookworm" } }\ncontainers: { other: { image: lower, networks: [ front ] } }\n' >"$root/other.yaml"
    gives 0 run -f "$root/spec.yaml" -f "$root/other.yaml" apply && gives 3 run_spec down &&
        says "held network default/front" && says "container default/other of $root/other.yaml still uses it" && runs other && ! runs web &&
        gives 0 run -f "$root/other.yaml" apply && gives 0 run -f "$root/other.yaml" down && gives 0 run_spec down || return 1
    run -o json status | jq -e '.objects | map(.kind + " " + .phase) == ["layer retained", "layer retained"]' >/dev/null
}

held_is_told_once() {
    at held
    web 'privileged: true'
    local automatic=(run_spec --auto -q apply)
    gives 0 "${automatic[@]}" && says 'not permitted' && gives 0 "${automatic[@]}" && [ ! -s "$root/said" ] || return 1
    printf 'images: { base: { source: "bootstrap:bookworm" } }\ncontainers:\n  web: { image: base, privileged: true }\n  too: { image: base, privileged: true }\n' >"$root/spec.yaml"
    gives 0 "${automatic[@]}" && says 'default/too' && gives 0 "${automatic[@]}" && [ ! -s "$root/said" ] || return 1
    web
    gives 0 "${automatic[@]}" && web 'privileged: true' && gives 0 "${automatic[@]}" && says 'not permitted'
}

one_writer() {
    exec 7>"$root/run/fpsync/lock"
    flock 7
    printf 'pid %d, fpsync test' $$ >"$root/run/fpsync/lock"
    same_calls gives 5 run_spec apply && says "pid $$, fpsync test" &&
        same_calls gives 0 run_spec --auto --lock-timeout 10ms apply && says "pid $$, fpsync test" &&
        gives 0 run_spec plan && gives 0 run status && gives 0 run_spec validate
    local result=$?
    exec 7>&-
    return $result
}

nothing_recorded() {
    before=$(cd "$root/var/lib/fpsync" && find . -type f ! -name lock.mdb -exec stat -c '%n %s %y' {} + | sort; sha256sum state/data.mdb)
    same_calls gives 0 run_spec apply && same_calls gives 0 run_spec --auto apply && same_calls gives 0 run_spec plan &&
        [ "$before" = "$(cd "$root/var/lib/fpsync" && find . -type f ! -name lock.mdb -exec stat -c '%n %s %y' {} + | sort; sha256sum state/data.mdb)" ]
}

check "a broken or empty set leaves the last good one in force, and --auto repairs it" auto_broken
check "so does a missing file, and an empty folder" auto_missing
check "so do files that hold nothing but blanks and comments" empty_files
check "a start that was cut off is taken up by the next" start_cut_off
check "drift that keeps coming back is contested" contested_drift
check "so is drift whose repair fails again and again" contested_failures
check "a stop survives apply and edits until start" stop_survives
check "a crash is drift" crash_is_drift
check "down stays down for automatic runs, and keeps layer and address" down_stays
check "one writer; readers take no lock" one_writer
check "a run with no action writes nothing" nothing_recorded
check "down leaves out its own source and no other" down_is_one_source
check "what another source still uses is held back from removal" used_by_another_source
check "an automatic run tells of a held change once" held_is_told_once

# ---- whose object it is: SEMANTICS 3 ----

source_of() { # KIND/NAME
    run -o json status | jq -r --arg id "$1" '.objects[] | select(.kind + "/" + .name == $id) | .source'
}

taken_over() {
    at sources
    web
    gives 0 run_spec apply && cp "$root/spec.yaml" "$root/second.yaml" || return 1
    same_calls gives 4 run -f "$root/second.yaml" apply && says 'spec.yaml:1' && says 'second.yaml:1' && says '--take-over' || return 1
    same_calls gives 0 run -f "$root/second.yaml" --take-over apply && says 'source: ' &&
        [ "$(source_of container/default/web)" = "$root/second.yaml" ] && gives 0 run -f "$root/second.yaml" plan
}

moved_by_itself() {
    mv "$root/second.yaml" "$root/third.yaml"
    gives 2 run -f "$root/third.yaml" plan && says 'source: ' && same_calls gives 0 run -f "$root/third.yaml" apply &&
        [ "$(source_of container/default/web)" = "$root/third.yaml" ] && gives 0 run -f "$root/third.yaml" plan && runs web
}

# What came in with a container goes with it: nobody else's layer holds the image of a source that goes.
moved_whole() {
    [ "$(source_of layer/default/web)" = "$root/third.yaml" ] && gives 0 run -y -f "$root/third.yaml" down || return 1
    ! grep 'still uses it' "$root/said" && [ -z "$(source_of image/default/base)" ] || return 1
    web && gives 0 run_spec apply && cp "$root/spec.yaml" "$root/second.yaml" && gives 0 run -f "$root/second.yaml" --take-over apply &&
        [ "$(source_of layer/default/web)" = "$root/second.yaml" ] && gives 0 run -y -f "$root/second.yaml" down
}

check "another source's object is refused, and --take-over moves its record alone" taken_over
check "it moves by itself when the first source's path is gone" moved_by_itself
check "its layer moves with it, and so its source goes in one run" moved_whole

# ---- the command line: DESIGN 5 ----

usage_errors() {
    at usage
    web
    gives 1 run apply extra && says 'apply takes no arguments, found "extra"' &&
        gives 1 run aply && says 'did you mean apply?' &&
        gives 1 run apply --tmeout 3 && says 'did you mean --timeout?' &&
        gives 1 run plan --color sometimes && says 'expected auto, always or never' &&
        FPSYNC_PARALLEL=x gives 1 run plan && says '--parallel: expected a number' &&
        gives 1 run -f "$root/missing.yaml" apply && says "$root/missing.yaml: there is no such file" &&
        gives 1 run start && says 'start: which container?' &&
        gives 1 run -o json forget container/none && jq -e '.schema == 1 and .code == 1 and (.error | length > 0)' "$root/said"
}

help_of_each() {
    gives 0 run --help || return 1
    for command in $(sed -n '/^$/,/^$/s/^  \([a-z]*\) .*/\1/p' "$root/said"); do
        gives 0 run "$command" --help >/dev/null && says "usage: fpsync $command" && says '--root' || return 1
    done
    gives 0 run gc --help && says '--force' && ! grep -q -- '--drift' "$root/said"
}

flags_anywhere() {
    FPSYNC_FILE=$root/spec.yaml gives 0 run apply -q &&
        gives 0 run stop web -o json && jq -e '.actions[0].outcome == "done"' "$root/said" &&
        gives 0 run start -o json web && jq -e '.actions[0].id == "start container/default/web"' "$root/said" &&
        gives 0 run start web -o json && jq -e '.actions == []' "$root/said" &&
        gives 0 run restart web web && [ "$(grep -c 'restart container' "$root/said")" = 1 ]
}

names_only() {
    gives 0 run validate -f "$root/spec.yaml" -o name && says 'container/default/web' &&
        gives 0 run status -o name && says 'container/default/web' &&
        gives 1 run gc layer/web && says 'layer/web is not retained' &&
        gives 0 run -f "$root/spec.yaml" down && gives 0 run gc layer/web -o name && [ "$(head -n 1 "$root/said")" = layer/default/web ]
}

as_yaml() {
    at yaml
    web 'env: { ON: "no", PORT: "8080" }, networks: []'
    gives 2 run_spec plan -o yaml && diff - "$root/said" <<END || return 1
schema: 1
actions:
  - id: create image/default/base
    kind: image
    name: default/base
    verb: create
    class: live
    causes:
      - field: declared
        old: null
        new: bootstrap:bookworm
        at: $root/spec.yaml:1
    needs: []
  - id: create container/default/web
    kind: container
    name: default/web
    verb: create
    class: live
    causes:
      - field: declared
        old: null
        new: default/base
        at: $root/spec.yaml:2
    needs:
      - create image/default/base
held: []
warnings: []
END
    gives 0 run_spec apply && web 'env: { ON: "yes", PORT: "a: b" }, networks: []' && gives 2 run_spec plan -o yaml &&
        says 'old: "no"' && says 'new: "yes"' && says 'old: "8080"' && says 'new: "a: b"'
}

errors_as_data() {
    gives 1 run plan --paralel 3 -o json && jq -e '.error == "unknown flag --paralel; did you mean --parallel?" and .code == 1' "$root/said" &&
        gives 1 run -o json plan --parallel many && jq -e '.error | startswith("--parallel: expected a number")' "$root/said" &&
        gives 1 run -o json aply && jq -e '.error | contains("did you mean apply?")' "$root/said" &&
        gives 1 run -o json plan web && jq -e '.error | startswith("plan takes no arguments")' "$root/said" &&
        FPSYNC_OUTPUT=yaml gives 1 run plan --timeout && says 'error: "--timeout needs a value"'
}

explained_as_data() {
    gives 0 run explain container.ports && cp "$root/said" "$root/text" && gives 0 run -o json explain container.ports &&
        jq -e --rawfile text "$root/text" '.schema == 1 and .field == "container.ports" and .text == $text' "$root/said" &&
        gives 0 run explain -o yaml container.ports && says 'field: container.ports'
}

# On a terminal, made by script(1): anywhere else nobody is asked.
at_terminal() { # ANSWER COMMAND...
    local answer=$1
    shift
    echo "$answer" | script -qec "$(printf '%q ' "$@")" /dev/null
}

asked_on_a_terminal() {
    local down=("$fpsync" --root "$root" -f "$root/spec.yaml" down)
    web 'networks: []' && gives 0 run_spec apply &&
        gives 2 at_terminal n "${down[@]}" && says 'Do it? [y/N]' && says 'Nothing was done.' && runs web &&
        gives 0 at_terminal y "${down[@]}" && says 'delete container default/web: done' && gives 1 runs web
}

# Every action begins once and ends once, in that order, and the last says that all have ended.
progress_as_events() {
    web 'networks: []' && run_spec --progress json apply 2>"$root/events" >"$root/said" || return 1
    jq -se '
        (map(select(.event == "begun")) | length) == 2 and
        (map(select(.event == "ended")) | map(.ended)) == [1, 2] and
        all(.[]; .schema == 1 and .count == 2) and
        any(.[]; .event == "progress" and .kind == "image" and .message == "unpacking 50 %") and
        (.[0] | .event == "begun" and .kind == "image") and
        (last | .event == "ended" and .name == "default/web" and .outcome == "done")' "$root/events" ||
        { cat "$root/events"; return 1; }
    gives 0 run_spec -o json down && [ "$(grep -c event "$root/said")" = 0 ]
}

progress_on_a_terminal() {
    local clear=$'\r\e[K'
    web 'networks: []' && TERM=xterm gives 0 at_terminal '' "$fpsync" --root "$root" -f "$root/spec.yaml" apply &&
        says "$clear[0/2] create default/base;" && says "$clear[0/2] create default/base: unpacking 50 %;" &&
        says "$clear[1/2] create image default/base: done" && says "$clear[2/2] create container default/web: done" &&
        TERM=dumb gives 0 at_terminal y "$fpsync" --root "$root" -f "$root/spec.yaml" down && [ "$(grep -c $'\e\[K' "$root/said")" = 0 ]
}

history_is_told() {
    at history
    web 'networks: []'
    gives 0 run_spec apply && web 'networks: [], env: { A: b }' && gives 0 run_spec apply || return 1
    gives 0 run history && [ "$(grep -c "$root/spec.yaml" "$root/said")" = 2 ] &&
        [ "$(sed -n 2p "$root/said" | awk '{ print $2, $4, $5 }')" = '2 1 done' ] || return 1
    gives 0 run -v history "$root/spec.yaml" && says 'restart container default/web: done' && says 'create image default/base: done' &&
        gives 0 run -v -o json history && jq -e '.schema == 1 and (.generations | map(.generation)) == [2, 1] and
            (.generations[0].set | contains("A:")) and (.generations[1].actions | length) == 2' "$root/said" &&
        gives 1 run history "$root/spec.yml" && says "did you mean $root/spec.yaml?"
}

# What a held container uses by its record stays, though nobody declares it any more.
held_keeps() {
    at held
    local images='images: { base: { source: "bootstrap:bookworm" } }'
    cat >"$root/spec.yaml" <<END
$images
networks: { front: {}, back: {} }
layers: { old: { image: base } }
containers: { web: { image: base, networks: [ front ] }, job: { networks: [ back ], layer: old } }
END
    gives 0 run_spec apply || return 1
    cat >"$root/spec.yaml" <<END
$images
networks: { front: {} }
containers: { web: { image: base, networks: [ front ] }, job: { image: base, networks: [ front ], privileged: true } }
END
    gives 3 run_spec --allow-mass-delete apply && says 'held network default/back' && says 'held layer default/old' &&
        runs job && gives 2 run_spec plan && says '0 to create, 0 to change, 0 to remove, 3 held' || return 1
    sed -i 's/, privileged: true//' "$root/spec.yaml"
    gives 0 run_spec apply && says 'delete network default/back: done' && gives 0 run_spec plan &&
        [ -z "$("$tool" "$root" violations)" ]
}

# Who takes over the layer that another leaves waits for it; a layer left for a declared one is retained.
layers_change_hands() {
    at hands
    local images='images: { base: { source: "bootstrap:bookworm" } }'
    printf '%s\nlayers: { l: { image: base } }\ncontainers: { a: { image: base }, b: { layer: l } }\n' "$images" >"$root/spec.yaml"
    gives 0 run_spec apply || return 1
    printf '%s\nlayers: { l: { image: base } }\ncontainers: { a: { layer: l }, b: { image: base } }\n' "$images" >"$root/spec.yaml"
    gives 0 run_spec apply && gives 0 run_spec plan && gives 0 run gc --force && says 'layer default/a: freed' || return 1
    printf 'images: { base: { source: "bootstrap:bookworm" }, other: { source: "bootstrap:trixie" } }
layers: { l: { image: other } }\ncontainers: { a: { layer: l }, b: { image: base } }\n' >"$root/spec.yaml"
    gives 3 run_spec apply && says 'what it holds was made on image default/base, not on default/other' && gives 2 run_spec plan
}

waits_are_shown() {
    gives 2 run -f "$root/spec.yaml" -v plan && says 'after: create network/default/default'
}

loans() { # ENTRIES of web
    echo "images: { base: { source: \"bootstrap:bookworm\" } }" >"$root/spec.yaml"
    echo "containers: { web: { image: base, networks: []${1:+, $1} } }" >>"$root/spec.yaml"
    run_spec apply
}
conf() { # ENTRIES of allow
    mkdir -p "$root/etc/fpsync" && echo "allow: { $1 }" >"$root/etc/fpsync/fpsync.conf"
}
loans_need_permission() {
    at loans
    gives 3 loans 'binds: [ "/srv/www:/www" ]' && says 'bind of /srv/www is not permitted on this host' &&
        says 'allow: { binds: [/srv/www] }' || return 1
    conf 'binds: [/srv, /opt]' && gives 3 loans 'binds: [ "/srvx:/www" ]' && says 'allow: { binds: [/srv, /opt, /srvx] }' || return 1
    gives 0 loans 'binds: [ "/srv/www:/www" ]' && "$tool" "$root" miss /srv/www || return 1
    gives 3 run_spec apply && says 'bind of /srv/www: it is not there on the host' || return 1
    gives 0 loans 'binds: [ { path: /www, source: /srv/www, optional: true } ]' && gives 0 run_spec plan || return 1
    gives 3 loans 'devices: [ /dev/fuse ]' && says 'device /dev/fuse is not permitted on this host' && says 'allow: { binds: [/srv, /opt], devices: [/dev/fuse] }' || return 1
    # All that is missing at once, and every other reason beside it.
    gives 3 loans 'privileged: true, binds: [ "/var/a:/a", "/var/a/b:/b", "/srv/www:/www" ], devices: [ { usb: "1d6b:0002" } ], lxc: [ "lxc.tty.max = 4" ]' &&
        says 'web: privileged: true, lxc, bind of /var/a and device usb 1d6b:0002 are not permitted on this host' &&
        says 'allow: { privileged: true, raw_lxc: true, binds: [/srv, /opt, /var/a], devices: [usb] }' &&
        says 'web: bind of /srv/www: it is not there on the host' && says ', 1 held' || return 1
    conf 'devices: [/dev/dri, /dev/fuse]' && gives 3 loans 'devices: [ /dev/fuse2 ]' && says 'allow: { devices: [/dev/dri, /dev/fuse, /dev/fuse2] }' || return 1
    gives 0 loans 'devices: [ /dev/fuse, /dev/dri/card0 ]' && "$tool" "$root" miss /dev/fuse && gives 3 run_spec apply &&
        says 'device /dev/fuse: it is not there on the host'
}

# What was permitted once, and is not any more: it runs on, and is not started.
withdrawn_permission() {
    at withdrawn
    conf 'binds: [/srv]'
    loans 'binds: [ "/srv/www:/www" ], volumes: [ "data:/data" ]' >/dev/null 2>&1
    echo 'volumes: { data: {} }' >>"$root/spec.yaml"
    gives 0 run_spec apply && gives 0 run snapshot web --name good && gives 0 run snapshot volume/data --name good || return 1
    conf 'privileged: true'
    for command in 'start web' 'restart web' 'snapshot web' 'reset web' 'restore web good' 'restore volume/data good'; do
        # shellcheck disable=SC2086
        gives 4 run $command && says 'container default/web: bind of /srv/www is not permitted on this host' &&
            says 'allow: { privileged: true, binds: [/srv/www] }' && runs web || return 1
    done
    gives 0 run snapshot volume/data && gives 0 run stop web && gives 4 run start web && gives 0 run snapshot web || return 1
    echo 'allow: { bind: [/srv] }' >"$root/etc/fpsync/fpsync.conf"
    gives 6 run start web && says "did you mean 'binds'" && gives 0 run snapshot web && gives 0 run stop web || return 1
    # Nor does a run that repairs what was last in force start it, while the file can be read.
    conf 'binds: [/srv]' && gives 0 run start web && runs web && "$tool" "$root" kill web && echo 'x: [' >>"$root/spec.yaml" || return 1
    conf 'privileged: true' && gives 6 run_spec --auto apply && ! runs web >/dev/null || return 1
    conf 'binds: [/srv]' && gives 6 run_spec --auto apply && runs web
}

lowered_limits() {
    at lowered
    gives 0 loans 'limits: { memory: 512MiB }' && "$tool" "$root" set-use web memory_use $((100 << 20)) && "$tool" "$root" set-use web pids_use 7 || return 1
    gives 3 loans 'limits: { memory: 64MiB }' && says 'limits.memory: 64MiB is less than the 100MiB in use' && says '--force' || return 1
    gives 3 loans 'limits: { memory: 128MiB, pids: 5 }' && says 'limits.pids: 5 is less than the 7 in use' || return 1
    gives 0 loans 'limits: { memory: 128MiB, pids: 7 }' && gives 0 run -f "$root/spec.yaml" plan || return 1
    gives 3 loans 'limits: { memory: 64MiB }' && gives 0 run_spec --force apply && gives 0 run_spec plan
}
# Version 1 of the control groups takes away no memory that is in use, and pins to processors that there are.
limits_of_the_host() {
    at host-limits
    "$tool" "$root" host 0-1,4 1
    gives 3 loans 'limits: { cpuset: "0-99" }' && says 'limits.cpuset: the host has the processors 0-1,4, not all of 0-99' || return 1
    gives 3 loans 'limits: { cpuset: "1-2" }' && says 'not all of 1-2' && gives 0 loans 'limits: { cpuset: "0-1,4", memory: 512MiB }' && gives 0 run_spec plan || return 1
    gives 3 loans 'limits: { cpuset: "0,3" }' && "$tool" "$root" set-use web memory_use $((100 << 20)) || return 1
    gives 3 loans 'limits: { memory: 64MiB }' && says 'also not by force' && ! says '--force' >/dev/null && gives 3 run_spec --force apply && says 'also not by force' || return 1
    gives 3 loans 'limits: { memory: 64MiB, swap: 64MiB }' && says '--force' && gives 0 run_spec --force apply && gives 0 run_spec plan || return 1
    gives 0 loans 'limits: { swap: 64MiB }' && says 'hint: limits.swap bounds nothing here without limits.memory beside it' && gives 0 run_spec plan && ! says hint >/dev/null || return 1
    "$tool" "$root" host 0-1 2 && gives 0 loans 'limits: { swap: 32MiB }' && ! says 'hint:' >/dev/null
}
# A volume in a file grows while it is mounted, or waits until it is not; its users are as well off as before.
growth_waits() {
    at growth
    grown() { # SIZE, entries of its user
        printf 'images: { base: { source: "bootstrap:bookworm" } }\nvolumes: { v: { size: %s } }\ncontainers: { web: { image: base, volumes: ["v:/srv"], %s } }\n' "$1" "$2" >"$root/spec.yaml"
    }
    grown 1GiB 'env: { A: b }' && gives 0 run_spec apply && grown 2GiB 'env: { A: c }' || return 1
    gives 3 run_spec apply && says 'held volume default/v: size: it is mounted for default/web' && says 'fpsync stop default/web' && says 'restart container default/web: done' || return 1
    same_calls gives 3 run_spec apply && gives 0 run stop web && gives 0 run_spec apply && gives 0 run start web && gives 0 run_spec plan || return 1
    "$tool" "$root" let-grow && grown 3GiB 'env: { A: c }' && gives 0 run_spec apply && gives 0 run_spec plan
}
limited_layers() {
    at disk
    gives 0 loans 'limits: { disk: 128MiB }' && "$tool" "$root" hold default_web $((100 << 20)) || return 1
    gives 3 loans 'limits: { disk: 64MiB }' && says 'limits.disk: 64MiB has no room for the 100MiB that its layer holds' || return 1
    gives 3 run_spec --force apply || return 1
    gives 0 loans 'limits: { disk: 128MiB }' && "$tool" "$root" truncate default_web $((256 << 20)) || return 1
    gives 2 run_spec plan && says 'drift: the file of its layer has 268435456 bytes, not 134217728' || return 1
    gives 0 run restart web && gives 0 run_spec plan && gives 0 loans '' && "$tool" "$root" miss /dev/loop-control || return 1
    gives 3 loans 'limits: { disk: 128MiB }' && says 'layers cannot be limited here: the host has no loop devices'
}
# What a guest's file system keeps to itself is no drift, and is said; what is taken out of there is not taken for gone.
silent_places() {
    at silent
    local spec='images: { base: { source: "bootstrap:bookworm" } }\nvolumes: { data: {} }\ncontainers: { web: { image: base, networks: [], volumes: [ %s ], binds: [ "/srv/in:/mnt" ] } }\n'
    mkdir -p "$root/etc/fpsync" && echo 'allow: { binds: [ /srv ] }' >"$root/etc/fpsync/fpsync.conf"
    # shellcheck disable=SC2059
    printf "$spec" '"data:/srv/data"' >"$root/spec.yaml"
    gives 0 run_spec apply && "$tool" "$root" unmount-volume web /srv/data && "$tool" "$root" silence web /srv/data &&
        "$tool" "$root" silence web /mnt && "$tool" "$root" unbind web /mnt || return 1
    gives 2 run_spec plan && says 'held container default/web: what is mounted at /srv/data is not known' &&
        says 'what is mounted at /mnt is not known' && says '0 to change' && gives 3 run_spec apply && gives 0 run_spec apply --auto || return 1
    # shellcheck disable=SC2059
    printf "$spec" '' >"$root/spec.yaml"
    gives 2 run_spec plan && says 'volumes./srv/data' && gives 3 run_spec apply && says 'does not answer' && gives 3 run_spec apply || return 1
    "$tool" "$root" answer web && gives 0 run_spec apply && says 'bind at /mnt unmounted' && gives 0 run_spec plan
}

frozen_is_said() {
    at frozen
    gives 0 loans 'frozen: true' && gives 0 run -o json status && jq -e '.objects[] | select(.kind == "container") | .phase == "running" and .reason == "frozen"' "$root/said"
}

check "what is not permitted any more is not started by a command either" withdrawn_permission
check "a limit goes below what is used only by force" lowered_limits
check "what the host cannot do about a limit is told before" limits_of_the_host
check "a volume that may not grow while it is mounted waits, and keeps nobody else waiting" growth_waits
check "a layer is limited where that can be, and to no less than it holds" limited_layers
check "status says who stands still" frozen_is_said
check "what does not answer in a guest is no drift, and is said" silent_places
check "what is lent of the host has to be permitted, and be there" loans_need_permission
check "explain is data where data is asked for" explained_as_data
check "a wrong call says what was expected" usage_errors
check "--help of a command is that command's" help_of_each
check "flags may stand before and after the arguments" flags_anywhere
check "-o name prints names" names_only
check "a wrong flag is told as -o asks, even before it" errors_as_data
check "-v says what an action waits for" waits_are_shown
check "-o yaml prints the data of -o json" as_yaml
at terminal
check "a terminal is asked before something goes, and no leaves it" asked_on_a_terminal
check "progress is an event a line for a program" progress_as_events
check "progress is a line in place on a terminal" progress_on_a_terminal
check "history tells what was applied when" history_is_told

some() { # NAMES: containers of them
    echo 'images: { base: { source: "bootstrap:bookworm" } }'
    echo 'containers:'
    printf '  %s: { image: base, networks: [] }\n' "$@"
}
has_ids() { # CONTAINER PLACE: the number of its range in the pool
    local base
    base=$("$tool" "$root" print | jq --arg name "$1." '.containers | to_entries[] | select(.key | startswith($name)) | .value.definition.id_base')
    [ "$base" = $((0x70000000 + $2 * 65536)) ] || { echo "$1 has $base"; return 1; }
}
ids_of_others() {
    at ids
    "$tool" "$root" have-ids $((0x70000000)) 65536 && "$tool" "$root" have-ids $((0x70000000 + 2 * 65536 + 65535)) 2 || return 1
    some a b >"$root/spec.yaml"
    gives 0 run_spec apply && has_ids a 1 && has_ids b 4 && gives 0 run_spec plan || return 1
    # What was given stays, whoever has it, too; and what lies in between is still given.
    "$tool" "$root" have-ids $((0x70000000 + 65536)) 131072 && "$tool" "$root" have-ids $((0x70000000 + 3 * 65536 - 5)) 10 || return 1
    some a b c >"$root/spec.yaml"
    gives 0 run_spec apply && has_ids a 1 && has_ids b 4 && has_ids c 5 && gives 0 run restart a && has_ids a 1 && ! "$tool" "$root" violations | grep .
}
check "a new range of ids meets nobody else's" ids_of_others
check "what a held container uses stays" held_keeps
check "a layer changes hands, and never its image" layers_change_hands

# ---- images that change below layers, and snapshots: SEMANTICS 10, 41 ----

many() { # PACKAGES: five containers on one image
    printf 'images: { base: { source: "bootstrap:bookworm", packages: [%s] } }\ncontainers:\n' "$1" >"$root/spec.yaml"
    local name
    for name in a b c d e f g h; do echo "  $name: { image: base, networks: [] }" >>"$root/spec.yaml"; done
}

in_waves() { # two of eight at a time, and none of the next when one does not come back
    at waves
    many less
    gives 0 run_spec apply || return 1
    many nano
    gives 2 run_spec plan -o json && jq -e '[.actions[] | select(.kind == "container") | [.needs[] | select(startswith("restart"))] | length] == [0, 0, 2, 2, 2, 2, 2, 2]' "$root/said" >/dev/null || return 1
    # The first call is that of the image; then those of a: two checks, stop, unmount, change, mount, start; then those of b
    FPSYNC_FAKE_FAIL=$(($(calls) + 9)) gives 3 run_spec apply && says 'container default/c' || return 1
    "$tool" "$root" print | jq -e '[.layers[].frozen // [] | length] | add == 1' >/dev/null || { echo 'others were touched'; return 1; }
    gives 0 run_spec apply && gives 0 run_spec plan
}

held_change() {
    at held-image
    many less
    gives 0 run_spec apply && "$tool" "$root" install-packages default_a || return 1
    many nano
    gives 3 run_spec apply && says 'held container default/a: image default/base changed' && says 'package database (dpkg)' && runs a &&
        same_calls gives 3 run_spec apply && gives 0 run restart a && gives 2 run_spec plan || return 1
    sed -i 's/a: { image: base/&, on_image_change: keep/' "$root/spec.yaml"
    gives 0 run_spec apply && gives 0 run_spec plan || return 1
    sed -i 's/keep/restack/' "$root/spec.yaml"
    gives 0 run_spec apply && gives 0 run_spec plan && "$tool" "$root" print | jq -e '.layers.default_a.frozen | length == 1' >/dev/null
}

held_in_the_run() { # what only the new image tells is found before anything is stopped
    at held-run
    many less
    gives 0 run_spec apply || return 1
    sed -i 's/bookworm/trixie/' "$root/spec.yaml"
    gives 3 run_spec apply && says 'VERSION_ID' && runs a && runs h && "$tool" "$root" violations | grep . && return 1
    gives 3 run_spec apply && says '8 held'
}

snapshots_are_told() {
    at snapshots
    web
    gives 0 run_spec apply && gives 0 run snapshot web --name good && says 'fpsync restore default/web good brings it back' && gives 0 run_spec plan &&
        gives 1 run snapshot web --name good && says 'has a snapshot good already' && gives 1 run snapshot web --name Bad && gives 1 run restore web other &&
        gives 1 run snapshot nothing && gives 1 run restore web && gives 0 run reset web && says 'What was there is kept as snapshot before-reset-' &&
        gives 0 run snapshot -o json && jq -e '[.snapshots[].by] == ["fpsync", "command"]' "$root/said" >/dev/null && gives 0 run restore web good &&
        gives 0 run_spec plan && gives 0 run gc --dry-run && says 'layer default/web@good: kept' && gives 0 run gc layer/web@good && says 'layer default/web@good: freed' &&
        gives 1 run gc layer/web@good && gives 0 run snapshot web --name good && says 'is kept as snapshot good' &&
        gives 0 run snapshot -o name && says layer/default/web@good && gives 0 run snapshot volume/nothing; [ $? = 1 ] && says 'no volume/nothing is recorded'
}

check "restarts by one image come a quarter at a time and stop at the first that fails" in_waves
check "a layer with a package database is held, kept or put on the new image as asked" held_change
check "another system below is found before anything is stopped" held_in_the_run
check "snapshots are named, listed, gone back to and freed" snapshots_are_told

started_again() { # COMMAND...: the change of data, behind a stop and an unmount, fails
    FPSYNC_FAKE_FAIL=$(($(calls) + 3)) gives 3 run "$@" && runs web && ! "$tool" "$root" violations | grep .
}
interrupted_changes_start_again() { # by Ctrl-C, behind the stop
    at interrupted
    web 'volumes: [ "data:/data" ]'
    echo 'volumes: { data: {} }' >>"$root/spec.yaml"
    gives 0 run_spec apply && gives 0 run snapshot volume/data --name good || return 1
    FPSYNC_FAKE_INTERRUPT=$(($(calls) + 3)) gives 1 run restore volume/data good && says 'start container default/web: done' && runs web && gives 0 run_spec plan
}
unheard() { # WORD=VALUE COMMAND...: nobody reads what it says, as behind a pipe whose reader had the Ctrl-C as well
    local status
    [ -p "$root/pipe" ] || mkfifo "$root/pipe"
    exec 8<>"$root/pipe" 9>"$root/pipe" 8<&-
    (export "$1" && shift && "$@" 2>&9)
    status=$?
    exec 9>&-
    return $status
}
what_nobody_hears_is_done() {
    at unheard
    web
    unheard FPSYNC_FAKE_INTERRUPT=1 run_spec apply
    [ $? = 1 ] && ! run_spec plan | grep 'create image' || return 1
    unheard A=b run_spec apply && runs web && gives 0 run_spec plan
}
what_is_refused() { # by the host's policy, and by nothing else; and that is asked where something starts
    at refused
    web 'volumes: [ "data:/data" ]'
    echo 'volumes: { data: {} }' >>"$root/spec.yaml"
    gives 0 run_spec apply && gives 0 run snapshot volume/data --name good && mkdir -p "$root/etc/fpsync" || return 1
    local command
    for command in 'start web' 'stop web' 'snapshot web' 'restore volume/data good'; do
        # shellcheck disable=SC2086
        FPSYNC_FAKE_BLIND=1 gives 1 run $command && says 'told to see nothing' || return 1
    done
    echo 'allow: { bind: [/srv] }' >"$root/etc/fpsync/fpsync.conf"
    gives 6 run snapshot web && gives 6 run restore volume/data good && gives 0 run snapshot volume/data --name other && gives 0 run stop web || return 1
    gives 0 run snapshot web && gives 0 run reset web && gives 0 run restore volume/data good && gives 6 run start web
}
failed_changes_start_again() {
    at started-again
    web 'volumes: [ "data:/data" ]'
    echo 'volumes: { data: {} }' >>"$root/spec.yaml"
    gives 0 run_spec apply && gives 0 run snapshot web --name good && gives 0 run snapshot volume/data --name good || return 1
    started_again snapshot web && started_again reset web && started_again restore web good && gives 0 run_spec plan && started_again restore volume/data good && gives 0 run_spec apply && gives 0 run_spec plan || return 1
    gives 0 run stop web && FPSYNC_FAKE_FAIL=$(($(calls) + 1)) gives 3 run reset web && ! runs web >/dev/null
}
other_root_is_refused() { # before anything is stopped
    at other-root
    web 'root: copy' && gives 0 run_spec apply && gives 0 run snapshot web --name keep && web && gives 0 run_spec apply || return 1
    same_calls gives 1 run restore web keep && says 'snapshot keep is of a copy, and the root of container default/web is a layer now' && runs web
}

# What the start would fail at is found while the container runs: its config, and what its root is put together from.
found_before_the_stop() {
    at before-the-stop
    web && gives 0 run_spec apply && web 'env: { A: b }' || return 1
    FPSYNC_FAKE_FAIL=$(($(calls) + 2)) gives 3 run_spec apply && says 'container.define' && runs web && gives 0 run_spec apply || return 1
    web 'env: { A: b }, limits: { memory: 64MiB }' && gives 0 run_spec apply && "$tool" "$root" drop-image default/base || return 1
    gives 3 run restart web && says 'no image' && runs web && gives 0 run_spec apply && gives 0 run_spec plan && gives 0 run restart web && runs web
}

# A command that is cut off behind its change of data goes on when it is asked again, until somebody may have written.
cut_off() { # COMMAND...: dies behind the change, which is call $ahead + 1 of it
    FPSYNC_FAKE_DIE=$(($(calls) + ahead + 1)):after run "$@" >/dev/null 2>&1
    [ $? = 137 ] || { echo "not cut off: $*"; return 1; }
}
kept() { # LAYERS|VOLUMES FILE: how many snapshots there are
    "$tool" "$root" print | jq ".$1.$2.snapshots | length"
}
next_second() { # which names by the time tell apart
    local now=$(date +%s)
    until [ "$(date +%s)" != "$now" ]; do :; done
}
wishes_are_spent() {
    at wishes
    web 'volumes: [ "data:/data" ]'
    echo 'volumes: { data: {} }' >>"$root/spec.yaml"
    gives 0 run_spec apply && gives 0 run snapshot volume/data --name good && gives 0 run snapshot web --name good || return 1
    local command ahead=2 # a stop and an unmount
    cut_off restore volume/data good && [ "$(kept volumes default_data)" = 2 ] && gives 0 run restore volume/data good && [ "$(kept volumes default_data)" = 2 ] && gives 0 run start web || return 1
    cut_off restore volume/data good && gives 0 run start web && runs web && gives 0 run restore volume/data good && [ "$(kept volumes default_data)" = 4 ] || { kept volumes default_data; return 1; }
    # A start that is cut off itself has let it write all the same.
    cut_off restore volume/data good && ahead=1 && cut_off start web && ahead=2 && gives 0 run restore volume/data good && [ "$(kept volumes default_data)" = 6 ] || { kept volumes default_data; return 1; }
    gives 0 run start web && cut_off reset web && gives 0 run reset web && [ "$(kept layers default_web)" = 2 ] || { kept layers default_web; return 1; }
    gives 0 run start web && ahead=0 || return 1
    for command in 'volume/data --name nightly' 'volume/data --name weekly'; do
        # shellcheck disable=SC2086
        cut_off snapshot $command && gives 1 run snapshot $command && says 'already, of a command that was interrupted; what was written since is not in it' || return 1
    done
    gives 0 run_spec apply && gives 0 run_spec plan && [ "$(kept volumes default_data)" = 8 ] || return 1
    # Where nobody writes, one without a name is not made twice, and one with a name is done.
    gives 0 run stop web && cut_off snapshot volume/data && next_second && gives 0 run snapshot volume/data && [ "$(kept volumes default_data)" = 9 ] || { kept volumes default_data; return 1; }
    cut_off snapshot volume/data --name monthly && gives 0 run snapshot volume/data --name monthly && says 'kept as snapshot monthly' && [ "$(kept volumes default_data)" = 10 ] || return 1
    cut_off snapshot volume/data --name yearly && gives 0 run start web && gives 1 run snapshot volume/data --name yearly && gives 0 run_spec plan
}

check "what a command asked of data is asked anew once its users may have written" wishes_are_spent
# What could not be removed is told for as long as it is there.
leftovers_are_listed() {
    at leftovers
    web && gives 0 run_spec apply && gives 0 run gc && says 'Nothing is retained' && "$tool" "$root" leave volume default_old && "$tool" "$root" leave layer default_web || return 1
    gives 0 run gc --dry-run && says 'volume default/old: would be freed (left by a removal that did not end)' && says 'layer default/web: would be freed' || return 1
    run doctor >"$root/said"
    says 'volume default/old, among others, was removed, and is there in part' || return 1
    FPSYNC_FAKE_FAIL=$(($(calls) + 1)) gives 3 run gc volume/old && gives 0 run gc volume/old && says 'volume default/old: freed' && gives 1 run gc volume/old || return 1
    gives 0 run gc && says 'layer default/web: freed' && runs web && gives 0 run_spec plan && gives 0 run gc && says 'Nothing is retained'
}

check "what could not be removed is listed until it is" leftovers_are_listed
check "a restart finds out before the stop what its start needs" found_before_the_stop
check "who was stopped for a change of data that fails is started again" failed_changes_start_again
check "who was stopped for a change of data that is interrupted is started again" interrupted_changes_start_again
check "what has begun is finished also when nobody hears of it" what_nobody_hears_is_done
check "refused is what the host does not permit, and asked where something starts" what_is_refused
check "a snapshot of another kind of root is refused before anything is stopped" other_root_is_refused

one_record_for_one() { # what one record has, no other begins with
    at one-record
    local name
    web 'networks: []' && gives 0 run_spec apply && name=$("$tool" "$root" print | jq -r '.containers | keys[0]') && gives 0 run -y -f "$root/spec.yaml" down || return 1
    "$tool" "$root" lxc-container "$name" || return 1
    printf 'containers:\n  other: { root: /srv/rootfs, lxc_name: %s, hostname: %s, networks: [], limits: { memory: 64MiB, pids: 0 } }\n' "$name" "$name" >"$root/other.yaml"
    gives 0 run -y -f "$root/other.yaml" adopt && "$tool" "$root" print >"$root/before" || return 1
    gives 3 run_spec apply && says "the LXC container $name is that of container default/other" && gives 0 run -f "$root/other.yaml" plan || return 1
    "$tool" "$root" print | jq --arg name "$name" '.containers[$name]' | diff - <(jq --arg name "$name" '.containers[$name]' "$root/before")
}
check "a container that one record has is no other's" one_record_for_one

# What LXC had before is looked at under the name that it has there.
adopted() { # ENTRIES: the container that LXC calls old, of them
    printf 'containers:\n  old: { root: /srv/rootfs, lxc_name: old, networks: [], limits: { %s, pids: 0 } }\n' "$1" >"$root/spec.yaml"
}
adopted_roots_are_let_alone() {
    at adopted
    "$tool" "$root" lxc-container old && adopted 'memory: 64MiB' && gives 0 run -y -f "$root/spec.yaml" adopt || return 1
    for command in 'snapshot old' 'reset old' 'restore old none'; do
        # shellcheck disable=SC2086
        gives 1 run $command && says 'container default/old was adopted' || return 1
        "$tool" "$root" print | jq -e '.containers.old.running' >/dev/null || { echo 'it was stopped'; return 1; }
    done
    gives 1 run snapshot layer/old && says 'no layer/old is recorded' && gives 0 run_spec plan
}
adopted_limits_are_looked_at() {
    at adopted-limits
    "$tool" "$root" lxc-container old && adopted 'memory: 64MiB' && gives 0 run -y -f "$root/spec.yaml" adopt &&
        "$tool" "$root" set-use old memory_use $((40 << 20)) && adopted 'memory: 32MiB' || return 1
    gives 3 run_spec apply && says 'limits.memory: 32MiB is less than the 40MiB in use' && gives 0 run_spec --force apply && gives 0 run_spec plan
}

check "what was adopted has no layer to keep or to begin anew" adopted_roots_are_let_alone
check "limits of what was adopted are not lowered below what it uses" adopted_limits_are_looked_at

# SEMANTICS 6: a set of replicas is one to the guard, and one that gets smaller none.
sets_are_one_to_the_guard() {
    at guard-sets
    local base='images: { base: { source: "bootstrap:bookworm" } }
containers:
  one: { image: base }
'
    printf '%s' "$base  web: { image: base, replicas: 9 }
" >"$root/spec.yaml"
    gives 0 run_spec apply || return 1
    printf '%s' "$base  web: { image: base, replicas: 2 }
" >"$root/spec.yaml"
    gives 0 run_spec apply && says '7 to remove' || return 1
    printf '%s' "$base  web: { image: base, replicas: 9 }
" >"$root/spec.yaml"
    gives 0 run_spec apply || return 1
    printf '%s' "$base" >"$root/spec.yaml"
    gives 0 run_spec apply && says '9 to remove' && runs one || return 1
    printf '%s' "$base" >"$root/spec.yaml"
    for name in a b c d e; do echo "  $name: { image: base }" >>"$root/spec.yaml"; done
    gives 0 run_spec apply || return 1
    printf '%s' "$base" >"$root/spec.yaml"
    gives 4 run_spec apply && says '5 of 6 objects'
}
check 'a set of replicas is one to the guard against mass deletes' sets_are_one_to_the_guard

claimed_ports_are_held() {
    at claimed
    "$tool" "$root" claim tcp 8080 'table ip nat, chain DOCKER, rule 1'
    echo 'images: { base: { source: "bootstrap:bookworm" } }
containers: { web: { image: base, ports: [ "8079-8081:8079-8081" ] }, other: { image: base, ports: [ "8080:80/udp", "8082:80" ] } }' >"$root/spec.yaml"
    gives 3 run_spec apply && says 'port 8079-8081/tcp: table ip nat, chain DOCKER, rule 1 leads it elsewhere' &&
        says 'or say take: true' && runs other && ! runs web || return 1
    sed -i 's/"8079-8081:8079-8081"/{ host: 8079, guest: 8079, count: 3, take: true }/' "$root/spec.yaml"
    gives 0 run_spec apply && runs web || return 1
    "$tool" "$root" claim tcp 8082 'table ip late, chain pre, rule 1'
    gives 0 run_spec plan
}
check 'a port that a rule of others leads elsewhere is held' claimed_ports_are_held

publishes() {
    at publish
    echo 'images: { base: { source: "bootstrap:bookworm" }, app: { build: { from: base, steps: [ "RUN make" ] } } }' >"$root/spec.yaml"
    gives 0 run_spec apply &&
        gives 1 run image publish app && says 'needs --to FOLDER' &&
        gives 1 run image publish nothing --to "$root/tree" && says 'nothing' &&
        gives 1 run image publish app --to "$root/tree" --format zip && says 'squashfs or tar.xz' &&
        gives 0 run image publish app base --to "$root/tree" && says 'image app: published as' && says 'image base: published as' &&
        gives 0 run image publish app --to "$root/tree" && says 'image app: already published as' &&
        gives 0 run -q image publish app --to "$root/tree" -o json &&
        jq -e '.published == [{name: "app", version: "20240101_000000", changed: false, signed: false}]' "$root/said" >/dev/null || return 1
    sed -i 's/RUN make/RUN make more/' "$root/spec.yaml"
    gives 0 run_spec apply && gives 0 run image publish app --to "$root/tree" && says 'image app: published as'
}
check 'images are published once' publishes

#!/bin/bash
# Plays every scenario on the fakes: the plan must be the golden one, apply must run exactly the plan, and a second
# apply must do nothing. FPSYNC_UPDATE_GOLDEN=1 writes the golden plans.
set -u
. "$(dirname "$0")/lib.sh"
work=$(mktemp -d -p /dev/shm fpq-XXXX 2>/dev/null || mktemp -d /tmp/fpq-XXXX) || exit 1
trap 'rm -rf "$work"' EXIT
# A run that need not decide decides all the same, and dies if it was wrong not to (reconciler/settled.h).
export FPSYNC_FAKE_DOUBT=$work/doubt
: >"$FPSYNC_FAKE_DOUBT"
count=0

check() { # NAME COMMAND...
    local name=$1
    shift
    count=$((count + 1))
    if "$@" >"$work/out" 2>&1; then
        echo "ok $count - $name"
    else
        echo "not ok $count - $name"
        sed 's/^/# /' "$work/out"
    fi
}

golden() { # SCENARIO STEP ROOT
    "$fpsync" --root "$3" -f "$3/spec.yaml" plan 2>&1 | sed -E "s#$3/##g; s/\\bfp[0-9a-f]{4}([np])/fpTAG\\1/g" >"$3/plan.txt"
    [ -z "${FPSYNC_UPDATE_GOLDEN:-}" ] || cp "$3/plan.txt" "$scenarios/$1/$2.plan"
    diff -u "$scenarios/$1/$2.plan" "$3/plan.txt"
}

# What apply went on with once images were made is in the same document, and marked.
planned_is_executed() { # ROOT
    local run=("$fpsync" --root "$1" --allow-mass-delete -o json -f "$1/spec.yaml")
    "${run[@]}" plan >"$1/planned.json" 2>/dev/null
    "${run[@]}" apply >"$1/executed.json" || { cat "$1/executed.json"; return 1; }
    jq -es 'length == 1 and all(.[0].actions[]; (.outcome // "done") == "done")' "$1/executed.json" >/dev/null || { cat "$1/executed.json"; return 1; }
    diff -u <(jq .actions "$1/planned.json") <(jq '.actions | map(select(.expanded | not) | del(.outcome, .message))' "$1/executed.json")
}

nothing_left() { # ROOT
    local before after
    before=$("$tool" "$1" calls)
    "$fpsync" --root "$1" -f "$1/spec.yaml" apply || return 1
    after=$("$tool" "$1" calls)
    echo "calls: $before, after a second apply $after"
    [ "$before" = "$after" ] && "$fpsync" --root "$1" -f "$1/spec.yaml" plan && [ -z "$("$tool" "$1" violations)" ]
}

for scenario in $(cd "$scenarios" && ls -d [0-9]*/ | tr -d /); do
    root=$work/$scenario
    mkdir -p "$root"
    for step in $(steps_of "$scenario"); do
        prepare_step "$scenario" "$step" "$root" || echo "# $scenario $step: could not be prepared"
        check "$scenario step $step: the plan is the golden one" golden "$scenario" "$step" "$root"
        check "$scenario step $step: apply runs exactly the plan" planned_is_executed "$root"
        check "$scenario step $step: a second apply does nothing" nothing_left "$root"
    done
done
. "$scenarios/commands.sh"
. "$scenarios/leases.sh"
. "$scenarios/deltas.sh"
. "$scenarios/complete.sh"
. "$scenarios/asking.sh"
. "$scenarios/records.sh"
. "$scenarios/renames.sh"
. "$scenarios/sets.sh"
. "$scenarios/completed.sh"
. "$scenarios/restored.sh"
. "$scenarios/metadata.sh"
. "$scenarios/health.sh"
. "$scenarios/following.sh"
. "$scenarios/image-gc.sh"
. "$scenarios/image-secrets.sh"
. "$scenarios/image-import.sh"
. "$scenarios/image-names.sh"
. "$scenarios/settled.sh"
. "$scenarios/waiting.sh"
. "$scenarios/words.sh"
. "$scenarios/names.sh"
echo "1..$count"

#!/bin/bash
# Fails and dies at every driver call of every scenario, on the fakes and on a real LMDB: whatever happened, applying
# again must lead where an undisturbed run leads, with nothing left over, and the next apply must do nothing.
#
# For every call n of a scenario: n fails; n fails after its effect; fpsync and its worker die before n, and after
# it. For every commit n of the record: fpsync dies before it, and after it. Every effect of every driver contract
# must be called by some scenario.
set -u
. "$(dirname "$0")/../scenario/lib.sh"
# In memory where there is room: a trial is some dozen synced commits, and its death is that of a process.
work=$(mktemp -d -p /dev/shm fpf-XXXX 2>/dev/null || mktemp -d /tmp/fpf-XXXX) || exit 1
trap 'rm -rf "$work"' EXIT
# A run that need not decide decides all the same, and dies if it was wrong not to (reconciler/settled.h).
export FPSYNC_FAKE_DOUBT=$work/doubt
export FPSYNC_BUILD build scenarios fpsync tool work

# Applies until there is nothing to do, at most three times: the fault is over after its one call.
settle() { # ROOT
    local round
    for round in 1 2 3; do
        apply_step "$1" && "$fpsync" --root "$1" -f "$1/spec.yaml" plan >"$1/plan.log" 2>&1 && return 0
    done
    cat "$1/apply.log" "$1/plan.log" 2>/dev/null | sed 's/^/# /'
    return 1
}

one_step() { # SCENARIO STEP ROOT: what it comes to stands in ROOT.state
    prepare_step "$1" "$2" "$3" 2>/dev/null || { echo "# step $2: $(cat "$3/do.log")"; return 1; }
    settle "$3" && "$tool" "$3" state >"$3.state"
}

# Without a fault, leaving ROOT.before-STEP, ROOT.reference-STEP and "STEP CALLS COMMITS" so far in ROOT.steps.
reference() { # SCENARIO ROOT
    local step
    mkdir -p "$2" || return 1
    for step in $(steps_of "$1"); do
        cp -a "$2" "$2.before-$step" && one_step "$1" "$step" "$2" || return 1
        mv "$2.state" "$2.reference-$step"
        echo "$step $("$tool" "$2" calls) $(stat -c %s "$2/commits" 2>/dev/null || echo 0)" >>"$2.steps"
    done
    [ -z "$("$tool" "$2" violations)" ] || { "$tool" "$2" violations | sed 's/^/# /'; return 1; }
}

# The step that call or commit N belongs to; in the same folder, for names carry its hash. Its end is that of the
# undisturbed step, broken rules of the fake world among it, and the plan is empty: what follows would be the same again.
trial() { # SCENARIO ROOT calls|commits N FAULT
    local step calls commits
    while read -r step calls commits && [ "${!3}" -lt "$4" ]; do :; done <"$2.steps"
    rm -rf "$2" && cp -a "$2.before-$step" "$2" || return 1
    export "${5?}"
    one_step "$1" "$step" "$2" || return 1
    [ "$(<"$2.reference-$step")" = "$(<"$2.state")" ] || diff "$2.reference-$step" "$2.state"
}

one_scenario() { # SCENARIO: prints "ok"/"not ok" lines without numbers
    local scenario=$1 root=$work/$1 n fault
    export FPSYNC_FAKE_COMMITS=$root/commits
    if ! reference "$scenario" "$root"; then
        echo "not ok - $scenario: undisturbed"
        return
    fi
    cp "$root/fake/calls" "$work/calls-$scenario" 2>/dev/null
    for fault in FPSYNC_FAKE_FAIL=%d FPSYNC_FAKE_FAIL=%d:after FPSYNC_FAKE_DIE=%d FPSYNC_FAKE_DIE=%d:after \
        FPSYNC_FAKE_DIE_COMMIT=%d FPSYNC_FAKE_DIE_COMMIT=%d:after; do
        local bad='' what=calls step calls commits count
        [[ $fault != *COMMIT* ]] || what=commits
        read -r step calls commits < <(tail -n 1 "$root.steps")
        count=${!what}
        for ((n = 1; n <= count; n++)); do
            # shellcheck disable=SC2059
            if ! (trial "$scenario" "$root" $what $n "$(printf "$fault" $n)") >"$root.log"; then
                bad="$bad $n"
                sed "s/^/# ${what%s} $n: /" "$root.log" | head -n 12
            fi
        done
        if [ -z "$bad" ]; then
            echo "ok - $scenario: ${fault//%d/n} for each of $count $what"
        else
            echo "not ok - $scenario: ${fault//%d/n} at $what$bad of $count"
        fi
    done
    rm -rf "$root" "$root".before-*
}
export -f settle one_step reference trial one_scenario steps_of prepare_step write_archive do_line apply_step

list=$(cd "$scenarios" && ls -d [0-9]*/ | tr -d /)
# shellcheck disable=SC2016
printf '%s\n' $list | xargs -P "$(nproc)" -I{} bash -c 'one_scenario {} >"$work/result-{}" 2>"$work/noise-{}"'
count=0
for scenario in $list; do
    while IFS= read -r line; do
        case $line in
        'ok - '*) count=$((count + 1)) && echo "ok $count - ${line#ok - }" ;;
        'not ok - '*) count=$((count + 1)) && echo "not ok $count - ${line#not ok - }" ;;
        *) echo "# $line" ;;
        esac
    done <"$work/result-$scenario"
done

# Every row of the step table was called somewhere.
missing=''
for name in $(sed -nE 's/.*\.name = "([a-z]+\.[a-z_]+)".*/\1/p; s/^[^"]*\{"([a-z]+\.[a-z_]+)".*/\1/p' "$scenarios/../../drivers/steps.c" | sort -u); do
    [ "$name" != image.look ] || continue # it asks a server and is no call of the fakes: the plan of 50-asked shows its answer
    cat "$work"/calls-* | grep -q "$name" || missing="$missing $name"
done
count=$((count + 1))
[ -z "$missing" ] && echo "ok $count - every effect is called by some scenario" ||
    echo "not ok $count - no scenario calls:$missing"
echo "1..$count"

#!/bin/bash
# Fails and dies at every driver call of every scenario, on the fakes and on a real LMDB: whatever happened, applying
# again must lead where an undisturbed run leads, with nothing left over, and the next apply must do nothing.
#
# For every call n of a scenario: n fails; n fails after its effect; fpsync and its worker die before n, and after
# it. For every commit n of the record: fpsync dies before it, and after it. Every effect of every driver contract must be called by some scenario.
set -u
. "$(dirname "$0")/../scenario/lib.sh"
work=$(mktemp -d /tmp/fpf-XXXX) || exit 1
trap 'rm -rf "$work"' EXIT
export FPSYNC_BUILD build scenarios fpsync tool work

# Applies until there is nothing to do, at most three times: the fault is over after its one call.
settle() { # ROOT
    local round
    for round in 1 2 3; do
        apply_step "$1"
        "$fpsync" --root "$1" -f "$1/spec.yaml" plan >"$1/plan.log" 2>&1 && return 0
    done
    sed 's/^/# /' "$1/apply.log" "$1/plan.log"
    return 1
}

# The same folder for all trials of a scenario, one after the other: names carry the root's hash.
trial() { # SCENARIO ROOT FAULT...
    local root=$2 step
    rm -rf "$root" && mkdir -p "$root" || return 1
    unset FPSYNC_FAKE_FAIL FPSYNC_FAKE_DIE FPSYNC_FAKE_DIE_COMMIT
    export FPSYNC_FAKE_COMMITS=$root/commits
    [ $# -lt 3 ] || export "${@:3}"
    for step in $(steps_of "$1"); do
        prepare_step "$1" "$step" "$root" 2>/dev/null || { echo "# step $step: $(cat "$root/do.log")"; return 1; }
        settle "$root" || return 1
    done
    [ -z "$("$tool" "$root" violations)" ] || { "$tool" "$root" violations | sed 's/^/# /'; return 1; }
    "$tool" "$root" state >"$root.state"
}

one_scenario() { # SCENARIO: prints "ok"/"not ok" lines without numbers
    local scenario=$1 root=$work/$1 calls n fault
    if ! trial "$scenario" "$root"; then
        echo "not ok - $scenario: undisturbed"
        return
    fi
    mv "$root.state" "$root.reference"
    cp "$root/fake/calls" "$work/calls-$scenario" 2>/dev/null
    local all_calls commits
    all_calls=$("$tool" "$root" calls)
    commits=$(stat -c %s "$root/commits")
    for fault in FPSYNC_FAKE_FAIL=%d FPSYNC_FAKE_FAIL=%d:after FPSYNC_FAKE_DIE=%d FPSYNC_FAKE_DIE=%d:after \
        FPSYNC_FAKE_DIE_COMMIT=%d FPSYNC_FAKE_DIE_COMMIT=%d:after; do
        local bad='' what=calls
        calls=$all_calls
        [[ $fault != *COMMIT* ]] || calls=$commits what=commits
        for ((n = 1; n <= calls; n++)); do
            # shellcheck disable=SC2059
            if ! trial "$scenario" "$root" "$(printf "$fault" $n)" >"$root.log"; then
                bad="$bad $n"
                sed "s/^/# ${what%s} $n: /" "$root.log" | head -n 12
            elif ! diff "$root.reference" "$root.state" >"$root.diff"; then
                bad="$bad $n"
                sed "s/^/# ${what%s} $n: /" "$root.diff" | head -n 12
            fi
        done
        if [ -z "$bad" ]; then
            echo "ok - $scenario: ${fault//%d/n} for each of $calls $what"
        else
            echo "not ok - $scenario: ${fault//%d/n} at $what$bad of $calls"
        fi
    done
}
export -f settle trial one_scenario steps_of prepare_step do_line apply_step

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
    cat "$work"/calls-* | grep -q "$name" || missing="$missing $name"
done
count=$((count + 1))
[ -z "$missing" ] && echo "ok $count - every effect is called by some scenario" ||
    echo "not ok $count - no scenario calls:$missing"
echo "1..$count"

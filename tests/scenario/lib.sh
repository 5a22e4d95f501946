# How a scenario is played: shared by the scenario tests and the fault loop.
#
# A scenario is a folder: N.yaml is the spec of step N (the one before stays when it is missing), N.do says what
# happens before step N is applied, a line each: "tool ..." is another hand in the fake world, "fpsync ..." ours, "permit ..." what fpsync.conf allows,
# "archive NAME RECIPE" what a build's archive holds, "fails ..." a build that does.
# N.plan is what plan must print.
build=${FPSYNC_BUILD:?}
scenarios=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
fpsync=$build/fpsync-fake tool=$build/fake-tool

steps_of() { # SCENARIO
    find "$scenarios/$1" -name '[0-9]*.yaml' -o -name '[0-9]*.do' | sed 's#.*/##; s#\..*##' | sort -n | uniq
}

# What an archive of that NAME holds for the fake: a recipe, its lines with '|' between.
write_archive() { # ROOT NAME RECIPE
    local folder=$1/archives/$2
    shift 2
    mkdir -p "$folder" && echo file >"$folder/file" && tr '|' '\n' <<<"$*" >"$folder/Recipe"
}

# One line of a .do; what fpsync is asked for is asked again where a fault cut it off.
do_line() { # ROOT LINE
    local line=${2//ROOT/$1} attempt
    local arguments=(${line#fpsync })
    case $2 in
    'permit '*) mkdir -p "$1/etc/fpsync" && echo "allow: { ${2#permit } }" >"$1/etc/fpsync/fpsync.conf" && return ;;
    'archive '*) write_archive "$1" ${line#archive } && return ;;
    'fails '*) # a build in a command of its recipe, whose root is kept then
        for attempt in 1 2 3; do
            "$fpsync" --root "$1" --parallel 1 ${line#fails } >"$1/do.log" 2>&1
            ! grep -q 'exit status' "$1/do.log" || return 0
        done
        return 1
        ;;
    'tool lose') rm -rf "$1/var/lib/fpsync" "$1/var/lib/lxc" && "$tool" "$1" lose && return ;;
    'tool '*) "$tool" "$1" ${2#tool } && return ;;
    'fpsync down' | 'fpsync adopt') arguments=(-y -f "$1/spec.yaml" "${2#fpsync }") ;;
    esac
    for attempt in 1 2 3; do
        [[ $2 != 'fpsync restore --from'* ]] || [ ! -e "$1/var/lib/fpsync/state/data.mdb" ] || return 0 # done, and told otherwise
        "$fpsync" --root "$1" --parallel 1 "${arguments[@]}" >"$1/do.log" 2>&1 && return
        # What was cut off behind its commit is done: the second time there is nothing to forget.
        [ $attempt = 1 ] || ! grep -qE 'fpsync: (no .* is recorded|.* has a snapshot .* already)' "$1/do.log" || return 0
    done
    return 1
}

prepare_step() { # SCENARIO STEP ROOT: the spec in place, other hands done
    local line
    [ -f "$scenarios/$1/$2.yaml" ] && cp "$scenarios/$1/$2.yaml" "$3/spec.yaml"
    [ -f "$scenarios/$1/$2.do" ] || return 0
    while read -r line; do
        do_line "$3" "$line" || return 1
    done <"$scenarios/$1/$2.do"
}

apply_step() { # ROOT
    "$fpsync" --root "$1" --parallel 1 --allow-mass-delete -f "$1/spec.yaml" apply >"$1/apply.log" 2>&1
}

# What happens while a question stands on a terminal (SEMANTICS 27); sourced by run.sh after commands.sh.
asked() { # EXIT BETWEEN ARGUMENTS...: BETWEEN runs at the first question, every question is answered with yes
    local wanted=$1 between=$2
    shift 2
    gives "$wanted" "$scenarios/ask.py" "$between" "$fpsync" --root "$root" --parallel 1 -f "$root/spec.yaml" "$@"
}

questions() { # N: so many were asked
    local count
    count=$(grep -o '(-y answers)' "$root/said" | wc -l)
    [ "$count" = "$1" ] || { echo "$count questions, expected $1"; return 1; }
}

asked_once() {
    at asked-once
    two 1
    gives 0 run_spec apply && two 2 && asked 0 : apply && questions 1 && says 'restart container default/web' &&
        gives 0 run_spec plan
}

asked_again() { # another hand kills a container, then somebody edits the file
    at asked-again
    two 1
    gives 0 run_spec apply && two 2 &&
        asked 0 "'$tool' '$root' kill other" apply && questions 2 && says 'the one that was shown any more' &&
        says 'drift: killed' && runs other && gives 0 run_spec plan &&
        two 3 && asked 0 "sed -i 's/A: \"3\"/A: \"4\"/' '$root/spec.yaml'" apply && questions 2 && says '2 -> 4' &&
        gives 0 run_spec plan
}

asked_for_nothing() { # what was to be done is not any more
    at asked-for-nothing
    two 1
    gives 0 run_spec apply && two 2 && asked 0 "sed -i 's/A: \"2\"/A: \"1\"/' '$root/spec.yaml'" apply &&
        questions 1 && says 'Nothing to do' && gives 0 run_spec plan
}

asked_of_broken() { # a file that breaks, one that empties, and down
    at asked-of-broken
    two 1
    gives 0 run_spec apply && two 2 && asked 6 "echo '  x' >>'$root/spec.yaml'" apply && two 2 &&
        asked 4 "'$tool' '$root' kill other" --exact apply && says 'any more' &&
        gives 0 run_spec apply && asked 0 "'$tool' '$root' kill other" down && questions 1
}

asked_to_build() {
    at asked-to-build
    mkdir "$root/app" && printf 'FROM base\nRUN true\n' >"$root/app/Recipe" || return 1
    echo 'images: { base: { source: "bootstrap:bookworm" }, app: { build: ./app } }' >"$root/spec.yaml"
    asked 0 : build app && questions 0 && gives 0 run_spec plan &&
        printf 'FROM base\nRUN other\n' >"$root/app/Recipe" && asked 0 : apply && questions 1 && gives 0 run_spec plan
}

check 'who builds is not asked whether to build, who applies is' asked_to_build
check 'a question on a terminal is asked once where nothing changes meanwhile' asked_once
check 'a plan that became another one while a question stood is shown and asked for again' asked_again
check 'a plan that became empty meanwhile is not executed' asked_for_nothing
check 'what breaks while a question stands is refused' asked_of_broken

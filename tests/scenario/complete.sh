# Completion, on the fakes: what fpsync offers, and the functions of the shells in dist/completion as those shells call
# them. Sourced by run.sh behind commands.sh.
at complete
cat >"$root/spec.yaml" <<'END'
images: { base: { source: "bootstrap:bookworm" } }
volumes: { data: {} }
containers:
  web: { image: base, networks: [] }
  worker: { image: base, networks: [], volumes: [ "data:/srv" ] }
END
run_spec apply >/dev/null 2>&1
mkdir "$root/bin" "$root/lxc" "$root/lxc/old"
ln -s "$fpsync" "$root/bin/fpsync"
completion=$scenarios/../../dist/completion

offers() { # WANTED, in one line; WORDS...
    local wanted=$1 got
    shift
    got=$("$fpsync" complete -- "$@" | sort | tr '\n' ' ')
    [ "$got" = "$wanted" ] || { echo "$*: got '$got', wanted '$wanted'"; return 1; }
}
offers_all() {
    offers 'stop store ' sto && offers 'deploy diff doctor down ' d &&
        offers 'web worker ' --root "$root" stop w &&
        offers 'web ' --root "$root" logs we &&
        offers 'container/web container/worker ' --root "$root" forget c &&
        offers 'volume/data ' --root "$root" gc vol &&
        offers 'json ' -o j && offers 'always auto never ' plan --color '' &&
        offers 'always auto never ' plan --color = '' &&
        offers '--dry-run ' apply --dry &&
        offers 'container.limits ' explain container.limi &&
        offers 'container.limits.memory ' explain container.limits.mem &&
        offers ':files ' build ./ && offers '--shell --shell-on-failure ' build --sh && offers '--tag --target ' build --ta &&
        offers ':files ' apply -f '' && offers ':files ' --root "$root" exec web l &&
        offers 'old ' export --lxc-path "$root/lxc" --lxc '' &&
        offers "$root/spec.yaml " --root "$root" history /
}
every_command() { # none but the hidden one is missing
    diff <("$fpsync" complete -- '' | sort -u) <({ "$fpsync" --help | sed -n '/^$/,/^Flags/s/^  \([a-z][a-z]*\) .*/\1/p'; echo deploy; echo diff; echo ps; } | sort -u)
}
in_bash() { # WANTED, WORDS...
    bash -c '. "$1"/fpsync.bash; wanted=$2; shift 2; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fpsync
        printf "%s\n" "${COMPREPLY[@]}" | sort | tr "\n" " " | diff - <(printf %s "$wanted")' - "$completion" "$@"
}
in_zsh() { # the file as an autoloaded function, with compadd and _files told apart
    zsh -fc 'completion=$1 wanted=$2; shift 2; words=("$@") CURRENT=$#
        compadd() { print -l -- "${(@P)2}" | sort | tr "\n" " "; }; _files() { print -n ":files "; }
        fpath=("$completion" $fpath); autoload -Uz _fpsync
        got=$(_fpsync); [[ $got == "$wanted" ]] || { print "got $got"; exit 1 }' - "$completion" "$@"
}
in_fish() { # WANTED, LINE
    PATH=$root/bin:$PATH fish --no-config -c "source $completion/fpsync.fish; complete -C '$2'" |
        cut -f1 | sort | tr '\n' ' ' | diff - <(printf %s "$1")
}
shell() { # SHELL COMMAND...: or a skip
    local name=$1
    shift
    if command -v "$name" >/dev/null; then
        check "completion in $name" "$@"
    else
        count=$((count + 1))
        echo "ok $count - completion in $name # SKIP it is not installed"
    fi
}
bash_completes() {
    in_bash 'web worker ' "$fpsync" --root "$root" stop w && in_bash 'volume/data ' "$fpsync" --root "$root" forget v &&
        in_bash 'stop store ' "$fpsync" sto && in_bash ' ' "$fpsync" apply -f ''
}
zsh_completes() {
    in_zsh 'web worker ' "$fpsync" --root "$root" stop w && in_zsh 'stop store ' "$fpsync" sto && in_zsh ':files ' "$fpsync" apply -f ''
}
fish_completes() {
    in_fish 'web worker ' "fpsync --root $root stop w" && in_fish 'stop store ' 'fpsync sto' && in_fish '--dry-run ' 'fpsync apply --dry'
}

check 'complete offers commands, flags, their values, and names of objects' offers_all
check 'complete offers every command' every_command
shell bash bash_completes
shell zsh zsh_completes
shell fish fish_completes

# What tests share that kill runs at moments of their own. After lib.sh. FPSYNC_KILLS rounds; FPSYNC_SEED repeats moments.
RANDOM=${FPSYNC_SEED:-$$}
kills=${FPSYNC_KILLS:-50}
killed=0
bad=0
lasts=0 # microseconds that a moment is chosen in
echo "# FPSYNC_SEED=${FPSYNC_SEED:-$$}"

measure() { # ARGUMENTS of fpsync: how long it takes undisturbed
    local began
    began=$(date +%s%N)
    fps "$@" >/dev/null 2>&1
    lasts=$((($(date +%s%N) - began) / 1000))
    echo "# $1 takes $lasts us"
}
kill_during() { # ARGUMENTS of fpsync; sets $moment
    local run
    moment=$(((RANDOM * 32768 + RANDOM) % lasts))
    setsid "$FPSYNC" --root "$ROOT" "$@" >/dev/null 2>&1 &
    run=$!
    read -r -t "$(printf '%d.%06d' $((moment / 1000000)) $((moment % 1000000)))" <> <(:) || true
    kill -9 $run 2>/dev/null && killed=$((killed + 1))
    wait $run 2>/dev/null
}
spoiled() { # WHAT, detail: after the last kill
    bad=$((bad + 1))
    not_ok "killed after $moment us: $1" "${2-}"
}
# The workers of a killed run end by themselves; the next run waits for their lock or finds them gone.
recovers() { # the next apply converges; false: it does not
    local text
    text=$(fps apply -y -f "$FILE" 2>&1) || { spoiled 'the next apply converges' "$text" && return 1; }
    text=$(fps plan -f "$FILE" 2>&1) || spoiled 'nothing left to do after it' "$text"
}
no_temporary_files() {
    is 'no temporary file' "$(find "$ROOT/var/lib/fpsync" "$ROOT/run/fpsync" "$ROOT/var/lib/lxc" \
        \( -path '*/root' -o -path '*/upper' -o -path '*/mounts' -o -path '*/data' -o -path '*/frozen' -o -path '*/apparmor' \) -prune -o -name '*tmp*' -print)" ''
}

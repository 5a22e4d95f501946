#!/bin/bash
# kill -9 of a real apply at 50 moments (FPSYNC_KILLS) spread over its measured length: the next apply converges, and after down
# no mount, link, rule, process or cgroup is left over. The seed of the moments is printed.
. "$(dirname "$0")/lib.sh"

base_spec
began=$(date +%s%N)
converge 'measuring one run' || exit
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'down leaves nothing' "$(leftovers)" ''
began=$(date +%s%N)
fps apply -y -q -f "$FILE" >/dev/null 2>&1
length=$((($(date +%s%N) - began) / 1000)) # microseconds
RANDOM=${FPSYNC_SEED:-$$}
echo "# apply takes $length us; FPSYNC_SEED=${FPSYNC_SEED:-$$}"

# A killed run holds its lock on, for an instant, in a worker that it was starting: a holder that lives refuses, one
# that is gone is waited for.
lock=$ROOT/run/fpsync/lock
hold() { # PID: says so in the lock file and holds it until its input ends
    flock "$lock" bash -c 'printf "pid %d, fpsync apply" '"$1"' >"$0" && echo held && read -r _' "$lock"
}
true &
gone=$!
wait $gone
coproc HOLDER { hold $$; }
holder=$HOLDER_PID # bash forgets it as soon as the coprocess has ended
read -r _ <&"${HOLDER[0]}"
fps apply -y -q -f "$FILE" >/dev/null 2>&1
is 'a lock whose holder lives is refused' $? 5
echo >&"${HOLDER[1]}"
wait "$holder" 2>/dev/null
coproc HOLDER { hold $gone; }
holder=$HOLDER_PID
read -r _ <&"${HOLDER[0]}"
fps apply -y -q -f "$FILE" >/dev/null 2>&1 &
waiting=$!
echo >&"${HOLDER[1]}"
wait "$holder" 2>/dev/null
wait $waiting
is 'a lock whose holder is gone is waited for' $? 0

kills=${FPSYNC_KILLS:-50}
bad=0
killed=0
for round in $(seq "$kills"); do
    # By turns a change of everything that runs, and a way from nothing to everything.
    if [ $((round % 3)) -eq 0 ]; then
        sed -i "s/address: $NET\.[0-9]*/address: $NET.$((20 + round))/; s/pids: [0-9]*/pids: $((100 + round))/" "$FILE"
    else
        fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
    fi
    moment=$(((RANDOM * 32768 + RANDOM) % length))
    setsid "$FPSYNC" --root "$ROOT" apply -y -q -f "$FILE" >/dev/null 2>&1 &
    run=$!
    read -r -t "$(printf '%d.%06d' $((moment / 1000000)) $((moment % 1000000)))" <> <(:) || true
    kill -9 $run 2>/dev/null && killed=$((killed + 1))
    wait $run 2>/dev/null
    # The workers of a killed run end by themselves; the next run waits for their lock or finds them gone.
    if ! text=$(fps apply -y -f "$FILE" 2>&1); then
        bad=$((bad + 1))
        not_ok "killed after $moment us: the next apply converges" "$text"
        continue
    fi
    text=$(fps plan -f "$FILE" 2>&1) || {
        bad=$((bad + 1))
        not_ok "killed after $moment us: nothing left to do after it" "$text"
    }
    if ! eventually 3 page "http://127.0.0.1:$PORT/"; then
        bad=$((bad + 1))
        not_ok "killed after $moment us: the page answers after the next apply"
    fi
done
is "$kills kills, $killed of them in time: every next apply converged" "$bad" 0
is 'one bridge' "$(bridges | wc -l)" 1
is 'two ports' "$(ports_of_host | wc -l)" 2
is 'one resolver' "$(processes | grep -c dnsmasq)" 1
is 'no temporary file' "$(find "$ROOT/var/lib/fpsync" "$ROOT/run/fpsync" "$ROOT/var/lib/lxc" \
    \( -path '*/root' -o -path '*/upper' -o -path '*/mounts' -o -path '*/data' -o -path '*/apparmor' \) -prune -o -name '*tmp*' -print)" ''
check 'down' fps down -y --timeout 0 -f "$FILE"
is 'nothing is left' "$(leftovers)" ''

#!/bin/bash
# kill -9 of a real apply at moments spread over its measured length: the next apply converges, and after down no mount,
# link, rule, process or cgroup is left over.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kill.sh"

base_spec
converge 'the first run' || exit
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'down leaves nothing' "$(leftovers)" ''
measure apply -y -q -f "$FILE"

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

for round in $(seq "$kills"); do
    # By turns a change of everything that runs, and a way from nothing to everything.
    if [ $((round % 3)) -eq 0 ]; then
        sed -i "s/address: $NET\.[0-9]*/address: $NET.$((20 + round))/; s/pids: [0-9]*/pids: $((100 + round))/" "$FILE"
    else
        fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
    fi
    kill_during apply -y -q -f "$FILE"
    recovers || continue
    eventually 3 page "http://127.0.0.1:$PORT/" || spoiled 'the page answers after the next apply'
done
is "$kills kills, $killed of them in time: every next apply converged" "$bad" 0
is 'one bridge' "$(bridges | wc -l)" 1
is 'two ports' "$(ports_of_host | wc -l)" 2
is 'one resolver' "$(processes | grep -c dnsmasq)" 1
no_temporary_files
check 'down' fps down -y --timeout 0 -f "$FILE"
is 'nothing is left' "$(leftovers)" ''

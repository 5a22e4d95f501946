#!/bin/bash
# depends_on: completed. Who waits begins when the other has ended by itself and well, and not before.
. "$(dirname "$0")/lib.sh"

both() { # what the job does, what `later` has in its environment
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
volumes: { shared: {} }
containers:
  job:
    image: guest
    command: [ /bin/busybox, sh, -c, "$1" ]
    restart: never
    networks: []
    volumes: [ "shared:/shared" ]
  later:
    image: guest
    command: [ /bin/busybox, sh, -c, "cp /shared/done /shared/seen; exec sleep 1000" ]
    networks: []
    volumes: [ "shared:/shared" ]
    env: { TRY: "${2-1}" }
    depends_on: { job: completed }
END
}
shared() { # what the later one has seen
    cat "$ROOT"/var/lib/fpsync/volumes/t_shared/data/seen 2>/dev/null
}

spec all < <(both 'sleep 1; echo first >/shared/done')
converge 'a job, and one that waits for it'
is 'it began behind the end of the job' "$(shared)" first
is 'the job has ended' "$(pid_of t/job)" ''
isnt 'who waited runs' "$(pid_of t/later)" ''
began=$(pid_of t/later)
check 'the job is run again by hand' fps restart t/job
is 'and who waited for it once runs on' "$(pid_of t/later)" "$began"

spec all < <(both 'exit 3' 2)
fails 'a job that fails leaves out who waits' 3 fps apply -y -f "$FILE"
like 'and says with what' "$(fps status)" 'job .*failed'
fails 'its restart was not begun' 2 fps plan -f "$FILE"
is 'so it runs on as it was' "$(pid_of t/later)" "$began"

spec all < <(both 'exec sleep 1000' 4)
fps apply -y -f "$FILE" >"$ROOT/killed" 2>&1 &
run=$!
eventually 20 grep -q 'container t/job: done' "$ROOT/killed"
kill -9 "$(pid_of t/job)"
wait $run
is 'one that is killed meanwhile leaves out who waits' $? 3
like 'since it has not completed' "$(cat "$ROOT/killed")" 'was ended before its command did'
is 'who waited runs on as it was' "$(pid_of t/later)" "$began"
kill -9 "$began"
eventually 20 test ! -e "/proc/$began"
like 'after its own end it is held' "$(held_of "$(plan_of "$FILE")")" '^container/t/later: it waits until t/job has completed, which was ended before its command did$'

spec all < <(both 'echo again >/shared/done' 4)
converge 'a job that does well lets it begin'
spec all < <(both 'echo again >/shared/done' 4 | sed 's/^  job:/  task:\n    was: job/; s/job: completed/task: completed/')
converge 'the job is renamed'
is 'what it ended with is known' "$(cat "$ROOT"/var/lib/lxc/*task*/init/exit)" 0
began=$(pid_of t/later)
kill -9 "$began"
eventually 20 test ! -e "/proc/$began"
converge 'so who waits for it begins'
isnt 'and runs' "$(pid_of t/later)" ''

spec all < <(both 'exit 0' 5 | sed 's|\[ /bin/busybox, sh, -c, "exit 0" \]|[ /bin/nothing, here ]|')
said=$(fps apply -y -f "$FILE" 2>&1)
is 'a job whose program is not there fails' $? 3
like 'and it is said why' "$said" 'its command does not start: cannot run /bin/nothing: No such file or directory'
like 'it has ended in no way that restart could judge: it is tried again' "$(actions_of "$(plan_of "$FILE")")" '^(start|create|restart) container/t/job$'
like 'status says so, too' "$(fps status)" 'job .*failed'

spec all < <(both 'sleep 100' 3)
fails 'one that does not end in time does so, too' 7 fps apply -y --timeout 500ms -f "$FILE"
check 'down' fps down -y --timeout 0 -f "$FILE"
check 'gc' fps gc --force -y
is 'nothing is left over' "$(leftovers)" ''

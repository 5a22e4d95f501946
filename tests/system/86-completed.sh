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

spec all < <(both 'sleep 100' 3)
fails 'one that does not end in time does so, too' 7 fps apply -y --timeout 500ms -f "$FILE"
check 'down' fps down -y --timeout 0 -f "$FILE"
check 'gc' fps gc --force -y
is 'nothing is left over' "$(leftovers)" ''

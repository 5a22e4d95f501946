#!/bin/bash
# Health is what a probe says: inside the container's own network or by a program in it, while a run waits for it.
#   FPSYNC_SLOW=FACTOR for a machine on which a start takes so much longer (1)
. "$(dirname "$0")/walk.sh"

SLOW=${FPSYNC_SLOW:-1}
ms() { # milliseconds of a machine that is not slow
    echo "$(($1 * SLOW))ms"
}
sets() { # FIELDS of cache, FIELDS of web [more containers]
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks: { front: { subnet: $NET.0/25 } }
containers:
  cache: { image: guest, networks: [ front ]$1 }
  web: { image: guest, networks: [ front ], depends_on: { cache: healthy }$2 }
END
}
phase() { # CONTAINER
    fps status -o json | jq -r --arg name "t/$1" '.objects[] | select(.kind == "container" and .name == $name) | .phase'
}
no_probe_is_left() {
    ! pgrep -f "fpsync-worker $ROOT" >/dev/null
}

spec all < <(sets ', health: { http: ":80/", interval: '"$SLOW"'s }' ', health: { tcp: 80 }')
like 'the plan says that the run waits' "$(fps plan -f "$FILE")" 'then: until it is healthy, '$((3 * SLOW))'s at most'
converge 'a web server, and one that waits until it answers'
is 'it is healthy' "$(phase cache)" healthy
is 'so is who waited' "$(phase web)" healthy
like 'the time of the probe is told' "$(fps status)" 'probed 20.* by a run; nothing probes between runs'
began=$(pid_of t/cache)

spec all < <(sets ', health: { http: ":80/missing", interval: 500ms, retries: 2 }' ', env: { TRY: "2" }')
fails 'a page that is not there leaves out who waits' 7 fps apply -y -f "$FILE"
is 'the change of health restarted nothing' "$(pid_of t/cache)" "$began"
is 'it is unhealthy' "$(phase cache)" unhealthy
like 'status says what the probe met' "$(fps status)" 'answered with status 404'
spec all < <(sets ', health: { command: "test -e /run/fine", interval: '"$(ms 500)"', retries: 2 }' ', env: { TRY: "2" }')
fails 'a command that fails does, too' 7 fps apply -y -f "$FILE"
like 'status says with what' "$(fps status)" 'its command ended with status 1'
inside t/cache touch /run/fine
converge 'and lets it begin once it does well'
is 'it runs inside as exec does' "$(phase cache)" healthy
is 'nothing was restarted for it' "$(pid_of t/cache)" "$began"

# ---- a HEALTHCHECK ----

built() { # FIELDS of one
    cat <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  app: { build: { from: guest, steps: [ "HEALTHCHECK --interval=$(ms 500) --retries=2 CMD test ! -e /run/sick" ] } }
containers:
  one: { image: app, networks: []$1 }
END
}
take_down
spec built < <(built '')
check 'an image with a HEALTHCHECK is built and run' fps apply -y -f "$FILE"
is 'and what it says is heeded' "$(phase one)" healthy
spec built < <(built ', health: { timeout: 5s }')
like 'the cause of what is changed is the spec' "$(causes_of "$(plan_of "$FILE")")" 'health.timeout 30s 5s .*built.yaml'
spec built < <(built '')
inside t/one touch /run/sick
fails 'every container is asked' 7 fps apply -y --wait -f "$FILE"
is 'and is unhealthy' "$(phase one)" unhealthy
is 'a plan has nothing to do about that' "$(fps plan -f "$FILE")" 'Nothing to do: everything is as declared.'

waited() { # how an apply ends that waits
    fps apply -y -q --wait=$((3 * SLOW))s -f "$FILE" >/dev/null 2>&1
    echo $?
}
sick_waited() {
    inside t/one touch /run/sick
    waited
}
back_without() { built ''; }
back_set() { built ', health: { none: true }'; }
back_changed() { built ", health: { tcp: 81, interval: $(ms 100), retries: 1 }"; }
take_down
effect container.health.none sick_waited 7 0 7 7
walk t/one record back

# ---- how, how often, and how long ----

served() { # FIELDS; on a network, since nobody brings up the loopback of one that has none
    printf 'project: t\nimages: { guest: { source: "file:%s" } }\nnetworks: { front: { subnet: %s.0/25 } }\ncontainers: { one: { image: guest, networks: [ front ]%s } }\n' "$BUSYBOX" "$NET" "$1"
}
page_without() { served ''; }
page_set() { served ', health: { http: ":80/" }'; }
page_changed() { served ', health: { http: ":80/missing", interval: 100ms, retries: 1 }'; }
effect container.health waited 0 0 7 0
effect container.health.http waited 0 0 7 0
walk t/one record page
port_without() { served ''; }
port_set() { served ', health: { tcp: 80 }'; }
port_changed() { served ', health: { tcp: 81, interval: 100ms, retries: 1 }'; }
effect container.health.tcp waited 0 0 7 0
walk t/one record port
said() { # what the probe wrote inside
    waited >/dev/null
    inside t/one sh -c 'tail -n1 /run/said; rm -f /run/said' 2>/dev/null
}
command_without() { one ''; }
command_set() { one ', health: { command: "echo one >>/run/said" }'; }
command_changed() { one ', health: { command: [ /bin/sh, -c, "echo other >>/run/said" ] }'; }
effect container.health.command said '' one other ''
walk t/one record command

failing() { # FIELDS of its health, which fails
    one ", health: { command: 'echo >>/run/count; [ ! -e /run/began ] || ${2-false}', $1 }"
}
took() { # whether it was given up before two seconds had passed
    local began=${EPOCHREALTIME/./}
    inside t/one touch /run/began
    waited >/dev/null
    [ $((${EPOCHREALTIME/./} - began)) -lt $((2200000 * SLOW)) ] && echo short || echo long
}
interval_without() { failing 'retries: 1'; }
interval_set() { failing "retries: 1, interval: $(ms 300)"; }
interval_changed() { failing 'retries: 1, interval: 1m'; }
effect container.health.interval took long short long long
walk t/one record interval
period_without() { failing "retries: 1, interval: $(ms 300)"; }
period_set() { failing "retries: 1, interval: $(ms 300), start_period: 1m"; }
period_changed() { failing "retries: 1, interval: $(ms 300), start_period: $(ms 100)"; }
effect container.health.start_period took short long short short
walk t/one record period
retries_without() { failing "interval: $(ms 300)"; }
retries_set() { failing "interval: $(ms 300), retries: 100"; }
retries_changed() { failing "interval: $(ms 300), retries: 2"; }
effect container.health.retries took short long short short
walk t/one record retries
probes() { # whether more than one began
    inside t/one sh -c 'rm -f /run/count; touch /run/began'
    waited >/dev/null
    [ "$(inside t/one wc -l /run/count | cut -d' ' -f1)" -gt 1 ] && echo more || echo one
}
timeout_without() { failing "interval: $(ms 100), retries: 100" 'sleep 100'; }
timeout_set() { failing "interval: $(ms 100), retries: 100, timeout: $(ms 300)" 'sleep 100'; }
timeout_changed() { failing "interval: $(ms 100), retries: 100, timeout: 1m" 'sleep 100'; }
effect container.health.timeout probes one more one one
walk t/one record timeout

# ---- guests that mean no good ----

spec hostile < <(served ", health: { command: 'sleep 1000 & sleep 2000; true', interval: 1s, retries: 1 }" | sed 's/interval/timeout: 400ms, interval/')
fails 'a probe that hangs ends with its time' 7 fps apply -y -f "$FILE"
is 'with what it has started' "$(inside t/one ps | grep -c 'sleep [12]000')" 0
spec hostile < <(served ", health: { command: 'yes | head -c 900000000', timeout: 2s, interval: 2s, retries: 1 }")
fails 'a probe that never stops talking is not listened to' 7 fps apply -y --wait -f "$FILE"
inside t/one sh -c 'echo "#!/bin/sh
while :; do echo x; done" >/bin/flood; chmod 755 /bin/flood; nc -ll -p 82 -e /bin/flood </dev/null >/dev/null 2>&1 &'
listens() { # PORT
    inside t/one netstat -ltn | grep -q ":$1 "
}
check 'somebody floods who asks' eventually 20 listens 82
spec hostile < <(served ', health: { http: ":82/", interval: 1s, retries: 1 }')
fails 'an answer that is no HTTP is none' 7 fps apply -y --wait -f "$FILE"
like 'and is called so' "$(fps status)" 'the answer is no HTTP'
inside t/one sh -c 'nc -ll -p 83 -e sleep 1000 </dev/null >/dev/null 2>&1 &'
check 'somebody takes calls and says nothing' eventually 20 listens 83
spec hostile < <(served ', health: { http: ":83/", timeout: 500ms, interval: 1s, retries: 1 }')
fails 'one that says nothing ends with its time' 7 fps apply -y --wait -f "$FILE"
like 'and is called so, too' "$(fps status)" 'no answer within'
is 'it runs on' "$(phase one)" unhealthy
frozen_by_hand t/one
spec hostile < <(served ", health: { command: 'true', interval: $(ms 300), retries: 1 }")
check 'one that somebody made stand still goes on first' fps apply -y --wait -f "$FILE"
is 'and is healthy' "$(phase one)" healthy
check 'no worker is left' no_probe_is_left
check 'down' fps down -y --timeout 0 -f "$FILE"
check 'gc' fps gc --force -y
is 'nothing is left over' "$(leftovers)" ''

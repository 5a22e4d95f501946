#!/bin/bash
# Sources, guards, locks and broken sets: who owns what, and what a run refuses.
. "$(dirname "$0")/lib.sh"

spec first <<END
project: a
images: { guest: { source: "file:$BUSYBOX" } }
networks: { net: { subnet: $NET.0/25 } }
containers:
  one: { image: guest, networks: [ net ], ports: [ "$PORT:80" ] }
END
first=$FILE
spec second <<END
project: b
images: { guest: { source: "file:$BUSYBOX" } }
networks: { net: { subnet: $NET.128/25 } }
containers:
  two: { image: guest, networks: [ net ] }
  three: { image: guest, networks: [ net ] }
END
second=$FILE
converge 'the first source' "$first" || exit
one=$(pid_of a/one)
converge 'the second source' "$second"
is 'the second leaves the first alone' "$(pid_of a/one)" "$one"
check 'no action of the second names an object of the first' test -z "$(actions_of "$PLAN" | grep /a/)"
sed -i '/^  three:/d' "$second"
converge 'a removal in the second' "$second"
is 'it leaves the first alone' "$(pid_of a/one)" "$one"
is 'two different networks do not reach each other' "$(inside b/two timeout 2 wget -q -O- "http://$(address_of a/one)/" 2>&1 | grep -c busybox)" 0

spec third <<END
project: a
images: { guest: { source: "file:$BUSYBOX" } }
containers:
  one: { image: guest, networks: [] }
END
fails 'an object of another source is refused' 4 fps apply -y -f "$FILE"
like 'both places are named' "$(fps apply -y -f "$FILE" 2>&1)" 'first.yaml'
is 'it was left alone' "$(pid_of a/one)" "$one"
spec clash <<END
project: c
images: { guest: { source: "file:$BUSYBOX" } }
containers:
  other: { image: guest, ports: [ "127.0.0.1:$PORT:80" ] }
END
fps apply -y -f "$FILE" >"$ROOT/out" 2>&1
status=$?
check 'a port of another source is refused or held' test $status -eq 6 -o $status -eq 3 -o $status -eq 4
like 'its owner is named' "$(cat "$ROOT/out")" 'a/one'
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1

spec broken <<END
project: d
images: { guest: { source: "file:$BUSYBOX" } }
containers:
  one: { image: guset }
  two: { image: guest, limits: { memmory: 5 } }
END
fails 'a broken set is invalid' 6 fps apply -y -f "$FILE"
text=$(fps apply -y -f "$FILE" 2>&1)
like 'all its errors in one run, with position: the first' "$text" 'broken.yaml:4:[0-9]+: '
like 'and the second' "$text" 'broken.yaml:5:[0-9]+: '
like 'with the nearest name' "$text" 'guest'
check 'nothing of it was made' test -z "$(fps status -o name | grep /d/)"
fails 'validate says so too' 6 fps validate -f "$FILE"
is 'validate -o json' "$(fps validate -f "$FILE" -o json | jq '.errors | length')" 2

# One writer: the second is told who holds the lock.
exec 7>"$ROOT/run/fpsync/lock"
flock 7
fails 'a locked root' 5 timeout 60 "$FPSYNC" --root "$ROOT" apply -y --lock-timeout 0 -f "$first"
fails 'plan takes no lock' 0 fps plan -f "$first"
fails 'status takes no lock' 0 fps status
exec 7>&-
fails 'the lock is free again' 0 fps apply -y -f "$first"

check 'down of the second' fps down -y --timeout 0 -f "$second"
is 'it leaves the first alone' "$(pid_of a/one)" "$one"
check 'down of the first' fps down -y --timeout 0 -f "$first"
is 'nothing is left' "$(leftovers)" ''

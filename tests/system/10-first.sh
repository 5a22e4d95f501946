#!/bin/bash
# From a YAML file to running containers, and back: what a user sees in the first ten minutes.
. "$(dirname "$0")/lib.sh"

fails 'status of nothing is fine' 0 fps status
base_spec
fails 'plan says that changes are pending' 2 fps plan -f "$FILE"
is 'plan made nothing' "$(ls "$ROOT")" spec
converge 'the first apply'
like 'a new image, network, volume and two containers' "$(actions_of "$PLAN" | wc -l)" '^[5-9]$'
isnt 'one runs' "$(pid_of t/one)" ''
isnt 'two runs' "$(pid_of t/two)" ''
like 'causes name the line of the file' "$(causes_of "$PLAN")" 'base.yaml:[0-9]+'

is 'the declared address is in the guest' "$(address_of t/one)" "$NET.10"
like 'a leased address is in the subnet' "$(address_of t/two)" "^$NET\."
like 'the address was there before init' "$(inside t/one cat /run/address-at-boot)" "inet $NET.10/25"
like 'resolv.conf was there before init' "$(inside t/one cat /run/resolver-at-boot)" "nameserver $NET.1"
like 'env reaches PID 1' "$(inside t/one cat /run/env-at-boot)" '^COLOR=deep blue$'
is 'env reaches exec' "$(fps exec t/one -- sh -c 'echo $COLOR')" 'deep blue'
is 'exec hides the environment of its caller' "$(SECRET=x fps exec t/one -- sh -c 'echo "[$SECRET]"')" '[]'
fails 'exec hands on the exit code' 42 fps exec t/one -- sh -c 'exit 42'
fails 'exec hands on a signal' 137 fps exec t/one -- sh -c 'kill -9 $$'
like 'ids are not those of the host' "$(cat "/proc/$(pid_of t/one)/uid_map")" '^ +0 +[1-9][0-9]{4,} +65536$'
isnt 'each container has its own ids' "$(cat "/proc/$(pid_of t/one)/uid_map")" "$(cat "/proc/$(pid_of t/two)/uid_map")"
is 'no descriptor of ours is inside' "$(inside t/one sh -c 'ls /proc/1/fd | sort -n | tr "\n" " "' | grep -cE '\b([3-9]|[1-9][0-9]+)\b')" 0

check 'a name resolves from a neighbour' inside t/two wget -q -O- http://one/
check 'so does NAME.PROJECT' inside t/two wget -q -O- http://one.t/
check 'and NAME.PROJECT.internal' inside t/two wget -q -O- http://one.t.internal/
check 'a name does not resolve outside its networks' sh -c "! getent hosts one.t.internal"
HOST=$(ip -4 -o route get 1.1.1.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
HOST=${HOST:-127.0.0.1}
check 'the page through the port, from the host by loopback' eventually 5 page "http://127.0.0.1:$PORT/"
check 'the page through the port, by an address of the host' eventually 5 page "http://$HOST:$PORT/"
check 'the page through the port, from a guest' inside t/two wget -q -O- "http://$HOST:$PORT/"
check 'the page through the port, from the guest itself' inside t/one timeout 3 wget -q -O- "http://$HOST:$PORT/"
is 'a forward keeps the address of a client' "$(inside t/one wget -q -O- "http://$NET.10/cgi-bin/who")" "$NET.10"

status=$(fps status -o json)
is 'status: schema 1' "$(jq .schema <<<"$status")" 1
is 'status: one runs, with its pid' "$(jq -r '.objects[] | select(.kind == "container" and .name == "t/one") | "\(.phase) \(.pid)"' <<<"$status")" \
    "running $(pid_of t/one)"
is 'status: the address' "$(jq -r '.objects[] | select(.kind == "container" and .name == "t/one").addresses[0]' <<<"$status")" "$NET.10"
like 'status -o name' "$(fps status -o name)" '^container/t/one$'
fails 'status --drift without drift' 0 fps status --drift

before="$(pid_of t/one) $(pid_of t/two)"
is 'apply -q says nothing when nothing changed' "$(fps apply -q -f "$FILE" 2>&1)" ''
is 'a second apply leaves the pids' "$(pid_of t/one) $(pid_of t/two)" "$before"
check 'a second apply makes no mutating call' "$BUILD/tests/system/no-mutation" \
    -a /lock -a /lock.mdb -- "$FPSYNC" --root "$ROOT" apply -q -f "$FILE"
sed -i 's/memory: 64MiB, pids: 100/pids: 100, memory: 65536K, swap: 0/; s/image: guest$/image: "guest"/' "$FILE"
converge 'keys reordered, units and defaults written out'
is 'that was nothing to do' "$(actions_of "$PLAN")" ''

fps exec t/one -- sh -c 'echo kept >/root/note; echo kept >/srv/data/note'
began=$SECONDS
check 'stop' fps stop t/one
is 'a stopped container has no process' "$(pid_of t/one)" ''
check 'stop was graceful, not a time-out' test $((SECONDS - began)) -lt 15
is 'apply leaves alone what a person stopped' "$(fps apply -q -f "$FILE" 2>&1; pid_of t/one)" ''
check 'start' fps start t/one
isnt 'it runs again' "$(pid_of t/one)" ''
is 'what it wrote is there' "$(inside t/one cat /root/note)" kept
is 'what it wrote into the volume is there' "$(inside t/one cat /srv/data/note)" kept
before=$(pid_of t/one)
check 'restart' fps restart t/one
isnt 'restart gave a new init' "$(pid_of t/one)" "$before"

check 'down' fps down -y -f "$FILE"
is 'down leaves nothing behind' "$(leftovers)" ''
check 'layers are kept' test -s "$(find "$ROOT/var/lib/fpsync/layers" -path '*t_one*' -name note | head -n 1)"
like 'gc --dry-run names what is kept' "$(fps gc --dry-run)" '(layer|volume).*t/(one|data)'
converge 'declaring it again picks the data up'
is 'the layer is back' "$(inside t/one cat /root/note)" kept
is 'the volume is back' "$(inside t/one cat /srv/data/note)" kept
check 'down, at once' fps down -y --timeout 0 -f "$FILE"
check 'gc frees what is named' fps gc volume/t/data
check 'it is gone' test ! -e "$ROOT/var/lib/fpsync/volumes/t_data"
is 'nothing is left' "$(leftovers)" ''

#!/bin/bash
# Removal: one line out of the YAML removes exactly its object.
. "$(dirname "$0")/lib.sh"

write() {
    spec set <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
networks:
  front: { subnet: $NET.0/25 }
  back: { subnet: $NET.128/25 }
volumes:
  data: {}
  more: {}
containers:
  one: { image: guest, networks: [ front, back ], volumes: [ "data:/srv/data", "more:/srv/more" ], ports: [ "$PORT:80", "$((PORT + 1)):80" ], env: { A: "1", B: "2" } }
  two: { image: guest, networks: [ front ] }
  three: { image: guest, networks: [ front ] }
  four: { image: guest, networks: [ front ] }
END
}
write
converge 'what the test starts from' || exit
pids() { echo "$(pid_of t/one) $(pid_of t/two)"; }
before=$(pids)

sed -i '/^  four:/d' "$FILE"
converge 'a container leaves'
is 'a container leaves: its actions' "$(actions_of "$PLAN" | grep -v 'layer/t/four$')" "$(actions_of "$PLAN" | grep 'container/t/four$')"
is 'a container leaves: no process' "$(pid_of t/four)" ''
check 'a container leaves: no definition' test ! -e "$ROOT/var/lib/lxc/$(lxc_of t/four)"
is 'a container leaves: the others keep their init' "$(pids)" "$before"
check 'a container leaves: its layer is kept' test -d "$ROOT/var/lib/fpsync/layers/t_four"
like 'a container leaves: gc names the layer' "$(fps gc --dry-run)" 'layer t/four'

sed -i "s/, \"$((PORT + 1)):80\"//" "$FILE"
converge 'a port leaves'
check 'a port leaves: it is shut' sh -c "! curl -s -m 2 http://127.0.0.1:$((PORT + 1))/"
check 'a port leaves: the other is open' eventually 5 page "http://127.0.0.1:$PORT/"
is 'a port leaves: same init' "$(pids)" "$before"

sed -i 's#, "more:/srv/more"##' "$FILE"
converge 'a mount leaves'
check 'a mount leaves: it is not in the guest' sh -c "! grep -q /srv/more /proc/$(pid_of t/one)/mountinfo"
check 'a mount leaves: the other is' grep -q /srv/data "/proc/$(pid_of t/one)/mountinfo"
is 'a mount leaves: same init' "$(pids)" "$before"
sed -i '/^  more:/d' "$FILE"
converge 'a volume leaves'
check 'a volume leaves: its data stays' test -d "$ROOT/var/lib/fpsync/volumes/t_more"

sed -i 's/\[ front, back \]/[ front ]/' "$FILE"
converge 'a NIC leaves'
check 'a NIC leaves: eth1 is gone' sh -c "! lxc-attach -P $ROOT/var/lib/lxc -n $(lxc_of t/one) -- ip link show eth1"
is 'a NIC leaves: same init' "$(pids)" "$before"
sed -i '/^  back:/d' "$FILE"
converge 'a network leaves'
is 'a network leaves: one bridge is left' "$(bridges | wc -l)" 1
is 'a network leaves: one resolver is left' "$(processes | grep -c dnsmasq)" 1
is 'a network leaves: same init' "$(pids)" "$before"

# The guard: more than three objects and more than a quarter.
cp "$FILE" "$ROOT/whole"
spec set <<END
project: t
END
fails 'an emptied file is refused' 4 fps apply -y -f "$FILE"
is 'an emptied file changed nothing' "$(pids)" "$before"
: >"$FILE"
fails 'an empty file is refused' 4 fps apply -y -f "$FILE"
rm "$FILE"
fails 'a missing file is refused' 4 fps apply -y -f "$FILE"
is 'a missing file changed nothing' "$(pids)" "$before"
cp "$ROOT/whole" "$FILE"
converge 'the file is back: nothing to do'
is 'the file is back: no action' "$(actions_of "$PLAN")" ''
: >"$FILE"
check 'with --allow-mass-delete it goes' fps apply -y --allow-mass-delete -f "$FILE"
is 'everything that ran is gone' "$(leftovers)" ''

# What never came up leaves no more than what did.
mkdir -p "$ROOT/etc/fpsync"
echo 'allow: { raw_lxc: true }' >"$ROOT/etc/fpsync/fpsync.conf"
gone() {
    (cd "$ROOT/var/lib" && ls -d fpsync/layers/u_* lxc/u_* 2>/dev/null)
}
never() { # ENTRIES of each
    spec never <<END
project: u
images: { guest: { source: "file:$BUSYBOX" } }
containers:
  key: { image: guest, networks: []$1 }
  hook: { image: guest, networks: [], $2 }
  copy: { image: guest, networks: [], root: copy$1 }
END
}
never ', lxc: [ "lxc.nosuch = 1" ]' 'lxc: [ "lxc.hook.pre-start = /nonexistent" ], limits: { disk: 16MiB }'
fails 'containers that cannot be made' 3 fps apply -y -f "$FILE"
like 'each has begun' "$(gone | tr '\n' ' ')" 'layers/u_copy .*layers/u_hook .*layers/u_key .*lxc/u_copy.* lxc/u_hook.* lxc/u_key'
check 'they go' fps down -y -f "$FILE"
is 'gc lists what they began' "$(fps gc --dry-run | grep -c '^layer u/.* on image u/guest')" 3
check 'gc' fps gc --force
is 'nothing is left of what never came up' "$(gone)" ''
fails 'once more' 3 fps apply -y -f "$FILE"
never '' 'limits: { disk: 16MiB }'
converge 'a spec that was mended'
is 'its containers are up' "$([ "$(pid_of u/key)" ] && [ "$(pid_of u/hook)" ] && [ "$(pid_of u/copy)" ] && echo up)" up
inside u/key sh -c 'echo data >/mark'
check 'they go, too' fps down -y -f "$FILE"
never ', lxc: [ "lxc.nosuch = 1" ]' 'limits: { disk: 16MiB }'
fails 'one that was up before cannot be made' 3 fps apply -y -f "$FILE"
check 'it goes' fps down -y -f "$FILE"
never '' 'limits: { disk: 16MiB }'
converge 'it is mended'
is 'it has its data' "$(inside u/key cat /mark)" data
check 'all go' fps down -y --timeout 0 -f "$FILE"
check 'and gc' fps gc --force
is 'nothing is left of them' "$(gone)$(leftovers)" ''

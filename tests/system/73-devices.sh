#!/bin/bash
# What a container is lent of its host: devices. Each is opened inside, and read where it has anything to read.
. "$(dirname "$0")/walk.sh"

# Devices of the test's own. No default rule of LXC allows the first.
mkdir -p "$ROOT/dev/deep"
mknod -m 600 "$ROOT/dev/tun" c 10 200
mknod -m 600 "$ROOT/dev/deep/zero" c 1 5
echo none >"$ROOT/dev/file"
entries="devices: [ $ROOT/dev, /dev/fuse ]"
permit "$entries"

# PATH=NUMBERS/OWNER/MODE/opened of each that is a device
opened() { # CONTAINER PATH...
    local name=$1
    shift
    inside "$name" sh -c '
        for path; do
            [ -c "$path" ] && echo "$path=$(stat -c %t:%T/%u:%g/%a "$path")/$( (exec 3<>"$path") 2>/dev/null && echo open || echo shut)"
        done
        :' - "$@" | paste -sd' '
}

# ---- live ----

places=(/dev/fuse /dev/net/tun /srv/zero /dev/zero2 /dev/gone)
devices_without() { one ''; }
devices_set() { one ", devices: [ /dev/fuse, { path: $ROOT/dev/tun, target: /dev/net/tun }, { path: $ROOT/dev/deep/zero, target: /srv/zero }, { path: $ROOT/dev/gone, target: /dev/gone, optional: true } ]"; }
devices_changed() { one ", devices: [ { path: $ROOT/dev/tun, target: /dev/net/tun, mode: 0600 }, { path: $ROOT/dev/deep/zero, target: /dev/zero2, mode: 0666 } ]"; }
set='/dev/fuse=a:e5/0:0/660/open /dev/net/tun=a:c8/0:0/660/open /srv/zero=1:5/0:0/660/open'
changed='/dev/net/tun=a:c8/0:0/600/open /dev/zero2=1:5/0:0/666/open'
effect container.devices "opened t/one ${places[*]}" '' "$set" "$changed" ''
effect container.devices.path "opened t/one ${places[*]}" '' "$set" "$changed" ''
effect container.devices.target "opened t/one ${places[*]}" '' "$set" "$changed" ''
effect container.devices.mode "opened t/one ${places[*]}" '' "$set" "$changed" ''
effect container.devices.optional "opened t/one ${places[*]}" '' "$set" "$changed" ''
walk t/one live devices

# The same where the control group is what keeps root from devices.
permit "privileged: true, $entries"
privileged_without() { one ', privileged: true'; }
privileged_set() { devices_set | sed 's/networks: \[\]/&, privileged: true/'; }
privileged_changed() { devices_changed | sed 's/networks: \[\]/&, privileged: true/'; }
effect container.devices "opened t/one ${places[*]}" '' "$set" "$changed" ''
walk t/one live privileged

# ---- at a start, and after it was taken away ----

try() { # CONTAINER PATH: whether it can be opened
    inside "$1" sh -c '(exec 3<"$1") 2>/dev/null && echo open || echo shut' - "$2"
}
two="devices: [ { path: $ROOT/dev/tun, target: /dev/deep/one }, { path: $ROOT/dev/deep/zero, target: /dev/two } ]"
taken_away() { # FURTHER ENTRIES, whether a node that root made can be opened
    spec own < <(one ", $two$1")
    converge 'two devices from the start'
    is 'they can be opened' "$(try t/one /dev/deep/one) $(try t/one /dev/two)" 'open open'
    is 'the nodes are its own' "$(stat -c %a "$ROOT/dev/tun" "$ROOT"/var/lib/lxc/*/devices/* | paste -sd' ')" "600 660 660"
    inside t/one sh -c 'touch /dev/copy /root/copy; mount --bind /dev/deep/one /dev/copy; mount --bind /dev/deep/one /root/copy'
    is 'copies of one, too' "$(try t/one /dev/copy) $(try t/one /root/copy)" 'open open'
    inside t/one mknod /dev/made c 10 200 2>/dev/null
    is 'root can make another only without a user namespace' "$(try t/one /dev/made)" "$2"
    spec own < <(one ", devices: [ { path: $ROOT/dev/deep/zero, target: /dev/two } ]$1")
    converge 'one less'
    is 'it is gone' "$(inside t/one sh -c 'test -e /dev/deep/one && echo there')" ''
    is 'its copies are dead' "$(try t/one /dev/copy) $(try t/one /root/copy)" 'shut shut'
    is 'and what root made of its numbers' "$(try t/one /dev/made)" shut
    is 'the other is not' "$(try t/one /dev/two)" open
    check 'a restart' fps restart t/one
    is 'after it the other is there' "$(try t/one /dev/two)" open
    converge 'after it there is nothing to do'
}
taken_away ', privileged: true' open
permit "$entries"
spec own < <(one '')
converge 'without privileges'
taken_away '' shut

spec own < <(one ", devices: [ { path: $ROOT/dev/tun, target: '/srv/a b%c/d' } ]")
converge 'a place outside of /dev'
check 'a restart with it' fps restart t/one
is 'after it the device is there' "$(try t/one '/srv/a b%c/d')" open
converge 'nothing else is asked for'
check 'a second apply makes no mutating call' "$BUILD/tests/system/no-mutation" -a /lock -a /lock.mdb -- "$FPSYNC" --root "$ROOT" apply -f "$FILE"
fps stop t/one --timeout 0 >/dev/null 2>&1
is 'while it stands still the node is left' "$(ls "$ROOT"/var/lib/lxc/*/devices)" 'srv%a b%%c%d'
spec own < <(one '')
fps apply -y -f "$FILE" >/dev/null 2>&1
fps start t/one >/dev/null 2>&1
converge 'what was declared no more while it stood still'
is 'is not there after its start' "$(inside t/one sh -c 'test -c "/srv/a b%c/d" && echo there') $(ls "$ROOT"/var/lib/lxc/*/devices 2>/dev/null)" ' '

# A folder on the way is a link of the image or of the guest, as /var/run is in Debian.
spec own < <(one '')
converge 'without any'
inside t/one sh -c 'mkdir -p /srv/real/deep && ln -s real /srv/led && ln -s /srv/real/deep /srv/far'
spec own < <(one ", devices: [ { path: $ROOT/dev/tun, target: /srv/led/deep/tun }, { path: $ROOT/dev/deep/zero, target: /srv/far/new/zero } ]")
converge 'places behind symbolic links'
check 'a restart with these' fps restart t/one
is 'after it the devices are where the links lead' "$(try t/one /srv/real/deep/tun) $(try t/one /srv/far/new/zero)" 'open open'
converge 'nothing else is asked for with links'
inside t/one sh -c 'umount /srv/real/deep/tun; d=$(printf "/srv/a\tnone\tbind\nb c"); mkdir -p "$d/deep"; rm /srv/led; ln -s "$d" /srv/led'
check 'a restart with a link to a name that has a tab and a newline' fps restart t/one
is 'the device is there' "$(try t/one /srv/led/deep/tun)" open
converge 'nothing else is asked for with such a link'
spec own < <(one '')
converge 'taken away behind links'
is 'nothing can be opened behind links' "$(inside t/one sh -c 'test -c /srv/real/deep/tun || test -c /srv/far/new/zero || echo none')" none

# ---- drift ----

drifts() { # TEXT, cause
    local plan
    plan=$(plan_of "$FILE")
    like "$1: seen" "$(causes_of "$plan")" "$2"
    converge "$1: repaired"
    is "$1: it can be opened" "$(try t/one /dev/net/tun)" open
}
spec own < <(one ", devices: [ { path: $ROOT/dev/tun, target: /dev/net/tun } ]")
converge 'another device'
inside t/one umount /dev/net/tun
drifts 'unmounted by the guest' 'drift: device at /dev/net/tun is not as declared'
inside t/one chmod 0 /dev/net/tun
drifts 'without permissions' 'drift: device at /dev/net/tun is not as declared'
inside t/one mount --bind /dev/null /dev/net/tun
drifts 'covered by another' 'drift: device at /dev/net/tun is not as declared'
is 'it is not the other' "$(inside t/one stat -c %t:%T /dev/net/tun)" a:c8
rm "$ROOT/dev/tun"
mknod -m 600 "$ROOT/dev/tun" c 1 5
drifts 'with other numbers on the host' 'drift: device at /dev/net/tun is not as declared'
is 'it has the new ones' "$(inside t/one stat -c %t:%T /dev/net/tun)" 1:5
spec own < <(one ", devices: [ { path: $ROOT/dev/tun, target: /dev/net/tun, optional: true } ]")
converge 'an optional one'
rm "$ROOT/dev/tun"
like 'gone from the host: seen' "$(causes_of "$(plan_of "$FILE")")" 'is gone from the host'
converge 'gone from the host: taken away'
is 'it is not inside, either' "$(inside t/one sh -c 'test -e /dev/net/tun && echo there')" ''
mknod -m 600 "$ROOT/dev/tun" c 10 200
drifts 'back on the host' 'drift: device at /dev/net/tun is not there'

# ---- what is held ----

spec own < <(one ", devices: [ { path: $ROOT/dev/gone, target: /dev/gone } ]")
held 'a missing one' "device $ROOT/dev/gone: it is not there on the host" 'optional: true'
spec own < <(one ", devices: [ { path: $ROOT/dev/file, target: /dev/file } ]")
held 'a file' "device $ROOT/dev/file: it is no device on the host" 'optional: true'
ln -s /dev/kmsg "$ROOT/dev/link"
spec own < <(one ", devices: [ { path: $ROOT/dev/link, target: /dev/link } ]")
held 'a symbolic link' "device $ROOT/dev/link: a symbolic link is on the way to it" "readlink -f"
spec own < <(one ', devices: [ /dev/kmsg ]')
held 'one that is not permitted' 'device /dev/kmsg is not permitted on this host' \
    "write to $ROOT/etc/fpsync/fpsync.conf: allow: \{ devices: \[$ROOT/dev, /dev/fuse, /dev/kmsg\] \}"

spec own < <(one '')
converge 'without devices'
mount --bind "$ROOT/var/lib/lxc" "$ROOT/var/lib/lxc" && mount -o remount,bind,nodev "$ROOT/var/lib/lxc"
spec own < <(one ', devices: [ /dev/fuse ]')
like 'on a file system without devices it is said' "$(fps apply -f "$FILE" 2>&1)" 'is mounted nodev: no device of it can be opened'
umount "$ROOT/var/lib/lxc"
converge 'with devices it goes on'
is 'and can be opened' "$(try t/one /dev/fuse)" open
spec own < <(one '')
converge 'without devices again'
is 'no node is left' "$(ls "$ROOT/var/lib/lxc/$(lxc_of t/one)/devices" 2>/dev/null)" ''
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
is 'nothing is left behind' "$(leftovers)" ''
is 'no folder is left' "$(ls "$ROOT/var/lib/lxc")" ''

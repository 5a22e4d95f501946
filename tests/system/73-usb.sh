#!/bin/bash
# Devices that are named by what they are: USB devices and graphics processors. There are none here, so the test makes a
# sysfs of its own below the root, and nodes with the numbers of devices that there are: what the guest opens is real.
. "$(dirname "$0")/walk.sh"

sys=$ROOT/sys/bus/usb/devices
plug() { # NAME VENDOR PRODUCT SERIAL BUS NUMBER MAJOR MINOR
    mkdir -p "$sys/$1" "$ROOT/dev/bus/usb/$5"
    echo "$2" >"$sys/$1/idVendor"
    echo "$3" >"$sys/$1/idProduct"
    [ "$4" = - ] || echo "$4" >"$sys/$1/serial"
    echo $((10#$5)) >"$sys/$1/busnum"
    echo $((10#$6)) >"$sys/$1/devnum"
    mknod -m 600 "$ROOT/dev/bus/usb/$5/$6" c "$7" "$8"
}
unplug() { # NAME
    rm -f "$ROOT/dev/bus/usb/$(printf '%03d/%03d' "$(cat "$sys/$1/busnum")" "$(cat "$sys/$1/devnum")")"
    rm -r "${sys:?}/$1"
}
gpu() { # NAME BUS MAJOR MINOR
    mkdir -p "$ROOT/sys/class/drm/$1" "$ROOT/dev/dri"
    ln -s "../../../0000:$2" "$ROOT/sys/class/drm/$1/device"
    mknod -m 600 "$ROOT/dev/dri/$1" c "$3" "$4"
}
plug 1-1 1a86 7523 - 001 005 10 200
plug 1-2 0403 6001 A50285BI 001 006 1 5
plug 1-3 0403 6001 A50285BJ 001 007 1 3
mkdir -p "$sys/1-1:1.0" # an interface
gpu card0 03:00.0 10 200
gpu renderD128 03:00.0 10 229
gpu card1 00:02.0 1 5
mkdir -p "$ROOT/sys/class/drm/card0-HDMI-A-1" "$ROOT/sys/class/drm/version"
mknod -m 600 "$ROOT/dev/nvidia0" c 1 3
mkdir -p "$ROOT/proc/driver/nvidia/gpus/0000:03:00.0"
printf 'Model: \t\t None\nBus Location: \t 0000:03:00.0\nDevice Minor: \t 0\n' >"$ROOT/proc/driver/nvidia/gpus/0000:03:00.0/information"
mknod -m 600 "$ROOT/dev/nvidiactl" c 1 7

permit 'devices: [ usb, gpu ]'
# PATH=NUMBERS/opened of what there is
opened() { # CONTAINER PATH...
    local name=$1
    shift
    inside "$name" sh -c '
        for path; do
            [ -c "$path" ] && echo "$path=$(stat -c %t:%T "$path")/$( (exec 3<>"$path") 2>/dev/null && echo open || echo shut)"
        done
        :' - "$@" | paste -sd' '
}
places=(/dev/bus/usb/001/005 /dev/bus/usb/001/006 /dev/bus/usb/001/007 /dev/bus/usb/002/009 /dev/tty7)
cards=(/dev/dri/card0 /dev/dri/card1 /dev/dri/renderD128 /dev/nvidia0 /dev/nvidiactl)

# ---- live ----

usb_without() { one ''; }
usb_set() { one ', devices: [ { usb: "1A86:7523" }, { usb: "0403:6001:A50285BJ", target: /dev/tty7 }, { usb: "dead:beef", optional: true } ]'; }
usb_changed() { one ', devices: [ { usb: "0403:6001:A50285BI" }, { usb: "1a86:7523", target: /dev/tty7 } ]'; }
set='/dev/bus/usb/001/005=a:c8/open /dev/tty7=1:3/open'
changed='/dev/bus/usb/001/006=1:5/open /dev/tty7=a:c8/open'
effect container.devices.usb "opened t/one ${places[*]}" '' "$set" "$changed" ''
walk t/one live usb
permit 'devices: [ usb, gpu ], privileged: true'
privileged_without() { one ', privileged: true'; }
privileged_set() { usb_set | sed 's/networks: \[\]/&, privileged: true/'; }
privileged_changed() { usb_changed | sed 's/networks: \[\]/&, privileged: true/'; }
effect container.devices.usb "opened t/one ${places[*]}" '' "$set" "$changed" ''
walk t/one live privileged
permit 'devices: [ usb, gpu ]'

gpus_without() { one ''; }
gpus_set() { one ', devices: [ { gpu: all } ]'; }
gpus_changed() { one ', devices: [ { gpu: 1 } ]'; } # the one with the higher bus address
set='/dev/dri/card0=a:c8/open /dev/dri/card1=1:5/open /dev/dri/renderD128=a:e5/open /dev/nvidia0=1:3/open /dev/nvidiactl=1:7/open'
changed='/dev/dri/card0=a:c8/open /dev/dri/renderD128=a:e5/open /dev/nvidia0=1:3/open /dev/nvidiactl=1:7/open'
effect container.devices.gpu "opened t/one ${cards[*]}" '' "$set" "$changed" ''
walk t/one live gpus
spec own < <(one ', devices: [ { gpu: 0 } ]')
converge 'the first processor, which is none of NVIDIA'
is 'it has nothing of the other, whose number there is 0' "$(opened t/one "${cards[@]}")" /dev/dri/card1=1:5/open
mv "$ROOT/sys/class/drm" "$ROOT/drm" && mkdir "$ROOT/sys/class/drm"
converge 'where no processor has a driver of the kernel'
is 'the number is that of NVIDIA' "$(opened t/one "${cards[@]}")" '/dev/nvidia0=1:3/open /dev/nvidiactl=1:7/open'
rmdir "$ROOT/sys/class/drm" && mv "$ROOT/drm" "$ROOT/sys/class/drm"

# ---- plugged in elsewhere ----

spec own < <(one ', devices: [ { usb: "1a86:7523" }, { usb: "0403:6001:A50285BI", target: /dev/tty7 } ]')
converge 'two devices'
init=$(started t/one)
unplug 1-1
plug 2-4 1a86 7523 - 002 009 10 200
like 'another address: seen' "$(causes_of "$(plan_of "$FILE")")" 'drift: device at /dev/bus/usb/001/005 is not declared there'
like 'another address: where it is' "$(causes_of "$(plan_of "$FILE")")" 'drift: device at /dev/bus/usb/002/009 is not there'
converge 'another address: repaired'
is 'it is where it was put, and no more where it was' "$(opened t/one "${places[@]}")" '/dev/bus/usb/002/009=a:c8/open /dev/tty7=1:5/open'
unplug 1-2
plug 1-9 0403 6001 A50285BI 001 011 1 3
like 'another number: seen' "$(causes_of "$(plan_of "$FILE")")" 'drift: device at /dev/tty7 is not as declared'
converge 'another number: repaired'
is 'its place is the same' "$(opened t/one /dev/tty7)" /dev/tty7=1:3/open
is 'all that while the init stays' "$(started t/one)" "$init"
check 'a second apply makes no mutating call' "$BUILD/tests/system/no-mutation" -a /lock -a /lock.mdb -- "$FPSYNC" --root "$ROOT" apply -f "$FILE"
check 'a restart' fps restart t/one --timeout 0
is 'they are there after it' "$(opened t/one "${places[@]}")" '/dev/bus/usb/002/009=a:c8/open /dev/tty7=1:3/open'
converge 'and nothing else is to be done'
spec own < <(one ', devices: [ { usb: "1a86:7523", optional: true } ]')
converge 'an optional one'
unplug 2-4
like 'pulled out: seen' "$(causes_of "$(plan_of "$FILE")")" 'drift: device at /dev/bus/usb/002/009 is not declared there'
converge 'pulled out: taken back'
is 'it is not inside any more' "$(opened t/one "${places[@]}")" ''
plug 1-1 1a86 7523 - 001 012 10 200
converge 'plugged in again'
is 'it is there again' "$(opened t/one /dev/bus/usb/001/012)" /dev/bus/usb/001/012=a:c8/open

# ---- what is held ----

spec own < <(one ', devices: [ { usb: "0403:6001" } ]')
held 'two of a kind' 'device usb 0403:6001: several are plugged in, which a serial number would tell apart, on the host' optional
spec own < <(one ', devices: [ { usb: "dead:beef" } ]')
held 'none of a kind' 'device usb dead:beef: it is not there on the host' 'optional: true'
spec own < <(one ', devices: [ { gpu: 7 } ]')
held 'no such processor' 'device gpu 7: it is not there on the host' 'optional: true'
permit 'devices: [ /dev/fuse ]'
held 'a processor that is not permitted' 'device gpu 7 is not permitted on this host' 'allow: \{ devices: \[/dev/fuse, gpu\] \}'
spec own < <(one ', devices: [ { usb: "1a86:7523" } ]')
held 'a device that is not permitted' 'device usb 1a86:7523 is not permitted on this host' 'allow: \{ devices: \[/dev/fuse, usb\] \}'

spec own < <(one '')
converge 'without devices'
is 'nothing is lent any more' "$(opened t/one "${places[@]}")" ''
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
is 'nothing is left behind' "$(leftovers)" ''

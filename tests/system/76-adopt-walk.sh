#!/bin/bash
# Fields that what LXC had before brings along: set, changed and taken away on a container that was adopted.
. "$(dirname "$0")/walk.sh"

LXC=$ROOT/var/lib/lxc
OLD=$LXC/old.$TAG
mkdir -p "$OLD" && chmod 711 "$ROOT/var" "$ROOT/var/lib" "$LXC" "$OLD"
cp -a "$BUSYBOX" "$OLD/rootfs"
printf 'lxc.rootfs.path = %s/rootfs\nlxc.uts.name = old\nlxc.net.0.type = empty\nlxc.mount.auto = proc:mixed sys:ro\n' "$OLD" >"$OLD/config"

old() { # ENTRIES of the container
    cat <<END
containers:
  old: { root: $OLD/rootfs, privileged: true, networks: [], limits: { pids: 0 }, lxc: [ "lxc.mount.auto = proc:mixed sys:ro" ]$1 }
END
}
old_without() { old ''; }
old_set() { old ', includes: [ common ], arch: i686, apparmor: nesting'; }
old_changed() { old ', includes: [ common, userns ], arch: x86_64, apparmor: generated'; }

may_set_the_time() { # the bounding set of init; common.conf takes it away, userns.conf gives it back
    (($(sed -n 's/^CapBnd:[[:space:]]*/0x/p' "/proc/$(pid_of old)/status") >> 25 & 1)) && echo yes || echo no
}
machine() {
    inside old uname -m | sed 's/i.86/32 bits/; s/.*_64/64 bits/'
}
profile() { # where the kernel has AppArmor, of init; else what LXC would ask it for
    if grep -q Y /sys/module/apparmor/parameters/enabled 2>/dev/null; then
        grep -q "lxc-old" "/proc/$(pid_of old)/attr/current" || return 0
    fi
    sed -n 's/^lxc.apparmor.\(profile\|allow_nesting\) = //p' "$OLD/config" | paste -sd' '
}
check 'LXC starts it' lxc-start -P "$LXC" -n "old.$TAG"
spec old < <(old_without)
check 'it is adopted' fps adopt -f "$FILE"
effect container.includes may_set_the_time yes no yes yes
effect container.arch machine '64 bits' '32 bits' '64 bits' '64 bits'
effect container.apparmor profile '' 'generated 1' generated ''
walk default/old restart old

spec wrong <<END
images: { guest: { source: "file:$BUSYBOX" } }
containers:
  one: { image: guest, networks: [], includes: [ common ], apparmor: nesting }
END
fps validate -f "$FILE" >"$ROOT/out" 2>&1
is 'only what was adopted can say so' "$? $(grep -c "only an adopted container has" "$ROOT/out")" '6 2'

spec own <<END
images: { guest: { source: "file:$BUSYBOX" } }
containers:
  one: { image: guest, networks: [], arch: i686 }
END
converge 'one of fpsync'"'"'s own may take the machine for another, too'
like 'it does' "$(inside one uname -m)" '^i.86$'
check down fps down -y --timeout 0 -f "$FILE"

#!/bin/bash
# What a container is lent of its host: binds.
. "$(dirname "$0")/walk.sh"

mkdir -p "$ROOT/srv/www/deep" "$ROOT/srv/more" "$ROOT/secret"
echo www >"$ROOT/srv/www/name"
echo more >"$ROOT/srv/more/name"
echo file >"$ROOT/srv/file"
echo secret >"$ROOT/secret/name"
permit "binds: [ $ROOT/srv ]"

# ---- binds, live ----

binds_without() { one ''; }
binds_set() { one ", binds: [ \"$ROOT/srv/www:/srv/a:ro\", \"$ROOT/srv/file:/etc/deep/file\", { path: /opt/gone, source: $ROOT/srv/gone, optional: true } ]"; }
binds_changed() { one ", binds: [ \"$ROOT/srv/more:/srv/a\", { path: /srv/b, source: $ROOT/srv/www, read_only: true } ]"; }
bound() { # PATH=NAME/rw|ro of each that is mounted
    inside "$1" sh -c '
        for path in /srv/a /srv/b; do
            grep -q " $path " /proc/mounts && echo "$path=$(cat $path/name)/$(touch $path/touched 2>/dev/null && echo rw || echo ro)"
        done
        grep -q " /etc/deep/file " /proc/mounts && echo "/etc/deep/file=$(cat /etc/deep/file)"
        grep -q " /opt/gone " /proc/mounts && echo gone
        :' | paste -sd' '
}
effect container.binds 'bound t/one' '' '/srv/a=www/ro /etc/deep/file=file' '/srv/a=more/rw /srv/b=www/ro' ''
effect container.binds.path 'bound t/one' '' '/srv/a=www/ro /etc/deep/file=file' '/srv/a=more/rw /srv/b=www/ro' ''
effect container.binds.source 'bound t/one' '' '/srv/a=www/ro /etc/deep/file=file' '/srv/a=more/rw /srv/b=www/ro' ''
effect container.binds.read_only 'bound t/one' '' '/srv/a=www/ro /etc/deep/file=file' '/srv/a=more/rw /srv/b=www/ro' ''
effect container.binds.optional 'bound t/one' '' '/srv/a=www/ro /etc/deep/file=file' '/srv/a=more/rw /srv/b=www/ro' ''
walk t/one live binds

# ---- whose they are, and what root inside cannot do ----

spec ids < <(one ", binds: [ \"$ROOT/srv/more:/srv/a\", \"$ROOT/srv/www:/srv/b:ro\" ]")
converge 'two binds'
rm -f "$ROOT/srv/more/made"
inside t/one sh -c 'echo made >/srv/a/made; chown 33:44 /srv/a/made'
is "what is made inside has the same ids on the host" "$(stat -c %u:%g "$ROOT/srv/more/made")" 33:44
is "root's own is root's inside" "$(inside t/one stat -c %u:%g /srv/a/name)" 0:0
remounted() { # PATH: whether root inside can lift its read-only
    inside "$1" sh -c "mount -o remount,bind,rw $2 2>/dev/null; touch $2/touched 2>/dev/null && echo yes || echo no"
}
is 'a read-only bind from the start stays so' "$(remounted t/one /srv/b)" no
spec ids < <(one ", binds: [ \"$ROOT/srv/more:/srv/a\", \"$ROOT/srv/www:/srv/c:ro\", \"$ROOT/srv/file:/srv/file:ro\" ]")
converge 'another place'
is 'a read-only bind that came later stays so' "$(remounted t/one /srv/c)" no
is 'a read-only file, too' "$(inside t/one sh -c 'mount -o remount,bind,rw /srv/file 2>/dev/null; echo x 2>/dev/null >/srv/file && echo yes || echo no')" no

spec ids < <(one ", binds: [ \"$ROOT/srv/www:/srv/b:ro\" ], privileged: true")
permit "privileged: true, binds: [ $ROOT/srv ]"
converge 'a privileged container'
is 'a read-only bind from the start stays so for root of the host, too' "$(remounted t/one /srv/b)" no
spec ids < <(one ", binds: [ \"$ROOT/srv/www:/srv/c:ro\" ], privileged: true")
converge 'another place in it'
is 'one that came later, too' "$(remounted t/one /srv/c)" no
permit "binds: [ $ROOT/srv ]"
spec ids < <(one ", binds: [ \"$ROOT/srv/more:/srv/a\", \"$ROOT/srv/www:/srv/c:ro\", \"$ROOT/srv/file:/srv/file:ro\" ]")
converge 'without privileges again'
spec ids < <(one ", binds: [ \"$ROOT/srv/more:/srv/a\" ]")
converge 'one bind less'
spec ids < <(one ", binds: [ \"$ROOT/srv/more:/srv/a\", \"$ROOT/srv/www:/srv/c:ro\", \"$ROOT/srv/file:/srv/file:ro\" ]")
converge 'two that come live'

# ---- drift ----

drifts() { # TEXT, cause
    local plan
    plan=$(plan_of "$FILE")
    like "$1: seen" "$(causes_of "$plan")" "$2"
    converge "$1: repaired"
}
umounted=$(pid_of t/one)
nsenter -t "$umounted" -m umount /srv/c
drifts 'an unmounted bind' 'drift: bind at /srv/c unmounted'
is 'it is there again' "$(inside t/one cat /srv/c/name)" www
rm "$ROOT/srv/file" && echo other >"$ROOT/srv/file"
drifts 'a file that was replaced' 'drift: bind at /srv/file is of something else'
is 'the new one is seen' "$(inside t/one cat /srv/file)" other
inside t/one mount -t tmpfs none /srv/a
drifts 'a bind under a mount of the guest' 'drift: bind at /srv/a is of something else'
is 'the bind is on top' "$(inside t/one cat /srv/a/name)" more
check 'a restart keeps them' fps restart t/one
is 'after it they are there' "$(inside t/one cat /srv/a/name /srv/c/name /srv/file | paste -sd' ')" 'more www other'
converge 'after it there is nothing to do'

# ---- what is held ----

spec ids < <(one ", binds: [ \"$ROOT/srv/gone:/srv/a\" ]")
held 'a missing source' "bind of $ROOT/srv/gone: it is not there on the host" 'optional: true'
spec ids < <(one ", binds: [ \"$ROOT/secret:/srv/a\" ]")
held 'a source that is not permitted' "bind of $ROOT/secret is not permitted on this host" \
    "write to $ROOT/etc/fpsync/fpsync.conf: allow: \{ binds: \[$ROOT/srv, $ROOT/secret\] \}"
spec ids < <(one ", binds: [ \"$ROOT/srv/../secret:/srv/a\" ]")
held 'one by way of ..' "bind of $ROOT/secret is not permitted" 'binds:'
ln -s ../secret "$ROOT/srv/link"
spec ids < <(one ", binds: [ \"$ROOT/srv/link:/srv/a\" ]")
held 'one by way of a symbolic link' "bind of $ROOT/srv/link: a symbolic link is on the way to it" 'name its real path: readlink -f'
spec ids < <(one ", binds: [ \"$ROOT/srv/link/name:/srv/a\" ]")
held 'one below a symbolic link' "a symbolic link is on the way to it" 'name its real path: readlink -f'
is 'nothing of it was done' "$(inside t/one cat /srv/a/name)" more

spec ids < <(one '')
converge 'without binds'
is 'none is left' "$(inside t/one sh -c 'grep -c " /srv" /proc/mounts')" 0
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
is 'nothing is left behind' "$(leftovers)" ''

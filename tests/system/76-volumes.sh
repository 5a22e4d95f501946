#!/bin/bash
# Volumes: what they are made of, how they are mounted, what becomes of them.
. "$(dirname "$0")/walk.sh"

# ---- read-only, for root inside, too ----

reading() { # MODES of two volumes of one container, and of one of a privileged container
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
volumes: { data: {}, more: {} }
containers:
  one: { image: guest, networks: [], volumes: [ { volume: data, path: /srv/a$1 }, "more:/srv/b$2" ] }
  strong: { image: guest, networks: [], privileged: true, volumes: [ "data:/srv/a$3" ] }
END
}
reading_without() { reading '' '' ''; }
reading_set() { reading ', read_only: true' ':rw' ':ro'; }
reading_changed() { reading ', read_only: false' ':ro' ':ro'; }
writes() { # where, after trying to make it writable
    local at
    for at in one/a one/b strong/a; do
        inside "t/${at%/*}" mount -o remount,bind,rw "/srv/${at#*/}" >/dev/null 2>&1
        inside "t/${at%/*}" touch "/srv/${at#*/}/mark" 2>/dev/null && echo "$at"
    done | paste -sd' '
}
effect container.volumes.read_only writes 'one/a one/b strong/a' one/b one/a 'one/a one/b strong/a'
walk t/one live reading

spec reading < <(reading_set)
converge 'read-only from the start'
is 'read-only from the start: only one volume can be written' "$(writes)" one/b
spec reading < <(reading_without)
before=$(started t/one)
converge 'writable live'
is 'writable live: all can be written' "$(writes)" 'one/a one/b strong/a'
is 'writable live: the init stays' "$(started t/one)" "$before"
inside t/one mount -o remount,bind,ro /srv/a
like 'a guest that makes its own volume read-only is drift' "$(causes_of "$(plan_of "$FILE")")" '^drift: volume at /srv/a is mounted read-only '
converge 'that is put right'
is 'that is put right: it writes' "$(writes)" 'one/a one/b strong/a'
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
fps gc --force -y >/dev/null 2>&1
is 'nothing is left' "$(leftovers)" ''

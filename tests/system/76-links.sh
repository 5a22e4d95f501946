#!/bin/bash
# Volumes and folders of the host whose places lie behind symbolic links: those on the way lead where they lead inside,
# and one in the very place is refused, whoever put it there.
. "$(dirname "$0")/walk.sh"

# As Debian has them: /var/run and /lib are links to where all of it lies.
debian=$ROOT/debian
cp -a "$BUSYBOX" "$debian"
mkdir -p "$debian/usr/lib" "$ROOT/lent"
ln -s ../run "$debian/var/run"
ln -s usr/lib "$debian/lib"
echo lent >"$ROOT/lent/mark"
permit "binds: [$ROOT/lent]"

linked() { # VOLUMES, BINDS
    cat <<END
project: t
images: { guest: { source: "file:$debian" } }
volumes: { a: {}, b: {}, c: {} }
containers: { one: { image: guest, networks: [], volumes: [ $1 ], binds: [ $2 ] } }
END
}
marks() { # what is seen through the links and without them
    inside t/one cat /run/app/mark /var/run/app/mark /usr/lib/app/mark /lib/app/mark /run/lent/mark 2>/dev/null | paste -sd' '
}
mounts() {
    inside t/one awk '$2 ~ /app$|lent$|\/etc$|there$/ { print $2 }' /proc/mounts | sort | paste -sd' '
}

spec linked < <(linked '"a:/var/run/app", "b:/lib/app"' "\"$ROOT/lent:/var/run/lent\"")
converge 'behind links from the start'
inside t/one sh -c 'echo a >/var/run/app/mark; echo b >/lib/app/mark'
is 'behind links from the start: they are where the links lead' "$(marks)" 'a a b b lent'
is 'behind links from the start: once each' "$(mounts)" '/run/app /run/lent /usr/lib/app'
check 'behind links: restart' fps restart t/one
is 'after a restart' "$(marks)" 'a a b b lent'
is 'after a restart: once each' "$(mounts)" '/run/app /run/lent /usr/lib/app'
is 'after a restart: nothing to do' "$(actions_of "$(plan_of "$FILE")")" ''
spec linked < <(linked '' '')
before=$(started t/one)
converge 'taken away live behind links'
is 'taken away live: nothing is mounted' "$(mounts)" ''
spec linked < <(linked '"a:/var/run/app", "b:/lib/app"' "\"$ROOT/lent:/var/run/lent\"")
converge 'attached live behind links'
is 'attached live: the init stays' "$(started t/one)" "$before"
is 'attached live: they are where the links lead' "$(marks)" 'a a b b lent'
inside t/one umount /run/app
like 'unmounted by the guest: drift' "$(causes_of "$(plan_of "$FILE")")" '^drift: volume at /var/run/app unmounted'
converge 'put back behind a link'
is 'put back behind a link' "$(marks)" 'a a b b lent'

# ---- a guest that plants links ----

inside t/one sh -c 'mkdir /srv/real && ln -s /etc /srv/d && ln -s /srv/real /srv/way && ln -s nowhere /srv/gone'
hosts=$(sha256sum /etc/passwd /etc/hostname; ls /etc | wc -l)
refused() { # TEXT, place
    is "$1: the run says that one failed" "$(fps apply -y -f "$FILE" >"$ROOT/said" 2>&1; echo $?)" 3
    like "$1: it says why" "$(cat "$ROOT/said")" "$2 in the container is a symbolic link: name the place that it leads to"
    is "$1: nothing is mounted" "$(mounts)" '/run/app /run/lent /usr/lib/app'
    is "$1: its own files are seen" "$(inside t/one head -n 1 /etc/group)" 'root:x:0:'
    is "$1: the init stays" "$(started t/one)" "$before"
}
spec linked < <(linked '"a:/var/run/app", "b:/lib/app", "c:/srv/d"' "\"$ROOT/lent:/var/run/lent\"")
refused 'a link to /etc in the place of a volume' /srv/d
spec linked < <(linked '"a:/var/run/app", "b:/lib/app", "c:/srv/gone"' "\"$ROOT/lent:/var/run/lent\"")
refused 'a link to nothing in the place of a volume' /srv/gone
spec linked < <(linked '"a:/var/run/app", "b:/lib/app"' "\"$ROOT/lent:/var/run/lent\", \"$ROOT/lent:/srv/d\"")
refused 'a link to /etc in the place of a folder of the host' /srv/d
spec linked < <(linked '"a:/var/run/app", "b:/lib/app", "c:/srv/way/there"' "\"$ROOT/lent:/var/run/lent\"")
converge 'a link of the guest on the way'
is 'a link of the guest on the way: it leads there' "$(mounts)" '/run/app /run/lent /srv/real/there /usr/lib/app'
check 'with it: restart' fps restart t/one
is 'with it: the same after a restart' "$(mounts)" '/run/app /run/lent /srv/real/there /usr/lib/app'
is 'with it: nothing to do' "$(actions_of "$(plan_of "$FILE")")" ''

# A start meets the same link, and refuses it as well: it stays down with the reason, and comes up when it is mended.
spec linked < <(linked '"a:/var/run/app", "c:/srv/d"' '')
fps stop t/one >/dev/null 2>&1
is 'a start with such a link fails' "$(fps apply -y -f "$FILE" >/dev/null 2>&1; fps start t/one >"$ROOT/said" 2>&1; echo $?)" 3
like 'a start with such a link says why' "$(cat "$ROOT/said")" '/srv/d in the container is a symbolic link'
spec linked < <(linked '"a:/var/run/app", "c:/srv/real/d"' '')
fps apply -y -f "$FILE" >/dev/null 2>&1
check 'another place is all that it takes' fps start t/one
is 'another place: both are there' "$(inside t/one sh -c 'echo c >/srv/real/d/mark; cat /run/app/mark /srv/real/d/mark' | paste -sd' ')" 'a c'
converge 'another place: nothing more'
is 'the host is as it was' "$(sha256sum /etc/passwd /etc/hostname; ls /etc | wc -l)" "$hosts"
take_down
is 'nothing is left' "$(leftovers)" ''

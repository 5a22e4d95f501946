#!/bin/bash
# The packages of a bootstrapped image, with a container on it: see walk.sh. What it wrote moves from image to image.
. "$(dirname "$0")/walk.sh"

if ! command -v mmdebstrap >/dev/null; then
    skip 'image.packages' 'this host has no mmdebstrap'
    exit 0
fi
if ! timeout 120 apt-get -qq update >/dev/null 2>&1; then
    skip 'image.packages' 'no Debian mirror can be reached'
    exit 0
fi
debian() { # PACKAGES
    cat <<END
project: t
images: { debian: { source: "bootstrap:bookworm", packages: [$1] } }
containers: { one: { image: debian, networks: [], command: [ /bin/sleep, infinity ] } }
END
}
packages_without() { debian ''; }
packages_set() { debian 'ed'; }
packages_changed() { debian 'bc, ed'; }
installed() { # which of them, and whether what was written is there
    inside "$1" sh -c 'for name in ed bc; do [ -x /usr/bin/$name ] || [ -x /bin/$name ] && echo $name; done; cat /srv/mine 2>/dev/null; echo mine >/srv/mine' | paste -sd' '
}
effect image.packages 'installed t/one' '' 'ed mine' 'ed bc mine' mine
walk t/one restart packages
is 'nothing is left over' "$(leftovers)" ''

#!/bin/bash
# examples/apps as their reader would use them: Debian's packages installed by recipes, run in layers, and rebuilt while
# their data stays. Needs a mirror of Debian's packages.
. "$(dirname "$0")/lib.sh"

if ! command -v mmdebstrap >/dev/null; then
    skip 'applications from recipes' 'this host has no mmdebstrap'
    exit 0
fi
if ! timeout 120 apt-get -qq update >/dev/null 2>&1; then
    skip 'applications from recipes' 'no Debian mirror can be reached'
    exit 0
fi
apps=$ROOT/apps
FILE=$apps/apps.yaml
cp -R examples/apps "$apps"
for port in 8080 8081 8082 8083 8084; do sed -i "s/\"$port:/\"$((PORT + port - 8080)):/" "$FILE"; done
sed -i "s/^PORT 8082:/PORT $((PORT + 2)):/" "$apps/notes/Recipe"
at() { # PORT of the example
    echo "http://127.0.0.1:$((PORT + $1 - 8080))/"
}
# Of one image: path, mode, owner, content.
tree() {
    (cd "$ROOT/var/lib/fpsync/images" && find . \( -type f -exec sha256sum {} + \) -o -printf '%p %m %U %G %l\n' | LC_ALL=C sort | sha256sum)
}

check 'all of them are built' fps build -y -q -f "$FILE"
is 'and that is all there is to build' "$(fps build -f "$FILE")" 'Nothing to do: everything is as declared.'
before=$(tree)
converge 'and run'
check 'a site of files' eventually 20 page "$(at 8081)" 'A static site'
check 'the same through haproxy, which finds it by its name' eventually 30 page "$(at 8080)" 'A static site'
check 'a program of its own stage, on nothing' eventually 20 page "$(at 8084)" '^20..-..-..T'
is 'there is nothing else in its image' "$(cd "$ROOT"/run/fpsync/mounts/"$(lxc_of apps/stamp)"/root && find . -xdev -type f ! -path './etc/*' ! -path './.fpsync/*')" ./stamp
wordpress() {
    curl -fsSL -m 5 "$(at 8083)" | grep -qi wordpress
}
check 'WordPress, on the MariaDB beside it' eventually 60 wordpress
is 'redis answers, as the user that the image says' \
    "$(fps exec apps/redis -- redis-cli set kept yes; inside apps/redis sh -c 'stat -c %U /proc/$(pidof redis-server)')" 'OK
redis'
note() {
    curl -fsSL -m 5 -d "text=$1" "$(at 8082)" | grep -q "<li>$1</li>"
}
check 'a page on PostgreSQL, built of packages, keeps what it is told through the port that its recipe says' eventually 60 note 'first note'
is 'no byte of an image has changed' "$(tree)" "$before"

echo 'max_connections = 50' >>"$apps/postgresql/start.conf"
sed -i '/^COPY start/a COPY start.conf /etc/postgresql/15/main/conf.d/more.conf' "$apps/postgresql/Recipe"
like 'a changed recipe: the plan says which line' "$(causes_of "$(plan_of "$FILE")")" 'Recipe:7'
check 'it is built and takes the place of the old one' fps apply -y -f "$FILE"
check 'what was kept is still there' eventually 60 note 'second note'
check 'with what was before' page "$(at 8082)" '<li>first note</li>'
is 'and the new file is in force' "$(inside apps/postgresql cat /etc/postgresql/15/main/conf.d/more.conf)" 'max_connections = 50'
is 'nothing is left to do' "$(actions_of "$(plan_of "$FILE")")" ''
check 'down' fps down -y --timeout 5s -f "$FILE"

#!/bin/bash
# An application as its author means it: the recipe says ports and volumes, the container only where it runs. What it
# writes stays in its layer and its volumes while the recipe changes, and nothing of it is ever in an image.
. "$(dirname "$0")/lib.sh"

mkdir -p "$SPEC/app/site"
echo 'first page' >"$SPEC/app/site/index.html"
recipe() { # STEP more
    cat >"$SPEC/app/Recipe" <<END
FROM guest
ENV COLOR="deep blue"
COPY site /www
RUN echo "\$COLOR" >/www/color && echo built >/srv/built && echo built >/srv/unwanted
$1
VOLUME /srv/own pages:/www/pages
PORT $PORT:80
END
}
recipe ''
spec app <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  app: { build: { context: ./app, network: none } }
networks: { default: { subnet: $NET.0/25 } }
layers: { mine: { image: app } }
containers: { shop: { layer: mine } }
END
digest_of() { # IMAGE
    fps image inspect "$1" -o json | jq -r '.images[0].digest'
}
tree() { # DIGEST: path, mode, owner, content of that image
    (cd "$ROOT/var/lib/fpsync/images/$1" && find . \( -type f -exec sha256sum {} + \) -o -printf '%p %m %U %G %l\n' | LC_ALL=C sort | sha256sum)
}
at() {
    echo "http://127.0.0.1:$PORT/${1-}"
}
check 'the recipe is built, and its container runs' fps apply -y -f "$FILE"
is 'and nothing is left to do' "$(fps plan -f "$FILE")" 'Nothing to do: everything is as declared.'
base=$(digest_of t/guest) first=$(digest_of t/app)
before=$(tree "$base" && tree "$first")
check 'its page is served by the port of the image' eventually 20 page "$(at)" 'first page'
check 'with what RUN made of ENV' page "$(at color)" '^deep blue$'
is 'the container has the volumes of the image' "$(inside t/shop awk '$5 == "/srv/own" || $5 == "/www/pages" { print $5 }' /proc/self/mountinfo | sort | paste -sd' ')" \
    '/srv/own /www/pages'
is 'the one with a name is a volume of the project' "$(fps status -o json | jq -r '.objects[] | select(.kind == "volume" and .name == "t/pages").name')" t/pages
written() { # what the application finds of its own: in its layer twice, what it took away, and in each volume
    inside t/shop sh -c 'cat /srv/built /srv/more /srv/own/data; [ -e /srv/unwanted ] || echo removed' | paste -sd' '
    curl -fsS -m 5 "$(at pages/kept)"
}
inside t/shop sh -c 'echo changed >/srv/built; echo more >/srv/more; rm /srv/unwanted; echo own >/srv/own/data; echo kept >/www/pages/kept'
kept='changed more own removed
kept'
is 'it writes' "$(written)" "$kept"
is 'no byte of an image has changed' "$(tree "$base" && tree "$first")" "$before"

# ---- the recipe changes ----

recipe 'RUN echo second >/srv/second && echo anew >/srv/built && rm /www/cgi-bin/who'
echo 'second page' >"$SPEC/app/site/index.html"
like 'the plan says which lines of the recipe did' "$(causes_of "$(plan_of "$FILE")")" 'Recipe:[34]'
check 'it is built, and the container follows' fps apply -y -f "$FILE"
is 'and nothing is left to do' "$(fps plan -f "$FILE")" 'Nothing to do: everything is as declared.'
isnt 'it is another image' "$(digest_of t/app)" "$first"
check 'the new page is served by the same port' eventually 20 page "$(at)" 'second page'
is 'what the recipe makes anew is there, and what it takes away is not' \
    "$(inside t/shop sh -c 'cat /srv/second; ls /www/cgi-bin' | paste -sd' ')" second
is 'what was written over it, and what was removed, is as the application left it' "$(written)" "$kept"
is 'no byte of the old images has changed' "$(tree "$base" && tree "$first")" "$before"
after=$(tree "$(digest_of t/app)")
inside t/shop sh -c 'echo later >/srv/second; echo later >/www/pages/later'
is 'nor of the new one by what is written now' "$(tree "$(digest_of t/app)")" "$after"

# ---- the container goes and comes again ----

check 'down' fps down -y --timeout 5s -f "$FILE"
fails 'nothing is served' 1 page "$(at)"
check 'up again' fps apply -y -f "$FILE"
check 'the page is served' eventually 20 page "$(at)" 'second page'
is 'with all that it had' "$(written)$(inside t/shop cat /srv/second) $(curl -fsS -m 5 "$(at pages/later)")" "${kept}later later"
check 'down at the end' fps down -y --timeout 0 -f "$FILE"

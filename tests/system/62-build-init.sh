#!/bin/bash
# RUN --init: the image's own init is booted for a command, here systemd, and shut down after it.
. "$(dirname "$0")/lib.sh"

if ! timeout 120 apt-get -qq update >/dev/null 2>&1; then
    skip 'RUN --init on a bootstrapped Debian' 'no Debian mirror can be reached'
    exit 0
fi
mkdir "$SPEC/app"
cat >"$SPEC/app/Recipe" <<'END'
FROM debian
ENV COLOR="deep blue"
COPY <<UNIT /etc/systemd/system/shop.service
[Service]
Type=notify
NotifyAccess=all
ExecStart=/bin/sh -c 'mkdir -p /srv/shop && echo open >/srv/shop/state && systemd-notify --ready && exec sleep infinity'
ExecStopPost=/bin/sh -c 'echo closed >/srv/shop/state'
[Install]
WantedBy=multi-user.target
UNIT
RUN cat /proc/1/comm >/plain
RUN --init systemctl enable --now shop && systemctl is-active shop >/active && cat /srv/shop/state >/seen && \
    cat /proc/1/comm >/booted && echo "$COLOR" >/color && touch /run/of-the-boot && echo it runs
RUN cat /proc/1/comm >/plain-again; systemctl is-active shop >/inactive 2>&1 || true
END
init_spec() {
    cat <<END
project: i
images:
  debian: { source: "bootstrap:bookworm", packages: [ systemd-sysv, dbus ] }
  app: { build: ./app }
networks: { default: { subnet: $NET.0/25 } }
containers:
  web: { image: app, init: true, networks: { default: {} } }
  other: { image: app, init: true, networks: { default: {} } }
END
}
spec init < <(init_spec)
fps apply -y -f "$FILE" >"$ROOT/said" 2>&1
is 'a recipe that boots systemd' $? 0 || cat "$ROOT/said"
like 'the output of the command is shown' "$(cat "$ROOT/said")" 'it runs'
image_of() { # NAME
    fps status -o json | jq -r --arg name "i/$1" '.objects[] | select(.kind == "image" and .name == $name).digest'
}
root=$ROOT/var/lib/fpsync/images/$(image_of app)/root
is 'systemd was process 1' "$(cat "$root/booted")" systemd
isnt 'of that RUN alone' "$(cat "$root/plain" "$root/plain-again")" $'systemd\nsystemd'
is 'a service was started' "$(cat "$root/active" "$root/seen" | tr '\n' ' ')" 'active open '
is 'with the environment of the recipe for the command' "$(cat "$root/color")" 'deep blue'
is 'it was shut down, not killed: services ended as they are to' "$(cat "$root/srv/shop/state")" closed
check 'it is enabled' test -L "$root/etc/systemd/system/multi-user.target.wants/shop.service"
check 'what a boot has in /run is in no image' test ! -e "$root/run/of-the-boot"
check 'nor is the id of that machine' test ! -e "$root/etc/machine-id"
is 'nor its journal' "$(ls "$root/var/log/journal" 2>/dev/null)" ''
id_of() { # CONTAINER
    inside "$1" cat /etc/machine-id
}
is 'nothing of the building containers is left' "$(ls "$ROOT/var/lib/lxc" | tr '\n' ' ')" "$(lxc_of i/other) $(lxc_of i/web) "
check 'a container boots it' eventually 60 inside i/web systemctl is-active -q shop
check 'another, too' eventually 60 inside i/other systemctl is-active -q shop
isnt 'each with an id of its own' "$(id_of i/web)" "$(id_of i/other)"
like 'as ids are' "$(id_of i/web)" '^[0-9a-f]{32}$'
is 'as it did there' "$(inside i/web cat /srv/shop/state)" open
check 'a second apply makes no mutating call' "$BUILD/tests/system/no-mutation" \
    -a /lock -a /lock.mdb -- "$FPSYNC" --root "$ROOT" apply -q -f "$FILE"

# A command that fails in a booted image is a failed RUN like others.
sed -i '$ d' "$SPEC/app/Recipe"
echo 'RUN --init systemctl start nothing-of-that-name' >>"$SPEC/app/Recipe"
said=$(fps build -f "$FILE" 2>&1)
is 'a command that fails: some failed' $? 3
like 'with its line, status and output' "$said" 'Recipe:1[0-9].*nothing-of-that-name(.|\n)*status 5'
like 'and what systemd says' "$said" 'nothing-of-that-name.service not found'
check 'what ran runs' inside i/web systemctl is-active -q shop
is 'nothing of its container is left' "$(ls "$ROOT/var/lib/lxc" | tr '\n' ' ')" "$(lxc_of i/other) $(lxc_of i/web) "

# A command that gives the image an id, as packages do when they are installed, keeps it asking, too: containers differ.
sed -i '$ d' "$SPEC/app/Recipe"
echo 'RUN rm -f /var/lib/dbus/machine-id && systemd-machine-id-setup && [ -s /etc/machine-id ] && echo set >/set' >>"$SPEC/app/Recipe"
check 'a command that sets the id' fps build -y -f "$FILE"
root=$ROOT/var/lib/fpsync/images/$(image_of app)/root
is 'did so' "$(cat "$root/set")" set
check 'in an image that has none, which stays so' test ! -e "$root/etc/machine-id"
echo 'COPY --chmod=444 <<ID /etc/machine-id' >>"$SPEC/app/Recipe"
printf '%s\nID\n' 0123456789abcdef0123456789abcdef >>"$SPEC/app/Recipe"
echo 'RUN --init systemctl is-active shop' >>"$SPEC/app/Recipe"
check 'a recipe that copies one' fps build -y -f "$FILE"
is 'has it' "$(cat "$ROOT/var/lib/fpsync/images/$(image_of app)/root/etc/machine-id")" 0123456789abcdef0123456789abcdef

# Without what its bus needs systemd never says that it is up.
cat >"$SPEC/app/Recipe" <<'END'
FROM debian
RUN rm -rf /usr/share/dbus-1
RUN --init echo begun >/begun
END
said=$(fps build -f "$FILE" 2>&1)
is 'a boot that does not end' $? 0
like 'is not waited for longer than a minute, which is said' "$said" 'its init has not come up within a minute: the command begins all the same'
is 'so the command ran' "$(cat "$ROOT/var/lib/fpsync/images/$(image_of app)/root/begun")" begun

# An image without an init cannot be booted.
cat >"$SPEC/app/Recipe" <<'END'
FROM debian
RUN rm /sbin/init
RUN --init true
END
said=$(fps build -f "$FILE" 2>&1)
is 'no init: some failed' $? 3
like 'with the line, and what is missing' "$said" 'Recipe:3.*: --init boots /sbin/init, and there is none yet: .*systemd-sysv dbus'
check 'down' fps down -f "$FILE" -y

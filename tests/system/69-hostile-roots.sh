#!/bin/bash
# Roots, contexts and data that are made to lead out: started, gone into, built upon, copied from and to, and swapped for
# links under the hands of whoever works on them.
#   RACE=SECONDS of each race (3; 60 for a long one)
. "$(dirname "$0")/lib.sh"
. "$HERE/canary.sh"
after_cleanup() { canary_end; }
FETCH=$BUILD/fpsync-fetch
C=$ROOT/canary
mkdir -p "$C"/{dev,proc,sys,run,etc,sbin,secret/inner}
printf '#!/bin/sh\necho ran >>%s/ran\n' "$C" >"$C/sbin/init" && chmod 755 "$C/sbin/init"
echo "secret-$TAG" | tee "$C/secret/file" "$C/secret/inner/file" "$C/dev/null" "$C/dev/console" "$C/etc/resolv.conf" "$C/etc/hosts" >/dev/null
spec first <<<"images: { guest: { source: \"file:$BUSYBOX\" } }"
check 'an image that harms nobody' fps apply -y -f "$FILE"
canary_begin

# ---- a root whose places are links to those of the host: made, started, gone into, built upon ----

root_with() { # PATH...: each is a link to the decoy of that name; leaves $ROOT/links.tar
    local path
    rm -rf "$ROOT/tree" && cp -a "$BUSYBOX" "$ROOT/tree"
    for path in "$@"; do
        rm -rf "${ROOT:?}/tree$path" && mkdir -p "$(dirname "$ROOT/tree$path")" && ln -s "$C$path" "$ROOT/tree$path"
    done
    tar -C "$ROOT/tree" -cf "$ROOT/links.tar" .
}
round=0
echo fine >"$SPEC/fine"
with_links() { # STATUS, what is said, PATH...
    local wanted=$1 reason=$2 links said status
    shift 2
    links=$*
    root_with "$@"
    round=$((round + 1))
    spec links <<END
project: t
images:
  links$round: { source: "file:$ROOT/links.tar" }
  built$round: { build: { from: links$round, network: none, steps: [ "RUN id >/made; echo x >/etc/hosts; echo x >/dev/null; echo x >/run/x; true", "WORKDIR /run/deep" ] } }
networks: { default: { subnet: $NET.0/25 } }
volumes: { v: {} }
containers:
  one: { image: links$round, networks: [ default ], env: { A: b }, volumes: [ "v:/run/data" ] }
END
    said=$(timeout 120 "$FPSYNC" --root "$ROOT" apply -y -f "$FILE" 2>&1)
    status=$?
    is "$links: apply" "$status" "$wanted"
    like "$links: what is said" "$said" "$reason"
    if [ "$wanted" -eq 0 ]; then
        is "$links: it is gone into, and has devices and names of its own" \
            "$(inside t/one sh -c 'id -u; [ -c /dev/null ] && echo out >/dev/null && echo null; cat /etc/hostname; grep -c one /etc/hosts; echo out >/etc/hosts; echo out >/run/x; cat /run/x' 2>&1 | paste -sd' ')" \
            '0 null one 1 out'
        is "$links: by fpsync, too" "$(fps exec t/one -- sh -c 'id -u; cat /run/x' 2>&1 | paste -sd' ')" '0 out'
    else
        inside t/one sh -c 'echo out >/etc/hosts; echo out >/dev/null; echo out >/run/x' >/dev/null 2>&1
        fps exec t/one -- id >/dev/null 2>&1
    fi
    is "$links: nothing of it ran on the host, or wrote there" \
        "$(cat "$C/ran" 2>/dev/null)$(grep -L "secret-$TAG" "$C"/dev/* "$C"/etc/{hosts,resolv.conf})" ''
    fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
    fps gc --force -y >/dev/null 2>&1
}
with_links 0 '' /dev/null /dev/console
with_links 0 '' /etc/resolv.conf /etc/hosts /etc/hostname
with_links 3 'container.start: .*cannot start: .*/dev' /dev
with_links 3 'container.start: .*cannot start: .*/proc' /proc
with_links 3 'container.start: .*cannot start: .*/sys' /sys
with_links 3 'root.mount: .*cannot make the folder /etc ' /etc
with_links 3 'container.start: .*cannot start: its image has no /sbin/init' /sbin/init
with_links 3 'root.mount: .*cannot make the folder /run ' /run /proc /sys /dev /etc/hosts /etc/resolv.conf
canary_lives 'links instead of places: the host is as it was'

# ---- recipes that reach out (S18) ----

mkdir -p "$SPEC/app/sub"
echo fine >"$SPEC/app/fine"
ln -s "$C/secret/file" "$SPEC/app/leak"
ln -s "$C/secret" "$SPEC/app/leaks"
ln -s ../../../../../../../../../../etc/shadow "$SPEC/app/sub/shadow"
recipe() { # TEXT, what is said when it is refused ("": it is built), STEP...
    local text=$1 wanted=$2 said status
    shift 2
    printf '%s\n' 'FROM guest' "$@" >"$SPEC/app/Recipe"
    said=$(timeout 120 "$FPSYNC" --root "$ROOT" build -y -f "$FILE" 2>&1)
    status=$?
    if [ -z "$wanted" ]; then
        is "$text: built" "$status" 0
        [ $status -eq 0 ] || tail -n 4 <<<"$said" | comment
    else like "$text: refused" "$status $(tr '\n' ' ' <<<"$said")" "^[36] .*$wanted"; fi
    is "$text: no secret in any image" "$(grep -rl "secret-$TAG" "$ROOT/var/lib/fpsync" 2>/dev/null)" ''
    is "$text: nor the host's passwords" \
        "$(find "$ROOT/var/lib/fpsync" -type f -name '*shadow*' -exec cmp -s /etc/shadow {} \; -print 2>/dev/null)" ''
}
spec build <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  app: { build: ./app }
networks: { default: { subnet: $NET.0/25 } }
END
recipe 'a source above the context' 'Recipe:2' 'COPY ../../etc/shadow /shadow'
recipe 'an absolute source' 'Recipe:2' "COPY $C/secret/file /file"
recipe 'a source that is a link out' 'Recipe:2' 'COPY leak /leak'
recipe 'a source beyond a link out' 'Recipe:2' 'COPY leaks/file /file'
recipe 'a folder with links out' '' 'COPY . /all/'
recipe 'a target through a link of the image' '' "RUN ln -s / /app && ln -s $C/etc /etc2" 'COPY fine /app/via' 'COPY fine /etc2/hosts'
is 'which leads within it' "$(find "$ROOT/var/lib/fpsync/images" -path '*/root/via' -exec cat {} +)" fine
recipe 'a target below /proc' '' 'COPY fine /proc/self/root/etc/fine'
recipe 'a target that is a process' '' 'COPY fine /proc/1/cwd/fine'
recipe 'RUN that leaves processes behind' '' "RUN (sleep 9$PORT & setsid sleep 9$PORT >/dev/null 2>&1 &) ; echo left >/left"
is 'they are gone with it' "$(pgrep -fc "^sleep 9$PORT")" 0
recipe 'RUN that writes to /dev' '' "RUN echo x >/dev/fpsync-$TAG; mknod /dev/mem-$TAG c 1 1; mknod /srv/mem c 1 1; mknod /srv/disk b 254 0; true"
# What a step took away is a device 0:0, as overlayfs has it.
is 'no node is in an image' "$(find "$ROOT"/var/lib/fpsync/{images,build} \( -type b -o -type c \) -exec stat -c '%t:%T %n' {} + | grep -v '^0:0 ')" ''
check 'nor in /dev of the host' test ! -e "/dev/fpsync-$TAG" -a ! -e "/dev/mem-$TAG"
recipe 'RUN that mounts and enters' '' 'RUN mount -t proc x /mnt 2>/dev/null; mount --bind / /srv 2>/dev/null; ls -A /proc/1/root >/dev/null; echo b >/proc/sysrq-trigger; true'
fps down -y -f "$FILE" >/dev/null 2>&1
canary_lives 'recipes that reach out: the host is as it was'

spec cached <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
$(for n in 1 2 3 4; do echo "  c$n: { build: { from: guest, network: none, steps: [ \"RUN --mount=type=cache,id=shared,target=/cache,sharing=locked n=\$(cat /cache/n 2>/dev/null || echo 0); sleep 0.1; echo \$((n + 1)) >/cache/n; cp /cache/n /seen$n\" ] } }"; done)
END
check 'four builds side by side with one cache' fps apply -y --parallel 4 -f "$FILE"
is 'each saw what the others had done' "$(cat "$ROOT"/var/lib/fpsync/images/*/root/seen[1-4] 2>/dev/null | sort | tr '\n' ' ')" '1 2 3 4 '
fps down -y -f "$FILE" >/dev/null 2>&1

# ---- races (S9): a folder is swapped for a link while somebody works below it ----

RACE=${RACE:-3}
raced() { # TEXT, PATTERN, NAME, COMMAND...: again and again for that long, or until a thousand swaps fell into it
    local text=$1 pattern=$2 name=$3 ends=$((SECONDS + RACE)) last=$((SECONDS + RACE + 60)) rounds=0 pid swaps
    shift 3
    "$BUILD/tests/system/racer" "$pattern" "$name" "$C/secret" >"$ROOT/swaps" &
    pid=$!
    while [ $SECONDS -lt $ends ] || { ! grep -q swaps "$ROOT/swaps" && [ $SECONDS -lt $last ]; }; do
        "$@" >/dev/null 2>&1
        rounds=$((rounds + 1))
    done
    kill "$pid" && wait "$pid"
    swaps=$(tail -n 1 "$ROOT/swaps")
    check "$text: $rounds rounds, $swaps swaps" test "$swaps" -gt 1000
    canary_lives "$text: the host is as it was"
}
mkdir -p "$ROOT/many/d/inner" && for n in {1..1500}; do echo mine >"$ROOT/many/d/inner/f$n"; done
echo mine >"$ROOT/many/d/file"
tar -C "$ROOT/many" -cf "$ROOT/many.tar" d
unpacking() {
    rm -rf "$ROOT/into" && mkdir "$ROOT/into"
    "$FETCH" unpack <"$ROOT/many.tar" 3<"$ROOT/into"
}
raced 'unpacking' "$ROOT/into" d unpacking

rm -rf "$SPEC/app" && mkdir "$SPEC/app" && cp -a "$ROOT/many/d" "$SPEC/app/d"
spec copied <<<"{ project: c, images: { guest: { source: \"file:$BUSYBOX\" }, app: { build: ./app } } }"
printf 'FROM guest\nCOPY nonce /\nCOPY d /d\nCOPY d/inner /inner\nCOPY d/file /file\n' >"$SPEC/app/Recipe"
copying() { # each time all of it
    echo "$RANDOM$RANDOM" >"$SPEC/app/nonce"
    local status
    timeout 60 "$FPSYNC" --root "$ROOT" build -y -f "$FILE"
    status=$?
    ! grep -rqs "secret-$TAG" "$ROOT/var/lib/fpsync" || echo leaked >>"$ROOT/leaked"
    return $status
}
check 'what is copied where nobody swaps' copying
canary_again
raced 'COPY out of a context' "$SPEC/app" d copying
rm -rf "$SPEC/app/d" "$SPEC/app/d.other" && cp -a "$ROOT/many/d" "$SPEC/app/d"
raced 'COPY into a root' "$ROOT/var/lib/fpsync/build/steps/.tmp-*/*" d copying
# Owners and modes are given to what was made, also in a folder that an earlier line of the recipe has made.
rm -rf "$SPEC/app/d" "$SPEC/app/d.other" && cp -a "$ROOT/many/d" "$SPEC/app/d"
printf 'FROM guest\nCOPY nonce /\nCOPY --chown=1234:4321 --chmod=0757 d /d\nCOPY --chown=4321:1234 --chmod=0776 d/file d/inner/ /d/\n' >"$SPEC/app/Recipe"
check 'what is given to others where nobody swaps' copying
canary_again
raced 'chown and chmod in a root' "$ROOT/var/lib/fpsync/build/steps/.tmp-*/*" d copying
is 'nothing outside was given to others' "$(find "$C" -uid 1234 -o -gid 1234 -o -uid 4321 -o -gid 4321)" ''
check 'no secret got into an image by it' test ! -e "$ROOT/leaked"
fps down -y -f "$FILE" >/dev/null 2>&1
canary_again

spec volumes <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
volumes: { v: {} }
containers:
  one: { image: guest, networks: [], volumes: [ "v:/v" ], layer: own }
layers: { own: { image: guest } }
END
keeping() {
    timeout 60 "$FPSYNC" --root "$ROOT" apply -q -y -f "$FILE"
    kill -STOP "$pid" # of the racer: cp(1) would be its first victim
    eventually 5 grep -q ') T ' "/proc/$pid/stat"
    rm -rf "$1/d" "$1/d.other" && cp -a "$ROOT/many/d" "$1"
    kill -CONT "$pid"
    timeout 60 "$FPSYNC" --root "$ROOT" snapshot t/one
    timeout 60 "$FPSYNC" --root "$ROOT" backup "$ROOT/kept"
    ! grep -qsa "secret-$TAG" "$ROOT/kept" || echo leaked >>"$ROOT/leaked"
    rm -f "$ROOT/kept"
    timeout 60 "$FPSYNC" --root "$ROOT" down -q -y --timeout 0 -f "$FILE"
    timeout 60 "$FPSYNC" --root "$ROOT" gc --force -y
}
check 'a volume and a layer' fps apply -q -y -f "$FILE"
# Where the container sees it, by the identity of a folder that is made there.
place_of() { # FOLDER inside: on the disk
    inside t/one mkdir -p "$1/fpsync-here" && dirname "$(find "$ROOT/var/lib/fpsync" -name fpsync-here | head -n 1)"
    inside t/one rmdir "$1/fpsync-here"
}
volume=$(place_of /v)
layer=$(dirname "$(place_of /srv)")
raced 'snapshots, backups and deletion of a volume' "$volume" d keeping "$volume"
raced 'the same of a layer' "$layer" d keeping "$layer"
check 'no secret got into a backup by it' test ! -e "$ROOT/leaked"
finish

#!/bin/bash
# What each word of RUN --mount=type=cache and type=tmpfs does to what is mounted.
. "$(dirname "$0")/lib.sh"

mkdir -p "$SPEC/app"
spec mounts <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  app: { build: { context: ./app, network: none } }
END
image_of() { # NAME
    echo "$ROOT/var/lib/fpsync/images/$(fps status -o json | jq -r --arg name "t/$1" '.objects[] | select(.kind == "image" and .name == $name).digest')/root"
}
run() { # MOUNT, COMMAND, its output into /seen: prints that, or why there is none
    local steps
    echo >>"$ROOT/steps"
    steps=$(wc -l <"$ROOT/steps")
    printf 'FROM guest\nENV STEP=%s\nRUN --mount=%s { %s; } >/seen\n' "$steps" "$1" "$2" >"$SPEC/app/Recipe"
    fps build -f "$FILE" app -y >"$ROOT/build.log" 2>&1 && paste -sd' ' "$(image_of app)/seen" || grep -o 'exit status.*' "$ROOT/build.log"
}

# ---- sharing: two that meet while both run ----

meet='--mount=type=cache,id=meet,target=/meet mkfifo /meet/there /meet/back 2>/dev/null;'
two_of() { # SHARING ROUND: what each saw in the cache of both, each having written to it
    spec sharing <<END
project: s
images:
  guest: { source: "file:$BUSYBOX" }
  one:
    build:
      from: guest
      network: none
      steps: [ "RUN --mount=type=cache,id=of-$1,sharing=$1,target=/c $meet echo >/c/one$2; timeout 60 sh -c 'echo >/meet/there && cat /meet/back'; ls /c >/seen" ]
  two:
    build:
      from: guest
      network: none
      steps: [ "RUN --mount=type=cache,id=of-$1,sharing=$1,target=/c $meet echo >/c/two$2; timeout 60 sh -c 'cat /meet/there && echo >/meet/back'; ls /c >/seen" ]
END
    fps apply -y -f "$FILE" >"$ROOT/build.log" 2>&1 || tail -n 3 "$ROOT/build.log"
    for name in one two; do
        paste -sd' ' "$ROOT/var/lib/fpsync/images/$(fps status -o json | jq -r --arg name "s/$name" '.objects[] | select(.kind == "image" and .name == $name).digest')/root/seen"
    done
}
is 'shared: each sees what the other writes' "$(two_of shared 1)" 'one1 two1
one1 two1'
is 'private: each has its own' "$(two_of private 1)" 'one1
two1'
is 'private: which both are kept for the next ones' "$(two_of private 2 | tr ' ' '\n' | sort | paste -sd' ')" 'one1 one2 two1 two2'
FILE=$SPEC/sharing.yaml
check 'down' fps down -y -f "$FILE"
FILE=$SPEC/mounts.yaml

# ---- what a cache begins as ----

look="stat -c '%a %u %g' /c && echo \$STEP >>/c/log && cat /c/log"
is 'a cache' "$(run type=cache,id=kept,target=/c "$look")" '755 0 0 1'
is 'is known by its id' "$(ls "$ROOT/var/lib/fpsync/build/caches/kept/data")" log
is 'is kept' "$(run type=cache,id=kept,target=/c "$look")" '755 0 0 1 2'
is 'mode, uid and gid: another one of that id' "$(run type=cache,id=kept,target=/c,mode=0750,uid=33,gid=34 "$look")" '750 33 34 3'
is 'mode, uid and gid: kept as well' "$(run type=cache,id=kept,target=/c,mode=750,uid=33,gid=34 "$look")" '750 33 34 3 4'
is 'mode by itself' "$(run type=cache,id=kept,target=/c,mode=1777 "$look")" '1777 0 0 5'
is 'uid by itself' "$(run type=cache,id=kept,target=/c,uid=33 "$look")" '755 33 0 6'
is 'gid by itself' "$(run type=cache,id=kept,target=/c,gid=33 "$look")" '755 0 33 7'
is 'what every cache has said: the first one' "$(run type=cache,id=kept,target=/c,mode=0755,uid=0,gid=0 "$look")" '755 0 0 1 2 8'
is 'without an id: by its target' "$(run type=cache,target=/c "$look"; run type=cache,target=/c "$look"; run type=cache,dst=/d 'ls /d | wc -l')" '755 0 0 9
755 0 0 9 10
0'
begun='cmp /c/passwd /etc/passwd && echo $STEP >>/c/log && cat /c/log'
is 'from and source: it begins with that' "$(run type=cache,id=kept,target=/c,from=guest,source=/etc "$begun")" 12
is 'from and source: and is written to' "$(run type=cache,id=kept,target=/c,from=guest,source=/etc "$begun")" '12 13'
is 'from and source: not that itself' "$(find "$BUSYBOX/etc" "$(image_of guest)/etc" -name log)" ''
is 'another source: it begins with that one' "$(run type=cache,id=kept,target=/c,from=guest,source=/www 'ls /c')" \
    "$(find "$BUSYBOX/www" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | paste -sd' ')"
is 'from without a source: with all of it' "$(run type=cache,id=kept,target=/c,from=guest 'ls /c/etc/passwd')" /c/etc/passwd

# ---- in memory ----

room="df -k /t | awk 'END { print \$2 }'"
is 'tmpfs: as large as it is said to be' "$(run type=tmpfs,target=/t,size=1MiB "$room; stat -f -c %T /t")" '1024 tmpfs'
like 'tmpfs: and no larger' "$(run type=tmpfs,target=/t,size=1MiB 'dd if=/dev/zero of=/t/large bs=2M count=1')" 'exit status 1.*No space left on device'
like 'tmpfs: larger where nothing is said' "$(run type=tmpfs,target=/t "head -c 2m /dev/zero >/t/large && $room")" '^[0-9]{5,}$'
is 'tmpfs: for everybody, and none of it stays' "$(run type=tmpfs,target=/t,size=64k 'echo x >/t/x; stat -c %a /t'; ls -A "$(image_of app)/t" 2>&1 | grep -v 'No such file')" 1777
finish

#!/bin/bash
# Keywords and flags of recipes that docker 20.10 cannot be asked about: what each does to the image.
. "$(dirname "$0")/lib.sh"

mkdir -p "$SPEC"/app/{src/{one,two},hidden,web}
echo 'hidden
src/two/no.txt
**/*.key' >"$SPEC/app/.dockerignore"
echo a >"$SPEC/app/src/one/a.txt"
echo b >"$SPEC/app/src/two/b.txt"
echo no >"$SPEC/app/src/two/no.txt"
echo key >"$SPEC/app/src/one/some.key"
echo secret >"$SPEC/app/hidden/secret"
echo page >"$SPEC/app/web/page.html"
image_of() { # NAME
    echo "$ROOT/var/lib/fpsync/images/$(fps status -o json | jq -r --arg name "t/$1" '.objects[] | select(.kind == "image" and .name == $name).digest')/root"
}
tree() { # FOLDER
    (cd "$1" && find . -mindepth 1 -printf '%P\n' | sort | paste -sd' ')
}

# What is run once another recipe stands on it.
cat >"$SPEC/app/Recipe" <<'END'
FROM guest
ENV WHO=base
ONBUILD ENV WHO=above
ONBUILD COPY web /pages/
ONBUILD RUN echo "$WHO" >/who && ls /pages >>/who
RUN echo "$WHO" >/own
END
mkdir -p "$SPEC"/above/web
echo other >"$SPEC/above/web/other.html"
printf 'FROM app\nRUN cat /who >/seen\n' >"$SPEC/above/Recipe"
mkdir -p "$SPEC/words"
spec words <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  app: { build: { context: ./app, network: none } }
  above: { build: { context: ./above, network: none } }
  higher: { build: { from: above, network: none, steps: [ "RUN cat /who >/higher" ] } }
END
converge 'an image that puts off, and those that stand on it'
is 'nothing is done in the image itself' "$(cat "$(image_of app)/own"; ls -d "$(image_of app)"/{who,pages} 2>/dev/null)" base
is 'it is in what the image says' "$(fps image inspect t/app | jq -c '.images[0].config.OnBuild')" '["ENV WHO=above","COPY web /pages/","RUN echo \"$WHO\" >/who && ls /pages >>/who"]'
is 'what stands on it begins with that, of its own context' "$(paste -sd' ' <"$(image_of above)/who")" 'above other.html'
is 'and goes on' "$(paste -sd' ' <"$(image_of above)/seen")" 'above other.html'
is 'once: the next has nothing put off' "$(fps image inspect t/above | jq -c '.images[0].config.OnBuild')" null
is 'and only what was done' "$(paste -sd' ' <"$(image_of higher)/higher")" 'above other.html'
check 'a second apply makes no mutating call' "$BUILD/tests/system/no-mutation" \
    -a /lock -a /lock.mdb -- "$FPSYNC" --root "$ROOT" apply -q -f "$FILE"
echo more >"$SPEC/above/web/more.html"
like 'another input of it is the cause' "$(causes_of "$(plan_of "$FILE")")" 'ONBUILD web'
sed -i 's/WHO=above/WHO=changed/' "$SPEC/app/Recipe"
converge 'another trigger'
is 'reaches what stands on it' "$(paste -sd' ' <"$(image_of higher)/higher")" 'changed more.html other.html'
check 'written as an OCI layout' fps image export t/app "$ROOT/layout:v"
like 'it is there for other programs' "$(skopeo inspect --config "oci:$ROOT/layout:v" --raw)" '"OnBuild":\["ENV WHO=changed"'
for wrong in 'FROM base' 'ONBUILD RUN x' 'MAINTAINER me' 'RUNN x' 'COPY one'; do
    printf 'FROM guest\nONBUILD %s\n' "$wrong" >"$SPEC/above/Recipe"
    like "refused with its line: $wrong" "$(fps validate -f "$FILE" 2>&1)" 'Recipe:2:[0-9]+: '
done
printf 'FROM app\n' >"$SPEC/above/Recipe"

printf 'FROM guest\nRUN rm /sbin/init\nRUN --init true\n' >"$SPEC/above/Recipe"
like 'RUN --init where there is no init' "$(fps build -f "$FILE" above 2>&1)" 'Recipe:3.*: --init boots /sbin/init, and there is none yet: '
printf 'FROM app\n' >"$SPEC/above/Recipe"

# Which files of the context, and where to.
words() { # LINES
    printf 'FROM guest\n%s\n' "$1" >"$SPEC/app/Recipe"
    fps build -f "$FILE" app >"$ROOT/build.log" 2>&1 || tail -3 "$ROOT/build.log"
}
is 'COPY --parents' "$(words 'COPY --parents src/one/a.txt src/*/b.txt web /to/'; tree "$(image_of app)/to")" \
    'src src/one src/one/a.txt src/two src/two/b.txt web web/page.html'
is 'its pivot' "$(words 'COPY --parents src/./one/a.txt ./src/./two /to/'; tree "$(image_of app)/to")" \
    'one one/a.txt two two/b.txt'
like 'what another root has not' "$(words 'COPY --from=guest /nosuch /to')" 'guest /nosuch /to: /nosuch in image guest: No such file'
like 'nor can that be mounted' "$(words 'RUN --mount=type=bind,from=guest,source=/nosuch,target=/m true')" 'mount /m: /nosuch in image guest: No such file'
like 'nor be written to' "$(words 'RUN --mount=type=bind,from=guest,source=/nosuch,target=/m,rw true')" 'mount /m: /nosuch in image guest: No such file'
like 'nor begin a cache' "$(words 'RUN --mount=type=cache,id=none,from=guest,source=/nosuch,target=/m true')" 'mount /m: /nosuch in image guest: No such file'
like 'nor can what a stage has not' "$(words 'FROM guest AS tools
FROM guest
RUN --mount=type=bind,from=tools,source=/nosuch,target=/m true')" 'mount /m: /nosuch in stage tools: No such file'
like 'nor copied, by number' "$(words 'FROM guest
COPY --from=0 /nosuch /x')" 'COPY --from=0 /nosuch /x: /nosuch in stage 0: No such file'
like 'nor matched' "$(words 'COPY --from=guest /nosuch* /x')" 'nothing in image guest matches /nosuch\*'
is 'and out of another root' "$(words 'COPY --from=guest --parents /etc/./passwd /etc/group /to/'; tree "$(image_of app)/to")" \
    'etc etc/group passwd'
is 'without it there are no folders' "$(words 'COPY --parents=false src/one/a.txt /to/'; tree "$(image_of app)/to")" a.txt
is 'COPY --link is COPY' "$(words 'COPY --link src /to'; tree "$(image_of app)/to")" 'one one/a.txt two two/b.txt'
is 'COPY --exclude' "$(words 'COPY --exclude=**/a.txt --exclude=two src /to'; tree "$(image_of app)/to")" one
is 'RUN --mount of the context has nothing that is ignored' \
    "$(words 'RUN --mount=target=/ctx cd /ctx && find . -type f | grep -v Recipe | sort >/seen'; paste -sd' ' <"$(image_of app)/seen")" \
    './.dockerignore ./src/one/a.txt ./src/two/b.txt ./web/page.html'
is 'nor has it in a folder of that' \
    "$(words 'RUN --mount=source=src,target=/ctx,rw cd /ctx && find . -type f | sort >/seen'; paste -sd' ' <"$(image_of app)/seen")" \
    './one/a.txt ./two/b.txt'
like 'which cannot be written to' "$(words 'RUN --mount=target=/ctx echo x >/ctx/web/page.html')" 'status 1'
is 'the context is as it was' "$(cat "$SPEC/app/web/page.html")" page
# A cache that is only read: what others left in it is seen, and nothing comes into it.
cache=$ROOT/var/lib/fpsync/build/caches/words/data
words 'RUN --mount=type=cache,id=words,target=/c echo there >/c/file'
for flag in ro readonly rw=false; do
    is "a cache with $flag is seen" "$(words "RUN --mount=type=cache,id=words,target=/c,$flag cat /c/file >/$flag"; cat "$(image_of app)/$flag")" there
    like "a cache with $flag cannot be written to" "$(words "RUN --mount=type=cache,id=words,target=/c,$flag echo $flag >/c/more")" 'status 1'
done
like 'nor once it is mounted anew' "$(words 'RUN --mount=type=cache,id=words,target=/c,ro mount -o remount,bind,rw /c; echo x >/c/more')" 'status 1'
is 'it holds what it held' "$(tree "$cache")" file
is 'one that begins with files of another root is seen, too' \
    "$(words 'RUN --mount=type=cache,id=etc,target=/c,from=guest,source=/etc,ro cat /c/passwd >/seen'; cmp "$(image_of app)/seen" "$BUSYBOX/etc/passwd" 2>&1)" ''
like 'nor can that one be written to' "$(words 'RUN --mount=type=cache,id=etc,target=/c,from=guest,source=/etc,ro echo x >/c/passwd')" 'status 1'
is 'RUN --network=none has no way out' "$(sed -i 's/context: .\/app, network: none/context: .\/app/' "$FILE"
    words 'RUN --network=none ls /sys/class/net | paste -sd" " >/seen'; cat "$(image_of app)/seen")" lo
is 'RUN --network=default has one' "$(words 'RUN --network=default ls /sys/class/net | paste -sd" " >/seen'; cat "$(image_of app)/seen")" 'eth0 lo'
words 'MAINTAINER somebody@example.org'
is 'MAINTAINER is a label' "$(fps image inspect t/app | jq -r '.images[0].config.Labels.maintainer')" somebody@example.org
like 'ADD --keep-git-dir is refused with its line' "$(words 'ADD --keep-git-dir=true https://example.org/x.git /x')" 'Recipe:2:.*keep-git-dir'

# As apt tells of its progress: a terminal shows the last of it, and so does what is no terminal.
like 'a line that is written over' "$(words "RUN printf 'Reading... 0%%\\rReading... 50%%\\rReading... Done\\n'"; cat "$ROOT/build.log")" 'Reading\.\.\. Done$'
is 'is told once it is done' "$(sed 1,/RUN/d "$ROOT/build.log" | grep -c 'Reading')" 1

# A script of lines, by the program that its first one names.
cat >"$SPEC/app/Recipe" <<'OUTER'
FROM guest
RUN <<EOF
#!/bin/sh -u
echo "$-" | tr -dc u >/script
EOF
RUN <<EOF cat >/input
#!/bin/sh
EOF
OUTER
fps build -f "$FILE" app >"$ROOT/build.log" 2>&1 || tail -3 "$ROOT/build.log"
is 'RUN of a script by the program that it names' "$(cat "$(image_of app)/script")" u
is 'and such lines as input of a command' "$(cat "$(image_of app)/input")" '#!/bin/sh'

# What the image wants of a database is said where it is run.
printf 'FROM guest\nDBASE mysql blog\nCMD ["/bin/sleep", "1000"]\n' >"$SPEC/app/Recipe"
fps build -f "$FILE" app >"$ROOT/build.log" 2>&1 || tail -3 "$ROOT/build.log"
echo 'containers: { wants: { image: app, networks: [] } }' >>"$FILE"
is 'DBASE is in the plan of who runs it, by its image' "$(causes_of "$(plan_of "$FILE")" | grep ^database)" \
    'database - mariadb:blog (not started yet) image t/app: DBASE mariadb:blog'

# Steps in the spec itself: here-documents, continuation lines, and what a shell shall expand.
spec words <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  inline:
    build:
      from: guest
      network: none
      steps:
        - ENV WORD=seen
        - |
          COPY <<-ONE <<'TWO' /said/
          	\$WORD here
          	ONE
          \$WORD there
          TWO
        - |
          # a comment, then one line in two
          RUN <<-EOF
          	X=own; echo \$\${X} >/said/\\
          run
          EOF
        - "RUN echo one \\\\\n  two >/said/quoted"
END
fps build -f "$FILE" inline >"$ROOT/build.log" 2>&1 || tail -3 "$ROOT/build.log"
is 'steps in a spec have here-documents' "$(cd "$(image_of inline)/said" && cat ONE TWO run quoted | paste -sd,)" \
    'seen here,$WORD there,own,one two'
fps export >"$SPEC/exported.yaml"
like 'the record is printed as a spec has to say it' "$(cat "$SPEC/exported.yaml")" 'X=own; echo \$\$\{X\}'
check 'and is one' fps validate -f "$SPEC/exported.yaml"
sed -i '/^        - |/,$ d' "$FILE"
printf '        - |\n          WORKDIR /said\n            PORT 70000\n' >>"$FILE"
like 'a mistake in them is told at its own line and column' "$(fps build -f "$FILE" inline 2>&1)" 'words.yaml:12:18: PORT'

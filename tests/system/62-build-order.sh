#!/bin/bash
# Several builds of one apply: side by side where none stands on another, one after the other where one does; held with
# the network that they need; and an apply that is killed in the middle of one.
. "$(dirname "$0")/lib.sh"

# Each of two RUNs waits for the other: by pipes in a cache of both. One after the other, neither ends well.
meets='--mount=type=cache,id=meet,target=/meet mkfifo /meet/there /meet/back 2>/dev/null; timeout 60 sh -c'
spec order <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  one: { build: { from: guest, network: none, steps: [ "RUN $meets 'echo one >/meet/there && cat /meet/back >/met'" ] } }
  two: { build: { from: guest, network: none, steps: [ "RUN $meets 'cat /meet/there >/met && echo two >/meet/back'" ] } }
  both:
    build:
      from: one
      network: none
      steps:
        - COPY --from=two /met /other
        - RUN cat /met /other >/both
containers:
  t: { image: both }
END
like 'what stands on others is built after them' "$(actions_of "$(plan_of "$FILE")" | grep 'image/t/[obt]' | tr '\n' ' ')" \
    '^build image/t/one build image/t/two build image/t/both '
converge 'independent builds meet while both run'
is 'each has what the other wrote' "$(inside t/t cat /both | tr '\n' ' ')" 'two one '
check 'a second apply makes no mutating call' "$BUILD/tests/system/no-mutation" \
    -a /lock -a /lock.mdb -- "$FPSYNC" --root "$ROOT" apply -q -f "$FILE"

# The same steps make the same image, whatever its name.
inside t/t sh -c 'echo mine >/mine'
init=$(pid_of t/t)
sed -i 's/^  both:/  all:/; s/image: both/image: all/' "$FILE"
converge 'an image gets another name'
is 'whose container goes on' "$(pid_of t/t) $(inside t/t cat /mine)" "$init mine"
is 'by the new name' "$(fps image ls -o json | jq -r '.images[] | select(.used_by | index("container/t/t")) | .name')" t/all
check 'and starts again on it' fps restart t/t --timeout 0
is 'with its data' "$(inside t/t cat /mine /both | tr '\n' ' ')" 'mine two one '
check 'down' fps down -f "$FILE" -y

# A bridge of somebody else has the name that the network's would have.
spec held <<END
project: held
images:
  guest: { source: "file:$BUSYBOX" }
  app: { build: { from: guest, steps: [ "RUN echo app >/app" ] } }
  more: { build: { from: app, steps: [ "ENV MORE=1" ] } }
  plain: { build: { from: guest, steps: [ "ENV PLAIN=1" ] } }
networks: { default: { subnet: $NET.0/25 } }
END
check 'to see its name: applied' fps apply -q -y -f "$FILE"
bridge=$(ip -br link | awk -v begin="fp${TAG}n" 'index($1, begin) == 1 { print $1 }')
fps down -q -y -f "$FILE" && fps gc -q -y --force
check 'a bridge of others' ip link add "$bridge" type bridge
said=$(fps apply -y -f "$FILE" 2>&1)
is 'a network that is held: some failed' $? 3
is 'holds what is built by a RUN with it, and what is built on that, each said once' "$(grep '= held image' <<<"$said" | sed 's/ *(.*//')" \
    "$(printf '  = held image held/app: its RUN needs network held/default, which is held\n  = held image held/more: image held/app, which it is made from, is held')"
like 'what needs none is built' "$said" 'build image held/plain: done'
is 'the bridge of others stays' "$(ip -br link show "$bridge" | wc -l)" 1
ip link del "$bridge"
converge 'without it'
check 'down' fps down -y -f "$FILE"

# The RUN tells that it runs, then waits for what only this test could write.
spec killed <<'END'
project: t
images:
  guest: { source: "file:GUEST" }
  slow:
    build:
      from: guest
      network: none
      steps:
        - RUN echo first >/first
        - >-
          RUN --mount=type=cache,id=gate,target=/gate
          [ -e /gate/open ] || { mkfifo /gate/pipe; : >/gate/begun; cat /gate/pipe; }; echo second >/second
END
sed -i "s|GUEST|$BUSYBOX|" "$FILE"
gate=$ROOT/var/lib/fpsync/build/caches/gate/data
"$FPSYNC" --root "$ROOT" apply -q -y -f "$FILE" >"$ROOT/killed" 2>&1 &
apply=$!
check 'a RUN runs' eventually 30 test -e "$gate/begun"
worker=$(pgrep -P "$apply")
isnt 'by a worker' "$worker" ''
kill -9 "$apply"
wait $apply 2>/dev/null
ended() { # PIDS: gone, or nobody's to wait for
    ! cat $(printf '/proc/%s/status ' "$@") 2>/dev/null | grep -q '^State:[[:space:]]*[^ZX[:space:]]'
}
check 'its workers do not outlive an apply that is killed' eventually 5 ended $worker
: >"$gate/open"
converge 'the next apply'
is 'makes what was missing' "$(cat "$ROOT"/var/lib/fpsync/images/*/root/{first,second} | tr '\n' ' ')" 'first second '
is 'nothing of the building containers is left' "$(ls "$ROOT/var/lib/lxc")" ''
is 'nor of their processes' "$(processes | grep -c .)" 0
check 'down' fps down -f "$FILE" -y

# ---- Ctrl-C, once and twice ----

begin() { # until a RUN waits at the gate
    rm -rf "$gate"
    "$FPSYNC" --root "$ROOT" apply -y --parallel 1 -f "$FILE" >"$ROOT/said" 2>&1 &
    apply=$!
    check 'a RUN waits' eventually 30 test -e "$gate/begun"
}
sed -i 's/^project: .*/project: c/; s/echo second/echo third/' "$FILE"
echo '  later: { build: { from: slow, network: none, steps: [ RUN true ] } }' >>"$FILE"
begin
kill -INT "$apply"
check 'who interrupts it is told what happens' eventually 5 grep -q 'interrupted: what has begun is finished first' "$ROOT/said"
check 'it goes on' test -d "/proc/$apply"
timeout 5 sh -c "echo go >'$gate/pipe'"
timeout 30 tail --pid="$apply" -f /dev/null
wait "$apply"
is 'and ends, with an error' $? 1
like 'and says how much is left' "$(cat "$ROOT/said")" 'interrupted: [1-9] of [0-9]+ actions were not done'
isnt 'the image is there' "$(fps image inspect c/slow 2>/dev/null | jq -r '.images[0].digest')" ''
sed -i 's/echo third/echo fourth/' "$FILE"
begin
kill -INT "$apply"
eventually 5 grep -q 'interrupted' "$ROOT/said"
kill -INT "$apply"
wait "$apply"
is 'twice ends at once' $? 1
is 'with all that it had begun' "$(ls "$ROOT/var/lib/lxc")$(processes | grep .)" ''
: >"$gate/open"
converge 'the run after that'
sed -i '/^  later:/d; s/echo fourth/echo fifth/' "$FILE"
converge 'without the last'
sed -i 's/echo fifth/echo sixth/' "$FILE"
begin
kill -INT "$apply"
eventually 5 grep -q 'interrupted' "$ROOT/said"
timeout 5 sh -c "echo go >'$gate/pipe'"
wait "$apply"
like 'who interrupts the last action is told that nothing is left' "$(tail -n 1 "$ROOT/said")" '^fpsync: interrupted, with nothing left to do$'
check 'which is so' fps plan -f "$FILE"
check 'down' fps down -f "$FILE" -y

# ---- what fails is tried once a run, and holds nothing else up ----

mkdir -p "$SPEC"/{bad,good}
printf 'FROM guest\nRUN true\n' >"$SPEC/bad/Recipe"
printf 'FROM guest\nCMD ["/bin/sleep", "1000"]\n' >"$SPEC/good/Recipe"
spec once <<END
project: u
images:
  guest: { source: "file:$BUSYBOX" }
  bad: { build: { context: ./bad, network: none } }
END
converge 'two images'
tries() { # since the last look
    cat "$ROOT/var/lib/fpsync/build/caches/tries/data/n" 2>/dev/null | wc -l
    rm -f "$ROOT/var/lib/fpsync/build/caches/tries/data/n"
}
printf 'FROM guest\nRUN --mount=type=cache,id=tries,target=/c echo x >>/c/n; false\n' >"$SPEC/bad/Recipe"
fails 'another recipe of one, which fails' 3 fps build -y -f "$FILE"
is 'is run once' "$(tries)" 1
cat >>"$FILE" <<END
  good: { build: ./good }
containers:
  bad: { image: bad, networks: [] }
  good: { image: good, networks: [] }
  waits: { image: good, networks: [], depends_on: [ lost ] }
  lost: { image: unmade, networks: [] }
END
sed -i '/^containers:/i\  unmade: { build: { from: bad, network: none, steps: [ RUN true ] } }' "$FILE"
report=$(fps apply -y -f "$FILE" -o json)
is 'apply says that some failed' $? 3
is 'and ran it once' "$(tries)" 1
is 'no action is told of twice' "$(jq -r '.actions[].id' <<<"$report" | sort | uniq -d)" ''
is 'who waits for what failed is not begun' "$(jq -r '.held[] | .name + ": " + .reason' <<<"$report")" \
    'u/waits: it needs container u/lost, which failed'
is 'what hangs on the others is there' "$(fps status -o json | jq -r '.objects[] | select(.kind == "container" and .phase == "running").name' | paste -sd' ')" 'u/good'
fails 'nor is anything taken for settled' 3 fps apply -y -f "$FILE"
printf 'FROM guest\nRUN echo sound >/sound\n' >"$SPEC/bad/Recipe"
converge 'once it is sound'
printf 'FROM guest\nRUN false\n' >"$SPEC/bad/Recipe"
for name in bad lost waits; do
    kill -9 "$(pid_of u/$name)"
    eventually 20 test -z "$(pid_of u/$name)" || not_ok "$name ends"
done
fails 'it fails again, with who stands on it killed' 3 fps --auto apply -f "$FILE"
is 'who is up again, as he was' "$(inside u/bad cat /sound) $(inside u/lost cat /sound)" 'sound sound'
isnt 'and who depends on that, too' "$(pid_of u/waits)" ''
check 'down again' fps down -f "$FILE" -y --timeout 0

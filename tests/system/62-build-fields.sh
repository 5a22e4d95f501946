#!/bin/bash
# The fields of image.build, on a container that follows its image: see walk.sh.
. "$(dirname "$0")/walk.sh"

for name in first second; do
    mkdir -p "$SPEC/$name"
    printf 'FROM guest AS plain\nRUN echo %s >/said\nFROM plain AS more\nRUN echo more >>/said\n' "$name" >"$SPEC/$name/Recipe"
    printf 'FROM guest\nARG WORD=none\nRUN echo other %s $WORD >/said\n' "$name" >"$SPEC/$name/Other"
    printf 'FROM guest\nRUN echo third %s >/said\n' "$name" >"$SPEC/$name/Third"
done
mkdir -p "$SPEC/stages"
printf 'FROM guest AS one\nRUN echo one >/said\nFROM one AS two\nRUN echo two >>/said\nFROM two\nRUN echo three >>/said\n' >"$SPEC/stages/Recipe"
built() { # the image's entry
    cat <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  base: { build: { from: guest, steps: [ "RUN echo base >/said" ] } }
  app: { $1 }
networks:
  near: { subnet: $NET.0/25 }
  far: { subnet: $NET.128/25, isolated: true }
containers: { one: { image: app, networks: [] } }
END
}
said() { # what the image says, in one line
    inside "$1" cat /said 2>/dev/null | paste -sd' '
}

context_without() { built "source: \"file:$BUSYBOX\""; }
context_set() { built 'build: ./first'; }
context_changed() { built 'build: { context: ./second }'; }
effect image.build 'said t/one' '' 'first more' 'second more' ''
effect image.build.context 'said t/one' '' 'first more' 'second more' ''
walk t/one restart context

tar -C "$SPEC/first" -cf "$SPEC/first.tar" . && tar -C "$SPEC" -cf "$SPEC/second.tar" second
packed() { # NAME of the archive, with its digest
    built "build: { context: ./$1.tar, digest: \"sha256:$(sha256sum "$SPEC/$1.tar" | cut -d' ' -f1)\" }"
}
digest_without() { built "source: \"file:$BUSYBOX\""; }
digest_set() { packed first; }
digest_changed() { packed second; }
effect image.build.digest 'said t/one' '' 'first more' 'second more' ''
walk t/one restart digest

recipe_without() { built 'build: ./first'; }
recipe_set() { built 'build: { context: ./first, recipe: Other }'; }
recipe_changed() { built 'build: { context: ./first, recipe: Third }'; }
effect image.build.recipe 'said t/one' 'first more' 'other first none' 'third first' 'first more'
walk t/one restart recipe

args_without() { built 'build: { context: ./first, recipe: Other }'; }
args_set() { built 'build: { context: ./first, recipe: Other, args: { WORD: one } }'; }
args_changed() { built 'build: { context: ./first, recipe: Other, args: { WORD: "two words" } }'; }
effect image.build.args 'said t/one' 'other first none' 'other first one' 'other first two words' 'other first none'
walk t/one restart args

target_without() { built 'build: ./stages'; }
target_set() { built 'build: { context: ./stages, target: one }'; }
target_changed() { built 'build: { context: ./stages, target: "1" }'; }
effect image.build.target 'said t/one' 'one two three' one 'one two' 'one two three'
walk t/one restart target

steps_without() { built 'build: { from: guest }'; }
steps_set() { built 'build: { from: base, steps: [ "RUN echo step >>/said" ] }'; }
steps_changed() { built 'build: { from: guest, steps: [ "ENV A=b", "RUN echo $A >>/said" ] }'; }
effect image.build.from 'said t/one' '' 'base step' b ''
effect image.build.steps 'said t/one' '' 'base step' b ''
walk t/one restart steps

epoch_without() { built 'build: ./first'; }
epoch_set() { built 'build: { context: ./first, epoch: 1700000000 }'; }
epoch_changed() { built 'build: { context: ./first, epoch: 1600000000 }'; }
written() { # when RUN wrote it; anything else than what was declared is now
    local time
    time=$(inside "$1" stat -c %Y /said)
    if [ "${time:-0}" -gt 1700000000 ]; then echo now; else echo "$time"; fi
}
effect image.build.epoch 'written t/one' now 1700000000 1600000000 now
walk t/one restart epoch

# Which network RUN has is no reason to build: something else changes with it.
network_without() { built 'build: { from: guest, network: none, steps: [ "RUN ip -4 -o addr show dev eth0 2>/dev/null | wc -l >/said" ] }'; }
network_set() { built 'build: { from: guest, network: near, steps: [ "RUN ip -4 -o addr show dev eth0 | grep -o '"'$NET.[0-9]*/25'"' | cut -d. -f4 >/said && ping -c 1 -W 2 '"$NET.1"' >/dev/null" ] }'; }
network_changed() { built 'build: { from: guest, network: far, steps: [ "RUN ip -4 -o addr show dev eth0 | grep -c '"'$NET.'"' >/said" ] }'; }
in_subnet() { # of the first, of the other network
    local last
    last=$(said "$1")
    case $last in */25) echo near ;; *) echo "$last" ;; esac
}
effect image.build.network 'in_subnet t/one' 0 near 1 0
walk t/one restart network
# Nor is another secret one.
printf first >"$SPEC/token"
printf second >"$SPEC/other"
read_secret='RUN --mount=type=secret,id=token,mode=0444 cat /run/secrets/token 2>/dev/null | wc -c >/said'
secrets_without() { built "build: { from: guest, network: none, steps: [ \"$read_secret\" ] }"; }
secrets_set() { built "build: { from: guest, network: none, secrets: { token: { file: ./token } }, steps: [ \"ENV A=1\", \"$read_secret\" ] }"; }
secrets_changed() { built "build: { from: guest, network: none, secrets: { token: { file: ./other } }, steps: [ \"ENV A=2\", \"$read_secret\" ] }"; }
effect image.build.secrets 'said t/one' 0 5 6 0
effect image.build.secrets.id 'said t/one' 0 5 6 0
effect image.build.secrets.file 'said t/one' 0 5 6 0
walk t/one restart secrets
is 'nothing is left over' "$(leftovers)" ''

#!/bin/bash
# Builds made once more: the same bytes under SOURCE_DATE_EPOCH wherever and whenever that is.
. "$(dirname "$0")/lib.sh"

OTHER=$ROOT/other
other() {
    "$FPSYNC" --root "$OTHER" "$@"
}
mkdir -p "$SPEC/app/site/deep" "$SPEC/late/site/deep" "$SPEC/packed"
echo hello >"$SPEC/app/site/index.html"
echo deep >"$SPEC/app/site/deep/file"
echo packed >"$SPEC/packed/one"
tar -C "$SPEC/packed" -czf "$SPEC/app/packed.tar.gz" one
# A guest has the host's clock: an hour later is what the cache says, which is part of no key.
cat >"$SPEC/app/Recipe" <<'END'
FROM guest
COPY site /www
ADD packed.tar.gz /packed/
RUN --mount=type=cache,id=clock,target=/clock mkdir -p /made/empty && echo made >/made/file && ln -s file /made/link && \
    mkfifo /made/pipe && chmod 4755 /made/file && touch -d @$(($(date +%s) + 3600 * $(ls /clock | wc -l))) /made/file /made/empty
RUN rm /etc/group /www/cgi-bin/who && echo other >/made/other && rm -r /made/empty && mkdir /made/empty
WORKDIR /srv/app
COPY <<TEXT /srv/text
some text
TEXT
COPY --from=guest /etc/passwd /srv/
RUN cp -p /srv/text /srv/copied && date +%Y >/dev/null
END
cp -r "$SPEC/app/." "$SPEC/late/"
find "$SPEC/late" -exec touch -d '2001-02-03 04:05:06' {} +
again() { # FOLDER EPOCH-LINE
    cat <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  app: { build: { context: ./$1, network: none$2 } }
END
}
image_of() { # ROOT
    "$FPSYNC" --root "$1" status -o json | jq -r '.objects[] | select(.kind == "image" and .name == "t/app").digest'
}
layers_of() { # LAYOUT
    skopeo inspect "oci:$1" | jq -c .Layers
}
EPOCH=1700000000
spec again < <(again app ", epoch: $EPOCH")
converge 'a build with an epoch'
first=$(image_of "$ROOT")
app=$ROOT/var/lib/fpsync/images/$first/root
is 'what RUN writes is no newer' "$(stat -c %Y "$app/made/file" "$app/made/other" "$app/srv/app" | sort -u)" $EPOCH
is 'nor what is copied from the context' "$(stat -c %Y "$app/www/index.html" "$app/srv/text" | sort -u)" $EPOCH
is 'nor anything else of what was built' "$(find "$app" -newermt "@$EPOCH" | wc -l)" 0
mkdir -p "$OTHER/var/lib/fpsync/build/caches/clock/data"
: >"$OTHER/var/lib/fpsync/build/caches/clock/data/later"
again late ", epoch: $EPOCH" >"$SPEC/late.yaml"
check 'in another root, of files with other times, later' other build -f "$SPEC/late.yaml"
is 'it is the same image' "$(image_of "$OTHER")" "$first"
check 'written as an OCI layout' fps image export t/app "$ROOT/one:v"
check 'the other, too' other image export t/app "$ROOT/two:v"
is 'its layers are byte by byte the same' "$(layers_of "$ROOT/two:v")" "$(layers_of "$ROOT/one:v")"
is 'and so is all that is said of it' "$(skopeo inspect "oci:$ROOT/two:v" | jq -r .Digest)" "$(skopeo inspect "oci:$ROOT/one:v" | jq -r .Digest)"

again app '' >"$SPEC/late.yaml"
check 'without an epoch' other build -f "$SPEC/late.yaml"
check 'and written' other image export t/app "$ROOT/three:v"
isnt 'its bytes are others' "$(layers_of "$ROOT/three:v")" "$(layers_of "$ROOT/one:v")"

# What a person has in the environment and a timer has not is no reason to build.
check 'the epoch of the environment makes nothing by itself' env SOURCE_DATE_EPOCH=$EPOCH "$FPSYNC" --root "$OTHER" plan -f "$SPEC/late.yaml"
like 'another declared one does' "$(again app ', epoch: 1600000000' >"$SPEC/late.yaml"; other plan -f "$SPEC/late.yaml")" \
    'SOURCE_DATE_EPOCH=1600000000'
check 'what is to be made has the declared one' env SOURCE_DATE_EPOCH=$EPOCH "$FPSYNC" --root "$OTHER" build -f "$SPEC/late.yaml"
is 'as its files say' "$(stat -c %Y "$OTHER/var/lib/fpsync/images/$(image_of "$OTHER")/root/made/other")" 1600000000
again app '' >"$SPEC/late.yaml"
sed -i 's/echo other/echo another/' "$SPEC/app/Recipe"
check 'where none is declared that of the environment' env SOURCE_DATE_EPOCH=$EPOCH "$FPSYNC" --root "$OTHER" build -f "$SPEC/late.yaml"
is 'is that of the files' "$(stat -c %Y "$OTHER/var/lib/fpsync/images/$(image_of "$OTHER")/root/made/other")" $EPOCH
check 'and without it there is nothing to do' other plan -f "$SPEC/late.yaml"

# --no-cache makes every step again, and what it made is what later builds find.
steps() {
    ls "$ROOT/var/lib/fpsync/build/steps" | wc -l
}
stamp() { # IMAGE: what its first RUN wrote
    cat "$ROOT/var/lib/fpsync/images/$(fps status -o json | jq -r --arg name "$1" '.objects[] | select(.kind == "image" and .name == $name).digest')/root/stamp"
}
cached() {
    cat <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
  one: { build: { from: guest, network: none, steps: [ "RUN cat /proc/sys/kernel/random/uuid >/stamp", "RUN echo $1 >/said" ] } }
  two: { build: { from: guest, network: none, steps: [ "RUN cat /proc/sys/kernel/random/uuid >/stamp", "RUN echo two >/two" ] } }
  high: { build: { from: one, network: none, steps: [ "RUN cp /stamp /high" ] } }
END
}
check 'what was built before goes' fps gc --force
spec again < <(cached first)
converge 'two images with a step in common, and one on top'
before=$(stamp t/one)
count=$(steps)
is 'they share it' "$(stamp t/two)" "$before"
check 'all steps again' fps build --no-cache -f "$FILE"
isnt 'it was made again' "$(stamp t/one)" "$before"
is 'once for both' "$(stamp t/two)" "$(stamp t/one)"
is 'no step is there twice, but for one on another base' "$(steps)" $((count + 1))
before=$(stamp t/one)
spec again < <(cached second)
converge 'another end'
is 'its first step is that of --no-cache' "$(stamp t/one)" "$before"
is 'and what stands on it has it' "$(cat "$ROOT/var/lib/fpsync/images/$(fps status -o json | jq -r '.objects[] | select(.name == "t/high" and .kind == "image").digest')/root/high")" "$before"
check 'of one of two that share a step' fps build --no-cache -f "$FILE" one
before=$(stamp t/two)
is 'the steps that stood on the old one are gone' "$(grep -l "^on [0-9a-f]" "$ROOT"/var/lib/fpsync/build/steps/*/note | while read -r note; do
    [ -d "$ROOT/var/lib/fpsync/build/steps/$(sed -n 's/^on //p' "$note")" ] || echo "$note"
done)" ''
isnt 'the other image is as it was' "$(stamp t/one)" "$before"

# The budget of what builds keep.
mkdir -p "$ROOT/etc/fpsync"
check 'what was built before goes again' fps gc --force
filled() { # NAME MEBIBYTES...
    local name=$1 size
    shift
    echo "  $name: { build: { from: guest, network: none, steps: [ $(for size; do
        printf '"RUN head -c %s /dev/urandom >/%s-%s", ' "${size}m" "$name" "$size"
    done) 'RUN --mount=type=cache,id=kept-$name,target=/kept head -c 1m /dev/urandom >/kept/some' ] } }"
}
budget() {
    echo "builds: { $1 }" >"$ROOT/etc/fpsync/fpsync.conf"
}
spec again < <(printf 'project: t\nimages:\n  guest: { source: "file:%s" }\n' "$BUSYBOX"; filled old 2 3)
converge 'an image of steps of 2 and 3 MiB, and a cache'
find "$ROOT/var/lib/fpsync/build/steps" -maxdepth 2 -name note -exec touch -d '3 hours ago' {} +
find "$ROOT/var/lib/fpsync/build/caches" -maxdepth 1 -name 'kept-*' -exec touch -d '2 hours ago' {} +
is 'its steps are kept' "$(steps)" 3
budget 'budget: 4MiB'
like 'gc would free what is more than the budget' "$(fps gc --dry-run)" '^build steps: would be freed \(2 steps, 3MiB, beyond the age or the budget'
like 'from the top, and says what it would keep' "$(fps gc --dry-run)" '^build steps: kept \(1 step, 2MiB'
like 'which is the cache that was used later, too' "$(fps gc --dry-run)" '^build caches: kept \(1 cache, 1MiB'
cat >>"$FILE" < <(filled new 1)
converge 'another image is built'
is 'the older steps went after that' "$(steps)" 2
is 'with all that stood on them' "$(find "$ROOT/var/lib/fpsync/build/steps" -name 'old-*' | wc -l)" 0
check 'the newer ones are there' find "$ROOT/var/lib/fpsync/build/steps" -name new-1 -size 1024k
is 'and both caches, which the budget leaves room for' "$(ls "$ROOT/var/lib/fpsync/build/caches" | tr '\n' ' ')" 'kept-new kept-old '
budget 'budget: 3MiB'
check 'gc goes by the budget' fps gc
is 'the cache that was used least of late goes' "$(ls "$ROOT/var/lib/fpsync/build/caches" | tr '\n' ' ')" 'kept-new '
is 'and no step before it' "$(steps)" 2
budget 'age: 1h'
find "$ROOT/var/lib/fpsync/build/caches" -maxdepth 1 -name 'kept-*' -exec touch -d '2 hours ago' {} +
like 'by age, too' "$(fps gc --dry-run -o json | jq -r '.objects[] | select(.freed) | "\(.kind) \(.name) \(.reason)"')" '^build caches 1 cache, '
check 'it goes' fps gc
is 'and what was used within that stays' "$(steps) $(ls "$ROOT/var/lib/fpsync/build/caches" | wc -l)" '2 0'
check 'the images are what they were' fps plan -f "$FILE"

# What a built image stands on is gone from the store.
spec again < <(printf 'project: t\nimages:\n  guest: { source: "file:%s" }\n' "$BUSYBOX"; filled old 2
    printf 'containers: { one: { image: old, networks: [] } }\n')
converge 'a container of it'
check 'which is stopped' fps stop t/one
base=$(fps image ls -o json | jq -r '.images[] | select(.name == "t/guest") | .digest')
mv "$ROOT/var/lib/fpsync/images/$base" "$ROOT/base"
said=$(fps start t/one 2>&1)
is 'without its base the start fails' $? 3
like 'and names that' "$said" "image $base is not whole in the store: fpsync apply brings it back"
check 'which is so' fps apply -y -f "$FILE"
check 'it starts' fps start t/one
check 'it goes again' eval 'sed -i /^containers/d "$FILE" && fps apply -y -f "$FILE"'

# A root that failed is kept, but not at the price of the room to build again.
small=$ROOT/small
mkdir -p "$small/var/lib/fpsync"
check 'a store on a small disk' eval 'truncate -s 96M "$small/disk" && mkfs.ext4 -q -m 0 "$small/disk" && mount -o loop "$small/disk" "$small/var/lib/fpsync"'
large() { # MEBIBYTES
    spec large < <(printf 'project: t\nimages:\n  guest: { source: "file:%s" }\n' "$BUSYBOX"
        echo "  app: { build: { from: guest, network: none, steps: [ 'RUN head -c ${1}m /dev/zero >/large' ] } }")
}
large 200
said=$("$FPSYNC" --root "$small" apply -y -f "$FILE" 2>&1)
is 'a RUN that fills the disk fails' $? 3
like 'says that it is full, and that nothing of it is kept' "$said" 'exit status 1, on a disk that is full, so that its root is not kept'
is 'nor is anybody sent to it' "$(grep -c -- '--shell' <<<"$said")" 0
is 'nothing is' "$(ls "$small/var/lib/fpsync/build/failed" 2>/dev/null)" ''
large 2
check 'so the next has room at once' "$FPSYNC" --root "$small" apply -y -f "$FILE"
check 'the small disk goes' umount "$small/var/lib/fpsync"

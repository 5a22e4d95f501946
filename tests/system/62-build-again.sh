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

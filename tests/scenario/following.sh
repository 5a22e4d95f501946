# Images that follow their servers: asked as often as they say, changed when the answer is another one. Sourced by run.sh.
following() { # ENTRIES: an image of a server, and a container on it
    echo "images: { base: { source: \"images:debian/12\", $1 } }
containers: { web: { image: base, networks: [], on_image_change: restack } }" >"$root/spec.yaml"
}
asked() { # how often servers were asked since the last time
    grep -c '^look_image' "$root/trace" 2>/dev/null
    : >"$root/trace"
}
traced() {
    FPSYNC_FAKE_TRACE=$root/trace run_spec "$@"
}
stood_for() { # SECONDS: the answer that was noted is so old
    touch -d "$1 seconds ago" "$root/run/fpsync/asked/default_base"
}
image_of() {
    run status -o json >/dev/null && run image ls -o json | jq -r '.images[] | select(.name == "default/base") | .digest'
}

always_asks() {
    at following
    following 'pull: always'
    gives 0 traced apply && [ "$(asked)" = 0 ] && gives 0 traced apply && [ "$(asked)" = 1 ] || return 1
    local before calls
    before=$(image_of) calls=$("$tool" "$root" calls)
    gives 0 traced plan && [ "$(asked)" = 1 ] && [ "$("$tool" "$root" calls)" = "$calls" ] || return 1
    "$tool" "$root" renew-source images:debian/12 || return 1
    gives 2 traced plan && grep -q "at its server: ${before:0:12} -> [0-9a-f]\{12\}   (spec.yaml:1)" <(sed "s#$root/##g" "$root/said") &&
        grep -q 'expand container default/web' "$root/said" && [ "$(image_of)" = "$before" ] || return 1
    gives 0 traced apply && [ "$(image_of)" != "$before" ] && gives 0 traced plan
}
check 'pull: always asks at each run, and another answer is an action with both as cause' always_asks

nobody_answers() {
    "$tool" "$root" miss images:debian/12 && "$tool" "$root" renew-source images:debian/12 || return 1
    gives 0 traced plan && grep -q 'image default/base stays what it is: .*nobody answers' "$root/said" && gives 0 traced apply || return 1
    # offline nobody is asked, and nobody complains
    asked >/dev/null
    gives 0 traced --offline plan && [ "$(asked)" = 0 ] && ! grep -q stays "$root/said" || return 1
    "$tool" "$root" bring images:debian/12 && gives 0 traced apply && gives 0 traced plan
}
check 'where nobody answers a warning is all, and what is there stays in force' nobody_answers

follows_now_and_then() {
    at follow
    following 'follow: 1h'
    gives 0 traced apply && gives 0 traced apply && [ "$(asked)" = 1 ] || return 1
    # within the hour nobody is asked, by hand or by a timer
    gives 0 traced plan && gives 0 traced --auto apply && [ "$(asked)" = 0 ] || return 1
    "$tool" "$root" renew-source images:debian/12 && stood_for 3500 || return 1
    gives 0 traced --auto apply && [ "$(asked)" = 0 ] || return 1
    local before
    before=$(image_of)
    stood_for 3700 && gives 2 traced plan && gives 0 traced --auto apply && [ "$(asked)" = 2 ] && [ "$(image_of)" != "$before" ] || return 1
    # a plan notes nothing: it asks as often as it is made
    stood_for 3700 && gives 0 traced plan && gives 0 traced plan && [ "$(asked)" = 2 ] || return 1
    gives 0 traced apply && gives 0 traced apply && [ "$(asked)" = 1 ]
}
check 'follow asks once the time has passed, also by a timer, and a plan stores nothing' follows_now_and_then

fails_then_asks() { # a download that fails leaves what is there, and the next run tries again
    "$tool" "$root" renew-source images:debian/12 && stood_for 3700 || return 1
    local before
    before=$(image_of)
    "$tool" "$root" reset && FPSYNC_FAKE_FAIL=1 gives 3 run_spec apply && [ "$(image_of)" = "$before" ] || return 1
    gives 0 traced apply && [ "$(image_of)" != "$before" ]
}
check 'what could not be made is asked about again' fails_then_asks

belongs_to_a_server() {
    at follow-bad
    echo 'images:
  a: { source: "bootstrap:bookworm", follow: 1d }
  b: { source: "images:debian/12", follow: 1d, pull: always }
  c: { source: "images:debian/12", follow: 1d, pull: never }
  d: { source: "images:debian/12", pull: always, digest: "sha256:'"$(printf %064d 1)"'" }' >"$root/spec.yaml"
    gives 6 run_spec validate && [ "$(grep -cE 'spec.yaml:[2-5]:[0-9]+:' "$root/said")" = 4 ]
}
check 'what cannot be followed is an error at its place' belongs_to_a_server

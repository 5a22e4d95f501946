# What waits for an image that does not come: the host knows nothing of it, and nobody takes that for another hand's doing.
# Sourced by run.sh.
in_place() { # the record and the spec agree that nothing of the network is out of place
    run status -o json | jq -e '[.objects[] | select(.kind == "network").drift] == [[]]' >/dev/null || { run status; return 1; }
    ! run_spec plan | grep -E 'another hand|not on record'
}
broken_recipe() { # FOLDER
    mkdir -p "$root/$1" && printf 'FROM base\nRUN false\n' >"$root/$1/Recipe"
}

a_build_fails() {
    at waiting-build
    broken_recipe bad
    echo 'project: shop
images: { base: { source: "bootstrap:bookworm" }, app: { build: ./bad } }
containers: { web: { image: app, ports: [] } }' >"$root/spec.yaml"
    gives 3 run_spec build -y && in_place && gives 3 run_spec apply -y && in_place && gives 3 run_spec build -y && in_place || return 1
    printf 'FROM base\nRUN true\n' >"$root/bad/Recipe"
    gives 0 run_spec apply -y && runs shop_web && in_place && gives 0 run_spec plan
}
check 'a build that fails leaves no rules and names behind, and those of who waits for it come with the container' a_build_fails

a_build_of_a_folder_fails() {
    at waiting-folder
    broken_recipe page
    echo 'images: { base: { source: "bootstrap:bookworm" } }' >"$root/spec.yaml"
    gives 0 run_spec apply && gives 3 run build "$root/page" -y && in_place && gives 0 run_spec plan
}
check 'nor does that of a folder' a_build_of_a_folder_fails

an_image_is_held() {
    at waiting-held
    echo 'images: { base: { source: "images:debian/12" } }
containers: { web: { image: base } }' >"$root/spec.yaml"
    for _ in 1 2; do
        gives 3 run_spec --offline apply && ! run status -o name | grep network || return 1
    done
    gives 0 run_spec apply && runs web && in_place || return 1
    # what is there stays for who is held back
    sed -i 's/12"/13"/' "$root/spec.yaml"
    gives 3 run_spec --offline apply && in_place && runs web
}
check 'of an image that is held not even the network is made that its users would have' an_image_is_held

# What an image was serves on until there is another: who runs on it is looked after, with who depends on that.
two_on_app() { # STEP
    echo "project: shop
images: { base: { source: \"bootstrap:bookworm\" }, app: { build: { from: base, steps: [ \"RUN $1\" ] } } }
containers:
  web: { image: app, ports: [], networks: [ inner ]${2:-} }
  api: { image: base, networks: [ inner ], depends_on: [ web ] }
networks: { inner: { subnet: 10.7.0.0/24 } }" >"$root/spec.yaml"
}
kill_both() {
    "$tool" "$root" kill shop_web && "$tool" "$root" kill shop_api
}
a_rebuild_fails() {
    at waiting-rebuild
    two_on_app true && gives 0 run_spec apply && two_on_app false ', env: { A: b }' || return 1
    # with nothing to look after, nothing but the build is tried
    gives 3 run_spec apply && runs shop_web && runs shop_api && [ "$(grep -c 'to change' "$root/said")" = 1 ] || return 1
    kill_both && gives 3 run_spec --auto apply && says 'start container shop/web: done' && says 'start container shop/api: done' &&
        runs shop_web && runs shop_api || return 1
    # what the spec changes of them waits
    run_spec plan >"$root/said"; says 'expand container shop/web' && two_on_app true ', env: { A: b }' && gives 0 run_spec apply &&
        says 'env.A' && gives 0 run_spec plan
}
check 'who runs on an image whose rebuild fails is started again on what it was' a_rebuild_fails

a_rebuild_is_held() {
    at waiting-rebuild-held
    two_on_app true && gives 0 run_spec apply && two_on_app true && sed -i 's/from: base/from: "images:debian\/12"/' "$root/spec.yaml" && kill_both || return 1
    gives 3 run_spec --offline apply && says 'held container shop/web: its image shop/app is held' && says 'start container shop/web: done' &&
        runs shop_web && runs shop_api && same_calls gives 3 run_spec --offline apply
}
check 'and so is one whose image is held' a_rebuild_is_held

another_source_fails() { # which says nothing that would be awaited
    at waiting-source
    echo 'images: { base: { source: "https://example.org/base.tar.xz" } }
containers: { web: { image: base, networks: [] } }' >"$root/spec.yaml"
    gives 0 run_spec apply && sed -i 's/base.tar/other.tar/' "$root/spec.yaml" && "$tool" "$root" kill web || return 1
    FPSYNC_FAKE_FAIL=$(($(calls) + 1)) gives 3 run_spec apply && says 'start container default/web: done' && runs web &&
        sed -i 's/other.tar/base.tar/' "$root/spec.yaml" && gives 0 run_spec apply && gives 0 run_spec plan
}
check 'or one whose image cannot be fetched' another_source_fails

a_failed_image_is_held() { # its container is on record, and was never made
    at waiting-failed-held
    echo 'images: { base: { source: "https://example.org/base.tar.xz" } }
containers: { web: { image: base, networks: [] } }' >"$root/spec.yaml"
    "$tool" "$root" reset && FPSYNC_FAKE_FAIL=1 gives 3 run_spec apply && same_calls gives 3 run_spec --offline apply &&
        says '= held container default/web: its image default/base is held' && gives 0 run_spec apply && runs web && gives 0 run_spec plan
}
check 'of an image that failed and is held then nothing is begun' a_failed_image_is_held

a_build_is_held() {
    at waiting-build-held
    echo 'images: { base: { source: "images:debian/12" }, app: { build: { from: base, steps: [ "RUN true" ] } } }' >"$root/spec.yaml"
    gives 3 run_spec --offline apply && ! run status -o name | grep network && gives 0 run_spec apply && in_place
}
check 'nor the one of its RUN' a_build_is_held

an_image_of_others_never_came() {
    at waiting-never-made
    echo 'project: st
images: { base: { source: "bootstrap:bookworm" } }' >"$root/one.yaml"
    echo 'project: st
images: { app: { build: { from: base, steps: [ "RUN true" ] } } }
containers: { c: { image: base } }' >"$root/two.yaml"
    "$tool" "$root" reset && FPSYNC_FAKE_FAIL=1 gives 3 run -f "$root/one.yaml" apply || return 1
    run -f "$root/two.yaml" -o json plan >"$root/said"
    jq -r '.held[] | "\(.name) \(.reason)"' "$root/said" | paste -sd, |
        grep -qx 'st/app image st/base, which it is made from: it was never made,st/c its image st/base: it was never made' || { cat "$root/said"; return 1; }
    gives 3 run -f "$root/two.yaml" apply && ! run status -o name | grep -E 'container|layer|network' || return 1
    gives 0 run -f "$root/one.yaml" apply && gives 0 run -f "$root/two.yaml" apply && runs st_c
}
check 'what stands on an image that another source could not make is held' an_image_of_others_never_came

a_fetch_fails() {
    at waiting-fetch
    echo 'images: { base: { source: "images:debian/12" } }
containers: { web: { image: base } }' >"$root/spec.yaml"
    for _ in 1 2; do
        "$tool" "$root" reset && FPSYNC_FAKE_FAIL=1 gives 3 run_spec apply && in_place || return 1
    done
    gives 0 run_spec apply && runs web && in_place
}
check 'nor does one that cannot be fetched' a_fetch_fails

changes_are_told() { # by the exit code, of all that the run did, and of nothing else
    at waiting-detailed
    mkdir -p "$root/good" && printf 'FROM base\nRUN true\n' >"$root/good/Recipe"
    echo 'images: { base: { source: "bootstrap:bookworm" }, app: { build: ./good } }
containers: { web: { image: app } }' >"$root/spec.yaml"
    gives 2 run_spec --detailed-exitcode apply -y && runs web && gives 0 run_spec plan && gives 0 run_spec --detailed-exitcode apply -y &&
        gives 0 run_spec --detailed-exitcode --wait=5s apply -y
}
check 'what waits for an image comes also where the exit code tells of changes, which it does of changes alone' changes_are_told

# ---- networks that nobody declares, of several sources ----

source_of() { # FILE SOURCE-OF-IMAGE NAME: a container in the network of its project
    echo "project: st
images: { $3: { source: \"$2\" } }
containers: { $3: { image: $3 } }" >"$root/$1.yaml"
}
has_network() { # NAME
    run status -o name | grep -qx "network/$1" || { run status; return 1; }
}

others_wait() {
    at waiting-others
    source_of one images:debian/12 c && source_of two images:debian/13 d
    "$tool" "$root" reset && FPSYNC_FAKE_FAIL=1 gives 3 run -f "$root/one.yaml" apply && has_network st/default || return 1
    echo 'images: { other: { source: "bootstrap:bookworm" } }' >"$root/three.yaml"
    gives 0 run -f "$root/three.yaml" apply && has_network st/default && gives 0 run -f "$root/three.yaml" plan || return 1
    # nor does either of two, both of whose images do not come, take it from the other
    gives 3 run -f "$root/two.yaml" --offline apply && ! run -f "$root/two.yaml" --offline plan | grep 'network st' || return 1
    "$tool" "$root" reset && FPSYNC_FAKE_FAIL=1 gives 3 run -f "$root/two.yaml" apply && ! run -f "$root/one.yaml" plan | grep 'network st' || return 1
    gives 0 run -y -f "$root/two.yaml" down && has_network st/default && in_place || return 1
    gives 0 run -y -f "$root/one.yaml" down && ! has_network st/default
}
check 'a network that nobody declares stays while another source waits to use it' others_wait

no_more_text() {
    at waiting-no-more
    source_of one images:debian/12 c && source_of two bootstrap:bookworm d
    "$tool" "$root" reset && FPSYNC_FAKE_FAIL=1 gives 3 run -f "$root/one.yaml" apply && gives 0 run -f "$root/two.yaml" apply && gives 0 run -f "$root/two.yaml" plan || return 1
    echo 'images: { c: { source: "images:debian/12" } }' >"$root/one.yaml"
    gives 0 run -f "$root/one.yaml" apply && has_network st/default && gives 0 run -y -f "$root/two.yaml" down && ! has_network st/default
}
check 'and goes with the last that uses it, whoever made it' no_more_text

# Restores that were interrupted between what is in place and what is not, on the fakes; sourced by run.sh.
backed_up() { # CASE: ROOT/one is a backup with env.A 1, ROOT/two one with 2; the root is empty
    at "$1"
    for value in 1 2; do
        web "networks: [], volumes: [ \"data:/data\" ], env: { A: \"$value\" }"
        echo 'volumes: { data: {} }' >>"$root/spec.yaml"
        gives 0 run_spec apply && gives 0 run backup "$root/$value.tar" || return 1
    done
    lost
}
lost() {
    "$tool" "$root" lose
    store=$root/var/lib/fpsync
    rm -rf "$store"
}
interrupted() { # VALUE [FOLDER]: its backup is known to be sound, and the folder is in place
    mkdir -p "$store/.restore-verified" && tar --ignore-zeros -xf "$root/$1.tar" -C "$store/.restore-verified" 2>/dev/null
    tail -c 65 "$root/$1.tar" | head -c 64 >"$store/.restore-verified/.digest"
    [ $# = 1 ] || mv "$store/.restore-verified/$2" "$store/$2"
}
restored() { # VALUE: the record is that of its backup, and nothing of the restore is left
    run export >"$root/said" 2>&1
    says "A: \"$1\"" && ! ls -d "$store"/.[!.]* 2>/dev/null
}

restore_goes_on() {
    backed_up restore || return 1
    interrupted 1 volumes
    gives 1 run restore --from "$root/2.tar" && says 'the restore of another backup was interrupted' && gives 1 sh -c "cat '$root/2.tar' | '$fpsync' --root '$root' restore --from -" &&
        [ ! -e "$store/state/data.mdb" ] && gives 0 run restore --from "$root/1.tar" && restored 1 || return 1
    lost && interrupted 1 volumes && gives 0 sh -c "cat '$root/1.tar' | '$fpsync' --root '$root' restore --from -" && restored 1
}
restore_begins_anew() {
    backed_up anew || return 1
    interrupted 1
    cp "$root/2.tar" "$root/bad.tar" && printf X | dd of="$root/bad.tar" bs=1 seek=5000 conv=notrunc 2>/dev/null
    gives 1 run restore --from "$root/bad.tar" && [ -d "$store/.restore-verified" ] && gives 0 run restore --from "$root/2.tar" && restored 2
}
restore_replaces_nothing() {
    backed_up nothing || return 1
    interrupted 1 volumes
    gives 0 run_spec apply && gives 1 run restore --from "$root/1.tar" && says 'a backup is read into an empty root' && rm -rf "$store/.restore-verified" && restored 2
}

on_image() { # PACKAGE [ENTRIES]
    printf 'images: { base: { source: "bootstrap:bookworm", packages: [%s] } }\ncontainers: { web: { image: base, networks: []%s } }\n' "$1" "${2:+, $2}" >"$root/spec.yaml"
}
# A snapshot of a time before the image changed stands on the old one, also where the container does not come up on it.
restore_keeps_its_image() {
    at on-its-image
    on_image less && gives 0 run_spec apply && gives 0 run snapshot web --name good || return 1
    local was call
    was=$("$tool" "$root" print | jq -r '.roots[].digest') && on_image nano && gives 0 run_spec apply &&
        on_image nano 'on_image_change: keep' && gives 0 run_spec apply || return 1
    for ((call = 1; call < 20; call++)); do
        rm -rf "$root.copy" && cp -a "$root" "$root.copy" || return 1
        FPSYNC_FAKE_FAIL=$(($(calls) + call)) run restore web good >"$root/said" 2>&1 && break
        says 'container.start' && call=stop && break
        rm -rf "$root" && cp -a "$root.copy" "$root" || return 1
    done
    [ $call = stop ] && gives 0 run start web && [ "$("$tool" "$root" print | jq -r '.roots[].digest')" = "$was" ]
}

check "an interrupted restore is gone on with by the same backup alone" restore_goes_on
check "with nothing in place another backup may be read" restore_begins_anew
check "a record that came since is not replaced" restore_replaces_nothing
check "what a restore put on an older image starts on that, also after it failed" restore_keeps_its_image

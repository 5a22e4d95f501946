# image import: a name that no file declares. Sourced by run.sh.
imported_image() {
    at image-import
    mkdir -p "$root/golden.d"
    gives 0 run image import "$root/golden.d" && says 'create image default/golden: done' || return 1
    echo 'containers: { web: { image: golden, networks: [] } }' >"$root/spec.yaml"
    gives 0 run_spec apply && gives 0 run_spec plan && gives 0 run image ls && says 'default/golden' || return 1
    # Nobody's run prunes it, and no gc frees it.
    echo 'x-empty: nothing' >"$root/spec.yaml"
    gives 0 run_spec --allow-mass-delete apply && gives 0 run gc --force && gives 0 run image gc && gives 0 run image ls && says 'default/golden' &&
        [ -n "$(digest_of golden)" ] || return 1
    gives 0 run image import "$root/golden.d" shop/other && gives 0 run image ls && says 'shop/other' &&
        gives 1 run image import "$root/golden.d" 'No Name' && says 'is no name of an image' || return 1
    gives 1 run image import && says 'image import needs the path of an archive' && says 'and a NAME unless' &&
        gives 1 run image rm && says 'image rm needs an image, by name or digest: fpsync image ls lists them' || return 1
    # What is imported again is what the file holds then.
    local before
    before=$(digest_of golden)
    "$tool" "$root" renew-source "file:$root/golden.d" && gives 0 run image import "$root/golden.d" && says 'recreate image default/golden: done' || return 1
    gives 0 run image ls -o json && [ "$(jq -r '.images[] | select(.name == "default/golden") | .digest' "$root/said")" != "$before" ] || return 1
    gives 0 run image rm golden && gives 0 run image ls && ! grep -q default/golden "$root/said" || return 1
    # A declared one is not the command's to change; a file may declare what was imported.
    echo "images: { other: { source: \"file:$root/golden.d\" } }" >"$root/spec.yaml"
    gives 0 run_spec apply && gives 1 run image import "$root/golden.d" other && says 'is declared by' && gives 0 run_spec plan
}
check 'image import makes an image that specs can name and that nobody prunes' imported_image

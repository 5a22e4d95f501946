# image gc: ages, a budget, and who is spared. Sourced by run.sh.
unused_images() { # three that nobody declares any more, a tenth of an hour apart, and one in use; a MiB each
    echo 'images: { a: { source: "bootstrap:a" }, b: { source: "bootstrap:b" }, c: { source: "bootstrap:c" }, d: { source: "bootstrap:d" } }
containers: { web: { image: d, networks: [] } }' >"$root/spec.yaml"
    gives 0 run_spec apply || return 1
    A=$(digest_of a) B=$(digest_of b) C=$(digest_of c) D=$(digest_of d)
    echo 'images: { d: { source: "bootstrap:d" } }
containers: { web: { image: d, networks: [] } }' >"$root/spec.yaml"
    gives 0 run_spec --allow-mass-delete apply || return 1
    "$tool" "$root" used default/a 2000 && "$tool" "$root" used default/b 90000 && "$tool" "$root" used default/c 500000 &&
        "$tool" "$root" used default/d 9000000
}
freed() { # what image gc --dry-run would free, oldest first, as letters
    gives 0 run -o name image gc --dry-run "$@" >/dev/null || return 1
    sed "s#image/$A#a#; s#image/$B#b#; s#image/$C#c#; s#image/$D#d#" "$root/said" | tr -d '\n'
}

budget_and_age() {
    at image-gc
    unused_images || return 1
    [ "$(freed)" = cba ] && [ "$(freed --older-than 1d)" = cb ] && [ "$(freed --older-than 3d)" = c ] &&
        [ "$(freed --budget 4MiB)" = '' ] && [ "$(freed --budget 3MiB)" = c ] && [ "$(freed --budget 2MiB)" = cb ] &&
        [ "$(freed --budget 1KiB)" = cba ] && [ "$(freed --budget 3MiB --older-than 1d)" = cb ] || return 1
    mkdir -p "$root/etc/fpsync" && echo 'images: { budget: 3MiB }' >"$root/etc/fpsync/fpsync.conf"
    [ "$(freed)" = c ] && [ "$(freed --budget 2MiB)" = cb ] || return 1
    echo 'images: { age: 1d }' >"$root/etc/fpsync/fpsync.conf"
    local calls
    calls=$("$tool" "$root" calls)
    [ "$(freed)" = cb ] && [ "$("$tool" "$root" calls)" = "$calls" ] || return 1
    gives 0 run image gc && grep -q "image $C: freed (default/c, 1MiB, last used 5d ago)" "$root/said" &&
        grep -q "image $A: kept" "$root/said" && [ -n "$(digest_of a)" ] && [ -z "$(digest_of b)$(digest_of c)" ] || return 1
    rm "$root/etc/fpsync/fpsync.conf"
    gives 0 run image gc && [ -z "$(digest_of a)" ] && [ "$(digest_of d)" = "$D" ] && gives 0 run image gc && says 'Somebody stands on every image.'
}
check 'image gc frees by age and budget what nobody uses, the longest unused first' budget_and_age

deltas_and_data() {
    at image-gc-spared
    unused_images || return 1
    # c stands on a: neither goes before the other
    "$tool" "$root" stand default/c default/a && [ "$(freed --older-than 1d)" = cb ] && [ "$(freed --older-than 1s)" = cba ] || return 1
    "$tool" "$root" stand default/b default/c && "$tool" "$root" used default/b 1
    [ "$(freed --budget 3MiB)" = '' ] || [ "$(freed --budget 3MiB)" = b ] || return 1
    # a retained layer keeps its image
    echo 'x-empty: nothing' >"$root/spec.yaml"
    gives 0 run_spec --allow-mass-delete apply || return 1
    case $(freed) in *d*) return 1 ;; esac
    gives 0 run gc --force layer/web && case $(freed) in *d*) ;; *) return 1 ;; esac
}
check 'image gc spares what retained layers and other images stand on' deltas_and_data

other_verbs_have_no_such_flags() {
    gives 1 run image ls --budget 1GiB && says 'image ls has no --budget; it is for image gc' &&
        gives 1 run image rm d --dry-run && says 'image rm has no --dry-run; it is for image gc' && gives 1 run image gc --budget 0 && says 'a size like 20GiB'
}
check 'what image gc bounds itself by is for nothing else' other_verbs_have_no_such_flags

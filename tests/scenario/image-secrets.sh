# Secrets that an image says itself: not in the record. Sourced by run.sh; layout() and app() are of metadata.sh.
record_has() { # TEXT: somewhere in the database
    grep -qaF -- "$1" "$root/var/lib/fpsync/state/data.mdb"
}
kept_has() { # TEXT: among the values that are kept beside it
    grep -rqF -- "$1" "$root/var/lib/fpsync/secrets" "$root/var/lib/fpsync/state/secrets" 2>/dev/null
}

image_secrets() {
    at image-secrets
    layout '{"Env":["PATH=/bin","DB_PASSWORD=hunter2-of-image","PLAIN=seen"],"Cmd":["/bin/serve"]}'
    app 'web: { image: app, networks: [] }'
    gives 0 run_spec apply && gives 0 run_spec plan || return 1
    ! record_has hunter2-of-image && record_has PLAIN && kept_has hunter2-of-image || { echo "the record has it, or nobody does"; return 1; }
    ! grep -rq hunter2-of-image "$root/said" && gives 0 run image inspect app && ! grep -q hunter2 "$root/said" && says '(sensitive)' || return 1
    # What is written again, and trimmed, keeps it.
    gives 0 run stop web && gives 0 run start web && gives 0 run_spec apply && gives 0 run_spec plan && kept_has hunter2-of-image && ! record_has hunter2-of-image || return 1
    layout '{"Env":["PATH=/bin","DB_PASSWORD=hunter3-of-image","PLAIN=seen"],"Cmd":["/bin/serve"]}'
    gives 0 run image pull app && gives 0 run_spec apply && gives 0 run_spec plan && ! record_has hunter3-of-image && kept_has hunter3-of-image &&
        is_defined web '.env.DB_PASSWORD' '"hunter3-of-image"'
}
check 'a secret of an image stands beside the record, and a container of it is started with it' image_secrets

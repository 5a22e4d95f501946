#!/bin/bash
# What a run that is settled takes for granted (reconciler/settled.h): every member of what the views show is in the
# world's digest, nothing else of the world is asked for while planning, and specs ask the file system by lib/asked.h.
. "$(dirname "$0")/lib.sh"

# Asked for by those who plan, or by other commands, after the dump; each makes that a run is not taken for settled, or
# has a plan.
later='use host disk difference snapshot snapshots leftover leftovers'
# Left out of the digest, with the reason there.
spared='modified used process inode own_addresses key target'

members() { # "STRUCT MEMBER", a line each
    cat drivers/{container/container,network/network,storage/storage}.h | tr '\n' ' ' |
        sed -E 's#/\*[^*]*(\*+[^*/][^*]*)*\*/##g' |
        grep -oE 'observed_[a-z_]+ *\{[^}]*\}' | while read -r text; do
        name=${text%%[ \{]*}
        grep -qw "${name#observed_}" <<<"$later" && continue
        tr ';' '\n' <<<"${text#*\{}" | grep -E '[a-z]' | tr ',' '\n' | grep -oE '[a-z_0-9]+ *\}? *$' | tr -d ' }' |
            while read -r member; do [ -z "$member" ] || echo "$name $member"; done
    done
}
missing=$(members | while read -r name member; do
    grep -qw -- "$member" <<<"$spared" || grep -qE "(\.|->)$member\b" reconciler/world_digest.c ||
        echo "$name.$member is not in reconciler/world_digest.c"
done)
[ "$(members | wc -l)" -gt 80 ] || missing+=$'\n'"only $(members | wc -l) members were found: has the shape of the headers changed?"
report 'what the views show is in the digest of the world' "$missing"

report 'views are asked where reconciler/settled.c knows of it' "$(
    grep -lE '\b(container|storage|network|image)_view\.' reconciler/*.c |
        grep -vE '/(world|world_loans|world_disks|world_use|world_ids|follow|rebuild|adoption|session_find)\.c$' |
        sed 's/$/: what it asks must be in a digest, or make that nothing is noted/')"

report 'specs ask the file system by lib/asked.h' "$(
    grep -nE '\b(stat|lstat|fstatat|access|faccessat|open|openat|fopen|opendir|scandir|glob|readlink|readlinkat|getenv|secure_getenv|getcwd|realpath)\(' \
        specs/*.c | grep -vE '^specs/sources\.c:[0-9]+:.*(= open\(path, O_RDONLY|stat\(path, &named\))')"
finish

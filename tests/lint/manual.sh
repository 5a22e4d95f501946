#!/bin/bash
# The manual pages and the examples against the program itself: every field, command and flag is described, every
# example is valid, and what man renders has no warning.
. "$(dirname "$0")/lib.sh"
build=${FPSYNC_BUILD:-$PWD/build}
fpsync=$build/fpsync

if [ ! -x "$fpsync" ]; then
    echo 'ok 1 - manual pages and examples against the program # SKIP the program is not built'
    exit 0
fi
report 'every field of the language is in fpsync.yaml(5)' "$("$fpsync" schema |
    jq -r '[.. | objects | .properties? // empty | keys[]] | unique[]' |
    grep -vxE 'fpsync|project|include|defaults|images|networks|volumes|layers|containers' | while read -r key; do
    grep -qE "^\.(It )?Ic .*\b$key\b" "$build/man/fpsync.yaml.5" || echo "$key"
done)"
# An adopted container is called what it is called: 76-adopt.
report 'every field is walked on a running object' "$("$fpsync" schema | jq -r '
        ."$defs" | to_entries[] | .key as $table | [.value | (., .anyOf[]?) | .properties? // empty | keys[]] | unique[] | "\($table).\(.)"' |
    grep -vx 'container\.lxc_name' | while read -r field; do
    grep -qE "^(.*&& )?effect ${field//./\\.} " tests/system/[0-9]*.sh || echo "$field"
done)"
report 'every command is in fpsync(8)' "$("$fpsync" --help | sed -n '/^$/,/^Flags/s/^  \([a-z][a-z]*\) .*/\1/p' |
    while read -r command; do grep -q "^\.It Ic $command" man/fpsync.8 || echo "$command"; done)"
flags_of() { # [COMMAND]: by --help, without those that every command has
    "$fpsync" ${1:+"$1"} --help | sed -nE 's/^  (-., |    )--([a-z-]+) .*/\2/p' | sort
}
described() { # the flags that fpsync(8) explains
    sed -n '/^\.Sh FLAGS/,$p' man/fpsync.8 | grep -E '^\.It Fl ' | grep -oE ' -[a-z-]+' | tr -d ' ' | sed 's/^-//' | sort -u
}
own_flags() { # "COMMAND FLAG", a line each: what a command has beside the common ones
    "$fpsync" --help | sed -n '/^$/,/^Flags/s/^  \([a-z][a-z]*\) .*/\1/p' | while read -r command; do
        comm -23 <(flags_of "$command") <(flags_of version) | sed "s/^/$command /"
    done | sort
}
listed_flags() { # the same by the lists "Flags:" below the commands
    awk '/^\.Sh FLAGS/ { exit }
        /^\.It Ic / { command = $3 }
        flags && /^\.Fl / { for (i = 2; i <= NF; i++) if ($i ~ /^-[a-z]/) print command, substr($i, 2) }
        { flags = /^Flags:$/ || (flags && /^\.Fl /) }' man/fpsync.8 | sort -u
}
explained_for() { # COMMAND FLAG: what explains the flag names the command
    awk -v command="$1" -v flag="-$2" '/^\.Sh FLAGS/ { on = 1 }
        on && /^\.(It|El)/ { in_it = 0; for (i = 2; i <= NF; i++) if ($i == flag) in_it = 1 }
        on && in_it && /^\.Ic / { for (i = 2; i <= NF; i++) if ($i == command) found = 1 }
        END { exit !found }' man/fpsync.8
}
report 'every flag is in fpsync(8)' "$(comm -23 <(flags_of) <(described))"
report 'fpsync(8) has no flag that does not exist' "$(comm -13 <(flags_of) <(described))"
report 'below each command fpsync(8) lists its flags' "$(diff <(own_flags) <(listed_flags) | grep '^[<>]')"
report 'and what explains a flag names its commands' "$(own_flags | while read -r command flag; do
    explained_for "$command" "$flag" || echo "$flag: $command"
done)"
report 'every example is valid' "$(for example in examples/*/; do "$fpsync" validate -q -f "$example" 2>&1; done)"
report 'the files in README and fpsync.yaml(5) are valid' "$(
    folder=$(mktemp -d) && chmod 755 "$folder"
    awk '/^```yaml/ { on = 1; next } /^```/ { on = 0 } on' README.md >"$folder/readme.yaml"
    awk '/^\.Bd -literal/ { on = 1; print "---"; next } /^\.Ed/ { on = 0 } on' "$build/man/fpsync.yaml.5" >"$folder/manual.yaml"
    for file in "$folder"/*.yaml; do "$fpsync" validate -q -f "$file" 2>&1; done
    rm -r "$folder"
)"
rendered() { # NAME, program that must be there, then the text of violations
    command -v "$2" >/dev/null && report "$1" "$3" && return
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2 is not installed"
}
rendered 'the pages render without a warning' groff \
    "$(for page in "$build"/man/*.[58]; do man --warnings -l -Tutf8 -Z "$page" 2>&1 >/dev/null; done)"
# Pages that are not installed are no mistake of these.
rendered 'mandoc finds nothing worth a warning in the pages' mandoc \
    "$(mandoc -Tlint -W warning "$build"/man/*.[58] 2>&1 | grep -v 'mandoc.db')"
finish

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
report 'every flag is in fpsync(8)' "$("$fpsync" --help | sed -n 's/^  .*--\([a-z-]*\) .*/\1/p' | sort -u |
    while read -r flag; do grep -qE "^\.It Fl .*-$flag\b" man/fpsync.8 || echo "$flag"; done)"
report 'fpsync(8) has no flag that does not exist' "$(grep -oE '^\.It Fl .*' man/fpsync.8 | grep -oE ' -[a-z-]+' |
    tr -d ' ' | sed 's/^-//' | while read -r flag; do "$fpsync" --help | grep -q -- "--$flag\b" || echo "$flag"; done)"
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

#!/bin/bash
# Format, scripts, words and whitespace of everything that is in the repository.
. "$(dirname "$0")/lib.sh"

# The tree as it would be committed: from git where this is a clone, else from an unpacked archive.
files() { # PATTERN...
    { git ls-files -co --exclude-standard -- "$@" 2>/dev/null || find . -path ./build -prune -o -type f -print; } |
        while read -r file; do
            for pattern in "$@"; do
                # shellcheck disable=SC2053
                [[ -f $file && ${file#./} == $pattern ]] && echo "${file#./}" && break
            done
        done | sort -u
}

if command -v clang-format >/dev/null; then
    report 'clang-format finds nothing' "$(files '*.c' '*.h' | xargs -r clang-format --dry-run --Werror 2>&1 | grep -E 'error:')"
else
    number=$((number + 1))
    echo "ok $number - clang-format finds nothing # SKIP clang-format is not installed"
fi

scripts=$(files '*' | while read -r file; do
    head -c 32 "$file" 2>/dev/null | grep -qaE '^#!/bin/(ba)?sh' && echo "$file"
done)
report 'every shell script parses' "$(for script in $scripts; do bash -n "$script" 2>&1; done)"
report 'every script that is run by name is executable' "$(for script in $scripts; do
    case $script in *.sh) ;; *) [ -x "$script" ] || echo "$script" ;; esac
done)"

words='\b(TODO|FIXME|XXX)\b|not implemented|unimplemented|for now\b|HACK\b'
report 'no unfinished business in words' "$(files '*.c' '*.h' '*.sh' '*.md' '*.mk' 'Makefile' '*.yaml' 'man/*' |
    grep -vF tests/lint/ | xargs -r grep -nE "$words")"
report 'no trailing blanks, no tabs in C' "$({ files '*.c' '*.h' '*.sh' '*.md' '*.mk' '*.yaml' | xargs -r grep -nE '[ 	]+$'
    files '*.c' '*.h' | xargs -r grep -nP '\t'; } | head -n 20)"
report 'every C file says where it sits' "$(files '*.c' | while read -r file; do
    case $file in tests/*) continue ;; esac
    header=${file%.c}.h
    [ "$(wc -l <"$file")" -lt 20 ] || head -n 1 "$file" | grep -q '^/\*' || { [ -f "$header" ] && head -n 1 "$header" | grep -q '^/\*'; } || echo "$file"
done)"
report 'a function or file of the program does not grow beyond reading' "$(files '*.c' '*.h' |
    grep -v '^tests/' | xargs -r wc -l | awk '$2 != "total" && $1 > 900')"
finish

# bash completion for fpsync(8). What there is to complete, fpsync itself says, from its own tables and its record.
_fpsync() {
    local found
    mapfile -t found < <("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [ "${found[0]-}" = :files ]; then
        compopt -o default 2>/dev/null
        found=()
    fi
    COMPREPLY=("${found[@]}")
}
complete -F _fpsync fpsync

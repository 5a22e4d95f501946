# fish completion for fpsync(8). What there is to complete, fpsync itself says, from its own tables and its record.
function __fpsync_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] complete -- $words[2..-1] 2>/dev/null)
    if test "$found[1]" = :files
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $found
    end
end
complete -c fpsync -f -a '(__fpsync_complete)'

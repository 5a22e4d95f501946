#!/bin/bash
# The include rule of the house: lib <- specs <- {state, drivers} <- reconciler, tests see everything; and a
# library's header is included by the .c files of one module alone.
. "$(dirname "$0")/lib.sh"

sources() { # FOLDER...
    find "$@" -name '*.[ch]' 2>/dev/null | sort
}

floor() { # FOLDER, pattern of the floors it may include
    report "$1 includes only $2" "$(sources "$1" | xargs -r grep -nE '^ *# *include *"' |
        grep -vE "include *\"($2)/")"
}

floor lib 'lib'
floor specs 'lib|specs'
floor state 'lib|specs|state'
floor drivers 'lib|specs|drivers'
floor reconciler 'lib|specs|state|drivers|reconciler'

library() { # HEADER pattern, the paths that may include it
    report "$1 is included by $2 only" "$(sources lib specs state drivers reconciler |
        xargs -r grep -nE "^ *# *include *<($1)" | grep -vE "^($2):")"
}

library 'yaml\.h' 'specs/[^:]*\.c'
library 'lmdb\.h' 'state/[^:]*\.c'
library 'lxc/' 'drivers/container/[^:]*\.c'
library 'netlink/' 'drivers/network/[^:]*\.c'
library 'nftables/' 'drivers/network/[^:]*\.c'
library 'archive' 'drivers/image/fetch/[^:]*\.c'
library 'sqfs/' 'drivers/image/fetch/squash\.c'
library 'seccomp\.h' 'drivers/image/fetch/[^:]*\.c'
library 'curl/' 'drivers/image/fetch/[^:]*\.c'
library 'jansson\.h' 'lib/json\.c'
library 'gcrypt\.h' 'lib/(digest|signature|signing)\.c'

# What a library's name does not cover: a new one is added above before it is used.
known='yaml\.h|lmdb\.h|lxc/|netlink/|nftables/|archive|sqfs/|seccomp\.h|curl/|jansson\.h|gcrypt\.h'
headers=$(sources lib specs state drivers reconciler | xargs -r grep -hoE '^ *# *include *<[^>]+>' |
    sed 's/.*<\(.*\)>/\1/' | sort -u | grep -vE "^($known)")
# One question to dpkg about all headers ("PACKAGE[:ARCHITECTURE][, PACKAGE...]: PATH"), as each costs a second.
# A header that the C library or the kernel has, or nobody, or a compiler, belongs to no library.
owned=$(dpkg-query -S '*/include/*' 2>/dev/null | awk -v headers="$headers" '
    BEGIN { count = split(headers, list, "\n"); for (i = 1; i <= count; i++) wanted[list[i]] = 1 }
    {
        path = header = $0
        sub(/^.*: /, "", path)
        header = path
        sub(/^.*\/include\/([^\/]*-linux-gnu\/)?/, "", header)
        if (!(header in wanted)) next
        packages = substr($0, 1, length($0) - length(path) - 2)
        for (i = split(packages, each, ", "); i; i--) {
            sub(/:.*/, "", each[i])
            if (each[i] ~ /^(libc6-dev|linux-libc-dev)/ && path ~ /^\/usr\/include\//) base[header] = 1
            if (each[i] !~ /^(linux-libc-dev|libgcc-|gcc|clang|libclang|llvm|libc6|lib.*-cross)/) owners[header] = owners[header] " " each[i]
        }
    }
    END { for (header in owners) if (!(header in base)) print header " (" substr(owners[header], 2) ")" }' | sort)
report 'every header of a library has an owner in this list' "$owned"

fork=$(sources lib specs state drivers reconciler | xargs -r grep -nE '\b(system|popen|execlp|execvp|execvpe)\(')
report 'no shell and no search of PATH to run a program' "$fork"
unsafe=$(sources lib specs state drivers reconciler | xargs -r grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|alloca|strncpy)\(')
report 'no unbounded string function' "$unsafe"
prints=$(sources lib specs state drivers | grep -vE '^drivers/(worker|image/fetch|container/init)/' |
    xargs -r grep -nE '\b(printf|puts|putchar|vprintf|perror|syslog)\(|\bf(printf|puts)\((stdout|stderr)')
report 'only reconciler prints' "$prints"
finish

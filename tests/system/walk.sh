# A walk over field tables, for the tests that set, change and take away every field on an object that runs and read its
# effect from inside the guest or from the kernel, never from the record. `make lint` asks for an `effect` of every row.
#
# A walk is a set of fields with one class. It declares, by functions that print the spec, what stands there without the
# fields, with them, and with other values; each effect names its four answers: without, set, changed, taken away.
. "$(dirname "$0")/lib.sh"

effects=()
effect() { # FIELD, COMMAND that prints the effect, WITHOUT, SET, CHANGED, TAKEN; - is not asked
    effects+=("$@")
}
answer_of() { # COMMAND: with what it complains of, save that another test's namespace goes while ip asks for its name
    $1 2>&1 | grep -vE '^(Error: Peer netns reference is invalid|Dump was interrupted)'
}

started() { # CONTAINER: pid and start time of its init
    local pid
    pid=$(pid_of "$1")
    [ -n "$pid" ] && echo "$pid $(awk '{ print $22 }' "/proc/$pid/stat")"
}

class_of() { # CONTAINER: in what was done last
    jq -rs --arg name "$1" '[.[].actions[] | select(.kind == "container" and .name == $name and .verb != "expand") | .class] |
        first // "none"' <<<"$DONE"
}

walk() { # CONTAINER CLASS WALK; of class - its init stays
    local name=$1 class=$2 walk=$3 phase column=2 before i
    for phase in without set changed taken; do
        spec "$walk" < <("${walk}_${phase/taken/without}")
        before=$(started "$name")
        converge "$walk: $phase" || break
        if [ "$phase" != without ]; then
            [ "$class" = - ] || is "$walk: $phase is $class" "$(class_of "$name")" "$class"
            case $class in
            live | record | -) is "$walk: $phase: the init stays" "$(started "$name")" "$before" ;;
            *) isnt "$walk: $phase: the init is another" "$(started "$name")" "$before" ;;
            esac
        fi
        for ((i = 0; i < ${#effects[@]}; i += 6)); do
            [ "${effects[i + column]}" = - ] || is "${effects[i]}: $phase" "$(answer_of "${effects[i + 1]}")" "${effects[i + column]}"
        done
        column=$((column + 1))
    done
    take_down
    effects=()
}
take_down() {
    fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
    fps gc --force -y >/dev/null 2>&1
}

mkdir -p "$ROOT/etc/fpsync"
echo 'allow: { privileged: true, raw_lxc: true }' >"$ROOT/etc/fpsync/fpsync.conf"

# ---- what the kernel says ----

can_grow() { # whether a file system may grow while it is mounted: CAP_SYS_RESOURCE
    [ $((0x$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status) >> 24 & 1)) = 1 ]
}
in_cgroup() { # CONTAINER, CONTROLLER, file of v2, file of v1
    local folder
    folder=$(cgroup_of "$1" "$2")
    if [ -e "$folder/$3" ]; then cat "$folder/$3"; else cat "$folder/$4"; fi
}
bytes() { # of a limit; v1 writes no limit as a number of its own
    local value
    value=$(in_cgroup "$@")
    [ "$value" = max ] || [ "$value" -gt $((1 << 60)) ] && echo none || echo "$value"
}
permit() { # ENTRIES of allow
    echo "allow: { $1 }" >"$ROOT/etc/fpsync/fpsync.conf"
}
one() { # ENTRIES of the container
    printf 'project: t\nimages: { guest: { source: "file:%s" } }\ncontainers: { one: { image: guest, networks: []%s } }\n' "$BUSYBOX" "$1"
}
swap() {
    local folder both
    folder=$(cgroup_of "$1" memory)
    if [ -e "$folder/memory.swap.max" ]; then
        bytes "$1" memory memory.swap.max none
    else
        both=$(bytes "$1" memory none memory.memsw.limit_in_bytes)
        [ "$both" = none ] && echo none || echo $((both - $(cat "$folder/memory.limit_in_bytes")))
    fi
}
swap_is_counted() {
    [ -e /sys/fs/cgroup/cgroup.controllers ] || [ -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ] && return
    skip container.limits.swap 'this kernel does not count swap'
    false
}
cpus() {
    in_cgroup "$1" cpu cpu.max cpu.cfs_quota_us | awk '{ print $1 == "max" || $1 < 0 ? "none" : $1 / 100000 }'
}
weight() { # as version 2 counts, 100 being usual
    in_cgroup "$1" cpu cpu.weight cpu.shares | awk -v v1="$([ -e /sys/fs/cgroup/cgroup.controllers ] || echo 1)" '{ print v1 ? int($1 / 10.24 + 0.99) : $1 }'
}
processors() { # that init may run on
    sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "/proc/$(pid_of "$1")/status"
}
opens() { # which of OFFSET[/udp]@ADDRESS, ports of the host, leads to something that answers
    local at port host
    for at in "$@"; do
        host=${at#*@} port=${at%@*} port=$((PORT + ${port%/udp}))
        case $at in
        */udp@*) [ -n "$("$BUILD/tests/system/netprobe" ask-udp "$host" $port hello 2>/dev/null)" ] ;;
        *) page "http://$host:$port/" 2>/dev/null ;;
        esac && echo "$at"
    done
}
addresses() { # all of a container, without lo
    inside "$1" ip -4 -o addr | awk '$2 != "lo" { sub("/.*", "", $4); print $4 }'
}
networks() { # a quarter of $NET each
    addresses "$1" | awk -F. '{ print (split("front back third", name, " ") ? name[int($4 / 64) + 1] : "") }' | sort | paste -sd' '
}
front_address() {
    addresses "$1" | awk -F. '$4 < 64'
}

#!/bin/bash
# What every system test shares: a root of its own below /tmp, TAP lines, a plan that is compared with what apply
# then did, and a cleanup on every way out that needs nothing of fpsync.
#
#   . "$(dirname "$0")/lib.sh"      makes $ROOT, $TAG and $SPEC, a folder for spec files
#   spec NAME <<END                 writes $SPEC/NAME.yaml and sets $FILE
#   converge TEXT [FILE]            plan, apply, compare, plan again: one case; $PLAN holds the plan's JSON, $DONE what
#                                   apply said: what it went on with after images were made is marked "expanded"
#   ok/not_ok/is/check/skip         one case each
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
BUILD=${FPSYNC_BUILD:-$PWD/build}
FPSYNC=$BUILD/fpsync
HERE=$PWD/tests/system
number=0
failures=0

comment() {
    sed 's/^/# /'
}
ok() {
    number=$((number + 1))
    echo "ok $number - $1"
}
not_ok() { # NAME, detail
    number=$((number + 1))
    failures=$((failures + 1))
    echo "not ok $number - $1"
    [ -z "${2-}" ] || head -n 30 <<<"$2" | comment
}
skip() { # NAME, reason
    number=$((number + 1))
    echo "ok $number - $1 # SKIP $2"
}
is() { # NAME, got, wanted
    if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got:    ${2:-(nothing)}
wanted: $3"; fi
}
isnt() { # NAME, got, unwanted
    if [ "$2" != "$3" ]; then ok "$1"; else not_ok "$1" "both are: $2"; fi
}
like() { # NAME, text, extended regular expression
    if grep -qE -- "$3" <<<"$2"; then ok "$1"; else not_ok "$1" "got: $2
wanted a match of: $3"; fi
}
short() { # ADDRESS of IPv6: in its shortest spelling, as the kernel prints it
    getent ahostsv6 "$1" | awk '{ print $1; exit }'
}
check() { # NAME, command...
    local name=$1 text
    shift
    if text=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$*: status $?
$text"; fi
}
fails() { # NAME, wanted status, command...
    local name=$1 wanted=$2 text status
    shift 2
    text=$("$@" 2>&1)
    status=$?
    if [ $status -eq "$wanted" ]; then ok "$name"; else not_ok "$name" "$*: status $status, wanted $wanted
$text"; fi
}
eventually() { # seconds, command...: asks again until it succeeds
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        read -r -t 0.05 <> <(:) || true
    done
}

if [ "$(id -u)" -ne 0 ]; then
    skip "$(basename "$0" .sh)" 'makes containers: needs root'
    exit 0
fi
if [ ! -x "$FPSYNC" ] || [ ! -x "$FPSYNC-worker" ]; then
    not_ok "$(basename "$0" .sh)" "$FPSYNC and its worker are not built"
    exit 1
fi

tag_of() { # ROOT: as drivers/paths.c makes it
    printf %s "$1" | sha256sum | cut -c1-4
}
ROOT=$(mktemp -d /tmp/fps-XXXX) || exit 1
chmod 711 "$ROOT"
TAG=$(tag_of "$ROOT")
TAG6=$(printf %x "0x$TAG") # as addresses of IPv6 are written: no leading zero
SPEC=$ROOT/spec
PLAN= DONE=
mkdir "$SPEC"
BUSYBOX=$BUILD/tests/busybox-root
# Tests run one after another, but several suites may share a machine: one of them builds the guest.
(
    flock 9
    FPSYNC_BUILD=$BUILD "$HERE/make-busybox-root" "$BUSYBOX"
) 9>"$BUILD/tests/busybox-root.lock" || {
    not_ok "$(basename "$0" .sh)" "$HERE/make-busybox-root failed"
    rm -r "$ROOT"
    exit 1
}

# Ports, subnets and container names are the test's own, so that suites can run side by side.
PORT=$((20000 + 0x$TAG % 20000))
NET=10.$((100 + 0x${TAG:0:2} % 100)).$((0x${TAG:2:2} % 250))

fps() {
    "$FPSYNC" --root "$ROOT" "$@"
}
# Where it finds newuidmap, liblxc maps ids by that, which allows root only what /etc/subuid lists; see hide_newuidmap() of
# drivers/container/start.c.
lxc-start() {
    mkdir -p "$ROOT/path" && ln -sf /bin/false "$ROOT/path/newuidmap" && ln -sf /bin/false "$ROOT/path/newgidmap" &&
        PATH=$ROOT/path:$PATH command lxc-start "$@"
}
lxc_of() { # PROJECT/NAME or NAME
    local name=${1#default/}
    echo "${name//\//_}.$TAG"
}
# Witnesses that are not fpsync. They ask the monitor, which a test may have stopped: none waits for ever.
pid_of() {
    timeout 20 lxc-info -P "$ROOT/var/lib/lxc" -n "$(lxc_of "$1")" -pH 2>/dev/null
}
# A guest between vfork and exec cannot be frozen by the freezer of version 1, which waits for it; it goes on once it is let.
frozen_by_hand() { # CONTAINER
    local lxc=(-P "$ROOT/var/lib/lxc" -n "$(lxc_of "$1")")
    for _ in {1..10}; do
        timeout 5 lxc-freeze "${lxc[@]}" && return
        lxc-unfreeze "${lxc[@]}"
    done
    return 1
}
# From the host's root: lxc-attach goes inside to the folder it was called in, and what lies there may not answer.
inside() { # CONTAINER, command...
    local name=$1
    shift
    timeout 120 env -C / lxc-attach -P "$ROOT/var/lib/lxc" -n "$(lxc_of "$name")" --clear-env -- "$@"
}
address_of() {
    inside "$1" ip -4 -o addr show dev "${2:-eth0}" | awk '{ split($4, part, "/"); print part[1] }'
}
mac_in() {
    inside "$1" cat "/sys/class/net/${2:-eth0}/address"
}
bridges() {
    ip -o link show type bridge | awk -F': ' '{ print $2 }' | grep "^fp${TAG}n"
}
ports_of_host() {
    ip -o link show | awk -F': ' '{ print $2 }' | cut -d@ -f1 | grep "^fp${TAG}p"
}
port_of() { # CONTAINER [INSIDE]: the host end of its NIC, by the peer's index
    local index
    index=$(inside "$1" cat "/sys/class/net/${2:-eth0}/iflink")
    ip -o link | awk -F': ' -v index_="$index" '$1 == index_ { sub(/@.*/, "", $2); print $2 }'
}
# The payload's cgroup in a v1 hierarchy or on v2, by what init itself is in.
cgroup_of() { # CONTAINER, CONTROLLER
    local pid path
    pid=$(pid_of "$1")
    path=$(awk -F: -v want="$2" '{ n = split($2, names, ","); for (i = 1; i <= n; i++) if (names[i] == want) print $3 }' "/proc/$pid/cgroup")
    if [ -n "$path" ]; then
        path=/sys/fs/cgroup/$2$path
    else
        path=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
    fi
    while [ "$path" != /sys/fs/cgroup ] && [[ ${path##*/} != lxc.payload.* ]]; do path=$(dirname "$path"); done
    echo "$path"
}
page() { # URL [what it must contain]
    curl -fsS -m 2 "$1" | grep -q "${2:-busybox}"
}

spec() {
    FILE=$SPEC/$1.yaml
    cat >"$FILE"
}
plan_of() { # FILE
    fps plan -f "$1" -o json
}
actions_of() { # JSON: one "VERB KIND/PROJECT/NAME" a line
    jq -r '.actions[]?.id' <<<"$1"
}
causes_of() {
    jq -r '.actions[]?.causes[]? | [.field, .old, .new, .at] | map(. // "-") | join(" ")' <<<"$1"
}
held_of() {
    jq -r '.held[]? | "\(.kind)/\(.name): \(.reason)"' <<<"$1"
}

held() { # TEXT, reason, hint: what the last spec asks for is held
    local plan status
    plan=$(fps plan -f "$FILE" -o json)
    status=$?
    is "$1: held" "$status" 2
    like "$1: the reason" "$(held_of "$plan")" "$2"
    like "$1: the hint" "$(jq -r '.held[].hint' <<<"$plan")" "$3"
}

# Plan, apply, compare the two as JSON (outcomes aside), expect success and nothing left to do.
converge() { # TEXT [FILE] [further arguments of plan and apply...]
    local text=$1 file=${2:-$FILE} after status
    shift $(($# < 2 ? $# : 2))
    PLAN=$(fps plan -f "$file" -o json "$@")
    status=$?
    if [ $status -ne 2 ] && [ $status -ne 0 ]; then
        not_ok "$text: plan" "status $status
$PLAN"
        return 1
    fi
    DONE=$(fps apply -y -f "$file" -o json "$@" 2>"$ROOT/apply.log")
    status=$?
    if [ $status -ne 0 ] || jq -e 'any(.actions[]; .outcome != "done")' <<<"$DONE" >/dev/null; then
        not_ok "$text: apply" "status $status
$(jq -r '.actions[]? | select(.outcome != "done") | "\(.id): \(.outcome) \(.message // "")"' <<<"$DONE" 2>&1)
$(held_of "$DONE")
$(tail -n 20 "$ROOT/apply.log")"
        return 1
    fi
    if [ "$(jq -cS '[.actions[] | {id, kind, name, verb, class, causes, needs}]' <<<"$PLAN")" != \
        "$(jq -cS '[.actions[] | select(.expanded | not) | {id, kind, name, verb, class, causes, needs}]' <<<"$DONE")" ]; then
        not_ok "$text: apply did what plan said" "$(diff <(jq -S .actions <<<"$PLAN") \
            <(jq -S '[.actions[] | select(.expanded | not) | del(.outcome, .message)]' <<<"$DONE"))"
        return 1
    fi
    after=$(fps plan -f "$file" -o json "$@")
    status=$?
    if [ $status -ne 0 ] || [ -n "$(actions_of "$after")$(held_of "$after")" ]; then
        not_ok "$text: nothing left to do" "status $status
$(jq -r '.actions[]? | .id, (.causes[]? | "    \(.field): \(.old // "-") -> \(.new // "-") \(.at // "")")' <<<"$after")
$(held_of "$after")"
        return 1
    fi
    ok "$text"
}

# Everything of this root that is in the kernel or a process; empty after `down`.
leftovers() {
    ip -o link show | awk -F': ' '{ print "link " $2 }' | grep " fp$TAG"
    nft list tables 2>/dev/null | grep "fpsync_$TAG" | sed 's/^/nft /'
    awk -v root="$ROOT/" 'index($5, root) == 1 { print "mount " $5 }' /proc/self/mountinfo
    find /sys/fs/cgroup -maxdepth 4 -type d \( -name "*.$TAG*" -o -name "fpsync-fp$TAG*" \) -printf 'cgroup %p\n' 2>/dev/null
    grep -F "@$ROOT/" /proc/net/unix | awk '{ print "socket " $NF }'
    processes | sed 's/^/process /'
}
processes() { # pids and command lines of what runs with this root's path
    local entry line
    for entry in /proc/[0-9]*; do
        line=$(cat "$entry/cmdline" 2>/dev/null | tr '\0' ' ')
        case $line in
        *"$ROOT/"*)
            [ "${entry#/proc/}" = $$ ] || case $line in dnsmasq* | */dnsmasq* | *"[lxc monitor]"* | *fpsync*) echo "${entry#/proc/} $line" ;; esac
            ;;
        esac
    done
}

# Forceful and by other means than fpsync's: a failed test leaves nothing either.
cleanup() {
    local folder name link pid groups group
    trap '' INT TERM HUP
    for pid in $(jobs -p); do kill "$pid" 2>/dev/null; done
    for folder in "$ROOT"/var/lib/lxc/*/; do
        [ -d "$folder" ] && name=$(basename "$folder") && timeout 20 lxc-stop -P "$ROOT/var/lib/lxc" -n "$name" -k 2>/dev/null
    done
    # A resolver's group has its address for a name where no network of its own has it.
    groups=$(processes | while read -r pid _; do sed -n 's|.*/\(fpsync-[^/]*\)$|\1|p' "/proc/$pid/cgroup" 2>/dev/null; done | sort -u)
    processes | while read -r pid _; do kill -9 "$pid" 2>/dev/null; done
    for link in $(ip -o link show | awk -F': ' '{ print $2 }' | cut -d@ -f1 | grep "^fp$TAG"); do
        ip link del "$link" 2>/dev/null
    done
    nft list tables 2>/dev/null | grep "fpsync_$TAG" | while read -r _ family name; do
        nft delete table "$family" "$name"
    done
    local round
    for round in 1 2 3; do
        awk -v root="$ROOT/" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo | tac | while read -r folder; do
            umount -l "$folder" 2>/dev/null
        done
    done
    find /sys/fs/cgroup -depth -type d -path "*.$TAG*" -exec rmdir {} \; 2>/dev/null
    for group in $groups; do rmdir /sys/fs/cgroup/"$group" /sys/fs/cgroup/*/"$group" 2>/dev/null; done
    if ! grep -q " $ROOT/" /proc/self/mountinfo; then
        chattr -R -i "$ROOT" 2>/dev/null
        rm -rf --one-file-system "$ROOT"
    fi
    [ "$(type -t after_cleanup)" != function ] || after_cleanup
}
finish() {
    local status=$?
    cleanup
    echo "1..$number"
    [ $status -eq 0 ] || exit "$status"
    exit $((failures > 0))
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# A small set that most tests start from: two containers on a network, a volume, a forward, limits, env.
base_spec() { # NAME
    spec "${1:-base}" <<END
project: t
images:
  guest: { source: "file:$BUSYBOX" }
networks:
  front: { subnet: $NET.0/25 }
volumes:
  data: {}
containers:
  one:
    image: guest
    networks: { front: { address: $NET.10 } }
    ports: [ "$PORT:80" ]
    volumes: [ "data:/srv/data" ]
    env: { COLOR: "deep blue" }
    limits: { memory: 64MiB, pids: 100 }
  two:
    image: guest
    networks: [ front ]
END
}

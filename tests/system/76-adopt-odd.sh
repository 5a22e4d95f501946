#!/bin/bash
# Configs as they are found: old spellings, includes that are not there, tabs, quotes, blanks in paths, what takes back
# what was said before, roots behind links and below other names. What LXC reads is taken over as LXC reads it; what LXC
# refuses, or no spec can say, is refused with its line, and nothing is touched.
. "$(dirname "$0")/lib.sh"

LXC=$ROOT/var/lib/lxc
mkdir -p "$LXC" "$ROOT/etc/fpsync" "$ROOT/a folder" "$ROOT/parts/more"
chmod 711 "$ROOT/var" "$ROOT/var/lib" "$LXC"
echo from-the-host >"$ROOT/a folder/file"
BASE=$((0x50000000 + 0x$TAG * 16 * 1024)) # of ids, outside of fpsync's pool

make() { # NAME: its config from standard input
    mkdir -p "$LXC/$1.$TAG" && chmod 711 "$LXC/$1.$TAG"
    [ -e "$LXC/$1.$TAG/rootfs" ] || cp -a "$BUSYBOX" "$LXC/$1.$TAG/rootfs"
    cat >"$LXC/$1.$TAG/config"
}
ordinary() { # NAME: what each has
    printf 'lxc.rootfs.path = dir:%s/rootfs\nlxc.net.0.type = empty\nlxc.mount.auto = proc:mixed sys:ro\n' "$LXC/$1.$TAG"
}

# ---- what is refused ----
refused() { # TEXT, extended regular expressions; the config comes from standard input
    local text=$1 before said status
    shift
    { ordinary bad && cat; } | make bad
    before=$(find "$LXC/bad.$TAG" -maxdepth 1 -printf '%P %T@\n' | sort; sha256sum "$LXC/bad.$TAG/config")
    said=$(fps export --lxc "bad.$TAG" 2>&1 >/dev/null)
    status=$?
    is "$text: refused" "$status" 1
    for pattern; do like "$text: $pattern" "$said" "$pattern"; done
    fps adopt "bad.$TAG" >/dev/null 2>&1
    is "$text: nothing was touched" "$(find "$LXC/bad.$TAG" -maxdepth 1 -printf '%P %T@\n' | sort; sha256sum "$LXC/bad.$TAG/config") $(ls "$ROOT/etc/fpsync/specs.d" 2>/dev/null)" "$before "
}
CONFIG=$LXC/bad.$TAG/config
refused 'an include that is not there' "$CONFIG:4: lxc.include names /nowhere.conf, where a config was expected: No such file" 'put it there, or remove the line' <<<'lxc.include = /nowhere.conf'
printf '# a comment\nlxc.include = %s/nowhere.conf\n' "$ROOT" >"$ROOT/parts/one.conf"
refused 'one in an include' "$ROOT/parts/one.conf:2: lxc.include names $ROOT/nowhere.conf" <<<"lxc.include = $ROOT/parts/one.conf"
refused 'a relative one' "$CONFIG:4: lxc.include names parts/one.conf, where an absolute path was expected" <<<'lxc.include = parts/one.conf'
mkfifo "$ROOT/parts/fifo"
refused 'a FIFO' "$CONFIG:4: lxc.include names $ROOT/parts/fifo, where a config was expected: it is no file" <<<"lxc.include = $ROOT/parts/fifo"
for i in 1 2 3 4 5 6 7; do # each eight times the one before
    for j in 1 2 3 4 5 6 7 8; do echo "lxc.include = $ROOT/parts/fan$((i - 1)).conf"; done >"$ROOT/parts/fan$i.conf"
done
echo '# nothing' >"$ROOT/parts/fan0.conf"
echo "lxc.include = $ROOT/nowhere.conf" >>"$ROOT/parts/fan7.conf"
began=$SECONDS
refused 'behind a file that is included in two million ways' "$ROOT/parts/fan7.conf:9: lxc.include names $ROOT/nowhere.conf" <<<"lxc.include = $ROOT/parts/fan7.conf"
check 'which is read once' [ $((SECONDS - began)) -lt 8 ]
for key in network.type network.0.link utsname id_map rootfs.backend tty pts aa_profile limit.nofile haltsignal; do
    refused "lxc.$key" "$CONFIG:4: lxc.$key is a key of LXC before 3.0" "lxc-update-config -c $CONFIG" <<<"lxc.$key = x"
    lxc-info -P "$LXC" -n "bad.$TAG" >/dev/null 2>&1
    is "LXC refuses it, too" "$?" 1
done
printf 'lxc.environment = A=caf\xe9\n' >"$ROOT/latin"
refused 'what is not UTF-8' "$CONFIG:4: lxc.environment has a value that no spec can say, which are UTF-8" 'or put the line into a file that lxc.include names' <"$ROOT/latin"
for root in aufs:/a:/b rbd:pool/a bogus:/x relative/path; do
    refused "a root $root" "$CONFIG:4 has a lxc.rootfs.path that no spec can say: \"$root\"" 'it can say an absolute path, and btrfs:' <<<"lxc.rootfs.path = $root"
done
rm -r "${LXC:?}/bad.$TAG"

# ---- what is taken over as LXC reads it ----
printf 'lxc.idmap = u 0 %s 65536\nlxc.idmap = g 0 %s 65536\nlxc.net.0.type = empty\nlxc.cgroup.pids.max = 99\nlxc.cgroup2.pids.max = 99\n' $BASE $BASE >"$ROOT/parts/ids.conf"
printf 'lxc.environment = FROM=more\n' >"$ROOT/parts/more/one.conf"
ln -s "$LXC/link.$TAG" "$ROOT/link" # LXC itself takes none that the root itself is
make link < <(printf 'lxc.rootfs.path = dir:%s/link/rootfs\nlxc.net.0.type = empty\nlxc.mount.auto = proc:mixed sys:ro\n' "$ROOT")
{
    ordinary odd
    printf 'this is no line of LXC\nfoo = bar\n# lxc.utsname = commented\n   lxc.uts.name="quoted"   \n'
    printf 'lxc.include = %s/parts/more/\nlxc.include = %s/parts/none/\n' "$ROOT" "$ROOT"
    printf 'lxc.mount.entry = tmpfs\tmnt\ttmpfs\tcreate=dir 0 0\n'
    printf 'lxc.mount.entry = %s/a\\040folder srv/a\\040folder none bind,create=dir,optional 0 0\n' "$ROOT"
    printf 'lxc.environment = TWICE=one\nlxc.environment = TWICE=two\nlxc.environment = A=b=c # d\n'
    printf 'lxc.cap.drop = sys_time\nlxc.cap.drop =\nlxc.cap.drop = net_raw\n'
    printf 'lxc.hook.post-stop = /bin/true\nlxc.hook.post-stop =\n'
} | make odd
make ids < <(printf 'lxc.include = %s/parts/ids.conf\nlxc.rootfs.path = %s/rootfs\nlxc.mount.auto = proc:mixed sys:ro\n' "$ROOT" "$LXC/ids.$TAG")
find "$LXC/ids.$TAG/rootfs" -xdev -exec chown -h $BASE:$BASE {} +
make idle < <(ordinary idle)
make frozen < <(ordinary frozen)
SHAPES='link odd ids idle frozen'
SPECS=()
declare -A was
identity() {
    local pid
    pid=$(pid_of "$1")
    [ -z "$pid" ] || echo "$pid $(cut -d' ' -f22 "/proc/$pid/stat") $(stat -c %d:%i "/proc/$pid/root/" | tr '\n' ' ')$(lxc-info -P "$LXC" -n "$1.$TAG" -sH)"
}
for shape in $SHAPES; do
    [ $shape = idle ] || lxc-start -P "$LXC" -n "$shape.$TAG" -o "$ROOT/$shape.log" -l INFO || not_ok "$shape starts" "$(tail -n 5 "$ROOT/$shape.log")"
    [ $shape != frozen ] || frozen_by_hand "$shape"
    SPECS+=(--lxc "$shape.$TAG")
    was[$shape]=$(identity $shape)
done
environment() {
    tr '\0' '\n' <"/proc/$(pid_of odd)/environ" | grep -E '^(TWICE|A|FROM)=' | sort | paste -sd' '
}
bounding() {
    sed -n 's/^CapBnd:[[:space:]]*//p' "/proc/$(pid_of "$1")/status"
}
env=$(environment) caps=$(bounding odd)

FILE=$SPEC/lxc.yaml
fps export "${SPECS[@]}" >"$FILE"
check 'what is exported is valid' fps validate -f "$FILE"
text=$(cat "$FILE")
like 'a quoted word is without its quotes' "$text" 'hostname: quoted'
like 'a path with a blank is a path' "$text" "$ROOT/a folder"
like 'tabs are blanks' "$text" 'lxc.mount.entry = tmpfs mnt tmpfs create=dir 0 0'
is 'what is no line of LXC is none of the spec' "$(grep -cE 'foo|commented|no line' "$FILE")" 0
like 'of variables of one name the last counts' "$text" 'TWICE: two'
like 'a hash begins no comment' "$text" 'A: .?b=c # d'
is 'with ids that an include gives it is not privileged' "$(sed -n '/^  ids:/,/^  [a-z]*:$/p' "$FILE" | grep -c 'privileged: true')" 0
like 'a frozen one stays so' "$(sed -n '/^  frozen:/,/^  [a-z]*:$/p' "$FILE")" 'frozen: true'
echo "allow: { privileged: true, raw_lxc: true, binds: [ '$ROOT/a folder' ] }" >"$ROOT/etc/fpsync/fpsync.conf"
check 'adopt' fps adopt -f "$FILE"
for shape in $SHAPES; do is "$shape: adopted: the same init, root and state" "$(identity $shape)" "${was[$shape]}"; done
PLAN=$(plan_of "$FILE")
is 'the plan after it is empty: what was stopped stays so' "$(actions_of "$PLAN")$(held_of "$PLAN")" ''
fps export -f "$FILE" >"$ROOT/again.yaml"
is 'export of what is adopted is what was exported' "$(diff "$FILE" "$ROOT/again.yaml")" ''
converge 'apply changes nothing'
check 'start' fps start idle
isnt 'starts what was stopped' "$(pid_of idle)" ''
for shape in link odd ids frozen; do is "$shape: applied: the same" "$(identity $shape)" "${was[$shape]}"; done

# Each is written anew, and then says what it said.
sed -i "s/A: .*b=c # d.*/A: 'b=c # e'/" "$FILE"
converge 'a variable of the odd one'
is 'it runs with what it ran with' "$(environment) $(bounding odd)" "${env/\# d/# e} $caps"
is 'and with its mounts' "$(inside odd cat '/srv/a folder/file') $(inside odd awk '$2 == "/mnt" { print $3 }' /proc/mounts) $(inside odd hostname)" 'from-the-host tmpfs quoted'
sed -i '/^  ids:/,/^  [a-z]*:$/ s/pids: 99/pids: 98/' "$FILE"
converge 'a limit of the one with ids of an include'
is 'live' "$(cat "$(cgroup_of ids pids)/pids.max") $(identity ids)" "98 ${was[ids]}"
check 'restart' fps restart ids
is 'its ids are the same' "$(awk '{ print $1, $2, $3 }' "/proc/$(pid_of ids)/uid_map") $(inside ids ls /sys/class/net)" "0 $BASE 65536 lo"
is 'and its limit' "$(cat "$(cgroup_of ids pids)/pids.max")" 98
check 'restart' fps restart link
is 'behind a link is what was there' "$(stat -c %i "/proc/$(pid_of link)/root/etc/passwd")" "$(stat -c %i "$LXC/link.$TAG/rootfs/etc/passwd")"
check down fps down -y --timeout 0 -f "$FILE"

# ---- a snapshot of one that is adopted ----
check 'adopted again' fps adopt -f "$FILE" idle
lxc-stop -P "$LXC" -n "idle.$TAG" -k 2>/dev/null
fps stop idle >/dev/null 2>&1
check 'lxc-copy makes an overlay of it' lxc-copy -P "$LXC" -n "idle.$TAG" -N "copy.$TAG" -B overlay -s
is 'it carries a mark of the other' "$(grep -c '^# fpsync ' "$LXC/copy.$TAG/config")" 1
fps adopt "copy.$TAG" >"$ROOT/out" 2>&1
is 'it is adopted as one of its own' "$? $(pid_of copy | wc -l)" '0 0'
check 'start' fps start copy
like 'it runs on what it is a snapshot of' "$(awk '$5 == "/" { print $NF }' "/proc/$(pid_of copy)/mountinfo")" "lowerdir=$LXC/idle.$TAG/rootfs"
check down fps down -y --timeout 0
check down fps down -y --timeout 0 -f "$FILE"
is 'nothing of ours is left' "$(leftovers)" ''

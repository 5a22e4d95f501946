#!/bin/bash
# Walks the fields of the core: see walk.sh.
. "$(dirname "$0")/walk.sh"

# ---- a running container, live ----

all=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/1/status)
last=$(($(nproc) - 1))
every=$([ $last = 0 ] && echo 0 || echo 0-$last) # as the kernel writes it
# Without a word there is none beside the memory; version 1 cannot say so before the memory is limited.
no_swap=$([ -e /sys/fs/cgroup/cgroup.controllers ] && echo 0 || echo none)

live() { # ENTRIES of the container
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
networks:
  front: { subnet: $NET.0/26 }
  back: { subnet: $NET.64/26 }
  third: { subnet: $NET.128/26 }
volumes: { data: {}, extra: {} }
containers:
  marks: { image: guest, networks: [], volumes: [ "data:/data", "extra:/extra" ] }
  one: { image: guest, $1 }
END
}
live_without() { live 'networks: [ front ]'; }
live_set() {
    live "networks: { back: {}, front: { address: $NET.10 } }, volumes: [ \"data:/srv/a\" ],
    limits: { memory: 64MiB, swap: 16MiB, cpus: 0.5, pids: 100, cpu_weight: 33, cpuset: \"0\" },
    ports: [ \"$((PORT + 0)):80\", { host: $((PORT + 2)), guest: 80, address: 127.0.0.1 },
      { host: $((PORT + 3)), guest: 7, protocol: udp }, { host: $((PORT + 4)), guest: 80 } ]"
}
live_changed() {
    live "networks: { third: {}, front: { address: $NET.11 } }, volumes: [ \"extra:/srv/b\" ],
    limits: { memory: 96MiB, swap: 32MiB, cpus: 1.5, pids: 120, cpu_weight: 10000, cpuset: \"0-$last\" },
    ports: [ \"$((PORT + 1)):80\", { host: $((PORT + 2)), guest: 80, address: 127.0.0.2 },
      { host: $((PORT + 3)), guest: 80, protocol: tcp }, { host: $((PORT + 4)), guest: 8099 } ]"
}
volumes() { # PATH=VOLUME of each below /srv, by a mark that a container with both leaves in them
    inside t/marks sh -c 'for name in data extra; do echo $name >/$name/mark; done'
    inside t/one sh -c 'for name in a b; do grep -q " /srv/$name " /proc/mounts && echo "$name=$(cat /srv/$name/mark)"; done; :'
}
effect container.limits 'in_cgroup t/one pids pids.max pids.max' 8192 100 120 8192
effect container.limits.memory 'bytes t/one memory memory.max memory.limit_in_bytes' none $((64 << 20)) $((96 << 20)) none
effect container.limits.cpus 'cpus t/one' none 0.5 1.5 none
effect container.limits.pids 'in_cgroup t/one pids pids.max pids.max' 8192 100 120 8192
effect container.limits.cpu_weight 'weight t/one' 100 33 10000 100
effect container.limits.cpuset 'processors t/one' "$all" 0 "$every" "$all"
swap_is_counted && effect container.limits.swap 'swap t/one' "$no_swap" $((16 << 20)) $((32 << 20)) "$no_swap"
effect container.networks 'networks t/one' front 'back front' 'front third' front
effect container.networks.network 'networks t/one' front 'back front' 'front third' front
effect container.networks.address 'front_address t/one' "$NET.2" "$NET.10" "$NET.11" "$NET.11" # the lease stays
effect container.ports 'opens 0@127.0.0.1 1@127.0.0.1' '' 0@127.0.0.1 1@127.0.0.1 ''
effect container.ports.host 'opens 0@127.0.0.1 1@127.0.0.1' '' 0@127.0.0.1 1@127.0.0.1 ''
effect container.ports.address 'opens 2@127.0.0.1 2@127.0.0.2' '' 2@127.0.0.1 2@127.0.0.2 ''
effect container.ports.protocol 'opens 3@127.0.0.1 3/udp@127.0.0.1' '' 3/udp@127.0.0.1 3@127.0.0.1 ''
effect container.ports.guest 'opens 4@127.0.0.1' '' 4@127.0.0.1 '' ''
effect container.volumes 'volumes t/one' '' a=data b=extra ''
effect container.volumes.path 'volumes t/one' '' a=data b=extra ''
effect container.volumes.volume 'volumes t/one' '' a=data b=extra ''
walk t/one live live

spec live < <(live 'networks: [ front ], limits: { cpu_weight: 100, pids: 8192 }')
converge 'what is usual, written out' # and nothing is left to do
is 'is in force' "$(weight t/one) $(in_cgroup t/one pids pids.max pids.max)" '100 8192'
take_down

# ---- what init is started with ----

restart() { # ENTRIES of the container
    printf 'project: t\nimages: { guest: { source: "file:%s" } }\ncontainers: { one: { image: guest, networks: []%s } }\n' "$BUSYBOX" "$1"
}
restart_without() { restart ''; }
restart_set() {
    restart ', hostname: web.example.org, env: { COLOR: "deep blue" }, nesting: true, capabilities: { drop: [ net_raw ] },
    lxc: [ "lxc.prlimit.nofile = 1024" ], command: [ /bin/sh, -c, "while :; do sleep 1; done # first" ],
    user: www, directory: /srv'
}
restart_changed() {
    restart ', hostname: www, env: { COLOR: red }, nesting: false, capabilities: { keep: [ kill, CAP_NET_RAW, setuid, setgid, sys_ptrace, dac_read_search ] },
    lxc: [ "lxc.prlimit.nofile=2048" ], command: [ /bin/sh, -c, "while :; do sleep 1; done # second" ],
    user: "1000:extra", directory: /new/folder'
}
can() { # which of these bits are in what init may ever have
    local bits name
    bits=$((0x$(sed -n 's/^CapBnd:[[:space:]]*//p' "/proc/$(pid_of "$1")/status")))
    for name in net_admin=12 net_raw=13; do
        [ $((bits >> ${name#*=} & 1)) = 0 ] || echo "${name%=*}"
    done | paste -sd' '
}
open_files() {
    awk '/^Max open files/ { print $4 }' "/proc/$(pid_of "$1")/limits"
}
nests() { # whether a user namespace in the guest may have a proc of its own
    inside "$1" unshare -U -r -p -f -m --mount-proc true >/dev/null 2>&1 && echo yes || echo no
}
effect container.capabilities 'can t/one' 'net_admin net_raw' net_admin net_raw 'net_admin net_raw'
effect container.capabilities.drop 'can t/one' 'net_admin net_raw' net_admin net_raw 'net_admin net_raw'
effect container.capabilities.keep 'can t/one' 'net_admin net_raw' net_admin net_raw 'net_admin net_raw'
effect container.nesting 'nests t/one' no yes no no
effect container.lxc 'open_files t/one' "$(ulimit -Sn)" 1024 2048 "$(ulimit -Sn)"
environment() {
    tr '\0' '\n' <"/proc/$(pid_of "$1")/environ" | sed -n 's/^COLOR=//p'
}
names_itself() { # to the kernel, in a file, and in full
    inside "$1" sh -c 'echo $(hostname) $(cat /etc/hostname) $(sed -n "s/^127.0.1.1 \([^ ]*\) .*/\1/p" /etc/hosts)'
}
program() { # what runs beside init: the command, or what the image's init starts
    inside "$1" ps | grep -oE '# (first|second)|/bin/httpd' | sort -u
}
of_program() { # FILES of its /proc entry as the guest sees them
    inside "$1" sh -c 'for p in /proc/[0-9]*; do grep -qaE "# (first|second)|^/bin/httpd" $p/cmdline && cd $p && '"$2"'; done' 2>/dev/null | sort -u
}
runs_as() { # user, group, further groups, home
    of_program "$1" 'echo $(sed -n "s/^Uid:[[:space:]]*\([0-9]*\).*/\1/p; s/^Gid:[[:space:]]*\([0-9]*\).*/\1/p; s/^Groups://p" status) $(tr "\0" "\n" <environ | sed -n s/^HOME=//p)'
}
effect container.user 'runs_as t/one' '0 0 /' '33 33 44 /srv' '1000 44 /' '0 0 /'
runs_in() {
    of_program "$1" 'readlink cwd'
}
effect container.directory 'runs_in t/one' /www /srv /new/folder /www
effect container.env 'environment t/one' '' 'deep blue' red ''
effect container.hostname 'names_itself t/one' 'one one one.t.internal' 'web.example.org web.example.org web.example.org' 'www www www.t.internal' \
    'one one one.t.internal'
effect container.command 'program t/one' /bin/httpd '# first' '# second' /bin/httpd
walk t/one restart restart

# ---- how it is stopped ----

signals() { # ENTRIES of the container, whose command writes down what asks it to end
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
containers:
  one:
    image: guest
    networks: []
    command:
    - /bin/sh
    - -c
    - for name in TERM USR1 USR2; do trap "echo \$name >/srv/asked; exit" \$name; done; while :; do sleep 0.1; done
    $1
END
}
signals_without() { signals ''; }
signals_set() { signals 'stop_signal: SIGUSR1'; }
signals_changed() { signals 'stop_signal: SIGUSR2'; }
asked() { # to end by which signal
    fps restart "$1" >/dev/null 2>&1
    inside "$1" cat /srv/asked
}
effect container.stop_signal 'asked t/one' TERM USR1 USR2 TERM
walk t/one restart signals

# ---- what is only remembered, and counts when something happens ----

remembered() { # ENTRIES of `ends`, of `stubborn`, of `first`
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" } }
containers:
  ends:
    image: guest
    networks: []
    command: [ /bin/sh, -c, 'until [ -s /srv/end ]; do sleep 0.1; done; read -r status </srv/end; rm /srv/end; exit \$status' ]
    $1
  stubborn:
    image: guest
    networks: []
    command:
    - /bin/sh
    - -c
    - now() { cut -d' ' -f1 /proc/uptime; }; rm -f /srv/asked; trap '[ -s /srv/asked ] || now >/srv/asked' TERM; while :; do now >/srv/alive; sleep 0.1; done
    $2
  first: { image: guest, networks: []$3 }
  second: { image: guest, networks: [] }
  third: { image: guest, networks: [] }
END
}
remembered_without() { remembered '' '' ''; }
remembered_set() { remembered 'restart: never' 'stop_timeout: 100ms' ', depends_on: [ second ]'; }
remembered_changed() { remembered 'restart: on-failure' 'stop_timeout: 5s' ', depends_on: { third: started }'; }
runs() {
    [ -n "$(pid_of "$1")" ]
}
stands() {
    ! runs "$1"
}
after_exit() { # with 0 and with 3: what the next apply does
    local status
    for status in 0 3; do
        inside t/ends sh -c "echo $status >/srv/end"
        eventually 10 stands t/ends
        fps apply -y -f "$FILE" >/dev/null 2>&1
        runs t/ends && echo "$status starts" || echo "$status stays"
        fps start t/ends >/dev/null 2>&1
    done | paste -sd' '
}
killed_soon() { # one that does not listen: by what it wrote down until then
    fps stop t/stubborn >/dev/null 2>&1
    (cd "$ROOT/var/lib/fpsync/layers/t_stubborn/upper/srv" && paste asked alive | awk '{ print $2 - $1 < 4 ? "yes" : "no" }')
    fps start t/stubborn >/dev/null 2>&1
}
order() { # in which three come up that were killed
    local name
    for name in first second third; do kill -9 "$(pid_of t/$name)"; done
    for name in first second third; do eventually 10 stands t/$name; done
    fps apply -y --parallel 1 -f "$FILE" >/dev/null 2>&1
    for name in first second third; do echo "$(started t/$name) $name"; done | sort -k2n | cut -d' ' -f3 | paste -sd' '
}
effect container.restart after_exit '0 starts 3 starts' '0 stays 3 stays' '0 stays 3 starts' '0 starts 3 starts'
effect container.stop_timeout killed_soon - yes no - # else after 30 s
effect container.depends_on order 'first second third' 'second first third' 'third first second' 'first second third'
effect container.depends_on.container order - 'second first third' 'third first second' -
effect container.depends_on.condition order - - 'third first second' -
walk t/ends record remembered

# ---- what makes another root ----

recreate() { # ENTRIES of the container
    cat <<END
project: t
images: { guest: { source: "file:$BUSYBOX" }, other: { source: "file:$ROOT/other" } }
layers: { kept: { image: other }, more: { image: guest } }
containers: { one: { $1, networks: [] } }
END
}
recreate_without() { recreate 'image: guest'; }
recreate_set() { recreate 'image: other, layer: kept'; }
recreate_changed() { recreate 'layer: more, privileged: true'; }
image_below() {
    inside "$1" cat /image 2>/dev/null || echo guest
}
upper_of() { # the layer that the root in the kernel's table writes to
    awk -v point="$ROOT/run/fpsync/mounts/$(lxc_of "$1")/root" '$5 == point' /proc/self/mountinfo | grep -oE 'layers/[^/,]*' | head -n 1
}
mapped() {
    awk '{ print $2 == 0 ? "root outside" : "ids of its own" }' "/proc/$(pid_of "$1")/uid_map"
}
cp -a "$BUSYBOX" "$ROOT/other" && echo other >"$ROOT/other/image"
effect container.image 'image_below t/one' guest other guest guest
effect layer.image 'image_below t/one' guest other guest guest
effect container.layer 'upper_of t/one' layers/t_one layers/t_kept layers/t_more layers/t_one
effect container.privileged 'mapped t/one' 'ids of its own' 'ids of its own' 'root outside' 'ids of its own'
walk t/one recreate recreate

# ---- networks ----

subnet() {
    printf 'project: t\nimages: { guest: { source: "file:%s" } }\nnetworks: { wide: {%s} }\n' "$BUSYBOX" "$1"
    echo 'containers: { one: { image: guest, networks: [ wide ] } }'
}
subnet_without() { subnet ''; }
subnet_set() { subnet " subnet: $NET.0/25 "; }
subnet_changed() { subnet " subnet: $NET.128/26 "; }
within() { # which of the two
    addresses "$1" | awk -F. -v net="$NET" '{ print $1 "." $2 "." $3 != net ? "leased" : $4 < 128 ? "lower" : "upper" }'
}
effect network.subnet 'within t/one' leased lower upper upper # the lease stays
walk t/one - subnet

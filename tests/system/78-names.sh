#!/bin/bash
# Names of guests on several networks: each hears those of the networks that it shares, asked by a glibc and by busybox,
# and of no other, whatever it sends.
. "$(dirname "$0")/lib.sh"

switch=/proc/sys/net/bridge/bridge-nf-call-iptables
old=$(cat $switch 2>/dev/null)
upstream=
after_cleanup() {
    [ -z "$old" ] || echo "$old" >$switch
    [ -z "$upstream" ] || kill "$upstream"
}
# A guest with a resolver of glibc's beside that of busybox.
GUEST=$ROOT/guest
cp -a "$BUSYBOX" "$GUEST"
getent=$(command -v getent)
cp "$getent" "$GUEST/bin/getent"
ldd "$getent" | grep -oE '/[^ ]+' | while read -r library; do
    mkdir -p "$GUEST$(dirname "$library")" && cp -L "$library" "$GUEST$library"
done
echo 'hosts: files dns' >"$GUEST/etc/nsswitch.conf"

nets() { # NETWORKS of `both`, MORE containers
    spec names <<END
project: t
images: { guest: { source: "file:$GUEST" } }
networks:
  front: { subnet: $NET.0/26, subnet6: "fd00:$TAG6:1::/64" }
  back: { subnet: $NET.64/26, subnet6: "fd00:$TAG6:2::/64" }
  third: { subnet: $NET.128/26, isolated: true }
  plain: { subnet: $NET.192/26 }
containers:
  both: { image: guest, networks: $1 }
  web: { image: guest, networks: { front: { address: $NET.10, address6: "fd00:$TAG6:1::10" } } }
  db: { image: guest, networks: { back: { address: $NET.74, address6: "fd00:$TAG6:2::10" } } }
  queue: { image: guest, networks: { third: { address: $NET.138 } } }
  bare: { image: guest, networks: [ plain ] }$2
END
}
getent_says() { # CONTAINER NAME
    inside "$1" getent ahostsv4 "$2" | sed "s/127.0.1.1/$(address_of "$1" 2>/dev/null)/" | awk '{ print $1 }' | sort -u | paste -sd' '
}
getent6_says() {
    inside "$1" getent ahostsv6 "$2" | awk '{ print $1 }' | sort -u | paste -sd' '
}
nslookup_says() { # CONTAINER NAME [TYPE] [SERVER]
    inside "$1" timeout 5 nslookup -type="${3:-a}" "$2" ${4-} 2>/dev/null | awk '/^Name:/ { told = 1 } told && /^Address: / { print $2 }' | sort -u | paste -sd' '
}
reverse() { # CONTAINER ADDRESS [SERVER]
    inside "$1" timeout 5 nslookup "$2" ${3-} 2>/dev/null | sed -n 's/.*name = //p' | sort -u | paste -sd' '
}
hears() { # CONTAINER: which others, by each way of asking; one that answers something else shows
    local name
    for name in web db queue; do
        for asked in "$name" "$name.t" "$name.t.internal"; do
            echo "$(getent_says "$1" "$asked")/$(nslookup_says "$1" "$asked")"
        done | sort -u
    done | paste -sd' '
}
union_pids() {
    local file
    for file in "$ROOT"/run/fpsync/networks/*/unions/*.pid; do [ -e "$file" ] && cat "$file"; done
}

web=$NET.10/$NET.10 db=$NET.74/$NET.74 queue=$NET.138/$NET.138
nets '[ front ]' ''
converge 'one network' || exit
is 'who is on one hears that one' "$(hears t/both)" "$web / /"
is 'no resolver beside those of the networks' "$(union_pids)" ''
before=$(pid_of t/both) said=$(inside t/both cat /etc/resolv.conf)
asks() { # NAME: of a resolver on the first network, always from the same port
    inside t/both netprobe ask-dns udp $NET.1 "$1" 1 3053
}
is 'from a port that it keeps' "$(asks web.t) $(asks db.t)" "$NET.10 "

nets '[ front, back ]' ''
converge 'a second network'
is 'it hears both' "$(hears t/both)" "$web $db /"
is 'from that port, too' "$(asks web.t) $(asks db.t)" "$NET.10 $NET.74"
is 'without another init' "$(pid_of t/both)" "$before"
is 'and without another resolv.conf' "$(inside t/both cat /etc/resolv.conf)" "$said"
is 'by IPv6, too' "$(getent6_says t/both web) $(getent6_says t/both db.t) $(nslookup_says t/both web.t.internal aaaa) $(nslookup_says t/both db aaaa)" \
    "fd00:$TAG6:1::10 fd00:$TAG6:2::10 fd00:$TAG6:1::10 fd00:$TAG6:2::10"
is 'and back: getent' "$(inside t/both getent hosts $NET.10 | awk '{ print $2 }') $(inside t/both getent hosts $NET.74 | awk '{ print $2 }')" 'web db'
is 'and back: nslookup' "$(reverse t/both $NET.10) $(reverse t/both $NET.74)" 'web db'
is 'and back, of IPv6' "$(reverse t/both "fd00:$TAG6:1::10") $(reverse t/both "fd00:$TAG6:2::10")" 'web db'
is 'it hears the same from its other bridge' "$(nslookup_says t/both web a $NET.65) $(nslookup_says t/both db a $NET.65)" "$NET.10 $NET.74"
is 'who is on one of them hears that one' "$(hears t/web), $(hears t/db)" "$web / /, / $db /"
is 'names and addresses alike' "$(reverse t/web $NET.74)$(inside t/web getent hosts $NET.74)$(reverse t/web "fd00:$TAG6:2::10")" ''
is 'who is on another hears neither' "$(hears t/queue)" "/ / $queue"
is 'and the one on both is heard on both' "$(nslookup_says t/web both) $(nslookup_says t/db both)" "$(address_of t/both) $(address_of t/both eth1)"
# Nobody outside is asked for what a name of ours has not, least of all while nobody outside answers.
for name in bare bare.t bare.t.internal; do
    like "$name has no IPv6 address, and that is said at once" "$(inside t/bare timeout 3 nslookup -type=aaaa $name 2>&1)" 'answer'
done
is 'by TCP, too' "$(inside t/both netprobe ask-dns tcp $NET.1 db.t 1)" "$NET.74"

# ---- hostile askers ----

union=$(sed -n 's/.*--listen-address=\([0-9.]*\).*/\1/p' <(tr '\0' ' ' <"/proc/$(union_pids)/cmdline"))
like 'the resolver of both listens where no guest sends' "$union" '^127\.'
is 'asked there by a guest it does not answer' "$(nslookup_says t/web db a "$union")$(inside t/both sh -c "ip route add $union via $NET.1 dev eth0; timeout 5 nslookup db $union" | grep "$NET.74")" ''
inside t/web ip route add "$union" via "$NET.1" dev eth0
is 'nor by one with a route there' "$(nslookup_says t/web db a "$union")" ''
inside t/web ip addr add "$(address_of t/both)/32" dev eth0
is 'nor is the address of the one on both of use' "$(inside t/web sh -c "ip route replace $NET.1 dev eth0 src $(address_of t/both); netprobe ask-dns udp $NET.1 db.t 3; ip route del $NET.1")" ''
inside t/web ip addr del "$(address_of t/both)/32" dev eth0
if [ -n "$old" ]; then
    for value in 0 1; do
        echo $value >$switch
        is "with bridge-nf $value" "$(hears t/both), $(hears t/web)" "$web $db /, $web / /"
    done
    echo "$old" >$switch
fi

# ---- live ----

nets '[ front, back ]' "
  more: { image: guest, networks: [ back ] }"
converge 'one more on the second'
check 'is heard' eventually 5 inside t/both getent hosts more
is 'not by those on the first' "$(getent_says t/web more)" ''
nets '[ front, back ]' ''
converge 'it goes'
check 'and is not heard' eventually 5 sh -c "! timeout 20 lxc-attach -P $ROOT/var/lib/lxc -n $(lxc_of t/both) --clear-env -- getent hosts more"
nets '[ front, back, third ]' ''
converge 'a third network'
is 'from the same port' "$(asks web.t) $(asks db.t) $(asks queue.t)" "$NET.10 $NET.74 $NET.138"
is 'it hears all' "$(hears t/both)" "$web $db $queue"
is 'one resolver for them' "$(union_pids | wc -l)" 1
nets '[ back, third ]' ''
converge 'the first goes'
is 'it hears the others' "$(hears t/both)" "/ $db $queue"

# A flow that goes on past the end of what allowed it, while another one may still ask there.
also="
  also: { image: guest, networks: [ back, third ] }"
nets '[ back, third ]' "$also"
converge 'one more on both'
inside t/both sh -c "netprobe ask-dns udp $NET.65 queue.t 600 >/tmp/answers 2>&1 &"
check 'a flow of questions has answers' eventually 5 inside t/both grep -q $NET.138 /tmp/answers
nets '[ back ]' "$also"
converge 'and to one network'
last=$(inside t/both wc -l /tmp/answers)
like 'it still asks' "$(inside t/both ps)" 'netprobe ask-dns'
inside t/both netprobe ask-dns udp $NET.65 db.t 20 >/dev/null # which takes a second
is 'and hears nothing' "$(inside t/both wc -l /tmp/answers)" "$last"
is 'it hears that one' "$(hears t/both)" "/ $db /"
is 'the other hears both' "$(hears t/also)" "/ $db $queue"
nets '[ back ]' ''
converge 'the other goes'
is 'no resolver is left over' "$(union_pids)" ''

# ---- what is asked outside: of a resolver that writes it down, by all that begin where the host's resolv.conf names it ----

nets '[ front, plain ]' ''
converge 'one network with IPv6 and one without'
outside=127.$((0x$TAG % 100 + 100)).$((0x${TAG:2:2} % 250)).1
echo "nameserver $outside" >"$ROOT/resolv.conf"
touch "$ROOT/asked" && chmod 666 "$ROOT/asked"
dnsmasq -k --conf-file=/dev/null --pid-file= --listen-address="$outside" --bind-interfaces --no-hosts --no-resolv \
    --log-queries --log-facility="$ROOT/asked" &
upstream=$!
check 'a resolver outside' eventually 5 grep started "$ROOT/asked"
killed=$(cat "$ROOT"/run/fpsync/networks/*/dnsmasq.pid; union_pids)
kill -9 $killed
for pid in $killed; do eventually 5 test ! -e "/proc/$pid/exe"; done
check 'for the resolvers of all networks' unshare -m sh -c 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"' sh \
    "$ROOT/resolv.conf" "$FPSYNC" --root "$ROOT" apply -y -f "$FILE"
asked_outside() { # GUEST NAME...: which of its questions for these, of all types, and the one that comes last
    local name type
    : >"$ROOT/asked"
    for name in "${@:2}" last.example; do
        for type in a aaaa mx txt srv; do inside "$1" timeout 3 nslookup -type=$type "$name"; done
    done >/dev/null 2>&1
    sed -n 's/.*query\[\(.*\)\] \([^ ]*\) from .*/\2 \1/p' "$ROOT/asked" | sort -u | paste -sd' '
}
last=$(printf 'last.example %s ' A AAAA MX SRV TXT)
is 'by a guest on one network it is asked for no name of ours' \
    "$(asked_outside t/bare bare bare.t bare.t.internal)" "${last% }"
is 'nor by a guest on two' \
    "$(asked_outside t/both both web bare both.t web.t bare.t both.t.internal web.t.internal bare.t.internal)" "${last% }"
nets '[ front, plain ]' "
  late: { image: guest, networks: [ plain ] }"
converge 'one more on the second of them'
is 'for its name neither' "$(asked_outside t/both late.t bare.t web.t)" "${last% }"
nets '[ front, plain ]' ''
converge 'it goes'
like 'its name may be of somebody outside then' "$(asked_outside t/both late.t)" 'late.t A .*late.t TXT'
is 'of the others it is asked for none' "$(asked_outside t/both bare.t web.t)" "${last% }"
kill "$upstream"
upstream=

# ---- another hand ----

nets '[ front, back ]' ''
converge 'both again'
killed=$(union_pids)
kill -9 "$killed"
eventually 5 test ! -e "/proc/$killed/exe"
like 'its end is seen' "$(causes_of "$(plan_of "$FILE")")" 'for those on several networks is not running'
converge 'and repaired'
is 'it hears both' "$(hears t/both)" "$web $db /"
nft flush map ip "fpsync_$TAG" resolvers
converge 'a lost rule'
is 'it hears both again' "$(hears t/both)" "$web $db /"
nft flush set ip "fpsync_$TAG" askers
converge 'another one'
rm -r "$ROOT"/run/fpsync/networks/*/hosts
converge 'lost names'
is 'it hears both as before' "$(hears t/both)" "$web $db /"
nets '[ front, back ]' "
  more: { image: guest, networks: [ back ] }"
converge 'one more after that'
check 'is heard' eventually 5 inside t/both getent hosts more
kill -9 $(cat "$ROOT"/run/fpsync/networks/*/dnsmasq.pid) $(union_pids)
rm -r "$ROOT/run/fpsync/networks"
converge 'all of it lost'
is 'it hears both as before' "$(hears t/both)" "$web $db /"
fps down -y --timeout 0 -f "$FILE" >/dev/null 2>&1
is 'nothing is left' "$(leftovers)$(ls "$ROOT/run/fpsync/networks" 2>/dev/null)" ''

#!/bin/bash
# Boots Debian's own kernel in software emulation and runs system tests inside: cgroup v2, AppArmor, kernel 6.1.
# Prints TAP; tests/run keeps it as results/vm.tap. The image is made once and kept in BUILD/vm.
#
# VM_CASES: "usual" (default), "all", or names of system tests.
# FPSYNC_VM_SECONDS: when it is ended whatever it does; by default when all that was chosen has had its time.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${FPSYNC_BUILD:-$PWD/build}
vm=$build/vm
QEMU=qemu-system-x86_64

give_up() { # what is wrong, how it is mended
    echo "not ok - virtual machine: $1"
    [ -z "${2-}" ] || echo "# $2"
    exit 1
}
command -v $QEMU >/dev/null || give_up "$QEMU is missing" 'apt-get install --no-install-recommends qemu-system-x86'
helpers='tests/system/netprobe tests/system/no-mutation tests/system/racer tests/system/silent-fuse'
helpers+=' tests/preload/kill-at.so tests/preload/tries.so'
for program in fpsync fpsync-worker fpsync-init fpsync-fetch $helpers; do
    [ -x "$build/$program" ] || give_up "$build/$program is not built"
done

# The image is that of its recipe: a changed recipe makes a new one.
recipe=$(cat tests/vm/make-image tests/vm/fpsync-test.service | sha256sum | cut -c1-16)
if [ "$(cat "$vm/image/recipe" 2>/dev/null)" != "$recipe" ]; then
    mkdir -p "$vm"
    timeout -k 20 420 tests/vm/make-image "$vm/image" >"$vm/image.log" 2>&1 ||
        give_up 'the image cannot be made' "$(tail -n 5 "$vm/image.log" | tr '\n' ' ')"
    echo "$recipe" >"$vm/image/recipe"
fi

run=$(mktemp -d /tmp/fps-vm-XXXX) || exit 1
qemu=
watch=
finish() {
    trap '' INT TERM HUP
    [ -z "$qemu" ] || kill -9 "$qemu" $watch 2>/dev/null
    rm -rf "$run"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# Tests and stripped programs travel as a tar on a disk of their own.
mkdir -p "$run/tree/build/tests/system" "$run/tree/build/tests/preload"
cp -a tests "$run/tree/"
case ${VM_CASES:=usual} in
usual) grep -E '^[0-9][^ ]* [0-9]+$' tests/vm/cases ;;
all) grep '^[0-9]' tests/vm/cases ;;
*) for name in $VM_CASES; do grep "^$name " tests/vm/cases || echo "$name 900"; done ;;
esac >"$run/tree/tests/vm/chosen"
# Five minutes for its start and end.
LIMIT=${FPSYNC_VM_SECONDS:-$(awk '{ sum += $2 + 30 } END { print sum + 300 }' "$run/tree/tests/vm/chosen")}
for program in fpsync fpsync-worker fpsync-init fpsync-fetch; do
    strip -o "$run/tree/build/$program" "$build/$program" || give_up "$program cannot be copied"
done
for helper in $helpers; do cp "$build/$helper" "$run/tree/build/$helper"; done
tar -C "$run/tree" -cf "$run/tree.tar" . || give_up 'the second disk cannot be made'
: >"$run/results"

# One CPU: with two, most of what the second adds goes into telling each other of changed page tables.
# No random addresses: code that is mapped elsewhere is translated anew, which is most of what starting a program takes.
nice -n 15 $QEMU -machine q35 -accel tcg -cpu max -smp 1 -m 2048 -nodefaults -no-reboot -display none \
    -kernel "$vm/image/kernel" -initrd "$vm/image/initrd" \
    -append 'root=/dev/vda rw console=ttyS0 quiet loglevel=4 systemd.show_status=0 mitigations=off no5lvl norandmaps' \
    -drive "file=$vm/image/root.img,format=raw,if=virtio,snapshot=on,cache=unsafe" \
    -drive "file=$run/tree.tar,format=raw,if=virtio,readonly=on" \
    -serial "file:$run/console.log" -device virtio-rng-pci \
    -device virtio-serial-pci -chardev "file,id=results,path=$run/results" \
    -device virtserialport,chardev=results,name=results \
    >"$run/qemu.log" 2>&1 </dev/null &
qemu=$!
# Its end is awaited, but not for ever; by `wait`, which a signal ends at once.
timeout "$LIMIT" tail -q --pid=$qemu -f /dev/null &
watch=$!
wait $watch
expired=$?
watch=
[ $expired -eq 0 ] || kill -9 $qemu
wait $qemu 2>/dev/null
qemu=
cat "$run/results"
if ! grep -q '^# end of the tests' "$run/results"; then
    [ $expired -eq 0 ] && echo 'not ok - the machine ended before its tests' ||
        echo "not ok - the machine took more than $LIMIT s"
    tail -n 15 "$run/console.log" "$run/qemu.log" | tr -d '\r' | sed 's/^/# /'
    exit 1
fi
! grep -q '^not ok ' "$run/results"

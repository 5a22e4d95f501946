# What the checks share; each sources it from wherever it is run and then stands at the top of the tree.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
number=0
failed=0

report() { # NAME, text of violations (empty: fine)
    number=$((number + 1))
    if [ -z "$2" ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        head -n 40 <<<"$2" | sed 's/^/# /'
        failed=1
    fi
}

finish() {
    echo "1..$number"
    exit $failed
}

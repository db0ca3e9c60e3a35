#!/bin/bash
# Diagnostics against golden files: prax validate of tests/golden/schema/bad/NAME.prax must print
# NAME.out and end with status 1; every code of diagnostics.def must occur in one of them. With
# --write (make golden) the .out files are written instead; look at the difference before a commit.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
prax=$PWD/${B:-build/dev}/prax
catalogue=$PWD/orm/schema/diagnostics.def
cd tests/golden/schema/bad || exit 1

if [ "${1:-}" = --write ]; then
    for f in *.prax; do "$prax" validate "$f" 2>"${f%.prax}.out"; done
    exit 0
fi

# These two need megabytes of input; tests/unit/test_schema.c makes it.
elsewhere="S001 S059"

files=(*.prax)
mapfile -t codes < <(grep -o '"S[0-9]*"' "$catalogue" | tr -d '"')
echo "1..$((${#files[@]} + ${#codes[@]}))"
n=0
result() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
for f in "${files[@]}"; do
    out=$("$prax" validate "$f" 2>&1 >/dev/null; echo "status $?")
    diff <(cat "${f%.prax}.out"; echo "status 1") <(printf '%s\n' "$out") >&2
    result $? "$f"
done
for code in "${codes[@]}"; do
    grep -q "error\[$code\]" -- *.out || [[ " $elsewhere " == *" $code "* ]]
    result $? "$code is shown by a schema"
done

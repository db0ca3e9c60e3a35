#!/bin/bash
# Bad typed SQL: each tests/golden/queries/bad/NAME.sql makes prax generate say what NAME.out holds, end
# with status 1 and write nothing; every Q code of diagnostics.def must occur in one of them. With
# --write (make golden) the files are written instead.
set -uo pipefail
export LC_ALL=C NO_COLOR=1
cd "$(dirname "$0")/../.." || exit 1
prax=$PWD/${B:-build/dev}/prax
golden=$PWD/tests/golden/queries
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp "$golden/schema.prax" "$dir"

n=0
result() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

for f in "$golden"/bad/*.sql; do
    cp "$f" "$dir/queries.sql"
    (cd "$dir" && "$prax" generate -o out schema.prax) >"$dir/said" 2>&1
    status=$?
    if [ "${1:-}" = --write ]; then
        cp "$dir/said" "${f%.sql}.out"
        continue
    fi
    diff "${f%.sql}.out" "$dir/said" >&2 && [ $status -eq 1 ] && [ ! -e "$dir/out" ]
    result $? "bad/$(basename "$f")"
    diff "${f%.sql}.out" <(cd "$dir" && "$prax" validate schema.prax 2>&1) >&2
    result $? "bad/$(basename "$f"): validate says the same"
done
[ "${1:-}" = --write ] && exit

for code in $(grep -o '"Q[0-9]*"' orm/schema/diagnostics.def | tr -d '"'); do
    grep -qF "error[$code]" "$golden"/bad/*.out
    result $? "$code has an example"
done
(cd "$dir" && "$prax" validate --json schema.prax) >"$dir/said"
python3 -c '
import json, sys
d = json.load(sys.stdin)
sys.exit(not d["errors"] or {e["file"] for e in d["errors"]} != {"queries.sql"})' <"$dir/said"
result $? "validate --json: with their file"
rm "$dir/queries.sql"
(cd "$dir" && "$prax" generate -q -o out schema.prax) >&2 && [ -s "$dir/out/shop.h" ]
result $? "no queries.sql: none"
sed -i 's/prefix = "shop"/prefix = "shop"  queries = "no\/such.sql"/' "$dir/schema.prax"
(cd "$dir" && "$prax" generate -q -o other schema.prax) >"$dir/said" 2>&1
[ $? -eq 2 ] && grep -q 'no/such.sql: cannot be read: No such file' "$dir/said" && [ ! -e "$dir/other" ]
result $? "a file that is named must be there"
echo "1..$n"

#!/bin/bash
# 64 threads on 8 connections under ThreadSanitizer: every request is answered, no row is lost, none
# doubled, no data race. 5 seconds a database; 60 with PRAX_FAULTS=long. setarch -R: the sanitizer
# cannot live with as much address randomisation as newer kernels have.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
seconds=5
[ "${PRAX_FAULTS:-}" = long ] && seconds=60

works() {
    echo 'int main(void) { return 0; }' | gcc -fsanitize=thread -x c - -o "$tmp/try" 2>/dev/null &&
        setarch -R "$tmp/try"
}

run() { # NAME URL
    setarch -R "$load" "$2" 64 "$seconds" </dev/null >"$tmp/out" 2>"$tmp/err"
    local rc=$? last
    last=$(tail -n 1 "$tmp/out")
    check "$1: no data race" bash -c "! grep -A30 -m1 'WARNING: ThreadSanitizer' '$tmp/err' >&2"
    is "$1: exit status" "$rc" 0
    check "$1: all answered" grep -q '^requests [0-9]*, failed 0,' <<<"$last"
    echo "# 64 threads, $1, ${seconds} s: $last"
}

if ! works; then
    skip "64 threads" "no working ThreadSanitizer here"
    finish
fi
load=build/tsan/tests/faults/load
if ! make -s B=build/tsan SANITIZE=-fsanitize=thread $load >"$tmp/make" 2>&1; then
    cat "$tmp/make" >&2
    fail "64 threads: build"
    finish
fi
run memory sqlite::memory:
run file "sqlite:$tmp/load.db"
if [ -n "${PRAX_TEST_POSTGRES:-}" ]; then
    schema=load_$$
    psql -qX "$PRAX_TEST_POSTGRES" -c "CREATE SCHEMA $schema"
    run postgres "$PRAX_TEST_POSTGRES&options=-csearch_path%3D$schema"
    psql -qX "$PRAX_TEST_POSTGRES" -c "DROP SCHEMA $schema CASCADE" 2>"$tmp/notices"
else
    skip postgres "${PRAX_TEST_POSTGRES_WHY:-no server}"
fi
finish

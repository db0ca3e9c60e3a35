#!/bin/bash
# Runs the tests given as arguments: programs (cmocka, printing TAP) and scripts that print TAP.
# Shows failures and skips with their reasons; the last line is `N passed, N failed, N skipped`.
# A program that dies or prints no plan counts as one failure.
set -uo pipefail
. tests/lib/pg.sh

export CMOCKA_MESSAGE_OUTPUT=TAP
export B

# Tests in tests/bpf attach to the kernel. An ordinary user runs them through sudo if that asks for
# nothing; without it they say themselves what they cannot do. They write to /tmp only, so nothing in
# the tree ends up owned by root.
as_root=()
if [ "$(id -u)" -ne 0 ] && sudo -n true 2>/dev/null; then
    # As root, not as somebody's root: the tests say themselves for whom they run a command.
    as_root=(sudo -n env -u SUDO_USER -u SUDO_UID -u SUDO_GID -u SUDO_COMMAND "PATH=$PATH" "B=$B"
             CMOCKA_MESSAGE_OUTPUT=TAP)
fi
# One private PostgreSQL for all tests of databases, started before the first of them and stopped at
# the end, however that comes. Whoever sets PRAX_TEST_POSTGRES brings a server, which is left alone.
trap pg_stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
asked=${PRAX_TEST_POSTGRES:+1}
need_postgres() {
    [ -n "$asked" ] || pg_start
    asked=1
}

log=$B/tests/log
mkdir -p "$log"
pass=0 fail=0 skip=0

for t in "$@"; do
    name=$(basename "$t")
    out=$log/$name.tap
    started=$SECONDS
    runner=()
    case $t in */bpf/*) runner=("${as_root[@]}") ;; esac
    case $t in */db/* | *postgres* | *_manual) need_postgres ;; esac
    timeout -k 5 "${PRAX_TEST_TIMEOUT:-300}" "${runner[@]}" "$t" >"$out" 2>"$log/$name.err"
    status=$?
    n_pass=$(grep -cE '^ok [0-9]+' "$out")
    n_skip=$(grep -ciE '^(not )?ok [0-9]+.*# *skip' "$out")
    n_fail=$(grep -E '^not ok [0-9]+' "$out" | grep -vciE '# *skip')
    n_pass=$((n_pass - $(grep -ciE '^ok [0-9]+.*# *skip' "$out")))
    if [ $((n_pass + n_fail + n_skip)) -eq 0 ] || { [ $status -ne 0 ] && [ "$n_fail" -eq 0 ]; }; then
        n_fail=$((n_fail + 1))
        echo "  FAIL  $name: exit status $status, see $out and $log/$name.err"
        tail -n 5 "$log/$name.err"
    fi
    printf '  %-34s %3d passed, %d failed, %d skipped  (%d s)\n' \
        "$name" "$n_pass" "$n_fail" "$n_skip" $((SECONDS - started))
    if [ "$n_fail" -gt 0 ]; then
        grep -E -A8 '^not ok' "$out" | grep -viE '# *skip' | head -n 40
        tail -n 20 "$log/$name.err"
    fi
    grep -iE '# *skip' "$out" | sed 's/^/        /'
    pass=$((pass + n_pass)) fail=$((fail + n_fail)) skip=$((skip + n_skip))
done

echo "$pass passed, $fail failed, $skip skipped"
[ "$fail" -eq 0 ]

#!/bin/bash
# Something happens at each step of a program's talk with PostgreSQL: the network is slow, cut or
# swallows all, the server's process is killed (which makes it restart), the program is killed. What
# was told to be done is there, what was refused is not, and no part of anything; what follows works
# again. A server of our own. PRAX_FAULTS=long goes through all places, in the middle of messages too.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/pg.sh"
trap 'pg_stop; rm -rf "$tmp"' EXIT

# EVENT STRIDE CHUNK
short=("slow 1 50" "cut 5 0" "cut 61 50" "client 29 40" "hole 25 0" "server 25 0")
long=("slow 1 3" "cut 1 0" "cut 1 50" "cut 3 5" "client 1 40" "hole 1 0" "server 1 0")
plans=("${short[@]}")
[ "${PRAX_FAULTS:-}" = long ] && plans=("${long[@]}")

if ! pg_start fsync=on full_page_writes=on synchronous_commit=on; then
    skip "faults step by step" "$PRAX_TEST_POSTGRES_WHY"
    finish
fi
for plan in "${plans[@]}"; do
    read -r event stride chunk <<<"$plan"
    "$B/tests/faults/steps" "$event" "$stride" "$chunk" >"$tmp/out" 2>"$tmp/err"
    rc=$?
    is "$event, every $stride steps, chunks of $chunk bytes" "$rc" 0
    echo "# $(tail -n 1 "$tmp/out") (every $stride, chunks of $chunk)"
    cat "$tmp/err" >&2
done
finish

#!/bin/bash
# Runs benches one after the other. Raw figures of every round and the tables go to build/bench/.
set -uo pipefail
. tests/lib/pg.sh
export BENCH_RAW=build/bench
mkdir -p "$BENCH_RAW" "$B/tests"

# A private PostgreSQL for the benches that want one, with memory as a real one has; whoever sets
# PRAX_TEST_POSTGRES brings a server.
trap pg_stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
case "$*" in *postgres*) [ -n "${PRAX_TEST_POSTGRES:-}" ] || pg_start shared_buffers=256MB ;; esac

{
    echo "machine: $(uname -srm), $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
    for b in "$@"; do
        echo
        echo "== $(basename "$b")"
        "$b" ${BENCH_ARGS:-}
    done
} | tee "$BENCH_RAW/table.txt"
echo
echo "raw figures: $BENCH_RAW/*.csv"

#!/bin/bash
# Runs benches one after the other. Raw figures of every round and the tables go to build/bench/.
set -uo pipefail
export BENCH_RAW=build/bench
mkdir -p "$BENCH_RAW"
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

#!/bin/bash
# Runs benches one after the other. Raw figures of every round, the tables and the summary go to
# build/bench/. A time never fails it; a bench that ends with an error does, when all have run.
set -uo pipefail
. tests/lib/pg.sh
export BENCH_RAW=build/bench
mkdir -p "$BENCH_RAW" "$B/tests"
: >"$BENCH_RAW/summary.txt"
: >"$BENCH_RAW/failed.txt"

# A private PostgreSQL for the benches that want one, with memory as a real one has; whoever sets
# PRAX_TEST_POSTGRES brings a server. Server and bench share one core: between cores of a virtual
# machine a wake-up costs up to four times what a client does, and it hits peers at random.
trap pg_stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
pin=()
if [[ "$*" == *postgres_* ]] && [ -z "${PRAX_TEST_POSTGRES:-}" ]; then
    cores=$(taskset -cp $$ | sed 's/.*: //')
    pin=(taskset -c "${cores##*[-,]}")
    taskset -cp "${cores##*[-,]}" $$ >/dev/null
    pg_start shared_buffers=256MB
    taskset -cp "$cores" $$ >/dev/null
fi

{
    echo "machine: $(uname -srm), $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
    echo "$# benches; all seven together take about 3 minutes on 2 cores"
    for b in "$@"; do
        echo
        echo "== $(basename "$b")"
        case $b in
        *postgres_*) "${pin[@]}" "$b" ${BENCH_ARGS:-} ;;
        *.sh) "$b" ;;
        *) "$b" ${BENCH_ARGS:-} ;;
        esac || echo "$(basename "$b")" >>"$BENCH_RAW/failed.txt"
    done
    echo
    echo "== summary: the median ratio of each peer to the first of its group; goals are Prax's"
    cat "$BENCH_RAW/summary.txt"
    echo
    echo "took $SECONDS s, load now $(cut -d' ' -f1-3 /proc/loadavg)"
} | tee "$BENCH_RAW/table.txt"
echo "raw figures: $BENCH_RAW/*.csv; tables: $BENCH_RAW/table.txt"
echo "recording beside its peers has benches of its own: make bench-heap, make bench-unwind (root)"
if [ -s "$BENCH_RAW/failed.txt" ]; then
    echo "failed: $(paste -sd' ' "$BENCH_RAW/failed.txt")" >&2
    exit 1
fi

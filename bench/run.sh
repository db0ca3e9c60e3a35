#!/bin/bash
# Runs benches one after the other. Raw figures of every round and the tables go to build/bench/.
set -uo pipefail
. tests/lib/pg.sh
export BENCH_RAW=build/bench
mkdir -p "$BENCH_RAW" "$B/tests"

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
    for b in "$@"; do
        echo
        echo "== $(basename "$b")"
        case $b in
        *postgres_*) "${pin[@]}" "$b" ${BENCH_ARGS:-} ;;
        *) "$b" ${BENCH_ARGS:-} ;;
        esac
    done
} | tee "$BENCH_RAW/table.txt"
echo
echo "raw figures: $BENCH_RAW/*.csv"

#!/bin/bash
# What recording the heap costs a program: slowdown on three workloads beside heaptrack and valgrind's
# dhat, nanoseconds a malloc and free, events a second, memory of the observer a live block.
#
# Recorders take turns, round by round, and only the program's own time counts, not a recorder's start
# and end; heaptrack runs the program as its own child, so its start, timed on `true`, is taken off.
# Medians of BENCH_ROUNDS (default 7). Raw figures stay in build/bench/heap. Figures never fail it.
set -uo pipefail
readonly bin=$B/bench/heap out=build/bench/heap rounds=${BENCH_ROUNDS:-7}
if [ "$(id -u)" -ne 0 ]; then
    echo "bench-heap: needs root: sudo make bench-heap" >&2
    exit 1
fi
rm -rf "$out" && mkdir -p "$out"
trap 'rm -rf "$out"/profile "$out"/heaptrack.*' EXIT

# The median of a column of a log.
median() { sort -n -k"$2,$2" "$1" | awk -v k="$2" '{ v[NR] = $k } END { print v[int((NR + 1) / 2)] }'; }
ours() { # HOW LOG COMMAND...
    local how=$1 log=$2
    shift 2
    "$B/prax-bpf" record "$how" -o "$out/profile" -- "$bin/timed" "$log" "$@" >/dev/null 2>>"$out/errors"
    grep -q '"lost_part": 0[,.]*0*,' "$out/profile/meta.json" || echo "$how: events were lost: $*"
}
has() { command -v "$1" >/dev/null; }

# ---- slowdown -----------------------------------------------------------------------------------
workload() { # NAME COMMAND...
    local name=$1 log _ m plain start
    shift
    log=$out/$name
    for _ in $(seq "$rounds"); do
        "$bin/timed" "$log.plain" "$@" >/dev/null
        ours --heap "$log.exact" "$@"
        ours --heap=512K "$log.512K" "$@"
        if has heaptrack; then
            "$bin/timed" "$log.heaptrack" heaptrack -r -o "$out/heaptrack" "$@" >/dev/null 2>&1
            "$bin/timed" "$log.start" heaptrack -r -o "$out/heaptrack" true >/dev/null 2>&1
            rm -f "$out"/heaptrack.*
        fi
    done
    plain=$(median "$log.plain" 1)
    for m in plain exact 512K heaptrack; do
        [ -s "$log.$m" ] || continue
        start=$([ $m = heaptrack ] && median "$log.start" 1 || echo 0)
        sort -n "$log.$m" | awk -v name="$name" -v m=$m -v p="$plain" -v off="$start" '
            { v[NR] = $1 - off }
            END { x = v[int((NR + 1) / 2)]
                  printf "%-14s %-10s %9.1f ms %8.3f x   (%.3f .. %.3f)\n", name, m, x / 1000, x / p,
                         v[1] / p, v[NR] / p }'
    done
}
under_dhat() { # NAME COMMAND...: once, for it takes long
    local log=$out/$1
    shift
    has valgrind || return
    "$bin/timed" "$log.short" "$@" >/dev/null
    "$bin/timed" "$log.dhat" valgrind --tool=dhat --dhat-out-file=/dev/null "$@" >/dev/null 2>&1
    paste -d' ' "$log.short" "$log.dhat" | awk -v name="$(basename "$log")" '{
        printf "%-14s %-10s %9.1f ms %8.1f x   (once, a shorter run)\n", name, "dhat", $5 / 1000, $5 / $1 }'
}
echo "machine: $(uname -srm), $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg), $rounds rounds"
echo
echo "slowdown       recorder      median      ratio   (least .. most)"
workload sqlite "$B/profile_memory" -l -n 400000
under_dhat sqlite "$B/profile_memory" -l -n 20000
workload sqlite_threads "$B/profile_memory" -l -t 2 -n 100000
workload cpp "$bin/work_cpp" 2000000 1
under_dhat cpp "$bin/work_cpp" 200000 1
workload cpp_threads "$bin/work_cpp" 2000000 2

# ---- a pair -------------------------------------------------------------------------------------
pair() { # NAME PAIRS RECORD_OPTION|none
    local _ ns
    for _ in $(seq "$rounds"); do
        if [ "$3" = none ]; then
            "$bin/pairs" "$2"
        else
            "$B/prax-bpf" record "$3" -o "$out/profile" -- "$bin/pairs" "$2" 2>>"$out/errors" |
                grep -m1 -E '^[0-9.]+$'
        fi >>"$out/pair.$1"
    done
    ns=$(median "$out/pair.$1" 1)
    echo "$1 $ns" | awk '{ printf "%-14s %9.1f ns a pair\n", $1, $2 }'
}
echo
echo "malloc + free"
pair plain 5000000 none
pair 512K 5000000 --heap=512K
pair exact 2000000 --heap
pair probes 50000 --heap=probes

# ---- memory of the observer ----------------------------------------------------------------------
echo
echo "live blocks    resident memory of prax-bpf, KiB, and bytes a block beyond that of none"
base=
for n in 1 1000 10000 100000 1000000 10000000; do
    "$bin/timed" "$out/memory.$n" "$B/prax-bpf" record --heap -o "$out/profile" -- "$bin/pairs" 600000 "$n" \
        >/dev/null 2>>"$out/errors"
    kib=$(cut -d' ' -f4 "$out/memory.$n")
    base=${base:-$kib}
    echo "$n $kib $base" | awk '{ printf "%-14d %9d %9.1f\n", $1, $2, ($2 - $3) * 1024 / $1 }'
done
echo
echo "raw figures: $out"

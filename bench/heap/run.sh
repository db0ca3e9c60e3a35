#!/bin/bash
# What recording the heap costs a program: slowdown on three workloads beside heaptrack and valgrind's
# dhat, nanoseconds a malloc and free from within and by probes, beside plain probes and empty
# programs, a page fault, events a second, memory of the observer a live block; and how far the sites
# of samples are from the exact ones.
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
trap 'rm -rf "$out"/profile "$out"/exact "$out"/heaptrack.*' EXIT

# The median of a column of a log.
median() { sort -n -k"$2,$2" "$1" | awk -v k="$2" '{ v[NR] = $k } END { print v[int((NR + 1) / 2)] }'; }
ours() { # HOW LOG COMMAND...
    local how=$1 log=$2
    shift 2
    "$B/prax-bpf" record "$how" -o "$out/profile" -- "$bin/timed" "$log" "$@" >/dev/null 2>>"$out/errors"
    grep -q '"lost_part": 0[,.]*0*,' "$out/profile/meta.json" || echo "$how: events were lost: $*"
}
has() { command -v "$1" >/dev/null; }
# The median of a log's time on CPUs, which what else runs on the machine disturbs less; what waits
# cost is not in it. heaptrack's includes its own start.
own_time() { awk '{ print $2 + $3 }' "$1" >"$out/own" && median "$out/own" 1; }

# ---- slowdown -----------------------------------------------------------------------------------
workload() { # NAME COMMAND...
    local name=$1 log _ m plain start
    shift
    log=$out/$name
    for _ in $(seq "$rounds"); do
        "$bin/timed" "$log.plain" "$@" >/dev/null
        ours --heap "$log.exact" "$@"
        ours --heap=512K "$log.512K" "$@"
        ours --heap=pages "$log.pages" "$@"
        if has heaptrack; then
            "$bin/timed" "$log.heaptrack" heaptrack -r -o "$out/heaptrack" "$@" >/dev/null 2>&1
            "$bin/timed" "$log.start" heaptrack -r -o "$out/heaptrack" true >/dev/null 2>&1
            rm -f "$out"/heaptrack.*
        fi
    done
    plain=$(median "$log.plain" 1)
    for m in plain exact 512K pages heaptrack; do
        [ -s "$log.$m" ] || continue
        start=$([ $m = heaptrack ] && median "$log.start" 1 || echo 0)
        sort -n "$log.$m" | awk -v name="$name" -v m=$m -v p="$plain" -v off="$start" \
            -v cpu="$(own_time "$log.$m")" -v plain_cpu="$(own_time "$log.plain")" '
            { v[NR] = $1 - off }
            END { x = v[int((NR + 1) / 2)]
                  printf "%-14s %-10s %9.1f ms %8.3f x   (%.3f .. %.3f)   %8.3f x\n", name, m, x / 1000,
                         x / p, v[1] / p, v[NR] / p, cpu / plain_cpu }'
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
echo "slowdown       recorder      median      ratio   (least .. most)        on CPUs"
workload sqlite "$B/profile_memory" -l -n 400000
under_dhat sqlite "$B/profile_memory" -l -n 20000
workload sqlite_threads "$B/profile_memory" -l -t 2 -n 100000
workload cpp "$bin/work_cpp" 2000000 1
under_dhat cpp "$bin/work_cpp" 200000 1
workload cpp_threads "$bin/work_cpp" 2000000 2

# ---- a pair, a fault ------------------------------------------------------------------------------
each() { # NAME RECORD_OPTION|none COMMAND...: what the command prints, for every round
    local name=$1 how=$2 _
    shift 2
    for _ in $(seq "$rounds"); do
        if [ "$how" = none ]; then
            "$@"
        else
            "$B/prax-bpf" record "$how" -o "$out/profile" -- "$@" 2>>"$out/errors" |
                grep -m1 -E '^[0-9.]+$'
            grep -q '"lost_part": 0[,.]*0*,' "$out/profile/meta.json" || echo "$how: lost" >&2
        fi >>"$out/each.$name"
    done
}
pair() { # NAME PAIRS RECORD_OPTION|none
    each "$1" "$3" "$bin/pairs" "$2"
    echo "$1 $(median "$out/each.$1" 1)" | awk '{
        printf "%-14s %9.1f ns a pair %14.0f events a second\n", $1, $2, 2e9 / $2 }'
}
echo
echo "malloc + free, from within"
pair plain 5000000 none
pair 512K 5000000 --heap=512K
pair exact 2000000 --heap

# Each round has all four, so a machine whose speed drifts changes them together.
"$bin/probed_pairs" "$B/prax-bpf" "$out/profile" "$rounds" 200000 >"$out/probed" 2>>"$out/errors"
echo
echo "malloc + free, by probes: ns on CPUs a pair, medians; ratios of the same round"
awk '{ print $1, $2, $3, $4, $4 / $2, $4 / $3 }' "$out/probed" >"$out/probed.ratios"
for k in 1:plain 2:naive 3:empty 4:full 5:full/naive 6:full/empty; do
    printf '%-14s %10.3f\n' "${k#*:}" "$(median "$out/probed.ratios" "${k%:*}")"
done

echo
echo "a page fault, and what tracepoints cost every process: ns, medians"
each fault none "$bin/faults" 400
each fault_pages --heap=pages "$bin/faults" 400
"$bin/hooks" "$rounds" >"$out/hooks" 2>>"$out/errors"
printf '%-34s %8.1f\n' "page fault" "$(median "$out/each.fault" 1)" \
    "page fault, --heap=pages" "$(median "$out/each.fault_pages" 1)" \
    "system call" "$(median "$out/hooks" 1)" "system call, empty hook" "$(median "$out/hooks" 2)" \
    "page fault, again" "$(median "$out/hooks" 3)" "page fault, empty hook" "$(median "$out/hooks" 4)"

# ---- sites ---------------------------------------------------------------------------------------
echo
echo "sites of samples beside exact ones: judged, within 1, 2, 3 standard errors, the furthest"
sites() { # NAME RATE COMMAND...
    local name=$1 rate=$2 _
    shift 2
    "$B/prax-bpf" record --heap -o "$out/exact" -- "$@" >/dev/null 2>>"$out/errors"
    for _ in $(seq "$rounds"); do
        "$B/prax-bpf" record "--heap=$rate" -o "$out/profile" -- "$@" >/dev/null 2>>"$out/errors"
        awk -v rate="$rate" -f bench/heap/sites.awk "$out/exact/heap.folded" "$out/profile/heap.folded"
        diff <(grep '^allocated in all' "$out/exact/heap.txt") \
            <(grep '^allocated in all' "$out/profile/heap.txt") >/dev/null || echo "$name: totals differ" >&2
    done >"$out/sites.$name"
    awk -v name="$name" '{ n += $1; a += $2; b += $3; c += $4; if ($5 > w) w = $5 }
        END { printf "%-14s %5d %5d %5d %5d %9.2f\n", name, n, a, b, c, w }' "$out/sites.$name"
}
sites sqlite 16384 "$B/profile_memory" -l -n 20000
sites sqlite_512K 524288 "$B/profile_memory" -l -n 400000
sites cpp 16384 "$bin/work_cpp" 500000 1

# ---- memory of the observer ----------------------------------------------------------------------
echo
echo "how, live blocks, resident memory of prax-bpf in KiB, and bytes a block beyond that of none"
memory() { # RECORD_OPTION PAIRS BLOCKS...: so many pairs fill the shared ring, which is no block's
    local how=$1 fill=$2 base='' n kib
    shift 2
    for n in "$@"; do
        "$bin/timed" "$out/memory.$how.$n" "$B/prax-bpf" record "$how" -o "$out/profile" -- \
            "$bin/pairs" "$fill" "$n" >/dev/null 2>>"$out/errors"
        kib=$(cut -d' ' -f4 "$out/memory.$how.$n")
        base=${base:-$kib}
        echo "$how $n $kib $base" | awk '{ printf "%-14s %10d %9d %9.1f\n", $1, $2, $3, ($3 - $4) * 1024 / $2 }'
    done
}
memory --heap 600000 1 1000 10000 100000 1000000 10000000
memory --heap=probes 200000 1 1000 10000 100000 1000000
echo
echo "raw figures: $out"

#!/bin/bash
# Our stacks beside those of frame pointers and of perf's DWARF mode: how many are whole, whether
# they are the same, what a sample costs, what it costs the program, how large the tables and the
# output are.
#
# Everything of a comparison happens in one run: the recorders watch the same process at the same
# time, and the costs are taken in turn (cost.c). Raw logs and figures stay in build/bench/unwind.
# Figures never fail the bench. BENCH_SECONDS (default 4) is how long each recording takes;
# BENCH_MINUTE=1 adds a recording of a minute, whose size is then no extrapolation.
set -uo pipefail
readonly S=${BENCH_SECONDS:-4} HZ=999
readonly here=bench/unwind bin=$B/bench/unwind out=build/bench/unwind
rounds=$((S > 1 ? 9 : 3)) window=$((S > 1 ? 2000 : 250))
work='' pg=''

if [ "$(id -u)" -ne 0 ]; then
    echo "bench-unwind: needs root: sudo make bench-unwind" >&2
    exit 1
fi
rm -rf "$out" && mkdir -p "$out"

stop_work() {
    [ -n "$work" ] && kill "$work" 2>/dev/null && wait "$work" 2>/dev/null
    work=''
}
as_postgres() { (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups "$@"); }
stop_postgres() {
    [ -n "$pg" ] && as_postgres "$pgbin/pg_ctl" -D "$pg/data" -m immediate stop >/dev/null 2>&1
    [ -n "$pg" ] && rm -rf "$pg"
    pg=''
}

# ---- PostgreSQL with TLS on a loopback port, private to this run --------------------------------
start_postgres() {
    local port=$((20000 + $$ % 20000)) log=$out/postgres.log
    pgbin=$(pg_config --bindir 2>/dev/null)
    [ -x "$pgbin/initdb" ] ||
        pgbin=$(find /usr/lib/postgresql -name initdb -printf '%h\n' 2>/dev/null | tail -n 1)
    [ -x "${pgbin:-}/initdb" ] && id postgres >/dev/null 2>&1 || return 1
    pg=$(mktemp -d /tmp/bench-unwind-XXXXXX) || return 1
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
        -keyout "$pg/key" -out "$pg/cert" >/dev/null 2>&1 || return 1
    chmod 600 "$pg/key" && chown -R postgres: "$pg" || return 1
    as_postgres "$pgbin/initdb" -D "$pg/data" -A trust --no-sync >"$log" 2>&1 || return 1
    as_postgres "$pgbin/pg_ctl" -w -D "$pg/data" -l "$pg/log" -o "-h 127.0.0.1 -p $port -k $pg -F \
        -c ssl=on -c ssl_cert_file=$pg/cert -c ssl_key_file=$pg/key" start >>"$log" 2>&1 || return 1
    conninfo="host=127.0.0.1 port=$port user=postgres dbname=postgres sslmode=require"
}

# ---- whole stacks, and the same ones ------------------------------------------------------------
perf_stacks() { # DATA OUT
    perf script -i "$1" -F ip,sym,dso --no-inline 2>/dev/null >"$1.txt"
    awk -f "$here/perf.awk" "$1.txt" >"$2" 2>"$2.whole"
}

# All three recorders at once, on one process.
record_all() { # NAME COMMAND...
    local name=$1 dir=$out/$1
    shift
    mkdir -p "$dir"
    "$@" 2>"$dir/log" &
    work=$!
    sleep 0.5
    if ! kill -0 "$work" 2>/dev/null; then
        echo "bench-unwind: $name ended: $(cat "$dir/log")" >&2
        return 1
    fi
    "$B/prax-bpf" record -p "$work" --cpu=$HZ -d "$S" -o "$dir/ours" >"$dir/ours.log" 2>&1 &
    local ours=$!
    perf record -q -e cpu-clock -F $HZ --call-graph fp -p "$work" -o "$dir/fp" \
        -- sleep "$S" >"$dir/fp.log" 2>&1 &
    local fp=$!
    perf record -q -e cpu-clock -F $HZ --call-graph dwarf -p "$work" -o "$dir/dwarf" \
        -- sleep "$S" >"$dir/dwarf.log" 2>&1
    wait $ours $fp
    stop_work
    perf_stacks "$dir/fp" "$dir/fp.stacks"
    perf_stacks "$dir/dwarf" "$dir/dwarf.stacks"
    "$bin/stacks" list "$dir/ours" >"$dir/ours.stacks"
    awk 'NR % 2' "$dir/dwarf.stacks" >"$dir/even"
    awk 'NR % 2 == 0' "$dir/dwarf.stacks" >"$dir/odd"
    rm -f "$dir"/*.txt
}

# Random stops of the same program, unwound by both on the same stopped thread.
pair() { # NAME COMMAND...
    local dir=$out/$1
    shift
    "$@" 2>>"$dir/log" &
    work=$!
    sleep 0.5
    "$bin/pairs" $((S * 125)) "$work" >"$dir/pairs.csv" 2>"$dir/pairs.log" ||
        tail -n 1 "$dir/pairs.log" >&2
    stop_work
}

number() { sed -n "s/^ *\"$2\": \([0-9]*\).*/\1/p" "$1/meta.json"; }
share() { # PART ALL
    awk -v n="$1" -v all="$2" \
        'BEGIN { if (all > 0) printf "%.2f %%", 100 * n / all; else printf "-" }'
}
perf_share() { # STACKS
    local all whole
    read -r all whole <"$1.whole"
    share "$whole" "$all"
}

whole_row() { # NAME GOAL
    local d=$out/$1 ours guessed
    ours=$(number "$d/ours" ok) guessed=$(number "$d/ours" ok_guessed)
    printf '%-26s %9s %12s %12s %12s %10s   %s\n' "$1" "$(number "$d/ours" samples)" \
        "$(share "${ours:-0}" "$(number "$d/ours" samples)")" \
        "$(share "${guessed:-0}" "$(number "$d/ours" samples)")" \
        "$(perf_share "$d/fp.stacks")" "$(perf_share "$d/dwarf.stacks")" "$2"
}

same_row() { # NAME, A, B: which, of NAME
    local d=$out/$1
    awk -v others="$d/$2-not-$3" -f "$here/compare.awk" "$d/$2" "$d/$3" | {
        read -r in_b in_a overlap b_cut a_cut rare other
        printf '%-26s %9s %9s %9s   %8s %8s %8s %8s\n' "$1, $4" "$in_b" "$in_a" "$overlap" \
            "$b_cut" "$a_cut" "$rare" "$other"
    }
}

pair_row() { # NAME
    awk -F, -v name="$1" 'NR > 1 { n++; same += $2 == $4 && $3 == $4; frames += $3; equal += $4 }
        END { if (n) printf "%-26s %9d %9d %11.2f %% %11.2f %%   %s\n", name, n, same,
                  100 * same / n, 100 * equal / frames, ">= 99 %" }' "$out/$1/pairs.csv"
}

# ---- size and the reader's time -----------------------------------------------------------------
# CPU time in ns of a process so far, its main thread.
cpu_ns() { cut -d' ' -f1 "/proc/$1/schedstat" 2>/dev/null || echo 0; }

reader_share() { # prints the share of a core that the reader takes while it records
    local pid a b
    "$B/prax-bpf" record -p "$work" --cpu=$HZ -d $((S + 2)) -o "$out/reader" \
        >"$out/reader.log" 2>&1 &
    pid=$!
    sleep 1
    a=$(cpu_ns $pid)
    sleep "$S"
    b=$(cpu_ns $pid)
    wait $pid
    awk -v ns=$((b - a)) -v s="$S" 'BEGIN { printf "%.2f %%", ns / s / 1e7 }'
}

sizes() {
    local hz
    for hz in 99 $HZ; do
        "$B/prax-bpf" record -p "$work" --cpu="$hz" -d "$S" -o "$out/size-$hz" >/dev/null 2>&1 &
        perf record -q -e cpu-clock -F "$hz" --call-graph dwarf -p "$work" -o "$out/size-$hz.perf" \
            -- sleep "$S" >/dev/null 2>&1
        wait $!
        echo "$hz $(cat "$out/size-$hz"/* | wc -c) $(wc -c <"$out/size-$hz.perf")"
        rm -f "$out/size-$hz.perf"
    done
}

# A real minute at 99 Hz, both recorders at once; with BENCH_MINUTE=1.
minute() {
    "$B/prax-bpf" record -p "$work" --cpu=99 -d 60 -o "$out/minute" >"$out/minute.log" 2>&1 &
    perf record -q -e cpu-clock -F 99 --call-graph dwarf -p "$work" -o "$out/minute.perf" \
        -- sleep 60 >/dev/null 2>&1
    wait $!
    awk -v ours="$(cat "$out/minute"/* | wc -c)" -v perf="$(wc -c <"$out/minute.perf")" \
        'BEGIN { printf "%-44s %9.3f MB %9.3f MB   <= 1/50: 1/%d\n",
                 "data at 99 Hz: folder / perf.data, 60 s", ours / 1e6, perf / 1e6, perf / ours }'
    rm -f "$out/minute.perf"
}

size_rows() { # RING BYTES A SECOND at 99 and 999 Hz
    awk -v s="$S" -v ring99="$1" -v ring999="$2" '
        function mb(n) { return sprintf("%.3f MB", n / 1e6) }
        { printf "%-44s %12s %12s\n", "data at " $1 " Hz: folder in " s " s", mb($2), mb($3)
          ring = $1 == 99 ? ring99 : ring999
          aim = $1 == 999 ? sprintf("   <= 0.2 MB/s: %.3f MB/s", ring / 1e6) : ""
          printf "%-44s %12s %12s%s\n", "data at " $1 " Hz: ring buffer / perf.data, 60 s",
              mb(60 * ring), mb(60 * $3 / s), aim }
    ' "$out/sizes"
}

# ---- the tables ---------------------------------------------------------------------------------
report_whole() {
    echo
    echo "samples whose stack reaches _start ($HZ Hz, all recorders on one process at once)"
    printf '%-26s %9s %12s %12s %12s %10s   %s\n' '' samples ours 'ours guessed' 'frame ptrs' \
        'perf dwarf' 'aim for ours'
    for name in "${names[@]}"; do
        whole_row "$name" "$([ "$name" = libpq ] && echo '>= 98.5 %' || echo '>= 99.5 %')"
    done
    echo
    echo "the same stacks? a thread stopped at random moments, unwound by ours and by elfutils"
    printf '%-26s %9s %9s %13s %13s   %s\n' '' stops 'the same' '' 'of frames' aim
    for name in "${names[@]}"; do pair_row "$name"; done
    echo
    echo "the same stacks? by perf's samples of the same seconds: weighted sets of callers; every second line is what chance does to them"
    printf '%-26s %9s %9s %9s   %s\n' '' 'A in B' 'B in A' overlap \
        'A not in B, %: B cut, A cut, rare (<= 2), other'
    for name in "${names[@]}"; do
        same_row "$name" ours.stacks dwarf.stacks 'ours / perf dwarf'
        same_row "$name" even odd 'perf / itself'
    done
}

report_cost() {
    echo
    echo "cost ($rounds rounds in turn, windows of $window ms, medians with least and most)"
    awk -f "$here/cost.awk" "$out/cost-sqlite.csv" "$out/cost-deep.csv"
}

# Of tables.csv: size; medians of the time, cold and cached, less the round that fills the cache.
table_rows() {
    awk -F, 'function sort(v, n,   i, k, x) {
            for (i = 2; i <= n; i++) for (k = i; k > 1 && v[k] < v[k - 1]; k--) {
                x = v[k]; v[k] = v[k - 1]; v[k - 1] = x }
        }
        function row(kind, t, n, aim) {
            sort(t, n)
            what = sprintf("  built %s, ms (%.1f .. %.1f)", kind, t[1], t[n])
            printf "%-44s %12.1f %12s   %s\n", what, t[int((n + 1) / 2)], "-", aim
        }
        $1 == "cold" { cold[++n_cold] = $3 / 1e6 }
        $1 == "cached" && $2 > 0 { cached[++n_cached] = $3 / 1e6 }
        NR > 1 { mappings = $4; rows = $5; bytes = $6 }
        END {
            if (!n_cached)
                exit
            printf "%-44s %12s %12s   %s\n", "tables, SQLite + libpq: " mappings " mappings",
                sprintf("%.2f MB", bytes / 1e6), "-", "<= 2.5 MB"
            printf "%-44s %12d %12s\n", "  rows", rows, "-"
            row("cold", cold, n_cold, "<= 100")
            row("from the cache", cached, n_cached, "<= 10")
        }' "$out/tables.csv"
}

# Bytes a second through the ring buffer at a rate.
ring_bytes() {
    awk -F, -v hz="$1" '$2 == "ours" && $3 == hz { b += $11; w += $6 }
        END { if (w) print b / w * 1e9 }' "$out/cost-sqlite.csv"
}

report_size() {
    echo
    printf '%-44s %12s %12s   %s\n' '' ours 'perf dwarf' 'aim for ours'
    table_rows
    size_rows "$(ring_bytes 99)" "$(ring_bytes 999)"
    [ -z "${BENCH_MINUTE:-}" ] || cat "$out/minute.row"
    printf '%-44s %12s %12s   %s\n' "reader, share of a core at $HZ Hz" "$reader" '-' '<= 0.5 %'
}

main() { # in a shell of its own, for its output goes through a pipe
    trap 'stop_work; stop_postgres' EXIT
    trap 'exit 1' INT TERM
    names=()
    if command -v perf >/dev/null; then
        record_all sqlite "$bin/work_sqlite" && names+=(sqlite)
        pair sqlite "$bin/work_sqlite"
        if start_postgres; then
            record_all libpq "$bin/work_libpq" "$conninfo" && names+=(libpq)
            pair libpq "$bin/work_libpq" "$conninfo"
        else
            echo "no PostgreSQL can be started here ($out/postgres.log): libpq is left out"
        fi
        stop_postgres
        record_all deep "$bin/work_deep" && names+=(deep)
        pair deep "$bin/work_deep"
        report_whole
        "$bin/stacks" draw work_sqlite $HZ "$S" <"$out/sqlite/fp.stacks" >"$out/frame-pointers.svg"
        cp "$out/sqlite/ours/flamegraph.svg" "$out/ours.svg"
    else
        echo "perf is not installed (linux-perf): nothing to compare stacks with"
    fi
    "$bin/cost" $rounds $window "$bin/work_sqlite" >"$out/cost-sqlite.csv"
    "$bin/cost" $((rounds / 3)) $window "$bin/work_deep" >"$out/cost-deep.csv"
    report_cost
    PRAX_BPF_CACHE=$PWD/$out/cache "$bin/tables" 7 >"$out/tables.csv"
    "$bin/work_sqlite" &
    work=$!
    sleep 0.3
    reader=$(reader_share)
    sizes >"$out/sizes"
    [ -z "${BENCH_MINUTE:-}" ] || minute >"$out/minute.row"
    stop_work
    report_size
}

{
    echo "machine: $(uname -sm) $(uname -r | cut -d- -f1), $(nproc) cores," \
        "load $(cut -d' ' -f1-3 /proc/loadavg); $S s a recording"
    main
    echo
    echo "load at the end: $(cut -d' ' -f1-3 /proc/loadavg). Raw: $out"
} | tee "$out/table.txt"

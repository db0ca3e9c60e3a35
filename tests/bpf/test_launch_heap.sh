#!/bin/bash
# The heap of a command from within: what it counts, that the command does not notice, and what
# happens when either side fails.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf
trouble=$victims/heap_trouble

# Bytes of a function's sites, from the folded stacks.
bytes() { awk -v f=";$1 " 'index($0, f) { n += $NF } END { print n + 0 }' "$tmp/$2/heap.folded"; }
dhat() { # FILE MEMBER: the sum over all program points
    sqlite3 :memory: "SELECT sum(json_extract(value, '\$.$2'))
        FROM json_each(json_extract(CAST(readfile('$1') AS TEXT), '\$.pps'))"
}
# record FOLDER OPTION COMMAND...: its status goes to $status
record() {
    local dir=$tmp/$1 how=$2
    shift 2
    rm -rf "$dir"
    "$bpf" record "$how" -o "$dir" -- "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
}

# ---- figures that are known ----
"$victims/heap_known" >"$tmp/alone.out" 2>"$tmp/alone.err"
alone=$?
record known --heap "$victims/heap_known"
is "the command's status" $status $alone
is "leaks, the child's too" "$(bytes leak known)" $((64000 + 1280))
is "four threads" "$(bytes churn known)" 96000
is "realloc in all its forms" "$(bytes resize known)" $((100600 + 10 + 40))
is "aligned, cleared, arrays" "$(bytes others known)" $((333 + 128 + 100 + 25))
is "a failed allocation is none" "$(grep -c '^note: allocations that failed: 1$' "$tmp/known/heap.txt")" 1
is "nothing lost" "$(json "$tmp/known/meta.json" lost_part)" 0
record probes --heap=probes "$victims/heap_known"
# What the C library allocates for threads has a line more: this library has a variable of threads.
is "the same stacks, blocks and bytes as by probes" "$(grep -v allocate_dtv "$tmp/known/heap.folded")" \
    "$(grep -v allocate_dtv "$tmp/probes/heap.folded")"

app=$B/profile_memory
record app --heap "$app" -n 500
is "a program on the ORM: status" $status 0
is "its output" "$(grep -v '^prax-bpf' "$tmp/out" | head -n 1)" "readings 500"
# By probes a start may be over before the loader has read where the program keeps its query: then the
# first blocks are charged to none.
for _ in 1 2 3; do
    record app_probes --heap=probes "$app" -n 500
    cmp -s "$tmp/app/heap.folded" "$tmp/app_probes/heap.folded" && break
done
is "the same stacks, blocks and bytes as by probes" "$(cat "$tmp/app/heap.folded")" \
    "$(cat "$tmp/app_probes/heap.folded")"
check "charged to queries" grep -q 'query:execute_insert Reading;' "$tmp/app/heap.folded"
valgrind --tool=dhat --num-callers=100 --dhat-out-file="$tmp/valgrind.json" "$app" -n 500 >/dev/null 2>&1
check "valgrind saw blocks" test "$(dhat "$tmp/valgrind.json" tbk)" -gt 1000
for m in tbk tb gbk gb; do
    is "$m as valgrind's dhat says" "$(dhat "$tmp/app/dhat-heap.json" $m)" \
        "$(dhat "$tmp/valgrind.json" $m)"
done

check "every site as valgrind's dhat says: blocks, bytes, at the peak, at the end" \
    python3 tests/lib/dhat.py sites "$tmp/app/dhat-heap.json" "$tmp/valgrind.json"

# ---- samples ----
record all --heap "$app" -n 20000
record some --heap=16K "$app" -n 20000
is "sampled: status" $status 0
is "sampled: the totals are counted" "$(grep '^allocated in all' "$tmp/some/heap.txt")" \
    "$(grep '^allocated in all' "$tmp/all/heap.txt")"
# Of 14 sites a normal distribution has 9.6, 13.4, 14.0 within one, two, three standard errors; less than
# 4, 10 or 13 is seen once in thousands of runs.
read -r judged one two three worst where < <(awk -v rate=16384 -f bench/heap/sites.awk \
    "$tmp/all/heap.folded" "$tmp/some/heap.folded")
check "sampled: of $judged sites $one, $two, $three within one, two, three standard errors" \
    test "$judged" -ge 3 -a $((one * 100)) -ge $((judged * 28)) -a \
    $((two * 100)) -ge $((judged * 70)) -a $((three * 100)) -ge $((judged * 90))
check "sampled: none is further than 4.5 ($worst: ${where:0:60})" \
    awk -v w="$worst" 'BEGIN { exit !(w < 4.5) }'

# ---- motion ----
record cross --heap "$trouble" cross
is "freed in another thread: status" $status 0
is "freed in another thread: bytes" "$(bytes 'start_thread;fill;work' cross)" 100000
check "freed in another thread: nothing is left of them" \
    grep -q '0 B left in 0' <(grep -B3 'work (heap_trouble' "$tmp/cross/heap.txt")
record small --heap "$trouble" small
is "the smallest stack: status" $status 0
is "the smallest stack: bytes" "$(bytes 'start_thread;churn;work' small)" 24000
record forks --heap "$trouble" forks 1000
is "1,000 children: status" $status 0
is "1,000 children: a block of each" "$(bytes 'forks;work' forks)" 32000
is "1,000 children: nothing lost" "$(json "$tmp/forks/meta.json" lost_part)" 0
record exec --heap "$trouble" exec
is "exec: before and after" "$(bytes 'main;work' exec)-$(bytes 'fill;work' exec)" 11-100000
record dlopen --heap "$victims/motion_parts" dlopen
is "dlopen: status" $status 0
check "dlopen: the library's frames" grep -q 'part_dlopen;.*sqlite3' "$tmp/dlopen/heap.folded"
LD_PRELOAD=libpthread.so.0 "$bpf" record --heap -o "$tmp/others" -- sh -c 'echo "$LD_PRELOAD"' \
    >"$tmp/out" 2>"$tmp/err"
check "others in LD_PRELOAD stay" grep -q ':libpthread.so.0$' "$tmp/out"

# ---- what is never freed ----
"$bpf" record --leaks=0.3 -o "$tmp/leaks" -- sh -c "\"$app\" -n 2000; sleep 0.4" >"$tmp/out" 2>"$tmp/err"
is "leaks: of an age that nothing has reached" "$(grep -c 'remember' "$tmp/leaks/leaks.txt")" 0
"$bpf" record --leaks -o "$tmp/leaks" -- "$app" -n 2000 >"$tmp/out" 2>"$tmp/err"
check "leaks: the place, with its count" grep -q ' in 2[0-9][0-9] blocks of 250, ' "$tmp/leaks/leaks.txt"
check "leaks: the line" grep -q 'remember (profile_memory.c:' "$tmp/leaks/leaks.txt"
check "leaks: named among the files" grep -q 'leaks.txt heap.txt' "$tmp/err"
"$bpf" record --leaks -o "$tmp/leaks" -- "$app" -l -n 2000 >"$tmp/out" 2>"$tmp/err"
is "leaks: none where none are" "$(grep -c 'remember' "$tmp/leaks/leaks.txt")" 0
"$bpf" record --heap -o "$tmp/grow" -- "$trouble" grow 100000 >"$tmp/out" 2>"$tmp/err"
check "sizes: 100,000 of at most 64 bytes" grep -q '^  64 B  *100,00[0-9] ' "$tmp/grow/heap.txt"
check "lives: they were not freed" grep -q '^  not freed  *100,00[0-9] ' "$tmp/grow/heap.txt"
check "growth: the last row has most of them" \
    awk '/^Growth/ { on = 1 } on && NF == 0 { exit } on && /iB/ { gsub(",", "", $5); n = $5 }
        END { exit !(n > 80000) }' "$tmp/grow/heap.txt"

# ---- trouble ----
record corrupt --heap "$trouble" corrupt
is "a corrupted heap: the command's own end" $status 134
is "a corrupted heap: what came before" "$(bytes 'hold;work' corrupt)" 100000
"$bpf" record --heap -o "$tmp/killed" -- "$trouble" hold >"$tmp/out" 2>"$tmp/err" &
recorder=$!
wait_for grep -q ready "$tmp/out"
read -r pid _ <"/proc/$recorder/task/$recorder/children"
kill -KILL "$pid"
wait $recorder
is "killed: status" $? 137
is "killed: all blocks" "$(bytes 'hold;work' killed)" 100000
"$bpf" record --heap -o "$tmp/dead" -- sh -c "\"$app\" -n 30000; echo status \$?" >"$tmp/out" 2>"$tmp/err" &
recorder=$!
wait_for test -d "$tmp/dead"
sleep 0.3
kill -KILL $recorder
wait $recorder 2>/dev/null
wait_for grep -q status "$tmp/out"
is "our death: the program goes on and ends well" "$(cat "$tmp/out")" "$(printf 'readings 30000\nstatus 0')"

# ---- where no library can go in front ----
cp "$trouble" "$tmp/rights"
if chown nobody "$tmp/rights" 2>/dev/null && chmod u+s "$tmp/rights"; then
    record setid --heap "$tmp/rights" cross
    is "set-uid: refused" $status 2
    check "set-uid: names the mend" grep -q "record it with -p PID" "$tmp/err"
else
    skip "set-uid" "needs root"
fi
record static --heap "$victims/heap_static"
is "a static program: by probes, its leaks" "$(bytes leak static)" $((64000 + 1280))
check "a static program: said" grep -q "static program.*recorded by probes" "$tmp/err"
record own --heap "$victims/motion_heap.own" 500
is "a library's own malloc: each once" "$(bytes allocate own)" $((4 * (500 * 16 + 500 * 499 / 2)))
finish

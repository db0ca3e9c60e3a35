#!/bin/bash
# Exact heap recording by probes: every block and byte of a program whose figures are known.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf

# Bytes and blocks of a function's sites, from the folded stacks and the summary.
bytes() { awk -v f=";$1 " 'index($0, f) { n += $NF } END { print n + 0 }' "$2/heap.folded"; }

for features in "" -session -multi,-session; do
    name=${features:-all}
    rm -rf "$tmp/p"
    PRAX_BPF_FEATURES=$features "$bpf" record --heap=probes -o "$tmp/p" -- "$victims/heap_known" \
        >"$tmp/out" 2>"$tmp/err"
    is "$name: the command's status is ours" $? 3
    is "$name: leaks, the child's too" "$(bytes leak "$tmp/p")" $((64000 + 1280))
    is "$name: four threads" "$(bytes churn "$tmp/p")" 96000
    is "$name: realloc in all its forms" "$(bytes resize "$tmp/p")" $((100600 + 10 + 40))
    is "$name: aligned, cleared, arrays" "$(bytes others "$tmp/p")" $((333 + 128 + 100 + 25))
    is "$name: a failed allocation is none" \
        "$(grep -c '^note: allocations that failed: 1$' "$tmp/p/heap.txt")" 1
    is "$name: leak: blocks" \
        "$(grep -B3 'leak (' "$tmp/p/heap.txt" | grep -o 'left in 1,000' | head -n 1)" "left in 1,000"
    is "$name: nothing lost" "$(json "$tmp/p/meta.json" lost_part)" 0
done

"$bpf" record --heap=probes -o "$tmp/static" -- "$victims/heap_static" >"$tmp/out" 2>"$tmp/err"
is "a static program's own malloc: status" $? 3
is "a static program's own malloc: leaks" "$(bytes leak "$tmp/static")" $((64000 + 1280))

"$bpf" record --heap=probes -o "$tmp/own" -- "$victims/motion_heap.own" 500 >"$tmp/out" 2>"$tmp/err"
is "a library's own malloc: status" $? 0
is "a library's own malloc: bytes, each once" "$(bytes allocate "$tmp/own")" \
    $((4 * (500 * 16 + 500 * 499 / 2)))

"$victims/attach_loop" >"$tmp/loop" &
pid=$!
wait_for test -s "$tmp/loop"
"$bpf" record --heap -p $pid -d 0.5 -o "$tmp/a" 2>"$tmp/err"
is "attached to a running process" $? 0
check "its allocations" test "$(bytes work "$tmp/a")" -gt 0
check "what is older is said to be invisible" grep -q "before the recording are invisible" \
    "$tmp/a/meta.json"
kill -TERM $pid
wait $pid
is "it runs on, and ends by itself" $? 0

"$bpf" record --heap=512X -- true >"$tmp/out" 2>"$tmp/err"
is "another --heap: usage" $? 1
check "another --heap: said" grep -q "exact, probes, pages, orm or a number of bytes" "$tmp/err"
finish

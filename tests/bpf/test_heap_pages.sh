#!/bin/bash
# Page faults: every page of a program whose pages are known, by place, thread, child and huge page.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf
victim=$victims/heap_pages
app=$B/profile_memory

# record FOLDER COMMAND...: its status goes to $status
record() {
    local dir=$tmp/$1
    shift
    rm -rf "$dir"
    "$bpf" record --heap=pages -o "$dir" -- "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
}
# Bytes that came in through a chain of functions.
bytes() { awk -v f=";$1 " 'index($0, f) { n += $NF } END { print n + 0 }' "$tmp/$2/heap.folded"; }
copies() { sed -n 's/.*"copied_pages": \([0-9]*\),.*/\1/p' <("$bpf" report "$tmp/$1" --json); }
mib=$((1 << 20))

record touch "$victim" touch
is "status" $status 0
is "pages of a place" "$(bytes 'main;touch;fill' touch)" $((16 * mib))
is "pages of a thread" "$(bytes 'start_thread;in_thread;fill' touch)" $((4 * mib))
is "nothing lost" "$(json "$tmp/touch/meta.json" lost_part)" 0
is "how, in meta.json" "$(json "$tmp/touch/meta.json" heap_how)" pages
check "no blocks, no dhat-heap.json" test ! -e "$tmp/touch/dhat-heap.json"
check "no dhat-heap.json: said in meta.json" grep -q "no dhat-heap.json" "$tmp/touch/meta.json"
check "no dhat-heap.json: said in the summary" grep -q "no dhat-heap.json" "$tmp/err"
check "heap.txt: hits" grep -q '^  hits .*[0-9] faults' "$tmp/touch/heap.txt"
check "heap.txt: growth with what is resident and virtual" \
    grep -q 'faulted in    faults        resident      virtual' "$tmp/touch/heap.txt"
"$bpf" report "$tmp/touch" --json >"$tmp/json"
is "report --json: how" "$(json "$tmp/json" how)" pages
check "report --json: growth of memory" grep -q '"resident": [1-9]' "$tmp/json"
"$bpf" export "$tmp/touch" --format dhat >"$tmp/out" 2>"$tmp/err"
is "export as dhat: refused" $? 2
check "export as dhat: said" grep -q "they are no blocks" "$tmp/err"

record kernel "$victim" kernel
is "pages that the kernel touches first" "$(bytes 'by_kernel;read' kernel)" $((4 * mib))
record twice "$victim" twice
is "pages given back and touched again" "$(bytes 'main;twice;fill' twice)" $((8 * mib))
record fork "$victim" fork 100
is "children: status" $status 0
is "children: their copies" "$(bytes 'main;forks;fill' fork)" $((101 * mib))
check "children: counted as copies" test "$(copies fork)" -ge 25600
is "children: nothing lost" "$(json "$tmp/fork/meta.json" lost_part)" 0
if grep -q '\[never\]' /sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null; then
    skip "huge pages" "this machine gives none"
else
    record huge "$victim" huge
    is "huge pages: $(head -n 1 "$tmp/out") KiB" "$(bytes 'main;huge;fill' huge)" $((16 * mib))
fi

"$app" -n 500 >"$tmp/alone" 2>&1
record app "$app" -n 500
check "charged to queries" grep -q 'query:execute_insert Reading;' "$tmp/app/heap.folded"

"$victims/attach_loop" >"$tmp/loop" &
pid=$!
wait_for test -s "$tmp/loop"
"$bpf" record --heap=pages -p $pid -d 0.3 -o "$tmp/a" 2>"$tmp/err"
is "attached to a running process" $? 0
"$bpf" record --heap=pages --comm attach_loop -d 0.2 -o "$tmp/c" 2>"$tmp/err"
is "by name" $? 0
kill -TERM $pid
wait $pid
is "it runs on, and ends by itself" $? 0

PRAX_BPF_FEATURES=ring=4096 "$bpf" record --heap=pages -o "$tmp/ring" -- "$victim" touch \
    >"$tmp/out" 2>"$tmp/err"
is "losses: status" $? 3
check "losses: by kind" grep -q '"page_faults": [1-9]' "$tmp/ring/meta.json"
check "losses: in heap.txt" grep -q '^  lost .*page_faults' "$tmp/ring/heap.txt"
"$bpf" record --leaks --heap=pages -o "$tmp/leaks" -- "$victim" touch 2>"$tmp/err"
is "leaks of pages: usage" $? 1
finish

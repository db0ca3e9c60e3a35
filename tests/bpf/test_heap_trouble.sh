#!/bin/bash
# What goes wrong with a target whose heap is recorded by probes, and with more blocks than are
# followed: the output is complete, the counts are true, and what is missing is said.
# (The same from within: test_launch_heap.sh.)
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf
trouble=$victims/heap_trouble

# Bytes of a function's sites, from the folded stacks.
bytes() { awk -v f=";$1 " 'index($0, f) { n += $NF } END { print n + 0 }' "$tmp/$2/heap.folded"; }
number() { sed -n "s/.*\"$2\": \([0-9]*\),*/\1/p" <("$bpf" report "$tmp/$1" --json) | head -n 1; }
complete() { # NAME FOLDER [BLOCKS SEEN]: of no block there is no stack to write
    local f
    for f in recording.pxp meta.json heap.txt dhat-heap.json; do
        check "$1: $f" test -s "$tmp/$2/$f"
    done
    check "$1: heap.folded" test -s "$tmp/$2/heap.folded" -o "${3:-1}" -eq 0
}
# attach FOLDER MODE...: a command that is attached to while it waits, then let go; its status goes to
# $ended, ours to $status
attach() {
    local dir=$tmp/$1 pid recorder
    shift
    rm -rf "$dir" "$tmp/gate" && mkfifo "$tmp/gate"
    "$trouble" wait "$@" <"$tmp/gate" >"$tmp/out" 2>"$tmp/victim.err" &
    pid=$!
    exec 9>"$tmp/gate"
    "$bpf" record --heap -p $pid -o "$dir" 2>"$tmp/err" &
    recorder=$!
    wait_for holds_probes $recorder
    echo go >&9
    exec 9>&-
    if [ "$1" = hold ]; then
        wait_for grep -q ready "$tmp/out"
        sleep 0.2
        kill -KILL $pid
    fi
    wait $pid
    ended=$?
    wait $recorder
    status=$?
}
attach cross cross
is "attached, freed in another thread: status" $status 0
is "attached, freed in another thread: bytes" "$(bytes 'start_thread;fill;work' cross)" 100000
check "attached, freed in another thread: nothing is left" \
    grep -q '0 B left in 0' <(grep -B3 'work (heap_trouble' "$tmp/cross/heap.txt")
complete "attached, freed in another thread" cross

attach corrupt corrupt
is "attached, a corrupted heap: the C library ends it" $ended 134
is "attached, a corrupted heap: status" $status 0
is "attached, a corrupted heap: what came before" "$(bytes 'hold;work' corrupt)" 100000
is "attached, a corrupted heap: all of it is left" "$(bytes 'hold;work' corrupt)" 100000
complete "attached, a corrupted heap" corrupt

attach killed hold
is "attached, killed: its end" $ended 137
is "attached, killed: status" $status 0
is "attached, killed: all blocks" "$(bytes 'hold;work' killed)" 100000
check "attached, killed: they are left" grep -q ' left in 100,' "$tmp/killed/heap.txt"
complete "attached, killed" killed

attach forks forks 1000
is "attached, 1,000 children: its end" $ended 0
is "attached, 1,000 children: status" $status 0
is "attached, 1,000 children: nothing lost" "$(json "$tmp/forks/meta.json" lost_part)" 0
seen=$(($(bytes 'forks;work' forks) / 32))
late=$(sed -n 's/.*allocations of \([0-9]*\) child programs were seen.*/\1/p' "$tmp/err")
missed=$(sed -n 's/.*[^0-9]\([0-9]*\) child programs ended before.*/\1/p' "$tmp/err")
check "attached, 1,000 children: seen late ${late:-0}, missed ${missed:-0}, blocks $seen" \
    test $((${late:-0} + ${missed:-0})) -ge 1000 -a "$seen" -le "$((${late:-0}))"
complete "attached, 1,000 children" forks "$seen"

# ---- by probes from the start ----
"$bpf" record --heap=probes -o "$tmp/p_corrupt" -- "$trouble" corrupt >"$tmp/out" 2>"$tmp/err"
is "probes, a corrupted heap: the command's own end" $? 134
is "probes, a corrupted heap: what came before" "$(bytes 'hold;work' p_corrupt)" 100000
"$bpf" record --heap=probes -o "$tmp/p_killed" -- "$trouble" hold >"$tmp/out" 2>"$tmp/err" &
recorder=$!
wait_for grep -q ready "$tmp/out"
read -r pid _ <"/proc/$recorder/task/$recorder/children"
kill -KILL "$pid"
wait $recorder
is "probes, killed: status" $? 137
is "probes, killed: all blocks" "$(bytes 'hold;work' p_killed)" 100000

# ---- pages ----
"$bpf" record --heap=pages -o "$tmp/g_corrupt" -- "$trouble" corrupt >"$tmp/out" 2>"$tmp/err"
is "pages, a corrupted heap: the command's own end" $? 134
check "pages, a corrupted heap: what came before" test "$(bytes 'hold;work' g_corrupt)" -ge 0
"$bpf" record --heap=pages -o "$tmp/g_forks" -- "$trouble" forks 1000 >"$tmp/out" 2>"$tmp/err"
is "pages, 1,000 children: status" $? 0
is "pages, 1,000 children: nothing lost" "$(json "$tmp/g_forks/meta.json" lost_part)" 0
check "pages, 1,000 children: each copies its stack" test "$(number g_forks copied_pages)" -ge 1000

# ---- more blocks than are followed ----
for how in --heap --heap=probes; do
    rm -rf "$tmp/full"
    PRAX_BPF_FEATURES=blocks=5000 "$bpf" record $how -o "$tmp/full" -- "$trouble" grow 20000 \
        >"$tmp/out" 2>"$tmp/err"
    is "$how, no room for all blocks: status" $? 3
    is "$how, no room for all blocks: the totals have them" "$(bytes 'main;work' full)" 800000
    check "$how, no room for all blocks: counted" test "$(number full untracked)" -ge 15000
    is "$how, no room for all blocks: what is followed is bounded" "$(number full blocks_left)" 5000
    check "$how, no room for all blocks: in heap.txt" grep -q "^note: blocks beyond those" "$tmp/full/heap.txt"
    check "$how, no room for all blocks: in meta.json" grep -q '"blocks_untracked": 15' "$tmp/full/meta.json"
    check "$how, no room for all blocks: in the summary" grep -q "blocks_untracked" "$tmp/err"
done
finish

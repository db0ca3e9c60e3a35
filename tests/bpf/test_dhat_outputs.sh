#!/bin/bash
# dhat-heap.json of every way to record and of every kind of program: what the viewer checks, and
# sums that are the recording's own. See tests/lib/dhat.py.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf
app=$B/profile_memory
trouble=$victims/heap_trouble

total() { # FILE MEMBER: over all program points
    sqlite3 :memory: "SELECT coalesce(sum(json_extract(value, '\$.$2')), 0)
        FROM json_each(json_extract(CAST(readfile('$1') AS TEXT), '\$.pps'))"
}
# Figures of the recording itself, in the order of the members below.
figures() {
    "$bpf" report --json "$1" >"$tmp/report.json"
    sqlite3 -separator ' ' :memory: "WITH heap AS (SELECT
        json_extract(CAST(readfile('$tmp/report.json') AS TEXT), '\$.heap') AS j)
        SELECT j ->> 'bytes', j ->> 'blocks', j ->> 'peak_bytes', j ->> 'peak_blocks',
            j ->> 'bytes_left', j ->> 'blocks_left' FROM heap"
}
# judge NAME LEAST [sampled]: the recording in $tmp/NAME has at least so many program points
judge() {
    local name=$1 file=$tmp/$1/dhat-heap.json sums="" wanted
    if python3 tests/lib/dhat.py check "$file" >"$tmp/problems" 2>&1; then
        pass "$name: what the viewer checks"
    else
        fail "$name: what the viewer checks"
        sed 's/^/# /' "$tmp/problems" | head -n 5
    fi
    check "$name: program points" test \
        "$(sqlite3 :memory: "SELECT json_array_length(CAST(readfile('$file') AS TEXT), '\$.pps')")" -ge "$2"
    for m in tb tbk gb gbk eb ebk; do
        sums+="$(total "$file" $m) "
    done
    wanted=$(figures "$tmp/$name")
    # Blocks of samples are rounded site by site.
    [ "${3:-}" = sampled ] && sums=$(cut -d' ' -f1,3,5 <<<"$sums") &&
        wanted=$(cut -d' ' -f1,3,5 <<<"$wanted")
    is "$name: sums are the recording's" "${sums% }" "$wanted"
}
# record NAME OPTION COMMAND...
record() {
    local name=$1 how=$2
    shift 2
    "$bpf" record "$how" -o "$tmp/$name" -- "$@" >"$tmp/out" 2>"$tmp/err"
}

record exact --heap "$app" -n 500 && judge exact 200
record probes --heap=probes "$app" -n 500 && judge probes 200
record sampled --heap=1K "$app" -n 3000 && judge sampled 50 sampled
record orm --heap=orm "$app" -n 500 && judge orm 8
record leaks --leaks "$app" -n 500 && judge leaks 200
record threads --heap "$B/profile_queries" -t 3 -n 40 && judge threads 300
record many --heap sh -c "'$app' -n 200; '$app' -n 100 & '$app' -n 100; wait" && judge many 400
record forks --heap "$trouble" forks 50 && judge forks 1
record exec --heap "$trouble" exec && judge exec 2
record known --heap=probes "$victims/heap_known"
judge known 4
record corrupt --heap "$trouble" corrupt
judge corrupt 1
record none --heap=orm true && judge none 0

"$victims/attach_loop" >"$tmp/loop" &
pid=$!
wait_for test -s "$tmp/loop"
"$bpf" record --heap -p $pid -d 0.5 -o "$tmp/attach" 2>"$tmp/err"
judge attach 1
kill -TERM $pid
wait $pid
sleep 30 &
pid=$!
"$bpf" record --heap -p $pid -d 0.2 -o "$tmp/idle" 2>"$tmp/err"
judge idle 0
kill -TERM $pid
wait $pid 2>/dev/null

# The check itself can fail.
sed 's/"ftbl":\["\[root\]"/"ftbl":["root"/; s/"mb":[0-9]*/"mb":0/' "$tmp/exact/dhat-heap.json" >"$tmp/bad.json"
python3 tests/lib/dhat.py check "$tmp/bad.json" >"$tmp/problems"
is "a file with wrong figures is refused" $? 1
check "and named" grep -q 'ftbl\[0\]' "$tmp/problems"
finish

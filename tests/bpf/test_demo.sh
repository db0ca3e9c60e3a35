#!/bin/bash
# The demo's path from end to end: a real program on the ORM, recorded whole. What the recording says is
# held against what the program says of itself, and against valgrind's dhat.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf

app=$B/profile_queries
member() { # FILE PATH
    sqlite3 :memory: "SELECT json_extract(CAST(readfile('$1') AS TEXT), '$2')"
}
dhat() { # FILE MEMBER: the sum over all program points
    sqlite3 :memory: "SELECT sum(json_extract(value, '\$.$2'))
        FROM json_each(json_extract(CAST(readfile('$1') AS TEXT), '\$.pps'))"
}

"$bpf" record --cpu=499 --heap --queries -o "$tmp/all" -- "$app" -n 60 >"$tmp/counts" 2>"$tmp/err"
is "the program's status" $? 0
for f in recording.pxp meta.json cpu.folded flamegraph.svg heap.txt heap.folded dhat-heap.json \
    queries.json; do
    check "writes $f" test -s "$tmp/all/$f"
done
is "the program counted seven verbs" "$(wc -l <"$tmp/counts")" 7
while read -r verb count; do
    is "$verb: as many as the program counted" \
        "$(member "$tmp/all/queries.json" "\$.verbs.$verb.calls")" "$count"
done <"$tmp/counts"
is "the verbs' times make the total" "$(sqlite3 :memory: "WITH q(j) AS (SELECT
    CAST(readfile('$tmp/all/queries.json') AS TEXT)) SELECT sum(json_extract(value, '\$.time_ns'))
    = json_extract(j, '\$.total.time_ns') FROM q, json_each(json_extract(j, '\$.verbs'))")" 1
is "nothing lost" "$(member "$tmp/all/meta.json" '$.lost_part')" 0
samples=$(member "$tmp/all/meta.json" '$.samples')
ok=$(member "$tmp/all/meta.json" '$.stack_ends.ok')
echo "# $ok of $samples samples whole by rules alone"
check "99 % of the samples end at main or a thread's start by rules alone" \
    test $((ok * 100)) -ge $((samples * 99))
check "samples are charged to queries" grep -q 'query:query_many Order;' "$tmp/all/cpu.folded"
check "allocations are charged to queries" grep -q 'query:query_many Order;' "$tmp/all/heap.folded"
"$bpf" report "$tmp/all" >"$tmp/report"
check "the report knows the queries" grep -q 'query_many Order' "$tmp/report"

# One thread and a fixed amount of work: every block is the same in every run.
"$bpf" record --heap=probes -o "$tmp/heap" -- "$app" -t 1 -n 30 >/dev/null 2>"$tmp/err"
is "one thread: status" $? 0
valgrind --tool=dhat --num-callers=100 --dhat-out-file="$tmp/valgrind.json" "$app" -t 1 -n 30 >/dev/null 2>&1
check "valgrind saw blocks" test "$(dhat "$tmp/valgrind.json" tbk)" -gt 1000
for m in tbk tb gbk gb; do
    is "$m as valgrind's dhat says" "$(dhat "$tmp/heap/dhat-heap.json" $m)" \
        "$(dhat "$tmp/valgrind.json" $m)"
done
check "every site as valgrind's dhat says: blocks, bytes, at the peak, at the end" \
    python3 tests/lib/dhat.py sites "$tmp/heap/dhat-heap.json" "$tmp/valgrind.json"
# valgrind lets libc free what it keeps for itself before it counts (__libc_freeres).
check "at the end: valgrind's blocks, and libc's own" \
    test "$(dhat "$tmp/heap/dhat-heap.json" ebk)" -ge "$(dhat "$tmp/valgrind.json" ebk)"

finish

#!/bin/bash
# What libprax itself allocates, read by its own probes: by purpose and query, of a command and of a
# process that runs; held against the exact recording of all blocks, and beside the other kinds.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf
app=$B/profile_queries

# Bytes of the lines of heap.folded that match a pattern.
bytes() { awk -v p="$1" '$0 ~ p { n += $NF } END { print n + 0 }' "$tmp/$2/heap.folded"; }
# report FOLDER SQL: over the members of its heap
report() {
    "$bpf" report --json "$tmp/$1" >"$tmp/report.json"
    sqlite3 :memory: "WITH heap AS (SELECT json_extract(CAST(readfile('$tmp/report.json') AS TEXT),
        '\$.heap') AS j) $2"
}

"$bpf" record --heap=orm -o "$tmp/orm" -- "$app" -t 1 -n 60 >"$tmp/out" 2>"$tmp/err"
is "status" $? 0
"$bpf" record --heap -o "$tmp/all" -- "$app" -t 1 -n 60 >"$tmp/out" 2>"$tmp/err"
# A thread's counters are no block of a handle; its first block asks for them.
is "each byte that the exact recording sees in libprax's allocator, and no other" \
    "$(bytes . orm)" "$(($(bytes ';heap_realloc;' all) - $(bytes ';heap_realloc;.*;pxi_stats_claim;' all)))"
is "the same of a query" "$(bytes 'query:query_many Order;' orm)" \
    "$(bytes 'query:query_many Order;.*;heap_realloc;' all)"
is "every line has its purpose" "$(grep -vcE '^profile_queries;(query:[^;]*;)?prax:[a-z]+;' \
    "$tmp/orm/heap.folded")" 0
for purpose in handle pool driver statements plans sessions cursors rows scratch; do
    check "heap.txt: $purpose" grep -qx " *prax:$purpose" <(sed -n '/^By purpose/,/^Sites/p' \
        "$tmp/orm/heap.txt")
done
is "nothing is left when the handle is closed" \
    "$(grep -c '^at the end  *0 B  *in 0 blocks' "$tmp/orm/heap.txt")" 1
is "nothing lost" "$(json "$tmp/orm/meta.json" lost_part)" 0
is "meta.json: whose heap" "$(json "$tmp/orm/meta.json" heap_of)" orm
is "report --json: as folded, by purpose" "$(report orm "SELECT sum(value ->> 'bytes')
    FROM heap, json_each(j, '\$.purposes') WHERE value ->> 'purpose' = 'prax:rows'")" \
    "$(bytes ';prax:rows;' orm)"
is "report --json: queries with verb, model and fingerprint" "$(report orm "SELECT count(*) > 0
    FROM heap, json_each(j, '\$.queries') WHERE value ->> 'verb' = 'query_many' AND
    value ->> 'model' = 'Order' AND length(value ->> 'fingerprint') = 16")" 1

is "rows: of statements that are known" "$(grep -A1 -E 'query: query_[a-z]+ [A-Z][a-z]+$' \
    "$tmp/orm/heap.txt" | grep -c prax:rows)" 0

# However the kernel lets probes be attached, and whatever is left of the program's symbols.
strip -o "$tmp/stripped" "$B/profile_memory"
for features in "" -multi,-session,-sled; do
    PRAX_BPF_FEATURES=$features "$bpf" record --heap=orm -o "$tmp/bare" -- "$tmp/stripped" -n 500 \
        >"$tmp/out" 2>"$tmp/err"
    is "stripped, features '$features': each purpose" \
        "$(sed -n '/^By purpose/,/^Sites/p' "$tmp/bare/heap.txt" | grep -c '^ *prax:[a-z]*$')" 8
done

# The program's own figures.
"$bpf" record --heap=orm -o "$tmp/own" -- "$B/profile_memory" -n 500 -m >"$tmp/out" 2>"$tmp/err"
is "prax_memory_stats: the peak is the recording's" \
    "$(sed -n 's/^libprax: .* at most //p' "$tmp/out")" "$(report own "SELECT j ->> 'peak_bytes' FROM heap")"
is "prax_memory_stats: rows are those of the recording" \
    "$(sed -n 's/^  rows: \([0-9]*\) in .*/\1/p' "$tmp/out")" "$(bytes ';prax:rows;' own)"

# The other way round: all blocks of libc carry the query, fingerprint and all.
fingerprint=$(grep -oE 'query: query_many Order [0-9a-f]{16}' "$tmp/orm/heap.txt" | sort -u | head -n 1)
check "heap.txt: a fingerprint" test -n "$fingerprint"
check "heap.txt of all blocks: the same one" grep -qF "$fingerprint" "$tmp/all/heap.txt"
check "dhat-heap.json of all blocks: the same one" grep -qF "\"$fingerprint\"" \
    "$tmp/all/dhat-heap.json"
is "report --json of all blocks: verb, model and fingerprint" "$(report all "SELECT count(*) > 0
    FROM heap, json_each(j, '\$.sites') WHERE value ->> 'verb' = 'query_many' AND
    value ->> 'model' = 'Order' AND value ->> 'fingerprint' = '${fingerprint##* }'")" 1

# A process that runs, with the other kinds beside.
"$app" -t 2 -s 8 >/dev/null &
pid=$!
sleep 0.5
"$bpf" record --heap=orm --leaks --queries --cpu -p $pid -d 1 -o "$tmp/running" 2>"$tmp/err"
is "a running process: status" $? 0
check "a running process: rows of queries" test "$(bytes 'query:.*;prax:rows;' running)" -gt 0
check "a running process: queries beside" test "$(json "$tmp/running/meta.json" queries)" != 0
check "a running process: older blocks are said to be unseen" \
    grep -q '^note: attached to what was running' "$tmp/running/heap.txt"
check "a running process: what it held before, by its own count" \
    grep -q '^prax:handle  *[0-9.]* KiB  *in 1 block$' \
    <(sed -n '/^Held before the recording/,/^$/p' "$tmp/running/heap.txt")
is "a running process: sessions at the end, by its own count" \
    "$(report running "SELECT value ->> 'blocks' FROM heap, json_each(j, '\$.held_at_end')
        WHERE value ->> 'purpose' = 'prax:sessions'")" 2
check "a running process: leaks.txt" test -s "$tmp/running/leaks.txt"
kill -TERM $pid
wait $pid 2>/dev/null

"$bpf" record --heap=orm -o "$tmp/none" -- true >"$tmp/out" 2>"$tmp/err"
is "no Prax: status" $? 0
check "no Prax: said" grep -q 'no Prax with the probes alloc and free' "$tmp/err"
finish

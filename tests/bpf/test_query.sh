#!/bin/bash
# Every firing of VERB__done is recorded, by verb, with its figures, however it is attached.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf

wanted='execute_delete 1763
execute_insert 1764
execute_update 1764
query_many 1764
query_one 1764
raw_sql_execute 1763
raw_sql_query 1763'

for features in "" -sled -multi,-session; do
    name=${features:-all}
    PRAX_BPF_FEATURES=$features "$bpf" trace --json -- "$victims/query_fire" 12345 >"$tmp/out" \
        2>"$tmp/err"
    is "$name: the command's status is ours" $? 5
    is "$name: a line each, by verb" "$(sed -n 's/.*"verb":"\([a-z_]*\)".*/\1/p' "$tmp/out" |
        sort | uniq -c | awk '{print $2, $1}')" "$wanted"
    is "$name: attached before its first line" "$(grep -c unheard "$tmp/out")" 0
    is "$name: failures" "$(grep -c '"status":-8' "$tmp/out")" 247
    is "$name: rows" "$(grep -o '"rows":[0-9]*' "$tmp/out" | awk -F: '{ n += $2 } END { print n }')" 55540
    is "$name: in order" "$(grep -o '"op_id":[0-9]*' "$tmp/out" | cut -d: -f2 | sort -nc 2>&1)" ""
done

"$bpf" trace --json --min-ms 0.5 -- "$victims/query_fire" 1000 >"$tmp/out" 2>"$tmp/err"
is "--min-ms: the slow ones only" "$(grep -c '"duration_ns":1000000,' "$tmp/out")" 10
is "--min-ms: no others" "$(grep -c verb "$tmp/out")" 10
"$bpf" trace --json --errors --verb query_one -- "$victims/query_fire" 700 >"$tmp/out" 2>"$tmp/err"
is "--errors --verb" "$(grep -c '"status":-8.*"verb":"query_one"' "$tmp/out")" \
    "$(seq 0 50 699 | awk '$1 % 7 == 1' | wc -l)"
"$bpf" trace --summary --model Tag -- "$victims/query_fire" 700 4 >"$tmp/out" 2>"$tmp/err"
is "--summary --model, four threads" "$(awk '/INSERT/ {print $1, $2}' "$tmp/out")" "400 8"
"$bpf" trace -- "$victims/query_fire" 7 >"$tmp/out" 2>"$tmp/err"
is "a line for people" "$(awk '/SELECT one/ {print $3, $4, $7, $8, $9, $10}' "$tmp/out")" \
    "query_one Post 1 ok SELECT one"

"$bpf" record --queries -o "$tmp/p" -- "$victims/query_fire" 12345 4 >"$tmp/out" 2>"$tmp/err"
is "record: status" $? 5
is "record: hits" "$(grep -A1 probe_hits "$tmp/p/meta.json" | json /dev/stdin queries)" 49380
is "record: nothing lost" "$(json "$tmp/p/meta.json" lost_part)" 0
check "record: call sites" grep -q operate "$tmp/p/queries.json"

"$bpf" record --cpu=499 -o "$tmp/cpu" -- "$victims/query_fire" 700 2 1000 >"$tmp/out" 2>"$tmp/err"
check "CPU samples are charged to their query" awk '
    { n += $NF } /query:query_one Post/ { one += $NF } /query:/ { in_query += $NF }
    END { exit !(n > 300 && in_query > 0.8 * n && one > 0.08 * n && one < 0.25 * n) }' \
    "$tmp/cpu/cpu.folded"

"$bpf" trace --json -- "$victims/attach_plain" >"$tmp/out" 2>"$tmp/err"
is "trace without Prax: the command's status" $? 7
check "trace without Prax: said" grep -q "no Prax in the target" "$tmp/err"

# The first 20 ms of a command: its operations are known as soon as its constructors have run.
early=0
for _ in 1 2 3 4 5; do
    "$bpf" record --cpu=999 -o "$tmp/early" -- "$victims/query_fire" 20 1 1000 >"$tmp/out" 2>"$tmp/err"
    early=$((early + $(awk '/query:/ { n += $NF } END { print n + 0 }' "$tmp/early/cpu.folded")))
done
check "early samples carry their query ($early of about 100)" test "$early" -ge 80
finish

#!/bin/bash
# --max-overhead: each kind of recording does less when it costs too much, says so everywhere, and
# what it still says stays true.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf
trouble=$victims/heap_trouble

# record FOLDER OPTION COMMAND...: its status goes to $status
record() {
    local dir=$tmp/$1 how=$2
    shift 2
    rm -rf "$dir"
    "$bpf" record "$how" --max-overhead "$limit" -o "$dir" -- "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
}
# said NAME FOLDER TEXT: on stderr, in the summary, heap.txt, meta.json and report --json
said() {
    check "$1: said on stderr" grep -q "^prax-bpf: overhead: after .* allowed): $3" "$tmp/err"
    check "$1: said in the summary" grep -q "^Less .* allowed): $3" "$tmp/err"
    check "$1: said in meta.json" grep -q "\"backed_off\": \"after .* allowed): $3" "$tmp/$2/meta.json"
    "$bpf" report "$tmp/$2" --json >"$tmp/json"
    check "$1: said in report --json" grep -q "\"backed_off\": \"after .* allowed): $3" "$tmp/json"
    if [ -e "$tmp/$2/heap.txt" ]; then
        check "$1: said in heap.txt" grep -q "$3" <(tr -s ' \n' ' ' <"$tmp/$2/heap.txt")
    fi
}
number() { sed -n "s/.*\"$2\": \([0-9]*\),*/\1/p" <("$bpf" report "$tmp/$1" --json) | head -n 1; }
# within NAME GOT WANTED PER_CENT
within() { check "$1: $2 of $3" awk -v a="$2" -v b="$3" -v p="$4" 'BEGIN { exit !(a > b * (1 - p / 100) && a < b * (1 + p / 100)) }'; }
limit=2

# What the viewer asks of each point: peaks within totals, the end within peaks.
cat >"$tmp/order.py" <<'CHECK'
import json, sys
bad = [p for p in json.load(open(sys.argv[1]))["pps"]
       if not (p["mb"] <= p["tb"] and p["mbk"] <= p["tbk"] and p["gb"] <= p["mb"] and p["eb"] <= p["mb"]
               and p["gbk"] <= p["tbk"] and p["ebk"] <= p["tbk"])]
print(bad[:3] if bad else "ok")
CHECK

# ---- from within, exactly ----
record exact --heap "$trouble" churn 12000000 100000
is "exact: status" $status 0
said "exact" exact "heap: one allocation in 512 KiB"
check "exact: how" grep -q '"heap_how": "exact, then sampled"' "$tmp/exact/meta.json"
counted=$(number exact counted_blocks)
check "exact: totals go on, $counted blocks" test "$counted" -ge 12100000
within "exact: sites are near what was counted" "$(number exact bytes)" "$(number exact counted_bytes)" 20
within "exact: what is left" "$(number exact bytes_left)" 4000000 60
is "exact: the DHAT viewer would take it" "$(python3 "$tmp/order.py" "$tmp/exact/dhat-heap.json")" ok
is "exact: no free is unknown" "$(number exact unknown_frees)" 0
check "exact: its hits are fewer" test "$(json "$tmp/exact/meta.json" heap_events)" -lt 24000000

# ---- from within, sampled ----
limit=0.001
record sampled --heap=1K "$trouble" churn 60000000 1000
is "sampled: status" $status 0
said "sampled" sampled "heap: one allocation in 8 KiB from here on"
check "sampled: until what is left is counting" grep -q "heap: what is left of the cost is counting" "$tmp/err"
check "sampled: totals go on" test "$(number sampled counted_blocks)" -ge 60001000
limit=2

# ---- by probes ----
record probes --heap=probes "$trouble" churn 2000000 0
is "probes: status" $status 0
said "probes" probes "heap: probes taken out"
is "probes: nothing lost" "$(json "$tmp/probes/meta.json" lost_part)" 0
is "probes: no address twice" "$(number probes overwritten)" 0
check "probes: not all was seen" test "$(number probes blocks)" -lt 2000000
check "probes: leaks of that moment" test "$(number probes blocks_left)" -lt 100

mkfifo "$tmp/gate"
"$trouble" wait churn 2000000 0 <"$tmp/gate" >"$tmp/out" &
pid=$!
exec 9>"$tmp/gate"
"$bpf" record --heap --max-overhead $limit -p $pid -o "$tmp/attached" 2>"$tmp/err" &
recorder=$!
wait_for holds_probes $recorder
echo go >&9
exec 9>&-
wait $pid
is "attached: the program's end" $? 0
wait $recorder
is "attached: status" $? 0
said "attached" attached "heap: probes taken out"

# ---- pages, queries, CPU ----
record pages --heap=pages "$victims/heap_pages" cost 1000
is "pages: status" $status 0
said "pages" pages "pages: not watched any more"
limit=0.01
record queries --queries "$victims/query_fire" 2000000
said "queries" queries "queries: probes taken out"
limit=0.1
record cpu --cpu=4999 "$trouble" churn 40000000 0
said "cpu" cpu "CPU: 2499 samples a second from here on, each counts 2-fold"
samples=$(number cpu samples)
ran=$(json "$tmp/cpu/meta.json" task_ns)
folded=$(awk '{ n += $NF } END { print n }' "$tmp/cpu/cpu.folded")
within "cpu: samples stand for the time ($samples taken)" "$folded" $((ran / 200000)) 25

# ---- no limit, or a wide one ----
limit=1000000
record wide --heap "$trouble" churn 1000000 0
is "a wide limit: nothing is given up" "$(grep -c 'backed off' "$tmp/wide/heap.txt")" 0
is "a wide limit: exact" "$(number wide blocks)" "$(number wide counted_blocks)"
"$bpf" record --heap --max-overhead much -o "$tmp/x" -- true 2>"$tmp/err"
is "no number: usage" $? 1
"$bpf" record --heap --max-overhead 0 -o "$tmp/x" -- true 2>"$tmp/err"
is "nought: usage" $? 1
finish

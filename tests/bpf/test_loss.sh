#!/bin/bash
# What goes wrong while recording: records without room, and the observer's sudden death.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf

# ---- a ring buffer of one page ----
PRAX_BPF_FEATURES=ring=4096 "$bpf" record --heap=probes -o "$tmp/ring" -- "$victims/motion_heap" 5000 \
    >"$tmp/out" 2>"$tmp/err"
is "losses: status" $? 3
meta=$tmp/ring/meta.json
lost=$(awk '/"(allocs|frees|stacks)": / { n += $2 } /"lost":/ { in_lost = 1; n = 0 } in_lost && /}/ { exit }
    END { print n }' "$meta")
hits=$(awk '/"(returns|frees)": / && !n[$1]++ { all += $2 } END { print all }' "$meta")
check "losses: $lost of $hits counted" test "$lost" -gt $((hits / 100))
check "losses: not all" test "$lost" -lt "$hits"
check "losses: said in meta.json" grep -q "over 1 % was lost: the recording is incomplete" "$meta"
check "losses: said to the user" grep -qi "lost" "$tmp/err"
check "losses: what came is there" test -s "$tmp/ring/heap.folded"
is "losses: the command's own status" "$(json "$meta" exit_status)" 0
"$bpf" record --heap=probes -o "$tmp/whole" -- "$victims/motion_heap" 500 >"$tmp/out" 2>"$tmp/err"
is "no losses: status" $? 0
is "no losses: part" "$(json "$tmp/whole/meta.json" lost_part)" 0

# ---- unwind tables of 64 rows ----
PRAX_BPF_FEATURES=rows=64 "$bpf" record --heap=probes -o "$tmp/rows" -- "$victims/motion_heap" 500 \
    >"$tmp/out" 2>"$tmp/err"
is "no rows: status" $? 0
check "no rows: said" grep -q "[1-9][0-9]* files found no room in the unwind tables" "$tmp/rows/meta.json"
is "rows: nothing to say" "$(grep -c "unwind tables" "$tmp/whole/meta.json")" 0

# ---- killed while it probes ----
ask() { # the next line of the victim
    local lines
    lines=$(wc -l <"$tmp/heap")
    kill -USR1 "$pid"
    wait_for eval '[ "$(wc -l <"$tmp/heap")" -gt '"$lines"' ]'
    tail -n 1 "$tmp/heap"
}
code() { ask | cut -d' ' -f2; }
rounds() { ask | cut -d' ' -f1; }
is_probed() { [ "$(code)" != "$before" ]; }
is_clean() { [ "$(code)" = "$before" ]; }

"$victims/motion_heap" >"$tmp/heap" &
pid=$!
before=$(code)
probed=0 clean=0 alive=0
for _ in $(seq 20); do
    "$bpf" record --heap -p $pid -o "$tmp/killed" 2>"$tmp/err" &
    recorder=$!
    wait_for is_probed && probed=$((probed + 1))
    kill -KILL $recorder
    wait $recorder 2>/dev/null
    wait_for is_clean && clean=$((clean + 1))
    first=$(rounds)
    sleep 0.01
    [ "$(rounds)" -gt "$first" ] && alive=$((alive + 1))
done
is "killed 20 times: probed before" $probed 20
is "killed 20 times: the code is as before" $clean 20
is "killed 20 times: its four threads go on" $alive 20
kill -TERM $pid
wait $pid
is "killed 20 times: and it ends by itself" $? 0
finish

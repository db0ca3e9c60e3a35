#!/bin/bash
# A JIT compiler's functions in a recording: node with --perf-basic-prof writes /tmp/perf-PID.map.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf
if ! command -v node >/dev/null; then
    skip "names compiled functions" "no node here"
    finish
fi

cd "$tmp" || exit 1 # node leaves a log where it runs
cat >"$tmp/spin.js" <<'JS'
function hotLoop(n) { let x = 0; for (let i = 0; i < n; i++) x = (x * 31 + i) % 1000003; return x; }
const end = Date.now() + 1500;
let sum = 0;
while (Date.now() < end) sum += hotLoop(1e6);
console.log(process.pid);
JS
"$bpf" record --cpu=199 -o "$tmp/out" -- node --perf-basic-prof "$tmp/spin.js" \
    >"$tmp/pid" 2>"$tmp/err"
is "records: status" $? 0
read -r pid <"$tmp/pid"
check "the map was written" test -s "/tmp/perf-$pid.map"
# Most of the time goes there, in hotLoop or in what it was inlined into; a fifth is asked for.
is "names compiled functions" "$(awk '{ all += $NF } /spin\.js/ { hot += $NF }
    END { print (all && hot * 5 > all) }' "$tmp/out/cpu.folded")" 1
rm -f "/tmp/perf-$pid.map"
finish

#!/bin/bash
# bpftrace is a client of the probes: the manual's one-liners, as written there, on a program that
# fires known numbers of probes. Its complaints about RLIMIT_MEMLOCK and detaching are harmless.
set -uo pipefail
root=$PWD
B=${B:-build/dev}
[[ $B = /* ]] || B=$root/$B
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0
failed=0
tests=11

skip_all() {
    echo "1..$tests"
    for ((i = 1; i <= tests; i++)); do echo "ok $i - bpftrace # SKIP $1"; done
    exit 0
}
command -v bpftrace >/dev/null || skip_all "no bpftrace here"
[ "$(id -u)" -eq 0 ] || skip_all "bpftrace needs root"
timeout 60 bpftrace -e 'BEGIN { exit(); }' >/dev/null 2>"$tmp/why" ||
    skip_all "bpftrace cannot run: $(tail -n 1 "$tmp/why")"

tap() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then
        echo "ok $n - $2"
    else
        echo "not ok $n - $2"
        { cat "$tmp/out"; tail -n 5 "$tmp/err"; } >&2
        failed=1
    fi
}
trace() { timeout 100 bpftrace "$@" >"$tmp/out" 2>"$tmp/err"; }
# Runs the program beside bpftrace -p, which ends with it.
trace_running() { # MODE PROGRAM-TEXT
    ./app "$1" &
    local pid=$!
    trace -e "$2" -p "$pid"
    wait "$pid"
}

# A program linked with the static library, called ./app as in the manual.
cp "$B/tests/bpf/victims/probe_fire" "$tmp/app"
cd "$tmp" || exit 1
awk -v notes=1 -f "$root/usdt/catalogue.awk" "$root/usdt/probes.def" |
    cut -d' ' -f1 | sort >catalogue

for object in "$B/libprax.so" ./app; do
    trace -l "usdt:$object:prax:*"
    sed 's/.*:prax://' out | sort | diff -q catalogue - >/dev/null
    tap $? "-l shows the catalogue in ${object##*/}"
done

trace -e 'usdt:./app:prax:query_many__done { @us = hist(arg3 / 1000); }' -c './app query_many'
# 1,000 operations of i us; every hundredth 2,000 us instead
[ "$(awk '/^\[/ { split($0, f, ")"); split(f[2], c, " "); sum += c[1] } /^\[1\]/ { sum += $2 }
          END { print sum }' out)" = 1000 ] && grep -qE '^\[256, 512\) +253 ' out &&
    grep -qE '^\[1K, 2K\) +10 ' out
tap $? "histogram of durations, -c"

trace_running all 'usdt:./app:prax:*__done { @[probe, str(arg1)] = count(); }'
[ "$(grep -cE '^@\[.*:prax:[a-z_]+__done, User\]: 1000$' out)" -eq 7 ] &&
    [ "$(grep -c '^@' out)" -eq 7 ]
tap $? "counts by probe and model, -p"

trace_running query_one 'usdt:./app:prax:query_one__done /arg3 > 1000000/ '\
'{ printf("%s %d us\n", str(arg2), arg3/1000); }'
[ "$(grep -cxF 'SELECT id, name FROM users WHERE id = ? 2000 us' out)" -eq 10 ] &&
    [ "$(grep -c ' us$' out)" -eq 10 ]
tap $? "slow operations with their SQL, -p"

# Rows, status and the record itself: i % 10 rows, status -8 in every fiftieth.
layout='{ $op = (struct prax_op_record *)arg0;
    @[$op->verb == PRAX_USDT_DELETE, str($op->sql) == str(arg2), $op->conn_id] = count();
    @rows = sum($op->rows); @arg4 = sum(arg4); }
    usdt:./app:prax:execute_delete__done /(int32)arg5 == -8/ { @failed = count(); }'
for how in include option; do
    if [ $how = include ]; then
        trace -I "$root/usdt/include" -e "#include <prax/usdt.h>
            usdt:./app:prax:execute_delete__done $layout" -c './app execute_delete'
    else
        trace -I "$root/usdt/include" --include prax/usdt.h \
            -e "usdt:./app:prax:execute_delete__done $layout" -c './app execute_delete'
    fi
    grep -qx '@\[1, 1, 7\]: 1000' out && grep -qx '@rows: 4500' out &&
        grep -qx '@arg4: 4500' out && grep -qx '@failed: 20' out
    tap $? "fields of the record by prax/usdt.h ($how)"
done

trace_running query_one 'usdt:./app:prax:query_one__start { @[arg3, arg4] = count(); }
    usdt:./app:prax:query_one__done { @done = count(); }'
grep -qx '@\[1234605616436508552, 7\]: 1000' out && grep -qx '@done: 1000' out
tap $? "arguments of __start"

# Memory of the library, by purpose and by model; all of it is given back.
cp "$B/profile_memory" memory
trace -e 'usdt:./memory:prax:alloc { @made[str(arg2)] = sum(arg1); @n[arg4] = count(); }
    usdt:./memory:prax:free { @freed[str(arg2)] = sum(arg1); }' -c './memory -n 200'
made=$(sed -n 's/^@made//p' out | sort)
[ "$(wc -l <<<"$made")" -ge 8 ] && [ "$made" = "$(sed -n 's/^@freed//p' out | sort)" ] &&
    grep -qx '@n\[1\]: 1' out
tap $? "alloc and free by purpose"
trace -I "$root/usdt/include" --include prax/usdt.h -e 'usdt:./memory:prax:alloc /arg3/ {
    @[str(((struct prax_op_record *)arg3)->model), str(arg2)] = sum(arg1); }' -c './memory -n 200'
grep -qx '@\[Reading, rows\]: [0-9]*' out
tap $? "alloc by model and purpose"

# A shared library: its probes are found by its own file, once it is mapped.
ln -sf "$B/tests/bpf/victims/libprobe_fire.so" .
"$B/tests/bpf/victims/probe_fire.shared" query_many &
pid=$!
trace -e 'usdt:./libprobe_fire.so:prax:query_many__done { @ = count(); }' -p $pid
wait $pid
grep -qx '@: 1000' out
tap $? "a shared library, -p"

echo "1..$n"
exit $failed

#!/bin/bash
# Programs that others have compiled, without frame pointers and stripped: their stacks are whole,
# from the first instruction of their start to their end.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf

ended() { awk -v key="\"$1\":" '$1 == key { n = $2 + 0 } END { print n + 0 }' "$tmp/p/meta.json"; }
# stranger NAME PERMILLE ENDS COMMAND...: so many of its samples end in one of ENDS. Left out: samples
# within execve, which have no user stack, and of ld.so's own start, which has no unwind rules.
stranger() {
    local name=$1 permille=$2 ends=$3 n ok=0 aside end
    shift 3
    if ! command -v "$1" >/dev/null; then
        skip "$name" "$1 is not installed"
        return
    fi
    rm -rf "$tmp/p"
    "$bpf" record --cpu=999 -o "$tmp/p" -- "$@" >"$tmp/out" 2>"$tmp/err"
    is "$name: status" $? 0
    for end in $ends; do ok=$((ok + $(ended "$end"))); done
    aside=$(awk '/\[stack ends: / && (/_execve_\[k\]/ || /no_row\];(_start|_dl_start_user)/) {
        n += $NF } END { print n + 0 }' "$tmp/p/cpu.folded")
    n=$(($(json "$tmp/p/meta.json" samples) - aside))
    check "$name: enough samples ($n)" test "$n" -ge 200
    check "$name: $ok of $n stacks end right" test $((ok * 1000)) -ge $((n * permille))
}

cat >"$tmp/sqlite.py" <<'EOF'
import sqlite3, time
db = sqlite3.connect(":memory:")
db.execute("create table t(a, b)")
end = time.process_time() + 1
while time.process_time() < end:
    db.executemany("insert into t values(?, ?)", [(i, str(i)) for i in range(1000)])
    list(db.execute("select b, count(*) from t group by b order by 1"))
    db.execute("delete from t")
EOF
cat >"$tmp/loop.pl" <<'EOF'
my %h;
while ((times)[0] < 1) {
    for my $i (1 .. 2000) { $h{$i % 97} .= "x$i"; $h{$i % 97} =~ s/x\d+// if length $h{$i % 97} > 50; }
    my @k = sort { $a <=> $b } keys %h;
}
EOF
cat >"$tmp/loop.js" <<'EOF'
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
let sum = 0;
while (process.cpuUsage().user < 1e6) {
    sum += fib(20);
    const map = new Map();
    for (let i = 0; i < 1000; i++) map.set("k" + i, JSON.parse(JSON.stringify({ i })));
}
EOF
if /usr/bin/python3 -c 'import sqlite3' 2>/dev/null; then
    stranger "python3 with sqlite3" 990 ok /usr/bin/python3 "$tmp/sqlite.py"
else
    skip "python3 with sqlite3" "/usr/bin/python3 has no sqlite3"
fi
stranger perl 990 ok perl "$tmp/loop.pl"
stranger node 990 "ok ok_guessed" node "$tmp/loop.js"
stranger "openssl rsa2048" 985 ok openssl speed -seconds 1 rsa2048
stranger "openssl aes-128-cbc" 985 ok openssl speed -seconds 1 -bytes 1024 -evp aes-128-cbc
stranger "openssl sha256" 985 ok openssl speed -seconds 1 -bytes 1024 sha256
# The generic loop of AES-GCM keeps its CFA in rax over a call of its own.
stranger "openssl aes-256-gcm" 985 ok openssl speed -seconds 1 -bytes 1024 -evp aes-256-gcm
command -v xz >/dev/null &&
    stranger xz 990 ok sh -c 'head -c 4000000 /usr/bin/perl /usr/bin/openssl /bin/bash 2>/dev/null | xz -6 -c'
finish

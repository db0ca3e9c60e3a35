#!/bin/bash
# doctor tells what works and what mends the rest; probes lists them.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf

"$bpf" doctor >"$tmp/out" 2>"$tmp/err"
is "all is there: status" $? 0
is "nothing on stderr" "$(cat "$tmp/err")" ""
check "a place of the sled is used" grep -q "^ok  *probe at .* - used" "$tmp/out"
PRAX_BPF_FEATURES=-multi,-session,-sled "$bpf" doctor >"$tmp/out" 2>"$tmp/err"
check "forbidden: no multi link" grep -q "^without  *uprobe multi link" "$tmp/out"
check "forbidden: no session link" grep -q "^without  *uprobe session link" "$tmp/out"
check "forbidden: the plain nop" grep -q "probe at +0 .* - used" "$tmp/out"
if [ "$(id -u)" -eq 0 ]; then
    cp "$bpf" "$tmp/prax-bpf"
    chmod 755 "$tmp"
    setpriv --reuid 65534 --regid 65534 --clear-groups "$tmp/prax-bpf" doctor >"$tmp/out" 2>"$tmp/err"
    is "as nobody: status" $? 2
    check "as nobody: what is missing" grep -q "^missing  *CAP_BPF" "$tmp/out"
    check "as nobody: how to mend it" grep -q "mend: .*setcap" "$tmp/out"
else
    skip "as nobody" "not root"
fi

"$bpf" probes >"$tmp/out"
is "the catalogue: every verb" "$(grep -c '__done .*sql, ns, rows, status' "$tmp/out")" 7
"$bpf" probes "$victims/query_fire" >"$tmp/out"
is "a file's probes" $? 0
is "a file's probes: all verbs" "$(grep -c '^prax:.*__done .*rows, status' "$tmp/out")" 7
echo 'int main(void) { return 0; }' >"$tmp/shared.c"
"${CC:-cc}" -o "$tmp/shared" "$tmp/shared.c" -Wl,--no-as-needed -L"$B" -lprax
"$bpf" probes "$tmp/shared" >"$tmp/out" 2>"$tmp/err"
check "a program of the shared library: where they are" grep -q "in libprax.so.0, which" "$tmp/err"
"$victims/attach_loop" >"$tmp/loop" &
pid=$!
wait_for test -s "$tmp/loop"
is "a process: nobody listens" \
    "$("$bpf" probes -p $pid | awk '$1 == "prax:query_one__done" { print $3 }')" 0
kill -TERM $pid
wait $pid
"$bpf" probes "$0" >"$tmp/out" 2>"$tmp/err"
is "no ELF file: status" $? 2
check "no ELF file: said" grep -q "not an ELF file" "$tmp/err"
finish

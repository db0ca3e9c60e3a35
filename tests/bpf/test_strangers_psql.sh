#!/bin/bash
# psql, compiled by Debian without frame pointers and stripped: the stacks of its formatting of a large
# result are whole. The server is private to this test: under build/, on a unix socket, stopped by pid.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf

pgbin=$(find /usr/lib/postgresql -name initdb -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
if [ -z "$pgbin" ] || ! command -v psql >/dev/null; then
    skip psql "PostgreSQL is not installed"
    finish
fi
# initdb refuses root.
as=()
if [ "$(id -u)" -eq 0 ]; then
    user=$(id -un postgres 2>/dev/null || echo nobody)
    as=(setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups)
fi
data=$tmp/pg
mkdir -m 700 "$data" && { [ ${#as[@]} -eq 0 ] || chown "$user" "$data"; }
chmod 711 "$tmp"
cd / || exit 1
stop() {
    [ -n "${server:-}" ] && kill -QUIT "$server" 2>/dev/null && wait "$server" 2>/dev/null
    rm -rf "$tmp"
}
trap stop EXIT
if ! "${as[@]}" "$pgbin/initdb" -D "$data/db" -A trust -U tester --no-sync >"$tmp/initdb.log" 2>&1; then
    fail "a private server: initdb: $(tail -n 1 "$tmp/initdb.log")"
    finish
fi
"${as[@]}" "$pgbin/postgres" -D "$data/db" -k "$data" -c listen_addresses= -F >"$tmp/server.log" 2>&1 &
server=$!
check "a private server" wait_for "${as[@]}" "$pgbin/pg_isready" -q -h "$data" -U tester

# psql aligns columns: it keeps the result, measures every cell, then prints.
client=$(find "$pgbin" -name psql | head -n 1)
sql='SELECT i, md5(i::text), i * 1.5, now(), repeat(chr(228), i % 20) FROM generate_series(1, 500000) i'
"${as[@]}" "$client" -X -h "$data" -U tester -d postgres -c "$sql" >"$tmp/alone" 2>"$tmp/err.alone"
"$bpf" record --cpu=999 -o "$tmp/p" -- "${as[@]}" "$client" -X -h "$data" -U tester -d postgres \
    -c "$sql" >"$tmp/out" 2>"$tmp/err"
is "status" $? 0
is "as many lines as alone" "$(wc -l <"$tmp/out")" "$(wc -l <"$tmp/alone")"
ok=$(awk '$1 == "\"ok\":" { n = $2 + 0 } END { print n + 0 }' "$tmp/p/meta.json")
# Samples within execve have no user stack, and ld.so's own start has no unwind rules. One in a hundred
# may be broken: what psql maps at its start may be seen late, some ten samples on a busy machine.
aside=$(awk '/\[stack ends: / && (/_execve_\[k\]/ || /no_row\];(_start|_dl_start_user)/) {
    n += $NF } END { print n + 0 }' "$tmp/p/cpu.folded")
n=$(($(json "$tmp/p/meta.json" samples) - aside))
check "enough samples ($n)" test "$n" -ge 200
check "$ok of $n stacks reach the start" test $((ok * 1000)) -ge $((n * 990))
check "psql's frames are there" grep -q '^psql;' "$tmp/p/cpu.folded"
finish

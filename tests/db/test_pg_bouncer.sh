#!/bin/bash
# Behind a real PgBouncer, in front of a server of our own: what an application does, with the pooler
# restarted under it; and 16 threads on 4 connections of the server, which would find each other's
# prepared statements, transactions and cancels. In transaction mode with prax_prepare=off, in session
# mode as without a pooler.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/pg.sh"
trap 'stop_bouncer; pg_stop; rm -rf "$tmp"' EXIT
bouncer_pid=''

start_bouncer() {
    pg_as_owner "$bouncer" "$pg_dir/bouncer.ini" >>"$pg_dir/bouncer.out" 2>&1 &
    bouncer_pid=$!
    wait_for psql -qXAt "$url_session" -c 'SELECT 1' >"$tmp/up" 2>&1
}

stop_bouncer() {
    [ -n "$bouncer_pid" ] || return 0
    kill -TERM "$bouncer_pid" # at once: clients are disconnected
    wait "$bouncer_pid" 2>/dev/null
    bouncer_pid=''
}

run() { # MODE URL
    local line pid
    mkfifo "$tmp/in" "$tmp/lines"
    "$B/tests/faults/pooled" "$2" <"$tmp/in" >"$tmp/lines" 2>"$tmp/err" &
    pid=$!
    exec 3>"$tmp/in"
    while read -r line; do
        case $line in
        restart)
            stop_bouncer
            start_bouncer
            echo go >&3
            ;;
        ok*) pass "$1: ${line#ok }" ;;
        *) fail "$1: ${line#not ok }" ;;
        esac
    done <"$tmp/lines"
    exec 3>&-
    wait $pid
    is "$1: exit status" "$?" 0
    cat "$tmp/err" >&2
    rm -f "$tmp/in" "$tmp/lines"
}

under_load() { # MODE URL
    "$B/tests/faults/load" "$2" 16 1 </dev/null >"$tmp/out" 2>"$tmp/err"
    is "$1: rows under load" "$?" 0
    check "$1: all answered" grep -q '^requests [0-9]*, failed 0,' "$tmp/out"
    echo "# $1: $(tail -n 1 "$tmp/out")"
    cat "$tmp/err" >&2
}

bouncer=$(command -v pgbouncer || find /usr/sbin -name pgbouncer 2>/dev/null)
if [ -z "$bouncer" ]; then
    skip "behind PgBouncer" "pgbouncer is not installed (Debian: pgbouncer)"
    finish
fi
if ! pg_start; then
    skip "behind PgBouncer" "$PRAX_TEST_POSTGRES_WHY"
    finish
fi
for database in one two three four; do
    psql -qX "$PRAX_TEST_POSTGRES" -c "CREATE DATABASE $database"
done
cat >"$pg_dir/bouncer.ini" <<END
[databases]
transaction = host=$pg_dir dbname=one pool_mode=transaction
transaction_load = host=$pg_dir dbname=two pool_mode=transaction
session = host=$pg_dir dbname=three pool_mode=session pool_size=20
session_load = host=$pg_dir dbname=four pool_mode=session pool_size=20
[pgbouncer]
unix_socket_dir = $pg_dir
listen_port = 6432
auth_type = trust
auth_file = $pg_dir/bouncer.users
default_pool_size = 4
ignore_startup_parameters = options
END
echo '"postgres" ""' >"$pg_dir/bouncer.users"
chmod 644 "$pg_dir/bouncer.ini" "$pg_dir/bouncer.users"

at="?host=$pg_dir&port=6432"
url_session="postgresql://postgres@/session$at"
if ! start_bouncer; then
    fail "PgBouncer starts"
    cat "$pg_dir/bouncer.out" >&2
    finish
fi
run transaction "postgresql://postgres@/transaction$at&prax_prepare=off"
under_load transaction "postgresql://postgres@/transaction_load$at&prax_prepare=off"
run session "$url_session"
under_load session "postgresql://postgres@/session_load$at"
finish

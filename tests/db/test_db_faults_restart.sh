#!/bin/bash
# A PostgreSQL of our own, durable, is killed and started again under load: at least 99.9 % of the
# requests that begin when it is gone or coming back succeed (those that ran on it when it was taken
# away may fail), no committed row is lost, none is doubled. Killed: SIGKILL to the postmaster, as a
# crash of the machine does; to one backend, which makes the server restart all; a stop that
# disconnects everybody (fast), and one that leaves all to recovery (immediate). One crash and one
# fast stop; with PRAX_FAULTS=long ten of each kind.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/pg.sh"
trap 'pg_stop; rm -rf "$tmp"' EXIT
load=$B/tests/faults/load
rounds=1 kinds=(crash fast)
[ "${PRAX_FAULTS:-}" = long ] && rounds=10 kinds=(crash backend fast immediate)
durable=(fsync=on full_page_writes=on synchronous_commit=on)

# Its children end by themselves; a new server waits for them, and is refused before.
come_up() {
    for _ in $(seq 40); do
        pg_run "$(pg_bin)" "${durable[@]}" && return 0
        sleep 0.3
    done
    return 1
}
a_backend() {
    psql -qXAt "$PRAX_TEST_POSTGRES" -c "SELECT pid FROM pg_stat_activity
        WHERE application_name = 'prax' ORDER BY random() LIMIT 1"
}

# The last of its processes notice it within milliseconds.
gone() {
    sleep 0.2
    echo mark >&3
}

take_away() { # KIND
    case $1 in
    crash) kill -KILL "$pg_pid" ;;
    fast) kill -INT "$pg_pid" ;;
    immediate) kill -QUIT "$pg_pid" ;;
    backend)
        local pid
        pid=$(a_backend)
        [ -n "$pid" ] && kill -KILL "$pid"
        gone
        return
        ;;
    esac
    wait "$pg_pid" 2>/dev/null
    gone
    come_up
}

run() { # KIND
    local schema=load_$1 rc last
    psql -qX "$PRAX_TEST_POSTGRES" -c "CREATE SCHEMA $schema"
    mkfifo "$tmp/in"
    "$load" "$PRAX_TEST_POSTGRES&options=-csearch_path%3D$schema" 16 600 \
        <"$tmp/in" >"$tmp/out" 2>"$tmp/err" &
    local pid=$!
    exec 3>"$tmp/in"
    wait_for grep -q ready "$tmp/out"
    sleep 0.5
    for _ in $(seq "$rounds"); do
        echo fault >&3
        sleep 0.05 # until it is heard
        take_away "$1" || echo "# the server did not come back" >&2
        sleep 1
    done
    echo stop >&3
    wait $pid
    rc=$?
    exec 3>&-
    rm -f "$tmp/in"
    last=$(tail -n 1 "$tmp/out")
    is "$1: rows" "$rc" 0
    check "$1: at least 99.9 % of later requests succeed" \
        awk '{ exit !($6 > 1000 && $8 <= $6 / 1000) }' <<<"${last//,/}"
    echo "# $1, $rounds times under 16 threads: $last"
    [ "$rc" -eq 0 ] || cat "$tmp/err" >&2
    grep -m 3 '^#' "$tmp/err"
}

if ! pg_start "${durable[@]}"; then
    skip "restarts under load" "$PRAX_TEST_POSTGRES_WHY"
    finish
fi
for kind in "${kinds[@]}"; do
    run $kind
done
finish

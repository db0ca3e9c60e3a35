#!/bin/bash
# The examples of event loops do what they say, on SQLite and on PostgreSQL.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"

poll_says=$(for i in 1 2 3 4; do echo "client $i: 2 jobs to do, the first is polish"; done)
uv_says=$'100 of 100 jobs ordered\n75 jobs to do'

# A schema of its own, so that the tables can be made; EXAMPLE is part of its name.
schema_url() { # EXAMPLE
    local name=loops_$$_$1
    psql -qX "$PRAX_TEST_POSTGRES" -c "CREATE SCHEMA $name" >&2 || return 1
    echo "$PRAX_TEST_POSTGRES&options=-csearch_path%3D$name"
}

run() { # EXAMPLE WANTED
    if [ ! -x "$B/$1" ]; then
        skip "$1" "libuv was not there when it was built"
        return
    fi
    is "$1 on SQLite" "$("$B/$1" 2>&1 | sort)" "$2"
    is "$1 on a file of SQLite" "$("$B/$1" "sqlite:$tmp/$1.db" 2>&1 | sort)" "$2"
    is "$1 says why it fails" "$("$B/$1" sqlite:/nowhere/x.db 2>&1 | cut -d: -f1)" "$1"
    if [ -z "${PRAX_TEST_POSTGRES:-}" ]; then
        skip "$1 on PostgreSQL" "${PRAX_TEST_POSTGRES_WHY:-there is no server}"
    elif ! command -v psql >/dev/null; then
        skip "$1 on PostgreSQL" "no psql here"
    else
        is "$1 on PostgreSQL" "$("$B/$1" "$(schema_url "$1")" 2>&1 | sort)" "$2"
    fi
}
run event_loop "$poll_says"
run event_loop_uv "$uv_says"
finish

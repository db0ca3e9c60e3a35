# pg.sh - sourced: a private PostgreSQL for tests and benches, from the machine's own packages.
#
# pg_start [SETTING=VALUE ...] makes a cluster, starts it on a unix socket and sets
#   PRAX_TEST_POSTGRES      its URL, for programs; or empty, and then
#   PRAX_TEST_POSTGRES_WHY  says why there is none
# pg_stop stops it by its process id and removes all of it; call it from an EXIT trap. The server also
# stops by itself when the shell that started it dies.
#
# The cluster is hostile on purpose: its default order of text is ICU's en-US, not bytes, and its time
# zone is 5:45 off, so what forgets to say COLLATE "C" or reads a time as text is found. It forgets
# everything in a crash (fsync off): nothing in it is worth keeping. The server refuses to run as
# root, so root runs it as postgres.
# shellcheck shell=bash
pg_pid='' pg_dir='' pg_data=''

pg_as_owner() {
    local user=()
    [ "$(id -u)" -eq 0 ] && user=(--reuid=postgres --regid=postgres --clear-groups)
    cd / && exec setpriv --pdeathsig QUIT "${user[@]}" "$@"
}

pg_bin() {
    local bin
    bin=$(pg_config --bindir 2>/dev/null)
    [ -x "$bin/initdb" ] ||
        bin=$(find /usr/lib/postgresql -name initdb -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)
    [ -x "${bin:-}/initdb" ] && echo "$bin"
}

# The socket is in /tmp, because its path has 107 bytes; the data too, if postgres may not enter this
# tree.
pg_make() { # BIN
    pg_dir=$(mktemp -d /tmp/prax-pg-XXXXXX) || return 1
    pg_data=$(realpath "$B")/tests/pg-$$
    mkdir -p "$pg_data" || return 1
    [ "$(id -u)" -ne 0 ] || chown postgres "$pg_dir" "$pg_data" || return 1
    if ! (pg_as_owner test -w "$pg_data") 2>/dev/null; then
        rmdir "$pg_data"
        pg_data=$pg_dir/data
    fi
    local all=("$1/initdb" -D "$pg_data" -A trust -U postgres -E UTF8 --no-sync)
    (pg_as_owner "${all[@]}" --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US) \
        >"$pg_dir/log" 2>&1 && return 0
    find "$pg_data" -mindepth 1 -delete # a server without ICU
    (pg_as_owner "${all[@]}" --locale=C) >>"$pg_dir/log" 2>&1
}

pg_run() { # BIN SETTING=VALUE...
    local bin=$1 set=() s
    shift
    for s in listen_addresses= unix_socket_directories="$pg_dir" fsync=off full_page_writes=off \
        synchronous_commit=off shared_buffers=16MB max_connections=100 autovacuum=off \
        timezone=Asia/Kathmandu "$@"; do
        set+=(-c "$s")
    done
    pg_as_owner "$bin/postgres" -D "$pg_data" "${set[@]}" >>"$pg_dir/log" 2>&1 &
    pg_pid=$!
    for _ in $(seq 200); do
        kill -0 "$pg_pid" 2>/dev/null || return 1
        "$bin/pg_isready" -q -h "$pg_dir" && return 0
        sleep 0.05
    done
    return 1
}

pg_why() { # TEXT
    PRAX_TEST_POSTGRES=''
    PRAX_TEST_POSTGRES_WHY=$1
    pg_stop
}

pg_start() {
    local bin
    bin=$(pg_bin)
    if [ -z "$bin" ]; then
        pg_why 'no PostgreSQL server is installed (Debian: postgresql-15)'
    elif [ "$(id -u)" -eq 0 ] && ! id postgres >/dev/null 2>&1; then
        pg_why 'root cannot run PostgreSQL, and there is no user postgres'
    elif ! pg_make "$bin"; then
        pg_why "initdb failed: $(tail -n 1 "$pg_dir/log" 2>/dev/null)"
    elif ! pg_run "$bin" "$@"; then
        pg_why "the server did not start: $(tail -n 1 "$pg_dir/log")"
    else
        PRAX_TEST_POSTGRES="postgresql://postgres@/postgres?host=$pg_dir"
        PRAX_TEST_POSTGRES_WHY=''
    fi
    export PRAX_TEST_POSTGRES PRAX_TEST_POSTGRES_WHY
    [ -n "$PRAX_TEST_POSTGRES" ]
}

pg_stop() {
    if [ -n "$pg_pid" ]; then
        kill -QUIT "$pg_pid" 2>/dev/null # "immediate": nothing is written that goes anyway
        wait "$pg_pid" 2>/dev/null
    fi
    [ -n "$pg_dir" ] && rm -rf "$pg_dir" "$pg_data"
    pg_pid='' pg_dir='' pg_data=''
}

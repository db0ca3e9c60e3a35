# pg_tls.sh - sourced: pg.sh's server over TCP and TLS, with a certificate of its own.
#
# pg_tls_start WHAT starts it and sets PRAX_TEST_POSTGRES; where that cannot be, it says so in TAP and
# ends the script, with success. pg_tls_stop stops it; call it from an EXIT trap.
# shellcheck shell=bash
. tests/lib/pg.sh
pg_tls_dir=''

pg_tls_skip() { # WHAT WHY
    echo "1..1"
    echo "ok 1 - $1 over TLS # SKIP $2"
    exit 0
}

pg_tls_start() { # WHAT
    pg_tls_dir=$(mktemp -d /tmp/prax-tls-XXXXXX) || exit 1
    local key=$pg_tls_dir/key cert=$pg_tls_dir/cert
    command -v openssl >/dev/null || pg_tls_skip "$1" "no openssl to make a certificate with"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
        -keyout "$key" -out "$cert" >/dev/null 2>&1 ||
        pg_tls_skip "$1" "openssl made no certificate"
    chmod 755 "$pg_tls_dir" && chmod 600 "$key"
    [ "$(id -u)" -ne 0 ] || chown postgres "$key" "$cert" || pg_tls_skip "$1" "there is no user postgres"
    export PGPORT=$((20000 + $$ % 20000)) # for pg_isready too
    pg_start listen_addresses=127.0.0.1 port=$PGPORT ssl=on ssl_cert_file="$cert" \
        ssl_key_file="$key" || pg_tls_skip "$1" "$PRAX_TEST_POSTGRES_WHY"
    PRAX_TEST_POSTGRES="postgresql://postgres@127.0.0.1:$PGPORT/postgres?sslmode=verify-ca&sslrootcert=$cert"
}

pg_tls_stop() {
    pg_stop
    [ -n "$pg_tls_dir" ] && rm -rf "$pg_tls_dir"
}

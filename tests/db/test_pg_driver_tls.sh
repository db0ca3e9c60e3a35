#!/bin/bash
# The driver's own test once more, over TCP and TLS, with a server of its own: bytes may wait inside
# the TLS library there, and a cancel is a connection of its own.
set -uo pipefail
. tests/lib/pg.sh
dir=$(mktemp -d /tmp/prax-tls-XXXXXX) || exit 1
trap 'pg_stop; rm -rf "$dir"' EXIT

skip() {
    echo "1..1"
    echo "ok 1 - the driver over TLS # SKIP $1"
    exit 0
}
command -v openssl >/dev/null || skip "no openssl to make a certificate with"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
    -keyout "$dir/key" -out "$dir/cert" >/dev/null 2>&1 || skip "openssl made no certificate"
chmod 755 "$dir" && chmod 600 "$dir/key"
[ "$(id -u)" -ne 0 ] || chown postgres "$dir/key" "$dir/cert" || skip "there is no user postgres"

export PGPORT=$((20000 + $$ % 20000)) # for pg_isready too
pg_start listen_addresses=127.0.0.1 port=$PGPORT ssl=on ssl_cert_file="$dir/cert" \
    ssl_key_file="$dir/key" || skip "$PRAX_TEST_POSTGRES_WHY"
PRAX_TEST_POSTGRES="postgresql://postgres@127.0.0.1:$PGPORT/postgres?sslmode=verify-ca&sslrootcert=$dir/cert" \
    "$B/tests/db/test_pg_driver"

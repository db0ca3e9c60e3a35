#!/bin/bash
# The driver's own test once more, over TCP and TLS, with a server of its own: bytes may wait inside
# the TLS library there, and a cancel is a connection of its own.
set -uo pipefail
. tests/lib/pg_tls.sh
trap pg_tls_stop EXIT
pg_tls_start 'the driver'
"$B/tests/db/test_pg_driver"

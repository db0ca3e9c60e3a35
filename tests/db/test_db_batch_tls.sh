#!/bin/bash
# The tests of batches once more, over TCP and TLS, with a server of its own, which may be stopped as a
# whole: what it does not answer, and what lies inside the TLS library, must not be waited for.
set -uo pipefail
. tests/lib/pg_tls.sh
trap pg_tls_stop EXIT
pg_tls_start batches
export PRAX_TEST_POSTMASTER=$pg_pid
status=0
for t in test_db_batch test_db_batch_wait test_db_batch_observed test_db_batch_merge test_db_batch_stopped; do
    "$B/tests/db/$t" || status=1
done
exit $status

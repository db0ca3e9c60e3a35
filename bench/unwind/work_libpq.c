/* work_libpq CONNINFO - reads 2,000 rows of 200 bytes from PostgreSQL over TLS, without end, with a
 * new connection every 20 queries: stacks through libpq and OpenSSL, its assembly included. */
#include "bench/unwind/work.h"

#include <postgresql/libpq-fe.h>
#include <stdio.h>

enum { QUERIES = 20 };

static volatile unsigned long sink;

static __attribute__((noinline)) int read_rows(PGconn *c)
{
    PGresult *r = PQexec(c, "select g, repeat('x', 200) from generate_series(1, 2000) g");
    int failed = PQresultStatus(r) != PGRES_TUPLES_OK;
    for (int i = 0; i < PQntuples(r); i++)
        sink = sink + (unsigned long)PQgetlength(r, i, 1);
    if (failed)
        fprintf(stderr, "work_libpq: %s", PQerrorMessage(c));
    PQclear(r);
    return failed;
}

static __attribute__((noinline)) int serve_connection(const char *info, volatile uint64_t *count)
{
    PGconn *c = PQconnectdb(info);
    int failed = PQstatus(c) != CONNECTION_OK || !PQsslInUse(c);
    if (failed)
        fprintf(stderr, "work_libpq: no TLS connection: %s", PQerrorMessage(c));
    for (int i = 0; i < QUERIES && !failed; i++) {
        failed = read_rows(c);
        *count = *count + 1;
    }
    PQfinish(c);
    return failed;
}

int main(int argc, char **argv)
{
    volatile uint64_t *count = work_begin();
    if (argc != 2)
        return 2;
    while (serve_connection(argv[1], count) == 0)
        ;
    return 1;
}

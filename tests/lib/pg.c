/* pg.c - see pg.h. One connection a program, opened at the first schema. */
#include "tests/lib/pg.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Waits for a lock end as they do on SQLite: soon. The schema's name is the last word. */
static const char options[] = "&options=-clock_timeout%3D200%20-csearch_path%3D";

static const char *server(void)
{
    const char *url = getenv("PRAX_TEST_POSTGRES");
    return url && *url ? url : NULL;
}

const char *pg_missing(void)
{
    const char *why = getenv("PRAX_TEST_POSTGRES_WHY");
    if (server())
        return NULL;
    return why && *why ? why : "PRAX_TEST_POSTGRES is not set; tests/run.sh sets it";
}

static PGconn *admin(void)
{
    static PGconn *conn;
    if (conn)
        return conn;
    conn = PQconnectdb(server());
    if (PQstatus(conn) != CONNECTION_OK) {
        fprintf(stderr, "%s", PQerrorMessage(conn));
        exit(1);
    }
    /* dropping cascades aloud; a test that failed may hold locks still */
    PQclear(PQexec(conn, "SET client_min_messages = warning; SET lock_timeout = '5s'"));
    return conn;
}

bool pg_exec(const char *sql)
{
    PGresult *r = PQexec(admin(), sql);
    ExecStatusType status = PQresultStatus(r);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (!good)
        fprintf(stderr, "%s: %s", sql, PQresultErrorMessage(r));
    PQclear(r);
    return good;
}

void pg_schema_new(char url[PG_URL])
{
    static unsigned count;
    char sql[80];
    unsigned n = ++count;
    snprintf(sql, sizeof sql, "CREATE SCHEMA t%d_%u", (int)getpid(), n);
    if (!pg_exec(sql))
        exit(1);
    if (snprintf(url, PG_URL, "%s%st%d_%u", server(), options, (int)getpid(), n) >= PG_URL) {
        fprintf(stderr, "PRAX_TEST_POSTGRES is too long\n");
        exit(1);
    }
}

const char *pg_schema_name(const char *url)
{
    const char *at = strstr(url, options);
    return at ? at + strlen(options) : NULL;
}

void pg_schema_drop(const char *url)
{
    const char *name = pg_schema_name(url);
    char sql[80];
    if (!name)
        return;
    snprintf(sql, sizeof sql, "DROP SCHEMA %s CASCADE", name);
    pg_exec(sql);
}

/* postgres_stream.c - the PostgreSQL driver: results that are not read at once.
 *
 * A cursor of the library must not hold its whole result in memory, and must not keep the session
 * from running other statements meanwhile. Which way that is done depends on where it is opened:
 *
 *   in a transaction       DECLARE and FETCH: a portal of the server, read in growing chunks. The
 *                          connection is free between them, and any number may be open at once.
 *   outside of one         rows as they arrive, one by one (libpq 17: 256 at a time). Another
 *                          statement on the same connection takes the rest in first ("puts it
 *                          aside"), up to PXI_PG_ASIDE_MAX bytes; then that statement is refused
 *                          with ELIMIT and the cursor goes on.
 *
 * A portal ends with its transaction, a cursor of the library does not: COMMIT fetches what is left
 * of each. A portal that a ROLLBACK TO takes away answers EABORTED from then on, without asking the
 * server, whose error would fail the transaction too; which ones those are is known from the number
 * of the savepoint (p2, p3, ...) that was open when they were made.
 *
 * A stream that is closed early is read to its end if that is near, else the server is asked to
 * stop.
 */
#include "orm/base/clock.h"
#include "orm/driver/postgres.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    FETCH_FIRST = 100,       /* rows */
    FETCH_MAX = 10000,       /* rows */
    FETCH_BYTES = 256 << 10, /* no larger chunk than about this */
    READ_ON = 500,           /* results: rather read than cancelled */
    CLOSE_AT_ONCE = 14,
};

void pxi_pg_stream(struct pxi_stmt *st)
{
    pxi_pg_stmt_of(st)->streams = true;
}

/* ---- rows that are put aside ---- */

static bool add_row(PGresult *to, const PGresult *from, int row)
{
    int at = PQntuples(to);
    for (int f = 0; f < PQnfields(from); f++) {
        bool null = PQgetisnull(from, row, f);
        if (!PQsetvalue(to, at, f, null ? NULL : PQgetvalue(from, row, f),
                        null ? -1 : PQgetlength(from, row, f)))
            return false;
    }
    return true;
}

/* All rows of `from` behind those of st->aside. */
static int add_rows(struct pxi_pg_stmt *st, const PGresult *from)
{
    if (!st->aside)
        st->aside = PQcopyResult(from, PG_COPYRES_ATTRS);
    for (int i = 0; i < PQntuples(from); i++) {
        if (!st->aside || !add_row(st->aside, from, i))
            return pxi_pg_fail_text(st->c, PRAX_ENOMEM, "out of memory");
    }
    if (st->aside && PQresultMemorySize(st->aside) > PXI_PG_ASIDE_MAX) {
        return pxi_pg_fail_text(st->c, PRAX_ELIMIT,
                                "an open cursor has more than %d MiB left: close it first, open it "
                                "in a transaction, or give it a session of its own",
                                PXI_PG_ASIDE_MAX >> 20);
    }
    return 0;
}

/* 1 rows are held, 0 the end, < 0 an error, which is told. */
static int next_result(struct pxi_pg_stmt *st, PGresult **out)
{
    struct pxi_pg_conn *c = st->c;
    int rc;
    PGresult *res = pxi_pg_result(c, &rc);
    ExecStatusType status = PQresultStatus(res);
    if (res && PQntuples(res) > 0) {
        *out = res;
        return 1;
    }
    if (rc == 0 && status == PGRES_FATAL_ERROR) {
        rc = pxi_pg_fail(c, res);
    } else {
        PQclear(res);
    }
    int end = c->lost ? 0 : pxi_pg_drain(c);
    if (end < 0 && (rc == 0 || c->lost))
        rc = end;
    pxi_pg_done(st, rc);
    return rc;
}

static int put_stream_aside(struct pxi_pg_stmt *st)
{
    PGresult *res = NULL;
    int rc = 0;
    while (rc == 0 && next_result(st, &res) == 1) {
        rc = add_rows(st, res);
        PQclear(res);
    }
    return rc;
}

int pxi_pg_put_aside(struct pxi_pg_stmt *st)
{
    struct pxi_pg_conn *c = st->c;
    int rc = 0;
    if (st->state == PXI_PG_SENT)
        pxi_pg_collect(st);
    if (st->state == PXI_PG_STREAM)
        rc = put_stream_aside(st);
    if (rc < 0)
        return rc;
    if (c->lost)
        return PRAX_ECONN;
    if (st->code < 0 && c->failed) { /* its own, to be told by its next step */
        PQclear(st->failed);
        st->failed = c->failed;
        c->failed = NULL;
    }
    pxi_pg_forget(c);
    c->sent = false;
    c->stop = 0;
    c->until_ns = 0;
    return 0;
}

/* ---- portals ---- */

bool pxi_pg_wants_portal(const struct pxi_pg_stmt *st)
{
    return st->streams && st->c->tx;
}

static int send_closings(struct pxi_pg_conn *c, size_t *used)
{
    char sql[48];
    int n = 0;
    *used = 0;
    while (n < CLOSE_AT_ONCE && *used < c->closings.size) {
        const char *name = c->closings.data + *used;
        snprintf(sql, sizeof sql, "CLOSE %s", name);
        *used += strlen(name) + 1;
        if (!PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0))
            return -1;
        n++;
    }
    return n;
}

static bool send_fetch(struct pxi_pg_stmt *st)
{
    char sql[64];
    snprintf(sql, sizeof sql, "FETCH FORWARD %d FROM prax_c%u", st->fetch, st->portal);
    return PQsendQueryParams(st->c->pg, sql, 0, NULL, NULL, NULL, NULL, 1) != 0;
}

static bool send_declare(struct pxi_pg_stmt *st)
{
    struct pxi_pg_conn *c = st->c;
    struct pxi_buf sql = { 0 };
    pxi_buf_fmt(&sql, "DECLARE prax_c%u NO SCROLL CURSOR FOR ", st->portal);
    pxi_buf_text(&sql, st->sql);
    bool good =
        pxi_buf_ok(&sql) && PQsendQueryParams(c->pg, sql.data, (int)st->n_params, st->param_oids,
                                              c->values, c->sizes, c->formats, 0) != 0;
    pxi_buf_free(&sql);
    return good;
}

/* Closes what is no longer needed, declares, fetches the first rows: one round trip. */
static int open_portal(struct pxi_pg_stmt *st, PGresult **rows)
{
    struct pxi_pg_conn *c = st->c;
    PGresult *answers[CLOSE_AT_ONCE + 2];
    size_t used;
    if (!PQenterPipelineMode(c->pg))
        return pxi_pg_lost(c);
    int n = send_closings(c, &used);
    if (n < 0 || !send_declare(st) || !send_fetch(st) || !PQpipelineSync(c->pg))
        return pxi_pg_lost(c);
    c->sent = true;
    int rc = pxi_pg_leave(c, pxi_pg_answers(c, answers, (unsigned)n + 2));
    if (rc == 0 && used) {
        memmove(c->closings.data, c->closings.data + used, c->closings.size - used);
        c->closings.size -= used;
    }
    for (int i = 0; i <= n; i++)
        PQclear(answers[i]);
    *rows = answers[n + 1];
    if (rc < 0)
        PQclear(*rows);
    return rc;
}

/* The rows of a FETCH; fewer than were asked for are the last. */
static int hold_fetched(struct pxi_pg_stmt *st, PGresult *rows)
{
    int rc = pxi_pg_hold(st, rows);
    if (st->n_rows < st->fetch) {
        st->fetch = 0;
    } else if (st->fetch < FETCH_MAX && PQresultMemorySize(rows) < FETCH_BYTES / 2) {
        st->fetch *= 2;
    }
    return rc;
}

int pxi_pg_portal_open(struct pxi_pg_stmt *st)
{
    struct pxi_pg_conn *c = st->c;
    PGresult *rows = NULL;
    st->portal = ++c->last_portal;
    st->fetch = FETCH_FIRST;
    st->depth = c->depth;
    st->gone = false;
    st->unchecked = true;
    int rc = open_portal(st, &rows);
    if (rc < 0)
        return rc;
    st->state = PXI_PG_PORTAL;
    st->next_portal = c->portals;
    c->portals = st;
    return hold_fetched(st, rows);
}

static int fetch(struct pxi_pg_stmt *st, PGresult **rows)
{
    struct pxi_pg_conn *c = st->c;
    int rc = pxi_pg_ready(c);
    if (rc == 0 && !send_fetch(st))
        rc = pxi_pg_lost(c);
    if (rc < 0)
        return rc;
    c->sent = true;
    PGresult *res = pxi_pg_result(c, &rc);
    if (rc == 0)
        rc = pxi_pg_drain(c);
    if (rc == 0 && PQresultStatus(res) != PGRES_TUPLES_OK)
        return pxi_pg_fail(c, res);
    if (rc < 0)
        PQclear(res);
    *rows = rc < 0 ? NULL : res;
    return rc;
}

static void unlink_portal(struct pxi_pg_stmt *st)
{
    struct pxi_pg_stmt **at = &st->c->portals;
    while (*at && *at != st)
        at = &(*at)->next_portal;
    if (*at)
        *at = st->next_portal;
}

static int next_of_portal(struct pxi_pg_stmt *st)
{
    PGresult *rows = NULL;
    if (st->fetch == 0)
        return 0;
    if (st->gone) {
        return pxi_pg_fail_text(st->c, PRAX_EABORTED,
                                "the cursor was rolled back with what it was opened in");
    }
    int rc = fetch(st, &rows);
    if (rc < 0)
        return rc;
    rc = hold_fetched(st, rows);
    st->row = 0;
    return rc < 0 ? rc : st->n_rows > 0;
}

/* ---- reading on, and stopping ---- */

int pxi_pg_stream_next(struct pxi_pg_stmt *st)
{
    PGresult *res = NULL;
    int rc;
    if (st->aside) {
        rc = pxi_pg_hold(st, st->aside);
        st->aside = NULL;
        st->row = 0;
        return rc < 0 ? rc : 1;
    }
    st->row = st->n_rows;
    if (st->state == PXI_PG_PORTAL)
        return next_of_portal(st);
    if (st->n_rows == 0) { /* the first result was the last one */
        rc = pxi_pg_drain(st->c);
        pxi_pg_done(st, rc);
        return rc;
    }
    rc = next_result(st, &res);
    if (rc != 1)
        return rc;
    rc = pxi_pg_hold(st, res);
    st->row = 0;
    return rc < 0 ? rc : 1;
}

void pxi_pg_stream_end(struct pxi_pg_stmt *st)
{
    struct pxi_pg_conn *c = st->c;
    char name[24];
    PGresult *res = NULL;
    if (st->state == PXI_PG_PORTAL) {
        unlink_portal(st);
        snprintf(name, sizeof name, "prax_c%u", st->portal);
        if (!st->gone)
            pxi_pg_note(&c->closings, name);
        return;
    }
    for (int i = 0; st->state == PXI_PG_STREAM; i++) {
        if (i == READ_ON && !c->stop)
            pxi_pg_stop(c, PRAX_ECANCELED);
        if (next_result(st, &res) == 1)
            PQclear(res);
    }
    pxi_pg_forget(c); /* that it was stopped is what was wanted */
    c->stop = 0;
    c->until_ns = 0;
}

/* ---- transactions ---- */

/* The number of a savepoint that the client named: p2, p3, ... */
static unsigned number_of(const char *sql, const char *command)
{
    size_t n = strlen(command);
    return strncasecmp(sql, command, n) == 0 && sql[n] == 'p'
               ? (unsigned)strtoul(sql + n + 1, NULL, 10)
               : 0;
}

static int take_portal_in(struct pxi_pg_stmt *st)
{
    PGresult *rows = NULL;
    int rc = 0;
    while (rc == 0 && st->fetch && !st->gone) {
        rc = fetch(st, &rows);
        if (rc < 0)
            return rc;
        rc = add_rows(st, rows);
        if (PQntuples(rows) < st->fetch)
            st->fetch = 0;
        PQclear(rows);
    }
    if (st->aside && PQntuples(st->aside) == 0) {
        PQclear(st->aside);
        st->aside = NULL;
    }
    return rc;
}

int pxi_pg_portals_before(struct pxi_pg_conn *c, const char *sql)
{
    int rc = 0;
    if (strncasecmp(sql, "COMMIT", 6) != 0 || PQtransactionStatus(c->pg) != PQTRANS_INTRANS)
        return 0;
    for (struct pxi_pg_stmt *st = c->portals; st && rc == 0; st = st->next_portal)
        rc = take_portal_in(st);
    return rc;
}

static void portals_gone(struct pxi_pg_conn *c, unsigned depth)
{
    for (struct pxi_pg_stmt *st = c->portals; st; st = st->next_portal) {
        if (st->depth >= depth)
            st->gone = true;
    }
    pxi_buf_clear(&c->closings); /* some of them are; the others go with the transaction */
}

void pxi_pg_portals_after(struct pxi_pg_conn *c, const char *sql)
{
    unsigned to = number_of(sql, "ROLLBACK TO "), released = number_of(sql, "RELEASE ");
    unsigned begun = number_of(sql, "SAVEPOINT ");
    bool ended = strncasecmp(sql, "COMMIT", 6) == 0 ||
                 (strncasecmp(sql, "ROLLBACK", 8) == 0 && strncasecmp(sql, "ROLLBACK TO", 11) != 0);
    if (ended || !pxi_pg_in_tx(&c->conn)) { /* another one may have begun in the same text */
        portals_gone(c, 0);
        c->portals = NULL;
        c->depth = 0;
    } else if (to) {
        portals_gone(c, to);
        c->depth = strstr(sql, "RELEASE") ? to - 1 : to;
    } else if (released) {
        c->depth = released - 1;
        for (struct pxi_pg_stmt *st = c->portals; st; st = st->next_portal)
            st->depth = st->depth > c->depth ? c->depth : st->depth;
    } else if (begun) {
        c->depth = begun;
    }
}

/* postgres_stmt.c - the PostgreSQL driver: statements.
 *
 * Parse and Describe go out together and teach the types of parameters and columns, so values can
 * travel in binary and raw SQL is typed by the server. A list's answer is taken in whole, as one
 * PGresult; a cursor's in pieces (postgres_stream.c).
 *
 * Statements have names (p1, p2, ...) unless the URL says prax_prepare=off: behind a pooler that
 * hands out connections by transaction a name would be somebody else's, so the text is sent each
 * time and only what Describe said is kept. Names that are no longer needed are dropped with the
 * next prepare outside of a transaction, at no round trip of their own.
 *
 * A statement that the server no longer has, or that returns other columns since a migration, fails
 * before it does anything. Outside of a transaction it is prepared and sent once more.
 */
#include "orm/base/clock.h"
#include "orm/driver/postgres.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DROPS_AT_ONCE = 16 };

static int no_memory(struct pxi_pg_conn *c)
{
    return pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
}

/* What PQsend* says: the connection was dead before, or there is no memory. */
__attribute__((noinline)) static int not_sent(struct pxi_pg_conn *c)
{
    return PQstatus(c->pg) == CONNECTION_BAD ? pxi_pg_lost(c) : no_memory(c);
}

bool pxi_pg_in_tx(struct pxi_conn *conn)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    PGTransactionStatusType s = PQtransactionStatus(c->pg);
    if (s != PQTRANS_ACTIVE || c->lost)
        c->tx = !c->lost && (s == PQTRANS_INTRANS || s == PQTRANS_INERROR);
    return c->tx;
}

void pxi_pg_note(struct pxi_buf *names, const char *name)
{
    pxi_buf_add(names, name, strlen(name) + 1);
}

/* ---- the driver's own queries ---- */

PGresult *pxi_pg_ask(struct pxi_pg_conn *c, const char *sql, const char *const *values, int n,
                     int *rc)
{
    PGresult *res = NULL;
    *rc = pxi_pg_ready(c);
    if (*rc == 0 && !PQsendQueryParams(c->pg, sql, n, NULL, values, NULL, NULL, 0))
        *rc = not_sent(c);
    if (*rc == 0)
        res = pxi_pg_result(c, rc);
    if (*rc == 0)
        *rc = pxi_pg_drain(c);
    if (*rc == 0 && PQresultStatus(res) == PGRES_TUPLES_OK)
        return res;
    if (*rc == 0) {
        *rc = pxi_pg_fail(c, res);
        res = NULL;
    }
    PQclear(res);
    return NULL;
}

/* ---- prepare ---- */

struct pxi_pg_stmt *pxi_pg_stmt_new(struct pxi_pg_conn *c, const char *sql, size_t size, bool keep)
{
    struct pxi_pg_stmt *st = pxi_pg_mem(c, NULL, 0, sizeof *st + size + 1);
    if (!st)
        return NULL;
    memset(st, 0, sizeof *st);
    st->c = c;
    st->sql_size = size;
    memcpy(st->sql, sql, size);
    st->sql[size] = '\0';
    st->scan = pxi_pg_scan(sql, size);
    if (keep && c->keeps)
        snprintf(st->name, sizeof st->name, "p%u", ++c->last_name);
    return st;
}

static size_t description_size(const struct pxi_pg_stmt *st)
{
    return (st->n_params + st->n_columns) * sizeof *st->params +
           st->n_params * sizeof *st->param_oids + st->n_columns * sizeof *st->fields + 1;
}

static void forget_description(struct pxi_pg_stmt *st)
{
    PQclear(st->desc);
    pxi_pg_mem(st->c, st->params, description_size(st), 0);
    st->desc = NULL;
    st->params = st->columns = NULL;
    st->param_oids = NULL;
    st->fields = NULL;
    st->program = NULL;
}

void pxi_pg_stmt_free(struct pxi_pg_stmt *st)
{
    forget_description(st);
    if (st->cells_used)
        pxi_arena_free(&st->cells);
    pxi_pg_mem(st->c, st, sizeof *st + st->sql_size + 1, 0);
}

int pxi_pg_described(struct pxi_pg_stmt *st, PGresult *desc)
{
    forget_description(st);
    st->desc = desc;
    st->n_params = (unsigned)PQnparams(desc);
    st->n_columns = (unsigned)PQnfields(desc);
    st->params = pxi_pg_mem(st->c, NULL, 0, description_size(st));
    if (!st->params) {
        no_memory(st->c);
        return PRAX_ENOMEM;
    }
    st->columns = st->params + st->n_params;
    st->param_oids = (Oid *)(void *)(st->columns + st->n_columns);
    st->fields = (struct pxi_pg_field *)(void *)(st->param_oids + st->n_params);
    for (unsigned i = 0; i < st->n_params; i++) {
        st->param_oids[i] = PQparamtype(desc, (int)i);
        st->params[i] = pxi_pg_type_of(st->param_oids[i]);
    }
    for (unsigned i = 0; i < st->n_columns; i++)
        st->columns[i] = pxi_pg_type_of(PQftype(desc, (int)i));
    return 0;
}

static int ask_types(struct pxi_pg_stmt *st)
{
    struct pxi_buf oids = { 0 };
    PGresult *res = NULL;
    int rc = 0;
    if (pxi_pg_types_wanted(st, &oids)) {
        const char *values[] = { oids.data };
        rc = pxi_buf_ok(&oids) ? 0 : no_memory(st->c);
        if (rc == 0 && (res = pxi_pg_ask(st->c, pxi_pg_type_sql, values, 1, &rc)))
            rc = pxi_pg_types_learn(st, res);
        PQclear(res);
        pxi_buf_clear(&oids);
        if (rc == 0)
            pxi_pg_types_wanted(st, &oids);
    }
    pxi_buf_free(&oids);
    return rc < 0 ? rc : pxi_pg_types_check(st);
}

/* Drops names, as the first group of a pipeline. The number of commands sent; < 0: error. */
static int send_drops(struct pxi_pg_conn *c)
{
    char sql[48];
    int n = 0;
    size_t at = 0;
    if (c->tx) /* a failure would end it */
        return 0;
    while (n < DROPS_AT_ONCE && at < c->drops.size) {
        const char *name = c->drops.data + at;
        snprintf(sql, sizeof sql, "DEALLOCATE %s", name);
        at += strlen(name) + 1;
        if (!PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0))
            return not_sent(c);
        n++;
    }
    if (n && !PQpipelineSync(c->pg))
        return not_sent(c);
    if (n > 0) {
        memmove(c->drops.data, c->drops.data + at, c->drops.size - at);
        c->drops.size -= at;
    }
    return n;
}

/* That a name is not there any more is what was wanted. */
static int read_drops(struct pxi_pg_conn *c, unsigned n)
{
    PGresult *answers[DROPS_AT_ONCE];
    if (n == 0)
        return 0;
    int rc = pxi_pg_answers(c, answers, n);
    for (unsigned i = 0; i < n; i++)
        PQclear(answers[i]);
    if (c->lost)
        return rc;
    pxi_pg_forget(c);
    return 0;
}

static int parse(struct pxi_pg_stmt *st)
{
    struct pxi_pg_conn *c = st->c;
    PGresult *answers[2] = { NULL, NULL };
    int rc = 0, drops = 0;
    if (!PQenterPipelineMode(c->pg))
        return not_sent(c);
    drops = send_drops(c);
    if (drops < 0 || !PQsendPrepare(c->pg, st->name, st->sql, 0, NULL) ||
        !PQsendDescribePrepared(c->pg, st->name) || !PQpipelineSync(c->pg)) {
        pxi_pg_lost(c); /* half a group is written; nothing can end it */
        return drops < 0 ? drops : not_sent(c);
    }
    rc = read_drops(c, (unsigned)drops);
    if (rc == 0)
        rc = pxi_pg_leave(c, pxi_pg_answers(c, answers, 2));
    PQclear(answers[0]);
    if (rc == 0 && answers[1])
        return pxi_pg_described(st, answers[1]);
    PQclear(answers[1]);
    return rc;
}

/* Told by the server, so that a ';' within BEGIN ATOMIC is none. */
int pxi_pg_refused(const struct pxi_pg_stmt *st, int rc)
{
    const PGresult *failed = st->c->failed;
    if (rc == PRAX_ESQL && st->scan.several && failed &&
        strcmp(PQresultErrorField(failed, PG_DIAG_SQLSTATE), "42601") == 0)
        return PRAX_EINVAL;
    return rc;
}

static int prepare(struct pxi_pg_stmt *st)
{
    struct pxi_pg_conn *c = st->c;
    int rc = pxi_pg_ready(c);
    if (rc == 0)
        rc = parse(st);
    if (rc == 0)
        rc = ask_types(st);
    return pxi_pg_refused(st, rc);
}

int pxi_pg_prepare(struct pxi_conn *conn, const char *sql, size_t size, bool keep,
                   struct pxi_stmt **out)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    *out = NULL;
    if (size > PXI_VALUE_MAX)
        return pxi_pg_fail_text(c, PRAX_ELIMIT, "statement of more than %d bytes", PXI_VALUE_MAX);
    struct pxi_pg_stmt *st = pxi_pg_stmt_new(c, sql, size, keep);
    if (!st)
        return no_memory(c);
    int rc = st->scan.empty ? PRAX_EINVAL : prepare(st);
    if (rc < 0) {
        pxi_pg_stmt_free(st);
        return rc;
    }
    *out = (struct pxi_stmt *)(void *)st;
    return 0;
}

void pxi_pg_drop(struct pxi_stmt *stmt)
{
    struct pxi_pg_stmt *st = pxi_pg_stmt_of(stmt);
    if (st->state != PXI_PG_IDLE)
        pxi_pg_finish(stmt);
    if (st->c->pipe.given == st)
        st->c->pipe.given = NULL;
    if (st->c->pipe.held == st)
        st->c->pipe.held = NULL;
    if (st->name[0] && !st->c->lost)
        pxi_pg_note(&st->c->drops, st->name);
    pxi_pg_stmt_free(st);
}

/* ---- start ---- */

static int take_single_rows(struct pxi_pg_conn *c)
{
#ifdef LIBPQ_HAS_CHUNK_MODE
    if (pxi_libpq.PQsetChunkedRowsMode)
        return pxi_libpq.PQsetChunkedRowsMode(c->pg, 256);
#endif
    return PQsetSingleRowMode(c->pg);
}

static inline int send(struct pxi_pg_stmt *st)
{
    struct pxi_pg_conn *c = st->c;
    int n = (int)st->n_params, good;
    if (st->name[0]) {
        good = PQsendQueryPrepared(c->pg, st->name, n, c->values, c->sizes, c->formats, 1);
    } else {
        good = PQsendQueryParams(c->pg, st->sql, n, st->param_oids, c->values, c->sizes, c->formats,
                                 1);
    }
    return __builtin_expect(good, 1) ? 0 : not_sent(c);
}

int pxi_pg_send(struct pxi_pg_stmt *st)
{
    return send(st);
}

static int send_now(struct pxi_pg_stmt *st)
{
    struct pxi_pg_conn *c = st->c;
    int rc = send(st);
    if (rc < 0)
        return rc;
    c->sent = true;
    c->active = st;
    st->state = PXI_PG_SENT;
    if (st->streams && !take_single_rows(c))
        st->streams = false;
    c->single |= st->streams;
    return 0;
}

static int prepare_again(struct pxi_pg_stmt *st)
{
    if (st->name[0])
        snprintf(st->name, sizeof st->name, "p%u", ++st->c->last_name);
    st->stale = true;
    int rc = prepare(st);
    st->stale = rc < 0;
    return rc;
}

int pxi_pg_start(struct pxi_stmt *stmt, const struct pxi_value *v, unsigned n)
{
    struct pxi_pg_stmt *st = pxi_pg_stmt_of(stmt);
    int rc = pxi_pg_ready(st->c);
    st->row = -1;
    st->n_rows = 0;
    st->code = 0;
    st->retried = false;
    st->unchecked = !st->name[0];
    if (rc == 0 && __builtin_expect(st->stale, 0))
        rc = prepare_again(st);
    if (rc == 0)
        rc = pxi_pg_encode(st, v, n);
    if (rc < 0)
        return rc;
    st->streams = st->streams && st->scan.declares;
    return pxi_pg_wants_portal(st) ? pxi_pg_portal_open(st) : send_now(st);
}

/* ---- answers ---- */

static bool begins(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

/* Its tag begins with the verb, and ends with a number. */
static bool is_counted(const char *tag)
{
    switch (*tag) {
    case 'I':
        return begins(tag, "INSERT ");
    case 'U':
        return begins(tag, "UPDATE ");
    case 'D':
        return begins(tag, "DELETE ");
    case 'M':
        return begins(tag, "MERGE ");
    case 'C':
        return begins(tag, "COPY ");
    default:
        return false;
    }
}

/* What it leaves behind in the session. */
static bool is_setting(const char *tag)
{
    return strcmp(tag, "SET") == 0 || strcmp(tag, "LISTEN") == 0;
}

void pxi_pg_count(struct pxi_pg_conn *c, PGresult *res)
{
    const char *tag = PQcmdStatus(res);
    if (is_counted(tag)) {
        c->changes = strtoll(PQcmdTuples(res), NULL, 10);
        c->total += c->changes;
    } else if (is_setting(tag)) {
        c->dirty = true;
    }
}

/* The same of rows: nearly all tags are SELECT's. */
static inline void count_rows(struct pxi_pg_conn *c, PGresult *res)
{
    const char *tag = PQcmdStatus(res);
    if (tag[0] != 'S' || tag[1] == '\0' || tag[2] != 'L')
        pxi_pg_count(c, res);
}

/* COPY as a statement: there is nobody to give it data, or to take them. */
static int refuse_copy(struct pxi_pg_conn *c, ExecStatusType status)
{
    int rc = status == PGRES_COPY_BOTH ? pxi_pg_lost(c) : 0;
    char *data = NULL;
    int n = 1;
    if (status == PGRES_COPY_IN && PQputCopyEnd(c->pg, "refused by the client") < 0)
        rc = pxi_pg_lost(c);
    if (status == PGRES_COPY_OUT)
        pxi_pg_stop(c, PRAX_EUNSUPPORTED);
    while (status == PGRES_COPY_OUT && rc == 0 && n >= 0) {
        n = PQgetCopyData(c->pg, &data, 1);
        PQfreemem(data);
        data = NULL;
        if (n == 0)
            rc = pxi_pg_wait(c);
    }
    return rc;
}

static bool is_copy(ExecStatusType status)
{
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* A statement with a name cannot change. A text behind a pooler, or a cursor's, which is parsed
 * where it is opened, may have come to mean other tables. */
static int check_columns(struct pxi_pg_stmt *st, const PGresult *res)
{
    if ((unsigned)PQnfields(res) != st->n_columns) {
        st->stale = true;
        return pxi_pg_fail_text(st->c, PRAX_ESCHEMA, "the statement returns other columns now");
    }
    for (unsigned i = 0; st->unchecked && i < st->n_columns; i++) {
        if (PQftype(res, (int)i) != st->columns[i].oid) {
            st->columns[i] = pxi_pg_type_here(st->c, PQftype(res, (int)i));
            st->program = NULL;
        }
    }
    st->unchecked = false;
    return 0;
}

static inline void clear(PGresult **res)
{
    if (*res)
        PQclear(*res);
    *res = NULL;
}

static inline int hold(struct pxi_pg_stmt *st, PGresult *res)
{
    int rc = 0;
    clear(&st->res);
    st->res = res;
    st->row = -1;
    st->n_rows = 0;
    if (st->unchecked || (unsigned)PQnfields(res) != st->n_columns)
        rc = check_columns(st, res);
    if (rc == 0)
        st->n_rows = PQntuples(res);
    return rc;
}

int pxi_pg_hold(struct pxi_pg_stmt *st, PGresult *res)
{
    return hold(st, res);
}

/* All but rows. */
__attribute__((noinline)) static int take_other(struct pxi_pg_stmt *st, PGresult *res,
                                                ExecStatusType status)
{
    struct pxi_pg_conn *c = st->c;
    switch (status) {
    case PGRES_COMMAND_OK:
        pxi_pg_count(c, res);
        PQclear(res);
        return 0;
    case PGRES_EMPTY_QUERY:
        PQclear(res);
        return 0;
    case PGRES_PIPELINE_ABORTED:
        PQclear(res);
        return pxi_pg_fail_text(c, PRAX_EABORTED, "not run: one before it in the pipeline failed");
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        PQclear(res);
        refuse_copy(c, status);
        return PRAX_EUNSUPPORTED;
    default:
        return pxi_pg_fail(c, res);
    }
}

static inline int take(struct pxi_pg_stmt *st, PGresult *res, ExecStatusType status)
{
    if (__builtin_expect(status != PGRES_TUPLES_OK, 0))
        return take_other(st, res, status);
    count_rows(st->c, res);
    return hold(st, res);
}

int pxi_pg_take(struct pxi_pg_stmt *st, PGresult *res)
{
    return take(st, res, PQresultStatus(res));
}

void pxi_pg_done(struct pxi_pg_stmt *st, int rc)
{
    struct pxi_pg_conn *c = st->c;
    st->state = PXI_PG_DONE;
    st->code = rc;
    if (c->active == st)
        c->active = NULL;
}

static bool same_params(const PGresult *a, const PGresult *b)
{
    int n = PQnparams(a);
    bool same = n == PQnparams(b);
    for (int i = 0; same && i < n; i++)
        same = PQparamtype(a, i) == PQparamtype(b, i);
    return same;
}

/* Sends a statement that the server did not know any more once again; false if it may not be. */
static bool send_again(struct pxi_pg_stmt *st)
{
    struct pxi_pg_conn *c = st->c;
    PGresult *desc = st->desc;
    st->stale = true;
    if (!st->name[0] || st->retried || pxi_pg_in_tx(&c->conn) || c->lost)
        return false;
    st->retried = true;
    st->desc = NULL;
    c->active = NULL;
    PGresult *failed = c->failed; /* it stays the reason if this goes wrong */
    c->failed = NULL;
    int rc = prepare_again(st);
    if (rc == 0 && !same_params(desc, st->desc))
        rc = PRAX_ESCHEMA;
    PQclear(desc);
    if (rc == 0 && send_now(st) == 0) {
        PQclear(failed);
        return true;
    }
    pxi_pg_forget(c);
    c->failed = failed;
    return false;
}

void pxi_pg_collect(struct pxi_pg_stmt *st)
{
    struct pxi_pg_conn *c = st->c;
    int rc, end;
    do {
        PGresult *res = pxi_pg_result(c, &rc);
        if (rc == 0 && st->streams && PQresultStatus(res) != PGRES_FATAL_ERROR) {
            st->state = PXI_PG_STREAM;
            if (pxi_pg_hold(st, res) < 0) {
                pxi_pg_stream_end(st);
                st->code = check_columns(st, st->res); /* said again, in the end */
            }
            return;
        }
        ExecStatusType status = PQresultStatus(res);
        if (rc == 0)
            rc = take(st, res, status);
        end = c->lost ? PRAX_ECONN : pxi_pg_drain(c);
        if (end < 0 && rc == 0) {
            rc = end;
            st->n_rows = 0; /* they were not committed */
        }
        if (is_copy(status) && !c->lost)
            pxi_pg_fail_text(c, rc, "COPY is not a statement that rows or values go with");
    } while (rc < 0 && __builtin_expect(c->stale, 0) && send_again(st));
    pxi_pg_done(st, rc);
}

static int step_slow(struct pxi_pg_stmt *st)
{
    if (st->state == PXI_PG_SENT) {
        pxi_pg_collect(st);
        if (st->state == PXI_PG_STREAM && st->n_rows == 0)
            return pxi_pg_stream_next(st);
        if (++st->row < st->n_rows)
            return 1;
    }
    if (st->state == PXI_PG_STREAM || st->state == PXI_PG_PORTAL || st->aside)
        return pxi_pg_stream_next(st);
    st->row = st->n_rows;
    if (st->failed) { /* it was put aside: now it is told */
        pxi_pg_forget(st->c);
        st->c->failed = st->failed;
        st->failed = NULL;
    }
    return st->code;
}

int pxi_pg_step(struct pxi_stmt *stmt)
{
    struct pxi_pg_stmt *st = pxi_pg_stmt_of(stmt);
    if (st->cells_used)
        pxi_arena_release(&st->cells, (struct pxi_mark){ .block = NULL });
    return ++st->row < st->n_rows ? 1 : step_slow(st);
}

void pxi_pg_finish(struct pxi_stmt *stmt)
{
    struct pxi_pg_stmt *st = pxi_pg_stmt_of(stmt);
    if (st->state == PXI_PG_SENT && st->streams)
        pxi_pg_stop(st->c, PRAX_ECANCELED);
    if (st->state == PXI_PG_SENT)
        pxi_pg_collect(st);
    if (st->state == PXI_PG_STREAM || st->state == PXI_PG_PORTAL)
        pxi_pg_stream_end(st);
    clear(&st->res);
    clear(&st->aside);
    clear(&st->failed);
    st->row = -1;
    st->n_rows = 0;
    st->code = 0;
    st->streams = false;
    st->state = PXI_PG_IDLE;
}

/* ---- control statements ---- */

static bool is_command(const char *sql, const char *word)
{
    return strncasecmp(sql, word, strlen(word)) == 0;
}

/* One result of a script; the first error wins. */
static int take_control(struct pxi_pg_conn *c, PGresult *res, const char *sql, int before)
{
    ExecStatusType status = PQresultStatus(res);
    bool undone = is_command(sql, "COMMIT") && strcmp(PQcmdStatus(res), "ROLLBACK") == 0;
    int rc = before;
    if (is_copy(status)) {
        refuse_copy(c, status);
        rc = before < 0 ? before
                        : pxi_pg_fail_text(c, PRAX_EUNSUPPORTED, "COPY in a script of statements");
    } else if (status == PGRES_FATAL_ERROR && before == 0) {
        return pxi_pg_fail(c, res);
    } else if (undone && before == 0) {
        rc = pxi_pg_fail_text(c, PRAX_EABORTED,
                              "the transaction had failed: the database rolled it back");
    } else if (status == PGRES_COMMAND_OK) {
        pxi_pg_count(c, res);
    }
    PQclear(res);
    return rc;
}

int pxi_pg_exec(struct pxi_conn *conn, const char *sql)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    PGresult *res;
    int rc = pxi_pg_ready(c), end;
    if (rc == 0)
        rc = pxi_pg_portals_before(c, sql);
    if (rc < 0)
        return rc;
    if (is_command(sql, "ROLLBACK"))
        c->until_ns = pxi_clock_ns() + (uint64_t)PXI_PG_CONTROL_MS * 1000000;
    if (!PQsendQuery(c->pg, sql))
        return not_sent(c);
    c->sent = true;
    while ((res = pxi_pg_result(c, &end)) != NULL)
        rc = take_control(c, res, sql, rc);
    if (end == 0)
        pxi_pg_portals_after(c, sql);
    return end < 0 ? end : rc;
}

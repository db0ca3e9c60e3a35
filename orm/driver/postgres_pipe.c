/* postgres_pipe.c - the PostgreSQL driver: the half that never blocks. What it is for stands in
 * driver.h, at struct pxi_async.
 *
 * libpq hands results out in the order in which commands were sent; the queue here says what each
 * is the answer to. A prepare is two commands and one entry: the error of the first is kept until
 * the second has been passed over. Where it has types that nobody here knows, it is more: the
 * server is asked for them, in a group of its own, and the entry is answered behind that; so it may
 * come after others that were queued later. A result is given to its statement only when `next`
 * reaches it, so one statement may stand in the queue many times. Outside of a transaction it is
 * the sync that commits, and that may fail too (a deferred constraint, a conflict): so an execution
 * with a sync right behind it is handed out when that has been answered.
 */
#include "orm/driver/postgres.h"
#include <poll.h>

enum kind { SYNC, PARSE, DESCRIBE, TYPE, EXECUTE, NOTHING };

static int not_queued(struct pxi_pg_conn *c)
{
    if (PQstatus(c->pg) == CONNECTION_BAD)
        return pxi_pg_lost(c);
    return pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
}

/* ---- the queue ---- */

static bool make_room(struct pxi_pg_conn *c)
{
    struct pxi_pg_pipe *p = &c->pipe;
    if (p->count + 2 <= p->room)
        return true;
    unsigned room = p->room ? p->room * 2 : 64;
    struct pxi_pg_pipe_entry *queue = pxi_pg_mem(c, NULL, 0, room * sizeof *queue);
    if (!queue)
        return false;
    for (unsigned i = 0; i < p->count; i++)
        queue[i] = p->queue[(p->head + i) & (p->room - 1)];
    pxi_pg_mem(c, p->queue, p->room * sizeof *queue, 0);
    p->queue = queue;
    p->room = room;
    p->head = 0;
    return true;
}

static void enqueue(struct pxi_pg_pipe *p, enum kind kind, struct pxi_pg_stmt *st)
{
    p->queue[(p->head + p->count++) & (p->room - 1)] =
        (struct pxi_pg_pipe_entry){ .st = st, .kind = (uint8_t)kind };
}

static int ready(struct pxi_pg_conn *c)
{
    pxi_pg_forget(c);
    if (c->lost)
        return PRAX_ECONN;
    if (!c->pipe.on)
        return pxi_pg_fail_text(c, PRAX_EINVAL, "the connection is in no pipeline");
    if (!make_room(c))
        return pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
    return 0;
}

/* That rows are to come one by one is forgotten by libpq when another command's turn comes, but not
 * when the first one of a pipeline does (libpq 15). So the first one is one without rows. */
static int queue_nothing(struct pxi_pg_conn *c)
{
    if (!make_room(c))
        return pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
    if (!PQsendQueryParams(c->pg, "", 0, NULL, NULL, NULL, NULL, 0))
        return not_queued(c);
    if (!PQpipelineSync(c->pg))
        return pxi_pg_lost(c); /* nothing would bring the answer */
    enqueue(&c->pipe, NOTHING, NULL);
    enqueue(&c->pipe, SYNC, NULL);
    c->single = false;
    return 0;
}

static int begin(struct pxi_conn *conn)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    int rc = pxi_pg_ready(c);
    if (rc < 0)
        return rc;
    if (!PQenterPipelineMode(c->pg))
        return not_queued(c);
    c->pipe.on = true;
    c->pipe.head = c->pipe.count = 0;
    c->pipe.given = c->pipe.held = NULL;
    return c->single ? queue_nothing(c) : 0;
}

static int prepare(struct pxi_conn *conn, const char *sql, size_t size, bool keep,
                   struct pxi_stmt **out)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    int rc = ready(c);
    *out = NULL;
    if (rc < 0)
        return rc;
    struct pxi_pg_stmt *st = pxi_pg_stmt_new(c, sql, size, keep);
    if (!st)
        return pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
    if (st->scan.empty) {
        pxi_pg_stmt_free(st);
        return pxi_pg_fail_text(c, PRAX_EINVAL, "no statement");
    }
    if (!PQsendPrepare(c->pg, st->name, st->sql, 0, NULL) ||
        !PQsendDescribePrepared(c->pg, st->name)) {
        pxi_pg_stmt_free(st);
        return pxi_pg_lost(c); /* half an entry may be written */
    }
    enqueue(&c->pipe, PARSE, st);
    enqueue(&c->pipe, DESCRIBE, st);
    *out = (struct pxi_stmt *)(void *)st;
    return 0;
}

static int push(struct pxi_stmt *stmt, const struct pxi_value *v, unsigned n)
{
    struct pxi_pg_stmt *st = pxi_pg_stmt_of(stmt);
    struct pxi_pg_conn *c = st->c;
    int rc = ready(c);
    if (rc == 0 && !st->desc)
        rc = pxi_pg_fail_text(c, PRAX_EINVAL, "the statement has not been prepared yet");
    if (rc == 0)
        rc = pxi_pg_encode(st, v, n);
    if (rc == 0)
        rc = pxi_pg_send(st);
    if (rc < 0)
        return rc;
    c->sent = true;
    enqueue(&c->pipe, EXECUTE, st);
    return 0;
}

static int sync_group(struct pxi_conn *conn)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    int rc = ready(c);
    if (rc < 0)
        return rc;
    if (!PQpipelineSync(c->pg))
        return not_queued(c);
    enqueue(&c->pipe, SYNC, NULL);
    return 0;
}

/* ---- the network ---- */

static int fd(struct pxi_conn *conn)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    return c->lost ? -1 : PQsocket(c->pg);
}

static short events(struct pxi_conn *conn)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    if (PQstatus(c->pg) != CONNECTION_OK)
        return c->connecting == PGRES_POLLING_WRITING ? POLLOUT : POLLIN;
    return c->pipe.unsent ? POLLIN | POLLOUT : POLLIN;
}

static int pump(struct pxi_conn *conn)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    if (c->lost)
        return PRAX_ECONN;
    int unsent = PQflush(c->pg);
    c->pipe.unsent = unsent > 0;
    return unsent < 0 ? pxi_pg_lost(c) : pxi_pg_consume(c);
}

/* ---- answers ---- */

static void pop(struct pxi_pg_pipe *p)
{
    p->head = (p->head + 1) & (p->room - 1);
    p->count--;
}

static int ask_types(struct pxi_pg_conn *c, struct pxi_pg_stmt *st, const struct pxi_buf *oids)
{
    const char *values[] = { oids->data };
    if (!pxi_buf_ok(oids) || !make_room(c))
        return pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
    if (!PQsendQueryParams(c->pg, pxi_pg_type_sql, 1, NULL, values, NULL, NULL, 0))
        return not_queued(c);
    if (!PQpipelineSync(c->pg))
        return pxi_pg_lost(c); /* nothing would bring the answer */
    enqueue(&c->pipe, TYPE, st);
    enqueue(&c->pipe, SYNC, NULL);
    c->pipe.unsent = true;
    return 0;
}

/* A statement that was described: 1: it is complete; 0: types are asked for. */
static int describe(struct pxi_pg_conn *c, struct pxi_pg_stmt *st)
{
    struct pxi_buf oids = { 0 };
    int rc = pxi_pg_types_wanted(st, &oids) ? ask_types(c, st, &oids) : pxi_pg_types_check(st);
    bool asked = oids.size > 2;
    pxi_buf_free(&oids);
    return rc < 0 ? rc : !asked;
}

static int learn(struct pxi_pg_conn *c, struct pxi_pg_stmt *st, PGresult *res)
{
    if (PQresultStatus(res) != PGRES_TUPLES_OK)
        return pxi_pg_take(st, res);
    int rc = pxi_pg_types_learn(st, res);
    PQclear(res);
    return rc < 0 ? rc : describe(c, st);
}

/* Gives the result to its statement. 1: the entry is complete; 0: not yet; < 0: it failed. */
static int settle(struct pxi_pg_conn *c, const struct pxi_pg_pipe_entry *e, PGresult *res)
{
    struct pxi_pg_stmt *st = e->st;
    int rc = 0;
    if (e->kind == SYNC || e->kind == NOTHING) {
        PQclear(res);
        return 0;
    }
    if (e->kind == EXECUTE) {
        st->row = -1;
        st->n_rows = 0;
        st->code = pxi_pg_take(st, res);
        st->stale |= c->stale;
        st->state = PXI_PG_DONE;
        return st->code < 0 ? st->code : 1;
    }
    if (PQresultStatus(res) == PGRES_COMMAND_OK && e->kind == DESCRIBE) {
        rc = pxi_pg_described(st, res);
        return rc < 0 ? rc : describe(c, st);
    }
    if (e->kind == TYPE)
        return learn(c, st, res);
    if (PQresultStatus(res) == PGRES_COMMAND_OK) {
        PQclear(res);
        return 0;
    }
    if (e->kind == PARSE) { /* told when Describe has been passed over */
        st->failed = res;
        return 0;
    }
    if (!st->failed)
        return pxi_pg_take(st, res);
    PQclear(res);
    rc = pxi_pg_take(st, st->failed);
    st->failed = NULL;
    return pxi_pg_refused(st, rc);
}

static int give(struct pxi_pg_pipe *p, struct pxi_pg_stmt *st, struct pxi_stmt **out, int rc)
{
    *out = (struct pxi_stmt *)(void *)st;
    p->given = st;
    p->held = NULL;
    return rc;
}

/* The statement before a sync has been answered, and could not be committed. */
static bool is_refused(const struct pxi_pg_conn *c, const struct pxi_pg_pipe_entry *e,
                       const PGresult *res)
{
    return c->pipe.held && e->kind == SYNC && PQresultStatus(res) == PGRES_FATAL_ERROR &&
           !pxi_pg_out_of_step(res, false) && PQstatus(c->pg) == CONNECTION_OK;
}

static int lost(struct pxi_pg_conn *c, struct pxi_stmt **st)
{
    *st = NULL;
    return pxi_pg_lost(c);
}

/* The answer to the first in the queue. 1, < 0: an entry is handed out; 0: none yet. */
static int take(struct pxi_pg_conn *c, PGresult *res, struct pxi_stmt **out)
{
    struct pxi_pg_pipe *p = &c->pipe;
    struct pxi_pg_pipe_entry e = p->queue[p->head];
    pop(p);
    int rc = settle(c, &e, res);
    if (e.kind == SYNC && p->held)
        return give(p, p->held, out, 1);
    if (e.kind == EXECUTE && rc == 1 && p->count && p->queue[p->head].kind == SYNC) {
        p->held = e.st;
        return 0;
    }
    if (rc != 0)
        *out = (struct pxi_stmt *)(void *)e.st;
    p->given = rc != 0 && e.kind == EXECUTE ? e.st : NULL;
    return rc;
}

static int next(struct pxi_conn *conn, struct pxi_stmt **out)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    struct pxi_pg_pipe *p = &c->pipe;
    *out = NULL;
    if (p->given)
        pxi_pg_finish((struct pxi_stmt *)(void *)p->given);
    p->given = NULL;
    pxi_pg_forget(c);
    if (c->lost)
        return PRAX_ECONN;
    while (p->count && !PQisBusy(c->pg)) {
        struct pxi_pg_pipe_entry e = p->queue[p->head];
        PGresult *res = PQgetResult(c->pg);
        if (!res) /* between two commands */
            continue;
        if (is_refused(c, &e, res)) {
            p->held->n_rows = 0;
            return give(p, p->held, out, p->held->code = pxi_pg_fail(c, res));
        }
        if (PQstatus(c->pg) == CONNECTION_BAD || pxi_pg_out_of_step(res, e.kind == SYNC)) {
            c->failed = res;
            return lost(c, out);
        }
        int rc = take(c, res, out);
        if (rc != 0)
            return rc;
    }
    return PQstatus(c->pg) == CONNECTION_BAD ? lost(c, out) : 0;
}

static unsigned out(struct pxi_conn *conn)
{
    return pxi_pg_of(conn)->pipe.count;
}

static int cancel(struct pxi_conn *conn)
{
    return pxi_pg_cancel(pxi_pg_of(conn));
}

static int cancelling(struct pxi_conn *conn)
{
    return pxi_pg_cancelling(pxi_pg_of(conn));
}

static bool stale(struct pxi_stmt *st)
{
    return pxi_pg_stmt_of(st)->stale;
}

static bool clean(struct pxi_conn *conn)
{
    const struct pxi_pg_conn *c = pxi_pg_of(conn);
    return !c->dirty && !c->active && !c->copy.open && !c->pipe.on && !pxi_pg_in_tx(conn);
}

static int end(struct pxi_conn *conn)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    struct pxi_stmt *st;
    if (c->pipe.given || (!c->lost && c->pipe.count))
        next(conn, &st);
    if (c->pipe.count && !c->lost) {
        return pxi_pg_fail_text(c, PRAX_EINVAL, "%u entries of the pipeline are out",
                                c->pipe.count);
    }
    if (!c->lost && c->pipe.on)
        PQclear(PQgetResult(c->pg)); /* libpq ends the last command only when it is asked */
    c->pipe.on = false;
    c->pipe.count = 0;
    if (!c->lost && !PQexitPipelineMode(c->pg))
        pxi_pg_lost(c);
    return c->lost ? PRAX_ECONN : pxi_pg_cancel_end(c);
}

const struct pxi_async pxi_pg_async = {
    .open_start = pxi_pg_open_start,
    .open_poll = pxi_pg_open_poll,
    .fd = fd,
    .events = events,
    .begin = begin,
    .prepare = prepare,
    .push = push,
    .sync = sync_group,
    .pump = pump,
    .next = next,
    .out = out,
    .cancel = cancel,
    .cancelling = cancelling,
    .end = end,
    .stale = stale,
    .clean = clean,
};

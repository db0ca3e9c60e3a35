/* batch.c - the life of a batch: see batch.h.
 *
 * A step sends what is new and reads what has come (batch_pipe.c), or, on a database that no
 * network is in front of, runs one entry. What ends a batch before its time - the oldest entry's
 * deadline, prax_session_cancel, closing - is one thing, a stop: what was not sent fails at once,
 * what was sent is cancelled on the server and read to its end.
 */
#include "orm/client/batch.h"
#include "orm/base/fork.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { MS_NS = 1000000, CLOSE_MS = 100 };

/* ---- open ---- */

static void empty(struct pxi_entries *l)
{
    l->first = NULL;
    l->last = &l->first;
}

prax_batch *prax_batch_open(prax_session *s)
{
    pxi_error_clear(&s->err);
    if (s->db->forks != pxi_forks || s->batch || s->cursors) {
        pxi_error_set(&s->err, PRAX_EINVAL, "prax_batch_open: %s",
                      s->batch     ? "another batch of the session is open"
                      : s->cursors ? "a cursor of the session is open"
                                   : "the handle was opened before fork; open one in the child");
        return NULL;
    }
    prax_batch *b = pxi_heap_zero(&s->db->sessions_heap, sizeof *b);
    if (!b) {
        pxi_error_plain(&s->err, PRAX_ENOMEM, "prax_batch_open: out of memory");
        return NULL;
    }
    b->s = s;
    b->db = s->db;
    b->no_piped = (struct pxi_piped){ .state = PXI_PIPED_FAILED, .code = PRAX_ENOMEM };
    empty(&b->waiting);
    empty(&b->again);
    empty(&b->sent);
    pxi_error_clear(&b->why);
    pxi_error_clear(&b->last);
    pxi_arena_init(&b->arena, s->arena.alloc, 0);
    pxi_arena_lend(&b->arena, &s->arena); /* so that a loop of batches asks for no memory */
    pxi_db_ref(s->db);
    s->batch = b;
    return b;
}

/* ---- work: from here on the session's arena is the batch's ---- */

static void swap_arenas(prax_batch *b)
{
    struct pxi_arena mine = b->arena;
    b->arena = b->s->arena;
    b->s->arena = mine;
}

static void work_begin(prax_batch *b)
{
    const struct pxi_arena *a = &b->s->arena;
    b->arena.max = a->max == 0 ? 0 : a->held < a->max ? a->max - a->held : 1;
    b->s->in_batch = true;
    swap_arenas(b);
}

static void work_end(prax_batch *b)
{
    if (b->s->scratch.block)
        pxi_op_trim(&b->s->scratch);
    swap_arenas(b);
    b->s->in_batch = false;
}

static bool usable(const prax_batch *b)
{
    return b && b->s && b->db->forks == pxi_forks;
}

/* ---- entries ---- */

/* There is no memory for more than this. */
static const prax_result *no_entry(prax_batch *b, int code, const char *why)
{
    pxi_error_clear(&b->last);
    pxi_error_plain(&b->last, code, why);
    b->none = (prax_result){ .status = code, .error = &b->last.e };
    return &b->none;
}

static const prax_result *no_batch(prax_batch *b)
{
    static const prax_error error = { .code = PRAX_EINVAL,
                                      .message = "no batch: it could not be opened",
                                      .op = "" };
    static const prax_result none = { .status = PRAX_EINVAL, .error = &error };
    if (!b)
        return &none;
    return no_entry(b, PRAX_EINVAL,
                    b->s ? "the handle was opened before fork; open one in the child"
                         : "the batch's session was closed");
}

struct pxi_entry *pxi_entry_begin(prax_batch *b, const prax_model *m, enum prax_verb verb,
                                  const prax_result **none)
{
    if (!usable(b)) {
        *none = no_batch(b);
        return NULL;
    }
    work_begin(b);
    struct pxi_arena *a = &b->s->arena;
    struct pxi_entry *e = pxi_arena_zero(a, 1, sizeof *e);
    if (!e) {
        bool over = a->over;
        a->over = a->full = false;
        work_end(b);
        *none = over ? no_entry(b, PRAX_ELIMIT, "arena: more than arena_max")
                     : no_entry(b, PRAX_ENOMEM, "arena: out of memory");
        return NULL;
    }
    e->b = b;
    e->last_part = &e->parts;
    e->result.status = 1;
    e->list.total = -1;
    e->rc = pxi_op_begin(&e->op, b->s, m, verb, &e->rec);
    e->op.nested = true; /* connection and scratch memory are the batch's to let go */
    if (e->rc == 0 && b->s->cursors)
        e->rc = pxi_op_fail(&e->op, PRAX_EINVAL, "a cursor of the session is open");
    return e;
}

const prax_result *pxi_entry_put(struct pxi_entry *e, int rc)
{
    prax_batch *b = e->b;
    prax_session *s = b->s;
    if (rc < 0 || !e->parts) { /* create_many of no rows is done */
        s->batched++;
        pxi_entry_done(e, rc, NULL);
    } else {
        pxi_op_suspend(&e->op);
        pxi_entries_add(&b->waiting, e);
        if (!b->undated)
            b->undated = e;
        b->writes += e->writes;
        b->fresh = true;
        s->batched++;
    }
    work_end(b);
    return &e->result;
}

/* A copy of the session's error, or the only one that there is room for. */
static const prax_error *keep_error(prax_batch *b)
{
    struct pxi_arena *a = &b->s->arena;
    struct pxi_error *err = pxi_arena_get(a, sizeof *err, 16);
    if (!err) {
        a->over = a->full = false;
        err = &b->last;
    }
    pxi_error_copy_all(err, &b->s->err);
    return &err->e;
}

void pxi_entry_done(struct pxi_entry *e, int64_t rc, const prax_error *told)
{
    prax_batch *b = e->b;
    e->op.stmt = NULL;
    e->done = true;
    pxi_op_end(&e->op, rc, rc < 0 ? 0 : e->rows);
    e->result.status = (int)rc;
    if (rc < 0) {
        e->result.count = 0;
        e->result.rows = NULL;
        e->result.error = told ? told : keep_error(b);
        pxi_error_clear(&b->s->err);
    }
    b->s->batched--;
}

/* ---- the end of many ---- */

void pxi_batch_fail(prax_batch *b, struct pxi_entries *list)
{
    const prax_error *told = NULL;
    while (list->first) {
        struct pxi_entry *e = pxi_entries_pop(list);
        if (list != &b->sent)
            b->writes -= e->writes;
        if (e->done)
            continue;
        if (list == &b->sent) {
            pxi_op_back(&e->op);
        } else {
            pxi_op_reenter(&e->op);
        }
        pxi_error_copy_all(&b->s->err, &b->why);
        if (!told)
            told = keep_error(b);
        pxi_entry_done(e, b->why.e.code, told);
    }
    if (list == &b->waiting)
        b->undated = NULL;
}

void pxi_batch_break(prax_batch *b, int code)
{
    pxi_error_copy_all(&b->why, &b->s->err);
    b->code = code;
    bool retryable = b->why.e.retryable;
    pxi_batch_fail(b, &b->sent);
    b->why.e.retryable |= code == PRAX_ECONN; /* nothing of the others was sent */
    pxi_batch_fail(b, &b->again);
    pxi_batch_fail(b, &b->waiting);
    b->why.e.retryable = retryable;
    pxi_error_clear(&b->s->err);
}

void pxi_batch_stop(prax_batch *b, int code)
{
    if (b->stop)
        return;
    b->stop = b->code = code;
    pxi_error_clear(&b->why);
    pxi_error_plain(&b->why, code, prax_strerror(code));
    pxi_batch_fail(b, &b->again);
    pxi_batch_fail(b, &b->waiting);
    pxi_pipe_stop(b);
}

/* ---- steps ---- */

static uint64_t sooner(uint64_t deadline_ns, const struct pxi_entry *e)
{
    while (e && e->done)
        e = e->next;
    uint64_t own = e && e->deadline_ns ? e->deadline_ns : UINT64_MAX;
    return own < deadline_ns ? own : deadline_ns;
}

uint64_t pxi_batch_deadline(const prax_batch *b)
{
    uint64_t ns = sooner(UINT64_MAX, b->sent.first);
    ns = sooner(sooner(ns, b->again.first), b->waiting.first);
    return ns == UINT64_MAX ? 0 : ns;
}

static void set_deadlines(prax_batch *b)
{
    uint32_t ms = b->s->timeout_ms;
    uint64_t now = ms && b->undated ? pxi_clock_ns() : 0;
    for (struct pxi_entry *e = b->undated; e && ms; e = e->next)
        e->deadline_ns = now + (uint64_t)ms * MS_NS;
    b->undated = NULL;
    b->s->watch.deadline_ns = pxi_batch_deadline(b);
}

static void look_for_stop(prax_batch *b)
{
    prax_session *s = b->s;
    uint64_t deadline = s->watch.deadline_ns;
    if (__atomic_exchange_n(&s->watch.cancel, 0, __ATOMIC_RELAXED)) {
        pxi_batch_stop(b, PRAX_ECANCELED);
    } else if (deadline && pxi_clock_ns() >= deadline) {
        pxi_batch_stop(b, PRAX_ETIMEOUT);
    }
}

/* ---- without a network ---- */

static int run_part(struct pxi_entry *e, struct pxi_part *p)
{
    struct pxi_op *op = &e->op;
    struct pxi_shape sh;
    pxi_op_shape(op, &sh);
    sh.values = p->values;
    sh.n_values = p->n_values;
    int rc = pxi_op_start_plan(op, &sh, p->plan, p->cached);
    if (rc == 0)
        rc = pxi_entry_read(e, p);
    pxi_op_finish(op);
    return rc;
}

static int run_parts(struct pxi_entry *e)
{
    int rc = 0;
    for (struct pxi_part *p = e->parts; p && rc == 0; p = p->next)
        rc = run_part(e, p);
    return rc;
}

/* More than one statement: all or nothing. */
static int run_in_tx(struct pxi_entry *e)
{
    struct pxi_op *op = &e->op;
    const struct pxi_driver *d = op->link->driver;
    struct pxi_conn *c = op->link->conn;
    int rc = d->exec(c, d->begin(PRAX_ISO_DEFAULT, false));
    if (rc < 0)
        return pxi_op_explain(op, rc);
    rc = run_parts(e);
    if (rc == 0 && (rc = d->exec(c, "COMMIT")) < 0)
        rc = pxi_op_explain(op, rc);
    if (rc < 0 && d->in_tx(c))
        d->exec(c, "ROLLBACK");
    return rc;
}

static int run_entry(struct pxi_entry *e)
{
    struct pxi_op *op = &e->op;
    pxi_op_reenter(op);
    int rc = pxi_op_poisoned(op);
    if (rc == 0)
        rc = pxi_op_connect(op);
    if (rc < 0)
        return rc;
    bool before = op->link->driver->in_tx(op->link->conn);
    e->b->total = op->link->driver->total(op->link->conn);
    rc = e->parts->next && !before ? run_in_tx(e) : run_parts(e);
    if (rc == 0 && op->verb == PRAX_RAW_EXEC)
        rc = pxi_raw_check_tx(op, before);
    return rc;
}

static int run_one(prax_batch *b)
{
    prax_session *s = b->s;
    if (b->waiting.first) {
        struct pxi_entry *e = pxi_entries_pop(&b->waiting);
        b->writes -= e->writes;
        pxi_entry_done(e, run_entry(e), NULL);
        pxi_session_unpin(s);
    }
    b->stop = s->batched ? b->stop : 0;
    return s->batched != 0;
}

/* ---- the program's calls ---- */

static int refuse(prax_batch *b)
{
    if (b && b->s) {
        pxi_error_clear(&b->s->err);
        return pxi_error_set(&b->s->err, PRAX_EINVAL,
                             "prax_batch_step: the handle was opened before fork");
    }
    return PRAX_EINVAL;
}

/* All are done: what the program is told of how. */
static int finish(prax_batch *b)
{
    int code = b->code;
    b->code = 0;
    if (code < 0)
        pxi_error_copy_all(&b->s->err, &b->why);
    return code;
}

int prax_batch_step(prax_batch *b)
{
    if (!usable(b))
        return refuse(b);
    bool network = b->db->pool.driver->async != NULL;
    pxi_error_clear(&b->s->err);
    work_begin(b);
    b->fresh = false;
    set_deadlines(b);
    if (b->s->batched && !b->stop)
        look_for_stop(b);
    int rc = network ? pxi_pipe_step(b) : run_one(b);
    work_end(b);
    return rc == 0 ? finish(b) : 1;
}

prax_interest prax_batch_interest(const prax_batch *b)
{
    prax_interest now = { .fd = -1, .events = 0, .timeout_ms = 0 };
    if (!usable(b) || (b->fresh && !b->link) || !b->db->pool.driver->async)
        return now;
    prax_interest i = pxi_pipe_interest(b);
    if (b->fresh)
        i.timeout_ms = 0;
    return i;
}

static void wait_for(const prax_batch *b)
{
    prax_interest i = prax_batch_interest(b);
    struct pollfd fd = { .fd = i.fd, .events = i.events };
    if (i.fd >= 0 || i.timeout_ms != 0)
        poll(&fd, 1, i.timeout_ms);
}

int prax_batch_run(prax_batch *b)
{
    int rc;
    while ((rc = prax_batch_step(b)) == 1)
        wait_for(b);
    return rc;
}

/* ---- close ---- */

void pxi_batch_abandon(prax_session *s)
{
    prax_batch *b = s->batch;
    if (!s->batched && !s->piped)
        return;
    uint64_t end = pxi_clock_ns() + (uint64_t)CLOSE_MS * MS_NS;
    struct pxi_error before;
    pxi_error_copy_all(&before, &s->err); /* a rollback keeps it */
    work_begin(b);
    pxi_batch_stop(b, PRAX_ECANCELED);
    while (b->link && pxi_pipe_step(b) == 1 && pxi_clock_ns() < end) {
        prax_interest i = pxi_pipe_interest(b);
        struct pollfd fd = { .fd = i.fd, .events = i.events };
        poll(&fd, 1, i.timeout_ms < 10 ? i.timeout_ms : 10);
    }
    if (b->link || s->batched)
        pxi_pipe_abort(b);
    b->stop = b->code = 0;
    work_end(b);
    pxi_error_copy_all(&s->err, &before);
}

void pxi_batch_detach(prax_batch *b)
{
    prax_session *s = b->s;
    pxi_batch_abandon(s);
    pxi_arena_join(&s->arena, &b->arena);
    s->batch = NULL;
    b->s = NULL;
}

void prax_batch_close(prax_batch *b)
{
    if (!b)
        return;
    prax_db *db = b->db;
    if (usable(b)) {
        pxi_batch_detach(b);
    } else if (b->s) {
        b->s->batch = NULL;
        pxi_arena_join(&b->s->arena, &b->arena);
    }
    while (b->spare) {
        struct pxi_piped *p = b->spare;
        b->spare = p->next;
        pxi_heap_free(&db->sessions_heap, p, sizeof *p);
    }
    pxi_heap_free(&db->sessions_heap, b, sizeof *b);
    pxi_db_unref(db);
}

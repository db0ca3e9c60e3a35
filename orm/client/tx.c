/* tx.c - transactions as guards.
 *
 * Guards nest by depth: 1 is BEGIN, deeper ones are savepoints p2, p3, ... A statement that fails
 * poisons the innermost guard, on every database alike: until that guard ends, all is EABORTED. A
 * guard whose begin failed is poisoned from its birth, so its body cannot run outside of it.
 * SQLite rolls back a whole transaction by itself on some errors (disk full, out of memory); then
 * the outermost guard is the poisoned one.
 */
#include "orm/base/fork.h"
#include "orm/client/client.h"
#include "usdt/probe.h"
#include "usdt/stats.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { RETRY_PAUSE_MS = 2, RETRY_PAUSE_MAX_MS = 200 };

static uint64_t next_tx_id(void)
{
    static uint64_t last;
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

static void poison_at(struct pxi_tx *tx, unsigned depth, int code)
{
    if (tx->poison_depth && tx->poison_depth <= depth)
        return;
    if (!tx->poison_depth)
        tx->poison = code;
    tx->poison_depth = depth;
}

void pxi_tx_poison(prax_session *s, int code)
{
    struct pxi_tx *tx = &s->tx;
    if (!tx->depth || code == PRAX_EABORTED)
        return;
    bool gone = s->holds && !s->link->driver->in_tx(s->link->conn);
    poison_at(tx, gone ? 1 : tx->depth, code);
}

/* One statement without values, on the connection that the operation has. */
static int control(struct pxi_op *op, const char *what, unsigned depth)
{
    char sql[64];
    snprintf(sql, sizeof sql, depth > 1 ? "%s p%u" : "%s", what, depth);
    pxi_op_phase(op, PRAX_PHASE_EXECUTE);
    int rc = op->link->driver->exec(op->link->conn, sql);
    return rc < 0 ? pxi_op_explain(op, rc) : 0;
}

/* ---- begin ---- */

static int check_begin(struct pxi_op *op, const prax_tx_opts *o)
{
    const struct pxi_tx *tx = &op->s->tx;
    if (!o || o->size == 0)
        return pxi_op_fail(op, PRAX_EINVAL, "options are not initialised");
    if (tx->depth && o->isolation != PRAX_ISO_DEFAULT && o->isolation != tx->isolation)
        return pxi_op_fail(op, PRAX_EINVAL, "another isolation within a transaction");
    return 0;
}

static int begin_outer(struct pxi_op *op, const prax_tx_opts *o)
{
    prax_session *s = op->s;
    bool read_only = o->read_only || s->read_only;
    int rc = pxi_op_connect(op);
    if (rc == 0)
        rc = control(op, read_only ? "BEGIN" : "BEGIN IMMEDIATE", 1);
    if (rc < 0)
        return rc;
    s->tx.read_only = read_only;
    s->tx.isolation = o->isolation;
    s->tx.id = next_tx_id();
    return 0;
}

static int begin_inner(struct pxi_op *op)
{
    int rc = pxi_op_connect(op);
    return rc < 0 ? rc : control(op, "SAVEPOINT", op->s->tx.depth + 1);
}

/* The guard exists from here on, whether it begun or not. */
static prax_tx enter(struct pxi_op *op, int rc)
{
    prax_session *s = op->s;
    struct prax_stats *st = pxi_stats_here();
    s->tx.depth++;
    if (rc == 0) {
        pxi_stats_add(st, &st->tx_begun, s->tx.depth == 1);
        PXI_PROBE(tx__begin, s->tx.id, op->rec->conn_id, s->tx.depth - 1);
    } else {
        poison_at(&s->tx, s->tx.depth, rc);
    }
    pxi_op_end(op, rc, 0);
    return (prax_tx){ s, s->tx.depth, rc };
}

prax_tx prax_tx_begin_with(prax_session *s, const prax_tx_opts *o)
{
    struct pxi_op op;
    int rc = pxi_op_begin(&op, s, NULL, PRAX_NO_VERB, NULL);
    if (rc == 0)
        rc = check_begin(&op, o);
    if (rc == 0)
        rc = s->tx.depth ? begin_inner(&op) : begin_outer(&op, o);
    return enter(&op, rc);
}

prax_tx prax_savepoint_begin(prax_session *s)
{
    struct pxi_op op;
    int rc = pxi_op_begin(&op, s, NULL, PRAX_NO_VERB, NULL);
    if (rc == 0 && s->tx.depth == 0)
        rc = pxi_op_fail(&op, PRAX_EINVAL, "a savepoint outside of a transaction");
    if (rc == 0)
        rc = begin_inner(&op);
    return enter(&op, rc);
}

/* ---- end ---- */

static void leave(prax_session *s, unsigned depth)
{
    struct pxi_tx *tx = &s->tx;
    tx->depth = depth - 1;
    if (tx->poison_depth >= depth)
        tx->poison_depth = 0;
    if (tx->depth == 0) {
        tx->id = 0;
        tx->read_only = false;
        tx->isolation = PRAX_ISO_DEFAULT;
    }
}

int prax_tx_commit(prax_tx *tx)
{
    prax_session *s = tx->session;
    struct pxi_op op;
    if (!s)
        return PRAX_EINVAL; /* committed or ended before */
    int rc = pxi_op_begin(&op, s, NULL, PRAX_NO_VERB, NULL);
    if (rc == 0 && tx->depth != s->tx.depth)
        rc = pxi_op_fail(&op, PRAX_EINVAL, "commit while an inner guard is open");
    if (rc == 0)
        rc = pxi_op_connect(&op);
    if (rc == 0)
        rc = control(&op, tx->depth > 1 ? "RELEASE" : "COMMIT", tx->depth);
    uint64_t id = s->tx.id;
    PXI_PROBE(tx__commit, id, tx->depth - 1, rc);
    if (rc == 0) {
        struct prax_stats *st = pxi_stats_here();
        pxi_stats_add(st, &st->tx_committed, tx->depth == 1);
        leave(s, tx->depth);
        tx->session = NULL;
    }
    return (int)pxi_op_end(&op, rc, 0);
}

static void roll_back(prax_session *s, unsigned depth)
{
    const struct pxi_driver *d = s->link->driver;
    struct pxi_conn *c = s->link->conn;
    char sql[64];
    if (!d->in_tx(c))
        return;
    if (depth == 1) {
        d->exec(c, "ROLLBACK");
        /* An interrupt that came while a cursor is open stops every statement until it is closed.
         */
        while (d->in_tx(c) && s->cursors)
            pxi_cursor_detach(s->cursors);
        if (d->in_tx(c))
            d->exec(c, "ROLLBACK");
        return;
    }
    snprintf(sql, sizeof sql, "ROLLBACK TO p%u; RELEASE p%u", depth, depth);
    d->exec(c, sql);
}

/* Not an operation: it must work when all operations are refused, and it keeps the error. What a
 * rollback could say (there is no transaction any more) is what it wants. */
void prax_tx_end(prax_tx *tx)
{
    prax_session *s = tx->session;
    tx->session = NULL;
    if (!s || s->db->forks != pxi_forks || tx->depth > s->tx.depth)
        return;
    if (tx->code == 0 && s->holds) {
        struct prax_stats *st = pxi_stats_here();
        roll_back(s, tx->depth);
        pxi_stats_add(st, &st->tx_rolled_back, tx->depth == 1);
        PXI_PROBE(tx__rollback, s->tx.id, tx->depth - 1);
    }
    leave(s, tx->depth);
    pxi_session_unpin(s);
}

/* ---- run ---- */

static void pause_before(unsigned tries)
{
    long ms = tries < 7 ? RETRY_PAUSE_MS << tries : RETRY_PAUSE_MAX_MS;
    struct timespec t = { .tv_sec = 0, .tv_nsec = ms * 1000000 };
    nanosleep(&t, NULL);
}

static int run_once(prax_session *s, prax_tx_fn fn, void *arg, const prax_tx_opts *o)
{
    prax_tx tx = prax_tx_begin_with(s, o);
    int result = tx.code < 0 ? tx.code : fn(s, arg);
    if (result >= 0) {
        int rc = prax_tx_commit(&tx);
        result = rc < 0 ? rc : result;
    }
    prax_tx_end(&tx);
    return result;
}

/* What failed first is what says whether to try again: EABORTED only repeats it. */
static bool retryable(const prax_session *s, int result)
{
    const prax_error *e = &s->err.e;
    int code = e->code == PRAX_EABORTED ? e->cause : e->code;
    return result < 0 && (code == PRAX_EBUSY || code == PRAX_ESERIAL || code == PRAX_ECONFLICT ||
                          (e->code == code && e->retryable));
}

int prax_tx_run_with(prax_session *s, prax_tx_fn fn, void *arg, const prax_tx_opts *o)
{
    bool outermost = s->tx.depth == 0; /* a savepoint tried again would only fail again */
    for (unsigned tries = 0;; tries++) {
        int result = run_once(s, fn, arg, o);
        if (!outermost || !retryable(s, result) || tries >= o->retries)
            return result;
        pause_before(tries);
    }
}

/* tx.c - transactions as guards.
 *
 * Guards nest by depth: 1 is BEGIN, deeper ones are savepoints p2, p3, ... A statement that fails
 * poisons the innermost guard, on every database alike: until that guard ends, all is EABORTED. A
 * guard whose begin failed is poisoned from its birth, so its body cannot run outside of it.
 * A database that rolls back a whole transaction by itself (SQLite: disk full, out of memory; any:
 * a connection that breaks) leaves the outermost guard poisoned. What a broken connection had not
 * committed is rolled back for certain; only an answer to COMMIT that never came leaves a doubt,
 * which the message names and nobody repeats.
 */
#include "orm/base/fork.h"
#include "orm/client/batch.h"
#include "usdt/probe.h"
#include "usdt/stats.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    RETRY_PAUSE_MS = 2, /* before the first repetition; doubled up to: */
    RETRY_PAUSE_MAX_MS = 200,
    ROLLBACK_MS = 5000, /* for a rollback, whatever the session's deadline; then: disconnect */
    MS_NS = 1000000,
};

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

/* One statement without values, on the connection that the operation has; depth > 1: of a
 * savepoint. */
static int control(struct pxi_op *op, const char *what, unsigned depth)
{
    char sql[96];
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
    if ((unsigned)o->isolation > PRAX_SERIALIZABLE)
        return pxi_op_fail(op, PRAX_EINVAL, "isolation %d is none", (int)o->isolation);
    if (tx->depth && o->read_only && !tx->read_only)
        return pxi_op_fail(op, PRAX_EINVAL, "read_only within a transaction that writes");
    if (tx->depth && o->isolation != PRAX_ISO_DEFAULT && o->isolation != tx->isolation)
        return pxi_op_fail(op, PRAX_EINVAL, "another isolation within a transaction");
    return 0;
}

static int begin_once(struct pxi_op *op, enum prax_isolation isolation, bool read_only)
{
    int rc = pxi_op_connect(op);
    return rc < 0 ? rc : control(op, op->link->driver->begin(isolation, read_only), 1);
}

static int begin_outer(struct pxi_op *op, const prax_tx_opts *o)
{
    prax_session *s = op->s;
    bool read_only = o->read_only || s->read_only;
    int rc = begin_once(op, o->isolation, read_only);
    /* It broke while it rested. Nothing was begun, so nothing is done twice. */
    if (rc == PRAX_ECONN && op->link && op->link->driver->broken(op->link->conn)) {
        pxi_op_disconnect(op);
        rc = begin_once(op, o->isolation, read_only);
    }
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

/* The connection was lost in COMMIT, whatever the reason (a deadline, when the server did not even
 * answer the request to stop). A driver calls that retryable if nothing was sent: then it was
 * rolled back. Else nobody knows. */
static int in_doubt(struct pxi_op *op)
{
    struct pxi_error *e = &op->s->err;
    char cause[PXI_ERROR_TEXT];
    if (e->e.retryable)
        return e->e.code;
    pxi_error_copy(cause, sizeof cause, e->message, strlen(e->message));
    pxi_error_clear(e);
    pxi_error_set(e, PRAX_ECONN,
                  "commit in doubt: the connection was lost before the answer to COMMIT, which may "
                  "have been done or not: %s",
                  cause);
    e->e.retryable = false;
    return PRAX_ECONN;
}

static int commit(struct pxi_op *op, unsigned depth)
{
    if (depth > 1)
        return control(op, "RELEASE", depth);
    int rc = control(op, "COMMIT", depth);
    return rc < 0 && op->link->driver->broken(op->link->conn) ? in_doubt(op) : rc;
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
        rc = commit(&op, tx->depth);
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

static int roll_back_all(prax_session *s)
{
    const struct pxi_driver *d = s->link->driver;
    struct pxi_conn *c = s->link->conn;
    int rc = d->exec(c, "ROLLBACK");
    /* An interrupt that came while a cursor is open stops every statement until it is closed. */
    while (d->in_tx(c) && s->cursors)
        pxi_cursor_detach(s->cursors);
    return d->in_tx(c) ? d->exec(c, "ROLLBACK") : rc < 0 && d->broken(c) ? rc : 0;
}

static int roll_back_to(prax_session *s, unsigned depth)
{
    char sql[64];
    snprintf(sql, sizeof sql, "ROLLBACK TO p%u; RELEASE p%u", depth, depth);
    return s->link->driver->exec(s->link->conn, sql);
}

/* With a deadline of its own: the one that was passed may be why there is something to undo. */
static int roll_back(prax_session *s, unsigned depth)
{
    const struct pxi_driver *d = s->link->driver;
    struct pxi_conn *c = s->link->conn;
    struct pxi_watch patient = { .deadline_ns = pxi_clock_ns() + (uint64_t)ROLLBACK_MS * MS_NS };
    if (!d->in_tx(c))
        return 0;
    d->watch(c, &patient);
    int rc = depth == 1 ? roll_back_all(s) : roll_back_to(s, depth);
    d->watch(c, &s->watch);
    return rc;
}

/* Not an operation: it must work when all operations are refused, and it keeps the error. What a
 * rollback could say (there is no transaction any more) is what it wants; if it fails, the guards
 * around it fail, and the pool closes the connection. */
void prax_tx_end(prax_tx *tx)
{
    prax_session *s = tx->session;
    int rc = 0;
    tx->session = NULL;
    if (!s || s->db->forks != pxi_forks || tx->depth > s->tx.depth)
        return;
    if (s->batch)
        pxi_batch_abandon(s);
    if (tx->code == 0 && s->holds) {
        struct prax_stats *st = pxi_stats_here();
        rc = roll_back(s, tx->depth);
        s->suspect |= rc < 0;
        pxi_stats_add(st, &st->tx_rolled_back, tx->depth == 1);
        PXI_PROBE(tx__rollback, s->tx.id, tx->depth - 1);
    }
    leave(s, tx->depth);
    if (rc < 0 && s->tx.depth)
        poison_at(&s->tx, 1, rc);
    pxi_session_unpin(s);
}

/* ---- run ---- */

/* Between half of the pause and all of it, so that two that hindered each other part ways. */
static void pause_before(const prax_session *s, unsigned tries)
{
    uint64_t ms = tries < 7 ? (uint64_t)RETRY_PAUSE_MS << tries : RETRY_PAUSE_MAX_MS;
    uint64_t ns = (ms < RETRY_PAUSE_MAX_MS ? ms : RETRY_PAUSE_MAX_MS) * MS_NS;
    uint64_t dice = (pxi_clock_ns() ^ (uintptr_t)s) * 0x9e3779b97f4a7c15u >> 32;
    ns = ns / 2 + ns / 2 * dice / UINT32_MAX;
    struct timespec t = { .tv_sec = 0, .tv_nsec = (long)ns };
    nanosleep(&t, NULL);
}

static int run_once(prax_session *s, prax_tx_fn fn, void *arg, const prax_tx_opts *o,
                    bool *committing)
{
    prax_tx tx = prax_tx_begin_with(s, o);
    int result = tx.code < 0 ? tx.code : fn(s, arg);
    *committing = result >= 0;
    if (result >= 0) {
        int rc = prax_tx_commit(&tx);
        result = rc < 0 ? rc : result;
    }
    prax_tx_end(&tx);
    return result;
}

/* What failed first is what says whether to try again: EABORTED only repeats it. A connection that
 * broke before COMMIT was sent took all with it. */
static bool retryable(const prax_session *s, int result, bool committing)
{
    const prax_error *e = &s->err.e;
    int code = e->code == PRAX_EABORTED ? e->cause : e->code;
    if (result >= 0)
        return false;
    if (e->code == code && e->retryable)
        return true;
    return code == PRAX_EBUSY || code == PRAX_ESERIAL || code == PRAX_ECONFLICT ||
           (code == PRAX_ECONN && !committing);
}

int prax_tx_run_with(prax_session *s, prax_tx_fn fn, void *arg, const prax_tx_opts *o)
{
    bool outermost = s->tx.depth == 0; /* a savepoint tried again would only fail again */
    for (unsigned tries = 0;; tries++) {
        bool committing;
        int result = run_once(s, fn, arg, o, &committing);
        if (!outermost || tries >= o->retries || !retryable(s, result, committing))
            return result;
        pause_before(s, tries);
    }
}

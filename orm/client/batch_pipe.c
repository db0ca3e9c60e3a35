/* batch_pipe.c - a batch in a pipeline: what is sent when, and whose answer comes. struct pxi_async
 * says what the driver does; batch_link.c has the connection.
 *
 * New statements of all entries at hand are prepared together, behind one sync; then the entries go
 * out in their order, up to the first whose statement is not there yet. Within a transaction one
 * sync ends them. Outside of one, what fails takes its group with it, so each write has a sync of
 * its own; reads share one only when no write follows them, and a write waits until such a group is
 * answered: those of the group that did not run, because one before them failed, are sent again,
 * and a write must not have come between.
 *
 * Gets beside each other are one statement (batch_merge.c); all that is said of an entry here is
 * said of such a run, too.
 *
 * A create_many of several statements is one group, so it is one transaction. If its second half
 * cannot be sent, a statement that fails undoes the first.
 */
#include "orm/client/batch.h"
#include "usdt/probe.h"
#include "usdt/stats.h"

int pxi_pipe_explain(prax_batch *b, int rc)
{
    struct pxi_error *err = &b->s->err;
    if (!err->e.code)
        b->link->driver->explain(b->link->conn, rc, err);
    if (b->stop && (err->e.code == PRAX_ECANCELED || err->e.code == PRAX_EABORTED))
        pxi_error_recode(err, b->stop);
    return err->e.code;
}

/* ---- prepared statements ---- */

static void drop_piped(prax_batch *b, struct pxi_piped *p)
{
    if (p->stmt)
        pxi_link_lose(b->link, p->stmt, p->is_new);
    p->stmt = NULL;
}

static void forget_piped(prax_batch *b, struct pxi_piped *p)
{
    if (p->err)
        pxi_heap_free(&b->db->sessions_heap, p->err, sizeof *p->err);
    p->err = NULL;
    p->next = b->spare;
    b->spare = p;
}

void pxi_pipe_give_back(prax_batch *b, bool keep)
{
    while (b->piped) {
        struct pxi_piped *p = b->piped;
        b->piped = p->next;
        if (keep && p->state == PXI_PIPED_READY && p->plan->id != PXI_PLAN_ONCE) {
            pxi_link_keep(b->link, p->plan->id, p->stmt, p->is_new);
        } else {
            drop_piped(b, p);
        }
        forget_piped(b, p);
    }
    b->preparing = 0;
}

static struct pxi_piped *new_piped(prax_batch *b, struct pxi_entry *e, struct pxi_plan *plan)
{
    struct pxi_piped *p = b->spare;
    if (p) {
        b->spare = p->next;
    } else {
        p = pxi_heap_zero(&b->db->sessions_heap, sizeof *p);
    }
    if (!p)
        return NULL;
    *p = (struct pxi_piped){ .plan = plan, .rec = &e->rec, .next = b->piped };
    p->stmt = pxi_link_stmt(b->link, plan->id);
    p->state = p->stmt ? PXI_PIPED_READY : PXI_PIPED_NEW;
    p->is_new = !p->stmt;
    b->piped = p;
    return p;
}

static struct pxi_piped *find_piped(prax_batch *b, struct pxi_entry *e, struct pxi_plan *plan)
{
    struct pxi_piped *p = b->piped;
    while (p && (p->plan != plan || p->state == PXI_PIPED_STALE))
        p = p->next;
    if (!p)
        p = new_piped(b, e, plan);
    return p ? p : &b->no_piped;
}

static void piped_failed(prax_batch *b, struct pxi_piped *p, int code)
{
    p->state = PXI_PIPED_FAILED;
    p->code = code;
    if (!p->err)
        p->err = pxi_heap_zero(&b->db->sessions_heap, sizeof *p->err);
    if (p->err)
        pxi_error_copy_all(p->err, &b->s->err);
    pxi_error_clear(&b->s->err);
    drop_piped(b, p);
}

static void prepare_one(prax_batch *b, struct pxi_piped *p)
{
    const struct pxi_plan *plan = p->plan;
    struct prax_stats *st = pxi_stats_here();
    p->start_ns = PXI_PROBE_ON(stmt__prepare__done) ? pxi_clock_ns() : 0;
    pxi_stats_add(st, &st->prepares, 1);
    PXI_PROBE(stmt__prepare__start, p->rec, plan->sql, plan->fingerprint);
    int rc = pxi_async_of(b)->prepare(b->link->conn, plan->sql, plan->sql_size,
                                      plan->id != PXI_PLAN_ONCE, &p->stmt);
    if (rc < 0) {
        piped_failed(b, p, pxi_pipe_explain(b, rc));
        return;
    }
    p->state = PXI_PIPED_SENT;
    b->preparing++;
}

static void prepared(prax_batch *b, struct pxi_piped *p, int rc)
{
    const struct pxi_plan *plan = p->plan;
    b->preparing--;
    PXI_PROBE(stmt__prepare__done, p->rec, plan->sql,
              p->start_ns ? pxi_clock_ns() - p->start_ns : 0, rc < 0 ? rc : 0);
    if (rc >= 0) {
        p->state = PXI_PIPED_READY;
    } else if (rc == PRAX_EABORTED && !pxi_batch_in_tx(b) && !b->stop) { /* one before it failed */
        drop_piped(b, p);
        p->state = PXI_PIPED_NEW;
    } else {
        if (rc == PRAX_EINVAL)
            pxi_error_plain(&b->s->err, rc, "one statement is wanted, not none and not more");
        int code = pxi_pipe_explain(b, rc);
        pxi_error_sql(&b->s->err, plan->sql);
        piped_failed(b, p, code);
    }
}

/* *p: of the plan, if it is known already. True: it was sent. */
static bool want(prax_batch *b, struct pxi_entry *e, struct pxi_plan *plan, struct pxi_piped **p)
{
    if (!*p)
        *p = find_piped(b, e, plan);
    if ((*p)->state != PXI_PIPED_NEW)
        return false;
    prepare_one(b, *p);
    return (*p)->state == PXI_PIPED_SENT;
}

/* Those of the entries at hand. True: some were sent. */
static bool prepare_new(prax_batch *b)
{
    unsigned n = 0;
    bool any = false;
    for (struct pxi_entry *e = b->waiting.first; e && n < PXI_BATCH_WINDOW; e = e->next, n++) {
        if (e->merge) {
            any |= want(b, e, e->merge->plan, &e->merge->piped);
            continue;
        }
        for (struct pxi_part *part = e->parts; part; part = part->next)
            any |= want(b, e, part->plan, &part->piped);
    }
    return any;
}

/* ---- sending ---- */

/* READY; FAILED, which makes it the one that is to blame; or not yet. */
static int add_state(int state, struct pxi_piped *p, struct pxi_piped **failed)
{
    if (state == PXI_PIPED_FAILED || (p && p->state == PXI_PIPED_FAILED)) {
        *failed = *failed ? *failed : p;
        return PXI_PIPED_FAILED;
    }
    return p && p->state == PXI_PIPED_READY ? state : PXI_PIPED_NEW;
}

/* Of all statements of an entry, or of its run's. */
static int state_of(const struct pxi_entry *e, struct pxi_piped **failed)
{
    int state = PXI_PIPED_READY;
    *failed = NULL;
    if (e->merge)
        return add_state(state, e->merge->piped, failed);
    for (struct pxi_part *p = e->parts; p; p = p->next)
        state = add_state(state, p->piped, failed);
    return state;
}

/* An entry whose statement could not be prepared. */
static void refuse(prax_batch *b, const struct pxi_piped *failed)
{
    struct pxi_entry *e = pxi_entries_pop(&b->waiting);
    b->writes -= e->writes;
    pxi_op_reenter(&e->op);
    int rc = pxi_op_poisoned(&e->op);
    e->op.link = b->link;
    if (rc == 0 && failed->err) {
        pxi_error_copy_all(&b->s->err, failed->err);
        rc = failed->code;
    } else if (rc == 0) {
        rc = pxi_op_fail(&e->op, failed->code, "%s", prax_strerror(failed->code));
    }
    pxi_entry_done(e, rc, NULL);
}

static int push_part(struct pxi_entry *e, struct pxi_part *p)
{
    prax_batch *b = e->b;
    struct pxi_op *op = &e->op;
    struct prax_stats *st = pxi_stats_here();
    op->stmt = p->piped->stmt;
    if (e->out == 0)
        pxi_op_show(op, p->plan);
    op->plan = p->plan;
    op->rec->flags |= p->cached ? PRAX_OP_CACHED : 0;
    pxi_stats_add(st, p->cached ? &st->plan_hits : &st->plan_misses, 1);
    int rc = op->check ? op->check(op, p->n_values) : 0;
    if (rc < 0)
        return rc;
    if (!op->started)
        pxi_verb_start(op->rec);
    op->started = true;
    pxi_op_phase(op, PRAX_PHASE_BIND);
    op->rec->bytes_in += pxi_values_bytes(p->values, p->n_values);
    rc = pxi_async_of(b)->push(op->stmt, p->values, p->n_values);
    if (rc == 0) {
        e->out++;
        return 0;
    }
    pxi_pipe_explain(b, rc);
    pxi_error_sql(&b->s->err, p->plan->sql);
    return b->s->err.e.code;
}

/* A statement that no server takes, so that what stands before it in its group is undone. */
static void push_failure(prax_batch *b, struct pxi_entry *e)
{
    static const char sql[] = "the rest of this group could not be sent";
    static struct pxi_plan undo = { .sql = sql, .sql_size = sizeof sql - 1, .id = PXI_PLAN_ONCE };
    struct pxi_piped *p = new_piped(b, e, &undo);
    if (p)
        prepare_one(b, p);
    b->cut |= !p || p->state != PXI_PIPED_SENT;
}

/* What was sent of it, if anything, is behind the others now. */
static void push(prax_batch *b, struct pxi_entry *e)
{
    struct pxi_op *op = &e->op;
    pxi_op_reenter(op);
    int rc = pxi_op_poisoned(op);
    e->out = e->answered = 0;
    op->link = b->link;
    op->piped = true;
    op->rec->conn_id = b->link->id;
    for (struct pxi_part *p = e->parts; p && rc == 0; p = p->next)
        rc = push_part(e, p);
    op->stmt = NULL;
    if (rc < 0) {
        pxi_entry_done(e, rc, NULL);
        if (e->out && !pxi_batch_in_tx(b))
            push_failure(b, e);
    } else {
        pxi_op_phase(op, PRAX_PHASE_EXECUTE);
        pxi_op_away(op);
    }
    if (e->out) {
        pxi_entries_add(&b->sent, e);
        b->out++;
    }
}

/* Entries that were to be sent again stand in front of all others. */
static void splice_again(prax_batch *b)
{
    if (!b->again.first)
        return;
    *b->again.last = b->waiting.first;
    if (!b->waiting.first)
        b->waiting.last = b->again.last;
    b->waiting.first = b->again.first;
    b->again.first = NULL;
    b->again.last = &b->again.first;
}

static void sync_group(prax_batch *b)
{
    b->cut |= pxi_async_of(b)->sync(b->link->conn) < 0;
}

/* The first that waits. open: what was sent before it is behind no sync yet; returns the same. */
static bool send_one(prax_batch *b, bool open)
{
    struct pxi_entry *e = pxi_entries_pop(&b->waiting);
    b->writes -= e->writes;
    push(b, e);
    if (!e->out)
        return open;
    bool alone = !pxi_batch_in_tx(b) && (e->writes || b->writes);
    e->shared = !alone && !pxi_batch_in_tx(b);
    b->shared += e->shared;
    if (alone)
        sync_group(b);
    return !alone;
}

/* All that may go. True: a run was split, so there is more to prepare. */
static bool send_ready(prax_batch *b)
{
    bool open = false, tx = pxi_batch_in_tx(b), whole = true;
    while (b->waiting.first && b->out < PXI_BATCH_WINDOW && whole) {
        struct pxi_entry *e = b->waiting.first;
        struct pxi_piped *failed;
        int state = state_of(e, &failed);
        if (state == PXI_PIPED_NEW || (e->writes && b->shared && !tx) ||
            (e->merge && b->out + e->merge->n > PXI_BATCH_WINDOW))
            break;
        if (state == PXI_PIPED_FAILED && (tx || !e->merge)) {
            refuse(b, failed);
        } else if (e->merge && !b->s->tx.poison_depth) {
            whole = pxi_merge_send(b, failed != NULL);
            open |= whole;
            if (open && b->writes && !tx) { /* what follows has a sync of its own */
                sync_group(b);
                open = false;
            }
        } else {
            open = send_one(b, open);
        }
    }
    if (open)
        sync_group(b);
    return !whole;
}

void pxi_pipe_send(prax_batch *b)
{
    splice_again(b);
    do {
        pxi_merge_runs(b);
        if (prepare_new(b))
            sync_group(b);
    } while (send_ready(b));
}

/* ---- receiving ---- */

bool pxi_pipe_wants_again(const prax_batch *b, const struct pxi_entry *e, struct pxi_stmt *st,
                          int rc)
{
    if (pxi_batch_in_tx(b) || b->stop || e->answered != 1)
        return false;
    return rc == PRAX_EABORTED || (rc == PRAX_ESCHEMA && !e->retried && pxi_async_of(b)->stale(st));
}

static void put_again(prax_batch *b, struct pxi_entry *e)
{
    e->again = false;
    pxi_op_back(&e->op);
    pxi_op_suspend(&e->op);
    for (struct pxi_part *p = e->parts; p; p = p->next)
        p->piped = NULL;
    b->writes += e->writes;
    pxi_entries_add(&b->again, e);
}

static void answer(prax_batch *b, struct pxi_entry *e, struct pxi_stmt *st, int rc)
{
    struct pxi_op *op = &e->op;
    struct pxi_part *part = e->parts;
    for (unsigned i = 0; i < e->answered; i++)
        part = part->next;
    e->answered++;
    if (e->done || e->again)
        return;
    if (rc < 0 && pxi_pipe_wants_again(b, e, st, rc)) {
        e->again = true;
        if (rc == PRAX_ESCHEMA) {
            e->retried = true;
            part->piped->state = PXI_PIPED_STALE;
        }
        return;
    }
    pxi_op_back(op);
    int code = pxi_op_poisoned(op);
    op->stmt = st;
    op->plan = part->plan;
    if (code == 0 && rc < 0) {
        code = pxi_pipe_explain(b, rc);
        pxi_error_sql(&b->s->err, part->plan->sql);
    } else if (code == 0) {
        code = pxi_entry_read(e, part);
    }
    op->stmt = NULL;
    if (code < 0 || e->answered == e->out) {
        pxi_entry_done(e, code, NULL);
    } else {
        pxi_op_away(op);
    }
}

/* Those that have all of their answers. */
static void take_answered(prax_batch *b)
{
    for (struct pxi_entry *e; (e = b->sent.first) && e->answered == e->out;) {
        pxi_entries_pop(&b->sent);
        b->out--;
        b->shared -= e->shared;
        e->shared = false;
        if (e->again)
            put_again(b, e);
    }
}

static struct pxi_piped *preparing(const prax_batch *b, const struct pxi_stmt *st)
{
    struct pxi_piped *p = b->preparing ? b->piped : NULL;
    while (p && (p->state != PXI_PIPED_SENT || p->stmt != st))
        p = p->next;
    return p;
}

int pxi_pipe_receive(prax_batch *b)
{
    const struct pxi_async *as = pxi_async_of(b);
    struct pxi_conn *c = b->link->conn;
    struct pxi_stmt *st;
    int n = 0, rc;
    while ((rc = as->next(c, &st)) != 0) {
        if (!st)
            return rc;
        struct pxi_piped *p = preparing(b, st);
        struct pxi_entry *e = b->sent.first;
        n++;
        if (p) {
            prepared(b, p, rc);
            continue;
        }
        if (e->merge) {
            pxi_merge_answer(b, st, rc);
        } else {
            answer(b, e, st, rc);
        }
        b->total = b->link->driver->total(c);
        take_answered(b);
    }
    return n;
}

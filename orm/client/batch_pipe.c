/* batch_pipe.c - a batch on a database behind a network: a connection, a pipeline, its answers, and
 * nothing that waits. struct pxi_async says what the driver does; this decides what is sent when.
 *
 * New statements of all entries at hand are prepared together, behind one sync; then the entries go
 * out in their order, up to the first whose statement is not there yet. Within a transaction one
 * sync ends them. Outside of one, what fails takes its group with it, so each write has a sync of
 * its own; reads share one only when no write follows them, and a write waits until such a group is
 * answered: those of the group that did not run, because one before them failed, are sent again,
 * and a write must not have come between.
 *
 * A create_many of several statements is one group, so it is one transaction. If its second half
 * cannot be sent, a statement that fails undoes the first.
 */
#include "orm/client/batch.h"
#include "usdt/probe.h"
#include "usdt/stats.h"
#include <poll.h>
#include <string.h>

enum {
    MS_NS = 1000000,
    WINDOW = 1024,   /* entries on their way: what a cancel has to stop one by one */
    SLICE_MS = 50,   /* a thread that cancels has no other way to be heard */
    CHECK_MS = 2000, /* for a connection that rested long to say that it is there */
    STOP_MS = 5000,  /* for the server to end what it was asked to */
    PAUSE_MS = 20,   /* before it is asked again; doubled each time */
};

static const struct pxi_async *async_of(const prax_batch *b)
{
    return b->db->pool.driver->async;
}

static bool in_tx(const prax_batch *b)
{
    return b->s->tx.depth != 0;
}

/* What the driver says of its last failure, as the session's error. */
static int explain(prax_batch *b, int rc)
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

/* Back to the connection's cache; or, of one that is given up, away. */
static void give_back(prax_batch *b, bool keep)
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
    if (p)
        b->spare = p->next;
    else
        p = pxi_heap_zero(&b->db->sessions_heap, sizeof *p);
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
    int rc = async_of(b)->prepare(b->link->conn, plan->sql, plan->sql_size,
                                  plan->id != PXI_PLAN_ONCE, &p->stmt);
    if (rc < 0) {
        piped_failed(b, p, explain(b, rc));
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
    } else if (rc == PRAX_EABORTED && !in_tx(b) && !b->stop) { /* one before it failed */
        drop_piped(b, p);
        p->state = PXI_PIPED_NEW;
    } else {
        int code = explain(b, rc);
        pxi_error_sql(&b->s->err, plan->sql);
        piped_failed(b, p, code);
    }
}

/* Those of the entries at hand. True: some were sent. */
static bool prepare_new(prax_batch *b)
{
    unsigned n = 0;
    bool any = false;
    for (struct pxi_entry *e = b->waiting.first; e && n < WINDOW; e = e->next, n++) {
        for (struct pxi_part *part = e->parts; part; part = part->next) {
            if (!part->piped)
                part->piped = find_piped(b, e, part->plan);
            if (part->piped->state == PXI_PIPED_NEW) {
                prepare_one(b, part->piped);
                any |= part->piped->state == PXI_PIPED_SENT;
            }
        }
    }
    return any;
}

/* ---- sending ---- */

/* Of all statements of an entry: READY; FAILED, with the one that is to blame; or not yet. */
static int state_of(const struct pxi_entry *e, struct pxi_piped **failed)
{
    int state = PXI_PIPED_READY;
    *failed = NULL;
    for (struct pxi_part *p = e->parts; p; p = p->next) {
        if (p->piped && p->piped->state == PXI_PIPED_FAILED) {
            *failed = p->piped;
            return PXI_PIPED_FAILED;
        }
        if (!p->piped || p->piped->state != PXI_PIPED_READY)
            state = PXI_PIPED_NEW;
    }
    return state;
}

/* An entry whose statement could not be prepared. */
static void refuse(prax_batch *b, struct pxi_entry *e, const struct pxi_piped *failed)
{
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
    rc = async_of(b)->push(op->stmt, p->values, p->n_values);
    if (rc == 0) {
        e->out++;
        return 0;
    }
    explain(b, rc);
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
        if (e->out && !in_tx(b))
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
    b->cut |= async_of(b)->sync(b->link->conn) < 0;
}

static void send(prax_batch *b)
{
    bool open = false;
    splice_again(b);
    if (prepare_new(b))
        sync_group(b);
    while (b->waiting.first && b->out < WINDOW) {
        struct pxi_entry *e = b->waiting.first;
        struct pxi_piped *failed;
        int state = state_of(e, &failed);
        if (state == PXI_PIPED_NEW || (e->writes && b->shared && !in_tx(b)))
            break;
        pxi_entries_pop(&b->waiting);
        b->writes -= e->writes;
        if (state == PXI_PIPED_FAILED) {
            refuse(b, e, failed);
            continue;
        }
        push(b, e);
        if (!e->out)
            continue;
        bool alone = !in_tx(b) && (e->writes || b->writes);
        e->shared = !alone && !in_tx(b);
        b->shared += e->shared;
        open = !alone;
        if (alone)
            sync_group(b);
    }
    if (open)
        sync_group(b);
}

/* ---- receiving ---- */

/* It did not run; it has to be sent once more. */
static bool wants_again(const prax_batch *b, const struct pxi_entry *e, struct pxi_stmt *st, int rc)
{
    if (in_tx(b) || b->stop || e->answered != 1)
        return false;
    return rc == PRAX_EABORTED || (rc == PRAX_ESCHEMA && !e->retried && async_of(b)->stale(st));
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
    if (rc < 0 && wants_again(b, e, st, rc)) {
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
        code = explain(b, rc);
        pxi_error_sql(&b->s->err, part->plan->sql);
    } else if (code == 0) {
        code = pxi_entry_read(e, part);
    }
    op->stmt = NULL;
    if (code < 0 || e->answered == e->out)
        pxi_entry_done(e, code, NULL);
    else
        pxi_op_away(op);
}

static struct pxi_piped *preparing(const prax_batch *b, const struct pxi_stmt *st)
{
    struct pxi_piped *p = b->preparing ? b->piped : NULL;
    while (p && (p->state != PXI_PIPED_SENT || p->stmt != st))
        p = p->next;
    return p;
}

/* Answers that were read; < 0: the connection is lost. */
static int receive(prax_batch *b)
{
    const struct pxi_async *as = async_of(b);
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
        answer(b, e, st, rc);
        b->total = b->link->driver->total(c);
        if (e->answered < e->out)
            continue;
        pxi_entries_pop(&b->sent);
        b->out--;
        b->shared -= e->shared;
        e->shared = false;
        if (e->again)
            put_again(b, e);
    }
    return n;
}

/* ---- the connection ---- */

static void let_go(prax_batch *b, bool usable)
{
    prax_session *s = b->s;
    struct pxi_link *l = b->link;
    give_back(b, usable);
    b->link = NULL;
    b->checking = b->cut = false;
    b->stop = 0;
    b->out = b->shared = 0;
    s->piped = false;
    if (usable || in_tx(b)) { /* a transaction keeps a broken one to its end */
        s->suspect |= !usable;
        pxi_session_unpin(s);
        return;
    }
    pxi_pool_drop(&s->db->pool, l);
    s->link = NULL;
    s->holds = false;
}

/* The connection is lost, with all that was sent on it. */
static int lost(prax_batch *b)
{
    pxi_error_clear(&b->s->err);
    int code = explain(b, PRAX_ECONN);
    if (b->stop) { /* it is given up because it did not stop */
        pxi_error_clear(&b->s->err);
        code = pxi_error_plain(&b->s->err, b->stop, prax_strerror(b->stop));
    }
    pxi_batch_break(b, code);
    if (in_tx(b))
        pxi_tx_poison(b->s, code);
    async_of(b)->end(b->link->conn);
    let_go(b, false);
    return 0;
}

void pxi_pipe_abort(prax_batch *b)
{
    if (b->link) {
        lost(b);
        return;
    }
    b->stop = 0;
}

/* No connection: 0 as all are done. */
static int no_link(prax_batch *b, int code)
{
    pxi_batch_break(b, code);
    return 0;
}

static int begin(prax_batch *b, struct pxi_link *l, bool doubtful)
{
    prax_session *s = b->s;
    s->link = l;
    s->holds = true;
    s->piped = true;
    b->link = l;
    l->driver->watch(l->conn, &s->watch);
    int rc = async_of(b)->begin(l->conn);
    if (rc < 0)
        return lost(b);
    b->total = l->driver->total(l->conn);
    b->checking = doubtful;
    if (doubtful) {
        b->check_until_ns = pxi_clock_ns() + (uint64_t)CHECK_MS * MS_NS;
        async_of(b)->sync(l->conn);
    }
    return 1;
}

/* 1: not yet; 0: *l; < 0. */
static int seek(prax_batch *b, struct pxi_link **l)
{
    prax_session *s = b->s;
    struct pxi_wish wish = { .owner = (uintptr_t)s, .watch = &s->watch, .rec = &s->rec };
    int rc = 0;
    *l = s->link;
    if (b->ask) {
        rc = pxi_ask_poll(b->ask, l, &s->err);
        b->ask = rc == 1 ? b->ask : NULL;
    } else if (!*l || !pxi_link_take(*l, (uintptr_t)s)) {
        s->link = NULL;
        rc = pxi_pool_ask(&s->db->pool, &wish, l, &b->ask, &s->err);
    }
    return rc;
}

static int connect(prax_batch *b)
{
    prax_session *s = b->s;
    if (s->holds)
        return begin(b, s->link, false);
    for (;;) {
        struct pxi_link *l;
        int rc = seek(b, &l);
        if (rc != 0)
            return rc < 0 ? no_link(b, rc) : 1;
        enum pxi_fitness fitness = pxi_ask_fitness(&s->db->pool, l);
        if (fitness != PXI_UNFIT)
            return begin(b, l, fitness == PXI_DOUBTFUL);
        s->link = NULL;
        pxi_pool_drop(&s->db->pool, l);
    }
}

/* Of one that rested long: 0 not yet, 1 it is there, < 0 it is not. */
static int check(prax_batch *b)
{
    b->checking = async_of(b)->out(b->link->conn) != 0;
    if (!b->checking)
        return 1;
    return pxi_clock_ns() < b->check_until_ns ? 0 : PRAX_ECONN;
}

/* Nothing but a sync was sent on it. */
static void replace(prax_batch *b)
{
    async_of(b)->end(b->link->conn);
    let_go(b, false);
}

/* ---- a stop ---- */

void pxi_pipe_stop(prax_batch *b)
{
    uint64_t now = pxi_clock_ns();
    if (b->ask) {
        pxi_ask_forget(b->ask);
        b->ask = NULL;
    }
    if (!b->link)
        return;
    b->stop_until_ns = now + (uint64_t)STOP_MS * MS_NS;
    b->pause_ns = (uint64_t)PAUSE_MS * MS_NS;
    b->ask_again_ns = now + b->pause_ns;
    if (b->sent.first)
        async_of(b)->cancel(b->link->conn);
}

/* A cancel that comes before its statement is ignored by the server, and stops one only. */
static void stop_again(prax_batch *b)
{
    uint64_t now = pxi_clock_ns();
    struct pxi_conn *c = b->link->conn;
    if (!b->sent.first || now < b->ask_again_ns || async_of(b)->cancelling(c) != 0)
        return;
    b->pause_ns *= 2;
    b->ask_again_ns = now + b->pause_ns;
    async_of(b)->cancel(c);
}

/* ---- a step ---- */

/* All is answered: an ordinary connection again. 1: a cancel is still under way. */
static int land(prax_batch *b)
{
    const struct pxi_driver *d = b->link->driver;
    struct pxi_conn *c = b->link->conn;
    if (async_of(b)->cancelling(c) == 1 && pxi_clock_ns() < b->stop_until_ns)
        return 1;
    int rc = async_of(b)->end(c);
    bool usable = rc == 0 && d->in_tx(c) == in_tx(b);
    if (!usable && in_tx(b))
        pxi_tx_poison(b->s, PRAX_ECONN);
    let_go(b, usable);
    return 0;
}

/* Sends and reads until there is nothing to do but to wait: 0; < 0: the connection is lost. */
static int exchange(prax_batch *b)
{
    int n;
    do {
        if (!b->checking && !b->stop)
            send(b);
        async_of(b)->pump(b->link->conn);
        n = b->cut ? PRAX_ECONN : receive(b);
        if (n >= 0 && b->checking)
            n = check(b);
    } while (n > 0 && !b->stop && (b->waiting.first || b->again.first));
    return n < 0 ? n : 0;
}

/* 1 not yet, 0 all is done, < 0: before anything was sent, the connection was found to be lost. */
static int fly(prax_batch *b)
{
    int rc = exchange(b);
    if (rc < 0 && b->checking && !b->stop)
        return rc;
    if (rc < 0 || (b->stop && pxi_clock_ns() >= b->stop_until_ns))
        return lost(b);
    if (b->stop)
        stop_again(b);
    return async_of(b)->out(b->link->conn) || b->s->batched ? 1 : land(b);
}

int pxi_pipe_step(prax_batch *b)
{
    int rc;
    do {
        if (!b->link && !b->s->batched)
            return b->stop = 0;
        rc = b->link ? 1 : connect(b);
        if (!b->link)
            return rc;
        rc = fly(b);
        if (rc < 0)
            replace(b);
    } while (rc < 0);
    return rc;
}

static int until_ms(uint64_t ns)
{
    uint64_t now = pxi_clock_ns();
    uint64_t ms = ns > now ? (ns - now + MS_NS - 1) / MS_NS : 0;
    return ms < SLICE_MS ? (int)ms : SLICE_MS;
}

prax_interest pxi_pipe_interest(const prax_batch *b)
{
    uint64_t deadline = pxi_batch_deadline(b);
    prax_interest i = { .fd = -1, .timeout_ms = b->link || b->ask ? SLICE_MS : 0 };
    if (b->stop && b->link) {
        deadline = b->stop_until_ns;
        if (!async_of(b)->out(b->link->conn))
            i.timeout_ms = 1; /* only the cancel is awaited */
        else if (until_ms(b->ask_again_ns) < i.timeout_ms)
            i.timeout_ms = until_ms(b->ask_again_ns);
    }
    if (b->link) {
        i.fd = async_of(b)->fd(b->link->conn);
        i.events = async_of(b)->events(b->link->conn);
    } else if (b->ask) {
        i.fd = pxi_ask_fd(b->ask);
        i.events = POLLIN;
        i.timeout_ms = until_ms(pxi_ask_until(b->ask));
    }
    if (deadline && b->s->batched && until_ms(deadline) < i.timeout_ms)
        i.timeout_ms = until_ms(deadline);
    return i;
}

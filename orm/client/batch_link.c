/* batch_link.c - the connection of a batch behind a network, and nothing that waits for it: from
 * the pool or from rest into a pipeline, through the steps, and back. batch_pipe.c says what is
 * sent.
 *
 * A connection that rested long is asked with a lone sync whether the other side is there, before
 * anything is sent that could not be sent again. It is pinned while entries are out; when all are
 * done it rests, as between single operations.
 */
#include "orm/client/batch.h"
#include <poll.h>

enum {
    MS_NS = 1000000,
    SLICE_MS = 50,   /* a thread that cancels has no other way to be heard */
    CHECK_MS = 2000, /* for a connection that rested long to say that it is there */
    STOP_MS = 2000,  /* for the server to end what it was asked to */
    PAUSE_MS = 20,   /* before it is asked again; doubled each time */
};

/* ---- taking and giving ---- */

static void let_go(prax_batch *b, bool usable)
{
    prax_session *s = b->s;
    struct pxi_link *l = b->link;
    pxi_pipe_give_back(b, usable);
    b->link = NULL;
    b->checking = b->cut = false;
    b->stop = 0;
    b->out = b->shared = 0;
    s->piped = false;
    if (usable || pxi_batch_in_tx(b)) { /* a transaction keeps a broken one to its end */
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
    int code = pxi_pipe_explain(b, PRAX_ECONN);
    if (b->stop) { /* it is given up because it did not stop */
        pxi_error_clear(&b->s->err);
        code = pxi_error_set(&b->s->err, b->stop,
                             "%s; the server does not answer, the connection is given up",
                             prax_strerror(b->stop));
    }
    pxi_batch_break(b, code);
    if (pxi_batch_in_tx(b))
        pxi_tx_poison(b->s, code);
    pxi_async_of(b)->end(b->link->conn);
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
    int rc = pxi_async_of(b)->begin(l->conn);
    if (rc < 0)
        return lost(b);
    b->total = l->driver->total(l->conn);
    b->checking = doubtful;
    if (doubtful) {
        b->check_until_ns = pxi_clock_ns() + (uint64_t)CHECK_MS * MS_NS;
        pxi_async_of(b)->sync(l->conn);
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
    b->checking = pxi_async_of(b)->out(b->link->conn) != 0;
    if (!b->checking)
        return 1;
    return pxi_clock_ns() < b->check_until_ns ? 0 : PRAX_ECONN;
}

/* Nothing but a sync was sent on it. */
static void replace(prax_batch *b)
{
    pxi_async_of(b)->end(b->link->conn);
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
        pxi_async_of(b)->cancel(b->link->conn);
}

/* A cancel that comes before its statement is ignored by the server, and stops one only. */
static void stop_again(prax_batch *b)
{
    uint64_t now = pxi_clock_ns();
    struct pxi_conn *c = b->link->conn;
    if (!b->sent.first || now < b->ask_again_ns || pxi_async_of(b)->cancelling(c) != 0)
        return;
    b->pause_ns *= 2;
    b->ask_again_ns = now + b->pause_ns;
    pxi_async_of(b)->cancel(c);
}

/* ---- a step ---- */

/* All is answered: an ordinary connection again. 1: a cancel is still under way. */
static int land(prax_batch *b)
{
    const struct pxi_driver *d = b->link->driver;
    struct pxi_conn *c = b->link->conn;
    if (pxi_async_of(b)->cancelling(c) == 1 && pxi_clock_ns() < b->stop_until_ns)
        return 1;
    int rc = pxi_async_of(b)->end(c);
    bool usable = rc == 0 && d->in_tx(c) == pxi_batch_in_tx(b);
    if (!usable && pxi_batch_in_tx(b))
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
            pxi_pipe_send(b);
        pxi_async_of(b)->pump(b->link->conn);
        n = b->cut ? PRAX_ECONN : pxi_pipe_receive(b);
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
    return pxi_async_of(b)->out(b->link->conn) || b->s->batched ? 1 : land(b);
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
        if (!pxi_async_of(b)->out(b->link->conn)) {
            i.timeout_ms = 1; /* only the cancel is awaited */
        } else if (until_ms(b->ask_again_ns) < i.timeout_ms) {
            i.timeout_ms = until_ms(b->ask_again_ns);
        }
    }
    if (b->link) {
        i.fd = pxi_async_of(b)->fd(b->link->conn);
        i.events = pxi_async_of(b)->events(b->link->conn);
    } else if (b->ask) {
        i.fd = pxi_ask_fd(b->ask);
        i.events = POLLIN;
        i.timeout_ms = until_ms(pxi_ask_until(b->ask));
    }
    if (deadline && b->s->batched && until_ms(deadline) < i.timeout_ms)
        i.timeout_ms = until_ms(deadline);
    return i;
}

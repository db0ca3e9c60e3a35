/* wait.c - the queue of those who wait for a connection. Invariants: `last` is where the next one
 * is hung in; whoever is first, or becomes it, looks for links by itself every WAIT_SLICE_MS, the
 * others sleep until they are told.
 */
#include "orm/pool/inside.h"
#include "usdt/probe.h"
#include "usdt/stats.h"
#include <sys/eventfd.h>

enum { WAIT_SLICE_MS = 2 };

void pxi_wait_cond(pthread_cond_t *c)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(c, &attr);
    pthread_condattr_destroy(&attr);
}

void pxi_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, uint64_t ns)
{
    struct timespec t = { .tv_sec = (time_t)(ns / SECOND_NS), .tv_nsec = (long)(ns % SECOND_NS) };
    pthread_cond_timedwait(c, lock, &t);
}

struct pxi_waiter *pxi_wait_first(const struct pxi_pool *p)
{
    struct pxi_waiter *w = p->first;
    while (w && (w->link || w->rc || w->opening))
        w = w->next;
    return w;
}

void pxi_wait_tell(struct pxi_waiter *w)
{
    if (w->fd >= 0) {
        eventfd_write(w->fd, 1); /* fails only where it is readable already */
    } else {
        pthread_cond_signal(&w->wake);
    }
}

void pxi_wait_wake(struct pxi_pool *p)
{
    for (struct pxi_waiter *w = p->first; w; w = w->next)
        pxi_wait_tell(w);
}

void pxi_wait_enter(struct pxi_pool *p, struct pxi_waiter *w)
{
    struct prax_stats *st = pxi_stats_here();
    pxi_wait_cond(&w->wake);
    *p->last = w;
    p->last = &w->next;
    __atomic_add_fetch(&p->waiters, 1, __ATOMIC_RELAXED);
    pxi_stats_move(st, &st->pool_waiters, 1);
    pxi_stats_add(st, &st->pool_waits, 1);
}

void pxi_wait_leave(struct pxi_pool *p, struct pxi_waiter *w)
{
    struct prax_stats *st = pxi_stats_here();
    struct pxi_waiter **at = &p->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (!*at)
        p->last = at;
    if (at == &p->first && p->first)
        pxi_wait_tell(p->first);
    __atomic_sub_fetch(&p->waiters, 1, __ATOMIC_RELAXED);
    pxi_stats_move(st, &st->pool_waiters, -1);
    pthread_cond_destroy(&w->wake);
}

/* The first in the queue looks for itself: 1 found, 0 not, < 0 error. While it opens a connection,
 * somebody may have handed it one. */
static int look(struct pxi_pool *p, struct pxi_waiter *w, struct pxi_error *err)
{
    int rc;
    struct pxi_link *l = pxi_pool_find(p, w->wish->owner, w, &rc, err);
    if (w->link && l) {
        pxi_pool_pass(p, l);
    } else if (l) {
        w->link = l;
    }
    if (w->link && rc < 0)
        pxi_error_clear(err);
    return w->link ? 1 : rc;
}

static int too_late(struct pxi_pool *p, struct pxi_error *err)
{
    struct prax_stats *st = pxi_stats_here();
    pxi_stats_add(st, &st->pool_timeouts, 1);
    if (p->failures) {
        err->e.driver_code = p->why.e.driver_code;
        return pxi_error_set(err, p->why.e.code, "pool: no connection after %u failed connects: %s",
                             p->failures, p->why.message);
    }
    return pxi_error_set(err, PRAX_ETIMEOUT,
                         pxi_pool_holds(p, NULL)
                             ? "pool: no connection: this thread waits while it holds one; use one "
                               "session, or a larger pool_max (all %u are in use)"
                             : "pool: no connection: all %u are in use; raise pool_max or "
                               "acquire_ms, or hold them for less time",
                         p->max);
}

static int give_up(struct pxi_pool *p, const struct pxi_wish *wish, uint64_t now, uint64_t deadline,
                   struct pxi_error *err)
{
    struct pxi_watch *watch = wish->watch;
    if (watch && __atomic_exchange_n(&watch->cancel, 0, __ATOMIC_RELAXED))
        return pxi_error_set(err, PRAX_ECANCELED, "pool: cancelled while waiting for a connection");
    if (p->closed)
        return pxi_error_set(err, PRAX_ECONN, "pool: the database handle was closed");
    return now < deadline ? 0 : too_late(p, err);
}

int pxi_wait_try(struct pxi_pool *p, struct pxi_waiter *w, uint64_t now, uint64_t deadline,
                 struct pxi_error *err)
{
    int rc = give_up(p, w->wish, now, deadline, err);
    return rc < 0 || p->first != w ? rc : look(p, w, err);
}

static int wait_turn(struct pxi_pool *p, struct pxi_waiter *w, uint64_t deadline,
                     struct pxi_error *err)
{
    for (;;) {
        uint64_t now = pxi_clock_ns();
        int rc = pxi_wait_try(p, w, now, deadline, err);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        uint64_t slice = now + (uint64_t)WAIT_SLICE_MS * MS_NS;
        bool looks = p->first == w && slice < deadline;
        pxi_wait_until(&w->wake, &p->lock, looks ? slice : deadline);
        if (w->link || w->rc)
            return w->rc;
    }
}

int pxi_wait(struct pxi_pool *p, const struct pxi_wish *wish, uint64_t deadline_ns,
             struct pxi_link **out, struct pxi_error *err)
{
    struct pxi_waiter w = { .wish = wish, .err = err, .fd = -1 };
    uint64_t start = pxi_clock_ns();
    PXI_PROBE(pool__wait__start, wish->rec, (uint64_t)p->count, (uint64_t)p->in_use);
    pxi_wait_enter(p, &w);
    if (p->driver->ping)
        pxi_connect_apart(p);
    int rc = wait_turn(p, &w, deadline_ns, err);
    pxi_wait_leave(p, &w);
    *out = w.link;
    uint64_t ns = pxi_clock_ns() - start;
    struct prax_stats *st = pxi_stats_here();
    pxi_stats_add(st, &st->pool_wait_ns, ns);
    PXI_PROBE(pool__wait__done, wish->rec, ns, rc);
    return rc;
}

/* ask.c - a place in the queue for a connection that nobody sleeps in: for event loops.
 *
 * An ask is a waiter as any other, served in its turn, but it is woken by an eventfd, and looks for
 * itself only when it is polled: the caller's loop is the thread that would have waited. It has an
 * error of its own, because a connect's thread may write there at any time until it has left.
 */
#include "orm/pool/inside.h"
#include "usdt/probe.h"
#include "usdt/stats.h"
#include <sys/eventfd.h>
#include <unistd.h>

enum { LOOK_MS = 2 }; /* the first in the queue looks so often, as wait.c's */

struct pxi_ask {
    struct pxi_pool *pool;
    struct pxi_wish wish;
    struct pxi_waiter waiter;
    uint64_t start_ns, deadline_ns;
    bool first; /* it was when it was polled last */
    struct pxi_error err;
};

static void take_over(struct pxi_link *l)
{
    l->tid = pxi_stats_tid(pxi_stats_here());
}

static struct pxi_ask *new_ask(struct pxi_pool *p, const struct pxi_wish *wish)
{
    struct pxi_ask *ask = pxi_heap_zero(p->heap, sizeof *ask);
    if (!ask)
        return NULL;
    ask->pool = p;
    ask->wish = *wish;
    ask->waiter.wish = &ask->wish;
    ask->waiter.err = &ask->err;
    ask->waiter.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ask->waiter.fd < 0) {
        pxi_heap_free(p->heap, ask, sizeof *ask);
        return NULL;
    }
    pxi_error_clear(&ask->err);
    ask->start_ns = pxi_clock_ns();
    ask->deadline_ns = pxi_pool_deadline(p, wish);
    return ask;
}

/* Locked: out of the queue. */
static void leave(struct pxi_ask *ask, int rc)
{
    struct prax_stats *st = pxi_stats_here();
    uint64_t ns = pxi_clock_ns() - ask->start_ns;
    pxi_wait_leave(ask->pool, &ask->waiter);
    pxi_stats_add(st, &st->pool_wait_ns, ns);
    PXI_PROBE(pool__wait__done, ask->wish.rec, ns, rc);
}

static void free_ask(struct pxi_ask *ask)
{
    close(ask->waiter.fd);
    pxi_heap_free(ask->pool->heap, ask, sizeof *ask);
}

/* Locked. */
static struct pxi_link *take_now(struct pxi_pool *p, const struct pxi_wish *wish)
{
    struct pxi_link *l = p->first || p->closed ? NULL : p->idle;
    if (!l)
        return NULL;
    p->idle = l->next;
    pxi_pool_own(p, l, wish->owner | 1);
    take_over(l);
    return l;
}

int pxi_pool_ask(struct pxi_pool *p, const struct pxi_wish *wish, struct pxi_link **out,
                 struct pxi_ask **ask, struct pxi_error *err)
{
    *ask = NULL;
    pthread_mutex_lock(&p->lock);
    *out = take_now(p, wish);
    if (!*out && (*ask = new_ask(p, wish)) != NULL) {
        PXI_PROBE(pool__wait__start, wish->rec, (uint64_t)p->count, (uint64_t)p->in_use);
        pxi_wait_enter(p, &(*ask)->waiter);
        pxi_connect_apart(p); /* if no thread can be started, polling says so */
    }
    pthread_mutex_unlock(&p->lock);
    if (*out)
        return 0;
    if (!*ask)
        return pxi_error_set(err, PRAX_ENOMEM, "pool: no memory or no descriptor to wait with");
    int rc = pxi_ask_poll(*ask, out, err);
    if (rc != 1)
        *ask = NULL;
    return rc;
}

int pxi_ask_poll(struct pxi_ask *ask, struct pxi_link **out, struct pxi_error *err)
{
    struct pxi_pool *p = ask->pool;
    struct pxi_waiter *w = &ask->waiter;
    uint64_t seen;
    eventfd_read(w->fd, &seen);
    *out = NULL;
    pthread_mutex_lock(&p->lock);
    int rc = w->link ? 1 : w->rc;
    if (rc == 0)
        rc = pxi_wait_try(p, w, pxi_clock_ns(), ask->deadline_ns, &ask->err);
    ask->first = p->first == w;
    *out = w->link;
    if (rc != 0)
        leave(ask, rc < 0 ? rc : 0);
    if (*out)
        take_over(*out);
    pthread_mutex_unlock(&p->lock);
    if (rc == 0)
        return 1;
    if (rc < 0 && !err->e.code)
        pxi_error_copy_all(err, &ask->err);
    free_ask(ask);
    return rc < 0 ? rc : 0;
}

int pxi_ask_fd(const struct pxi_ask *ask)
{
    return ask->waiter.fd;
}

uint64_t pxi_ask_until(const struct pxi_ask *ask)
{
    uint64_t look = pxi_clock_ns() + (uint64_t)LOOK_MS * MS_NS;
    return ask->first && look < ask->deadline_ns ? look : ask->deadline_ns;
}

void pxi_ask_forget(struct pxi_ask *ask)
{
    struct pxi_pool *p = ask->pool;
    pthread_mutex_lock(&p->lock);
    leave(ask, PRAX_ECANCELED);
    if (ask->waiter.link)
        pxi_pool_pass(p, ask->waiter.link);
    pthread_mutex_unlock(&p->lock);
    free_ask(ask);
}

enum pxi_fitness pxi_ask_fitness(struct pxi_pool *p, struct pxi_link *l)
{
    enum pxi_fitness fitness = l->mortal ? pxi_link_glance(p, l) : PXI_FIT;
    if (l->seized && fitness != PXI_UNFIT && !l->driver->async->clean(l->conn))
        fitness = PXI_UNFIT; /* to end what its last session has set would be to wait */
    l->seized = false;
    return fitness;
}

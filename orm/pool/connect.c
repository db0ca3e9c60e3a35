/* connect.c - new connections of the pool, and the pauses between attempts that fail.
 *
 * A driver without another side opens in the thread that needs the connection. Where a network is
 * between, a connect can take as long as its time limit: so it has a thread of its own, and who
 * waits may be served by a connection that comes back, or give up in time. What such a thread has
 * opened goes to the first waiter; why it could not, too, unless that may pass.
 */
#include "orm/pool/inside.h"
#include "usdt/stats.h"
#include <signal.h>

enum {
    RETRY_FIRST_MS = 10, /* between connects that fail: doubled up to RETRY_MAX_MS */
    RETRY_MAX_MS = 500,
};

static struct pxi_link *empty_place(struct pxi_pool *p)
{
    struct pxi_link *l = p->links;
    while (__atomic_load_n(&l->owner, __ATOMIC_RELAXED) || l->conn)
        l++;
    return l;
}

/* After a failed connect there is one attempt at a time, and a pause before it. */
static bool may_connect(const struct pxi_pool *p)
{
    if (p->count == p->max || p->closed)
        return false;
    return p->failures == 0 || (p->opening == 0 && pxi_clock_ns() >= p->retry_ns);
}

static uint64_t pause_ns(unsigned failures)
{
    unsigned ms = failures < 7 ? (unsigned)RETRY_FIRST_MS << (failures - 1) : RETRY_MAX_MS;
    return (uint64_t)(ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS) * MS_NS;
}

/* rc of a connect. What may pass is kept, for the waiters to tell if it does not. */
static int note_connect(struct pxi_pool *p, int rc, struct pxi_error *err)
{
    if (rc == 0) {
        struct prax_stats *st = pxi_stats_here();
        p->failures = 0;
        pxi_stats_add(st, &st->reconnects, p->lost > 0);
        p->lost -= p->lost > 0;
        pxi_wait_wake(p);
        return 0;
    }
    if (!err->e.retryable)
        return rc;
    p->failures++;
    p->retry_ns = pxi_clock_ns() + pause_ns(p->failures);
    pxi_error_copy_all(&p->why, err);
    pxi_error_clear(err);
    return 0;
}

/* An empty place, owned and counted. */
static struct pxi_link *claim(struct pxi_pool *p, uintptr_t owner)
{
    struct pxi_link *l = empty_place(p);
    p->count++;
    p->opening++;
    pxi_pool_own(p, l, owner | 1);
    return l;
}

struct pxi_link *pxi_connect_here(struct pxi_pool *p, uintptr_t owner, int *rc,
                                  struct pxi_error *err)
{
    if (!may_connect(p))
        return NULL;
    struct pxi_link *l = claim(p, owner);
    pthread_mutex_unlock(&p->lock);
    int opened = pxi_link_open(p, l, err);
    pthread_mutex_lock(&p->lock);
    p->opening--;
    *rc = note_connect(p, opened, err);
    if (opened == 0 && !p->closed)
        return l;
    if (opened == 0) {
        pxi_pool_close_owned(p, l);
    } else {
        pxi_pool_vacate(p, l);
    }
    return NULL;
}

/* ---- in a thread of its own ---- */

/* Waiting will not help the one that it was for. */
static void tell(struct pxi_pool *p, int rc, const struct pxi_error *err)
{
    struct pxi_waiter *w = pxi_wait_first(p);
    if (!w)
        return;
    pxi_error_copy_all(w->err, err);
    w->rc = rc;
    pxi_wait_tell(w);
}

static void *connect_apart(void *arg)
{
    struct pxi_link *l = arg;
    struct pxi_pool *p = l->pool;
    struct pxi_error err;
    pxi_error_clear(&err);
    int opened = pxi_link_open(p, l, &err);
    pthread_mutex_lock(&p->lock);
    int rc = note_connect(p, opened, &err);
    if (rc < 0)
        tell(p, rc, &err);
    if (opened == 0) {
        pxi_pool_pass(p, l);
    } else {
        pxi_pool_vacate(p, l);
    }
    p->opening--; /* the pool may be freed from here on */
    pthread_cond_broadcast(&p->returned);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void pxi_connect_again(struct pxi_pool *p, struct pxi_link *l)
{
    struct pxi_conn *old = l->conn;
    struct pxi_error err;
    pxi_error_clear(&err);
    __atomic_store_n(&l->conn, NULL, __ATOMIC_RELAXED);
    p->opening++;
    pthread_mutex_unlock(&p->lock);
    if (p->cool)
        p->cool(p->warm_ctx, l);
    pxi_link_close(l, old);
    l->seized = false;
    int opened = pxi_link_open(p, l, &err);
    pthread_mutex_lock(&p->lock);
    note_connect(p, opened, &err);
    p->opening--;
    if (opened == 0) {
        pxi_pool_pass(p, l);
    } else {
        pxi_pool_vacate(p, l); /* who needs one says why there is none */
    }
}

/* Signals are the program's own. */
static bool start_thread(struct pxi_link *l)
{
    pthread_t thread;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool started = pthread_create(&thread, NULL, connect_apart, l) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (started)
        pthread_detach(thread);
    return started;
}

bool pxi_connect_apart(struct pxi_pool *p)
{
    while (p->opening < p->waiters && may_connect(p)) {
        struct pxi_link *l = claim(p, (uintptr_t)p);
        if (start_thread(l))
            continue;
        p->opening--;
        pxi_pool_vacate(p, l);
        return false;
    }
    return true;
}

/* pool.c - see pool.h. Invariants: `idle` holds exactly the links with owner 0; in_use counts the
 * others; count <= max; owner goes from one session to another only under the lock.
 */
#include "orm/pool/pool.h"
#include "orm/base/clock.h"
#include "usdt/probe.h"
#include "usdt/stats.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_SLICE_MS = 2, MS_NS = 1000000, SECOND_NS = 1000000000 };

struct pxi_waiter {
    struct pxi_waiter *next;
    const struct pxi_wish *wish;
    struct pxi_link *link; /* handed over */
    pthread_cond_t wake;
};

static uint64_t next_conn_id(void)
{
    static uint64_t last;
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

/* ---- opening and closing one ---- */

static void count_conns(int by)
{
    struct prax_stats *st = pxi_stats_here();
    pxi_stats_move(st, &st->connections, by);
}

static void close_link(struct pxi_link *l)
{
    uint64_t id = l->id;
    for (unsigned i = 0; i < l->cached_room; i++) {
        if (l->cached[i].stmt)
            l->driver->drop(l->cached[i].stmt);
    }
    l->driver->close(l->conn);
    pxi_heap_free(l->heap, l->cached, l->cached_room * sizeof *l->cached);
    pxi_heap_free(l->heap, l, sizeof *l);
    count_conns(-1);
    PXI_PROBE(conn__close, id);
}

/* Without the lock; the caller has counted it already. */
static int open_link(struct pxi_pool *p, struct pxi_link **out, struct pxi_error *err)
{
    struct pxi_link *l = pxi_heap_zero(p->heap, sizeof *l);
    if (!l)
        return pxi_error_set(err, PRAX_ENOMEM, "pool: out of memory");
    *l = (struct pxi_link){
        .driver = p->driver, .id = next_conn_id(), .cached_max = p->stmt_cache, .heap = p->heap
    };
    int rc = p->driver->open(&p->conn, &l->conn, err);
    PXI_PROBE(conn__open, l->id, p->driver->name, rc);
    if (rc < 0) {
        pxi_heap_free(p->heap, l, sizeof *l);
        return rc;
    }
    count_conns(1);
    *out = l;
    return 0;
}

static void enter(struct pxi_pool *p, struct pxi_link *l)
{
    unsigned i = 0;
    while (p->links[i])
        i++;
    p->links[i] = l;
}

static void leave(struct pxi_pool *p, const struct pxi_link *l)
{
    for (unsigned i = 0; i < p->max; i++) {
        if (p->links[i] == l)
            p->links[i] = NULL;
    }
    p->count--;
}

/* ---- the pool's life ---- */

static int open_first(struct pxi_pool *p, unsigned n, struct pxi_error *err)
{
    for (; p->count < n; p->count++) {
        struct pxi_link *l = NULL;
        int rc = open_link(p, &l, err);
        if (!l)
            return rc;
        enter(p, l);
        l->next = p->idle;
        p->idle = l;
    }
    return 0;
}

void pxi_pool_init(struct pxi_pool *p, const struct pxi_pool_opts *o, const struct pxi_heap *heap)
{
    *p = (struct pxi_pool){
        .heap = heap, .max = o->max, .stmt_cache = o->stmt_cache, .acquire_ms = o->acquire_ms
    };
    p->last = &p->first;
    pthread_mutex_init(&p->lock, NULL);
}

int pxi_pool_open(struct pxi_pool *p, const struct pxi_pool_opts *o, struct pxi_error *err)
{
    p->driver = pxi_driver_find(o->url, err);
    if (!p->driver)
        return err->e.code;
    char *url = strdup(o->url);
    p->conn = (struct pxi_conn_opts){ .url = url, .busy_ms = o->busy_ms };
    p->links = pxi_heap_zero(p->heap, o->max * sizeof(void *));
    if (!url || !p->links)
        return pxi_error_set(err, PRAX_ENOMEM, "pool: out of memory");
    int rc = p->driver->resolve(url, o->max == 1, &p->where, err);
    p->conn.where = p->where;
    if (rc < 0)
        return pxi_error_set(err, rc, "pool: out of memory");
    return open_first(p, o->min, err);
}

static struct pxi_link *pop_idle(struct pxi_pool *p)
{
    struct pxi_link *l = p->idle;
    if (l)
        p->idle = l->next;
    return l;
}

void pxi_pool_shut(struct pxi_pool *p)
{
    struct pxi_link *l = NULL;
    pthread_mutex_lock(&p->lock);
    p->closed = true;
    while ((l = pop_idle(p)) != NULL) {
        leave(p, l);
        close_link(l);
    }
    pthread_mutex_unlock(&p->lock);
}

void pxi_pool_free(struct pxi_pool *p)
{
    pxi_heap_free(p->heap, p->links, p->max * sizeof(void *));
    free((char *)p->conn.url);
    free(p->where);
    pthread_mutex_destroy(&p->lock);
}

/* ---- handing out; all under the lock ---- */

static void count_use(int by)
{
    struct prax_stats *st = pxi_stats_here();
    pxi_stats_move(st, &st->connections_in_use, by);
}

static struct pxi_link *take_idle(struct pxi_pool *p, uintptr_t owner)
{
    struct pxi_link *l = pop_idle(p);
    if (!l)
        return NULL;
    __atomic_store_n(&l->owner, owner | 1, __ATOMIC_RELAXED);
    p->in_use++;
    count_use(1);
    return l;
}

/* From a session that rests. It will notice at its next operation. */
static struct pxi_link *steal(struct pxi_pool *p, uintptr_t owner)
{
    for (unsigned i = 0; i < p->max; i++) {
        struct pxi_link *l = p->links[i];
        uintptr_t now = l ? __atomic_load_n(&l->owner, __ATOMIC_RELAXED) : 1;
        if ((now & 1) == 0 && now != 0 &&
            __atomic_compare_exchange_n(&l->owner, &now, owner | 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return l;
    }
    return NULL;
}

/* Opens one more, with the lock dropped meanwhile. NULL and *rc = 0 when all are open. */
static struct pxi_link *open_more(struct pxi_pool *p, uintptr_t owner, int *rc,
                                  struct pxi_error *err)
{
    struct pxi_link *l = NULL;
    *rc = 0;
    if (p->count == p->max)
        return NULL;
    p->count++;
    pthread_mutex_unlock(&p->lock);
    *rc = open_link(p, &l, err);
    pthread_mutex_lock(&p->lock);
    if (!l) {
        p->count--;
        return NULL;
    }
    l->owner = owner | 1;
    enter(p, l);
    p->in_use++;
    count_use(1);
    return l;
}

static struct pxi_link *find(struct pxi_pool *p, uintptr_t owner, int *rc, struct pxi_error *err)
{
    *rc = 0;
    struct pxi_link *l = take_idle(p, owner);
    if (!l)
        l = open_more(p, owner, rc, err);
    if (!l && *rc == 0)
        l = steal(p, owner);
    return l;
}

static bool this_thread_holds_one(const struct pxi_pool *p)
{
    uint32_t tid = (uint32_t)gettid();
    for (unsigned i = 0; i < p->max; i++) {
        if (p->links[i] && p->links[i]->tid == tid &&
            __atomic_load_n(&p->links[i]->owner, __ATOMIC_RELAXED) != 0)
            return true;
    }
    return false;
}

/* ---- waiting ---- */

static void enqueue(struct pxi_pool *p, struct pxi_waiter *w)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    *p->last = w;
    p->last = &w->next;
    __atomic_add_fetch(&p->waiters, 1, __ATOMIC_RELAXED);
    struct prax_stats *st = pxi_stats_here();
    pxi_stats_move(st, &st->pool_waiters, 1);
    pxi_stats_add(st, &st->pool_waits, 1);
}

static void dequeue(struct pxi_pool *p, struct pxi_waiter *w)
{
    struct pxi_waiter **at = &p->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (!*at)
        p->last = at;
    __atomic_sub_fetch(&p->waiters, 1, __ATOMIC_RELAXED);
    struct prax_stats *st = pxi_stats_here();
    pxi_stats_move(st, &st->pool_waiters, -1);
    pthread_cond_destroy(&w->wake);
}

static void put_back(struct pxi_pool *p, struct pxi_link *l)
{
    struct pxi_waiter *w = p->first;
    while (w && w->link)
        w = w->next;
    if (w && !p->closed) {
        __atomic_store_n(&l->owner, w->wish->owner | 1, __ATOMIC_RELAXED);
        w->link = l;
        pthread_cond_signal(&w->wake);
        return;
    }
    __atomic_store_n(&l->owner, 0, __ATOMIC_RELAXED);
    p->in_use--;
    count_use(-1);
    if (p->closed) {
        leave(p, l);
        close_link(l);
        return;
    }
    l->next = p->idle;
    p->idle = l;
}

/* The first in the queue looks for itself: 1 found, 0 not, < 0 error. While it opens a connection,
 * somebody may have handed it one. */
static int look(struct pxi_pool *p, struct pxi_waiter *w, struct pxi_error *err)
{
    int rc;
    struct pxi_link *l = find(p, w->wish->owner, &rc, err);
    if (w->link && l) {
        put_back(p, l);
    } else if (l) {
        w->link = l;
    }
    if (w->link && rc < 0)
        pxi_error_clear(err);
    return w->link ? 1 : rc;
}

static void sleep_until(struct pxi_pool *p, struct pxi_waiter *w, uint64_t ns)
{
    struct timespec t = { .tv_sec = (time_t)(ns / SECOND_NS), .tv_nsec = (long)(ns % SECOND_NS) };
    pthread_cond_timedwait(&w->wake, &p->lock, &t);
}

static int give_up(struct pxi_pool *p, const struct pxi_wish *wish, uint64_t now, uint64_t deadline,
                   struct pxi_error *err)
{
    struct pxi_watch *watch = wish->watch;
    if (watch && __atomic_exchange_n(&watch->cancel, 0, __ATOMIC_RELAXED))
        return pxi_error_set(err, PRAX_ECANCELED, "pool: cancelled while waiting for a connection");
    if (p->closed)
        return pxi_error_set(err, PRAX_ECONN, "pool: the database handle was closed");
    if (now < deadline)
        return 0;
    struct prax_stats *st = pxi_stats_here();
    pxi_stats_add(st, &st->pool_timeouts, 1);
    return pxi_error_set(err, PRAX_ETIMEOUT,
                         this_thread_holds_one(p)
                             ? "pool: no connection: this thread waits while it holds one; use one "
                               "session, or a larger pool_max (all %u are in use)"
                             : "pool: no connection: all %u are in use; raise pool_max or "
                               "acquire_ms, or hold them for less time",
                         p->max);
}

static int wait_turn(struct pxi_pool *p, struct pxi_waiter *w, struct pxi_error *err)
{
    uint64_t now = pxi_clock_ns();
    uint64_t deadline = now + (uint64_t)p->acquire_ms * MS_NS;
    const struct pxi_watch *watch = w->wish->watch;
    if (watch && watch->deadline_ns && watch->deadline_ns < deadline)
        deadline = watch->deadline_ns;
    for (;; now = pxi_clock_ns()) {
        int rc = give_up(p, w->wish, now, deadline, err);
        if (rc < 0)
            return rc;
        if (p->first == w && (rc = look(p, w, err)) != 0)
            return rc < 0 ? rc : 0;
        uint64_t slice = now + (uint64_t)WAIT_SLICE_MS * MS_NS;
        sleep_until(p, w, slice < deadline ? slice : deadline);
        if (w->link)
            return 0;
    }
}

static int get_slow(struct pxi_pool *p, const struct pxi_wish *wish, struct pxi_link **out,
                    struct pxi_error *err)
{
    struct pxi_waiter w = { .wish = wish };
    uint64_t start = PXI_PROBE_ON(pool__wait__done) ? pxi_clock_ns() : 0;
    PXI_PROBE(pool__wait__start, wish->rec, (uint64_t)p->count, (uint64_t)p->in_use);
    enqueue(p, &w);
    int rc = wait_turn(p, &w, err);
    dequeue(p, &w);
    *out = w.link;
    PXI_PROBE(pool__wait__done, wish->rec, start ? pxi_clock_ns() - start : 0, rc);
    return rc;
}

int pxi_pool_get(struct pxi_pool *p, const struct pxi_wish *wish, struct pxi_link **out,
                 struct pxi_error *err)
{
    int rc = 0;
    pthread_mutex_lock(&p->lock);
    *out = p->first || p->closed ? NULL : find(p, wish->owner, &rc, err);
    if (!*out && rc == 0)
        rc = get_slow(p, wish, out, err);
    if (*out)
        (*out)->tid = (uint32_t)gettid();
    pthread_mutex_unlock(&p->lock);
    return rc;
}

void pxi_pool_put(struct pxi_pool *p, struct pxi_link *l)
{
    l->driver->watch(l->conn, NULL);
    pthread_mutex_lock(&p->lock);
    put_back(p, l);
    pthread_mutex_unlock(&p->lock);
}

void pxi_pool_interrupt(struct pxi_pool *p, uintptr_t owner)
{
    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->max; i++) {
        struct pxi_link *l = p->links[i];
        if (l && __atomic_load_n(&l->owner, __ATOMIC_RELAXED) == (owner | 1))
            l->driver->interrupt(l->conn);
    }
    pthread_mutex_unlock(&p->lock);
}

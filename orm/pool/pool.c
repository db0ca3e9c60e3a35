/* pool.c - see pool.h. Invariants: `idle` holds exactly the links with owner 0 and a connection,
 * the last used first; in_use counts the links with an owner; count <= max; an owner changes to
 * another only under the lock; a connection is opened and closed by the owner of its link, without
 * the lock, and put into it and taken out of it under the lock.
 */
#include "orm/pool/pool.h"
#include "orm/pool/inside.h"
#include "usdt/stats.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void count_use(struct pxi_pool *p, int by)
{
    struct prax_stats *st = pxi_stats_here();
    p->in_use += (unsigned)by;
    pxi_stats_move(st, &st->connections_in_use, by);
}

static void own(struct pxi_link *l, uintptr_t owner)
{
    __atomic_store_n(&l->owner, owner, __ATOMIC_RELEASE);
}

void pxi_pool_own(struct pxi_pool *p, struct pxi_link *l, uintptr_t owner)
{
    own(l, owner);
    count_use(p, 1);
}

/* ---- the pool's life ---- */

void pxi_pool_init(struct pxi_pool *p, const struct pxi_pool_opts *o, const struct pxi_heap *heap)
{
    *p = (struct pxi_pool){ .heap = heap,
                            .statements = o->statements,
                            .closed = true, /* until it is open */
                            .min = o->min,
                            .stmt_cache = o->stmt_cache,
                            .acquire_ms = o->acquire_ms,
                            .lifetime_ns = (uint64_t)o->lifetime_ms * MS_NS,
                            .idle_ns = (uint64_t)o->idle_ms * MS_NS,
                            .warm = o->warm,
                            .cool = o->cool,
                            .warm_ctx = o->warm_ctx };
    p->last = &p->first;
    pxi_error_clear(&p->why);
    pthread_mutex_init(&p->lock, NULL);
    pxi_wait_cond(&p->returned);
    pxi_wait_cond(&p->tending);
}

static int open_first(struct pxi_pool *p, unsigned n, struct pxi_error *err)
{
    for (unsigned i = 0; i < n; i++) {
        struct pxi_link *l = &p->links[i];
        int rc = pxi_link_open(p, l, err);
        if (rc < 0)
            return rc;
        p->count++;
        l->next = p->idle;
        p->idle = l;
    }
    return 0;
}

int pxi_pool_open(struct pxi_pool *p, const struct pxi_pool_opts *o, struct pxi_error *err)
{
    p->driver = pxi_driver_find(o->url, err);
    if (!p->driver)
        return err->e.code;
    size_t url_size = strlen(o->url) + 1;
    char *url = p->heap->alloc.realloc(p->heap->alloc.ctx, NULL, 0, url_size);
    if (url)
        memcpy(url, o->url, url_size);
    p->conn = (struct pxi_conn_opts){ .url = url,
                                      .busy_ms = o->busy_ms ? o->busy_ms : p->driver->busy_ms,
                                      .alloc = &o->driver->alloc };
    p->links = pxi_heap_zero(p->heap, o->max * sizeof *p->links);
    p->max = p->links ? o->max : 0;
    for (unsigned i = 0; i < p->max; i++)
        p->links[i].pool = p;
    if (!url || !p->links)
        return pxi_error_set(err, PRAX_ENOMEM, "pool: out of memory");
    int rc = p->driver->resolve(url, o->max == 1, &p->where, err);
    p->conn.where = p->where;
    if (rc < 0)
        return pxi_error_set(err, rc, "pool: out of memory");
    p->closed = false;
    rc = open_first(p, o->min, err);
    return rc < 0 ? rc : pxi_tend_start(p, err);
}

void pxi_pool_free(struct pxi_pool *p)
{
    pxi_tend_stop(p);
    pthread_mutex_lock(&p->lock);
    while (p->opening)
        pthread_cond_wait(&p->returned, &p->lock);
    pthread_mutex_unlock(&p->lock);
    pxi_heap_free(p->heap, p->links, p->max * sizeof *p->links);
    if (p->conn.url)
        pxi_heap_free(p->heap, (char *)p->conn.url, strlen(p->conn.url) + 1);
    free(p->where);
    pthread_cond_destroy(&p->returned);
    pthread_cond_destroy(&p->tending);
    pthread_mutex_destroy(&p->lock);
}

/* ---- links without a connection; all under the lock, but for the closing ---- */

/* The place is free: whoever waits may open another one, and who drains may be done. */
void pxi_pool_vacate(struct pxi_pool *p, struct pxi_link *l)
{
    own(l, 0);
    l->tid = 0;
    p->count--;
    count_use(p, -1);
    if (p->first)
        pxi_wait_tell(p->first);
    if (p->closed)
        pthread_cond_signal(&p->returned);
}

/* Of a link that the caller owns. */
void pxi_pool_close_owned(struct pxi_pool *p, struct pxi_link *l)
{
    struct pxi_conn *conn = l->conn;
    __atomic_store_n(&l->conn, NULL, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&p->lock);
    if (p->cool)
        p->cool(p->warm_ctx, l);
    pxi_link_close(l, conn);
    pthread_mutex_lock(&p->lock);
    pxi_pool_vacate(p, l);
}

/* ---- handing out; all under the lock ---- */

static struct pxi_link *take_idle(struct pxi_pool *p, uintptr_t owner)
{
    struct pxi_link *l = p->idle;
    if (!l)
        return NULL;
    p->idle = l->next;
    pxi_pool_own(p, l, owner | 1);
    return l;
}

uintptr_t pxi_pool_seize(struct pxi_link *l, uintptr_t owner)
{
    uintptr_t now = __atomic_load_n(&l->owner, __ATOMIC_RELAXED);
    if ((now & 1) != 0 || now == 0 ||
        !__atomic_compare_exchange_n(&l->owner, &now, owner | 1, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        return 0;
    l->seized = true;
    return now;
}

/* From a session that rests. It will notice at its next operation. */
static struct pxi_link *steal(struct pxi_pool *p, uintptr_t owner)
{
    for (unsigned i = 0; i < p->max; i++) {
        if (pxi_pool_seize(&p->links[i], owner))
            return &p->links[i];
    }
    return NULL;
}

struct pxi_link *pxi_pool_find(struct pxi_pool *p, uintptr_t owner, struct pxi_waiter *w, int *rc,
                               struct pxi_error *err)
{
    *rc = 0;
    struct pxi_link *l = take_idle(p, owner);
    if (l)
        return l;
    if (p->driver->ping && pxi_connect_apart(p)) {
        /* One that is being opened is worth a short wait: who rests would take its own back. */
        l = w && (w->looked || p->opening == 0) ? steal(p, owner) : NULL;
        if (w)
            w->looked = true;
        return l;
    }
    if (w && w->fd >= 0) { /* it must not wait for a connect */
        *rc = pxi_error_set(err, PRAX_ENOMEM, "pool: no thread could be started for a connect");
        return NULL;
    }
    if (w)
        w->opening = true;
    l = pxi_connect_here(p, owner, rc, err);
    if (w)
        w->opening = false;
    if (l)
        return l;
    l = steal(p, owner);
    if (l && *rc < 0) {
        pxi_error_clear(err);
        *rc = 0;
    }
    return l;
}

bool pxi_pool_holds(const struct pxi_pool *p, const struct pxi_link *but)
{
    uint32_t tid = pxi_stats_tid(pxi_stats_here());
    for (const struct pxi_link *l = p->links; l < p->links + p->max; l++) {
        bool works = __atomic_load_n(&l->owner, __ATOMIC_RELAXED) & 1;
        if (l != but && tid && l->tid == tid && works)
            return true;
    }
    return false;
}

bool pxi_pool_held_here(struct pxi_pool *p, const struct pxi_link *l)
{
    pthread_mutex_lock(&p->lock);
    bool held = pxi_pool_holds(p, l);
    pthread_mutex_unlock(&p->lock);
    return held;
}

void pxi_pool_pass(struct pxi_pool *p, struct pxi_link *l)
{
    struct pxi_waiter *w = pxi_wait_first(p);
    if (w && !p->closed) {
        own(l, w->wish->owner | 1);
        w->link = l;
        pxi_wait_tell(w);
        return;
    }
    if (p->closed) {
        pxi_pool_close_owned(p, l);
        return;
    }
    own(l, 0);
    count_use(p, -1);
    l->next = p->idle;
    p->idle = l;
}

/* ---- getting and putting ---- */

uint64_t pxi_pool_deadline(const struct pxi_pool *p, const struct pxi_wish *wish)
{
    uint64_t deadline = pxi_clock_ns() + (uint64_t)p->acquire_ms * MS_NS;
    uint64_t own_ns = wish->watch ? wish->watch->deadline_ns : 0;
    return own_ns && own_ns < deadline ? own_ns : deadline;
}

static int get(struct pxi_pool *p, const struct pxi_wish *wish, uint64_t *deadline_ns,
               struct pxi_link **out, struct pxi_error *err)
{
    int rc = 0;
    pthread_mutex_lock(&p->lock);
    *out = p->first || p->closed ? NULL : pxi_pool_find(p, wish->owner, NULL, &rc, err);
    if (!*out && rc == 0) {
        if (!*deadline_ns)
            *deadline_ns = pxi_pool_deadline(p, wish);
        rc = pxi_wait(p, wish, *deadline_ns, out, err);
    }
    if (*out)
        (*out)->tid = pxi_stats_tid(pxi_stats_here());
    pthread_mutex_unlock(&p->lock);
    return rc;
}

static void close_unfit(struct pxi_pool *p, struct pxi_link *l)
{
    pthread_mutex_lock(&p->lock);
    p->lost++;
    pxi_pool_close_owned(p, l);
    pthread_mutex_unlock(&p->lock);
}

static bool is_ready(struct pxi_pool *p, struct pxi_link *l)
{
    return (!l->mortal || pxi_link_fit(p, l)) && (!l->seized || pxi_link_clean(p, l));
}

int pxi_pool_get(struct pxi_pool *p, const struct pxi_wish *wish, struct pxi_link **out,
                 struct pxi_error *err)
{
    uint64_t deadline_ns = 0;
    for (;;) {
        int rc = get(p, wish, &deadline_ns, out, err);
        if (rc < 0)
            return rc;
        assert(*out);
        if (is_ready(p, *out))
            return 0;
        close_unfit(p, *out);
    }
}

void pxi_pool_put(struct pxi_pool *p, struct pxi_link *l)
{
    bool clean = pxi_link_clean(p, l);
    if (l->mortal)
        l->rested_ns = pxi_clock_ns();
    if (!clean) {
        close_unfit(p, l);
        return;
    }
    pthread_mutex_lock(&p->lock);
    pxi_pool_pass(p, l);
    pthread_mutex_unlock(&p->lock);
}

void pxi_pool_drop(struct pxi_pool *p, struct pxi_link *l)
{
    l->driver->watch(l->conn, NULL);
    close_unfit(p, l);
}

void pxi_pool_interrupt(struct pxi_pool *p, uintptr_t owner)
{
    pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->max; i++) {
        struct pxi_link *l = &p->links[i];
        struct pxi_conn *conn = __atomic_load_n(&l->conn, __ATOMIC_ACQUIRE);
        if (conn && __atomic_load_n(&l->owner, __ATOMIC_RELAXED) == (owner | 1))
            l->driver->interrupt(conn);
    }
    for (struct pxi_waiter *w = p->first; w; w = w->next) {
        if (w->wish->owner == owner)
            pxi_wait_tell(w);
    }
    pthread_mutex_unlock(&p->lock);
}

/* ---- the end ---- */

static void shut(struct pxi_pool *p)
{
    struct pxi_link *l;
    p->closed = true;
    pthread_cond_signal(&p->tending);
    while ((l = take_idle(p, (uintptr_t)p)) != NULL)
        pxi_pool_close_owned(p, l);
    pxi_wait_wake(p);
}

void pxi_pool_shut(struct pxi_pool *p)
{
    pthread_mutex_lock(&p->lock);
    shut(p);
    pthread_mutex_unlock(&p->lock);
}

unsigned pxi_pool_drain(struct pxi_pool *p, uint32_t timeout_ms)
{
    uint64_t deadline = pxi_clock_ns() + (uint64_t)timeout_ms * MS_NS;
    pthread_mutex_lock(&p->lock);
    shut(p);
    for (;;) {
        struct pxi_link *l;
        while ((l = steal(p, (uintptr_t)p)) != NULL)
            pxi_pool_close_owned(p, l);
        uint64_t now = pxi_clock_ns();
        if (p->in_use == 0 || now >= deadline)
            break;
        uint64_t slice = now + 10 * (uint64_t)MS_NS; /* one that goes to rest tells nobody */
        pxi_wait_until(&p->returned, &p->lock, slice < deadline ? slice : deadline);
    }
    unsigned out = p->in_use;
    pthread_mutex_unlock(&p->lock);
    return out;
}

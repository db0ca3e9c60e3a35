/* pool.h - the connections of a database handle, and the prepared statements of each.
 *
 * The one idea: a session keeps its connection between operations ("sticky") for the price of one
 * compare-and-swap, because handing it back and out again would cost a seventh of a get. `owner` of
 * a link is the session's address, with bit 0 set while it works. Whoever waits may take the link
 * from an owner that rests; an owner that works gives it back at the end of its operation when it
 * sees waiters. So idle sessions starve nobody. Transactions and cursors never rest: they pin.
 *
 * Links are places: they stay where they are until the pool is freed, while the connections in them
 * come and go, so a session may look at the owner of a link that it lost long ago.
 *
 * Waiting is fair: first come, first served; only the first in the queue looks for resting links,
 * every WAIT_SLICE_MS, since a session that goes to rest at the same moment as it is looked for
 * tells nobody.
 *
 * Health: a connection that is known to be lost is closed when it comes back, and casts suspicion
 * on all that rested before: they are asked (ping) before their next work, as are those that rested
 * long. A connect that fails for a reason that may pass is tried again, by one waiter at a time and
 * with growing pauses for all of them, until the waiters' deadlines. A driver without ping has no
 * other side that could go away; then no clock is read.
 *
 * Thread-safe; a link belongs to one thread while its busy bit is set.
 */
#ifndef PXI_POOL_H
#define PXI_POOL_H
#include "orm/base/clock.h"
#include "orm/driver/driver.h"
#include "orm/pool/heap.h"
#include <prax/usdt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* One prepared statement; the place in its link's array is its plan's id. */
struct pxi_cached {
    struct pxi_stmt *stmt; /* NULL: none, or in use */
    uint64_t tick;         /* of its last use */
};

struct pxi_pool;
struct pxi_link {
    uintptr_t owner;       /* atomic: 0 = free; session | 1 = working, session = resting */
    struct pxi_conn *conn; /* NULL: none, or it is being opened */
    const struct pxi_driver *driver;
    struct pxi_link *next; /* idle ones */
    uint64_t id;           /* connection id, unique in the process */
    uint32_t tid;          /* thread that took it last; 0 = unknown */
    bool mortal;           /* pxi_link_fit has to be asked after a rest */
    bool seized;           /* taken from a session at rest: what that has set is to be ended */
    unsigned n_cached, cached_room, cached_max;
    struct pxi_cached *cached; /* cached[cached_room], by plan id */
    uint64_t tick;
    uint64_t opened_ns, rested_ns; /* rested_ns: when its last work ended, if mortal */
    const struct pxi_heap *heap;   /* of cached */
    struct pxi_pool *pool;
    uint64_t apart[3]; /* owners of two links are never in one cache line */
};

struct pxi_waiter;
struct pxi_pool {
    pthread_mutex_t lock;
    const struct pxi_driver *driver;
    struct pxi_conn_opts conn;
    char *where;
    const struct pxi_heap *heap, *statements;
    struct pxi_link *links; /* links[max] */
    unsigned min, max;
    unsigned count;   /* connections that are open, or being opened */
    unsigned opening; /* of them */
    unsigned stmt_cache;
    uint32_t acquire_ms;
    uint64_t lifetime_ns, idle_ns; /* 0 = never */
    struct pxi_link *idle;
    struct pxi_waiter *first, **last;
    unsigned waiters; /* atomic */
    unsigned in_use;  /* links with an owner */
    bool closed;
    pthread_cond_t returned; /* in_use fell while closed */
    pthread_cond_t tending;  /* closed was set */
    pthread_t tender;        /* if tended */
    bool tended;
    /* health */
    uint64_t suspect_ns; /* atomic: who rested before it is asked; 0 = nobody */
    unsigned lost;       /* connections that broke and were not replaced yet */
    unsigned failures;   /* connects that failed since the last that did not */
    uint64_t retry_ns;   /* no connect before it, while there are failures */
    struct pxi_error why;
    void (*warm)(void *ctx, struct pxi_link *l);
    void (*cool)(void *ctx, const struct pxi_link *l);
    void *warm_ctx;
};

struct pxi_pool_opts {
    const struct pxi_heap *statements, *driver; /* what these are allocated from */
    const char *url;
    unsigned min, max, stmt_cache;
    uint32_t acquire_ms, busy_ms;
    uint32_t lifetime_ms, idle_ms;
    /* On each new connection, and before each is closed; errors are their own. Or NULL. */
    void (*warm)(void *ctx, struct pxi_link *l);
    void (*cool)(void *ctx, const struct pxi_link *l);
    void *warm_ctx;
};

/* A pool without connections, to be freed by shut and free. */
void pxi_pool_init(struct pxi_pool *p, const struct pxi_pool_opts *o, const struct pxi_heap *heap);
/* Opens o->min connections. The URL is copied. */
int pxi_pool_open(struct pxi_pool *p, const struct pxi_pool_opts *o, struct pxi_error *err);
/* No more connections are handed out; idle ones are closed now, the others when they come back. */
void pxi_pool_shut(struct pxi_pool *p);
/* The same, with resting links taken from their sessions; waits until all are back, timeout_ms at
 * most. Returns how many are still out. */
unsigned pxi_pool_drain(struct pxi_pool *p, uint32_t timeout_ms);
/* After shut, with no link in use. */
void pxi_pool_free(struct pxi_pool *p);

/* What a session asks for: its own address (even), what may stop it, its record for the probes. */
struct pxi_wish {
    uintptr_t owner;
    struct pxi_watch *watch; /* may be NULL */
    const struct prax_op_record *rec;
};
/* A link, working for the owner. ECONN, ETIMEOUT, ECANCELED, ENOMEM, and what opening says. */
int pxi_pool_get(struct pxi_pool *p, const struct pxi_wish *w, struct pxi_link **out,
                 struct pxi_error *err);
/* The same without blocking, of a driver with an async half: for event loops (ask.c). 0: *out is
 * the link, to be looked at by pxi_ask_fitness; 1: *ask waits in the queue, to be polled or
 * forgotten; < 0: as get. */
struct pxi_ask;
int pxi_pool_ask(struct pxi_pool *p, const struct pxi_wish *w, struct pxi_link **out,
                 struct pxi_ask **ask, struct pxi_error *err);
/* When its fd is readable or its time is over: as pxi_pool_ask. The ask is gone unless it is 1. */
int pxi_ask_poll(struct pxi_ask *ask, struct pxi_link **out, struct pxi_error *err);
int pxi_ask_fd(const struct pxi_ask *ask);
uint64_t pxi_ask_until(const struct pxi_ask *ask); /* CLOCK_MONOTONIC, ns: poll at the latest */
void pxi_ask_forget(struct pxi_ask *ask);
/* Whether a link that comes from there or from rest may work at once; if not, it is to be dropped.
 * DOUBTFUL: an answer of the other side must come before anything that cannot be repeated. */
enum pxi_fitness pxi_ask_fitness(struct pxi_pool *p, struct pxi_link *l);
/* Gives a working link back: to the first waiter, or to the idle ones. What it left open is rolled
 * back first; a connection that is lost is closed. */
void pxi_pool_put(struct pxi_pool *p, struct pxi_link *l);
/* Gives one back that pxi_link_fit found unfit. */
void pxi_pool_drop(struct pxi_pool *p, struct pxi_link *l);
/* Stops what a session's link is doing, if it still has one, or its waiting for one. */
void pxi_pool_interrupt(struct pxi_pool *p, uintptr_t owner);
/* Whether the calling thread took a link other than l, which may be NULL, that still works (for an
 * open transaction or cursor): then it waits for itself. */
bool pxi_pool_held_here(struct pxi_pool *p, const struct pxi_link *l);

/* Of a mortal link that is taken from rest: whether it may work; else it is to be dropped. May ask
 * the other side, for CHECK_MS at most. */
bool pxi_link_fit(struct pxi_pool *p, struct pxi_link *l);
/* The same without asking: DOUBTFUL: somebody should. */
enum pxi_fitness { PXI_UNFIT, PXI_FIT, PXI_DOUBTFUL };
enum pxi_fitness pxi_link_glance(struct pxi_pool *p, struct pxi_link *l);

/* Rested longer: has the other side hung up? That takes 1 us and no round trip. */
enum { PXI_FRESH_NS = 10000000 };
/* Whether it is fit for all that can be said without looking; else pxi_link_fit decides. */
static inline bool pxi_link_fresh(const struct pxi_pool *p, const struct pxi_link *l)
{
    return !p->lifetime_ns && l->rested_ns > __atomic_load_n(&p->suspect_ns, __ATOMIC_RELAXED) &&
           pxi_clock_ns() - l->rested_ns < PXI_FRESH_NS;
}

static inline bool pxi_pool_wanted(const struct pxi_pool *p)
{
    return __builtin_expect(__atomic_load_n(&p->waiters, __ATOMIC_RELAXED) != 0, 0);
}
/* From rest to work; false if somebody else has taken it meanwhile. */
static inline bool pxi_link_take(struct pxi_link *l, uintptr_t owner)
{
    uintptr_t resting = owner;
    return __atomic_compare_exchange_n(&l->owner, &resting, owner | 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}
static inline void pxi_link_rest(struct pxi_link *l, uintptr_t owner)
{
    if (l->mortal)
        l->rested_ns = pxi_clock_ns();
    __atomic_store_n(&l->owner, owner, __ATOMIC_RELEASE);
}

/* The cached statement of a plan, now out of the cache; NULL if there is none. */
static inline struct pxi_stmt *pxi_link_stmt(struct pxi_link *l, unsigned plan_id)
{
    if (__builtin_expect(plan_id >= l->cached_room, 0))
        return NULL;
    struct pxi_stmt *st = l->cached[plan_id].stmt;
    l->cached[plan_id].stmt = NULL;
    return st;
}
/* Back into the cache (finished), or dropped if there is no room for it. */
void pxi_link_keep_slow(struct pxi_link *l, unsigned plan_id, struct pxi_stmt *st, bool is_new);
static inline void pxi_link_keep(struct pxi_link *l, unsigned plan_id, struct pxi_stmt *st,
                                 bool is_new)
{
    if (__builtin_expect(is_new || l->cached[plan_id].stmt, 0)) {
        pxi_link_keep_slow(l, plan_id, st, is_new);
        return;
    }
    l->cached[plan_id] = (struct pxi_cached){ st, ++l->tick };
}
/* A statement that was taken from the cache and is not coming back. */
void pxi_link_lose(struct pxi_link *l, struct pxi_stmt *st, bool is_new);

#endif

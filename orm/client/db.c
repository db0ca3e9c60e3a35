/* db.c - database handles. A handle lives until it and its last session and cursor are closed: each
 * holds a reference, so the order of closing is free.
 */
#include "orm/base/fork.h"
#include "orm/client/client.h"
#include <string.h>

enum {
    POOL_MAX = 8,
    POOL_LIMIT = 1024, /* beyond it, a typing error */
    STMT_CACHE = 256,
    WAIT_MS = 5000,
    SLOW_MS_NS = 1000000,
};
static const size_t arena_default = 256u << 20; /* bytes: a request that needs more leaks */

static const struct pxi_error *no_memory_error(void)
{
    static const struct pxi_error e = {
        .e = { .code = PRAX_ENOMEM, .sqlstate = "53200", .message = "out of memory", .op = "" }
    };
    return &e;
}

const prax_error *prax_db_error(const prax_db *db)
{
    return db ? &db->err.e : &no_memory_error()->e;
}

const prax_error *prax_error_get(const prax_session *s)
{
    return s ? &s->err.e : &no_memory_error()->e;
}

int prax_error_code(const prax_session *s)
{
    return prax_error_get(s)->code;
}

static int check_opts(prax_db *db, const prax_db_opts *o)
{
    if (o->size == 0)
        return pxi_error_set(&db->err, PRAX_EINVAL, "prax_db_open: options are not initialised");
    if (o->pool_max > POOL_LIMIT || o->pool_min > (o->pool_max ? o->pool_max : POOL_MAX)) {
        return pxi_error_set(&db->err, PRAX_EINVAL,
                             "prax_db_open: pool_min %u, pool_max %u: at most %d, min <= max",
                             o->pool_min, o->pool_max, POOL_LIMIT);
    }
    if (o->warm > PXI_WARM_MAX) {
        return pxi_error_set(&db->err, PRAX_EINVAL, "prax_db_open: warm %u: at most %d", o->warm,
                             PXI_WARM_MAX);
    }
    if ((o->lifetime_ms || o->idle_ms) && o->url && strcmp(o->url, "sqlite::memory:") == 0) {
        return pxi_error_set(&db->err, PRAX_EINVAL,
                             "prax_db_open: lifetime_ms and idle_ms would close %s, and with it "
                             "all that is in it",
                             o->url);
    }
    if (o->alloc && !o->alloc->realloc)
        return pxi_error_set(&db->err, PRAX_EINVAL, "prax_db_open: alloc without realloc");
    return 0;
}

/* A caller that was compiled with a smaller struct did not know the members at its end. */
static prax_db_opts known_opts(const prax_db_opts *o)
{
    prax_db_opts all = { .size = 0 };
    if (o)
        memcpy(&all, o, o->size < sizeof all ? o->size : sizeof all);
    return all;
}

static prax_db *new_db(const prax_db_opts *o)
{
    struct pxi_heap heap;
    pxi_heap_init(&heap, o->alloc && o->alloc->realloc ? o->alloc : NULL, "handle", false);
    prax_db *db = pxi_heap_zero(&heap, sizeof *db);
    if (!db)
        return NULL;
    pxi_heap_init(&db->heap, &heap.user, "handle", false);
    pxi_heap_init(&db->pool_heap, &heap.user, "pool", false);
    pxi_heap_init(&db->driver_heap, &heap.user, "driver", false);
    pxi_heap_init(&db->statements_heap, &heap.user, "statements", false);
    pxi_heap_init(&db->plans_heap, &heap.user, "plans", false);
    pxi_heap_init(&db->sessions_heap, &heap.user, "sessions", false);
    pxi_heap_init(&db->cursors_heap, &heap.user, "cursors", false);
    pxi_heap_init(&db->rows_heap, &heap.user, "rows", true);
    pxi_heap_init(&db->scratch_heap, &heap.user, "scratch", true);
    pxi_error_clear(&db->err);
    pthread_mutex_init(&db->lock, NULL);
    db->refs = 1;
    db->forks = pxi_forks;
    db->arena_max = o->arena_max ? o->arena_max : arena_default;
    db->slow_ns = o->log ? (uint64_t)o->slow_ms * SLOW_MS_NS : 0;
    db->log = o->log;
    db->log_ctx = o->log_ctx;
    return db;
}

int prax_db_open_with(prax_db **out, const prax_db_opts *opts)
{
    prax_db_opts o = known_opts(opts);
    *out = NULL;
    prax_db *db = new_db(&o);
    if (!db)
        return PRAX_ENOMEM;
    *out = db;
    struct pxi_pool_opts po = { .statements = &db->statements_heap,
                                .driver = &db->driver_heap,
                                .url = o.url,
                                .min = o.pool_min ? o.pool_min : 1,
                                .max = o.pool_max ? o.pool_max : POOL_MAX,
                                .stmt_cache = o.stmt_cache ? o.stmt_cache : STMT_CACHE,
                                .acquire_ms = o.acquire_ms ? o.acquire_ms : WAIT_MS,
                                .busy_ms = o.busy_ms,
                                .lifetime_ms = o.lifetime_ms,
                                .idle_ms = o.idle_ms,
                                .warm = o.warm ? pxi_db_warm : NULL,
                                .cool = o.warm ? pxi_db_cool : NULL,
                                .warm_ctx = db };
    db->warm = o.warm;
    pxi_pool_init(&db->pool, &po, &db->pool_heap);
    bool plans = pxi_plans_init(&db->plans, &db->plans_heap);
    int rc = check_opts(db, &o);
    if (rc == 0 && !plans)
        rc = pxi_error_set(&db->err, PRAX_ENOMEM, "prax_db_open: out of memory");
    if (rc == 0)
        rc = pxi_pool_open(&db->pool, &po, &db->err);
    if (rc == 0)
        db->plans.dialect = pxi_dialect_of(db->pool.driver->engine);
    return rc;
}

void pxi_db_ref(prax_db *db)
{
    __atomic_add_fetch(&db->refs, 1, __ATOMIC_RELAXED);
}

void pxi_db_unref(prax_db *db)
{
    if (__atomic_sub_fetch(&db->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    struct prax_session *s;
    while ((s = db->idle) != NULL) {
        db->idle = s->next;
        pxi_session_free(s);
    }
    pxi_plans_free(&db->plans);
    pxi_pool_free(&db->pool);
    pthread_mutex_destroy(&db->lock);
    struct pxi_heap heap;
    pxi_heap_init(&heap, &db->heap.user, "handle", false);
    pxi_heap_free(&heap, db, sizeof *db);
}

int prax_db_drain(prax_db *db, uint32_t timeout_ms)
{
    pxi_error_clear(&db->err);
    if (db->forks != pxi_forks) {
        return pxi_error_set(&db->err, PRAX_EINVAL,
                             "prax_db_drain: the handle was opened before fork");
    }
    unsigned out = pxi_pool_drain(&db->pool, timeout_ms);
    if (out == 0)
        return 0;
    return pxi_error_set(&db->err, PRAX_ETIMEOUT,
                         "prax_db_drain: %u connections are still in use after %u ms", out,
                         timeout_ms);
}

/* In a forked child the connections are the parent's: to close one would disturb it, so they are
 * left alone, memory and all. */
void prax_db_close(prax_db *db)
{
    if (!db || db->forks != pxi_forks)
        return;
    pxi_pool_shut(&db->pool);
    pxi_db_unref(db);
}

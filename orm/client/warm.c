/* warm.c - statements of a new connection, prepared before its first work.
 *
 * Which ones: the plans of the cache that were prepared most often so far, on all connections
 * together, so those that every connection comes to need. What fails here is left to the operation
 * that needs it, which will say why.
 */
#include "orm/client/client.h"
#include "usdt/stats.h"

struct ranking {
    struct pxi_plan *plans[PXI_WARM_MAX]; /* by times, descending */
    uint32_t times[PXI_WARM_MAX];
    unsigned n, max;
};

static void rank(struct ranking *r, struct pxi_plan *p)
{
    uint32_t times = __atomic_load_n(&p->prepared, __ATOMIC_RELAXED);
    if (times == 0 || (r->n == r->max && times <= r->times[r->n - 1]))
        return;
    unsigned i = r->n < r->max ? r->n++ : r->n - 1;
    for (; i > 0 && r->times[i - 1] < times; i--) {
        r->plans[i] = r->plans[i - 1];
        r->times[i] = r->times[i - 1];
    }
    r->plans[i] = p;
    r->times[i] = times;
}

void pxi_db_warm(void *ctx, struct pxi_link *l)
{
    const prax_db *db = ctx;
    struct prax_stats *st = pxi_stats_here();
    struct ranking r = { .max = db->warm < l->cached_max ? db->warm : l->cached_max };
    for (unsigned i = 0; i < PXI_PLAN_SLOTS; i++) {
        struct pxi_plan *p = __atomic_load_n(&db->plans.slots[i].plan, __ATOMIC_ACQUIRE);
        if (p)
            rank(&r, p);
    }
    for (unsigned i = 0; i < r.n; i++) {
        struct pxi_plan *p = r.plans[i];
        struct pxi_stmt *stmt = NULL;
        pxi_stats_add(st, &st->prepares, 1);
        if (l->driver->prepare(l->conn, p->sql, p->sql_size, true, &stmt) < 0)
            continue;
        __atomic_add_fetch(&p->prepared, 1, __ATOMIC_RELAXED);
        pxi_link_keep(l, p->id, stmt, true);
    }
}

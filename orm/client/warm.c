/* warm.c - statements of a new connection, prepared before its first work.
 *
 * Which ones: those that the connection closed last had used last, because a new one mostly takes
 * the place of an old one; as long as none was closed, the first that were built. What fails here
 * is left to the operation that needs it, which will say why.
 */
#include "orm/client/client.h"
#include "usdt/stats.h"
#include <string.h>

struct candidate {
    uint64_t tick;
    unsigned id;
};

/* Into best[n], the latest first, at most max of them; returns the new n. */
static unsigned rank(struct candidate *best, unsigned n, unsigned max, struct candidate c)
{
    if (n == max && c.tick <= best[n - 1].tick)
        return n;
    unsigned i = n < max ? n++ : n - 1;
    for (; i > 0 && best[i - 1].tick < c.tick; i--)
        best[i] = best[i - 1];
    best[i] = c;
    return n;
}

void pxi_db_cool(void *ctx, const struct pxi_link *l)
{
    prax_db *db = ctx;
    struct candidate best[PXI_WARM_MAX] = { 0 };
    unsigned n = 0;
    for (unsigned id = 0; id < l->cached_room; id++) {
        if (l->cached[id].stmt)
            n = rank(best, n, db->warm, (struct candidate){ l->cached[id].tick, id });
    }
    if (n == 0)
        return;
    pthread_mutex_lock(&db->lock);
    db->n_hot = n;
    for (unsigned i = 0; i < n; i++)
        db->hot[i] = best[i].id;
    pthread_mutex_unlock(&db->lock);
}

static void warm(const prax_db *db, struct pxi_link *l, uint32_t id)
{
    struct prax_stats *st = pxi_stats_here();
    struct pxi_stmt *stmt = NULL;
    for (unsigned i = 0; i < PXI_PLAN_SLOTS; i++) {
        const struct pxi_plan *p = __atomic_load_n(&db->plans.slots[i].plan, __ATOMIC_ACQUIRE);
        if (!p || p->id != id)
            continue;
        pxi_stats_add(st, &st->prepares, 1);
        if (l->driver->prepare(l->conn, p->sql, p->sql_size, true, &stmt) == 0)
            pxi_link_keep(l, id, stmt, true);
        return;
    }
}

void pxi_db_warm(void *ctx, struct pxi_link *l)
{
    prax_db *db = ctx;
    uint32_t hot[PXI_WARM_MAX];
    pthread_mutex_lock(&db->lock);
    unsigned n = db->n_hot;
    memcpy(hot, db->hot, n * sizeof *hot);
    pthread_mutex_unlock(&db->lock);
    for (unsigned i = 0; i < (n ? n : db->warm); i++)
        warm(db, l, n ? hot[i] : i);
}

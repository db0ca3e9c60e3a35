/* stmts.c - the prepared statements of a connection: an array by plan id, bounded by the least
 * recently used. Invariant: n_cached counts those in the array and those taken out of it for use;
 * so a statement in use is never evicted, and a second one for the same plan (a query within a
 * cursor over the same query) is dropped when it comes back second.
 */
#include "orm/pool/pool.h"

static bool make_room(struct pxi_link *l, unsigned plan_id)
{
    unsigned room = l->cached_room ? l->cached_room : 32;
    while (room <= plan_id)
        room *= 2;
    if (room == l->cached_room)
        return true;
    struct pxi_cached *more = pxi_heap_grow(l->heap, l->cached, l->cached_room, room, sizeof *more);
    if (!more)
        return false;
    l->cached = more;
    l->cached_room = room;
    return true;
}

static void evict(struct pxi_link *l)
{
    struct pxi_cached *oldest = NULL;
    for (unsigned i = 0; i < l->cached_room; i++) {
        if (l->cached[i].stmt && (!oldest || l->cached[i].tick < oldest->tick))
            oldest = &l->cached[i];
    }
    if (!oldest)
        return;
    l->driver->drop(oldest->stmt);
    oldest->stmt = NULL;
    l->n_cached--;
}

void pxi_link_lose(struct pxi_link *l, struct pxi_stmt *st, bool is_new)
{
    l->driver->drop(st);
    if (!is_new)
        l->n_cached--;
}

void pxi_link_keep_slow(struct pxi_link *l, unsigned plan_id, struct pxi_stmt *st, bool is_new)
{
    if (!make_room(l, plan_id) || l->cached[plan_id].stmt) {
        pxi_link_lose(l, st, is_new);
        return;
    }
    if (is_new && ++l->n_cached > l->cached_max)
        evict(l);
    l->cached[plan_id] = (struct pxi_cached){ st, ++l->tick };
}

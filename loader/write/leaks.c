/* leaks.c - leaks.txt: what was never freed, by the place that allocated it, with ages.
 *
 * A block that is left is not a leak by itself: a cache holds on to its own, and what was allocated
 * a moment before the end was not needed long enough to be freed. So blocks younger than the age
 * that was asked for are left out, and the oldest and youngest of a place are shown: a place whose
 * blocks are of all ages goes on leaking.
 */
#include "loader/write/heap_text.h"
#include <stdlib.h>

enum { PLACES_SHOWN = 100 };

static int by_bytes(const void *a, const void *b)
{
    const struct heap_group *x = a, *y = b;
    if (x->old_bytes != y->old_bytes)
        return x->old_bytes > y->old_bytes ? -1 : 1;
    if (x->ustack != y->ustack)
        return x->ustack < y->ustack ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

/* Groups with something left, the largest first: groups[*n], for free(). */
static struct heap_group *leaks__make(const struct profile *p, uint32_t *n)
{
    uint32_t all = 0;
    struct heap_group *groups = heap_groups__make(p, false, &all);
    *n = 0;
    if (!groups)
        return NULL;
    qsort(groups, all, sizeof *groups, by_bytes);
    while (*n < all && groups[*n].old_blocks)
        ++*n;
    return groups;
}

static void add_place(struct pxi_buf *out, const struct profile *p, const struct heap_group *g)
{
    text__bytes(out, g->old_bytes);
    pxi_buf_text(out, " in ");
    heap_text__blocks(out, g->old_blocks);
    pxi_buf_text(out, " of ");
    text__count(out, g->total_blocks);
    pxi_buf_text(out, ", ");
    text__time(out, g->youngest_ns);
    pxi_buf_text(out, " to ");
    text__time(out, g->oldest_ns);
    pxi_buf_text(out, " old");
    if (heap_group__error(p, g) > 0)
        pxi_buf_fmt(out, ", +- %.0f %%", 100 * heap_group__error(p, g));
    pxi_buf_char(out, '\n');
    heap_text__place(out, p, g);
}

static void add_sum(struct pxi_buf *out, const struct profile *p, const struct heap_group *groups,
                    uint32_t n)
{
    uint64_t bytes = 0, blocks = 0;
    for (uint32_t i = 0; i < n; i++) {
        bytes += groups[i].old_bytes;
        blocks += groups[i].old_blocks;
    }
    pxi_buf_text(out, "Never freed by ");
    facts__target(out, p);
    if (p->heap.leak_age_ns) {
        pxi_buf_text(out, " and older than ");
        text__time(out, p->heap.leak_age_ns);
    }
    pxi_buf_text(out, ": ");
    text__bytes(out, bytes);
    pxi_buf_text(out, " in ");
    heap_text__blocks(out, blocks);
    pxi_buf_fmt(out, " from %u place%s\n", n, n == 1 ? "" : "s");
    if (p->heap.rate)
        pxi_buf_text(out, "note: sampled: these are estimates, and small leaks may be missing\n");
    if (!p->meta.command)
        pxi_buf_text(out, "note: attached to what was running: older blocks are not seen\n");
    heap_text__trust(out, p);
}

void write_leaks_txt(const struct profile *p, struct pxi_buf *out)
{
    uint32_t n;
    struct heap_group *groups = leaks__make(p, &n);
    out->broken |= !groups;
    if (!groups)
        return;
    add_sum(out, p, groups, n);
    for (uint32_t i = 0; i < n && i < PLACES_SHOWN; i++) {
        pxi_buf_fmt(out, "\n%3u. ", i + 1);
        add_place(out, p, &groups[i]);
    }
    if (n > PLACES_SHOWN)
        pxi_buf_fmt(out, "\n     ... and %u more places\n", n - PLACES_SHOWN);
    free(groups);
}

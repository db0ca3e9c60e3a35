/* heap.c - see heap.h. What is live in all is one number for the whole process, and not a sum over
 * threads, for only so is its peak known; that is a locked addition a block, and blocks are rare: a
 * session that is warm asks for none.
 *
 * free fires before the allocator is called and alloc after it, so that no other thread's alloc
 * with the same address comes in between. A block that could not be resized is told again.
 */
#include "orm/pool/heap.h"
#include "orm/base/arena.h"
#include "usdt/context.h"
#include "usdt/probe.h"
#include "usdt/stats.h"
#include <string.h>

_Static_assert(PRAX_PURPOSES <= PRAX_STATS_PURPOSES, "counters for every purpose");

static const char *const names[] = {
    "other",
#define PRAX_PURPOSE(NAME, name, text) [PRAX_PURPOSE_##NAME] = #name,
#include "usdt/purposes.def"
};
_Static_assert(sizeof names / sizeof *names == PRAX_PURPOSES,
               "enum prax_purpose and purposes.def list different purposes");

static int64_t live_bytes, peak_bytes; /* atomic */

uint64_t pxi_heap_bytes(uint64_t *peak)
{
    int64_t now = __atomic_load_n(&live_bytes, __ATOMIC_RELAXED);
    int64_t most = __atomic_load_n(&peak_bytes, __ATOMIC_RELAXED);
    *peak = (uint64_t)(most > now ? most : now); /* a thread may stand between the two */
    return (uint64_t)now;
}

const char *pxi_heap_purpose(unsigned purpose)
{
    return names[purpose < PRAX_PURPOSES ? purpose : 0];
}

static void note_live(int64_t by)
{
    int64_t now = __atomic_add_fetch(&live_bytes, by, __ATOMIC_RELAXED);
    int64_t most = __atomic_load_n(&peak_bytes, __ATOMIC_RELAXED);
    while (now > most && !__atomic_compare_exchange_n(&peak_bytes, &most, now, true,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

/* blocks: 1 made, -1 freed. */
static void count(const struct pxi_heap *h, int64_t blocks, size_t size)
{
    struct prax_stats *st = pxi_stats_here();
    const bool own = pxi_stats_is_own(st);
    const int64_t bytes = blocks * (int64_t)size;
    pxi_stats_bump(own, blocks > 0 ? &st->allocs : &st->frees, 1);
    pxi_stats_bump(own, blocks > 0 ? &st->alloc_bytes : &st->free_bytes, size);
    pxi_stats_bump(own, (uint64_t *)&st->purpose_blocks[h->number], (uint64_t)blocks);
    pxi_stats_bump(own, (uint64_t *)&st->purpose_bytes[h->number], (uint64_t)bytes);
    if (h->arena)
        pxi_stats_bump(own, (uint64_t *)&st->arena_bytes, (uint64_t)bytes);
    note_live(bytes);
}

static void *heap_realloc(void *ctx, void *p, size_t old_size, size_t size)
{
    const struct pxi_heap *h = ctx;
    if (p)
        PXI_PROBE(free, p, old_size, h->purpose, pxi_context, h->number);
    void *q = h->user.realloc(h->user.ctx, p, old_size, size);
    const bool failed = !q && size;
    if (p && !failed)
        count(h, -1, old_size);
    if (q)
        count(h, 1, size);
    if (q || (p && failed))
        PXI_PROBE(alloc, q ? q : p, q ? size : old_size, h->purpose, pxi_context, h->number);
    return q;
}

static uint32_t number_of(const char *purpose)
{
    uint32_t i = PRAX_PURPOSES - 1;
    while (i && strcmp(names[i], purpose) != 0)
        i--;
    return i;
}

void pxi_heap_init(struct pxi_heap *h, const prax_alloc *user, const char *purpose, bool arena)
{
    h->arena = arena;
    h->user = user ? *user : pxi_malloc;
    h->number = number_of(purpose); /* also brings its page in: a probe cannot wait for it */
    h->purpose = purpose;
    h->alloc = (prax_alloc){ .realloc = heap_realloc, .ctx = h };
}

void *pxi_heap_zero(const struct pxi_heap *h, size_t size)
{
    void *p = h->alloc.realloc(h->alloc.ctx, NULL, 0, size);
    return p ? memset(p, 0, size) : NULL;
}

void *pxi_heap_grow(const struct pxi_heap *h, void *p, size_t n, size_t to, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(to, size, &bytes))
        return NULL;
    char *q = h->alloc.realloc(h->alloc.ctx, p, n * size, bytes);
    if (q)
        memset(q + n * size, 0, bytes - n * size);
    return q;
}

void pxi_heap_free(const struct pxi_heap *h, void *p, size_t size)
{
    if (p)
        h->alloc.realloc(h->alloc.ctx, p, size, 0);
}

/* heap.c - see heap.h. */
#include "orm/pool/heap.h"
#include "orm/base/arena.h"
#include "usdt/probe.h"
#include "usdt/stats.h"
#include <assert.h>
#include <string.h>

static void count_freed(const struct pxi_heap *h, const void *p, size_t size)
{
    struct prax_stats *st = pxi_stats_here();
    pxi_stats_add(st, &st->frees, 1);
    pxi_stats_add(st, &st->free_bytes, size);
    if (h->arena)
        pxi_stats_move(st, &st->arena_bytes, -(int64_t)size);
    PXI_PROBE(free, p, size, h->purpose);
}

static void count_made(const struct pxi_heap *h, const void *p, size_t size)
{
    struct prax_stats *st = pxi_stats_here();
    pxi_stats_add(st, &st->allocs, 1);
    pxi_stats_add(st, &st->alloc_bytes, size);
    if (h->arena)
        pxi_stats_move(st, &st->arena_bytes, (int64_t)size);
    PXI_PROBE(alloc, p, size, h->purpose);
}

static void *heap_realloc(void *ctx, void *p, size_t old_size, size_t size)
{
    const struct pxi_heap *h = ctx;
    if (p && size == 0)
        count_freed(h, p, old_size);
    void *q = h->user.realloc(h->user.ctx, p, old_size, size);
    if (q && size) {
        if (p)
            count_freed(h, p, old_size);
        count_made(h, q, size);
    }
    return q;
}

void pxi_heap_init(struct pxi_heap *h, const prax_alloc *user, const char *purpose, bool arena)
{
    h->arena = arena;
    h->user = user ? *user : pxi_malloc;
    assert(*purpose); /* also brings its page in: a probe cannot wait for it */
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

/* arena.c - see arena.h. Invariant: [next, end) lies in block, and block's data before next is in
 * use; spare blocks hold nothing. */
#include "orm/base/arena.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Huge pages for what is large: a page of 4 KiB costs about as much to get as to fill. */
static void *large_malloc(size_t size)
{
    enum { HUGE_PAGE = 2 << 20 };
    void *p = aligned_alloc(HUGE_PAGE, (size + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1));
    if (p)
        madvise(p, size, MADV_HUGEPAGE); /* only a wish */
    return p;
}

static void *malloc_realloc(void *ctx, void *p, size_t old_size, size_t size)
{
    (void)ctx, (void)old_size;
    if (size == 0) {
        free(p);
        return NULL;
    }
    return !p && size >= PXI_ARENA_LARGE ? large_malloc(size) : realloc(p, size);
}

const prax_alloc pxi_malloc = { malloc_realloc, NULL };

void pxi_arena_init(struct pxi_arena *a, const prax_alloc *alloc, size_t max)
{
    memset(a, 0, sizeof *a);
    a->alloc = alloc ? alloc : &pxi_malloc;
    a->max = max;
}

static void free_list(struct pxi_arena *a, struct pxi_block *b)
{
    while (b) {
        struct pxi_block *prev = b->prev;
        PXI_UNPOISON(b->data, b->size);
        a->alloc->realloc(a->alloc->ctx, b, sizeof *b + b->size, 0);
        b = prev;
    }
}

void pxi_arena_free(struct pxi_arena *a)
{
    free_list(a, a->block);
    free_list(a, a->spare);
    pxi_arena_init(a, a->alloc, a->max);
}

static void use_block(struct pxi_arena *a, struct pxi_block *b)
{
    b->prev = a->block;
    a->block = b;
    a->next = b->data;
    a->end = b->data + b->size;
}

static bool reuse_spare(struct pxi_arena *a, size_t size)
{
    for (struct pxi_block **link = &a->spare; *link; link = &(*link)->prev) {
        struct pxi_block *b = *link;
        if (b->size >= size) {
            *link = b->prev;
            use_block(a, b);
            return true;
        }
    }
    return false;
}

static size_t next_size(const struct pxi_arena *a, size_t need)
{
    size_t size = a->held + sizeof(struct pxi_block) < PXI_ARENA_FIRST ? PXI_ARENA_FIRST : a->held;
    if (a->large && size >= (size_t)4 * PXI_ARENA_LARGE) {
        size = PXI_ARENA_LARGE;
    } else if (size > PXI_ARENA_BLOCK) {
        size = PXI_ARENA_BLOCK;
    }
    size -= sizeof(struct pxi_block);
    return size < need ? need : size;
}

static bool arena_add_block(struct pxi_arena *a, size_t need)
{
    size_t size = next_size(a, need);
    size_t bytes;
    if (__builtin_add_overflow(size, sizeof(struct pxi_block), &bytes))
        return false;
    if (a->max && (bytes > a->max || a->held > a->max - bytes)) {
        size = need;
        bytes = need + sizeof(struct pxi_block);
        if (bytes < need || bytes > a->max || a->held > a->max - bytes) {
            a->over = true;
            return false;
        }
    }
    struct pxi_block *b = a->alloc->realloc(a->alloc->ctx, NULL, 0, bytes);
    if (!b)
        return false;
    b->size = size;
    PXI_POISON(b->data, size);
    a->held += bytes;
    use_block(a, b);
    return true;
}

void *pxi_arena_grow(struct pxi_arena *a, size_t size, size_t align)
{
    size_t need;
    assert(align && align <= 16 && (align & (align - 1)) == 0);
    if (__builtin_add_overflow(size, align, &need) ||
        (!reuse_spare(a, need) && !arena_add_block(a, need))) {
        a->full = true;
        return NULL;
    }
    uintptr_t p = ((uintptr_t)a->next + (align - 1)) & ~(uintptr_t)(align - 1);
    a->next = (char *)p + size;
    PXI_UNPOISON((void *)p, size);
    return (void *)p;
}

void *pxi_arena_zero(struct pxi_arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        a->full = true;
        return NULL;
    }
    void *p = pxi_arena_get(a, bytes, 16);
    return p ? memset(p, 0, bytes) : NULL;
}

char *pxi_arena_text(struct pxi_arena *a, const char *text, size_t size)
{
    size_t bytes;
    if (__builtin_add_overflow(size, 1, &bytes)) {
        a->full = true;
        return NULL;
    }
    char *p = pxi_arena_get(a, bytes, 1);
    if (!p)
        return NULL;
    memcpy(p, text, size);
    p[size] = '\0';
    return p;
}

void *pxi_arena_copy(struct pxi_arena *a, const void *p, size_t size)
{
    void *q = pxi_arena_get(a, size, 16);
    return q && size ? memcpy(q, p, size) : q;
}

void *pxi_arena_extend(struct pxi_arena *a, void *p, size_t old_size, size_t size)
{
    if (p && (char *)p + old_size == a->next && size >= old_size &&
        size - old_size <= (size_t)(a->end - a->next)) {
        a->next = (char *)p + size;
        PXI_UNPOISON(p, size);
        return p;
    }
    void *q = pxi_arena_get(a, size, 16);
    if (q && p)
        memcpy(q, p, old_size < size ? old_size : size);
    return q;
}

struct pxi_mark pxi_arena_mark(const struct pxi_arena *a)
{
    return (struct pxi_mark){ a->block, a->next };
}

void pxi_arena_release(struct pxi_arena *a, struct pxi_mark m)
{
    while (a->block != m.block) {
        struct pxi_block *b = a->block;
        assert(b && "mark of another arena, or released twice");
        if (!m.block && !b->prev) { /* the first block stays: it is wanted next */
            m.next = b->data;
            break;
        }
        PXI_POISON(b->data, b->size);
        a->block = b->prev;
        b->prev = a->spare;
        a->spare = b;
    }
    a->next = m.next;
    a->end = a->block ? a->block->data + a->block->size : NULL;
    PXI_POISON(a->next, (size_t)(a->end - a->next));
    a->serial++;
}

/* Hangs list `b` in front of `before`. */
static struct pxi_block *join_lists(struct pxi_block *b, struct pxi_block *before)
{
    struct pxi_block *first = b;
    if (!b)
        return before;
    while (b->prev)
        b = b->prev;
    b->prev = before;
    return first;
}

void pxi_arena_join(struct pxi_arena *to, struct pxi_arena *from)
{
    if (from->block) {
        to->block = join_lists(from->block, to->block);
        to->next = from->next;
        to->end = from->end;
    }
    to->spare = join_lists(from->spare, to->spare);
    to->held += from->held;
    pxi_arena_init(from, from->alloc, from->max);
}

void pxi_arena_lend(struct pxi_arena *to, struct pxi_arena *from)
{
    size_t bytes = 0;
    for (const struct pxi_block *b = from->spare; b; b = b->prev)
        bytes += sizeof *b + b->size;
    to->spare = join_lists(from->spare, to->spare);
    from->spare = NULL;
    to->held += bytes;
    from->held -= bytes;
}

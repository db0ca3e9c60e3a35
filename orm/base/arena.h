/* arena.h - memory that is freed all at once, or back to a mark.
 *
 * A session has one. Blocks double from 4 KiB to 1 MiB and are kept when a mark is released, so a
 * warm session allocates without calling the allocator. Nothing is ever moved. Not thread-safe.
 *
 * Built with AddressSanitizer, bytes that were released are poisoned, so that a row which outlives
 * its scope is reported as any other use after free.
 */
#ifndef PXI_BASE_ARENA_H
#define PXI_BASE_ARENA_H
#include <prax/alloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define PXI_POISON(p, size)   __asan_poison_memory_region((p), (size))
#define PXI_UNPOISON(p, size) __asan_unpoison_memory_region((p), (size))
#else
#define PXI_POISON(p, size)   ((void)(p))
#define PXI_UNPOISON(p, size) ((void)(p))
#endif

enum {
    PXI_ARENA_FIRST = 4 << 10, /* bytes: one page holds a get and its row */
    PXI_ARENA_BLOCK = 1 << 20, /* bytes: larger blocks would cost page faults that nobody uses */
    PXI_ARENA_LARGE = 2 << 20, /* bytes, of a large arena that holds four times that: a huge page */
};

struct pxi_block {
    struct pxi_block *prev;
    size_t size; /* bytes of data that follow */
    char data[] __attribute__((aligned(16)));
};

struct pxi_arena {
    char *next, *end;        /* free bytes of the current block */
    struct pxi_block *block; /* current; older ones behind prev */
    struct pxi_block *spare; /* released, for reuse */
    const prax_alloc *alloc;
    size_t held;     /* bytes taken from the allocator */
    size_t max;      /* bytes that may be held; 0 = no limit */
    uint32_t serial; /* grows with every release: a mark older than it is stale */
    bool full;       /* an allocation failed since the last clear */
    bool over;       /* it failed because of max, not for want of memory */
    bool large;      /* set by who fills it with one thing of many megabytes */
};

struct pxi_mark {
    struct pxi_block *block;
    char *next;
};

/* alloc NULL = malloc. The arena keeps the pointer. */
void pxi_arena_init(struct pxi_arena *a, const prax_alloc *alloc, size_t max);
/* Frees everything, spare blocks too. */
void pxi_arena_free(struct pxi_arena *a);

/* The slow half of pxi_arena_get: a further block. NULL and a->full when there is none. */
void *pxi_arena_grow(struct pxi_arena *a, size_t size, size_t align);

/* size bytes aligned to align (a power of two ≤ 16), not cleared. NULL and a->full when out. */
static inline void *pxi_arena_get(struct pxi_arena *a, size_t size, size_t align)
{
    uintptr_t p = ((uintptr_t)a->next + (align - 1)) & ~(uintptr_t)(align - 1);
    /* >=, so that 0 bytes of an arena that has no block yet are not NULL */
    if (__builtin_expect(p > (uintptr_t)a->end || size >= (uintptr_t)a->end - p, 0))
        return pxi_arena_grow(a, size, align);
    a->next = (char *)p + size;
    PXI_UNPOISON((void *)p, size);
    return (void *)p;
}

/* n items of size bytes, cleared; overflow counts as out of memory. */
void *pxi_arena_zero(struct pxi_arena *a, size_t n, size_t size);
/* A copy of size bytes with a NUL behind it. */
char *pxi_arena_text(struct pxi_arena *a, const char *text, size_t size);
void *pxi_arena_copy(struct pxi_arena *a, const void *p, size_t size);
/* Resizes the block's last allocation in place where it can, else copies. */
void *pxi_arena_extend(struct pxi_arena *a, void *p, size_t old_size, size_t size);

struct pxi_mark pxi_arena_mark(const struct pxi_arena *a);
/* Everything since the mark is free again; blocks go to the spare list. */
void pxi_arena_release(struct pxi_arena *a, struct pxi_mark m);

/* All that `from` holds becomes the newest part of `to`, as if it had been allocated there; from is
 * empty then. Both have one allocator. */
void pxi_arena_join(struct pxi_arena *to, struct pxi_arena *from);
/* Gives the blocks that hold nothing to another arena of the same allocator. */
void pxi_arena_lend(struct pxi_arena *to, struct pxi_arena *from);

/* malloc behind the prax_alloc interface. */
extern const prax_alloc pxi_malloc;

#endif

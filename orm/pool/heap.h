/* heap.h - the program's allocator, with a name for what it is used for.
 *
 * Everything that libprax itself allocates for a handle goes through one of these, so that counters
 * and the probes alloc and free see it: the SQLite driver's own mallocs are not among them. A heap
 * is handed on as a plain prax_alloc; its ctx is the heap.
 */
#ifndef PXI_POOL_HEAP_H
#define PXI_POOL_HEAP_H
#include <prax/alloc.h>
#include <stdbool.h>
#include <stddef.h>

struct pxi_heap {
    prax_alloc alloc; /* ctx = this heap, so it must not move */
    prax_alloc user;
    const char *purpose; /* "rows", "plans", ...: argument of the probes */
    bool arena;          /* its bytes are in the gauge arena_bytes */
};

void pxi_heap_init(struct pxi_heap *h, const prax_alloc *user, const char *purpose, bool arena);
/* Cleared memory, or NULL. */
void *pxi_heap_zero(const struct pxi_heap *h, size_t size);
/* p[n] of size bytes each to p[to], the new ones cleared; NULL: p is as it was. */
void *pxi_heap_grow(const struct pxi_heap *h, void *p, size_t n, size_t to, size_t size);
/* NULL is fine; size is what was asked for. */
void pxi_heap_free(const struct pxi_heap *h, void *p, size_t size);

#endif

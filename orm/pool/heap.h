/* heap.h - the program's allocator, with a name for what it is used for.
 *
 * Everything that libprax itself keeps for a handle goes through one of these, so that counters and
 * the probes alloc and free see it. What SQLite and libpq allocate is not among it, nor is what the
 * PostgreSQL driver keeps beside libpq, a thread's counters (usdt/stats.c) and what a driver made
 * of the URL. A heap is handed on as a plain prax_alloc; its ctx is the heap.
 */
#ifndef PXI_POOL_HEAP_H
#define PXI_POOL_HEAP_H
#include <prax/alloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pxi_heap {
    prax_alloc alloc; /* ctx = this heap, so it must not move */
    prax_alloc user;
    const char *purpose; /* "rows", "plans", ...: argument of the probes */
    uint32_t number;     /* the same as enum prax_purpose */
    bool arena;          /* its bytes are in the gauge arena_bytes */
};

/* purpose: one of usdt/purposes.def, else counted as "other"; user NULL: malloc. */
void pxi_heap_init(struct pxi_heap *h, const prax_alloc *user, const char *purpose, bool arena);
/* Cleared memory, or NULL. */
void *pxi_heap_zero(const struct pxi_heap *h, size_t size);
/* p[n] of size bytes each to p[to], the new ones cleared; NULL: p is as it was. */
void *pxi_heap_grow(const struct pxi_heap *h, void *p, size_t n, size_t to, size_t size);
/* NULL is fine; size is what was asked for. */
void pxi_heap_free(const struct pxi_heap *h, void *p, size_t size);

/* What all heaps of the process hold now, and the most they ever held. */
uint64_t pxi_heap_bytes(uint64_t *peak);
/* "rows", ...; "other" for 0 and numbers beyond enum prax_purpose. */
const char *pxi_heap_purpose(unsigned purpose);

#endif

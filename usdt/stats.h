/* stats.h - counters of this thread, for observers to read at any rate and at no cost to us.
 *
 * A thread adds to a block of its own: a load and a store, no locked instruction, no shared cache
 * line. Blocks are chained from the descriptor and are never freed, unlinked or cleared: a thread
 * that ends leaves its figures in place and its block to the next thread, which counts on from
 * there. So the sum over the list is exact at every moment, with nothing to fold, and a reader in
 * another process never meets a pointer that went bad.
 *
 * The first block of all, pxi_stats_base, has tid 0 for ever and is shared, with atomic adds, by
 * the threads that found no memory.
 *
 * A forked child counts on from its parent's figures, as it holds copies of its parent's objects.
 * Not for signal handlers: one that interrupts an add may lose it.
 */
#ifndef PXI_USDT_STATS_H
#define PXI_USDT_STATS_H
#include <prax/usdt.h>
#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

extern struct prax_stats pxi_stats_base;
extern __thread struct prax_stats *pxi_stats_mine __attribute__((tls_model("initial-exec")));

/* The first call of a thread: finds or makes its block. Never NULL. */
struct prax_stats *pxi_stats_claim(void);

/* Where the list begins: a field of the descriptor. */
uint64_t *pxi_abi_stats_head(void);

#pragma GCC visibility pop

/* The block of this thread; never NULL. Ask anew in every call of the library: it must not reach
 * another thread. Its tid is the thread's id (0 in the shared block). */
static inline struct prax_stats *pxi_stats_here(void)
{
    struct prax_stats *s = pxi_stats_mine;
    return __builtin_expect(s != NULL, 1) ? s : pxi_stats_claim();
}

/* The id of the thread whose block s is, which is pxi_stats_here(); 0 in the shared block. Others
 * read tid when they look for a free block, hence atomic. */
static inline uint32_t pxi_stats_tid(const struct prax_stats *s)
{
    return __atomic_load_n(&s->tid, __ATOMIC_RELAXED);
}

/* Whether s, which is pxi_stats_here(), has one writer: for several counters at once. */
static inline bool pxi_stats_is_own(const struct prax_stats *s)
{
    return __builtin_expect(pxi_stats_tid(s) != 0, 1);
}

/* counter is a member of such a block. */
/* NOLINTNEXTLINE(readability-non-const-parameter): it is written, by the builtins */
static inline void pxi_stats_bump(bool own, uint64_t *counter, uint64_t n)
{
    if (own) {
        uint64_t sum = __atomic_load_n(counter, __ATOMIC_RELAXED) + n;
        __atomic_store_n(counter, sum, __ATOMIC_RELAXED);
    } else {
        __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
    }
}

static inline void pxi_stats_add(const struct prax_stats *s, uint64_t *counter, uint64_t n)
{
    pxi_stats_bump(pxi_stats_is_own(s), counter, n);
}

/* The same for a gauge, which also goes down. */
static inline void pxi_stats_move(const struct prax_stats *s, int64_t *gauge, int64_t by)
{
    pxi_stats_add(s, (uint64_t *)gauge, (uint64_t)by);
}

/* Counts an error by its negative PRAX_E* code; one beyond the table counts as errors[0]. */
static inline void pxi_stats_error(struct prax_stats *s, int code)
{
    unsigned i = 0u - (unsigned)code;
    pxi_stats_add(s, &s->errors[i < PRAX_STATS_ERRORS ? i : 0], 1);
}

#endif

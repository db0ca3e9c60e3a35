/* stats.c - see stats.h. Invariants: a block's `next` and `size` are set before it is reachable and
 * never again; its counters are written only by the thread whose id is in `tid`; tid goes from 0 to
 * an id by compare-and-swap of the claimant and back by its owner alone. So nothing is locked, and
 * nothing can be left locked in a forked child.
 */
#include "usdt/stats.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CACHE_LINE = 64 }; /* blocks of two threads must not share one */

struct prax_stats pxi_stats_base __attribute__((aligned(CACHE_LINE))) = {
    .size = sizeof pxi_stats_base,
};
__thread struct prax_stats *pxi_stats_mine;

static struct {
    pthread_once_t once;
    pthread_key_t key; /* its destructor is how we learn that a thread ends */
    bool ready;        /* the key is there; atomic */
    int free_blocks;   /* at least as many as have tid 0; spares a growing program the walk */
} state = { .once = PTHREAD_ONCE_INIT };

/* The list holds addresses as numbers; the base block is its end. */
static struct prax_stats *block_at(uint64_t address)
{
    return (struct prax_stats *)(uintptr_t)address;
}

static struct prax_stats *first(void)
{
    return block_at(__atomic_load_n(pxi_abi_stats_head(), __ATOMIC_ACQUIRE));
}

static void release(struct prax_stats *s)
{
    __atomic_fetch_add(&state.free_blocks, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&s->tid, 0, __ATOMIC_RELEASE);
}

static void on_thread_exit(void *block)
{
    pxi_stats_mine = NULL; /* destructors that run after this one may claim again */
    release(block);
}

/* Of the parent's threads only this one lives on. */
static void on_fork(void)
{
    struct prax_stats *mine = pxi_stats_mine;
    int free_blocks = 0;
    for (struct prax_stats *s = first(); s != &pxi_stats_base; s = block_at(s->next)) {
        s->tid = s == mine ? (uint32_t)gettid() : 0;
        free_blocks += s != mine;
    }
    state.free_blocks = free_blocks;
}

static void prepare(void)
{
    if (pthread_key_create(&state.key, on_thread_exit) != 0)
        return;
    /* Without the handler a child's ids are its parent's, no worse. */
    (void)pthread_atfork(NULL, NULL, on_fork);
    __atomic_store_n(&state.ready, true, __ATOMIC_RELEASE);
}

/* A plug-in with the static library inside it may be unloaded while threads that used it live. */
__attribute__((destructor)) static void on_unload(void)
{
    if (__atomic_exchange_n(&state.ready, false, __ATOMIC_ACQ_REL))
        pthread_key_delete(state.key);
}

static struct prax_stats *reuse(uint32_t tid)
{
    if (__atomic_load_n(&state.free_blocks, __ATOMIC_RELAXED) <= 0)
        return NULL;
    for (struct prax_stats *s = first(); s != &pxi_stats_base; s = block_at(s->next)) {
        uint32_t nobody = 0;
        if (__atomic_compare_exchange_n(&s->tid, &nobody, tid, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            __atomic_fetch_sub(&state.free_blocks, 1, __ATOMIC_RELAXED);
            return s;
        }
    }
    return NULL;
}

static struct prax_stats *grow(uint32_t tid)
{
    size_t size = (sizeof(struct prax_stats) + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
    struct prax_stats *s = aligned_alloc(CACHE_LINE, size);
    if (!s)
        return NULL;
    memset(s, 0, size);
    s->size = sizeof *s;
    s->tid = tid;
    uint64_t *head = pxi_abi_stats_head();
    s->next = __atomic_load_n(head, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(head, &s->next, (uintptr_t)s, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        ;
    return s;
}

static struct prax_stats *own_block(void)
{
    pthread_once(&state.once, prepare);
    if (!__atomic_load_n(&state.ready, __ATOMIC_ACQUIRE))
        return NULL;
    uint32_t tid = (uint32_t)gettid();
    struct prax_stats *s = reuse(tid);
    if (!s)
        s = grow(tid);
    if (s && pthread_setspecific(state.key, s) != 0) {
        release(s);
        s = NULL;
    }
    return s;
}

struct prax_stats *pxi_stats_claim(void)
{
    struct prax_stats *s = own_block();
    return pxi_stats_mine = s ? s : &pxi_stats_base;
}

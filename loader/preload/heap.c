/* heap.c - the functions of the allocation family, in front of the C library's.
 *
 * Each calls the next one of its name (dlsym RTLD_NEXT: that of the C library, or of an allocator
 * that the program links as a library), counts, and lets record.c write an event: an allocation
 * after the block was given out, a free before it is taken back. valloc and the aligned ones are
 * calls of their own in the C library; its reallocarray and C++'s operators call realloc and
 * malloc, which are ours. (Allocators whose operators do not are not recorded from within: see
 * preload__look().)
 *
 * While the next functions are looked up, and before the C library is ready, blocks come from a
 * small piece of memory of our own, and are never given back.
 */
#include "loader/preload/preload.h"
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT      __attribute__((visibility("default"), noinline))
#define CALLER      ((const uint64_t *)__builtin_frame_address(0))
#define NOINLINE    __attribute__((noinline))
#define COLD        __attribute__((cold, noinline))
#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum { EARLY_SIZE = 1 << 16 };
static _Alignas(16) char early[EARLY_SIZE];
static size_t early_used;

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    void *(*reallocarray)(void *, size_t, size_t); /* the C library's; NULL: another's */
    int (*dlclose)(void *);
    size_t (*usable_size)(void *);
} next;
static bool looking; /* the next functions are being looked up */

static void find(void *function, const char *name)
{
    void *at = dlsym(RTLD_NEXT, name);
    memcpy(function, &at, sizeof at);
}

static const void *object_of(const void *function)
{
    Dl_info info;
    return function && dladdr(function, &info) ? info.dli_fbase : NULL;
}

/* The C library's calls realloc, which is ours; that of another allocator need not. */
static void find_reallocarray(void)
{
    void *at = dlsym(RTLD_NEXT, "reallocarray"), *libc = dlsym(RTLD_NEXT, "gnu_get_libc_version");
    if (at && object_of(at) == object_of(libc))
        memcpy(&next.reallocarray, &at, sizeof at);
}

static void find_next(void)
{
    looking = true;
    find(&next.calloc, "calloc");
    find(&next.realloc, "realloc");
    find(&next.free, "free");
    find(&next.posix_memalign, "posix_memalign");
    find(&next.aligned_alloc, "aligned_alloc");
    find(&next.memalign, "memalign");
    find(&next.valloc, "valloc");
    find(&next.pvalloc, "pvalloc");
    find(&next.dlclose, "dlclose");
    find(&next.usable_size, "malloc_usable_size");
    find_reallocarray();
    find(&next.malloc, "malloc");
    looking = false;
}

static inline bool ready(void)
{
    if (likely(next.malloc))
        return true;
    if (!looking)
        find_next();
    return next.malloc != NULL;
}

static void *early_alloc(size_t align, size_t size)
{
    size_t at = (early_used + align - 1) / align * align;
    if (size > EARLY_SIZE || at > EARLY_SIZE - size) {
        errno = ENOMEM;
        return NULL;
    }
    early_used = at + size;
    return early + at;
}

static inline bool is_early(const void *block)
{
    return (uintptr_t)block - (uintptr_t)early < EARLY_SIZE;
}

/* The thread's slot, if there is something to count; looks for ring and slot as long as there is
 * none. */
static inline struct heap_slot *slot_of_thread(void)
{
    struct heap_thread *t = &heap_thread;
    if (likely(t->slot))
        return t->slot;
    if (t->inside || t->begun)
        return NULL;
    if (!heap_ring)
        heap_record__begin();
    heap_record__thread();
    return t->slot;
}

/* One writer: the thread. The reader is another process. */
#define COUNT(counter, n) __atomic_store_n(&(counter), (counter) + (n), __ATOMIC_RELAXED)

static void *alloc_counted(const uint64_t *frame, void *block, size_t size)
{
    heap_thread.left -= (int64_t)size;
    if (heap_thread.left < 0)
        heap_record__alloc(frame, block, size);
    return block;
}

/* An allocation that failed, or the first of a thread, or of one that is not seen. */
static COLD void *alloc_seldom(const uint64_t *frame, void *block, size_t size)
{
    struct heap_slot *slot = slot_of_thread();
    if (!slot)
        return block;
    slot->bytes += block ? size : 0;
    slot->blocks += block != NULL;
    slot->failed += block == NULL;
    return alloc_counted(frame, block, size);
}

static NOINLINE void *alloc_chosen(const uint64_t *frame, void *block, size_t size)
{
    heap_record__alloc(frame, block, size);
    return block;
}

/* The event of an allocation; returns the block. What is seldom is called out of line and returns
 * the block as well, so that nothing has to be kept over it. */
static inline void *on_alloc(const uint64_t *frame, void *block, size_t size)
{
    struct heap_slot *slot = heap_thread.slot;
    if (unlikely(!slot || !block))
        return alloc_seldom(frame, block, size);
    COUNT(slot->bytes, size);
    COUNT(slot->blocks, 1);
    heap_thread.left -= (int64_t)size;
    return likely(heap_thread.left >= 0) ? block : alloc_chosen(frame, block, size);
}

/* The block was sampled, or is one that is followed from before there were samples. */
static bool is_wanted(void *block, uint64_t sampling)
{
    if (heap_sampled[heap_sampled__kind(block)] != 0 && heap_record__take_sampled(block))
        return true;
    return sampling & HEAP_FOLLOWS &&
           (pxb_is_followed((uintptr_t)block) ||
            (next.usable_size && next.usable_size(block) >= PXB_FOLLOW_SIZE));
}

/* A free whose block is recorded, or may be. */
static NOINLINE void free_perhaps(void *block)
{
    const uint64_t sampling = __atomic_load_n(&heap_ring->sampling, __ATOMIC_RELAXED);
    if (sampling == 0 || is_wanted(block, sampling))
        heap_record__free(block);
    next.free(block);
}

static COLD void free_seldom(void *block)
{
    if (!block || is_early(block) || !ready())
        return;
    struct heap_slot *slot = slot_of_thread();
    if (!slot) {
        next.free(block);
        return;
    }
    slot->frees++;
    free_perhaps(block);
}

EXPORT void *malloc(size_t size)
{
    if (!ready())
        return early_alloc(16, size);
    return on_alloc(CALLER, next.malloc(size), size);
}

EXPORT void *calloc(size_t n, size_t size)
{
    size_t all;
    bool fits = !__builtin_mul_overflow(n, size, &all);
    if (!ready())
        return fits ? early_alloc(16, all) : NULL; /* it begins as zeros, and is given out once */
    return on_alloc(CALLER, next.calloc(n, size), fits ? all : 0);
}

/* With a slot the thread has all that it needs. */
EXPORT void free(void *block)
{
    struct heap_slot *slot = heap_thread.slot;
    if (unlikely(!block || !slot || is_early(block))) {
        free_seldom(block);
        return;
    }
    slot->frees++;
    const uint64_t sampling = __atomic_load_n(&heap_ring->sampling, __ATOMIC_RELAXED);
    if (unlikely((int64_t)sampling <= 0 || heap_sampled[heap_sampled__kind(block)])) {
        free_perhaps(block);
        return;
    }
    next.free(block);
}

static void *move_early(void *old, size_t size)
{
    void *block = malloc(size);
    size_t left = (size_t)(early + EARLY_SIZE - (char *)old);
    if (block)
        memcpy(block, old, size < left ? size : left);
    return block;
}

/* Exact: realloc keeps the block's first site, so both ends are told. */
static void *realloc_exact(const uint64_t *frame, struct heap_slot *slot, void *old, size_t size)
{
    heap_record__realloc_enter(old, size);
    void *block = next.realloc(old, size);
    if (block) {
        slot->bytes += size;
        slot->blocks++;
    }
    slot->frees += block || size == 0;
    slot->failed += !block && size;
    heap_record__realloc_exit(frame, block, size);
    return block;
}

static void *realloc_sampled(const uint64_t *frame, void *old, size_t size)
{
    if (is_wanted(old, __atomic_load_n(&heap_ring->sampling, __ATOMIC_RELAXED)))
        heap_record__free(old);
    void *block = next.realloc(old, size);
    if (block || size == 0)
        heap_thread.slot->frees++;
    return block || size ? on_alloc(frame, block, size) : NULL;
}

static inline void *realloc_at(const uint64_t *frame, void *old, size_t size)
{
    if (old && is_early(old))
        return move_early(old, size);
    if (!ready())
        return early_alloc(16, size);
    struct heap_slot *slot = slot_of_thread();
    if (slot && old && __atomic_load_n(&heap_ring->sampling, __ATOMIC_RELAXED))
        return realloc_sampled(frame, old, size);
    if (slot && old)
        return realloc_exact(frame, slot, old, size);
    return on_alloc(frame, next.realloc(old, size), size);
}

EXPORT void *realloc(void *old, size_t size)
{
    return realloc_at(CALLER, old, size);
}

EXPORT void *reallocarray(void *old, size_t n, size_t size)
{
    size_t all;
    if (ready() && next.reallocarray)
        return next.reallocarray(old, n, size);
    if (__builtin_mul_overflow(n, size, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc_at(CALLER, old, all);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
    if (!ready()) {
        void *block = early_alloc(align, size);
        if (block)
            *out = block;
        return block ? 0 : ENOMEM;
    }
    int error = next.posix_memalign(out, align, size);
    (void)on_alloc(CALLER, error ? NULL : *out, size);
    return error;
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    if (!ready())
        return early_alloc(align, size);
    return on_alloc(CALLER, next.aligned_alloc(align, size), size);
}

EXPORT void *memalign(size_t align, size_t size)
{
    if (!ready())
        return early_alloc(align, size);
    return on_alloc(CALLER, next.memalign(align, size), size);
}

EXPORT void *valloc(size_t size)
{
    if (!ready())
        return early_alloc(4096, size);
    return on_alloc(CALLER, next.valloc(size), size);
}

EXPORT void *pvalloc(size_t size)
{
    if (!ready())
        return early_alloc(4096, size);
    return on_alloc(CALLER, next.pvalloc(size), size);
}

/* What its code was is another's address afterwards. */
EXPORT int dlclose(void *library)
{
    (void)ready();
    heap_stack__closed();
    int error = next.dlclose(library);
    heap_stack__closed();
    return error;
}

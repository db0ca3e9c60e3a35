/* record.c - events of the heap into the ring; which of them, when sampling.
 *
 * Sampling is Poisson by bytes: the distance to the next sample is drawn from an exponential
 * distribution with mean `rate`, and each byte counts, so an allocation of S bytes is taken with
 * probability 1 - exp(-S / rate) whatever came before. The loader divides by that. A block that was
 * taken is kept in a set, so that its free is recorded too; all other frees are one look at a small
 * table of counters. A realloc is a free and an allocation of the new size.
 *
 * The loader may change the rate at any time. A distance that was drawn at the old rate is used up,
 * and the sample says at which rate it was drawn. Where every event was recorded before, each
 * thread goes over to samples at its next allocation; frees of blocks of before are told for those
 * that are followed (bpf/heap.h).
 *
 * A thread counts every event in its slot, also those that are not recorded: totals are exact.
 * While it is in here its slot is away, so what this library allocates itself is not counted.
 */
#include "loader/preload/preload.h"
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLED_SIZE = 1 << 16, WAIT_NS = 100000, EVENT_NS_MAX = 20000 };

struct heap_ring *heap_ring;
uint32_t heap_pid;
__thread struct heap_thread heap_thread __attribute__((tls_model("initial-exec")));
uint8_t heap_sampled[1 << 14];
static void *sampled[SAMPLED_SIZE]; /* open addressing; NULL: free, GONE: was taken out */
static size_t n_sampled, n_gone;
static char sampled_lock;
static pthread_key_t at_thread_end;
#define GONE ((void *)1)

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the ring ----------------------------------------------------------------------------------
 */

static uint64_t patience_ns(void)
{
    int error = errno;
    bool gone = kill((pid_t)heap_ring->reader, 0) && errno == ESRCH;
    errno = error;
    return (uint64_t)(gone ? HEAP_WAIT_GONE_MS : HEAP_WAIT_MAX_MS) * 1000000;
}

/* The thread looks at the reader's position only when what it knows of it is too old. */
static bool sees_room(uint64_t end)
{
    heap_thread.tail = __atomic_load_n(&heap_ring->tail, __ATOMIC_ACQUIRE);
    return end - heap_thread.tail <= HEAP_DATA_SIZE;
}

/* Waits until position `end` is less than the data's size ahead of the reader. */
static bool wait_for_room(uint64_t end)
{
    struct heap_ring *r = heap_ring;
    uint64_t since = 0, beat = 0;
    const uint64_t begun = now_ns();
    while (!sees_room(end)) {
        uint64_t now = now_ns(), last = __atomic_load_n(&r->beat, __ATOMIC_RELAXED);
        if (since == 0 || last != beat) {
            since = now;
            beat = last;
        }
        if (now - since > patience_ns())
            __atomic_store_n(&r->stopped, 1, __ATOMIC_RELAXED);
        if (__atomic_load_n(&r->stopped, __ATOMIC_RELAXED))
            return false;
        __atomic_fetch_add(&r->waits, since == now, __ATOMIC_RELAXED);
        const struct timespec pause = { 0, WAIT_NS };
        (void)nanosleep(&pause, NULL);
    }
    heap_thread.waited_ns += now_ns() - begun;
    return true;
}

static uint64_t word_of(size_t size)
{
    return (uint64_t)heap_pid << 16 | size;
}

void *heap_record__room(size_t size)
{
    struct heap_ring *r = heap_ring;
    const uint64_t whole = heap_ring__whole(size);
    if (__atomic_load_n(&r->stopped, __ATOMIC_RELAXED))
        return NULL;
    const uint64_t at = __atomic_fetch_add(&r->head, whole, __ATOMIC_RELAXED);
    if (at + whole - heap_thread.tail > HEAP_DATA_SIZE && !wait_for_room(at + whole))
        return NULL;
    uint64_t *word = (uint64_t *)(void *)(heap_ring__data(r) + (at & (HEAP_DATA_SIZE - 1)));
    __atomic_store_n(word, word_of(size) | HEAP_BUSY, __ATOMIC_RELAXED);
    return word + 1;
}

void heap_record__put(void *record, size_t size)
{
    __atomic_store_n((uint64_t *)record - 1, word_of(size), __ATOMIC_RELEASE);
}

/* ---- threads -----------------------------------------------------------------------------------
 */

/* xorshift64*; a number in (0, 1]. */
static double random_part(struct heap_thread *t)
{
    uint64_t x = t->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    t->random = x;
    return (double)((x * 0x2545F4914F6CDD1Dull >> 11) + 1) * 0x1p-53;
}

/* Draws the distance to the next sample at the rate in force; endless below 0 where every event is
 * recorded. */
static void draw_distance(struct heap_thread *t)
{
    const uint64_t sampling = __atomic_load_n(&heap_ring->sampling, __ATOMIC_RELAXED);
    t->epoch = HEAP_EPOCH(sampling);
    t->all = sampling == 0;
    if (t->all) {
        t->left = INT64_MIN / 2;
    } else if (HEAP_RATE(sampling) == HEAP_RATE_OFF) {
        t->left = INT64_MAX / 2;
    } else {
        t->left = (int64_t)(-log(random_part(t)) * (double)HEAP_RATE(sampling));
    }
}

static struct heap_slot *claim_slot(uint32_t tid)
{
    struct heap_ring *r = heap_ring;
    for (unsigned i = 0; i < HEAP_SLOTS; i++) {
        struct heap_slot *s = &r->slots[(tid + i) % HEAP_SLOTS];
        uint32_t nobody = 0;
        if (__atomic_compare_exchange_n(&s->owner, &nobody, tid, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return s;
    }
    __atomic_fetch_add(&r->untold, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void end_thread(void *slot)
{
    heap_thread.slot = NULL;
    heap_thread.begun = true; /* what destructors behind this one do is not seen */
    __atomic_store_n(&((struct heap_slot *)slot)->owner, 0, __ATOMIC_RELEASE);
}

void heap_record__thread(void)
{
    struct heap_thread *t = &heap_thread;
    if (t->inside || t->begun || !heap_ring)
        return;
    int error = errno;
    t->inside = t->begun = true;
    t->tid = (uint32_t)syscall(SYS_gettid);
    t->random = (now_ns() ^ (uint64_t)t->tid << 32) | 1;
    draw_distance(t);
    struct heap_slot *slot = claim_slot(t->tid);
    if (slot) {
        (void)pthread_setspecific(at_thread_end, slot);
        t->number = (uint32_t)(slot - heap_ring->slots);
    }
    t->slot = slot;
    t->inside = false;
    errno = error;
}

/* One thread is left, and it is another process's now. */
static void in_child(void)
{
    struct heap_thread *t = &heap_thread;
    heap_pid = (uint32_t)getpid();
    sampled_lock = 0;
    t->slot = NULL;
    t->begun = false;
    heap_stack__forked();
    __atomic_fetch_add(&heap_ring->processes, 1, __ATOMIC_RELAXED);
}

void heap_record__begin(void)
{
    static bool absent; /* not started by prax-bpf: nothing will ever be recorded */
    struct heap_thread *t = &heap_thread;
    if (absent || t->inside || !environ) /* NULL: the C library has not begun */
        return;
    const char *text = getenv(HEAP_RING_ENV);
    absent = !text;
    if (absent)
        return;
    t->inside = true;
    int error = errno;
    struct heap_ring *r = heap_ring__map((int)strtol(text, NULL, 10));
    if (r && r->magic == HEAP_RING_MAGIC && pthread_key_create(&at_thread_end, end_thread) == 0 &&
        pthread_atfork(NULL, NULL, in_child) == 0) {
        heap_pid = (uint32_t)getpid();
        __atomic_fetch_add(&r->processes, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&heap_ring, r, __ATOMIC_RELEASE);
    }
    errno = error;
    t->inside = false;
}

/* ---- the set of sampled blocks ------------------------------------------------------------------
 */

static void lock_sampled(void)
{
    while (__atomic_test_and_set(&sampled_lock, __ATOMIC_ACQUIRE))
        (void)nanosleep(&(struct timespec){ 0, 1000 }, NULL);
}

static void unlock_sampled(void)
{
    __atomic_clear(&sampled_lock, __ATOMIC_RELEASE);
}

/* The block's place, or the first that is free. */
static void **place_of(const void *block)
{
    size_t i = (uintptr_t)block >> 4;
    i = (i * 0x9E3779B97F4A7C15ull >> 40) % SAMPLED_SIZE;
    while (sampled[i] && sampled[i] != block)
        i = (i + 1) % SAMPLED_SIZE;
    return &sampled[i];
}

/* Without the places of blocks that were taken out, in place: they are put in again. */
static void sweep_sampled(void)
{
    static void *old[SAMPLED_SIZE];
    memcpy(old, sampled, sizeof old);
    memset(sampled, 0, sizeof sampled);
    n_gone = 0;
    for (size_t i = 0; i < SAMPLED_SIZE; i++) {
        if (old[i] && old[i] != GONE)
            *place_of(old[i]) = old[i];
    }
}

/* false: the set is full. Counters stop at 255 and stay there: then that kind is always looked up.
 */
static bool add_sampled(void *block)
{
    uint8_t *kind = &heap_sampled[heap_sampled__kind(block)];
    bool room = n_sampled < SAMPLED_SIZE / 2;
    lock_sampled();
    if (n_sampled + n_gone > SAMPLED_SIZE * 3 / 4)
        sweep_sampled();
    if (room) {
        *place_of(block) = block;
        n_sampled++;
        *kind = (uint8_t)(*kind + (*kind < UINT8_MAX));
    }
    unlock_sampled();
    return room;
}

bool heap_record__take_sampled(void *block)
{
    uint8_t *kind = &heap_sampled[heap_sampled__kind(block)];
    lock_sampled();
    void **at = place_of(block);
    bool found = *at == block;
    if (found) {
        *at = GONE;
        n_sampled--;
        n_gone++;
        *kind = (uint8_t)(*kind - (*kind < UINT8_MAX));
    }
    unlock_sampled();
    return found;
}

/* ---- events ------------------------------------------------------------------------------------
 */

struct inside {
    struct heap_slot *slot;
    int error;
};

static struct inside enter(void)
{
    struct inside in = { heap_thread.slot, errno };
    heap_thread.slot = NULL;
    heap_thread.inside = true;
    return in;
}

static void leave(struct inside in)
{
    heap_thread.inside = false;
    heap_thread.slot = in.slot;
    errno = in.error;
}

/* Clocks are read for one event in 64. */
static bool is_clocked(void)
{
    return (++heap_thread.events & 63) == 0;
}

/* What of a timed event was work: not the wait for room, and not what another thread or process had
 * the CPU for. */
static uint64_t own_time(uint64_t ns)
{
    ns -= heap_thread.waited_ns < ns ? heap_thread.waited_ns : ns;
    return ns < EVENT_NS_MAX ? ns : EVENT_NS_MAX;
}

/* frame NULL: without a stack. */
static void write_event(enum pxb_kind kind, uint8_t epoch, const uint64_t *frame, const void *block,
                        size_t size)
{
    struct inside in = enter();
    uint64_t since = is_clocked() ? now_ns() : 0;
    uint8_t end = PXB_END_NONE, phase = 0;
    uint64_t stack = frame ? heap_stack__take(frame, &end) : 0;
    uint64_t op = frame ? heap_stack__operation(&phase) : 0;
    const struct pxb_alloc event = { .head = { (uint16_t)kind, 0, heap_pid, now_ns() },
                                     .tid = heap_thread.tid,
                                     .phase = phase,
                                     .end = end,
                                     .epoch = epoch,
                                     .addr = (uint64_t)(uintptr_t)block,
                                     .size = size,
                                     .ustack = stack,
                                     .op = op };
    const size_t n = kind == PXB_FREE ? PXB_FREE_SIZE : sizeof event;
    void *record = heap_record__room(n);
    if (record) {
        memcpy(record, &event, n);
        heap_record__put(record, n);
    }
    in.slot->events++;
    in.slot->waited_ns += heap_thread.waited_ns;
    if (since)
        in.slot->spent_ns += 64 * own_time(now_ns() - since);
    heap_thread.waited_ns = 0;
    leave(in);
}

/* Whether the allocation that left the thread below 0 is recorded; sets out for the next. */
static bool is_chosen(void *block, size_t size)
{
    struct heap_thread *t = &heap_thread;
    if (t->all && __atomic_load_n(&heap_ring->sampling, __ATOMIC_RELAXED) == 0)
        return true;
    struct inside in = enter();
    if (t->all) { /* the first allocation that may not be recorded */
        draw_distance(t);
        t->left -= (int64_t)size;
    }
    bool chosen = false;
    if (t->left < 0) {
        in.slot->samples += block != NULL;
        chosen = block && add_sampled(block);
    }
    leave(in);
    return chosen;
}

void heap_record__alloc(const uint64_t *frame, void *block, size_t size)
{
    struct heap_thread *t = &heap_thread;
    if (is_chosen(block, size))
        write_event(PXB_ALLOC, t->epoch, frame, block, size);
    if (!t->all && t->left < 0) {
        struct inside in = enter();
        draw_distance(t);
        leave(in);
    }
}

void heap_record__free(void *block)
{
    write_event(PXB_FREE, 0, NULL, block, 0);
}

void heap_record__realloc_enter(void *old, size_t size)
{
    write_event(PXB_REALLOC_ENTER, 0, NULL, old, size);
}

void heap_record__realloc_exit(const uint64_t *frame, void *block, size_t size)
{
    write_event(PXB_REALLOC_EXIT, 0, frame, block, size);
}

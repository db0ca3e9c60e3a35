/* preload.h - libprax-heap.so: what its parts share.
 *
 * The library is put in front of the C library (LD_PRELOAD) by `prax-bpf record --heap -- CMD`.
 * heap.c has the functions of the allocation family, record.c turns events into records of
 * bpf/record.h and writes them into the ring, stack.c has the tables and names stacks and
 * operations, walk.c walks by the same tables and steps as the BPF programs. All of it runs inside
 * malloc: nothing here may print, take a lock that malloc's callers may hold, or change errno. What
 * it allocates itself is not recorded: a thread that is inside has no slot.
 */
#ifndef LOADER_PRELOAD_PRELOAD_H
#define LOADER_PRELOAD_PRELOAD_H
#include "bpf/heap.h"
#include "bpf/unwind.h"
#include "loader/preload/ring.h"
#include <prax/usdt.h>

/* Of a thread; small, because a thread's stack holds it. left: bytes until the next sample; below 0
 * in exact mode, always. */
struct heap_thread {
    struct heap_slot *slot; /* NULL: inside, not begun, or nothing is recorded */
    int64_t left;
    bool inside, begun;
    bool all;      /* every event is recorded, as far as the thread knows */
    uint8_t epoch; /* of the rate that `left` was drawn at */
    bool walked;   /* its slot's kept frames are its own */
    uint32_t tid, events;
    uint32_t number; /* of the slot */
    uint64_t random;
    uint64_t waited_ns;                /* in the event at hand */
    uint64_t tail;                     /* the reader's position, as last seen */
    uint64_t stack_end;                /* of the thread's stack; 0: not asked yet */
    uint64_t stack_start;              /* its lowest address */
    uint64_t signal_start, signal_end; /* of the alternate stack, if the thread is on it */
};
extern __thread struct heap_thread heap_thread __attribute__((tls_model("initial-exec")));

/* ---- record.c ---- */

extern struct heap_ring *heap_ring; /* NULL: nothing is recorded */
extern uint32_t heap_pid;

/* Finds the ring, once the environment can be read. */
void heap_record__begin(void);
/* Gives the thread a slot, or not. */
void heap_record__thread(void);
/* frame: that of our function; [0] rbp of the caller, [1] return address. */
void heap_record__alloc(const uint64_t *frame, void *block, size_t size);
void heap_record__free(void *block);
void heap_record__realloc_enter(void *old, size_t size);
void heap_record__realloc_exit(const uint64_t *frame, void *block, size_t size);
/* Whether a block was sampled; drops it from the set. */
bool heap_record__take_sampled(void *block);
/* Reserves room in the ring; NULL: it is over. heap_record__put ends what it began. */
void *heap_record__room(size_t size);
void heap_record__put(void *record, size_t size);

/* How many sampled blocks have an address of that kind: 0 for nearly all. Blocks that are near each
 * other have counters that are, so those of a program that uses few stay in its caches. */
extern uint8_t heap_sampled[1 << 14];
static inline uint32_t heap_sampled__kind(const void *block)
{
    const uintptr_t at = (uintptr_t)block;
    return (uint32_t)(at >> 4 ^ at >> 18) & ((1 << 14) - 1);
}

/* ---- stack.c ---- */

/* The id of the caller's stack, sent if it is new; 0: none. *end: enum pxb_end. */
uint64_t heap_stack__take(const uint64_t *frame, uint8_t *end);
/* The id of the thread's operation of Prax, sent if it is new; 0: none. */
uint64_t heap_stack__operation(uint8_t *phase);
/* After a fork, in the child. */
void heap_stack__forked(void);
/* Libraries are about to go, or have gone: addresses mean something else now. */
void heap_stack__closed(void);

#endif

/* ring.h - the memory that the processes of a launched command share with the loader: records of
 * heap events in one direction, and a counter block for each thread.
 *
 * Many writers, one reader. A writer reserves room by adding to `head`, writes a word that says how
 * long the record is and who writes it, then the record, then the same word without BUSY. Positions
 * only grow; a position's place is position mod data_size, and the data is mapped twice in a row,
 * so no record is ever in two parts. The reader clears what it has read, so a word of 0 means that
 * nothing was written there yet. The order of positions is the order of events: an allocation is
 * written after the allocator gave the block out, a free before it is taken back.
 *
 * A writer that finds no room waits for the reader: nothing is lost as long as somebody reads. If
 * the reader does not move for HEAP_WAIT_MAX_MS, or has said `stopped`, it is gone, and the program
 * goes on without being recorded. A writer that dies in the middle leaves BUSY behind: the reader
 * passes over it when the process is gone, or after a while.
 *
 * The reader trusts nothing in here: sizes are checked, a record is copied before it is looked at,
 * and the file's size is sealed (memfd_create(2), F_SEAL_SHRINK).
 */
#ifndef LOADER_PRELOAD_RING_H
#define LOADER_PRELOAD_RING_H
#include "bpf/record.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The descriptor's number, inherited over fork and exec. */
#define HEAP_RING_ENV   "PRAX_BPF_HEAP_FD"
#define HEAP_RING_MAGIC 0x31504145485850ull /* "PXHEAP1" */

enum {
    HEAP_SLOTS = 4096,         /* threads at a time with counters of their own */
    HEAP_RECORD_MAX = 8192,    /* bytes; the largest is an operation's text */
    HEAP_DATA_SIZE = 32 << 20, /* bytes; a power of two: some 400,000 events */
    HEAP_HEADER_SIZE = 4096 + HEAP_SLOTS * 64,
    HEAP_WAIT_MAX_MS = 5000,
    HEAP_WAIT_GONE_MS = 50, /* if the reader's process is gone as well */
};
#define HEAP_BUSY (1ull << 63)

/* `sampling`: mean bytes between two samples, which rate of this recording it is, and whether every
 * event was recorded before: then blocks of that time are followed as bpf/heap.h says. */
#define HEAP_RATE(sampling)  ((sampling) & ((1ull << 48) - 1))
#define HEAP_EPOCH(sampling) ((uint8_t)((sampling) >> 48))
#define HEAP_FOLLOWS         (1ull << 63)
#define HEAP_RATE_OFF        ((1ull << 48) - 1) /* no more samples */

/* What a thread counts, with no atomic operation: one writer. Kept when the thread ends; the next
 * owner counts on. */
struct heap_slot {
    uint32_t owner; /* tid; 0: free */
    uint32_t failed;
    uint64_t bytes, blocks; /* given out, as asked for; each realloc counts as a block */
    uint64_t frees;         /* blocks given back, realloc's old ones included */
    uint64_t events;        /* recorded */
    uint64_t samples;       /* allocations among them, when sampling */
    uint64_t spent_ns;      /* recording; an estimate from one event in 64 */
    uint64_t waited_ns;     /* for room, exactly; not in spent_ns */
};

struct heap_ring {
    uint64_t magic;
    uint64_t sampling;          /* 0: every event is recorded; else see HEAP_RATE */
    uint64_t processes;         /* that took part */
    uint64_t untold;            /* threads that found no slot: their totals are missing */
    _Alignas(64) uint64_t tail; /* the reader's position */
    uint64_t beat;              /* grows with each look of the reader */
    uint64_t stopped;           /* 1: nothing is to be recorded any more */
    uint64_t reader;            /* pid */
    _Alignas(64) uint64_t head; /* the writers' position */
    uint64_t waits;             /* how often a writer found the ring full */
    _Alignas(4096) struct heap_slot slots[HEAP_SLOTS];
    /* at HEAP_HEADER_SIZE: data[HEAP_DATA_SIZE], mapped twice */
};
_Static_assert(sizeof(struct heap_slot) == 64, "a line of the cache");
_Static_assert(sizeof(struct heap_ring) == HEAP_HEADER_SIZE, "the data follows");

/* Maps the ring behind fd: header, data, data again. NULL: errno says why. */
struct heap_ring *heap_ring__map(int fd);
void heap_ring__unmap(struct heap_ring *r);

static inline char *heap_ring__data(struct heap_ring *r)
{
    return (char *)r + HEAP_HEADER_SIZE;
}

static inline uint64_t heap_ring__whole(uint64_t size)
{
    return (size + 7) / 8 * 8 + 8;
}

#endif

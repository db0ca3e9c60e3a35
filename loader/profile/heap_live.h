/* heap_live.h - the table of live blocks.
 *
 * Open addressing, keyed by (process, address): 32 bytes a block, grown by half, in place, at three
 * quarters full: 43 to 64 bytes a live block. That works because a block's home is its hash scaled
 * to the table's size, so growing moves all of them up. Deleting shifts the cluster back: no
 * tombstones.
 */
#ifndef LOADER_PROFILE_HEAP_LIVE_H
#define LOADER_PROFILE_HEAP_LIVE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No allocator gives out more; a record that says so is a lie. */
#define BLOCK_SIZE_MASK ((UINT64_C(1) << 56) - 1)

struct block {
    uint64_t addr;                 /* 0: a free slot; no allocator returns it */
    uint64_t size : 56, epoch : 8; /* epoch: of the rate that it was sampled at; see heap_rate.c */
    uint64_t birth_ns;
    uint32_t process, site;
};

/* A block between the entry and the return of realloc. addr 0: it was not known. */
struct aside {
    struct block block;
    uint64_t wish; /* bytes asked for */
    uint32_t process, tid;
};

struct heap_live {
    struct block *slots; /* slots[capacity] */
    size_t count, capacity;
    struct aside *aside; /* aside[n_aside]: threads inside realloc, few */
    uint32_t n_aside;
    size_t aside_room;
    uint32_t *live_of; /* live_of[n_processes]: blocks, so that most exits need no scan */
    size_t n_processes;
};

/* The block's slot, or the free one where it would go. */
struct block *heap_live__slot(const struct heap_live *l, uint32_t process, uint64_t addr);
/* Makes room, in place: realloc moves a large table's pages, not its bytes. false: out of memory */
bool heap_live__grow(struct heap_live *l);
/* false: out of memory */
bool heap_live__put(struct heap_live *l, struct block b);
/* Frees a slot and moves back those behind it that would not be found across the gap. */
void heap_live__drop(struct heap_live *l, struct block *slot);
void heap_live__free(struct heap_live *l); /* l may be NULL */

#endif

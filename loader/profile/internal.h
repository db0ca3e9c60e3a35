/* internal.h - what the files of profile/ share: growth, interning, the parts of a profile's life.
 *
 * All arrays grow the same way: room for 16, then doubled whenever the count reaches a power of
 * two, so no capacity is kept. Slot 0 is zero and means "none".
 */
#ifndef LOADER_PROFILE_INTERNAL_H
#define LOADER_PROFILE_INTERNAL_H
#include "loader/profile/profile.h"
#include "orm/base/buf.h"

enum { PROFILE_FIRST = 16 }; /* items an array has room for at first */

struct profile_index {
    struct pxi_map modules, frames, stacks, ops, processes, cpu, queries, query_sites, heap_sites,
        texts;
    struct pxi_buf key; /* scratch of keys that are put together */
};

/* Where a profile keeps a table: offsets in struct profile, bytes of an item. */
struct profile_table {
    size_t items, count, size;
};
#define PROFILE_TABLE(name, n_name)                                                            \
    ((struct profile_table){ offsetof(struct profile, name), offsetof(struct profile, n_name), \
                             sizeof *((struct profile *)0)->name })

/* One more item, cleared, at the end of a table; NULL and p->broken: out of memory. */
void *profile__add(struct profile *p, struct profile_table t);
/* The index that a key was given, or next if it is new (*is_new). 0: out of memory. */
uint32_t profile__intern(struct profile *p, struct pxi_map *m, const void *key, size_t size,
                         uint32_t next, bool *is_new);

/* heap_shape.c. blocks of a sampled heap are parts of one until heap__round. */
void heap_shape__size(struct heap_shape *s, uint64_t size, uint64_t bytes, uint64_t blocks);
void heap_shape__life(struct heap_shape *s, uint64_t ns, uint64_t blocks);
/* Notes the figures if the last point is older than the step. */
void growth__note(struct growth *g, uint64_t ns, uint64_t bytes, uint64_t other);

/* heap_rate.c */
enum { HEAP_PARTS = 1024 }; /* of one block */
struct block;
struct heap_amount {
    uint64_t bytes, blocks; /* blocks in parts of one if heap__in_parts */
};
/* Until profile__finish. */
static inline bool heap__in_parts(const struct heap *h)
{
    return h->rate || h->thinned;
}
/* What a block stands for: itself, or all that were not sampled. The sampler takes it with
 * probability 1 - exp(-size / rate). */
struct heap_amount heap__amount(const struct heap *h, const struct block *b);
void heap__round(struct heap *h);
/* Of a heap that was thinned, at the end. */
void heap__bound(struct heap *h);
/* Of a block that was seen before there were samples, in the table: it stands for others now, or
 * leaves the table (true). */
bool heap__thin(struct heap *h, struct block *b);

/* heap.c */
/* To be called before the live values of a site change. */
void heap__settle(const struct heap *h, struct heap_site *s);
bool heap__init(struct heap *h);      /* false: out of memory */
void heap__free_live(struct heap *h); /* nothing more can be fed */
void heap__free(struct heap *h);
void heap__finish(struct heap *h, uint64_t end_ns);

#endif

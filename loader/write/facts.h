/* facts.h - sums over a profile that several writers show. */
#ifndef LOADER_WRITE_FACTS_H
#define LOADER_WRITE_FACTS_H
#include "loader/write/text.h"
#include "orm/base/json.h"

/* What is known of one operation, besides its query_stats. */
struct op_sum {
    const struct query_stats *stats;     /* NULL: none of it finished */
    uint64_t cpu, cpu_phase[PXB_PHASES]; /* samples */
    uint64_t heap_bytes, heap_blocks;    /* allocated while it ran */
};
/* sums[p->n_ops], for free(); [0] is what happened outside of operations. NULL: out of memory. */
struct op_sum *op_sums__make(const struct profile *p);
/* The operations that anything is known of, those with the most time first: indexes, *n of them,
 * for free(). NULL: out of memory. */
uint32_t *op_sums__order(const struct profile *p, const struct op_sum *sums, uint32_t *n);

/* Of all queries of a verb (-1: of all), what the program called, and what ran within that. */
struct query_sums {
    struct query_sum top, nested;
};
struct query_sums query_sums__of(const struct profile *p, int verb);

/* Heap sites with the same stack and operation, over processes and phases. Peaks of several sites
 * are summed: an upper bound where there is more than one. */
struct heap_group {
    uint32_t ustack, op;
    uint64_t total_bytes, total_blocks, live_bytes, live_blocks, max_bytes, gmax_bytes, lifetime_ns;
    uint64_t samples, sampled_bytes;                        /* see heap_group__error */
    uint64_t old_bytes, old_blocks, oldest_ns, youngest_ns; /* see struct heap_site */
};
/* The relative standard error of a group's figures; 0 where every event was seen. */
double heap_group__error(const struct profile *p, const struct heap_group *g);
/* groups[*n], for free(). by_op: one group an operation, ustack 0. NULL: out of memory. */
struct heap_group *heap_groups__make(const struct profile *p, bool by_op, uint32_t *n);
/* The same by what libprax allocated for; in `op` is the frame that names it, 0 = no such. */
struct heap_group *heap_groups__by_purpose(const struct profile *p, uint32_t *n);
/* "all", "orm", or NULL: profile_meta.with_heap. */
const char *heap_of__name(uint8_t with_heap);

/* Lost records by cause: calls visit for each that is not 0. */
void losses__each(const struct profile *p, void (*visit)(void *ctx, const char *cause, uint64_t n),
                  void *ctx);
/* "blog-server (pid 123)", "3 processes". */
void facts__target(struct pxi_buf *out, const struct profile *p);
uint64_t facts__duration(const struct profile *p); /* ns */
/* How much slower the recording made the processes, as a part of what they would have run without
 * it (0.05: 5 %): an estimate from hits and what a hit costs. < 0: not known. */
double facts__slowdown(const struct profile *p);
/* "exact", "probes", "sampled", "pages"; "none". */
const char *facts__heap_how(const struct profile *p);
/* Calls visit for each kind of event of the heap that was seen, and how often. */
void heap_hits__each(const struct profile *p,
                     void (*visit)(void *ctx, const char *what, uint64_t n), void *ctx);
/* User stacks of samples: whole ones, and all. */
uint64_t facts__whole_stacks(const struct profile *p, uint64_t *all);

/* As values of JSON, for a key that was written. */
void meta__json(struct pxi_json *j, const struct profile *p);
void queries__json(struct pxi_json *j, const struct profile *p);
void cpu__json(struct pxi_json *j, const struct profile *p);
void heap__json(struct pxi_json *j, const struct profile *p);
/* Members of that of the heap: sizes, lives, growth, memory. */
void heap_shape__json(struct pxi_json *j, const struct profile *p);
/* A stack's names, innermost first, at most max. */
void stack__json(struct pxi_json *j, const struct profile *p, uint32_t stack, unsigned max);

#endif

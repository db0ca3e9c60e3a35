/* plan.h - what is known of a statement once and for all: its text, its row program, its
 * fingerprint; and the cache that finds it by the shape of a call.
 *
 * The key of a plan is the shape: model, verb, which conditions with which operators, order,
 * columns; never a value. For raw SQL it is the text. Look-ups take no lock: a slot is written
 * once, hash before pointer, and plans live as long as the handle. The cache never forgets; when it
 * is full (PXI_PLANS_MAX shapes: somebody writes values into SQL text) further plans are built for
 * one call in the session's scratch memory and counted as misses.
 */
#ifndef PXI_QUERY_PLAN_H
#define PXI_QUERY_PLAN_H
#include "orm/driver/driver.h"
#include "orm/pool/heap.h"
#include <pthread.h>

enum {
    PXI_PLANS_MAX = 8192,   /* shapes of a large program: some hundred */
    PXI_PLAN_SLOTS = 16384, /* twice that: look-ups end after 1.5 slots */
};
#define PXI_PLAN_ONCE UINT32_MAX /* id of a plan that is not in the cache */

struct pxi_plan {
    const prax_model *model; /* NULL: raw SQL */
    const void *key;
    uint32_t key_size;
    uint32_t id; /* dense: index into each connection's statements */
    uint32_t sql_size;
    uint32_t values; /* parameters */
    const char *sql;
    uint64_t fingerprint;
    struct pxi_program program;
    const void *loaded; /* loaded[model->fields_size] of its rows */
    bool partial;       /* not all columns: rows are cleared first */
    uint32_t rows_hint; /* atomic: rows of the last lists */
};

struct pxi_dialect;
struct pxi_plan_slot {
    uint64_t hash;
    struct pxi_plan *plan; /* atomic; NULL = free */
};
struct pxi_plans {
    const struct pxi_dialect *dialect; /* whose statements */
    struct pxi_plan_slot *slots;       /* slots[PXI_PLAN_SLOTS] */
    pthread_mutex_t lock;              /* of what follows, and of writing slots */
    struct pxi_arena arena;
    uint32_t count;
    const struct pxi_heap *heap;
};

/* The dialect is the caller's to set, when it knows the database. */
bool pxi_plans_init(struct pxi_plans *c, const struct pxi_heap *heap);
void pxi_plans_free(struct pxi_plans *c);
/* NULL: the arena is full. */
struct pxi_plan *pxi_plan_copy(struct pxi_arena *a, const struct pxi_plan *plan);
/* NULL if there is none. Any thread, no lock. */
struct pxi_plan *pxi_plans_find(const struct pxi_plans *c, uint64_t hash, const void *key,
                                size_t size);
/* Copies a plan (made in scratch memory, key included) into the cache and gives it an id; another
 * thread's, if it was faster; the plan itself, with PXI_PLAN_ONCE, if the cache or memory is full.
 */
struct pxi_plan *pxi_plans_add(struct pxi_plans *c, uint64_t hash, struct pxi_plan *plan);

#endif

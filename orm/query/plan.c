/* plan.c - see plan.h. */
#include "orm/query/plan.h"
#include <string.h>

enum { SLOTS_BYTES = PXI_PLAN_SLOTS * sizeof(struct pxi_plan_slot) };

bool pxi_plans_init(struct pxi_plans *c, const struct pxi_heap *heap)
{
    memset(c, 0, sizeof *c);
    c->heap = heap;
    pthread_mutex_init(&c->lock, NULL);
    pxi_arena_init(&c->arena, &heap->alloc, 0);
    c->slots = pxi_heap_zero(heap, SLOTS_BYTES);
    return c->slots != NULL;
}

void pxi_plans_free(struct pxi_plans *c)
{
    pxi_arena_free(&c->arena);
    pxi_heap_free(c->heap, c->slots, SLOTS_BYTES);
    pthread_mutex_destroy(&c->lock);
}

static size_t slot_of(const struct pxi_plans *c, uint64_t hash, const void *key, size_t size)
{
    for (size_t i = hash;; i++) {
        const struct pxi_plan_slot *s = &c->slots[i & (PXI_PLAN_SLOTS - 1)];
        const struct pxi_plan *p = __atomic_load_n(&s->plan, __ATOMIC_ACQUIRE);
        if (!p || (s->hash == hash && p->key_size == size && memcmp(p->key, key, size) == 0))
            return i & (PXI_PLAN_SLOTS - 1);
    }
}

struct pxi_plan *pxi_plans_find(const struct pxi_plans *c, uint64_t hash, const void *key,
                                size_t size)
{
    return __atomic_load_n(&c->slots[slot_of(c, hash, key, size)].plan, __ATOMIC_ACQUIRE);
}

struct pxi_plan *pxi_plan_copy(struct pxi_arena *a, const struct pxi_plan *plan)
{
    struct pxi_plan *p = pxi_arena_copy(a, plan, sizeof *plan);
    size_t loaded_size = plan->model ? plan->model->fields_size : 0;
    if (!p)
        return NULL;
    p->key = pxi_arena_copy(a, plan->key, plan->key_size);
    p->sql = pxi_arena_text(a, plan->sql, plan->sql_size);
    p->program.out =
        pxi_arena_copy(a, plan->program.out, plan->program.n * sizeof *plan->program.out);
    p->loaded = pxi_arena_copy(a, plan->loaded, loaded_size);
    return p->key && p->sql && p->program.out && p->loaded ? p : NULL;
}

struct pxi_plan *pxi_plans_add(struct pxi_plans *c, uint64_t hash, struct pxi_plan *plan)
{
    plan->id = PXI_PLAN_ONCE;
    pthread_mutex_lock(&c->lock);
    struct pxi_plan_slot *s = &c->slots[slot_of(c, hash, plan->key, plan->key_size)];
    struct pxi_plan *mine = s->plan;
    if (!mine && c->count < PXI_PLANS_MAX) {
        struct pxi_mark mark = pxi_arena_mark(&c->arena);
        mine = pxi_plan_copy(&c->arena, plan);
        if (mine) {
            mine->id = c->count++;
            s->hash = hash;
            __atomic_store_n(&s->plan, mine, __ATOMIC_RELEASE);
        } else {
            pxi_arena_release(&c->arena, mark);
        }
    }
    pthread_mutex_unlock(&c->lock);
    return mine ? mine : plan;
}

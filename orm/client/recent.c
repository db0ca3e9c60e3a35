/* recent.c - the plans that a session used last.
 *
 * The plan of a request is found by its shape key, which has to be built and hashed. What a session
 * has just done it often does again, so it remembers the last plans by model, verb and key. Where
 * these and a word, the form, are all that a plan depends on, no key is built at all: only the
 * values are collected, in the order of the clauses. Elsewhere what is remembered is a guess, whose
 * key is compared before any other's.
 *
 * Plans live as long as the handle, so nothing here goes stale.
 */
#include "orm/client/client.h"

/* The columns that an insert gives; 0: more than 64 columns, or none. */
static uint64_t given_bits(const struct pxi_request *r)
{
    uint64_t bits = 0;
    if (!r->given)
        return UINT64_MAX;
    for (unsigned i = 0; i < r->m->n_columns && r->m->n_columns <= 64; i++)
        bits |= (uint64_t)(r->given[i / 8] >> i % 8 & 1) << i;
    return bits;
}

/* A plan is fixed if model, verb, key and form are all that it depends on: gets and deletes by key,
 * inserts of one row by the columns that are given, updates by key by those that are set. Then it
 * is known without a shape key. */
static bool is_fixed(const struct pxi_request *r, uint64_t *form)
{
    *form = 0;
    switch (r->verb) {
    case PRAX_GET:
        return !r->select;
    case PRAX_DELETE:
        return true;
    case PRAX_CREATE:
        *form = given_bits(r);
        return *form != 0;
    case PRAX_UPDATE:
        *form = pxi_set_form(r->m, r->set);
        return *form != 0;
    default:
        return false;
    }
}

/* As the clauses would, in their order. */
static inline void fixed_values(struct pxi_shape *sh, const struct pxi_request *r, uint64_t form)
{
    if (r->verb == PRAX_UPDATE)
        pxi_set_values(sh, r->set, form);
    if (!r->key)
        return;
    const prax_key *k = &r->m->keys[r->by - 1];
    for (unsigned i = 0; i < k->n_columns; i++)
        pxi_key_value(sh, &r->m->columns[k->columns[i]], (const char *)r->key + k->offs[i]);
}

static inline struct pxi_recent *recent_of(prax_session *s, const struct pxi_request *r,
                                           uint64_t form)
{
    uintptr_t at = ((uintptr_t)r->m >> 5) + (uintptr_t)4 * r->by + r->verb +
                   (form * UINT64_C(0x9e3779b97f4a7c15) >> 60);
    return &s->recent[at % PXI_RECENT];
}

static inline bool is_same(const struct pxi_recent *a, const struct pxi_recent *b)
{
    return a->m == b->m && a->verb == b->verb && a->by == b->by && a->fixed == b->fixed &&
           a->form == b->form;
}

/* Not inlined: what it builds a key with would be in the way of what needs none. */
__attribute__((noinline)) static struct pxi_plan *
look_up(struct pxi_plans *plans, struct pxi_shape *sh, const struct pxi_request *r,
        struct pxi_recent *recent, struct pxi_recent *now, bool *cached)
{
    struct pxi_plan *guess = is_same(recent, now) ? recent->plan : NULL;
    now->plan = pxi_request_plan_near(plans, sh, r, guess, cached);
    if (now->plan && now->plan->id != PXI_PLAN_ONCE)
        *recent = *now;
    return now->plan;
}

/* What a session did last it often does again: no look-up, and where the plan is fixed no key. */
struct pxi_plan *pxi_op_plan(struct pxi_op *op, struct pxi_shape *sh, const struct pxi_request *r,
                             bool *cached)
{
    struct pxi_recent now = { .m = r->m, .verb = (uint16_t)r->verb, .by = (uint16_t)r->by };
    now.fixed = is_fixed(r, &now.form);
    struct pxi_recent *recent = recent_of(op->s, r, now.form);
    if (!now.fixed || !is_same(recent, &now))
        return look_up(&op->s->db->plans, sh, r, recent, &now, cached);
    fixed_values(sh, r, now.form);
    *cached = true;
    return __builtin_expect(sh->code, 0) ? NULL : recent->plan;
}

/* build.h - from a call to its plan: found by its shape, or built.
 *
 * A request is what all model verbs have in common: which clauses there are, and where in the
 * caller's structs they stand. pxi_request_plan runs the clauses once for key and values, and a
 * second time for the text only when nobody has asked for that shape before.
 */
#ifndef PXI_QUERY_BUILD_H
#define PXI_QUERY_BUILD_H
#include "orm/query/plan.h"
#include "orm/query/shape.h"

/* The rows that belong to many parents, ordered by them; see relation.c. */
struct pxi_group {
    const prax_model *parent;
    const prax_relation *relation; /* of the parent; its target is the request's model */
    const void *keys; /* JOIN: keys[n_keys] of the parents, of the C type of their id */
    uint32_t n_keys;
};

/* Where a row program puts the parent's key of a join table: behind the row, in the room of the
 * next one. */
enum { PXI_GROUP_KEY = 32 }; /* bytes: of the widest plain type, and to align it */
static inline size_t pxi_group_key_off(const prax_model *m)
{
    return (m->row_size + 7) & ~(size_t)7;
}

struct pxi_request {
    const prax_model *m;
    enum prax_verb verb;
    unsigned by;              /* key: 1 .. n_keys; 0 = none */
    const void *key;          /* M_key */
    const void *select;       /* M_fields; NULL = all */
    const void *where;        /* M_where; NULL = none */
    const void *set;          /* M_set */
    const uint32_t *order_by; /* order_by[PRAX_ORDER_MAX]; NULL = none */
    uint32_t take, skip;
    unsigned rows;        /* CREATE, CREATE_MANY: rows of one statement */
    bool skip_duplicates; /* CREATE_MANY */
    bool arrays; /* CREATE_MANY, GET: a value is the array of a column's values. PostgreSQL only.
                    GET: key is NULL, and behind the columns of each row that is found stands which
                    of the keys it has, counted from 1, as a BigInt */
    const struct pxi_group *group; /* FIND_MANY: take and skip count within a parent; or NULL */
    unsigned lock;                 /* PRAX_FOR_UPDATE and its bits */
    const uint8_t *given; /* CREATE, CREATE_MANY: bits of columns; NULL = all. CREATE returns the
                             others */
};

/* The values of CREATE and CREATE_MANY are put by the caller, row by row, the given columns of the
 * model in order; the others' come from here. Fails with what sh keeps in its code and error.
 * *cached: the plan was there already. NULL: sh->code. */
struct pxi_plan *pxi_request_plan(struct pxi_plans *plans, struct pxi_shape *sh,
                                  const struct pxi_request *r, bool *cached);
/* The same where a plan of the cache may well be the one: it is looked at first. NULL: none. */
struct pxi_plan *pxi_request_plan_near(struct pxi_plans *plans, struct pxi_shape *sh,
                                       const struct pxi_request *r, struct pxi_plan *guess,
                                       bool *cached);
/* How a column is read from a row. */
struct pxi_out pxi_out_of(const prax_column *c);
/* The same for raw SQL, by its text. plans NULL: for one use, and not kept. */
struct pxi_plan *pxi_raw_plan(struct pxi_plans *plans, struct pxi_shape *sh, const char *sql,
                              size_t size, bool *cached);

/* The pieces that relation.c shares: a whole statement, and its columns in the second run. */
void pxi_clause_groups(struct pxi_shape *sh, const struct pxi_request *r);
void pxi_request_columns(struct pxi_shape *sh, const struct pxi_request *r);

#endif

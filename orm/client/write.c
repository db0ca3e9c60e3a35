/* write.c - the verbs that change rows of a model: update, delete and their _many. Their answer is
 * how many rows it were; create.c makes new ones. */
#include "orm/client/client.h"

struct pxi_plan *pxi_change_plan(struct pxi_op *op, struct pxi_shape *sh,
                                 const struct pxi_request *r, bool all, bool *cached)
{
    if (r->set && pxi_validate_set(sh, r->set) < 0)
        return NULL;
    struct pxi_plan *plan = pxi_op_plan(op, sh, r, cached);
    if (!plan || r->key || all != (sh->terms != 0))
        return plan;
    sh->code = pxi_op_fail(op, PRAX_EINVAL,
                           all ? ".where and .all = true; one of them is meant"
                               : "no condition; write .all = true for all rows");
    return NULL;
}

static int64_t change(struct pxi_op *op, const struct pxi_request *r, bool all)
{
    struct pxi_shape sh;
    bool cached;
    pxi_op_shape(op, &sh);
    struct pxi_plan *plan = pxi_change_plan(op, &sh, r, all, &cached);
    int rc = plan ? pxi_op_start_plan(op, &sh, plan, cached) : sh.code;
    return rc < 0 ? rc : pxi_op_change(op);
}

bool pxi_wants_version(const prax_model *m, const void *set)
{
    const char *at = set;
    return at && m->set_version_off != PRAX_NO_OFF &&
           ((const prax_opt_i64 *)(const void *)(at + m->set_version_off))->set;
}

int pxi_version_conflict(const struct pxi_op *op)
{
    return pxi_op_fail(op, PRAX_ECONFLICT, "the row has another version");
}

/* Nothing was changed: there is no such row, or it has another version. */
static int64_t check_version(struct pxi_op *op, const struct pxi_request *r)
{
    const prax_model *m = op->m;
    if (!pxi_wants_version(m, r->set))
        return 0;
    struct pxi_plan *plan = op->plan;
    struct pxi_request there = { .m = m, .verb = PRAX_EXISTS, .by = r->by, .key = r->key };
    pxi_op_finish(op);
    int64_t rc = pxi_op_scalar(op, &there, 0);
    pxi_op_show(op, plan); /* the operation is known by its update */
    return rc == 1 ? pxi_version_conflict(op) : rc;
}

static int64_t run(struct pxi_op *op, int64_t rc, const struct pxi_request *r, bool all)
{
    if (rc == 0)
        rc = pxi_op_may_write(op);
    if (rc == 0)
        rc = change(op, r, all);
    if (rc == 0 && r->key && r->set)
        rc = check_version(op, r);
    return pxi_op_end(op, rc, rc > 0 ? (uint64_t)rc : 0);
}

static int by_key(struct pxi_op *op, const prax_model *m, int rc, unsigned by)
{
    if (rc == 0 && (by == 0 || by > m->n_keys))
        return pxi_op_fail(op, PRAX_EINVAL, "no key was chosen");
    return rc;
}

static int by_where(struct pxi_op *op, int rc, const prax_many_head *a)
{
    if (rc == 0 && a->size == 0)
        return pxi_op_fail(op, PRAX_EINVAL, "arguments are not initialised: their size is 0");
    return rc;
}

int prax_gen_update(prax_session *s, const prax_model *m, const void *key, const void *set)
{
    struct pxi_op op;
    unsigned by = *(const unsigned *)key;
    struct pxi_request r = { .m = m, .verb = PRAX_UPDATE, .by = by, .key = key, .set = set };
    int rc = by_key(&op, m, pxi_op_begin(&op, s, m, PRAX_UPDATE, NULL), by);
    return (int)run(&op, rc, &r, false);
}

int prax_gen_delete(prax_session *s, const prax_model *m, const void *key)
{
    struct pxi_op op;
    unsigned by = *(const unsigned *)key;
    struct pxi_request r = { .m = m, .verb = PRAX_DELETE, .by = by, .key = key };
    int rc = by_key(&op, m, pxi_op_begin(&op, s, m, PRAX_DELETE, NULL), by);
    return (int)run(&op, rc, &r, false);
}

int64_t prax_gen_update_many(prax_session *s, const prax_model *m, const void *args)
{
    struct pxi_op op;
    const prax_many_head *a = args;
    struct pxi_request r = { .m = m,
                             .verb = PRAX_UPDATE_MANY,
                             .where = (const char *)args + m->update_where_off,
                             .set = (const char *)args + m->update_set_off };
    int rc = by_where(&op, pxi_op_begin(&op, s, m, PRAX_UPDATE_MANY, NULL), a);
    return run(&op, rc, &r, a->all);
}

int64_t prax_gen_delete_many(prax_session *s, const prax_model *m, const void *args)
{
    struct pxi_op op;
    const prax_many_head *a = args;
    struct pxi_request r = { .m = m,
                             .verb = PRAX_DELETE_MANY,
                             .where = (const char *)args + m->delete_where_off };
    int rc = by_where(&op, pxi_op_begin(&op, s, m, PRAX_DELETE_MANY, NULL), a);
    return run(&op, rc, &r, a->all);
}

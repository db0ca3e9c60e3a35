/* typed.c - typed SQL at run time: raw SQL whose values are members of a struct that is described
 * as columns are, and whose rows are those of a model of its own. */
#include "orm/client/client.h"

/* A parameter's plain value; NULL: SQL NULL. */
static const char *value_in(const prax_column *c, const char *args)
{
    const char *at = args + c->row_off;
    unsigned opt_val = pxi_layout_of(c)->opt_val;
    const void *p;
    if (!(c->flags & PRAX_C_NULL))
        return at;
    if (opt_val)
        return *(const bool *)at ? at + opt_val : NULL;
    memcpy(&p, at, sizeof p);
    return p ? at : NULL;
}

static int put_param(struct pxi_shape *sh, const prax_column *c, const char *args)
{
    struct pxi_value *v = pxi_shape_value(sh);
    const char *value = value_in(c, args);
    *v = (struct pxi_value){ .kind = PXI_NULL, .type = c->type };
    if (!value)
        return 0;
    if (c->flags & PRAX_C_LIST) {
        const prax_list_i64 *list = (const void *)value; /* all are laid out alike */
        return pxi_value_array(sh, c, list->items, list->count, PXI_USE_WRITE, v);
    }
    return pxi_value_of(sh, c, value, PXI_USE_WRITE, v);
}

static const char *text_of(const struct pxi_op *op, const prax_query *q)
{
    bool postgres = op->s->db->plans.dialect->engine == PXI_POSTGRES;
    return postgres && q->postgres ? q->postgres : q->sql;
}

static int begin(struct pxi_op *op, prax_session *s, const prax_query *q, enum prax_verb verb,
                 struct pxi_shape *sh, const void *args)
{
    const size_t *size = args;
    int rc = pxi_op_begin(op, s, q->row, verb, NULL);
    pxi_op_shape(op, sh);
    if (rc < 0)
        return rc;
    if (!size || *size == 0)
        return pxi_op_fail(op, PRAX_EINVAL, "arguments are not initialised: their size is 0");
    for (unsigned i = 0; i < q->n_params && rc == 0; i++)
        rc = put_param(sh, &q->params[i], args);
    return rc;
}

const void *prax_gen_query_many(prax_session *s, const prax_query *q, const void *args)
{
    struct pxi_op op;
    struct pxi_shape sh;
    struct pxi_mark mark = pxi_arena_mark(&s->arena);
    prax_any_list *list = NULL;
    int rc = begin(&op, s, q, PRAX_RAW_QUERY, &sh, args);
    if (rc == 0 && !(list = pxi_arena_get(&s->arena, sizeof *list, 16)))
        rc = pxi_op_full(&op, &s->arena);
    const char *sql = text_of(&op, q);
    if (rc == 0)
        rc = pxi_raw_start_shape(&op, &sh, sql, strlen(sql), PXI_RAW_KEEP | PXI_RAW_ROWS);
    if (rc == 0)
        rc = pxi_read_mapped(&op, list);
    if (rc < 0)
        pxi_arena_release(&s->arena, mark);
    return pxi_op_end(&op, rc, rc == 0 && list ? list->count : 0) < 0 ? NULL : list;
}

const void *prax_gen_query_one(prax_session *s, const prax_query *q, const void *args)
{
    const prax_any_list *list = prax_gen_query_many(s, q, args);
    if (!list)
        return NULL;
    if (list->count == 0)
        pxi_error_plain(&s->err, PRAX_ENOTFOUND, "no such row");
    return list->count ? list->items : NULL;
}

int64_t prax_gen_query_exec(prax_session *s, const prax_query *q, const void *args)
{
    struct pxi_op op;
    struct pxi_shape sh;
    int64_t rc = begin(&op, s, q, PRAX_RAW_EXEC, &sh, args);
    if (rc == 0)
        rc = pxi_raw_exec(&op, &sh, text_of(&op, q));
    return pxi_op_end(&op, rc, rc > 0 ? (uint64_t)rc : 0);
}

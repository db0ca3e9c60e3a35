/* keep.c - a filter that outlives the block it was written in: the tables are enough to copy it. */
#include "orm/client/client.h"
#include <string.h>

struct where_list {
    const void *items;
    size_t count;
};

/* Text and blobs of one value in place; NULL stays. */
static void keep_value(prax_session *s, const prax_column *c, void *value)
{
    if (c->type == PRAX_T_String || c->type == PRAX_T_Numeric) {
        const char **text = value;
        if (*text)
            *text = prax_keep(s, *text, strlen(*text) + 1);
    } else if (c->type == PRAX_T_Bytes) {
        prax_bytes *b = value;
        if (b->data)
            b->data = prax_keep(s, b->data, b->size);
    } else if (c->type == PRAX_T_Json) {
        prax_json *j = value;
        if (j->text)
            j->text = prax_keep(s, j->text, j->size);
    }
}

static void keep_items(prax_session *s, const prax_column *c, prax_f_i64 *f)
{
    size_t size = pxi_layouts[c->type].size;
    prax_keep_list(s, f, size);
    for (uint32_t i = 0; i < f->n; i++)
        keep_value(s, c, (char *)f->list + i * size);
}

static void keep_filter(prax_session *s, const prax_column *c, char *filter)
{
    prax_f_i64 *f = (prax_f_i64 *)(void *)filter; /* every filter begins alike */
    switch (f->op) {
    case PRAX_OP_NONE:
    case PRAX_OP_NULL:
    case PRAX_OP_NOT_NULL:
        return;
    case PRAX_OP_IN:
    case PRAX_OP_NOT_IN:
    case PRAX_OP_HAS_ALL:
    case PRAX_OP_HAS_ANY:
    case PRAX_OP_LIST_EQ:
        keep_items(s, c, f);
        return;
    case PRAX_OP_PATH_EQ: {
        prax_f_json *j = (prax_f_json *)(void *)filter;
        if (j->path)
            j->path = prax_keep(s, j->path, strlen(j->path) + 1);
        if (j->value)
            j->value = prax_keep(s, j->value, strlen(j->value) + 1);
        return;
    }
    default:
        keep_value(s, c, &f->v);
        if (f->op == PRAX_OP_BETWEEN)
            keep_value(s, c, filter + pxi_layouts[c->type].filter_hi);
    }
}

static void keep_inside(prax_session *s, const prax_model *m, char *where, unsigned depth);

/* The conditions on a relation: one of to one, three of to many. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void keep_relation(prax_session *s, const prax_relation *r, char *at, unsigned depth)
{
    bool one = r->kind == PRAX_R_OWNER || r->kind == PRAX_R_ONE;
    const void **wheres = (const void **)(void *)at;
    for (unsigned k = 0; k < (one ? 1 : 3) && !s->kept_error; k++) {
        if (!wheres[k])
            continue;
        char *copy = (char *)prax_keep(s, wheres[k], r->target->where_size);
        if (copy)
            keep_inside(s, r->target, copy, depth + 1);
        wheres[k] = copy;
    }
}

/* What a where that is ours already points to. */
/* Depth is bounded by PXI_FILTER_DEPTH. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void keep_inside(prax_session *s, const prax_model *m, char *where, unsigned depth)
{
    struct where_list *lists = (struct where_list *)(void *)where;
    if (depth > PXI_FILTER_DEPTH && !s->kept_error)
        s->kept_error = PRAX_ELIMIT;
    for (unsigned i = 0; i < m->n_columns && !s->kept_error; i++)
        keep_filter(s, &m->columns[i], where + m->where_off[i]);
    for (unsigned k = 0; k < 3 && !s->kept_error; k++) {
        size_t n = lists[k].count;
        if (n == 0)
            continue;
        if (n > PXI_FILTER_TERMS) {
            s->kept_error = PRAX_ELIMIT;
            return;
        }
        char *items = (char *)prax_keep(s, lists[k].items, n * m->where_size);
        for (size_t i = 0; items && i < n; i++)
            keep_inside(s, m, items + i * m->where_size, depth + 1);
        lists[k].items = items;
    }
    for (unsigned i = 0; i < m->n_relations && !s->kept_error; i++)
        keep_relation(s, &m->relations[i], where + m->relations[i].where_off, depth);
}

const void *prax_gen_keep_where(prax_session *s, const prax_model *m, const void *where)
{
    char *w = (char *)prax_keep(s, where, m->where_size);
    if (w)
        keep_inside(s, m, w, 0);
    return s->kept_error ? NULL : w;
}

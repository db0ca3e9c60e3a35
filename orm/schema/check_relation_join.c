/* check_relation_join.c - many to many: the table between two models, made by us.
 *
 * As Prisma makes it, so that its databases can be taken over: the table is called _AToB after the
 * models in byte order, or _name after the relation; column "A" holds the id of the first model's
 * row, "B" that of the second. Between a model and itself, A belongs to the field that comes first
 * in byte order.
 */
#include "orm/schema/check_relation.h"
#include <string.h>

/* What is left of a name when "_B_index" stands behind it. */
enum { JOIN_NAME_MAX = PXI_NAME_MAX - 8 };

static bool has_single_id(struct pxi_checker *k, const struct pxi_side *s)
{
    const struct pxi_model *m = s->model;
    if (m->keys.count == 0 || m->keys.items[0].kind != PXI_KEY_ID)
        return false; /* said elsewhere */
    uint32_t n = m->keys.items[0].columns.count;
    if (n > 1) { /* 0: it has a diagnostic */
        pxi_diag(k->diags, RELATION_JOIN_ID, s->relation->field.name.at, m->name.text,
                 pxi_check_number(k, n));
    }
    return n == 1;
}

static const char *table_name(struct pxi_checker *k, const struct pxi_side *a,
                              const struct pxi_side *b)
{
    if (a->relation->name)
        return pxi_concat(k->arena, "_", a->relation->name);
    return pxi_concat(k->arena, "_", a->model->name.text, "To", b->model->name.text);
}

static bool check_table_name(struct pxi_checker *k, const char *name, const struct pxi_side *a)
{
    const char *why = NULL;
    if (strlen(name) > JOIN_NAME_MAX) {
        why = "longer than 55 bytes, so that its index has no room for a name";
    } else if (strpbrk(name, "\n\t\r")) {
        why = "with a line end or a tab in it";
    }
    if (why)
        pxi_diag(k->diags, RELATION_JOIN_NAME, a->relation->field.name.at, name, why);
    return !why;
}

static void store(struct pxi_checker *k, struct pxi_side *s, const struct pxi_side *other,
                  const char *table, bool first)
{
    struct pxi_relation *r = s->relation;
    r->kind = PXI_RELATION_JOIN;
    r->on_delete = r->on_update = PXI_ACTION_CASCADE;
    r->join_table = table;
    r->join_own = first ? "A" : "B";
    r->join_other = first ? "B" : "A";
    r->join_first = first;
    uint16_t *own = pxi_list_add(k->arena, &r->columns);
    uint16_t *theirs = pxi_list_add(k->arena, &r->references);
    if (own && theirs) {
        *own = s->model->keys.items[0].columns.items[0];
        *theirs = other->model->keys.items[0].columns.items[0];
    }
}

void pxi_check_join(struct pxi_relation_job *job, struct pxi_side *a, struct pxi_side *b)
{
    struct pxi_checker *k = job->k;
    const char *first = a->model->name.text, *second = b->model->name.text;
    if (a->model == b->model) {
        first = a->relation->field.name.text;
        second = b->relation->field.name.text;
    }
    if (strcmp(first, second) > 0) {
        struct pxi_side *swap = a;
        a = b;
        b = swap;
    }
    bool own = has_single_id(k, a);
    if ((a->model != b->model && !has_single_id(k, b)) || !own)
        return;
    const char *table = table_name(k, a, b);
    if (!table || !check_table_name(k, table, a))
        return;
    const char *owner = pxi_concat(k->arena, "the join table of ", pxi_side_text(k, a));
    pxi_check_object(k, table, owner, a->relation->field.name.at);
    pxi_check_object(k, pxi_concat(k->arena, table, "_B_index"), owner, a->relation->field.name.at);
    store(k, a, b, table, true);
    store(k, b, a, table, false);
}

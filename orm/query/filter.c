/* filter.c - the tree of conditions of a where.
 *
 * A where is one struct: its lists any_of, all_of, none_of first, then a filter a column, of which
 * most are zero. The scan over their op bytes is all that an unused column costs.
 *
 * Meaning: conditions of a struct are joined by AND. any_of: one of its members holds; all_of: all
 * of them; none_of: none of them holds, where one that compares NULL does not hold (IS NOT TRUE,
 * not SQL's NOT). A member without conditions holds always; a list without members is no condition.
 */
#include "orm/base/json.h"
#include "orm/query/shape.h"
#include <string.h>

/* Every filter begins like this. */
struct head {
    uint8_t op;
    bool nocase;
    uint32_t n;
    union {
        char v[8];
        const void *list;
        const char *text;
    } u;
};
struct where_list {
    const void *items;
    size_t count;
};
enum { /* 0xffe0 to 0xffe2 are relation.c's */
       MARK_IN = 0xffe8,
       MARK_BEGIN = 0xfff0,
       MARK_END = 0xfff8
}; /* in a key, where an index of a column may stand */

static void key_u16(struct pxi_shape *sh, unsigned a, unsigned b)
{
    uint16_t two[2] = { (uint16_t)a, (uint16_t)b };
    pxi_shape_key(sh, two, sizeof two);
}

/* ---- which operators a type has ---- */

enum {
    EQUALITY = 1 << PRAX_OP_EQ | 1 << PRAX_OP_NE | 1 << PRAX_OP_IN | 1 << PRAX_OP_NOT_IN,
    ANY = 1 << PRAX_OP_NULL | 1 << PRAX_OP_NOT_NULL,
    ORDER = 1 << PRAX_OP_LT | 1 << PRAX_OP_LE | 1 << PRAX_OP_GT | 1 << PRAX_OP_GE |
            1 << PRAX_OP_BETWEEN,
    PATTERN = 1 << PRAX_OP_LIKE | 1 << PRAX_OP_CONTAINS | 1 << PRAX_OP_STARTS | 1 << PRAX_OP_ENDS,
    OPS_EQ = EQUALITY | ANY,
    OPS_ORD = OPS_EQ | ORDER,
    OPS_NUM = OPS_ORD,
    OPS_TEXT = OPS_ORD | PATTERN,
    OPS_PATH = ANY | 1 << PRAX_OP_PATH_EQ,
    OPS_LIST =
        ANY | 1 << PRAX_OP_HAS | 1 << PRAX_OP_HAS_ALL | 1 << PRAX_OP_HAS_ANY | 1 << PRAX_OP_LIST_EQ,
};
static const uint32_t type_ops[PRAX_TYPES] = {
#define PRAX_TYPE(schema, ctype, stem, null, ops, ...) [PRAX_T_##schema] = OPS_##ops,
#include <prax/types.def>
};

static bool check_op(struct pxi_shape *sh, const prax_column *c, const struct head *f)
{
    uint32_t ops = c->flags & PRAX_C_LIST ? (uint32_t)OPS_LIST : type_ops[c->type];
    if (f->op >= PXI_OPS || !(ops & 1u << f->op)) {
        pxi_shape_fail(sh, c, PRAX_EINVAL, "operator %u is none of this type", f->op);
    } else if (f->nocase && (c->type != PRAX_T_String || c->flags & PRAX_C_LIST)) {
        pxi_shape_fail(sh, c, PRAX_EINVAL, "nocase on a type without case");
    } else if (++sh->terms > PXI_FILTER_TERMS) {
        pxi_shape_fail(sh, NULL, PRAX_ELIMIT, "filter of more than %d conditions",
                       PXI_FILTER_TERMS);
    }
    return sh->code == 0;
}

/* ---- lists: one array, but for types that JSON, which is SQLite's array, cannot hold exactly ----
 */

static bool is_list(const struct head *f)
{
    return f->op == PRAX_OP_IN || f->op == PRAX_OP_NOT_IN;
}

static bool wants_padding(const struct pxi_shape *sh, const prax_column *c, const struct head *f)
{
    return is_list(f) && !sh->d->item[c->type] &&
           (c->type == PRAX_T_Bytes || c->type == PRAX_T_Float);
}

/* The next power of two, so that few lengths make few plans; 0 stays 0. */
static uint32_t padded(uint32_t n)
{
    uint32_t to = n != 0;
    while (to < n)
        to *= 2;
    return to;
}

static void collect_padded(struct pxi_shape *sh, const prax_column *c, const struct head *f)
{
    size_t size = pxi_layouts[c->type].size;
    if (f->n > PXI_LIST_BLOBS) {
        pxi_shape_fail(sh, c, PRAX_ELIMIT, "list of more than %d items", PXI_LIST_BLOBS);
        return;
    }
    if (f->n && !f->u.list) {
        pxi_shape_fail(sh, c, PRAX_EINVAL, "list of %u without items", f->n);
        return;
    }
    for (uint32_t i = 0; i < padded(f->n) && !sh->code; i++) {
        uint32_t k = i < f->n ? i : f->n - 1;
        pxi_value_of(sh, c, (const char *)f->u.list + k * size, PXI_USE_EQUAL, pxi_shape_value(sh));
    }
}

static void write_padded(struct pxi_shape *sh, const prax_column *c, const struct head *f)
{
    pxi_sql_template(sh->sql, f->op == PRAX_OP_IN ? "@ IN (" : "@ NOT IN (", c);
    pxi_sql_params(sh->sql, padded(f->n));
    pxi_sql_add(sh->sql, ")");
}

/* ---- one condition ---- */

static enum pxi_use use_of(unsigned op)
{
    switch (op) {
    case PRAX_OP_LT:
    case PRAX_OP_GE:
    case PRAX_OP_BETWEEN:
        return PXI_USE_UP;
    case PRAX_OP_LE:
    case PRAX_OP_GT:
        return PXI_USE_DOWN;
    default:
        return PXI_USE_EQUAL;
    }
}

static void collect_path(struct pxi_shape *sh, const prax_column *c, const void *filter)
{
    const prax_f_json *f = filter;
    if (!f->path || !f->value) {
        pxi_shape_fail(sh, c, PRAX_EINVAL, "NULL pointer; prax_path_eq wants a path and JSON text");
        return;
    }
    size_t size = strnlen(f->value, PXI_VALUE_MAX), at;
    if (!pxi_json_check(f->value, size, &at)) {
        pxi_shape_fail(sh, c, PRAX_EINVAL, "the value is no JSON from byte %zu on", at);
        return;
    }
    pxi_value_path(sh, c, f->path, pxi_shape_value(sh));
    *pxi_shape_value(sh) = (struct pxi_value){
        .kind = PXI_TEXT, .type = PRAX_T_Json, .size = (uint32_t)size, .u.p = f->value
    };
}

static void collect(struct pxi_shape *sh, const prax_column *c, const struct head *f)
{
    switch (f->op) {
    case PRAX_OP_NULL:
    case PRAX_OP_NOT_NULL:
        break;
    case PRAX_OP_IN:
    case PRAX_OP_NOT_IN:
    case PRAX_OP_HAS_ALL:
    case PRAX_OP_HAS_ANY:
    case PRAX_OP_LIST_EQ:
        pxi_value_array(sh, c, f->u.list, f->n, PXI_USE_EQUAL, pxi_shape_value(sh));
        break;
    case PRAX_OP_HAS:
        pxi_value_array(sh, c, f->u.v, 1, PXI_USE_EQUAL, pxi_shape_value(sh));
        break;
    case PRAX_OP_LIKE:
    case PRAX_OP_CONTAINS:
    case PRAX_OP_STARTS:
    case PRAX_OP_ENDS:
        pxi_value_pattern(sh, c, f->u.text, f->op, f->nocase, pxi_shape_value(sh));
        break;
    case PRAX_OP_PATH_EQ:
        collect_path(sh, c, f);
        break;
    default:
        pxi_value_of(sh, c, f->u.v, use_of(f->op), pxi_shape_value(sh));
        if (f->op == PRAX_OP_BETWEEN) {
            pxi_value_of(sh, c, (const char *)f + pxi_layouts[c->type].filter_hi, PXI_USE_DOWN,
                         pxi_shape_value(sh));
        }
    }
}

/* i: what the key says of the column. */
static void condition(struct pxi_shape *sh, const prax_column *c, unsigned i, const struct head *f)
{
    bool pad = wants_padding(sh, c, f);
    if (sh->sql) {
        if (pad) {
            write_padded(sh, c, f);
        } else {
            pxi_sql_template(sh->sql, pxi_sql_compare(sh->d, c, f->op, f->nocase), c);
        }
        return;
    }
    if (!check_op(sh, c, f))
        return;
    if (!pxi_sql_compare(sh->d, c, f->op, f->nocase)) {
        pxi_shape_fail(sh, c, PRAX_EUNSUPPORTED, "this database has no such condition");
        return;
    }
    bool nocase = f->nocase && f->op != PRAX_OP_NULL && f->op != PRAX_OP_NOT_NULL;
    key_u16(sh, i, f->op | (unsigned)nocase << 8);
    if (pad) {
        key_u16(sh, padded(f->n), 0);
        collect_padded(sh, c, f);
    } else {
        collect(sh, c, f);
    }
}

void pxi_filter_in(struct pxi_shape *sh, const prax_column *c, const void *list, uint32_t n)
{
    struct head f = { .op = PRAX_OP_IN, .n = n, .u.list = list };
    condition(sh, c, MARK_IN, &f);
}

/* ---- the tree: recursion that PXI_FILTER_DEPTH bounds ---- */

static void add(struct pxi_shape *sh, const char *text)
{
    if (sh->sql)
        pxi_sql_add(sh->sql, text);
}

/* The members of a list, joined by `join`; k is which list. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void members(struct pxi_shape *sh, const struct where_list *l, unsigned k)
{
    static const char *const before[] = { "(", "(", "(" };
    static const char *const join[] = { " OR ", " AND ", " OR " };
    static const char *const after[] = { ")", ")", ") IS NOT TRUE" };
    if (++sh->depth > PXI_FILTER_DEPTH) {
        pxi_shape_fail(sh, NULL, PRAX_ELIMIT, "filter nested deeper than %d", PXI_FILTER_DEPTH);
        return;
    }
    if (!sh->sql)
        key_u16(sh, MARK_BEGIN + k, (unsigned)l->count);
    add(sh, before[k]);
    for (size_t i = 0; i < l->count && !sh->code; i++) {
        add(sh, i ? join[k] : "");
        pxi_filter_struct(sh, (const char *)l->items + i * sh->m->where_size, "TRUE");
    }
    add(sh, after[k]);
    sh->depth--;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void lists(struct pxi_shape *sh, const char *where, bool *any)
{
    const struct where_list *l = (const struct where_list *)(const void *)where;
    for (unsigned k = 0; k < 3 && !sh->code; k++) {
        if (l[k].count == 0)
            continue;
        if (l[k].count > PXI_FILTER_TERMS) {
            pxi_shape_fail(sh, NULL, PRAX_ELIMIT, "filter of more than %d conditions",
                           PXI_FILTER_TERMS);
            return;
        }
        if (!l[k].items) {
            pxi_shape_fail(sh, NULL, PRAX_EINVAL, "list of filters without items");
            return;
        }
        add(sh, *any ? " AND " : "(");
        *any = true;
        sh->conditional = true;
        members(sh, &l[k], k);
    }
}

/* NOLINTNEXTLINE(misc-no-recursion) */
void pxi_filter_struct(struct pxi_shape *sh, const char *where, const char *empty)
{
    const uint16_t *off = sh->m->where_off;
    bool any = false;
    for (unsigned i = 0; i < sh->m->n_columns; i++) {
        const struct head *f = (const struct head *)(const void *)(where + off[i]);
        if (__builtin_expect(f->op == PRAX_OP_NONE, 1))
            continue;
        add(sh, any ? " AND " : "(");
        any = true;
        sh->conditional = true;
        condition(sh, &sh->m->columns[i], i, f);
    }
    if (sh->m->n_relations)
        pxi_filter_relations(sh, where, &any);
    lists(sh, where, &any);
    add(sh, any ? ")" : empty);
    if (!sh->sql)
        key_u16(sh, MARK_END, 0);
}

void pxi_clause_where(struct pxi_shape *sh, const void *where)
{
    if (!sh->sql) {
        pxi_filter_struct(sh, where, "");
    } else if (sh->conditional) {
        pxi_sql_add(sh->sql, " WHERE ");
        pxi_filter_struct(sh, where, "TRUE");
    }
}

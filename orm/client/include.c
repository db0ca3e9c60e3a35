/* include.c - rows of relations, read along with their parents: one statement a relation and level.
 *
 * The parents' keys go into one list; the rows that come back are hung under their parents by these
 * keys, which a hash table of the level's parents finds. Rows of one parent lie behind each other,
 * because that is the statement's first order, so a parent's list is a slice and nothing is copied.
 * A composite key is asked for column by column, which may bring rows of no parent; they are
 * dropped.
 *
 * A level is an operation of its own for observers, with the one above as its parent; it works on
 * the same connection. Statements of a level see what others have committed since the level above,
 * unless a transaction holds the moment.
 */
#include "orm/base/map.h"
#include "orm/client/client.h"
#include <string.h>

enum { NONE = 0 }; /* of an index + 1 */

/* What one relation of one level is about. */
struct level {
    const prax_model *m; /* of the parents */
    const prax_relation *r;
    const void *query; /* M_query of the target, or NULL */
    char *rows;        /* parents[count] */
    size_t count;
    uint32_t *slots; /* hash table: index + 1 into heads */
    size_t mask;
    struct head {
        uint32_t parent; /* the first one with this key */
        uint32_t count;  /* its rows */
        size_t first;
    } * heads;
    uint32_t n_heads;
    uint32_t *head_of; /* by parent: index + 1 */
};

static bool is_to_many(const prax_relation *r)
{
    return r->kind == PRAX_R_MANY || r->kind == PRAX_R_JOIN;
}

/* ---- keys ---- */

/* A column's plain value in a row; NULL: SQL NULL. */
static const char *value_in(const prax_column *c, const char *row)
{
    const char *at = row + c->row_off;
    const struct pxi_layout *l = &pxi_layouts[c->type];
    const void *p;
    if (!(c->flags & PRAX_C_NULL))
        return at;
    if (l->opt_val)
        return *(const bool *)at ? at + l->opt_val : NULL;
    memcpy(&p, at, sizeof p);
    return p ? at : NULL;
}

/* The bytes that make two values of a type equal. */
static void bytes_of(const prax_column *c, const char *value, const void **p, size_t *size)
{
    prax_bytes b;
    *p = value;
    *size = pxi_layouts[c->type].size;
    switch (c->type) {
    case PRAX_T_String:
    case PRAX_T_Numeric:
        memcpy(p, value, sizeof *p);
        *size = strlen(*p);
        break;
    case PRAX_T_Bytes:
        memcpy(&b, value, sizeof b);
        *p = b.data;
        *size = b.size;
        break;
    case PRAX_T_Decimal: /* stored at the column's scale, so the units say it all */
        *p = value + offsetof(prax_decimal, units);
        *size = sizeof(int64_t);
        break;
    default:
        break;
    }
}

static uint64_t hash_of(const prax_column *c, const char *value, uint64_t before)
{
    const void *p;
    size_t size;
    bytes_of(c, value, &p, &size);
    return (before ^ pxi_hash(p, size)) * 0x9e3779b97f4a7c15u;
}

static bool is_same(const prax_column *c, const char *a, const prax_column *d, const char *b)
{
    const void *p, *q;
    size_t p_size, q_size;
    if (!b)
        return false;
    bytes_of(c, a, &p, &p_size);
    bytes_of(d, b, &q, &q_size);
    return p_size == q_size && memcmp(p, q, p_size) == 0;
}

static const prax_column *own_column(const struct level *l, unsigned i)
{
    return &l->m->columns[l->r->columns[i]];
}

/* The slot of a key whose i-th value is get(i): its head, or free. */
static uint32_t *slot_of(const struct level *l, const char *const *values,
                         const prax_column *const *columns)
{
    uint64_t hash = 0;
    for (unsigned i = 0; i < l->r->n_columns; i++)
        hash = hash_of(columns[i], values[i], hash);
    for (size_t at = hash >> 32;; at++) {
        uint32_t *slot = &l->slots[at & l->mask];
        if (*slot == NONE)
            return slot;
        const char *parent = l->rows + (size_t)l->heads[*slot - 1].parent * l->m->row_size;
        bool same = true;
        for (unsigned i = 0; i < l->r->n_columns && same; i++) {
            same = is_same(columns[i], values[i], own_column(l, i),
                           value_in(own_column(l, i), parent));
        }
        if (same)
            return slot;
    }
}

enum { KEY_COLUMNS = 32 }; /* PXI_KEY_COLUMNS_MAX of the schema */

/* Sorts the parents by their keys: those without one have no rows. */
static bool collect_parents(struct level *l, struct pxi_arena *scratch)
{
    const char *values[KEY_COLUMNS];
    const prax_column *columns[KEY_COLUMNS];
    size_t size = 4;
    while (size < 2 * l->count)
        size *= 2;
    l->mask = size - 1;
    l->slots = pxi_arena_zero(scratch, size, sizeof *l->slots);
    l->heads = pxi_arena_get(scratch, l->count * sizeof *l->heads, 16);
    l->head_of = pxi_arena_zero(scratch, l->count, sizeof *l->head_of);
    if (!l->slots || !l->heads || !l->head_of)
        return false;
    for (size_t k = 0; k < l->count; k++) {
        bool null = false;
        for (unsigned i = 0; i < l->r->n_columns; i++) {
            columns[i] = own_column(l, i);
            values[i] = value_in(columns[i], l->rows + k * l->m->row_size);
            null |= values[i] == NULL;
        }
        if (null)
            continue;
        uint32_t *slot = slot_of(l, values, columns);
        if (*slot == NONE) {
            l->heads[l->n_heads] = (struct head){ .parent = (uint32_t)k };
            *slot = ++l->n_heads;
        }
        l->head_of[k] = *slot;
    }
    return true;
}

/* The i-th values of the keys of heads[from, to), one behind the other. */
static void *list_of(const struct level *l, unsigned i, uint32_t from, uint32_t to,
                     struct pxi_arena *scratch)
{
    const prax_column *c = own_column(l, i);
    size_t size = pxi_layouts[c->type].size;
    char *list = pxi_arena_get(scratch, (to - from) * size, 16);
    for (uint32_t k = from; list && k < to; k++) {
        memcpy(list + (k - from) * size,
               value_in(c, l->rows + (size_t)l->heads[k].parent * l->m->row_size), size);
    }
    return list;
}

/* ---- the statement ---- */

static bool is_empty(const void *p, size_t size)
{
    const char *bytes = p;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

struct where_list {
    const void *items;
    size_t count;
};

/* A M_where of the target: what the caller wants, and keys of these parents. */
static char *where_of(const struct level *l, uint32_t from, uint32_t to, struct pxi_arena *scratch)
{
    const prax_model *t = l->r->target;
    const char *wanted = l->query ? (const char *)l->query + t->query_where_off : NULL;
    char *where = pxi_arena_zero(scratch, 1, t->where_size);
    if (!where)
        return NULL;
    if (wanted && !is_empty(wanted, t->where_size))
        ((struct where_list *)(void *)where)[1] = (struct where_list){ wanted, 1 }; /* all_of */
    for (unsigned i = 0; i < l->r->n_columns && l->r->kind != PRAX_R_JOIN; i++) {
        prax_f_i64 *f = (void *)(where + t->where_off[l->r->references[i]]); /* all begin alike */
        f->op = PRAX_OP_IN;
        f->n = to - from;
        f->list = list_of(l, i, from, to, scratch);
        if (!f->list)
            return NULL;
    }
    return where;
}

/* Columns of the target that tell whose row it is are read in any case. */
static void add_references(const struct level *l, uint8_t *select)
{
    for (unsigned i = 0; select && l->r->kind != PRAX_R_JOIN && i < l->r->n_columns; i++) {
        unsigned c = l->r->references[i];
        select[c / 8] = (uint8_t)(select[c / 8] | 1u << c % 8);
    }
}

/* Where a row belongs: its head, or NULL. */
static struct head *head_of_row(const struct level *l, const char *row)
{
    const char *values[KEY_COLUMNS];
    const prax_column *columns[KEY_COLUMNS];
    for (unsigned i = 0; i < l->r->n_columns; i++) {
        if (l->r->kind == PRAX_R_JOIN) {
            columns[i] = own_column(l, i);
            values[i] = row + pxi_group_key_off(l->r->target);
        } else {
            columns[i] = &l->r->target->columns[l->r->references[i]];
            values[i] = value_in(columns[i], row);
        }
        if (!values[i])
            return NULL;
    }
    uint32_t slot = *slot_of(l, values, columns);
    return slot ? &l->heads[slot - 1] : NULL;
}

static int read_rows(struct pxi_op *op, struct level *l, struct pxi_rows *rows)
{
    int rc;
    while ((rc = pxi_op_step(op)) == 1) {
        pxi_op_phase(op, PRAX_PHASE_MAP);
        rc = pxi_rows_next(op, rows);
        if (rc < 0)
            return rc;
        struct head *h = head_of_row(l, rows->items + (rows->count - 1) * rows->size);
        if (!h || (h->count && !is_to_many(l->r))) {
            rows->count--;
        } else {
            if (h->count++ == 0)
                h->first = rows->count - 1;
        }
        pxi_op_phase(op, PRAX_PHASE_EXECUTE);
    }
    return rc;
}

/* The rows of the parents of heads[from, to). */
static int read_some(struct pxi_op *op, struct level *l, uint32_t from, uint32_t to,
                     struct pxi_rows *rows)
{
    struct pxi_arena *scratch = &op->s->scratch;
    struct pxi_shape sh;
    struct pxi_request r = { .m = l->r->target, .verb = PRAX_FIND_MANY };
    struct pxi_group group = { .parent = l->m, .relation = l->r, .n_keys = to - from };
    if (l->query)
        r = pxi_request_of(op, l->query);
    r.where = where_of(l, from, to, scratch);
    if (!l->query)
        r.select = pxi_op_select(op, NULL, NULL);
    add_references(l, (uint8_t *)r.select);
    if (l->r->kind == PRAX_R_JOIN) {
        group.keys = list_of(l, 0, from, to, scratch);
        if (!group.keys)
            return pxi_op_full(op, scratch);
    }
    bool one = to - from == 1; /* parent: its rows need no order by parents */
    if (l->r->kind == PRAX_R_JOIN || (is_to_many(l->r) && !one))
        r.group = &group;
    if (!r.where)
        return pxi_op_full(op, scratch);
    pxi_op_shape(op, &sh);
    int rc = pxi_op_start(op, &sh, &r);
    if (rc == 0 && !rows->items)
        rc = pxi_rows_begin(op, rows, 0);
    if (rc == 0)
        rc = read_rows(op, l, rows);
    pxi_op_finish(op);
    return rc;
}

/* SQLite has no array of these, so a list of them is as many parameters. */
static uint32_t chunk_of(const struct pxi_op *op, const struct level *l)
{
    bool arrays = true;
    for (unsigned i = 0; i < l->r->n_columns; i++) {
        unsigned type = own_column(l, i)->type;
        arrays &=
            op->s->db->plans.dialect->item[type] || (type != PRAX_T_Bytes && type != PRAX_T_Float);
    }
    return arrays ? UINT32_MAX : PXI_LIST_BLOBS;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static int read_level(struct pxi_op *op, struct level *l, struct pxi_rows *rows)
{
    uint32_t chunk = chunk_of(op, l);
    int rc = 0;
    for (uint32_t from = 0; rc == 0 && from < l->n_heads;) {
        uint32_t to = l->n_heads - from > chunk ? from + chunk : l->n_heads;
        rc = read_some(op, l, from, to, rows);
        from = to;
    }
    const char *q = l->query;
    if (rc == 0 && q && rows->items && rows->count) {
        rc = pxi_include(op, q + op->m->query_select_off, pxi_query_include(op->m, q), rows->items,
                         rows->count);
    }
    return rc;
}

/* ---- into the parents ---- */

static void hang(const struct level *l, unsigned relation, const struct pxi_rows *rows)
{
    unsigned bit = l->m->n_columns + relation;
    for (size_t k = 0; k < l->count; k++) {
        char *row = l->rows + k * l->m->row_size;
        const struct head *h = l->head_of[k] ? &l->heads[l->head_of[k] - 1] : NULL;
        bool found = h && h->count;
        const char *first = found ? rows->items + h->first * rows->size : NULL;
        prax_any_list list = { .items = first, .count = found ? h->count : 0, .total = -1 };
        if (is_to_many(l->r)) {
            memcpy(row + l->r->row_off, &list, sizeof list);
        } else {
            memcpy(row + l->r->row_off, &first, sizeof first);
        }
        uint8_t *loaded = (uint8_t *)row + l->m->loaded_off + bit / 8;
        *loaded = (uint8_t)(*loaded | 1u << bit % 8);
    }
}

/* The rows are written to. */
/* NOLINTBEGIN(misc-no-recursion, readability-non-const-parameter) */
static int include_one(const struct pxi_op *above, unsigned relation, const void *query,
                       char *items, size_t count)
/* NOLINTEND(misc-no-recursion, readability-non-const-parameter) */
{
    prax_session *s = above->s;
    struct level l = { .m = above->m,
                       .r = &above->m->relations[relation],
                       .query = query,
                       .rows = items,
                       .count = count };
    struct pxi_rows rows = { .size = l.r->target->row_size, .extra = PXI_GROUP_KEY };
    struct prax_op_record rec = { 0 };
    struct pxi_op op;
    uint64_t deadline_ns = s->watch.deadline_ns;
    struct pxi_mark mark = pxi_arena_mark(&s->scratch);
    int rc = pxi_op_begin(&op, s, l.r->target, PRAX_FIND_MANY, &rec);
    op.nested = true;
    s->watch.deadline_ns = deadline_ns; /* of the whole */
    if (rc == 0 && !collect_parents(&l, &s->scratch))
        rc = pxi_op_full(&op, &s->scratch);
    if (rc == 0)
        rc = read_level(&op, &l, &rows);
    if (rc == 0)
        hang(&l, relation, &rows);
    rc = (int)pxi_op_end(&op, rc, rc == 0 ? rows.count : 0);
    pxi_arena_release(&s->scratch, mark);
    return rc;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
int pxi_include(struct pxi_op *op, const void *select, const void *include, char *rows,
                size_t count)
{
    for (unsigned i = 0; i < op->m->n_relations; i++) {
        const void *query = pxi_include_of(op->m, i, include);
        if (!query && !pxi_has_bit(select, op->m->n_columns + i))
            continue;
        if (count > UINT32_MAX)
            return pxi_op_fail(op, PRAX_ELIMIT, "relations of more than 2^32 rows");
        pxi_op_phase(op, PRAX_PHASE_OTHER); /* the level has a record of its own */
        int rc = include_one(op, i, query, rows, count);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- what is asked for ---- */

static int check_query(const struct pxi_op *op, const prax_relation *r, const prax_query_head *q)
{
    if (q->size == 0) {
        return pxi_op_fail(op, PRAX_EINVAL, "include of %s is not initialised: its size is 0",
                           r->name);
    }
    if (q->total != PRAX_TOTAL_NONE) {
        return pxi_op_fail(op, PRAX_EINVAL,
                           "include of %s asks for a total; count its rows by themselves", r->name);
    }
    if (q->lock) {
        return pxi_op_fail(op, PRAX_EINVAL, "include of %s locks; lock its rows by themselves",
                           r->name);
    }
    if (!is_to_many(r) && (q->take || q->skip)) {
        return pxi_op_fail(op, PRAX_EINVAL, "include of %s has take or skip, and is one row",
                           r->name);
    }
    return 0;
}

/* Depth is bounded by PXI_INCLUDE_DEPTH, also of queries that include themselves. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static int check_tree(const struct pxi_op *op, const prax_model *m, const void *select,
                      const void *include, unsigned depth)
{
    int rc = 0;
    for (unsigned i = 0; i < m->n_relations && rc == 0; i++) {
        const prax_relation *r = &m->relations[i];
        const char *q = pxi_include_of(m, i, include);
        if (!q && !pxi_has_bit(select, m->n_columns + i))
            continue;
        if (depth == PXI_INCLUDE_DEPTH) {
            return pxi_op_fail(op, PRAX_ELIMIT, "relations are included more than %d deep",
                               PXI_INCLUDE_DEPTH);
        }
        if (q && (rc = check_query(op, r, (const void *)q)) == 0) {
            rc = check_tree(op, r->target, q + r->target->query_select_off,
                            pxi_query_include(r->target, q), depth + 1);
        }
    }
    return rc;
}

int pxi_include_check(const struct pxi_op *op, const void *select, const void *include)
{
    return check_tree(op, op->m, select, include, 0);
}

bool pxi_wants_relations(const prax_model *m, const void *select, const void *include)
{
    for (unsigned i = 0; i < m->n_relations; i++) {
        if (pxi_include_of(m, i, include) || pxi_has_bit(select, m->n_columns + i))
            return true;
    }
    return false;
}

const void *pxi_op_select_some(const struct pxi_op *op, const void *select, const void *include)
{
    const prax_model *m = op->m;
    bool any = false;
    uint8_t *bits = pxi_arena_zero(&op->s->scratch, 1, m->fields_size);
    for (unsigned i = 0; bits && i < m->n_columns; i++) {
        bool wanted = pxi_has_bit(select, i);
        any |= wanted;
        bits[i / 8] = (uint8_t)(bits[i / 8] | (unsigned)wanted << i % 8);
    }
    for (unsigned i = 0; bits && !any && i < m->n_columns; i++) {
        if (!(m->columns[i].flags & PRAX_C_OMIT))
            bits[i / 8] = (uint8_t)(bits[i / 8] | 1u << i % 8);
    }
    for (unsigned i = 0; bits && i < m->n_relations; i++) {
        const prax_relation *r = &m->relations[i];
        bool wanted = pxi_include_of(m, i, include) || pxi_has_bit(select, m->n_columns + i);
        for (unsigned k = 0; wanted && k < r->n_columns; k++)
            bits[r->columns[k] / 8] = (uint8_t)(bits[r->columns[k] / 8] | 1u << r->columns[k] % 8);
    }
    return bits;
}

/* build.c - see build.h. One function a verb writes its statement out of the clauses; what it runs
 * in the first run must be what it runs in the second.
 */
#include "orm/query/build.h"
#include "orm/base/map.h"
#include "orm/query/fingerprint.h"
#include "orm/query/scan.h"
#include <string.h>

/* What every key begins with. No padding: it is compared as bytes. */
struct key_head {
    const prax_model *m;
    uint8_t verb, by, page, flags;
    uint16_t rows, grouped;
    uint16_t order[PRAX_ORDER_MAX];
};
_Static_assert(sizeof(struct key_head) == 24, "no padding");

static uint8_t flags_of(const struct pxi_request *r)
{
    unsigned flags = r->lock << 4;
    flags |= r->skip_duplicates ? 1 : 0;
    flags |= r->select ? 2 : 0;
    flags |= r->given ? 4 : 0;
    flags |= r->arrays ? 8 : 0;
    return (uint8_t)flags;
}

static void put_head(struct pxi_shape *sh, const struct pxi_request *r)
{
    struct key_head h = {
        .m = r->m,
        /* one statement, whether its rows come at once or one by one */
        .verb = (uint8_t)(r->verb == PRAX_EACH ? PRAX_FIND_MANY : r->verb),
        .by = (uint8_t)r->by,
        .page = (uint8_t)((r->take != 0) | (r->skip != 0) << 1),
        .flags = flags_of(r),
        .rows = (uint16_t)r->rows,
        .grouped = r->group != NULL,
    };
    for (unsigned i = 0; r->order_by && i < PRAX_ORDER_MAX && r->order_by[i]; i++)
        h.order[i] = (uint16_t)r->order_by[i];
    pxi_shape_key(sh, &h, sizeof h);
    if (r->select)
        pxi_shape_key(sh, r->select, r->m->fields_size);
    if (r->given)
        pxi_shape_key(sh, r->given, r->m->fields_size);
}

/* ---- statements ---- */

static void add(struct pxi_shape *sh, const char *text)
{
    if (sh->sql)
        pxi_sql_add(sh->sql, text);
}

static void add_name(struct pxi_shape *sh, const char *name)
{
    if (sh->sql)
        pxi_sql_name(sh->sql, name);
}

static bool has_bit(const void *bits, unsigned i, bool none)
{
    return bits ? ((const uint8_t *)bits)[i / 8] >> i % 8 & 1 : none;
}

/* What columns a statement names: those that the bits say, or that they do not say. */
static void write_columns(struct pxi_shape *sh, const prax_model *m, const void *bits, bool wanted)
{
    bool first = true;
    for (unsigned i = 0; i < m->n_columns; i++) {
        if (has_bit(bits, i, true) != wanted)
            continue;
        pxi_sql_add(sh->sql, first ? "" : ", ");
        pxi_sql_name(sh->sql, m->columns[i].db_name);
        first = false;
    }
}

static void rest_of_query(struct pxi_shape *sh, const struct pxi_request *r)
{
    add(sh, " FROM ");
    add_name(sh, r->m->table);
    if (r->key)
        pxi_clause_key(sh, r->key, r->by);
    if (r->where)
        pxi_clause_where(sh, r->where);
    if (r->order_by)
        pxi_clause_order(sh, r->order_by);
    pxi_clause_page(sh, r->take, r->skip);
    if (r->lock)
        add(sh, sh->d->lock[r->lock >> 1]);
}

void pxi_request_columns(struct pxi_shape *sh, const struct pxi_request *r)
{
    write_columns(sh, r->m, r->select, true);
}

/* A parameter for the values of a key column. Whole numbers are cast as where there is one key; of
 * all else the server is told to take the column's own type, whatever that is in this database. The
 * subquery is not run: the planner folds it away. */
static void write_key_array(struct pxi_sql *q, const prax_model *m, const prax_column *c)
{
    if (q->d->cast[c->type]) {
        pxi_sql_template(q, "?~", c);
        return;
    }
    pxi_sql_template(q, "CASE WHEN false THEN ARRAY(SELECT @ FROM ", c);
    pxi_sql_name(q, m->table);
    pxi_sql_template(q, ") ELSE ? END", c);
}

static void write_key_name(struct pxi_sql *q, const char *before, unsigned i)
{
    pxi_sql_add(q, before);
    pxi_sql_add(q, "\"prax k");
    pxi_sql_number(q, i + 1);
    pxi_sql_add(q, "\"");
}

static void write_key_names(struct pxi_sql *q, const prax_key *k, const char *table)
{
    for (unsigned i = 0; i < k->n_columns; i++) {
        pxi_sql_add(q, i ? ", " : "");
        write_key_name(q, table, i);
    }
}

/* Many gets: for each key the statement of one. LATERAL with a limit leaves the planner no other
 * way than to look each key up as a single get does, however many there are and whatever it knows
 * of the table; OFFSET 0 hides how many there are, so that all executions have one plan. */
static void select_keys(struct pxi_shape *sh, const struct pxi_request *r)
{
    const prax_key *k = &r->m->keys[r->by - 1];
    struct pxi_sql *q = sh->sql;
    if (!q)
        return;
    pxi_sql_add(q, "SELECT \"prax row\".*, \"prax key\".\"prax i\" FROM (SELECT ");
    for (unsigned i = 0; i < k->n_columns; i++) {
        pxi_sql_add(q, i ? ", " : "");
        write_key_array(q, r->m, &r->m->columns[k->columns[i]]);
        write_key_name(q, " AS ", i);
    }
    pxi_sql_add(q, " OFFSET 0) AS \"prax keys\" CROSS JOIN LATERAL unnest(");
    write_key_names(q, k, "\"prax keys\".");
    pxi_sql_add(q, ") WITH ORDINALITY AS \"prax key\" (");
    write_key_names(q, k, "");
    pxi_sql_add(q, ", \"prax i\") CROSS JOIN LATERAL (SELECT ");
    write_columns(sh, r->m, r->select, true);
    pxi_sql_add(q, " FROM ");
    pxi_sql_name(q, r->m->table);
    for (unsigned i = 0; i < k->n_columns; i++) {
        pxi_sql_template(q, i ? " AND @ = " : " WHERE @ = ", &r->m->columns[k->columns[i]]);
        write_key_name(q, "\"prax key\".", i);
    }
    pxi_sql_add(q, " LIMIT 1) AS \"prax row\"");
}

static void select_rows(struct pxi_shape *sh, const struct pxi_request *r)
{
    if (r->group) {
        pxi_clause_groups(sh, r);
        return;
    }
    if (r->arrays) {
        select_keys(sh, r);
        return;
    }
    add(sh, "SELECT ");
    if (sh->sql)
        write_columns(sh, r->m, r->select, true);
    rest_of_query(sh, r);
}

static void count(struct pxi_shape *sh, const struct pxi_request *r)
{
    bool paged = r->take || r->skip;
    add(sh, r->verb == PRAX_EXISTS ? "SELECT 1"
            : paged                ? "SELECT count(*) FROM (SELECT 1"
                                   : "SELECT count(*)");
    rest_of_query(sh, r);
    add(sh, paged && r->verb == PRAX_COUNT ? ") AS page" : "");
}

static unsigned count_given(const struct pxi_request *r)
{
    unsigned n = 0;
    for (unsigned i = 0; i < r->m->n_columns; i++)
        n += has_bit(r->given, i, true);
    return n;
}

static void write_rows(struct pxi_shape *sh, unsigned rows, unsigned columns)
{
    pxi_sql_add(sh->sql, "VALUES (");
    for (unsigned i = 0; i < rows; i++) {
        pxi_sql_add(sh->sql, i ? "), (" : "");
        pxi_sql_params(sh->sql, columns);
    }
    pxi_sql_add(sh->sql, ")");
}

/* An enum may be the server's own type, whose name we do not know and no text is assigned to: the
 * column says what it is. The subselect is never run. */
static void write_array(struct pxi_shape *sh, const struct pxi_request *r, const prax_column *c)
{
    if (c->type != PRAX_T_Enum) {
        pxi_sql_param(sh->sql);
        pxi_sql_add(sh->sql, "::");
        pxi_sql_add(sh->sql, sh->d->item[c->type]);
        pxi_sql_add(sh->sql, "[]");
        return;
    }
    pxi_sql_add(sh->sql, "coalesce(");
    pxi_sql_param(sh->sql);
    pxi_sql_add(sh->sql, ", (SELECT array_agg(");
    pxi_sql_name(sh->sql, c->db_name);
    pxi_sql_add(sh->sql, ") FROM ");
    pxi_sql_name(sh->sql, r->m->table);
    pxi_sql_add(sh->sql, " WHERE FALSE))");
}

static void write_arrays(struct pxi_shape *sh, const struct pxi_request *r)
{
    bool first = true;
    pxi_sql_add(sh->sql, "SELECT * FROM unnest(");
    for (unsigned i = 0; i < r->m->n_columns; i++) {
        if (!has_bit(r->given, i, true))
            continue;
        pxi_sql_add(sh->sql, first ? "" : ", ");
        write_array(sh, r, &r->m->columns[i]);
        first = false;
    }
    pxi_sql_add(sh->sql, ")");
}

static void insert(struct pxi_shape *sh, const struct pxi_request *r)
{
    if (!sh->sql)
        return;
    unsigned columns = count_given(r);
    pxi_sql_add(sh->sql, "INSERT INTO ");
    pxi_sql_name(sh->sql, r->m->table);
    if (columns == 0) { /* and no row can conflict by what it gives */
        pxi_sql_add(sh->sql, " DEFAULT VALUES");
    } else {
        pxi_sql_add(sh->sql, " (");
        write_columns(sh, r->m, r->given, true);
        pxi_sql_add(sh->sql, ") ");
        if (r->arrays) {
            write_arrays(sh, r);
        } else {
            write_rows(sh, r->rows, columns);
        }
    }
    pxi_sql_add(sh->sql, r->skip_duplicates && columns ? " ON CONFLICT DO NOTHING" : "");
    if (r->verb == PRAX_CREATE && r->given) {
        pxi_sql_add(sh->sql, " RETURNING ");
        write_columns(sh, r->m, r->given, false);
    }
}

static void update(struct pxi_shape *sh, const struct pxi_request *r)
{
    add(sh, "UPDATE ");
    add_name(sh, r->m->table);
    add(sh, " SET ");
    pxi_clause_set(sh, r->set);
    if (r->key)
        pxi_clause_key(sh, r->key, r->by);
    if (r->where)
        pxi_clause_where(sh, r->where);
    pxi_clause_version(sh, r->set, r->key || sh->conditional ? " AND " : " WHERE ");
}

static void statement(struct pxi_shape *sh, const struct pxi_request *r)
{
    switch (r->verb) {
    case PRAX_CREATE:
    case PRAX_CREATE_MANY:
        insert(sh, r);
        break;
    case PRAX_UPDATE:
    case PRAX_UPDATE_MANY:
        update(sh, r);
        break;
    case PRAX_DELETE:
    case PRAX_DELETE_MANY:
        add(sh, "DELETE");
        rest_of_query(sh, r);
        break;
    case PRAX_COUNT:
    case PRAX_EXISTS:
        count(sh, r);
        break;
    default:
        select_rows(sh, r);
    }
}

/* ---- plans ---- */

/* Of a join table: behind the row. */
static struct pxi_out parent_key(const struct pxi_request *r)
{
    const prax_relation *rel = r->group->relation;
    const prax_column *c = &r->group->parent->columns[rel->columns[0]];
    return (struct pxi_out){ .off = (uint16_t)pxi_group_key_off(r->m),
                             .type = c->type,
                             .scale = c->scale,
                             .labels = c->enum_type,
                             .name = rel->join_own };
}

struct pxi_out pxi_out_of(const prax_column *c)
{
    return (struct pxi_out){ .off = c->row_off,
                             .type = c->type,
                             .null = (c->flags & PRAX_C_NULL) != 0,
                             .scale = c->scale,
                             .list = (c->flags & PRAX_C_LIST) != 0,
                             .labels = c->enum_type,
                             .name = c->db_name };
}

/* What the rows of a statement bring: the selected columns; of CREATE those that it did not give,
 * beside which the caller has the rest. */
static void put_program(struct pxi_shape *sh, const struct pxi_request *r, struct pxi_plan *p)
{
    const prax_model *m = r->m;
    struct pxi_out *out = pxi_arena_zero(sh->scratch, m->n_columns + 1u, sizeof *out);
    uint8_t *loaded = pxi_arena_zero(sh->scratch, 1, m->fields_size);
    bool create = r->verb == PRAX_CREATE;
    unsigned n = 0;
    if (!out || !loaded) {
        pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
        return;
    }
    for (unsigned i = 0; i < m->n_columns; i++) {
        const prax_column *c = &m->columns[i];
        bool brought = create ? !has_bit(r->given, i, true) : has_bit(r->select, i, true);
        if (brought || create)
            loaded[i / 8] = (uint8_t)(loaded[i / 8] | 1u << i % 8);
        if (!brought)
            continue;
        out[n++] = pxi_out_of(c);
    }
    p->loaded = loaded;
    p->partial = !create && n < m->n_columns;
    if (r->group && r->group->relation->kind == PRAX_R_JOIN)
        out[n++] = parent_key(r);
    p->program = (struct pxi_program){ out, n, m->row_size };
}

static struct pxi_plan *finish(struct pxi_plans *plans, struct pxi_shape *sh, uint64_t hash,
                               struct pxi_plan *p, const struct pxi_sql *q)
{
    if (!p || q->broken)
        pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
    if (!p || sh->code)
        return NULL;
    p->key = sh->key;
    p->key_size = sh->key_size;
    p->sql = q->text;
    p->sql_size = (uint32_t)q->size;
    p->values = q->params;
    p->fingerprint = pxi_fingerprint(q->text, q->size);
    p->id = PXI_PLAN_ONCE;
    return plans ? pxi_plans_add(plans, hash, p) : p;
}

static struct pxi_plan *build(struct pxi_plans *plans, struct pxi_shape *sh, uint64_t hash,
                              const struct pxi_request *r)
{
    struct pxi_plan *p = pxi_arena_zero(sh->scratch, 1, sizeof *p);
    struct pxi_sql q;
    if (!p) {
        pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
        return NULL;
    }
    pxi_sql_begin(&q, sh->d, sh->scratch);
    p->model = r->m;
    put_program(sh, r, p);
    sh->sql = &q;
    if (!sh->code)
        statement(sh, r);
    sh->sql = NULL;
    return finish(plans, sh, hash, p, &q);
}

struct pxi_plan *pxi_request_plan_near(struct pxi_plans *plans, struct pxi_shape *sh,
                                       const struct pxi_request *r, struct pxi_plan *guess,
                                       bool *cached)
{
    put_head(sh, r);
    statement(sh, r);
    *cached = false;
    if (__builtin_expect(sh->code != 0, 0))
        return NULL;
    if (guess && guess->key_size == sh->key_size &&
        memcmp(guess->key, sh->key, sh->key_size) == 0) {
        *cached = true;
        return guess;
    }
    uint64_t hash = pxi_hash(sh->key, sh->key_size);
    struct pxi_plan *p = pxi_plans_find(plans, hash, sh->key, sh->key_size);
    *cached = p != NULL;
    return __builtin_expect(p != NULL, 1) ? p : build(plans, sh, hash, r);
}

struct pxi_plan *pxi_request_plan(struct pxi_plans *plans, struct pxi_shape *sh,
                                  const struct pxi_request *r, bool *cached)
{
    return pxi_request_plan_near(plans, sh, r, NULL, cached);
}

/* ---- raw SQL ---- */

/* The text that the database gets: its own placeholders for the question marks. */
static int rewrite(struct pxi_shape *sh, const char *sql, size_t size, struct pxi_sql *q)
{
    struct pxi_marks marks;
    enum pxi_engine engine = sh->d->engine;
    size_t need = pxi_scan_marks(engine, sql, size, &marks, NULL, 0);
    if (engine == PXI_SQLITE && marks.doubled)
        return pxi_shape_fail(sh, NULL, PRAX_EUNSUPPORTED, "?? is an operator that SQLite has not");
    if (engine == PXI_POSTGRES && marks.dollars && marks.single)
        return pxi_shape_fail(sh, NULL, PRAX_EINVAL, "$1 beside ?: write ? for all values");
    if (engine == PXI_SQLITE || !(marks.single | marks.doubled)) {
        *q = (struct pxi_sql){ .text = pxi_arena_text(sh->scratch, sql, size), .size = size };
    } else {
        *q = (struct pxi_sql){ .text = pxi_arena_get(sh->scratch, need + 1, 1), .size = need };
        if (q->text) {
            pxi_scan_marks(engine, sql, size, &marks, q->text, need);
            q->text[need] = '\0';
        }
    }
    return q->text ? 0 : pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
}

static struct pxi_plan *build_raw(struct pxi_plans *plans, struct pxi_shape *sh, uint64_t hash,
                                  const char *sql, size_t size)
{
    struct pxi_plan *p = pxi_arena_zero(sh->scratch, 1, sizeof *p);
    struct pxi_sql q = { .text = NULL };
    if (!p || rewrite(sh, sql, size, &q) < 0)
        pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
    return finish(plans, sh, hash, p, &q);
}

struct pxi_plan *pxi_raw_plan(struct pxi_plans *plans, struct pxi_shape *sh, const char *sql,
                              size_t size, bool *cached)
{
    static const struct key_head head = { .verb = PRAX_RAW_QUERY };
    *cached = false;
    if (size > PXI_VALUE_MAX) {
        pxi_shape_fail(sh, NULL, PRAX_ELIMIT, "statement of more than %d bytes", PXI_VALUE_MAX);
        return NULL;
    }
    if (!plans)
        return build_raw(NULL, sh, 0, sql, size);
    pxi_shape_key(sh, &head, sizeof head);
    pxi_shape_key(sh, sql, size);
    if (sh->code)
        return NULL;
    uint64_t hash = pxi_hash(sh->key, sh->key_size);
    struct pxi_plan *p = pxi_plans_find(plans, hash, sh->key, sh->key_size);
    *cached = p != NULL;
    return p ? p : build_raw(plans, sh, hash, sql, size);
}

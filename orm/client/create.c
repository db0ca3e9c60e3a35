/* create.c - new rows: create and create_many.
 *
 * A column is given by the call, by a default that we compute, or by NULL; or it is left to the
 * database: an identity, dbgenerated, a generated column. create inserts what is given and builds
 * the row that it returns from the same values; RETURNING brings only what was left, because it
 * costs SQLite four times a plain insert. SQLite's row id is not left: it is inserted as NULL and
 * asked for by last_insert_rowid. Which columns are left is part of the shape.
 *
 * create_many sends rows that leave the same columns together: to SQLite 100 in one VALUES, to
 * PostgreSQL an array a column, unless a column is an array itself; many of them by COPY, which
 * knows no ON CONFLICT. It is all or nothing: one statement is that by itself, more of them are put
 * in a transaction; within one, a failure poisons the guard, which rolls back all of it.
 */
#include "orm/client/client.h"
#include "orm/query/fingerprint.h"
#include <string.h>

enum {
    CHUNK_ROWS = 100,     /* in one VALUES: twice the speed of one, more are slower again */
    CHUNK_VALUES = 32766, /* SQLite's limit of parameters; PostgreSQL's is 65535 */
    CHUNK_ARRAYS = 5000,  /* rows in arrays: some 100 KiB a column of values */
    COPY_ROWS = 5000, /* from here on COPY is faster, by 12 to 30 % at 20,000; slower at 1,000 */
    COPY_PIECE = 500, /* rows of values in memory at once */
    GIVEN_BYTES = 8192 / 8 /* columns of a model / 8: more than any database takes */
};

/* ---- what a new row gives a column ---- */

struct source {
    const void *src; /* of the column's plain type; NULL = SQL NULL */
    prax_time now;   /* of the whole call; .us = 0: not asked yet */
    prax_uuid uuid;
    prax_ulid ulid;
};

static bool is_null_pointer(const prax_column *c, const void *src)
{
    const void *p;
    if (pxi_layout_of(c)->opt_val != 0) /* not a pointer */
        return false;
    memcpy(&p, src, sizeof p);
    return p == NULL;
}

static int default_of(struct pxi_shape *sh, const prax_column *c, struct source *from)
{
    switch (c->def) {
    case PRAX_D_NOW:
        if (from->now.us == 0)
            from->now = prax_time_now();
        from->src = &from->now;
        return 0;
    case PRAX_D_UUID:
        from->uuid = prax_uuid_random();
        from->src = &from->uuid;
        return 0;
    case PRAX_D_ULID:
        from->ulid = prax_ulid_new();
        from->src = &from->ulid;
        return 0;
    case PRAX_D_VALUE:
        from->src = c->value;
        return 0;
    case PRAX_D_AUTO:
        from->src = NULL;
        return 0;
    default:
        from->src = NULL;
        return c->flags & PRAX_C_NULL ? 0
                                      : pxi_shape_fail(sh, c, PRAX_EINVAL, "a value is required");
    }
}

static int plain(struct pxi_shape *sh, const prax_column *c, const void *field, struct source *from)
{
    unsigned flags = c->flags & (PRAX_C_LIST | PRAX_C_NULL);
    bool null = is_null_pointer(c, field) && flags != PRAX_C_LIST; /* that is the empty list */
    from->src = null ? NULL : field;
    return null && !(c->flags & PRAX_C_NULL)
               ? pxi_shape_fail(sh, c, PRAX_EINVAL, "a value is required")
               : 0;
}

static int source_of(struct pxi_shape *sh, const prax_column *c, const char *row,
                     struct source *from)
{
    if (c->new_off == PRAX_NO_OFF)
        return default_of(sh, c, from);
    const char *field = row + c->new_off;
    if (c->flags & PRAX_C_PLAIN)
        return plain(sh, c, field, from);
    switch ((uint8_t)*field) {
    case PRAX_WR_NONE:
        return default_of(sh, c, from);
    case PRAX_WR_SET:
        from->src = field + pxi_layout_of(c)->write_v;
        return 0;
    case PRAX_WR_NULL:
        from->src = NULL;
        return c->flags & PRAX_C_NULL
                   ? 0
                   : pxi_shape_fail(sh, c, PRAX_ENULL,
                                    "prax_set_null on a column that takes no NULL");
    default:
        return pxi_shape_fail(sh, c, PRAX_EINVAL, "prax_add and prax_mul are for updates");
    }
}

static int bind(struct pxi_shape *sh, const prax_column *c, const struct source *from,
                struct pxi_value *v)
{
    if (from->src && c->n_rules && pxi_validate(sh, c, from->src) < 0)
        return sh->code;
    if (from->src)
        return pxi_value_of(sh, c, from->src, PXI_USE_WRITE, v);
    *v = (struct pxi_value){ .kind = PXI_NULL, .type = c->type };
    return 0;
}

/* Whether the database may decide it. SQLite's row id comes without being asked for. */
static bool may_be_left(const struct pxi_shape *sh, const prax_column *c)
{
    if (c->flags & PRAX_C_DB)
        return true;
    if (c->def != PRAX_D_AUTO && c->def != PRAX_D_SQL)
        return false;
    return !(c->flags & PRAX_C_ROWID) || sh->d->engine != PXI_SQLITE;
}

/* Whether it does, for this row. */
static bool is_left(const struct pxi_shape *sh, const prax_column *c, const char *row)
{
    return may_be_left(sh, c) && (c->flags & PRAX_C_DB || c->new_off == PRAX_NO_OFF ||
                                  (uint8_t)row[c->new_off] == PRAX_WR_NONE);
}

/* The columns that are given, as bits; partial: not all. */
struct given {
    bool partial;
    uint8_t bits[GIVEN_BYTES];
};

static void leave(struct given *g, const prax_model *m, unsigned i)
{
    if (!g->partial)
        memset(g->bits, 0xff, m->fields_size);
    g->partial = true;
    g->bits[i / 8] = (uint8_t)(g->bits[i / 8] & ~(1u << i % 8));
}

static void given_of(const struct pxi_shape *sh, const char *row, struct given *g)
{
    g->partial = false;
    for (unsigned i = 0; i < sh->m->n_columns; i++) {
        if (is_left(sh, &sh->m->columns[i], row))
            leave(g, sh->m, i);
    }
}

static bool is_given(const struct given *g, unsigned i)
{
    return !g->partial || (g->bits[i / 8] >> i % 8 & 1);
}

/* ---- create ---- */

/* The stored form of a value, into the row that will be returned. */
static bool store_plain(struct pxi_arena *a, const prax_column *c, const void *src,
                        const struct pxi_value *v, char *to)
{
    switch (c->type) {
    case PRAX_T_Numeric:
    case PRAX_T_String: {
        const char *text = pxi_arena_text(a, v->u.p, v->size);
        memcpy(to, &text, sizeof text);
        return text != NULL;
    }
    case PRAX_T_Json: {
        prax_json j = { .text = pxi_arena_text(a, v->u.p, v->size), .size = v->size };
        memcpy(to, &j, sizeof j);
        return j.text != NULL;
    }
    case PRAX_T_Bytes: {
        char *data = pxi_arena_get(a, (size_t)v->size + 1, 16);
        prax_bytes b = { .data = data, .size = v->size };
        if (data && v->size)
            memcpy(data, v->u.p, v->size);
        memcpy(to, &b, sizeof b);
        return data != NULL;
    }
    case PRAX_T_Decimal: {
        prax_decimal d = { .units = v->u.i, .scale = c->scale };
        memcpy(to, &d, sizeof d);
        return true;
    }
    default:
        memcpy(to, src, pxi_layouts[c->type].size);
        return true;
    }
}

static bool store_list(struct pxi_arena *a, const prax_column *c, const void *src,
                       const struct pxi_value *v, char *to)
{
    size_t size = pxi_layouts[c->type].size;
    const prax_list_i64 *from = src; /* all lists are laid out alike */
    const char *items = (const char *)from->items;
    char *made = pxi_arena_get(a, v->size * size + 1, 16);
    for (uint32_t i = 0; made && i < v->size; i++) {
        if (!store_plain(a, c, items + i * size, (const struct pxi_value *)v->u.p + i,
                         made + i * size))
            return false;
    }
    prax_list_i64 list = { .items = (const int64_t *)(const void *)made, .count = v->size };
    memcpy(to, &list, sizeof list);
    return made != NULL;
}

/* NULL, or what comes later. */
static void store_null(const prax_column *c, char *row)
{
    unsigned opt_val = c->flags & PRAX_C_NULL ? pxi_layout_of(c)->opt_val : 0;
    memset(row + c->row_off, 0, pxi_layout_of(c)->size + opt_val);
}

static bool store(struct pxi_arena *a, const prax_column *c, const void *src,
                  const struct pxi_value *v, char *row)
{
    char *to = row + c->row_off;
    unsigned opt_val = c->flags & PRAX_C_NULL ? pxi_layout_of(c)->opt_val : 0;
    if (!src) {
        store_null(c, row);
        return true;
    }
    if (opt_val) {
        *(bool *)to = true;
        to += opt_val;
    }
    return c->flags & PRAX_C_LIST ? store_list(a, c, src, v, to) : store_plain(a, c, src, v, to);
}

/* Values into the shape and into the row. */
static int fill(struct pxi_op *op, struct pxi_shape *sh, const char *new_row,
                struct pxi_created *made, struct given *g)
{
    const prax_model *m = op->m;
    struct source from = { .now = { .us = 0 } };
    char *row = made->row;
    g->partial = false;
    for (unsigned i = 0; i < m->n_columns; i++) {
        const prax_column *c = &m->columns[i];
        if (is_left(sh, c, new_row)) {
            store_null(c, row);
            leave(g, m, i);
            continue;
        }
        if (source_of(sh, c, new_row, &from) < 0 || bind(sh, c, &from, pxi_shape_value(sh)) < 0)
            return sh->code;
        if ((c->flags & PRAX_C_ROWID) && !from.src)
            made->id_at = row + c->row_off;
        if (!store(&op->s->arena, c, from.src, &sh->values[sh->n_values - 1], row))
            return pxi_op_full(op, &op->s->arena);
    }
    return sh->code;
}

/* The row that RETURNING brings. */
static int returned(struct pxi_op *op, char *row)
{
    int rc = pxi_op_step(op);
    if (rc == 0)
        return pxi_op_fail(op, PRAX_ESQL, "the database inserted no row: a trigger prevents it");
    if (rc == 1)
        rc = pxi_op_row(op, row, &op->s->arena);
    return rc < 0 ? rc : (int)pxi_op_change(op);
}

struct pxi_plan *pxi_create_plan(struct pxi_op *op, struct pxi_shape *sh, const void *new_row,
                                 struct pxi_created *c, bool *cached)
{
    struct given g;
    g.partial = false;
    *c = (struct pxi_created){ .row = pxi_arena_get(&op->s->arena, op->m->row_size, 16) };
    if (!c->row) {
        sh->code = pxi_op_full(op, &op->s->arena);
        return NULL;
    }
    if ((sh->code = fill(op, sh, new_row, c, &g)) < 0)
        return NULL;
    struct pxi_request r = { .m = op->m, .verb = PRAX_CREATE, .rows = 1 };
    r.given = g.partial ? g.bits : NULL;
    c->returned = g.partial;
    return pxi_op_plan(op, sh, &r, cached);
}

int pxi_create_read(struct pxi_op *op, const struct pxi_created *c)
{
    int64_t rc = c->returned ? returned(op, c->row) : pxi_op_change(op);
    if (rc < 0)
        return (int)rc;
    if (c->id_at) {
        int64_t id = op->link->driver->last_id(op->link->conn);
        memcpy(c->id_at, &id, sizeof id);
    }
    memcpy(c->row + op->m->loaded_off, op->plan->loaded, op->m->fields_size);
    pxi_row_clear_relations(op->m, c->row);
    return 0;
}

static int create(struct pxi_op *op, const void *new_row, struct pxi_created *c)
{
    struct pxi_shape sh;
    bool cached;
    int rc = pxi_op_may_write(op);
    if (rc < 0)
        return rc;
    pxi_op_shape(op, &sh);
    struct pxi_plan *plan = pxi_create_plan(op, &sh, new_row, c, &cached);
    rc = plan ? pxi_op_start_plan(op, &sh, plan, cached) : sh.code;
    return rc < 0 ? rc : pxi_create_read(op, c);
}

const void *prax_gen_create(prax_session *s, const prax_model *m, const void *new_row)
{
    struct pxi_op op;
    struct pxi_mark mark = pxi_arena_mark(&s->arena);
    struct pxi_created c = { .row = NULL };
    int rc = pxi_op_begin(&op, s, m, PRAX_CREATE, NULL);
    if (rc == 0) {
        rc = create(&op, new_row, &c);
        if (rc < 0)
            pxi_arena_release(&s->arena, mark);
    }
    return pxi_op_end(&op, rc, rc == 0) < 0 ? NULL : c.row;
}

/* ---- create_many ---- */

void pxi_many_begin(const struct pxi_shape *sh, struct pxi_many *w)
{
    const prax_model *m = sh->m;
    bool lists = false;
    w->from = w->to = 0;
    for (unsigned i = 0; i < m->n_columns; i++) {
        const prax_column *c = &m->columns[i];
        lists |= (c->flags & PRAX_C_LIST) != 0;
        if (!may_be_left(sh, c))
            continue;
        w->from = w->to ? w->from : i;
        w->to = i + 1;
    }
    w->arrays = sh->d->engine == PXI_POSTGRES && !lists;
    size_t values = m->n_columns ? (size_t)CHUNK_VALUES / m->n_columns : CHUNK_ROWS;
    w->most = w->arrays ? CHUNK_ARRAYS : values < CHUNK_ROWS ? values : CHUNK_ROWS;
}

static bool any_given(const struct given *g, const prax_model *m)
{
    for (unsigned i = 0; i < m->n_columns; i++) {
        if (is_given(g, i))
            return true;
    }
    return false;
}

/* How many rows, n at most, do with the field at `off` what the first one does. */
static size_t left_alike(const char *field, size_t step, size_t n)
{
    bool left = (uint8_t)*field == PRAX_WR_NONE;
    size_t i = 1;
    while (i < n && ((uint8_t)field[i * step] == PRAX_WR_NONE) == left)
        i++;
    return i;
}

/* How many rows from `at` on leave what this one leaves. */
static size_t alike(const struct pxi_shape *sh, const struct pxi_many *w, size_t at,
                    struct given *g)
{
    size_t size = sh->m->new_size, n = w->n - at < w->most ? w->n - at : w->most;
    const char *row = w->rows + at * size;
    g->partial = false;
    if (w->to == 0)
        return n;
    given_of(sh, row, g);
    if (!any_given(g, sh->m))
        return 1; /* DEFAULT VALUES makes one row */
    for (unsigned i = w->from; i < w->to; i++) {
        const prax_column *c = &sh->m->columns[i];
        if (may_be_left(sh, c) && !(c->flags & PRAX_C_DB) && c->new_off != PRAX_NO_OFF)
            n = left_alike(row + c->new_off, size, n);
    }
    return n;
}

static int put_rows(struct pxi_shape *sh, const char *rows, size_t n, const struct given *g)
{
    struct source from = { .now = { .us = 0 } };
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < sh->m->n_columns; k++) {
            const prax_column *c = &sh->m->columns[k];
            if (is_given(g, k) && (source_of(sh, c, rows + i * sh->m->new_size, &from) < 0 ||
                                   bind(sh, c, &from, pxi_shape_value(sh)) < 0))
                return sh->code;
        }
    }
    return sh->code;
}

static int put_column(struct pxi_shape *sh, const prax_column *c, const char *row, size_t n,
                      struct source *from, struct pxi_value *items)
{
    size_t size = sh->m->new_size;
    for (size_t i = 0; i < n; i++) {
        if (c->new_off != PRAX_NO_OFF)
            i += pxi_value_run(c, row + i * size + c->new_off, size, n - i, items + i);
        if (i < n &&
            (source_of(sh, c, row + i * size, from) < 0 || bind(sh, c, from, &items[i]) < 0))
            return sh->code;
    }
    return 0;
}

/* One array a column that is given. */
static int put_columns(struct pxi_shape *sh, const char *rows, size_t n, const struct given *g)
{
    struct source from = { .now = { .us = 0 } };
    for (unsigned k = 0; k < sh->m->n_columns; k++) {
        const prax_column *c = &sh->m->columns[k];
        if (!is_given(g, k))
            continue;
        struct pxi_value *items = pxi_arena_get(sh->scratch, n * sizeof *items, 16);
        if (!items)
            return pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
        if (put_column(sh, c, rows, n, &from, items) < 0)
            return sh->code;
        *pxi_shape_value(sh) = (struct pxi_value){
            .kind = PXI_ARRAY, .type = c->type, .scale = c->scale, .size = (uint32_t)n, .u.p = items
        };
    }
    return sh->code;
}

struct pxi_plan *pxi_many_plan(struct pxi_op *op, struct pxi_shape *sh, struct pxi_many *w,
                               bool *cached)
{
    struct given g;
    size_t n = alike(sh, w, w->done, &g);
    struct pxi_request r = { .m = op->m,
                             .verb = PRAX_CREATE_MANY,
                             .rows = w->arrays ? 1 : (unsigned)n,
                             .arrays = w->arrays,
                             .skip_duplicates = w->skip,
                             .given = g.partial ? g.bits : NULL };
    const char *rows = w->rows + w->done * op->m->new_size;
    w->done += n;
    int rc = w->arrays ? put_columns(sh, rows, n, &g) : put_rows(sh, rows, n, &g);
    return rc < 0 ? NULL : pxi_op_plan(op, sh, &r, cached);
}

static int64_t insert_chunk(struct pxi_op *op, struct pxi_many *w)
{
    struct pxi_shape sh;
    bool cached;
    pxi_op_shape(op, &sh);
    struct pxi_plan *plan = pxi_many_plan(op, &sh, w, &cached);
    int64_t changed = plan ? pxi_op_start_plan(op, &sh, plan, cached) : sh.code;
    if (changed == 0)
        changed = pxi_op_change(op);
    pxi_op_finish(op);
    return changed;
}

static int64_t insert_all(struct pxi_op *op, struct pxi_many *w)
{
    int64_t sum = 0;
    while (w->done < w->n) {
        struct pxi_mark mark = pxi_arena_mark(&op->s->scratch);
        int64_t changed = insert_chunk(op, w);
        if (changed < 0)
            return changed;
        pxi_arena_release(&op->s->scratch, mark);
        sum += changed;
    }
    return sum;
}

/* ---- by COPY ---- */

/* What observers and errors call the statement; its table and columns are what the driver wants. */
struct copy {
    struct pxi_plan plan;
    const char *table, *columns;
};

static const char *columns_of(struct pxi_op *op, const struct given *g, bool table)
{
    struct pxi_sql q;
    bool first = true;
    pxi_sql_begin(&q, op->s->db->plans.dialect, &op->s->scratch);
    if (table)
        pxi_sql_name(&q, op->m->table);
    for (unsigned i = 0; !table && i < op->m->n_columns; i++) {
        if (!is_given(g, i))
            continue;
        pxi_sql_add(&q, first ? "" : ", ");
        pxi_sql_name(&q, op->m->columns[i].db_name);
        first = false;
    }
    return q.broken ? NULL : q.text;
}

static struct copy *copy_of(struct pxi_op *op, const struct given *g)
{
    struct pxi_sql q;
    struct copy *c = pxi_arena_zero(&op->s->scratch, 1, sizeof *c);
    if (!c || !(c->table = columns_of(op, g, true)) || !(c->columns = columns_of(op, g, false)))
        return NULL;
    pxi_sql_begin(&q, op->s->db->plans.dialect, &op->s->scratch);
    pxi_sql_add(&q, "COPY ");
    pxi_sql_add(&q, c->table);
    pxi_sql_add(&q, " (");
    pxi_sql_add(&q, c->columns);
    pxi_sql_add(&q, ") FROM STDIN");
    if (q.broken)
        return NULL;
    c->plan = (struct pxi_plan){ .id = PXI_PLAN_ONCE,
                                 .sql = q.text,
                                 .sql_size = (uint32_t)q.size,
                                 .fingerprint = pxi_fingerprint(q.text, q.size) };
    return c;
}

static int copy_rows(struct pxi_op *op, const struct pxi_many *w, const struct given *g)
{
    int rc = 0;
    for (size_t done = 0, now; rc == 0 && done < w->n; done += now) {
        struct pxi_mark mark = pxi_arena_mark(&op->s->scratch);
        struct pxi_shape sh;
        now = w->n - done < COPY_PIECE ? w->n - done : COPY_PIECE;
        pxi_op_shape(op, &sh);
        rc = put_rows(&sh, w->rows + done * op->m->new_size, now, g);
        op->rec->bytes_in += rc == 0 ? 8 * (uint64_t)sh.n_values : 0;
        if (rc == 0)
            rc = op->link->driver->copy_rows(op->link->conn, sh.values, now);
        pxi_arena_release(&op->s->scratch, mark);
    }
    return rc;
}

static int64_t copy_all(struct pxi_op *op, const struct pxi_many *w, const struct given *g)
{
    const struct pxi_driver *d = op->link->driver;
    struct copy *c = copy_of(op, g);
    if (!c)
        return pxi_op_full(op, &op->s->scratch);
    pxi_op_show(op, &c->plan);
    pxi_op_launch(op);
    pxi_op_phase(op, PRAX_PHASE_EXECUTE);
    int rc = d->copy_begin(op->link->conn, c->table, c->columns);
    if (rc == 0)
        rc = copy_rows(op, w, g);
    int64_t sum = d->copy_end(op->link->conn, rc == 0);
    if (rc < 0 || sum < 0)
        return pxi_op_explain(op, rc < 0 ? rc : (int)sum);
    return sum;
}

static bool wants_copy(const struct pxi_shape *sh, const struct pxi_op *op,
                       const struct pxi_many *w, struct given *g)
{
    struct pxi_many all = *w;
    all.most = w->n;
    return op->link->driver->copy_begin && w->n >= COPY_ROWS && !w->skip &&
           alike(sh, &all, 0, g) == w->n;
}

/* ---- create_many itself ---- */

static int64_t in_one_go(struct pxi_op *op, struct pxi_many *w)
{
    int rc = pxi_op_connect(op);
    if (rc < 0)
        return rc;
    const struct pxi_driver *d = op->link->driver;
    struct pxi_conn *c = op->link->conn;
    struct pxi_shape sh;
    struct given g;
    pxi_op_shape(op, &sh);
    pxi_many_begin(&sh, w);
    if (wants_copy(&sh, op, w, &g))
        return copy_all(op, w, &g);
    if (op->s->tx.depth || alike(&sh, w, 0, &g) == w->n)
        return insert_all(op, w);
    rc = d->exec(c, d->begin(PRAX_ISO_DEFAULT, false));
    if (rc < 0)
        return pxi_op_explain(op, rc);
    int64_t sum = insert_all(op, w);
    if (sum >= 0 && (rc = d->exec(c, "COMMIT")) < 0)
        sum = pxi_op_explain(op, rc);
    if (sum < 0 && d->in_tx(c))
        d->exec(c, "ROLLBACK");
    return sum;
}

int64_t prax_gen_create_many(prax_session *s, const prax_model *m, const void *rows, size_t n,
                             const void *args)
{
    struct pxi_op op;
    const prax_create_many_head *a = args;
    int64_t rc = pxi_op_begin(&op, s, m, PRAX_CREATE_MANY, NULL);
    if (rc == 0 && (a->size == 0 || (n && !rows)))
        rc = pxi_op_fail(&op, PRAX_EINVAL, "arguments are not initialised");
    if (rc == 0)
        rc = pxi_op_may_write(&op);
    struct pxi_many w = { .rows = rows, .n = n, .skip = n && a->skip_duplicates };
    if (rc == 0 && n)
        rc = in_one_go(&op, &w);
    return pxi_op_end(&op, rc, rc > 0 ? (uint64_t)rc : 0);
}

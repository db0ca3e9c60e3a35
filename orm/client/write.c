/* write.c - the verbs that change rows of a model: update, delete and their _many. Their answer is
 * how many rows it were; create.c makes new ones. */
#include "orm/client/client.h"
#include <string.h>

enum {
    CHUNK_ROWS = 100,     /* in one VALUES: twice the speed of one, more are slower again */
    CHUNK_VALUES = 32766, /* SQLite's limit of parameters */
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
    bool null = is_null_pointer(c, field);
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

static int bind(struct pxi_shape *sh, const prax_column *c, const struct source *from)
{
    struct pxi_value *v = pxi_shape_value(sh);
    if (from->src)
        return pxi_value_of(sh, c, from->src, PXI_USE_WRITE, v);
    v->kind = PXI_NULL;
    return 0;
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
        memcpy(to, src, pxi_layout_of(c)->size);
        return true;
    }
}

static bool store(struct pxi_arena *a, const prax_column *c, const void *src,
                  const struct pxi_value *v, char *row)
{
    char *to = row + c->row_off;
    unsigned opt_val = c->flags & PRAX_C_NULL ? pxi_layout_of(c)->opt_val : 0;
    if (!src) { /* NULL, or a row id that comes later */
        memset(to, 0, pxi_layout_of(c)->size + opt_val);
        return true;
    }
    if (opt_val) {
        *(bool *)to = true;
        to += opt_val;
    }
    return store_plain(a, c, src, v, to);
}

/* Values into the shape, the row into the arena. *id_at: where the row id belongs, or NULL. */
static int fill(struct pxi_op *op, struct pxi_shape *sh, const char *new_row, char *row,
                char **id_at)
{
    const prax_model *m = op->m;
    struct source from = { .now = { .us = 0 } };
    *id_at = NULL;
    for (unsigned i = 0; i < m->n_columns; i++) {
        const prax_column *c = &m->columns[i];
        if (source_of(sh, c, new_row, &from) < 0 || bind(sh, c, &from) < 0)
            return sh->code;
        if ((c->flags & PRAX_C_ROWID) && !from.src)
            *id_at = row + c->row_off;
        if (!store(&op->s->arena, c, from.src, &sh->values[sh->n_values - 1], row))
            return pxi_op_full(op, &op->s->arena);
    }
    return sh->code;
}

static int create(struct pxi_op *op, const char *new_row, char *row)
{
    struct pxi_shape sh;
    char *id_at = NULL;
    int64_t rc = pxi_op_may_write(op);
    pxi_shape_begin(&sh, op->m, &op->s->scratch, &op->s->err);
    if (rc == 0)
        rc = fill(op, &sh, new_row, row, &id_at);
    struct pxi_request r = { .m = op->m, .verb = PRAX_CREATE, .rows = 1 };
    if (rc == 0)
        rc = pxi_op_start(op, &sh, &r);
    if (rc == 0)
        rc = pxi_op_change(op);
    if (rc < 0)
        return (int)rc;
    int64_t id = op->link->driver->last_id(op->link->conn);
    if (id_at)
        memcpy(id_at, &id, sizeof id);
    memcpy(row + op->m->loaded_off, op->plan->loaded, op->m->fields_size);
    return 0;
}

const void *prax_gen_create(prax_session *s, const prax_model *m, const void *new_row)
{
    struct pxi_op op;
    struct pxi_mark mark = pxi_arena_mark(&s->arena);
    char *row = NULL;
    int rc = pxi_op_begin(&op, s, m, PRAX_CREATE, NULL);
    if (rc == 0) {
        row = pxi_arena_get(&s->arena, m->row_size, 16);
        rc = row ? create(&op, new_row, row) : pxi_op_full(&op, &s->arena);
        if (rc < 0)
            pxi_arena_release(&s->arena, mark);
    }
    return pxi_op_end(&op, rc, rc == 0) < 0 ? NULL : row;
}

/* ---- create_many ---- */

static int64_t insert_chunk(struct pxi_op *op, const char *rows, unsigned n, bool skip)
{
    const prax_model *m = op->m;
    struct pxi_shape sh;
    struct source from = { .now = { .us = 0 } };
    pxi_shape_begin(&sh, m, &op->s->scratch, &op->s->err);
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < m->n_columns; k++) {
            if (source_of(&sh, &m->columns[k], rows + (size_t)i * m->new_size, &from) < 0 ||
                bind(&sh, &m->columns[k], &from) < 0)
                return sh.code;
        }
    }
    struct pxi_request r = { .m = m, .verb = PRAX_CREATE_MANY, .rows = n, .skip_duplicates = skip };
    int64_t changed = pxi_op_start(op, &sh, &r);
    if (changed == 0)
        changed = pxi_op_change(op);
    pxi_op_finish(op);
    return changed;
}

static int64_t insert_all(struct pxi_op *op, const char *rows, size_t n, bool skip)
{
    unsigned chunk = CHUNK_VALUES / op->m->n_columns;
    int64_t sum = 0;
    chunk = chunk > CHUNK_ROWS ? CHUNK_ROWS : chunk;
    for (size_t done = 0; done < n;) {
        unsigned now = n - done < chunk ? (unsigned)(n - done) : chunk;
        int64_t changed = insert_chunk(op, rows + done * op->m->new_size, now, skip);
        if (changed < 0)
            return changed;
        sum += changed;
        done += now;
    }
    return sum;
}

/* All or nothing: within a transaction it is a savepoint, which fails with all of it. */
static int64_t in_one_go(struct pxi_op *op, const char *rows, size_t n, bool skip)
{
    bool outer = op->s->tx.depth == 0;
    int rc = pxi_op_connect(op);
    if (rc < 0)
        return rc;
    const struct pxi_driver *d = op->link->driver;
    struct pxi_conn *c = op->link->conn;
    rc = d->exec(c, outer ? "BEGIN IMMEDIATE" : "SAVEPOINT many");
    if (rc < 0)
        return pxi_op_explain(op, rc);
    int64_t sum = insert_all(op, rows, n, skip);
    if (sum >= 0 && (rc = d->exec(c, outer ? "COMMIT" : "RELEASE many")) < 0)
        sum = pxi_op_explain(op, rc);
    if (sum < 0 && d->in_tx(c))
        d->exec(c, outer ? "ROLLBACK" : "ROLLBACK TO many; RELEASE many");
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
    if (rc == 0 && n)
        rc = in_one_go(&op, rows, n, a->skip_duplicates);
    return pxi_op_end(&op, rc, rc > 0 ? (uint64_t)rc : 0);
}

/* ---- update and delete ---- */

static int64_t change(struct pxi_op *op, const struct pxi_request *r, bool all)
{
    struct pxi_shape sh;
    bool cached;
    pxi_op_shape(op, &sh);
    struct pxi_plan *plan = pxi_request_plan(&op->s->db->plans, &sh, r, &cached);
    if (!plan)
        return sh.code;
    if (!r->key && all == (sh.terms != 0)) {
        return pxi_op_fail(op, PRAX_EINVAL,
                           all ? ".where and .all = true; one of them is meant"
                               : "no condition; write .all = true for all rows");
    }
    int rc = pxi_op_start_plan(op, &sh, plan, cached);
    return rc < 0 ? rc : pxi_op_change(op);
}

static int64_t run(struct pxi_op *op, int64_t rc, const struct pxi_request *r, bool all)
{
    if (rc == 0)
        rc = pxi_op_may_write(op);
    if (rc == 0)
        rc = change(op, r, all);
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

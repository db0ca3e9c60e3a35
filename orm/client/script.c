/* script.c - several statements of raw SQL, and rows of raw SQL in a model's struct. */
#include "orm/client/client.h"
#include "orm/query/scan.h"
#include <stdio.h>
#include <string.h>

/* ---- scripts ---- */

/* Every statement is prepared for itself, so that the one that fails is known. */
static int run_one(struct pxi_op *op, const struct pxi_statement *st)
{
    bool in_tx = op->link->driver->in_tx(op->link->conn);
    int64_t rc = pxi_raw_start(op, st->text, st->size, NULL, 0, 0);
    if (rc == 0)
        rc = pxi_op_change(op);
    pxi_op_finish(op);
    return rc < 0 ? (int)rc : pxi_raw_check_tx(op, in_tx);
}

static int64_t run_all(struct pxi_op *op, const char *sql)
{
    struct pxi_script script = {
        .engine = op->link->driver->engine, .at = sql, .end = sql + strlen(sql), .line = 1
    };
    struct pxi_statement st;
    struct pxi_mark mark = pxi_arena_mark(&op->s->scratch);
    int64_t n = 0;
    while (pxi_script_next(&script, &st)) {
        char where[64];
        pxi_arena_release(&op->s->scratch, mark);
        int rc = run_one(op, &st);
        n++;
        if (rc < 0) {
            snprintf(where, sizeof where, "statement %lld, line %u", (long long)n, st.line);
            pxi_error_where(&op->s->err, where);
            return rc;
        }
    }
    return n;
}

static int64_t run_script(struct pxi_op *op, const char *sql)
{
    if (!sql)
        return pxi_op_fail(op, PRAX_EINVAL, "no script");
    int rc = pxi_op_connect(op);
    return rc < 0 ? rc : run_all(op, sql);
}

int64_t prax_sql_script(prax_session *s, const char *sql)
{
    struct pxi_op op;
    int64_t rc = pxi_op_begin(&op, s, NULL, PRAX_RAW_EXEC, NULL);
    if (rc == 0)
        rc = run_script(&op, sql);
    return pxi_op_end(&op, rc, 0);
}

/* ---- rows as a model's ---- */

/* By its name in the database, or by the field's. */
static const prax_column *column_named(const prax_model *m, const char *name)
{
    for (unsigned i = 0; i < m->n_columns; i++) {
        const prax_column *c = &m->columns[i];
        if (strcmp(c->db_name, name) == 0 || strcmp(c->name, name) == 0)
            return c;
    }
    return NULL;
}

static int map_column(const struct pxi_op *op, struct pxi_out *out, uint8_t *loaded, unsigned i)
{
    const char *name = op->link->driver->column_name(op->stmt, i);
    const prax_column *c = column_named(op->m, name);
    if (!c)
        return pxi_op_fail(op, PRAX_EINVAL, "%s has no column %s", op->m->name, name);
    unsigned bit = (unsigned)(c - op->m->columns);
    if (loaded[bit / 8] >> bit % 8 & 1)
        return pxi_op_fail(op, PRAX_EINVAL, "column %s is there twice", name);
    loaded[bit / 8] = (uint8_t)(loaded[bit / 8] | 1u << bit % 8);
    *out = pxi_out_of(c);
    return 0;
}

/* The statement's plan with a row program for the columns that it turned out to have. */
static struct pxi_plan *mapped(struct pxi_op *op)
{
    struct pxi_arena *a = &op->s->scratch;
    unsigned n = op->link->driver->columns(op->stmt);
    struct pxi_plan *p = pxi_arena_copy(a, op->plan, sizeof *p);
    struct pxi_out *out = pxi_arena_zero(a, n, sizeof *out);
    uint8_t *loaded = pxi_arena_zero(a, 1, op->m->fields_size);
    if (!p || !out || !loaded) {
        pxi_op_full(op, a);
        return NULL;
    }
    for (unsigned i = 0; i < n; i++) {
        if (map_column(op, &out[i], loaded, i) < 0)
            return NULL;
    }
    p->program = (struct pxi_program){ out, n, op->m->row_size };
    p->loaded = loaded;
    p->partial = true;
    return p;
}

int pxi_read_mapped(struct pxi_op *op, prax_any_list *list)
{
    struct pxi_rows rows = { .size = op->m->row_size };
    struct pxi_plan *known = op->plan, *mine = mapped(op);
    if (!mine)
        return op->s->err.e.code;
    op->plan = mine;
    int rc = pxi_read_rows(op, &rows, 0);
    __atomic_store_n(&known->rows_hint, mine->rows_hint, __ATOMIC_RELAXED);
    *list = (prax_any_list){ .items = rows.items, .count = rows.count, .total = -1 };
    return rc;
}

static int from_sql(struct pxi_op *op, const char *sql, const prax_val *v, size_t n,
                    prax_any_list *list)
{
    if (!sql || (n && !v))
        return pxi_op_fail(op, PRAX_EINVAL, "no statement");
    int rc = pxi_raw_start(op, sql, strlen(sql), v, n, PXI_RAW_KEEP | PXI_RAW_ROWS);
    return rc < 0 ? rc : pxi_read_mapped(op, list);
}

const void *prax_gen_from_sql(prax_session *s, const prax_model *m, const char *sql,
                              const prax_val *v, size_t n)
{
    struct pxi_op op;
    struct pxi_mark mark = pxi_arena_mark(&s->arena);
    prax_any_list *list = NULL;
    int rc = pxi_op_begin(&op, s, m, PRAX_RAW_QUERY, NULL);
    if (rc == 0) {
        list = pxi_arena_get(&s->arena, sizeof *list, 16);
        rc = list ? from_sql(&op, sql, v, n, list) : pxi_op_full(&op, &s->arena);
    }
    if (rc < 0)
        pxi_arena_release(&s->arena, mark);
    uint64_t rows = rc == 0 && list ? list->count : 0;
    return pxi_op_end(&op, rc, rows) < 0 ? NULL : list;
}

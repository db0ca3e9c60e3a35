/* raw.c - raw SQL: statements as the program wrote them, values by question marks.
 *
 * The text is the key of its plan, so a second call with the same text prepares nothing. Statements
 * that begin or end a transaction are refused, because guards could not know of them.
 */
#include "orm/base/value.h"
#include "orm/client/client.h"
#include <stdio.h>
#include <string.h>

/* ---- values ---- */

static const uint8_t types[] = {
    [PRAX_V_I64] = PRAX_T_BigInt,   [PRAX_V_F64] = PRAX_T_Float,
    [PRAX_V_BOOL] = PRAX_T_Boolean, [PRAX_V_TEXT] = PRAX_T_String,
    [PRAX_V_BYTES] = PRAX_T_Bytes,  [PRAX_V_JSON] = PRAX_T_Json,
    [PRAX_V_UUID] = PRAX_T_Uuid,    [PRAX_V_TIME] = PRAX_T_DateTime,
    [PRAX_V_DATE] = PRAX_T_Date,    [PRAX_V_TOD] = PRAX_T_Time,
    [PRAX_V_ULID] = PRAX_T_Ulid,    [PRAX_V_DECIMAL] = PRAX_T_Decimal,
};

/* The largest of the decimals, so that none is rounded. */
static uint8_t scale_of(const prax_decimal *d, size_t n)
{
    int32_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = d[i].scale > most ? d[i].scale : most;
    return (uint8_t)(most <= PXI_DECIMAL_DIGITS ? most : PXI_DECIMAL_DIGITS);
}

/* As a column of the value's type would take it, but without a range. */
static void put_value(struct pxi_shape *sh, const prax_val *v, size_t i)
{
    char name[32];
    prax_column c = { .name = name };
    struct pxi_value *to = pxi_shape_value(sh);
    snprintf(name, sizeof name, "value %zu", i + 1);
    if (v->type == PRAX_V_NULL) {
        *to = (struct pxi_value){ .kind = PXI_NULL, .type = PXI_UNTYPED };
    } else if (v->type == PRAX_V_RANGE) {
        pxi_shape_fail(sh, &c, PRAX_ERANGE, "beyond 63 bits");
    } else if (v->type == PRAX_V_LIST) {
        c.type = types[v->item];
        c.flags = PRAX_C_LIST;
        c.scale = v->item == PRAX_V_DECIMAL ? scale_of(v->u.list.items, v->u.list.count) : 0;
        pxi_value_array(sh, &c, v->u.list.items, v->u.list.count, PXI_USE_EQUAL, to);
    } else {
        c.type = types[v->type];
        c.scale = v->type == PRAX_V_DECIMAL ? scale_of(&v->u.dec, 1) : 0;
        pxi_value_of(sh, &c, &v->u, PXI_USE_EQUAL, to);
        if (v->type == PRAX_V_TEXT) /* a date, a number, whatever the database wants there */
            to->type = PXI_UNTYPED;
    }
}

/* ---- statements ---- */

void pxi_raw_values(struct pxi_shape *sh, const prax_val *v, size_t n)
{
    for (size_t i = 0; i < n && !sh->code; i++)
        put_value(sh, &v[i], i);
}

int pxi_raw_check(const struct pxi_op *op, size_t n)
{
    const struct pxi_driver *d = op->link->driver;
    unsigned marks = d->parameters(op->stmt);
    if (marks != n)
        return pxi_op_fail(op, PRAX_EINVAL, "%zu values for %u question marks", n, marks);
    return d->read_only(op->stmt) ? 0 : pxi_op_may_write(op);
}

/* Before it starts: PostgreSQL would do what it says. */
static int check_rows(const struct pxi_op *op, size_t n)
{
    if (op->link->driver->columns(op->stmt) == 0)
        return pxi_op_fail(op, PRAX_EINVAL, "the statement has no rows; use prax_sql_exec");
    return pxi_raw_check(op, n);
}

int pxi_raw_start_shape(struct pxi_op *op, struct pxi_shape *sh, const char *sql, size_t size,
                        unsigned flags)
{
    struct pxi_plan *plan = NULL;
    bool cached = false;
    if (!sh->code) {
        plan =
            pxi_raw_plan(flags & PXI_RAW_KEEP ? &op->s->db->plans : NULL, sh, sql, size, &cached);
    }
    if (!plan)
        return sh->code;
    op->check = flags & PXI_RAW_ROWS ? check_rows : pxi_raw_check;
    return pxi_op_start_plan(op, sh, plan, cached);
}

int pxi_raw_start(struct pxi_op *op, const char *sql, size_t size, const prax_val *v, size_t n,
                  unsigned flags)
{
    struct pxi_shape sh;
    pxi_op_shape(op, &sh);
    pxi_raw_values(&sh, v, n);
    return pxi_raw_start_shape(op, &sh, sql, size, flags);
}

static int start(struct pxi_op *op, const char *sql, const prax_val *v, size_t n, unsigned flags)
{
    if (!sql || (n && !v))
        return pxi_op_fail(op, PRAX_EINVAL, "no statement");
    return pxi_raw_start(op, sql, strlen(sql), v, n, PXI_RAW_KEEP | flags);
}

/* Guards must know of every transaction. */
int pxi_raw_check_tx(const struct pxi_op *op, bool before)
{
    const struct pxi_driver *d = op->link->driver;
    bool now = d->in_tx(op->link->conn);
    if (now == before)
        return 0;
    if (now)
        d->exec(op->link->conn, "ROLLBACK");
    return pxi_op_fail(op, PRAX_EINVAL, "transactions are begun and ended with PRAX_TX");
}

int64_t pxi_raw_exec(struct pxi_op *op, struct pxi_shape *sh, const char *sql)
{
    int64_t rc = sh->code ? sh->code : pxi_op_connect(op);
    if (rc < 0)
        return rc;
    const struct pxi_driver *d = op->link->driver;
    bool in_tx = d->in_tx(op->link->conn);
    int64_t total = d->total(op->link->conn);
    rc = pxi_raw_start_shape(op, sh, sql, strlen(sql), PXI_RAW_KEEP);
    if (rc == 0)
        rc = pxi_op_change(op);
    pxi_op_finish(op);
    if (rc >= 0 && d->total(op->link->conn) == total)
        rc = 0; /* neither INSERT nor UPDATE nor DELETE */
    if (rc >= 0 && pxi_raw_check_tx(op, in_tx) < 0)
        rc = PRAX_EINVAL;
    return rc;
}

int64_t prax_sql_exec_with(prax_session *s, const char *sql, const prax_val *v, size_t n)
{
    struct pxi_op op;
    struct pxi_shape sh;
    int64_t rc = pxi_op_begin(&op, s, NULL, PRAX_RAW_EXEC, NULL);
    if (rc == 0 && (!sql || (n && !v))) {
        rc = pxi_op_fail(&op, PRAX_EINVAL, "no statement");
    } else if (rc == 0) {
        pxi_op_shape(&op, &sh);
        pxi_raw_values(&sh, v, n);
        rc = pxi_raw_exec(&op, &sh, sql);
    }
    return pxi_op_end(&op, rc, rc > 0 ? (uint64_t)rc : 0);
}

prax_cursor *prax_sql_open_with(prax_session *s, const char *sql, const prax_val *v, size_t n)
{
    struct pxi_op op;
    prax_cursor *c = pxi_cursor_new(s);
    int rc = pxi_op_begin(c ? &c->op : &op, s, NULL, PRAX_RAW_QUERY, c ? &c->rec : NULL);
    if (!c) {
        rc = rc < 0 ? rc : pxi_op_fail(&op, PRAX_ENOMEM, "out of memory");
        pxi_op_end(&op, rc, 0);
        return NULL;
    }
    c->op.keep = &c->arena;
    if (rc == 0)
        rc = start(&c->op, sql, v, n, PXI_RAW_ROWS);
    return pxi_cursor_ready(c, rc);
}

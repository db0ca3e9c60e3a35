/* raw.c - raw SQL: statements as the program wrote them, values by question marks.
 *
 * The text is the key of its plan, so a second call with the same text prepares nothing. Statements
 * that begin or end a transaction are refused, because guards could not know of them.
 */
#include "orm/base/value.h"
#include "orm/client/client.h"
#include <math.h>
#include <string.h>

/* ---- values ---- */

static int put_text(struct pxi_shape *sh, const void *p, size_t size, enum pxi_kind kind)
{
    if (size > PXI_VALUE_MAX)
        return pxi_shape_fail(sh, NULL, PRAX_ELIMIT, "value of more than %d bytes", PXI_VALUE_MAX);
    *pxi_shape_value(sh) = (struct pxi_value){
        .kind = (uint8_t)kind, .type = PXI_UNTYPED, .size = (uint32_t)size, .u.p = p
    };
    return 0;
}

static void put_int(struct pxi_shape *sh, int64_t x)
{
    *pxi_shape_value(sh) = (struct pxi_value){ .kind = PXI_INT, .u.i = x };
}

static int put_made(struct pxi_shape *sh, const prax_val *v)
{
    char *text = pxi_arena_get(sh->scratch, 37, 1);
    if (!text)
        return pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
    if (v->type == PRAX_V_UUID)
        return put_text(sh, prax_uuid_text(v->u.uuid, text), 36, PXI_TEXT);
    return put_text(sh, prax_ulid_text(v->u.ulid, text), PXI_ULID_TEXT, PXI_TEXT);
}

static int64_t integer_of(const prax_val *v)
{
    switch (v->type) {
    case PRAX_V_BOOL:
        return v->u.boolean;
    case PRAX_V_DATE:
        return v->u.date.days;
    case PRAX_V_TIME:
        return v->u.time.us;
    case PRAX_V_TOD:
        return v->u.tod.us;
    case PRAX_V_DECIMAL:
        return v->u.dec.units;
    default:
        return v->u.i64;
    }
}

static void put_value(struct pxi_shape *sh, const prax_val *v, size_t i)
{
    switch (v->type) {
    case PRAX_V_NULL:
        *pxi_shape_value(sh) = (struct pxi_value){ .kind = PXI_NULL };
        break;
    case PRAX_V_F64:
        if (isnan(v->u.f64))
            pxi_shape_fail(sh, NULL, PRAX_EINVAL, "value %zu is not a number", i + 1);
        *pxi_shape_value(sh) = (struct pxi_value){ .kind = PXI_REAL, .u.f = v->u.f64 };
        break;
    case PRAX_V_TEXT:
        put_text(sh, v->u.text, strlen(v->u.text), PXI_TEXT);
        break;
    case PRAX_V_BYTES:
        put_text(sh, v->u.bytes.data, v->u.bytes.size, PXI_BLOB);
        break;
    case PRAX_V_JSON:
        put_text(sh, v->u.json.text, v->u.json.size, PXI_TEXT);
        break;
    case PRAX_V_UUID:
    case PRAX_V_ULID:
        put_made(sh, v);
        break;
    case PRAX_V_LIST:
        pxi_shape_fail(sh, NULL, PRAX_EUNSUPPORTED, "value %zu is a list: SQLite has none", i + 1);
        break;
    case PRAX_V_RANGE:
        pxi_shape_fail(sh, NULL, PRAX_ERANGE, "value %zu is beyond 63 bits", i + 1);
        break;
    default:
        put_int(sh, integer_of(v));
    }
}

/* ---- statements ---- */

static int check_values(const struct pxi_op *op, size_t n)
{
    const struct pxi_driver *d = op->link->driver;
    unsigned marks = d->parameters(op->stmt);
    if (marks != n)
        return pxi_op_fail(op, PRAX_EINVAL, "%zu values for %u question marks", n, marks);
    return d->read_only(op->stmt) ? 0 : pxi_op_may_write(op);
}

static int start(struct pxi_op *op, const char *sql, const prax_val *v, size_t n)
{
    struct pxi_shape sh;
    bool cached;
    if (!sql || (n && !v))
        return pxi_op_fail(op, PRAX_EINVAL, "no statement");
    pxi_op_shape(op, &sh);
    for (size_t i = 0; i < n && !sh.code; i++)
        put_value(&sh, &v[i], i);
    struct pxi_plan *plan =
        sh.code ? NULL : pxi_raw_plan(&op->s->db->plans, &sh, sql, strlen(sql), &cached);
    if (!plan)
        return sh.code;
    op->check = check_values;
    return pxi_op_start_plan(op, &sh, plan, cached);
}

/* Guards must know of every transaction. */
static int check_tx(struct pxi_op *op, bool before)
{
    const struct pxi_driver *d = op->link->driver;
    bool now = d->in_tx(op->link->conn);
    if (now == before)
        return 0;
    if (now)
        d->exec(op->link->conn, "ROLLBACK");
    return pxi_op_fail(op, PRAX_EINVAL, "transactions are begun and ended with PRAX_TX");
}

int64_t prax_sql_exec_with(prax_session *s, const char *sql, const prax_val *v, size_t n)
{
    struct pxi_op op;
    int64_t rc = pxi_op_begin(&op, s, NULL, PRAX_RAW_EXEC, NULL);
    if (rc == 0)
        rc = pxi_op_connect(&op);
    if (rc == 0) {
        const struct pxi_driver *d = op.link->driver;
        bool in_tx = d->in_tx(op.link->conn);
        int64_t total = d->total(op.link->conn);
        rc = start(&op, sql, v, n);
        if (rc == 0)
            rc = pxi_op_change(&op);
        pxi_op_finish(&op);
        if (rc >= 0 && d->total(op.link->conn) == total)
            rc = 0; /* neither INSERT nor UPDATE nor DELETE */
        if (rc >= 0 && check_tx(&op, in_tx) < 0)
            rc = PRAX_EINVAL;
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
        rc = start(&c->op, sql, v, n);
    if (rc == 0 && c->op.link->driver->columns(c->op.stmt) == 0)
        rc = pxi_op_fail(&c->op, PRAX_EINVAL, "the statement has no rows; use prax_sql_exec");
    return pxi_cursor_ready(c, rc);
}

/* ---- columns ---- */

/* Column accessors take const cursors, as readers do; the session's error is not the cursor's. */
static int column_fails(const prax_cursor *c, int code, const char *what)
{
    prax_cursor *mine = (prax_cursor *)c;
    if (c->s && !c->column_error) {
        pxi_error_set(&c->s->err, code, "%s", what);
        mine->column_error = c->s->err.e.code;
    }
    return code;
}

int prax_col(const prax_cursor *c, const char *name)
{
    const struct pxi_driver *d = c->s ? c->op.link->driver : NULL;
    for (unsigned i = 0; d && i < d->columns(c->op.stmt); i++) {
        if (strcmp(d->column_name(c->op.stmt, i), name) == 0)
            return (int)i;
    }
    return column_fails(c, PRAX_EINVAL, "no column of that name");
}

static struct pxi_value cell(const prax_cursor *c, int col)
{
    if (c->s && c->on_row && col >= 0 && (unsigned)col < c->op.link->driver->columns(c->op.stmt))
        return c->op.link->driver->column(c->op.stmt, (unsigned)col);
    column_fails(c, PRAX_EINVAL, c->on_row ? "no such column" : "no row");
    return (struct pxi_value){ .kind = PXI_NULL };
}

static bool is(const prax_cursor *c, const struct pxi_value *v, bool fits)
{
    if (!fits && v->kind != PXI_NULL)
        column_fails(c, PRAX_ETYPE, "the column has a value of another type");
    return fits;
}

bool prax_col_is_null(const prax_cursor *c, int col)
{
    return cell(c, col).kind == PXI_NULL;
}

int64_t prax_col_i64(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    return is(c, &v, v.kind == PXI_INT) ? v.u.i : 0;
}

double prax_col_f64(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    if (v.kind == PXI_INT)
        return (double)v.u.i;
    return is(c, &v, v.kind == PXI_REAL) ? v.u.f : 0;
}

const char *prax_col_text(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    return is(c, &v, v.kind == PXI_TEXT && !memchr(v.u.p, '\0', v.size)) ? v.u.p : NULL;
}

prax_bytes prax_col_bytes(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    if (!is(c, &v, v.kind == PXI_BLOB || v.kind == PXI_TEXT))
        return prax_bytes_of(NULL, 0);
    return prax_bytes_of(v.u.p ? v.u.p : "", v.size);
}

prax_time prax_col_time(const prax_cursor *c, int col)
{
    return (prax_time){ .us = prax_col_i64(c, col) };
}

prax_uuid prax_col_uuid(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    prax_uuid u = { .b = { 0 } };
    bool fits = v.kind == PXI_TEXT && pxi_uuid_read(v.u.p, v.size, u.b);
    return is(c, &v, fits) ? u : (prax_uuid){ .b = { 0 } };
}

prax_ulid prax_col_ulid(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    prax_ulid u = { .b = { 0 } };
    bool fits = v.kind == PXI_TEXT && pxi_ulid_read(v.u.p, v.size, u.b);
    return is(c, &v, fits) ? u : (prax_ulid){ .b = { 0 } };
}

prax_date prax_col_date(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    bool fits = v.kind == PXI_INT && v.u.i == (int32_t)v.u.i;
    return (prax_date){ .days = is(c, &v, fits) ? (int32_t)v.u.i : 0 };
}

prax_tod prax_col_tod(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    bool fits = v.kind == PXI_INT && v.u.i >= 0 && v.u.i <= PXI_TOD_MAX;
    return (prax_tod){ .us = is(c, &v, fits) ? v.u.i : 0 };
}

prax_decimal prax_col_decimal(const prax_cursor *c, int col, int32_t scale)
{
    return prax_decimal_of(prax_col_i64(c, col), scale);
}

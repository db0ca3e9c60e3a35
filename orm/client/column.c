/* column.c - what stands in the columns of raw SQL's rows.
 *
 * A wrong access (no such column, another type) gives a zero, sets the session's error and fails
 * the cursor's next step, so that one check behind the loop is enough. PostgreSQL's numeric arrives
 * as digits: it is read as what the caller asks for, if that holds it.
 */
#include "orm/base/value.h"
#include "orm/client/client.h"
#include <stdio.h>
#include <string.h>

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

static void wrong_type(const prax_cursor *c, int col, bool readable)
{
    const struct pxi_driver *d = c->op.link->driver;
    char type[PXI_TYPE_NAME], text[PXI_ERROR_TEXT];
    if (d->column_type) {
        snprintf(text, sizeof text, "column %d, \"%s\", is of type %s, %s", col,
                 d->column_name(c->op.stmt, (unsigned)col),
                 d->column_type(c->op.stmt, (unsigned)col, type),
                 readable ? "which this function does not read"
                          : "or has a value, that cannot be read: cast it to text, ...::text");
    }
    column_fails(c, PRAX_ETYPE, d->column_type ? text : "the column has a value of another type");
}

static bool is(const prax_cursor *c, int col, const struct pxi_value *v, bool fits)
{
    if (!fits && v->kind != PXI_NULL)
        wrong_type(c, col, v->kind != PXI_ARRAY);
    return fits;
}

bool prax_col_is_null(const prax_cursor *c, int col)
{
    return cell(c, col).kind == PXI_NULL;
}

static bool is_numeric(const struct pxi_value *v)
{
    return v->kind == PXI_TEXT && v->type == PRAX_T_Numeric;
}

int64_t prax_col_i64(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    bool exact = true;
    if (is_numeric(&v) && pxi_decimal_read(v.u.p, v.size, 0, &v.u.i, &exact) && exact)
        v.kind = PXI_INT;
    return is(c, col, &v, v.kind == PXI_INT) ? v.u.i : 0;
}

double prax_col_f64(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    if (v.kind == PXI_INT)
        return (double)v.u.i;
    if (is_numeric(&v))
        return pxi_real_read(v.u.p); /* the driver ends it in NUL */
    return is(c, col, &v, v.kind == PXI_REAL) ? v.u.f : 0;
}

const char *prax_col_text(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    return is(c, col, &v, v.kind == PXI_TEXT && !memchr(v.u.p, '\0', v.size)) ? v.u.p : NULL;
}

prax_bytes prax_col_bytes(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    if (!is(c, col, &v, v.kind == PXI_BLOB || v.kind == PXI_TEXT))
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
    return is(c, col, &v, fits) ? u : (prax_uuid){ .b = { 0 } };
}

prax_ulid prax_col_ulid(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    prax_ulid u = { .b = { 0 } };
    bool fits = v.kind == PXI_TEXT && (v.type == PRAX_T_Uuid ? pxi_uuid_read(v.u.p, v.size, u.b)
                                                             : pxi_ulid_read(v.u.p, v.size, u.b));
    return is(c, col, &v, fits) ? u : (prax_ulid){ .b = { 0 } };
}

prax_date prax_col_date(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    bool fits = v.kind == PXI_INT && v.u.i == (int32_t)v.u.i;
    return (prax_date){ .days = is(c, col, &v, fits) ? (int32_t)v.u.i : 0 };
}

prax_tod prax_col_tod(const prax_cursor *c, int col)
{
    struct pxi_value v = cell(c, col);
    bool fits = v.kind == PXI_INT && v.u.i >= 0 && v.u.i <= PXI_TOD_MAX;
    return (prax_tod){ .us = is(c, col, &v, fits) ? v.u.i : 0 };
}

prax_decimal prax_col_decimal(const prax_cursor *c, int col, int32_t scale)
{
    struct pxi_value v = cell(c, col);
    bool exact, known = scale >= 0 && scale <= PXI_DECIMAL_DIGITS;
    if (is_numeric(&v) && known && pxi_decimal_read(v.u.p, v.size, (unsigned)scale, &v.u.i, &exact))
        v.kind = PXI_INT;
    return prax_decimal_of(is(c, col, &v, v.kind == PXI_INT) ? v.u.i : 0, scale);
}

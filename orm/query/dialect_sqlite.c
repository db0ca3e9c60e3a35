/* dialect_sqlite.c - SQLite's words.
 *
 * Patterns are GLOB where case counts, because LIKE folds ASCII unless a PRAGMA says otherwise for
 * a whole connection; the pattern is translated where it is bound. A list is one JSON array, so
 * that its length is no part of the statement. Arithmetic must never turn an integer into REAL as
 * SQLite does on overflow: abs() of the smallest integer is its way to fail in an expression.
 */
#include "orm/base/value.h"
#include "orm/query/dialect.h"

/* ---- arithmetic ---- */

static bool decimal_mul(const prax_column *c, enum prax_wr wr)
{
    return c->type == PRAX_T_Decimal && wr == PRAX_WR_MUL;
}

static unsigned arithmetic_params(const prax_column *c, enum prax_wr wr)
{
    return c->type == PRAX_T_Float ? 1 : decimal_mul(c, wr) ? 6 : 3;
}

/* The new value, unchecked. A product of two scaled integers has both scales; the factor's is
 * divided away, half rounding away from zero. */
static void raw_result(struct pxi_sql *q, const prax_column *c, enum prax_wr wr, int scale)
{
    if (!decimal_mul(c, wr)) {
        pxi_sql_template(q, wr == PRAX_WR_ADD ? "@ + ?" : "@ * ?", c);
        return;
    }
    int64_t by = pxi_pow10[scale];
    pxi_sql_template(q, "(@ * ? + CASE WHEN (@ < 0) = (? < 0) THEN ", c);
    pxi_sql_number(q, by / 2);
    pxi_sql_add(q, " ELSE ");
    pxi_sql_number(q, -(by / 2));
    pxi_sql_add(q, " END) / ");
    pxi_sql_number(q, by);
}

static void arithmetic(struct pxi_sql *q, const prax_column *c, enum prax_wr wr, int scale)
{
    int64_t min, max;
    if (c->type == PRAX_T_Float) {
        raw_result(q, c, wr, scale);
        return;
    }
    pxi_column_range(c, &min, &max);
    pxi_sql_template(q, "CASE WHEN @ IS NULL THEN NULL WHEN typeof(", c);
    raw_result(q, c, wr, scale);
    pxi_sql_add(q, ") = 'integer' AND ");
    raw_result(q, c, wr, scale);
    pxi_sql_add(q, " BETWEEN ");
    pxi_sql_number(q, min);
    pxi_sql_add(q, " AND ");
    pxi_sql_number(q, max);
    pxi_sql_add(q, " THEN ");
    raw_result(q, c, wr, scale);
    /* not a constant, else it would be computed, and fail, before the first row */
    pxi_sql_template(q, " ELSE abs(-9223372036854775807 - 1 + 0 * @) END", c);
}

/* ---- the dialect ---- */

#define ARRAY "(SELECT value FROM json_each(?))"

const struct pxi_dialect pxi_dialect_sqlite = {
    .engine = PXI_SQLITE,
    .compare = {
        [PRAX_OP_EQ] = { "@ = ?", "@ COLLATE NOCASE = ?" },
        [PRAX_OP_NE] = { "@ <> ?", "@ COLLATE NOCASE <> ?" },
        [PRAX_OP_LT] = { "@ < ?", "@ COLLATE NOCASE < ?" },
        [PRAX_OP_LE] = { "@ <= ?", "@ COLLATE NOCASE <= ?" },
        [PRAX_OP_GT] = { "@ > ?", "@ COLLATE NOCASE > ?" },
        [PRAX_OP_GE] = { "@ >= ?", "@ COLLATE NOCASE >= ?" },
        [PRAX_OP_BETWEEN] = { "@ BETWEEN ? AND ?", "@ COLLATE NOCASE BETWEEN ? AND ?" },
        [PRAX_OP_IN] = { "@ IN " ARRAY, "@ COLLATE NOCASE IN " ARRAY },
        [PRAX_OP_NOT_IN] = { "@ NOT IN " ARRAY, "@ COLLATE NOCASE NOT IN " ARRAY },
        [PRAX_OP_NULL] = { "@ IS NULL", "@ IS NULL" },
        [PRAX_OP_NOT_NULL] = { "@ IS NOT NULL", "@ IS NOT NULL" },
        [PRAX_OP_LIKE] = { "@ GLOB ?", "@ LIKE ? ESCAPE '\\'" },
        [PRAX_OP_CONTAINS] = { "instr(@, ?) > 0", "@ LIKE ? ESCAPE '\\'" },
        [PRAX_OP_STARTS] = { "@ GLOB ?", "@ LIKE ? ESCAPE '\\'" },
        [PRAX_OP_ENDS] = { "@ GLOB ?", "@ LIKE ? ESCAPE '\\'" },
        [PRAX_OP_PATH_EQ] = { "@ -> ? = json(?)", NULL },
    },
    .nulls = { "", " ASC NULLS LAST", " DESC NULLS FIRST", " ASC NULLS FIRST",
               " DESC NULLS LAST" },
    .order = "",
    .no_limit = "-1",
    .lock = { "", "", "" }, /* a writing transaction has all of it */
    .arithmetic = arithmetic,
    .arithmetic_params = arithmetic_params,
};

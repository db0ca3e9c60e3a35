/* dialect.c - see dialect.h. SQLite's words.
 *
 * Patterns are GLOB where case counts, because LIKE folds ASCII unless a PRAGMA says otherwise for
 * a whole connection; the pattern is translated where it is bound. A list is one JSON array, so
 * that its length is no part of the statement. Arithmetic must never turn an integer into REAL as
 * SQLite does on overflow: abs() of the smallest integer is its way to fail in an expression.
 */
#include "orm/query/dialect.h"
#include "orm/base/value.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ARRAY "(SELECT value FROM json_each(?))"

const struct pxi_dialect pxi_dialect_sqlite = {
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
    .no_limit = "-1",
};

void pxi_sql_begin(struct pxi_sql *q, const struct pxi_dialect *d, struct pxi_arena *arena)
{
    *q = (struct pxi_sql){ .d = d, .arena = arena };
}

static void add(struct pxi_sql *q, const char *text, size_t size)
{
    if (q->size + size + 1 > q->room) {
        size_t room = 2 * (q->size + size) + 256;
        char *more = pxi_arena_extend(q->arena, q->text, q->room, room);
        if (!more) {
            q->broken = true;
            return;
        }
        q->text = more;
        q->room = room;
    }
    memcpy(q->text + q->size, text, size);
    q->size += size;
    q->text[q->size] = '\0';
}

void pxi_sql_add(struct pxi_sql *q, const char *text)
{
    add(q, text, strlen(text));
}

void pxi_sql_name(struct pxi_sql *q, const char *name)
{
    add(q, "\"", 1);
    for (const char *p; (p = strchr(name, '"')) != NULL; name = p + 1) {
        add(q, name, (size_t)(p - name));
        add(q, "\"\"", 2);
    }
    add(q, name, strlen(name));
    add(q, "\"", 1);
}

void pxi_sql_number(struct pxi_sql *q, int64_t x)
{
    char digits[24];
    add(q, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, x));
}

void pxi_sql_param(struct pxi_sql *q)
{
    q->params++;
    add(q, "?", 1);
}

void pxi_sql_params(struct pxi_sql *q, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (i)
            add(q, ", ", 2);
        pxi_sql_param(q);
    }
}

void pxi_sql_template(struct pxi_sql *q, const char *t, const char *column)
{
    while (*t) {
        size_t n = strcspn(t, "@?");
        add(q, t, n);
        t += n;
        if (*t == '@') {
            pxi_sql_name(q, column);
        } else if (*t == '?') {
            pxi_sql_param(q);
        }
        t += *t != '\0';
    }
}

/* ---- arithmetic ---- */

void pxi_column_range(const prax_column *c, int64_t *min, int64_t *max)
{
    switch (c->type) {
    case PRAX_T_Int:
        *min = INT32_MIN;
        *max = INT32_MAX;
        break;
    case PRAX_T_SmallInt:
        *min = INT16_MIN;
        *max = INT16_MAX;
        break;
    case PRAX_T_Decimal:
        *max =
            pxi_pow10[c->precision <= PXI_DECIMAL_DIGITS ? c->precision : PXI_DECIMAL_DIGITS] - 1;
        *min = -*max;
        break;
    default:
        *min = INT64_MIN;
        *max = INT64_MAX;
        break;
    }
}

static bool decimal_mul(const prax_column *c, enum prax_wr wr)
{
    return c->type == PRAX_T_Decimal && wr == PRAX_WR_MUL;
}

unsigned pxi_sql_arithmetic_params(const prax_column *c, enum prax_wr wr)
{
    return c->type == PRAX_T_Float ? 1 : decimal_mul(c, wr) ? 6 : 3;
}

/* The new value, unchecked. A product of two scaled integers has both scales; the factor's is
 * divided away, half rounding away from zero. */
static void raw_result(struct pxi_sql *q, const prax_column *c, enum prax_wr wr, int scale)
{
    if (!decimal_mul(c, wr)) {
        pxi_sql_template(q, wr == PRAX_WR_ADD ? "@ + ?" : "@ * ?", c->db_name);
        return;
    }
    int64_t by = pxi_pow10[scale];
    pxi_sql_template(q, "(@ * ? + CASE WHEN (@ < 0) = (? < 0) THEN ", c->db_name);
    pxi_sql_number(q, by / 2);
    pxi_sql_add(q, " ELSE ");
    pxi_sql_number(q, -(by / 2));
    pxi_sql_add(q, " END) / ");
    pxi_sql_number(q, by);
}

void pxi_sql_arithmetic(struct pxi_sql *q, const prax_column *c, enum prax_wr wr, int scale)
{
    int64_t min, max;
    if (c->type == PRAX_T_Float) {
        raw_result(q, c, wr, scale);
        return;
    }
    pxi_column_range(c, &min, &max);
    pxi_sql_template(q, "CASE WHEN @ IS NULL THEN NULL WHEN typeof(", c->db_name);
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
    pxi_sql_template(q, " ELSE abs(-9223372036854775807 - 1 + 0 * @) END", c->db_name);
}

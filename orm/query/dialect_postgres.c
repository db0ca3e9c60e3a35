/* dialect_postgres.c - PostgreSQL's words.
 *
 * Placeholders are $1, $2, ...; what they are is what the server infers from the column beside
 * them, so most need no cast. Integers are compared as bigint: a value that no integer column can
 * hold is then unequal, as on SQLite, and not an error; indexes serve both. Text is ordered and
 * folded by COLLATE "C", bytes and ASCII letters, whatever the database's default is; equality
 * needs no collation, so that any index on the column serves it. A list is one array parameter.
 *
 * Arithmetic fails by itself on overflow, and numeric(p, s) rounds half away from zero, as we do.
 */
#include "orm/query/dialect.h"

#define C_ORDER     " COLLATE \"C\""
#define FOLD(x)     "lower(" x C_ORDER ")"
#define FOLDED_LIST "(SELECT " FOLD("x") " FROM unnest(?::text[]) AS x)"

static unsigned arithmetic_params(const prax_column *c, enum prax_wr wr)
{
    (void)c, (void)wr;
    return 1;
}

static void arithmetic(struct pxi_sql *q, const prax_column *c, enum prax_wr wr, int scale)
{
    (void)scale; /* the parameter has it */
    pxi_sql_template(q, wr == PRAX_WR_ADD ? "@ + ?#" : "@ * ?#", c);
}

const struct pxi_dialect pxi_dialect_postgres = {
    .engine = PXI_POSTGRES,
    .compare = {
        [PRAX_OP_EQ] = { "@ = ?#" },
        [PRAX_OP_NE] = { "@ <> ?#" },
        [PRAX_OP_LT] = { "@ < ?#" },
        [PRAX_OP_LE] = { "@ <= ?#" },
        [PRAX_OP_GT] = { "@ > ?#" },
        [PRAX_OP_GE] = { "@ >= ?#" },
        [PRAX_OP_BETWEEN] = { "@ BETWEEN ?# AND ?#" },
        [PRAX_OP_IN] = { "@ = ANY (?~)" },
        [PRAX_OP_NOT_IN] = { "@ <> ALL (?~)" },
        [PRAX_OP_NULL] = { "@ IS NULL", "@ IS NULL" },
        [PRAX_OP_NOT_NULL] = { "@ IS NOT NULL", "@ IS NOT NULL" },
        [PRAX_OP_PATH_EQ] = { "jsonb_path_query_first(@, ?::text::jsonpath, '{}', true) = "
                              "?::text::jsonb" },
        [PRAX_OP_HAS] = { "@ @@> ?" },
        [PRAX_OP_HAS_ALL] = { "@ @@> ?" },
        [PRAX_OP_HAS_ANY] = { "@ && ?" },
        [PRAX_OP_LIST_EQ] = { "@ = ?" },
    },
    .compare_text = {
        [PRAX_OP_EQ] = { NULL, FOLD("@") " = " FOLD("?") },
        [PRAX_OP_NE] = { NULL, FOLD("@") " <> " FOLD("?") },
        [PRAX_OP_LT] = { "@" C_ORDER " < ?", FOLD("@") " < " FOLD("?") },
        [PRAX_OP_LE] = { "@" C_ORDER " <= ?", FOLD("@") " <= " FOLD("?") },
        [PRAX_OP_GT] = { "@" C_ORDER " > ?", FOLD("@") " > " FOLD("?") },
        [PRAX_OP_GE] = { "@" C_ORDER " >= ?", FOLD("@") " >= " FOLD("?") },
        [PRAX_OP_BETWEEN] = { "@" C_ORDER " BETWEEN ? AND ?",
                              FOLD("@") " BETWEEN " FOLD("?") " AND " FOLD("?") },
        [PRAX_OP_IN] = { NULL, FOLD("@") " IN " FOLDED_LIST },
        [PRAX_OP_NOT_IN] = { NULL, FOLD("@") " NOT IN " FOLDED_LIST },
        [PRAX_OP_LIKE] = { "@" C_ORDER " LIKE ?", "@" C_ORDER " ILIKE ?" },
        [PRAX_OP_CONTAINS] = { "@" C_ORDER " LIKE ?", "@" C_ORDER " ILIKE ?" },
        [PRAX_OP_STARTS] = { "@" C_ORDER " LIKE ?", "@" C_ORDER " ILIKE ?" },
        [PRAX_OP_ENDS] = { "@" C_ORDER " LIKE ?", "@" C_ORDER " ILIKE ?" },
    },
    .cast = { [PRAX_T_Int] = "int8", [PRAX_T_SmallInt] = "int8" },
    .item = {
        [PRAX_T_Int] = "int4",       [PRAX_T_SmallInt] = "int2",      [PRAX_T_BigInt] = "int8",
        [PRAX_T_Boolean] = "bool",   [PRAX_T_Float] = "float8",       [PRAX_T_Decimal] = "numeric",
        [PRAX_T_Numeric] = "numeric", [PRAX_T_String] = "text",       [PRAX_T_Uuid] = "uuid",
        [PRAX_T_DateTime] = "timestamptz", [PRAX_T_Date] = "date",    [PRAX_T_Time] = "time",
        [PRAX_T_Ulid] = "uuid",      [PRAX_T_Bytes] = "bytea",        [PRAX_T_Json] = "jsonb",
        [PRAX_T_Enum] = "text",
    },
    .order = C_ORDER,
    .nulls = { "", "", " DESC", " NULLS FIRST", " DESC NULLS LAST" },
    .no_limit = "ALL",
    .lock = { " FOR UPDATE", " FOR UPDATE SKIP LOCKED", " FOR UPDATE NOWAIT" },
    .arithmetic = arithmetic,
    .arithmetic_params = arithmetic_params,
};

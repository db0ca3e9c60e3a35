/* typed.h - typed SQL: a file of named statements, checked against a schema, that become functions.
 *
 *   -- name: top_authors :many          :one, :many or :exec
 *   -- param min: Int                   where the statement does not tell
 *   -- column posts: BigInt
 *   SELECT u.id, u.name, count(*) AS posts FROM users u ... WHERE p.views >= :min
 *
 * The one idea: no grammar of SQL, but its tokens, and what can be said of them for certain. Tables
 * behind FROM, JOIN, INTO and UPDATE must be in the schema; columns behind a table's name, too. A
 * result that is a column, a count or a cast has its type; so has a parameter beside a column. What
 * is not certain must be written down; nothing is guessed. Names in SQL are those of the database.
 *
 * The tree lives in the arena of the diagnostics; types are those of struct pxi_column, of which
 * name, type, c_name and db_name (the name in the result) are set. Pure, as all of the compiler.
 */
#ifndef PXI_SCHEMA_TYPED_H
#define PXI_SCHEMA_TYPED_H
#include "orm/schema/names.h"

enum pxi_typed_kind { PXI_TYPED_ONE, PXI_TYPED_MANY, PXI_TYPED_EXEC };

struct pxi_typed {
    struct pxi_name name;
    const char *c_name;
    enum pxi_typed_kind kind;
    const char *sql;          /* with ? for the parameters, and ?? for a ? */
    const char *postgres;     /* the same with casts of parameters whose type was said; or NULL */
    const char *table;        /* the first one that it names; "" if there is none */
    pxi_columns params;       /* each once, in order of its first use */
    PXI_LIST(uint16_t) marks; /* the parameter of each ? */
    pxi_columns columns;      /* of the result; EXEC has none */
};
typedef PXI_LIST(struct pxi_typed) pxi_typed_list;

enum { PXI_TYPED_PARAMS_MAX = 1000 }; /* of a statement: SQLite takes 32766 */

/* Reads src against a schema without diagnostics. NULL: memory is out; else the list, which is
 * right if there are no diagnostics. */
const pxi_typed_list *pxi_typed_read(struct pxi_diags *diags, const struct pxi_source *src,
                                     const struct pxi_schema *schema);

/* ---- between typed.c, typed_token.c and typed_infer.c ---- */

enum pxi_sql_kind {
    PXI_SQL_WORD,  /* select, users; small letters */
    PXI_SQL_NAME,  /* "users", without its quotes */
    PXI_SQL_PARAM, /* :min, without its colon */
    PXI_SQL_NUMBER,
    PXI_SQL_STRING,
    PXI_SQL_SIGN, /* one character or ::, <=, >=, <>, != */
};
struct pxi_sql_token {
    enum pxi_sql_kind kind;
    struct pxi_span at;
    const char *text;
    const char *instead; /* what is sent in its place; or NULL */
    uint16_t depth;      /* of parentheses around it; of one itself, of what it is in */
    bool table;          /* names a table, in front of a point or not */
};
typedef PXI_LIST(struct pxi_sql_token) pxi_sql_tokens;

/* What a statement is read with. */
struct pxi_typing {
    struct pxi_diags *diags;
    struct pxi_arena *arena;
    const struct pxi_source *src;
    const struct pxi_schema *schema;
    struct pxi_typed *query;
    pxi_sql_tokens tokens;
    pxi_columns said_params, said_columns; /* lines of -- param and -- column */
    pxi_texts said_tables;                 /* of -- table */
    struct pxi_sql_table {
        const char *alias;
        const struct pxi_model *model; /* NULL: nothing is known of its columns */
        bool nullable;                 /* an outer join may bring NULL for its row */
    } * tables;
    uint32_t n_tables, tables_room;
};

/* Tokens of text[from, to) of the source; false after a diagnostic or without memory. */
bool pxi_sql_scan(struct pxi_typing *t, uint32_t from, uint32_t to);
static inline bool pxi_sql_is(const struct pxi_typing *t, uint32_t i, const char *text)
{
    return i < t->tokens.count && t->tokens.items[i].kind != PXI_SQL_NAME &&
           t->tokens.items[i].kind != PXI_SQL_STRING && t->tokens.items[i].kind != PXI_SQL_PARAM &&
           __builtin_strcmp(t->tokens.items[i].text, text) == 0;
}
/* "Decimal(10, 2)?" at text[size] into c; false: no such type, without a diagnostic. */
bool pxi_typed_type(const struct pxi_typing *t, const char *text, size_t size,
                    struct pxi_column *c);
/* The C name of a parameter or column, or NULL after a diagnostic. */
const char *pxi_typed_member(struct pxi_typing *t, const char *name, struct pxi_span at);
/* Tables, columns of the result, parameters: what can be inferred, into the query. */
void pxi_typed_tables(struct pxi_typing *t);
void pxi_typed_columns(struct pxi_typing *t);
void pxi_typed_params(struct pxi_typing *t);

#endif

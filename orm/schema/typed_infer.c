/* typed_infer.c - tables, result columns and parameters of a statement: what its tokens say for
 * certain. See typed.h. */
#include "orm/schema/text.h"
#include "orm/schema/typed.h"
#include <string.h>

static const struct pxi_sql_token *token(const struct pxi_typing *t, uint32_t i)
{
    static const struct pxi_sql_token none = { .kind = PXI_SQL_SIGN, .text = "" };
    return i < t->tokens.count ? &t->tokens.items[i] : &none;
}

static bool is_name(const struct pxi_typing *t, uint32_t i)
{
    enum pxi_sql_kind kind = token(t, i)->kind;
    return kind == PXI_SQL_WORD || kind == PXI_SQL_NAME;
}

static bool is_any(const struct pxi_typing *t, uint32_t i, const char *words)
{
    const struct pxi_sql_token *k = token(t, i);
    char word[32];
    if (k->kind != PXI_SQL_WORD || strlen(k->text) > sizeof word - 3)
        return false;
    word[0] = ' ';
    memcpy(stpcpy(word + 1, k->text), " ", 2);
    return strstr(words, word) != NULL;
}

/* Behind the parenthesis that opens at i. */
static uint32_t behind(const struct pxi_typing *t, uint32_t i)
{
    uint16_t depth = token(t, i)->depth;
    do {
        i++;
    } while (i < t->tokens.count && !(pxi_sql_is(t, i, ")") && token(t, i)->depth == depth));
    return i + 1;
}

/* A name of the schema; words that are not quoted have no case. */
static bool is_same(const struct pxi_sql_token *k, const char *name)
{
    return k->kind == PXI_SQL_NAME ? !strcmp(k->text, name) : !strcasecmp(k->text, name);
}

/* ---- tables ---- */

static const char ends_table[] =
    " where join inner left right full cross natural on using group order having limit offset "
    "union intersect except set values returning window for select default not indexed fetch when "
    "do lateral as then ";

static struct pxi_sql_table *add_table(struct pxi_typing *t)
{
    struct pxi_sql_table *tables = t->tables;
    if (t->n_tables == t->tables_room)
        tables = pxi_list_grow(t->arena, tables, t->n_tables, &t->tables_room, sizeof *tables);
    if (!tables)
        return NULL;
    t->tables = tables;
    return memset(&t->tables[t->n_tables++], 0, sizeof *tables);
}

static const struct pxi_model *model_of(const struct pxi_typing *t, const struct pxi_sql_token *k)
{
    for (uint32_t i = 0; i < t->schema->models.count; i++) {
        if (is_same(k, t->schema->models.items[i].table))
            return &t->schema->models.items[i];
    }
    return NULL;
}

/* WITH name AS (, name (a, b) AS (: a table of the statement's own. */
static bool is_own(const struct pxi_typing *t, const struct pxi_sql_token *k)
{
    for (uint32_t i = 0; i + 1 < t->tokens.count; i++) {
        if (!is_name(t, i) || strcmp(token(t, i)->text, k->text) != 0)
            continue;
        uint32_t next = pxi_sql_is(t, i + 1, "(") ? behind(t, i + 1) : i + 1;
        if (!pxi_sql_is(t, next++, "as"))
            continue;
        while (is_any(t, next, " not materialized "))
            next++;
        if (pxi_sql_is(t, next, "("))
            return true;
    }
    return false;
}

static bool is_declared(const struct pxi_typing *t, const struct pxi_sql_token *k)
{
    for (uint32_t i = 0; i < t->said_tables.count; i++) {
        if (t->said_tables.items[i] && is_same(k, t->said_tables.items[i]))
            return true;
    }
    for (uint32_t i = 0; i < t->schema->models.count; i++) {
        const struct pxi_model *m = &t->schema->models.items[i];
        for (uint32_t r = 0; r < m->relations.count; r++) {
            if (m->relations.items[r].join_table && is_same(k, m->relations.items[r].join_table))
                return true;
        }
    }
    return is_own(t, k);
}

static void unknown_table(struct pxi_typing *t, const struct pxi_sql_token *k)
{
    struct pxi_suggest s = { .word = k->text };
    for (uint32_t i = 0; i < t->schema->models.count; i++)
        pxi_suggest_offer(&s, t->schema->models.items[i].table);
    pxi_diag(t->diags, QUERY_TABLE, k->at, k->text,
             s.best ? pxi_concat(t->arena, "did you mean '", s.best, "'?")
                    : "write -- table: and its name if it is not the schema's");
}

/* A table at i, with its alias; returns what is behind. */
static uint32_t read_table(struct pxi_typing *t, uint32_t i, bool nullable)
{
    struct pxi_sql_table *table = NULL;
    const struct pxi_sql_token *name = NULL;
    while (is_any(t, i, " lateral only "))
        i++;
    if (pxi_sql_is(t, i, "(")) { /* what is in it is read later */
        i = behind(t, i);
    } else if (is_name(t, i)) {
        t->tokens.items[i].table = true;
        while (pxi_sql_is(t, i + 1, ".") && is_name(t, i + 2)) {
            i += 2;
            t->tokens.items[i].table = true;
        }
        name = token(t, i++);
        if (pxi_sql_is(t, i, "(") && !pxi_sql_is(t, 0, "insert")) { /* a function's rows */
            name = NULL;
            i = behind(t, i);
        }
    } else {
        return i;
    }
    table = add_table(t);
    if (!table)
        return i;
    *table = (struct pxi_sql_table){ .nullable = nullable };
    if (name) {
        table->model = model_of(t, name);
        table->alias = name->text;
        if (!table->model && !is_declared(t, name))
            unknown_table(t, name);
    }
    i += pxi_sql_is(t, i, "as");
    if (is_name(t, i) && !is_any(t, i, ends_table)) {
        table->alias = token(t, i)->text;
        t->tokens.items[i].table = true;
        i++;
    }
    return i;
}

/* FROM of a SELECT or DELETE, not that of extract(year FROM x): the word stands before it within
 * the same parentheses. */
static bool is_from(const struct pxi_typing *t, uint32_t i)
{
    uint16_t depth = token(t, i)->depth;
    if (pxi_sql_is(t, i - 1, "distinct"))
        return false;
    for (uint32_t k = i; k-- > 0 && token(t, k)->depth >= depth;) {
        if (token(t, k)->depth == depth && is_any(t, k, " select delete update "))
            return true;
    }
    return false;
}

static bool is_outer(const struct pxi_typing *t, uint32_t join, const char *side)
{
    uint32_t i = join - (join > 0 && pxi_sql_is(t, join - 1, "outer"));
    return i > 0 && is_any(t, i - 1, side);
}

void pxi_typed_tables(struct pxi_typing *t)
{
    for (uint32_t i = 0; i < t->tokens.count; i++) {
        if (is_any(t, i, " from ") && i > 0 && is_from(t, i)) {
            uint32_t next = read_table(t, i + 1, false);
            while (pxi_sql_is(t, next, ",") && token(t, next)->depth == token(t, i)->depth)
                next = read_table(t, next + 1, false);
        } else if (is_any(t, i, " join ")) {
            for (uint32_t k = 0; k < t->n_tables && is_outer(t, i, " right full "); k++)
                t->tables[k].nullable = true;
            read_table(t, i + 1, is_outer(t, i, " left full "));
        } else if (is_any(t, i, " into ") ||
                   (is_any(t, i, " update ") && !is_any(t, i - (i > 0), " for do ") &&
                    !pxi_sql_is(t, i + 1, "set"))) {
            read_table(t, i + 1, false);
        }
    }
    t->query->table = "";
    for (uint32_t k = t->n_tables; k-- > 0;) {
        if (t->tables[k].model)
            t->query->table = t->tables[k].model->table;
    }
}

/* ---- columns ---- */

static const struct pxi_column *column_in(const struct pxi_model *m, const struct pxi_sql_token *k)
{
    for (uint32_t i = 0; i < m->columns.count; i++) {
        if (is_same(k, m->columns.items[i].db_name))
            return &m->columns.items[i];
    }
    return NULL;
}

static void unknown_column(struct pxi_typing *t, const struct pxi_sql_token *k,
                           const struct pxi_model *m)
{
    struct pxi_suggest s = { .word = k->text };
    for (uint32_t i = 0; i < m->columns.count; i++)
        pxi_suggest_offer(&s, m->columns.items[i].db_name);
    pxi_diag(t->diags, QUERY_COLUMN, k->at, k->text, m->table, s.best);
}

static const struct pxi_sql_table *table_called(const struct pxi_typing *t,
                                                const struct pxi_sql_token *k)
{
    static struct pxi_sql_table excluded;
    for (uint32_t i = 0; i < t->n_tables; i++) {
        if (t->tables[i].alias && is_same(k, t->tables[i].alias))
            return &t->tables[i];
    }
    if (!strcmp(k->text, "excluded") && t->n_tables)
        return &t->tables[0];
    return &excluded;
}

/* Behind a table's name. */
static const struct pxi_column *qualified(struct pxi_typing *t, uint32_t i, bool *nullable)
{
    const struct pxi_sql_table *table = table_called(t, token(t, i));
    *nullable = table->nullable;
    if (!table->model)
        return NULL;
    const struct pxi_column *found = column_in(table->model, token(t, i + 2));
    if (!found && !pxi_sql_is(t, i + 3, "("))
        unknown_column(t, token(t, i + 2), table->model);
    return found;
}

/* Alone: of whatever table has it, unless two differ, or of a table that nothing is known of. */
static const struct pxi_column *unqualified(const struct pxi_typing *t, uint32_t i, bool *nullable)
{
    const struct pxi_column *found = NULL;
    for (uint32_t k = 0; k < t->n_tables; k++) {
        const struct pxi_sql_table *table = &t->tables[k];
        const struct pxi_column *c = table->model ? column_in(table->model, token(t, i)) : NULL;
        if (!table->model ||
            (c && found && (c->type != found->type || c->enum_type != found->enum_type)))
            return NULL;
        *nullable |= c && table->nullable;
        found = c ? c : found;
    }
    return found;
}

/* The column that the tokens at i are, alone or behind a table's name; *size: how many they are.
 * NULL: none, or not for certain. A name that is wrong for certain is a diagnostic. */
static const struct pxi_column *column_at(struct pxi_typing *t, uint32_t i, uint32_t *size,
                                          bool *nullable)
{
    bool point = pxi_sql_is(t, i + 1, ".") && is_name(t, i + 2);
    *size = 1;
    *nullable = false;
    if (!is_name(t, i) || token(t, i)->table)
        return NULL;
    if (!point)
        return pxi_sql_is(t, i + 1, "(") ? NULL : unqualified(t, i, nullable);
    *size = 3;
    return qualified(t, i, nullable);
}

/* ---- the result ---- */

static const struct pxi_column *said(const pxi_columns *list, const char *name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (!strcmp(list->items[i].name.text, name))
            return &list->items[i];
    }
    return NULL;
}

static void add_column(struct pxi_typing *t, const struct pxi_column *type, bool nullable,
                       const char *name, struct pxi_span at)
{
    const struct pxi_column *mine = said(&t->said_columns, name);
    if (said(&t->query->columns, name)) {
        pxi_diag(t->diags, QUERY_TWICE, at, "column", name, "rename one with AS");
        return;
    }
    if (!type && !mine) {
        pxi_diag(t->diags, QUERY_COLUMN_TYPE, at, name);
        return;
    }
    struct pxi_column *c = pxi_list_add(t->arena, &t->query->columns);
    if (!c)
        return;
    const struct pxi_column *from = mine ? mine : type;
    *c = (struct pxi_column){ .name = { name, at },
                              .more = &pxi_column_plain,
                              .db_name = name,
                              .type = from->type,
                              .enum_type = from->enum_type,
                              .precision = from->precision,
                              .scale = from->scale,
                              .list = from->list,
                              .optional = from->optional || (nullable && !mine) };
    c->c_name = pxi_typed_member(t, name, at);
}

/* a.* as the columns that C knows, each by its name. */
static void add_all(struct pxi_typing *t, uint32_t star, const struct pxi_sql_token *only)
{
    struct pxi_buf text = { 0 };
    struct pxi_sql_token *k = &t->tokens.items[star];
    for (uint32_t i = 0; i < t->n_tables; i++) {
        const struct pxi_sql_table *table = &t->tables[i];
        if (only && !(table->alias && is_same(only, table->alias)))
            continue;
        if (!table->model) {
            pxi_diag(t->diags, QUERY_COLUMN_TYPE, k->at, "*");
            continue;
        }
        for (uint32_t c = 0; c < table->model->c_columns; c++) {
            const struct pxi_column *column = &table->model->columns.items[c];
            pxi_buf_fmt(&text, "%s\"%s\".\"%s\"", text.size ? ", " : "", table->alias,
                        column->db_name);
            add_column(t, column, table->nullable, column->db_name, k->at);
        }
    }
    k->instead =
        pxi_buf_ok(&text) && text.size ? pxi_arena_text(t->arena, text.data, text.size) : NULL;
    pxi_buf_free(&text);
}

static const struct {
    const char *sql;
    enum prax_type type;
} cast_types[] = {
    { "smallint", PRAX_T_SmallInt },    { "int2", PRAX_T_SmallInt },   { "int", PRAX_T_Int },
    { "integer", PRAX_T_Int },          { "int4", PRAX_T_Int },        { "bigint", PRAX_T_BigInt },
    { "int8", PRAX_T_BigInt },          { "text", PRAX_T_String },     { "varchar", PRAX_T_String },
    { "bool", PRAX_T_Boolean },         { "boolean", PRAX_T_Boolean }, { "real", PRAX_T_Float },
    { "float8", PRAX_T_Float },         { "double", PRAX_T_Float },    { "uuid", PRAX_T_Uuid },
    { "timestamptz", PRAX_T_DateTime }, { "date", PRAX_T_Date },       { "time", PRAX_T_Time },
    { "bytea", PRAX_T_Bytes },          { "blob", PRAX_T_Bytes },      { "jsonb", PRAX_T_Json },
    { "numeric", PRAX_T_Numeric },
};

static bool cast_type(const struct pxi_typing *t, uint32_t i, struct pxi_column *c)
{
    for (size_t k = 0; k < sizeof cast_types / sizeof *cast_types; k++) {
        if (!pxi_sql_is(t, i, cast_types[k].sql))
            continue;
        c->type = cast_types[k].type;
        /* an INTEGER of SQLite has 64 bits; it knows neither dates nor exact numbers */
        bool sqlite = t->schema->database[PXI_DB_SQLITE];
        if (sqlite && c->type == PRAX_T_Int)
            c->type = PRAX_T_BigInt;
        return !sqlite || c->type == PRAX_T_BigInt || c->type == PRAX_T_String ||
               c->type == PRAX_T_Float || c->type == PRAX_T_Bytes;
    }
    return false;
}

/* count(...), CAST(... AS type) and ...::type at [i, end): their type into *c. */
static bool expression_type(const struct pxi_typing *t, uint32_t i, uint32_t end,
                            struct pxi_column *c)
{
    *c = (struct pxi_column){ .more = &pxi_column_plain, .optional = true };
    if (pxi_sql_is(t, i, "count") && pxi_sql_is(t, i + 1, "(") && behind(t, i + 1) == end) {
        c->type = PRAX_T_BigInt;
        c->optional = false;
        return true;
    }
    if (end - i >= 3 && pxi_sql_is(t, end - 2, "::"))
        return cast_type(t, end - 1, c);
    return pxi_sql_is(t, i, "cast") && pxi_sql_is(t, i + 1, "(") && behind(t, i + 1) == end &&
           end >= 4 && pxi_sql_is(t, end - 3, "as") && cast_type(t, end - 2, c);
}

/* * or a.* */
static bool read_star(struct pxi_typing *t, uint32_t i, uint32_t end)
{
    bool behind_name = end - i == 3 && pxi_sql_is(t, i + 1, ".");
    if (!pxi_sql_is(t, end - 1, "*") || (end - i != 1 && !behind_name))
        return false;
    add_all(t, end - 1, behind_name ? token(t, i) : NULL);
    for (uint32_t k = i; k + 1 < end; k++)
        t->tokens.items[k].instead = "";
    return true;
}

/* A lone name that the only table has not. */
static bool is_unknown(const struct pxi_typing *t, uint32_t i, const char *name)
{
    return is_name(t, i) && t->n_tables == 1 && t->tables[0].model && !said(&t->said_columns, name);
}

/* One item of the list, [i, end). */
static void read_item(struct pxi_typing *t, uint32_t i, uint32_t end)
{
    struct pxi_column made;
    bool nullable = false;
    uint32_t size = 0;
    if (i >= end || read_star(t, i, end))
        return;
    bool alias = end - i >= 3 && pxi_sql_is(t, end - 2, "as") && is_name(t, end - 1);
    uint32_t stop = alias ? end - 2 : end;
    const struct pxi_sql_token *name = token(t, end - 1);
    const struct pxi_column *c = column_at(t, i, &size, &nullable);
    bool whole = i + size == stop;
    if (whole && !c && size == 1 && is_unknown(t, i, name->text)) {
        unknown_column(t, token(t, i), t->tables[0].model);
        return;
    }
    if (!alias && !(whole && is_name(t, i))) {
        pxi_diag(t->diags, QUERY_UNNAMED, token(t, i)->at);
        return;
    }
    const struct pxi_column *type = whole ? c : NULL;
    if (!type && expression_type(t, i, stop, &made))
        type = &made;
    add_column(t, type, nullable, !alias && c ? c->db_name : name->text, name->at);
}

/* The first word of the result's columns, or the number of tokens: the statement has no rows. */
static uint32_t result_at(const struct pxi_typing *t)
{
    bool changes = false;
    for (uint32_t i = 0; i < t->tokens.count; i++) {
        if (token(t, i)->depth)
            continue;
        changes |= is_any(t, i, " insert update delete merge replace ");
        if (is_any(t, i, " returning ") || (!changes && is_any(t, i, " select ")))
            return i + 1;
    }
    return t->tokens.count;
}

static uint32_t skip_distinct(const struct pxi_typing *t, uint32_t i)
{
    while (is_any(t, i, " distinct all "))
        i++;
    return pxi_sql_is(t, i, "on") && pxi_sql_is(t, i + 1, "(") ? behind(t, i + 1) : i;
}

static void check_said(struct pxi_typing *t, const pxi_columns *list, const pxi_columns *there,
                       const char *what)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct pxi_column *c = &list->items[i];
        if (!said(there, c->name.text))
            pxi_diag(t->diags, QUERY_UNUSED, c->name.at, what, c->name.text);
    }
}

void pxi_typed_columns(struct pxi_typing *t)
{
    struct pxi_typed *q = t->query;
    uint32_t at = result_at(t), n = t->tokens.count, size;
    bool rows = at < n, nullable;
    if (rows != (q->kind != PXI_TYPED_EXEC)) {
        pxi_diag(t->diags, QUERY_ROWS, q->name.at, q->name.text, rows ? ":exec" : ":one or :many",
                 rows ? "its statement has rows" : "its statement has no rows");
        return;
    }
    uint32_t errors = t->diags->count;
    for (uint32_t i = 0; i < n; i++)
        column_at(t, i, &size, &nullable); /* what is wrong behind a table's name */
    if (t->diags->count > errors)
        return;
    uint32_t from = rows ? skip_distinct(t, at) : n;
    for (uint32_t i = from; rows && i <= n; i++) {
        bool end = i == n || (token(t, i)->depth == 0 &&
                              is_any(t, i, " from where union order limit group into window "));
        if (end || (pxi_sql_is(t, i, ",") && token(t, i)->depth == 0)) {
            read_item(t, from, i);
            from = i + 1;
        }
        if (end)
            break;
    }
    check_said(t, &t->said_columns, &q->columns, "column");
}

/* ---- parameters ---- */

static bool is_compare(const struct pxi_typing *t, uint32_t i)
{
    static const char *const signs[] = { "=", "<>", "!=", "<", "<=", ">", ">=" };
    for (size_t k = 0; k < sizeof signs / sizeof *signs; k++) {
        if (pxi_sql_is(t, i, signs[k]))
            return true;
    }
    return is_any(t, i, " like ilike is ");
}

/* The column that ends in front of i. */
static const struct pxi_column *column_before(struct pxi_typing *t, uint32_t i)
{
    uint32_t size;
    bool nullable;
    if (i == 0)
        return NULL;
    uint32_t from = i >= 3 && pxi_sql_is(t, i - 2, ".") ? i - 3 : i - 1;
    const struct pxi_column *c = column_at(t, from, &size, &nullable);
    return c && from + size == i ? c : NULL;
}

/* The parenthesis that is open at i. */
static uint32_t opening(const struct pxi_typing *t, uint32_t i)
{
    uint16_t depth = token(t, i)->depth;
    while (i > 0 && !(pxi_sql_is(t, i, "(") && token(t, i)->depth < depth))
        i--;
    return i;
}

/* The list of columns of an INSERT: its parenthesis, or 0. */
static uint32_t insert_list(const struct pxi_typing *t, uint32_t end)
{
    uint32_t k = 0;
    while (k < end && !pxi_sql_is(t, k, "into"))
        k++;
    while (k < end && !pxi_sql_is(t, k, "("))
        k++;
    return k < end && t->n_tables && t->tables[0].model ? k : 0;
}

/* INSERT INTO t (a, b) VALUES (:x, :y): the column at the parameter's place. */
static const struct pxi_column *inserted(struct pxi_typing *t, uint32_t i)
{
    uint32_t open = opening(t, i), list = insert_list(t, open), place = 0;
    bool alone = pxi_sql_is(t, i + 1, ")") || pxi_sql_is(t, i + 1, ",");
    bool values = false;
    for (uint32_t k = list; k < open; k++)
        values |= pxi_sql_is(t, k, "values");
    if (!list || !values || !alone)
        return NULL;
    for (uint32_t k = open; k < i; k++)
        place += pxi_sql_is(t, k, ",") && token(t, k)->depth == token(t, i)->depth;
    for (uint32_t k = list + 1; k < open && !pxi_sql_is(t, k, ")"); k++) {
        if (place == 0 && is_name(t, k))
            return column_in(t->tables[0].model, token(t, k));
        place -= place > 0 && pxi_sql_is(t, k, ",");
    }
    return NULL;
}

/* Whether the assignment at i is one of SET, not a condition. */
static bool is_set(const struct pxi_typing *t, uint32_t i)
{
    for (uint32_t k = i; k-- > 0 && token(t, k)->depth == token(t, i)->depth;) {
        if (is_any(t, k, " where on having select from "))
            return false;
        if (pxi_sql_is(t, k, "set"))
            return true;
    }
    return false;
}

static uint32_t without_not(const struct pxi_typing *t, uint32_t i)
{
    return i - (i > 0 && pxi_sql_is(t, i - 1, "not"));
}

/* a BETWEEN :x AND :y */
static const struct pxi_column *between(struct pxi_typing *t, uint32_t i)
{
    if (i >= 2 && is_any(t, i - 1, " between "))
        return column_before(t, without_not(t, i - 1));
    if (i >= 4 && is_any(t, i - 1, " and ") && is_any(t, i - 3, " between "))
        return column_before(t, without_not(t, i - 3));
    return NULL;
}

/* a IN (:x, :y) */
static const struct pxi_column *listed(struct pxi_typing *t, uint32_t i)
{
    uint32_t open = opening(t, i);
    return open >= 2 && pxi_sql_is(t, open - 1, "in") ? column_before(t, without_not(t, open - 1))
                                                      : NULL;
}

/* The column whose type the parameter at i has; *written: it is stored there, so it may be NULL. */
static const struct pxi_column *beside(struct pxi_typing *t, uint32_t i, bool *written)
{
    uint32_t size;
    bool nullable;
    const struct pxi_column *c = NULL;
    *written = false;
    if (i >= 2 && is_compare(t, i - 1)) {
        c = column_before(t, i - 1);
        *written = c && is_set(t, i);
    }
    c = c ? c : between(t, i);
    if (!c && is_compare(t, i + 1))
        c = column_at(t, i + 2, &size, &nullable);
    if (!c && i >= 1 && (pxi_sql_is(t, i - 1, "(") || pxi_sql_is(t, i - 1, ","))) {
        c = listed(t, i);
        *written = !c && (c = inserted(t, i)) != NULL;
    }
    return c;
}

static const char *type_text(struct pxi_typing *t, const struct pxi_column *c)
{
    static const char *const names[] = {
#define PRAX_TYPE(schema, ...) #schema,
#include <prax/types.def>
    };
    return pxi_concat(t->arena, c->enum_type ? c->enum_type->name.text : names[c->type],
                      c->list ? "[]" : "");
}

static uint16_t add_param(struct pxi_typing *t, const struct pxi_sql_token *k)
{
    struct pxi_typed *q = t->query;
    for (uint32_t i = 0; i < q->params.count; i++) {
        if (!strcmp(q->params.items[i].name.text, k->text))
            return (uint16_t)i;
    }
    struct pxi_column *c = pxi_list_add(t->arena, &q->params);
    if (!c)
        return 0;
    const struct pxi_column *mine = said(&t->said_params, k->text);
    if (mine)
        *c = *mine;
    c->name = (struct pxi_name){ k->text, k->at };
    c->more = &pxi_column_plain;
    c->db_name = k->text;
    c->c_name = pxi_typed_member(t, k->text, k->at);
    c->id = mine != NULL; /* its type is known */
    return (uint16_t)(q->params.count - 1);
}

/* What the place of a parameter says of its type, unless a line does. */
static void infer(struct pxi_typing *t, struct pxi_column *p, uint32_t i)
{
    static const struct pxi_column number = { .type = PRAX_T_BigInt };
    bool written = false;
    const struct pxi_column *c =
        is_any(t, i - (i > 0), " limit offset ") ? &number : beside(t, i, &written);
    if (!c || said(&t->said_params, p->name.text))
        return;
    if (p->id && (p->type != c->type || p->enum_type != c->enum_type || p->list != c->list)) {
        pxi_diag(t->diags, QUERY_PARAM_CLASH, token(t, i)->at, p->name.text, type_text(t, p),
                 type_text(t, c));
        return;
    }
    p->optional = p->id ? p->optional && written && c->optional : written && c->optional;
    p->id = true;
    p->type = c->type;
    p->enum_type = c->enum_type;
    p->precision = c->precision;
    p->scale = c->scale;
    p->list = c->list;
}

void pxi_typed_params(struct pxi_typing *t)
{
    struct pxi_typed *q = t->query;
    for (uint32_t i = 0; i < t->tokens.count && q->marks.count < PXI_TYPED_PARAMS_MAX; i++) {
        if (token(t, i)->kind != PXI_SQL_PARAM)
            continue;
        uint16_t at = add_param(t, token(t, i));
        uint16_t *mark = pxi_list_add(t->arena, &q->marks);
        if (!mark || at >= q->params.count)
            return;
        *mark = at;
        infer(t, &q->params.items[at], i);
    }
    for (uint32_t i = 0; i < q->params.count; i++) {
        struct pxi_column *p = &q->params.items[i];
        if (!p->id)
            pxi_diag(t->diags, QUERY_PARAM_TYPE, p->name.at, p->name.text);
        p->id = false;
    }
    check_said(t, &t->said_params, &q->params, "parameter");
}

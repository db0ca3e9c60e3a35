/* typed.c - see typed.h: the lines of a file of queries, and what belongs to a query. */
#include "orm/schema/typed.h"
#include "orm/schema/text.h"
#include <stdlib.h>
#include <string.h>

/* ---- types ---- */

static const char *const type_names[] = {
#define PRAX_TYPE(schema, ...) #schema,
#include <prax/types.def>
};

static bool is_text(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && memcmp(text, word, size) == 0;
}

/* (10, 2) */
static bool decimal_args(const char **p, const char *end, struct pxi_column *c)
{
    char args[16] = "";
    const char *close = memchr(*p, ')', (size_t)(end - *p));
    if (*p == end || **p != '(' || !close || close - *p >= (long)sizeof args)
        return false;
    memcpy(args, *p + 1, (size_t)(close - *p) - 1);
    *p = close + 1;
    char *rest, *last;
    long precision = strtol(args, &rest, 10);
    if (*rest != ',')
        return false;
    long scale = strtol(rest + 1, &last, 10);
    c->precision = (uint8_t)precision;
    c->scale = (uint8_t)scale;
    return *last == '\0' && precision >= 1 && precision <= 18 && scale >= 0 && scale <= precision;
}

bool pxi_typed_type(const struct pxi_typing *t, const char *text, size_t size, struct pxi_column *c)
{
    const char *end = text + size, *p = text;
    bool found = false;
    while (p < end &&
           (pxi_ascii_lower(*p) != pxi_ascii_upper(*p) || *p == '_' || (*p >= '0' && *p <= '9')))
        p++;
    for (unsigned i = 0; i < PRAX_T_Enum; i++) {
        if (is_text(text, (size_t)(p - text), type_names[i])) {
            c->type = (enum prax_type)i;
            found = true;
        }
    }
    for (uint32_t i = 0; i < t->schema->enums.count && !found; i++) {
        const struct pxi_enum *e = &t->schema->enums.items[i];
        if (is_text(text, (size_t)(p - text), e->name.text)) {
            c->type = PRAX_T_Enum;
            c->enum_type = e;
            found = true;
        }
    }
    if (!found || (c->type == PRAX_T_Decimal && !decimal_args(&p, end, c)))
        return false;
    if (end - p >= 2 && p[0] == '[' && p[1] == ']') {
        c->list = true;
        p += 2;
    }
    if (p < end && *p == '?') {
        c->optional = true;
        p++;
    }
    bool sqlite = t->schema->database[PXI_DB_SQLITE];
    return p == end && !(sqlite && (c->list || c->type == PRAX_T_Numeric));
}

/* ---- names ---- */

/* As a field is called; or NULL. */
static const char *c_name_of(struct pxi_typing *t, const char *name)
{
    if (!name)
        return NULL;
    bool letters = name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789_")] == '\0';
    bool good = letters && pxi_name_shape(name) && strlen(name) <= PXI_NAME_MAX;
    return good ? pxi_snake(t->arena, name) : NULL;
}

const char *pxi_typed_member(struct pxi_typing *t, const char *name, struct pxi_span at)
{
    const char *c_name = c_name_of(t, name);
    const char *why = !c_name                   ? "is no name of C"
                      : !strcmp(c_name, "size") ? "is the struct's own"
                                                : pxi_name_reserved(c_name);
    if (!why)
        return c_name;
    pxi_diag(t->diags, QUERY_NAME, at, name, "column or parameter", why);
    return NULL;
}

static const char *const model_suffixes[] = {
#define PXI_MODEL_NAME(suffix) suffix,
#include "orm/schema/names.def"
};

/* A query called name declares these with the same suffixes as a model, or fewer. */
static const char *const query_suffixes[] = { "",      "_with",    "_args",   "_fields", "_row",
                                              "_list", "_columns", "_params", "_model",  "_query" };

static bool is_pair(const char *a, const char *b, const char *c, const char *d)
{
    size_t n = strlen(a);
    size_t m = strlen(c);
    return n + strlen(b) == m + strlen(d) &&
           (n <= m ? !strncmp(c, a, n) && !strncmp(c + n, b, m - n) && !strcmp(b + (m - n), d)
                   : !strncmp(a, c, m) && !strncmp(a + m, d, n - m) && !strcmp(d + (n - m), b));
}

static bool meets_model(const char *name, const struct pxi_model *m)
{
    size_t size = strlen(m->c_name);
    if (!strncmp(name, m->c_name, size) && !strncmp(name + size, "_by_", 4))
        return true;
    for (size_t i = 0; i < sizeof model_suffixes / sizeof *model_suffixes; i++) {
        for (size_t k = 0; k < sizeof query_suffixes / sizeof *query_suffixes; k++) {
            if (is_pair(name, query_suffixes[k], m->c_name, model_suffixes[i]))
                return true;
        }
    }
    return false;
}

static bool meets(const struct pxi_schema *s, const char *name)
{
    static const char *const others[] = { "create_tables", "open",   "models",
                                          "ddl",           "sqlite", "postgres" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (!strcmp(name, others[i]))
            return true;
    }
    for (uint32_t i = 0; i < s->models.count; i++) {
        if (!s->models.items[i].ignore && meets_model(name, &s->models.items[i]))
            return true;
    }
    for (uint32_t i = 0; i < s->enums.count; i++) {
        size_t size = strlen(s->enums.items[i].c_name);
        if (!strncmp(name, s->enums.items[i].c_name, size) && (!name[size] || name[size] == '_'))
            return true;
    }
    return !strncmp(name, "opt_", 4) || !strncmp(name, "f_", 2) || !strncmp(name, "w_", 2) ||
           !strncmp(name, "list_", 5);
}

static void check_name(struct pxi_typing *t, const pxi_typed_list *list)
{
    struct pxi_typed *q = t->query;
    q->c_name = c_name_of(t, q->name.text);
    if (!q->c_name || meets(t->schema, q->c_name)) {
        pxi_diag(t->diags, QUERY_NAME, q->name.at, q->name.text, "query",
                 q->c_name ? "meets a generated name" : "is no name of C");
        return;
    }
    for (uint32_t i = 0; i + 1 < list->count; i++) {
        const struct pxi_typed *other = &list->items[i];
        for (size_t k = 0; other->c_name && k < sizeof query_suffixes / sizeof *query_suffixes;
             k++) {
            if (is_pair(q->c_name, "", other->c_name, query_suffixes[k]) ||
                is_pair(other->c_name, "", q->c_name, query_suffixes[k])) {
                pxi_diag(t->diags, QUERY_TWICE, q->name.at, "query", q->name.text,
                         "each makes names with _with, _args, _row and the like");
                return;
            }
        }
    }
}

/* ---- lines ---- */

struct line {
    const char *p, *end; /* behind "-- " */
    struct pxi_span at;
};

static void skip(struct line *l)
{
    while (l->p < l->end && (*l->p == ' ' || *l->p == '\t'))
        l->p++;
}

/* The next characters that are no blank and no colon. */
static const char *take_word(struct pxi_typing *t, struct line *l, struct pxi_span *at)
{
    skip(l);
    const char *from = l->p;
    while (l->p < l->end && !strchr(" \t:", *l->p))
        l->p++;
    *at = (struct pxi_span){ (uint32_t)(from - t->src->text), (uint32_t)(l->p - from) };
    return pxi_arena_text(t->arena, from, at->size);
}

static bool take(struct line *l, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(l->end - l->p) < size || memcmp(l->p, text, size) != 0)
        return false;
    l->p += size;
    return true;
}

static void bad_line(struct pxi_typing *t, const struct line *l, const char *what, const char *form)
{
    pxi_diag(t->diags, QUERY_HEAD, l->at,
             pxi_arena_text(t->arena, t->src->text + l->at.start, l->at.size), what, form);
}

/* "WORD :many" */
static void read_head(struct pxi_typing *t, struct line *l)
{
    static const char form[] = "write -- name: top_authors :many; or :one, or :exec";
    static const char *const kinds[] = { ":one", ":many", ":exec" };
    struct pxi_typed *q = t->query;
    q->name.text = take_word(t, l, &q->name.at);
    skip(l);
    for (unsigned i = 0; i < 3; i++) {
        if (take(l, kinds[i])) {
            skip(l);
            q->kind = (enum pxi_typed_kind)i;
            if (l->p == l->end && q->name.text && *q->name.text)
                return;
        }
    }
    bad_line(t, l, "name of a query", form);
}

/* "WORD: Type" */
static void read_type(struct pxi_typing *t, struct line *l, pxi_columns *list, const char *what)
{
    struct pxi_column *c = pxi_list_add(t->arena, list);
    if (!c)
        return;
    c->more = &pxi_column_plain;
    c->name.text = take_word(t, l, &c->name.at);
    if (!c->name.text || !*c->name.text || !take(l, ":")) {
        bad_line(t, l, what, "write WORD: Type, such as min: Int");
        c->name.text = "";
        return;
    }
    skip(l);
    while (l->end > l->p && (l->end[-1] == ' ' || l->end[-1] == '\t'))
        l->end--;
    struct pxi_span at = { (uint32_t)(l->p - t->src->text), (uint32_t)(l->end - l->p) };
    if (!pxi_typed_type(t, l->p, at.size, c)) {
        pxi_diag(t->diags, QUERY_TYPE, at, pxi_arena_text(t->arena, l->p, at.size),
                 "write one of the schema, such as Int, String?, Decimal(10, 2)");
    }
}

enum line_kind { LINE_SQL, LINE_NAME, LINE_PARAM, LINE_COLUMN, LINE_TABLE };

static enum line_kind kind_of(struct line *l)
{
    skip(l);
    if (!take(l, "--"))
        return LINE_SQL;
    skip(l);
    return take(l, "name:")     ? LINE_NAME
           : take(l, "param ")  ? LINE_PARAM
           : take(l, "column ") ? LINE_COLUMN
           : take(l, "table:")  ? LINE_TABLE
                                : LINE_SQL;
}

/* The line at `at`; *next: where the one behind it begins. */
static struct line line_at(const struct pxi_source *src, uint32_t at, uint32_t *next)
{
    const char *from = src->text + at;
    const char *end = memchr(from, '\n', src->size - at);
    *next = end ? (uint32_t)(end + 1 - src->text) : (uint32_t)src->size;
    if (!end)
        end = src->text + src->size;
    while (end > from && (end[-1] == '\r' || end[-1] == ' '))
        end--;
    return (struct line){ from, end, { at, (uint32_t)(end - from) } };
}

static void read_lines(struct pxi_typing *t, uint32_t from, uint32_t to)
{
    for (uint32_t at = from, next; at < to; at = next) {
        struct line l = line_at(t->src, at, &next);
        enum line_kind kind = kind_of(&l);
        if (kind == LINE_PARAM) {
            read_type(t, &l, &t->said_params, "parameter");
        } else if (kind == LINE_COLUMN) {
            read_type(t, &l, &t->said_columns, "column");
        } else if (kind == LINE_TABLE) {
            struct pxi_span word;
            const char **room = pxi_list_add(t->arena, &t->said_tables);
            if (room)
                *room = take_word(t, &l, &word);
        }
    }
}

/* ---- a query ---- */

/* A parameter beside a column needs no cast: PostgreSQL infers what we do. */
static void add_cast(struct pxi_typing *t, struct pxi_buf *sql, const char *param)
{
    static const char *const types[] = {
        [PRAX_T_Int] = "int4",        [PRAX_T_SmallInt] = "int2",
        [PRAX_T_BigInt] = "int8",     [PRAX_T_Boolean] = "bool",
        [PRAX_T_Float] = "float8",    [PRAX_T_Decimal] = "numeric",
        [PRAX_T_Numeric] = "numeric", [PRAX_T_String] = "text",
        [PRAX_T_Uuid] = "uuid",       [PRAX_T_DateTime] = "timestamptz",
        [PRAX_T_Date] = "date",       [PRAX_T_Time] = "time",
        [PRAX_T_Ulid] = "uuid",       [PRAX_T_Bytes] = "bytea",
        [PRAX_T_Json] = "jsonb",      [PRAX_T_Enum] = "text",
    };
    for (uint32_t i = 0; i < t->said_params.count; i++) {
        const struct pxi_column *c = &t->said_params.items[i];
        if (!strcmp(c->name.text, param))
            pxi_buf_fmt(sql, "::%s%s", types[c->type], c->list ? "[]" : "");
    }
}

/* What was between a token and the one before: nothing, a blank or a line end. */
static void add_gap(struct pxi_typing *t, struct pxi_buf *sql, uint32_t i)
{
    if (i == 0)
        return;
    const struct pxi_span *before = &t->tokens.items[i - 1].at;
    uint32_t gap = before->start + before->size, size = t->tokens.items[i].at.start - gap;
    bool line = memchr(t->src->text + gap, '\n', size) != NULL;
    pxi_buf_text(sql, size == 0 ? "" : line ? "\n" : " ");
}

static void add_token(struct pxi_typing *t, struct pxi_buf *sql, const struct pxi_sql_token *k)
{
    if (k->instead) {
        pxi_buf_text(sql, k->instead);
    } else if (k->kind == PXI_SQL_PARAM) {
        pxi_buf_char(sql, '?');
    } else if (k->kind == PXI_SQL_SIGN && k->text[0] == '?') {
        pxi_buf_text(sql, "??");
    } else {
        pxi_buf_add(sql, t->src->text + k->at.start, k->at.size);
    }
}

/* The text for the library: comments are gone, parameters are ?. */
static const char *write_sql(struct pxi_typing *t, bool casts)
{
    struct pxi_buf sql = { 0 };
    for (uint32_t i = 0; i < t->tokens.count; i++) {
        const struct pxi_sql_token *k = &t->tokens.items[i];
        add_gap(t, &sql, i);
        add_token(t, &sql, k);
        if (casts && k->kind == PXI_SQL_PARAM)
            add_cast(t, &sql, k->text);
    }
    const char *text =
        pxi_buf_ok(&sql) ? pxi_arena_text(t->arena, sql.data ? sql.data : "", sql.size) : NULL;
    pxi_buf_free(&sql);
    return text;
}

/* A semicolon at the end is none of the statement's; $1 is no name. */
static bool check_tokens(struct pxi_typing *t)
{
    uint32_t n = t->tokens.count;
    if (n && pxi_sql_is(t, n - 1, ";"))
        n = --t->tokens.count;
    if (n == 0) {
        pxi_diag(t->diags, QUERY_EMPTY, t->query->name.at, t->query->name.text);
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (pxi_sql_is(t, i, ";")) {
            pxi_diag(t->diags, QUERY_TWO, t->tokens.items[i].at);
            return false;
        }
        if (pxi_sql_is(t, i, "$")) {
            pxi_diag(t->diags, QUERY_MARK, t->tokens.items[i].at, "$");
            return false;
        }
    }
    return true;
}

static void read_query(struct pxi_typing *t, pxi_typed_list *list, uint32_t from, uint32_t to)
{
    uint32_t errors = t->diags->count, body;
    struct line l = line_at(t->src, from, &body);
    t->tokens.count = t->said_params.count = t->said_columns.count = 0;
    t->said_tables.count = t->n_tables = 0;
    kind_of(&l);
    read_head(t, &l);
    if (t->diags->count == errors)
        check_name(t, list);
    read_lines(t, body, to);
    if (t->diags->count > errors || !pxi_sql_scan(t, body, to) || !check_tokens(t))
        return;
    pxi_typed_tables(t);
    if (t->diags->count == errors)
        pxi_typed_columns(t);
    if (t->diags->count == errors)
        pxi_typed_params(t);
    t->query->sql = write_sql(t, false);
    if (t->said_params.count && t->schema->database[PXI_DB_POSTGRES])
        t->query->postgres = write_sql(t, true);
}

static bool is_blank(const struct pxi_typing *t, uint32_t from, uint32_t to)
{
    struct pxi_typing probe = *t;
    probe.tokens.items = NULL;
    probe.tokens.count = probe.tokens.capacity = 0;
    return pxi_sql_scan(&probe, from, to) && probe.tokens.count == 0;
}

/* The line of the next name at `at` or behind; the end of the text if there is none. */
static uint32_t next_name(const struct pxi_source *src, uint32_t at)
{
    uint32_t size = (uint32_t)src->size, next;
    for (; at < size; at = next) {
        struct line l = line_at(src, at, &next);
        if (kind_of(&l) == LINE_NAME)
            return at;
    }
    return size;
}

const pxi_typed_list *pxi_typed_read(struct pxi_diags *diags, const struct pxi_source *src,
                                     const struct pxi_schema *schema)
{
    struct pxi_typing t = { .diags = diags, .arena = diags->arena, .src = src, .schema = schema };
    pxi_typed_list *list = pxi_arena_zero(diags->arena, 1, sizeof *list);
    uint32_t size = (uint32_t)src->size, at = next_name(src, 0);
    struct pxi_span first = { 0, 1 };
    if (list && !is_blank(&t, 0, at))
        pxi_diag(diags, QUERY_NO_NAME, first);
    while (list && at < size) {
        uint32_t body, next;
        line_at(src, at, &body);
        next = next_name(src, body);
        t.query = pxi_list_add(diags->arena, list);
        if (t.query)
            read_query(&t, list, at, next);
        at = next;
    }
    pxi_diag_sort(diags);
    return diags->arena->full ? NULL : list;
}

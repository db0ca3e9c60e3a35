/* check_sql.c - SQL that stands in a schema: expressions, the SELECT of a view, statements.
 *
 * It is the database's to understand. Here it is made sure that an expression ends where its
 * quotes do: within the parentheses that the generator puts around it nothing may close them, and
 * no comment may hide them.
 */
#include "orm/schema/check.h"
#include <string.h>

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Behind the quoted text or comment that begins at p; p itself if there is none; NULL if it does
 * not end. A comment of one line ends with the line. */
static const char *skip_quoted(const char *p)
{
    const char *end = p;
    if (*p == '\'' || *p == '"') {
        end = strchr(p + 1, *p);
        return end ? end + 1 : NULL;
    }
    if (p[0] == '-' && p[1] == '-') {
        end = strchr(p, '\n');
        return end ? end + 1 : NULL;
    }
    if (p[0] == '/' && p[1] == '*') {
        end = strstr(p + 2, "*/");
        return end ? end + 2 : NULL;
    }
    return p;
}

/* What is wrong with it, to stand behind "the SQL of ..."; or NULL. */
static const char *sql_fault(const char *sql)
{
    unsigned depth = 0;
    bool empty = true;
    for (const char *p = sql; *p;) {
        const char *behind = skip_quoted(p);
        if (!behind)
            return "has a quote or a comment that does not end";
        if (behind > p) {
            empty = empty && *p != '\'' && *p != '"';
            p = behind;
            continue;
        }
        if (*p == ';')
            return "holds a semicolon";
        if (*p == ')' && depth == 0)
            return "closes a parenthesis that it did not open";
        depth += *p == '(';
        depth -= *p == ')';
        empty = empty && is_blank(*p);
        p++;
    }
    if (depth > 0)
        return "has a parenthesis that is not closed";
    return empty ? "is empty" : NULL;
}

bool pxi_check_sql(struct pxi_checker *k, const char *sql, const char *of, struct pxi_span at)
{
    const char *fault = sql_fault(sql);
    if (fault)
        pxi_diag(k->diags, BAD_SQL, at, of, fault);
    return !fault;
}

/* ---- expressions ---- */

typedef PXI_LIST(char) chars;

static void add_char(struct pxi_checker *k, chars *out, char c)
{
    char *room = pxi_list_add(k->arena, out);
    if (room)
        *room = c;
}

static void add_text(struct pxi_checker *k, chars *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        add_char(k, out, text[i]);
}

static void add_column(struct pxi_checker *k, chars *out, const char *name)
{
    add_char(k, out, '"');
    for (; *name; name++) {
        if (*name == '"')
            add_char(k, out, '"');
        add_char(k, out, *name);
    }
    add_char(k, out, '"');
}

/* The column that the word p[size] names, or NULL: words before a parenthesis are functions. */
static const struct pxi_column *column_named(struct pxi_checker *k, const struct pxi_model *m,
                                             const char *p, size_t size)
{
    char name[PXI_NAME_MAX + 1];
    const char *next = p + size;
    while (is_blank(*next))
        next++;
    if (size > PXI_NAME_MAX || *next == '(')
        return NULL;
    memcpy(name, p, size);
    name[size] = 0;
    uint32_t item = pxi_set_find(&k->fields, name);
    return item == PXI_SET_NONE || item & PXI_RELATION_ITEM ? NULL : &m->columns.items[item];
}

/* The expression with each name of a field as the quoted name of its column. */
static const char *with_columns(struct pxi_checker *k, const struct pxi_model *m, const char *sql)
{
    chars out = { NULL, 0, 0 };
    for (const char *p = sql; *p;) {
        size_t size = (size_t)(skip_quoted(p) - p);
        const struct pxi_column *c = NULL;
        if (size == 0 && is_word(*p)) {
            while (is_word(p[size]))
                size++;
            c = column_named(k, m, p, size);
        }
        size += size == 0;
        if (c && c->db_name) {
            add_column(k, &out, c->db_name);
        } else {
            add_text(k, &out, p, size);
        }
        p += size;
    }
    add_char(k, &out, 0);
    return k->arena->full ? NULL : out.items;
}

const char *pxi_check_expression(struct pxi_checker *k, const struct pxi_model *m,
                                 const struct pxi_attr *a, const struct pxi_value *v)
{
    if (!pxi_check_sql(k, v->text, a->name, v->at))
        return NULL;
    return a->raw ? with_columns(k, m, v->text) : v->text;
}

/* ---- statements ---- */

static const char *const provider_names[PXI_DATABASES] = { "sqlite", "postgresql" };

/* Is this database among the providers? Else a diagnostic. */
static bool check_provider(struct pxi_checker *k, enum pxi_database db, struct pxi_span at)
{
    const struct pxi_schema *s = k->schema;
    bool is = s->database[db], other = s->database[1 - db];
    if (!is && other)
        pxi_diag(k->diags, SQL_PROVIDER, at, provider_names[db], provider_names[1 - db]);
    return is;
}

/* Without blanks around it, and without semicolons behind if `one` says so. */
static const char *trimmed(struct pxi_checker *k, const char *sql, bool one)
{
    while (is_blank(*sql))
        sql++;
    size_t size = strlen(sql);
    while (size > 0 && (is_blank(sql[size - 1]) || (one && sql[size - 1] == ';')))
        size--;
    return pxi_arena_text(k->arena, sql, size);
}

/* A SELECT; NULL after a diagnostic. */
static const char *select_text(struct pxi_checker *k, const struct pxi_value *v)
{
    const char *sql = trimmed(k, v->text, true);
    return sql && pxi_check_sql(k, sql, "@@sql", v->at) ? sql : NULL;
}

static const struct pxi_args view_args = {
    (const char *const[]){ "sql", "sqlite", "postgresql" },
    3,
    1,
    "a SELECT in quotes, or one for each provider: sqlite: \"...\", postgresql: \"...\"",
};

/* One text for all, or one for each provider. */
static bool good_view_args(const struct pxi_value *const found[3])
{
    bool all = found[0], each = found[1] || found[2];
    for (int i = 0; i < 3; i++) {
        if (found[i] && found[i]->kind != PXI_VALUE_TEXT)
            return false;
    }
    return all != each;
}

static void provider_sql(struct pxi_checker *k, struct pxi_model *m, const struct pxi_attr *a,
                         enum pxi_database db, const struct pxi_value *v)
{
    bool sqlite = db == PXI_DB_SQLITE;
    if (v && check_provider(k, db, v->at)) {
        m->sql[db] = select_text(k, v);
    } else if (!v && k->schema->database[db]) {
        pxi_diag(k->diags, VIEW_NO_SQL, a->at, m->name.text,
                 sqlite ? " for sqlite" : " for postgresql", sqlite ? "sqlite: " : "postgresql: ");
    }
}

static void view_sql(struct pxi_checker *k, struct pxi_model *m, const struct pxi_attr *a)
{
    const struct pxi_value *found[3];
    if (!pxi_check_args(k, a, &view_args, found))
        return;
    if (!good_view_args(found)) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name, view_args.takes);
        return;
    }
    const char *all = found[0] ? select_text(k, found[0]) : NULL;
    for (unsigned db = 0; db < PXI_DATABASES; db++) {
        if (!found[0]) {
            provider_sql(k, m, a, db, found[1 + db]);
        } else if (k->schema->database[db]) {
            m->sql[db] = all;
        }
    }
}

void pxi_check_view(struct pxi_checker *k, struct pxi_model *m)
{
    const struct pxi_attr *a = pxi_find_attr(&m->attrs, PXI_A_SQL);
    if (a) {
        view_sql(k, m, a);
    } else if (!m->damaged) {
        pxi_diag(k->diags, VIEW_NO_SQL, m->name.at, m->name.text, "", "");
    }
    if (m->columns.count == 0 && !m->damaged && !m->relations.count)
        pxi_diag(k->diags, VIEW_EMPTY, m->name.at, m->name.text);
}

/* provider: sqlite limits the block to that database; without, it is for all. */
static void block_providers(struct pxi_checker *k, struct pxi_sql_block *b,
                            const struct pxi_value *v)
{
    for (unsigned db = 0; db < PXI_DATABASES; db++)
        b->in[db] = !v && k->schema->database[db];
    if (!v)
        return;
    bool sqlite = !strcmp(v->text, "sqlite");
    if (sqlite || !strcmp(v->text, "postgresql") || !strcmp(v->text, "postgres")) {
        enum pxi_database db = sqlite ? PXI_DB_SQLITE : PXI_DB_POSTGRES;
        b->in[db] = check_provider(k, db, v->at);
    } else {
        pxi_diag(k->diags, UNKNOWN_PROVIDER, v->at, v->text,
                 "the providers are sqlite and postgresql");
    }
}

static void check_block(struct pxi_checker *k, struct pxi_sql_block *b)
{
    static const char *const names[] = { "name", "sql", "provider" };
    static const struct pxi_args args = { names, 3, 2,
                                          "a name, SQL and perhaps a provider, such as "
                                          "@@sql(\"log\", \"\"\"CREATE ...\"\"\")" };
    const struct pxi_value *found[3];
    if (!pxi_check_args(k, &b->attr, &args, found))
        return;
    if (!found[0] || !found[1] || found[0]->kind != PXI_VALUE_TEXT ||
        found[1]->kind != PXI_VALUE_TEXT || !*found[0]->text ||
        (found[2] && found[2]->kind != PXI_VALUE_WORD)) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, b->attr.at, b->attr.name, args.takes);
        return;
    }
    b->name = found[0]->text;
    b->sql = trimmed(k, found[1]->text, false);
    if (b->sql && !*b->sql)
        pxi_diag(k->diags, BAD_SQL, found[1]->at, "@@sql", "is empty");
    block_providers(k, b, found[2]);
    uint32_t other = pxi_set_add(&k->fields, b->name, b->attr.at.start);
    if (other != PXI_SET_NONE)
        pxi_diag(k->diags, TWICE, found[0]->at, "@@sql", b->name, pxi_check_line(k, other));
}

void pxi_check_sqls(struct pxi_checker *k)
{
    pxi_set_clear(&k->fields);
    for (uint32_t i = 0; i < k->schema->sqls.count && !pxi_diag_full(k->diags); i++)
        check_block(k, &k->schema->sqls.items[i]);
}

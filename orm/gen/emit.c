/* emit.c - see emit.h. */
#include "orm/gen/emit.h"
#include "orm/schema/text.h"
#include <stdio.h>
#include <string.h>

enum { COLUMNS = 100, STEP = 4 };

/* The end of the piece that begins at p: behind a place where a line may be broken. */
static const char *piece_end(const char *p, const char *end)
{
    bool quoted = false;
    for (; p < end; p++) {
        if (quoted && *p == '\\' && p + 1 < end) {
            p++;
        } else if (*p == '"') {
            quoted = !quoted;
        } else if (!quoted && p + 1 < end && p[1] == ' ' && strchr(",;{", *p)) {
            return p + 3 == end && p[2] == '\\' ? end : p + 2;
        }
    }
    return end;
}

/* A tab in a template is a blank where the line must not be broken. */
static void add_row(struct pxi_buf *out, const char *row, size_t size)
{
    size_t start = out->size;
    pxi_buf_add(out, row, size);
    for (size_t i = start; i < out->size; i++) {
        if (out->data[i] == '\t')
            out->data[i] = ' ';
    }
}

static size_t trimmed(const char *from, const char *to)
{
    while (to > from && to[-1] == ' ')
        to--;
    return (size_t)(to - from);
}

static void end_line(struct pxi_emit *e)
{
    const char *line = e->line.data ? e->line.data : "", *end = line + e->line.size;
    bool define = e->in_macro || !strncmp(line, "#define", 7);
    e->in_macro = end > line && end[-1] == '\\';
    size_t indent = strspn(line, " ") + STEP, width = 0;
    const char *row = line;
    for (const char *p = line, *next; p < end; p = next) {
        next = piece_end(p, end);
        bool backslash = define && !(next == end && e->in_macro); /* a line may bring its own */
        size_t need = trimmed(p, next), limit = backslash ? COLUMNS - 2 : COLUMNS;
        if (width > 0 && width + need > limit) {
            add_row(e->out, row, trimmed(row, p));
            pxi_buf_fmt(e->out, "%s\n%*s", define ? " \\" : "", (int)indent, "");
            row = p;
            width = indent;
        }
        width += (size_t)(next - p);
    }
    add_row(e->out, row, trimmed(row, end));
    pxi_buf_char(e->out, '\n');
    e->out->broken |= e->line.broken;
    pxi_buf_clear(&e->line);
}

static void add_upper(struct pxi_buf *b, const char *text)
{
    for (; *text; text++)
        pxi_buf_char(b, pxi_ascii_upper(*text));
}

/* One hole behind its $; returns what stands behind it. */
static const char *add_hole(struct pxi_emit *e, const char *t, const char *const args[4])
{
    bool upper = *t == '^';
    t += upper;
    if (*t == 'U') {
        add_upper(&e->line, e->schema->prefix);
        pxi_buf_char(&e->line, '_');
        add_upper(&e->line, e->model->c_name);
        return t + 1;
    }
    if (*t == 'P' || *t == 'M') {
        (upper ? add_upper : pxi_buf_text)(&e->line, e->schema->prefix);
        if (*t == 'M')
            pxi_buf_fmt(&e->line, "_%s", e->model->c_name);
        return t + 1;
    }
    (upper ? add_upper : pxi_buf_text)(&e->line, args[*t - '0']);
    return t + 1;
}

void pxi_emit_part(struct pxi_emit *e, const char *template, const char *const args[4])
{
    for (const char *t = template; *t;) {
        size_t n = strcspn(t, "$\n");
        pxi_buf_add(&e->line, t, n);
        t += n;
        if (*t == '\n') {
            end_line(e);
            t++;
        } else if (*t == '$') {
            t = add_hole(e, t + 1, args);
        }
    }
}

void pxi_emit_string(struct pxi_emit *e, const char *text)
{
    pxi_buf_char(&e->line, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\' || c == '?') { /* ? for the trigraphs of ISO modes */
            pxi_buf_fmt(&e->line, "\\%c", c);
        } else if (c == '\n') {
            pxi_buf_text(&e->line, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            pxi_buf_fmt(&e->line, "\\%03o", c);
        } else {
            pxi_buf_char(&e->line, (char)c);
        }
    }
    pxi_buf_char(&e->line, '"');
}

void pxi_emit_sql(struct pxi_emit *e, const char *sql, const char *indent)
{
    char line[1024];
    while (*sql) {
        size_t size = strcspn(sql, "\n"), n = size < sizeof line - 2 ? size : sizeof line - 2;
        memcpy(line, sql, n);
        if (n == size && sql[n] == '\n')
            line[n++] = '\n';
        line[n] = '\0';
        sql += n;
        emit(e, indent);
        pxi_emit_string(e, line);
        emit(e, *sql ? "\n" : "");
    }
}

void pxi_emit_number(struct pxi_emit *e, int64_t n)
{
    pxi_buf_i64(&e->line, n);
}

/* A character of a comment. What would end it, or what compilers warn of inside one, is taken
 * apart by a blank. */
static void add_comment_char(struct pxi_buf *out, char before, char c)
{
    bool bracket = (before == '*' && c == '/') || (before == '/' && c == '*');
    bool trigraph = before == '?' && c == '?';
    if (bracket || trigraph)
        pxi_buf_char(out, ' ');
    pxi_buf_char(out, c);
}

void pxi_emit_doc(struct pxi_emit *e, const char *doc, unsigned indent)
{
    if (!doc)
        return;
    pxi_buf_fmt(e->out, "%*s/* ", (int)indent, "");
    for (char before = 0; *doc; before = *doc++) {
        if (*doc == '\n') {
            pxi_buf_fmt(e->out, "\n%*s *%s", (int)indent, "", doc[1] && doc[1] != '\n' ? " " : "");
        } else {
            add_comment_char(e->out, before, *doc);
        }
    }
    pxi_buf_text(e->out, " */\n");
}

enum null { OPT, PTR };
enum ops { NUM, ORD, TEXT, EQ, PATH };
static const struct {
    const char *value, *stem;
    enum null null;
    enum ops ops;
} types[] = {
#define PRAX_TYPE(schema, c, stem, null, ops, ...) { #c, #stem, null, ops },
#include <prax/types.def>
};

struct pxi_ctype pxi_ctype_of(const struct pxi_schema *schema, const struct pxi_column *c)
{
    struct pxi_ctype t = { .pointer = c->list || types[c->type].null == PTR };
    const char *stem = types[c->type].stem, *space = "prax", *list = c->list ? "list_" : "";
    t.ordered = !c->list && types[c->type].ops <= TEXT;
    if (c->enum_type) {
        stem = c->enum_type->c_name;
        space = schema->prefix;
    }
    if (c->list || c->enum_type) {
        snprintf(t.value, sizeof t.value, "%s_%s%s", space, list, stem);
    } else {
        snprintf(t.value, sizeof t.value, "%s", types[c->type].value);
    }
    bool opt = c->optional && !t.pointer;
    snprintf(t.filter, sizeof t.filter, "%s_f_%s%s", space, list, stem);
    snprintf(t.write, sizeof t.write, "%s_w_%s%s", space, list, stem);
    if (opt) {
        snprintf(t.row, sizeof t.row, "%s_opt_%s", space, stem);
    } else {
        snprintf(t.row, sizeof t.row, "%s", t.value);
    }
    t.guarded = c->list || c->enum_type || !strncmp(t.value, "prax_", 5);
    t.plain = pxi_default_of(c) == PRAX_D_NONE && !opt;
    return t;
}

const struct pxi_relation *pxi_c_relation(const struct pxi_schema *schema,
                                          const struct pxi_model *m, uint32_t n)
{
    for (uint32_t i = 0; i < m->relations.count; i++) {
        const struct pxi_relation *r = &m->relations.items[i];
        if (!schema->models.items[r->target].ignore && n-- == 0)
            return r;
    }
    return NULL;
}

const struct pxi_column *pxi_version_column(const struct pxi_model *m)
{
    for (uint32_t i = 0; i < m->c_columns; i++) {
        if (m->columns.items[i].version)
            return &m->columns.items[i];
    }
    return NULL;
}

bool pxi_points_to(const struct pxi_schema *schema, const struct pxi_model *m, uint32_t target)
{
    const struct pxi_relation *r;
    for (uint32_t i = 0; (r = pxi_c_relation(schema, m, i)) != NULL; i++) {
        if (r->target == target)
            return true;
    }
    return false;
}

/* scan.c - see scan.h. */
#include "orm/query/scan.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c & 0x80);
}

static bool starts(const char *p, const char *end, const char *with)
{
    size_t n = strlen(with);
    return (size_t)(end - p) >= n && memcmp(p, with, n) == 0;
}

/* ---- literals, names, comments ---- */

static const char *behind(const char *p, const char *end, const char *stop)
{
    const char *found = memmem(p, (size_t)(end - p), stop, strlen(stop));
    return found ? found + strlen(stop) : end;
}

/* p is behind the opening quote; doubled quotes belong to the literal. */
static const char *behind_quote(const char *p, const char *end, char quote, bool escapes)
{
    for (; p < end; p++) {
        bool doubled = *p == quote && p + 1 < end && p[1] == quote;
        if (*p == quote && !doubled)
            return p + 1;
        p += doubled || (escapes && *p == '\\');
    }
    return end;
}

static const char *behind_comment(const char *p, const char *end, bool nested)
{
    unsigned depth = 1;
    for (p += 2; p < end; p++) {
        if (starts(p, end, "*/")) {
            p++;
            if (--depth == 0)
                return p + 1;
        } else if (nested && starts(p, end, "/*")) {
            p++;
            depth++;
        }
    }
    return end;
}

/* $tag$...$tag$; p if it is none. */
static const char *behind_dollars(const char *p, const char *end)
{
    const char *tag = p + 1;
    if (tag < end && *tag >= '0' && *tag <= '9')
        return p;
    while (tag < end && is_word(*tag))
        tag++;
    if (tag == end || *tag != '$')
        return p;
    size_t size = (size_t)(tag + 1 - p);
    const char *found = memmem(tag + 1, (size_t)(end - tag - 1), p, size);
    return found ? found + size : end;
}

static const char *postgres_quoted(const char *p, const char *end, char before)
{
    if ((*p == 'e' || *p == 'E') && !is_word(before) && starts(p + 1, end, "'"))
        return behind_quote(p + 2, end, '\'', true);
    return *p == '$' && !is_word(before) && before != '$' ? behind_dollars(p, end) : p;
}

static const char *sqlite_quoted(const char *p, const char *end)
{
    if (*p == '`')
        return behind_quote(p + 1, end, '`', false);
    return *p == '[' ? behind(p + 1, end, "]") : p;
}

const char *pxi_scan_quoted(enum pxi_engine engine, const char *p, const char *end, char before)
{
    if (*p == '\'' || *p == '"')
        return behind_quote(p + 1, end, *p, false);
    if (starts(p, end, "--"))
        return behind(p + 2, end, "\n");
    if (starts(p, end, "/*"))
        return behind_comment(p, end, engine == PXI_POSTGRES);
    return engine == PXI_POSTGRES ? postgres_quoted(p, end, before) : sqlite_quoted(p, end);
}

static char in_front_of(const char *p, const char *start)
{
    if (p == start)
        return '\0';
    return p[-1];
}

/* ---- question marks ---- */

struct out {
    char *to;
    size_t size, room;
};

static void put(struct out *o, const char *text, size_t size)
{
    if (o->to && o->size + size <= o->room)
        memcpy(o->to + o->size, text, size);
    o->size += size;
}

static bool is_dollar_mark(const char *p, const char *end, char before)
{
    return *p == '$' && !is_word(before) && p + 1 < end && p[1] >= '0' && p[1] <= '9';
}

size_t pxi_scan_marks(enum pxi_engine engine, const char *sql, size_t size, struct pxi_marks *marks,
                      char *to /* NOLINT(readability-non-const-parameter) */, size_t room)
{
    struct out o = { .to = to, .room = room };
    const char *p = sql, *end = sql + size;
    *marks = (struct pxi_marks){ 0 };
    while (p < end) {
        char before = in_front_of(p, sql);
        const char *next = pxi_scan_quoted(engine, p, end, before);
        if (next == p && *p == '?') {
            char number[16];
            bool doubled = starts(p, end, "??");
            marks->doubled += doubled;
            marks->single += !doubled;
            next = p + 1 + doubled;
            put(&o, number,
                doubled ? (size_t)snprintf(number, sizeof number, "?")
                        : (size_t)snprintf(number, sizeof number, "$%u", marks->single));
        } else {
            marks->dollars += next == p && is_dollar_mark(p, end, before);
            next += next == p;
            put(&o, p, (size_t)(next - p));
        }
        p = next;
    }
    return o.size;
}

/* ---- statements of a script ---- */

/* Where a semicolon does not end a statement: CREATE TRIGGER ... BEGIN ... END of SQLite, CREATE
 * FUNCTION ... BEGIN ATOMIC ... END of PostgreSQL. Words are counted until the body is left. */
struct body {
    enum pxi_engine engine;
    unsigned words;   /* of the statement so far */
    bool create, can; /* it begins with CREATE, and is of that kind */
    unsigned depth;
};

static bool word_is(const char *word, size_t size, const char *text)
{
    return strlen(text) == size && strncasecmp(word, text, size) == 0;
}

static void see_word(struct body *b, const char *word, size_t size)
{
    bool postgres = b->engine == PXI_POSTGRES;
    if (b->words++ == 0)
        b->create = word_is(word, size, "create");
    if (b->create && b->words <= 4 && b->depth == 0) { /* create or replace temp ... */
        b->can |= postgres ? word_is(word, size, "function") || word_is(word, size, "procedure")
                           : word_is(word, size, "trigger");
    }
    if (!b->can)
        return;
    if (word_is(word, size, "begin") || (b->depth && word_is(word, size, "case"))) {
        b->depth++;
    } else if (b->depth && word_is(word, size, "end")) {
        b->depth--;
    }
}

static void count_lines(struct pxi_script *s, const char *to)
{
    for (; s->at < to; s->at++)
        s->line += *s->at == '\n';
}

/* Blanks, comments and empty statements. */
static void skip_blanks(struct pxi_script *s)
{
    while (s->at < s->end) {
        const char *next = s->at;
        if (starts(s->at, s->end, "--") || starts(s->at, s->end, "/*"))
            next = pxi_scan_quoted(s->engine, s->at, s->end, '\0');
        if (next == s->at && !strchr(" \t\r\n\f\v;", *s->at))
            return;
        count_lines(s, next == s->at ? next + 1 : next);
    }
}

static const char *behind_word(const char *p, const char *end)
{
    while (p < end && is_word(*p))
        p++;
    return p;
}

bool pxi_script_next(struct pxi_script *s, struct pxi_statement *st)
{
    struct body b = { .engine = s->engine };
    skip_blanks(s);
    const char *p = s->at, *start = p;
    st->text = start;
    st->line = s->line;
    while (p < s->end && !(*p == ';' && b.depth == 0)) {
        const char *next = pxi_scan_quoted(s->engine, p, s->end, in_front_of(p, start));
        if (next == p && is_word(*p)) {
            next = behind_word(p, s->end);
            see_word(&b, p, (size_t)(next - p));
        }
        p = next > p ? next : p + 1;
    }
    st->size = (size_t)(p - start);
    count_lines(s, p < s->end ? p + 1 : p);
    return st->size != 0;
}

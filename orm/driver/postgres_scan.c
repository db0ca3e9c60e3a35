/* postgres_scan.c - see postgres_scan.h. Source: PostgreSQL 15's manual, "Lexical Structure". */
#include "orm/driver/postgres_scan.h"
#include <string.h>
#include <strings.h>

struct text {
    const char *p, *end;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool in_word(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '$';
}

/* Moves behind the closing quote, a doubled one being part of the text. */
static void skip_quoted(struct text *t, char quote, bool escapes)
{
    while (++t->p < t->end) {
        if (escapes && *t->p == '\\') {
            t->p++;
        } else if (*t->p == quote) {
            if (t->p + 1 >= t->end || t->p[1] != quote)
                break;
            t->p++;
        }
    }
    t->p = t->p < t->end ? t->p + 1 : t->end;
}

static void skip_comment(struct text *t)
{
    unsigned depth = 1;
    for (t->p += 2; t->p + 1 < t->end && depth; t->p++) {
        if (t->p[0] == '/' && t->p[1] == '*') {
            depth++;
            t->p++;
        } else if (t->p[0] == '*' && t->p[1] == '/') {
            depth--;
            t->p++;
        }
    }
    if (depth)
        t->p = t->end;
}

/* $tag$ ... $tag$; a lone dollar is stepped over. */
static void skip_dollars(struct text *t)
{
    const char *tag = t->p, *p = t->p + 1;
    while (p < t->end && *p != '$' && in_word(*p))
        p++;
    if (p >= t->end || *p != '$' || (tag[1] >= '0' && tag[1] <= '9')) {
        t->p++;
        return;
    }
    size_t size = (size_t)(p + 1 - tag);
    for (t->p = p + 1; t->p + size <= t->end; t->p++) {
        if (memcmp(t->p, tag, size) == 0) {
            t->p += size;
            return;
        }
    }
    t->p = t->end;
}

static void skip_blanks(struct text *t)
{
    while (t->p < t->end) {
        if (strncmp(t->p, "--", 2) == 0) {
            const char *line = memchr(t->p, '\n', (size_t)(t->end - t->p));
            t->p = line ? line : t->end;
        } else if (strncmp(t->p, "/*", 2) == 0) {
            skip_comment(t);
        } else if (strchr(" \t\r\n\f\v", *t->p)) {
            t->p++;
        } else {
            return;
        }
    }
}

/* The next word or ';', blanks, comments, literals and quoted names being stepped over; other signs
 * and literals count as a word of no letters. False at the end. */
static bool next(struct text *t, const char **word, size_t *size)
{
    skip_blanks(t);
    *word = t->p;
    *size = 0;
    if (t->p >= t->end)
        return false;
    if (*t->p == '\'' || *t->p == '"') {
        skip_quoted(t, *t->p, false);
    } else if (*t->p == '$') {
        skip_dollars(t);
    } else if (is_letter(*t->p)) {
        while (t->p < t->end && in_word(*t->p))
            t->p++;
        *size = (size_t)(t->p - *word);
        if (*size == 1 && (**word | 0x20) == 'e' && t->p < t->end && *t->p == '\'') {
            *size = 0;
            skip_quoted(t, '\'', true);
        }
    } else {
        t->p++;
    }
    return true;
}

static bool is_one_of(const char *word, size_t size, const char *const *list)
{
    for (; *list; list++) {
        if (strlen(*list) == size && strncasecmp(*list, word, size) == 0)
            return true;
    }
    return false;
}

struct pxi_pg_scan pxi_pg_scan(const char *sql, size_t size)
{
    static const char *const queries[] = { "SELECT", "VALUES", "TABLE", "WITH", NULL };
    static const char *const readers[] = { "SELECT", "VALUES",  "TABLE", "WITH",
                                           "SHOW",   "EXPLAIN", NULL };
    static const char *const writers[] = { "INSERT", "UPDATE",  "DELETE", "MERGE",
                                           "INTO",   "ANALYZE", NULL };
    struct pxi_pg_scan s = { .empty = true };
    struct text t = { sql, sql + size };
    const char *word;
    size_t n;
    bool ended = false, writes = false;
    while (next(&t, &word, &n)) {
        if (n == 0 && *word == ';') {
            ended = !s.empty;
            continue;
        }
        if (s.empty) {
            s.declares = is_one_of(word, n, queries) || *word == '(';
            s.reads = is_one_of(word, n, readers) || *word == '(';
        }
        s.empty = false;
        s.several |= ended;
        writes |= is_one_of(word, n, writers);
    }
    s.reads = s.reads && !writes && !s.several;
    s.declares = s.declares && s.reads;
    return s;
}

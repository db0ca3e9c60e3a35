/* lex.c - a Prisma schema's tokens. Comments are tokens, because an import keeps them. */
#include "orm/import/prisma.h"
#include "orm/schema/text.h"
#include <string.h>

void prisma_fail(struct prisma *p, uint32_t at, const char *what)
{
    if (p->error)
        return;
    p->error = what;
    p->error_at = at;
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static uint32_t name_end(const struct prisma *p, uint32_t i)
{
    for (; i < p->size; i++) {
        char c = p->text[i];
        bool inner = (c == '.' || c == '-') && i + 1 < p->size && is_alnum(p->text[i + 1]);
        if (!is_alnum(c) && c != '_' && !inner)
            break;
    }
    return i;
}

static uint32_t line_end(const struct prisma *p, uint32_t i)
{
    const char *q = memchr(p->text + i, '\n', p->size - i);
    return q ? (uint32_t)(q - p->text) : p->size;
}

/* Behind the closing quote; the whole line where there is none. */
static uint32_t string_end(struct prisma *p, uint32_t start)
{
    uint32_t stop = line_end(p, start);
    for (uint32_t i = start + 1; i < stop; i++) {
        if (p->text[i] == '"')
            return i + 1;
        i += p->text[i] == '\\';
    }
    prisma_fail(p, start, "the string does not end on its line");
    return stop;
}

static bool skip_blanks(const struct prisma *p, uint32_t *at, struct prisma_token *t)
{
    unsigned lines = *at == 0;
    for (; *at < p->size && p->text[*at] && strchr(" \t\r\n", p->text[*at]); ++*at)
        lines += p->text[*at] == '\n';
    t->first = lines > 0;
    t->gap = lines > 1;
    return *at < p->size;
}

static uint32_t comment_end(struct prisma *p, uint32_t at)
{
    if (p->text[at + 1] == '/') {
        uint32_t end = line_end(p, at);
        while (strchr(" \t\r", p->text[end - 1]))
            end--;
        return end;
    }
    const char *q = memmem(p->text + at + 2, p->size - at - 2, "*/", 2);
    if (q)
        return (uint32_t)(q - p->text) + 2;
    prisma_fail(p, at, "the comment does not end");
    return p->size;
}

static uint32_t number_end(const struct prisma *p, uint32_t i)
{
    i += p->text[i] == '-';
    while (i < p->size && is_digit(p->text[i]))
        i++;
    if (i + 1 < p->size && p->text[i] == '.' && is_digit(p->text[i + 1])) {
        for (i++; i < p->size && is_digit(p->text[i]);)
            i++;
    }
    return i;
}

/* The kind of what begins at `at`, and where it ends. */
static int measure(struct prisma *p, uint32_t at, uint32_t *end)
{
    char c = p->text[at], next = 0;
    if (at + 1 < p->size)
        next = p->text[at + 1];
    *end = at + 1;
    if (c == '/' && (next == '/' || next == '*')) {
        *end = comment_end(p, at);
        return PRISMA_T_COMMENT;
    }
    if (c == '"') {
        *end = string_end(p, at);
        return PRISMA_T_STRING;
    }
    if (is_digit(c) || (c == '-' && is_digit(next))) {
        *end = number_end(p, at);
        uint32_t name = name_end(p, at);
        if (c == '-' || name <= *end)
            return PRISMA_T_NUMBER;
    }
    if (is_alnum(c)) {
        *end = name_end(p, at);
        return PRISMA_T_NAME;
    }
    if (c == '@' && (is_alnum(next) || next == '@')) {
        *end = name_end(p, at + 1 + (next == '@'));
        return PRISMA_T_ATTR;
    }
    if (!strchr("{}()[]?=,:", c) || !c)
        prisma_fail(p, at, "no Prisma schema has this character here");
    return c ? c : PRISMA_T_END;
}

struct prisma_token prisma_lex(struct prisma *p, uint32_t *at)
{
    struct prisma_token t = { .kind = PRISMA_T_END, .text = "" };
    bool more = skip_blanks(p, at, &t);
    t.start = t.end = *at;
    if (!more || p->error || p->arena->full)
        return t;
    t.kind = measure(p, t.start, &t.end);
    *at = t.end;
    bool quoted = t.kind == PRISMA_T_STRING && t.end - t.start >= 2;
    t.text = pxi_arena_text(p->arena, p->text + t.start + quoted, t.end - t.start - 2 * quoted);
    if (p->error || !t.text)
        t.kind = PRISMA_T_END;
    return t;
}

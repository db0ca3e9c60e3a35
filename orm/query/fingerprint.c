/* fingerprint.c - see fingerprint.h. A token is never longer than its source but for the blank
 * before it, hence the room that the caller gives. */
#include "orm/query/fingerprint.h"
#include "orm/base/map.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct scan {
    const char *p, *end;
    char *start, *to;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (c & 0x80);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool at(const struct scan *s, size_t i, char c)
{
    return (size_t)(s->end - s->p) > i && s->p[i] == c;
}

static bool ends_with(const struct scan *s, const char *tail)
{
    size_t n = strlen(tail);
    return (size_t)(s->to - s->start) >= n && memcmp(s->to - n, tail, n) == 0;
}

static void put(struct scan *s, const char *token, size_t size)
{
    if (s->to != s->start)
        *s->to++ = ' ';
    memcpy(s->to, token, size);
    s->to += size;
    if (ends_with(s, "? , ?"))
        s->to -= strlen(" , ?");
    if (ends_with(s, "( ? ) , ( ? )"))
        s->to -= strlen(" , ( ? )");
}

static void skip_to(struct scan *s, const char *stop)
{
    const char *found = memmem(s->p, (size_t)(s->end - s->p), stop, strlen(stop));
    s->p = found ? found + strlen(stop) : s->end;
}

static bool skip_blank(struct scan *s)
{
    if (strchr(" \t\r\n\f\v", *s->p)) {
        s->p++;
    } else if (*s->p == '-' && at(s, 1, '-')) {
        skip_to(s, "\n");
    } else if (*s->p == '/' && at(s, 1, '*')) {
        s->p += 2;
        skip_to(s, "*/");
    } else {
        return false;
    }
    return true;
}

/* From the opening quote to behind the closing one; doubled quotes are part of it. */
static const char *skip_quoted(struct scan *s, char quote)
{
    const char *start = s->p++;
    while (s->p < s->end && !(*s->p == quote && !at(s, 1, quote)))
        s->p += *s->p == quote ? 2 : 1;
    if (s->p < s->end) {
        s->p++;
    } else {
        s->p = s->end;
    }
    return start;
}

static void skip_word(struct scan *s)
{
    while (s->p < s->end && is_word(*s->p))
        s->p++;
}

static void skip_number(struct scan *s)
{
    for (; s->p < s->end; s->p++) {
        bool sign = (*s->p == '+' || *s->p == '-') && (s->p[-1] | 0x20) == 'e';
        if (!is_word(*s->p) && *s->p != '.' && !sign)
            break;
    }
}

static void word(struct scan *s)
{
    const char *start = s->p;
    skip_word(s);
    size_t size = (size_t)(s->p - start);
    if (size == 1 && (*start | 0x20) == 'x' && s->p < s->end && *s->p == '\'') {
        skip_quoted(s, '\'');
        put(s, "?", 1);
        return;
    }
    char *low = s->to + (s->to != s->start);
    put(s, start, size);
    for (size_t i = 0; i < size; i++) {
        if (low[i] >= 'A' && low[i] <= 'Z')
            low[i] = (char)(low[i] | 0x20);
    }
}

static void token(struct scan *s)
{
    const char *start = s->p;
    char c = *s->p;
    if (c == '\'') {
        skip_quoted(s, c);
        put(s, "?", 1);
    } else if (c == '"' || c == '`') {
        skip_quoted(s, c);
        put(s, start, (size_t)(s->p - start));
    } else if (is_digit(c) || (c == '.' && s->end - s->p > 1 && is_digit(s->p[1]))) {
        skip_number(s);
        put(s, "?", 1);
    } else if (c == '?' ||
               ((c == ':' || c == '@' || c == '$') && s->end - s->p > 1 && is_word(s->p[1]))) {
        s->p++;
        skip_word(s);
        put(s, "?", 1);
    } else if (is_word(c)) {
        word(s);
    } else {
        s->p++;
        put(s, start, 1);
    }
}

size_t pxi_fingerprint_text(const char *sql, size_t size, char *to)
{
    struct scan s = { sql, sql + size, to, to };
    while (s.p < s.end) {
        if (!skip_blank(&s))
            token(&s);
    }
    while (ends_with(&s, ";"))
        s.to -= s.to - s.start >= 2 ? 2 : 1;
    return (size_t)(s.to - to);
}

uint64_t pxi_fingerprint(const char *sql, size_t size)
{
    char *text = malloc(2 * size + 1);
    if (!text)
        return 0;
    uint64_t h = pxi_hash(text, pxi_fingerprint_text(sql, size, text));
    free(text);
    return h ? h : 1;
}

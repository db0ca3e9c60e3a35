/* fingerprint.c - see fingerprint.h. A token is never longer than its source but for the blank
 * before it, hence the room that the caller gives. */
#include "orm/query/fingerprint.h"
#include "orm/base/map.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FINGERPRINT_ROOM = 4096 }; /* bytes: a statement of 2 KiB */

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

/* A string's text, at its quote; after e'' a backslash takes the next byte with it. */
static void skip_string(struct scan *s, bool escapes)
{
    for (s->p++; s->p < s->end; s->p++) {
        if (*s->p == '\'' && !at(s, 1, '\''))
            break;
        if (*s->p == '\'' || (escapes && *s->p == '\\'))
            s->p++;
    }
    s->p = s->p < s->end ? s->p + 1 : s->end;
}

/* A string with a letter before it: b'' e'' n'' x'' u&''. */
static bool prefixed_string(struct scan *s)
{
    char c = (char)(*s->p | 0x20);
    size_t quote = c == 'u' && at(s, 1, '&') ? 2 : 1;
    if (!at(s, quote, '\'') || (quote == 1 && !strchr("benx", c)))
        return false;
    s->p += quote;
    skip_string(s, c == 'e');
    put(s, "?", 1);
    return true;
}

/* $tag$...$tag$: the tag is a word or empty. */
static bool dollar_string(struct scan *s)
{
    const char *tag = s->p;
    struct scan after = { tag + 1, s->end, NULL, NULL };
    if (after.p < s->end && !is_digit(*after.p))
        skip_word(&after);
    if (after.p == s->end || *after.p != '$')
        return false;
    size_t size = (size_t)(after.p + 1 - tag);
    const char *close = memmem(tag + size, (size_t)(s->end - tag) - size, tag, size);
    s->p = close ? close + size : s->end;
    put(s, "?", 1);
    return true;
}

static void word(struct scan *s)
{
    const char *start = s->p;
    skip_word(s);
    size_t size = (size_t)(s->p - start);
    char *low = s->to + (s->to != s->start);
    put(s, start, size);
    for (size_t i = 0; i < size; i++) {
        if (low[i] >= 'A' && low[i] <= 'Z')
            low[i] = (char)(low[i] | 0x20);
    }
}

/* ? and its number, or a sign and the word that it names. */
static bool placeholder(struct scan *s)
{
    char c = *s->p;
    bool named = (c == ':' || c == '@' || c == '$') && s->end - s->p > 1 && is_word(s->p[1]);
    if (c != '?' && !named)
        return false;
    s->p++;
    if (named) {
        skip_word(s);
    }
    while (s->p < s->end && is_digit(*s->p))
        s->p++;
    put(s, "?", 1);
    return true;
}

static void signs(struct scan *s, size_t n)
{
    for (; n; n--)
        put(s, s->p++, 1);
}

static void token(struct scan *s)
{
    const char *start = s->p;
    char c = *s->p;
    if (c == '\'') {
        skip_string(s, false);
        put(s, "?", 1);
    } else if (c == '"' || c == '`') {
        skip_quoted(s, c);
        put(s, start, (size_t)(s->p - start));
    } else if (is_digit(c) || (c == '.' && s->end - s->p > 1 && is_digit(s->p[1]))) {
        skip_number(s);
        put(s, "?", 1);
    } else if (c == ':' && at(s, 1, ':')) {
        signs(s, 2); /* a cast: what follows is a type, not a name of ours */
    } else if (!(c == '$' && dollar_string(s)) && !placeholder(s)) {
        if (!is_word(c)) {
            signs(s, 1);
        } else if (!prefixed_string(s)) {
            word(s);
        }
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
    char room[FINGERPRINT_ROOM]; /* most statements; memory of the moment for longer ones */
    char *text = size < sizeof room / 2 ? room : malloc(2 * size + 1);
    if (!text)
        return 0;
    uint64_t h = pxi_hash(text, pxi_fingerprint_text(sql, size, text));
    if (text != room)
        free(text);
    return h ? h : 1;
}

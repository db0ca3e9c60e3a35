/* json_check.c - is a text JSON? RFC 8259 as PostgreSQL's jsonb takes it: UTF-8 without NUL, also
 * none by \u0000, and surrogates in pairs only. No recursion: a bit a level says what is open.
 */
#include "orm/base/json.h"
#include <string.h>

struct check {
    const char *p, *end;
    unsigned depth;
    uint8_t objects[PXI_JSON_DEPTH / 8]; /* bit: the level is an object; else an array */
};

static char peek(const struct check *c)
{
    return (char)(c->p < c->end ? *c->p : '\0');
}

static void blanks(struct check *c)
{
    while (c->p < c->end && strchr(" \t\r\n", *c->p) && *c->p)
        c->p++;
}

static bool take(struct check *c, char want)
{
    if (c->p == c->end || *c->p != want)
        return false;
    c->p++;
    return true;
}

static bool digits(struct check *c)
{
    const char *start = c->p;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
        c->p++;
    return c->p > start;
}

static bool number(struct check *c)
{
    take(c, '-');
    if (!take(c, '0') && !digits(c))
        return false;
    if (take(c, '.') && !digits(c))
        return false;
    if (!take(c, 'e') && !take(c, 'E'))
        return true;
    if (!take(c, '+'))
        take(c, '-');
    return digits(c);
}

static int hex_of(char c)
{
    static const char hexes[] = "0123456789abcdef";
    const char *at = c ? strchr(hexes, c | 0x20) : NULL;
    return at ? (int)(at - hexes) : -1;
}

/* Four digits; -1: they are none. */
static int unit(struct check *c)
{
    int x = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_of(peek(c));
        if (digit < 0)
            return -1;
        x = x << 4 | digit;
        c->p++;
    }
    return x;
}

/* Behind \u. */
static bool code_point(struct check *c)
{
    int x = unit(c);
    if (x <= 0 || (x >= 0xdc00 && x <= 0xdfff))
        return false;
    if (x < 0xd800 || x > 0xdbff)
        return true;
    if (!take(c, '\\') || !take(c, 'u'))
        return false;
    x = unit(c);
    return x >= 0xdc00 && x <= 0xdfff;
}

static bool string(struct check *c)
{
    if (!take(c, '"'))
        return false;
    while (c->p < c->end && *c->p != '"') {
        size_t n = pxi_utf8_size(c->p, (size_t)(c->end - c->p));
        if (n == 0 || (unsigned char)*c->p < 0x20)
            return false;
        c->p += n;
        if (c->p[-1] != '\\')
            continue;
        char escape = peek(c);
        if (!escape || !strchr("\"\\/bfnrtu", escape))
            return false;
        c->p++;
        if (escape == 'u' && !code_point(c))
            return false;
    }
    return take(c, '"');
}

static bool word(struct check *c, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
        return false;
    c->p += n;
    return true;
}

static bool scalar(struct check *c)
{
    switch (peek(c)) {
    case '"':
        return string(c);
    case 't':
        return word(c, "true");
    case 'f':
        return word(c, "false");
    case 'n':
        return word(c, "null");
    default:
        return number(c);
    }
}

static bool in_object(const struct check *c)
{
    unsigned at = c->depth - 1;
    return c->objects[at / 8] >> at % 8 & 1;
}

static bool open_level(struct check *c, bool object)
{
    unsigned at = c->depth++;
    if (at >= PXI_JSON_DEPTH)
        return false;
    unsigned bit = 1u << at % 8;
    c->objects[at / 8] = (uint8_t)(object ? c->objects[at / 8] | bit : c->objects[at / 8] & ~bit);
    return true;
}

static bool key(struct check *c)
{
    blanks(c);
    if (!string(c))
        return false;
    blanks(c);
    return take(c, ':');
}

/* Up to the first scalar, or to behind an empty level. *whole: that was a value. */
static bool begin_value(struct check *c, bool *whole)
{
    blanks(c);
    bool object = peek(c) == '{';
    *whole = !object && peek(c) != '[';
    if (*whole)
        return scalar(c);
    c->p++;
    if (!open_level(c, object))
        return false;
    blanks(c);
    if (take(c, object ? '}' : ']')) {
        c->depth--;
        *whole = true;
        return true;
    }
    return !object || key(c);
}

/* Behind a value: closes levels until another value is wanted, or all is closed. */
static bool end_value(struct check *c)
{
    for (blanks(c); c->depth; blanks(c)) {
        bool object = in_object(c);
        if (take(c, ','))
            return !object || key(c);
        if (!take(c, object ? '}' : ']'))
            return false;
        c->depth--;
    }
    return c->p == c->end;
}

bool pxi_json_check(const char *text, size_t size, size_t *at)
{
    struct check c = { .p = text, .end = text + size };
    bool good, whole = false;
    do {
        good = begin_value(&c, &whole);
        if (good && whole)
            good = end_value(&c);
    } while (good && c.p < c.end);
    *at = (size_t)(c.p - text);
    return good && whole && c.depth == 0;
}

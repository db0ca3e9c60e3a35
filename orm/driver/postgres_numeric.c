/* postgres_numeric.c - numeric from the server: see postgres_codec.h.
 *
 * It comes in groups of four digits, each a number below 10,000, groups of zeros at both ends left
 * out. Source: numeric_send of PostgreSQL 15.
 */
#include "orm/base/value.h"
#include "orm/driver/postgres_codec.h"
#include <string.h>

static int no_room(const struct pxi_arena *a)
{
    return a->over ? PRAX_ELIMIT : PRAX_ENOMEM;
}

struct numeric {
    const char *groups;   /* n groups of four digits, two bytes each */
    int n, weight, scale; /* weight: groups before the point, less one */
    uint16_t sign;
};

static bool read_numeric(const char *p, int size, struct numeric *x)
{
    if (size < PXI_PG_NUMERIC_HEAD)
        return false;
    *x = (struct numeric){ .groups = p + PXI_PG_NUMERIC_HEAD,
                           .n = (int16_t)pxi_be16(p),
                           .weight = (int16_t)pxi_be16(p + 2),
                           .sign = pxi_be16(p + 4),
                           .scale = pxi_be16(p + 6) };
    if (x->n < 0 || size != PXI_PG_NUMERIC_HEAD + 2 * x->n || x->scale > 0x3fff)
        return false;
    for (int i = 0; i < x->n; i++) {
        if (pxi_be16(x->groups + (ptrdiff_t)2 * i) >= PXI_PG_NUMERIC_BASE)
            return false;
    }
    return true;
}

/* The group that stands for 10000^w. */
static unsigned group_at(const struct numeric *x, int w)
{
    int i = x->weight - w;
    return i >= 0 && i < x->n ? pxi_be16(x->groups + (ptrdiff_t)2 * i) : 0;
}

/* Adds a group to the units: all of it, or what of it stands before digit `scale`. */
static bool add_group(int64_t *units, int group, int exponent)
{
    int64_t part = group;
    if (group == 0)
        return true;
    if (exponent < 0) {
        if (exponent <= -4 || part % pxi_pow10[-exponent] != 0)
            return false;
        part /= pxi_pow10[-exponent];
    } else if (exponent > PXI_DECIMAL_DIGITS ||
               __builtin_mul_overflow(part, pxi_pow10[exponent], &part)) {
        return false;
    }
    return !__builtin_add_overflow(*units, part, units);
}

bool pxi_pg_numeric_units(const char *p, int size, unsigned scale, int64_t *units)
{
    struct numeric x;
    if (scale > PXI_DECIMAL_DIGITS || !read_numeric(p, size, &x))
        return false;
    if (x.sign != PXI_PG_POSITIVE && x.sign != PXI_PG_NEGATIVE)
        return false;
    *units = 0;
    for (int i = 0; i < x.n; i++) {
        int exponent = 4 * (x.weight - i) + (int)scale;
        int group = pxi_be16(x.groups + (ptrdiff_t)2 * i);
        if (!add_group(units, x.sign == PXI_PG_NEGATIVE ? -group : group, exponent))
            return false;
    }
    return true;
}

/* Of what is no number; NULL of others. */
static const char *word_of(uint16_t sign)
{
    switch (sign) {
    case PXI_PG_NAN:
        return "NaN";
    case PXI_PG_INFINITY:
        return "Infinity";
    case PXI_PG_MINUS_INFINITY:
        return "-Infinity";
    default:
        return NULL;
    }
}

static int64_t put_word(const char *word, struct pxi_arena *a, const char **text)
{
    *text = pxi_arena_text(a, word, strlen(word));
    return *text ? (int64_t)strlen(word) : no_room(a);
}

static char *put_group(char *to, unsigned group)
{
    for (unsigned by = PXI_PG_NUMERIC_BASE / 10; by; by /= 10)
        *to++ = (char)('0' + group / by % 10);
    return to;
}

int64_t pxi_pg_numeric_text(const char *p, int size, struct pxi_arena *a, const char **text)
{
    struct numeric x;
    if (!read_numeric(p, size, &x))
        return PRAX_ETYPE;
    if (word_of(x.sign))
        return put_word(word_of(x.sign), a, text);
    if (x.sign != PXI_PG_POSITIVE && x.sign != PXI_PG_NEGATIVE)
        return PRAX_ETYPE;
    int top = x.weight > 0 ? x.weight : 0;
    size_t room = 4 * (size_t)(top + 1) + (size_t)x.scale + 8; /* sign, point, a last group, NUL */
    char *start = pxi_arena_get(a, room, 1), *to = start;
    if (!start)
        return no_room(a);
    if (x.sign == PXI_PG_NEGATIVE)
        *to++ = '-';
    char *whole = to, *first = to;
    for (int w = top; w >= 0; w--)
        to = put_group(to, group_at(&x, w));
    while (first + 1 < to && *first == '0')
        first++;
    memmove(whole, first, (size_t)(to - first));
    to -= first - whole;
    if (x.scale) {
        *to++ = '.';
        char *behind = to;
        for (int w = -1; to - behind < x.scale; w--)
            to = put_group(to, group_at(&x, w));
        to = behind + x.scale;
    }
    *to = '\0';
    *text = start;
    return to - start;
}

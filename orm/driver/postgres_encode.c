/* postgres_encode.c - values to the server: see postgres_codec.h. */
#include "orm/base/value.h"
#include "orm/driver/postgres_codec.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- bytes ---- */

static void put16(struct pxi_buf *to, uint16_t x)
{
    x = __builtin_bswap16(x);
    pxi_buf_add(to, &x, sizeof x);
}

static void put32(struct pxi_buf *to, uint32_t x)
{
    x = __builtin_bswap32(x);
    pxi_buf_add(to, &x, sizeof x);
}

static void put64(struct pxi_buf *to, uint64_t x)
{
    x = __builtin_bswap64(x);
    pxi_buf_add(to, &x, sizeof x);
}

/* ---- integers and the like ---- */

static bool is_moment(uint8_t type)
{
    return type == PRAX_T_DateTime || type == PRAX_T_Date || type == PRAX_T_Time;
}

/* The value as a whole number. */
static int whole(const struct pxi_value *v, int64_t *x)
{
    if (v->kind != PXI_INT || is_moment(v->type))
        return PRAX_ETYPE;
    *x = v->u.i;
    if (v->type != PRAX_T_Decimal || v->scale == 0)
        return 0;
    if (v->scale > PXI_DECIMAL_DIGITS || v->u.i % pxi_pow10[v->scale] != 0)
        return PRAX_ETYPE;
    *x = v->u.i / pxi_pow10[v->scale];
    return 0;
}

static int put_integer(struct pxi_buf *to, uint8_t kind, const struct pxi_value *v)
{
    int64_t x = 0;
    int rc = whole(v, &x);
    if (rc < 0)
        return rc;
    switch (kind) {
    case PXI_PG_INT2:
        put16(to, (uint16_t)x);
        return x == (int16_t)x ? 0 : PRAX_ERANGE;
    case PXI_PG_INT4:
        put32(to, (uint32_t)x);
        return x == (int32_t)x ? 0 : PRAX_ERANGE;
    case PXI_PG_OID:
        put32(to, (uint32_t)x);
        return x == (uint32_t)x ? 0 : PRAX_ERANGE;
    case PXI_PG_BOOL:
        pxi_buf_char(to, x ? 1 : 0);
        return x == 0 || x == 1 ? 0 : PRAX_ERANGE;
    default:
        put64(to, (uint64_t)x);
        return 0;
    }
}

/* Of the given type, or of raw SQL, which says none. */
static bool is_int_of(const struct pxi_value *v, enum prax_type type)
{
    return v->kind == PXI_INT && (v->type == type || v->type == PXI_UNTYPED);
}

static int put_date(struct pxi_buf *to, const struct pxi_value *v)
{
    if (!is_int_of(v, PRAX_T_Date))
        return PRAX_ETYPE;
    int64_t days;
    if (__builtin_sub_overflow(v->u.i, PXI_PG_EPOCH_DAYS, &days) || days <= INT32_MIN ||
        days >= INT32_MAX) /* the ends mean infinity */
        return PRAX_ERANGE;
    put32(to, (uint32_t)days);
    return 0;
}

static int put_time(struct pxi_buf *to, const struct pxi_value *v)
{
    if (!is_int_of(v, PRAX_T_Time))
        return PRAX_ETYPE;
    put64(to, (uint64_t)v->u.i);
    return v->u.i >= 0 && v->u.i <= PXI_TOD_MAX ? 0 : PRAX_ERANGE;
}

static int put_stamp(struct pxi_buf *to, const struct pxi_value *v)
{
    int64_t us;
    if (!is_int_of(v, PRAX_T_DateTime))
        return PRAX_ETYPE;
    if (__builtin_sub_overflow(v->u.i, PXI_PG_EPOCH_US, &us) || us == INT64_MIN || us == INT64_MAX)
        return PRAX_ERANGE;
    put64(to, (uint64_t)us);
    return 0;
}

static int real(const struct pxi_value *v, double *x)
{
    int64_t i = 0;
    *x = v->u.f;
    if (v->kind == PXI_REAL)
        return 0;
    if (v->kind == PXI_INT && v->type == PRAX_T_Decimal && v->scale <= PXI_DECIMAL_DIGITS) {
        *x = (double)v->u.i / (double)pxi_pow10[v->scale];
        return 0;
    }
    int rc = whole(v, &i);
    *x = (double)i;
    if (rc == 0 && (i > INT64_C(1) << 53 || i < -(INT64_C(1) << 53)))
        return PRAX_ERANGE;
    return rc;
}

static int put_float(struct pxi_buf *to, uint8_t kind, const struct pxi_value *v)
{
    double x;
    uint64_t bits;
    uint32_t half;
    int rc = real(v, &x);
    if (rc < 0)
        return rc;
    if (kind == PXI_PG_FLOAT8) {
        memcpy(&bits, &x, sizeof bits);
        put64(to, bits);
        return 0;
    }
    if (isfinite(x) && fabs(x) > (double)FLT_MAX)
        return PRAX_ERANGE;
    float f = (float)x;
    memcpy(&half, &f, sizeof half);
    put32(to, half);
    return 0;
}

/* ---- numeric ---- */

/* A decimal as text: sign, digits[n] without the point, of which `point` stand before it. The
 * digits before and behind n are zeros. */
struct decimal {
    bool negative;
    const char *digits; /* with a point behind the first `dot` of them, or none */
    int64_t dot, n, point, scale;
};

enum {
    NUMERIC_WHOLE = 131072,
    NUMERIC_SCALE = 16383,
    NUMERIC_TEXT = 262144
}; /* digits: the server's own limits */

static int read_exponent(const char *p, const char *end, int64_t *exponent)
{
    bool negative = p < end && *p == '-';
    int64_t x = 0;
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return PRAX_ETYPE;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return PRAX_ETYPE;
        x = x < NUMERIC_TEXT ? x * 10 + (*p - '0') : x;
    }
    *exponent = negative ? -x : x;
    return 0;
}

/* Sign, digits and point; behind them. */
static const char *read_digits(const char *p, const char *end, struct decimal *d)
{
    const char *point = NULL;
    *d = (struct decimal){ .negative = p < end && *p == '-' };
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    d->digits = p;
    for (; p < end && ((*p >= '0' && *p <= '9') || (*p == '.' && !point)); p++) {
        if (*p == '.')
            point = p;
    }
    d->n = p - d->digits - (point != NULL);
    d->dot = d->point = point ? point - d->digits : d->n;
    return p;
}

static int read_decimal(const char *p, size_t size, struct decimal *d)
{
    const char *end = p + size;
    int64_t exponent = 0;
    p = read_digits(p, end, d);
    if (d->n == 0)
        return PRAX_ETYPE;
    if (p < end && (*p == 'e' || *p == 'E')) {
        int rc = read_exponent(p + 1, end, &exponent);
        if (rc < 0)
            return rc;
        p = end;
    }
    d->point += exponent;
    d->scale = d->n > d->point ? d->n - d->point : 0;
    if (p != end)
        return PRAX_ETYPE;
    return d->point > NUMERIC_WHOLE || d->scale > NUMERIC_SCALE || d->n > NUMERIC_TEXT ? PRAX_ERANGE
                                                                                       : 0;
}

/* Digit i of the number, i counted from the point: 0 is the first one behind it, -1 the last one
 * before it. */
static unsigned digit_at(const struct decimal *d, int64_t i)
{
    int64_t at = d->point + i;
    if (at < 0 || at >= d->n)
        return 0;
    return (unsigned)(d->digits[at + (at >= d->dot)] - '0');
}

/* The group of four digits that starts at i. */
static uint16_t group_at(const struct decimal *d, int64_t i)
{
    unsigned x = 0;
    for (int64_t k = i; k < i + 4; k++)
        x = x * 10 + digit_at(d, k);
    return (uint16_t)x;
}

static void put_numeric_head(struct pxi_buf *to, int64_t n, int64_t weight, uint16_t sign,
                             int64_t scale)
{
    put16(to, (uint16_t)n);
    put16(to, (uint16_t)weight);
    put16(to, sign);
    put16(to, (uint16_t)scale);
}

/* Groups of zeros at both ends are left out, as the server does. */
static void put_decimal(struct pxi_buf *to, const struct decimal *d)
{
    int64_t first = -4 * ((d->point > 0 ? d->point + 3 : 0) / 4), end = d->scale;
    while (first < end && group_at(d, first) == 0)
        first += 4;
    while (end > first && group_at(d, first + (end - first - 1) / 4 * 4) == 0)
        end = first + (end - first - 1) / 4 * 4;
    int64_t n = (end - first + 3) / 4;
    put_numeric_head(to, n, n ? -first / 4 - 1 : 0,
                     d->negative && n ? PXI_PG_NEGATIVE : PXI_PG_POSITIVE, d->scale);
    for (int64_t i = first; i < end; i += 4)
        put16(to, group_at(d, i));
}

static bool is_word(const struct pxi_value *v, const char *word)
{
    return v->size == strlen(word) && memcmp(v->u.p, word, v->size) == 0;
}

static int put_numeric_text(struct pxi_buf *to, const struct pxi_value *v)
{
    struct decimal d;
    uint16_t sign = is_word(v, "NaN")         ? PXI_PG_NAN
                    : is_word(v, "Infinity")  ? PXI_PG_INFINITY
                    : is_word(v, "-Infinity") ? PXI_PG_MINUS_INFINITY
                                              : 0;
    if (sign) {
        put_numeric_head(to, 0, 0, sign, 0);
        return 0;
    }
    int rc = read_decimal(v->u.p, v->size, &d);
    if (rc == 0)
        put_decimal(to, &d);
    return rc;
}

/* units / 10^scale: at most 19 digits, so five groups and one that the point cuts in two. */
static int put_units(struct pxi_buf *to, int64_t units, unsigned scale)
{
    uint16_t groups[8];
    int n = 0, zeros = 0;
    uint64_t x = units < 0 ? 0 - (uint64_t)units : (uint64_t)units;
    if (scale > PXI_DECIMAL_DIGITS)
        return PRAX_ERANGE;
    int behind = (int)(scale + 3) / 4; /* groups behind the point; the last one is filled up */
    uint64_t fill = (uint64_t)pxi_pow10[(unsigned)behind * 4 - scale];
    if (x && behind) {
        uint64_t last = PXI_PG_NUMERIC_BASE / fill;
        groups[n++] = (uint16_t)(x % last * fill);
        x /= last;
    }
    for (; x; x /= PXI_PG_NUMERIC_BASE)
        groups[n++] = (uint16_t)(x % PXI_PG_NUMERIC_BASE);
    while (zeros < n && groups[zeros] == 0)
        zeros++;
    put_numeric_head(to, n - zeros, n > zeros ? n - behind - 1 : 0,
                     units < 0 ? PXI_PG_NEGATIVE : PXI_PG_POSITIVE, scale);
    for (int i = n; i > zeros; i--)
        put16(to, groups[i - 1]);
    return 0;
}

static int put_numeric(struct pxi_buf *to, const struct pxi_value *v)
{
    char text[32];
    if (v->kind == PXI_TEXT)
        return put_numeric_text(to, v);
    if (v->kind == PXI_REAL) {
        struct pxi_value as_text = { .kind = PXI_TEXT, .u.p = text };
        snprintf(text, sizeof text, "%.15g", v->u.f);
        as_text.size = (uint32_t)strlen(pxi_real_plain(text));
        return isfinite(v->u.f) ? put_numeric_text(to, &as_text) : PRAX_ERANGE;
    }
    if (v->kind != PXI_INT || is_moment(v->type))
        return PRAX_ETYPE;
    return put_units(to, v->u.i, v->type == PRAX_T_Decimal ? v->scale : 0);
}

/* ---- texts and bytes ---- */

static prax_uuid uuid_of(const void *p)
{
    prax_uuid u;
    memcpy(u.b, p, sizeof u.b);
    return u;
}

static int put_text(struct pxi_buf *to, const struct pxi_value *v)
{
    char text[37];
    prax_ulid ulid;
    if (v->kind == PXI_TEXT) {
        pxi_buf_add(to, v->u.p, v->size);
    } else if (v->kind == PXI_BLOB && v->size == 16 && v->type == PRAX_T_Uuid) {
        pxi_buf_text(to, prax_uuid_text(uuid_of(v->u.p), text));
    } else if (v->kind == PXI_BLOB && v->size == 16 && v->type == PRAX_T_Ulid) {
        memcpy(ulid.b, v->u.p, sizeof ulid.b);
        pxi_buf_text(to, prax_ulid_text(ulid, text));
    } else {
        return PRAX_ETYPE;
    }
    return 0;
}

static int put_uuid(struct pxi_buf *to, const struct pxi_value *v)
{
    prax_uuid u;
    if (v->kind == PXI_BLOB && v->size == sizeof u.b) {
        pxi_buf_add(to, v->u.p, v->size);
        return 0;
    }
    if (v->kind != PXI_TEXT || !pxi_uuid_read(v->u.p, v->size, u.b))
        return PRAX_ETYPE;
    pxi_buf_add(to, u.b, sizeof u.b);
    return 0;
}

/* Of a type that is not known here, as text: the server reads it. */
static int put_other(struct pxi_buf *to, const struct pxi_value *v)
{
    char text[40];
    int64_t x = 0;
    if (v->kind == PXI_REAL) {
        pxi_real_text(v->u.f, false, text);
    } else if (v->kind != PXI_INT) {
        return put_text(to, v);
    } else if (v->type == PRAX_T_DateTime) {
        prax_time_text((prax_time){ .us = v->u.i }, text);
    } else if (v->type == PRAX_T_Date) {
        prax_date_text((prax_date){ .days = (int32_t)v->u.i }, text);
    } else if (v->type == PRAX_T_Time) {
        prax_tod_text((prax_tod){ .us = v->u.i }, text);
    } else if (v->type == PRAX_T_Decimal) {
        prax_decimal_text(prax_decimal_of(v->u.i, v->scale), text);
    } else {
        int rc = whole(v, &x);
        if (rc < 0)
            return rc;
        snprintf(text, sizeof text, "%lld", (long long)x);
    }
    pxi_buf_text(to, text);
    return text[0] == '?' ? PRAX_ERANGE : 0;
}

/* ---- all of them ---- */

/* Any but an array. */
static int put_scalar(struct pxi_buf *to, const struct pxi_pg_type *t, const struct pxi_value *v)
{
    switch (t->kind) {
    case PXI_PG_BOOL:
    case PXI_PG_INT2:
    case PXI_PG_INT4:
    case PXI_PG_INT8:
    case PXI_PG_OID:
        return put_integer(to, t->kind, v);
    case PXI_PG_FLOAT4:
    case PXI_PG_FLOAT8:
        return put_float(to, t->kind, v);
    case PXI_PG_NUMERIC:
        return put_numeric(to, v);
    case PXI_PG_TEXT:
        return put_text(to, v);
    case PXI_PG_DATE:
        return put_date(to, v);
    case PXI_PG_TIME:
        return put_time(to, v);
    case PXI_PG_STAMP:
        return put_stamp(to, v);
    case PXI_PG_UUID:
        return put_uuid(to, v);
    case PXI_PG_BYTES:
        if (v->kind != PXI_BLOB)
            return PRAX_ETYPE;
        pxi_buf_add(to, v->u.p, v->size);
        return 0;
    case PXI_PG_JSONB:
        pxi_buf_char(to, 1); /* the version of its format */
        __attribute__((fallthrough));
    case PXI_PG_JSON:
        return v->kind == PXI_TEXT ? put_text(to, v) : PRAX_ETYPE;
    case PXI_PG_VOID:
        return PRAX_ETYPE;
    default:
        return put_other(to, v);
    }
}

typedef int (*putter)(struct pxi_buf *to, const struct pxi_pg_type *t, const struct pxi_value *v);

static int put_field(struct pxi_buf *to, const struct pxi_pg_type *t, const struct pxi_value *v,
                     putter put)
{
    size_t at = to->size;
    put32(to, UINT32_MAX); /* NULL; else the size, once it is known */
    if (v->kind == PXI_NULL)
        return pxi_buf_ok(to) ? 0 : PRAX_ENOMEM;
    if (pxi_pg_goes_as_text(t))
        return PRAX_ETYPE; /* text has no place among binary fields */
    int rc = put(to, t, v);
    if (rc == 0 && !pxi_buf_ok(to))
        rc = PRAX_ENOMEM;
    if (rc < 0)
        return rc;
    size_t size = to->size - at - 4;
    if (size > INT32_MAX)
        return PRAX_ELIMIT;
    uint32_t be = __builtin_bswap32((uint32_t)size);
    memcpy(to->data + at, &be, sizeof be);
    return 0;
}

static int put_items(struct pxi_buf *to, const struct pxi_pg_type *t, const struct pxi_value *items,
                     uint32_t n, bool *nulls)
{
    int rc = 0;
    *nulls = false;
    if (pxi_pg_put_items(to, t->of->kind, items, n, nulls))
        return 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        *nulls |= items[i].kind == PXI_NULL;
        rc = put_field(to, t->of, &items[i], put_scalar);
    }
    return rc;
}

/* As the server's array_in reads it: {"a","b",NULL}. */
static int put_literal(struct pxi_buf *to, const struct pxi_value *items, uint32_t n, char between)
{
    struct pxi_buf text = { 0 };
    int rc = 0;
    pxi_buf_char(to, '{');
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        if (i)
            pxi_buf_char(to, between);
        if (items[i].kind == PXI_NULL) {
            pxi_buf_text(to, "NULL");
            continue;
        }
        pxi_buf_clear(&text);
        rc = put_other(&text, &items[i]);
        pxi_buf_char(to, '"');
        for (size_t k = 0; k < text.size && rc == 0; k++) {
            if (text.data[k] == '"' || text.data[k] == '\\')
                pxi_buf_char(to, '\\');
            pxi_buf_char(to, text.data[k]);
        }
        pxi_buf_char(to, '"');
        if (text.broken)
            rc = PRAX_ENOMEM;
    }
    pxi_buf_char(to, '}');
    pxi_buf_free(&text);
    return rc;
}

static int put_array(struct pxi_buf *to, const struct pxi_pg_type *t, const struct pxi_value *v)
{
    bool nulls;
    if (v->kind != PXI_ARRAY)
        return PRAX_ETYPE;
    if (pxi_pg_goes_as_text(t))
        return put_literal(to, v->u.p, v->size, t->of->base == PXI_PG_BOX ? ';' : ',');
    put32(to, v->size > 0); /* dimensions */
    size_t at = to->size;
    put32(to, 0); /* whether it holds NULLs, once that is known */
    put32(to, t->of->oid);
    if (v->size > 0) {
        put32(to, v->size);
        put32(to, 1); /* the first index */
    }
    int rc = put_items(to, t, v->u.p, v->size, &nulls);
    if (rc == 0 && nulls && pxi_buf_ok(to))
        to->data[at + 3] = 1;
    return rc;
}

int pxi_pg_put(struct pxi_buf *to, const struct pxi_pg_type *t, const struct pxi_value *v)
{
    int rc = t->kind == PXI_PG_ARRAY ? put_array(to, t, v) : put_scalar(to, t, v);
    return rc == 0 && !pxi_buf_ok(to) ? PRAX_ENOMEM : rc;
}

int pxi_pg_put_field(struct pxi_buf *to, const struct pxi_pg_type *t, const struct pxi_value *v)
{
    return put_field(to, t, v, pxi_pg_put);
}

/* postgres_form.c - what is read as text: see postgres_codec.h.
 *
 * Intervals, addresses, bits, ranges, hstore, and arrays of anything: columns of raw SQL for which
 * C has no type. The text is that of the server's output functions, so it can be sent back as it
 * is; but for what settings of the server change there: times are UTC's, dates and intervals ISO
 * 8601's. Written at the end of the arena, which grows the text in place.
 *
 * Types nest (arrays of ranges of domains) as deep as the server says; more than DEPTH is refused.
 *
 * Source: the send and output functions of PostgreSQL 15 (src/backend/utils/adt); contrib/hstore.
 */
#include "orm/base/value.h"
#include "orm/driver/postgres_codec.h"
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DEPTH = 8, FIRST_ROOM = 64 };

struct form {
    struct pxi_arena *a;      /* the text is its last piece */
    struct pxi_arena scratch; /* of items */
    char *text;
    size_t size, room; /* one byte more than size is always there, for the NUL */
    int code;          /* the first failure: ETYPE, ENOMEM, ELIMIT */
    unsigned depth;
};

/* ---- the text ---- */

static void fail(struct form *f, int code)
{
    if (f->code == 0)
        f->code = code;
}

static bool make_room(struct form *f, size_t more)
{
    if (f->code)
        return false;
    if (f->size + more < f->room)
        return true;
    size_t room = 2 * (f->size + more) + FIRST_ROOM;
    char *text = pxi_arena_extend(f->a, f->text, f->room, room);
    if (!text) {
        fail(f, f->a->over ? PRAX_ELIMIT : PRAX_ENOMEM);
        return false;
    }
    f->text = text;
    f->room = room;
    return true;
}

static void add(struct form *f, const char *text, size_t size)
{
    if (size && make_room(f, size)) {
        memcpy(f->text + f->size, text, size);
        f->size += size;
    }
}

static void add_text(struct form *f, const char *text)
{
    add(f, text, strlen(text));
}

static void add_char(struct form *f, char c)
{
    add(f, &c, 1);
}

__attribute__((format(printf, 2, 3))) static void add_fmt(struct form *f, const char *fmt, ...)
{
    char text[64];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    add_text(f, text);
}

/* What was written since `from`, put in quotes: those within it and backslashes get a backslash in
 * front, or are doubled. */
static void quote_since(struct form *f, size_t from, bool doubled)
{
    static const char special[] = "\"\\";
    size_t size = f->size - from, more = 2;
    for (size_t i = from; i < f->size; i++)
        more += f->text[i] && strchr(special, f->text[i]);
    if (!make_room(f, more))
        return;
    char *to = f->text + f->size + more;
    f->size += more;
    *--to = '"';
    for (size_t i = from + size; i-- > from;) {
        char c = f->text[i];
        *--to = c;
        if (c && strchr(special, c))
            *--to = "\\\""[doubled && c == '"'];
    }
    *--to = '"';
}

static bool has_any(const struct form *f, size_t from, const char *chars)
{
    for (size_t i = from; i < f->size; i++) {
        if (f->text[i] && strchr(chars, f->text[i]))
            return true;
    }
    return false;
}

/* ---- the server's bytes ---- */

struct bytes {
    const char *p, *end;
};

static const char *take(struct bytes *b, size_t n)
{
    const char *p = b->p;
    if ((size_t)(b->end - p) < n)
        return NULL;
    b->p += n;
    return p;
}

static bool take32(struct bytes *b, int32_t *x)
{
    const char *p = take(b, 4);
    if (p)
        *x = (int32_t)pxi_be32(p);
    return p != NULL;
}

/* A field: its size, then it. *size < 0: NULL. */
static bool take_field(struct bytes *b, const char **p, int32_t *size)
{
    if (!take32(b, size))
        return false;
    *p = *size < 0 ? "" : take(b, (size_t)*size);
    return *p != NULL;
}

/* ---- moments ---- */

/* "01:02:03.5": the fraction without the zeros at its end. */
static void add_fraction(struct form *f, unsigned us)
{
    char text[16];
    if (us == 0)
        return;
    int n = snprintf(text, sizeof text, ".%06u", us % 1000000);
    while (text[n - 1] == '0')
        n--;
    add(f, text, (size_t)n);
}

static void add_clock(struct form *f, int64_t us)
{
    unsigned s = (unsigned)(us / 1000000);
    if (us < 0 || us > PXI_TOD_MAX + 1) { /* 24:00:00 is a time there */
        fail(f, PRAX_ETYPE);
        return;
    }
    add_fmt(f, "%02u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
    add_fraction(f, (unsigned)(us % 1000000));
}

static void add_days(struct form *f, int64_t days)
{
    char text[16];
    prax_date d = { .days = (int32_t)days };
    if (d.days != days || prax_date_text(d, text)[0] == '?') {
        fail(f, PRAX_ETYPE); /* before the year 0 and behind 9999 */
    } else {
        add_text(f, text);
    }
}

static void add_date(struct form *f, const char *p)
{
    int32_t days = (int32_t)pxi_be32(p);
    if (days == INT32_MIN || days == INT32_MAX) {
        add_text(f, days < 0 ? "-infinity" : "infinity");
    } else {
        add_days(f, (int64_t)days + PXI_PG_EPOCH_DAYS);
    }
}

static void add_stamp(struct form *f, const struct pxi_pg_type *t, const char *p)
{
    const int64_t day = PXI_TOD_MAX + 1;
    int64_t us = (int64_t)pxi_be64(p);
    if (us == INT64_MIN || us == INT64_MAX) {
        add_text(f, us < 0 ? "-infinity" : "infinity");
        return;
    }
    int64_t days = us / day - (us % day < 0);
    add_days(f, days + PXI_PG_EPOCH_DAYS);
    add_char(f, ' ');
    add_clock(f, us - days * day);
    add_text(f, t->oid == PXI_PG_TIMESTAMP ? "" : "+00");
}

static void add_timetz(struct form *f, const char *p)
{
    int32_t west = (int32_t)pxi_be32(p + 8);
    unsigned s = west < 0 ? 0u - (unsigned)west : (unsigned)west;
    add_clock(f, (int64_t)pxi_be64(p));
    add_fmt(f, "%c%02u", west > 0 ? '-' : '+', s / 3600);
    if (s % 3600)
        add_fmt(f, ":%02u", s / 60 % 60);
    if (s % 60)
        add_fmt(f, ":%02u", s % 60);
}

static void add_part(struct form *f, int64_t x, char unit)
{
    if (x)
        add_fmt(f, "%lld%c", (long long)x, unit);
}

/* ISO 8601, each part with its own sign: P1Y2M-3DT4H5M6.5S. */
static void add_interval(struct form *f, const char *p)
{
    int64_t us = (int64_t)pxi_be64(p);
    int32_t days = (int32_t)pxi_be32(p + 8), months = (int32_t)pxi_be32(p + 12);
    bool first = months == INT32_MIN && days == INT32_MIN && us == INT64_MIN;
    if (first || (months == INT32_MAX && days == INT32_MAX && us == INT64_MAX)) {
        add_text(f, first ? "-infinity" : "infinity"); /* since version 17 */
        return;
    }
    int64_t s = us / 1000000, part = us % 1000000;
    add_text(f, months || days || us ? "P" : "PT0S");
    add_part(f, months / 12, 'Y');
    add_part(f, months % 12, 'M');
    add_part(f, days, 'D');
    add_text(f, us ? "T" : "");
    add_part(f, s / 3600, 'H');
    add_part(f, s / 60 % 60, 'M');
    if (s % 60 || part) {
        add_fmt(f, "%s%d", us < 0 ? "-" : "", (int)(s < 0 ? -(s % 60) : s % 60));
        add_fraction(f, (unsigned)(part < 0 ? -part : part));
        add_char(f, 'S');
    }
}

/* ---- addresses and bits ---- */

enum { V4 = 2, V6 = 3 }; /* families, whatever the machine calls them */

static void add_address(struct form *f, const char *p, int size)
{
    char text[INET6_ADDRSTRLEN];
    const unsigned char *head = (const unsigned char *)p; /* family, bits, is cidr, bytes */
    bool six = size >= 4 && head[0] == V6;
    if (size != (six ? 20 : 8) || (head[0] != V4 && !six) || head[3] != size - 4) {
        fail(f, PRAX_ETYPE);
        return;
    }
    inet_ntop(six ? AF_INET6 : AF_INET, p + 4, text, sizeof text);
    add_text(f, text);
    if (head[2] || head[1] != (six ? 128 : 32))
        add_fmt(f, "/%u", head[1]);
}

static void add_mac(struct form *f, const char *p, int size)
{
    if (size != 6 && size != 8)
        fail(f, PRAX_ETYPE);
    for (int i = 0; i < size && !f->code; i++)
        add_fmt(f, i ? ":%02x" : "%02x", (unsigned char)p[i]);
}

static void add_bits(struct form *f, const char *p, int size)
{
    int64_t bits = size < 4 ? -1 : (int32_t)pxi_be32(p);
    if (bits < 0 || (bits + 7) / 8 != size - 4) {
        fail(f, PRAX_ETYPE);
        return;
    }
    for (int64_t i = 0; i < bits && !f->code; i++)
        add_char(f, (char)('0' + (p[4 + i / 8] >> (7 - i % 8) & 1)));
}

/* ---- what holds others ---- */

static void add_value(struct form *f, const struct pxi_pg_type *t, const char *p, int size);

static bool looks_like_null(const struct form *f, size_t from)
{
    return f->size - from == 4 && strncasecmp(f->text + from, "null", 4) == 0;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_item(struct form *f, const struct pxi_pg_type *t, const char *p, int32_t size)
{
    size_t from = f->size;
    if (size < 0) {
        add_text(f, "NULL");
        return;
    }
    add_value(f, t, p, size);
    if (f->code == 0 &&
        (f->size == from || looks_like_null(f, from) || has_any(f, from, "\"\\{}, \t\n\r\v\f")))
        quote_since(f, from, false);
}

enum { DIMENSIONS = 6 }; /* the server's own limit */

struct array {
    struct bytes b;
    const struct pxi_pg_type *of;
    int32_t dims, n[DIMENSIONS];
};

/* The items of one dimension, and of those within it. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_dimension(struct form *f, struct array *x, int32_t dim)
{
    const char *p;
    int32_t size;
    add_char(f, '{');
    for (int32_t i = 0; i < x->n[dim] && !f->code; i++) {
        if (i)
            add_char(f, ',');
        if (dim + 1 < x->dims) {
            add_dimension(f, x, dim + 1);
        } else if (take_field(&x->b, &p, &size)) {
            add_item(f, x->of, p, size);
        } else {
            fail(f, PRAX_ETYPE);
        }
    }
    add_char(f, '}');
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_array(struct form *f, const struct pxi_pg_type *t, struct bytes b)
{
    struct array x = { .of = t->of };
    int32_t nulls, oid, from[DIMENSIONS];
    bool odd = false;
    if (!take32(&b, &x.dims) || !take32(&b, &nulls) || !take32(&b, &oid) || x.dims < 0 ||
        x.dims > DIMENSIONS || (uint32_t)oid != t->of->oid) {
        fail(f, PRAX_ETYPE);
        return;
    }
    for (int32_t i = 0; i < x.dims; i++) {
        if (!take32(&b, &x.n[i]) || !take32(&b, &from[i]) || x.n[i] < 1) {
            fail(f, PRAX_ETYPE);
            return;
        }
        odd |= from[i] != 1;
    }
    for (int32_t i = 0; odd && i < x.dims; i++)
        add_fmt(f, "[%d:%lld]", from[i], (long long)from[i] + x.n[i] - 1);
    add_text(f, odd ? "=" : "");
    x.b = b;
    if (x.dims == 0) {
        add_text(f, "{}");
    } else {
        add_dimension(f, &x, 0);
    }
    if (x.b.p != x.b.end)
        fail(f, PRAX_ETYPE);
}

enum { EMPTY = 1, LOWER_IN = 2, UPPER_IN = 4, LOWER_NONE = 8 | 32, UPPER_NONE = 16 | 64 };

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_bound(struct form *f, const struct pxi_pg_type *t, struct bytes *b)
{
    const char *p;
    int32_t size;
    size_t from = f->size;
    if (!take_field(b, &p, &size) || size < 0) {
        fail(f, PRAX_ETYPE);
        return;
    }
    add_value(f, t, p, size);
    if (f->code == 0 && (f->size == from || has_any(f, from, "\"\\()[], \t\n\r\v\f")))
        quote_since(f, from, true);
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_range(struct form *f, const struct pxi_pg_type *t, struct bytes b)
{
    const char *flags = take(&b, 1);
    if (!flags) {
        fail(f, PRAX_ETYPE);
        return;
    }
    if (*flags & EMPTY) {
        add_text(f, "empty");
    } else {
        add_char(f, *flags & LOWER_IN ? '[' : '(');
        if (!(*flags & LOWER_NONE))
            add_bound(f, t->of, &b);
        add_char(f, ',');
        if (!(*flags & UPPER_NONE))
            add_bound(f, t->of, &b);
        add_char(f, *flags & UPPER_IN ? ']' : ')');
    }
    if (b.p != b.end)
        fail(f, PRAX_ETYPE);
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_ranges(struct form *f, const struct pxi_pg_type *t, struct bytes b)
{
    const char *p;
    int32_t n = 0, size;
    if (!take32(&b, &n) || n < 0)
        fail(f, PRAX_ETYPE);
    add_char(f, '{');
    for (int32_t i = 0; i < n && !f->code; i++) {
        add_text(f, i ? "," : "");
        if (take_field(&b, &p, &size) && size >= 0) {
            add_value(f, t->of, p, size);
        } else {
            fail(f, PRAX_ETYPE);
        }
    }
    add_char(f, '}');
    if (b.p != b.end)
        fail(f, PRAX_ETYPE);
}

static void add_quoted(struct form *f, const char *p, int32_t size)
{
    size_t from = f->size;
    add(f, p, (size_t)size);
    if (!f->code)
        quote_since(f, from, false);
}

static void add_pair(struct form *f, struct bytes *b)
{
    const char *key, *value;
    int32_t key_size, size;
    if (!take_field(b, &key, &key_size) || key_size < 0 || !take_field(b, &value, &size)) {
        fail(f, PRAX_ETYPE);
        return;
    }
    add_quoted(f, key, key_size);
    add_text(f, "=>");
    if (size < 0) {
        add_text(f, "NULL");
    } else {
        add_quoted(f, value, size);
    }
}

static void add_hstore(struct form *f, struct bytes b)
{
    int32_t n = 0;
    if (!take32(&b, &n) || n < 0)
        fail(f, PRAX_ETYPE);
    for (int32_t i = 0; i < n && !f->code; i++) {
        add_text(f, i ? ", " : "");
        add_pair(f, &b);
    }
    if (b.p != b.end)
        fail(f, PRAX_ETYPE);
}

/* ---- all of them ---- */

static void add_hex(struct form *f, const char *p, size_t size)
{
    add_text(f, "\\x");
    for (size_t i = 0; i < size && !f->code; i++)
        add_fmt(f, "%02x", (unsigned char)p[i]);
}

/* An item that alone is a value of C. */
static void add_plain(struct form *f, const struct pxi_pg_type *t, const char *p, int size)
{
    char text[32];
    struct pxi_value v;
    int rc = pxi_pg_cell(t, p, size, &f->scratch, &v);
    if (rc < 0) {
        fail(f, rc);
    } else if (v.kind == PXI_TEXT) {
        add(f, v.u.p, v.size);
    } else if (v.kind == PXI_BLOB) {
        add_hex(f, v.u.p, v.size);
    } else if (v.kind == PXI_REAL) {
        add_text(f, pxi_real_text(v.u.f, t->kind == PXI_PG_FLOAT4, text));
    } else if (v.type == PRAX_T_Boolean) {
        add_text(f, v.u.i ? "t" : "f");
    } else {
        add_fmt(f, "%lld", (long long)v.u.i);
    }
    pxi_arena_release(&f->scratch, (struct pxi_mark){ .block = NULL });
}

static void add_text_of(struct form *f, const char *p, int size)
{
    if (size < 1 || *p != 1) {
        fail(f, PRAX_ETYPE);
    } else {
        add(f, p + 1, (size_t)size - 1);
    }
}

/* Bytes of a value of a kind that has one size; 0: any. */
static int size_of(uint8_t kind)
{
    switch (kind) {
    case PXI_PG_DATE:
        return 4;
    case PXI_PG_TIME:
    case PXI_PG_STAMP:
        return 8;
    case PXI_PG_TIMETZ:
        return 12;
    case PXI_PG_INTERVAL:
        return 16;
    default:
        return 0;
    }
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_nested(struct form *f, const struct pxi_pg_type *t, const char *p, int size)
{
    const struct bytes b = { p, p + size };
    if (++f->depth > DEPTH) {
        fail(f, PRAX_ETYPE);
    } else if (t->kind == PXI_PG_ARRAY) {
        add_array(f, t, b);
    } else if (t->kind == PXI_PG_RANGE) {
        add_range(f, t, b);
    } else {
        add_ranges(f, t, b);
    }
    f->depth--;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_value(struct form *f, const struct pxi_pg_type *t, const char *p, int size)
{
    if (size_of(t->kind) && size != size_of(t->kind)) {
        fail(f, PRAX_ETYPE);
        return;
    }
    switch (t->kind) {
    case PXI_PG_INTERVAL:
        add_interval(f, p);
        break;
    case PXI_PG_INET:
        add_address(f, p, size);
        break;
    case PXI_PG_MACADDR:
        add_mac(f, p, size);
        break;
    case PXI_PG_BITS:
        add_bits(f, p, size);
        break;
    case PXI_PG_TIMETZ:
        add_timetz(f, p);
        break;
    case PXI_PG_VERSIONED:
        add_text_of(f, p, size);
        break;
    case PXI_PG_HSTORE:
        add_hstore(f, (struct bytes){ p, p + size });
        break;
    case PXI_PG_DATE:
        add_date(f, p);
        break;
    case PXI_PG_TIME:
        add_clock(f, (int64_t)pxi_be64(p));
        break;
    case PXI_PG_STAMP:
        add_stamp(f, t, p);
        break;
    case PXI_PG_RANGE:
    case PXI_PG_MULTIRANGE:
    case PXI_PG_ARRAY:
        add_nested(f, t, p, size);
        break;
    default:
        add_plain(f, t, p, size);
    }
}

int64_t pxi_pg_form(const struct pxi_pg_type *t, const char *p, int size, struct pxi_arena *a,
                    const char **text)
{
    struct form f = { .a = a };
    pxi_arena_init(&f.scratch, a->alloc, 0);
    if (make_room(&f, 1))
        add_value(&f, t, p, size);
    pxi_arena_free(&f.scratch);
    *text = f.text;
    if (f.code)
        return f.code;
    f.text[f.size] = '\0';
    return (int64_t)f.size;
}

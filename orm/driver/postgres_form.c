/* postgres_form.c - what is read as text: see postgres_codec.h.
 *
 * Intervals, addresses, shapes, ranges, hstore, and arrays of anything: columns of raw SQL for
 * which C has no type. Here is what holds other values, and the text itself; postgres_form_plain.c
 * has those that hold none. The text is that of the server's output functions, so it can be sent
 * back as it is; but for what settings of the server change there: times are UTC's, dates and
 * intervals ISO 8601's. Written at the end of the arena, which grows the text in place.
 *
 * Types nest (arrays of ranges of domains) as deep as the server says; more than DEPTH is refused.
 *
 * Source: the send and output functions of PostgreSQL 15 (src/backend/utils/adt); contrib/hstore.
 */
#include "orm/driver/postgres_form.h"
#include "orm/base/value.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DEPTH = 8, FIRST_ROOM = 64 };

/* ---- the text ---- */

void pxi_form_fail(struct pxi_form *f, int code)
{
    if (f->code == 0)
        f->code = code;
}

bool pxi_form_room(struct pxi_form *f, size_t more)
{
    if (f->code)
        return false;
    if (f->size + more < f->room)
        return true;
    size_t room = 2 * (f->size + more) + FIRST_ROOM;
    char *text = pxi_arena_extend(f->a, f->text, f->room, room);
    if (!text) {
        pxi_form_fail(f, f->a->over ? PRAX_ELIMIT : PRAX_ENOMEM);
        return false;
    }
    f->text = text;
    f->room = room;
    return true;
}

void pxi_form_add(struct pxi_form *f, const char *text, size_t size)
{
    if (size && pxi_form_room(f, size)) {
        memcpy(f->text + f->size, text, size);
        f->size += size;
    }
}

void pxi_form_text(struct pxi_form *f, const char *text)
{
    pxi_form_add(f, text, strlen(text));
}

void pxi_form_char(struct pxi_form *f, char c)
{
    pxi_form_add(f, &c, 1);
}

void pxi_form_fmt(struct pxi_form *f, const char *fmt, ...)
{
    char text[64];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pxi_form_text(f, text);
}

/* What was written since `from`, put in quotes: those within it and backslashes get a backslash in
 * front, or are doubled. */
static void quote_since(struct pxi_form *f, size_t from, bool doubled)
{
    static const char special[] = "\"\\";
    size_t size = f->size - from, more = 2;
    for (size_t i = from; i < f->size; i++)
        more += f->text[i] && strchr(special, f->text[i]);
    if (!pxi_form_room(f, more))
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

static bool has_any(const struct pxi_form *f, size_t from, const char *chars)
{
    for (size_t i = from; i < f->size; i++) {
        if (f->text[i] && strchr(chars, f->text[i]))
            return true;
    }
    return false;
}

/* ---- the server's bytes ---- */

const char *pxi_form_take(struct pxi_form_bytes *b, size_t n)
{
    const char *p = b->p;
    if ((size_t)(b->end - p) < n)
        return NULL;
    b->p += n;
    return p;
}

bool pxi_form_take32(struct pxi_form_bytes *b, int32_t *x)
{
    const char *p = pxi_form_take(b, 4);
    if (p)
        *x = (int32_t)pxi_be32(p);
    return p != NULL;
}

/* A field: its size, then it. *size < 0: NULL. */
static bool take_field(struct pxi_form_bytes *b, const char **p, int32_t *size)
{
    if (!pxi_form_take32(b, size))
        return false;
    *p = *size < 0 ? "" : pxi_form_take(b, (size_t)*size);
    return *p != NULL;
}

/* ---- what holds others ---- */

static void add_value(struct pxi_form *f, const struct pxi_pg_type *t, const char *p, int size);

static bool looks_like_null(const struct pxi_form *f, size_t from)
{
    return f->size - from == 4 && strncasecmp(f->text + from, "null", 4) == 0;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_item(struct pxi_form *f, const struct pxi_pg_type *t, const char *p, int32_t size)
{
    const char *special = t->base == PXI_PG_BOX ? "\"\\{}; \t\n\r\v\f" : "\"\\{}, \t\n\r\v\f";
    size_t from = f->size;
    if (size < 0) {
        pxi_form_text(f, "NULL");
        return;
    }
    add_value(f, t, p, size);
    if (f->code == 0 && (f->size == from || looks_like_null(f, from) || has_any(f, from, special)))
        quote_since(f, from, false);
}

enum { DIMENSIONS = 6 }; /* the server's own limit */

struct array {
    struct pxi_form_bytes b;
    const struct pxi_pg_type *of;
    int32_t dims, n[DIMENSIONS];
};

/* The items of one dimension, and of those within it. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_dimension(struct pxi_form *f, struct array *x, int32_t dim)
{
    const char *p;
    int32_t size;
    pxi_form_char(f, '{');
    for (int32_t i = 0; i < x->n[dim] && !f->code; i++) {
        if (i)
            pxi_form_char(f, x->of->base == PXI_PG_BOX ? ';' : ',');
        if (dim + 1 < x->dims) {
            add_dimension(f, x, dim + 1);
        } else if (take_field(&x->b, &p, &size)) {
            add_item(f, x->of, p, size);
        } else {
            pxi_form_fail(f, PRAX_ETYPE);
        }
    }
    pxi_form_char(f, '}');
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_array(struct pxi_form *f, const struct pxi_pg_type *t, struct pxi_form_bytes b)
{
    struct array x = { .of = t->of };
    int32_t nulls, oid, from[DIMENSIONS];
    bool odd = false;
    if (!pxi_form_take32(&b, &x.dims) || !pxi_form_take32(&b, &nulls) ||
        !pxi_form_take32(&b, &oid) || x.dims < 0 || x.dims > DIMENSIONS ||
        (uint32_t)oid != t->of->oid) {
        pxi_form_fail(f, PRAX_ETYPE);
        return;
    }
    for (int32_t i = 0; i < x.dims; i++) {
        if (!pxi_form_take32(&b, &x.n[i]) || !pxi_form_take32(&b, &from[i]) || x.n[i] < 1) {
            pxi_form_fail(f, PRAX_ETYPE);
            return;
        }
        odd |= from[i] != 1;
    }
    for (int32_t i = 0; odd && i < x.dims; i++)
        pxi_form_fmt(f, "[%d:%lld]", from[i], (long long)from[i] + x.n[i] - 1);
    pxi_form_text(f, odd ? "=" : "");
    x.b = b;
    if (x.dims == 0) {
        pxi_form_text(f, "{}");
    } else {
        add_dimension(f, &x, 0);
    }
    if (x.b.p != x.b.end)
        pxi_form_fail(f, PRAX_ETYPE);
}

enum { EMPTY = 1, LOWER_IN = 2, UPPER_IN = 4, LOWER_NONE = 8 | 32, UPPER_NONE = 16 | 64 };

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_bound(struct pxi_form *f, const struct pxi_pg_type *t, struct pxi_form_bytes *b)
{
    const char *p;
    int32_t size;
    size_t from = f->size;
    if (!take_field(b, &p, &size) || size < 0) {
        pxi_form_fail(f, PRAX_ETYPE);
        return;
    }
    add_value(f, t, p, size);
    if (f->code == 0 && (f->size == from || has_any(f, from, "\"\\()[], \t\n\r\v\f")))
        quote_since(f, from, true);
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_range(struct pxi_form *f, const struct pxi_pg_type *t, struct pxi_form_bytes b)
{
    const char *flags = pxi_form_take(&b, 1);
    if (!flags) {
        pxi_form_fail(f, PRAX_ETYPE);
        return;
    }
    if (*flags & EMPTY) {
        pxi_form_text(f, "empty");
    } else {
        pxi_form_char(f, *flags & LOWER_IN ? '[' : '(');
        if (!(*flags & LOWER_NONE))
            add_bound(f, t->of, &b);
        pxi_form_char(f, ',');
        if (!(*flags & UPPER_NONE))
            add_bound(f, t->of, &b);
        pxi_form_char(f, *flags & UPPER_IN ? ']' : ')');
    }
    if (b.p != b.end)
        pxi_form_fail(f, PRAX_ETYPE);
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_ranges(struct pxi_form *f, const struct pxi_pg_type *t, struct pxi_form_bytes b)
{
    const char *p;
    int32_t n = 0, size;
    if (!pxi_form_take32(&b, &n) || n < 0)
        pxi_form_fail(f, PRAX_ETYPE);
    pxi_form_char(f, '{');
    for (int32_t i = 0; i < n && !f->code; i++) {
        pxi_form_text(f, i ? "," : "");
        if (take_field(&b, &p, &size) && size >= 0) {
            add_value(f, t->of, p, size);
        } else {
            pxi_form_fail(f, PRAX_ETYPE);
        }
    }
    pxi_form_char(f, '}');
    if (b.p != b.end)
        pxi_form_fail(f, PRAX_ETYPE);
}

static void add_quoted(struct pxi_form *f, const char *p, int32_t size)
{
    size_t from = f->size;
    pxi_form_add(f, p, (size_t)size);
    if (!f->code)
        quote_since(f, from, false);
}

static void add_pair(struct pxi_form *f, struct pxi_form_bytes *b)
{
    const char *key, *value;
    int32_t key_size, size;
    if (!take_field(b, &key, &key_size) || key_size < 0 || !take_field(b, &value, &size)) {
        pxi_form_fail(f, PRAX_ETYPE);
        return;
    }
    add_quoted(f, key, key_size);
    pxi_form_text(f, "=>");
    if (size < 0) {
        pxi_form_text(f, "NULL");
    } else {
        add_quoted(f, value, size);
    }
}

static void add_hstore(struct pxi_form *f, struct pxi_form_bytes b)
{
    int32_t n = 0;
    if (!pxi_form_take32(&b, &n) || n < 0)
        pxi_form_fail(f, PRAX_ETYPE);
    for (int32_t i = 0; i < n && !f->code; i++) {
        pxi_form_text(f, i ? ", " : "");
        add_pair(f, &b);
    }
    if (b.p != b.end)
        pxi_form_fail(f, PRAX_ETYPE);
}

/* ---- all of them ---- */

static void add_hex(struct pxi_form *f, const char *p, size_t size)
{
    pxi_form_text(f, "\\x");
    for (size_t i = 0; i < size && !f->code; i++)
        pxi_form_fmt(f, "%02x", (unsigned char)p[i]);
}

/* An item that alone is a value of C. */
static void add_plain(struct pxi_form *f, const struct pxi_pg_type *t, const char *p, int size)
{
    char text[32];
    struct pxi_value v;
    int rc = pxi_pg_cell(t, p, size, &f->scratch, &v);
    if (rc < 0) {
        pxi_form_fail(f, rc);
    } else if (v.kind == PXI_TEXT) {
        pxi_form_add(f, v.u.p, v.size);
    } else if (v.kind == PXI_BLOB) {
        add_hex(f, v.u.p, v.size);
    } else if (v.kind == PXI_REAL) {
        pxi_form_text(f, pxi_real_text(v.u.f, t->kind == PXI_PG_FLOAT4, text));
    } else if (v.type == PRAX_T_Boolean) {
        pxi_form_text(f, v.u.i ? "t" : "f");
    } else {
        pxi_form_fmt(f, "%lld", (long long)v.u.i);
    }
    pxi_arena_release(&f->scratch, (struct pxi_mark){ .block = NULL });
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void add_nested(struct pxi_form *f, const struct pxi_pg_type *t, const char *p, int size)
{
    const struct pxi_form_bytes b = { p, p + size };
    if (++f->depth > DEPTH) {
        pxi_form_fail(f, PRAX_ETYPE);
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
static void add_value(struct pxi_form *f, const struct pxi_pg_type *t, const char *p, int size)
{
    switch (t->kind) {
    case PXI_PG_HSTORE:
        add_hstore(f, (struct pxi_form_bytes){ p, p + size });
        break;
    case PXI_PG_RANGE:
    case PXI_PG_MULTIRANGE:
    case PXI_PG_ARRAY:
        add_nested(f, t, p, size);
        break;
    default:
        if (!pxi_form_plain(f, t, p, size))
            add_plain(f, t, p, size);
    }
}

int64_t pxi_pg_form(const struct pxi_pg_type *t, const char *p, int size, struct pxi_arena *a,
                    const char **text)
{
    struct pxi_form f = { .a = a };
    pxi_arena_init(&f.scratch, a->alloc, 0);
    if (pxi_form_room(&f, 1))
        add_value(&f, t, p, size);
    pxi_arena_free(&f.scratch);
    *text = f.text;
    if (f.code)
        return f.code;
    f.text[f.size] = '\0';
    return (int64_t)f.size;
}

/* postgres_decode.c - values from the server: see postgres_codec.h.
 *
 * The hot loop of every list runs through pxi_pg_read. Texts are copied without a look at their
 * bytes: the server keeps no NUL in a text and checks its encoding, and what a false one sends is a
 * shorter C string and no more.
 */
#include "orm/base/value.h"
#include "orm/driver/postgres_codec.h"
#include <string.h>

static int no_room(const struct pxi_arena *a)
{
    return a->over ? PRAX_ELIMIT : PRAX_ENOMEM;
}

/* ---- which goes with which ---- */

static enum pxi_pg_reader integer_reader(uint8_t kind)
{
    switch (kind) {
    case PXI_PG_INT2:
        return PXI_PG_READ_INT2;
    case PXI_PG_INT4:
        return PXI_PG_READ_INT4;
    case PXI_PG_INT8:
        return PXI_PG_READ_INT8;
    case PXI_PG_OID:
        return PXI_PG_READ_OID;
    case PXI_PG_NUMERIC:
        return PXI_PG_READ_INT_NUMERIC;
    default:
        return PXI_PG_READ_NOT;
    }
}

static enum pxi_pg_reader decimal_reader(uint8_t kind)
{
    switch (kind) {
    case PXI_PG_NUMERIC:
        return PXI_PG_READ_DECIMAL;
    case PXI_PG_INT2:
        return PXI_PG_READ_DECIMAL_INT2;
    case PXI_PG_INT4:
        return PXI_PG_READ_DECIMAL_INT4;
    case PXI_PG_INT8:
        return PXI_PG_READ_DECIMAL_INT8;
    default:
        return PXI_PG_READ_NOT;
    }
}

static enum pxi_pg_reader reader_if(bool fits, enum pxi_pg_reader r)
{
    return fits ? r : PXI_PG_READ_NOT;
}

static bool is_form(uint8_t kind)
{
    return kind > PXI_PG_OTHER && kind <= PXI_PG_MULTIRANGE;
}

static enum pxi_pg_reader scalar_reader(uint8_t type, uint8_t kind)
{
    switch (type) {
    case PRAX_T_Int:
    case PRAX_T_SmallInt:
    case PRAX_T_BigInt:
        return integer_reader(kind);
    case PRAX_T_Boolean:
        return reader_if(kind == PXI_PG_BOOL, PXI_PG_READ_BOOL);
    case PRAX_T_Float:
        return kind == PXI_PG_FLOAT4 ? PXI_PG_READ_FLOAT4
                                     : reader_if(kind == PXI_PG_FLOAT8, PXI_PG_READ_FLOAT8);
    case PRAX_T_Decimal:
        return decimal_reader(kind);
    case PRAX_T_Numeric:
        return reader_if(kind == PXI_PG_NUMERIC, PXI_PG_READ_NUMERIC);
    case PRAX_T_String:
        return kind == PXI_PG_TEXT ? PXI_PG_READ_TEXT : reader_if(is_form(kind), PXI_PG_READ_FORM);
    case PRAX_T_Enum:
        return reader_if(kind == PXI_PG_TEXT, PXI_PG_READ_LABEL);
    case PRAX_T_Uuid:
    case PRAX_T_Ulid:
        return reader_if(kind == PXI_PG_UUID, PXI_PG_READ_UUID);
    case PRAX_T_DateTime:
        return reader_if(kind == PXI_PG_STAMP, PXI_PG_READ_STAMP);
    case PRAX_T_Date:
        return reader_if(kind == PXI_PG_DATE, PXI_PG_READ_DATE);
    case PRAX_T_Time:
        return reader_if(kind == PXI_PG_TIME, PXI_PG_READ_TIME);
    case PRAX_T_Bytes:
        return reader_if(kind == PXI_PG_BYTES, PXI_PG_READ_BYTES);
    case PRAX_T_Json:
        return kind == PXI_PG_JSON ? PXI_PG_READ_JSON
                                   : reader_if(kind == PXI_PG_JSONB, PXI_PG_READ_JSONB);
    default:
        return PXI_PG_READ_NOT;
    }
}

enum pxi_pg_reader pxi_pg_reader_of(const struct pxi_out *o, const struct pxi_pg_type *t)
{
    if (!o->list)
        return scalar_reader(o->type, t->kind);
    enum pxi_pg_reader item =
        t->kind == PXI_PG_ARRAY ? scalar_reader(o->type, t->of->kind) : PXI_PG_READ_NOT;
    return item ? PXI_PG_READ_LIST | item : PXI_PG_READ_NOT;
}

/* ---- fields of a row ---- */

static int64_t copy_text(const char *p, int size, struct pxi_arena *a, const char **out)
{
    char *room = pxi_arena_get(a, (size_t)size + 1, 1);
    *out = room;
    if (!room)
        return no_room(a);
    memcpy(room, p, (size_t)size);
    room[size] = '\0';
    return size;
}

static int64_t read_text(const char *p, int size, char *to, struct pxi_arena *a)
{
    const char *text = NULL;
    int64_t rc = copy_text(p, size, a, &text);
    memcpy(to, &text, sizeof text);
    return rc;
}

static int64_t read_form(const struct pxi_pg_type *t, const char *p, int size, char *to,
                         struct pxi_arena *a)
{
    const char *text = NULL;
    int64_t rc = pxi_pg_form(t, p, size, a, &text);
    memcpy(to, &text, sizeof text);
    return rc;
}

static int64_t read_numeric_text(const char *p, int size, char *to, struct pxi_arena *a)
{
    const char *text = NULL;
    int64_t rc = pxi_pg_numeric_text(p, size, a, &text);
    memcpy(to, &text, sizeof text);
    return rc;
}

static int64_t read_json(const char *p, int size, bool binary, char *to, struct pxi_arena *a)
{
    prax_json j = { .text = NULL };
    if (binary) {
        if (size < 1 || *p != 1)
            return PRAX_ETYPE;
        p++;
        size--;
    }
    int64_t rc = copy_text(p, size, a, &j.text);
    j.size = (size_t)size;
    memcpy(to, &j, sizeof j);
    return rc;
}

static int64_t read_bytes(const char *p, int size, char *to, struct pxi_arena *a)
{
    prax_bytes b = { .data = NULL, .size = (size_t)size };
    char *room = pxi_arena_get(a, b.size + 1, 16); /* + 1: an empty blob is not NULL */
    if (!room)
        return no_room(a);
    memcpy(room, p, b.size);
    b.data = room;
    memcpy(to, &b, sizeof b);
    return size;
}

static int read_label(const struct pxi_out *o, const char *p, int size, char *to)
{
    const prax_enum_type *t = o->labels;
    for (int k = 1; k <= t->n_labels; k++) {
        if (strlen(t->labels[k]) == (size_t)size && memcmp(t->labels[k], p, (size_t)size) == 0) {
            memcpy(to, &k, sizeof k);
            return 0;
        }
    }
    return PRAX_ETYPE;
}

static int put_i64(char *to, int64_t x)
{
    memcpy(to, &x, sizeof x);
    return 0;
}

static int put_decimal(char *to, int64_t units, unsigned scale, bool scaled)
{
    if (!scaled && __builtin_mul_overflow(units, pxi_pow10[scale], &units))
        return PRAX_ETYPE;
    prax_decimal d = prax_decimal_of(units, (int32_t)scale);
    memcpy(to, &d, sizeof d);
    return 0;
}

static int read_real(enum pxi_pg_reader r, const char *p, int size, char *to)
{
    double x;
    if (r == PXI_PG_READ_FLOAT4 && size == 4) {
        uint32_t bits = pxi_be32(p);
        float half;
        memcpy(&half, &bits, sizeof half);
        x = (double)half;
    } else if (r == PXI_PG_READ_FLOAT8 && size == 8) {
        uint64_t bits = pxi_be64(p);
        memcpy(&x, &bits, sizeof x);
    } else {
        return PRAX_ETYPE;
    }
    memcpy(to, &x, sizeof x);
    return 0;
}

/* The ends of the server's range mean infinity, which is no date of ours. */
static int read_date(const char *p, int size, char *to)
{
    int32_t days;
    if (size != 4)
        return PRAX_ETYPE;
    int32_t from_2000 = (int32_t)pxi_be32(p);
    if (from_2000 == INT32_MIN || __builtin_add_overflow(from_2000, PXI_PG_EPOCH_DAYS, &days))
        return PRAX_ETYPE;
    memcpy(to, &days, sizeof days);
    return 0;
}

static int read_stamp(const char *p, int size, char *to)
{
    int64_t us;
    if (size != 8)
        return PRAX_ETYPE;
    int64_t from_2000 = (int64_t)pxi_be64(p);
    if (from_2000 == INT64_MIN || __builtin_add_overflow(from_2000, PXI_PG_EPOCH_US, &us))
        return PRAX_ETYPE;
    return put_i64(to, us);
}

static int read_time(const char *p, int size, char *to)
{
    if (size != 8)
        return PRAX_ETYPE;
    int64_t us = (int64_t)pxi_be64(p);
    return us >= 0 && us <= PXI_TOD_MAX ? put_i64(to, us) : PRAX_ETYPE; /* 24:00 is no time */
}

static int read_numeric_integer(const char *p, int size, char *to)
{
    int64_t x;
    return pxi_pg_numeric_units(p, size, 0, &x) ? put_i64(to, x) : PRAX_ETYPE;
}

static int read_decimal(enum pxi_pg_reader r, unsigned scale, const char *p, int size, char *to)
{
    int64_t units;
    if (scale > PXI_DECIMAL_DIGITS)
        return PRAX_ETYPE;
    switch (r) {
    case PXI_PG_READ_DECIMAL_INT2:
        return size == 2 ? put_decimal(to, (int16_t)pxi_be16(p), scale, false) : PRAX_ETYPE;
    case PXI_PG_READ_DECIMAL_INT4:
        return size == 4 ? put_decimal(to, (int32_t)pxi_be32(p), scale, false) : PRAX_ETYPE;
    case PXI_PG_READ_DECIMAL_INT8:
        return size == 8 ? put_decimal(to, (int64_t)pxi_be64(p), scale, false) : PRAX_ETYPE;
    default:
        return pxi_pg_numeric_units(p, size, scale, &units) ? put_decimal(to, units, scale, true)
                                                            : PRAX_ETYPE;
    }
}

/* Anything but a list. */
static inline int64_t read_scalar(const struct pxi_pg_way *w, const char *p, int size, char *to,
                                  struct pxi_arena *a)
{
    switch (w->r) {
    case PXI_PG_READ_INT2:
        return size == 2 ? put_i64(to, (int16_t)pxi_be16(p)) : PRAX_ETYPE;
    case PXI_PG_READ_INT4:
        return size == 4 ? put_i64(to, (int32_t)pxi_be32(p)) : PRAX_ETYPE;
    case PXI_PG_READ_INT8:
        return size == 8 ? put_i64(to, (int64_t)pxi_be64(p)) : PRAX_ETYPE;
    case PXI_PG_READ_OID:
        return size == 4 ? put_i64(to, pxi_be32(p)) : PRAX_ETYPE;
    case PXI_PG_READ_INT_NUMERIC:
        return read_numeric_integer(p, size, to);
    case PXI_PG_READ_BOOL:
        *(bool *)to = size == 1 && *p;
        return size == 1 ? 0 : PRAX_ETYPE;
    case PXI_PG_READ_FLOAT4:
    case PXI_PG_READ_FLOAT8:
        return read_real(w->r, p, size, to);
    case PXI_PG_READ_NUMERIC:
        return read_numeric_text(p, size, to, a);
    case PXI_PG_READ_TEXT:
        return read_text(p, size, to, a);
    case PXI_PG_READ_JSON:
    case PXI_PG_READ_JSONB:
        return read_json(p, size, w->r == PXI_PG_READ_JSONB, to, a);
    case PXI_PG_READ_BYTES:
        return read_bytes(p, size, to, a);
    case PXI_PG_READ_UUID:
        if (size == 16)
            memcpy(to, p, 16);
        return size == 16 ? 0 : PRAX_ETYPE;
    case PXI_PG_READ_STAMP:
        return read_stamp(p, size, to);
    case PXI_PG_READ_DATE:
        return read_date(p, size, to);
    case PXI_PG_READ_TIME:
        return read_time(p, size, to);
    case PXI_PG_READ_LABEL:
        return read_label(w->o, p, size, to);
    case PXI_PG_READ_FORM:
        return read_form(w->t, p, size, to, a);
    case PXI_PG_READ_LIST:
    case PXI_PG_READ_NOT:
        return PRAX_ETYPE;
    default:
        return read_decimal(w->r, w->o->scale, p, size, to);
    }
}

/* ---- arrays ---- */

struct array {
    const char *p, *end;
    uint32_t n;
};

/* One dimension, or none: then it is empty. The items are not looked at. */
static bool read_array(const char *p, int size, const struct pxi_pg_type *of, struct array *x)
{
    if (size < 12 || pxi_be32(p + 8) != of->oid)
        return false;
    uint32_t dimensions = pxi_be32(p);
    *x = (struct array){ .p = p + 12, .end = p + size };
    if (dimensions == 0)
        return size == 12;
    if (dimensions != 1 || size < 20)
        return false;
    x->n = pxi_be32(p + 12);
    x->p = p + 20;
    return x->n <= (size_t)(x->end - x->p) / 4; /* four bytes an item are the least */
}

/* The next item, never NULL. */
static bool next_item(struct array *x, const char **p, int *size)
{
    if (x->end - x->p < 4)
        return false;
    int32_t n = (int32_t)pxi_be32(x->p);
    if (n < 0 || n > x->end - x->p - 4)
        return false;
    *p = x->p + 4;
    *size = n;
    x->p += 4 + n;
    return true;
}

static int64_t read_list(const struct pxi_pg_way *w, const char *p, int size, char *to,
                         struct pxi_arena *a)
{
    struct array x;
    struct pxi_out item = *w->o;
    const struct pxi_pg_way way = { w->r - PXI_PG_READ_LIST, &item, w->t->of };
    int64_t bytes = 0;
    if (!read_array(p, size, w->t->of, &x))
        return PRAX_ETYPE;
    item.list = item.null = 0;
    size_t item_size = pxi_layouts[item.type].size;
    char *items = pxi_arena_get(a, x.n * item_size, 8);
    if (!items)
        return no_room(a);
    for (uint32_t i = 0; i < x.n; i++) {
        const char *at;
        int n;
        if (!next_item(&x, &at, &n))
            return PRAX_ETYPE;
        int64_t rc = read_scalar(&way, at, n, items + i * item_size, a);
        if (rc < 0)
            return rc;
        bytes += rc + (int64_t)item_size;
    }
    prax_list_i64 list = { .items = (const int64_t *)(const void *)items, .count = x.n };
    memcpy(to, &list, sizeof list);
    return x.p == x.end ? bytes : PRAX_ETYPE;
}

/* ---- all of them ---- */

/* NULL, as the field's type has it. */
static int put_null(const struct pxi_out *o, char *to)
{
    const struct pxi_layout *l = o->list ? &pxi_list_layout : &pxi_layouts[o->type];
    if (!o->null)
        return PRAX_ETYPE;
    if (l->opt_val)
        *(bool *)to = false;
    memset(to + l->opt_val, 0, l->size);
    return 0;
}

int64_t pxi_pg_read(const struct pxi_pg_way *w, const char *p, int size, char *to,
                    struct pxi_arena *a)
{
    const struct pxi_out *o = w->o;
    if (__builtin_expect(size < 0, 0))
        return put_null(o, to);
    if (o->null && !o->list && pxi_layouts[o->type].opt_val) {
        *(bool *)to = true;
        to += pxi_layouts[o->type].opt_val;
    }
    return w->r & PXI_PG_READ_LIST ? read_list(w, p, size, to, a) : read_scalar(w, p, size, to, a);
}

/* ---- cells ---- */

static int text_cell(struct pxi_value *v, const char *text, int64_t size, enum prax_type type)
{
    if (size < 0)
        return (int)size;
    *v = (struct pxi_value){
        .kind = PXI_TEXT, .type = (uint8_t)type, .size = (uint32_t)size, .u.p = text
    };
    return 0;
}

static int int_cell(struct pxi_value *v, enum pxi_pg_reader r, enum prax_type type, const char *p,
                    int size)
{
    const struct pxi_out o = { .type = (uint8_t)type };
    char to[sizeof(prax_bytes)] = { 0 }; /* gcc -O3 looks at readers that are not asked for here */
    int32_t days;
    const struct pxi_pg_way way = { r, &o, NULL };
    int rc = (int)read_scalar(&way, p, size, to, NULL);
    *v = (struct pxi_value){ .kind = PXI_INT, .type = (uint8_t)type };
    if (type == PRAX_T_Date) {
        memcpy(&days, to, sizeof days);
        v->u.i = days;
    } else if (type == PRAX_T_Boolean) {
        v->u.i = to[0] != 0;
    } else {
        memcpy(&v->u.i, to, sizeof v->u.i);
    }
    return rc;
}

static int uuid_cell(struct pxi_value *v, const char *p, int size, struct pxi_arena *a)
{
    prax_uuid u;
    char *text = pxi_arena_get(a, 37, 1);
    if (!text)
        return PRAX_ENOMEM;
    if (size != 16)
        return PRAX_ETYPE;
    memcpy(u.b, p, sizeof u.b);
    return text_cell(v, prax_uuid_text(u, text), 36, PRAX_T_Uuid);
}

static int cell(const struct pxi_pg_type *t, const char *p, int size, struct pxi_arena *a,
                struct pxi_value *v)
{
    const char *text = NULL;
    int64_t written;
    switch (t->kind) {
    case PXI_PG_BOOL:
        return int_cell(v, PXI_PG_READ_BOOL, PRAX_T_Boolean, p, size);
    case PXI_PG_INT2:
    case PXI_PG_INT4:
    case PXI_PG_INT8:
    case PXI_PG_OID:
        return int_cell(v, integer_reader(t->kind), PRAX_T_BigInt, p, size);
    case PXI_PG_DATE:
        return int_cell(v, PXI_PG_READ_DATE, PRAX_T_Date, p, size);
    case PXI_PG_TIME:
        return int_cell(v, PXI_PG_READ_TIME, PRAX_T_Time, p, size);
    case PXI_PG_STAMP:
        return int_cell(v, PXI_PG_READ_STAMP, PRAX_T_DateTime, p, size);
    case PXI_PG_FLOAT4:
    case PXI_PG_FLOAT8:
        *v = (struct pxi_value){ .kind = PXI_REAL, .type = PRAX_T_Float };
        return read_real(t->kind == PXI_PG_FLOAT4 ? PXI_PG_READ_FLOAT4 : PXI_PG_READ_FLOAT8, p,
                         size, (char *)&v->u.f);
    case PXI_PG_NUMERIC:
        written = pxi_pg_numeric_text(p, size, a, &text);
        return text_cell(v, text, written, PRAX_T_Numeric);
    case PXI_PG_TEXT:
    case PXI_PG_VOID:
        return text_cell(v, p, size, PRAX_T_String);
    case PXI_PG_JSON:
        return text_cell(v, p, size, PRAX_T_Json);
    case PXI_PG_JSONB:
        return size > 0 && *p == 1 ? text_cell(v, p + 1, size - 1, PRAX_T_Json) : PRAX_ETYPE;
    case PXI_PG_UUID:
        return uuid_cell(v, p, size, a);
    case PXI_PG_BYTES:
        *v = (struct pxi_value){
            .kind = PXI_BLOB, .type = PRAX_T_Bytes, .size = (uint32_t)size, .u.p = p
        };
        return 0;
    case PXI_PG_OTHER:
        return PRAX_ETYPE;
    default: /* arrays, and what is read as text */
        written = pxi_pg_form(t, p, size, a, &text);
        return text_cell(v, text, written, PRAX_T_String);
    }
}

int pxi_pg_cell(const struct pxi_pg_type *t, const char *p, int size, struct pxi_arena *a,
                struct pxi_value *v)
{
    *v = (struct pxi_value){ .kind = PXI_NULL, .type = PXI_UNTYPED };
    int rc = size < 0 ? 0 : cell(t, p, size, a, v);
    if (rc < 0)
        *v = (struct pxi_value){ .kind = PXI_ARRAY, .type = PXI_UNTYPED };
    return rc;
}

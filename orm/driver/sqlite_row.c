/* sqlite_row.c - the SQLite driver: a row becomes a struct.
 *
 * The hot loop of every list. It runs the row program with one call of SQLite's column layer a
 * column (sqlite3_column_value; the value is "unprotected", which means that no mutex guards it,
 * and our connections are used by one thread at a time) and copies texts behind each other into the
 * arena. Types are checked where that is free: our tables are STRICT, so a NOT NULL integer is
 * asked for its type only if it reads as 0 (which NULL and most texts do); what needs a look anyway
 * (nullable ones, labels, UUIDs) is checked in full.
 */
#include "orm/base/value.h"
#include "orm/driver/sqlite.h"
#include <string.h>

static int no_room(const struct pxi_arena *a)
{
    return a->over ? PRAX_ELIMIT : PRAX_ENOMEM;
}

static inline uint64_t zero_bytes(uint64_t w)
{
    return (w - 0x0101010101010101u) & ~w & 0x8080808080808080u;
}

/* Copies text[size] and its NUL; false if there is a NUL inside. Eight bytes at a time, the last
 * eight overlapping, because a call of memchr and one of memcpy cost more than the copy itself.
 * Source: Mycroft's test for a zero byte. */
static bool copy_text(char *to, const char *text, size_t size)
{
    uint64_t zero = 0, w;
    size_t i = 0;
    if (size < sizeof w) {
        for (; i < size; i++) {
            zero |= text[i] == '\0';
            to[i] = text[i];
        }
        to[size] = '\0';
        return zero == 0;
    }
    for (; i + sizeof w < size; i += sizeof w) {
        memcpy(&w, text + i, sizeof w);
        zero |= zero_bytes(w);
        memcpy(to + i, &w, sizeof w);
    }
    memcpy(&w, text + size - sizeof w, sizeof w);
    zero |= zero_bytes(w);
    memcpy(to + size - sizeof w, &w, sizeof w);
    to[size] = '\0';
    return zero == 0;
}

/* The readers return the bytes that they put into the arena, or an error. */
static int keep_text(sqlite3_value *v, const char *text, struct pxi_arena *a, const char **out)
{
    size_t size = (size_t)sqlite3_value_bytes(v);
    char *room = pxi_arena_get(a, size + 1, 1);
    if (!room)
        return no_room(a);
    *out = room;
    return copy_text(room, text, size) ? (int)size : PRAX_ETYPE;
}

/* Text that is not there: NULL, or SQLite had no memory. */
static int no_text(sqlite3_value *v, const struct pxi_out *o)
{
    if (sqlite3_value_type(v) != SQLITE_NULL)
        return PRAX_ENOMEM;
    return o->null ? 0 : PRAX_ETYPE;
}

static int read_text(sqlite3_value *v, const struct pxi_out *o, char *to, struct pxi_arena *a)
{
    const char *text = (const char *)sqlite3_value_text(v);
    const char *copy = NULL;
    int size = text ? keep_text(v, text, a, &copy) : no_text(v, o);
    memcpy(to, &copy, sizeof copy);
    return size;
}

static int read_json(sqlite3_value *v, const struct pxi_out *o, char *to, struct pxi_arena *a)
{
    const char *text = (const char *)sqlite3_value_text(v);
    prax_json j = { .text = NULL };
    int size = text ? keep_text(v, text, a, &j.text) : no_text(v, o);
    j.size = size > 0 ? (size_t)size : 0;
    memcpy(to, &j, sizeof j);
    return size;
}

static int read_bytes(sqlite3_value *v, const struct pxi_out *o, char *to, struct pxi_arena *a)
{
    prax_bytes b = { .data = NULL, .size = 0 };
    int type = sqlite3_value_type(v);
    if (type == SQLITE_BLOB) {
        const void *data = sqlite3_value_blob(v);
        b.size = (size_t)sqlite3_value_bytes(v);
        char *room = pxi_arena_get(a, b.size + 1, 16); /* + 1: an empty blob is not NULL */
        if (!room)
            return no_room(a);
        if (b.size)
            memcpy(room, data, b.size);
        b.data = room;
    } else if (type != SQLITE_NULL || !o->null) {
        return PRAX_ETYPE;
    }
    memcpy(to, &b, sizeof b);
    return (int)b.size;
}

/* Values that SQLite keeps as text and we as something else. The text ends in a NUL, which is no
 * digit and no letter of a label, so its size need not be asked. */
static int read_label(sqlite3_value *v, const struct pxi_out *o, char *to)
{
    const char *text = (const char *)sqlite3_value_text(v);
    const prax_enum_type *t = o->labels;
    for (int k = 1; text && k <= t->n_labels; k++) {
        if (strcmp(t->labels[k], text) == 0) {
            memcpy(to, &k, sizeof k);
            return 0;
        }
    }
    return PRAX_ETYPE;
}

static int read_uuid(sqlite3_value *v, char *to)
{
    const char *text = (const char *)sqlite3_value_text(v);
    bool good = text && sqlite3_value_bytes(v) == 36 && pxi_uuid_read(text, 36, (uint8_t *)to);
    return good ? 0 : PRAX_ETYPE;
}

static int read_ulid(sqlite3_value *v, char *to)
{
    const char *text = (const char *)sqlite3_value_text(v);
    bool good = text && sqlite3_value_bytes(v) == PXI_ULID_TEXT &&
                pxi_ulid_read(text, PXI_ULID_TEXT, (uint8_t *)to);
    return good ? 0 : PRAX_ETYPE;
}

static inline int read_integer(sqlite3_value *v, int64_t *x)
{
    *x = sqlite3_value_int64(v);
    return *x == 0 && sqlite3_value_type(v) != SQLITE_INTEGER ? PRAX_ETYPE : 0;
}

static int read_small(sqlite3_value *v, const struct pxi_out *o, char *to)
{
    int64_t x;
    int rc = read_integer(v, &x);
    int32_t days = (int32_t)x;
    prax_decimal d = { .units = x, .scale = o->scale };
    switch (o->type) {
    case PRAX_T_Boolean:
        *(bool *)to = x != 0;
        return x == 0 || x == 1 ? rc : PRAX_ETYPE;
    case PRAX_T_Date:
        memcpy(to, &days, sizeof days);
        return x == days ? rc : PRAX_ETYPE;
    case PRAX_T_Time:
        memcpy(to, &x, sizeof x);
        return x >= 0 && x <= PXI_TOD_MAX ? rc : PRAX_ETYPE;
    default:
        memcpy(to, &d, sizeof d);
        return rc;
    }
}

static int read_real(sqlite3_value *v, char *to)
{
    int type = sqlite3_value_type(v);
    double x = sqlite3_value_double(v);
    memcpy(to, &x, sizeof x);
    return type == SQLITE_FLOAT || type == SQLITE_INTEGER ? 0 : PRAX_ETYPE;
}

/* Flag and value of a prax_opt_*: what is left to do, or 0 for NULL. */
static inline bool read_flag(sqlite3_value *v, const struct pxi_out *o, char **to)
{
    const struct pxi_layout *l = &pxi_layouts[o->type];
    bool set = sqlite3_value_type(v) != SQLITE_NULL;
    *(bool *)*to = set;
    *to += l->opt_val;
    if (!set)
        memset(*to, 0, l->size);
    return set;
}

/* A value of fixed size. */
static inline int read_fixed(sqlite3_value *v, const struct pxi_out *o, char *to)
{
    int64_t x;
    int rc;
    if (o->null && !read_flag(v, o, &to))
        return 0;
    switch (o->type) {
    case PRAX_T_Uuid:
        return read_uuid(v, to);
    case PRAX_T_Ulid:
        return read_ulid(v, to);
    case PRAX_T_Enum:
        return read_label(v, o, to);
    case PRAX_T_Float:
        return read_real(v, to);
    case PRAX_T_Boolean:
    case PRAX_T_Date:
    case PRAX_T_Time:
    case PRAX_T_Decimal:
        return read_small(v, o, to);
    default:
        rc = read_integer(v, &x);
        memcpy(to, &x, sizeof x);
        return rc;
    }
}

static inline int read_column(sqlite3_value *v, const struct pxi_out *o, char *to,
                              struct pxi_arena *a)
{
    switch (o->type) {
    case PRAX_T_String:
    case PRAX_T_Numeric:
        return read_text(v, o, to, a);
    case PRAX_T_Json:
        return read_json(v, o, to, a);
    case PRAX_T_Bytes:
        return read_bytes(v, o, to, a);
    default:
        return read_fixed(v, o, to);
    }
}

int64_t pxi_sqlite_row(struct pxi_stmt *stmt, const struct pxi_program *p, char *row,
                       struct pxi_arena *a, unsigned *failed)
{
    sqlite3_stmt *st = pxi_sqlite_stmt(stmt);
    int64_t bytes = 0;
    for (unsigned i = 0; i < p->n; i++) {
        const struct pxi_out *o = &p->out[i];
        int rc = read_column(sqlite3_column_value(st, (int)i), o, row + o->off, a);
        if (__builtin_expect(rc < 0, 0)) {
            *failed = i;
            return rc;
        }
        bytes += rc;
    }
    return bytes;
}

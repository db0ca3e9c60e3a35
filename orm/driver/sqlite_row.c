/* sqlite_row.c - the SQLite driver: a row becomes a struct.
 *
 * The hot loop of every list. It runs the row program with one call of SQLite for a number and two
 * for a text, and copies texts behind each other into the arena. Types are checked where that is
 * free: our tables are STRICT, so a NOT NULL integer is asked for its type only if it reads as 0
 * (which NULL and most texts do); what needs a look anyway (nullable ones, labels, UUIDs) is
 * checked in full.
 */
#include "orm/base/value.h"
#include "orm/driver/sqlite.h"
#include <string.h>

static int no_room(const struct pxi_arena *a)
{
    return a->over ? PRAX_ELIMIT : PRAX_ENOMEM;
}

/* Copies text[size] and its NUL; false if there is a NUL inside. Eight bytes at a time, because a
 * call of memchr and one of memcpy cost more than the copy itself. Source: Mycroft's zero test. */
static bool copy_text(char *to, const char *text, size_t size)
{
    uint64_t zero = 0, w;
    size_t i = 0;
    for (; i + sizeof w <= size; i += sizeof w) {
        memcpy(&w, text + i, sizeof w);
        zero |= (w - 0x0101010101010101u) & ~w & 0x8080808080808080u;
        memcpy(to + i, &w, sizeof w);
    }
    for (; i < size; i++) {
        zero |= text[i] == '\0';
        to[i] = text[i];
    }
    to[size] = '\0';
    return zero == 0;
}

/* The readers return the bytes that they put into the arena, or an error. */
static int read_text(sqlite3_stmt *st, int i, const struct pxi_out *o, char *to,
                     struct pxi_arena *a)
{
    const char *text = (const char *)sqlite3_column_text(st, i);
    const char *copy = NULL;
    size_t size = 0;
    if (text) {
        size = (size_t)sqlite3_column_bytes(st, i);
        char *room = pxi_arena_get(a, size + 1, 1);
        if (!room)
            return no_room(a);
        if (!copy_text(room, text, size))
            return PRAX_ETYPE;
        copy = room;
    } else if (sqlite3_column_type(st, i) != SQLITE_NULL) {
        return PRAX_ENOMEM; /* SQLite's own */
    } else if (!o->null) {
        return PRAX_ETYPE;
    }
    if (o->type == PRAX_T_Json) {
        prax_json *j = (prax_json *)(void *)to;
        j->text = copy;
        j->size = size;
    } else {
        memcpy(to, &copy, sizeof copy);
    }
    return (int)size;
}

static int read_bytes(sqlite3_stmt *st, int i, const struct pxi_out *o, char *to,
                      struct pxi_arena *a)
{
    prax_bytes b = { .data = NULL, .size = 0 };
    int type = sqlite3_column_type(st, i);
    if (type == SQLITE_BLOB) {
        const void *data = sqlite3_column_blob(st, i);
        b.size = (size_t)sqlite3_column_bytes(st, i);
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

static int read_label(const struct pxi_out *o, const char *text, size_t size, char *to)
{
    const prax_enum_type *t = o->labels;
    for (int k = 1; k <= t->n_labels; k++)
        if (strlen(t->labels[k]) == size && memcmp(t->labels[k], text, size) == 0) {
            memcpy(to, &k, sizeof k);
            return 0;
        }
    return PRAX_ETYPE;
}

/* Values that SQLite keeps as text and we as something else. */
static int read_coded(sqlite3_stmt *st, int i, const struct pxi_out *o, char *to)
{
    const char *text = (const char *)sqlite3_column_text(st, i);
    if (!text)
        return sqlite3_column_type(st, i) == SQLITE_NULL ? PRAX_ETYPE : PRAX_ENOMEM;
    size_t size = (size_t)sqlite3_column_bytes(st, i);
    if (o->type == PRAX_T_Enum)
        return read_label(o, text, size, to);
    return pxi_uuid_read(text, size, (uint8_t *)to) ? 0 : PRAX_ETYPE;
}

static int put_integer(const struct pxi_out *o, int64_t x, char *to)
{
    switch (o->type) {
    case PRAX_T_Boolean:
        if (x != 0 && x != 1)
            return PRAX_ETYPE;
        *(bool *)to = x != 0;
        return 0;
    case PRAX_T_Date:
        if (x != (int32_t)x)
            return PRAX_ETYPE;
        memcpy(to, &(int32_t){ (int32_t)x }, sizeof(int32_t));
        return 0;
    case PRAX_T_Decimal: {
        prax_decimal d = { .units = x, .scale = o->scale };
        memcpy(to, &d, sizeof d);
        return 0;
    }
    default:
        memcpy(to, &x, sizeof x);
        return 0;
    }
}

static int read_integer(sqlite3_stmt *st, int i, const struct pxi_out *o, char *to)
{
    int64_t x = sqlite3_column_int64(st, i);
    if (__builtin_expect(x == 0, 0) && sqlite3_column_type(st, i) != SQLITE_INTEGER)
        return PRAX_ETYPE;
    return put_integer(o, x, to);
}

static int read_real(sqlite3_stmt *st, int i, char *to)
{
    int type = sqlite3_column_type(st, i);
    if (type != SQLITE_FLOAT && type != SQLITE_INTEGER)
        return PRAX_ETYPE;
    double x = sqlite3_column_double(st, i);
    memcpy(to, &x, sizeof x);
    return 0;
}

static int read_value(sqlite3_stmt *st, int i, const struct pxi_out *o, char *to)
{
    switch (o->type) {
    case PRAX_T_Uuid:
    case PRAX_T_Enum:
        return read_coded(st, i, o, to);
    case PRAX_T_Float:
        return read_real(st, i, to);
    default:
        return read_integer(st, i, o, to);
    }
}

/* prax_opt_*: the flag, and a value or zeros. */
static int read_opt(sqlite3_stmt *st, int i, const struct pxi_out *o, char *to)
{
    const struct pxi_layout *l = &pxi_layouts[o->type];
    bool set = sqlite3_column_type(st, i) != SQLITE_NULL;
    *(bool *)to = set;
    if (set)
        return read_value(st, i, o, to + l->opt_val);
    memset(to + l->opt_val, 0, l->size);
    return 0;
}

static int read_column(sqlite3_stmt *st, int i, const struct pxi_out *o, char *to,
                       struct pxi_arena *a)
{
    switch (o->type) {
    case PRAX_T_String:
    case PRAX_T_Numeric:
    case PRAX_T_Json:
        return read_text(st, i, o, to, a);
    case PRAX_T_Bytes:
        return read_bytes(st, i, o, to, a);
    default:
        return o->null ? read_opt(st, i, o, to) : read_value(st, i, o, to);
    }
}

int64_t pxi_sqlite_row(struct pxi_stmt *stmt, const struct pxi_program *p, char *row,
                       struct pxi_arena *a, unsigned *failed)
{
    sqlite3_stmt *st = pxi_sqlite_stmt(stmt);
    int64_t bytes = 0;
    for (unsigned i = 0; i < p->n; i++) {
        const struct pxi_out *o = &p->out[i];
        int rc = read_column(st, (int)i, o, row + o->off, a);
        if (__builtin_expect(rc < 0, 0)) {
            *failed = i;
            return rc;
        }
        bytes += rc;
    }
    return bytes;
}

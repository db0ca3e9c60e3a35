/* postgres_row.c - the PostgreSQL driver: rows become structs.
 *
 * Values are read where libpq has put them, and copied once, into the arena. How each column is
 * read was chosen when the statement met the row program first. Rows that lie at hand are read
 * column by column, each in a loop that knows its type. A length above 0 says that a value is
 * there, so most columns are not asked whether they are NULL.
 */
#include "orm/driver/postgres.h"
#include <string.h>

/* The size of the values that read_fast takes; -1: none. */
static inline int fast_size(enum pxi_pg_reader r)
{
    switch (r) {
    case PXI_PG_READ_BOOL:
        return 1;
    case PXI_PG_READ_INT4:
        return 4;
    case PXI_PG_READ_INT8:
    case PXI_PG_READ_FLOAT8:
    case PXI_PG_READ_STAMP:
        return 8;
    default:
        return -1;
    }
}

static void choose_readers(struct pxi_pg_stmt *st, const struct pxi_program *p)
{
    for (unsigned i = 0; i < st->n_columns && i < p->n; i++) {
        const struct pxi_out *o = &p->out[i];
        uint8_t val = o->null && !o->list ? pxi_layouts[o->type].opt_val : 0;
        enum pxi_pg_reader r = pxi_pg_reader_of(o, &st->columns[i]);
        st->fields[i] = (struct pxi_pg_field){ .reader = (uint8_t)r, .val = val, .off = o->off };
    }
    st->program = p;
}

static inline void put64(char *to, uint64_t x)
{
    memcpy(to, &x, sizeof x);
}

static inline bool read_text(const char *p, size_t size, char *to, struct pxi_arena *a)
{
    char *text = pxi_arena_get(a, size + 1, 1);
    if (__builtin_expect(!text, 0))
        return false;
    memcpy(text, p, size);
    text[size] = '\0';
    memcpy(to, &text, sizeof text);
    return true;
}

/* A value of the right size, which is therefore there. False: an odd one, for pxi_pg_read. */
static inline bool read_fast(enum pxi_pg_reader r, unsigned val, const char *p, char *to)
{
    int64_t us;
    if (val) /* a prax_opt_*: its flag, then its value */
        *(bool *)to = true;
    to += val;
    switch (r) {
    case PXI_PG_READ_BOOL:
        *(bool *)to = *p != 0;
        return true;
    case PXI_PG_READ_INT4:
        put64(to, (uint64_t)(int32_t)pxi_be32(p));
        return true;
    case PXI_PG_READ_STAMP:
        us = (int64_t)pxi_be64(p);
        put64(to, (uint64_t)us + (uint64_t)PXI_PG_EPOCH_US);
        return us != INT64_MIN && us <= INT64_MAX - PXI_PG_EPOCH_US;
    default:
        put64(to, pxi_be64(p));
        return true;
    }
}

/* Labels are short, and their first letters mostly differ: a call would cost more than the loop. */
static inline bool same_text(const char *a, const char *b)
{
    for (; *a == *b; a++, b++) {
        if (*a == '\0')
            return true;
    }
    return false;
}

/* libpq puts a NUL behind every value, and text of a server has none in it. */
static inline bool read_label(const struct pxi_out *o, const char *p, char *to)
{
    const prax_enum_type *t = o->labels;
    for (int k = 1, n = t->n_labels; k <= n; k++) {
        if (same_text(t->labels[k], p)) {
            memcpy(to, &k, sizeof k);
            return true;
        }
    }
    return false;
}

struct cell { /* what a row has in a column */
    const char *p;
    int size;
};

/* What most columns hold. Inlined with a reader that is known. */
__attribute__((always_inline)) static inline bool read_plain(enum pxi_pg_reader r, unsigned val,
                                                             const struct pxi_out *o, struct cell v,
                                                             char *to, struct pxi_arena *a)
{
    if (v.size == fast_size(r))
        return read_fast(r, val, v.p, to);
    if (v.size <= 0)
        return false;
    return r == PXI_PG_READ_TEXT ? read_text(v.p, (size_t)v.size, to, a)
                                 : r == PXI_PG_READ_LABEL && !val && read_label(o, v.p, to);
}

/* One column of n rows that lie at hand, to the fields at to, to + step, ... */
struct cells {
    const PGresult *res;
    const struct pxi_out *out;
    const struct pxi_pg_type *type;
    char *to;
    size_t step;
    int column, row, n;
    unsigned val; /* as in struct pxi_pg_field */
};

/* NULL, and all that is not plain. */
__attribute__((noinline)) static int64_t read_odd(enum pxi_pg_reader r, const struct cells *c,
                                                  int row, int size, char *to, struct pxi_arena *a)
{
    if (size == 0 && PQgetisnull(c->res, row, c->column))
        size = -1;
    const struct pxi_pg_way way = { r, c->out, c->type };
    return pxi_pg_read(&way, PQgetvalue(c->res, row, c->column), size, to, a);
}

__attribute__((always_inline)) static inline int64_t
read_cells(enum pxi_pg_reader r, const struct cells *c, struct pxi_arena *a)
{
    const PGresult *res = c->res;
    char *to = c->to;
    int64_t bytes = 0;
    int column = c->column;
    for (int row = c->row, end = row + c->n; row < end; row++, to += c->step) {
        const struct cell v = { PQgetvalue(res, row, column), PQgetlength(res, row, column) };
        if (read_plain(r, c->val, c->out, v, to, a)) {
            bytes += r == PXI_PG_READ_TEXT ? v.size : 0;
            continue;
        }
        int64_t rc = read_odd(r, c, row, v.size, to, a);
        if (__builtin_expect(rc < 0, 0))
            return rc;
        bytes += rc;
    }
    return bytes;
}

/* Readers that have a way of their own. */
#define PLAIN_READERS(X) X(BOOL) X(INT4) X(INT8) X(FLOAT8) X(STAMP) X(TEXT) X(LABEL)

/* A function of its own, so that its loops have all registers. */
__attribute__((noinline)) static int64_t read_column(enum pxi_pg_reader r, const struct cells *c,
                                                     struct pxi_arena *a)
{
    switch (r) {
#define READ_CELLS(r)     \
    case PXI_PG_READ_##r: \
        return read_cells(PXI_PG_READ_##r, c, a);
        PLAIN_READERS(READ_CELLS)
    default:
        return read_cells(r, c, a);
    }
}

unsigned pxi_pg_at_hand(struct pxi_stmt *stmt)
{
    const struct pxi_pg_stmt *st = pxi_pg_stmt_of(stmt);
    return (unsigned)(st->n_rows - st->row);
}

static inline int64_t begin_rows(struct pxi_pg_stmt *st, const struct pxi_program *p,
                                 unsigned *failed)
{
    *failed = st->n_columns;
    if (__builtin_expect(st->program != p, 0))
        choose_readers(st, p);
    return __builtin_expect(p->n > st->n_columns, 0) ? PRAX_ETYPE : 0;
}

int64_t pxi_pg_rows(struct pxi_stmt *stmt, const struct pxi_program *p, char *rows, unsigned n,
                    struct pxi_arena *a, unsigned *failed)
{
    struct pxi_pg_stmt *st = pxi_pg_stmt_of(stmt);
    struct cells c = { .res = st->res, .step = p->size, .row = st->row, .n = (int)n };
    int64_t bytes = begin_rows(st, p, failed);
    for (unsigned i = 0; i < p->n && bytes >= 0; i++) {
        const struct pxi_pg_field *f = &st->fields[i];
        c.out = &p->out[i];
        c.type = &st->columns[i];
        c.to = rows + f->off;
        c.column = (int)i;
        c.val = f->val;
        int64_t rc = read_column(f->reader, &c, a);
        *failed = i;
        bytes = rc < 0 ? rc : bytes + rc;
    }
    st->row += (int)n - 1;
    return bytes;
}

/* Bytes put into a, or -1: an odd one. */
__attribute__((always_inline)) static inline int plain_bytes(enum pxi_pg_reader r, unsigned val,
                                                             const struct pxi_out *o, struct cell v,
                                                             char *to, struct pxi_arena *a)
{
    if (!read_plain(r, val, o, v, to, a))
        return -1;
    return r == PXI_PG_READ_TEXT ? v.size : 0;
}

static inline int read_one(const struct pxi_pg_field *f, const struct pxi_out *o, struct cell v,
                           char *row, struct pxi_arena *a)
{
    switch (f->reader) {
#define READ_ONE(r)       \
    case PXI_PG_READ_##r: \
        return plain_bytes(PXI_PG_READ_##r, f->val, o, v, row + f->off, a);
        PLAIN_READERS(READ_ONE)
    default:
        return -1;
    }
}

__attribute__((noinline)) static int64_t read_one_odd(const struct pxi_pg_stmt *st,
                                                      const struct pxi_out *o, int column,
                                                      char *row, struct pxi_arena *a)
{
    const struct cells c = {
        .res = st->res, .out = o, .type = &st->columns[column], .column = column
    };
    const struct pxi_pg_field *f = &st->fields[column];
    return read_odd(f->reader, &c, st->row, PQgetlength(st->res, st->row, column), row + f->off, a);
}

int64_t pxi_pg_row(struct pxi_stmt *stmt, const struct pxi_program *p, char *row,
                   struct pxi_arena *a, unsigned *failed)
{
    struct pxi_pg_stmt *st = pxi_pg_stmt_of(stmt);
    const PGresult *res = st->res;
    int at = st->row, n = (int)p->n;
    int64_t bytes = begin_rows(st, p, failed);
    if (__builtin_expect(bytes < 0, 0))
        return bytes;
    const struct pxi_pg_field *f = st->fields;
    const struct pxi_out *o = p->out;
    for (int i = 0; i < n; i++, f++, o++) {
        const struct cell v = { PQgetvalue(res, at, i), PQgetlength(res, at, i) };
        int64_t rc = read_one(f, o, v, row, a);
        if (rc < 0 && (rc = read_one_odd(st, o, i, row, a)) < 0) {
            *failed = (unsigned)i;
            return rc;
        }
        bytes += rc;
    }
    return bytes;
}

struct pxi_value pxi_pg_column(struct pxi_stmt *stmt, unsigned i)
{
    struct pxi_pg_stmt *st = pxi_pg_stmt_of(stmt);
    struct pxi_value v = { .kind = PXI_NULL, .type = PXI_UNTYPED };
    if (st->row < 0 || st->row >= st->n_rows || i >= st->n_columns)
        return v;
    if (!st->cells_used)
        pxi_arena_init(&st->cells, st->c->alloc, 0);
    st->cells_used = true;
    int size = PQgetisnull(st->res, st->row, (int)i) ? -1 : PQgetlength(st->res, st->row, (int)i);
    pxi_pg_cell(&st->columns[i], PQgetvalue(st->res, st->row, (int)i), size, &st->cells, &v);
    return v;
}

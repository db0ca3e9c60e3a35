/* postgres_row.c - the PostgreSQL driver: a row becomes a struct.
 *
 * Values are read where libpq has put them, and copied once, into the arena. How each column is
 * read was chosen when the statement met the row program first. A length above 0 says that a value
 * is there, so most columns are not asked whether they are NULL.
 */
#include "orm/driver/postgres.h"
#include <string.h>

/* The size of the values that read_fast takes; -1: none. */
static int8_t fast_size(enum pxi_pg_reader r)
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
        enum pxi_pg_reader r = pxi_pg_reader_of(o, &st->columns[i]);
        uint8_t val = o->null && !o->list ? pxi_layouts[o->type].opt_val : 0;
        st->fields[i] = (struct pxi_pg_field){
            .reader = (uint8_t)r, .size = fast_size(r), .val = val, .off = o->off
        };
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
static inline bool read_fast(const struct pxi_pg_field *f, const char *p, char *to)
{
    int64_t us;
    if (f->val) /* a prax_opt_*: its flag, then its value */
        *(bool *)to = true;
    to += f->val;
    switch (f->reader) {
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

static inline int size_of(const PGresult *res, int row, int column)
{
    int size = PQgetlength(res, row, column);
    return size == 0 && PQgetisnull(res, row, column) ? -1 : size;
}

int64_t pxi_pg_row(struct pxi_stmt *stmt, const struct pxi_program *p, char *row,
                   struct pxi_arena *a, unsigned *failed)
{
    struct pxi_pg_stmt *st = pxi_pg_stmt_of(stmt);
    const PGresult *res = st->res;
    int64_t bytes = 0;
    int at = st->row, n = (int)p->n;
    if (__builtin_expect(st->program != p, 0))
        choose_readers(st, p);
    const struct pxi_pg_field *f = st->fields;
    *failed = st->n_columns;
    if (__builtin_expect((unsigned)n > st->n_columns, 0))
        return PRAX_ETYPE;
    for (int i = 0; i < n; i++, f++) {
        const char *v = PQgetvalue(res, at, i);
        int size = PQgetlength(res, at, i);
        if (size == f->size && read_fast(f, v, row + f->off))
            continue;
        if (size > 0 && f->reader == PXI_PG_READ_TEXT &&
            read_text(v, (size_t)size, row + f->off, a)) {
            bytes += size;
            continue;
        }
        size = size_of(res, at, i);
        int64_t rc = pxi_pg_read(f->reader, &p->out[i], v, size, row + f->off, a);
        if (__builtin_expect(rc < 0, 0)) {
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
    pxi_pg_cell(&st->columns[i], PQgetvalue(st->res, st->row, (int)i),
                size_of(st->res, st->row, (int)i), &st->cells, &v);
    return v;
}

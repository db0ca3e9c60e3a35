/* postgres_row.c - the PostgreSQL driver: a row becomes a struct.
 *
 * Values are read where libpq has put them, and copied once, into the arena. How each column is
 * read was chosen when the statement met the row program first. A length above 0 says that a value
 * is there, so most columns are not asked whether they are NULL.
 */
#include "orm/driver/postgres.h"
#include <string.h>

static void choose_readers(struct pxi_pg_stmt *st, const struct pxi_program *p)
{
    for (unsigned i = 0; i < st->n_columns; i++)
        st->readers[i] =
            i < p->n ? (uint8_t)pxi_pg_reader_of(&p->out[i], &st->columns[i]) : PXI_PG_READ_NOT;
    st->program = p;
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
    if (__builtin_expect(st->program != p, 0))
        choose_readers(st, p);
    for (unsigned i = 0; i < p->n; i++) {
        const struct pxi_out *o = &p->out[i];
        int64_t rc = PRAX_ETYPE;
        if (i < st->n_columns) {
            int size = size_of(res, st->row, (int)i);
            rc = pxi_pg_read(st->readers[i], o, PQgetvalue(res, st->row, (int)i), size,
                             row + o->off, a);
        }
        if (__builtin_expect(rc < 0, 0)) {
            *failed = i;
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
        pxi_arena_init(&st->cells, NULL, 0);
    st->cells_used = true;
    pxi_pg_cell(&st->columns[i], PQgetvalue(st->res, st->row, (int)i),
                size_of(st->res, st->row, (int)i), &st->cells, &v);
    return v;
}

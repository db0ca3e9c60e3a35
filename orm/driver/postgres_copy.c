/* postgres_copy.c - the PostgreSQL driver: rows into a table by COPY.
 *
 * COPY says nothing of its columns' types, so a SELECT of the same columns is described first; the
 * description is kept for the next copy into the same ones. Rows are written in the binary format
 * and leave in pieces of about PIECE bytes, waiting as everything here does.
 *
 * Source: PostgreSQL 15's manual, COPY, "Binary Format".
 */
#include "orm/driver/postgres.h"
#include <string.h>

enum { PIECE = 64 << 10 };

static const char head[] = "PGCOPY\n\377\r\n\0" /* the signature */
                           "\0\0\0\0"           /* flags */
                           "\0\0\0";            /* size of the rest of the head; and a NUL */

/* The columns' types, into c->copy. */
static int describe(struct pxi_pg_conn *c, const char *table, const char *columns)
{
    struct pxi_buf sql = { 0 };
    struct pxi_stmt *stmt = NULL;
    pxi_buf_fmt(&sql, "SELECT %s FROM %s", columns, table);
    if (!pxi_buf_ok(&sql))
        return pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
    int rc = pxi_pg_prepare(&c->conn, sql.data, sql.size, false, &stmt);
    pxi_buf_free(&sql);
    if (rc < 0)
        return rc;
    struct pxi_pg_stmt *st = pxi_pg_stmt_of(stmt);
    struct pxi_pg_type *types = pxi_pg_mem(c, NULL, 0, st->n_columns * sizeof *types);
    if (types) {
        memcpy(types, st->columns, st->n_columns * sizeof *types);
        pxi_pg_mem(c, c->copy.columns, c->copy.n * sizeof *types, 0);
        c->copy.columns = types;
        c->copy.n = st->n_columns;
    }
    pxi_pg_drop(stmt);
    return types ? 0 : pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
}

static bool is_known(const struct pxi_pg_conn *c, const struct pxi_buf *sql)
{
    return c->copy.sql.size == sql->size && memcmp(c->copy.sql.data, sql->data, sql->size) == 0;
}

int pxi_pg_copy_begin(struct pxi_conn *conn, const char *table, const char *columns)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    struct pxi_buf sql = { 0 };
    int rc = pxi_pg_ready(c);
    pxi_buf_fmt(&sql, "COPY %s (%s) FROM STDIN (FORMAT binary)", table, columns);
    if (rc == 0 && !pxi_buf_ok(&sql))
        rc = pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
    if (rc == 0 && !is_known(c, &sql)) {
        pxi_buf_clear(&c->copy.sql);
        rc = describe(c, table, columns);
        if (rc == 0)
            pxi_buf_add(&c->copy.sql, sql.data, sql.size);
    }
    if (rc == 0 && !PQsendQuery(c->pg, sql.data))
        rc = pxi_pg_lost(c);
    pxi_buf_free(&sql);
    if (rc < 0)
        return rc;
    c->sent = true;
    PGresult *res = pxi_pg_answer(c, true, &rc);
    if (rc == 0 && PQresultStatus(res) != PGRES_COPY_IN) {
        rc = pxi_pg_fail(c, res);
        pxi_pg_drain(c);
        return rc;
    }
    PQclear(res);
    c->copy.open = rc == 0;
    c->copy.rows = 0;
    c->copy.code = 0;
    pxi_buf_clear(&c->copy.buf);
    pxi_buf_add(&c->copy.buf, head, sizeof head);
    return rc;
}

/* 0: it was taken; < 0. The server may have given up meanwhile: that is read at the end. */
static int put_piece(struct pxi_pg_conn *c)
{
    int rc = 0, taken;
    if (!pxi_buf_ok(&c->copy.buf))
        return pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
    while ((taken = PQputCopyData(c->pg, c->copy.buf.data, (int)c->copy.buf.size)) == 0 && rc == 0)
        rc = pxi_pg_wait(c);
    pxi_buf_clear(&c->copy.buf);
    if (rc == 0 && taken < 0)
        rc = pxi_pg_lost(c);
    return rc < 0 ? rc : pxi_pg_flush(c);
}

static int put_row(struct pxi_pg_conn *c, const struct pxi_value *v)
{
    uint16_t n = __builtin_bswap16((uint16_t)c->copy.n);
    pxi_buf_add(&c->copy.buf, &n, sizeof n);
    for (unsigned i = 0; i < c->copy.n; i++) {
        int rc = pxi_pg_put_field(&c->copy.buf, &c->copy.columns[i], &v[i]);
        if (rc < 0) {
            return pxi_pg_fail_text(c, rc, "row %lld, value %u: %s", (long long)c->copy.rows + 1,
                                    i + 1, prax_strerror(rc));
        }
    }
    c->copy.rows++;
    return 0;
}

int pxi_pg_copy_rows(struct pxi_conn *conn, const struct pxi_value *v, size_t n_rows)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    if (!c->copy.open)
        return pxi_pg_fail_text(c, PRAX_EINVAL, "no COPY is under way");
    int rc = c->copy.code;
    for (size_t i = 0; i < n_rows && rc == 0; i++) {
        rc = put_row(c, v + i * c->copy.n);
        if (rc == 0 && c->copy.buf.size >= PIECE)
            rc = put_piece(c);
    }
    c->copy.code = rc;
    return rc;
}

/* The server's answer: the rows it took, or its error, which is not shown when it only says that
 * the client gave up. */
static int64_t read_answer(struct pxi_pg_conn *c, bool keep)
{
    int rc;
    int64_t rows = 0;
    PGresult *res = pxi_pg_result(c, &rc);
    if (rc < 0)
        return rc;
    if (PQresultStatus(res) == PGRES_COMMAND_OK) {
        pxi_pg_count(c, res);
        rows = c->changes;
        PQclear(res);
    } else if (keep) {
        rc = pxi_pg_fail(c, res);
    } else {
        PQclear(res);
    }
    int end = pxi_pg_drain(c);
    if (end < 0 && (rc == 0 || c->lost))
        rc = end;
    return rc < 0 ? rc : rows;
}

int64_t pxi_pg_copy_end(struct pxi_conn *conn, bool keep)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    int code = c->copy.code, rc = 0, ended;
    if (!c->copy.open && !keep) /* it did not begin; why is still to be explained */
        return 0;
    if (!c->copy.open)
        return pxi_pg_fail_text(c, PRAX_EINVAL, "no COPY is under way");
    c->copy.open = false;
    keep = keep && code == 0;
    if (keep) {
        pxi_buf_add(&c->copy.buf, "\377\377", 2);
        rc = put_piece(c);
    }
    if (c->lost)
        return rc < 0 ? rc : PRAX_ECONN;
    while ((ended = PQputCopyEnd(c->pg, keep ? NULL : "given up by the client")) == 0 && rc == 0)
        rc = pxi_pg_wait(c);
    if (rc == 0 && ended < 0)
        rc = pxi_pg_lost(c);
    int64_t rows = rc < 0 ? rc : read_answer(c, keep);
    return code < 0 && !c->lost ? code : rows;
}

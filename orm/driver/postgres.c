/* postgres.c - the PostgreSQL driver: its table, and what is too small for a file. See postgres.h.
 */
#include "orm/driver/postgres.h"
#include <string.h>

static unsigned parameters(struct pxi_stmt *st)
{
    return pxi_pg_stmt_of(st)->n_params;
}

static unsigned columns(struct pxi_stmt *st)
{
    return pxi_pg_stmt_of(st)->n_columns;
}

static const char *column_name(struct pxi_stmt *st, unsigned i)
{
    return PQfname(pxi_pg_stmt_of(st)->desc, (int)i);
}

static const char *column_type(struct pxi_stmt *st, unsigned i, char buf[PXI_TYPE_NAME])
{
    return pxi_pg_type_name(&pxi_pg_stmt_of(st)->columns[i], buf);
}

static bool read_only(struct pxi_stmt *st)
{
    return pxi_pg_stmt_of(st)->scan.reads;
}

static int64_t changes(struct pxi_conn *c)
{
    return pxi_pg_of(c)->changes;
}

static int64_t total(struct pxi_conn *c)
{
    return pxi_pg_of(c)->total;
}

/* There is none: what the server counted comes back by RETURNING. */
static int64_t last_id(struct pxi_conn *c)
{
    (void)c;
    return 0;
}

static const char *begin(enum prax_isolation isolation, bool read_only)
{
    static const char *const texts[][2] = {
        [PRAX_ISO_DEFAULT] = { "BEGIN", "BEGIN READ ONLY" },
        [PRAX_READ_COMMITTED] = { "BEGIN ISOLATION LEVEL READ COMMITTED",
                                  "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY" },
        [PRAX_REPEATABLE] = { "BEGIN ISOLATION LEVEL REPEATABLE READ",
                              "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" },
        [PRAX_SERIALIZABLE] = { "BEGIN ISOLATION LEVEL SERIALIZABLE",
                                "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY" },
    };
    return texts[isolation <= PRAX_SERIALIZABLE ? isolation : PRAX_ISO_DEFAULT][read_only];
}

/* By the search path, as an unqualified name in a statement is looked up. */
static int has_table(struct pxi_conn *conn, const char *table)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    struct pxi_buf name = { 0 };
    int rc;
    pxi_buf_char(&name, '"');
    for (const char *p = table; *p; p++) {
        if (*p == '"')
            pxi_buf_char(&name, '"');
        pxi_buf_char(&name, *p);
    }
    pxi_buf_char(&name, '"');
    if (!pxi_buf_ok(&name))
        return pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
    const char *values[] = { name.data };
    PGresult *res = pxi_pg_ask(c,
                               "SELECT 1 FROM pg_catalog.pg_class"
                               " WHERE oid = pg_catalog.to_regclass($1::text)"
                               " AND relkind IN ('r', 'p', 'v', 'm', 'f')",
                               values, 1, &rc);
    pxi_buf_free(&name);
    if (!res)
        return rc;
    int found = PQntuples(res);
    PQclear(res);
    return found;
}

const struct pxi_driver pxi_postgres = {
    .name = "postgres",
    .engine = PXI_POSTGRES,
    .resolve = pxi_pg_resolve,
    .open = pxi_pg_open,
    .close = pxi_pg_close,
    .prepare = pxi_pg_prepare,
    .drop = pxi_pg_drop,
    .parameters = parameters,
    .start = pxi_pg_start,
    .step = pxi_pg_step,
    .row = pxi_pg_row,
    .at_hand = pxi_pg_at_hand,
    .rows = pxi_pg_rows,
    .finish = pxi_pg_finish,
    .changes = changes,
    .total = total,
    .last_id = last_id,
    .read_only = read_only,
    .exec = pxi_pg_exec,
    .in_tx = pxi_pg_in_tx,
    .begin = begin,
    .broken = pxi_pg_broken,
    .ping = pxi_pg_ping,
    .reset = pxi_pg_reset,
    .has_table = has_table,
    .explain = pxi_pg_explain,
    .watch = pxi_pg_watch,
    .interrupt = pxi_pg_interrupt,
    .columns = columns,
    .column_name = column_name,
    .column_type = column_type,
    .column = pxi_pg_column,
    .stream = pxi_pg_stream,
    .copy_begin = pxi_pg_copy_begin,
    .copy_rows = pxi_pg_copy_rows,
    .copy_end = pxi_pg_copy_end,
    .async = &pxi_pg_async,
};

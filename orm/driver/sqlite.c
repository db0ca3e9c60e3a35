/* sqlite.c - the SQLite driver: statements.
 *
 * A pxi_stmt is the sqlite3_stmt itself, so a hit in the statement cache costs no object of ours.
 * Values are bound SQLITE_STATIC (they are borrowed until finish) and statements are reset as soon
 * as their last row was read: an open one would keep a read transaction, and with it the log,
 * alive.
 *
 * Connections are opened without SQLite's mutexes; the pool hands one to one thread at a time.
 * Source: sqlite.org/c3ref, version 3.40.
 */
#include "orm/driver/sqlite.h"
#include <string.h>

static int fail(int rc)
{
    return rc == SQLITE_OK ? 0 : pxi_sqlite_code(rc);
}

static bool only_blanks(const char *p, const char *end)
{
    return (size_t)(end - p) == strspn(p, " \t\r\n\f;");
}

static int prepare(struct pxi_conn *c, const char *sql, size_t size, bool keep,
                   struct pxi_stmt **out)
{
    sqlite3_stmt *st = NULL;
    const char *tail = NULL;
    *out = NULL;
    if (size > PXI_VALUE_MAX)
        return PRAX_ELIMIT;
    int rc = sqlite3_prepare_v3(pxi_sqlite_of(c)->db, sql, (int)size + 1,
                                keep ? SQLITE_PREPARE_PERSISTENT : 0, &st, &tail);
    if (rc != SQLITE_OK)
        return fail(rc);
    if (!st || !only_blanks(tail, sql + size)) {
        sqlite3_finalize(st);
        return PRAX_EINVAL;
    }
    *out = (struct pxi_stmt *)(void *)st;
    return 0;
}

static void drop(struct pxi_stmt *st)
{
    sqlite3_finalize(pxi_sqlite_stmt(st));
}

static int bind(sqlite3_stmt *st, int i, const struct pxi_value *v)
{
    switch (v->kind) {
    case PXI_INT:
        return sqlite3_bind_int64(st, i, v->u.i);
    case PXI_REAL:
        return sqlite3_bind_double(st, i, v->u.f);
    case PXI_TEXT:
        return sqlite3_bind_text(st, i, v->u.p, (int)v->size, SQLITE_STATIC);
    case PXI_BLOB: /* a NULL pointer would be NULL, not the empty blob */
        return sqlite3_bind_blob(st, i, v->u.p ? v->u.p : "", (int)v->size, SQLITE_STATIC);
    default:
        return sqlite3_bind_null(st, i);
    }
}

static int start(struct pxi_stmt *stmt, const struct pxi_value *v, unsigned n)
{
    sqlite3_stmt *st = pxi_sqlite_stmt(stmt);
    for (unsigned i = 0; i < n; i++) {
        int rc = bind(st, (int)i + 1, &v[i]);
        if (__builtin_expect(rc != SQLITE_OK, 0))
            return rc == SQLITE_RANGE ? PRAX_EINVAL : fail(rc);
    }
    return 0;
}

static int step(struct pxi_stmt *st)
{
    int rc = sqlite3_step(pxi_sqlite_stmt(st));
    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : fail(rc);
}

/* Bound pointers stay until the next bind; a step always follows one, so nobody reads them. */
static void finish(struct pxi_stmt *st)
{
    sqlite3_reset(pxi_sqlite_stmt(st));
}

static unsigned parameters(struct pxi_stmt *st)
{
    return (unsigned)sqlite3_bind_parameter_count(pxi_sqlite_stmt(st));
}

static int64_t changes(struct pxi_conn *c)
{
    return sqlite3_changes64(pxi_sqlite_of(c)->db);
}

static int64_t total(struct pxi_conn *c)
{
    return sqlite3_total_changes64(pxi_sqlite_of(c)->db);
}

static int64_t last_id(struct pxi_conn *c)
{
    return sqlite3_last_insert_rowid(pxi_sqlite_of(c)->db);
}

static bool read_only(struct pxi_stmt *st)
{
    return sqlite3_stmt_readonly(pxi_sqlite_stmt(st)) != 0;
}

static int exec(struct pxi_conn *c, const char *sql)
{
    return fail(sqlite3_exec(pxi_sqlite_of(c)->db, sql, NULL, NULL, NULL));
}

static bool in_tx(struct pxi_conn *c)
{
    return sqlite3_get_autocommit(pxi_sqlite_of(c)->db) == 0;
}

/* A write lock is taken at once: a reader that turns writer cannot wait for another writer, since
 * it would wait with an old snapshot. Every transaction is serializable, whatever was asked for. */
static const char *begin(enum prax_isolation isolation, bool read_only)
{
    (void)isolation;
    return read_only ? "BEGIN" : "BEGIN IMMEDIATE";
}

static bool broken(struct pxi_conn *c)
{
    (void)c;
    return false; /* a file: what fails now may succeed later */
}

static int reset(struct pxi_conn *c)
{
    return in_tx(c) ? exec(c, "ROLLBACK") : 0;
}

static int has_table(struct pxi_conn *c, const char *table)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(pxi_sqlite_of(c)->db,
                                "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view')"
                                " AND name = ? COLLATE NOCASE",
                                -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(st, 1, table, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    sqlite3_finalize(st);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : fail(rc);
}

static void interrupt(struct pxi_conn *c)
{
    sqlite3_interrupt(pxi_sqlite_of(c)->db);
}

static unsigned columns(struct pxi_stmt *st)
{
    return (unsigned)sqlite3_column_count(pxi_sqlite_stmt(st));
}

static const char *column_name(struct pxi_stmt *st, unsigned i)
{
    return sqlite3_column_name(pxi_sqlite_stmt(st), (int)i);
}

static struct pxi_value column(struct pxi_stmt *stmt, unsigned i)
{
    sqlite3_stmt *st = pxi_sqlite_stmt(stmt);
    struct pxi_value v = { .kind = PXI_NULL };
    switch (sqlite3_column_type(st, (int)i)) {
    case SQLITE_INTEGER:
        v.kind = PXI_INT;
        v.u.i = sqlite3_column_int64(st, (int)i);
        break;
    case SQLITE_FLOAT:
        v.kind = PXI_REAL;
        v.u.f = sqlite3_column_double(st, (int)i);
        break;
    case SQLITE_TEXT:
        v.kind = PXI_TEXT;
        v.u.p = sqlite3_column_text(st, (int)i);
        v.size = (uint32_t)sqlite3_column_bytes(st, (int)i);
        break;
    case SQLITE_BLOB:
        v.kind = PXI_BLOB;
        v.u.p = sqlite3_column_blob(st, (int)i);
        v.size = (uint32_t)sqlite3_column_bytes(st, (int)i);
        break;
    default:
        break;
    }
    return v;
}

const struct pxi_driver pxi_sqlite = {
    .name = "sqlite",
    .engine = PXI_SQLITE,
    .busy_ms = 5000,
    .resolve = pxi_sqlite_resolve,
    .open = pxi_sqlite_open,
    .close = pxi_sqlite_close,
    .prepare = prepare,
    .drop = drop,
    .parameters = parameters,
    .start = start,
    .step = step,
    .row = pxi_sqlite_row,
    .finish = finish,
    .changes = changes,
    .total = total,
    .last_id = last_id,
    .read_only = read_only,
    .exec = exec,
    .in_tx = in_tx,
    .begin = begin,
    .broken = broken,
    .reset = reset,
    .has_table = has_table,
    .explain = pxi_sqlite_explain,
    .watch = pxi_sqlite_watch,
    .interrupt = interrupt,
    .columns = columns,
    .column_name = column_name,
    .column = column,
};

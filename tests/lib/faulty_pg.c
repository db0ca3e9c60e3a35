/* faulty_pg.c - see faulty_pg.h. What may fail is named as in driver.h. */
#include "tests/lib/faulty_pg.h"
#include "orm/client/client.h"
#include "orm/driver/postgres.h"
#include <string.h>
#include <sys/socket.h>

struct faulty_pg faulty_pg;
static struct pxi_driver driver;
static struct pxi_async async;

/* The failure that explain is asked for next. */
static struct {
    struct pxi_conn *conn;
    int code;
    const char *call;
} last;

int faulty_pg_tell(const char *call, int code)
{
    __atomic_or_fetch(&faulty_pg.told, 1u << -code, __ATOMIC_RELAXED);
    if (!__atomic_load_n(&faulty_pg.call, __ATOMIC_RELAXED))
        __atomic_store_n(&faulty_pg.call, call, __ATOMIC_RELAXED);
    return code;
}

bool faulty_pg_hits(void)
{
    int n = __atomic_add_fetch(&faulty_pg.calls, 1, __ATOMIC_RELAXED);
    return faulty_pg.fail_at && (faulty_pg.on ? n >= faulty_pg.fail_at : n == faulty_pg.fail_at);
}

/* As the driver does when it loses one. sent: of the command under way something has left. */
static int lose(struct pxi_conn *conn, bool sent)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    pxi_pg_forget(c);
    shutdown(PQsocket(c->pg), SHUT_RDWR);
    c->lost = true;
    c->sent = sent;
    return PRAX_ECONN;
}

/* Of a call that comes now: whether it fails. One that is lost fails by itself. */
static bool hits_on(struct pxi_conn *c)
{
    if (last.conn == c)
        last.conn = NULL;
    return !pxi_pg_of(c)->lost && faulty_pg_hits();
}

static int fail(struct pxi_conn *c, const char *call, int code, bool sent)
{
    faulty_pg_tell(call, code);
    if (code == PRAX_ECONN)
        return lose(c, sent);
    last.conn = c;
    last.code = code;
    last.call = call;
    return code;
}

/* The same where the connection is given up for it. */
static int fail_for_good(struct pxi_conn *c, const char *call, bool sent)
{
    faulty_pg_tell(call, PRAX_ECONN);
    return fail(c, call, faulty_pg.code, sent);
}

/* 0, or what a call that would send something fails with, having sent nothing. */
static int fails(struct pxi_conn *c, const char *call)
{
    return hits_on(c) && !faulty_pg.late ? fail(c, call, faulty_pg.code, false) : 0;
}

/* What the server says of it does not matter: it is undone, or there is nothing to undo. */
static bool is_harmless(struct pxi_stmt *st)
{
    return driver.read_only(st) || driver.in_tx(&pxi_pg_stmt_of(st)->c->conn);
}

/* ---- the half that waits ---- */

static int f_open(const struct pxi_conn_opts *o, struct pxi_conn **out, struct pxi_error *err)
{
    *out = NULL;
    if (faulty_pg_hits())
        return pxi_error_set(err, faulty_pg_tell("open", faulty_pg.code), "faulty: open");
    return pxi_postgres.open(o, out, err);
}

static int f_prepare(struct pxi_conn *c, const char *sql, size_t size, bool keep,
                     struct pxi_stmt **out)
{
    int rc = fails(c, "prepare");
    *out = NULL;
    return rc ? rc : pxi_postgres.prepare(c, sql, size, keep, out);
}

static int f_start(struct pxi_stmt *st, const struct pxi_value *v, unsigned n)
{
    int rc = fails(&pxi_pg_stmt_of(st)->c->conn, "start");
    return rc ? rc : pxi_postgres.start(st, v, n);
}

static int f_step(struct pxi_stmt *st)
{
    struct pxi_conn *c = &pxi_pg_stmt_of(st)->c->conn;
    bool hit = hits_on(c);
    int rc = hit && !faulty_pg.late ? 0 : pxi_postgres.step(st);
    return hit ? fail(c, "step", is_harmless(st) ? faulty_pg.code : PRAX_ECONN, true) : rc;
}

/* That there is no memory is all that they can say of a good value. */
static int64_t f_row(struct pxi_stmt *st, const struct pxi_program *p, char *row,
                     struct pxi_arena *a, unsigned *failed)
{
    return is_harmless(st) && faulty_pg_hits() ? faulty_pg_tell("row", PRAX_ENOMEM)
                                               : pxi_postgres.row(st, p, row, a, failed);
}

static int64_t f_rows(struct pxi_stmt *st, const struct pxi_program *p, char *rows, unsigned n,
                      struct pxi_arena *a, unsigned *failed)
{
    return is_harmless(st) && faulty_pg_hits() ? faulty_pg_tell("rows", PRAX_ENOMEM)
                                               : pxi_postgres.rows(st, p, rows, n, a, failed);
}

static int f_exec(struct pxi_conn *c, const char *sql)
{
    bool hit = hits_on(c);
    int rc = hit && !faulty_pg.late ? 0 : pxi_postgres.exec(c, sql);
    return hit ? fail(c, "exec", faulty_pg.code, faulty_pg.late) : rc;
}

static bool f_broken(struct pxi_conn *c)
{
    if (hits_on(c))
        fail(c, "broken", PRAX_ECONN, false);
    return pxi_postgres.broken(c);
}

static int f_ping(struct pxi_conn *c, uint32_t timeout_ms)
{
    int rc = fails(c, "ping");
    return rc ? rc : pxi_postgres.ping(c, timeout_ms);
}

static int f_reset(struct pxi_conn *c)
{
    int rc = fails(c, "reset");
    return rc ? rc : pxi_postgres.reset(c);
}

static int f_copy_begin(struct pxi_conn *c, const char *table, const char *columns)
{
    int rc = fails(c, "copy_begin");
    return rc ? rc : pxi_postgres.copy_begin(c, table, columns);
}

static int f_copy_rows(struct pxi_conn *c, const struct pxi_value *v, size_t n_rows)
{
    bool hit = hits_on(c);
    return hit ? fail(c, "copy_rows", faulty_pg.code, true) : pxi_postgres.copy_rows(c, v, n_rows);
}

static int64_t f_copy_end(struct pxi_conn *c, bool keep)
{
    bool hit = pxi_pg_of(c)->copy.open && hits_on(c);
    if (hit && faulty_pg.code == PRAX_ECONN && !faulty_pg.late)
        lose(c, true);
    int64_t rows = pxi_postgres.copy_end(c, keep && (!hit || faulty_pg.late));
    return hit ? fail(c, "copy_end", faulty_pg.code, true) : rows;
}

static void f_explain(struct pxi_conn *c, int code, struct pxi_error *err)
{
    if (last.conn == c && last.code == code && !err->e.code) {
        pxi_error_set(err, code, "faulty: %s: %s", last.call, prax_strerror(code));
    } else {
        pxi_postgres.explain(c, code, err);
    }
}

/* ---- the half that does not ---- */

static int a_begin(struct pxi_conn *c)
{
    bool hit = hits_on(c);
    return hit ? fail_for_good(c, "begin", false) : pxi_pg_async.begin(c);
}

static int a_prepare(struct pxi_conn *c, const char *sql, size_t size, bool keep,
                     struct pxi_stmt **out)
{
    bool hit = hits_on(c);
    *out = NULL;
    return hit ? fail(c, "async prepare", faulty_pg.code, pxi_pg_of(c)->sent)
               : pxi_pg_async.prepare(c, sql, size, keep, out);
}

static int a_push(struct pxi_stmt *st, const struct pxi_value *v, unsigned n)
{
    struct pxi_conn *c = &pxi_pg_stmt_of(st)->c->conn;
    bool hit = hits_on(c);
    return hit ? fail(c, "push", faulty_pg.code, pxi_pg_of(c)->sent) : pxi_pg_async.push(st, v, n);
}

static int a_sync(struct pxi_conn *c)
{
    bool hit = hits_on(c);
    int rc = hit && !faulty_pg.late ? 0 : pxi_pg_async.sync(c);
    if (hit && faulty_pg.late)
        pxi_pg_async.pump(c);
    return hit ? fail_for_good(c, "sync", pxi_pg_of(c)->sent) : rc;
}

static int a_pump(struct pxi_conn *c)
{
    bool hit = hits_on(c);
    return hit ? fail(c, "pump", PRAX_ECONN, pxi_pg_of(c)->sent) : pxi_pg_async.pump(c);
}

/* An answer, which turns out to be none. */
static int a_next(struct pxi_conn *c, struct pxi_stmt **out)
{
    if (last.conn == c)
        last.conn = NULL;
    int rc = pxi_pg_async.next(c, out);
    if (rc != 1 || !hits_on(c))
        return rc;
    rc = fail(c, "next", is_harmless(*out) ? faulty_pg.code : PRAX_ECONN, true);
    if (rc == PRAX_ECONN)
        *out = NULL;
    return rc;
}

static int a_cancel(struct pxi_conn *c)
{
    int rc = fails(c, "cancel");
    return rc ? rc : pxi_pg_async.cancel(c);
}

static int a_cancelling(struct pxi_conn *c)
{
    bool hit = hits_on(c);
    return hit ? fail(c, "cancelling", PRAX_ECONN, true) : pxi_pg_async.cancelling(c);
}

static int a_end(struct pxi_conn *c)
{
    bool hit = hits_on(c);
    return hit ? fail_for_good(c, "end", false) : pxi_pg_async.end(c);
}

static bool a_clean(struct pxi_conn *c)
{
    if (hits_on(c))
        fail(c, "clean", PRAX_ECONN, false);
    return pxi_pg_async.clean(c);
}

/* ---- the table ---- */

static void fill(void)
{
    async = pxi_pg_async;
    async.begin = a_begin;
    async.prepare = a_prepare;
    async.push = a_push;
    async.sync = a_sync;
    async.pump = a_pump;
    async.next = a_next;
    async.cancel = a_cancel;
    async.cancelling = a_cancelling;
    async.end = a_end;
    async.clean = a_clean;
    driver = pxi_postgres;
    driver.open = f_open;
    driver.prepare = f_prepare;
    driver.start = f_start;
    driver.step = f_step;
    driver.row = f_row;
    driver.rows = f_rows;
    driver.exec = f_exec;
    driver.broken = f_broken;
    driver.ping = f_ping;
    driver.reset = f_reset;
    driver.copy_begin = f_copy_begin;
    driver.copy_rows = f_copy_rows;
    driver.copy_end = f_copy_end;
    driver.explain = f_explain;
    driver.async = &async;
}

void faulty_pg_install(prax_db *db)
{
    if (!driver.open)
        fill();
    faulty_pg = (struct faulty_pg){ 0 };
    last.conn = NULL;
    db->pool.driver = &driver;
    for (unsigned i = 0; i < db->pool.max; i++)
        db->pool.links[i].driver = &driver;
}

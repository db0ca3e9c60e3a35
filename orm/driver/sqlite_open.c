/* sqlite_open.c - the SQLite driver: URLs, opening, waiting and being stopped.
 *
 *   sqlite:FILE            a file, WAL, made if it is not there
 *   sqlite::memory:        a database in memory that all connections of the handle share
 *   sqlite:file:FILE?...   SQLite's own URI: mode=ro, immutable=1, ...
 *
 * Memory is shared through the memdb VFS ("/name" is seen by all connections of the process) and
 * not through a shared cache: that locks whole tables, reports SQLITE_LOCKED, which no busy handler
 * is asked about, and costs 17 % of a get against memdb's 10 %. A pool of one connection has nobody
 * to share with and opens a private one, at no cost. Where a file has its log, memory has one lock:
 * an open write transaction keeps readers waiting, an open cursor keeps a commit waiting.
 *
 * A lock of another connection is waited for with growing pauses until busy_ms, the operation's
 * deadline or a cancel; so is a long statement, which the progress handler stops.
 */
#include "orm/base/clock.h"
#include "orm/driver/sqlite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 3.37 has STRICT tables, 3.38 the operator ->. */
enum { LIBRARY_MIN = 3038000, PROGRESS_STEPS = 4000, PAUSE_FIRST_MS = 1, PAUSE_MAX_MS = 50 };

static int check_library(struct pxi_error *err)
{
    if (sqlite3_libversion_number() >= LIBRARY_MIN)
        return 0;
    return pxi_error_set(err, PRAX_EUNSUPPORTED,
                         "SQLite %s is too old: Prax needs 3.38 or newer; install a newer "
                         "libsqlite3",
                         sqlite3_libversion());
}

static int wrong_url(const char *url, const char *why, struct pxi_error *err)
{
    return pxi_error_set(err, PRAX_EINVAL, "url: %s: %s", url, why);
}

static int memory_url(bool exclusive, char **where)
{
    static unsigned serial;
    if (exclusive)
        return (*where = strdup(":memory:")) ? 0 : PRAX_ENOMEM;
    unsigned n = __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED);
    return asprintf(where, "file:/prax-%p-%u?vfs=memdb", (void *)&serial, n) < 0 ? PRAX_ENOMEM : 0;
}

int pxi_sqlite_resolve(const char *url, bool exclusive, char **where, struct pxi_error *err)
{
    const char *path = url + strlen("sqlite:");
    *where = NULL;
    if (check_library(err) < 0)
        return PRAX_EUNSUPPORTED;
    if (!*path)
        return wrong_url(url, "no file; write sqlite:FILE or sqlite::memory:", err);
    if (strcmp(path, ":memory:") == 0)
        return memory_url(exclusive, where);
    if (strncmp(path, "//", 2) == 0)
        return wrong_url(url, "no // before the file; write sqlite:FILE", err);
    if (strstr(path, ":memory:") || strstr(path, "mode=memory"))
        return wrong_url(url, "every connection would have its own; write sqlite::memory:", err);
    if (strncmp(path, "file:", 5) != 0 && strchr(path, '?'))
        return wrong_url(url, "options want SQLite's URI; write sqlite:file:FILE?...", err);
    return (*where = strdup(path)) ? 0 : PRAX_ENOMEM;
}

static bool stopped(const struct pxi_watch *w, uint64_t now)
{
    return w && (__atomic_load_n(&w->cancel, __ATOMIC_RELAXED) ||
                 (w->deadline_ns && now >= w->deadline_ns));
}

static int on_busy(void *arg, int tries)
{
    struct pxi_sqlite_conn *c = arg;
    uint64_t now = pxi_clock_ns();
    if (tries == 0)
        c->busy_until_ns = now + (uint64_t)c->busy_ms * 1000000;
    if (now >= c->busy_until_ns || stopped(c->watch, now))
        return 0;
    int ms = tries < 6 ? PAUSE_FIRST_MS << tries : PAUSE_MAX_MS;
    sqlite3_sleep(ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS);
    return 1;
}

static int on_progress(void *arg)
{
    struct pxi_sqlite_conn *c = arg;
    return stopped(c->watch, c->watch && c->watch->deadline_ns ? pxi_clock_ns() : 0);
}

/* The handler costs a few per cent of a long statement, so it is there for sessions with a deadline
 * only; a cancel comes by interrupt. */
void pxi_sqlite_watch(struct pxi_conn *conn, struct pxi_watch *w)
{
    struct pxi_sqlite_conn *c = pxi_sqlite_of(conn);
    bool want = w && w->deadline_ns;
    c->watch = w;
    if (want != c->progress) {
        sqlite3_progress_handler(c->db, want ? PROGRESS_STEPS : 0, want ? on_progress : NULL, c);
        c->progress = want;
    }
}

static int exec(struct pxi_sqlite_conn *c, const char *sql)
{
    return sqlite3_exec(c->db, sql, NULL, NULL, NULL);
}

/* Memory has no log, and nothing wrong in it; to look would be to wait for its writer. */
static bool is_memory(const char *where)
{
    return strcmp(where, ":memory:") == 0 || strncmp(where, "file:/prax-", 11) == 0;
}

static int set_up(struct pxi_sqlite_conn *c, const char *where)
{
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_handler(c->db, on_busy, c);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL); /* off by default */
    if (is_memory(where))
        return SQLITE_OK;
    int rc = exec(c, "PRAGMA schema_version"); /* the first read: a file that is no database */
    if (rc == SQLITE_OK && sqlite3_db_readonly(c->db, "main") == 0)
        rc = exec(c, "PRAGMA journal_mode = wal");
    return rc;
}

int pxi_sqlite_open(const struct pxi_conn_opts *o, struct pxi_conn **out, struct pxi_error *err)
{
    struct pxi_sqlite_conn *c = calloc(1, sizeof *c);
    *out = NULL;
    if (!c)
        return pxi_error_set(err, PRAX_ENOMEM, "%s: out of memory", o->url);
    c->conn.driver = &pxi_sqlite;
    c->busy_ms = o->busy_ms;
    int rc = sqlite3_open_v2(
        o->where, &c->db,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = set_up(c, o->where);
    if (rc == SQLITE_OK) {
        *out = &c->conn;
        return 0;
    }
    int code = pxi_sqlite_code(rc);
    if (code == PRAX_ESQL) /* an unknown VFS or option: there is no connection */
        code = PRAX_ECONN;
    if (!err->e.code)
        err->e.driver_code = rc;
    pxi_error_set(err, code, "%s: cannot open: %s", o->url,
                  c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc));
    pxi_sqlite_close(&c->conn);
    return code;
}

void pxi_sqlite_close(struct pxi_conn *conn)
{
    struct pxi_sqlite_conn *c = pxi_sqlite_of(conn);
    sqlite3_close_v2(c->db);
    free(c);
}

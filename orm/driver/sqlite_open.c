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
 * A file has a write-ahead log, so that readers and one writer do not wait for each other; where
 * there can be none, opening fails and says so, because that is not what the program was built for.
 *
 * A lock of another connection is waited for with growing pauses until busy_ms, the operation's
 * deadline or a cancel; so is a long statement, which the progress handler stops.
 *
 * What a URL may say is checked in sqlite_url.c.
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
    int rc = check_library(err);
    if (rc == 0 && strcmp(path, ":memory:") == 0)
        return memory_url(exclusive, where);
    if (rc == 0)
        rc = pxi_sqlite_check_url(url, err);
    if (rc < 0)
        return rc;
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

/* The first column of a pragma's first row; "" if it has none. */
static int ask(struct pxi_sqlite_conn *c, const char *sql, char *out, size_t room)
{
    sqlite3_stmt *st = NULL;
    out[0] = '\0';
    int rc = sqlite3_prepare_v2(c->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(st, 0);
        snprintf(out, room, "%s", text ? text : "");
    }
    int end = sqlite3_finalize(st); /* what step said, if it failed */
    return rc == SQLITE_OK ? end : rc;
}

/* Two that turn the same new file into one with a log may meet in a way that the busy handler is
 * not asked about. */
static int set_journal(struct pxi_sqlite_conn *c, const char *mode, char *got, size_t room)
{
    char sql[64];
    int rc, tries = 0;
    snprintf(sql, sizeof sql, "PRAGMA journal_mode = %s", mode);
    do {
        rc = ask(c, sql, got, room);
    } while ((rc & 0xff) == SQLITE_BUSY && on_busy(c, tries++));
    return rc;
}

static const char *option(const struct pxi_sqlite_conn *c, const char *name)
{
    const char *file = sqlite3_db_filename(c->db, "main");
    return file ? sqlite3_uri_parameter(file, name) : NULL;
}

static int set_up_file(struct pxi_sqlite_conn *c, const char *url, struct pxi_error *err)
{
    char text[32];
    int rc = ask(c, "PRAGMA schema_version", text, sizeof text); /* is it a database? */
    const char *mode = option(c, "journal");
    const char *synchronous = option(c, "synchronous");
    if (rc == SQLITE_OK && synchronous) {
        snprintf(text, sizeof text, "PRAGMA synchronous = %.8s", synchronous);
        rc = exec(c, text);
    }
    if (rc != SQLITE_OK || sqlite3_db_readonly(c->db, "main") != 0)
        return rc;
    rc = set_journal(c, mode ? mode : "wal", text, sizeof text);
    if (rc == SQLITE_OK && strcmp(text, mode ? mode : "wal") != 0) {
        pxi_error_set(err, PRAX_EUNSUPPORTED,
                      "%s: its journal stays \"%s\": no write-ahead log is possible there; say so "
                      "with sqlite:file:FILE?journal=%s",
                      url, text, text);
        return SQLITE_ERROR;
    }
    return rc;
}

static int set_up(struct pxi_sqlite_conn *c, const struct pxi_conn_opts *o, struct pxi_error *err)
{
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_handler(c->db, on_busy, c);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    return is_memory(o->where) ? SQLITE_OK : set_up_file(c, o->url, err);
}

static int cannot_open(const struct pxi_sqlite_conn *c, const char *url, int rc,
                       struct pxi_error *err)
{
    if (err->e.code)
        return err->e.code;
    int code = pxi_sqlite_code(rc);
    if (code == PRAX_ESQL) /* an unknown VFS: there is no connection */
        code = PRAX_ECONN;
    err->e.driver_code = rc;
    return pxi_error_set(err, code, "%s: cannot open: %s", url,
                         c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc));
}

int pxi_sqlite_open(const struct pxi_conn_opts *o, struct pxi_conn **out, struct pxi_error *err)
{
    const prax_alloc *alloc = o->alloc ? o->alloc : &pxi_malloc;
    struct pxi_sqlite_conn *c = alloc->realloc(alloc->ctx, NULL, 0, sizeof *c);
    *out = NULL;
    if (!c)
        return pxi_error_set(err, PRAX_ENOMEM, "%s: out of memory", o->url);
    memset(c, 0, sizeof *c);
    c->conn.driver = &pxi_sqlite;
    c->alloc = alloc;
    c->busy_ms = o->busy_ms;
    int rc = sqlite3_open_v2(
        o->where, &c->db,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = set_up(c, o, err);
    if (rc == SQLITE_OK) {
        *out = &c->conn;
        return 0;
    }
    rc = cannot_open(c, o->url, rc, err);
    pxi_sqlite_close(&c->conn);
    return rc;
}

void pxi_sqlite_close(struct pxi_conn *conn)
{
    struct pxi_sqlite_conn *c = pxi_sqlite_of(conn);
    sqlite3_close_v2(c->db);
    c->alloc->realloc(c->alloc->ctx, c, sizeof *c, 0);
}

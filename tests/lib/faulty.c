/* faulty.c - see faulty.h. Which connections are dead is kept in a table; a dead one that had a
 * transaction open is rolled back when it is closed, as SQLite does.
 */
#include "tests/lib/faulty.h"
#include "orm/client/client.h"
#include "orm/driver/sqlite.h"
#include <string.h>
#include <unistd.h>

enum { CONNS = 4096 };
struct faulty faulty;

static struct {
    pthread_mutex_t lock;
    struct entry {
        const sqlite3 *db;
        bool alive, told; /* told: somebody talked to it after its death */
    } conns[CONNS];
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct pxi_driver driver;

/* NULL: a free one. Under the lock. */
static struct entry *find(const sqlite3 *db)
{
    struct entry *e = table.conns;
    while (e->db != db)
        e++;
    return e;
}

static void enter(struct pxi_conn *c)
{
    const sqlite3 *db = pxi_sqlite_of(c)->db;
    pthread_mutex_lock(&table.lock);
    *find(NULL) = (struct entry){ .db = db, .alive = true };
    pthread_mutex_unlock(&table.lock);
}

static struct entry look(struct pxi_conn *c)
{
    pthread_mutex_lock(&table.lock);
    struct entry e = *find(pxi_sqlite_of(c)->db);
    pthread_mutex_unlock(&table.lock);
    return e;
}

void faulty_kill(void)
{
    pthread_mutex_lock(&table.lock);
    for (int i = 0; i < CONNS; i++)
        table.conns[i].alive = false;
    pthread_mutex_unlock(&table.lock);
}

static bool hits(void)
{
    int n = __atomic_add_fetch(&faulty.calls, 1, __ATOMIC_RELAXED);
    return faulty.fail_at && (faulty.on ? n >= faulty.fail_at : n == faulty.fail_at);
}

/* Whether the call that comes now fails on this connection. */
static int fails(const sqlite3 *db)
{
    pthread_mutex_lock(&table.lock);
    struct entry *e = find(db);
    bool hit = e->alive && hits();
    if (hit && faulty.fail_code == PRAX_ECONN)
        e->alive = false;
    int code = !e->alive ? PRAX_ECONN : hit ? faulty.fail_code : 0;
    e->told = !e->alive;
    pthread_mutex_unlock(&table.lock);
    return code;
}

static int fails_of(struct pxi_conn *c)
{
    return fails(pxi_sqlite_of(c)->db);
}

static int f_open(const struct pxi_conn_opts *o, struct pxi_conn **out, struct pxi_error *err)
{
    __atomic_add_fetch(&faulty.opens, 1, __ATOMIC_RELAXED);
    usleep((unsigned)__atomic_load_n(&faulty.open_ms, __ATOMIC_RELAXED) * 1000);
    int code = __atomic_load_n(&faulty.open_code, __ATOMIC_RELAXED);
    if (code == 0 && hits())
        code = faulty.fail_code;
    if (code)
        return pxi_error_set(err, code, "faulty: the server is down");
    int rc = pxi_sqlite.open(o, out, err);
    if (rc == 0)
        enter(*out);
    return rc;
}

static void f_close(struct pxi_conn *c)
{
    pthread_mutex_lock(&table.lock);
    find(pxi_sqlite_of(c)->db)->db = NULL;
    pthread_mutex_unlock(&table.lock);
    pxi_sqlite.close(c);
}

static int f_prepare(struct pxi_conn *c, const char *sql, size_t size, bool keep,
                     struct pxi_stmt **out)
{
    int rc = fails_of(c);
    *out = NULL;
    return rc ? rc : pxi_sqlite.prepare(c, sql, size, keep, out);
}

static int f_start(struct pxi_stmt *st, const struct pxi_value *v, unsigned n)
{
    int rc = fails(sqlite3_db_handle(pxi_sqlite_stmt(st)));
    return rc ? rc : pxi_sqlite.start(st, v, n);
}

static int f_step(struct pxi_stmt *st)
{
    int rc = fails(sqlite3_db_handle(pxi_sqlite_stmt(st)));
    return rc ? rc : pxi_sqlite.step(st);
}

static int f_exec(struct pxi_conn *c, const char *sql)
{
    bool commit = strcmp(sql, "COMMIT") == 0;
    int rc = fails_of(c);
    if (rc == 0 && !(commit && faulty.commit_dies == 2))
        rc = pxi_sqlite.exec(c, sql);
    if (commit && faulty.commit_dies) {
        faulty_kill();
        return faulty.commit_dies == 3 ? PRAX_ETIMEOUT : PRAX_ECONN;
    }
    return rc;
}

static bool f_in_tx(struct pxi_conn *c)
{
    return look(c).alive && pxi_sqlite.in_tx(c);
}

static bool f_broken(struct pxi_conn *c)
{
    struct entry e = look(c);
    return !e.alive && (e.told || !__atomic_load_n(&faulty.hidden, __ATOMIC_RELAXED));
}

static int f_ping(struct pxi_conn *c, uint32_t timeout_ms)
{
    (void)timeout_ms;
    __atomic_add_fetch(&faulty.pings, 1, __ATOMIC_RELAXED);
    return look(c).alive ? 0 : PRAX_ECONN;
}

static int f_reset(struct pxi_conn *c)
{
    if (!pxi_sqlite.in_tx(c))
        return 0;
    __atomic_add_fetch(&faulty.resets, 1, __ATOMIC_RELAXED);
    return faulty.reset_fails ? PRAX_EIO : pxi_sqlite.reset(c);
}

/* Something was sent when it broke; so it may have been done. */
static void f_explain(struct pxi_conn *c, int code, struct pxi_error *err)
{
    bool injected = code == faulty.fail_code || code == PRAX_ECONN;
    if (!injected) {
        pxi_sqlite.explain(c, code, err);
        return;
    }
    pxi_error_set(err, code, "faulty: %s", prax_strerror(code));
    err->e.retryable = err->e.retryable && code != PRAX_ECONN;
}

void faulty_install(prax_db *db)
{
    faulty = (struct faulty){ 0 };
    driver = pxi_sqlite;
    driver.open = f_open;
    driver.close = f_close;
    driver.prepare = f_prepare;
    driver.start = f_start;
    driver.step = f_step;
    driver.exec = f_exec;
    driver.in_tx = f_in_tx;
    driver.broken = f_broken;
    driver.ping = f_ping;
    driver.reset = f_reset;
    driver.explain = f_explain;
    pthread_mutex_lock(&db->pool.lock); /* it may have a thread */
    db->pool.driver = &driver;
    for (unsigned i = 0; i < db->pool.max; i++) {
        struct pxi_link *l = &db->pool.links[i];
        if (!l->conn)
            continue;
        l->driver = &driver;
        l->mortal = true;
        l->rested_ns = l->opened_ns = pxi_clock_ns();
        enter(l->conn);
    }
    pthread_mutex_unlock(&db->pool.lock);
}

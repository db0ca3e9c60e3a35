/* test_db_idle.c - idle_ms and lifetime_ms while the program does nothing, on real databases. What
 * passes is waited for; how long it takes is nobody's promise. */
#include "tests/db/db.h"
#include "usdt/stats.h"
#include <time.h>

static void nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

/* Of this process, by the counters that observers read. */
static int64_t connections(void)
{
    int64_t n = 0;
    const struct prax_stats *s;
    for (uint64_t at = __atomic_load_n(pxi_abi_stats_head(), __ATOMIC_ACQUIRE); at;
         at = __atomic_load_n(&s->next, __ATOMIC_ACQUIRE)) {
        s = (const struct prax_stats *)(uintptr_t)at;
        n += (int64_t)__atomic_load_n(&s->connections, __ATOMIC_RELAXED);
    }
    return n;
}

static void test_surplus_is_closed(void **state)
{
    enum { SESSIONS = 4 };
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    prax_session *s[SESSIONS];
    if (db_place == DB_MEMORY)
        return;
    int64_t before = connections();
    assert_int_equal(
        prax_db_open(&db, .url = f->url, .pool_min = 2, .pool_max = SESSIONS, .idle_ms = 50), 0);
    assert_int_equal(blog_create_tables(db), 0);
    for (int i = 0; i < SESSIONS; i++) {
        s[i] = prax_session_open(db);
        MUST(s[i], prax_sql_exec(s[i], "SELECT 1"));
    }
    while (connections() - before > 2) /* all of them rest */
        nap();
    for (int i = 0; i < SESSIONS; i++) {
        assert_int_equal(blog_tag_count(s[i]), 0);
        prax_session_close(s[i]);
    }
    while (connections() - before > 2)
        nap();
    assert_int_equal(connections() - before, 2);
}

static int64_t backend(prax_session *s)
{
    int64_t pid = 0;
    prax_sql_each(row, s, "SELECT pg_backend_pid()") {
        pid = prax_col_i64(row, 0);
    }
    ASSERT_CODE(s, 0);
    return pid;
}

static bool is_there(prax_session *s, int64_t pid)
{
    bool there = false;
    prax_sql_each(row, s, "SELECT 1 FROM pg_stat_activity WHERE pid = ?", pid) {
        there = true;
    }
    return there;
}

/* Seen by another handle: the server's process goes, and another one stands for it at once. */
static void test_old_one_is_renewed(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    PRAX_DB other = NULL;
    if (!on_postgres())
        return;
    assert_int_equal(prax_db_open(&other, .url = f->url, .pool_max = 1), 0);
    PRAX_SESSION watcher = prax_session_open(other);
    int64_t before = connections();
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 1, .lifetime_ms = 100), 0);
    PRAX_SESSION s = prax_session_open(db);
    int64_t pid = backend(s);
    while (is_there(watcher, pid))
        nap();
    assert_true(backend(s) != pid);
    while (connections() - before != 1)
        nap();
    {
        PRAX_TX(tx, s);
        pid = backend(s);
        for (int i = 0; i < 50; i++) {
            nap();
            assert_true(backend(s) == pid); /* a transaction is not torn apart */
        }
        MUST(s, prax_tx_commit(&tx));
    }
}

static const struct CMUnitTest tests[] = {
    DB_OWN(test_surplus_is_closed),
    DB_OWN(test_old_one_is_renewed),
};
DB_MAIN(tests)

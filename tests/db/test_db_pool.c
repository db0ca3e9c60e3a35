/* test_db_pool.c - the pool when connections break, servers are away, lives end: on SQLite with a
 * server that can be killed (tests/lib/faulty.h), so that every step is where it is wanted.
 */
#include "orm/client/client.h"
#include "tests/db/db.h"
#include "tests/lib/faulty.h"
#include "usdt/stats.h"
#include <time.h>

enum { MS = 1000000 };

static void nap(long ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * MS };
    nanosleep(&t, NULL);
}

static uint64_t now_ms(void)
{
    return pxi_clock_ns() / MS;
}

static uint64_t sum(size_t off)
{
    uint64_t n = 0;
    const struct prax_stats *s;
    for (uint64_t at = *pxi_abi_stats_head(); at; at = s->next) {
        s = (const struct prax_stats *)(uintptr_t)at;
        n += __atomic_load_n((const uint64_t *)((const char *)s + off), __ATOMIC_RELAXED);
    }
    return n;
}
#define STAT(member) sum(offsetof(struct prax_stats, member))

/* A database of its own with a server that can die. */
#define open_faulty(f, ...)                                                          \
    __extension__({                                                                  \
        prax_db *db_ = NULL;                                                         \
        int rc_ = prax_db_open(&db_, .url = (f)->url, .busy_ms = 1000, __VA_ARGS__); \
        if (rc_ < 0 || blog_create_tables(db_) < 0)                                  \
            fail_msg("%s", prax_db_error(db_)->message);                             \
        faulty_install(db_);                                                         \
        db_;                                                                         \
    })

/* ---- connections that break ---- */

static void test_broke_while_it_rested(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = open_faulty(f, .pool_max = 2);
    PRAX_SESSION s = prax_session_open(db);
    assert_int_equal(blog_tag_count(s), 0);
    uint64_t before = STAT(reconnects);
    faulty_kill();
    nap(15); /* longer than it may rest without a glance */
    assert_int_equal(blog_tag_count(s), 0);
    assert_int_equal(faulty.opens, 1);
    assert_int_equal(STAT(reconnects) - before, 1);
}

/* One is found dead by the statement that fails; the others are asked before they work. */
static void test_one_breaks_others_are_asked(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = open_faulty(f, .pool_max = 4, .pool_min = 4);
    prax_session *s[4];
    for (int i = 0; i < 4; i++) {
        s[i] = prax_session_open(db);
        assert_int_equal(blog_tag_count(s[i]), 0);
    }
    assert_int_equal(faulty.pings, 0);
    faulty.hidden = true; /* nobody hangs up: a glance sees nothing */
    faulty_kill();
    assert_int_equal(blog_tag_count(s[0]), PRAX_ECONN);
    for (int i = 0; i < 4; i++)
        MUST(s[i], blog_tag_count(s[i]));
    assert_in_range(faulty.opens, 1, 4); /* one that rests again serves as well as a new one */
    assert_in_range(faulty.pings, 3, 8);
    for (int i = 0; i < 4; i++)
        prax_session_close(s[i]);
}

static void test_idle_ones_are_pinged(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = open_faulty(f, .pool_max = 1);
    PRAX_SESSION s = prax_session_open(db);
    assert_int_equal(blog_tag_count(s), 0);
    assert_int_equal(faulty.pings, 0);
    db->pool.links[0].rested_ns -= 60000 * (uint64_t)MS;
    assert_int_equal(blog_tag_count(s), 0);
    assert_int_equal(faulty.pings, 1);
    assert_int_equal(faulty.opens, 0);
    faulty.hidden = true;
    faulty_kill();
    db->pool.links[0].rested_ns -= 60000 * (uint64_t)MS;
    assert_int_equal(blog_tag_count(s), 0); /* found dead before it was used */
    assert_int_equal(faulty.opens, 1);
}

/* ---- servers that are away ---- */

static void *come_back(void *arg)
{
    nap(*(int *)arg);
    __atomic_store_n(&faulty.open_code, 0, __ATOMIC_RELAXED);
    return NULL;
}

static void *count_once(void *arg)
{
    prax_session *s = prax_session_open(arg);
    int64_t rc = blog_tag_count(s);
    prax_session_close(s);
    return (void *)(intptr_t)rc;
}

static void test_server_comes_back(void **state)
{
    struct fixture *f = *state;
    enum { THREADS = 8 };
    int ms = 150;
    void *rc;
    PRAX_DB db = open_faulty(f, .pool_max = 4, .acquire_ms = 5000);
    pthread_t threads[THREADS], server;
    faulty.open_code = PRAX_ECONN;
    faulty_kill();
    nap(15);
    assert_int_equal(pthread_create(&server, NULL, come_back, &ms), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_once, db), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &rc);
        assert_int_equal((intptr_t)rc, 0);
    }
    pthread_join(server, NULL);
    /* 10 + 20 + 40 + 80 ms of pauses: 5 attempts, 4 connections, and races of the first */
    assert_in_range(faulty.opens, 4, 20);
}

static void test_server_stays_away(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = open_faulty(f, .pool_max = 2, .acquire_ms = 200);
    PRAX_SESSION s = prax_session_open(db);
    faulty.open_code = PRAX_ECONN;
    faulty_kill();
    nap(15);
    uint64_t start = now_ms(), failures = STAT(connect_failures);
    assert_int_equal(blog_tag_count(s), PRAX_ECONN);
    assert_in_range(now_ms() - start, 190, 600);
    assert_in_range(faulty.opens, 2, 6);
    nap(20); /* one may still be under way */
    assert_int_equal(STAT(connect_failures) - failures, faulty.opens);
    assert_non_null(strstr(prax_error_get(s)->message, "the server is down"));
    assert_non_null(strstr(prax_error_get(s)->message, "failed connects"));
    assert_true(prax_error_get(s)->retryable);
    {
        PRAX_TX(tx, s);
        assert_int_equal(tx.code, PRAX_ECONN);
        assert_int_equal(blog_tag_count(s), PRAX_EABORTED);
        assert_int_equal(prax_error_get(s)->cause, PRAX_ECONN);
    }
    faulty.open_code = PRAX_EPERM; /* waiting will not help */
    nap(200);
    start = now_ms();
    assert_int_equal(blog_tag_count(s), PRAX_EPERM);
    assert_true(now_ms() - start < 150);
    faulty.open_code = 0;
    assert_int_equal(blog_tag_count(s), 0);
}

/* ---- a network that swallows connects ---- */

static void test_slow_connect(void **state)
{
    struct fixture *f = *state;
    prax_db *db = open_faulty(f, .pool_max = 2, .acquire_ms = 5000);
    PRAX_SESSION s = prax_session_open(db);
    {
        PRAX_TX(tx, s);
        faulty.open_ms = 600;
        PRAX_SESSION hurried = prax_session_open(db, .timeout_ms = 50);
        uint64_t start = now_ms();
        assert_int_equal(blog_tag_count(hurried), PRAX_ETIMEOUT);
        assert_in_range(now_ms() - start, 45, 400); /* its deadline, not that of the connect */
        assert_int_equal(prax_tx_commit(&tx), 0);
    }
    PRAX_SESSION other = prax_session_open(db);
    uint64_t start = now_ms();
    assert_int_equal(blog_tag_count(other), 0); /* by the one that came back */
    assert_true(now_ms() - start < 400);
    prax_session_close(s);
    s = NULL;
    prax_db_close(db); /* what is still connecting is waited for by whoever is last */
}

/* ---- lives ---- */

static int opens(void)
{
    return __atomic_load_n(&faulty.opens, __ATOMIC_RELAXED);
}

static void test_lifetime(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = open_faulty(f, .pool_max = 1, .lifetime_ms = 60);
    PRAX_SESSION s = prax_session_open(db);
    assert_int_equal(blog_tag_count(s), 0);
    while (opens() < 2) /* while the program does nothing: the resting one, then an idle one */
        nap(5);
    assert_int_equal(blog_tag_count(s), 0);
    {
        PRAX_TX(tx, s);
        assert_int_equal(blog_tag_count(s), 0);
        int before = opens();
        nap(150);
        assert_int_equal(blog_tag_count(s), 0); /* a transaction is not torn apart */
        assert_int_equal(opens(), before);
        assert_int_equal(prax_tx_commit(&tx), 0);
        while (opens() == before)
            nap(5);
    }
    assert_int_equal(blog_tag_count(s), 0);
    prax_db *none = NULL;
    assert_int_equal(prax_db_open(&none, .url = "sqlite::memory:", .lifetime_ms = 60), PRAX_EINVAL);
    assert_non_null(strstr(prax_db_error(none)->message, "lifetime_ms"));
    prax_db_close(none);
}

static void test_idle(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = open_faulty(f, .pool_max = 4, .idle_ms = 300);
    uint64_t before = STAT(connections);
    prax_session *s[4];
    prax_tx tx[4]; /* they pin, so that there are four */
    for (int i = 0; i < 4; i++) {
        s[i] = prax_session_open(db);
        tx[i] = prax_tx_begin_with(s[i], PRAX_ARGS(prax_tx_opts, .read_only = true));
    }
    for (int i = 0; i < 4; i++)
        prax_tx_end(&tx[i]);
    prax_session_close(s[2]);
    prax_session_close(s[3]);
    while (STAT(connections) != before) /* two idle, two resting; nobody calls */
        nap(5);
    for (int i = 0; i < 2; i++) { /* those that rested notice */
        assert_int_equal(blog_tag_count(s[i]), 0);
        prax_session_close(s[i]);
    }
}

/* What a session leaves open does not reach the next one. */
static void test_reset_on_return(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = open_faulty(f, .pool_max = 1);
    for (int i = 0; i < 2; i++) {
        faulty.reset_fails = i;
        prax_session *s = prax_session_open(db);
        assert_int_equal(blog_tag_count(s), 0);
        struct pxi_link *l = s->link;
        assert_int_equal(l->driver->exec(l->conn, "BEGIN"), 0);
        assert_int_equal(l->driver->exec(l->conn, "INSERT INTO tags VALUES (1, 'left')"), 0);
        prax_session_close(s);
        PRAX_SESSION next = prax_session_open(db);
        assert_int_equal(blog_tag_count(next), 0);
        assert_false(next->link->driver->in_tx(next->link->conn));
        assert_int_equal(faulty.resets, i + 1);
        assert_int_equal(faulty.opens, i); /* one that cannot be reset is replaced */
    }
}

static void test_warm(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = open_faulty(f, .pool_max = 2, .warm = 2);
    PRAX_SESSION s = prax_session_open(db);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(blog_tag_count(s), 0);
        assert_int_equal(blog_user_count(s), 0);
        if (i == 0)
            assert_int_equal(blog_post_count(s), 0);
        faulty_kill();
        nap(15);
    }
    faulty_kill();
    nap(15);
    assert_null(blog_tag_get(s, blog_tag_by_id(5))); /* a new connection, and what it brings */
    uint64_t before = STAT(prepares);
    assert_int_equal(blog_tag_count(s), 0);
    assert_int_equal(blog_user_count(s), 0);
    assert_int_equal(STAT(prepares), before);
    assert_int_equal(blog_post_count(s), 0);
    assert_int_equal(STAT(prepares), before + 1);
    prax_db *none = NULL;
    assert_int_equal(prax_db_open(&none, .url = f->url, .warm = 65), PRAX_EINVAL);
    prax_db_close(none);
}

/* ---- draining ---- */

struct slow {
    prax_session *s;
    int ms, rc;
};

static void *finish_slowly(void *arg)
{
    struct slow *w = arg;
    prax_tx tx = prax_tx_begin_with(w->s, PRAX_ARGS(prax_tx_opts, ));
    nap(w->ms);
    w->rc = blog_tag_create(w->s, .label = "late") ? prax_tx_commit(&tx) : prax_error_code(w->s);
    prax_tx_end(&tx);
    return NULL;
}

static void test_drain(void **state)
{
    struct fixture *f = *state;
    uint64_t before = STAT(connections);
    prax_db *db = open_faulty(f, .pool_max = 3);
    PRAX_SESSION rests = prax_session_open(db);
    assert_int_equal(blog_tag_count(rests), 0);
    struct slow w = { .s = prax_session_open(db), .ms = 150 };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, finish_slowly, &w), 0);
    nap(50);
    assert_int_equal(prax_db_drain(db, 10), PRAX_ETIMEOUT);
    assert_non_null(strstr(prax_db_error(db)->message, "1 connections"));
    assert_int_equal(blog_tag_count(rests), PRAX_ECONN);
    uint64_t start = now_ms();
    assert_int_equal(prax_db_drain(db, 5000), 0);
    assert_true(now_ms() - start < 2000);
    pthread_join(thread, NULL);
    assert_int_equal(w.rc, 0); /* it was let finish */
    assert_int_equal(STAT(connections), before);
    prax_session_close(w.s);
    prax_db_close(db);
}

/* ---- transactions on a connection that breaks ---- */

static void test_breaks_in_transaction(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = open_faulty(f, .pool_max = 1);
    PRAX_SESSION s = prax_session_open(db);
    {
        PRAX_TX(tx, s);
        assert_non_null(blog_tag_create(s, .label = "a"));
        PRAX_SAVEPOINT(sp, s);
        faulty_kill();
        assert_null(blog_tag_create(s, .label = "b"));
        ASSERT_CODE(s, PRAX_ECONN);
        assert_false(prax_error_get(s)->retryable);
        assert_int_equal(blog_tag_count(s), PRAX_EABORTED);
        assert_int_equal(prax_error_get(s)->cause, PRAX_ECONN);
        prax_tx_end(&sp);
        assert_int_equal(blog_tag_count(s), PRAX_EABORTED); /* not only the savepoint */
        assert_int_equal(prax_error_get(s)->cause, PRAX_ECONN);
        assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
    }
    assert_int_equal(blog_tag_count(s), 0);
    faulty_kill();
    {
        PRAX_TX(tx, s); /* it broke at rest: begun on another one */
        assert_int_equal(tx.code, 0);
        assert_non_null(blog_tag_create(s, .label = "a"));
        assert_int_equal(prax_tx_commit(&tx), 0);
    }
    assert_int_equal(blog_tag_count(s), 1);
}

static void test_commit_in_doubt(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = open_faulty(f, .pool_max = 1);
    PRAX_SESSION s = prax_session_open(db);
    static const char *const labels[] = { "", "done", "not done", "done too" };
    for (int i = 1; i <= 3; i++) {
        faulty.commit_dies = i;
        PRAX_TX(tx, s);
        assert_non_null(blog_tag_create(s, .label = labels[i]));
        assert_int_equal(prax_tx_commit(&tx), PRAX_ECONN);
        assert_non_null(strstr(prax_error_get(s)->message, "commit in doubt"));
        assert_false(prax_error_get(s)->retryable);
    }
    faulty.commit_dies = 0;
    assert_int_equal(blog_tag_count(s), 2); /* and all were told the same */
}

struct runs {
    int calls, kill_first;
};

static int dies_first(prax_session *s, void *arg)
{
    struct runs *r = arg;
    if (r->calls++ < r->kill_first)
        faulty_kill();
    return blog_tag_create(s, .label = "once") ? 0 : prax_error_code(s);
}

static void test_run_again(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = open_faulty(f, .pool_max = 1);
    PRAX_SESSION s = prax_session_open(db);
    struct runs r = { .kill_first = 2 };
    MUST(s, prax_tx_run(s, dies_first, &r, .retries = 3));
    assert_int_equal(r.calls, 3);
    assert_int_equal(blog_tag_count(s), 1);
    assert_int_equal(blog_tag_delete_many(s, .all = true), 1);
    r = (struct runs){ 0 };
    faulty.commit_dies = 1; /* nobody knows: not again */
    assert_int_equal(prax_tx_run(s, dies_first, &r, .retries = 3), PRAX_ECONN);
    assert_int_equal(r.calls, 1);
    faulty.commit_dies = 0;
    assert_int_equal(blog_tag_count(s), 1);
}

/* ---- the queue ---- */

struct queued {
    prax_db *db;
    int *served, place;
};

static void *stand_in_line(void *arg)
{
    struct queued *q = arg;
    prax_session *s = prax_session_open(q->db);
    prax_tx tx = prax_tx_begin_with(s, PRAX_ARGS(prax_tx_opts, .read_only = true));
    q->place = tx.code < 0 ? -1 : (*q->served)++; /* one at a time: there is one connection */
    prax_tx_end(&tx);
    prax_session_close(s);
    return NULL;
}

static void test_first_come_first_served(void **state)
{
    struct fixture *f = *state;
    enum { LINE = 12 };
    PRAX_DB db = open_faulty(f, .pool_max = 1, .acquire_ms = 10000);
    uint64_t timeouts = STAT(pool_timeouts), waits = STAT(pool_waits), ns = STAT(pool_wait_ns);
    PRAX_SESSION s = prax_session_open(db);
    int served = 0;
    struct queued q[LINE];
    pthread_t threads[LINE];
    {
        PRAX_TX(tx, s);
        for (int i = 0; i < LINE; i++) {
            q[i] = (struct queued){ .db = db, .served = &served };
            assert_int_equal(pthread_create(&threads[i], NULL, stand_in_line, &q[i]), 0);
            while (STAT(pool_waiters) != (uint64_t)i + 1)
                nap(1);
        }
    }
    for (int i = 0; i < LINE; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(q[i].place, i);
    }
    assert_int_equal(STAT(pool_waits) - waits, LINE);
    assert_true(STAT(pool_wait_ns) > ns);
    assert_int_equal(STAT(pool_timeouts), timeouts);
    assert_int_equal(STAT(pool_waiters), 0);
}

static void *cancel_soon(void *arg)
{
    nap(30);
    prax_session_cancel(arg);
    return NULL;
}

/* Also for one that is not the first in line, and asleep. */
static void test_cancel_in_line(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = open_faulty(f, .pool_max = 1, .acquire_ms = 3000);
    PRAX_SESSION s = prax_session_open(db);
    PRAX_SESSION b = prax_session_open(db);
    struct slow w = { .s = prax_session_open(db), .ms = 1 };
    pthread_t first, canceller;
    {
        PRAX_TX(tx, s);
        assert_int_equal(pthread_create(&first, NULL, finish_slowly, &w), 0);
        while (STAT(pool_waiters) != 1)
            nap(1);
        assert_int_equal(pthread_create(&canceller, NULL, cancel_soon, b), 0);
        uint64_t start = now_ms();
        assert_int_equal(blog_tag_count(b), PRAX_ECANCELED);
        assert_true(now_ms() - start < 1000);
    }
    pthread_join(first, NULL);
    pthread_join(canceller, NULL);
    prax_session_close(w.s);
}

static const struct CMUnitTest tests[] = {
    DB_OWN(test_broke_while_it_rested),
    DB_OWN(test_one_breaks_others_are_asked),
    DB_OWN(test_idle_ones_are_pinged),
    DB_OWN(test_server_comes_back),
    DB_OWN(test_server_stays_away),
    DB_OWN(test_slow_connect),
    DB_OWN(test_lifetime),
    DB_OWN(test_idle),
    DB_OWN(test_reset_on_return),
    DB_OWN(test_warm),
    DB_OWN(test_drain),
    DB_OWN(test_breaks_in_transaction),
    DB_OWN(test_commit_in_doubt),
    DB_OWN(test_run_again),
    DB_OWN(test_first_come_first_served),
    DB_OWN(test_cancel_in_line),
};

int main(void)
{
    db_place = DB_FILE;
    return cmocka_run_group_tests_name("a server that dies", tests, NULL, NULL);
}

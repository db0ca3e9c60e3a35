/* test_db_isolation.c - transactions beside each other, on every database: levels, snapshots,
 * conflicts that are run again, deep savepoints, deadlines, and what a session leaves behind.
 */
#include "orm/client/client.h"
#include "tests/db/db.h"
#include <pthread.h>
#include <time.h>

#define POSTGRES_ONLY()              \
    do {                             \
        if (db_place != DB_POSTGRES) \
            return;                  \
    } while (0)

static void nap(long ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    nanosleep(&t, NULL);
}

static void add_tag(prax_session *s, const char *label)
{
    if (!blog_tag_create(s, .label = label))
        fail_msg("%s", prax_error_get(s)->message);
}

/* The first column of the first row; into a buffer of the test's. */
static const char *ask(prax_session *s, const char *sql)
{
    static char text[64];
    text[0] = '\0';
    prax_sql_each(row, s, sql) {
        const char *got = prax_col_text(row, 0);
        snprintf(text, sizeof text, "%s", got ? got : "NULL");
    }
    if (prax_error_code(s) < 0)
        fail_msg("%s", prax_error_get(s)->message);
    return text;
}

/* ---- levels ---- */

static void test_levels(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = { "read committed", "read committed", "repeatable read",
                                         "serializable" };
    for (int i = 0; i < 8; i++) {
        PRAX_TX(tx, f->s, .isolation = (enum prax_isolation)(i / 2), .read_only = i % 2 == 1);
        assert_int_equal(tx.code, 0);
        if (db_place == DB_POSTGRES) {
            assert_string_equal(ask(f->s, "SELECT current_setting('transaction_isolation')"),
                                names[i / 2]);
            assert_string_equal(ask(f->s, "SELECT current_setting('transaction_read_only')"),
                                i % 2 ? "on" : "off");
        }
        assert_int_equal(prax_tx_commit(&tx), 0);
    }
    PRAX_TX(wrong, f->s, .isolation = (enum prax_isolation)9);
    assert_int_equal(wrong.code, PRAX_EINVAL);
    prax_tx_end(&wrong);
    PRAX_TX(outer, f->s);
    PRAX_TX(inner, f->s, .read_only = true); /* it would not act */
    assert_int_equal(inner.code, PRAX_EINVAL);
}

static void test_read_only_acts(void **state)
{
    struct fixture *f = *state;
    PRAX_TX(tx, f->s, .read_only = true);
    assert_int_equal(prax_sql_exec(f->s, "DELETE FROM tags"), PRAX_EPERM);
    prax_tx_end(&tx);
    POSTGRES_ONLY(); /* what only the server can see: a function that writes */
    assert_int_equal(prax_sql_exec(f->s,
                                   "CREATE FUNCTION sly () RETURNS bigint LANGUAGE sql AS "
                                   "'INSERT INTO tags (label) VALUES (''x''); SELECT 1::bigint'"),
                     0);
    PRAX_TX(again, f->s, .read_only = true);
    assert_true(prax_sql_exec(f->s, "SELECT sly()") < 0);
    ASSERT_CODE(f->s, PRAX_EPERM);
}

static void test_snapshots(void **state)
{
    struct fixture *f = *state;
    if (db_place == DB_MEMORY)
        return; /* a writer waits for a reader there */
    PRAX_SESSION other = prax_session_open(f->db);
    {
        PRAX_TX(tx, f->s, .isolation = PRAX_REPEATABLE, .read_only = true);
        assert_int_equal(blog_tag_count(f->s), 0);
        add_tag(other, "a");
        assert_int_equal(blog_tag_count(f->s), 0);
    }
    assert_int_equal(blog_tag_count(f->s), 1);
    POSTGRES_ONLY();
    PRAX_TX(tx, f->s, .isolation = PRAX_READ_COMMITTED);
    assert_int_equal(blog_tag_count(f->s), 1);
    add_tag(other, "b");
    assert_int_equal(blog_tag_count(f->s), 2);
}

/* ---- conflicts ---- */

struct skew {
    prax_session *other;
    int calls;
};

/* Reads, and writes what it decided by that; the first time another one does the same meanwhile. */
static int decide(prax_session *s, void *arg)
{
    struct skew *k = arg;
    int64_t n = blog_tag_count(s);
    char label[32];
    if (n < 0)
        return (int)n;
    if (k && k->calls++ == 0) {
        int rc = prax_tx_run(k->other, decide, NULL, .isolation = PRAX_SERIALIZABLE);
        if (rc < 0)
            return rc;
    }
    snprintf(label, sizeof label, "%d of %d", k ? 1 : 2, (int)n);
    return blog_tag_create(s, .label = label) ? 0 : prax_error_code(s);
}

static void test_serialization_failure(void **state)
{
    struct fixture *f = *state;
    POSTGRES_ONLY(); /* elsewhere the second writer waits before it reads */
    PRAX_SESSION other = prax_session_open(f->db);
    struct skew k = { .other = other };
    assert_int_equal(prax_tx_run(f->s, decide, &k, .isolation = PRAX_SERIALIZABLE), PRAX_ESERIAL);
    assert_true(prax_error_get(f->s)->retryable);
    assert_string_equal(prax_error_get(f->s)->sqlstate, "40001");
    assert_int_equal(blog_tag_count(f->s), 1);
    assert_int_equal(blog_tag_delete_many(f->s, .all = true), 1);
    k.calls = 0;
    MUST(f->s, prax_tx_run(f->s, decide, &k, .isolation = PRAX_SERIALIZABLE, .retries = 3));
    assert_int_equal(k.calls, 2);
    assert_int_equal(blog_tag_count(f->s, .where.label = prax_eq("1 of 1")), 1);
}

struct crossing {
    prax_db *db;
    int64_t first, second;
    int calls, rc;
};

static int cross(prax_session *s, void *arg)
{
    struct crossing *c = arg;
    c->calls++;
    int rc = blog_post_update(s, blog_post_by_id(c->first), .views = prax_add(1));
    if (rc < 0)
        return rc;
    nap(c->calls == 1 ? 50 : 0); /* long enough for both to have taken their first */
    rc = blog_post_update(s, blog_post_by_id(c->second), .views = prax_add(1));
    return rc < 0 ? rc : 0;
}

static void *cross_in_thread(void *arg)
{
    struct crossing *c = arg;
    prax_session *s = prax_session_open(c->db);
    c->rc = prax_tx_run(s, cross, c, .retries = 10);
    prax_session_close(s);
    return NULL;
}

static void test_deadlock(void **state)
{
    struct fixture *f = *state;
    const blog_post *a = blog_post_create(f->s, .title = "a", .author_id = 1);
    const blog_post *b = blog_post_create(f->s, .title = "b", .author_id = 1);
    assert_true(a && b);
    struct crossing c[2] = { { .db = f->db, .first = a->id, .second = b->id },
                             { .db = f->db, .first = b->id, .second = a->id } };
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, cross_in_thread, &c[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(c[i].rc, 0);
    }
    if (db_place == DB_POSTGRES)
        assert_true(c[0].calls + c[1].calls > 2); /* the server ended one of them */
    prax_sql_each(row, f->s, "SELECT count(*) FROM posts WHERE views = 2")
        assert_int_equal(prax_col_i64(row, 0), 2);
}

/* ---- savepoints ---- */

static void descend(prax_session *s, int depth, int to)
{
    char label[16];
    PRAX_SAVEPOINT(sp, s);
    assert_int_equal(sp.code, 0);
    snprintf(label, sizeof label, "%d", depth);
    add_tag(s, label);
    if (depth == to) {
        assert_null(blog_tag_create(s, .label = label));
        ASSERT_CODE(s, PRAX_EUNIQUE);
        assert_int_equal(blog_tag_count(s), PRAX_EABORTED);
        return;
    }
    descend(s, depth + 1, to);
    bool kept = depth % 2 == 0 && depth + 1 < to; /* what is one deeper */
    assert_int_equal(blog_tag_count(s), depth + kept);
    if (depth % 2)
        assert_int_equal(prax_tx_commit(&sp), 0);
}

static void test_deep_savepoints(void **state)
{
    struct fixture *f = *state;
    PRAX_TX(tx, f->s);
    descend(f->s, 1, 30); /* 30 fails, 28, 26 ... are undone with all in them */
    assert_int_equal(blog_tag_count(f->s), 1);
    assert_int_equal(prax_tx_commit(&tx), 0);
    assert_int_equal(blog_tag_count(f->s), 1);
}

/* ---- deadlines, on the server ---- */

static void test_deadline_in_transaction(void **state)
{
    struct fixture *f = *state;
    POSTGRES_ONLY();
    PRAX_SESSION s = prax_session_open(f->db, .timeout_ms = 100);
    PRAX_TX(tx, s);
    add_tag(s, "a");
    char pid[64];
    snprintf(pid, sizeof pid, "%s", ask(s, "SELECT pg_backend_pid()::text"));
    {
        PRAX_SAVEPOINT(sp, s);
        uint64_t start = pxi_clock_ns();
        assert_int_equal(prax_sql_exec(s, "SELECT pg_sleep(20)"), PRAX_ETIMEOUT);
        assert_true(pxi_clock_ns() - start < 5000000000u);
        assert_int_equal(blog_tag_count(s), PRAX_EABORTED);
        assert_int_equal(prax_error_get(s)->cause, PRAX_ETIMEOUT);
    }
    assert_int_equal(blog_tag_count(s), 1); /* the savepoint took it */
    assert_int_equal(prax_tx_commit(&tx), 0);
    assert_string_equal(ask(s, "SELECT pg_backend_pid()::text"), pid); /* the same connection */
    assert_string_equal(ask(f->s, "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE "
                                  "'%pg_sleep(20)%' AND state = 'active' AND pid <> "
                                  "pg_backend_pid()"),
                        "0");
}

/* ---- what the server decides ---- */

/* Something fails that the library does not see: COMMIT is answered by ROLLBACK. */
static void test_commit_that_rolls_back(void **state)
{
    struct fixture *f = *state;
    POSTGRES_ONLY();
    prax_session *s = f->s;
    {
        PRAX_TX(tx, s);
        add_tag(s, "a");
        assert_true(s->link->driver->exec(s->link->conn, "SELECT 1 / 0") < 0);
        assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
    }
    assert_int_equal(blog_tag_count(s), 0);
}

static void test_settings_end_with_the_session(void **state)
{
    struct fixture *f = *state;
    POSTGRES_ONLY();
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 1), 0);
    prax_session *a = prax_session_open(db);
    PRAX_SESSION b = prax_session_open(db);
    char first[32]; /* what the URL says, or "0" */
    snprintf(first, sizeof first, "%s", ask(a, "SHOW lock_timeout"));
    assert_int_equal(prax_sql_exec(a, "SET lock_timeout = '1234ms'"), 0);
    assert_string_equal(ask(a, "SHOW lock_timeout"), "1234ms");
    assert_string_equal(ask(b, "SHOW lock_timeout"), first); /* taken from one at rest */
    assert_int_equal(prax_sql_exec(a, "SET lock_timeout = '1234ms'"), 0);
    prax_session_close(a);
    assert_string_equal(ask(b, "SHOW lock_timeout"), first); /* given back */
}

static void terminate(const struct fixture *f, const char *pid)
{
    char sql[96];
    PRAX_SESSION s = prax_session_open(f->db);
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%s)::text", pid);
    assert_string_equal(ask(s, sql), "true");
    nap(50);
}

static void test_terminated(void **state)
{
    struct fixture *f = *state;
    POSTGRES_ONLY();
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 1), 0);
    PRAX_SESSION s = prax_session_open(db);
    terminate(f, ask(s, "SELECT pg_backend_pid()::text"));
    assert_int_equal(blog_tag_count(s), 0); /* found out before it was used */
    {
        PRAX_TX(tx, s);
        add_tag(s, "a");
        terminate(f, ask(s, "SELECT pg_backend_pid()::text"));
        assert_int_equal(blog_tag_count(s), PRAX_ECONN);
        assert_null(blog_tag_create(s, .label = "b"));
        ASSERT_CODE(s, PRAX_EABORTED);
        assert_int_equal(prax_error_get(s)->cause, PRAX_ECONN);
        assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
    }
    assert_int_equal(blog_tag_count(s), 0);
}

static const struct CMUnitTest tests[] = {
    DB_TEST(test_levels),
    DB_TEST(test_read_only_acts),
    DB_TEST(test_snapshots),
    DB_TEST(test_serialization_failure),
    DB_TEST(test_deadlock),
    DB_TEST(test_deep_savepoints),
    DB_TEST(test_deadline_in_transaction),
    DB_TEST(test_commit_that_rolls_back),
    DB_TEST(test_settings_end_with_the_session),
    DB_TEST(test_terminated),
};
DB_MAIN(tests)

/* test_db_busy.c - busy_ms: how long a lock of another connection is waited for, on all databases.
 */
#include "tests/db/db.h"

enum { BUSY_MS = 50 };

/* The tests' own URL says lock_timeout, which would win. */
static int setup(void **state)
{
    static const char word[] = "-clock_timeout%3D200%20";
    db_setup_own(state);
    struct fixture *f = *state;
    char *at = strstr(f->url, word);
    if (on_postgres())
        assert_non_null(at);
    if (at)
        memmove(at, at + strlen(word), strlen(at + strlen(word)) + 1);
    return 0;
}

static prax_db *open_busy(const struct fixture *f, const char *url)
{
    prax_db *db = NULL;
    if (prax_db_open(&db, .url = url, .pool_max = 2, .busy_ms = BUSY_MS) < 0 ||
        (url == f->url && blog_create_tables(db) < 0))
        fail_msg("%s", prax_db_error(db)->message);
    return db;
}

static void test_waits_and_tells(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = open_busy(f, f->url);
    PRAX_SESSION a = prax_session_open(db);
    PRAX_SESSION b = prax_session_open(db);
    const blog_tag *t = blog_tag_create(a, .label = "a");
    assert_non_null(t);
    for (int again = 0; again < 2; again++) { /* the second time on a connection that was reset */
        PRAX_TX(tx, a);
        assert_int_equal(blog_tag_update(a, blog_tag_by_id(t->id), .label = prax_set("b")), 1);
        assert_int_equal(blog_tag_update(b, blog_tag_by_id(t->id), .label = prax_set("c")),
                         PRAX_EBUSY);
        assert_true(prax_error_get(b)->retryable);
        assert_non_null(strstr(prax_error_get(b)->message, "this thread"));
        MUST(a, prax_tx_commit(&tx));
        assert_int_equal(blog_tag_update(b, blog_tag_by_id(t->id), .label = prax_set("c")), 1);
        if (on_postgres())
            MUST(b, prax_sql_exec(b, "SET lock_timeout = 0"));
        prax_session_close(b);
        b = prax_session_open(db);
    }
}

/* A deadline of the session that is nearer is the one that is told. */
static void test_deadline_is_nearer(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 2, .busy_ms = 60000), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION a = prax_session_open(db);
    PRAX_SESSION b = prax_session_open(db, .timeout_ms = 20);
    const blog_tag *t = blog_tag_create(a, .label = "a");
    assert_non_null(t);
    PRAX_TX(tx, a);
    assert_int_equal(blog_tag_update(a, blog_tag_by_id(t->id), .label = prax_set("b")), 1);
    assert_int_equal(blog_tag_update(b, blog_tag_by_id(t->id), .label = prax_set("c")),
                     PRAX_ETIMEOUT);
}

static void check_setting(prax_db *db, const char *want)
{
    PRAX_SESSION s = prax_session_open(db);
    prax_sql_each(row, s, "SHOW lock_timeout") {
        assert_string_equal(prax_col_text(row, 0), want);
    }
    ASSERT_CODE(s, 0);
}

/* What PostgreSQL is told: nothing without busy_ms; the URL's own word wins, and others stay. */
static void test_setting(void **state)
{
    struct fixture *f = *state;
    char url[PG_URL + 64];
    if (!on_postgres())
        return;
    PRAX_DB plain = NULL;
    assert_int_equal(prax_db_open(&plain, .url = f->url), 0);
    check_setting(plain, "0");
    PRAX_DB busy = open_busy(f, f->url);
    check_setting(busy, "50ms");
    PRAX_SESSION s = prax_session_open(busy);
    assert_int_equal(blog_tag_count(s), 0); /* in the schema of the URL's search_path */
    snprintf(url, sizeof url, "%s&lock_timeout=7s", f->url);
    PRAX_DB own = open_busy(f, url);
    check_setting(own, "7s");
    assert_int_equal(setenv("PGOPTIONS", "-c lock_timeout=9s", 1), 0);
    PRAX_DB environment = open_busy(f, getenv("PRAX_TEST_POSTGRES"));
    unsetenv("PGOPTIONS");
    check_setting(environment, "9s");
    PRAX_DB most = NULL;
    assert_int_equal(prax_db_open(&most, .url = f->url, .busy_ms = UINT32_MAX), 0);
    check_setting(most, "2147483647ms");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, db_teardown)
static const struct CMUnitTest tests[] = {
    TEST(test_waits_and_tells),
    TEST(test_deadline_is_nearer),
    TEST(test_setting),
};
DB_MAIN(tests)

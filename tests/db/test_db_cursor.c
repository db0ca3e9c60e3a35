/* test_db_cursor.c - cursors, raw SQL, limits, timeouts, cancelling. */
#include "tests/db/db.h"
#include <pthread.h>
#include <time.h>

static void add_tags(prax_session *s, int n)
{
    char label[16];
    for (int i = 0; i < n; i++) {
        snprintf(label, sizeof label, "t%d", i);
        if (!blog_tag_create(s, .label = label))
            fail_msg("%s", prax_error_get(s)->message);
    }
}

static void test_each(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_tags(s, 10);
    int n = 0;
    blog_tag_each(a, s, .order_by = { BLOG_TAG_ID_ASC })
    {
        /* the same query within itself, another statement, and a write */
        int inner = 0;
        blog_tag_each(b, s, .order_by = { BLOG_TAG_ID_ASC }, .take = 3)
        {
            assert_int_equal(b->id, ++inner);
        }
        assert_int_equal(inner, 3);
        assert_int_equal(a->id, ++n);
        char label[16];
        snprintf(label, sizeof label, "t%d", n - 1);
        assert_string_equal(a->label, label);
        assert_int_equal(blog_tag_count(s, .where.id = prax_le(a->id)), n);
    }
    ASSERT_CODE(s, 0);
    assert_int_equal(n, 10);
    assert_int_equal(prax_session_reset(s), 0);
}

/* What the caller lent is gone when next runs. */
static void test_values_outlive_the_call(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_tags(s, 10);
    char text[16] = "t7";
    const char *list[] = { text, "t8" };
    prax_cursor *c = blog_tag_open(s, .where.label = prax_in_array(list, 2));
    prax_cursor *raw = prax_sql_open(s, "SELECT label FROM tags WHERE label = ?", text);
    assert_non_null(c);
    assert_non_null(raw);
    memset(text, 'x', sizeof text - 1);
    assert_int_equal(blog_tag_count(s, .where.label = prax_in(const char *, "a", "b")), 0);
    const blog_tag *t;
    assert_int_equal(blog_tag_next(c, &t), 1);
    assert_string_equal(t->label, "t7");
    assert_int_equal(blog_tag_next(c, &t), 1);
    assert_int_equal(blog_tag_next(c, &t), 0);
    assert_int_equal(blog_tag_next(c, &t), 0); /* again the same */
    assert_null(t);
    assert_int_equal(prax_cursor_next(raw), 1);
    assert_string_equal(prax_col_text(raw, 0), "t7");
    prax_cursor_close(c);
    prax_cursor_close(raw);
    prax_cursor_close(NULL);
}

static void test_closing_order(void **state)
{
    struct fixture *f = *state;
    prax_session *s = prax_session_open(f->db);
    add_tags(s, 3);
    prax_cursor *a = blog_tag_open(s);
    prax_cursor *b = blog_tag_open(s);
    const blog_tag *t;
    assert_int_equal(blog_tag_next(a, &t), 1);
    assert_int_equal(prax_session_reset(s), PRAX_EINVAL);
    prax_cursor_close(a);
    assert_int_equal(blog_tag_next(b, &t), 1);
    prax_session_close(s); /* ends b; the object is ours still */
    assert_int_equal(blog_tag_next(b, &t), 0);
    prax_cursor_close(b);
}

static void test_raw_values(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    prax_uuid u = prax_uuid_random();
    prax_opt_i64 none = { .set = false };
    static const char sqlite[] = "SELECT ?, ?, ?, ?, ?, ?, ? AS u, ?, '?', \"a?\" FROM "
                                 "(SELECT 1 AS \"a?\") -- ?";
    static const char postgres[] =
        "SELECT ?::int, ?::float8, ?, ?::bytea, ?::bool, ?::int8, ?::uuid AS u, ?::timestamptz, "
        "'?', \"a?\" FROM (SELECT 1 AS \"a?\") AS t -- ?";
    prax_cursor *c = prax_sql_open(s, on_postgres() ? postgres : sqlite, 1, 2.5, "text",
                                   prax_bytes_of("a\0b", 3), true, none, u, prax_time_unix(5));
    if (!c)
        fail_msg("%s", prax_error_get(s)->message);
    assert_int_equal(prax_cursor_next(c), 1);
    assert_int_equal(prax_col_i64(c, 0), 1);
    assert_true(prax_col_f64(c, 1) == 2.5);
    assert_string_equal(prax_col_text(c, 2), "text");
    assert_memory_equal(prax_col_bytes(c, 3).data, "a\0b", 3);
    assert_int_equal(prax_col_i64(c, 4), 1);
    assert_true(prax_col_is_null(c, 5));
    assert_null(prax_col_text(c, 5));
    assert_memory_equal(prax_col_uuid(c, prax_col(c, "u")).b, u.b, 16);
    assert_int_equal(prax_col_time(c, 7).us, 5000000);
    ASSERT_CODE(s, 0);
    /* a wrong access fails the next step, so one check behind the loop is enough */
    assert_null(prax_col_text(c, 0));
    ASSERT_CODE(s, PRAX_ETYPE);
    assert_int_equal(prax_cursor_next(c), PRAX_ETYPE);
    ASSERT_CODE(s, PRAX_ETYPE);
    prax_cursor_close(c);
    prax_sql_each(row, s, "SELECT 1") {
        assert_null(prax_col_text(row, 0));
        assert_int_equal(blog_tag_count(s), 0); /* clears the error, but does not forget it */
    }
    ASSERT_CODE(s, PRAX_ETYPE);
    prax_sql_each(row, s, "SELECT ?", "") {
        assert_string_equal(prax_col_text(row, 0), "");
    }
    ASSERT_CODE(s, 0);
    prax_sql_each(row, s, "SELECT 1")
        assert_int_equal(prax_col(row, "none"), PRAX_EINVAL);
    ASSERT_CODE(s, PRAX_EINVAL);
    prax_sql_each(row, s, "SELECT 1")
        assert_int_equal(prax_col_i64(row, 1), 0);
    ASSERT_CODE(s, PRAX_EINVAL);
}

static void test_raw_refused(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_int_equal(prax_sql_exec(s, "SELECT ?", 1, 2), PRAX_EINVAL);
    assert_int_equal(prax_sql_exec(s, "SELECT ?"), PRAX_EINVAL);
    assert_int_equal(prax_sql_exec(s, "SELECT 1; SELECT 2"), PRAX_EINVAL);
    assert_int_equal(prax_sql_exec(s, "SELECT 1; "), 0);
    assert_int_equal(prax_sql_exec(s, ""), PRAX_EINVAL);
    assert_int_equal(prax_sql_exec(s, " -- nothing"), PRAX_EINVAL);
    assert_int_equal(
        prax_sql_exec(s, "SELECT '?\?', \"?\?\" /* ?\? */ FROM (SELECT 1 AS \"?\?\") AS t"), 0);
    if (on_postgres()) {
        prax_sql_each(row, s, "SELECT jsonb '{\"a\":1}' ?? 'a', jsonb '{}' ??| ARRAY[?]", "b") {
            assert_int_equal(prax_col_i64(row, 0), 1);
            assert_int_equal(prax_col_i64(row, 1), 0);
        }
        ASSERT_CODE(s, 0);
        assert_int_equal(prax_sql_exec(s, "SELECT $1::int", 1), 0);
        assert_int_equal(prax_sql_exec(s, "SELECT $1::int, ?", 1, "a"), PRAX_EINVAL);
    } else {
        assert_int_equal(prax_sql_exec(s, "SELECT a ?? b"), PRAX_EUNSUPPORTED);
    }
    assert_int_equal(prax_sql_exec(s, "SELECT ?", UINT64_MAX), PRAX_ERANGE);
    add_tags(s, 1);
    assert_null(prax_sql_open(s, "DELETE FROM tags"));
    ASSERT_CODE(s, PRAX_EINVAL);
    assert_int_equal(blog_tag_count(s), 1); /* it was not run */
    assert_int_equal(prax_sql_exec_with(s, NULL, NULL, 0), PRAX_EINVAL);
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    add_tags(f->s, 50);
    PRAX_SESSION s = prax_session_open(f->db, .rows_max = 49);
    assert_null(blog_tag_find_many(s));
    ASSERT_CODE(s, PRAX_ELIMIT);
    const blog_tag_list *l = blog_tag_find_many(s, .take = 49);
    assert_non_null(l);
    assert_int_equal(l->count, 49);
    PRAX_SESSION small = prax_session_open(f->db, .arena_max = 100000);
    int code = 0;
    for (int i = 0; i < 1000 && code == 0; i++)
        if (!blog_tag_find_many(small))
            code = prax_error_code(small);
    assert_int_equal(code, PRAX_ELIMIT);
    assert_int_equal(prax_session_reset(small), 0);
    assert_non_null(blog_tag_find_many(small));
    static char big[200000];
    assert_null(prax_keep(small, big, sizeof big));
    assert_int_equal(blog_tag_count(small), PRAX_ELIMIT); /* the operation after it */
    assert_int_equal(blog_tag_count(small), 50);
}

static const char endless[] =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

static void test_timeout(void **state)
{
    struct fixture *f = *state;
    PRAX_SESSION s = prax_session_open(f->db, .timeout_ms = 30);
    assert_int_equal(prax_sql_exec(s, endless), PRAX_ETIMEOUT);
    assert_int_equal(blog_tag_count(s), 0); /* the next one has its own time */
}

static void *cancel_soon(void *arg)
{
    struct timespec t = { .tv_nsec = 30000000 };
    nanosleep(&t, NULL);
    prax_session_cancel(arg);
    return NULL;
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, s), 0);
    assert_int_equal(prax_sql_exec(s, endless), PRAX_ECANCELED);
    pthread_join(thread, NULL);
    assert_int_equal(blog_tag_count(s), 0);
    prax_session_cancel(s); /* nothing runs: the next one */
    assert_int_equal(blog_tag_count(s), PRAX_ECANCELED);
    assert_int_equal(blog_tag_count(s), 0);
}

/* The interrupt of a cancel stays while a cursor is open; the transaction must end all the same. */
static void test_cancel_in_transaction(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_tags(s, 5);
    pthread_t thread;
    prax_cursor *c = blog_tag_open(s);
    const blog_tag *t;
    assert_int_equal(blog_tag_next(c, &t), 1);
    {
        PRAX_TX(tx, s);
        assert_int_equal(blog_tag_delete(s, blog_tag_by_id(1)), 1);
        assert_int_equal(pthread_create(&thread, NULL, cancel_soon, s), 0);
        assert_int_equal(prax_sql_exec(s, endless), PRAX_ECANCELED);
        pthread_join(thread, NULL);
    }
    prax_cursor_close(c);
    PRAX_SESSION other = prax_session_open(f->db);
    assert_non_null(blog_tag_create(other, .label = "free")); /* no lock is left */
    assert_int_equal(blog_tag_count(s), 6);
}

struct seen {
    int n;
    prax_event last;
};

static void on_log(void *ctx, const prax_event *ev)
{
    struct seen *seen = ctx;
    seen->n++;
    seen->last = *ev;
}

static void test_log(void **state)
{
    struct fixture *f = *state;
    struct seen seen = { 0 };
    PRAX_DB db = NULL;
    assert_int_equal(
        prax_db_open(&db, .url = f->url, .log = on_log, .log_ctx = &seen, .slow_ms = 20), 0);
    assert_int_equal(blog_create_tables(db), 0);
    seen.n = 0; /* that may be slow */
    PRAX_SESSION s = prax_session_open(db, .timeout_ms = 40);
    assert_int_equal(blog_tag_count(s), 0);
    assert_null(blog_tag_get(s, blog_tag_by_id(1)));
    assert_int_equal(seen.n, 0); /* fast, and not found is no failure */
    assert_int_equal(prax_sql_exec(s, "SELEC"), PRAX_ESQL);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.last.code, PRAX_ESQL);
    assert_int_equal(seen.last.verb, PRAX_RAW_EXEC);
    assert_int_equal(prax_sql_exec(s, endless), PRAX_ETIMEOUT);
    assert_int_equal(seen.n, 2);
    assert_true(seen.last.ns > 20000000);
    assert_string_equal(seen.last.sql, endless);
}

static const struct CMUnitTest tests[] = {
    DB_TEST(test_each),
    DB_TEST(test_values_outlive_the_call),
    DB_TEST(test_closing_order),
    DB_TEST(test_raw_values),
    DB_TEST(test_raw_refused),
    DB_TEST(test_limits),
    DB_TEST(test_timeout),
    DB_TEST(test_cancel),
    DB_TEST(test_cancel_in_transaction),
    DB_OWN(test_log),
};
DB_MAIN(tests)

/* test_db_tx.c - guards: nesting, poisoning, retries, read-only sessions, what resets and closes.
 */
#include "tests/db/db.h"

static void add_tag(prax_session *s, const char *label)
{
    if (!blog_tag_create(s, .label = label))
        fail_msg("%s", prax_error_get(s)->message);
}

static void test_commit_and_roll_back(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    {
        PRAX_TX(tx, s);
        add_tag(s, "a");
        assert_int_equal(prax_tx_commit(&tx), 0);
        assert_int_equal(prax_tx_commit(&tx), PRAX_EINVAL); /* once */
    }
    {
        PRAX_TX(tx, s);
        add_tag(s, "b");
    }
    assert_int_equal(blog_tag_count(s), 1);
}

static void test_savepoints(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    PRAX_TX(tx, s);
    add_tag(s, "a");
    {
        PRAX_SAVEPOINT(sp, s);
        add_tag(s, "b");
        assert_null(blog_tag_create(s, .label = "a"));
        ASSERT_CODE(s, PRAX_EUNIQUE);
        assert_int_equal(blog_tag_count(s), PRAX_EABORTED); /* poisoned */
        assert_int_equal(prax_error_get(s)->cause, PRAX_EUNIQUE);
        assert_int_equal(prax_tx_commit(&sp), PRAX_EABORTED);
    }
    assert_int_equal(blog_tag_count(s), 1);
    {
        PRAX_TX(inner, s); /* within another one a savepoint */
        add_tag(s, "c");
        {
            PRAX_SAVEPOINT(sp, s);
            add_tag(s, "d");
            assert_int_equal(prax_tx_commit(&inner), PRAX_EINVAL); /* sp is open */
        }
        assert_int_equal(blog_tag_count(s), 2);
        assert_int_equal(prax_tx_commit(&inner), 0);
    }
    assert_int_equal(prax_tx_commit(&tx), 0);
    assert_int_equal(blog_tag_count(s), 2);
}

static void test_poison(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_tag(s, "a");
    {
        PRAX_TX(tx, s);
        add_tag(s, "b");
        assert_null(blog_tag_get(s, blog_tag_by_id(99)));
        ASSERT_CODE(s, PRAX_ENOTFOUND); /* no poison */
        assert_int_equal(blog_tag_count(s), 2);
        assert_null(blog_tag_create(s, .label = "a"));
        assert_null(blog_tag_create(s, .label = "c"));
        ASSERT_CODE(s, PRAX_EABORTED);
        PRAX_SAVEPOINT(sp, s);
        assert_int_equal(sp.code, PRAX_EABORTED);
        assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
    }
    assert_int_equal(blog_tag_count(s), 1);
    ASSERT_CODE(s, 0);
}

/* A begin that fails must not let its body run in autocommit. */
static void test_failed_begin(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    {
        PRAX_SAVEPOINT(sp, s);
        assert_int_equal(sp.code, PRAX_EINVAL);
        assert_null(blog_tag_create(s, .label = "a"));
        ASSERT_CODE(s, PRAX_EABORTED);
        assert_int_equal(prax_error_get(s)->cause, PRAX_EINVAL);
    }
    if (on_postgres()) /* a begin waits for nobody there */
        return;
    PRAX_SESSION other = prax_session_open(f->db);
    PRAX_TX(tx, s); /* holds the write lock */
    {
        PRAX_TX(blocked, other);
        assert_int_equal(blocked.code, PRAX_EBUSY);
        assert_true(prax_error_get(other)->retryable);
        assert_null(blog_tag_create(other, .label = "a"));
        assert_int_equal(prax_error_code(other), PRAX_EABORTED);
    }
    assert_int_equal(prax_tx_commit(&tx), 0);
    assert_non_null(blog_tag_create(other, .label = "a"));
}

static void test_isolation(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    PRAX_TX(tx, s, .isolation = PRAX_SERIALIZABLE);
    {
        PRAX_TX(same, s, .isolation = PRAX_SERIALIZABLE);
        assert_int_equal(same.code, 0);
    }
    {
        PRAX_TX(different, s, .isolation = PRAX_READ_COMMITTED);
        assert_int_equal(different.code, PRAX_EINVAL);
    }
    assert_int_equal(blog_tag_count(s), 0);
    assert_int_equal(prax_tx_commit(&tx), 0);
}

struct tries {
    int seen, fail_first;
    prax_session *blocker;
};

static int sometimes(prax_session *s, void *arg)
{
    struct tries *t = arg;
    if (t->seen++ < t->fail_first)
        return blog_tag_create(t->blocker, .label = "x") ? 0 : prax_error_code(t->blocker);
    return blog_tag_create(s, .label = "y") ? 7 : prax_error_code(s);
}

static int duplicate(prax_session *s, void *arg)
{
    ++*(int *)arg;
    if (!blog_tag_create(s, .label = "a"))
        return prax_error_code(s);
    return blog_tag_create(s, .label = "a") ? 0 : prax_error_code(s);
}

static void test_run(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    int calls = 0;
    assert_int_equal(prax_tx_run(s, duplicate, &calls, .retries = 5), PRAX_EUNIQUE);
    assert_int_equal(calls, 1); /* not retryable */
    assert_int_equal(blog_tag_count(s), 0);
    struct tries t = { 0 };
    assert_int_equal(prax_tx_run(s, sometimes, &t), 7);
    assert_int_equal(blog_tag_count(s), 1);
    PRAX_SESSION other = prax_session_open(f->db);
    {
        PRAX_TX(hold, other);
        add_tag(other, "a");
        assert_int_equal(prax_tx_run(s, duplicate, &calls, .retries = 1), PRAX_EBUSY);
        /* SQLite: begin failed twice; PostgreSQL: the first statement did */
        assert_int_equal(calls, on_postgres() ? 3 : 1);
        ASSERT_CODE(s, PRAX_EBUSY);
    }
}

static void test_read_only(void **state)
{
    struct fixture *f = *state;
    add_tag(f->s, "a");
    PRAX_SESSION s = prax_session_open(f->db, .read_only = true);
    assert_int_equal(blog_tag_count(s), 1);
    assert_null(blog_tag_create(s, .label = "b"));
    ASSERT_CODE(s, PRAX_EPERM);
    assert_int_equal(blog_tag_delete(s, blog_tag_by_id(1)), PRAX_EPERM);
    assert_int_equal(blog_tag_update(s, blog_tag_by_id(1), .label = prax_set("x")), PRAX_EPERM);
    assert_int_equal(blog_tag_delete_many(s, .all = true), PRAX_EPERM);
    assert_int_equal(prax_sql_exec(s, "DELETE FROM tags"), PRAX_EPERM);
    PRAX_TX(tx, f->s, .read_only = true);
    assert_int_equal(blog_tag_count(f->s), 1);
    assert_int_equal(blog_tag_delete(f->s, blog_tag_by_id(1)), PRAX_EPERM);
    PRAX_TX(write, s); /* a read-only transaction takes no write lock */
    assert_int_equal(write.code, 0);
}

static void test_raw_transaction(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_int_equal(prax_sql_exec(s, "BEGIN"), PRAX_EINVAL);
    add_tag(s, "a");
    PRAX_SESSION other = prax_session_open(f->db);
    add_tag(other, "b"); /* nobody holds a lock */
    {
        PRAX_TX(tx, s);
        add_tag(s, "c");
        assert_int_equal(prax_sql_exec(s, "COMMIT"), PRAX_EINVAL);
        assert_null(blog_tag_create(s, .label = "d"));
        ASSERT_CODE(s, PRAX_EABORTED);
    }
    assert_int_equal(blog_tag_count(s), 3);
}

static void test_reset_and_close(void **state)
{
    struct fixture *f = *state;
    prax_session *s = prax_session_open(f->db);
    {
        PRAX_TX(tx, s);
        assert_int_equal(prax_session_reset(s), PRAX_EINVAL);
    }
    assert_int_equal(prax_session_reset(s), 0);
    prax_tx tx = prax_tx_begin_with(s, PRAX_ARGS(prax_tx_opts, ));
    assert_int_equal(tx.code, 0);
    add_tag(s, "a");
    prax_session_close(s); /* rolls back */
    assert_int_equal(blog_tag_count(f->s), 0);
    add_tag(f->s, "b");
}

static const struct CMUnitTest tests[] = {
    DB_TEST(test_commit_and_roll_back),
    DB_TEST(test_savepoints),
    DB_TEST(test_poison),
    DB_TEST(test_failed_begin),
    DB_TEST(test_isolation),
    DB_TEST(test_run),
    DB_TEST(test_read_only),
    DB_TEST(test_raw_transaction),
    DB_TEST(test_reset_and_close),
};
DB_MAIN(tests)

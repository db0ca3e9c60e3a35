/* test_db_memory.c - the allocator: a warm session asks it for nothing; and when its n-th call
 * fails, for every n, the operation fails with ENOMEM, nothing leaks and nothing is half done.
 */
#include "tests/db/db.h"
#include <malloc.h>

struct counter {
    size_t calls, fail_at; /* fail_at 0: never */
    int64_t live;          /* bytes */
};

static void *counted(void *ctx, void *p, size_t old_size, size_t size)
{
    struct counter *c = ctx;
    if (size == 0) {
        c->live -= (int64_t)(p ? old_size : 0);
        free(p);
        return NULL;
    }
    if (++c->calls == c->fail_at)
        return NULL;
    void *q = realloc(p, size);
    if (q)
        c->live += (int64_t)size - (int64_t)(p ? old_size : 0);
    return q;
}

static void add_users(prax_session *s, int n)
{
    static char emails[100][32];
    static blog_user_new rows[100];
    for (int done = 0; done < n; done += 100) {
        for (int i = 0; i < 100; i++) {
            snprintf(emails[i], sizeof emails[i], "user%d@example.org", done + i);
            rows[i] = (blog_user_new){ .email = emails[i], .name = "Some Name" };
        }
        MUST(s, blog_user_create_many(s, rows, 100));
    }
}

static void test_warm_list(void **state)
{
    struct fixture *f = *state;
    struct counter c = { 0 };
    const prax_alloc alloc = { counted, &c };
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .alloc = &alloc), 0);
    assert_int_equal(blog_create_tables(db), 0);
    prax_session *s = prax_session_open(db);
    add_users(s, 10000);
    size_t before = c.calls;
    const blog_user_list *l = blog_user_find_many(s);
    assert_non_null(l);
    assert_int_equal(l->count, 10000);
    assert_in_range(c.calls - before, 1, 12);
    assert_int_equal(prax_session_reset(s), 0);
    assert_non_null(blog_user_find_many(s)); /* now its size is known */
    assert_int_equal(prax_session_reset(s), 0);
    before = c.calls;
    for (int i = 0; i < 3; i++) {
        PRAX_SCOPE(s);
        assert_non_null(blog_user_find_many(s));
        assert_non_null(blog_user_get(s, blog_user_by_id(7)));
    }
    assert_int_equal(c.calls - before, 0);
    prax_session_close(s);
    before = c.calls;
    s = prax_session_open(db); /* blocks are reused across sessions */
    assert_non_null(blog_user_find_many(s, .take = 100));
    assert_int_equal(c.calls - before, 0);
    prax_session_close(s);
}

/* ---- the n-th allocation fails ---- */

static int check(const prax_session *s, bool good)
{
    if (good)
        return 0;
    if (prax_error_code(s) != PRAX_ENOMEM)
        fail_msg("%s", prax_error_get(s)->message);
    return PRAX_ENOMEM;
}

static int use_session(prax_session *s)
{
    static const int64_t ids[500];
    int rc = check(s, blog_user_create(s, .email = "a@b", .name = "A") != NULL);
    if (rc == 0)
        rc = check(s, blog_user_find_many(s, .where.id = prax_in_array(ids, 500)) != NULL);
    if (rc == 0)
        rc = check(s, blog_user_get(s, blog_user_by_email("a@b")) != NULL);
    if (rc == 0)
        rc = check(s, blog_user_where_keep(s, &(blog_user_where){ .name = prax_eq("x") }) ||
                          blog_user_count(s) >= 0);
    const blog_user_new more[] = { { .email = "c" }, { .email = "d" } };
    if (rc == 0)
        rc = check(s, blog_user_create_many(s, more, 2) == 2);
    if (rc == 0)
        rc = check(s, blog_user_update_many(s, .all = true, .set.age = prax_add(1)) == 3);
    int n = 0;
    if (rc == 0) {
        blog_user_each(u, s)
            n++;
        rc = check(s, prax_error_code(s) == 0);
        assert_true(rc < 0 || n == 3);
    }
    if (rc == 0)
        rc = check(s, prax_sql_exec(s, "UPDATE users SET age = ? WHERE name = ?", 1, "A") == 1);
    PRAX_TX(tx, s);
    if (rc == 0)
        rc = check(s, tx.code == 0 && blog_user_delete_many(s, .all = true) == 3);
    if (rc == 0)
        rc = check(s, prax_tx_commit(&tx) == 0);
    return rc;
}

static int use_all(const char *url, const prax_alloc *alloc)
{
    PRAX_DB db = NULL;
    int rc = prax_db_open(&db, .url = url, .alloc = alloc, .stmt_cache = 3);
    if (rc == 0)
        rc = blog_create_tables(db);
    if (rc < 0) {
        assert_int_equal(rc, PRAX_ENOMEM);
        assert_int_equal(prax_db_error(db)->code, PRAX_ENOMEM);
        return rc;
    }
    PRAX_SESSION s = prax_session_open(db);
    return s ? use_session(s) : PRAX_ENOMEM;
}

static void test_every_allocation_fails(void **state)
{
    size_t n = 0;
    int rc;
    (void)state;
    do {
        struct counter c = { .fail_at = ++n };
        const prax_alloc alloc = { counted, &c };
        void *place = NULL;
        assert_int_equal(db_setup_own(&place), 0);
        rc = use_all(((struct fixture *)place)->url, &alloc);
        db_teardown(&place);
        if (c.live != 0)
            fail_msg("allocation %zu failed: %lld bytes are left", n, (long long)c.live);
        if (rc == 0 && c.calls >= n)
            rc = PRAX_ENOMEM; /* a cache did without it */
    } while (rc == PRAX_ENOMEM);
    assert_int_equal(rc, 0);
    print_message("# %zu allocations failed one by one\n", n - 1);
    assert_true(n > 10);
}

static const struct CMUnitTest tests[] = {
    DB_OWN(test_warm_list),
    cmocka_unit_test(test_every_allocation_fails),
};
DB_MAIN(tests)

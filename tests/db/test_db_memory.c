/* test_db_memory.c - the allocator: a warm session asks it for nothing; and when its n-th call
 * fails, for every n, the operation fails with ENOMEM, nothing leaks and nothing is half done.
 * prax_memory_stats says of it what the allocator itself counted.
 */
#include "tests/db/db.h"
#include <malloc.h>
#include <pthread.h>

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
    /* of these on PostgreSQL two are the driver's, for the statement */
    assert_in_range(c.calls - before, 1, db_place == DB_POSTGRES ? 14 : 12);
    assert_int_equal(prax_session_reset(s), 0);
    assert_non_null(blog_user_find_many(s));               /* now its size is known */
    assert_non_null(blog_user_get(s, blog_user_by_id(7))); /* and all statements are prepared */
    assert_non_null(blog_user_find_many(s, .take = 100));
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

/* ---- prax_memory_stats ---- */

static prax_memory now(void)
{
    prax_memory m = { .size = sizeof m };
    assert_int_equal(prax_memory_stats(&m), 0);
    assert_int_equal(m.size, sizeof m);
    return m;
}

static uint64_t bytes_for(const prax_memory *m, const char *purpose, uint64_t *blocks)
{
    for (size_t i = 0; i < m->n_purposes; i++) {
        if (strcmp(m->purposes[i].purpose, purpose) == 0) {
            *blocks = m->purposes[i].blocks;
            return m->purposes[i].bytes;
        }
    }
    return *blocks = 0;
}

static void test_stats_are_what_the_allocator_gave(void **state)
{
    (void)state;
    static const char *const wanted[] = { "handle", "pool",     "driver", "statements",
                                          "plans",  "sessions", "rows" };
    struct counter c = { 0 };
    const prax_alloc alloc = { counted, &c };
    const prax_memory before = now();
    prax_db *db = NULL;
    assert_int_equal(prax_db_open(&db, .url = "sqlite::memory:", .alloc = &alloc), 0);
    assert_int_equal(blog_create_tables(db), 0);
    prax_session *s = prax_session_open(db);
    add_users(s, 3000);
    assert_non_null(blog_user_find_many(s));
    prax_cursor *each = blog_user_open(s);
    const prax_memory m = now();
    uint64_t sum = 0, blocks = 0, n;
    for (size_t i = 0; i < m.n_purposes; i++) {
        sum += m.purposes[i].bytes;
        blocks += m.purposes[i].blocks;
        assert_true(m.purposes[i].blocks > 0);
        assert_string_not_equal(m.purposes[i].purpose, "other"); /* purposes.def names them all */
    }
    assert_true(sum == m.live_bytes && blocks == m.live_blocks);
    assert_int_equal(m.live_bytes - before.live_bytes, c.live);
    assert_int_equal(m.total_blocks - before.total_blocks, c.calls);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        assert_true(bytes_for(&m, wanted[i], &n) > 0);
    assert_true(bytes_for(&m, "cursors", &n) > 0 && n == 1);
    uint64_t of_arenas = bytes_for(&m, "rows", &n);
    blocks = n;
    of_arenas += bytes_for(&m, "scratch", &n);
    assert_int_equal(m.arena_bytes, of_arenas);
    assert_int_equal(m.arena_blocks, blocks + n);
    assert_int_equal(m.sessions - before.sessions, 1);
    assert_true(m.connections > before.connections);
    assert_true(m.peak_bytes >= m.live_bytes && m.total_bytes >= m.peak_bytes);
    assert_true(m.physical_bytes > m.live_bytes && m.virtual_bytes >= m.physical_bytes);
    prax_cursor_close(each);
    prax_session_close(s);
    prax_db_close(db);
    const prax_memory after = now();
    assert_int_equal(after.live_bytes, before.live_bytes);
    assert_int_equal(after.live_blocks, before.live_blocks);
    assert_true(after.peak_bytes >= m.live_bytes); /* it does not go down */
}

static void test_stats_of_an_older_caller(void **state)
{
    (void)state;
    prax_memory m = { .size = offsetof(prax_memory, live_bytes) };
    m.live_bytes = 42;
    assert_int_equal(prax_memory_stats(&m), 0);
    assert_int_equal(m.size, offsetof(prax_memory, live_bytes));
    assert_true(m.physical_bytes > 0);
    assert_int_equal(m.live_bytes, 42);
    m.size = sizeof m + 64; /* a newer one is told what was filled */
    assert_int_equal(prax_memory_stats(&m), 0);
    assert_int_equal(m.size, sizeof m);
    m.size = 0;
    assert_int_equal(prax_memory_stats(&m), PRAX_EINVAL);
    assert_int_equal(prax_memory_stats(NULL), PRAX_EINVAL);
}

static void *churn(void *db)
{
    for (int i = 0; i < 200; i++) {
        prax_session *s = prax_session_open(db);
        prax_cursor *c = blog_user_open(s);
        assert_non_null(c);
        assert_true(prax_cursor_next(c) >= 0);
        prax_cursor_close(c);
        prax_session_close(s);
    }
    return NULL;
}

/* Blocks that one thread made are freed by another, and everybody looks meanwhile. */
static void test_stats_with_threads(void **state)
{
    (void)state;
    const prax_memory before = now();
    prax_db *db = NULL;
    assert_int_equal(prax_db_open(&db, .url = "sqlite::memory:"), 0);
    assert_int_equal(blog_create_tables(db), 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, db), 0);
    for (int i = 0; i < 100; i++) {
        const prax_memory m = now();
        assert_true(m.peak_bytes >= m.live_bytes && m.n_purposes <= PRAX_MEMORY_PURPOSES);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    prax_db_close(db);
    assert_int_equal(now().live_bytes, before.live_bytes);
    assert_int_equal(now().live_blocks, before.live_blocks);
}

static const struct CMUnitTest tests[] = {
    DB_OWN(test_warm_list),
    cmocka_unit_test(test_every_allocation_fails),
    cmocka_unit_test(test_stats_are_what_the_allocator_gave),
    cmocka_unit_test(test_stats_of_an_older_caller),
    cmocka_unit_test(test_stats_with_threads),
};
DB_MAIN(tests)

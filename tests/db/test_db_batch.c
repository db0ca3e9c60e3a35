/* test_db_batch.c - batches: the same entries give the same results on all databases, whatever
 * fails between them; what must not block does not; and what is given up early leaves a session and
 * a connection that work. */
#include "social.h"
#include "tests/db/batch.h"
#include "tests/lib/proxy.h"
#include "usdt/stats.h"
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void add_users(prax_session *s, int n)
{
    for (int i = 1; i <= n; i++) {
        char email[32];
        snprintf(email, sizeof email, "u%d@x", i);
        const blog_user *u = blog_user_create(s, .email = email, .age = prax_set(i));
        if (!u)
            fail_msg("%s", prax_error_get(s)->message);
        assert_int_equal(u->id, i);
    }
}

/* ---- verbs ---- */

static void test_reads(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_users(s, 5);
    PRAX_BATCH b = prax_batch_open(s);
    const blog_user_result *get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(3));
    const blog_user_result *by_email = blog_user_in(
        b, PRAX_GET, .key = blog_user_by_email("u2@x"),
        .fetch = &(blog_user_fetch){ .size = sizeof(blog_user_fetch), .select = { .age = 1 } });
    const blog_user_result *none = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(99));
    const blog_user_result *first =
        blog_user_in(b, PRAX_FIND_FIRST, .query = blog_user_q(.order_by = { BLOG_USER_AGE_DESC }));
    const blog_user_result *many = blog_user_in(
        b, PRAX_FIND_MANY,
        .query = blog_user_q(.where.age = prax_gt(2), .order_by = { BLOG_USER_ID_ASC }, .take = 2));
    const blog_user_result *all =
        blog_user_in(b, PRAX_FIND_MANY, .query = blog_user_q(.total = PRAX_TOTAL_ALSO));
    const blog_user_result *only =
        blog_user_in(b, PRAX_FIND_MANY, .query = blog_user_q(.take = 1, .total = PRAX_TOTAL_ONLY));
    const blog_user_result *count =
        blog_user_in(b, PRAX_COUNT, .query = blog_user_q(.where.age = prax_le(4)));
    const blog_user_result *yes =
        blog_user_in(b, PRAX_EXISTS, .query = blog_user_q(.where.age = prax_eq(4)));
    const blog_user_result *no =
        blog_user_in(b, PRAX_EXISTS, .query = blog_user_q(.where.age = prax_eq(40)));
    assert_int_equal(get->status, 1);
    assert_int_equal(no->status, 1);
    MUST(s, prax_batch_run(b));
    is_done(get, 1);
    assert_string_equal(get->rows->items[0].email, "u3@x");
    assert_true(get->rows->items[0].loaded.email);
    is_done(by_email, 1);
    assert_int_equal(by_email->rows->items[0].age.val, 2);
    assert_false(by_email->rows->items[0].loaded.email);
    is_done(none, 0);
    assert_int_equal(none->rows->count, 0);
    is_done(first, 1);
    assert_int_equal(first->rows->items[0].id, 5);
    is_done(many, 2);
    assert_int_equal(many->rows->count, 2);
    assert_int_equal(many->rows->items[1].id, 4);
    assert_int_equal(many->rows->total, -1);
    is_done(all, 5);
    assert_int_equal(all->rows->total, 5);
    is_done(only, 0);
    assert_int_equal(only->rows->total, 5);
    is_done(count, 4);
    is_done(yes, 1);
    is_done(no, 0);
}

static void test_writes(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const blog_user_new three[] = { { .email = "a" }, { .email = "b" }, { .email = "c" } };
    PRAX_BATCH b = prax_batch_open(s);
    const blog_user_result *made = blog_user_in(
        b, PRAX_CREATE, .create = &(blog_user_new){ .email = "first", .age = prax_set(1) });
    const blog_user_result *given = blog_user_in(
        b, PRAX_CREATE, .create = &(blog_user_new){ .id = prax_set(77), .email = "given" });
    const blog_user_result *more = blog_user_in(b, PRAX_CREATE_MANY, .create = three, .n = 3);
    const blog_user_result *again =
        blog_user_in(b, PRAX_CREATE_MANY, .create = three, .n = 2, .skip_duplicates = true);
    const blog_user_result *nothing = blog_user_in(b, PRAX_CREATE_MANY, .n = 0);
    const blog_user_result *update =
        blog_user_in(b, PRAX_UPDATE, .key = blog_user_by_email("first"),
                     .set = &(blog_user_set){ .age = prax_add(41) });
    const blog_user_result *get = blog_user_in(b, PRAX_GET, .key = blog_user_by_email("first"));
    const blog_user_result *missed = blog_user_in(b, PRAX_UPDATE, .key = blog_user_by_id(12345),
                                                  .set = &(blog_user_set){ .age = prax_set(1) });
    const blog_user_result *updates =
        blog_user_in(b, PRAX_UPDATE_MANY, .query = blog_user_q(.where.age = prax_null),
                     .set = &(blog_user_set){ .name = prax_set("x") });
    const blog_user_result *delete = blog_user_in(b, PRAX_DELETE, .key = blog_user_by_id(77));
    const blog_user_result *raw =
        (const void *)prax_sql_in(b, "UPDATE users SET age = ? WHERE email = ?", 7, "a");
    const blog_user_result *query = (const void *)prax_sql_in(b, "SELECT 1");
    const blog_user_result *deletes = blog_user_in(b, PRAX_DELETE_MANY, .all = true);
    MUST(s, prax_batch_run(b));
    is_done(made, 1);
    assert_string_equal(made->rows->items[0].email, "first");
    assert_true(made->rows->items[0].id > 0);
    assert_int_equal(made->rows->items[0].role, BLOG_ROLE_USER);
    is_done(given, 1);
    assert_int_equal(given->rows->items[0].id, 77);
    is_done(more, 3);
    is_done(again, 0);
    is_done(nothing, 0);
    is_done(update, 1);
    is_done(get, 1);
    assert_int_equal(get->rows->items[0].age.val, 42);
    assert_int_equal(get->rows->items[0].id, made->rows->items[0].id);
    is_done(missed, 0);
    is_done(updates, 4);
    is_done(delete, 1);
    is_done(raw, 1);
    assert_null(raw->rows);
    is_done(query, 0);
    is_done(deletes, 4);
    assert_int_equal(blog_user_count(s), 0);
}

/* ---- what fails ---- */

static void test_errors_outside(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_users(s, 2);
    PRAX_BATCH b = prax_batch_open(s);
    const blog_user_result *r[9];
    r[0] = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    r[1] = blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "u1@x" });
    r[2] = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(2));
    r[3] = (const void *)prax_sql_in(b, "SELEKT ?", 1);
    r[4] = blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "new" });
    r[5] = (const void *)prax_sql_in(b, "SELECT 1 FROM nowhere");
    r[6] = blog_user_in(b, PRAX_COUNT, .query = blog_user_q(.take = 0));
    r[7] = (const void *)prax_sql_in(b, "UPDATE users SET age = ?", 1, 2);
    r[8] = blog_user_in(b, PRAX_GET, .key = blog_user_by_email("new"));
    MUST(s, prax_batch_run(b));
    is_done(r[0], 1);
    has_failed(r[1], PRAX_EUNIQUE);
    assert_string_equal(r[1]->error->op, "blog_user_create");
    is_done(r[2], 1);
    has_failed(r[3], PRAX_ESQL);
    is_done(r[4], 1);
    assert_true(r[5]->status < 0);
    is_done(r[6], 3);
    has_failed(r[7], PRAX_EINVAL);
    is_done(r[8], 1);
    ASSERT_CODE(s, 0);
}

static void test_tx(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    {
        PRAX_TX(tx, s);
        PRAX_BATCH b = prax_batch_open(s);
        const blog_user_result *a =
            blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "a" });
        const blog_user_result *n = blog_user_in(b, PRAX_COUNT, .query = blog_user_q(.take = 0));
        MUST(s, prax_batch_run(b));
        is_done(a, 1);
        is_done(n, 1);
        n = blog_user_in(b, PRAX_COUNT, .query = blog_user_q(.take = 0)); /* once more */
        MUST(s, prax_batch_run(b));
        is_done(n, 1);
        MUST(s, prax_tx_commit(&tx));
    }
    {
        PRAX_TX(tx, s);
        const blog_user_result *lost;
        {
            PRAX_BATCH b = prax_batch_open(s);
            lost = blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "lost" });
            MUST(s, prax_batch_run(b));
        }
        is_done(lost, 1); /* the handle has outlived its batch */
    }
    assert_int_equal(blog_user_count(s), 1);
}

static void test_tx_fails(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_users(s, 1);
    PRAX_TX(tx, s);
    const blog_user_result *r[4];
    {
        PRAX_BATCH b = prax_batch_open(s);
        r[0] = blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "a" });
        r[1] = blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "u1@x" });
        r[2] = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
        r[3] = blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "b" });
        MUST(s, prax_batch_run(b));
        is_done(r[0], 1);
        has_failed(r[1], PRAX_EUNIQUE);
        has_failed(r[2], PRAX_EABORTED);
        has_failed(r[3], PRAX_EABORTED);
        assert_int_equal(r[3]->error->cause, PRAX_EUNIQUE);
        has_failed(blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1)), PRAX_EABORTED);
    }
    assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
    prax_tx_end(&tx);
    assert_int_equal(blog_user_count(s), 1);
}

/* A statement that the database refuses to prepare, and a savepoint around it. */
static void test_tx_savepoint(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    PRAX_TX(tx, s);
    PRAX_BATCH b = prax_batch_open(s);
    const blog_user_result *a =
        blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "a" });
    MUST(s, prax_batch_run(b));
    {
        PRAX_SAVEPOINT(sp, s);
        const prax_result *bad = prax_sql_in(b, "SELEKT");
        const blog_user_result *after =
            blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "b" });
        MUST(s, prax_batch_run(b));
        has_failed(bad, PRAX_ESQL);
        has_failed(after, PRAX_EABORTED);
    }
    const blog_user_result *c =
        blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "c" });
    MUST(s, prax_batch_run(b));
    is_done(a, 1);
    is_done(c, 1);
    MUST(s, prax_tx_commit(&tx));
    assert_int_equal(blog_user_count(s), 2);
}

/* On a network an entry is out, unless the server was faster. */
static void step_once(prax_batch *b)
{
    if (on_postgres())
        assert_in_range(prax_batch_step(b), 0, 1);
}

/* A guard that ends while its entries are out takes them with it. */
static void test_tx_ends_early(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    prax_tx tx = prax_tx_begin_with(s, &(prax_tx_opts){ .size = sizeof tx });
    assert_int_equal(tx.code, 0);
    PRAX_BATCH b = prax_batch_open(s);
    const blog_user_result *a =
        blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "a" });
    step_once(b);
    prax_tx_end(&tx);
    assert_true(a->status <= 0);
    assert_int_equal(blog_user_count(s), 0);
    a = blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "a" });
    MUST(s, prax_batch_run(b));
    is_done(a, 1);
}

/* ---- what is refused ---- */

static void test_refused(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_users(s, 1);
    PRAX_BATCH b = prax_batch_open(s);
    MUST(s, prax_batch_run(b)); /* nothing to do */
    assert_null(prax_batch_open(s));
    ASSERT_CODE(s, PRAX_EINVAL);
    assert_int_equal(prax_session_reset(s), PRAX_EINVAL);
    has_failed(blog_user_in(b, PRAX_EACH, .query = blog_user_q(.take = 1)), PRAX_EINVAL);
    has_failed(blog_user_in(b, (enum prax_verb)77), PRAX_EINVAL);
    has_failed(blog_user_in_with(b, &(blog_user_op){ .verb = PRAX_GET }), PRAX_EINVAL);
    has_failed(blog_user_in_with(b, NULL), PRAX_EINVAL);
    has_failed(blog_user_in(b, PRAX_GET), PRAX_EINVAL);
    has_failed(blog_user_in(b, PRAX_FIND_MANY), PRAX_EINVAL);
    has_failed(blog_user_in(b, PRAX_CREATE), PRAX_EINVAL);
    has_failed(blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ 0 }), PRAX_EINVAL);
    has_failed(blog_user_in(b, PRAX_CREATE_MANY, .n = 1), PRAX_EINVAL);
    has_failed(blog_user_in(b, PRAX_UPDATE, .key = blog_user_by_id(1)), PRAX_EINVAL);
    has_failed(blog_user_in(b, PRAX_DELETE), PRAX_EINVAL);
    has_failed(blog_user_in(b, PRAX_DELETE_MANY), PRAX_EINVAL);
    has_failed(blog_user_in(b, PRAX_DELETE_MANY, .query = blog_user_q(.take = 1)), PRAX_EINVAL);
    has_failed(
        blog_user_in(b, PRAX_FIND_MANY, .query = blog_user_q(.take = 1, .total = PRAX_TOTAL_ALSO)),
        PRAX_EINVAL);
    has_failed(prax_sql_in(b, "COMMIT"), PRAX_EINVAL);
    has_failed(prax_sql_in(b, "/* x */ begin"), PRAX_EINVAL);
    has_failed(prax_sql_in_with(b, NULL, NULL, 0), PRAX_EINVAL);
    const prax_result *several = prax_sql_in(b, "SELECT 1; SELECT 2");
    const prax_result *empty = prax_sql_in(b, "-- nothing");
    MUST(s, prax_batch_run(b));
    has_failed(several, PRAX_EINVAL);
    has_failed(empty, PRAX_EINVAL);
    const blog_user_result *r = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    assert_null(blog_user_get(s, blog_user_by_id(1)));
    ASSERT_CODE(s, PRAX_EINVAL);
    assert_non_null(strstr(prax_error_get(s)->message, "batch"));
    MUST(s, prax_batch_run(b));
    is_done(r, 1);
    assert_non_null(blog_user_get(s, blog_user_by_id(1))); /* with the batch open */
    PRAX_SESSION readonly = prax_session_open(f->db, .read_only = true);
    PRAX_BATCH no = prax_batch_open(readonly);
    has_failed(blog_user_in(no, PRAX_DELETE, .key = blog_user_by_id(1)), PRAX_EPERM);
    has_failed(blog_user_in(NULL, PRAX_GET, .key = blog_user_by_id(1)), PRAX_EINVAL);
    assert_int_equal(prax_batch_step(NULL), PRAX_EINVAL);
    prax_batch_close(NULL);
}

static void test_cursor_beside(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_users(s, 3);
    prax_cursor *c = blog_user_open(s);
    assert_non_null(c);
    assert_null(prax_batch_open(s));
    ASSERT_CODE(s, PRAX_EINVAL);
    prax_cursor_close(c);
    PRAX_BATCH b = prax_batch_open(s);
    c = blog_user_open(s);
    assert_non_null(c);
    has_failed(blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1)), PRAX_EINVAL);
    prax_cursor_close(c);
    const blog_user_result *r = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    MUST(s, prax_batch_run(b));
    is_done(r, 1);
}

/* A cursor's rows come one by one; those of the first entry behind it do not. */
static void test_cursor_before(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_users(s, 3);
    PRAX_BATCH b = prax_batch_open(s);
    /* its statement is known from now on */
    assert_non_null(blog_user_in(b, PRAX_FIND_MANY, .query = blog_user_q(.take = 9)));
    MUST(s, prax_batch_run(b));
    prax_batch_close(b);
    for (int i = 0; i < 3; i++) {
        int n = 0;
        blog_user_each(u, s)
            n += u->id > 0;
        assert_int_equal(n, 3);
        b = prax_batch_open(s);
        const blog_user_result *all =
            blog_user_in(b, PRAX_FIND_MANY, .query = blog_user_q(.take = 9));
        MUST(s, prax_batch_run(b));
        is_done(all, 3);
        prax_batch_close(b);
    }
    b = NULL;
}

static void test_session_closes_first(void **state)
{
    struct fixture *f = *state;
    prax_session *s = prax_session_open(f->db);
    PRAX_BATCH b = prax_batch_open(s);
    const blog_user_result *r = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    assert_int_equal(r->status, 1);
    prax_session_close(s);
    assert_int_equal(prax_batch_step(b), PRAX_EINVAL);
    has_failed(blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1)), PRAX_EINVAL);
    assert_int_equal(prax_batch_interest(b).fd, -1);
}

/* ---- many ---- */

static void test_thousand(void **state)
{
    enum { N = 1000 };
    struct fixture *f = *state;
    prax_session *s = f->s;
    static const blog_user_result *made[N], *got[N];
    PRAX_BATCH b = prax_batch_open(s);
    for (int i = 0; i < N; i++) {
        char email[32];
        snprintf(email, sizeof email, "%d", i % 100 == 99 ? 0 : i);
        made[i] = blog_user_in(b, PRAX_CREATE,
                               .create = &(blog_user_new){ .email = email, .age = prax_set(i) });
        got[i] = blog_user_in(b, PRAX_FIND_FIRST, .query = blog_user_q(.where.age = prax_eq(i)));
        memset(email, 'x', sizeof email);
    }
    MUST(s, prax_batch_run(b));
    for (int i = 0; i < N; i++) {
        if (i % 100 == 99)
            has_failed(made[i], PRAX_EUNIQUE);
        else
            is_done(made[i], 1);
        is_done(got[i], i % 100 != 99);
        if (i % 100 != 99)
            assert_int_equal(got[i]->rows->items[0].id, made[i]->rows->items[0].id);
    }
    assert_int_equal(blog_user_count(s), N - N / 100);
}

/* Reads that share a sync run again when one of them fails; with many statements. */
static void test_many_statements(void **state)
{
    enum { N = 200 };
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_users(s, 3);
    const blog_user_result *r[N];
    const blog_user_result *bad = NULL;
    MUST(s, prax_sql_exec(s, on_postgres() ? "ALTER TABLE users ALTER name TYPE bytea USING NULL"
                                           : "SELECT 1"));
    PRAX_BATCH b = prax_batch_open(s);
    for (int i = 0; i < N; i++) {
        blog_user_query q = { .size = sizeof q, .take = (uint32_t)(i % 3 + 1) };
        q.select = (blog_user_fields){ .id = 1, .email = i & 1, .age = i >> 1 & 1 };
        r[i] = blog_user_in(b, PRAX_FIND_MANY, .query = &q);
        if (i == N / 2)
            bad = blog_user_in(b, PRAX_FIND_MANY,
                               .query = blog_user_q(.where.name = prax_eq("\xc3\xa9")));
    }
    MUST(s, prax_batch_run(b));
    for (int i = 0; i < N; i++)
        is_done(r[i], i % 3 + 1);
    if (on_postgres())
        assert_true(bad->status < 0);
    else
        is_done(bad, 0);
}

/* More rows than one statement takes are all or nothing. */
static void test_create_many(void **state)
{
    enum { N = 6000 };
    struct fixture *f = *state;
    prax_session *s = f->s;
    static blog_user_new rows[N];
    static char emails[N][16];
    PRAX_BATCH b = prax_batch_open(s);
    for (int i = 0; i < N; i++) {
        snprintf(emails[i], sizeof emails[i], "%d", i);
        rows[i] = (blog_user_new){ .email = emails[i] };
    }
    const blog_user_result *good = blog_user_in(b, PRAX_CREATE_MANY, .create = rows, .n = N);
    MUST(s, prax_batch_run(b));
    is_done(good, N);
    for (int i = 0; i < N; i++)
        snprintf(emails[i], sizeof emails[i], "x%d", i);
    rows[N - 1].email = "1";
    const blog_user_result *one =
        blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "before" });
    const blog_user_result *twice = blog_user_in(b, PRAX_CREATE_MANY, .create = rows, .n = N);
    const blog_user_result *two =
        blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "behind" });
    MUST(s, prax_batch_run(b));
    is_done(one, 1);
    has_failed(twice, PRAX_EUNIQUE);
    is_done(two, 1);
    assert_int_equal(blog_user_count(s), N + 2);
    if (!on_postgres())
        return;
    /* the second statement's values are refused when the first one is on its way */
    MUST(s, prax_sql_exec(s, "ALTER TABLE users ALTER age TYPE smallint"));
    rows[N - 1] = (blog_user_new){ .email = "y", .age = prax_set(40000) };
    twice = blog_user_in(b, PRAX_CREATE_MANY, .create = rows, .n = N);
    one = blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "third" });
    MUST(s, prax_batch_run(b));
    has_failed(twice, PRAX_ERANGE);
    is_done(one, 1);
    assert_int_equal(blog_user_count(s), N + 3);
}

/* ---- another schema: versions, relations ---- */

static void test_social(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 1), 0);
    assert_int_equal(social_create_tables(db), 0);
    PRAX_SESSION s = prax_session_open(db);
    PRAX_BATCH b = prax_batch_open(s);
    const social_person_result *a =
        social_person_in(b, PRAX_CREATE, .create = &(social_person_new){ .name = "a" });
    const social_person_result *got =
        social_person_in(b, PRAX_GET, .key = social_person_by_name("a"));
    has_failed(social_person_in(b, PRAX_FIND_MANY, .query = social_person_q(.select.posts = 1)),
               PRAX_EINVAL);
    has_failed(
        social_person_in(b, PRAX_GET, .key = social_person_by_name("a"),
                         .fetch = &(social_person_fetch){ .size = sizeof(social_person_fetch),
                                                          .select = { .posts = 1 } }),
        PRAX_EINVAL);
    const social_item_result *item =
        social_item_in(b, PRAX_CREATE, .create = &(social_item_new){ .code = "AB-1" });
    MUST(s, prax_batch_run(b));
    is_done(a, 1);
    is_done(got, 1);
    assert_false(got->rows->items[0].loaded.posts);
    is_done(item, 1);
    const social_item *row = item->rows->items;
    const social_item_result *r[4];
    r[0] = social_item_in(
        b, PRAX_UPDATE, .key = social_item_by_id(row->id),
        .set = &(social_item_set){ .amount = prax_add(1), .if_version = prax_some(row->version) });
    r[1] = social_item_in(
        b, PRAX_UPDATE, .key = social_item_by_id(row->id),
        .set = &(social_item_set){ .amount = prax_add(1), .if_version = prax_some(row->version) });
    r[2] = social_item_in(
        b, PRAX_UPDATE, .key = social_item_by_id(row->id + 1),
        .set = &(social_item_set){ .amount = prax_add(1), .if_version = prax_some(row->version) });
    r[3] = social_item_in(b, PRAX_GET, .key = social_item_by_id(row->id));
    MUST(s, prax_batch_run(b));
    is_done(r[0], 1);
    has_failed(r[1], PRAX_ECONFLICT);
    is_done(r[2], 0);
    is_done(r[3], 1);
    assert_int_equal(r[3]->rows->items[0].version, row->version + 1);
}

/* ---- statements that the server has no longer ---- */

static void test_stale(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    if (!on_postgres())
        return;
    add_users(s, 1);
    PRAX_BATCH b = prax_batch_open(s);
    for (int i = 0; i < 3; i++) {
        const blog_user_result *r[3];
        for (int k = 0; k < 3; k++)
            r[k] = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(k + 1));
        MUST(s, prax_batch_run(b));
        is_done(r[0], 1);
        is_done(r[1], 0);
        is_done(r[2], 0);
        MUST(s, prax_sql_exec(s, i ? "DEALLOCATE ALL" : "ALTER TABLE users ALTER age TYPE bigint"));
    }
    const blog_user_result *r = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    const blog_user_result *w =
        blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = "w" });
    MUST(s, prax_batch_run(b));
    is_done(r, 1);
    is_done(w, 1);
}

/* Types that the driver has to ask for: in the pipeline, too, and in a transaction. */
static void test_asked_types(void **state)
{
    struct fixture *f = *state;
    if (!on_postgres())
        return;
    add_users(f->s, 1);
    MUST(f->s, prax_sql_script(f->s, "CREATE TYPE mood AS ENUM ('sad', 'glad');"
                                     "CREATE TYPE size AS ENUM ('small', 'large');"
                                     "ALTER TABLE users ALTER name TYPE mood USING 'glad';"
                                     "ALTER TABLE users DROP CONSTRAINT users_email_key;"
                                     "ALTER TABLE users ALTER email TYPE size USING 'small'"));
    for (int i = 0; i < 2; i++) {
        PRAX_DB db = NULL;
        assert_int_equal(prax_db_open(&db, .url = f->url), 0);
        PRAX_SESSION s = prax_session_open(db);
        prax_tx tx = { .session = NULL };
        if (i)
            tx = prax_tx_begin_with(s, &(prax_tx_opts){ .size = sizeof tx });
        PRAX_BATCH b = prax_batch_open(s);
        const blog_user_result *n = blog_user_in(b, PRAX_COUNT, .query = blog_user_q(.take = 0));
        const blog_user_result *get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
        const blog_user_result *all =
            blog_user_in(b, PRAX_FIND_MANY, .query = blog_user_q(.select = { .name = 1 }));
        MUST(s, prax_batch_run(b));
        is_done(n, 1);
        is_done(get, 1);
        assert_string_equal(get->rows->items[0].email, "small");
        assert_string_equal(get->rows->items[0].name, "glad");
        is_done(all, 1);
        assert_string_equal(all->rows->items[0].name, "glad");
        prax_tx_end(&tx);
        assert_string_equal(blog_user_get(s, blog_user_by_id(1))->name, "glad");
    }
}

/* ---- what must not wait ---- */

/* How often the thread has gone to sleep, whatever for. */
static long sleeps(void)
{
    struct rusage r;
    getrusage(RUSAGE_THREAD, &r);
    return r.ru_nvcsw;
}

struct loop {
    int steps;
    long slept; /* within steps */
};

/* An event loop: only poll waits. What the last step said. */
static int run_loop(prax_batch *b, struct loop *l, uint64_t ms)
{
    uint64_t end = now_ms() + ms;
    int rc = 1;
    *l = (struct loop){ 0, 0 };
    while (now_ms() < end) {
        long before = sleeps();
        rc = prax_batch_step(b);
        l->slept += sleeps() - before;
        l->steps++;
        if (rc != 1)
            break;
        prax_interest i = prax_batch_interest(b);
        struct pollfd fd = { .fd = i.fd, .events = i.events };
        assert_in_range(i.timeout_ms, 0, 50);
        poll(&fd, 1, i.timeout_ms);
    }
    return rc;
}

static void test_pool_is_empty(void **state)
{
    struct fixture *f = *state;
    if (!on_postgres())
        return;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 1, .acquire_ms = 300), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION one = prax_session_open(db);
    PRAX_SESSION two = prax_session_open(db);
    PRAX_BATCH b = prax_batch_open(two);
    struct loop l;
    {
        PRAX_TX(tx, one); /* holds the only connection */
        const blog_user_result *r = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
        uint64_t start = now_ms();
        assert_int_equal(run_loop(b, &l, 2000), PRAX_ETIMEOUT);
        assert_in_range(now_ms() - start, 290, 1000);
        assert_in_range(l.slept, 0, 3); /* but for a lock that somebody has */
        ASSERT_CODE(two, PRAX_ETIMEOUT);
        has_failed(r, PRAX_ETIMEOUT);
        r = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
        assert_int_equal(run_loop(b, &l, 50), 1);
        MUST(one, prax_tx_commit(&tx));
        MUST(two, run_loop(b, &l, 2000));
        is_done(r, 0);
    }
    const blog_user_result *r;
    { /* closed while it waits */
        PRAX_TX(tx, one);
        PRAX_SESSION three = prax_session_open(db);
        PRAX_BATCH waits = prax_batch_open(three);
        r = blog_user_in(waits, PRAX_GET, .key = blog_user_by_id(1));
        assert_int_equal(prax_batch_step(waits), 1);
        assert_true(prax_batch_interest(waits).fd >= 0);
        prax_batch_close(waits);
        waits = NULL;
        has_failed(r, PRAX_ECANCELED);
        MUST(one, prax_tx_commit(&tx));
    }
    assert_int_equal(blog_user_count(two), 0);
}

/* All connections that the pool may open are opened by others than the loop's thread. */
static void test_connects_apart(void **state)
{
    struct fixture *f = *state;
    if (!on_postgres())
        return;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 4), 0);
    assert_int_equal(blog_create_tables(db), 0);
    prax_session *s[4];
    prax_batch *b[4];
    const blog_user_result *r[4];
    long slept = 0;
    int busy = 4;
    for (int i = 0; i < 4; i++) {
        s[i] = prax_session_open(db);
        b[i] = prax_batch_open(s[i]);
        r[i] = (const void *)prax_sql_in(b[i], "SELECT pg_sleep(0.2)");
    }
    uint64_t start = now_ms();
    while (busy) {
        struct pollfd fds[4];
        int timeout = 50;
        busy = 0;
        for (int i = 0; i < 4; i++) {
            long before = sleeps();
            busy += prax_batch_step(b[i]) == 1;
            slept += sleeps() - before;
            prax_interest want = prax_batch_interest(b[i]);
            fds[i] = (struct pollfd){ .fd = want.fd, .events = want.events };
            timeout = want.fd >= 0 && want.timeout_ms < timeout ? want.timeout_ms : timeout;
        }
        if (busy)
            poll(fds, 4, timeout);
    }
    assert_in_range(now_ms() - start, 190, 8000);
    assert_in_range(slept, 0, 20);
    for (int i = 0; i < 4; i++) {
        is_done(r[i], 0);
        prax_batch_close(b[i]);
        prax_session_close(s[i]);
    }
}

/* More than sockets hold, in both directions at once. */
static void test_large_values(void **state)
{
    enum { N = 100, SIZE = 100000 };
    struct fixture *f = *state;
    prax_session *s = f->s;
    char *text = malloc(SIZE + 1);
    assert_non_null(text);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    const blog_post_result *made[N], *read[N];
    PRAX_BATCH b = prax_batch_open(s);
    for (int i = 0; i < N; i++) {
        text[0] = (char)('a' + i % 26);
        made[i] = blog_post_in(b, PRAX_CREATE,
                               .create = &(blog_post_new){ .title = text, .author_id = i });
        read[i] = blog_post_in(b, PRAX_FIND_MANY,
                               .query = blog_post_q(.where = { .author_id = prax_eq(i) }));
    }
    struct loop l;
    MUST(s, run_loop(b, &l, 60000));
    for (int i = 0; i < N; i++) {
        is_done(made[i], 1);
        is_done(read[i], 1);
        assert_int_equal(strlen(read[i]->rows->items[0].title), SIZE);
        assert_int_equal(read[i]->rows->items[0].title[0], 'a' + i % 26);
    }
    if (on_postgres())
        assert_in_range(l.slept, 0, 20);
    free(text);
}

/* Everything that is out, and more than a window of it. */
static void test_cancel_thousands(void **state)
{
    enum { N = 3000 };
    struct fixture *f = *state;
    prax_session *s = f->s;
    static const prax_result *r[N];
    PRAX_BATCH b = prax_batch_open(s);
    for (int i = 0; i < N; i++)
        r[i] = prax_sql_in(b, on_postgres() ? "SELECT pg_sleep(0.01)" : "SELECT 1");
    for (int i = 0; i < 5; i++)
        assert_int_equal(prax_batch_step(b), 1);
    prax_session_cancel(s);
    uint64_t start = now_ms();
    assert_int_equal(prax_batch_run(b), PRAX_ECANCELED);
    assert_in_range(now_ms() - start, 0, 5000);
    int done = 0;
    for (int i = 0; i < N; i++) {
        assert_true(r[i]->status == 0 || r[i]->status == PRAX_ECANCELED);
        done += r[i]->status == 0;
    }
    assert_in_range(done, 0, 1024);
    assert_int_equal(blog_user_count(s), 0);
}

/* A child may do nothing with it but close it. */
static void test_fork(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    int status = 0;
    PRAX_BATCH b = prax_batch_open(s);
    const blog_user_result *r = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    step_once(b);
    pid_t child = fork();
    if (child == 0) {
        bool good = prax_batch_step(b) == PRAX_EINVAL && prax_batch_run(b) == PRAX_EINVAL &&
                    blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1))->status == PRAX_EINVAL &&
                    !prax_batch_open(s);
        prax_batch_close(b);
        _exit(!good);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    MUST(s, prax_batch_run(b));
    is_done(r, 0);
}

/* ---- an end before the time ---- */

static void test_timeout(void **state)
{
    struct fixture *f = *state;
    if (!on_postgres())
        return;
    PRAX_SESSION s = prax_session_open(f->db, .timeout_ms = 100);
    int64_t pid = backend(s);
    PRAX_BATCH b = prax_batch_open(s);
    const prax_result *quick = prax_sql_in(b, "UPDATE users SET age = 1");
    const prax_result *slow = prax_sql_in(b, "SELECT pg_sleep(10)");
    const blog_user_result *get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    struct loop l;
    uint64_t start = now_ms();
    assert_int_equal(run_loop(b, &l, 3000), PRAX_ETIMEOUT);
    assert_in_range(now_ms() - start, 95, 1000);
    is_done(quick, 0);
    has_failed(slow, PRAX_ETIMEOUT);
    assert_true(get->status == 0 || get->status == PRAX_ETIMEOUT);
    assert_in_range(l.slept, 0, 5);
    get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    MUST(s, prax_batch_run(b));
    is_done(get, 0);
    assert_int_equal(backend(s), pid); /* the connection is the same */
}

static void *cancel_later(void *arg)
{
    nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    prax_session_cancel(arg);
    return NULL;
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    PRAX_BATCH b = prax_batch_open(s);
    const prax_result *r[4];
    if (!on_postgres()) {
        const blog_user_result *get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
        prax_session_cancel(s);
        assert_int_equal(prax_batch_run(b), PRAX_ECANCELED);
        has_failed(get, PRAX_ECANCELED);
        assert_int_equal(blog_user_count(s), 0);
        return;
    }
    int64_t pid = backend(s);
    for (int i = 0; i < 4; i++)
        r[i] = prax_sql_in(b, "SELECT pg_sleep(10)");
    pthread_t t;
    uint64_t start = now_ms();
    assert_int_equal(pthread_create(&t, NULL, cancel_later, s), 0);
    assert_int_equal(prax_batch_run(b), PRAX_ECANCELED);
    ASSERT_CODE(s, PRAX_ECANCELED);
    pthread_join(t, NULL);
    for (int i = 0; i < 4; i++)
        has_failed(r[i], PRAX_ECANCELED);
    assert_in_range(now_ms() - start, 100, 3000);
    assert_int_equal(backend(s), pid);
    {
        PRAX_TX(tx, s);
        r[0] = prax_sql_in(b, "SELECT 1");
        r[1] = prax_sql_in(b, "SELECT pg_sleep(10)");
        r[2] = prax_sql_in(b, "SELECT 2");
        assert_int_equal(pthread_create(&t, NULL, cancel_later, s), 0);
        assert_int_equal(prax_batch_run(b), PRAX_ECANCELED);
        pthread_join(t, NULL);
        is_done(r[0], 0);
        has_failed(r[1], PRAX_ECANCELED);
        has_failed(r[2], PRAX_EABORTED);
        assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
    }
    assert_int_equal(backend(s), pid);
}

static void test_close_early(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    for (int steps = 0; steps < 3; steps++) {
        prax_batch *b = prax_batch_open(s);
        const prax_result *slow =
            prax_sql_in(b, on_postgres() ? "SELECT pg_sleep(10)" : "UPDATE users SET age = 1");
        const blog_user_result *get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
        for (int i = 0; i < steps && on_postgres(); i++)
            assert_int_equal(prax_batch_step(b), 1);
        uint64_t start = now_ms();
        prax_batch_close(b);
        assert_in_range(now_ms() - start, 0, 5000);
        has_failed(slow, PRAX_ECANCELED);
        assert_true(get->status <= 0);
        assert_int_equal(blog_user_count(s), 0);
    }
    prax_session *other = prax_session_open(f->db);
    prax_batch *b = prax_batch_open(other);
    const prax_result *r = prax_sql_in(b, "SELECT 1");
    assert_int_equal(r->status, 1);
    assert_true(prax_batch_step(b) >= 0);
    prax_session_close(other);
    prax_batch_close(b);
}

/* ---- a server that goes away ---- */

static void test_killed(void **state)
{
    struct fixture *f = *state;
    if (!on_postgres())
        return;
    PRAX_SESSION s = prax_session_open(f->db);
    PRAX_SESSION rests = prax_session_open(f->db);
    assert_int_equal(blog_user_count(rests), 0);
    int64_t pid = backend(s);
    char sql[80];
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 5000)", (int)pid);
    PRAX_BATCH b = prax_batch_open(s);
    const prax_result *quick = prax_sql_in(b, "UPDATE users SET age = 1");
    const prax_result *slow = prax_sql_in(b, "SELECT pg_sleep(10)");
    const blog_user_result *get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    struct loop l;
    assert_int_equal(run_loop(b, &l, 200), 1);
    assert_true(pg_exec(sql));
    assert_int_equal(run_loop(b, &l, 5000), PRAX_ECONN);
    is_done(quick, 0);
    has_failed(slow, PRAX_ECONN);
    has_failed(get, PRAX_ECONN);
    assert_false(slow->error->retryable);
    get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    MUST(s, prax_batch_run(b));
    is_done(get, 0);
    /* one that rested meanwhile is asked before it works, and not waited for */
    PRAX_BATCH asks = prax_batch_open(rests);
    get = blog_user_in(asks, PRAX_GET, .key = blog_user_by_id(1));
    MUST(rests, run_loop(asks, &l, 5000));
    assert_in_range(l.slept, 0, 5);
    is_done(get, 0);
    /* in a transaction */
    PRAX_TX(tx, s);
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 5000)", (int)backend(s));
    slow = prax_sql_in(b, "SELECT pg_sleep(10)");
    assert_int_equal(run_loop(b, &l, 200), 1);
    assert_true(pg_exec(sql));
    assert_int_equal(run_loop(b, &l, 5000), PRAX_ECONN);
    has_failed(slow, PRAX_ECONN);
    assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
    prax_tx_end(&tx);
    assert_int_equal(blog_user_count(s), 0);
}

/* A network that is silent for a while: steps do not wait for it, only poll does. */
static void test_silent_network(void **state)
{
    struct fixture *f = *state;
    char server[108], dir[64], url[PG_URL + 64];
    if (!on_postgres() || !strstr(f->url, "host="))
        return; /* the proxy stands before a unix socket */
    snprintf(server, sizeof server, "%s", strstr(f->url, "host=") + 5);
    server[strcspn(server, "&")] = '\0';
    proxy_start(server, dir);
    snprintf(url, sizeof url, "postgresql://postgres@/postgres?host=%s%s", dir,
             strchr(strstr(f->url, "host="), '&'));
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = url, .pool_max = 2), 0);
    PRAX_SESSION s = prax_session_open(db);
    assert_int_equal(blog_user_count(s), 0);
    struct loop l;
    for (unsigned at = 1; at < 6; at++) {
        PRAX_BATCH b = prax_batch_open(s);
        const blog_user_result *r[50];
        proxy_set(&(struct proxy_rules){ .chunk = 100, .delay_us = 200 });
        for (int i = 0; i < 50; i++)
            r[i] = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(i));
        MUST(s, run_loop(b, &l, 20000));
        is_done(r[49], 0);
        assert_in_range(l.slept, 0, 5);
        proxy_set(&(struct proxy_rules){ .event = PROXY_HOLE, .at = at, .hole_ms = 300 });
        for (int i = 0; i < 50; i++)
            r[i] = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(i));
        int rc = run_loop(b, &l, 20000);
        assert_in_range(l.slept, 0, 5);
        assert_true(rc == 0 || rc == PRAX_ECONN);
        for (int i = 0; i < 50; i++)
            assert_true(r[i]->status == 0 || r[i]->status == PRAX_ECONN);
        proxy_set(&(struct proxy_rules){ .event = PROXY_PASS });
        int64_t n;
        for (int tries = 0; (n = blog_user_count(s)) < 0 && tries < 10;)
            tries++;
        assert_int_equal(n, 0);
    }
    prax_session_close(s);
    prax_db_close(db);
    s = NULL;
    db = NULL;
    proxy_stop();
}

/* ---- memory ---- */

struct counter {
    size_t calls, fail_at; /* atomic: connections are opened by threads of their own */
    int64_t live;
};

static void *counted(void *ctx, void *p, size_t old_size, size_t size)
{
    struct counter *c = ctx;
    if (size == 0) {
        __atomic_sub_fetch(&c->live, (int64_t)(p ? old_size : 0), __ATOMIC_RELAXED);
        free(p);
        return NULL;
    }
    if (__atomic_add_fetch(&c->calls, 1, __ATOMIC_RELAXED) == c->fail_at)
        return NULL;
    void *q = realloc(p, size);
    if (q)
        __atomic_add_fetch(&c->live, (int64_t)size - (int64_t)(p ? old_size : 0), __ATOMIC_RELAXED);
    return q;
}

static int memory_or(const void *handle, int64_t count)
{
    const prax_result *r = handle;
    if (r->status == PRAX_ENOMEM) {
        assert_int_equal(r->error->code, PRAX_ENOMEM);
        return PRAX_ENOMEM;
    }
    is_done(r, count);
    return 0;
}

/* Gets that are sent as one, again and again: as use_batch. */
static int use_gets(prax_session *s, prax_batch *b)
{
    const blog_user_result *r[6];
    int rc = 0;
    for (int round = 0; round < 3 && rc == 0; round++) {
        for (int i = 0; i < 6; i++)
            r[i] = blog_user_in(b, PRAX_GET, .key = blog_user_by_email(i % 2 ? "c" : "none"));
        rc = prax_batch_run(b);
        ASSERT_CODE(s, rc);
        for (int i = 0; i < 6 && rc == 0; i++)
            rc = memory_or(r[i], i % 2);
    }
    return rc;
}

/* The first error, which must be ENOMEM. */
static int use_batch(prax_session *s)
{
    const blog_user_new two[] = { { .email = "c" }, { .email = "d" } };
    PRAX_BATCH b = prax_batch_open(s);
    if (!b) {
        ASSERT_CODE(s, PRAX_ENOMEM);
        return PRAX_ENOMEM;
    }
    const blog_user_result *many = blog_user_in(b, PRAX_CREATE_MANY, .create = two, .n = 2);
    int rc = many->status < 0 ? many->status : prax_batch_run(b);
    if (rc == 0)
        rc = memory_or(many, 2);
    if (rc == 0)
        rc = use_gets(s, b);
    for (int i = 0; i < 10 && rc == 0; i++) {
        blog_user_query q = { .size = sizeof q, .take = 1, .skip = (uint32_t)i % 2 };
        q.select.email = i > 4;
        const blog_user_result *first = blog_user_in(b, PRAX_FIND_MANY, .query = &q);
        const blog_user_result *get = blog_user_in(b, PRAX_GET, .key = blog_user_by_email("c"));
        if (first->status == PRAX_ENOMEM || get->status == PRAX_ENOMEM)
            return PRAX_ENOMEM;
        rc = prax_batch_run(b);
        if (rc == 0 && (rc = memory_or(first, 1)) == 0)
            rc = memory_or(get, 1);
    }
    return rc;
}

static int use_all(const char *url, const prax_alloc *alloc)
{
    PRAX_DB db = NULL;
    int rc = prax_db_open(&db, .url = url, .alloc = alloc, .stmt_cache = 3);
    if (rc == 0)
        rc = blog_create_tables(db);
    if (rc < 0)
        return rc;
    PRAX_SESSION s = prax_session_open(db);
    return s ? use_batch(s) : PRAX_ENOMEM;
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
        assert_true(rc == 0 || rc == PRAX_ENOMEM);
        if (rc == 0 && c.calls >= n)
            rc = PRAX_ENOMEM; /* something did without it */
    } while (rc == PRAX_ENOMEM);
    assert_true(n > 10);
}

/* What a batch returns belongs to the session when it is closed: a mark frees it. */
static void test_marks(void **state)
{
    struct fixture *f = *state;
    struct counter c = { 0 };
    const prax_alloc alloc = { counted, &c };
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .alloc = &alloc), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION s = prax_session_open(db, .arena_max = 1 << 20);
    int64_t live = 0;
    for (int i = 0; i < 20; i++) {
        PRAX_SCOPE(s);
        PRAX_BATCH b = prax_batch_open(s);
        const blog_user_result *r[20];
        for (int k = 0; k < 20; k++) {
            PRAX_SCOPE(s); /* takes nothing from a batch that is open */
            assert_non_null(prax_keep(s, "mine", 5));
            r[k] = blog_user_in(b, PRAX_COUNT, .query = blog_user_q(.where.email = prax_eq("x")));
        }
        MUST(s, prax_batch_run(b));
        for (int k = 0; k < 20; k++)
            is_done(r[k], 0);
        live = i == 1 ? c.live : live;
        assert_true(i < 2 || c.live == live);
    }
    PRAX_BATCH b = prax_batch_open(s);
    const blog_user_result *r;
    do { /* the session's limit holds for both together */
        r = blog_user_in(b, PRAX_COUNT, .query = blog_user_q(.take = 0));
    } while (r->status == 1);
    has_failed(r, PRAX_ELIMIT);
}

/* ---- observers ---- */

struct logged {
    int n, code;
    enum prax_verb verb;
    char sql[100];
};

static void log_last(void *ctx, const prax_event *ev)
{
    struct logged *l = ctx;
    l->n++;
    l->code = ev->code;
    l->verb = ev->verb;
    snprintf(l->sql, sizeof l->sql, "%s", ev->sql ? ev->sql : "");
}

static void test_observed(void **state)
{
    struct fixture *f = *state;
    struct logged log = { 0 };
    PRAX_DB db = NULL;
    assert_int_equal(
        prax_db_open(&db, .url = f->url, .log = log_last, .log_ctx = &log, .slow_ms = 80), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION s = prax_session_open(db);
    const struct prax_stats *st = pxi_stats_here();
    uint64_t creates = st->operations[PRAX_USDT_INSERT];
    uint64_t errors = st->errors[-PRAX_EUNIQUE];
    PRAX_BATCH b = prax_batch_open(s);
    const blog_user_result *r[3];
    for (int i = 0; i < 3; i++)
        r[i] = blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = i ? "a" : "b" });
    log.n = 0;
    MUST(s, prax_batch_run(b));
    has_failed(r[2], PRAX_EUNIQUE);
    assert_string_equal(r[2]->error->table, "users");
    assert_non_null(r[2]->error->sql);
    assert_int_equal(log.code, PRAX_EUNIQUE);
    assert_int_equal(log.verb, PRAX_CREATE);
    assert_memory_equal(log.sql, "INSERT", 6);
    assert_int_equal(st->operations[PRAX_USDT_INSERT] - creates, 3);
    assert_int_equal(st->errors[-PRAX_EUNIQUE] - errors, 1);
    if (!on_postgres())
        return;
    const prax_result *slow = prax_sql_in(b, "SELECT pg_sleep(0.1)");
    MUST(s, prax_batch_run(b));
    is_done(slow, 0);
    assert_int_equal(log.code, 0);
    assert_int_equal(log.verb, PRAX_RAW_EXEC);
}

static const struct CMUnitTest tests[] = {
    DB_TEST(test_reads),
    DB_TEST(test_writes),
    DB_TEST(test_errors_outside),
    DB_TEST(test_tx),
    DB_TEST(test_tx_fails),
    DB_TEST(test_tx_savepoint),
    DB_TEST(test_tx_ends_early),
    DB_TEST(test_refused),
    DB_TEST(test_cursor_beside),
    DB_TEST(test_cursor_before),
    DB_TEST(test_session_closes_first),
    DB_TEST(test_thousand),
    DB_TEST(test_many_statements),
    DB_TEST(test_create_many),
    DB_OWN(test_social),
    DB_TEST(test_stale),
    DB_TEST(test_asked_types),
    DB_OWN(test_pool_is_empty),
    DB_OWN(test_connects_apart),
    DB_TEST(test_large_values),
    DB_TEST(test_cancel_thousands),
    DB_TEST(test_fork),
    DB_TEST(test_timeout),
    DB_TEST(test_cancel),
    DB_TEST(test_close_early),
    DB_TEST(test_killed),
    DB_TEST(test_silent_network),
    DB_OWN(test_every_allocation_fails),
    DB_OWN(test_marks),
    DB_OWN(test_observed),
};
DB_MAIN(tests)

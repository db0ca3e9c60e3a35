/* test_db_batch.c - batches: the same entries give the same results on all databases, whatever
 * fails between them. (What must not block: test_db_batch_wait.c.) */
#include "social.h"
#include "tests/db/batch.h"

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
};
DB_MAIN(tests)

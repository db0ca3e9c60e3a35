/* test_db_batch.c - batches: the same entries give the same results on all databases, whatever
 * fails between them; what must not block does not; and what is given up early leaves a session and
 * a connection that work. */
#include "tests/db/db.h"
#include <poll.h>
#include <time.h>

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

/* A handle as it should be. */
static void is_done(const void *handle, int64_t count)
{
    const prax_result *r = handle;
    if (r->status != 0)
        fail_msg("status %d: %s", r->status, r->error ? r->error->message : "no error");
    assert_null(r->error);
    assert_int_equal(r->count, count);
}

static void has_failed(const void *handle, int code)
{
    const prax_result *r = handle;
    if (r->status != code)
        fail_msg("status %d in place of %d: %s", r->status, code,
                 r->error ? r->error->message : "no error");
    assert_non_null(r->error);
    assert_int_equal(r->error->code, code);
    assert_true(*r->error->message);
    assert_null(r->rows);
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

static const struct CMUnitTest tests[] = {
    DB_TEST(test_reads),
    DB_TEST(test_writes),
    DB_TEST(test_errors_outside),
};
DB_MAIN(tests)

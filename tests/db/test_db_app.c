/* test_db_app.c - a program as users write it: the rules of the API, one function each. */
#include "tests/db/db.h"

static void add_people(prax_session *s)
{
    const blog_user *ada = blog_user_create(s, .email = "ada@example.org", .name = "Ada",
                                            .age = prax_set(36), .role = prax_set(BLOG_ROLE_ADMIN));
    assert_non_null(ada);
    assert_int_equal(ada->id, 1);
    assert_string_equal(ada->email, "ada@example.org");
    assert_true(ada->age.set);
    assert_int_equal(ada->age.val, 36);
    assert_true(ada->created_at.us > 0);
    assert_true(ada->loaded.created_at);
    const blog_user_new crowd[] = {
        { .email = "bob@example.org", .name = "Bob" },
        { .email = "cho@example.org", .role = prax_set(BLOG_ROLE_USER) },
        { .email = "ada@example.org" },
    };
    assert_int_equal(blog_user_create_many(s, crowd, 3, .skip_duplicates = true), 2);
    assert_null(blog_user_create(s, .email = "ada@example.org"));
    const prax_error *e = prax_error_get(s);
    assert_int_equal(e->code, PRAX_EUNIQUE);
    assert_string_equal(e->column, "email");
    assert_string_equal(e->table, "users");
    assert_string_equal(e->op, "blog_user_create");
    assert_string_equal(e->sqlstate, "23505");
    assert_null(strstr(e->message, "ada@"));
}

static void test_create_and_get(void **state)
{
    struct fixture *f = *state;
    add_people(f->s);
    const blog_user *u = blog_user_get(f->s, blog_user_by_email("bob@example.org"));
    assert_non_null(u);
    assert_string_equal(u->name, "Bob");
    assert_false(u->age.set);
    assert_int_equal(u->role, BLOG_ROLE_USER); /* the default */
    const blog_user *same = blog_user_get(f->s, blog_user_by_public_id(u->public_id));
    assert_non_null(same);
    assert_int_equal(same->id, u->id);
    assert_null(blog_user_get(f->s, blog_user_by_id(0)));
    ASSERT_CODE(f->s, PRAX_ENOTFOUND);
    u = blog_user_get(f->s, blog_user_by_id(1), .select = { .id = 1, .name = 1 });
    assert_non_null(u);
    assert_true(u->loaded.name && !u->loaded.email);
    assert_null(u->email);
    blog_membership_new m = { .user_id = 1, .team = "core", .role = BLOG_ROLE_USER };
    assert_non_null(blog_membership_create_with(f->s, &m));
    assert_non_null(blog_membership_get(f->s, blog_membership_by_user_id_team(1, "core")));
    assert_null(blog_membership_get(f->s, blog_membership_by_user_id_team(1, "x")));
}

static void test_find(void **state)
{
    struct fixture *f = *state;
    add_people(f->s);
    PRAX_SCOPE(f->s);
    const blog_user_list *us = blog_user_find_many(
        f->s,
        .where = { .email = prax_ends("@example.org"),
                   .any_of = PRAX_LIST(blog_user_where, { .role = prax_eq(BLOG_ROLE_ADMIN) },
                                       { .name = prax_not_null }) },
        .order_by = { BLOG_USER_EMAIL_DESC }, .take = 1, .total = PRAX_TOTAL_ALSO);
    assert_non_null(us);
    assert_int_equal(us->count, 1);
    assert_int_equal(us->total, 2);
    assert_string_equal(us->items[0].email, "bob@example.org");
    us = blog_user_find_many(f->s, .skip = 2);
    assert_non_null(us);
    assert_int_equal(us->count, 1);
    assert_int_equal(us->total, -1);
    us = blog_user_find_many(f->s, .where.age = prax_lt(0), .total = PRAX_TOTAL_ONLY);
    assert_non_null(us);
    assert_int_equal(us->total, 0);
    assert_int_equal(blog_user_count(f->s), 3);
    assert_int_equal(blog_user_count(f->s, .take = 2), 2);
    assert_int_equal(blog_user_count(f->s, .skip = 2), 1);
    assert_int_equal(blog_user_exists(f->s, .where.age = prax_eq(36)), 1);
    assert_int_equal(blog_user_exists(f->s, .where.age = prax_eq(37)), 0);
    const blog_user *u = blog_user_find_first(f->s, .order_by = { BLOG_USER_ID_DESC });
    assert_non_null(u);
    assert_int_equal(u->id, 3);
}

/* Ascending puts NULL last, descending first, unless asked otherwise. */
static void test_order_of_nulls(void **state)
{
    struct fixture *f = *state;
    add_people(f->s); /* names: Ada, Bob, NULL */
    static const struct {
        enum blog_user_order order;
        int64_t first;
    } cases[] = { { BLOG_USER_NAME_ASC, 1 },
                  { BLOG_USER_NAME_DESC, 3 },
                  { BLOG_USER_NAME_ASC_NULLS_FIRST, 3 },
                  { BLOG_USER_NAME_DESC_NULLS_LAST, 2 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const blog_user *u = blog_user_find_first(f->s, .order_by = { cases[i].order });
        assert_non_null(u);
        assert_int_equal(u->id, cases[i].first);
    }
}

/* A filter that outlives its block. */
static const blog_user_where *visible_to(prax_session *s, const char *team)
{
    char pattern[64];
    snprintf(pattern, sizeof pattern, "@%s.org", team);
    return blog_user_where_keep(
        s, &(blog_user_where){ .email = prax_ends(pattern),
                               .any_of =
                                   PRAX_LIST(blog_user_where, { .id = prax_in(int64_t, 1, 2, 3) },
                                             { .email = prax_in(const char *, pattern) }) });
}

static void test_run_time_filter(void **state)
{
    struct fixture *f = *state;
    add_people(f->s);
    PRAX_SCOPE(f->s);
    const blog_user_where *base = visible_to(f->s, "example");
    assert_non_null(base);
    blog_user_where w = *base;
    {
        int64_t ids[2] = { 1, 2 };
        PRAX_LET(f->s, w.id, prax_in_array(ids, 2));
        ids[0] = ids[1] = 99;
    }
    PRAX_LET(f->s, w.name, prax_icontains("b"));
    assert_int_equal(blog_user_count(f->s, .where = w), 1);
    int64_t sum = 0;
    blog_user_each(u, f->s, .where = *base, .select = { .id = 1 }) {
        if (u->id > 2)
            break;
        sum += u->id;
    }
    ASSERT_CODE(f->s, 0);
    assert_int_equal(sum, 3);
}

static void test_update_and_delete(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_people(s);
    assert_int_equal(
        blog_user_update(s, blog_user_by_id(1), .age = prax_add(4), .name = prax_set("Countess")),
        1);
    assert_int_equal(blog_user_update(s, blog_user_by_id(77), .age = prax_add(4)), 0);
    const blog_user *u = blog_user_get(s, blog_user_by_id(1));
    assert_non_null(u);
    assert_int_equal(u->age.val, 40);
    assert_string_equal(u->name, "Countess");
    assert_int_equal(blog_user_update(s, blog_user_by_id(2), .age = prax_add(4)), 1);
    u = blog_user_get(s, blog_user_by_id(2));
    assert_non_null(u);
    assert_false(u->age.set); /* NULL + 4 */
    assert_int_equal(blog_user_update(s, blog_user_by_id(1)), PRAX_EINVAL);
    assert_int_equal(blog_user_update_many(s, .where.age = prax_null, .set.age = prax_set(1)), 2);
    assert_int_equal(blog_user_update_many(s, .set.age = prax_set(1)), PRAX_EINVAL);
    assert_int_equal(
        blog_user_update_many(s, .all = true, .where.age = prax_eq(1), .set.age = prax_set(1)),
        PRAX_EINVAL);
    assert_int_equal(blog_user_update_many(s, .all = true, .set.age = prax_set_null), 3);
    assert_int_equal(blog_user_delete(s, blog_user_by_id(1)), 1);
    assert_int_equal(blog_user_delete(s, blog_user_by_id(1)), 0);
    assert_int_equal(blog_user_delete_many(s), PRAX_EINVAL);
    const blog_user_where nothing[1] = { 0 };
    assert_int_equal(blog_user_delete_many(s, .where.any_of = { nothing, 1 }), PRAX_EINVAL);
    assert_int_equal(blog_user_delete_many(s, .all = true), 2);
}

static int transfer(prax_session *s, void *arg)
{
    const int64_t *ids = arg;
    int64_t n = blog_post_update_many(s, .where.author_id = prax_eq(ids[0]),
                                      .set.author_id = prax_set(ids[1]));
    return n < 0 ? (int)n : blog_user_delete(s, blog_user_by_id(ids[0]));
}

static void test_transactions(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_people(s);
    assert_non_null(blog_post_create(s, .title = "On engines", .author_id = 1,
                                     .price = prax_set(prax_decimal_of(1999, 2)),
                                     .meta = prax_json_of("{\"lang\":\"en\"}")));
    int64_t ids[] = { 1, 2 };
    assert_int_equal(prax_tx_run(s, transfer, ids, .retries = 3), 1);
    const blog_post *p = blog_post_get(s, blog_post_by_id(1));
    assert_non_null(p);
    assert_int_equal(p->author_id, 2);
    assert_int_equal(p->price.val.units, 1999);
    assert_int_equal(p->price.val.scale, 2);
    {
        PRAX_TX(tx, s);
        assert_int_equal(blog_user_delete(s, blog_user_by_id(2)), 1);
    }
    assert_int_equal(blog_user_count(s), 2); /* rolled back */
}

static void test_raw(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_people(s);
    int64_t n = 0;
    prax_sql_each(row, s, "SELECT id, email FROM users WHERE age > ? AND name LIKE ?", 18, "A%") {
        assert_int_equal(prax_col_i64(row, 0), 1);
        assert_string_equal(prax_col_text(row, prax_col(row, "email")), "ada@example.org");
        n++;
    }
    ASSERT_CODE(s, 0);
    assert_int_equal(n, 1);
    assert_int_equal(prax_sql_exec(s, "UPDATE users SET age = age + 1 WHERE age IS NOT NULL"), 1);
    assert_int_equal(
        prax_sql_exec(s, on_postgres() ? "CREATE TABLE audit (at timestamptz, who text, note text)"
                                       : "CREATE TABLE audit (at INTEGER, who TEXT, note TEXT)"),
        0);
    assert_int_equal(prax_sql_exec(s, "INSERT INTO audit VALUES (?, ?, ?)", prax_time_now(),
                                   prax_null_v, "promoted"),
                     1);
    assert_int_equal(prax_session_reset(s), 0);
}

static const struct CMUnitTest tests[] = {
    DB_TEST(test_create_and_get),
    DB_TEST(test_find),
    DB_TEST(test_order_of_nulls),
    DB_TEST(test_run_time_filter),
    DB_TEST(test_update_and_delete),
    DB_TEST(test_transactions),
    DB_TEST(test_raw),
};
DB_MAIN(tests)

/* test_pg_enums.c - enums, domains and citext of the server under a schema that knows text and
 * numbers: all operations work as on the columns that `prax generate` makes. */
#include "lists.h"
#include "tests/db/db.h"

enum { MANY = 6000 }; /* by COPY */

/* The tables of blog.prax as another tool might have made them. */
static const char native[] =
    "CREATE TYPE role AS ENUM ('ADMIN', 'USER');"
    "CREATE DOMAIN address AS text CHECK (value LIKE '%@%');"
    "CREATE DOMAIN public_key AS uuid; CREATE DOMAIN counted AS int CHECK (value >= 0);"
    "CREATE DOMAIN stars AS double precision; CREATE DOMAIN money2 AS numeric(10,2);"
    "CREATE DOMAIN image AS bytea; CREATE DOMAIN document AS jsonb;"
    "CREATE DOMAIN moment AS timestamptz; CREATE DOMAIN team AS varchar(20);"
    "CREATE DOMAIN day AS date; CREATE DOMAIN yes AS boolean; CREATE DOMAIN key AS int;"
    "CREATE DOMAIN owner_role AS role;"
    "CREATE EXTENSION citext;"
    "DO $$ DECLARE c record; BEGIN"
    " FOR c IN SELECT conrelid::regclass AS t, conname FROM pg_constraint WHERE contype = 'c'"
    "  AND connamespace = current_schema::regnamespace AND conrelid <> 0 LOOP"
    " EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname); END LOOP; END $$;"
    "ALTER TABLE users ALTER role DROP DEFAULT, ALTER role TYPE role USING role::role,"
    " ALTER email TYPE address, ALTER public_id TYPE public_key, ALTER age TYPE counted,"
    " ALTER name TYPE citext, ALTER created_at TYPE moment;"
    "ALTER TABLE posts ALTER views TYPE counted, ALTER rating TYPE stars, ALTER price TYPE money2,"
    " ALTER cover TYPE image, ALTER meta TYPE document, ALTER published TYPE yes,"
    " ALTER published_at TYPE moment, ALTER author_id TYPE key;"
    "ALTER TABLE memberships ALTER role TYPE owner_role USING role::role,"
    " ALTER team TYPE team, ALTER since TYPE day";

static int setup(void **state)
{
    db_place = DB_POSTGRES;
    db_setup(state);
    struct fixture *f = *state;
    MUST(f->s, prax_sql_script(f->s, native));
    return 0;
}

static int64_t add_user(prax_session *s, const char *email, blog_role role)
{
    const blog_user *u = blog_user_create(s, .email = email, .role = prax_set(role), .name = "Ada",
                                          .age = prax_set(36));
    if (!u)
        fail_msg("%s", prax_error_get(s)->message);
    return u->id;
}

static void test_one(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    int64_t id = add_user(s, "a@b", BLOG_ROLE_ADMIN);
    const blog_user *u = blog_user_get(s, blog_user_by_email("a@b"));
    assert_non_null(u);
    assert_int_equal(u->role, BLOG_ROLE_ADMIN);
    assert_string_equal(u->name, "Ada");
    assert_non_null(blog_user_get(s, blog_user_by_public_id(u->public_id)));
    MUST(s, blog_user_update(s, blog_user_by_id(id), .role = prax_set(BLOG_ROLE_USER),
                             .age = prax_add(1)));
    u = blog_user_get(s, blog_user_by_id(id));
    assert_int_equal(u->role, BLOG_ROLE_USER);
    assert_int_equal(u->age.val, 37);
    assert_null(blog_user_create(s, .email = "no address"));
    ASSERT_CODE(s, PRAX_ECHECK);
    MUST(s, blog_user_delete(s, blog_user_by_id(id)));
}

static void test_filters(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    static const blog_role both[] = { BLOG_ROLE_ADMIN, BLOG_ROLE_USER };
    add_user(s, "a@b", BLOG_ROLE_ADMIN);
    add_user(s, "b@b", BLOG_ROLE_USER);
    assert_int_equal(blog_user_count(s, .where.role = prax_eq(BLOG_ROLE_USER)), 1);
    assert_int_equal(blog_user_count(s, .where.role = prax_ne(BLOG_ROLE_USER)), 1);
    assert_int_equal(blog_user_count(s, .where.role = prax_in_array(both, 2)), 2);
    assert_int_equal(blog_user_count(s, .where.role = prax_not_in(blog_role, BLOG_ROLE_ADMIN)), 1);
    assert_int_equal(blog_user_count(s, .where.role = prax_in(blog_role, BLOG_ROLE_ADMIN)), 1);
    assert_int_equal(blog_user_count(s, .where.name = prax_eq("ada")), 2); /* citext */
    assert_int_equal(blog_user_count(s, .where.email = prax_in(const char *, "a@b", "c@b")), 1);
    assert_int_equal(blog_user_count(s, .where.email = prax_starts("a")), 1);
    assert_int_equal(blog_user_count(s, .where.email = prax_icontains("B@")), 1);
    assert_int_equal(blog_user_count(s, .where.age = prax_between(1, 50)), 2);
    assert_int_equal(blog_user_count(s, .where.age = prax_in(int64_t, 36, 37)), 2);
    const blog_user_list *l = blog_user_find_many(s, .order_by = { BLOG_USER_EMAIL_ASC });
    if (!l)
        fail_msg("%s", prax_error_get(s)->message);
    assert_int_equal(l->items[0].role, BLOG_ROLE_ADMIN);
    blog_user_each(u, s, .where.role = prax_in_array(both, 2)) {
        assert_true(u->role == BLOG_ROLE_ADMIN || u->role == BLOG_ROLE_USER);
    }
    ASSERT_CODE(s, 0);
}

static void test_many(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    static char emails[MANY][16];
    static blog_user_new us[MANY];
    static const char *const admin[] = { "ADMIN" };
    prax_list_text admins = { .items = (const char **)admin, .count = 1 };
    for (int i = 0; i < MANY; i++) {
        snprintf(emails[i], sizeof emails[i], "%d@x", i);
        us[i] = (blog_user_new){ .email = emails[i],
                                 .role = prax_set(i % 2 ? BLOG_ROLE_USER : BLOG_ROLE_ADMIN),
                                 .name = i % 3 ? "n" : NULL };
    }
    for (int n = 100; n <= MANY; n = n < MANY ? MANY : n + 1) { /* by arrays, by COPY */
        MUST(s, blog_user_create_many(s, us, (size_t)n));
        assert_int_equal(blog_user_count(s, .where.role = prax_eq(BLOG_ROLE_USER)), n / 2);
        assert_int_equal(prax_sql_exec(s,
                                       "DELETE FROM users WHERE role = ANY (?) AND name IS NULL"
                                       " AND role = ?",
                                       admins, "ADMIN"),
                         (n + 5) / 6);
        MUST(s, blog_user_delete_many(s, .all = true));
    }
    add_user(s, "a@b", BLOG_ROLE_USER);
    const blog_membership_new m[] = { { .user_id = 1, .team = "x", .role = BLOG_ROLE_USER },
                                      { .user_id = 2, .team = "y", .role = BLOG_ROLE_ADMIN } };
    MUST(s, blog_membership_create_many(s, m, 2));
    const blog_membership *got = blog_membership_get(s, blog_membership_by_user_id_team(2, "y"));
    assert_non_null(got);
    assert_int_equal(got->role, BLOG_ROLE_ADMIN);
}

static void test_domains(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const blog_post_new posts[] = {
        { .title = "a",
          .author_id = 1,
          .rating = prax_set(2.5),
          .price = prax_set(prax_decimal_of(1250, 2)),
          .cover = prax_bytes_of("\0x", 2),
          .meta = prax_json_of("{\"a\": 1}"),
          .published = prax_set(true),
          .published_at = prax_set(((prax_time){ .us = 5 })) },
        { .title = "b", .author_id = 1 },
    };
    if (!blog_post_create_with(s, &posts[0]))
        fail_msg("%s", prax_error_get(s)->message);
    MUST(s, blog_post_create_many(s, posts, 2));
    const blog_post_list *l = blog_post_find_many(s, .where.author_id = prax_in(int64_t, 1, 2),
                                                  .where.title = prax_eq("a"));
    if (!l)
        fail_msg("%s", prax_error_get(s)->message);
    assert_int_equal(l->count, 2);
    for (size_t i = 0; i < l->count; i++) {
        const blog_post *p = &l->items[i];
        assert_true(p->rating.val == 2.5 && p->published);
        assert_int_equal(p->price.val.units, 1250);
        assert_int_equal(p->cover.size, 2);
        assert_string_equal(p->meta.text, "{\"a\": 1}");
        assert_int_equal(p->published_at.val.us, 5);
    }
    assert_int_equal(blog_post_count(s, .where.price = prax_eq(prax_decimal_of(1250, 2))), 2);
    assert_int_equal(blog_post_count(s, .where.meta = prax_path_eq("$.a", "1")), 2);
}

static void test_batch(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    int64_t id = add_user(s, "a@b", BLOG_ROLE_ADMIN);
    PRAX_SESSION other = prax_session_open(f->db); /* its connection knows no type yet */
    PRAX_BATCH b = prax_batch_open(other);
    const blog_user_result *got = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(id));
    const blog_user_result *list = blog_user_in(
        b, PRAX_FIND_MANY, .query = blog_user_q(.where.role = prax_in(blog_role, BLOG_ROLE_ADMIN)));
    const blog_user_result *made = blog_user_in(
        b, PRAX_CREATE,
        .create = &(blog_user_new){ .email = "c@d", .role = prax_set(BLOG_ROLE_USER) });
    MUST(other, prax_batch_run(b));
    assert_int_equal(got->rows->items[0].role, BLOG_ROLE_ADMIN);
    assert_int_equal(list->rows->count, 1);
    assert_int_equal(made->rows->items[0].role, BLOG_ROLE_USER);
}

static void test_lists(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    MUST(s, lists_create_tables(f->db));
    MUST(s, prax_sql_script(
                s, "CREATE TYPE day_name AS ENUM ('MON', 'tuesday', 'WED');"
                   "DO $$ DECLARE c record; BEGIN"
                   " FOR c IN SELECT conname FROM pg_constraint WHERE contype = 'c'"
                   "  AND conrelid = 'list_rows'::regclass LOOP"
                   " EXECUTE format('ALTER TABLE list_rows DROP CONSTRAINT %I', c.conname);"
                   " END LOOP; END $$;"
                   "ALTER TABLE list_rows ALTER days DROP DEFAULT,"
                   " ALTER days TYPE day_name[] USING days::day_name[]"));
    const lists_row *made =
        lists_row_create(s, .days = prax_set_list(lists_day, LISTS_DAY_TUE, LISTS_DAY_MON));
    if (!made)
        fail_msg("%s", prax_error_get(s)->message);
    const lists_row *r = lists_row_get(s, lists_row_by_id(made->id));
    if (!r)
        fail_msg("%s", prax_error_get(s)->message);
    assert_int_equal(r->days.count, 2);
    assert_int_equal(r->days.items[0], LISTS_DAY_TUE);
    assert_int_equal(r->days.items[1], LISTS_DAY_MON);
    assert_int_equal(lists_row_count(s, .where.days = prax_has(LISTS_DAY_MON)), 1);
    assert_int_equal(lists_row_count(s, .where.days = prax_has(LISTS_DAY_WED)), 0);
    MUST(s, lists_row_update(s, lists_row_by_id(made->id),
                             .days = prax_set_list(lists_day, LISTS_DAY_WED)));
    assert_int_equal(lists_row_count(s, .where.days = prax_has(LISTS_DAY_WED)), 1);
    prax_sql_each(row, s, "SELECT days, numbers FROM list_rows") {
        assert_string_equal(prax_col_text(row, 0), "{WED}");
        assert_null(prax_col_text(row, 1));
    }
    ASSERT_CODE(s, 0);
}

/* A label that the schema does not have. */
static void test_unknown_label(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_user(s, "a@b", BLOG_ROLE_ADMIN);
    MUST(s, prax_sql_script(s, "ALTER TYPE role ADD VALUE 'ROOT'"));
    MUST(s, prax_sql_exec(s, "UPDATE users SET role = ?", "ROOT"));
    assert_null(blog_user_find_many(s));
    ASSERT_CODE(s, PRAX_ETYPE);
    assert_non_null(strstr(prax_error_get(s)->message, "users.role"));
    assert_int_equal(prax_sql_exec(s, "UPDATE users SET role = ?", "NONE"), PRAX_ETYPE);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, db_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_one),   TEST(test_filters), TEST(test_many),          TEST(test_domains),
        TEST(test_batch), TEST(test_lists),   TEST(test_unknown_label),
    };
    if (pg_missing()) {
        db_skip(tests, sizeof tests / sizeof *tests, pg_missing());
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_db_raw.c - raw SQL beyond one statement and its columns: scripts, rows in a model's struct,
 * lists; and locks of queries.
 */
#include "tests/db/db.h"

static void says(const prax_session *s, int code, const char *text)
{
    ASSERT_CODE(s, code);
    if (!strstr(prax_error_get(s)->message, text))
        fail_msg("\"%s\" does not say \"%s\"", prax_error_get(s)->message, text);
}

/* ---- scripts ---- */

static void test_script(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_int_equal(prax_sql_script(s, "-- two rows\n"
                                        "INSERT INTO tags (label) VALUES ('a;b');\n"
                                        "INSERT INTO tags (label) VALUES ('?'); SELECT 1;\n"),
                     3);
    assert_int_equal(blog_tag_count(s), 2);
    assert_int_equal(prax_sql_script(s, ""), 0);
    assert_int_equal(prax_sql_script(s, " ; -- nothing"), 0);
    assert_int_equal(prax_sql_script(s, NULL), PRAX_EINVAL);
    /* the third fails: the first two stay */
    assert_int_equal(prax_sql_script(s,
                                     "DELETE FROM tags;\nINSERT INTO tags (label) VALUES ('x');\n"
                                     "\nINSERT INTO tags (label) VALUES ('x'); SELECT 1"),
                     PRAX_EUNIQUE);
    says(s, PRAX_EUNIQUE, "statement 3, line 4: ");
    assert_non_null(strstr(prax_error_get(s)->sql, "VALUES ('x')"));
    assert_int_equal(blog_tag_count(s), 1);
    assert_int_equal(prax_sql_script(s, "SELECT 1; SELECT ?"), PRAX_EINVAL);
    says(s, PRAX_EINVAL, "statement 2, line 1: ");
    assert_int_equal(prax_sql_script(s, "SELECT 1;\nSELEC 2"), PRAX_ESQL);
    says(s, PRAX_ESQL, "statement 2, line 2: ");
}

static void test_script_transactions(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_int_equal(prax_sql_script(s, "BEGIN; DELETE FROM tags; COMMIT"), PRAX_EINVAL);
    says(s, PRAX_EINVAL, "statement 1, line 1: ");
    {
        PRAX_TX(tx, s);
        assert_int_equal(prax_sql_script(s, "INSERT INTO tags (label) VALUES ('a');"
                                            "INSERT INTO tags (label) VALUES ('a')"),
                         PRAX_EUNIQUE);
        assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
    }
    assert_int_equal(blog_tag_count(s), 0);
    PRAX_SESSION reader = prax_session_open(f->db, .read_only = true);
    assert_int_equal(prax_sql_script(reader, "SELECT 1; DELETE FROM tags"), PRAX_EPERM);
}

/* Semicolons within a body. */
static void test_script_bodies(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    static const char sqlite[] = "CREATE TABLE audit (label TEXT);\n"
                                 "CREATE TRIGGER tags_in AFTER INSERT ON tags BEGIN\n"
                                 "    INSERT INTO audit VALUES (CASE WHEN 1 THEN new.label END);\n"
                                 "    INSERT INTO audit VALUES ('b');\nEND;\n"
                                 "INSERT INTO tags (label) VALUES ('x')";
    static const char pg[] =
        "CREATE TABLE audit (label TEXT);\n"
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n"
        "    INSERT INTO audit VALUES (new.label); INSERT INTO audit VALUES ('b');\n"
        "    RETURN new; END $$;\n"
        "CREATE TRIGGER tags_in AFTER INSERT ON tags FOR EACH ROW EXECUTE FUNCTION note();\n"
        "CREATE PROCEDURE p() BEGIN ATOMIC DELETE FROM audit; DELETE FROM tags; END;\n"
        "INSERT INTO tags (label) VALUES ('x')";
    int64_t n = prax_sql_script(s, on_postgres() ? pg : sqlite);
    if (n < 0)
        fail_msg("%s", prax_error_get(s)->message);
    assert_int_equal(n, on_postgres() ? 5 : 3);
    prax_sql_each(row, s, "SELECT count(*) FROM audit") {
        assert_int_equal(prax_col_i64(row, 0), 2);
    }
    ASSERT_CODE(s, 0);
}

/* ---- rows in a struct ---- */

static void add_users(prax_session *s)
{
    const blog_user_new us[] = { { .email = "a", .name = "Ada", .age = prax_set(36) },
                                 { .email = "b", .role = prax_set(BLOG_ROLE_ADMIN) } };
    assert_int_equal(blog_user_create_many(s, us, 2), 2);
}

static void test_from_sql(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_users(s);
    for (int again = 0; again < 2; again++) { /* the second time from the cache */
        const blog_user_list *us =
            blog_user_from_sql(s,
                               "SELECT role, id, created_at, name FROM users WHERE id >= ? "
                               "ORDER BY id",
                               1);
        if (!us)
            fail_msg("%s", prax_error_get(s)->message);
        assert_int_equal(us->count, 2);
        assert_int_equal(us->total, -1);
        const blog_user *u = &us->items[0];
        assert_true(u->loaded.id && u->loaded.name && u->loaded.created_at && u->loaded.role);
        assert_true(!u->loaded.email && !u->loaded.age && !u->email && !u->age.set);
        assert_int_equal(u->id, 1);
        assert_string_equal(u->name, "Ada");
        assert_true(u->created_at.us > 0);
        assert_null(us->items[1].name);
        assert_int_equal(us->items[1].role, BLOG_ROLE_ADMIN);
    }
    const blog_user_list *none = blog_user_from_sql(s, "SELECT * FROM users WHERE id < 0");
    assert_non_null(none);
    assert_int_equal(none->count, 0);
    const blog_user_list *all = blog_user_from_sql(s, "SELECT * FROM users ORDER BY id");
    assert_non_null(all);
    assert_true(all->items[0].loaded.public_id && all->items[0].loaded.age);
    assert_int_equal(all->items[0].age.val, 36);
}

static void test_from_sql_refused(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_users(s);
    assert_null(blog_user_from_sql(s, "SELECT id, 1 AS shoe FROM users"));
    says(s, PRAX_EINVAL, "shoe");
    assert_null(blog_user_from_sql(s, "SELECT id, id FROM users"));
    says(s, PRAX_EINVAL, "twice");
    assert_null(blog_user_from_sql(s, "DELETE FROM users"));
    says(s, PRAX_EINVAL, "no rows");
    assert_null(blog_user_from_sql(s, "SELECT id FROM users WHERE id = ?"));
    ASSERT_CODE(s, PRAX_EINVAL);
    assert_null(blog_user_from_sql(s, "SELECT NULL AS id"));
    ASSERT_CODE(s, PRAX_ETYPE);
    assert_string_equal(prax_error_get(s)->column, "id");
    assert_null(blog_user_from_sql(s, "SELECT 'x' AS id"));
    ASSERT_CODE(s, PRAX_ETYPE);
    assert_null(blog_user_from_sql(s, "SELEC"));
    ASSERT_CODE(s, PRAX_ESQL);
    PRAX_SESSION few = prax_session_open(f->db, .rows_max = 1);
    assert_null(blog_user_from_sql(few, "SELECT id FROM users"));
    ASSERT_CODE(few, PRAX_ELIMIT);
    assert_int_equal(blog_user_count(s), 2);
}

/* ---- locks ---- */

static void test_lock_refused(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_null(blog_tag_find_many(s, .lock = PRAX_FOR_UPDATE));
    says(s, PRAX_EINVAL, "outside of a transaction");
    static const unsigned wrong[] = { PRAX_SKIP_LOCKED, PRAX_NOWAIT, 8,
                                      PRAX_FOR_UPDATE | PRAX_SKIP_LOCKED | PRAX_NOWAIT };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_null(blog_tag_find_first(s, .lock = wrong[i]));
        ASSERT_CODE(s, PRAX_EINVAL);
    }
    assert_int_equal(blog_tag_count(s, .lock = PRAX_FOR_UPDATE), PRAX_EINVAL);
    assert_null(blog_tag_find_many(s, .lock = PRAX_FOR_UPDATE, .total = PRAX_TOTAL_ONLY));
    ASSERT_CODE(s, PRAX_EINVAL);
    PRAX_TX(tx, s, .read_only = true);
    assert_null(blog_tag_find_many(s, .lock = PRAX_FOR_UPDATE));
    ASSERT_CODE(s, PRAX_EPERM);
}

static void test_lock(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    PRAX_SESSION other = prax_session_open(f->db);
    const blog_tag_new tags[] = { { .label = "a" }, { .label = "b" }, { .label = "c" } };
    assert_int_equal(blog_tag_create_many(s, tags, 3), 3);
    PRAX_TX(tx, s);
    const blog_tag *first =
        blog_tag_find_first(s, .order_by = { BLOG_TAG_ID_ASC }, .lock = PRAX_FOR_UPDATE);
    assert_non_null(first);
    const blog_tag_list *all = blog_tag_find_many(s, .skip = 1, .order_by = { BLOG_TAG_ID_ASC },
                                                  .lock = PRAX_FOR_UPDATE | PRAX_SKIP_LOCKED);
    assert_non_null(all);
    assert_int_equal(all->count, 2);
    int n = 0;
    blog_tag_each(t, s, .lock = PRAX_FOR_UPDATE | PRAX_NOWAIT) n += t->id > 0;
    assert_int_equal(n, 3);
    PRAX_TX(hers, other);
    if (!on_postgres()) { /* the writing transaction holds everything */
        assert_int_equal(hers.code, PRAX_EBUSY);
        return;
    }
    const blog_tag_list *left =
        blog_tag_find_many(other, .lock = PRAX_FOR_UPDATE | PRAX_SKIP_LOCKED);
    assert_non_null(left);
    assert_int_equal(left->count, 0);
    assert_null(blog_tag_find_many(other, .lock = PRAX_FOR_UPDATE | PRAX_NOWAIT));
    ASSERT_CODE(other, PRAX_EBUSY);
    assert_true(prax_error_get(other)->retryable);
}

/* ---- lists, where the database has them ---- */

static void test_list_values(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    static const int64_t ids[] = { 1, 3 };
    static const char *const labels[] = { "a", "c\"{},\\" };
    prax_list_i64 numbers = { .items = ids, .count = 2 };
    prax_list_text texts = { .items = labels, .count = 2 }, none = { .items = labels, .count = 0 };
    if (!on_postgres()) {
        assert_int_equal(prax_sql_exec(s, "SELECT ?", numbers), PRAX_EUNSUPPORTED);
        return;
    }
    const blog_tag_new tags[] = { { .label = "a" }, { .label = "b" }, { .label = "c\"{},\\" } };
    assert_int_equal(blog_tag_create_many(s, tags, 3), 3);
    assert_int_equal(
        prax_sql_exec(s, "DELETE FROM tags WHERE id = ANY (?) AND label = ANY (?)", numbers, texts),
        2);
    assert_int_equal(prax_sql_exec(s, "DELETE FROM tags WHERE label <> ALL (?)", none), 1);
}

static const struct CMUnitTest tests[] = {
    DB_TEST(test_script),   DB_TEST(test_script_transactions), DB_TEST(test_script_bodies),
    DB_TEST(test_from_sql), DB_TEST(test_from_sql_refused),    DB_TEST(test_lock_refused),
    DB_TEST(test_lock),     DB_TEST(test_list_values),
};
DB_MAIN(tests)

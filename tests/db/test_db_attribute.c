/* test_db_attribute.c - what attributes do: rules, versions, times of change, defaults of every
 * type, what the database computes; and the opening by the schema's own URL. */
#include "social.h"
#define DB_CREATE_TABLES social_create_tables
#include "db.h"
#include <pthread.h>

static void test_defaults(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    prax_ulid ref;
    assert_int_equal(prax_ulid_parse("01ARZ3NDEKTSV4RRFFQ69G5FAV", &ref), 0);
    for (int i = 0; i < 2; i++) { /* the row that create returns is the one that is stored */
        const social_item *a = i ? social_item_get(s, social_item_by_code("AB-1"))
                                 : social_item_create(s, .code = "AB-1");
        if (!a)
            fail_msg("%s", prax_error_get(s)->message);
        assert_string_equal(a->kind, "new");
        assert_int_equal(a->amount, 1);
        assert_int_equal(a->version, 1);
        assert_int_equal(a->total, 10);
        assert_int_equal(a->serial, 42);
        assert_int_equal(a->opens.us, prax_tod_of(8, 30, 0).us);
        assert_int_equal(a->since.days, prax_date_of(2026, 1, 31).days);
        assert_int_equal(a->at.us, 1769853600000000);
        assert_string_equal(a->meta.text, "{\"a\": 1}");
        assert_int_equal(a->raw.size, 3);
        assert_memory_equal(a->raw.data, "\xde\xad\0", 3);
        assert_memory_equal(&a->ref, &ref, sizeof ref);
        assert_true(a->added.us > 1600000000000000 && a->changed.us >= a->added.us);
        assert_true(a->loaded.total && a->loaded.version && a->loaded.serial);
    }
    /* what the database fills in by itself is the same */
    assert_int_equal(prax_sql_exec(s, db_place == DB_POSTGRES
                                          ? "INSERT INTO items (code, added, changed)"
                                            " VALUES ('BY-1', now(), now())"
                                          : "INSERT INTO items (code, added, changed)"
                                            " VALUES ('BY-1', 1, 1)"),
                     1);
    const social_item *b = social_item_get(s, social_item_by_code("BY-1"));
    assert_non_null(b);
    assert_int_equal(b->opens.us, prax_tod_of(8, 30, 0).us);
    assert_int_equal(b->at.us, 1769853600000000);
    assert_memory_equal(b->raw.data, "\xde\xad\0", 3);
    assert_memory_equal(&b->ref, &ref, sizeof ref);
    assert_int_equal(b->version, 1);
    b = social_item_create(s, .code = "AB-2", .serial = prax_set(7), .amount = prax_set(3));
    assert_int_equal(b->serial, 7);
    assert_int_equal(b->total, 30);
}

static void test_many(void **state)
{
    struct fixture *f = *state;
    const social_item_new rows[] = { { .code = "AB-1" },
                                     { .code = "AB-2", .serial = prax_set(1) },
                                     { .code = "AB-3" } };
    MUST(f->s, social_item_create_many(f->s, rows, 3));
    assert_int_equal(social_item_count(f->s, .where.serial = prax_eq(42)), 2);
    assert_int_equal(social_item_count(f->s, .where.version = prax_eq(1)), 3);
    const social_item_new bad[] = { { .code = "AB-4" }, { .code = "wrong" } };
    assert_int_equal(social_item_create_many(f->s, bad, 2), PRAX_ECHECK);
    assert_int_equal(social_item_count(f->s), 3);
}

static void test_version(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const social_item *a = social_item_create(s, .code = "AB-1");
    assert_non_null(a);
    social_item_key key = social_item_by_id(a->id);
    assert_int_equal(
        social_item_update(s, key, .amount = prax_set(2), .if_version = prax_some(a->version)), 1);
    assert_int_equal(
        social_item_update(s, key, .amount = prax_set(3), .if_version = prax_some(a->version)),
        PRAX_ECONFLICT);
    assert_true(prax_error_get(s)->retryable);
    const social_item *b = social_item_get(s, key);
    assert_int_equal(b->version, 2);
    assert_int_equal(b->amount, 2);
    assert_int_equal(b->total, 20);
    assert_int_equal(social_item_update(s, social_item_by_id(99), .amount = prax_set(3),
                                        .if_version = prax_some(1)),
                     0);
    assert_int_equal(social_item_update(s, key, .amount = prax_add(1)), 1);
    assert_int_equal(social_item_get(s, key)->version, 3);
    /* of many rows those with the version */
    assert_non_null(social_item_create(s, .code = "AB-2"));
    assert_int_equal(social_item_update_many(s, .all = true, .set.amount = prax_set(9),
                                             .set.if_version = prax_some(3)),
                     1);
    assert_int_equal(social_item_update_many(s, .where.amount = prax_eq(9),
                                             .set.amount = prax_set(8),
                                             .set.if_version = prax_some(4)),
                     1);
    assert_int_equal(social_item_update(s, key, .if_version = prax_some(5)), PRAX_EINVAL);
}

static void test_changed(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const social_item *a =
        social_item_create(s, .code = "AB-1", .changed = prax_set(prax_time_unix(1000)));
    social_item_key key = social_item_by_id(a->id);
    assert_int_equal(a->changed.us, 1000000000);
    prax_time before = prax_time_now();
    assert_int_equal(social_item_update(s, key, .amount = prax_set(2)), 1);
    const social_item *b = social_item_get(s, key);
    assert_true(b->changed.us >= before.us && b->changed.us <= prax_time_now().us);
    assert_int_equal(b->added.us, a->added.us);
    assert_int_equal(
        social_item_update(s, key, .amount = prax_set(3), .changed = prax_set(prax_time_unix(5))),
        1);
    assert_int_equal(social_item_get(s, key)->changed.us, 5000000);
    assert_int_equal(social_item_update_many(s, .all = true, .set.amount = prax_set(4)), 1);
    assert_true(social_item_get(s, key)->changed.us >= before.us);
}

/* A rule, a value that meets it, and one that does not. */
#define RULE(field, good, wrong)                                                             \
    do {                                                                                     \
        assert_int_equal(social_item_update(s, key, .field = prax_set(good)), 1);            \
        assert_int_equal(social_item_update(s, key, .field = prax_set(wrong)), PRAX_ECHECK); \
        assert_string_equal(prax_error_get(s)->column, #field);                              \
        assert_non_null(strstr(prax_error_get(s)->message, "Item." #field));                 \
    } while (0)

static void test_rules(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_null(social_item_create(s, .code = "ab-1"));
    ASSERT_CODE(s, PRAX_ECHECK);
    assert_string_equal(prax_error_get(s)->column, "code");
    assert_null(social_item_create(s, .code = "AB-1", .amount = prax_set(0)));
    ASSERT_CODE(s, PRAX_ECHECK);
    assert_int_equal(social_item_count(s), 0);
    const social_item *a = social_item_create(s, .code = "AB-1");
    assert_non_null(a);
    social_item_key key = social_item_by_id(a->id);
    RULE(code, "AB-12345", "AB-123456");
    RULE(email, "a.b+c@x-y.example", "a b@x.example");
    RULE(email, "!#$%&'*+/=?^_`{|}~-@x", "@x");
    RULE(email, "a@1.2", "a@x..y");
    RULE(email, "a@b", "a@-b");
    RULE(email, "a@b", "a@b-");
    RULE(email, "a@b", "a@");
    RULE(email, "a@b", "a@b.");
    RULE(site, "http://x", "ftp://x");
    RULE(site, "https://x.example:8080/a?b#c", "https://x.example:/");
    RULE(site, "https://x.example?", "https://");
    RULE(site, "https://x/\xc3\xa9", "https://x/ y");
    RULE(kind, "used", "old");
    RULE(amount, 100, 101);
    RULE(amount, 1, 0);
    RULE(price, prax_decimal_of(1, 2), prax_decimal_of(0, 0));
    RULE(price, prax_decimal_of(5, 3), prax_decimal_of(4, 3)); /* as it would be stored: 0.01, 0 */
    RULE(weight, 0.5, 0.25);
    RULE(weight, 99.5, 1e9);
    RULE(note, " x", " \t\n");
    RULE(photo, prax_bytes_of("ab", 2), prax_bytes_of("a", 1));
    RULE(photo, prax_bytes_of("abcd", 4), prax_bytes_of("abcde", 5));
    /* characters, not bytes: 8 of them; but the pattern has none of these */
    assert_int_equal(social_item_update(s, key, .code = prax_set("\xc3\xa9\xc3\xa9")), PRAX_ECHECK);
    assert_non_null(strstr(prax_error_get(s)->message, "^[A-Z]"));
    assert_int_equal(social_item_update(s, key, .email = prax_set_null, .note = prax_set_null), 1);
    assert_int_equal(social_item_update(s, key, .email = prax_set(NULL)), PRAX_EINVAL);
    assert_null(social_item_create(s, .code = NULL));
    ASSERT_CODE(s, PRAX_EINVAL);
    assert_int_equal(social_item_update_many(s, .all = true, .set.kind = prax_set("old")),
                     PRAX_ECHECK);
}

static void *match_often(void *arg)
{
    prax_db *db = arg;
    PRAX_SESSION s = prax_session_open(db);
    for (int i = 0; s && i < 200; i++) {
        if (social_item_update(s, social_item_by_id(9), .code = prax_set("x")) != PRAX_ECHECK)
            return db;
    }
    return NULL;
}

static void test_rules_in_threads(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    void *wrong = NULL;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, match_often, f->db), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

static void test_labels(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const social_person *p =
        social_person_create(s, .name = "x", .mood = prax_set(SOCIAL_MOOD_HAPPY));
    assert_non_null(p);
    assert_int_equal(social_person_count(s, .where.mood = prax_eq(SOCIAL_MOOD_HAPPY)), 1);
    prax_sql_each(row, s, "SELECT mood FROM people")
        assert_string_equal(prax_col_text(row, 0), "is happy");
    ASSERT_CODE(s, 0);
    assert_string_equal(social_mood_label(SOCIAL_MOOD_HAPPY), "is happy");
    social_mood m = SOCIAL_MOOD_UNSET;
    assert_int_equal(social_mood_parse("is happy", &m), 0);
    assert_int_equal(m, SOCIAL_MOOD_HAPPY);
}

static void test_database_guards(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_null(social_post_create(s, .title = "t", .author_id = 1));
    ASSERT_CODE(s, PRAX_EFOREIGN);
    assert_non_null(social_person_create(s, .name = "x"));
    assert_null(social_post_create(s, .title = "t", .author_id = 1, .views = prax_set(-1)));
    ASSERT_CODE(s, PRAX_ECHECK);
    assert_string_equal(prax_error_get(s)->constraint, "posts_views");
    assert_non_null(social_post_create(s, .title = "t", .author_id = 1, .editor_name = "x"));
    assert_non_null(social_person_create(s, .name = "y", .mentor_id = prax_set(1)));
    assert_int_equal(social_person_delete(s, social_person_by_id(1)), 1);
    assert_int_equal(social_post_count(s), 0);                /* Cascade */
    assert_false(social_person_find_first(s)->mentor_id.set); /* SetNull */
    assert_int_equal(social_item_update(s, social_item_by_id(1)), PRAX_EINVAL);
}

static void test_open(void **state)
{
    struct fixture *f = *state;
    prax_db *db = NULL;
    unsetenv("SOCIAL_URL");
    assert_int_equal(social_open(&db), PRAX_EINVAL);
    assert_non_null(strstr(prax_db_error(db)->message, "SOCIAL_URL"));
    prax_db_close(db);
    setenv("SOCIAL_URL", f->url, 1);
    assert_int_equal(social_open(&db), 0);
    PRAX_SESSION s = prax_session_open(db);
    assert_int_equal(social_person_count(s), db_place == DB_MEMORY ? PRAX_ESCHEMA : 0);
    prax_db_close(db);
    unsetenv("SOCIAL_URL");
}

static const struct CMUnitTest tests[] = {
    DB_TEST(test_defaults), DB_TEST(test_many),  DB_TEST(test_version),
    DB_TEST(test_changed),  DB_TEST(test_rules), DB_TEST(test_rules_in_threads),
    DB_TEST(test_labels),   DB_TEST(test_open),  DB_TEST(test_database_guards),
};
DB_MAIN(tests)

/* test_db_typed.c - typed SQL: social.sql's functions on both databases. */
#include "social.h"
#define DB_CREATE_TABLES social_create_tables
#include "db.h"

static int setup(void **state)
{
    db_setup(state);
    prax_session *s = ((struct fixture *)*state)->s;
    assert_non_null(social_person_create(s, .name = "ann", .mood = prax_set(SOCIAL_MOOD_HAPPY)));
    assert_non_null(social_person_create(s, .name = "bob"));
    for (int i = 0; i < 5; i++)
        assert_non_null(social_post_create(s, .title = "t", .views = prax_set(i),
                                           .author_id = i % 2 + 1,
                                           .editor_name = i == 3 ? "ann" : NULL));
    return 0;
}

#define TYPED_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, db_teardown)

static void test_many(void **state)
{
    struct fixture *f = *state;
    const social_top_authors_list *l = social_top_authors(f->s, .min = 1, .take = 10);
    if (!l)
        fail_msg("%s", prax_error_get(f->s)->message);
    assert_int_equal(l->count, 2);
    assert_int_equal(l->items[0].id, 1);
    assert_string_equal(l->items[0].name, "ann");
    assert_int_equal(l->items[0].mood.val, SOCIAL_MOOD_HAPPY);
    assert_int_equal(l->items[0].posts, 2);
    assert_int_equal(l->items[0].views.val, 6);
    assert_false(l->items[1].mood.set);
    assert_true(l->items[1].loaded.mood && l->items[1].loaded.views);
    assert_int_equal(social_top_authors(f->s, .min = 1, .take = 1)->count, 1);
    l = social_top_authors(f->s, .min = 99, .take = 1);
    assert_non_null(l);
    assert_int_equal(l->count, 0);
    const social_loud_list *loud = social_loud(f->s, .factor = 1.5, .a = 2, .b = 5);
    if (!loud)
        fail_msg("%s", prax_error_get(f->s)->message);
    assert_int_equal(loud->count, 2);
    assert_true(loud->items[0].loudness + loud->items[1].loudness == 7.5);
}

static void test_one(void **state)
{
    struct fixture *f = *state;
    const social_editor_of_row *r = social_editor_of(f->s, .id = 4);
    if (!r)
        fail_msg("%s", prax_error_get(f->s)->message);
    assert_string_equal(r->editor, "ann");
    assert_int_equal(r->editor_id.val, 1);
    r = social_editor_of(f->s, .id = 1);
    assert_non_null(r);
    assert_null(r->editor);
    assert_false(r->editor_id.set);
    assert_null(social_editor_of(f->s, .id = 99));
    ASSERT_CODE(f->s, PRAX_ENOTFOUND);
    const social_make_post_row *p = social_make_post(f->s, .title = "new", .author = 2);
    if (!p)
        fail_msg("%s", prax_error_get(f->s)->message);
    assert_int_equal(p->id, 6);
    assert_string_equal(p->title, "new");
    assert_false(social_post_get(f->s, social_post_by_id(6))->editor_name != NULL);
}

static void test_exec(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_int_equal(social_rename_person(s, .name = "eve", .was = "ann", .low = 1, .high = 5), 1);
    assert_false(social_person_get(s, social_person_by_id(1))->mood.set); /* NULL, as given */
    assert_int_equal(social_rename_person(s, .name = "x", .was = "ann", .low = 1, .high = 5), 0);
    assert_int_equal(social_rename_person(s, .name = NULL, .was = "ann"), PRAX_EINVAL);
    assert_int_equal(social_rename_person(s, .name = "bob", .was = "eve", .low = 1, .high = 1),
                     PRAX_EUNIQUE);
    prax_ulid id = prax_ulid_new();
    assert_int_equal(social_add_tag(s, .id = id, .label = "new"), 1);
    const social_all_tags_list *l = social_all_tags(s);
    assert_non_null(l);
    assert_int_equal(l->count, 1);
    assert_memory_equal(&l->items[0].id, &id, sizeof id);
    social_all_tags_args none = { 0 };
    assert_null(social_all_tags_with(s, &none));
    ASSERT_CODE(s, PRAX_EINVAL);
    assert_null(social_all_tags_with(s, NULL));
    ASSERT_CODE(s, PRAX_EINVAL);
    PRAX_SESSION r = prax_session_open(f->db, .read_only = true);
    assert_int_equal(social_add_tag(r, .id = id, .label = "again"), PRAX_EPERM);
}

static void test_types(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_non_null(
        social_item_create(s, .code = "AB-1", .price = prax_set(prax_decimal_of(150, 2))));
    assert_non_null(social_item_create(s, .code = "AB-2"));
    const social_priced_list *l =
        social_priced(s, .price = prax_some(prax_decimal_of(15, 1)), .kind = "none");
    if (!l)
        fail_msg("%s", prax_error_get(s)->message);
    assert_int_equal(l->count, 1);
    assert_int_equal(l->items[0].price.val.units, 150);
    assert_int_equal(l->items[0].opens.us, prax_tod_of(8, 30, 0).us);
    assert_int_equal(l->items[0].since.days, prax_date_of(2026, 1, 31).days);
    assert_int_equal(l->items[0].raw.size, 3);
    assert_int_equal(social_priced(s, .kind = "new", .version = 2)->count, 2);
    assert_int_equal(social_priced(s, .kind = "new", .version = 1)->count, 0);
    assert_null(social_priced(s, .kind = "new", .version = INT64_MAX));
    ASSERT_CODE(s, PRAX_ERANGE);
}

static const struct CMUnitTest tests[] = { TYPED_TEST(test_many), TYPED_TEST(test_one),
                                           TYPED_TEST(test_exec), DB_TEST(test_types) };
DB_MAIN(tests)

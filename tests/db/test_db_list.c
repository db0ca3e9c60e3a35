/* test_db_list.c - list columns: written, read back, changed and found. PostgreSQL only. */
#include "lists.h"
#define DB_CREATE_TABLES lists_create_tables
#include "db.h"

static void check_all(const lists_row *r, prax_uuid u, prax_ulid l)
{
    assert_int_equal(r->texts.count, 3);
    assert_string_equal(r->texts.items[0], "a,b");
    assert_string_equal(r->texts.items[1], "");
    assert_string_equal(r->texts.items[2], "\"{}\\");
    assert_int_equal(r->numbers.count, 2);
    assert_int_equal(r->numbers.items[1], -2);
    assert_int_equal(r->days.count, 2);
    assert_int_equal(r->days.items[0], LISTS_DAY_TUE);
    assert_int_equal(r->prices.items[0].units, 150);
    assert_int_equal(r->prices.items[0].scale, 2);
    assert_true(r->flags.items[0] && !r->flags.items[1]);
    assert_int_equal(r->times.items[0].us, 5000000);
    assert_int_equal(r->dates.items[0].days, prax_date_of(2026, 1, 31).days);
    assert_int_equal(r->clocks.items[0].us, prax_tod_of(1, 2, 3).us);
    assert_memory_equal(&r->keys.items[0], &u, sizeof u);
    assert_memory_equal(&r->seqs.items[0], &l, sizeof l);
    assert_int_equal(r->blobs.items[0].size, 2);
    assert_memory_equal(r->blobs.items[0].data, "\0x", 2);
    assert_string_equal(r->metas.items[0].text, "{\"a\": 1}");
    assert_true(r->reals.items[0] == 2.5);
}

static void test_every_type(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    prax_uuid u = prax_uuid_random();
    prax_ulid l = prax_ulid_new();
    const lists_row *made = lists_row_create(
        s, .texts = PRAX_LIST(const char *, "a,b", "", "\"{}\\"),
        .numbers = PRAX_LIST(int64_t, 1, -2),
        .days = prax_set_list(lists_day, LISTS_DAY_TUE, LISTS_DAY_MON),
        .prices = PRAX_LIST(prax_decimal, { .units = 15, .scale = 1 }),
        .flags = PRAX_LIST(bool, true, false), .times = PRAX_LIST(prax_time, { .us = 5000000 }),
        .dates = PRAX_LIST(prax_date, prax_date_of(2026, 1, 31)),
        .clocks = PRAX_LIST(prax_tod, prax_tod_of(1, 2, 3)), .keys = PRAX_LIST(prax_uuid, u),
        .seqs = PRAX_LIST(prax_ulid, l), .blobs = PRAX_LIST(prax_bytes, prax_bytes_of("\0x", 2)),
        .metas = PRAX_LIST(prax_json, prax_json_of("{\"a\": 1}")), .reals = PRAX_LIST(double, 2.5));
    if (!made)
        fail_msg("%s", prax_error_get(s)->message);
    check_all(made, u, l);
    const lists_row *read = lists_row_get(s, lists_row_by_id(made->id));
    assert_non_null(read);
    check_all(read, u, l);
}

static void test_empty_and_null(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const lists_row *made = lists_row_create(s, .flags = { .items = (const bool *)"" });
    if (!made)
        fail_msg("%s", prax_error_get(s)->message);
    for (int i = 0; i < 2; i++) {
        const lists_row *r = i ? lists_row_get(s, lists_row_by_id(made->id)) : made;
        assert_int_equal(r->texts.count, 0);
        assert_non_null(r->texts.items); /* required: empty, not NULL */
        assert_non_null(r->days.items);
        assert_int_equal(r->days.count, 0);
        assert_null(r->numbers.items);
        assert_non_null(r->flags.items);
        assert_int_equal(r->flags.count, 0);
    }
    assert_int_equal(lists_row_count(s, .where.numbers = prax_null), 1);
    assert_int_equal(lists_row_count(s, .where.flags = prax_null), 0);
    assert_int_equal(lists_row_count(s, .where.texts = prax_list_eq(const char *)), 1);
}

static void test_conditions(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const lists_row_new rows[] = {
        { .texts = PRAX_LIST(const char *, "a", "b"),
          .days = prax_set_list(lists_day, LISTS_DAY_MON) },
        { .texts = PRAX_LIST(const char *, "b", "c"),
          .days = prax_set_list(lists_day, LISTS_DAY_TUE, LISTS_DAY_WED) },
        { .numbers = PRAX_LIST(int64_t, 7) },
    };
    MUST(s, lists_row_create_many(s, rows, 3));
    assert_int_equal(lists_row_count(s, .where.texts = prax_has("b")), 2);
    assert_int_equal(lists_row_count(s, .where.texts = prax_has_all(const char *, "a", "b")), 1);
    assert_int_equal(lists_row_count(s, .where.texts = prax_has_any(const char *, "a", "c")), 2);
    assert_int_equal(lists_row_count(s, .where.texts = prax_list_eq(const char *, "b", "c")), 1);
    assert_int_equal(lists_row_count(s, .where.days = prax_has(LISTS_DAY_TUE)), 1);
    assert_int_equal(lists_row_count(s, .where.numbers = prax_has(7)), 1);
    lists_row_where w = { .reals = { .op = PRAX_OP_NONE } };
    PRAX_LET(s, w.texts, prax_has_any(const char *, "c"));
    assert_int_equal(lists_row_count(s, .where = *lists_row_where_keep(s, &w)), 1);
    assert_int_equal(lists_row_update_many(s, .where.numbers = prax_has(7),
                                           .set = { .numbers = prax_set_list(int64_t, 8, 9),
                                                    .reals = prax_set_list(double, 1, 2, 3) }),
                     1);
    assert_int_equal(lists_row_count(s, .where.numbers = prax_has_all(int64_t, 9, 8)), 1);
    assert_int_equal(
        lists_row_update_many(s, .all = true, .set.reals = prax_set_list(double, 1, 2, 3, 4)),
        PRAX_ECHECK);
    assert_int_equal(lists_row_update_many(s, .all = true, .set.numbers = prax_set_null), 3);
    assert_int_equal(
        lists_row_update_many(s, .all = true, .set.texts = prax_set_list(const char *, "x", NULL)),
        PRAX_EINVAL);
}

static const struct CMUnitTest tests[] = { DB_TEST(test_every_type), DB_TEST(test_empty_and_null),
                                           DB_TEST(test_conditions) };

int main(void)
{
    db_place = DB_POSTGRES;
    if (db_missing()) {
        db_skip(tests, sizeof tests / sizeof *tests, db_missing());
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

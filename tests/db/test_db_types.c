/* test_db_types.c - types that other tests do not store: times of day and ULIDs. */
#include "db.h"

static void test_slots(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    prax_ulid first = prax_ulid_new(), second = prax_ulid_new();
    const blog_slot *a = blog_slot_create(s, .id = second, .starts = prax_tod_of(23, 59, 59),
                                          .previous = prax_set(first));
    assert_non_null(a);
    assert_false(a->ends.set);
    assert_non_null(blog_slot_create(s, .id = first, .starts = { .us = 0 },
                                     .ends = prax_set(prax_tod_of(9, 0, 0))));
    const blog_slot_list *l = blog_slot_find_many(s, .order_by = { BLOG_SLOT_ID_ASC });
    assert_non_null(l);
    assert_int_equal(l->count, 2);
    assert_memory_equal(&l->items[0].id, &first, sizeof first);
    assert_memory_equal(&l->items[1].id, &second, sizeof second);
    assert_memory_equal(&l->items[1].previous.val, &first, sizeof first);
    assert_false(l->items[0].previous.set);
    assert_int_equal(l->items[0].ends.val.us, prax_tod_of(9, 0, 0).us);
    assert_int_equal(l->items[1].starts.us, prax_tod_of(23, 59, 59).us);
    assert_int_equal(blog_slot_count(s, .where.starts = prax_gt(prax_tod_of(12, 0, 0))), 1);
    assert_int_equal(blog_slot_count(s, .where.id = prax_gt(first)), 1);
    assert_int_equal(blog_slot_count(s, .where.id = prax_in(prax_ulid, first, second)), 2);
    assert_int_equal(blog_slot_update(s, blog_slot_by_id(first), .ends = prax_set_null), 1);
    assert_non_null(blog_slot_get(s, blog_slot_by_id(first)));
}

static void test_range(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_null(blog_slot_create(s, .id = prax_ulid_new(), .starts = prax_tod_of(24, 0, 0)));
    ASSERT_CODE(s, PRAX_ERANGE);
    assert_null(blog_slot_create(s, .id = prax_ulid_new(), .starts = { .us = -1 }));
    ASSERT_CODE(s, PRAX_ERANGE);
    if (db_place == DB_POSTGRES)
        return; /* its types hold nothing else */
    static const char *const bad[] = { "'01arz', 5, NULL", "'01ARZ3NDEKTSV4RRFFQ69G5FAV', -1, NULL",
                                       "'01ARZ3NDEKTSV4RRFFQ69G5FAV', 1, 86400000000" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char sql[200];
        snprintf(sql, sizeof sql, "INSERT INTO slots (id, starts, ends) VALUES (%s)", bad[i]);
        assert_int_equal(prax_sql_exec(s, sql), 1);
        assert_null(blog_slot_find_many(s));
        ASSERT_CODE(s, PRAX_ETYPE);
        assert_int_equal(prax_sql_exec(s, "DELETE FROM slots"), 1);
    }
}

static void test_raw(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    prax_ulid u = prax_ulid_new();
    prax_opt_tod none = { .set = false };
    prax_opt_ulid some = prax_some(u);
    const char *typed = db_place == DB_POSTGRES
                            ? "SELECT ?::time, ?::uuid, ?::time, ?::uuid, ?::date"
                            : "SELECT ?, ?, ?, ?, ?";
    prax_sql_each(row, s, typed, prax_tod_of(1, 2, 3), u, none, some, prax_date_of(2026, 1, 31)) {
        prax_ulid again = prax_col_ulid(row, 1);
        assert_int_equal(prax_col_tod(row, 0).us, prax_tod_of(1, 2, 3).us);
        assert_memory_equal(&again, &u, sizeof u);
        assert_true(prax_col_is_null(row, 2));
        assert_false(prax_col_is_null(row, 3));
        assert_int_equal(prax_col_date(row, 4).days, prax_date_of(2026, 1, 31).days);
    }
    ASSERT_CODE(s, 0);
    prax_list_i64 list = PRAX_LIST(int64_t, 1, 2);
    if (db_place == DB_POSTGRES) {
        prax_sql_each(row, s, "SELECT (2 = ANY(?))::int, cardinality(?::int8[])", list, list) {
            assert_int_equal(prax_col_i64(row, 0), 1);
            assert_int_equal(prax_col_i64(row, 1), 2);
        }
        ASSERT_CODE(s, 0);
        return;
    }
    assert_int_equal(prax_sql_exec(s, "SELECT ?", list), PRAX_EUNSUPPORTED);
    prax_sql_each(row, s, "SELECT 'x', 86400000000")
        assert_int_equal(prax_col_tod(row, 1).us, 0);
    ASSERT_CODE(s, PRAX_ETYPE);
    prax_sql_each(row, s, "SELECT 'x'")
        prax_col_ulid(row, 0);
    ASSERT_CODE(s, PRAX_ETYPE);
}

static const struct CMUnitTest tests[] = { DB_TEST(test_slots), DB_TEST(test_range),
                                           DB_TEST(test_raw) };
DB_MAIN(tests)

/* test_query.c - shapes and plans: which calls share a statement, what its text is, and that the
 * cache stays correct when it is full and when threads fill it together.
 */
#include "orm/query/build.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

/* A model by hand: id, name (may be NULL), price Decimal(10,2). */
struct item_where {
    struct {
        const void *items;
        size_t count;
    } any_of, all_of, none_of;
    prax_f_i64 id;
    prax_f_text name;
    prax_f_dec price;
};
struct item_set {
    uint8_t zero_;
    prax_w_text name;
    prax_w_dec price;
};
struct item {
    uint8_t loaded;
    int64_t id;
    const char *name;
    prax_decimal price;
};
struct item_key {
    unsigned by;
    int64_t id;
    const char *name;
};
static const prax_column columns[] = {
    { .name = "id",
      .db_name = "id",
      .row_off = offsetof(struct item, id),
      .new_off = PRAX_NO_OFF,
      .set_off = PRAX_NO_OFF,
      .type = PRAX_T_Int,
      .flags = PRAX_C_ID | PRAX_C_ROWID },
    { .name = "name",
      .db_name = "the \"name\"",
      .row_off = offsetof(struct item, name),
      .new_off = PRAX_NO_OFF,
      .set_off = offsetof(struct item_set, name),
      .type = PRAX_T_String,
      .flags = PRAX_C_NULL },
    { .name = "price",
      .db_name = "price",
      .row_off = offsetof(struct item, price),
      .new_off = PRAX_NO_OFF,
      .set_off = offsetof(struct item_set, price),
      .type = PRAX_T_Decimal,
      .scale = 2,
      .precision = 10 },
};
static const uint16_t key_columns[] = { 0, 1 }, key_offs[] = { offsetof(struct item_key, id),
                                                               offsetof(struct item_key, name) };
static const prax_key keys[] = { { "id", 1, key_columns, key_offs },
                                 { "both", 2, key_columns, key_offs } };
static const uint16_t where_off[] = { offsetof(struct item_where, id),
                                      offsetof(struct item_where, name),
                                      offsetof(struct item_where, price) };
static const prax_model model = {
    .abi = PRAX_MODEL_ABI,
    .n_columns = 3,
    .n_keys = 2,
    .prefix = "shop_item",
    .name = "Item",
    .table = "items",
    .columns = columns,
    .keys = keys,
    .where_off = where_off,
    .loaded_off = offsetof(struct item, loaded),
    .fields_size = 1,
    .row_size = sizeof(struct item),
    .where_size = sizeof(struct item_where),
    .set_size = sizeof(struct item_set),
};

struct bench {
    struct pxi_heap heap;
    struct pxi_plans plans;
    const struct pxi_dialect *dialect;
    struct pxi_arena scratch;
    struct pxi_error err;
    struct pxi_shape sh;
    bool cached;
};

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    pxi_heap_init(&b->heap, NULL, "test", false);
    assert_true(pxi_plans_init(&b->plans, &b->heap));
    pxi_arena_init(&b->scratch, NULL, 0);
    pxi_error_clear(&b->err);
    b->dialect = &pxi_dialect_sqlite;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    pxi_arena_free(&b->scratch);
    pxi_plans_free(&b->plans);
    free(b);
    return 0;
}

static const struct pxi_plan *plan_of(struct bench *b, const struct pxi_request *r)
{
    pxi_error_clear(&b->err);
    pxi_shape_begin(&b->sh, b->dialect, &model, &b->scratch, &b->err);
    const struct pxi_plan *p = pxi_request_plan(&b->plans, &b->sh, r, &b->cached);
    if (!p)
        fail_msg("%s", b->err.message);
    if (r->rows == 0 && !r->arrays)                  /* else the caller puts them */
        assert_int_equal(p->values, b->sh.n_values); /* as many values as question marks */
    return p;
}

static void assert_sql(struct bench *b, const struct pxi_request *r, const char *sql)
{
    assert_string_equal(plan_of(b, r)->sql, sql);
}

#define ALL "SELECT \"id\", \"the \"\"name\"\"\", \"price\" FROM \"items\""

static void test_text(void **state)
{
    struct bench *b = *state;
    const struct item_key key = { .by = 1, .id = 7 };
    const uint8_t some = 5;
    const uint32_t order[PRAX_ORDER_MAX] = { 6, 1 }; /* name desc, id asc */
    struct item_where w = { .id = prax_between(1, 5), .name = prax_icontains("x") };
    struct item_where or_[] = { { .price = prax_lt(prax_decimal_of(1, 0)) },
                                { .name = prax_null } };
    struct item_where deep = { .any_of = { or_, 2 }, .none_of = { or_, 1 } };
    struct item_set set = { .name = prax_set("x"), .price = prax_add(prax_decimal_of(1, 0)) };
    assert_sql(b, &(struct pxi_request){ .m = &model, .verb = PRAX_GET, .by = 1, .key = &key },
               ALL " WHERE \"id\" = ?");
    assert_sql(b,
               &(struct pxi_request){
                   .m = &model, .verb = PRAX_GET, .by = 1, .key = &key, .select = &some },
               "SELECT \"id\", \"price\" FROM \"items\" WHERE \"id\" = ?");
    assert_sql(b,
               &(struct pxi_request){ .m = &model,
                                      .verb = PRAX_FIND_MANY,
                                      .where = &w,
                                      .order_by = order,
                                      .take = 3,
                                      .skip = 4 },
               ALL " WHERE (\"id\" BETWEEN ? AND ? AND \"the \"\"name\"\"\" LIKE ? ESCAPE '\\')"
                   " ORDER BY \"the \"\"name\"\"\" DESC NULLS FIRST, \"id\" LIMIT ? OFFSET ?");
    assert_sql(b, &(struct pxi_request){ .m = &model, .verb = PRAX_COUNT, .where = &deep },
               "SELECT count(*) FROM \"items\" WHERE (((\"price\" < ?) OR (\"the \"\"name\"\"\" IS "
               "NULL)) AND ((\"price\" < ?)) IS NOT TRUE)");
    assert_sql(b,
               &(struct pxi_request){
                   .m = &model, .verb = PRAX_CREATE_MANY, .rows = 2, .skip_duplicates = true },
               "INSERT INTO \"items\" (\"id\", \"the \"\"name\"\"\", \"price\") VALUES (?, ?, ?), "
               "(?, ?, ?) ON CONFLICT DO NOTHING");
    const struct pxi_plan *p =
        plan_of(b, &(struct pxi_request){
                       .m = &model, .verb = PRAX_UPDATE, .by = 1, .key = &key, .set = &set });
    assert_non_null(strstr(p->sql, "UPDATE \"items\" SET \"the \"\"name\"\"\" = ?, \"price\" = "));
    assert_non_null(strstr(p->sql, "BETWEEN -9999999999 AND 9999999999"));
}

/* The same calls for PostgreSQL. */
static void test_postgres(void **state)
{
    struct bench *b = *state;
    const struct item_key key = { .by = 1, .id = 7 };
    const uint32_t order[PRAX_ORDER_MAX] = { 6, 5, 1 }; /* name desc, name asc, id asc */
    struct item_where w = { .id = prax_between(1, 5), .name = prax_icontains("x") };
    struct item_where or_[] = { { .price = prax_lt(prax_decimal_of(1, 0)) },
                                { .name = prax_in(const char *, "a", "b") },
                                { .name = prax_gt("a"), .id = prax_not_in(int64_t, 1) },
                                { .name = prax_ieq("A") } };
    struct item_where deep = { .any_of = { or_, 4 } };
    struct item_set set = { .name = prax_set("x"), .price = prax_mul(prax_decimal_of(1, 1)) };
    const uint8_t price = 4;
    b->dialect = &pxi_dialect_postgres;
    assert_sql(b, &(struct pxi_request){ .m = &model, .verb = PRAX_GET, .by = 1, .key = &key },
               ALL " WHERE \"id\" = $1::int8");
    assert_sql(b, &(struct pxi_request){ .m = &model, .verb = PRAX_GET, .by = 1, .arrays = true },
               "SELECT \"prax row\".*, \"prax key\".\"prax i\" FROM (SELECT $1::int8[] AS "
               "\"prax k1\" OFFSET 0) AS \"prax keys\" CROSS JOIN LATERAL "
               "unnest(\"prax keys\".\"prax k1\") WITH ORDINALITY AS \"prax key\" (\"prax k1\", "
               "\"prax i\") CROSS JOIN LATERAL (" ALL
               " WHERE \"id\" = \"prax key\".\"prax k1\" LIMIT 1) AS \"prax row\"");
    assert_sql(
        b,
        &(struct pxi_request){
            .m = &model, .verb = PRAX_GET, .by = 2, .select = &price, .arrays = true },
        "SELECT \"prax row\".*, \"prax key\".\"prax i\" FROM (SELECT $1::int8[] AS "
        "\"prax k1\", CASE WHEN false THEN ARRAY(SELECT \"the \"\"name\"\"\" FROM "
        "\"items\") ELSE $2 END AS \"prax k2\" OFFSET 0) AS \"prax keys\" CROSS JOIN LATERAL "
        "unnest(\"prax keys\".\"prax k1\", \"prax keys\".\"prax k2\") WITH ORDINALITY AS "
        "\"prax key\" (\"prax k1\", \"prax k2\", \"prax i\") CROSS JOIN LATERAL (SELECT "
        "\"price\" FROM \"items\" WHERE \"id\" = \"prax key\".\"prax k1\" AND \"the "
        "\"\"name\"\"\" = \"prax key\".\"prax k2\" LIMIT 1) AS \"prax row\"");
    assert_sql(b,
               &(struct pxi_request){
                   .m = &model, .verb = PRAX_FIND_MANY, .where = &w, .order_by = order, .skip = 4 },
               ALL " WHERE (\"id\" BETWEEN $1::int8 AND $2::int8 AND \"the \"\"name\"\"\" COLLATE "
                   "\"C\" ILIKE $3) ORDER BY \"the \"\"name\"\"\" COLLATE \"C\" DESC, \"the "
                   "\"\"name\"\"\" COLLATE \"C\", \"id\" LIMIT ALL OFFSET $4");
    assert_sql(b, &(struct pxi_request){ .m = &model, .verb = PRAX_COUNT, .where = &deep },
               "SELECT count(*) FROM \"items\" WHERE (((\"price\" < $1) OR (\"the "
               "\"\"name\"\"\" = ANY ($2)) OR (\"id\" <> ALL ($3::int8[]) AND \"the "
               "\"\"name\"\"\" COLLATE \"C\" > $4) OR (lower(\"the \"\"name\"\"\" COLLATE \"C\") "
               "= lower($5 COLLATE \"C\"))))");
    assert_sql(b,
               &(struct pxi_request){
                   .m = &model, .verb = PRAX_UPDATE, .by = 1, .key = &key, .set = &set },
               "UPDATE \"items\" SET \"the \"\"name\"\"\" = $1, \"price\" = \"price\" * $2 WHERE "
               "\"id\" = $3::int8");
    assert_int_equal(b->sh.values[1].scale, 1); /* the factor's own */
    assert_int_equal(b->sh.values[1].type, PRAX_T_Decimal);
}

static const struct pxi_plan *find(struct bench *b, const struct item_where *w)
{
    return plan_of(b, &(struct pxi_request){ .m = &model, .verb = PRAX_FIND_MANY, .where = w });
}

/* Values are no part of a shape; operators, columns and nesting are. */
static void test_sharing(void **state)
{
    struct bench *b = *state;
    static const int64_t ids[100];
    struct item_where a = { .id = prax_in_array(ids, 3) }, other = { .id = prax_in_array(ids, 99) };
    const struct pxi_plan *p = find(b, &a);
    assert_false(b->cached);
    assert_ptr_equal(find(b, &other), p);
    assert_true(b->cached);
    struct item_where twice[] = { a, a }, nested[] = { { .any_of = { &a, 1 } } };
    struct item_where nothing[1] = { 0 };
    struct item_where different[] = {
        { .id = { .op = PRAX_OP_NOT_IN } }, { .id = prax_eq(3) },       { .name = prax_eq("x") },
        { .name = prax_ieq("x") },          { .any_of = { &a, 1 } },    { .all_of = { &a, 1 } },
        { .none_of = { &a, 1 } },           { .any_of = { twice, 2 } }, { .any_of = { nested, 1 } },
        { .any_of = { nothing, 1 } },
    };
    for (size_t i = 0; i < sizeof different / sizeof *different; i++) {
        const struct pxi_plan *q = find(b, &different[i]);
        assert_ptr_not_equal(q, p);
        assert_false(b->cached);
        assert_ptr_equal(find(b, &different[i]), q);
    }
}

static void test_overflow(void **state)
{
    struct bench *b = *state;
    char sql[64];
    for (unsigned i = 0; i < PXI_PLANS_MAX + 100; i++) {
        size_t size = (size_t)snprintf(sql, sizeof sql, "SELECT %u", i);
        pxi_shape_begin(&b->sh, &pxi_dialect_sqlite, NULL, &b->scratch, &b->err);
        const struct pxi_plan *p = pxi_raw_plan(&b->plans, &b->sh, sql, size, &b->cached);
        assert_non_null(p);
        assert_string_equal(p->sql, sql);
        assert_int_equal(p->id, i < PXI_PLANS_MAX ? i : PXI_PLAN_ONCE);
    }
    pxi_shape_begin(&b->sh, &pxi_dialect_sqlite, NULL, &b->scratch, &b->err);
    assert_int_equal(pxi_raw_plan(&b->plans, &b->sh, "SELECT 7", 8, &b->cached)->id, 7);
    assert_true(b->cached);
}

static void *fill(void *arg)
{
    struct bench *b = arg;
    struct pxi_arena scratch;
    struct pxi_error err;
    char sql[64];
    size_t wrong = 0;
    pxi_arena_init(&scratch, NULL, 0);
    pxi_error_clear(&err);
    for (unsigned i = 0; i < 3000; i++) {
        struct pxi_shape sh;
        bool cached;
        size_t size = (size_t)snprintf(sql, sizeof sql, "SELECT %u", i);
        pxi_shape_begin(&sh, &pxi_dialect_sqlite, NULL, &scratch, &err);
        const struct pxi_plan *p = pxi_raw_plan(&b->plans, &sh, sql, size, &cached);
        wrong += !p || strcmp(p->sql, sql) != 0;
    }
    pxi_arena_free(&scratch);
    return (void *)wrong;
}

static void test_threads(void **state)
{
    struct bench *b = *state;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fill, b), 0);
    for (int i = 0; i < 3; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(b->plans.count, 3000); /* each once */
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
static const struct CMUnitTest tests[] = {
    TEST(test_text),     TEST(test_postgres), TEST(test_sharing),
    TEST(test_overflow), TEST(test_threads),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_queries_json.c - queries.json and meta.json. */
#include "loader/write/facts.h"
#include "loader/write/write.h"
#include "tests/unit/profile_fixture.h"
#include "tests/unit/wellformed.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "tests/unit/golden.h"

static void equals_the_golden_files(void **state)
{
    (void)state;
    struct profile *p = fixture_small();
    struct pxi_buf out = { 0 };
    write_queries_json(p, &out);
    assert_true(is_json(out.data));
    golden_check("write/queries.json", &out);
    pxi_buf_clear(&out);
    write_meta_json(p, &out);
    assert_true(is_json(out.data));
    golden_check("write/meta.json", &out);
    pxi_buf_free(&out);
    profile__free(p);
}

static void is_json_whatever_the_names(void **state)
{
    (void)state;
    void (*const writers[])(const struct profile *,
                            struct pxi_buf *) = { write_queries_json, write_meta_json,
                                                  write_summary_json, write_dhat };
    struct profile *empty = profile__new();
    profile__finish(empty, 1);
    struct profile *profiles[] = { fixture_hostile(), fixture_server(), empty };
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < sizeof writers / sizeof *writers; k++) {
            struct pxi_buf out = { 0 };
            writers[k](profiles[i], &out);
            assert_true(pxi_buf_ok(&out) && is_json(out.data));
            pxi_buf_free(&out);
        }
        profile__free(profiles[i]);
    }
}

/* An operation that was sampled but did not finish is there too, with no calls. */
static void unfinished_operations_are_listed(void **state)
{
    (void)state;
    struct profile *p = profile__new();
    uint32_t op = profile__op(p, PRAX_USDT_QUERY_ONE, "User", NULL, 0, 0);
    profile__cpu(p, 0, 0, 0, op, PRAX_PHASE_BUILD);
    profile__op(p, PRAX_USDT_QUERY_ONE, "Unseen", NULL, 0, 0);
    profile__finish(p, 1);
    struct pxi_buf out = { 0 };
    write_queries_json(p, &out);
    assert_non_null(strstr(out.data, "\"fingerprint\": null"));
    assert_non_null(strstr(out.data, "\"calls\": 0"));
    assert_non_null(strstr(out.data, "\"samples\": 1"));
    assert_null(strstr(out.data, "Unseen"));
    pxi_buf_free(&out);
    profile__free(p);
}

/* The sum of the verbs is that of what the program called; levels of includes stand beside. */
static void nested_ones_count_apart(void **state)
{
    (void)state;
    struct profile *p = profile__new();
    uint32_t op = profile__op(p, PRAX_USDT_QUERY_MANY, "User", NULL, 0, 1);
    uint32_t level = profile__op(p, PRAX_USDT_QUERY_MANY, "Post", NULL, 0, 2);
    uint32_t one = profile__op(p, PRAX_USDT_QUERY_ONE, "Post", NULL, 0, 3);
    profile__query(
        p, level, 0,
        &(struct pxb_query){ .duration_ns = 300, .rows = 5, .op_id = 2, .parent_id = 1 });
    profile__query(p, op, 0, &(struct pxb_query){ .duration_ns = 1000, .rows = 2, .op_id = 1 });
    profile__query(p, one, 0, &(struct pxb_query){ .duration_ns = 50, .rows = 1, .op_id = 3 });
    profile__finish(p, 1);
    struct pxi_buf out = { 0 };
    struct pxi_json j = { .out = &out };
    queries__json(&j, p);
    assert_non_null(strstr(out.data, "\"total\":{\"calls\":2,\"errors\":0,\"rows\":3,"
                                     "\"time_ns\":1050,\"nested\":{\"calls\":1,\"errors\":0,"
                                     "\"rows\":5,\"time_ns\":300}}"));
    assert_non_null(strstr(out.data, "\"query_many\":{\"calls\":1,\"errors\":0,\"rows\":2,"
                                     "\"time_ns\":1000,\"nested\":{\"calls\":1,\"errors\":0,"
                                     "\"rows\":5,\"time_ns\":300}}"));
    assert_non_null(strstr(out.data, "\"query_one\":{\"calls\":1,\"errors\":0,\"rows\":1,"
                                     "\"time_ns\":50,\"nested\":{\"calls\":0"));
    pxi_buf_free(&out);
    profile__free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_golden_files),
        cmocka_unit_test(is_json_whatever_the_names),
        cmocka_unit_test(unfinished_operations_are_listed),
        cmocka_unit_test(nested_ones_count_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

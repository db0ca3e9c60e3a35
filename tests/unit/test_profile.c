/* test_profile.c - finding and making, operations, query statistics. */
#include "tests/unit/profile_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void finds_what_it_made(void **state)
{
    (void)state;
    struct profile *p = profile__new();
    uint8_t id[] = { 1, 2, 3 }, other[] = { 1, 2, 4 };
    uint32_t m = profile__module(p, "/a", NULL, id, sizeof id);
    assert_int_equal(m, 1);
    assert_int_equal(profile__module(p, "/a", "/proc/1/root/a", id, sizeof id), m);
    assert_string_equal(p->modules[m].opener, "/proc/1/root/a");
    assert_int_equal(profile__module(p, "/a", NULL, other, sizeof other), 2);
    assert_int_equal(profile__module(p, "/a", NULL, NULL, 0), 3);
    uint32_t f = profile__frame(p, m, 0x10, false, false);
    assert_int_equal(profile__frame(p, m, 0x10, false, false), f);
    assert_int_not_equal(profile__frame(p, m, 0x10, false, true), f);
    assert_int_not_equal(profile__frame(p, m, 0x10, true, false), f);
    uint32_t frames[] = { f, 2, 3 };
    uint32_t s = profile__stack(p, frames, 3, PXB_END_OK, false);
    assert_int_equal(profile__stack(p, frames, 3, PXB_END_OK, false), s);
    assert_int_not_equal(profile__stack(p, frames, 2, PXB_END_OK, false), s);
    assert_int_not_equal(profile__stack(p, frames, 3, PXB_END_FAULT, false), s);
    assert_int_equal(p->stacks[s].frames[2], 3);
    assert_int_equal(profile__stack(p, frames, 0, PXB_END_NONE, false), 4);
    assert_true(profile__ok(p));
    profile__free(p);
}

static void tells_processes_apart(void **state)
{
    (void)state;
    struct profile *p = profile__new();
    uint32_t a = profile__process(p, 10, "", 5);
    assert_int_equal(profile__process(p, 10, "a-name-far-beyond-the-limit", 5), a);
    assert_string_equal(p->processes[a].comm, "a-name-far-beyo");
    assert_int_equal(profile__process(p, 10, "", 5), a);
    assert_string_equal(p->processes[a].comm, "a-name-far-beyo");
    assert_int_not_equal(profile__process(p, 10, "reused", 6), a);
    profile__free(p);
}

static void knows_operations_by_fingerprint(void **state)
{
    (void)state;
    struct profile *p = profile__new();
    uint32_t early = profile__op(p, PRAX_USDT_QUERY_ONE, "User", NULL, 0, 0);
    uint32_t a = profile__op(p, PRAX_USDT_QUERY_ONE, "User", NULL, 0, 77);
    assert_int_not_equal(early, a);
    assert_null(p->ops[a].sql);
    assert_int_equal(profile__op(p, PRAX_USDT_QUERY_ONE, "User", "SELECT 1", 8, 77), a);
    assert_string_equal(p->ops[a].sql, "SELECT 1");
    assert_int_not_equal(profile__op(p, PRAX_USDT_QUERY_MANY, "User", "SELECT 1", 8, 77), a);
    uint32_t raw = profile__op(p, PRAX_USDT_RAW_QUERY, NULL, NULL, 0, 5);
    assert_string_equal(p->ops[raw].model, "");
    profile__free(p);
}

static void counts_samples_by_key(void **state)
{
    (void)state;
    struct profile *p = profile__new();
    for (int i = 0; i < 5; i++)
        profile__cpu(p, 1, 2, 3, 4, 5);
    profile__cpu(p, 1, 2, 3, 4, 6);
    assert_int_equal(p->n_cpu, 3);
    assert_int_equal(p->cpu[1].count, 5);
    assert_int_equal(p->cpu[2].count, 1);
    profile__free(p);
}

static void sums_queries(void **state)
{
    (void)state;
    struct profile *p = fixture_small();
    assert_int_equal(p->n_queries, 3);
    const struct query_stats *q = &p->queries[1];
    assert_int_equal(q->calls, 20);
    assert_int_equal(q->rows, 60);
    assert_int_equal(q->ns, 210000);
    assert_int_equal(q->ns_min, 1000);
    assert_int_equal(q->ns_max, 20000);
    assert_int_equal(q->timed, 20);
    assert_int_equal(q->phase_ns[PRAX_PHASE_EXECUTE], 105000);
    assert_int_equal(p->queries[2].errors, 1);
    assert_int_equal(p->n_query_sites, 2);
    assert_int_equal(p->query_sites[1].calls, 20);
    profile__free(p);
}

/* For every magnitude, single values come back within a sixteenth, and ranks are right. */
static void quantiles_are_close(void **state)
{
    (void)state;
    uint64_t random = 99;
    for (int round = 0; round < 2000; round++) {
        uint64_t x = fixture_random(&random) >> (fixture_random(&random) % 64);
        struct profile *p = profile__new();
        fixture_query(p, 0, 0, x, 0, 0);
        p->queries[1].ns_min = 0; /* not clamped: what the bucket says */
        p->queries[1].ns_max = UINT64_MAX;
        uint64_t got = query_stats__quantile(&p->queries[1], 0.5);
        uint64_t off = got > x ? got - x : x - got;
        assert_true(off <= x / 16 + 1);
        profile__free(p);
    }
    struct profile *p = profile__new();
    for (uint64_t i = 1; i <= 1000; i++)
        fixture_query(p, 0, 0, i * 1000, 0, 0);
    const struct query_stats *q = &p->queries[1];
    assert_in_range(query_stats__quantile(q, 0.5), 468000, 532000);
    assert_in_range(query_stats__quantile(q, 0.95), 890000, 1000000);
    assert_in_range(query_stats__quantile(q, 0), 1000, 1063);
    assert_in_range(query_stats__quantile(q, 1), 930000, 1000000);
    assert_int_equal(query_stats__quantile(&(struct query_stats){ 0 }, 0.5), 0);
    profile__free(p);
}

static void buckets_touch(void **state)
{
    (void)state;
    for (unsigned b = 0; b + 1 < 62 * 8; b++)
        assert_true(query_stats__floor(b) < query_stats__floor(b + 1));
    assert_int_equal(query_stats__floor(511), UINT64_MAX);
}

static void has_a_name_for_each_value(void **state)
{
    (void)state;
    assert_string_equal(verb_name(PRAX_USDT_QUERY_MANY), "query_many");
    assert_string_equal(verb_name(PRAX_USDT_RAW_EXECUTE), "raw_sql_execute");
    assert_string_equal(verb_name(0), "none");
    assert_string_equal(verb_name(PRAX_USDT_VERBS - 1), "raw_sql_execute");
    assert_string_equal(verb_name(200), "unknown");
    assert_string_equal(phase_name(PRAX_PHASE_JSON), "json");
    assert_string_equal(phase_name(200), "unknown");
    assert_string_equal(end_name(PXB_END_TRAMPOLINE), "trampoline");
    assert_string_equal(end_name(200), "unknown");
}

static void tells_the_part_that_was_lost(void **state)
{
    (void)state;
    struct profile *p = profile__new();
    assert_true(profile__loss(p) == 0);
    p->meta.counters.samples = 99;
    p->meta.counters.lost[PXB_SAMPLE] = 1;
    double loss = profile__loss(p);
    assert_true(loss > 0.00999 && loss < 0.01001);
    profile__free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_it_made),
        cmocka_unit_test(tells_processes_apart),
        cmocka_unit_test(knows_operations_by_fingerprint),
        cmocka_unit_test(counts_samples_by_key),
        cmocka_unit_test(sums_queries),
        cmocka_unit_test(quantiles_are_close),
        cmocka_unit_test(buckets_touch),
        cmocka_unit_test(has_a_name_for_each_value),
        cmocka_unit_test(tells_the_part_that_was_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_usdt_probe.c - the inside of the interface: when arguments are computed, which verb is
 * which, and whose operation it is now.
 */
#include "usdt/context.h"
#include "usdt/probe.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
/* after those: */
#include <cmocka.h>

static unsigned computed;

static uint64_t compute(void)
{
    return ++computed;
}

static void test_off_computes_nothing(void **state)
{
    (void)state;
    PXI_PROBE(conn__close, compute());
    assert_int_equal(computed, 0);
    prax_conn__close_semaphore = 1;
    assert_true(PXI_PROBE_ON(conn__close));
    PXI_PROBE(conn__close, compute());
    prax_conn__close_semaphore = 0;
    assert_int_equal(computed, 1);
}

static void test_all_off_at_first(void **state)
{
    (void)state;
#define PRAX_VERB(name, text)                  \
    assert_false(PXI_PROBE_ON(name##__start)); \
    assert_false(PXI_PROBE_ON(name##__done));
#define PRAX_PROBE(name, ...) assert_false(PXI_PROBE_ON(name));
#include "usdt/probes.def"
}

static void test_verbs(void **state)
{
    (void)state;
    static const char *const names[PRAX_USDT_VERBS] = {
        [PRAX_USDT_NONE] = "",
        [PRAX_USDT_QUERY_MANY] = "query_many",
        [PRAX_USDT_QUERY_ONE] = "query_one",
        [PRAX_USDT_INSERT] = "execute_insert",
        [PRAX_USDT_UPDATE] = "execute_update",
        [PRAX_USDT_DELETE] = "execute_delete",
        [PRAX_USDT_RAW_QUERY] = "raw_sql_query",
        [PRAX_USDT_RAW_EXECUTE] = "raw_sql_execute",
    };
    for (enum prax_usdt_verb v = 0; v < PRAX_USDT_VERBS; v++) {
        assert_string_equal(pxi_verb_probes[v].name, names[v]);
        assert_false(pxi_verb_done_on(v));
    }
    prax_execute_update__done_semaphore = 1;
    for (enum prax_usdt_verb v = 0; v < PRAX_USDT_VERBS; v++)
        assert_int_equal(pxi_verb_done_on(v), v == PRAX_USDT_UPDATE);
    prax_execute_update__done_semaphore = 0;
    assert_ptr_equal(pxi_verb_probes[PRAX_USDT_DELETE].start, pxp_execute_delete__start);
    assert_ptr_equal(pxi_verb_probes[PRAX_USDT_DELETE].done, pxp_execute_delete__done);
}

/* A record without a verb fires nothing, whatever is on. */
static void test_no_verb(void **state)
{
    (void)state;
    const struct prax_op_record op = { .verb = PRAX_USDT_NONE };
    pxi_verb_start(&op);
    pxi_verb_done(&op, 1);
    assert_null(pxi_verb_probes[PRAX_USDT_NONE].start);
}

static void *other_thread(void *arg)
{
    struct prax_op_record op = { .op_id = 3 };
    *(bool *)arg = pxi_context_swap(&op) == NULL && pxi_context_swap(NULL) == &op;
    return NULL;
}

static void test_context(void **state)
{
    (void)state;
    struct prax_op_record outer = { .op_id = 1 }, inner = { .op_id = 2 };
    bool apart = false;
    pthread_t t;
    assert_null(pxi_context_swap(&outer));
    assert_ptr_equal(pxi_context_swap(&inner), &outer);
    assert_int_equal(pthread_create(&t, NULL, other_thread, &apart), 0);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_true(apart);
    assert_ptr_equal(pxi_context_swap(&outer), &inner);
    assert_ptr_equal(pxi_context_swap(NULL), &outer);
    assert_null(pxi_context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_off_at_first),
        cmocka_unit_test(test_off_computes_nothing),
        cmocka_unit_test(test_verbs),
        cmocka_unit_test(test_no_verb),
        cmocka_unit_test(test_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

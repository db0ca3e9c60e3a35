/* query_fire.c - operations of all verbs in known numbers, with nothing behind them.
 *
 *     query_fire CALLS [THREADS [SPIN_US]]
 *
 * Call i is of verb 1 + i % 7, has i % 10 rows, takes 1 ms by its record where i % 100 is 0 and 1
 * us else, fails with -8 where i % 50 is 0. SPIN_US of CPU time are spent inside each operation.
 * Exit status 5. Says "unheard" on stdout if nobody listened at its start.
 */
#include "usdt/context.h"
#include "usdt/probe.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static unsigned calls, spin_us;

static void spin(void)
{
    struct timespec start;
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    do {
        (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    } while ((now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000 <
             (long)spin_us);
}

__attribute__((noinline)) static void operate(unsigned i)
{
    static const char *const models[] = { "", "User", "Post", "Tag", "User", "Post", "", "" };
    static const char *const sqls[] = { "",         "SELECT many", "SELECT one", "INSERT",
                                        "UPDATE x", "DELETE x",    "raw 1",      "raw 2" };
    uint8_t verb = (uint8_t)(1 + i % 7);
    struct prax_op_record op = { .size = sizeof op,
                                 .version = PRAX_USDT_VERSION,
                                 .verb = verb,
                                 .model = (uintptr_t)models[verb],
                                 .sql = (uintptr_t)sqls[verb],
                                 .fingerprint = 1000u + verb,
                                 .op_id = i };
    while (models[verb][op.model_size])
        op.model_size++;
    while (sqls[verb][op.sql_size])
        op.sql_size++;
    const struct prax_op_record *outer = pxi_context_swap(&op);
    if (spin_us)
        spin();
    op.rows = i % 10;
    op.status = i % 50 ? 0 : -8;
    if (pxi_verb_done_on(verb))
        pxi_verb_done(&op, i % 100 ? 1000 : 1000000);
    pxi_context_swap(outer);
}

static void *run(void *unused)
{
    for (unsigned i = 0; i < calls; i++)
        operate(i);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t threads[16];
    unsigned n = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) % 17 : 1;
    calls = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 12345;
    spin_us = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    if (!pxi_verb_done_on(PRAX_USDT_QUERY_ONE))
        puts("unheard");
    for (unsigned i = 1; i < n; i++) {
        if (pthread_create(&threads[i], NULL, run, NULL))
            return 1;
    }
    run(NULL);
    for (unsigned i = 1; i < n; i++)
        (void)pthread_join(threads[i], NULL);
    return 5;
}

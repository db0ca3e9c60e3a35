/* test_usdt_stats.c - the counters: sums stay exact while threads come and go, a reader at any time
 * sees a sound list, and threads without memory still count.
 */
#include "usdt/stats.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* after those: */
#include <cmocka.h>

enum { WAVES = 50, THREADS = 16, ADDS = 200 };

/* The allocator that stats.c uses, made to fail at will. */
static bool out_of_memory;

void *aligned_alloc(size_t alignment, size_t size)
{
    void *p = NULL;
    if (out_of_memory || posix_memalign(&p, alignment, size) != 0)
        errno = ENOMEM;
    return p;
}

static struct prax_stats *block_at(uint64_t address)
{
    return (struct prax_stats *)(uintptr_t)address;
}

struct sums {
    uint64_t rows, blocks;
    int64_t sessions;
};

static struct sums sum_all(void)
{
    struct sums sum = { 0, 0, 0 };
    uint64_t at = __atomic_load_n(pxi_abi_stats_head(), __ATOMIC_ACQUIRE);
    for (struct prax_stats *s; at; at = s->next) {
        s = block_at(at);
        sum.rows += __atomic_load_n(&s->rows, __ATOMIC_RELAXED);
        sum.sessions += __atomic_load_n(&s->sessions, __ATOMIC_RELAXED);
        sum.blocks++;
    }
    return sum;
}

static void in_thread(void *(*f)(void *), void *arg)
{
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, f, arg), 0);
    assert_int_equal(pthread_join(t, NULL), 0);
}

/* In a child: 0 if f returned true there. */
static int in_child(bool (*f)(void))
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(f() ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static bool count_without_keys(void)
{
    pthread_key_t key;
    while (pthread_key_create(&key, NULL) == 0)
        ;
    return pxi_stats_here() == &pxi_stats_base;
}

/* First of all tests: nobody has claimed a block yet. */
static void test_no_key(void **state)
{
    (void)state;
    assert_int_equal(in_child(count_without_keys), 0);
}

static void test_own_block(void **state)
{
    (void)state;
    struct prax_stats *s = pxi_stats_here();
    assert_ptr_equal(s, pxi_stats_here());
    assert_int_equal(s->tid, gettid());
    assert_int_equal(s->size, sizeof *s);
    assert_int_equal((uintptr_t)s % 64, 0);
    assert_ptr_equal(block_at(s->next), &pxi_stats_base);
    pxi_stats_error(s, -3);
    pxi_stats_error(s, -PRAX_STATS_ERRORS);
    pxi_stats_error(s, 5);
    assert_int_equal(s->errors[3], 1);
    assert_int_equal(s->errors[0], 2);
}

static void *count(void *arg)
{
    (void)arg;
    for (int i = 0; i < ADDS; i++) {
        struct prax_stats *s = pxi_stats_here();
        pxi_stats_add(s, &s->rows, 3);
        pxi_stats_move(s, &s->sessions, i % 2 ? -1 : 1);
    }
    return NULL;
}

static void test_reuse(void **state)
{
    (void)state;
    struct sums before = sum_all();
    for (int i = 0; i < 100; i++)
        in_thread(count, NULL);
    struct sums after = sum_all();
    assert_int_equal(after.rows - before.rows, 100 * ADDS * 3);
    assert_int_equal(after.sessions, before.sessions);
    assert_int_equal(after.blocks - before.blocks, 1);
}

struct watch {
    bool stop; /* atomic */
    bool fell; /* a sum was less than the one before */
    uint64_t looks;
};

static void *watch(void *arg)
{
    struct watch *w = arg;
    uint64_t last = 0;
    while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
        uint64_t rows = sum_all().rows;
        w->fell |= rows < last;
        last = rows;
        w->looks++;
        usleep(100);
    }
    return NULL;
}

static void test_come_and_go(void **state)
{
    (void)state;
    struct watch w = { .stop = false };
    struct sums before = sum_all();
    pthread_t watcher, t[THREADS];
    assert_int_equal(pthread_create(&watcher, NULL, watch, &w), 0);
    for (int wave = 0; wave < WAVES; wave++) {
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&t[i], NULL, count, NULL), 0);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_join(t[i], NULL), 0);
    }
    __atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(watcher, NULL), 0);
    struct sums after = sum_all();
    assert_int_equal(after.rows - before.rows, WAVES * THREADS * ADDS * 3);
    assert_int_equal(after.sessions, before.sessions);
    assert_true(after.blocks <= before.blocks + THREADS);
    assert_true(w.looks > 0);
    assert_false(w.fell);
}

static pthread_barrier_t together;

static void *claim_together(void *arg)
{
    struct prax_stats **out = arg;
    *out = pxi_stats_here();
    pthread_barrier_wait(&together);
    return NULL;
}

static void test_one_each(void **state)
{
    (void)state;
    pthread_t t[THREADS];
    struct prax_stats *s[THREADS];
    assert_int_equal(pthread_barrier_init(&together, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&t[i], NULL, claim_together, &s[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_ptr_not_equal(s[i], &pxi_stats_base);
        assert_ptr_not_equal(s[i], pxi_stats_here());
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(s[i], s[j]);
    }
}

static void *hold_block(void *arg)
{
    pxi_stats_here();
    pthread_barrier_wait(arg);
    pthread_barrier_wait(arg);
    return NULL;
}

static void *count_shared(void *arg)
{
    *(bool *)arg &= pxi_stats_here() == &pxi_stats_base;
    return count(NULL);
}

/* All blocks are taken and there is no memory for more: several threads share the first. */
static void test_out_of_memory(void **state)
{
    (void)state;
    pthread_t holders[2 * THREADS], t[4];
    pthread_barrier_t held;
    bool shared[4] = { true, true, true, true };
    pthread_barrier_init(&held, NULL, 2 * THREADS + 1);
    for (int i = 0; i < 2 * THREADS; i++)
        assert_int_equal(pthread_create(&holders[i], NULL, hold_block, &held), 0);
    pthread_barrier_wait(&held);
    struct sums before = sum_all();
    out_of_memory = true;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, count_shared, &shared[i]), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(t[i], NULL), 0);
    out_of_memory = false;
    pthread_barrier_wait(&held);
    for (int i = 0; i < 2 * THREADS; i++)
        assert_int_equal(pthread_join(holders[i], NULL), 0);
    struct sums after = sum_all();
    for (int i = 0; i < 4; i++)
        assert_true(shared[i]);
    assert_int_equal(after.rows - before.rows, 4 * ADDS * 3);
    assert_int_equal(after.sessions, before.sessions);
    assert_int_equal(after.blocks, before.blocks);
    assert_int_equal(pxi_stats_base.tid, 0);
}

static void count_late(void *arg)
{
    (void)arg;
    count(NULL);
}

static void *count_then_late(void *arg)
{
    pthread_setspecific(*(pthread_key_t *)arg, arg);
    return count(NULL);
}

/* A destructor of the program that uses the library after ours has run. */
static void test_late_destructor(void **state)
{
    (void)state;
    pthread_key_t key; /* newer than ours, so its destructor runs later */
    struct sums before = sum_all();
    assert_int_equal(pthread_key_create(&key, count_late), 0);
    for (int i = 0; i < 10; i++)
        in_thread(count_then_late, &key);
    pthread_key_delete(key);
    struct sums after = sum_all();
    assert_int_equal(after.rows - before.rows, 10 * 2 * ADDS * 3);
    assert_int_equal(after.blocks, before.blocks);
}

static uint64_t rows_of_parent;

static bool count_on(void)
{
    struct sums before = sum_all();
    struct prax_stats *s = pxi_stats_here();
    if (before.rows != rows_of_parent || s->tid != (uint32_t)gettid())
        return false;
    count(NULL);
    in_thread(count, NULL);
    return sum_all().rows == rows_of_parent + 2 * ADDS * 3 && sum_all().blocks == before.blocks;
}

static void test_fork(void **state)
{
    (void)state;
    pxi_stats_here();
    rows_of_parent = sum_all().rows;
    assert_int_equal(in_child(count_on), 0);
    assert_int_equal(sum_all().rows, rows_of_parent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_key),          cmocka_unit_test(test_own_block),
        cmocka_unit_test(test_reuse),           cmocka_unit_test(test_come_and_go),
        cmocka_unit_test(test_one_each),        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_late_destructor), cmocka_unit_test(test_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_arena.c - orm/base/arena.h. */
#include "orm/base/arena.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

struct counter {
    size_t calls;
    int64_t live;
};

static void *counted(void *ctx, void *p, size_t old_size, size_t size)
{
    struct counter *c = ctx;
    c->calls++;
    c->live += (int64_t)size - (int64_t)(p ? old_size : 0);
    if (size)
        return realloc(p, size);
    free(p);
    return NULL;
}

static void test_alignment_and_contents(void **state)
{
    (void)state;
    struct pxi_arena a;
    pxi_arena_init(&a, NULL, 0);
    unsigned char *all[500];
    for (size_t i = 0; i < 500; i++) {
        size_t align = (size_t)1 << i % 5;
        all[i] = pxi_arena_get(&a, i, align);
        assert_non_null(all[i]); /* 0 bytes, too */
        assert_int_equal((uintptr_t)all[i] % align, 0);
        memset(all[i], (int)i & 0xff, i);
    }
    for (size_t i = 0; i < 500; i++) /* nobody wrote into another's bytes */
        for (size_t k = 0; k < i; k++)
            assert_int_equal(all[i][k], i & 0xff);
    assert_string_equal(pxi_arena_text(&a, "abcdef", 3), "abc");
    const char *zero = pxi_arena_zero(&a, 10, 10);
    for (int i = 0; i < 100; i++)
        assert_int_equal(zero[i], 0);
    pxi_arena_free(&a);
}

static void test_join_and_lend(void **state)
{
    (void)state;
    struct counter c = { 0 };
    const prax_alloc alloc = { counted, &c };
    struct pxi_arena a, b;
    pxi_arena_init(&a, &alloc, 0);
    char *old = pxi_arena_text(&a, "old", 3);
    struct pxi_mark mark = pxi_arena_mark(&a);
    for (int round = 0; round < 3; round++) {
        size_t calls = c.calls;
        pxi_arena_init(&b, &alloc, 0);
        pxi_arena_lend(&b, &a);
        char *text[200];
        for (int i = 0; i < 200; i++)
            text[i] = pxi_arena_copy(&b, "0123456789", 11);
        for (int i = 0; i < 200; i++)
            assert_non_null(pxi_arena_get(&b, 1000, 16));
        pxi_arena_join(&a, &b);
        assert_int_equal(a.held, c.live);
        assert_int_equal(b.held, 0);
        assert_null(b.block);
        for (int i = 0; i < 200; i++)
            assert_string_equal(text[i], "0123456789");
        assert_non_null(pxi_arena_get(&a, 100, 16)); /* on top of what came */
        pxi_arena_release(&a, mark);
        assert_string_equal(old, "old");
        assert_true(round == 0 || c.calls == calls);
    }
    pxi_arena_init(&b, &alloc, 0);
    pxi_arena_join(&b, &a); /* into one that is empty */
    assert_string_equal(old, "old");
    pxi_arena_join(&b, &a); /* of one that is */
    pxi_arena_free(&b);
    assert_int_equal(c.live, 0);
}

static void test_marks_reuse(void **state)
{
    (void)state;
    struct counter c = { 0 };
    const prax_alloc alloc = { counted, &c };
    struct pxi_arena a;
    pxi_arena_init(&a, &alloc, 0);
    size_t warm = 0;
    for (int round = 0; round < 4; round++) {
        struct pxi_mark m = pxi_arena_mark(&a);
        for (size_t i = 0; i < 3000; i++)
            assert_non_null(pxi_arena_get(&a, 1000, 8));
        assert_non_null(pxi_arena_get(&a, 5 << 20, 8)); /* larger than any block */
        pxi_arena_release(&a, m);
        if (round == 0)
            warm = c.calls;
    }
    assert_int_equal(c.calls, warm);
    struct pxi_mark outer = pxi_arena_mark(&a);
    char *first = pxi_arena_get(&a, 8, 8);
    struct pxi_mark inner = pxi_arena_mark(&a);
    pxi_arena_get(&a, 8, 8);
    pxi_arena_release(&a, inner);
    assert_ptr_equal(pxi_arena_get(&a, 8, 8), first + 8);
    pxi_arena_release(&a, outer);
    assert_ptr_equal(pxi_arena_get(&a, 8, 8), first);
    pxi_arena_free(&a);
    assert_int_equal(c.live, 0);
}

/* A large arena that holds much takes 2 MiB at once, from malloc too; another one does not. */
static void test_large(void **state)
{
    (void)state;
    for (int large = 0; large < 2; large++) {
        struct pxi_arena a;
        size_t most = 0;
        pxi_arena_init(&a, NULL, 0);
        a.large = large;
        for (int i = 0; i < 20000; i++) {
            size_t before = a.held;
            char *p = pxi_arena_get(&a, 1024, 16);
            assert_non_null(p);
            memset(p, i, 1024);
            most = a.held - before > most ? a.held - before : most;
        }
        assert_int_equal(most, large ? PXI_ARENA_LARGE : PXI_ARENA_BLOCK);
        pxi_arena_free(&a);
    }
}

static void test_limit(void **state)
{
    (void)state;
    struct pxi_arena a;
    pxi_arena_init(&a, NULL, 10000);
    size_t got = 0;
    while (pxi_arena_get(&a, 100, 8))
        got += 100;
    assert_true(a.full && a.over);
    assert_in_range(got, 8000, 10000);
    assert_true(a.held <= 10000);
    assert_null(pxi_arena_get(&a, SIZE_MAX - 4, 8));
    assert_null(pxi_arena_zero(&a, SIZE_MAX / 2, 3));
    assert_null(pxi_arena_text(&a, "", SIZE_MAX));
    pxi_arena_free(&a);
}

static void test_extend(void **state)
{
    (void)state;
    struct pxi_arena a;
    pxi_arena_init(&a, NULL, 0);
    char *p = pxi_arena_get(&a, 10, 16);
    memcpy(p, "0123456789", 10);
    assert_ptr_equal(pxi_arena_extend(&a, p, 10, 100), p); /* the last one grows in place */
    pxi_arena_get(&a, 1, 1);
    char *q = pxi_arena_extend(&a, p, 100, 200);
    assert_ptr_not_equal(q, p);
    assert_memory_equal(q, "0123456789", 10);
    assert_non_null(pxi_arena_extend(&a, NULL, 0, 50));
    pxi_arena_free(&a);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_alignment_and_contents),
    cmocka_unit_test(test_join_and_lend),
    cmocka_unit_test(test_marks_reuse),
    cmocka_unit_test(test_large),
    cmocka_unit_test(test_limit),
    cmocka_unit_test(test_extend),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_map.c - orm/base/map.h. */
#include "orm/base/map.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

static void test_many_keys(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct pxi_map m;
    pxi_map_init(&m);
    assert_null(pxi_map_get(&m, "x", 1));
    for (uintptr_t i = 1; i <= N; i++) {
        bool is_new;
        uint32_t key = (uint32_t)i * 2654435761u;
        struct pxi_map_entry *e = pxi_map_put(&m, &key, sizeof key, &is_new);
        assert_non_null(e);
        assert_true(is_new);
        e->value = (void *)i;
    }
    for (uintptr_t i = 1; i <= N; i++) {
        uint32_t key = (uint32_t)i * 2654435761u;
        const struct pxi_map_entry *e = pxi_map_get(&m, &key, sizeof key);
        assert_non_null(e);
        assert_int_equal((uintptr_t)e->value, i);
        assert_int_equal((uintptr_t)m.entries[i - 1].value, i); /* order of insertion */
    }
    assert_int_equal(m.count, N);
    pxi_map_free(&m);
    assert_int_equal(m.count, 0);
}

static void test_keys_are_copied_and_exact(void **state)
{
    (void)state;
    struct pxi_map m;
    pxi_map_init(&m);
    char key[4] = "ab";
    bool is_new;
    pxi_map_put(&m, key, 2, &is_new)->value = key;
    key[0] = 'z';
    assert_non_null(pxi_map_get(&m, "ab", 2));
    assert_null(pxi_map_get(&m, "ab", 3)); /* with its NUL: another key */
    assert_null(pxi_map_get(&m, "a", 1));
    assert_non_null(pxi_map_put(&m, "", 0, &is_new));
    assert_true(is_new);
    assert_ptr_equal(pxi_map_put(&m, "ab", 2, &is_new)->value, key);
    assert_false(is_new);
    pxi_map_free(&m);
}

static void test_hash_is_stable(void **state)
{
    (void)state;
    /* XXH3, unseeded: the vectors of its reference implementation for these inputs */
    assert_int_equal(pxi_hash("", 0), 0x2d06800538d394c2u);
    assert_int_equal(pxi_hash("a", 1), 0xe6c632b61e964e1fu);
    assert_int_equal(pxi_hash("abc", 3), 0x78af5f94892f3950u);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_many_keys),
    cmocka_unit_test(test_keys_are_copied_and_exact),
    cmocka_unit_test(test_hash_is_stable),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}

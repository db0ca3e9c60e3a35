/* test_spots.c - to whom time and memory are charged in the summary. */
#include "loader/write/spots.h"
#include "tests/unit/profile_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on

/* A profile with one module, and a stack of names in it, innermost first; "?" has no name. */
struct made {
    struct profile *p;
    uint32_t process, module, library; /* "@name": in the library that records the heap */
};

static struct made make(void)
{
    struct made m = { .p = profile__new() };
    assert_non_null(m.p);
    m.module = profile__module(m.p, "/srv/app", NULL, NULL, 0);
    m.library = profile__module(m.p, "/usr/lib/prax/libprax-heap.so", NULL, NULL, 0);
    m.process = profile__process(m.p, 1, "app", 0);
    return m;
}

static uint32_t stack_of(struct made *m, const char *names, bool kernel)
{
    uint32_t frames[64], n = 0;
    char name[128];
    for (; *names && n < 64; names += *names == '<') {
        size_t size = strcspn(names, "<");
        snprintf(name, sizeof name, "%.*s", (int)size, names);
        const bool ours = *name == '@'; /* of the library in front */
        memmove(name, name + ours, sizeof name - ours);
        struct fixture_name list[] = { { name, NULL, 0, false }, { 0 } };
        uint64_t address = pxi_hash(name, size) & 0xffff;
        frames[n++] = fixture_frame(m->p, ours ? m->library : m->module, address, kernel,
                                    strcmp(name, "?") == 0 ? NULL : list);
        names += size;
    }
    return profile__stack(m->p, frames, n, PXB_END_OK, kernel);
}

static void sample(struct made *m, const char *user, const char *kernel, uint32_t op, int n)
{
    uint32_t u = *user ? stack_of(m, user, false) : 0, k = *kernel ? stack_of(m, kernel, true) : 0;
    while (n-- > 0)
        profile__cpu(m->p, m->process, u, k, op, 0);
}

static void assert_callers(const struct made *m, const struct spot *s, size_t width,
                           const char *want)
{
    struct pxi_buf out = { 0 };
    spot__callers(&out, m->p, s, width);
    assert_true(pxi_buf_ok(&out));
    assert_string_equal(out.data ? out.data : "", want);
    pxi_buf_free(&out);
}

static void charges_the_innermost_named_user_function(void **state)
{
    (void)state;
    struct made m = make();
    struct spots s;
    sample(&m, "?<sqlite3_step<run<main<__libc_start_main", "", 0, 3);
    sample(&m, "sqlite3_step<run<main<__libc_start_main", "vfs_read<do_syscall_64", 0, 2);
    sample(&m, "?", "", 0, 1);
    sample(&m, "", "kworker", 0, 1);
    assert_true(spots__cpu(&s, m.p));
    assert_int_equal(s.n, 3);
    assert_int_equal(s.weight, 7);
    assert_int_equal(s.kernel, 3);
    assert_string_equal(s.items[0].name, "sqlite3_step");
    assert_int_equal(s.items[0].weight, 5);
    assert_int_equal(s.items[0].kernel, 2);
    assert_callers(&m, &s.items[0], 80, "< run < main");
    assert_string_equal(s.items[1].name, "[kernel]");
    assert_int_equal(strncmp(s.items[2].name, "app+0x", 6), 0);
    assert_callers(&m, &s.items[2], 80, "");
    spots__free(&s);
    profile__free(m.p);
}

static void tells_queries_apart_and_merges_the_same(void **state)
{
    (void)state;
    struct made m = make();
    struct spots s;
    uint32_t many = profile__op(m.p, PRAX_USDT_QUERY_MANY, "Post", NULL, 0, 1);
    uint32_t one = profile__op(m.p, PRAX_USDT_QUERY_ONE, "User", NULL, 0, 2);
    uint32_t none = profile__op(m.p, 0, NULL, NULL, 0, 0);
    sample(&m, "copy<list<main", "", many, 2);
    sample(&m, "copy<export<main", "", many, 3);
    sample(&m, "copy<show<main", "", one, 4);
    sample(&m, "copy<show<main", "", none, 1);
    assert_true(spots__cpu(&s, m.p));
    assert_int_equal(s.n, 3);
    assert_int_equal(s.items[0].op, many);
    assert_int_equal(s.items[0].weight, 5);
    assert_callers(&m, &s.items[0], 80, "< export < main"); /* the heaviest of both */
    assert_int_equal(s.items[1].op, one);
    assert_int_equal(s.items[2].op, 0); /* an operation without verb and model is no query */
    spots__free(&s);
    profile__free(m.p);
}

static void keeps_its_own_probes_apart(void **state)
{
    (void)state;
    struct made m = make();
    struct spots s;
    sample(&m, "malloc<run<main", "irqentry_exit_to_user_mode<asm_exc_int3", 0, 5);
    sample(&m, "malloc<run<main", "handle_syscall_uprobe<__do_sys_uprobe<do_syscall_64", 0, 1);
    sample(&m, "run<main", "vfs_read", 0, 2);
    sample(&m, "clock_gettime<@write_event<@malloc<run<main", "", 0, 3);
    sample(&m, "@?<@free<run<main", "", 0, 1);
    sample(&m, "_int_malloc<__libc_malloc<@malloc<run<main", "", 0, 4); /* the program's */
    sample(&m, "@free<run<main", "", 0, 1);                             /* the same */
    assert_true(spots__cpu(&s, m.p));
    assert_int_equal(s.n, 3);
    assert_int_equal(s.probes, 10);
    assert_int_equal(s.weight, 17);
    assert_string_equal(s.items[0].name, "_int_malloc");
    assert_int_equal(s.items[1].weight, 2);
    assert_string_equal(s.items[2].name, "free");
    spots__free(&s);
    profile__free(m.p);
}

static void leaves_the_inside_of_the_orm_out(void **state)
{
    (void)state;
    struct made m = make();
    struct spots s;
    sample(&m,
           "sqlite3_step<step<pxi_op_step<find<prax_gen_find_many<blog_post_find_many_with<"
           "list_posts<serve<main<_start",
           "", 0, 1);
    assert_true(spots__cpu(&s, m.p));
    assert_callers(&m, &s.items[0], 80, "< step < ... < list_posts < serve < main");
    assert_callers(&m, &s.items[0], 36, "< step < ... < list_posts < ...");
    assert_callers(&m, &s.items[0], 30, "< step < ...");
    spots__free(&s);
    profile__free(m.p);
}

static void charges_memory_to_who_wanted_it(void **state)
{
    (void)state;
    struct made m = make();
    struct spots s;
    uint32_t a = stack_of(&m, "?<sqlite3Malloc<sqlite3DbMallocRawNN<sqlite3Prepare<list<main", 0);
    uint32_t b = stack_of(&m, "sqlite3Malloc<sqlite3Prepare<show<main", 0);
    uint32_t c = stack_of(&m, "malloc<__strdup<xmalloc", 0);
    fixture_alloc(m.p, PXB_ALLOC, m.process, a, 0, 0x1000, 100, 1);
    fixture_alloc(m.p, PXB_ALLOC, m.process, b, 0, 0x2000, 50, 2);
    fixture_alloc(m.p, PXB_ALLOC, m.process, c, 0, 0x3000, 20, 3);
    fixture_alloc(m.p, PXB_ALLOC, m.process, 0, 0, 0x4000, 10, 3);
    fixture_alloc(m.p, PXB_FREE, m.process, 0, 0, 0x1000, 0, 4);
    profile__finish(m.p, 5);
    assert_true(spots__heap(&s, m.p));
    assert_int_equal(s.n, 3);
    assert_string_equal(s.items[0].name, "sqlite3Prepare");
    assert_int_equal(s.items[0].weight, 150);
    assert_int_equal(s.items[0].blocks, 2);
    assert_int_equal(s.items[0].left, 50);
    assert_callers(&m, &s.items[0], 80, "< list < main");
    assert_string_equal(s.items[1].name, "malloc"); /* nobody else is there */
    assert_string_equal(s.items[2].name, "[no stack]");
    spots__free(&s);
    profile__free(m.p);
}

static void knows_allocators(void **state)
{
    (void)state;
    static const char *const yes[] = { "malloc",
                                       "__libc_malloc",
                                       "__strdup",
                                       "operator new(unsigned long)",
                                       "sqlite3DbMallocZero",
                                       "CRYPTO_zalloc",
                                       "_PyObject_Realloc",
                                       "palloc0" };
    static const char *const no[] = { "", "__", "sqlite3_step", "mallocate", "main", "_Znwm" };
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(is_allocator(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(is_allocator(no[i]));
}

static void survives_hostile_names(void **state)
{
    (void)state;
    struct profile *p = fixture_hostile();
    for (int heap = 0; heap < 2; heap++) {
        struct spots s;
        assert_true(heap ? spots__heap(&s, p) : spots__cpu(&s, p));
        assert_true(s.n > 5);
        for (uint32_t i = 0; i < s.n; i++) {
            struct pxi_buf out = { 0 };
            spot__callers(&out, p, &s.items[i], 70);
            assert_true(pxi_buf_ok(&out) && text__width(out.data ? out.data : "", out.size) <= 70);
            assert_null(strchr(s.items[i].name, '\033'));
            assert_true(!out.data || !strchr(out.data, '\033'));
            pxi_buf_free(&out);
        }
        spots__free(&s);
    }
    profile__free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(charges_the_innermost_named_user_function),
        cmocka_unit_test(tells_queries_apart_and_merges_the_same),
        cmocka_unit_test(keeps_its_own_probes_apart),
        cmocka_unit_test(leaves_the_inside_of_the_orm_out),
        cmocka_unit_test(charges_memory_to_who_wanted_it),
        cmocka_unit_test(knows_allocators),
        cmocka_unit_test(survives_hostile_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

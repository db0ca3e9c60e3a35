/* test_folded.c - cpu.folded and heap.folded. */
#include "loader/write/write.h"
#include "tests/unit/profile_fixture.h"
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
    write_folded(p, WRITE_CPU, &out);
    golden_check("write/cpu.folded", &out);
    pxi_buf_clear(&out);
    write_folded(p, WRITE_HEAP, &out);
    golden_check("write/heap.folded", &out);
    pxi_buf_free(&out);
    profile__free(p);
}

/* Whatever the names are: one line a stack, a count at its end, valid UTF-8, no control characters.
 */
static void hostile_names_stay_on_their_line(void **state)
{
    (void)state;
    struct profile *p = fixture_hostile();
    struct pxi_buf out = { 0 };
    write_folded(p, WRITE_CPU, &out);
    unsigned lines = 0;
    for (char *line = strtok(out.data, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        char *count = strrchr(line, ' ');
        assert_non_null(count);
        assert_int_equal(strspn(count + 1, "0123456789"), strlen(count + 1));
        for (const char *c = line; *c; c++)
            assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
        unsigned frames = 1;
        for (const char *c = line; *c; c++)
            frames += *c == ';';
        assert_int_equal(frames, 6); /* comm, query, mark, one without a name, two names */
        assert_true(strlen(line) < 4096);
    }
    assert_int_equal(lines, p->n_cpu - 1);
    pxi_buf_free(&out);
    profile__free(p);
}

/* The order in which things were seen does not show. */
static void order_is_by_name(void **state)
{
    (void)state;
    struct pxi_buf text[2] = { { 0 }, { 0 } };
    for (int turn = 0; turn < 2; turn++) {
        struct profile *p = profile__new();
        uint32_t m = profile__module(p, "/a", NULL, NULL, 0);
        uint32_t process = profile__process(p, 1, "c", 0);
        for (int i = 0; i < 20; i++) {
            char name[8];
            snprintf(name, sizeof name, "f%d", turn ? 19 - i : i);
            uint32_t f = fixture_named(p, m, name);
            uint32_t s = profile__stack(p, &f, 1, PXB_END_OK, false);
            profile__cpu(p, process, s, 0, 0, 0);
        }
        profile__finish(p, 1);
        write_folded(p, WRITE_CPU, &text[turn]);
        profile__free(p);
    }
    assert_int_equal(text[0].size, text[1].size);
    assert_memory_equal(text[0].data, text[1].data, text[0].size);
    pxi_buf_free(&text[0]);
    pxi_buf_free(&text[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_golden_files),
        cmocka_unit_test(hostile_names_stay_on_their_line),
        cmocka_unit_test(order_is_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_purpose.c - what libprax allocates for, in every view of the heap and after a recording was
 * saved and loaded. */
#include "loader/write/facts.h"
#include "loader/write/spots.h"
#include "tests/unit/profile_fixture.h"
#include "tests/unit/wellformed.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

struct made {
    struct profile *p;
    uint32_t process, stack, cut, op;
};

/* main calls find, find calls the ORM, which asks for a block. */
static struct made make(void)
{
    struct made m = { .p = profile__new() };
    assert_non_null(m.p);
    fixture_meta(m.p);
    m.p->meta.with_heap = HEAP_OF_ORM;
    m.process = profile__process(m.p, 1, "app", 0);
    uint32_t module = profile__module(m.p, "/srv/app", NULL, NULL, 0);
    uint32_t frames[] = { fixture_named(m.p, module, "pxp_alloc"),
                          fixture_named(m.p, module, "heap_realloc"),
                          fixture_named(m.p, module, "pxi_op_row"),
                          fixture_named(m.p, module, "find"), fixture_named(m.p, module, "main") };
    m.stack = profile__stack(m.p, frames, 5, PXB_END_OK, false);
    m.cut = profile__stack(m.p, frames, 4, PXB_END_NO_ROW, false);
    m.op = profile__op(m.p, PRAX_USDT_QUERY_MANY, "User", "SELECT 1", 8, 0xe57c940ab288c66c);
    return m;
}

static void take(struct made *m, uint32_t stack, uint32_t purpose, uint32_t op, uint64_t addr,
                 uint64_t size)
{
    fixture_alloc(m->p, PXB_ALLOC, m->process, profile__purpose_stack(m->p, stack, purpose), op,
                  addr, size, m->p->meta.start_ns + addr);
}

static struct made filled(void)
{
    struct made m = make();
    take(&m, m.stack, PRAX_PURPOSE_ROWS, m.op, 16, 4096);
    take(&m, m.stack, PRAX_PURPOSE_SCRATCH, m.op, 32, 1024);
    take(&m, m.cut, PRAX_PURPOSE_ROWS, 0, 48, 100);
    take(&m, 0, 200, 0, 64, 7); /* of a program that knows more than we do, without a stack */
    fixture_alloc(m.p, PXB_FREE, m.process, 0, 0, 32, 0, m.p->meta.start_ns + 100);
    m.p->heap.held_before.bytes[PRAX_PURPOSE_PLANS] = 2048;
    m.p->heap.held_before.blocks[PRAX_PURPOSE_PLANS] = 2;
    profile__finish(m.p, m.p->meta.start_ns + 1000);
    assert_true(profile__ok(m.p));
    return m;
}

static void folded_has_it_behind_the_query(void **state)
{
    (void)state;
    struct made m = filled();
    struct pxi_buf out = { 0 };
    write_folded(m.p, WRITE_HEAP, &out);
    assert_string_equal(
        out.data, "app;prax:other 7\n"
                  "app;prax:rows;[stack ends: no_row];find;pxi_op_row;heap_realloc;pxp_alloc 100\n"
                  "app;query:query_many User;prax:rows;main;find;pxi_op_row;heap_realloc;pxp_alloc "
                  "4096\n"
                  "app;query:query_many User;prax:scratch;main;find;pxi_op_row;heap_realloc;"
                  "pxp_alloc 1024\n");
    pxi_buf_free(&out);
    profile__free(m.p);
}

static void contains(const struct pxi_buf *out, const char *text)
{
    if (!strstr(out->data, text))
        fail_msg("not in there: %s\n%s", text, out->data);
}

static void heap_txt_sums_by_purpose(void **state)
{
    (void)state;
    struct made m = filled();
    struct pxi_buf out = { 0 };
    write_heap_txt(m.p, &out);
    contains(&out, "note: what libprax itself allocates");
    contains(&out, "Held before the recording, as the program itself counts\n"
                   "prax:plans            2.00 KiB      in 2 blocks\n\nBy purpose\n");
    contains(&out, "By purpose\n"
                   "  1. 4.10 KiB (80.3 %) in 2 blocks (2.00 M/s), peak 4.10 KiB,\n"
                   "     4.10 KiB at the global peak, 4.10 KiB left in 2, mean life ");
    contains(&out, "       query: query_many User e57c940ab288c66c\n"
                   "       prax:rows\n"
                   "       pxi_op_row\n"
                   "       find\n");
    write_leaks_txt(m.p, &out);
    contains(&out, "Never freed by app (pid 1): 4.10 KiB in 3 blocks");
    contains(&out, " old\n       query: query_many User e57c940ab288c66c\n       prax:rows\n");
    pxi_buf_free(&out);
    profile__free(m.p);
}

static void dhat_has_it_as_a_root(void **state)
{
    (void)state;
    struct made m = filled();
    struct pxi_buf out = { 0 };
    write_dhat(m.p, &out);
    assert_true(is_json(out.data));
    contains(&out, "\"prax:rows\"");
    contains(&out, "\"query: query_many User e57c940ab288c66c\"");
    assert_null(strstr(out.data, "(in [prax])"));
    pxi_buf_free(&out);
    profile__free(m.p);
}

static void json_names_purpose_and_query(void **state)
{
    (void)state;
    struct made m = filled();
    struct pxi_buf out = { 0 };
    struct pxi_json j = { .out = &out };
    heap__json(&j, m.p);
    assert_true(pxi_buf_ok(&out) && is_json(out.data));
    contains(&out, "\"of\":\"orm\"");
    contains(&out, "\"query\":\"query_many User\",\"verb\":\"query_many\",\"model\":\"User\","
                   "\"fingerprint\":\"e57c940ab288c66c\",\"purpose\":\"prax:rows\",\"stack\":["
                   "\"pxp_alloc\",\"heap_realloc\",\"pxi_op_row\",\"find\",\"main\"]");
    contains(&out, "\"query\":null,\"verb\":null,\"model\":null,\"fingerprint\":null}");
    contains(&out, "\"held_before\":[{\"purpose\":\"prax:plans\",\"bytes\":2048,\"blocks\":2}],"
                   "\"held_at_end\":[]");
    contains(&out, "\"purposes\":[{\"bytes\":4196,\"blocks\":2,");
    pxi_buf_free(&out);
    profile__free(m.p);
}

static void a_spot_is_a_purpose_and_its_callers(void **state)
{
    (void)state;
    struct made m = filled();
    struct spots s;
    struct pxi_buf out = { 0 };
    assert_true(spots__heap(&s, m.p));
    assert_string_equal(s.items[0].name, "prax:rows");
    assert_int_equal(s.items[0].op, m.op);
    spot__callers(&out, m.p, &s.items[0], 80);
    assert_string_equal(out.data, "< pxi_op_row < find < main");
    pxi_buf_free(&out);
    spots__free(&s);
    profile__free(m.p);
}

static void a_recording_keeps_it(void **state)
{
    (void)state;
    struct made m = filled();
    struct profile *loaded;
    const char *why = "";
    struct pxi_buf a = { 0 }, b = { 0 };
    int fd = memfd_create("recording", 0);
    assert_int_equal(profile__save(m.p, fd, &why), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(profile__load(&loaded, fd, &why), 0);
    write_heap_txt(m.p, &a);
    write_heap_txt(loaded, &b);
    assert_string_equal(a.data, b.data);
    pxi_buf_free(&a);
    pxi_buf_free(&b);
    close(fd);
    profile__free(loaded);
    profile__free(m.p);
}

/* A stack that is as deep as stacks get loses its outermost frame to it, and no memory is hurt. */
static void the_deepest_stack_has_room(void **state)
{
    (void)state;
    struct made m = make();
    uint32_t frames[PXB_FRAMES_MAX + 8];
    for (uint32_t i = 0; i < PXB_FRAMES_MAX + 8; i++)
        frames[i] = profile__frame(m.p, 1, 1000 + i, false, false);
    uint32_t deep = profile__stack(m.p, frames, PXB_FRAMES_MAX + 8, PXB_END_TRUNCATED, false);
    uint32_t with = profile__purpose_stack(m.p, deep, PRAX_PURPOSE_PLANS);
    assert_int_equal(m.p->stacks[with].n, PXB_FRAMES_MAX + 1);
    assert_int_not_equal(stack__purpose(m.p, with), 0);
    assert_int_equal(stack__purpose(m.p, deep), 0);
    assert_int_equal(stack__purpose(m.p, 0), 0);
    assert_int_equal(profile__purpose_stack(m.p, deep, PRAX_PURPOSE_PLANS), with);
    profile__free(m.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folded_has_it_behind_the_query),
        cmocka_unit_test(heap_txt_sums_by_purpose),
        cmocka_unit_test(dhat_has_it_as_a_root),
        cmocka_unit_test(json_names_purpose_and_query),
        cmocka_unit_test(a_spot_is_a_purpose_and_its_callers),
        cmocka_unit_test(a_recording_keeps_it),
        cmocka_unit_test(the_deepest_stack_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

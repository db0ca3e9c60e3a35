/* test_svg.c - flamegraph.svg: well-formed whatever the names, widths that add up, nothing fetched.
 */
#include "loader/write/flamegraph.h"
#include "loader/write/write.h"
#include "tests/unit/profile_fixture.h"
#include "tests/unit/wellformed.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "tests/unit/golden.h"

static struct pxi_buf graph(struct profile *p, enum write_weight weight)
{
    struct pxi_buf out = { 0 };
    write_flamegraph(p, weight, &out);
    assert_true(pxi_buf_ok(&out) && out.size);
    profile__free(p);
    return out;
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

static void is_well_formed(void **state)
{
    (void)state;
    struct profile *empty = profile__new();
    profile__finish(empty, 1);
    struct pxi_buf graphs[] = {
        graph(fixture_small(), WRITE_CPU),    graph(fixture_small(), WRITE_HEAP_LIVE),
        graph(fixture_server(), WRITE_CPU),   graph(fixture_hostile(), WRITE_CPU),
        graph(fixture_hostile(), WRITE_HEAP), graph(empty, WRITE_CPU)
    };
    for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++) {
        assert_true(is_xml(graphs[i].data));
        assert_int_equal(count(graphs[i].data, "<script>"), 1);
        assert_int_equal(count(graphs[i].data, "]]>"), 1);
        /* namespaces are the only addresses in it */
        assert_int_equal(count(graphs[i].data, "http"),
                         count(graphs[i].data, "http://www.w3.org/2000/svg") +
                             count(graphs[i].data, "http://www.w3.org/1999/xhtml"));
        assert_int_equal(count(graphs[i].data, "href"), 0);
        assert_int_equal(count(graphs[i].data, "url("), 0);
        pxi_buf_free(&graphs[i]);
    }
}

static void equals_the_golden_file(void **state)
{
    (void)state;
    struct pxi_buf out = graph(fixture_small(), WRITE_CPU);
    char *script = strstr(out.data, "<script>"), *style = strstr(out.data, "<style>");
    char *style_end = strstr(out.data, "</style>");
    assert_true(script && style && style_end);
    struct pxi_buf body = { 0 }; /* without style and script, which change more often */
    pxi_buf_add(&body, out.data, (size_t)(style - out.data));
    pxi_buf_add(&body, style_end, (size_t)(script - style_end));
    pxi_buf_char(&body, '\n');
    golden_check("write/flamegraph.body", &body);
    pxi_buf_free(&body);
    pxi_buf_free(&out);
}

/* Frames of a row do not overlap, lie inside their parents, and the first row is all. */
static void frames_nest(void **state)
{
    (void)state;
    struct pxi_buf out = graph(fixture_server(), WRITE_CPU);
    uint64_t start[256] = { 0 }, end[256] = { 0 }, first = 0, total;
    unsigned frames = 0;
    assert_int_equal(sscanf(strstr(out.data, "data-total=\""), "data-total=\"%lu\"", &total), 1);
    for (const char *at = out.data; (at = strstr(at, "data-f=\"")); at++, frames++) {
        uint64_t x, w, d;
        assert_int_equal(sscanf(at, "data-f=\"%lu %lu %lu\"", &x, &w, &d), 3);
        assert_true(d < 255 && w > 0 && x >= end[d]);
        if (d)
            assert_true(x >= start[d - 1] && x + w <= end[d - 1]);
        start[d] = x;
        end[d] = x + w;
        first += d == 0 ? w : 0;
    }
    assert_true(frames > 100);
    assert_int_equal(first, total);
    pxi_buf_free(&out);
}

/* 20,000 functions of one sample each under a heavy one: left out, counted, and still a small file.
 */
static void tiny_frames_are_left_out_and_counted(void **state)
{
    (void)state;
    struct profile *p = profile__new();
    uint32_t m = profile__module(p, "/a", NULL, NULL, 0), process = profile__process(p, 1, "c", 0);
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t f = profile__frame(p, m, i, false, true);
        profile__cpu(p, process, profile__stack(p, &f, 1, PXB_END_OK, false), 0, 0, 0);
    }
    for (int i = 0; i < 180000; i++)
        profile__cpu(p, process, 1, 0, 0, 0);
    profile__finish(p, 1);
    struct pxi_buf out = graph(p, WRITE_CPU);
    assert_non_null(strstr(out.data, "19,999 frames under 0.1 px left out, 10.0 %"));
    assert_int_equal(count(out.data, "<g class=\"f "), 2);
    assert_true(out.size < 40000);
    pxi_buf_free(&out);
}

static void kinds_have_their_classes(void **state)
{
    (void)state;
    struct pxi_buf out = graph(fixture_small(), WRITE_CPU);
    static const char *const classes[] = { "f c", "f q", "f u", "f i", "f k", "f x" };
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        assert_non_null(strstr(out.data, classes[i]));
    assert_non_null(strstr(out.data, ">query:query_many Post\n8 samples, 80.0 % of all, query<"));
    pxi_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_well_formed),
        cmocka_unit_test(equals_the_golden_file),
        cmocka_unit_test(frames_nest),
        cmocka_unit_test(tiny_frames_are_left_out_and_counted),
        cmocka_unit_test(kinds_have_their_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

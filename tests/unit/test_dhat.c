/* test_dhat.c - dhat-heap.json: what the DHAT viewer checks, and the golden file; heap.txt too. */
#include "loader/write/write.h"
#include "tests/unit/profile_fixture.h"
#include "tests/unit/wellformed.h"
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
    write_dhat(p, &out);
    golden_check("write/dhat-heap.json", &out);
    pxi_buf_clear(&out);
    write_heap_txt(p, &out);
    golden_check("write/heap.txt", &out);
    pxi_buf_free(&out);
    profile__free(p);
}

static uint64_t figure(const char *at, const char *key)
{
    char pattern[16];
    snprintf(pattern, sizeof pattern, "\"%s\":", key);
    const char *found = strstr(at, pattern);
    assert_non_null(found);
    return strtoull(found + strlen(pattern), NULL, 10);
}

/* Strings of the table of frames. */
static unsigned frames_of(const char *json)
{
    const char *at = strstr(json, "\"ftbl\":[");
    assert_non_null(at);
    at += 8;
    assert_int_equal(strncmp(at, "\"[root]\"", 8), 0);
    unsigned n = 0;
    while (*at == '"' || *at == ',' || *at == '\n') {
        at += *at != '"';
        if (*at == '"') {
            at = json_string(at);
            assert_non_null(at);
            n++;
        }
    }
    return n;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The checks of dh_view.js: every index in the table, no list of frames twice, figures in order;
 * and sums that are the profile's totals. */
static void check(struct profile *p)
{
    struct pxi_buf out = { 0 };
    write_dhat(p, &out);
    assert_true(pxi_buf_ok(&out) && is_json(out.data));
    unsigned frames = frames_of(out.data), points = 0;
    char **lists = calloc(p->heap.n_sites + 1, sizeof *lists);
    uint64_t tb = 0, tbk = 0, gb = 0, gbk = 0, eb = 0, ebk = 0;
    for (const char *at = out.data; (at = strstr(at, "{\"tb\":")); at++, points++) {
        uint64_t mb = figure(at, "mb"), mbk = figure(at, "mbk");
        assert_true(mb <= figure(at, "tb") && mbk <= figure(at, "tbk"));
        assert_true(figure(at, "gb") <= mb && figure(at, "eb") <= mb);
        tb += figure(at, "tb");
        tbk += figure(at, "tbk");
        gb += figure(at, "gb");
        gbk += figure(at, "gbk");
        eb += figure(at, "eb");
        ebk += figure(at, "ebk");
        const char *list = strstr(at, "\"fs\":[") + 6;
        lists[points] = strndup(list, strcspn(list, "]"));
        assert_true(*lists[points]);
        for (char *f = lists[points]; *f; f += strcspn(f, ","), f += *f == ',') {
            unsigned long index = strtoul(f, NULL, 10);
            assert_true(index > 0 && index < frames);
        }
    }
    qsort(lists, points, sizeof *lists, by_text);
    for (unsigned i = 1; i < points; i++)
        assert_string_not_equal(lists[i - 1], lists[i]);
    for (unsigned i = 0; i < points; i++)
        free(lists[i]);
    free(lists);
    assert_true(tb == p->heap.total_bytes && tbk == p->heap.total_blocks);
    assert_true(gb == p->heap.max_bytes && gbk == p->heap.max_blocks);
    assert_true(eb == p->heap.live_bytes && ebk == p->heap.live_blocks);
    assert_true(figure(out.data, "tg") <= figure(out.data, "te"));
    pxi_buf_free(&out);
    profile__free(p);
}

static void passes_the_viewers_checks(void **state)
{
    (void)state;
    check(fixture_small());
    check(fixture_server());
    check(fixture_hostile());
    struct profile *empty = profile__new();
    profile__finish(empty, 1);
    check(empty);
}

/* Two addresses with one name and one line, two phases, two processes: one program point each way.
 */
static void sites_with_the_same_frames_are_one_point(void **state)
{
    (void)state;
    struct profile *p = profile__new();
    uint32_t m = profile__module(p, "/a", NULL, NULL, 0);
    uint32_t process = profile__process(p, 1, "c", 0);
    struct frame_name name = { "f", "f.c", 1, 0 };
    uint32_t leaf = profile__frame(p, m, 16, false, true);
    uint32_t back = profile__frame(p, m, 16, false, false);
    profile__names(p, leaf, &name, 1);
    profile__names(p, back, &name, 1);
    fixture_alloc(p, PXB_ALLOC, process, profile__stack(p, &leaf, 1, 1, false), 0, 16, 10, 1);
    fixture_alloc(p, PXB_ALLOC, process, profile__stack(p, &back, 1, 1, false), 0, 32, 20, 2);
    profile__finish(p, 3);
    assert_int_equal(p->heap.n_sites, 3);
    struct pxi_buf out = { 0 };
    write_dhat(p, &out);
    assert_int_equal(figure(out.data, "tb"), 30);
    assert_null(strstr(strstr(out.data, "{\"tb\":") + 1, "{\"tb\":"));
    pxi_buf_free(&out);
    check(p);
}

static void heap_txt_fits_a_terminal(void **state)
{
    (void)state;
    struct profile *profiles[] = { fixture_server(), fixture_small() };
    for (int i = 0; i < 2; i++) {
        struct pxi_buf out = { 0 };
        write_heap_txt(profiles[i], &out);
        for (char *line = strtok(out.data, "\n"); line; line = strtok(NULL, "\n"))
            assert_true(strlen(line) <= 80);
        pxi_buf_free(&out);
        profile__free(profiles[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_golden_files),
        cmocka_unit_test(passes_the_viewers_checks),
        cmocka_unit_test(sites_with_the_same_frames_are_one_point),
        cmocka_unit_test(heap_txt_fits_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

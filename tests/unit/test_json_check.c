/* test_json_check.c - what is JSON for both databases, and where it stops to be. */
#include "orm/base/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

static void test_good(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "1",
        "-0.5e+10",
        "0",
        "true",
        " null ",
        "\"\"",
        "[]",
        "{}",
        "[ 1 , 2 ]",
        "[[],[{}]]",
        "{\"a\":[1,{\"b\":null}],\"c\":\"\\u00e9\"}",
        "1E5",
        "\"\\ud83d\\ude00\"",
        "\"\xc3\xa9\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "[\n]\t",
        "\"\x7f\"",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t at;
        if (!pxi_json_check(texts[i], strlen(texts[i]), &at))
            fail_msg("%s: byte %zu", texts[i], at);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
    } cases[] = {
        { "", 0 },
        { "{", 1 },
        { "[1,]", 3 },
        { "[1 2]", 3 },
        { "{\"a\"}", 4 },
        { "{a:1}", 1 },
        { "01", 1 },
        { "-", 1 },
        { "1.", 2 },
        { "1e", 2 },
        { ".5", 0 },
        { "+1", 0 },
        { "nul", 0 },
        { "nulls", 4 },
        { "\"a", 2 },
        { "\"\\x\"", 2 },
        { "\"\\u12g4\"", 5 },
        { "\"\\u0000\"", 7 },
        { "\"\\udc00\"", 7 },
        { "\"\\ud800\"", 7 },
        { "\"\\ud800\\u0041\"", 13 },
        { "\"\n\"", 1 },
        { "\"\xff\"", 1 },
        { "\"\xc3\"", 1 },
        { "[}", 1 },
        { "{]", 1 },
        { "[1}", 2 },
        { "1 1", 2 },
        { "[]]", 2 },
        { "{\"a\":1,}", 7 },
        { "NaN", 0 },
        { "'a'", 0 },
        { "{\"a\":}", 5 },
        { ",", 0 },
        { "\"\\", 2 },
        { "[\"\\u12", 6 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t at;
        /* without a NUL behind it, so that reading on is seen */
        char *copy = malloc(strlen(cases[i].text) + 1);
        assert_non_null(copy);
        memcpy(copy, cases[i].text, strlen(cases[i].text));
        bool good = pxi_json_check(copy, strlen(cases[i].text), &at);
        free(copy);
        if (good || at != cases[i].at)
            fail_msg("%s: %d, byte %zu", cases[i].text, good, at);
    }
    size_t at;
    assert_false(pxi_json_check("1\0", 2, &at));
    assert_int_equal(at, 1);
}

static void test_depth(void **state)
{
    (void)state;
    static char text[2 * PXI_JSON_DEPTH + 2];
    size_t at;
    memset(text, '[', PXI_JSON_DEPTH);
    memset(text + PXI_JSON_DEPTH, ']', PXI_JSON_DEPTH);
    assert_true(pxi_json_check(text, sizeof text - 2, &at));
    memset(text, '[', PXI_JSON_DEPTH + 1);
    memset(text + PXI_JSON_DEPTH + 1, ']', PXI_JSON_DEPTH + 1);
    assert_false(pxi_json_check(text, sizeof text, &at));
    assert_int_equal(at, PXI_JSON_DEPTH + 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_good),
    cmocka_unit_test(test_bad),
    cmocka_unit_test(test_depth),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}

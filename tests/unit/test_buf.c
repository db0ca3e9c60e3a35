/* test_buf.c - orm/base/buf.h and orm/base/json.h. */
#include "orm/base/buf.h"
#include "orm/base/json.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

static void test_append(void **state)
{
    (void)state;
    struct pxi_buf b = { 0 };
    for (int i = 0; i < 1000; i++)
        pxi_buf_char(&b, (char)('a' + i % 26));
    assert_int_equal(b.size, 1000);
    assert_int_equal(b.data[999], 'a' + 999 % 26);
    assert_int_equal(b.data[1000], '\0');
    pxi_buf_clear(&b);
    assert_string_equal(b.data, "");
    pxi_buf_text(&b, "x=");
    pxi_buf_u64(&b, UINT64_MAX);
    pxi_buf_char(&b, ' ');
    pxi_buf_i64(&b, INT64_MIN);
    pxi_buf_fmt(&b, " %s%05d", "n", 42);
    assert_string_equal(b.data, "x=18446744073709551615 -9223372036854775808 n00042");
    assert_true(pxi_buf_ok(&b));
    pxi_buf_free(&b);
}

static void test_broken_once(void **state)
{
    (void)state;
    struct pxi_buf b = { 0 };
    pxi_buf_text(&b, "kept");
    assert_false(pxi_buf_reserve(&b, SIZE_MAX));
    pxi_buf_text(&b, "lost");
    pxi_buf_fmt(&b, "%d", 1);
    assert_false(pxi_buf_ok(&b));
    assert_string_equal(b.data, "kept");
    pxi_buf_clear(&b);
    assert_true(pxi_buf_ok(&b));
    pxi_buf_free(&b);
}

static void test_json(void **state)
{
    (void)state;
    struct pxi_buf b = { 0 };
    struct pxi_json j = { .out = &b };
    pxi_json_begin(&j, '{');
    pxi_json_key(&j, "a");
    pxi_json_begin(&j, '[');
    pxi_json_i64(&j, -1);
    pxi_json_f64(&j, 0.1);
    pxi_json_f64(&j, NAN);
    pxi_json_bool(&j, true);
    pxi_json_null(&j);
    pxi_json_text(&j, NULL);
    pxi_json_end(&j, ']');
    pxi_json_key(&j, "q\"\\\n\x01");
    pxi_json_text_n(&j, "\xc3\xa9\xff", 3);
    pxi_json_end(&j, '}');
    assert_string_equal(b.data, "{\"a\":[-1,0.1,null,true,null,null],"
                                "\"q\\\"\\\\\\n\\u0001\":\"\xc3\xa9\xef\xbf\xbd\"}");
    pxi_buf_free(&b);
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {
        { "a", 1 },
        { "\xc3\xa9", 2 },
        { "\xe2\x82\xac", 3 },
        { "\xf0\x9f\x98\x80", 4 },
        { "\xc0\x80", 0 },
        { "\xed\xa0\x80", 0 }, /* overlong, surrogate */
        { "\xf5\x80\x80\x80", 0 },
        { "\x80", 0 },
        { "\xe2\x82", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(pxi_utf8_size(cases[i].text, strlen(cases[i].text)), cases[i].size);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_append),
    cmocka_unit_test(test_broken_once),
    cmocka_unit_test(test_json),
    cmocka_unit_test(test_utf8),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_value.c - the values of prax.h: times, dates, UUIDs, decimals. */
#include "orm/base/value.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
/* after the above */
#include <cmocka.h>

static void test_time(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
        const char *again;
    } cases[] = {
        { "1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z" },
        { "1969-12-31T23:59:59.5Z", -500000, "1969-12-31T23:59:59.500000Z" },
        { "2026-11-22T10:00:00.25+01:00", 1795338000250000, "2026-11-22T09:00:00.250000Z" },
        { "2000-02-29 23:59:60z", 951868800000000, "2000-03-01T00:00:00Z" },
        { "0000-01-01t00:00:00-00:30", -62167217400000000, "0000-01-01T00:30:00Z" },
        { "9999-12-31T23:59:59.9999999Z", 253402300799999999, "9999-12-31T23:59:59.999999Z" },
    };
    char buf[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        prax_time t = { .us = 1 };
        assert_int_equal(prax_time_parse(cases[i].text, &t), 0);
        assert_int_equal(t.us, cases[i].us);
        assert_string_equal(prax_time_text(t, buf), cases[i].again);
    }
    static const char *const wrong[] = { "",
                                         "2026-11-22",
                                         "2026-11-22T10:00:00",
                                         "2026-13-01T00:00:00Z",
                                         "2026-02-29T00:00:00Z",
                                         "2026-01-01T24:00:00Z",
                                         "2026-01-01T00:60:00Z",
                                         "2026-01-01T00:00:61Z",
                                         "2026-01-01T00:00:00.Z",
                                         "2026-01-01T00:00:00Zx",
                                         "2026-01-01T00:00:00+24:00",
                                         "2026-1-01T00:00:00Z" };
    prax_time t = { .us = 7 };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(prax_time_parse(wrong[i], &t), PRAX_EINVAL);
    assert_int_equal(prax_time_parse(NULL, &t), PRAX_EINVAL);
    assert_int_equal(t.us, 7);
    assert_string_equal(prax_time_text((prax_time){ .us = INT64_MAX }, buf), "?");
    assert_string_equal(prax_time_text((prax_time){ .us = INT64_MIN }, buf), "?");
    int64_t now = (int64_t)time(NULL);
    assert_in_range(prax_time_now().us / 1000000, now, now + 1);
}

/* Every day of some years against the C library. */
static void test_date(void **state)
{
    (void)state;
    char buf[11], want[16];
    for (int32_t day = -40000; day < 60000; day += 7) {
        time_t t = (time_t)day * 86400;
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(want, sizeof want, "%Y-%m-%d", &tm);
        prax_date d = prax_date_of(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
        assert_int_equal(d.days, day);
        assert_string_equal(prax_date_text(d, buf), want);
        prax_date again = { .days = 0 };
        assert_int_equal(prax_date_parse(want, &again), 0);
        assert_int_equal(again.days, day);
    }
    assert_int_equal(prax_date_of(2025, 14, 1).days, prax_date_of(2026, 2, 1).days);
    assert_int_equal(prax_date_of(2026, 0, 31).days, prax_date_of(2025, 12, 31).days);
    assert_int_equal(prax_date_of(2026, -11, 1).days, prax_date_of(2025, 1, 1).days);
    assert_int_equal(prax_date_of(2026, 3, 0).days, prax_date_of(2026, 2, 28).days);
    prax_date d;
    assert_int_equal(prax_date_parse("2026-02-30", &d), PRAX_EINVAL);
    assert_int_equal(prax_date_parse("2026-02-01 ", &d), PRAX_EINVAL);
}

/* Every byte in every place: the digits and dashes, and nothing else. */
static void test_uuid(void **state)
{
    (void)state;
    char text[37], buf[37];
    prax_uuid u = prax_uuid_random(), v;
    assert_int_equal(u.b[6] >> 4, 4);
    assert_int_equal(u.b[8] >> 6, 2);
    prax_uuid_text(u, text);
    assert_int_equal(prax_uuid_parse(text, &v), 0);
    assert_memory_equal(&u, &v, sizeof u);
    for (int k = 0; k < 36; k++)
        for (int c = 0; c < 256; c++) {
            memcpy(buf, text, sizeof buf);
            buf[k] = (char)c;
            bool dash = k == 8 || k == 13 || k == 18 || k == 23;
            bool want =
                dash ? c == '-'
                     : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
            assert_int_equal(prax_uuid_parse(buf, &v), want ? 0 : PRAX_EINVAL);
        }
    assert_int_equal(prax_uuid_parse("", &v), PRAX_EINVAL);
    assert_int_equal(prax_uuid_parse(NULL, &v), PRAX_EINVAL);
    snprintf(buf, sizeof buf, "%s", "ABCDEF01-2345-6789-ABCD-EF0123456789");
    assert_int_equal(prax_uuid_parse(buf, &v), 0);
    assert_string_equal(prax_uuid_text(v, buf), "abcdef01-2345-6789-abcd-ef0123456789");
}

static void test_uuid_after_fork(void **state)
{
    (void)state;
    int fds[2];
    prax_uuid_random(); /* the buffer of random bytes is full */
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prax_uuid u = prax_uuid_random();
        _exit(write(fds[1], &u, sizeof u) == sizeof u ? 0 : 1);
    }
    prax_uuid mine = prax_uuid_random(), child;
    assert_int_equal(read(fds[0], &child, sizeof child), sizeof child);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_memory_not_equal(&mine, &child, sizeof mine);
    close(fds[0]);
    close(fds[1]);
}

static void test_tod(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
        const char *again;
    } cases[] = {
        { "00:00:00", 0, "00:00:00" },
        { "13:05", 47100000000, "13:05:00" },
        { "13:05:00.25", 47100250000, "13:05:00.250000" },
        { "23:59:59.9999999", 86399999999, "23:59:59.999999" },
    };
    static const char *const wrong[] = { "",        "13",       "13:5",        "24:00",
                                         "13:60",   "23:59:60", "13:05:00Z",   "13:05:00.",
                                         "13:05 ",  "-1:00",    "013:05:00",   "13:05:00+01:00",
                                         "1:05:00", "ab:cd",    "12:00:00.1x", "12-00" };
    char buf[16];
    prax_tod t = { .us = 7 };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(prax_tod_parse(wrong[i], &t), PRAX_EINVAL);
    assert_int_equal(prax_tod_parse(NULL, &t), PRAX_EINVAL);
    assert_int_equal(t.us, 7);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(prax_tod_parse(cases[i].text, &t), 0);
        assert_int_equal(t.us, cases[i].us);
        assert_string_equal(prax_tod_text(t, buf), cases[i].again);
    }
    assert_int_equal(prax_tod_of(13, 5, 30).us, 47130000000);
    assert_string_equal(prax_tod_text((prax_tod){ .us = -1 }, buf), "?");
    assert_string_equal(prax_tod_text(prax_tod_of(24, 0, 0), buf), "?");
}

static void test_ulid(void **state)
{
    (void)state;
    char text[27], buf[27], before[27] = "";
    prax_ulid u, v;
    assert_int_equal(prax_ulid_parse("01ARZ3NDEKTSV4RRFFQ69G5FAV", &u), 0);
    assert_string_equal(prax_ulid_text(u, text), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_int_equal(prax_ulid_time(u).us, 1469922850259000);
    assert_int_equal(prax_ulid_parse("01arz3ndektsv4rrffq69g5fav", &v), 0);
    assert_memory_equal(&u, &v, sizeof u);
    assert_int_equal(prax_ulid_parse("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", &v), 0);
    for (int i = 0; i < 16; i++)
        assert_int_equal(v.b[i], 0xff);
    assert_int_equal(prax_ulid_parse("8ZZZZZZZZZZZZZZZZZZZZZZZZZ", &v), PRAX_EINVAL);
    assert_int_equal(prax_ulid_parse("", &v), PRAX_EINVAL);
    assert_int_equal(prax_ulid_parse(NULL, &v), PRAX_EINVAL);
    for (int k = 0; k < 26; k++) {
        for (int c = 0; c < 256; c++) {
            memcpy(buf, text, sizeof buf);
            buf[k] = (char)c;
            bool digit = c && strchr(k ? "0123456789ABCDEFGHJKMNPQRSTVWXYZ" : "01234567", c);
            bool small = k && c && strchr("abcdefghjkmnpqrstvwxyz", c);
            assert_int_equal(prax_ulid_parse(buf, &v), digit || small ? 0 : PRAX_EINVAL);
        }
    }
    int64_t now = prax_time_now().us;
    for (int i = 0; i < 100000; i++) { /* some hundred in each millisecond */
        u = prax_ulid_new();
        prax_ulid_text(u, text);
        assert_true(memcmp(&u, &v, sizeof u) != 0 && strcmp(text, before) > 0);
        memcpy(before, text, sizeof text);
        v = u;
    }
    assert_in_range(prax_ulid_time(u).us, now - 1000, prax_time_now().us + 1000);
}

static void test_ulid_after_fork(void **state)
{
    (void)state;
    int fds[2];
    prax_ulid_new(); /* the next one counts on from it, but not in a child */
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prax_ulid u = prax_ulid_new();
        _exit(write(fds[1], &u, sizeof u) == sizeof u ? 0 : 1);
    }
    prax_ulid mine = prax_ulid_new(), child;
    assert_int_equal(read(fds[0], &child, sizeof child), sizeof child);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_memory_not_equal(mine.b + 6, child.b + 6, 9); /* not neighbours either */
    close(fds[0]);
    close(fds[1]);
}

static void test_decimal(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int code;
        int64_t units;
        int32_t scale;
        const char *again;
    } cases[] = {
        { "-12.50", 0, -1250, 2, "-12.50" },
        { "+0.05", 0, 5, 2, "0.05" },
        { ".5", 0, 5, 1, "0.5" },
        { "7", 0, 7, 0, "7" },
        { "000000000000000000000123.4", 0, 1234, 1, "123.4" },
        { "999999999999999999", 0, 999999999999999999, 0, "999999999999999999" },
        { "1000000000000000000", PRAX_ERANGE, 0, 0, NULL },
        { "0.1234567890123456789", PRAX_ERANGE, 0, 0, NULL },
        { "", PRAX_EINVAL, 0, 0, NULL },
        { "-", PRAX_EINVAL, 0, 0, NULL },
        { ".", PRAX_EINVAL, 0, 0, NULL },
        { "1.2.3", PRAX_EINVAL, 0, 0, NULL },
        { "1e5", PRAX_EINVAL, 0, 0, NULL },
        { " 1", PRAX_EINVAL, 0, 0, NULL },
    };
    char buf[24];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        prax_decimal d = { .units = 0 };
        assert_int_equal(prax_decimal_parse(cases[i].text, &d), cases[i].code);
        assert_int_equal(d.units, cases[i].units);
        assert_int_equal(d.scale, cases[i].scale);
        if (cases[i].again)
            assert_string_equal(prax_decimal_text(d, buf), cases[i].again);
    }
    assert_string_equal(prax_decimal_text(prax_decimal_of(INT64_MIN, 18), buf),
                        "-9.223372036854775808");
    assert_string_equal(prax_decimal_text(prax_decimal_of(1, 19), buf), "?");
}

static void test_rescale(void **state)
{
    (void)state;
    static const struct {
        int64_t units;
        int32_t scale;
        unsigned to;
        int64_t near, down, up;
    } cases[] = {
        { 125, 2, 1, 13, 12, 13 },
        { -125, 2, 1, -13, -13, -12 },
        { 124, 2, 1, 12, 12, 13 },
        { 120, 2, 1, 12, 12, 12 },
        { 5, 0, 2, 500, 500, 500 },
        { -1, 3, 0, 0, -1, 0 },
        { INT64_MAX, 0, 1, INT64_MAX, INT64_MAX, INT64_MAX },
        { INT64_MIN, 0, 1, INT64_MIN, INT64_MIN, INT64_MIN },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        prax_decimal d = prax_decimal_of(cases[i].units, cases[i].scale);
        int64_t got[3];
        bool exact;
        for (unsigned r = 0; r < 3; r++)
            assert_true(pxi_decimal_rescale(d, cases[i].to, (enum pxi_round)r, &got[r], &exact));
        assert_int_equal(got[PXI_ROUND_NEAR], cases[i].near);
        assert_int_equal(got[PXI_ROUND_DOWN], cases[i].down);
        assert_int_equal(got[PXI_ROUND_UP], cases[i].up);
        assert_int_equal(exact, i == 3 || i == 4);
    }
    int64_t units;
    bool exact;
    assert_false(pxi_decimal_rescale(prax_decimal_of(1, -1), 0, PXI_ROUND_NEAR, &units, &exact));
    assert_false(pxi_decimal_rescale(prax_decimal_of(1, 0), 19, PXI_ROUND_NEAR, &units, &exact));
}

static void test_decimal_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned scale;
        bool good, exact;
        int64_t units;
    } cases[] = {
        { "0", 0, true, true, 0 },
        { "-12.5", 2, true, true, -1250 },
        { "12.345", 2, true, false, 1235 },
        { "-12.344999", 2, true, false, -1234 },
        { "0.5", 0, true, false, 1 },
        { "-0.5", 0, true, false, -1 },
        { "1.000", 0, true, true, 1 },
        { "9223372036854775807", 0, true, true, INT64_MAX },
        { "-9223372036854775808", 0, true, true, INT64_MIN },
        { "9223372036854775808", 0, false, true, 0 },
        { "9223372036854775807.5", 0, false, false, 0 },
        { "92233720368547758.07", 2, true, true, INT64_MAX },
        { "92233720368547759", 2, false, true, 0 },
        { "NaN", 0, false, true, 0 },
        { "", 0, false, true, 0 },
        { "-", 0, false, true, 0 },
        { "1.2.3", 1, false, true, 0 },
        { "1e5", 0, false, true, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t units = 0;
        bool exact;
        bool good =
            pxi_decimal_read(cases[i].text, strlen(cases[i].text), cases[i].scale, &units, &exact);
        if (good != cases[i].good || (good && (units != cases[i].units || exact != cases[i].exact)))
            fail_msg("%s at %u: %d %lld", cases[i].text, cases[i].scale, good, (long long)units);
    }
}

static void test_real(void **state)
{
    (void)state;
    static const struct {
        double x;
        bool single;
        const char *want;
    } cases[] = {
        { 0, false, "0" },
        { -0.0, false, "-0" },
        { 0.1, false, "0.1" },
        { 1e14, false, "100000000000000" },
        { 1e15, false, "1e+15" },
        { -1.5e-5, false, "-1.5e-05" },
        { 0.00012, false, "0.00012" },
        { 5e-324, false, "5e-324" },
        { 1.7976931348623157e308, false, "1.7976931348623157e+308" },
        { 0.1 + 0.2, false, "0.30000000000000004" },
        { 123.25, false, "123.25" },
        { (double)0.1f, true, "0.1" },
        { (double)16777216.0f, true, "1.6777216e+07" },
        { 123456, true, "123456" },
        { NAN, false, "NaN" },
        { -INFINITY, true, "-Infinity" },
    };
    char text[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(pxi_real_text(cases[i].x, cases[i].single, text), cases[i].want);
    assert_true(pxi_real_read("-12.5e1") == -125);
    /* as printf writes them in other places, with signs of one byte and of two */
    static const char *const plain[][2] = { { "1,5", "1.5" },
                                            { "-1,5e+20", "-1.5e+20" },
                                            { "1\xd9\xab"
                                              "5",
                                              "1.5" },
                                            { "7", "7" },
                                            { "1e+20", "1e+20" },
                                            { "nan", "nan" },
                                            { "0.25", "0.25" },
                                            { "-inf", "-inf" } };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        strcpy(text, plain[i][0]);
        assert_string_equal(pxi_real_plain(text), plain[i][1]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_real),
    cmocka_unit_test(test_decimal_read),
    cmocka_unit_test(test_time),
    cmocka_unit_test(test_date),
    cmocka_unit_test(test_uuid),
    cmocka_unit_test(test_uuid_after_fork),
    cmocka_unit_test(test_tod),
    cmocka_unit_test(test_ulid),
    cmocka_unit_test(test_ulid_after_fork),
    cmocka_unit_test(test_decimal),
    cmocka_unit_test(test_rescale),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}

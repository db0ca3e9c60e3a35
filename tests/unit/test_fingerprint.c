/* test_fingerprint.c - orm/query/fingerprint.h: the normalised text, and vectors of the number. */
#include "orm/query/fingerprint.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *sql, *text;
    } cases[] = {
        { "", "" },
        { "SELECT  *\n\tFROM Users ;", "select * from users" },
        { "SELECT 1, 2.5e-3, 'it''s', x'ab', X'', .5", "select ?" },
        { "a=?1 AND b=$2 AND c=:name AND d=@x AND e=?",
          "a = ? and b = ? and c = ? and d = ? and e = ?" },
        { "id IN (1,2,3)", "id in ( ? )" },
        { "VALUES (?, ?), (?, ?), (?, ?)", "values ( ? )" },
        { "SELECT \"Quoted\"\"Name\", `b`", "select \"Quoted\"\"Name\" , `b`" },
        { "a -- comment ? 'x\n + /* more\n ? */ b", "a + b" },
        { "a - -1", "a - - ?" },
        { "'open", "?" },
        { "/* open", "" },
        { "x1y", "x1y" },
        { "\xc3\x89t\xc3\xa9", "\xc3\x89t\xc3\xa9" },
        { "col -> ? = json(?)", "col - > ? = json ( ? )" },
        { "BEGIN;;", "begin" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = strlen(cases[i].sql);
        char *to = malloc(2 * size + 1); /* the room that is promised to suffice */
        assert_non_null(to);
        size_t n = pxi_fingerprint_text(cases[i].sql, size, to);
        if (n != strlen(cases[i].text) || memcmp(to, cases[i].text, n) != 0)
            fail_msg("\"%s\": \"%.*s\", not \"%s\"", cases[i].sql, (int)n, to, cases[i].text);
        free(to);
    }
}

static uint64_t of(const char *sql)
{
    return pxi_fingerprint(sql, strlen(sql));
}

static void test_number(void **state)
{
    (void)state;
    assert_int_equal(of("SELECT 1"), of("select /* x */ 'a' ;"));
    assert_int_equal(of("INSERT INTO t VALUES (?, ?)"), of("insert into t values (?,?),(?,?)"));
    assert_int_not_equal(of("SELECT a"), of("SELECT b"));
    assert_int_not_equal(of("SELECT \"a\""), of("SELECT \"A\""));
    assert_int_not_equal(of(""), 0);
    /* stable between runs and versions */
    assert_int_equal(of("SELECT * FROM users WHERE id = ?"), 0x3d62aefa147986cdu);
    assert_int_equal(of("SELECT 1"), 0x61a0463a1c92eb55u);
}

/* Any bytes, any length: no overrun of the promised room (run it under ASan). */
static void test_noise(void **state)
{
    (void)state;
    static const char alphabet[] = "'\"`?$:@-/*()[],;. \nxX0aE+";
    uint64_t x = 88172645463325252u;
    char sql[40];
    for (int round = 0; round < 20000; round++) {
        size_t size = (size_t)(x % sizeof sql);
        for (size_t i = 0; i < size; i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            sql[i] = alphabet[x % (sizeof alphabet - 1)];
        }
        char *copy = malloc(size + !size), *to = malloc(2 * size + 1);
        assert_true(copy && to);
        memcpy(copy, sql, size);
        assert_true(pxi_fingerprint_text(copy, size, to) <= 2 * size);
        free(copy);
        free(to);
        x += 1;
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_text),
    cmocka_unit_test(test_number),
    cmocka_unit_test(test_noise),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_scan.c - question marks and statements, found where the databases' lexers would. */
#include "orm/query/scan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

static void marks_are(const char *sql, const char *want, unsigned single, unsigned doubled)
{
    char to[300];
    struct pxi_marks m;
    size_t n = pxi_scan_marks(PXI_POSTGRES, sql, strlen(sql), &m, to, sizeof to - 1);
    assert_true(n < sizeof to);
    to[n] = '\0';
    assert_string_equal(to, want);
    assert_int_equal(m.single, single);
    assert_int_equal(m.doubled, doubled);
    struct pxi_marks again;
    assert_int_equal(pxi_scan_marks(PXI_POSTGRES, sql, strlen(sql), &again, NULL, 0), n);
}

static void test_postgres_marks(void **state)
{
    (void)state;
    marks_are("SELECT ?, ?", "SELECT $1, $2", 2, 0);
    marks_are("SELECT a ?? b, a ??| ?", "SELECT a ? b, a ?| $1", 1, 2);
    marks_are("SELECT '?', \"?\", 'it''s ?' -- ?\n, ?", "SELECT '?', \"?\", 'it''s ?' -- ?\n, $1",
              1, 0);
    marks_are("SELECT /* ? /* ? */ ? */ ?", "SELECT /* ? /* ? */ ? */ $1", 1, 0);
    marks_are("SELECT E'\\'?', e'a\\\\', ?", "SELECT E'\\'?', e'a\\\\', $1", 1, 0);
    marks_are("SELECT name'?', ?", "SELECT name'?', $1", 1, 0); /* the e is no prefix */
    marks_are("SELECT $$?$$, $a$ ? $b$ ? $a$, ?", "SELECT $$?$$, $a$ ? $b$ ? $a$, $1", 1, 0);
    marks_are("SELECT a$b$?, ?$c$", "SELECT a$b$$1, $2$c$", 2, 0); /* $ within a name */
    marks_are("SELECT '?", "SELECT '?", 0, 0);
    marks_are("SELECT $$ ?", "SELECT $$ ?", 0, 0);
    marks_are("/* ?", "/* ?", 0, 0);
    marks_are("?", "$1", 1, 0);
    marks_are("", "", 0, 0);
    struct pxi_marks m;
    char to[4] = "abc";
    assert_int_equal(pxi_scan_marks(PXI_POSTGRES, "SELECT ?", 8, &m, to, 2), 9);
    pxi_scan_marks(PXI_POSTGRES, "SELECT $1, '$2', a$3, $x", 24, &m, NULL, 0);
    assert_int_equal(m.dollars, 1);
}

static void test_sqlite_marks(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        unsigned single, doubled;
    } cases[] = {
        { "SELECT ?, [?], `?`, \"?\", '?' -- ?", 1, 0 },
        { "SELECT ?? /* /* ? */ + ?", 1, 1 }, /* comments do not nest */
        { "SELECT e'\\', ?", 1, 0 },          /* a backslash is a character */
        { "SELECT $$?$$", 1, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pxi_marks m;
        pxi_scan_marks(PXI_SQLITE, cases[i].sql, strlen(cases[i].sql), &m, NULL, 0);
        assert_int_equal(m.single, cases[i].single);
        assert_int_equal(m.doubled, cases[i].doubled);
    }
}

static void next_is(struct pxi_script *s, const char *text, unsigned line)
{
    struct pxi_statement st;
    assert_true(pxi_script_next(s, &st));
    assert_int_equal(st.size, strlen(text));
    assert_memory_equal(st.text, text, st.size);
    assert_int_equal(st.line, line);
}

static void ends(struct pxi_script *s)
{
    struct pxi_statement st;
    assert_false(pxi_script_next(s, &st));
    assert_false(pxi_script_next(s, &st));
}

static struct pxi_script script(enum pxi_engine engine, const char *text)
{
    return (struct pxi_script){ engine, text, text + strlen(text), 1 };
}

static void test_script(void **state)
{
    (void)state;
    struct pxi_script s =
        script(PXI_SQLITE, "-- first\n;;\nSELECT ';' ;\n\n /* ; */ SELECT [;]\n, 2; SELECT 3");
    next_is(&s, "SELECT ';' ", 3);
    next_is(&s, "SELECT [;]\n, 2", 5);
    next_is(&s, "SELECT 3", 6);
    ends(&s);
    s = script(PXI_POSTGRES, "");
    ends(&s);
    s = script(PXI_POSTGRES, " -- nothing");
    ends(&s);
    s = script(PXI_POSTGRES, "DO $x$ BEGIN; END $x$; BEGIN; SELECT 1");
    next_is(&s, "DO $x$ BEGIN; END $x$", 1);
    next_is(&s, "BEGIN", 1); /* of a transaction */
    next_is(&s, "SELECT 1", 1);
    ends(&s);
}

static void test_bodies(void **state)
{
    (void)state;
    static const char trigger[] =
        "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN\n"
        "  UPDATE a SET x = CASE WHEN y THEN 1 ELSE 2 END; DELETE FROM b;\nEND";
    static const char atomic[] = "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC\n"
                                 "  SELECT CASE WHEN true THEN 1 END; SELECT 2; END";
    char text[500];
    memcpy(text, trigger, sizeof trigger);
    strcat(text, "; SELECT 1");
    struct pxi_script s = script(PXI_SQLITE, text);
    next_is(&s, trigger, 1);
    next_is(&s, "SELECT 1", 3);
    ends(&s);
    memcpy(text, atomic, sizeof atomic);
    strcat(text, "; SELECT 1");
    s = script(PXI_POSTGRES, text);
    next_is(&s, atomic, 1);
    next_is(&s, "SELECT 1", 2);
    ends(&s);
    s = script(PXI_SQLITE, "CREATE TABLE \"trigger\" (\"begin\" INT); SELECT 1");
    next_is(&s, "CREATE TABLE \"trigger\" (\"begin\" INT)", 1);
    next_is(&s, "SELECT 1", 1);
    ends(&s);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_postgres_marks),
    cmocka_unit_test(test_sqlite_marks),
    cmocka_unit_test(test_script),
    cmocka_unit_test(test_bodies),
};

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}

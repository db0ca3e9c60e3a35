/* test_pg_url.c - PostgreSQL's URLs and the kinds of its statements: what needs no server. */
#include "orm/driver/driver.h"
#include "orm/driver/postgres_scan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

static struct pxi_error err;

static char *resolve(const char *url)
{
    char *where = NULL;
    pxi_error_clear(&err);
    const struct pxi_driver *d = pxi_driver_find(url, &err);
    assert_ptr_equal(d, &pxi_postgres);
    int rc = d->resolve(url, false, &where, &err);
    assert_int_equal(rc, err.e.code);
    assert_true((rc == 0) == (where != NULL));
    return where;
}

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url, *want; /* parts of what comes out */
    } cases[] = {
        { "postgres://u@h:6000/d", "user='u'" },
        { "postgres://u@h:6000/d", "port='6000'" },
        { "postgresql://u:p%40ss@h/d?sslmode=require", "password='p@ss'" },
        { "postgresql://u:p%40ss@h/d?sslmode=require", "sslmode='require'" },
        { "postgres://h1:1,h2:2/d?target_session_attrs=read-write", "host='h1,h2'" },
        { "postgres://h1:1,h2:2/d?target_session_attrs=read-write",
          "target_session_attrs='read-write'" },
        { "postgres://u:a?b@h/d?statement_timeout=5s&application_name=x", "password='a?b'" },
        { "postgres://u:a?b@h/d?statement_timeout=5s&application_name=x",
          "options='-c statement_timeout=5s'" },
        { "postgres://u:a?b@h/d?statement_timeout=5s&application_name=x", "application_name='x'" },
        { "postgres:///d?host=/run/pg&options=-c%20x.y%3D1&lock_timeout=10",
          "options='-c lock_timeout=10 -c x.y=1'" },
        { "postgres:///d?host=/run/pg&options=-c%20x.y%3D1&lock_timeout=10", "host='/run/pg'" },
        { "postgres:host=/run/pg dbname='a b\\'c' lock_timeout = 1min", "dbname='a b\\'c'" },
        { "postgres:host=/run/pg dbname='a b\\'c' lock_timeout = 1min",
          "options='-c lock_timeout=1min'" },
        { "postgresql:service=blog", "service='blog'" },
        { "postgresql:", "k" },
        { "postgres://", "k" },
        { "postgres:///?search_path=a,%20b", "options='-c search_path=a,\\\\ b'" },
        { "postgres:///d?client_encoding=utf8", "dbname='d'" },
        { "postgres:///d?prax_prepare=off", "ndbname" },
        { "postgres:///d?prax_prepare=on", "kdbname" },
        { "postgres:prax_prepare=off dbname=d", "ndbname" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *where = resolve(cases[i].url);
        if (!where)
            fail_msg("%s: %s", cases[i].url, err.message);
        if (!strstr(where, cases[i].want))
            fail_msg("%s: %s lacks %s", cases[i].url, where, cases[i].want);
        assert_null(strstr(where, "client_encoding"));
        free(where);
    }
}

/* Each names what is wrong, and none shows the password. */
static void test_bad_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url, *want;
    } cases[] = {
        { "postgres://u:secret@h/d?statement_timeout=soon", "statement_timeout" },
        { "postgres://u:secret@h/d?statement_timeout=", "statement_timeout" },
        { "postgres://u:secret@h/d?lock_timeout=5%20s", "lock_timeout" },
        { "postgres://u:secret@h/d?prax_prepare=maybe", "prax_prepare" },
        { "postgres://u:secret@h/d?prax_pool=5", "prax_pool" },
        { "postgres://u:secret@h/d?sslmod=require", "sslmod" },
        { "postgres://u:secret@h/d?password=a&secret", "without '='" },
        { "postgres://u:secret@h/d?x=%zz", "malformed" },
        { "postgres://u:secret@h/d?x=%00", "malformed" },
        { "postgres://u:secret@h/d?%", "without '='" },
        { "postgres://u:secret@h/d?A%20secret=1", "malformed" },
        { "postgres://u:secret@h/d?client_encoding=latin1", "client_encoding" },
        { "postgres://u:secret%zz@h/d", "cannot be read" },
        { "postgres://u:secret@[::1/d", "cannot be read" },
        { "postgres:password='secret", "quote" },
        { "postgres:password=secret dbnam=d", "dbnam" },
        { "postgres:secret", "without '='" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *where = resolve(cases[i].url);
        assert_null(where);
        assert_int_equal(err.e.code, PRAX_EINVAL);
        if (!strstr(err.message, cases[i].want) || strstr(err.message, "secret"))
            fail_msg("%s: %s", cases[i].url, err.message);
    }
    assert_null(pxi_driver_find("mysql://u:secret@h/d", &err));
    pxi_error_clear(&err);
    assert_null(pxi_driver_find("u:secret@h", &err));
    assert_null(strstr(err.message, "secret"));
    pxi_error_clear(&err);
    assert_null(pxi_driver_find("password=secret", &err));
    assert_null(strstr(err.message, "secret"));
}

static void test_scan(void **state)
{
    (void)state;
    enum { EMPTY = 1, SEVERAL = 2, READS = 4, DECLARES = 8 };
    static const struct {
        const char *sql;
        unsigned want;
    } cases[] = {
        { "", EMPTY },
        { " ; -- x\n ; /* a /* b */ c */", EMPTY },
        { "select 1", READS | DECLARES },
        { "SELECT 1 ; -- end", READS | DECLARES },
        { "(SELECT 1) UNION (SELECT 2)", READS | DECLARES },
        { "SHOW all", READS },
        { "EXPLAIN SELECT 1", READS },
        { "EXPLAIN ANALYZE SELECT 1", 0 },
        { "SELECT 1; SELECT 2", SEVERAL },
        { "SELECT ';' , \";\", $$;$$, $a$;$$;$a$, E'\\';' /* ; */ -- ;", READS | DECLARES },
        { "SELECT 'it''s; DELETE'", READS | DECLARES },
        { "SELECT E'\\\\'; SELECT 2", SEVERAL },
        { "SELECT '\\'; SELECT 2", SEVERAL },
        { "SELECT a$b, $1; x", SEVERAL },
        { "SELECT $1::int", READS | DECLARES },
        { "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", 0 },
        { "WITH x AS (SELECT 1) SELECT * FROM x", READS | DECLARES },
        { "SELECT * INTO y FROM x", 0 },
        { "SELECT * FROM x FOR UPDATE", 0 },
        { "SELECT \"update\" FROM x", READS | DECLARES },
        { "INSERT INTO t VALUES (1)", 0 },
        { "CREATE TABLE t (id int)", 0 },
        { "SELECT 'unfinished", READS | DECLARES },
        { "SELECT /* unfinished", READS | DECLARES },
        { "SELECT $x$ unfinished", READS | DECLARES },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pxi_pg_scan s = pxi_pg_scan(cases[i].sql, strlen(cases[i].sql));
        unsigned got = (s.empty ? EMPTY : 0) | (s.several ? SEVERAL : 0) | (s.reads ? READS : 0) |
                       (s.declares ? DECLARES : 0);
        if (got != cases[i].want)
            fail_msg("%s: %u, not %u", cases[i].sql, got, cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_bad_urls),
        cmocka_unit_test(test_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

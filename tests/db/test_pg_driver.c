/* test_pg_driver.c - the PostgreSQL driver alone, below pool and client. */
#include "orm/base/clock.h"
#include "orm/driver/driver.h"
#include "tests/lib/pg.h"
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* after the above */
#include <cmocka.h>

static const struct pxi_driver *const d = &pxi_postgres;

struct fixture {
    char url[PG_URL];
    char *where;
    struct pxi_conn *c;
    struct pxi_error err;
    struct pxi_arena arena;
};

static struct pxi_conn *connect_to(const char *url)
{
    struct pxi_error err;
    struct pxi_conn *c = NULL;
    char *where = NULL;
    pxi_error_clear(&err);
    if (d->resolve(url, false, &where, &err) < 0 ||
        d->open(&(struct pxi_conn_opts){ .url = url, .where = where }, &c, &err) < 0)
        fail_msg("%s", err.message);
    free(where);
    return c;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    pg_schema_new(f->url);
    f->c = connect_to(f->url);
    pxi_error_clear(&f->err);
    pxi_arena_init(&f->arena, NULL, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    d->close(f->c);
    pxi_arena_free(&f->arena);
    pg_schema_drop(f->url);
    free(f);
    return 0;
}

/* What went wrong, in the fixture's error. */
static const prax_error *why(struct fixture *f, int code)
{
    pxi_error_clear(&f->err);
    d->explain(f->c, code, &f->err);
    return &f->err.e;
}

static void ok(struct fixture *f, int64_t rc)
{
    if (rc < 0)
        fail_msg("%d: %s", (int)rc, why(f, (int)rc)->message);
}

static struct pxi_stmt *prepare(struct fixture *f, const char *sql)
{
    struct pxi_stmt *st = NULL;
    ok(f, d->prepare(f->c, sql, strlen(sql), true, &st));
    return st;
}

static struct pxi_value i64(int64_t x)
{
    return (struct pxi_value){ .kind = PXI_INT, .type = PXI_UNTYPED, .u.i = x };
}

static struct pxi_value of(enum prax_type type, int64_t x)
{
    return (struct pxi_value){ .kind = PXI_INT, .type = (uint8_t)type, .u.i = x };
}

static struct pxi_value text(const char *s)
{
    return (struct pxi_value){
        .kind = PXI_TEXT, .type = PXI_UNTYPED, .size = (uint32_t)strlen(s), .u.p = s
    };
}

static struct pxi_value real(double x)
{
    return (struct pxi_value){ .kind = PXI_REAL, .type = PXI_UNTYPED, .u.f = x };
}

static struct pxi_value blob(const void *p, size_t size)
{
    return (struct pxi_value){
        .kind = PXI_BLOB, .type = PXI_UNTYPED, .size = (uint32_t)size, .u.p = p
    };
}

/* Runs a statement to its end; its code, the first row's first column in *v. */
static int run(struct fixture *f, const char *sql, const struct pxi_value *v, unsigned n,
               struct pxi_value *out)
{
    struct pxi_stmt *st = NULL;
    int rc = d->prepare(f->c, sql, strlen(sql), true, &st);
    if (rc < 0)
        return rc;
    rc = d->start(st, v, n);
    if (rc == 0)
        rc = d->step(st);
    if (rc == 1 && out)
        *out = d->column(st, 0);
    if (rc == 1 && out && (out->kind == PXI_TEXT || out->kind == PXI_BLOB))
        out->u.p = pxi_arena_text(&f->arena, out->u.p, out->size);
    while (rc == 1)
        rc = d->step(st);
    if (rc < 0)
        why(f, rc);
    d->finish(st);
    d->drop(st);
    return rc;
}

static int64_t number(struct fixture *f, const char *sql)
{
    struct pxi_value v;
    ok(f, run(f, sql, NULL, 0, &v));
    assert_int_equal(v.kind, PXI_INT);
    return v.u.i;
}

/* ---- statements ---- */

static void test_statements(void **state)
{
    struct fixture *f = *state;
    ok(f, d->exec(f->c, "CREATE TABLE t (id int PRIMARY KEY, label text); INSERT INTO t VALUES"
                        " (1, 'one'), (2, NULL)"));
    struct pxi_stmt *st = prepare(f, "SELECT id, label FROM t WHERE id >= $1 ORDER BY id");
    assert_int_equal(d->parameters(st), 1);
    assert_int_equal(d->columns(st), 2);
    assert_string_equal(d->column_name(st, 1), "label");
    assert_true(d->read_only(st));
    for (int round = 0; round < 3; round++) {
        struct pxi_value one = i64(1);
        ok(f, d->start(st, &one, 1));
        assert_int_equal(d->step(st), 1);
        assert_int_equal(d->column(st, 0).u.i, 1);
        assert_string_equal(d->column(st, 1).u.p, "one");
        assert_int_equal(d->step(st), 1);
        assert_int_equal(d->column(st, 1).kind, PXI_NULL);
        assert_int_equal(d->step(st), 0);
        assert_int_equal(d->step(st), 0);
        d->finish(st);
    }
    struct pxi_value two[2] = { i64(1), i64(2) };
    assert_int_equal(d->start(st, two, 2), PRAX_EINVAL);
    d->finish(st);
    d->drop(st);
    assert_int_equal(run(f, "UPDATE t SET label = 'x'", NULL, 0, NULL), 0);
    assert_int_equal(d->changes(f->c), 2);
    int64_t total = d->total(f->c);
    assert_int_equal(run(f, "SELECT * FROM t", NULL, 0, NULL), 0);
    assert_int_equal(d->total(f->c), total);
    assert_int_equal(d->has_table(f->c, "t"), 1);
    assert_int_equal(d->has_table(f->c, "T"), 0);
    assert_int_equal(d->has_table(f->c, "a\"b.c"), 0);
}

static void test_wrong_texts(void **state)
{
    struct fixture *f = *state;
    struct pxi_stmt *st;
    static const char *const none[] = { "", "  -- only a remark\n", ";;", "/* a /* b */ */",
                                        "SELECT 1; SELECT 2" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(d->prepare(f->c, none[i], strlen(none[i]), true, &st), PRAX_EINVAL);
    assert_int_equal(run(f, "SELECT 1 ; -- end", NULL, 0, NULL), 0);
    assert_int_equal(run(f, "SELEC 1", NULL, 0, NULL), PRAX_ESQL);
    int rc = d->prepare(f->c, "SELECT * FROM absent", 20, true, &st);
    assert_int_equal(rc, PRAX_ESCHEMA);
    assert_string_equal(why(f, rc)->table, "absent");
    assert_string_equal(f->err.e.sqlstate, "42P01");
    rc = d->prepare(f->c, "SELECT nothing FROM pg_class", 28, true, &st);
    assert_int_equal(rc, PRAX_ESCHEMA);
    assert_string_equal(why(f, rc)->column, "nothing");
    assert_int_equal(run(f, "COPY pg_class TO STDOUT", NULL, 0, NULL), PRAX_EUNSUPPORTED);
    assert_int_equal(run(f, "CREATE TABLE t (id int)", NULL, 0, NULL), 0);
    assert_int_equal(run(f, "COPY t FROM STDIN", NULL, 0, NULL), PRAX_EUNSUPPORTED);
    assert_int_equal(number(f, "SELECT 7"), 7); /* the connection is as it was */
    assert_int_equal(d->exec(f->c, "SELECT 1; SELEC 2; SELECT 3"), PRAX_ESQL);
    assert_int_equal(d->exec(f->c, "COPY t FROM STDIN"), PRAX_EUNSUPPORTED);
    assert_int_equal(number(f, "SELECT 8"), 8);
}

/* ---- values ---- */

/* What the server makes of a value: its own text. */
static void check_sent(struct fixture *f, const char *type, struct pxi_value v, const char *want)
{
    char sql[128];
    struct pxi_value got;
    snprintf(sql, sizeof sql, "SELECT ($1::%s)::text", type);
    ok(f, run(f, sql, &v, 1, &got));
    assert_int_equal(got.kind, PXI_TEXT);
    assert_string_equal(got.u.p, want);
    snprintf(sql, sizeof sql, "SELECT ($1::%s) IS NULL", type);
    ok(f, run(f, sql, &(struct pxi_value){ .kind = PXI_NULL }, 1, &got));
    assert_int_equal(got.u.i, 1);
}

static void test_values(void **state)
{
    struct fixture *f = *state;
    static const uint8_t id[16] = { 1, 2, 3, 255 };
    struct pxi_value items[] = { text("a\"b"), { .kind = PXI_NULL }, text("") };
    struct pxi_value list = { .kind = PXI_ARRAY, .size = 3, .u.p = items };
    ok(f, d->exec(f->c, "SET timezone = 'UTC'; CREATE TYPE mood AS ENUM ('sad', 'ok');"
                        " CREATE DOMAIN small AS int CHECK (value < 10)"));
    check_sent(f, "int2", i64(-32768), "-32768");
    check_sent(f, "int4", i64(INT32_MAX), "2147483647");
    check_sent(f, "int8", i64(INT64_MIN), "-9223372036854775808");
    check_sent(f, "oid", i64(UINT32_MAX), "4294967295");
    check_sent(f, "bool", of(PRAX_T_Boolean, 1), "true");
    check_sent(f, "float4", real(0.5), "0.5");
    check_sent(f, "float8", real(-1e300), "-1e+300");
    check_sent(f, "float8", real(NAN), "NaN");
    check_sent(f, "numeric", text("123456789012345678901234567890.0123456789"),
               "123456789012345678901234567890.0123456789");
    check_sent(
        f, "numeric(10,2)",
        (struct pxi_value){ .kind = PXI_INT, .type = PRAX_T_Decimal, .scale = 2, .u.i = -1250 },
        "-12.50");
    check_sent(f, "numeric", i64(INT64_MAX), "9223372036854775807");
    check_sent(f, "text", text("\xc3\xa4 'x'"), "\xc3\xa4 'x'");
    check_sent(f, "varchar(3)", text("abc"), "abc");
    check_sent(f, "name", text("n"), "n");
    check_sent(f, "date", of(PRAX_T_Date, 0), "1970-01-01");
    check_sent(f, "date", of(PRAX_T_Date, -719528 - 365), "0002-01-01 BC");
    check_sent(f, "time", of(PRAX_T_Time, 3723000001), "01:02:03.000001");
    check_sent(f, "timestamptz", of(PRAX_T_DateTime, 1), "1970-01-01 00:00:00.000001+00");
    check_sent(f, "timestamp", of(PRAX_T_DateTime, -1), "1969-12-31 23:59:59.999999");
    check_sent(f, "uuid", blob(id, 16), "010203ff-0000-0000-0000-000000000000");
    check_sent(f, "bytea", blob(id, 4), "\\x010203ff");
    check_sent(f, "bytea", blob(NULL, 0), "\\x");
    check_sent(f, "json", text("{\"a\": 1}"), "{\"a\": 1}");
    check_sent(f, "jsonb", text("{\"a\":1}"), "{\"a\": 1}");
    check_sent(f, "text[]", list, "{\"a\\\"b\",NULL,\"\"}");
    check_sent(f, "mood", text("sad"), "sad");
    check_sent(f, "small", i64(5), "5");
    check_sent(f, "inet", text("::1"), "::1/128");
    check_sent(f, "money", i64(5), "$5.00");
    items[0] = of(PRAX_T_Date, 1);
    list.size = 2;
    check_sent(f, "date[]", list, "{1970-01-02,NULL}");
}

static void check_cell(struct fixture *f, const char *expr, enum pxi_kind kind, int64_t i,
                       const char *want)
{
    char sql[128];
    struct pxi_value got;
    snprintf(sql, sizeof sql, "SELECT %s", expr);
    ok(f, run(f, sql, NULL, 0, &got));
    assert_int_equal(got.kind, kind);
    if (kind == PXI_INT)
        assert_int_equal(got.u.i, i);
    if (kind == PXI_TEXT || kind == PXI_BLOB)
        assert_string_equal(got.u.p, want);
}

static void test_cells(void **state)
{
    struct fixture *f = *state;
    ok(f, d->exec(f->c, "SET timezone = 'Asia/Kathmandu'; CREATE TYPE mood AS ENUM ('sad');"
                        " CREATE DOMAIN small AS int"));
    check_cell(f, "5::int2", PXI_INT, 5, NULL);
    check_cell(f, "5::small", PXI_INT, 5, NULL);
    check_cell(f, "true", PXI_INT, 1, NULL);
    check_cell(f, "'2000-01-01'::date", PXI_INT, 10957, NULL);
    check_cell(f, "'1970-01-01 00:00:01Z'::timestamptz", PXI_INT, 1000000, NULL);
    check_cell(f, "'1970-01-01 00:00:01'::timestamp", PXI_INT, 1000000, NULL);
    check_cell(f, "'00:00:01'::time", PXI_INT, 1000000, NULL);
    check_cell(f, "1.50::numeric", PXI_TEXT, 0, "1.50");
    check_cell(f, "'sad'::mood", PXI_TEXT, 0, "sad");
    check_cell(f, "'sad'::mood", PXI_TEXT, 0, "sad");
    check_cell(f, "'{}'::jsonb", PXI_TEXT, 0, "{}");
    check_cell(f, "'\\x6162'::bytea", PXI_BLOB, 0, "ab");
    check_cell(f, "NULL", PXI_NULL, 0, NULL);
    check_cell(f, "'1 day'::interval", PXI_TEXT, 0, "P1D");
    check_cell(f, "'a b'::tsvector", PXI_ARRAY, 0, NULL); /* nobody takes that */
    check_cell(f, "pg_sleep(0)", PXI_TEXT, 0, "");
}

static void check_wrong(struct fixture *f, const char *type, struct pxi_value v, int code)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT $2::int, $1::%s", type);
    struct pxi_stmt *st = prepare(f, sql);
    struct pxi_value two[] = { v, i64(1) };
    assert_int_equal(d->start(st, two, 2), code);
    assert_non_null(strstr(why(f, code)->message, "parameter 1"));
    d->finish(st);
    d->drop(st);
}

static void test_wrong_values(void **state)
{
    struct fixture *f = *state;
    check_wrong(f, "int2", i64(32768), PRAX_ERANGE);
    check_wrong(f, "int4", text("1"), PRAX_ETYPE);
    check_wrong(f, "bool", i64(2), PRAX_ERANGE);
    check_wrong(f, "timestamptz", of(PRAX_T_Int, 1), PRAX_ETYPE);
    check_wrong(f, "bytea", text("x"), PRAX_ETYPE);
    /* told by the server; its text quotes the value, ours does not */
    struct pxi_value secret = text("geheim");
    assert_int_equal(run(f, "SELECT $1::inet", &secret, 1, NULL), PRAX_ETYPE);
    assert_null(strstr(f->err.message, "geheim"));
    assert_non_null(strstr(f->err.message, "inet"));
    assert_int_equal(run(f, "SELECT 1 / 0", NULL, 0, NULL), PRAX_ETYPE);
    assert_string_equal(f->err.e.sqlstate, "22012");
    assert_int_equal(run(f, "SELECT 2147483647 + 1", NULL, 0, NULL), PRAX_ERANGE);
}

/* ---- errors ---- */

static void test_errors(void **state)
{
    struct fixture *f = *state;
    const prax_error *e = &f->err.e;
    ok(f, d->exec(f->c, "CREATE TABLE a (id int PRIMARY KEY, b text NOT NULL, c int CHECK (c > 0),"
                        " d int, UNIQUE (b, c));"
                        " CREATE TABLE k (a int CONSTRAINT k_to_a REFERENCES a)"));
    assert_int_equal(run(f, "INSERT INTO a VALUES (1, 'x', 1), (2, 'y', 2)", NULL, 0, NULL), 0);
    assert_int_equal(run(f, "INSERT INTO a VALUES (3, 'x', 1)", NULL, 0, NULL), PRAX_EUNIQUE);
    assert_string_equal(e->constraint, "a_b_c_key");
    assert_string_equal(e->table, "a");
    assert_string_equal(e->column, "b, c");
    assert_string_equal(e->sqlstate, "23505");
    assert_null(strstr(e->message, "'x'"));
    assert_int_equal(run(f, "INSERT INTO a VALUES (3)", NULL, 0, NULL), PRAX_ENULL);
    assert_string_equal(e->column, "b");
    assert_int_equal(run(f, "INSERT INTO a VALUES (3, 'z', -1)", NULL, 0, NULL), PRAX_ECHECK);
    assert_string_equal(e->constraint, "a_c_check");
    assert_int_equal(run(f, "INSERT INTO k VALUES (9)", NULL, 0, NULL), PRAX_EFOREIGN);
    assert_string_equal(e->constraint, "k_to_a");
    assert_string_equal(e->table, "k");
    assert_int_equal(run(f, "SELECT idd FROM a", NULL, 0, NULL), PRAX_ESCHEMA);
    assert_int_equal(run(f, "CREATE TABLE a (id int)", NULL, 0, NULL), PRAX_ESQL);
    assert_false(e->retryable);
    ok(f, d->exec(f->c, "BEGIN READ ONLY"));
    assert_int_equal(run(f, "INSERT INTO a VALUES (3, 'z', 1)", NULL, 0, NULL), PRAX_EPERM);
    assert_int_equal(run(f, "SELECT 1", NULL, 0, NULL), PRAX_EABORTED);
    assert_int_equal(d->exec(f->c, "COMMIT"), PRAX_EABORTED);
    assert_false(d->in_tx(f->c));
    struct pxi_conn *other = connect_to(f->url);
    ok(f, d->exec(f->c, "BEGIN; LOCK TABLE a"));
    assert_true(d->in_tx(f->c));
    assert_int_equal(d->exec(other, "SET lock_timeout = 20; SELECT * FROM a"), PRAX_EBUSY);
    pxi_error_clear(&f->err);
    d->explain(other, PRAX_EBUSY, &f->err);
    assert_true(f->err.e.retryable);
    d->close(other);
    ok(f, d->exec(f->c, "ROLLBACK"));
}

static void test_isolation(void **state)
{
    struct fixture *f = *state;
    static const char *const levels[] = { "read committed", "read committed", "repeatable read",
                                          "serializable" };
    for (enum prax_isolation i = PRAX_ISO_DEFAULT; i <= PRAX_SERIALIZABLE; i++) {
        for (int ro = 0; ro < 2; ro++) {
            struct pxi_value v;
            ok(f, d->exec(f->c, d->begin(i, ro)));
            ok(f, run(f, "SHOW transaction_isolation", NULL, 0, &v));
            assert_string_equal(v.u.p, levels[i]);
            ok(f, run(f, "SHOW transaction_read_only", NULL, 0, &v));
            assert_string_equal(v.u.p, ro ? "on" : "off");
            ok(f, d->exec(f->c, "COMMIT"));
        }
    }
}

/* ---- cursors ---- */

static struct pxi_stmt *open_stream(struct fixture *f, const char *sql, int64_t n)
{
    struct pxi_stmt *st = prepare(f, sql);
    struct pxi_value v = i64(n);
    d->stream(st);
    ok(f, d->start(st, &v, 1));
    return st;
}

static const char series[] =
    "SELECT i, repeat('x', 10) FROM (SELECT generate_series(1, $1::int)) s(i)";

/* Two at once, step by step, with a statement in between; then to their ends. */
static void check_two(struct fixture *f, int n)
{
    struct pxi_stmt *a = open_stream(f, series, n), *b = open_stream(f, series, n / 2);
    int of_a = 0, of_b = 0, rc;
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(d->step(a), 1);
        assert_int_equal(d->column(a, 0).u.i, ++of_a);
        assert_int_equal(number(f, "SELECT 7"), 7);
        assert_int_equal(d->column(a, 0).u.i, of_a);
        assert_string_equal(d->column(a, 1).u.p, "xxxxxxxxxx");
        assert_int_equal(d->step(b), 1);
        assert_int_equal(d->column(b, 0).u.i, ++of_b);
    }
    while ((rc = d->step(a)) == 1)
        assert_int_equal(d->column(a, 0).u.i, ++of_a);
    ok(f, rc);
    while ((rc = d->step(b)) == 1)
        assert_int_equal(d->column(b, 0).u.i, ++of_b);
    ok(f, rc);
    assert_int_equal(of_a, n);
    assert_int_equal(of_b, n / 2);
    d->finish(a);
    d->drop(a);
    d->drop(b); /* finishes it too */
}

static void test_cursors(void **state)
{
    struct fixture *f = *state;
    static const int sizes[] = { 6, 200, 100, 20000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_two(f, sizes[i]);
        ok(f, d->exec(f->c, "BEGIN"));
        check_two(f, sizes[i]);
        assert_true(d->in_tx(f->c));
        ok(f, d->exec(f->c, "COMMIT"));
    }
    /* none, and one that fails in the middle */
    struct pxi_stmt *st = open_stream(f, series, 0);
    assert_int_equal(d->step(st), 0);
    assert_int_equal(d->step(st), 0);
    d->drop(st);
    for (int tx = 0; tx < 2; tx++) {
        if (tx)
            ok(f, d->exec(f->c, "BEGIN"));
        int rc = 1, rows = 0;
        st = open_stream(f, "SELECT 1 / (500 - i) FROM generate_series(1, $1::int) i", 1000);
        while ((rc = d->step(st)) == 1)
            rows++;
        assert_int_equal(rc, PRAX_ETYPE);
        assert_string_equal(why(f, rc)->sqlstate, "22012");
        if (tx == 0)
            assert_int_equal(rows, 499);
        d->drop(st);
    }
    ok(f, d->exec(f->c, "ROLLBACK"));
    assert_int_equal(number(f, "SELECT 9"), 9);
}

/* Closed early: at once, and with much left. */
static void test_cursor_closed_early(void **state)
{
    struct fixture *f = *state;
    for (int tx = 0; tx < 2; tx++) {
        for (int rows = 0; rows < 3; rows++) {
            if (tx)
                ok(f, d->exec(f->c, "BEGIN"));
            struct pxi_stmt *st = open_stream(f, series, 50 * 1000 * 1000);
            for (int i = 0; i < rows; i++)
                assert_int_equal(d->step(st), 1);
            uint64_t start = pxi_clock_ns();
            d->finish(st);
            assert_true(pxi_clock_ns() - start < 3000000000u);
            d->drop(st);
            assert_int_equal(number(f, "SELECT 5"), 5);
            if (tx)
                ok(f, d->exec(f->c, "COMMIT"));
        }
    }
}

static void test_cursor_that_is_too_long(void **state)
{
    struct fixture *f = *state;
    struct pxi_stmt *st =
        open_stream(f, "SELECT repeat('x', 1000000) FROM generate_series(1, $1::int)", 400);
    struct pxi_stmt *other = NULL;
    assert_int_equal(d->step(st), 1);
    int rc = d->prepare(f->c, "SELECT 1", 8, true, &other);
    assert_int_equal(rc, PRAX_ELIMIT);
    assert_non_null(strstr(why(f, rc)->message, "cursor"));
    int rows = 1;
    while ((rc = d->step(st)) == 1)
        rows++;
    ok(f, rc);
    assert_int_equal(rows, 400);
    d->drop(st);
    assert_int_equal(number(f, "SELECT 5"), 5);
}

static void test_cursors_and_transactions(void **state)
{
    struct fixture *f = *state;
    int rc, rows = 0;
    ok(f, d->exec(f->c, "BEGIN"));
    struct pxi_stmt *outer = open_stream(f, series, 1000);
    assert_int_equal(d->step(outer), 1);
    ok(f, d->exec(f->c, "SAVEPOINT p2"));
    struct pxi_stmt *inner = open_stream(f, series, 1000);
    assert_int_equal(d->step(inner), 1);
    ok(f, d->exec(f->c, "SAVEPOINT p3"));
    struct pxi_stmt *kept = open_stream(f, series, 1000);
    ok(f, d->exec(f->c, "RELEASE p3"));
    ok(f, d->exec(f->c, "ROLLBACK TO p2; RELEASE p2"));
    while ((rc = d->step(inner)) == 1)
        rows++;
    assert_int_equal(rc, PRAX_EABORTED);
    assert_int_equal(rows, 99); /* those that had been fetched */
    while ((rc = d->step(kept)) == 1)
        ;
    assert_int_equal(rc, PRAX_EABORTED);
    d->drop(kept);
    d->drop(inner);
    struct pxi_stmt *last = open_stream(f, series, 300);
    ok(f, d->exec(f->c, "COMMIT")); /* which takes in the rest */
    assert_false(d->in_tx(f->c));
    for (rows = 1; (rc = d->step(outer)) == 1; rows++)
        assert_int_equal(d->column(outer, 0).u.i, rows + 1);
    ok(f, rc);
    assert_int_equal(rows, 1000);
    for (rows = 0; (rc = d->step(last)) == 1; rows++)
        ;
    ok(f, rc);
    assert_int_equal(rows, 300);
    d->drop(outer);
    d->drop(last);
    ok(f, d->exec(f->c, "BEGIN"));
    last = open_stream(f, series, 300);
    ok(f, d->exec(f->c, "ROLLBACK"));
    for (rows = 0; (rc = d->step(last)) == 1; rows++)
        ;
    assert_int_equal(rc, PRAX_EABORTED);
    d->drop(last);
    assert_int_equal(number(f, "SELECT count(*) FROM pg_cursors WHERE name <> ''"), 0);
}

/* A statement that writes gives its rows at once, also to a cursor. */
static void test_writing_cursor(void **state)
{
    struct fixture *f = *state;
    ok(f, d->exec(f->c, "CREATE TABLE t (id int)"));
    for (int tx = 0; tx < 2; tx++) {
        if (tx)
            ok(f, d->exec(f->c, "BEGIN"));
        struct pxi_stmt *st =
            open_stream(f, "INSERT INTO t SELECT generate_series(1, $1::int) RETURNING id", 5);
        for (int i = 1; i <= 5; i++) {
            assert_int_equal(d->step(st), 1);
            assert_int_equal(d->column(st, 0).u.i, i);
            assert_int_equal(d->changes(f->c), 5);
        }
        assert_int_equal(d->step(st), 0);
        d->drop(st);
    }
    ok(f, d->exec(f->c, "COMMIT"));
    assert_int_equal(number(f, "SELECT count(*) FROM t"), 10);
}

/* A statement that was started and not stepped must not hinder others, nor lose its error. */
static void test_put_aside(void **state)
{
    struct fixture *f = *state;
    struct pxi_stmt *a = prepare(f, "SELECT 41"), *b = prepare(f, "SELECT 1 / $1::int");
    struct pxi_value zero = i64(0);
    ok(f, d->start(a, NULL, 0));
    ok(f, d->start(b, &zero, 1));
    assert_int_equal(number(f, "SELECT 43"), 43);
    assert_int_equal(d->step(a), 1);
    assert_int_equal(d->column(a, 0).u.i, 41);
    int rc = d->step(b);
    assert_int_equal(rc, PRAX_ETYPE);
    assert_string_equal(why(f, rc)->sqlstate, "22012");
    d->finish(a);
    d->finish(b);
    d->drop(a);
    d->drop(b);
}

/* ---- time ---- */

static uint64_t ms_since(uint64_t start)
{
    return (pxi_clock_ns() - start) / 1000000;
}

static void *interrupt_soon(void *arg)
{
    struct fixture *f = ((void **)arg)[0];
    struct pxi_watch *w = ((void **)arg)[1];
    usleep(50000);
    __atomic_store_n(&w->cancel, 1, __ATOMIC_RELAXED);
    d->interrupt(f->c);
    return NULL;
}

static void test_deadline_and_cancel(void **state)
{
    struct fixture *f = *state;
    struct pxi_watch w = { 0 };
    d->watch(f->c, &w);
    for (int i = 0; i < 5; i++) {
        uint64_t start = pxi_clock_ns();
        w.deadline_ns = start + 30000000;
        assert_int_equal(run(f, "SELECT pg_sleep(10)", NULL, 0, NULL), PRAX_ETIMEOUT);
        assert_in_range(ms_since(start), 29, 2000);
        w.deadline_ns = 0;
        assert_int_equal(number(f, "SELECT 7"), 7);
    }
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        void *args[] = { f, &w };
        uint64_t start = pxi_clock_ns();
        pthread_create(&thread, NULL, interrupt_soon, args);
        assert_int_equal(run(f, "SELECT pg_sleep(10)", NULL, 0, NULL), PRAX_ECANCELED);
        assert_in_range(ms_since(start), 40, 2000);
        pthread_join(thread, NULL);
        w.cancel = 0;
        assert_int_equal(number(f, "SELECT 7"), 7);
    }
    /* a wake-up that means nothing, one before the wait, and a ROLLBACK after the deadline */
    d->interrupt(f->c);
    assert_int_equal(number(f, "SELECT 7"), 7);
    w.cancel = 1;
    d->interrupt(f->c);
    assert_int_equal(run(f, "SELECT pg_sleep(10)", NULL, 0, NULL), PRAX_ECANCELED);
    w.cancel = 0;
    ok(f, d->exec(f->c, "BEGIN"));
    w.deadline_ns = pxi_clock_ns() + 20000000;
    assert_int_equal(run(f, "SELECT pg_sleep(10)", NULL, 0, NULL), PRAX_ETIMEOUT);
    ok(f, d->exec(f->c, "ROLLBACK"));
    assert_false(d->in_tx(f->c));
    assert_false(d->broken(f->c));
    d->watch(f->c, NULL);
}

static void test_deadline_in_a_stream(void **state)
{
    struct fixture *f = *state;
    struct pxi_watch w = { 0 };
    d->watch(f->c, &w);
    struct pxi_stmt *st =
        open_stream(f, "SELECT i, pg_sleep(i / 5) FROM generate_series(1, $1::int) i", 100);
    w.deadline_ns = pxi_clock_ns() + 50000000;
    int rc, rows = 0;
    while ((rc = d->step(st)) == 1)
        rows++;
    assert_int_equal(rc, PRAX_ETIMEOUT);
    assert_in_range(rows, 0, 4);
    d->drop(st);
    w.deadline_ns = 0;
    assert_int_equal(number(f, "SELECT 7"), 7);
    d->watch(f->c, NULL);
}

static void test_timeouts_of_the_server(void **state)
{
    struct fixture *f = *state;
    char url[2 * PG_URL];
    snprintf(url, sizeof url, "%s&statement_timeout=30ms", f->url);
    d->close(f->c);
    f->c = connect_to(url);
    assert_int_equal(run(f, "SELECT pg_sleep(10)", NULL, 0, NULL), PRAX_ETIMEOUT);
    assert_string_equal(f->err.e.sqlstate, "57014");
    assert_int_equal(number(f, "SELECT 7"), 7);
}

/* ---- the connection ---- */

static void kill_it(struct fixture *f)
{
    char sql[64];
    int64_t pid = number(f, "SELECT pg_backend_pid()");
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 5000)", (int)pid);
    assert_true(pg_exec(sql));
}

static void test_lost(void **state)
{
    struct fixture *f = *state;
    assert_false(d->broken(f->c));
    assert_int_equal(d->ping(f->c, 1000), 0);
    struct pxi_stmt *st = prepare(f, "SELECT 1");
    kill_it(f);
    assert_true(d->broken(f->c));
    int rc = d->start(st, NULL, 0);
    assert_int_equal(rc, PRAX_ECONN);
    assert_true(why(f, rc)->retryable); /* nothing was sent */
    d->finish(st);
    d->drop(st);
    assert_int_equal(d->ping(f->c, 1000), PRAX_ECONN);
    assert_int_equal(d->exec(f->c, "BEGIN"), PRAX_ECONN);
    assert_false(d->in_tx(f->c));
    assert_int_equal(d->reset(f->c), PRAX_ECONN);
    /* nobody looked before: it is noticed at the statement, which may have run */
    d->close(f->c);
    f->c = connect_to(f->url);
    st = prepare(f, "SELECT 1");
    kill_it(f);
    rc = d->start(st, NULL, 0);
    if (rc == 0)
        rc = d->step(st);
    assert_int_equal(rc, PRAX_ECONN);
    assert_false(why(f, rc)->retryable);
    assert_true(strlen(f->err.message) > 10);
    d->finish(st);
    d->drop(st);
    assert_true(d->broken(f->c));
    /* in the middle of a transaction, with cursors open */
    d->close(f->c);
    f->c = connect_to(f->url);
    ok(f, d->exec(f->c, "BEGIN"));
    st = open_stream(f, series, 1000);
    kill_it(f);
    while ((rc = d->step(st)) == 1)
        ;
    assert_int_equal(rc, PRAX_ECONN);
    d->drop(st);
    assert_false(d->in_tx(f->c));
}

/* A session that the server ends by itself is lost, whatever it calls that. */
static void test_idle_for_too_long(void **state)
{
    struct fixture *f = *state;
    static const char *const settings[] = { "idle_in_transaction_session_timeout=30ms",
                                            "options=-cidle_session_timeout%3D30" };
    for (size_t i = 0; i < 2; i++) {
        char url[2 * PG_URL];
        snprintf(url, sizeof url, "%s&%s", f->url, settings[i]);
        d->close(f->c);
        f->c = connect_to(url);
        if (i == 0)
            ok(f, d->exec(f->c, "BEGIN"));
        usleep(150000);
        assert_int_equal(run(f, "SELECT 1", NULL, 0, NULL), PRAX_ECONN);
        assert_true(d->broken(f->c));
        assert_false(d->in_tx(f->c));
    }
}

static void test_reset(void **state)
{
    struct fixture *f = *state;
    struct pxi_value v;
    struct pxi_stmt *st = prepare(f, "SELECT 3");
    ok(f, d->exec(f->c, "BEGIN; CREATE TABLE t (id int); SET work_mem = '1MB'"));
    ok(f, d->reset(f->c));
    assert_false(d->in_tx(f->c));
    assert_int_equal(d->has_table(f->c, "t"), 0);
    ok(f, d->exec(f->c, "SET statement_timeout = 5"));
    ok(f, d->reset(f->c));
    ok(f, run(f, "SHOW statement_timeout", NULL, 0, &v));
    assert_string_equal(v.u.p, "0");
    ok(f, d->start(st, NULL, 0)); /* what was prepared stays */
    assert_int_equal(d->step(st), 1);
    d->finish(st);
    d->drop(st);
    ok(f, d->exec(f->c, "BEGIN"));
    run(f, "SELECT 1 / 0", NULL, 0, NULL);
    ok(f, d->reset(f->c));
    assert_int_equal(number(f, "SELECT 7"), 7);
}

static void test_open(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *add;
        int code;
    } cases[] = {
        { "&connect_timeout=2&dbname=absent", PRAX_ECONN },
        { "&sslmode=verify", PRAX_EINVAL },
        { "&port=1", PRAX_ECONN },
        { "&user=nobody_here", PRAX_ECONN },
        { "&options=-cwork_mem%3Dx", PRAX_EINVAL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[2 * PG_URL], *where = NULL;
        struct pxi_conn *c = NULL;
        snprintf(url, sizeof url, "%s%s&password=geheim", f->url, cases[i].add);
        pxi_error_clear(&f->err);
        assert_int_equal(d->resolve(url, false, &where, &f->err), 0);
        struct pxi_conn_opts o = { .url = url, .where = where };
        int rc = d->open(&o, &c, &f->err);
        bool one_line = !strpbrk(f->err.message, "\t\n");
        if (rc != cases[i].code || strstr(f->err.message, "geheim") || !one_line)
            fail_msg("%s: %d: %s", cases[i].add, rc, f->err.message);
        assert_null(c);
        free(where);
    }
}

/* ---- statements that the server forgets ---- */

static void test_stale_plans(void **state)
{
    struct fixture *f = *state;
    ok(f, d->exec(f->c, "CREATE TABLE t (a int); INSERT INTO t VALUES (5)"));
    struct pxi_stmt *st = prepare(f, "SELECT * FROM t WHERE a > $1");
    struct pxi_value zero = i64(0);
    for (int i = 0; i < 3; i++) {
        ok(f, d->start(st, &zero, 1));
        assert_int_equal(d->step(st), 1);
        assert_int_equal(d->column(st, 0).u.i, 5);
        assert_int_equal(d->columns(st), i == 2 ? 2 : 1);
        d->finish(st);
        ok(f, d->exec(f->c, i == 0   ? "DEALLOCATE ALL"
                            : i == 1 ? "ALTER TABLE t ADD b text"
                                     : "BEGIN; ALTER TABLE t ADD c text"));
    }
    ok(f, d->start(st, &zero, 1)); /* in a transaction it cannot be done over */
    int rc = d->step(st);
    assert_int_equal(rc, PRAX_ESCHEMA);
    assert_true(why(f, rc)->retryable);
    d->finish(st);
    ok(f, d->exec(f->c, "ROLLBACK"));
    ok(f, d->start(st, &zero, 1));
    assert_int_equal(d->step(st), 1);
    d->finish(st);
    d->drop(st);
}

/* The same for cursors, whose texts are parsed again where they are opened. */
static void test_stale_cursors(void **state)
{
    struct fixture *f = *state;
    struct pxi_value zero = i64(0);
    ok(f, d->exec(f->c, "CREATE TABLE t (a int); INSERT INTO t VALUES (5), (6)"));
    struct pxi_stmt *st = prepare(f, "SELECT * FROM t WHERE a > $1 ORDER BY a");
    ok(f, d->exec(f->c, "BEGIN; ALTER TABLE t ADD b text"));
    d->stream(st);
    int rc = d->start(st, &zero, 1);
    assert_int_equal(rc, PRAX_ESCHEMA);
    assert_non_null(strstr(why(f, rc)->message, "columns"));
    d->finish(st);
    ok(f, d->exec(f->c, "ROLLBACK; BEGIN; ALTER TABLE t ALTER a TYPE text"));
    struct pxi_stmt *all = prepare(f, "SELECT * FROM t WHERE $1 > 0");
    ok(f, d->exec(f->c, "ALTER TABLE t ALTER a TYPE int8 USING 7"));
    d->stream(all);
    ok(f, d->start(all, &zero, 1));
    d->finish(all);
    struct pxi_value one = i64(1);
    d->stream(all);
    ok(f, d->start(all, &one, 1));
    assert_int_equal(d->step(all), 1);
    assert_int_equal(d->column(all, 0).kind, PXI_INT);
    assert_int_equal(d->column(all, 0).u.i, 7);
    d->drop(all);
    ok(f, d->exec(f->c, "ROLLBACK"));
    d->drop(st);
    /* without a name, rows as they come */
    char url[2 * PG_URL];
    snprintf(url, sizeof url, "%s&prax_prepare=off", f->url);
    d->close(f->c);
    f->c = connect_to(url);
    st = prepare(f, "SELECT * FROM t WHERE a > $1 ORDER BY a");
    ok(f, d->exec(f->c, "ALTER TABLE t ADD b text"));
    d->stream(st);
    ok(f, d->start(st, &zero, 1));
    rc = d->step(st);
    assert_int_equal(rc, PRAX_ESCHEMA);
    assert_non_null(strstr(why(f, rc)->message, "columns"));
    d->finish(st);
    d->stream(st);
    ok(f, d->start(st, &zero, 1)); /* it has been described again */
    assert_int_equal(d->step(st), 1);
    assert_int_equal(d->columns(st), 2);
    d->finish(st);
    d->drop(st);
}

static void test_names_are_dropped(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 100; i++)
        d->drop(prepare(f, "SELECT 1"));
    assert_in_range(number(f, "SELECT count(*) FROM pg_prepared_statements"), 1, 20);
}

static void test_without_names(void **state)
{
    struct fixture *f = *state;
    char url[2 * PG_URL];
    snprintf(url, sizeof url, "%s&prax_prepare=off", f->url);
    d->close(f->c);
    f->c = connect_to(url);
    ok(f, d->exec(f->c, "CREATE TABLE t (a int); INSERT INTO t VALUES (5)"));
    struct pxi_stmt *st = prepare(f, "SELECT * FROM t WHERE a > $1");
    struct pxi_value zero = i64(0);
    ok(f, d->exec(f->c, "DISCARD ALL")); /* another server connection */
    for (int i = 0; i < 3; i++) {
        ok(f, d->start(st, &zero, 1));
        assert_int_equal(d->step(st), 1);
        assert_int_equal(d->column(st, 0).u.i, 5);
        d->finish(st);
    }
    assert_int_equal(number(f, "SELECT count(*) FROM pg_prepared_statements"), 0);
    ok(f, d->exec(f->c, "ALTER TABLE t ADD b text"));
    ok(f, d->start(st, &zero, 1));
    assert_int_equal(d->step(st), PRAX_ESCHEMA);
    d->finish(st);
    d->drop(st);
    ok(f, d->exec(f->c, "BEGIN"));
    check_two(f, 300);
    ok(f, d->exec(f->c, "COMMIT"));
    check_two(f, 300);
}

/* ---- COPY ---- */

static void test_copy(void **state)
{
    struct fixture *f = *state;
    enum { ROWS = 5000 };
    ok(f, d->exec(f->c, "CREATE TABLE \"t\" (id int PRIMARY KEY, \"Lab\" text, n numeric(8, 2))"));
    struct pxi_value *v = calloc(3 * ROWS, sizeof *v);
    for (int i = 0; i < ROWS; i++) {
        v[3 * i] = i64(i);
        v[3 * i + 1] = i % 10 ? text("a label of some length") : (struct pxi_value){ 0 };
        v[3 * i + 2] = (struct pxi_value){
            .kind = PXI_INT, .type = PRAX_T_Decimal, .scale = 2, .u.i = 100 * i + 25
        };
    }
    const char *columns = "\"id\", \"Lab\", \"n\"";
    ok(f, d->copy_begin(f->c, "\"t\"", columns));
    struct pxi_stmt *st;
    assert_int_equal(d->prepare(f->c, "SELECT 1", 8, true, &st), PRAX_EINVAL);
    ok(f, d->copy_rows(f->c, v, ROWS / 2));
    ok(f, d->copy_rows(f->c, v + 3 * (ROWS / 2), ROWS - ROWS / 2));
    assert_int_equal(d->copy_end(f->c, true), ROWS);
    assert_int_equal(number(f, "SELECT count(*) FROM t"), ROWS);
    assert_int_equal(number(f, "SELECT count(*) FROM t WHERE \"Lab\" IS NULL"), ROWS / 10);
    assert_int_equal(number(f, "SELECT (sum(n) * 100)::int8 FROM t"),
                     (int64_t)100 * ROWS * (ROWS - 1) / 2 + 25 * ROWS);
    /* a row that is there already: all or nothing */
    v[0] = i64(ROWS + 1);
    ok(f, d->copy_begin(f->c, "\"t\"", columns));
    ok(f, d->copy_rows(f->c, v, 2));
    int64_t rc = d->copy_end(f->c, true);
    assert_int_equal(rc, PRAX_EUNIQUE);
    assert_string_equal(why(f, (int)rc)->constraint, "t_pkey");
    /* a value that does not fit, and a change of mind */
    ok(f, d->copy_begin(f->c, "\"t\"", columns));
    v[3] = text("x");
    rc = d->copy_rows(f->c, v, 2);
    assert_int_equal(rc, PRAX_ETYPE);
    assert_non_null(strstr(why(f, (int)rc)->message, "row 2, value 1"));
    assert_int_equal(d->copy_end(f->c, true), PRAX_ETYPE);
    v[3] = i64(ROWS + 2);
    ok(f, d->copy_begin(f->c, "\"t\"", columns));
    ok(f, d->copy_rows(f->c, v, 2));
    assert_int_equal(d->copy_end(f->c, false), 0);
    assert_int_equal(d->copy_begin(f->c, "\"absent\"", "\"x\""), PRAX_ESCHEMA);
    assert_int_equal(d->copy_end(f->c, false), 0);
    assert_non_null(strstr(why(f, PRAX_ESCHEMA)->message, "absent"));
    ok(f, d->copy_begin(f->c, "\"pg_tables\"", "\"tablename\""));
    assert_int_equal(d->copy_end(f->c, true), PRAX_ESQL);
    assert_int_equal(number(f, "SELECT count(*) FROM t"), ROWS);
    /* one that is only looked at when it is committed */
    ok(f, d->exec(f->c, "CREATE TABLE \"u\" (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)"));
    struct pxi_value twice[] = { i64(1), i64(1) };
    ok(f, d->copy_begin(f->c, "\"u\"", "\"id\""));
    ok(f, d->copy_rows(f->c, twice, 2));
    rc = d->copy_end(f->c, true);
    assert_int_equal(rc, PRAX_EUNIQUE);
    assert_string_equal(why(f, (int)rc)->constraint, "u_id_key");
    free(v);
}

/* At its beginning, and while the server takes rows: it waits there for a lock of another's. */
static void test_deadline_in_a_copy(void **state)
{
    struct fixture *f = *state;
    struct pxi_watch w = { 0 };
    enum { ROWS = 20000 };
    ok(f, d->exec(f->c, "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (id int REFERENCES u);"
                        " INSERT INTO u VALUES (1); SET lock_timeout = 0"));
    struct pxi_conn *other = connect_to(f->url);
    struct pxi_value *v = calloc(ROWS, sizeof *v);
    for (int i = 0; i < ROWS; i++)
        v[i] = i64(1);
    d->watch(f->c, &w);
    for (int late = 0; late < 2; late++) {
        assert_int_equal(d->exec(other, late ? "BEGIN; DELETE FROM u" : "BEGIN; LOCK t"), 0);
        w.deadline_ns = pxi_clock_ns() + (late ? 800000000 : 50000000);
        int64_t rc = d->copy_begin(f->c, "\"t\"", "\"id\"");
        if (rc == 0)
            rc = d->copy_rows(f->c, v, ROWS);
        if (late) {
            assert_true(rc == 0 || rc == PRAX_ETIMEOUT);
            rc = d->copy_end(f->c, rc == 0);
        }
        if (rc != PRAX_ETIMEOUT)
            fail_msg("%d: %lld: %s", late, (long long)rc, why(f, (int)rc)->message);
        w.deadline_ns = 0;
        assert_int_equal(d->exec(other, "ROLLBACK"), 0);
        assert_int_equal(number(f, "SELECT count(*) FROM t"), 0);
    }
    d->watch(f->c, NULL);
    d->close(other);
    free(v);
}

/* ---- pipelines ---- */

static void wait_for(struct fixture *f, const struct pxi_async *as)
{
    struct pollfd fd = { .fd = as->fd(f->c), .events = as->events(f->c) };
    assert_int_equal(poll(&fd, 1, 5000), 1);
    assert_int_equal(as->pump(f->c), 0);
}

/* The next answered entry; its code: 1, or what failed. */
static int next(struct fixture *f, struct pxi_stmt **st)
{
    const struct pxi_async *as = d->async;
    int rc;
    while ((rc = as->next(f->c, st)) == 0) {
        assert_true(as->out(f->c) > 0);
        wait_for(f, as);
    }
    return rc;
}

static void test_pipeline(void **state)
{
    struct fixture *f = *state;
    const struct pxi_async *as = d->async;
    struct pxi_stmt *get = NULL, *bad = NULL, *st = NULL;
    ok(f, d->exec(f->c, "CREATE TABLE t (id int PRIMARY KEY, label text);"
                        " INSERT INTO t SELECT i, 'l' || i FROM generate_series(1, 100) i"));
    ok(f, as->begin(f->c));
    assert_int_equal(d->exec(f->c, "SELECT 1"), PRAX_EINVAL);
    const char *sql = "SELECT id, label FROM t WHERE id = $1";
    ok(f, as->prepare(f->c, sql, strlen(sql), true, &get));
    assert_int_equal(as->push(get, NULL, 0), PRAX_EINVAL); /* its types are not known */
    ok(f, as->sync(f->c));
    ok(f, as->prepare(f->c, "SELECT * FROM absent", 20, true, &bad));
    ok(f, as->sync(f->c));
    assert_int_equal(next(f, &st), 1);
    assert_ptr_equal(st, get);
    int rc = next(f, &st);
    assert_int_equal(rc, PRAX_ESCHEMA);
    assert_ptr_equal(st, bad);
    assert_string_equal(why(f, rc)->table, "absent");
    d->drop(bad);
    for (int i = 1; i <= 100; i++) {
        struct pxi_value v = i64(i);
        ok(f, as->push(get, &v, 1));
    }
    struct pxi_value wrong = text("x");
    assert_int_equal(as->push(get, &wrong, 1), PRAX_ETYPE);
    ok(f, as->sync(f->c));
    for (int i = 1; i <= 100; i++) {
        char want[8];
        snprintf(want, sizeof want, "l%d", i);
        assert_int_equal(next(f, &st), 1);
        assert_ptr_equal(st, get);
        assert_int_equal(d->step(st), 1);
        assert_string_equal(d->column(st, 1).u.p, want);
        assert_int_equal(d->step(st), 0);
    }
    assert_int_equal(as->end(f->c), 0);
    assert_int_equal(number(f, "SELECT 7"), 7);
    d->drop(get);
}

/* What fails takes its group with it, and no other. */
static void test_pipeline_groups(void **state)
{
    struct fixture *f = *state;
    const struct pxi_async *as = d->async;
    ok(f, d->exec(f->c, "CREATE TABLE t (id int PRIMARY KEY)"));
    struct pxi_stmt *add = prepare(f, "INSERT INTO t VALUES ($1)"), *st;
    static const struct {
        int id;
        bool sync;
        int code;
    } cases[] = {
        { 1, true, 1 },
        { 1, true, PRAX_EUNIQUE },
        { 2, false, 1 },
        { 1, false, PRAX_EUNIQUE },
        { 3, true, PRAX_EABORTED },
        { 4, true, 1 },
    };
    enum { N = sizeof cases / sizeof *cases };
    ok(f, as->begin(f->c));
    for (int i = 0; i < N; i++) {
        struct pxi_value v = i64(cases[i].id);
        ok(f, as->push(add, &v, 1));
        if (cases[i].sync)
            ok(f, as->sync(f->c));
    }
    assert_int_equal(as->end(f->c), PRAX_EINVAL);
    for (int i = 0; i < N; i++) {
        int rc = next(f, &st);
        assert_int_equal(rc, cases[i].code);
        assert_ptr_equal(st, add);
        if (rc == 1) {
            assert_int_equal(d->step(st), 0);
            assert_int_equal(d->changes(f->c), 1);
        } else if (rc == PRAX_EUNIQUE) {
            assert_string_equal(why(f, rc)->constraint, "t_pkey");
        }
    }
    ok(f, as->end(f->c));
    assert_int_equal(number(f, "SELECT count(*) FROM t"), 2); /* 1 and 4: 2 was undone */
    /* in a transaction, one group */
    ok(f, d->exec(f->c, "BEGIN"));
    ok(f, as->begin(f->c));
    for (int i = 10; i < 13; i++) {
        struct pxi_value v = i64(i);
        ok(f, as->push(add, &v, 1));
    }
    ok(f, as->sync(f->c));
    for (int i = 10; i < 13; i++)
        assert_int_equal(next(f, &st), 1);
    ok(f, as->end(f->c));
    assert_true(d->in_tx(f->c));
    ok(f, d->exec(f->c, "COMMIT"));
    assert_int_equal(number(f, "SELECT count(*) FROM t"), 5);
    d->drop(add);
}

static void test_pipeline_cancel_and_loss(void **state)
{
    struct fixture *f = *state;
    const struct pxi_async *as = d->async;
    struct pxi_stmt *nap = prepare(f, "SELECT pg_sleep($1)"), *st;
    struct pxi_value long_one = real(10), short_one = real(0);
    ok(f, as->begin(f->c));
    ok(f, as->push(nap, &long_one, 1));
    ok(f, as->sync(f->c));
    ok(f, as->push(nap, &short_one, 1));
    ok(f, as->sync(f->c));
    ok(f, as->pump(f->c));
    usleep(30000);
    ok(f, as->cancel(f->c));
    assert_int_equal(next(f, &st), PRAX_ECANCELED);
    assert_int_equal(next(f, &st), 1);
    usleep(50000);
    ok(f, as->end(f->c));
    assert_int_equal(number(f, "SELECT 7"), 7);
    int64_t pid = number(f, "SELECT pg_backend_pid()");
    char sql[64];
    ok(f, as->begin(f->c));
    ok(f, as->push(nap, &long_one, 1));
    ok(f, as->sync(f->c));
    ok(f, as->pump(f->c));
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 5000)", (int)pid);
    assert_true(pg_exec(sql));
    int rc;
    while ((rc = as->next(f->c, &st)) == 0 && as->fd(f->c) >= 0) {
        struct pollfd fd = { .fd = as->fd(f->c), .events = as->events(f->c) };
        poll(&fd, 1, 1000);
        as->pump(f->c);
    }
    assert_int_equal(rc, PRAX_ECONN);
    assert_int_equal(as->end(f->c), PRAX_ECONN);
    assert_true(d->broken(f->c));
    d->drop(nap);
}

static void test_open_without_waiting(void **state)
{
    struct fixture *f = *state;
    const struct pxi_async *as = d->async;
    char *where = NULL;
    int rc;
    for (int good = 0; good < 2; good++) {
        char url[2 * PG_URL];
        snprintf(url, sizeof url, "%s%s", f->url, good ? "" : "&dbname=absent");
        ok(f, d->resolve(url, false, &where, &f->err));
        struct pxi_conn_opts o = { .url = url, .where = where };
        d->close(f->c);
        ok(f, as->open_start(&o, &f->c, &f->err));
        pxi_error_clear(&f->err);
        for (rc = 1; rc == 1; rc = as->open_poll(f->c, &f->err)) {
            struct pollfd fd = { .fd = as->fd(f->c), .events = as->events(f->c) };
            assert_int_equal(poll(&fd, 1, 5000), 1);
        }
        assert_int_equal(rc, good ? 0 : PRAX_ECONN);
        free(where);
    }
    assert_int_equal(number(f, "SELECT 7"), 7);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_statements),
        T(test_wrong_texts),
        T(test_values),
        T(test_cells),
        T(test_wrong_values),
        T(test_errors),
        T(test_isolation),
        T(test_cursors),
        T(test_cursor_closed_early),
        T(test_cursor_that_is_too_long),
        T(test_cursors_and_transactions),
        T(test_writing_cursor),
        T(test_put_aside),
        T(test_deadline_and_cancel),
        T(test_deadline_in_a_stream),
        T(test_timeouts_of_the_server),
        T(test_lost),
        T(test_idle_for_too_long),
        T(test_reset),
        T(test_open),
        T(test_stale_plans),
        T(test_stale_cursors),
        T(test_names_are_dropped),
        T(test_without_names),
        T(test_copy),
        T(test_deadline_in_a_copy),
        T(test_pipeline),
        T(test_pipeline_groups),
        T(test_pipeline_cancel_and_loss),
        T(test_open_without_waiting),
    };
    if (pg_missing()) {
        printf("1..1\nok 1 - PostgreSQL # SKIP %s\n", pg_missing());
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_statements, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_texts, setup, teardown),
    };
    if (pg_missing()) {
        printf("1..1\nok 1 - PostgreSQL # SKIP %s\n", pg_missing());
        return 0;
    }
    (void)real;
    (void)blob;
    (void)of;
    (void)text;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

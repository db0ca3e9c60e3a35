/* test_pg_rows.c - rows at hand, read column by column: the same as read one by one, and what does
 * not fit is refused in any of them. */
#include "orm/driver/driver.h"
#include "tests/lib/pg.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

enum { ROWS = 150, AT_ONCE = 64 };
static const struct pxi_driver *const d = &pxi_postgres;

struct row {
    int64_t id;
    prax_opt_i64 age;
    const char *name;
    int role;
    prax_opt_bool fine;
    double score;
    prax_opt_time made;
    prax_opt_dec price;
};

static const char *const labels[] = { NULL, "USER", "ADMIN", "ADMINISTRATOR" };
static const prax_enum_type role = { .name = "Role", .n_labels = 3, .labels = labels };
static const struct pxi_out out[] = {
    { .off = offsetof(struct row, id), .type = PRAX_T_Int },
    { .off = offsetof(struct row, age), .type = PRAX_T_Int, .null = 1 },
    { .off = offsetof(struct row, name), .type = PRAX_T_String, .null = 1 },
    { .off = offsetof(struct row, role), .type = PRAX_T_Enum, .labels = &role },
    { .off = offsetof(struct row, fine), .type = PRAX_T_Boolean, .null = 1 },
    { .off = offsetof(struct row, score), .type = PRAX_T_Float },
    { .off = offsetof(struct row, made), .type = PRAX_T_DateTime, .null = 1 },
    { .off = offsetof(struct row, price), .type = PRAX_T_Decimal, .null = 1, .scale = 2 },
};
enum { COLUMNS = sizeof out / sizeof *out };
static const struct pxi_program program = { .out = out, .n = COLUMNS, .size = sizeof(struct row) };

/* $1: the role of row 100; $2: the score of row 100. */
static const char select_rows[] =
    "SELECT i, CASE WHEN i % 3 > 0 THEN i * 7 END,"
    " CASE WHEN i % 5 > 0 THEN repeat('x', i % 5 * (i % 40) - 1) END,"
    " CASE WHEN i = 100 THEN $1::text ELSE (ARRAY['USER', 'ADMIN', 'ADMINISTRATOR'])[i % 3 + 1]"
    " END, CASE WHEN i % 7 > 0 THEN i % 2 = 0 END,"
    " CASE WHEN i = 100 THEN $2::float8 ELSE i / 4.0 END,"
    " CASE WHEN i % 4 > 0 THEN to_timestamp(i) END, CASE WHEN i % 6 > 0 THEN i / 100.0 END"
    " FROM generate_series(1, 150) i ORDER BY i";

struct fixture {
    char url[PG_URL];
    struct pxi_conn *c;
    struct pxi_stmt *st;
    struct pxi_arena arena;
    struct pxi_error err;
    struct row rows[ROWS];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char *where = NULL;
    pg_schema_new(f->url);
    pxi_error_clear(&f->err);
    assert_int_equal(d->resolve(f->url, false, &where, &f->err), 0);
    assert_int_equal(
        d->open(&(struct pxi_conn_opts){ .url = f->url, .where = where }, &f->c, &f->err), 0);
    free(where);
    pxi_arena_init(&f->arena, NULL, 0);
    assert_int_equal(d->prepare(f->c, select_rows, strlen(select_rows), true, &f->st), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    d->finish(f->st);
    d->drop(f->st);
    d->close(f->c);
    pxi_arena_free(&f->arena);
    pg_schema_drop(f->url);
    free(f);
    return 0;
}

static void start(struct fixture *f, const char *label, const double *score)
{
    struct pxi_value v[2] = {
        { .kind = PXI_TEXT, .type = PRAX_T_String, .size = (uint32_t)strlen(label), .u.p = label },
        { .kind = PXI_NULL, .type = PRAX_T_Float },
    };
    if (score)
        v[1] = (struct pxi_value){ .kind = PXI_REAL, .type = PRAX_T_Float, .u.f = *score };
    d->finish(f->st);
    memset(f->rows, 0, sizeof f->rows);
    assert_int_equal(d->start(f->st, v, 2), 0);
}

/* `size` rows at a time into f->rows, until they end or do not fit. */
static int64_t read_all(struct fixture *f, unsigned size, unsigned *failed)
{
    int64_t bytes = 0;
    unsigned count = 0;
    int rc;
    while ((rc = d->step(f->st)) == 1) {
        unsigned n = d->at_hand(f->st);
        assert_int_equal(n, ROWS - count);
        n = n < size ? n : size;
        int64_t more = d->rows(f->st, &program, (char *)(f->rows + count), n, &f->arena, failed);
        if (more < 0)
            return more;
        bytes += more;
        count += n;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(count, ROWS);
    return bytes;
}

static bool same(const struct row *a, const struct row *b)
{
    return a->id == b->id && a->age.set == b->age.set && a->age.val == b->age.val &&
           !a->name == !b->name && (!a->name || strcmp(a->name, b->name) == 0) &&
           a->role == b->role && a->fine.set == b->fine.set && a->fine.val == b->fine.val &&
           a->score == b->score && a->made.set == b->made.set && a->made.val.us == b->made.val.us &&
           a->price.set == b->price.set && a->price.val.units == b->price.val.units;
}

static void test_same(void **state)
{
    struct fixture *f = *state;
    static struct row one[ROWS];
    static const unsigned sizes[] = { 1, 7, AT_ONCE, ROWS };
    double score = 25;
    int64_t bytes = 0;
    unsigned failed;
    start(f, "ADMIN", &score);
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(d->step(f->st), 1);
        int64_t more = d->row(f->st, &program, (char *)&one[i], &f->arena, &failed);
        assert_true(more >= 0);
        bytes += more;
    }
    assert_int_equal(d->step(f->st), 0);
    assert_int_equal(one[99].role, 2);
    assert_int_equal(one[1].age.val, 14);
    assert_int_equal(one[1].role, 3);
    assert_int_equal(one[1].made.val.us, 2000000);
    assert_int_equal(one[1].price.val.units, 2);
    assert_null(one[4].name);
    assert_string_equal(one[40].name, ""); /* a text of no bytes is not NULL */
    assert_string_equal(one[1].name, "xxx");
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        start(f, "ADMIN", &score);
        assert_int_equal(read_all(f, sizes[k], &failed), bytes);
        for (int i = 0; i < ROWS; i++) {
            if (!same(&one[i], &f->rows[i]))
                fail_msg("row %d, %u at once", i, sizes[k]);
        }
    }
}

static void test_unfit(void **state)
{
    struct fixture *f = *state;
    static const char *const words[] = { "", "US", "USERS", "ADMINISTRATORS", "user" };
    double score = 1;
    unsigned failed = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        start(f, words[i], &score);
        assert_int_equal(read_all(f, AT_ONCE, &failed), PRAX_ETYPE);
        assert_int_equal(failed, 3);
    }
    start(f, "USER", NULL); /* NULL where none may be */
    assert_int_equal(read_all(f, AT_ONCE, &failed), PRAX_ETYPE);
    assert_int_equal(failed, 5);
}

static void test_no_room(void **state)
{
    struct fixture *f = *state;
    double score = 1;
    unsigned failed = 0;
    pxi_arena_free(&f->arena);
    pxi_arena_init(&f->arena, NULL, 1024);
    start(f, "USER", &score);
    assert_int_equal(read_all(f, AT_ONCE, &failed), PRAX_ELIMIT);
    assert_int_equal(failed, 2);
}

static void test_fewer_columns(void **state)
{
    struct fixture *f = *state;
    struct pxi_stmt *st;
    unsigned failed = 0;
    assert_int_equal(d->prepare(f->c, "SELECT 1", 8, true, &st), 0);
    assert_int_equal(d->start(st, NULL, 0), 0);
    assert_int_equal(d->step(st), 1);
    assert_int_equal(d->rows(st, &program, (char *)f->rows, 1, &f->arena, &failed), PRAX_ETYPE);
    assert_int_equal(failed, 1);
    d->finish(st);
    d->drop(st);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { T(test_same), T(test_unfit), T(test_no_room),
                                        T(test_fewer_columns) };
    if (pg_missing()) {
        printf("1..1\nok 1 - PostgreSQL # SKIP %s\n", pg_missing());
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

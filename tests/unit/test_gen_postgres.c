/* test_gen_postgres.c - the DDL for PostgreSQL, run by PostgreSQL itself: every good schema makes
 * its tables, and defaults mean there what they mean in the schema. */
#include "orm/gen/gen.h"
#include "tests/lib/pg.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GOOD "tests/golden/schema/good/"

static const char *const good[] = { GOOD "types.prax",
                                    GOOD "keys.prax",
                                    GOOD "names.prax",
                                    GOOD "minimal.prax",
                                    GOOD "relations.prax",
                                    GOOD "words.prax",
                                    GOOD "postgres.prax",
                                    "tests/golden/schema/blog.prax",
                                    "tests/golden/schema/social.prax" };

static void run(const struct pxi_schema *schema)
{
    struct pxi_buf sql = { 0 };
    uint32_t n = pxi_gen_ddl(&sql, schema, PXI_DB_POSTGRES);
    assert_true(pxi_buf_ok(&sql));
    const char *next = sql.data;
    for (uint32_t i = 0; i < n; i++, next += strlen(next) + 1)
        assert_true(pg_exec(next));
    pxi_buf_free(&sql);
}

/* In a schema of the server's that is in front of all others meanwhile. */
static void create_file(const char *path, void (*then)(void))
{
    struct pxi_arena arena;
    struct pxi_diags diags = { .arena = &arena };
    static char text[1 << 16];
    char url[PG_URL], sql[PG_URL];
    int code;
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s: not there; run from the project's root", path);
    size_t size = fread(text, 1, sizeof text, f);
    fclose(f);
    pxi_arena_init(&arena, NULL, 0);
    const struct pxi_source src = { path, text, size, NULL, 0 };
    const struct pxi_schema *schema = pxi_schema_read(&diags, &src, &code);
    assert_int_equal(code, 0);
    pg_schema_new(url);
    snprintf(sql, sizeof sql, "SET search_path = %s", strrchr(url, '%') + 3);
    assert_true(pg_exec(sql));
    run(schema);
    if (then)
        then();
    assert_true(pg_exec("RESET search_path"));
    pg_schema_drop(url);
    pxi_arena_free(&arena);
}

static void test_postgres_takes_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        create_file(good[i], NULL);
}

/* A division by zero says that the row is not what it should be. */
static void check_defaults(void)
{
    static const char *const expected[] = {
        "zero = 0",
        "low = -2147483648",
        "lowest = -9223372036854775808",
        "yes AND NOT no",
        "whole = 3 AND part = -0.25",
        "price = -999.99 AND round = 999999999999999999 AND \"some\" = 1.500",
        "text = E'a \"quoted\" \\\\ text,\\n\\twith ''all'' of it: ?\?/ $1 \xc3\xa9; {0}'",
        "empty = ''",
        "fixed = '123e4567-e89b-12d3-a456-426614174000'",
        "level = 'veryHigh' AND maybe = 'LOW'",
        "id = 1",
    };
    assert_true(pg_exec("INSERT INTO defaults (made, now) VALUES (gen_random_uuid(), now())"));
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        char sql[256];
        snprintf(sql, sizeof sql, "SELECT 1 / (%s)::int FROM defaults", expected[i]);
        if (!pg_exec(sql))
            fail_msg("not so: %s", expected[i]);
    }
    assert_false(pg_exec("UPDATE defaults SET level = 'LOUD'"));
    assert_true(
        pg_exec("INSERT INTO defaults (id, made, now) VALUES (7, gen_random_uuid(), now())"));
}

static void test_postgres_defaults(void **state)
{
    (void)state;
    create_file(GOOD "types.prax", check_defaults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_postgres_takes_it),
        cmocka_unit_test(test_postgres_defaults),
    };
    if (pg_missing()) {
        printf("1..1\nok 1 - DDL of PostgreSQL # SKIP %s\n", pg_missing());
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

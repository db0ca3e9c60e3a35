/* test_schema_manual.c - docs/prax_schema.5.md says what is so: every part of a schema in it is
 * good, each piece of SQL behind one is found in what the generator writes, and all of that makes
 * its tables in SQLite and in PostgreSQL.
 *
 *   ```prax   a schema; without a generator it gets one, with the providers that its SQL is for
 *   ```sql    "-- SQLite", "-- PostgreSQL" or "-- both", then pieces: one a line, those that are
 *             indented belong to the line above. Blanks and line ends do not count.
 */
#include "orm/gen/gen.h"
#include "orm/schema/parser.h"
#include "tests/lib/pg.h"
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MANUAL "docs/prax_schema.5.md"

struct example {
    char *schema, *sql; /* as they stand; sql NULL: there is none */
};

static char *manual;
static struct example examples[128];
static size_t n_examples;

static char *read_manual(void)
{
    FILE *f = fopen(MANUAL, "rb");
    if (!f)
        fail_msg("%s: not there; run from the project's root", MANUAL);
    char *text = calloc(1, 1 << 18);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 18) - 1, f) > 0);
    fclose(f);
    return text;
}

/* The code behind a fence, cut out; *next is behind its end. */
static char *cut(char *fence, char **next)
{
    char *code = strchr(fence, '\n') + 1, *end = strstr(code, "\n```");
    assert_non_null(end);
    *end = 0;
    *next = end + 4;
    return code;
}

static int setup(void **state)
{
    (void)state;
    manual = read_manual();
    for (char *p = manual, *fence; (fence = strstr(p, "\n```prax\n"));) {
        assert_true(n_examples < sizeof examples / sizeof *examples);
        struct example *e = &examples[n_examples++];
        e->schema = cut(fence + 1, &p);
        if (!strncmp(p, "\n```sql\n", 8))
            e->sql = cut(p + 1, &p);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(manual);
    return 0;
}

struct compiled {
    struct pxi_arena arena;
    struct pxi_diags diags;
    struct pxi_source src;
    struct pxi_buf text;
    const struct pxi_schema *schema;
};

static void compile(struct compiled *c, const struct example *e)
{
    memset(c, 0, sizeof *c);
    if (!strstr(e->schema, "generator c")) {
        const char *provider = "[sqlite, postgresql]";
        if (e->sql && !strstr(e->sql, "-- SQLite") && !strstr(e->sql, "-- both"))
            provider = "postgresql";
        pxi_buf_fmt(&c->text,
                    "generator c { prefix = \"blog\" }\ndatasource db { provider = %s }\n",
                    provider);
    }
    pxi_buf_text(&c->text, e->schema);
    assert_true(pxi_buf_ok(&c->text));
    pxi_arena_init(&c->arena, NULL, 0);
    c->diags.arena = &c->arena;
    c->src = (struct pxi_source){ MANUAL, c->text.data, c->text.size, NULL, 0 };
    int code;
    c->schema = pxi_schema_read(&c->diags, &c->src, &code);
    if (code != 0)
        fail_msg("%s\n%s", c->diags.items[0].text, c->text.data);
}

static void end(struct compiled *c)
{
    pxi_arena_free(&c->arena);
    pxi_buf_free(&c->text);
}

/* With each run of blanks and line ends as one blank, none at the ends. */
static void squeeze(struct pxi_buf *out, const char *text, size_t size)
{
    bool blank = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == 0 || strchr(" \n", text[i])) {
            blank = out->size > 0;
            continue;
        }
        if (blank)
            pxi_buf_char(out, ' ');
        blank = false;
        pxi_buf_char(out, text[i]);
    }
}

static bool is_found(const struct pxi_buf *ddl, const char *piece, size_t size)
{
    struct pxi_buf squeezed = { 0 };
    squeeze(&squeezed, piece, size);
    assert_true(pxi_buf_ok(&squeezed) && squeezed.size > 0);
    bool found = strstr(ddl->data, squeezed.data);
    if (!found)
        print_error("not in the SQL: %s\nof: %s\n", squeezed.data, ddl->data);
    pxi_buf_free(&squeezed);
    return found;
}

/* Where a piece that begins at p ends: at the next line that is not indented. */
static const char *piece_end(const char *p)
{
    const char *next = strchr(p, '\n');
    while (next && next[1] == ' ')
        next = strchr(next + 1, '\n');
    return next ? next : p + strlen(p);
}

static unsigned check_sql(const struct example *e, const struct pxi_schema *schema,
                          enum pxi_database db)
{
    const char *own = db == PXI_DB_SQLITE ? "-- SQLite" : "-- PostgreSQL";
    struct pxi_buf sql = { 0 }, ddl = { 0 };
    bool ours = false;
    unsigned n = 0;
    pxi_gen_ddl(&sql, schema, db);
    assert_true(pxi_buf_ok(&sql));
    squeeze(&ddl, sql.data, sql.size);
    for (const char *p = e->sql, *stop; *p; p = *stop ? stop + 1 : stop) {
        stop = piece_end(p);
        if (!strncmp(p, "-- ", 3)) {
            ours = !strncmp(p, own, strlen(own)) || !strncmp(p, "-- both", 7);
        } else if (ours) {
            assert_true(is_found(&ddl, p, (size_t)(stop - p)));
            n++;
        }
    }
    pxi_buf_free(&sql);
    pxi_buf_free(&ddl);
    return n;
}

static void test_schemas(void **state)
{
    (void)state;
    assert_true(n_examples > 30);
    for (size_t i = 0; i < n_examples; i++) {
        struct compiled c;
        compile(&c, &examples[i]);
        end(&c);
    }
}

static void test_sql(void **state)
{
    (void)state;
    unsigned pieces = 0;
    for (size_t i = 0; i < n_examples; i++) {
        struct compiled c;
        if (!examples[i].sql)
            continue;
        compile(&c, &examples[i]);
        unsigned n = 0;
        for (unsigned db = 0; db < PXI_DATABASES; db++) {
            if (c.schema->database[db])
                n += check_sql(&examples[i], c.schema, db);
        }
        assert_true(n > 0);
        pieces += n;
        end(&c);
    }
    assert_true(pieces > 60);
}

/* Calls run with each statement of what the schema makes there. */
static void each_statement(const struct pxi_schema *schema, enum pxi_database db,
                           void (*run)(void *ctx, const char *sql), void *ctx)
{
    struct pxi_buf sql = { 0 };
    uint32_t n = pxi_gen_ddl(&sql, schema, db);
    assert_true(pxi_buf_ok(&sql) && n > 0);
    const char *next = sql.data;
    for (uint32_t i = 0; i < n; i++, next += strlen(next) + 1)
        run(ctx, next);
    pxi_buf_free(&sql);
}

static void run_sqlite(void *ctx, const char *sql)
{
    sqlite3 *db = ctx;
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sqlite3_errmsg(db), sql);
}

static void test_sqlite_takes_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_examples; i++) {
        struct compiled c;
        sqlite3 *db;
        compile(&c, &examples[i]);
        if (c.schema->database[PXI_DB_SQLITE]) {
            assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
            each_statement(c.schema, PXI_DB_SQLITE, run_sqlite, db);
            sqlite3_close(db);
        }
        end(&c);
    }
}

static void run_postgres(void *ctx, const char *sql)
{
    (void)ctx;
    if (!pg_exec(sql))
        fail_msg("refused: %s", sql);
}

/* Each in a schema of the server's that is in front of all others meanwhile. */
static void test_postgres_takes_it(void **state)
{
    (void)state;
    if (pg_missing())
        skip();
    for (size_t i = 0; i < n_examples; i++) {
        struct compiled c;
        char url[PG_URL], sql[PG_URL];
        compile(&c, &examples[i]);
        if (c.schema->database[PXI_DB_POSTGRES]) {
            pg_schema_new(url);
            snprintf(sql, sizeof sql, "SET search_path = %s", strrchr(url, '%') + 3);
            assert_true(pg_exec(sql));
            each_statement(c.schema, PXI_DB_POSTGRES, run_postgres, NULL);
            assert_true(pg_exec("RESET search_path"));
            pg_schema_drop(url);
        }
        end(&c);
    }
}

/* Every attribute has a heading of its own, with an example behind it. */
static void test_every_attribute(void **state)
{
    (void)state;
    for (unsigned word = 1; word < PXI_ATTR_WORDS; word++) {
        if (word == PXI_A_UPDATED_AT_)
            continue; /* the other spelling of @updatedAt, which its part names */
        bool found = false;
        for (size_t i = 0; i < n_examples; i++)
            found |= examples[i].sql && strstr(examples[i].schema, pxi_attr_text(word));
        if (!found)
            fail_msg("no example has %s", pxi_attr_text(word));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schemas),         cmocka_unit_test(test_sql),
        cmocka_unit_test(test_sqlite_takes_it), cmocka_unit_test(test_postgres_takes_it),
        cmocka_unit_test(test_every_attribute),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

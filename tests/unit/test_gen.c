/* test_gen.c - generated text: the same every time, within its budget and width; and the SQL for
 * SQLite, run by SQLite itself. That generated C compiles is tests/unit/test_gen_compile.sh's part.
 */
#include "orm/gen/gen.h"
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "generator c { prefix = \"t\" }\ndatasource db { provider = sqlite }\n"
#define GOOD "tests/golden/schema/good/"

struct compiled {
    struct pxi_arena arena;
    struct pxi_diags diags;
    struct pxi_source src;
    const struct pxi_schema *schema;
};

static void compile(struct compiled *c, const char *text, size_t size)
{
    int code;
    memset(c, 0, sizeof *c);
    pxi_arena_init(&c->arena, NULL, 0);
    c->diags.arena = &c->arena;
    c->src = (struct pxi_source){ "t.prax", text, size, NULL, 0 };
    c->schema = pxi_schema_read(&c->diags, &c->src, &code);
    if (code != 0)
        fail_msg("%d errors, the first: %s", code, c->diags.items[0].text);
}

static void compile_file(struct compiled *c, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s: not there; run from the project's root", path);
    static char text[1 << 16];
    size_t size = fread(text, 1, sizeof text, f);
    fclose(f);
    compile(c, text, size);
}

static void end(struct compiled *c)
{
    pxi_arena_free(&c->arena);
}

/* All files of a schema behind each other. */
static void generate_files(struct pxi_buf *out, const struct pxi_schema *schema)
{
    pxi_gen_header(out, schema, NULL, "x.prax");
    pxi_gen_models_header(out, schema, "x.prax");
    pxi_gen_main(out, schema, NULL, "x.prax");
    for (uint32_t i = 0; i < schema->models.count; i++) {
        const struct pxi_model *m = &schema->models.items[i];
        if (m->ignore)
            continue;
        pxi_gen_model_header(out, schema, m, "x.prax");
        pxi_gen_model(out, schema, m, "x.prax");
    }
}

static const char *const good[] = { GOOD "types.prax",
                                    GOOD "keys.prax",
                                    GOOD "names.prax",
                                    GOOD "minimal.prax",
                                    GOOD "words.prax",
                                    GOOD "relations.prax",
                                    "tests/golden/schema/blog.prax" };
enum { GOOD_COUNT = sizeof good / sizeof *good };

static void test_same_every_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        struct pxi_buf h[2] = { { 0 } }, c[2] = { { 0 } }, files[2] = { { 0 } };
        for (int n = 0; n < 2; n++) {
            struct compiled s;
            compile_file(&s, good[i]);
            pxi_gen_single_header(&h[n], s.schema, NULL, "x.prax");
            pxi_gen_single(&c[n], s.schema, NULL, "x.prax");
            generate_files(&files[n], s.schema);
            end(&s);
        }
        assert_string_equal(h[0].data, h[1].data);
        assert_string_equal(c[0].data, c[1].data);
        assert_string_equal(files[0].data, files[1].data);
        for (int n = 0; n < 2; n++) {
            pxi_buf_free(&h[n]);
            pxi_buf_free(&c[n]);
            pxi_buf_free(&files[n]);
        }
    }
}

/* A string is never cut, so only lines of C without one are held to the width. */
static void assert_width(const char *text)
{
    for (const char *line = text, *next; *line; line = next) {
        next = strchr(line, '\n') + 1;
        size_t width = (size_t)(next - line) - 1;
        if (width > 100 && !memchr(line, '"', width))
            fail_msg("%zu columns: %.*s", width, (int)width, line);
        assert_true(width == 0 || line[width - 1] != ' ');
        assert_null(memchr(line, '\t', width));
    }
}

static void test_width(void **state)
{
    (void)state;
    struct compiled s;
    struct pxi_buf out = { 0 };
    compile_file(&s, "tests/golden/schema/blog.prax");
    pxi_gen_single_header(&out, s.schema, NULL, "blog.prax");
    pxi_gen_single(&out, s.schema, NULL, "blog.prax");
    generate_files(&out, s.schema);
    assert_width(out.data);
    pxi_buf_free(&out);
    end(&s);
}

static unsigned count_lines(const struct pxi_schema *schema)
{
    struct pxi_buf out = { 0 };
    unsigned n = 0;
    generate_files(&out, schema);
    for (size_t i = 0; i < out.size; i++)
        n += out.data[i] == '\n';
    pxi_buf_free(&out);
    return n;
}

/* Lines of all files, by the models: at most 240 and 8 a field. */
static void test_budget(void **state)
{
    (void)state;
    static const char *const types[] = { "Int",
                                         "String",
                                         "Int?",
                                         "DateTime",
                                         "Boolean @default(false)",
                                         "Decimal(10, 2)?",
                                         "Uuid? @default(uuid())" };
    static const unsigned widths[] = { 2, 12, 60, 200 };
    for (size_t w = 0; w < 4; w++) {
        enum { MODELS = 20 };
        struct pxi_buf text = { 0 };
        pxi_buf_text(&text, HEAD);
        for (int m = 0; m < MODELS; m++) {
            pxi_buf_fmt(&text, "model Wide%d {\n id Int @id @auto\n email String @unique\n", m);
            for (unsigned i = 2; i < widths[w]; i++)
                pxi_buf_fmt(&text, " column%u %s\n", i, types[i % 7]);
            pxi_buf_text(&text, "}\n");
        }
        struct compiled s;
        compile(&s, text.data, text.size);
        unsigned lines = count_lines(s.schema) / MODELS;
        print_message("%u fields: %u lines a model, budget %u\n", widths[w], lines,
                      240 + 8 * widths[w]);
        assert_true(lines <= 240 + 8 * widths[w]);
        end(&s);
        pxi_buf_free(&text);
    }
}

static void test_broken_buffer_stays_broken(void **state)
{
    (void)state;
    struct compiled s;
    compile_file(&s, good[0]);
    struct pxi_buf out = { .broken = true };
    pxi_gen_single_header(&out, s.schema, NULL, "x.prax");
    pxi_gen_single(&out, s.schema, NULL, "x.prax");
    generate_files(&out, s.schema);
    assert_false(pxi_buf_ok(&out));
    pxi_buf_free(&out);
    end(&s);
}

static sqlite3 *create(const struct pxi_schema *schema)
{
    sqlite3 *db;
    struct pxi_buf sql = { 0 };
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    uint32_t n = pxi_gen_ddl(&sql, schema, PXI_DB_SQLITE);
    const char *next = sql.data;
    for (uint32_t i = 0; i < n; i++, next += strlen(next) + 1) {
        char *error = NULL;
        if (sqlite3_exec(db, next, NULL, NULL, &error) != SQLITE_OK)
            fail_msg("%s\nin: %s", error, next);
    }
    pxi_buf_free(&sql);
    return db;
}

/* The first column of the first row, as text; "" for NULL. Good until the next call. */
static const char *ask(sqlite3 *db, const char *sql)
{
    static char answer[256];
    sqlite3_stmt *stmt;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    const char *text = (const char *)sqlite3_column_text(stmt, 0);
    snprintf(answer, sizeof answer, "%s", text ? text : "");
    sqlite3_finalize(stmt);
    return answer;
}

static void test_sqlite_takes_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        struct compiled s;
        compile_file(&s, good[i]);
        sqlite3 *db = create(s.schema);
        char count[16];
        /* names arrive as they were written, quotes and all */
        for (uint32_t m = 0; m < s.schema->models.count; m++) {
            const struct pxi_model *model = &s.schema->models.items[m];
            char *sql =
                sqlite3_mprintf("SELECT type FROM sqlite_schema WHERE name = %Q", model->table);
            assert_string_equal(ask(db, sql), model->view ? "view" : "table");
            sqlite3_free(sql);
            sql = sqlite3_mprintf("SELECT count(*) FROM pragma_table_xinfo(%Q)", model->table);
            snprintf(count, sizeof count, "%u", model->columns.count);
            assert_string_equal(ask(db, sql), count);
            sqlite3_free(sql);
            for (uint32_t c = 0; c < model->columns.count; c++) {
                sql = sqlite3_mprintf("SELECT name FROM pragma_table_xinfo(%Q) WHERE cid = %u",
                                      model->table, c);
                assert_string_equal(ask(db, sql), model->columns.items[c].db_name);
                sqlite3_free(sql);
            }
        }
        sqlite3_close(db);
        end(&s);
    }
}

static void test_sqlite_defaults(void **state)
{
    (void)state;
    static const char *const expected[][2] = {
        { "zero", "0" },
        { "low", "-2147483648" },
        { "lowest", "-9223372036854775808" },
        { "yes", "1" },
        { "no", "0" },
        { "typeof(whole)", "real" },
        { "part", "-0.25" },
        { "price", "-99999" },
        { "round", "999999999999999999" },
        { "some", "1500" },
        { "\"text\"", "a \"quoted\" \\ text,\n\twith 'all' of it: ?"
                      "?/ $1 \xc3\xa9; {0}" },
        { "typeof(empty) || empty", "text" },
        { "fixed", "123e4567-e89b-12d3-a456-426614174000" },
        { "level", "veryHigh" },
        { "maybe", "LOW" },
        { "id", "1" }, /* the row id */
    };
    struct compiled s;
    compile_file(&s, GOOD "types.prax");
    sqlite3 *db = create(s.schema);
    assert_int_equal(
        sqlite3_exec(db, "INSERT INTO defaults (made, now) VALUES ('u', 1)", NULL, NULL, NULL),
        SQLITE_OK);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        char sql[128];
        snprintf(sql, sizeof sql, "SELECT %s FROM defaults", expected[i][0]);
        assert_string_equal(ask(db, sql), expected[i][1]);
    }
    sqlite3_close(db);
    end(&s);
}

static void test_sqlite_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        int code; /* extended */
    } cases[] = {
        { "INSERT INTO users (public_id, email, created_at) VALUES ('a', 'a', 1)", SQLITE_OK },
        { "INSERT INTO users (public_id, email, created_at) VALUES ('b', 'a', 1)",
          SQLITE_CONSTRAINT_UNIQUE },
        { "INSERT INTO users (public_id, created_at) VALUES ('c', 1)", SQLITE_CONSTRAINT_NOTNULL },
        { "UPDATE users SET role = 'USR'", SQLITE_CONSTRAINT_CHECK },
        { "UPDATE users SET role = 'ADMIN'", SQLITE_OK },
        { "UPDATE users SET age = 'old'", SQLITE_CONSTRAINT_DATATYPE },
        { "UPDATE users SET age = NULL", SQLITE_OK },
        { "INSERT INTO posts (title, author_id, published) VALUES ('t', 1, 2)",
          SQLITE_CONSTRAINT_CHECK },
        { "INSERT INTO memberships VALUES (1, 'core', 'USER', NULL)", SQLITE_OK },
        { "INSERT INTO memberships VALUES (1, 'core', 'USER', NULL)",
          SQLITE_CONSTRAINT_PRIMARYKEY },
        { "INSERT INTO memberships VALUES (1, NULL, 'USER', NULL)", SQLITE_CONSTRAINT_NOTNULL },
    };
    struct compiled s;
    compile_file(&s, "tests/golden/schema/blog.prax");
    sqlite3 *db = create(s.schema);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int code = sqlite3_exec(db, cases[i].sql, NULL, NULL, NULL);
        if ((code ? sqlite3_extended_errcode(db) : code) != cases[i].code)
            fail_msg("%s: %d %s", cases[i].sql, code, sqlite3_errmsg(db));
    }
    sqlite3_close(db);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_every_time), cmocka_unit_test(test_width),
        cmocka_unit_test(test_budget),          cmocka_unit_test(test_broken_buffer_stays_broken),
        cmocka_unit_test(test_sqlite_takes_it), cmocka_unit_test(test_sqlite_defaults),
        cmocka_unit_test(test_sqlite_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

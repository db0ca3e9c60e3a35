/* test_schema_words.c - what each word of the language puts into the tree. That it is refused where
 * it has no meaning is the golden files' part. */
#include "orm/schema/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SQLITE   "generator c { prefix = \"t\" }\ndatasource db { provider = sqlite }\n"
#define POSTGRES "generator c { prefix = \"t\" }\ndatasource db { provider = postgresql }\n"
#define BOTH     "generator c { prefix = \"t\" }\ndatasource db { provider = [sqlite, postgres] }\n"

struct run {
    struct pxi_arena arena;
    struct pxi_diags diags;
    struct pxi_source src;
    const struct pxi_schema *tree;
};

static void read_source(struct run *r)
{
    int code;
    pxi_arena_init(&r->arena, NULL, 0);
    r->diags.arena = &r->arena;
    r->tree = pxi_schema_read(&r->diags, &r->src, &code);
    assert_non_null(r->tree);
    assert_int_equal(code, (int)r->diags.count);
}

static void run(struct run *r, const char *text)
{
    memset(r, 0, sizeof *r);
    r->src = (struct pxi_source){ "t.prax", text, strlen(text), NULL, 0 };
    read_source(r);
    if (r->diags.count)
        fail_msg("%s: %s", pxi_diag_code_text(r->diags.items[0].code), r->diags.items[0].text);
}

static void end(struct run *r)
{
    pxi_arena_free(&r->arena);
}

static const struct pxi_column *column(const struct run *r, const char *name)
{
    for (uint32_t m = 0; m < r->tree->models.count; m++) {
        const struct pxi_model *model = &r->tree->models.items[m];
        for (uint32_t i = 0; i < model->columns.count; i++) {
            if (!strcmp(model->columns.items[i].name.text, name))
                return &model->columns.items[i];
        }
    }
    fail_msg("no column %s", name);
    return NULL;
}

static void test_datasource(void **state)
{
    (void)state;
    struct run r;
    run(&r, "generator c { prefix = \"t\" }\ndatasource db { provider = postgres  url = \"x:\" }\n"
            "model A { id Int @id }\n");
    assert_false(r.tree->database[PXI_DB_SQLITE]);
    assert_true(r.tree->database[PXI_DB_POSTGRES]);
    assert_string_equal(r.tree->url, "x:");
    assert_false(r.tree->url_is_env);
    end(&r);
    run(&r, "generator c { prefix = \"t\" }\ndatasource db { provider = [\n  postgresql,\n"
            "  sqlite,\n ]  url = env(\"DB_URL\",) }\nmodel A { id Int @id }\n");
    assert_true(r.tree->database[PXI_DB_SQLITE] && r.tree->database[PXI_DB_POSTGRES]);
    assert_string_equal(r.tree->url, "DB_URL");
    assert_true(r.tree->url_is_env);
    end(&r);
}

static void test_defaults(void **state)
{
    (void)state;
    struct run r;
    run(&r,
        POSTGRES "enum E { A B }\nmodel M {\n id Int @id @default(autoincrement())\n"
                 " day Date @default(\"1970-01-02\")\n clock Time @default(\"00:00:01.5\")\n"
                 " at DateTime @default(\"1970-01-01T01:00:00+01:00\")\n u Ulid @default(ulid())\n"
                 " f Ulid @default(\"01arz3ndektsv4rrffq69g5fav\")\n"
                 " b Bytes @default(\"\\\\xCAfe\")\n j Json @default(\"[1]\")\n"
                 " l Int[] @default([])\n s Int @default(dbgenerated(\"1 + (2)\"))\n"
                 " e E @default(B)\n n Numeric @default(-1.50)\n}\n");
    assert_true(column(&r, "id")->is_auto && column(&r, "id")->def == PRAX_D_AUTO);
    assert_int_equal(column(&r, "day")->number, 1);
    assert_int_equal(column(&r, "clock")->number, 1500000);
    assert_true(column(&r, "at")->number == 0 && column(&r, "at")->def == PRAX_D_VALUE);
    assert_int_equal(column(&r, "u")->def, PRAX_D_ULID);
    assert_string_equal(column(&r, "f")->text, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert_string_equal(column(&r, "b")->text, "cafe");
    assert_string_equal(column(&r, "j")->text, "[1]");
    assert_true(column(&r, "l")->def == PRAX_D_VALUE && !*column(&r, "l")->text);
    assert_int_equal(column(&r, "s")->def, PRAX_D_SQL);
    assert_string_equal(column(&r, "s")->text, "1 + (2)");
    assert_int_equal(column(&r, "e")->number, 2);
    assert_string_equal(column(&r, "n")->text, "-1.50");
    end(&r);
}

static void test_flags(void **state)
{
    (void)state;
    struct run r;
    run(&r, SQLITE "model M {\n old String? @ignore\n id Int @id\n v BigInt @version\n"
                   " t DateTime @updatedAt\n t2 DateTime? @updated_at @default(now())\n"
                   " o String @omit\n class Int @name(\"klass\") @was(\"kind\") @map(\"k\")\n"
                   " g Int @generated(\"v + 1\", stored: false)\n h Int @generated(\"v\")\n}\n");
    const struct pxi_model *m = &r.tree->models.items[0];
    assert_int_equal(m->columns.count, 9);
    assert_int_equal(m->c_columns, 8);
    assert_string_equal(m->columns.items[8].name.text, "old"); /* what C does not see is last */
    assert_true(m->columns.items[8].ignore);
    assert_true(column(&r, "v")->version);
    assert_true(column(&r, "t")->updated_at && column(&r, "t")->def == PRAX_D_NOW);
    assert_true(column(&r, "t2")->updated_at && column(&r, "t2")->def == PRAX_D_NOW);
    assert_true(column(&r, "o")->omit);
    assert_string_equal(column(&r, "class")->c_name, "klass");
    assert_string_equal(column(&r, "class")->db_name, "k");
    assert_string_equal(column(&r, "class")->more->was, "kind");
    assert_string_equal(column(&r, "g")->more->generated, "v + 1");
    assert_false(column(&r, "g")->more->stored);
    assert_true(column(&r, "h")->more->stored);
    assert_null(column(&r, "o")->more->was); /* the one that all share */
    end(&r);
}

static void test_natives(void **state)
{
    (void)state;
    struct run r;
    run(&r, POSTGRES "model M {\n id Int @id @db.Integer\n a String @db.VarChar(80)\n"
                     " b Numeric @db.Decimal(12, 3)\n c DateTime @db.Timestamptz(0)\n"
                     " d Time @db.Time\n e String[] @db.Char(2)\n f Numeric @db.Numeric(5)\n}\n");
    assert_string_equal(column(&r, "id")->more->native, "integer");
    assert_string_equal(column(&r, "a")->more->native, "varchar(80)");
    assert_string_equal(column(&r, "b")->more->native, "numeric(12,3)");
    assert_string_equal(column(&r, "c")->more->native, "timestamptz(0)");
    assert_string_equal(column(&r, "d")->more->native, "time");
    assert_string_equal(column(&r, "e")->more->native, "char(2)");
    assert_string_equal(column(&r, "f")->more->native, "numeric(5)");
    end(&r);
}

static void test_rules(void **state)
{
    (void)state;
    struct run r;
    run(&r, POSTGRES
        "model M {\n id Int @id\n a String @validate(email, length(max: 80)) @validate.url\n"
        " b Decimal(6, 2) @validate(range(-1.5, 20))\n c Float @validate(range(0.5))\n"
        " d Int @validate.positive\n e String @validate(oneOf([\"x\", \"y\"]), notEmpty)\n"
        " f String[] @validate.minLength(2)\n g String @validate.regex(\"^\\\\S{1,5}$\")\n"
        " h Float @validate(positive)\n}\n");
    const struct pxi_column_more *m = column(&r, "a")->more;
    assert_int_equal(m->rules.count, 3);
    assert_int_equal(m->rules.items[0].kind, PRAX_RULE_EMAIL);
    assert_int_equal(m->rules.items[1].kind, PRAX_RULE_LENGTH);
    assert_true(m->rules.items[1].min == INT64_MIN && m->rules.items[1].max == 80);
    assert_int_equal(m->rules.items[2].kind, PRAX_RULE_URL);
    m = column(&r, "b")->more; /* in the column's units */
    assert_int_equal(m->rules.items[0].kind, PRAX_RULE_RANGE);
    assert_true(m->rules.items[0].min == -150 && m->rules.items[0].max == 2000);
    m = column(&r, "c")->more;
    assert_int_equal(m->rules.items[0].kind, PRAX_RULE_REAL);
    assert_string_equal(m->rules.items[0].low, "0.5");
    assert_null(m->rules.items[0].high);
    m = column(&r, "d")->more;
    assert_true(m->rules.items[0].min == 1 && m->rules.items[0].max == INT64_MAX);
    m = column(&r, "e")->more;
    assert_int_equal(m->rules.items[0].words.count, 2);
    assert_string_equal(m->rules.items[0].words.items[1], "y");
    assert_int_equal(m->rules.items[1].kind, PRAX_RULE_NOT_EMPTY);
    assert_int_equal(column(&r, "f")->more->rules.items[0].min, 2);
    assert_string_equal(column(&r, "g")->more->rules.items[0].pattern, "^\\S{1,5}$");
    assert_true(strtod(column(&r, "h")->more->rules.items[0].low, NULL) > 0);
    end(&r);
}

/* Names of fields become those of columns: not of functions, in quotes, comments or behind $. */
static void test_checks(void **state)
{
    (void)state;
    struct run r;
    run(&r,
        BOTH "model M {\n id Int @id\n lenOf Int @map(\"le\\\"n\")\n"
             " a Int @check( lenOf > length(a) and 'lenOf' <> \"a\" /* a */ and ab > 1 )\n"
             " ab Int @check(\"lenOf > 1\")\n"
             " @@check((a)::bigint < ab)\n @@check(\"x)(y\" = 1)\n @@check(sql: \"id > 0\", name: "
             "\"n\")\n}\n");
    assert_string_equal(column(&r, "a")->more->check,
                        "\"le\"\"n\" > length(\"a\") and 'lenOf' <> \"a\" /* a */ and \"ab\" > 1");
    assert_string_equal(column(&r, "ab")->more->check, "lenOf > 1");
    const struct pxi_model *m = &r.tree->models.items[0];
    assert_int_equal(m->checks.count, 3);
    assert_string_equal(m->checks.items[0].sql, "(\"a\")::bigint < \"ab\"");
    assert_string_equal(m->checks.items[0].db_name, "m_check");
    assert_string_equal(m->checks.items[1].sql, "\"x)(y\" = 1");
    assert_string_equal(m->checks.items[1].db_name, "m_check1");
    assert_string_equal(m->checks.items[2].db_name, "n");
    end(&r);
}

static void test_keys(void **state)
{
    (void)state;
    struct run r;
    run(&r,
        POSTGRES "model M {\n a Int @unique(map: \"ua\")\n b Int @index(sort: Desc, map: \"ib\")\n"
                 " c String\n j Json\n @@id([a, b], name: \"aAndB\", map: \"pk\")\n"
                 " @@unique(fields: [b, c], name: \"pair\")\n"
                 " @@index([c(sort: Asc), b(sort: Desc)], where: \"c > 'x'\", name: \"ic\")\n"
                 " @@index([j], type: Gin)\n}\n");
    const struct pxi_model *m = &r.tree->models.items[0];
    const struct pxi_key *k = m->keys.items;
    assert_int_equal(m->keys.count, 6);
    assert_int_equal(m->unique_keys, 3);
    assert_string_equal(k[0].c_name, "a_and_b");
    assert_string_equal(k[0].db_name, "pk");
    assert_string_equal(k[1].db_name, "ua");
    assert_string_equal(k[1].c_name, "a");
    assert_string_equal(k[2].c_name, "pair");
    assert_string_equal(k[2].db_name, "m_b_c_key");
    assert_true(k[3].desc == 1 && !strcmp(k[3].db_name, "ib"));
    assert_true(k[4].desc == 2 && !strcmp(k[4].db_name, "ic"));
    assert_string_equal(k[4].where, "c > 'x'");
    assert_int_equal(k[5].type, PXI_INDEX_GIN);
    end(&r);
}

static void test_models_and_enums(void **state)
{
    (void)state;
    struct run r;
    run(&r, SQLITE "enum E {\n A @map(\"a b\")\n /// two\n B\n @@name(\"letters\")\n}\n"
                   "model M {\n id Int @id\n @@map(\"ms\")\n @@was(\"old\")\n @@name(\"em\")\n}\n"
                   "model L {\n id Int @id\n @@ignore\n}\n");
    const struct pxi_enum *e = &r.tree->enums.items[0];
    assert_string_equal(e->c_name, "letters");
    assert_string_equal(e->labels.items[0].db_name, "a b");
    assert_string_equal(e->labels.items[1].db_name, "B");
    assert_string_equal(e->labels.items[1].doc, "two");
    const struct pxi_model *m = r.tree->models.items;
    assert_string_equal(m[0].c_name, "em");
    assert_string_equal(m[0].table, "ms");
    assert_string_equal(m[0].was, "old");
    assert_true(m[1].ignore && !m[0].ignore);
    end(&r);
}

static void test_sql(void **state)
{
    (void)state;
    struct run r;
    run(&r, BOTH
        "model M { id Int @id }\nview V {\n id Int @id\n"
        " @@sql(\"\"\"\n  SELECT id\n FROM m;\n\"\"\")\n @@materialized\n}\n"
        "view W {\n id Int\n @@sql(sqlite: \"SELECT 1\", postgresql: \"SELECT 2\")\n}\n"
        "@@sql(\"one\", \"\"\" CREATE x; \"\"\")\n@@sql(\"two\", \"y\", provider: postgres)\n");
    const struct pxi_model *m = r.tree->models.items;
    assert_true(m[1].view && m[1].materialized && !m[0].view);
    assert_string_equal(m[1].sql[PXI_DB_SQLITE], "SELECT id\n FROM m");
    assert_string_equal(m[1].sql[PXI_DB_POSTGRES], "SELECT id\n FROM m");
    assert_int_equal(m[1].unique_keys, 1);
    assert_string_equal(m[2].sql[PXI_DB_SQLITE], "SELECT 1");
    assert_string_equal(m[2].sql[PXI_DB_POSTGRES], "SELECT 2");
    assert_int_equal(m[2].unique_keys, 0);
    const struct pxi_sql_block *b = r.tree->sqls.items;
    assert_string_equal(b[0].name, "one");
    assert_string_equal(b[0].sql, "CREATE x;");
    assert_true(b[0].in[PXI_DB_SQLITE] && b[0].in[PXI_DB_POSTGRES]);
    assert_true(!b[1].in[PXI_DB_SQLITE] && b[1].in[PXI_DB_POSTGRES]);
    end(&r);
}

static void test_text(void **state)
{
    (void)state;
    struct run r;
    run(&r, SQLITE "model M {\n id Int @id\n a String @default(\"\\u00e9\\u20ac\\r\\t\\\"\\\\\")\n"
                   " b String\n  @default(\n   \"x\"\n  )\n  @map(\"c\",)\n"
                   " d String @default(\"\"\"a\\n\"b\"\"\")\n}\n");
    assert_string_equal(column(&r, "a")->text, "\xc3\xa9\xe2\x82\xac\r\t\"\\");
    assert_string_equal(column(&r, "b")->text, "x");
    assert_string_equal(column(&r, "b")->db_name, "c");
    assert_string_equal(column(&r, "d")->text, "a\\n\"b");
    end(&r);
}

/* Several files: each begins anew, and places are those of the file. */
static void test_files(void **state)
{
    (void)state;
    static const char text[] = SQLITE "model A { id Int @id }" /* no line end */
                                      "\xef\xbb\xbf/// B's own\nmodel B {\n id Int @id\n b Foo\n"
                                      "\nenum E { X }\n";
    const char *second = strstr(text, "\xef"), *third = strstr(text, "\nenum");
    struct pxi_file files[] = { { "d/1", 0 },
                                { "d/2", (uint32_t)(second - text) },
                                { "d/3", (uint32_t)(third - text) } };
    struct run r = { .src = { "d", text, sizeof text - 1, files, 3 } };
    read_source(&r);
    assert_int_equal(r.diags.count, 2);
    struct pxi_place p = pxi_source_place(&r.src, r.diags.items[0].at.start);
    assert_string_equal(p.file, "d/2"); /* B has no } in its file */
    assert_int_equal(p.line, 2);
    assert_int_equal(p.column, 7);
    p = pxi_source_place(&r.src, r.diags.items[1].at.start);
    assert_int_equal(p.line, 4);
    assert_int_equal(p.column, 4);
    assert_int_equal(r.tree->models.count, 2);
    assert_string_equal(r.tree->models.items[1].doc, "B's own");
    assert_int_equal(r.tree->enums.count, 1);
    p = pxi_source_place(&r.src, (uint32_t)sizeof text - 1);
    assert_string_equal(p.file, "d/3");
    assert_int_equal(p.line, 3);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datasource), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_flags),      cmocka_unit_test(test_natives),
        cmocka_unit_test(test_rules),      cmocka_unit_test(test_checks),
        cmocka_unit_test(test_keys),       cmocka_unit_test(test_models_and_enums),
        cmocka_unit_test(test_sql),        cmocka_unit_test(test_text),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

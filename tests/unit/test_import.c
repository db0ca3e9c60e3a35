/* test_import.c - Prisma schemas that become ours: golden results with what could not be carried,
 * that every result is right and laid out, what is refused, and memory that runs out.
 */
#include "orm/import/import.h"
#include "orm/schema/format.h"
#include "orm/schema/schema.h"
#include <prax/prax.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/golden.h"

struct run {
    struct pxi_arena arena;
    struct pxi_import import;
    struct pxi_buf out;
    int code;
};

static void run_any(struct run *r, const char *text, size_t size, const prax_alloc *alloc)
{
    memset(r, 0, sizeof *r);
    pxi_arena_init(&r->arena, alloc, 0);
    r->import.arena = &r->arena;
    r->code = pxi_import_prisma(&r->import, &r->out, text, size);
}

static void run(struct run *r, const char *text)
{
    run_any(r, text, strlen(text), NULL);
}

static void end(struct run *r)
{
    pxi_buf_free(&r->out);
    pxi_arena_free(&r->arena);
}

/* The result has no errors and is in its usual layout. */
static void assert_good(const struct run *r)
{
    struct pxi_arena arena;
    struct pxi_buf again = { 0 };
    int code;
    pxi_arena_init(&arena, NULL, 0);
    struct pxi_diags diags = { .arena = &arena };
    struct pxi_source src = { .file = "r", .text = r->out.data, .size = r->out.size };
    pxi_schema_read(&diags, &src, &code);
    if (code != 0)
        fail_msg("%d errors, the first: %s\n%s", code, diags.items[0].text, r->out.data);
    assert_int_equal(pxi_schema_format(&again, &diags, r->out.data, r->out.size), 0);
    assert_string_equal(again.data, r->out.data);
    pxi_buf_free(&again);
    pxi_arena_free(&arena);
}

/* The schema, and behind it the notes. */
static void golden(const char *name)
{
    char path[128];
    struct run r;
    snprintf(path, sizeof path, "tests/golden/import/%s.prisma", name);
    struct pxi_buf text = golden_read(path);
    if (!text.data)
        fail_msg("%s: not there; run from the project's root", path);
    run_any(&r, text.data, text.size, NULL);
    assert_true(r.code >= 0);
    assert_int_equal(r.code, r.import.n_notes);
    assert_good(&r);
    for (uint32_t i = 0; i < r.import.n_notes; i++) {
        const struct pxi_import_note *n = &r.import.notes[i];
        pxi_buf_fmt(&r.out, "%u %s: %s: %s\n", n->line, n->changed ? "changed" : "left out",
                    n->what, n->why);
    }
    snprintf(path, sizeof path, "import/%s.out", name);
    golden_check(path, &r.out);
    end(&r);
    pxi_buf_free(&text);
}

static void test_all_carried(void **state)
{
    (void)state;
    golden("notes");
}

static void test_postgres(void **state)
{
    (void)state;
    golden("shop");
}

static void test_strange(void **state)
{
    (void)state;
    golden("legacy");
}

static void assert_error(const char *text, uint32_t line, const char *why)
{
    struct run r;
    run(&r, text);
    assert_int_equal(r.code, PRAX_ESCHEMA);
    assert_int_equal(r.import.error_line, line);
    if (!strstr(r.import.error, why))
        fail_msg("'%s' does not say '%s'", r.import.error, why);
    assert_int_equal(r.out.size, 0);
    end(&r);
}

static void test_errors(void **state)
{
    (void)state;
    assert_error("model A {\n id Int @id\n", 3, "the block does not end");
    assert_error("model A {\n id Int @id(\n\n}\n", 4, "a value was expected");
    assert_error("model A {\n id Int @default([1 2])\n}\n", 2, "',' or ']'");
    assert_error("model A {\n id\n}\n", 3, "the field's type");
    assert_error("model A {\n id Int name String\n}\n", 2, "the end of the line");
    assert_error("\n\ntable A {\n}\n", 3, "datasource, generator, model");
    assert_error("model A\n  id Int\n", 2, "'{'");
    assert_error("model {\n}\n", 1, "a name");
    assert_error("model A {\n id String @default(\"x)\n}\n", 2, "string does not end");
    assert_error("/* a\n", 1, "comment does not end");
    assert_error("model A {\n id Int @id #\n}\n", 2, "this character");
    assert_error("model A {\n id Int @id // \xff\n}\n", 2, "UTF-8");
    assert_error("model A {\n id Int @id // \xe2\x80\xae\n}\n", 2, "control character");
    assert_error("datasource db {\n provider\n}\n", 3, "'='");
    assert_error("model A {\n a Int @x([[[[[[[[[1]]]]]]]]])\n}\n", 2, "too deep");
    assert_error("", 1, "no model");
    assert_error("model A {\n x Int?\n}\n", 1, "no model");
}

/* Models that need each other and one that cannot be carried: all of them go, one by one. */
static void test_chain_of_losses(void **state)
{
    (void)state;
    struct run r;
    run(&r,
        "datasource db {\n provider = \"sqlite\"\n}\n"
        "model Good {\n id Int @id\n b Bad?\n}\n"
        "model Bad {\n g Int? @unique\n good Good? @relation(fields: [g], references: [id])\n}\n");
    assert_int_equal(r.code, 2);
    assert_good(&r);
    assert_non_null(strstr(r.out.data, "// left out: b Bad?"));
    assert_non_null(strstr(r.out.data, "// left out: model Bad {"));
    assert_int_equal(r.import.notes[0].line, 6);
    assert_int_equal(r.import.notes[1].line, 8);
    end(&r);
}

static void assert_holds(const char *fields, const char *want, int notes)
{
    struct run r;
    struct pxi_buf text = { 0 };
    pxi_buf_fmt(&text,
                "datasource db {\n provider = \"postgresql\"\n}\nmodel A {\n id Int @id\n%s\n}\n",
                fields);
    run(&r, text.data);
    if (r.code != notes)
        fail_msg("%d notes for '%s': %s", r.code, fields, r.code > 0 ? r.import.notes[0].why : "");
    assert_good(&r);
    if (!strstr(r.out.data, want))
        fail_msg("no '%s' in:\n%s", want, r.out.data);
    pxi_buf_free(&text);
    end(&r);
}

static void test_pieces(void **state)
{
    (void)state;
    assert_holds("a DateTime", "a  DateTime @db.Timestamp(3)\n", 0);
    assert_holds("a DateTime @db.Timestamptz(6)", "a  DateTime\n", 0);
    assert_holds("a DateTime? @db.Date", "a  Date?\n", 0);
    assert_holds("a Decimal", "a  Numeric @db.Decimal(65, 30)\n", 0);
    assert_holds("a Decimal @db.Decimal(18, 18)", "a  Decimal(18, 18)\n", 0);
    assert_holds("a Int @db.SmallInt", "a  SmallInt\n", 0);
    assert_holds("a String @default(ulid())", "a  Ulid @default(ulid())\n", 1);
    assert_holds("a Bytes @default(\"3q2+7w==\")", "@default(\"deadbeef\")\n", 0);
    assert_holds("a Bytes @default(\"%\")", "// left out: @default(\"%\")\n", 1);
    assert_holds("a String @default(\"q\\\"\\\\\")", "@default(\"q\\\"\\\\\")\n", 0);
    assert_holds("a Int? @ignore", "@ignore\n", 0);
    assert_holds("a Int // x\n // y\n /// z", "a  Int  // x\n    // y\n    // z\n", 0);
    assert_holds("a Int\n @@unique(fields: [a], map: \"u\")", "@@unique([a], map: \"u\")\n", 0);
    assert_holds("class Int", "class Int @name(\"class_value\")\n", 0);
    assert_holds("a B[]\n}\nmodel B {\n b Int @id\n a A[]", "a  B[]\n", 0);
}

static void test_options(void **state)
{
    (void)state;
    struct run r = { 0 };
    const char *text = "datasource d {\n provider = \"sqlite\"\n}\nmodel A {\n id Int @id\n}\n";
    pxi_arena_init(&r.arena, NULL, 0);
    r.import = (struct pxi_import){ .arena = &r.arena, .prefix = "blog", .out = "src" };
    r.code = pxi_import_prisma(&r.import, &r.out, text, strlen(text));
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.out.data, "prefix = \"blog\"\n"));
    assert_non_null(strstr(r.out.data, "out    = \"src\"\n"));
    end(&r);
}

struct failing {
    unsigned left;
};

static void *failing_realloc(void *ctx, void *p, size_t old_size, size_t size)
{
    struct failing *f = ctx;
    if (size > 0 && f->left-- == 0) {
        f->left = 0;
        return NULL;
    }
    return pxi_malloc.realloc(NULL, p, old_size, size);
}

/* Each block of memory that the arena asks for is refused once. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct pxi_buf text = golden_read("tests/golden/import/shop.prisma");
    assert_non_null(text.data);
    unsigned n = 0;
    for (int code = PRAX_ENOMEM; code == PRAX_ENOMEM && n < 1000; n++) {
        struct run r;
        struct failing f = { n };
        prax_alloc alloc = { failing_realloc, &f };
        run_any(&r, text.data, text.size, &alloc);
        code = r.code;
        assert_true(code >= 0 || code == PRAX_ENOMEM);
        end(&r);
    }
    assert_in_range(n, 5, 999);
    pxi_buf_free(&text);
}

/* Any beginning of a schema is carried or refused with a line. */
static void test_every_prefix(void **state)
{
    (void)state;
    struct pxi_buf text = golden_read("tests/golden/import/legacy.prisma");
    assert_non_null(text.data);
    for (size_t size = 0; size < text.size; size++) {
        struct run r;
        char *copy = malloc(size + 1); /* of its size, so that a sanitizer sees a read behind it */
        assert_non_null(copy);
        memcpy(copy, text.data, size);
        run_any(&r, copy, size, NULL);
        if (r.code >= 0) {
            assert_good(&r);
        } else {
            assert_int_equal(r.code, PRAX_ESCHEMA);
            assert_true(r.import.error && r.import.error_line > 0);
        }
        end(&r);
        free(copy);
    }
    pxi_buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_carried),     cmocka_unit_test(test_postgres),
        cmocka_unit_test(test_strange),         cmocka_unit_test(test_errors),
        cmocka_unit_test(test_chain_of_losses), cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_options),         cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_format.c - the layout of schemas: nothing is lost, nothing moves, twice is once.
 *
 * Every schema of tests/golden, good or bad, and every beginning of one goes through it: what is
 * not blank must come out as it went in.
 */
#include "orm/schema/format.h"
#include "orm/schema/limits.h"
#include <dirent.h>
#include <prax/prax.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FOLDER "tests/golden/"

struct run {
    struct pxi_arena arena;
    struct pxi_diags diags;
    struct pxi_buf out;
    int rc;
};

static void run(struct run *r, const char *text, size_t size, const prax_alloc *alloc)
{
    memset(r, 0, sizeof *r);
    pxi_arena_init(&r->arena, alloc, 0);
    r->diags.arena = &r->arena;
    r->rc = pxi_schema_format(&r->out, &r->diags, text, size);
}

static void end(struct run *r)
{
    pxi_buf_free(&r->out);
    pxi_arena_free(&r->arena);
}

static struct pxi_buf read_file(const char *path)
{
    struct pxi_buf b = { 0 };
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s: not there; run from the project's root", path);
    for (int c = getc(f); c != EOF; c = getc(f))
        pxi_buf_char(&b, (char)c);
    fclose(f);
    return b;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Without blanks. */
static struct pxi_buf squeezed(const char *text, size_t size)
{
    struct pxi_buf b = { 0 };
    for (size_t i = 0; i < size; i++) {
        if (!is_blank(text[i]))
            pxi_buf_char(&b, text[i]);
    }
    return b;
}

static void assert_same_code(const char *name, const struct pxi_buf *a, const char *text,
                             size_t size)
{
    struct pxi_buf x = squeezed(a->data ? a->data : "", a->size), y = squeezed(text, size);
    if (x.size != y.size || (x.size && memcmp(x.data, y.data, x.size) != 0))
        fail_msg("%s: %zu of %zu bytes lost or changed", name, size, a->size);
    pxi_buf_free(&x);
    pxi_buf_free(&y);
}

static const char *next_quotes(const char *p, const char *end)
{
    return memmem(p, (size_t)(end - p), "\"\"\"", 3);
}

/* Between each pair of """ nothing has changed, not even a blank. */
static void assert_same_sql(const char *name, const struct pxi_buf *out, const char *text,
                            size_t size)
{
    const char *a = text, *a_end = text + size;
    const char *b = out->data ? out->data : "", *b_end = b + out->size;
    while (size && (a = next_quotes(a, a_end))) {
        const char *a_close = next_quotes(a + 3, a_end);
        b = next_quotes(b, b_end);
        const char *b_close = b ? next_quotes(b + 3, b_end) : NULL;
        if (!a_close)
            return;
        if (!b_close || a_close - a != b_close - b || memcmp(a, b, (size_t)(a_close - a)) != 0)
            fail_msg("%s: the SQL at byte %zu has changed", name, (size_t)(a - text));
        a = a_close + 3;
        b = b_close + 3;
    }
}

static void assert_stable(const char *name, const struct pxi_buf *once)
{
    struct run r;
    const char *text = once->data ? once->data : "";
    run(&r, text, once->size, NULL);
    assert_int_equal(r.rc, 0);
    if (r.out.size != once->size || (r.out.data && memcmp(r.out.data, text, once->size) != 0))
        fail_msg("%s: laid out twice is not the same:\n%s\n---\n%s", name, text, r.out.data);
    end(&r);
}

/* The whole text must go through or have diagnostics; returns whether it went through. */
static bool round_trip(const char *name, const char *text, size_t size)
{
    struct run r;
    run(&r, text, size, NULL);
    bool good = r.rc == 0;
    if (good) {
        assert_same_code(name, &r.out, text, size);
        assert_same_sql(name, &r.out, text, size);
        assert_stable(name, &r.out);
    } else {
        assert_int_equal(r.rc, (int)r.diags.count);
        assert_int_equal(r.out.size, 0);
    }
    end(&r);
    return good;
}

static unsigned each_file(const char *folder, unsigned step)
{
    unsigned n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        char path[512];
        snprintf(path, sizeof path, "%s%s", folder, e->d_name);
        if (!strstr(e->d_name, ".prax"))
            continue;
        struct pxi_buf b = read_file(path);
        n += round_trip(path, b.data ? b.data : "", b.size);
        for (size_t cut = 0; step > 0 && cut < b.size && cut < 4000; cut += step)
            round_trip(path, b.data, cut);
        pxi_buf_free(&b);
    }
    closedir(d);
    return n;
}

static void test_every_schema(void **state)
{
    (void)state;
    assert_true(each_file(FOLDER "schema/good/", 1) >= 5);
    assert_true(each_file(FOLDER "schema/bad/", 17) >= 40);
}

static void test_golden(void **state)
{
    (void)state;
    struct pxi_buf in = read_file(FOLDER "format/wild.prax");
    struct pxi_buf want = read_file(FOLDER "format/wild.out");
    struct run r;
    run(&r, in.data, in.size, NULL);
    assert_int_equal(r.rc, 0);
    assert_string_equal(r.out.data, want.data);
    assert_stable("wild.out", &want);
    end(&r);
    pxi_buf_free(&in);
    pxi_buf_free(&want);
}

static void check(const char *text, const char *want)
{
    struct run r;
    run(&r, text, strlen(text), NULL);
    assert_int_equal(r.rc, 0);
    assert_string_equal(r.out.size ? r.out.data : "", want);
    end(&r);
}

static void test_small(void **state)
{
    (void)state;
    check("", "");
    check("\n\n \t\r\n", "");
    check("model A{\r\nid Int@id\r\n}", "model A {\n    id Int @id\n}\n");
    check("model A { id Int @id }", "model A { id Int @id }\n");
    check("enum E {\nA // one\nLONGER // two\n}",
          "enum E {\n    A       // one\n    LONGER  // two\n}\n");
    /* SQL stays as it is, but for blanks around it */
    check("model A {\nid Int @check(  a  >  '\" )'\n )\n}",
          "model A {\n    id Int @check(a  >  '\" )')\n}\n");
    check("model A {\n@@check(  \"a  b\"  ,name:\"x\")\n}",
          "model A {\n    @@check(\"a  b\", name: \"x\")\n}\n");
    check("model A {\nid Int @check( id > 0 -- why \n ) @id\n}",
          "model A {\n    id Int @check(id > 0 -- why \n ) @id\n}\n");
    check("@@sql(\"x\",\"\"\"\n  a   'b\n\n\n // c\n\"\"\")",
          "@@sql(\"x\", \"\"\"\n  a   'b\n\n\n // c\n\"\"\")\n");
    check("}}}(((", "}\n}\n}\n\n(((\n");
}

static void test_what_is_no_text(void **state)
{
    (void)state;
    static const char *const bad[] = { "model A { s String @default(\"x) }", "/* no end", "\xff" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(round_trip("bad text", bad[i], strlen(bad[i])));
}

/* A comment or three quotes within the SQL of @check, which nothing closes, end with the text. */
static void test_open_in_sql(void **state)
{
    (void)state;
    static const char *const texts[] = { "'@check('/*", "'@check('/* x\n\n", "'@check('\"\"\"x",
                                         "'@check(\n'f" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_true(round_trip("open in SQL", texts[i], strlen(texts[i])));
}

/* Blanks in front of a line can make an expression longer than the compiler takes it. */
static void test_long_sql(void **state)
{
    (void)state;
    char text[PXI_TEXT_MAX + 64] = "model A {\n  id Int @check(id > 0";
    size_t size = strlen(text);
    memset(text + size, ' ', PXI_TEXT_MAX);
    memcpy(text + size + PXI_TEXT_MAX, "+ 1)\n}\n", 7);
    assert_true(round_trip("long SQL", text, size + PXI_TEXT_MAX + 7));
}

struct failing {
    unsigned left, calls;
};

static void *failing_realloc(void *ctx, void *p, size_t old_size, size_t size)
{
    struct failing *f = ctx;
    if (size > 0 && f->calls++ >= f->left)
        return NULL;
    return pxi_malloc.realloc(NULL, p, old_size, size);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    struct pxi_buf in = read_file(FOLDER "format/wild.prax");
    unsigned failures = 0;
    for (unsigned left = 0;; left++) {
        struct failing f = { .left = left };
        prax_alloc alloc = { failing_realloc, &f };
        struct run r;
        run(&r, in.data, in.size, &alloc);
        int rc = r.rc;
        end(&r);
        if (f.calls <= left) {
            assert_int_equal(rc, 0);
            break;
        }
        assert_int_equal(rc, PRAX_ENOMEM);
        failures++;
    }
    assert_true(failures > 0);
    pxi_buf_free(&in);
}

/* Views, statements and attributes over several lines. */
static void test_several_lines(void **state)
{
    (void)state;
    check("view V {\nid Int @id\nname String\n@@sql(sqlite: \"\"\"\nSELECT  1\n  AS id\"\"\",\n"
          "postgresql:\"\"\"x\"\"\")\n@@materialized\n}\n",
          "view V {\n    id   Int @id\n    name String\n    @@sql(sqlite: \"\"\"\nSELECT  1\n"
          "  AS id\"\"\",\n        postgresql: \"\"\"x\"\"\")\n    @@materialized\n}\n");
    check("enum A { X }\n@@sql(\"a\", \"\"\"\n1\n\"\"\")\n// b\n@@sql(\"b\", \"\"\"2\"\"\")\n"
          "@@sql(\"c\", \"\"\"\n3\"\"\")\nenum B { Y }\n",
          "enum A { X }\n\n@@sql(\"a\", \"\"\"\n1\n\"\"\")\n\n// b\n@@sql(\"b\", \"\"\"2\"\"\")\n\n"
          "@@sql(\"c\", \"\"\"\n3\"\"\")\n\nenum B { Y }\n");
    check("model A {\nid Int @id\nb B? @relation(\n\"x\",\nfields: [bId,cId]\n)\nlongName String\n"
          "@default(\"a  b\")\n@check(a   >  ( 1 ))\n}\n",
          "model A {\n    id       Int @id\n    b        B?  @relation(\n        \"x\",\n"
          "        fields: [bId, cId]\n    )\n    longName String\n"
          "        @default(\"a  b\")\n        @check(a   >  ( 1 ))\n}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_schema),  cmocka_unit_test(test_golden),
        cmocka_unit_test(test_small),         cmocka_unit_test(test_what_is_no_text),
        cmocka_unit_test(test_several_lines), cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_open_in_sql),   cmocka_unit_test(test_long_sql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

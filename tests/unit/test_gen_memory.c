/* test_gen_memory.c - memory that runs out anywhere between a schema's text and the generated code:
 * ENOMEM or a broken buffer, never half a text that looks whole, and nothing is left behind.
 *
 * Linked with --wrap, so that every realloc of ours goes through the one below.
 */
#include "orm/gen/gen.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static long left = -1; /* calls that still succeed; -1: all */
static long live;      /* blocks that were not freed */

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __real_free(void *p);
void __wrap_free(void *p);

void *__wrap_realloc(void *p, size_t size)
{
    if (left == 0)
        return NULL;
    left -= left > 0;
    void *q = __real_realloc(p, size);
    live += !p && q;
    return q;
}

void __wrap_free(void *p)
{
    live -= p != NULL;
    __real_free(p);
}

enum { OUTPUTS = 8, DDL = OUTPUTS - PXI_DATABASES };
struct outputs {
    struct pxi_buf text[OUTPUTS];
};

static void generate(struct outputs *o, const struct pxi_schema *schema)
{
    pxi_gen_header(&o->text[0], schema, NULL, "t.prax");
    pxi_gen_main(&o->text[1], schema, NULL, "t.prax");
    pxi_gen_models_header(&o->text[2], schema, "t.prax");
    pxi_gen_single_header(&o->text[3], schema, NULL, "t.prax");
    for (uint32_t i = 0; i < schema->models.count; i++) {
        if (schema->models.items[i].ignore)
            continue;
        pxi_gen_model_header(&o->text[4], schema, &schema->models.items[i], "t.prax");
        pxi_gen_model(&o->text[5], schema, &schema->models.items[i], "t.prax");
    }
    for (unsigned db = 0; db < PXI_DATABASES; db++) {
        if (schema->database[db])
            pxi_gen_ddl(&o->text[DDL + db], schema, db);
    }
}

/* True if there was enough memory for all of it. */
static bool compile(struct outputs *o, const char *text, size_t size)
{
    struct pxi_arena arena;
    int code;
    pxi_arena_init(&arena, NULL, 0);
    struct pxi_diags diags = { .arena = &arena };
    struct pxi_source src = { .file = "t.prax", .text = text, .size = size };
    const struct pxi_schema *schema = pxi_schema_read(&diags, &src, &code);
    bool good = schema != NULL;
    assert_int_equal(code, good ? 0 : PRAX_ENOMEM);
    memset(o, 0, sizeof *o);
    if (good)
        generate(o, schema);
    for (int i = 0; i < OUTPUTS; i++)
        good = good && pxi_buf_ok(&o->text[i]);
    pxi_arena_free(&arena);
    return good;
}

static void free_outputs(struct outputs *o)
{
    for (int i = 0; i < OUTPUTS; i++)
        pxi_buf_free(&o->text[i]);
}

static void assert_same(const struct outputs *a, const struct outputs *b)
{
    for (int i = 0; i < OUTPUTS; i++) {
        assert_int_equal(a->text[i].size, b->text[i].size);
        if (a->text[i].size)
            assert_memory_equal(a->text[i].data, b->text[i].data, a->text[i].size);
    }
}

/* What there is of an output is the beginning of the whole. */
static void assert_beginning(const struct outputs *part, const struct outputs *whole)
{
    for (int i = 0; i < OUTPUTS; i++) {
        const struct pxi_buf *p = &part->text[i], *w = &whole->text[i];
        assert_true(p->size <= w->size);
        if (p->size && pxi_buf_ok(p))
            assert_memory_equal(p->data, w->data, p->size);
    }
}

static void fail_each(const char *path)
{
    static char text[1 << 18];
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s: not there; run from the project's root", path);
    size_t size = fread(text, 1, sizeof text, f);
    fclose(f);
    struct outputs whole, o;
    left = -1;
    assert_true(compile(&whole, text, size));
    assert_true(whole.text[0].size > 100);
    long before = live, n = 0;
    for (bool good = false; !good; n++) {
        left = n;
        good = compile(&o, text, size);
        left = -1;
        if (good) {
            assert_same(&o, &whole);
        } else {
            assert_beginning(&o, &whole);
        }
        free_outputs(&o);
        assert_int_equal(live, before);
    }
    assert_true(n > 20);
    free_outputs(&whole);
}

static void test_every_word(void **state)
{
    (void)state;
    fail_each("tests/golden/schema/good/words.prax");
}

static void test_relations(void **state)
{
    (void)state;
    fail_each("tests/golden/schema/good/relations.prax");
}

static void test_postgres(void **state)
{
    (void)state;
    fail_each("tests/golden/schema/good/postgres.prax");
}

static void test_blog(void **state)
{
    (void)state;
    fail_each("tests/golden/schema/blog.prax");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_word),
        cmocka_unit_test(test_relations),
        cmocka_unit_test(test_postgres),
        cmocka_unit_test(test_blog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

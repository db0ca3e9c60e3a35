/* Schemas, of one file or (cut at each form feed, which no schema may hold) of several: every span
 * lies in the text, every diagnostic can be shown, memory that runs out anywhere is ENOMEM. A good
 * one generates, and laid out anew it makes the same tables. */
#include "orm/gen/gen.h"
#include "orm/schema/format.h"
#include <stdlib.h>
#include <string.h>

enum { FILES = 4 };

struct text {
    char *data;
    size_t size;
    struct pxi_file files[FILES];
    struct pxi_source src;
};

static void cut(struct text *t, const uint8_t *data, size_t size)
{
    static const char *const names[FILES] = { "a", "b", "c", "d" };
    uint32_t n = 1;
    t->data = malloc(size ? size : 1); /* so that a read behind it is seen */
    if (!t->data)
        abort();
    t->files[0] = (struct pxi_file){ names[0], 0 };
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\f' && n < FILES) {
            t->files[n] = (struct pxi_file){ names[n], (uint32_t)t->size };
            n++;
        } else {
            t->data[t->size++] = (char)data[i];
        }
    }
    t->src = (struct pxi_source){ "dir", t->data, t->size, n > 1 ? t->files : NULL, n > 1 ? n : 0 };
}

static void check_diags(const struct pxi_source *src, const struct pxi_diags *diags)
{
    struct pxi_buf out = { 0 };
    struct pxi_json json = { .out = &out };
    for (uint32_t i = 0; i < diags->count; i++) {
        const struct pxi_diag *d = &diags->items[i];
        if (!d->text || d->at.start > src->size || d->at.size > src->size - d->at.start)
            abort();
        if (i < 20) {
            pxi_diag_render(&out, src, d, true);
            pxi_diag_json(&json, src, d);
        }
    }
    if (!pxi_buf_ok(&out))
        abort();
    pxi_buf_free(&out);
}

static void make_tables(struct pxi_buf *out, const struct pxi_schema *schema)
{
    for (unsigned db = 0; db < PXI_DATABASES; db++) {
        if (schema->database[db])
            pxi_gen_ddl(out, schema, db);
    }
}

static void generate(const struct pxi_schema *schema)
{
    struct pxi_buf out = { 0 };
    pxi_gen_single_header(&out, schema, NULL, "s.prax");
    pxi_gen_single(&out, schema, NULL, "s.prax");
    if (!pxi_buf_ok(&out))
        abort();
    pxi_buf_free(&out);
}

/* The text laid out, read again, makes the same tables. */
static void check_layout(const struct pxi_source *src, const struct pxi_buf *tables)
{
    struct pxi_arena arena;
    struct pxi_buf text = { 0 }, again = { 0 };
    int code;
    pxi_arena_init(&arena, NULL, 0);
    struct pxi_diags diags = { .arena = &arena };
    if (pxi_schema_format(&text, &diags, src->text, src->size) != 0)
        abort();
    struct pxi_source new = { .file = "new", .text = text.data, .size = text.size };
    const struct pxi_schema *schema = pxi_schema_read(&diags, &new, &code);
    if (!schema || code != 0)
        abort();
    make_tables(&again, schema);
    if (again.size != tables->size || memcmp(again.data, tables->data, again.size) != 0)
        abort();
    pxi_buf_free(&text);
    pxi_buf_free(&again);
    pxi_arena_free(&arena);
}

/* With `max` bytes of memory (0: as much as it takes); returns what was held. */
static size_t compile(const struct pxi_source *src, size_t max)
{
    struct pxi_arena arena;
    struct pxi_buf tables = { 0 };
    int code;
    pxi_arena_init(&arena, NULL, max);
    struct pxi_diags diags = { .arena = &arena };
    const struct pxi_schema *schema = pxi_schema_read(&diags, src, &code);
    if (schema ? code != (int)diags.count : code != PRAX_ENOMEM || !max)
        abort();
    if (schema)
        check_diags(src, &diags);
    if (schema && code == 0 && !max) {
        generate(schema);
        make_tables(&tables, schema);
        if (!src->n_files)
            check_layout(src, &tables);
        pxi_buf_free(&tables);
    }
    size_t held = arena.held;
    pxi_arena_free(&arena);
    return held;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text t = { 0 };
    cut(&t, data, size);
    size_t held = compile(&t.src, 0);
    if (held > 0)
        compile(&t.src, 1 + (size * 7919) % held);
    free(t.data);
    return 0;
}

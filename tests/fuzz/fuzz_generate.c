/* The generator, on any schema that has no errors: the C is made of whole tokens (strings and
 * comments end, brackets match, no control characters), it is the same a second time, as one file
 * and as one a model; every statement of the DDL has its quotes closed. */
#include "orm/gen/gen.h"
#include <stdlib.h>
#include <string.h>

/* Behind the literal or comment at p; NULL if it does not end. */
static const char *skip_literal(const char *p)
{
    if (p[0] == '/' && p[1] == '*') {
        const char *end = strstr(p + 2, "*/");
        return end ? end + 2 : NULL;
    }
    char quote = *p++;
    while (*p && *p != '\n' && *p != quote)
        p += 1 + (*p == '\\' && p[1]);
    return *p == quote ? p + 1 : NULL;
}

/* Brackets of C outside of literals and comments. */
static void check_c(const struct pxi_buf *b)
{
    char open[64];
    unsigned depth = 0;
    if (!pxi_buf_ok(b) || strlen(b->data) != b->size)
        abort();
    for (const char *p = b->data; *p;) {
        if (*p == '"' || *p == '\'' || (p[0] == '/' && p[1] == '*')) {
            p = skip_literal(p);
            if (!p)
                abort();
            continue;
        }
        if (strchr("([{", *p)) {
            if (depth == sizeof open)
                abort();
            open[depth++] = *p == '(' ? ')' : (char)(*p + 2);
        } else if (strchr(")]}", *p)) {
            if (depth == 0 || open[--depth] != *p)
                abort();
        } else if ((unsigned char)*p < 0x20 && *p != '\n' && *p != '\t') {
            abort();
        }
        p++;
    }
    if (depth > 0)
        abort();
}

/* Names of ours are quoted as SQL wants it; what the schema itself gives as SQL was checked for its
 * quotes when it was read. */
static void check_ddl(const struct pxi_schema *schema, enum pxi_database db)
{
    struct pxi_buf b = { 0 };
    uint32_t n = pxi_gen_ddl(&b, schema, db), found = 0;
    if (!pxi_buf_ok(&b))
        abort();
    for (size_t at = 0; at < b.size; at += strlen(b.data + at) + 1) {
        if (!b.data[at])
            abort();
        found++;
    }
    if (n != found)
        abort();
    pxi_buf_free(&b);
}

static void check_equal(const struct pxi_buf *a, const struct pxi_buf *b)
{
    if (a->size != b->size || memcmp(a->data, b->data, a->size) != 0)
        abort();
}

static void check_generated(const struct pxi_schema *schema)
{
    struct pxi_buf header[2] = { { 0 } }, single[2] = { { 0 } }, part = { 0 };
    for (int i = 0; i < 2; i++) {
        pxi_gen_single_header(&header[i], schema, NULL, "x.prax");
        pxi_gen_single(&single[i], schema, NULL, "x.prax");
    }
    check_c(&header[0]);
    check_c(&single[0]);
    check_equal(&header[0], &header[1]);
    check_equal(&single[0], &single[1]);
    pxi_gen_main(&part, schema, NULL, "x.prax");
    pxi_gen_header(&part, schema, NULL, "x.prax");
    pxi_gen_models_header(&part, schema, "x.prax");
    check_c(&part);
    for (uint32_t i = 0; i < schema->models.count; i++) {
        if (schema->models.items[i].ignore)
            continue;
        pxi_buf_clear(&part);
        pxi_gen_model(&part, schema, &schema->models.items[i], "x.prax");
        pxi_gen_model_header(&part, schema, &schema->models.items[i], "x.prax");
        check_c(&part);
    }
    for (unsigned db = 0; db < PXI_DATABASES; db++) {
        if (schema->database[db])
            check_ddl(schema, db);
    }
    for (int i = 0; i < 2; i++) {
        pxi_buf_free(&header[i]);
        pxi_buf_free(&single[i]);
    }
    pxi_buf_free(&part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* what stands before every schema is not for the fuzzer to find */
    static const char head[] = "generator c { prefix = \"t\" }\n"
                               "datasource db { provider = [sqlite, postgresql] }\n";
    enum { HEAD = sizeof head - 1 };
    struct pxi_arena arena;
    int code;
    char *text = malloc(HEAD + size);
    if (!text)
        abort();
    memcpy(text, head, HEAD);
    memcpy(text + HEAD, data, size);
    pxi_arena_init(&arena, NULL, 0);
    struct pxi_diags diags = { .arena = &arena };
    struct pxi_source src = { .file = "x", .text = text, .size = HEAD + size };
    const struct pxi_schema *schema = pxi_schema_read(&diags, &src, &code);
    if (code == 0)
        check_generated(schema);
    pxi_arena_free(&arena);
    free(text);
    return 0;
}

/* Files of typed SQL against one schema: every diagnostic lies in the text and can be shown, memory
 * that runs out is no result; a good file generates. */
#include "orm/gen/gen.h"
#include <stdlib.h>
#include <string.h>

static const char schema_text[] =
    "generator c { prefix = \"f\" }\n"
    "datasource db { provider = [sqlite, postgresql] }\n"
    "enum Kind { BOOK RECORD }\n"
    "model Item { id Int @id @auto\n title String\n kind Kind\n price Decimal(10, 2)?\n"
    " sales Sale[]\n @@map(\"items\") }\n"
    "model Sale { id Int @id @auto\n item Item @relation(fields: [itemId], references: [id])\n"
    " itemId Int @map(\"item_id\")\n at DateTime @default(now())\n raw Bytes?\n"
    " @@map(\"sales\") }\n";

/* Of one schema for all inputs. */
static const struct pxi_schema *schema(void)
{
    static struct pxi_arena arena;
    static struct pxi_diags diags = { .arena = &arena };
    static const struct pxi_source src = { "s", schema_text, sizeof schema_text - 1, NULL, 0 };
    static const struct pxi_schema *tree;
    int code = 0;
    if (!tree) {
        pxi_arena_init(&arena, NULL, 0);
        tree = pxi_schema_read(&diags, &src, &code);
        if (!tree || code)
            abort();
    }
    return tree;
}

static void generate(const pxi_typed_list *list)
{
    struct pxi_buf out = { 0 };
    pxi_gen_single_header(&out, schema(), list, "s.prax");
    pxi_gen_single(&out, schema(), list, "s.prax");
    if (!pxi_buf_ok(&out))
        abort();
    pxi_buf_free(&out);
}

static void read_all(const struct pxi_source *src, size_t memory)
{
    struct pxi_arena arena;
    pxi_arena_init(&arena, NULL, memory);
    struct pxi_diags diags = { .arena = &arena };
    struct pxi_buf out = { 0 };
    const pxi_typed_list *list = pxi_typed_read(&diags, src, schema());
    for (uint32_t i = 0; list && i < diags.count; i++) {
        const struct pxi_diag *d = &diags.items[i];
        if (!d->text || d->at.start > src->size || d->at.size > src->size - d->at.start)
            abort();
        if (i < 20)
            pxi_diag_render(&out, src, d, true);
    }
    if (list && diags.count == 0)
        generate(list);
    if (!list && !memory)
        abort();
    pxi_buf_free(&out);
    pxi_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1); /* so that a read behind it is seen */
    if (!text)
        abort();
    memcpy(text, data, size);
    const struct pxi_source src = { "q.sql", text, size, NULL, 0 };
    read_all(&src, 0);
    if (size)
        read_all(&src, 4096 + data[size / 2] * 64u);
    free(text);
    return 0;
}

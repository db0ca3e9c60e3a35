/* Prisma schemas: whatever is carried is a schema of ours without errors and in its usual layout;
 * what is refused has a reason and a line. */
#include "orm/import/import.h"
#include "orm/schema/format.h"
#include "orm/schema/schema.h"
#include <stdlib.h>
#include <string.h>

static void check_result(const struct pxi_buf *out)
{
    struct pxi_arena arena;
    struct pxi_buf again = { 0 };
    int code;
    pxi_arena_init(&arena, NULL, 0);
    struct pxi_diags diags = { .arena = &arena };
    struct pxi_source src = { .file = "", .text = out->data, .size = out->size };
    if (!pxi_schema_read(&diags, &src, &code) || code != 0)
        abort();
    if (pxi_schema_format(&again, &diags, out->data, out->size) != 0 || again.size != out->size ||
        memcmp(again.data, out->data, out->size) != 0)
        abort();
    pxi_buf_free(&again);
    pxi_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pxi_arena arena;
    struct pxi_buf out = { 0 };
    pxi_arena_init(&arena, NULL, 0);
    struct pxi_import import = { .arena = &arena };
    int code = pxi_import_prisma(&import, &out, (const char *)data, size);
    if (code >= 0) {
        check_result(&out);
        for (uint32_t i = 0; i < import.n_notes; i++) {
            if (!import.notes[i].why || !import.notes[i].what || !import.notes[i].line)
                abort();
        }
    } else if (out.size > 0 || !import.error || !import.error_line) {
        abort();
    }
    pxi_buf_free(&out);
    pxi_arena_free(&arena);
    return 0;
}

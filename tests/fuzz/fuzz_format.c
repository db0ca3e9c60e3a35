/* The layout of schemas: what is not blank comes out as it went in, and a second time changes
 * nothing. */
#include "orm/schema/format.h"
#include <stdlib.h>
#include <string.h>

static int format(struct pxi_buf *out, const char *text, size_t size)
{
    struct pxi_arena arena;
    pxi_arena_init(&arena, NULL, 0);
    struct pxi_diags diags = { .arena = &arena };
    int rc = pxi_schema_format(out, &diags, text, size);
    pxi_arena_free(&arena);
    return rc;
}

static size_t skip_blanks(const char *text, size_t size, size_t i)
{
    while (i < size && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n'))
        i++;
    return i;
}

static void check_same_code(const char *a, size_t a_size, const char *b, size_t b_size)
{
    for (size_t i = 0, k = 0;; i++, k++) {
        i = skip_blanks(a, a_size, i);
        k = skip_blanks(b, b_size, k);
        if (i == a_size && k == b_size)
            return;
        if (i == a_size || k == b_size || a[i] != b[k])
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pxi_buf once = { 0 }, twice = { 0 };
    if (format(&once, (const char *)data, size) == 0) {
        const char *text = once.data ? once.data : "";
        check_same_code((const char *)data, size, text, once.size);
        if (format(&twice, text, once.size) != 0 || twice.size != once.size ||
            (once.size > 0 && memcmp(text, twice.data, once.size) != 0))
            abort();
    }
    pxi_buf_free(&once);
    pxi_buf_free(&twice);
    return 0;
}

/* golden.h - compares a text with tests/golden/NAME; PRAX_GOLDEN=1 rewrites the file instead. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H
#include "orm/base/buf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole file; data NULL where there is none. */
static inline struct pxi_buf golden_read(const char *path)
{
    struct pxi_buf b = { 0 };
    char part[4096];
    FILE *f = fopen(path, "r");
    for (size_t n; f && (n = fread(part, 1, sizeof part, f)) > 0;)
        pxi_buf_add(&b, part, n);
    if (f)
        fclose(f);
    return b;
}

static inline void golden_check(const char *name, const struct pxi_buf *text)
{
    char path[256];
    snprintf(path, sizeof path, "tests/golden/%s", name);
    assert_true(pxi_buf_ok(text));
    if (getenv("PRAX_GOLDEN")) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(text->data, 1, text->size, f), text->size);
        fclose(f);
        return;
    }
    struct pxi_buf want = golden_read(path);
    if (!want.data)
        fail_msg("%s: no such file; PRAX_GOLDEN=1 makes it", path);
    if (want.size != text->size || memcmp(want.data, text->data, want.size) != 0)
        print_error("%s differs; PRAX_GOLDEN=1 rewrites it. Now:\n%s\n", path, text->data);
    assert_int_equal(want.size, text->size);
    assert_memory_equal(want.data, text->data, want.size);
    pxi_buf_free(&want);
}

#endif

/* The decoder of call frame information: the first byte chooses the section, the rest is it. What
 * comes out must be in order, for the packed tables rely on that. */
#include "loader/unwind/unwind.h"
#include "tests/fuzz/made_elf.h"

static void check(const struct unwind_rows *r)
{
    if (r->n == 0)
        return;
    if (r->rows[0].pc != 0 || r->rows[r->n - 1].rule != 0)
        abort();
    for (size_t i = 0; i < r->n; i++) {
        if (r->rows[i].rule >= r->n_rules || (i > 0 && r->rows[i].pc <= r->rows[i - 1].pc))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct unwind_rows rows;
    struct elf_file f;
    size_t total;

    if (size == 0)
        return 0;
    const char *section = (data[0] & 1) != 0 ? ".debug_frame" : ".eh_frame";
    struct made_elf *m = made_elf__new(section, data + 1, size - 1, &total);
    if (elf_file__open_memory(&f, m, total) != 0)
        abort();
    (void)unwind_rows__build(&rows, &f);
    check(&rows);
    unwind_rows__free(&rows);
    elf_file__close(&f);
    free(m);
    return 0;
}

/* The ELF reader and all that reads files through it. */
#include "loader/target/needed.h"
#include "loader/target/notes.h"
#include "loader/target/symtab.h"
#include "loader/unwind/unwind.h"
#include "tests/fuzz/made_elf.h"

static bool count(void *n, const char *name)
{
    *(size_t *)n += strlen(name);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "main", "malloc" };
    struct unwind_rows rows;
    struct usdt_probes probes;
    struct function found[2];
    struct elf_file f;
    size_t length = 0;
    uint64_t vaddrs[4], bias, left;
    char *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    if (elf_file__open_memory(&f, copy, size) == 0) {
        (void)unwind_rows__build(&rows, &f);
        unwind_rows__free(&rows);
        if (usdt_probes__read(&probes, &f, NULL) == 0)
            usdt_probes__free(&probes);
        (void)prax_notes__find(&f, vaddrs, 4);
        (void)symtab__find(&f, names, 2, found);
        (void)needed__each(&f, count, &length);
        (void)elf_file__bias(&f, 0x7f0000001000, 0x1000, &bias);
        if (elf_file__offset(&f, f.header.e_entry, &left) >= 0 && left > size)
            abort();
        elf_file__close(&f);
    }
    free(copy);
    return 0;
}

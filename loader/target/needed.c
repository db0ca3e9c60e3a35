/* needed.c - see needed.h. */
#include "loader/target/needed.h"

#include <stdlib.h>

enum { DYNAMIC_SIZE_MAX = 1 << 20, NAMES_SIZE_MAX = 64 << 20 }; /* bytes */

static const Elf64_Phdr *segment(const struct elf_file *f, uint32_t type)
{
    for (size_t i = 0; i < f->n_segments; i++) {
        if (f->segments[i].p_type == type)
            return &f->segments[i];
    }
    return NULL;
}

/* The value of the last entry of a kind; 0: none. */
static uint64_t value_of(const Elf64_Dyn *entries, size_t n, int64_t tag)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n && entries[i].d_tag != DT_NULL; i++) {
        if (entries[i].d_tag == tag)
            value = entries[i].d_un.d_val;
    }
    return value;
}

int needed__each(const struct elf_file *f, bool (*visit)(void *ctx, const char *name), void *ctx)
{
    const Elf64_Phdr *dynamic = segment(f, PT_DYNAMIC);
    void *data = NULL, *names = NULL;
    if (!dynamic)
        return 0;
    int err = elf_file__load(f, dynamic->p_offset, dynamic->p_filesz, DYNAMIC_SIZE_MAX, &data);
    if (err)
        return err;
    const Elf64_Dyn *entries = data;
    const size_t n = dynamic->p_filesz / sizeof *entries;
    const uint64_t size = value_of(entries, n, DT_STRSZ);
    const int64_t offset = elf_file__offset(f, value_of(entries, n, DT_STRTAB), NULL);
    if (offset >= 0)
        err = elf_file__load(f, (uint64_t)offset, size, NAMES_SIZE_MAX, &names);
    for (size_t i = 0; names && i < n && entries[i].d_tag != DT_NULL; i++) {
        const uint64_t at = entries[i].d_un.d_val; /* a NUL follows the names */
        if (entries[i].d_tag == DT_NEEDED && at < size && !visit(ctx, (char *)names + at))
            break;
    }
    free(names);
    free(data);
    return err;
}

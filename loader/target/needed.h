/* needed.h - the libraries that an ELF file asks for by itself (DT_NEEDED), not what those ask for.
 * Source: gABI, dynamic section. */
#ifndef LOADER_TARGET_NEEDED_H
#define LOADER_TARGET_NEEDED_H
#include "loader/target/elf.h"

/* Calls visit for each, in order, until it returns false. 0 (also where there is none), -ENOEXEC,
 * -EFBIG, -ENOMEM, -errno. */
int needed__each(const struct elf_file *f, bool (*visit)(void *ctx, const char *name), void *ctx);

#endif

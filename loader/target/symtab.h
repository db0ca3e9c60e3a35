/* symtab.h - where an ELF file defines given functions: .dynsym first, then .symtab.
 *
 * For libc's allocation family in libc.so, and for a program that carries its own (jemalloc, static
 * libc). Only defined functions (STT_FUNC, STT_GNU_IFUNC left out) within a segment count.
 */
#ifndef LOADER_TARGET_SYMTAB_H
#define LOADER_TARGET_SYMTAB_H
#include "loader/target/elf.h"

enum { SYMTAB_SIZE_MAX = 512 << 20 }; /* bytes of one table */

struct function {
    uint64_t address; /* ELF vaddr; 0: not in this file */
    uint64_t size;    /* bytes; 0: unknown */
};

/* Fills out[n] for names[n]. 0; -ENOEXEC, -EFBIG, -ENOMEM, -errno: a table is damaged or too large
 * (what was found before stays). */
int symtab__find(const struct elf_file *f, const char *const *names, size_t n,
                 struct function *out);
/* The same for one object (variable). */
int symtab__object(const struct elf_file *f, const char *name, struct function *out);

#endif

/* elf.h - a bounded reader of ELF files that may be hostile.
 *
 * Nothing is mapped (a file that shrinks would kill the reader); parts are read with pread and
 * every size is checked against the file and a limit. 64-bit little-endian only. Errors: 0 or
 * -errno; -ENOEXEC: not such a file, or a table of it lies outside; -EFBIG: beyond a limit. Source:
 * System V ABI, chapters 4 and 5; gABI notes.
 */
#ifndef LOADER_TARGET_ELF_H
#define LOADER_TARGET_ELF_H
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file {
    int fd;            /* owned; -1: an image in memory */
    const char *image; /* image[size] when fd is -1; borrowed */
    uint64_t size;     /* bytes */
    Elf64_Ehdr header;
    Elf64_Phdr *segments; /* segments[n_segments] */
    Elf64_Shdr *sections; /* sections[n_sections]; NULL where stripped of them */
    size_t n_segments, n_sections;
    char *section_names; /* NUL-terminated at section_names_size */
    size_t section_names_size;
    uint8_t build_id[32];
    uint8_t build_id_size; /* bytes; 0: none */
};

/* Takes the descriptor, on failure too. */
int elf_file__open(struct elf_file *f, int fd);
/* image[size] must outlive f: the vdso, tests. */
int elf_file__open_memory(struct elf_file *f, const void *image, size_t size);
void elf_file__close(struct elf_file *f);
/* NULL: no such section. */
const Elf64_Shdr *elf_file__section(const struct elf_file *f, const char *name);
/* Reads size bytes at a file offset into a new block with a NUL behind it. limit: the most that the
 * caller accepts. *out is for free(). */
int elf_file__load(const struct elf_file *f, uint64_t offset, uint64_t size, uint64_t limit,
                   void **out);
/* File offset of a vaddr within a PT_LOAD; -1: none. *left (may be NULL): file bytes from there on.
 */
int64_t elf_file__offset(const struct elf_file *f, uint64_t vaddr, uint64_t *left);
/* What must be added to a vaddr for a mapping of this file that begins at `start` with file offset
 * `offset` (bytes, page-aligned). false: no segment covers it. */
bool elf_file__bias(const struct elf_file *f, uint64_t start, uint64_t offset, uint64_t *bias);

#endif

/* unwind.h - from .eh_frame to the compact tables that the BPF walker reads.
 *
 * An object's rows are built once (by file identity) and shared by all processes that map it. The
 * walker's tables are flat arrays in mmapable BPF maps: rows, the 1 KiB page index, and a mapping
 * list a process. See bpf/unwind.h for their layout and the walker itself, which is one source for
 * BPF and user space.
 */
#ifndef LOADER_UNWIND_UNWIND_H
#define LOADER_UNWIND_UNWIND_H
#include "bpf/unwind.h"
#include "loader/target/elf.h"

/* Rows of one object, sorted by pc. */
struct unwind_rows {
    struct pxb_row *rows; /* rows[n]; for free() */
    size_t n;
    uint64_t unsupported; /* rules that cannot be expressed; such rows end a walk */
};
/* Decodes .eh_frame (found by PT_GNU_EH_FRAME or section). 0; -ENODATA: the file has none; -EINVAL:
 * it is damaged (rows decoded so far are kept); -ENOMEM. */
int unwind_rows__build(struct unwind_rows *out, const struct elf_file *f);

struct unwind; /* the tables, over memory that BPF programs see or (tests) plain memory */

/* rows[max_rows], pages[max_pages]: the maps' memory, borrowed. */
struct unwind *unwind__new(struct pxb_row *rows, size_t max_rows, uint32_t *pages,
                           size_t max_pages);
void unwind__free(struct unwind *u);
/* Adds an object or finds it by key (dev:ino:mtime:size or build id; any bytes). f is read only
 * when it is new. Returns its index ≥ 0, or -errno: -ENOSPC tables full. Objects without rows are
 * kept as such, so that they are not read again. */
int unwind__object(struct unwind *u, const void *key, size_t key_size, const struct elf_file *f);
/* Fills one entry of a process's mapping list. */
void unwind__mapping(const struct unwind *u, int object, uint64_t start, uint64_t end,
                     uint64_t bias, struct pxb_mapping *out);
/* Rows and bytes in use, for meta.json. */
size_t unwind__rows(const struct unwind *u);

#endif

/* unwind.h - from .eh_frame and .debug_frame to the compact tables that the BPF walker reads.
 *
 * An object's rows are built once (by file identity) and shared by all processes that map it. The
 * walker's tables are flat arrays in mmapable BPF maps: rows, the 1 KiB page index, rules; and a
 * mapping list a process. See bpf/unwind.h for their layout and bpf/walk.h for the walker, which is
 * one source for BPF and user space.
 *
 * Two steps, because they are tested apart: eh_frame.c decodes an object's .eh_frame to
 * struct unwind_rows, whose every row can be compared with what libdw says; tables.c packs those
 * into the arrays. Nothing is ever taken out of the arrays: BPF programs read them meanwhile.
 */
#ifndef LOADER_UNWIND_UNWIND_H
#define LOADER_UNWIND_UNWIND_H
#include "bpf/unwind.h"
#include "loader/target/elf.h"

/* `rule` holds from pc to the next row's pc. */
struct unwind_row {
    uint32_t pc;   /* vaddr - base of the object */
    uint32_t rule; /* index into the object's rules */
};

/* Rows of one object, sorted by pc, the first at pc 0; no two neighbours have the same rule. Gaps
 * and the end are rows with rule 0. A gap of less than 16 bytes is padding, and is left out. */
struct unwind_rows {
    struct unwind_row *rows; /* rows[n]; for free() */
    size_t n;
    struct pxb_rule *rules; /* rules[n_rules]; [0] is PXB_RULE_NONE, [1] PXB_RULE_BAD; for free() */
    size_t n_rules;
    uint64_t base;        /* vaddr of the first page of text, a multiple of 1 KiB */
    uint64_t bytes;       /* of the sections that were decoded */
    uint64_t unsupported; /* rows that cannot be expressed; they are PXB_RULE_BAD and end a walk */
};

/* Decodes .eh_frame (found by PT_GNU_EH_FRAME or section) and, for code that it leaves out,
 * .debug_frame. 0; -ENODATA: the file has neither; -EINVAL: damaged (rows decoded so far are kept);
 * -ENOMEM, or -errno of a read: no rows. *out is set anyhow, and freed by unwind_rows__free(). */
int unwind_rows__build(struct unwind_rows *out, const struct elf_file *f);
void unwind_rows__free(struct unwind_rows *r);

/* The memory of the tables, borrowed: that of BPF maps, or (tests) plain memory. */
struct unwind_memory {
    struct pxb_row *rows; /* rows[max_rows] */
    size_t max_rows;
    uint32_t *pages; /* pages[max_pages] */
    size_t max_pages;
    struct pxb_rule *rules; /* rules[max_rules], at most 65536 */
    size_t max_rules;
};

struct unwind;

/* All of the memory must be zero. NULL: out of memory. */
struct unwind *unwind__new(const struct unwind_memory *memory);
void unwind__free(struct unwind *u);
/* From now on rows are looked for in the cache on disk, and kept there; see cache.h. Without this
 * call every object is decoded. Never fails. */
void unwind__use_cache(struct unwind *u);
/* Adds an object or finds it by key (dev:ino:mtime:size or build id; any bytes). f is read only
 * when it is new. Returns its index ≥ 0, or -errno: -ENOSPC tables full. Objects without rows are
 * kept as such, so that they are not read again; so are damaged ones, with what rows they have. */
int unwind__object(struct unwind *u, const void *key, size_t key_size, const struct elf_file *f);
/* The object to use for mappings named [uprobes-trampoline]: the code that a probe on a 5-byte nop
 * calls. Otherwise like unwind__object(). */
int unwind__trampoline(struct unwind *u);
/* Fills one entry of a process's mapping list. bias: address - vaddr, as elf_file__bias() says. */
void unwind__mapping(const struct unwind *u, int object, uint64_t start, uint64_t end,
                     uint64_t bias, struct pxb_mapping *out);
/* Rows and bytes in use, for meta.json. */
size_t unwind__rows(const struct unwind *u);
size_t unwind__bytes(const struct unwind *u);

#endif

/* session_image.h - the files that code is mapped from, each read once.
 *
 * An image stays open for the whole session: the kernel is told to probe it, and names are looked
 * up in it at the end, by /proc/self/fd/N, so neither a deletion, nor the end of a container, nor a
 * file put in its place matters.
 */
#ifndef LOADER_SESSION_IMAGE_H
#define LOADER_SESSION_IMAGE_H
#include "loader/profile/profile.h"
#include "loader/session_allocator.h"
#include "loader/target/file.h"
#include "loader/target/praxabi.h"
#include "loader/unwind/unwind.h"

struct image {
    struct elf_file elf;
    void *memory;    /* of the vdso; owned */
    char opener[32]; /* /proc/self/fd/N */
    uint32_t module; /* in the profile */
    int object;      /* in the unwind tables; -1: none */
    uint64_t descriptors[PRAX_COPIES_MAX];
    size_t n_descriptors;
    struct uprobe_site *queries; /* queries[n_queries]: the VERB__done probes */
    size_t n_queries;
    struct allocator allocator;
    uint8_t allocator_number;  /* in the session, from 1; 0: none yet */
    struct uprobe_site orm[2]; /* the probes alloc and free; has_orm */
    bool has_orm;
    bool probed; /* Prax's probes are attached (for all processes) */
};

struct images {
    struct pxi_map by_key;
    struct unwind *unwind;
    struct profile *profile;
    bool with_heap, with_queries, with_orm;
    uint8_t slot;          /* of a probe's sled */
    size_t n_without_rows; /* files whose unwind rows found no room in the tables */
};

void images__init(struct images *i, struct profile *p, struct unwind *u);
void images__free(struct images *i);
/* The image behind a mapping of a process. NULL: none that can be read. */
struct image *images__get(struct images *i, pid_t pid, const struct mapping *m);
/* Calls fn for every image. */
void images__each(struct images *i, void (*fn)(void *ctx, struct image *image), void *ctx);

#endif

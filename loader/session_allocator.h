/* session_allocator.h - the allocation functions of one file: where they are probed, and whose they
 * are.
 *
 * A file is an allocator if it defines both malloc and free: the C library, a library in its place,
 * a program that carries its own. Besides the C family it may have functions of its own that do not
 * go through those: C++'s operators, jemalloc's and mimalloc's interfaces. Each address is probed
 * once. Names of functions: ISO C 7.22.3; the Itanium C++ ABI's mangling; jemalloc(3); mimalloc.h.
 */
#ifndef LOADER_SESSION_ALLOCATOR_H
#define LOADER_SESSION_ALLOCATOR_H
#include "loader/attach/uprobe.h"
#include "loader/target/elf.h"

enum { ALLOCATOR_CALLS = 48, ALLOCATOR_FREES = 32 };

struct allocator {
    struct uprobe_site calls[ALLOCATOR_CALLS]; /* calls[n_calls]; cookie: enum pxb_heap_call */
    struct uprobe_site frees[ALLOCATOR_FREES]; /* frees[n_frees]; the same */
    size_t n_calls, n_frees;                   /* 0: the file is no allocator */
    const char *kind;                          /* "glibc", "jemalloc", ...; "its own" */
    bool operators;                            /* C++'s new does not go through malloc */
};

/* What a file has. file: its name without folders. */
void allocator__find(struct allocator *a, const struct elf_file *f, const char *file);

/* Whether a library of that name is an allocator whose operators new and delete do not go through
 * malloc and free: by its name alone. */
bool allocator__has_operators(const char *library);

#endif

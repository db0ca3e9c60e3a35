/* cache.h - decoded rows on disk, by build id, so that the next session need not decode them.
 *
 * A folder of one file an object: <build id>-<bytes of the ELF file>. It is safe to delete at any
 * time. Nothing in it is believed: a file is used only if it belongs to the effective user, its
 * version, build id and checksum are right and its rows are in order; any other is a miss, and is
 * written anew. Files appear whole or not at all (rename) and no link is followed.
 *
 * A build id is what a file says of itself. An object of another user could name libc's and leave
 * its own rows in the place of libc's, so only objects that belong to root or to the effective user
 * are cached. Objects without a build id are not, nor are damaged ones.
 *
 * Files are touched when used; when a session ends, the oldest beyond UNWIND_CACHE_BYTES_MAX go.
 * Nothing here is an error to anybody: a cache that cannot be used is one that never hits. */
#ifndef LOADER_UNWIND_CACHE_H
#define LOADER_UNWIND_CACHE_H
#include "loader/unwind/unwind.h"

enum {
    UNWIND_CACHE_VERSION = 2, /* to be raised when the decoder gives other rows, or their form */
    UNWIND_CACHE_BYTES_MAX = 64 << 20,
};

struct unwind_cache {
    int folder;        /* descriptor; -1: there is no cache */
    uint64_t hits;     /* objects found */
    uint64_t stored;   /* objects written */
    uint64_t limit;    /* bytes; UNWIND_CACHE_BYTES_MAX */
    uint64_t rejected; /* files that were there but could not be believed */
};

/* Opens the folder and makes it (0700) where it is not there: $PRAX_BPF_CACHE ("off": none), for
 * root /var/cache/prax-bpf, else $XDG_CACHE_HOME/prax-bpf or ~/.cache/prax-bpf. A folder that
 * belongs to another user, or that others can read or write, is not used. c->folder tells. */
void unwind_cache__open(struct unwind_cache *c);
/* Removes the oldest files beyond the limit if something was stored. */
void unwind_cache__close(struct unwind_cache *c);

/* The rows of a file, as unwind_rows__build() would give them. false: not there, *out is empty. */
bool unwind_cache__load(struct unwind_cache *c, const struct elf_file *f, struct unwind_rows *out);
/* Keeps rows, if they may be kept. */
void unwind_cache__store(struct unwind_cache *c, const struct elf_file *f,
                         const struct unwind_rows *rows);

#endif

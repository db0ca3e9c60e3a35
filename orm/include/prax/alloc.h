/* prax/alloc.h - the allocator that a program may hand to Prax. */
#ifndef PRAX_ALLOC_H
#define PRAX_ALLOC_H
#include <stddef.h>

/* One function does it all, as in Lua: p NULL allocates, size 0 frees (and returns NULL), anything
 * else resizes. old_size is what was asked for before, in bytes. ctx is passed through. It is
 * called from whatever thread uses the database handle and must be thread-safe. NULL means out of
 * memory; then the old block must be untouched. */
typedef struct prax_alloc {
    void *(*realloc)(void *ctx, void *p, size_t old_size, size_t size);
    void *ctx;
} prax_alloc;

#endif

/* motion_malloc.c - an allocator of its own in a library, as jemalloc and others are: it takes the
 * place of libc's. Blocks are cut from one piece of memory and never used again. */
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PUBLIC __attribute__((visibility("default"), noinline))

enum { ARENA_BYTES = 16 << 20, HEAD_BYTES = 16 };

static char arena[ARENA_BYTES] __attribute__((aligned(16)));
static atomic_size_t used;

PUBLIC void *malloc(size_t size);
PUBLIC void free(void *block);
PUBLIC void *calloc(size_t n, size_t size);
PUBLIC void *realloc(void *block, size_t size);

void *malloc(size_t size)
{
    if (size > ARENA_BYTES)
        return NULL;
    size_t need = HEAD_BYTES + ((size + 15) & ~(size_t)15);
    size_t at = atomic_fetch_add(&used, need);
    if (at + need > ARENA_BYTES)
        return NULL;
    memcpy(arena + at, &size, sizeof size);
    return arena + at + HEAD_BYTES;
}

void free(void *block)
{
    if (block)
        memset((char *)block - HEAD_BYTES, 0, HEAD_BYTES);
}

void *calloc(size_t n, size_t size)
{
    return size && n > ARENA_BYTES / size ? NULL : malloc(n * size);
}

void *realloc(void *block, size_t size)
{
    size_t old = 0;
    char *to = malloc(size);
    if (!to || !block)
        return to;
    memcpy(&old, (char *)block - HEAD_BYTES, sizeof old);
    memcpy(to, block, old < size ? old : size);
    free(block);
    return to;
}

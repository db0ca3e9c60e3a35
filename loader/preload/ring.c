/* ring.c - see ring.h: what both sides need. No allocation: the writer is within malloc. */
#include "loader/preload/ring.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t all = (size_t)HEAP_HEADER_SIZE + 2 * (size_t)HEAP_DATA_SIZE;

void heap_ring__unmap(struct heap_ring *r)
{
    (void)munmap(r, all);
}

struct heap_ring *heap_ring__map(int fd)
{
    struct stat st;
    if (fstat(fd, &st))
        return NULL;
    if (st.st_size != HEAP_HEADER_SIZE + HEAP_DATA_SIZE) {
        errno = EINVAL;
        return NULL;
    }
    char *at = mmap(NULL, all, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    const int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_FIXED;
    char *data = at + HEAP_HEADER_SIZE;
    if (mmap(at, HEAP_HEADER_SIZE + HEAP_DATA_SIZE, prot, flags, fd, 0) == MAP_FAILED ||
        mmap(data + HEAP_DATA_SIZE, HEAP_DATA_SIZE, prot, flags, fd, HEAP_HEADER_SIZE) ==
            MAP_FAILED) {
        munmap(at, all);
        return NULL;
    }
    return (struct heap_ring *)(void *)at;
}

/* Recordings. Checksums are made right first, or nothing would get past them. What can be loaded
 * must be good enough to be saved. */
#include "loader/profile/profile.h"
#include "orm/base/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILE_HEAD = 16, CHUNK_HEAD = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Sums of the chunks, as recording.c has them: tag, 0, size, sum; payload. */
static void sign(char *p, size_t size)
{
    for (size_t at = FILE_HEAD; size >= CHUNK_HEAD && at <= size - CHUNK_HEAD;) {
        uint64_t length;
        memcpy(&length, p + at + 8, sizeof(length));
        if (length > size - at - CHUNK_HEAD)
            return;
        uint64_t sum = pxi_hash(p + at + CHUNK_HEAD, (size_t)length) ^ pxi_hash(p + at, 16);
        memcpy(p + at + 16, &sum, sizeof(sum));
        at += CHUNK_HEAD + (size_t)length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct profile *p;
    const char *why;
    char *copy = malloc(size + 1);
    int fd = memfd_create("recording", MFD_CLOEXEC);

    if (copy == NULL || fd < 0)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    sign(copy, size);
    if (pwrite(fd, copy, size, 0) != (ssize_t)size)
        abort();
    free(copy);
    if (profile__load(&p, fd, &why) == 0) {
        if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0 || profile__save(p, fd, &why) != 0)
            abort();
        profile__free(p);
    }
    close(fd);
    return 0;
}

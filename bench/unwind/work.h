/* work.h - what the workloads have in common: a counter that the bench reads from outside, and an
 * end of their own in case nobody ends them.
 *
 * WORK_COUNTER names a file of at least 8 bytes; without it the count stays private. */
#ifndef BENCH_UNWIND_WORK_H
#define BENCH_UNWIND_WORK_H
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WORK_SECONDS_MAX = 600 };

/* To be called first. Never NULL. */
static inline volatile uint64_t *work_begin(void)
{
    static volatile uint64_t alone;
    const char *path = getenv("WORK_COUNTER");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *shared = MAP_FAILED;

    alarm(WORK_SECONDS_MAX);
    if (fd >= 0)
        shared = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return shared != MAP_FAILED ? shared : &alone;
}

#endif

/* faults.c - what a page fault costs, while somebody watches: prints nanoseconds a page.
 *
 * usage: faults MIB      so many MiB come in, 4 of them at a time
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { PAGE = 4096, PAGES = 1024, BLOCK = PAGES * PAGE };

/* The thread's own time: other programs on the machine take none of it. */
static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

__attribute__((noinline)) static void touch(volatile char *p)
{
    for (size_t i = 0; i < BLOCK; i += PAGE)
        p[i] = 1;
}

int main(int argc, char **argv)
{
    const long blocks = argc > 1 ? strtol(argv[1], NULL, 10) / 4 : 0;
    char *p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    double ns = 0;
    if (blocks < 1 || p == MAP_FAILED)
        return 2;
    (void)madvise(p, BLOCK, MADV_NOHUGEPAGE);
    for (long i = 0; i < blocks; i++) {
        const double from = now_ns();
        touch(p);
        ns += now_ns() - from;
        (void)madvise(p, BLOCK, MADV_DONTNEED);
    }
    printf("%.1f\n", ns / (double)blocks / PAGES);
    return 0;
}

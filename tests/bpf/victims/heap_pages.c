/* heap_pages.c - memory that comes in, by known places. Compiled without inlining.
 *
 *     touch    16 MiB a page at a time; 4 MiB more in another thread
 *     huge     16 MiB of huge pages, if the machine has them; prints how many KiB are
 *     kernel   4 MiB that the kernel touches first: read(2) from /dev/zero
 *     fork N   1 MiB before; N children that write to it, and wait for each
 *     twice    touch, given back, and touched again
 *     cost N   N MiB, given back each time; prints nanoseconds a page
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, MIB = 1 << 20, HUGE = 2 * MIB };

static char *get(size_t size)
{
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        exit(2);
    return p;
}

static void fill(char *p, size_t size)
{
    for (size_t i = 0; i < size; i += PAGE)
        ((volatile char *)p)[i] = 1;
}

static void *in_thread(void *unused)
{
    fill(get(4 * MIB), 4 * MIB);
    return unused;
}

static int touch(void)
{
    pthread_t thread;
    fill(get(16 * MIB), 16 * MIB);
    return pthread_create(&thread, NULL, in_thread, NULL) || pthread_join(thread, NULL);
}

static long huge_kib(void)
{
    char line[256];
    long kib = 0, n;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "AnonHugePages: %ld", &n) == 1)
            kib = n;
    }
    if (f)
        fclose(f);
    return kib;
}

static int huge(void)
{
    char *p = get(18 * MIB);
    p += (HUGE - (unsigned long)p % HUGE) % HUGE;
    (void)madvise(p, 16 * MIB, MADV_HUGEPAGE);
    fill(p, 16 * MIB);
    printf("%ld\n", huge_kib());
    return 0;
}

static int by_kernel(void)
{
    int fd = open("/dev/zero", O_RDONLY);
    char *p = get(4 * MIB);
    return fd < 0 || read(fd, p, 4 * MIB) != 4 * MIB;
}

static int forks(long n)
{
    char *p = get(MIB);
    fill(p, MIB);
    for (long i = 0; i < n; i++) {
        pid_t child = fork();
        if (child == 0) {
            fill(p, MIB);
            _exit(0);
        }
        if (child < 0 || waitpid(child, NULL, 0) != child)
            return 1;
    }
    return 0;
}

static int twice(void)
{
    char *p = get(4 * MIB);
    fill(p, 4 * MIB);
    (void)madvise(p, 4 * MIB, MADV_DONTNEED);
    fill(p, 4 * MIB);
    return 0;
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int cost(long n)
{
    char *p = get(MIB);
    (void)madvise(p, MIB, MADV_NOHUGEPAGE);
    const double from = now_ns();
    for (long i = 0; i < n; i++) {
        fill(p, MIB);
        (void)madvise(p, MIB, MADV_DONTNEED);
    }
    printf("%.1f\n", (now_ns() - from) / (double)(n * (MIB / PAGE)));
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    const long n = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
    if (strcmp(what, "touch") == 0)
        return touch();
    if (strcmp(what, "huge") == 0)
        return huge();
    if (strcmp(what, "kernel") == 0)
        return by_kernel();
    if (strcmp(what, "fork") == 0)
        return forks(n);
    if (strcmp(what, "twice") == 0)
        return twice();
    if (strcmp(what, "cost") == 0)
        return cost(n);
    return 2;
}

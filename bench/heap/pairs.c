/* pairs.c - what a malloc and its free cost, while somebody watches: prints nanoseconds a pair.
 *
 * usage: pairs PAIRS [KEPT]       KEPT blocks of 40 bytes are allocated first and never freed
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void *volatile kept;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

__attribute__((noinline)) static void pair(size_t size)
{
    kept = malloc(size);
    free(kept);
}

int main(int argc, char **argv)
{
    const long pairs = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    const long live = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    if (pairs < 1)
        return 2;
    for (long i = 0; i < live; i++)
        kept = malloc(40);
    const double from = now_ns();
    for (long i = 0; i < pairs; i++)
        pair(16 + (size_t)i % 100);
    printf("%.1f\n", (now_ns() - from) / (double)pairs);
    return 0;
}

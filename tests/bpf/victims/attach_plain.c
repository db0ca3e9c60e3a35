/* attach_plain.c - a program without Prax that burns CPU time: SECONDS (default 0.05) of it, seven
 * tenths in heavy(), three in light(). Prints "done", exit status 7. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile double sink = 1;

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline __attribute__((always_inline)) void burn(double until)
{
    while (seconds() < until) {
        for (int i = 0; i < 1000; i++)
            sink = sink * 1.0000001 + 0.5;
    }
}

__attribute__((noinline)) static void heavy(void)
{
    burn(seconds() + 0.007);
}

__attribute__((noinline)) static void light(void)
{
    burn(seconds() + 0.003);
}

int main(int argc, char **argv)
{
    double end = argc > 1 ? strtod(argv[1], NULL) : 0.05;
    while (seconds() < end) {
        heavy();
        light();
    }
    puts("done");
    return 7;
}

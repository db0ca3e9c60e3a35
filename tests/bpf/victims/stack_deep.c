/* stack_deep.c - spins for MS milliseconds below DEPTH frames of 600 bytes each, without frame
 * pointers: 100 of them are 60 KB of stack. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

__attribute__((noinline)) static unsigned spin(uint64_t ms)
{
    uint64_t end = now_ms() + ms;
    volatile unsigned turns = 0;

    while (now_ms() < end) {
        for (unsigned i = 0; i < 100000; i++)
            turns++;
    }
    return turns;
}

__attribute__((noinline)) static unsigned descend(unsigned depth, uint64_t ms)
{
    volatile char bytes[584]; /* and what a call and the saved registers take */

    memset((char *)bytes, (int)depth, sizeof(bytes));
    unsigned turns = depth > 1 ? descend(depth - 1, ms) : spin(ms);
    return turns + (unsigned)bytes[turns % sizeof(bytes)];
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    return descend((unsigned)atoi(argv[1]), (uint64_t)atoi(argv[2])) == 0;
}

/* probe_leaf.c - what a rewritten nop does to data below the stack pointer.
 *
 * A kernel that rewrites the five-byte nop of a probe to a call makes it push onto this program's
 * stack. A leaf function may keep live data there, in the red zone. `control` is such a leaf, with
 * a bare nop in its middle; `sled` has the same data and calls a probe of the library instead.
 *
 * Prints `control ADDRESS`, `sled ADDRESS` and `semaphore ADDRESS` (hexadecimal); then for every
 * line `control N` or `sled N` makes N calls and prints how many found their data changed.
 */
#include "usdt/probe.h"
#include <stdio.h>
#include <string.h>

enum { WORDS = 16 };

/* Inlined it would be no leaf, cloned it would define its label twice. */
#ifdef __clang__
#define ONE_FUNCTION __attribute__((noinline))
#else
#define ONE_FUNCTION __attribute__((noinline, noclone))
#endif

extern char probe_leaf_control[] __attribute__((visibility("hidden")));

/* What `local` holds must be in memory, hence volatile. */
ONE_FUNCTION static unsigned control(unsigned seed)
{
    volatile unsigned local[WORDS];
    unsigned wrong = 0;
    for (unsigned i = 0; i < WORDS; i++)
        local[i] = seed + i;
    __asm__ volatile(".balign 8\n"
                     ".globl probe_leaf_control\n"
                     ".hidden probe_leaf_control\n"
                     "probe_leaf_control: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n");
    for (unsigned i = 0; i < WORDS; i++)
        wrong |= local[i] ^ (seed + i);
    return wrong;
}

ONE_FUNCTION static unsigned sled(unsigned seed)
{
    volatile unsigned local[WORDS];
    unsigned wrong = 0;
    for (unsigned i = 0; i < WORDS; i++)
        local[i] = seed + i;
    PXI_PROBE(query_many__done, NULL, "User", "SELECT 1", (uint64_t)seed, (uint64_t)1, 0);
    for (unsigned i = 0; i < WORDS; i++)
        wrong |= local[i] ^ (seed + i);
    return wrong;
}

int main(void)
{
    char what[16];
    unsigned calls;
    printf("control %lx\nsled %lx\nsemaphore %lx\n", (unsigned long)probe_leaf_control,
           (unsigned long)pxp_query_many__done, (unsigned long)&prax_query_many__done_semaphore);
    fflush(stdout);
    while (scanf("%15s %u", what, &calls) == 2) {
        unsigned corrupted = 0;
        bool is_control = strcmp(what, "control") == 0;
        for (unsigned i = 0; i < calls; i++)
            corrupted += (is_control ? control(i) : sled(i)) != 0;
        printf("%u\n", corrupted);
        fflush(stdout);
    }
    return 0;
}

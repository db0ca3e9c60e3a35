/* work_deep - works at the bottom of 100 calls with some 600 bytes of stack each: 60 KB, where a
 * copy of the stack's top 8 KB holds only the innermost calls. */
#include "bench/unwind/work.h"

#include <string.h>

enum { DEPTH = 100, FRAME = 560, TURNS = 20000 };

static volatile unsigned long sink;

static __attribute__((noinline)) unsigned long turn(unsigned long seed)
{
    for (int i = 0; i < TURNS; i++)
        seed = seed * 6364136223846793005ul + 1442695040888963407ul;
    sink = seed;
    return seed;
}

/* The use of the buffer behind the call keeps the frame: no call is a tail call. */
static __attribute__((noinline)) unsigned long descend(int depth, unsigned long seed) // NOLINT
{
    volatile char room[FRAME];
    room[seed % FRAME] = (char)depth;
    unsigned long result = depth > 0 ? descend(depth - 1, seed + 1) : turn(seed);
    return result + (unsigned long)room[seed % FRAME];
}

int main(void)
{
    volatile uint64_t *count = work_begin();
    for (unsigned long i = 0;; i++) {
        sink = descend(DEPTH, i);
        *count = *count + 1;
    }
}

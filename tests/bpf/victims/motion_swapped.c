/* motion_swapped.c - a library of two names: MOTION_NAME is its inner function, and MOTION_ROOM the
 * bytes of its frame. Both have the same size and layout, so that one is mapped where the other was
 * and the same addresses are other code with other unwind rules. */
unsigned long motion_spin(unsigned long rounds);

__attribute__((noinline, noclone, aligned(512))) static unsigned long
MOTION_NAME(unsigned long rounds)
{
    volatile unsigned long room[MOTION_ROOM];
    room[0] = rounds;
    for (unsigned long i = 0; i < rounds; i++)
        room[i % MOTION_ROOM] = room[0] * 3 + i;
    return room[0];
}

__attribute__((visibility("default"), aligned(512))) unsigned long motion_spin(unsigned long rounds)
{
    return MOTION_NAME(rounds) + 1;
}

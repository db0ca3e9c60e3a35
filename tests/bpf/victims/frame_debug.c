/* frame_debug.c - code whose frames only .debug_frame describes, or both sections; see
 * tests/unwind.mk. Not run: its tables are compared with libdw's. */
#include <alloca.h>
#include <string.h>

#ifdef BOTH_SECTIONS
__asm__(".cfi_sections .eh_frame, .debug_frame");
#endif

__attribute__((noinline)) static unsigned long sum(const unsigned char *bytes, size_t size)
{
    unsigned long total = 0;
    for (size_t i = 0; i < size; i++)
        total += bytes[i];
    return total;
}

__attribute__((noinline)) static unsigned long with_frame_pointer(size_t size)
{
    unsigned char *bytes = alloca(size);
    memset(bytes, 1, size);
    return sum(bytes, size);
}

__attribute__((noinline)) static unsigned long realigned(size_t size)
{
    unsigned char bytes[4096] __attribute__((aligned(64)));
    memset(bytes, 2, sizeof(bytes));
    return sum(bytes, size % sizeof(bytes)) + with_frame_pointer(size);
}

__attribute__((noinline)) static unsigned long recursive(unsigned depth, unsigned long a,
                                                         unsigned long b)
{
    if (depth == 0)
        return realigned(a) ^ b;
    return recursive(depth - 1, a + 1, b ^ a) + recursive(depth / 2, b, a) * (a | 1);
}

int main(int argc, char **argv)
{
    return (int)(recursive((unsigned)argc, strlen(argv[0]), 3) & 0x3f);
}

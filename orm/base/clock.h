/* clock.h - the clock of all durations: CLOCK_MONOTONIC, the one that BPF reads too
 * (bpf_ktime_get_ns), so that a program's times and the observer's can be compared. 25 ns a read.
 */
#ifndef PXI_BASE_CLOCK_H
#define PXI_BASE_CLOCK_H
#include <stdint.h>
#include <time.h>

static inline uint64_t pxi_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#endif

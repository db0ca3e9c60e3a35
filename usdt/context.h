/* context.h - which operation this thread works on now.
 *
 * One thread-local pointer. An observer reads it at a CPU sample, a context switch or an allocation
 * and so charges that to a query without a single trap in the program.
 *
 * Every entry of the library saves it, sets it and restores it:
 *     const struct prax_op_record *outer = pxi_context_swap(&record);
 *     ...
 *     pxi_context_swap(outer);
 * so the code of a caller's loop body belongs to the caller, operations nest, and the pointer never
 * outlives its record. In a pipeline it is the operation whose rows are handled.
 *
 * Initial-exec TLS: at one constant distance from the thread pointer, in every thread that is and
 * will be; usdt/abi.c publishes that distance. This holds in a dlopen-ed library too (8 of the
 * bytes that the C library keeps for that).
 */
#ifndef PXI_USDT_CONTEXT_H
#define PXI_USDT_CONTEXT_H
#include <prax/usdt.h>

extern __thread const struct prax_op_record *pxi_context
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Makes `now` (NULL: none) this thread's operation and returns the one before. The record must be
 * whole before and stay until the next swap: neither the stores that fill it nor those that reuse
 * its memory are moved across. */
static inline const struct prax_op_record *pxi_context_swap(const struct prax_op_record *now)
{
    const struct prax_op_record *before = pxi_context;
    __atomic_store_n(&pxi_context, now, __ATOMIC_RELEASE);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return before;
}

#endif

/* abi.c - the descriptor that leads an observer to the context and the counters.
 *
 * It is found by the note in usdt/probes.S, because no symbol survives LTO and strip. It lies in a
 * section of its own, so that it is never merged or split, and all of it but context_tp and magic
 * stands in the file. The distance of the context from the thread pointer is known to the dynamic
 * linker only, hence the constructor. It runs before those of the program; magic is written last.
 *
 * A process with two copies of the library has two notes, two descriptors, two contexts.
 */
#include "usdt/context.h"
#include "usdt/stats.h"
#include <prax/version.h>

__thread const struct prax_op_record *pxi_context;

static const char version[] = PRAX_VERSION;

/* Named by the note, from assembly: not static, and `used` for the sake of LTO. */
extern struct prax_abi pxi_abi __attribute__((visibility("hidden")));
extern const char pxi_abi_note[] __attribute__((visibility("hidden")));

struct prax_abi pxi_abi __attribute__((section(".prax_abi"), used)) = {
    .size = sizeof pxi_abi,
    .version = PRAX_USDT_VERSION,
    .stats_head = (uintptr_t)&pxi_stats_base,
    .build = (uintptr_t)version,
};

uint64_t *pxi_abi_stats_head(void)
{
    return &pxi_abi.stats_head;
}

__attribute__((constructor(101))) static void publish(void)
{
    /* What refers to the note's object has the linker take it, and with it all probes. */
    __asm__ volatile("" ::"r"(pxi_abi_note));
    pxi_abi.context_tp = (const char *)&pxi_context - (const char *)__builtin_thread_pointer();
    __atomic_store_n(&pxi_abi.magic, PRAX_ABI_MAGIC, __ATOMIC_RELEASE);
}

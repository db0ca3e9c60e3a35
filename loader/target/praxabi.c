/* praxabi.c - see praxabi.h. Counters are 8-byte words from `operations` to the end, gauges too, so
 * one loop adds a block whatever its version holds. */
#include "loader/target/praxabi.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

enum {
    ABI_SIZE_MIN = sizeof(struct prax_abi), /* version 1; later ones only grow */
    STATS_FIRST = offsetof(struct prax_stats, operations),
    STATS_WORDS = (sizeof(struct prax_stats) - STATS_FIRST) / sizeof(uint64_t),
};

int target_memory__read(pid_t pid, uint64_t address, void *out, size_t size)
{
    struct iovec local = { out, size };
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process */
    struct iovec remote = { (void *)(uintptr_t)address, size };
    ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    if (n < 0)
        return -errno;
    return (size_t)n == size ? 0 : -EFAULT;
}

int prax_abi__read(pid_t pid, uint64_t address, struct prax_abi *out)
{
    int err = target_memory__read(pid, address, out, sizeof *out);
    if (err)
        return err;
    if (out->magic == 0)
        return -EAGAIN;
    if (out->magic != PRAX_ABI_MAGIC || out->size < ABI_SIZE_MIN ||
        out->version < PRAX_USDT_VERSION)
        return -EPROTO;
    return 0;
}

static void add_block(struct prax_stats *sum, const struct prax_stats *block)
{
    uint64_t to[STATS_WORDS];
    uint64_t from[STATS_WORDS];
    memcpy(to, (const char *)sum + STATS_FIRST, sizeof to);
    memcpy(from, (const char *)block + STATS_FIRST, sizeof from);
    for (size_t i = 0; i < STATS_WORDS; i++)
        to[i] += from[i];
    memcpy((char *)sum + STATS_FIRST, to, sizeof to);
}

/* What an older library does not count stays 0. */
static int read_block(pid_t pid, uint64_t address, struct prax_stats *block)
{
    int err = target_memory__read(pid, address, block, PRAX_STATS_SIZE_MIN);
    if (err)
        return err;
    if (block->size < PRAX_STATS_SIZE_MIN || block->size > 65536)
        return -EPROTO;
    size_t size = block->size < sizeof *block ? block->size : sizeof *block;
    return size == PRAX_STATS_SIZE_MIN ? 0 : target_memory__read(pid, address, block, size);
}

int prax_stats__sum(pid_t pid, const struct prax_abi *abi, struct prax_stats *sum)
{
    uint64_t address = abi->stats_head;
    for (int i = 0; address && i < PRAX_BLOCKS_MAX; i++) {
        struct prax_stats block = { 0 };
        int err = read_block(pid, address, &block);
        if (err)
            return err;
        add_block(sum, &block);
        address = block.next;
    }
    return address ? -ELOOP : 0;
}

/* praxabi.h - reads a process's Prax descriptors and sums its counters, from outside, with the
 * process running (process_vm_readv needs CAP_SYS_PTRACE or the same user).
 *
 * The list of counters belongs to the target and may be torn, cyclic or forged: the walk is bounded
 * and a block is believed only with a plausible size. See prax/usdt.h.
 */
#ifndef LOADER_TARGET_PRAXABI_H
#define LOADER_TARGET_PRAXABI_H
#include <prax/usdt.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PRAX_COPIES_MAX = 8, PRAX_BLOCKS_MAX = 65536 };

/* Reads size bytes of the target's memory. 0, -EFAULT (also in part), -EPERM, -ESRCH. */
int target_memory__read(pid_t pid, uint64_t address, void *out, size_t size);

/* Reads the descriptor at an address. 0; -EAGAIN: its constructor has not run yet; -EPROTO: none,
 * or of another version; or as target_memory__read. */
int prax_abi__read(pid_t pid, uint64_t address, struct prax_abi *out);

/* Adds the counters of all blocks to *sum; its next, size and tid stay 0. 0; -ELOOP: more than
 * PRAX_BLOCKS_MAX blocks; -EPROTO: a block that is none; or as target_memory__read. What was summed
 * before an error stays. */
int prax_stats__sum(pid_t pid, const struct prax_abi *abi, struct prax_stats *sum);

#endif

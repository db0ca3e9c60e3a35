// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * process.bpf.c - keeps `processes` right while the loader has not heard yet.
 *
 * A child has its parent's address space, so it gets its parent's entry at once and its first
 * sample unwinds. After an exec nothing of the entry holds: it is emptied, so that samples end as
 * "no mapping" and not wrongly, until the loader has read the new image. The loader adds, corrects
 * and removes entries from the kernel's mmap, fork, exec and exit records.
 */
#include "bpf/emit.h"

SEC("tp_btf/sched_process_fork")
int process_fork(uint64_t *ctx)
{
	const struct task_struct *parent = (void *)ctx[0], *child = (void *)ctx[1];
	uint32_t from = parent->tgid, to = child->tgid;
	struct pxb_process *p;

	if (from == to)
		return 0;
	p = bpf_map_lookup_elem(&processes, &from);
	if (p && bpf_map_update_elem(&processes, &to, p, BPF_ANY))
		pxb_count(no_memory);
	if (p)
		__sync_fetch_and_add(&process_changes, 1);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int process_exec(void *ctx __attribute__((unused)))
{
	uint32_t tgid;
	struct pxb_process *p = pxb_process_get(&tgid);

	if (p) {
		p->n = 0;
		p->n_contexts = 0;
		p->salt = pxb_hash(p->salt, bpf_ktime_get_ns());
		__sync_fetch_and_add(&process_changes, 1);
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * orm.bpf.c - the blocks that libprax itself allocates and frees, from its probes alloc and free.
 *
 * They tell address, size, purpose and operation, so nothing is followed from a call to its return
 * and no allocator need be known: the program may have given Prax its own. The probes are on the
 * file, as those of operations are.
 */
#include "bpf/context.h"

static __always_inline void send(struct pt_regs *regs, uint16_t kind, const struct pxb_process *p,
				 uint32_t tgid)
{
	uint64_t op = 0, stack = 0;
	uint8_t end = 0, phase = 0;
	struct pxb_scratch *s;
	struct pxb_alloc *a;

	s = kind == PXB_ALLOC ? pxb_begin(PXB_SLOT_PROBE, tgid) : NULL;
	if (s) {
		op = pxb_op_at(s, regs->cx, p->salt, &phase);
		stack = pxb_stack_at_probe(s, regs, p);
		end = s->walk.stack.end;
		pxb_end(s);
	}
	a = bpf_ringbuf_reserve(&records, sizeof(*a), 0);
	if (!a) {
		pxb_count(lost[kind]);
		return;
	}
	pxb_head_fill(&a->head, kind, tgid);
	a->tid = (uint32_t)bpf_get_current_pid_tgid();
	a->phase = phase;
	a->end = end;
	a->flags = (uint8_t)(regs->r8 + 1);
	a->epoch = 0;
	a->addr = regs->di;
	a->size = kind == PXB_ALLOC ? regs->si : 0;
	a->ustack = stack;
	a->op = op;
	bpf_ringbuf_submit(a, BPF_RB_NO_WAKEUP);
}

static __always_inline int handle(struct pt_regs *regs, uint16_t kind)
{
	uint32_t tgid;
	struct pxb_process *p = pxb_process_get(&tgid);
	uint64_t since;

	if (!p)
		return 0;
	since = pxb_hit(PXB_HIT_ORM);
	send(regs, kind, p, tgid);
	pxb_hit_end(PXB_HIT_ORM, since);
	return 0;
}

SEC("uprobe")
int orm_alloc(struct pt_regs *regs)
{
	return handle(regs, PXB_ALLOC);
}

SEC("uprobe")
int orm_free(struct pt_regs *regs)
{
	return handle(regs, PXB_FREE);
}

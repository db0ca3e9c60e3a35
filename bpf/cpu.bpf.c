// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * cpu.bpf.c - the CPU sampler: a perf_event's program.
 *
 * A sample that hits the kernel has two stacks: the kernel's own from the registers at hand, and
 * the user's from the registers saved at the entry to the kernel. Threads without user memory
 * (kernel threads) are not of any process in `processes`.
 */
#include "bpf/context.h"
#include "bpf/entry.h"

/* The kernel's stack at the sample; id, or 0. */
static __always_inline uint64_t kernel_stack(struct bpf_perf_event_data *ctx, struct pxb_walk *w,
					     uint64_t salt)
{
	long size = bpf_get_stack(ctx, w->frames, PXB_FRAMES_MAX * sizeof(uint64_t), 0);
	uint64_t n = (uint64_t)size / sizeof(uint64_t), hash = salt;

	if (size <= 0 || n > PXB_FRAMES_MAX)
		return 0;
#pragma unroll 1
	for (uint32_t i = 0; i < PXB_FRAMES_MAX && i < n; i++)
		hash = pxb_hash(hash, w->frames[i]);
	w->stack.n = n;
	w->stack.end = n == PXB_FRAMES_MAX ? PXB_END_TRUNCATED : PXB_END_OK;
	w->stack.kernel = 1;
	w->stack.leaf = 1;
	w->stack.id = hash | 1;
	return pxb_send_stack(w);
}

static __always_inline void sample(struct bpf_perf_event_data *ctx, struct pxb_scratch *s,
				   const struct pxb_process *p)
{
	const bool in_kernel = (int64_t)ctx->regs.ip < 0;
	struct pxb_sample *r;
	uint64_t ustack = 0, kstack = 0, op;
	uint8_t end = PXB_END_NONE, phase;

	s->walk.stack.head.tgid = s->tgid;
	s->walk.stack.leaf = 1;
	s->walk.trampoline = pxb_trampoline(bpf_get_current_task_btf());
	if (!in_kernel)
		pxb_regs_fill(&s->walk, &ctx->regs);
	if (!in_kernel || pxb_user_regs(&s->walk) == 0) {
		ustack = pxb_user_stack(s, p);
		end = s->walk.stack.end;
	}
	if (in_kernel)
		kstack = kernel_stack(ctx, &s->walk, p->salt);
	op = pxb_current_op(s, p, &phase);

	pxb_count_sample(end);
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		pxb_count(lost[PXB_SAMPLE]);
		return;
	}
	pxb_head_fill(&r->head, PXB_SAMPLE, s->tgid);
	r->tid = (uint32_t)bpf_get_current_pid_tgid();
	r->cpu = (uint16_t)bpf_get_smp_processor_id();
	r->end = end;
	r->phase = phase;
	r->ustack = ustack;
	r->kstack = kstack;
	r->op = op;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

SEC("perf_event")
int cpu_sample(struct bpf_perf_event_data *ctx)
{
	uint32_t tgid;
	struct pxb_process *p = pxb_process_get(&tgid);
	struct pxb_scratch *s;

	if (!p)
		return 0;
	s = pxb_begin(PXB_SLOT_SAMPLER, tgid);
	if (!s)
		return 0;
	sample(ctx, s, p);
	pxb_end(s);
	return 0;
}

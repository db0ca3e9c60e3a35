/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * emit.h - what every program does: find its process, count, fill a record's head, take a stack.
 *
 * The order in a program: pxb_process_get() says whether this process is observed at all and is the
 * only cost for others; pxb_begin() takes the scratch of the slot; pxb_stack_*() and
 * pxb_current_op() (context.h) send what the record will name and return ids; then the record
 * itself, by bpf_ringbuf_reserve() or pxb_send(); pxb_end() gives the scratch back.
 */
#ifndef PXB_EMIT_H
#define PXB_EMIT_H
#include "bpf/maps.h"

static __always_inline struct pxb_counters *pxb_counters_get(void)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

/* pxb_count(samples), pxb_count(lost[PXB_SAMPLE]): on this CPU; an interrupt between load and store
 * cannot undo it, for the addition is one instruction. */
#define pxb_count(member)                                                                          \
	do {                                                                                       \
		struct pxb_counters *c_ = pxb_counters_get();                                      \
		if (c_)                                                                            \
			__sync_fetch_and_add(&c_->member, 1);                                      \
	} while (0)

/* Counts in one of the counters. When that was, if it is a hit that is timed; 0: it is not. */
static __always_inline uint64_t pxb_hit_in(uint64_t *counter)
{
	/* not the first, which finds all caches cold */
	if (~__sync_fetch_and_add(counter, 1) & (PXB_CLOCKED - 1))
		return 0;
	return bpf_ktime_get_ns();
}

/* Counts a hit. When it began, if it is one that is timed; 0: it is not. */
static __always_inline uint64_t pxb_hit(enum pxb_hit what)
{
	struct pxb_counters *c = pxb_counters_get();

	return c ? pxb_hit_in(&c->probe_hits[what]) : 0;
}

static __always_inline void pxb_hit_end(enum pxb_hit what, uint64_t since)
{
	struct pxb_counters *c = since ? pxb_counters_get() : NULL;
	uint64_t ns = since ? bpf_ktime_get_ns() - since : 0;

	if (ns > PXB_HIT_NS_MAX) /* somebody else had the CPU */
		ns = PXB_HIT_NS_MAX;
	if (c)
		__sync_fetch_and_add(&c->run_ns[what], PXB_CLOCKED * ns);
}

/* Counts a sample, and how its user stack ends. */
static __always_inline void pxb_count_sample(uint64_t end)
{
	struct pxb_counters *c = pxb_counters_get();

	barrier_var(end); /* the check must be on the very register that indexes */
	if (!c || end >= PXB_ENDS)
		return;
	__sync_fetch_and_add(&c->samples, 1);
	__sync_fetch_and_add(&c->ends[end], 1);
}

/* The observed process that runs now, or NULL. *tgid is set anyhow. */
static __always_inline struct pxb_process *pxb_process_get(uint32_t *tgid)
{
	*tgid = bpf_get_current_pid_tgid() >> 32;
	return bpf_map_lookup_elem(&processes, tgid);
}

static __always_inline void pxb_head_fill(struct pxb_head *head, uint16_t kind, uint32_t tgid)
{
	head->kind = kind;
	head->pad = 0;
	head->tgid = tgid;
	head->ts = bpf_ktime_get_ns();
}

/* Sends a whole record; false, counted, if there was no room. */
static __always_inline bool pxb_send(void *record, uint64_t size, uint16_t kind)
{
	if (bpf_ringbuf_output(&records, record, size, BPF_RB_NO_WAKEUP) == 0)
		return true;
	if (kind < PXB_KINDS)
		pxb_count(lost[kind]);
	return false;
}

/* The slot's scratch, or NULL (counted) if another program is in it. */
static __always_inline struct pxb_scratch *pxb_begin(uint32_t slot, uint32_t tgid)
{
	struct pxb_scratch *s = bpf_map_lookup_elem(&scratches, &slot);

	if (!s)
		return NULL;
	if (__sync_lock_test_and_set(&s->busy, 1)) {
		pxb_count(busy);
		return NULL;
	}
	s->tgid = tgid;
	return s;
}

/* A plain store, for all that was done before it stays before it on this CPU. */
static __always_inline void pxb_end(struct pxb_scratch *s)
{
	barrier();
	*(volatile uint32_t *)&s->busy = 0;
}

/* The first slot of the mapping [uprobes] is the code that a function with a uretprobe returns to.
 */
static __always_inline uint64_t pxb_trampoline(const struct task_struct *task)
{
	if (!bpf_core_field_exists(struct uprobes_state, xol_area) ||
	    !bpf_core_field_exists(struct xol_area, vaddr))
		return 0;
	/* plain loads of kernel memory: what cannot be read is 0 */
	return task->mm->uprobes_state.xol_area->vaddr;
}

/* Registers of the kind that programs get, in the order of DWARF. */
static __always_inline void pxb_regs_fill(struct pxb_walk *w, const struct pt_regs *regs)
{
	w->regs[0] = regs->ax;
	w->regs[1] = regs->dx;
	w->regs[2] = regs->cx;
	w->regs[3] = regs->bx;
	w->regs[4] = regs->si;
	w->regs[5] = regs->di;
	w->regs[PXB_REG_BP] = regs->bp;
	w->regs[PXB_REG_SP] = regs->sp;
	w->regs[8] = regs->r8;
	w->regs[9] = regs->r9;
	w->regs[10] = regs->r10;
	w->regs[11] = regs->r11;
	w->regs[12] = regs->r12;
	w->regs[13] = regs->r13;
	w->regs[14] = regs->r14;
	w->regs[15] = regs->r15;
	w->ip = regs->ip;
}

/* The id of the user stack from s->walk.{regs, ip, trampoline, stack.leaf}; sent if it is new. 0 if
 * it could not be sent (counted). s->walk.stack.end says how it ends. */
static __always_inline uint64_t pxb_user_stack(struct pxb_scratch *s, const struct pxb_process *p)
{
	uint64_t id = pxb_known_stack(&s->walk, p->salt);

	return id ? id : pxb_rest_of_stack(&s->walk, p);
}

/* The registers at a function's return: of a frame that is no leaf no others are looked at. */
static __always_inline void pxb_regs_at_return(struct pxb_walk *w, const struct pt_regs *regs)
{
	w->regs[PXB_REG_BX] = regs->bx;
	w->regs[PXB_REG_BP] = regs->bp;
	w->regs[PXB_REG_SP] = regs->sp;
	w->ip = regs->ip;
}

/* What a walk from a probe begins with, besides registers. at_entry: true for a probe on an
 * instruction, false for one at a function's return, where ip is already the return address and not
 * an instruction that was reached. */
static __always_inline void pxb_probe_begin(struct pxb_scratch *s, const struct task_struct *task,
					    bool at_entry)
{
	s->walk.stack.head.tgid = s->tgid;
	s->walk.stack.leaf = at_entry;
	s->walk.trampoline = pxb_trampoline(task);
}

/* The id of the user stack at a probe on an instruction, 0 if it could not be sent. regs: the
 * program's context. */
static __always_inline uint64_t pxb_stack_at_probe(struct pxb_scratch *s, struct pt_regs *regs,
						   const struct pxb_process *p)
{
	pxb_regs_fill(&s->walk, regs);
	pxb_probe_begin(s, bpf_get_current_task_btf(), true);
	return pxb_user_stack(s, p);
}

#endif

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * heap.bpf.c - every allocation and every free of a process, in the order in which they happened.
 *
 * A block is reported when its call returns, a free when it begins: so no other thread can be given
 * an address before its free was reported. realloc reports both ends, for its old block may be
 * given away before it returns, and stands if it fails; realloc(p, 0) is a free.
 *
 * Allocators call each other (realloc(NULL, n) is malloc, memalign with a small alignment too):
 * only the outermost call of a thread counts. The call in flight is kept with the task, with the
 * stack pointer at which its return address lies: what begins at or below that is within it; a call
 * that begins above it proves the kept one stale (left by longjmp). A call that returns has the
 * stack pointer just above. Where the kernel has session probes, calls within a call take no return
 * probe.
 *
 * The probes sit where arguments and stack pointer are as at the first instruction.
 */
#include "bpf/context.h"
#include "bpf/heap.h"

struct call {
	uint64_t sp; /* of the return address; 0: no call in flight */
	uint64_t size;
	uint64_t old;	/* realloc: the block; 0 in all other calls */
	uint64_t where; /* posix_memalign: address of the result */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct call);
} calls SEC(".maps");

/* include/linux/bpf_trace.h: of session probes */
extern bool bpf_session_is_return(void) __ksym __weak;

static __always_inline struct call *call_get(uint64_t flags)
{
	return bpf_task_storage_get(&calls, bpf_get_current_task_btf(), 0, flags);
}

/* Sends a record; its stack and operation only with a scratch, which may be NULL. */
static __always_inline void send(struct pt_regs *regs, const struct pxb_process *p, uint32_t tgid,
				 struct pxb_alloc *a, uint16_t kind, bool with_stack)
{
	struct pxb_scratch *s = with_stack ? pxb_begin(PXB_SLOT_PROBE, tgid) : NULL;

	a->tid = (uint32_t)bpf_get_current_pid_tgid();
	if (s) {
		a->ustack = pxb_stack_at_probe(s, regs, p, false);
		a->end = s->walk.stack.end;
		a->op = pxb_current_op(s, p, &a->phase);
		pxb_end(s);
	}
	pxb_head_fill(&a->head, kind, tgid);
	pxb_send(a, sizeof(*a), kind);
}

/* Size and companions of a call from its arguments. */
static __always_inline void read_arguments(struct call *c, const struct pt_regs *regs,
					   uint64_t which)
{
	c->old = 0;
	c->where = 0;
	c->size = regs->di;
	if (which == PXB_CALL_CALLOC) {
		c->size = regs->di * regs->si;
	} else if (which == PXB_CALL_ALIGNED) {
		c->size = regs->si;
	} else if (which == PXB_CALL_REALLOC) {
		c->old = regs->di;
		c->size = regs->si;
	} else if (which == PXB_CALL_POSIX_MEMALIGN) {
		c->where = regs->di;
		c->size = regs->dx;
	}
}

/* Returns 0 if the call's return is wanted, 1 if not. */
static __always_inline int enter(struct pt_regs *regs, uint64_t which)
{
	struct pxb_alloc a = {};
	uint32_t tgid;
	struct pxb_process *p = pxb_process_get(&tgid);
	struct call *c = p ? call_get(BPF_LOCAL_STORAGE_GET_F_CREATE) : NULL;

	if (!p)
		return 1;
	pxb_count(probe_hits[1]);
	if (!c) {
		pxb_count(no_memory);
		pxb_count(lost[PXB_ALLOC]);
		return 1;
	}
	if (c->sp && regs->sp <= c->sp)
		return 1;
	read_arguments(c, regs, which);
	c->sp = regs->sp;
	if (!c->old)
		return 0;
	a.addr = c->old;
	a.size = c->size;
	send(regs, p, tgid, &a, c->size ? PXB_REALLOC_ENTER : PXB_FREE, false);
	if (c->size == 0)
		c->old = 0;
	return 0;
}

static __always_inline int leave(struct pt_regs *regs)
{
	struct pxb_alloc a = {};
	uint32_t tgid;
	struct pxb_process *p = pxb_process_get(&tgid);
	struct call *c = p ? call_get(0) : NULL;

	if (!p)
		return 0;
	pxb_count(probe_hits[2]);
	if (!c || c->sp == 0 || regs->sp != c->sp + 8)
		return 0;
	c->sp = 0;
	a.addr = regs->ax;
	a.size = c->size;
	if (c->where) {
		a.addr = 0;
		if ((uint32_t)regs->ax == 0 &&
		    bpf_probe_read_user(&a.addr, sizeof(a.addr), (void *)c->where))
			pxb_count(lost[PXB_ALLOC]);
	}
	if (c->old || a.addr)
		send(regs, p, tgid, &a, c->old ? PXB_REALLOC_EXIT : PXB_ALLOC, a.addr != 0);
	return 0;
}

SEC("uprobe")
int heap_session(struct pt_regs *regs)
{
	return bpf_session_is_return() ? leave(regs) : enter(regs, bpf_get_attach_cookie(regs));
}

SEC("uprobe")
int heap_enter(struct pt_regs *regs)
{
	enter(regs, bpf_get_attach_cookie(regs));
	return 0;
}

SEC("uretprobe")
int heap_return(struct pt_regs *regs)
{
	return leave(regs);
}

SEC("uprobe")
int heap_free(struct pt_regs *regs)
{
	struct pxb_alloc a = {};
	uint32_t tgid;
	struct pxb_process *p = pxb_process_get(&tgid);
	struct call *c;

	if (!p)
		return 0;
	pxb_count(probe_hits[3]);
	c = call_get(0);
	if (regs->di == 0 || (c && c->sp && regs->sp <= c->sp))
		return 0;
	a.addr = regs->di;
	send(regs, p, tgid, &a, PXB_FREE, false);
	return 0;
}

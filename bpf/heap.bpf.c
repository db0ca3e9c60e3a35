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
 * Operators new and delete of some allocators are functions of their own, and may or may not go
 * through malloc and free. For new the above holds; a delete keeps its block, and a call that frees
 * the same block from within it is no other free. What is taken for such a call by mistake: a free
 * of the block in this thread, by another function, after another thread was given it anew.
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
	/* The probe that the last call met, and its cookie; good as long as process_changes is
	 * what it was */
	uint64_t ip, which, changes;
	/* The last free was operator delete: its block, stack pointer and probe; 0: it was not */
	uint64_t deleted, deleted_sp, deleted_ip;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct call);
} calls SEC(".maps");

/* The loader takes probes out one after the other; from this moment on none of them is heard, or
 * else allocations would be whose frees are not. */
volatile bool heap_off = false;

/* include/linux/bpf_trace.h: of session probes */
extern bool bpf_session_is_return(void) __ksym __weak;

/* The thread's call, if it has one: only threads of observed processes have, so the process is
 * looked up once a thread. */
static __always_inline struct call *call_get(struct task_struct *task)
{
	return bpf_task_storage_get(&calls, task, 0, 0);
}

/* The thread's first call; NULL: its process is not observed, or there is no memory, which loses
 * what `kind` counts. */
static __always_inline struct call *call_new(struct task_struct *task, enum pxb_kind kind)
{
	uint32_t tgid = task->tgid;
	struct call *c;

	if (!bpf_map_lookup_elem(&processes, &tgid))
		return NULL;
	c = bpf_task_storage_get(&calls, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!c) {
		pxb_count(no_memory);
		pxb_count(lost[kind]);
	}
	return c;
}

/* What a record tells besides its block. */
struct place {
	uint64_t ustack, op;
	uint8_t end, phase;
};

static const struct place nowhere;

/* By the process's entry, which is recent from then on if no copy of Prax is in it. */
static __always_inline void find_anew(struct pxb_scratch *s, uint32_t tgid, struct place *at)
{
	uint64_t changes = process_changes;
	const struct pxb_process *p = bpf_map_lookup_elem(&processes, &tgid);

	s->walk.stack.end = PXB_END_NO_PROCESS;
	if (!p)
		return;
	at->ustack = pxb_user_stack(s, p);
	at->op = pxb_current_op(s, p, &at->phase);
	s->recent.changes = changes;
	s->recent.salt = p->salt;
	s->recent.tgid = p->n_contexts ? 0 : tgid;
}

/* Of a process that is as it was when the last stack was taken: most are, and then nothing needs to
 * be looked up. */
static __always_inline void find_again(struct pxb_scratch *s, uint32_t tgid, struct place *at)
{
	const struct pxb_process *p;

	at->ustack = pxb_known_stack(&s->walk, s->recent.salt);
	if (at->ustack)
		return;
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (p)
		at->ustack = pxb_rest_of_stack(&s->walk, p);
}

/* The stack of an allocation that returns and the operation that it is part of. */
static __always_inline struct place find_place(struct pt_regs *regs, const struct task_struct *task)
{
	uint32_t tgid = task->tgid;
	struct pxb_scratch *s = pxb_begin(PXB_SLOT_PROBE, tgid);
	struct place at = {};

	if (!s)
		return at;
	pxb_regs_at_return(&s->walk, regs);
	pxb_probe_begin(s, task, false);
	if (s->recent.tgid == tgid && s->recent.changes == process_changes)
		find_again(s, tgid, &at);
	else
		find_anew(s, tgid, &at);
	at.end = s->walk.stack.end;
	pxb_end(s);
	return at;
}

/* Records are written where they stay: no copy. */
static __always_inline void fill(struct pxb_alloc *a, const struct task_struct *task, uint16_t kind,
				 uint64_t addr)
{
	pxb_head_fill(&a->head, kind, task->tgid);
	a->tid = task->pid;
	a->phase = a->end = a->flags = a->epoch = 0;
	a->addr = addr;
}

static __always_inline void send(const struct task_struct *task, uint16_t kind, uint64_t addr,
				 uint64_t size, const struct place *at)
{
	struct pxb_alloc *a = bpf_ringbuf_reserve(&records, sizeof(*a), 0);

	if (!a) {
		pxb_count(lost[kind]);
		return;
	}
	fill(a, task, kind, addr);
	a->phase = at->phase;
	a->end = at->end;
	a->size = size;
	a->ustack = at->ustack;
	a->op = at->op;
	bpf_ringbuf_submit(a, BPF_RB_NO_WAKEUP);
}

static __always_inline void send_free(const struct task_struct *task, uint64_t addr)
{
	struct pxb_alloc *a = bpf_ringbuf_reserve(&records, PXB_FREE_SIZE, 0);

	if (!a) {
		pxb_count(lost[PXB_FREE]);
		return;
	}
	fill(a, task, PXB_FREE, addr);
	bpf_ringbuf_submit(a, BPF_RB_NO_WAKEUP);
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
	} else if (which == PXB_CALL_REALLOCARRAY) {
		c->old = regs->di;
		c->size = regs->si * regs->dx;
	} else if (which == PXB_CALL_POSIX_MEMALIGN) {
		c->where = regs->di;
		c->size = regs->dx;
	}
}

/* Whether the thread's last call met the probe that it is at now: at a return ip is a return
 * address, and those are none of probes. */
static __always_inline bool is_met(const struct call *c, const struct pt_regs *regs)
{
	return c && c->ip == regs->ip && c->changes == process_changes;
}

static __always_inline void meet(struct call *c, struct pt_regs *regs)
{
	c->changes = process_changes;
	c->ip = regs->ip;
	c->which = bpf_get_attach_cookie(regs);
}

/* Calls that are in no other are counted for their allocator. */
static __always_inline uint64_t count_call(const struct call *c)
{
	uint64_t allocator = c->which >> PXB_ALLOCATOR_SHIFT & (PXB_ALLOCATORS_MAX - 1);
	struct pxb_counters *counters = pxb_counters_get();

	return counters ? pxb_hit_in(&counters->allocators[allocator]) : 0;
}

static __always_inline void enter_call(struct pt_regs *regs, const struct task_struct *task,
				       struct call *c)
{
	read_arguments(c, regs, c->which & PXB_CALL_MASK);
	c->sp = regs->sp;
	c->deleted = 0;
	if (!c->old)
		return;
	if (c->size) {
		send(task, PXB_REALLOC_ENTER, c->old, c->size, &nowhere);
	} else {
		send_free(task, c->old);
		c->old = 0;
	}
}

/* Returns 0 if the call's return is wanted, 1 if not. c: the thread's, NULL if it has none yet. */
static __always_inline int enter(struct pt_regs *regs, struct task_struct *task, struct call *c,
				 bool met)
{
	uint64_t since;

	if (heap_off)
		return 1;
	c = c ? c : call_new(task, PXB_ALLOC);
	if (!c)
		return 1;
	if (c->sp && regs->sp <= c->sp) {
		pxb_count(probe_hits[PXB_HIT_ENTRY]);
		return 1;
	}
	if (!met)
		meet(c, regs);
	since = count_call(c);
	enter_call(regs, task, c);
	pxb_hit_end(PXB_HIT_ENTRY, since);
	return 0;
}

static __always_inline void leave_call(struct pt_regs *regs, const struct task_struct *task,
				       struct call *c)
{
	struct place at = {};
	uint64_t addr = regs->ax;

	if (c->sp == 0 || regs->sp != c->sp + 8)
		return;
	c->sp = 0;
	if (c->where) {
		addr = 0;
		if ((uint32_t)regs->ax == 0 &&
		    bpf_probe_read_user(&addr, sizeof(addr), (void *)c->where))
			pxb_count(lost[PXB_ALLOC]);
	}
	if (addr)
		at = find_place(regs, task);
	if (c->old)
		send(task, PXB_REALLOC_EXIT, addr, c->size, &at);
	else if (addr)
		send(task, PXB_ALLOC, addr, c->size, &at);
}

static __always_inline int leave(struct pt_regs *regs, const struct task_struct *task,
				 struct call *c)
{
	uint64_t since;

	if (heap_off || !c)
		return 0;
	since = pxb_hit(PXB_HIT_RETURN);
	leave_call(regs, task, c);
	pxb_hit_end(PXB_HIT_RETURN, since);
	return 0;
}

SEC("uprobe")
int heap_session(struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call *c = call_get(task);
	bool met = is_met(c, regs);

	if (!met && bpf_session_is_return())
		return leave(regs, task, c);
	return enter(regs, task, c, met);
}

SEC("uprobe")
int heap_enter(struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call *c = call_get(task);

	enter(regs, task, c, is_met(c, regs));
	return 0;
}

SEC("uretprobe")
int heap_return(struct pt_regs *regs)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return leave(regs, task, call_get(task));
}

/* Whether a call that frees is part of another one: of an allocation, or of the delete that the
 * thread's last call was, which goes on into it with the same block. */
static __always_inline bool is_within(const struct call *c, const struct pt_regs *regs)
{
	if (c->sp && regs->sp <= c->sp)
		return true;
	return c->deleted == regs->di && regs->sp <= c->deleted_sp && regs->ip != c->deleted_ip;
}

static __always_inline void free_call(struct pt_regs *regs, const struct task_struct *task,
				      struct call *c, bool deletes)
{
	if (!regs->di)
		return;
	if (is_within(c, regs)) {
		if (!deletes)
			c->deleted = 0;
		return;
	}
	c->deleted = deletes ? regs->di : 0;
	c->deleted_sp = regs->sp;
	c->deleted_ip = regs->ip;
	send_free(task, regs->di);
}

static __always_inline int give_back(struct pt_regs *regs, bool deletes)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct call *c = call_get(task);
	uint64_t since;

	if (heap_off)
		return 0;
	c = c ? c : call_new(task, PXB_FREE);
	if (!c)
		return 0;
	since = pxb_hit(PXB_HIT_FREE);
	free_call(regs, task, c, deletes);
	pxb_hit_end(PXB_HIT_FREE, since);
	return 0;
}

/* Two programs, for one would have to ask for its probe's cookie. */
SEC("uprobe")
int heap_free(struct pt_regs *regs)
{
	return give_back(regs, false);
}

SEC("uprobe")
int heap_delete(struct pt_regs *regs)
{
	return give_back(regs, true);
}

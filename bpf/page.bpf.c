// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * page.bpf.c - which code makes a process's memory grow: its page faults, each with stack and
 * query.
 *
 * Two tracepoints tell of each fault before it is handled: of user code, and of the kernel where it
 * touches user memory in a system call. A fault counts as one page; that it was a huge one shows
 * only afterwards, in the kernel's count of the process's anonymous pages, which takes in at once
 * what is larger than its batch. So a third program, at each change of that count, tells the rest
 * of a huge page, for the place of the thread's last fault. Three kinds of fault bring nothing that
 * lasts and are counted all the same: reads of memory never written (the shared page of zeros),
 * faults that end in a signal, and pages of files, which were in memory before.
 *
 * All of it runs in the faulting thread with interrupts off. Reading the user's stack may fault in
 * turn: that fault finds the scratch in use and is not told. Others pay for the look-up of their
 * process at each fault. Source: arch/x86/mm/fault.c, handle_page_fault(); mm/memory.c,
 * mm_trace_rss_stat(); include/linux/percpu_counter.h.
 */
#include "bpf/context.h"
#include "bpf/entry.h"

enum { RSS_ANON = 1 };			/* MM_ANONPAGES */
enum { FAULT_PRESENT = 1 };		/* X86_PF_PROT */
enum { PAGE = 4096, HUGE_PAGES = 512 }; /* bytes; pages in a huge one */
/* A count that grew by this in one step has a huge page in it: a batch is 32 pages, or two for each
 * CPU; up to 192 of them it stays below. */
enum { HUGE_STEP = HUGE_PAGES * 3 / 4 };

/* Where a thread's last fault was. */
struct last_fault {
	uint64_t addr, ustack, op;
	uint8_t end, phase;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct last_fault);
} faults SEC(".maps");

static __always_inline void send(uint32_t tgid, const struct last_fault *f, uint64_t size,
				 uint8_t flags)
{
	struct pxb_alloc *a = bpf_ringbuf_reserve(&records, sizeof(*a), 0);

	if (!a) {
		pxb_count(lost[PXB_FAULT]);
		return;
	}
	pxb_head_fill(&a->head, PXB_FAULT, tgid);
	a->tid = (uint32_t)bpf_get_current_pid_tgid();
	a->phase = f->phase;
	a->end = f->end;
	a->flags = flags;
	a->epoch = 0;
	a->addr = f->addr;
	a->size = size;
	a->ustack = f->ustack;
	a->op = f->op;
	bpf_ringbuf_submit(a, BPF_RB_NO_WAKEUP);
}

static __always_inline void take(struct pxb_scratch *s, const struct pxb_process *p, uint64_t addr,
				 uint64_t error)
{
	struct last_fault *kept, f = {.addr = addr};

	s->walk.stack.head.tgid = s->tgid;
	s->walk.stack.leaf = 1;
	s->walk.trampoline = pxb_trampoline(bpf_get_current_task_btf());
	if (pxb_user_regs(&s->walk) == 0) {
		f.ustack = pxb_user_stack(s, p);
		f.end = s->walk.stack.end;
	}
	f.op = pxb_current_op(s, p, &f.phase);
	kept = bpf_task_storage_get(&faults, bpf_get_current_task_btf(), 0,
				    BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (kept)
		*kept = f;
	else
		pxb_count(no_memory);
	send(s->tgid, &f, PAGE, error & FAULT_PRESENT ? PXB_FAULT_COPY : 0);
}

static __always_inline int fault(uint64_t addr, uint64_t error)
{
	uint32_t tgid, slot = PXB_SLOT_FAULT;
	struct pxb_process *p = pxb_process_get(&tgid);
	struct pxb_scratch *s = p ? bpf_map_lookup_elem(&scratches, &slot) : NULL;
	uint64_t since;

	if (!s || (int64_t)addr < 0 || __sync_lock_test_and_set(&s->busy, 1))
		return 0; /* not of interest; or caused by reading for the fault before */
	s->tgid = tgid;
	since = pxb_hit(PXB_HIT_FAULT);
	take(s, p, addr, error);
	pxb_hit_end(PXB_HIT_FAULT, since);
	pxb_end(s);
	return 0;
}

SEC("tp_btf/page_fault_user")
int page_user(uint64_t *ctx)
{
	return fault(ctx[0], ctx[2]);
}

SEC("tp_btf/page_fault_kernel")
int page_kernel(uint64_t *ctx)
{
	return fault(ctx[0], ctx[2]);
}

SEC("tp_btf/rss_stat")
int page_huge(uint64_t *ctx)
{
	const struct mm_struct *mm = (void *)ctx[0];
	uint32_t tgid;
	struct pxb_process *p = pxb_process_get(&tgid);
	struct last_fault *f;
	int64_t pages, before;

	/* A fork counts for the child while the parent runs. */
	if (!bpf_core_field_exists(struct mm_struct, rss_stat[RSS_ANON].count))
		return 0;
	if (!p || (int)ctx[1] != RSS_ANON || mm != bpf_get_current_task_btf()->mm)
		return 0;
	pages = mm->rss_stat[RSS_ANON].count;
	before = __sync_lock_test_and_set(&p->anon_pages, pages + 1);
	if (before <= 0 || pages + 1 - before < HUGE_STEP)
		return 0;
	f = bpf_task_storage_get(&faults, bpf_get_current_task_btf(), 0, 0);
	if (f)
		send(tgid, f, (HUGE_PAGES - 1) * PAGE, PXB_FAULT_HUGE);
	return 0;
}

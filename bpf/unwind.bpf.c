// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * unwind.bpf.c - the shared maps and the functions that every program calls: walk a user stack,
 * send a stack or an operation once.
 *
 * No program lives here. The functions are global, so that the verifier looks at each once and not
 * at every call.
 */
#define PXB_MAPS_HERE
#include "bpf/emit.h"

enum { REPAIR_DEPTH = 64 }; /* MAX_URETPROBE_DEPTH: more are never pending */
enum { PAGE = 4096, SLIDE = 1024 };

/* See PXB_REPAIR in walk.h. A kernel without these fields has no uretprobes that look like this. */
__noinline uint64_t pxb_repair(struct pxb_walk *w, uint64_t slot)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct return_instance *ri;

	if (!w || !bpf_core_field_exists(struct return_instance, orig_ret_vaddr))
		return 0;
	ri = BPF_CORE_READ(task, utask, return_instances);
	_Pragma("unroll 1") for (int i = 0; i < REPAIR_DEPTH && ri; i++)
	{
		w->word[3] = BPF_CORE_READ(ri, stack);
		if (slot == 0 || w->word[3] == slot)
			return BPF_CORE_READ(ri, orig_ret_vaddr);
		ri = BPF_CORE_READ(ri, next);
	}
	return 0;
}

static __always_inline int read_window(struct pxb_walk *w, uint64_t at, uint64_t size)
{
	w->window_at = at;
	w->window_size = 0;
	if (size > PXB_WINDOW_MAX || bpf_probe_read_user(w->window, size, (void *)at))
		return -1;
	w->window_size = size;
	return 0;
}

/* The window to `size` bytes at an address that is not in it, and what follows them in their page:
 * a mapping may end there. 0, or not 0: they cannot be read. */
__noinline int pxb_slide(struct pxb_walk *w, uint64_t at, uint64_t size)
{
	uint64_t left = PAGE - (at & (PAGE - 1));

	if (!w)
		return -1;
	if (left > SLIDE)
		left = SLIDE;
	return read_window(w, at, left < size ? size : left);
}

/* 8 or 16 bytes of the stack by way of the window, or more past it. */
static __always_inline int read_stack(struct pxb_walk *w, uint64_t *to, uint64_t size,
				      uint64_t addr)
{
	uint64_t offset = addr - w->window_at;
	const uint64_t *from;

	if (size > 16)
		return bpf_probe_read_user(to, size, (void *)addr);
	if (offset > PXB_WINDOW_MAX - size || offset + size > w->window_size) {
		if (pxb_slide(w, addr, size))
			return -1;
		offset = 0;
	}
	barrier_var(offset);
	if (offset > PXB_WINDOW_MAX - size) /* for the verifier */
		return -1;
	from = (void *)w->window + offset;
	to[0] = from[0];
	if (size == 16)
		to[1] = from[1];
	return 0;
}

#define PXB_STEP_LINKAGE __noinline
#define PXB_ROW(w, i) ((void)(w), rows[(i) & (PXB_ROWS_MAX - 1)])
#define PXB_PAGE(w, i) ((void)(w), pages[(i) & (PXB_PAGES_MAX - 1)])
#define PXB_RULE(w, i) ((void)(w), rules[(i) & (PXB_RULES_MAX - 1)])
#define PXB_READ(w, to, size, addr) read_stack(w, to, size, addr)
#define PXB_REPAIR(w, slot) pxb_repair(w, slot)
#include "bpf/walk.h"

static __always_inline bool find_seen(uint64_t id)
{
	uint32_t at = (uint32_t)(id >> 8) & (PXB_SEEN_MAX - 2);

	return seen_stacks[at] == id || seen_stacks[at + 1] == id;
}

__noinline uint64_t pxb_send_stack(struct pxb_walk *w)
{
	uint64_t id, size;
	uint32_t at;

	if (!w)
		return 0;
	id = w->stack.id;
	at = (uint32_t)(id >> 8) & (PXB_SEEN_MAX - 2);
	if (find_seen(id))
		return id;
	size = sizeof(w->stack) + (w->stack.n & PXB_FRAMES_MAX) * sizeof(uint64_t);
	pxb_head_fill(&w->stack.head, PXB_STACK, w->stack.head.tgid);
	if (!pxb_send(&w->stack, size, PXB_STACK))
		return 0;
	seen_stacks[at + 1] = seen_stacks[at];
	seen_stacks[at] = id;
	return id;
}

/* The next window is as large as the stack, or a little smaller than the last if it was less. */
static __always_inline void wish(struct pxb_walk *w)
{
	uint64_t extent = w->regs[PXB_REG_SP] - w->start, wish = w->window_wish;

	if (extent > PXB_WINDOW_MAX)
		extent = PXB_WINDOW_MAX;
	w->window_wish = extent > wish ? extent : wish - (wish - extent) / 4;
}

__noinline uint64_t pxb_known_stack(struct pxb_walk *w, uint64_t salt)
{
	if (!w)
		return 0;
	w->start = w->regs[PXB_REG_SP];
	read_window(w, w->start, w->window_wish < PXB_WINDOW_MIN ? PXB_WINDOW_MIN : w->window_wish);
	pxb_walk_begin(w, salt, w->stack.leaf);
	w->stack.end = pxb_run_inline(w, salt);
	if (!w->stack.end)
		return 0;
	pxb_walk_end(w, PXB_END_OK);
	wish(w);
	return find_seen(w->stack.id) ? w->stack.id : 0;
}

__noinline uint64_t pxb_rest_of_stack(struct pxb_walk *w, const struct pxb_process *p)
{
	if (!w || !p)
		return 0;
	if (!w->stack.end) {
		pxb_walk_on(w, p);
		wish(w);
	}
	return pxb_send_stack(w);
}

/* Model, NUL, statement, NUL into s->text; returns the text's size. */
static __always_inline uint64_t copy_text(struct pxb_scratch *s, const struct prax_op_record *op)
{
	uint64_t kept = op->sql ? op->sql_size : 0;
	long model;

	model = bpf_probe_read_user_str(s->text, PXB_MODEL_MAX, (void *)op->model);
	if (model < 1) {
		s->text[0] = 0;
		model = 1;
	}
	if (model > PXB_MODEL_MAX)
		model = PXB_MODEL_MAX;
	if (kept > PXB_SQL_MAX - 1)
		kept = PXB_SQL_MAX - 1;
	if (kept && bpf_probe_read_user(s->text + model, kept, (void *)op->sql))
		kept = 0;
	s->text[model + kept] = 0;
	s->op.model_size = model - 1;
	s->op.sql_kept = kept;
	return model + kept + 1;
}

__noinline uint64_t pxb_send_op(struct pxb_scratch *s, uint64_t salt)
{
	const struct prax_op_record *op;
	uint64_t id, size;
	uint8_t one = 1;

	if (!s)
		return 0;
	op = (const struct prax_op_record *)s->head;
	id = pxb_hash(pxb_hash(pxb_hash(salt, op->model), op->sql), op->fingerprint);
	id = pxb_hash(id, op->verb) | 1;
	if (bpf_map_lookup_elem(&seen_ops, &id))
		return id;
	s->op.id = id;
	s->op.fingerprint = op->fingerprint;
	s->op.sql_size = op->sql_size;
	s->op.verb = op->verb;
	size = sizeof(s->op) + copy_text(s, op);
	pxb_head_fill(&s->op.head, PXB_OP, s->tgid);
	if (size > sizeof(s->op) + sizeof(s->text) || !pxb_send(&s->op, size, PXB_OP))
		return 0;
	bpf_map_update_elem(&seen_ops, &id, &one, BPF_ANY);
	return id;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

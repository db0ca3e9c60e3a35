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

#define NO_WINDOW (1ull << 63) /* no address of user memory is near it */

enum { REPAIR_DEPTH = 64 }; /* MAX_URETPROBE_DEPTH: more are never pending */

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

/* The first slot of the mapping [uprobes] is the code that a function with a uretprobe returns to.
 */
static __always_inline uint64_t trampoline_address(void)
{
	if (!bpf_core_field_exists(struct uprobes_state, xol_area) ||
	    !bpf_core_field_exists(struct xol_area, vaddr))
		return 0;
	/* plain loads of kernel memory: what cannot be read is 0 */
	return bpf_get_current_task_btf()->mm->uprobes_state.xol_area->vaddr;
}

/* 8 or 16 bytes of the stack: of what was read at once, or anew. */
static __always_inline int read_stack(const struct pxb_walk *w, uint64_t *to, uint64_t size,
				      uint64_t addr)
{
	uint64_t offset = addr - w->window_at;
	const uint64_t *from;

	if (size > 16 || offset > PXB_WINDOW_SIZE - 16)
		return bpf_probe_read_user(to, size, (void *)addr);
	barrier_var(offset); /* the mask below is for the verifier */
	from = (void *)w->window + (offset & (PXB_WINDOW_SIZE - 1));
	to[0] = from[0];
	if (size == 16)
		to[1] = from[1];
	return 0;
}

static __always_inline void read_window(struct pxb_walk *w)
{
	w->window_at = w->regs[PXB_REG_SP];
	if (bpf_probe_read_user(w->window, PXB_WINDOW_SIZE, (void *)w->window_at))
		w->window_at = NO_WINDOW;
}

#define PXB_STEP_LINKAGE __noinline
#define PXB_ROW(w, i) ((void)(w), rows[(i) & (PXB_ROWS_MAX - 1)])
#define PXB_PAGE(w, i) ((void)(w), pages[(i) & (PXB_PAGES_MAX - 1)])
#define PXB_RULE(w, i) ((void)(w), rules[(i) & (PXB_RULES_MAX - 1)])
#define PXB_READ(w, to, size, addr) read_stack(w, to, size, addr)
#define PXB_REPAIR(w, slot) pxb_repair(w, slot)
#include "bpf/walk.h"

__noinline uint64_t pxb_send_stack(struct pxb_walk *w)
{
	uint64_t id, size;
	uint32_t at;

	if (!w)
		return 0;
	id = w->stack.id;
	at = (uint32_t)(id >> 8) & (PXB_SEEN_MAX - 2);
	if (seen_stacks[at] == id || seen_stacks[at + 1] == id)
		return id;
	size = sizeof(w->stack) + (w->stack.n & PXB_FRAMES_MAX) * sizeof(uint64_t);
	pxb_head_fill(&w->stack.head, PXB_STACK, w->stack.head.tgid);
	if (!pxb_send(&w->stack, size, PXB_STACK))
		return 0;
	seen_stacks[at + 1] = seen_stacks[at];
	seen_stacks[at] = id;
	return id;
}

__noinline uint64_t pxb_user_stack(struct pxb_walk *w, const struct pxb_process *p)
{
	if (!w || !p)
		return 0;
	w->trampoline = trampoline_address();
	read_window(w);
	pxb_walk_begin(w, p->salt, w->stack.leaf);
	pxb_walk(w, p);
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

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * query.bpf.c - one record for each finished operation, from the probes VERB__done.
 *
 * All verbs have one layout, so one program sits on all of them; the verb is in the record that the
 * first argument points at. The probes are on the file, for every process that runs it; who is not
 * in `processes` costs one look-up. A record and its statement's text are the program's memory and
 * are read here, while the thread stands in the probe: they may be gone right after.
 */
#include "bpf/context.h"

const volatile bool query_stacks = false; /* take the call site */
const volatile bool query_errors = false; /* only those that failed */
const volatile uint64_t query_min_ns = 0; /* only those that took as long */

enum { TAIL_SIZE = sizeof(struct prax_op_record) - PRAX_OP_HEAD_SIZE };

/* The record behind its head. */
struct tail {
	uint64_t tx_id, conn_id, start_ns, open_ns, rows, bytes_in, bytes_out, allocs;
	int32_t status;
	uint32_t reserved;
	uint64_t phase_ns[PRAX_PHASES];
};

static __always_inline void fill(struct pxb_query *q, const struct prax_op_record *head,
				 const struct tail *tail)
{
	q->flags = head->flags;
	q->op_id = head->op_id;
	q->parent_id = head->parent_id;
	q->tx_id = tail->tx_id;
	q->conn_id = tail->conn_id;
	q->start_ns = tail->start_ns;
	q->open_ns = tail->open_ns;
	q->bytes_in = tail->bytes_in;
	q->bytes_out = tail->bytes_out;
	q->allocs = tail->allocs;
	__builtin_memcpy(q->phase_ns, tail->phase_ns, sizeof(q->phase_ns));
}

static __always_inline void send(struct pt_regs *regs, struct pxb_scratch *s,
				 const struct pxb_process *p)
{
	struct tail tail;
	uint64_t record = regs->di, op, stack = 0;
	struct pxb_query *q;
	uint8_t phase;

	_Static_assert(sizeof(tail) == TAIL_SIZE, "struct tail is the record behind its head");
	op = pxb_op_at(s, record, p->salt, &phase);
	if (bpf_probe_read_user(&tail, sizeof(tail), (void *)(record + PRAX_OP_HEAD_SIZE)))
		__builtin_memset(&tail, 0, sizeof(tail));
	if (query_stacks)
		stack = pxb_stack_at_probe(s, regs, p, true);
	q = bpf_ringbuf_reserve(&records, sizeof(*q), 0);
	if (!q) {
		pxb_count(lost[PXB_QUERY]);
		return;
	}
	pxb_head_fill(&q->head, PXB_QUERY, s->tgid);
	fill(q, (void *)s->head, &tail);
	q->tid = (uint32_t)bpf_get_current_pid_tgid();
	q->status = (int32_t)regs->r9;
	q->op = op;
	q->ustack = stack;
	q->duration_ns = regs->cx;
	q->rows = regs->r8;
	q->pad = 0;
	bpf_ringbuf_submit(q, BPF_RB_NO_WAKEUP);
}

SEC("uprobe")
int query_done(struct pt_regs *regs)
{
	uint32_t tgid;
	struct pxb_process *p = pxb_process_get(&tgid);
	struct pxb_scratch *s;

	if (!p)
		return 0;
	pxb_count(probe_hits[0]);
	if (regs->cx < query_min_ns || (query_errors && (int32_t)regs->r9 == 0))
		return 0;
	s = pxb_begin(PXB_SLOT_PROBE, tgid);
	if (!s) {
		pxb_count(lost[PXB_QUERY]);
		return 0;
	}
	send(regs, s, p);
	pxb_end(s);
	return 0;
}

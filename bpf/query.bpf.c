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

static __always_inline void fill(struct pxb_query *q, const struct prax_op_record *op)
{
	q->flags = op->flags;
	q->op_id = op->op_id;
	q->parent_id = op->parent_id;
	q->tx_id = op->tx_id;
	q->conn_id = op->conn_id;
	q->start_ns = op->start_ns;
	q->open_ns = op->open_ns;
	q->bytes_in = op->bytes_in;
	q->bytes_out = op->bytes_out;
	q->allocs = op->allocs;
	__builtin_memcpy(q->phase_ns, op->phase_ns, sizeof(q->phase_ns));
}

static __always_inline void send(struct pt_regs *regs, struct pxb_scratch *s,
				 const struct pxb_process *p)
{
	struct prax_op_record record;
	uint64_t op = 0, stack = 0;
	struct pxb_query *q;

	if (bpf_probe_read_user(&record, sizeof(record), (void *)regs->di)) {
		__builtin_memset(&record, 0, sizeof(record));
	} else {
		__builtin_memcpy(s->head, &record, sizeof(s->head));
		op = pxb_send_op(s, p->salt);
	}
	if (query_stacks)
		stack = pxb_stack_at_probe(s, regs, p);
	q = bpf_ringbuf_reserve(&records, sizeof(*q), 0);
	if (!q) {
		pxb_count(lost[PXB_QUERY]);
		return;
	}
	pxb_head_fill(&q->head, PXB_QUERY, s->tgid);
	fill(q, &record);
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
	uint64_t since;

	if (!p)
		return 0;
	since = pxb_hit(PXB_HIT_QUERY);
	if (regs->cx < query_min_ns || (query_errors && (int32_t)regs->r9 == 0))
		return 0;
	s = pxb_begin(PXB_SLOT_PROBE, tgid);
	if (!s) {
		pxb_count(lost[PXB_QUERY]);
		return 0;
	}
	send(regs, s, p);
	pxb_end(s);
	pxb_hit_end(PXB_HIT_QUERY, since);
	return 0;
}

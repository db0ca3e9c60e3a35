/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * context.h - what operation of Prax the current thread works on.
 *
 * The program keeps, for each thread, a pointer to the record of its current operation in a
 * thread-local variable; the loader found where, relative to the thread pointer, for every copy of
 * the library. So two reads of user memory tell a sample's verb, model, statement and phase, with
 * no probe in the program. See prax/usdt.h.
 */
#ifndef PXB_CONTEXT_H
#define PXB_CONTEXT_H
#include "bpf/emit.h"

/* Address of the current operation's record, 0 = outside any. */
static __always_inline uint64_t pxb_current_record(const struct pxb_process *p)
{
	uint64_t tp, record;

	if (p->n_contexts == 0)
		return 0;
	tp = bpf_get_current_task_btf()->thread.fsbase;
	if (tp == 0)
		return 0;
#pragma unroll 1
	for (uint32_t i = 0; i < PXB_CONTEXTS_MAX && i < p->n_contexts; i++) {
		record = 0;
		if (bpf_probe_read_user(&record, 8, (void *)(tp + p->contexts[i])) == 0 && record)
			return record;
	}
	return 0;
}

/* The id of the operation whose record is at an address of the program; sent if it is new. 0 = none
 * or not readable. phase: enum prax_phase. */
static __always_inline uint64_t pxb_op_at(struct pxb_scratch *s, uint64_t record, uint64_t salt,
					  uint8_t *phase)
{
	*phase = 0;
	if (record == 0 || bpf_probe_read_user(s->head, sizeof(s->head), (void *)record))
		return 0;
	*phase = ((struct prax_op_record *)s->head)->phase & (PXB_PHASES - 1);
	return pxb_send_op(s, salt);
}

/* The same for the current thread's operation. */
static __always_inline uint64_t pxb_current_op(struct pxb_scratch *s, const struct pxb_process *p,
					       uint8_t *phase)
{
	return pxb_op_at(s, pxb_current_record(p), p->salt, phase);
}

#endif

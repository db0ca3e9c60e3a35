/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * entry.h - the registers that user code had when it entered the kernel, for programs that meet a
 * thread within it.
 */
#ifndef PXB_ENTRY_H
#define PXB_ENTRY_H
#include "bpf/emit.h"

enum { PXB_INT3 = 0xcc };

/* The registers saved at the entry to the kernel; 0, or an error. A function of its own, or else
 * the compiler joins its last load with that from the context, and the verifier wants those plain.
 */
static __noinline int pxb_user_regs(struct pxb_walk *w)
{
	struct pt_regs *regs = (struct pt_regs *)w->frames; /* not in use yet, and large enough */
	uint8_t before;

	if (bpf_probe_read_kernel(regs, sizeof(*regs),
				  (void *)bpf_task_pt_regs(bpf_get_current_task_btf())))
		return -1;
	pxb_regs_fill(w, regs);
	/* On the way to a probe: the breakpoint was executed, the instruction that it hides not. */
	if (bpf_probe_read_user(&before, 1, (void *)(w->ip - 1)) == 0 && before == PXB_INT3)
		w->ip--;
	return 0;
}

#endif

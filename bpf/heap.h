/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * heap.h - the functions of the allocation family, as the cookies of their probes.
 *
 * reallocarray is not among them: it calls realloc. aligned_alloc and memalign have one layout.
 */
#ifndef PXB_HEAP_H
#define PXB_HEAP_H

enum pxb_heap_call {
	PXB_CALL_NONE,
	PXB_CALL_MALLOC,	 /* (size) */
	PXB_CALL_CALLOC,	 /* (n, size) */
	PXB_CALL_REALLOC,	 /* (block, size) */
	PXB_CALL_ALIGNED,	 /* (alignment, size) */
	PXB_CALL_POSIX_MEMALIGN, /* (block **, alignment, size), 0 or an error */
	PXB_CALLS
};

#endif

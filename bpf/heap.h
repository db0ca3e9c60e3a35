/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * heap.h - the functions of the allocation family, as the cookies of their probes; and which blocks
 * are followed on when a recording of all events turns into one of samples.
 *
 * aligned_alloc and memalign have one layout, and so has mimalloc's (heap, size).
 */
#ifndef PXB_HEAP_H
#define PXB_HEAP_H
#include "bpf/record.h"

enum pxb_heap_call {
	PXB_CALL_NONE,
	PXB_CALL_MALLOC,	 /* (size) */
	PXB_CALL_CALLOC,	 /* (n, size) */
	PXB_CALL_REALLOC,	 /* (block, size) */
	PXB_CALL_ALIGNED,	 /* (alignment, size) */
	PXB_CALL_POSIX_MEMALIGN, /* (block **, alignment, size), 0 or an error */
	PXB_CALL_REALLOCARRAY,	 /* (block, n, size) */
	PXB_CALL_FREE,		 /* (block); all that follow free one */
	PXB_CALL_DELETE,	 /* (block, ...), and may go on into PXB_CALL_FREE */
	PXB_CALLS
};

/* A cookie: the call, and above it the number of the allocator that the function is of. */
enum { PXB_CALL_MASK = 0xff, PXB_ALLOCATOR_SHIFT = 8 };

enum {
	PXB_FOLLOW_SIZE = 16384, /* bytes: every block as large is followed */
	PXB_FOLLOW_ONE_IN = 64,	 /* of the smaller ones, by address */
};

/* Whether a block of less than PXB_FOLLOW_SIZE bytes is followed: who frees it need not know more
 * of it than its address. */
static inline _Bool pxb_is_followed(uint64_t addr)
{
	return (addr >> 4) * 0x9E3779B97F4A7C15ull >> 58 == 0;
}

#endif

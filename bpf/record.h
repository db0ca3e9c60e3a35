/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * record.h - what the BPF programs send to the loader: records in one ring buffer.
 *
 * Fixed-width types only; both sides include it. One buffer keeps the order of events over all
 * CPUs, which is what exact heap accounting needs. Stacks and operation texts are sent once, before
 * the first record that names them by id; an id is a hash salted with the process id, never 0. A
 * record that finds no room is counted in pxb_counters, by kind, and nothing else is lost with it.
 */
#ifndef PXB_RECORD_H
#define PXB_RECORD_H
#ifdef __bpf__
#include "bpf/core.h"
#else
#include <stdint.h>
#endif

enum {
	PXB_FRAMES_MAX = 127,	/* frames of a stack; deeper ones end as PXB_END_TRUNCATED */
	PXB_SQL_MAX = 4096,	/* bytes of a statement's text that are copied */
	PXB_MODEL_MAX = 64,	/* bytes of a model's name, NUL included */
	PXB_PHASES = 8,		/* as enum prax_phase */
	PXB_ALLOCATORS_MAX = 8, /* told apart; the last one stands for the rest */
	PXB_HIT_NS_MAX = 20000, /* no program takes as long by itself */
	PXB_CLOCKED = 64,	/* of so many hits of a probe one is timed */
};

enum pxb_kind {
	PXB_NONE,
	PXB_STACK,	   /* struct pxb_stack */
	PXB_OP,		   /* struct pxb_op */
	PXB_SAMPLE,	   /* struct pxb_sample */
	PXB_QUERY,	   /* struct pxb_query */
	PXB_ALLOC,	   /* struct pxb_alloc: malloc, calloc returned a block */
	PXB_FREE,	   /* PXB_FREE_SIZE of a struct pxb_alloc: free was entered */
	PXB_REALLOC_ENTER, /* struct pxb_alloc: addr = old block (not 0), size = wish */
	PXB_REALLOC_EXIT,  /* struct pxb_alloc: addr = new block, 0 = failed: the old one stands */
	PXB_FAULT,	   /* struct pxb_alloc: a page came in at addr; size = bytes, see flags */
	PXB_KINDS
};

/* Why a user stack ends. OK means the outermost frame was reached by unwind rules alone. */
enum pxb_end {
	PXB_END_NONE, /* no user stack: a kernel thread, or not asked for */
	PXB_END_OK,
	PXB_END_OK_GUESSED, /* with a frame-pointer guess on the way (code without rules) */
	PXB_END_TRUNCATED,  /* more than PXB_FRAMES_MAX frames */
	PXB_END_NO_PROCESS, /* no tables for this process (yet) */
	PXB_END_NO_MAPPING, /* pc outside all known mappings */
	PXB_END_NO_ROW,	    /* a mapping, but no unwind row for the pc */
	PXB_END_BAD_RULE,   /* a rule that cannot be expressed, or that makes no progress */
	PXB_END_FAULT,	    /* stack memory could not be read */
	PXB_END_TRAMPOLINE, /* return address replaced by a uretprobe and not repaired */
	PXB_ENDS
};

struct pxb_head {
	uint16_t kind; /* enum pxb_kind */
	uint16_t pad;
	uint32_t tgid;
	uint64_t ts; /* CLOCK_MONOTONIC, ns */
};

/* frames[0] is the interrupted pc; the others are return addresses (look up address - 1). In stacks
 * of probes at a return, and in those of kernel-mode samples, see `leaf`. */
struct pxb_stack {
	struct pxb_head head;
	uint64_t id;
	uint16_t n;
	uint8_t end;	/* enum pxb_end */
	uint8_t kernel; /* 1: kernel addresses */
	uint8_t leaf;	/* 1: frames[0] is a pc; 0: it is a return address like the others */
	uint8_t pad[3];
	uint64_t frames[]; /* frames[n] */
};

/* text: model, NUL, then sql_kept bytes of SQL, NUL. */
struct pxb_op {
	struct pxb_head head;
	uint64_t id;
	uint64_t fingerprint; /* 0: the statement was not built yet */
	uint32_t sql_size;    /* full length */
	uint16_t sql_kept;
	uint8_t verb;	    /* enum prax_usdt_verb */
	uint8_t model_size; /* bytes, without the NUL */
	char text[];
};

struct pxb_sample {
	struct pxb_head head;
	uint32_t tid;
	uint16_t cpu;
	uint8_t end;	 /* enum pxb_end of the user stack */
	uint8_t phase;	 /* enum prax_phase, if op */
	uint64_t ustack; /* id of a user stack, 0 = none */
	uint64_t kstack; /* id of a kernel stack, 0 = the sample hit user code */
	uint64_t op;	 /* id, 0 = outside any operation */
};

/* One finished operation, from VERB__done. */
struct pxb_query {
	struct pxb_head head;
	uint32_t tid;
	int32_t status;
	uint64_t op;
	uint64_t op_id, parent_id;
	uint64_t ustack; /* call site; 0 unless asked for */
	uint64_t start_ns, duration_ns, open_ns;
	uint64_t rows, bytes_in, bytes_out, allocs;
	uint64_t tx_id, conn_id;
	uint32_t flags; /* PRAX_OP_* */
	uint32_t pad;
	uint64_t phase_ns[PXB_PHASES];
};

/* Flags of PXB_FAULT. */
enum {
	PXB_FAULT_COPY = 1, /* a page that was there is copied: shared by fork, or of a file */
	PXB_FAULT_HUGE = 2, /* what a huge page has beyond the page that was told before */
};

struct pxb_alloc {
	struct pxb_head head;
	uint32_t tid;
	uint8_t phase; /* enum prax_phase, if op */
	uint8_t end;   /* enum pxb_end of the stack */
	uint8_t flags; /* PXB_FAULT: PXB_FAULT_*; of a block of Prax: enum prax_purpose + 1 */
	uint8_t epoch; /* of the rate that it was sampled at; 0: the first one */
	uint64_t addr, size;
	uint64_t ustack; /* 0 for PXB_FREE */
	uint64_t op;
};

/* A free is a struct pxb_alloc that may end before its size; the rest of it is 0 then. */
#define PXB_FREE_SIZE __builtin_offsetof(struct pxb_alloc, size)

/* What probe_hits counts. */
enum pxb_hit {
	PXB_HIT_QUERY,
	PXB_HIT_ENTRY,	/* of allocation functions; in BPF those that allocators[] has not */
	PXB_HIT_RETURN, /* the same */
	PXB_HIT_FREE,
	PXB_HIT_FAULT,
	PXB_HIT_ORM, /* blocks of Prax */
	PXB_HITS
};

/* Per CPU, summed by the loader. lost[]: records without room, by kind. */
struct pxb_counters {
	uint64_t lost[PXB_KINDS];
	uint64_t ends[PXB_ENDS]; /* samples by end of their user stack */
	uint64_t samples;	 /* of observed processes */
	uint64_t probe_hits[PXB_HITS];
	uint64_t busy;	    /* stacks not taken because the scratch was in use */
	uint64_t no_memory; /* a map was full */
	uint64_t allocators[PXB_ALLOCATORS_MAX]; /* calls of each that gave a block or were to */
	uint64_t run_ns[PXB_HITS]; /* in the programs: one hit in PXB_CLOCKED stands for all */
};

#endif

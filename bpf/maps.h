/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps.h - the maps and tables that all programs share.
 *
 * unwind.bpf.c defines them (PXB_MAPS_HERE); to every other object they are extern, and `bpftool
 * gen object` joins them. (Weak definitions in each object would work for maps, but the linker
 * keeps the bytes of every copy of a weak variable, and the tables are megabytes.) So is each knob,
 * a `const volatile` of .rodata: defined in one object, set by the loader before loading, and dead
 * code to the verifier where it is 0.
 *
 * Scratch memory is per CPU and *per slot*: a sampler's interrupt may come while a probe's program
 * walks a stack on that CPU, and must not touch its frames. Within a slot, programs in task context
 * may still meet where the kernel preempts them: who finds the slot busy gives up its stack, and
 * counts that.
 */
#ifndef PXB_MAPS_H
#define PXB_MAPS_H
#include "bpf/core.h"
#include "bpf/record.h"
#include "bpf/unwind.h"
#include "prax/usdt.h"

#ifdef PXB_MAPS_HERE
#define PXB_SHARED
#else
#define PXB_SHARED extern
#endif

enum pxb_slot {
	PXB_SLOT_SAMPLER, /* perf_event: interrupts everything */
	PXB_SLOT_SWITCH,  /* the scheduler's tracepoints: preemption is off */
	PXB_SLOT_PROBE,	  /* uprobes: task context */
	PXB_SLOT_FAULT,	  /* page faults: interrupts are off, faults are not */
	PXB_SLOTS
};

/* The process whose stack was taken last, if it has no operations to look for; good as long as
 * process_changes is what it was. */
struct pxb_recent {
	uint64_t changes, salt;
	uint32_t tgid; /* 0: none */
};

struct pxb_scratch {
	uint32_t busy;
	uint32_t tgid;
	struct pxb_recent recent;
	struct pxb_walk walk;
	uint8_t head[PRAX_OP_HEAD_SIZE]; /* of the thread's struct prax_op_record */
	struct pxb_op op;
	char text[PXB_MODEL_MAX + PXB_SQL_MAX]; /* op.text */
};

/* Records to the loader. The loader sets the size and polls: nothing wakes it. */
PXB_SHARED struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} records SEC(".maps");

/* The processes to observe. What is not in here is not observed. */
PXB_SHARED struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, uint32_t); /* tgid, as the initial pid namespace counts */
	__type(value, struct pxb_process);
} processes SEC(".maps");

/* Counts changes of entries of `processes`, after each; added to by the loader too. */
PXB_SHARED volatile uint64_t process_changes;

PXB_SHARED struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct pxb_counters);
} counters SEC(".maps");

PXB_SHARED struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PXB_SLOTS);
	__type(key, uint32_t);
	__type(value, struct pxb_scratch);
} scratches SEC(".maps");

/* Ids of stacks that were sent, two places for each: who comes third pushes out the elder. An id
 * that was pushed out, or lost when two CPUs wrote at once, is sent again: the loader must take
 * that. A plain array, for a look-up in it is one cold line of memory and in an LRU map four; a
 * fifth of all samples have a stack that is new, and inserting it was the dearest part of them. */
PXB_SHARED uint64_t seen_stacks[PXB_SEEN_MAX];

/* The same for operations, which are few. */
PXB_SHARED struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16 << 10);
	__type(key, uint64_t);
	__type(value, uint8_t);
} seen_ops SEC(".maps");

/* The unwind tables; see unwind.h. The loader writes them through a mapping. */
PXB_SHARED struct pxb_row rows[PXB_ROWS_MAX];
PXB_SHARED uint32_t pages[PXB_PAGES_MAX];
PXB_SHARED struct pxb_rule rules[PXB_RULES_MAX];

/* Global functions: verified once, wherever they are called. */
/* Takes a stack from walk->{regs, ip, trampoline, stack.leaf}. Returns its id if nothing in it is
 * new, and 0 if pxb_rest_of_stack() has to be asked, before anything changes in `walk`. */
uint64_t pxb_known_stack(struct pxb_walk *walk, uint64_t salt);
/* Returns the id of the stack, 0 if it could not be sent (counted). walk->stack.end says how it
 * ends. */
uint64_t pxb_rest_of_stack(struct pxb_walk *walk, const struct pxb_process *p);
/* Sends walk->stack, n frames filled in, if it is new; id or 0. */
uint64_t pxb_send_stack(struct pxb_walk *walk);
/* Sends the operation whose record's head is in scratch->head if it is new; id or 0. */
uint64_t pxb_send_op(struct pxb_scratch *scratch, uint64_t salt);

#endif

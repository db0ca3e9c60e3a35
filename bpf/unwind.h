/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * unwind.h - the unwind tables and the walker over them; x86-64.
 *
 * The tables are flat arrays that the loader writes and everybody reads:
 *
 *   rules  What to do: where the CFA is and where the caller's rbp and rip are. All objects share
 *          them, for code uses few: 365 in the worst of many objects.
 *   rows   {pc, rule}, 4 bytes, sorted by pc within an object; `rule` holds from here to the next
 *          row. Of pc the low 10 bits are kept, for
 *   pages  has one entry for each 1 KiB of an object's text, and one more: the index of the first
 *          row at or behind its start. Row pages[g] - 1 is then the one in force at the page's
 *          start, and the search runs over the few rows of one page.
 *
 * Every object starts with a row for its first page's start, and ends with one for the end of its
 * text that is PXB_RULE_NONE, so the look-up needs no bounds but the number of pages. A gap between
 * functions is such a row too; else the rule of the function before would be used in it.
 *
 * A process is a sorted list of mappings, found by tgid.
 *
 * walk.h has the walker. Source: System V ABI, AMD64 supplement, figure 3.36 (register numbers);
 * DWARF 5, 6.4.
 */
#ifndef PXB_UNWIND_H
#define PXB_UNWIND_H
#include "bpf/record.h"

enum {
	PXB_ROWS_MAX = 1 << 22, /* 16 MiB: the rows of 200 MiB of text, at 20 a KiB */
	PXB_PAGE_SHIFT = 10,	/* 1 KiB of text: 10 to 30 rows, a search of 5 steps */
	PXB_PAGES_MAX = 1 << 18,
	PXB_RULES_MAX = 1 << 13,
	PXB_MAPPINGS_MAX = 256,	   /* of a process, executable; postgres has 43 */
	PXB_SEEN_MAX = 1 << 16,	   /* stacks that need not be sent again */
	PXB_CONTEXTS_MAX = 4,	   /* copies of Prax in a process */
	PXB_TRAMPOLINE_SIZE = 128, /* bytes: a slot of [uprobes]; the trampoline has the first */
	PXB_GUESS_MAX = 1 << 20,   /* bytes: how far above rsp a guessed frame may be */
	PXB_WINDOW_MIN = 256,	   /* bytes of a stack, read at once */
	PXB_WINDOW_MAX = 4096,	   /* a power of two */
	PXB_KNOWN_MAX = 256,	   /* rules that a walk's memory keeps; a power of two */
};

/* DWARF numbers: rax rdx rcx rbx rsi rdi rbp rsp r8..r15 */
enum { PXB_REG_BX = 3, PXB_REG_BP = 6, PXB_REG_SP = 7, PXB_REGS = 16 };

/* Where the CFA (the caller's rsp) is. */
enum pxb_rule_kind {
	PXB_RULE_NONE,	 /* no rule: a gap, or code without unwind information */
	PXB_RULE_BAD,	 /* a rule that does not fit here */
	PXB_RULE_END,	 /* rip is undefined: the outermost frame */
	PXB_RULE_SIGNAL, /* rsp points at a struct ucontext */
	PXB_RULE_CFA,	 /* reg + offset */
	PXB_RULE_DEREF,	 /* *(reg + offset) + add */
	PXB_RULE_PLT,	 /* rsp + 8, and 8 more once (rip & 15) >= offset: a lazy PLT stub */
};

/* Where the caller's rbp is. */
enum pxb_rule_bp {
	PXB_BP_SAME, /* still in rbp */
	PXB_BP_CFA,  /* saved at CFA + bp_offset */
	PXB_BP_BP,   /* saved at rbp + bp_offset: functions that realign their stack */
	PXB_BP_LOST, /* not known */
};

/* Where the caller's rbx is, in `add` of PXB_RULE_CFA: 0 = not known, PXB_BX_SAME, or, below 0,
 * saved at CFA + add. Objects without a CFA in rbx have 0 throughout. */
enum { PXB_BX_SAME = 1 };

/* Rules 0 and 1 of every table are PXB_RULE_NONE and PXB_RULE_BAD. */
struct pxb_rule {
	uint8_t kind; /* enum pxb_rule_kind */
	uint8_t reg;  /* DWARF number */
	uint8_t bp;   /* enum pxb_rule_bp */
	uint8_t ra;   /* return address: 0 = at CFA - 8, else in register ra - 1 */
	int32_t offset;
	int32_t add;
	int32_t bp_offset;
};

struct pxb_row {
	uint16_t pc; /* vaddr & 1023 */
	uint16_t rule;
};

struct pxb_mapping {
	uint64_t start, end;
	uint64_t bias;	/* address - bias = offset from the object's first page */
	uint32_t page;	/* index of the object's first page entry */
	uint32_t pages; /* how many pages; there is an entry more; 0 = an object without rows */
};

/* What programs know of a process; by tgid. Sorted by start, not overlapping. */
struct pxb_process {
	uint64_t salt;	     /* of ids; another after exec, dlclose */
	uint32_t n;	     /* mappings in use */
	uint32_t n_contexts; /* copies of Prax */
	int64_t anon_pages;  /* as the kernel counted at the last change, and 1; 0: not known */
	int64_t contexts[PXB_CONTEXTS_MAX]; /* thread pointer + this = address of the context */
	struct pxb_mapping mappings[PXB_MAPPINGS_MAX];
};

/* A rule that was looked up before. The tables are cold when a sample comes, a millisecond of the
 * program later: mapping, page, rows and rule are five lines from afar, this is one. */
struct pxb_known {
	uint64_t key; /* hash of the process's salt and pc; 0 = free */
	struct pxb_rule rule;
	uint64_t pad; /* to half a line of the cache, so that none lies across two */
};

#pragma GCC diagnostic push
#ifdef __clang__ /* stack.frames[] is the array that follows it: one record */
#pragma clang diagnostic ignored "-Wgnu-variable-sized-type-not-at-end"
#endif
/* A walk: registers in, frames out. Memory of one walker at a time, cleared once. */
struct pxb_walk {
	uint64_t regs[PXB_REGS]; /* of the frame at hand; by DWARF number */
	uint64_t ip;
	uint64_t hash;
	uint64_t trampoline; /* return address of functions with a pending uretprobe; 0 = none */
	uint64_t word[18];   /* what was read from the stack */
	uint32_t mapping;    /* where the last pc was found */
	uint8_t leaf; /* the frame at hand: all registers are right and ip is no return address */
	uint8_t guessed;      /* a frame pointer was guessed on the way */
	uint16_t n;	      /* frames so far */
	struct pxb_rule rule; /* in force at the frame at hand */
	struct pxb_stack stack;
	uint64_t frames[PXB_FRAMES_MAX + 1]; /* a power of two, for the mask */
	/* Kept from walk to walk, as is `mapping`: clear it before the first. */
	struct pxb_known known[PXB_KNOWN_MAX] __attribute__((aligned(32)));
#ifdef __bpf__
	/* A part of the stack, read at once: a read of user memory costs some 100 ns, and 1 KiB no
	 * 20 more. First the innermost part, as large as stacks were lately (`window_wish` bytes);
	 * if the stack goes on, what follows. */
	uint64_t start; /* rsp of the innermost frame */
	uint64_t window_at;
	uint32_t window_size, window_wish;
	uint64_t window[PXB_WINDOW_MAX / 8];
#endif
};
#pragma GCC diagnostic pop

static inline uint64_t pxb_hash(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
	return hash ^ hash >> 29;
}

#endif

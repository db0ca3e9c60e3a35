/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * walk.h - the stack walker over the tables of unwind.h.
 *
 * The walker is one source for BPF and for user space (unit tests, the preload). Who wants it
 * defines these first and includes this file:
 *
 *   PXB_ROW(w, i), PXB_PAGE(w, i), PXB_RULE(w, i)
 *       values from the tables; i may be anything
 *   PXB_READ(w, to, size, addr)
 *       0, or not 0 if the target's memory cannot be read
 *   PXB_REPAIR(w, slot)
 *       the return address that a uretprobe replaced in `slot`, 0 if it is not known; for slot 0
 *       that of the newest one that is pending; its slot goes to w->word[3]. Asked only where
 *       w->trampoline was met
 *   PXB_STEP_LINKAGE
 *       `static inline`; `__noinline` in BPF, where the step must be global
 *
 * and calls pxb_walk_begin(), sets regs[] and ip, and calls pxb_walk(). The step is a function of
 * its own because the verifier checks a global one once, not once an iteration: 127 iterations of
 * an inlined step go over its limit of a million instructions. All state lives in memory that the
 * verifier does not track, so that states of different iterations look the same to it.
 *
 * Of the registers rsp and rbp are recovered in callers, and rbx as long as the walk is in objects
 * that have a CFA in rbx: ld.so, whose functions for lazy binding and for TLS call others with it.
 * Elsewhere rbx is 0, which is no CFA. Rules on other registers are good for the innermost frame,
 * and for the one that a signal interrupted. Source: System V ABI, AMD64
 * supplement, 3.7 and figure 3.36 (register numbers); DWARF 5, 6.4; Linux
 * arch/x86/include/uapi/asm/sigcontext.h.
 */
#ifndef PXB_WALK_H
#define PXB_WALK_H
#include "bpf/unwind.h"

#define PXB_INLINE inline __attribute__((always_inline))
#ifdef __clang__
#define PXB_NO_UNROLL _Pragma("unroll 1")
#else
#define PXB_NO_UNROLL
#endif

/* A frame's pc for look-ups: a call may be its function's last instruction. */
static inline uint64_t pxb_pc(const struct pxb_walk *w)
{
	return w->leaf ? w->ip : w->ip - 1;
}

/* Index of the mapping that pc lies in, or PXB_MAPPINGS_MAX. */
static inline uint32_t pxb_find_mapping(const struct pxb_process *p, uint64_t pc)
{
	uint32_t low = 0, high = p->n;

	PXB_NO_UNROLL
	for (int i = 0; i < 9 && low < high; i++) {
		uint32_t mid = (low + high) / 2;

		if (p->mappings[mid & (PXB_MAPPINGS_MAX - 1)].start <= pc)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0 || pc >= p->mappings[(low - 1) & (PXB_MAPPINGS_MAX - 1)].end)
		return PXB_MAPPINGS_MAX;
	return low - 1;
}

/* The rule for a vaddr of the mapping's object. */
static inline uint32_t pxb_find_rule(struct pxb_walk *w, const struct pxb_mapping *m,
				     uint64_t vaddr)
{
	uint32_t page = (uint32_t)(vaddr >> PXB_PAGE_SHIFT), low, high;
	uint16_t pc = vaddr & ((1 << PXB_PAGE_SHIFT) - 1);

	if (vaddr >> 32 || page >= m->pages)
		return PXB_RULE_NONE;
	low = PXB_PAGE(w, m->page + page);
	high = PXB_PAGE(w, m->page + page + 1);
	PXB_NO_UNROLL
	for (int i = 0; i <= PXB_PAGE_SHIFT && low < high; i++) {
		uint32_t mid = (low + high) / 2;

		if (PXB_ROW(w, mid).pc <= pc)
			low = mid + 1;
		else
			high = mid;
	}
	return PXB_ROW(w, low - 1).rule;
}

/* Loads the rule for the frame at hand into w->rule; PXB_END_NONE, or the reason for having none.
 * Rules that were found are known from then on: what a salt and an address mean never changes, but
 * that there was nothing may. */
static inline enum pxb_end pxb_find(struct pxb_walk *w, const struct pxb_process *p)
{
	const uint64_t pc = pxb_pc(w), key = pxb_hash(p->salt, pc);
	struct pxb_known *known = &w->known[key & (PXB_KNOWN_MAX - 1)];
	uint32_t i = w->mapping & (PXB_MAPPINGS_MAX - 1);

	if (known->key == key) {
		w->rule = known->rule;
		return PXB_END_NONE;
	}
	if (pc < p->mappings[i].start || pc >= p->mappings[i].end) {
		i = pxb_find_mapping(p, pc);
		if (i >= PXB_MAPPINGS_MAX)
			return PXB_END_NO_MAPPING;
		w->mapping = i;
		i &= PXB_MAPPINGS_MAX - 1;
	}
	w->rule = PXB_RULE(w, pxb_find_rule(w, &p->mappings[i], pc - p->mappings[i].bias));
	if (w->rule.kind == PXB_RULE_NONE)
		return PXB_END_NO_ROW;
	known->key = key;
	known->rule = w->rule;
	return PXB_END_NONE;
}

/* Code without rules, such as what a JIT makes, often keeps frame pointers. */
static inline bool pxb_guess(struct pxb_walk *w)
{
	uint64_t bp = w->regs[PXB_REG_BP], sp = w->regs[PXB_REG_SP];

	if (bp < sp || bp - sp > PXB_GUESS_MAX || bp & 7)
		return false;
	w->rule = (struct pxb_rule){.kind = PXB_RULE_CFA,
				    .reg = PXB_REG_BP,
				    .bp = PXB_BP_CFA,
				    .offset = 16,
				    .bp_offset = -16};
	w->guessed = 1;
	return true;
}

/* The frame that a signal interrupted: gregs of the ucontext at rsp, offset 40: r8..r15, rdi, rsi,
 * rbp, rbx, rdx, rax, rcx, rsp, rip. */
static inline enum pxb_end pxb_step_signal(struct pxb_walk *w)
{
	if (PXB_READ(w, w->word, 17 * 8, w->regs[PXB_REG_SP] + 40))
		return PXB_END_FAULT;
	for (int i = 0; i < 8; i++)
		w->regs[8 + i] = w->word[i];
	w->regs[5] = w->word[8];
	w->regs[4] = w->word[9];
	w->regs[6] = w->word[10];
	w->regs[3] = w->word[11];
	w->regs[1] = w->word[12];
	w->regs[0] = w->word[13];
	w->regs[2] = w->word[14];
	w->regs[7] = w->word[15];
	w->ip = w->word[16];
	w->leaf = 1;
	return PXB_END_NONE;
}

/* Whether a caller's CFA register still has its value: OpenSSL's assembly keeps the CFA in rax
 * across calls of its own, so the callee leaves rax alone. Of the innermost frame all registers are
 * known; what its rules do not mention is unchanged, as libgcc's unwinder reads it too. Value:
 * base. */
static inline bool pxb_register_kept(const struct pxb_walk *w, uint64_t base)
{
	return w->n == 2 && w->stack.leaf && base > w->regs[PXB_REG_SP] &&
	       base - w->regs[PXB_REG_SP] < PXB_GUESS_MAX;
}

/* The CFA goes to w->word[2]. */
static inline enum pxb_end pxb_find_cfa(struct pxb_walk *w)
{
	const struct pxb_rule *r = &w->rule;
	uint64_t base = w->regs[r->reg & (PXB_REGS - 1)];

	if (r->kind == PXB_RULE_PLT) {
		w->word[2] = w->regs[PXB_REG_SP] + 8;
		if ((w->ip & 15) >= (uint64_t)r->offset)
			w->word[2] += 8;
		return PXB_END_NONE;
	}
	if (!w->leaf && r->reg != PXB_REG_SP && r->reg != PXB_REG_BP &&
	    (r->reg != PXB_REG_BX || r->kind != PXB_RULE_CFA) && !pxb_register_kept(w, base))
		return PXB_END_BAD_RULE;
	w->word[2] = base + (uint64_t)r->offset;
	if (r->kind == PXB_RULE_DEREF) {
		if (PXB_READ(w, &w->word[2], 8, base + (uint64_t)r->offset))
			return PXB_END_FAULT;
		w->word[2] += (uint64_t)r->add;
	}
	return PXB_END_NONE;
}

/* rbp and return address of the caller go to w->word[0] and [1]. */
static inline enum pxb_end pxb_find_saved(struct pxb_walk *w, uint64_t cfa)
{
	const struct pxb_rule *r = &w->rule;
	uint64_t bp = w->regs[PXB_REG_BP];

	w->word[0] = r->bp == PXB_BP_LOST ? 0 : bp;
	if (r->ra) {
		if (!w->leaf)
			return PXB_END_BAD_RULE;
		w->word[1] = w->regs[(r->ra - 1) & (PXB_REGS - 1)];
	} else if (r->bp == PXB_BP_CFA && r->bp_offset == -16) { /* the usual: one read for both */
		return PXB_READ(w, w->word, 16, cfa - 16) ? PXB_END_FAULT : PXB_END_NONE;
	} else if (PXB_READ(w, &w->word[1], 8, cfa - 8)) {
		return PXB_END_FAULT;
	}
	if (r->bp == PXB_BP_CFA || r->bp == PXB_BP_BP) {
		if (PXB_READ(w, w->word, 8,
			     (r->bp == PXB_BP_CFA ? cfa : bp) + (uint64_t)r->bp_offset))
			return PXB_END_FAULT;
	}
	return PXB_END_NONE;
}

/* The caller's rbx, by a rule that says where it is. Rarely called, and global like the step. */
PXB_STEP_LINKAGE int pxb_find_bx(struct pxb_walk *w, uint64_t cfa)
{
	if (!w || w->rule.add == PXB_BX_SAME)
		return 0;
	if (PXB_READ(w, &w->regs[PXB_REG_BX], 8, cfa + (uint64_t)w->rule.add))
		w->regs[PXB_REG_BX] = 0;
	return 0;
}

/* From the frame at hand to its caller by w->rule. */
static inline enum pxb_end pxb_step_rule(struct pxb_walk *w)
{
	enum pxb_end end = pxb_find_cfa(w);
	uint64_t cfa = w->word[2], ra;

	if (end)
		return end;
	if (cfa <= w->regs[PXB_REG_SP] && !(w->rule.ra && cfa == w->regs[PXB_REG_SP]))
		return PXB_END_BAD_RULE; /* no progress */
	end = pxb_find_saved(w, cfa);
	if (end)
		return end;
	if (w->word[1] == 0)
		return PXB_END_OK;
	ra = w->word[1];
	if (ra == w->trampoline) {
		ra = PXB_REPAIR(w, cfa - 8);
		if (ra == 0)
			return PXB_END_TRAMPOLINE;
	}
	if (w->rule.kind == PXB_RULE_CFA && w->rule.add)
		pxb_find_bx(w, cfa);
	else
		w->regs[PXB_REG_BX] = 0;
	w->ip = ra;
	w->regs[PXB_REG_SP] = cfa;
	w->regs[PXB_REG_BP] = w->word[0];
	w->leaf = 0;
	return PXB_END_NONE;
}

/* A function with a return probe has returned, and its thread is in the trampoline: rbp is the
 * caller's. Linux arch/x86/kernel/uprobes.c, uretprobe_trampoline_entry: three pushes and a system
 * call, which puts the return address in the place of the first; at 13 pop r11, at 15 pop rcx, at
 * 16 ret. Before 6.11 it was a breakpoint: nothing is ever pushed. */
static inline enum pxb_end pxb_step_trampoline(struct pxb_walk *w)
{
	uint64_t at = w->ip - w->trampoline, sp = w->regs[PXB_REG_SP];
	uint64_t ra = PXB_REPAIR(w, 0);

	if (ra == 0 || at > 13 || w->word[3] + 8 - sp > 24) { /* of a function further out */
		sp += at <= 13 ? 16 : at <= 15 ? 8 : 0;
		w->word[3] = sp;
		if (PXB_READ(w, &ra, 8, sp))
			return PXB_END_FAULT;
		if (ra == 0 || at < 13)
			return PXB_END_TRAMPOLINE;
	}
	w->ip = ra;
	w->regs[PXB_REG_SP] = w->word[3] + 8;
	w->leaf = 0;
	return PXB_END_NONE;
}

/* Notes the frame at hand and goes to its caller; not 0 (enum pxb_end) when the walk is over. */
PXB_STEP_LINKAGE int pxb_step(struct pxb_walk *w, const struct pxb_process *p)
{
	enum pxb_end end;

	if (!w || !p)
		return PXB_END_BAD_RULE;
	if (w->n >= PXB_FRAMES_MAX)
		return PXB_END_TRUNCATED;
	w->frames[w->n & PXB_FRAMES_MAX] = w->ip;
	w->n++;
	w->hash = pxb_hash(w->hash, w->ip);

	end = pxb_find(w, p);
	if (end && w->leaf && w->trampoline && w->ip - w->trampoline < PXB_TRAMPOLINE_SIZE)
		return (int)pxb_step_trampoline(w);
	if (end && !pxb_guess(w))
		return (int)end;
	switch (w->rule.kind) {
	case PXB_RULE_END:
		return PXB_END_OK;
	case PXB_RULE_BAD:
		return PXB_END_BAD_RULE;
	case PXB_RULE_SIGNAL:
		return (int)pxb_step_signal(w);
	default:
		return (int)pxb_step_rule(w);
	}
}

struct pxb_frame {
	uint64_t ip, sp, bp;
};

/* To the frame's caller by a rule of the kind that most have: the CFA from rsp or rbp, and the
 * caller's rbp as it is or saved below the CFA. false: not this way. */
static PXB_INLINE bool pxb_step_plain(struct pxb_walk *w, const struct pxb_rule *r,
				      struct pxb_frame *f)
{
	uint64_t cfa = (r->reg == PXB_REG_SP ? f->sp : f->bp) + (uint64_t)r->offset;
	uint64_t ra, bp = f->bp;

	if (r->kind != PXB_RULE_CFA || (r->reg != PXB_REG_SP && r->reg != PXB_REG_BP) ||
	    r->bp > PXB_BP_CFA || r->ra || r->add || cfa <= f->sp)
		return false;
	if (PXB_READ(w, &ra, 8, cfa - 8) || ra == 0 || ra == w->trampoline)
		return false;
	if (r->bp == PXB_BP_CFA && PXB_READ(w, &bp, 8, cfa + (uint64_t)r->bp_offset))
		return false;
	*f = (struct pxb_frame){ra, cfa, bp};
	return true;
}

/* Steps over the frames at hand as long as their rules are known and plain; PXB_END_OK if that was
 * all of the stack, or 0: pxb_step() does what is left. It comes to the same, but what changes from
 * frame to frame stays in registers, and there is no call for each. */
static PXB_INLINE int pxb_run_inline(struct pxb_walk *w, uint64_t salt)
{
	struct pxb_frame f = {w->ip, w->regs[PXB_REG_SP], w->regs[PXB_REG_BP]};
	uint64_t hash = w->hash, ip, key;
	const struct pxb_known *known;
	int end = PXB_END_NONE;
	uint32_t n = w->n;
	bool leaf = w->leaf;

	PXB_NO_UNROLL
	for (int i = 0; i < PXB_FRAMES_MAX && n < PXB_FRAMES_MAX && !end; i++) {
		ip = f.ip;
		key = pxb_hash(salt, leaf ? ip : ip - 1);
		known = &w->known[key & (PXB_KNOWN_MAX - 1)];
		if (known->key != key)
			break;
		if (known->rule.kind == PXB_RULE_END)
			end = PXB_END_OK;
		else if (!pxb_step_plain(w, &known->rule, &f))
			break;
		w->frames[n & PXB_FRAMES_MAX] = ip;
		hash = pxb_hash(hash, ip);
		leaf = false;
		n++;
	}
	if (n == w->n)
		return end;
	if (f.sp != w->regs[PXB_REG_SP])
		w->regs[PXB_REG_BX] = 0;
	w->regs[PXB_REG_SP] = f.sp;
	w->regs[PXB_REG_BP] = f.bp;
	w->ip = f.ip;
	w->hash = hash;
	w->n = (uint16_t)n;
	w->leaf = leaf;
	return end;
}

PXB_STEP_LINKAGE int pxb_run(struct pxb_walk *w, uint64_t salt)
{
	return w ? pxb_run_inline(w, salt) : PXB_END_NONE;
}

/* leaf: 1 = ip is where the thread is (a sample, a function's entry) and all regs are right; 0 = ip
 * is a return address (a function's return). The caller sets ip and regs before or after. */
static inline void pxb_walk_begin(struct pxb_walk *w, uint64_t salt, bool leaf)
{
	w->hash = salt;
	w->n = 0;
	w->leaf = leaf;
	w->guessed = 0;
	w->stack.leaf = leaf;
}

/* Fills stack.{n, end, kernel, id}; the id is never 0. */
static inline void pxb_walk_end(struct pxb_walk *w, int end)
{
	w->stack.n = w->n;
	w->stack.end = (uint8_t)end;
	w->stack.kernel = 0;
	w->stack.id = pxb_hash(w->hash, (uint64_t)end << 1 | w->stack.leaf) | 1;
}

/* The frames that pxb_run() left, and stack. */
static inline enum pxb_end pxb_walk_on(struct pxb_walk *w, const struct pxb_process *p)
{
	int end = PXB_END_NONE;

	for (int i = 0; i <= PXB_FRAMES_MAX && !end; i++) {
		end = pxb_step(w, p);
		if (!end)
			end = pxb_run(w, p->salt);
	}
	if (end == PXB_END_OK && w->guessed)
		end = PXB_END_OK_GUESSED;
	pxb_walk_end(w, end);
	return (enum pxb_end)end;
}

/* Fills frames and stack. */
static inline enum pxb_end pxb_walk(struct pxb_walk *w, const struct pxb_process *p)
{
	if (!pxb_run(w, p->salt))
		return pxb_walk_on(w, p);
	pxb_walk_end(w, PXB_END_OK);
	return PXB_END_OK;
}
#endif

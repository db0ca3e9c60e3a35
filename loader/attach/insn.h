/* insn.h - where in a function a probe is cheap: the machine-dependent part of placement.
 *
 * The kernel emulates a few instructions under a uprobe (one trap) and single-steps all others (two
 * traps, 3.7 times as dear where it was measured: 5.2 against 18.9 us). So a probe "at entry" goes
 * on the first emulated instruction that every call passes with the arguments and the stack pointer
 * still as they were at entry. The latter lets a return probe sit there too.
 *
 * Only the straight line from the first byte is decoded, with a small table of what compilers put
 * into prologues; whatever is not in the table ends the search, and the first byte is used, which
 * is always right and sometimes dear. A jump from elsewhere in the function into the chosen place
 * would count calls twice, so a place at which any four or one displacement bytes of the function
 * could point is refused; that errs on the safe side only. Source: Intel SDM volume 2;
 * arch/x86/kernel/uprobes.c, push_setup_xol_ops, branch_setup_xol_ops.
 */
#ifndef LOADER_ATTACH_INSN_H
#define LOADER_ATTACH_INSN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INSN_PROLOGUE_MAX = 8 }; /* instructions looked at */

struct insn {
    uint8_t size;  /* bytes */
    bool emulated; /* one trap under a uprobe */
    bool keeps;    /* writes neither an argument register nor the stack pointer, and goes on */
};

/* Decodes one instruction of the table at code[size]; false: not in the table, or cut short. */
bool insn__decode(const uint8_t *code, size_t size, struct insn *out);

/* Offset from the function's first byte at which a probe of its entry should sit; 0 when nothing
 * better than the first byte is known. code[size] is the function. */
size_t insn__place(const uint8_t *code, size_t size);

#endif

/* cfa.h - the machine that call frame instructions run on, and what it yields: a rule at a pc.
 *
 * Only what the walker can use is kept of the register table: the CFA, rbp, the return address, and
 * rbx where an object's rules need it.
 * Source: DWARF 5, 6.4.2; LSB 5, 10.5 (GNU additions); dwarf.h has the names. */
#ifndef LOADER_UNWIND_CFA_H
#define LOADER_UNWIND_CFA_H
#include "bpf/unwind.h"
#include "loader/unwind/cursor.h"

enum { CFA_STATES_MAX = 64 }; /* remembered; compilers nest 1, hand-written code 3 */

/* What is known of the CFA or of one register. */
struct cfa_value {
    enum {
        CFA_SAME,       /* the register keeps its value; for the CFA: nothing was said */
        CFA_UNDEFINED,  /* not recoverable; for the return address: the outermost frame */
        CFA_OFFSET,     /* saved at CFA + offset; the CFA: reg + offset */
        CFA_REGISTER,   /* in reg */
        CFA_EXPRESSION, /* saved at the address that the expression yields; the CFA: its value */
        CFA_OTHER,      /* well-formed, of no use here */
    } kind;
    uint8_t reg; /* DWARF number, 255 = another than 0..15 */
    int64_t offset;
    const uint8_t *expression; /* expression[size]; borrowed */
    size_t size;
};

struct cfa_state {
    struct cfa_value cfa, bp, ra, bx;
};

struct cfa_cie {
    uint64_t code_factor;
    int64_t data_factor;
    uint64_t return_register;
    uint8_t pointer_encoding; /* of an FDE's addresses */
    bool augmented;           /* an FDE has a sized augmentation, too */
    bool signal;
    struct cursor instructions;
};

/* Where rows go. */
struct cfa_sink {
    /* state holds from pc on; false: stop. */
    bool (*row)(void *arg, uint64_t pc, const struct cfa_state *state, bool signal);
    /* An encoded address, relative to where it stands. */
    uint64_t (*pointer)(void *arg, struct cursor *c, uint8_t encoding);
    void *arg;
    bool bx;        /* rows say where rbx is, too; else it is CFA_UNDEFINED */
    uint64_t steps; /* instructions that may still be run, over all entries: no quadratic files */
};

/* Runs a CIE's instructions and then an FDE's for [begin, end). false: damaged, or out of steps, or
 * the sink said stop; rows up to there were given. */
bool cfa__run(struct cfa_sink *sink, const struct cfa_cie *cie, struct cursor instructions,
              uint64_t begin, uint64_t end);
/* The walker's rule for a state; PXB_RULE_BAD where there is none. */
struct pxb_rule cfa__rule(const struct cfa_state *state, bool signal);

#endif

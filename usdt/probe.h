/* probe.h - how the library fires its probes. Made from probes.def.
 *
 *     PXI_PROBE(tx__begin, id, connection_id, depth);
 *
 * With nobody listening that is one load and one predictable branch, and the arguments are not even
 * computed. A probe with costly preparation asks PXI_PROBE_ON(name) first. 8-byte arguments take an
 * uint64_t or any pointer to an object, the others exactly their type; a wrong count or type does
 * not compile.
 *
 * The two probes of a verb are fired through a table, by the record of the operation.
 */
#ifndef PXI_USDT_PROBE_H
#define PXI_USDT_PROBE_H
#include <prax/usdt.h>
#include <stdbool.h>

/* A pointer or an integer in one register; callers pass either, not this. */
union pxi_word {
    uint64_t value;
    const volatile void *pointer;
} __attribute__((transparent_union));

/* The type of an argument of s bytes, s as in probes.def. */
#define PXI_ARGUMENT(s)                                               \
    __typeof__(__builtin_choose_expr((s) == 8, (union pxi_word){ 0 }, \
                                     __builtin_choose_expr((s) < 0, (int32_t)0, (uint32_t)0)))
#define PXI_ARGUMENTS_1(a, b, c, d, e, f) PXI_ARGUMENT(a)
#define PXI_ARGUMENTS_2(a, b, c, d, e, f) PXI_ARGUMENT(a), PXI_ARGUMENT(b)
#define PXI_ARGUMENTS_3(a, b, c, d, e, f) PXI_ARGUMENTS_2(a, b, , , , ), PXI_ARGUMENT(c)
#define PXI_ARGUMENTS_4(a, b, c, d, e, f) PXI_ARGUMENTS_3(a, b, c, , , ), PXI_ARGUMENT(d)
#define PXI_ARGUMENTS_5(a, b, c, d, e, f) PXI_ARGUMENTS_4(a, b, c, d, , ), PXI_ARGUMENT(e)
#define PXI_ARGUMENTS_6(a, b, c, d, e, f) PXI_ARGUMENTS_5(a, b, c, d, e, ), PXI_ARGUMENT(f)

#pragma GCC visibility push(hidden)

typedef void pxi_verb_start_fn(const struct prax_op_record *, const char *model, const char *sql,
                               uint64_t fingerprint, uint64_t conn_id);
typedef void pxi_verb_done_fn(const struct prax_op_record *, const char *model, const char *sql,
                              uint64_t duration_ns, uint64_t rows, int32_t status);

#define PRAX_VERB(name, text)                                                               \
    extern volatile uint16_t prax_##name##__start_semaphore, prax_##name##__done_semaphore; \
    pxi_verb_start_fn pxp_##name##__start;                                                  \
    pxi_verb_done_fn pxp_##name##__done;
#define PRAX_PROBE(name, nargs, s0, s1, s2, s3, s4, s5) \
    extern volatile uint16_t prax_##name##_semaphore;   \
    void pxp_##name(PXI_ARGUMENTS_##nargs(s0, s1, s2, s3, s4, s5));
#include "usdt/probes.def"

/* By enum prax_usdt_verb. [PRAX_USDT_NONE] is there and never on. */
struct pxi_verb_probes {
    const char *name;                  /* of the verb */
    const volatile uint16_t *start_on; /* semaphore: how many listen */
    pxi_verb_start_fn *start;
    const volatile uint16_t *done_on;
    pxi_verb_done_fn *done;
};
extern const struct pxi_verb_probes pxi_verb_probes[PRAX_USDT_VERBS];

#pragma GCC visibility pop

#define PXI_PROBE_ON(name) __builtin_expect(prax_##name##_semaphore != 0, 0)
#define PXI_PROBE(name, ...)         \
    do {                             \
        if (PXI_PROBE_ON(name))      \
            pxp_##name(__VA_ARGS__); \
    } while (0)

/* Whether somebody listens to VERB__done: then, and only then, an operation reads clocks. */
static inline bool pxi_verb_done_on(enum prax_usdt_verb verb)
{
    return __builtin_expect(*pxi_verb_probes[verb].done_on != 0, 0);
}

/* A text of a record, which holds addresses as numbers. */
static inline const char *pxi_verb_text(uint64_t address)
{
    return (const char *)(uintptr_t)address;
}

/* VERB__start of the record's verb, with what the record holds. */
static inline void pxi_verb_start(const struct prax_op_record *op)
{
    const struct pxi_verb_probes *p = &pxi_verb_probes[op->verb];
    if (__builtin_expect(*p->start_on == 0, 1))
        return;
    p->start(op, pxi_verb_text(op->model), pxi_verb_text(op->sql), op->fingerprint, op->conn_id);
}

/* VERB__done likewise. Only for an operation with PRAX_OP_TIMED, else there is no duration. */
static inline void pxi_verb_done(const struct prax_op_record *op, uint64_t duration_ns)
{
    const struct pxi_verb_probes *p = &pxi_verb_probes[op->verb];
    if (__builtin_expect(*p->done_on == 0, 1))
        return;
    p->done(op, pxi_verb_text(op->model), pxi_verb_text(op->sql), duration_ns, op->rows,
            op->status);
}

#endif

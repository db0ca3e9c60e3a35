/* probe.c - the table of the verbs' probes, made from probes.def. */
#include "usdt/probe.h"

static const volatile uint16_t never;

const struct pxi_verb_probes pxi_verb_probes[] = {
    { "", &never, 0, &never, 0 },
#define PRAX_VERB(name, text)                                                                      \
    { #name, &prax_##name##__start_semaphore, pxp_##name##__start, &prax_##name##__done_semaphore, \
      pxp_##name##__done },
#include "usdt/probes.def"
};

_Static_assert(sizeof pxi_verb_probes / sizeof *pxi_verb_probes == PRAX_USDT_VERBS,
               "enum prax_usdt_verb and probes.def list different verbs");

/* probe_fire.c - fires the probes of all verbs, a known number of times, with known arguments.
 *
 *     probe_fire VERB|all [CALLS]
 *
 * Waits until somebody listens to VERB__done (all: to every verb's), at most 60 s; then makes CALLS
 * operations of the verb (1,000), of which every hundredth takes 2 ms and the others i us by their
 * record. Nothing here takes time: durations are made up, so that a listener's figures can be
 * compared exactly.
 */
#include "usdt/context.h"
#include "usdt/probe.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char sql[] = "SELECT id, name FROM users WHERE id = ?";
static const char model[] = "User";

static void fire(enum prax_usdt_verb verb, unsigned calls)
{
    struct prax_op_record op = {
        .size = sizeof op,
        .version = PRAX_USDT_VERSION,
        .verb = (uint8_t)verb,
        .model = (uintptr_t)model,
        .model_size = sizeof model - 1,
        .sql = (uintptr_t)sql,
        .sql_size = sizeof sql - 1,
        .fingerprint = 0x1122334455667788,
        .conn_id = 7,
    };
    for (unsigned i = 0; i < calls; i++) {
        op.op_id = i;
        const struct prax_op_record *outer = pxi_context_swap(&op);
        pxi_verb_start(&op);
        op.rows = i % 10;
        op.status = i % 50 ? 0 : -8;
        pxi_verb_done(&op, i % 100 == 0 ? 2000000 : i * 1000);
        pxi_context_swap(outer);
    }
}

static bool wanted(enum prax_usdt_verb verb, const char *name)
{
    return strcmp(name, "all") == 0 || strcmp(name, pxi_verb_probes[verb].name) == 0;
}

static bool heard(const char *name)
{
    for (enum prax_usdt_verb v = 1; v < PRAX_USDT_VERBS; v++) {
        if (wanted(v, name) && !pxi_verb_done_on(v))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "all";
    unsigned calls = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000;
    for (int ms = 0; !heard(name); ms += 10) {
        if (ms > 60000) {
            fprintf(stderr, "probe_fire: nobody listened to %s for 60 s\n", name);
            return 1;
        }
        usleep(10000);
    }
    usleep(500000); /* bpftrace may raise a semaphore before it attaches */
    for (enum prax_usdt_verb v = 1; v < PRAX_USDT_VERBS; v++) {
        if (wanted(v, name))
            fire(v, calls);
    }
    return 0;
}

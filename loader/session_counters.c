/* session_counters.c - what processes say themselves of libprax's memory: their counters, read from
 * outside while they run. So blocks from before the recording, which no probe tells of, are known
 * by purpose at least. */
#include "loader/session_internal.h"

/* A copy of Prax is met once for each executable mapping of its file. */
struct copies {
    uint64_t addresses[PRAX_COPIES_MAX];
    size_t n;
};

static bool is_new(struct copies *c, uint64_t address)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->addresses[i] == address)
            return false;
    }
    if (c->n == PRAX_COPIES_MAX)
        return false;
    c->addresses[c->n++] = address;
    return true;
}

static void add_copy(struct heap_held *held, pid_t pid, uint64_t descriptor)
{
    struct prax_abi abi;
    struct prax_stats sum = { 0 };
    if (prax_abi__read(pid, descriptor, &abi) || prax_stats__sum(pid, &abi, &sum))
        return;
    for (unsigned i = 0; i < PRAX_STATS_PURPOSES && i < HEAP_PURPOSES; i++) {
        if (sum.purpose_bytes[i] <= 0 || sum.purpose_blocks[i] <= 0)
            continue;
        held->bytes[i] += (uint64_t)sum.purpose_bytes[i];
        held->blocks[i] += (uint64_t)sum.purpose_blocks[i];
    }
}

void counters__read(const struct session *s, struct heap_held *held)
{
    *held = (struct heap_held){ 0 };
    for (size_t i = 0; i < s->procs.count; i++) {
        const struct proc *p = procs__at(s, i);
        struct copies copies = { .n = 0 };
        for (size_t k = 0; k < p->n && !p->gone; k++) {
            const struct area *a = &p->areas[k];
            const size_t n = a->to_ns == UINT64_MAX && a->image ? a->image->n_descriptors : 0;
            for (size_t d = 0; d < n; d++) {
                if (is_new(&copies, a->image->descriptors[d] + a->bias))
                    add_copy(held, p->pid, a->image->descriptors[d] + a->bias);
            }
        }
    }
}

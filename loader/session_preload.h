/* session_preload.h - `record --heap -- CMD`: the heap of a command from within, by a library that
 * is loaded in front of its C library (loader/preload/).
 *
 * The loader makes the shared memory (a memfd that the command and its children inherit), puts the
 * library's path and the descriptor's number into the command's environment, and turns what comes
 * through the ring into records of bpf/record.h, in order. No probe is needed, and no trap is paid.
 *
 * What is in the ring was written by the command: it is copied first and checked by who takes it.
 */
#ifndef LOADER_SESSION_PRELOAD_H
#define LOADER_SESSION_PRELOAD_H
#include "loader/session_launch.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct preload;

/* Why the library cannot go into a command. */
enum preload_obstacle {
    PRELOAD_NONE,
    PRELOAD_STATIC,     /* no loader that would load it */
    PRELOAD_OWN_MALLOC, /* the program's own functions come first */
    PRELOAD_OPERATORS,  /* C++, with an allocator whose operator new does not call malloc */
    PRELOAD_SET_ID,     /* the loader would ignore it */
    PRELOAD_MISSING,    /* the library is not where prax-bpf is */
};
/* Looks at the program that the command starts with, as execvp(3) finds it. */
enum preload_obstacle preload__look(char *const *command, const struct invoker *user);

/* rate: mean bytes between two samples, 0: every event. 0 or -errno. */
int preload__open(struct preload **out, uint64_t rate);
void preload__close(struct preload *p);
/* In the child, before exec: the environment. 0 or -errno. */
int preload__enter(const struct preload *p);
/* Hands over the records that have come; take is a ring_buffer_sample_fn. */
void preload__drain(struct preload *p, int (*take)(void *ctx, void *data, size_t size), void *ctx);
/* From now on events are sampled at another rate: mean bytes between two samples, 0: none any more;
 * totals are counted on. epoch: a number for it, up from 1, that its samples carry. follows: every
 * event was recorded before. */
void preload__sample(struct preload *p, uint64_t rate, uint8_t epoch, bool follows);
/* From now on nothing is written; drain once more. */
void preload__stop(struct preload *p);

/* Sums over all threads that ever were. */
struct preload_totals {
    uint64_t bytes, blocks, frees, failed;
    uint64_t events, samples; /* records; allocations among them, when sampling */
    uint64_t spent_ns;        /* in the command, recording */
    uint64_t waited_ns;       /* in the command, for room in the ring */
    uint64_t lost;            /* records of writers that died in the middle, and what lay behind */
    uint64_t waits;           /* how often the command waited for us */
    uint64_t untold;          /* threads beyond the counters' room */
    uint64_t processes;
};
struct preload_totals preload__totals(const struct preload *p);

#endif

/* bench.h - the bench harness: peers in one process, interleaved, medians with intervals.
 *
 * A bench is a list of *groups*; a group is one operation done by several peers, the first of which
 * is the floor that the others are divided by. Every round runs each peer of a group once, in turn,
 * so that a machine whose speed drifts slows all of them alike; a peer's figure is the median over
 * the rounds, its interval the 2.5 % and 97.5 % order statistics of the *ratio* in the same round.
 * The number of calls a round is found in a warm-up so that a round lasts about 10 ms.
 *
 * A group may ask for the CPU time of the bench's own thread beside the time on the wall: what a
 * client costs, where a server's time hides it. What --save keeps is then the CPU time.
 *
 * With BENCH_RAW=FOLDER in the environment raw figures of every round go to FOLDER/NAME.csv, and a
 * line a group is added to FOLDER/summary.txt. Nothing here ever fails on a time.
 *
 * Options of every bench: --filter TEXT, --rounds N, --profile-time SECONDS (runs the selected
 * peers without pause under `prax-bpf record`), --calls N with --peer TEXT (runs these so often and
 * stops: for a tool that counts instructions), --save NAME, --baseline NAME, --json, --help.
 */
#ifndef BENCH_LIB_BENCH_H
#define BENCH_LIB_BENCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_peer {
    const char *name;
    /* Does the operation `calls` times. Setup and checking belong to setup. */
    void (*run)(void *ctx, uint64_t calls);
    void *ctx; /* handed to run; NULL = that of the bench */
};

enum { BENCH_PEERS_MAX = 8 };

struct bench_group {
    const char *name;
    const char *unit;    /* "get", "row"; NULL = "call" */
    double units_a_call; /* a list of 100 rows timed by the row: 100; 0 = 1 */
    bool cpu;            /* show CPU time, too */
    const char *goal;    /* what is aimed at, shown beside: "<= 1.15 x"; NULL = none */
    unsigned rounds;     /* at most so many, odd, where one takes long; 0 = as usual */
    struct bench_peer peers[BENCH_PEERS_MAX]; /* ends with name NULL; [0] is the floor */
    /* Before and after the group's rounds; may be NULL. setup returns 0, or prints why and -1: then
     * the group is shown as skipped. */
    int (*setup)(void *ctx);
    void (*teardown)(void *ctx);
    /* Before every run of a peer, outside the clock; may be NULL: e.g. BEGIN or a clean table. */
    void (*before)(void *ctx, uint64_t calls);
    void (*after)(void *ctx);
};

/* Runs groups[n]; ctx is passed through. Returns the exit status of the program. */
int bench_main(int argc, char **argv, const char *name, const struct bench_group *groups, size_t n,
               void *ctx);

/* Keeps a result from being optimised away. */
static inline void bench_keep(const void *p)
{
    __asm__ volatile("" : : "r"(p) : "memory");
}

#endif

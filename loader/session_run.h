/* session_run.h - what `record` and `trace` have in common: from a target on the command line to a
 * session that is over.
 *
 * It ends when the command or all processes have ended, when the time is up, or at SIGINT or
 * SIGTERM. A command that is still running gets SIGTERM passed on (SIGINT comes to it from the
 * terminal) and two seconds to end, so that its last work is in the recording; a second signal ends
 * at once. Never is anything killed or waited for without an end, but for a command whose
 * recording's time was up: its exit status is ours.
 */
#ifndef LOADER_SESSION_RUN_H
#define LOADER_SESSION_RUN_H
#include "loader/cli.h"
#include "loader/session.h"
#include "loader/session_launch.h"

struct run {
    struct cli_target *target;
    struct session_options options;
    double seconds;             /* 0: no limit */
    bool (*is_over)(void *ctx); /* asked at every poll; may be NULL */
    /* results: */
    struct invoker user;
    struct launch launch;
    struct session_facts facts;
    struct features features;
    uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
    bool interrupted;
    struct session *session; /* open until run__close: its images are where names are looked up */
};

/* CLI_OK, or a status that was told: nothing was recorded. */
int run__observe(struct run *r);
/* Also after a failure. */
void run__close(struct run *r);
/* The command's exit status where there is one, after waiting for it; else `status`. */
int run__exit_status(struct run *r, int status);
/* Whether more than 1 % was lost. */
bool run__is_incomplete(const struct run *r);

#endif

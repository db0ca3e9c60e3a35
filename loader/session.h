/* session.h - one observation: BPF programs loaded, processes watched, records turned into a
 * profile.
 *
 * The life of a session: open (loads the programs), add processes, start (attaches), poll in a loop
 * until it is over, stop (detaches, drains, counts), close. What the programs send is fed into a
 * struct profile; trace also gets each query at once. All functions belong to one thread.
 *
 * Its parts: session_image.c (files that code came from), session_process.c (address spaces over
 * time), session_events.c (the kernel's mmap, fork, exec and exit records), session_attach.c
 * (probes and sampling), session_feed.c (records to profile), session_budget.c (what it costs),
 * session_launch.c (`-- CMD`).
 *
 * Failures are told on stderr, cause and mend, by the function that meets them; the exit status is
 * returned: CLI_OK or CLI_CANNOT.
 */
#ifndef LOADER_SESSION_H
#define LOADER_SESSION_H
#include "loader/attach/selfprobe.h"
#include "loader/profile/profile.h"
#include "loader/session_preload.h"

#include <sys/types.h>

struct session;

/* A finished operation as it arrives. */
struct session_query {
    const struct pxb_query *record;
    const struct operation *op; /* never NULL; verb 0 where its text was lost */
};

struct session_options {
    struct profile *profile; /* fed; borrowed */
    unsigned hz;             /* CPU samples a second and CPU; 0: none */
    bool heap;               /* the allocation family of every process, by probes */
    bool pages;              /* page faults of every process */
    struct preload *preload; /* the same of a command, from within; NULL: not; borrowed */
    bool orm;                /* what libprax allocates, by its probes; not with the two above */
    bool queries;            /* Prax's VERB__done probes */
    bool query_stacks;       /* with call sites */
    bool query_errors;       /* failed operations only */
    double max_overhead;     /* per cent that the processes may run slower; 0: no limit */
    uint64_t query_min_ns;   /* operations that took as long only */
    void (*on_query)(void *ctx, const struct session_query *q); /* may be NULL */
    void *ctx;
};

/* What is known when it is over. */
struct session_facts {
    struct pxb_counters counters;
    uint64_t overhead_ns;  /* hits times the measured cost of a hit, and what pages took */
    uint64_t task_ns;      /* that the processes ran on CPUs while they were looked at */
    uint64_t unresolved;   /* records of processes that were not known */
    uint64_t late_links;   /* children whose allocations were seen late */
    uint64_t late_ns;      /* by how much, together */
    uint64_t missed_links; /* children that ended before their allocations could be seen */
    uint64_t events_lost;  /* kernel records of mappings that found no room */
    uint64_t unwatched;    /* processes beyond process_limit: not observed */
    uint64_t crowded;      /* executable mappings beyond PXB_MAPPINGS_MAX, in the worst process */
    uint64_t without_rows; /* files whose unwind rows found no room in the tables */
    uint64_t stale;        /* records whose stack's code was replaced before it was read */
    uint32_t process_limit;
    const char *allocators;        /* the same */
    const char *backoff;           /* see profile_meta; as long as the session; may be NULL */
    bool unseen_operators;         /* C++ allocates past the library that records from within */
    bool has_prax;                 /* some process had Prax in it */
    struct preload_totals preload; /* all 0 without one */
    bool has_heap;                 /* an allocation function was found and probed */
};

int session__open(struct session **out, const struct session_options *o);
/* Reads a process's mappings and makes its unwind tables. */
int session__add(struct session *s, pid_t pid);
/* Attaches all that was asked for to the processes added. */
int session__start(struct session *s);
/* Handles what has come, waiting at most timeout_ms (10 is the rhythm that buffers are made for),
 * less when other_fd (-1: none) becomes readable. */
void session__poll(struct session *s, int timeout_ms, int other_fd);
/* How many of the processes are still there, children included. */
size_t session__alive(const struct session *s);
/* Detaches and takes in what is left. */
void session__stop(struct session *s, struct session_facts *facts);
void session__close(struct session *s);
const struct features *session__features(const struct session *s);

/* Lets go of every capability that a running session does not need. 0 or -errno. */
int session__drop_privileges(const struct session *s);

#endif

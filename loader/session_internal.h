/* session_internal.h - what the parts of a session share; see session.h. */
#ifndef LOADER_SESSION_INTERNAL_H
#define LOADER_SESSION_INTERNAL_H
#include "loader/cli.h"
#include "loader/session.h"
#include "loader/session_events.h"
#include "loader/session_image.h"
#include "orm/base/buf.h"

/* A piece of code in an address space, for a while. */
struct area {
    uint64_t start, end;
    uint64_t bias;           /* address - bias = vaddr in the image */
    uint64_t from_ns, to_ns; /* when it was there; UINT64_MAX: it still is */
    struct image *image;     /* NULL: code of no file */
};

/* A process, from the first exec that was seen to the last; after an exec another begins in the
 * profile, but this stays the one of its pid. */
struct proc {
    pid_t pid;
    uint32_t process; /* in the profile */
    uint32_t before;  /* what `process` was until since_ns: records of it may be in flight */
    uint64_t since_ns;
    struct area *areas; /* areas[n]: in order of arrival */
    size_t n, capacity;
    bool gone, dirty;     /* dirty: BPF's mapping list is older than ours */
    bool leaderless;      /* its first thread has ended, others may run */
    bool unwatched;       /* there was no room for its entry */
    uint64_t last_ns;     /* when a thread of it ended last */
    uint64_t replaced_ns; /* when code took the place of other code last */
    bool known;           /* its entry is in the map */
    bool waiting;         /* a copy of Prax has not run its constructor yet */
    uint64_t eager_ns;    /* until when it is looked at oftener for that; 0: it is not waiting */
    uint32_t n_contexts;  /* copies that BPF was told of */
    struct uprobes heap;  /* its own links */
    struct image **heap_done; /* heap_done[n_heap_done]: images whose allocator is probed */
    size_t n_heap_done;
    uint64_t born_ns;               /* of a child: when it was forked; 0: there from the start */
    uint64_t cpu_ns, cpu_before_ns; /* on CPUs: as last seen, and before it was observed */
    uint64_t cpu_ended_ns;          /* of processes that had the pid before */
};

/* A process of the profile that is over. */
struct ended {
    uint32_t process;
    uint64_t ts;
};

/* A stack as it was sent. */
struct sent {
    uint64_t ts;
    uint32_t stack; /* in the profile */
};

/* What costs the processes something; see session_budget.c. */
enum budget_kind {
    BUDGET_CPU,
    BUDGET_QUERIES,
    BUDGET_PROBES,   /* of the allocation family */
    BUDGET_PRELOAD,  /* events and samples from within; */
    BUDGET_COUNTING, /* and what every call through the library costs */
    BUDGET_PAGES,
    BUDGET_ORM, /* blocks of Prax */
    BUDGET_KINDS
};

struct budget {
    uint64_t start_ns, next_ns;              /* CLOCK_MONOTONIC */
    uint64_t task_ns, cost_ns[BUDGET_KINDS]; /* when it was judged last */
    bool exhausted[BUDGET_KINDS];            /* nothing is left to do less */
};

struct prax; /* the skeleton */
struct ring_buffer;

struct session {
    struct session_options options;
    struct features features;
    struct profile *profile;
    struct prax *skeleton;
    struct unwind *unwind;
    struct images images;
    struct pxi_map procs; /* pid_t -> struct proc *; the newest of a pid */
    struct events *events;
    struct ring_buffer *ring;
    struct uprobes queries;                       /* links for all processes */
    struct image *allocators[PXB_ALLOCATORS_MAX]; /* allocators[n_allocators]: those probed */
    uint8_t n_allocators;
    struct pxi_buf allocator_lines; /* of the facts */
    int *samplers;                  /* samplers[n_samplers]: perf events */
    size_t n_samplers;
    int follow[2];         /* links of the fork and exec programs; -1: none */
    int pages[3];          /* links of the page fault programs; -1: none */
    struct pxi_map stacks; /* ids -> index in `sent` */
    struct pxi_map ops;    /* ids -> index in the profile */
    struct pxi_buf sent;   /* struct sent[]: a stack for each id */
    uint64_t caught_up_ns; /* kernel records of before are taken in */
    uint32_t *frames;      /* scratch: frames[PXB_FRAMES_MAX] */
    struct uprobes orm;    /* as queries: of the probes alloc and free */
    uint64_t serial;       /* of mapping lists, for their salt */
    struct pxi_buf ended;  /* struct ended[]: to be told when records in flight are in */
    struct session_facts facts;
    struct budget budget;
    struct pxi_buf backoff; /* a line for each time that less was recorded from then on */
    unsigned sample_weight; /* a CPU sample counts so often */
    bool started;
    int nice; /* our priority before */
    bool hurries;
    bool eager;   /* some process will soon have its contexts ready */
    bool refused; /* the kernel would not attach something; it was told */
};

/* session_process.c */
struct proc *procs__get(struct session *s, pid_t pid);                  /* NULL: not observed */
static inline struct proc *procs__at(const struct session *s, size_t i) /* i < s->procs.count */
{
    return s->procs.entries[i].value;
}
int procs__add(struct session *s, pid_t pid);
/* Takes in kernel records, if some of before ts may not have been. */
void procs__catch_up(struct session *s, uint64_t ts);
/* Takes in kernel records and tells BPF and the links what changed. */
void procs__update(struct session *s);
/* Closes the heaps of processes that are over; when the records from before were taken in. */
void procs__bury(struct session *s);
/* The process of the profile that p was at a time. */
uint32_t proc__process(const struct proc *p, uint64_t ts);
/* The area that held an address at a time, or NULL. */
const struct area *proc__area(const struct proc *p, uint64_t address, uint64_t ts);
/* Whether code of it was replaced after `from` and not after `to`. */
bool proc__replaced(const struct proc *p, uint64_t from, uint64_t to);
void procs__free(struct session *s);

/* session_attach.c */
int attach__prepare(struct session *s); /* between open and load of the skeleton */
int attach__start(struct session *s);
void attach__images(struct session *s); /* query probes of images that have none yet */
void attach__heap(struct session *s, struct proc *p);
int attach__samplers(struct session *s, pid_t pid);
/* A line for each allocator that was used, as facts. */
void attach__tell_allocators(struct session *s);
void attach__stop_samplers(struct session *s);
void attach__stop_pages(struct session *s);
void attach__stop(struct session *s);

/* session_budget.c */
/* Looks what the recording costs, now and then; does less where it is too much. */
void budget__look(struct session *s);
/* Sums up into the facts. */
void budget__finish(struct session *s);

/* session_feed.c */
int feed__record(void *session, void *data, size_t size); /* a ring_buffer_sample_fn */

/* session_counters.c */
/* What libprax holds in all processes that are there; what cannot be read is left out. */
void counters__read(const struct session *s, struct heap_held *held);

#endif

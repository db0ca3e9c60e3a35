/* profile.h - the in-memory profile: the narrow waist of the observer.
 *
 * Sources (loader/session.c and what feeds it) know nothing of formats; writers know nothing of
 * BPF. A profile can be saved to and loaded from recording.pxp, so reports need no kernel.
 *
 * Everything is stored once and named by a dense index; index 0 always means "none". Memory grows
 * with the number of distinct things, not with the length of the recording. Not thread-safe.
 * Errors: functions that return an index return 0 when memory is out and set profile->broken, which
 * profile__ok tells; so feeding needs no checks on the way.
 */
#ifndef LOADER_PROFILE_PROFILE_H
#define LOADER_PROFILE_PROFILE_H
#include "bpf/record.h"
#include "orm/base/arena.h"
#include "orm/base/map.h"

/* A file that code was loaded from. addresses in frames are the file's own (ELF vaddr). */
struct module {
    const char *path;   /* as the target saw it; "[vdso]", "[kernel]", "[unknown PID]" */
    const char *opener; /* where the loader can read it, e.g. /proc/PID/root/...; NULL: like path.
                           Of "[unknown PID]": the map that a JIT compiler may have written */
    uint32_t uid;       /* of "[unknown PID]": the user that the process runs as; not saved */
    uint8_t build_id[32];
    uint8_t build_id_size; /* bytes; 0: none */
};

struct frame {
    uint32_t module; /* index; 0 = the address belongs to nothing known */
    uint8_t kernel;
    uint8_t leaf;     /* 1: a pc; 0: a return address, look up address - 1 */
    uint64_t address; /* ELF vaddr in the module, or absolute where module is 0 or the kernel */
    uint32_t symbol;  /* first of its names in profile->names; 0 = not resolved yet */
    uint32_t symbols; /* how many: inlined functions innermost first, then the function itself */
};

/* One name of a frame, filled by symbol/. */
struct frame_name {
    const char *name; /* demangled */
    const char *file; /* NULL: no line information */
    uint32_t line;
    uint8_t inlined;
};

struct stack {
    const uint32_t *frames; /* frames[n]: indexes, innermost first */
    uint16_t n;
    uint8_t end; /* enum pxb_end */
    uint8_t kernel;
};

/* A query as a reader knows it: verb + model + statement. */
struct operation {
    uint8_t verb;      /* enum prax_usdt_verb */
    const char *model; /* "" for raw SQL */
    const char *sql;   /* NULL: not built yet when it was seen */
    uint32_t sql_size; /* full length; the text may be cut */
    uint64_t fingerprint;
};

struct process {
    uint32_t pid;
    char comm[16];
    uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC; end 0: still there */
};

/* CPU samples with the same key. */
struct cpu_site {
    uint32_t process, ustack, kstack, op;
    uint8_t phase;
    uint64_t count;
};

enum { QUERY_BUCKETS = 64 * 8 }; /* log-linear, 8 steps an octave of ns */

/* Calls of operations, and their time. */
struct query_sum {
    uint64_t calls, errors, rows, ns;
};
/* All finished operations of one `struct operation`. */
struct query_stats {
    uint32_t op;
    struct query_sum nested; /* of these within another operation, whose time has theirs in it */
    uint64_t calls, errors, rows, ns, ns_min, ns_max, bytes_in, bytes_out, allocs, cached;
    uint64_t phase_ns[PXB_PHASES];
    uint64_t timed; /* calls with phases */
    uint32_t histogram[QUERY_BUCKETS];
};
/* The call sites of a query, if stacks were taken. */
struct query_site {
    uint32_t op, ustack;
    uint64_t calls, ns;
};

/* What libprax held at a moment by the processes' own counters: [enum prax_purpose]. */
enum { HEAP_PURPOSES = 16 };
struct heap_held {
    uint64_t bytes[HEAP_PURPOSES], blocks[HEAP_PURPOSES];
};

/* Two figures over time. When there is no room, each second point goes and the step doubles. */
enum { GROWTH_POINTS = 128 };
struct growth_point {
    uint64_t ns, bytes, other; /* CLOCK_MONOTONIC */
};
struct growth {
    struct growth_point points[GROWTH_POINTS]; /* points[n] */
    uint32_t n;
    uint64_t step_ns, next_ns;
};

/* Blocks by size and by life; of a sampled heap estimates. */
enum { HEAP_SIZES = 48, HEAP_LIVES = 10 };
struct heap_shape {
    /* [i]: allocations of more than 2^(i-1) and at most 2^i bytes; a realloc is one of its new size
     */
    uint64_t blocks[HEAP_SIZES], bytes[HEAP_SIZES];
    uint64_t lives[HEAP_LIVES]; /* [i]: freed blocks that lived less than 10^i us; last: the rest */
};

/* Blocks allocated by one stack in one process for one operation. DHAT's terms; see heap.c. */
struct heap_site {
    uint32_t process, ustack, op;
    uint8_t phase;
    uint64_t total_bytes, total_blocks; /* a realloc counts as one more block of its new size */
    uint64_t live_bytes, live_blocks;   /* never freed so far; at the end: what was left */
    uint64_t gone_bytes, gone_blocks;   /* of live: left behind by processes that are gone */
    uint64_t max_bytes, max_blocks;     /* the site's own peak */
    uint64_t gmax_bytes, gmax_blocks;   /* at the global peak; right after profile__finish */
    uint64_t lifetime_ns;               /* summed over freed and remaining blocks */
    uint64_t
        samples;   /* allocations that were seen: of a sampled heap, what the estimate rests on */
    uint64_t peak; /* heap.peak that gmax was taken for */
    /* Of live: blocks older than heap.leak_age_ns, and the ages of the oldest and youngest of them.
     * Blocks of a process that is gone are as old as they were at its end. */
    uint64_t old_bytes, old_blocks, oldest_ns, youngest_ns;
    uint64_t sampled_bytes; /* of total: estimated from samples */
};

/* How the heap is recorded. */
enum heap_how {
    HEAP_NONE,
    HEAP_EXACT,   /* every event, from within a command */
    HEAP_PROBES,  /* every event, by probes */
    HEAP_SAMPLED, /* some of them, from within */
    HEAP_PAGES,   /* page faults: a block is a page that came in, and there are no frees */
    HEAP_THINNED, /* exact at first, then sampled: see profile__heap_sample */
    HEAP_ORM,     /* what libprax itself allocates, by its probes */
};

enum { HEAP_RATES = 32 }; /* of one recording: each is 8 times the one before */

struct heap {
    struct heap_site *sites; /* sites[n_sites]; [0] unused */
    uint32_t n_sites;
    uint64_t total_bytes, total_blocks, live_bytes, live_blocks, gone_bytes, gone_blocks;
    uint64_t max_bytes, max_blocks, max_ns; /* the global peak, the latest of equal ones */
    uint64_t frees;                         /* of known blocks */
    uint64_t unknown_frees; /* blocks older than the recording, inherited by fork, or with a lost
                               allocation; also such blocks given to realloc */
    uint64_t overwritten;   /* an address allocated twice with no free seen between */
    uint64_t lost_reallocs; /* one end of a realloc was not seen */
    uint64_t failed;        /* allocations that returned NULL */
    uint64_t untracked;     /* blocks beyond live_max: in the totals, but not in what is live */
    uint64_t live_max;      /* blocks that are followed at a time; 0: any number */
    uint64_t peak;          /* how many times the peak moved */
    uint64_t rate;          /* mean bytes between two samples, at last; 0: every event was seen */
    uint64_t rates[HEAP_RATES]; /* by epoch: rates[n_rates]; n_rates 0: rate is the only one */
    uint32_t n_rates;
    bool thinned; /* every event was seen at first; now blocks of then are followed by samples */
    bool over;    /* nothing was seen any more from a moment before the end */
    uint64_t exact_bytes, exact_blocks, exact_frees; /* as the command counted; 0: it did not */
    uint64_t leak_age_ns;  /* see heap_site; to be set before anything is fed */
    uint64_t copies, huge; /* HEAP_PAGES: pages that were copied; huge pages */
    struct heap_shape shape;
    struct growth growth;                      /* bytes and blocks that are live */
    struct heap_held held_before, held_at_end; /* of HEAP_OF_ORM; 0 of processes that are gone */
    struct heap_live *live;                    /* see heap_live.h; NULL in a loaded profile */
};

/* Whose allocations were recorded: profile_meta.with_heap. */
enum {
    HEAP_OF_NONE,
    HEAP_OF_ALL, /* the allocation family: everybody's */
    HEAP_OF_ORM, /* what libprax itself allocates, by purpose */
};

struct profile_meta {
    const char *command; /* shell-quoted; NULL when attached to a pid */
    const char *host, *kernel, *version;
    uint64_t wall_start_ns;                    /* CLOCK_REALTIME */
    uint64_t start_ns, end_ns;                 /* CLOCK_MONOTONIC */
    uint32_t hz;                               /* CPU sampling rate; 0: not recorded */
    uint8_t with_cpu, with_heap, with_queries; /* what was asked for */
    uint8_t with_leaks;                        /* leaks.txt was asked for */
    uint8_t heap_how;                          /* enum heap_how */
    uint8_t has_prax;                          /* a process with Prax in it was seen */
    int32_t exit_status;                       /* of the command; -1 unknown */
    struct pxb_counters counters;
    uint64_t overhead_ns; /* estimated: hits * cost a hit */
    uint64_t task_ns;     /* that the processes ran on CPUs; 0: not known */
    uint64_t heap_events; /* told from within a command */
    double max_overhead;  /* per cent that it may run slower; 0: no limit */
    const char *backoff;  /* a line for each time that less was recorded from then on; NULL: none */
    const char *allocators; /* a line for each that was probed or stood behind; NULL: not known */
    const char *warnings;   /* lines for people; NULL = none */
};

struct profile {
    struct profile_meta meta;
    struct module *modules; /* [0] unused; the same for all that follow */
    struct frame *frames;
    struct frame_name *names;
    struct stack *stacks;
    struct operation *ops;
    struct process *processes;
    struct cpu_site *cpu;
    struct query_stats *queries;
    struct query_site *query_sites;
    uint32_t n_modules, n_frames, n_names, n_stacks, n_ops, n_processes, n_cpu, n_queries,
        n_query_sites;
    struct heap heap;
    struct growth memory; /* resident and virtual bytes of all processes */
    bool broken;
    struct pxi_arena arena;      /* texts and arrays of indexes */
    struct profile_index *index; /* see profile.c */
};

struct profile *profile__new(void); /* NULL: out of memory */
void profile__free(struct profile *p);
bool profile__ok(const struct profile *p);

/* Each of these finds or makes; texts are copied and may not be NULL but where said. */
/* opener may be NULL; the first one that is given stays. */
uint32_t profile__module(struct profile *p, const char *path, const char *opener,
                         const uint8_t *build_id, size_t build_id_size);
uint32_t profile__frame(struct profile *p, uint32_t module, uint64_t address, bool kernel,
                        bool leaf);
/* frames[n], innermost first; more than UINT16_MAX are cut. */
uint32_t profile__stack(struct profile *p, const uint32_t *frames, size_t n, uint8_t end,
                        bool kernel);
/* The stack with what libprax allocates for (enum prax_purpose) as its outermost frame, in the
 * module "[prax]": so every view of the heap shows it. */
uint32_t profile__purpose_stack(struct profile *p, uint32_t stack, uint32_t purpose);
/* That frame of a stack; its name is "prax:rows" or the like. 0: the stack has none. */
uint32_t stack__purpose(const struct profile *p, uint32_t stack);
/* "prax:rows"; "prax:other" for numbers that are not known. */
const char *purpose_name(uint32_t purpose);
/* model and sql may be NULL. An operation is told apart by verb, model and fingerprint; one without
 * a fingerprint is that of statements that were not built yet. sql_size: of the whole text, of
 * which sql may hold the beginning. */
uint32_t profile__op(struct profile *p, uint8_t verb, const char *model, const char *sql,
                     uint32_t sql_size, uint64_t fingerprint);
/* A pid that is used again, or a program replaced by exec, has another start_ns. A comm that is not
 * "" replaces the older one. */
uint32_t profile__process(struct profile *p, uint32_t pid, const char *comm, uint64_t start_ns);
/* Appends the names of a frame, innermost first; texts are copied, n 0 marks it as tried. */
void profile__names(struct profile *p, uint32_t frame, const struct frame_name *names, uint32_t n);
/* A copy that lives as long as the profile, the same for equal texts; NULL: out of memory, broken.
 */
const char *profile__text(struct profile *p, const char *text, size_t size);

void profile__cpu(struct profile *p, uint32_t process, uint32_t ustack, uint32_t kstack,
                  uint32_t op, uint8_t phase);
/* q's op and ustack fields are ignored; the indexes are given. */
void profile__query(struct profile *p, uint32_t op, uint32_t ustack, const struct pxb_query *q);
/* One record of the four allocation kinds, in the order of events, or a page fault. */
void profile__heap(struct profile *p, uint32_t process, uint32_t ustack, uint32_t op,
                   const struct pxb_alloc *a);
/* From now on events are samples at another rate, and carry its number, which is returned; rate 0:
 * no more samples. What was seen in full before becomes an estimate where it is still live. 0:
 * there is no room for one more. */
uint8_t profile__heap_sample(struct profile *p, uint64_t rate);
/* From ts on nothing of the heap is seen any more: what is live is left as at the end. */
void profile__heap_stop(struct profile *p, uint64_t ts);
/* A process is gone, or replaced by exec: its live blocks become blocks at end. */
void profile__heap_exit(struct profile *p, uint32_t process, uint64_t ts);
/* What the processes take of the machine at a moment, for whoever asks the kernel now and then. */
void profile__memory(struct profile *p, uint64_t ns, uint64_t resident, uint64_t virtual_size);
/* Closes the books: lifetimes of live blocks run to end_ns (CLOCK_MONOTONIC, into meta too), values
 * at the global peak are settled. Nothing may be fed afterwards. */
void profile__finish(struct profile *p, uint64_t end_ns);

/* recording.pxp: magic, version, chunks, each with size and checksum; see recording.c. A profile is
 * saved after profile__finish. fd is read from and written at its position, and stays open. Load
 * errors name what is wrong. 0, or -EINVAL (not a recording, damaged, newer), -ENOMEM, -errno; *why
 * is a static text. A loaded profile is for writers: nothing more can be fed. */
int profile__save(const struct profile *p, int fd, const char **why);
int profile__load(struct profile **out, int fd, const char **why);

/* Those within no other operation: what the program called. */
struct query_sum query_stats__top(const struct query_stats *q);
void query_sum__add(struct query_sum *to, const struct query_sum *more);
/* The value in ns below which `part` (0..1) of the calls lie; log-linear, error ≤ 6.25 %. */
uint64_t query_stats__quantile(const struct query_stats *q, double part);
/* The smallest ns of histogram[bucket]; bucket may be QUERY_BUCKETS' largest used + 1 for an end.
 */
uint64_t query_stats__floor(unsigned bucket);
/* The part (0..1) of all records that was lost, for want of room or of memory. */
double profile__loss(const struct profile *p);
/* "query_many", ... of probes.def; "none" for 0. */
const char *verb_name(uint8_t verb);
const char *phase_name(uint8_t phase);
const char *end_name(uint8_t end);

#endif

/* session.c - see session.h: the life of a session.
 *
 * A poll takes in the kernel's records first and BPF's after, so that a process or mapping is known
 * before what happened in it. Buffers are polled at 10 ms: a wake-up for each record would cost the
 * target more than the record. The ring holds 16 MiB, some 100,000 allocations of 10 ms.
 */
#include "loader/session.h"

#include "loader/session_internal.h"
#include "loader/skeleton.h"
#include "loader/target/process.h"
#include "orm/base/clock.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    POLL_FDS_MAX = 1024,  /* CPUs and one more */
    EAGER_MS = 1,         /* between looks at a program that is starting */
    NICE_STEPS = 10,      /* towards the front while recording */
    PROCESSES_MAX = 1024, /* at a time; 10 KiB of kernel memory each */
    BLOCKS_MAX = 1 << 26, /* that are live at a time; up to 4 GiB of our memory */
};

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
    (void)level;
    (void)format;
    (void)args;
    return 0;
}

static int loud(enum libbpf_print_level level, const char *format, va_list args)
{
    return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, args);
}

/* Kernels before 5.11 charge BPF memory to RLIMIT_MEMLOCK; every image and thread is a descriptor.
 */
static void raise_limits(void)
{
    struct rlimit r = { RLIM_INFINITY, RLIM_INFINITY };
    (void)setrlimit(RLIMIT_MEMLOCK, &r);
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}

static int load(struct session *s)
{
    s->skeleton = prax__open();
    if (!s->skeleton)
        return -errno;
    int err = attach__prepare(s);
    if (err)
        return err;
    s->facts.process_limit = feature__limit("processes", PROCESSES_MAX);
    uint32_t ring = feature__limit("ring", bpf_map__max_entries(s->skeleton->maps.records));
    err = bpf_map__set_max_entries(s->skeleton->maps.records, ring);
    if (!err)
        err = bpf_map__set_max_entries(s->skeleton->maps.processes, s->facts.process_limit);
    if (err)
        return err;
    s->skeleton->rodata->query_stacks = s->options.query_stacks;
    s->skeleton->rodata->query_errors = s->options.query_errors;
    s->skeleton->rodata->query_min_ns = s->options.query_min_ns;
    return prax__load(s->skeleton);
}

static int follow(struct session *s)
{
    const struct bpf_program *programs[] = { s->skeleton->progs.process_fork,
                                             s->skeleton->progs.process_exec };
    for (int i = 0; i < 2; i++) {
        s->follow[i] = bpf_raw_tracepoint_open(NULL, bpf_program__fd(programs[i]));
        if (s->follow[i] < 0)
            return s->follow[i];
    }
    return 0;
}

static int make_tables(struct session *s)
{
    struct prax__bss *bss = s->skeleton->bss;
    uint32_t max_rows = feature__limit("rows", PXB_ROWS_MAX);
    if (max_rows > PXB_ROWS_MAX)
        max_rows = PXB_ROWS_MAX;
    struct unwind_memory memory = { bss->rows,     max_rows,   bss->pages,
                                    PXB_PAGES_MAX, bss->rules, PXB_RULES_MAX };
    s->unwind = unwind__new(&memory);
    s->ring = ring_buffer__new(bpf_map__fd(s->skeleton->maps.records), feed__record, s, NULL);
    s->frames = calloc(PXB_FRAMES_MAX, sizeof *s->frames);
    if (!s->unwind || !s->ring || !s->frames)
        return -ENOMEM;
    unwind__use_cache(s->unwind);
    images__init(&s->images, s->profile, s->unwind);
    s->profile->heap.live_max = feature__limit("blocks", BLOCKS_MAX);
    s->images.with_heap = s->options.heap || s->options.preload;
    s->images.with_queries = s->options.queries;
    s->images.with_orm = s->options.orm;
    s->images.slot = s->features.slot;
    return 0;
}

int session__open(struct session **out, const struct session_options *o)
{
    struct session *s = calloc(1, sizeof *s);
    *out = s;
    if (!s)
        return cli__fail(CLI_CANNOT, "start", "out of memory");
    *s = (struct session){ .options = *o,
                           .profile = o->profile,
                           .follow = { -1, -1 },
                           .pages = { -1, -1, -1 },
                           .sample_weight = 1 };
    pxi_map_init(&s->procs);
    pxi_map_init(&s->stacks);
    pxi_map_init(&s->ops);
    raise_limits();
    libbpf_set_print(getenv("PRAX_BPF_VERBOSE") ? loud : quiet);
    if ((o->heap || o->queries || o->orm) && features__detect(&s->features))
        return cli__refused("probes", s->features.error);
    int err = load(s);
    if (err)
        return cli__refused("load programs", err);
    err = follow(s);
    if (err)
        return cli__refused("follow processes", err);
    s->events = events__open(&err);
    if (err)
        return cli__refused("follow mappings", err);
    err = make_tables(s);
    return err ? cli__refused("tables", err) : CLI_OK;
}

int session__add(struct session *s, pid_t pid)
{
    procs__update(s); /* records of before are in what /proc says now */
    int err = procs__add(s, pid);
    if (err == -ESRCH)
        return cli__fail(CLI_CANNOT, "attach", "no process %d (any more)", (int)pid);
    if (err)
        return cli__refused("read the target's mappings", err);
    return CLI_OK;
}

/* A target that keeps every CPU busy makes us wait just when it has mapped something. We run for
 * microseconds at a time; an ordinary user's rights leave the priority as it is. */
static void hurry(struct session *s)
{
    errno = 0;
    s->nice = getpriority(PRIO_PROCESS, 0);
    s->hurries = !errno && setpriority(PRIO_PROCESS, 0, s->nice - NICE_STEPS) == 0;
}

static void take_time(struct session *s)
{
    if (s->hurries)
        (void)setpriority(PRIO_PROCESS, 0, s->nice);
    s->hurries = false;
}

int session__start(struct session *s)
{
    hurry(s);
    procs__update(s);
    if (s->options.orm)
        counters__read(s, &s->profile->heap.held_before);
    int err = attach__start(s);
    if (err)
        return cli__refused("sampling", err);
    return s->refused ? CLI_CANNOT : CLI_OK;
}

/* Memory of all processes together, as often as the profile wants to know it. */
static void note_memory(struct session *s)
{
    const uint64_t now = pxi_clock_ns();
    uint64_t resident = 0, all = 0;
    if (now < s->profile->memory.next_ns)
        return;
    for (size_t i = 0; i < s->procs.count; i++) {
        uint64_t r, v;
        if (!procs__at(s, i)->gone && process__memory(procs__at(s, i)->pid, &r, &v) == 0) {
            resident += r;
            all += v;
        }
    }
    if (all)
        profile__memory(s->profile, now, resident, all);
}

static void take_in(struct session *s)
{
    if (s->options.heap || s->options.pages || s->options.preload || s->options.orm)
        note_memory(s);
    procs__update(s);
    (void)ring_buffer__consume(s->ring);
    if (s->options.preload)
        preload__drain(s->options.preload, feed__record, s);
    procs__bury(s);
    budget__look(s);
}

void session__poll(struct session *s, int timeout_ms, int other_fd)
{
    struct pollfd fds[POLL_FDS_MAX];
    size_t n = 0;
    const int *events = events__fds(s->events, &n);
    if (s->eager && timeout_ms > EAGER_MS)
        timeout_ms = EAGER_MS;
    n = n < POLL_FDS_MAX ? n : POLL_FDS_MAX - 1;
    for (size_t i = 0; i < n; i++)
        fds[i] = (struct pollfd){ .fd = events[i], .events = POLLIN };
    fds[n++] = (struct pollfd){ .fd = other_fd, .events = POLLIN };
    (void)poll(fds, n, timeout_ms);
    take_in(s);
}

size_t session__alive(const struct session *s)
{
    size_t alive = 0;
    for (size_t i = 0; i < s->procs.count; i++)
        alive += !procs__at(s, i)->gone;
    return alive;
}

void session__stop(struct session *s, struct session_facts *facts)
{
    take_in(s); /* what the links still in place may add stays small */
    if (s->options.orm)
        counters__read(s, &s->profile->heap.held_at_end);
    attach__stop(s);
    if (s->options.preload)
        preload__stop(s->options.preload);
    take_in(s);
    budget__finish(s);
    s->facts.without_rows = s->images.n_without_rows;
    attach__tell_allocators(s);
    s->facts.events_lost = events__lost(s->events);
    if (s->options.preload)
        s->facts.has_heap = s->facts.preload.processes > 0;
    *facts = s->facts;
    take_time(s);
}

void session__close(struct session *s)
{
    if (!s)
        return;
    if (s->skeleton)
        attach__stop(s);
    for (int i = 0; i < 2; i++) {
        if (s->follow[i] >= 0)
            close(s->follow[i]);
    }
    procs__free(s);
    if (s->unwind)
        images__free(&s->images);
    events__close(s->events);
    ring_buffer__free(s->ring);
    unwind__free(s->unwind);
    pxi_map_free(&s->stacks);
    pxi_map_free(&s->ops);
    pxi_buf_free(&s->ended);
    pxi_buf_free(&s->sent);
    pxi_buf_free(&s->backoff);
    pxi_buf_free(&s->allocator_lines);
    free(s->frames);
    prax__destroy(s->skeleton);
    free(s);
}

const struct features *session__features(const struct session *s)
{
    return &s->features;
}

int session__drop_privileges(const struct session *s)
{
    /* Reading targets and probing their children go on; output is written as the invoking user. */
    uint64_t keep = 1ull << CAP_SYS_PTRACE | 1ull << CAP_PERFMON | 1ull << CAP_BPF |
                    1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_CHECKPOINT_RESTORE |
                    1ull << CAP_SYSLOG | 1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE |
                    1ull << CAP_KILL;
    if (!s->features.multi)
        keep |= 1ull << CAP_SYS_ADMIN; /* the uprobe PMU asks for it, for each child again */
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data))
        return -errno;
    for (int i = 0; i < 2; i++) {
        uint32_t mask = (uint32_t)(keep >> (32 * i));
        data[i].permitted &= mask;
        data[i].effective &= mask;
        data[i].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* cost.c - what sampling costs the program that is sampled, and what a sample costs in BPF.
 *
 *   cost ROUNDS WINDOW_MS COMMAND ARG... > figures.csv
 *
 * Starts the command and measures it again and again: with nothing, with an empty program, with
 * ours, with bpf_get_stack, at 99 and 999 Hz. Every round does all cases, each time beginning with
 * another, so that a machine whose speed drifts treats them alike. Attaching is outside the clock.
 * The command counts its work in the file that WORK_COUNTER names; the figure of merit is work per
 * CPU-second of the command, into which the kernel counts the interrupts that hit it. The clock of
 * the empty program is the floor: the timer's interrupt is the machine's, not the sampler's.
 *
 * Ours is a session as `prax-bpf record` has it. The frames and bytes of get_stack come from its
 * own ring buffer. Prints a line a case and round; what to make of them is the caller's matter.
 */
#include "bench/unwind/work.h"
#include "loader/cli.h"
#include "loader/session.h"
#include "loader/skeleton.h"

#ifdef __clang_analyzer__ /* as in loader/skeleton.h */
#define calloc skeleton__calloc
#endif
#include "unwind_peer.skel.h"
#undef calloc

#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum {
    NS = 1000000000,
    POLL_MS = 10,  /* as record does */
    WARM_MS = 300, /* until the command is in its loop */
    FDS = 1024,
    RING_HEAD = 8, /* bytes in front of every record of a ring buffer */
};

enum sampler { NOTHING, EMPTY, GET_STACK, OURS };

static const struct test_case {
    const char *name;
    enum sampler sampler;
    unsigned hz;
} cases[] = {
    { "nothing", NOTHING, 0 }, { "empty", EMPTY, 99 }, { "ours", OURS, 99 },
    { "empty", EMPTY, 999 },   { "ours", OURS, 999 },  { "get_stack", GET_STACK, 999 },
};
enum { CASES = sizeof cases / sizeof cases[0] };

/* Of one case in one round. */
struct figures {
    uint64_t work, cpu_ns, wall_ns; /* of the command, in the window */
    uint64_t runs, run_ns;          /* of the BPF program */
    uint64_t samples, frames;       /* of user stacks */
    uint64_t bytes;                 /* through the ring buffer */
    uint64_t reader_ns;             /* CPU time of the reader, in the window */
};

/* The loader's command line has no command here. */
const struct cli_command cli_commands[] = { { .name = NULL } };

struct bench {
    pid_t pid;
    clockid_t cpu; /* of the command */
    volatile uint64_t *work;
    int window_ms;
    struct unwind_peer *peer;
    struct ring_buffer *ring;
    struct figures read; /* samples, frames, bytes that came through the ring */
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t = { 0 };
    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

/* ---- the window: the command runs, the reader reads ------------------------------------------ */

static void window(const struct bench *b, struct session *s, struct figures *f)
{
    const uint64_t start = clock_ns(CLOCK_MONOTONIC), end = (uint64_t)b->window_ms * 1000000;
    uint64_t work = *b->work, cpu = clock_ns(b->cpu), own = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    while (f->wall_ns < end) {
        if (s) {
            session__poll(s, POLL_MS, -1);
        } else {
            (void)usleep(POLL_MS * 1000);
            (void)ring_buffer__consume(b->ring);
        }
        f->wall_ns = clock_ns(CLOCK_MONOTONIC) - start;
    }
    f->work = *b->work - work;
    f->cpu_ns = clock_ns(b->cpu) - cpu;
    f->reader_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - own;
}

/* ---- the peers --------------------------------------------------------------------------------
 */

static int on_stack(void *bench, void *data, size_t size)
{
    struct figures *f = &((struct bench *)bench)->read;
    (void)data;
    f->samples++;
    f->frames += size / sizeof(uint64_t);
    f->bytes += size + RING_HEAD;
    return 0;
}

static void take_info(int prog, struct figures *before, struct figures *f)
{
    struct bpf_prog_info info = { 0 };
    uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(prog, &info, &size) == 0) {
        f->runs = info.run_cnt - (before ? before->runs : 0);
        f->run_ns = info.run_time_ns - (before ? before->run_ns : 0);
    }
}

static int measure_peer(struct bench *b, const struct test_case *c, struct figures *f)
{
    const struct bpf_program *p =
        c->sampler == EMPTY ? b->peer->progs.peer_empty : b->peer->progs.peer_get_stack;
    struct perf_event_attr attr = { .size = sizeof attr,
                                    .type = PERF_TYPE_SOFTWARE,
                                    .config = PERF_COUNT_SW_CPU_CLOCK,
                                    .freq = 1,
                                    .sample_freq = c->hz,
                                    .inherit = 1,
                                    .exclude_idle = 1,
                                    .exclude_hv = 1 };
    struct figures before = { 0 };
    b->read = before;
    int event = (int)syscall(SYS_perf_event_open, &attr, b->pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (event < 0)
        return -errno;
    take_info(bpf_program__fd(p), NULL, &before);
    int err = ioctl(event, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(p)) ? -errno : 0;
    if (!err)
        window(b, NULL, f);
    close(event);
    (void)ring_buffer__consume(b->ring);
    f->samples = b->read.samples;
    f->frames = b->read.frames;
    f->bytes = b->read.bytes;
    take_info(bpf_program__fd(p), &before, f);
    return err;
}

/* ---- ours -------------------------------------------------------------------------------------
 */

/* The descriptor of a session's sampling program, which it does not give away: found among our own.
 */
static int find_sampler(void)
{
    for (int fd = 3; fd < FDS; fd++) {
        char path[64], what[64] = "";
        struct bpf_prog_info info = { 0 };
        uint32_t size = sizeof info;
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, what, sizeof what - 1) < 0 || !strstr(what, "bpf-prog"))
            continue;
        if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && !strcmp(info.name, "cpu_sample"))
            return fd;
    }
    return -1;
}

static void add_up(const struct profile *p, struct figures *f)
{
    for (uint32_t i = 1; i < p->n_cpu; i++) {
        const struct cpu_site *c = &p->cpu[i];
        f->samples += c->count;
        f->frames += c->count * p->stacks[c->ustack].n;
        f->bytes += c->count * (sizeof(struct pxb_sample) + RING_HEAD);
    }
    for (uint32_t i = 1; i < p->n_stacks; i++)
        f->bytes += sizeof(struct pxb_stack) + p->stacks[i].n * sizeof(uint64_t) + RING_HEAD;
}

static int measure_ours(struct bench *b, const struct test_case *c, struct figures *f)
{
    struct profile *p = profile__new();
    struct session_options o = { .profile = p, .hz = c->hz };
    struct session_facts facts;
    struct session *s = NULL;
    int err = p ? session__open(&s, &o) : -ENOMEM;
    if (!err)
        err = session__add(s, b->pid);
    if (!err)
        err = session__start(s);
    if (!err) {
        window(b, s, f);
        take_info(find_sampler(), NULL, f);
        session__stop(s, &facts);
        add_up(p, f);
    }
    session__close(s);
    profile__free(p);
    return err;
}

/* ---- the command ------------------------------------------------------------------------------
 */

static int start_command(struct bench *b, char **command)
{
    char path[] = "/tmp/work-counter-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, sizeof *b->work))
        return -errno;
    void *shared = mmap(NULL, sizeof *b->work, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared == MAP_FAILED)
        return -ENOMEM;
    b->work = shared;
    b->pid = fork();
    if (b->pid == 0) {
        (void)setenv("WORK_COUNTER", path, 1);
        execvp(command[0], command);
        _exit(127);
    }
    (void)usleep(WARM_MS * 1000);
    (void)unlink(path);
    if (b->pid < 0 || waitpid(b->pid, NULL, WNOHANG) != 0 || *b->work == 0)
        return -ECHILD; /* it ended, or counts nothing */
    return -clock_getcpuclockid(b->pid, &b->cpu);
}

static int measure(struct bench *b, int round, const struct test_case *c)
{
    struct figures f = { 0 };
    int err = 0;
    if (c->sampler == NOTHING) {
        window(b, NULL, &f);
    } else {
        err = c->sampler == OURS ? measure_ours(b, c, &f) : measure_peer(b, c, &f);
    }
    if (err)
        return err;
    printf("%d,%s,%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
           ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
           round, c->name, c->hz, f.work, f.cpu_ns, f.wall_ns, f.runs, f.run_ns, f.samples,
           f.frames, f.bytes, f.reader_ns);
    return 0;
}

static int load_peers(struct bench *b)
{
    b->peer = unwind_peer__open_and_load();
    if (!b->peer)
        return -errno;
    b->ring = ring_buffer__new(bpf_map__fd(b->peer->maps.stacks), on_stack, b, NULL);
    return b->ring ? 0 : -errno;
}

static int run(struct bench *b, int rounds, char **command)
{
    int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
    int err = load_peers(b);
    if (!err)
        err = start_command(b, command);
    if (!err)
        puts("round,case,hz,work,cpu_ns,wall_ns,runs,run_ns,samples,frames,bytes,reader_ns");
    for (int round = 0; round < rounds && !err; round++) {
        for (int i = 0; i < CASES && !err; i++)
            err = measure(b, round, &cases[(round + i) % CASES]);
    }
    if (b->pid > 0) {
        (void)kill(b->pid, SIGKILL);
        (void)waitpid(b->pid, NULL, 0);
    }
    ring_buffer__free(b->ring);
    unwind_peer__destroy(b->peer);
    if (stats >= 0)
        close(stats);
    return err;
}

int main(int argc, char **argv)
{
    struct bench b = { 0 };
    if (argc < 4) {
        (void)fprintf(stderr, "usage: cost ROUNDS WINDOW_MS COMMAND ARG...\n");
        return CLI_USAGE;
    }
    b.window_ms = (int)strtol(argv[2], NULL, 10);
    int err = run(&b, (int)strtol(argv[1], NULL, 10), argv + 3);
    if (err) {
        (void)fprintf(stderr, "cost: %s: cannot be measured: %s\n", argv[3],
                      err == -ECHILD ? "it ended, or it does not count in WORK_COUNTER"
                                     : strerror(abs(err)));
    }
    return err ? CLI_CANNOT : CLI_OK;
}

/* bench.c - see bench.h. The order in a round: every peer once, starting one further each round, so
 * that no peer always runs behind the same other. */
#include "bench/lib/bench.h"
#include "orm/base/clock.h"
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    ROUND_NS = 10000000, /* long against a clock read and a timer tick, short against drift */
    ROUNDS = 31,         /* odd: the median is one of them */
    ROUNDS_MAX = 1001,
    CALLS_MAX = 1 << 28,
};

struct options {
    const char *filter, *peer, *save, *baseline;
    uint64_t calls; /* 0 = timed */
    unsigned rounds;
    unsigned profile_seconds;
    bool json;
};

struct run {
    const char *bench;
    struct options opt;
    unsigned rounds; /* of this group */
    const struct bench_group *group;
    void *ctx;
    FILE *raw, *saved, *summary;
    size_t n_peers;
    uint64_t calls[BENCH_PEERS_MAX];
    double ns[BENCH_PEERS_MAX][ROUNDS_MAX]; /* a unit */
    double cpu_ns[BENCH_PEERS_MAX][ROUNDS_MAX];
    double last_cpu_ns; /* of the last run */
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value at `part` of v[n], which is sorted here. */
static double quantile(double *v, size_t n, double part)
{
    qsort(v, n, sizeof *v, by_value);
    return v[(size_t)(part * (double)(n - 1) + 0.5)];
}

static uint64_t cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double time_once(struct run *r, size_t peer, uint64_t calls)
{
    const struct bench_group *g = r->group;
    if (g->before)
        g->before(r->ctx, calls);
    uint64_t start = pxi_clock_ns(), cpu = cpu_now();
    g->peers[peer].run(g->peers[peer].ctx ? g->peers[peer].ctx : r->ctx, calls);
    uint64_t ns = pxi_clock_ns() - start;
    r->last_cpu_ns = (double)(cpu_now() - cpu);
    if (g->after)
        g->after(r->ctx);
    return (double)ns;
}

/* Adds calls until a run lasts long enough: the warm-up. One that seems to is run again, since a
 * pause of the machine may have been in it. */
static uint64_t calibrate(struct run *r, size_t peer)
{
    uint64_t calls = 1;
    for (;;) {
        double ns = time_once(r, peer, calls);
        if (ns >= ROUND_NS / 2.0) {
            double again = time_once(r, peer, calls);
            ns = again < ns ? again : ns;
        }
        if (ns >= ROUND_NS / 2.0 || calls >= CALLS_MAX)
            return calls;
        double more = ns > 0 ? ROUND_NS / ns : 10;
        calls = more > 10 ? calls * 10 : (uint64_t)((double)calls * more) + 1;
    }
}

static double unit_size(const struct bench_group *g)
{
    return g->units_a_call > 0 ? g->units_a_call : 1;
}

static void measure(struct run *r)
{
    for (size_t p = 0; p < r->n_peers;
         p++) /* a server's pauses must not make one peer's rounds short */
        r->calls[p] = r->group->cpu && p > 0 ? r->calls[0] : calibrate(r, p);
    for (unsigned round = 0; round < r->rounds; round++) {
        for (size_t i = 0; i < r->n_peers; i++) {
            size_t p = (i + round) % r->n_peers;
            double ns = time_once(r, p, r->calls[p]) / (double)r->calls[p] / unit_size(r->group);
            r->ns[p][round] = ns;
            r->cpu_ns[p][round] = r->last_cpu_ns / (double)r->calls[p] / unit_size(r->group);
            if (r->raw) {
                fprintf(r->raw, "%s,%s,%u,%llu,%.3f,%.3f\n", r->group->name,
                        r->group->peers[p].name, round, (unsigned long long)r->calls[p], ns,
                        r->cpu_ns[p][round]);
            }
        }
    }
}

struct figures {
    double ns, ratio, low, high; /* medians; interval of the ratio */
};

static struct figures figures_of(const struct run *r, double ns[][ROUNDS_MAX], size_t peer)
{
    unsigned n = r->rounds;
    double v[ROUNDS_MAX];
    struct figures f;
    memcpy(v, ns[peer], n * sizeof *v);
    f.ns = quantile(v, n, 0.5);
    for (unsigned i = 0; i < n; i++)
        v[i] = ns[peer][i] / ns[0][i];
    f.ratio = quantile(v, n, 0.5);
    f.low = quantile(v, n, 0.025);
    f.high = quantile(v, n, 0.975);
    return f;
}

static bool baseline_ns(const struct run *r, const char *peer, double *ns)
{
    char path[512], line[512];
    snprintf(path, sizeof path, "%s/%s.csv", r->opt.baseline, r->bench);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool found = false;
    while (!found && fgets(line, sizeof line, f)) {
        char *group = strtok(line, ","), *name = strtok(NULL, ","), *value = strtok(NULL, ",\n");
        if (value && !strcmp(group, r->group->name) && !strcmp(name, peer)) {
            *ns = strtod(value, NULL);
            found = true;
        }
    }
    fclose(f);
    return found;
}

static void print_json(const struct run *r, size_t p, struct figures f, struct figures cpu)
{
    printf("{\"bench\":\"%s\",\"group\":\"%s\",\"peer\":\"%s\",\"unit\":\"%s\",\"ns\":%.2f,"
           "\"ratio\":%.4f,\"low\":%.4f,\"high\":%.4f,\"cpu_ns\":%.2f,\"cpu_ratio\":%.4f,"
           "\"rounds\":%u}\n",
           r->bench, r->group->name, r->group->peers[p].name,
           r->group->unit ? r->group->unit : "call", f.ns, f.ratio, f.low, f.high, cpu.ns,
           cpu.ratio, r->rounds);
}

static void print_row(const struct run *r, size_t p, struct figures f, struct figures cpu)
{
    printf("  %-26s %12.1f ns", r->group->peers[p].name, f.ns);
    if (p > 0)
        printf("   %6.3f x  (%.3f - %.3f)", f.ratio, f.low, f.high);
    if (r->group->cpu && p == 0)
        printf("%30s   CPU %12.1f ns", "", cpu.ns);
    if (r->group->cpu && p > 0)
        printf("   CPU %12.1f ns %6.3f x  (%.3f - %.3f)", cpu.ns, cpu.ratio, cpu.low, cpu.high);
    double before, now = r->group->cpu ? cpu.ns : f.ns;
    if (r->opt.baseline && baseline_ns(r, r->group->peers[p].name, &before))
        printf("   %+.1f %% of %s", 100 * (now / before - 1), r->opt.baseline);
    putchar('\n');
}

/* One line a group for the table at the end of all benches: CPU ratios where there are any. */
static void summarize(struct run *r)
{
    const struct bench_group *g = r->group;
    fprintf(r->summary, "%-20s %-32s", r->bench, g->name);
    for (size_t p = 1; p < r->n_peers; p++) {
        struct figures f = figures_of(r, g->cpu ? r->cpu_ns : r->ns, p);
        fprintf(r->summary, "%s %s %.3f x", p > 1 ? "," : "", g->peers[p].name, f.ratio);
    }
    fprintf(r->summary, "%s%s%s\n", g->cpu ? " (CPU)" : "", g->goal ? "; goal " : "",
            g->goal ? g->goal : "");
}

static void report(struct run *r)
{
    const struct bench_group *g = r->group;
    if (!r->opt.json) {
        printf("%s, a %s%s%s\n", g->name, g->unit ? g->unit : "call", g->goal ? "; goal " : "",
               g->goal ? g->goal : "");
    }
    for (size_t p = 0; p < r->n_peers; p++) {
        struct figures f = figures_of(r, r->ns, p), cpu = figures_of(r, r->cpu_ns, p);
        if (r->opt.json) {
            print_json(r, p, f, cpu);
        } else {
            print_row(r, p, f, cpu);
        }
        if (r->saved)
            fprintf(r->saved, "%s,%s,%.3f\n", g->name, g->peers[p].name, g->cpu ? cpu.ns : f.ns);
    }
    if (r->summary && r->n_peers > 1)
        summarize(r);
    fflush(stdout);
}

/* Runs without pause, for a profiler that is attached by exec_profiler. */
static void spin(struct run *r)
{
    uint64_t end = pxi_clock_ns() + r->opt.profile_seconds * 1000000000ull;
    for (size_t p = 0; p < r->n_peers; p++)
        r->calls[p] = calibrate(r, p);
    while (pxi_clock_ns() < end) {
        for (size_t p = 0; p < r->n_peers; p++)
            time_once(r, p, r->calls[p]);
    }
}

/* For callgrind and the like: no clock, no warm-up. */
static void run_calls(struct run *r)
{
    for (size_t p = 0; p < r->n_peers; p++) {
        if (!r->opt.peer || strstr(r->group->peers[p].name, r->opt.peer))
            time_once(r, p, r->opt.calls);
    }
}

static void run_group(struct run *r)
{
    const struct bench_group *g = r->group;
    if (r->opt.filter && !strstr(g->name, r->opt.filter))
        return;
    if (g->setup && g->setup(r->ctx) < 0) {
        printf("%s: skipped\n", g->name);
        return;
    }
    r->rounds = g->rounds && g->rounds < r->opt.rounds ? g->rounds : r->opt.rounds;
    for (r->n_peers = 0; r->n_peers < BENCH_PEERS_MAX && g->peers[r->n_peers].name;)
        r->n_peers++;
    if (r->opt.profile_seconds) {
        spin(r);
    } else if (r->opt.calls) {
        run_calls(r);
    } else {
        measure(r);
        report(r);
    }
    if (g->teardown)
        g->teardown(r->ctx);
}

static void usage(const char *name)
{
    printf(
        "usage: %s [--filter TEXT] [--rounds N] [--profile-time SECONDS] [--save NAME]\n"
        "       [--calls N [--peer TEXT]] [--baseline NAME] [--json]\n\n"
        "Compares peers in one process: rounds are interleaved, figures are medians; the interval\n"
        "is that of the ratio to the first peer of the same round.\n\n"
        "  --filter TEXT          only groups whose name contains TEXT\n"
        "  --rounds N             rounds a peer, odd (default %d)\n"
        "  --profile-time SECONDS run under `prax-bpf record --cpu` instead of timing\n"
        "  --calls N              run each peer N times and stop, without timing\n"
        "  --peer TEXT            with --calls: only peers whose name contains TEXT\n"
        "  --save NAME            keep the medians in the folder NAME\n"
        "  --baseline NAME        show the change against medians kept before\n"
        "  --json                 a JSON object a line\n",
        name, ROUNDS);
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        { "filter", required_argument, NULL, 'f' },
        { "rounds", required_argument, NULL, 'r' },
        { "profile-time", required_argument, NULL, 'p' },
        { "calls", required_argument, NULL, 'c' },
        { "peer", required_argument, NULL, 'o' },
        { "save", required_argument, NULL, 's' },
        { "baseline", required_argument, NULL, 'b' },
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    *o = (struct options){ .rounds = ROUNDS };
    for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        switch (c) {
        case 'f':
            o->filter = optarg;
            break;
        case 'c':
            o->calls = strtoull(optarg, NULL, 10);
            break;
        case 'o':
            o->peer = optarg;
            break;
        case 's':
            o->save = optarg;
            break;
        case 'b':
            o->baseline = optarg;
            break;
        case 'j':
            o->json = true;
            break;
        case 'r':
            o->rounds = (unsigned)strtoul(optarg, NULL, 10) | 1;
            break;
        case 'p':
            o->profile_seconds = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'h':
            usage(argv[0]);
            exit(0);
        default:
            usage(argv[0]);
            return -1;
        }
    }
    if (o->rounds > ROUNDS_MAX)
        o->rounds = ROUNDS_MAX;
    return optind == argc ? 0 : (usage(argv[0]), -1);
}

/* --profile-time: this very command again, below the observer, which is found beside the bench. */
static int exec_profiler(char **argv, int argc)
{
    char tool[512], self[512];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return -1;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    snprintf(tool, sizeof tool, "%.*s/../prax-bpf", (int)(slash - self), self);
    char **args = calloc((size_t)argc + 10, sizeof *args);
    if (!args)
        return -1;
    size_t k = 0;
    if (geteuid() != 0)
        args[k++] = (char *)(uintptr_t) "sudo";
    static const char *const record[] = { "record", "--cpu", "--", "env", "BENCH_PROFILED=1" };
    args[k++] = tool;
    for (size_t i = 0; i < sizeof record / sizeof *record; i++)
        args[k++] = (char *)(uintptr_t)record[i];
    for (int i = 0; i < argc; i++)
        args[k++] = i == 0 ? self : argv[i];
    execvp(args[0], args);
    fprintf(stderr, "bench: %s: %s; run `make` first\n", args[0], strerror(errno));
    free(args);
    return -1;
}

static FILE *open_in(const char *folder, const char *file, const char *mode)
{
    char path[512];
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *f = fopen(path, mode);
    if (!f)
        fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
    return f;
}

int bench_main(int argc, char **argv, const char *name, const struct bench_group *groups, size_t n,
               void *ctx)
{
    static struct run r;
    r = (struct run){ .bench = name, .ctx = ctx };
    if (parse(argc, argv, &r.opt) < 0)
        return 1;
    if (r.opt.profile_seconds && !getenv("BENCH_PROFILED"))
        return exec_profiler(argv, argc) < 0;
    char csv[256];
    const char *raw = getenv("BENCH_RAW");
    bool timed = !r.opt.profile_seconds && !r.opt.calls;
    snprintf(csv, sizeof csv, "%s.csv", name);
    r.raw = raw && timed ? open_in(raw, csv, "we") : NULL;
    r.summary = raw && timed ? open_in(raw, "summary.txt", "ae") : NULL;
    r.saved = r.opt.save ? open_in(r.opt.save, csv, "we") : NULL;
    for (size_t i = 0; i < n; i++) {
        r.group = &groups[i];
        run_group(&r);
    }
    if (r.raw)
        fclose(r.raw);
    if (r.summary)
        fclose(r.summary);
    if (r.saved)
        fclose(r.saved);
    return 0;
}

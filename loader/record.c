/* record.c - `prax-bpf record`: a session into a profile folder.
 *
 * The folder is opened before anything is observed, so that an hour's recording does not end in "no
 * permission". It is made and entered as the invoking user, and not through a symbolic link.
 */
#include "bpf/unwind.h"
#include "loader/preload/ring.h"
#include "loader/session_run.h"
#include "loader/symbol/symbol.h"
#include "loader/write/text.h"
#include "loader/write/write.h"
#include "orm/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <prax/version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { HZ_DEFAULT = 99, HZ_MAX = 10000 };
enum { RATE_MIN = 1 << 10, RATE_MAX = 1 << 30 }; /* bytes */
enum { PROGRESS_AFTER_NS = 500000000, PROGRESS_NAME_MAX = 40 };

enum { OPT_OUT, OPT_CPU, OPT_HEAP, OPT_LEAKS, OPT_QUERIES, OPT_SECONDS, OPT_OVERHEAD };
static const struct cli_option options[] = {
    [OPT_OUT] = { "-o", "DIR", "profile folder to write (default: profile)" },
    [OPT_CPU] = { "--cpu", "[=HZ]", "sample where CPU time goes (default: 99 a second)" },
    [OPT_HEAP] = { "--heap", "[=HOW]",
                   "allocations: exact (default), probes, sampled by bytes: 512K; pages; orm" },
    [OPT_LEAKS] = { "--leaks", "[=SECONDS]", "leaks.txt: what is never freed, older than SECONDS" },
    [OPT_QUERIES] = { "--queries", NULL, "every operation of Prax, with its call site" },
    [OPT_SECONDS] = { "-d", "SECONDS", "stop after so long" },
    [OPT_OVERHEAD] = { "--max-overhead", "PCT",
                       "record less when the program gets slower than that, in per cent" },
    { NULL, NULL, NULL },
};

static const struct cli_command command = {
    .name = "record",
    .arguments = "TARGET [-o DIR] [--cpu[=HZ]] [--heap[=HOW]] [--leaks[=SECONDS]] [--queries]\n"
                 "                       [-d SECONDS] [--max-overhead PCT]",
    .help =
        "Records what a program does into a folder: flame graph, folded stacks, heap summary,\n"
        "queries. With no kind chosen: --cpu --queries. Ends with the program, at Ctrl-C, or\n"
        "after -d; the output is complete in each case. A program without Prax in it is sampled\n"
        "and its heap recorded all the same.\n"
        "\n"
        "  prax-bpf record -- ./app           from its start; its exit status is ours\n"
        "  prax-bpf record -p 1234 -d 30      a running process, for half a minute\n"
        "  prax-bpf record --heap -- ./app    who allocates, what is left at the end\n"
        "  prax-bpf record --heap=512K -- ./app   the same as an estimate, at hardly any cost\n"
        "  prax-bpf record --heap=orm -p 1234     what Prax itself holds, by purpose and query\n"
        "\n"
        "The heap of a command is recorded from within it, by a library that goes in front of its\n"
        "C library; that of a running process, or with --heap=probes, by probes, which cost more.\n"
        "--heap=pages tells which code makes memory come in, by page faults, and costs least.",
    .options = options,
    .run = cmd_record,
};

struct record {
    struct run run;
    enum heap_how heap;
    uint64_t heap_rate; /* bytes, if HEAP_SAMPLED */
    bool leaks;
    double leak_age; /* seconds */
    struct preload *preload;
    struct cli_target target;
    const char *dir;
    int dir_fd;
    struct profile *profile;
    struct pxi_buf warnings;
};

/* "512K", "4M", "65536"; 0: no such number, or beyond 1 KiB .. 1 GiB. */
static uint64_t parse_bytes(const char *text)
{
    char *end = NULL;
    if (*text < '0' || *text > '9')
        return 0;
    uint64_t n = strtoull(text, &end, 10);
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    end += shift != 0;
    if (*end || n > (uint64_t)RATE_MAX >> shift || n << shift < (uint64_t)RATE_MIN)
        return 0;
    return n << shift;
}

static void take_heap(struct cli_args *a, struct record *r)
{
    if (!a->value || strcmp(a->value, "exact") == 0) {
        r->heap = HEAP_EXACT;
    } else if (strcmp(a->value, "probes") == 0) {
        r->heap = HEAP_PROBES;
    } else if (strcmp(a->value, "orm") == 0) {
        r->heap = HEAP_ORM;
    } else if (strcmp(a->value, "pages") == 0) {
        r->heap = HEAP_PAGES;
    } else {
        r->heap = HEAP_SAMPLED;
        r->heap_rate = parse_bytes(a->value);
    }
    if (r->heap != HEAP_SAMPLED || r->heap_rate)
        return;
    a->status = cli__fail(CLI_USAGE, "--heap",
                          "%s: exact, probes, pages, orm or a number of bytes between two "
                          "samples, from 1K to 1G",
                          a->value);
    a->done = true;
}

/* From within where that can be, else by probes: those can only be exact. */
static int choose_heap(struct record *r)
{
    static const char *const reasons[] = {
        [PRELOAD_STATIC] = "is a static program, where no library can go in front",
        [PRELOAD_OWN_MALLOC] = "brings its own malloc, which comes before any library's",
        [PRELOAD_OPERATORS] = "is C++ with an allocator whose operator new does not call malloc",
        [PRELOAD_MISSING] = "libprax-heap.so is neither beside prax-bpf nor in ../lib/prax",
    };
    struct session_options *o = &r->run.options;
    struct invoker user = invoker__find();
    o->pages = r->heap == HEAP_PAGES;
    if (r->heap == HEAP_NONE || o->pages)
        return CLI_OK;
    if (!r->target.command && r->heap == HEAP_SAMPLED) {
        return cli__fail(CLI_USAGE, "--heap",
                         "a running process cannot be sampled by bytes: leave "
                         "the number out, or start the program with -- CMD");
    }
    o->orm = r->heap == HEAP_ORM;
    o->heap = !o->orm && (!r->target.command || r->heap == HEAP_PROBES);
    if (o->heap || o->orm)
        return CLI_OK;
    enum preload_obstacle obstacle = preload__look(r->target.command, &user);
    if (obstacle == PRELOAD_SET_ID) {
        return cli__fail(CLI_CANNOT, r->target.command[0],
                         "takes another user's rights, which the "
                         "loader gives to no program with a library in front: start it by itself "
                         "and record it with -p PID");
    }
    if (obstacle) {
        cli__note(r->target.command[0], "%s: its heap is recorded by probes, exactly",
                  reasons[obstacle]);
        o->heap = true;
        return CLI_OK;
    }
    int err = preload__open(&r->preload, r->heap == HEAP_SAMPLED ? r->heap_rate : 0);
    o->preload = r->preload;
    return err ? cli__fail(CLI_CANNOT, "--heap", "no shared memory: %s", strerror(-err)) : CLI_OK;
}

/* What options mean together. */
static int complete(struct record *r)
{
    struct session_options *o = &r->run.options;
    if (r->leaks && !r->heap)
        r->heap = HEAP_EXACT;
    if (r->leaks && r->heap == HEAP_PAGES) {
        return cli__fail(CLI_USAGE, "--leaks",
                         "pages have no owner that could forget them: take another --heap");
    }
    if (!o->hz && !r->heap && !o->queries) {
        o->hz = HZ_DEFAULT;
        o->queries = true;
    }
    o->query_stacks = o->queries;
    int status = cli_target__resolve(&r->target);
    return status ? status : choose_heap(r);
}

static int parse(struct record *r, int argc, char **argv)
{
    struct session_options *o = &r->run.options;
    struct cli_args a = {
        .command = &command, .argc = argc, .argv = argv, .at = 1, .target = &r->target
    };
    double hz = HZ_DEFAULT;
    for (int i = cli_args__next(&a); i != -2; i = cli_args__next(&a)) {
        if (i == OPT_OUT) {
            r->dir = a.value;
        } else if (i == OPT_CPU && (!a.value || cli_args__number(&a, "--cpu", 1, HZ_MAX, &hz))) {
            o->hz = (unsigned)hz;
        } else if (i == OPT_HEAP) {
            take_heap(&a, r);
        } else if (i == OPT_LEAKS) {
            r->leaks = !a.value || cli_args__number(&a, "--leaks", 0, 1e7, &r->leak_age);
        } else if (i == OPT_QUERIES) {
            o->queries = true;
        } else if (i == OPT_SECONDS) {
            (void)cli_args__number(&a, "-d", 0.001, 1e7, &r->run.seconds);
        } else if (i == OPT_OVERHEAD) {
            (void)cli_args__number(&a, "--max-overhead", 0.001, 1e6, &o->max_overhead);
        } else if (i == -1) {
            return cli__fail(CLI_USAGE, a.value, "unexpected; a command comes behind --");
        }
    }
    return a.done ? a.status ? a.status : -1 : complete(r);
}

/* Opens the folder, making it where it is missing. -errno. */
static int open_dir(const char *dir)
{
    if (mkdir(dir, 0755) && errno != EEXIST)
        return -errno;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int open_output(struct record *r)
{
    struct invoker user = invoker__find();
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (user.other) {
        (void)setfsgid(user.gid);
        (void)setfsuid(user.uid);
    }
    r->dir_fd = open_dir(r->dir);
    (void)setfsuid(uid);
    (void)setfsgid(gid);
    if (r->dir_fd >= 0)
        return CLI_OK;
    return cli__fail(CLI_CANNOT, r->dir, "cannot be opened as a folder: %s; choose another with -o",
                     r->dir_fd == -ENOTDIR ? "it is a file or a symbolic link"
                                           : strerror(-r->dir_fd));
}

/* The command as a shell would take it. */
static void quote_command(struct pxi_buf *out, char *const *argv)
{
    for (; *argv; argv++) {
        bool plain = **argv && strspn(*argv, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789_@%+=:,./-") == strlen(*argv);
        if (out->size)
            pxi_buf_char(out, ' ');
        if (plain) {
            pxi_buf_text(out, *argv);
            continue;
        }
        pxi_buf_char(out, '\'');
        for (const char *p = *argv; *p; p++) {
            if (*p == '\'') {
                pxi_buf_text(out, "'\\''");
            } else {
                pxi_buf_char(out, *p);
            }
        }
        pxi_buf_char(out, '\'');
    }
}

static void warn_of_cut_stacks(struct pxi_buf *w, const struct session_facts *f)
{
    if (f->events_lost) {
        pxi_buf_fmt(w, "%" PRIu64 " records of mappings were lost: stacks may be cut\n",
                    f->events_lost);
    }
    if (f->crowded) {
        pxi_buf_fmt(w, "%" PRIu64 " executable mappings beyond %d of a process: stacks end there\n",
                    f->crowded, PXB_MAPPINGS_MAX);
    }
    if (f->without_rows) {
        pxi_buf_fmt(w, "%" PRIu64 " files found no room in the unwind tables: stacks end there\n",
                    f->without_rows);
    }
    if (f->stale) {
        pxi_buf_fmt(w,
                    "%" PRIu64 " records were made while code was being replaced: "
                    "their stacks were dropped\n",
                    f->stale);
    }
}

static void warn(struct record *r)
{
    const struct session_options *o = &r->run.options;
    const struct session_facts *f = &r->run.facts;
    struct pxi_buf *w = &r->warnings;
    if (o->queries && !f->has_prax)
        pxi_buf_text(w, "no Prax in the target: nothing to say of queries\n");
    if (o->orm && !f->has_heap) {
        pxi_buf_text(w, "no Prax with the probes alloc and free in the target: nothing to say of "
                        "its heap\n");
    } else if (r->heap && !f->has_heap) {
        pxi_buf_text(w, "no malloc and free found in the target: nothing to say of its heap\n");
    }
    if (r->heap && r->heap != HEAP_PAGES && !r->target.command)
        pxi_buf_text(w, "blocks allocated before the recording are invisible\n");
    if (r->heap == HEAP_PAGES)
        pxi_buf_text(w, "pages are no blocks: there is no dhat-heap.json\n");
    if (f->unseen_operators) {
        pxi_buf_text(w, "C++ with an allocator whose operator new does not call malloc: what it "
                        "allocates is missing; record it with --heap=probes\n");
    }
    const struct preload_totals *t = &f->preload;
    if (t->untold) {
        pxi_buf_fmt(w, "%" PRIu64 " threads beyond %d at a time: their allocations are missing\n",
                    t->untold, HEAP_SLOTS);
    }
    if (t->lost) {
        pxi_buf_fmt(w, "%" PRIu64 " records of the heap were not finished by their writers\n",
                    t->lost);
    }
    if (f->late_links) {
        pxi_buf_fmt(w,
                    "allocations of %" PRIu64 " child programs were seen %" PRIu64
                    " us late on average\n",
                    f->late_links, f->late_ns / f->late_links / 1000);
    }
    if (f->missed_links) {
        pxi_buf_fmt(w, "%" PRIu64 " child programs ended before their allocations could be seen\n",
                    f->missed_links);
    }
    if (f->unwatched) {
        pxi_buf_fmt(w,
                    "%" PRIu64 " processes found no room beside %" PRIu32
                    " others: what they did then is not in the recording\n",
                    f->unwatched, f->process_limit);
    }
    warn_of_cut_stacks(w, f);
    if (f->unresolved)
        pxi_buf_fmt(w, "%" PRIu64 " records of unknown processes were dropped\n", f->unresolved);
    if (run__is_incomplete(&r->run))
        pxi_buf_text(w, "over 1 % was lost: the recording is incomplete\n");
}

static const char *keep(struct record *r, const struct pxi_buf *b)
{
    return b->size ? profile__text(r->profile, b->data, b->size) : NULL;
}

/* As it came about. */
static enum heap_how heap_how(const struct record *r)
{
    if (r->profile->heap.thinned)
        return HEAP_THINNED;
    return r->heap == HEAP_NONE || r->heap == HEAP_PAGES || r->heap == HEAP_ORM || r->preload
               ? r->heap
               : HEAP_PROBES;
}

static void fill_meta(struct record *r)
{
    struct profile_meta *m = &r->profile->meta;
    const struct session_options *o = &r->run.options;
    struct pxi_buf text = { 0 };
    struct utsname name;
    struct timespec wall;
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    if (r->target.command)
        quote_command(&text, r->target.command);
    m->command = keep(r, &text);
    pxi_buf_free(&text);
    if (uname(&name) == 0) {
        m->host = profile__text(r->profile, name.nodename, strlen(name.nodename));
        m->kernel = profile__text(r->profile, name.release, strlen(name.release));
    }
    m->version = PRAX_VERSION;
    m->start_ns = r->run.start_ns;
    m->wall_start_ns = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec -
                       (r->run.end_ns - r->run.start_ns);
    m->hz = o->hz;
    m->with_cpu = o->hz != 0;
    m->with_heap = r->heap == HEAP_NONE ? HEAP_OF_NONE : o->orm ? HEAP_OF_ORM : HEAP_OF_ALL;
    m->with_leaks = r->leaks;
    m->heap_how = (uint8_t)heap_how(r);
    m->with_queries = o->queries;
    m->has_prax = r->run.facts.has_prax;
    m->exit_status = launch__exit_status(&r->run.launch);
    m->counters = r->run.facts.counters;
    m->overhead_ns = r->run.facts.overhead_ns;
    m->task_ns = r->run.facts.task_ns;
    m->max_overhead = o->max_overhead;
    const char *backoff = r->run.facts.backoff;
    const char *allocators = r->run.facts.allocators;
    m->allocators = allocators ? profile__text(r->profile, allocators, strlen(allocators)) : NULL;
    m->backoff = backoff ? profile__text(r->profile, backoff, strlen(backoff)) : NULL;
    m->heap_events = r->run.facts.preload.events;
    m->warnings = keep(r, &r->warnings);
}

/* A line that is written over, once it takes long enough to be missed. */
static void show_progress(void *ctx, const char *path, uint32_t done, uint32_t all)
{
    uint64_t *since_ns = ctx, now = pxi_clock_ns();
    if (!*since_ns)
        *since_ns = now;
    if (now - *since_ns < PROGRESS_AFTER_NS)
        return;
    struct pxi_buf line = { 0 };
    const char *name = path ? text__base(path) : "";
    pxi_buf_text(&line, "\r\033[K");
    if (path) {
        pxi_buf_text(&line, "prax-bpf: names: ");
        text__clean(&line, name, strlen(name), PROGRESS_NAME_MAX, false);
        pxi_buf_fmt(&line, " (%" PRIu32 " of %" PRIu32 ")", done, all);
    }
    if (pxi_buf_ok(&line))
        (void)fwrite(line.data, 1, line.size, stderr);
    pxi_buf_free(&line);
}

static int write_output(struct record *r)
{
    uint64_t since_ns = 0;
    struct symbolize_opts names = { .progress = isatty(STDERR_FILENO) ? show_progress : NULL,
                                    .ctx = &since_ns };
    struct write_opts o = { .dir_fd = r->dir_fd,
                            .dir = r->dir,
                            .chown = r->run.user.other,
                            .uid = r->run.user.uid,
                            .gid = r->run.user.gid };
    if (symbolize(r->profile, &names) == -ENOMEM || !profile__ok(r->profile))
        return cli__fail(CLI_CANNOT, r->dir, "out of memory");
    if (write__all(r->profile, &o))
        return CLI_CANNOT; /* told */
    struct summary_opts s = summary_opts__of(STDERR_FILENO);
    struct pxi_buf text = { 0 };
    s.dir = r->dir;
    write_summary(r->profile, &s, &text);
    if (pxi_buf_ok(&text))
        (void)fwrite(text.data, 1, text.size, stderr);
    pxi_buf_free(&text);
    return CLI_OK;
}

static int record(struct record *r)
{
    int status = open_output(r);
    if (status)
        return status;
    r->profile = profile__new();
    if (!r->profile)
        return cli__fail(CLI_CANNOT, "start", "out of memory");
    r->run.target = &r->target;
    r->run.options.profile = r->profile;
    r->profile->heap.leak_age_ns = (uint64_t)(r->leak_age * 1e9);
    r->profile->heap.rate = r->heap == HEAP_SAMPLED && r->preload ? r->heap_rate : 0;
    if (isatty(STDERR_FILENO) && !r->target.command)
        cli__note("recording", "Ctrl-C ends it");
    status = run__observe(&r->run);
    if (status)
        return status;
    warn(r);
    profile__finish(r->profile, r->run.end_ns);
    r->profile->heap.exact_bytes = r->run.facts.preload.bytes;
    r->profile->heap.exact_blocks = r->run.facts.preload.blocks;
    r->profile->heap.exact_frees = r->run.facts.preload.frees;
    fill_meta(r);
    status = write_output(r);
    if (status)
        return status;
    if (run__is_incomplete(&r->run))
        return CLI_INCOMPLETE;
    return run__exit_status(&r->run, CLI_OK);
}

int cmd_record(int argc, char **argv)
{
    struct record r = { .dir = "profile", .dir_fd = -1 };
    int status = parse(&r, argc, argv);
    if (status == CLI_OK)
        status = record(&r);
    run__close(&r.run);
    preload__close(r.preload);
    profile__free(r.profile);
    pxi_buf_free(&r.warnings);
    cli_target__free(&r.target);
    if (r.dir_fd >= 0)
        close(r.dir_fd);
    return status < 0 ? CLI_OK : status;
}

/* session_run.c - see session_run.h. */
#include "loader/session_run.h"

#include "orm/base/clock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    POLL_MS = 10,     /* a probe may send 100,000 records a second */
    POLL_CPU_MS = 50, /* samples alone are few, and each look costs; mappings wake us anyhow */
    GRACE_S = 2,      /* for a command to end after a signal */
};

static const uint64_t second_ns = 1000000000u;

static int open_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

/* Takes in signals; *deadline_ns is when to stop. */
static void take_signals(struct run *r, int fd, uint64_t *deadline_ns)
{
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        uint64_t now = pxi_clock_ns();
        bool running = r->launch.pid > 0 && !launch__reap(&r->launch);
        if (running && info.ssi_signo != SIGINT)
            (void)kill(r->launch.pid, (int)info.ssi_signo);
        *deadline_ns = running && !r->interrupted ? now + second_ns * GRACE_S : now;
        r->interrupted = true;
    }
}

static bool is_over(struct run *r, const struct session *s, uint64_t deadline_ns)
{
    if (pxi_clock_ns() >= deadline_ns || (r->is_over && r->is_over(r->options.ctx)))
        return true;
    return r->launch.pid > 0 ? launch__reap(&r->launch) : session__alive(s) == 0;
}

static void loop(struct run *r, struct session *s, int signals)
{
    uint64_t deadline_ns = UINT64_MAX;
    const struct session_options *o = &r->options;
    uint64_t pause_ms = o->heap || o->pages || o->preload || o->queries ? POLL_MS : POLL_CPU_MS;
    if (r->seconds > 0)
        deadline_ns = r->start_ns + (uint64_t)(r->seconds * 1e9);
    while (!is_over(r, s, deadline_ns)) {
        uint64_t left = deadline_ns - pxi_clock_ns();
        int timeout = (int)(left < 1000000 * pause_ms ? left / 1000000 + 1 : pause_ms);
        session__poll(s, timeout, signals);
        take_signals(r, signals, &deadline_ns);
    }
}

static int add_targets(struct run *r, struct session *s)
{
    const struct cli_target *t = r->target;
    r->user = invoker__find();
    if (t->command) {
        int status = launch__start(&r->launch, t->command, &r->user, r->options.preload);
        return status ? status : session__add(s, r->launch.pid);
    }
    int status = CLI_OK;
    for (size_t i = 0; i < t->pids.n && !status; i++)
        status = session__add(s, t->pids.items[i]);
    return status;
}

/* Time on CPUs of our children that have ended, with all that they waited for. */
static uint64_t children_ns(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_CHILDREN, &u))
        return 0;
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * second_ns +
           (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

static int observe(struct run *r, struct session *s, int signals)
{
    const uint64_t before_ns = children_ns();
    int status = add_targets(r, s);
    if (!status)
        status = session__start(s);
    if (status)
        return status;
    int err = session__drop_privileges(s);
    if (err)
        cli__note("capabilities", "kept, for they cannot be dropped: %s", strerror(-err));
    r->start_ns = pxi_clock_ns();
    err = r->launch.pid > 0 ? launch__go(&r->launch) : 0;
    if (err)
        return cli__fail(CLI_CANNOT, r->target->command[0], "cannot be let go: %s", strerror(-err));
    loop(r, s, signals);
    session__stop(s, &r->facts);
    r->end_ns = pxi_clock_ns();
    const uint64_t ran_ns = children_ns() - before_ns + r->facts.preload.waited_ns;
    if (r->launch.ended && ran_ns > r->facts.task_ns)
        r->facts.task_ns = ran_ns;
    return CLI_OK;
}

int run__observe(struct run *r)
{
    int signals = open_signals();
    if (signals < 0)
        return cli__fail(CLI_CANNOT, "signals", "%s", strerror(-signals));
    int status = session__open(&r->session, &r->options);
    if (!status) {
        r->features = *session__features(r->session);
        status = observe(r, r->session, signals);
    }
    close(signals);
    return status;
}

void run__close(struct run *r)
{
    launch__abandon(&r->launch);
    session__close(r->session);
    r->session = NULL;
}

int run__exit_status(struct run *r, int status)
{
    if (status != CLI_OK || r->launch.pid <= 0)
        return status;
    if (!r->interrupted)
        launch__wait(&r->launch);
    int exit_status = launch__exit_status(&r->launch);
    return exit_status < 0 ? status : exit_status;
}

bool run__is_incomplete(const struct run *r)
{
    const struct pxb_counters *c = &r->facts.counters;
    uint64_t lost = r->facts.unresolved;
    uint64_t all = c->samples;
    for (int i = 0; i < PXB_KINDS; i++)
        lost += c->lost[i];
    for (int i = 0; i < PXB_HITS; i++)
        all += c->probe_hits[i];
    lost += r->facts.preload.lost + r->options.profile->heap.untracked;
    all += r->facts.preload.events;
    return lost * 100 > all;
}

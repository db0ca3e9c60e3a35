/* session_budget.c - what a recording costs the processes, and --max-overhead.
 *
 * The cost is counted, not felt: hits of every probe times what a hit with an empty
 * program costs on this machine (measured at the start), and what the programs and the heap's
 * library say that they took. Beside it stands the time that the processes ran on CPUs, of which
 * that cost is a part.
 *
 * Each time that they ran JUDGED_NS more, the part of that span is looked at. Above the limit the
 * dearest kind of recording does less from then on: the heap from within goes from all events to
 * samples, to fewer, to none (and counts on); CPU samples get rarer; whatever else there is, is
 * detached. One step a span, so that its effect is seen before the next.
 *
 * Processes are asked for their time now and then, so that of the last moment of one that ends is
 * not known here; run__observe() knows it of commands.
 */
#include "loader/session_internal.h"

#include "loader/preload/ring.h"
#include "loader/skeleton.h"
#include "orm/base/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LOOK_NS = 50000000,
    LOOK_UNLIMITED_NS = 500000000, /* only for the sum */
    LOOK_PART = 50,   /* a look at many processes takes long: one part of so many of our time */
    JUDGED_MS = 200,  /* the kernel tells CPU time in steps of 10 ms */
    SAMPLE_NS = 2000, /* a CPU sample with its interrupt, where it was measured */
    COUNTING_NS = 2,  /* a call through the heap's library of which nothing is recorded */
    RATE_FIRST = 512 << 10, /* bytes: from all events to samples */
    RATE_STEP = 8,
    RATE_LAST = 1 << 30, /* beyond it there are no samples */
    HZ_LAST = 10,
    SLOWER_MAX = 1000, /* -fold; no estimate is above it: it says no more than that it is much */
};

/* Sums the counters of all CPUs; a call is counted for its allocator or as a hit, not twice. */
static void read_counters(const struct session *s, struct pxb_counters *out)
{
    int cpus = libbpf_num_possible_cpus();
    uint32_t key = 0;
    struct pxb_counters *all = cpus > 0 ? calloc((size_t)cpus, sizeof *all) : NULL;
    uint64_t *sum = (uint64_t *)out;
    *out = (struct pxb_counters){ 0 };
    if (all && bpf_map_lookup_elem(bpf_map__fd(s->skeleton->maps.counters), &key, all) == 0) {
        for (size_t i = 0; i < (size_t)cpus * sizeof *all / sizeof *sum; i++)
            sum[i % (sizeof *all / sizeof *sum)] += ((const uint64_t *)all)[i];
    }
    for (size_t i = 0; i < PXB_ALLOCATORS_MAX; i++)
        out->probe_hits[PXB_HIT_ENTRY] += out->allocators[i];
    free(all);
}

/* cost_ns[BUDGET_KINDS]: since the start. */
static void read_costs(struct session *s, uint64_t *cost_ns)
{
    struct pxb_counters *c = &s->facts.counters;
    read_counters(s, c);
    const uint64_t *hits = c->probe_hits;
    const uint64_t entries = hits[PXB_HIT_ENTRY], returns = hits[PXB_HIT_RETURN];
    const uint64_t unpaired = entries > returns ? entries - returns : 0;
    cost_ns[BUDGET_CPU] = c->samples * SAMPLE_NS;
    cost_ns[BUDGET_QUERIES] = hits[PXB_HIT_QUERY] * s->features.probe_ns + c->run_ns[PXB_HIT_QUERY];
    cost_ns[BUDGET_PROBES] =
        returns * s->features.return_ns + (unpaired + hits[PXB_HIT_FREE]) * s->features.entry_ns +
        c->run_ns[PXB_HIT_ENTRY] + c->run_ns[PXB_HIT_RETURN] + c->run_ns[PXB_HIT_FREE];
    cost_ns[BUDGET_PAGES] = c->run_ns[PXB_HIT_FAULT];
    cost_ns[BUDGET_ORM] = hits[PXB_HIT_ORM] * s->features.probe_ns + c->run_ns[PXB_HIT_ORM];
    cost_ns[BUDGET_PRELOAD] = cost_ns[BUDGET_COUNTING] = 0;
    if (s->options.preload) {
        const struct preload_totals t = preload__totals(s->options.preload);
        s->facts.preload = t;
        cost_ns[BUDGET_PRELOAD] = t.spent_ns + t.waited_ns;
        cost_ns[BUDGET_COUNTING] = (t.blocks + t.frees) * COUNTING_NS;
    }
}

/* Time on CPUs of all processes while they were observed. */
static uint64_t read_task_time(struct session *s)
{
    const uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t sum = 0;
    for (size_t i = 0; i < s->procs.count; i++) {
        struct proc *p = procs__at(s, i);
        struct process_info info;
        if (!p->gone && process_info__read(&info, p->pid) == 0)
            p->cpu_ns = info.cpu_ticks * tick_ns;
        sum += p->cpu_ended_ns + (p->cpu_ns > p->cpu_before_ns ? p->cpu_ns - p->cpu_before_ns : 0);
    }
    return sum + s->facts.preload.waited_ns; /* it stood still for us */
}

/* ---- doing less --------------------------------------------------------------------------------
 */

static const char *less_preload(struct session *s, struct pxi_buf *what)
{
    struct heap *h = &s->profile->heap;
    const bool all = h->rate == 0;
    const uint64_t wish = all ? RATE_FIRST : h->rate * RATE_STEP;
    const uint64_t rate = wish <= RATE_LAST ? wish : 0;
    preload__drain(s->options.preload, feed__record, s);
    const bool follows = all || h->thinned;
    const uint8_t epoch = profile__heap_sample(s->profile, rate);
    if (!epoch)
        return NULL;
    preload__sample(s->options.preload, rate, epoch, follows);
    if (!rate) {
        s->budget.exhausted[BUDGET_PRELOAD] = true;
        return "heap: no more samples; allocations are counted on";
    }
    pxi_buf_fmt(what, "heap: one allocation in %" PRIu64 " KiB from here on%s", rate >> 10,
                all ? "; sites are estimates, totals are counted" : "");
    return pxi_buf_ok(what) ? what->data : "heap: fewer samples from here on";
}

/* Samples that are taken less often stand for more each. */
static const char *less_cpu(struct session *s, struct pxi_buf *what)
{
    if (s->options.hz / 2 < HZ_LAST) {
        attach__stop_samplers(s);
        s->budget.exhausted[BUDGET_CPU] = true;
        return "CPU: no more samples";
    }
    attach__stop_samplers(s);
    (void)ring_buffer__consume(s->ring);
    s->options.hz /= 2;
    s->sample_weight *= 2;
    for (size_t i = 0; i < s->procs.count; i++) {
        if (!procs__at(s, i)->gone)
            (void)attach__samplers(s, procs__at(s, i)->pid);
    }
    pxi_buf_fmt(what, "CPU: %u samples a second from here on, each counts %u-fold", s->options.hz,
                s->sample_weight);
    return pxi_buf_ok(what) ? what->data : "CPU: fewer samples from here on";
}

static const char *no_probes(struct session *s)
{
    s->options.heap = false;
    s->skeleton->bss->heap_off = true;
    for (size_t i = 0; i < s->procs.count; i++)
        uprobes__close(&procs__at(s, i)->heap);
    (void)ring_buffer__consume(s->ring);
    profile__heap_stop(s->profile, pxi_clock_ns());
    s->budget.exhausted[BUDGET_PROBES] = true;
    return "heap: probes taken out; its figures end here";
}

static const char *no_pages(struct session *s)
{
    attach__stop_pages(s);
    s->budget.exhausted[BUDGET_PAGES] = true;
    return "pages: not watched any more; their figures end here";
}

static const char *no_queries(struct session *s)
{
    s->options.queries = false;
    uprobes__close(&s->queries);
    s->budget.exhausted[BUDGET_QUERIES] = true;
    return "queries: probes taken out; their figures end here";
}

static const char *no_orm(struct session *s)
{
    uprobes__close(&s->orm);
    (void)ring_buffer__consume(s->ring);
    profile__heap_stop(s->profile, pxi_clock_ns());
    s->budget.exhausted[BUDGET_ORM] = true;
    return "heap: probes of Prax taken out; its figures end here";
}

static void back_off(struct session *s, enum budget_kind kind, double slower)
{
    struct pxi_buf what = { 0 };
    const char *told = NULL;
    switch (kind) {
    case BUDGET_PRELOAD:
        told = less_preload(s, &what);
        break;
    case BUDGET_PROBES:
        told = no_probes(s);
        break;
    case BUDGET_PAGES:
        told = no_pages(s);
        break;
    case BUDGET_QUERIES:
        told = no_queries(s);
        break;
    case BUDGET_ORM:
        told = no_orm(s);
        break;
    case BUDGET_CPU:
        told = less_cpu(s, &what);
        break;
    case BUDGET_COUNTING:
        s->budget.exhausted[kind] = true;
        told = "heap: what is left of the cost is counting, which goes on";
        break;
    case BUDGET_KINDS:
        break;
    }
    if (!told) {
        s->budget.exhausted[kind] = true;
    } else {
        const double after = (double)(pxi_clock_ns() - s->budget.start_ns) * 1e-9;
        pxi_buf_fmt(&s->backoff, "after %.2f s, %.0f %% slower (%.4g %% allowed): %s\n", after,
                    100 * slower, s->options.max_overhead, told);
        cli__note("overhead", "after %.2f s, %.0f %% slower (%.4g %% allowed): %s", after,
                  100 * slower, s->options.max_overhead, told);
    }
    pxi_buf_free(&what);
}

/* ---- judging -----------------------------------------------------------------------------------
 */

/* The dearest kind of a span, if it can still do less; BUDGET_KINDS: none. To do less of another
 * would take much from the recording and little from the cost. */
static enum budget_kind dearest(const struct session *s, const uint64_t *cost_ns)
{
    enum budget_kind best = BUDGET_KINDS;
    uint64_t most = 0;
    for (int k = 0; k < BUDGET_KINDS; k++) {
        const uint64_t ns = cost_ns[k] - s->budget.cost_ns[k];
        if (ns > most) {
            most = ns;
            best = s->budget.exhausted[k] ? BUDGET_KINDS : (enum budget_kind)k;
        }
    }
    return best;
}

/* A new span begins. */
static void begin_span(struct session *s, const uint64_t *cost_ns, uint64_t task_ns)
{
    s->budget.task_ns = task_ns;
    for (int k = 0; k < BUDGET_KINDS; k++)
        s->budget.cost_ns[k] = cost_ns[k];
}

static void judge(struct session *s)
{
    const struct budget *b = &s->budget;
    uint64_t cost_ns[BUDGET_KINDS], ours = 0;
    read_costs(s, cost_ns);
    uint64_t task_ns = read_task_time(s);
    const uint64_t ran = task_ns > b->task_ns ? task_ns - b->task_ns : 0;
    if (ran < (uint64_t)JUDGED_MS * 1000000)
        return;
    for (int k = 0; k < BUDGET_KINDS; k++)
        ours += cost_ns[k] - b->cost_ns[k];
    const double times = (double)ours / (double)(ran > ours ? ran - ours : 1);
    const double slower = times < SLOWER_MAX ? times : SLOWER_MAX;
    const enum budget_kind kind = dearest(s, cost_ns);
    if (100 * slower > s->options.max_overhead && kind != BUDGET_KINDS) {
        back_off(s, kind, slower);
        read_costs(s, cost_ns); /* what it cost until it did less is not the next span's */
        task_ns = read_task_time(s);
    }
    begin_span(s, cost_ns, task_ns);
}

static void sum_up(struct session *s, const uint64_t *cost_ns, uint64_t task_ns)
{
    s->facts.task_ns = task_ns;
    s->facts.overhead_ns = 0;
    for (int k = 0; k < BUDGET_KINDS; k++)
        s->facts.overhead_ns += cost_ns[k];
}

void budget__look(struct session *s)
{
    const uint64_t now = pxi_clock_ns();
    if (!s->started || now < s->budget.next_ns)
        return;
    if (!s->budget.start_ns)
        s->budget.start_ns = now;
    if (s->options.max_overhead > 0) {
        judge(s);
    } else {
        (void)read_task_time(s);
    }
    const uint64_t pause_ns = s->options.max_overhead > 0 ? LOOK_NS : LOOK_UNLIMITED_NS;
    const uint64_t done = pxi_clock_ns(), rest_ns = (done - now) * LOOK_PART;
    s->budget.next_ns = done + (rest_ns > pause_ns ? rest_ns : pause_ns);
}

void budget__finish(struct session *s)
{
    uint64_t cost_ns[BUDGET_KINDS];
    read_costs(s, cost_ns);
    sum_up(s, cost_ns, read_task_time(s));
    s->facts.backoff = pxi_buf_ok(&s->backoff) && s->backoff.size ? s->backoff.data : NULL;
}

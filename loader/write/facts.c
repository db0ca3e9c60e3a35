/* facts.c - see facts.h. */
#include "loader/write/facts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SLOWER_MAX = 1000 }; /* -fold; beyond it the estimate is of no use */

struct op_sum *op_sums__make(const struct profile *p)
{
    struct op_sum *sums = calloc(p->n_ops, sizeof *sums);
    if (!sums)
        return NULL;
    for (uint32_t i = 1; i < p->n_queries; i++)
        sums[p->queries[i].op].stats = &p->queries[i];
    for (uint32_t i = 1; i < p->n_cpu; i++) {
        struct op_sum *s = &sums[p->cpu[i].op];
        s->cpu += p->cpu[i].count;
        s->cpu_phase[p->cpu[i].phase % PXB_PHASES] += p->cpu[i].count;
    }
    for (uint32_t i = 1; i < p->heap.n_sites; i++) {
        struct op_sum *s = &sums[p->heap.sites[i].op];
        s->heap_bytes += p->heap.sites[i].total_bytes;
        s->heap_blocks += p->heap.sites[i].total_blocks;
    }
    return sums;
}

struct query_sums query_sums__of(const struct profile *p, int verb)
{
    struct query_sums s = { 0 };
    for (uint32_t i = 1; i < p->n_queries; i++) {
        const struct query_stats *q = &p->queries[i];
        const struct query_sum top = query_stats__top(q);
        if (verb >= 0 && p->ops[q->op].verb != verb)
            continue;
        query_sum__add(&s.top, &top);
        query_sum__add(&s.nested, &q->nested);
    }
    return s;
}

struct ranked {
    uint64_t ns, cpu, heap;
    uint32_t op;
};

static int by_time(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->ns != y->ns)
        return x->ns > y->ns ? -1 : 1;
    if (x->cpu != y->cpu)
        return x->cpu > y->cpu ? -1 : 1;
    if (x->heap != y->heap)
        return x->heap > y->heap ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

uint32_t *op_sums__order(const struct profile *p, const struct op_sum *sums, uint32_t *n)
{
    struct ranked *ranked = calloc(p->n_ops, sizeof *ranked);
    uint32_t *order = calloc(p->n_ops, sizeof *order);
    *n = 0;
    for (uint32_t op = 1; ranked && order && op < p->n_ops; op++) {
        const struct op_sum *s = &sums[op];
        struct ranked r = { s->stats ? s->stats->ns : 0, s->cpu, s->heap_bytes, op };
        if (s->stats || s->cpu || s->heap_blocks)
            ranked[(*n)++] = r;
    }
    if (ranked && order) {
        qsort(ranked, *n, sizeof *ranked, by_time);
        for (uint32_t i = 0; i < *n; i++)
            order[i] = ranked[i].op;
    } else {
        free(order);
        order = NULL;
    }
    free(ranked);
    return order;
}

static void add_site(struct heap_group *g, const struct heap_site *s)
{
    g->total_bytes += s->total_bytes;
    g->total_blocks += s->total_blocks;
    g->live_bytes += s->live_bytes;
    g->live_blocks += s->live_blocks;
    g->max_bytes += s->max_bytes;
    g->gmax_bytes += s->gmax_bytes;
    g->lifetime_ns += s->lifetime_ns;
    g->samples += s->samples;
    g->sampled_bytes += s->sampled_bytes;
    if (s->old_blocks && (g->old_blocks == 0 || s->youngest_ns < g->youngest_ns))
        g->youngest_ns = s->youngest_ns;
    if (s->oldest_ns > g->oldest_ns)
        g->oldest_ns = s->oldest_ns;
    g->old_bytes += s->old_bytes;
    g->old_blocks += s->old_blocks;
}

double heap_group__error(const struct profile *p, const struct heap_group *g)
{
    if (!p->heap.rate || !g->samples || !g->total_bytes)
        return 0;
    return (double)g->sampled_bytes / (double)g->total_bytes / sqrt((double)g->samples);
}

struct key {
    uint32_t ustack, op;
};

static struct key by_site(const struct profile *p, const struct heap_site *s)
{
    (void)p;
    return (struct key){ s->ustack, s->op };
}

static struct key by_operation(const struct profile *p, const struct heap_site *s)
{
    (void)p;
    return (struct key){ 0, s->op };
}

static struct key by_purpose(const struct profile *p, const struct heap_site *s)
{
    return (struct key){ 0, stack__purpose(p, s->ustack) };
}

static struct heap_group *make_groups(const struct profile *p, uint32_t *n,
                                      struct key (*key_of)(const struct profile *p,
                                                           const struct heap_site *s))
{
    struct heap_group *groups = calloc(p->heap.n_sites + 1, sizeof *groups);
    struct pxi_map map;
    pxi_map_init(&map);
    *n = 0;
    for (uint32_t i = 1; groups && i < p->heap.n_sites; i++) {
        const struct heap_site *s = &p->heap.sites[i];
        const struct key key = key_of(p, s);
        bool is_new;
        struct pxi_map_entry *e = pxi_map_put(&map, &key, sizeof key, &is_new);
        if (!e) {
            free(groups);
            groups = NULL;
            break;
        }
        if (is_new) {
            groups[*n] = (struct heap_group){ .ustack = key.ustack, .op = key.op };
            e->value = &groups[(*n)++];
        }
        add_site(e->value, s);
    }
    pxi_map_free(&map);
    return groups;
}

struct heap_group *heap_groups__make(const struct profile *p, bool by_op, uint32_t *n)
{
    return make_groups(p, n, by_op ? by_operation : by_site);
}

struct heap_group *heap_groups__by_purpose(const struct profile *p, uint32_t *n)
{
    return make_groups(p, n, by_purpose);
}

const char *heap_of__name(uint8_t with_heap)
{
    static const char *const names[] = { NULL, "all", "orm" };
    return with_heap < sizeof names / sizeof *names ? names[with_heap] : NULL;
}

void losses__each(const struct profile *p, void (*visit)(void *ctx, const char *cause, uint64_t n),
                  void *ctx)
{
    static const char *const kinds[] = { "other",       "stacks",        "statements",
                                         "cpu_samples", "queries",       "allocs",
                                         "frees",       "realloc_enter", "realloc_exit",
                                         "page_faults" };
    _Static_assert(sizeof kinds / sizeof *kinds == PXB_KINDS, "a name for each kind");
    const struct pxb_counters *c = &p->meta.counters;
    for (unsigned i = 0; i < PXB_KINDS; i++) {
        if (c->lost[i])
            visit(ctx, kinds[i], c->lost[i]);
    }
    if (c->busy)
        visit(ctx, "stacks_busy", c->busy);
    if (c->no_memory)
        visit(ctx, "map_full", c->no_memory);
    if (p->heap.untracked)
        visit(ctx, "blocks_untracked", p->heap.untracked);
}

void facts__target(struct pxi_buf *out, const struct profile *p)
{
    if (p->n_processes > 2) {
        pxi_buf_fmt(out, "%u processes", p->n_processes - 1);
    } else if (p->n_processes == 2) {
        const struct process *t = &p->processes[1];
        text__clean(out, t->comm, strlen(t->comm), 0, false);
        pxi_buf_fmt(out, " (pid %u)", t->pid);
    } else {
        pxi_buf_text(out, "no process");
    }
}

uint64_t facts__duration(const struct profile *p)
{
    return p->meta.end_ns > p->meta.start_ns ? p->meta.end_ns - p->meta.start_ns : 0;
}

double facts__slowdown(const struct profile *p)
{
    const uint64_t task = p->meta.task_ns, ours = p->meta.overhead_ns;
    if (task == 0)
        return -1;
    /* what the task ran includes what it ran for us */
    return task > ours + ours / SLOWER_MAX ? (double)ours / (double)(task - ours) : SLOWER_MAX;
}

const char *facts__heap_how(const struct profile *p)
{
    static const char *const names[] = { "none",    "exact", "probes",
                                         "sampled", "pages", "exact, then sampled",
                                         "orm" };
    return p->meta.heap_how < sizeof names / sizeof *names ? names[p->meta.heap_how] : "none";
}

void heap_hits__each(const struct profile *p,
                     void (*visit)(void *ctx, const char *what, uint64_t n), void *ctx)
{
    static const char *const names[PXB_HITS] = { NULL,    "entries", "returns",
                                                 "frees", "faults",  "blocks of Prax" };
    for (unsigned i = PXB_HIT_ENTRY; i < PXB_HITS; i++) {
        if (p->meta.counters.probe_hits[i])
            visit(ctx, names[i], p->meta.counters.probe_hits[i]);
    }
    if (p->meta.heap_events)
        visit(ctx, "events", p->meta.heap_events);
}

uint64_t facts__whole_stacks(const struct profile *p, uint64_t *all)
{
    const struct pxb_counters *c = &p->meta.counters;
    *all = 0;
    for (unsigned i = PXB_END_OK; i < PXB_ENDS; i++)
        *all += c->ends[i];
    return c->ends[PXB_END_OK] + c->ends[PXB_END_OK_GUESSED];
}

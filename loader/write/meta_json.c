/* meta_json.c - meta.json: what was recorded, how, how well, and what it cost. */
#include "loader/write/facts.h"

static void member(struct pxi_json *j, const char *key, uint64_t value)
{
    pxi_json_key(j, key);
    pxi_json_u64(j, value);
}

static void word(struct pxi_json *j, const char *key, const char *value)
{
    pxi_json_key(j, key);
    pxi_json_text(j, value);
}

static void flag(struct pxi_json *j, const char *key, bool value)
{
    pxi_json_key(j, key);
    pxi_json_bool(j, value);
}

static void add_processes(struct pxi_json *j, const struct profile *p)
{
    pxi_json_key(j, "processes");
    pxi_json_begin(j, '[');
    for (uint32_t i = 1; i < p->n_processes; i++) {
        const struct process *t = &p->processes[i];
        pxi_json_begin(j, '{');
        member(j, "pid", t->pid);
        word(j, "comm", t->comm);
        member(j, "start_ns", t->start_ns);
        pxi_json_key(j, "end_ns");
        if (t->end_ns) {
            pxi_json_u64(j, t->end_ns);
        } else {
            pxi_json_null(j);
        }
        pxi_json_end(j, '}');
    }
    pxi_json_end(j, ']');
}

static void add_loss(void *ctx, const char *cause, uint64_t n)
{
    member(ctx, cause, n);
}

static void add_counters(struct pxi_json *j, const struct profile *p)
{
    static const char *const hits[PXB_HITS] = { "queries", "allocations", "returns",
                                                "frees",   "page_faults", "orm_blocks" };
    const struct pxb_counters *c = &p->meta.counters;
    member(j, "samples", c->samples);
    pxi_json_key(j, "stack_ends");
    pxi_json_begin(j, '{');
    for (unsigned i = 0; i < PXB_ENDS; i++) {
        if (c->ends[i])
            member(j, end_name((uint8_t)i), c->ends[i]);
    }
    pxi_json_end(j, '}');
    pxi_json_key(j, "probe_hits");
    pxi_json_begin(j, '{');
    for (size_t i = 0; i < sizeof hits / sizeof *hits; i++)
        member(j, hits[i], c->probe_hits[i]);
    pxi_json_end(j, '}');
    pxi_json_key(j, "lost");
    pxi_json_begin(j, '{');
    losses__each(p, add_loss, j);
    pxi_json_end(j, '}');
    pxi_json_key(j, "lost_part");
    pxi_json_f64(j, profile__loss(p));
}

void meta__json(struct pxi_json *j, const struct profile *p)
{
    const struct profile_meta *m = &p->meta;
    pxi_json_begin(j, '{');
    word(j, "version", m->version);
    word(j, "command", m->command);
    word(j, "host", m->host);
    word(j, "kernel", m->kernel);
    pxi_json_key(j, "exit_status");
    pxi_json_i64(j, m->exit_status);
    member(j, "wall_start_ns", m->wall_start_ns);
    member(j, "start_ns", m->start_ns);
    member(j, "end_ns", m->end_ns);
    member(j, "duration_ns", facts__duration(p));
    flag(j, "cpu", m->with_cpu);
    member(j, "cpu_hz", m->hz);
    flag(j, "heap", m->with_heap);
    word(j, "heap_how", facts__heap_how(p));
    member(j, "heap_sampled_every_bytes", p->heap.rate);
    member(j, "heap_events", m->heap_events);
    member(j, "heap_unknown_frees", p->heap.unknown_frees);
    word(j, "allocators", m->allocators);
    flag(j, "queries", m->with_queries);
    flag(j, "prax_seen", m->has_prax);
    word(j, "heap_of", heap_of__name(m->with_heap));
    add_processes(j, p);
    add_counters(j, p);
    member(j, "overhead_ns", m->overhead_ns);
    pxi_json_key(j, "overhead_part");
    pxi_json_f64(j, facts__duration(p) ? (double)m->overhead_ns / (double)facts__duration(p) : 0);
    member(j, "task_ns", m->task_ns);
    pxi_json_key(j, "slowdown_part");
    if (facts__slowdown(p) < 0) {
        pxi_json_null(j);
    } else {
        pxi_json_f64(j, facts__slowdown(p));
    }
    pxi_json_key(j, "max_overhead_part");
    pxi_json_f64(j, m->max_overhead / 100);
    word(j, "backed_off", m->backoff);
    word(j, "warnings", m->warnings);
    pxi_json_end(j, '}');
}

void write_meta_json(const struct profile *p, struct pxi_buf *out)
{
    struct pxi_json j = { .out = out, .indent = 2 };
    meta__json(&j, p);
    pxi_buf_char(out, '\n');
}

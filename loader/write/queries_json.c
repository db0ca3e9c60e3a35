/* queries_json.c - queries.json: a record a fingerprint, those with the most time first.
 *
 * Times are ns; "histogram" lists [from, to, calls] of the buckets that were hit, to exclusive.
 * "cpu" and "heap" come from samples and allocations that fell into the operation.
 *
 * A level of an include is an operation within another one, whose time has its own in it. So sums
 * are of what the program called, and "nested" beside them has the others: "total" is the sum of
 * "verbs", and its calls are to be compared with a program's own counters. A statement's record has
 * both in its figures, and says how much of them was nested. Fingerprints are hex strings: they
 * do not fit JavaScript's numbers.
 */
#include "loader/write/facts.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SITES_MAX = 20, SITE_NAMES_MAX = 32 };

static void member(struct pxi_json *j, const char *key, uint64_t value)
{
    pxi_json_key(j, key);
    pxi_json_u64(j, value);
}

void stack__json(struct pxi_json *j, const struct profile *p, uint32_t stack, unsigned max)
{
    const struct stack *s = &p->stacks[stack];
    struct pxi_buf scratch = { 0 };
    pxi_json_begin(j, '[');
    const uint32_t purpose = stack__purpose(p, stack);
    for (uint16_t i = 0; i < s->n && s->frames[i] != purpose; i++) {
        for (uint32_t k = 0; k < label__count(p, s->frames[i]) && max; k++, max--)
            pxi_json_text(j, label__of(p, s->frames[i], k, &scratch).text);
    }
    pxi_json_end(j, ']');
    j->out->broken |= !pxi_buf_ok(&scratch);
    pxi_buf_free(&scratch);
}

static void add_times(struct pxi_json *j, const struct query_stats *q)
{
    pxi_json_key(j, "time_ns");
    pxi_json_begin(j, '{');
    member(j, "total", q->ns);
    member(j, "mean", q->calls ? q->ns / q->calls : 0);
    member(j, "min", q->calls ? q->ns_min : 0);
    member(j, "p50", query_stats__quantile(q, 0.5));
    member(j, "p95", query_stats__quantile(q, 0.95));
    member(j, "p99", query_stats__quantile(q, 0.99));
    member(j, "max", q->ns_max);
    pxi_json_end(j, '}');
    pxi_json_key(j, "histogram");
    pxi_json_begin(j, '[');
    for (unsigned b = 0; b < QUERY_BUCKETS; b++) {
        if (!q->histogram[b])
            continue;
        pxi_json_begin(j, '[');
        pxi_json_u64(j, query_stats__floor(b));
        pxi_json_u64(j, query_stats__floor(b + 1));
        pxi_json_u64(j, q->histogram[b]);
        pxi_json_end(j, ']');
    }
    pxi_json_end(j, ']');
}

static void add_phases(struct pxi_json *j, const char *key, const uint64_t *values)
{
    pxi_json_key(j, key);
    pxi_json_begin(j, '{');
    for (unsigned i = 0; i < PXB_PHASES; i++) {
        if (values[i])
            member(j, phase_name((uint8_t)i), values[i]);
    }
    pxi_json_end(j, '}');
}

static void add_sum_members(struct pxi_json *j, const struct query_sum *s)
{
    member(j, "calls", s->calls);
    member(j, "errors", s->errors);
    member(j, "rows", s->rows);
    member(j, "time_ns", s->ns);
}

static void add_nested(struct pxi_json *j, const struct query_sum *s)
{
    pxi_json_key(j, "nested");
    pxi_json_begin(j, '{');
    add_sum_members(j, s);
    pxi_json_end(j, '}');
}

static void add_stats(struct pxi_json *j, const struct query_stats *q)
{
    static const struct query_stats none;
    q = q ? q : &none;
    member(j, "calls", q->calls);
    member(j, "errors", q->errors);
    member(j, "rows", q->rows);
    member(j, "bytes_in", q->bytes_in);
    member(j, "bytes_out", q->bytes_out);
    member(j, "allocator_calls", q->allocs);
    member(j, "plan_cached", q->cached);
    add_times(j, q);
    add_nested(j, &q->nested);
    member(j, "calls_with_phases", q->timed);
    add_phases(j, "phases_ns", q->phase_ns);
}

static int by_calls(const void *a, const void *b)
{
    const struct query_site *x = a, *y = b;
    if (x->calls != y->calls)
        return x->calls > y->calls ? -1 : 1;
    return x->ustack < y->ustack ? -1 : x->ustack > y->ustack;
}

/* The call sites of all operations, sorted by operation, then calls. */
static int by_op(const void *a, const void *b)
{
    const struct query_site *x = a, *y = b;
    if (x->op != y->op)
        return x->op < y->op ? -1 : 1;
    return by_calls(a, b);
}

static void add_sites(struct pxi_json *j, const struct profile *p, const struct query_site *sites,
                      uint32_t op)
{
    uint32_t n = p->n_query_sites - 1, low = 0, high = n, shown = 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sites[middle].op < op) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    pxi_json_key(j, "call_sites");
    pxi_json_begin(j, '[');
    for (; low < n && sites[low].op == op && shown < SITES_MAX; low++, shown++) {
        pxi_json_begin(j, '{');
        member(j, "calls", sites[low].calls);
        member(j, "time_ns", sites[low].ns);
        pxi_json_key(j, "stack");
        stack__json(j, p, sites[low].ustack, SITE_NAMES_MAX);
        pxi_json_end(j, '}');
    }
    pxi_json_end(j, ']');
}

static void add_query(struct pxi_json *j, const struct profile *p, uint32_t op,
                      const struct op_sum *sum, const struct query_site *sites)
{
    const struct operation *o = &p->ops[op];
    char fingerprint[20];
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, o->fingerprint);
    pxi_json_begin(j, '{');
    pxi_json_key(j, "fingerprint");
    pxi_json_text(j, o->fingerprint ? fingerprint : NULL);
    pxi_json_key(j, "verb");
    pxi_json_text(j, verb_name(o->verb));
    pxi_json_key(j, "model");
    pxi_json_text(j, o->model);
    pxi_json_key(j, "sql");
    pxi_json_text(j, o->sql);
    member(j, "sql_size", o->sql_size);
    add_stats(j, sum->stats);
    pxi_json_key(j, "cpu");
    pxi_json_begin(j, '{');
    member(j, "samples", sum->cpu);
    add_phases(j, "phases", sum->cpu_phase);
    pxi_json_end(j, '}');
    pxi_json_key(j, "heap");
    pxi_json_begin(j, '{');
    member(j, "bytes", sum->heap_bytes);
    member(j, "blocks", sum->heap_blocks);
    pxi_json_end(j, '}');
    add_sites(j, p, sites, op);
    pxi_json_end(j, '}');
}

static void add_sums(struct pxi_json *j, const char *key, const struct query_sums *s)
{
    pxi_json_key(j, key);
    pxi_json_begin(j, '{');
    add_sum_members(j, &s->top);
    add_nested(j, &s->nested);
    pxi_json_end(j, '}');
}

static void add_verbs(struct pxi_json *j, const struct profile *p)
{
    struct query_sums all = query_sums__of(p, -1);
    add_sums(j, "total", &all);
    pxi_json_key(j, "verbs");
    pxi_json_begin(j, '{');
    for (int verb = 0; verb < 256; verb++) {
        struct query_sums s = query_sums__of(p, verb);
        if (s.top.calls || s.nested.calls)
            add_sums(j, verb_name((uint8_t)verb), &s);
    }
    pxi_json_end(j, '}');
}

void queries__json(struct pxi_json *j, const struct profile *p)
{
    uint32_t n = 0;
    struct op_sum *sums = op_sums__make(p);
    uint32_t *order = sums ? op_sums__order(p, sums, &n) : NULL;
    struct query_site *sites = calloc(p->n_query_sites, sizeof *sites);
    j->out->broken |= !order || !sites;
    pxi_json_begin(j, '{');
    member(j, "version", 1);
    member(j, "recorded_ns", facts__duration(p));
    add_verbs(j, p);
    pxi_json_key(j, "queries");
    pxi_json_begin(j, '[');
    if (order && sites) {
        memcpy(sites, p->query_sites + 1, (p->n_query_sites - 1) * sizeof *sites);
        qsort(sites, p->n_query_sites - 1, sizeof *sites, by_op);
        for (uint32_t i = 0; i < n; i++)
            add_query(j, p, order[i], &sums[order[i]], sites);
    }
    pxi_json_end(j, ']');
    pxi_json_end(j, '}');
    free(sums);
    free(order);
    free(sites);
}

void write_queries_json(const struct profile *p, struct pxi_buf *out)
{
    struct pxi_json j = { .out = out, .indent = 2 };
    queries__json(&j, p);
    pxi_buf_char(out, '\n');
}

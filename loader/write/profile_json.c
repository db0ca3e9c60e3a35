/* profile_json.c - CPU and heap as JSON values, for `report --json`. Lists hold the heaviest
 * stacks; the folded files hold all of them. */
#include "loader/write/facts.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { STACKS_MAX = 50, NAMES_MAX = 64 };

static void member(struct pxi_json *j, const char *key, uint64_t value)
{
    pxi_json_key(j, key);
    pxi_json_u64(j, value);
}

static int by_weight(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void add_line(struct pxi_json *j, const struct lines *l, const struct line *line)
{
    pxi_json_begin(j, '{');
    member(j, "samples", line->weight);
    pxi_json_key(j, "stack");
    pxi_json_begin(j, '[');
    for (uint32_t i = line->n; i-- > 0;)
        pxi_json_text(j, l->labels[line->labels[i]].text);
    pxi_json_end(j, ']');
    pxi_json_end(j, '}');
}

void cpu__json(struct pxi_json *j, const struct profile *p)
{
    struct lines l;
    j->out->broken |= !lines__make(&l, p, WRITE_CPU);
    if (l.n)
        qsort(l.lines, l.n, sizeof *l.lines, by_weight);
    pxi_json_begin(j, '{');
    member(j, "samples", l.weight);
    pxi_json_key(j, "stacks");
    pxi_json_begin(j, '[');
    for (uint32_t i = 0; i < l.n && i < STACKS_MAX; i++)
        add_line(j, &l, &l.lines[i]);
    pxi_json_end(j, ']');
    pxi_json_end(j, '}');
    lines__free(&l);
}

static int by_bytes(const void *a, const void *b)
{
    const struct heap_group *x = a, *y = b;
    if (x->total_bytes != y->total_bytes)
        return x->total_bytes > y->total_bytes ? -1 : 1;
    if (x->ustack != y->ustack)
        return x->ustack < y->ustack ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static void word(struct pxi_json *j, const char *key, const char *value)
{
    pxi_json_key(j, key);
    pxi_json_text(j, value);
}

/* "query", and what it is made of: all null outside of queries. */
static void add_op(struct pxi_json *j, const struct profile *p, uint32_t op)
{
    const struct operation *o = op ? &p->ops[op] : NULL;
    struct pxi_buf name = { 0 };
    char fingerprint[20];
    if (o)
        text__op(&name, o);
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, o ? o->fingerprint : 0);
    word(j, "query", name.data);
    word(j, "verb", o ? verb_name(o->verb) : NULL);
    word(j, "model", o ? o->model : NULL);
    word(j, "fingerprint", o && o->fingerprint ? fingerprint : NULL);
    j->out->broken |= !pxi_buf_ok(&name);
    pxi_buf_free(&name);
}

static void add_figures(struct pxi_json *j, const struct profile *p, const struct heap_group *g)
{
    member(j, "bytes", g->total_bytes);
    member(j, "blocks", g->total_blocks);
    pxi_json_key(j, "blocks_a_second");
    pxi_json_f64(j, facts__duration(p) ? (double)g->total_blocks * 1e9 / (double)facts__duration(p)
                                       : 0);
    member(j, "peak_bytes", g->max_bytes);
    member(j, "bytes_at_peak", g->gmax_bytes);
    member(j, "bytes_left", g->live_bytes);
    member(j, "blocks_left", g->live_blocks);
    member(j, "lifetime_ns", g->lifetime_ns);
    if (g->old_blocks) {
        member(j, "leaked_bytes", g->old_bytes);
        member(j, "leaked_blocks", g->old_blocks);
        member(j, "oldest_ns", g->oldest_ns);
        member(j, "youngest_ns", g->youngest_ns);
    }
    if (p->heap.rate) {
        member(j, "samples", g->samples);
        pxi_json_key(j, "standard_error");
        pxi_json_f64(j, heap_group__error(p, g));
    }
}

static const char *name_of(const struct profile *p, uint32_t frame)
{
    return frame ? p->names[p->frames[frame].symbol].name : NULL;
}

static void add_held(struct pxi_json *j, const char *key, const struct heap_held *held)
{
    pxi_json_key(j, key);
    pxi_json_begin(j, '[');
    for (uint32_t i = 0; i < HEAP_PURPOSES; i++) {
        if (held->blocks[i] == 0)
            continue;
        pxi_json_begin(j, '{');
        word(j, "purpose", purpose_name(i));
        member(j, "bytes", held->bytes[i]);
        member(j, "blocks", held->blocks[i]);
        pxi_json_end(j, '}');
    }
    pxi_json_end(j, ']');
}

static void add_site(struct pxi_json *j, const struct profile *p, const struct heap_group *g)
{
    pxi_json_begin(j, '{');
    add_figures(j, p, g);
    add_op(j, p, g->op);
    word(j, "purpose", name_of(p, stack__purpose(p, g->ustack)));
    pxi_json_key(j, "stack");
    stack__json(j, p, g->ustack, NAMES_MAX);
    pxi_json_end(j, '}');
}

/* One for each query, or for each purpose. */
static void add_groups(struct pxi_json *j, const struct profile *p, bool by_op)
{
    uint32_t n = 0;
    struct heap_group *groups =
        by_op ? heap_groups__make(p, true, &n) : heap_groups__by_purpose(p, &n);
    j->out->broken |= !groups;
    if (groups)
        qsort(groups, n, sizeof *groups, by_bytes);
    pxi_json_key(j, by_op ? "queries" : "purposes");
    pxi_json_begin(j, '[');
    for (uint32_t i = 0; groups && i < n; i++) {
        if (!by_op && !groups[i].op)
            continue;
        pxi_json_begin(j, '{');
        add_figures(j, p, &groups[i]);
        if (by_op) {
            add_op(j, p, groups[i].op);
        } else {
            word(j, "purpose", name_of(p, groups[i].op));
        }
        pxi_json_end(j, '}');
    }
    pxi_json_end(j, ']');
    free(groups);
}

void heap__json(struct pxi_json *j, const struct profile *p)
{
    const struct heap *h = &p->heap;
    uint32_t n = 0;
    struct heap_group *groups = heap_groups__make(p, false, &n);
    j->out->broken |= !groups;
    if (groups)
        qsort(groups, n, sizeof *groups, by_bytes);
    pxi_json_begin(j, '{');
    pxi_json_key(j, "how");
    pxi_json_text(j, facts__heap_how(p));
    member(j, "bytes", h->total_bytes);
    member(j, p->meta.heap_how == HEAP_PAGES ? "faults" : "blocks", h->total_blocks);
    member(j, "copied_pages", h->copies);
    member(j, "huge_pages", h->huge);
    member(j, "peak_bytes", h->max_bytes);
    member(j, "peak_blocks", h->max_blocks);
    member(j, "peak_ns", h->max_ns > p->meta.start_ns ? h->max_ns - p->meta.start_ns : 0);
    member(j, "bytes_left", h->live_bytes);
    member(j, "blocks_left", h->live_blocks);
    member(j, "frees", h->frees);
    member(j, "sampled_every_bytes", h->rate);
    member(j, "counted_bytes", h->exact_bytes);
    member(j, "counted_blocks", h->exact_blocks);
    member(j, "counted_frees", h->exact_frees);
    member(j, "unknown_frees", h->unknown_frees);
    member(j, "overwritten", h->overwritten);
    member(j, "lost_reallocs", h->lost_reallocs);
    member(j, "failed", h->failed);
    member(j, "untracked", h->untracked);
    member(j, "leaks_older_than_ns", h->leak_age_ns);
    heap_shape__json(j, p);
    word(j, "of", heap_of__name(p->meta.with_heap));
    add_groups(j, p, true);
    add_groups(j, p, false);
    add_held(j, "held_before", &h->held_before);
    add_held(j, "held_at_end", &h->held_at_end);
    pxi_json_key(j, "sites");
    pxi_json_begin(j, '[');
    for (uint32_t i = 0; groups && i < n && i < STACKS_MAX; i++)
        add_site(j, p, &groups[i]);
    pxi_json_end(j, ']');
    pxi_json_end(j, '}');
    free(groups);
}

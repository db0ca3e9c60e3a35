/* heap_txt.c - heap.txt: totals, the peak, what was left, and the sites that matter, for reading.
 *
 * Sites are stacks with their query, over all processes and phases. Each list is sorted by another
 * figure; all show the same figures, so that a site is known again. Stacks are shown from the first
 * function on that is no allocator; dhat-heap.json has all frames.
 */
#include "loader/write/heap_text.h"
#include "loader/write/spots.h"
#include <stdlib.h>
#include <string.h>

enum { SITES_SHOWN = 10, NAMES_SHOWN = 14, WIDTH = 80 };

void heap_text__blocks(struct pxi_buf *out, uint64_t n)
{
    text__count(out, n);
    pxi_buf_text(out, n == 1 ? " block" : " blocks");
}

static void row(struct pxi_buf *out, const char *what, uint64_t bytes, uint64_t blocks)
{
    size_t from = out->size;
    pxi_buf_text(out, what);
    text__column(out, from, 22);
    text__bytes(out, bytes);
    text__column(out, from, 36);
    pxi_buf_text(out, "in ");
    heap_text__blocks(out, blocks);
}

static void note(struct pxi_buf *out, const char *text, uint64_t n)
{
    if (n == 0)
        return;
    pxi_buf_fmt(out, "note: %s: ", text);
    text__count(out, n);
    pxi_buf_char(out, '\n');
}

static void add_notes(struct pxi_buf *out, const struct profile *p)
{
    const struct heap *h = &p->heap;
    const struct pxb_counters *c = &p->meta.counters;
    if (h->rate) {
        pxi_buf_text(out, "note: sampled, one allocation in ");
        text__bytes(out, h->rate);
        pxi_buf_text(out, " on average: all but what is counted are estimates;\n"
                          "      +- is one standard error, 1/sqrt(samples)\n");
    }
    if (p->meta.with_heap == HEAP_OF_ORM) {
        pxi_buf_text(out, "note: what libprax itself allocates: neither the program's own blocks\n"
                          "      nor those of the database's library\n");
    }
    if (!p->meta.command)
        pxi_buf_text(out, "note: attached to what was running: older blocks are not seen\n");
    note(out, "frees of blocks that were not known", h->unknown_frees);
    if (h->unknown_frees) {
        pxi_buf_text(out,
                     "      (older than the recording, inherited by fork, or a thread's cache\n"
                     "      that was given back when the thread ended)\n");
    }
    note(out, "addresses allocated twice with no free seen between", h->overwritten);
    note(out, "reallocs of which only one end was seen", h->lost_reallocs);
    note(out, "allocations that failed", h->failed);
    note(out, "blocks beyond those that can be followed at a time, in the totals only",
         h->untracked);
    uint64_t lost = c->lost[PXB_ALLOC] + c->lost[PXB_FREE] + c->lost[PXB_REALLOC_ENTER] +
                    c->lost[PXB_REALLOC_EXIT] + c->no_memory;
    note(out, "events that were lost, so that no figure here is exact", lost);
}

static void add_totals(struct pxi_buf *out, const struct profile *p)
{
    const struct heap *h = &p->heap;
    pxi_buf_text(out, "Heap of ");
    facts__target(out, p);
    pxi_buf_text(out, ", ");
    text__time(out, facts__duration(p));
    pxi_buf_text(out, "\n\n");
    if (h->exact_blocks) {
        row(out, "allocated in all", h->exact_bytes, h->exact_blocks);
        pxi_buf_text(out, ", counted\n");
    }
    if (h->rate || !h->exact_blocks) {
        row(out, h->rate ? "estimated" : "allocated in all", h->total_bytes, h->total_blocks);
        pxi_buf_char(out, '\n');
    }
    const size_t from = out->size;
    pxi_buf_text(out, "how often");
    text__column(out, from, 22);
    text__rate(out, h->total_blocks, facts__duration(p));
    pxi_buf_char(out, '\n');
    row(out, "at the peak", h->max_bytes, h->max_blocks);
    if (h->max_ns > p->meta.start_ns) {
        pxi_buf_text(out, ", ");
        text__time(out, h->max_ns - p->meta.start_ns);
        pxi_buf_text(out, " after the start");
    }
    pxi_buf_char(out, '\n');
    row(out, "at the end", h->live_bytes, h->live_blocks);
    pxi_buf_char(out, '\n');
    add_notes(out, p);
}

static void add_figures(struct pxi_buf *out, const struct profile *p, const struct heap_group *g)
{
    const uint64_t total_bytes = p->heap.total_bytes;
    text__bytes(out, g->total_bytes);
    pxi_buf_text(out, " (");
    text__share(out, g->total_bytes, total_bytes);
    if (heap_group__error(p, g) > 0)
        pxi_buf_fmt(out, ", +- %.0f %%", 100 * heap_group__error(p, g));
    pxi_buf_text(out, ") in ");
    heap_text__blocks(out, g->total_blocks);
    pxi_buf_text(out, " (");
    text__rate(out, g->total_blocks, facts__duration(p));
    pxi_buf_text(out, "), peak ");
    text__bytes(out, g->max_bytes);
    pxi_buf_text(out, ",\n     ");
    text__bytes(out, g->gmax_bytes);
    pxi_buf_text(out, " at the global peak, ");
    text__bytes(out, g->live_bytes);
    pxi_buf_text(out, " left in ");
    text__count(out, g->live_blocks);
    pxi_buf_text(out, ", mean life ");
    text__time(out, g->total_blocks ? g->lifetime_ns / g->total_blocks : 0);
    pxi_buf_char(out, '\n');
}

static void add_name(struct pxi_buf *out, const struct profile *p, uint32_t frame, uint32_t i)
{
    const struct frame *f = &p->frames[frame];
    struct pxi_buf line = { 0 }, scratch = { 0 };
    struct label l = label__of(p, frame, i, &scratch);
    pxi_buf_text(&line, l.text);
    if (f->symbols && p->names[f->symbol + i].file) {
        const struct frame_name *name = &p->names[f->symbol + i];
        pxi_buf_text(&line, " (");
        pxi_buf_text(&line, text__base(name->file));
        pxi_buf_fmt(&line, ":%u)", name->line);
    }
    out->broken |= !pxi_buf_ok(&line) || !pxi_buf_ok(&scratch);
    pxi_buf_text(out, "       ");
    if (line.data)
        text__clean(out, line.data, line.size, WIDTH - 12, false);
    pxi_buf_char(out, '\n');
    pxi_buf_free(&line);
    pxi_buf_free(&scratch);
}

/* Frames in front of this one only hand memory out, or have no name. 0: there is no better one. */
static uint16_t first_of_interest(const struct profile *p, const struct stack *s)
{
    for (uint16_t i = 0; i < s->n; i++) {
        const struct frame *f = &p->frames[s->frames[i]];
        const char *name = f->symbols ? p->names[f->symbol + f->symbols - 1].name : "";
        if (*name && !is_allocator(name))
            return i;
    }
    return 0;
}

static void add_stack(struct pxi_buf *out, const struct profile *p, const struct heap_group *g)
{
    const struct stack *s = &p->stacks[g->ustack];
    unsigned shown = 0;
    const uint32_t purpose = stack__purpose(p, g->ustack);
    if (purpose)
        add_name(out, p, purpose, 0);
    for (uint16_t i = first_of_interest(p, s); i < s->n && s->frames[i] != purpose; i++) {
        for (uint32_t k = 0; k < label__count(p, s->frames[i]); k++) {
            if (shown++ < NAMES_SHOWN)
                add_name(out, p, s->frames[i], k);
        }
    }
    if (shown == 0)
        pxi_buf_text(out, "       [no stack]\n");
    if (shown > NAMES_SHOWN)
        pxi_buf_fmt(out, "       ... %u more\n", shown - NAMES_SHOWN);
}

void heap_text__op(struct pxi_buf *out, const struct profile *p, uint32_t op)
{
    pxi_buf_text(out, "       query: ");
    text__op_exactly(out, &p->ops[op]);
    pxi_buf_char(out, '\n');
}

void heap_text__place(struct pxi_buf *out, const struct profile *p, const struct heap_group *g)
{
    if (g->op)
        heap_text__op(out, p, g->op);
    add_stack(out, p, g);
}

/* ---- lists -------------------------------------------------------------------------------------
 */

static uint64_t total_of(const struct heap_group *g)
{
    return g->total_bytes;
}
static uint64_t peak_of(const struct heap_group *g)
{
    return g->gmax_bytes;
}
static uint64_t count_of(const struct heap_group *g)
{
    return g->total_blocks;
}
static uint64_t left_of(const struct heap_group *g)
{
    return g->live_bytes;
}
static uint64_t life_of(const struct heap_group *g)
{
    return g->total_blocks ? g->lifetime_ns / g->total_blocks : 0;
}

typedef uint64_t figure(const struct heap_group *g);

static int by_figure(const void *a, const void *b, void *ctx)
{
    figure *const *f = ctx;
    const struct heap_group *x = a, *y = b;
    if ((*f)(x) != (*f)(y))
        return (*f)(x) > (*f)(y) ? -1 : 1;
    if (x->ustack != y->ustack)
        return x->ustack < y->ustack ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static void add_list(struct pxi_buf *out, const struct profile *p, struct heap_group *groups,
                     uint32_t n, const char *title, figure *f)
{
    qsort_r(groups, n, sizeof *groups, by_figure, &f);
    pxi_buf_fmt(out, "\n%s\n", title);
    for (uint32_t i = 0; i < n && i < SITES_SHOWN && f(&groups[i]); i++) {
        pxi_buf_fmt(out, "%3u. ", i + 1);
        add_figures(out, p, &groups[i]);
        heap_text__place(out, p, &groups[i]);
    }
    if (n > SITES_SHOWN && f(&groups[SITES_SHOWN]))
        pxi_buf_fmt(out, "     ... and %u more sites\n", n - SITES_SHOWN);
    if (n == 0 || !f(&groups[0]))
        pxi_buf_text(out, "     none\n");
}

static void add_ops(struct pxi_buf *out, const struct profile *p)
{
    uint32_t n;
    struct heap_group *groups = heap_groups__make(p, true, &n);
    figure *f = total_of;
    out->broken |= !groups;
    if (!groups)
        return;
    qsort_r(groups, n, sizeof *groups, by_figure, &f);
    pxi_buf_text(out, "\nBy query\n");
    for (uint32_t i = 0; i < n && i < 2 * SITES_SHOWN; i++) {
        pxi_buf_fmt(out, "%3u. ", i + 1);
        add_figures(out, p, &groups[i]);
        if (groups[i].op) {
            heap_text__op(out, p, groups[i].op);
        } else {
            pxi_buf_text(out, "       outside of queries\n");
        }
    }
    free(groups);
}

static void add_held(struct pxi_buf *out, const char *title, const struct heap_held *held)
{
    bool any = false;
    for (uint32_t i = 0; i < HEAP_PURPOSES; i++) {
        if (held->blocks[i] == 0)
            continue;
        if (!any)
            pxi_buf_fmt(out, "\n%s, as the program itself counts\n", title);
        any = true;
        row(out, purpose_name(i), held->bytes[i], held->blocks[i]);
        pxi_buf_char(out, '\n');
    }
}

static void add_purposes(struct pxi_buf *out, const struct profile *p)
{
    uint32_t n;
    struct heap_group *groups = heap_groups__by_purpose(p, &n);
    figure *f = total_of;
    out->broken |= !groups;
    if (!groups)
        return;
    qsort_r(groups, n, sizeof *groups, by_figure, &f);
    pxi_buf_text(out, "\nBy purpose\n");
    for (uint32_t i = 0; i < n; i++) {
        if (!groups[i].op)
            continue;
        pxi_buf_fmt(out, "%3u. ", i + 1);
        add_figures(out, p, &groups[i]);
        add_name(out, p, groups[i].op, 0);
    }
    free(groups);
}

void write_heap_txt(const struct profile *p, struct pxi_buf *out)
{
    uint32_t n;
    if (p->meta.heap_how == HEAP_PAGES) {
        heap_text__pages(out, p);
        return;
    }
    struct heap_group *groups = heap_groups__make(p, false, &n);
    out->broken |= !groups;
    if (!groups)
        return;
    add_totals(out, p);
    heap_text__trust(out, p);
    heap_text__growth(out, p);
    heap_text__shape(out, p);
    if (p->meta.with_heap == HEAP_OF_ORM) {
        add_held(out, "Held before the recording", &p->heap.held_before);
        add_held(out, "Held at the end", &p->heap.held_at_end);
        add_purposes(out, p);
    }
    add_list(out, p, groups, n, "Sites by bytes allocated in all", total_of);
    add_list(out, p, groups, n, "Sites by bytes live at the global peak", peak_of);
    add_list(out, p, groups, n, "Sites by bytes left at the end", left_of);
    add_list(out, p, groups, n, "Sites by number of allocations", count_of);
    add_list(out, p, groups, n, "Sites by mean life of a block, longest first", life_of);
    add_ops(out, p);
    free(groups);
}

/* pages_txt.c - heap.txt of a recording of page faults: which places made the memory of a process
 * come in. A page that came in has no end that anybody sees, so there is no peak and no leak here.
 */
#include "loader/write/heap_text.h"
#include <stdlib.h>

enum { PLACES_SHOWN = 20, COLUMN = 22 };

static int by_bytes(const void *a, const void *b)
{
    const struct heap_group *x = a, *y = b;
    if (x->total_bytes != y->total_bytes)
        return x->total_bytes > y->total_bytes ? -1 : 1;
    if (x->ustack != y->ustack)
        return x->ustack < y->ustack ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static void add_faults(struct pxi_buf *out, uint64_t bytes, uint64_t faults)
{
    text__bytes(out, bytes);
    pxi_buf_text(out, " in ");
    text__count(out, faults);
    pxi_buf_text(out, faults == 1 ? " fault" : " faults");
}

static void add_change(struct pxi_buf *out, const char *what, uint64_t from_bytes,
                       uint64_t to_bytes)
{
    size_t from = out->size;
    pxi_buf_text(out, what);
    text__column(out, from, COLUMN);
    text__bytes(out, from_bytes);
    pxi_buf_text(out, " at the start, ");
    text__bytes(out, to_bytes);
    pxi_buf_text(out, " at last\n");
}

static void add_totals(struct pxi_buf *out, const struct profile *p)
{
    const struct heap *h = &p->heap;
    const struct growth *m = &p->memory;
    pxi_buf_text(out, "Pages of ");
    facts__target(out, p);
    pxi_buf_text(out, ", ");
    text__time(out, facts__duration(p));
    size_t from = out->size + 2;
    pxi_buf_text(out, "\n\nfaulted in");
    text__column(out, from, COLUMN);
    add_faults(out, h->total_bytes, h->total_blocks);
    if (h->copies) {
        pxi_buf_text(out, ", ");
        text__count(out, h->copies);
        pxi_buf_text(out, " of them copies");
    }
    if (h->huge) {
        pxi_buf_text(out, ", ");
        text__count(out, h->huge);
        pxi_buf_text(out, h->huge == 1 ? " huge page" : " huge pages");
    }
    pxi_buf_char(out, '\n');
    if (m->n) {
        add_change(out, "resident", m->points[0].bytes, m->points[m->n - 1].bytes);
        add_change(out, "virtual", m->points[0].other, m->points[m->n - 1].other);
    }
    pxi_buf_text(out,
                 "note: a fault counts as the page that it is for; pages around it that come with\n"
                 "      it (of files, or of larger folios) are in what is resident only\n");
}

static void add_places(struct pxi_buf *out, const struct profile *p, bool by_op)
{
    uint32_t n = 0;
    struct heap_group *groups = heap_groups__make(p, by_op, &n);
    out->broken |= !groups;
    if (groups)
        qsort(groups, n, sizeof *groups, by_bytes);
    pxi_buf_text(out, by_op ? "\nBy query\n" : "\nPlaces by bytes faulted in\n");
    for (uint32_t i = 0; groups && i < n && i < PLACES_SHOWN; i++) {
        const struct heap_group *g = &groups[i];
        pxi_buf_fmt(out, "%3u. ", i + 1);
        add_faults(out, g->total_bytes, g->total_blocks);
        pxi_buf_text(out, " (");
        text__share(out, g->total_bytes, p->heap.total_bytes);
        pxi_buf_text(out, ")\n");
        if (!by_op) {
            heap_text__place(out, p, g);
        } else if (g->op) {
            heap_text__op(out, p, g->op);
        } else {
            pxi_buf_text(out, "       outside of queries\n");
        }
    }
    if (n > PLACES_SHOWN)
        pxi_buf_fmt(out, "     ... and %u more\n", n - PLACES_SHOWN);
    if (n == 0)
        pxi_buf_text(out, "     none\n");
    free(groups);
}

void heap_text__pages(struct pxi_buf *out, const struct profile *p)
{
    add_totals(out, p);
    heap_text__trust(out, p);
    heap_text__growth(out, p);
    add_places(out, p, false);
    add_places(out, p, true);
}

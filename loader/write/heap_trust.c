/* heap_trust.c - what every text about the heap ends its totals with: how it was recorded, from how
 * many hits, what was lost, and what it cost the program. */
#include "loader/write/heap_text.h"
#include <string.h>

enum { COLUMN = 16, WIDTH = 64 };

struct list {
    struct pxi_buf *out;
    bool any;
};

static void add_item(void *ctx, const char *what, uint64_t n)
{
    struct list *l = ctx;
    if (l->any)
        pxi_buf_text(l->out, ", ");
    text__count(l->out, n);
    pxi_buf_char(l->out, ' ');
    pxi_buf_text(l->out, what);
    l->any = true;
}

static void begin(struct pxi_buf *out, const char *name)
{
    size_t from = out->size;
    pxi_buf_text(out, "  ");
    pxi_buf_text(out, name);
    text__column(out, from, COLUMN);
}

/* Where a line of text[size] is broken: behind the last blank that fits. */
static size_t break_at(const char *text, size_t size)
{
    size_t at = WIDTH;
    if (size <= WIDTH)
        return size;
    while (at > 0 && text[at - 1] != ' ')
        at--;
    return at ? at : WIDTH;
}

static void add_lines(struct pxi_buf *out, const char *name, const char *lines)
{
    while (lines && *lines) {
        const size_t size = strcspn(lines, "\n");
        for (size_t at = 0; at < size;) {
            const size_t part = break_at(lines + at, size - at);
            begin(out, at ? "" : name);
            text__clean(out, lines + at, part - (lines[at + part - 1] == ' '), 0, false);
            pxi_buf_char(out, '\n');
            at += part;
        }
        lines += size + (lines[size] == '\n');
    }
}

static void add_slowdown(struct pxi_buf *out, const struct profile *p)
{
    const double slower = facts__slowdown(p);
    begin(out, "slowdown");
    if (slower < 0) {
        pxi_buf_text(out, "not known; ");
    } else {
        pxi_buf_fmt(out, "about %.1f %%: ", 100 * slower);
    }
    text__time(out, p->meta.overhead_ns);
    pxi_buf_text(out, " of recording");
    if (slower >= 0) {
        pxi_buf_text(out, " in ");
        text__time(out, p->meta.task_ns);
        pxi_buf_text(out, " on CPUs");
    }
    pxi_buf_text(out, ", estimated\n");
}

void heap_text__trust(struct pxi_buf *out, const struct profile *p)
{
    struct list hits = { .out = out }, losses = { .out = out };
    pxi_buf_text(out, "\nTrust\n");
    begin(out, "recorded");
    pxi_buf_fmt(out, "%s\n", facts__heap_how(p));
    add_lines(out, "allocator", p->meta.allocators);
    begin(out, "hits");
    heap_hits__each(p, add_item, &hits);
    pxi_buf_text(out, hits.any ? "\n" : "none\n");
    begin(out, "lost");
    losses__each(p, add_item, &losses);
    pxi_buf_text(out, losses.any ? "\n" : "nothing\n");
    if (p->meta.heap_how != HEAP_PAGES) {
        begin(out, "unknown frees");
        text__count(out, p->heap.unknown_frees);
        pxi_buf_char(out, '\n');
    }
    add_slowdown(out, p);
    add_lines(out, "backed off", p->meta.backoff);
}

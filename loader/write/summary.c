/* summary.c - what a person wants to know first: slow queries, hot functions, the heap, and how far
 * the figures can be trusted. A screen of it, not a report; the files hold the rest.
 */
#include "loader/write/facts.h"
#include "loader/write/spots.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    QUERIES_SHOWN = 8,
    SPOTS_SHOWN = 8,
    SITES_SHOWN = 6,
    LABEL_WIDTH = 10,
    WIDTH_MIN = 60,
    QUERY_MAX = 20,   /* columns of a query beside a function */
    CPU_FIGURES = 18, /* columns in front of a function */
    HEAP_FIGURES = 34,
};

struct page {
    const struct profile *p;
    const struct summary_opts *o;
    struct pxi_buf *out;
    unsigned width;
};

enum color { PLAIN, BOLD, DIM, CYAN, RED };

static void paint(struct page *g, enum color c)
{
    static const char *const codes[] = { "\033[0m", "\033[1m", "\033[2m", "\033[36m", "\033[31m" };
    if (g->o->color)
        pxi_buf_text(g->out, codes[c]);
}

/* Text in a colour, cut to the columns that are left of `room`; what was used. */
static size_t put(struct page *g, enum color c, const char *text, size_t room)
{
    struct pxi_buf clean = { 0 };
    text__clean(&clean, text, strlen(text), 0, false);
    size_t size = 0, width = 0;
    bool cut = clean.size && text__width(clean.data, clean.size) > room;
    while (size < clean.size && width < room - (cut && room > 3 ? 3 : 0)) {
        size_t n = pxi_utf8_size(clean.data + size, clean.size - size);
        size += n ? n : 1;
        width++;
    }
    g->out->broken |= !pxi_buf_ok(&clean);
    paint(g, c);
    if (size)
        pxi_buf_add(g->out, clean.data, size);
    if (cut && room > 3) {
        pxi_buf_text(g->out, "...");
        width += 3;
    }
    paint(g, PLAIN);
    pxi_buf_free(&clean);
    return width;
}

/* A section's name in the left column; its first line goes on behind it. */
static void section(struct page *g, const char *name)
{
    paint(g, BOLD);
    pxi_buf_fmt(g->out, "\n%-*s", LABEL_WIDTH, name);
    paint(g, PLAIN);
}

/* A figure, right-aligned in a column of its own. */
static void figure(struct page *g, unsigned width, void (*add)(struct pxi_buf *out, uint64_t n),
                   uint64_t n)
{
    struct pxi_buf text = { 0 };
    add(&text, n);
    g->out->broken |= !pxi_buf_ok(&text);
    pxi_buf_fmt(g->out, "%*s", (int)width, text.data ? text.data : "");
    pxi_buf_free(&text);
}

static void share(struct page *g, uint64_t part, uint64_t whole)
{
    struct pxi_buf text = { 0 };
    text__share(&text, part, whole);
    g->out->broken |= !pxi_buf_ok(&text);
    pxi_buf_fmt(g->out, "%7s", text.data ? text.data : "");
    pxi_buf_free(&text);
}

static void counted(struct pxi_buf *out, uint64_t n, const char *one, const char *many)
{
    text__count(out, n);
    pxi_buf_char(out, ' ');
    pxi_buf_text(out, n == 1 ? one : many);
}

/* ---- queries -----------------------------------------------------------------------------------
 */

/* A statement on one line, however many it was written on. */
static void put_statement(struct page *g, const char *sql, size_t room)
{
    struct pxi_buf line = { 0 };
    char last = ' ';
    for (; *sql; sql++) {
        char c = *sql;
        if (c == '\t' || c == '\r' || c == '\n')
            c = ' ';
        if (c != ' ' || last != ' ')
            pxi_buf_char(&line, c);
        last = c;
    }
    g->out->broken |= !pxi_buf_ok(&line);
    put(g, DIM, line.data ? line.data : "", room);
    pxi_buf_free(&line);
}

static void add_query(struct page *g, uint32_t op, const struct op_sum *s, uint64_t all_ns)
{
    const struct query_stats *q = s->stats;
    struct pxi_buf name = { 0 };
    text__op(&name, &g->p->ops[op]);
    figure(g, 9, text__time, q->ns);
    pxi_buf_char(g->out, ' ');
    if (q->calls == q->nested.calls) { /* its time is in that of others */
        pxi_buf_text(g->out, " nested");
    } else {
        share(g, q->ns - q->nested.ns, all_ns);
    }
    figure(g, 11, text__count, q->calls);
    figure(g, 9, text__time, query_stats__quantile(q, 0.5));
    figure(g, 9, text__time, query_stats__quantile(q, 0.95));
    pxi_buf_text(g->out, "  ");
    g->out->broken |= !pxi_buf_ok(&name);
    put(g, CYAN, name.data ? name.data : "", g->width - 48);
    pxi_buf_free(&name);
    if (q->errors) {
        pxi_buf_text(g->out, "  ");
        paint(g, RED);
        counted(g->out, q->errors, "error", "errors");
        paint(g, PLAIN);
    }
    pxi_buf_char(g->out, '\n');
    if (g->p->ops[op].sql) {
        pxi_buf_fmt(g->out, "%*s", 10, "");
        put_statement(g, g->p->ops[op].sql, g->width - 10);
        pxi_buf_char(g->out, '\n');
    }
}

static void add_sum(struct page *g, const struct query_sum *s)
{
    counted(g->out, s->calls, "call, ", "calls, ");
    counted(g->out, s->errors, "error, ", "errors, ");
    counted(g->out, s->rows, "row, ", "rows, ");
    text__time(g->out, s->ns);
}

static void add_queries(struct page *g)
{
    const struct query_sums all = query_sums__of(g->p, -1);
    section(g, "Queries");
    if (!all.top.calls && !all.nested.calls) {
        const char *why = g->p->meta.has_prax ? "none finished while recording\n"
                                              : "no process with Prax in it was seen\n";
        pxi_buf_text(g->out, why);
        return;
    }
    add_sum(g, &all.top);
    pxi_buf_text(g->out, " in all\n");
    if (all.nested.calls) {
        pxi_buf_fmt(g->out, "%*s", LABEL_WIDTH, "");
        add_sum(g, &all.nested);
        pxi_buf_text(g->out, " within these (nested)\n");
    }
    paint(g, DIM);
    pxi_buf_text(g->out, "     time   share      calls      p50      p95  query\n");
    paint(g, PLAIN);
    uint32_t n = 0, shown = 0;
    struct op_sum *sums = op_sums__make(g->p);
    uint32_t *order = sums ? op_sums__order(g->p, sums, &n) : NULL;
    g->out->broken |= !order;
    for (uint32_t i = 0; order && i < n && shown < QUERIES_SHOWN; i++) {
        if (sums[order[i]].stats) {
            add_query(g, order[i], &sums[order[i]], all.top.ns);
            shown++;
        }
    }
    uint32_t more = g->p->n_queries - 1 - shown;
    if (more)
        pxi_buf_fmt(g->out, "%*s... and %u more: queries.json\n", LABEL_WIDTH, "", more);
    free(order);
    free(sums);
}

/* ---- CPU ---------------------------------------------------------------------------------------
 */

/* How wide the columns of a list of spots are. */
struct columns {
    size_t function, query; /* query 0: no spot has one */
};

static struct columns columns_of(const struct page *g, const struct spots *s, unsigned shown,
                                 size_t room)
{
    size_t query = 0, function = sizeof "function";
    for (uint32_t i = 0; i < s->n && i < shown; i++) {
        struct pxi_buf name = { 0 };
        if (s->items[i].op)
            text__op(&name, &g->p->ops[s->items[i].op]);
        size_t width = name.data ? text__width(name.data, name.size) : 0;
        query = width > query ? width : query;
        width = text__width(s->items[i].name, strlen(s->items[i].name));
        function = width > function ? width : function;
        pxi_buf_free(&name);
    }
    query = query < QUERY_MAX ? query : QUERY_MAX;
    room -= query ? query + 2 : 0;
    return (struct columns){ .function = function < room ? function : room, .query = query };
}

static void add_header(struct page *g, const char *figures, struct columns c)
{
    paint(g, DIM);
    if (c.query) {
        pxi_buf_fmt(g->out, "%s%-*s  query\n", figures, (int)c.function, "function");
    } else {
        pxi_buf_fmt(g->out, "%sfunction\n", figures);
    }
    paint(g, PLAIN);
}

/* What stands behind the figures of a spot, and its callers on a line of their own. */
static void add_spot(struct page *g, const struct spot *s, struct columns c)
{
    struct pxi_buf text = { 0 };
    size_t used = put(g, BOLD, s->name, c.function);
    if (s->op) {
        text__op(&text, &g->p->ops[s->op]);
        pxi_buf_fmt(g->out, "%*s", (int)(c.function - used + 2), "");
        put(g, CYAN, text.data ? text.data : "", c.query);
    }
    pxi_buf_char(g->out, '\n');
    g->out->broken |= !pxi_buf_ok(&text);
    pxi_buf_clear(&text);
    spot__callers(&text, g->p, s, g->width - LABEL_WIDTH);
    if (text.size) {
        pxi_buf_fmt(g->out, "%*s", LABEL_WIDTH, "");
        put(g, DIM, text.data, g->width - LABEL_WIDTH);
        pxi_buf_char(g->out, '\n');
    }
    g->out->broken |= !pxi_buf_ok(&text);
    pxi_buf_free(&text);
}

static void add_cpu_facts(struct page *g, const struct spots *s)
{
    uint64_t all, whole = facts__whole_stacks(g->p, &all);
    counted(g->out, s->weight, "sample", "samples");
    if (g->p->meta.hz)
        pxi_buf_fmt(g->out, " at %u Hz", g->p->meta.hz);
    if (all) {
        pxi_buf_text(g->out, ", ");
        text__share(g->out, whole, all);
        pxi_buf_text(g->out, " of the stacks whole");
    }
    pxi_buf_char(g->out, '\n');
    if (s->probes) {
        pxi_buf_fmt(g->out, "%*s", LABEL_WIDTH, "");
        text__share(g->out, s->probes, s->weight);
        pxi_buf_text(g->out, " were spent in the recording itself; not listed\n");
    }
}

static void add_cpu(struct page *g)
{
    struct spots s;
    g->out->broken |= !spots__cpu(&s, g->p);
    section(g, "CPU");
    add_cpu_facts(g, &s);
    struct columns c = columns_of(g, &s, SPOTS_SHOWN, g->width - CPU_FIGURES);
    if (s.n)
        add_header(g, "   share  kernel  ", c);
    for (uint32_t i = 0; i < s.n && i < SPOTS_SHOWN; i++) {
        pxi_buf_char(g->out, ' ');
        share(g, s.items[i].weight, s.weight);
        if (s.items[i].kernel) {
            pxi_buf_char(g->out, ' ');
            share(g, s.items[i].kernel, s.weight);
        } else {
            pxi_buf_fmt(g->out, "%8s", "");
        }
        pxi_buf_text(g->out, "  ");
        add_spot(g, &s.items[i], c);
    }
    spots__free(&s);
}

/* ---- heap --------------------------------------------------------------------------------------
 */

static void add_blocks(struct page *g)
{
    const struct heap *h = &g->p->heap;
    text__bytes(g->out, h->total_bytes);
    pxi_buf_text(g->out, " in ");
    counted(g->out, h->total_blocks, "block; peak ", "blocks; peak ");
    text__bytes(g->out, h->max_bytes);
    pxi_buf_text(g->out, "; left ");
    text__bytes(g->out, h->live_bytes);
    pxi_buf_text(g->out, " in ");
    text__count(g->out, h->live_blocks);
    pxi_buf_char(g->out, '\n');
}

static void add_hit(void *ctx, const char *what, uint64_t n)
{
    struct page *g = ctx;
    text__count(g->out, n);
    pxi_buf_char(g->out, ' ');
    pxi_buf_text(g->out, what);
    pxi_buf_text(g->out, ", ");
}

/* From what the figures were made. */
static void add_heap_facts(struct page *g)
{
    pxi_buf_fmt(g->out, "%*s", LABEL_WIDTH, "");
    paint(g, DIM);
    pxi_buf_fmt(g->out, "%s: ", facts__heap_how(g->p));
    heap_hits__each(g->p, add_hit, g);
    if (g->p->meta.heap_how == HEAP_PAGES) {
        text__count(g->out, g->p->heap.copies);
        pxi_buf_text(g->out, " of them copies\n");
    } else {
        counted(g->out, g->p->heap.unknown_frees, "unknown free\n", "unknown frees\n");
    }
    paint(g, PLAIN);
}

static void add_heap(struct page *g)
{
    const struct heap *h = &g->p->heap;
    const bool pages = g->p->meta.heap_how == HEAP_PAGES;
    struct spots s;
    g->out->broken |= !spots__heap(&s, g->p);
    section(g, pages ? "Pages" : "Heap");
    if (h->rate) {
        pxi_buf_text(g->out, "sampled every ");
        text__bytes(g->out, h->rate);
        pxi_buf_text(g->out, ", estimates; counted ");
        text__bytes(g->out, h->exact_bytes);
        pxi_buf_text(g->out, " in ");
        counted(g->out, h->exact_blocks, "block\n", "blocks\n");
    }
    if (pages) {
        text__bytes(g->out, h->total_bytes);
        pxi_buf_text(g->out, " of pages came in, by ");
        counted(g->out, h->total_blocks, "fault\n", "faults\n");
    } else {
        add_blocks(g);
    }
    add_heap_facts(g);
    struct columns c = columns_of(g, &s, SITES_SHOWN, g->width - HEAP_FIGURES);
    const char *figures =
        pages ? "     bytes     faults             " : "     bytes     blocks       left  ";
    if (s.n)
        add_header(g, figures, c);
    for (uint32_t i = 0; i < s.n && i < SITES_SHOWN; i++) {
        figure(g, 10, text__bytes, s.items[i].weight);
        figure(g, 11, text__count, s.items[i].blocks);
        if (pages) {
            pxi_buf_fmt(g->out, "%11s", "");
        } else {
            figure(g, 11, text__bytes, s.items[i].left);
        }
        pxi_buf_text(g->out, "  ");
        add_spot(g, &s.items[i], c);
    }
    spots__free(&s);
}

/* ---- trust -------------------------------------------------------------------------------------
 */

static void add_loss(void *ctx, const char *cause, uint64_t n)
{
    struct page *g = ctx;
    pxi_buf_text(g->out, "  ");
    text__count(g->out, n);
    pxi_buf_char(g->out, ' ');
    pxi_buf_text(g->out, cause);
}

/* Lines that were written for people. */
static void add_told(struct page *g, const char *label, const char *lines)
{
    while (lines && *lines) {
        size_t size = strcspn(lines, "\n");
        paint(g, RED);
        pxi_buf_fmt(g->out, "%-*s", LABEL_WIDTH, label);
        paint(g, PLAIN);
        text__clean(g->out, lines, size, 0, false);
        pxi_buf_char(g->out, '\n');
        lines += size + (lines[size] == '\n');
    }
}

static void add_trust(struct page *g)
{
    double loss = profile__loss(g->p);
    section(g, "Lost");
    if (loss > 0) {
        paint(g, loss > 0.01 ? RED : PLAIN);
        pxi_buf_fmt(g->out, "%.2f %%", 100 * loss);
        paint(g, PLAIN);
        losses__each(g->p, add_loss, g);
        pxi_buf_char(g->out, '\n');
    } else {
        pxi_buf_text(g->out, "nothing\n");
    }
    uint64_t ns = facts__duration(g->p);
    if (g->p->meta.overhead_ns && ns) {
        paint(g, BOLD);
        pxi_buf_fmt(g->out, "%-*s", LABEL_WIDTH, "Cost");
        paint(g, PLAIN);
        pxi_buf_text(g->out, "about ");
        text__share(g->out, g->p->meta.overhead_ns, ns);
        pxi_buf_text(g->out, " of a CPU (");
        text__time(g->out, g->p->meta.overhead_ns);
        pxi_buf_text(g->out, " of recording");
        if (facts__slowdown(g->p) >= 0)
            pxi_buf_fmt(g->out, "; %.1f %% slower", 100 * facts__slowdown(g->p));
        pxi_buf_text(g->out, ")\n");
    }
    add_told(g, "Less", g->p->meta.backoff);
    add_told(g, "Warning", g->p->meta.warnings);
}

static void add_files(struct page *g)
{
    const struct profile_meta *m = &g->p->meta;
    const char *dir = g->o->dir;
    section(g, "Files");
    put(g, PLAIN, dir, SIZE_MAX);
    pxi_buf_fmt(g->out, ": %s%s%s%smeta.json\n", m->with_cpu ? "flamegraph.svg cpu.folded " : "",
                m->with_leaks ? "leaks.txt " : "",
                !m->with_heap               ? ""
                : m->heap_how == HEAP_PAGES ? "heap.txt heap.folded "
                                            : "heap.txt heap.folded dhat-heap.json ",
                m->with_queries ? "queries.json " : "");
    paint(g, BOLD);
    pxi_buf_fmt(g->out, "%-*s", LABEL_WIDTH, "Next");
    paint(g, PLAIN);
    const char *file = m->with_cpu     ? "flamegraph.svg"
                       : m->with_leaks ? "leaks.txt"
                       : m->with_heap  ? "heap.txt"
                                       : "queries.json";
    pxi_buf_text(g->out, m->with_cpu ? "open in a browser: " : "read ");
    put(g, PLAIN, dir, SIZE_MAX);
    pxi_buf_fmt(g->out, "/%s\n", file);
}

void write_summary(const struct profile *p, const struct summary_opts *o, struct pxi_buf *out)
{
    unsigned width = o->width ? o->width : 80;
    struct page g = { .p = p, .o = o, .out = out, .width = width > WIDTH_MIN ? width : WIDTH_MIN };
    paint(&g, BOLD);
    pxi_buf_text(out, "prax-bpf");
    paint(&g, PLAIN);
    pxi_buf_text(out, "  ");
    text__time(out, facts__duration(p));
    pxi_buf_text(out, " of ");
    facts__target(out, p);
    pxi_buf_char(out, '\n');
    if (p->meta.with_queries)
        add_queries(&g);
    if (p->meta.with_cpu)
        add_cpu(&g);
    if (p->meta.with_heap)
        add_heap(&g);
    add_trust(&g);
    if (o->dir)
        add_files(&g);
}

void write_summary_json(const struct profile *p, struct pxi_buf *out)
{
    struct pxi_json j = { .out = out, .indent = 2 };
    pxi_json_begin(&j, '{');
    pxi_json_key(&j, "meta");
    meta__json(&j, p);
    pxi_json_key(&j, "queries");
    queries__json(&j, p);
    pxi_json_key(&j, "cpu");
    cpu__json(&j, p);
    pxi_json_key(&j, "heap");
    heap__json(&j, p);
    pxi_json_end(&j, '}');
    pxi_buf_char(out, '\n');
}

struct summary_opts summary_opts__of(int fd)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS"), *no_color = getenv("NO_COLOR");
    bool tty = isatty(fd);
    unsigned width = 0;
    if (columns) {
        width = (unsigned)strtoul(columns, NULL, 10);
    } else if (tty && ioctl(fd, TIOCGWINSZ, &size) == 0) {
        width = size.ws_col;
    }
    return (struct summary_opts){ .width = width < 1000 ? width : 1000,
                                  .color = tty && !(no_color && *no_color) };
}

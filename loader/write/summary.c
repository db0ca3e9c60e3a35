/* summary.c - what a person wants to know first: slow queries, hot stacks, the heap, and how far
 * the figures can be trusted. A screen of it, not a report; the files hold the rest.
 */
#include "loader/write/facts.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    QUERIES_SHOWN = 8,
    STACKS_SHOWN = 6,
    SITES_SHOWN = 4,
    LABEL_WIDTH = 10,
    WIDTH_MIN = 60,
    CALLER_MAX = 36
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

static void add_query(struct page *g, uint32_t op, const struct op_sum *s, uint64_t all_ns)
{
    const struct query_stats *q = s->stats;
    struct pxi_buf name = { 0 };
    text__op(&name, &g->p->ops[op]);
    figure(g, 9, text__time, q->ns);
    pxi_buf_char(g->out, ' ');
    share(g, q->ns, all_ns);
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
        put(g, DIM, g->p->ops[op].sql, g->width - 10);
        pxi_buf_char(g->out, '\n');
    }
}

static void add_queries(struct page *g)
{
    uint64_t calls = 0, errors = 0, rows = 0, ns = 0;
    for (uint32_t i = 1; i < g->p->n_queries; i++) {
        calls += g->p->queries[i].calls;
        errors += g->p->queries[i].errors;
        rows += g->p->queries[i].rows;
        ns += g->p->queries[i].ns;
    }
    section(g, "Queries");
    if (!calls) {
        const char *why = g->p->meta.has_prax ? "none finished while recording\n"
                                              : "no process with Prax in it was seen\n";
        pxi_buf_text(g->out, why);
        return;
    }
    counted(g->out, calls, "call, ", "calls, ");
    counted(g->out, errors, "error, ", "errors, ");
    counted(g->out, rows, "row, ", "rows, ");
    text__time(g->out, ns);
    pxi_buf_text(g->out, " in all\n");
    paint(g, DIM);
    pxi_buf_text(g->out, "     time   share      calls      p50      p95  query\n");
    paint(g, PLAIN);
    uint32_t n = 0, shown = 0;
    struct op_sum *sums = op_sums__make(g->p);
    uint32_t *order = sums ? op_sums__order(g->p, sums, &n) : NULL;
    g->out->broken |= !order;
    for (uint32_t i = 0; order && i < n && shown < QUERIES_SHOWN; i++) {
        if (sums[order[i]].stats) {
            add_query(g, order[i], &sums[order[i]], ns);
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

/* Lines with the same innermost function and the same query. */
struct hot {
    uint32_t leaf, query; /* labels; query UINT32_MAX: none */
    uint64_t weight, heaviest;
    const struct line *line; /* the heaviest */
};

static int by_weight(const void *a, const void *b)
{
    const struct hot *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    if (x->leaf != y->leaf)
        return x->leaf < y->leaf ? -1 : 1;
    return x->query < y->query ? -1 : x->query > y->query;
}

static uint32_t query_label(const struct lines *l, const struct line *line)
{
    bool has = line->n > 1 && l->labels[line->labels[1]].kind == LABEL_QUERY;
    return has ? line->labels[1] : UINT32_MAX;
}

static struct hot *find_hot(const struct lines *l, uint32_t *n)
{
    struct hot *hot = calloc(l->n + 1, sizeof *hot);
    struct pxi_map map;
    pxi_map_init(&map);
    *n = 0;
    for (uint32_t i = 0; hot && i < l->n; i++) {
        const struct line *line = &l->lines[i];
        uint32_t key[] = { line->labels[line->n - 1], query_label(l, line) };
        struct pxi_map_entry *e = pxi_map_put(&map, key, sizeof key, NULL);
        if (!e)
            break;
        if (!e->value) {
            hot[*n] = (struct hot){ .leaf = key[0], .query = key[1] };
            e->value = &hot[(*n)++];
        }
        struct hot *h = e->value;
        h->weight += line->weight;
        if (!h->line || line->weight > h->heaviest) {
            h->heaviest = line->weight;
            h->line = line;
        }
    }
    pxi_map_free(&map);
    if (hot)
        qsort(hot, *n, sizeof *hot, by_weight);
    return hot;
}

static void add_chain(struct page *g, const struct lines *l, const struct hot *h)
{
    size_t used = 10;
    uint32_t first = h->query == UINT32_MAX ? 1 : 2; /* behind comm and query */
    pxi_buf_fmt(g->out, "%*s", (int)used, "");
    for (uint32_t i = h->line->n - 1; i-- > first;) {
        const char *name = l->labels[h->line->labels[i]].text;
        size_t size = text__width(name, strlen(name));
        size = size < CALLER_MAX ? size : CALLER_MAX;
        if (used + size + 9 > g->width && i + 2 < h->line->n) {
            put(g, DIM, " < ...", 6);
            break;
        }
        used += put(g, DIM, i + 2 == h->line->n ? "< " : " < ", g->width - used);
        used += put(g, DIM, name, size < g->width - used ? size : g->width - used);
    }
    pxi_buf_char(g->out, '\n');
}

static void add_hot(struct page *g, const struct lines *l, const struct hot *h)
{
    const char *query = h->query == UINT32_MAX ? "" : l->labels[h->query].text;
    size_t beside = text__width(query, strlen(query));
    size_t room = g->width - 10;
    pxi_buf_text(g->out, " ");
    share(g, h->weight, l->weight);
    pxi_buf_text(g->out, "  ");
    size_t used = put(g, BOLD, l->labels[h->leaf].text, room);
    if (beside && used + 2 + beside <= room) {
        pxi_buf_text(g->out, "  ");
        put(g, CYAN, query, room - used - 2);
    }
    pxi_buf_char(g->out, '\n');
    if (h->line->n > (h->query == UINT32_MAX ? 2u : 3u))
        add_chain(g, l, h);
}

static void add_cpu(struct page *g)
{
    struct lines l;
    uint32_t n = 0;
    struct hot *hot = lines__make(&l, g->p, WRITE_CPU) ? find_hot(&l, &n) : NULL;
    uint64_t all, whole = facts__whole_stacks(g->p, &all);
    g->out->broken |= !hot;
    section(g, "CPU");
    counted(g->out, l.weight, "sample", "samples");
    if (g->p->meta.hz)
        pxi_buf_fmt(g->out, " at %u Hz", g->p->meta.hz);
    if (all) {
        pxi_buf_text(g->out, ", ");
        text__share(g->out, whole, all);
        pxi_buf_text(g->out, " of the stacks whole");
    }
    pxi_buf_char(g->out, '\n');
    for (uint32_t i = 0; i < n && i < STACKS_SHOWN; i++)
        add_hot(g, &l, &hot[i]);
    free(hot);
    lines__free(&l);
}

/* ---- heap --------------------------------------------------------------------------------------
 */

static int by_total(const void *a, const void *b)
{
    const struct heap_group *x = a, *y = b;
    if (x->total_bytes != y->total_bytes)
        return x->total_bytes > y->total_bytes ? -1 : 1;
    if (x->ustack != y->ustack)
        return x->ustack < y->ustack ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static void add_site(struct page *g, const struct heap_group *s)
{
    const struct stack *k = &g->p->stacks[s->ustack];
    struct pxi_buf names = { 0 }, scratch = { 0 };
    for (uint16_t i = 0; i < k->n && names.size < g->width; i++) {
        for (uint32_t n = 0; n < label__count(g->p, k->frames[i]); n++) {
            pxi_buf_text(&names, names.size ? " < " : "");
            pxi_buf_text(&names, label__of(g->p, k->frames[i], n, &scratch).text);
        }
    }
    if (k->n == 0)
        pxi_buf_text(&names, "[no stack]");
    figure(g, 10, text__bytes, s->total_bytes);
    figure(g, 11, text__count, s->total_blocks);
    figure(g, 11, text__bytes, s->live_bytes);
    pxi_buf_text(g->out, "  ");
    g->out->broken |= !pxi_buf_ok(&names) || !pxi_buf_ok(&scratch);
    put(g, PLAIN, names.data ? names.data : "", g->width - 34);
    pxi_buf_char(g->out, '\n');
    pxi_buf_free(&names);
    pxi_buf_free(&scratch);
}

static void add_heap(struct page *g)
{
    const struct heap *h = &g->p->heap;
    uint32_t n = 0;
    struct heap_group *groups = heap_groups__make(g->p, false, &n);
    g->out->broken |= !groups;
    section(g, "Heap");
    text__bytes(g->out, h->total_bytes);
    pxi_buf_text(g->out, " in ");
    counted(g->out, h->total_blocks, "block; peak ", "blocks; peak ");
    text__bytes(g->out, h->max_bytes);
    pxi_buf_text(g->out, "; left ");
    text__bytes(g->out, h->live_bytes);
    pxi_buf_text(g->out, " in ");
    text__count(g->out, h->live_blocks);
    pxi_buf_char(g->out, '\n');
    if (groups && n) {
        paint(g, DIM);
        pxi_buf_text(g->out, "     bytes     blocks       left  site\n");
        paint(g, PLAIN);
        qsort(groups, n, sizeof *groups, by_total);
    }
    for (uint32_t i = 0; i < n && i < SITES_SHOWN; i++)
        add_site(g, &groups[i]);
    free(groups);
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
        pxi_buf_text(g->out, " in probes)\n");
    }
    for (const char *w = g->p->meta.warnings; w && *w;) {
        size_t size = strcspn(w, "\n");
        paint(g, RED);
        pxi_buf_fmt(g->out, "%-*s", LABEL_WIDTH, "Warning");
        paint(g, PLAIN);
        text__clean(g->out, w, size, 0, false);
        pxi_buf_char(g->out, '\n');
        w += size + (w[size] == '\n');
    }
}

static void add_files(struct page *g)
{
    const struct profile_meta *m = &g->p->meta;
    const char *dir = g->o->dir;
    section(g, "Files");
    put(g, PLAIN, dir, SIZE_MAX);
    pxi_buf_fmt(g->out, ": %s%s%smeta.json\n", m->with_cpu ? "flamegraph.svg cpu.folded " : "",
                m->with_heap ? "heap.txt heap.folded dhat-heap.json " : "",
                m->with_queries ? "queries.json " : "");
    paint(g, BOLD);
    pxi_buf_fmt(g->out, "%-*s", LABEL_WIDTH, "Next");
    paint(g, PLAIN);
    const char *file = m->with_cpu ? "flamegraph.svg" : m->with_heap ? "heap.txt" : "queries.json";
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

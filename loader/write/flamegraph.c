/* flamegraph.c - flamegraph.svg: one file, no fetches, whole even where scripts do not run.
 *
 * Sorted lines make the tree: a line shares with the one before it the frames of their common
 * beginning, and opens new ones behind it. Nodes come out parents first. Frames under 0.1 px (of
 * 1200) are left out with what is above them, and the graph says how many and how much that is.
 * Colours tell kinds apart, with a shade by name: the same function looks the same in every graph.
 */
#include "loader/write/flamegraph.h"
#include "loader/write/text.h"
#include "orm/base/json.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLOT   (FLAME_WIDTH - 2 * FLAME_PAD)
#define MIN_PX 0.1

struct node {
    uint64_t start, weight;
    uint32_t label, depth, parent; /* parent: index; its own where it has none */
};

struct tree {
    struct node *nodes; /* nodes[n], parents first */
    size_t n, room;
    uint32_t depth_max; /* of nodes that are drawn */
    uint64_t hidden, hidden_weight;
};

/* ---- tree --------------------------------------------------------------------------------------
 */

static bool add_node(struct tree *t, struct node n)
{
    if (t->n == t->room) {
        size_t room = t->room ? t->room * 2 : 1024;
        struct node *nodes = reallocarray(t->nodes, room, sizeof *nodes);
        if (!nodes || room >= UINT32_MAX)
            return false;
        t->nodes = nodes;
        t->room = room;
    }
    t->nodes[t->n++] = n;
    return true;
}

static uint32_t common(const struct line *a, const struct line *b)
{
    uint32_t n = 0;
    while (n < a->n && n < b->n && a->labels[n] == b->labels[n])
        n++;
    return n;
}

static bool add_line(struct tree *t, const struct lines *l, uint32_t i, uint64_t start,
                     uint32_t *open)
{
    const struct line *line = &l->lines[i];
    for (uint32_t k = i ? common(line - 1, line) : 0; k < line->n; k++) {
        open[k] = (uint32_t)t->n;
        struct node n = { .start = start, .label = line->labels[k], .depth = k };
        n.parent = k ? open[k - 1] : open[k];
        if (!add_node(t, n))
            return false;
    }
    for (uint32_t k = 0; k < line->n; k++)
        t->nodes[open[k]].weight += line->weight;
    return true;
}

static bool drawn(const struct node *n, uint64_t total)
{
    return (double)n->weight * PLOT >= (double)total * MIN_PX;
}

static void measure(struct tree *t, uint64_t total)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct node *n = &t->nodes[i];
        if (drawn(n, total)) {
            t->depth_max = n->depth > t->depth_max ? n->depth : t->depth_max;
            continue;
        }
        t->hidden++;
        if (n->parent == i || drawn(&t->nodes[n->parent], total))
            t->hidden_weight += n->weight;
    }
}

static bool make_tree(struct tree *t, const struct lines *l)
{
    uint32_t deepest = 0;
    for (uint32_t i = 0; i < l->n; i++)
        deepest = l->lines[i].n > deepest ? l->lines[i].n : deepest;
    uint32_t *open = calloc(deepest + 1, sizeof *open);
    bool ok = open != NULL;
    uint64_t start = 0;
    for (uint32_t i = 0; ok && i < l->n; i++) {
        ok = add_line(t, l, i, start, open);
        start += l->lines[i].weight;
    }
    free(open);
    if (ok)
        measure(t, l->weight);
    return ok;
}

/* ---- frames ------------------------------------------------------------------------------------
 */

/* Hue and lightness vary by name within these bounds. */
static const struct palette {
    const char *name;
    unsigned hue, hues, saturation, light, lights;
    char class;
} palettes[LABEL_KINDS] = {
    [LABEL_COMM] = { "process", 212, 8, 22, 80, 3, 'c' },
    [LABEL_QUERY] = { "query", 168, 16, 52, 56, 8, 'q' },
    [LABEL_USER] = { "user", 18, 26, 88, 64, 8, 'u' },
    [LABEL_INLINED] = { "inlined", 46, 8, 88, 74, 6, 'i' },
    [LABEL_KERNEL] = { "kernel", 248, 26, 46, 74, 6, 'k' },
    [LABEL_UNKNOWN] = { "no name", 40, 1, 6, 76, 6, 'x' },
};

static void add_color(struct pxi_buf *out, const struct label *l)
{
    const struct palette *c = &palettes[l->kind];
    uint64_t hash = pxi_hash(l->text, strlen(l->text));
    pxi_buf_fmt(out, "hsl(%u,%u%%,%u%%)", c->hue + (unsigned)(hash % c->hues), c->saturation,
                c->light + (unsigned)((hash >> 32) % c->lights));
}

/* The first characters of a name, as many as have room. */
static void add_cut(struct pxi_buf *out, const char *name, double px)
{
    double letters = (px - 2 * FLAME_LETTER) / FLAME_CHAR;
    size_t room = letters < 3 ? 0 : (size_t)letters;
    if (room == 0)
        return;
    if (text__width(name, strlen(name)) <= room) {
        text__xml(out, name);
        return;
    }
    char cut[FLAME_WIDTH * 4];
    size_t size = 0, width = 0;
    while (size < sizeof cut - 4 && width < room - 1) { /* whole characters */
        size_t n = pxi_utf8_size(name + size, strlen(name + size));
        n = n ? n : 1;
        memcpy(cut + size, name + size, n);
        size += n;
        width++;
    }
    cut[size] = '\0';
    text__xml(out, cut);
    pxi_buf_text(out, "\xe2\x80\xa6");
}

static void add_amount(struct pxi_buf *out, enum write_weight weight, uint64_t n)
{
    if (weight == WRITE_CPU) {
        text__count(out, n);
        pxi_buf_text(out, n == 1 ? " sample" : " samples");
    } else {
        text__bytes(out, n);
    }
}

static void add_frame(struct pxi_buf *out, const struct node *n, const struct lines *l,
                      uint32_t depth_max, enum write_weight weight)
{
    const struct label *label = &l->labels[n->label];
    double x = FLAME_PAD + (double)n->start / (double)l->weight * PLOT;
    double px = (double)n->weight / (double)l->weight * PLOT;
    unsigned y = FLAME_HEAD + (depth_max - n->depth) * FLAME_ROW;
    pxi_buf_fmt(out, "<g class=\"f %c\" data-f=\"%" PRIu64 " %" PRIu64 " %u\"><title>",
                palettes[label->kind].class, n->start, n->weight, n->depth);
    text__xml(out, label->text);
    pxi_buf_char(out, '\n');
    add_amount(out, weight, n->weight);
    pxi_buf_text(out, ", ");
    text__share(out, n->weight, l->weight);
    pxi_buf_fmt(out, " of all, %s</title>", palettes[label->kind].name);
    pxi_buf_fmt(out, "<rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" rx=\"2\" fill=\"", x,
                y, px, FLAME_ROW - 1);
    add_color(out, label);
    pxi_buf_fmt(out, "\"/><text x=\"%.2f\" y=\"%u.5\">", x + FLAME_LETTER, y + 12);
    add_cut(out, label->text, px);
    pxi_buf_text(out, "</text></g>\n");
}

/* ---- around them -------------------------------------------------------------------------------
 */

static const char *title_of(const struct profile *p, enum write_weight weight)
{
    return weight == WRITE_CPU              ? "CPU time"
           : weight == WRITE_HEAP_LIVE      ? "Heap: what was never freed"
           : p->meta.heap_how == HEAP_PAGES ? "Memory: what page faults brought in"
                                            : "Heap: all that was allocated";
}

static void add_facts(struct pxi_buf *out, const struct profile *p, enum write_weight weight,
                      uint64_t total)
{
    add_amount(out, weight, total);
    uint64_t ns = p->meta.end_ns > p->meta.start_ns ? p->meta.end_ns - p->meta.start_ns : 0;
    if (ns) {
        pxi_buf_text(out, " in ");
        text__time(out, ns);
    }
    if (weight != WRITE_CPU)
        return;
    if (p->meta.hz)
        pxi_buf_fmt(out, " at %u Hz", p->meta.hz);
    const struct pxb_counters *c = &p->meta.counters;
    uint64_t stacks = 0;
    for (unsigned i = PXB_END_OK; i < PXB_ENDS; i++)
        stacks += c->ends[i];
    if (stacks) {
        pxi_buf_text(out, ", whole stacks ");
        text__share(out, c->ends[PXB_END_OK] + c->ends[PXB_END_OK_GUESSED], stacks);
    }
}

static void add_legend(struct pxi_buf *out)
{
    static const enum label_kind kinds[] = { LABEL_QUERY, LABEL_USER, LABEL_INLINED, LABEL_KERNEL,
                                             LABEL_UNKNOWN };
    pxi_buf_fmt(out, "<text class=\"legend\" x=\"100%%\" dx=\"-%d\" y=\"28\" text-anchor=\"end\">",
                FLAME_PAD);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct palette *c = &palettes[kinds[i]];
        pxi_buf_fmt(out, "%s<tspan fill=\"hsl(%u,%u%%,%u%%)\">\xe2\x96\xa0</tspan>\xc2\xa0%s",
                    i ? " \xc2\xa0 " : "", c->hue + c->hues / 2, c->saturation, c->light, c->name);
    }
    pxi_buf_text(out, "</text>\n");
}

static void add_hidden(struct pxi_buf *out, const struct tree *t, uint64_t total)
{
    if (!t->hidden)
        return;
    pxi_buf_fmt(out, "<text class=\"note\" x=\"100%%\" dx=\"-%d\" y=\"48\" text-anchor=\"end\">",
                FLAME_PAD);
    text__count(out, t->hidden);
    pxi_buf_text(out, t->hidden == 1 ? " frame" : " frames");
    pxi_buf_text(out, " under 0.1 px left out, ");
    text__share(out, t->hidden_weight, total);
    pxi_buf_text(out, "</text>\n");
}

static void add_button(struct pxi_buf *out, const char *class, const char *text, int x, int width)
{
    pxi_buf_fmt(out,
                "<g class=\"button %s\" role=\"button\" tabindex=\"0\"><rect x=\"%d\" y=\"62\" "
                "width=\"%d\" height=\"26\" rx=\"5\"/><text x=\"%d\" y=\"79\" "
                "text-anchor=\"middle\">%s</text></g>\n",
                class, x, width, x + width / 2, text);
}

/* Shown by the script: without it they would do nothing. */
static void add_controls(struct pxi_buf *out)
{
    pxi_buf_text(out, "<g class=\"controls\" style=\"display:none\">\n");
    pxi_buf_fmt(out,
                "<foreignObject class=\"search\" x=\"%d\" y=\"62\" width=\"280\" height=\"26\">"
                "<input xmlns=\"http://www.w3.org/1999/xhtml\" type=\"text\" spellcheck=\"false\" "
                "placeholder=\"Search: text or regex  ( / )\" aria-label=\"Search\"/>"
                "</foreignObject>\n",
                FLAME_PAD);
    add_button(out, "reset", "Reset zoom", FLAME_PAD + 290, 92);
    add_button(out, "turn", "Icicle", FLAME_PAD + 390, 66);
    pxi_buf_fmt(out, "<text class=\"matched\" x=\"%d\" y=\"79\"></text>\n</g>\n", FLAME_PAD + 472);
}

static void add_head(struct pxi_buf *out, const struct profile *p, enum write_weight weight,
                     const struct tree *t, uint64_t total)
{
    unsigned height = FLAME_HEAD + (total ? t->depth_max + 1 : 1) * FLAME_ROW + FLAME_FOOT;
    pxi_buf_fmt(out,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"prax-flame\" width=\"%d\" "
                "height=\"%u\" viewBox=\"0 0 %d %u\" data-total=\"%" PRIu64 "\" data-unit=\"%s\">\n"
                "<style>\n%s</style>\n<rect class=\"ground\" width=\"100%%\" height=\"100%%\"/>\n",
                FLAME_WIDTH, height, FLAME_WIDTH, height, total,
                weight == WRITE_CPU ? "samples" : "bytes", flamegraph_style);
    pxi_buf_fmt(out, "<text class=\"title\" x=\"%d\" y=\"30\">%s", FLAME_PAD, title_of(p, weight));
    const char *command = p->meta.command;
    if (command && *command) {
        char shown[96];
        snprintf(shown, sizeof shown, "%s", command);
        pxi_buf_text(out, " \xc2\xb7 ");
        text__xml(out, shown);
        pxi_buf_text(out, strlen(command) >= sizeof shown ? "\xe2\x80\xa6" : "");
    }
    pxi_buf_fmt(out, "</text>\n<text class=\"facts\" x=\"%d\" y=\"50\">", FLAME_PAD);
    add_facts(out, p, weight, total);
    pxi_buf_text(out, "</text>\n");
    add_legend(out);
    add_hidden(out, t, total);
    add_controls(out);
}

static void add_foot(struct pxi_buf *out, const struct tree *t)
{
    pxi_buf_fmt(out,
                "<g class=\"foot\" transform=\"translate(0,%u)\"><rect class=\"bar\" x=\"-1\" "
                "width=\"101%%\" height=\"%d\"/><text class=\"details\" x=\"%d\" y=\"23\"></text>"
                "</g>\n<script><![CDATA[\n(() => {\n%s\n})();\n]]></script>\n</svg>\n",
                FLAME_HEAD + (t->depth_max + 1) * FLAME_ROW, FLAME_FOOT, FLAME_PAD,
                flamegraph_script);
}

void write_flamegraph(const struct profile *p, enum write_weight weight, struct pxi_buf *out)
{
    struct lines l;
    struct tree t = { 0 };
    if (!lines__make(&l, p, weight) || !make_tree(&t, &l)) {
        out->broken = true;
        goto out;
    }
    add_head(out, p, weight, &t, l.weight);
    if (l.weight == 0) {
        pxi_buf_fmt(out, "<text class=\"facts\" x=\"%d\" y=\"%d\">nothing was recorded</text>\n",
                    FLAME_PAD, FLAME_HEAD + 13);
    }
    for (size_t i = 0; l.weight && i < t.n; i++) {
        if (drawn(&t.nodes[i], l.weight))
            add_frame(out, &t.nodes[i], &l, t.depth_max, weight);
    }
    add_foot(out, &t);
out:
    free(t.nodes);
    lines__free(&l);
}

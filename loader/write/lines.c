/* lines.c - the stacks of a profile as sorted lists of labels: what folded files and flame graphs
 * show.
 *
 * A stack reads, root first: comm, query (if any), a mark where the unwinder had to stop, user
 * frames, kernel frames. Inlined functions are frames of their own. Building takes two steps:
 * labels are numbered as they come; at the end they are sorted and renumbered, and the lines after
 * them.
 */
#include "loader/write/text.h"
#include <stdlib.h>
#include <string.h>

/* While it is being made. A key of lines is a list of label numbers, its value a struct line. */
struct maker {
    const struct profile *p;
    struct lines *out;
    struct pxi_map labels; /* kind + text -> struct label */
    struct pxi_map lines;  /* label numbers -> struct line */
    struct pxi_buf scratch, path, key;
    bool failed;
};

uint32_t label__count(const struct profile *p, uint32_t frame)
{
    return p->frames[frame].symbols ? p->frames[frame].symbols : 1;
}

struct label label__of(const struct profile *p, uint32_t frame, uint32_t i, struct pxi_buf *scratch)
{
    const struct frame *f = &p->frames[frame];
    struct label l = { .kind = f->kernel ? LABEL_KERNEL : LABEL_USER };
    pxi_buf_clear(scratch);
    if (f->symbols) {
        const struct frame_name *name = &p->names[f->symbol + i];
        if (name->inlined && !f->kernel)
            l.kind = LABEL_INLINED;
        text__clean(scratch, name->name, strlen(name->name), NAME_MAX_BYTES, true);
        if (!*name->name)
            pxi_buf_char(scratch, '?');
    } else {
        if (!f->kernel)
            l.kind = LABEL_UNKNOWN;
        text__address(scratch, p, f);
    }
    l.text = scratch->data ? scratch->data : "";
    return l;
}

static void add_label(struct maker *m, struct label l)
{
    pxi_buf_clear(&m->key);
    pxi_buf_char(&m->key, (char)l.kind);
    pxi_buf_text(&m->key, l.text);
    struct pxi_map_entry *e =
        pxi_buf_ok(&m->key) ? pxi_map_put(&m->labels, m->key.data, m->key.size, NULL) : NULL;
    if (!e) {
        m->failed = true;
        return;
    }
    uint32_t number = (uint32_t)(e - m->labels.entries);
    pxi_buf_add(&m->path, &number, sizeof number);
}

static void add_text(struct maker *m, enum label_kind kind)
{
    add_label(m, (struct label){ m->scratch.data ? m->scratch.data : "", kind });
}

static void add_root(struct maker *m, uint32_t process, uint32_t op)
{
    const char *comm = m->p->processes[process].comm;
    pxi_buf_clear(&m->scratch);
    text__clean(&m->scratch, comm, strlen(comm), 0, true);
    if (!*comm)
        pxi_buf_text(&m->scratch, "[unknown]");
    add_text(m, LABEL_COMM);
    if (!op)
        return;
    pxi_buf_clear(&m->scratch);
    pxi_buf_text(&m->scratch, "query:");
    text__op(&m->scratch, &m->p->ops[op]);
    add_text(m, LABEL_QUERY);
}

static void add_stack(struct maker *m, uint32_t stack)
{
    const struct stack *s = &m->p->stacks[stack];
    bool whole = s->end == PXB_END_NONE || s->end == PXB_END_OK || s->end == PXB_END_OK_GUESSED;
    uint32_t n = s->n;
    if (stack__purpose(m->p, stack))
        add_label(m, label__of(m->p, s->frames[--n], 0, &m->scratch));
    if (!whole && !s->kernel) {
        pxi_buf_clear(&m->scratch);
        pxi_buf_fmt(&m->scratch, "[stack ends: %s]", end_name(s->end));
        add_text(m, LABEL_UNKNOWN);
    }
    for (uint32_t i = n; i-- > 0;) {
        for (uint32_t k = label__count(m->p, s->frames[i]); k-- > 0;)
            add_label(m, label__of(m->p, s->frames[i], k, &m->scratch));
    }
}

static void end_line(struct maker *m, uint64_t weight)
{
    struct pxi_map_entry *e = NULL;
    if (pxi_buf_ok(&m->path) && pxi_buf_ok(&m->scratch))
        e = pxi_map_put(&m->lines, m->path.data, m->path.size, NULL);
    if (e && !e->value)
        e->value = pxi_arena_zero(&m->out->arena, 1, sizeof(struct line));
    if (!e || !e->value) {
        m->failed = true;
        return;
    }
    struct line *l = e->value;
    l->weight += weight;
    m->out->weight += weight;
}

static void add_cpu(struct maker *m)
{
    for (uint32_t i = 1; i < m->p->n_cpu && !m->failed; i++) {
        const struct cpu_site *c = &m->p->cpu[i];
        if (!c->count)
            continue;
        pxi_buf_clear(&m->path);
        add_root(m, c->process, c->op);
        add_stack(m, c->ustack);
        add_stack(m, c->kstack);
        end_line(m, c->count);
    }
}

static void add_heap(struct maker *m, bool live)
{
    for (uint32_t i = 1; i < m->p->heap.n_sites && !m->failed; i++) {
        const struct heap_site *s = &m->p->heap.sites[i];
        uint64_t weight = live ? s->live_bytes : s->total_bytes;
        if (!weight)
            continue;
        pxi_buf_clear(&m->path);
        add_root(m, s->process, s->op);
        add_stack(m, s->ustack);
        end_line(m, weight);
    }
}

/* ---- sorting -----------------------------------------------------------------------------------
 */

struct numbered {
    struct label label;
    uint32_t number;
};

static int by_text(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    int order = strcmp(x->label.text, y->label.text);
    return order ? order : (int)x->label.kind - (int)y->label.kind;
}

static int by_labels(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    for (uint32_t i = 0; i < x->n && i < y->n; i++) {
        if (x->labels[i] != y->labels[i])
            return x->labels[i] < y->labels[i] ? -1 : 1;
    }
    return x->n < y->n ? -1 : x->n > y->n;
}

/* Sorted labels into out; new_number[old]. */
static bool sort_labels(struct maker *m, uint32_t *new_number)
{
    uint32_t n = (uint32_t)m->labels.count;
    struct numbered *sorted = calloc(n + 1, sizeof *sorted);
    struct label *labels = pxi_arena_zero(&m->out->arena, n + 1, sizeof *labels);
    bool ok = sorted && labels;
    for (uint32_t i = 0; ok && i < n; i++) {
        const struct pxi_map_entry *e = &m->labels.entries[i];
        const char *key = e->key;
        const char *text = pxi_arena_text(&m->out->arena, key + 1, e->key_size - 1);
        ok = text != NULL;
        sorted[i] = (struct numbered){ { text, (enum label_kind)key[0] }, i };
    }
    if (ok)
        qsort(sorted, n, sizeof *sorted, by_text);
    for (uint32_t i = 0; ok && i < n; i++) {
        labels[i] = sorted[i].label;
        new_number[sorted[i].number] = i;
    }
    free(sorted);
    m->out->labels = labels;
    m->out->n_labels = n;
    return ok;
}

static bool sort_lines(struct maker *m)
{
    struct lines *l = m->out;
    uint32_t n = (uint32_t)m->lines.count;
    uint32_t *new_number = calloc(m->labels.count + 1, sizeof *new_number);
    l->lines = pxi_arena_zero(&l->arena, n + 1, sizeof *l->lines);
    bool ok = new_number && l->lines && sort_labels(m, new_number);
    for (uint32_t i = 0; ok && i < n; i++) {
        const struct pxi_map_entry *e = &m->lines.entries[i];
        struct line *line = &l->lines[i];
        *line = *(const struct line *)e->value;
        line->n = (uint32_t)(e->key_size / sizeof *line->labels);
        line->labels = pxi_arena_copy(&l->arena, e->key, e->key_size);
        ok = line->labels != NULL;
        for (uint32_t k = 0; ok && k < line->n; k++)
            line->labels[k] = new_number[line->labels[k]];
    }
    if (ok)
        qsort(l->lines, n, sizeof *l->lines, by_labels);
    l->n = ok ? n : 0;
    free(new_number);
    return ok;
}

bool lines__make(struct lines *l, const struct profile *p, enum write_weight weight)
{
    *l = (struct lines){ 0 };
    pxi_arena_init(&l->arena, NULL, 0);
    struct maker m = { .p = p, .out = l };
    pxi_map_init(&m.labels);
    pxi_map_init(&m.lines);
    if (weight == WRITE_CPU) {
        add_cpu(&m);
    } else {
        add_heap(&m, weight == WRITE_HEAP_LIVE);
    }
    bool ok = !m.failed && sort_lines(&m);
    pxi_map_free(&m.labels);
    pxi_map_free(&m.lines);
    pxi_buf_free(&m.scratch);
    pxi_buf_free(&m.path);
    pxi_buf_free(&m.key);
    return ok;
}

void lines__free(struct lines *l)
{
    pxi_arena_free(&l->arena);
    *l = (struct lines){ 0 };
}

/* heap_shape.c - histograms of blocks and growth over time, as text and as JSON. */
#include "loader/write/heap_text.h"
#include <string.h>

enum { ROWS_SHOWN = 16 };
enum { COLUMN = 14, COLUMN_2 = 28, COLUMN_3 = 42, COLUMN_4 = 56 };

/* ---- text ------------------------------------------------------------------------------------ */

static void add_size_rows(struct pxi_buf *out, const struct heap_shape *s, uint64_t all)
{
    for (unsigned i = 0; i < HEAP_SIZES; i++) {
        if (s->blocks[i] == 0)
            continue;
        size_t from = out->size;
        pxi_buf_text(out, "  ");
        text__bytes(out, 1ull << i);
        text__column(out, from, COLUMN);
        text__count(out, s->blocks[i]);
        text__column(out, from, COLUMN_2);
        text__share(out, s->blocks[i], all);
        text__column(out, from, COLUMN_3);
        text__bytes(out, s->bytes[i]);
        pxi_buf_char(out, '\n');
    }
}

/* Live blocks of the end were not freed at any age. */
static void add_life_rows(struct pxi_buf *out, const struct profile *p, uint64_t all)
{
    uint64_t limit = 1000;
    for (unsigned i = 0; i <= HEAP_LIVES; i++, limit *= 10) {
        const uint64_t n = i < HEAP_LIVES ? p->heap.shape.lives[i] : p->heap.live_blocks;
        if (n == 0)
            continue;
        size_t from = out->size;
        pxi_buf_text(out, "  ");
        if (i == HEAP_LIVES) {
            pxi_buf_text(out, "not freed");
        } else if (i == HEAP_LIVES - 1) {
            pxi_buf_text(out, "longer");
        } else {
            text__time(out, limit);
        }
        text__column(out, from, COLUMN);
        text__count(out, n);
        text__column(out, from, COLUMN_2);
        text__share(out, n, all);
        pxi_buf_char(out, '\n');
    }
}

void heap_text__shape(struct pxi_buf *out, const struct profile *p)
{
    const struct heap_shape *s = &p->heap.shape;
    uint64_t all = 0, ended = p->heap.live_blocks;
    for (unsigned i = 0; i < HEAP_SIZES; i++)
        all += s->blocks[i];
    for (unsigned i = 0; i < HEAP_LIVES; i++)
        ended += s->lives[i];
    pxi_buf_text(out, "\nSizes of blocks\n  at most     blocks        share         bytes\n");
    add_size_rows(out, s, all);
    pxi_buf_text(out, "\nLives of blocks\n  less than   blocks        share\n");
    add_life_rows(out, p, ended);
}

/* What the machine said last before a moment; NULL: nothing yet. */
static const struct growth_point *memory_at(const struct growth *g, uint64_t ns)
{
    const struct growth_point *found = NULL;
    for (uint32_t i = 0; i < g->n && g->points[i].ns <= ns; i++)
        found = &g->points[i];
    return found;
}

static uint64_t since_start(const struct profile *p, uint64_t ns)
{
    return ns > p->meta.start_ns ? ns - p->meta.start_ns : 0;
}

void heap_text__growth(struct pxi_buf *out, const struct profile *p)
{
    const struct growth *g = &p->heap.growth;
    const uint32_t rows = g->n < ROWS_SHOWN ? g->n : ROWS_SHOWN;
    pxi_buf_text(out, p->meta.heap_how == HEAP_PAGES
                          ? "\nGrowth\n  after       faulted in    faults        "
                          : "\nGrowth\n  after       live          blocks        ");
    pxi_buf_text(out, "resident      virtual\n");
    for (uint32_t r = 0; r < rows; r++) {
        const uint32_t at = rows > 1 ? (uint32_t)((uint64_t)r * (g->n - 1) / (rows - 1)) : 0;
        const struct growth_point *x = &g->points[at], *m = memory_at(&p->memory, x->ns);
        size_t from = out->size;
        pxi_buf_text(out, "  ");
        text__time(out, since_start(p, x->ns));
        text__column(out, from, COLUMN);
        text__bytes(out, x->bytes);
        text__column(out, from, COLUMN_2);
        text__count(out, x->other);
        if (m) {
            text__column(out, from, COLUMN_3);
            text__bytes(out, m->bytes);
            text__column(out, from, COLUMN_4);
            text__bytes(out, m->other);
        }
        pxi_buf_char(out, '\n');
    }
    if (p->heap.exact_blocks)
        pxi_buf_text(out, "note: up to 48 MiB of what is resident are the recording's own\n");
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void member(struct pxi_json *j, const char *key, uint64_t value)
{
    pxi_json_key(j, key);
    pxi_json_u64(j, value);
}

static void add_sizes(struct pxi_json *j, const struct heap_shape *s)
{
    pxi_json_key(j, "sizes");
    pxi_json_begin(j, '[');
    for (unsigned i = 0; i < HEAP_SIZES; i++) {
        if (s->blocks[i] == 0)
            continue;
        pxi_json_begin(j, '{');
        member(j, "at_most", 1ull << i);
        member(j, "blocks", s->blocks[i]);
        member(j, "bytes", s->bytes[i]);
        pxi_json_end(j, '}');
    }
    pxi_json_end(j, ']');
}

static void add_lives(struct pxi_json *j, const struct heap_shape *s)
{
    uint64_t limit = 1000;
    pxi_json_key(j, "lives");
    pxi_json_begin(j, '[');
    for (unsigned i = 0; i < HEAP_LIVES; i++, limit *= 10) {
        if (s->lives[i] == 0)
            continue;
        pxi_json_begin(j, '{');
        pxi_json_key(j, "less_than_ns");
        if (i == HEAP_LIVES - 1) {
            pxi_json_null(j);
        } else {
            pxi_json_u64(j, limit);
        }
        member(j, "blocks", s->lives[i]);
        pxi_json_end(j, '}');
    }
    pxi_json_end(j, ']');
}

static void add_growth(struct pxi_json *j, const struct profile *p, const char *key,
                       const struct growth *g, const char *first, const char *second)
{
    pxi_json_key(j, key);
    pxi_json_begin(j, '[');
    for (uint32_t i = 0; i < g->n; i++) {
        pxi_json_begin(j, '{');
        member(j, "after_ns", since_start(p, g->points[i].ns));
        member(j, first, g->points[i].bytes);
        member(j, second, g->points[i].other);
        pxi_json_end(j, '}');
    }
    pxi_json_end(j, ']');
}

void heap_shape__json(struct pxi_json *j, const struct profile *p)
{
    add_sizes(j, &p->heap.shape);
    add_lives(j, &p->heap.shape);
    add_growth(j, p, "growth", &p->heap.growth, "bytes", "blocks");
    add_growth(j, p, "memory", &p->memory, "resident", "virtual");
}

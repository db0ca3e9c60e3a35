/* heap_shape.c - what blocks are like, and how much there is over time: histograms and points of
 * bounded size. */
#include "loader/profile/internal.h"

static const uint64_t first_step_ns = 1000000;

void heap_shape__size(struct heap_shape *s, uint64_t size, uint64_t bytes, uint64_t blocks)
{
    unsigned i = size > 1 ? 64 - (unsigned)__builtin_clzll(size - 1) : 0;
    i = i < HEAP_SIZES ? i : HEAP_SIZES - 1;
    s->bytes[i] += bytes;
    s->blocks[i] += blocks;
}

void heap_shape__life(struct heap_shape *s, uint64_t ns, uint64_t blocks)
{
    unsigned i = 0;
    for (uint64_t limit = 1000; i < HEAP_LIVES - 1 && ns >= limit; limit *= 10)
        i++;
    s->lives[i] += blocks;
}

static void thin_out(struct growth *g)
{
    for (size_t i = 0; i < GROWTH_POINTS / 2; i++)
        g->points[i] = g->points[2 * i];
    g->n = GROWTH_POINTS / 2;
    g->step_ns *= 2;
}

void growth__note(struct growth *g, uint64_t ns, uint64_t bytes, uint64_t other)
{
    if (ns < g->next_ns)
        return;
    if (g->n == GROWTH_POINTS)
        thin_out(g);
    if (g->step_ns == 0)
        g->step_ns = first_step_ns;
    g->points[g->n++] = (struct growth_point){ ns, bytes, other };
    g->next_ns = ns + g->step_ns;
}

void profile__memory(struct profile *p, uint64_t ns, uint64_t resident, uint64_t virtual_size)
{
    growth__note(&p->memory, ns, resident, virtual_size);
}

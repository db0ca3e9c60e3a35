/* heap_rate.c - what a block of a sampled heap stands for, and what happens to the books when a
 * recording goes over to samples, or to fewer of them.
 *
 * Blocks of a sampled heap are counted in parts of one. Each block carries the number of the rate
 * that it was sampled at, so that it leaves the books with what it came with. Where every event was
 * seen at first, most of the blocks that are live at the change are let go: who frees one of them
 * will not be told of. Those that are followed (bpf/heap.h: all large ones, and of the small ones
 * one in 64 by address) stand for the others from then on. What was allocated, and the peak until
 * then, stay as they were counted.
 */
#include "bpf/heap.h"
#include "loader/profile/heap_live.h"
#include "loader/profile/internal.h"
#include <math.h>

enum { THINNED = UINT8_MAX }; /* epoch of a block that stands for others of its kind */

static uint64_t rate_of(const struct heap *h, uint8_t epoch)
{
    return h->n_rates == 0 ? h->rate : epoch < h->n_rates ? h->rates[epoch] : 0;
}

struct heap_amount heap__amount(const struct heap *h, const struct block *b)
{
    const uint64_t one = heap__in_parts(h) ? HEAP_PARTS : 1;
    if (b->epoch == THINNED)
        return (struct heap_amount){ b->size * PXB_FOLLOW_ONE_IN, one * PXB_FOLLOW_ONE_IN };
    const uint64_t rate = rate_of(h, (uint8_t)b->epoch);
    if (rate == 0)
        return (struct heap_amount){ b->size, one };
    const double weight = -1 / expm1(-(double)b->size / (double)rate);
    return (struct heap_amount){ (uint64_t)((double)b->size * weight + 0.5),
                                 (uint64_t)(HEAP_PARTS * weight + 0.5) };
}

/* Calls change for each number of blocks. */
static void each_blocks(struct heap *h, void (*change)(uint64_t *blocks))
{
    uint64_t *totals[] = { &h->total_blocks, &h->live_blocks, &h->gone_blocks, &h->max_blocks };
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
        change(totals[i]);
    for (unsigned i = 0; i < HEAP_SIZES; i++)
        change(&h->shape.blocks[i]);
    for (unsigned i = 0; i < HEAP_LIVES; i++)
        change(&h->shape.lives[i]);
    for (uint32_t i = 0; i < h->growth.n; i++)
        change(&h->growth.points[i].other);
    for (uint32_t n = 1; n < h->n_sites; n++) {
        struct heap_site *s = &h->sites[n];
        uint64_t *blocks[] = { &s->total_blocks, &s->live_blocks, &s->gone_blocks,
                               &s->max_blocks,   &s->gmax_blocks, &s->old_blocks };
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
            change(blocks[i]);
    }
}

static void multiply(uint64_t *blocks)
{
    *blocks *= HEAP_PARTS;
}

static void divide(uint64_t *blocks)
{
    *blocks = (*blocks + HEAP_PARTS / 2) / HEAP_PARTS;
}

/* The same rounding for all, so that what was not more than something else is not more now. */
void heap__round(struct heap *h)
{
    each_blocks(h, divide);
}

/* A block's live values become those of another amount. */
static void change_live(struct heap *h, struct heap_site *s, struct heap_amount from,
                        struct heap_amount to)
{
    heap__settle(h, s);
    s->live_bytes += to.bytes - from.bytes;
    s->live_blocks += to.blocks - from.blocks;
    h->live_bytes += to.bytes - from.bytes;
    h->live_blocks += to.blocks - from.blocks;
}

bool heap__thin(struct heap *h, struct block *b)
{
    if (b->epoch || b->size >= PXB_FOLLOW_SIZE)
        return false;
    struct heap_site *s = &h->sites[b->site];
    const struct heap_amount was = heap__amount(h, b);
    if (pxb_is_followed(b->addr)) {
        b->epoch = THINNED;
        change_live(h, s, was, heap__amount(h, b));
        return false;
    }
    change_live(h, s, was, (struct heap_amount){ 0, 0 });
    heap_live__drop(h->live, b);
    return true;
}

static void at_most(uint64_t *value, uint64_t limit)
{
    if (*value > limit)
        *value = limit;
}

/* Estimates of what is live know nothing of what was counted: none may be more than that. */
void heap__bound(struct heap *h)
{
    h->live_bytes = h->live_blocks = 0;
    for (uint32_t i = 1; i < h->n_sites; i++) {
        struct heap_site *s = &h->sites[i];
        at_most(&s->live_bytes, s->total_bytes);
        at_most(&s->live_blocks, s->total_blocks);
        at_most(&s->gmax_bytes, s->total_bytes);
        at_most(&s->gmax_blocks, s->total_blocks);
        const uint64_t most = s->live_bytes > s->gmax_bytes ? s->live_bytes : s->gmax_bytes;
        if (s->max_bytes < most) {
            s->max_bytes = most;
            s->max_blocks = s->live_bytes > s->gmax_bytes ? s->live_blocks : s->gmax_blocks;
        }
        at_most(&s->max_bytes, s->total_bytes);
        at_most(&s->max_blocks, s->total_blocks);
        h->live_bytes += s->live_bytes;
        h->live_blocks += s->live_blocks;
    }
}

/* From all events to samples. */
static void thin_all(struct heap *h)
{
    each_blocks(h, multiply);
    h->thinned = true;
    for (uint32_t i = 1; i < h->n_sites; i++)
        h->sites[i].samples = 0;
    /* a drop may move another block into the slot; one that is met again is not changed again */
    for (size_t i = 0; h->live && i < h->live->capacity;) {
        struct block *b = &h->live->slots[i];
        if (!b->addr || !heap__thin(h, b))
            i++;
    }
}

uint8_t profile__heap_sample(struct profile *p, uint64_t rate)
{
    struct heap *h = &p->heap;
    if (h->n_rates == HEAP_RATES)
        return 0;
    if (h->n_rates == 0)
        h->rates[h->n_rates++] = h->rate;
    if (h->n_rates == 1 && h->rates[0] == 0)
        thin_all(h);
    h->rates[h->n_rates] = rate;
    if (rate)
        h->rate = rate;
    return (uint8_t)h->n_rates++;
}

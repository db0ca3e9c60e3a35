/* heap.c - exact heap accounting in DHAT's terms, one event after another.
 *
 * Semantics are those of valgrind's dhat 3.19, block by block:
 *   - a block of 0 bytes counts as 1;
 *   - realloc keeps the block's first site and birth: the site's total grows by the new size and by
 *     one block, what is live changes by the difference, in one step;
 *   - the global peak is the latest moment at which most bytes were live;
 *   - lifetimes of blocks that remain run to the end.
 * One difference: dhat takes a site's own peak only at new global peaks (and so can show more bytes
 * at the global peak than at the site's own); here it is the site's true peak.
 *
 * The peak needs every site's live values at that moment, without a walk over all sites each time
 * it moves: heap.peak numbers the peaks, and a site carries the number its gmax belongs to. A site
 * with an older number has not changed since, so its live values *are* those at the peak: they are
 * taken right before its next change, or at the end.
 *
 * A sampled heap (rate > 0) is fed the blocks that were sampled; each stands for those that were
 * not, so all figures of sites are estimates, and their sums near but not equal to the exact totals
 * that the command counted; see heap_rate.c.
 *
 * realloc takes the block out of the table at its entry (another thread may be given the address
 * before realloc returns) and keeps it aside by thread; it stays counted as live. Processes that
 * end leave their blocks as blocks at end, but the peak sums only memory of processes that are
 * there. Source: valgrind 3.19, dhat/dh_main.c; the DHAT manual.
 */
#include "loader/profile/heap_live.h"
#include "loader/profile/internal.h"
#include <stdlib.h>
#include <string.h>

/* ---- sites and totals --------------------------------------------------------------------------
 */

/* To be called before the live values of a site change. */
void heap__settle(const struct heap *h, struct heap_site *s)
{
    if (s->peak == h->peak)
        return;
    s->gmax_bytes = s->live_bytes - s->gone_bytes;
    s->gmax_blocks = s->live_blocks - s->gone_blocks;
    s->peak = h->peak;
}

/* To be called after live values grew, or stayed. */
static void note_peaks(struct heap *h, struct heap_site *s, uint64_t ts)
{
    /* an estimate has to be clear of what was counted */
    const uint64_t slack = h->thinned ? 2 * h->rate : 0;
    if (s->live_bytes >= s->max_bytes + slack) {
        s->max_bytes = s->live_bytes;
        s->max_blocks = s->live_blocks;
    }
    uint64_t bytes = h->live_bytes - h->gone_bytes;
    if (bytes >= h->max_bytes + slack) {
        h->max_bytes = bytes;
        h->max_blocks = h->live_blocks - h->gone_blocks;
        h->max_ns = ts;
        h->peak++;
    }
}

static void add_total(struct heap *h, struct heap_site *s, struct heap_amount a)
{
    s->total_bytes += a.bytes;
    s->total_blocks += a.blocks;
    h->total_bytes += a.bytes;
    h->total_blocks += a.blocks;
}

static void begin_block(struct heap *h, const struct block *b)
{
    struct heap_site *s = &h->sites[b->site];
    const struct heap_amount a = heap__amount(h, b);
    heap__settle(h, s);
    add_total(h, s, a);
    heap_shape__size(&h->shape, b->size, a.bytes, a.blocks);
    s->samples += !h->thinned || b->epoch;
    s->sampled_bytes += h->rate && (!h->thinned || b->epoch) ? a.bytes : 0;
    s->live_bytes += a.bytes;
    s->live_blocks += a.blocks;
    h->live_bytes += a.bytes;
    h->live_blocks += a.blocks;
    note_peaks(h, s, b->birth_ns);
}

/* A block for which there is no room among those that are followed. */
static void pass_block(struct heap *h, const struct block *b)
{
    struct heap_site *s = &h->sites[b->site];
    const struct heap_amount a = heap__amount(h, b);
    heap__settle(h, s);
    add_total(h, s, a);
    heap_shape__size(&h->shape, b->size, a.bytes, a.blocks);
    h->untracked++;
}

/* Summed over the blocks that it stands for. */
static uint64_t age(const struct heap *h, const struct block *b, uint64_t ts)
{
    uint64_t ns = ts > b->birth_ns ? ts - b->birth_ns : 0;
    if (!heap__in_parts(h))
        return ns;
    return (uint64_t)((double)ns * (double)heap__amount(h, b).blocks / HEAP_PARTS);
}

static void end_block(struct heap *h, const struct block *b, uint64_t ts)
{
    struct heap_site *s = &h->sites[b->site];
    const struct heap_amount a = heap__amount(h, b);
    heap__settle(h, s);
    s->live_bytes -= a.bytes;
    s->live_blocks -= a.blocks;
    h->live_bytes -= a.bytes;
    h->live_blocks -= a.blocks;
    s->lifetime_ns += age(h, b, ts);
    heap_shape__life(&h->shape, ts > b->birth_ns ? ts - b->birth_ns : 0, a.blocks);
}

/* A block that was never freed, at the end of the recording or of its process. */
static void note_left(struct heap *h, const struct block *b, uint64_t ts)
{
    struct heap_site *s = &h->sites[b->site];
    const struct heap_amount a = heap__amount(h, b);
    const uint64_t ns = ts > b->birth_ns ? ts - b->birth_ns : 0;
    s->lifetime_ns += age(h, b, ts);
    if (ns < h->leak_age_ns)
        return;
    if (s->old_blocks == 0 || ns < s->youngest_ns)
        s->youngest_ns = ns;
    if (ns > s->oldest_ns)
        s->oldest_ns = ns;
    s->old_bytes += a.bytes;
    s->old_blocks += a.blocks;
}

/* The block's process is gone and its memory with it, but nobody freed it. */
static void strand_block(struct heap *h, const struct block *b, uint64_t ts)
{
    struct heap_site *s = &h->sites[b->site];
    const struct heap_amount a = heap__amount(h, b);
    heap__settle(h, s);
    s->gone_bytes += a.bytes;
    s->gone_blocks += a.blocks;
    h->gone_bytes += a.bytes;
    h->gone_blocks += a.blocks;
    note_left(h, b, ts);
}

/* Of an exact heap: a sampler tells a realloc as a free and an allocation. */
static void resize_block(struct heap *h, struct block *b, uint64_t size, uint64_t ts)
{
    struct heap_site *s = &h->sites[b->site];
    const uint64_t one = heap__in_parts(h) ? HEAP_PARTS : 1;
    heap__settle(h, s);
    add_total(h, s, (struct heap_amount){ size, one });
    heap_shape__size(&h->shape, size, size, one);
    s->samples += !h->thinned;
    s->live_bytes += size - b->size;
    h->live_bytes += size - b->size;
    if (size >= b->size)
        note_peaks(h, s, ts);
    b->size = size & BLOCK_SIZE_MASK;
}

static uint32_t site_of(struct profile *p, uint32_t process, uint32_t ustack, uint32_t op,
                        uint8_t phase)
{
    struct heap *h = &p->heap;
    uint32_t key[] = { process, ustack, op, phase };
    bool is_new;
    uint32_t at = profile__intern(p, &p->index->heap_sites, key, sizeof key, h->n_sites, &is_new);
    if (is_new) {
        struct heap_site *s = profile__add(p, PROFILE_TABLE(heap.sites, heap.n_sites));
        if (!s)
            return 0;
        *s = (struct heap_site){
            .process = process, .ustack = ustack, .op = op, .phase = phase, .peak = h->peak
        };
    }
    return at;
}

/* ---- events ------------------------------------------------------------------------------------
 */

static uint64_t size_of(uint64_t asked)
{
    return asked == 0 ? 1 : asked < BLOCK_SIZE_MASK ? asked : BLOCK_SIZE_MASK;
}

static void take(struct profile *p, const struct block *b)
{
    struct heap *h = &p->heap;
    struct block *old = heap_live__slot(h->live, b->process, b->addr);
    if (old->addr) {
        h->overwritten++;
        end_block(h, old, b->birth_ns);
        heap_live__drop(h->live, old);
    }
    if (!heap_live__put(h->live, *b))
        p->broken = true;
}

static void on_alloc(struct profile *p, uint32_t process, uint32_t ustack, uint32_t op,
                     const struct pxb_alloc *a)
{
    if (a->addr == 0) {
        p->heap.failed++;
        return;
    }
    uint32_t site = site_of(p, process, ustack, op, a->phase);
    if (!site)
        return;
    struct block b = { .addr = a->addr,
                       .size = size_of(a->size) & BLOCK_SIZE_MASK,
                       .epoch = a->epoch < p->heap.n_rates ? a->epoch : 0,
                       .birth_ns = a->head.ts,
                       .process = process,
                       .site = site };
    if (p->heap.live_max && p->heap.live->count >= p->heap.live_max) {
        pass_block(&p->heap, &b);
        return;
    }
    take(p, &b);
    if (p->broken)
        return;
    begin_block(&p->heap, &b);
    if (p->heap.thinned && !b.epoch) /* of a thread that did not know yet */
        (void)heap__thin(&p->heap, heap_live__slot(p->heap.live, process, b.addr));
}

static void on_free(struct heap *h, uint32_t process, const struct pxb_alloc *a)
{
    if (a->addr == 0)
        return;
    struct block *b = heap_live__slot(h->live, process, a->addr);
    if (!b->addr) { /* once thinned, they are of blocks that were never sampled */
        h->unknown_frees += !h->thinned;
        return;
    }
    h->frees++;
    end_block(h, b, a->head.ts);
    heap_live__drop(h->live, b);
}

static struct aside *aside_of(struct heap_live *l, uint32_t process, uint32_t tid)
{
    for (uint32_t i = 0; i < l->n_aside; i++) {
        if (l->aside[i].tid == tid && l->aside[i].process == process)
            return &l->aside[i];
    }
    return NULL;
}

static struct aside *new_aside(struct profile *p, uint32_t process, uint32_t tid)
{
    struct heap_live *l = p->heap.live;
    if (l->n_aside == l->aside_room) {
        struct aside *room = reallocarray(l->aside, l->aside_room * 2 + 8, sizeof *room);
        if (!room) {
            p->broken = true;
            return NULL;
        }
        l->aside = room;
        l->aside_room = l->aside_room * 2 + 8;
    }
    struct aside *s = &l->aside[l->n_aside++];
    *s = (struct aside){ .process = process, .tid = tid };
    return s;
}

static void on_realloc_enter(struct profile *p, uint32_t process, const struct pxb_alloc *a)
{
    struct heap *h = &p->heap;
    struct aside *s = aside_of(h->live, process, a->tid);
    if (s) { /* its return was lost: where the block lies now is not known */
        h->lost_reallocs++;
        if (s->block.addr)
            end_block(h, &s->block, a->head.ts);
    } else {
        s = new_aside(p, process, a->tid);
        if (!s)
            return;
    }
    s->wish = a->size;
    s->block.addr = 0;
    struct block *b = heap_live__slot(h->live, process, a->addr);
    if (b->addr) {
        s->block = *b;
        heap_live__drop(h->live, b);
    } else {
        h->unknown_frees++;
    }
}

static void realloc_failed(struct profile *p, struct aside *s, uint64_t ts)
{
    if (s->block.addr && s->wish == 0) { /* glibc's realloc(p, 0) is free(p) */
        p->heap.frees++;
        end_block(&p->heap, &s->block, ts);
    } else if (s->block.addr) {
        p->heap.failed++;
        take(p, &s->block);
    } else {
        p->heap.failed += s->wish != 0;
    }
}

static void on_realloc_exit(struct profile *p, uint32_t process, uint32_t ustack, uint32_t op,
                            const struct pxb_alloc *a)
{
    struct heap *h = &p->heap;
    struct aside *s = aside_of(h->live, process, a->tid);
    struct aside was = { .wish = a->size };
    if (s) {
        was = *s;
        *s = h->live->aside[--h->live->n_aside];
    } else {
        h->lost_reallocs++;
        struct block *b = a->addr ? heap_live__slot(h->live, process, a->addr) : NULL;
        if (b && b->addr) { /* resized in place */
            was.block = *b;
            heap_live__drop(h->live, b);
        }
    }
    if (a->addr == 0) {
        realloc_failed(p, &was, a->head.ts);
    } else if (was.block.addr) {
        was.block.addr = a->addr;
        take(p, &was.block);
        struct block *moved = heap_live__slot(h->live, process, a->addr);
        if (p->broken)
            return;
        resize_block(h, moved, size_of(was.wish), a->head.ts);
        if (h->thinned)
            (void)heap__thin(h, moved);
    } else {
        struct pxb_alloc fresh = *a;
        fresh.size = was.wish;
        on_alloc(p, process, ustack, op, &fresh);
    }
}

/* What is live is not known of pages: growth shows what has come in so far. */
static void on_fault(struct profile *p, uint32_t process, uint32_t ustack, uint32_t op,
                     const struct pxb_alloc *a)
{
    struct heap *h = &p->heap;
    uint32_t at = site_of(p, process, ustack, op, a->phase);
    const uint64_t faults = a->flags & PXB_FAULT_HUGE ? 0 : 1; /* it was told before */
    if (!at)
        return;
    add_total(h, &h->sites[at], (struct heap_amount){ a->size, faults });
    h->copies += a->flags & PXB_FAULT_COPY ? 1 : 0;
    h->huge += a->flags & PXB_FAULT_HUGE ? 1 : 0;
    growth__note(&h->growth, a->head.ts, h->total_bytes, h->total_blocks);
}

void profile__heap(struct profile *p, uint32_t process, uint32_t ustack, uint32_t op,
                   const struct pxb_alloc *a)
{
    if (p->broken || !p->heap.live)
        return;
    switch (a->head.kind) {
    case PXB_FAULT:
        on_fault(p, process, ustack, op, a);
        return;
    case PXB_ALLOC:
        on_alloc(p, process, ustack, op, a);
        break;
    case PXB_FREE:
        on_free(&p->heap, process, a);
        break;
    case PXB_REALLOC_ENTER:
        on_realloc_enter(p, process, a);
        break;
    case PXB_REALLOC_EXIT:
        on_realloc_exit(p, process, ustack, op, a);
        break;
    default:
        break;
    }
    const struct heap *h = &p->heap;
    growth__note(&p->heap.growth, a->head.ts, h->live_bytes - h->gone_bytes,
                 h->live_blocks - h->gone_blocks);
}

/* ---- the end -----------------------------------------------------------------------------------
 */

static void strand_aside(struct heap *h, uint32_t process, uint64_t ts)
{
    struct heap_live *l = h->live;
    for (uint32_t i = 0; i < l->n_aside;) {
        struct aside *s = &l->aside[i];
        if (s->process != process) {
            i++;
            continue;
        }
        if (s->block.addr)
            strand_block(h, &s->block, ts);
        *s = l->aside[--l->n_aside];
    }
}

void profile__heap_exit(struct profile *p, uint32_t process, uint64_t ts)
{
    struct heap *h = &p->heap;
    struct heap_live *l = h->live;
    if (!l)
        return;
    strand_aside(h, process, ts);
    if (process >= l->n_processes)
        return;
    /* A drop may move a block into slot i, so i is looked at again; one that wraps around from the
     * front to the back of the table is met later. */
    for (size_t i = 0; i < l->capacity && l->live_of[process];) {
        struct block *b = &l->slots[i];
        if (b->addr && b->process == process) {
            strand_block(h, b, ts);
            heap_live__drop(l, b);
        } else {
            i++;
        }
    }
}

void heap__free_live(struct heap *h)
{
    heap_live__free(h->live);
    h->live = NULL;
}

/* What is live was never freed. */
static void leave_live(struct heap *h, uint64_t ts)
{
    struct heap_live *l = h->live;
    for (size_t i = 0; l && i < l->capacity; i++) {
        if (l->slots[i].addr)
            note_left(h, &l->slots[i], ts);
    }
    for (uint32_t i = 0; l && i < l->n_aside; i++) {
        if (l->aside[i].block.addr)
            note_left(h, &l->aside[i].block, ts);
    }
    heap__free_live(h);
}

void profile__heap_stop(struct profile *p, uint64_t ts)
{
    leave_live(&p->heap, ts);
    p->heap.over = true;
}

void heap__finish(struct heap *h, uint64_t end_ns)
{
    if (!h->live && !h->over)
        return;
    leave_live(h, end_ns);
    for (uint32_t i = 1; i < h->n_sites; i++)
        heap__settle(h, &h->sites[i]);
    if (h->thinned)
        heap__bound(h);
    if (heap__in_parts(h))
        heap__round(h);
}

bool heap__init(struct heap *h)
{
    h->live = calloc(1, sizeof *h->live);
    return h->live && heap_live__grow(h->live);
}

void heap__free(struct heap *h)
{
    heap__free_live(h);
    free(h->sites);
}

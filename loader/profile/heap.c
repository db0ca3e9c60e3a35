/* heap.c - exact heap accounting in DHAT's terms, one event after another.
 *
 * Live blocks lie in one open-addressed table keyed by (process, address): 32 bytes a block, grown
 * by half, in place, at three quarters full: 43 to 64 bytes a live block. That works because a
 * block's home is its hash scaled to the table's size, so growing moves all of them up. Deleting
 * shifts the cluster back: no tombstones.
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
 * that the command counted.
 *
 * realloc takes the block out of the table at its entry (another thread may be given the address
 * before realloc returns) and keeps it aside by thread; it stays counted as live. Processes that
 * end leave their blocks as blocks at end, but the peak sums only memory of processes that are
 * there. Source: valgrind 3.19, dhat/dh_main.c; the DHAT manual.
 */
#include "loader/profile/internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct block {
    uint64_t addr; /* 0: a free slot; no allocator returns it */
    uint64_t size;
    uint64_t birth_ns;
    uint32_t process, site;
};

/* A block between the entry and the return of realloc. addr 0: it was not known. */
struct aside {
    struct block block;
    uint64_t wish; /* bytes asked for */
    uint32_t process, tid;
};

struct heap_live {
    struct block *slots; /* slots[capacity] */
    size_t count, capacity;
    struct aside *aside; /* aside[n_aside]: threads inside realloc, few */
    uint32_t n_aside;
    size_t aside_room;
    uint32_t *live_of; /* live_of[n_processes]: blocks, so that most exits need no scan */
    size_t n_processes;
};

enum { LIVE_FIRST = 64, SAMPLE_UNIT = 1024 };

/* ---- the table of live blocks ------------------------------------------------------------------
 */

static size_t home_of(const struct heap_live *l, uint32_t process, uint64_t addr)
{
    uint64_t x = (addr ^ process * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return (size_t)((unsigned __int128)x * l->capacity >> 64);
}

static size_t next_slot(const struct heap_live *l, size_t i)
{
    return ++i == l->capacity ? 0 : i;
}

/* The block's slot, or the free one where it would go. */
static struct block *slot_of(const struct heap_live *l, uint32_t process, uint64_t addr)
{
    size_t i = home_of(l, process, addr);
    while (l->slots[i].addr && (l->slots[i].addr != addr || l->slots[i].process != process))
        i = next_slot(l, i);
    return &l->slots[i];
}

static void move_slot(struct heap_live *l, size_t from)
{
    struct block b = l->slots[from];
    l->slots[from].addr = 0;
    *slot_of(l, b.process, b.addr) = b;
}

/* Blocks go to their new places from the last to the first, where nothing that is still to be moved
 * is in the way. Value: how many of the first slots are left: the next one's place is among them,
 * or blocks may have come around the table's end. */
static size_t spread(struct heap_live *l, size_t old_capacity)
{
    size_t i = old_capacity;
    for (; i > LIVE_FIRST; i--) {
        const struct block *b = &l->slots[i - 1];
        if (b->addr && home_of(l, b->process, b->addr) < i)
            break;
        if (b->addr)
            move_slot(l, i - 1);
    }
    return i;
}

/* Blocks of the first n slots are put in anew. */
static bool put_anew(struct heap_live *l, size_t n)
{
    struct block *old = malloc((n + 1) * sizeof *old);
    if (!old)
        return false;
    memcpy(old, l->slots, n * sizeof *old);
    memset(l->slots, 0, n * sizeof *old);
    for (size_t i = 0; i < n; i++) {
        if (old[i].addr)
            *slot_of(l, old[i].process, old[i].addr) = old[i];
    }
    free(old);
    return true;
}

/* In place: realloc moves a large table's pages, not its bytes. */
static bool grow_slots(struct heap_live *l)
{
    const size_t old = l->capacity, capacity = old ? old + old / 2 : LIVE_FIRST;
    struct block *slots = reallocarray(l->slots, capacity, sizeof *slots);
    if (!slots)
        return false;
    memset(slots + old, 0, (capacity - old) * sizeof *slots);
    l->slots = slots;
    l->capacity = capacity;
    return put_anew(l, spread(l, old));
}

static bool grow_processes(struct heap_live *l, uint32_t process)
{
    size_t n = (size_t)process * 2 + 16;
    uint32_t *live_of = reallocarray(l->live_of, n, sizeof *live_of);
    if (!live_of)
        return false;
    memset(live_of + l->n_processes, 0, (n - l->n_processes) * sizeof *live_of);
    l->live_of = live_of;
    l->n_processes = n;
    return true;
}

static bool put_block(struct heap_live *l, struct block b)
{
    if (b.process >= l->n_processes && !grow_processes(l, b.process))
        return false;
    if ((l->count + 1) * 4 > l->capacity * 3 && !grow_slots(l))
        return false;
    *slot_of(l, b.process, b.addr) = b;
    l->count++;
    l->live_of[b.process]++;
    return true;
}

/* Frees a slot and moves back those behind it that would not be found across the gap. */
static void drop_slot(struct heap_live *l, struct block *slot)
{
    size_t gap = (size_t)(slot - l->slots);
    l->live_of[slot->process]--;
    l->count--;
    for (size_t i = next_slot(l, gap); l->slots[i].addr; i = next_slot(l, i)) {
        size_t home = home_of(l, l->slots[i].process, l->slots[i].addr);
        bool between = gap < i ? home > gap && home <= i : home > gap || home <= i;
        if (!between) {
            l->slots[gap] = l->slots[i];
            gap = i;
        }
    }
    l->slots[gap].addr = 0;
}

/* ---- sites and totals --------------------------------------------------------------------------
 */

/* To be called before the live values of a site change. */
static void settle(const struct heap *h, struct heap_site *s)
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
    if (s->live_bytes >= s->max_bytes) {
        s->max_bytes = s->live_bytes;
        s->max_blocks = s->live_blocks;
    }
    uint64_t bytes = h->live_bytes - h->gone_bytes;
    if (bytes >= h->max_bytes) {
        h->max_bytes = bytes;
        h->max_blocks = h->live_blocks - h->gone_blocks;
        h->max_ns = ts;
        h->peak++;
    }
}

/* What a block of a size stands for: itself, or all that were not sampled. The sampler takes it
 * with probability 1 - exp(-size / rate). */
struct amount {
    uint64_t bytes, blocks; /* blocks of a sampled heap in 1/SAMPLE_UNIT until heap__finish */
};

static struct amount amount_of(const struct heap *h, uint64_t size)
{
    if (h->rate == 0)
        return (struct amount){ size, 1 };
    double weight = -1 / expm1(-(double)size / (double)h->rate);
    return (struct amount){ (uint64_t)((double)size * weight + 0.5),
                            (uint64_t)(SAMPLE_UNIT * weight + 0.5) };
}

static void add_total(struct heap *h, struct heap_site *s, struct amount a)
{
    s->total_bytes += a.bytes;
    s->total_blocks += a.blocks;
    h->total_bytes += a.bytes;
    h->total_blocks += a.blocks;
}

static void begin_block(struct heap *h, const struct block *b)
{
    struct heap_site *s = &h->sites[b->site];
    const struct amount a = amount_of(h, b->size);
    settle(h, s);
    add_total(h, s, a);
    s->samples++;
    s->live_bytes += a.bytes;
    s->live_blocks += a.blocks;
    h->live_bytes += a.bytes;
    h->live_blocks += a.blocks;
    note_peaks(h, s, b->birth_ns);
}

/* Summed over the blocks that it stands for. */
static uint64_t age(const struct heap *h, const struct block *b, uint64_t ts)
{
    uint64_t ns = ts > b->birth_ns ? ts - b->birth_ns : 0;
    if (h->rate == 0)
        return ns;
    return (uint64_t)((double)ns * (double)amount_of(h, b->size).blocks / SAMPLE_UNIT);
}

static void end_block(struct heap *h, const struct block *b, uint64_t ts)
{
    struct heap_site *s = &h->sites[b->site];
    const struct amount a = amount_of(h, b->size);
    settle(h, s);
    s->live_bytes -= a.bytes;
    s->live_blocks -= a.blocks;
    h->live_bytes -= a.bytes;
    h->live_blocks -= a.blocks;
    s->lifetime_ns += age(h, b, ts);
}

/* The block's process is gone and its memory with it, but nobody freed it. */
static void strand_block(struct heap *h, const struct block *b, uint64_t ts)
{
    struct heap_site *s = &h->sites[b->site];
    const struct amount a = amount_of(h, b->size);
    settle(h, s);
    s->gone_bytes += a.bytes;
    s->gone_blocks += a.blocks;
    h->gone_bytes += a.bytes;
    h->gone_blocks += a.blocks;
    s->lifetime_ns += age(h, b, ts);
}

/* Of an exact heap: a sampler tells a realloc as a free and an allocation. */
static void resize_block(struct heap *h, struct block *b, uint64_t size, uint64_t ts)
{
    struct heap_site *s = &h->sites[b->site];
    settle(h, s);
    add_total(h, s, (struct amount){ size, 1 });
    s->samples++;
    s->live_bytes += size - b->size;
    h->live_bytes += size - b->size;
    if (size >= b->size)
        note_peaks(h, s, ts);
    b->size = size;
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
    return asked ? asked : 1;
}

static void take(struct profile *p, const struct block *b)
{
    struct heap *h = &p->heap;
    struct block *old = slot_of(h->live, b->process, b->addr);
    if (old->addr) {
        h->overwritten++;
        end_block(h, old, b->birth_ns);
        drop_slot(h->live, old);
    }
    if (!put_block(h->live, *b))
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
    struct block b = { a->addr, size_of(a->size), a->head.ts, process, site };
    take(p, &b);
    if (!p->broken)
        begin_block(&p->heap, &b);
}

static void on_free(struct heap *h, uint32_t process, const struct pxb_alloc *a)
{
    if (a->addr == 0)
        return;
    struct block *b = slot_of(h->live, process, a->addr);
    if (!b->addr) {
        h->unknown_frees++;
        return;
    }
    h->frees++;
    end_block(h, b, a->head.ts);
    drop_slot(h->live, b);
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
    struct block *b = slot_of(h->live, process, a->addr);
    if (b->addr) {
        s->block = *b;
        drop_slot(h->live, b);
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
        struct block *b = a->addr ? slot_of(h->live, process, a->addr) : NULL;
        if (b && b->addr) { /* resized in place */
            was.block = *b;
            drop_slot(h->live, b);
        }
    }
    if (a->addr == 0) {
        realloc_failed(p, &was, a->head.ts);
    } else if (was.block.addr) {
        was.block.addr = a->addr;
        take(p, &was.block);
        if (!p->broken)
            resize_block(h, slot_of(h->live, process, a->addr), size_of(was.wish), a->head.ts);
    } else {
        struct pxb_alloc fresh = *a;
        fresh.size = was.wish;
        on_alloc(p, process, ustack, op, &fresh);
    }
}

void profile__heap(struct profile *p, uint32_t process, uint32_t ustack, uint32_t op,
                   const struct pxb_alloc *a)
{
    if (p->broken || !p->heap.live)
        return;
    switch (a->head.kind) {
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
            drop_slot(l, b);
        } else {
            i++;
        }
    }
}

void heap__free_live(struct heap *h)
{
    if (!h->live)
        return;
    free(h->live->slots);
    free(h->live->aside);
    free(h->live->live_of);
    free(h->live);
    h->live = NULL;
}

static void add_age(struct heap *h, const struct block *b, uint64_t ts)
{
    if (b->addr)
        h->sites[b->site].lifetime_ns += age(h, b, ts);
}

/* From 1/SAMPLE_UNIT to whole blocks; the same rounding for all, so that what was not more than
 * something else is not more now. */
static void round_blocks(struct heap *h)
{
    uint64_t *totals[] = { &h->total_blocks, &h->live_blocks, &h->gone_blocks, &h->max_blocks };
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
        *totals[i] = (*totals[i] + SAMPLE_UNIT / 2) / SAMPLE_UNIT;
    for (uint32_t n = 1; n < h->n_sites; n++) {
        struct heap_site *s = &h->sites[n];
        uint64_t *blocks[] = { &s->total_blocks, &s->live_blocks, &s->gone_blocks, &s->max_blocks,
                               &s->gmax_blocks };
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
            *blocks[i] = (*blocks[i] + SAMPLE_UNIT / 2) / SAMPLE_UNIT;
    }
}

void heap__finish(struct heap *h, uint64_t end_ns)
{
    struct heap_live *l = h->live;
    if (!l)
        return;
    for (size_t i = 0; i < l->capacity; i++)
        add_age(h, &l->slots[i], end_ns);
    for (uint32_t i = 0; i < l->n_aside; i++)
        add_age(h, &l->aside[i].block, end_ns);
    for (uint32_t i = 1; i < h->n_sites; i++)
        settle(h, &h->sites[i]);
    if (h->rate)
        round_blocks(h);
    heap__free_live(h);
}

bool heap__init(struct heap *h)
{
    h->live = calloc(1, sizeof *h->live);
    return h->live && grow_slots(h->live);
}

void heap__free(struct heap *h)
{
    heap__free_live(h);
    free(h->sites);
}

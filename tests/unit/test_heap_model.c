/* test_heap_model.c - heap accounting against a model that does everything the slow way, against
 * valgrind's dhat on the same calls, and in the cases that have a name. */
#include "tests/unit/profile_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void event(struct profile *p, uint16_t kind, uint32_t stack, uint64_t addr, uint64_t size,
                  uint64_t ts)
{
    fixture_alloc(p, kind, 1, stack, 0, addr, size, ts);
}

static struct profile *start(void)
{
    struct profile *p = profile__new();
    assert_non_null(p);
    profile__process(p, 1, "p", 0);
    for (uint32_t i = 1; i <= 16; i++) {
        uint32_t f = profile__frame(p, 0, i, false, false);
        assert_int_equal(profile__stack(p, &f, 1, PXB_END_OK, false), i);
    }
    return p;
}

/* ---- by name -----------------------------------------------------------------------------------
 */

static void realloc_keeps_the_first_site(void **state)
{
    (void)state;
    struct profile *p = start();
    event(p, PXB_ALLOC, 1, 0x10, 200, 1);
    event(p, PXB_REALLOC_ENTER, 0, 0x10, 400, 2);
    event(p, PXB_REALLOC_EXIT, 2, 0x20, 400, 3);
    profile__finish(p, 11);
    assert_int_equal(p->heap.n_sites, 2);
    const struct heap_site *s = &p->heap.sites[1];
    assert_int_equal(s->ustack, 1);
    assert_int_equal(s->total_bytes, 600);
    assert_int_equal(s->total_blocks, 2);
    assert_int_equal(s->live_bytes, 400);
    assert_int_equal(s->live_blocks, 1);
    assert_int_equal(s->max_bytes, 400);
    assert_int_equal(s->lifetime_ns, 10);
    assert_int_equal(p->heap.max_bytes, 400);
    profile__free(p);
}

static void failed_realloc_restores_the_block(void **state)
{
    (void)state;
    struct profile *p = start();
    event(p, PXB_ALLOC, 1, 0x10, 200, 1);
    event(p, PXB_REALLOC_ENTER, 0, 0x10, 1ull << 60, 2);
    event(p, PXB_REALLOC_EXIT, 2, 0, 1ull << 60, 3);
    assert_int_equal(p->heap.live_bytes, 200);
    assert_int_equal(p->heap.failed, 1);
    event(p, PXB_FREE, 0, 0x10, 0, 4);
    assert_int_equal(p->heap.live_blocks, 0);
    assert_int_equal(p->heap.unknown_frees, 0);
    profile__free(p);
}

static void realloc_to_nothing_frees(void **state)
{
    (void)state;
    struct profile *p = start();
    event(p, PXB_ALLOC, 1, 0x10, 200, 1);
    event(p, PXB_REALLOC_ENTER, 0, 0x10, 0, 2);
    event(p, PXB_REALLOC_EXIT, 2, 0, 0, 3);
    assert_int_equal(p->heap.live_blocks, 0);
    assert_int_equal(p->heap.frees, 1);
    assert_int_equal(p->heap.total_blocks, 1);
    profile__free(p);
}

static void blocks_have_sizes_and_lives(void **state)
{
    (void)state;
    struct profile *p = start();
    event(p, PXB_ALLOC, 1, 0x10, 0, 10); /* counts as a byte */
    event(p, PXB_ALLOC, 1, 0x20, 16, 10);
    event(p, PXB_ALLOC, 1, 0x30, 17, 10);
    event(p, PXB_ALLOC, 1, 0x40, 1ull << 60, 10);
    event(p, PXB_FREE, 0, 0x10, 0, 1009);
    event(p, PXB_FREE, 0, 0x20, 0, 1010);
    event(p, PXB_FREE, 0, 0x30, 0, 1ull << 60);
    const struct heap_shape *s = &p->heap.shape;
    assert_int_equal(s->blocks[0], 1);
    assert_int_equal(s->blocks[4], 1);
    assert_int_equal(s->blocks[5], 1);
    assert_int_equal(s->bytes[5], 17);
    assert_int_equal(s->blocks[HEAP_SIZES - 1], 1);
    assert_int_equal(s->lives[0], 1);
    assert_int_equal(s->lives[1], 1);
    assert_int_equal(s->lives[HEAP_LIVES - 1], 1);
    profile__free(p);
}

/* ---- from all events to samples ----------------------------------------------------------------
 */

enum { MANY = 100000, SMALL = 100, LARGE = 1 << 20 };
static const uint64_t sampled_at = 4096;

/* Many small blocks and two large ones; then samples. */
static struct profile *thinned(void)
{
    struct profile *p = start();
    for (uint64_t i = 1; i <= MANY; i++)
        event(p, PXB_ALLOC, 1, i * 128, SMALL, i);
    event(p, PXB_ALLOC, 2, 1ull << 40, LARGE, MANY + 1);
    event(p, PXB_ALLOC, 2, 1ull << 41, LARGE, MANY + 2);
    assert_int_equal(profile__heap_sample(p, sampled_at), 1);
    return p;
}

static void sampling_keeps_what_was_counted(void **state)
{
    (void)state;
    struct profile *p = thinned();
    const struct heap *h = &p->heap;
    /* one in 64 stands for all: 4 standard errors of 1,562 are 10 % */
    assert_in_range(h->sites[1].live_bytes, MANY * SMALL * 9 / 10, MANY * SMALL * 11 / 10);
    assert_int_equal(h->sites[2].live_bytes, 2 * LARGE);
    profile__finish(p, 2 * MANY);
    assert_int_equal(h->total_bytes, MANY * SMALL + 2 * LARGE);
    assert_int_equal(h->total_blocks, MANY + 2);
    assert_int_equal(h->max_bytes, MANY * SMALL + 2 * LARGE);
    assert_int_equal(h->max_blocks, MANY + 2);
    assert_int_equal(h->sites[1].gmax_bytes, MANY * SMALL);
    assert_int_equal(h->shape.blocks[7], MANY);
    assert_int_equal(h->sites[1].samples, 0);
    assert_int_equal(h->sites[1].sampled_bytes, 0);
    profile__free(p);
}

static void sampling_follows_what_was_live(void **state)
{
    (void)state;
    struct profile *p = thinned();
    for (uint64_t i = 1; i <= MANY; i++) /* of those that were let go nothing is known */
        event(p, PXB_FREE, 0, i * 128, 0, MANY + i);
    event(p, PXB_FREE, 0, 1ull << 40, 0, 2 * MANY);
    profile__finish(p, 2 * MANY);
    assert_int_equal(p->heap.sites[1].live_bytes, 0);
    assert_int_equal(p->heap.sites[1].live_blocks, 0);
    assert_int_equal(p->heap.live_bytes, LARGE);
    assert_int_equal(p->heap.live_blocks, 1);
    assert_int_equal(p->heap.unknown_frees, 0);
    profile__free(p);
}

/* Each sample leaves with what it came with, whatever the rate is by then. */
static void samples_keep_their_rate(void **state)
{
    (void)state;
    struct profile *p = thinned();
    struct pxb_alloc a = { .head = { .kind = PXB_ALLOC, .ts = MANY }, .tid = 1, .size = 40 };
    for (uint64_t i = 1; i <= MANY; i++)
        event(p, PXB_FREE, 0, i * 128, 0, MANY);
    for (a.epoch = 1; a.epoch <= 3; a.epoch++) {
        const uint64_t before = p->heap.live_bytes;
        a.addr = 0x100 + a.epoch;
        profile__heap(p, 1, 3, 0, &a);
        const uint64_t rate = a.epoch < 3 ? sampled_at * a.epoch * a.epoch : 0;
        /* S / (1 - exp(-S / R)) is R + S/2 and a little; a number that was never given out is of
         * before, and lets go */
        assert_in_range(p->heap.live_bytes - before, rate ? rate + 20 : 0, rate ? rate + 21 : 0);
        if (a.epoch == 1)
            assert_int_equal(profile__heap_sample(p, sampled_at * 4), 2);
    }
    event(p, PXB_FREE, 0, 0x101, 0, MANY);
    event(p, PXB_FREE, 0, 0x102, 0, MANY);
    assert_int_equal(p->heap.sites[3].live_bytes, 0);
    assert_int_equal(p->heap.sites[3].samples, 2);
    profile__free(p);
}

static void realloc_goes_over_to_samples(void **state)
{
    (void)state;
    struct profile *p = start();
    event(p, PXB_ALLOC, 1, 0x10, 200, 1);
    event(p, PXB_REALLOC_ENTER, 0, 0x10, 400, 2);
    assert_int_equal(profile__heap_sample(p, sampled_at), 1);
    event(p, PXB_REALLOC_EXIT, 2, 0x20, 400, 3);
    event(p, PXB_FREE, 0, 0x20, 0, 4);
    profile__finish(p, 11);
    assert_int_equal(p->heap.total_bytes, 600);
    assert_int_equal(p->heap.total_blocks, 2);
    assert_int_equal(p->heap.live_bytes, 0);
    profile__free(p);
}

/* What happens behind the end of the recording changes nothing any more. */
static void stopping_leaves_what_is_live(void **state)
{
    (void)state;
    struct profile *p = start();
    event(p, PXB_ALLOC, 1, 0x10, 200, 10);
    event(p, PXB_ALLOC, 1, 0x20, 100, 20);
    profile__heap_stop(p, 30);
    event(p, PXB_FREE, 0, 0x10, 0, 40);
    event(p, PXB_ALLOC, 1, 0x30, 100, 50);
    profile__heap_exit(p, 1, 60);
    profile__finish(p, 1000);
    const struct heap_site *s = &p->heap.sites[1];
    assert_int_equal(s->total_bytes, 300);
    assert_int_equal(s->live_bytes, 300);
    assert_int_equal(s->gmax_bytes, 300);
    assert_int_equal(s->lifetime_ns, 20 + 10);
    assert_int_equal(s->oldest_ns, 20);
    profile__free(p);
}

static void rates_run_out(void **state)
{
    (void)state;
    struct profile *p = start();
    for (unsigned i = 1; i < HEAP_RATES; i++)
        assert_int_equal(profile__heap_sample(p, sampled_at), i);
    assert_int_equal(profile__heap_sample(p, sampled_at), 0);
    profile__free(p);
}

static void growth_keeps_its_bounds_and_its_span(void **state)
{
    (void)state;
    struct profile *p = start();
    const struct growth *g = &p->heap.growth;
    for (uint64_t i = 0; i < 100000; i++)
        event(p, PXB_ALLOC, 1, 0x1000 + i * 16, 8, i * 1000000);
    assert_in_range(g->n, GROWTH_POINTS / 2, GROWTH_POINTS);
    assert_int_equal(g->points[0].ns, 0);
    for (uint32_t i = 1; i < g->n; i++) {
        assert_true(g->points[i].ns > g->points[i - 1].ns);
        assert_int_equal(g->points[i].other, g->points[i].ns / 1000000 + 1);
        assert_int_equal(g->points[i].bytes, 8 * g->points[i].other);
    }
    assert_true(g->points[g->n - 1].ns > 98000ull * 1000000);
    profile__free(p);
}

static void leaks_are_those_of_an_age(void **state)
{
    (void)state;
    struct profile *p = start();
    p->heap.leak_age_ns = 100;
    event(p, PXB_ALLOC, 1, 0x10, 10, 1);
    event(p, PXB_ALLOC, 1, 0x20, 20, 400);
    event(p, PXB_ALLOC, 1, 0x30, 40, 401);
    event(p, PXB_ALLOC, 1, 0x40, 80, 1);
    event(p, PXB_FREE, 0, 0x40, 0, 450);
    profile__finish(p, 500);
    const struct heap_site *s = &p->heap.sites[1];
    assert_int_equal(s->live_blocks, 3);
    assert_int_equal(s->old_blocks, 2);
    assert_int_equal(s->old_bytes, 30);
    assert_int_equal(s->oldest_ns, 499);
    assert_int_equal(s->youngest_ns, 100);
    profile__free(p);
}

/* Between the entry and the return of realloc another thread is given the old address. */
static void address_is_free_while_realloc_runs(void **state)
{
    (void)state;
    struct profile *p = start();
    event(p, PXB_ALLOC, 1, 0x10, 200, 1);
    event(p, PXB_REALLOC_ENTER, 0, 0x10, 300, 2);
    struct pxb_alloc other = {
        .head = { .kind = PXB_ALLOC, .ts = 3 }, .tid = 8, .addr = 0x10, .size = 50
    };
    profile__heap(p, 1, 3, 0, &other);
    event(p, PXB_REALLOC_EXIT, 2, 0x40, 300, 4);
    assert_int_equal(p->heap.overwritten, 0);
    assert_int_equal(p->heap.live_bytes, 350);
    event(p, PXB_FREE, 0, 0x10, 0, 5);
    event(p, PXB_FREE, 0, 0x40, 0, 6);
    assert_int_equal(p->heap.live_bytes, 0);
    assert_int_equal(p->heap.unknown_frees, 0);
    profile__free(p);
}

static void unknown_blocks_are_counted(void **state)
{
    (void)state;
    struct profile *p = start();
    event(p, PXB_FREE, 0, 0x10, 0, 1);
    event(p, PXB_FREE, 0, 0, 0, 1); /* free(NULL) is nothing */
    event(p, PXB_REALLOC_ENTER, 0, 0x20, 64, 2);
    event(p, PXB_REALLOC_EXIT, 3, 0x30, 64, 3);
    assert_int_equal(p->heap.unknown_frees, 2);
    assert_int_equal(p->heap.live_bytes, 64); /* what realloc gave is known from here on */
    event(p, PXB_ALLOC, 1, 0x30, 8, 4);
    assert_int_equal(p->heap.overwritten, 1);
    assert_int_equal(p->heap.live_bytes, 8);
    event(p, PXB_ALLOC, 1, 0, 8, 5);
    assert_int_equal(p->heap.failed, 1);
    profile__free(p);
}

static void lost_ends_of_realloc_are_counted(void **state)
{
    (void)state;
    struct profile *p = start();
    event(p, PXB_ALLOC, 1, 0x10, 100, 1);
    event(p, PXB_ALLOC, 1, 0x20, 100, 1);
    event(p, PXB_REALLOC_ENTER, 0, 0x10, 200, 2); /* its return is lost */
    event(p, PXB_REALLOC_ENTER, 0, 0x20, 300, 3);
    event(p, PXB_REALLOC_EXIT, 2, 0x40, 300, 4);
    assert_int_equal(p->heap.lost_reallocs, 1);
    assert_int_equal(p->heap.live_bytes, 300);
    event(p, PXB_REALLOC_EXIT, 2, 0x40, 350, 5); /* its entry was lost, and it stayed in place */
    assert_int_equal(p->heap.lost_reallocs, 2);
    assert_int_equal(p->heap.live_bytes, 350);
    assert_int_equal(p->heap.live_blocks, 1);
    profile__free(p);
}

static void exits_leave_blocks_but_not_the_peak(void **state)
{
    (void)state;
    struct profile *p = start();
    uint32_t second = profile__process(p, 2, "q", 0);
    event(p, PXB_ALLOC, 1, 0x10, 1000, 1);
    event(p, PXB_ALLOC, 1, 0x20, 10, 2);
    event(p, PXB_REALLOC_ENTER, 0, 0x20, 20, 3); /* killed inside realloc */
    profile__heap_exit(p, 1, 5);
    fixture_alloc(p, PXB_FREE, second, 0, 0, 0x10, 0, 6); /* inherited, not its own */
    fixture_alloc(p, PXB_ALLOC, second, 2, 0, 0x10, 700, 7);
    profile__finish(p, 10);
    assert_int_equal(p->heap.max_bytes, 1010); /* never 1710 */
    assert_int_equal(p->heap.live_bytes, 1710);
    assert_int_equal(p->heap.unknown_frees, 1);
    const struct heap_site *s = &p->heap.sites[1];
    assert_int_equal(s->live_bytes, 1010);
    assert_int_equal(s->gmax_bytes, 1010);
    assert_int_equal(s->lifetime_ns, 4 + 3);
    assert_int_equal(p->heap.sites[2].gmax_bytes, 0);
    profile__free(p);
}

/* ---- the slow model ----------------------------------------------------------------------------
 */

enum { SLOTS = 300, SITES = 16 };

struct slow {
    struct {
        uint64_t size, birth;
        unsigned site;
        bool live;
    } block[SLOTS];
    struct heap_site site[SITES + 1];
    uint64_t max_bytes, max_blocks, max_ns, gmax[SITES + 1], gmax_blocks[SITES + 1];
};

static void slow_peaks(struct slow *m, uint64_t ts)
{
    uint64_t bytes = 0, blocks = 0;
    for (unsigned i = 1; i <= SITES; i++) {
        bytes += m->site[i].live_bytes;
        blocks += m->site[i].live_blocks;
    }
    if (bytes < m->max_bytes)
        return;
    m->max_bytes = bytes;
    m->max_blocks = blocks;
    m->max_ns = ts;
    for (unsigned i = 1; i <= SITES; i++) {
        m->gmax[i] = m->site[i].live_bytes;
        m->gmax_blocks[i] = m->site[i].live_blocks;
    }
}

static void slow_alloc(struct slow *m, unsigned slot, unsigned site, uint64_t size, uint64_t ts)
{
    m->block[slot].size = size;
    m->block[slot].birth = ts;
    m->block[slot].site = site;
    m->block[slot].live = true;
    struct heap_site *s = &m->site[site];
    s->total_bytes += size;
    s->total_blocks++;
    s->live_bytes += size;
    s->live_blocks++;
    if (s->live_bytes >= s->max_bytes) {
        s->max_bytes = s->live_bytes;
        s->max_blocks = s->live_blocks;
    }
    slow_peaks(m, ts);
}

static void slow_free(struct slow *m, unsigned slot, uint64_t ts)
{
    struct heap_site *s = &m->site[m->block[slot].site];
    m->block[slot].live = false;
    s->live_bytes -= m->block[slot].size;
    s->live_blocks--;
    s->lifetime_ns += ts - m->block[slot].birth;
}

static void slow_resize(struct slow *m, unsigned from, unsigned to, uint64_t size, uint64_t ts)
{
    m->block[to] = m->block[from];
    if (to != from)
        m->block[from].live = false;
    struct heap_site *s = &m->site[m->block[to].site];
    bool grows = size >= m->block[to].size;
    s->total_bytes += size;
    s->total_blocks++;
    s->live_bytes += size - m->block[to].size;
    m->block[to].size = size;
    if (grows && s->live_bytes >= s->max_bytes) {
        s->max_bytes = s->live_bytes;
        s->max_blocks = s->live_blocks;
    }
    if (grows)
        slow_peaks(m, ts);
}

static uint64_t address(unsigned slot)
{
    return 0x7f0000001000 + slot * 32;
}

static void one_random_event(struct profile *p, struct slow *m, uint64_t r, uint64_t ts)
{
    unsigned slot = (unsigned)(r % SLOTS), other = (unsigned)(r >> 20) % SLOTS;
    unsigned site = (unsigned)(r >> 40) % SITES + 1;
    uint64_t size = 1 + (r >> 48) % 500;
    if (!m->block[slot].live) {
        event(p, PXB_ALLOC, site, address(slot), size, ts);
        slow_alloc(m, slot, site, size, ts);
    } else if ((r >> 10) % 4) {
        event(p, PXB_FREE, 0, address(slot), 0, ts);
        slow_free(m, slot, ts);
    } else if (!m->block[other].live || other == slot) {
        event(p, PXB_REALLOC_ENTER, 0, address(slot), size, ts);
        event(p, PXB_REALLOC_EXIT, site, address(other), size, ts);
        slow_resize(m, slot, other, size, ts);
    }
}

static void compare(const struct profile *p, const struct slow *m)
{
    assert_int_equal(p->heap.max_bytes, m->max_bytes);
    assert_int_equal(p->heap.max_blocks, m->max_blocks);
    assert_int_equal(p->heap.max_ns, m->max_ns);
    for (uint32_t i = 1; i < p->heap.n_sites; i++) {
        const struct heap_site *a = &p->heap.sites[i], *b = &m->site[a->ustack];
        assert_int_equal(a->total_bytes, b->total_bytes);
        assert_int_equal(a->total_blocks, b->total_blocks);
        assert_int_equal(a->live_bytes, b->live_bytes);
        assert_int_equal(a->live_blocks, b->live_blocks);
        assert_int_equal(a->max_bytes, b->max_bytes);
        assert_int_equal(a->max_blocks, b->max_blocks);
        assert_int_equal(a->lifetime_ns, b->lifetime_ns);
        assert_int_equal(a->gmax_bytes, m->gmax[a->ustack]);
        assert_int_equal(a->gmax_blocks, m->gmax_blocks[a->ustack]);
    }
}

static void equals_the_slow_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct profile *p = start();
        struct slow m = { 0 };
        uint64_t random = seed * 0x9e3779b97f4a7c15u, ts = 0;
        for (unsigned i = 0; i < 3000; i++)
            one_random_event(p, &m, fixture_random(&random), ++ts);
        for (unsigned i = 0; i < SLOTS; i++) {
            if (m.block[i].live)
                m.site[m.block[i].site].lifetime_ns += ts + 9 - m.block[i].birth;
        }
        profile__finish(p, ts + 9);
        compare(p, &m);
        assert_int_equal(p->heap.unknown_frees + p->heap.overwritten, 0);
        profile__free(p);
    }
}

/* The table of live blocks through growth and dense clusters: everything that went in comes out. */
static void finds_every_block_again(void **state)
{
    (void)state;
    enum { N = 200000 };
    struct profile *p = start();
    for (uint64_t i = 0; i < N; i++)
        event(p, PXB_ALLOC, 1, 0x1000 + i * 16, 16, i);
    for (uint64_t i = 0; i < N; i += 2)
        event(p, PXB_FREE, 0, 0x1000 + i * 16, 0, N);
    for (uint64_t i = 1; i < N; i += 2)
        event(p, PXB_FREE, 0, 0x1000 + i * 16, 0, N);
    assert_int_equal(p->heap.frees, N);
    assert_int_equal(p->heap.unknown_frees, 0);
    assert_int_equal(p->heap.live_bytes, 0);
    assert_int_equal(p->heap.max_blocks, N);
    profile__free(p);
}

/* ---- valgrind's dhat ---------------------------------------------------------------------------
 */

enum { PLACES = 6, STEPS = 400 };

#define PLACE(n)                                                  \
    static __attribute__((noinline)) void *place_##n(size_t size) \
    {                                                             \
        void *volatile p = malloc(size);                          \
        return p;                                                 \
    }
PLACE(0)
PLACE(1)
PLACE(2)
PLACE(3)
PLACE(4)
PLACE(5)

static void *(*const places[PLACES])(size_t) = { place_0, place_1, place_2,
                                                 place_3, place_4, place_5 };

/* The same calls in a program under valgrind, and as events. p NULL: do them. */
static void steps(struct profile *p)
{
    static void *blocks[64];
    uint64_t random = 4711;
    bool live[64] = { false };
    for (uint64_t i = 1; i <= STEPS; i++) {
        uint64_t r = fixture_random(&random);
        unsigned slot = (unsigned)(r % 64), place = (unsigned)(r >> 30) % PLACES;
        size_t size = (r >> 40) % 300;
        bool resize = live[slot] && (r >> 50) % 3 == 0;
        if (!live[slot]) {
            blocks[slot] = p ? NULL : places[place](size);
        } else if (resize) {
            size += 1;
            blocks[slot] = p ? NULL : realloc(blocks[slot], size);
        } else if (!p) {
            free(blocks[slot]);
        }
        if (p && !live[slot]) {
            event(p, PXB_ALLOC, place + 1, 0x1000 + slot * 64, size, i);
        } else if (p && resize) {
            event(p, PXB_REALLOC_ENTER, 0, 0x1000 + slot * 64, size, i);
            event(p, PXB_REALLOC_EXIT, 9, 0x1000 + slot * 64, size, i);
        } else if (p) {
            event(p, PXB_FREE, 0, 0x1000 + slot * 64, 0, i);
        }
        live[slot] = !live[slot] || resize;
    }
}

/* The figures of one point of dhat's file: "gb" etc. between `at` and the next point. */
static uint64_t figure(const char *at, const char *key)
{
    char pattern[16];
    snprintf(pattern, sizeof pattern, "\"%s\":", key);
    const char *found = strstr(at, pattern);
    assert_non_null(found);
    return strtoull(found + strlen(pattern), NULL, 10);
}

/* Sums the points whose frames include place_<n>. */
static void sum_points(const char *json, unsigned place, struct heap_site *sum)
{
    char name[32];
    snprintf(name, sizeof name, ": place_%u ", place);
    const char *table = strstr(json, "\"ftbl\"");
    assert_non_null(table);
    unsigned index = 0;
    bool is_place[256] = { false };
    for (const char *line = strchr(table, '['); line && index < 256;
         line = strchr(line + 1, '\n')) {
        const char *end = strchr(line + 1, '\n');
        const char *found = strstr(line + 1, name);
        is_place[index++] = found && end && found < end;
    }
    for (const char *at = json; (at = strstr(at, "{\"tb\"")) && at < table; at++) {
        const char *fs = strstr(at, "\"fs\":[");
        bool has = false;
        for (const char *f = fs + 6; *f && *f != ']'; f += strcspn(f, ",]"), f += *f == ',')
            has |= is_place[strtoul(f, NULL, 10) % 256];
        if (!has)
            continue;
        sum->total_bytes += figure(at, "tb");
        sum->total_blocks += figure(at, "tbk");
        sum->gmax_bytes += figure(at, "gb");
        sum->gmax_blocks += figure(at, "gbk");
        sum->live_bytes += figure(at, "eb");
        sum->live_blocks += figure(at, "ebk");
    }
}

static void equals_valgrind(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    print_message("valgrind cannot run a program built with sanitizers\n");
    skip();
#endif
    if (system("command -v valgrind >/dev/null 2>&1") != 0) {
        print_message("no valgrind here\n");
        skip();
    }
    char self[4096], command[8192], path[] = "/tmp/prax-dhat-XXXXXX";
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(n > 0);
    self[n] = '\0';
    close(mkstemp(path));
    snprintf(command, sizeof command,
             "valgrind --tool=dhat --dhat-out-file=%s '%s' --victim >/dev/null 2>&1", path, self);
    assert_int_equal(system(command), 0);
    static char json[1 << 20];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(json, 1, sizeof json - 1, file) > 100);
    fclose(file);
    unlink(path);
    struct profile *p = start();
    steps(p);
    profile__finish(p, STEPS + 1);
    uint64_t seen = 0;
    for (unsigned i = 0; i < PLACES; i++) {
        struct heap_site theirs = { 0 };
        sum_points(json, i, &theirs);
        for (uint32_t k = 1; k < p->heap.n_sites; k++) {
            const struct heap_site *ours = &p->heap.sites[k];
            if (ours->ustack != i + 1)
                continue;
            assert_int_equal(ours->total_bytes, theirs.total_bytes);
            assert_int_equal(ours->total_blocks, theirs.total_blocks);
            assert_int_equal(ours->gmax_bytes, theirs.gmax_bytes);
            assert_int_equal(ours->gmax_blocks, theirs.gmax_blocks);
            assert_int_equal(ours->live_bytes, theirs.live_bytes);
            assert_int_equal(ours->live_blocks, theirs.live_blocks);
            seen++;
        }
    }
    assert_int_equal(seen, PLACES);
    profile__free(p);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--victim") == 0) {
        steps(NULL);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(realloc_keeps_the_first_site),
        cmocka_unit_test(failed_realloc_restores_the_block),
        cmocka_unit_test(realloc_to_nothing_frees),
        cmocka_unit_test(blocks_have_sizes_and_lives),
        cmocka_unit_test(sampling_keeps_what_was_counted),
        cmocka_unit_test(sampling_follows_what_was_live),
        cmocka_unit_test(samples_keep_their_rate),
        cmocka_unit_test(realloc_goes_over_to_samples),
        cmocka_unit_test(stopping_leaves_what_is_live),
        cmocka_unit_test(rates_run_out),
        cmocka_unit_test(growth_keeps_its_bounds_and_its_span),
        cmocka_unit_test(leaks_are_those_of_an_age),
        cmocka_unit_test(address_is_free_while_realloc_runs),
        cmocka_unit_test(unknown_blocks_are_counted),
        cmocka_unit_test(lost_ends_of_realloc_are_counted),
        cmocka_unit_test(exits_leave_blocks_but_not_the_peak),
        cmocka_unit_test(equals_the_slow_model),
        cmocka_unit_test(finds_every_block_again),
        cmocka_unit_test(equals_valgrind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

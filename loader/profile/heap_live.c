/* heap_live.c - see heap_live.h. */
#include "loader/profile/heap_live.h"
#include <stdlib.h>
#include <string.h>

enum { LIVE_FIRST = 64 };

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

struct block *heap_live__slot(const struct heap_live *l, uint32_t process, uint64_t addr)
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
    *heap_live__slot(l, b.process, b.addr) = b;
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
            *heap_live__slot(l, old[i].process, old[i].addr) = old[i];
    }
    free(old);
    return true;
}

bool heap_live__grow(struct heap_live *l)
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

bool heap_live__put(struct heap_live *l, struct block b)
{
    if (b.process >= l->n_processes && !grow_processes(l, b.process))
        return false;
    if ((l->count + 1) * 4 > l->capacity * 3 && !heap_live__grow(l))
        return false;
    *heap_live__slot(l, b.process, b.addr) = b;
    l->count++;
    l->live_of[b.process]++;
    return true;
}

void heap_live__drop(struct heap_live *l, struct block *slot)
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

void heap_live__free(struct heap_live *l)
{
    if (!l)
        return;
    free(l->slots);
    free(l->aside);
    free(l->live_of);
    free(l);
}

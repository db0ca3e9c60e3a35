/* memory.c - prax_memory_stats: a program's memory, and libprax's part of it. The counters of all
 * threads are summed without a lock, while they go on: a block that one thread made and another
 * freed may be met once only, and a purpose then be a block off, which is cut at 0. */
#include "orm/pool/heap.h"
#include "usdt/stats.h"
#include <fcntl.h>
#include <prax/prax.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert((int)PRAX_MEMORY_PURPOSES >= (int)PRAX_PURPOSES, "room for every purpose");

/* Pages of the process, in all and resident. */
static bool read_statm(uint64_t *all, uint64_t *resident)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    char *end = text;
    *all = strtoull(text, &end, 10);
    *resident = strtoull(end, NULL, 10);
    return *all && *resident;
}

static uint64_t load(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static int64_t load_gauge(const int64_t *gauge)
{
    return __atomic_load_n(gauge, __ATOMIC_RELAXED);
}

/* What is added up; of one type, as gauges of a thread may be negative. */
struct sums {
    int64_t allocs, alloc_bytes, sessions, connections, arena_bytes;
    int64_t blocks[PRAX_PURPOSES], bytes[PRAX_PURPOSES];
};

static struct sums sum_threads(void)
{
    struct sums all = { 0 };
    uint64_t at = __atomic_load_n(pxi_abi_stats_head(), __ATOMIC_ACQUIRE);
    while (at) {
        const struct prax_stats *s = (const struct prax_stats *)(uintptr_t)at;
        all.allocs += (int64_t)load(&s->allocs);
        all.alloc_bytes += (int64_t)load(&s->alloc_bytes);
        all.sessions += load_gauge(&s->sessions);
        all.connections += load_gauge(&s->connections);
        all.arena_bytes += load_gauge(&s->arena_bytes);
        for (unsigned i = 0; i < PRAX_PURPOSES; i++) {
            all.blocks[i] += load_gauge(&s->purpose_blocks[i]);
            all.bytes[i] += load_gauge(&s->purpose_bytes[i]);
        }
        at = s->next;
    }
    return all;
}

static uint64_t positive(int64_t x)
{
    return x > 0 ? (uint64_t)x : 0;
}

static void fill(prax_memory *m, const struct sums *all)
{
    m->live_bytes = pxi_heap_bytes(&m->peak_bytes);
    m->total_bytes = positive(all->alloc_bytes);
    m->total_blocks = positive(all->allocs);
    m->arena_bytes = positive(all->arena_bytes);
    m->arena_blocks = positive(all->blocks[PRAX_PURPOSE_ROWS] + all->blocks[PRAX_PURPOSE_SCRATCH]);
    m->sessions = positive(all->sessions);
    m->connections = positive(all->connections);
    for (unsigned i = 0; i < PRAX_PURPOSES; i++) {
        m->live_blocks += positive(all->blocks[i]);
        if (all->blocks[i] <= 0)
            continue;
        m->purposes[m->n_purposes++] =
            (prax_memory_purpose){ pxi_heap_purpose(i), positive(all->bytes[i]),
                                   positive(all->blocks[i]) };
    }
}

int prax_memory_stats(prax_memory *out)
{
    prax_memory m = { .size = sizeof m };
    uint64_t all = 0, resident = 0;
    if (!out || out->size < sizeof out->size)
        return PRAX_EINVAL;
    if (out->size < m.size)
        m.size = out->size;
    const struct sums sums = sum_threads();
    fill(&m, &sums);
    const bool known = read_statm(&all, &resident);
    if (known) {
        const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        m.physical_bytes = resident * page;
        m.virtual_bytes = all * page;
    }
    memcpy(out, &m, m.size);
    return known ? 0 : PRAX_EIO;
}

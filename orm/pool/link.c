/* link.c - one connection of the pool: opening, closing, and whether it may still be used. */
#include "orm/pool/inside.h"
#include "usdt/probe.h"
#include "usdt/stats.h"

enum {
    PING_AFTER_MS = 30000, /* firewalls forget after minutes, and tell nobody */
    CHECK_MS = 2000,
    LIFE_SPREAD = 16, /* lives end up to 1 / 16 early, so that not all end at once */
};

static uint64_t next_conn_id(void)
{
    static uint64_t last;
    return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

static void count_conns(int by)
{
    struct prax_stats *st = pxi_stats_here();
    pxi_stats_move(st, &st->connections, by);
}

int pxi_link_open(struct pxi_pool *p, struct pxi_link *l, struct pxi_error *err)
{
    struct prax_stats *st = pxi_stats_here();
    struct pxi_conn *conn = NULL;
    uint64_t id = next_conn_id();
    int rc = p->driver->open(&p->conn, &conn, err);
    PXI_PROBE(conn__open, id, p->driver->name, rc);
    pxi_stats_add(st, &st->connect_failures, rc < 0);
    if (rc < 0)
        return rc;
    count_conns(1);
    l->driver = p->driver;
    l->id = id;
    l->cached_max = p->stmt_cache;
    l->heap = p->statements;
    l->mortal = p->driver->ping || p->lifetime_ns || p->idle_ns;
    l->opened_ns = l->rested_ns = l->mortal ? pxi_clock_ns() : 0;
    __atomic_store_n(&l->conn, conn, __ATOMIC_RELEASE);
    if (p->warm)
        p->warm(p->warm_ctx, l);
    return 0;
}

void pxi_link_close(struct pxi_link *l, struct pxi_conn *conn)
{
    for (unsigned i = 0; i < l->cached_room; i++) {
        if (l->cached[i].stmt)
            l->driver->drop(l->cached[i].stmt);
    }
    l->driver->close(conn);
    pxi_heap_free(l->heap, l->cached, l->cached_room * sizeof *l->cached);
    l->cached = NULL;
    l->cached_room = l->n_cached = 0;
    count_conns(-1);
    PXI_PROBE(conn__close, l->id);
}

/* One that broke seldom breaks alone. */
static void suspect(struct pxi_pool *p)
{
    __atomic_store_n(&p->suspect_ns, pxi_clock_ns(), __ATOMIC_RELAXED);
}

bool pxi_link_clean(struct pxi_pool *p, struct pxi_link *l)
{
    const struct pxi_driver *d = l->driver;
    d->watch(l->conn, NULL);
    bool lost = d->broken(l->conn) || d->reset(l->conn) < 0 || d->in_tx(l->conn);
    l->seized = false;
    if (lost)
        suspect(p);
    return !lost;
}

bool pxi_link_old(const struct pxi_pool *p, const struct pxi_link *l, uint64_t now)
{
    uint64_t early = p->lifetime_ns / LIFE_SPREAD * (l->id % LIFE_SPREAD) / LIFE_SPREAD;
    return p->lifetime_ns && now - l->opened_ns > p->lifetime_ns - early;
}

enum pxi_fitness pxi_link_glance(struct pxi_pool *p, struct pxi_link *l)
{
    const struct pxi_driver *d = l->driver;
    uint64_t now = pxi_clock_ns();
    uint64_t rest = now - l->rested_ns;
    if (pxi_link_old(p, l, now))
        return PXI_UNFIT;
    if (!d->ping)
        return PXI_FIT;
    bool doubt = l->rested_ns <= __atomic_load_n(&p->suspect_ns, __ATOMIC_RELAXED);
    if (!doubt && rest < PXI_FRESH_NS)
        return PXI_FIT;
    if (d->broken(l->conn)) {
        suspect(p);
        return PXI_UNFIT;
    }
    return doubt || rest >= (uint64_t)PING_AFTER_MS * MS_NS ? PXI_DOUBTFUL : PXI_FIT;
}

bool pxi_link_fit(struct pxi_pool *p, struct pxi_link *l)
{
    enum pxi_fitness fitness = pxi_link_glance(p, l);
    if (fitness != PXI_DOUBTFUL)
        return fitness == PXI_FIT;
    bool lost = l->driver->ping(l->conn, CHECK_MS) < 0;
    if (lost)
        suspect(p);
    return !lost;
}

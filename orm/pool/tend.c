/* tend.c - connections that nobody uses: closed when they are too many, renewed when they are old.
 *
 * With idle_ms or lifetime_ms a pool has a thread of its own that looks at what rests, four times
 * in the shorter of them, whether the program calls or sleeps; without them there is no thread. It
 * takes a link as a session does, so it meets nobody at work: idle ones, and those that sessions
 * keep between operations, which notice at their next one.
 *
 * Beyond pool_min what rests longer than idle_ms is closed, and what is older than lifetime_ms too;
 * the others of that age are opened anew at once, so that no operation has to wait for a connect.
 * One at work is replaced when it comes to rest, or is used next (link.c).
 */
#include "orm/pool/inside.h"
#include <signal.h>

enum { LOOKS_A_LIFE = 4 }; /* so idle ones outlive idle_ms by a quarter of it at most */

enum verdict { KEEP, CLOSE, RENEW };

/* Locked: of a link that is idle, or that the caller owns. */
static enum verdict judge(const struct pxi_pool *p, const struct pxi_link *l)
{
    uint64_t now = pxi_clock_ns();
    bool surplus = p->count > p->min, old = pxi_link_old(p, l, now);
    bool idle = p->idle_ns && now - l->rested_ns >= p->idle_ns;
    return surplus && (old || idle) ? CLOSE : old ? RENEW : KEEP;
}

/* Locked: out of the list of idle ones. */
static void unlist(struct pxi_pool *p, struct pxi_link *l)
{
    struct pxi_link **at = &p->idle;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    pxi_pool_own(p, l, (uintptr_t)p | 1);
}

/* Locked, but for the time of closing and opening. */
static void tend_one(struct pxi_pool *p, struct pxi_link *l)
{
    uintptr_t was = pxi_pool_seize(l, (uintptr_t)p);
    bool idle = l->conn && __atomic_load_n(&l->owner, __ATOMIC_RELAXED) == 0;
    enum verdict v = was || idle ? judge(p, l) : KEEP;
    if (idle && v != KEEP)
        unlist(p, l);
    if (v == CLOSE) {
        pxi_pool_close_owned(p, l);
    } else if (v == RENEW) {
        pxi_connect_again(p, l);
    } else if (was) { /* it may rest on */
        l->seized = false;
        __atomic_store_n(&l->owner, was, __ATOMIC_RELEASE);
    }
}

static uint64_t period_of(const struct pxi_pool *p)
{
    uint64_t ns = p->idle_ns && (!p->lifetime_ns || p->idle_ns < p->lifetime_ns) ? p->idle_ns
                                                                                 : p->lifetime_ns;
    ns /= LOOKS_A_LIFE;
    return ns > MS_NS ? ns : MS_NS;
}

static void *tend(void *arg)
{
    struct pxi_pool *p = arg;
    uint64_t period = period_of(p);
    pthread_mutex_lock(&p->lock);
    uint64_t next = pxi_clock_ns() + period;
    while (!p->closed) {
        uint64_t now = pxi_clock_ns();
        if (now < next) {
            pxi_wait_until(&p->tending, &p->lock, next);
            continue;
        }
        for (unsigned i = 0; i < p->max && !p->closed; i++)
            tend_one(p, &p->links[i]);
        next = pxi_clock_ns() + period;
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Signals are the program's own. */
int pxi_tend_start(struct pxi_pool *p, struct pxi_error *err)
{
    sigset_t all, old;
    if (!p->idle_ns && !p->lifetime_ns)
        return 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    p->tended = pthread_create(&p->tender, NULL, tend, p) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (p->tended)
        return 0;
    return pxi_error_set(err, PRAX_ENOMEM,
                         "pool: no thread could be started for idle_ms and lifetime_ms");
}

void pxi_tend_stop(struct pxi_pool *p)
{
    if (p->tended)
        pthread_join(p->tender, NULL);
}

/* inside.h - shared by the files of the pool only.
 *
 * link.c opens, closes and checks one connection; connect.c decides when; wait.c keeps the queue;
 * ask.c waits in it without blocking; pool.c hands out. What says "locked" wants the pool's lock.
 */
#ifndef PXI_POOL_INSIDE_H
#define PXI_POOL_INSIDE_H
#include "orm/pool/pool.h"

enum { MS_NS = 1000000, SECOND_NS = 1000000000 };

struct pxi_waiter {
    struct pxi_waiter *next;
    const struct pxi_wish *wish;
    struct pxi_link *link; /* handed over */
    struct pxi_error *err; /* of the session; where a connect that failed for it says so */
    int rc;                /* of that connect */
    bool opening;          /* connects for itself; others are served first */
    bool looked;           /* in vain, at least once */
    int fd;                /* eventfd of one that does not block (ask.c); else -1 */
    pthread_cond_t wake;   /* of the others */
};

/* ---- link.c ---- */

/* A connection into the empty place l, which the caller owns. Not locked; the caller counts. */
int pxi_link_open(struct pxi_pool *p, struct pxi_link *l, struct pxi_error *err);
/* Closes what l->conn was, and forgets its statements. Not locked; l is still owned, and empty. */
void pxi_link_close(struct pxi_link *l, struct pxi_conn *conn);
/* It has lived for lifetime_ms, or a little less: not all end at once. */
bool pxi_link_old(const struct pxi_pool *p, const struct pxi_link *l, uint64_t now);
/* Ends what the last session left: false: the connection is to be closed. Not locked. */
bool pxi_link_clean(struct pxi_pool *p, struct pxi_link *l);

/* ---- wait.c ---- */

/* Locked: a connection for the wish, when its turn has come. */
int pxi_wait(struct pxi_pool *p, const struct pxi_wish *wish, uint64_t deadline_ns,
             struct pxi_link **out, struct pxi_error *err);
/* Locked: the first waiter that has got nothing yet and could use a link at once; or NULL. */
struct pxi_waiter *pxi_wait_first(const struct pxi_pool *p);
/* Locked: all look again. */
void pxi_wait_wake(struct pxi_pool *p);
/* Locked: this one does. */
void pxi_wait_tell(struct pxi_waiter *w);
/* Locked: into the queue and out of it, with the counters that go with it. */
void pxi_wait_enter(struct pxi_pool *p, struct pxi_waiter *w);
void pxi_wait_leave(struct pxi_pool *p, struct pxi_waiter *w);
/* Locked: 1: w->link is its own; 0: not yet; < 0: its waiting is over. */
int pxi_wait_try(struct pxi_pool *p, struct pxi_waiter *w, uint64_t now, uint64_t deadline,
                 struct pxi_error *err);
/* pthread_cond_t with deadlines of CLOCK_MONOTONIC. */
void pxi_wait_cond(pthread_cond_t *c);
void pxi_wait_until(pthread_cond_t *c, pthread_mutex_t *lock, uint64_t ns);

/* ---- connect.c ---- */

/* Locked, but for the time of a connect: opens one more in the calling thread. NULL and *rc = 0:
 * not now. */
struct pxi_link *pxi_connect_here(struct pxi_pool *p, uintptr_t owner, int *rc,
                                  struct pxi_error *err);
/* Locked: threads that connect, for waiters that nobody connects for yet. What they open is passed
 * on. False: there ought to be one, and it could not be started. */
bool pxi_connect_apart(struct pxi_pool *p);
/* Locked, but for the time of closing and opening: a new connection for a link that the caller
 * owns; then it is passed on. */
void pxi_connect_again(struct pxi_pool *p, struct pxi_link *l);

/* ---- tend.c ---- */

/* The thread that looks after what rests, if idle_ms or lifetime_ms are set. ENOMEM. */
int pxi_tend_start(struct pxi_pool *p, struct pxi_error *err);
/* Waits for its end, p being closed. */
void pxi_tend_stop(struct pxi_pool *p);

/* ---- pool.c ---- */

/* Locked: an owner for one that has none; and an owner less, for one without a connection. */
void pxi_pool_own(struct pxi_pool *p, struct pxi_link *l, uintptr_t owner);
void pxi_pool_vacate(struct pxi_pool *p, struct pxi_link *l);
/* Locked, but for the time of closing: of a link that the caller owns. */
void pxi_pool_close_owned(struct pxi_pool *p, struct pxi_link *l);

/* Locked, but for the time of a connect: a link for the owner, or NULL; *rc < 0: the reason. w: who
 * waits, or NULL. */
struct pxi_link *pxi_pool_find(struct pxi_pool *p, uintptr_t owner, struct pxi_waiter *w, int *rc,
                               struct pxi_error *err);
/* Locked: a link that rests works for `owner` now: whose it was; 0: it does not rest. */
uintptr_t pxi_pool_seize(struct pxi_link *l, uintptr_t owner);
/* Until when a wish may wait. */
uint64_t pxi_pool_deadline(const struct pxi_pool *p, const struct pxi_wish *wish);
/* Locked: to the first waiter or to the idle ones. */
void pxi_pool_pass(struct pxi_pool *p, struct pxi_link *l);
/* Locked: pxi_pool_held_here. */
bool pxi_pool_holds(const struct pxi_pool *p, const struct pxi_link *l);

#endif

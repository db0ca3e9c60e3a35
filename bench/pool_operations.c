/* pool_operations.c - what a connection costs to get: on a session that still has it, from the idle
 * ones, with 8 threads a core, and when there are fewer connections than threads. The floor is what
 * one would write by hand: a mutex, a condition variable and a stack of pointers, which is neither
 * fair nor knows whose connection it is.
 *
 * Of several threads the time of the whole is divided by the hand-outs of all; between getting and
 * giving back they work for about half a microsecond, as a small query would, which is shown alone.
 * A thread that sleeps is there throughout: in a program without threads, locks cost less.
 */
#include "bench/lib/bench.h"
#include "orm/client/client.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CORES = 2, CROWD = 8 * CORES, LINKS = CROWD, FEW = CROWD / 2, WORK = 800 };

struct hand_made {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    void *stack[LINKS];
    unsigned n;
};

struct world {
    struct hand_made hand;
    prax_db *db;
    prax_session *session;
    unsigned links, threads;
    bool busy; /* works between getting and giving back */
};

static int open_pool(struct world *w, unsigned links, unsigned threads)
{
    w->links = links;
    w->threads = threads;
    w->busy = threads > 1;
    w->hand = (struct hand_made){ .n = links };
    pthread_mutex_init(&w->hand.lock, NULL);
    pthread_cond_init(&w->hand.wake, NULL);
    if (prax_db_open(&w->db, .url = "sqlite::memory:", .pool_min = links, .pool_max = links,
                     .acquire_ms = 60000) < 0) {
        fprintf(stderr, "bench: %s\n", prax_db_error(w->db)->message);
        return -1;
    }
    w->session = prax_session_open(w->db);
    return w->session ? 0 : -1;
}

static int setup_one(void *ctx)
{
    return open_pool(ctx, 1, 1);
}
static int setup_crowd(void *ctx)
{
    return open_pool(ctx, LINKS, CROWD);
}
static int setup_few(void *ctx)
{
    return open_pool(ctx, FEW, CROWD);
}

static void teardown(void *ctx)
{
    struct world *w = ctx;
    prax_session_close(w->session);
    prax_db_close(w->db);
    pthread_cond_destroy(&w->hand.wake);
    pthread_mutex_destroy(&w->hand.lock);
}

/* ---- one hand-out ---- */

static void work_a_little(const struct world *w)
{
    for (unsigned i = 0; w->busy && i < WORK; i++)
        bench_keep(w);
}

static void hand_once(struct world *w)
{
    struct hand_made *h = &w->hand;
    pthread_mutex_lock(&h->lock);
    while (h->n == 0)
        pthread_cond_wait(&h->wake, &h->lock);
    void *got = h->stack[--h->n];
    pthread_mutex_unlock(&h->lock);
    bench_keep(got);
    work_a_little(w);
    pthread_mutex_lock(&h->lock);
    h->stack[h->n++] = got;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
}

static void pool_once(struct world *w, struct pxi_wish *wish, struct pxi_error *err)
{
    struct pxi_link *l;
    if (pxi_pool_get(&w->db->pool, wish, &l, err) < 0) {
        fprintf(stderr, "bench: %s\n", err->message);
        exit(1);
    }
    bench_keep(l);
    work_a_little(w);
    pxi_pool_put(&w->db->pool, l);
}

static void work_run(void *ctx, uint64_t calls)
{
    for (uint64_t i = 0; i < calls; i++)
        work_a_little(ctx);
}

static void hand_run(void *ctx, uint64_t calls)
{
    for (uint64_t i = 0; i < calls; i++)
        hand_once(ctx);
}

static void pool_run(void *ctx, uint64_t calls)
{
    struct prax_op_record rec = { .size = sizeof rec };
    struct pxi_error err;
    struct pxi_wish wish = { .owner = (uintptr_t)&rec, .rec = &rec };
    pxi_error_clear(&err);
    for (uint64_t i = 0; i < calls; i++)
        pool_once(ctx, &wish, &err);
}

/* ---- a session that still has it: what an operation does then ---- */

static void nothing_run(void *ctx, uint64_t calls)
{
    for (uint64_t i = 0; i < calls; i++)
        bench_keep(ctx);
}

static void sticky_run(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    struct pxi_op op = { .s = w->session, .rec = &w->session->rec };
    for (uint64_t i = 0; i < calls; i++) {
        if (pxi_op_connect(&op) < 0)
            exit(1);
        bench_keep(op.link);
        pxi_session_unpin(w->session);
    }
}

/* ---- many threads ---- */

struct worker {
    struct world *w;
    uint64_t calls;
    void (*run)(void *ctx, uint64_t calls);
};

static void *work(void *arg)
{
    struct worker *me = arg;
    me->run(me->w, me->calls);
    return NULL;
}

static void in_crowd(struct world *w, uint64_t calls, void (*run)(void *ctx, uint64_t calls))
{
    pthread_t threads[CROWD];
    struct worker me = { .w = w, .calls = calls / w->threads + 1, .run = run };
    for (unsigned i = 0; i < w->threads; i++) {
        if (pthread_create(&threads[i], NULL, work, &me) != 0)
            exit(1);
    }
    for (unsigned i = 0; i < w->threads; i++)
        pthread_join(threads[i], NULL);
}

static void work_crowd(void *ctx, uint64_t calls)
{
    in_crowd(ctx, calls, work_run);
}
static void hand_crowd(void *ctx, uint64_t calls)
{
    in_crowd(ctx, calls, hand_run);
}
static void pool_crowd(void *ctx, uint64_t calls)
{
    in_crowd(ctx, calls, pool_run);
}

static const struct bench_group groups[] = {
    { .name = "sticky session",
      .goal = "no pool call",
      .peers = { { "empty loop", nothing_run }, { "prax", sticky_run } },
      .setup = setup_one,
      .teardown = teardown },
    { .name = "hand-out, uncontended",
      .goal = "<= 100 ns",
      .peers = { { "mutex and stack", hand_run }, { "prax", pool_run } },
      .setup = setup_one,
      .teardown = teardown },
    { .name = "hand-out, 8 threads a core",
      .goal = "<= 1 us over work alone",
      .peers = { { "work alone", work_crowd },
                 { "mutex and stack", hand_crowd },
                 { "prax", pool_crowd } },
      .setup = setup_crowd,
      .teardown = teardown },
    { .name = "the same, half the connections",
      .peers = { { "work alone", work_crowd },
                 { "mutex and stack", hand_crowd },
                 { "prax", pool_crowd } },
      .setup = setup_few,
      .teardown = teardown },
};

static void *sleep_on(void *arg)
{
    pause();
    return arg;
}

int main(int argc, char **argv)
{
    struct world w;
    pthread_t sleeper;
    memset(&w, 0, sizeof w);
    if (pthread_create(&sleeper, NULL, sleep_on, NULL) != 0)
        return 1;
    return bench_main(argc, argv, "pool_operations", groups, sizeof groups / sizeof *groups, &w);
}

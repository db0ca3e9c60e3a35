/* postgres_wait.c - the PostgreSQL driver: waiting for the server, and not for ever.
 *
 * All waits are one: wait_io polls the socket and the eventfd that interrupt writes to. (The
 * eventfd only where there is another thread that could: it costs the kernel 0.2 us a wait.) When
 * the operation's deadline has passed, or somebody cancelled it, the server is asked to end the
 * command and the wait goes on: the answer (an error, or a result that was just ready) is read as
 * any other, so the connection stays usable. Only when that answer does not come is the connection
 * given up.
 *
 * A cancel that reaches the server before the command does is ignored there, so it is sent again
 * after growing pauses for as long as the command goes on.
 *
 * PQcancel blocks, without a limit, in connect and in recv. It runs in a thread of its own, which
 * is waited for PXI_PG_CANCEL_MS and otherwise left to itself; a request that is still under way
 * could hit a later command, so the connection is given up then too.
 *
 * With TLS a record can lie in OpenSSL's buffer while the socket has nothing to read, because libpq
 * takes what fits into its own: it is asked twice after each wake-up, and slept for TLS_SLICE_MS at
 * most.
 */
#include "orm/base/clock.h"
#include "orm/driver/postgres.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#if __has_include(<sys/single_threaded.h>) /* glibc since 2.32 */
#include <sys/single_threaded.h>
#else
#define __libc_single_threaded 0
#endif

enum { MS_NS = 1000000, SECOND_NS = 1000000000, TLS_SLICE_MS = 20, AGAIN_MS = 10 };

int pxi_pg_lost(struct pxi_pg_conn *c)
{
    c->lost = true;
    return PRAX_ECONN;
}

void pxi_pg_watch(struct pxi_conn *conn, struct pxi_watch *w)
{
    pxi_pg_of(conn)->watch = w;
}

void pxi_pg_interrupt(struct pxi_conn *conn)
{
    uint64_t one = 1;
    ssize_t n = write(pxi_pg_of(conn)->wake, &one, sizeof one);
    (void)n; /* full means that it is readable already */
}

/* ---- stopping the server ---- */

/* Two hold it, the thread and the connection; the last one frees it. */
struct pxi_pg_request {
    pthread_mutex_t lock;
    pthread_cond_t done;
    PGcancel *cancel;
    bool finished, good;
    int holders; /* atomic */
};

static void free_request(struct pxi_pg_request *r)
{
    PQfreeCancel(r->cancel);
    pthread_cond_destroy(&r->done);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void let_go(struct pxi_pg_request *r)
{
    if (__atomic_sub_fetch(&r->holders, 1, __ATOMIC_ACQ_REL) == 0)
        free_request(r);
}

static void *run_request(void *arg)
{
    struct pxi_pg_request *r = arg;
    char text[256];
    bool good = PQcancel(r->cancel, text, sizeof text) == 1;
    pthread_mutex_lock(&r->lock);
    r->finished = true;
    r->good = good;
    pthread_cond_signal(&r->done);
    pthread_mutex_unlock(&r->lock);
    let_go(r);
    return NULL;
}

static struct pxi_pg_request *new_request(struct pxi_pg_conn *c)
{
    pthread_condattr_t attr;
    struct pxi_pg_request *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->done, &attr);
    pthread_condattr_destroy(&attr);
    r->cancel = PQgetCancel(c->pg);
    r->holders = 2;
    return r;
}

/* A cancel that is under way, held by the caller; NULL. The thread's signals are the program's. */
static struct pxi_pg_request *send_request(struct pxi_pg_conn *c)
{
    pthread_t thread;
    sigset_t all, old;
    struct pxi_pg_request *r = new_request(c);
    if (!r)
        return NULL;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool started = r->cancel && pthread_create(&thread, NULL, run_request, r) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (started) {
        pthread_detach(thread);
        return r;
    }
    free_request(r);
    return NULL;
}

static bool arrives(struct pxi_pg_request *r, unsigned ms)
{
    uint64_t end = pxi_clock_ns() + (uint64_t)ms * MS_NS;
    struct timespec t = { .tv_sec = (time_t)(end / SECOND_NS), .tv_nsec = (long)(end % SECOND_NS) };
    int rc = 0;
    pthread_mutex_lock(&r->lock);
    while (!r->finished && rc == 0 && ms)
        rc = pthread_cond_timedwait(&r->done, &r->lock, &t);
    bool good = r->finished && r->good;
    pthread_mutex_unlock(&r->lock);
    return good;
}

static bool send_cancel(struct pxi_pg_conn *c)
{
    struct pxi_pg_request *r = send_request(c);
    bool good = r && arrives(r, PXI_PG_CANCEL_MS);
    if (r)
        let_go(r);
    return good;
}

int pxi_pg_cancel(struct pxi_pg_conn *c)
{
    int rc = c->request ? pxi_pg_cancel_end(c) : 0;
    if (rc < 0)
        return rc;
    c->stop = PRAX_ECANCELED;
    c->request = send_request(c);
    return c->request ? 0 : pxi_pg_lost(c);
}

int pxi_pg_cancel_end(struct pxi_pg_conn *c)
{
    if (!c->request)
        return 0;
    bool good = arrives(c->request, 0);
    let_go(c->request);
    c->request = NULL;
    return good ? 0 : pxi_pg_lost(c);
}

int pxi_pg_cancelling(struct pxi_pg_conn *c)
{
    struct pxi_pg_request *r = c->request;
    if (!r)
        return 0;
    pthread_mutex_lock(&r->lock);
    bool finished = r->finished;
    pthread_mutex_unlock(&r->lock);
    return finished ? pxi_pg_cancel_end(c) : 1;
}

static void ask_to_stop(struct pxi_pg_conn *c, uint64_t pause_ns)
{
    if (!send_cancel(c))
        pxi_pg_lost(c);
    c->pause_ns = pause_ns;
    c->again_ns = pxi_clock_ns() + pause_ns;
}

void pxi_pg_stop(struct pxi_pg_conn *c, int code)
{
    c->stop = code;
    c->until_ns = pxi_clock_ns() + (uint64_t)PXI_PG_DRAIN_MS * MS_NS;
    ask_to_stop(c, (uint64_t)AGAIN_MS * MS_NS);
}

/* ---- waiting ---- */

static int give_up(struct pxi_pg_conn *c)
{
    int code = c->stop ? c->stop : PRAX_ETIMEOUT;
    pxi_pg_lost(c);
    return pxi_pg_fail_text(c, code, "the server does not answer; the connection is given up");
}

/* Whether to go on; asks the server to stop when it is time. */
static int check_watch(struct pxi_pg_conn *c)
{
    const struct pxi_watch *w = c->until_ns ? NULL : c->watch;
    if (w && __atomic_load_n(&w->cancel, __ATOMIC_RELAXED)) {
        pxi_pg_stop(c, PRAX_ECANCELED);
    } else if (w && w->deadline_ns && pxi_clock_ns() >= w->deadline_ns) {
        pxi_pg_stop(c, PRAX_ETIMEOUT);
    } else if (c->until_ns) {
        uint64_t now = pxi_clock_ns();
        if (now >= c->until_ns)
            return give_up(c);
        if (c->stop && now >= c->again_ns)
            ask_to_stop(c, c->pause_ns * 2);
    }
    if (!c->lost)
        return 0;
    return c->stop ? give_up(c) : PRAX_ECONN;
}

static int pause_ms(const struct pxi_pg_conn *c)
{
    uint64_t end = c->until_ns ? c->until_ns : c->watch ? c->watch->deadline_ns : 0;
    if (c->stop && c->again_ns < end)
        end = c->again_ns;
    int most = c->tls ? TLS_SLICE_MS : -1;
    if (!end)
        return most;
    uint64_t now = pxi_clock_ns();
    uint64_t ms = now >= end ? 0 : (end - now + MS_NS - 1) / MS_NS;
    if (most < 0)
        most = 60 * 60 * 1000;
    return ms < (uint64_t)most ? (int)ms : most;
}

int pxi_pg_consume(struct pxi_pg_conn *c)
{
    if (!PQconsumeInput(c->pg))
        return pxi_pg_lost(c);
    if (c->tls && PQisBusy(c->pg) && !PQconsumeInput(c->pg))
        return pxi_pg_lost(c);
    return 0;
}

/* Nobody can interrupt: this thread is the only one, and while it sleeps it starts no other. */
static inline bool is_alone(void)
{
    return __libc_single_threaded;
}

static int wait_io(struct pxi_pg_conn *c, bool reading)
{
    int rc = check_watch(c);
    int unsent = rc < 0 ? 0 : PQflush(c->pg);
    if (rc < 0)
        return rc;
    if (unsent < 0)
        return pxi_pg_lost(c);
    if (!reading && unsent == 0)
        return 0;
    struct pollfd fds[2] = {
        { .fd = PQsocket(c->pg), .events = (short)(unsent ? POLLIN | POLLOUT : POLLIN) },
        { .fd = c->wake, .events = POLLIN },
    };
    if (poll(fds, is_alone() ? 1 : 2, pause_ms(c)) < 0 && errno != EINTR)
        return pxi_pg_lost(c);
    if (fds[1].revents) {
        uint64_t count;
        ssize_t n = read(c->wake, &count, sizeof count);
        (void)n;
    }
    return fds[0].revents || c->tls ? pxi_pg_consume(c) : 0;
}

int pxi_pg_wait(struct pxi_pg_conn *c)
{
    return wait_io(c, true);
}

PGresult *pxi_pg_result(struct pxi_pg_conn *c, int *rc)
{
    while (PQisBusy(c->pg)) {
        *rc = wait_io(c, true);
        if (*rc < 0)
            return NULL;
    }
    *rc = 0;
    return PQgetResult(c->pg);
}

int pxi_pg_flush(struct pxi_pg_conn *c)
{
    int rc, unsent;
    while ((unsent = PQflush(c->pg)) > 0) {
        rc = wait_io(c, false);
        if (rc < 0)
            return rc;
    }
    return unsent < 0 ? pxi_pg_lost(c) : 0;
}

int pxi_pg_drain(struct pxi_pg_conn *c)
{
    int rc, failed = 0;
    PGresult *res;
    while ((res = pxi_pg_result(c, &rc)) != NULL) {
        ExecStatusType status = PQresultStatus(res);
        if (status == PGRES_FATAL_ERROR && !c->failed && !c->text[0]) {
            failed = pxi_pg_fail(c, res);
            continue;
        }
        PQclear(res);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
            return pxi_pg_lost(c); /* a state that nobody here has asked for */
    }
    return rc < 0 ? rc : failed;
}

int pxi_pg_ready(struct pxi_pg_conn *c)
{
    pxi_pg_forget(c);
    c->sent = false;
    c->stop = 0;
    c->until_ns = 0;
    if (c->lost)
        return PRAX_ECONN;
    pxi_pg_in_tx(&c->conn);
    if (c->copy.open || c->pipe.on) {
        return pxi_pg_fail_text(c, PRAX_EINVAL, "the connection is busy with a %s",
                                c->copy.open ? "COPY" : "pipeline");
    }
    return c->active ? pxi_pg_put_aside(c->active) : 0;
}

bool pxi_pg_out_of_step(const PGresult *res, bool is_sync)
{
    ExecStatusType status = PQresultStatus(res);
    return !res || (status == PGRES_PIPELINE_SYNC) != is_sync ||
           (status == PGRES_FATAL_ERROR && !PQresultErrorField(res, PG_DIAG_SQLSTATE));
}

PGresult *pxi_pg_answer(struct pxi_pg_conn *c, bool clean, int *rc)
{
    *rc = 0;
    while (PQisBusy(c->pg) && *rc == 0) {
        if (!PQisBusy(c->pg)) /* what there was no memory for may be read at the second time */
            break;
        *rc = clean && *PQerrorMessage(c->pg) ? pxi_pg_lost(c) : wait_io(c, true);
    }
    return *rc < 0 ? NULL : PQgetResult(c->pg);
}

int pxi_pg_answers(struct pxi_pg_conn *c, PGresult **answers, unsigned n)
{
    int rc = 0, first = 0;
    for (unsigned i = 0; i < n; i++)
        answers[i] = NULL;
    for (unsigned i = 0; i < n && rc == 0; i++) {
        PGresult *res = pxi_pg_answer(c, first == 0, &rc);
        if (rc == 0 && pxi_pg_out_of_step(res, false)) {
            PQclear(res);
            return pxi_pg_lost(c);
        }
        if (rc == 0)
            rc = pxi_pg_drain(c);
        if (PQresultStatus(res) == PGRES_FATAL_ERROR && res && first == 0) {
            first = pxi_pg_fail(c, res);
        } else {
            answers[i] = res;
        }
    }
    PGresult *sync = rc == 0 ? pxi_pg_answer(c, first == 0, &rc) : NULL;
    if (rc == 0 && pxi_pg_out_of_step(sync, true))
        rc = pxi_pg_lost(c);
    PQclear(sync);
    return rc < 0 ? rc : first;
}

int pxi_pg_leave(struct pxi_pg_conn *c, int rc)
{
    if (!c->lost && !PQexitPipelineMode(c->pg))
        return pxi_pg_lost(c);
    return rc;
}

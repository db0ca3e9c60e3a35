/* event_loop_uv.c - a batch in libuv's loop: a poll handle for what it waits for, a timer for how
 * long, and beside them whatever else the loop does; here a second timer that ticks.
 *
 * watch() is the whole of the glue. Before a step nothing is polled, because the batch may close
 * its descriptor; after it the interest is asked anew. `prax generate` made uvjobs.h.
 */
#include "uvjobs.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { JOBS = 100 };

struct watcher {
    uv_loop_t *loop;
    prax_batch *b;
    uv_poll_t *poll; /* of fd; NULL: none */
    int fd;
    uv_timer_t timer;
    void (*done)(struct watcher *w, int rc); /* rc: what the last step said */
};

static void watch(struct watcher *w);

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void unpoll(struct watcher *w)
{
    if (!w->poll)
        return;
    uv_poll_stop(w->poll);
    uv_close((uv_handle_t *)w->poll, free_handle);
    w->poll = NULL;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    watch(poll->data);
}

static void on_timer(uv_timer_t *timer)
{
    watch(timer->data);
}

/* libuv's words for poll's. */
static int uv_events(short events)
{
    return (events & POLLIN ? UV_READABLE : 0) | (events & POLLOUT ? UV_WRITABLE : 0);
}

static int poll_for(struct watcher *w, const prax_interest *want)
{
    if (!w->poll) {
        w->poll = malloc(sizeof *w->poll);
        if (!w->poll || uv_poll_init(w->loop, w->poll, want->fd) < 0) {
            free(w->poll);
            w->poll = NULL;
            return -1;
        }
        w->poll->data = w;
        w->fd = want->fd;
    }
    return uv_poll_start(w->poll, uv_events(want->events), on_poll);
}

static void watch(struct watcher *w)
{
    if (w->poll)
        uv_poll_stop(w->poll);
    int rc = prax_batch_step(w->b);
    prax_interest want = prax_batch_interest(w->b);
    if (rc != 1 || want.fd != w->fd)
        unpoll(w);
    if (rc == 1 && want.fd >= 0 && poll_for(w, &want) < 0)
        rc = PRAX_ENOMEM;
    if (rc == 1) {
        uv_timer_start(&w->timer, on_timer, (uint64_t)want.timeout_ms, 0);
        return;
    }
    uv_timer_stop(&w->timer);
    w->done(w, rc);
}

/* ---- the program ---- */

struct app {
    struct watcher w;
    prax_session *s;
    uv_timer_t ticks;
    const uvjobs_job_result *made[JOBS], *open;
    int failed;
};

static void tick(uv_timer_t *timer)
{
    (void)timer; /* the loop is free while the database works */
}

static void end(struct app *app)
{
    uv_close((uv_handle_t *)&app->w.timer, NULL);
    uv_close((uv_handle_t *)&app->ticks, NULL);
}

static void counted(struct watcher *w, int rc)
{
    struct app *app = (struct app *)w;
    app->failed = rc < 0 || app->open->status < 0;
    if (app->failed) {
        fprintf(stderr, "count: %s\n",
                rc < 0 ? prax_error_get(app->s)->message : app->open->error->message);
    } else {
        printf("%lld jobs to do\n", (long long)app->open->count);
    }
    end(app);
}

static void ordered(struct watcher *w, int rc)
{
    struct app *app = (struct app *)w;
    int good = 0;
    for (int i = 0; i < JOBS; i++)
        good += app->made[i]->status == 0;
    printf("%d of %d jobs ordered\n", good, JOBS);
    if (rc < 0) {
        fprintf(stderr, "order: %s\n", prax_error_get(app->s)->message);
        app->failed = 1;
        end(app);
        return;
    }
    const uvjobs_job_query to_do = { .size = sizeof to_do, .where = { .done = prax_eq(false) } };
    app->open = uvjobs_job_in(w->b, PRAX_COUNT, .query = &to_do);
    w->done = counted;
    watch(w);
}

static int run(prax_db *db)
{
    struct app app = { .w = { .loop = uv_default_loop(), .fd = -1, .done = ordered } };
    PRAX_SESSION s = prax_session_open(db, .timeout_ms = 5000);
    PRAX_BATCH b = s ? prax_batch_open(s) : NULL;
    if (!b)
        return prax_fail(s, "open");
    app.s = s;
    app.w.b = b;
    uv_timer_init(app.w.loop, &app.w.timer);
    app.w.timer.data = &app.w;
    uv_timer_init(app.w.loop, &app.ticks);
    uv_timer_start(&app.ticks, tick, 10, 10);
    for (int i = 0; i < JOBS; i++) {
        app.made[i] =
            uvjobs_job_in(b, PRAX_CREATE,
                          .create = &(uvjobs_job_new){
                              .client = i % 7, .title = "sweep", .done = prax_set(i % 4 == 0) });
    }
    watch(&app.w);
    uv_run(app.w.loop, UV_RUN_DEFAULT);
    return app.failed ? -1 : 0;
}

int main(int argc, char **argv)
{
    PRAX_DB db = NULL;
    if (prax_db_open(&db, .url = argc > 1 ? argv[1] : "sqlite::memory:") < 0 ||
        uvjobs_create_tables(db) < 0) {
        fprintf(stderr, "event_loop_uv: %s\n", prax_db_error(db)->message);
        return 1;
    }
    int rc = run(db);
    uv_loop_close(uv_default_loop());
    return rc < 0;
}

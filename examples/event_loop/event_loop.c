/* event_loop.c - one thread, one poll(2), four clients: each has a session and a batch, and nobody
 * waits but poll. What a batch waits for is asked after each of its steps.
 *
 * A client orders its jobs in one round trip, marks one as done and looks at the list in a second.
 * `prax generate` made jobs.h.
 */
#include "jobs.h"
#include <poll.h>
#include <stdio.h>

enum { CLIENTS = 4, JOBS = 3 };

struct client {
    prax_session *s;
    prax_batch *b;
    int number;
    enum { ORDERS, LOOKS, READY } stage;
    const jobs_job_result *made[JOBS], *list;
};

static void order(struct client *c)
{
    static const char *const titles[JOBS] = { "sweep", "polish", "report" };
    for (int i = 0; i < JOBS; i++) {
        const jobs_job_new job = { .client = c->number, .title = titles[i] };
        c->made[i] = jobs_job_in(c->b, PRAX_CREATE, .create = &job);
    }
    c->stage = ORDERS;
}

static void look(struct client *c)
{
    const jobs_job_result *update =
        jobs_job_in(c->b, PRAX_UPDATE, .key = jobs_job_by_id(c->made[0]->rows->items[0].id),
                    .set = &(jobs_job_set){ .done = prax_set(true) });
    (void)update; /* if it fails, the list below shows it */
    const jobs_job_query to_do = { .size = sizeof to_do,
                                   .where = { .client = prax_eq(c->number),
                                              .done = prax_eq(false) },
                                   .order_by = { JOBS_JOB_ID_ASC } };
    c->list = jobs_job_in(c->b, PRAX_FIND_MANY, .query = &to_do);
    c->stage = LOOKS;
}

/* All entries of a stage are done: whether they are good is said by each. */
static int advance(struct client *c)
{
    if (c->stage == ORDERS) {
        for (int i = 0; i < JOBS; i++) {
            if (c->made[i]->status < 0) {
                fprintf(stderr, "order: %s\n", c->made[i]->error->message);
                return -1;
            }
        }
        look(c);
        return 0;
    }
    c->stage = READY;
    if (c->list->status < 0) {
        fprintf(stderr, "list: %s\n", c->list->error->message);
        return -1;
    }
    printf("client %d: %lld jobs to do, the first is %s\n", c->number, (long long)c->list->count,
           c->list->rows->items[0].title);
    return 0;
}

/* As far as it goes without waiting. */
static int drive(struct client *c, struct pollfd *fd, int *timeout_ms)
{
    prax_interest want;
    do {
        int rc = prax_batch_step(c->b);
        if (rc < 0)
            return prax_fail(c->s, "batch");
        if (rc == 0 && advance(c) < 0)
            return -1;
        want = prax_batch_interest(c->b);
    } while (c->stage != READY && want.timeout_ms == 0);
    *fd = (struct pollfd){ .fd = want.fd, .events = want.events };
    if (c->stage != READY && want.timeout_ms < *timeout_ms)
        *timeout_ms = want.timeout_ms;
    return 0;
}

/* A server's loop would have its sockets in fds, too. */
static int loop(struct client *clients)
{
    for (;;) {
        struct pollfd fds[CLIENTS];
        int timeout_ms = 1000, busy = 0;
        for (int i = 0; i < CLIENTS; i++) {
            fds[i].fd = -1;
            if (clients[i].stage != READY && drive(&clients[i], &fds[i], &timeout_ms) < 0)
                return -1;
            busy += clients[i].stage != READY;
        }
        if (!busy)
            return 0;
        poll(fds, CLIENTS, timeout_ms);
    }
}

static int run(prax_db *db)
{
    struct client clients[CLIENTS] = { { 0 } };
    int rc = 0;
    for (int i = 0; i < CLIENTS && rc == 0; i++) {
        struct client *c = &clients[i];
        c->number = i + 1;
        c->s = prax_session_open(db, .timeout_ms = 5000);
        c->b = c->s ? prax_batch_open(c->s) : NULL;
        if (c->b) {
            order(c);
        } else {
            rc = prax_fail(c->s, "open");
        }
    }
    if (rc == 0)
        rc = loop(clients);
    for (int i = 0; i < CLIENTS; i++) {
        prax_batch_close(clients[i].b);
        prax_session_close(clients[i].s);
    }
    return rc;
}

int main(int argc, char **argv)
{
    PRAX_DB db = NULL;
    if (prax_db_open(&db, .url = argc > 1 ? argv[1] : "sqlite::memory:", .pool_max = 2) < 0 ||
        jobs_create_tables(db) < 0) {
        fprintf(stderr, "event_loop: %s\n", prax_db_error(db)->message);
        return 1;
    }
    return run(db) < 0;
}

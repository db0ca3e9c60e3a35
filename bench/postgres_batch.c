/* postgres_batch.c - a batch of 100 gets beside 100 gets one by one and libpq's pipeline written by
 * hand: same server, same rows, same statement, all of them sent before the first answer is read.
 * The same of 100 updates within a transaction.
 *
 * The floor is the pipeline; "one by one" stands beside to say what a batch saves.
 */
#include "app.h"
#include "bench/lib/bench.h"
#include "bench/raw_postgres.h"
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 10000, BATCH = 100 };

struct world {
    struct raw_pg raw;
    prax_db *db;
    prax_session *session;
    prax_tx tx;
};

static void fail(struct world *w, const char *what)
{
    prax_fail(w->session, what);
    exit(1);
}

static void raw_fails(struct world *w)
{
    fprintf(stderr, "bench: %s", PQerrorMessage(w->raw.c));
    exit(1);
}

static int64_t id_of(uint64_t i)
{
    return (int64_t)(i * 7919 % ROWS) + 1;
}

/* ---- libpq's pipeline ---- */

static void raw_push(struct world *w, const char *name, int64_t id, int64_t age)
{
    uint32_t numbers[2] = { htobe32((uint32_t)age), htobe32((uint32_t)id) };
    bool get = strcmp(name, "get") == 0;
    const char *values[] = { get ? NULL : "Ada", (const char *)&numbers[0],
                             (const char *)&numbers[1] };
    int first = get ? 2 : 0;
    if (!PQsendQueryPrepared(w->raw.c, name, 3 - first, values + first, (int[]){ 3, 4, 4 } + first,
                             (int[]){ 1, 1, 1 } + first, 1))
        raw_fails(w);
}

/* What a C programmer makes of a row: a copy of its texts, and its numbers. */
static void raw_take(const PGresult *r)
{
    char text[128];
    int64_t id = 0;
    for (int i = 0; i < PQntuples(r); i++) {
        memcpy(&id, PQgetvalue(r, i, 0), 4);
        memcpy(text, PQgetvalue(r, i, 1), (size_t)PQgetlength(r, i, 1) + 1);
        bench_keep(text);
        bench_keep(&id);
    }
}

static void raw_answers(struct world *w)
{
    for (int i = 0; i < BATCH; i++) {
        PGresult *r = PQgetResult(w->raw.c);
        ExecStatusType status = PQresultStatus(r);
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
            raw_fails(w);
        raw_take(r);
        PQclear(r);
        PQclear(PQgetResult(w->raw.c)); /* the NULL between two */
    }
    PGresult *sync = PQgetResult(w->raw.c);
    if (PQresultStatus(sync) != PGRES_PIPELINE_SYNC)
        raw_fails(w);
    PQclear(sync);
}

static void raw_batch(struct world *w, const char *name, uint64_t calls)
{
    if (!PQenterPipelineMode(w->raw.c))
        raw_fails(w);
    for (uint64_t i = 0; i < calls; i++) {
        for (uint64_t k = 0; k < BATCH; k++)
            raw_push(w, name, id_of(i * BATCH + k), (int64_t)k);
        if (!PQpipelineSync(w->raw.c))
            raw_fails(w);
        raw_answers(w);
    }
    if (!PQexitPipelineMode(w->raw.c))
        raw_fails(w);
}

static void raw_gets(void *ctx, uint64_t calls)
{
    raw_batch(ctx, "get", calls);
}

static void raw_updates(void *ctx, uint64_t calls)
{
    raw_batch(ctx, "update", calls);
}

/* ---- libpq, one statement ---- */

enum { INT4 = 23 };

/* An array as it goes over the wire; all is big-endian. */
struct int4_array {
    uint32_t dimensions, nulls, type, count, first;
    struct {
        uint32_t size, value;
    } items[BATCH];
};

static void raw_any(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    struct int4_array a = {
        htobe32(1), 0, htobe32(INT4), htobe32(BATCH), htobe32(1), { { 0, 0 } }
    };
    const char *values[] = { (const char *)&a };
    for (uint64_t i = 0; i < calls; i++) {
        for (uint64_t k = 0; k < BATCH; k++) {
            a.items[k].size = htobe32(4);
            a.items[k].value = htobe32((uint32_t)id_of(i * BATCH + k));
        }
        PGresult *r =
            PQexecPrepared(w->raw.c, "get_any", 1, values, (int[]){ sizeof a }, (int[]){ 1 }, 1);
        if (PQntuples(r) != BATCH)
            raw_fails(w);
        raw_take(r);
        PQclear(r);
    }
}

/* ---- prax ---- */

static void prax_gets(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++) {
        const app_user_result *r[BATCH];
        PRAX_SCOPE(w->session);
        PRAX_BATCH b = prax_batch_open(w->session);
        for (uint64_t k = 0; k < BATCH; k++)
            r[k] = app_user_in(b, PRAX_GET, .key = app_user_by_id(id_of(i * BATCH + k)));
        if (prax_batch_run(b) < 0)
            fail(w, "batch");
        for (int k = 0; k < BATCH; k++) {
            if (r[k]->count != 1)
                fail(w, "get in a batch");
        }
    }
}

static void prax_gets_alone(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++) {
        PRAX_SCOPE(w->session);
        for (uint64_t k = 0; k < BATCH; k++) {
            if (!app_user_get(w->session, app_user_by_id(id_of(i * BATCH + k))))
                fail(w, "get");
        }
    }
}

static void prax_updates(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++) {
        const app_user_result *r = NULL;
        PRAX_SCOPE(w->session);
        PRAX_BATCH b = prax_batch_open(w->session);
        for (uint64_t k = 0; k < BATCH; k++) {
            r = app_user_in(
                b, PRAX_UPDATE, .key = app_user_by_id(id_of(i * BATCH + k)),
                .set = &(app_user_set){ .name = prax_set("Ada"), .age = prax_set((int64_t)k) });
        }
        if (prax_batch_run(b) < 0 || r->count != 1)
            fail(w, "update in a batch");
    }
}

static void prax_updates_alone(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++) {
        PRAX_SCOPE(w->session);
        for (uint64_t k = 0; k < BATCH; k++) {
            if (app_user_update(w->session, app_user_by_id(id_of(i * BATCH + k)),
                                .name = prax_set("Ada"), .age = prax_set((int64_t)k)) != 1)
                fail(w, "update");
        }
    }
}

static void begin(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    (void)calls;
    raw_pg_exec(&w->raw, "BEGIN");
    w->tx = prax_tx_begin_with(w->session, &(prax_tx_opts){ .size = sizeof(prax_tx_opts) });
}

static void rollback(void *ctx)
{
    struct world *w = ctx;
    raw_pg_exec(&w->raw, "ROLLBACK");
    prax_tx_end(&w->tx);
}

/* ---- the world ---- */

static const char fill[] =
    "INSERT INTO users (email, name, age, role, score, created_at) SELECT 'user' || i || "
    "'@example.org', 'Ada Lovelace', i % 90, 'USER', i, now() FROM generate_series(1, 10000) i";

/* Both work on one table, which prax has made; the floor's own stays empty. */
static int open_all(struct world *w, const char *url)
{
    char place[256];
    PGconn *c = PQconnectdb(url);
    PQclear(PQexec(c, "SET client_min_messages = warning; DROP SCHEMA IF EXISTS bench_batch "
                      "CASCADE; CREATE SCHEMA bench_batch"));
    PQfinish(c);
    snprintf(place, sizeof place, "%s&options=-csearch_path%%3Dbench_batch", url);
    if (raw_pg_open(&w->raw, place) < 0)
        return -1;
    if (prax_db_open(&w->db, .url = place, .pool_max = 1) < 0) {
        fprintf(stderr, "bench: %s\n", w->db ? prax_db_error(w->db)->message : "out of memory");
        return -1;
    }
    PQclear(PQprepare(w->raw.c, "get_any",
                      "SELECT id, email, name, age, role, score, created_at FROM users "
                      "WHERE id = ANY ($1)",
                      0, NULL));
    raw_pg_exec(&w->raw, fill);
    raw_pg_exec(&w->raw, "VACUUM ANALYZE users");
    w->session = prax_session_open(w->db);
    return w->session ? 0 : -1;
}

static const struct bench_group groups[] = {
    { .name = "100 gets at once",
      .goal = "one by one >= 5 x a batch",
      .cpu = true,
      .peers = { { "raw libpq (pipeline)", raw_gets },
                 { "raw libpq (= ANY)", raw_any },
                 { "prax, a batch", prax_gets },
                 { "prax, one by one", prax_gets_alone } } },
    { .name = "100 updates in a transaction",
      .cpu = true,
      .peers = { { "raw libpq (pipeline)", raw_updates },
                 { "prax, a batch", prax_updates },
                 { "prax, one by one", prax_updates_alone } },
      .before = begin,
      .after = rollback },
};

int main(int argc, char **argv)
{
    static struct world w;
    const char *url = getenv("PRAX_TEST_POSTGRES");
    if (!url || !*url) {
        const char *why = getenv("PRAX_TEST_POSTGRES_WHY");
        printf("skipped: %s\n", why && *why ? why : "PRAX_TEST_POSTGRES is not set");
        return 0;
    }
    if (open_all(&w, url) < 0)
        return 1;
    int status =
        bench_main(argc, argv, "postgres_batch", groups, sizeof groups / sizeof *groups, &w);
    prax_session_close(w.session);
    prax_db_close(w.db);
    raw_pg_close(&w.raw);
    return status;
}

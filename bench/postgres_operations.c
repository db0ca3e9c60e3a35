/* postgres_operations.c - the ORM beside hand-written libpq in one process: same server, same rows,
 * same statements, answers checked equal before the clock starts. Each peer has a schema of its
 * own.
 *
 * The server's time is the same for all and hides most of a client's, so the CPU time of the client
 * stands beside. The server is a private one on a unix socket that bench/run.sh starts; without one
 * nothing is measured, and that is said.
 */
#include "app.h"
#include "bench/lib/bench.h"
#include "bench/peer_zdb.h"
#include "bench/raw_postgres.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 10000, CREATED = 1700000000 };

struct world {
    struct raw_pg raw;
    struct raw_list list;
    prax_db *db;
    prax_session *session;
    prax_tx tx;
    struct peer_zdb *zdb;
    struct raw_user bulk[RAW_PG_BULK];
    app_user_new bulk_new[RAW_PG_BULK];
    char emails[RAW_PG_BULK][40];
};

static void fail(struct world *w, const char *what)
{
    prax_fail(w->session, what);
    exit(1);
}

static char *email_of(int64_t i, char text[40])
{
    snprintf(text, 40, "user%lld@example.org", (long long)i);
    return text;
}

static struct raw_user sample(int64_t i, char email[40])
{
    return (struct raw_user){ .email = email_of(i, email),
                              .name = i % 5 ? "Ada Lovelace" : NULL,
                              .age = i % 90,
                              .has_age = i % 7 != 0,
                              .role = (int)(i % 3) + 1,
                              .score = (double)i * 0.5,
                              .created_at = CREATED + i };
}

static app_user_new sample_new(const struct raw_user *u)
{
    app_user_new n = {
        .email = u->email, .name = u->name, .score = u->score, .created_at = { .us = u->created_at }
    };
    n.role = (app_w_role)prax_set((app_role)u->role);
    if (u->has_age)
        n.age = (prax_w_i64)prax_set(u->age);
    return n;
}

static int fill(struct world *w)
{
    char email[40];
    raw_pg_exec(&w->raw, "BEGIN");
    w->tx = prax_tx_begin_with(w->session, &(prax_tx_opts){ .size = sizeof(prax_tx_opts) });
    for (int64_t i = 1; i <= ROWS; i++) {
        struct raw_user u = sample(i, email);
        PRAX_SCOPE(w->session);
        app_user_new n = sample_new(&u);
        raw_pg_insert(&w->raw, &u);
        if (!app_user_create_with(w->session, &n))
            fail(w, "fill");
    }
    raw_pg_exec(&w->raw, "COMMIT");
    return prax_tx_commit(&w->tx);
}

static bool same(const app_user *a, const struct raw_user *b)
{
    return a->id == b->id && strcmp(a->email, b->email) == 0 && !a->name == !b->name &&
           (!a->name || strcmp(a->name, b->name) == 0) && a->age.set == b->has_age &&
           (!b->has_age || a->age.val == b->age) && (int)a->role == b->role &&
           a->created_at.us == b->created_at;
}

static void check_equal(struct world *w)
{
    PRAX_SCOPE(w->session);
    const app_user_list *us = app_user_find_many(w->session, .order_by = { APP_USER_ID_ASC });
    if (!us)
        fail(w, "check");
    raw_pg_list(&w->raw, ROWS, &w->list);
    bool equal = us->count == w->list.count;
    for (size_t i = 0; equal && i < us->count; i++)
        equal = same(&us->items[i], &w->list.users[i]);
    if (!equal) {
        fprintf(stderr, "bench: the two databases differ\n");
        exit(1);
    }
}

/* ---- the operations -------------------------------------------------------------------------- */
static void raw_get_run(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    struct raw_user u;
    char text[128];
    for (uint64_t i = 0; i < calls; i++) {
        raw_pg_get(&w->raw, (int64_t)(i * 7919 % ROWS) + 1, &u, text, sizeof text);
        bench_keep(&u);
    }
}

static void prax_get_run(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++) {
        PRAX_SCOPE(w->session);
        const app_user *u =
            app_user_get(w->session, app_user_by_id((int64_t)(i * 7919 % ROWS) + 1));
        if (!u)
            fail(w, "get");
        bench_keep(u);
    }
}

static void raw_list_of(struct world *w, uint64_t calls, int64_t rows)
{
    for (uint64_t i = 0; i < calls; i++) {
        raw_pg_list(&w->raw, rows, &w->list);
        bench_keep(w->list.users);
    }
}

static void prax_list_of(struct world *w, uint64_t calls, uint32_t rows)
{
    for (uint64_t i = 0; i < calls; i++) {
        PRAX_SCOPE(w->session);
        const app_user_list *us =
            app_user_find_many(w->session, .order_by = { APP_USER_ID_ASC }, .take = rows);
        if (!us)
            fail(w, "list");
        bench_keep(us);
    }
}

static void raw_list_100(void *ctx, uint64_t calls)
{
    raw_list_of(ctx, calls, 100);
}
static void prax_list_100(void *ctx, uint64_t calls)
{
    prax_list_of(ctx, calls, 100);
}
static void raw_list_all(void *ctx, uint64_t calls)
{
    raw_list_of(ctx, calls, ROWS);
}
static void prax_list_all(void *ctx, uint64_t calls)
{
    prax_list_of(ctx, calls, ROWS);
}

/* Writes happen in a transaction of their own a round, begun and rolled back outside the clock. */
static void begin(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    (void)calls;
    raw_pg_exec(&w->raw, "BEGIN");
    peer_zdb_exec(w->zdb, "BEGIN");
    w->tx = prax_tx_begin_with(w->session, &(prax_tx_opts){ .size = sizeof(prax_tx_opts) });
}

static void rollback(void *ctx)
{
    struct world *w = ctx;
    raw_pg_exec(&w->raw, "ROLLBACK");
    peer_zdb_exec(w->zdb, "ROLLBACK");
    prax_tx_end(&w->tx);
}

static void raw_insert_run(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    char email[40];
    for (uint64_t i = 0; i < calls; i++) {
        struct raw_user u = sample(ROWS + 1 + (int64_t)i, email);
        u.id = raw_pg_insert(&w->raw, &u);
        bench_keep(&u);
    }
}

static void prax_insert_run(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    char email[40];
    for (uint64_t i = 0; i < calls; i++) {
        PRAX_SCOPE(w->session);
        struct raw_user u = sample(ROWS + 1 + (int64_t)i, email);
        app_user_new n = sample_new(&u);
        const app_user *row = app_user_create_with(w->session, &n);
        if (!row)
            fail(w, "insert");
        bench_keep(row);
    }
}

static void next_bulk(struct world *w, uint64_t round)
{
    for (int k = 0; k < RAW_PG_BULK; k++) {
        w->bulk[k] = sample(ROWS + 1 + (int64_t)round * RAW_PG_BULK + k, w->emails[k]);
        w->bulk_new[k] = sample_new(&w->bulk[k]);
    }
}

static void raw_bulk_run(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++) {
        next_bulk(w, i);
        raw_pg_insert_many(&w->raw, w->bulk);
    }
}

static void prax_bulk_run(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++) {
        PRAX_SCOPE(w->session);
        next_bulk(w, i);
        if (app_user_create_many(w->session, w->bulk_new, RAW_PG_BULK) != RAW_PG_BULK)
            fail(w, "bulk insert");
    }
}

static void raw_update_run(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++)
        raw_pg_update(&w->raw, (int64_t)(i * 7919 % ROWS) + 1, "Grace Hopper", (int64_t)(i % 90));
}

static void prax_update_run(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++) {
        if (app_user_update(w->session, app_user_by_id((int64_t)(i * 7919 % ROWS) + 1),
                            .name = prax_set("Grace Hopper"),
                            .age = prax_set((int64_t)(i % 90))) != 1)
            fail(w, "update");
    }
}

/* ---- libzdb, if it was there when this was built ---- */

static void zdb_get_run(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    struct raw_user u;
    for (uint64_t i = 0; i < calls; i++) {
        char text[128];
        peer_zdb_get(w->zdb, (int64_t)(i * 7919 % ROWS) + 1, &u, text, sizeof text);
        bench_keep(&u);
    }
}

static void zdb_list_100(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++)
        bench_keep((void *)peer_zdb_list(w->zdb, 100));
}

static void zdb_list_all(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++)
        bench_keep((void *)peer_zdb_list(w->zdb, ROWS));
}

static void zdb_insert_run(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    char email[40];
    for (uint64_t i = 0; i < calls; i++) {
        struct raw_user u = sample(ROWS + 1 + (int64_t)i, email);
        peer_zdb_insert(w->zdb, &u);
    }
}

static void zdb_update_run(void *ctx, uint64_t calls)
{
    struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++)
        peer_zdb_update(w->zdb, (int64_t)(i * 7919 % ROWS) + 1, "Grace Hopper", (int)(i % 90));
}

/* ---- the world ---- */

/* A URL that leads to an empty schema of that name. */
static int make_schema(const char *url, const char *name, char *to, size_t size)
{
    char sql[200];
    PGconn *c = PQconnectdb(url);
    snprintf(sql, sizeof sql,
             "SET client_min_messages = warning; DROP SCHEMA IF EXISTS %s CASCADE; "
             "CREATE SCHEMA %s",
             name, name);
    PGresult *r = PQexec(c, sql);
    int rc = PQresultStatus(r) == PGRES_COMMAND_OK ? 0 : -1;
    if (rc < 0)
        fprintf(stderr, "bench: %s", PQerrorMessage(c));
    PQclear(r);
    PQfinish(c);
    snprintf(to, size, "%s&options=-csearch_path%%3D%s", url, name);
    return rc;
}

static int open_all(struct world *w, const char *url)
{
    char raw[256], prax[256];
    if (make_schema(url, "bench_raw", raw, sizeof raw) < 0 ||
        make_schema(url, "bench_prax", prax, sizeof prax) < 0 || raw_pg_open(&w->raw, raw) < 0)
        return -1;
    if (prax_db_open(&w->db, .url = prax, .pool_max = 1) < 0 || app_create_tables(w->db) < 0) {
        fprintf(stderr, "bench: %s\n", w->db ? prax_db_error(w->db)->message : "out of memory");
        return -1;
    }
    w->session = prax_session_open(w->db);
    if (!w->session || fill(w) < 0)
        return -1;
    raw_pg_exec(&w->raw, "VACUUM ANALYZE bench_raw.users");
    raw_pg_exec(&w->raw, "VACUUM ANALYZE bench_prax.users");
    check_equal(w);
    w->zdb = peer_zdb_open(url); /* reads and writes the floor's table */
    return 0;
}

static void close_all(struct world *w)
{
    peer_zdb_close(w->zdb);
    prax_session_close(w->session);
    prax_db_close(w->db);
    raw_pg_close(&w->raw);
    free(w->list.users);
    free(w->list.pool);
}

static struct bench_group groups[] = {
    { .name = "get by key",
      .goal = "<= 1.03 x",
      .cpu = true,
      .peers = { { "raw libpq", raw_get_run },
                 { "prax", prax_get_run },
                 { "libzdb", zdb_get_run } } },
    { .name = "list of 100 rows",
      .goal = "<= 1.03 x",
      .cpu = true,
      .peers = { { "raw libpq", raw_list_100 },
                 { "prax", prax_list_100 },
                 { "libzdb", zdb_list_100 } } },
    { .name = "list of 10,000 rows",
      .goal = "<= 1.02 x",
      .cpu = true,
      .peers = { { "raw libpq", raw_list_all },
                 { "prax", prax_list_all },
                 { "libzdb", zdb_list_all } } },
    { .name = "insert in a transaction, whole row returned",
      .goal = "<= 1.03 x",
      .cpu = true,
      .peers = { { "raw libpq (id only)", raw_insert_run },
                 { "prax", prax_insert_run },
                 { "libzdb (nothing returned)", zdb_insert_run } },
      .before = begin,
      .after = rollback },
    { .name = "bulk insert of 1,000",
      .goal = "<= 1.05 x",
      .cpu = true,
      .peers = { { "raw libpq (unnest)", raw_bulk_run }, { "prax", prax_bulk_run } },
      .before = begin,
      .after = rollback },
    { .name = "update by key in a transaction",
      .goal = "<= 1.03 x",
      .cpu = true,
      .peers = { { "raw libpq", raw_update_run },
                 { "prax", prax_update_run },
                 { "libzdb", zdb_update_run } },
      .before = begin,
      .after = rollback },
};
enum { GROUPS = sizeof groups / sizeof *groups };

/* Without libzdb its places, always the last, stay empty. */
static void without_zdb(void)
{
    printf("libzdb: it was not there when this was built (Debian: libzdb-dev)\n");
    for (size_t i = 0; i < GROUPS; i++)
        groups[i].peers[2] = (struct bench_peer){ .name = NULL };
}

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
    if (!w.zdb)
        without_zdb();
    int status = bench_main(argc, argv, "postgres_operations", groups, GROUPS, &w);
    close_all(&w);
    return status;
}

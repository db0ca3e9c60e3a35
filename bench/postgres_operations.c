/* postgres_operations.c - the ORM beside hand-written libpq, SOCI and libzdb in one process: same
 * server, same rows, same statements, a schema each. What is done and how answers are checked:
 * bench/lib/users.h.
 *
 * The server's time is the same for all and hides most of a client's, so the CPU time of the client
 * stands beside. The server is a private one on a unix socket that bench/run.sh starts; without one
 * nothing is measured, and that is said.
 */
#include "bench/lib/users.h"
#include "bench/peer_soci.h"
#include "bench/peer_zdb.h"
#include "bench/raw_postgres.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct floor {
    struct raw_pg db;
    struct raw_list list;
    struct raw_user one;
    bool listed;
    char text[128];
};

static void get(void *self, int64_t id)
{
    struct floor *f = self;
    f->listed = false;
    if (!raw_pg_get(&f->db, id, &f->one, f->text, sizeof f->text))
        abort();
}

static size_t list(void *self, int64_t limit)
{
    struct floor *f = self;
    f->listed = true;
    raw_pg_list(&f->db, limit, &f->list);
    return f->list.count;
}

static void row(void *self, size_t i, struct raw_user *out)
{
    const struct floor *f = self;
    *out = f->listed ? f->list.users[i] : f->one;
}

static void insert(void *self, const struct raw_user *u)
{
    struct floor *f = self;
    f->one.id = raw_pg_insert(&f->db, u);
}

static void insert_many(void *self, const struct raw_user *u, size_t n)
{
    struct floor *f = self;
    (void)n;
    raw_pg_insert_many(&f->db, u);
}

static void update(void *self, int64_t id, const char *name, int64_t age)
{
    struct floor *f = self;
    raw_pg_update(&f->db, id, name, age);
}

static void exec(void *self, const char *sql)
{
    struct floor *f = self;
    raw_pg_exec(&f->db, sql);
}

static void close_floor(void *self)
{
    struct floor *f = self;
    raw_pg_close(&f->db);
    free(f->list.users);
    free(f->list.pool);
}

enum { URL_SIZE = 256 };

/* A URL that leads to an empty schema of that name. */
static int make_schema(const char *url, const char *name, char to[URL_SIZE])
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
    snprintf(to, URL_SIZE, "%s&options=-csearch_path%%3D%s", url, name);
    return rc;
}

static void add_peers(struct users_bench *b, const char *url)
{
    char own[URL_SIZE];
    const char *host = strstr(url, "host=");
    if (make_schema(url, "bench_soci", own) == 0 &&
        peer_soci_open(&b->peers[b->n_peers], own, raw_pg_create_table, b->bulk))
        b->n_peers++;
    if (!host) {
        printf("libzdb: not measured: the URL has no host=FOLDER of a socket\n");
    } else if (make_schema(url, "bench_zdb", own) == 0 &&
               peer_zdb_open(&b->peers[b->n_peers], host + strlen("host="), "bench_zdb",
                             raw_pg_create_table)) {
        b->n_peers++;
    }
}

static int measure(int argc, char **argv, const char *url)
{
    static struct floor f;
    char raw[URL_SIZE], prax[URL_SIZE];
    struct users_bench b = { .name = "postgres_operations",
                             .url = prax,
                             .after_fill = "VACUUM ANALYZE",
                             .bulk = RAW_PG_BULK,
                             .cpu = true,
                             .goals = { "<= 1.03 x", "<= 1.03 x", "<= 1.02 x", "<= 1.03 x",
                                        "<= 1.05 x", "<= 1.03 x" },
                             .peers = { { .name = "raw libpq",
                                          .insert_name = "raw libpq (id only)",
                                          .bulk_name = "raw libpq (unnest)",
                                          .self = &f,
                                          .get = get,
                                          .list = list,
                                          .row = row,
                                          .insert = insert,
                                          .insert_many = insert_many,
                                          .update = update,
                                          .exec = exec,
                                          .close = close_floor } },
                             .n_peers = 1 };
    if (make_schema(url, "bench_raw", raw) < 0 || make_schema(url, "bench_prax", prax) < 0 ||
        raw_pg_open(&f.db, raw) < 0)
        return 1;
    add_peers(&b, url);
    return users_main(argc, argv, &b);
}

int main(int argc, char **argv)
{
    const char *url = getenv("PRAX_TEST_POSTGRES");
    if (!url || !*url) {
        const char *why = getenv("PRAX_TEST_POSTGRES_WHY");
        printf("skipped: %s\n", why && *why ? why : "PRAX_TEST_POSTGRES is not set");
        return 0;
    }
    return measure(argc, argv, url);
}

/* sqlite_operations.c - the ORM beside hand-written sqlite3, SOCI and libzdb in one process: same
 * table, same rows, same statements. In memory, so that only the CPU is seen; on a machine that
 * does other work as well, only the CPU time says something. What is done and how answers are
 * checked: bench/lib/users.h. */
#include "bench/lib/users.h"
#include "bench/peer_soci.h"
#include "bench/peer_zdb.h"
#include "bench/raw_sqlite.h"
#include <stdio.h>
#include <stdlib.h>

struct floor {
    struct raw_db db;
    struct raw_list list;
    struct raw_user one;
    bool listed;
    char text[128];
};

static void get(void *self, int64_t id)
{
    struct floor *f = self;
    f->listed = false;
    if (!raw_get(&f->db, id, &f->one, f->text, sizeof f->text))
        abort();
}

static size_t list(void *self, int64_t limit)
{
    struct floor *f = self;
    f->listed = true;
    raw_list(&f->db, limit, &f->list);
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
    f->one.id = raw_insert(&f->db, u);
}

static void insert_many(void *self, const struct raw_user *u, size_t n)
{
    struct floor *f = self;
    (void)n;
    raw_insert_many(&f->db, u);
}

static void update(void *self, int64_t id, const char *name, int64_t age)
{
    struct floor *f = self;
    raw_update(&f->db, id, name, age);
}

static void exec(void *self, const char *sql)
{
    struct floor *f = self;
    if (sqlite3_exec(f->db.db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "bench: %s: %s\n", sql, sqlite3_errmsg(f->db.db));
        exit(1);
    }
}

static void close_floor(void *self)
{
    struct floor *f = self;
    raw_close(&f->db);
    free(f->list.users);
    free(f->list.pool);
}

int main(int argc, char **argv)
{
    static struct floor f;
    struct users_bench b = { .name = "sqlite_operations",
                             .url = "sqlite::memory:",
                             .bulk = RAW_BULK,
                             .cpu = true,
                             .goals = { "<= 1.15 x", "<= 1.08 x", "<= 1.05 x", "<= 1.25 x",
                                        "<= 1.10 x", "<= 1.15 x" },
                             .peers = { { .name = "raw sqlite3",
                                          .insert_name = "raw sqlite3 (id only)",
                                          .bulk_name = "raw sqlite3 (100 VALUES)",
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
    if (raw_open(&f.db, ":memory:") < 0)
        return 1;
    if (peer_soci_open(&b.peers[b.n_peers], ":memory:", raw_create_table, RAW_BULK))
        b.n_peers++;
    if (peer_zdb_open(&b.peers[b.n_peers], NULL, NULL, raw_create_table))
        b.n_peers++;
    sqlite3_enable_shared_cache(0); /* which libzdb turns on for all that is opened later */
    return users_main(argc, argv, &b);
}

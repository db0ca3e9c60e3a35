/* users.c - see users.h. */
#include "bench/lib/users.h"
#include "app.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CREATED = 1700000000 };

struct users {
    struct users_bench *bench;
    prax_db *db;
    prax_session *session;
    prax_tx tx;
    struct user_peer peers[BENCH_PEERS_MAX]; /* [0] the floor, [1] Prax */
    size_t n_peers;
    struct raw_user bulk[USERS_BULK_MAX]; /* the next bulk insert, as peers and as Prax take it */
    app_user_new bulk_new[USERS_BULK_MAX];
    char emails[USERS_BULK_MAX][40];
};

static struct users world;

/* ---- rows --------------------------------------------------------------------------------------
 */

static struct raw_user sample(int64_t i, char email[40])
{
    snprintf(email, 40, "user%lld@example.org", (long long)i);
    return (struct raw_user){ .email = email,
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

static struct raw_user raw_of(const app_user *a)
{
    return (struct raw_user){ .id = a->id,
                              .email = a->email,
                              .name = a->name,
                              .age = a->age.val,
                              .has_age = a->age.set,
                              .role = (int)a->role,
                              .score = a->score,
                              .created_at = a->created_at.us };
}

static bool same(const struct raw_user *a, const struct raw_user *b)
{
    return a->id == b->id && strcmp(a->email, b->email) == 0 && !a->name == !b->name &&
           (!a->name || strcmp(a->name, b->name) == 0) && a->has_age == b->has_age &&
           (!b->has_age || a->age == b->age) && a->role == b->role && a->score == b->score &&
           a->created_at == b->created_at;
}

static int64_t key(uint64_t call)
{
    return (int64_t)(call * 7919 % USERS_ROWS) + 1;
}

/* ---- Prax --------------------------------------------------------------------------------------
 */

static void fail(struct users *w, const char *what)
{
    prax_fail(w->session, what);
    exit(1);
}

static void prax_get(void *self, int64_t id)
{
    struct users *w = self;
    PRAX_SCOPE(w->session);
    const app_user *u = app_user_get(w->session, app_user_by_id(id));
    if (!u)
        fail(w, "get");
    bench_keep(u);
}

static size_t prax_list_users(void *self, int64_t limit)
{
    struct users *w = self;
    PRAX_SCOPE(w->session);
    const app_user_list *us =
        app_user_find_many(w->session, .order_by = { APP_USER_ID_ASC }, .take = (uint32_t)limit);
    if (!us)
        fail(w, "list");
    bench_keep(us);
    return us->count;
}

static void prax_insert(void *self, const struct raw_user *u)
{
    struct users *w = self;
    PRAX_SCOPE(w->session);
    app_user_new n = sample_new(u);
    const app_user *row = app_user_create_with(w->session, &n);
    if (!row)
        fail(w, "insert");
    bench_keep(row);
}

static void prax_insert_many(void *self, const struct raw_user *u, size_t n)
{
    struct users *w = self;
    (void)u;
    PRAX_SCOPE(w->session);
    if (app_user_create_many(w->session, w->bulk_new, n) != (int64_t)n)
        fail(w, "bulk insert");
}

static void prax_update(void *self, int64_t id, const char *name, int64_t age)
{
    struct users *w = self;
    if (app_user_update(w->session, app_user_by_id(id), .name = prax_set(name),
                        .age = prax_set(age)) != 1)
        fail(w, "update");
}

static int prax_open(struct users *w)
{
    if (prax_db_open(&w->db, .url = w->bench->url, .pool_max = 1) < 0 ||
        app_create_tables(w->db) < 0) {
        fprintf(stderr, "bench: %s\n", w->db ? prax_db_error(w->db)->message : "out of memory");
        return -1;
    }
    w->session = prax_session_open(w->db);
    return w->session ? 0 : -1;
}

/* ---- the runs: a peer each ---------------------------------------------------------------------
 */

static void run_get(void *ctx, uint64_t calls)
{
    struct user_peer *p = ctx;
    for (uint64_t i = 0; i < calls; i++)
        p->get(p->self, key(i));
}

static void run_list_100(void *ctx, uint64_t calls)
{
    struct user_peer *p = ctx;
    for (uint64_t i = 0; i < calls; i++)
        p->list(p->self, 100);
}

static void run_list_all(void *ctx, uint64_t calls)
{
    struct user_peer *p = ctx;
    for (uint64_t i = 0; i < calls; i++)
        p->list(p->self, USERS_ROWS);
}

static void run_insert(void *ctx, uint64_t calls)
{
    struct user_peer *p = ctx;
    char email[40];
    for (uint64_t i = 0; i < calls; i++) {
        struct raw_user u = sample(USERS_ROWS + 1 + (int64_t)i, email);
        p->insert(p->self, &u);
    }
}

static void next_bulk(struct users *w, uint64_t round)
{
    for (size_t k = 0; k < w->bench->bulk; k++) {
        w->bulk[k] = sample(USERS_ROWS + 1 + (int64_t)(round * w->bench->bulk + k), w->emails[k]);
        w->bulk_new[k] = sample_new(&w->bulk[k]);
    }
}

static void run_bulk(void *ctx, uint64_t calls)
{
    struct user_peer *p = ctx;
    for (uint64_t i = 0; i < calls; i++) {
        next_bulk(&world, i);
        p->insert_many(p->self, world.bulk, world.bench->bulk);
    }
}

static void run_update(void *ctx, uint64_t calls)
{
    struct user_peer *p = ctx;
    for (uint64_t i = 0; i < calls; i++)
        p->update(p->self, key(i), "Grace Hopper", (int64_t)(i % 90));
}

/* Writes happen in a transaction of their own a round, begun and rolled back outside the clock. */
static void begin(void *ctx, uint64_t calls)
{
    struct users *w = ctx;
    (void)calls;
    for (size_t i = 0; i < w->n_peers; i++) {
        if (w->peers[i].exec)
            w->peers[i].exec(w->peers[i].self, "BEGIN");
    }
    w->tx = prax_tx_begin_with(w->session, &(prax_tx_opts){ .size = sizeof(prax_tx_opts) });
}

static void rollback(void *ctx)
{
    struct users *w = ctx;
    for (size_t i = 0; i < w->n_peers; i++) {
        if (w->peers[i].exec)
            w->peers[i].exec(w->peers[i].self, "ROLLBACK");
    }
    prax_tx_end(&w->tx);
}

/* ---- filling and checking ----------------------------------------------------------------------
 */

static int fill(struct users *w)
{
    char email[40];
    begin(w, 0);
    for (int64_t i = 1; i <= USERS_ROWS; i++) {
        struct raw_user u = sample(i, email);
        for (size_t k = 0; k < w->n_peers; k++)
            w->peers[k].insert(w->peers[k].self, &u);
    }
    for (size_t i = 0; i < w->n_peers; i++) {
        if (w->peers[i].exec)
            w->peers[i].exec(w->peers[i].self, "COMMIT");
    }
    if (prax_tx_commit(&w->tx) < 0)
        return -1;
    if (w->bench->after_fill)
        w->peers[0].exec(w->peers[0].self, w->bench->after_fill);
    return 0;
}

static void differ(const struct user_peer *p, size_t row)
{
    fprintf(stderr, "bench: row %zu of %s is not that of the floor\n", row, p->name);
    exit(1);
}

/* Row i of what the peer read last; Prax keeps nothing, so its own comes along. */
static struct raw_user row_of(const struct user_peer *p, size_t i, const app_user *ours)
{
    struct raw_user u;
    if (!p->row)
        return raw_of(ours);
    p->row(p->self, i, &u);
    return u;
}

/* The first `rows` rows of every peer against the floor's. */
static void check_lists(struct users *w, size_t rows)
{
    PRAX_SCOPE(w->session);
    const app_user_list *ours =
        app_user_find_many(w->session, .order_by = { APP_USER_ID_ASC }, .take = (uint32_t)rows);
    if (!ours)
        fail(w, "check");
    for (size_t k = 0; k < w->n_peers; k++) {
        struct user_peer *p = &w->peers[k], *floor = &w->peers[0];
        if ((p->row ? p->list(p->self, (int64_t)rows) : ours->count) != rows)
            differ(p, rows);
        for (size_t i = 0; i < rows; i++) {
            struct raw_user want = row_of(floor, i, &ours->items[i]);
            struct raw_user is = row_of(p, i, &ours->items[i]);
            if (!same(&is, &want))
                differ(p, i);
        }
    }
}

static void check_get(struct users *w, int64_t id)
{
    PRAX_SCOPE(w->session);
    const app_user *ours = app_user_get(w->session, app_user_by_id(id));
    if (!ours)
        fail(w, "check");
    for (size_t k = 0; k < w->n_peers; k++)
        w->peers[k].get(w->peers[k].self, id);
    struct raw_user want = row_of(&w->peers[0], 0, ours);
    for (size_t k = 1; k < w->n_peers; k++) {
        struct raw_user is = row_of(&w->peers[k], 0, ours);
        if (!same(&is, &want))
            differ(&w->peers[k], (size_t)id - 1);
    }
}

static void check(struct users *w)
{
    check_lists(w, USERS_ROWS);
    for (int64_t id = 1; id <= USERS_ROWS; id += 97)
        check_get(w, id);
    begin(w, 0);
    for (size_t k = 0; k < w->n_peers; k++) {
        run_bulk(&w->peers[k], 1);
        run_update(&w->peers[k], 100);
    }
    check_lists(w, USERS_ROWS + w->bench->bulk);
    rollback(w);
}

/* ---- the groups --------------------------------------------------------------------------------
 */

static const struct bench_group shapes[USERS_OPERATIONS] = {
    { .name = "get by key", .peers = { { .run = run_get } } },
    { .name = "list of 100 rows", .peers = { { .run = run_list_100 } } },
    { .name = "list of 10,000 rows", .peers = { { .run = run_list_all } } },
    { .name = "insert in a transaction",
      .peers = { { .run = run_insert } },
      .before = begin,
      .after = rollback },
    { .name = "bulk insert", .peers = { { .run = run_bulk } }, .before = begin, .after = rollback },
    { .name = "update by key in a transaction",
      .peers = { { .run = run_update } },
      .before = begin,
      .after = rollback },
};

static const char *name_of(const struct user_peer *p, const struct bench_group *g)
{
    const char *own = g->peers[0].run == run_insert ? p->insert_name
                      : g->peers[0].run == run_bulk ? p->bulk_name
                                                    : NULL;
    return own ? own : p->name;
}

static void make_groups(struct users *w, struct bench_group groups[USERS_OPERATIONS])
{
    for (size_t i = 0; i < USERS_OPERATIONS; i++) {
        struct bench_group *g = &groups[i];
        *g = shapes[i];
        g->goal = w->bench->goals[i];
        g->cpu = w->bench->cpu;
        if (shapes[i].peers[0].run == run_bulk) {
            g->unit = "row";
            g->units_a_call = (double)w->bench->bulk;
        }
        for (size_t k = 0; k < w->n_peers; k++) {
            g->peers[k] = (struct bench_peer){ .name = name_of(&w->peers[k], &shapes[i]),
                                               .run = shapes[i].peers[0].run,
                                               .ctx = &w->peers[k] };
        }
    }
}

int users_main(int argc, char **argv, struct users_bench *b)
{
    struct users *w = &world;
    struct bench_group groups[USERS_OPERATIONS];
    w->bench = b;
    w->n_peers = b->n_peers + 1;
    w->peers[0] = b->peers[0];
    w->peers[1] = (struct user_peer){ .name = "prax",
                                      .insert_name = "prax (whole row)",
                                      .self = w,
                                      .get = prax_get,
                                      .list = prax_list_users,
                                      .insert = prax_insert,
                                      .insert_many = prax_insert_many,
                                      .update = prax_update };
    memcpy(&w->peers[2], &b->peers[1], (b->n_peers - 1) * sizeof b->peers[0]);
    int status = 1;
    if (prax_open(w) == 0 && fill(w) == 0) {
        check(w);
        make_groups(w, groups);
        status = bench_main(argc, argv, b->name, groups, USERS_OPERATIONS, w);
    }
    for (size_t i = 0; i < w->n_peers; i++) {
        if (w->peers[i].close)
            w->peers[i].close(w->peers[i].self);
    }
    prax_session_close(w->session);
    prax_db_close(w->db);
    return status;
}

/* steps.c - something happens at each step of a program's talk with PostgreSQL, one step after the
 * other: the network is cut or swallows all, the server is killed, the program itself is killed.
 *
 *   steps EVENT STRIDE CHUNK      EVENT: cut, hole, slow, server, client; needs PRAX_TEST_POSTGRES
 *
 * A try is a child process that reads, runs a transaction with a savepoint, inserts many rows, runs
 * a pipeline of inserts and a COPY, a batch of reads and writes and one within a transaction,
 * through a proxy (tests/lib/proxy.h), at the n-th chunk of which the event happens; CHUNK is its
 * size in bytes, 0 = as they come. Tries go on with n += STRIDE until a child ends before its
 * event. Then the rows are counted by another connection: what the child was told to be done must
 * be there, once, what was refused must not, and never a part of it. What follows the one that
 * failed must not fail; the entries of a batch are one.
 *
 * The last line of output: EVENT: tried N, operations failed N, in doubt N, lost N, torn N, ghosts
 * N, not recovered N. Exit status 0 if the last four are 0.
 */
#include "orm/client/client.h"
#include "tests/lib/pg.h"
#include "tests/lib/proxy.h"
#include <blog.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* BATCH_READ to BATCH_RAW are entries of one batch. */
enum work {
    READ,
    TRANSACTION,
    MANY,
    PIPELINE,
    COPY,
    BATCH_READ,
    BATCH_ONE,
    BATCH_MANY,
    BATCH_CHANGE,
    BATCH_RAW,
    BATCH_TX,
    WORKS
};

/* What one leaves: that many rows, or what `sum` has been raised by. */
#define POSTS "count(*) FROM %s.posts WHERE title = $1"
#define TAGS  "count(*) FROM %s.tags WHERE label LIKE $1 || '-%%'"
static const struct {
    const char *name;
    int rows;
    const char *count; /* SQL, of a schema and a name */
} works[WORKS] = {
    [READ] = { "read", 0, POSTS },
    [TRANSACTION] = { "transaction", 3, POSTS },
    [MANY] = { "many", 50, POSTS },
    [PIPELINE] = { "pipeline", 20, TAGS },
    [COPY] = { "copy", 300, TAGS },
    [BATCH_READ] = { "batch-read", 0, POSTS },
    [BATCH_ONE] = { "batch-one", 1, POSTS },
    [BATCH_MANY] = { "batch-many", 7, POSTS },
    [BATCH_CHANGE] = { "batch-change", 1, "sum(views) FROM %s.posts WHERE title = $1" },
    [BATCH_RAW] = { "batch-raw", 1, POSTS },
    [BATCH_TX] = { "batch-tx", 6, POSTS },
};

/* What a child says of each work. */
struct said {
    int work, rc;
    bool doubt;
    char message[200];
};

static struct {
    unsigned tried, failed, doubt, lost, torn, ghosts, dead;
} sum;

/* ---- the child ---- */

static int read_some(prax_session *s)
{
    int n = 0;
    if (!blog_post_find_many(s, .take = 20) || blog_post_count(s) < 0)
        return prax_error_code(s);
    blog_post_each(p, s, .take = 200) n += p->id > 0;
    return prax_error_code(s);
}

static int transact(prax_session *s, const char *id)
{
    PRAX_TX(tx, s);
    if (tx.code < 0 || !blog_post_create(s, .title = id, .author_id = 1))
        return prax_error_code(s);
    {
        PRAX_SAVEPOINT(sp, s);
        if (sp.code < 0 || !blog_post_create(s, .title = id, .author_id = 2) ||
            prax_tx_commit(&sp) < 0)
            return prax_error_code(s);
    }
    if (!blog_post_create(s, .title = id, .author_id = 3))
        return prax_error_code(s);
    return prax_tx_commit(&tx);
}

static int many(prax_session *s, const char *id)
{
    blog_post_new rows[50];
    for (int i = 0; i < works[MANY].rows; i++)
        rows[i] = (blog_post_new){ .title = id, .author_id = i };
    int64_t n = blog_post_create_many(s, rows, (size_t)works[MANY].rows);
    return n < 0 ? (int)n : 0;
}

/* All answers that are out; the first error. */
static int answers(const struct pxi_async *a, struct pxi_conn *c)
{
    int first = 0;
    while (a->out(c)) {
        struct pxi_stmt *st;
        int rc = a->pump(c);
        while (rc == 0 && (rc = a->next(c, &st)) != 0) {
            first = rc < 0 && first == 0 ? rc : first;
            if (rc < 0 && !st)
                return first;
            rc = 0;
        }
        if (rc < 0)
            return rc;
        if (a->out(c))
            usleep(200);
    }
    return first;
}

static int pipeline(const struct pxi_driver *d, struct pxi_conn *c, const char *id)
{
    static const char sql[] = "INSERT INTO tags (label) VALUES ($1)";
    const struct pxi_async *a = d->async;
    struct pxi_stmt *st = NULL;
    char label[64];
    int rc = a->begin(c);
    if (rc == 0 && (rc = a->prepare(c, sql, sizeof sql - 1, true, &st)) == 0)
        rc = a->sync(c);
    if (rc == 0)
        rc = answers(a, c);
    for (int i = 0; i < works[PIPELINE].rows && rc == 0; i++) {
        int size = snprintf(label, sizeof label, "%s-%d", id, i);
        struct pxi_value v = {
            .kind = PXI_TEXT, .type = PRAX_T_String, .size = (uint32_t)size, .u.p = label
        };
        rc = a->push(st, &v, 1);
    }
    if (rc == 0 && (rc = a->sync(c)) == 0)
        rc = answers(a, c);
    int ended = a->end(c);
    if (st)
        d->drop(st);
    return rc < 0 ? rc : ended;
}

static int copy(const struct pxi_driver *d, struct pxi_conn *c, const char *id)
{
    int rc = d->copy_begin(c, "\"tags\"", "\"label\"");
    for (int i = 0; i < works[COPY].rows && rc == 0; i++) {
        char label[64];
        int size = snprintf(label, sizeof label, "%s-%d", id, i);
        struct pxi_value v = {
            .kind = PXI_TEXT, .type = PRAX_T_String, .size = (uint32_t)size, .u.p = label
        };
        rc = d->copy_rows(c, &v, 1);
    }
    int64_t n = d->copy_end(c, rc == 0);
    return rc < 0 ? rc : n < 0 ? (int)n : 0;
}

static int batch_in_tx(prax_session *s, const char *id)
{
    blog_post_new rows[5];
    PRAX_TX(tx, s);
    if (tx.code < 0)
        return prax_error_code(s);
    for (int i = 0; i < 5; i++)
        rows[i] = (blog_post_new){ .title = id, .author_id = i };
    PRAX_BATCH b = prax_batch_open(s);
    const blog_post_result *one =
        blog_post_in(b, PRAX_CREATE, .create = &(blog_post_new){ .title = id, .author_id = 7 });
    const blog_post_result *read = blog_post_in(b, PRAX_FIND_MANY, .query = blog_post_q(.take = 3));
    const blog_post_result *five = blog_post_in(b, PRAX_CREATE_MANY, .create = rows, .n = 5);
    int rc = prax_batch_run(b);
    if (rc < 0 || one->status < 0 || read->status < 0 || five->status < 0)
        return rc < 0 ? rc : one->status < 0 ? one->status : PRAX_EABORTED;
    return prax_tx_commit(&tx);
}

/* What the library has no operation for, or only for thousands of rows: with the connection of one.
 */
static int by_driver(prax_session *s,
                     int (*work)(const struct pxi_driver *, struct pxi_conn *, const char *),
                     const char *id)
{
    struct pxi_op op;
    int rc = pxi_op_begin(&op, s, NULL, PRAX_RAW_EXEC, NULL);
    if (rc == 0)
        rc = pxi_op_connect(&op);
    if (rc == 0 && (rc = work(op.link->driver, op.link->conn, id)) < 0)
        rc = pxi_op_explain(&op, rc);
    return (int)pxi_op_end(&op, rc, 0);
}

static int do_work(prax_session *s, enum work w, const char *id)
{
    switch (w) {
    case READ:
        return read_some(s);
    case TRANSACTION:
        return transact(s, id);
    case MANY:
        return many(s, id);
    case PIPELINE:
        return by_driver(s, pipeline, id);
    case COPY:
        return by_driver(s, copy, id);
    default:
        return batch_in_tx(s, id);
    }
}

/* A lone statement commits by itself: who hears nothing of it does not know. */
static bool is_in_doubt(enum work w, const prax_error *e)
{
    if (w == TRANSACTION || w == BATCH_TX)
        return strstr(e->message, "commit in doubt") != NULL;
    return (e->code == PRAX_ECONN && !e->retryable) || strstr(e->message, "given up") != NULL;
}

static void tell(int fd, enum work w, int rc, const prax_error *e)
{
    struct said said = { .work = (int)w, .rc = rc };
    said.doubt = rc < 0 && is_in_doubt(w, e);
    if (rc < 0)
        snprintf(said.message, sizeof said.message, "%s", e->message);
    if (write(fd, &said, sizeof said) != sizeof said)
        _exit(3);
}

static void tell_work(int fd, prax_session *s, enum work w, const char *id)
{
    char own[48];
    snprintf(own, sizeof own, "%s-%s", id, works[w].name);
    int rc = do_work(s, w, own);
    tell(fd, w, rc, prax_error_get(s));
}

/* The rows that a batch writes and that a read behind them in it sees. */
static void tell_batch(int fd, prax_session *s, const char *id)
{
    char own[WORKS][48];
    blog_post_new rows[7];
    const void *entries[WORKS] = { NULL };
    for (enum work w = BATCH_READ; w <= BATCH_RAW; w++)
        snprintf(own[w], sizeof own[w], "%s-%s", id, works[w].name);
    for (int i = 0; i < works[BATCH_MANY].rows; i++)
        rows[i] = (blog_post_new){ .title = own[BATCH_MANY], .author_id = i };
    PRAX_BATCH b = prax_batch_open(s);
    entries[BATCH_READ] = blog_post_in(b, PRAX_FIND_MANY, .query = blog_post_q(.take = 5));
    entries[BATCH_ONE] = blog_post_in(
        b, PRAX_CREATE, .create = &(blog_post_new){ .title = own[BATCH_ONE], .author_id = 1 });
    entries[BATCH_MANY] =
        blog_post_in(b, PRAX_CREATE_MANY, .create = rows, .n = (size_t)works[BATCH_MANY].rows);
    entries[BATCH_CHANGE] = blog_post_in(
        b, PRAX_UPDATE_MANY, .query = blog_post_q(.where.title = prax_eq(own[BATCH_CHANGE])),
        .set = &(blog_post_set){ .views = prax_add(1) });
    const blog_post_result *seen =
        blog_post_in(b, PRAX_COUNT, .query = blog_post_q(.where.title = prax_eq(own[BATCH_MANY])));
    entries[BATCH_RAW] = prax_sql_in(
        b, "INSERT INTO posts (title, author_id, published, views) VALUES (?, 1, false, 0)",
        own[BATCH_RAW]);
    int rc = prax_batch_run(b);
    bool failed = seen->status < 0;
    for (enum work w = BATCH_READ; w <= BATCH_RAW; w++) {
        const prax_result *r = entries[w];
        failed |= r->status < 0;
        tell(fd, w, r->status, r->error);
    }
    if (rc < 0 && !failed)
        _exit(5);
    const prax_result *made = entries[BATCH_MANY];
    if (made->status == 0 && seen->status == 0 && seen->count != works[BATCH_MANY].rows)
        _exit(4);
}

static void be_child(const char *url, const char *id, int report, uint32_t timeout_ms)
{
    prax_db *db = NULL;
    if (prax_db_open(&db, .url = url, .pool_max = 1, .acquire_ms = 20000) < 0) {
        tell(report, READ, PRAX_ECONN, prax_db_error(db)); /* it happened here */
        prax_db_close(db);
        _exit(0);
    }
    prax_session *s = prax_session_open(db, .timeout_ms = timeout_ms);
    for (enum work w = READ; w <= COPY; w++)
        tell_work(report, s, w, id);
    tell_batch(report, s, id);
    tell_work(report, s, BATCH_TX, id);
    prax_session_close(s);
    prax_db_close(db);
    _exit(0);
}

/* ---- the parent ---- */

static PGconn *direct;

static void ignore(void *arg, const char *notice)
{
    (void)arg;
    (void)notice;
}

/* The server may have been killed. */
static void reach_server(void)
{
    for (int i = 0; i < 400; i++) {
        PQfinish(direct);
        direct = PQconnectdb(getenv("PRAX_TEST_POSTGRES"));
        PQsetNoticeProcessor(direct, ignore, NULL);
        if (PQstatus(direct) == CONNECTION_OK)
            return;
        usleep(50000);
    }
    fprintf(stderr, "steps: %s", PQerrorMessage(direct));
    exit(2);
}

/* Again, if a server that is about to restart has let us in. */
static int ask_number(const char *sql, const char *value)
{
    PGresult *r = NULL;
    for (int i = 0; i < 20; i++) {
        PQclear(r);
        r = PQexecParams(direct, sql, 1, NULL, &value, NULL, NULL, 0);
        if (PQresultStatus(r) == PGRES_TUPLES_OK)
            break;
        reach_server();
    }
    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        fprintf(stderr, "steps: %s", PQerrorMessage(direct));
        exit(2);
    }
    int n = PQntuples(r) ? atoi(PQgetvalue(r, 0, 0)) : 0;
    PQclear(r);
    return n;
}

static int count_rows(const char *schema, enum work w, const char *id)
{
    char count[96], sql[128], own[64];
    snprintf(count, sizeof count, works[w].count, schema);
    snprintf(sql, sizeof sql, "SELECT %s", count);
    snprintf(own, sizeof own, "%s-%s", id, works[w].name);
    return ask_number(sql, own);
}

static void judge(const char *schema, const char *id, const struct said *said, bool heard)
{
    enum work w = (enum work)said->work;
    int rows = count_rows(schema, w, id);
    bool whole = rows == works[w].rows;
    sum.torn += rows != 0 && !whole;
    if (heard && said->rc == 0)
        sum.lost += !whole;
    else if (heard && !said->doubt)
        sum.ghosts += rows != 0;
    if (heard && said->doubt)
        sum.doubt++;
}

/* The server has ended it at its deadline, so the network was there: the machine was busy. */
static bool is_slow(const struct said *said)
{
    return said->rc == PRAX_ETIMEOUT && !strstr(said->message, "given up") &&
           !strstr(said->message, "pool: ");
}

/* Works that failed, a batch being one. What may not fail is shown, with what failed before it. */
static int count_failures(const char *id, const struct said *all, int n, int may_fail)
{
    int failed = 0;
    bool in_batch = false;
    for (int i = 0; i < n; i++) {
        bool entry = all[i].work >= BATCH_READ && all[i].work <= BATCH_RAW;
        if (all[i].rc >= 0 || is_slow(&all[i]) || (entry && in_batch))
            continue;
        in_batch |= entry;
        failed++;
    }
    for (int i = 0; i < n && failed > may_fail; i++) {
        if (all[i].rc < 0)
            fprintf(stderr, "# %s: %s: %s\n", id, works[all[i].work].name, all[i].message);
    }
    return failed;
}

/* Reads what a child says until it ends, and compares. */
static void hear(const char *schema, const char *id, int fd, bool killed, int may_fail)
{
    struct said all[WORKS];
    int n = 0;
    while (n < WORKS && read(fd, &all[n], sizeof *all) == sizeof *all)
        n++;
    reach_server();
    int failed = count_failures(id, all, n, may_fail);
    for (int i = 0; i < n; i++)
        judge(schema, id, &all[i], true);
    for (int w = n; w < WORKS && killed; w++)
        judge(schema, id, &(struct said){ .work = w }, false);
    sum.failed += (unsigned)failed;
    sum.dead += failed > may_fail ? (unsigned)(failed - may_fail) : 0;
}

static void kill_server(void *arg)
{
    (void)arg;
    PGconn *c = PQconnectdb(getenv("PRAX_TEST_POSTGRES"));
    PGresult *r = PQexec(c, "SELECT pid FROM pg_stat_activity WHERE application_name = 'steps'");
    for (int i = 0; i < PQntuples(r); i++)
        kill(atoi(PQgetvalue(r, i, 0)), SIGKILL);
    PQclear(r);
    PQfinish(c);
}

static pid_t child;
static void kill_client(void *arg)
{
    (void)arg;
    kill(child, SIGKILL);
}

struct plan {
    const char *name;
    struct proxy_rules rules;
    uint32_t timeout_ms;
    bool kills;   /* the child */
    int may_fail; /* works: a server that is about to restart lets somebody in before it does */
};
static const struct plan plans[] = {
    { "cut", { .event = PROXY_CUT }, 0, false, 1 },
    { "hole", { .event = PROXY_HOLE, .hole_ms = 700 }, 200, false, 1 },
    { "slow", { .event = PROXY_PASS, .delay_us = 300 }, 0, false, 0 },
    { "server", { .event = PROXY_CALL, .call = kill_server }, 0, false, 2 },
    { "client", { .event = PROXY_CALL, .call = kill_client }, 0, true, 0 },
};

/* The row that BATCH_CHANGE is to change. */
static void make_row(const char *schema, const char *id)
{
    char sql[160], title[64];
    const char *values[] = { title };
    snprintf(sql, sizeof sql,
             "INSERT INTO %s.posts (title, author_id, published, views) VALUES ($1, 1, false, 0)",
             schema);
    snprintf(title, sizeof title, "%s-%s", id, works[BATCH_CHANGE].name);
    PGresult *r = PQexecParams(direct, sql, 1, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(r) != PGRES_COMMAND_OK) {
        fprintf(stderr, "steps: %s", PQerrorMessage(direct));
        exit(2);
    }
    PQclear(r);
}

/* false: it ended before its event. */
static bool try_once(const struct plan *p, const struct proxy_rules *rules, const char *url,
                     const char *schema)
{
    int fds[2], status;
    char id[32];
    snprintf(id, sizeof id, "%s%lu", p->name, (unsigned long)rules->at);
    if (pipe(fds) != 0)
        exit(2);
    make_row(schema, id);
    proxy_set(rules);
    child = fork();
    if (child == 0)
        be_child(url, id, fds[1], p->timeout_ms);
    close(fds[1]);
    waitpid(child, &status, 0);
    bool killed = p->kills && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed && status != 0) {
        fprintf(stderr, "# %s: status %x\n", id, (unsigned)status);
        sum.dead++;
    }
    hear(schema, id, fds[0], killed, p->may_fail);
    close(fds[0]);
    sum.tried++;
    return proxy_steps() >= rules->at;
}

static void make_tables(const char *url)
{
    prax_db *db = NULL;
    if (prax_db_open(&db, .url = url, .pool_max = 1) < 0 || blog_create_tables(db) < 0) {
        fprintf(stderr, "steps: %s\n", prax_db_error(db)->message);
        exit(2);
    }
    prax_db_close(db);
}

static const struct plan *find_plan(const char *name)
{
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        if (strcmp(plans[i].name, name) == 0)
            return &plans[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    char url[PG_URL], own[PG_URL], dir[64], server[PG_URL];
    const struct plan *p = argc == 4 ? find_plan(argv[1]) : NULL;
    if (!p || pg_missing()) {
        fprintf(stderr, "usage: steps EVENT STRIDE CHUNK, with PRAX_TEST_POSTGRES\n");
        return 2;
    }
    pg_schema_new(url);
    const char *schema = pg_schema_name(url);
    snprintf(server, sizeof server, "%s", strstr(url, "host=") + 5);
    *strchr(server, '&') = '\0';
    make_tables(url);
    reach_server();
    proxy_start(server, dir);
    snprintf(own, sizeof own,
             "postgresql://postgres@/postgres?host=%s&application_name=steps&options=-csearch_path"
             "%%3D%s",
             dir, schema);
    struct proxy_rules rules = p->rules;
    rules.chunk = (unsigned)atoi(argv[3]);
    for (rules.at = 1; try_once(p, &rules, own, schema) && p->rules.event != PROXY_PASS;)
        rules.at += (unsigned)atoi(argv[2]);
    proxy_stop();
    printf("%s: tried %u, operations failed %u, in doubt %u, lost %u, torn %u, ghosts %u, not "
           "recovered %u\n",
           p->name, sum.tried, sum.failed, sum.doubt, sum.lost, sum.torn, sum.ghosts, sum.dead);
    PQfinish(direct);
    return sum.lost || sum.torn || sum.ghosts || sum.dead;
}

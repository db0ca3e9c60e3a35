/* profile_queries.c - a workload worth looking into: a shop on a SQLite file.
 *
 * Four threads insert orders with a JSON document, read customers by key, list and count orders,
 * update, delete, walk cursors and run raw SQL for about ten seconds. At the end the program prints
 * how many operations of each verb it called; an observer's counts can be held against that,
 * exactly.
 *
 * usage: profile_queries [-t THREADS] [-s SECONDS | -n ROUNDS] [FILE]
 */
#include "shop.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CUSTOMERS = 2000, DOCUMENT_SIZE = 2048, ORDERS_A_COMMIT = 16, THREADS_MAX = 64 };

/* The names that the probes have; counted around every call, whatever its outcome. */
enum verb { QUERY_MANY, QUERY_ONE, INSERT, UPDATE, DELETE, RAW_QUERY, RAW_EXECUTE, VERBS };
static const char *const verb_names[VERBS] = { "query_many",     "query_one",      "execute_insert",
                                               "execute_update", "execute_delete", "raw_sql_query",
                                               "raw_sql_execute" };

struct worker {
    pthread_t thread;
    prax_db *db;
    prax_session *s;
    uint64_t random; /* xorshift state: every run does the same */
    uint64_t rounds; /* 0 = until the clock says so */
    double seconds;
    uint64_t counts[VERBS];
    uint64_t checksum;
    int status;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t next_random(struct worker *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

static int64_t some_customer(struct worker *w)
{
    return (int64_t)(next_random(w) % CUSTOMERS) + 1;
}

/* ---- what the shop does with what it reads --------------------------------------------------- */
static void write_document(struct worker *w, char text[DOCUMENT_SIZE])
{
    size_t n = (size_t)snprintf(text, DOCUMENT_SIZE, "{\"items\":[");
    while (n < DOCUMENT_SIZE - 120) {
        n += (size_t)snprintf(text + n, DOCUMENT_SIZE - n,
                              "{\"sku\":\"%08" PRIx64 "\",\"quantity\":%u,\"gift\":%s},",
                              next_random(w) & 0xffffffff, (unsigned)(next_random(w) % 9) + 1,
                              next_random(w) & 1 ? "true" : "false");
    }
    snprintf(text + n - 1, DOCUMENT_SIZE - n + 1, "]}");
}

static uint64_t checksum(const char *text, size_t size)
{
    uint64_t h = 1469598103934665603u; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return h;
}

/* ---- operations: each returns 0 or the error that ended it ----------------------------------- */
static int insert_order(struct worker *w, int64_t *id)
{
    char document[DOCUMENT_SIZE];
    write_document(w, document);
    w->counts[INSERT]++;
    const shop_order *o = shop_order_create(
        w->s, .customer_id = some_customer(w),
        .total = prax_decimal_of((int64_t)(next_random(w) % 100000), 2),
        .document = prax_json_of(document), .note = w->random & 1 ? "leave at the door" : NULL);
    if (!o)
        return prax_error_code(w->s);
    *id = o->id;
    return 0;
}

static int read_customer(struct worker *w)
{
    w->counts[QUERY_ONE]++;
    const shop_customer *c = shop_customer_get(w->s, shop_customer_by_id(some_customer(w)));
    if (!c)
        return prax_error_code(w->s);
    w->checksum += checksum(c->email, strlen(c->email));
    return 0;
}

static int list_orders(struct worker *w)
{
    w->counts[QUERY_MANY]++;
    const shop_order_list *os = shop_order_find_many(
        w->s,
        .where = { .customer_id = prax_ge(some_customer(w)),
                   .status = prax_in(shop_status, SHOP_STATUS_PLACED, SHOP_STATUS_PAID) },
        .order_by = { SHOP_ORDER_CUSTOMER_ID_ASC, SHOP_ORDER_PLACED_AT_DESC }, .take = 20);
    if (!os)
        return prax_error_code(w->s);
    for (size_t i = 0; i < os->count; i++)
        w->checksum += checksum(os->items[i].document.text, os->items[i].document.size);
    return 0;
}

static int count_orders(struct worker *w)
{
    w->counts[QUERY_ONE]++;
    int64_t n = shop_order_count(w->s, .where.customer_id = prax_eq(some_customer(w)));
    w->checksum += (uint64_t)n;
    return n < 0 ? (int)n : 0;
}

static int walk_customers(struct worker *w)
{
    w->counts[QUERY_MANY]++;
    shop_customer_each(c, w->s, .where.city = prax_eq("Paris"), .take = 50) w->checksum +=
        (uint64_t)c->visits;
    return prax_error_code(w->s);
}

static int pay_order(struct worker *w, int64_t id)
{
    w->counts[UPDATE]++;
    return shop_order_update(w->s, shop_order_by_id(id), .status = prax_set(SHOP_STATUS_PAID),
                             .total = prax_add(prax_decimal_of(499, 2)));
}

static int delete_order(struct worker *w, int64_t id)
{
    w->counts[DELETE]++;
    return shop_order_delete(w->s, shop_order_by_id(id));
}

static int report_cities(struct worker *w)
{
    int64_t first = some_customer(w);
    w->counts[RAW_QUERY]++;
    prax_sql_each(row, w->s,
                  "SELECT c.city, count(*), sum(o.total) FROM orders o JOIN customers c"
                  " ON c.id = o.customer_id WHERE c.id BETWEEN ? AND ? GROUP BY c.city",
                  first, first + 100)
        w->checksum += (uint64_t)prax_col_i64(row, 1);
    return prax_error_code(w->s);
}

static int count_visit(struct worker *w)
{
    w->counts[RAW_EXECUTE]++;
    int64_t n = prax_sql_exec(w->s, "UPDATE customers SET visits = visits + 1 WHERE id = ?",
                              some_customer(w));
    return n < 0 ? (int)n : 0;
}

/* ---- a worker -------------------------------------------------------------------------------- */
static int write_one(struct worker *w, uint64_t round)
{
    int64_t id = 0;
    int rc = insert_order(w, &id);
    if (rc == 0 && round % 2 == 0)
        rc = pay_order(w, id);
    if (rc >= 0 && round % 4 == 3)
        rc = delete_order(w, id);
    if (rc >= 0 && round % 4 == 1)
        rc = count_visit(w);
    return rc;
}

/* Several orders a transaction: a commit waits for the disk. */
static int write_some(struct worker *w, uint64_t round)
{
    PRAX_TX(tx, w->s);
    int rc = tx.code;
    for (uint64_t i = 0; i < ORDERS_A_COMMIT && rc >= 0; i++)
        rc = write_one(w, round + i);
    return rc < 0 ? rc : prax_tx_commit(&tx);
}

static int read_some(struct worker *w, uint64_t round)
{
    int rc = 0;
    for (int i = 0; i < 8 && rc >= 0; i++)
        rc = read_customer(w);
    if (rc >= 0)
        rc = list_orders(w);
    if (rc >= 0)
        rc = count_orders(w);
    if (rc >= 0 && round % 4 == 0)
        rc = walk_customers(w);
    if (rc >= 0 && round % 8 == 0)
        rc = report_cities(w);
    return rc;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    double end = now() + w->seconds;
    w->s = prax_session_open(w->db);
    if (!w->s) {
        w->status = PRAX_ENOMEM;
        return NULL;
    }
    for (uint64_t i = 0; w->rounds ? i < w->rounds : now() < end; i++) {
        PRAX_SCOPE(w->s);
        int rc = i % ORDERS_A_COMMIT == 0 ? write_some(w, i) : 0;
        if (rc >= 0)
            rc = read_some(w, i);
        if (rc < 0 && !prax_error_get(w->s)->retryable) {
            w->status = prax_fail(w->s, "profile_queries");
            break;
        }
    }
    prax_session_close(w->s);
    return NULL;
}

static int seed(prax_db *db, uint64_t *inserts)
{
    static const char *const cities[] = { "Berlin", "Paris", "Lagos", "Lima", NULL };
    static shop_customer_new rows[CUSTOMERS];
    static char emails[CUSTOMERS][40];
    PRAX_SESSION s = prax_session_open(db);
    for (int i = 0; i < CUSTOMERS; i++) {
        snprintf(emails[i], sizeof emails[i], "customer%d@example.org", i);
        rows[i] =
            (shop_customer_new){ .email = emails[i], .name = "A. Customer", .city = cities[i % 5] };
    }
    if (!s)
        return PRAX_ENOMEM;
    (*inserts)++;
    return shop_customer_create_many(s, rows, CUSTOMERS) < 0 ? prax_fail(s, "seed") : 0;
}

/* ---- the program ----------------------------------------------------------------------------- */
struct settings {
    unsigned threads;
    double seconds;
    uint64_t rounds;
    const char *file;
};

static int parse(int argc, char **argv, struct settings *o)
{
    *o = (struct settings){ .threads = 4, .seconds = 10 };
    for (int c; (c = getopt(argc, argv, "t:s:n:")) != -1;) {
        switch (c) {
        case 't':
            o->threads = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            o->seconds = strtod(optarg, NULL);
            break;
        case 'n':
            o->rounds = strtoull(optarg, NULL, 10);
            break;
        default:
            return -1;
        }
    }
    o->file = optind < argc ? argv[optind] : NULL;
    return o->threads >= 1 && o->threads <= THREADS_MAX && optind + 1 >= argc ? 0 : -1;
}

static int run(prax_db *db, const struct settings *o, uint64_t counts[VERBS])
{
    static struct worker workers[THREADS_MAX];
    int status = seed(db, &counts[INSERT]);
    unsigned started = 0;
    for (; status == 0 && started < o->threads; started++) {
        struct worker *w = &workers[started];
        *w = (struct worker){ .db = db,

                              .random = 88172645463325252u + started,
                              .rounds = o->rounds,
                              .seconds = o->seconds };
        if (pthread_create(&w->thread, NULL, work, w) != 0)
            status = PRAX_ENOMEM;
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(workers[i].thread, NULL);
        status = status ? status : workers[i].status;
        for (int v = 0; v < VERBS; v++)
            counts[v] += workers[i].counts[v];
    }
    return status;
}

static void remove_files(const char *file)
{
    char path[512];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", file, (const char *[]){ "", "-wal", "-shm" }[i]);
        unlink(path);
    }
}

int main(int argc, char **argv)
{
    struct settings o;
    if (parse(argc, argv, &o) < 0) {
        fprintf(stderr, "usage: %s [-t THREADS] [-s SECONDS | -n ROUNDS] [FILE]\n", argv[0]);
        return 1;
    }
    char own[] = "/tmp/profile_queries.XXXXXX", url[600];
    int fd = o.file ? -1 : mkstemp(own);
    if (fd >= 0)
        close(fd);
    const char *file = o.file ? o.file : own;
    snprintf(url, sizeof url, "sqlite:%s", file);

    prax_db *db = NULL;
    uint64_t counts[VERBS] = { 0 };
    int status = prax_db_open(&db, .url = url, .pool_max = o.threads);
    if (status == 0)
        status = shop_create_tables(db);
    if (status < 0) {
        fprintf(stderr, "profile_queries: %s\n",
                db ? prax_db_error(db)->message : prax_strerror(PRAX_ENOMEM));
    } else {
        status = run(db, &o, counts);
    }
    prax_db_close(db);
    if (!o.file)
        remove_files(own);
    for (int v = 0; v < VERBS; v++)
        printf("%-16s %" PRIu64 "\n", verb_names[v], counts[v]);
    return status < 0;
}

/* load.c - a program under load, which counts: for tests that take its database away.
 *
 *   load URL THREADS SECONDS
 *
 * Threads read and write as a server would: each request opens a session. A write adds rows that
 * carry the request's own number: in a transaction that may be run again, in one as a batch, or as
 * an entry of a lone batch. At the end the database
 * is read and compared with what each request was told: a committed one whose rows are missing is
 * lost, rows twice are doubled, rows of one that was refused are ghosts, some of three rows are
 * torn. Where a commit was in doubt both is right.
 *
 * On standard input lines may come meanwhile: "fault" before a fault, "mark" behind it, "stop" for
 * the end before SECONDS are over. Later requests are those that began between a mark and the next
 * fault, and ended before it. The last line of output is: requests N, failed N, later N failed N,
 * in doubt N, lost N, doubled N, ghosts N, torn N. Exit status 0 if the last four are 0.
 */
#include "blog.h"
#include "orm/base/clock.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 3, REQUESTS_MAX = 1 << 17, THREADS_MAX = 64 };
enum verdict { REFUSED, COMMITTED, DOUBT };

struct worker {
    prax_db *db;
    pthread_t thread;
    int number;
    uint64_t end_ns;
    unsigned writes;
    uint8_t verdicts[REQUESTS_MAX]; /* of writes; by their number */
};

static struct {
    uint64_t requests, failed, later, later_failed;
    int shown, faults, mark, stop;
} count;

static void add(uint64_t *to)
{
    __atomic_add_fetch(to, 1, __ATOMIC_RELAXED);
}

/* ---- requests ---- */

struct request {
    char title[32];
};

static int insert(prax_session *s, void *arg)
{
    const struct request *r = arg;
    for (int k = 0; k < ROWS; k++) {
        if (!blog_post_create(s, .title = r->title, .author_id = k))
            return prax_error_code(s);
    }
    return 0;
}

/* As one batch: a row, a read and the other rows. */
static int insert_batch(prax_session *s, void *arg)
{
    const struct request *r = arg;
    blog_post_new rows[ROWS - 1];
    for (int k = 0; k < ROWS - 1; k++)
        rows[k] = (blog_post_new){ .title = r->title, .author_id = k };
    PRAX_BATCH b = prax_batch_open(s);
    const blog_post_result *one = blog_post_in(
        b, PRAX_CREATE, .create = &(blog_post_new){ .title = r->title, .author_id = ROWS });
    const blog_post_result *read = blog_post_in(b, PRAX_GET, .key = blog_post_by_id(1));
    const blog_post_result *more = blog_post_in(b, PRAX_CREATE_MANY, .create = rows, .n = ROWS - 1);
    int rc = prax_batch_run(b);
    return rc < 0             ? rc
           : one->status < 0  ? one->status
           : read->status < 0 ? read->status
                              : more->status;
}

/* Outside of a transaction an entry is one by itself; again, if it was not sent. */
static int insert_alone(prax_session *s, const struct request *r, enum verdict *verdict)
{
    blog_post_new rows[ROWS];
    for (int k = 0; k < ROWS; k++)
        rows[k] = (blog_post_new){ .title = r->title, .author_id = k };
    for (int tries = 0;; tries++) {
        PRAX_BATCH b = prax_batch_open(s);
        const blog_post_result *read = blog_post_in(b, PRAX_GET, .key = blog_post_by_id(2));
        const blog_post_result *all = blog_post_in(b, PRAX_CREATE_MANY, .create = rows, .n = ROWS);
        int rc = prax_batch_run(b);
        bool again = all->status < 0 && all->error->retryable;
        *verdict = all->status == 0                          ? COMMITTED
                   : again || all->error->code != PRAX_ECONN ? REFUSED
                                                             : DOUBT;
        if (all->status == 0 && read->status == 0)
            return 0;
        if (!again || tries == 20)
            return rc < 0 ? rc : all->status < 0 ? all->status : read->status;
    }
}

static int write_request(struct worker *w, prax_session *s)
{
    struct request r;
    unsigned n = w->writes++;
    enum verdict verdict;
    snprintf(r.title, sizeof r.title, "%d-%u", w->number, n);
    if (n % 3 == 2) {
        int rc = insert_alone(s, &r, &verdict);
        w->verdicts[n] = (uint8_t)verdict;
        return rc;
    }
    int rc = prax_tx_run(s, n % 3 ? insert_batch : insert, &r, .retries = 20);
    bool doubt = rc == PRAX_ECONN && strstr(prax_error_get(s)->message, "commit in doubt");
    w->verdicts[n] = rc == 0 ? COMMITTED : doubt ? DOUBT : REFUSED;
    return rc;
}

static int read_request(prax_session *s, unsigned n)
{
    if (n % 4 == 1)
        return blog_post_count(s, .where.author_id = prax_eq(1)) < 0 ? prax_error_code(s) : 0;
    if (n % 4 == 2) {
        unsigned seen = 0;
        blog_post_each(p, s, .take = 5) seen += p->id > 0;
        return prax_error_code(s);
    }
    const blog_post *p = blog_post_get(s, blog_post_by_id(n % 50));
    return p || prax_error_code(s) == PRAX_ENOTFOUND ? 0 : prax_error_code(s);
}

static void show_first(const prax_session *s)
{
    if (__atomic_fetch_add(&count.shown, 1, __ATOMIC_RELAXED) < 5)
        fprintf(stderr, "# %s\n", prax_error_get(s)->message);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (unsigned n = 0; pxi_clock_ns() < w->end_ns && w->writes < REQUESTS_MAX &&
                         !__atomic_load_n(&count.stop, __ATOMIC_RELAXED);
         n++) {
        bool later = __atomic_load_n(&count.mark, __ATOMIC_RELAXED);
        int faults = __atomic_load_n(&count.faults, __ATOMIC_RELAXED);
        prax_session *s = prax_session_open(w->db);
        int rc = n % 4 == 0 ? write_request(w, s) : read_request(s, n);
        later = later && faults == __atomic_load_n(&count.faults, __ATOMIC_RELAXED);
        add(&count.requests);
        if (later)
            add(&count.later);
        if (rc < 0) {
            show_first(s);
            add(&count.failed);
            if (later)
                add(&count.later_failed);
        }
        prax_session_close(s);
    }
    return NULL;
}

/* ---- the reckoning ---- */

struct verdicts {
    unsigned doubt, lost, doubled, ghosts, torn;
};

/* rows[i]: of write i of a worker. */
static int count_rows(prax_session *s, const struct worker *w, uint8_t *rows)
{
    char start[16];
    int end = snprintf(start, sizeof start, "%d-", w->number);
    memset(rows, 0, REQUESTS_MAX);
    blog_post_each(p, s, .where.title = prax_starts(start), .select = { .title = 1 })
    {
        unsigned long n = strtoul(p->title + end, NULL, 10);
        if (n < REQUESTS_MAX && rows[n] < 255)
            rows[n]++;
    }
    return prax_error_code(s);
}

static void judge(const struct worker *w, const uint8_t *rows, struct verdicts *v)
{
    for (unsigned i = 0; i < REQUESTS_MAX; i++) {
        bool done = i < w->writes && w->verdicts[i] == COMMITTED;
        bool doubt = i < w->writes && w->verdicts[i] == DOUBT;
        v->doubt += doubt;
        v->lost += done && rows[i] == 0;
        v->doubled += rows[i] > ROWS;
        v->ghosts += !done && !doubt && rows[i] != 0;
        v->torn += rows[i] != 0 && rows[i] < ROWS;
    }
}

static int reckon(prax_db *db, const struct worker *workers, int n, struct verdicts *v)
{
    uint8_t *rows = malloc(REQUESTS_MAX);
    prax_session *s = prax_session_open(db);
    int rc = rows && s ? 0 : PRAX_ENOMEM;
    for (int i = 0; i < n && rc == 0; i++) {
        rc = count_rows(s, &workers[i], rows);
        judge(&workers[i], rows, v);
    }
    if (rc < 0)
        prax_fail(s, "reckoning");
    prax_session_close(s);
    free(rows);
    return rc;
}

static void *listen_to(void *arg)
{
    char line[32];
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "fault\n") == 0) {
            __atomic_store_n(&count.mark, 0, __ATOMIC_RELAXED);
            __atomic_add_fetch(&count.faults, 1, __ATOMIC_RELAXED);
        }
        if (strcmp(line, "mark\n") == 0)
            __atomic_store_n(&count.mark, 1, __ATOMIC_RELAXED);
        if (strcmp(line, "stop\n") == 0)
            __atomic_store_n(&count.stop, 1, __ATOMIC_RELAXED);
    }
    return arg;
}

int main(int argc, char **argv)
{
    prax_db *db = NULL;
    pthread_t listener;
    struct verdicts v = { 0 };
    int n = argc == 4 ? atoi(argv[2]) : 0;
    struct worker *workers = calloc(THREADS_MAX, sizeof *workers);
    if (n < 1 || n > THREADS_MAX || !workers) {
        fprintf(stderr, "usage: load URL THREADS SECONDS\n");
        return 2;
    }
    if (prax_db_open(&db, .url = argv[1], .pool_max = 8, .acquire_ms = 20000, .busy_ms = 20000,
                     .warm = 8) < 0 ||
        blog_create_tables(db) < 0) {
        fprintf(stderr, "load: %s\n", prax_db_error(db)->message);
        return 2;
    }
    puts("ready");
    fflush(stdout);
    if (pthread_create(&listener, NULL, listen_to, NULL) == 0)
        pthread_detach(listener);
    uint64_t end_ns = pxi_clock_ns() + (uint64_t)(atof(argv[3]) * 1e9);
    for (int i = 0; i < n; i++) {
        workers[i].db = db;
        workers[i].number = i;
        workers[i].end_ns = end_ns;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            return 2;
    }
    for (int i = 0; i < n; i++)
        pthread_join(workers[i].thread, NULL);
    if (reckon(db, workers, n, &v) < 0)
        return 2;
    printf("requests %lu, failed %lu, later %lu failed %lu, in doubt %u, lost %u, doubled %u, "
           "ghosts %u, torn %u\n",
           count.requests, count.failed, count.later, count.later_failed, v.doubt, v.lost,
           v.doubled, v.ghosts, v.torn);
    fflush(stdout);
    prax_db_close(db);
    return v.lost || v.doubled || v.ghosts || v.torn;
}

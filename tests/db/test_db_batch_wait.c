/* test_db_batch_wait.c - batches: what must not block does not, and what is given up early, or
 * loses its server, leaves a session and a connection that work. */
#include "tests/db/batch.h"
#include "tests/lib/proxy.h"
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- what must not wait ---- */

/* How often the thread has gone to sleep, whatever for. */
static long sleeps(void)
{
    struct rusage r;
    getrusage(RUSAGE_THREAD, &r);
    return r.ru_nvcsw;
}

struct loop {
    int steps;
    long slept; /* within steps */
};

/* An event loop: only poll waits. What the last step said. */
static int run_loop(prax_batch *b, struct loop *l, uint64_t ms)
{
    uint64_t end = now_ms() + ms;
    int rc = 1;
    *l = (struct loop){ 0, 0 };
    while (now_ms() < end) {
        long before = sleeps();
        rc = prax_batch_step(b);
        l->slept += sleeps() - before;
        l->steps++;
        if (rc != 1)
            break;
        prax_interest i = prax_batch_interest(b);
        struct pollfd fd = { .fd = i.fd, .events = i.events };
        assert_in_range(i.timeout_ms, 0, 50);
        poll(&fd, 1, i.timeout_ms);
    }
    return rc;
}

static void test_pool_is_empty(void **state)
{
    struct fixture *f = *state;
    if (!on_postgres())
        return;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 1, .acquire_ms = 300), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION one = prax_session_open(db);
    PRAX_SESSION two = prax_session_open(db);
    PRAX_BATCH b = prax_batch_open(two);
    struct loop l;
    {
        PRAX_TX(tx, one); /* holds the only connection */
        const blog_user_result *r = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
        uint64_t start = now_ms();
        assert_int_equal(run_loop(b, &l, 2000), PRAX_ETIMEOUT);
        assert_in_range(now_ms() - start, 290, 1000);
        assert_in_range(l.slept, 0, 3); /* but for a lock that somebody has */
        ASSERT_CODE(two, PRAX_ETIMEOUT);
        has_failed(r, PRAX_ETIMEOUT);
        r = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
        assert_int_equal(run_loop(b, &l, 50), 1);
        MUST(one, prax_tx_commit(&tx));
        MUST(two, run_loop(b, &l, 2000));
        is_done(r, 0);
    }
    const blog_user_result *r;
    { /* closed while it waits */
        PRAX_TX(tx, one);
        PRAX_SESSION three = prax_session_open(db);
        PRAX_BATCH waits = prax_batch_open(three);
        r = blog_user_in(waits, PRAX_GET, .key = blog_user_by_id(1));
        assert_int_equal(prax_batch_step(waits), 1);
        assert_true(prax_batch_interest(waits).fd >= 0);
        prax_batch_close(waits);
        waits = NULL;
        has_failed(r, PRAX_ECANCELED);
        MUST(one, prax_tx_commit(&tx));
    }
    assert_int_equal(blog_user_count(two), 0);
}

/* All connections that the pool may open are opened by others than the loop's thread. */
static void test_connects_apart(void **state)
{
    struct fixture *f = *state;
    if (!on_postgres())
        return;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 4), 0);
    assert_int_equal(blog_create_tables(db), 0);
    prax_session *s[4];
    prax_batch *b[4];
    const blog_user_result *r[4];
    long slept = 0;
    int busy = 4;
    for (int i = 0; i < 4; i++) {
        s[i] = prax_session_open(db);
        b[i] = prax_batch_open(s[i]);
        r[i] = (const void *)prax_sql_in(b[i], "SELECT pg_sleep(0.2)");
    }
    uint64_t start = now_ms();
    while (busy) {
        struct pollfd fds[4];
        int timeout = 50;
        busy = 0;
        for (int i = 0; i < 4; i++) {
            long before = sleeps();
            busy += prax_batch_step(b[i]) == 1;
            slept += sleeps() - before;
            prax_interest want = prax_batch_interest(b[i]);
            fds[i] = (struct pollfd){ .fd = want.fd, .events = want.events };
            timeout = want.fd >= 0 && want.timeout_ms < timeout ? want.timeout_ms : timeout;
        }
        if (busy)
            poll(fds, 4, timeout);
    }
    assert_in_range(now_ms() - start, 190, 8000);
    assert_in_range(slept, 0, 20);
    for (int i = 0; i < 4; i++) {
        is_done(r[i], 0);
        prax_batch_close(b[i]);
        prax_session_close(s[i]);
    }
}

/* More than sockets hold, in both directions at once. */
static void test_large_values(void **state)
{
    enum { N = 100, SIZE = 100000 };
    struct fixture *f = *state;
    prax_session *s = f->s;
    char *text = malloc(SIZE + 1);
    assert_non_null(text);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    const blog_post_result *made[N], *read[N];
    PRAX_BATCH b = prax_batch_open(s);
    for (int i = 0; i < N; i++) {
        text[0] = (char)('a' + i % 26);
        made[i] = blog_post_in(b, PRAX_CREATE,
                               .create = &(blog_post_new){ .title = text, .author_id = i });
        read[i] = blog_post_in(b, PRAX_FIND_MANY,
                               .query = blog_post_q(.where = { .author_id = prax_eq(i) }));
    }
    struct loop l;
    MUST(s, run_loop(b, &l, 60000));
    for (int i = 0; i < N; i++) {
        is_done(made[i], 1);
        is_done(read[i], 1);
        assert_int_equal(strlen(read[i]->rows->items[0].title), SIZE);
        assert_int_equal(read[i]->rows->items[0].title[0], 'a' + i % 26);
    }
    if (on_postgres())
        assert_in_range(l.slept, 0, 20);
    free(text);
}

/* Everything that is out, and more than a window of it. */
static void test_cancel_thousands(void **state)
{
    enum { N = 3000 };
    struct fixture *f = *state;
    prax_session *s = f->s;
    static const prax_result *r[N];
    PRAX_BATCH b = prax_batch_open(s);
    for (int i = 0; i < N; i++)
        r[i] = prax_sql_in(b, on_postgres() ? "SELECT pg_sleep(0.01)" : "SELECT 1");
    for (int i = 0; i < 5; i++)
        assert_int_equal(prax_batch_step(b), 1);
    prax_session_cancel(s);
    uint64_t start = now_ms();
    assert_int_equal(prax_batch_run(b), PRAX_ECANCELED);
    assert_in_range(now_ms() - start, 0, 5000);
    int done = 0;
    for (int i = 0; i < N; i++) {
        assert_true(r[i]->status == 0 || r[i]->status == PRAX_ECANCELED);
        done += r[i]->status == 0;
    }
    assert_in_range(done, 0, 1024);
    assert_int_equal(blog_user_count(s), 0);
}

/* A child may do nothing with it but close it. */
static void test_fork(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    int status = 0;
    PRAX_BATCH b = prax_batch_open(s);
    const blog_user_result *r = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    step_once(b);
    pid_t child = fork();
    if (child == 0) {
        bool good = prax_batch_step(b) == PRAX_EINVAL && prax_batch_run(b) == PRAX_EINVAL &&
                    blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1))->status == PRAX_EINVAL &&
                    !prax_batch_open(s);
        prax_batch_close(b);
        _exit(!good);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    MUST(s, prax_batch_run(b));
    is_done(r, 0);
}

/* ---- an end before the time ---- */

static void test_timeout(void **state)
{
    struct fixture *f = *state;
    if (!on_postgres())
        return;
    PRAX_SESSION s = prax_session_open(f->db, .timeout_ms = 100);
    int64_t pid = backend(s);
    PRAX_BATCH b = prax_batch_open(s);
    const prax_result *quick = prax_sql_in(b, "UPDATE users SET age = 1");
    const prax_result *slow = prax_sql_in(b, "SELECT pg_sleep(10)");
    const blog_user_result *get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    struct loop l;
    uint64_t start = now_ms();
    assert_int_equal(run_loop(b, &l, 3000), PRAX_ETIMEOUT);
    assert_in_range(now_ms() - start, 95, 1000);
    is_done(quick, 0);
    has_failed(slow, PRAX_ETIMEOUT);
    assert_true(get->status == 0 || get->status == PRAX_ETIMEOUT);
    assert_in_range(l.slept, 0, 5);
    get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    MUST(s, prax_batch_run(b));
    is_done(get, 0);
    assert_int_equal(backend(s), pid); /* the connection is the same */
}

static void *cancel_later(void *arg)
{
    nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    prax_session_cancel(arg);
    return NULL;
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    PRAX_BATCH b = prax_batch_open(s);
    const prax_result *r[4];
    if (!on_postgres()) {
        const blog_user_result *get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
        prax_session_cancel(s);
        assert_int_equal(prax_batch_run(b), PRAX_ECANCELED);
        has_failed(get, PRAX_ECANCELED);
        assert_int_equal(blog_user_count(s), 0);
        return;
    }
    int64_t pid = backend(s);
    for (int i = 0; i < 4; i++)
        r[i] = prax_sql_in(b, "SELECT pg_sleep(10)");
    pthread_t t;
    uint64_t start = now_ms();
    assert_int_equal(pthread_create(&t, NULL, cancel_later, s), 0);
    assert_int_equal(prax_batch_run(b), PRAX_ECANCELED);
    ASSERT_CODE(s, PRAX_ECANCELED);
    pthread_join(t, NULL);
    for (int i = 0; i < 4; i++)
        has_failed(r[i], PRAX_ECANCELED);
    assert_in_range(now_ms() - start, 100, 3000);
    assert_int_equal(backend(s), pid);
    {
        PRAX_TX(tx, s);
        r[0] = prax_sql_in(b, "SELECT 1");
        r[1] = prax_sql_in(b, "SELECT pg_sleep(10)");
        r[2] = prax_sql_in(b, "SELECT 2");
        assert_int_equal(pthread_create(&t, NULL, cancel_later, s), 0);
        assert_int_equal(prax_batch_run(b), PRAX_ECANCELED);
        pthread_join(t, NULL);
        is_done(r[0], 0);
        has_failed(r[1], PRAX_ECANCELED);
        has_failed(r[2], PRAX_EABORTED);
        assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
    }
    assert_int_equal(backend(s), pid);
}

static void test_close_early(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    for (int steps = 0; steps < 3; steps++) {
        prax_batch *b = prax_batch_open(s);
        const prax_result *slow =
            prax_sql_in(b, on_postgres() ? "SELECT pg_sleep(10)" : "UPDATE users SET age = 1");
        const blog_user_result *get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
        for (int i = 0; i < steps && on_postgres(); i++)
            assert_int_equal(prax_batch_step(b), 1);
        uint64_t start = now_ms();
        prax_batch_close(b);
        assert_in_range(now_ms() - start, 0, 5000);
        has_failed(slow, PRAX_ECANCELED);
        assert_true(get->status <= 0);
        assert_int_equal(blog_user_count(s), 0);
    }
    prax_session *other = prax_session_open(f->db);
    prax_batch *b = prax_batch_open(other);
    const prax_result *r = prax_sql_in(b, "SELECT 1");
    assert_int_equal(r->status, 1);
    assert_true(prax_batch_step(b) >= 0);
    prax_session_close(other);
    prax_batch_close(b);
}

/* ---- a server that goes away ---- */

static void test_killed(void **state)
{
    struct fixture *f = *state;
    if (!on_postgres())
        return;
    PRAX_SESSION s = prax_session_open(f->db);
    PRAX_SESSION rests = prax_session_open(f->db);
    assert_int_equal(blog_user_count(rests), 0);
    int64_t pid = backend(s);
    char sql[80];
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 5000)", (int)pid);
    PRAX_BATCH b = prax_batch_open(s);
    const prax_result *quick = prax_sql_in(b, "UPDATE users SET age = 1");
    const prax_result *slow = prax_sql_in(b, "SELECT pg_sleep(10)");
    const blog_user_result *get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    struct loop l;
    assert_int_equal(run_loop(b, &l, 200), 1);
    assert_true(pg_exec(sql));
    assert_int_equal(run_loop(b, &l, 5000), PRAX_ECONN);
    is_done(quick, 0);
    has_failed(slow, PRAX_ECONN);
    has_failed(get, PRAX_ECONN);
    assert_false(slow->error->retryable);
    get = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(1));
    MUST(s, prax_batch_run(b));
    is_done(get, 0);
    /* one that rested meanwhile is asked before it works, and not waited for */
    PRAX_BATCH asks = prax_batch_open(rests);
    get = blog_user_in(asks, PRAX_GET, .key = blog_user_by_id(1));
    MUST(rests, run_loop(asks, &l, 5000));
    assert_in_range(l.slept, 0, 5);
    is_done(get, 0);
    /* in a transaction */
    PRAX_TX(tx, s);
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d, 5000)", (int)backend(s));
    slow = prax_sql_in(b, "SELECT pg_sleep(10)");
    assert_int_equal(run_loop(b, &l, 200), 1);
    assert_true(pg_exec(sql));
    assert_int_equal(run_loop(b, &l, 5000), PRAX_ECONN);
    has_failed(slow, PRAX_ECONN);
    assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
    prax_tx_end(&tx);
    assert_int_equal(blog_user_count(s), 0);
}

/* A network that is silent for a while: steps do not wait for it, only poll does. */
static void test_silent_network(void **state)
{
    struct fixture *f = *state;
    char server[108], dir[64], url[PG_URL + 64];
    if (!on_postgres() || !strstr(f->url, "host="))
        return; /* the proxy stands before a unix socket */
    snprintf(server, sizeof server, "%s", strstr(f->url, "host=") + 5);
    server[strcspn(server, "&")] = '\0';
    proxy_start(server, dir);
    snprintf(url, sizeof url, "postgresql://postgres@/postgres?host=%s%s", dir,
             strchr(strstr(f->url, "host="), '&'));
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = url, .pool_max = 2), 0);
    PRAX_SESSION s = prax_session_open(db);
    assert_int_equal(blog_user_count(s), 0);
    struct loop l;
    for (unsigned at = 1; at < 6; at++) {
        PRAX_BATCH b = prax_batch_open(s);
        const blog_user_result *r[50];
        proxy_set(&(struct proxy_rules){ .chunk = 100, .delay_us = 200 });
        for (int i = 0; i < 50; i++)
            r[i] = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(i));
        MUST(s, run_loop(b, &l, 20000));
        is_done(r[49], 0);
        assert_in_range(l.slept, 0, 5);
        proxy_set(&(struct proxy_rules){ .event = PROXY_HOLE, .at = at, .hole_ms = 300 });
        for (int i = 0; i < 50; i++)
            r[i] = blog_user_in(b, PRAX_GET, .key = blog_user_by_id(i));
        int rc = run_loop(b, &l, 20000);
        assert_in_range(l.slept, 0, 5);
        assert_true(rc == 0 || rc == PRAX_ECONN);
        for (int i = 0; i < 50; i++)
            assert_true(r[i]->status == 0 || r[i]->status == PRAX_ECONN);
        proxy_set(&(struct proxy_rules){ .event = PROXY_PASS });
        int64_t n;
        for (int tries = 0; (n = blog_user_count(s)) < 0 && tries < 10;)
            tries++;
        assert_int_equal(n, 0);
    }
    prax_session_close(s);
    prax_db_close(db);
    s = NULL;
    db = NULL;
    proxy_stop();
}

static const struct CMUnitTest tests[] = {
    DB_OWN(test_pool_is_empty),     DB_OWN(test_connects_apart), DB_TEST(test_large_values),
    DB_TEST(test_cancel_thousands), DB_TEST(test_fork),          DB_TEST(test_timeout),
    DB_TEST(test_cancel),           DB_TEST(test_close_early),   DB_TEST(test_killed),
    DB_TEST(test_silent_network),
};
DB_MAIN(tests)

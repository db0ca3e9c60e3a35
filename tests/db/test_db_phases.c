/* test_db_phases.c - where the time of an operation goes, on every database: the record of each
 * verb has its phases when somebody listens; waiting for the network is the database's work.
 */
#include "orm/client/client.h"
#include "tests/db/db.h"
#include "usdt/probe.h"
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

enum { MS = 1000000 };

static void listen_to_all(int by)
{
    prax_query_one__done_semaphore = (uint16_t)(prax_query_one__done_semaphore + by);
    prax_query_many__done_semaphore = (uint16_t)(prax_query_many__done_semaphore + by);
    prax_execute_insert__done_semaphore = (uint16_t)(prax_execute_insert__done_semaphore + by);
    prax_execute_update__done_semaphore = (uint16_t)(prax_execute_update__done_semaphore + by);
    prax_execute_delete__done_semaphore = (uint16_t)(prax_execute_delete__done_semaphore + by);
    prax_raw_sql_query__done_semaphore = (uint16_t)(prax_raw_sql_query__done_semaphore + by);
    prax_raw_sql_execute__done_semaphore = (uint16_t)(prax_raw_sql_execute__done_semaphore + by);
}

static int setup(void **state)
{
    int rc = db_setup(state);
    listen_to_all(1);
    return rc;
}

static int teardown(void **state)
{
    listen_to_all(-1);
    return db_teardown(state);
}

#define PHASE(s, name) ((s)->rec.phase_ns[PRAX_PHASE_##name])

/* What every operation has passed through, and what it is called. */
static void check(const prax_session *s, enum prax_usdt_verb verb, bool first)
{
    const struct prax_op_record *r = &s->rec;
    uint64_t sum = 0;
    assert_int_equal(r->verb, verb);
    assert_true(r->flags & PRAX_OP_TIMED);
    assert_int_not_equal(r->conn_id, 0);
    assert_int_not_equal(r->fingerprint, 0);
    assert_true(r->phase_ns[PRAX_PHASE_BUILD] > 0);
    assert_true(r->phase_ns[PRAX_PHASE_BIND] > 0);
    assert_true(r->phase_ns[PRAX_PHASE_EXECUTE] > 0);
    assert_true((r->phase_ns[PRAX_PHASE_PREPARE] > 0) == first);
    for (int i = 0; i < PRAX_PHASES; i++)
        sum += r->phase_ns[i];
    assert_true(sum <= pxi_clock_ns() - r->start_ns);
}

static void test_verbs(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    for (int i = 0; i < 2; i++) {
        bool first = i == 0;
        char label[16];
        snprintf(label, sizeof label, "%d", i);
        const blog_tag *t = blog_tag_create(s, .label = label);
        assert_non_null(t);
        check(s, PRAX_USDT_INSERT, first);
        assert_non_null(blog_tag_get(s, blog_tag_by_id(t->id)));
        check(s, PRAX_USDT_QUERY_ONE, first);
        assert_true(PHASE(s, MAP) > 0);
        assert_non_null(blog_tag_find_many(s));
        check(s, PRAX_USDT_QUERY_MANY, first);
        assert_true(PHASE(s, MAP) > 0);
        assert_int_equal(blog_tag_count(s), i + 1);
        check(s, PRAX_USDT_QUERY_ONE, first);
        assert_int_equal(blog_tag_update(s, blog_tag_by_id(t->id), .label = prax_set(label)), 1);
        check(s, PRAX_USDT_UPDATE, first);
        assert_int_equal(blog_tag_delete(s, blog_tag_by_id(t->id + 100)), 0);
        check(s, PRAX_USDT_DELETE, first);
        assert_int_equal(prax_sql_exec(s, "UPDATE tags SET label = label WHERE id = ?", t->id), 1);
        check(s, PRAX_USDT_RAW_EXECUTE, first);
    }
}

/* A cursor's phases are its own record's, over all calls of next. */
static void test_cursor(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        char label[16];
        snprintf(label, sizeof label, "%d", i);
        assert_non_null(blog_tag_create(f->s, .label = label));
    }
    const void *row;
    prax_cursor *c = blog_tag_open(f->s);
    assert_non_null(c);
    while (prax_gen_next(c, &row) == 1)
        ;
    assert_int_equal(c->rec.verb, PRAX_USDT_QUERY_MANY);
    assert_int_equal(c->rec.rows, 3);
    assert_true(c->rec.phase_ns[PRAX_PHASE_EXECUTE] > 0);
    assert_true(c->rec.phase_ns[PRAX_PHASE_MAP] > 0);
    assert_true(c->rec.open_ns > 0);
    prax_cursor_close(c);
}

/* The server sleeps: that is execution, whatever the driver waits in. */
static void test_network_is_execution(void **state)
{
    struct fixture *f = *state;
    if (db_place != DB_POSTGRES)
        return;
    prax_session *s = f->s;
    assert_int_equal(prax_sql_exec(s, "SELECT pg_sleep(0.08)"), 0);
    assert_true(PHASE(s, EXECUTE) >= 80 * (uint64_t)MS);
    assert_true(PHASE(s, BIND) < 40 * (uint64_t)MS);
    assert_true(PHASE(s, PREPARE) < 60 * (uint64_t)MS);
    prax_cursor *c = prax_sql_open(s, "SELECT n, pg_sleep(0.02) FROM generate_series(1, 4) AS n");
    assert_non_null(c);
    while (prax_cursor_next(c) == 1)
        ;
    assert_true(c->rec.phase_ns[PRAX_PHASE_EXECUTE] >= 80 * (uint64_t)MS);
    prax_cursor_close(c);
}

struct holder {
    prax_session *session;
    const prax_session *waiter;
    sem_t holds;
};

/* The one connection, until the other session has waited for 20 ms. */
static void *hold(void *arg)
{
    struct holder *h = arg;
    struct timespec t = { .tv_nsec = 20 * MS }, tick = { .tv_nsec = MS };
    prax_tx tx = prax_tx_begin_with(h->session, PRAX_ARGS(prax_tx_opts, .read_only = true));
    sem_post(&h->holds);
    while (__atomic_load_n(&h->waiter->rec.phase, __ATOMIC_RELAXED) != PRAX_PHASE_WAIT)
        nanosleep(&tick, NULL);
    nanosleep(&t, NULL);
    prax_tx_end(&tx);
    return NULL;
}

static void test_waiting_for_the_pool(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 1), 0);
    PRAX_SESSION a = prax_session_open(db);
    PRAX_SESSION b = prax_session_open(db);
    pthread_t thread;
    struct holder h = { .session = a, .waiter = b };
    assert_int_equal(sem_init(&h.holds, 0, 0), 0);
    assert_int_equal(prax_sql_exec(b, "SELECT 1"), 0);
    assert_int_equal(pthread_create(&thread, NULL, hold, &h), 0);
    sem_wait(&h.holds);
    assert_int_equal(prax_sql_exec(b, "SELECT 1"), 0);
    pthread_join(thread, NULL);
    sem_destroy(&h.holds);
    assert_true(PHASE(b, WAIT) >= 15 * (uint64_t)MS);
    assert_true(PHASE(b, EXECUTE) < PHASE(b, WAIT));
}

#define PHASE_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
static const struct CMUnitTest tests[] = {
    PHASE_TEST(test_verbs),
    PHASE_TEST(test_cursor),
    PHASE_TEST(test_network_is_execution),
    PHASE_TEST(test_waiting_for_the_pool),
};
DB_MAIN(tests)

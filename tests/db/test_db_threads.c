/* test_db_threads.c - more threads than connections, waiting, self-deadlock, plans made at once. */
#include "orm/base/clock.h"
#include "tests/db/db.h"
#include <pthread.h>
#include <time.h>

enum { THREADS = 4, ROUNDS = 150 };

struct worker {
    prax_db *db;
    int id, done, code;
    char message[200];
};

static int one_round(prax_session *s, const struct worker *w, int i)
{
    PRAX_SCOPE(s);
    char label[32];
    snprintf(label, sizeof label, "w%d-%d", w->id, i);
    if (i % 10 == 0) {
        PRAX_TX(tx, s);
        if (tx.code < 0 || !blog_tag_create(s, .label = label))
            return prax_error_code(s);
        return prax_tx_commit(&tx);
    }
    if (blog_tag_count(s, .where.label = prax_starts("w"), .take = 1 + (uint32_t)i % 3) < 0)
        return prax_error_code(s);
    int n = 0;
    blog_tag_each(t, s, .take = 5) n += t->id > 0;
    return n > 5 ? PRAX_ELIMIT : prax_error_code(s);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    prax_session *s = prax_session_open(w->db);
    for (int i = 0; i < ROUNDS && w->code >= 0; i++) {
        w->code = one_round(s, w, i);
        w->done += w->code >= 0;
    }
    snprintf(w->message, sizeof w->message, "%s", prax_error_get(s)->message);
    prax_session_close(s);
    return NULL;
}

static void test_four_threads_two_connections(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    assert_int_equal(
        prax_db_open(&db, .url = f->url, .pool_max = 2, .acquire_ms = 20000, .busy_ms = 20000), 0);
    assert_int_equal(blog_create_tables(db), 0);
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){ .db = db, .id = i };
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].done != ROUNDS)
            fail_msg("worker %d: %d rounds: %s", i, workers[i].done, workers[i].message);
    }
    PRAX_SESSION s = prax_session_open(db);
    assert_int_equal(blog_tag_count(s), THREADS * ROUNDS / 10);
}

/* Sessions that rest keep their connection only while nobody wants it. */
static void test_resting_sessions_starve_nobody(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 1, .acquire_ms = 100), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION a = prax_session_open(db);
    PRAX_SESSION b = prax_session_open(db);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(blog_tag_count(a), 0);
        assert_int_equal(blog_tag_count(b), 0);
    }
}

static void test_self_deadlock(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 1, .acquire_ms = 30), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION a = prax_session_open(db);
    PRAX_SESSION b = prax_session_open(db);
    PRAX_TX(tx, a);
    assert_int_equal(blog_tag_count(b), PRAX_ETIMEOUT);
    assert_non_null(strstr(prax_error_get(b)->message, "while it holds one"));
    assert_int_equal(prax_tx_commit(&tx), 0);
    assert_int_equal(blog_tag_count(b), 0);
    /* a session that waits can be cancelled, and has its own deadline */
    PRAX_TX(again, a);
    prax_session_cancel(b);
    assert_int_equal(blog_tag_count(b), PRAX_ECANCELED);
    PRAX_SESSION c = prax_session_open(db, .timeout_ms = 5);
    assert_int_equal(blog_tag_count(c), PRAX_ETIMEOUT);
}

static void *hold(void *arg)
{
    prax_session *s = arg;
    struct timespec t = { .tv_nsec = 50000000 };
    prax_tx tx = prax_tx_begin_with(s, PRAX_ARGS(prax_tx_opts, .read_only = true));
    assert_int_equal(blog_tag_count(s), 0);
    nanosleep(&t, NULL);
    prax_tx_end(&tx);
    return NULL;
}

/* Who waits gets the connection when its holder gives it back. */
static void test_hand_over(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 1), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION a = prax_session_open(db);
    PRAX_SESSION b = prax_session_open(db);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hold, a), 0);
    for (int i = 0; i < 20; i++) {
        struct timespec t = { .tv_nsec = 5000000 };
        assert_int_equal(blog_tag_count(b), 0);
        nanosleep(&t, NULL);
    }
    pthread_join(thread, NULL);
}

/* The handle may be closed first: sessions keep it alive. */
static void test_close_first(void **state)
{
    struct fixture *f = *state;
    prax_db *db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 1), 0);
    assert_int_equal(blog_create_tables(db), 0);
    prax_session *a = prax_session_open(db);
    prax_session *b = prax_session_open(db);
    assert_int_equal(blog_tag_count(a), 0);
    prax_db_close(db);
    assert_int_equal(blog_tag_count(a), 0); /* it has its connection */
    assert_int_equal(blog_tag_count(b), PRAX_ECONN);
    prax_session_close(a);
    prax_session_close(b);
}

static const struct CMUnitTest tests[] = {
    DB_OWN(test_four_threads_two_connections),
    DB_OWN(test_resting_sessions_starve_nobody),
    DB_OWN(test_self_deadlock),
    DB_OWN(test_hand_over),
    DB_OWN(test_close_first),
};
DB_MAIN(tests)

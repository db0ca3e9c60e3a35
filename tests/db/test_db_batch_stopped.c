/* test_db_batch_stopped.c - batches on a server that does nothing any more: its process is stopped,
 * so it neither answers, nor ends what it was asked to end, nor hangs up. Deadline, cancel and
 * close come through all the same, and then the session works, on another connection.
 *
 * PRAX_TEST_POSTMASTER is the process of a server of our own, which is stopped, too: then a cancel
 * is answered by nobody, either. test_db_batch_tls.sh sets it.
 */
#include "tests/db/batch.h"
#include <errno.h>
#include <signal.h>

enum { BLOCK = 8, LIMIT_MS = 1000 };
enum way { CANCEL, TIMEOUT, CLOSE };

/* Gets that are one statement, and some that are none. */
static void put(prax_batch *b, const blog_user_result **r)
{
    for (int i = 0; i < BLOCK; i++) {
        r[i] = i < BLOCK - 2
                   ? blog_user_in(b, PRAX_GET, .key = blog_user_by_id(i))
                   : blog_user_in(b, PRAX_COUNT, .query = blog_user_q(.where.age = prax_eq(i)));
    }
}

static void run_block(prax_session *s)
{
    const blog_user_result *r[BLOCK];
    PRAX_BATCH b = prax_batch_open(s);
    put(b, r);
    MUST(s, prax_batch_run(b));
    for (int i = 0; i < BLOCK; i++)
        assert_int_equal(r[i]->status, 0);
}

/* The server's processes, which may be ours to stop. */
struct stopped {
    pid_t backend, postmaster;
};

static bool stop(struct stopped *p, prax_session *s, bool all)
{
    const char *postmaster = getenv("PRAX_TEST_POSTMASTER");
    *p = (struct stopped){ .backend = backend(s) };
    if (all)
        p->postmaster = postmaster ? (pid_t)strtol(postmaster, NULL, 10) : 0;
    if ((all && p->postmaster == 0) || kill(p->backend, SIGSTOP) < 0)
        return false; /* on another machine, or another user's */
    assert_int_equal(all ? kill(p->postmaster, SIGSTOP) : 0, 0);
    return true;
}

static void go_on(const struct stopped *p)
{
    kill(p->backend, SIGCONT);
    if (p->postmaster)
        kill(p->postmaster, SIGCONT);
}

static void check_end(struct fixture *f, enum way way, bool all, bool in_tx)
{
    int code = way == TIMEOUT ? PRAX_ETIMEOUT : PRAX_ECANCELED;
    const blog_user_result *r[BLOCK];
    struct stopped p;
    PRAX_SESSION s = prax_session_open(f->db, .timeout_ms = way == TIMEOUT ? LIMIT_MS : 0);
    prax_tx tx = { .session = NULL };
    if (in_tx)
        tx = prax_tx_begin_with(s, &(prax_tx_opts){ .size = sizeof tx });
    run_block(s); /* it is prepared */
    if (stop(&p, s, all)) {
        prax_batch *b = prax_batch_open(s);
        put(b, r);
        for (int i = 0; i < 3; i++)
            assert_int_equal(prax_batch_step(b), 1);
        uint64_t start = now_ms();
        if (way == CANCEL)
            prax_session_cancel(s);
        int rc = way == CLOSE ? code : prax_batch_run(b);
        prax_batch_close(b);
        uint64_t took = now_ms() - start;
        go_on(&p);
        assert_int_equal(rc, code);
        for (int i = 0; i < BLOCK; i++)
            assert_int_equal(r[i]->status, code);
        /* 100 ms; 2 s for a server to stop, and what a machine that does other things takes */
        assert_in_range(took, 0, way == CLOSE ? 1500 : 15000);
        if (in_tx)
            assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
    }
    prax_tx_end(&tx);
    PRAX_SESSION other = prax_session_open(f->db);
    run_block(way == TIMEOUT ? other : s);
}

static void test_backend_stops(void **state)
{
    struct fixture *f = *state;
    for (enum way way = CANCEL; way <= CLOSE && on_postgres(); way++) {
        check_end(f, way, false, false);
        check_end(f, way, false, true);
    }
}

static void test_server_stops(void **state)
{
    struct fixture *f = *state;
    for (enum way way = CANCEL; way <= CLOSE && on_postgres(); way++) {
        check_end(f, way, true, false);
        check_end(f, way, true, true);
    }
}

static const struct CMUnitTest tests[] = {
    DB_TEST(test_backend_stops),
    DB_TEST(test_server_stops),
};
DB_MAIN(tests)

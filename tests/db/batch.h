/* batch.h - what the tests of batches share. */
#ifndef PRAX_TESTS_BATCH_H
#define PRAX_TESTS_BATCH_H
#include "tests/db/db.h"
#include <time.h>

static inline uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The server's process of the session. */
static inline pid_t backend(prax_session *s)
{
    PRAX_CLEAN(prax_cursor_cleanup_)
    prax_cursor *c = prax_sql_open(s, "SELECT pg_backend_pid()");
    assert_int_equal(prax_cursor_next(c), 1);
    return (pid_t)prax_col_i64(c, 0);
}

/* Users 1 to n, with the emails u1@x and so on, and their number as their age. */
static inline void add_users(prax_session *s, int n)
{
    for (int i = 1; i <= n; i++) {
        char email[32];
        snprintf(email, sizeof email, "u%d@x", i);
        const blog_user *u = blog_user_create(s, .email = email, .age = prax_set(i));
        if (!u)
            fail_msg("%s", prax_error_get(s)->message);
        assert_int_equal(u->id, i);
    }
}

/* A handle as it should be. */
static inline void is_done(const void *handle, int64_t count)
{
    const prax_result *r = handle;
    if (r->status != 0)
        fail_msg("status %d: %s", r->status, r->error ? r->error->message : "no error");
    assert_null(r->error);
    assert_int_equal(r->count, count);
}

static inline void has_failed(const void *handle, int code)
{
    const prax_result *r = handle;
    if (r->status != code)
        fail_msg("status %d in place of %d: %s", r->status, code,
                 r->error ? r->error->message : "no error");
    assert_non_null(r->error);
    assert_int_equal(r->error->code, code);
    assert_true(*r->error->message);
    assert_null(r->rows);
    assert_int_equal(r->count, 0);
}

/* On a network an entry is out, unless the server was faster. */
static inline void step_once(prax_batch *b)
{
    if (on_postgres())
        assert_in_range(prax_batch_step(b), 0, 1);
}

#endif

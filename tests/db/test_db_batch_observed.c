/* test_db_batch_observed.c - batches: whose memory they hold, every allocation failing, and what
 * observers are told of them. */
#include "tests/db/batch.h"
#include "usdt/stats.h"

/* ---- memory ---- */

struct counter {
    size_t calls, fail_at; /* atomic: connections are opened by threads of their own */
    int64_t live;
};

static void *counted(void *ctx, void *p, size_t old_size, size_t size)
{
    struct counter *c = ctx;
    if (size == 0) {
        __atomic_sub_fetch(&c->live, (int64_t)(p ? old_size : 0), __ATOMIC_RELAXED);
        free(p);
        return NULL;
    }
    if (__atomic_add_fetch(&c->calls, 1, __ATOMIC_RELAXED) == c->fail_at)
        return NULL;
    void *q = realloc(p, size);
    if (q)
        __atomic_add_fetch(&c->live, (int64_t)size - (int64_t)(p ? old_size : 0), __ATOMIC_RELAXED);
    return q;
}

static int memory_or(const void *handle, int64_t count)
{
    const prax_result *r = handle;
    if (r->status == PRAX_ENOMEM) {
        assert_int_equal(r->error->code, PRAX_ENOMEM);
        return PRAX_ENOMEM;
    }
    is_done(r, count);
    return 0;
}

/* Gets that are sent as one, again and again: as use_batch. */
static int use_gets(prax_session *s, prax_batch *b)
{
    const blog_user_result *r[6];
    int rc = 0;
    for (int round = 0; round < 3 && rc == 0; round++) {
        for (int i = 0; i < 6; i++)
            r[i] = blog_user_in(b, PRAX_GET, .key = blog_user_by_email(i % 2 ? "c" : "none"));
        rc = prax_batch_run(b);
        ASSERT_CODE(s, rc);
        for (int i = 0; i < 6 && rc == 0; i++)
            rc = memory_or(r[i], i % 2);
    }
    return rc;
}

/* The first error, which must be ENOMEM. */
static int use_batch(prax_session *s)
{
    const blog_user_new two[] = { { .email = "c" }, { .email = "d" } };
    PRAX_BATCH b = prax_batch_open(s);
    if (!b) {
        ASSERT_CODE(s, PRAX_ENOMEM);
        return PRAX_ENOMEM;
    }
    const blog_user_result *many = blog_user_in(b, PRAX_CREATE_MANY, .create = two, .n = 2);
    int rc = many->status < 0 ? many->status : prax_batch_run(b);
    if (rc == 0)
        rc = memory_or(many, 2);
    if (rc == 0)
        rc = use_gets(s, b);
    for (int i = 0; i < 10 && rc == 0; i++) {
        blog_user_query q = { .size = sizeof q, .take = 1, .skip = (uint32_t)i % 2 };
        q.select.email = i > 4;
        const blog_user_result *first = blog_user_in(b, PRAX_FIND_MANY, .query = &q);
        const blog_user_result *get = blog_user_in(b, PRAX_GET, .key = blog_user_by_email("c"));
        if (first->status == PRAX_ENOMEM || get->status == PRAX_ENOMEM)
            return PRAX_ENOMEM;
        rc = prax_batch_run(b);
        if (rc == 0 && (rc = memory_or(first, 1)) == 0)
            rc = memory_or(get, 1);
    }
    return rc;
}

static int use_all(const char *url, const prax_alloc *alloc)
{
    PRAX_DB db = NULL;
    int rc = prax_db_open(&db, .url = url, .alloc = alloc, .stmt_cache = 3);
    if (rc == 0)
        rc = blog_create_tables(db);
    if (rc < 0)
        return rc;
    PRAX_SESSION s = prax_session_open(db);
    return s ? use_batch(s) : PRAX_ENOMEM;
}

static void test_every_allocation_fails(void **state)
{
    size_t n = 0;
    int rc;
    (void)state;
    do {
        struct counter c = { .fail_at = ++n };
        const prax_alloc alloc = { counted, &c };
        void *place = NULL;
        assert_int_equal(db_setup_own(&place), 0);
        rc = use_all(((struct fixture *)place)->url, &alloc);
        db_teardown(&place);
        if (c.live != 0)
            fail_msg("allocation %zu failed: %lld bytes are left", n, (long long)c.live);
        assert_true(rc == 0 || rc == PRAX_ENOMEM);
        if (rc == 0 && c.calls >= n)
            rc = PRAX_ENOMEM; /* something did without it */
    } while (rc == PRAX_ENOMEM);
    assert_true(n > 10);
}

/* What a batch returns belongs to the session when it is closed: a mark frees it. */
static void test_marks(void **state)
{
    struct fixture *f = *state;
    struct counter c = { 0 };
    const prax_alloc alloc = { counted, &c };
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .alloc = &alloc), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION s = prax_session_open(db, .arena_max = 1 << 20);
    int64_t live = 0;
    for (int i = 0; i < 20; i++) {
        PRAX_SCOPE(s);
        PRAX_BATCH b = prax_batch_open(s);
        const blog_user_result *r[20];
        for (int k = 0; k < 20; k++) {
            PRAX_SCOPE(s); /* takes nothing from a batch that is open */
            assert_non_null(prax_keep(s, "mine", 5));
            r[k] = blog_user_in(b, PRAX_COUNT, .query = blog_user_q(.where.email = prax_eq("x")));
        }
        MUST(s, prax_batch_run(b));
        for (int k = 0; k < 20; k++)
            is_done(r[k], 0);
        live = i == 1 ? c.live : live;
        assert_true(i < 2 || c.live == live);
    }
    PRAX_BATCH b = prax_batch_open(s);
    const blog_user_result *r;
    do { /* the session's limit holds for both together */
        r = blog_user_in(b, PRAX_COUNT, .query = blog_user_q(.take = 0));
    } while (r->status == 1);
    has_failed(r, PRAX_ELIMIT);
}

/* ---- observers ---- */

struct logged {
    int n, code;
    enum prax_verb verb;
    char sql[100];
};

static void log_last(void *ctx, const prax_event *ev)
{
    struct logged *l = ctx;
    l->n++;
    l->code = ev->code;
    l->verb = ev->verb;
    snprintf(l->sql, sizeof l->sql, "%s", ev->sql ? ev->sql : "");
}

static void test_observed(void **state)
{
    struct fixture *f = *state;
    struct logged log = { 0 };
    PRAX_DB db = NULL;
    assert_int_equal(
        prax_db_open(&db, .url = f->url, .log = log_last, .log_ctx = &log, .slow_ms = 80), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION s = prax_session_open(db);
    const struct prax_stats *st = pxi_stats_here();
    uint64_t creates = st->operations[PRAX_USDT_INSERT];
    uint64_t errors = st->errors[-PRAX_EUNIQUE];
    PRAX_BATCH b = prax_batch_open(s);
    const blog_user_result *r[3];
    for (int i = 0; i < 3; i++)
        r[i] = blog_user_in(b, PRAX_CREATE, .create = &(blog_user_new){ .email = i ? "a" : "b" });
    log.n = 0;
    MUST(s, prax_batch_run(b));
    has_failed(r[2], PRAX_EUNIQUE);
    assert_string_equal(r[2]->error->table, "users");
    assert_non_null(r[2]->error->sql);
    assert_int_equal(log.code, PRAX_EUNIQUE);
    assert_int_equal(log.verb, PRAX_CREATE);
    assert_memory_equal(log.sql, "INSERT", 6);
    assert_int_equal(st->operations[PRAX_USDT_INSERT] - creates, 3);
    assert_int_equal(st->errors[-PRAX_EUNIQUE] - errors, 1);
    if (!on_postgres())
        return;
    const prax_result *slow = prax_sql_in(b, "SELECT pg_sleep(0.1)");
    MUST(s, prax_batch_run(b));
    is_done(slow, 0);
    assert_int_equal(log.code, 0);
    assert_int_equal(log.verb, PRAX_RAW_EXEC);
}

static const struct CMUnitTest tests[] = {
    DB_OWN(test_every_allocation_fails),
    DB_OWN(test_marks),
    DB_OWN(test_observed),
};
DB_MAIN(tests)

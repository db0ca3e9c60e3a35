/* test_db_stats.c - what an observer sees: counters equal to the operations done, the thread's
 * context set inside the library and nowhere else, the record whole. Semaphores are set by hand, as
 * the kernel does; that the probes themselves arrive is tested from the kernel in tests/bpf.
 */
#include "tests/db/db.h"
#include "usdt/context.h"
#include "usdt/probe.h"
#include "usdt/stats.h"

static struct prax_stats sum(void)
{
    struct prax_stats all = { 0 };
    uint64_t at = __atomic_load_n(pxi_abi_stats_head(), __ATOMIC_ACQUIRE);
    while (at) {
        const struct prax_stats *s = (const struct prax_stats *)(uintptr_t)at;
        const uint64_t *from = s->operations;
        uint64_t *to = all.operations;
        size_t n = (sizeof *s - offsetof(struct prax_stats, operations)) / sizeof *to;
        for (size_t i = 0; i < n; i++)
            to[i] += from[i];
        at = s->next;
    }
    return all;
}

static void test_operations(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    struct prax_stats a = sum();
    assert_non_null(blog_tag_create(s, .label = "a"));
    const blog_tag_new two[] = { { .label = "b" }, { .label = "c" } };
    assert_int_equal(blog_tag_create_many(s, two, 2), 2);
    for (int i = 1; i <= 3; i++)
        assert_non_null(blog_tag_get(s, blog_tag_by_id(i)));
    assert_null(blog_tag_get(s, blog_tag_by_id(9)));
    assert_non_null(blog_tag_find_many(s));
    int rows = 0;
    blog_tag_each(t, s) rows += t->id > 0;
    assert_int_equal(rows, 3);
    assert_int_equal(blog_tag_count(s), 3);
    assert_int_equal(blog_tag_update(s, blog_tag_by_id(1), .label = prax_set("x")), 1);
    assert_null(blog_tag_create(s, .label = "b"));
    assert_int_equal(blog_tag_delete_many(s, .where.id = prax_ge(2)), 2);
    assert_int_equal(prax_sql_exec(s, "UPDATE tags SET label = 'y'"), 1);
    prax_sql_each(row, s, "SELECT 1 UNION SELECT 2")
        rows += prax_col_i64(row, 0) > 0;
    struct prax_stats b = sum();
    static const unsigned want[PRAX_USDT_VERBS] = {
        [PRAX_USDT_QUERY_MANY] = 2,  [PRAX_USDT_QUERY_ONE] = 5, [PRAX_USDT_INSERT] = 3,
        [PRAX_USDT_UPDATE] = 1,      [PRAX_USDT_DELETE] = 1,    [PRAX_USDT_RAW_QUERY] = 1,
        [PRAX_USDT_RAW_EXECUTE] = 1,
    };
    for (unsigned v = 0; v < PRAX_USDT_VERBS; v++)
        assert_int_equal(b.operations[v] - a.operations[v], want[v]);
    assert_int_equal(b.errors[-PRAX_EUNIQUE] - a.errors[-PRAX_EUNIQUE], 1);
    assert_int_equal(b.errors[-PRAX_ENOTFOUND] - a.errors[-PRAX_ENOTFOUND], 0);
    /* 1 + 2 created, 3 got, 3 + 3 listed, 1 counted, 1 updated, 2 deleted, 1 and 2 raw */
    assert_int_equal(b.rows - a.rows, 19);
    assert_true(b.bytes_out > a.bytes_out && b.bytes_in > a.bytes_in);
    assert_true(b.plan_hits - a.plan_hits >= 4);
    assert_true(b.prepares - a.prepares <= b.plan_misses - a.plan_misses);
}

/* A connection keeps as many statements as it may, the last used ones. */
static void test_statement_cache(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .stmt_cache = 2), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION s = prax_session_open(db);
    assert_int_equal(blog_tag_count(s), 0);
    assert_int_equal(blog_user_count(s), 0);
    struct prax_stats a = sum();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(blog_tag_count(s), 0);
        assert_int_equal(blog_user_count(s), 0);
    }
    assert_int_equal(sum().prepares, a.prepares);
    assert_int_equal(blog_post_count(s), 0); /* the third: blog_tag_count goes */
    assert_int_equal(blog_user_count(s), 0);
    assert_int_equal(sum().prepares - a.prepares, 1);
    assert_int_equal(blog_tag_count(s), 0);
    assert_int_equal(sum().prepares - a.prepares, 2);
}

static void test_gauges(void **state)
{
    struct fixture *f = *state;
    struct prax_stats a = sum();
    prax_db *db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_min = 2), 0);
    assert_int_equal(blog_create_tables(db), 0);
    prax_session *s = prax_session_open(db);
    {
        PRAX_TX(tx, s);
        struct prax_stats b = sum();
        assert_int_equal(b.connections - a.connections, 2);
        assert_int_equal(b.connections_in_use - a.connections_in_use, 1);
        assert_int_equal(b.sessions - a.sessions, 1);
        assert_int_equal(b.tx_begun - a.tx_begun, 1);
    }
    assert_non_null(blog_tag_create(s, .label = "a"));
    struct prax_stats c = sum();
    assert_int_equal(c.tx_rolled_back - a.tx_rolled_back, 1);
    assert_true(c.arena_bytes > a.arena_bytes);
    prax_session_close(s);
    prax_db_close(db);
    c = sum();
    assert_int_equal(c.connections, a.connections);
    assert_int_equal(c.connections_in_use, a.connections_in_use);
    assert_int_equal(c.sessions, a.sessions);
    assert_int_equal(c.arena_bytes, a.arena_bytes);
    assert_int_equal(c.alloc_bytes - c.free_bytes, a.alloc_bytes - a.free_bytes);
}

/* ---- the context, seen from inside the library by its allocator ---- */

struct seen {
    const char *model;
    unsigned in_op, outside;
};
static struct seen seen;

static void *watching(void *ctx, void *p, size_t old_size, size_t size)
{
    (void)ctx, (void)old_size;
    const struct prax_op_record *r = pxi_context;
    if (r) {
        seen.in_op++;
        seen.model = pxi_verb_text(r->model);
    } else {
        seen.outside++;
    }
    if (size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, size);
}

static void test_context(void **state)
{
    struct fixture *f = *state;
    const prax_alloc alloc = { watching, NULL };
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .alloc = &alloc), 0);
    assert_null(pxi_context);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION s = prax_session_open(db);
    seen = (struct seen){ 0 };
    assert_non_null(blog_tag_create(s, .label = "a"));
    assert_null(pxi_context);
    assert_true(seen.in_op > 0);
    assert_int_equal(seen.outside, 0);
    assert_string_equal(seen.model, "Tag");
    blog_tag_each(t, s)
    {
        assert_null(pxi_context); /* the body is the caller's */
        assert_int_equal(t->id, 1);
    }
    prax_cursor *a = blog_tag_open(s), *b = blog_tag_open(s);
    prax_cursor_close(a);
    prax_cursor_close(b);
    {
        PRAX_TX(tx, s);
        assert_null(pxi_context);
        assert_null(blog_tag_create(s, .label = "a"));
        assert_null(pxi_context);
    }
    assert_null(pxi_context);
}

/* ---- the record, copied while it is the thread's context ---- */

static void on_log(void *ctx, const prax_event *ev)
{
    *(struct prax_op_record *)ctx = *pxi_context;
    (void)ev;
}

static void test_record(void **state)
{
    struct fixture *f = *state;
    struct prax_op_record r = { 0 };
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .log = on_log, .log_ctx = &r), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION s = prax_session_open(db);
    assert_non_null(blog_tag_create(s, .label = "a"));
    prax_execute_insert__done_semaphore++;
    prax_execute_insert__start_semaphore++;
    assert_null(blog_tag_create(s, .label = "a"));
    prax_execute_insert__done_semaphore--;
    prax_execute_insert__start_semaphore--;
    assert_int_equal(r.size, sizeof r);
    assert_int_equal(r.version, PRAX_USDT_VERSION);
    assert_int_equal(r.verb, PRAX_USDT_INSERT);
    assert_int_equal(r.seq % 2, 0);
    assert_int_equal(r.flags, PRAX_OP_TIMED | PRAX_OP_CACHED);
    assert_int_equal(r.op_id >> 32, gettid());
    assert_string_equal(pxi_verb_text(r.model), "Tag");
    assert_int_equal(r.model_size, 3);
    assert_non_null(strstr(pxi_verb_text(r.sql), "INSERT INTO \"tags\""));
    assert_int_equal(r.sql_size, strlen(pxi_verb_text(r.sql)));
    assert_int_not_equal(r.fingerprint, 0);
    assert_int_not_equal(r.conn_id, 0);
    assert_int_equal(r.status, PRAX_EUNIQUE);
    assert_true(r.phase_ns[PRAX_PHASE_EXECUTE] > 0);
    assert_true(r.start_ns > 0);
    struct prax_op_record first = r;
    assert_null(blog_tag_create(s, .label = "a"));
    assert_int_equal(r.flags & PRAX_OP_TIMED, 0); /* nobody listens: no clock */
    assert_int_equal(r.fingerprint, first.fingerprint);
    assert_true(r.op_id > first.op_id);
}

static const struct CMUnitTest tests[] = {
    DB_TEST(test_operations), DB_OWN(test_statement_cache), DB_OWN(test_gauges),
    DB_OWN(test_context),     DB_OWN(test_record),
};
DB_MAIN(tests)

/* test_db_driver_calls.c - the n-th call of the driver fails, for every n and several reasons,
 * alone or with all that follow: the operation says that reason, nothing leaks, transactions are
 * whole, and the handle works on.
 */
#include "orm/client/client.h"
#include "tests/db/db.h"
#include "tests/lib/faulty.h"

/* Who waits for a connection that cannot be had is to be told so soon; all others get one, however
 * loaded the machine is. */
enum { SOON_MS = 80, PATIENT_MS = 20000 };

static const int reasons[] = { PRAX_ECONN, PRAX_EIO,     PRAX_ENOMEM,   PRAX_EBUSY,
                               PRAX_EFULL, PRAX_ESERIAL, PRAX_ECANCELED };

struct outcome {
    bool committed, many; /* was said to be done */
    bool in_doubt;
};

static int64_t live; /* bytes of the handle's allocator */

static void *counted(void *ctx, void *p, size_t old_size, size_t size)
{
    (void)ctx;
    if (size == 0) {
        live -= (int64_t)(p ? old_size : 0);
        free(p);
        return NULL;
    }
    void *q = realloc(p, size);
    if (q)
        live += (int64_t)size - (int64_t)(p ? old_size : 0);
    return q;
}

/* SOON_MS was over before the thread that connects had got its turn. */
static bool knows_no_reason(int code)
{
    return code == PRAX_ETIMEOUT && faulty.on;
}

/* 0, or the reason. Anything else is a failure of the test. */
static int reason_of(const prax_session *s, bool good)
{
    const prax_error *e = prax_error_get(s);
    if (good)
        return 0;
    int code = e->code == PRAX_EABORTED ? e->cause : e->code;
    if (knows_no_reason(code))
        return code;
    if (code != faulty.fail_code)
        fail_msg("call %d was to fail with %d: %s", faulty.fail_at, faulty.fail_code, e->message);
    return code;
}

static int read_all(prax_session *s)
{
    int n = 0, rc = reason_of(s, blog_tag_find_many(s) != NULL);
    if (rc == 0)
        rc = reason_of(s, blog_tag_get(s, blog_tag_by_id(1)) != NULL);
    if (rc == 0) {
        blog_tag_each(t, s) n += t->id > 0;
        rc = reason_of(s, prax_error_code(s) == 0);
    }
    if (rc == 0) {
        prax_sql_each(row, s, "SELECT label FROM tags WHERE id > ?", 0)
            n += prax_col_text(row, 0) != NULL;
        rc = reason_of(s, prax_error_code(s) == 0);
    }
    assert_true(rc < 0 || n > 1);
    return rc;
}

static int transact(prax_session *s, struct outcome *o)
{
    PRAX_TX(tx, s);
    int rc = reason_of(s, tx.code == 0);
    if (rc == 0)
        rc = reason_of(s, blog_tag_create(s, .label = "a") != NULL);
    if (rc == 0) {
        PRAX_SAVEPOINT(sp, s);
        rc = reason_of(s, sp.code == 0);
        if (rc == 0)
            rc = reason_of(s, blog_tag_create(s, .label = "b") != NULL);
        if (rc == 0)
            rc = reason_of(s, prax_tx_commit(&sp) == 0);
    }
    if (rc == 0) {
        o->committed = prax_tx_commit(&tx) == 0;
        rc = reason_of(s, o->committed);
        o->in_doubt = rc == PRAX_ECONN;
    }
    return rc;
}

static int use(prax_session *s, struct outcome *o)
{
    const blog_tag_new more[] = { { .label = "c" }, { .label = "d" }, { .label = "e" } };
    int rc = reason_of(s, blog_tag_create(s, .label = "first") != NULL);
    if (rc == 0)
        rc = read_all(s);
    if (rc == 0)
        rc = transact(s, o);
    if (rc == 0) {
        o->many = blog_tag_create_many(s, more, 3) == 3;
        rc = reason_of(s, o->many);
    }
    if (rc == 0)
        rc = reason_of(s, blog_tag_update(s, blog_tag_by_id(1), .label = prax_set("x")) == 1);
    if (rc == 0)
        rc = reason_of(s, prax_sql_exec(s, "DELETE FROM tags WHERE label = ?", "x") == 1);
    return rc;
}

/* With nothing failing any more: whole, and usable. */
static void check(prax_db *db, const struct outcome *o)
{
    faulty.fail_at = 0;
    db->pool.acquire_ms = PATIENT_MS;
    PRAX_SESSION s = prax_session_open(db);
    int64_t pair = blog_tag_count(s, .where.label = prax_in(const char *, "a", "b"));
    MUST(s, pair);
    if (o->committed ? pair != 2 : o->in_doubt ? pair != 0 && pair != 2 : pair != 0)
        fail_msg("call %d: %d of 2 rows", faulty.calls, (int)pair);
    int64_t three = blog_tag_count(s, .where.label = prax_in(const char *, "c", "d", "e"));
    MUST(s, three);
    if (o->many ? three != 3 : three != 0 && three != 3)
        fail_msg("call %d: %d of 3 rows", faulty.calls, (int)three);
    PRAX_TX(tx, s);
    MUST(s, blog_tag_delete_many(s, .all = true));
    MUST(s, prax_tx_commit(&tx));
}

static int run_once(const char *url, int n, int reason, bool on)
{
    const prax_alloc alloc = { counted, NULL };
    struct outcome o = { 0 };
    prax_db *db = NULL;
    live = 0;
    MUST(NULL, prax_db_open(&db, .url = url, .alloc = &alloc, .pool_max = 2,
                            .acquire_ms = on ? SOON_MS : PATIENT_MS));
    if (n == 1 && reason == reasons[0] && !on)
        MUST(NULL, blog_create_tables(db));
    faulty_install(db);
    prax_session *s = prax_session_open(db);
    faulty.fail_at = n;
    faulty.fail_code = reason;
    faulty.on = on;
    int rc = use(s, &o);
    prax_session_close(s);
    int calls = faulty.calls;
    check(db, &o);
    prax_db_close(db);
    if (live != 0)
        fail_msg("call %d failed with %d: %lld bytes are left", n, reason, (long long)live);
    return rc == 0 && calls < n ? 0 : 1; /* a retry may do without it */
}

static void test_every_call_fails(void **state)
{
    const struct fixture *f = *state;
    char url[320];
    int tried = 0;
    snprintf(url, sizeof url, "sqlite:file:%s?synchronous=off", f->url + strlen("sqlite:"));
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        for (int n = 1; run_once(url, n, reasons[i], false); n++)
            tried++;
        for (int n = 1; run_once(url, n, reasons[i], true); n++) /* it stays so */
            tried++;
    }
    print_message("# %d driver calls failed one by one\n", tried);
    assert_true(tried > 400);
}

/* Opening, too. */
static void test_opening_fails(void **state)
{
    const struct fixture *f = *state;
    prax_db *db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 3, .acquire_ms = 300), 0);
    assert_int_equal(blog_create_tables(db), 0);
    faulty_install(db);
    PRAX_SESSION a = prax_session_open(db);
    PRAX_TX(tx, a);
    faulty.fail_code = PRAX_EIO;
    faulty.fail_at = faulty.calls + 1;
    PRAX_SESSION b = prax_session_open(db);
    assert_int_equal(blog_tag_count(b), PRAX_EIO);
    assert_int_equal(blog_tag_count(b), 0);
    assert_int_equal(prax_tx_commit(&tx), 0);
    prax_db_close(db);
}

static const struct CMUnitTest tests[] = { DB_OWN(test_every_call_fails),
                                           DB_OWN(test_opening_fails) };

int main(void)
{
    db_place = DB_FILE;
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}

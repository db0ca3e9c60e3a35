/* test_db_faults_calls.c - the n-th call of PostgreSQL's driver fails, or the n-th of libpq, for
 * every n and several reasons, alone or with all that follow. Single operations, transactions,
 * batches within and outside of them, a COPY and a batch that is cancelled: each says that reason;
 * what was said to be done is there, once and whole, and what was refused is not; no byte and no
 * connection is left; and the handle works on. On SQLite: test_db_driver_calls.c.
 *
 * The short form takes some of the places, others for each reason, and of the driver's reasons
 * three: lost before and behind it, and one that leaves the connection. PRAX_FAULTS=long takes all.
 */
#include "orm/client/client.h"
#include "tests/db/db.h"
#include "tests/lib/faulty_pg.h"
#include <libpq-fe.h>
#include <time.h>

/* Who waits for a connection that cannot be had is to be told so soon; all others get one, however
 * loaded the machine is. */
enum { SOON_MS = 40, PATIENT_MS = 20000, MANY = 3, COPIED = 5000 };

static const struct reason {
    int code;
    bool late, libpq;
} reasons[] = { { .code = PRAX_ECONN, .libpq = true },
                { .code = PRAX_ENOMEM, .libpq = true },
                { .code = PRAX_ECONN },
                { .code = PRAX_ECONN, .late = true },
                { .code = PRAX_EIO },
                { .code = PRAX_EBUSY },
                { .code = PRAX_ENOMEM },
                { .code = PRAX_EFULL },
                { .code = PRAX_ESERIAL },
                { .code = PRAX_ECANCELED } };
enum { REASONS = sizeof reasons / sizeof *reasons, SHORT_REASONS = 5, LIBPQ_MORE = 3 };

/* Each makes rows of its own; the one that is changed becomes one of CHANGED. */
enum work { BASE, ONE, PAIR, THREE, CHANGED, RAW, COPY, WORKS };
static const int rows_of[WORKS] = { 0, 1, 2, MANY, 1, 1, COPIED };
enum verdict { NOT_SAID, DONE, REFUSED, DOUBT };

static struct run {
    unsigned number;
    prax_session *s;
    enum verdict verdicts[WORKS];
    char text[32];
} run;

static int64_t live; /* bytes of the handle's allocators; connects have threads */

static void *counted(void *ctx, void *p, size_t old_size, size_t size)
{
    (void)ctx;
    if (size == 0) {
        __atomic_sub_fetch(&live, (int64_t)(p ? old_size : 0), __ATOMIC_RELAXED);
        free(p);
        return NULL;
    }
    void *q = realloc(p, size);
    if (q)
        __atomic_add_fetch(&live, (int64_t)size - (int64_t)(p ? old_size : 0), __ATOMIC_RELAXED);
    return q;
}

/* ---- what is said ---- */

/* A reason that some call has given; or, where SOON_MS was over before the thread that connects had
 * got its turn, that there is no connection. */
static void is_reason(const prax_error *e)
{
    int code = e->code == PRAX_EABORTED ? e->cause : e->code;
    bool waited = faulty_pg.on && code == PRAX_ETIMEOUT;
    if (!waited && (code >= 0 || !(faulty_pg.told & 1u << -code)))
        fail_msg("call %d (%s) was to fail with %d: %d, %s", faulty_pg.fail_at, faulty_pg.call,
                 faulty_pg.code, code, e->message);
}

static void say(enum work w, const prax_error *e)
{
    bool doubt = e->code == PRAX_ECONN && !e->retryable;
    run.verdicts[w] = e->code == 0 ? DONE : doubt ? DOUBT : REFUSED;
    if (e->code)
        is_reason(e);
}

/* Of the session's last operation; 0 or its code. */
static int heard(bool good)
{
    const prax_error *e = prax_error_get(run.s);
    if (!good)
        is_reason(e);
    return good ? 0 : e->code;
}

static int made(enum work w, bool good)
{
    int rc = heard(good);
    say(w, prax_error_get(run.s));
    return rc;
}

static int entry(enum work w, const prax_result *r, int64_t count)
{
    static const prax_error none = { .code = 0 };
    if (r->status > 0)
        fail_msg("call %d (%s): an entry is not done", faulty_pg.fail_at, faulty_pg.call);
    if (r->status == 0 && r->count != count)
        fail_msg("call %d (%s): an entry has %d", faulty_pg.fail_at, faulty_pg.call, (int)r->count);
    if (r->status < 0 && r->error->code != r->status)
        fail_msg("call %d (%s): status %d, error %d", faulty_pg.fail_at, faulty_pg.call, r->status,
                 r->error->code);
    if (w != BASE)
        say(w, r->status < 0 ? r->error : &none);
    else if (r->status < 0)
        is_reason(r->error);
    return r->status;
}

/* The label of row i of a work. */
static const char *label(enum work w, int i)
{
    snprintf(run.text, sizeof run.text, "%u.%d.%d", run.number, (int)w, i);
    return prax_keep(run.s, run.text, strlen(run.text) + 1);
}

/* ---- what is done ---- */

static int read_all(void)
{
    prax_session *s = run.s;
    int n = 0, rc = heard(blog_tag_find_many(s, .take = 3) != NULL);
    if (rc == 0)
        rc = heard(blog_tag_get(s, blog_tag_by_id(1)) != NULL);
    if (rc == 0) {
        blog_tag_each(t, s, .take = 5) n += t->id > 0;
        rc = heard(prax_error_code(s) == 0);
    }
    if (rc == 0) {
        prax_sql_each(row, s, "SELECT label FROM tags WHERE id = ?", 1)
            n += prax_col_text(row, 0) != NULL;
        rc = heard(prax_error_code(s) == 0);
    }
    return rc;
}

static int pair(void)
{
    prax_session *s = run.s;
    PRAX_TX(tx, s);
    int rc = heard(tx.code == 0);
    if (rc == 0)
        rc = heard(blog_tag_create(s, .label = label(PAIR, 0)) != NULL);
    if (rc == 0) {
        int n = 0;
        blog_tag_each(t, s, .take = 2) n += t->id > 0; /* a portal */
        rc = heard(prax_error_code(s) == 0);
    }
    if (rc == 0) {
        PRAX_SAVEPOINT(sp, s);
        rc = heard(sp.code == 0);
        if (rc == 0)
            rc = heard(blog_tag_create(s, .label = label(PAIR, 1)) != NULL);
        if (rc == 0)
            rc = heard(prax_tx_commit(&sp) == 0);
    }
    return rc == 0 ? made(PAIR, prax_tx_commit(&tx) == 0) : rc;
}

static int three(void)
{
    blog_tag_new rows[MANY];
    for (int i = 0; i < MANY; i++)
        rows[i] = (blog_tag_new){ .label = label(THREE, i) };
    return made(THREE, blog_tag_create_many(run.s, rows, MANY) == MANY);
}

static int single(void)
{
    prax_session *s = run.s;
    int rc = made(ONE, blog_tag_create(s, .label = label(ONE, 0)) != NULL);
    if (rc == 0)
        rc = read_all();
    if (rc == 0)
        rc = pair();
    if (rc == 0)
        rc = three();
    if (rc == 0)
        rc = made(CHANGED, blog_tag_update(s, blog_tag_by_label(label(BASE, 0)),
                                           .label = prax_set(label(CHANGED, 0))) == 1);
    if (rc == 0)
        rc = made(RAW, prax_sql_exec(s, "INSERT INTO tags (label) VALUES (?)", label(RAW, 0)) == 1);
    return rc;
}

struct entries {
    const void *get, *one, *list, *three, *changed, *raw, *count;
};

static void put(prax_batch *b, struct entries *e)
{
    blog_tag_new rows[MANY];
    for (int i = 0; i < MANY; i++)
        rows[i] = (blog_tag_new){ .label = label(THREE, i) };
    e->get = blog_tag_in(b, PRAX_GET, .key = blog_tag_by_id(1));
    e->one = blog_tag_in(b, PRAX_CREATE, .create = &(blog_tag_new){ .label = label(ONE, 0) });
    e->list = blog_tag_in(b, PRAX_FIND_MANY, .query = blog_tag_q(.take = 1));
    e->three = blog_tag_in(b, PRAX_CREATE_MANY, .create = rows, .n = MANY);
    e->changed = blog_tag_in(b, PRAX_UPDATE, .key = blog_tag_by_label(label(BASE, 0)),
                             .set = &(blog_tag_set){ .label = prax_set(label(CHANGED, 0)) });
    e->raw = prax_sql_in(b, "INSERT INTO tags (label) VALUES (?)", label(RAW, 0));
    e->count = blog_tag_in(b, PRAX_COUNT, .query = blog_tag_q(.where.id = prax_eq(1)));
}

/* The first that failed. */
static int judge(const struct entries *e, int rc)
{
    int all[] = { entry(BASE, e->get, 1),        entry(ONE, e->one, 1),
                  entry(BASE, e->list, 1),       entry(THREE, e->three, MANY),
                  entry(CHANGED, e->changed, 1), entry(RAW, e->raw, 1),
                  entry(BASE, e->count, 1) };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        rc = rc < 0 ? rc : all[i];
    return rc;
}

static int batch(void)
{
    struct entries e;
    PRAX_BATCH b = prax_batch_open(run.s);
    put(b, &e);
    int rc = prax_batch_run(b);
    if (rc < 0)
        is_reason(prax_error_get(run.s));
    rc = judge(&e, rc);
    const void *again = blog_tag_in(b, PRAX_EXISTS, .query = blog_tag_q(.where.id = prax_eq(1)));
    int also = prax_batch_run(b);
    int last = entry(BASE, again, 1);
    return rc < 0 ? rc : also < 0 ? also : last;
}

static void forget(void)
{
    for (enum work w = BASE; w < WORKS; w++)
        run.verdicts[w] = run.verdicts[w] == NOT_SAID ? NOT_SAID : REFUSED;
}

static int batch_in_tx(void)
{
    struct entries e;
    prax_session *s = run.s;
    PRAX_TX(tx, s);
    int rc = heard(tx.code == 0);
    if (rc < 0)
        return rc;
    PRAX_BATCH b = prax_batch_open(s);
    put(b, &e);
    rc = judge(&e, prax_batch_run(b));
    forget();
    if (rc < 0)
        return rc;
    rc = heard(prax_tx_commit(&tx) == 0);
    for (enum work w = ONE; w < COPY; w++) {
        if (w != PAIR)
            say(w, prax_error_get(s));
    }
    return rc;
}

static int copied(void)
{
    static char labels[COPIED][32];
    static blog_tag_new rows[COPIED];
    for (int i = 0; i < COPIED; i++) {
        snprintf(labels[i], sizeof labels[i], "%u.%d.%d", run.number, COPY, i);
        rows[i] = (blog_tag_new){ .label = labels[i] };
    }
    return made(COPY, blog_tag_create_many(run.s, rows, COPIED) == COPIED);
}

static int stopped(void)
{
    prax_session *s = run.s;
    PRAX_BATCH b = prax_batch_open(s);
    const prax_result *sleeps = prax_sql_in(b, "SELECT pg_sleep(0.2)");
    const blog_tag_result *one =
        blog_tag_in(b, PRAX_CREATE, .create = &(blog_tag_new){ .label = label(ONE, 0) });
    faulty_pg.told |= 1u << -PRAX_ECANCELED;
    int rc = prax_batch_step(b);
    for (int i = 0; i < 20 && rc == 1 && sleeps->status == 1; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
        rc = prax_batch_step(b);
    }
    prax_session_cancel(s);
    rc = rc == 1 ? prax_batch_run(b) : rc;
    if (rc < 0)
        is_reason(prax_error_get(s));
    entry(BASE, sleeps, 0);
    entry(ONE, (const prax_result *)(const void *)one, 1);
    if (run.verdicts[ONE] == REFUSED && one->status == PRAX_ECANCELED)
        run.verdicts[ONE] = DOUBT; /* the connection may have been given up */
    return rc == PRAX_ECANCELED && !(faulty_pg.told & ~(1u << -PRAX_ECANCELED)) ? 0 : rc;
}

/* ---- what is there ---- */

static PGconn *direct;
static char own[PG_URL], url[PG_URL + 64], name[32];

static int ask(const char *sql, const char *value, int *numbers, int n)
{
    PGresult *r = PQexecParams(direct, sql, 1, NULL, &value, NULL, NULL, 0);
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s", PQerrorMessage(direct));
    memset(numbers, 0, (size_t)n * sizeof *numbers);
    for (int i = 0; i < PQntuples(r); i++) {
        int at = atoi(PQgetvalue(r, i, 0));
        assert_in_range(at, 0, n - 1);
        numbers[at] = atoi(PQgetvalue(r, i, 1));
    }
    PQclear(r);
    return numbers[0];
}

/* A server's process that has been hung up on may run what it has still. */
static void wait_for_servers(void)
{
    int left = 1;
    for (int i = 0; i < 20000 && left; i++) {
        ask("SELECT 0, count(*) FROM pg_stat_activity WHERE application_name = $1", name, &left, 1);
        if (left)
            nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    }
    if (left)
        fail_msg("call %d (%s): %d connections are open", faulty_pg.fail_at, faulty_pg.call, left);
}

static void compare(int n)
{
    int rows[WORKS];
    char prefix[16];
    snprintf(prefix, sizeof prefix, "%u", run.number);
    ask("SELECT split_part(label, '.', 2), count(*) FROM tags WHERE split_part(label, '.', 1) = $1"
        " GROUP BY 1",
        prefix, rows, WORKS);
    for (enum work w = ONE; w < WORKS; w++) {
        enum verdict v = run.verdicts[w];
        if (v == DONE ? rows[w] != rows_of[w]
                      : rows[w] != 0 && (v != DOUBT || rows[w] != rows_of[w]))
            fail_msg("call %d (%s, %d): work %d, verdict %d: %d rows", n, faulty_pg.call,
                     faulty_pg.code, (int)w, (int)v, rows[w]);
    }
    PQclear(PQexec(direct, "DELETE FROM tags WHERE label <> 'first'"));
}

/* With nothing failing any more. */
static void works_on(prax_db *db)
{
    faulty_pg.fail_at = 0;
    db->pool.acquire_ms = PATIENT_MS;
    PRAX_SESSION s = prax_session_open(db);
    PRAX_BATCH b = prax_batch_open(s);
    const blog_tag_result *get = blog_tag_in(b, PRAX_GET, .key = blog_tag_by_id(1));
    MUST(s, prax_batch_run(b));
    assert_int_equal(get->count, 1);
    prax_batch_close(b);
    b = NULL;
    PRAX_TX(tx, s);
    MUST(s, tx.code);
    MUST(s, blog_tag_count(s));
    MUST(s, prax_tx_commit(&tx));
}

/* ---- runs ---- */

static struct scenario {
    const char *name;
    int (*work)(void);
    int stride; /* of the short form */
    bool on;    /* also: with all that follow */
} const scenarios[] = {
    { "single operations", single, 17, true },
    { "a batch", batch, 17, true },
    { "a batch in a transaction", batch_in_tx, 13, true },
    { "COPY", copied, 5, true },
    { "a batch that is cancelled", stopped, 11, false },
};

static void base_row(void)
{
    char sql[96];
    snprintf(sql, sizeof sql, "INSERT INTO tags (label) VALUES ('%u.%d.0')", ++run.number, BASE);
    PGresult *r = PQexec(direct, sql);
    assert_int_equal(PQresultStatus(r), PGRES_COMMAND_OK);
    PQclear(r);
}

/* false: it ended before the n-th call. */
static bool run_once(const struct scenario *sc, int n, const struct reason *why, bool on)
{
    const prax_alloc alloc = { counted, NULL };
    prax_db *db = NULL;
    memset(run.verdicts, 0, sizeof run.verdicts);
    base_row();
    live = 0;
    MUST(NULL, prax_db_open(&db, .url = url, .alloc = &alloc, .pool_max = 2,
                            .acquire_ms = on ? SOON_MS : PATIENT_MS));
    if (why->libpq) {
        faulty_libpq_install();
    } else {
        faulty_pg_install(db);
    }
    run.s = prax_session_open(db);
    faulty_pg.fail_at = n;
    faulty_pg.code = why->code;
    faulty_pg.late = why->late;
    faulty_pg.on = on;
    int rc = sc->work();
    prax_session_close(run.s);
    int calls = faulty_pg.calls;
    works_on(db);
    prax_db_close(db);
    wait_for_servers();
    compare(n);
    if (live != 0)
        fail_msg("call %d (%s) failed with %d: %lld bytes are left", n, faulty_pg.call, why->code,
                 (long long)live);
    if (calls < n && rc < 0)
        fail_msg("%s failed by itself: %d", sc->name, rc);
    return calls >= n;
}

static int try_all(const struct scenario *sc, const struct reason *why, int first, int stride)
{
    int tried = 0;
    for (int n = first; run_once(sc, n, why, false); n += stride)
        tried += faulty_pg.call != NULL;
    for (int n = first; sc->on && run_once(sc, n, why, true); n += stride)
        tried += faulty_pg.call != NULL;
    return tried;
}

static void run_all(const struct scenario *sc)
{
    bool all = getenv("PRAX_FAULTS") && strcmp(getenv("PRAX_FAULTS"), "long") == 0;
    int tried[2] = { 0, 0 };
    for (int i = 0; i < (all ? REASONS : SHORT_REASONS); i++) {
        const struct reason *why = &reasons[i];
        int stride = all ? 1 : why->libpq ? sc->stride * LIBPQ_MORE : sc->stride;
        tried[why->libpq] += try_all(sc, why, all ? 1 : 1 + 3 * i % stride, stride);
    }
    print_message("# %s: %d calls of the driver failed, %d of libpq\n", sc->name, tried[0],
                  tried[1]);
    assert_true(tried[0] > 3 && tried[1] > 1);
}

static void test_single(void **state)
{
    (void)state;
    run_all(&scenarios[0]);
}

static void test_batch(void **state)
{
    (void)state;
    run_all(&scenarios[1]);
}

static void test_batch_in_tx(void **state)
{
    (void)state;
    run_all(&scenarios[2]);
}

static void test_copy(void **state)
{
    (void)state;
    run_all(&scenarios[3]);
}

static void test_cancelled(void **state)
{
    (void)state;
    run_all(&scenarios[4]);
}

static int start(void **state)
{
    (void)state;
    prax_db *db = NULL;
    pg_schema_new(own);
    direct = PQconnectdb(own);
    snprintf(name, sizeof name, "calls%d", (int)getpid());
    snprintf(url, sizeof url, "%s&application_name=%s", own, name);
    if (PQstatus(direct) != CONNECTION_OK || prax_db_open(&db, .url = own) < 0 ||
        blog_create_tables(db) < 0)
        return -1;
    prax_db_close(db);
    PQclear(PQexec(direct, "INSERT INTO tags (label) VALUES ('first')"));
    return 0;
}

static int end(void **state)
{
    (void)state;
    PQfinish(direct);
    pg_schema_drop(own);
    return 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_single), cmocka_unit_test(test_batch), cmocka_unit_test(test_batch_in_tx),
    cmocka_unit_test(test_copy), cmocka_unit_test(test_cancelled)
};

int main(void)
{
    db_place = DB_POSTGRES;
    const char *why = db_missing();
    if (why) {
        db_skip(tests, sizeof tests / sizeof *tests, why);
        return 0;
    }
    return cmocka_run_group_tests_name("postgres", tests, start, end);
}

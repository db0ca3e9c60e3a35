/* test_db_sqlite.c - what is SQLite's own: URLs and their options, the log, readers beside a
 * writer, memory that is shared, locks of other processes, statements that are stopped.
 */
#include "orm/base/clock.h"
#include "tests/db/db.h"
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { MS = 1000000 };

static void nap(long ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * MS };
    nanosleep(&t, NULL);
}

static const char *url_of(const struct fixture *f, const char *options)
{
    static char url[256];
    snprintf(url, sizeof url, "sqlite:file:%s?%s", f->url + strlen("sqlite:"), options);
    return url;
}

static void pragma_is(prax_session *s, const char *sql, const char *want)
{
    const char *got = NULL;
    char text[32];
    prax_sql_each(row, s, sql) {
        snprintf(text, sizeof text, "%.*s", (int)prax_col_bytes(row, 0).size,
                 (const char *)prax_col_bytes(row, 0).data);
        got = text;
    }
    assert_non_null(got);
    assert_string_equal(got, want);
}

/* ---- URLs ---- */

static void refuses(const char *url, int code, const char *says)
{
    prax_db *db = NULL;
    int rc = prax_db_open(&db, .url = url);
    if (rc != code)
        fail_msg("%s: %d: %s", url, rc, prax_db_error(db)->message);
    if (!strstr(prax_db_error(db)->message, says))
        fail_msg("\"%s\" does not name \"%s\"", prax_db_error(db)->message, says);
    prax_db_close(db);
}

static void test_wrong_options(void **state)
{
    const struct fixture *f = *state;
    refuses(url_of(f, "mod=ro"), PRAX_EINVAL, "no option mod;");
    refuses(url_of(f, "mode=rr"), PRAX_EINVAL, "mode=rr");
    refuses(url_of(f, "mode"), PRAX_EINVAL, "mode=");
    refuses(url_of(f, "mode=r"), PRAX_EINVAL, "ro rw rwc");
    refuses(url_of(f, "mode=memory"), PRAX_EINVAL, "sqlite::memory:");
    refuses(url_of(f, "cache=shared"), PRAX_EINVAL, "private");
    refuses(url_of(f, "immutable=2"), PRAX_EINVAL, "immutable=2");
    refuses(url_of(f, "mode=rw&journal=memory"), PRAX_EINVAL, "journal=memory");
    refuses(url_of(f, "synchronous=1"), PRAX_EINVAL, "synchronous=1");
    refuses(url_of(f, "vfs="), PRAX_EINVAL, "vfs=");
    refuses(url_of(f, "vfs=nowhere"), PRAX_ECONN, "nowhere");
    refuses(url_of(f, "mode=rw"), PRAX_ECONN, "unable to open"); /* it is not there yet */
    refuses("sqlite:file:?mode=ro", PRAX_EINVAL, "no file");
    refuses("sqlite:file:", PRAX_EINVAL, "no file");
}

static void test_options_act(void **state)
{
    const struct fixture *f = *state;
    static const struct {
        const char *options, *pragma, *value;
    } cases[] = {
        { "mode=rwc", "PRAGMA journal_mode", "wal" },
        { "journal=truncate", "PRAGMA journal_mode", "truncate" },
        { "journal=delete&synchronous=extra", "PRAGMA journal_mode", "delete" },
        { "journal=wal&synchronous=normal", "PRAGMA journal_mode", "wal" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        PRAX_DB db = NULL;
        MUST(NULL, prax_db_open(&db, .url = url_of(f, cases[i].options)));
        PRAX_SESSION s = prax_session_open(db);
        pragma_is(s, cases[i].pragma, cases[i].value);
        prax_sql_each(row, s, "PRAGMA synchronous")
            assert_int_equal(prax_col_i64(row, 0), i == 2 ? 3 : i == 3 ? 1 : 2);
    }
}

/* A place where no log can be: silence would cost the readers beside a writer. */
static void test_no_log(void **state)
{
    const struct fixture *f = *state;
    refuses(url_of(f, "vfs=unix-dotfile"), PRAX_EUNSUPPORTED, "journal=delete");
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = url_of(f, "vfs=unix-dotfile&journal=delete")), 0);
    assert_int_equal(blog_create_tables(db), 0);
}

static void test_read_only(void **state)
{
    const struct fixture *f = *state;
    static const char *const ways[] = { "mode=ro", "immutable=1", "mode=ro&immutable=1" };
    {
        PRAX_DB db = NULL;
        assert_int_equal(prax_db_open(&db, .url = url_of(f, "mode=rwc")), 0);
        assert_int_equal(blog_create_tables(db), 0);
        PRAX_SESSION s = prax_session_open(db);
        assert_non_null(blog_tag_create(s, .label = "a"));
    }
    assert_int_equal(chmod(f->dir, 0555), 0);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        PRAX_DB db = NULL;
        MUST(NULL, prax_db_open(&db, .url = url_of(f, ways[i])));
        PRAX_SESSION s = prax_session_open(db);
        assert_int_equal(blog_tag_count(s), 1);
        assert_null(blog_tag_create(s, .label = "b"));
        ASSERT_CODE(s, PRAX_EPERM);
        PRAX_TX(tx, s);
        assert_null(blog_tag_create(s, .label = "b"));
        assert_true(prax_tx_commit(&tx) < 0);
    }
    assert_int_equal(chmod(f->dir, 0755), 0);
}

/* ---- readers and writers ---- */

static void test_readers_beside_a_writer(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .pool_max = 4, .busy_ms = 50), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION writer = prax_session_open(db);
    PRAX_SESSION a = prax_session_open(db);
    PRAX_SESSION b = prax_session_open(db);
    PRAX_TX(tx, writer);
    assert_non_null(blog_tag_create(writer, .label = "x"));
    assert_int_equal(blog_tag_count(a), 0); /* not waited for, not seen */
    {
        PRAX_TX(snapshot, b, .read_only = true);
        assert_int_equal(blog_tag_count(b), 0);
        assert_int_equal(prax_tx_commit(&tx), 0);
        assert_int_equal(blog_tag_count(a), 1);
        assert_int_equal(blog_tag_count(b), 0); /* its snapshot */
    }
    assert_int_equal(blog_tag_count(b), 1);
}

static void test_memory_is_shared(void **state)
{
    (void)state;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = "sqlite::memory:", .pool_min = 3, .pool_max = 3), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION a = prax_session_open(db);
    PRAX_SESSION b = prax_session_open(db);
    assert_non_null(blog_tag_create(a, .label = "x"));
    assert_int_equal(blog_tag_count(b), 1);
    PRAX_DB other = NULL; /* another handle, another database */
    assert_int_equal(prax_db_open(&other, .url = "sqlite::memory:"), 0);
    assert_int_equal(blog_create_tables(other), 0);
    PRAX_SESSION c = prax_session_open(other);
    assert_int_equal(blog_tag_count(c), 0);
}

/* Holds the write lock for ms, beside the library and in another process. */
static pid_t hold_lock(const char *url, int ms)
{
    int ready[2];
    char c;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        sqlite3 *db;
        if (sqlite3_open(url + strlen("sqlite:"), &db) != SQLITE_OK ||
            sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
            _exit(1);
        if (write(ready[1], "", 1) != 1)
            _exit(1);
        nap(ms);
        sqlite3_close(db);
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    close(ready[0]);
    return pid;
}

static void is_done(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_locked_by_another_process(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .busy_ms = 100), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION s = prax_session_open(db);
    pid_t pid = hold_lock(f->url, 400);
    uint64_t start = pxi_clock_ns();
    assert_null(blog_tag_create(s, .label = "a"));
    ASSERT_CODE(s, PRAX_EBUSY);
    uint64_t ms = (pxi_clock_ns() - start) / MS;
    assert_in_range(ms, 90, 390); /* busy_ms, no longer and no shorter */
    assert_true(prax_error_get(s)->retryable);
    assert_int_equal(blog_tag_count(s), 0); /* readers do not wait */
    PRAX_SESSION late = prax_session_open(db, .timeout_ms = 30);
    assert_null(blog_tag_create(late, .label = "a"));
    ASSERT_CODE(late, PRAX_ETIMEOUT);
    is_done(pid);
    pid = hold_lock(f->url, 60);
    assert_non_null(blog_tag_create(s, .label = "a")); /* waited for, and got */
    is_done(pid);
}

static void test_own_lock_is_named(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url, .busy_ms = 20), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION a = prax_session_open(db);
    PRAX_SESSION b = prax_session_open(db);
    PRAX_TX(tx, a);
    assert_null(blog_tag_create(b, .label = "x"));
    ASSERT_CODE(b, PRAX_EBUSY);
    assert_non_null(strstr(prax_error_get(b)->message, "this thread"));
}

/* Many programs start at once on a file that is not there yet: all get it, with a log. */
static void test_first_open_at_once(void **state)
{
    struct fixture *f = *state;
    enum { STARTERS = 8 };
    pid_t pids[STARTERS];
    for (int i = 0; i < STARTERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            prax_db *db = NULL;
            int rc = prax_db_open(&db, .url = f->url);
            if (rc < 0)
                fprintf(stderr, "%s\n", prax_db_error(db)->message);
            prax_db_close(db);
            _exit(rc < 0);
        }
    }
    for (int i = 0; i < STARTERS; i++)
        is_done(pids[i]);
}

/* ---- stopping ---- */

static const char endless[] = "WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) "
                              "SELECT count(*) FROM t";

static void *cancel_soon(void *arg)
{
    nap(30);
    prax_session_cancel(arg);
    return NULL;
}

static void test_stopped(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url), 0);
    PRAX_SESSION s = prax_session_open(db, .timeout_ms = 30);
    assert_int_equal(prax_sql_exec(s, endless), PRAX_ETIMEOUT);
    PRAX_SESSION t = prax_session_open(db);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, t), 0);
    assert_int_equal(prax_sql_exec(t, endless), PRAX_ECANCELED);
    pthread_join(thread, NULL);
    assert_int_equal(prax_sql_exec(t, "SELECT 1"), 0); /* both are usable */
    assert_int_equal(prax_sql_exec(s, "SELECT 1"), 0);
    {
        PRAX_TX(tx, s);
        assert_int_equal(prax_sql_exec(s, "CREATE TABLE x (a) "), 0);
        assert_int_equal(prax_sql_exec(s, endless), PRAX_ETIMEOUT);
        assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
    }
    assert_int_equal(prax_sql_exec(s, "CREATE TABLE x (a) "), 0); /* it was rolled back */
}

/* ---- errors ---- */

static void test_foreign_key(void **state)
{
    struct fixture *f = *state;
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = f->url), 0);
    PRAX_SESSION s = prax_session_open(db);
    assert_int_equal(prax_sql_exec(s, "CREATE TABLE a (id INTEGER PRIMARY KEY)"), 0);
    assert_int_equal(prax_sql_exec(s, "CREATE TABLE b (a INTEGER REFERENCES a (id))"), 0);
    assert_int_equal(prax_sql_exec(s, "INSERT INTO b VALUES (1)"), PRAX_EFOREIGN);
    assert_non_null(strstr(prax_error_get(s)->message, "SQLite does not say which"));
    assert_null(prax_error_get(s)->constraint);
}

static const struct CMUnitTest tests[] = {
    DB_OWN(test_wrong_options),
    DB_OWN(test_options_act),
    DB_OWN(test_no_log),
    DB_OWN(test_read_only),
    DB_OWN(test_readers_beside_a_writer),
    DB_OWN(test_memory_is_shared),
    DB_OWN(test_locked_by_another_process),
    DB_OWN(test_own_lock_is_named),
    DB_OWN(test_first_open_at_once),
    DB_OWN(test_stopped),
    DB_OWN(test_foreign_key),
};

int main(void)
{
    db_place = DB_FILE;
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}

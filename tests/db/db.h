/* db.h - what the database tests share: every case runs on SQLite in memory, on a file of SQLite
 * and on PostgreSQL.
 *
 * DB_MAIN(tests) runs the array three times. A test gets a fresh database with the tables of
 * blog.prax and a session: `struct fixture *f = *state`. A test that opens its handles itself
 * (DB_OWN) gets the URL of an empty database only. Where no server is, PostgreSQL's cases are
 * counted as skipped, with the reason.
 */
#ifndef PRAX_TESTS_DB_H
#define PRAX_TESTS_DB_H
#include "blog.h"
#include <prax/model.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* after the above */
#include "tests/lib/pg.h"
#include <cmocka.h>

/* A test of another schema includes its header and says how its tables are made. */
#ifndef DB_CREATE_TABLES
#define DB_CREATE_TABLES blog_create_tables
#endif

enum db_place { DB_MEMORY, DB_FILE, DB_POSTGRES, DB_PLACES };
static const char *const db_places[] = { "memory", "file", "postgres" };
static enum db_place db_place; /* where the cases run now */

/* What differs between the databases in raw SQL. */
static inline bool on_postgres(void)
{
    return db_place == DB_POSTGRES;
}

struct fixture {
    prax_db *db;
    prax_session *s;
    char dir[64]; /* of the file; "" = none */
    char url[PG_URL];
};

static inline void must(int64_t rc, const prax_session *s)
{
    if (rc < 0)
        fail_msg("%s", prax_error_get(s)->message);
}
#define MUST(s, call)        must((call), (s))
#define ASSERT_CODE(s, want) assert_int_equal(prax_error_code(s), (want))

/* An empty database. */
static inline int db_setup_own(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    *state = f;
    if (db_place == DB_POSTGRES) {
        pg_schema_new(f->url);
    } else if (db_place == DB_FILE) {
        snprintf(f->dir, sizeof f->dir, "/tmp/prax-db.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        snprintf(f->url, sizeof f->url, "sqlite:%s/blog.db", f->dir);
    } else {
        snprintf(f->url, sizeof f->url, "sqlite::memory:");
    }
    return 0;
}

static inline int db_setup(void **state)
{
    db_setup_own(state);
    struct fixture *f = *state;
    if (prax_db_open(&f->db, .url = f->url, .pool_max = 4, .busy_ms = 200, .acquire_ms = 200) < 0 ||
        DB_CREATE_TABLES(f->db) < 0)
        fail_msg("%s", prax_db_error(f->db)->message);
    f->s = prax_session_open(f->db);
    assert_non_null(f->s);
    return 0;
}

static inline void db_remove(const char *dir)
{
    static const char *const names[] = { "blog.db", "blog.db-wal", "blog.db-shm",
                                         "blog.db-journal" };
    char path[128];
    for (size_t i = 0; *dir && i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    if (*dir)
        rmdir(dir);
}

static inline int db_teardown(void **state)
{
    struct fixture *f = *state;
    prax_session_close(f->s);
    prax_db_close(f->db);
    db_remove(f->dir);
    pg_schema_drop(f->url);
    free(f);
    return 0;
}

/* NULL, or why the cases cannot run at this place. */
static inline const char *db_missing(void)
{
    static char why[256];
    prax_db *db = NULL;
    if (db_place != DB_POSTGRES || pg_missing())
        return db_place == DB_POSTGRES ? pg_missing() : NULL;
    bool built = prax_db_open(&db, .url = getenv("PRAX_TEST_POSTGRES")) != PRAX_EUNSUPPORTED;
    snprintf(why, sizeof why, "%s", prax_db_error(db)->message);
    prax_db_close(db);
    return built ? NULL : why;
}

/* Says of each test that it does not run. */
static inline void db_skip(const struct CMUnitTest *tests, size_t n, const char *why)
{
    printf("1..%zu\n", n);
    for (size_t i = 0; i < n; i++)
        printf("ok %zu - %s # SKIP %s\n", i + 1, tests[i].name, why);
    fflush(stdout);
}

static inline int db_run(const struct CMUnitTest *tests, size_t n)
{
    int failed = 0;
    for (int i = 0; i < DB_PLACES; i++) {
        db_place = (enum db_place)i;
        const char *why = db_missing();
        if (why) {
            db_skip(tests, n, why);
        } else {
            failed += _cmocka_run_group_tests(db_places[i], tests, n, NULL, NULL);
        }
    }
    return failed;
}

#define DB_TEST(fn) cmocka_unit_test_setup_teardown(fn, db_setup, db_teardown)
#define DB_OWN(fn)  cmocka_unit_test_setup_teardown(fn, db_setup_own, db_teardown)
#define DB_MAIN(tests)                                      \
    int main(void)                                          \
    {                                                       \
        return db_run(tests, sizeof tests / sizeof *tests); \
    }

#endif

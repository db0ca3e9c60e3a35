/* db.h - what the database tests share: every case runs on a database in memory and on a file.
 *
 * DB_MAIN(tests) runs the array twice. A test gets a fresh database with the tables of blog.prax
 * and a session: `struct fixture *f = *state`.
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
#include <cmocka.h>

struct fixture {
    prax_db *db;
    prax_session *s;
    char dir[64]; /* of the file; "" = in memory */
    char url[128];
};

static bool db_on_file; /* which of the two runs this is */

static inline void must(int64_t rc, const prax_session *s)
{
    if (rc < 0)
        fail_msg("%s", prax_error_get(s)->message);
}
#define MUST(s, call)        must((call), (s))
#define ASSERT_CODE(s, want) assert_int_equal(prax_error_code(s), (want))

static inline void db_open_files(struct fixture *f)
{
    f->dir[0] = '\0';
    snprintf(f->url, sizeof f->url, "sqlite::memory:");
    if (db_on_file) {
        snprintf(f->dir, sizeof f->dir, "/tmp/prax-db.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        snprintf(f->url, sizeof f->url, "sqlite:%s/blog.db", f->dir);
    }
}

static inline int db_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    db_open_files(f);
    if (prax_db_open(&f->db, .url = f->url, .pool_max = 4, .busy_ms = 200, .acquire_ms = 200) < 0 ||
        blog_create_tables(f->db) < 0)
        fail_msg("%s", prax_db_error(f->db)->message);
    f->s = prax_session_open(f->db);
    assert_non_null(f->s);
    *state = f;
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
    free(f);
    return 0;
}

#define DB_TEST(fn) cmocka_unit_test_setup_teardown(fn, db_setup, db_teardown)
#define DB_MAIN(tests)                                                                       \
    int main(void)                                                                           \
    {                                                                                        \
        int failed = 0;                                                                      \
        for (int i = 0; i < 2; i++) {                                                        \
            db_on_file = i;                                                                  \
            failed += cmocka_run_group_tests_name(i ? "file" : "memory", tests, NULL, NULL); \
        }                                                                                    \
        return failed;                                                                       \
    }

#endif

/* test_db_error.c - what can go wrong outside of the program: the right code, names and no abort.
 */
#include "tests/db/db.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void test_constraints(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const prax_error *e = prax_error_get(s);
    assert_non_null(blog_membership_create(s, .user_id = 1, .team = "a", .role = BLOG_ROLE_USER));
    assert_null(blog_membership_create(s, .user_id = 1, .team = "a", .role = BLOG_ROLE_USER));
    assert_int_equal(e->code, PRAX_EUNIQUE);
    assert_string_equal(e->table, "memberships");
    assert_string_equal(e->column, "user_id, team");
    assert_string_equal(e->sqlstate, "23505");
    assert_int_equal(e->driver_code, on_postgres() ? 0 : 1555);
    if (on_postgres())
        assert_string_equal(e->constraint, "memberships_pkey");
    assert_int_equal(prax_sql_exec(s, "INSERT INTO tags (label) VALUES (?)", prax_null_v),
                     PRAX_ENULL);
    assert_string_equal(e->column, "label");
    assert_string_equal(e->sqlstate, "23502");
    assert_int_equal(prax_sql_exec(s, "INSERT INTO tags (label) VALUES (?)", prax_bytes_of("x", 1)),
                     PRAX_ETYPE);
    if (!on_postgres()) { /* there it is the parameter that does not fit */
        assert_string_equal(e->table, "tags");
        assert_string_equal(e->column, "label");
    }
    assert_int_equal(prax_sql_exec(s, "UPDATE users SET role = 'NOBODY'"), 0); /* no rows */
    assert_non_null(blog_user_create(s, .email = "a"));
    assert_int_equal(prax_sql_exec(s, "UPDATE users SET role = 'NOBODY'"), PRAX_ECHECK);
    assert_non_null(e->constraint);
    assert_int_equal(prax_sql_exec(s, "CREATE TABLE child (t INTEGER REFERENCES tags (id))"), 0);
    assert_int_equal(prax_sql_exec(s, "INSERT INTO child VALUES (?)", 5), PRAX_EFOREIGN);
    if (on_postgres()) {
        assert_string_equal(e->table, "child");
        assert_string_equal(e->constraint, "child_t_fkey");
    }
    assert_int_equal(prax_sql_exec(s, "SELEC 1"), PRAX_ESQL);
    assert_string_equal(e->op, "sql_exec");
    assert_string_equal(e->sql, "SELEC 1");
    assert_int_equal(prax_sql_exec(s, "SELECT absent FROM tags"), PRAX_ESCHEMA);
    assert_int_equal(prax_sql_exec(s, "SELECT \"absent\" FROM tags"), PRAX_ESCHEMA);
}

static void test_missing_table(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_int_equal(prax_sql_exec(s, "DROP TABLE tags"), 0);
    assert_null(blog_tag_create(s, .label = "a"));
    ASSERT_CODE(s, PRAX_ESCHEMA);
    assert_string_equal(prax_error_get(s)->table, "tags");
    assert_int_equal(blog_tag_count(s), PRAX_ESCHEMA);
    assert_int_equal(prax_sql_exec(s, "DROP TABLE posts"), 0);
    assert_int_equal(prax_sql_exec(s, "CREATE TABLE posts (id INTEGER PRIMARY KEY)"), 0);
    assert_null(blog_post_get(s, blog_post_by_id(1)));
    ASSERT_CODE(s, PRAX_ESCHEMA);
}

static void test_create_tables_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(prax_sql_exec(f->s, "DROP TABLE users"), 0);
    assert_int_equal(blog_create_tables(f->db), PRAX_ESCHEMA);
    assert_non_null(strstr(prax_db_error(f->db)->message, "exists"));
    assert_int_equal(blog_user_count(f->s), PRAX_ESCHEMA); /* nothing was made */
}

/* Tables that change under statements that are prepared. */
static void test_changing_tables(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_non_null(blog_tag_create(s, .label = "a"));
    assert_int_equal(blog_tag_count(s, .where.label = prax_eq("a")), 1);
    assert_non_null(blog_tag_find_many(s));
    assert_int_equal(prax_sql_exec(s, "ALTER TABLE tags ADD COLUMN more TEXT"), 0);
    assert_non_null(blog_tag_find_many(s));
    assert_non_null(blog_tag_create(s, .label = "b"));
    if (on_postgres()) {
        assert_int_equal(prax_sql_exec(s, "ALTER TABLE tags ALTER COLUMN id TYPE bigint"), 0);
        const blog_tag_list *l = blog_tag_find_many(s);
        if (!l)
            fail_msg("%s", prax_error_get(s)->message);
        assert_int_equal(l->count, 2);
        assert_non_null(blog_tag_create(s, .label = "c"));
        /* another type of a value: it was encoded for the old one, so the call fails, once */
        assert_int_equal(prax_sql_exec(s, "ALTER TABLE tags ALTER COLUMN label TYPE varchar(80)"),
                         0);
        if (!blog_tag_create(s, .label = "d"))
            ASSERT_CODE(s, PRAX_ESCHEMA);
        assert_non_null(blog_tag_create(s, .label = "e"));
    }
}

/* Rows that no program of this schema has written. */
static void test_foreign_values(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    static const struct {
        const char *sqlite, *postgres, *column;
    } wrong[] = {
        { "(id, label)", "(id int, label text)", "label" },
        { "(id, label)", "(id int, label bytea)", "label" },
        { "(id, label)", "(id text, label text)", "id" },
    };
    static const char *const values[] = { "(1, NULL)", "(1, 'a' || char(0) || 'b')",
                                          "('x', 'label')" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char sql[200];
        snprintf(sql, sizeof sql,
                 "DROP TABLE tags; CREATE TABLE tags %s; INSERT INTO tags VALUES %s",
                 on_postgres() ? wrong[i].postgres : wrong[i].sqlite,
                 on_postgres() && i == 1 ? "(1, 'a')" : values[i]);
        if (prax_sql_script(s, sql) != 3)
            fail_msg("%s", prax_error_get(s)->message);
        assert_null(blog_tag_find_many(s));
        ASSERT_CODE(s, PRAX_ETYPE);
        assert_string_equal(prax_error_get(s)->column, wrong[i].column);
    }
    assert_int_equal(prax_sql_exec(s, "DROP TABLE users"), 0);
    assert_int_equal(
        prax_sql_exec(s, on_postgres() ? "CREATE TABLE users (id int, public_id text, email "
                                         "text, name text, age float8, role text, created_at int)"
                                       : "CREATE TABLE users (id INTEGER PRIMARY KEY, public_id, "
                                         "email, name, age, role, created_at)"),
        0);
    assert_int_equal(prax_sql_exec(s, "INSERT INTO users VALUES (1, 'no uuid', 'e', 'n', 1.5, "
                                      "'NOBODY', 0)"),
                     1);
    assert_null(blog_user_get(s, blog_user_by_id(1), .select = { .public_id = 1 }));
    ASSERT_CODE(s, PRAX_ETYPE);
    assert_null(blog_user_get(s, blog_user_by_id(1), .select = { .role = 1 }));
    ASSERT_CODE(s, PRAX_ETYPE);
    assert_non_null(blog_user_get(s, blog_user_by_id(1), .select = { .email = 1 }));
}

static void open_fails(const char *url, int code, const char *says)
{
    prax_db *db = NULL;
    assert_int_equal(prax_db_open(&db, .url = url), code);
    assert_non_null(db);
    assert_int_equal(prax_db_error(db)->code, code);
    if (!strstr(prax_db_error(db)->message, says))
        fail_msg("\"%s\" does not name \"%s\"", prax_db_error(db)->message, says);
    prax_db_close(db);
}

static void test_urls(void **state)
{
    (void)state;
    open_fails(NULL, PRAX_EINVAL, "url");
    open_fails("", PRAX_EINVAL, "url");
    open_fails("blog.db", PRAX_EINVAL, "sqlite:FILE");
    open_fails("mysql://me:secret@x", PRAX_EINVAL, "postgres://"); /* and shows no password */
    open_fails("sqlite:", PRAX_EINVAL, "sqlite:FILE");
    open_fails("sqlite:///tmp/x.db", PRAX_EINVAL, "//");
    open_fails("sqlite:x.db?mode=ro", PRAX_EINVAL, "sqlite:file:");
    open_fails("sqlite:file::memory:", PRAX_EINVAL, "sqlite::memory:");
    open_fails("sqlite:/nowhere/at/all.db", PRAX_ECONN, "/nowhere/at/all.db");
    open_fails("sqlite:file:/tmp/prax-none.db?mode=ro", PRAX_ECONN, "prax-none");
    open_fails("sqlite:file:x.db?vfs=none", PRAX_ECONN, "vfs");
    open_fails("sqlite:/tmp", PRAX_ECONN, "/tmp");
    prax_db *db = NULL;
    assert_int_equal(prax_db_open_with(&db, &(prax_db_opts){ 0 }), PRAX_EINVAL);
    prax_db_close(db);
    assert_int_equal(prax_db_open(&db, .url = "sqlite::memory:", .pool_min = 3, .pool_max = 2),
                     PRAX_EINVAL);
    prax_db_close(db);
    prax_db_close(NULL);
    assert_int_equal(prax_db_error(NULL)->code, PRAX_ENOMEM);
    assert_int_equal(prax_error_code(NULL), PRAX_ENOMEM);
}

/* ---- files; these make their own ---- */

struct place {
    char dir[64], file[128], url[160];
};

static void make_place(struct place *p)
{
    snprintf(p->dir, sizeof p->dir, "/tmp/prax-err.XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->file, sizeof p->file, "%s/blog.db", p->dir);
    snprintf(p->url, sizeof p->url, "sqlite:%s", p->file);
}

static void fill(const char *url, int rows)
{
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = url), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION s = prax_session_open(db);
    char label[16];
    for (int i = 0; i < rows; i++) {
        snprintf(label, sizeof label, "%d", i);
        assert_non_null(blog_tag_create(s, .label = label));
    }
}

static void test_no_database(void **state)
{
    (void)state;
    struct place p;
    make_place(&p);
    FILE *out = fopen(p.file, "w");
    assert_non_null(out);
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database\n", out);
    fclose(out);
    open_fails(p.url, PRAX_ECORRUPT, "not a database");
    db_remove(p.dir);
}

static void test_corrupted(void **state)
{
    (void)state;
    struct place p;
    make_place(&p);
    fill(p.url, 2000);
    int fd = open(p.file, O_RDWR);
    assert_true(fd >= 0);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    char junk[4096];
    memset(junk, 0x5a, sizeof junk);
    for (off_t at = 4096; at < st.st_size; at += 4096)
        assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
    close(fd);
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = p.url), 0);
    PRAX_SESSION s = prax_session_open(db);
    assert_null(blog_tag_find_many(s));
    ASSERT_CODE(s, PRAX_ECORRUPT);
    db_remove(p.dir);
}

static void test_read_only_file(void **state)
{
    (void)state;
    struct place p;
    make_place(&p);
    fill(p.url, 3);
    char url[200];
    snprintf(url, sizeof url, "sqlite:file:%s?mode=ro", p.file);
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = url), 0);
    PRAX_SESSION s = prax_session_open(db);
    assert_int_equal(blog_tag_count(s), 3);
    assert_null(blog_tag_create(s, .label = "x"));
    ASSERT_CODE(s, PRAX_EPERM);
    db_remove(p.dir);
}

static void test_locked(void **state)
{
    struct fixture *f = *state;
    PRAX_SESSION other = prax_session_open(f->db);
    PRAX_TX(tx, other);
    assert_non_null(blog_tag_create(other, .label = "a"));
    assert_null(blog_tag_create(f->s, .label = "a"));
    ASSERT_CODE(f->s, PRAX_EBUSY);
    assert_true(prax_error_get(f->s)->retryable);
    PRAX_SESSION hurried = prax_session_open(f->db, .timeout_ms = 20);
    assert_null(blog_tag_create(hurried, .label = "a"));
    ASSERT_CODE(hurried, PRAX_ETIMEOUT); /* its deadline is before busy_ms */
    assert_int_equal(prax_tx_commit(&tx), 0);
    assert_non_null(blog_tag_create(f->s, .label = "b"));
}

/* A file system of 1 MiB where we may mount one, else SQLite's own limit of pages. */
static void test_disk_full(void **state)
{
    (void)state;
    struct place p;
    make_place(&p);
    bool mounted = mount("prax", p.dir, "tmpfs", 0, "size=1m") == 0;
    if (!mounted)
        print_message("# no tmpfs for us here: max_page_count instead\n");
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = p.url, .pool_max = 1), 0);
    assert_int_equal(blog_create_tables(db), 0);
    PRAX_SESSION s = prax_session_open(db);
    if (!mounted)
        assert_true(prax_sql_exec(s, "PRAGMA max_page_count = 60") >= 0);
    static char big[100000];
    int code = 0;
    for (int i = 0; i < 30 && code == 0; i++)
        if (!blog_post_create(s, .title = "a", .author_id = 1,
                              .cover = prax_bytes_of(big, sizeof big)))
            code = prax_error_code(s);
    assert_int_equal(code, PRAX_EFULL);
    {
        PRAX_TX(tx, s);
        for (int i = 0; i < 30 && code != PRAX_EABORTED; i++)
            if (!blog_post_create(s, .title = "a", .author_id = 1,
                                  .cover = prax_bytes_of(big, sizeof big)))
                code = prax_error_code(s);
        assert_int_equal(code, PRAX_EABORTED);
        assert_int_equal(prax_error_get(s)->cause, PRAX_EFULL);
    }
    assert_true(blog_post_count(s) > 0); /* the session still works */
    prax_session_close(s);
    s = NULL;
    prax_db_close(db);
    db = NULL;
    if (mounted)
        assert_int_equal(umount(p.dir), 0);
    db_remove(p.dir);
}

/* What is only looked at when it is committed fails then: outside of a transaction that is within
 * the statement, and for each entry of a batch by itself. */
static void test_refused_at_the_end(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    static const char insert[] = "INSERT INTO nodes VALUES (?, ?)";
    MUST(s,
         prax_sql_exec(s, "CREATE TABLE nodes (id int PRIMARY KEY, next int REFERENCES nodes (id)"
                          " DEFERRABLE INITIALLY DEFERRED)"));
    assert_int_equal(prax_sql_exec(s, insert, 1, 99), PRAX_EFOREIGN);
    int n = 0;
    prax_sql_each(row, s, "INSERT INTO nodes VALUES (?, ?) RETURNING id", 2, 98)
        n++;
    ASSERT_CODE(s, PRAX_EFOREIGN);
    assert_true(n == 0 || !on_postgres());
    PRAX_BATCH b = prax_batch_open(s);
    const prax_result *bad = prax_sql_in(b, insert, 3, 97);
    const prax_result *good = prax_sql_in(b, insert, 4, 4);
    const prax_result *worse = prax_sql_in(b, insert, 5, 95);
    assert_int_equal(prax_batch_run(b), 0);
    assert_int_equal(bad->status, PRAX_EFOREIGN);
    assert_int_equal(good->status, 0);
    assert_int_equal(good->count, 1);
    assert_int_equal(worse->status, PRAX_EFOREIGN);
    prax_batch_close(b);
    b = NULL;
    PRAX_TX(tx, s);
    assert_int_equal(prax_sql_exec(s, insert, 6, 94), 1);
    assert_int_equal(prax_tx_commit(&tx), PRAX_EFOREIGN);
    prax_tx_end(&tx);
    assert_int_equal(prax_sql_exec(s, "DELETE FROM nodes"), 1);
}

static void test_fork(void **state)
{
    struct fixture *f = *state;
    assert_non_null(blog_tag_create(f->s, .label = "a"));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        bool good = blog_tag_count(f->s) == PRAX_EINVAL && !prax_session_open(f->db);
        prax_session_close(f->s); /* leaves the parent's connection alone */
        prax_db_close(f->db);
        _exit(good ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(blog_tag_count(f->s), 1);
}

static const struct CMUnitTest tests[] = {
    DB_TEST(test_constraints),        DB_TEST(test_missing_table),
    DB_TEST(test_foreign_values),     DB_TEST(test_create_tables_once),
    DB_TEST(test_changing_tables),    DB_TEST(test_locked),
    DB_TEST(test_refused_at_the_end), DB_TEST(test_fork),
};
static const struct CMUnitTest own_files[] = {
    cmocka_unit_test(test_urls),      cmocka_unit_test(test_no_database),
    cmocka_unit_test(test_corrupted), cmocka_unit_test(test_read_only_file),
    cmocka_unit_test(test_disk_full),
};

int main(void)
{
    int failed = db_run(tests, sizeof tests / sizeof *tests);
    return failed + cmocka_run_group_tests_name("own files", own_files, NULL, NULL);
}

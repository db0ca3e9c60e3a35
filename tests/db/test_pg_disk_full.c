/* test_pg_disk_full.c - PostgreSQL whose disk is full: tables in a tablespace on a small file
 * system.
 *
 * Transactions of single rows, and creates of many by arrays and by COPY, until nothing goes in;
 * then somebody makes room, and they go on. Each was done whole or refused with EFULL, in the count
 * that is compared at the end. Only root may mount, and the server must be of this machine.
 */
#include "tests/db/db.h"
#include <fcntl.h>
#include <pwd.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { BIG = 30000, BY_ARRAYS = 400, BY_COPY = 6000, TRANSACTIONS_MAX = 5000 };

struct disk {
    struct fixture f;
    char dir[64], url[PG_URL + 64];
    char why[160]; /* "" = it is there */
};

static int ballast(const struct disk *d, bool there)
{
    char path[96];
    snprintf(path, sizeof path, "%s/ballast", d->dir);
    if (!there)
        return unlink(path);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    int rc = fd < 0 ? -1 : posix_fallocate(fd, 0, 4 << 20);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* A folder of the server's on 12 MiB. */
static bool mount_small(struct disk *d)
{
    char space[80], sql[128];
    const struct passwd *owner = getpwnam("postgres");
    snprintf(d->dir, sizeof d->dir, "/tmp/prax-full.XXXXXX");
    assert_non_null(mkdtemp(d->dir));
    if (!owner || mount("prax", d->dir, "tmpfs", 0, "size=12m,mode=711") != 0) {
        snprintf(d->why, sizeof d->why, "only root may mount a file system");
        return false;
    }
    snprintf(space, sizeof space, "%s/space", d->dir);
    assert_int_equal(mkdir(space, 0700), 0);
    assert_int_equal(chown(space, owner->pw_uid, owner->pw_gid), 0);
    snprintf(sql, sizeof sql, "CREATE TABLESPACE narrow LOCATION '%s'", space);
    if (!pg_exec(sql))
        snprintf(d->why, sizeof d->why, "the server cannot use a folder of this machine");
    return !*d->why;
}

static int setup(void **state)
{
    struct disk *d = calloc(1, sizeof *d);
    assert_non_null(d);
    *state = d;
    pg_schema_new(d->f.url);
    if (mount_small(d)) {
        snprintf(d->url, sizeof d->url, "%s%%20-cdefault_tablespace%%3Dnarrow", d->f.url);
        assert_int_equal(ballast(d, true), 0);
    }
    return 0;
}

static int teardown(void **state)
{
    struct disk *d = *state;
    pg_schema_drop(d->f.url);
    if (!*d->why)
        assert_true(pg_exec("DROP TABLESPACE narrow"));
    umount(d->dir);
    rmdir(d->dir);
    free(d);
    return 0;
}

/* What no server can make small. */
static void fill_random(char *big)
{
    static uint32_t x = 1;
    for (int i = 0; i < BIG; i++)
        big[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
}

static int in_transaction(prax_session *s, int serial)
{
    static char big[BIG];
    char title[16];
    snprintf(title, sizeof title, "%d", serial);
    fill_random(big);
    PRAX_SCOPE(s);
    PRAX_TX(tx, s);
    for (int k = 0; k < 3; k++) {
        if (!blog_post_create(s, .title = title, .author_id = 1,
                              .cover = prax_bytes_of(big, sizeof big)))
            return prax_error_code(s);
    }
    return prax_tx_commit(&tx);
}

static int many(prax_session *s, int serial, size_t n)
{
    static blog_post_new rows[BY_COPY];
    char title[16];
    snprintf(title, sizeof title, "%d", serial);
    for (size_t i = 0; i < n; i++)
        rows[i] = (blog_post_new){ .title = title, .author_id = 1 };
    int64_t rc = blog_post_create_many(s, rows, n);
    assert_true(rc < 0 || rc == (int64_t)n);
    return rc < 0 ? (int)rc : 0;
}

struct tally {
    int serial, good, refused;
    int64_t rows;
};

/* One way after the other, until none of them goes in. */
static void fill_disk(prax_session *s, struct tally *t)
{
    static const size_t sizes[] = { 3, BY_ARRAYS, BY_COPY };
    for (int in_a_row = 0; in_a_row < 6; t->serial++) {
        size_t n = sizes[t->serial % 3];
        char title[16];
        int rc = n == 3 ? in_transaction(s, t->serial) : many(s, t->serial, n);
        if (rc != 0 && rc != PRAX_EFULL)
            fail_msg("%d, %zu rows: %s", t->serial, n, prax_error_get(s)->message);
        snprintf(title, sizeof title, "%d", t->serial);
        assert_int_equal(blog_post_count(s, .where.title = prax_eq(title)), rc == 0 ? n : 0);
        in_a_row = rc == 0 ? 0 : in_a_row + 1;
        t->good += rc == 0;
        t->refused += rc != 0;
        t->rows += rc == 0 ? (int64_t)n : 0;
        assert_true(t->serial < TRANSACTIONS_MAX);
    }
}

static void test_disk_full(void **state)
{
    struct disk *d = *state;
    struct tally t = { 0 };
    if (*d->why) {
        print_message("# %s\n", d->why);
        skip();
    }
    PRAX_DB db = NULL;
    MUST(NULL, prax_db_open(&db, .url = d->url, .pool_max = 2));
    MUST(NULL, blog_create_tables(db));
    PRAX_SESSION s = prax_session_open(db);
    assert_non_null(blog_user_create(s, .email = "a@b", .role = prax_set(BLOG_ROLE_USER)));
    fill_disk(s, &t);
    int before = t.good;
    assert_int_equal(ballast(d, false), 0); /* somebody makes room */
    fill_disk(s, &t);
    assert_true(before > 0 && t.good > before);
    assert_int_equal(blog_post_count(s), t.rows);
    print_message("# disk full: %d refused, %d done, none in part\n", t.refused, t.good);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_disk_full, setup, teardown),
    };
    if (pg_missing()) {
        db_skip(tests, 1, pg_missing());
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

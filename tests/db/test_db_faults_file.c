/* test_db_faults_file.c - a file of SQLite when the program is killed in the middle of its writes,
 * when the disk is full, when bytes in it have changed. Figures are printed as comments;
 * PRAX_FAULTS=long tries more places.
 */
#include "tests/db/db.h"
#include "tests/lib/dying_vfs.h"
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { TRANSACTIONS = 16 };

static bool many(void)
{
    const char *mode = getenv("PRAX_FAULTS");
    return mode && strcmp(mode, "long") == 0;
}

/* ---- killed at the n-th write, sync or lock of the log ---- */

/* Transactions of three rows each, one after the other; each is reported when it is committed. */
static void write_rows(const char *url, int report)
{
    prax_db *db = NULL;
    prax_session *s = prax_db_open(&db, .url = url) < 0 ? NULL : prax_session_open(db);
    if (!s)
        _exit(1);
    for (int i = 0; i < TRANSACTIONS; i++) {
        char title[16];
        char committed = (char)i;
        PRAX_TX(tx, s);
        snprintf(title, sizeof title, "%d", i);
        for (int k = 0; k < 3; k++) {
            if (!blog_post_create(s, .title = title, .author_id = k))
                _exit(2);
        }
        if (prax_tx_commit(&tx) < 0 || write(report, &committed, 1) != 1)
            _exit(3);
    }
    if (prax_sql_exec(s, "PRAGMA wal_checkpoint(TRUNCATE)") < 0)
        _exit(4);
    prax_session_close(s);
    prax_db_close(db);
    _exit(0);
}

/* What is there after it: whole transactions, and all that were reported. */
static void check_rows(const char *url, unsigned reported)
{
    PRAX_DB db = NULL;
    MUST(NULL, prax_db_open(&db, .url = url));
    PRAX_SESSION s = prax_session_open(db);
    for (int i = 0; i < TRANSACTIONS; i++) {
        char title[16];
        snprintf(title, sizeof title, "%d", i);
        int64_t n = blog_post_count(s, .where.title = prax_eq(title));
        MUST(s, n);
        if (n != 3 && (n != 0 || reported >> i & 1))
            fail_msg("transaction %d: %d of 3 rows", i, (int)n);
    }
    prax_sql_each(row, s, "PRAGMA integrity_check")
        assert_string_equal(prax_col_text(row, 0), "ok");
}

/* false: it ended before the n-th place. */
static bool kill_at(const struct fixture *f, int place)
{
    int fds[2], status;
    char at;
    unsigned reported = 0;
    {
        PRAX_DB db = NULL;
        MUST(NULL, prax_db_open(&db, .url = f->url));
        MUST(NULL, blog_create_tables(db));
    }
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dying_vfs_install(place);
        write_rows(f->url, fds[1]);
    }
    close(fds[1]);
    while (read(fds[0], &at, 1) == 1)
        reported |= 1u << at;
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        fail_msg("place %d: status %x", place, (unsigned)status);
    check_rows(f->url, reported);
    return killed;
}

static void remove_files(const struct fixture *f)
{
    static const char *const tails[] = { "", "-wal", "-shm", "-journal" };
    char path[160];
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        snprintf(path, sizeof path, "%s/blog.db%s", f->dir, tails[i]);
        unlink(path);
    }
}

static void test_killed_while_writing(void **state)
{
    const struct fixture *f = *state;
    int places = 0, step = many() ? 1 : 5;
    for (int n = 1; kill_at(f, n); n += step) {
        places++;
        remove_files(f);
    }
    print_message("# killed in %d places of %d transactions and a checkpoint: whole each time\n",
                  places, TRANSACTIONS);
    assert_true(places >= (many() ? 200 : 40));
}

/* ---- disk full ---- */

static int64_t rows_of(prax_session *s, int serial)
{
    char title[16];
    snprintf(title, sizeof title, "%d", serial);
    return blog_post_count(s, .where.title = prax_eq(title));
}

static int write_big(prax_session *s, int serial)
{
    static char big[30000];
    char title[16];
    snprintf(title, sizeof title, "%d", serial);
    PRAX_SCOPE(s);
    PRAX_TX(tx, s);
    for (int k = 0; k < 3; k++) {
        if (!blog_post_create(s, .title = title, .author_id = k,
                              .cover = prax_bytes_of(big, sizeof big)))
            return prax_error_code(s);
    }
    return prax_tx_commit(&tx);
}

/* Fills the disk until nothing goes in; returns the transactions that were whole and refused. */
static void fill_disk(prax_session *s, int *serial, int *good, int *refused)
{
    for (int in_a_row = 0; in_a_row < 5; (*serial)++) {
        int rc = write_big(s, *serial);
        if (rc != 0 && rc != PRAX_EFULL)
            fail_msg("transaction %d: %s", *serial, prax_error_get(s)->message);
        in_a_row = rc == 0 ? 0 : in_a_row + 1;
        *good += rc == 0;
        *refused += rc != 0;
        int64_t n = rows_of(s, *serial);
        MUST(s, n);
        assert_int_equal(n, rc == 0 ? 3 : 0);
        assert_true(*serial < 10000);
    }
}

static void test_disk_full(void **state)
{
    const struct fixture *f = *state;
    char ballast[160];
    int serial = 0, good = 0, refused = 0;
    if (mount("prax", f->dir, "tmpfs", 0, "size=3m") != 0) {
        print_message("# no file system of our own: only root may mount one\n");
        skip();
    }
    snprintf(ballast, sizeof ballast, "%s/ballast", f->dir);
    int fd = open(ballast, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(posix_fallocate(fd, 0, 1 << 20), 0);
    close(fd);
    prax_db *db = NULL;
    MUST(NULL, prax_db_open(&db, .url = f->url, .pool_max = 2));
    MUST(NULL, blog_create_tables(db));
    prax_session *s = prax_session_open(db);
    fill_disk(s, &serial, &good, &refused);
    int before = good;
    assert_int_equal(unlink(ballast), 0); /* somebody makes room */
    fill_disk(s, &serial, &good, &refused);
    assert_true(before > 0 && good > before);
    assert_int_equal(blog_post_count(s), 3 * good);
    prax_sql_each(row, s, "PRAGMA integrity_check")
        assert_string_equal(prax_col_text(row, 0), "ok");
    prax_session_close(s);
    prax_db_close(db);
    assert_int_equal(umount(f->dir), 0);
    print_message("# disk full: %d transactions refused, %d done, none in part\n", refused, good);
}

/* ---- changed bytes ---- */

struct bytes {
    unsigned char *data;
    size_t size;
};

static struct bytes read_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    struct bytes b = { malloc((size_t)st.st_size), (size_t)st.st_size };
    assert_int_equal(read(fd, b.data, b.size), b.size);
    close(fd);
    return b;
}

static void write_file(const char *path, const struct bytes *b)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b->data, b->size), b->size);
    close(fd);
}

static void make_good(const struct fixture *f)
{
    PRAX_DB db = NULL;
    MUST(NULL, prax_db_open(&db, .url = f->url, .pool_max = 1));
    MUST(NULL, blog_create_tables(db));
    PRAX_SESSION s = prax_session_open(db);
    PRAX_TX(tx, s);
    for (int i = 0; i < 300; i++) {
        char label[32];
        PRAX_SCOPE(s);
        snprintf(label, sizeof label, "label-%d", i);
        assert_non_null(blog_tag_create(s, .label = label));
        assert_non_null(blog_post_create(s, .title = label, .author_id = i % 7));
    }
    MUST(s, prax_tx_commit(&tx));
}

/* 0: nothing was noticed, 1: an error that says so. Anything else: 2. */
static int look_at(int64_t rc)
{
    if (rc >= 0 || rc == PRAX_ENOTFOUND)
        return 0;
    return rc == PRAX_ECORRUPT || rc == PRAX_ETYPE || rc == PRAX_ESCHEMA || rc == PRAX_ESQL ||
                   rc == PRAX_ECONN || rc == PRAX_EIO || rc == PRAX_EPERM || rc == PRAX_EFULL ||
                   rc == PRAX_EUNIQUE || rc == PRAX_ENOMEM || rc == PRAX_ELIMIT ||
                   rc == PRAX_EUNSUPPORTED || rc == PRAX_ECHECK || rc == PRAX_EABORTED
               ? 1
               : 2;
}

static int use_damaged(const char *url)
{
    PRAX_DB db = NULL;
    int worst = look_at(prax_db_open(&db, .url = url, .pool_max = 1));
    if (worst)
        return worst;
    PRAX_SESSION s = prax_session_open(db);
    int seen[5] = {
        look_at(blog_tag_find_many(s, .order_by = { BLOG_TAG_LABEL_ASC }) ? 0 : prax_error_code(s)),
        look_at(blog_post_count(s, .where.author_id = prax_eq(3))),
        look_at(blog_post_find_many(s) ? 0 : prax_error_code(s)),
        look_at(blog_tag_create(s, .label = "new") ? 0 : prax_error_code(s)),
        look_at(blog_post_delete_many(s, .where.id = prax_gt(150))),
    };
    for (int i = 0; i < 5; i++)
        worst = seen[i] > worst ? seen[i] : worst;
    return worst;
}

static void test_changed_bytes(void **state)
{
    const struct fixture *f = *state;
    const char *path = f->url + strlen("sqlite:");
    int tries = many() ? 3000 : 150, noticed = 0;
    unsigned random = 1;
    make_good(f);
    struct bytes good = read_file(path);
    for (int i = 0; i < tries; i++) {
        int status;
        struct bytes bad = { malloc(good.size), good.size };
        memcpy(bad.data, good.data, good.size);
        for (int k = 0; k < 1 + i % 8; k++) {
            random = random * 1103515245u + 12345u;
            size_t at = (random >> 8) % (i % 3 ? good.size : 400); /* the header, and all of it */
            bad.data[at] ^= (unsigned char)(1u << (random & 7));
        }
        remove_files(f);
        write_file(path, &bad);
        free(bad.data);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(use_damaged(f->url));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
            fail_msg("damage %d: status %x", i, (unsigned)status);
        noticed += WEXITSTATUS(status);
    }
    free(good.data);
    print_message("# changed bytes: %d files, %d noticed, no crash\n", tries, noticed);
    assert_true(noticed > tries / 20);
}

static const struct CMUnitTest tests[] = {
    DB_OWN(test_killed_while_writing),
    DB_OWN(test_disk_full),
    DB_OWN(test_changed_bytes),
};

int main(void)
{
    db_place = DB_FILE;
    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}

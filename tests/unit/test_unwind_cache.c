/* The cache of rows: hits give what the decoder gives; whatever else lies in the folder is not
 * believed, does no harm and is replaced. */
#include "loader/unwind/cache.h"
#include "orm/base/map.h"
#include "tests/lib/tables.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LIB "/usr/lib/x86_64-linux-gnu/"

static char top[64], folder[96], kept_path[400];
static struct elf_file object;
static struct unwind_rows decoded;
static struct unwind_cache cache;

static void open_object(struct elf_file *f, const char *path)
{
    assert_int_equal(elf_file__open(f, open(path, O_RDONLY | O_CLOEXEC)), 0);
}

/* The only file in the folder; its path goes to kept_path. */
static int count_files(void)
{
    DIR *d = opendir(folder);
    const struct dirent *e;
    int n = 0;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(kept_path, sizeof(kept_path), "%s/%s", folder, e->d_name);
        n++;
    }
    closedir(d);
    return n;
}

static void empty_folder(void)
{
    while (count_files() > 0)
        assert_int_equal(remove(kept_path), 0);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(top, "/tmp/prax-cache-XXXXXX");
    if (mkdtemp(top) == NULL)
        return -1;
    snprintf(folder, sizeof(folder), "%s/cache", top);
    setenv("PRAX_BPF_CACHE", folder, 1);
    unwind_cache__open(&cache);
    open_object(&object, LIB "libz.so.1");
    return cache.folder < 0 ? -1 : unwind_rows__build(&decoded, &object);
}

static int remove_folder(void **state)
{
    (void)state;
    unwind_cache__close(&cache);
    empty_folder();
    unwind_rows__free(&decoded);
    elf_file__close(&object);
    return rmdir(folder) == 0 && rmdir(top) == 0 ? 0 : -1;
}

static bool load(void)
{
    struct unwind_rows r;
    bool found = unwind_cache__load(&cache, &object, &r);

    if (found) {
        assert_int_equal(r.n, decoded.n);
        assert_int_equal(r.n_rules, decoded.n_rules);
        assert_int_equal(r.base, decoded.base);
        assert_int_equal(r.bytes, decoded.bytes);
        assert_int_equal(r.unsupported, decoded.unsupported);
        assert_memory_equal(r.rows, decoded.rows, r.n * sizeof(*r.rows));
        assert_memory_equal(r.rules, decoded.rules, r.n_rules * sizeof(*r.rules));
    } else {
        assert_null(r.rows);
        assert_null(r.rules);
    }
    unwind_rows__free(&r);
    return found;
}

/* Makes the folder hold the object's rows, and nothing else. */
static void store(void)
{
    uint64_t before = cache.stored;

    unwind_cache__store(&cache, &object, &decoded);
    assert_int_equal(cache.stored, before + 1);
    assert_int_equal(count_files(), 1);
}

/* What is there now is rejected, and replaced by what is good. */
static void assert_rejected(void)
{
    uint64_t before = cache.rejected;

    assert_false(load());
    assert_int_equal(cache.rejected, before + 1);
    store();
    assert_true(load());
}

static void test_hit(void **state)
{
    struct stat st;
    (void)state;

    empty_folder();
    assert_false(load());
    store();
    assert_true(load());
    assert_int_equal(stat(kept_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static char *kept_bytes(size_t *size)
{
    struct stat st;
    int fd = open(kept_path, O_RDONLY | O_CLOEXEC);

    assert_int_equal(fstat(fd, &st), 0);
    *size = (size_t)st.st_size;
    char *p = malloc(*size);
    assert_int_equal(read(fd, p, *size), *size);
    close(fd);
    return p;
}

static void keep_bytes(const char *p, size_t size)
{
    int fd = open(kept_path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    assert_int_equal(write(fd, p, size), size);
    close(fd);
}

/* Every byte of the header, and some of the rest. */
static void test_damaged(void **state)
{
    size_t size;
    (void)state;

    store();
    char *p = kept_bytes(&size);
    for (size_t at = 0; at < size; at += at < 104 ? 1 : 997) {
        p[at] ^= 0x10;
        keep_bytes(p, size);
        assert_rejected();
        p[at] ^= 0x10;
    }
    free(p);
}

static void test_truncated(void **state)
{
    size_t size;
    (void)state;

    store();
    char *p = kept_bytes(&size);
    for (size_t shorter = 0; shorter < size; shorter += size / 50 + 1) {
        keep_bytes(p, shorter);
        assert_rejected();
    }
    free(p);
}

/* Writes what has the right checksum, but not the right content. */
static void keep_signed(char *p, size_t size)
{
    uint64_t checksum = pxi_hash(p + 8, size - 8);

    memcpy(p, &checksum, 8);
    keep_bytes(p, size);
}

enum { AT_VERSION = 16, AT_BUILD_ID = 24, AT_N_ROWS = 88, AT_N_RULES = 96, HEADER = 104 };

static void test_wrong_content(void **state)
{
    static const size_t places[] = { AT_VERSION, AT_BUILD_ID, AT_N_ROWS, AT_N_RULES,
                                     AT_N_ROWS + 7 };
    size_t size;
    (void)state;

    store();
    char *p = kept_bytes(&size);
    size_t rows = HEADER + decoded.n_rules * sizeof(struct pxb_rule);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        p[places[i]]++;
        keep_signed(p, size);
        assert_rejected();
        p[places[i]]--;
    }
    const size_t disorder[] = { HEADER, rows, rows + 4 + 3, rows + 16, size - 4 };
    for (size_t i = 0; i < sizeof(disorder) / sizeof(disorder[0]); i++) {
        char was = p[disorder[i]];
        p[disorder[i]] = (char)0xff;
        if (disorder[i] == rows + 16) /* the third row before the second */
            memset(p + disorder[i], 0, 4);
        keep_signed(p, size);
        assert_rejected();
        free(p);
        p = kept_bytes(&size);
        assert_int_equal(p[disorder[i]], was);
    }
    keep_signed(p, size);
    assert_true(load()); /* the signing itself is right */
    free(p);
}

static void test_link_in_the_way(void **state)
{
    char victim[128];
    struct stat st;
    (void)state;

    store();
    snprintf(victim, sizeof(victim), "%s/victim", top);
    assert_int_equal(rename(kept_path, victim), 0);
    assert_int_equal(symlink(victim, kept_path), 0); /* to rows that are good */
    assert_rejected();
    assert_int_equal(lstat(kept_path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(truncate(victim, 3), 0);
    assert_int_equal(remove(kept_path), 0);
    assert_int_equal(symlink(victim, kept_path), 0);
    store(); /* replaces the link and does not write through it */
    assert_int_equal(stat(victim, &st), 0);
    assert_int_equal(st.st_size, 3);
    assert_int_equal(remove(victim), 0);
    assert_int_equal(remove(kept_path), 0);
    assert_int_equal(mkfifo(kept_path, 0600), 0); /* would block a reader */
    assert_rejected();
    assert_int_equal(remove(kept_path), 0);
    assert_int_equal(mkdir(kept_path, 0700), 0);
    assert_false(load());
    unwind_cache__store(&cache, &object, &decoded);
    assert_false(load());
    assert_int_equal(count_files(), 1); /* nothing is left behind */
    assert_int_equal(rmdir(kept_path), 0);
}

static void need_root(const char *what)
{
    if (geteuid() == 0)
        return;
    print_message("# skipped: only root can %s\n", what);
    skip();
}

static void test_other_owner(void **state)
{
    char copy[128], command[300];
    struct elf_file f;
    struct unwind_rows r;
    (void)state;

    need_root("give a file away");
    store();
    assert_int_equal(chown(kept_path, 65534, 65534), 0);
    assert_rejected();
    assert_int_equal(chmod(kept_path, 0622), 0);
    assert_rejected();
    empty_folder();
    snprintf(copy, sizeof(copy), "%s/object", top);
    snprintf(command, sizeof(command), "cp %s %s", LIB "libz.so.1", copy);
    assert_int_equal(system(command), 0);
    assert_int_equal(chown(copy, 65534, 65534), 0);
    open_object(&f, copy); /* the same build id, but whoever owns it may have changed the rest */
    unwind_cache__store(&cache, &f, &decoded);
    assert_int_equal(count_files(), 0);
    store();
    assert_false(unwind_cache__load(&cache, &f, &r));
    elf_file__close(&f);
    assert_int_equal(remove(copy), 0);
}

static bool opens(const char *path)
{
    struct unwind_cache c;

    setenv("PRAX_BPF_CACHE", path, 1);
    unwind_cache__open(&c);
    bool there = c.folder >= 0;
    unwind_cache__close(&c);
    setenv("PRAX_BPF_CACHE", folder, 1);
    return there;
}

static void test_folder(void **state)
{
    char path[128];
    (void)state;

    assert_true(opens(folder));
    assert_false(opens("off"));
    assert_false(opens("/proc/none/cache"));
    snprintf(path, sizeof(path), "%s/link", top);
    assert_int_equal(symlink(folder, path), 0);
    assert_false(opens(path));
    assert_int_equal(remove(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(opens(path));
    assert_int_equal(chmod(path, 0755), 0);
    assert_false(opens(path));
    assert_int_equal(chmod(path, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 65534, 65534), 0);
        assert_false(opens(path));
    }
    assert_int_equal(rmdir(path), 0);
}

/* XDG_CACHE_HOME is for those who are not root. */
static void test_default_folder(void **state)
{
    struct unwind_cache c;
    struct stat st;
    char path[128];
    (void)state;

    snprintf(path, sizeof(path), "%s/prax-bpf", top);
    unsetenv("PRAX_BPF_CACHE");
    setenv("XDG_CACHE_HOME", top, 1);
    uid_t real = geteuid();
    if (real == 0)
        assert_true(chown(top, 65534, 65534) == 0 && seteuid(65534) == 0);
    unwind_cache__open(&c);
    assert_true(c.folder >= 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, geteuid());
    unwind_cache__close(&c);
    assert_int_equal(rmdir(path), 0);
    if (real == 0)
        assert_true(seteuid(0) == 0 && chown(top, 0, 0) == 0);
    setenv("PRAX_BPF_CACHE", folder, 1);
}

static void test_not_cached(void **state)
{
    struct elf_file f;
    struct unwind_rows r = { 0 };
    (void)state;

    empty_folder();
    open_object(&f, LIB "libz.so.1");
    f.build_id_size = 0;
    unwind_cache__store(&cache, &f, &decoded);
    elf_file__close(&f);
    assert_int_equal(elf_file__open_memory(&f, "", 0), -ENOEXEC);
    f = (struct elf_file){ .fd = -1, .build_id_size = 20 }; /* an image of a process's memory */
    unwind_cache__store(&cache, &f, &decoded);
    unwind_cache__store(&cache, &object, &r);
    assert_int_equal(count_files(), 0);
}

static void test_full_disk(void **state)
{
    struct unwind_cache small;
    struct unwind_rows r;
    char path[128];
    (void)state;

    need_root("mount a small disk");
    snprintf(path, sizeof(path), "%s/disk", top);
    assert_int_equal(mkdir(path, 0700), 0);
    if (mount("none", path, "tmpfs", 0, "size=8k,mode=700") != 0) {
        assert_int_equal(rmdir(path), 0);
        print_message("# skipped: cannot mount a small disk here: %s\n", strerror(errno));
        skip();
    }
    setenv("PRAX_BPF_CACHE", path, 1);
    unwind_cache__open(&small);
    setenv("PRAX_BPF_CACHE", folder, 1);
    assert_true(small.folder >= 0);
    unwind_cache__store(&small, &object, &decoded);
    assert_int_equal(small.stored, 0);
    assert_false(unwind_cache__load(&small, &object, &r));
    assert_int_equal(small.rejected, 0); /* no half of a file */
    unwind_cache__close(&small);
    assert_int_equal(umount(path), 0);
    assert_int_equal(rmdir(path), 0);
}

/* The oldest go: that which was used last stays. */
static void test_limit(void **state)
{
    static const char *const names[] = { LIB "libm.so.6", LIB "libz.so.1", LIB "libelf.so.1" };
    struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
    struct unwind_rows r;
    struct elf_file f;
    struct stat st;
    (void)state;

    empty_folder();
    for (int i = 0; i < 3; i++) {
        open_object(&f, names[i]);
        assert_int_equal(unwind_rows__build(&r, &f), 0);
        unwind_cache__store(&cache, &f, &r);
        unwind_rows__free(&r);
        elf_file__close(&f);
    }
    assert_int_equal(count_files(), 3);
    DIR *d = opendir(folder);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        utimensat(dirfd(d), e->d_name, old, 0);
    closedir(d);
    assert_true(load()); /* now libz is the newest */
    cache.limit =
        HEADER + decoded.n_rules * sizeof(*decoded.rules) + decoded.n * sizeof(*decoded.rows);
    unwind_cache__close(&cache);
    assert_int_equal(count_files(), 1);
    assert_int_equal(stat(kept_path, &st), 0);
    assert_true(st.st_mtim.tv_sec > 1000);
    unwind_cache__open(&cache);
    assert_true(load());
}

static double ms_since(const struct timespec *from)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) * 1e3 + (double)(now.tv_nsec - from->tv_nsec) / 1e6;
}

/* What a program on SQLite, libpq and OpenSSL maps, through the tables: first decoded and kept,
 * then found. */
static void test_through_tables(void **state)
{
    static const char *const names[] = { LIB "libsqlite3.so.0",     LIB "libpq.so.5",
                                         LIB "libssl.so.3",         LIB "libcrypto.so.3",
                                         LIB "libc.so.6",           LIB "libm.so.6",
                                         LIB "ld-linux-x86-64.so.2" };
    enum { N = sizeof(names) / sizeof(names[0]) };
    size_t rows[2], bytes = 0;
    double ms[2];
    (void)state;

    empty_folder();
    for (int round = 0; round < 2; round++) {
        struct unwind_memory memory = tables__memory();
        struct unwind *u = unwind__new(&memory);
        struct elf_file files[N];
        struct timespec start;
        unwind__use_cache(u);
        for (int i = 0; i < N; i++)
            open_object(&files[i], names[i]);
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (int i = 0; i < N; i++)
            assert_int_equal(unwind__object(u, names[i], strlen(names[i]), &files[i]), i);
        ms[round] = ms_since(&start);
        rows[round] = unwind__rows(u);
        bytes = unwind__bytes(u);
        for (int i = 0; i < N; i++)
            elf_file__close(&files[i]);
        unwind__free(u);
        tables__free(&memory);
        assert_int_equal(count_files(), N);
    }
    assert_int_equal(rows[0], rows[1]);
    print_message("# %d objects, %zu rows, %zu bytes of tables; %.1f ms decoded, %.1f ms found\n",
                  N, rows[0], bytes, ms[0], ms[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hit),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_wrong_content),
        cmocka_unit_test(test_link_in_the_way),
        cmocka_unit_test(test_other_owner),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_default_folder),
        cmocka_unit_test(test_not_cached),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_through_tables),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

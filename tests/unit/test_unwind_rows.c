/* Every row of the tables of objects that a program on Prax maps, and of others that are known for
 * code like no other; see tests/lib/rows.h. test_unwind_sweep.c takes whatever is installed. */
#include "tests/lib/rows.h"
#include "tests/lib/tables.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIB "/usr/lib/x86_64-linux-gnu/"
static const char *const files[] = {
    LIB "libsqlite3.so.0",
    LIB "libc.so.6",
    LIB "libcrypto.so.3",
    LIB "libpq.so.5",
    "/lib64/ld-linux-x86-64.so.2",
    LIB "libstdc++.so.6",
    "/usr/bin/python3",
    LIB "libm.so.6",
    LIB "libssl.so.3",
    LIB "libgcc_s.so.1",
    LIB "libdw.so.1",
    LIB "libelf.so.1",
    LIB "libz.so.1",
    "/usr/bin/perl",
    "/usr/bin/bash",
    "/usr/bin/git",
    LIB "libglib-2.0.so.0",
    LIB "libxml2.so.2",
    LIB "libgnutls.so.30",
    LIB "libgcrypt.so.20",
    LIB "libgmp.so.10",
    LIB "libkrb5.so.3",
    LIB "libldap-2.5.so.0",
    LIB "libicuuc.so.72",
    LIB "libbpf.so.1",
    LIB "libzstd.so.1",
    LIB "liblzma.so.5",
    LIB "libcurl.so.4",
    LIB "libncursesw.so.6",
    LIB "libclang-cpp.so.14",
    "/usr/bin/gdb",
    "/usr/bin/make",
};
enum { N_FILES = sizeof(files) / sizeof(files[0]), N_NEEDED = 2 };

static void print_count(const char *path, const struct rows_count *c)
{
    print_message("# %-45s %7zu rows %4zu rules; NONE %zu BAD %zu END %zu SIGNAL %zu CFA %zu DEREF "
                  "%zu PLT %zu; refused by libdw %zu; wrong %zu\n",
                  path, c->rows, c->rules, c->kinds[0], c->kinds[1], c->kinds[2], c->kinds[3],
                  c->kinds[4], c->kinds[5], c->kinds[6], c->refused, c->wrong);
}

static void test_rows_equal_libdw(void **state)
{
    (void)state;
    struct unwind_memory memory = tables__memory();
    struct unwind *u = unwind__new(&memory);
    size_t seen = 0;

    for (size_t i = 0; i < N_FILES; i++) {
        struct rows_count count = { 0 };
        int e = rows__check(u, &memory, files[i], &count);
        if (i >= N_NEEDED && e == -EBADF) {
            print_message("# %s: not here\n", files[i]);
            continue;
        }
        print_count(files[i], &count);
        assert_int_equal(e, 0);
        assert_int_equal(count.wrong, 0);
        seen++;
    }
    print_message("# %zu files, %zu rows, %zu bytes of tables\n", seen, unwind__rows(u),
                  unwind__bytes(u));
    assert_true(seen > N_NEEDED);
    unwind__free(u);
    tables__free(&memory);
}

/* Without its .debug_frame such a file has 8 rows, those of the start-up code. */
static void test_debug_frame(void **state)
{
    static const char *const kinds[] = { "1", "3", "4", "both" };
    const char *build = getenv("B");
    char path[4096];
    (void)state;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct unwind_memory memory = tables__memory();
        struct unwind *u = unwind__new(&memory);
        struct rows_count count = { 0 };
        snprintf(path, sizeof(path), "%s/tests/bpf/victims/frame_debug.%s",
                 build != NULL ? build : "build/dev", kinds[i]);
        assert_int_equal(rows__check(u, &memory, path, &count), 0);
        print_count(path, &count);
        assert_int_equal(count.wrong, 0);
        assert_true(count.rows > 20);
        unwind__free(u);
        tables__free(&memory);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows_equal_libdw),
                                        cmocka_unit_test(test_debug_frame) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every row of whatever ELF files are installed, against libdw. With PRAX_ELFS=all (make
 * check-elfs) all of them; else those whose name falls into one of SHARES, so that a run takes
 * seconds and the same machine always gives the same files. Files that the sample must not miss are
 * in test_unwind_rows.c. */
#include "orm/base/map.h"
#include "tests/lib/rows.h"
#include "tests/lib/tables.h"

#include <errno.h>
#include <fts.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

enum { SHARES = 4, SMALL = 8 << 20 /* bytes: what a sample takes */ };

static char folder[] = "/usr/lib/x86_64-linux-gnu";

/* FNV-1a, of the path. */
static bool in_sample(const FTSENT *file)
{
    uint32_t hash = 2166136261u;
    for (const char *p = file->fts_path; *p != 0; p++)
        hash = (hash ^ (uint8_t)*p) * 16777619u;
    return hash % SHARES == 0 && file->fts_statp->st_size <= SMALL;
}

struct sweep {
    struct rows_count count;
    size_t files, nothing, not_elf;
};

static void add(struct sweep *s, const char *path)
{
    struct unwind_memory memory = tables__memory();
    struct unwind *u = unwind__new(&memory);
    size_t wrong = s->count.wrong;

    assert_non_null(u);
    int e = rows__check(u, &memory, path, &s->count);
    s->files += e == 0;
    s->nothing += e == -ENODATA;
    s->not_elf += e == -ENOEXEC;
    if ((e != 0 && e != -ENODATA && e != -ENOEXEC) || s->count.wrong != wrong) {
        print_error("%s: %s; wrong %zu\n", path, strerror(-e), s->count.wrong - wrong);
        s->count.wrong++;
    }
    unwind__free(u);
    tables__free(&memory);
}

/* Whether a file is met for the first time. */
static bool is_new(struct pxi_map *links, const struct stat *st)
{
    const uint64_t key[] = { st->st_dev, st->st_ino };
    bool first = false;

    assert_non_null(pxi_map_put(links, key, sizeof(key), &first));
    return first;
}

/* Adds the regular files; links only name them again. */
static void sweep_folder(struct sweep *s, bool all)
{
    char *roots[] = { folder, NULL };
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    struct pxi_map links;
    const FTSENT *file;

    pxi_map_init(&links);
    assert_non_null(fts);
    while ((file = fts_read(fts)) != NULL) {
        if (file->fts_info == FTS_F && (all || in_sample(file)) && is_new(&links, file->fts_statp))
            add(s, file->fts_path);
    }
    fts_close(fts);
    pxi_map_free(&links);
}

static void test_installed_objects(void **state)
{
    const char *wanted = getenv("PRAX_ELFS");
    struct sweep s = { 0 };
    const struct rows_count *c = &s.count;
    (void)state;

    sweep_folder(&s, wanted != NULL && strcmp(wanted, "all") == 0);
    print_message("# %zu objects, %zu without tables, %zu other files; %zu rows, %zu spans of "
                  "libdw\n",
                  s.files, s.nothing, s.not_elf, c->rows, c->spans);
    print_message("# NONE %zu BAD %zu END %zu SIGNAL %zu CFA %zu DEREF %zu PLT %zu; refused by "
                  "libdw %zu; wrong %zu\n",
                  c->kinds[0], c->kinds[1], c->kinds[2], c->kinds[3], c->kinds[4], c->kinds[5],
                  c->kinds[6], c->refused, c->wrong);
    assert_int_equal(c->wrong, 0);
    assert_true(s.files > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_installed_objects) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tables.c - what the unwind tables of a process cost: of this one, once it has loaded SQLite and
 * libpq with all that they pull in.
 *
 *   PRAX_BPF_CACHE=DIR tables ROUNDS > figures.csv
 *
 * Every round builds all of them anew into memory that was never touched: first as if nothing had
 * ever been decoded, then with the cache on disk, which the first of those rounds may have to fill.
 * The files are in the page cache. Prints kind, round, ns, objects, rows, bytes.
 */
#include "tests/lib/tables.h"
#include "loader/cli.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int measure(const char *kind, int round)
{
    struct unwind_memory memory = tables__memory();
    struct pxb_process *p = calloc(1, sizeof *p);
    struct unwind *u = p ? unwind__new(&memory) : NULL;
    uint64_t start = now_ns();
    if (u && strcmp(kind, "cached") == 0)
        unwind__use_cache(u);
    int n = u ? tables__fill(u, getpid(), p) : -1;
    if (n > 0) {
        printf("%s,%d,%" PRIu64 ",%d,%zu,%zu\n", kind, round, now_ns() - start, n, unwind__rows(u),
               unwind__bytes(u));
    }
    unwind__free(u);
    free(p);
    tables__free(&memory);
    return n;
}

int main(int argc, char **argv)
{
    static const char *const libraries[] = { "libsqlite3.so.0", "libpq.so.5" };
    int rounds = argc == 2 ? (int)strtol(argv[1], NULL, 10) : 0;
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        if (!dlopen(libraries[i], RTLD_NOW))
            (void)fprintf(stderr, "tables: without %s: %s\n", libraries[i], dlerror());
    }
    puts("kind,round,ns,objects,rows,bytes");
    for (int i = 0; i < 2 * rounds; i++) {
        if (measure(i < rounds ? "cold" : "cached", i % rounds) <= 0)
            return CLI_CANNOT;
    }
    return rounds > 0 ? CLI_OK : CLI_USAGE;
}

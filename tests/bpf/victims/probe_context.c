/* probe_context.c - threads that stand still within an operation each, of one copy of the library.
 *
 *     probe_context COPY...     COPY is a shared object to open, or `-` for the copy linked in
 *
 * Starts two threads a copy. Prints `COPY TID FINGERPRINT ROWS` for each (COPY from 0), then
 * `ready`, and ends at the end of its input.
 */
#include "tests/bpf/victims/probe_copy.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COPIES_MAX = 4, THREADS = 2 };

typedef void enter_fn(const struct prax_op_record *op);

struct worker {
    pthread_t thread;
    enter_fn *enter;
    unsigned copy;
    struct prax_op_record op;
};

static pthread_barrier_t started;

/* Weak: a program that only opens shared objects has no copy of its own. */
__attribute__((weak)) void probe_copy_enter(const struct prax_op_record *op);

static void *work(void *arg)
{
    struct worker *w = arg;
    w->enter(&w->op);
    printf("%u %d %lx %lu\n", w->copy, gettid(), w->op.fingerprint, w->op.rows);
    pthread_barrier_wait(&started);
    for (;;)
        pause();
    return NULL;
}

static enter_fn *find_copy(const char *path)
{
    if (strcmp(path, "-") == 0)
        return probe_copy_enter;
#ifdef PROBE_NO_DLOPEN
    return NULL;
#else
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = handle ? dlsym(handle, "probe_copy_enter") : NULL;
    if (!symbol)
        fprintf(stderr, "probe_context: %s\n", dlerror());
    return (enter_fn *)symbol;
#endif
}

static int start(struct worker *w, unsigned n)
{
    w->op.size = sizeof w->op;
    w->op.version = PRAX_USDT_VERSION;
    w->op.verb = PRAX_USDT_QUERY_ONE;
    w->op.fingerprint = 0xfeed0000u + n;
    w->op.rows = 1 + n * n;
    return pthread_create(&w->thread, NULL, work, w);
}

int main(int argc, char **argv)
{
    static struct worker workers[COPIES_MAX * THREADS];
    unsigned n = 0;
    if (argc < 2 || argc > 1 + COPIES_MAX)
        return 2;
    pthread_barrier_init(&started, NULL, (unsigned)(argc - 1) * THREADS + 1);
    for (int i = 1; i < argc; i++) {
        enter_fn *enter = find_copy(argv[i]);
        if (!enter)
            return 1;
        for (unsigned t = 0; t < THREADS; t++, n++) {
            workers[n].enter = enter;
            workers[n].copy = (unsigned)i - 1;
            if (start(&workers[n], n) != 0)
                return 1;
        }
    }
    pthread_barrier_wait(&started);
    printf("ready\n");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}

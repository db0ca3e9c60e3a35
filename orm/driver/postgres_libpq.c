/* postgres_libpq.c - see postgres_libpq.h. */
#define PXI_LIBPQ_PLAIN
#include "orm/driver/postgres_libpq.h"
#include <dlfcn.h>
#include <pthread.h>

struct pxi_libpq pxi_libpq;

static const char *const names[] = {
#define NAME(f) #f,
    PXI_LIBPQ(NAME)
};
static const char *const newer[] = { PXI_LIBPQ_NEWER(NAME) NULL };
enum { COUNT = sizeof names / sizeof *names };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *missing; /* what could not be had; NULL: loaded */

/* The table is an array of as many function pointers, in the order of the names. */
static void load(void)
{
    void **table = (void **)(void *)&pxi_libpq;
    void *lib = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    missing = lib ? NULL : "libpq.so.5";
    for (unsigned i = 0; lib && i < COUNT; i++) {
        table[i] = dlsym(lib, names[i]);
        if (!table[i])
            missing = names[i];
    }
    for (unsigned i = 0; lib && newer[i]; i++)
        table[COUNT + i] = dlsym(lib, newer[i]);
}

int pxi_libpq_load(struct pxi_error *err)
{
    pthread_once(&once, load);
    if (!missing)
        return 0;
    return pxi_error_set(err, PRAX_EUNSUPPORTED,
                         "%s: not found; a postgres:// URL needs PostgreSQL's client library, of "
                         "version 14 or later (Debian: apt-get install libpq5)",
                         missing);
}

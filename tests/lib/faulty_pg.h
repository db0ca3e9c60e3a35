/* faulty_pg.h - PostgreSQL's driver, the n-th call of which fails: for tests of what is above it.
 *
 * The server is the real one, so what is told must be true of it. A call that fails has done
 * nothing; but where what it asks after happens whatever it answers (the result of a write outside
 * of a transaction, the pipeline's pump) it can only say that the connection is lost, and so it is:
 * its socket is shut. `late`: EXEC, a statement's end, the end of a COPY and a sync are done, and
 * their answer is what is lost. For one thread that works; connects may have others.
 *
 * Or, a layer deeper, the n-th call of libpq: for tests of the driver too.
 */
#ifndef PRAX_TESTS_FAULTY_PG_H
#define PRAX_TESTS_FAULTY_PG_H
#include <prax/prax.h>
#include <stdbool.h>
#include <stdint.h>

struct faulty_pg {
    int calls;        /* counted: all that may fail */
    int fail_at;      /* the call of that number (from 1; 0 = none) ... */
    bool on;          /* ... and all after it ... */
    int code;         /* ... fails with this code */
    bool late;        /* code is ECONN */
    bool libpq;       /* it is libpq's calls; code is ECONN or ENOMEM */
    uint32_t told;    /* bit -code: one failed with it */
    const char *call; /* which one failed first */
};
extern struct faulty_pg faulty_pg;

/* From now on the handle's connections have this driver. Forgets all settings. */
void faulty_pg_install(prax_db *db);
/* From now on every connection's libpq is such. Forgets all settings. A handle was opened before.
 */
void faulty_libpq_install(void);

/* Between the two: whether the call that comes now fails; and that it fails with a code. */
bool faulty_pg_hits(void);
int faulty_pg_tell(const char *call, int code);

#endif

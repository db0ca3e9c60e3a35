/* faulty.h - SQLite's driver with a server that can die: for tests of the pool, of transactions and
 * of what happens when the n-th call of a driver fails.
 *
 * One server a program. Its connections are SQLite's own; those opened before faulty_kill answer
 * ECONN from then on, and what they had not committed is gone, as with a real one. Not for use by
 * several threads but for the counters and the settings below, which are atomic.
 */
#ifndef PRAX_TESTS_FAULTY_H
#define PRAX_TESTS_FAULTY_H
#include <prax/prax.h>
#include <stdbool.h>

struct faulty {
    int opens, pings, resets, calls; /* counted; calls: all that may fail */
    int open_code;                   /* what opening fails with; 0 = it succeeds */
    int open_ms;                     /* how long opening takes */
    bool hidden;                     /* who died is only seen by talking to it */
    bool reset_fails;
    int commit_dies; /* 1: the server dies after COMMIT was done, 2: before; 3: as 1, and what is
                        said is that the deadline passed */
    int fail_at;     /* the call of that number (from 1; 0 = none) ... */
    bool on;         /* ... and all after it ... */
    int fail_code;   /* ... fails with this code; ECONN: its connection is dead then */
};
extern struct faulty faulty;

/* From now on the handle's connections are the server's. Forgets all settings. */
void faulty_install(prax_db *db);
/* All connections that are open now are dead. */
void faulty_kill(void);

#endif

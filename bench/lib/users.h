/* users.h - the operations of an ORM on one table, done by Prax, by a hand-written floor and by
 * whatever peers are there: get by key, lists, insert, bulk insert, update.
 *
 * Every peer fills a table of its own with the same rows through its own insert; what all of them
 * then read, and what their bulk insert and update leave behind, is compared row by row and field
 * by field before the clock starts. All are called through the same table of functions.
 */
#ifndef BENCH_LIB_USERS_H
#define BENCH_LIB_USERS_H
#include "bench/lib/bench.h"
#include "bench/raw_user.h"

enum { USERS_ROWS = 10000, USERS_BULK_MAX = 1000, USERS_OPERATIONS = 6 };

struct users_bench {
    const char *name;
    const char *url;        /* of the database that Prax gets */
    const char *after_fill; /* run by the floor when all tables are filled; NULL = nothing */
    size_t bulk;            /* rows of a bulk insert, <= USERS_BULK_MAX */
    bool cpu;               /* show CPU time, too */
    /* get, list of 100, list of 10,000, insert, bulk insert, update: what Prax must reach */
    const char *goals[USERS_OPERATIONS];
    /* [0] is the floor; Prax is put behind it. Closed by users_main. */
    struct user_peer peers[BENCH_PEERS_MAX - 1];
    size_t n_peers;
};

/* Fills, checks, measures. Returns the exit status of the program. */
int users_main(int argc, char **argv, struct users_bench *b);

#endif

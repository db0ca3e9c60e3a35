/* peer_zdb.h - libzdb's way of the operations, if it was there when the bench was built. */
#ifndef BENCH_PEER_ZDB_H
#define BENCH_PEER_ZDB_H
#include "bench/raw_user.h"

/* On a table made with `create_table`: of a PostgreSQL server on the socket in the folder `host`,
 * in `schema`; or, if host is NULL, of SQLite. False: why is printed. */
bool peer_zdb_open(struct user_peer *p, const char *host, const char *schema,
                   const char *create_table);

#endif

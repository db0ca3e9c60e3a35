/* peer_soci.h - SOCI's way of the operations, if it was there when the bench was built. */
#ifndef BENCH_PEER_SOCI_H
#define BENCH_PEER_SOCI_H
#include "bench/raw_user.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Connects to a PostgreSQL URL or a SQLite path, makes the table with `create_table`. `bulk`: rows
 * of a bulk insert. False: why is printed. */
bool peer_soci_open(struct user_peer *p, const char *where, const char *create_table, size_t bulk);

#ifdef __cplusplus
}
#endif
#endif

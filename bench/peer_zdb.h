/* peer_zdb.h - libzdb's way of the same operations, if it was there when the bench was built. */
#ifndef BENCH_PEER_ZDB_H
#define BENCH_PEER_ZDB_H
#include "bench/raw_user.h"

struct peer_zdb;

/* On the table of the schema bench_raw. NULL: libzdb is missing, or cannot connect (said then). */
struct peer_zdb *peer_zdb_open(const char *url);
void peer_zdb_close(struct peer_zdb *z);
void peer_zdb_get(struct peer_zdb *z, int64_t id, struct raw_user *out, char *text, size_t size);
/* The rows by id, each copied; returns how many. */
size_t peer_zdb_list(struct peer_zdb *z, int limit);
void peer_zdb_insert(struct peer_zdb *z, const struct raw_user *u);
void peer_zdb_exec(struct peer_zdb *z, const char *sql); /* z NULL: nothing */
void peer_zdb_update(struct peer_zdb *z, int64_t id, const char *name, int age);

#endif

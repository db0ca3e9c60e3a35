/* raw_postgres.h - the floor of bench/postgres_operations: the same operations as a careful C
 * programmer writes them on libpq alone. Statements are prepared once, parameters and results are
 * binary, a bulk insert sends one array a column. */
#ifndef BENCH_RAW_POSTGRES_H
#define BENCH_RAW_POSTGRES_H
#include "bench/raw_user.h"
#include <libpq-fe.h>

enum { RAW_PG_BULK = 1000 };

extern const char raw_pg_create_table[];

struct raw_pg {
    PGconn *c;
    char *arrays; /* of a bulk insert, reused */
    size_t arrays_size;
};

/* Makes the table in the schema that the URL leads to. 0, or -1 with the reason printed. */
int raw_pg_open(struct raw_pg *d, const char *url);
void raw_pg_close(struct raw_pg *d);
/* The text goes to text[size]; true if there is such a row. */
bool raw_pg_get(struct raw_pg *d, int64_t id, struct raw_user *out, char *text, size_t size);
/* The first `limit` rows by id; the list's memory is reused. */
void raw_pg_list(struct raw_pg *d, int64_t limit, struct raw_list *out);
int64_t raw_pg_insert(struct raw_pg *d, const struct raw_user *u);   /* the new id */
void raw_pg_insert_many(struct raw_pg *d, const struct raw_user *u); /* RAW_PG_BULK of them */
void raw_pg_update(struct raw_pg *d, int64_t id, const char *name, int64_t age);
void raw_pg_exec(struct raw_pg *d, const char *sql); /* BEGIN and the like */

#endif

/* raw_sqlite.h - the floor of bench/sqlite_operations: the same operations as a careful C
 * programmer writes them on sqlite3 alone. Statements are prepared once, text is copied, nothing is
 * allocated for one row; a list grows one array and one text pool. */
#ifndef BENCH_RAW_SQLITE_H
#define BENCH_RAW_SQLITE_H
#include "bench/raw_user.h"
#include <sqlite3.h>

struct raw_db {
    sqlite3 *db;
    sqlite3_stmt *get, *list, *insert, *insert_many, *update, *begin, *commit, *rollback, *clear;
};

enum { RAW_BULK = 100 };

extern const char raw_create_table[];

/* The file or ":memory:"; makes the table. 0, or -1 with the reason printed. */
int raw_open(struct raw_db *d, const char *path);
void raw_close(struct raw_db *d);
/* The text goes to text[size]; true if there is such a row. */
bool raw_get(struct raw_db *d, int64_t id, struct raw_user *out, char *text, size_t size);
/* The first `limit` rows by id; the list's memory is reused. */
void raw_list(struct raw_db *d, int64_t limit, struct raw_list *out);
int64_t raw_insert(struct raw_db *d, const struct raw_user *u);   /* the new id */
void raw_insert_many(struct raw_db *d, const struct raw_user *u); /* RAW_BULK of them */
void raw_update(struct raw_db *d, int64_t id, const char *name, int64_t age);
void raw_step(sqlite3_stmt *st); /* BEGIN and the like */

#endif

/* work_sqlite - sorts 300 names in libsqlite3 by a collation of this program's own, without end.
 *
 * So stacks run from the program through the library, which a distribution builds without frame
 * pointers and strips, back into the program. */
#include "bench/unwind/work.h"

#include <sqlite3.h>
#include <string.h>

enum { ROWS = 300 };

static volatile unsigned long sink;

static __attribute__((noinline)) int compare_names(void *arg, int n1, const void *a, int n2,
                                                   const void *b)
{
    int n = n1 < n2 ? n1 : n2, r = memcmp(a, b, (size_t)n);
    (void)arg;
    for (int i = 0; i < n; i++)
        sink = sink + ((const unsigned char *)a)[i];
    return r != 0 ? r : n1 - n2;
}

static sqlite3_stmt *prepare(sqlite3 *db)
{
    sqlite3_stmt *s = NULL;
    sqlite3_create_collation(db, "mine", SQLITE_UTF8, NULL, compare_names);
    sqlite3_exec(db, "create table t(id integer primary key, name text)", NULL, NULL, NULL);
    sqlite3_prepare_v2(db, "insert into t(name) values('name-' || random())", -1, &s, NULL);
    for (int i = 0; i < ROWS; i++) {
        sqlite3_step(s);
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    sqlite3_prepare_v2(db, "select id, name from t order by name collate mine", -1, &s, NULL);
    return s;
}

static __attribute__((noinline)) void list_names(sqlite3_stmt *s)
{
    while (sqlite3_step(s) == SQLITE_ROW)
        sink = sink + (unsigned long)sqlite3_column_int(s, 0);
    sqlite3_reset(s);
}

static __attribute__((noinline)) void serve(sqlite3_stmt *s, volatile uint64_t *count)
{
    for (;;) {
        list_names(s);
        *count = *count + 1;
    }
}

int main(void)
{
    volatile uint64_t *count = work_begin();
    sqlite3 *db;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        return 1;
    sqlite3_stmt *s = prepare(db);
    if (s == NULL)
        return 1;
    serve(s, count);
    return 0;
}

/* stack_sqlite - spends its time in libsqlite3 with calls back into this program, on the main
 * thread and on three others, with a signal handler that takes its time too.
 *
 * Waits for a byte on standard input, so that an observer can attach, then runs until it is killed.
 * Known to the test: main, worker, collate, on_alarm, traced; and context, the thread's operation:
 * the main thread has one, the others none. */
#include "prax/usdt.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { THREADS = 3, ROWS = 300 };

static volatile unsigned long sink;
static __thread struct prax_op_record *volatile context;

static __attribute__((noinline)) int collate(void *arg, int n1, const void *a, int n2,
                                             const void *b)
{
    int n = n1 < n2 ? n1 : n2, r = memcmp(a, b, (size_t)n);
    (void)arg;
    for (int i = 0; i < n; i++)
        sink = sink + ((const unsigned char *)a)[i];
    return r != 0 ? r : n1 - n2;
}

static void on_alarm(int number)
{
    for (unsigned long i = 0; i < 200000; i++)
        sink = sink + i * (unsigned long)number;
}

static sqlite3_stmt *prepare(sqlite3 *db)
{
    sqlite3_stmt *s = NULL;
    sqlite3_create_collation(db, "mine", SQLITE_UTF8, NULL, collate);
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

/* One query. The test may put a return probe on it. */
static __attribute__((noinline)) void traced(sqlite3_stmt *s)
{
    while (sqlite3_step(s) == SQLITE_ROW)
        sink = sink + (unsigned long)sqlite3_column_int(s, 0);
    sqlite3_reset(s);
}

static __attribute__((noinline)) void work(void)
{
    sqlite3 *db;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        exit(1);
    sqlite3_stmt *s = prepare(db);
    for (;;)
        traced(s);
}

static void *worker(void *arg)
{
    work();
    return arg;
}

int main(void)
{
    static const char model[] = "User", sql[] = "SELECT id, name FROM users";
    static struct prax_op_record record = {
        .size = sizeof(record),
        .version = PRAX_USDT_VERSION,
        .verb = PRAX_USDT_QUERY_MANY,
        .phase = PRAX_PHASE_EXECUTE,
        .fingerprint = 4711,
        .model_size = sizeof(model) - 1,
        .sql_size = sizeof(sql) - 1,
    };
    struct itimerval timer = { { 0, 20000 }, { 0, 20000 } };
    pthread_t thread;
    char go;

    if (read(STDIN_FILENO, &go, 1) != 1)
        return 1;
    record.model = (uint64_t)(uintptr_t)model;
    record.sql = (uint64_t)(uintptr_t)sql;
    context = &record;
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &timer, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread, NULL, worker, NULL);
    work();
    return 0;
}

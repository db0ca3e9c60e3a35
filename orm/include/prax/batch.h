/* prax/batch.h - batches: many operations in one round trip; any event loop. Part of prax.h, which
 * includes it; prax_batches(7) has the whole of it. */
#ifndef PRAX_BATCH_H
#define PRAX_BATCH_H
#include <prax/prax.h>

#ifdef __cplusplus
extern "C" {
#endif

/* M_in(b, VERB, ...) of a model puts an operation into a batch: get (.key, .fetch), find_first,
 * find_many, count, exists (.query), create (.create), create_many (.create, .n), update (.key,
 * .set), update_many (.query with a .where, or .all; .set), delete (.key), delete_many (.query or
 * .all). It copies what it is given, sends nothing, and returns a handle that is never NULL:
 *
 *   status   1 not yet, 0 done, < 0 failed: a negative PRAX_E*
 *   count    of rows read, made or changed; of count and exists: the number
 *   rows     of what reads, and of create: a list; a get without a row has an empty one
 *   error    of a failed one; else NULL
 *
 * Relations are not read in a batch, nor the total of a page: EINVAL. An entry that fails leaves
 * the others alone; within a transaction it poisons that, and all others are EABORTED. Entries take
 * effect in the order in which they were put, each by itself (create_many: all its rows or none);
 * PRAX_TX around the batch makes them one.
 *
 * PostgreSQL gets all that is new in one go: statements it does not know yet in one round trip,
 * then the entries in another. SQLite runs one entry a step.
 *
 * While entries are not done, other operations of the session are EINVAL. A batch belongs to its
 * session's thread. Handles, rows and errors are the session's from prax_batch_close on: they live
 * until it is closed, reset or released to a mark that is older than the close. */
typedef struct prax_batch prax_batch;

/* An entry's handle; that of a model has the list in place of rows. */
typedef struct prax_result {
    int status;
    int64_t count;
    const void *rows; /* NULL in raw SQL's */
    const prax_error *error;
} prax_result;

/* What a step waits for: poll(2) fd for events, timeout_ms milliseconds at most, and step again
 * whatever comes first. fd -1: nothing to poll, only time; timeout_ms 0: at once. It is never more
 * than 50 while answers are awaited: so a cancel by another thread is noticed. */
typedef struct prax_interest {
    int fd;
    short events;
    int timeout_ms;
} prax_interest;

/* One at a time in a session. NULL and the session's error: EINVAL (another one or a cursor is
 * open, or s is of before fork), ENOMEM. */
PRAX_API PRAX_MUST prax_batch *prax_batch_open(prax_session *s);
/* Steps and waits until all entries are done. 0, whatever became of the entries: their status says
 * that; or what step fails with. EINVAL if b is NULL. */
PRAX_API PRAX_MUST int prax_batch_run(prax_batch *b);
/* 1: wait as prax_batch_interest says, then step again; 0: all entries are done; < 0: what stopped
 * those that were not: ETIMEOUT, ECANCELED, ECONN and whatever else hands out no connection; it is
 * the session's error, too, the entries have it as theirs, and the batch may be used again. EINVAL:
 * b is NULL, its session was closed, or this is a child of a fork.
 *
 * On PostgreSQL nothing in it waits: not for a connection, the pool, or an answer. Time: an entry
 * may take the session's timeout_ms from the first step that sees it. When it has not ended by
 * then, or prax_session_cancel was called, what has not been sent is not sent any more, the server
 * is asked to end what it runs, and the steps go on until it has (2 s at most; then the connection
 * is given up). An entry whose answer comes all the same is done. */
PRAX_API PRAX_MUST int prax_batch_step(prax_batch *b);
/* Ask after every step and after putting entries: the fd changes. b may be NULL. */
PRAX_API prax_interest prax_batch_interest(const prax_batch *b);
/* Entries that are not done: ECANCELED; the server is asked to end them, and waited for, for 100 ms
 * at most; then the connection is replaced. Writes that were sent may have been done all the same.
 * Closing the session does it, too, but the object is still to be closed. NULL is fine. */
PRAX_API void prax_batch_close(prax_batch *b);
/* Raw SQL as an entry: as prax_sql_exec, rows are dropped. Never NULL. */
PRAX_API PRAX_MUST const prax_result *prax_sql_in_with(prax_batch *b, const char *sql,
                                                       const prax_val *v, size_t n);
static inline void prax_batch_cleanup_(prax_batch **b)
{
    prax_batch_close(*b);
}
// clang-format off
#define PRAX_BATCH PRAX_CLEAN(prax_batch_cleanup_) prax_batch *
#define prax_sql_in(b, ...) PRAX_SQL_(prax_sql_in_with, b, __VA_ARGS__)
// clang-format on

#ifdef __cplusplus
}
#endif
#endif

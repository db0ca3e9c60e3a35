/* prax.h - the run-time header: everything that does not depend on a schema.
 *
 * The one idea: a call is one plain zero-initialised struct. Functions that take it are called
 * *_with and are the API: for debuggers, other languages and C++. The macro of the same name
 * without _with fills the struct from designated initialisers, and its size member with it; a
 * size of 0 is EINVAL, so a struct that was never initialised is noticed.
 *
 * Ownership: what a session returns lives until that session is closed, reset or released to an
 * earlier mark. A row of an each loop lives until the next one. What you pass is borrowed for the
 * call.
 *
 * Errors: int and int64_t are >= 0 or a negative PRAX_E* code, pointers are NULL; details are in
 * prax_error_get. Every operation may fail with ENOMEM, EINVAL, ECONN, EBUSY, ETIMEOUT, ECANCELED,
 * ELIMIT, EABORTED, EIO, EFULL, ECORRUPT and ESCHEMA; further codes stand at the declaration.
 *
 * Threads: a prax_db may be used by all at once; a session and what it returned by one thread at a
 * time (prax_session_cancel excepted). After fork a child may do nothing with either: EINVAL.
 */
#ifndef PRAX_H
#define PRAX_H
#include <prax/alloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// clang-format off
#ifdef __cplusplus
extern "C" {
#define PRAX_ZERO {}
#else
#define PRAX_ZERO {0}
#endif
// clang-format on
#define PRAX_API        __attribute__((visibility("default")))
#define PRAX_MUST       __attribute__((warn_unused_result))
#define PRAX_CLEAN(f)   __attribute__((cleanup(f)))
#define PRAX_CAT_(a, b) a##b
#define PRAX_CAT(a, b)  PRAX_CAT_(a, b)
/* The literal behind every macro. */
#define PRAX_ARGS(T, ...) (&(const T){ .size = sizeof(T), __VA_ARGS__ })

typedef struct prax_db prax_db;           /* a database and its connections; thread-safe */
typedef struct prax_session prax_session; /* arena + error + transaction; one thread at a time */
typedef struct prax_cursor prax_cursor;   /* an open result; owned by the caller until closed */

/* ---- errors ---------------------------------------------------------------------------------- */

enum prax_err {
    PRAX_OK = 0,
#define PRAX_ERR(name, value, ...) PRAX_##name = value,
#include <prax/errors.def>
};

/* Text lives in a fixed buffer of the session, so reporting never allocates; what is longer ends in
 * "...". First error of an operation wins; the next operation clears it. Grows at its end only. */
typedef struct prax_error {
    int code;               /* enum prax_err; 0 = the last operation succeeded */
    int cause;              /* with EABORTED: the code that poisoned the transaction */
    int driver_code;        /* SQLite's extended code, 0 if it did not come from SQLite */
    bool retryable;         /* the same call may succeed later */
    char sqlstate[6];       /* "23505": the one errors.def gives, "" = none */
    const char *message;    /* never NULL, never contains data */
    const char *op;         /* "blog_user_create"; "" = no operation of a model */
    const char *constraint; /* "users_email_key"; NULL if the database does not say */
    const char *table;      /* "users" or NULL */
    const char *column;     /* "email" or NULL */
    const char *sql;        /* with placeholders, never values; or NULL */
} prax_error;

/* The session's last error; never NULL, s may be NULL (then ENOMEM: that is why it is NULL). The
 * struct is the session's and changes with its next operation. */
PRAX_API const prax_error *prax_error_get(const prax_session *s);
/* Its code: 0 or a negative PRAX_E*. */
PRAX_API int prax_error_code(const prax_session *s);
/* What a code means, from errors.def: a constant text, for any number. */
PRAX_API const char *prax_strerror(int code);
/* Prints "what: message" to standard error and returns the code; s as above. */
PRAX_API int prax_fail(const prax_session *s, const char *what);

/* ---- verbs: the second column is the probe that fires ---------------------------------------- */

// clang-format off
#define PRAX_VERBS(X)                                                                              \
    X(GET, query_one) X(FIND_FIRST, query_one) X(COUNT, query_one) X(EXISTS, query_one)            \
    X(FIND_MANY, query_many) X(EACH, query_many)                                                   \
    X(CREATE, execute_insert) X(CREATE_MANY, execute_insert)                                       \
    X(UPDATE, execute_update) X(UPDATE_MANY, execute_update)                                       \
    X(DELETE, execute_delete) X(DELETE_MANY, execute_delete)                                       \
    X(RAW_QUERY, raw_sql_query) X(RAW_EXEC, raw_sql_execute)
#define PRAX_VERB_ENUM_(name, probe) PRAX_##name,
enum prax_verb { PRAX_NO_VERB, PRAX_VERBS(PRAX_VERB_ENUM_) };
// clang-format on

/* ---- database -------------------------------------------------------------------------------- */

/* One operation, to the log callback; valid during the call. */
typedef struct prax_event {
    size_t size;
    enum prax_verb verb;
    int code;                /* 0 or a negative PRAX_E* */
    const char *model, *sql; /* "" for raw SQL; NULL if no statement was built */
    uint64_t fingerprint;    /* of sql: the same for all its values */
    uint64_t ns;             /* time inside the library; 0 if slow_ms is off */
    int64_t rows;            /* returned or changed */
} prax_event;

typedef struct prax_db_opts { /* size tells which members the caller knew */
    size_t size;
    const char *url;             /* sqlite:FILE, sqlite::memory:, sqlite:file:FILE?mode=ro and
                                    other options; postgres://USER@HOST/DATABASE?name=value. In
                                    memory, readers and a writer wait for each other */
    unsigned pool_min, pool_max; /* connections; 0 = 1 and 8; with 1 memory is not shared */
    unsigned stmt_cache;         /* prepared statements a connection; 0 = 256 */
    uint32_t acquire_ms;         /* wait for a connection; 0 = 5000 */
    uint32_t busy_ms;            /* wait for a lock of another connection, then EBUSY; 0 = SQLite
                                    5000, PostgreSQL the server's lock_timeout (mostly for ever) */
    size_t arena_max;            /* bytes a session may hold; 0 = 256 MiB; beyond: ELIMIT */
    uint32_t slow_ms;            /* log slower operations; 0 = off, and then no clock is read */
    const prax_alloc *alloc;     /* NULL = malloc; must outlive the handle; called by any thread,
                                    also by those in which connections over a network are opened */
    void (*log)(void *ctx, const prax_event *ev); /* slow operations and failed ones; or NULL */
    void *log_ctx;        /* log runs on the operation's thread and must not call back */
    uint32_t lifetime_ms; /* a connection is replaced when it is older; 0 = never */
    uint32_t idle_ms;     /* one beyond pool_min is closed when it was unused for longer; 0 = never.
                             With either a thread of the handle's own looks after them. Neither for
                             a database in memory, which lives in its connections: EINVAL */
    unsigned warm;        /* statements that are prepared on a new connection before its first work:
                             those that the one closed last had used last; at most 64, 0 = none */
} prax_db_opts;

/* Opens pool_min connections. *out is set even on failure (NULL only on ENOMEM), so that
 * prax_db_error can say what was wrong; close it all the same. ECONN, EINVAL (url), EPERM, ENOMEM,
 * ECORRUPT, EUNSUPPORTED (SQLite too old). */
PRAX_API PRAX_MUST int prax_db_open_with(prax_db **out, const prax_db_opts *o);
/* Of open and create_tables; never NULL, db may be NULL (then ENOMEM). */
PRAX_API const prax_error *prax_db_error(const prax_db *db);
/* Closes idle connections now and the rest with the last session and cursor, which may be closed
 * later: they keep what they hold, but get no new connection (ECONN). Whoever is last waits for a
 * connect that is under way, for its time limit at most. NULL is fine. */
PRAX_API void prax_db_close(prax_db *db);
/* Before the end of a server: from now on no operation gets a connection (ECONN) but in sessions
 * that have a transaction or a cursor open, which may finish. Waits for them and for the operations
 * that run, timeout_ms at most. 0: all connections are closed; ETIMEOUT: some are still in use, and
 * close when they come back. Any thread; prax_db_close follows. */
PRAX_API PRAX_MUST int prax_db_drain(prax_db *db, uint32_t timeout_ms);
#define prax_db_open(out, ...) prax_db_open_with((out), PRAX_ARGS(prax_db_opts, __VA_ARGS__))

/* ---- session --------------------------------------------------------------------------------- */

typedef struct prax_session_opts {
    size_t size;
    uint32_t timeout_ms; /* of every operation; 0 = none; beyond: ETIMEOUT */
    uint32_t rows_max;   /* a list longer than this is ELIMIT, never a silent cut; 0 = none */
    size_t arena_max;    /* bytes; 0 = the database's */
    bool read_only;      /* writes are EPERM; SQLite need not take its write lock */
} prax_session_opts;

typedef struct prax_mark {
    prax_session *session;
    void *block;
    size_t used;
    uint32_t serial;
} prax_mark;

/* NULL only on ENOMEM (and in a forked child, or with a size of 0): a connection is taken at the
 * first use, not here. */
PRAX_API PRAX_MUST prax_session *prax_session_open_with(prax_db *db, const prax_session_opts *o);
/* Rolls back, closes its cursors, frees all it returned. NULL is fine. */
PRAX_API void prax_session_close(prax_session *s);
/* For the next request: frees all rows, clears the error. EINVAL while a cursor, a batch or a
 * transaction is open. */
PRAX_API PRAX_MUST int prax_session_reset(prax_session *s);
/* From any thread: the operation that runs now, or else the next one, ends with ECANCELED. */
PRAX_API void prax_session_cancel(prax_session *s);
/* What is allocated after a mark is freed by releasing to it. A mark that an earlier release has
 * undone asserts. */
PRAX_API prax_mark prax_session_mark(prax_session *s);
PRAX_API void prax_session_release(const prax_mark *m);
/* Copies p[size] into the arena. NULL when full; then the next operation fails with that error, so
 * that a row of prax_keep calls needs one check. Shallow: a model's where_keep copies a filter. */
PRAX_API const void *prax_keep(prax_session *s, const void *p, size_t size);
/* Copies the list of a filter (n items of item_size bytes), if it has one. PRAX_LET calls it. */
PRAX_API void prax_keep_list(prax_session *s, void *filter, size_t item_size);

static inline void prax_db_cleanup_(prax_db **p)
{
    prax_db_close(*p);
}
static inline void prax_session_cleanup_(prax_session **p)
{
    prax_session_close(*p);
}
static inline void prax_session_release_(prax_mark *m)
{
    prax_session_release(m);
}
// clang-format off
#define PRAX_DB      PRAX_CLEAN(prax_db_cleanup_) prax_db *
#define PRAX_SESSION PRAX_CLEAN(prax_session_cleanup_) prax_session *
#define prax_session_open(db, ...) \
    prax_session_open_with((db), PRAX_ARGS(prax_session_opts, __VA_ARGS__))
/* The habit of every loop and request handler: rows made in this block die with it. */
#define PRAX_SCOPE(s) __attribute__((unused)) PRAX_CLEAN(prax_session_release_) \
    prax_mark PRAX_CAT(prax_scope_, __LINE__) = prax_session_mark(s)
// clang-format on

/* ---- memory of the program ------------------------------------------------------------------- */

/* What libprax has allocated for one thing: "rows", "plans", "sessions", ... */
typedef struct prax_memory_purpose {
    const char *purpose; /* a constant; the names are those of usdt/purposes.def */
    uint64_t bytes, blocks;
} prax_memory_purpose;

enum { PRAX_MEMORY_PURPOSES = 16 };

/* Bytes unless said. libprax's own are what it asked the allocator for; what SQLite and libpq
 * allocate is in physical_bytes only. Grows at its end only. */
typedef struct prax_memory {
    size_t size;                        /* in: sizeof; out: how much of it was filled */
    uint64_t physical_bytes;            /* of the process: resident in RAM */
    uint64_t virtual_bytes;             /* of the process: its address space */
    uint64_t live_bytes, live_blocks;   /* libprax's own, now */
    uint64_t peak_bytes;                /* the most that live_bytes ever was */
    uint64_t total_bytes, total_blocks; /* libprax's own, since the program started */
    uint64_t arena_bytes, arena_blocks; /* of live_*: the arenas of sessions and cursors */
    uint64_t sessions, connections;     /* how many are open, of all handles */
    size_t n_purposes;
    prax_memory_purpose purposes[PRAX_MEMORY_PURPOSES]; /* purposes[n_purposes]: what is live */
} prax_memory;

/* A program's own figures: prax_memory m = { .size = sizeof m }; prax_memory_stats(&m). They are of
 * this copy of libprax in the process, over all threads and handles; nothing is locked or stopped
 * for them, so while other threads work, sums are of slightly different moments. Some 4 us, most of
 * it for /proc/self/statm. After fork a child's begin with its parent's. Any thread, at any time.
 * 0; EINVAL: out is NULL or its size is not set; EIO: /proc cannot be read, so that physical_bytes
 * and virtual_bytes are 0 and all else is right. */
PRAX_API PRAX_MUST int prax_memory_stats(prax_memory *out);

/* ---- transactions: guards that roll back unless committed ------------------------------------ */

enum prax_isolation { PRAX_ISO_DEFAULT, PRAX_READ_COMMITTED, PRAX_REPEATABLE, PRAX_SERIALIZABLE };
typedef struct prax_tx_opts {
    size_t size;
    enum prax_isolation isolation; /* inside another tx: DEFAULT or the same, else EINVAL */
    bool read_only;                /* SQLite: a deferred BEGIN; otherwise BEGIN IMMEDIATE */
    unsigned retries;              /* prax_tx_run only: how often a retryable error runs fn again */
} prax_tx_opts;
typedef struct prax_tx {
    prax_session *session; /* NULL once committed or ended */
    unsigned depth;        /* 1 = outermost */
    int code;              /* of begin: 0 or a negative PRAX_E* */
} prax_tx;
typedef int (*prax_tx_fn)(prax_session *s, void *arg); /* >= 0 commits, < 0 rolls back */

/* Every transaction is serializable on SQLite, whatever isolation asks for; PostgreSQL's default is
 * what its server says. Within another transaction it is a savepoint, to any depth; EINVAL if it
 * asks for another isolation there, or to be read-only in one that is not. A failed begin poisons
 * the session until prax_tx_end, so its body can never run in autocommit: all is EABORTED then,
 * with the cause. A failed statement poisons its innermost guard the same way. */
PRAX_API prax_tx prax_tx_begin_with(prax_session *s, const prax_tx_opts *o);
/* A savepoint; EINVAL outside a transaction. */
PRAX_API prax_tx prax_savepoint_begin(prax_session *s);
/* 0; EABORTED if poisoned, or if the database answered by rolling back; EINVAL if an inner guard is
 * still open. ECONN whose message begins with "commit in doubt" (behind the operation's name): the
 * answer never came, and it may have been committed or not; any other error: it was not. */
PRAX_API PRAX_MUST int prax_tx_commit(prax_tx *tx);
/* Rolls back what was not committed, inner guards too. Keeps the session's error. */
PRAX_API void prax_tx_end(prax_tx *tx);
/* Runs fn in a transaction: its result if >= 0 and committed, else the error's code. fn is run
 * again, up to .retries times and after a growing pause, when all it did was undone by a conflict
 * (ESERIAL, ECONFLICT), a lock (EBUSY) or a connection that broke before COMMIT; within another
 * transaction never. */
PRAX_API PRAX_MUST int prax_tx_run_with(prax_session *s, prax_tx_fn fn, void *arg,
                                        const prax_tx_opts *o);
// clang-format off
#define PRAX_TX(tx, s, ...) \
    __attribute__((unused)) PRAX_CLEAN(prax_tx_end) prax_tx tx = \
        prax_tx_begin_with((s), PRAX_ARGS(prax_tx_opts, __VA_ARGS__))
#define PRAX_SAVEPOINT(sp, s) \
    __attribute__((unused)) PRAX_CLEAN(prax_tx_end) prax_tx sp = prax_savepoint_begin(s)
#define prax_tx_run(s, fn, arg, ...) \
    prax_tx_run_with((s), (fn), (arg), PRAX_ARGS(prax_tx_opts, __VA_ARGS__))
// clang-format on

/* ---- values: structs, so that seconds, microseconds and ids cannot be mixed up --------------- */

/* C lets a bare scalar slip into a struct's first member: .published = true would set wr, not v,
 * and .at = time(NULL) would take seconds for us. A member of size 0 in front makes that an error
 * in both compilers, with no flag, and its name is in gcc's message. So values are written by
 * member name or by function: { .us = 0 }, not { 0 }. Generated structs still take = {0}. */
// clang-format off
struct say_prax_set { char c; };
struct say_prax_eq { char c; };
struct say_prax_some { char c; };
struct say_prax_time_unix { char c; };
struct say_prax_date_of { char c; };
struct say_prax_uuid_parse { char c; };
struct say_prax_decimal_of { char c; };
struct say_prax_bytes_of { char c; };
struct say_prax_json_of { char c; };
struct say_prax_tod_of { char c; };
struct say_prax_ulid_parse { char c; };
struct say_PRAX_LIST { char c; };
struct say_prax_has { char c; };
#define PRAX_SAY_(word) struct say_##word guard_[0]
typedef struct prax_time { PRAX_SAY_(prax_time_unix); int64_t us; } prax_time;  /* from 1970 UTC */
typedef struct prax_date { PRAX_SAY_(prax_date_of); int32_t days; } prax_date;  /* since 1970 */
typedef struct prax_uuid { PRAX_SAY_(prax_uuid_parse); uint8_t b[16]; } prax_uuid;
typedef struct prax_ulid { PRAX_SAY_(prax_ulid_parse); uint8_t b[16]; } prax_ulid;
typedef struct prax_tod { PRAX_SAY_(prax_tod_of); int64_t us; } prax_tod;  /* since midnight */
typedef struct prax_decimal {  /* units / 10^scale, at most 18 digits; the column's scale rules */
    PRAX_SAY_(prax_decimal_of); int64_t units; int32_t scale;
} prax_decimal;
typedef struct prax_bytes {    /* data NULL = SQL NULL */
    PRAX_SAY_(prax_bytes_of); const void *data; size_t size;
} prax_bytes;
typedef struct prax_json {     /* text NULL = SQL NULL */
    PRAX_SAY_(prax_json_of); const char *text; size_t size;
} prax_json;
// clang-format on

/* The time now, in whole microseconds. */
PRAX_API prax_time prax_time_now(void);
/* RFC 3339: "2026-11-22T10:00:00.25+01:00"; a blank or t for T, z for Z; digits beyond the
 * microsecond are cut; second 60 counts as the next one. EINVAL, *out untouched. */
PRAX_API PRAX_MUST int prax_time_parse(const char *rfc3339, prax_time *out);
/* "2026-11-22T10:00:00.250000Z", without the fraction if it is 0. Years beyond 0000-9999 are
 * written as "?". Returns buf. */
PRAX_API char *prax_time_text(prax_time t, char buf[32]);
/* A day of the Gregorian calendar; months and days out of range run over, as in mktime. */
PRAX_API prax_date prax_date_of(int year, int month, int day);
/* "2026-11-22". EINVAL, *out untouched. */
PRAX_API PRAX_MUST int prax_date_parse(const char *text, prax_date *out);
/* Returns buf; years beyond 0000-9999 are written as "?". */
PRAX_API char *prax_date_text(prax_date d, char buf[11]);
/* "13:05", "13:05:00.25"; no zone; digits beyond the microsecond are cut. EINVAL, as above. */
PRAX_API PRAX_MUST int prax_tod_parse(const char *text, prax_tod *out);
/* "13:05:00.250000", without the fraction if it is 0; "?" outside of a day. Returns buf. */
PRAX_API char *prax_tod_text(prax_tod t, char buf[16]);
/* 48 bits of milliseconds since 1970, 80 of random numbers: they sort by age. Of two made by one
 * thread the later one is greater, also within a millisecond and when the clock is set back; those
 * of different threads and processes sort by the clock only. Any thread. */
PRAX_API prax_ulid prax_ulid_new(void);
/* 26 characters of Crockford's base 32, either case. EINVAL, *out untouched. */
PRAX_API PRAX_MUST int prax_ulid_parse(const char *text, prax_ulid *out);
/* 26 characters, upper case, and a NUL. Returns buf. */
PRAX_API char *prax_ulid_text(prax_ulid u, char buf[27]);
/* When it was made, by the clock of its maker. */
PRAX_API prax_time prax_ulid_time(prax_ulid u);
/* Version 4, from the kernel's random numbers; aborts if there are none. */
PRAX_API prax_uuid prax_uuid_random(void);
/* 36 characters, either case. EINVAL, *out untouched. */
PRAX_API PRAX_MUST int prax_uuid_parse(const char *text, prax_uuid *out);
/* 36 characters, lower case, and a NUL. Returns buf. */
PRAX_API char *prax_uuid_text(prax_uuid u, char buf[37]);
/* "-12.50" is 1250 with scale 2. EINVAL; ERANGE beyond 18 digits. *out untouched then. */
PRAX_API PRAX_MUST int prax_decimal_parse(const char *text, prax_decimal *out);
/* All digits of its scale. Scales beyond 0-18 are written as "?". Returns buf. */
PRAX_API char *prax_decimal_text(prax_decimal d, char buf[24]);

static inline prax_time prax_time_unix(int64_t seconds)
{
    prax_time t;
    t.us = seconds * 1000000;
    return t;
}
/* 13, 5, 30 is 13:05:30. Unchecked: what is no time of a day is ERANGE when it is written. */
static inline prax_tod prax_tod_of(int hour, int minute, int second)
{
    prax_tod t;
    t.us = (hour * (int64_t)3600 + minute * (int64_t)60 + second) * 1000000;
    return t;
}
static inline prax_decimal prax_decimal_of(int64_t units, int32_t scale)
{
    prax_decimal d;
    d.units = units;
    d.scale = scale;
    return d;
}
static inline prax_bytes prax_bytes_of(const void *data, size_t size)
{
    prax_bytes b;
    b.data = data;
    b.size = size;
    return b;
}
static inline prax_json prax_json_of(const char *text)
{
    prax_json j;
    j.text = text;
    j.size = text ? __builtin_strlen(text) : 0;
    return j;
}

// clang-format off
#define PRAX_OPT(name, T) typedef struct name { PRAX_SAY_(prax_some); bool set; T val; } name
PRAX_OPT(prax_opt_i64, int64_t);
PRAX_OPT(prax_opt_f64, double);
PRAX_OPT(prax_opt_bool, bool);
PRAX_OPT(prax_opt_time, prax_time);
PRAX_OPT(prax_opt_date, prax_date);
PRAX_OPT(prax_opt_uuid, prax_uuid);
PRAX_OPT(prax_opt_dec, prax_decimal);
PRAX_OPT(prax_opt_tod, prax_tod);
PRAX_OPT(prax_opt_ulid, prax_ulid);
#define prax_some(x) { .set = true, .val = (x) }
// clang-format on

/* ---- filters: all bytes zero means "no condition" -------------------------------------------- */

// clang-format off
enum prax_op {
    PRAX_OP_NONE, PRAX_OP_EQ, PRAX_OP_NE, PRAX_OP_LT, PRAX_OP_LE, PRAX_OP_GT, PRAX_OP_GE,
    PRAX_OP_BETWEEN, PRAX_OP_IN, PRAX_OP_NOT_IN, PRAX_OP_NULL, PRAX_OP_NOT_NULL,
    PRAX_OP_LIKE, PRAX_OP_CONTAINS, PRAX_OP_STARTS, PRAX_OP_ENDS, PRAX_OP_PATH_EQ,
    PRAX_OP_HAS, PRAX_OP_HAS_ALL, PRAX_OP_HAS_ANY, PRAX_OP_LIST_EQ,  /* of list columns */
};
/* 24 bytes each (Decimal 40, enum and Boolean 16). A type has the member an operator writes only if
 * it has the operator: order on a uuid or a pattern on a number is "no member named 'bound'".
 * NULL in a column meets no condition but prax_null: prax_ne(5) leaves out rows without a value.
 * nocase: ASCII letters only. */
#define PRAX_FILTER_EQ(name, T) typedef struct name { PRAX_SAY_(prax_eq); \
    uint8_t op; bool nocase; uint32_t n; union { T v; T const *list; }; } name
#define PRAX_FILTER_ORD(name, T) typedef struct name { PRAX_SAY_(prax_eq); \
    uint8_t op; bool nocase; uint32_t n; union { T v; T bound; T const *list; }; T hi; } name
#define PRAX_FILTER_TEXT(name, T) typedef struct name { PRAX_SAY_(prax_eq); \
    uint8_t op; bool nocase; uint32_t n; \
    union { T v; T bound; T pattern; T const *list; }; T hi; } name
PRAX_FILTER_ORD(prax_f_i64, int64_t);
PRAX_FILTER_ORD(prax_f_f64, double);
PRAX_FILTER_ORD(prax_f_dec, prax_decimal);
PRAX_FILTER_ORD(prax_f_time, prax_time);
PRAX_FILTER_ORD(prax_f_date, prax_date);
PRAX_FILTER_ORD(prax_f_tod, prax_tod);
PRAX_FILTER_ORD(prax_f_ulid, prax_ulid);
PRAX_FILTER_EQ(prax_f_bool, bool);
PRAX_FILTER_EQ(prax_f_uuid, prax_uuid);
PRAX_FILTER_EQ(prax_f_bytes, prax_bytes);
PRAX_FILTER_TEXT(prax_f_text, const char *);
typedef struct prax_f_json {
    PRAX_SAY_(prax_eq); uint8_t op; bool nocase; uint32_t n; const char *path, *value;
} prax_f_json;

#define prax_eq(x)         { .op = PRAX_OP_EQ, .v = (x) }    /* NULL is EINVAL: say prax_null */
#define prax_ne(x)         { .op = PRAX_OP_NE, .v = (x) }
#define prax_ieq(x)        { .op = PRAX_OP_EQ, .nocase = true, .pattern = (x) }
#define prax_lt(x)         { .op = PRAX_OP_LT, .bound = (x) }
#define prax_le(x)         { .op = PRAX_OP_LE, .bound = (x) }
#define prax_gt(x)         { .op = PRAX_OP_GT, .bound = (x) }
#define prax_ge(x)         { .op = PRAX_OP_GE, .bound = (x) }
#define prax_between(a, b) { .op = PRAX_OP_BETWEEN, .bound = (a), .hi = (b) }  /* both ends count */
#define prax_null          { .op = PRAX_OP_NULL }
#define prax_not_null      { .op = PRAX_OP_NOT_NULL }
#define prax_like(x)       { .op = PRAX_OP_LIKE, .pattern = (x) }  /* % and _, escape \ */
#define prax_starts(x)     { .op = PRAX_OP_STARTS, .pattern = (x) }
#define prax_ends(x)       { .op = PRAX_OP_ENDS, .pattern = (x) }
#define prax_contains(x)   { .op = PRAX_OP_CONTAINS, .pattern = (x) }
#define prax_icontains(x)  { .op = PRAX_OP_CONTAINS, .nocase = true, .pattern = (x) }
#define prax_path_eq(p, j) { .op = PRAX_OP_PATH_EQ, .path = (p), .value = (j) } /* "$.lang", "5" */
#define prax_has(x)        { .op = PRAX_OP_HAS, .item = (x) }  /* list columns: an item is x */
/* Only inside the call they are written in (they live in that block): */
#define PRAX_COUNT_(T, ...) (sizeof((T const[]){ __VA_ARGS__ }) / sizeof(T))
#define prax_in(T, ...) \
    { .op = PRAX_OP_IN, .list = (T const[]){ __VA_ARGS__ }, .n = PRAX_COUNT_(T, __VA_ARGS__) }
#define prax_not_in(T, ...) \
    { .op = PRAX_OP_NOT_IN, .list = (T const[]){ __VA_ARGS__ }, .n = PRAX_COUNT_(T, __VA_ARGS__) }
#define prax_in_array(p, c) { .op = PRAX_OP_IN, .list = (p), .n = (uint32_t)(c) }  /* 0: no row */
#define prax_has_all(T, ...) \
    { .op = PRAX_OP_HAS_ALL, .list = (T const[]){ __VA_ARGS__ }, .n = PRAX_COUNT_(T, __VA_ARGS__) }
#define prax_has_any(T, ...) \
    { .op = PRAX_OP_HAS_ANY, .list = (T const[]){ __VA_ARGS__ }, .n = PRAX_COUNT_(T, __VA_ARGS__) }
#define prax_list_eq(T, ...) /* the same items in the same order; none: the empty list */ \
    { .op = PRAX_OP_LIST_EQ, .list = (T const[]){ __VA_ARGS__ }, .n = PRAX_COUNT_(T, __VA_ARGS__) }
#define PRAX_LIST(T, ...) \
    { .items = (T const[]){ __VA_ARGS__ }, .count = PRAX_COUNT_(T, __VA_ARGS__) }
/* Anywhere: assign at run time; a list is copied into the arena of s (strings stay yours). */
#define PRAX_LET(s, field, ...) ((field) = (__typeof__(field)) __VA_ARGS__, \
                                 prax_keep_list((s), &(field), sizeof *(field).list))
// clang-format on

/* ---- writes: zero means "leave alone" in _set, "use the default" in _new --------------------- */

// clang-format off
enum prax_wr { PRAX_WR_NONE, PRAX_WR_SET, PRAX_WR_NULL, PRAX_WR_ADD, PRAX_WR_MUL };
#define PRAX_WRITE(name, T)     typedef struct name { PRAX_SAY_(prax_set); uint8_t wr; T v; } name
#define PRAX_WRITE_NUM(name, T) typedef struct name { PRAX_SAY_(prax_set); uint8_t wr; \
    union { T v; T delta; }; } name
PRAX_WRITE_NUM(prax_w_i64, int64_t);
PRAX_WRITE_NUM(prax_w_f64, double);
PRAX_WRITE_NUM(prax_w_dec, prax_decimal);
PRAX_WRITE(prax_w_bool, bool);
PRAX_WRITE(prax_w_time, prax_time);
PRAX_WRITE(prax_w_date, prax_date);
PRAX_WRITE(prax_w_uuid, prax_uuid);
PRAX_WRITE(prax_w_bytes, prax_bytes);
PRAX_WRITE(prax_w_json, prax_json);
PRAX_WRITE(prax_w_tod, prax_tod);
PRAX_WRITE(prax_w_ulid, prax_ulid);
PRAX_WRITE(prax_w_text, const char *);
#define prax_set(x)     { .wr = PRAX_WR_SET, .v = (x) }  /* text NULL is EINVAL: prax_set_null */
#define prax_set_null   { .wr = PRAX_WR_NULL }
#define prax_set_opt(o) { .wr = (o).set ? PRAX_WR_SET : PRAX_WR_NULL, .v = (o).val }
#define prax_add(x)     { .wr = PRAX_WR_ADD, .delta = (x) }
#define prax_mul(x)     { .wr = PRAX_WR_MUL, .delta = (x) }
#define prax_set_list(T, ...) { .wr = PRAX_WR_SET, .v = PRAX_LIST(T, __VA_ARGS__) }
// clang-format on

/* ---- lists: array columns, PostgreSQL only --------------------------------------------------- */

/* items[count]; items NULL is SQL NULL where the column may be NULL, else the empty list. In a row
 * an empty list has items that are not NULL. Written PRAX_LIST(const char *, "a", "b"). Items are
 * never NULL: EINVAL written, ETYPE read. */
// clang-format off
#define PRAX_LIST_OF(name, T) \
    typedef struct name { PRAX_SAY_(PRAX_LIST); T const *items; size_t count; } name
#define PRAX_FILTER_LIST(name, T) typedef struct name { PRAX_SAY_(prax_has); \
    uint8_t op; bool nocase; uint32_t n; union { T item; T const *list; }; } name
#define PRAX_LISTS_(stem, T) PRAX_LIST_OF(prax_list_##stem, T); \
    PRAX_FILTER_LIST(prax_f_list_##stem, T); PRAX_WRITE(prax_w_list_##stem, prax_list_##stem)
PRAX_LISTS_(i64, int64_t);
PRAX_LISTS_(f64, double);
PRAX_LISTS_(bool, bool);
PRAX_LISTS_(dec, prax_decimal);
PRAX_LISTS_(text, const char *);
PRAX_LISTS_(uuid, prax_uuid);
PRAX_LISTS_(ulid, prax_ulid);
PRAX_LISTS_(time, prax_time);
PRAX_LISTS_(date, prax_date);
PRAX_LISTS_(tod, prax_tod);
PRAX_LISTS_(bytes, prax_bytes);
PRAX_LISTS_(json, prax_json);
// clang-format on

/* The number of rows without take and skip, beside the rows or instead of them. */
enum prax_total { PRAX_TOTAL_NONE, PRAX_TOTAL_ALSO, PRAX_TOTAL_ONLY };

/* .lock of a query inside a transaction: its rows are locked until the end. With SKIP_LOCKED those
 * that another transaction has locked are left out, with NOWAIT they are EBUSY. SQLite's writing
 * transactions hold everything anyway. Outside of a transaction EINVAL. */
enum prax_lock { PRAX_FOR_UPDATE = 1, PRAX_SKIP_LOCKED = 2, PRAX_NOWAIT = 4 };

/* ---- raw SQL: ? on every database; ?? is a literal ? ----------------------------------------- */

// clang-format off
enum prax_vtype {
    PRAX_V_NULL, PRAX_V_I64, PRAX_V_F64, PRAX_V_BOOL, PRAX_V_TEXT, PRAX_V_BYTES, PRAX_V_JSON,
    PRAX_V_UUID, PRAX_V_TIME, PRAX_V_DATE, PRAX_V_DECIMAL, PRAX_V_RANGE,  /* RANGE: ERANGE */
    PRAX_V_TOD, PRAX_V_ULID, PRAX_V_LIST,
};
typedef struct prax_val {
    uint8_t type;  /* enum prax_vtype */
    uint8_t item;  /* LIST: that of its items */
    union {
        int64_t i64; double f64; bool boolean; const char *text; prax_bytes bytes; prax_json json;
        prax_uuid uuid; prax_time time; prax_date date; prax_decimal dec; prax_tod tod;
        prax_ulid ulid; struct { const void *items; size_t count; } list;
    } u;
} prax_val;
// clang-format on
/* Values by their types; PRAX_V chooses. What is not set, and a NULL pointer, is SQL NULL. */
PRAX_API prax_val prax_v_i64(int64_t x);
PRAX_API prax_val prax_v_f64(double x);
PRAX_API prax_val prax_v_bool(bool x);
PRAX_API prax_val prax_v_bytes(prax_bytes x);
PRAX_API prax_val prax_v_json(prax_json x);
PRAX_API prax_val prax_v_uuid(prax_uuid x);
PRAX_API prax_val prax_v_time(prax_time x);
PRAX_API prax_val prax_v_date(prax_date x);
PRAX_API prax_val prax_v_dec(prax_decimal x);
PRAX_API prax_val prax_v_tod(prax_tod x);
PRAX_API prax_val prax_v_ulid(prax_ulid x);
PRAX_API prax_val prax_v_text(const char *x);
PRAX_API prax_val prax_v_u64(uint64_t x); /* beyond INT64_MAX: ERANGE when it is used */
PRAX_API prax_val prax_v_opt_i64(prax_opt_i64 x);
PRAX_API prax_val prax_v_opt_f64(prax_opt_f64 x);
PRAX_API prax_val prax_v_opt_bool(prax_opt_bool x);
PRAX_API prax_val prax_v_opt_time(prax_opt_time x);
PRAX_API prax_val prax_v_opt_date(prax_opt_date x);
PRAX_API prax_val prax_v_opt_uuid(prax_opt_uuid x);
PRAX_API prax_val prax_v_opt_dec(prax_opt_dec x);
PRAX_API prax_val prax_v_opt_tod(prax_opt_tod x);
PRAX_API prax_val prax_v_opt_ulid(prax_opt_ulid x);
PRAX_API prax_val prax_v_list_i64(prax_list_i64 x);
PRAX_API prax_val prax_v_list_f64(prax_list_f64 x);
PRAX_API prax_val prax_v_list_bool(prax_list_bool x);
PRAX_API prax_val prax_v_list_dec(prax_list_dec x);
PRAX_API prax_val prax_v_list_text(prax_list_text x);
PRAX_API prax_val prax_v_list_uuid(prax_list_uuid x);
PRAX_API prax_val prax_v_list_ulid(prax_list_ulid x);
PRAX_API prax_val prax_v_list_time(prax_list_time x);
PRAX_API prax_val prax_v_list_date(prax_list_date x);
PRAX_API prax_val prax_v_list_tod(prax_list_tod x);
PRAX_API prax_val prax_v_list_bytes(prax_list_bytes x);
PRAX_API prax_val prax_v_list_json(prax_list_json x);
PRAX_API prax_val prax_v_same(prax_val v);
PRAX_API prax_val prax_v_null(void);
#define prax_null_v prax_v_null()
// clang-format off
#define PRAX_V(x) _Generic((x), const char *: prax_v_text, char *: prax_v_text,                    \
    bool: prax_v_bool, signed char: prax_v_i64, short: prax_v_i64, int: prax_v_i64,                \
    long: prax_v_i64, long long: prax_v_i64, unsigned char: prax_v_u64, unsigned short: prax_v_u64,\
    unsigned: prax_v_u64, unsigned long: prax_v_u64, unsigned long long: prax_v_u64,               \
    float: prax_v_f64, double: prax_v_f64, prax_bytes: prax_v_bytes, prax_json: prax_v_json,       \
    prax_uuid: prax_v_uuid, prax_time: prax_v_time, prax_date: prax_v_date,                        \
    prax_decimal: prax_v_dec, prax_opt_i64: prax_v_opt_i64, prax_opt_f64: prax_v_opt_f64,          \
    prax_opt_bool: prax_v_opt_bool, prax_opt_time: prax_v_opt_time, prax_opt_date: prax_v_opt_date,\
    prax_opt_uuid: prax_v_opt_uuid, prax_opt_dec: prax_v_opt_dec, prax_tod: prax_v_tod,            \
    prax_ulid: prax_v_ulid, prax_opt_tod: prax_v_opt_tod, prax_opt_ulid: prax_v_opt_ulid,          \
    prax_list_i64: prax_v_list_i64, prax_list_f64: prax_v_list_f64,                                \
    prax_list_bool: prax_v_list_bool, prax_list_dec: prax_v_list_dec,                              \
    prax_list_text: prax_v_list_text, prax_list_uuid: prax_v_list_uuid,                            \
    prax_list_ulid: prax_v_list_ulid, prax_list_time: prax_v_list_time,                            \
    prax_list_date: prax_v_list_date, prax_list_tod: prax_v_list_tod,                              \
    prax_list_bytes: prax_v_list_bytes, prax_list_json: prax_v_list_json, prax_val: prax_v_same)(x)
// clang-format on

/* A statement with rows: v[n] are the values of its question marks, stored as the schema's types
 * are (Decimal: the scaled integer). NULL: the session's error; ESQL, EINVAL when n does not fit.
 * Close the cursor; an open one pins the session's connection. */
PRAX_API PRAX_MUST prax_cursor *prax_sql_open_with(prax_session *s, const char *sql,
                                                   const prax_val *v, size_t n);
/* A statement without rows (if it has some, they are dropped): the number of rows changed. Errors
 * as above; EPERM for a write in a read-only session. */
PRAX_API PRAX_MUST int64_t prax_sql_exec_with(prax_session *s, const char *sql, const prax_val *v,
                                              size_t n);
/* Statements one after the other, divided by semicolons, without values; bodies of triggers and of
 * functions are part of theirs. Returns how many there were; the first that fails ends the script
 * and is named by number and line in the message. What ran before it stays, unless a transaction is
 * open around the call: that is all or nothing. Its own BEGIN and COMMIT are EINVAL. */
PRAX_API PRAX_MUST int64_t prax_sql_script(prax_session *s, const char *sql);
/* 1 row, 0 end, < 0 error. After the end or an error: the same again. */
PRAX_API PRAX_MUST int prax_cursor_next(prax_cursor *c);
/* NULL is fine; cursors of a session may be closed in any order. */
PRAX_API void prax_cursor_close(prax_cursor *c);
/* Index of the column of that name, or EINVAL. */
PRAX_API PRAX_MUST int prax_col(const prax_cursor *c, const char *name);
/* Values of the row that next found; texts live until the next one. PostgreSQL's arrays, ranges,
 * intervals and the like are texts (postgresql.md has the table). NULL in the database is 0, NULL
 * or all zeros; so is a column that does not exist, a value of another type (or outside of this
 * one's range), and every column before the first row, but these set the session's error: EINVAL,
 * ETYPE. */
PRAX_API bool prax_col_is_null(const prax_cursor *c, int col);
PRAX_API int64_t prax_col_i64(const prax_cursor *c, int col);
PRAX_API double prax_col_f64(const prax_cursor *c, int col);
PRAX_API const char *prax_col_text(const prax_cursor *c, int col);
PRAX_API prax_bytes prax_col_bytes(const prax_cursor *c, int col);
PRAX_API prax_time prax_col_time(const prax_cursor *c, int col);
PRAX_API prax_uuid prax_col_uuid(const prax_cursor *c, int col);
PRAX_API prax_date prax_col_date(const prax_cursor *c, int col);
PRAX_API prax_tod prax_col_tod(const prax_cursor *c, int col);
PRAX_API prax_ulid prax_col_ulid(const prax_cursor *c, int col);
PRAX_API prax_decimal prax_col_decimal(const prax_cursor *c, int col, int32_t scale);
static inline void prax_cursor_cleanup_(prax_cursor **c)
{
    prax_cursor_close(*c);
}

/* Up to 16 values. The statement counts as argument 1, so that none needs no special case. */
// clang-format off
#define prax_sql_open(s, ...) PRAX_SQL_(prax_sql_open_with, s, __VA_ARGS__)
#define prax_sql_exec(s, ...) PRAX_SQL_(prax_sql_exec_with, s, __VA_ARGS__)
#define prax_sql_each(row, s, ...)                                                                 \
    for (prax_cursor *row PRAX_CLEAN(prax_cursor_cleanup_) = prax_sql_open((s), __VA_ARGS__);      \
         row && prax_cursor_next(row) == 1;)
#ifndef PRAX_SQL_   /* a lint tool without _Generic may define it away */
#define PRAX_SQL_(fn, s, ...) fn((s), PRAX_FIRST_(__VA_ARGS__, 0),                                 \
    (const prax_val[]){ PRAX_CAT(PRAX_A_, PRAX_N_(__VA_ARGS__))(__VA_ARGS__) } + 1,                \
    PRAX_N_(__VA_ARGS__) - 1)
#endif
#define PRAX_FIRST_(a, ...) a
#define PRAX_N_(...) PRAX_N17_(__VA_ARGS__, TOO_MANY, TOO_MANY, TOO_MANY, TOO_MANY, 17, 16, 15, \
                               14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define PRAX_N17_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, t, u, v, N, ...) N
#define PRAX_A_1(q)       prax_null_v
#define PRAX_A_2(q, ...)  prax_null_v, PRAX_B_1(__VA_ARGS__)
#define PRAX_A_3(q, ...)  prax_null_v, PRAX_B_2(__VA_ARGS__)
#define PRAX_A_4(q, ...)  prax_null_v, PRAX_B_3(__VA_ARGS__)
#define PRAX_A_5(q, ...)  prax_null_v, PRAX_B_4(__VA_ARGS__)
#define PRAX_A_6(q, ...)  prax_null_v, PRAX_B_5(__VA_ARGS__)
#define PRAX_A_7(q, ...)  prax_null_v, PRAX_B_6(__VA_ARGS__)
#define PRAX_A_8(q, ...)  prax_null_v, PRAX_B_7(__VA_ARGS__)
#define PRAX_A_9(q, ...)  prax_null_v, PRAX_B_8(__VA_ARGS__)
#define PRAX_A_10(q, ...) prax_null_v, PRAX_B_9(__VA_ARGS__)
#define PRAX_A_11(q, ...) prax_null_v, PRAX_B_10(__VA_ARGS__)
#define PRAX_A_12(q, ...) prax_null_v, PRAX_B_11(__VA_ARGS__)
#define PRAX_A_13(q, ...) prax_null_v, PRAX_B_12(__VA_ARGS__)
#define PRAX_A_14(q, ...) prax_null_v, PRAX_B_13(__VA_ARGS__)
#define PRAX_A_15(q, ...) prax_null_v, PRAX_B_14(__VA_ARGS__)
#define PRAX_A_16(q, ...) prax_null_v, PRAX_B_15(__VA_ARGS__)
#define PRAX_A_17(q, ...) prax_null_v, PRAX_B_16(__VA_ARGS__)
#define PRAX_B_1(a)       PRAX_V(a)
#define PRAX_B_2(a, ...)  PRAX_V(a), PRAX_B_1(__VA_ARGS__)
#define PRAX_B_3(a, ...)  PRAX_V(a), PRAX_B_2(__VA_ARGS__)
#define PRAX_B_4(a, ...)  PRAX_V(a), PRAX_B_3(__VA_ARGS__)
#define PRAX_B_5(a, ...)  PRAX_V(a), PRAX_B_4(__VA_ARGS__)
#define PRAX_B_6(a, ...)  PRAX_V(a), PRAX_B_5(__VA_ARGS__)
#define PRAX_B_7(a, ...)  PRAX_V(a), PRAX_B_6(__VA_ARGS__)
#define PRAX_B_8(a, ...)  PRAX_V(a), PRAX_B_7(__VA_ARGS__)
#define PRAX_B_9(a, ...)  PRAX_V(a), PRAX_B_8(__VA_ARGS__)
#define PRAX_B_10(a, ...) PRAX_V(a), PRAX_B_9(__VA_ARGS__)
#define PRAX_B_11(a, ...) PRAX_V(a), PRAX_B_10(__VA_ARGS__)
#define PRAX_B_12(a, ...) PRAX_V(a), PRAX_B_11(__VA_ARGS__)
#define PRAX_B_13(a, ...) PRAX_V(a), PRAX_B_12(__VA_ARGS__)
#define PRAX_B_14(a, ...) PRAX_V(a), PRAX_B_13(__VA_ARGS__)
#define PRAX_B_15(a, ...) PRAX_V(a), PRAX_B_14(__VA_ARGS__)
#define PRAX_B_16(a, ...) PRAX_V(a), PRAX_B_15(__VA_ARGS__)
// clang-format on

/* ---- shapes that every model has; the generator writes PRAX_SHAPES(blog_user); --------------- */

/* In a list, total is the number of rows without take and skip, -1 unless asked for. A match is a
 * condition on the rows of a relation: at least one, all or none of them; NULL is no condition.
 * Result and op are a batch's: what comes out and what goes in. */
// clang-format off
#define PRAX_SHAPES(M)                                                                             \
    typedef struct M M;                                                                            \
    typedef struct M##_where M##_where;                                                            \
    typedef struct M##_query M##_query;                                                            \
    typedef struct M##_new M##_new;                                                                \
    typedef struct M##_list { const M *items; size_t count; int64_t total; } M##_list;             \
    typedef struct M##_where_list { const M##_where *items; size_t count; } M##_where_list;        \
    typedef struct M##_match { const M##_where *some, *every, *none; } M##_match;                  \
    typedef struct M##_result {                                                                    \
        int status; int64_t count; const M##_list *rows; const prax_error *error;                  \
    } M##_result
#define PRAX_WRITES(M)   /* of a model that is no view */                                          \
    typedef struct M##_create_many_args { size_t size; bool skip_duplicates; }                     \
        M##_create_many_args;                                                                      \
    typedef struct M##_update_many_args { size_t size; bool all; M##_where where; M##_set set; }   \
        M##_update_many_args;                                                                      \
    typedef struct M##_delete_many_args { size_t size; bool all; M##_where where; }                \
        M##_delete_many_args;                                                                      \
    typedef struct M##_op {                                                                        \
        size_t size; enum prax_verb verb; M##_key key;                                             \
        const M##_query *query; const M##_fetch *fetch; const M##_new *create; const M##_set *set; \
        size_t n;   /* create_many: rows of .create */                                             \
        bool all;   /* update_many, delete_many: without a .where in .query */                     \
        bool skip_duplicates;   /* create_many */                                                  \
    } M##_op
// clang-format on

#ifdef __cplusplus
}
#endif

#include <prax/batch.h>
#endif

/* client.h - the insides of handles and sessions, and the frame that every operation runs in.
 *
 * An operation is pxi_op_begin ... pxi_op_end around its work, on the stack of its verb; whatever
 * fails in between, end is called. Begin and end keep what an observer sees: the thread's context,
 * the record's phase (one store each), the counters of this thread. Clocks are read only if
 * somebody listened to VERB__done when the operation began, or slow operations are logged.
 */
#ifndef PXI_CLIENT_H
#define PXI_CLIENT_H
#include "orm/base/clock.h"
#include "orm/pool/pool.h"
#include "orm/query/build.h"
#include <prax/usdt.h>
#include <string.h>

enum {
    PXI_SESSIONS_KEPT = 16,           /* closed sessions kept for the next open */
    PXI_SESSION_BYTES_KEPT = 4 << 20, /* arena of such a one: a list of some 40,000 rows */
    PXI_SCRATCH_KEPT = 1 << 20,
    PXI_INCLUDE_DEPTH = 8, /* relations within relations: a program that wants more means a cycle */
    PXI_RECENT = 16,       /* plans that a session finds without a key */
    PXI_WARM_MAX = 64,     /* statements prepared on a new connection */
};

struct prax_db {
    struct pxi_heap heap, pool_heap, driver_heap, statements_heap, plans_heap, sessions_heap,
        cursors_heap, rows_heap, scratch_heap;
    struct pxi_pool pool;
    struct pxi_plans plans;
    struct pxi_error err;
    size_t arena_max;
    unsigned warm;                     /* statements to prepare on a new connection */
    uint32_t hot[PXI_WARM_MAX], n_hot; /* hot[n_hot]: ids of their plans; under `lock` */
    uint64_t slow_ns;                  /* 0 = off */
    void (*log)(void *ctx, const prax_event *ev);
    void *log_ctx;
    unsigned forks;
    unsigned refs; /* atomic: the handle itself, each session, each cursor */
    pthread_mutex_t lock;
    struct prax_session *idle; /* closed ones with their arenas */
    unsigned n_idle;
};

/* Guards nest: depth 1 is the transaction, deeper ones are savepoints. */
struct pxi_tx {
    unsigned depth;
    unsigned poison_depth; /* the guard that failed; 0 = none */
    int poison;            /* its error */
    bool read_only;
    enum prax_isolation isolation;
    uint64_t id; /* 0 = none */
};

/* The last plan of a model, a verb and a key. */
struct pxi_recent {
    const prax_model *m; /* NULL: none */
    struct pxi_plan *plan;
    uint16_t verb, by;
    bool fixed;    /* it depends on nothing else but `form`; else it is a guess */
    uint64_t form; /* CREATE, UPDATE: of what is given, or set */
};

struct prax_session {
    prax_db *db;
    struct pxi_link *link; /* of the last operation */
    bool holds;            /* it works for us; else it rests, and somebody may have taken it */
    bool suspect;          /* an operation failed on it: it does not rest, it goes to the pool */
    struct prax_cursor *cursors;
    struct prax_batch *batch; /* the open one */
    unsigned batched;         /* its entries that are not done: no other verb may run */
    bool in_batch;            /* the batch works */
    bool piped;               /* and its answers are awaited on our connection */
    struct pxi_tx tx;
    struct pxi_watch watch;
    int kept_error;  /* of a prax_keep that failed: the next operation fails with it */
    uint32_t serial; /* of the last mark that is still good */
    uint32_t timeout_ms, rows_max;
    bool read_only;
    struct pxi_arena arena, scratch;
    struct prax_op_record rec;
    struct pxi_recent recent[PXI_RECENT];
    struct prax_session *next; /* idle ones */
    struct pxi_error err;
};

struct pxi_op {
    prax_session *s;
    struct prax_op_record *rec;
    const prax_model *m;
    struct pxi_link *link;
    struct pxi_plan *plan;
    struct pxi_stmt *stmt;                                /* started */
    int (*check)(const struct pxi_op *op, size_t values); /* of a prepared statement; or NULL */
    struct pxi_arena *keep; /* a cursor's: values and plan must outlive the call that gives them */
    bool stmt_new, timed, started; /* started: VERB__start was fired */
    bool nested; /* within another one, whose connection and scratch memory it uses */
    bool piped;  /* its connection is a pipeline, and cannot be asked anything else */
    enum prax_verb verb;
    const struct prax_op_record *outer;
    uint64_t start_ns, phase_ns; /* when the operation and its phase began, if timed */
    uint64_t spent_ns;           /* before it was suspended */
    uint64_t allocs;
};

/* ---- frames (op.c) ---- */

/* m NULL: raw SQL. rec NULL: the session's own. 0, or the error that the operation ends with. */
int pxi_op_begin(struct pxi_op *op, prax_session *s, const prax_model *m, enum prax_verb verb,
                 struct prax_op_record *rec);
/* Finishes the statement, counts, fires, logs, lets the connection go. Returns rc. */
int64_t pxi_op_end(struct pxi_op *op, int64_t rc, uint64_t rows);
/* A cursor's operation between two calls: the caller's code runs. Resume returns as begin does;
 * reenter goes back without asking whether it may. */
void pxi_op_suspend(struct pxi_op *op);
void pxi_op_reenter(struct pxi_op *op);
int pxi_op_resume(struct pxi_op *op);
/* The same of one whose answer is on its way: its clock goes on. */
void pxi_op_away(struct pxi_op *op);
void pxi_op_back(struct pxi_op *op);
/* EABORTED if its transaction has failed. */
int pxi_op_poisoned(const struct pxi_op *op);
/* Keeps an error of our own: "text". Returns code. */
int pxi_op_fail(const struct pxi_op *op, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A call of the driver failed with rc: asks it why. Returns the final code. */
int pxi_op_explain(const struct pxi_op *op, int rc);
/* Ends a phase and begins another. */
void pxi_op_phase_timed(struct pxi_op *op, enum prax_phase phase);
static inline void pxi_op_phase(struct pxi_op *op, enum prax_phase phase)
{
    if (__builtin_expect(op->timed, 0))
        pxi_op_phase_timed(op, phase);
    op->rec->phase = (uint8_t)phase;
}
/* A connection, working for the session. */
int pxi_op_connect(struct pxi_op *op);
/* An empty shape for the operation's model and database. */
static inline void pxi_op_shape(const struct pxi_op *op, struct pxi_shape *sh)
{
    prax_session *s = op->s;
    pxi_shape_begin(sh, s->db->plans.dialect, op->m, &s->scratch, &s->err);
}
/* The connection broke before anything was done on it: forgets it and the error, for another try.
 */
void pxi_op_disconnect(struct pxi_op *op);
/* Plan of a request, connection, prepared statement, values: all that comes before the first step.
 * VERB__start fires here. */
int pxi_op_start(struct pxi_op *op, struct pxi_shape *sh, const struct pxi_request *r);
int pxi_op_start_plan(struct pxi_op *op, struct pxi_shape *sh, struct pxi_plan *plan, bool cached);
/* VERB__start fires, the first time. */
void pxi_op_launch(struct pxi_op *op);
/* The plan of a request, its values in the shape. NULL: sh->code. (recent.c) */
struct pxi_plan *pxi_op_plan(struct pxi_op *op, struct pxi_shape *sh, const struct pxi_request *r,
                             bool *cached);
/* Copies into op->keep what the caller lent, and what lies in scratch memory: the texts of the
 * values, and a plan for one use. */
int pxi_op_keep(struct pxi_op *op, struct pxi_shape *sh, struct pxi_plan **plan);
/* As they are counted: what goes to the database. */
uint64_t pxi_values_bytes(const struct pxi_value *v, unsigned n);
/* Scratch memory is free again. */
void pxi_op_trim(struct pxi_arena *scratch);
/* Tells observers which statement the operation is about. */
void pxi_op_show(struct pxi_op *op, struct pxi_plan *p);
/* EINVAL, ELIMIT and EPERM; rows: the verb brings some. */
int pxi_query_check(const struct pxi_op *op, const prax_query_head *q, bool rows);
/* What a M_query of the operation's model asks for. */
struct pxi_request pxi_request_of(const struct pxi_op *op, const void *query);
/* Finishes the statement before the end, so that the same operation can start another. */
void pxi_op_finish(struct pxi_op *op);
/* Steps a statement that returns no rows: rows changed. */
int64_t pxi_op_change(struct pxi_op *op);
/* 1 row, 0 end, < 0 error (explained). */
int pxi_op_step(struct pxi_op *op);
/* The current row; < 0 error (explained). row may be uncleared memory. */
int pxi_op_row(struct pxi_op *op, char *row, struct pxi_arena *a);
/* The current row and those behind it, n of those that the driver has at hand. */
int pxi_op_rows(struct pxi_op *op, char *rows, unsigned n, struct pxi_arena *a);
/* EPERM if the session or its transaction must not write. */
int pxi_op_may_write(const struct pxi_op *op);
/* What a full arena means: ENOMEM or ELIMIT. */
int pxi_op_full(const struct pxi_op *op, struct pxi_arena *a);

static inline bool pxi_session_pinned(const prax_session *s)
{
    return s->tx.depth != 0 || s->cursors != NULL || s->piped;
}
/* Lets the connection rest, or gives it to those who wait. */
void pxi_session_unpin(prax_session *s);

/* ---- lists (read.c) ---- */

struct pxi_rows {
    char *items;
    size_t count, room, size; /* size: bytes a row */
    size_t extra;             /* bytes behind the last one that may be written to */
};
/* The integer in the first column of the first row; `none` if there is no row. */
int64_t pxi_op_scalar(struct pxi_op *op, const struct pxi_request *r, int64_t none);
/* Room for the rows of the statement that has started; take as in the query. */
int pxi_rows_begin(struct pxi_op *op, struct pxi_rows *rows, uint32_t take);
/* The current row behind the others; ELIMIT beyond rows_max. */
int pxi_rows_next(struct pxi_op *op, struct pxi_rows *rows);
/* All rows of a started statement into the session's arena; take: at most so many come, or 0. */
int pxi_read_rows(struct pxi_op *op, struct pxi_rows *rows, uint32_t take);

/* What a get asks for; select and include: of the M_fetch, or NULL. EINVAL, ELIMIT. */
int pxi_get_request(struct pxi_op *op, const void *key, const void *fetch, struct pxi_request *r,
                    const char **select, const char **include);

/* ---- writes (write.c, create.c) ---- */

/* Of update, delete and their _many, once it is known that they may: all: .all of the arguments.
 * NULL: sh->code, or the operation's error. */
struct pxi_plan *pxi_change_plan(struct pxi_op *op, struct pxi_shape *sh,
                                 const struct pxi_request *r, bool all, bool *cached);
/* Whether a M_set, which may be NULL, wants a version. */
bool pxi_wants_version(const prax_model *m, const void *set);
int pxi_version_conflict(const struct pxi_op *op); /* ECONFLICT */

/* A new row that is being made. */
struct pxi_created {
    char *row;     /* row_size bytes in the session's arena */
    char *id_at;   /* where SQLite's row id belongs; or NULL */
    bool returned; /* the statement returns the columns that the database decides */
};
/* Its plan, and its values in the shape and in the row. NULL: sh->code, or the operation's error.
 */
struct pxi_plan *pxi_create_plan(struct pxi_op *op, struct pxi_shape *sh, const void *new_row,
                                 struct pxi_created *c, bool *cached);
/* The answer to the started statement: the row is whole then. */
int pxi_create_read(struct pxi_op *op, const struct pxi_created *c);

/* Many new rows, in as few statements as can be. */
struct pxi_many {
    const char *rows; /* rows[n] of M_new */
    size_t n, done;
    bool skip;         /* duplicates */
    bool arrays;       /* PostgreSQL, and no column is an array */
    size_t most;       /* rows a statement */
    unsigned from, to; /* the columns that a row may leave are from .. to - 1; from == to: none */
};
void pxi_many_begin(const struct pxi_shape *sh, struct pxi_many *w);
/* The next statement, of the rows from w->done on, which goes past them. NULL as above. */
struct pxi_plan *pxi_many_plan(struct pxi_op *op, struct pxi_shape *sh, struct pxi_many *w,
                               bool *cached);

/* ---- relations (include.c) ---- */

static inline bool pxi_has_bit(const void *bits, unsigned i)
{
    return bits && (((const uint8_t *)bits)[i / 8] >> i % 8 & 1);
}
/* The target's M_query in a M_include, which may be NULL. */
static inline const void *pxi_include_of(const prax_model *m, unsigned relation,
                                         const void *include)
{
    const char *at = include;
    return at ? *(const void *const *)(const void *)(at + m->relations[relation].include_off)
              : NULL;
}
bool pxi_wants_relations(const prax_model *m, const void *select, const void *include);
/* M_include of a M_query; NULL: the model has no relations. */
static inline const void *pxi_query_include(const prax_model *m, const void *query)
{
    return m->query_include_off == PRAX_NO_OFF ? NULL : (const char *)query + m->query_include_off;
}
/* Whether what a M_fields and a M_include ask for can be done: EINVAL, ELIMIT. Then it is read into
 * rows[count] of the operation's model, whose statement must be finished. */
int pxi_include_check(const struct pxi_op *op, const void *select, const void *include);
int pxi_include(struct pxi_op *op, const void *select, const void *include, char *rows,
                size_t count);
/* The columns that are read for a M_fields (or NULL) and a M_include (or NULL): bits in scratch
 * memory, or NULL for all. If there is no memory it is all of them, too. */
const void *pxi_op_select_some(const struct pxi_op *op, const void *select, const void *include);
static inline const void *pxi_op_select(const struct pxi_op *op, const void *select,
                                        const void *include)
{
    bool narrow = (op->m->traits & PRAX_M_OMIT) != 0;
    for (unsigned i = 0; select && i < op->m->fields_size; i++)
        narrow |= ((const uint8_t *)select)[i] != 0;
    return __builtin_expect(narrow, 0) ? pxi_op_select_some(op, select, include) : NULL;
}

/* Clears what is behind the columns of a row: relations that nobody has read yet. */
static inline void pxi_row_clear_relations(const prax_model *m, char *row)
{
    if (m->n_relations) {
        size_t at = m->relations[0].row_off;
        memset(row + at, 0, m->row_size - at);
    }
}

/* ---- rules (validate.c) ---- */

/* A value of the column's plain type against its rules; all that a M_set sets. 0, or ECHECK (or
 * ENOMEM) as the shape's error. */
int pxi_validate(struct pxi_shape *sh, const prax_column *c, const void *src);
int pxi_validate_set(struct pxi_shape *sh, const void *set);

/* ---- raw SQL (raw.c) ---- */

enum { PXI_RAW_KEEP = 1, PXI_RAW_ROWS = 2 }; /* it will be used again; it must have rows */
/* Plan, values, start. */
int pxi_raw_start(struct pxi_op *op, const char *sql, size_t size, const prax_val *v, size_t n,
                  unsigned flags);
/* The same with values that are in the shape. */
int pxi_raw_start_shape(struct pxi_op *op, struct pxi_shape *sh, const char *sql, size_t size,
                        unsigned flags);
/* A statement without rows, from connection to end: rows changed. */
int64_t pxi_raw_exec(struct pxi_op *op, struct pxi_shape *sh, const char *sql);
/* The rows of a started statement as those of the operation's model, by their columns' names. */
int pxi_read_mapped(struct pxi_op *op, prax_any_list *list);
/* Values of raw SQL into the shape. */
void pxi_raw_values(struct pxi_shape *sh, const prax_val *v, size_t n);
/* Of a prepared statement: EINVAL unless n values are what it wants, EPERM. */
int pxi_raw_check(const struct pxi_op *op, size_t n);
/* EINVAL if the statement has begun or ended a transaction; `before`: whether one was open. */
int pxi_raw_check_tx(const struct pxi_op *op, bool before);

/* ---- handles (db.c) ---- */

void pxi_db_ref(prax_db *db);
void pxi_db_unref(prax_db *db); /* the last one frees it */
void pxi_session_free(prax_session *s);

/* ---- warm-up (warm.c) ---- */

/* For pxi_pool_opts; ctx is the prax_db. */
void pxi_db_warm(void *ctx, struct pxi_link *l);
void pxi_db_cool(void *ctx, const struct pxi_link *l);

/* ---- transactions (tx.c) ---- */

/* Marks the innermost guard as failed; all of them if the database rolled back by itself. */
void pxi_tx_poison(prax_session *s, int code);

/* ---- cursors (cursor.c) ---- */

struct prax_cursor {
    prax_session *s;          /* NULL: ended, and no longer in its list */
    prax_db *db;              /* a reference */
    struct prax_cursor *next; /* of the session's open ones */
    struct pxi_op op;
    struct prax_op_record rec;
    struct pxi_arena arena; /* the row buffer, and behind `behind` the texts of the current row */
    struct pxi_mark behind;
    char *row;
    int64_t end;      /* what next says from now on: 1 while there may be rows, 0, error */
    int column_error; /* of a prax_col_* since the last next, which fails with it */
    bool on_row;
    uint64_t rows, opened_ns;
};
/* A cursor that is in no list yet; NULL: out of memory. */
prax_cursor *pxi_cursor_new(prax_session *s);
/* Its statement has started (rc 0) or not: opens it or frees it. */
prax_cursor *pxi_cursor_ready(prax_cursor *c, int rc);
/* Ends a cursor and takes it from the session; the object stays for its owner. */
void pxi_cursor_detach(prax_cursor *c);

#endif

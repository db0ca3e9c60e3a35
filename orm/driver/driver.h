/* driver.h - what a database must be able to do: the vtable between the pool and a client library.
 *
 * The one idea: a statement is start / step / row / finish, and a blocking call is a loop of steps.
 * Values go in by one call for all parameters, a row comes out by one call for all columns: the
 * driver runs a small program {type, offset} and writes the C struct itself, so an indirect call is
 * paid a row and not a column.
 *
 * Results: >= 0 or a negative PRAX_E*. Who gets a failure asks `explain` at once, before the next
 * call on that connection. One thread at a time per connection, but for `interrupt`.
 *
 * A driver knows nothing of models, plans or sessions; it knows the C types of types.def.
 */
#ifndef PXI_DRIVER_H
#define PXI_DRIVER_H
#include "orm/base/arena.h"
#include "orm/base/error.h"
#include <prax/model.h>
#include <prax/prax.h>

enum pxi_engine { PXI_SQLITE, PXI_POSTGRES };

/* A value on its way to a parameter. Text and blobs are borrowed until finish. `type` says what the
 * integer or text is where the database distinguishes: a DateTime is an integer of microseconds, a
 * Decimal one of `scale` digits. SQLite stores the kind and looks at no type. */
enum pxi_kind {
    PXI_NULL,
    PXI_INT,
    PXI_REAL,
    PXI_TEXT,
    PXI_BLOB,
    PXI_ARRAY, /* u.p is struct pxi_value[size], all of one type; PostgreSQL only */
};
enum { PXI_UNTYPED = 255 }; /* in `type`: raw SQL's; the database decides */
struct pxi_value {
    uint8_t kind;  /* enum pxi_kind */
    uint8_t type;  /* enum prax_type, or PXI_UNTYPED */
    uint8_t scale; /* of a Decimal */
    uint32_t size; /* bytes of text or blob, <= PXI_VALUE_MAX; items of an array */
    union {
        int64_t i;
        double f;
        const void *p;
    } u;
};
enum { PXI_VALUE_MAX = 1000000000 }; /* bytes: SQLite's default limit of a string */

/* One column of a row program: result column i goes to row + off as C type `type`. */
struct pxi_out {
    uint16_t off;
    uint8_t type;  /* enum prax_type */
    uint8_t null;  /* may be NULL: prax_opt_*, or a pointer */
    uint8_t scale; /* Decimal */
    uint8_t list;  /* prax_list_* of the type; PostgreSQL only */
    const prax_enum_type *labels;
    const char *name; /* for messages */
};
struct pxi_program {
    const struct pxi_out *out; /* out[n] */
    unsigned n;
    uint32_t size; /* bytes of a row, from one to the next */
};

enum { PXI_TYPE_NAME = 160 }; /* bytes: what is longer is cut */

struct pxi_conn; /* a connection; begins with its vtable */
struct pxi_stmt; /* a prepared statement of one connection */

/* What stops an operation from outside; read by the driver while the database works. */
struct pxi_watch {
    uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0 = none */
    int cancel;           /* atomic: 1 = asked to stop */
};

struct pxi_conn_opts {
    const char *url;   /* all of it */
    const char *where; /* what the driver opens; from resolve */
    uint32_t busy_ms;  /* wait for a lock of another connection; 0 = PostgreSQL: the server's */
    const prax_alloc *alloc; /* for what the driver keeps of a connection; NULL: malloc */
};

/* The half of a driver that never blocks: for batches and event loops. A connection is in one of
 * three states: connecting (open_start, then open_poll until it says 0), ordinary (all of
 * pxi_driver's calls), or a pipeline (begin to end), in which only this table's calls, and step,
 * row, column and finish of the statement that `next` has handed out, are allowed; all others are
 * EINVAL.
 *
 * In a pipeline, prepare and push queue *entries* and return at once; nothing waits for an answer.
 * pump sends what the socket takes and receives what has come; next hands the answers out, one
 * entry at a time, in the order in which they were queued. The loop is
 *
 *     while (entries are out) {
 *         while ((rc = next(c, &st)) != 0) { read st's rows by step and row, or the error; }
 *         poll(fd(c), events(c)); pump(c);
 *     }
 *
 * Sync ends a group, and the entry before it is handed out when the sync has been answered. What
 * fails takes the rest of its group with it: those entries answer EABORTED, and they did not run.
 * Outside of a transaction a group is also one transaction, so what fails undoes what came before
 * it in the group. So: within a transaction one sync, at the end; outside of one a sync behind each
 * entry that writes, and one behind any number of entries that only read, those that were EABORTED
 * to be queued again. Every sync costs a system call (libpq before 17) and the server a message:
 * 100 reads with one sync take half the time of 100 with one each.
 *
 * A new statement takes a round trip before its values can be sent, because the server says what
 * types they have: prepare it, wait for its entry, then push. All new ones of a batch share one.
 */
struct pxi_async {
    /* Begins to connect; *out is set and to be closed whatever happens later. ENOMEM, EINVAL,
     * ECONN. Blocks only where libpq does: looking up a host by name. Time limits are the caller's.
     */
    int (*open_start)(const struct pxi_conn_opts *o, struct pxi_conn **out, struct pxi_error *err);
    /* 1 not yet: wait for fd and events, which may change; 0 connected; < 0 failed. */
    int (*open_poll)(struct pxi_conn *c, struct pxi_error *err);
    int (*fd)(struct pxi_conn *c);       /* -1: the connection is lost */
    short (*events)(struct pxi_conn *c); /* of poll: what is waited for */
    int (*begin)(struct pxi_conn *c);
    /* Queues the preparing of a text, as an entry. *out is of no use before that was answered; when
     * it failed, drop it. Its entry may be answered behind those of later ones. */
    int (*prepare)(struct pxi_conn *c, const char *sql, size_t size, bool keep,
                   struct pxi_stmt **out);
    /* Queues an execution. v is copied; the same statement may be queued any number of times, and
     * is not dropped while it is out, unless the connection is lost. EINVAL, ETYPE, ERANGE, ENOMEM:
     * nothing was queued. */
    int (*push)(struct pxi_stmt *st, const struct pxi_value *v, unsigned n);
    int (*sync)(struct pxi_conn *c);
    /* Sends and receives without waiting. 0; ECONN. */
    int (*pump)(struct pxi_conn *c);
    /* 1: an entry has been answered. *st is as after start: step, row, changes and the rest do not
     * touch the network. It is finished by the next call of next. 0: nothing yet, or nothing is
     * out. < 0: the entry of *st has failed, explain says why; *st NULL: the connection is lost. */
    int (*next)(struct pxi_conn *c, struct pxi_stmt **st);
    unsigned (*out)(struct pxi_conn *c); /* entries and syncs that next has not gone past */
    /* Asks the server to end what it is running, without waiting: that entry then fails with
     * ECANCELED. Those behind it run, unless they are of its group. */
    int (*cancel)(struct pxi_conn *c);
    /* 1: a cancel is under way; 0: none is, or it has arrived; ECONN: it got lost, and so is the
     * connection. */
    int (*cancelling)(struct pxi_conn *c);
    /* Back to an ordinary connection: EINVAL while entries are out. ECONN if a cancel has not
     * arrived yet, since it could hit a later statement. */
    int (*end)(struct pxi_conn *c);
    /* Of a statement that has just failed: the server has it no longer, or with other columns. It
     * did nothing; it is to be dropped, and its text prepared again. */
    bool (*stale)(struct pxi_stmt *st);
    /* Of an ordinary connection: reset would ask the server nothing. */
    bool (*clean)(struct pxi_conn *c);
};

struct pxi_driver {
    const char *name;
    enum pxi_engine engine;
    uint32_t busy_ms; /* of pxi_conn_opts, where the program says nothing */
    /* Checks a URL and writes what `open` wants, allocated with malloc, to *where. exclusive: there
     * will be one connection only. EINVAL, EUNSUPPORTED, ENOMEM, explained in err. */
    int (*resolve)(const char *url, bool exclusive, char **where, struct pxi_error *err);
    int (*open)(const struct pxi_conn_opts *o, struct pxi_conn **out, struct pxi_error *err);
    void (*close)(struct pxi_conn *c);
    /* keep: it will be used often. A text with no statement or more than one is EINVAL. */
    int (*prepare)(struct pxi_conn *c, const char *sql, size_t size, bool keep,
                   struct pxi_stmt **out);
    void (*drop)(struct pxi_stmt *st);
    unsigned (*parameters)(struct pxi_stmt *st);
    /* Binds v[n], n being at most what the statement has (else EINVAL). */
    int (*start)(struct pxi_stmt *st, const struct pxi_value *v, unsigned n);
    int (*step)(struct pxi_stmt *st); /* 1 row, 0 end, < 0 error */
    /* The current row into row, texts and blobs into a: their bytes. ETYPE; ENOMEM and ELIMIT when
     * a is full. Then *failed is the index of the column. */
    int64_t (*row)(struct pxi_stmt *st, const struct pxi_program *p, char *row, struct pxi_arena *a,
                   unsigned *failed);
    /* How many rows are there without waiting, the current one with them. NULL: never more than
     * that one, and there is no `rows`. */
    unsigned (*at_hand)(struct pxi_stmt *st);
    /* As row for the current row and those behind it, n of those at hand, to rows[n] of p->size
     * bytes each; then the last of them is the current one. */
    int64_t (*rows)(struct pxi_stmt *st, const struct pxi_program *p, char *rows, unsigned n,
                    struct pxi_arena *a, unsigned *failed);
    /* Ends the statement, whatever its state, and forgets its values. */
    void (*finish)(struct pxi_stmt *st);
    int64_t (*changes)(struct pxi_conn *c); /* rows of the last INSERT, UPDATE or DELETE */
    int64_t (*total)(struct pxi_conn *c);   /* of all of them: whether the last statement was one */
    int64_t (*last_id)(struct pxi_conn *c);
    bool (*read_only)(struct pxi_stmt *st); /* the statement changes nothing */
    /* Statements without parameters and rows: BEGIN and the like, DDL. */
    int (*exec)(struct pxi_conn *c, const char *sql);
    bool (*in_tx)(struct pxi_conn *c); /* one is open, failed or not; of a broken one: false */
    /* How a transaction begins: a constant text, one statement. */
    const char *(*begin)(enum prax_isolation isolation, bool read_only);
    /* The connection is lost: nothing will succeed on it again. Asks nobody; may look whether the
     * other side has hung up. */
    bool (*broken)(struct pxi_conn *c);
    /* A round trip, of timeout_ms at most: 0 if the other side is there. NULL: there is no other
     * side, so no connection needs to be checked. */
    int (*ping)(struct pxi_conn *c, uint32_t timeout_ms);
    /* Makes a connection fit for another session: an open transaction is rolled back, prepared
     * statements stay. < 0: it is to be closed. */
    int (*reset)(struct pxi_conn *c);
    int (*has_table)(struct pxi_conn *c, const char *table); /* 1, 0, < 0 */
    /* Details of the failure that has just happened on c; code is what the call returned. */
    void (*explain)(struct pxi_conn *c, int code, struct pxi_error *err);
    /* From now on, until the next call, this watch may stop statements; NULL = none. */
    void (*watch)(struct pxi_conn *c, struct pxi_watch *w);
    void (*interrupt)(struct pxi_conn *c); /* any thread */
    unsigned (*columns)(struct pxi_stmt *st);
    const char *(*column_name)(struct pxi_stmt *st, unsigned i);
    /* What the database calls its type, for messages; buf is room for it. NULL, or NULL the
     * function: it has none, its values have. */
    const char *(*column_type)(struct pxi_stmt *st, unsigned i, char buf[PXI_TYPE_NAME]);
    struct pxi_value (*column)(struct pxi_stmt *st, unsigned i);
    /* The next start of st is for a cursor: rows are to come in pieces, and other statements may
     * run on the connection meanwhile. NULL: that is always so. */
    void (*stream)(struct pxi_stmt *st);
    /* Rows into a table by the fastest way there is; NULL: there is none but statements. `table`
     * and `columns` are SQL: quoted names, those of columns with commas between. Between begin and
     * end the connection can do nothing else. v[n_rows][columns]. copy_end: the rows that were
     * written; !keep: none, and the error that led there stays the one to be explained. Whatever
     * fails, the copy is to be ended. */
    int (*copy_begin)(struct pxi_conn *c, const char *table, const char *columns);
    int (*copy_rows)(struct pxi_conn *c, const struct pxi_value *v, size_t n_rows);
    int64_t (*copy_end)(struct pxi_conn *c, bool keep);
    const struct pxi_async *async; /* NULL: a statement never waits for a network */
};

struct pxi_conn {
    const struct pxi_driver *driver;
};

/* The driver for a URL, or NULL and EINVAL / EUNSUPPORTED in err. */
const struct pxi_driver *pxi_driver_find(const char *url, struct pxi_error *err);

extern const struct pxi_driver pxi_sqlite;
extern const struct pxi_driver pxi_postgres;

/* C layout of a schema type: where prax_opt_*, prax_w_* and prax_f_* keep what. */
struct pxi_layout {
    uint8_t size;      /* bytes of the plain C type */
    uint8_t opt_val;   /* prax_opt_*.val; set is at 0. 0 = NULL is a NULL pointer */
    uint8_t write_v;   /* prax_w_*.v; wr is at 0 */
    uint8_t filter_hi; /* prax_f_*.hi; 0 = none. op 0, nocase 1, n 4, v 8 */
};
extern const struct pxi_layout pxi_layouts[PRAX_TYPES];
extern const struct pxi_layout pxi_list_layout; /* of prax_list_*: items at 0, count at 8 */
static inline const struct pxi_layout *pxi_layout_of(const prax_column *c)
{
    return c->flags & PRAX_C_LIST ? &pxi_list_layout : &pxi_layouts[c->type];
}

#endif

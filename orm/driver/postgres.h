/* postgres.h - shared by the files of the PostgreSQL driver only.
 *
 * The one idea: the wire is asked to do what it is good at, and never to wait in silence.
 * Statements are parsed and described once (one round trip), values travel in binary, and every
 * wait is a poll on the socket and on an eventfd, so that a deadline or another thread can end it.
 *
 *   postgres_libpq.c   libpq itself, loaded when it is needed
 *   postgres_url.c     a URL -> one conninfo string
 *   postgres_open.c    connecting, closing, checking, what a session leaves behind
 *   postgres_wait.c    waiting, stopping the server, losing the connection
 *   postgres_stmt.c    prepare, start, step, finish
 *   postgres_type.c    types that have to be asked for
 *   postgres_param.c   values into a command
 *   postgres_stream.c  results that are not read at once: single rows, portals, what is put aside
 *   postgres_row.c     a row of a PGresult -> a C struct
 *   postgres_error.c   what went wrong, in Prax's words
 *   postgres_copy.c    COPY in
 *   postgres_pipe.c    the half that never blocks
 *   postgres_scan.c    what kind of statement a text is (pure)
 *   postgres_known.c, postgres_encode.c, postgres_array.c, postgres_decode.c, postgres_form*.c,
 *   postgres_numeric.c: values (pure, see postgres_codec.h)
 *   postgres.c         the table of all this
 *
 * Invariants: `active` is the one statement whose answer is still on its way, and before anything
 * else is sent its rows are taken in. Every PGresult has one owner. A connection that is `lost` is
 * never written to again.
 */
#ifndef PXI_DRIVER_POSTGRES_H
#define PXI_DRIVER_POSTGRES_H
#include "orm/driver/postgres_codec.h"
#include "orm/driver/postgres_libpq.h"
#include "orm/driver/postgres_scan.h"

enum {
    PXI_PG_SERVER_MIN = 120000,
    PXI_PG_CONNECT_S = 10,        /* unless the URL says connect_timeout */
    PXI_PG_CANCEL_MS = 2000,      /* for a cancel request to be delivered */
    PXI_PG_DRAIN_MS = 5000,       /* for a statement to end after that */
    PXI_PG_CONTROL_MS = 10000,    /* for a ROLLBACK, which no deadline stops */
    PXI_PG_PARAMS_MAX = 65535,    /* the protocol counts them in 16 bits */
    PXI_PG_ASIDE_MAX = 256 << 20, /* bytes of a result that is put aside for another statement */
    PXI_PG_SAID = 200,            /* bytes of a message of ours */
};

struct pxi_pg_conn;

enum pxi_pg_state {
    PXI_PG_IDLE,
    PXI_PG_SENT,   /* its answer is on the way */
    PXI_PG_STREAM, /* rows come one by one, or a few at a time */
    PXI_PG_PORTAL, /* rows are fetched from a cursor of the server; the connection is free */
    PXI_PG_DONE,   /* all there is lies in res, or an error in failed */
};

/* How a column goes to a field of the row. */
struct pxi_pg_field {
    uint8_t reader; /* enum pxi_pg_reader */
    uint8_t val;    /* of a prax_opt_*: where its value is; else 0 */
    uint16_t off;
};

struct pxi_pg_stmt {
    struct pxi_pg_conn *c;
    size_t sql_size;
    char name[24]; /* on the server; "" = none is kept there */
    struct pxi_pg_scan scan;
    bool streams; /* the next start is for a cursor */
    bool stale;   /* to be prepared again */
    bool retried;
    bool unchecked; /* its columns may be others than were described */
    /* what the server says of it */
    PGresult *desc;
    unsigned n_params, n_columns;
    struct pxi_pg_type *params;  /* params[n_params]; the others lie behind it, in one block */
    Oid *param_oids;             /* param_oids[n_params] */
    struct pxi_pg_type *columns; /* columns[n_columns] */
    /* how its rows are read, for one row program */
    const struct pxi_program *program;
    struct pxi_pg_field *fields; /* fields[n_columns] */
    struct pxi_arena cells;      /* of `column`: texts that had to be written */
    bool cells_used;
    /* the execution under way */
    enum pxi_pg_state state;
    PGresult *res;   /* the rows at hand */
    PGresult *aside; /* those that follow, taken in to free the connection */
    int row, n_rows;
    int code; /* of an error that step has not told yet */
    PGresult *failed;
    unsigned portal; /* PORTAL: the number in its name */
    unsigned depth;  /* PORTAL: of the savepoint it was made in */
    int fetch;       /* PORTAL: rows a round trip; 0 = all have been fetched */
    bool gone;       /* PORTAL: it was rolled back */
    struct pxi_pg_stmt *next_portal;
    char sql[]; /* sql_size bytes and a NUL */
};

struct pxi_pg_copy {
    bool open;
    unsigned n;
    struct pxi_buf sql;          /* of which `columns` are known; "" = none */
    struct pxi_pg_type *columns; /* columns[n] */
    struct pxi_buf buf;
    int64_t rows;
    int code; /* why it cannot be kept */
};

struct pxi_pg_pipe_entry {
    struct pxi_pg_stmt *st; /* NULL: a sync */
    uint8_t kind;
};
struct pxi_pg_pipe {
    bool on, unsent;
    struct pxi_pg_stmt *given;       /* handed out last */
    struct pxi_pg_stmt *held;        /* answered, but for the sync behind it, which commits it */
    struct pxi_pg_pipe_entry *queue; /* a ring of `room`, a power of two */
    unsigned room, head, count;
};

struct pxi_pg_conn {
    struct pxi_conn conn;
    const prax_alloc *alloc;
    PGconn *pg;
    int wake; /* eventfd: somebody called interrupt */
    struct pxi_watch *watch;
    bool keeps; /* statements are kept by the server */
    bool tls;   /* or GSS: bytes may wait inside the library */
    bool lost;
    bool tx;     /* a transaction was open when the last command had ended */
    bool stale;  /* the last failure: the server has the statement no longer, or differently */
    bool sent;   /* of the command under way, something has left */
    bool dirty;  /* SET and the like: reset has more to do */
    bool single; /* rows came one by one since the last pipeline */
    PostgresPollingStatusType connecting;
    int stop;          /* ECANCELED, ETIMEOUT: why the server was asked to end the command */
    uint64_t until_ns; /* our own limit to waiting; 0 = none */
    uint64_t again_ns, pause_ns; /* when to ask again, after which pause */
    /* the last failure: a result of the server's, or a text of ours */
    PGresult *failed;
    char text[PXI_PG_SAID];
    int64_t changes, total;
    struct pxi_pg_stmt *active, *portals;
    unsigned depth; /* of savepoints */
    unsigned last_name, last_portal;
    /* parameters of the command that is sent */
    struct pxi_buf bytes;
    const char **values; /* values[params_room]; the others lie behind it, in one block */
    size_t *at;          /* where in bytes; SIZE_MAX: the caller's own, or in numbers */
    char (*numbers)[8];
    int *sizes, *formats;
    unsigned params_room;
    /* names on the server that nobody needs any more */
    struct pxi_buf drops;       /* "p12\0p15\0" */
    struct pxi_buf closings;    /* portals, likewise */
    struct pxi_pg_known *types; /* that had to be asked for */
    unsigned n_types;
    struct pxi_pg_copy copy;
    struct pxi_pg_pipe pipe;
    struct pxi_pg_request *request; /* a cancel that nobody waits for */
};

#define PXI_PG_PARAM_SIZE (sizeof(char *) + sizeof(size_t) + 8 + 2 * sizeof(int)) /* bytes each */

static inline struct pxi_pg_conn *pxi_pg_of(struct pxi_conn *c)
{
    return (struct pxi_pg_conn *)(void *)c;
}
static inline struct pxi_pg_stmt *pxi_pg_stmt_of(struct pxi_stmt *st)
{
    return (struct pxi_pg_stmt *)(void *)st;
}

/* Memory of the handle's allocator, as prax_alloc has it. */
static inline void *pxi_pg_mem(const struct pxi_pg_conn *c, void *p, size_t old, size_t size)
{
    return p || size ? c->alloc->realloc(c->alloc->ctx, p, old, size) : NULL;
}

/* postgres_url.c */
int pxi_pg_resolve(const char *url, bool exclusive, char **where, struct pxi_error *err);
/* What resolve wrote: the conninfo string, and whether statements are kept by the server. */
const char *pxi_pg_where(const char *where, bool *keeps);

/* postgres_open.c */
int pxi_pg_open(const struct pxi_conn_opts *o, struct pxi_conn **out, struct pxi_error *err);
void pxi_pg_close(struct pxi_conn *c);
int pxi_pg_open_start(const struct pxi_conn_opts *o, struct pxi_conn **out, struct pxi_error *err);
int pxi_pg_open_poll(struct pxi_conn *c, struct pxi_error *err);
bool pxi_pg_broken(struct pxi_conn *c);
int pxi_pg_ping(struct pxi_conn *c, uint32_t timeout_ms);
int pxi_pg_reset(struct pxi_conn *c);

/* postgres_wait.c */
void pxi_pg_watch(struct pxi_conn *c, struct pxi_watch *w);
void pxi_pg_interrupt(struct pxi_conn *c);
/* Before something is sent: forgets the last failure and takes in what is still on its way. */
int pxi_pg_ready(struct pxi_pg_conn *c);
/* Until something has come, or been sent. */
int pxi_pg_wait(struct pxi_pg_conn *c);
/* The next result; NULL with *rc 0 at the end of a command, with *rc < 0 when the connection is
 * lost. */
PGresult *pxi_pg_result(struct pxi_pg_conn *c, int *rc);
/* The same where libpq, when it has no memory for an answer, gives none and waits on, with nothing
 * but a message: clean: there is none so far. */
PGresult *pxi_pg_answer(struct pxi_pg_conn *c, bool clean, int *rc);
/* Reads and drops what is left of a command. < 0: the connection is lost; or, unless something has
 * failed before, the command after all: outside of a transaction it commits only now. */
int pxi_pg_drain(struct pxi_pg_conn *c);
/* Waits until all that was written has left. */
int pxi_pg_flush(struct pxi_pg_conn *c);
/* Reads the answers to n commands of a pipeline and the sync behind them; their first error.
 * answers[n] are the caller's to clear, NULL where none came. */
int pxi_pg_answers(struct pxi_pg_conn *c, PGresult **answers, unsigned n);
/* Not the answer to a sync, or to a command, or an error of libpq's own: when it has no memory for
 * a result, it loses count in a pipeline of what is the answer to what (libpq 15). Then the
 * connection must be given up. */
bool pxi_pg_out_of_step(const PGresult *res, bool is_sync);
/* Leaves pipeline mode, rc being how things went in it. */
int pxi_pg_leave(struct pxi_pg_conn *c, int rc);
/* Takes in what the socket has, without waiting. */
int pxi_pg_consume(struct pxi_pg_conn *c);
/* Asks the server to end the command under way, and waits until it has been asked. */
void pxi_pg_stop(struct pxi_pg_conn *c, int code);
/* The same without waiting; and whether that has arrived: 0, or ECONN, the connection being lost.
 */
int pxi_pg_cancel(struct pxi_pg_conn *c);
int pxi_pg_cancel_end(struct pxi_pg_conn *c);
int pxi_pg_cancelling(struct pxi_pg_conn *c); /* 1: it is still under way */
int pxi_pg_lost(struct pxi_pg_conn *c);

/* postgres_error.c: each keeps what explain will need, and returns the code. */
int pxi_pg_fail(struct pxi_pg_conn *c, PGresult *res); /* takes res */
int pxi_pg_fail_text(struct pxi_pg_conn *c, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int pxi_pg_code(const char *sqlstate);
void pxi_pg_explain(struct pxi_conn *c, int code, struct pxi_error *err);
void pxi_pg_explain_open(PGconn *pg, struct pxi_error *err);
void pxi_pg_forget(struct pxi_pg_conn *c);

/* postgres_stmt.c */
int pxi_pg_prepare(struct pxi_conn *c, const char *sql, size_t size, bool keep,
                   struct pxi_stmt **out);
void pxi_pg_drop(struct pxi_stmt *st);
int pxi_pg_start(struct pxi_stmt *st, const struct pxi_value *v, unsigned n);
int pxi_pg_step(struct pxi_stmt *st);
void pxi_pg_finish(struct pxi_stmt *st);
struct pxi_pg_stmt *pxi_pg_stmt_new(struct pxi_pg_conn *c, const char *sql, size_t size, bool keep);
void pxi_pg_stmt_free(struct pxi_pg_stmt *st);
/* Takes over what Describe answered. */
int pxi_pg_described(struct pxi_pg_stmt *st, PGresult *desc);
/* rc of preparing; EINVAL where the server says that there are several statements. */
int pxi_pg_refused(const struct pxi_pg_stmt *st, int rc);
/* postgres_param.c: for the next send. */
int pxi_pg_encode(struct pxi_pg_stmt *st, const struct pxi_value *v, unsigned n);
/* Sends st with the parameters that were encoded last; 0 or an error. */
int pxi_pg_send(struct pxi_pg_stmt *st);
/* Takes the result of a whole statement: rows, a command's count, or an error. */
int pxi_pg_take(struct pxi_pg_stmt *st, PGresult *res);
/* Reads the answer of a statement that was sent; its code stays in st. */
void pxi_pg_collect(struct pxi_pg_stmt *st);
/* Its answer has been read: the connection is free again, what went wrong stays with st. */
void pxi_pg_done(struct pxi_pg_stmt *st, int rc);
/* Rows to be read, from the first one; takes res. ESCHEMA: they are not those that were described.
 */
int pxi_pg_hold(struct pxi_pg_stmt *st, PGresult *res);
/* A query of the driver's own with text parameters; NULL and *rc < 0 if it failed. */
PGresult *pxi_pg_ask(struct pxi_pg_conn *c, const char *sql, const char *const *values, int n,
                     int *rc);
/* Appends a name to a list of names that each end in NUL. */
void pxi_pg_note(struct pxi_buf *names, const char *name);
bool pxi_pg_in_tx(struct pxi_conn *c);
/* A command without parameters, its answer dropped. */
int pxi_pg_exec(struct pxi_conn *c, const char *sql);
/* Of a command: rows changed, and what it leaves behind. */
void pxi_pg_count(struct pxi_pg_conn *c, PGresult *res);

/* postgres_type.c */
extern const char pxi_pg_type_sql[];
/* Fills in the types of a described statement that are known by now. True: others are to be asked
 * for by pxi_pg_type_sql, with oids ("{17,18}", appended) as its parameter. */
bool pxi_pg_types_wanted(struct pxi_pg_stmt *st, struct pxi_buf *oids);
/* Takes in the answer; 0 or ENOMEM. Then none of them is wanted any more. */
int pxi_pg_types_learn(struct pxi_pg_stmt *st, const PGresult *res);
/* ETYPE if the server could not send a column. */
int pxi_pg_types_check(struct pxi_pg_stmt *st);
/* What is known of a type, here or by its fixed number. */
struct pxi_pg_type pxi_pg_type_here(const struct pxi_pg_conn *c, uint32_t oid);
void pxi_pg_types_free(struct pxi_pg_conn *c);

/* postgres_stream.c */
void pxi_pg_stream(struct pxi_stmt *st);
bool pxi_pg_wants_portal(const struct pxi_pg_stmt *st);
int pxi_pg_portal_open(struct pxi_pg_stmt *st);
int pxi_pg_stream_next(struct pxi_pg_stmt *st);
void pxi_pg_stream_end(struct pxi_pg_stmt *st);
/* Takes in all that is left of a statement, so that the connection is free. */
int pxi_pg_put_aside(struct pxi_pg_stmt *st);
/* Before COMMIT, ROLLBACK and savepoints: what becomes of the portals. */
int pxi_pg_portals_before(struct pxi_pg_conn *c, const char *sql);
void pxi_pg_portals_after(struct pxi_pg_conn *c, const char *sql);

/* postgres_row.c */
int64_t pxi_pg_row(struct pxi_stmt *st, const struct pxi_program *p, char *row, struct pxi_arena *a,
                   unsigned *failed);
int64_t pxi_pg_rows(struct pxi_stmt *st, const struct pxi_program *p, char *rows, unsigned n,
                    struct pxi_arena *a, unsigned *failed);
unsigned pxi_pg_at_hand(struct pxi_stmt *st);
struct pxi_value pxi_pg_column(struct pxi_stmt *st, unsigned i);

/* postgres_copy.c */
int pxi_pg_copy_begin(struct pxi_conn *c, const char *table, const char *columns);
int pxi_pg_copy_rows(struct pxi_conn *c, const struct pxi_value *v, size_t n_rows);
int64_t pxi_pg_copy_end(struct pxi_conn *c, bool keep);

/* postgres_pipe.c */
extern const struct pxi_async pxi_pg_async;

#endif

/* batch.h - the insides of a batch: entries, and what is on its way.
 *
 * An entry is an operation, suspended from the call that puts it until its answer is read. Its
 * statements are planned and its values are copied when it is put, so that a step only sends and
 * reads. While the batch works, its arena takes the place of the session's: so the code of the
 * single verbs fills it, and a session's marks cannot take anything from under an entry. When it is
 * closed, all of that becomes the session's.
 *
 *   batch.c        life, steps, SQLite
 *   batch_entry.c  one entry: what is asked for, what was answered
 *   batch_pipe.c   PostgreSQL: what is sent and what is answered
 *   batch_merge.c  PostgreSQL: gets that are sent as one statement
 *   batch_link.c   PostgreSQL: the connection that it is sent on
 *
 * Invariants: an entry is in one of three lists (waiting; again, which goes in front of it; sent)
 * or done; s->batched counts those that are not done. The thread's context is an entry's record
 * only while it is built, sent or read.
 */
#ifndef PXI_CLIENT_BATCH_H
#define PXI_CLIENT_BATCH_H
#include "orm/client/client.h"

enum { PXI_BATCH_WINDOW = 1024 }; /* entries on their way: what a cancel has to stop one by one */

/* One statement of an entry. */
struct pxi_part {
    struct pxi_plan *plan;
    bool cached;
    uint32_t n_values;
    struct pxi_value *values; /* values[n_values] */
    struct pxi_piped *piped;  /* PostgreSQL: its prepared statement; NULL: not looked for yet */
    struct pxi_part *next;
};

/* A run of gets, neighbours in their list, that is one statement. */
struct pxi_merge {
    struct pxi_plan *plan;
    struct pxi_piped *piped; /* as of a part */
    unsigned n;              /* entries */
};

struct pxi_entry {
    struct pxi_entry *next;
    prax_batch *b;
    struct prax_result result; /* what the program sees */
    prax_any_list list;        /* its rows */
    struct pxi_op op;
    struct prax_op_record rec;
    struct pxi_part *parts, **last_part;
    struct pxi_merge *merge;   /* whose entry it is; NULL: it is sent by itself */
    struct pxi_error *failure; /* of reading its row, while others of the run are not done */
    int rc;                    /* of its begin */
    unsigned out, answered;    /* parts that were sent, and how many of them have an answer */
    bool writes;
    bool done;            /* its result stands, whatever answers still come */
    bool shared;          /* sent with others behind one sync */
    bool again, retried;  /* to be sent again; it was, for a stale statement */
    bool alone;           /* not to be merged any more */
    uint8_t by;           /* of a get: which key; else 0 */
    uint64_t deadline_ns; /* 0: none, or no step has seen it */
    uint32_t take;        /* rows that come at most; 0: unknown */
    bool total_only;
    struct pxi_created made;
    uint64_t rows; /* for the counters */
};

struct pxi_entries {
    struct pxi_entry *first, **last;
};

/* A prepared statement that the pipeline uses. */
struct pxi_piped {
    struct pxi_piped *next;
    struct pxi_plan *plan;
    struct pxi_stmt *stmt; /* may be NULL unless READY */
    bool is_new;
    enum {
        PXI_PIPED_NEW,
        PXI_PIPED_SENT,
        PXI_PIPED_READY,
        PXI_PIPED_FAILED,
        PXI_PIPED_STALE
    } state;
    int code; /* FAILED */
    struct pxi_error *err;
    uint64_t start_ns;
    struct prax_op_record *rec; /* of the entry that wanted it first, for the probes */
};

struct prax_batch {
    prax_session *s; /* NULL: it was closed */
    prax_db *db;     /* a reference */
    struct pxi_arena arena;
    struct pxi_entries waiting, again, sent;
    struct pxi_entry *undated; /* of waiting: the first that no step has seen */
    bool fresh;                /* entries were put since the last step */
    unsigned writes;           /* of waiting and again */
    int64_t total;             /* the driver's, before the answer at hand */
    /* the pipeline */
    struct pxi_ask *ask;   /* for a connection */
    struct pxi_link *link; /* NULL: there is no pipeline */
    bool checking;         /* whether the other side is there */
    bool cut;              /* half of something was sent: it cannot be used any more */
    uint64_t check_until_ns;
    struct pxi_piped *piped, *spare;
    struct pxi_piped no_piped;       /* FAILED, for want of memory */
    unsigned preparing, shared, out; /* statements; entries that share a sync; entries sent */
    /* its end before the time */
    int stop; /* ECANCELED, ETIMEOUT: why */
    uint64_t stop_until_ns, ask_again_ns, pause_ns;
    int code; /* what the step that ends all returns */
    struct pxi_error why;
    /* for what there is no room in the arena */
    struct prax_result none;
    struct pxi_error last;
};

static inline void pxi_entries_add(struct pxi_entries *l, struct pxi_entry *e)
{
    e->next = NULL;
    *l->last = e;
    l->last = &e->next;
}
static inline struct pxi_entry *pxi_entries_pop(struct pxi_entries *l)
{
    struct pxi_entry *e = l->first;
    l->first = e->next;
    if (!l->first)
        l->last = &l->first;
    return e;
}

/* ---- batch.c ---- */

/* A new entry, its operation begun with e->rc. NULL: *none is the handle of one that failed. */
struct pxi_entry *pxi_entry_begin(prax_batch *b, const prax_model *m, enum prax_verb verb,
                                  const prax_result **none);
/* Puts it into the batch, or ends it with rc. Its handle. */
const prax_result *pxi_entry_put(struct pxi_entry *e, int rc);
/* The entry has ended: counts, fires, tells. rc: 0, ENOTFOUND, or an error that the session has
 * now. The operation is resumed. told: that error as the program will see it; NULL: a copy. */
void pxi_entry_done(struct pxi_entry *e, int64_t rc, const prax_error *told);
/* All of a list end with b->why. */
void pxi_batch_fail(prax_batch *b, struct pxi_entries *list);
/* All that are not done do; code: of the session's error, which becomes b->why. */
void pxi_batch_break(prax_batch *b, int code);
/* When the first of those that are not done has to be; 0: never. */
uint64_t pxi_batch_deadline(const prax_batch *b);
/* Stops it: ECANCELED, ETIMEOUT. */
void pxi_batch_stop(prax_batch *b, int code);
/* Of the session: a transaction ends, or the session is closed. */
void pxi_batch_abandon(prax_session *s);
void pxi_batch_detach(prax_batch *b);

/* ---- batch_entry.c ---- */

/* Of a resumed operation whose statement has been answered, or has started: 0 or an error. */
int pxi_entry_read(struct pxi_entry *e, const struct pxi_part *part);

/* ---- batch_pipe.c ---- */

static inline const struct pxi_async *pxi_async_of(const prax_batch *b)
{
    return b->db->pool.driver->async;
}
static inline bool pxi_batch_in_tx(const prax_batch *b)
{
    return b->s->tx.depth != 0;
}
/* What the driver says of its last failure, as the session's error: its code. */
int pxi_pipe_explain(prax_batch *b, int rc);
/* Whether an answered entry, or the run that it is the first of, did not run and is to be sent once
 * more as it is. */
bool pxi_pipe_wants_again(const prax_batch *b, const struct pxi_entry *e, struct pxi_stmt *st,
                          int rc);
/* Prepares and sends all that can be sent now. */
void pxi_pipe_send(prax_batch *b);
/* Answers that were read; < 0: the connection is lost. */
int pxi_pipe_receive(prax_batch *b);
/* The statements, back to the connection's cache; or, of one that is given up, away. */
void pxi_pipe_give_back(prax_batch *b, bool keep);

/* ---- batch_merge.c ---- */

/* Makes runs of the waiting entries. */
void pxi_merge_runs(prax_batch *b);
/* Sends the run that waits first, whose statement is there, or has failed. False: it was split, and
 * nothing was sent. */
bool pxi_merge_send(prax_batch *b, bool failed);
/* The run that was sent first has been answered: its entries are done, or to be sent again. */
void pxi_merge_answer(prax_batch *b, struct pxi_stmt *st, int rc);

/* ---- batch_link.c ---- */

/* 1 not yet, 0 nothing is out any more. */
int pxi_pipe_step(prax_batch *b);
prax_interest pxi_pipe_interest(const prax_batch *b);
/* Asks the server to end what is out, without waiting. */
void pxi_pipe_stop(prax_batch *b);
/* The connection is given up, with all that was sent. */
void pxi_pipe_abort(prax_batch *b);

#endif

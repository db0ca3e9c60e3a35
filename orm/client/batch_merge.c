/* batch_merge.c - gets of a batch that stand beside each other become one statement: the same
 * model, the same key, the same columns. See select_keys in build.c for its text.
 *
 * The one idea: a server's cost of a get is that of a statement, not that of a row. So a run of
 * gets is sent as arrays of keys, and each row comes back with the number of its key; equality is
 * the server's matter, and a key may stand there twice. Nobody else sees it: an entry of a run has
 * its own record, clock, counters and result, as if it had been sent by itself.
 *
 * A run is made before its statement is prepared, of entries for which none was looked for yet, and
 * stays together until it is answered, or until it is split: when it cannot be prepared, encoded or
 * run, each of its entries is sent by itself, and fails or not as it would have. That takes two
 * things: a write does not overtake a run (so one that a write follows is not made), and a
 * transaction that the server has failed cannot be asked again (so there the run's error is the
 * first entry's).
 */
#include "orm/client/batch.h"
#include "usdt/stats.h"

enum { MERGE_MIN = 4 }; /* fewer take as long by themselves, and need no second statement */

/* ---- runs ---- */

/* How many from e on may be one statement; at least 1. */
static unsigned run_from(const struct pxi_entry *e, unsigned most)
{
    const struct pxi_plan *plan = e->parts->plan;
    unsigned n = 0;
    while (e && n < most && e->by && !e->merge && !e->alone && !e->parts->piped &&
           e->parts->plan == plan) {
        e = e->next;
        n++;
    }
    return n ? n : 1;
}

/* The statement of many for a get's. NULL: there is no memory, or no room for it. */
static struct pxi_plan *plan_for(struct pxi_entry *e)
{
    const struct pxi_plan *get = e->parts->plan;
    struct pxi_shape sh;
    bool cached;
    struct pxi_request r = { .m = e->op.m,
                             .verb = PRAX_GET,
                             .by = e->by,
                             .select = get->partial ? get->loaded : NULL,
                             .arrays = true };
    pxi_op_shape(&e->op, &sh);
    struct pxi_plan *plan = pxi_request_plan(&e->b->db->plans, &sh, &r, &cached);
    return plan && plan->id != PXI_PLAN_ONCE ? plan : NULL;
}

/* What could not be had for a run is no entry's error: they are sent one by one. */
static void forget_failure(prax_batch *b)
{
    struct pxi_arena *a = &b->s->arena, *scratch = &b->s->scratch;
    a->full = a->over = scratch->full = scratch->over = false;
    pxi_error_clear(&b->s->err);
}

static void make_run(prax_batch *b, struct pxi_entry *e, unsigned n)
{
    struct pxi_plan *plan = plan_for(e);
    struct pxi_merge *m = plan ? pxi_arena_get(&b->s->arena, sizeof *m, 16) : NULL;
    if (!m) {
        forget_failure(b);
        return;
    }
    *m = (struct pxi_merge){ .plan = plan, .n = n };
    for (; n > 0; n--, e = e->next)
        e->merge = m;
}

void pxi_merge_runs(prax_batch *b)
{
    bool tx = pxi_batch_in_tx(b);
    unsigned seen = 0, writes = 0, n;
    for (struct pxi_entry *e = b->waiting.first; e && seen < PXI_BATCH_WINDOW; seen += n) {
        writes += e->writes;
        n = tx || writes == b->writes ? run_from(e, PXI_BATCH_WINDOW - seen) : 1;
        if (n >= MERGE_MIN)
            make_run(b, e, n);
        for (unsigned i = 0; i < n; i++)
            e = e->next;
    }
}

static void split(struct pxi_entry *e)
{
    for (unsigned n = e->merge->n; n > 0; n--, e = e->next) {
        e->merge = NULL;
        e->alone = true;
        e->retried = false;
    }
}

/* ---- sending ---- */

/* The values of each key column as one array, in scratch memory. */
static struct pxi_value *gather(const struct pxi_entry *e, struct pxi_arena *scratch)
{
    const struct pxi_part *first = e->parts;
    unsigned columns = first->n_values, n = e->merge->n;
    struct pxi_value *v = pxi_arena_get(scratch, columns * (n + (size_t)1) * sizeof *v, 16);
    struct pxi_value *items = v ? v + columns : NULL;
    for (unsigned c = 0; v && c < columns; c++) {
        const struct pxi_value *one = &first->values[c];
        v[c] = (struct pxi_value){ .kind = PXI_ARRAY,
                                   .type = one->type,
                                   .scale = one->scale,
                                   .size = n,
                                   .u.p = items + (size_t)c * n };
    }
    for (unsigned i = 0; v && i < n; i++, e = e->next) {
        for (unsigned c = 0; c < columns; c++)
            items[(size_t)c * n + i] = e->parts->values[c];
    }
    return v;
}

static int push_run(prax_batch *b, struct pxi_entry *e)
{
    struct pxi_arena *scratch = &b->s->scratch;
    struct pxi_mark mark = pxi_arena_mark(scratch);
    pxi_op_back(&e->op);
    const struct pxi_value *v = gather(e, scratch);
    int rc = PRAX_ENOMEM;
    if (v)
        rc = pxi_async_of(b)->push(e->merge->piped->stmt, v, e->parts->n_values);
    pxi_op_away(&e->op);
    pxi_arena_release(scratch, mark);
    return rc;
}

/* Its values are on their way. */
static void launch(prax_batch *b, struct pxi_entry *e)
{
    const struct pxi_part *p = e->parts;
    struct pxi_op *op = &e->op;
    struct prax_stats *st = pxi_stats_here();
    pxi_op_reenter(op);
    op->link = b->link;
    op->piped = true;
    op->rec->conn_id = b->link->id;
    pxi_op_show(op, e->merge->plan);
    op->rec->flags |= p->cached ? PRAX_OP_CACHED : 0;
    pxi_stats_add(st, p->cached ? &st->plan_hits : &st->plan_misses, 1);
    pxi_op_launch(op);
    op->rec->bytes_in += pxi_values_bytes(p->values, p->n_values);
    pxi_op_phase(op, PRAX_PHASE_EXECUTE);
    pxi_op_away(op);
}

bool pxi_merge_send(prax_batch *b, bool failed)
{
    struct pxi_entry *e = b->waiting.first;
    unsigned n = e->merge->n;
    if (failed || push_run(b, e) < 0) {
        forget_failure(b);
        split(e);
        return false;
    }
    for (; n > 0; n--) {
        e = pxi_entries_pop(&b->waiting);
        launch(b, e);
        e->out = 1;
        e->answered = 0;
        e->shared = !pxi_batch_in_tx(b);
        b->shared += e->shared;
        b->out++;
        pxi_entries_add(&b->sent, e);
    }
    return true;
}

/* ---- answers ---- */

/* Told when the entries before it are done. */
static void keep_failure(struct pxi_entry *e, int code)
{
    struct pxi_arena *a = &e->b->s->arena;
    e->failure = pxi_arena_get(a, sizeof *e->failure, 16);
    if (!e->failure) {
        a->full = a->over = false;
        pxi_entry_done(e, code, NULL);
        return;
    }
    pxi_error_copy_all(e->failure, &e->b->s->err);
    pxi_error_clear(&e->b->s->err);
}

static void read_row(struct pxi_entry *e, struct pxi_stmt *st)
{
    struct pxi_op *op = &e->op;
    struct pxi_arena *a = &op->s->arena;
    pxi_op_back(op);
    op->stmt = st;
    op->plan = e->merge->plan;
    pxi_op_phase(op, PRAX_PHASE_MAP);
    char *row = pxi_arena_get(a, op->m->row_size, 16);
    int rc = row ? pxi_op_row(op, row, a) : pxi_op_full(op, a);
    op->stmt = NULL;
    pxi_op_phase(op, PRAX_PHASE_EXECUTE);
    e->list.items = row;
    e->list.count = e->rows = rc == 0;
    if (rc < 0)
        keep_failure(e, rc);
    if (!e->done)
        pxi_op_away(op);
}

/* Rows come in the order of their keys, though nothing says that they must. */
static void read_rows(prax_batch *b, struct pxi_stmt *st)
{
    const struct pxi_driver *d = b->link->driver;
    struct pxi_entry *first = b->sent.first, *e = first;
    const struct pxi_merge *m = first->merge;
    int64_t at = 1;
    while (d->step(st) == 1) {
        int64_t i = d->column(st, m->plan->program.n).u.i;
        if (i < at) {
            e = first;
            at = 1;
        }
        for (; at < i && at < m->n; at++)
            e = e->next;
        if (at == i && !e->done && !e->failure)
            read_row(e, st);
    }
}

/* All of the run, in their order; rc: of the statement. */
static void finish(prax_batch *b, int rc)
{
    struct pxi_entry *e = b->sent.first;
    for (unsigned n = e->merge->n; n > 0; n--, e = e->next) {
        if (e->done)
            continue;
        pxi_op_back(&e->op);
        int code = pxi_op_poisoned(&e->op);
        e->op.plan = e->merge->plan;
        if (code == 0 && rc < 0) {
            code = pxi_pipe_explain(b, rc);
            pxi_error_sql(&b->s->err, e->merge->plan->sql);
        } else if (code == 0 && e->failure) {
            pxi_error_copy_all(&b->s->err, e->failure);
            code = e->failure->e.code;
        }
        e->result.count = (int64_t)e->list.count;
        e->result.rows = &e->list;
        pxi_entry_done(e, code, NULL);
    }
}

void pxi_merge_answer(prax_batch *b, struct pxi_stmt *st, int rc)
{
    struct pxi_entry *first = b->sent.first, *e = first;
    struct pxi_merge *m = first->merge;
    for (unsigned n = m->n; n > 0; n--, e = e->next)
        e->answered = 1;
    bool same = rc < 0 && pxi_pipe_wants_again(b, first, st, rc);
    if (!same && (rc >= 0 || rc == PRAX_ECONN || pxi_batch_in_tx(b) || b->stop)) {
        if (rc >= 0)
            read_rows(b, st);
        finish(b, rc);
        return;
    }
    e = first;
    for (unsigned n = m->n; n > 0; n--, e = e->next)
        e->again = true;
    if (same && rc == PRAX_ESCHEMA) {
        first->retried = true;
        m->piped->state = PXI_PIPED_STALE;
    }
    m->piped = NULL;
    if (!same)
        split(first);
}

/* read.c - the verbs that read a model: get, find_first, find_many, count, exists. */
#include "orm/client/client.h"
#include <string.h>

enum {
    LIST_FIRST = 16,
    LIST_HINT_BYTES = 4 << 20,
    ROWS_AT_ONCE = 64, /* read column by column: what stays in the processor's first cache */
};

static int check_lock(const struct pxi_op *op, unsigned lock)
{
    if (lock != PRAX_FOR_UPDATE && lock != (PRAX_FOR_UPDATE | PRAX_SKIP_LOCKED) &&
        lock != (PRAX_FOR_UPDATE | PRAX_NOWAIT)) {
        return pxi_op_fail(op, PRAX_EINVAL,
                           "lock is PRAX_FOR_UPDATE, alone or with one of the others");
    }
    if (op->s->tx.depth == 0)
        return pxi_op_fail(op, PRAX_EINVAL, "lock outside of a transaction");
    return pxi_op_may_write(op);
}

int pxi_query_check(const struct pxi_op *op, const prax_query_head *q, bool rows)
{
    if (!q || q->size == 0)
        return pxi_op_fail(op, PRAX_EINVAL, "the query is not initialised: its size is 0");
    if (q->lock && (!rows || q->total == PRAX_TOTAL_ONLY))
        return pxi_op_fail(op, PRAX_EINVAL, "lock where there are no rows");
    int rc = q->lock ? check_lock(op, q->lock) : 0;
    if (rc == 0 && op->m->n_relations) {
        rc = pxi_include_check(op, (const char *)q + op->m->query_select_off,
                               pxi_query_include(op->m, q));
    }
    return rc;
}

struct pxi_request pxi_request_of(const struct pxi_op *op, const void *query)
{
    const prax_model *m = op->m;
    const prax_query_head *q = query;
    const char *base = query;
    return (struct pxi_request){ .m = m,
                                 .verb = op->verb,
                                 .select = pxi_op_select(op, base + m->query_select_off,
                                                         pxi_query_include(m, query)),
                                 .where = base + m->query_where_off,
                                 .order_by = q->order_by,
                                 .take = q->take,
                                 .skip = q->skip,
                                 .lock = q->lock };
}

/* ---- one row ---- */

static const void *one_row(struct pxi_op *op, const struct pxi_request *r, const void *select,
                           const void *include)
{
    struct pxi_shape sh;
    prax_session *s = op->s;
    pxi_op_shape(op, &sh);
    int rc = pxi_op_start(op, &sh, r);
    if (rc == 0)
        rc = pxi_op_step(op);
    if (rc == 0)
        rc = pxi_error_plain(&s->err, PRAX_ENOTFOUND, "no such row");
    char *row = NULL;
    if (rc == 1) {
        struct pxi_mark mark = pxi_arena_mark(&s->arena);
        pxi_op_phase(op, PRAX_PHASE_MAP);
        row = pxi_arena_get(&s->arena, r->m->row_size, 16);
        rc = row ? pxi_op_row(op, row, &s->arena) : pxi_op_full(op, &s->arena);
        if (rc == 0 && r->m->n_relations && select) {
            pxi_op_finish(op);
            rc = pxi_include(op, select, include, row, 1);
        }
        if (rc < 0)
            pxi_arena_release(&s->arena, mark);
    }
    return pxi_op_end(op, rc, rc == 0) < 0 ? NULL : row;
}

static const void *no_row(struct pxi_op *op, int rc)
{
    pxi_op_end(op, rc, 0);
    return NULL;
}

static inline int get_request(struct pxi_op *op, const void *key, const void *fetch,
                              struct pxi_request *r, const char **select, const char **include)
{
    const prax_model *m = op->m;
    const prax_fetch_head *f = fetch;
    unsigned by = *(const unsigned *)key;
    if (by == 0 || by > m->n_keys)
        return pxi_op_fail(op, PRAX_EINVAL, "no key was chosen");
    if (f && f->size == 0)
        return pxi_op_fail(op, PRAX_EINVAL, "the fetch is not initialised: its size is 0");
    *select = f ? (const char *)fetch + m->fetch_select_off : NULL;
    *include = f && m->fetch_include_off != PRAX_NO_OFF ? (const char *)fetch + m->fetch_include_off
                                                        : NULL;
    int rc = *select && m->n_relations ? pxi_include_check(op, *select, *include) : 0;
    if (rc == 0) {
        *r = (struct pxi_request){ .m = m, .verb = PRAX_GET, .by = by, .key = key };
        r->select = pxi_op_select(op, *select, *include);
    }
    return rc;
}

int pxi_get_request(struct pxi_op *op, const void *key, const void *fetch, struct pxi_request *r,
                    const char **select, const char **include)
{
    return get_request(op, key, fetch, r, select, include);
}

const void *prax_gen_get(prax_session *s, const prax_model *m, const void *key, const void *fetch)
{
    struct pxi_op op;
    struct pxi_request r;
    const char *select = NULL, *include = NULL;
    int rc = pxi_op_begin(&op, s, m, PRAX_GET, NULL);
    if (rc == 0)
        rc = get_request(&op, key, fetch, &r, &select, &include);
    return rc < 0 ? no_row(&op, rc) : one_row(&op, &r, select, include);
}

const void *prax_gen_find_first(prax_session *s, const prax_model *m, const void *query)
{
    struct pxi_op op;
    int rc = pxi_op_begin(&op, s, m, PRAX_FIND_FIRST, NULL);
    if (rc == 0)
        rc = pxi_query_check(&op, query, true);
    if (rc < 0)
        return no_row(&op, rc);
    struct pxi_request r = pxi_request_of(&op, query);
    r.take = 1;
    return one_row(&op, &r, (const char *)query + m->query_select_off, pxi_query_include(m, query));
}

/* ---- numbers ---- */

int64_t pxi_op_scalar(struct pxi_op *op, const struct pxi_request *r, int64_t none)
{
    struct pxi_shape sh;
    pxi_op_shape(op, &sh);
    int rc = pxi_op_start(op, &sh, r);
    if (rc == 0)
        rc = pxi_op_step(op);
    int64_t x = rc == 1 ? op->link->driver->column(op->stmt, 0).u.i : none;
    pxi_op_finish(op);
    return rc < 0 ? rc : x;
}

static int64_t count(prax_session *s, const prax_model *m, const void *query, enum prax_verb verb)
{
    struct pxi_op op;
    int64_t n = pxi_op_begin(&op, s, m, verb, NULL);
    if (n == 0)
        n = pxi_query_check(&op, query, false);
    if (n == 0) {
        struct pxi_request r = pxi_request_of(&op, query);
        r.order_by = NULL;
        r.select = NULL;
        r.take = verb == PRAX_EXISTS ? 1 : r.take;
        n = pxi_op_scalar(&op, &r, 0);
    }
    return pxi_op_end(&op, n, n >= 0);
}

int64_t prax_gen_count(prax_session *s, const prax_model *m, const void *query)
{
    return count(s, m, query, PRAX_COUNT);
}

int prax_gen_exists(prax_session *s, const prax_model *m, const void *query)
{
    return (int)count(s, m, query, PRAX_EXISTS);
}

/* ---- lists ---- */

/* Room for as many rows as lists of this plan lately had, so that a warm list moves nothing. */
static bool first_room(struct pxi_rows *rows, struct pxi_arena *a, const struct pxi_plan *p,
                       uint32_t take)
{
    size_t n = __atomic_load_n(&p->rows_hint, __ATOMIC_RELAXED);
    size_t most = LIST_HINT_BYTES / rows->size;
    n = n > most && take == 0 ? most : n < LIST_FIRST ? LIST_FIRST : n;
    rows->room = take && take < n ? take : n;
    rows->items = pxi_arena_get(a, rows->room * rows->size + rows->extra, 16);
    return rows->items != NULL;
}

static bool more_room(struct pxi_rows *rows, struct pxi_arena *a)
{
    size_t old = rows->room * rows->size, bytes;
    if (__builtin_mul_overflow(old, 2, &bytes) ||
        __builtin_add_overflow(bytes, rows->extra, &bytes))
        return false;
    char *more = pxi_arena_extend(a, rows->items, old + rows->extra, bytes);
    if (!more)
        return false;
    rows->items = more;
    rows->room *= 2;
    return true;
}

/* Up at once, down slowly: lists of a plan vary. */
static void learn(struct pxi_plan *p, size_t count)
{
    uint32_t hint = __atomic_load_n(&p->rows_hint, __ATOMIC_RELAXED);
    uint32_t n = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
    uint32_t next = n >= hint ? n : hint - (hint - n + 3) / 4;
    if (next != hint)
        __atomic_store_n(&p->rows_hint, next, __ATOMIC_RELAXED);
}

/* Room for one more row. */
static int next_room(struct pxi_op *op, struct pxi_rows *rows)
{
    if (op->s->rows_max && rows->count == op->s->rows_max) {
        return pxi_op_fail(op, PRAX_ELIMIT, "more rows than rows_max (%u); use take or a cursor",
                           op->s->rows_max);
    }
    return rows->count == rows->room && !more_room(rows, &op->s->arena)
               ? pxi_op_full(op, &op->s->arena)
               : 0;
}

int pxi_rows_next(struct pxi_op *op, struct pxi_rows *rows)
{
    int rc = next_room(op, rows);
    return rc < 0 ? rc : pxi_op_row(op, rows->items + rows->count++ * rows->size, &op->s->arena);
}

/* The current row, and more of those at hand. */
static int next_rows(struct pxi_op *op, struct pxi_rows *rows)
{
    int rc = next_room(op, rows);
    if (rc < 0)
        return rc;
    size_t n = op->link->driver->at_hand(op->stmt), most = rows->room - rows->count;
    if (op->s->rows_max && op->s->rows_max - rows->count < most)
        most = op->s->rows_max - rows->count;
    most = most < ROWS_AT_ONCE ? most : ROWS_AT_ONCE;
    n = n < most ? n : most;
    rc = pxi_op_rows(op, rows->items + rows->count * rows->size, (unsigned)n, &op->s->arena);
    rows->count += n;
    return rc;
}

int pxi_rows_begin(struct pxi_op *op, struct pxi_rows *rows, uint32_t take)
{
    return first_room(rows, &op->s->arena, op->plan, take) ? 0 : pxi_op_full(op, &op->s->arena);
}

int pxi_read_rows(struct pxi_op *op, struct pxi_rows *rows, uint32_t take)
{
    bool several = op->link->driver->at_hand != NULL;
    int rc = pxi_rows_begin(op, rows, take);
    while (rc >= 0 && (rc = pxi_op_step(op)) == 1) {
        pxi_op_phase(op, PRAX_PHASE_MAP);
        rc = several ? next_rows(op, rows) : pxi_rows_next(op, rows);
        pxi_op_phase(op, PRAX_PHASE_EXECUTE);
    }
    if (rc == 0)
        learn(op->plan, rows->count);
    return rc;
}

static int64_t total_of(struct pxi_op *op, const struct pxi_request *r)
{
    struct pxi_request all = { .m = r->m, .verb = PRAX_COUNT, .where = r->where };
    struct pxi_plan *rows = op->plan;
    int64_t n = pxi_op_scalar(op, &all, 0);
    if (rows)
        pxi_op_show(op, rows); /* the operation is known by its rows */
    return n;
}

/* Rows and their total must be of one moment. */
static int begin_moment(struct pxi_op *op, bool wanted, bool *began)
{
    int rc = wanted ? pxi_op_connect(op) : 0;
    *began = false;
    if (rc < 0 || !wanted || op->s->tx.depth)
        return rc;
    const struct pxi_driver *d = op->link->driver;
    rc = d->exec(op->link->conn, d->begin(PRAX_REPEATABLE, true));
    *began = rc == 0;
    return rc < 0 ? pxi_op_explain(op, rc) : 0;
}

static int find(struct pxi_op *op, const struct pxi_request *r, prax_any_list *list,
                enum prax_total total)
{
    struct pxi_rows rows = { .size = r->m->row_size };
    struct pxi_shape sh;
    int64_t rc = 0;
    bool began, paged = r->take || r->skip;
    if (total == PRAX_TOTAL_ONLY)
        return (list->total = total_of(op, r)) < 0 ? (int)list->total : 0;
    rc = begin_moment(op, total == PRAX_TOTAL_ALSO && paged, &began);
    if (rc == 0) {
        pxi_op_shape(op, &sh);
        rc = pxi_op_start(op, &sh, r);
    }
    if (rc == 0)
        rc = pxi_read_rows(op, &rows, r->take);
    pxi_op_finish(op);
    list->items = rows.items;
    list->count = rows.count;
    if (rc == 0 && total == PRAX_TOTAL_ALSO)
        rc = list->total = paged ? total_of(op, r) : (int64_t)rows.count;
    if (began)
        op->link->driver->exec(op->link->conn, "COMMIT");
    return rc < 0 ? (int)rc : 0;
}

const void *prax_gen_find_many(prax_session *s, const prax_model *m, const void *query)
{
    struct pxi_op op;
    const prax_query_head *q = query;
    struct pxi_mark mark = pxi_arena_mark(&s->arena);
    int rc = pxi_op_begin(&op, s, m, PRAX_FIND_MANY, NULL);
    if (rc == 0)
        rc = pxi_query_check(&op, q, true);
    if (rc < 0)
        return no_row(&op, rc);
    struct pxi_request r = pxi_request_of(&op, query);
    prax_any_list *list = pxi_arena_get(&s->arena, sizeof *list, 16);
    if (!list)
        return no_row(&op, pxi_op_full(&op, &s->arena));
    *list = (prax_any_list){ .total = -1 };
    rc = find(&op, &r, list, q->total);
    if (rc == 0 && list->count && m->n_relations) {
        rc = pxi_include(&op, (const char *)query + m->query_select_off,
                         pxi_query_include(m, query), (char *)list->items, list->count);
    }
    if (rc < 0)
        pxi_arena_release(&s->arena, mark);
    return pxi_op_end(&op, rc, rc == 0 ? list->count : 0) < 0 ? NULL : list;
}

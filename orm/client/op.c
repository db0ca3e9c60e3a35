/* op.c - the frame of every operation: see client.h. */
#include "orm/base/fork.h"
#include "orm/client/client.h"
#include "usdt/context.h"
#include "usdt/probe.h"
#include "usdt/stats.h"
#include <stdio.h>
#include <string.h>

#define PROBE_query_one       PRAX_USDT_QUERY_ONE
#define PROBE_query_many      PRAX_USDT_QUERY_MANY
#define PROBE_execute_insert  PRAX_USDT_INSERT
#define PROBE_execute_update  PRAX_USDT_UPDATE
#define PROBE_execute_delete  PRAX_USDT_DELETE
#define PROBE_raw_sql_query   PRAX_USDT_RAW_QUERY
#define PROBE_raw_sql_execute PRAX_USDT_RAW_EXECUTE

static const uint8_t probes[] = {
#define VERB_PROBE(name, probe) [PRAX_##name] = PROBE_##probe,
    PRAX_VERBS(VERB_PROBE)
};
static const char *const verb_names[] = {
    [PRAX_NO_VERB] = "transaction",
    [PRAX_GET] = "get",
    [PRAX_FIND_FIRST] = "find_first",
    [PRAX_COUNT] = "count",
    [PRAX_EXISTS] = "exists",
    [PRAX_FIND_MANY] = "find_many",
    [PRAX_EACH] = "each",
    [PRAX_CREATE] = "create",
    [PRAX_CREATE_MANY] = "create_many",
    [PRAX_UPDATE] = "update",
    [PRAX_UPDATE_MANY] = "update_many",
    [PRAX_DELETE] = "delete",
    [PRAX_DELETE_MANY] = "delete_many",
    [PRAX_RAW_QUERY] = "sql_open",
    [PRAX_RAW_EXEC] = "sql_exec",
};

static __thread uint32_t op_count __attribute__((tls_model("initial-exec")));

/* ---- begin ---- */

/* Fields that say what runs change together; seq is odd meanwhile. */
static void open_record(struct prax_op_record *r)
{
    r->seq++;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void close_record(struct prax_op_record *r)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    r->seq++;
}

static void fill_record(struct pxi_op *op, const struct prax_stats *st)
{
    struct prax_op_record *r = op->rec;
    const char *model = op->m ? op->m->name : "";
    open_record(r);
    r->size = sizeof *r;
    r->version = PRAX_USDT_VERSION;
    r->verb = probes[op->verb];
    r->phase = PRAX_PHASE_BUILD;
    r->flags = 0;
    r->op_id = (uint64_t)pxi_stats_tid(st) << 32 | ++op_count;
    if (r->model != (uintptr_t)model) {
        r->model = (uintptr_t)model;
        r->model_size = (uint32_t)strlen(model);
    }
    r->sql = 0;
    r->fingerprint = 0;
    r->sql_size = 0;
    r->parent_id = op->outer ? op->outer->op_id : 0;
    r->tx_id = op->s->tx.id;
    r->conn_id = 0;
    r->rows = r->bytes_in = r->bytes_out = 0;
    r->status = 0;
    close_record(r);
}

static void start_clock(struct pxi_op *op, const struct prax_stats *st)
{
    struct prax_op_record *r = op->rec;
    op->timed = true;
    op->start_ns = op->phase_ns = pxi_clock_ns();
    op->allocs = st->allocs;
    r->flags |= PRAX_OP_TIMED;
    r->start_ns = op->start_ns;
    r->open_ns = r->allocs = 0;
    memset(r->phase_ns, 0, sizeof r->phase_ns);
}

int pxi_op_poisoned(const struct pxi_op *op)
{
    prax_session *s = op->s;
    if (!s->tx.poison_depth)
        return 0;
    int code = pxi_op_fail(op, PRAX_EABORTED, "the transaction has failed before: %s",
                           prax_strerror(s->tx.poison));
    s->err.e.cause = s->tx.poison;
    return code;
}

static int refuse(const struct pxi_op *op)
{
    prax_session *s = op->s;
    if (s->db->forks != pxi_forks) {
        return pxi_op_fail(op, PRAX_EINVAL,
                           "the handle was opened before fork; open one in the child");
    }
    if (op->m && op->m->abi != PRAX_MODEL_ABI) {
        return pxi_op_fail(op, PRAX_ESCHEMA,
                           "generated for another version of Prax: generate it "
                           "again");
    }
    if (s->kept_error) {
        int code = s->kept_error;
        s->kept_error = 0;
        return pxi_op_fail(op, code, "prax_keep before it: %s", prax_strerror(code));
    }
    if (s->tx.poison_depth)
        return pxi_op_poisoned(op);
    if (s->in_batch) /* what cancels it is looked for once a step */
        return 0;
    if (s->batched) {
        return pxi_op_fail(op, PRAX_EINVAL,
                           "a batch has %u entries that are not done: run it or close it first",
                           s->batched);
    }
    if (__atomic_exchange_n(&s->watch.cancel, 0, __ATOMIC_RELAXED))
        return pxi_op_fail(op, PRAX_ECANCELED, "%s", prax_strerror(PRAX_ECANCELED));
    return 0;
}

static int enter(struct pxi_op *op)
{
    prax_session *s = op->s;
    pxi_context_swap(op->rec);
    if (s->timeout_ms)
        s->watch.deadline_ns = pxi_clock_ns() + (uint64_t)s->timeout_ms * 1000000;
    bool odd = s->db->forks != pxi_forks || s->kept_error || s->tx.poison_depth || s->batched ||
               __atomic_load_n(&s->watch.cancel, __ATOMIC_RELAXED) ||
               (op->m && op->m->abi != PRAX_MODEL_ABI);
    return __builtin_expect(odd, 0) ? refuse(op) : 0;
}

int pxi_op_begin(struct pxi_op *op, prax_session *s, const prax_model *m, enum prax_verb verb,
                 struct prax_op_record *rec)
{
    const struct prax_stats *st = pxi_stats_here();
    op->s = s;
    op->rec = rec ? rec : &s->rec;
    op->m = m;
    op->verb = verb;
    op->link = NULL;
    op->plan = NULL;
    op->stmt = NULL;
    op->keep = NULL;
    op->check = NULL;
    op->timed = op->started = op->nested = op->piped = false;
    op->spent_ns = 0;
    op->outer = pxi_context_swap(NULL);
    fill_record(op, st);
    if (s->err.e.code)
        pxi_error_clear(&s->err);
    if (pxi_verb_done_on(op->rec->verb) || __builtin_expect(s->db->slow_ns != 0, 0))
        start_clock(op, st);
    return enter(op);
}

void pxi_op_suspend(struct pxi_op *op)
{
    if (op->timed) {
        pxi_op_phase_timed(op, PRAX_PHASE_OTHER);
        op->spent_ns += op->phase_ns - op->start_ns;
    }
    op->rec->phase = PRAX_PHASE_OTHER;
    pxi_context_swap(op->outer);
}

void pxi_op_reenter(struct pxi_op *op)
{
    op->outer = pxi_context_swap(op->rec);
    if (op->timed)
        op->start_ns = op->phase_ns = pxi_clock_ns();
}

void pxi_op_away(struct pxi_op *op)
{
    pxi_context_swap(op->outer);
}

void pxi_op_back(struct pxi_op *op)
{
    op->outer = pxi_context_swap(op->rec);
}

int pxi_op_resume(struct pxi_op *op)
{
    pxi_op_reenter(op);
    if (op->s->err.e.code)
        pxi_error_clear(&op->s->err);
    return enter(op);
}

void pxi_op_phase_timed(struct pxi_op *op, enum prax_phase phase)
{
    uint64_t now = pxi_clock_ns();
    if (op->rec->phase != PRAX_PHASE_OTHER)
        op->rec->phase_ns[op->rec->phase] += now - op->phase_ns;
    op->phase_ns = now;
    op->rec->phase = (uint8_t)phase;
}

/* ---- errors ---- */

int pxi_op_fail(const struct pxi_op *op, int code, const char *fmt, ...)
{
    char text[PXI_ERROR_TEXT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return pxi_error_set(&op->s->err, code, "%s", text);
}

int pxi_op_full(const struct pxi_op *op, struct pxi_arena *a)
{
    bool over = a->over;
    a->over = a->full = false;
    if (over)
        return pxi_op_fail(op, PRAX_ELIMIT, "arena: more than arena_max (%zu bytes)", a->max);
    return pxi_op_fail(op, PRAX_ENOMEM, "arena: out of memory");
}

/* A lock that was waited for until the deadline is a timeout, and so on. */
static void why_stopped(prax_session *s)
{
    struct pxi_error *e = &s->err;
    if (e->e.code != PRAX_EBUSY && e->e.code != PRAX_ECANCELED)
        return;
    if (__atomic_exchange_n(&s->watch.cancel, 0, __ATOMIC_RELAXED)) {
        pxi_error_recode(e, PRAX_ECANCELED);
    } else if (e->e.code == PRAX_EBUSY && s->watch.deadline_ns &&
               pxi_clock_ns() >= s->watch.deadline_ns) {
        pxi_error_recode(e, PRAX_ETIMEOUT);
    }
}

int pxi_op_explain(const struct pxi_op *op, int rc)
{
    struct pxi_error *e = &op->s->err;
    if (e->e.code)
        return e->e.code;
    op->link->driver->explain(op->link->conn, rc, e);
    if (op->plan)
        pxi_error_sql(e, op->plan->sql);
    why_stopped(op->s);
    if (e->e.code == PRAX_EBUSY && pxi_pool_held_here(&op->s->db->pool, op->link))
        pxi_error_more(e, " (this thread works with another connection, in another session, too)");
    if (e->e.code == PRAX_ESQL && !op->piped && op->m && op->m->table[0] &&
        op->link->driver->has_table(op->link->conn, op->m->table) == 0)
        pxi_error_recode(e, PRAX_ESCHEMA);
    return e->e.code;
}

int pxi_op_may_write(const struct pxi_op *op)
{
    if (op->s->read_only)
        return pxi_op_fail(op, PRAX_EPERM, "the session is read-only");
    if (op->s->tx.read_only)
        return pxi_op_fail(op, PRAX_EPERM, "the transaction is read-only");
    return 0;
}

/* ---- work ---- */

__attribute__((noinline)) static int connect_slow(struct pxi_op *op)
{
    prax_session *s = op->s;
    struct pxi_wish wish = { .owner = (uintptr_t)s, .watch = &s->watch, .rec = op->rec };
    pxi_op_phase(op, PRAX_PHASE_WAIT);
    s->link = NULL;
    int rc = pxi_pool_get(&s->db->pool, &wish, &op->link, &s->err);
    if (rc < 0)
        return rc;
    s->link = op->link;
    s->holds = true;
    op->link->driver->watch(op->link->conn, &s->watch);
    return 0;
}

/* From rest; false: another session has it, or it has died meanwhile. */
static bool take_again(prax_session *s)
{
    struct pxi_link *l = s->link;
    if (!l || !pxi_link_take(l, (uintptr_t)s))
        return false;
    if (!l->mortal || pxi_link_fresh(&s->db->pool, l) || pxi_link_fit(&s->db->pool, l))
        return true;
    pxi_pool_drop(&s->db->pool, l);
    return false;
}

static inline int connect(struct pxi_op *op)
{
    prax_session *s = op->s;
    if (!s->holds) {
        s->holds = take_again(s);
        int rc = __builtin_expect(s->holds, 1) ? 0 : connect_slow(op);
        if (rc < 0)
            return rc;
    }
    op->link = s->link;
    op->rec->conn_id = op->link->id;
    return 0;
}

int pxi_op_connect(struct pxi_op *op)
{
    return connect(op);
}

void pxi_op_disconnect(struct pxi_op *op)
{
    prax_session *s = op->s;
    pxi_pool_drop(&s->db->pool, op->link);
    op->link = s->link = NULL;
    s->holds = false;
    pxi_error_clear(&s->err);
}

static int prepare(struct pxi_op *op)
{
    const struct pxi_plan *p = op->plan;
    struct prax_stats *st = pxi_stats_here();
    uint64_t start = PXI_PROBE_ON(stmt__prepare__done) ? pxi_clock_ns() : 0;
    pxi_op_phase(op, PRAX_PHASE_PREPARE);
    pxi_stats_add(st, &st->prepares, 1);
    PXI_PROBE(stmt__prepare__start, op->rec, p->sql, p->fingerprint);
    int rc = op->link->driver->prepare(op->link->conn, p->sql, p->sql_size, p->id != PXI_PLAN_ONCE,
                                       &op->stmt);
    op->stmt_new = true;
    PXI_PROBE(stmt__prepare__done, op->rec, p->sql, start ? pxi_clock_ns() - start : 0, rc);
    if (rc == PRAX_EINVAL)
        return pxi_op_fail(op, rc, "one statement is wanted, not none and not more");
    return rc < 0 ? pxi_op_explain(op, rc) : 0;
}

void pxi_op_show(struct pxi_op *op, struct pxi_plan *p)
{
    struct prax_op_record *r = op->rec;
    op->plan = p;
    open_record(r);
    r->sql = (uintptr_t)p->sql;
    r->sql_size = p->sql_size;
    r->fingerprint = p->fingerprint;
    close_record(r);
}

static uint64_t bytes_of(const struct pxi_value *v, uint32_t n)
{
    uint64_t bytes = 8 * (uint64_t)n;
    for (uint32_t i = 0; i < n; i++)
        bytes += v[i].kind >= PXI_TEXT ? v[i].size : 0; /* an item is no array */
    return bytes;
}

/* Types that are always numbers. */
static bool is_number(uint8_t type)
{
    _Static_assert(PRAX_T_BigInt == 2 && PRAX_T_Boolean == 3 && PRAX_T_Float == 4,
                   "types.def begins with the numbers");
    return type <= PRAX_T_Float || type == PRAX_T_DateTime;
}

__attribute__((noinline)) static uint64_t items_bytes(const struct pxi_value *v)
{
    return is_number(v->type) ? 8 * (uint64_t)v->size : bytes_of(v->u.p, v->size);
}

static inline uint64_t values_bytes(const struct pxi_value *v, unsigned n)
{
    uint64_t bytes = 8 * (uint64_t)n;
    for (unsigned i = 0; i < n; i++) {
        if (v[i].kind >= PXI_TEXT)
            bytes += v[i].kind == PXI_ARRAY ? items_bytes(&v[i]) : v[i].size;
    }
    return bytes;
}

uint64_t pxi_values_bytes(const struct pxi_value *v, unsigned n)
{
    return values_bytes(v, n);
}

/* An array's items are plain values. */
static bool keep_value(struct pxi_arena *a, struct pxi_value *v)
{
    if (v->kind < PXI_TEXT)
        return true;
    if (v->kind != PXI_ARRAY)
        return (v->u.p = pxi_arena_copy(a, v->u.p, v->size)) != NULL;
    struct pxi_value *items = pxi_arena_get(a, v->size * sizeof *items + 1, 16);
    for (uint32_t i = 0; items && i < v->size; i++) {
        items[i] = ((const struct pxi_value *)v->u.p)[i];
        if (items[i].kind >= PXI_TEXT &&
            !(items[i].u.p = pxi_arena_copy(a, items[i].u.p, items[i].size)))
            return false;
    }
    v->u.p = items;
    return items != NULL;
}

int pxi_op_keep(struct pxi_op *op, struct pxi_shape *sh, struct pxi_plan **plan)
{
    for (unsigned i = 0; i < sh->n_values; i++) {
        struct pxi_value *v = &sh->values[i];
        if (!keep_value(op->keep, v))
            return pxi_op_full(op, op->keep);
    }
    if ((*plan)->id == PXI_PLAN_ONCE && !(*plan = pxi_plan_copy(op->keep, *plan)))
        return pxi_op_full(op, op->keep);
    return 0;
}

void pxi_op_launch(struct pxi_op *op)
{
    if (!op->started)
        pxi_verb_start(op->rec);
    op->started = true;
}

int pxi_op_start_plan(struct pxi_op *op, struct pxi_shape *sh, struct pxi_plan *plan, bool cached)
{
    struct prax_stats *st = pxi_stats_here();
    int rc = 0;
    if (op->keep) {
        pxi_op_show(op, plan); /* what is kept is charged to the statement */
        rc = pxi_op_keep(op, sh, &plan);
    }
    if (rc == 0 && !op->link)
        rc = connect(op);
    if (!plan)
        return rc;
    pxi_op_show(op, plan);
    op->rec->flags |= cached ? PRAX_OP_CACHED : 0;
    pxi_stats_add(st, cached ? &st->plan_hits : &st->plan_misses, 1);
    if (rc < 0)
        return rc;
    op->stmt = pxi_link_stmt(op->link, plan->id);
    op->stmt_new = false;
    if (__builtin_expect(!op->stmt, 0) && (rc = prepare(op)) < 0)
        return rc;
    if (op->check && (rc = op->check(op, sh->n_values)) < 0)
        return rc;
    pxi_op_launch(op);
    pxi_op_phase(op, PRAX_PHASE_BIND);
    op->rec->bytes_in += values_bytes(sh->values, sh->n_values);
    if (op->keep && op->link->driver->stream) /* a cursor's */
        op->link->driver->stream(op->stmt);
    rc = op->link->driver->start(op->stmt, sh->values, sh->n_values);
    pxi_op_phase(op, PRAX_PHASE_EXECUTE);
    return __builtin_expect(rc < 0, 0) ? pxi_op_explain(op, rc) : 0;
}

int pxi_op_start(struct pxi_op *op, struct pxi_shape *sh, const struct pxi_request *r)
{
    bool cached;
    struct pxi_plan *plan = pxi_op_plan(op, sh, r, &cached);
    return __builtin_expect(plan != NULL, 1) ? pxi_op_start_plan(op, sh, plan, cached) : sh->code;
}

int pxi_op_step(struct pxi_op *op)
{
    int rc = op->link->driver->step(op->stmt);
    return __builtin_expect(rc < 0, 0) ? pxi_op_explain(op, rc) : rc;
}

int64_t pxi_op_change(struct pxi_op *op)
{
    int rc;
    while ((rc = pxi_op_step(op)) == 1)
        ;
    return rc < 0 ? rc : op->link->driver->changes(op->link->conn);
}

/* What the driver does not write. */
static inline void prepare_row(const prax_model *m, const struct pxi_plan *p, char *row)
{
    const char *loaded = p->loaded;
    if (__builtin_expect(p->partial, 0)) {
        memset(row, 0, m->row_size);
    } else {
        pxi_row_clear_relations(m, row);
    }
    row += m->loaded_off;
    for (unsigned i = 0, n = m->fields_size; i < n; i++) /* one or two: no call of memcpy */
        row[i] = loaded[i];
}

static void prepare_rows(const prax_model *m, const struct pxi_plan *p, char *rows, unsigned n)
{
    size_t step = m->row_size;
    if (m->fields_size == 1 && m->n_relations == 0 && !p->partial) {
        char loaded = *(const char *)p->loaded;
        for (char *at = rows + m->loaded_off; n; n--, at += step)
            *at = loaded;
        return;
    }
    for (; n; n--, rows += step)
        prepare_row(m, p, rows);
}

static int unread(const struct pxi_op *op, int64_t rc, unsigned column, struct pxi_arena *a)
{
    const struct pxi_plan *p = op->plan;
    const struct pxi_driver *d = op->link->driver;
    char type[PXI_TYPE_NAME];
    if (rc != PRAX_ETYPE)
        return pxi_op_full(op, a);
    bool typed = d->column_type && column < d->columns(op->stmt);
    pxi_error_names(&op->s->err, op->m->table, p->program.out[column].name);
    pxi_error_sql(&op->s->err, p->sql);
    return pxi_op_fail(op, PRAX_ETYPE, "%s.%s: stored value does not fit the schema's type%s%s%s",
                       op->m->table, p->program.out[column].name, typed ? ": it is of type " : "",
                       typed ? d->column_type(op->stmt, column, type) : "",
                       typed ? " in the database" : "");
}

int pxi_op_row(struct pxi_op *op, char *row, struct pxi_arena *a)
{
    unsigned failed = 0;
    prepare_row(op->m, op->plan, row);
    int64_t bytes = op->link->driver->row(op->stmt, &op->plan->program, row, a, &failed);
    if (__builtin_expect(bytes < 0, 0))
        return unread(op, bytes, failed, a);
    op->rec->bytes_out += (uint64_t)bytes + op->m->row_size;
    return 0;
}

int pxi_op_rows(struct pxi_op *op, char *rows, unsigned n, struct pxi_arena *a)
{
    unsigned failed = 0;
    prepare_rows(op->m, op->plan, rows, n);
    int64_t bytes = op->link->driver->rows(op->stmt, &op->plan->program, rows, n, a, &failed);
    if (__builtin_expect(bytes < 0, 0))
        return unread(op, bytes, failed, a);
    op->rec->bytes_out += (uint64_t)bytes + (uint64_t)n * op->m->row_size;
    return 0;
}

/* ---- end ---- */

static inline void finish(struct pxi_op *op)
{
    if (!op->stmt)
        return;
    op->link->driver->finish(op->stmt);
    if (op->plan->id == PXI_PLAN_ONCE) {
        pxi_link_lose(op->link, op->stmt, op->stmt_new);
    } else {
        pxi_link_keep(op->link, op->plan->id, op->stmt, op->stmt_new);
    }
    op->stmt = NULL;
}

void pxi_op_finish(struct pxi_op *op)
{
    finish(op);
}

static void log_op(const struct pxi_op *op, int code, uint64_t ns)
{
    const prax_db *db = op->s->db;
    const struct prax_op_record *r = op->rec;
    bool slow = db->slow_ns && ns >= db->slow_ns;
    if (!db->log || (!slow && code == 0))
        return;
    prax_event ev = { .size = sizeof ev,
                      .verb = op->verb,
                      .code = code,
                      .model = op->m ? op->m->name : "",
                      .sql = op->plan ? op->plan->sql : NULL,
                      .fingerprint = r->fingerprint,
                      .ns = ns,
                      .rows = (int64_t)r->rows };
    db->log(db->log_ctx, &ev);
}

__attribute__((noinline)) static void count_error(const struct pxi_op *op, int code)
{
    pxi_error_op(&op->s->err, op->m ? op->m->prefix : "", verb_names[op->verb]);
    if (code == PRAX_ENOTFOUND)
        return;
    op->s->suspect |= op->link != NULL; /* the pool looks at the connection */
    pxi_stats_error(pxi_stats_here(), code);
    PXI_PROBE(error, op->rec, code, op->s->err.message);
    pxi_tx_poison(op->s, code);
}

__attribute__((noinline)) static void show_done(struct pxi_op *op, int code)
{
    uint64_t ns = 0;
    struct prax_op_record *r = op->rec;
    r->status = code;
    if (op->timed) {
        pxi_op_phase_timed(op, PRAX_PHASE_OTHER);
        r->allocs = pxi_stats_here()->allocs - op->allocs;
        ns = op->spent_ns + op->phase_ns - op->start_ns;
        pxi_verb_done(r, ns);
    }
    log_op(op, code, ns);
}

void pxi_op_trim(struct pxi_arena *a)
{
    if (a->held > PXI_SCRATCH_KEPT) {
        pxi_arena_free(a);
    } else if (a->block) {
        pxi_arena_release(a, (struct pxi_mark){ NULL, NULL });
    }
}

static inline void unpin(prax_session *s)
{
    struct pxi_link *l = s->link;
    if (!s->holds || pxi_session_pinned(s))
        return;
    s->holds = false;
    if (pxi_pool_wanted(&s->db->pool) || __builtin_expect(s->suspect, 0)) {
        s->suspect = false;
        s->link = NULL;
        pxi_pool_put(&s->db->pool, l);
    } else {
        pxi_link_rest(l, (uintptr_t)s);
    }
}

void pxi_session_unpin(prax_session *s)
{
    unpin(s);
}

int64_t pxi_op_end(struct pxi_op *op, int64_t rc, uint64_t rows)
{
    prax_session *s = op->s;
    struct prax_stats *st = pxi_stats_here();
    struct prax_op_record *r = op->rec;
    bool own = pxi_stats_is_own(st);
    finish(op);
    r->rows = rows;
    if (op->verb != PRAX_NO_VERB)
        pxi_stats_bump(own, &st->operations[r->verb], 1);
    pxi_stats_bump(own, &st->rows, rows);
    pxi_stats_bump(own, &st->bytes_in, r->bytes_in);
    pxi_stats_bump(own, &st->bytes_out, r->bytes_out);
    if (__builtin_expect(rc < 0, 0))
        count_error(op, (int)rc);
    if (op->timed || (rc < 0 && s->db->log))
        show_done(op, rc < 0 && rc != PRAX_ENOTFOUND ? (int)rc : 0);
    if (s->scratch.block && !op->nested)
        pxi_op_trim(&s->scratch);
    if (!op->nested)
        unpin(s);
    pxi_context_swap(op->outer);
    return rc;
}

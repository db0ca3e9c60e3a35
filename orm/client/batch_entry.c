/* batch_entry.c - one entry of a batch: from what the program asks for to statements with their
 * values, and from the answers to its result.
 *
 * Plans, values and rows are made by the code of the single verbs. What those do in a second round
 * trip that depends on the first (relations, the total of a page) an entry cannot do: EINVAL. The
 * question behind an update that changed nothing - is there such a row, with another version? - is
 * sent with it.
 */
#include "orm/client/batch.h"
#include "orm/query/scan.h"
#include <string.h>
#include <strings.h>

/* ---- statements ---- */

/* Takes over plan and values of a shape; plan NULL: it has failed. */
static int add_part(struct pxi_entry *e, struct pxi_shape *sh, struct pxi_plan *plan, bool cached)
{
    struct pxi_op *op = &e->op;
    struct pxi_arena *a = &op->s->arena;
    if (!plan)
        return sh->code;
    pxi_op_show(op, plan);
    op->keep = a;
    int rc = pxi_op_keep(op, sh, &plan);
    op->keep = NULL;
    if (rc < 0)
        return rc;
    struct pxi_part *p = pxi_arena_zero(a, 1, sizeof *p);
    struct pxi_value *values = pxi_arena_copy(a, sh->values, sh->n_values * sizeof *values);
    if (!p || !values)
        return pxi_op_full(op, a);
    *p = (struct pxi_part){
        .plan = plan, .cached = cached, .n_values = sh->n_values, .values = values
    };
    *e->last_part = p;
    e->last_part = &p->next;
    pxi_op_show(op, plan);
    return 0;
}

static int add_request(struct pxi_entry *e, const struct pxi_request *r)
{
    struct pxi_shape sh;
    bool cached = false;
    pxi_op_shape(&e->op, &sh);
    struct pxi_plan *plan = pxi_op_plan(&e->op, &sh, r, &cached);
    return add_part(e, &sh, plan, cached);
}

/* ---- reads ---- */

static int no_relations(const struct pxi_entry *e, const void *select, const void *include)
{
    if (!pxi_wants_relations(e->op.m, select, include))
        return 0;
    return pxi_op_fail(&e->op, PRAX_EINVAL,
                       "a batch reads no relations: put a query of the other model beside it, or "
                       "run this one by itself");
}

static int build_get(struct pxi_entry *e, const prax_any_op *o)
{
    struct pxi_request r;
    const char *select, *include;
    if (!o->key)
        return pxi_op_fail(&e->op, PRAX_EINVAL, "no key: the model has none");
    int rc = pxi_get_request(&e->op, o->key, o->fetch, &r, &select, &include);
    if (rc == 0 && select)
        rc = no_relations(e, select, include);
    e->take = 1;
    if (rc < 0)
        return rc;
    e->by = (uint8_t)r.by;
    return add_request(e, &r);
}

static int check_find(struct pxi_entry *e, const prax_query_head *q)
{
    const prax_model *m = e->op.m;
    int rc = pxi_query_check(&e->op, q, true);
    if (rc < 0)
        return rc;
    if (q->total == PRAX_TOTAL_ALSO && (q->take || q->skip) && e->op.verb == PRAX_FIND_MANY) {
        return pxi_op_fail(&e->op, PRAX_EINVAL,
                           "a batch gives no total beside a page: put a PRAX_COUNT beside it");
    }
    return no_relations(e, (const char *)q + m->query_select_off, pxi_query_include(m, q));
}

static int build_find(struct pxi_entry *e, const prax_query_head *q)
{
    int rc = check_find(e, q);
    if (rc < 0)
        return rc;
    struct pxi_request r = pxi_request_of(&e->op, q);
    if (e->op.verb == PRAX_FIND_FIRST) {
        r.take = 1;
    } else if (q->total == PRAX_TOTAL_ONLY) {
        r = (struct pxi_request){ .m = r.m, .verb = PRAX_COUNT, .where = r.where };
        e->total_only = true;
    }
    e->take = r.take;
    e->list.total = q->total == PRAX_TOTAL_ALSO ? 0 : -1;
    return add_request(e, &r);
}

static int build_number(struct pxi_entry *e, const prax_query_head *q)
{
    int rc = pxi_query_check(&e->op, q, false);
    if (rc < 0)
        return rc;
    struct pxi_request r = pxi_request_of(&e->op, q);
    r.order_by = NULL;
    r.select = NULL;
    r.take = e->op.verb == PRAX_EXISTS ? 1 : r.take;
    return add_request(e, &r);
}

/* ---- writes ---- */

static int build_create(struct pxi_entry *e, const prax_any_op *o)
{
    struct pxi_shape sh;
    bool cached = false;
    if (!o->create)
        return pxi_op_fail(&e->op, PRAX_EINVAL, "no row: .create is wanted");
    pxi_op_shape(&e->op, &sh);
    struct pxi_plan *plan = pxi_create_plan(&e->op, &sh, o->create, &e->made, &cached);
    return add_part(e, &sh, plan, cached);
}

static int build_create_many(struct pxi_entry *e, const prax_any_op *o)
{
    struct pxi_many w = { .rows = o->create, .n = o->n, .skip = o->skip_duplicates };
    int rc = 0;
    if (o->n && !o->create)
        return pxi_op_fail(&e->op, PRAX_EINVAL, "no rows: .create and .n are wanted");
    if (o->n) {
        struct pxi_shape first;
        pxi_op_shape(&e->op, &first);
        pxi_many_begin(&first, &w);
    }
    while (rc == 0 && w.done < w.n) {
        struct pxi_shape sh;
        bool cached = false;
        struct pxi_mark mark = pxi_arena_mark(&e->op.s->scratch);
        pxi_op_shape(&e->op, &sh);
        struct pxi_plan *plan = pxi_many_plan(&e->op, &sh, &w, &cached);
        rc = add_part(e, &sh, plan, cached);
        pxi_arena_release(&e->op.s->scratch, mark);
    }
    return rc;
}

static int add_change(struct pxi_entry *e, const struct pxi_request *r, bool all)
{
    struct pxi_shape sh;
    bool cached = false;
    pxi_op_shape(&e->op, &sh);
    struct pxi_plan *plan = pxi_change_plan(&e->op, &sh, r, all, &cached);
    return add_part(e, &sh, plan, cached);
}

static int build_by_key(struct pxi_entry *e, const prax_any_op *o)
{
    const prax_model *m = e->op.m;
    bool updates = e->op.verb == PRAX_UPDATE;
    unsigned by = o->key ? *(const unsigned *)o->key : 0;
    struct pxi_request r = { .m = m, .verb = e->op.verb, .by = by, .key = o->key };
    r.set = updates ? o->set : NULL;
    if (by == 0 || by > m->n_keys)
        return pxi_op_fail(&e->op, PRAX_EINVAL, "no key was chosen");
    if (updates && !o->set)
        return pxi_op_fail(&e->op, PRAX_EINVAL, "nothing to set: .set is wanted");
    int rc = add_change(e, &r, false);
    if (rc < 0 || !updates || !pxi_wants_version(m, o->set))
        return rc;
    struct pxi_request there = { .m = m, .verb = PRAX_EXISTS, .by = by, .key = o->key };
    struct pxi_plan *plan = e->parts->plan;
    rc = add_request(e, &there);
    pxi_op_show(&e->op, plan); /* the operation is known by its update */
    return rc;
}

/* Of a query, only the condition counts. */
static int check_where_only(struct pxi_entry *e, const prax_query_head *q)
{
    int rc = q ? pxi_query_check(&e->op, q, false) : 0;
    if (rc == 0 && q && (q->take || q->skip || q->order_by[0] || q->total))
        rc = pxi_op_fail(&e->op, PRAX_EINVAL, "of .query, only .where has a meaning here");
    return rc;
}

static int build_many(struct pxi_entry *e, const prax_any_op *o)
{
    const prax_model *m = e->op.m;
    const char *q = o->query;
    int rc = check_where_only(e, o->query);
    if (rc < 0)
        return rc;
    if (e->op.verb == PRAX_UPDATE_MANY && !o->set)
        return pxi_op_fail(&e->op, PRAX_EINVAL, "nothing to set: .set is wanted");
    struct pxi_request r = { .m = m, .verb = e->op.verb };
    r.where = q ? q + m->query_where_off : NULL;
    r.set = e->op.verb == PRAX_UPDATE_MANY ? o->set : NULL;
    return add_change(e, &r, o->all);
}

/* ---- an entry ---- */

static int build(struct pxi_entry *e, const prax_any_op *o)
{
    e->writes = e->op.verb >= PRAX_CREATE;
    int rc = e->writes ? pxi_op_may_write(&e->op) : 0;
    if (rc < 0)
        return rc;
    if (e->writes && e->op.m->view)
        return pxi_op_fail(&e->op, PRAX_EINVAL, "a view is not written to");
    switch ((int)e->op.verb) {
    case PRAX_GET:
        return build_get(e, o);
    case PRAX_FIND_FIRST:
    case PRAX_FIND_MANY:
        return build_find(e, o->query);
    case PRAX_COUNT:
    case PRAX_EXISTS:
        return build_number(e, o->query);
    case PRAX_CREATE:
        return build_create(e, o);
    case PRAX_CREATE_MANY:
        return build_create_many(e, o);
    case PRAX_UPDATE:
    case PRAX_DELETE:
        return build_by_key(e, o);
    case PRAX_UPDATE_MANY:
    case PRAX_DELETE_MANY:
        return build_many(e, o);
    default:
        return pxi_op_fail(&e->op, PRAX_EINVAL, "this verb has no place in a batch");
    }
}

const void *prax_gen_in(prax_batch *b, const prax_model *m, const prax_any_op *o)
{
    const prax_result *none;
    bool known = o && o->verb > PRAX_NO_VERB && o->verb <= PRAX_DELETE_MANY;
    struct pxi_entry *e = pxi_entry_begin(b, m, known ? o->verb : PRAX_NO_VERB, &none);
    if (!e)
        return none;
    if (e->rc < 0)
        return pxi_entry_put(e, e->rc);
    if (!o || o->size == 0) {
        pxi_op_fail(&e->op, PRAX_EINVAL, "the operation is not initialised: its size is 0");
        return pxi_entry_put(e, PRAX_EINVAL);
    }
    return pxi_entry_put(e, build(e, o));
}

const void *prax_gen_in_op(prax_batch *b, const prax_model *m, const void *op, size_t key_off,
                           size_t query_off)
{
    if (!op)
        return prax_gen_in(b, m, NULL);
    const char *p = op;
    prax_any_op any = { .key = p + key_off };
    memcpy(&any, p, offsetof(prax_any_op, key));
    memcpy(&any.query, p + query_off, sizeof any - offsetof(prax_any_op, query));
    return prax_gen_in(b, m, &any);
}

/* ---- raw SQL ---- */

/* Guards must know of every transaction, and in a pipeline it would be noticed too late. */
static bool controls_tx(enum pxi_engine engine, const char *sql)
{
    static const char *const words[] = { "begin", "start",     "commit",  "end",    "rollback",
                                         "abort", "savepoint", "release", "prepare" };
    struct pxi_script script = { .engine = engine, .at = sql, .end = sql + strlen(sql), .line = 1 };
    struct pxi_statement st;
    if (!pxi_script_next(&script, &st))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);
        bool ends = st.size == n || (st.size > n && !strchr("_$", st.text[n]) &&
                                     !((unsigned char)st.text[n] >= 0x80) &&
                                     strcspn(st.text + n, "abcdefghijklmnopqrstuvwxyz"
                                                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"));
        if (st.size >= n && ends && strncasecmp(st.text, words[i], n) == 0)
            return true;
    }
    return false;
}

static int build_raw(struct pxi_entry *e, const char *sql, const prax_val *v, size_t n)
{
    struct pxi_plans *plans = &e->op.s->db->plans;
    struct pxi_shape sh;
    bool cached = false;
    if (!sql || (n && !v))
        return pxi_op_fail(&e->op, PRAX_EINVAL, "no statement");
    if (controls_tx(plans->dialect->engine, sql))
        return pxi_op_fail(&e->op, PRAX_EINVAL, "transactions are begun and ended with PRAX_TX");
    e->writes = true;
    e->op.check = pxi_raw_check;
    pxi_op_shape(&e->op, &sh);
    pxi_raw_values(&sh, v, n);
    struct pxi_plan *plan = sh.code ? NULL : pxi_raw_plan(plans, &sh, sql, strlen(sql), &cached);
    return add_part(e, &sh, plan, cached);
}

const prax_result *prax_sql_in_with(prax_batch *b, const char *sql, const prax_val *v, size_t n)
{
    const prax_result *none;
    struct pxi_entry *e = pxi_entry_begin(b, NULL, PRAX_RAW_EXEC, &none);
    if (!e)
        return none;
    return pxi_entry_put(e, e->rc < 0 ? e->rc : build_raw(e, sql, v, n));
}

/* ---- answers ---- */

static int read_list(struct pxi_entry *e)
{
    struct pxi_rows rows = { .size = e->op.m->row_size };
    int rc = pxi_read_rows(&e->op, &rows, e->take);
    if (rc < 0)
        return rc;
    e->list.items = rows.items;
    e->list.count = rows.count;
    e->list.total = e->list.total < 0 ? -1 : (int64_t)rows.count;
    e->rows = rows.count;
    e->result.count = (int64_t)rows.count;
    e->result.rows = &e->list;
    return 0;
}

static int read_number(struct pxi_entry *e)
{
    struct pxi_op *op = &e->op;
    int rc = pxi_op_step(op);
    if (rc < 0)
        return rc;
    int64_t n = rc == 1 ? op->link->driver->column(op->stmt, 0).u.i : 0;
    e->rows = 1;
    if (e->total_only) {
        e->list.total = n;
        e->rows = 0;
        e->result.rows = &e->list;
        return 0;
    }
    e->result.count = n;
    return 0;
}

static int read_created(struct pxi_entry *e)
{
    int rc = pxi_create_read(&e->op, &e->made);
    if (rc < 0)
        return rc;
    e->list = (prax_any_list){ .items = e->made.row, .count = 1, .total = -1 };
    e->result.rows = &e->list;
    e->result.count = 1;
    e->rows = 1;
    return 0;
}

/* The second part of an update says whether the row is there. */
static int read_change(struct pxi_entry *e, const struct pxi_part *part)
{
    if (e->op.verb == PRAX_UPDATE && part != e->parts) {
        int rc = e->result.count ? 0 : pxi_op_step(&e->op);
        return rc == 1 ? pxi_version_conflict(&e->op) : rc;
    }
    int64_t n = pxi_op_change(&e->op);
    if (n < 0)
        return (int)n;
    if (e->op.verb == PRAX_RAW_EXEC && e->op.link->driver->total(e->op.link->conn) == e->b->total)
        n = 0; /* neither INSERT nor UPDATE nor DELETE */
    e->result.count += n;
    e->rows = (uint64_t)e->result.count;
    return 0;
}

int pxi_entry_read(struct pxi_entry *e, const struct pxi_part *part)
{
    pxi_op_phase(&e->op, PRAX_PHASE_EXECUTE);
    switch ((int)e->op.verb) {
    case PRAX_GET:
    case PRAX_FIND_FIRST:
    case PRAX_FIND_MANY:
        return e->total_only ? read_number(e) : read_list(e);
    case PRAX_COUNT:
    case PRAX_EXISTS:
        return read_number(e);
    case PRAX_CREATE:
        return read_created(e);
    default:
        return read_change(e, part);
    }
}

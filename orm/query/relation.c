/* relation.c - relations in statements: conditions on related rows, and the rows of many parents.
 *
 * A condition is EXISTS over the target under a name of its own, so that a table may meet itself;
 * within it every column is written with that name. some: EXISTS; none: NOT EXISTS; every: no row
 * for which the condition is not true.
 *
 * The related rows of many parents come in one statement, parent by parent: the parents' keys are
 * one list, their order is the first order. take and skip count within a parent, by a window. Of a
 * join table the parent's key is a column of the result, behind those of the target.
 *
 * The names that are made here have a blank in them: no table and no column has such a one by
 * habit.
 */
#include "orm/query/build.h"
#include <string.h>

enum { MARK_RELATION = 0xffe0 }; /* in a key: plus kind of match; see filter.c */
enum match { SOME, EVERY, NONE };

static const char *const aliases[PXI_FILTER_DEPTH] = {
    "prax r1", "prax r2", "prax r3", "prax r4", "prax r5", "prax r6", "prax r7", "prax r8",
};

static bool is_to_one(const prax_relation *r)
{
    return r->kind == PRAX_R_OWNER || r->kind == PRAX_R_ONE;
}

/* ---- conditions ---- */

static void pair(struct pxi_sql *q, const char *table, const char *column)
{
    pxi_sql_name(q, table);
    pxi_sql_add(q, ".");
    pxi_sql_name(q, column);
}

/* How rows of the target belong to one of outer. */
static void write_link(struct pxi_sql *q, const prax_model *m, const prax_relation *r,
                       const char *outer, const char *alias)
{
    for (unsigned i = 0; i < r->n_columns; i++) {
        const char *own = m->columns[r->columns[i]].db_name;
        pxi_sql_add(q, i ? " AND " : "");
        pair(q, alias, r->target->columns[r->references[i]].db_name);
        if (r->kind != PRAX_R_JOIN) {
            pxi_sql_add(q, " = ");
            pair(q, outer, own);
            continue;
        }
        pxi_sql_add(q, " IN (SELECT ");
        pair(q, "prax join", r->join_other);
        pxi_sql_add(q, " FROM ");
        pxi_sql_name(q, r->join_table);
        pxi_sql_add(q, " AS \"prax join\" WHERE ");
        pair(q, "prax join", r->join_own);
        pxi_sql_add(q, " = ");
        pair(q, outer, own);
        pxi_sql_add(q, ")");
    }
}

static bool check_depth(struct pxi_shape *sh)
{
    if (++sh->depth > PXI_FILTER_DEPTH) {
        pxi_shape_fail(sh, NULL, PRAX_ELIMIT, "filter nested deeper than %d", PXI_FILTER_DEPTH);
    } else if (!sh->sql && ++sh->terms > PXI_FILTER_TERMS) {
        pxi_shape_fail(sh, NULL, PRAX_ELIMIT, "filter of more than %d conditions",
                       PXI_FILTER_TERMS);
    }
    return sh->code == 0;
}

/* The condition on one relation; recursion that PXI_FILTER_DEPTH bounds. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static void match(struct pxi_shape *sh, unsigned relation, enum match kind, const char *where)
{
    const prax_model *m = sh->m;
    const prax_relation *r = &m->relations[relation];
    struct pxi_sql *q = sh->sql;
    if (!check_depth(sh))
        return;
    const char *alias = aliases[sh->depth - 1], *before = q ? q->table : NULL;
    if (q) {
        pxi_sql_add(q, kind == SOME ? "EXISTS (SELECT 1 FROM " : "NOT EXISTS (SELECT 1 FROM ");
        pxi_sql_name(q, r->target->table);
        pxi_sql_add(q, " AS ");
        pxi_sql_name(q, alias);
        pxi_sql_add(q, " WHERE ");
        write_link(q, m, r, before ? before : m->table, alias);
        pxi_sql_add(q, " AND ");
        q->table = alias;
    } else {
        uint16_t two[2] = { (uint16_t)(MARK_RELATION + kind), (uint16_t)relation };
        pxi_shape_key(sh, two, sizeof two);
    }
    sh->m = r->target;
    pxi_filter_struct(sh, where, "TRUE");
    sh->m = m;
    if (q) {
        q->table = before;
        pxi_sql_add(q, kind == EVERY ? " IS NOT TRUE)" : ")");
    }
    sh->depth--;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
void pxi_filter_relations(struct pxi_shape *sh, const char *where, bool *any)
{
    for (unsigned i = 0; i < sh->m->n_relations; i++) {
        const prax_relation *r = &sh->m->relations[i];
        const void *wanted[3] = { NULL, NULL, NULL };
        memcpy(wanted, where + r->where_off, (is_to_one(r) ? 1 : 3) * sizeof *wanted);
        for (unsigned k = SOME; k <= NONE && !sh->code; k++) {
            if (!wanted[k])
                continue;
            if (sh->sql)
                pxi_sql_add(sh->sql, *any ? " AND " : "(");
            *any = true;
            sh->conditional = true;
            match(sh, i, k, wanted[k]);
        }
    }
}

/* ---- rows of many parents ---- */

static void add(struct pxi_shape *sh, const char *text)
{
    if (sh->sql)
        pxi_sql_add(sh->sql, text);
}

/* By what the rows belong together: columns of the target, or the join table's. */
static void write_group(struct pxi_shape *sh, const prax_relation *r)
{
    if (!sh->sql)
        return;
    if (r->kind == PRAX_R_JOIN) {
        pxi_sql_add(sh->sql, "\"prax own\"");
        return;
    }
    for (unsigned i = 0; i < r->n_columns; i++) {
        pxi_sql_add(sh->sql, i ? ", " : "");
        pxi_sql_name(sh->sql, r->target->columns[r->references[i]].db_name);
    }
}

static void write_source(struct pxi_shape *sh, const struct pxi_request *r)
{
    const prax_relation *rel = r->group->relation;
    add(sh, " FROM ");
    if (sh->sql)
        pxi_sql_name(sh->sql, r->m->table);
    if (rel->kind != PRAX_R_JOIN)
        return;
    prax_column own = r->group->parent->columns[rel->columns[0]];
    own.db_name = rel->join_own;
    if (sh->sql) {
        pxi_sql_add(sh->sql, " INNER JOIN (SELECT ");
        pxi_sql_name(sh->sql, rel->join_own);
        pxi_sql_add(sh->sql, " AS \"prax own\", ");
        pxi_sql_name(sh->sql, rel->join_other);
        pxi_sql_add(sh->sql, " AS \"prax other\" FROM ");
        pxi_sql_name(sh->sql, rel->join_table);
        pxi_sql_add(sh->sql, " WHERE ");
    }
    pxi_filter_in(sh, &own, r->group->keys, r->group->n_keys);
    if (sh->sql) {
        pxi_sql_add(sh->sql, ") AS \"prax join\" ON ");
        pxi_sql_name(sh->sql, r->m->columns[rel->references[0]].db_name);
        pxi_sql_add(sh->sql, " = \"prax other\"");
    }
}

/* Rows within a parent; without an order of the caller's, by the key, so that pages are stable. */
static void write_order(struct pxi_shape *sh, const struct pxi_request *r, const char *before)
{
    if (r->order_by && r->order_by[0]) {
        pxi_clause_order_from(sh, r->order_by, before);
    } else if (sh->sql && r->m->n_keys) {
        const prax_key *k = &r->m->keys[0];
        for (unsigned i = 0; i < k->n_columns; i++) {
            pxi_sql_add(sh->sql, i ? ", " : before);
            pxi_sql_name(sh->sql, r->m->columns[k->columns[i]].db_name);
        }
    }
}

static void write_columns(struct pxi_shape *sh, const struct pxi_request *r)
{
    if (!sh->sql)
        return;
    pxi_request_columns(sh, r);
    if (r->group->relation->kind == PRAX_R_JOIN)
        pxi_sql_add(sh->sql, ", \"prax own\"");
}

static void rank_limit(struct pxi_shape *sh, const char *before, uint64_t n)
{
    if (sh->sql) {
        pxi_sql_add(sh->sql, before);
        pxi_sql_param(sh->sql);
    } else {
        *pxi_shape_value(sh) =
            (struct pxi_value){ .kind = PXI_INT, .type = PRAX_T_BigInt, .u.i = (int64_t)n };
    }
}

void pxi_clause_groups(struct pxi_shape *sh, const struct pxi_request *r)
{
    bool ranked = r->take || r->skip;
    if (!sh->sql)
        pxi_shape_key(sh, &r->group->relation, sizeof(uintptr_t)); /* which one: its address */
    add(sh, "SELECT ");
    write_columns(sh, r);
    if (ranked) {
        add(sh, " FROM (SELECT ");
        write_columns(sh, r);
        add(sh, ", row_number() OVER (PARTITION BY ");
        write_group(sh, r->group->relation);
        write_order(sh, r, " ORDER BY ");
        add(sh, ") AS \"prax rank\"");
    }
    write_source(sh, r);
    pxi_clause_where(sh, r->where);
    if (ranked) {
        rank_limit(sh, ") AS \"prax page\" WHERE \"prax rank\" > ", r->skip);
        if (r->take)
            rank_limit(sh, " AND \"prax rank\" <= ", (uint64_t)r->skip + r->take);
    }
    add(sh, " ORDER BY ");
    write_group(sh, r->group->relation);
    if (ranked) {
        add(sh, ", \"prax rank\"");
    } else {
        write_order(sh, r, ", ");
    }
}

/* clause.c - the clauses of a statement other than its filter; see shape.h for the two runs. */
#include "orm/base/value.h"
#include "orm/query/shape.h"
#include <string.h>

static void write_key(struct pxi_shape *sh, const prax_key *k)
{
    for (unsigned i = 0; i < k->n_columns; i++) {
        pxi_sql_add(sh->sql, i ? " AND " : " WHERE ");
        pxi_sql_template(sh->sql, "@ = ?#", &sh->m->columns[k->columns[i]]);
    }
}

void pxi_clause_key(struct pxi_shape *sh, const void *key, unsigned by)
{
    const prax_key *k = &sh->m->keys[by - 1];
    if (sh->sql) {
        write_key(sh, k);
        return;
    }
    for (unsigned i = 0; i < k->n_columns; i++)
        pxi_key_value(sh, &sh->m->columns[k->columns[i]], (const char *)key + k->offs[i]);
}

/* ---- set ---- */

static bool is_number(const prax_column *c)
{
    return c->type == PRAX_T_Int || c->type == PRAX_T_SmallInt || c->type == PRAX_T_BigInt ||
           c->type == PRAX_T_Float || c->type == PRAX_T_Decimal;
}

/* The operand of prax_add and prax_mul. A Decimal factor keeps its own scale. */
static void collect_operand(struct pxi_shape *sh, const prax_column *c, unsigned wr,
                            const void *src)
{
    struct pxi_value v = { .kind = PXI_NULL };
    if (!is_number(c) || c->flags & PRAX_C_LIST) {
        pxi_shape_fail(sh, c, PRAX_EINVAL, "prax_add and prax_mul are for numbers");
        return;
    }
    if (c->type == PRAX_T_Decimal && wr == PRAX_WR_MUL) {
        const prax_decimal *d = src;
        if (d->scale < 0 || d->scale > PXI_DECIMAL_DIGITS)
            pxi_shape_fail(sh, c, PRAX_EINVAL, "scale of a decimal is not 0 to 18");
        v = (struct pxi_value){
            .kind = PXI_INT, .type = c->type, .scale = (uint8_t)d->scale, .u.i = d->units
        };
        pxi_shape_key(sh, &d->scale, sizeof d->scale);
    } else if (c->type == PRAX_T_Float || c->type == PRAX_T_Decimal) {
        pxi_value_of(sh, c, src, PXI_USE_WRITE, &v);
    } else { /* any 64 bits: -40000 may be added to a SmallInt of 30000 */
        v = (struct pxi_value){ .kind = PXI_INT,
                                .type = PRAX_T_BigInt,
                                .u.i = *(const int64_t *)src };
    }
    for (unsigned i = sh->d->arithmetic_params(c, wr); i > 0; i--)
        *pxi_shape_value(sh) = v;
}

static void collect_set(struct pxi_shape *sh, unsigned i, unsigned wr, const void *src)
{
    const prax_column *c = &sh->m->columns[i];
    uint16_t two[2] = { (uint16_t)i, (uint16_t)wr };
    pxi_shape_key(sh, two, sizeof two);
    if (wr == PRAX_WR_SET) {
        pxi_value_of(sh, c, src, PXI_USE_WRITE, pxi_shape_value(sh));
    } else if (wr == PRAX_WR_ADD || wr == PRAX_WR_MUL) {
        collect_operand(sh, c, wr, src);
    } else if (wr != PRAX_WR_NULL) {
        pxi_shape_fail(sh, c, PRAX_EINVAL, "no such write: %u", wr);
    } else if (!(c->flags & PRAX_C_NULL)) {
        pxi_shape_fail(sh, c, PRAX_ENULL, "prax_set_null on a column that takes no NULL");
    }
}

static void write_set(struct pxi_shape *sh, unsigned i, unsigned wr, const void *src, bool first)
{
    const prax_column *c = &sh->m->columns[i];
    pxi_sql_add(sh->sql, first ? "" : ", ");
    pxi_sql_name(sh->sql, c->db_name);
    pxi_sql_add(sh->sql, " = ");
    if (wr == PRAX_WR_SET) {
        pxi_sql_param(sh->sql);
    } else if (wr == PRAX_WR_NULL) {
        pxi_sql_add(sh->sql, "NULL");
    } else {
        sh->d->arithmetic(sh->sql, c, wr,
                          c->type == PRAX_T_Decimal ? ((const prax_decimal *)src)->scale : 0);
    }
}

/* What an update writes though the call does not say so: the time and the next version. */
static void imply(struct pxi_shape *sh, const prax_column *c)
{
    bool version = (c->flags & PRAX_C_VERSION) != 0;
    if (!sh->sql) {
        prax_time now = prax_time_now();
        if (!version)
            pxi_value_of(sh, c, &now, PXI_USE_WRITE, pxi_shape_value(sh));
        return;
    }
    pxi_sql_add(sh->sql, ", ");
    pxi_sql_name(sh->sql, c->db_name);
    pxi_sql_template(sh->sql, version ? " = @ + 1" : " = ?", c);
}

/* All that is set, then what follows from that: one that is set is not implied. */
void pxi_clause_set(struct pxi_shape *sh, const void *set)
{
    bool first = true;
    for (unsigned i = 0; i < sh->m->n_columns && !sh->code; i++) {
        const prax_column *c = &sh->m->columns[i];
        if (c->set_off == PRAX_NO_OFF)
            continue;
        const char *w = (const char *)set + c->set_off;
        unsigned wr = (uint8_t)*w;
        if (wr == PRAX_WR_NONE)
            continue;
        const void *src = w + pxi_layout_of(c)->write_v;
        if (sh->sql) {
            write_set(sh, i, wr, src, first);
        } else {
            collect_set(sh, i, wr, src);
        }
        first = false;
    }
    if (first)
        pxi_shape_fail(sh, NULL, PRAX_EINVAL, "nothing is set");
    bool implied = sh->m->traits & PRAX_M_UPDATED || sh->m->set_version_off != PRAX_NO_OFF;
    for (unsigned i = 0; implied && i < sh->m->n_columns && !sh->code; i++) {
        const prax_column *c = &sh->m->columns[i];
        bool updated = c->flags & PRAX_C_UPDATED &&
                       (c->set_off == PRAX_NO_OFF || !((const char *)set)[c->set_off]);
        if (updated || c->flags & PRAX_C_VERSION)
            imply(sh, c);
    }
    if (!sh->sql)
        pxi_shape_key(sh, &(uint16_t){ 0xffff }, sizeof(uint16_t));
}

enum { FORM_BITS = 4, FORM_COLUMNS = 64 / FORM_BITS };

uint64_t pxi_set_form(const prax_model *m, const void *set)
{
    uint64_t form = 0;
    if (m->n_columns > FORM_COLUMNS || m->traits & PRAX_M_UPDATED ||
        m->set_version_off != PRAX_NO_OFF)
        return 0;
    for (unsigned i = 0; i < m->n_columns; i++) {
        uint16_t off = m->columns[i].set_off;
        unsigned wr = off == PRAX_NO_OFF ? PRAX_WR_NONE : ((const uint8_t *)set)[off];
        if (wr > PRAX_WR_NULL)
            return 0;
        form |= (uint64_t)wr << FORM_BITS * i;
    }
    return form;
}

void pxi_set_values(struct pxi_shape *sh, const void *set, uint64_t form)
{
    const prax_column *c = sh->m->columns;
    for (; form && !sh->code; form >>= FORM_BITS, c++) {
        if ((form & ((1u << FORM_BITS) - 1)) == PRAX_WR_SET) {
            const char *src = (const char *)set + c->set_off + pxi_layout_of(c)->write_v;
            pxi_value_of(sh, c, src, PXI_USE_WRITE, pxi_shape_value(sh));
        }
    }
}

void pxi_clause_version(struct pxi_shape *sh, const void *set, const char *before)
{
    const prax_model *m = sh->m;
    if (m->set_version_off == PRAX_NO_OFF)
        return;
    const prax_opt_i64 *want = (const void *)((const char *)set + m->set_version_off);
    for (unsigned i = 0; want->set && i < m->n_columns; i++) {
        const prax_column *c = &m->columns[i];
        if (!(c->flags & PRAX_C_VERSION))
            continue;
        if (sh->sql) {
            pxi_sql_add(sh->sql, before);
            pxi_sql_template(sh->sql, "@ = ?#", c);
        } else {
            pxi_shape_key(sh, &(uint16_t){ 0xfffe }, sizeof(uint16_t));
            pxi_value_of(sh, c, &want->val, PXI_USE_EQUAL, pxi_shape_value(sh));
        }
    }
}

/* ---- pages and order; their shape is in the head of the key ---- */

static void put_number(struct pxi_shape *sh, uint32_t x)
{
    *pxi_shape_value(sh) = (struct pxi_value){ .kind = PXI_INT, .type = PRAX_T_BigInt, .u.i = x };
}

void pxi_clause_page(struct pxi_shape *sh, uint32_t take, uint32_t skip)
{
    if (!take && !skip)
        return;
    if (sh->sql) {
        pxi_sql_add(sh->sql, " LIMIT ");
        if (take) {
            pxi_sql_param(sh->sql);
        } else {
            pxi_sql_add(sh->sql, sh->d->no_limit);
        }
        if (skip) {
            pxi_sql_add(sh->sql, " OFFSET ");
            pxi_sql_param(sh->sql);
        }
        return;
    }
    if (take)
        put_number(sh, take);
    if (skip)
        put_number(sh, skip);
}

void pxi_clause_order(struct pxi_shape *sh, const uint32_t order[PRAX_ORDER_MAX])
{
    pxi_clause_order_from(sh, order, " ORDER BY ");
}

void pxi_clause_order_from(struct pxi_shape *sh, const uint32_t order[PRAX_ORDER_MAX],
                           const char *before)
{
    for (unsigned i = 0; i < PRAX_ORDER_MAX && order[i] && !sh->code; i++) {
        unsigned column = (order[i] - 1) / 4, kind = (order[i] - 1) % 4 + 1;
        if (column >= sh->m->n_columns) {
            pxi_shape_fail(sh, NULL, PRAX_EINVAL, "order_by[%u] is no order of this model", i);
            return;
        }
        if (!sh->sql)
            continue;
        const prax_column *c = &sh->m->columns[column];
        bool null = (c->flags & PRAX_C_NULL) != 0;
        pxi_sql_add(sh->sql, i ? ", " : before);
        pxi_sql_name(sh->sql, c->db_name);
        if (c->type == PRAX_T_String || c->type == PRAX_T_Enum)
            pxi_sql_add(sh->sql, sh->d->order);
        pxi_sql_add(sh->sql, null ? sh->d->nulls[kind] : kind % 2 ? "" : " DESC");
    }
}

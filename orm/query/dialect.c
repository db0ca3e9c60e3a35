/* dialect.c - see dialect.h: text under construction. */
#include "orm/query/dialect.h"
#include "orm/base/value.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct pxi_dialect *pxi_dialect_of(enum pxi_engine engine)
{
    return engine == PXI_SQLITE ? &pxi_dialect_sqlite : &pxi_dialect_postgres;
}

void pxi_sql_begin(struct pxi_sql *q, const struct pxi_dialect *d, struct pxi_arena *arena)
{
    *q = (struct pxi_sql){ .d = d, .arena = arena };
}

void pxi_sql_add_n(struct pxi_sql *q, const char *text, size_t size)
{
    if (q->size + size + 1 > q->room) {
        size_t room = 2 * (q->size + size) + 256;
        char *more = pxi_arena_extend(q->arena, q->text, q->room, room);
        if (!more) {
            q->broken = true;
            return;
        }
        q->text = more;
        q->room = room;
    }
    memcpy(q->text + q->size, text, size);
    q->size += size;
    q->text[q->size] = '\0';
}

void pxi_sql_add(struct pxi_sql *q, const char *text)
{
    pxi_sql_add_n(q, text, strlen(text));
}

void pxi_sql_name(struct pxi_sql *q, const char *name)
{
    pxi_sql_add_n(q, "\"", 1);
    for (const char *p; (p = strchr(name, '"')) != NULL; name = p + 1) {
        pxi_sql_add_n(q, name, (size_t)(p - name));
        pxi_sql_add_n(q, "\"\"", 2);
    }
    pxi_sql_add_n(q, name, strlen(name));
    pxi_sql_add_n(q, "\"", 1);
}

void pxi_sql_number(struct pxi_sql *q, int64_t x)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, x);
    pxi_sql_add(q, digits);
}

void pxi_sql_param(struct pxi_sql *q)
{
    q->params++;
    if (q->d->engine == PXI_SQLITE) {
        pxi_sql_add_n(q, "?", 1);
    } else {
        pxi_sql_add_n(q, "$", 1);
        pxi_sql_number(q, q->params);
    }
}

void pxi_sql_params(struct pxi_sql *q, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (i)
            pxi_sql_add_n(q, ", ", 2);
        pxi_sql_param(q);
    }
}

static void add_cast(struct pxi_sql *q, const char *type, const char *array)
{
    if (!type)
        return;
    pxi_sql_add(q, "::");
    pxi_sql_add(q, type);
    pxi_sql_add(q, array);
}

void pxi_sql_column(struct pxi_sql *q, const prax_column *c)
{
    if (q->table) {
        pxi_sql_name(q, q->table);
        pxi_sql_add_n(q, ".", 1);
    }
    pxi_sql_name(q, c->db_name);
}

void pxi_sql_template(struct pxi_sql *q, const char *t, const prax_column *c)
{
    while (*t) {
        size_t n = strcspn(t, "@?#~");
        pxi_sql_add_n(q, t, n);
        t += n;
        if (t[0] == '@' && t[1] == '@') {
            pxi_sql_add_n(q, t++, 1);
        } else if (*t == '@') {
            pxi_sql_column(q, c);
        } else if (*t == '?') {
            pxi_sql_param(q);
        } else if (*t) {
            add_cast(q, q->d->cast[c->type], *t == '~' ? "[]" : "");
        }
        t += *t != '\0';
    }
}

const char *pxi_sql_compare(const struct pxi_dialect *d, const prax_column *c, enum prax_op op,
                            bool nocase)
{
    const char *t = c->type == PRAX_T_String ? d->compare_text[op][nocase] : NULL;
    return t ? t : d->compare[op][nocase];
}

void pxi_column_range(const prax_column *c, int64_t *min, int64_t *max)
{
    switch (c->type) {
    case PRAX_T_Int:
        *min = INT32_MIN;
        *max = INT32_MAX;
        break;
    case PRAX_T_SmallInt:
        *min = INT16_MIN;
        *max = INT16_MAX;
        break;
    case PRAX_T_Decimal:
        *max =
            pxi_pow10[c->precision <= PXI_DECIMAL_DIGITS ? c->precision : PXI_DECIMAL_DIGITS] - 1;
        *min = -*max;
        break;
    default:
        *min = INT64_MIN;
        *max = INT64_MAX;
        break;
    }
}

/* dialect.h - SQL text of one database: the only place that writes clauses and counts placeholders.
 *
 * Templates: @ is the column's quoted name, ? a parameter; all else is itself. So a clause cannot
 * mention a value, and the number of its parameters is the number of its question marks.
 */
#ifndef PXI_QUERY_DIALECT_H
#define PXI_QUERY_DIALECT_H
#include "orm/base/arena.h"
#include <prax/model.h>

struct pxi_dialect {
    const char *compare[PRAX_OP_PATH_EQ + 1][2]; /* by enum prax_op and nocase; NULL: none */
    const char *nulls[5];                        /* by order kind 1-4, of a nullable column */
    const char *no_limit;                        /* take of all rows, before an OFFSET */
};
extern const struct pxi_dialect pxi_dialect_sqlite;

/* Text under construction in scratch memory. broken: out of memory, checked once at the end. */
struct pxi_sql {
    const struct pxi_dialect *d;
    struct pxi_arena *arena;
    char *text;
    size_t size, room;
    unsigned params;
    bool broken;
};

void pxi_sql_begin(struct pxi_sql *q, const struct pxi_dialect *d, struct pxi_arena *arena);
void pxi_sql_add(struct pxi_sql *q, const char *text);  /* no parameters in it */
void pxi_sql_name(struct pxi_sql *q, const char *name); /* quoted */
void pxi_sql_number(struct pxi_sql *q, int64_t x);
void pxi_sql_param(struct pxi_sql *q);
void pxi_sql_params(struct pxi_sql *q, unsigned n); /* "?, ?, ?" */
void pxi_sql_template(struct pxi_sql *q, const char *t, const char *column);
/* What a column becomes by prax_add or prax_mul, NULL staying NULL; beyond the column's range the
 * statement fails with "integer overflow". scale: of a Decimal factor. */
void pxi_sql_arithmetic(struct pxi_sql *q, const prax_column *c, enum prax_wr wr, int scale);
/* How often the operand is a parameter there. */
unsigned pxi_sql_arithmetic_params(const prax_column *c, enum prax_wr wr);
/* The range of an integer column's stored values. */
void pxi_column_range(const prax_column *c, int64_t *min, int64_t *max);

#endif

/* dialect.h - SQL text of one database: the only place that writes clauses and counts placeholders.
 *
 * Templates: @ is the column's quoted name, @@ an @, ? a parameter, # the cast of a parameter of
 * the column's type and ~ that of a list of it (where the database wants one); all else is itself.
 * So a clause cannot mention a value, and the number of its parameters is the number of its
 * question marks.
 *
 * What a template does not say is a function of the dialect. What both databases say alike (WHERE,
 * SET, ORDER BY, the joins of filters) is in clause.c, filter.c and build.c.
 */
#ifndef PXI_QUERY_DIALECT_H
#define PXI_QUERY_DIALECT_H
#include "orm/base/arena.h"
#include "orm/driver/driver.h"
#include <prax/model.h>

enum { PXI_OPS = PRAX_OP_LIST_EQ + 1 };
struct pxi_sql;

struct pxi_dialect {
    enum pxi_engine engine;
    const char *compare[PXI_OPS][2];      /* by enum prax_op and nocase; NULL: none */
    const char *compare_text[PXI_OPS][2]; /* of a String, where it differs */
    const char *cast[PRAX_TYPES]; /* of a parameter that is compared with a column; or NULL */
    const char *item[PRAX_TYPES]; /* the type of an array's items; or NULL: no arrays */
    const char *order;            /* of a text column, behind its name */
    const char *nulls[5];         /* by order kind 1-4, of a nullable column */
    const char *no_limit;         /* take of all rows, before an OFFSET */
    const char *lock[3];          /* by enum prax_lock: behind all else */
    /* What a column becomes by prax_add or prax_mul, NULL staying NULL; beyond the column's range
     * the statement fails with ERANGE. scale: of a Decimal factor. */
    void (*arithmetic)(struct pxi_sql *q, const prax_column *c, enum prax_wr wr, int scale);
    /* How often the operand is a parameter there. */
    unsigned (*arithmetic_params)(const prax_column *c, enum prax_wr wr);
};
extern const struct pxi_dialect pxi_dialect_sqlite, pxi_dialect_postgres;
const struct pxi_dialect *pxi_dialect_of(enum pxi_engine engine);

/* Text under construction in scratch memory. broken: out of memory, checked once at the end. */
struct pxi_sql {
    const struct pxi_dialect *d;
    struct pxi_arena *arena;
    char *text;
    size_t size, room;
    unsigned params;
    const char *table; /* the name in front of columns; NULL: none, there is one table only */
    bool broken;
};

void pxi_sql_begin(struct pxi_sql *q, const struct pxi_dialect *d, struct pxi_arena *arena);
void pxi_sql_add(struct pxi_sql *q, const char *text); /* no parameters in it */
void pxi_sql_add_n(struct pxi_sql *q, const char *text, size_t size);
void pxi_sql_name(struct pxi_sql *q, const char *name);       /* quoted */
void pxi_sql_column(struct pxi_sql *q, const prax_column *c); /* quoted, behind q->table */
void pxi_sql_number(struct pxi_sql *q, int64_t x);
void pxi_sql_param(struct pxi_sql *q);
void pxi_sql_params(struct pxi_sql *q, unsigned n); /* "?, ?, ?" */
void pxi_sql_template(struct pxi_sql *q, const char *t, const prax_column *c);
/* The template of a condition; NULL: this database has none. */
const char *pxi_sql_compare(const struct pxi_dialect *d, const prax_column *c, enum prax_op op,
                            bool nocase);
/* The range of an integer column's stored values. */
void pxi_column_range(const prax_column *c, int64_t *min, int64_t *max);

#endif

/* shape.h - one walk over a call: what it asks for becomes a key, its values become parameters.
 *
 * The one idea: every clause is a function that is run once or twice over the same input. The first
 * run collects: bytes of the shape go into the key, values into the list. Only if no plan has that
 * key is there a second run, with `sql` set, which writes the text. Both runs are the same code in
 * the same order, so the n-th question mark is the n-th value by construction.
 *
 * The first error wins and is kept in `code`; everything after it does nothing useful but is safe.
 * Lives on the stack of one operation; what outgrows its small buffers goes to scratch memory.
 */
#ifndef PXI_QUERY_SHAPE_H
#define PXI_QUERY_SHAPE_H
#include "orm/driver/driver.h"
#include "orm/query/dialect.h"
#include <string.h>

enum {
    PXI_SHAPE_KEY = 192,    /* bytes of a key before scratch memory is asked: some 50 conditions */
    PXI_SHAPE_VALUES = 32,  /* values likewise */
    PXI_FILTER_DEPTH = 8,   /* any_of within all_of within ...: SQLite's stack, and readers */
    PXI_FILTER_TERMS = 500, /* conditions in all: SQLite takes expressions 1,000 deep */
    PXI_LIST_BLOBS = 1024,  /* items of a list that cannot be one array (SQLite: Bytes, Float) */
};

struct pxi_shape {
    const struct pxi_dialect *d; /* whose values */
    const prax_model *m;
    struct pxi_sql *sql; /* the second run; else NULL */
    struct pxi_arena *scratch;
    struct pxi_error *err;
    int code; /* 0 or the first error */
    unsigned depth;
    unsigned terms;   /* conditions */
    bool conditional; /* there is a condition, or a list of filters */
    uint32_t key_size, key_room;
    uint32_t n_values, values_room;
    uint8_t *key;
    struct pxi_value *values;
    uint8_t key_first[PXI_SHAPE_KEY] __attribute__((aligned(8)));
    struct pxi_value values_first[PXI_SHAPE_VALUES];
};

void pxi_shape_begin(struct pxi_shape *sh, const struct pxi_dialect *d, const prax_model *m,
                     struct pxi_arena *scratch, struct pxi_error *err);
/* Room for more bytes in the key; false: memory is out. */
bool pxi_shape_more_key(struct pxi_shape *sh, size_t size);
/* Appends bytes to the key (first run only; callers check). */
static inline void pxi_shape_key(struct pxi_shape *sh, const void *p, size_t size)
{
    if (__builtin_expect(size > sh->key_room - sh->key_size, 0) && !pxi_shape_more_key(sh, size))
        return;
    memcpy(sh->key + sh->key_size, p, size);
    sh->key_size += (uint32_t)size;
}
/* The next value, or a place that nobody reads if memory is out. */
struct pxi_value *pxi_shape_more_values(struct pxi_shape *sh);
static inline struct pxi_value *pxi_shape_value(struct pxi_shape *sh)
{
    if (__builtin_expect(sh->n_values == sh->values_room, 0))
        return pxi_shape_more_values(sh);
    return &sh->values[sh->n_values++];
}
/* Keeps the error, with "Model.column: " before the text; c may be NULL. Returns code. */
int pxi_shape_fail(struct pxi_shape *sh, const prax_column *c, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- values (value.c) ---- */

enum pxi_use { /* what a value is for: how a Decimal is brought to its column's scale */
               PXI_USE_WRITE, /* rounded; ranges are checked */
               PXI_USE_EQUAL, /* what cannot be equal stays unequal */
               PXI_USE_UP,    /* < and >=: the next one above */
               PXI_USE_DOWN,  /* > and <= */
};
/* The C value of a column's plain type at src as a parameter. EINVAL (NULL pointers, NaN, NUL in
 * text, no label), ERANGE, ELIMIT, ENOMEM. */
int pxi_value_of(struct pxi_shape *sh, const prax_column *c, const void *src, enum pxi_use use,
                 struct pxi_value *v);
/* The values of n fields of M_new of a column, `step` bytes apart, as far as they
 * are of the commonest kinds: how many, v[n]. The next one is for pxi_value_of, or an error. */
size_t pxi_value_run(const prax_column *c, const char *field, size_t step, size_t n,
                     struct pxi_value *v);
/* list[n] of a column's plain type as one parameter: an array; for SQLite the text of a JSON array.
 * use is EQUAL or WRITE. */
int pxi_value_array(struct pxi_shape *sh, const prax_column *c, const void *list, size_t n,
                    enum pxi_use use, struct pxi_value *v);
/* A pattern for LIKE; for SQLite's GLOB where case counts. */
int pxi_value_pattern(struct pxi_shape *sh, const prax_column *c, const char *text, enum prax_op op,
                      bool nocase, struct pxi_value *v);

/* The path of a PATH_EQ. EINVAL, ELIMIT, ENOMEM. (path.c) */
int pxi_value_path(struct pxi_shape *sh, const prax_column *c, const char *path,
                   struct pxi_value *v);

/* ---- clauses (filter.c, clause.c) ---- */

/* " WHERE ..." if there is a condition; counts them in sh->terms. */
void pxi_clause_where(struct pxi_shape *sh, const void *where);
/* Its pieces: one struct in parentheses, `empty` if it has no condition; the conditions on
 * relations, joined to those before (*any); a column of any table in list[n]. */
void pxi_filter_struct(struct pxi_shape *sh, const char *where, const char *empty);
void pxi_filter_relations(struct pxi_shape *sh, const char *where, bool *any);
void pxi_filter_in(struct pxi_shape *sh, const prax_column *c, const void *list, uint32_t n);
/* The value of a key's column; what nearly all keys are needs no check. */
static inline void pxi_key_value(struct pxi_shape *sh, const prax_column *c, const char *src)
{
    struct pxi_value *v = pxi_shape_value(sh);
    if (c->type == PRAX_T_Int || c->type == PRAX_T_BigInt) {
        *v = (struct pxi_value){ .kind = PXI_INT, .type = c->type };
        memcpy(&v->u.i, src, sizeof v->u.i);
    } else {
        pxi_value_of(sh, c, src, PXI_USE_EQUAL, v);
    }
}
/* " WHERE key columns = ?"; by counts from 1. */
void pxi_clause_key(struct pxi_shape *sh, const void *key, unsigned by);
/* "a = ?, b = b + ?"; EINVAL if nothing is set. */
void pxi_clause_set(struct pxi_shape *sh, const void *set);
/* The form of a M_set, four bits a column, where it alone decides what pxi_clause_set writes: at
 * most 16 columns, each set to a value or to NULL, and nothing is implied. Else 0. */
uint64_t pxi_set_form(const prax_model *m, const void *set);
/* What pxi_clause_set collects of a M_set of that form, without the key. */
void pxi_set_values(struct pxi_shape *sh, const void *set, uint64_t form);
/* "version = ?" of a M_set's if_version, if it is given. */
void pxi_clause_version(struct pxi_shape *sh, const void *set, const char *before);
/* " LIMIT ? OFFSET ?" */
void pxi_clause_page(struct pxi_shape *sh, uint32_t take, uint32_t skip);
/* " ORDER BY ..." */
void pxi_clause_order(struct pxi_shape *sh, const uint32_t order[PRAX_ORDER_MAX]);
/* The same behind other words than " ORDER BY ". */
void pxi_clause_order_from(struct pxi_shape *sh, const uint32_t order[PRAX_ORDER_MAX],
                           const char *before);

#endif

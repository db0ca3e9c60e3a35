/* emit.h - lines of C from templates: what the other files of the generator are written in. */
#ifndef PXI_GEN_EMIT_H
#define PXI_GEN_EMIT_H
#include "orm/gen/gen.h"

struct pxi_emit {
    struct pxi_buf *out;
    struct pxi_buf line; /* the line that is being built */
    bool in_macro;       /* the line before ended in a backslash */
    const struct pxi_schema *schema;
    const struct pxi_model *model; /* behind $M and $U; may be NULL */
};

/* Adds a template to the line; each '\n' in it ends a line. In it stand
 *   $P prefix   $M prefix_model   $U PREFIX_MODEL   $0 to $3 arguments, $^0 to $^3 in capitals
 * A finished line over 100 columns is broken behind ", ", "; " and "{ ", outside of strings, and
 * goes on four columns further in; that of a #define, behind a backslash. A tab stands for a blank
 * that must not be broken at. */
void pxi_emit_part(struct pxi_emit *e, const char *template, const char *const args[4]);
#define emit(e, ...)            EMIT_((e), __VA_ARGS__, NULL)
#define EMIT_(e, template, ...) pxi_emit_part((e), template, (const char *const[5]){ __VA_ARGS__ })
/* Text as a C string literal with its quotes. */
void pxi_emit_string(struct pxi_emit *e, const char *text);
void pxi_emit_number(struct pxi_emit *e, int64_t n);
/* SQL as neighbouring literals, a line each, without what follows the last one. */
void pxi_emit_sql(struct pxi_emit *e, const char *sql, const char *indent);
/* A /// text as a C comment; nothing if doc is NULL. indent in columns. */
void pxi_emit_doc(struct pxi_emit *e, const char *doc, unsigned indent);

/* What a column is in C. */
struct pxi_ctype {
    char value[160]; /* int64_t, const char *, blog_role, prax_list_text: a key, a member of _new */
    char row[160];   /* the same, or prax_opt_i64 */
    char filter[160]; /* prax_f_i64 */
    char write[160];  /* prax_w_i64 */
    bool pointer;     /* NULL stands for SQL NULL */
    bool ordered;     /* has an order */
    bool guarded;     /* a struct that = {0} cannot begin with */
    bool plain;       /* _new has the value as it is: always sent, NULL pointer = SQL NULL */
};
struct pxi_ctype pxi_ctype_of(const struct pxi_schema *schema, const struct pxi_column *c);

/* Where a column can be written. The key by itself never changes; parts of a composite key may. */
static inline bool pxi_in_new(const struct pxi_model *m, const struct pxi_column *c)
{
    return !m->view && !c->version && !c->more->generated;
}
static inline bool pxi_in_set(const struct pxi_model *m, const struct pxi_column *c)
{
    return pxi_in_new(m, c) && !c->id;
}
static inline const struct pxi_column *pxi_key_column(const struct pxi_model *m,
                                                      const struct pxi_key *key, uint32_t i)
{
    return &m->columns.items[key->columns.items[i]];
}

/* Relations to a model that is not in C are not, either. The n-th one that is, or NULL. */
const struct pxi_relation *pxi_c_relation(const struct pxi_schema *schema,
                                          const struct pxi_model *m, uint32_t n);
/* Whether a relation of the model that is in C leads to the schema's model `target`. */
bool pxi_points_to(const struct pxi_schema *schema, const struct pxi_model *m, uint32_t target);
/* Parts of them: model behind $M is e->model. */
const struct pxi_column *pxi_version_column(const struct pxi_model *m);   /* or NULL */
void pxi_gen_typed_header(struct pxi_emit *e, const struct pxi_typed *q); /* typed.c */
void pxi_gen_typed_source(struct pxi_emit *e, const struct pxi_typed *q);
void pxi_emit_columns(struct pxi_emit *e); /* columns.c: M_defaults, rules, M_columns */
void pxi_emit_model(struct pxi_emit *e);   /* model.c: all that is declared of it */

#endif

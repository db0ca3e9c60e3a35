/* check.h - between the files of the checker: what a parsed schema means, and whether it can. */
#ifndef PXI_SCHEMA_CHECK_H
#define PXI_SCHEMA_CHECK_H
#include "orm/schema/names.h"

struct pxi_checker {
    struct pxi_schema *schema;
    struct pxi_diags *diags;
    struct pxi_arena *arena;
    struct pxi_symbols types;   /* enums, models and built-in types, by schema name */
    struct pxi_symbols objects; /* tables and indexes, by database name in small letters */
};

/* Values of types.kind, told apart by the symbol's owner. */
extern const char pxi_owner_scalar[], pxi_owner_enum[], pxi_owner_model[];

/* The number of the line that `at` stands on, as text; with its file if there are several. */
const char *pxi_check_line(struct pxi_checker *k, uint32_t at);
/* a number as text */
const char *pxi_check_number(struct pxi_checker *k, int64_t n);
/* True if text can name a table, column or index ("kind") of a database; else a diagnostic. */
bool pxi_check_db_name(struct pxi_checker *k, const char *text, const char *kind,
                       struct pxi_span at);
/* The one string that @map and @@map take; NULL after a diagnostic. */
const char *pxi_check_map(struct pxi_checker *k, const struct pxi_attr *a, const char *kind);
/* A table or index called name, and what it is: a diagnostic if there is one already. */
void pxi_check_object(struct pxi_checker *k, const char *name, const char *owner,
                      struct pxi_span at);
/* A diagnostic, and false, if an attribute of this name stands before attrs->items[i]. */
bool pxi_check_once(struct pxi_checker *k, const pxi_attrs *attrs, uint32_t i);

/* generator and datasource: prefix and out. */
void pxi_check_config(struct pxi_checker *k);
/* Fields of a model: names, types, attributes, defaults. */
void pxi_check_columns(struct pxi_checker *k, struct pxi_model *m);
void pxi_check_default(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a);
/* The index of the column of this name in the schema, or m->columns.count. */
uint32_t pxi_check_find_column(const struct pxi_model *m, const char *name);
/* The diagnostic that there is none called v->text, with the nearest. */
void pxi_check_unknown_column(struct pxi_checker *k, const struct pxi_model *m,
                              const struct pxi_value *v);
/* Primary key, unique keys and indexes; after the fields. */
void pxi_check_keys(struct pxi_checker *k, struct pxi_model *m);

/* Fields that are relations; after all columns and keys. The parser's attributes of a relation are
 * @relation and @name; its c_name is known by now (NULL: there is a diagnostic). */
void pxi_check_relations(struct pxi_checker *k);

#endif

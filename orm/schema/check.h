/* check.h - between the files of the checker: what a parsed schema means, and whether it can. */
#ifndef PXI_SCHEMA_CHECK_H
#define PXI_SCHEMA_CHECK_H
#include "orm/schema/names.h"
#include "orm/schema/parser.h"

struct pxi_checker {
    struct pxi_schema *schema;
    struct pxi_diags *diags;
    struct pxi_arena *arena;       /* of the tree */
    struct pxi_arena scratch;      /* until the check is over: names to look up, lists that grow */
    struct pxi_chunks chunks;      /* the parser's */
    PXI_LIST(struct pxi_key) keys; /* room for those of one model */
    pxi_columns relations;         /* likewise, for fields that are relations */
    struct pxi_symbols types;      /* enums, models and built-in types, by schema name */
    struct pxi_symbols objects;    /* tables and indexes, by database name in small letters */
    uint32_t offers;               /* words that may still be compared for "did you mean" */

    /* of the model that is checked: numbers of its columns, PXI_RELATION_ITEM | those of its
     * relations; by schema name, C name, and database name in small letters */
    struct pxi_set fields, c_fields, db_fields;
    uint64_t words; /* bit w: one of its columns has an attribute with word w */
};
enum { PXI_RELATION_ITEM = 1 << 16 };

/* Values of types.kind, told apart by the symbol's owner. */
extern const char pxi_owner_scalar[], pxi_owner_enum[], pxi_owner_model[];

/* The number of the line that `at` stands on, as text; with its file if there are several. */
const char *pxi_check_line(struct pxi_checker *k, uint32_t at);
/* a number as text */
const char *pxi_check_number(struct pxi_checker *k, int64_t n);
/* True if text can name a table, column or index ("kind") of a database; else a diagnostic. */
bool pxi_check_db_name(struct pxi_checker *k, const char *text, const char *kind,
                       struct pxi_span at);
/* The one string that @map, @@map and @was take; NULL after a diagnostic. */
const char *pxi_check_map(struct pxi_checker *k, const struct pxi_attr *a, const char *kind);
/* The one string of @name and @@name, if it can be a name in C; NULL after a diagnostic. */
const char *pxi_check_c_name(struct pxi_checker *k, const struct pxi_attr *a);
/* A table or index called name, and what it is: a diagnostic if there is one already. */
void pxi_check_object(struct pxi_checker *k, const char *name, const char *owner,
                      struct pxi_span at);
/* A diagnostic, and false, if an attribute of this word stands before attrs->items[i]. */
bool pxi_check_once(struct pxi_checker *k, const pxi_attrs *attrs, uint32_t i);
/* A diagnostic, and false, if the attribute has parentheses. */
bool pxi_check_no_args(struct pxi_checker *k, const struct pxi_attr *a);
/* The first attribute of this word, or NULL. */
const struct pxi_attr *pxi_find_attr(const pxi_attrs *attrs, enum pxi_attr_word word);
/* False if SQLite is among the providers: a diagnostic that `what` is PostgreSQL's alone. */
bool pxi_check_pg_only(struct pxi_checker *k, struct pxi_span at, const char *what,
                       const char *hint);

/* The arguments of an attribute by name: found[i] is the value of names[i], or NULL. Those without
 * a name fill the first `positional` places. What belongs to a list or a call is behind its value.
 * False after a diagnostic; takes says what they should be. */
struct pxi_args {
    const char *const *names;
    uint32_t n, positional;
    const char *takes;
};
bool pxi_check_args(struct pxi_checker *k, const struct pxi_attr *a, const struct pxi_args *args,
                    const struct pxi_value **found);

/* SQL that stands within parentheses of ours: not empty, closed, one expression. of: the attribute.
 * A diagnostic at `at`, and false, if it is not. */
bool pxi_check_sql(struct pxi_checker *k, const char *sql, const char *of, struct pxi_span at);
/* The SQL of @check and @@check: of a string as it stands; in an expression that stands without
 * quotes, names of fields become those of their columns. NULL after a diagnostic. */
const char *pxi_check_expression(struct pxi_checker *k, const struct pxi_model *m,
                                 const struct pxi_attr *a, const struct pxi_value *v);
/* The SELECT of views, and the @@sql blocks of the schema. */
void pxi_check_view(struct pxi_checker *k, struct pxi_model *m);
void pxi_check_sqls(struct pxi_checker *k);

/* generator and datasource: prefix and out, providers and url. */
void pxi_check_config(struct pxi_checker *k);
/* Fields of a model: names, types, attributes, defaults. */
void pxi_check_columns(struct pxi_checker *k, struct pxi_model *m);
/* "Int", "String[]": the type as it was written, without ? and arguments. */
const char *pxi_check_type_text(struct pxi_checker *k, const struct pxi_column *c);
void pxi_check_default(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a);
/* The index of the column of this name in the schema, or m->columns.count. */
uint32_t pxi_check_find_column(const struct pxi_model *m, const char *name);
/* The diagnostic that there is none called v->text, with the nearest. */
void pxi_check_unknown_column(struct pxi_checker *k, const struct pxi_model *m,
                              const struct pxi_value *v);
/* @auto and @default(autoincrement()); what: that word. */
void pxi_check_auto(struct pxi_checker *k, struct pxi_column *c, const char *what,
                    struct pxi_span at);
/* @db.X(args) */
void pxi_check_native(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a);
/* @validate(...) and @validate.rule(...) */
void pxi_check_validate(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a);
/* Primary key, unique keys and indexes; after the fields. */
void pxi_check_keys(struct pxi_checker *k, struct pxi_model *m);
/* Fields that are relations; after all columns and keys. Their c_name is known by now (NULL: there
 * is a diagnostic). */
void pxi_check_relations(struct pxi_checker *k);

#endif

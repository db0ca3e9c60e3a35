/* gen.h - from a checked schema to C. All behaviour is in libprax, which reads the tables.
 *
 *   PREFIX_models.h  enums, and the shapes of all models
 *   PREFIX_MODEL.h   a model's structs and declarations; includes PREFIX_models.h and no other
 *   PREFIX.h         includes all of these; typed SQL, and what belongs to no model
 *   PREFIX_MODEL.c   the tables of prax/model.h and one-line wrappers; includes PREFIX_MODEL.h
 *   PREFIX.c         enums, DDL, typed SQL
 *
 * Of a changed field two files know, its model's. PREFIX_models is a name that the checker keeps
 * from models. Or all of it is two files: PREFIX.h and PREFIX.c.
 *
 * Output is a function of the schema alone: no dates, no paths, no order of a hash table. It keeps
 * within 100 columns unless a single word is longer. Pure: text goes into the caller's buffer,
 * which is broken (pxi_buf_ok) when memory ran out. The schema must have no diagnostics.
 */
#ifndef PXI_GEN_GEN_H
#define PXI_GEN_GEN_H
#include "orm/base/buf.h"
#include "orm/schema/typed.h"

/* source is the schema's file name, for the first line; queries are typed SQL, or NULL. */
void pxi_gen_header(struct pxi_buf *out, const struct pxi_schema *schema,
                    const pxi_typed_list *queries, const char *source);
void pxi_gen_models_header(struct pxi_buf *out, const struct pxi_schema *schema,
                           const char *source);
/* Models with ignore have no files. */
void pxi_gen_model_header(struct pxi_buf *out, const struct pxi_schema *schema,
                          const struct pxi_model *m, const char *source);
void pxi_gen_model(struct pxi_buf *out, const struct pxi_schema *schema, const struct pxi_model *m,
                   const char *source);
void pxi_gen_main(struct pxi_buf *out, const struct pxi_schema *schema,
                  const pxi_typed_list *queries, const char *source);
/* PREFIX.h and PREFIX.c that need no other file. */
void pxi_gen_single_header(struct pxi_buf *out, const struct pxi_schema *schema,
                           const pxi_typed_list *queries, const char *source);
void pxi_gen_single(struct pxi_buf *out, const struct pxi_schema *schema,
                    const pxi_typed_list *queries, const char *source);

/* What @version and @updatedAt imply stands in for a default that is not written. */
static inline enum prax_default pxi_default_of(const struct pxi_column *c)
{
    if (c->def != PRAX_D_NONE)
        return c->def;
    return c->version ? PRAX_D_VALUE : c->updated_at ? PRAX_D_NOW : PRAX_D_NONE;
}
/* How a label is stored. */
static inline const char *pxi_gen_label(const struct pxi_label *l)
{
    return l->db_name ? l->db_name : l->name.text;
}
static inline int64_t pxi_default_number(const struct pxi_column *c)
{
    return c->def == PRAX_D_NONE && c->version ? 1 : c->number;
}

/* All statements that make the schema's tables in an empty database, in the order in which they
 * must run, without a semicolon behind; each ends in a NUL. Returns their number. SQLite 3.37 or
 * later, PostgreSQL 12 or later. */
uint32_t pxi_gen_ddl(struct pxi_buf *out, const struct pxi_schema *schema, enum pxi_database db);

/* Its pieces, one statement each; column is the part of CREATE TABLE that begins with its name.
 * Foreign keys are part of SQLite's tables, and statements of their own in PostgreSQL. */
void pxi_gen_column(struct pxi_buf *out, const struct pxi_column *c, enum pxi_database db);
void pxi_gen_table(struct pxi_buf *out, const struct pxi_schema *schema, const struct pxi_model *m,
                   enum pxi_database db);
void pxi_gen_foreign_key(struct pxi_buf *out, const struct pxi_schema *schema,
                         const struct pxi_model *m, const struct pxi_relation *r);
void pxi_gen_join_table(struct pxi_buf *out, const struct pxi_schema *schema,
                        const struct pxi_model *m, const struct pxi_relation *r,
                        enum pxi_database db);
void pxi_gen_join_index(struct pxi_buf *out, const struct pxi_relation *r);
void pxi_gen_index(struct pxi_buf *out, const struct pxi_model *m, const struct pxi_key *key,
                   enum pxi_database db);
void pxi_gen_view(struct pxi_buf *out, const struct pxi_model *m, enum pxi_database db);

#endif

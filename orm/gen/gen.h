/* gen.h - from a checked schema to C: PREFIX.h with the structs and declarations, PREFIX.c with the
 * tables of prax/model.h and one-line wrappers. All behaviour is in libprax, which reads the
 * tables.
 *
 * Output is a function of the schema alone: no dates, no paths, no order of a hash table. It keeps
 * within 100 columns unless a single word is longer. Pure: text goes into the caller's buffer,
 * which is broken (pxi_buf_ok) when memory ran out. The schema must have no diagnostics.
 */
#ifndef PXI_GEN_GEN_H
#define PXI_GEN_GEN_H
#include "orm/base/buf.h"
#include "orm/schema/schema.h"

/* source is the schema's file name, for the first line. */
void pxi_gen_header(struct pxi_buf *out, const struct pxi_schema *schema, const char *source);
void pxi_gen_source(struct pxi_buf *out, const struct pxi_schema *schema, const char *source);

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

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

/* CREATE TABLE and CREATE INDEX for SQLite 3.37 or later, without a semicolon behind. */
void pxi_gen_sqlite_table(struct pxi_buf *out, const struct pxi_model *m);
void pxi_gen_sqlite_index(struct pxi_buf *out, const struct pxi_model *m,
                          const struct pxi_key *key);

#endif

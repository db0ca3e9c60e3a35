/* ddl.h - what the dialects of DDL share; between ddl.c, sqlite.c and postgres.c. */
#ifndef PXI_GEN_DDL_H
#define PXI_GEN_DDL_H
#include "orm/gen/gen.h"

/* text in quotes, those inside of it doubled: '...' is a string, "..." a name. */
void pxi_ddl_quoted(struct pxi_buf *out, const char *text, char quote);
static inline void pxi_ddl_name(struct pxi_buf *out, const char *name)
{
    pxi_ddl_quoted(out, name, '"');
}
/* How a label is stored. */
const char *pxi_ddl_label(const struct pxi_enum *e, int64_t number);

/* The type of a column; where it refers to an id that counts, not that it counts. */
void pxi_ddl_sqlite_type(struct pxi_buf *out, const struct pxi_column *c);
void pxi_ddl_postgres_type(struct pxi_buf *out, const struct pxi_column *c);
/* The literal of a PRAX_D_VALUE. */
void pxi_ddl_sqlite_value(struct pxi_buf *out, const struct pxi_column *c);
void pxi_ddl_postgres_value(struct pxi_buf *out, const struct pxi_column *c);

#endif

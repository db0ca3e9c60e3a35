/* parser.h - tokens to the tree of schema.h, unchecked. */
#ifndef PXI_SCHEMA_PARSER_H
#define PXI_SCHEMA_PARSER_H
#include "orm/schema/schema.h"

/* Fills what schema.h does not mark "checked". After an error the rest of the line or block is
 * skipped, so the tree may lack what was wrong. False if the text itself cannot be read (too long,
 * no UTF-8): there is no tree to look at. Out of memory: arena->full. */
bool pxi_parse(struct pxi_schema *schema, struct pxi_diags *diags, const char *text, size_t size);

/* The attributes and their arguments: what the grammar must know of them. */
enum pxi_attr_support { PXI_ATTR_UNKNOWN, PXI_ATTR_NOT_YET, PXI_ATTR_KNOWN };
/* name with its @ or @@; *nearest is a similar one or NULL. */
enum pxi_attr_support pxi_attr_lookup(const char *name, const char **nearest);

#endif

/* format.h - a schema's text in its usual layout, with every token and comment kept.
 *
 * Four blanks a level, one blank between tokens, fields of a paragraph in columns (name, type,
 * attributes, comment behind them), at most one empty line in a row. Line ends are left where they
 * are, but for what shares a line with the braces of a block that has more than one: so nothing
 * moves from one field to another. Formatting twice changes nothing more.
 *
 * It reads characters and not the tree: a schema with errors can be laid out while it is written.
 */
#ifndef PXI_SCHEMA_FORMAT_H
#define PXI_SCHEMA_FORMAT_H
#include "orm/schema/diagnostic.h"

/* Appends text[size], laid out, to out. Text that is no schema (not UTF-8, an open string or
 * comment) gets diagnostics and nothing is appended. Working memory comes from diags->arena.
 * Returns the number of diagnostics, or PRAX_ENOMEM (out may be broken then). Thread-safe for
 * distinct arenas. */
int pxi_schema_format(struct pxi_buf *out, struct pxi_diags *diags, const char *text, size_t size);

#endif

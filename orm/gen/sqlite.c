/* sqlite.c - types and literals of SQLite's DDL. Sources: sqlite.org/stricttables.html,
 * autoinc.html.
 *
 * Tables are STRICT, so that a column holds what its type says. A key with @auto is INTEGER PRIMARY
 * KEY, which is the row id itself: no second index, and last_insert_rowid() is the key. Not
 * AUTOINCREMENT: that keeps a further table, written with every insert, only so that the id of the
 * last row, once deleted, is not given again. Ranges of Int and SmallInt are the library's part.
 * Defaults that are values stand here too, for those who insert by hand; now(), uuid() and ulid()
 * are computed by the library.
 */
#include "orm/gen/ddl.h"
#include <string.h>

static const char *const types[] = {
#define PRAX_TYPE(schema, c, stem, null, ops, pg, sqlite, ...) sqlite,
#include <prax/types.def>
};

void pxi_ddl_sqlite_type(struct pxi_buf *out, const struct pxi_column *c)
{
    pxi_buf_text(out, types[c->type]);
}

void pxi_ddl_sqlite_value(struct pxi_buf *out, const struct pxi_column *c)
{
    if (c->type == PRAX_T_Enum) {
        pxi_ddl_quoted(out, pxi_ddl_label(c->enum_type, pxi_default_number(c)), '\'');
    } else if (c->type == PRAX_T_Float) {
        pxi_buf_fmt(out, "%s%s", c->text, strpbrk(c->text, ".eE") ? "" : ".0");
    } else if (c->has_text) {
        pxi_buf_text(out, c->type == PRAX_T_Bytes ? "X" : "");
        pxi_ddl_quoted(out, c->text, '\'');
    } else {
        pxi_buf_i64(out, pxi_default_number(c));
    }
}

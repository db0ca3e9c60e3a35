/* sqlite.c - the tables of a schema in SQLite's dialect. Source: sqlite.org/lang_createtable.html,
 * stricttables.html, autoinc.html.
 *
 * STRICT, so that a column holds what its type says. A key with @auto is INTEGER PRIMARY KEY, which
 * is the row id itself: no second index, and last_insert_rowid() is the key. Not AUTOINCREMENT:
 * that keeps a further table, written with every insert, only so that the id of the last row, once
 * deleted, is not given again. Ranges of Int and SmallInt are the library's part. Defaults that are
 * values stand here too, for those who insert by hand; now() and uuid() are computed by the
 * library.
 */
#include "orm/gen/gen.h"
#include <string.h>

static const char *const sqlite_types[] = {
#define PRAX_TYPE(schema, c, stem, null, ops, pg, sqlite, ...) sqlite,
#include <prax/types.def>
};

static void add_quoted(struct pxi_buf *out, const char *text, char quote)
{
    pxi_buf_char(out, quote);
    for (; *text; text++) {
        if (*text == quote)
            pxi_buf_char(out, quote);
        pxi_buf_char(out, *text);
    }
    pxi_buf_char(out, quote);
}

static void add_name(struct pxi_buf *out, const char *name)
{
    add_quoted(out, name, '"');
}

static void add_columns(struct pxi_buf *out, const struct pxi_model *m, const struct pxi_key *key)
{
    pxi_buf_text(out, " (");
    for (uint32_t i = 0; i < key->columns.count; i++) {
        pxi_buf_text(out, i ? ", " : "");
        add_name(out, m->columns.items[key->columns.items[i]].db_name);
    }
    pxi_buf_char(out, ')');
}

static void add_default(struct pxi_buf *out, const struct pxi_column *c)
{
    if (c->def != PRAX_D_VALUE)
        return;
    pxi_buf_text(out, " DEFAULT ");
    if (c->type == PRAX_T_Enum) {
        add_quoted(out, c->enum_type->labels.items[c->number - 1].name.text, '\'');
    } else if (c->type == PRAX_T_Float) {
        pxi_buf_fmt(out, "%s%s", c->text, strchr(c->text, '.') ? "" : ".0");
    } else if (c->text) {
        add_quoted(out, c->text, '\'');
    } else {
        pxi_buf_i64(out, c->number);
    }
}

static void add_check(struct pxi_buf *out, const struct pxi_column *c)
{
    if (c->type != PRAX_T_Boolean && c->type != PRAX_T_Enum)
        return;
    pxi_buf_text(out, " CHECK (");
    add_name(out, c->db_name);
    if (c->type == PRAX_T_Boolean) {
        pxi_buf_text(out, " IN (0, 1))");
        return;
    }
    pxi_buf_text(out, " IN (");
    for (uint32_t i = 0; i < c->enum_type->labels.count; i++) {
        pxi_buf_text(out, i ? ", " : "");
        add_quoted(out, c->enum_type->labels.items[i].name.text, '\'');
    }
    pxi_buf_text(out, "))");
}

static void add_column(struct pxi_buf *out, const struct pxi_column *c)
{
    pxi_buf_text(out, "    ");
    add_name(out, c->db_name);
    pxi_buf_fmt(out, " %s", sqlite_types[c->type]);
    if (c->is_auto) {
        pxi_buf_text(out, " PRIMARY KEY");
    } else if (!c->optional) {
        pxi_buf_text(out, " NOT NULL");
    }
    add_default(out, c);
    add_check(out, c);
}

static void add_key(struct pxi_buf *out, const struct pxi_model *m, const struct pxi_key *key)
{
    const struct pxi_column *first = &m->columns.items[key->columns.items[0]];
    if (key->kind == PXI_KEY_ID && first->is_auto)
        return;
    pxi_buf_text(out, ",\n    ");
    if (key->kind == PXI_KEY_UNIQUE) {
        pxi_buf_text(out, "CONSTRAINT ");
        add_name(out, key->db_name);
        pxi_buf_char(out, ' ');
    }
    pxi_buf_text(out, key->kind == PXI_KEY_ID ? "PRIMARY KEY" : "UNIQUE");
    add_columns(out, m, key);
}

void pxi_gen_sqlite_table(struct pxi_buf *out, const struct pxi_model *m)
{
    pxi_buf_text(out, "CREATE TABLE ");
    add_name(out, m->table);
    pxi_buf_text(out, " (\n");
    for (uint32_t i = 0; i < m->columns.count; i++) {
        pxi_buf_text(out, i ? ",\n" : "");
        add_column(out, &m->columns.items[i]);
    }
    for (uint32_t i = 0; i < m->unique_keys; i++)
        add_key(out, m, &m->keys.items[i]);
    pxi_buf_text(out, "\n) STRICT");
}

void pxi_gen_sqlite_index(struct pxi_buf *out, const struct pxi_model *m, const struct pxi_key *key)
{
    pxi_buf_text(out, "CREATE INDEX ");
    add_name(out, key->db_name);
    pxi_buf_text(out, " ON ");
    add_name(out, m->table);
    add_columns(out, m, key);
}

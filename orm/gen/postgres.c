/* postgres.c - types and literals of PostgreSQL's DDL. Source: its manual, chapters 4.1 and 8.
 *
 * Native types, as types.def has them, or the one that @db names. Text is COLLATE "C": it orders by
 * bytes, as in SQLite, and an index serves patterns that begin with text. Identity columns take a
 * value by default, so that rows with their ids can be loaded. Enums are text with a CHECK, so that
 * a label can be added within a transaction.
 */
#include "orm/base/value.h"
#include "orm/gen/ddl.h"
#include <string.h>

static const char *const types[] = {
#define PRAX_TYPE(schema, c, stem, null, ops, pg, ...) pg,
#include <prax/types.def>
};

/* Of @db's types those that have an order of characters. */
static bool is_text(const char *native)
{
    static const char *const names[] = { "varchar", "char", "bpchar", "text" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strncmp(native, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

void pxi_ddl_postgres_type(struct pxi_buf *out, const struct pxi_column *c)
{
    static const char collate[] = " COLLATE \"C\"";
    const char *type = c->more->native ? c->more->native : types[c->type];
    bool collated = c->type == PRAX_T_String && is_text(type);
    if (!c->more->native && c->type == PRAX_T_Decimal) {
        pxi_buf_fmt(out, "numeric(%u,%u)", c->precision, c->scale);
    } else {
        const char *end = strstr(type, collate);
        pxi_buf_add(out, type, end ? (size_t)(end - type) : strlen(type));
    }
    pxi_buf_text(out, c->list ? "[]" : "");
    pxi_buf_text(out, collated ? collate : "");
}

static void add_decimal(struct pxi_buf *out, const struct pxi_column *c)
{
    char text[24];
    pxi_buf_text(out, prax_decimal_text(prax_decimal_of(pxi_default_number(c), c->scale), text));
}

/* As a sum, because no text has the years before 1 or behind 9999. */
static void add_time(struct pxi_buf *out, int64_t us)
{
    char text[32];
    prax_time_text((prax_time){ .us = us }, text);
    if (text[0] != '?' && strncmp(text, "0000", 4) != 0) {
        pxi_buf_fmt(out, "'%s'", text);
        return;
    }
    pxi_buf_text(out, "(timestamptz 'epoch' + interval '1 microsecond' * ");
    pxi_buf_i64(out, us);
    pxi_buf_char(out, ')');
}

static void add_ulid(struct pxi_buf *out, const char *text)
{
    prax_uuid u = { .b = { 0 } };
    char buf[37];
    pxi_ulid_read(text, strlen(text), u.b);
    pxi_buf_fmt(out, "'%s'", prax_uuid_text(u, buf));
}

void pxi_ddl_postgres_value(struct pxi_buf *out, const struct pxi_column *c)
{
    char text[16];
    if (c->list) { /* the empty one: there is no other default */
        pxi_buf_text(out, "'{}'");
        return;
    }
    switch (c->type) {
    case PRAX_T_Boolean:
        pxi_buf_text(out, pxi_default_number(c) ? "true" : "false");
        break;
    case PRAX_T_Enum:
        pxi_ddl_quoted(out, pxi_ddl_label(c->enum_type, pxi_default_number(c)), '\'');
        break;
    case PRAX_T_Decimal:
        add_decimal(out, c);
        break;
    case PRAX_T_DateTime:
        add_time(out, pxi_default_number(c));
        break;
    case PRAX_T_Date:
        pxi_buf_fmt(out, "'%s'",
                    prax_date_text((prax_date){ .days = (int32_t)pxi_default_number(c) }, text));
        break;
    case PRAX_T_Time:
        pxi_buf_fmt(out, "'%s'", prax_tod_text((prax_tod){ .us = pxi_default_number(c) }, text));
        break;
    case PRAX_T_Bytes:
        pxi_buf_fmt(out, "'\\x%s'", c->text);
        break;
    case PRAX_T_Ulid:
        add_ulid(out, c->text);
        break;
    case PRAX_T_Float:
    case PRAX_T_Numeric:
        pxi_buf_text(out, c->text);
        break;
    default:
        if (c->has_text) {
            pxi_ddl_quoted(out, c->text, '\'');
        } else {
            pxi_buf_i64(out, pxi_default_number(c));
        }
    }
}

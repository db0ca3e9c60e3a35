/* columns.c - the tables that describe a model's columns: their defaults, rules and places. */
#include "orm/base/value.h"
#include "orm/gen/emit.h"
#include <string.h>

/* ---- defaults: one static struct a model, with a member a default of the row field's type ---- */

static void default_type(struct pxi_emit *e, const struct pxi_column *c)
{
    struct pxi_ctype t = pxi_ctype_of(e->schema, c);
    const char *type = c->type == PRAX_T_Enum && !c->list ? "int" : t.value;
    emit(e, type[strlen(type) - 1] == '*' ? "    $0$1;\n" : "    $0 $1;\n", type, c->c_name);
}

/* INT64_MIN has no literal of its own. */
static void emit_integer(struct pxi_emit *e, int64_t n)
{
    if (n == INT64_MIN) {
        emit(e, "INT64_MIN");
        return;
    }
    emit(e, "INT64_C(");
    pxi_emit_number(e, n);
    emit(e, ")");
}

static void emit_b16(struct pxi_emit *e, const uint8_t b[16])
{
    emit(e, "{ .b = { ");
    for (int i = 0; i < 16; i++)
        pxi_buf_fmt(&e->line, "%s0x%02x", i ? ", " : "", b[i]);
    emit(e, " } }");
}

/* Hexadecimal digits as a string of octal escapes, which end by themselves. */
static void emit_bytes(struct pxi_emit *e, const char *hex)
{
    size_t size = strlen(hex) / 2;
    emit(e, "{ .data = \"");
    for (size_t i = 0; i < size; i++) {
        unsigned byte = 0;
        for (size_t k = 0; k < 2; k++) {
            char c = hex[2 * i + k];
            byte = byte * 16 + (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        }
        pxi_buf_fmt(&e->line, "\\%03o", byte);
    }
    emit(e, "\", .size = ");
    pxi_emit_number(e, (int64_t)size);
    emit(e, " }");
}

static void emit_struct(struct pxi_emit *e, const char *member, int64_t n)
{
    emit(e, "{ .$0 = ", member);
    emit_integer(e, n);
    emit(e, " }");
}

static void emit_text_value(struct pxi_emit *e, const struct pxi_column *c)
{
    prax_uuid u = { .b = { 0 } };
    switch (c->type) {
    case PRAX_T_Uuid:
        pxi_uuid_read(c->text, strlen(c->text), u.b);
        emit_b16(e, u.b);
        break;
    case PRAX_T_Ulid:
        pxi_ulid_read(c->text, strlen(c->text), u.b);
        emit_b16(e, u.b);
        break;
    case PRAX_T_Float:
        emit(e, strpbrk(c->text, ".eE") ? "$0" : "$0.0", c->text);
        break;
    case PRAX_T_Bytes:
        emit_bytes(e, c->text);
        break;
    case PRAX_T_Json:
        emit(e, "{ .text = ");
        pxi_emit_string(e, c->text);
        emit(e, ", .size = ");
        pxi_emit_number(e, (int64_t)strlen(c->text));
        emit(e, " }");
        break;
    default:
        pxi_emit_string(e, c->text);
    }
}

static void emit_value(struct pxi_emit *e, const struct pxi_column *c)
{
    int64_t n = pxi_default_number(c);
    if (c->list) { /* the empty one: not NULL */
        emit(e, "{ .items = (const void *)\"\" }");
        return;
    }
    switch (c->type) {
    case PRAX_T_Boolean:
        emit(e, n ? "true" : "false");
        break;
    case PRAX_T_Enum:
        pxi_emit_number(e, n);
        break;
    case PRAX_T_Decimal:
        emit(e, "{ .units = ");
        emit_integer(e, n);
        emit(e, ", .scale = ");
        pxi_emit_number(e, c->scale);
        emit(e, " }");
        break;
    case PRAX_T_DateTime:
    case PRAX_T_Time:
        emit_struct(e, "us", n);
        break;
    case PRAX_T_Date:
        emit(e, "{ .days = ");
        pxi_emit_number(e, n);
        emit(e, " }");
        break;
    default:
        if (c->has_text) {
            emit_text_value(e, c);
        } else {
            emit_integer(e, n);
        }
    }
}

static void emit_defaults(struct pxi_emit *e)
{
    const struct pxi_model *m = e->model;
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->c_columns; i++) {
        if (pxi_default_of(&m->columns.items[i]) != PRAX_D_VALUE)
            continue;
        emit(e, n++ ? "" : "static const struct {\n");
        default_type(e, &m->columns.items[i]);
    }
    if (n == 0)
        return;
    emit(e, "} $M_defaults = {\n");
    for (uint32_t i = 0; i < m->c_columns; i++) {
        const struct pxi_column *c = &m->columns.items[i];
        if (pxi_default_of(c) != PRAX_D_VALUE)
            continue;
        emit(e, "    .$0 = ", c->c_name);
        emit_value(e, c);
        emit(e, ",\n");
    }
    emit(e, "};\n");
}

/* ---- rules ---- */

static void emit_limits(struct pxi_emit *e, const struct pxi_rule *r)
{
    emit(e, ", .min = ");
    emit_integer(e, r->min);
    emit(e, ", .max = ");
    emit_integer(e, r->max);
}

static void emit_real(struct pxi_emit *e, const char *member, const char *text, const char *open)
{
    emit(e, ", .$0 = ", member);
    emit(e, !text || strpbrk(text, ".eE") ? "$0" : "$0.0", text ? text : open);
}

static void emit_rule(struct pxi_emit *e, const struct pxi_rule *r)
{
    static const char *const kinds[] = { "LENGTH", "RANGE", "REAL",   "REGEX",
                                         "EMAIL",  "URL",   "ONE_OF", "NOT_EMPTY" };
    emit(e, "    { .kind = PRAX_RULE_$0", kinds[r->kind]);
    if (r->kind == PRAX_RULE_LENGTH || r->kind == PRAX_RULE_RANGE) {
        emit_limits(e, r);
    } else if (r->kind == PRAX_RULE_REAL) {
        emit_real(e, "low", r->low, "-__builtin_inf()");
        emit_real(e, "high", r->high, "__builtin_inf()");
    } else if (r->kind == PRAX_RULE_REGEX) {
        emit(e, ", .pattern = ");
        pxi_emit_string(e, r->pattern);
    } else if (r->kind == PRAX_RULE_ONE_OF) {
        emit(e, ", .words = (const char *const[]){ ");
        for (uint32_t i = 0; i < r->words.count; i++) {
            pxi_emit_string(e, r->words.items[i]);
            emit(e, ", ");
        }
        emit(e, "NULL }");
    }
    emit(e, " },\n");
}

/* Of all columns behind each other: a column's own begin where those before it end. */
static void emit_rules(struct pxi_emit *e)
{
    const struct pxi_model *m = e->model;
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->c_columns; i++) {
        const struct pxi_column *c = &m->columns.items[i];
        for (uint32_t j = 0; j < c->more->rules.count; j++) {
            emit(e, n++ ? "" : "static const prax_rule $M_rules[] = {\n");
            emit_rule(e, &c->more->rules.items[j]);
        }
    }
    emit(e, n ? "};\n" : "");
}

/* ---- columns ---- */

static const char *const type_names[] = {
#define PRAX_TYPE(schema, ...) #schema,
#include <prax/types.def>
};

static bool is_key_part(const struct pxi_model *m, uint32_t column)
{
    if (m->unique_keys == 0 || m->keys.items[0].kind != PXI_KEY_ID)
        return false;
    const struct pxi_key *id = &m->keys.items[0];
    for (uint32_t i = 0; i < id->columns.count; i++) {
        if (id->columns.items[i] == column)
            return true;
    }
    return false;
}

static void emit_flags(struct pxi_emit *e, uint32_t column)
{
    const struct pxi_column *c = &e->model->columns.items[column];
    bool plain = pxi_in_new(e->model, c) && pxi_ctype_of(e->schema, c).plain;
    const char *flags[] = {
        c->optional ? "NULL" : NULL,
        pxi_default_of(c) != PRAX_D_NONE ? "DEFAULT" : NULL,
        is_key_part(e->model, column) ? "ID" : NULL,
        plain ? "PLAIN" : NULL,
        c->is_auto ? "ROWID" : NULL,
        c->version ? "VERSION" : NULL,
        c->updated_at ? "UPDATED" : NULL,
        c->omit ? "OMIT" : NULL,
        c->more->generated ? "DB" : NULL,
        c->list ? "LIST" : NULL,
    };
    bool any = false;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (flags[i]) {
            emit(e, any ? " | PRAX_C_$0" : ", .flags = PRAX_C_$0", flags[i]);
            any = true;
        }
    }
}

static void emit_column(struct pxi_emit *e, uint32_t column, uint32_t rules)
{
    static const char *const defaults[] = { "", "AUTO", "NOW", "UUID", "VALUE", "ULID", "SQL" };
    const struct pxi_column *c = &e->model->columns.items[column];
    enum prax_default def = pxi_default_of(c);
    emit(e,
         pxi_in_set(e->model, c)   ? "    { PRAX_FIELD_($M,\t$0,\t"
         : pxi_in_new(e->model, c) ? "    { PRAX_FIXED_($M,\t$0,\t"
                                   : "    { PRAX_ONLY_($M,\t$0,\t",
         c->c_name);
    pxi_emit_string(e, c->db_name);
    emit(e, ",\t$0)", type_names[c->type]);
    emit_flags(e, column);
    emit(e, def != PRAX_D_NONE ? ", .def = PRAX_D_$0" : "", defaults[def]);
    if (c->type == PRAX_T_Decimal) {
        emit(e, ", .scale = ");
        pxi_emit_number(e, c->scale);
        emit(e, ", .precision = ");
        pxi_emit_number(e, c->precision);
    }
    if (c->enum_type)
        emit(e, ", .enum_type = &$P_$0_type", c->enum_type->c_name);
    if (def == PRAX_D_VALUE)
        emit(e, ", .value = &$M_defaults.$0", c->c_name);
    if (c->more->rules.count) {
        emit(e, ", .n_rules = ");
        pxi_emit_number(e, c->more->rules.count);
        emit(e, ", .rules = $M_rules + ");
        pxi_emit_number(e, rules);
    }
    emit(e, " },\n");
}

void pxi_emit_columns(struct pxi_emit *e)
{
    const struct pxi_model *m = e->model;
    uint32_t rules = 0;
    emit_defaults(e);
    emit_rules(e);
    emit(e, "static const prax_column $M_columns[] = {\n");
    for (uint32_t i = 0; i < m->c_columns; i++) {
        emit_column(e, i, rules);
        rules += m->columns.items[i].more->rules.count;
    }
    emit(e, "};\n");
}

/* check_column.c - the fields of a model: names, types, attributes and defaults. */
#include "orm/schema/check.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a default of each type looks like, for the diagnostic. */
static const char *const default_forms[] = {
    [PRAX_T_Int] = "a whole number",
    [PRAX_T_SmallInt] = "a whole number",
    [PRAX_T_BigInt] = "a whole number",
    [PRAX_T_Boolean] = "true or false",
    [PRAX_T_Float] = "a number",
    [PRAX_T_Decimal] = "a number with no more digits behind the point than its scale",
    [PRAX_T_String] = "a string",
    [PRAX_T_Uuid] = "uuid(), or 36 characters such as \"123e4567-e89b-12d3-a456-426614174000\"",
    [PRAX_T_DateTime] = "now()",
    [PRAX_T_Date] = "not supported yet",
    [PRAX_T_Time] = "not supported yet",
    [PRAX_T_Ulid] = "not supported yet",
    [PRAX_T_Bytes] = "not supported yet",
    [PRAX_T_Json] = "not supported yet",
    [PRAX_T_Enum] = "one of its labels",
};

static const char *const type_names[] = {
#define PRAX_TYPE(schema, ...) #schema,
#include <prax/types.def>
};

static void wrong_default(struct pxi_checker *k, const struct pxi_column *c,
                          const struct pxi_value *v)
{
    const char *hint = NULL;
    if (c->type == PRAX_T_Enum && v->kind == PXI_VALUE_TEXT) {
        hint = "write the label without quotes";
    } else if (c->type == PRAX_T_String && v->kind != PXI_VALUE_CALL) {
        hint = "put it in quotes";
    }
    pxi_diag(k->diags, DEFAULT_TYPE, v->at, c->type_name.text, default_forms[c->type], hint);
}

static void default_call(struct pxi_checker *k, struct pxi_column *c, const struct pxi_value *v)
{
    bool now = !strcmp(v->text, "now"), uuid = !strcmp(v->text, "uuid");
    if (!now && !uuid) {
        pxi_diag(k->diags, UNKNOWN_FUNCTION, v->at, v->text);
    } else if (now ? c->type != PRAX_T_DateTime : c->type != PRAX_T_Uuid) {
        wrong_default(k, c, v);
    } else {
        c->def = now ? PRAX_D_NOW : PRAX_D_UUID;
    }
}

static void default_label(struct pxi_checker *k, struct pxi_column *c, const struct pxi_value *v)
{
    const struct pxi_enum *e = c->enum_type;
    struct pxi_suggest s = { .word = v->text };
    for (uint32_t i = 0; i < e->labels.count; i++) {
        if (!strcmp(e->labels.items[i].name.text, v->text)) {
            c->def = PRAX_D_VALUE;
            c->number = i + 1;
            return;
        }
        pxi_suggest_offer(&s, e->labels.items[i].name.text);
    }
    pxi_diag(k->diags, UNKNOWN_LABEL, v->at, e->name.text, v->text, s.best);
}

static void default_word(struct pxi_checker *k, struct pxi_column *c, const struct pxi_value *v)
{
    bool yes = !strcmp(v->text, "true"), no = !strcmp(v->text, "false");
    if (c->type == PRAX_T_Enum) {
        default_label(k, c, v);
    } else if (c->type == PRAX_T_Boolean && (yes || no)) {
        c->def = PRAX_D_VALUE;
        c->number = yes;
    } else {
        wrong_default(k, c, v);
    }
}

static void default_integer(struct pxi_checker *k, struct pxi_column *c, const struct pxi_value *v)
{
    int64_t max = c->type == PRAX_T_SmallInt ? INT16_MAX
                  : c->type == PRAX_T_Int    ? INT32_MAX
                                             : INT64_MAX;
    errno = 0;
    c->number = strtoll(v->text, NULL, 10);
    if (strchr(v->text, '.')) {
        wrong_default(k, c, v);
    } else if (errno || c->number > max || c->number < -max - 1) {
        pxi_diag(k->diags, DEFAULT_RANGE, v->at, v->text, c->type_name.text);
    } else {
        c->def = PRAX_D_VALUE;
    }
}

/* 12.5 with scale 2 is 1250 units. */
static void default_decimal(struct pxi_checker *k, struct pxi_column *c, const struct pxi_value *v)
{
    const char *point = strchr(v->text, '.');
    unsigned behind = point ? (unsigned)strlen(point + 1) : 0, digits = 0;
    int64_t units = 0;
    if (behind > c->scale) {
        wrong_default(k, c, v);
        return;
    }
    for (const char *p = v->text; *p && digits <= c->precision; p++) {
        if (*p >= '0' && *p <= '9') {
            units = units * 10 + (*p - '0');
            digits += units > 0;
        }
    }
    for (; behind < c->scale && digits <= c->precision; behind++) {
        units *= 10;
        digits += units > 0;
    }
    if (digits > c->precision) {
        pxi_diag(k->diags, DEFAULT_RANGE, v->at, v->text, c->type_name.text);
    } else {
        c->def = PRAX_D_VALUE;
    }
    c->number = v->text[0] == '-' ? -units : units;
}

static void default_number(struct pxi_checker *k, struct pxi_column *c, const struct pxi_value *v)
{
    switch (c->type) {
    case PRAX_T_Int:
    case PRAX_T_SmallInt:
    case PRAX_T_BigInt:
        default_integer(k, c, v);
        break;
    case PRAX_T_Decimal:
        default_decimal(k, c, v);
        break;
    case PRAX_T_Float:
        c->def = PRAX_D_VALUE;
        c->text = v->text;
        break;
    default:
        wrong_default(k, c, v);
    }
}

static bool is_uuid(const char *text)
{
    if (strlen(text) != 36)
        return false;
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !strchr("0123456789abcdefABCDEF", text[i]))
            return false;
    }
    return true;
}

static void default_text(struct pxi_checker *k, struct pxi_column *c, const struct pxi_value *v)
{
    if (c->type == PRAX_T_String) {
        c->text = v->text;
    } else if (c->type == PRAX_T_Uuid && is_uuid(v->text)) {
        c->text = pxi_lower(k->arena, v->text);
    } else {
        wrong_default(k, c, v);
    }
    c->def = c->text ? PRAX_D_VALUE : PRAX_D_NONE;
}

void pxi_check_default(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a)
{
    if (a->args.count != 1 || a->args.items[0].kind == PXI_VALUE_LIST || a->args.items[0].name) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name.text, "one value");
        return;
    }
    const struct pxi_value *v = &a->args.items[0];
    switch (v->kind) {
    case PXI_VALUE_CALL:
        default_call(k, c, v);
        break;
    case PXI_VALUE_WORD:
        default_word(k, c, v);
        break;
    case PXI_VALUE_NUMBER:
        default_number(k, c, v);
        break;
    default:
        default_text(k, c, v);
    }
}

static bool small_number(const struct pxi_value *v, long low, long high, uint8_t *out)
{
    if (v->kind != PXI_VALUE_NUMBER || strchr(v->text, '.') || strlen(v->text) > 3)
        return false;
    long n = strtol(v->text, NULL, 10);
    *out = (uint8_t)n;
    return n >= low && n <= high;
}

static bool check_type_args(struct pxi_checker *k, struct pxi_column *c)
{
    const pxi_values *args = &c->more->type_args;
    const char *takes = "no arguments";
    if (c->type == PRAX_T_Decimal) {
        if (args->count == 2 && small_number(&args->items[0], 1, 18, &c->precision) &&
            small_number(&args->items[1], 0, c->precision, &c->scale))
            return true;
        takes = "precision (1 to 18) and scale (0 to the precision), such as Decimal(10, 2)";
    } else if (args->count == 0) {
        return true;
    }
    pxi_diag(k->diags, TYPE_ARGS, c->type_at, c->type_name.text, takes);
    return false;
}

static void unknown_type(struct pxi_checker *k, const struct pxi_column *c)
{
    struct pxi_suggest s = { .word = c->type_name.text };
    for (uint32_t i = 0; i < k->types.size && !pxi_diag_full(k->diags); i++) {
        if (k->types.table[i] && k->types.table[i]->owner != pxi_owner_model)
            pxi_suggest_offer(&s, k->types.table[i]->name);
    }
    pxi_diag(k->diags, UNKNOWN_TYPE, c->type_name.at, c->type_name.text, s.best);
}

static bool check_type(struct pxi_checker *k, struct pxi_column *c)
{
    const struct pxi_symbol *type = pxi_symbol_find(&k->types, c->type_name.text);
    if (!type) {
        unknown_type(k, c);
        return false;
    }
    if (c->list) {
        pxi_diag(k->diags, NO_LISTS, c->type_at);
        return false;
    }
    c->type = PRAX_T_Enum;
    c->enum_type = type->owner == pxi_owner_enum ? type->value : NULL;
    for (unsigned i = 0; i < PRAX_T_Enum && !c->enum_type; i++) {
        if (!strcmp(type_names[i], c->type_name.text))
            c->type = (enum prax_type)i;
    }
    if (c->type == PRAX_T_Numeric) {
        pxi_diag(k->diags, PG_ONLY, c->type_at, c->type_name.text);
        return false;
    }
    return check_type_args(k, c);
}

static const struct pxi_attr *find_attr(const pxi_attrs *attrs, const char *name)
{
    for (uint32_t i = 0; i < attrs->count; i++) {
        if (!strcmp(attrs->items[i].name.text, name))
            return &attrs->items[i];
    }
    return NULL;
}

static void check_auto(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a)
{
    bool integer = c->type == PRAX_T_Int || c->type == PRAX_T_SmallInt || c->type == PRAX_T_BigInt;
    if (find_attr(&c->attrs, "@default")) {
        pxi_diag(k->diags, ATTRIBUTE_CLASH, a->at, "@auto", "@default",
                 "@auto lets the database count");
    } else if (!find_attr(&c->attrs, "@id")) {
        pxi_diag(k->diags, AUTO_NO_ID, a->at);
    } else if (!integer) {
        pxi_diag(k->diags, AUTO_TYPE, a->at, c->type_name.text);
    } else {
        c->is_auto = true;
        c->def = PRAX_D_AUTO;
    }
}

static void check_id(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a)
{
    c->id = true;
    if (c->optional)
        pxi_diag(k->diags, OPTIONAL_ID, c->type_at);
    if (find_attr(&c->attrs, "@unique")) {
        pxi_diag(k->diags, ATTRIBUTE_CLASH, a->at, "@id", "@unique",
                 "a primary key is unique anyway");
    }
}

static void check_attr(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a,
                       bool typed)
{
    const char *name = a->name.text;
    if (!strcmp(name, "@map")) {
        c->db_name = pxi_check_map(k, a, "column");
    } else if (!strcmp(name, "@default") && typed) {
        pxi_check_default(k, c, a);
    } else if (strcmp(name, "@default") != 0 && a->parens) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, name, "no arguments");
    } else if (!strcmp(name, "@id")) {
        check_id(k, c, a);
    } else if (!strcmp(name, "@auto") && typed) {
        check_auto(k, c, a);
    }
}

struct column_names {
    struct pxi_symbols schema, c, db;
};

static const char *field_owner(struct pxi_checker *k, const struct pxi_column *c)
{
    return pxi_concat(k->arena, "field '", c->name.text, "'");
}

/* The C name, or NULL after a diagnostic. */
static const char *check_name(struct pxi_checker *k, struct column_names *names,
                              const struct pxi_column *c)
{
    struct pxi_symbol symbol = { .name = c->name.text, .at = c->name.at };
    const struct pxi_symbol *other = pxi_symbol_add(&names->schema, &symbol);
    if (other) {
        pxi_diag(k->diags, TWICE, c->name.at, "field", c->name.text,
                 pxi_check_line(k, other->at.start));
        return NULL;
    }
    if (!pxi_name_shape(c->name.text)) {
        pxi_diag(k->diags, NAME_SHAPE, c->name.at, c->name.text);
        return NULL;
    }
    const char *name = pxi_snake(k->arena, c->name.text);
    const char *reserved = name ? pxi_name_reserved(name) : NULL;
    if (reserved) {
        pxi_diag(k->diags, NAME_RESERVED, c->name.at, c->name.text, name, reserved);
        return NULL;
    }
    symbol = (struct pxi_symbol){ .name = name, .owner = field_owner(k, c) };
    other = name && symbol.owner ? pxi_symbol_add(&names->c, &symbol) : NULL;
    if (other)
        pxi_diag(k->diags, NAME_CLASH, c->name.at, symbol.owner, name, other->owner);
    return other ? NULL : name;
}

static void check_db_column(struct pxi_checker *k, struct column_names *names,
                            const struct pxi_column *c)
{
    struct pxi_symbol symbol = { .name = pxi_lower(k->arena, c->db_name),
                                 .owner = field_owner(k, c) };
    const struct pxi_symbol *other =
        symbol.name && symbol.owner ? pxi_symbol_add(&names->db, &symbol) : NULL;
    if (other)
        pxi_diag(k->diags, DB_CLASH, c->name.at, symbol.owner, c->db_name, other->owner);
}

void pxi_check_columns(struct pxi_checker *k, struct pxi_model *m)
{
    struct column_names names = { .schema.arena = k->arena,
                                  .c.arena = k->arena,
                                  .db.arena = k->arena };
    for (uint32_t i = 0; i < m->columns.count; i++) {
        struct pxi_column *c = &m->columns.items[i];
        c->c_name = check_name(k, &names, c);
        c->db_name = c->name.text;
        bool typed = check_type(k, c);
        for (uint32_t j = 0; j < c->attrs.count && !pxi_diag_full(k->diags); j++) {
            if (pxi_check_once(k, &c->attrs, j))
                check_attr(k, c, &c->attrs.items[j], typed);
        }
        if (c->c_name && c->db_name)
            check_db_column(k, &names, c);
    }
    for (uint32_t i = 0; i < m->relations.count; i++) {
        struct pxi_column *c = &m->relations.items[i].field;
        c->c_name = check_name(k, &names, c);
    }
}

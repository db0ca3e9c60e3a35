/* check_native.c - @db.X: the types of PostgreSQL that a column of ours can be.
 *
 * Only those that keep every value of the type as it is, or that say how much of it they keep
 * (VarChar, Real, Timestamp): the column means the same to C. Source: postgresql.org/docs/current/
 * datatype.html.
 */
#include "orm/schema/check.h"
#include <stdlib.h>
#include <string.h>

enum native_args { NO_ARGS, LENGTH, FRACTION, PRECISION };

static const struct native {
    uint8_t type; /* enum prax_type */
    uint8_t args; /* enum native_args */
    const char *name, *sql;
} natives[] = {
    { PRAX_T_Int, NO_ARGS, "Integer", "integer" },
    { PRAX_T_SmallInt, NO_ARGS, "SmallInt", "smallint" },
    { PRAX_T_BigInt, NO_ARGS, "BigInt", "bigint" },
    { PRAX_T_Boolean, NO_ARGS, "Boolean", "boolean" },
    { PRAX_T_Float, NO_ARGS, "DoublePrecision", "double precision" },
    { PRAX_T_Float, NO_ARGS, "Real", "real" },
    { PRAX_T_Numeric, PRECISION, "Numeric", "numeric" },
    { PRAX_T_Numeric, PRECISION, "Decimal", "numeric" },
    { PRAX_T_String, NO_ARGS, "Text", "text" },
    { PRAX_T_String, LENGTH, "VarChar", "varchar" },
    { PRAX_T_String, LENGTH, "Char", "char" },
    { PRAX_T_DateTime, FRACTION, "Timestamptz", "timestamptz" },
    { PRAX_T_DateTime, FRACTION, "Timestamp", "timestamp" },
    { PRAX_T_Date, NO_ARGS, "Date", "date" },
    { PRAX_T_Time, FRACTION, "Time", "time" },
    { PRAX_T_Json, NO_ARGS, "JsonB", "jsonb" },
    { PRAX_T_Bytes, NO_ARGS, "ByteA", "bytea" },
    { PRAX_T_Uuid, NO_ARGS, "Uuid", "uuid" },
    { PRAX_T_Ulid, NO_ARGS, "Uuid", "uuid" },
};
enum { NATIVES = sizeof natives / sizeof *natives };

/* "the native types are Text, VarChar and Char"; NULL: there is none. */
static const char *names_of(struct pxi_checker *k, enum prax_type type)
{
    const char *list = NULL;
    for (size_t i = 0; i < NATIVES; i++) {
        if (natives[i].type == type)
            list = list ? pxi_concat(k->arena, list, ", ", natives[i].name) : natives[i].name;
    }
    return list ? pxi_concat(k->arena, "it has ", list) : NULL;
}

static const struct native *find_native(struct pxi_checker *k, const struct pxi_column *c,
                                        const struct pxi_attr *a)
{
    struct pxi_suggest s = { .word = pxi_attr_part(a) };
    for (size_t i = 0; i < NATIVES; i++) {
        if (natives[i].type != c->type)
            continue;
        if (!strcmp(natives[i].name, s.word))
            return &natives[i];
        pxi_suggest_offer(&s, natives[i].name);
    }
    const char *hint = names_of(k, c->type);
    const struct pxi_symbol *type = pxi_symbol_find(&k->types, s.word);
    if (type && type->owner == pxi_owner_scalar && strcmp(s.word, c->type_name) != 0)
        hint = pxi_concat(k->arena, "make the field's type ", s.word);
    if (s.best)
        hint = pxi_concat(k->arena, "did you mean '@db.", s.best, "'?");
    pxi_diag(k->diags, NATIVE_TYPE, pxi_attr_name_at(a), c->type_name, s.word, hint);
    return NULL;
}

/* A whole number from low to high without sign. */
static bool is_count(const struct pxi_value *v, long low, long high)
{
    if (v->kind != PXI_VALUE_NUMBER || v->name)
        return false;
    size_t size = strlen(v->text);
    if (size > 8 || strspn(v->text, "0123456789") != size || (size > 1 && *v->text == '0'))
        return false;
    long n = strtol(v->text, NULL, 10);
    return n >= low && n <= high;
}

static bool good_args(const struct native *t, const struct pxi_attr *a)
{
    const struct pxi_value *v = a->args;
    switch (t->args) {
    case LENGTH: /* of characters; 10485760 is PostgreSQL's limit */
        return a->n_args == 1 && is_count(v, 1, 10485760);
    case FRACTION: /* digits of a second */
        return !a->parens || (a->n_args == 1 && is_count(v, 0, 6));
    case PRECISION:
        return !a->parens || (a->n_args == 1 && is_count(v, 1, 1000)) ||
               (a->n_args == 2 && is_count(v, 1, 1000) &&
                is_count(&v[1], 0, strtol(v->text, NULL, 10)));
    default:
        return !a->parens;
    }
}

void pxi_check_native(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a)
{
    static const char *const takes[] = {
        [NO_ARGS] = "no arguments",
        [LENGTH] = "a number of characters, from 1 to 10485760",
        [FRACTION] = "digits of a second, from 0 to 6, or nothing",
        [PRECISION] = "precision (1 to 1000) and scale (0 to the precision), or nothing",
    };
    const struct pxi_schema *schema = k->schema;
    if (!schema->database[PXI_DB_POSTGRES] && schema->database[PXI_DB_SQLITE]) {
        pxi_diag(k->diags, NATIVE_UNUSED, pxi_attr_name_at(a), a->name);
        return;
    }
    if (!a->part_at) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name,
                 "a type of PostgreSQL behind a point, such as @db.VarChar(80)");
        return;
    }
    const struct native *t = find_native(k, c, a);
    if (!t)
        return;
    if (!good_args(t, a)) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name, takes[t->args]);
        return;
    }
    const struct pxi_value *v = a->args;
    struct pxi_column_more *more = pxi_column_more(k->arena, c);
    if (!more)
        return;
    more->native = t->sql;
    if (a->n_args == 1)
        more->native = pxi_concat(k->arena, t->sql, "(", v[0].text, ")");
    if (a->n_args == 2)
        more->native = pxi_concat(k->arena, t->sql, "(", v[0].text, ",", v[1].text, ")");
}

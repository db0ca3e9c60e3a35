/* check_column.c - the fields of a model: names, types and attributes.
 *
 * Columns come first, in the order of the schema with those of @ignore behind them; the relations
 * share their names. What needs the names of all columns (the SQL of a check) comes last.
 */
#include "orm/schema/check.h"
#include "orm/schema/parser.h"
#include <string.h>
#include <strings.h>

/* ---- names ---- */

static const struct pxi_column *field_of(const struct pxi_model *m, uint32_t item)
{
    return item & PXI_RELATION_ITEM ? &m->relations.items[item - PXI_RELATION_ITEM].field
                                    : &m->columns.items[item];
}

static const char *field_owner(struct pxi_checker *k, const struct pxi_column *c)
{
    return pxi_concat(k->arena, "field '", c->name.text, "'");
}

/* The C name, before it is known whether it is taken; NULL after a diagnostic. */
static const char *make_c_name(struct pxi_checker *k, const struct pxi_column *c)
{
    const struct pxi_attr *named = pxi_find_attr(&c->attrs, PXI_A_NAME);
    if (named)
        return pxi_check_c_name(k, named);
    if (!pxi_name_shape(c->name.text)) {
        pxi_diag(k->diags, NAME_SHAPE, c->name.at, c->name.text);
        return NULL;
    }
    const char *name = pxi_snake(k->arena, c->name.text);
    const char *reserved = name ? pxi_name_reserved(name) : NULL;
    if (reserved)
        pxi_diag(k->diags, NAME_RESERVED, c->name.at, c->name.text, name, reserved);
    return reserved ? NULL : name;
}

/* A name and its hash: the names of a field in the schema, in C and in the database are often one
 * and the same. */
struct hashed {
    const char *name;
    uint32_t hash;
};
static uint32_t hash_of(const char *name, const struct hashed *known)
{
    return name == known->name ? known->hash : pxi_name_hash(name);
}

/* The C name, or NULL after a diagnostic. */
static const char *check_name(struct pxi_checker *k, const struct pxi_model *m,
                              const struct pxi_column *c, uint32_t item, struct hashed *known)
{
    *known = (struct hashed){ c->name.text, pxi_name_hash(c->name.text) };
    uint32_t other = pxi_set_add_hashed(&k->fields, c->name.text, known->hash, item);
    if (other != PXI_SET_NONE) {
        pxi_diag(k->diags, TWICE, c->name.at, "field", c->name.text,
                 pxi_check_line(k, field_of(m, other)->name.at.start));
        return NULL;
    }
    if (pxi_find_attr(&c->attrs, PXI_A_IGNORE))
        return c->name.text; /* C does not see it */
    const char *name = make_c_name(k, c);
    if (!name)
        return NULL;
    *known = (struct hashed){ name, hash_of(name, known) };
    other = pxi_set_add_hashed(&k->c_fields, name, known->hash, item);
    if (other == PXI_SET_NONE)
        return name;
    pxi_diag(k->diags, NAME_CLASH, c->name.at, field_owner(k, c), name,
             field_owner(k, field_of(m, other)));
    return NULL;
}

static void check_db_column(struct pxi_checker *k, const struct pxi_model *m,
                            const struct pxi_column *c, uint32_t item, const struct hashed *known)
{
    const char *name = c->db_name == c->c_name ? c->c_name : pxi_lower(k->arena, c->db_name);
    if (!name)
        return;
    uint32_t other = pxi_set_add_hashed(&k->db_fields, name, hash_of(name, known), item);
    if (other != PXI_SET_NONE) {
        pxi_diag(k->diags, DB_CLASH, c->name.at, field_owner(k, c), c->db_name,
                 field_owner(k, field_of(m, other)));
    }
}

/* ---- types ---- */

const char *pxi_check_type_text(struct pxi_checker *k, const struct pxi_column *c)
{
    return c->list ? pxi_concat(k->arena, c->type_name, "[]") : c->type_name;
}

static bool small_number(const struct pxi_value *v, int low, int high, uint8_t *out)
{
    int n = 0;
    if (v->kind != PXI_VALUE_NUMBER || v->name)
        return false;
    size_t size = strlen(v->text);
    if (size > 2 || strspn(v->text, "0123456789") != size)
        return false;
    for (const char *p = v->text; *p; p++)
        n = n * 10 + (*p - '0');
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
    pxi_diag(k->diags, TYPE_ARGS, c->type_at, c->type_name, takes);
    return false;
}

/* What other languages call our types. */
static const char *foreign_type(const char *name)
{
    static const char *const pairs[][2] = {
        { "Bool", "Boolean" },       { "Integer", "Int" },    { "Long", "BigInt" },
        { "Text", "String" },        { "Varchar", "String" }, { "Char", "String" },
        { "Double", "Float" },       { "Real", "Float" },     { "Money", "Decimal" },
        { "Timestamp", "DateTime" }, { "Blob", "Bytes" },     { "Binary", "Bytes" },
        { "Cuid", "Ulid" },          { "Guid", "Uuid" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!strcasecmp(pairs[i][0], name))
            return pairs[i][1];
    }
    return NULL;
}

static void unknown_type(struct pxi_checker *k, const struct pxi_column *c)
{
    struct pxi_suggest s = { .word = c->type_name };
    s.best = foreign_type(c->type_name);
    if (!s.best && !pxi_diag_full(k->diags) && k->offers >= k->types.size) {
        k->offers -= k->types.size;
        for (uint32_t i = 0; i < k->types.size; i++) {
            if (k->types.table[i])
                pxi_suggest_offer(&s, k->types.table[i]->name);
        }
    }
    struct pxi_span at = { c->type_at.start, (uint32_t)strlen(c->type_name) };
    pxi_diag(k->diags, UNKNOWN_TYPE, at, c->type_name, s.best);
}

static bool check_type(struct pxi_checker *k, struct pxi_column *c)
{
    if (c->unknown) {
        unknown_type(k, c);
        return false;
    }
    if (c->list &&
        !pxi_check_pg_only(k, c->type_at, "a list", "use a Json field, or a model of its own"))
        return false;
    if (c->type == PRAX_T_Numeric &&
        !pxi_check_pg_only(k, c->type_at, "Numeric", "use Decimal(18, 4) or String"))
        return false;
    return check_type_args(k, c);
}

/* ---- attributes ---- */

#define BIT(word) (UINT64_C(1) << PXI_A_##word)
_Static_assert(PXI_ATTR_WORDS <= 64, "a set of words is 64 bits");

static bool is_integer(const struct pxi_column *c)
{
    return !c->list &&
           (c->type == PRAX_T_Int || c->type == PRAX_T_SmallInt || c->type == PRAX_T_BigInt);
}

void pxi_check_auto(struct pxi_checker *k, struct pxi_column *c, const char *what,
                    struct pxi_span at)
{
    if (!pxi_find_attr(&c->attrs, PXI_A_ID)) {
        pxi_diag(k->diags, AUTO_NO_ID, at, what);
    } else if (!is_integer(c)) {
        pxi_diag(k->diags, AUTO_TYPE, at, pxi_check_type_text(k, c), what);
    } else {
        c->is_auto = true;
        c->def = PRAX_D_AUTO;
    }
}

static void check_id(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a)
{
    c->id = pxi_check_no_args(k, a);
    if (c->optional)
        pxi_diag(k->diags, OPTIONAL_ID, c->type_at);
}

static void check_version(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a)
{
    if (!pxi_check_no_args(k, a))
        return;
    c->version = is_integer(c) && !c->optional;
    if (!c->version) {
        const char *type = pxi_check_type_text(k, c);
        pxi_diag(k->diags, ATTRIBUTE_TYPE, a->at, a->name, "a whole number without ?",
                 c->optional ? pxi_concat(k->arena, type, "?") : type);
    }
}

static void check_updated_at(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a)
{
    if (!pxi_check_no_args(k, a))
        return;
    c->updated_at = c->type == PRAX_T_DateTime && !c->list;
    if (!c->updated_at) {
        pxi_diag(k->diags, ATTRIBUTE_TYPE, a->at, a->name, "DateTime", pxi_check_type_text(k, c));
    } else if (c->def == PRAX_D_NONE) {
        c->def = PRAX_D_NOW;
    } else if (c->def != PRAX_D_NOW) {
        pxi_diag(k->diags, ATTRIBUTE_CLASH, a->at, a->name, "@default",
                 "a new row has the time of its making");
    }
}

static void check_generated(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a)
{
    static const char *const names[] = { "sql", "stored" };
    static const struct pxi_args args = { names, 2, 1,
                                          "its SQL in quotes, and stored: true or false" };
    const struct pxi_value *found[2];
    if (!pxi_check_args(k, a, &args, found))
        return;
    const struct pxi_value *sql = found[0], *stored = found[1];
    bool no = stored && stored->kind == PXI_VALUE_WORD && !strcmp(stored->text, "false");
    bool yes = stored && stored->kind == PXI_VALUE_WORD && !strcmp(stored->text, "true");
    if (!sql || sql->kind != PXI_VALUE_TEXT || (stored && !yes && !no)) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name, args.takes);
        return;
    }
    if (no && k->schema->database[PXI_DB_POSTGRES])
        pxi_diag(k->diags, VIRTUAL, stored->at);
    struct pxi_column_more *more = pxi_column_more(k->arena, c);
    if (more && pxi_check_sql(k, sql->text, a->name, sql->at)) {
        more->generated = sql->text;
        more->stored = !no;
    }
}

static void check_was(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a)
{
    struct pxi_column_more *more = pxi_column_more(k->arena, c);
    if (more)
        more->was = pxi_check_map(k, a, "column");
}

/* Attributes of columns that do what nothing else depends on. */
static void check_attr(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a)
{
    switch (a->word) {
    case PXI_A_ID:
        check_id(k, c, a);
        break;
    case PXI_A_AUTO:
        if (pxi_check_no_args(k, a))
            pxi_check_auto(k, c, "@auto", a->at);
        break;
    case PXI_A_DEFAULT:
        pxi_check_default(k, c, a);
        break;
    case PXI_A_DB:
        pxi_check_native(k, c, a);
        break;
    case PXI_A_OMIT:
        c->omit = pxi_check_no_args(k, a);
        break;
    case PXI_A_IGNORE:
        c->ignore = pxi_check_no_args(k, a);
        break;
    case PXI_A_VERSION:
        check_version(k, c, a);
        break;
    case PXI_A_GENERATED:
        check_generated(k, c, a);
        break;
    case PXI_A_VALIDATE:
        pxi_check_validate(k, c, a);
        break;
    default:
        break;
    }
}

/* Two attributes that exclude each other, and why. */
static const struct clash {
    uint64_t word, others;
    const char *why;
} clashes[] = {
    { BIT(AUTO), BIT(DEFAULT), "@auto lets the database count" },
    { BIT(ID), BIT(UNIQUE), "a primary key is unique anyway" },
    { BIT(ID), BIT(OMIT), "a row is always read with its key" },
    { BIT(ID), BIT(GENERATED), "SQLite cannot compute a primary key" },
    { BIT(VERSION), BIT(ID) | BIT(DEFAULT) | BIT(AUTO) | BIT(GENERATED) | BIT(VALIDATE) | BIT(OMIT),
      "the library counts versions from 1" },
    { BIT(GENERATED), BIT(DEFAULT) | BIT(AUTO) | BIT(VALIDATE) | BIT(UPDATED_AT) | BIT(UPDATED_AT_),
      "the database computes it" },
    { BIT(UPDATED_AT), BIT(UPDATED_AT_), "they are the same" },
    { BIT(IGNORE),
      BIT(ID) | BIT(UNIQUE) | BIT(AUTO) | BIT(VERSION) | BIT(UPDATED_AT) | BIT(UPDATED_AT_) |
          BIT(OMIT) | BIT(VALIDATE) | BIT(NAME),
      "C does not know the field" },
};

static const struct pxi_attr *attr_in(const pxi_attrs *attrs, uint64_t words)
{
    for (uint32_t i = 0; i < attrs->count; i++) {
        if (words >> attrs->items[i].word & 1)
            return &attrs->items[i];
    }
    return NULL;
}

/* One diagnostic at most; what clashes is not looked at any further. */
static bool check_clashes(struct pxi_checker *k, const struct pxi_column *c, uint64_t words)
{
    for (size_t i = 0; i < sizeof clashes / sizeof *clashes; i++) {
        const struct clash *x = &clashes[i];
        if (!(words & x->word) || !(words & x->others))
            continue;
        const struct pxi_attr *a = attr_in(&c->attrs, x->word), *b = attr_in(&c->attrs, x->others);
        if (a && b)
            pxi_diag(k->diags, ATTRIBUTE_CLASH, a->at, a->name, b->name, x->why);
        return false;
    }
    return true;
}

/* The words of the attributes; one that stands twice is a diagnostic. */
static uint64_t words_of(struct pxi_checker *k, const pxi_attrs *attrs)
{
    uint64_t words = 0;
    for (uint32_t i = 0; i < attrs->count; i++) {
        const struct pxi_attr *a = &attrs->items[i];
        uint64_t bit = UINT64_C(1) << a->word;
        if (words & bit && a->word != PXI_A_VALIDATE)
            pxi_diag(k->diags, ATTRIBUTE_TWICE, pxi_attr_name_at(a), a->name);
        words |= bit;
    }
    return words;
}

static void check_ignored(struct pxi_checker *k, const struct pxi_column *c)
{
    bool filled =
        c->optional || c->def == PRAX_D_VALUE || c->def == PRAX_D_SQL || c->more->generated;
    if (!filled)
        pxi_diag(k->diags, IGNORED_REQUIRED, c->name.at, c->name.text);
}

static void check_column(struct pxi_checker *k, struct pxi_model *m, uint32_t i)
{
    struct pxi_column *c = &m->columns.items[i];
    struct hashed known;
    c->c_name = check_name(k, m, c, i, &known);
    c->db_name = c->name.text;
    bool typed = check_type(k, c);
    uint64_t words = words_of(k, &c->attrs);
    k->words |= words;
    const struct pxi_attr *a = words & BIT(MAP) ? pxi_find_attr(&c->attrs, PXI_A_MAP) : NULL;
    if (a)
        c->db_name = pxi_check_map(k, a, "column");
    if (words & BIT(WAS))
        check_was(k, c, pxi_find_attr(&c->attrs, PXI_A_WAS));
    if (words & BIT(RELATION)) {
        a = pxi_find_attr(&c->attrs, PXI_A_RELATION);
        pxi_diag(k->diags, ATTRIBUTE_PLACE, a->at, a->name, "a field whose type is a model", NULL);
    }
    bool good = typed && check_clashes(k, c, words);
    for (uint32_t j = 0; good && j < c->attrs.count && !pxi_diag_full(k->diags); j++)
        check_attr(k, c, &c->attrs.items[j]);
    a = good ? attr_in(&c->attrs, BIT(UPDATED_AT) | BIT(UPDATED_AT_)) : NULL;
    if (a)
        check_updated_at(k, c, a);
    if (good && words & BIT(IGNORE))
        check_ignored(k, c);
    if (c->c_name && c->db_name)
        check_db_column(k, m, c, i, &known);
}

static void check_relation_field(struct pxi_checker *k, struct pxi_model *m, uint32_t i)
{
    struct pxi_column *c = &m->relations.items[i].field;
    struct hashed known;
    c->c_name = check_name(k, m, c, PXI_RELATION_ITEM | i, &known);
}

static void check_one_version(struct pxi_checker *k, const struct pxi_model *m)
{
    const struct pxi_column *first = NULL;
    for (uint32_t i = 0; i < m->columns.count; i++) {
        const struct pxi_column *c = &m->columns.items[i];
        if (c->version && first)
            pxi_diag(k->diags, VERSION_TWICE, c->name.at, pxi_check_line(k, first->name.at.start));
        if (c->version && !first)
            first = c;
    }
}

/* A column's name before a rename is no other's now. */
static void check_old_name(struct pxi_checker *k, const struct pxi_model *m,
                           const struct pxi_column *c)
{
    struct pxi_span at = pxi_find_attr(&c->attrs, PXI_A_WAS)->at;
    const char *name = pxi_lower(k->arena, c->more->was);
    uint32_t other = name ? pxi_set_find(&k->db_fields, name) : PXI_SET_NONE;
    if (c->db_name && !strcmp(c->more->was, c->db_name)) {
        pxi_diag(k->diags, WAS_SAME, at, field_owner(k, c), c->more->was);
    } else if (other != PXI_SET_NONE && field_of(m, other) != c) {
        pxi_diag(k->diags, WAS_TAKEN, at, c->more->was, field_owner(k, field_of(m, other)),
                 field_owner(k, c));
    }
}

/* What needs the names of all columns. */
static void check_late(struct pxi_checker *k, const struct pxi_model *m, struct pxi_column *c)
{
    const struct pxi_attr *check = pxi_find_attr(&c->attrs, PXI_A_CHECK);
    if (c->more->was)
        check_old_name(k, m, c);
    if (!check)
        return;
    const struct pxi_value *v = check->args;
    if (check->n_args != 1 || v->kind != PXI_VALUE_TEXT || v->name) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, check->at, check->name,
                 "SQL in quotes, or an expression such as age >= 0");
        return;
    }
    struct pxi_column_more *more = pxi_column_more(k->arena, c);
    if (more)
        more->check = pxi_check_expression(k, m, check, v);
}

void pxi_check_columns(struct pxi_checker *k, struct pxi_model *m)
{
    pxi_set_clear(&k->fields);
    pxi_set_clear(&k->c_fields);
    pxi_set_clear(&k->db_fields);
    k->words = 0;
    for (uint32_t i = 0; i < m->columns.count; i++)
        check_column(k, m, i);
    for (uint32_t i = 0; i < m->relations.count; i++)
        check_relation_field(k, m, i);
    bool late = k->words & (BIT(CHECK) | BIT(WAS));
    for (uint32_t i = 0; late && i < m->columns.count && !pxi_diag_full(k->diags); i++)
        check_late(k, m, &m->columns.items[i]);
    if (k->words & BIT(VERSION))
        check_one_version(k, m);
}

/* check_default.c - what @default may say of a column of each type, and what it means.
 *
 * Literals are read by the library's own functions, so a default means what the same text means to
 * a program. Numbers are kept as numbers, everything else as canonical text.
 */
#include "orm/base/json.h"
#include "orm/base/value.h"
#include "orm/schema/check.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What a default of each type looks like, for the diagnostic. */
static const char *const default_forms[] = {
    [PRAX_T_Int] = "a whole number",
    [PRAX_T_SmallInt] = "a whole number",
    [PRAX_T_BigInt] = "a whole number",
    [PRAX_T_Boolean] = "true or false",
    [PRAX_T_Float] = "a number",
    [PRAX_T_Decimal] = "a number with no more digits behind the point than its scale",
    [PRAX_T_Numeric] = "a number",
    [PRAX_T_String] = "a string",
    [PRAX_T_Uuid] = "uuid(), or 36 characters such as \"123e4567-e89b-12d3-a456-426614174000\"",
    [PRAX_T_Ulid] = "ulid(), or 26 characters such as \"01ARZ3NDEKTSV4RRFFQ69G5FAV\"",
    [PRAX_T_DateTime] = "now(), or a string such as \"2026-01-31T10:00:00Z\"",
    [PRAX_T_Date] = "a string such as \"2026-01-31\"",
    [PRAX_T_Time] = "a string such as \"10:00\" or \"10:00:00.25\"",
    [PRAX_T_Bytes] = "a string of hexadecimal digits, such as \"cafe01\" or \"\\\\xcafe01\"",
    [PRAX_T_Json] = "a string with JSON, such as \"{}\"",
    [PRAX_T_Enum] = "one of its labels",
};

static bool is_function(const char *word)
{
    static const char *const words[] = { "now", "uuid", "ulid", "autoincrement", "dbgenerated" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(words[i], word))
            return true;
    }
    return false;
}

/* The functions that make a value of one type. */
static const struct maker {
    const char *name, *type_name;
    enum prax_type type;
    enum prax_default def;
} makers[] = {
    { "now", "DateTime", PRAX_T_DateTime, PRAX_D_NOW },
    { "uuid", "Uuid", PRAX_T_Uuid, PRAX_D_UUID },
    { "ulid", "Ulid", PRAX_T_Ulid, PRAX_D_ULID },
};
enum { MAKERS = sizeof makers / sizeof *makers };

/* MAKERS: none of them. */
static size_t find_maker(const char *name)
{
    size_t i = 0;
    while (i < MAKERS && strcmp(makers[i].name, name) != 0)
        i++;
    return i;
}

/* uuid() of Prisma makes a String. */
static const char *maker_hint(struct pxi_checker *k, const struct pxi_column *c,
                              const struct pxi_value *v)
{
    size_t i = v->kind == PXI_VALUE_CALL && !c->list ? find_maker(v->text) : MAKERS;
    if (i == MAKERS)
        return NULL;
    return pxi_concat(k->arena, v->text, "() makes a ", makers[i].type_name,
                      ": make that the field's type");
}

/* Is it this word, in letters of either case, with quotes or without? */
static bool says(const struct pxi_value *v, const char *word)
{
    bool plain = v->kind == PXI_VALUE_WORD || v->kind == PXI_VALUE_TEXT;
    return plain && !strcasecmp(v->text, word);
}

static bool is_number(enum prax_type type)
{
    return type == PRAX_T_Int || type == PRAX_T_SmallInt || type == PRAX_T_BigInt ||
           type == PRAX_T_Float || type == PRAX_T_Decimal || type == PRAX_T_Numeric;
}

/* What to write instead, where that is known; or NULL. */
static const char *default_hint(struct pxi_checker *k, const struct pxi_column *c,
                                const struct pxi_value *v)
{
    const char *maker = maker_hint(k, c, v);
    if (maker)
        return maker;
    if (v->kind == PXI_VALUE_WORD && says(v, "null"))
        return "a field with ? is NULL unless it is given: remove @default";
    if (is_number(c->type) && v->kind == PXI_VALUE_TEXT && !c->list)
        return "write it without quotes";
    if (c->type == PRAX_T_Enum && v->kind == PXI_VALUE_TEXT)
        return "write the label without quotes";
    if (c->type == PRAX_T_String && v->kind != PXI_VALUE_CALL && !c->list)
        return "put it in quotes";
    if (c->type == PRAX_T_Boolean && (says(v, "true") || says(v, "false")))
        return says(v, "true") ? "write true" : "write false";
    if (v->kind == PXI_VALUE_WORD && is_function(v->text))
        return "a function has parentheses behind it: now()";
    return c->list ? "dbgenerated(\"SQL\") takes what the database understands" : NULL;
}

static void wrong_default(struct pxi_checker *k, const struct pxi_column *c,
                          const struct pxi_value *v)
{
    const char *form = c->list ? "[]" : default_forms[c->type];
    pxi_diag(k->diags, DEFAULT_TYPE, v->at, pxi_check_type_text(k, c), form, default_hint(k, c, v));
}

static void out_of_range(struct pxi_checker *k, const struct pxi_column *c,
                         const struct pxi_value *v)
{
    pxi_diag(k->diags, DEFAULT_RANGE, v->at, v->text, c->type_name);
}

static void set_text(struct pxi_column *c, const char *text)
{
    c->text = text;
    c->has_text = text;
    c->def = text ? PRAX_D_VALUE : PRAX_D_NONE;
}

static void set_number(struct pxi_column *c, int64_t number)
{
    c->number = number;
    c->def = PRAX_D_VALUE;
}

/* dbgenerated("SQL") */
static void default_sql(struct pxi_checker *k, struct pxi_column *c, const struct pxi_value *v)
{
    if (v->items != 1 || v[1].kind != PXI_VALUE_TEXT || v[1].name) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, v->at, "dbgenerated", "one string of SQL");
    } else if (pxi_check_sql(k, v[1].text, "dbgenerated", v[1].at)) {
        c->text = v[1].text;
        c->has_text = true;
        c->def = PRAX_D_SQL;
    }
}

static void unknown_function(struct pxi_checker *k, const struct pxi_value *v)
{
    const char *hint =
        "the functions are now(), uuid(), ulid(), autoincrement() and dbgenerated(\"SQL\")";
    if (!strcmp(v->text, "cuid") || !strcmp(v->text, "nanoid"))
        hint = "ulid() is such an id: make the field's type Ulid";
    pxi_diag(k->diags, UNKNOWN_FUNCTION, v->at, v->text, hint);
}

static void default_call(struct pxi_checker *k, struct pxi_column *c, const struct pxi_value *v)
{
    if (!strcmp(v->text, "dbgenerated")) {
        default_sql(k, c, v);
        return;
    }
    size_t i = find_maker(v->text);
    bool is_auto = !strcmp(v->text, "autoincrement");
    if (i == MAKERS && !is_auto) {
        unknown_function(k, v);
    } else if (v->items > 0) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, v->at, v->text, "no arguments");
    } else if (is_auto) {
        pxi_check_auto(k, c, "autoincrement()", v->at);
    } else if (c->list || c->type != makers[i].type) {
        wrong_default(k, c, v);
    } else {
        c->def = makers[i].def;
    }
}

static void default_label(struct pxi_checker *k, struct pxi_column *c, const struct pxi_value *v)
{
    const struct pxi_enum *e = c->enum_type;
    struct pxi_suggest s = { .word = v->text };
    for (uint32_t i = 0; i < e->labels.count; i++) {
        if (!strcmp(e->labels.items[i].name.text, v->text)) {
            set_number(c, i + 1);
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
        set_number(c, yes);
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
    int64_t n = strtoll(v->text, NULL, 10);
    if (strchr(v->text, '.')) {
        wrong_default(k, c, v);
    } else if (errno || n > max || n < -max - 1) {
        out_of_range(k, c, v);
    } else {
        set_number(c, n);
    }
}

/* One more digit behind those of *units; false if there are more than `max` then. */
static bool add_digit(int64_t *units, unsigned *digits, unsigned max, int digit)
{
    if (*units == 0 && digit == 0)
        return true;
    if (*digits == max)
        return false;
    *units = *units * 10 + digit;
    ++*digits;
    return true;
}

/* 12.5 with scale 2 is 1250 units. */
static void default_decimal(struct pxi_checker *k, struct pxi_column *c, const struct pxi_value *v)
{
    const char *point = strchr(v->text, '.');
    unsigned behind = point ? (unsigned)strlen(point + 1) : 0, digits = 0;
    int64_t units = 0;
    bool fits = true;
    if (behind > c->scale) {
        wrong_default(k, c, v);
        return;
    }
    for (const char *p = v->text; *p && fits; p++) {
        if (*p >= '0' && *p <= '9')
            fits = add_digit(&units, &digits, c->precision, *p - '0');
    }
    for (; behind < c->scale && fits; behind++)
        fits = add_digit(&units, &digits, c->precision, 0);
    if (fits) {
        set_number(c, v->text[0] == '-' ? -units : units);
    } else {
        out_of_range(k, c, v);
    }
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
    case PRAX_T_Numeric:
        set_text(c, v->text);
        break;
    default:
        wrong_default(k, c, v);
    }
}

/* "\xCAFE" or "CAFE": "cafe". NULL if they are no bytes, or memory is out. */
static const char *hex_digits(struct pxi_checker *k, const char *text)
{
    if (text[0] == '\\' && text[1] == 'x')
        text += 2;
    size_t size = strspn(text, "0123456789abcdefABCDEF");
    return text[size] == 0 && size % 2 == 0 ? pxi_lower(k->arena, text) : NULL;
}

static const char *upper_ulid(struct pxi_checker *k, const char *text)
{
    prax_ulid ulid;
    return prax_ulid_parse(text, &ulid) == 0 ? pxi_upper(k->arena, text) : NULL;
}

/* Types that are written in quotes and kept as text. NULL: not such a text, or out of memory. */
static const char *text_of(struct pxi_checker *k, const struct pxi_column *c, const char *text)
{
    uint8_t bytes[16];
    size_t at;
    switch (c->type) {
    case PRAX_T_String:
        return text;
    case PRAX_T_Json:
        return pxi_json_check(text, strlen(text), &at) ? text : NULL;
    case PRAX_T_Uuid:
        return pxi_uuid_read(text, strlen(text), bytes) ? pxi_lower(k->arena, text) : NULL;
    case PRAX_T_Ulid:
        return upper_ulid(k, text);
    case PRAX_T_Bytes:
        return hex_digits(k, text);
    default:
        return NULL;
    }
}

static void default_text(struct pxi_checker *k, struct pxi_column *c, const struct pxi_value *v)
{
    prax_time time;
    prax_date date;
    prax_tod tod;
    if (c->type == PRAX_T_DateTime && prax_time_parse(v->text, &time) == 0) {
        set_number(c, time.us);
    } else if (c->type == PRAX_T_Date && prax_date_parse(v->text, &date) == 0) {
        set_number(c, date.days);
    } else if (c->type == PRAX_T_Time && prax_tod_parse(v->text, &tod) == 0) {
        set_number(c, tod.us);
    } else {
        set_text(c, text_of(k, c, v->text));
        if (!c->text && !k->arena->full)
            wrong_default(k, c, v);
    }
}

void pxi_check_default(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a)
{
    const struct pxi_value *v = a->args;
    if (!a->n_args || v->name || pxi_value_next(v, 0) != a->n_args) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name, "one value");
    } else if (v->kind == PXI_VALUE_CALL) {
        default_call(k, c, v);
    } else if (c->list && v->kind == PXI_VALUE_LIST && v->items == 0) {
        set_text(c, "");
    } else if (c->list || v->kind == PXI_VALUE_LIST) {
        wrong_default(k, c, v);
    } else if (v->kind == PXI_VALUE_WORD) {
        default_word(k, c, v);
    } else if (v->kind == PXI_VALUE_NUMBER) {
        default_number(k, c, v);
    } else {
        default_text(k, c, v);
    }
}

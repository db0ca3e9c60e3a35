/* check_rule.c - @validate: what a value must be, checked in C before a write.
 *
 *   @validate(email, length(1, 80), oneOf("a", "b"))      several rules at once
 *   @validate.email @validate.length(max: 80)             or each on its own
 *
 * A rule becomes one of prax/model.h's kinds with its bounds in the column's own units. A pattern
 * is compiled here once, to know that it can be; patterns whose repetitions would fill the memory
 * of regcomp are refused before.
 */
#include "orm/base/value.h"
#include "orm/schema/check.h"
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

enum { PATTERN_COST_MAX = 20000, PATTERN_DEPTH_MAX = 32 };

/* The types that a rule is for. */
enum on { ON_TEXT = 1, ON_BYTES = 2, ON_LIST = 4, ON_NUMBER = 8 };

enum rule_word {
    EMAIL,
    URL,
    REGEX,
    LENGTH,
    MIN_LENGTH,
    MAX_LENGTH,
    RANGE,
    ONE_OF,
    POSITIVE,
    NOT_EMPTY,
    RULES
};
static const struct rule_def {
    const char *name;
    uint8_t kind, on;
    const char *types, *takes;
} rules[RULES] = {
    [EMAIL] = { "email", PRAX_RULE_EMAIL, ON_TEXT, "String", "no arguments" },
    [URL] = { "url", PRAX_RULE_URL, ON_TEXT, "String", "no arguments" },
    [REGEX] = { "regex", PRAX_RULE_REGEX, ON_TEXT, "String", "one pattern in quotes" },
    [LENGTH] = { "length", PRAX_RULE_LENGTH, ON_TEXT | ON_BYTES | ON_LIST,
                 "String, Bytes and lists", "the least and the most, such as length(1, 80)" },
    [MIN_LENGTH] = { "minLength", PRAX_RULE_LENGTH, ON_TEXT | ON_BYTES | ON_LIST,
                     "String, Bytes and lists", "one number, such as minLength(1)" },
    [MAX_LENGTH] = { "maxLength", PRAX_RULE_LENGTH, ON_TEXT | ON_BYTES | ON_LIST,
                     "String, Bytes and lists", "one number, such as maxLength(80)" },
    [RANGE] = { "range", PRAX_RULE_RANGE, ON_NUMBER, "numbers",
                "the least and the most, such as range(0, 100) or range(min: 0)" },
    [ONE_OF] = { "oneOf", PRAX_RULE_ONE_OF, ON_TEXT, "String",
                 "strings, such as oneOf(\"a\", \"b\")" },
    [POSITIVE] = { "positive", PRAX_RULE_RANGE, ON_NUMBER, "numbers", "no arguments" },
    [NOT_EMPTY] = { "notEmpty", PRAX_RULE_NOT_EMPTY, ON_TEXT | ON_BYTES | ON_LIST,
                    "String, Bytes and lists", "no arguments" },
};

/* A rule as it was written: its arguments are args[n]. */
struct rule_use {
    const struct rule_def *def;
    const struct pxi_value *args;
    uint32_t n;
    bool parens;
    struct pxi_span at;
};

static unsigned kind_of(const struct pxi_column *c)
{
    if (c->list)
        return ON_LIST;
    switch (c->type) {
    case PRAX_T_String:
        return ON_TEXT;
    case PRAX_T_Bytes:
        return ON_BYTES;
    case PRAX_T_Int:
    case PRAX_T_SmallInt:
    case PRAX_T_BigInt:
    case PRAX_T_Float:
    case PRAX_T_Decimal:
        return ON_NUMBER;
    default:
        return 0;
    }
}

static void wrong_args(struct pxi_checker *k, const struct rule_use *u, const char *hint)
{
    pxi_diag(k->diags, RULE_ARGS, u->at, u->def->name, u->def->takes, hint);
}

/* ---- patterns ---- */

/* Behind "[...]" of a pattern. */
static const char *skip_class(const char *p)
{
    p++;
    p += *p == '^';
    p += *p == ']';
    while (*p && *p != ']') {
        if (p[0] == '[' && p[1] && strchr(":.=", p[1])) {
            const char end[3] = { p[1], ']', 0 };
            const char *q = strstr(p + 2, end);
            p = q ? q + 1 : p;
        }
        p++;
    }
    return *p ? p + 1 : p;
}

/* How often {m,n} at *p repeats what stands before it; *p moves behind it. */
static unsigned long repetition(const char **p)
{
    unsigned long most = 1;
    for ((*p)++; **p && **p != '}'; (*p)++) {
        if (**p >= '0' && **p <= '9') {
            char *end;
            unsigned long n = strtoul(*p, &end, 10);
            most = n > most ? n : most;
            *p = end - 1;
        }
    }
    *p += **p == '}';
    return most < PATTERN_COST_MAX ? most : PATTERN_COST_MAX;
}

/* The places of the automaton that regcomp will make, roughly: a{9} are nine. */
static unsigned long pattern_cost(const char *p)
{
    unsigned long open[PATTERN_DEPTH_MAX] = { 0 }, last = 0;
    unsigned depth = 0;
    while (*p) {
        if (*p == '(') {
            if (++depth == PATTERN_DEPTH_MAX)
                return PATTERN_COST_MAX + 1;
            open[depth] = 0;
            last = 0;
            p++;
            continue;
        }
        if (*p == '{') {
            open[depth] += last * (repetition(&p) - 1);
        } else if (*p == ')' && depth > 0) {
            last = open[depth--] + 1;
            open[depth] += last;
            p++;
        } else {
            last = 1;
            open[depth]++;
            p = *p == '[' ? skip_class(p) : p + 1 + (p[0] == '\\' && p[1]);
        }
        if (open[depth] > PATTERN_COST_MAX)
            return PATTERN_COST_MAX + 1;
    }
    while (depth > 0) {
        depth--;
        open[depth] += open[depth + 1];
    }
    return open[0];
}

static void check_pattern(struct pxi_checker *k, const struct rule_use *u, struct pxi_rule *r)
{
    const struct pxi_value *v = u->args;
    if (u->n != 1 || v->kind != PXI_VALUE_TEXT || v->name) {
        wrong_args(k, u, NULL);
        return;
    }
    if (pattern_cost(v->text) > PATTERN_COST_MAX) {
        pxi_diag(k->diags, REGEX, v->at, "its repetitions are too many");
        return;
    }
    regex_t regex;
    char why[128];
    int error = regcomp(&regex, v->text, REG_EXTENDED | REG_NOSUB);
    if (error == 0) {
        regfree(&regex);
        r->pattern = v->text;
    } else if (error == REG_ESPACE) {
        k->arena->full = true;
    } else {
        regerror(error, &regex, why, sizeof why);
        pxi_diag(k->diags, REGEX, v->at, why);
    }
}

/* ---- numbers ---- */

/* The number of a bound in the column's units: 12.5 of Decimal(5, 2) is 1250. */
static bool bound_of(const struct pxi_column *c, const struct pxi_value *v, bool count,
                     int64_t *out)
{
    if (v->kind != PXI_VALUE_NUMBER)
        return false;
    if (!count && c->type == PRAX_T_Decimal) {
        prax_decimal d;
        bool exact = false;
        return prax_decimal_parse(v->text, &d) == 0 &&
               pxi_decimal_rescale(d, c->scale, PXI_ROUND_NEAR, out, &exact) && exact;
    }
    errno = 0;
    *out = strtoll(v->text, NULL, 10);
    return !errno && !strchr(v->text, '.') && (!count || *out >= 0);
}

/* The arguments (least, most), also by name: found[0] and found[1]. */
static bool find_bounds(const struct rule_use *u, const struct pxi_value *found[2])
{
    uint32_t plain = 0;
    found[0] = found[1] = NULL;
    for (uint32_t i = 0; i < u->n; i = pxi_value_next(u->args, i)) {
        const struct pxi_value *v = &u->args[i];
        uint32_t at = plain;
        if (!v->name) {
            plain++;
        } else if (!strcmp(v->name, "min") || !strcmp(v->name, "max")) {
            at = v->name[1] == 'a';
        } else {
            return false;
        }
        if (at > 1 || found[at] || v->kind != PXI_VALUE_NUMBER)
            return false;
        found[at] = v;
    }
    return found[0] || found[1];
}

static void check_bounds(struct pxi_checker *k, const struct pxi_column *c,
                         const struct rule_use *u, struct pxi_rule *r)
{
    const struct pxi_value *found[2];
    bool count = r->kind == PRAX_RULE_LENGTH;
    if (!find_bounds(u, found)) {
        wrong_args(k, u, NULL);
        return;
    }
    if (u->def == &rules[MAX_LENGTH]) { /* its one number is the most */
        found[1] = found[0] ? found[0] : found[1];
        found[0] = NULL;
    }
    bool one = u->def == &rules[MIN_LENGTH] || u->def == &rules[MAX_LENGTH];
    if (one && (u->n != 1 || u->args->name)) {
        wrong_args(k, u, NULL);
    } else if ((found[0] && !bound_of(c, found[0], count, &r->min)) ||
               (found[1] && !bound_of(c, found[1], count, &r->max))) {
        wrong_args(k, u,
                   count ? "they are counts, from 0" : "they are numbers that the column can hold");
    } else if (r->min > r->max) {
        wrong_args(k, u, "the least is more than the most");
    }
}

static void check_real(struct pxi_checker *k, const struct rule_use *u, struct pxi_rule *r)
{
    const struct pxi_value *found[2];
    if (!find_bounds(u, found)) {
        wrong_args(k, u, NULL);
        return;
    }
    r->low = found[0] ? found[0]->text : NULL;
    r->high = found[1] ? found[1]->text : NULL;
    if (r->low && r->high && strtod(r->low, NULL) > strtod(r->high, NULL))
        wrong_args(k, u, "the least is more than the most");
}

/* ---- the rest ---- */

static void check_words(struct pxi_checker *k, const struct rule_use *u, struct pxi_rule *r)
{
    bool list = u->n > 0 && u->args[0].kind == PXI_VALUE_LIST && u->args[0].items + 1u == u->n;
    for (uint32_t i = list; i < u->n; i++) {
        if (u->args[i].kind != PXI_VALUE_TEXT || u->args[i].name) {
            wrong_args(k, u, NULL);
            return;
        }
        const char **word = pxi_list_add(k->arena, &r->words);
        if (word)
            *word = u->args[i].text;
    }
    if (u->n <= list)
        wrong_args(k, u, NULL);
}

static void check_rule(struct pxi_checker *k, struct pxi_column *c, const struct rule_use *u,
                       struct pxi_rule *r)
{
    bool real = c->type == PRAX_T_Float && !c->list;
    switch (u->def - rules) {
    case REGEX:
        check_pattern(k, u, r);
        break;
    case LENGTH:
    case MIN_LENGTH:
    case MAX_LENGTH:
        check_bounds(k, c, u, r);
        break;
    case RANGE:
        if (real) {
            check_real(k, u, r);
        } else {
            check_bounds(k, c, u, r);
        }
        break;
    case ONE_OF:
        check_words(k, u, r);
        break;
    case POSITIVE:
        r->min = 1;
        r->low = real ? "4.9406564584124654e-324" : NULL; /* the least double above 0 */
        break;
    default:
        break;
    }
    bool none = !strcmp(u->def->takes, "no arguments");
    if (none && u->parens)
        wrong_args(k, u, NULL);
}

static bool is_twice(const struct pxi_column_more *more, const struct rule_use *u,
                     const struct pxi_rule *r)
{
    for (uint32_t i = 0; i < more->rules.count; i++) {
        const struct pxi_rule *other = &more->rules.items[i];
        bool same_bound = (r->min > INT64_MIN && other->min > INT64_MIN) ||
                          (r->max < INT64_MAX && other->max < INT64_MAX) ||
                          (r->low && other->low) || (r->high && other->high);
        bool bounds =
            r->kind == PRAX_RULE_LENGTH || r->kind == PRAX_RULE_RANGE || r->kind == PRAX_RULE_REAL;
        if (other->kind == r->kind && (bounds ? same_bound : u->def != &rules[REGEX]))
            return true;
    }
    return false;
}

static void add_rule(struct pxi_checker *k, struct pxi_column *c, const struct rule_use *u)
{
    bool real = c->type == PRAX_T_Float && !c->list && u->def->kind == PRAX_RULE_RANGE;
    struct pxi_rule r = { .kind = real ? PRAX_RULE_REAL : u->def->kind };
    r.min = INT64_MIN;
    r.max = INT64_MAX;
    if (!(u->def->on & kind_of(c))) {
        pxi_diag(k->diags, RULE_TYPE, u->at, u->def->name, u->def->types,
                 pxi_check_type_text(k, c));
        return;
    }
    check_rule(k, c, u, &r);
    struct pxi_column_more *more = pxi_column_more(k->arena, c);
    if (!more)
        return;
    if (is_twice(more, u, &r)) {
        pxi_diag(k->diags, RULE_TWICE, u->at, u->def->name);
        return;
    }
    struct pxi_rule *room = pxi_list_add(k->arena, &more->rules);
    if (room)
        *room = r;
}

/* The rule of this name, or NULL after a diagnostic. */
static const struct rule_def *find_rule(struct pxi_checker *k, const char *name, struct pxi_span at)
{
    struct pxi_suggest s = { .word = name };
    for (size_t i = 0; i < RULES; i++) {
        if (!strcmp(rules[i].name, name))
            return &rules[i];
        pxi_suggest_offer(&s, rules[i].name);
    }
    pxi_diag(k->diags, UNKNOWN_RULE, at, name, s.best);
    return NULL;
}

void pxi_check_validate(struct pxi_checker *k, struct pxi_column *c, const struct pxi_attr *a)
{
    struct rule_use u = { .args = a->args, .n = a->n_args, .parens = a->parens };
    u.at = a->at;
    if (a->part_at) {
        u.def = find_rule(k, pxi_attr_part(a), pxi_attr_name_at(a));
        if (u.def)
            add_rule(k, c, &u);
        return;
    }
    if (!a->n_args) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name,
                 "rules, such as @validate(email, length(1, 80))");
    }
    for (uint32_t i = 0; i < a->n_args; i = pxi_value_next(a->args, i)) {
        const struct pxi_value *v = &a->args[i];
        if (v->name || (v->kind != PXI_VALUE_WORD && v->kind != PXI_VALUE_CALL)) {
            pxi_diag(k->diags, ATTRIBUTE_ARGS, v->at, a->name,
                     "rules, such as @validate(email, length(1, 80))");
            continue;
        }
        u = (struct rule_use){ .def = find_rule(k, v->text, v->at), .args = v + 1, .n = v->items };
        u.parens = v->kind == PXI_VALUE_CALL;
        u.at = v->at;
        if (u.def)
            add_rule(k, c, &u);
    }
}

/* check_relation.c - fields whose type is a model: which two of them are one relation, and of what
 * kind it is.
 *
 * Every relation has a field on both sides. Two fields belong together if their models are each
 * other's and their names are equal (or both absent), so all fields fall into groups by "both
 * models and the name": a group of two is a relation, a lonely field lacks its other side, and more
 * are told apart by names. That is one look-up a field, whatever the number of relations.
 *
 * Then the kind: two lists are many to many, a list and a single one are one to many, two single
 * ones are one to one. The key is what check_relation_key.c looks at.
 */
#include "orm/schema/check_relation.h"
#include "orm/schema/text.h"
#include <string.h>

struct pxi_group {
    struct pxi_side *first, *second;
    uint32_t count;
    bool told;
};

const char *pxi_side_text(struct pxi_checker *k, const struct pxi_side *s)
{
    return pxi_concat(&k->scratch, s->model->name.text, ".", s->relation->field.name.text);
}

/* ---- what @relation says ---- */

static const struct pxi_value **argument(struct pxi_relation_args *args, const char *name)
{
    const struct {
        const char *name;
        const struct pxi_value **room;
    } words[] = {
        { "fields", &args->fields },
        { "references", &args->references },
        { "onDelete", &args->on_delete },
        { "onUpdate", &args->on_update },
        { "map", &args->map },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(words[i].name, name))
            return words[i].room;
    }
    return NULL;
}

static void unknown_argument(struct pxi_checker *k, const struct pxi_value *v)
{
    static const char *const words[] = { "name",     "fields",   "references",
                                         "onDelete", "onUpdate", "map" };
    struct pxi_span at = { v->name_at, (uint32_t)strlen(v->name) };
    struct pxi_suggest s = { .word = v->name };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        pxi_suggest_offer(&s, words[i]);
    pxi_diag(k->diags, RELATION_ARG, at, v->name, s.best);
}

/* The name, given by its place or as name: ... */
static bool read_name(struct pxi_checker *k, struct pxi_side *s, const struct pxi_attr *a,
                      const struct pxi_value *v)
{
    if (v->kind != PXI_VALUE_TEXT || !*v->text || s->relation->name) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, v->at, a->name,
                 "one name in quotes, fields, references, onDelete, onUpdate and map");
        return false;
    }
    s->relation->name = v->text;
    return true;
}

struct pxi_relation_args pxi_side_args(const struct pxi_side *s)
{
    struct pxi_relation_args args = { 0 };
    const struct pxi_attr *a = pxi_find_attr(&s->relation->field.attrs, PXI_A_RELATION);
    for (uint32_t i = 0; a && i < a->n_args; i = pxi_value_next(a->args, i)) {
        const struct pxi_value *v = &a->args[i];
        const struct pxi_value **room = v->name ? argument(&args, v->name) : NULL;
        if (room)
            *room = v;
    }
    return args;
}

static bool read_argument(struct pxi_checker *k, struct pxi_relation_args *args,
                          const struct pxi_value *v)
{
    const struct pxi_value **room = argument(args, v->name);
    if (!room) {
        unknown_argument(k, v);
        return false;
    }
    if (*room) {
        pxi_diag(k->diags, PROPERTY_TWICE, v->at, v->name, pxi_check_line(k, (*room)->at.start));
        return false;
    }
    *room = v;
    return true;
}

static bool read_relation(struct pxi_checker *k, struct pxi_side *s, const struct pxi_attr *a)
{
    struct pxi_relation_args args = { 0 };
    bool good = true;
    for (uint32_t i = 0; i < a->n_args; i = pxi_value_next(a->args, i)) {
        const struct pxi_value *v = &a->args[i];
        bool name = !v->name || !strcmp(v->name, "name");
        good &= name ? read_name(k, s, a, v) : read_argument(k, &args, v);
    }
    s->mapped = args.map;
    return good;
}

static bool read_attrs(struct pxi_checker *k, struct pxi_side *s)
{
    const pxi_attrs *attrs = &s->relation->field.attrs;
    bool good = true;
    for (uint32_t i = 0; i < attrs->count && !pxi_diag_full(k->diags); i++) {
        const struct pxi_attr *a = &attrs->items[i];
        if (!pxi_check_once(k, attrs, i)) {
            good = false;
        } else if (a->word == PXI_A_RELATION) {
            good &= read_relation(k, s, a);
        } else if (a->word != PXI_A_NAME) {
            pxi_diag(k->diags, RELATION_ATTR, a->at, a->name);
            good = false;
        }
    }
    return good;
}

/* ---- who it is between ---- */

static bool check_target(struct pxi_checker *k, const struct pxi_side *s)
{
    const struct pxi_column *f = &s->relation->field;
    if (s->model->view) {
        pxi_diag(k->diags, RELATION_IN_VIEW, f->name.at, s->model->name.text);
    } else if (s->target->view) {
        pxi_diag(k->diags, RELATION_TARGET, f->type_at, f->type_name, "a view");
    } else if (s->target->ignore != s->model->ignore) {
        const struct pxi_model *ignored = s->target->ignore ? s->target : s->model;
        pxi_diag(k->diags, RELATION_IGNORED, f->name.at, ignored->name.text);
    } else if (f->list && f->optional) {
        pxi_diag(k->diags, RELATION_LIST_OPTIONAL, f->type_at);
    } else {
        return true;
    }
    return false;
}

static void read_side(struct pxi_relation_job *job, struct pxi_side *s)
{
    struct pxi_checker *k = job->k;
    const struct pxi_symbol *type = pxi_symbol_find(&k->types, s->relation->field.type_name);
    s->told = true;
    if (!type || type->owner != pxi_owner_model)
        return;
    s->relation->target =
        (uint32_t)((const struct pxi_model *)type->value - k->schema->models.items);
    s->target = &k->schema->models.items[s->relation->target];
    bool known = check_target(k, s), read = read_attrs(k, s);
    s->told = !known || !read;
}

/* Three letters for a model's number, in base 64 from '0' on. */
static void add_number(char *to, uint32_t n)
{
    for (int i = 0; i < 3; i++, n >>= 6)
        to[i] = (char)('0' + (n & 63));
}

/* Both models, the lower one first, and the name. */
static const char *group_name(struct pxi_relation_job *job, const struct pxi_side *s)
{
    uint32_t own = (uint32_t)(s->model - job->k->schema->models.items), other = s->relation->target;
    char models[7] = "";
    add_number(models, own < other ? own : other);
    add_number(models + 3, own < other ? other : own);
    return pxi_concat(&job->k->scratch, models, s->relation->name ? s->relation->name : "");
}

static void join_group(struct pxi_relation_job *job, struct pxi_side *s)
{
    struct pxi_arena *arena = &job->k->scratch;
    struct pxi_symbol symbol = { .name = group_name(job, s) };
    if (!symbol.name)
        return;
    const struct pxi_symbol *known = pxi_symbol_find(&job->groups, symbol.name);
    s->group =
        known ? (struct pxi_group *)known->value : pxi_arena_zero(arena, 1, sizeof *s->group);
    if (!s->group)
        return;
    if (!known) {
        symbol.value = s->group;
        pxi_symbol_add(&job->groups, &symbol);
        s->group->first = s;
    } else if (s->group->count == 1) {
        s->group->second = s;
    }
    s->group->count++;
}

/* ---- pairs ---- */

/* The same within a model, where both fields have the relation's name. */
static const char *self_to_add(struct pxi_checker *k, const struct pxi_side *s)
{
    const char *model = s->model->name.text, *given = s->relation->name;
    const char *name = pxi_concat(k->arena, "@relation(\"", given ? given : "tree", "\"");
    const char *line = s->relation->field.list
                           ? pxi_concat(k->arena, "parent ", model, "? ", name,
                                        ", fields: [parentId], references: [id])")
                           : pxi_concat(k->arena, "children ", model, "[] ", name, ")");
    return given ? line : pxi_concat(k->arena, line, ", and the name \"tree\" here");
}

/* posts Post[], as a line that the model lacks: for a relation that is written at s. */
static const char *line_to_add(struct pxi_checker *k, const struct pxi_side *s)
{
    const char *model = s->model->name.text, *relation = s->relation->name;
    if (s->model == s->target)
        return self_to_add(k, s);
    char *field = pxi_arena_text(k->arena, model, strlen(model));
    if (!field)
        return NULL;
    field[0] = pxi_ascii_lower(field[0]);
    bool plural = !s->relation->field.list;
    const char *left = pxi_concat(k->arena, field, plural ? "s " : " ", model);
    const char *named = relation ? pxi_concat(k->arena, "\"", relation, "\"") : "";
    if (!s->relation->field.list) {
        const char *attr = relation ? pxi_concat(k->arena, " @relation(", named, ")") : "";
        return pxi_concat(k->arena, left, "[]", attr);
    }
    return pxi_concat(k->arena, left, " @relation(", named, relation ? ", " : "", "fields: [",
                      field, "Id], references: [id])");
}

/* The field has no other side. Perhaps there is one with another name; or one that was refused,
 * then all is said. */
static void report_alone(struct pxi_relation_job *job, struct pxi_side *s)
{
    struct pxi_checker *k = job->k;
    if (s->target->damaged)
        return;
    struct pxi_side *back = &job->sides[job->first[s->relation->target]];
    for (uint32_t i = 0; i < s->target->relations.count; i++) {
        struct pxi_side *other = &back[i];
        if (other == s || other->target != s->model)
            continue;
        if (other->told)
            return;
        if (other->group && other->group->count == 1) {
            other->told = true;
            pxi_diag(k->diags, RELATION_NAMES, s->relation->field.name.at, pxi_side_text(k, s),
                     pxi_side_text(k, other),
                     pxi_check_line(k, other->relation->field.name.at.start));
            return;
        }
    }
    pxi_diag(k->diags, RELATION_ALONE, s->relation->field.name.at, pxi_side_text(k, s),
             s->target->name.text, pxi_diag_full(k->diags) ? NULL : line_to_add(k, s));
}

static void report_crowd(struct pxi_relation_job *job, struct pxi_side *s)
{
    struct pxi_checker *k = job->k;
    const char *name = s->relation->name;
    if (s->group->told)
        return;
    s->group->told = true;
    const char *how = name ? pxi_concat(k->arena, "called \"", name, "\"") : "without a name";
    const char *model = s->model->name.text, *target = s->target->name.text;
    const char *who = s->model == s->target
                          ? pxi_concat(k->arena, "of '", model, "' with itself")
                          : pxi_concat(k->arena, "between '", model, "' and '", target, "'");
    pxi_diag(k->diags, RELATION_CROWD, s->relation->field.name.at, how, who);
}

/* ---- kinds ---- */

/* Only the owner says what becomes of the key; a list and the other side of it do not. */
static void check_passive(struct pxi_checker *k, struct pxi_side *s, const struct pxi_side *own)
{
    static const char *const names[] = { "fields", "references", "onDelete", "onUpdate", "map" };
    const struct pxi_relation_args args = pxi_side_args(s);
    const struct pxi_value *const given[] = { args.fields, args.references, args.on_delete,
                                              args.on_update, args.map };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!given[i])
            continue;
        pxi_diag(k->diags, RELATION_SIDE, given[i]->at, names[i], pxi_side_text(k, s),
                 own ? pxi_concat(k->arena, "write it at ", pxi_side_text(k, own))
                     : "the join table is made and kept by itself");
        s->told = true;
        return;
    }
}

/* Both are single: the one with fields is the owner. NULL after a diagnostic. */
static struct pxi_side *owner_of_two(struct pxi_checker *k, struct pxi_side *a, struct pxi_side *b)
{
    const struct pxi_relation_args of_a = pxi_side_args(a), of_b = pxi_side_args(b);
    bool a_owns = of_a.fields || of_a.references, b_owns = of_b.fields || of_b.references;
    if (a_owns && b_owns) {
        const struct pxi_value *second = of_b.fields ? of_b.fields : of_b.references;
        pxi_diag(k->diags, RELATION_BOTH_OWN, second->at, pxi_side_text(k, a), pxi_side_text(k, b));
    } else if (!a_owns && !b_owns) {
        const char *name = a->relation->field.name.text;
        pxi_diag(k->diags, RELATION_NO_FIELDS, a->relation->field.name.at, pxi_side_text(k, a),
                 name, "id");
    } else {
        return a_owns ? a : b;
    }
    return NULL;
}

static void check_one(struct pxi_relation_job *job, struct pxi_side *own, struct pxi_side *other)
{
    struct pxi_checker *k = job->k;
    const struct pxi_column *f = &other->relation->field;
    own->relation->kind = PXI_RELATION_OWNER;
    other->relation->kind = f->list ? PXI_RELATION_MANY : PXI_RELATION_ONE;
    check_passive(k, other, own);
    if (!f->list && !f->optional) {
        pxi_diag(k->diags, RELATION_ONE_REQUIRED, f->type_at, pxi_side_text(k, other),
                 f->type_name);
    }
    if (!other->told)
        pxi_check_owner(job, own, other);
}

static void check_pair(struct pxi_relation_job *job, struct pxi_side *a, struct pxi_side *b)
{
    struct pxi_checker *k = job->k;
    a->relation->opposite = b->index;
    b->relation->opposite = a->index;
    if (a->model == b->model && !a->relation->name) {
        pxi_diag(k->diags, RELATION_SELF_NAME, b->relation->field.name.at, pxi_side_text(k, a),
                 pxi_side_text(k, b));
        return;
    }
    if (a->relation->field.list && b->relation->field.list) {
        check_passive(k, a, NULL);
        check_passive(k, b, NULL);
        if (!a->told && !b->told)
            pxi_check_join(job, a, b);
    } else if (a->relation->field.list || b->relation->field.list) {
        bool a_owns = b->relation->field.list;
        check_one(job, a_owns ? a : b, a_owns ? b : a);
    } else {
        struct pxi_side *own = owner_of_two(k, a, b);
        if (own)
            check_one(job, own, own == a ? b : a);
    }
}

/* ---- all ---- */

static bool collect(struct pxi_relation_job *job)
{
    struct pxi_checker *k = job->k;
    const struct pxi_schema *schema = k->schema;
    for (uint32_t i = 0; i < schema->models.count; i++)
        job->count += schema->models.items[i].relations.count;
    job->sides = pxi_arena_zero(&k->scratch, job->count, sizeof *job->sides);
    job->first = pxi_arena_zero(&k->scratch, schema->models.count, sizeof *job->first);
    if (!job->sides || !job->first)
        return false;
    uint32_t n = 0;
    for (uint32_t i = 0; i < schema->models.count; i++) {
        struct pxi_model *m = &schema->models.items[i];
        job->first[i] = n;
        for (uint32_t j = 0; j < m->relations.count; j++) {
            job->sides[n++] = (struct pxi_side){ .model = m,
                                                 .relation = &m->relations.items[j],
                                                 .index = (uint16_t)j };
        }
    }
    return true;
}

/* Every group by what it is, when all sides are in. */
static void check_groups(struct pxi_relation_job *job)
{
    for (uint32_t i = 0; i < job->count && !pxi_diag_full(job->k->diags); i++) {
        struct pxi_side *s = &job->sides[i];
        const struct pxi_group *g = s->group;
        if (!g || s->told)
            continue;
        bool across = g->second && (s->model == s->target || g->second->model != s->model ||
                                    g->first->model != s->model);
        if (g->count == 1) {
            report_alone(job, s);
        } else if (g->count > 2 || !across) {
            report_crowd(job, s);
        } else if (s == g->first) {
            check_pair(job, s, g->second);
        }
    }
}

/* Names of foreign keys: those that are given first, then those that are made. */
static void name_keys(struct pxi_relation_job *job, bool given)
{
    for (uint32_t i = 0; i < job->count; i++) {
        struct pxi_side *s = &job->sides[i];
        bool own = s->relation->columns.count > 0 && s->relation->kind == PXI_RELATION_OWNER;
        if (own && s->mapped == given)
            pxi_check_foreign_name(job, s);
    }
}

void pxi_check_relations(struct pxi_checker *k)
{
    struct pxi_relation_job job = { .k = k };
    job.groups.arena = job.names.arena = &k->scratch;
    if (!collect(&job))
        return;
    pxi_symbols_reserve(&job.groups, job.count / 2);
    for (uint32_t i = 0; i < job.count && !pxi_diag_full(k->diags); i++) {
        read_side(&job, &job.sides[i]);
        if (!job.sides[i].told)
            join_group(&job, &job.sides[i]);
    }
    check_groups(&job);
    name_keys(&job, true);
    name_keys(&job, false);
    for (uint32_t i = 0; i < job.count; i++)
        job.sides[i].relation->field.attrs = (pxi_attrs){ NULL, 0, 0 };
}

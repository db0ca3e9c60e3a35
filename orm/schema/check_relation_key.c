/* check_relation_key.c - the side of a relation that holds the key: its fields, what they refer to,
 * and what becomes of them when that goes away.
 *
 * Both databases want of the other side: a key over exactly these columns, in any order. We want
 * more: equal types, and a field that is optional exactly if its key may be NULL.
 */
#include "orm/schema/check_relation.h"
#include <string.h>

static bool is_relation(const struct pxi_model *m, const char *name)
{
    for (uint32_t i = 0; i < m->relations.count; i++) {
        if (!strcmp(m->relations.items[i].field.name.text, name))
            return true;
    }
    return false;
}

/* Why a column cannot be part of a foreign key, or of what it refers to; or NULL. */
static const char *unfit(const struct pxi_column *c)
{
    if (c->list)
        return "is a list";
    if (c->ignore)
        return "has @ignore, so C does not know it";
    if (c->more->generated)
        return "is computed by the database";
    return c->type == PRAX_T_Json ? "is Json" : NULL;
}

static bool add_column(struct pxi_checker *k, const struct pxi_model *m, const struct pxi_value *v,
                       uint16_t *columns, uint32_t count)
{
    uint32_t i = pxi_check_find_column(m, v->text);
    if (i == m->columns.count && is_relation(m, v->text)) {
        pxi_diag(k->diags, RELATION_FIELD, v->at, v->text, "is a relation itself");
        return false;
    }
    if (i == m->columns.count) {
        pxi_check_unknown_column(k, m, v);
        return false;
    }
    for (uint32_t j = 0; j < count; j++) {
        if (columns[j] == i) {
            pxi_diag(k->diags, KEY_FIELD_TWICE, v->at, v->text);
            return false;
        }
    }
    const char *why = unfit(&m->columns.items[i]);
    if (why)
        pxi_diag(k->diags, RELATION_FIELD, v->at, v->text, why);
    columns[count] = (uint16_t)i;
    return !why;
}

/* The columns that a list names; false after a diagnostic. */
static bool read_columns(struct pxi_checker *k, const struct pxi_model *m,
                         const struct pxi_value *list, uint16_t *columns, uint32_t *count)
{
    bool words = list->kind == PXI_VALUE_LIST && list->items > 0;
    for (uint32_t i = 1; words && i <= list->items; i++)
        words = list[i].kind == PXI_VALUE_WORD;
    if (!words || list->items > PXI_KEY_COLUMNS_MAX) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, list->at, list->name,
                 "a list of at most 32 fields, such as [authorId]");
        return false;
    }
    *count = 0;
    for (uint32_t i = 1; i <= list->items; i++) {
        if (!add_column(k, m, &list[i], columns, *count))
            return false;
        ++*count;
    }
    return true;
}

static bool both_given(struct pxi_checker *k, const struct pxi_side *own,
                       const struct pxi_relation_args *args)
{
    const struct pxi_column *f = &own->relation->field;
    const struct pxi_model *t = own->target;
    bool simple = t->keys.count && t->keys.items[0].columns.count == 1;
    const char *id = simple ? t->columns.items[t->keys.items[0].columns.items[0]].name.text : "id";
    if (args->fields && args->references)
        return true;
    if (!args->fields && !args->references) {
        pxi_diag(k->diags, RELATION_NO_FIELDS, f->name.at, pxi_side_text(k, own), f->name.text, id);
    } else if (args->fields) {
        pxi_diag(k->diags, RELATION_HALF, args->fields->at, "fields", "references", id);
    } else {
        const char *name = pxi_concat(k->arena, f->name.text, "Id");
        pxi_diag(k->diags, RELATION_HALF, args->references->at, "references", "fields", name);
    }
    return false;
}

/* The type as it is written, without ? */
static const char *type_text(struct pxi_checker *k, const struct pxi_column *c)
{
    uint32_t size = c->type_at.size - c->optional;
    return pxi_arena_text(k->arena, k->schema->source->text + c->type_at.start, size);
}

static bool same_type(const struct pxi_column *a, const struct pxi_column *b)
{
    return a->type == b->type && a->enum_type == b->enum_type && a->precision == b->precision &&
           a->scale == b->scale;
}

static bool check_types(struct pxi_checker *k, const struct pxi_side *own,
                        const struct pxi_value *fields, const uint16_t *columns,
                        const uint16_t *references, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct pxi_column *c = &own->model->columns.items[columns[i]];
        const struct pxi_column *r = &own->target->columns.items[references[i]];
        if (c->unknown || r->unknown || same_type(c, r))
            continue;
        const char *other = pxi_concat(k->arena, own->target->name.text, ".", r->name.text, "' is ",
                                       type_text(k, r));
        pxi_diag(k->diags, RELATION_TYPES, fields[1 + i].at, c->name.text, type_text(k, c), other);
        return false;
    }
    return true;
}

static bool is_key_over(const struct pxi_key *key, const uint16_t *columns, uint32_t n)
{
    if (key->columns.count != n || key->where)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = 0;
        while (j < n && key->columns.items[j] != columns[i])
            j++;
        if (j == n)
            return false;
    }
    return true;
}

static bool is_unique(const struct pxi_model *m, const uint16_t *columns, uint32_t n)
{
    for (uint32_t i = 0; i < m->unique_keys; i++) {
        if (is_key_over(&m->keys.items[i], columns, n))
            return true;
    }
    return m->damaged;
}

/* @unique at 'slug', or @@unique([a, b]): the key that is missing. */
static const char *key_to_add(struct pxi_checker *k, const struct pxi_model *m,
                              const uint16_t *columns, uint32_t n)
{
    const char *names = NULL;
    for (uint32_t i = 0; i < n; i++) {
        const char *name = m->columns.items[columns[i]].name.text;
        names = i ? pxi_concat(k->arena, names, ", ", name) : name;
    }
    return n == 1 ? pxi_concat(k->arena, "@unique to '", names, "'")
                  : pxi_concat(k->arena, "@@unique([", names, "])");
}

/* A key that may be NULL and a field that may be absent are the same thing. */
static bool check_optional(struct pxi_checker *k, const struct pxi_side *own,
                           const uint16_t *columns, uint32_t n)
{
    const struct pxi_column *f = &own->relation->field, *nullable = NULL;
    for (uint32_t i = 0; i < n && !nullable; i++) {
        const struct pxi_column *c = &own->model->columns.items[columns[i]];
        nullable = c->optional ? c : NULL;
    }
    if (f->optional == (nullable != NULL))
        return true;
    const struct pxi_column *c = nullable ? nullable : &own->model->columns.items[columns[0]];
    pxi_diag(k->diags, RELATION_OPTIONAL, f->type_at, f->name.text,
             f->optional ? "optional" : "required", c->name.text);
    return false;
}

/* ---- actions ---- */

static const struct {
    const char *name;
    enum pxi_action action;
} actions[] = {
    { "Cascade", PXI_ACTION_CASCADE },        { "Restrict", PXI_ACTION_RESTRICT },
    { "NoAction", PXI_ACTION_NO_ACTION },     { "SetNull", PXI_ACTION_SET_NULL },
    { "SetDefault", PXI_ACTION_SET_DEFAULT },
};

static void unknown_action(struct pxi_checker *k, const struct pxi_value *v)
{
    struct pxi_suggest s = { .word = v->text ? v->text : "" };
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        pxi_suggest_offer(&s, actions[i].name);
    const char *hint = "the actions are Cascade, Restrict, NoAction, SetNull and SetDefault";
    if (s.best)
        hint = pxi_concat(k->arena, "did you mean '", s.best, "'?");
    pxi_diag(k->diags, RELATION_ACTION, v->at, v->text ? v->text : "[...]", hint);
}

static void check_set_null(struct pxi_checker *k, const struct pxi_side *own,
                           const struct pxi_value *v)
{
    for (uint32_t i = 0; i < own->relation->columns.count; i++) {
        const struct pxi_column *c = &own->model->columns.items[own->relation->columns.items[i]];
        if (!c->optional) {
            pxi_diag(k->diags, RELATION_SET_NULL, v->at, c->name.text, c->type_name);
            return;
        }
    }
}

static void check_set_default(struct pxi_checker *k, const struct pxi_side *own,
                              const struct pxi_value *v)
{
    for (uint32_t i = 0; i < own->relation->columns.count; i++) {
        const struct pxi_column *c = &own->model->columns.items[own->relation->columns.items[i]];
        if (c->def != PRAX_D_VALUE && c->def != PRAX_D_SQL) {
            pxi_diag(k->diags, RELATION_SET_DEFAULT, v->at, c->name.text);
            return;
        }
    }
}

/* What v says, or `unless` it says nothing. */
static enum pxi_action read_action(struct pxi_checker *k, const struct pxi_side *own,
                                   const struct pxi_value *v, enum pxi_action unless)
{
    if (!v)
        return unless;
    size_t i = 0, n = sizeof actions / sizeof *actions;
    while (i < n && (v->kind != PXI_VALUE_WORD || strcmp(actions[i].name, v->text) != 0))
        i++;
    if (i == n) {
        unknown_action(k, v);
        return unless;
    }
    enum pxi_action action = actions[i].action;
    if (action == PXI_ACTION_SET_NULL) {
        check_set_null(k, own, v);
    } else if (action == PXI_ACTION_SET_DEFAULT) {
        check_set_default(k, own, v);
    }
    return action;
}

/* Unless written: an orphan becomes free where it can, else its parent stays. */
static void set_actions(struct pxi_checker *k, struct pxi_side *own,
                        const struct pxi_relation_args *args)
{
    struct pxi_relation *r = own->relation;
    enum pxi_action on_delete = PXI_ACTION_SET_NULL;
    for (uint32_t i = 0; i < r->columns.count; i++) {
        if (!own->model->columns.items[r->columns.items[i]].optional)
            on_delete = PXI_ACTION_RESTRICT;
    }
    r->on_delete = read_action(k, own, args->on_delete, on_delete);
    r->on_update = read_action(k, own, args->on_update, PXI_ACTION_CASCADE);
}

/* ---- the whole key ---- */

static bool copy_columns(struct pxi_checker *k, struct pxi_relation *r, const uint16_t *columns,
                         const uint16_t *references, uint32_t n)
{
    r->columns.items = pxi_arena_copy(k->arena, columns, n * sizeof *columns);
    r->references.items = pxi_arena_copy(k->arena, references, n * sizeof *references);
    if (!r->columns.items || !r->references.items)
        return false;
    r->columns.count = r->columns.capacity = n;
    r->references.count = r->references.capacity = n;
    return true;
}

void pxi_check_owner(struct pxi_relation_job *job, struct pxi_side *own, struct pxi_side *other)
{
    struct pxi_checker *k = job->k;
    uint16_t ours[PXI_KEY_COLUMNS_MAX], theirs[PXI_KEY_COLUMNS_MAX];
    const struct pxi_relation_args args = pxi_side_args(own);
    uint32_t n, m;
    if (!both_given(k, own, &args) || !read_columns(k, own->model, args.fields, ours, &n) ||
        !read_columns(k, own->target, args.references, theirs, &m))
        return;
    if (n != m) {
        pxi_diag(k->diags, RELATION_ARITY, args.references->at, pxi_check_number(k, n),
                 pxi_check_number(k, m));
        return;
    }
    if (!check_types(k, own, args.fields, ours, theirs, n) || !check_optional(k, own, ours, n))
        return;
    if (!is_unique(own->target, theirs, n)) {
        pxi_diag(k->diags, RELATION_KEY, args.references->at, own->target->name.text,
                 key_to_add(k, own->target, theirs, n));
    } else if (!other->relation->field.list && !is_unique(own->model, ours, n)) {
        pxi_diag(k->diags, RELATION_ONE_KEY, own->relation->field.name.at, pxi_side_text(k, own),
                 key_to_add(k, own->model, ours, n));
    } else if (copy_columns(k, own->relation, ours, theirs, n) &&
               copy_columns(k, other->relation, theirs, ours, n)) {
        set_actions(k, own, &args);
    }
}

/* ---- the constraint's name ---- */

static const char *made_name(struct pxi_checker *k, const struct pxi_side *own, unsigned n)
{
    const char *columns = NULL;
    for (uint32_t i = 0; i < own->relation->columns.count; i++) {
        const char *name = own->model->columns.items[own->relation->columns.items[i]].db_name;
        columns = i ? pxi_concat(&k->scratch, columns, "_", name) : name;
    }
    const char *label = n ? pxi_concat(k->arena, "fkey", pxi_check_number(k, n)) : "fkey";
    return pxi_object_name(k->arena, own->model->table, columns, label);
}

static const char *given_name(struct pxi_checker *k, const struct pxi_value *v)
{
    if (v->kind == PXI_VALUE_TEXT)
        return pxi_check_db_name(k, v->text, "foreign key", v->at) ? v->text : NULL;
    pxi_diag(k->diags, ATTRIBUTE_ARGS, v->at, "map", "one name in quotes");
    return NULL;
}

static const char *key_text(struct pxi_checker *k, const struct pxi_side *s)
{
    return pxi_concat(&k->scratch, "the foreign key of ", pxi_side_text(k, s));
}

/* Names that are made give way to those that were given. */
void pxi_check_foreign_name(struct pxi_relation_job *job, struct pxi_side *own)
{
    struct pxi_checker *k = job->k;
    const struct pxi_value *map = own->mapped ? pxi_side_args(own).map : NULL;
    for (unsigned n = 0;; n++) {
        const char *name = map ? given_name(k, map) : made_name(k, own, n);
        struct pxi_symbol symbol = { .name = name ? pxi_lower(&k->scratch, name) : NULL,
                                     .value = own };
        if (!symbol.name)
            return;
        const struct pxi_symbol *other = pxi_symbol_add(&job->names, &symbol);
        if (map && other) {
            pxi_diag(k->diags, DB_CLASH, map->at, key_text(k, own), name,
                     key_text(k, other->value));
        }
        if (map || !other) {
            own->relation->db_name = name;
            return;
        }
    }
}

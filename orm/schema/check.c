/* check.c - the whole schema: names of enums and models, tables, and the order of the steps.
 *
 * Every step reports what it finds and goes on with what is left: a name that is refused has no
 * C name and is passed over by later steps, so that one mistake is one diagnostic.
 */
#include "orm/schema/check.h"
#include "orm/schema/parser.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char pxi_owner_scalar[] = "built-in type";
const char pxi_owner_enum[] = "enum";
const char pxi_owner_model[] = "model";

const char *pxi_check_number(struct pxi_checker *k, int64_t n)
{
    char text[24];
    int size = snprintf(text, sizeof text, "%" PRId64, n);
    return pxi_arena_text(k->arena, text, (size_t)size);
}

const char *pxi_check_line(struct pxi_checker *k, uint32_t at)
{
    if (pxi_diag_full(k->diags))
        return NULL;
    const struct pxi_source *src = k->schema->source;
    struct pxi_place place = pxi_source_place(src, at);
    const char *line = pxi_check_number(k, place.line);
    return src->n_files > 1 ? pxi_concat(k->arena, line, " of ", place.file) : line;
}

bool pxi_check_db_name(struct pxi_checker *k, const char *text, const char *kind,
                       struct pxi_span at)
{
    const char *why = NULL;
    if (!*text) {
        why = "it is empty";
    } else if (strlen(text) > PXI_NAME_MAX) {
        why = "it is longer than 63 bytes";
    } else if (strpbrk(text, "\n\t\r")) {
        why = "it holds a line end or a tab";
    } else if (!strcmp(kind, "table") && !strncasecmp(text, "sqlite_", 7)) {
        why = "SQLite keeps names with sqlite_ for itself";
    }
    if (why)
        pxi_diag(k->diags, DB_NAME, at, text, kind, why);
    return !why;
}

const char *pxi_check_map(struct pxi_checker *k, const struct pxi_attr *a, const char *kind)
{
    if (a->args.count != 1 || a->args.items[0].kind != PXI_VALUE_TEXT) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name.text, "one name in quotes");
        return NULL;
    }
    const char *name = a->args.items[0].text;
    return pxi_check_db_name(k, name, kind, a->args.items[0].at) ? name : NULL;
}

void pxi_check_object(struct pxi_checker *k, const char *name, const char *owner,
                      struct pxi_span at)
{
    if (!name || !owner)
        return;
    struct pxi_symbol symbol = { .name = pxi_lower(k->arena, name), .owner = owner, .at = at };
    const struct pxi_symbol *other = symbol.name ? pxi_symbol_add(&k->objects, &symbol) : NULL;
    if (other)
        pxi_diag(k->diags, DB_CLASH, at, owner, name, other->owner);
}

bool pxi_check_once(struct pxi_checker *k, const pxi_attrs *attrs, uint32_t i)
{
    const struct pxi_attr *a = &attrs->items[i];
    for (uint32_t j = 0; j < i; j++) {
        if (!strcmp(attrs->items[j].name.text, a->name.text)) {
            pxi_diag(k->diags, ATTRIBUTE_TWICE, a->name.at, a->name.text);
            return false;
        }
    }
    return true;
}

/* The C name of a declared enum or model, or NULL after a diagnostic. */
static const char *declare(struct pxi_checker *k, const struct pxi_name *name, const char *kind,
                           const void *value)
{
    struct pxi_symbol symbol = { name->text, 0, kind, name->at, value };
    const struct pxi_symbol *other = pxi_symbol_add(&k->types, &symbol);
    if (!other && pxi_name_shape(name->text))
        return pxi_snake(k->arena, name->text);
    if (!other) {
        pxi_diag(k->diags, NAME_SHAPE, name->at, name->text);
    } else if (other->owner == pxi_owner_scalar) {
        pxi_diag(k->diags, BUILT_IN, name->at, name->text);
    } else {
        pxi_diag(k->diags, TWICE, name->at, kind, name->text, pxi_check_line(k, other->at.start));
    }
    return NULL;
}

static void declare_scalars(struct pxi_checker *k)
{
    static const char *const names[] = {
#define PRAX_TYPE(schema, ...) #schema,
#include <prax/types.def>
    };
    for (size_t i = 0; i < PRAX_T_Enum; i++) {
        pxi_symbol_add(&k->types,
                       &(struct pxi_symbol){ .name = names[i], .owner = pxi_owner_scalar });
    }
}

static void check_labels(struct pxi_checker *k, struct pxi_enum *e)
{
    struct pxi_symbols labels = { .arena = k->arena };
    for (uint32_t i = 0; i < e->labels.count; i++) {
        struct pxi_label *label = &e->labels.items[i];
        struct pxi_symbol symbol = { .name = label->name.text, .at = label->name.at };
        const struct pxi_symbol *other = pxi_symbol_add(&labels, &symbol);
        if (other) {
            pxi_diag(k->diags, TWICE, label->name.at, "label", label->name.text,
                     pxi_check_line(k, other->at.start));
        } else if (!pxi_name_shape(label->name.text)) {
            pxi_diag(k->diags, NAME_SHAPE, label->name.at, label->name.text);
        } else {
            label->c_name = pxi_snake(k->arena, label->name.text);
        }
    }
    if (e->labels.count == 0)
        pxi_diag(k->diags, EMPTY_ENUM, e->name.at, e->name.text);
}

static void check_table(struct pxi_checker *k, struct pxi_model *m)
{
    m->table = m->c_name;
    for (uint32_t i = 0; i < m->attrs.count && !pxi_diag_full(k->diags); i++) {
        const struct pxi_attr *a = &m->attrs.items[i];
        if (!strcmp(a->name.text, "@@map") && pxi_check_once(k, &m->attrs, i))
            m->table = pxi_check_map(k, a, "table");
    }
    if (!m->c_name)
        return;
    if (m->table == m->c_name && !pxi_check_db_name(k, m->table, "table", m->name.at))
        m->table = NULL;
    pxi_check_object(k, m->table, pxi_concat(k->arena, "model '", m->name.text, "'"), m->name.at);
}

/* A field whose type is a model becomes a relation; the order of both kinds stays. */
static void move_relations(struct pxi_checker *k, struct pxi_model *m)
{
    uint32_t columns = 0;
    for (uint32_t i = 0; i < m->columns.count; i++) {
        struct pxi_column *c = &m->columns.items[i];
        const struct pxi_symbol *type = pxi_symbol_find(&k->types, c->type_name.text);
        if (!type || type->owner != pxi_owner_model) {
            m->columns.items[columns++] = *c;
            continue;
        }
        struct pxi_relation *r = pxi_list_add(k->arena, &m->relations);
        if (r)
            r->field = *c;
    }
    m->columns.count = columns;
}

static void check_models(struct pxi_checker *k)
{
    struct pxi_schema *schema = k->schema;
    uint32_t columns = 0;
    for (uint32_t i = 0; i < schema->models.count; i++)
        check_table(k, &schema->models.items[i]);
    for (uint32_t i = 0; i < schema->models.count && !pxi_diag_full(k->diags); i++) {
        struct pxi_model *m = &schema->models.items[i];
        columns += m->columns.count;
        move_relations(k, m);
        if (columns > PXI_ALL_COLUMNS_MAX) {
            pxi_diag(k->diags, TOO_MANY, m->name.at, "65536", "fields in a schema");
            return;
        }
        pxi_check_columns(k, m);
        pxi_check_keys(k, m);
    }
    pxi_check_relations(k);
}

static void check_schema(struct pxi_checker *k)
{
    struct pxi_schema *schema = k->schema;
    pxi_check_config(k);
    declare_scalars(k);
    for (uint32_t i = 0; i < schema->enums.count; i++) {
        struct pxi_enum *e = &schema->enums.items[i];
        e->c_name = declare(k, &e->name, pxi_owner_enum, e);
        check_labels(k, e);
    }
    for (uint32_t i = 0; i < schema->models.count; i++) {
        struct pxi_model *m = &schema->models.items[i];
        m->c_name = declare(k, &m->name, pxi_owner_model, m);
    }
    check_models(k);
    if (schema->prefix)
        pxi_names_check(schema, k->diags);
}

const struct pxi_schema *pxi_schema_read(struct pxi_diags *diags, const struct pxi_source *src,
                                         int *code)
{
    struct pxi_arena *arena = diags->arena;
    struct pxi_schema *schema = pxi_arena_zero(arena, 1, sizeof *schema);
    struct pxi_checker k = { .schema = schema, .diags = diags, .arena = arena };
    k.types.arena = k.objects.arena = arena;
    if (schema) {
        schema->source = src;
        if (pxi_parse(schema, diags, src))
            check_schema(&k);
    }
    pxi_diag_sort(diags);
    *code = arena->full ? PRAX_ENOMEM : (int)diags->count;
    return arena->full ? NULL : schema;
}

const struct pxi_column_more pxi_column_plain;

struct pxi_column_more *pxi_column_more(struct pxi_arena *a, struct pxi_column *c)
{
    if (c->more != &pxi_column_plain)
        return (struct pxi_column_more *)(uintptr_t)c->more; /* one that this function made */
    struct pxi_column_more *more = pxi_arena_copy(a, c->more, sizeof *c->more);
    if (more)
        c->more = more;
    return more;
}

void *pxi_list_room(struct pxi_arena *a, void *items, uint32_t count, uint32_t *capacity,
                    size_t size)
{
    if (count == *capacity) {
        uint32_t more = count ? count * 2 : 4;
        items = pxi_arena_extend(a, items, count * size, more * size);
        if (!items)
            return NULL;
        *capacity = more;
    }
    memset((char *)items + count * size, 0, size);
    return items;
}

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

static const char *one_name(struct pxi_checker *k, const struct pxi_attr *a)
{
    const struct pxi_value *v = a->args;
    if (a->n_args == 1 && v->kind == PXI_VALUE_TEXT && !v->name)
        return v->text;
    pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name, "one name in quotes");
    return NULL;
}

const char *pxi_check_map(struct pxi_checker *k, const struct pxi_attr *a, const char *kind)
{
    const char *name = one_name(k, a);
    return name && pxi_check_db_name(k, name, kind, a->args[0].at) ? name : NULL;
}

const char *pxi_check_c_name(struct pxi_checker *k, const struct pxi_attr *a)
{
    const char *name = one_name(k, a), *why = NULL;
    if (!name)
        return NULL;
    if (strlen(name) > PXI_NAME_MAX) {
        why = "it is longer than 63 bytes";
    } else if (!pxi_name_shape(name) ||
               strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name)) {
        why = "those of ours are small letters, digits and single underscores, a letter first";
    } else {
        const char *reserved = pxi_name_reserved(name);
        why = reserved ? pxi_concat(k->arena, "it ", reserved) : NULL;
    }
    if (why)
        pxi_diag(k->diags, C_NAME, a->args[0].at, name, why);
    return why ? NULL : name;
}

void pxi_check_object(struct pxi_checker *k, const char *name, const char *owner,
                      struct pxi_span at)
{
    if (!name || !owner)
        return;
    struct pxi_symbol symbol = { .name = pxi_lower(&k->scratch, name), .owner = owner, .at = at };
    const struct pxi_symbol *other = symbol.name ? pxi_symbol_add(&k->objects, &symbol) : NULL;
    if (other)
        pxi_diag(k->diags, DB_CLASH, at, owner, name, other->owner);
}

bool pxi_check_once(struct pxi_checker *k, const pxi_attrs *attrs, uint32_t i)
{
    const struct pxi_attr *a = &attrs->items[i];
    for (uint32_t j = 0; j < i; j++) {
        if (attrs->items[j].word == a->word) {
            pxi_diag(k->diags, ATTRIBUTE_TWICE, pxi_attr_name_at(a), a->name);
            return false;
        }
    }
    return true;
}

bool pxi_check_no_args(struct pxi_checker *k, const struct pxi_attr *a)
{
    if (a->parens)
        pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name, "no arguments");
    return !a->parens;
}

const struct pxi_attr *pxi_find_attr(const pxi_attrs *attrs, enum pxi_attr_word word)
{
    for (uint32_t i = 0; i < attrs->count; i++) {
        if (attrs->items[i].word == word)
            return &attrs->items[i];
    }
    return NULL;
}

bool pxi_check_pg_only(struct pxi_checker *k, struct pxi_span at, const char *what,
                       const char *hint)
{
    bool sqlite = k->schema->database[PXI_DB_SQLITE];
    if (sqlite)
        pxi_diag(k->diags, PG_ONLY, at, what, hint);
    return !sqlite;
}

/* The place of a named argument, or args->n after a diagnostic. */
static uint32_t find_arg(struct pxi_checker *k, const struct pxi_attr *a,
                         const struct pxi_args *args, const struct pxi_value *v)
{
    struct pxi_suggest s = { .word = v->name };
    for (uint32_t i = 0; i < args->n; i++) {
        if (!strcmp(args->names[i], v->name))
            return i;
        pxi_suggest_offer(&s, args->names[i]);
    }
    struct pxi_span at = { v->name_at, (uint32_t)strlen(v->name) };
    pxi_diag(k->diags, UNKNOWN_ARGUMENT, at, v->name, a->name, s.best);
    return args->n;
}

bool pxi_check_args(struct pxi_checker *k, const struct pxi_attr *a, const struct pxi_args *args,
                    const struct pxi_value **found)
{
    uint32_t plain = 0;
    bool good = true;
    memset(found, 0, args->n * sizeof(void *));
    for (uint32_t i = 0; i < a->n_args; i = pxi_value_next(a->args, i)) {
        const struct pxi_value *v = &a->args[i];
        uint32_t at = v->name ? find_arg(k, a, args, v) : plain++;
        if (!v->name && at >= args->positional) {
            pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name, args->takes);
            return false;
        }
        if (at < args->n && found[at])
            pxi_diag(k->diags, ARGUMENT_TWICE, v->at, args->names[at]);
        good = good && at < args->n && !found[at];
        if (at < args->n)
            found[at] = v;
    }
    return good;
}

/* The C name of a declared enum or model, or NULL after a diagnostic. */
static const char *declare(struct pxi_checker *k, const struct pxi_name *name,
                           const pxi_attrs *attrs, const char *kind, const void *value)
{
    struct pxi_symbol symbol = { name->text, 0, kind, name->at, value };
    const struct pxi_symbol *other = pxi_symbol_add(&k->types, &symbol);
    const struct pxi_attr *named = pxi_find_attr(attrs, PXI_A_NAMES);
    if (other && other->owner == pxi_owner_scalar) {
        pxi_diag(k->diags, BUILT_IN, name->at, name->text);
    } else if (other) {
        pxi_diag(k->diags, TWICE, name->at, kind, name->text, pxi_check_line(k, other->at.start));
    } else if (named) {
        return pxi_check_c_name(k, named);
    } else if (pxi_name_shape(name->text)) {
        return pxi_snake(k->arena, name->text);
    } else {
        pxi_diag(k->diags, NAME_SHAPE, name->at, name->text);
    }
    return NULL;
}

static void declare_scalars(struct pxi_checker *k)
{
    static const char *const names[] = {
#define PRAX_TYPE(schema, ...) #schema,
#include <prax/types.def>
    };
    for (uint32_t i = 0; i < PRAX_T_Enum; i++) {
        struct pxi_symbol symbol = { .name = names[i], .owner = pxi_owner_scalar };
        symbol.at.start = i; /* enum prax_type: it stands nowhere in the text */
        pxi_symbol_add(&k->types, &symbol);
    }
}

/* What is stored: of @map, or the label itself. */
static void check_label_text(struct pxi_checker *k, struct pxi_label *label)
{
    label->db_name = label->name.text;
    for (uint32_t i = 0; i < label->attrs.count; i++) {
        if (pxi_check_once(k, &label->attrs, i))
            label->db_name = pxi_check_map(k, &label->attrs.items[i], "label");
    }
    uint32_t item = (uint32_t)(label->name.at.start);
    uint32_t other =
        label->db_name ? pxi_set_add(&k->db_fields, label->db_name, item) : PXI_SET_NONE;
    if (other != PXI_SET_NONE) {
        pxi_diag(k->diags, TWICE, label->name.at, "label", label->db_name,
                 pxi_check_line(k, other));
    }
}

static void check_enum(struct pxi_checker *k, struct pxi_enum *e)
{
    e->c_name = declare(k, &e->name, &e->attrs, pxi_owner_enum, e);
    for (uint32_t i = 0; i < e->attrs.count; i++)
        pxi_check_once(k, &e->attrs, i);
    pxi_set_clear(&k->fields);
    pxi_set_clear(&k->db_fields);
    for (uint32_t i = 0; i < e->labels.count && !pxi_diag_full(k->diags); i++) {
        struct pxi_label *label = &e->labels.items[i];
        uint32_t other = pxi_set_add(&k->fields, label->name.text, label->name.at.start);
        if (other != PXI_SET_NONE) {
            pxi_diag(k->diags, TWICE, label->name.at, "label", label->name.text,
                     pxi_check_line(k, other));
            continue;
        }
        if (pxi_name_shape(label->name.text)) {
            label->c_name = pxi_snake(k->arena, label->name.text);
        } else {
            pxi_diag(k->diags, NAME_SHAPE, label->name.at, label->name.text);
        }
        check_label_text(k, label);
    }
    if (e->labels.count == 0)
        pxi_diag(k->diags, EMPTY_ENUM, e->name.at, e->name.text);
}

/* @@map, @@was, @@ignore, @@materialized; the others are looked at where they matter. */
static void check_model_attrs(struct pxi_checker *k, struct pxi_model *m)
{
    const char *kind = m->view ? "view" : "table";
    for (uint32_t i = 0; i < m->attrs.count && !pxi_diag_full(k->diags); i++) {
        const struct pxi_attr *a = &m->attrs.items[i];
        bool repeats = a->word == PXI_A_UNIQUES || a->word == PXI_A_INDEXES ||
                       a->word == PXI_A_CHECKS || a->word == PXI_A_IDS;
        if (repeats || !pxi_check_once(k, &m->attrs, i))
            continue;
        if (a->word == PXI_A_MAPS) {
            m->table = pxi_check_map(k, a, kind);
        } else if (a->word == PXI_A_WASES) {
            m->was = pxi_check_map(k, a, kind);
        } else if (a->word == PXI_A_IGNORES) {
            m->ignore = pxi_check_no_args(k, a);
        } else if (a->word == PXI_A_MATERIALIZED && pxi_check_no_args(k, a)) {
            m->materialized = k->schema->database[PXI_DB_POSTGRES] ||
                              pxi_check_pg_only(k, a->at, "a materialized view",
                                                "remove @@materialized: the view stays a view");
        }
    }
}

static void check_table(struct pxi_checker *k, struct pxi_model *m)
{
    m->table = m->c_name;
    check_model_attrs(k, m);
    if (!m->c_name)
        return;
    const char *kind = m->view ? "view" : "table";
    if (m->table == m->c_name && !pxi_check_db_name(k, m->table, kind, m->name.at))
        m->table = NULL;
    const char *owner = pxi_concat(&k->scratch, m->view ? "view '" : "model '", m->name.text, "'");
    pxi_check_object(k, m->table, owner, m->name.at);
}

/* The name before a rename is nobody's now: else which of the two was it? */
static void check_was(struct pxi_checker *k, const struct pxi_model *m)
{
    if (!m->was || !m->table)
        return;
    struct pxi_span at = pxi_find_attr(&m->attrs, PXI_A_WASES)->at;
    const char *name = pxi_lower(k->arena, m->was);
    const struct pxi_symbol *now = name ? pxi_symbol_find(&k->objects, name) : NULL;
    const char *owner = pxi_concat(k->arena, "model '", m->name.text, "'");
    if (!strcmp(m->was, m->table)) {
        pxi_diag(k->diags, WAS_SAME, at, owner, m->was);
    } else if (now && strcmp(m->was, m->table) != 0) {
        pxi_diag(k->diags, WAS_TAKEN, at, m->was, now->owner, owner);
    }
}

/* Attributes of a relation outlive their chunk: they are checked when all models are. */
static void keep_attrs(struct pxi_checker *k, pxi_attrs *attrs)
{
    struct pxi_arena *a = &k->scratch;
    attrs->items = pxi_arena_copy(a, attrs->items, attrs->count * sizeof *attrs->items);
    for (uint32_t i = 0; attrs->items && i < attrs->count; i++) {
        struct pxi_attr *attr = &attrs->items[i];
        if (attr->n_args)
            attr->args = pxi_arena_copy(a, attr->args, attr->n_args * sizeof *attr->args);
        if (!attr->args)
            attr->n_args = 0;
    }
    if (!attrs->items)
        attrs->count = 0;
}

static void keep_relations(struct pxi_checker *k, struct pxi_model *m)
{
    uint32_t n = k->relations.count;
    m->relations.items = n ? pxi_arena_zero(k->arena, n, sizeof *m->relations.items) : NULL;
    for (uint32_t i = 0; m->relations.items && i < n; i++) {
        struct pxi_column *field = &m->relations.items[i].field;
        *field = k->relations.items[i];
        if (field->attrs.count)
            keep_attrs(k, &field->attrs);
        m->relations.count = m->relations.capacity = n;
    }
    k->relations.count = 0;
}

/* Finds the field's type, and the list that it moves to; NULL: it stays. */
static pxi_columns *list_of(struct pxi_checker *k, struct pxi_column *c, pxi_columns *ignored)
{
    const struct pxi_symbol *type = pxi_symbol_find(&k->types, c->type_name);
    if (!type) {
        c->unknown = true;
    } else if (type->owner == pxi_owner_model) {
        return &k->relations;
    } else if (type->owner == pxi_owner_enum) {
        c->type = PRAX_T_Enum;
        c->enum_type = type->value;
    } else {
        c->type = (enum prax_type)(type->at.start);
    }
    return pxi_find_attr(&c->attrs, PXI_A_IGNORE) ? ignored : NULL;
}

/* A field whose type is a model becomes a relation; those with @ignore come last. */
static void sort_fields(struct pxi_checker *k, struct pxi_model *m)
{
    pxi_columns ignored = { NULL, 0, 0 };
    uint32_t columns = 0;
    for (uint32_t i = 0; i < m->columns.count; i++) {
        struct pxi_column *c = &m->columns.items[i];
        pxi_columns *list = list_of(k, c, &ignored);
        struct pxi_column *room = NULL;
        if (list) {
            room = pxi_list_add(&k->scratch, list);
        } else {
            room = &m->columns.items[columns++];
        }
        if (room && room != c)
            *room = *c;
    }
    m->c_columns = columns;
    for (uint32_t i = 0; i < ignored.count; i++)
        m->columns.items[columns++] = ignored.items[i];
    m->columns.count = columns;
    keep_relations(k, m);
}

/* Its attributes are about to be freed. */
static void drop_attrs(struct pxi_model *m)
{
    m->attrs = (pxi_attrs){ NULL, 0, 0 };
    for (uint32_t i = 0; i < m->columns.count; i++)
        m->columns.items[i].attrs = (pxi_attrs){ NULL, 0, 0 };
}

static void drop_enum_attrs(struct pxi_enum *e)
{
    e->attrs = (pxi_attrs){ NULL, 0, 0 };
    for (uint32_t i = 0; i < e->labels.count; i++)
        e->labels.items[i].attrs = (pxi_attrs){ NULL, 0, 0 };
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
        if (columns > PXI_ALL_COLUMNS_MAX) {
            pxi_diag(k->diags, TOO_MANY, m->name.at, "1048576", "fields in a schema");
            return;
        }
        check_was(k, m);
        sort_fields(k, m);
        pxi_check_columns(k, m);
        pxi_check_keys(k, m);
        if (m->view)
            pxi_check_view(k, m);
        drop_attrs(m);
        pxi_chunks_free(&k->chunks, i + 1);
    }
    pxi_check_relations(k);
}

static void check_schema(struct pxi_checker *k)
{
    struct pxi_schema *schema = k->schema;
    uint32_t types = schema->models.count + schema->enums.count + PRAX_T_Enum;
    pxi_symbols_reserve(&k->types, types);
    pxi_symbols_reserve(&k->objects, 4 * schema->models.count); /* a table and three keys */
    pxi_check_config(k);
    declare_scalars(k);
    for (uint32_t i = 0; i < schema->enums.count; i++) {
        check_enum(k, &schema->enums.items[i]);
        drop_enum_attrs(&schema->enums.items[i]);
    }
    for (uint32_t i = 0; i < schema->models.count; i++) {
        struct pxi_model *m = &schema->models.items[i];
        m->c_name = declare(k, &m->name, &m->attrs, pxi_owner_model, m);
    }
    check_models(k);
    pxi_check_sqls(k);
}

static void open_checker(struct pxi_checker *k)
{
    struct pxi_arena *scratch = &k->scratch;
    pxi_arena_init(scratch, k->arena->alloc, 0);
    k->types.arena = k->objects.arena = scratch;
    k->fields.arena = k->c_fields.arena = k->db_fields.arena = scratch;
    k->fields.round = k->c_fields.round = k->db_fields.round = 1;
}

static void close_checker(struct pxi_checker *k)
{
    pxi_chunks_free(&k->chunks, UINT32_MAX);
    k->arena->full |= k->scratch.full;
    pxi_arena_free(&k->scratch);
}

const struct pxi_schema *pxi_schema_read(struct pxi_diags *diags, const struct pxi_source *src,
                                         int *code)
{
    struct pxi_arena *arena = diags->arena;
    arena->large = src->size > 1 << 20;
    struct pxi_schema *schema = pxi_arena_zero(arena, 1, sizeof *schema);
    struct pxi_checker k = { .schema = schema, .diags = diags, .arena = arena, .offers = 1 << 20 };
    open_checker(&k);
    bool parsed = false;
    if (schema) {
        schema->source = src;
        parsed = pxi_parse(schema, &k.chunks, diags, src);
    }
    if (parsed)
        check_schema(&k);
    close_checker(&k);
    if (parsed && schema->prefix && !arena->full)
        pxi_names_check(schema, diags);
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

void *pxi_list_grow(struct pxi_arena *a, void *items, uint32_t count, uint32_t *capacity,
                    size_t size)
{
    uint32_t more = count ? count * 2 : 4;
    items = pxi_arena_extend(a, items, count * size, more * size);
    if (items)
        *capacity = more;
    return items;
}

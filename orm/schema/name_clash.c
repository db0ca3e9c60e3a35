/* name_clash.c - two names of generated code that would be the same. It is found before the C
 * compiler would, because its message would point into generated code.
 *
 * A generated name is PREFIX_, a stem (the model's or enum's C name, perhaps with opt_ in front)
 * and a suffix that begins with an underscore: names.def has them all. Two of different owners can
 * only meet if one stem is the other one's beginning up to an underscore, as `user` is of
 * `user_list`. So only owners with such a relative have all their names written down and compared;
 * most schemas have none, and a large one costs a look-up for every underscore.
 */
#include "orm/schema/names.h"
#include <string.h>

struct namer {
    const struct pxi_schema *schema;
    struct pxi_diags *diags;
    struct pxi_arena *arena;  /* for this check only */
    struct pxi_symbols stems; /* their values are numbers of `suspect`, plus one */
    bool *suspect;            /* suspect[models + enums]: its names are written down */
    struct pxi_symbols all;   /* the names that are written down */
    const char *owner;        /* of the names that are given now */
    struct pxi_span at;
    bool clashed; /* the owner has its diagnostic: one is enough */
};

/* ---- stems ---- */

static const void *stem_value(uint32_t number)
{
    return (const void *)(uintptr_t)(number + 1);
}

static void suspect(const struct namer *n, const void *value)
{
    if (value)
        n->suspect[(uintptr_t)value - 1] = true;
}

static void add_stem(struct namer *n, const char *mid, const char *c_name, const void *value)
{
    struct pxi_symbol symbol = { .name = *mid ? pxi_concat(n->arena, mid, c_name) : c_name,
                                 .value = value };
    const struct pxi_symbol *other = symbol.name ? pxi_symbol_add(&n->stems, &symbol) : NULL;
    if (!other || other->value == value)
        return;
    suspect(n, value);
    suspect(n, other->value);
}

/* Of all beginnings of a stem that end before an underscore. */
static void find_relatives(struct namer *n, const struct pxi_symbol *stem)
{
    char name[2 * PXI_NAME_MAX + 16];
    size_t size = strlen(stem->name);
    if (size >= sizeof name)
        return;
    memcpy(name, stem->name, size + 1);
    for (char *p = name + size; p > name; p--) {
        if (*p != '_')
            continue;
        *p = 0;
        const struct pxi_symbol *other = pxi_symbol_find(&n->stems, name);
        if (other && other->value != stem->value) {
            suspect(n, stem->value);
            suspect(n, other->value);
        }
    }
}

/* Whether names of one model may meet: PREFIX_USER_BY_... is made of keys, of fields, and is a
 * constant with NOTHING behind it. */
static bool is_odd_model(const struct pxi_model *m)
{
    for (uint32_t i = 0; i < m->unique_keys; i++) {
        const char *name = m->keys.items[i].c_name;
        bool odd = name && !strcmp(name, "nothing");
        for (uint32_t j = 0; j < i && name && !odd; j++)
            odd = m->keys.items[j].c_name && !strcmp(m->keys.items[j].c_name, name);
        if (odd)
            return true;
    }
    for (uint32_t i = 0; i < m->columns.count; i++) {
        const char *name = m->columns.items[i].c_name;
        if (name && !strncmp(name, "by_", 3))
            return true;
    }
    return false;
}

/* Whether two labels of an enum, or one and UNSET, are the same in C. */
static bool is_odd_enum(struct namer *n, const struct pxi_enum *e)
{
    struct pxi_mark mark = pxi_arena_mark(n->arena);
    struct pxi_symbols labels = { .arena = n->arena };
    bool odd = false;
    pxi_symbol_add(&labels, &(struct pxi_symbol){ .name = "unset" });
    for (uint32_t i = 0; i < e->labels.count && !odd; i++) {
        struct pxi_symbol symbol = { .name = e->labels.items[i].c_name };
        odd = symbol.name && pxi_symbol_add(&labels, &symbol);
    }
    pxi_arena_release(n->arena, mark);
    return odd;
}

/* A field called PREFIX_... may be one of the generated types. */
static bool has_prefixed_field(const struct pxi_schema *schema)
{
    size_t size = strlen(schema->prefix);
    for (uint32_t i = 0; i < schema->models.count; i++) {
        const struct pxi_model *m = &schema->models.items[i];
        for (uint32_t j = 0; j < m->columns.count; j++) {
            const char *name = m->columns.items[j].c_name;
            if (name && !strncmp(name, schema->prefix, size) && name[size] == '_')
                return true;
        }
    }
    return false;
}

static void add_enum_stems(struct namer *n, const struct pxi_enum *e, const void *value)
{
    static const struct {
        const char *mid, *suffix;
    } stems[] = {
#define PXI_ENUM_NAME(mid, suffix) { mid, suffix },
#include "orm/schema/names.def"
    };
    for (size_t i = 0; i < sizeof stems / sizeof *stems && e->c_name; i++) {
        if (!*stems[i].suffix)
            add_stem(n, stems[i].mid, e->c_name, value);
    }
}

static void add_schema_stems(struct namer *n)
{
    static const char *const stems[] = {
#define PXI_SCHEMA_NAME(name) name,
#include "orm/schema/names.def"
    };
    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++)
        add_stem(n, "", stems[i], NULL);
}

static void find_suspects(struct namer *n)
{
    const struct pxi_schema *schema = n->schema;
    uint32_t models = schema->models.count;
    bool all = has_prefixed_field(schema);
    pxi_symbols_reserve(&n->stems, models);
    add_schema_stems(n);
    for (uint32_t i = 0; i < models; i++) {
        const struct pxi_model *m = &schema->models.items[i];
        n->suspect[i] |= all || is_odd_model(m);
        if (m->c_name)
            add_stem(n, "", m->c_name, stem_value(i));
    }
    for (uint32_t i = 0; i < schema->enums.count; i++) {
        const struct pxi_enum *e = &schema->enums.items[i];
        n->suspect[models + i] |= all || is_odd_enum(n, e);
        add_enum_stems(n, e, stem_value(models + i));
    }
    for (uint32_t i = 0; i < n->stems.size; i++) {
        if (n->stems.table[i])
            find_relatives(n, n->stems.table[i]);
    }
}

/* ---- names ---- */

static void give(struct namer *n, const char *name)
{
    if (!name)
        return;
    struct pxi_symbol symbol = { .name = name, .owner = n->owner, .at = n->at };
    const struct pxi_symbol *other = pxi_symbol_add(&n->all, &symbol);
    if (!other || n->clashed || other->owner == n->owner)
        return;
    n->clashed = true;
    pxi_diag(n->diags, NAME_CLASH, n->at, n->owner, name, other->owner);
}

static void own(struct namer *n, const char *kind, const struct pxi_name *name)
{
    n->owner = pxi_concat(n->arena, kind, " '", name->text, "'");
    n->at = name->at;
    n->clashed = false;
}

static void own_field(struct namer *n, const struct pxi_model *m, const struct pxi_column *c)
{
    n->owner = pxi_concat(n->arena, "field '", m->name.text, ".", c->name.text, "'");
    n->at = c->name.at;
    n->clashed = false;
}

static void own_key(struct namer *n, const struct pxi_model *m, const struct pxi_key *key)
{
    n->owner = pxi_concat(n->arena, "a key of model '", m->name.text, "'");
    n->at = key->at;
    n->clashed = false;
}

static const char *add_prefix(struct namer *n, const char *a, const char *b, const char *c)
{
    return pxi_concat(n->arena, n->schema->prefix, "_", a, b, c);
}

static const char *add_upper(struct namer *n, const char *a, const char *b, const char *c)
{
    const char *name = add_prefix(n, a, b, c);
    return name ? pxi_upper(n->arena, name) : NULL;
}

static void give_enum(struct namer *n, const struct pxi_enum *e)
{
    if (!e->c_name)
        return;
    own(n, "enum", &e->name);
#define PXI_ENUM_NAME(mid, suffix) give(n, add_prefix(n, mid, e->c_name, suffix));
#include "orm/schema/names.def"
    give(n, add_upper(n, e->c_name, "_", "unset"));
    for (uint32_t i = 0; i < e->labels.count; i++) {
        own(n, "label", &e->labels.items[i].name);
        give(n, add_upper(n, e->c_name, "_", e->labels.items[i].c_name));
    }
}

static void give_order(struct namer *n, const struct pxi_model *m, const struct pxi_column *c)
{
    static const char *const suffixes[] = { "_asc", "_desc", "_asc_nulls_first",
                                            "_desc_nulls_last" };
    const char *stem = pxi_concat(n->arena, m->c_name, "_", c->c_name);
    for (int i = 0; stem && i < (c->optional ? 4 : 2); i++)
        give(n, add_upper(n, stem, suffixes[i], ""));
}

static void give_model(struct namer *n, const struct pxi_model *m)
{
    if (!m->c_name)
        return;
    own(n, "model", &m->name);
#define PXI_MODEL_NAME(suffix)  give(n, add_prefix(n, m->c_name, suffix, ""));
#define PXI_MODEL_CONST(suffix) give(n, add_upper(n, m->c_name, suffix, ""));
#include "orm/schema/names.def"
    for (uint32_t i = 0; i < m->unique_keys; i++) {
        own_key(n, m, &m->keys.items[i]);
        give(n, add_prefix(n, m->c_name, "_by_", m->keys.items[i].c_name));
        give(n, add_upper(n, m->c_name, "_by_", m->keys.items[i].c_name));
    }
    for (uint32_t i = 0; i < m->columns.count; i++) {
        own_field(n, m, &m->columns.items[i]);
        give_order(n, m, &m->columns.items[i]);
    }
}

/* A member called like a type hides it from the members behind it, which C++ refuses. */
static void check_members(struct namer *n, const struct pxi_model *m)
{
    for (uint32_t i = 0; i < m->columns.count; i++) {
        const struct pxi_column *c = &m->columns.items[i];
        const struct pxi_symbol *type = c->c_name ? pxi_symbol_find(&n->all, c->c_name) : NULL;
        if (!type)
            continue;
        own_field(n, m, c);
        if (n->owner)
            pxi_diag(n->diags, NAME_CLASH, c->name.at, n->owner, c->c_name, type->owner);
    }
}

static void give_all(struct namer *n)
{
    const struct pxi_schema *schema = n->schema;
    uint32_t models = schema->models.count;
    n->owner = "the schema itself";
#define PXI_SCHEMA_NAME(name) give(n, add_prefix(n, name, "", ""));
#include "orm/schema/names.def"
    for (uint32_t i = 0; i < schema->enums.count; i++) {
        if (n->suspect[models + i])
            give_enum(n, &schema->enums.items[i]);
    }
    for (uint32_t i = 0; i < models; i++) {
        if (n->suspect[i])
            give_model(n, &schema->models.items[i]);
    }
    for (uint32_t i = 0; i < models; i++) {
        if (n->suspect[i])
            check_members(n, &schema->models.items[i]);
    }
}

void pxi_names_check(const struct pxi_schema *schema, struct pxi_diags *diags)
{
    struct pxi_arena scratch;
    struct namer n = { .schema = schema, .diags = diags, .arena = &scratch };
    pxi_arena_init(&scratch, diags->arena->alloc, 0);
    n.all.arena = n.stems.arena = &scratch;
    n.suspect = pxi_arena_zero(&scratch, schema->models.count + schema->enums.count + 1, 1);
    if (n.suspect)
        find_suspects(&n);
    if (n.suspect && !scratch.full)
        give_all(&n);
    diags->arena->full |= scratch.full;
    pxi_arena_free(&scratch);
}

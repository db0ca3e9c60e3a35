/* attribute.c - attributes of a Prisma schema: each one becomes ours, goes without saying, or is
 * left out with a reason. */
#include "orm/import/prisma.h"
#include "orm/schema/names.h"
#include <string.h>

struct attr_job {
    struct prisma *p;
    const struct prisma_block *block;
    struct prisma_item *item; /* the field, or the line of a block's attribute */
    struct prisma_attr *a;
};

static const char *quoted(struct prisma *p, const struct prisma_value *v)
{
    return pxi_concat(p->arena, "\"", v->text, "\"");
}

/* @unique, @updatedAt: the word alone, and the name in the database if there is one */
static void convert_word(const struct attr_job *j)
{
    const struct prisma_value *map = prisma_arg(&j->a->args, "map");
    j->a->ours = j->a->name;
    if (map && !strcmp(j->a->name, "@unique"))
        j->a->ours = pxi_concat(j->p->arena, "@unique(map: ", quoted(j->p, map), ")");
    if (j->a->args.count > (map ? 1u : 0u))
        j->a->node.changed = "without its arguments: a key over one field has none here";
}

/* The primary key's name is the database's choice: TABLE_pkey. */
static void convert_id(const struct attr_job *j)
{
    j->a->ours = "@id";
    if (j->a->args.count > 0)
        j->a->node.changed = "without its arguments: the primary key is called TABLE_pkey";
}

static void convert_map(const struct attr_job *j)
{
    const struct prisma_value *v = prisma_arg(&j->a->args, NULL);
    v = v ? v : prisma_arg(&j->a->args, "name");
    if (j->block->kind == PRISMA_ENUM && j->a->name[1] == '@') {
        j->a->node.left_out = "enums are text with a CHECK here, so their types have no name";
    } else if (v && v->kind == PRISMA_STRING) {
        j->a->ours = pxi_concat(j->p->arena, j->a->name, "(", quoted(j->p, v), ")");
    } else {
        j->a->node.left_out = "it has no name in quotes";
    }
}

/* public is where tables are anyway. */
static void convert_schema(const struct attr_job *j)
{
    const struct prisma_value *v = prisma_arg(&j->a->args, NULL);
    if (!v || strcmp(v->text, "public") != 0)
        j->a->node.left_out = "all tables are in one schema of the database; see search_path";
}

static void convert_default(const struct attr_job *j)
{
    prisma_convert_default(j->p, j->item, j->a);
}

/* ---- lists of fields ---- */

static const char *our_field(const struct prisma_block *b, const char *name)
{
    const struct prisma_item *f = b ? prisma_field(b, name) : NULL;
    return f && f->our_name ? f->our_name : name;
}

static const char *field_list(const struct attr_job *j, const struct prisma_block *b,
                              const struct prisma_value *list)
{
    const char *text = "[";
    for (uint32_t i = 0; i < list->items.count; i++) {
        const struct prisma_value *v = &list->items.items[i];
        const struct prisma_value *sort = prisma_arg(&v->items, "sort");
        bool desc = sort && !strcmp(sort->text, "Desc");
        text = pxi_concat(j->p->arena, text, i ? ", " : "", our_field(b, v->text),
                          desc ? "(sort: Desc)" : "");
        if (v->items.count > (sort ? 1u : 0u))
            j->a->node.changed = "without operator classes and lengths: there are none here";
        if (!text)
            return NULL;
    }
    return pxi_concat(j->p->arena, text, "]");
}

/* ---- keys ---- */

static const char *with(const struct attr_job *j, const char *text, const char *name,
                        const struct prisma_value *v)
{
    if (!v || !text)
        return text;
    const char *value = v->kind == PRISMA_STRING ? quoted(j->p, v) : v->text;
    return pxi_concat(j->p->arena, text, ", ", name, ": ", value);
}

static void convert_key(const struct attr_job *j)
{
    const prisma_values *args = &j->a->args;
    const struct prisma_value *list = prisma_arg(args, NULL);
    list = list ? list : prisma_arg(args, "fields");
    if (!list || list->kind != PRISMA_LIST) {
        j->a->node.left_out = "it has no list of fields";
        return;
    }
    const char *text = pxi_concat(j->p->arena, j->a->name, "(", field_list(j, j->block, list));
    const struct prisma_value *map = prisma_arg(args, "map"), *name = prisma_arg(args, "name");
    bool index = !strcmp(j->a->name, "@@index"), id = !strcmp(j->a->name, "@@id");
    if (index) {
        text = with(j, text, "type", prisma_arg(args, "type"));
        text = with(j, text, "map", map ? map : name);
    } else if (!id) {
        text = with(j, text, "name", name);
        text = with(j, text, "map", map);
    } else if (map) {
        j->a->node.changed = "without map: the primary key is called TABLE_pkey";
    }
    if (prisma_arg(args, "clustered"))
        j->a->node.changed = "without clustered: neither database has it";
    j->a->ours = text ? pxi_concat(j->p->arena, text, ")") : NULL;
}

/* ---- relations ---- */

static void convert_relation(const struct attr_job *j)
{
    const prisma_values *args = &j->a->args;
    const char *text = "@relation(", *comma = "";
    const struct prisma_block *blocks[] = { j->block, j->item->target };
    static const char *const lists[] = { "fields", "references" };
    static const char *const words[] = { "onDelete", "onUpdate", "map" };
    const struct prisma_value *v = prisma_arg(args, NULL);
    v = v ? v : prisma_arg(args, "name");
    struct pxi_arena *arena = j->p->arena;
    if (v && *v->text) {
        text = pxi_concat(arena, text, quoted(j->p, v));
        comma = ", ";
    }
    for (int i = 0; i < 2; i++) {
        v = prisma_arg(args, lists[i]);
        if (v && v->items.count > 0) {
            text = pxi_concat(arena, text, comma, lists[i], ": ", field_list(j, blocks[i], v));
            comma = ", ";
        }
    }
    for (int i = 0; i < 3; i++) {
        v = prisma_arg(args, words[i]);
        if (v) {
            const char *value = v->kind == PRISMA_STRING ? quoted(j->p, v) : v->text;
            text = pxi_concat(arena, text, comma, words[i], ": ", value);
            comma = ", ";
        }
    }
    j->a->ours = *comma ? pxi_concat(arena, text, ")") : NULL;
}

/* ---- native types ---- */

/* What our types are anyway, or have become (type.c). A 6 of a time is what it has without one. */
static bool is_usual(const struct prisma_attr *a, const char *type)
{
    static const struct {
        const char *native, *type;
    } usual[] = {
        { "Text", "String" },       { "Boolean", "Boolean" },      { "Integer", "Int" },
        { "SmallInt", "SmallInt" }, { "BigInt", "BigInt" },        { "DoublePrecision", "Float" },
        { "ByteA", "Bytes" },       { "JsonB", "Json" },           { "Uuid", "Uuid" },
        { "Date", "Date" },         { "Timestamptz", "DateTime" }, { "Time", "Time" },
    };
    if (a->args.count > 0 && strcmp(a->args.items[0].text, "6") != 0)
        return !strncmp(type, "Decimal(", 8);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        if (!strcmp(a->name + 4, usual[i].native) && !strcmp(type, usual[i].type))
            return true;
    }
    return false;
}

static void convert_native(const struct attr_job *j)
{
    const char *text = j->a->name;
    if (!j->item->our_type || is_usual(j->a, j->item->our_type))
        return;
    for (uint32_t i = 0; i < j->a->args.count; i++)
        text = pxi_concat(j->p->arena, text, i ? ", " : "(", j->a->args.items[i].text);
    j->a->ours = j->a->args.count ? pxi_concat(j->p->arena, text, ")") : text;
}

/* ---- all ---- */

static const struct {
    const char *name;
    void (*convert)(const struct attr_job *j); /* NULL: left out */
    const char *why;
} rules[] = {
    { "@id", convert_id, NULL },
    { "@unique", convert_word, NULL },
    { "@updatedAt", convert_word, NULL },
    { "@ignore", convert_word, NULL },
    { "@default", convert_default, NULL },
    { "@map", convert_map, NULL },
    { "@relation", convert_relation, NULL },
    { "@@map", convert_map, NULL },
    { "@@id", convert_key, NULL },
    { "@@unique", convert_key, NULL },
    { "@@index", convert_key, NULL },
    { "@@ignore", convert_word, NULL },
    { "@@schema", convert_schema, NULL },
    { "@@fulltext", NULL, "there are no full-text indexes; use @@sql with CREATE INDEX" },
    { "@@shardKey", NULL, "neither database has shards" },
};

void prisma_convert_attr(struct prisma *p, const struct prisma_block *b, struct prisma_item *f,
                         struct prisma_attr *a)
{
    const struct attr_job j = { p, b, f, a };
    if (!strncmp(a->name, "@db.", 4)) {
        convert_native(&j);
        return;
    }
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(rules[i].name, a->name) != 0)
            continue;
        a->node.left_out = rules[i].why;
        if (rules[i].convert)
            rules[i].convert(&j);
        return;
    }
    a->node.left_out = "there is no such attribute";
}

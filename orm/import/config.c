/* config.c - datasource and generators of a Prisma schema. The client's generator becomes ours. */
#include "orm/import/prisma.h"
#include "orm/schema/names.h"
#include <string.h>

static const char *value_text(struct prisma *p, const struct prisma_value *v)
{
    if (v->kind == PRISMA_STRING)
        return pxi_concat(p->arena, "\"", v->text, "\"");
    if (v->kind != PRISMA_CALL || v->items.count != 1)
        return v->text;
    return pxi_concat(p->arena, v->text, "(\"", v->items.items[0].text, "\")");
}

static void convert_provider(struct prisma *p, struct prisma_item *item)
{
    static const struct {
        const char *theirs, *ours;
    } providers[] = {
        { "sqlite", "sqlite" },
        { "postgresql", "postgresql" },
        { "postgres", "postgresql" },
    };
    item->more = pxi_concat(p->arena, "provider = ", "postgresql");
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++) {
        if (!strcmp(providers[i].theirs, item->value.text)) {
            item->more = pxi_concat(p->arena, "provider = ", providers[i].ours);
            return;
        }
    }
    item->node.changed = "the databases are PostgreSQL and SQLite: postgresql stands for it";
}

/* file:dev.db of Prisma is our sqlite:dev.db; what a variable holds is for its owner to change. */
static void convert_url(struct prisma *p, struct prisma_item *item)
{
    const struct prisma_value *v = &item->value;
    if (v->kind == PRISMA_STRING && !strncmp(v->text, "file:", 5)) {
        item->more = pxi_concat(p->arena, "url = \"sqlite:", v->text + 5, "\"");
    } else {
        item->more = pxi_concat(p->arena, "url = ", value_text(p, v));
    }
}

static void convert_property(struct prisma *p, struct prisma_item *item)
{
    if (!strcmp(item->name, "provider")) {
        convert_provider(p, item);
    } else if (!strcmp(item->name, "url")) {
        convert_url(p, item);
    } else if (!strcmp(item->name, "relationMode")) {
        if (strcmp(item->value.text, "foreignKeys") != 0)
            item->node.left_out = "relations are foreign keys of the database here";
    } else if (!strcmp(item->name, "schemas")) {
        item->node.left_out = "all tables of a schema are in one of the database's";
    } else if (!strcmp(item->name, "extensions")) {
        item->node.left_out = "create extensions with a migration, before the tables";
    } else {
        item->node.left_out = "a datasource has provider and url";
    }
}

static bool is_client(const struct prisma_block *b)
{
    for (uint32_t i = 0; i < b->items.count; i++) {
        const struct prisma_item *item = &b->items.items[i];
        if (item->kind == PRISMA_PROPERTY && !strcmp(item->name, "provider"))
            return !strncmp(item->value.text, "prisma-client", 13);
    }
    return false;
}

void prisma_convert_config(struct prisma *p, struct prisma_block *b)
{
    b->our_name = b->name;
    if (b->kind == PRISMA_GENERATOR) {
        bool first = true;
        for (uint32_t i = 0; i < p->blocks.count && &p->blocks.items[i] != b; i++)
            first &= p->blocks.items[i].kind != PRISMA_GENERATOR || !is_client(&p->blocks.items[i]);
        if (!is_client(b) || !first)
            b->node.left_out = "the one generator is c";
        return;
    }
    for (uint32_t i = 0; i < b->items.count; i++) {
        if (b->items.items[i].kind == PRISMA_PROPERTY)
            convert_property(p, &b->items.items[i]);
    }
}

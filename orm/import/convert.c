/* convert.c - what the blocks, fields and names of a Prisma schema become.
 *
 * Names: ours are for C and have a shape; one that does not fit is changed in the schema and keeps
 * its old form in the database by @map. Tables: Prisma calls one like its model, we in small
 * letters, so nearly every model gets an @@map. A model without @id takes its first unique key.
 */
#include "orm/import/prisma.h"
#include "orm/schema/names.h"
#include "orm/schema/text.h"
#include <string.h>

const struct prisma_block *prisma_find(const struct prisma *p, const char *name)
{
    for (uint32_t i = 0; i < p->blocks.count; i++) {
        const struct prisma_block *b = &p->blocks.items[i];
        if (b->kind >= PRISMA_MODEL && b->name && !strcmp(b->name, name))
            return b;
    }
    return NULL;
}

const struct prisma_item *prisma_field(const struct prisma_block *b, const char *name)
{
    for (uint32_t i = 0; i < b->items.count; i++) {
        const struct prisma_item *f = &b->items.items[i];
        if (f->kind == PRISMA_FIELD && !strcmp(f->name, name))
            return f;
    }
    return NULL;
}

const struct prisma_attr *prisma_attr(const struct prisma_item *f, const char *name)
{
    for (uint32_t i = 0; i < f->attrs.count; i++) {
        if (!strcmp(f->attrs.items[i].name, name))
            return &f->attrs.items[i];
    }
    return NULL;
}

const struct prisma_value *prisma_arg(const prisma_values *args, const char *name)
{
    for (uint32_t i = 0; i < args->count; i++) {
        const struct prisma_value *v = &args->items[i];
        if (name ? v->name && !strcmp(v->name, name) : !v->name)
            return v;
    }
    return NULL;
}

/* ---- names ---- */

/* Letters, digits and single underscores, a letter in front and no underscore behind. */
static const char *shaped(struct prisma *p, const char *name)
{
    char *out = pxi_arena_get(p->arena, strlen(name) + 3, 1), *to = out;
    if (!out || (pxi_name_shape(name) && !strpbrk(name, "-.")))
        return name;
    if (name[0] == '_' || (name[0] >= '0' && name[0] <= '9'))
        *to++ = 'x';
    for (; *name; name++) {
        char c = *name;
        if (c == '-' || c == '.')
            c = '_';
        if (c != '_' || to == out || to[-1] != '_')
            *to++ = c;
    }
    while (to > out + 1 && to[-1] == '_')
        to--;
    *to = 0;
    return out;
}

static bool is_c_name_taken(struct prisma *p, const struct prisma_block *b, uint32_t before,
                            const char *c_name)
{
    for (uint32_t i = 0; i < before; i++) {
        const struct prisma_item *f = &b->items.items[i];
        const char *other = f->our_name ? pxi_snake(p->arena, f->our_name) : NULL;
        if (other && !strcmp(other, c_name))
            return true;
    }
    return false;
}

static void add_more(struct prisma *p, const char **more, const char *attr, const char *text)
{
    *more = pxi_concat(p->arena, *more ? *more : "", *more ? " " : "", attr, "(\"", text, "\")");
}

static void convert_field_name(struct prisma *p, struct prisma_block *b, uint32_t i)
{
    struct prisma_item *f = &b->items.items[i];
    f->our_name = shaped(p, f->name);
    bool column = !f->target || f->target->kind == PRISMA_ENUM;
    if (column && strcmp(f->our_name, f->name) != 0 && !prisma_attr(f, "@map"))
        add_more(p, &f->more, "@map", f->name);
    if (b->kind == PRISMA_ENUM)
        return;
    const char *c_name = pxi_snake(p->arena, f->our_name);
    if (!c_name)
        return;
    if (pxi_name_reserved(c_name)) {
        add_more(p, &f->more, "@name", pxi_concat(p->arena, c_name, "_value"));
    } else if (is_c_name_taken(p, b, i, c_name)) {
        add_more(p, &f->more, "@name", pxi_concat(p->arena, c_name, "_2"));
    }
}

static const struct prisma_item *block_attr(const struct prisma_block *b, const char *name)
{
    for (uint32_t i = 0; i < b->items.count; i++) {
        const struct prisma_item *item = &b->items.items[i];
        if (item->kind == PRISMA_ATTR && !strcmp(item->attrs.items[0].name, name))
            return item;
    }
    return NULL;
}

/* Prisma's table is called like the model. */
static void convert_block_name(struct prisma *p, struct prisma_block *b)
{
    b->our_name = shaped(p, b->name);
    const char *table = pxi_snake(p->arena, b->our_name);
    if (b->kind == PRISMA_MODEL && table && strcmp(table, b->name) != 0 && !block_attr(b, "@@map"))
        add_more(p, &b->more, "@@map", b->name);
}

/* ---- keys ---- */

static bool has_id(const struct prisma_block *b)
{
    for (uint32_t i = 0; i < b->items.count; i++) {
        if (b->items.items[i].kind == PRISMA_FIELD && prisma_attr(&b->items.items[i], "@id"))
            return true;
    }
    return block_attr(b, "@@id");
}

static bool all_required(const struct prisma_block *b, const prisma_values *fields)
{
    for (uint32_t i = 0; i < fields->count; i++) {
        const struct prisma_item *f = prisma_field(b, fields->items[i].text);
        if (!f || f->optional || f->list)
            return false;
    }
    return fields->count > 0;
}

/* Prisma is content with a unique key; every table of ours has a primary one. */
static void promote_key(struct prisma *p, struct prisma_block *b)
{
    static const char why[] = "the model has no @id; this key is its primary key here";
    for (uint32_t i = 0; i < b->items.count; i++) {
        struct prisma_item *f = &b->items.items[i];
        for (uint32_t j = 0; j < f->attrs.count; j++) {
            struct prisma_attr *a = &f->attrs.items[j];
            const struct prisma_value *list = prisma_arg(&a->args, NULL);
            if (f->kind == PRISMA_FIELD && !strcmp(a->name, "@unique") && !f->optional &&
                !f->list) {
                a->ours = "@id";
                a->node.changed = why;
                return;
            }
            if (!strcmp(a->name, "@@unique") && list && all_required(b, &list->items) && a->ours) {
                a->ours = pxi_concat(p->arena, "@@id", a->ours + strlen("@@unique"));
                a->node.changed = why;
                return;
            }
        }
    }
}

/* ---- types of keys ---- */

static bool is_text_key(const char *type)
{
    return type && (!strcmp(type, "Uuid") || !strcmp(type, "Ulid"));
}

/* A String that refers to what became Uuid or Ulid becomes that, too; true if one did. */
static bool follow_key(const struct prisma_block *b, const struct prisma_item *f)
{
    const struct prisma_attr *a = prisma_attr(f, "@relation");
    const struct prisma_value *fields = a ? prisma_arg(&a->args, "fields") : NULL;
    const struct prisma_value *references = a ? prisma_arg(&a->args, "references") : NULL;
    bool moved = false;
    if (!fields || !references || !f->target)
        return false;
    for (uint32_t i = 0; i < fields->items.count && i < references->items.count; i++) {
        const struct prisma_item *own = prisma_field(b, fields->items.items[i].text);
        const struct prisma_item *to = prisma_field(f->target, references->items.items[i].text);
        if (own && to && is_text_key(to->our_type) && own->our_type &&
            !strcmp(own->our_type, "String")) {
            ((struct prisma_item *)(uintptr_t)own)->our_type = to->our_type;
            moved = true;
        }
    }
    return moved;
}

static void follow_keys(struct prisma *p)
{
    bool moved = true;
    for (unsigned round = 0; moved && round < 64; round++) {
        moved = false;
        for (uint32_t i = 0; i < p->blocks.count; i++) {
            const struct prisma_block *b = &p->blocks.items[i];
            for (uint32_t j = 0; j < b->items.count; j++) {
                const struct prisma_item *f = &b->items.items[j];
                moved |= f->kind == PRISMA_FIELD && follow_key(b, f);
            }
        }
    }
}

/* ---- all ---- */

static void convert_types(struct prisma *p, struct prisma_block *b)
{
    for (uint32_t i = 0; i < b->items.count; i++) {
        struct prisma_item *f = &b->items.items[i];
        if (f->kind != PRISMA_FIELD)
            continue;
        if (f->type) {
            f->target = prisma_find(p, f->type);
            prisma_convert_type(p, f);
        }
        convert_field_name(p, b, i);
    }
}

static void convert_attrs(struct prisma *p, struct prisma_block *b)
{
    for (uint32_t i = 0; i < b->items.count; i++) {
        struct prisma_item *f = &b->items.items[i];
        for (uint32_t j = 0; j < f->attrs.count; j++)
            prisma_convert_attr(p, b, f, &f->attrs.items[j]);
    }
    if (b->kind == PRISMA_MODEL && !has_id(b))
        promote_key(p, b);
}

static void refuse_block(struct prisma_block *b)
{
    if (b->kind == PRISMA_VIEW)
        b->node.left_out = "a view needs its SELECT here: view Name { ... @@sql(\"\"\"...\"\"\") }";
    if (b->kind == PRISMA_TYPE)
        b->node.left_out = "there are no composite types; use Json, or a model";
}

void prisma_convert(struct prisma *p)
{
    for (uint32_t i = 0; i < p->blocks.count; i++) {
        struct prisma_block *b = &p->blocks.items[i];
        refuse_block(b);
        if (b->kind == PRISMA_DATASOURCE || b->kind == PRISMA_GENERATOR) {
            prisma_convert_config(p, b);
        } else if (b->name) {
            convert_block_name(p, b);
        }
    }
    for (uint32_t i = 0; i < p->blocks.count; i++) {
        if (p->blocks.items[i].kind >= PRISMA_MODEL)
            convert_types(p, &p->blocks.items[i]);
    }
    follow_keys(p);
    for (uint32_t i = 0; i < p->blocks.count; i++) {
        if (p->blocks.items[i].kind >= PRISMA_MODEL)
            convert_attrs(p, &p->blocks.items[i]);
    }
}

/* type.c - types, native types and defaults of a Prisma schema, and what they become. */
#include "orm/import/prisma.h"
#include "orm/schema/names.h"
#include <stdlib.h>
#include <string.h>

bool prisma_is_postgres(const struct prisma *p)
{
    for (uint32_t i = 0; i < p->blocks.count; i++) {
        const struct prisma_block *b = &p->blocks.items[i];
        for (uint32_t j = 0; b->kind == PRISMA_DATASOURCE && j < b->items.count; j++) {
            const struct prisma_item *item = &b->items.items[j];
            if (item->kind == PRISMA_PROPERTY && !strcmp(item->name, "provider"))
                return strcmp(item->value.text, "sqlite") != 0;
        }
    }
    return true;
}

/* ---- types ---- */

static const struct prisma_attr *native_of(const struct prisma_item *f)
{
    for (uint32_t i = 0; i < f->attrs.count; i++) {
        if (!strncmp(f->attrs.items[i].name, "@db.", 4))
            return &f->attrs.items[i];
    }
    return NULL;
}

static bool is_native(const struct prisma_attr *a, const char *name)
{
    return a && !strcmp(a->name + 4, name);
}

static bool calls(const struct prisma_item *f, const char *function)
{
    const struct prisma_attr *a = prisma_attr(f, "@default");
    const struct prisma_value *v = a ? prisma_arg(&a->args, NULL) : NULL;
    return v && v->kind == PRISMA_CALL && !strcmp(v->text, function);
}

/* Ours are for sums: 18 digits at most. */
static void convert_decimal(struct prisma *p, struct prisma_item *f,
                            const struct prisma_attr *native)
{
    bool digits = native && is_native(native, "Decimal") && native->args.count == 2;
    const char *a = digits ? native->args.items[0].text : "65";
    const char *b = digits ? native->args.items[1].text : "30";
    if (digits && strtol(a, NULL, 10) <= 18) {
        f->our_type = pxi_concat(p->arena, "Decimal(", a, ", ", b, ")");
    } else if (prisma_is_postgres(p)) {
        f->our_type = "Numeric";
        if (!native)
            f->more = "@db.Decimal(65, 30)";
    } else {
        f->our_type = "Decimal(18, 4)";
        f->node.changed =
            "a Decimal has a precision and a scale here: Decimal(18, 4) stands for it";
    }
}

/* uuid() and uuid(4), without a native type. */
static bool makes_uuid(const struct prisma_item *f)
{
    const struct prisma_attr *d = prisma_attr(f, "@default");
    const struct prisma_value *call = d ? prisma_arg(&d->args, NULL) : NULL;
    if (!call || call->kind != PRISMA_CALL || strcmp(call->text, "uuid") != 0)
        return false;
    return call->items.count == 0 || !strcmp(call->items.items[0].text, "4");
}

static void convert_string(struct prisma *p, struct prisma_item *f,
                           const struct prisma_attr *native)
{
    bool uuid = !native && makes_uuid(f), ulid = !native && calls(f, "ulid");
    f->our_type = "String";
    if (uuid || is_native(native, "Uuid")) {
        f->our_type = "Uuid";
    } else if (ulid) {
        f->our_type = "Ulid";
    }
    if ((uuid || ulid) && prisma_is_postgres(p)) {
        f->node.changed = "Prisma keeps it as text, we as uuid; a database that exists needs "
                          "ALTER TABLE ... ALTER COLUMN ... TYPE uuid";
    }
}

static const char *time_type(const struct prisma_attr *native)
{
    if (is_native(native, "Date"))
        return "Date";
    return is_native(native, "Time") || is_native(native, "Timetz") ? "Time" : "DateTime";
}

/* A model, an enum, or what was left out. */
static void convert_target(struct prisma_item *f)
{
    f->our_type = f->target->our_name;
    if (f->target->kind == PRISMA_VIEW || f->target->kind == PRISMA_TYPE)
        f->node.left_out = "its type was left out";
    if (prisma_attr(f, "@ignore") && f->target->kind == PRISMA_MODEL)
        f->node.left_out = "relations cannot be ignored: without the field there is none";
}

static const char *same_type(const char *type)
{
    static const char *const same[] = { "Boolean", "BigInt", "Float", "Json", "Bytes" };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        if (!strcmp(same[i], type))
            return same[i];
    }
    return NULL;
}

/* What Prisma's type is in PostgreSQL is said where ours is another: DateTime, Decimal. */
void prisma_convert_type(struct prisma *p, struct prisma_item *f)
{
    const struct prisma_attr *native = native_of(f);
    f->our_type = same_type(f->type);
    if (f->target) {
        convert_target(f);
    } else if (!strcmp(f->type, "String")) {
        convert_string(p, f, native);
    } else if (!strcmp(f->type, "Int")) {
        f->our_type = is_native(native, "SmallInt") ? "SmallInt" : "Int";
    } else if (!strcmp(f->type, "DateTime")) {
        f->our_type = time_type(native);
        if (!native && prisma_is_postgres(p))
            f->more = "@db.Timestamp(3)";
    } else if (!strcmp(f->type, "Decimal")) {
        convert_decimal(p, f, native);
    } else if (!strcmp(f->type, "Unsupported")) {
        f->node.left_out = "the type is none of Prisma's, nor of ours";
    } else if (!f->our_type) {
        f->node.left_out = "the type is unknown";
    }
}

/* ---- defaults ---- */

static int base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* "3q2+7w==" is "deadbeef"; NULL if it is no base64. */
static const char *hexadecimal(struct pxi_arena *a, const char *text)
{
    static const char digits[] = "0123456789abcdef";
    char *out = pxi_arena_get(a, strlen(text) * 2 + 1, 1), *to = out;
    unsigned bits = 0, held = 0;
    if (!out)
        return NULL;
    for (; *text && *text != '='; text++) {
        int digit = base64_digit(*text);
        if (digit < 0)
            return NULL;
        bits = (bits << 6 | (unsigned)digit) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            unsigned byte = bits >> held & 0xff;
            *to++ = digits[byte >> 4];
            *to++ = digits[byte & 15];
        }
    }
    *to = 0;
    return out;
}

static void leave(struct prisma_attr *a, const char *why)
{
    a->node.left_out = why;
}

static void convert_call(struct prisma *p, const struct prisma_item *f, struct prisma_attr *a,
                         const struct prisma_value *v)
{
    const struct prisma_value *first = v->items.count ? &v->items.items[0] : NULL;
    const char *name = v->text;
    if (!strcmp(name, "autoincrement") && !first) {
        if (prisma_attr(f, "@id")) {
            a->ours = "@auto";
        } else {
            leave(a, "only a primary key can count");
        }
    } else if (!strcmp(name, "dbgenerated")) {
        if (first && *first->text) {
            a->ours = pxi_concat(p->arena, "@default(dbgenerated(\"", first->text, "\"))");
        } else {
            leave(a, "dbgenerated needs the expression here");
        }
    } else if (!strcmp(name, "uuid") && first && strcmp(first->text, "4") != 0) {
        leave(a, "the version of uuid() is 4 here; give the value when you write");
    } else if (!strcmp(name, "now") || !strcmp(name, "uuid") || !strcmp(name, "ulid")) {
        a->ours = pxi_concat(p->arena, "@default(", name, "())");
    } else {
        leave(a, "nothing here makes such values; give one when you write");
    }
}

static const char *literal(struct prisma *p, const struct prisma_item *f,
                           const struct prisma_value *v)
{
    if (v->kind != PRISMA_STRING)
        return v->text;
    bool bytes = f->our_type && !strcmp(f->our_type, "Bytes");
    const char *text = bytes ? hexadecimal(p->arena, v->text) : v->text;
    return text ? pxi_concat(p->arena, "\"", text, "\"") : NULL;
}

void prisma_convert_default(struct prisma *p, const struct prisma_item *f, struct prisma_attr *a)
{
    const struct prisma_value *v = prisma_arg(&a->args, NULL);
    v = v ? v : prisma_arg(&a->args, "value");
    if (!v) {
        leave(a, "it has no value");
    } else if (v->kind == PRISMA_CALL) {
        convert_call(p, f, a, v);
    } else if (v->kind == PRISMA_LIST && v->items.count > 0) {
        leave(a, "the default of a list is [] here");
    } else if (v->kind == PRISMA_LIST) {
        a->ours = "@default([])";
    } else {
        const struct prisma_item *label =
            f->target && v->kind == PRISMA_WORD ? prisma_field(f->target, v->text) : NULL;
        const char *text = label ? label->our_name : literal(p, f, v);
        a->ours = text ? pxi_concat(p->arena, "@default(", text, ")") : NULL;
        if (!text)
            leave(a, "it is no base64");
    }
}

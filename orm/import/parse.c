/* parse.c - a Prisma schema's tokens to the tree of prisma.h. The first error ends it.
 *
 * Comments are put aside while a line is read: those within it come before it, one behind it is
 * its own, the rest come after it.
 */
#include "orm/import/prisma.h"
#include "orm/schema/names.h"
#include "orm/schema/text.h"
#include <string.h>

enum { DEPTH_MAX = 8 }; /* of values within values: Prisma itself has three */

struct parser {
    struct prisma *p;
    uint32_t at;
    struct prisma_token t; /* the current token, never a comment */
    uint32_t last_end;
    PXI_LIST(struct prisma_token) comments; /* in front of t, and not yet in the tree */
};

static void advance(struct parser *ps)
{
    ps->last_end = ps->t.end;
    bool first = false;
    while ((ps->t = prisma_lex(ps->p, &ps->at)).kind == PRISMA_T_COMMENT) {
        first |= ps->t.first || strchr(ps->t.text, '\n');
        struct prisma_token *room = pxi_list_add(ps->p->arena, &ps->comments);
        if (room)
            *room = ps->t;
    }
    ps->t.first |= first;
}

static bool fail(struct parser *ps, const char *what)
{
    prisma_fail(ps->p, ps->t.start, what);
    return false;
}

static bool want(struct parser *ps, char c, const char *what)
{
    if (ps->t.kind != c)
        return fail(ps, what);
    advance(ps);
    return true;
}

/* ---- values ---- */

static bool parse_values(struct parser *ps, prisma_values *values, char close, int depth);

/* NOLINTNEXTLINE(misc-no-recursion): depth is at most DEPTH_MAX */
static bool parse_plain(struct parser *ps, struct prisma_value *v, int depth)
{
    v->text = ps->t.text;
    switch (ps->t.kind) {
    case PRISMA_T_STRING:
        v->kind = PRISMA_STRING;
        break;
    case PRISMA_T_NUMBER:
        v->kind = PRISMA_NUMBER;
        break;
    case PRISMA_T_NAME:
        v->kind = PRISMA_WORD;
        break;
    case '[':
        v->kind = PRISMA_LIST;
        v->text = "";
        advance(ps);
        return parse_values(ps, &v->items, ']', depth + 1);
    default:
        return fail(ps, "a value was expected here");
    }
    advance(ps);
    if (v->kind != PRISMA_WORD || ps->t.kind != '(')
        return true;
    v->kind = PRISMA_CALL;
    advance(ps);
    return parse_values(ps, &v->items, ')', depth + 1);
}

/* [ NAME ":" ] value */
/* NOLINTNEXTLINE(misc-no-recursion) */
static bool parse_value(struct parser *ps, struct prisma_value *v, int depth)
{
    if (depth > DEPTH_MAX)
        return fail(ps, "the values are too deep within each other");
    if (!parse_plain(ps, v, depth))
        return false;
    if (v->kind != PRISMA_WORD || ps->t.kind != ':')
        return true;
    const char *name = v->text;
    advance(ps);
    bool good = parse_plain(ps, v, depth);
    v->name = name;
    return good;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static bool parse_values(struct parser *ps, prisma_values *values, char close, int depth)
{
    while (ps->t.kind != close) {
        struct prisma_value v = { 0 };
        if (!parse_value(ps, &v, depth))
            return false;
        struct prisma_value *room = pxi_list_add(ps->p->arena, values);
        if (!room)
            return false;
        *room = v;
        if (ps->t.kind != close &&
            !want(ps, ',',
                  close == ')' ? "',' or ')' was expected here" : "',' or ']' was expected here"))
            return false;
    }
    advance(ps);
    return true;
}

static bool parse_attr(struct parser *ps, prisma_attrs *attrs)
{
    struct prisma_attr a = { .node.start = ps->t.start, .name = ps->t.text };
    advance(ps);
    if (ps->t.kind == '(') {
        advance(ps);
        if (!parse_values(ps, &a.args, ')', 1))
            return false;
    }
    a.node.end = ps->last_end;
    struct prisma_attr *room = pxi_list_add(ps->p->arena, attrs);
    if (room)
        *room = a;
    return room;
}

/* ---- lines ---- */

static bool parse_property(struct parser *ps, struct prisma_item *item)
{
    item->kind = PRISMA_PROPERTY;
    item->name = ps->t.text;
    advance(ps);
    return want(ps, '=', "'=' was expected here") && parse_value(ps, &item->value, 1);
}

/* NAME [ "(" values ")" ] [ "[" "]" ] [ "?" ] */
static bool parse_type(struct parser *ps, struct prisma_item *item)
{
    if (ps->t.kind != PRISMA_T_NAME || ps->t.first)
        return fail(ps, "the field's type was expected here");
    item->type = ps->t.text;
    advance(ps);
    if (ps->t.kind == '(') {
        advance(ps);
        if (!parse_values(ps, &item->type_args, ')', 1))
            return false;
    }
    if (ps->t.kind == '[') {
        advance(ps);
        item->list = true;
        if (!want(ps, ']', "']' was expected here"))
            return false;
    }
    item->optional = ps->t.kind == '?';
    if (item->optional)
        advance(ps);
    return true;
}

static bool parse_field(struct parser *ps, struct prisma_item *item, bool label)
{
    item->kind = PRISMA_FIELD;
    item->name = ps->t.text;
    advance(ps);
    if (!label && !parse_type(ps, item))
        return false;
    while (ps->t.kind == PRISMA_T_ATTR && ps->t.text[1] != '@') {
        if (!parse_attr(ps, &item->attrs))
            return false;
    }
    if (!ps->t.first && ps->t.kind != '}')
        return fail(ps, "an attribute or the end of the line was expected here");
    return true;
}

static bool parse_item(struct parser *ps, struct prisma_item *item, enum prisma_block_kind kind)
{
    bool config = kind == PRISMA_DATASOURCE || kind == PRISMA_GENERATOR;
    if (ps->t.kind == PRISMA_T_ATTR && ps->t.text[1] == '@' && !config) {
        item->kind = PRISMA_ATTR;
        return parse_attr(ps, &item->attrs);
    }
    if (ps->t.kind != PRISMA_T_NAME && ps->t.kind != PRISMA_T_NUMBER)
        return fail(ps, "a field, an attribute or '}' was expected here");
    return config ? parse_property(ps, item) : parse_field(ps, item, kind == PRISMA_ENUM);
}

/* The first n comments are in the tree. */
static void forget(struct parser *ps, uint32_t n)
{
    struct prisma_token *all = ps->comments.items;
    ps->comments.count -= n;
    if (n && ps->comments.count)
        memmove(all, all + n, ps->comments.count * sizeof *all);
}

/* The comments in front of the current token that begin before `end` become lines of the block. */
static void flush(struct parser *ps, struct prisma_block *b, uint32_t end)
{
    uint32_t n = 0;
    for (; n < ps->comments.count && ps->comments.items[n].start < end; n++) {
        const struct prisma_token *t = &ps->comments.items[n];
        struct prisma_item *item = pxi_list_add(ps->p->arena, &b->items);
        if (!item)
            return;
        item->kind = PRISMA_COMMENT;
        item->node = (struct prisma_node){ t->start, t->end, NULL, NULL };
        item->gap = t->gap;
        item->text = t->text;
    }
    forget(ps, n);
}

/* Those that stand on the line that has just been read. */
static void take_behind(struct parser *ps, struct prisma_item *item)
{
    uint32_t n = 0;
    for (; n < ps->comments.count && !ps->comments.items[n].first; n++) {
        item->behind = pxi_concat(ps->p->arena, item->behind ? item->behind : "",
                                  item->behind ? " " : "", ps->comments.items[n].text);
    }
    forget(ps, n);
}

static bool parse_line(struct parser *ps, struct prisma_block *b)
{
    flush(ps, b, ps->t.start);
    struct prisma_item item = { .node.start = ps->t.start, .gap = ps->t.gap };
    if (!parse_item(ps, &item, b->kind))
        return false;
    item.node.end = ps->last_end;
    if (item.kind == PRISMA_ATTR)
        item.node.start = item.attrs.items[0].node.start;
    flush(ps, b, item.node.end);
    take_behind(ps, &item);
    struct prisma_item *room = pxi_list_add(ps->p->arena, &b->items);
    if (room)
        *room = item;
    return room;
}

/* ---- blocks ---- */

static const struct {
    const char *word;
    enum prisma_block_kind kind;
} block_words[] = {
    { "datasource", PRISMA_DATASOURCE },
    { "generator", PRISMA_GENERATOR },
    { "model", PRISMA_MODEL },
    { "enum", PRISMA_ENUM },
    { "view", PRISMA_VIEW },
    { "type", PRISMA_TYPE },
};

static struct prisma_block *add_block(struct parser *ps, const struct prisma_block *b)
{
    struct prisma_block *room = pxi_list_add(ps->p->arena, &ps->p->blocks);
    if (room)
        *room = *b;
    return room;
}

static void flush_top(struct parser *ps)
{
    for (uint32_t i = 0; i < ps->comments.count; i++) {
        const struct prisma_token *t = &ps->comments.items[i];
        add_block(ps, &(struct prisma_block){ .kind = PRISMA_TOP_COMMENT,
                                              .node = { t->start, t->end, NULL, NULL },
                                              .gap = t->gap,
                                              .text = t->text });
    }
    ps->comments.count = 0;
}

static bool parse_block(struct parser *ps)
{
    struct prisma_block b = { .node.start = ps->t.start, .gap = ps->t.gap };
    size_t i = 0, n = sizeof block_words / sizeof *block_words;
    while (i < n && (ps->t.kind != PRISMA_T_NAME || strcmp(block_words[i].word, ps->t.text) != 0))
        i++;
    if (i == n)
        return fail(ps, "datasource, generator, model, enum, view or type was expected here");
    b.kind = block_words[i].kind;
    advance(ps);
    if (ps->t.kind != PRISMA_T_NAME)
        return fail(ps, "a name was expected here");
    b.name = ps->t.text;
    b.head_end = ps->t.end;
    advance(ps);
    if (!want(ps, '{', "'{' was expected here"))
        return false;
    while (ps->t.kind != '}') {
        if (ps->t.kind == PRISMA_T_END)
            return fail(ps, "the block does not end: '}' was expected here");
        if (!parse_line(ps, &b))
            return false;
    }
    flush(ps, &b, ps->t.start);
    b.node.end = ps->t.end;
    advance(ps);
    return add_block(ps, &b);
}

/* What no schema may hold, ours neither. */
static void check_characters(struct prisma *p)
{
    struct pxi_char c;
    for (uint32_t i = 0; i < p->size && !p->error; i += c.size) {
        c = pxi_char_at(p->text + i, p->size - i);
        if (c.kind == PXI_CHAR_BROKEN) {
            prisma_fail(p, i, "a byte that is not UTF-8");
        } else if (c.kind == PXI_CHAR_FORBIDDEN) {
            prisma_fail(p, i, "a control character");
        }
    }
}

bool prisma_parse(struct prisma *p)
{
    struct parser ps = { .p = p };
    if (p->size >= 3 && !memcmp(p->text, "\xef\xbb\xbf", 3))
        ps.at = 3;
    check_characters(p);
    advance(&ps);
    for (;;) {
        flush_top(&ps);
        if (ps.t.kind == PRISMA_T_END || !parse_block(&ps))
            break;
    }
    return !p->error && !p->arena->full;
}

/* write.c - the converted tree as a schema of ours: right, though not yet laid out.
 *
 * What was left out stays as a comment, so that a reader sees it where he would look for it. A doc
 * comment whose field is gone becomes an ordinary one, for it would document the next.
 */
#include "orm/import/prisma.h"
#include <string.h>

struct writer {
    struct prisma *p;
    const struct pxi_import *import;
    struct pxi_buf *out;
    prisma_parts *parts;
};

const char *prisma_source(const struct prisma *p, const struct prisma_node *n)
{
    char *text = pxi_arena_get(p->arena, n->end - n->start + 1, 1), *to = text;
    if (!text)
        return NULL;
    for (uint32_t i = n->start; i < n->end; i++) {
        bool blank = strchr(" \t\r\n", p->text[i]);
        if (!blank) {
            *to++ = p->text[i];
        } else if (to > text && to[-1] != ' ') {
            *to++ = ' ';
        }
    }
    *to = 0;
    return text;
}

static void add_part(const struct writer *w, size_t start, struct prisma_node *node,
                     struct prisma_item *item)
{
    struct prisma_part *part = pxi_list_add(w->p->arena, w->parts);
    if (part)
        *part = (struct prisma_part){ (uint32_t)start, (uint32_t)w->out->size, node, item };
}

/* The source of a node, each of its lines as a comment. */
static void add_left_out(const struct writer *w, const struct prisma_node *n)
{
    const char *text = w->p->text;
    pxi_buf_text(w->out, "// left out: ");
    for (uint32_t i = n->start; i < n->end; i++) {
        if (text[i] == '\n') {
            while (w->out->size > 0 && strchr(" \t\r", w->out->data[w->out->size - 1]))
                w->out->size--;
            pxi_buf_text(w->out, "\n//");
        } else {
            pxi_buf_char(w->out, text[i]);
        }
    }
    pxi_buf_char(w->out, '\n');
}

/* A comment; doc: what follows it may be documented. */
static void add_comment(const struct writer *w, const char *text, bool doc)
{
    bool is_doc = !strncmp(text, "///", 3) && text[3] != '/';
    if (is_doc && !doc) {
        pxi_buf_text(w->out, "//");
        text += 3;
    }
    pxi_buf_text(w->out, text);
    pxi_buf_char(w->out, '\n');
}

static void add_attrs(const struct writer *w, struct prisma_item *f)
{
    for (uint32_t i = 0; i < f->attrs.count; i++) {
        struct prisma_attr *a = &f->attrs.items[i];
        if (a->node.left_out || !a->ours)
            continue;
        if (f->kind == PRISMA_FIELD)
            pxi_buf_char(w->out, ' ');
        size_t start = w->out->size;
        pxi_buf_text(w->out, a->ours);
        add_part(w, start, &a->node, f);
    }
}

static void add_code(const struct writer *w, struct prisma_item *item)
{
    if (item->kind == PRISMA_ATTR) {
        add_attrs(w, item);
    } else if (item->kind == PRISMA_PROPERTY) {
        pxi_buf_text(w->out, item->more ? item->more : "");
    } else {
        pxi_buf_text(w->out, item->our_name);
        if (item->our_type) {
            pxi_buf_fmt(w->out, " %s%s%s", item->our_type, item->list ? "[]" : "",
                        item->optional ? "?" : "");
        }
        add_attrs(w, item);
        if (item->more)
            pxi_buf_fmt(w->out, " %s", item->more);
    }
}

static bool is_empty(const struct prisma_item *item)
{
    return (item->kind == PRISMA_PROPERTY && !item->more) ||
           (item->kind == PRISMA_ATTR && !item->attrs.items[0].ours);
}

static void add_item(const struct writer *w, struct prisma_item *item)
{
    bool told = false;
    for (uint32_t i = 0; i < item->attrs.count && !item->node.left_out; i++) {
        if (item->attrs.items[i].node.left_out) {
            add_left_out(w, &item->attrs.items[i].node);
            told = true;
        }
    }
    if (item->node.left_out) {
        add_left_out(w, &item->node);
        told = true;
    }
    bool gone = item->node.left_out || is_empty(item) ||
                (item->kind == PRISMA_ATTR && item->attrs.items[0].node.left_out);
    size_t start = w->out->size;
    if (!gone) {
        add_code(w, item);
        add_part(w, start, &item->node, NULL);
        told = true;
    }
    if (item->behind) {
        pxi_buf_text(w->out, told && !gone ? " " : "");
        add_comment(w, item->behind, false);
    } else if (!gone) {
        pxi_buf_char(w->out, '\n');
    }
}

/* Whether the comment items[i] stands before a field that is there. */
static bool documents(const struct prisma_block *b, uint32_t i)
{
    while (i < b->items.count && b->items.items[i].kind == PRISMA_COMMENT)
        i++;
    const struct prisma_item *f = i < b->items.count ? &b->items.items[i] : NULL;
    if (!f || f->kind != PRISMA_FIELD || f->node.left_out)
        return false;
    for (uint32_t j = 0; j < f->attrs.count; j++) {
        if (f->attrs.items[j].node.left_out)
            return true; /* its comment stands between, which does no harm */
    }
    return true;
}

static void add_items(const struct writer *w, struct prisma_block *b)
{
    for (uint32_t i = 0; i < b->items.count; i++) {
        struct prisma_item *item = &b->items.items[i];
        if (item->gap)
            pxi_buf_char(w->out, '\n');
        if (item->kind == PRISMA_COMMENT) {
            add_comment(w, item->text, documents(b, i));
        } else {
            add_item(w, item);
        }
    }
}

static void add_generator(const struct writer *w, const struct prisma_block *b)
{
    const char *prefix = w->import->prefix, *folder = w->import->out;
    pxi_buf_fmt(w->out, "generator c {\n prefix = \"%s\"\n out = \"%s\"\n", prefix ? prefix : "app",
                folder ? folder : "gen");
    for (uint32_t i = 0; b && i < b->items.count; i++) {
        const struct prisma_item *item = &b->items.items[i];
        const char *text = item->kind == PRISMA_COMMENT ? item->text : item->behind;
        if (text)
            add_comment(w, text, false);
    }
    pxi_buf_text(w->out, "}\n");
}

static void add_block(const struct writer *w, struct prisma_block *b)
{
    static const char *const words[] = { "", "datasource", "generator", "model", "enum" };
    size_t start = w->out->size;
    if (b->node.left_out) {
        add_left_out(w, &b->node);
        return;
    }
    if (b->kind == PRISMA_GENERATOR) {
        add_generator(w, b);
    } else {
        pxi_buf_fmt(w->out, "%s %s {\n", words[b->kind], b->our_name);
        add_items(w, b);
        if (b->more)
            pxi_buf_fmt(w->out, "%s\n", b->more);
        pxi_buf_text(w->out, "}\n");
    }
    add_part(w, start, &b->node, NULL);
}

static bool has_block(const struct prisma *p, enum prisma_block_kind kind)
{
    for (uint32_t i = 0; i < p->blocks.count; i++) {
        if (p->blocks.items[i].kind == kind && !p->blocks.items[i].node.left_out)
            return true;
    }
    return false;
}

static bool documents_block(const struct prisma *p, uint32_t i)
{
    while (i < p->blocks.count && p->blocks.items[i].kind == PRISMA_TOP_COMMENT)
        i++;
    const struct prisma_block *b = i < p->blocks.count ? &p->blocks.items[i] : NULL;
    return b && !b->node.left_out && (b->kind == PRISMA_MODEL || b->kind == PRISMA_ENUM);
}

void prisma_write(struct prisma *p, const struct pxi_import *i, struct pxi_buf *out,
                  prisma_parts *parts)
{
    struct writer w = { p, i, out, parts };
    if (!has_block(p, PRISMA_GENERATOR))
        add_generator(&w, NULL);
    if (!has_block(p, PRISMA_DATASOURCE))
        pxi_buf_text(out, "datasource db {\n provider = postgresql\n}\n");
    for (uint32_t n = 0; n < p->blocks.count; n++) {
        struct prisma_block *b = &p->blocks.items[n];
        if (b->gap)
            pxi_buf_char(out, '\n');
        if (b->kind == PRISMA_TOP_COMMENT) {
            add_comment(&w, b->text, documents_block(p, n));
        } else {
            add_block(&w, b);
        }
    }
}

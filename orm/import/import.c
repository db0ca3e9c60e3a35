/* import.c - see import.h. Parse, convert, write; then the checker reads the result, what it
 * refuses is left out, and all is written again, until it has nothing to say. So there is no second
 * list here of what our language takes.
 */
#include "orm/import/import.h"
#include "orm/import/prisma.h"
#include "orm/schema/format.h"
#include "orm/schema/names.h"
#include <stdlib.h>
#include <string.h>

/* Each round leaves out at least one thing, and what follows from that in the next: a chain of
 * models that need each other is as deep as this before we give up. */
enum { ROUNDS_MAX = 200 };

/* The innermost part of the output around `at`, or NULL. */
static const struct prisma_part *part_at(const prisma_parts *parts, uint32_t at)
{
    for (uint32_t i = 0; i < parts->count; i++) {
        const struct prisma_part *part = &parts->items[i];
        if (part->start <= at && at < part->end)
            return part;
    }
    return NULL;
}

/* A relation without its @relation means something else, so the field goes as a whole. */
static void leave_out(const struct prisma_part *part, const char *why)
{
    const struct prisma_item *item = part->item;
    struct prisma_node *node = part->node;
    if (item && item->kind == PRISMA_FIELD && item->target && item->target->kind == PRISMA_MODEL)
        node = &part->item->node;
    if (!node->left_out)
        node->left_out = why;
}

/* Fields of a model or an enum that was left out go with it. */
static void leave_orphans(struct prisma *p)
{
    for (uint32_t i = 0; i < p->blocks.count; i++) {
        struct prisma_block *b = &p->blocks.items[i];
        for (uint32_t j = 0; j < b->items.count; j++) {
            struct prisma_item *f = &b->items.items[j];
            if (f->kind == PRISMA_FIELD && f->target && f->target->node.left_out &&
                !f->node.left_out)
                f->node.left_out = "its type was left out";
        }
    }
}

/* What the checker says of the text: how much of it was left out for that. */
static int check(struct prisma *p, const struct pxi_buf *text, const prisma_parts *parts,
                 const char **lost)
{
    struct pxi_arena arena;
    pxi_arena_init(&arena, p->arena->alloc, 0);
    struct pxi_diags diags = { .arena = &arena };
    struct pxi_source src = { .file = "", .text = text->data, .size = text->size };
    int code;
    pxi_schema_read(&diags, &src, &code);
    for (int i = 0; i < code; i++) {
        const struct pxi_diag *d = &diags.items[i];
        const struct prisma_part *part = part_at(parts, d->at.start);
        const char *why = d->text ? pxi_arena_text(p->arena, d->text, strlen(d->text)) : NULL;
        if (!why) {
            code = PRAX_ENOMEM;
        } else if (part) {
            leave_out(part, why);
        } else {
            *lost = why;
        }
    }
    pxi_arena_free(&arena);
    return code;
}

/* Until the text has no errors. 0, PRAX_ESCHEMA with *lost = what cannot be mended, or
 * PRAX_ENOMEM. */
static int settle(struct prisma *p, const struct pxi_import *import, struct pxi_buf *text,
                  const char **lost)
{
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        prisma_parts parts = { 0 };
        leave_orphans(p);
        pxi_buf_clear(text);
        prisma_write(p, import, text, &parts);
        if (!pxi_buf_ok(text) || p->arena->full)
            return PRAX_ENOMEM;
        int code = check(p, text, &parts, lost);
        if (code <= 0)
            return code;
        if (*lost)
            return PRAX_ESCHEMA;
    }
    *lost = "too much of it needs what was left out";
    return PRAX_ESCHEMA;
}

/* ---- notes ---- */

struct notes {
    struct pxi_import *import;
    struct prisma *p;
    PXI_LIST(struct pxi_import_note) list;
};

static void add_note(struct notes *notes, const struct prisma_node *n)
{
    if (!n->left_out && !n->changed)
        return;
    struct pxi_import_note *note = pxi_list_add(notes->p->arena, &notes->list);
    if (!note)
        return;
    note->line = n->start; /* a byte, until they are sorted */
    note->what = prisma_source(notes->p, n);
    note->why = n->left_out ? n->left_out : n->changed;
    note->changed = !n->left_out;
}

static int by_line(const void *a, const void *b)
{
    uint32_t x = ((const struct pxi_import_note *)a)->line;
    uint32_t y = ((const struct pxi_import_note *)b)->line;
    return x < y ? -1 : x > y;
}

static uint32_t count_lines(const struct prisma *p, uint32_t from, uint32_t to)
{
    uint32_t n = 0;
    for (uint32_t i = from; i < to; i++)
        n += p->text[i] == '\n';
    return n;
}

/* What is within something that was left out is not told again. */
static void collect_notes(struct notes *notes)
{
    struct prisma *p = notes->p;
    for (uint32_t i = 0; i < p->blocks.count; i++) {
        const struct prisma_block *b = &p->blocks.items[i];
        struct prisma_node head = b->node;
        head.end = b->head_end > head.start ? b->head_end : head.end;
        add_note(notes, &head);
        bool generator = b->kind == PRISMA_GENERATOR;
        for (uint32_t j = 0; j < b->items.count && !b->node.left_out && !generator; j++) {
            const struct prisma_item *item = &b->items.items[j];
            add_note(notes, &item->node);
            for (uint32_t k = 0; k < item->attrs.count && !item->node.left_out; k++)
                add_note(notes, &item->attrs.items[k].node);
        }
    }
    struct pxi_import_note *n = notes->list.items;
    if (notes->list.count)
        qsort(n, notes->list.count, sizeof *n, by_line);
    uint32_t line = 1, at = 0;
    for (uint32_t i = 0; i < notes->list.count; i++) {
        line += count_lines(p, at, n[i].line);
        at = n[i].line;
        n[i].line = line;
    }
    notes->import->notes = n;
    notes->import->n_notes = notes->list.count;
}

/* ---- the whole ---- */

static int refuse(struct pxi_import *import, const struct prisma *p, uint32_t at, const char *why)
{
    import->error = why;
    import->error_line = 1 + count_lines(p, 0, at);
    return PRAX_ESCHEMA;
}

int pxi_import_prisma(struct pxi_import *import, struct pxi_buf *out, const char *text, size_t size)
{
    struct prisma p = { .arena = import->arena, .text = text };
    struct pxi_buf raw = { 0 };
    const char *lost = NULL;
    import->notes = NULL;
    import->n_notes = 0;
    import->error = NULL;
    if (size > PXI_SCHEMA_MAX)
        return refuse(import, &p, 0, "the schema is too large");
    p.size = (uint32_t)size;
    if (!prisma_parse(&p))
        return p.error ? refuse(import, &p, p.error_at, p.error) : PRAX_ENOMEM;
    prisma_convert(&p);
    int code = p.arena->full ? PRAX_ENOMEM : settle(&p, import, &raw, &lost);
    struct pxi_diags diags = { .arena = p.arena };
    if (code == 0)
        code = pxi_schema_format(out, &diags, raw.data, raw.size);
    pxi_buf_free(&raw);
    if (lost)
        return refuse(import, &p, 0, lost);
    if (code < 0)
        return code;
    struct notes notes = { .import = import, .p = &p };
    collect_notes(&notes);
    return p.arena->full ? PRAX_ENOMEM : (int)import->n_notes;
}

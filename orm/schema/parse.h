/* parse.h - between the files of the parser: where it is in the text, and what it has gathered.
 *
 * parser.c reads blocks and fields, parse_value.c what stands behind an @ or an =. Each function
 * that returns bool says false after a diagnostic; the line it was in is skipped then.
 */
#ifndef PXI_SCHEMA_PARSE_H
#define PXI_SCHEMA_PARSE_H
#include "orm/schema/lexer.h"
#include "orm/schema/parser.h"

struct pxi_parser {
    struct pxi_lexer lx;
    struct pxi_token t; /* the current token */
    struct pxi_schema *schema;
    struct pxi_diags *diags;
    struct pxi_arena *arena;
    struct pxi_chunks *chunks;
    struct pxi_arena chunk; /* the one that is filled now */
    uint32_t last_end;      /* where the token before ended */
    uint32_t depth;         /* brackets that are open since the line began */
    pxi_values args;        /* of the attribute, type or property that is read */
    pxi_attrs attrs;        /* of the field or label, */
    pxi_attrs block_attrs;  /* of the model, view or enum, */
    pxi_columns columns;
    PXI_LIST(struct pxi_label) labels;
};

/* *list becomes a copy in arena a, of just its size, of what the parser gathered in *from, which is
 * empty then. */
#define pxi_gathered_in(p, a, list, from)                                                     \
    do {                                                                                      \
        (list)->count = (list)->capacity = (from)->count;                                     \
        (list)->items = (from)->count ? pxi_arena_copy((a), (from)->items,                    \
                                                       (from)->count * sizeof *(from)->items) \
                                      : NULL;                                                 \
        (from)->count = 0;                                                                    \
        if (!(list)->items)                                                                   \
            (list)->count = 0;                                                                \
        (p)->arena->full |= (a)->full;                                                        \
    } while (0)
#define pxi_gathered(p, list, from) pxi_gathered_in(p, (p)->arena, list, from)

/* Moves on. Documentation that nobody took by then documents nothing. */
static inline void pxi_parse_advance(struct pxi_parser *p)
{
    if (p->t.doc)
        pxi_diag(p->diags, DOC_NOWHERE, p->t.doc_at);
    p->last_end = p->t.at.start + p->t.at.size;
    p->depth += p->t.kind == '(' || p->t.kind == '[';
    p->depth -= (p->t.kind == ')' || p->t.kind == ']') && p->depth > 0;
    pxi_lexer_next(&p->lx, &p->t);
}

static inline struct pxi_span pxi_parse_since(const struct pxi_parser *p, uint32_t start)
{
    return (struct pxi_span){ start, p->last_end - start };
}

/* Takes the current token if it is this mark; @ is not @@. */
static inline bool pxi_parse_take(struct pxi_parser *p, char c)
{
    if (p->t.kind != c || (c == '@' && p->t.text[1]))
        return false;
    pxi_parse_advance(p);
    return true;
}

/* A diagnostic: what was wanted, and what is there. hint may be NULL. */
void pxi_parse_expected(struct pxi_parser *p, const char *what, const char *hint);
/* Takes the mark, or says that it was wanted. */
bool pxi_parse_want(struct pxi_parser *p, char c, const char *what);
bool pxi_parse_want_name(struct pxi_parser *p, struct pxi_name *name, const char *what);
/* Does a block begin here: a word, a name and {, at the beginning of a line? */
bool pxi_parse_at_block(struct pxi_parser *p);

/* One value (close 0), or those up to `close`, of which the opening bracket is taken: into p->args.
 * what: of the one value, for the diagnostic. */
bool pxi_parse_values(struct pxi_parser *p, char close, const char *what);
/* Arguments behind their opening parenthesis, into arena a. */
bool pxi_parse_args(struct pxi_parser *p, struct pxi_arena *a, pxi_values *args);
/* An attribute that may stand on `places` (PXI_ON_*), at the end of attrs. */
bool pxi_parse_attr(struct pxi_parser *p, pxi_attrs *attrs, unsigned places);

#endif

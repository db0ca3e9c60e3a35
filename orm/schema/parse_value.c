/* parse_value.c - values, arguments and attributes: all that can hold brackets within brackets.
 *
 * Nothing recurses: the brackets that are open are a stack, and what they hold lies in one list in
 * the order of the text, each opener with the number of values that belong to it.
 */
#include "orm/schema/names.h"
#include "orm/schema/parse.h"
#include <stdio.h>
#include <string.h>

static const struct attr_word {
    const char *text;
    uint8_t size, places;
    char last; /* letter of text: the one in which most words differ */
} attr_words[] = {
    { NULL, 0, 0, 0 },
#define PXI_ATTR(word, text, places) { text, sizeof(text) - 1, (places), (text)[sizeof(text) - 2] },
#include "orm/schema/attributes.def"
};

const char *pxi_attr_text(enum pxi_attr_word word)
{
    return attr_words[word].text;
}

unsigned pxi_attr_places(enum pxi_attr_word word)
{
    return attr_words[word].places;
}

/* Where an attribute belongs, for the diagnostic. */
static const char *place_names(unsigned places)
{
    if (places & PXI_ON_FIELD)
        return places & PXI_ON_LABEL ? "a field or a label" : "a field of a model";
    if (places & PXI_ON_RELATION)
        return "a relation";
    if (places & PXI_ON_MODEL)
        return places & PXI_ON_VIEW ? "a model or a view" : "a model";
    return places & PXI_ON_TOP ? "a view, or outside of all blocks" : "a view";
}

enum pxi_attr_word pxi_attr_find(const char *name, size_t size, unsigned places,
                                 const char **nearest)
{
    for (unsigned i = 1; i < PXI_ATTR_WORDS; i++) {
        const struct attr_word *w = &attr_words[i];
        if (w->size == size && w->last == name[size - 1] && w->places & places &&
            !memcmp(w->text, name, size))
            return i;
    }
    char word[PXI_NAME_MAX + 3];
    snprintf(word, sizeof word, "%.*s", (int)(size < sizeof word ? size : 0), name);
    struct pxi_suggest s = { .word = word };
    for (unsigned i = 1; i < PXI_ATTR_WORDS && nearest; i++) {
        if (attr_words[i].places & places)
            pxi_suggest_offer(&s, attr_words[i].text);
    }
    if (nearest)
        *nearest = s.best;
    return PXI_A_NONE;
}

static struct pxi_value *add_value(struct pxi_parser *p, enum pxi_value_kind kind)
{
    if (p->args.count >= PXI_ARGS_MAX) {
        pxi_diag(p->diags, TOO_MANY, p->t.at, "64", "values in a list");
        return NULL;
    }
    struct pxi_value *v = pxi_list_add(p->arena, &p->args);
    if (v)
        *v = (struct pxi_value){ .kind = (uint8_t)kind, .text = p->t.text, .at = p->t.at };
    return v;
}

/* The brackets that are open around a value; opener is its index among the arguments. */
struct bracket {
    uint32_t opener;
    char close; /* 0: the value stands alone */
};
#define NO_OPENER UINT32_MAX
struct brackets {
    struct bracket open[PXI_DEPTH_MAX];
    uint32_t depth;
};

static bool open_bracket(struct pxi_parser *p, struct brackets *b, uint32_t opener, char close)
{
    if (close == ']' && b->open[b->depth - 1].close == ']') {
        pxi_diag(p->diags, NESTED, p->t.at);
        return false;
    }
    if (b->depth == PXI_DEPTH_MAX) {
        pxi_diag(p->diags, TOO_MANY, p->t.at, "4", "brackets within each other");
        return false;
    }
    b->open[b->depth++] = (struct bracket){ opener, close };
    pxi_parse_advance(p);
    return true;
}

static void close_bracket(struct pxi_parser *p, struct brackets *b)
{
    uint32_t opener = b->open[--b->depth].opener;
    pxi_parse_advance(p);
    if (opener == NO_OPENER)
        return;
    struct pxi_value *v = &p->args.items[opener];
    v->items = (uint16_t)(p->args.count - opener - 1);
    v->at = pxi_parse_since(p, v->at.start);
}

/* Does a name with a colon behind it stand here? */
static bool is_named(const struct pxi_parser *p)
{
    if (p->t.kind != PXI_T_NAME)
        return false;
    const char *c = p->lx.text + p->lx.at, *end = p->lx.text + p->lx.end;
    while (c < end && (*c == ' ' || *c == '\t' || *c == '\r' || *c == '\n'))
        c++;
    return c < end && *c == ':';
}

/* TEXT, NUMBER, or a word; of a call and of a list just the beginning. */
static bool parse_plain(struct pxi_parser *p, struct brackets *b, const char *what)
{
    static const uint8_t kinds[] = { [PXI_T_NAME] = PXI_VALUE_WORD,
                                     [PXI_T_TEXT] = PXI_VALUE_TEXT,
                                     [PXI_T_NUMBER] = PXI_VALUE_NUMBER };
    uint32_t index = p->args.count;
    bool list = p->t.kind == '[', word = p->t.kind == PXI_T_NAME;
    if (!list && !word && p->t.kind != PXI_T_TEXT && p->t.kind != PXI_T_NUMBER) {
        pxi_parse_expected(p, what, p->t.kind == '{' ? "Json stands in quotes: \"{}\"" : NULL);
        return false;
    }
    if (p->t.bad) {
        pxi_parse_advance(p);
        return false;
    }
    struct pxi_value *v = add_value(p, list ? PXI_VALUE_LIST : kinds[p->t.kind]);
    if (!v)
        return false;
    if (list) {
        v->text = NULL;
        return open_bracket(p, b, index, ']');
    }
    pxi_parse_advance(p);
    if (!word || p->t.kind != '(')
        return true;
    v->kind = PXI_VALUE_CALL;
    return open_bracket(p, b, index, ')');
}

static bool parse_item(struct pxi_parser *p, struct brackets *b, const char *what)
{
    struct pxi_name name = { 0 };
    uint32_t index = p->args.count;
    if (b->open[b->depth - 1].close == ')' && is_named(p)) {
        name = (struct pxi_name){ p->t.text, p->t.at };
        pxi_parse_advance(p);
        pxi_parse_advance(p);
    }
    if (!parse_plain(p, b, what))
        return false;
    p->args.items[index].name = name.text;
    p->args.items[index].name_at = name.at.start;
    return true;
}

/* What may stand behind a value: the ends of what it is in, then a comma. */
static bool after_item(struct pxi_parser *p, struct brackets *b)
{
    while (b->depth > 0) {
        char close = b->open[b->depth - 1].close;
        if (!close) {
            b->depth = 0;
        } else if (p->t.kind == close) {
            close_bracket(p, b);
        } else {
            return pxi_parse_want(p, ',', close == ')' ? "',' or ')'" : "',' or ']'");
        }
    }
    return true;
}

bool pxi_parse_values(struct pxi_parser *p, char close, const char *what)
{
    struct brackets b = { .open = { { NO_OPENER, close } }, .depth = 1 };
    p->args.count = 0;
    while (b.depth > 0) {
        uint32_t depth = b.depth;
        char end = b.open[depth - 1].close;
        if (end && p->t.kind == end) {
            close_bracket(p, &b);
        } else if (!parse_item(p, &b,
                               !end         ? what
                               : end == ')' ? "a value or ')'"
                                            : "a value or ']'")) {
            return false;
        }
        if (b.depth <= depth && !after_item(p, &b))
            return false;
    }
    return true;
}

/* Behind the opening parenthesis. */
bool pxi_parse_args(struct pxi_parser *p, struct pxi_arena *a, pxi_values *args)
{
    bool good = pxi_parse_values(p, ')', NULL);
    pxi_gathered_in(p, a, args, &p->args);
    return good;
}

static void keep_args(struct pxi_parser *p, struct pxi_arena *a, struct pxi_attr *attr)
{
    pxi_values args;
    pxi_gathered_in(p, a, &args, &p->args);
    attr->args = args.items;
    attr->n_args = (uint16_t)args.count;
}

static bool parse_raw(struct pxi_parser *p, struct pxi_arena *a, struct pxi_attr *attr)
{
    const struct pxi_token open = p->t;
    const struct pxi_lexer before = p->lx;
    pxi_lexer_raw(&p->lx, &p->t);
    if (p->lx.at == p->lx.end && !p->arena->full) {
        pxi_diag(p->diags, EXPECTED, open.at, "a ')' that closes this one", "none");
        p->lx = before; /* the rest of the line is lost, but not that of the file */
        while (p->lx.at < p->lx.end && p->lx.text[p->lx.at] != '\n')
            p->lx.at++;
        p->t = open;
        return false;
    }
    p->depth++;
    p->args.count = 0;
    if (!add_value(p, PXI_VALUE_TEXT))
        return false;
    pxi_parse_advance(p);
    attr->raw = true;
    keep_args(p, a, attr);
    return pxi_parse_take(p, ')');
}

/* What an attribute that we do not know has behind it is not ours to judge: to the next attribute
 * or the end of the line, outside of parentheses. */
static void skip_unknown(struct pxi_parser *p)
{
    int depth = 0;
    while (p->t.kind != PXI_T_END && p->t.kind != '}' && !pxi_parse_at_block(p)) {
        if (depth == 0 && (p->t.first || p->t.kind == '@'))
            return;
        depth += p->t.kind == '(';
        depth -= p->t.kind == ')' && depth > 0;
        pxi_parse_advance(p);
    }
}

/* What other languages, or our own other words, call it. */
static const char *foreign_attr(const char *text)
{
    static const char *const pairs[][2] = {
        { "@autoincrement", "@auto" },
        { "@identity", "@auto" },
        { "@primaryKey", "@id" },
        { "@key", "@id" },
        { "@createdAt", "@default(now())" },
        { "@column", "@map" },
        { "@length", "@validate.length" },
        { "@email", "@validate.email" },
        { "@url", "@validate.url" },
        { "@regex", "@validate.regex" },
        { "@min", "@validate.range" },
        { "@max", "@validate.range" },
        { "@range", "@validate.range" },
        { "@@primaryKey", "@@id" },
        { "@@table", "@@map" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!strcmp(pairs[i][0], text))
            return pairs[i][1];
    }
    return NULL;
}

/* "@db" and "@validate" are words of their own, with a name behind a point or without. */
static void unknown_attr(struct pxi_parser *p, const struct pxi_attr *attr, const char *text,
                         const char *nearest)
{
    enum pxi_attr_word elsewhere = pxi_attr_find(text, strlen(text), PXI_ON_ALL, NULL);
    if (elsewhere) {
        pxi_diag(p->diags, ATTRIBUTE_PLACE, attr->at, text, place_names(pxi_attr_places(elsewhere)),
                 elsewhere == PXI_A_MAPS ? "an enum is text with a CHECK: it has no name there"
                                         : NULL);
    } else {
        const char *foreign = foreign_attr(text);
        pxi_diag(p->diags, UNKNOWN_ATTRIBUTE, attr->at, text, foreign ? foreign : nearest);
    }
}

/* The name of an attribute: its word, and what is behind the point of @db.VarChar. */
static bool parse_attr_name(struct pxi_parser *p, struct pxi_attr *attr, unsigned places)
{
    uint32_t start = p->t.at.start;
    bool twice = p->t.text[1];
    const char *nearest = NULL;
    pxi_parse_advance(p);
    if (p->t.kind != PXI_T_NAME || p->t.first) {
        pxi_parse_expected(p, "the name of an attribute", NULL);
        return false;
    }
    char name[PXI_NAME_MAX + 3];
    name[0] = name[1] = '@';
    size_t size = strlen(p->t.text) + 1 + twice;
    memcpy(name + 1 + twice, p->t.text, size - twice);
    pxi_parse_advance(p);
    attr->word = pxi_attr_find(name, size, places, &nearest);
    attr->name = pxi_attr_text(attr->word);
    if (p->t.kind == PXI_T_STRAY && *p->t.text == '.') {
        pxi_parse_advance(p);
        struct pxi_name part;
        if (!pxi_parse_want_name(p, &part, "a name behind the point"))
            return false;
        attr->part_at = (uint8_t)(size + 1);
        attr->name = pxi_concat(p->arena, name, ".", part.text);
    }
    attr->at = pxi_parse_since(p, start);
    attr->name_size = attr->at.size;
    bool dotted = attr->word == PXI_A_DB || attr->word == PXI_A_VALIDATE;
    if (!attr->word || (attr->part_at && !dotted)) {
        const char *text = attr->part_at ? attr->name : pxi_arena_text(p->arena, name, size);
        attr->word = PXI_A_NONE;
        if (text)
            unknown_attr(p, attr, text, nearest);
    }
    return true;
}

bool pxi_parse_attr(struct pxi_parser *p, pxi_attrs *attrs, unsigned places)
{
    struct pxi_attr attr = { 0 };
    struct pxi_arena *a = places == PXI_ON_TOP ? p->arena : &p->chunk;
    uint32_t start = p->t.at.start;
    if (!parse_attr_name(p, &attr, places))
        return false;
    if (!attr.word) {
        skip_unknown(p);
        return true;
    }
    attr.parens = p->t.kind == '(';
    bool check = attr.word == PXI_A_CHECK || attr.word == PXI_A_CHECKS;
    if (attr.parens && check && pxi_lexer_at_raw(&p->lx)) {
        if (!parse_raw(p, a, &attr))
            return false;
    } else if (pxi_parse_take(p, '(')) {
        bool good = pxi_parse_values(p, ')', NULL);
        keep_args(p, a, &attr);
        if (!good)
            return false;
    }
    attr.at = pxi_parse_since(p, start);
    struct pxi_attr *room = pxi_list_add(p->arena, attrs);
    if (room)
        *room = attr;
    return true;
}

/* parser.c - the grammar, by recursive descent without the recursion: values within values are
 * kept on a stack of PXI_DEPTH_MAX brackets.
 *
 *   schema    = { block }
 *   block     = ( "generator" | "datasource" ) NAME "{" { NAME "=" value } "}"
 *             | "enum" NAME "{" { NAME { attribute } | attribute } "}"
 *             | ( "model" | "view" ) NAME "{" { field | attribute } "}"
 *             | attribute                          @@sql only
 *   field     = NAME type { attribute }            name and type stand on one line
 *   type      = NAME [ "(" args ")" ] [ "[" "]" ] [ "?" ]
 *   attribute = ( "@" | "@@" ) NAME [ "." NAME ] [ "(" ( args | SQL ) ")" ]
 *   args      = [ arg { "," arg } [ "," ] ]
 *   arg       = [ NAME ":" ] value
 *   value     = TEXT | NUMBER | NAME [ "(" args ")" ] | "[" [ value { "," value } [ "," ] ] "]"
 *
 * A field ends where the next token is the first of its line and no @. After an error the parser
 * goes on at the next line of the same block, so one slip costs one diagnostic. A block that lacks
 * its } is noticed at the next block's head, which is read again as such. What belongs to one field
 * is gathered in lists of the parser and copied when its number is known.
 */
#include "orm/schema/parser.h"
#include "orm/schema/lexer.h"
#include "orm/schema/names.h"
#include <stdio.h>
#include <string.h>

struct parser {
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
#define gathered_in(p, a, list, from)                                                         \
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
#define gathered(p, list, from) gathered_in(p, (p)->arena, list, from)

static const struct attr_word {
    const char *text;
    uint8_t size, places;
} attr_words[] = {
    { NULL, 0, 0 },
#define PXI_ATTR(word, text, places) { text, sizeof text - 1, places },
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
        if (w->size == size && w->text[size - 1] == name[size - 1] && w->places & places &&
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

/* Moves on. Documentation that nobody took by then documents nothing. */
static void advance(struct parser *p)
{
    if (p->t.doc)
        pxi_diag(p->diags, DOC_NOWHERE, p->t.doc_at);
    p->last_end = p->t.at.start + p->t.at.size;
    p->depth += p->t.kind == '(' || p->t.kind == '[';
    p->depth -= (p->t.kind == ')' || p->t.kind == ']') && p->depth > 0;
    p->t = pxi_lexer_next(&p->lx);
}

static const char *take_doc(struct parser *p)
{
    const char *doc = p->t.doc;
    p->t.doc = NULL;
    return doc;
}

static struct pxi_span since(const struct parser *p, uint32_t start)
{
    return (struct pxi_span){ start, p->last_end - start };
}

static bool is_word(const struct parser *p, const char *word)
{
    return p->t.kind == PXI_T_NAME && !strcmp(p->t.text, word);
}

static void expected(struct parser *p, const char *what, const char *hint)
{
    char found[PXI_NAME_MAX + 16];
    if (p->t.kind == PXI_T_STRAY) {
        const char *semicolon = *p->t.text == ';' ? "lines end without it" : NULL;
        const char *quote = *p->t.text == '\'' ? "strings stand in \"\"" : semicolon;
        pxi_diag(p->diags, STRAY, p->t.at, p->t.text, quote);
        return;
    }
    if (p->t.kind == PXI_T_END) {
        snprintf(found, sizeof found, "the end of the file");
    } else if (p->t.kind == PXI_T_TEXT) {
        snprintf(found, sizeof found, "a string");
    } else {
        snprintf(found, sizeof found, "'%.64s'", p->t.text);
    }
    pxi_diag(p->diags, EXPECTED, p->t.at, what, found, hint);
}

static bool take(struct parser *p, char c)
{
    if (p->t.kind != c || (c == '@' && p->t.text[1]))
        return false;
    advance(p);
    return true;
}

static bool want(struct parser *p, char c, const char *what)
{
    if (take(p, c))
        return true;
    expected(p, what, NULL);
    return false;
}

static bool want_name(struct parser *p, struct pxi_name *name, const char *what)
{
    if (p->t.kind != PXI_T_NAME) {
        expected(p, what, NULL);
        return false;
    }
    *name = (struct pxi_name){ p->t.text, p->t.at };
    advance(p);
    return true;
}

static const char *const block_words[] = { "generator", "datasource", "enum", "model", "view" };
static const char *const foreign_words[] = { "type", "policy", "serverGroup", "import" };
enum { BLOCK_WORDS = 5, FOREIGN_WORDS = 4 };

static bool is_one_of(const struct parser *p, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (is_word(p, words[i]))
            return true;
    }
    return false;
}

/* Does a block begin here: a word, a name and {, at the beginning of a line? */
static bool at_block_head(struct parser *p)
{
    if (!p->t.first || !is_one_of(p, block_words, BLOCK_WORDS))
        return false;
    struct pxi_lexer ahead = p->lx;
    uint32_t diags = p->diags->count;
    int second = pxi_lexer_next(&ahead).kind, third = pxi_lexer_next(&ahead).kind;
    p->diags->count = diags; /* they will be found again */
    return second == PXI_T_NAME && third == '{';
}

/* A line of a block begins: a field, a label, a property, an attribute. Returns its place. */
static uint32_t begin_line(struct parser *p)
{
    p->depth = 0;
    p->attrs.count = 0;
    return p->t.at.start;
}

/* Is this the first of two names on a line, as in a field? */
static bool at_field(const struct parser *p)
{
    struct pxi_lexer ahead = p->lx;
    uint32_t diags = p->diags->count;
    struct pxi_token second = pxi_lexer_next(&ahead);
    p->diags->count = diags; /* they will be found again */
    return p->t.kind == PXI_T_NAME && second.kind == PXI_T_NAME && !second.first;
}

/* To the next line of this block, or its end: for what began at `start` and went wrong. Within
 * brackets a line is the next one only if it cannot be anything else. */
static void skip_line(struct parser *p, uint32_t start)
{
    while (p->t.kind != PXI_T_END) {
        bool line = p->t.at.start > start && p->t.first;
        if (p->t.at.start > start && p->t.kind == '}')
            return;
        if (line && (p->depth == 0 || (p->t.kind == '@' && p->t.text[1]) || at_field(p) ||
                     at_block_head(p)))
            return;
        p->t.doc = NULL;
        advance(p);
    }
}

/* Behind the } of a block whose head went wrong, or to the next head. */
static void skip_block(struct parser *p)
{
    int depth = 0;
    while (p->t.kind != PXI_T_END && (depth > 0 || !at_block_head(p))) {
        depth += p->t.kind == '{';
        depth -= p->t.kind == '}';
        bool last = p->t.kind == '}' && depth <= 0;
        p->t.doc = NULL;
        advance(p);
        if (last)
            return;
    }
}

/* To the } of a block that has too much in it. */
static void skip_rest(struct parser *p)
{
    while (p->t.kind != PXI_T_END && p->t.kind != '}' && !at_block_head(p))
        skip_line(p, p->t.at.start);
}

static struct pxi_value *add_value(struct parser *p, enum pxi_value_kind kind)
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

static bool open_bracket(struct parser *p, struct brackets *b, uint32_t opener, char close)
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
    advance(p);
    return true;
}

static void close_bracket(struct parser *p, struct brackets *b)
{
    uint32_t opener = b->open[--b->depth].opener;
    advance(p);
    if (opener == NO_OPENER)
        return;
    struct pxi_value *v = &p->args.items[opener];
    v->items = (uint16_t)(p->args.count - opener - 1);
    v->at = since(p, v->at.start);
}

/* Does a name with a colon behind it stand here? */
static bool is_named(const struct parser *p)
{
    uint32_t i = p->lx.at;
    while (i < p->lx.end && p->lx.text[i] && strchr(" \t\r\n", p->lx.text[i]))
        i++;
    return p->t.kind == PXI_T_NAME && i < p->lx.end && p->lx.text[i] == ':';
}

/* TEXT, NUMBER, or a word; of a call and of a list just the beginning. */
static bool parse_plain(struct parser *p, struct brackets *b, const char *what)
{
    static const uint8_t kinds[] = { [PXI_T_NAME] = PXI_VALUE_WORD,
                                     [PXI_T_TEXT] = PXI_VALUE_TEXT,
                                     [PXI_T_NUMBER] = PXI_VALUE_NUMBER };
    uint32_t index = p->args.count;
    bool list = p->t.kind == '[', word = p->t.kind == PXI_T_NAME;
    if (!list && !word && p->t.kind != PXI_T_TEXT && p->t.kind != PXI_T_NUMBER) {
        expected(p, what, NULL);
        return false;
    }
    if (p->t.bad) {
        advance(p);
        return false;
    }
    struct pxi_value *v = add_value(p, list ? PXI_VALUE_LIST : kinds[p->t.kind]);
    if (!v)
        return false;
    if (list) {
        v->text = NULL;
        return open_bracket(p, b, index, ']');
    }
    advance(p);
    if (!word || p->t.kind != '(')
        return true;
    v->kind = PXI_VALUE_CALL;
    return open_bracket(p, b, index, ')');
}

static bool parse_item(struct parser *p, struct brackets *b, const char *what)
{
    struct pxi_name name = { 0 };
    uint32_t index = p->args.count;
    if (b->open[b->depth - 1].close == ')' && is_named(p)) {
        name = (struct pxi_name){ p->t.text, p->t.at };
        advance(p);
        advance(p);
    }
    if (!parse_plain(p, b, what))
        return false;
    p->args.items[index].name = name.text;
    p->args.items[index].name_at = name.at.start;
    return true;
}

/* What may stand behind a value: the ends of what it is in, then a comma. */
static bool after_item(struct parser *p, struct brackets *b)
{
    while (b->depth > 0) {
        char close = b->open[b->depth - 1].close;
        if (!close) {
            b->depth = 0;
        } else if (p->t.kind == close) {
            close_bracket(p, b);
        } else {
            return want(p, ',', close == ')' ? "',' or ')'" : "',' or ']'");
        }
    }
    return true;
}

static bool parse_values(struct parser *p, char close, const char *what)
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
static bool parse_args(struct parser *p, struct pxi_arena *a, pxi_values *args)
{
    bool good = parse_values(p, ')', NULL);
    gathered_in(p, a, args, &p->args);
    return good;
}

static bool parse_raw(struct parser *p, struct pxi_arena *a, struct pxi_attr *attr)
{
    const struct pxi_token open = p->t;
    const struct pxi_lexer before = p->lx;
    p->t = pxi_lexer_raw(&p->lx);
    if (p->lx.at == p->lx.end && !p->arena->full) {
        pxi_diag(p->diags, EXPECTED, open.at, "a ')' that closes this one", "none");
        p->lx = before; /* the rest of the line is lost, but not that of the file */
        p->t = open;
        return false;
    }
    p->depth++;
    p->args.count = 0;
    if (!add_value(p, PXI_VALUE_TEXT))
        return false;
    advance(p);
    attr->raw = true;
    gathered_in(p, a, &attr->args, &p->args);
    return take(p, ')');
}

/* What an attribute that we do not know has behind it is not ours to judge: to the next attribute
 * or the end of the line, outside of parentheses. */
static void skip_unknown(struct parser *p)
{
    int depth = 0;
    while (p->t.kind != PXI_T_END && p->t.kind != '}' && !at_block_head(p)) {
        if (depth == 0 && (p->t.first || p->t.kind == '@'))
            return;
        depth += p->t.kind == '(';
        depth -= p->t.kind == ')' && depth > 0;
        advance(p);
    }
}

/* "@db" and "@validate" are words of their own, with a name behind a point or without. */
static void unknown_attr(struct parser *p, const struct pxi_attr *attr, const char *text,
                         const char *nearest)
{
    enum pxi_attr_word elsewhere = pxi_attr_find(text, strlen(text), PXI_ON_ALL, NULL);
    if (elsewhere) {
        pxi_diag(p->diags, ATTRIBUTE_PLACE, attr->at, text, place_names(pxi_attr_places(elsewhere)),
                 elsewhere == PXI_A_MAPS ? "an enum is text with a CHECK: it has no name there"
                                         : NULL);
    } else {
        pxi_diag(p->diags, UNKNOWN_ATTRIBUTE, attr->at, text, nearest);
    }
}

/* The name of an attribute: its word, and what is behind the point of @db.VarChar. */
static bool parse_attr_name(struct parser *p, struct pxi_attr *attr, unsigned places)
{
    uint32_t start = p->t.at.start;
    bool twice = p->t.text[1];
    const char *nearest = NULL;
    advance(p);
    if (p->t.kind != PXI_T_NAME || p->t.first) {
        expected(p, "the name of an attribute", NULL);
        return false;
    }
    char name[PXI_NAME_MAX + 3] = "@@";
    size_t size = strlen(p->t.text) + 1 + twice;
    memcpy(name + 1 + twice, p->t.text, size - twice);
    advance(p);
    attr->word = (uint8_t)pxi_attr_find(name, size, places, &nearest);
    attr->name.text = pxi_attr_text(attr->word);
    if (p->t.kind == PXI_T_STRAY && *p->t.text == '.') {
        advance(p);
        struct pxi_name part;
        if (!want_name(p, &part, "a name behind the point"))
            return false;
        attr->part_at = (uint8_t)(size + 1);
        attr->name.text = pxi_concat(p->arena, name, ".", part.text);
    }
    attr->name.at = attr->at = since(p, start);
    bool dotted = attr->word == PXI_A_DB || attr->word == PXI_A_VALIDATE;
    if (!attr->word || (attr->part_at && !dotted)) {
        const char *text = attr->part_at ? attr->name.text : pxi_arena_text(p->arena, name, size);
        attr->word = PXI_A_NONE;
        if (text)
            unknown_attr(p, attr, text, nearest);
    }
    return true;
}

static bool parse_attr(struct parser *p, pxi_attrs *attrs, unsigned places)
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
    } else if (take(p, '(') && !parse_args(p, a, &attr.args)) {
        return false;
    }
    attr.at = since(p, start);
    struct pxi_attr *room = pxi_list_add(p->arena, attrs);
    if (room)
        *room = attr;
    return true;
}

static bool parse_type(struct parser *p, struct pxi_column *c)
{
    if (p->t.kind != PXI_T_NAME || p->t.first) {
        pxi_diag(p->diags, EXPECTED, c->name.at, "a type behind the field's name", "none",
                 "a field is a name and a type on one line, such as: email String");
        return false;
    }
    struct pxi_name type;
    if (!want_name(p, &type, "a type"))
        return false;
    c->type_name = type.text;
    if (take(p, '(')) {
        struct pxi_column_more *more = pxi_column_more(p->arena, c);
        if (!more || !parse_args(p, p->arena, &more->type_args))
            return false;
    }
    if (take(p, '[')) {
        c->list = true;
        if (!want(p, ']', "']'"))
            return false;
    }
    c->optional = take(p, '?');
    c->type_at = since(p, type.at.start);
    return true;
}

static const char *missing_at(struct parser *p)
{
    char text[2 * PXI_NAME_MAX];
    if (p->t.kind != PXI_T_NAME)
        return NULL;
    snprintf(text, sizeof text, "@%s", p->t.text);
    if (!pxi_attr_find(text, strlen(text), PXI_ON_ALL, NULL))
        return "write each field on a line of its own";
    snprintf(text, sizeof text, "did you mean '@%s'?", p->t.text);
    return pxi_arena_text(p->arena, text, strlen(text));
}

static bool parse_field(struct parser *p, unsigned places)
{
    if (p->columns.count >= PXI_COLUMNS_MAX) {
        pxi_diag(p->diags, TOO_MANY, p->t.at, "1000", "fields in a model");
        skip_rest(p);
        return true;
    }
    struct pxi_column c = { .more = &pxi_column_plain };
    c.doc = take_doc(p);
    if (!want_name(p, &c.name, "a field, an attribute or '}'") || !parse_type(p, &c))
        return false;
    bool good = true;
    while (good && p->t.kind == '@' && !p->t.text[1])
        good = parse_attr(p, &p->attrs, places);
    gathered_in(p, &p->chunk, &c.attrs, &p->attrs);
    struct pxi_column *column = pxi_list_add(p->arena, &p->columns);
    if (column)
        *column = c;
    if (good && !p->t.first && p->t.kind != '}') {
        expected(p, "an attribute or the end of the line", missing_at(p));
        return false;
    }
    return good;
}

/* True when the block is over; its } is taken. */
static bool block_ends(struct parser *p, const char *kind, const struct pxi_name *name)
{
    if (take(p, '}'))
        return true;
    if (p->t.kind != PXI_T_END && !at_block_head(p))
        return false;
    const struct pxi_diags *d = p->diags;
    bool swallowed = d->count > 0 && d->items[d->count - 1].code == PXI_S_OPEN_SQL;
    if (!swallowed)
        pxi_diag(p->diags, UNCLOSED, name->at, kind, name->text);
    return true;
}

static bool block_head(struct parser *p, struct pxi_name *name, const char *what)
{
    advance(p);
    if (want_name(p, name, what) && want(p, '{', "'{'"))
        return true;
    skip_block(p);
    return false;
}

static bool parse_property(struct parser *p, struct pxi_config *config)
{
    struct pxi_property property = { 0 };
    if (!want_name(p, &property.name, "a property or '}'") || !want(p, '=', "'='") ||
        !parse_values(p, 0, "a value"))
        return false;
    gathered(p, &property.value, &p->args);
    struct pxi_property *room = pxi_list_add(p->arena, &config->properties);
    if (room)
        *room = property;
    return true;
}

static void parse_config(struct parser *p, bool generator)
{
    const char *kind = generator ? "generator" : "datasource";
    struct pxi_config config = { .at = p->t.at };
    if (!block_head(p, &config.name, "a name"))
        return;
    while (!block_ends(p, kind, &config.name)) {
        uint32_t start = begin_line(p);
        if (!parse_property(p, &config))
            skip_line(p, start);
    }
    struct pxi_config *room = generator ? pxi_list_add(p->arena, &p->schema->generators)
                                        : pxi_list_add(p->arena, &p->schema->datasources);
    if (room)
        *room = config;
}

static bool parse_label(struct parser *p)
{
    struct pxi_label label = { .doc = take_doc(p) };
    if (p->labels.count >= PXI_LABELS_MAX) {
        pxi_diag(p->diags, TOO_MANY, p->t.at, "1000", "labels in an enum");
        skip_rest(p);
        return true;
    }
    if (!want_name(p, &label.name, "a label or '}'"))
        return false;
    bool good = true;
    while (good && p->t.kind == '@' && !p->t.text[1])
        good = parse_attr(p, &p->attrs, PXI_ON_LABEL);
    gathered_in(p, &p->chunk, &label.attrs, &p->attrs);
    struct pxi_label *room = pxi_list_add(p->arena, &p->labels);
    if (room)
        *room = label;
    return good;
}

static bool at_block_attr(const struct parser *p)
{
    return p->t.kind == '@' && p->t.text[1];
}

static void parse_enum(struct parser *p)
{
    struct pxi_enum e = { .doc = take_doc(p) };
    if (!block_head(p, &e.name, "the enum's name"))
        return;
    p->block_attrs.count = p->labels.count = 0;
    while (!block_ends(p, "enum", &e.name)) {
        uint32_t start = begin_line(p);
        if (!(at_block_attr(p) ? parse_attr(p, &p->block_attrs, PXI_ON_ENUM) : parse_label(p)))
            skip_line(p, start);
    }
    gathered(p, &e.labels, &p->labels);
    gathered_in(p, &p->chunk, &e.attrs, &p->block_attrs);
    if (p->schema->enums.count >= PXI_ENUMS_MAX) {
        pxi_diag(p->diags, TOO_MANY, e.name.at, "4096", "enums");
        return;
    }
    struct pxi_enum *room = pxi_list_add(p->arena, &p->schema->enums);
    if (room)
        *room = e;
}

/* Large against its bookkeeping and a page, small against the schemas for which it matters. */
enum { CHUNK_BYTES = 128 << 10 };

static void end_chunk(struct parser *p)
{
    struct pxi_chunk *room = pxi_list_add(p->arena, &p->chunks->list);
    if (!room)
        return;
    *room = (struct pxi_chunk){ p->chunk, p->schema->models.count };
    pxi_arena_init(&p->chunk, p->arena->alloc, 0);
}

void pxi_chunks_free(struct pxi_chunks *chunks, uint32_t models)
{
    while (chunks->freed < chunks->list.count && chunks->list.items[chunks->freed].models <= models)
        pxi_arena_free(&chunks->list.items[chunks->freed++].arena);
}

static void parse_model(struct parser *p, bool view)
{
    struct pxi_model m = { .doc = take_doc(p), .view = view };
    unsigned on_block = view ? PXI_ON_VIEW : PXI_ON_MODEL;
    unsigned on_field = view ? PXI_ON_VIEW_FIELD : PXI_ON_FIELD | PXI_ON_RELATION;
    if (!block_head(p, &m.name, view ? "the view's name" : "the model's name"))
        return;
    p->block_attrs.count = p->columns.count = 0;
    while (!block_ends(p, view ? "view" : "model", &m.name)) {
        uint32_t start = begin_line(p), before = p->diags->count;
        if (!(at_block_attr(p) ? parse_attr(p, &p->block_attrs, on_block)
                               : parse_field(p, on_field)))
            skip_line(p, start);
        m.damaged |= p->diags->count > before;
    }
    gathered(p, &m.columns, &p->columns);
    gathered_in(p, &p->chunk, &m.attrs, &p->block_attrs);
    if (p->schema->models.count >= PXI_MODELS_MAX) {
        pxi_diag(p->diags, TOO_MANY, m.name.at, "65535", "models");
        return;
    }
    struct pxi_model *room = pxi_list_add(p->arena, &p->schema->models);
    if (room)
        *room = m;
    if (p->chunk.held >= CHUNK_BYTES && p->chunk.end - p->chunk.next < CHUNK_BYTES / 32)
        end_chunk(p);
}

/* @@sql("name", """...""") outside of any block. */
static void parse_sql(struct parser *p)
{
    uint32_t start = begin_line(p);
    p->block_attrs.count = 0;
    if (!parse_attr(p, &p->block_attrs, PXI_ON_TOP)) {
        skip_line(p, start);
        return;
    }
    struct pxi_sql_block *room =
        p->block_attrs.count ? pxi_list_add(p->arena, &p->schema->sqls) : NULL;
    if (room)
        *room = (struct pxi_sql_block){ .attr = p->block_attrs.items[0] };
}

static void parse_unknown(struct parser *p)
{
    struct pxi_suggest s = { .word = p->t.text };
    for (size_t i = 0; i < BLOCK_WORDS; i++)
        pxi_suggest_offer(&s, block_words[i]);
    if (p->t.kind != PXI_T_NAME) {
        expected(p, "generator, datasource, enum or model", NULL);
    } else if (is_one_of(p, foreign_words, FOREIGN_WORDS)) {
        pxi_diag(p->diags, BLOCK_NOT_YET, p->t.at, p->t.text);
    } else {
        pxi_diag(p->diags, UNKNOWN_BLOCK, p->t.at, p->t.text, s.best);
    }
    /* a stray token costs itself; a word costs its line, and its braces if it has some */
    while (p->t.kind != PXI_T_END && p->t.kind != '{') {
        p->t.doc = NULL;
        advance(p);
        if (p->t.first)
            return;
    }
    skip_block(p);
}

static void parse_file(struct parser *p)
{
    p->t = pxi_lexer_next(&p->lx);
    while (p->t.kind != PXI_T_END) {
        if (is_word(p, "model") || is_word(p, "view")) {
            parse_model(p, *p->t.text == 'v');
        } else if (is_word(p, "enum")) {
            parse_enum(p);
        } else if (is_word(p, "generator") || is_word(p, "datasource")) {
            parse_config(p, *p->t.text == 'g');
        } else if (at_block_attr(p)) {
            parse_sql(p);
        } else {
            parse_unknown(p);
        }
    }
    if (p->t.doc)
        pxi_diag(p->diags, DOC_NOWHERE, p->t.doc_at);
}

/* Room for about as many models as there are lines that begin one, so that the list is not copied
 * again and again while it grows. */
static void reserve_models(struct pxi_schema *schema, struct pxi_arena *arena,
                           const struct pxi_source *src)
{
    static const char head[] = "\nmodel ";
    enum { HEAD = sizeof head - 1 };
    const char *p = src->text, *end = src->text + src->size;
    size_t n = 1;
    while (end - p > HEAD && (p = memchr(p, '\n', (size_t)(end - p) - HEAD))) {
        n += !memcmp(p, head, HEAD);
        p++;
    }
    n = n < PXI_MODELS_MAX ? n : PXI_MODELS_MAX;
    schema->models.items = pxi_arena_get(arena, n * sizeof *schema->models.items, 16);
    schema->models.capacity = schema->models.items ? (uint32_t)n : 0;
}

bool pxi_parse(struct pxi_schema *schema, struct pxi_chunks *chunks, struct pxi_diags *diags,
               const struct pxi_source *src)
{
    struct parser p = { .schema = schema, .chunks = chunks, .diags = diags, .arena = diags->arena };
    const struct pxi_span top = { 0, 0 };
    bool good = src->size <= PXI_SCHEMA_MAX;
    if (!good) {
        pxi_diag(diags, TOO_LARGE, top, "67108864");
        return false;
    }
    pxi_arena_init(&p.chunk, diags->arena->alloc, 0);
    reserve_models(schema, diags->arena, src);
    for (uint32_t i = 0; i < pxi_source_files(src); i++) {
        if (pxi_lexer_open(&p.lx, diags, src->text, pxi_source_file(src, i))) {
            parse_file(&p);
        } else {
            good = false;
        }
    }
    end_chunk(&p);
    if (p.chunk.block)
        pxi_arena_free(&p.chunk); /* there was no memory to keep it: then all is lost anyway */
    return good;
}

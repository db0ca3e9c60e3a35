/* parser.c - the grammar, by recursive descent without the recursion: no construct holds itself.
 *
 *   schema    = { block }
 *   block     = ( "generator" | "datasource" ) NAME "{" { NAME "=" value } "}"
 *             | "enum" NAME "{" { NAME } "}"
 *             | "model" NAME "{" { field | attribute } "}"
 *   field     = NAME type { attribute }            name and type stand on one line
 *   type      = NAME [ "(" value { "," value } ")" ] [ "[" "]" ] [ "?" ]
 *   attribute = ( "@" | "@@" ) NAME [ "(" value { "," value } [ "," ] ")" ]
 *   value     = TEXT | NUMBER | NAME [ "(" ")" ] | "[" [ value { "," value } [ "," ] ] "]"
 *
 * A field ends where the next token is the first of its line and no @. After an error the parser
 * goes on at the next line of the same block, so one slip costs one diagnostic. A block that lacks
 * its } is noticed at the next block's head, which is read again as such.
 */
#include "orm/schema/parser.h"
#include "orm/schema/lexer.h"
#include <stdio.h>
#include <string.h>

struct parser {
    struct pxi_lexer lx;
    struct pxi_token t; /* the current token */
    struct pxi_schema *schema;
    struct pxi_diags *diags;
    struct pxi_arena *arena;
    uint32_t last_end; /* where the token before ended */
};

struct attr_word {
    const char *name;
    enum pxi_attr_support support;
};
static const struct attr_word attr_words[] = {
    { "@id", PXI_ATTR_KNOWN },          { "@auto", PXI_ATTR_KNOWN },
    { "@unique", PXI_ATTR_KNOWN },      { "@default", PXI_ATTR_KNOWN },
    { "@map", PXI_ATTR_KNOWN },         { "@@map", PXI_ATTR_KNOWN },
    { "@@id", PXI_ATTR_KNOWN },         { "@@unique", PXI_ATTR_KNOWN },
    { "@@index", PXI_ATTR_KNOWN },      { "@relation", PXI_ATTR_NOT_YET },
    { "@check", PXI_ATTR_NOT_YET },     { "@version", PXI_ATTR_NOT_YET },
    { "@name", PXI_ATTR_NOT_YET },      { "@index", PXI_ATTR_NOT_YET },
    { "@updatedAt", PXI_ATTR_NOT_YET }, { "@@check", PXI_ATTR_NOT_YET },
    { "@@name", PXI_ATTR_NOT_YET },
};

enum pxi_attr_support pxi_attr_lookup(const char *name, const char **nearest)
{
    struct pxi_suggest s = { .word = name };
    for (size_t i = 0; i < sizeof attr_words / sizeof *attr_words; i++) {
        if (!strcmp(attr_words[i].name, name))
            return attr_words[i].support;
        if (attr_words[i].support == PXI_ATTR_KNOWN)
            pxi_suggest_offer(&s, attr_words[i].name);
    }
    *nearest = s.best;
    return PXI_ATTR_UNKNOWN;
}

/* Moves on. Documentation that nobody took by then documents nothing. */
static void advance(struct parser *p)
{
    if (p->t.doc)
        pxi_diag(p->diags, DOC_NOWHERE, p->t.doc_at);
    p->last_end = p->t.at.start + p->t.at.size;
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

/* To the next line of this block, or its end: for what began at `start` and went wrong. */
static void skip_line(struct parser *p, uint32_t start)
{
    int depth = 0;
    while (p->t.kind != PXI_T_END) {
        bool moved = p->t.at.start > start;
        if (moved && (p->t.kind == '}' || (p->t.first && depth == 0)))
            return;
        if (p->t.kind == '(' || p->t.kind == '[') {
            depth++;
        } else if (p->t.kind == ')' || p->t.kind == ']') {
            depth -= depth > 0;
        }
        p->t.doc = NULL;
        advance(p);
    }
}

static const char *const block_words[] = { "generator", "datasource", "enum", "model" };
static const char *const foreign_words[] = { "view", "type", "policy", "serverGroup", "import" };
enum { BLOCK_WORDS = 4, FOREIGN_WORDS = 5 };

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

static struct pxi_value *add_value(struct parser *p, pxi_values *values, enum pxi_value_kind kind)
{
    if (values->count >= PXI_ARGS_MAX) {
        pxi_diag(p->diags, TOO_MANY, p->t.at, "64", "values in a list");
        return NULL;
    }
    struct pxi_value *v = pxi_list_add(p->arena, values);
    if (v)
        *v = (struct pxi_value){ .kind = kind, .text = p->t.text, .at = p->t.at };
    return v;
}

static bool parse_word(struct parser *p, pxi_values *values)
{
    uint32_t start = p->t.at.start;
    struct pxi_value *v = add_value(p, values, PXI_VALUE_WORD);
    if (!v)
        return false;
    advance(p);
    if (!take(p, '('))
        return true;
    v->kind = PXI_VALUE_CALL;
    if (!want(p, ')', "')'"))
        return false;
    v->at = since(p, start);
    return true;
}

/* A value that is no list. */
static bool parse_simple(struct parser *p, pxi_values *values, const char *what)
{
    if (p->t.kind == PXI_T_NAME)
        return parse_word(p, values);
    if (p->t.kind == '[') {
        pxi_diag(p->diags, NESTED, p->t.at);
        return false;
    }
    if (p->t.kind != PXI_T_TEXT && p->t.kind != PXI_T_NUMBER) {
        expected(p, what, NULL);
        return false;
    }
    if (p->t.bad) {
        advance(p);
        return false;
    }
    bool text = p->t.kind == PXI_T_TEXT;
    if (!add_value(p, values, text ? PXI_VALUE_TEXT : PXI_VALUE_NUMBER))
        return false;
    advance(p);
    return true;
}

static bool parse_list(struct parser *p, pxi_values *values)
{
    uint32_t start = p->t.at.start, index = values->count;
    if (!add_value(p, values, PXI_VALUE_LIST))
        return false;
    advance(p);
    while (p->t.kind != ']') {
        if (!parse_simple(p, values, "a value or ']'"))
            return false;
        if (p->t.kind != ']' && !want(p, ',', "',' or ']'"))
            return false;
    }
    advance(p);
    struct pxi_value *list = &values->items[index];
    list->items = values->count - index - 1;
    list->text = NULL;
    list->at = since(p, start);
    return true;
}

static bool parse_value(struct parser *p, pxi_values *values, const char *what)
{
    return p->t.kind == '[' ? parse_list(p, values) : parse_simple(p, values, what);
}

/* value { "," value } [ "," ] ")", behind the opening parenthesis. */
static bool parse_args(struct parser *p, pxi_values *values)
{
    while (p->t.kind != ')') {
        if (!parse_value(p, values, "a value or ')'"))
            return false;
        if (p->t.kind != ')' && !want(p, ',', "',' or ')'"))
            return false;
    }
    advance(p);
    return true;
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

/* The name of an attribute with its @; @db.VarChar is one name. NULL: out of memory. */
static const char *take_attr_name(struct parser *p, uint32_t start)
{
    advance(p);
    while (p->t.kind == PXI_T_STRAY && *p->t.text == '.') {
        advance(p);
        if (p->t.kind == PXI_T_NAME)
            advance(p);
    }
    return pxi_arena_text(p->arena, p->lx.text + start, p->last_end - start);
}

static bool parse_attr(struct parser *p, pxi_attrs *attrs)
{
    uint32_t start = p->t.at.start;
    const char *nearest = NULL;
    advance(p);
    if (p->t.kind != PXI_T_NAME || p->t.first) {
        expected(p, "the name of an attribute", NULL);
        return false;
    }
    struct pxi_attr attr = { .name.text = take_attr_name(p, start) };
    attr.name.at = attr.at = since(p, start);
    if (!attr.name.text)
        return false;
    enum pxi_attr_support support = pxi_attr_lookup(attr.name.text, &nearest);
    if (support == PXI_ATTR_NOT_YET) {
        pxi_diag(p->diags, ATTRIBUTE_NOT_YET, attr.at, attr.name.text);
    } else if (support == PXI_ATTR_UNKNOWN) {
        pxi_diag(p->diags, UNKNOWN_ATTRIBUTE, attr.at, attr.name.text, nearest);
    }
    if (support != PXI_ATTR_KNOWN) {
        skip_unknown(p);
        return true;
    }
    attr.parens = take(p, '(');
    if (attr.parens && !parse_args(p, &attr.args))
        return false;
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
    if (!want_name(p, &c->type_name, "a type"))
        return false;
    if (take(p, '(') && !parse_args(p, &c->type_args))
        return false;
    if (take(p, '[')) {
        c->list = true;
        if (!want(p, ']', "']'"))
            return false;
    }
    c->optional = take(p, '?');
    c->type_at = since(p, c->type_name.at.start);
    return true;
}

static const char *missing_at(struct parser *p)
{
    char text[2 * PXI_NAME_MAX];
    const char *nearest;
    if (p->t.kind != PXI_T_NAME)
        return NULL;
    snprintf(text, sizeof text, "@%s", p->t.text);
    if (pxi_attr_lookup(text, &nearest) != PXI_ATTR_KNOWN)
        return "write each field on a line of its own";
    snprintf(text, sizeof text, "did you mean '@%s'?", p->t.text);
    return pxi_arena_text(p->arena, text, strlen(text));
}

static bool parse_field(struct parser *p, struct pxi_model *m)
{
    if (m->columns.count >= PXI_COLUMNS_MAX) {
        pxi_diag(p->diags, TOO_MANY, p->t.at, "1000", "fields in a model");
        skip_rest(p);
        return true;
    }
    const char *doc = take_doc(p);
    struct pxi_column c = { .doc = doc };
    if (!want_name(p, &c.name, "a field, an attribute or '}'") || !parse_type(p, &c))
        return false;
    bool good = true;
    while (good && p->t.kind == '@' && !p->t.text[1])
        good = parse_attr(p, &c.attrs);
    struct pxi_column *column = pxi_list_add(p->arena, &m->columns);
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
        !parse_value(p, &property.value, "a value"))
        return false;
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
        uint32_t start = p->t.at.start;
        if (!parse_property(p, &config))
            skip_line(p, start);
    }
    struct pxi_config *room = generator ? pxi_list_add(p->arena, &p->schema->generators)
                                        : pxi_list_add(p->arena, &p->schema->datasources);
    if (room)
        *room = config;
}

static bool parse_label(struct parser *p, struct pxi_enum *e)
{
    struct pxi_label label = { .doc = take_doc(p) };
    if (e->labels.count >= PXI_LABELS_MAX) {
        pxi_diag(p->diags, TOO_MANY, p->t.at, "1000", "labels in an enum");
        skip_rest(p);
        return true;
    }
    if (!want_name(p, &label.name, "a label or '}'"))
        return false;
    struct pxi_label *room = pxi_list_add(p->arena, &e->labels);
    if (room)
        *room = label;
    return true;
}

static void parse_enum(struct parser *p)
{
    struct pxi_enum e = { .doc = take_doc(p) };
    if (!block_head(p, &e.name, "the enum's name"))
        return;
    while (!block_ends(p, "enum", &e.name)) {
        uint32_t start = p->t.at.start;
        if (!parse_label(p, &e))
            skip_line(p, start);
    }
    if (p->schema->enums.count >= PXI_ENUMS_MAX) {
        pxi_diag(p->diags, TOO_MANY, e.name.at, "4096", "enums");
        return;
    }
    struct pxi_enum *room = pxi_list_add(p->arena, &p->schema->enums);
    if (room)
        *room = e;
}

static void parse_model(struct parser *p)
{
    struct pxi_model m = { .doc = take_doc(p) };
    if (!block_head(p, &m.name, "the model's name"))
        return;
    while (!block_ends(p, "model", &m.name)) {
        uint32_t start = p->t.at.start, before = p->diags->count;
        bool attr = p->t.kind == '@' && p->t.text[1];
        if (!(attr ? parse_attr(p, &m.attrs) : parse_field(p, &m)))
            skip_line(p, start);
        m.damaged |= p->diags->count > before;
    }
    if (p->schema->models.count >= PXI_MODELS_MAX) {
        pxi_diag(p->diags, TOO_MANY, m.name.at, "4096", "models");
        return;
    }
    struct pxi_model *room = pxi_list_add(p->arena, &p->schema->models);
    if (room)
        *room = m;
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

bool pxi_parse(struct pxi_schema *schema, struct pxi_diags *diags, const char *text, size_t size)
{
    struct parser p = { .schema = schema, .diags = diags, .arena = diags->arena };
    if (!pxi_lexer_open(&p.lx, diags, text, size))
        return false;
    p.t = pxi_lexer_next(&p.lx);
    while (p.t.kind != PXI_T_END) {
        if (is_word(&p, "model")) {
            parse_model(&p);
        } else if (is_word(&p, "enum")) {
            parse_enum(&p);
        } else if (is_word(&p, "generator") || is_word(&p, "datasource")) {
            parse_config(&p, is_word(&p, "generator"));
        } else {
            parse_unknown(&p);
        }
    }
    if (p.t.doc)
        pxi_diag(diags, DOC_NOWHERE, p.t.doc_at);
    return true;
}

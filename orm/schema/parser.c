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
#include "orm/schema/names.h"
#include "orm/schema/parse.h"
#include <stdio.h>
#include <string.h>

static const char *take_doc(struct pxi_parser *p)
{
    const char *doc = p->t.doc;
    p->t.doc = NULL;
    return doc;
}

static bool is_word(const struct pxi_parser *p, const char *word)
{
    return p->t.kind == PXI_T_NAME && !strcmp(p->t.text, word);
}

/* What other languages have there. */
static const char *stray_hint(const struct pxi_parser *p)
{
    const char *next = p->lx.at < p->lx.end ? p->lx.text + p->lx.at : "";
    switch (*p->t.text) {
    case ';':
        return "lines end without it";
    case '\'':
        return "strings stand in \"\"";
    case '#':
        return "comments begin with //";
    default:
        return *p->t.text == '-' && *next == '-' ? "comments begin with //" : NULL;
    }
}

void pxi_parse_expected(struct pxi_parser *p, const char *what, const char *hint)
{
    char found[PXI_NAME_MAX + 16];
    if (p->t.kind == PXI_T_STRAY) {
        pxi_diag(p->diags, STRAY, p->t.at, p->t.text, stray_hint(p));
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

bool pxi_parse_want(struct pxi_parser *p, char c, const char *what)
{
    if (pxi_parse_take(p, c))
        return true;
    pxi_parse_expected(p, what, NULL);
    return false;
}

bool pxi_parse_want_name(struct pxi_parser *p, struct pxi_name *name, const char *what)
{
    if (p->t.kind != PXI_T_NAME) {
        pxi_parse_expected(p, what, NULL);
        return false;
    }
    *name = (struct pxi_name){ p->t.text, p->t.at };
    pxi_parse_advance(p);
    return true;
}

static const char *const block_words[] = { "generator", "datasource", "enum", "model", "view" };
static const char *const foreign_words[] = { "type", "policy", "serverGroup", "import" };
enum { BLOCK_WORDS = 5, FOREIGN_WORDS = 4 };

static bool is_one_of(const struct pxi_parser *p, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n && p->t.kind == PXI_T_NAME; i++) {
        if (*words[i] == *p->t.text && !strcmp(words[i], p->t.text))
            return true;
    }
    return false;
}

/* Does a block begin here: a word, a name and {, at the beginning of a line? */
bool pxi_parse_at_block(struct pxi_parser *p)
{
    if (!p->t.first || !is_one_of(p, block_words, BLOCK_WORDS))
        return false;
    struct pxi_lexer ahead = p->lx;
    uint32_t diags = p->diags->count;
    struct pxi_token second, third;
    pxi_lexer_next(&ahead, &second);
    pxi_lexer_next(&ahead, &third);
    p->diags->count = diags; /* they will be found again */
    return second.kind == PXI_T_NAME && third.kind == '{';
}

/* A line of a block begins: a field, a label, a property, an attribute. Returns its place. */
static uint32_t begin_line(struct pxi_parser *p)
{
    p->depth = 0;
    p->attrs.count = 0;
    return p->t.at.start;
}

/* Is this the first of two names on a line, as in a field? */
static bool at_field(const struct pxi_parser *p)
{
    struct pxi_lexer ahead = p->lx;
    uint32_t diags = p->diags->count;
    struct pxi_token second;
    pxi_lexer_next(&ahead, &second);
    p->diags->count = diags; /* they will be found again */
    return p->t.kind == PXI_T_NAME && second.kind == PXI_T_NAME && !second.first;
}

/* To the next line of this block, or its end: for what began at `start` and went wrong. Within
 * brackets a line is the next one only if it cannot be anything else. */
static void skip_line(struct pxi_parser *p, uint32_t start)
{
    uint32_t braces = 0; /* none of ours: @default({}) */
    while (p->t.kind != PXI_T_END) {
        bool line = p->t.at.start > start && p->t.first;
        if (p->t.at.start > start && p->t.kind == '}' && (braces == 0 || p->t.first))
            return;
        braces += p->t.kind == '{';
        braces -= p->t.kind == '}' && braces > 0;
        if (line && (p->depth == 0 || (p->t.kind == '@' && p->t.text[1]) || at_field(p) ||
                     pxi_parse_at_block(p)))
            return;
        p->t.doc = NULL;
        pxi_parse_advance(p);
    }
}

/* Behind the } of a block whose head went wrong, or to the next head. */
static void skip_block(struct pxi_parser *p)
{
    int depth = 0;
    while (p->t.kind != PXI_T_END && (depth > 0 || !pxi_parse_at_block(p))) {
        depth += p->t.kind == '{';
        depth -= p->t.kind == '}';
        bool last = p->t.kind == '}' && depth <= 0;
        p->t.doc = NULL;
        pxi_parse_advance(p);
        if (last)
            return;
    }
}

/* To the } of a block that has too much in it. */
static void skip_rest(struct pxi_parser *p)
{
    while (p->t.kind != PXI_T_END && p->t.kind != '}' && !pxi_parse_at_block(p))
        skip_line(p, p->t.at.start);
}

static bool parse_type(struct pxi_parser *p, struct pxi_column *c)
{
    if (p->t.kind != PXI_T_NAME || p->t.first) {
        pxi_diag(p->diags, EXPECTED, c->name.at, "a type behind the field's name", "none",
                 p->t.kind == '['   ? "a list is written String[]"
                 : p->t.kind == '?' ? "what may be absent is written String?"
                                    : "a field is a name and a type on one line, such as: email "
                                      "String");
        return false;
    }
    struct pxi_name type;
    if (!pxi_parse_want_name(p, &type, "a type"))
        return false;
    c->type_name = type.text;
    if (pxi_parse_take(p, '(')) {
        struct pxi_column_more *more = pxi_column_more(p->arena, c);
        if (!more || !pxi_parse_args(p, p->arena, &more->type_args))
            return false;
    }
    if (pxi_parse_take(p, '[')) {
        c->list = true;
        if (!pxi_parse_want(p, ']', "']'"))
            return false;
    }
    c->optional = pxi_parse_take(p, '?');
    c->type_at = pxi_parse_since(p, type.at.start);
    return true;
}

static const char *missing_at(struct pxi_parser *p)
{
    char text[2 * PXI_NAME_MAX];
    if (p->t.kind == ',')
        return "fields stand on lines of their own, without commas";
    if (p->t.kind == '=')
        return "a default is written @default(...)";
    if (p->t.kind == '@')
        return "it belongs to the block: write it on a line of its own";
    if (p->t.kind != PXI_T_NAME)
        return NULL;
    snprintf(text, sizeof text, "@%s", p->t.text);
    if (!pxi_attr_find(text, strlen(text), PXI_ON_ALL, NULL))
        return "write each field on a line of its own";
    snprintf(text, sizeof text, "did you mean '@%s'?", p->t.text);
    return pxi_arena_text(p->arena, text, strlen(text));
}

static bool parse_field(struct pxi_parser *p, unsigned places)
{
    if (p->columns.count >= PXI_COLUMNS_MAX) {
        pxi_diag(p->diags, TOO_MANY, p->t.at, "1000", "fields in a model");
        skip_rest(p);
        return true;
    }
    struct pxi_column c = { .more = &pxi_column_plain };
    const char *doc = take_doc(p);
    struct pxi_column_more *more = doc ? pxi_column_more(p->arena, &c) : NULL;
    if (more)
        more->doc = doc;
    if (!pxi_parse_want_name(p, &c.name, "a field, an attribute or '}'") || !parse_type(p, &c))
        return false;
    bool good = true;
    while (good && p->t.kind == '@' && !p->t.text[1])
        good = pxi_parse_attr(p, &p->attrs, places);
    pxi_gathered_in(p, &p->chunk, &c.attrs, &p->attrs);
    struct pxi_column *column = pxi_list_add(p->arena, &p->columns);
    if (column)
        *column = c;
    if (good && !p->t.first && p->t.kind != '}') {
        pxi_parse_expected(p, "an attribute or the end of the line", missing_at(p));
        return false;
    }
    return good;
}

/* True when the block is over; its } is taken. */
static bool block_ends(struct pxi_parser *p, const char *kind, const struct pxi_name *name)
{
    if (pxi_parse_take(p, '}'))
        return true;
    if (p->t.kind != PXI_T_END && !pxi_parse_at_block(p))
        return false;
    const struct pxi_diags *d = p->diags;
    bool swallowed = d->count > 0 && d->items[d->count - 1].code == PXI_S_OPEN_SQL;
    if (!swallowed)
        pxi_diag(p->diags, UNCLOSED, name->at, kind, name->text);
    return true;
}

static bool block_head(struct pxi_parser *p, struct pxi_name *name, const char *what)
{
    pxi_parse_advance(p);
    if (pxi_parse_want_name(p, name, what) && pxi_parse_want(p, '{', "'{'"))
        return true;
    skip_block(p);
    return false;
}

static bool parse_property(struct pxi_parser *p, struct pxi_config *config)
{
    struct pxi_property property = { 0 };
    if (!pxi_parse_want_name(p, &property.name, "a property or '}'") ||
        !pxi_parse_want(p, '=', "'='") || !pxi_parse_values(p, 0, "a value"))
        return false;
    pxi_gathered(p, &property.value, &p->args);
    struct pxi_property *room = pxi_list_add(p->arena, &config->properties);
    if (room)
        *room = property;
    return true;
}

static void parse_config(struct pxi_parser *p, bool generator)
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
    struct pxi_config *room = NULL;
    if (generator) {
        room = pxi_list_add(p->arena, &p->schema->generators);
    } else {
        room = pxi_list_add(p->arena, &p->schema->datasources);
    }
    if (room)
        *room = config;
}

static bool parse_label(struct pxi_parser *p, unsigned places)
{
    struct pxi_label label = { .doc = take_doc(p) };
    if (p->labels.count >= PXI_LABELS_MAX) {
        pxi_diag(p->diags, TOO_MANY, p->t.at, "1000", "labels in an enum");
        skip_rest(p);
        return true;
    }
    if (p->t.kind == ',') {
        pxi_parse_expected(p, "a label or '}'", "labels stand apart by blanks or lines");
        return false;
    }
    if (p->t.kind == '=') {
        pxi_parse_expected(p, "a label or '}'",
                           "what a label is in the database is written @map(\"...\")");
        return false;
    }
    if (!pxi_parse_want_name(p, &label.name, "a label or '}'"))
        return false;
    bool good = true;
    while (good && p->t.kind == '@' && !p->t.text[1])
        good = pxi_parse_attr(p, &p->attrs, places);
    pxi_gathered_in(p, &p->chunk, &label.attrs, &p->attrs);
    struct pxi_label *room = pxi_list_add(p->arena, &p->labels);
    if (room)
        *room = label;
    return good;
}

static bool at_block_attr(const struct pxi_parser *p)
{
    return p->t.kind == '@' && p->t.text[1];
}

/* A line of a block: an attribute of the block, or what `line` reads. */
static void parse_line(struct pxi_parser *p, unsigned on_block,
                       bool (*line)(struct pxi_parser *p, unsigned places), unsigned on_line)
{
    uint32_t start = begin_line(p);
    bool attr = at_block_attr(p);
    if (!(attr ? pxi_parse_attr(p, &p->block_attrs, on_block) : line(p, on_line)))
        skip_line(p, start);
}

static void parse_enum(struct pxi_parser *p)
{
    struct pxi_enum e = { .doc = take_doc(p) };
    if (!block_head(p, &e.name, "the enum's name"))
        return;
    p->block_attrs.count = p->labels.count = 0;
    while (!block_ends(p, "enum", &e.name))
        parse_line(p, PXI_ON_ENUM, parse_label, PXI_ON_LABEL);
    pxi_gathered(p, &e.labels, &p->labels);
    pxi_gathered_in(p, &p->chunk, &e.attrs, &p->block_attrs);
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

static void end_chunk(struct pxi_parser *p)
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

static void add_model(struct pxi_parser *p, const struct pxi_model *m)
{
    if (p->schema->models.count >= PXI_MODELS_MAX) {
        pxi_diag(p->diags, TOO_MANY, m->name.at, "65535", "models");
        return;
    }
    struct pxi_model *room = pxi_list_add(p->arena, &p->schema->models);
    if (room)
        *room = *m;
    if (p->chunk.held >= CHUNK_BYTES && p->chunk.end - p->chunk.next < CHUNK_BYTES / 32)
        end_chunk(p);
}

static void parse_model(struct pxi_parser *p, bool view)
{
    struct pxi_model m = { .doc = take_doc(p), .view = view };
    unsigned on_block = view ? PXI_ON_VIEW : PXI_ON_MODEL;
    unsigned on_field = view ? PXI_ON_VIEW_FIELD : PXI_ON_FIELD | PXI_ON_RELATION;
    if (!block_head(p, &m.name, view ? "the view's name" : "the model's name"))
        return;
    p->block_attrs.count = p->columns.count = 0;
    while (!block_ends(p, view ? "view" : "model", &m.name)) {
        uint32_t before = p->diags->count;
        parse_line(p, on_block, parse_field, on_field);
        m.damaged |= p->diags->count > before;
    }
    pxi_gathered(p, &m.columns, &p->columns);
    pxi_gathered_in(p, &p->chunk, &m.attrs, &p->block_attrs);
    add_model(p, &m);
}

/* @@sql("name", """...""") outside of any block. */
static void parse_sql(struct pxi_parser *p)
{
    uint32_t start = begin_line(p);
    p->block_attrs.count = 0;
    if (!pxi_parse_attr(p, &p->block_attrs, PXI_ON_TOP)) {
        skip_line(p, start);
        return;
    }
    struct pxi_sql_block *room = NULL;
    if (p->block_attrs.count)
        room = pxi_list_add(p->arena, &p->schema->sqls);
    if (room)
        *room = (struct pxi_sql_block){ .attr = p->block_attrs.items[0] };
}

static void parse_unknown(struct pxi_parser *p)
{
    struct pxi_suggest s = { .word = p->t.text };
    for (size_t i = 0; i < BLOCK_WORDS; i++)
        pxi_suggest_offer(&s, block_words[i]);
    if (p->t.kind != PXI_T_NAME) {
        pxi_parse_expected(p, "generator, datasource, enum, model or view", NULL);
    } else if (is_one_of(p, foreign_words, FOREIGN_WORDS)) {
        pxi_diag(p->diags, BLOCK_NOT_YET, p->t.at, p->t.text);
    } else {
        pxi_diag(p->diags, UNKNOWN_BLOCK, p->t.at, p->t.text, s.best);
    }
    /* a stray token costs itself; a word costs its line, and its braces if it has some */
    while (p->t.kind != PXI_T_END && p->t.kind != '{') {
        p->t.doc = NULL;
        pxi_parse_advance(p);
        if (p->t.first)
            return;
    }
    skip_block(p);
}

static void parse_file(struct pxi_parser *p)
{
    pxi_lexer_next(&p->lx, &p->t);
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
    struct pxi_parser p = {
        .schema = schema, .chunks = chunks, .diags = diags, .arena = diags->arena
    };
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
        pxi_arena_free(&p.chunk); /* there was no memory to keep it, and with it the tree */
    return good && !diags->arena->full;
}

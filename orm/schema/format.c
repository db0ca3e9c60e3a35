/* format.c - see format.h.
 *
 * Three passes. Pieces: words, punctuation, strings and comments, each with the place where it
 * stands. Lines: as in the source, but split at the braces of a block over several lines. Cells:
 * the lines of a paragraph are measured, then written with blanks up to the widest.
 *
 * What cannot be laid out better stays as it is: within parentheses and quotes, where SQL may
 * stand, a blank between two pieces is one blank afterwards, and none stays none.
 */
#include "orm/schema/format.h"
#include "orm/schema/lexer.h"
#include "orm/schema/text.h"
#include <string.h>

enum kind { WORD, MARK, QUOTED, LINE_COMMENT, BLOCK_COMMENT };
struct piece {
    const char *text;
    uint32_t size;
    uint8_t kind;    /* enum kind */
    bool blank;      /* stands apart from the piece before */
    bool first;      /* of its line */
    bool gap;        /* an empty line stands before it */
    uint16_t parens; /* open ones around it; a closing one is within */
};
struct line {
    uint32_t first, end;             /* pieces */
    uint32_t type, attrs, code;      /* first pieces of type or value, attributes, comment behind */
    uint32_t name_width, type_width; /* characters: of its cells, then of the paragraph's */
    uint32_t column;                 /* of the comment behind; 0 = one blank after the code */
    bool gap;                        /* an empty line before */
    bool cells;                      /* a field, label or property: stands in columns */
    uint8_t level;                   /* indentation, in fours */
};
struct job {
    struct pxi_arena *arena;
    const char *text; /* text[size] */
    uint32_t size, at;
    struct pxi_buf scratch;
    PXI_LIST(struct piece) pieces;
    PXI_LIST(struct line) lines;
};

/* ---- pieces ---- */

static bool is_one_of(const struct piece *p, const char *marks)
{
    return p->kind == MARK && p->size == 1 && strchr(marks, p->text[0]);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool starts(const struct job *j, const char *with)
{
    size_t n = strlen(with);
    return j->size - j->at >= n && !memcmp(j->text + j->at, with, n);
}

/* Without the blanks in front of `end`. */
static uint32_t trimmed(const struct job *j, uint32_t end)
{
    while (end > j->at && strchr(" \t\r\n", j->text[end - 1]))
        end--;
    return end;
}

/* Behind `what`; if it is not there, as a quote within SQL may have none, behind the last piece. */
static uint32_t find(const struct job *j, uint32_t from, const char *what)
{
    const char *p = memmem(j->text + from, j->size - from, what, strlen(what));
    return p ? (uint32_t)(p - j->text) + (uint32_t)strlen(what) : trimmed(j, j->size);
}

/* Behind a string, at the latest at the line's end. */
static uint32_t text_end(const struct job *j)
{
    uint32_t i = j->at + 1;
    for (; i < j->size && j->text[i] != '\n'; i++) {
        if (j->text[i] == '"')
            return i + 1;
        i += j->text[i] == '\\' && i + 1 < j->size && j->text[i + 1] != '\n';
    }
    return i;
}

/* Behind 'text' of SQL; the schema's own strings, comments and attributes come first, so with one
 * of them in it the quote is a mark as any other. */
static uint32_t sql_text_end(const struct job *j)
{
    for (uint32_t i = j->at + 1; i < j->size; i++) {
        const char *p = &j->text[i];
        bool last = i + 1 == j->size;
        if (*p == '\'')
            return i + 1;
        if (*p == '\n' || *p == '"' || *p == '@' ||
            (*p == '/' && !last && (p[1] == '/' || p[1] == '*')))
            break;
    }
    return j->at + 1;
}

static uint32_t comment_end(const struct job *j)
{
    return trimmed(j, find(j, j->at, "\n"));
}

static uint32_t word_end(const struct job *j)
{
    uint32_t i = j->at + 1;
    while (i < j->size && (is_word(j->text[i]) ||
                           (j->text[i] == '.' && i + 1 < j->size && is_word(j->text[i + 1]))))
        i++;
    return i;
}

static uint32_t piece_end(const struct job *j, uint8_t *kind)
{
    char c = j->text[j->at];
    *kind = MARK;
    if (starts(j, "//")) {
        *kind = LINE_COMMENT;
        return comment_end(j);
    }
    if (starts(j, "/*")) {
        *kind = BLOCK_COMMENT;
        return find(j, j->at + 2, "*/");
    }
    if (starts(j, "\"\"\"")) {
        *kind = QUOTED;
        return find(j, j->at + 3, "\"\"\"");
    }
    if (c == '"' || c == '\'') {
        *kind = QUOTED;
        return c == '"' ? text_end(j) : sql_text_end(j);
    }
    if (is_word(c)) {
        *kind = WORD;
        return word_end(j);
    }
    return j->at + (starts(j, "@@") || starts(j, "::") ? 2 : 1);
}

struct before { /* what stood between two pieces */
    bool blank, line, gap;
};

static struct before skip_blanks(struct job *j)
{
    struct before b = { false, j->at == 0, false };
    unsigned ends = 0;
    for (; j->at < j->size && strchr(" \t\r\n", j->text[j->at]) && j->text[j->at]; j->at++) {
        b.blank = true;
        ends += j->text[j->at] == '\n';
    }
    b.line = b.line || ends > 0;
    b.gap = ends > 1;
    return b;
}

/* Is the last piece the ( of @check( or @@check( with SQL behind it? Then that is one piece. */
static bool at_raw(const struct job *j, struct pxi_lexer *lx)
{
    const struct piece *p = &j->pieces.items[j->pieces.count - 1];
    *lx = (struct pxi_lexer){ .text = j->text, .end = j->size, .at = j->at };
    return j->pieces.count >= 3 && is_one_of(p, "(") && p[-1].kind == WORD && p[-1].size == 5 &&
           !memcmp(p[-1].text, "check", 5) && p[-2].kind == MARK && p[-2].text[0] == '@' &&
           pxi_lexer_at_raw(lx);
}

/* Whether the last line of SQL may be a comment: then the ) stays on the next one. */
static bool ends_in_comment(const struct job *j, struct pxi_span at)
{
    const char *text = j->text + at.start, *last = memrchr(text, '\n', at.size);
    last = last ? last : text;
    return memmem(last, at.size - (size_t)(last - text), "--", 2);
}

static bool add_raw(struct job *j, const struct pxi_lexer *lx, uint16_t parens)
{
    struct pxi_span at = pxi_lexer_raw_span(lx, &j->at);
    if (j->at < j->size && ends_in_comment(j, at))
        at.size = j->at - at.start;
    struct piece *p = pxi_list_add(j->arena, &j->pieces);
    if (p)
        *p = (struct piece){ j->text + at.start, at.size, QUOTED, false, false, false, parens };
    return p;
}

static bool split_pieces(struct job *j)
{
    uint16_t parens = 0;
    for (;;) {
        struct before b = skip_blanks(j);
        if (j->at >= j->size)
            return true;
        uint8_t kind;
        uint32_t end = piece_end(j, &kind);
        struct piece *p = pxi_list_add(j->arena, &j->pieces);
        if (!p)
            return false;
        *p = (struct piece){ j->text + j->at, end - j->at, kind, b.blank, b.line, b.gap, parens };
        if (is_one_of(p, "([")) {
            parens = (uint16_t)(parens + (parens < UINT16_MAX));
        } else if (is_one_of(p, ")]")) {
            parens = (uint16_t)(parens - (parens > 0));
        } else if (is_one_of(p, "{}")) {
            parens = 0;
        }
        j->at = end;
        struct pxi_lexer lx;
        if (at_raw(j, &lx) && !add_raw(j, &lx, parens))
            return false;
    }
}

/* ---- lines ---- */

static bool is_mark(const struct piece *p, const char *mark)
{
    return p->kind == MARK && p->size == strlen(mark) && !memcmp(p->text, mark, p->size);
}

static bool is_comment(const struct piece *p)
{
    return p->kind == LINE_COMMENT || p->kind == BLOCK_COMMENT;
}

/* Whether the block that opens at piece `open` goes over several lines. */
static bool is_long_block(const struct job *j, uint32_t open)
{
    const struct piece *p = j->pieces.items;
    uint32_t i = open + 1;
    while (i < j->pieces.count && !p[i].first && !is_mark(&p[i], "}"))
        i++;
    return i == j->pieces.count || p[i].first;
}

/* A line of a block that begins with a word: name, type or `= value`, attributes. */
static void find_cells(const struct job *j, struct line *l)
{
    const struct piece *p = j->pieces.items;
    l->code = l->end;
    while (l->code > l->first && is_comment(&p[l->code - 1]))
        l->code--;
    l->cells = l->level == 1 && p[l->first].kind == WORD && p[l->first].parens == 0;
    l->type = l->attrs = l->code;
    if (!l->cells)
        return;
    l->type = l->attrs = l->first + 1;
    bool value = l->type < l->code && is_mark(&p[l->type], "=");
    while (l->attrs < l->code && (value || p[l->attrs].text[0] != '@'))
        l->attrs++;
}

/* What a line within a block is indented by: the block, one more for each parenthesis that is open,
 * and one for the attributes of the field above. */
static uint8_t inner_level(const struct piece *p)
{
    unsigned level = 1;
    if (is_mark(p, "}"))
        return 0;
    if (p->parens > 0) {
        level += p->parens - (unsigned)(is_mark(p, ")") || is_mark(p, "]"));
    } else if (is_mark(p, "@")) {
        level++;
    }
    return (uint8_t)(level < 16 ? level : 16);
}

/* Whether piece i, not the first of all, begins a line; inside: of a block over several lines. */
static bool breaks(const struct job *j, uint32_t i, bool inside)
{
    const struct piece *p = &j->pieces.items[i];
    if (p->first || is_comment(p))
        return p->first;
    return is_mark(p - 1, "}") || (inside && (is_mark(p, "}") || is_mark(p - 1, "{")));
}

static bool split_lines(struct job *j)
{
    const struct piece *p = j->pieces.items;
    bool inside = false, inside_first = false;
    uint32_t first = 0;
    for (uint32_t i = 0; i < j->pieces.count; i++) {
        if (is_mark(&p[i], "{")) {
            inside = inside || is_long_block(j, i);
        } else if (is_mark(&p[i], "}")) {
            inside = false;
        }
        if (i + 1 < j->pieces.count && !breaks(j, i + 1, inside))
            continue;
        struct line *l = pxi_list_add(j->arena, &j->lines);
        if (!l)
            return false;
        *l = (struct line){ .first = first, .end = i + 1, .gap = p[first].gap };
        l->level = inside_first ? inner_level(&p[first]) : 0;
        find_cells(j, l);
        first = i + 1;
        inside_first = inside;
    }
    return true;
}

/* Whether a string goes over several lines, as SQL does. */
static bool is_tall(const struct job *j, const struct line *l)
{
    for (uint32_t i = l->first; i < l->code; i++) {
        const struct piece *p = &j->pieces.items[i];
        if (p->kind == QUOTED && memchr(p->text, '\n', p->size))
            return true;
    }
    return false;
}

/* Empty lines: none at the start and the end of a block or file, one around a block over several
 * lines and around SQL that stands alone, else as they were. */
static void set_gaps(struct job *j)
{
    const struct piece *p = j->pieces.items;
    for (uint32_t i = 0; i < j->lines.count; i++) {
        struct line *l = &j->lines.items[i];
        const struct line *before = i > 0 ? l - 1 : NULL;
        bool closes = is_mark(&p[l->first], "}");
        bool opens = l->code > l->first && is_mark(&p[l->code - 1], "{");
        opens = opens || (l->level == 0 && !closes && is_tall(j, l));
        if (!before || closes ||
            (before->code > before->first && is_mark(&p[before->code - 1], "{"))) {
            l->gap = false;
        } else if (l->level == 0 &&
                   (is_mark(&p[before->first], "}") || (before->level == 0 && is_tall(j, before)) ||
                    (opens && !is_comment(&p[before->first])))) {
            l->gap = true;
        }
    }
}

/* ---- columns ---- */

/* Whether a blank stands between two pieces of a line. */
static bool is_apart(const struct piece *a, const struct piece *b)
{
    if (is_comment(a) || is_comment(b))
        return true;
    if (is_one_of(b, ",)]?") || is_one_of(a, "(["))
        return false;
    if (is_one_of(a, "@") || is_mark(a, "@@"))
        return b->kind != WORD;
    if (is_one_of(a, ",:"))
        return true;
    if (is_one_of(b, ":") && a->kind == WORD)
        return false;
    if (b->parens > 0)
        return b->blank;
    return !(is_one_of(b, "([") && a->kind == WORD);
}

static void add_pieces(const struct job *j, struct pxi_buf *out, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        const struct piece *p = &j->pieces.items[i];
        /* one line of a block: its properties stand two blanks apart */
        bool property = i > first + 1 && i + 1 < end && p->parens == 0 && is_mark(p + 1, "=") &&
                        !is_mark(p - 1, "{");
        if (property || (i > first && is_apart(p - 1, p)))
            pxi_buf_text(out, property ? "  " : " ");
        pxi_buf_add(out, p->text, p->size);
    }
}

static uint32_t width(struct job *j, uint32_t first, uint32_t end)
{
    pxi_buf_clear(&j->scratch);
    add_pieces(j, &j->scratch, first, end);
    return j->scratch.size ? pxi_char_count(j->scratch.data, j->scratch.size) : 0;
}

static void add_blanks(struct pxi_buf *out, size_t n)
{
    while (n-- > 0)
        pxi_buf_char(out, ' ');
}

/* A cell after those that are written, at `at` characters behind the start of the line's code. */
static size_t add_cell(struct job *j, struct pxi_buf *out, size_t from, size_t at, uint32_t first,
                       uint32_t end)
{
    if (first == end)
        return from;
    add_blanks(out, at > from ? at - from : from > 0);
    uint32_t size = width(j, first, end);
    add_pieces(j, out, first, end);
    return (at > from ? at : from + (from > 0)) + size;
}

/* The code of a line; returns its characters. */
static size_t add_code(struct job *j, struct pxi_buf *out, const struct line *l)
{
    const size_t indent = (size_t)l->level * 4;
    add_blanks(out, indent);
    if (!l->cells) {
        size_t n = width(j, l->first, l->code);
        add_pieces(j, out, l->first, l->code);
        return indent + n;
    }
    size_t type_at = l->name_width + 1, attrs_at = type_at + l->type_width + (l->type_width > 0);
    size_t n = add_cell(j, out, 0, 0, l->first, l->type);
    n = add_cell(j, out, n, type_at, l->type, l->attrs);
    n = add_cell(j, out, n, attrs_at, l->attrs, l->code);
    return indent + n;
}

/* The widest name and type of the paragraph [first, end) become those of all its lines. */
static void align_cells(struct job *j, uint32_t first, uint32_t end)
{
    uint32_t name = 0, type = 0;
    for (uint32_t i = first; i < end; i++) {
        const struct line *l = &j->lines.items[i];
        if (!l->cells)
            continue;
        uint32_t n = width(j, l->first, l->type), t = width(j, l->type, l->attrs);
        name = n > name ? n : name;
        type = t > type && l->attrs < l->code ? t : type;
    }
    for (uint32_t i = first; i < end; i++) {
        j->lines.items[i].name_width = name;
        j->lines.items[i].type_width = type;
    }
}

static bool has_comment_behind(const struct line *l)
{
    return l->code > l->first && l->code < l->end;
}

/* Comments behind the code of lines in a row stand in one column. */
static void align_comments(struct job *j, uint32_t first, uint32_t end)
{
    size_t widest = 0;
    for (uint32_t i = first; i < end; i++) {
        struct pxi_buf line = { 0 };
        size_t n = add_code(j, &line, &j->lines.items[i]);
        pxi_buf_free(&line);
        widest = n > widest ? n : widest;
    }
    for (uint32_t i = first; i < end; i++)
        j->lines.items[i].column = (uint32_t)widest + 2;
}

static void align(struct job *j)
{
    struct line *l = j->lines.items;
    uint32_t n = j->lines.count;
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && !l[end].gap && l[end].level > 0 && l[i].level > 0;)
            end++;
        align_cells(j, i, end);
    }
    for (uint32_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && has_comment_behind(&l[end]) && (end == i || !l[end].gap);)
            end++;
        if (end > i)
            align_comments(j, i, end);
        end += end == i;
    }
}

static void write_lines(struct job *j, struct pxi_buf *out)
{
    for (uint32_t i = 0; i < j->lines.count; i++) {
        const struct line *l = &j->lines.items[i];
        if (l->gap)
            pxi_buf_char(out, '\n');
        size_t n = add_code(j, out, l);
        if (l->code < l->end && l->code > l->first)
            add_blanks(out, l->column - n);
        add_pieces(j, out, l->code, l->end);
        pxi_buf_char(out, '\n');
    }
}

/* ---- the whole ---- */

/* The text compiler's own view: open strings and comments, bytes that are no text. */
static uint32_t check(struct pxi_diags *diags, const char *text, size_t size)
{
    const struct pxi_span top = { 0, 0 };
    struct pxi_lexer lx;
    if (size > PXI_SCHEMA_MAX) {
        pxi_diag(diags, TOO_LARGE, top, "67108864");
        return diags->count;
    }
    if (pxi_lexer_open(&lx, diags, text, (struct pxi_span){ 0, (uint32_t)size })) {
        struct pxi_token t, before, at;
        pxi_lexer_next(&lx, &t);
        before = at = t;
        while (t.kind != PXI_T_END) {
            bool check = t.kind == '(' && before.kind == PXI_T_NAME && at.kind == '@' &&
                         !strcmp(before.text, "check");
            if (check && pxi_lexer_at_raw(&lx))
                pxi_lexer_raw_span(&lx, &lx.at); /* how long it is, is not ours to judge */
            at = before;
            before = t;
            pxi_lexer_next(&lx, &t);
        }
    }
    return diags->count;
}

int pxi_schema_format(struct pxi_buf *out, struct pxi_diags *diags, const char *text, size_t size)
{
    if (check(diags, text, size) > 0)
        return (int)diags->count;
    struct job j = { .arena = diags->arena, .text = text, .size = (uint32_t)size };
    bool good = split_pieces(&j) && split_lines(&j);
    if (good) {
        set_gaps(&j);
        align(&j);
        write_lines(&j, out);
    }
    good = good && pxi_buf_ok(&j.scratch) && pxi_buf_ok(out) && !diags->arena->full;
    pxi_buf_free(&j.scratch);
    return good ? 0 : PRAX_ENOMEM;
}

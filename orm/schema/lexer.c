/* lexer.c - see lexer.h. The cursor never passes size, and every call moves it or returns END. */
#include "orm/schema/lexer.h"
#include "orm/schema/text.h"
#include <stdio.h>
#include <string.h>

static struct pxi_span span(uint32_t start, uint32_t end)
{
    return (struct pxi_span){ start, end - start };
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool check_text(struct pxi_lexer *lx)
{
    char shown[16];
    uint32_t before = lx->diags->count;
    struct pxi_char c;
    for (uint32_t i = 0; i < lx->size && !pxi_diag_full(lx->diags); i += c.size) {
        c = pxi_char_at(lx->text + i, lx->size - i);
        if (c.kind == PXI_CHAR_BROKEN) {
            snprintf(shown, sizeof shown, "0x%02x", c.code);
            pxi_diag(lx->diags, NOT_UTF8, span(i, i + 1), shown);
        } else if (c.kind == PXI_CHAR_FORBIDDEN) {
            snprintf(shown, sizeof shown, "U+%04X", c.code);
            pxi_diag(lx->diags, CONTROL, span(i, i + c.size), shown);
        }
    }
    return lx->diags->count == before;
}

bool pxi_lexer_open(struct pxi_lexer *lx, struct pxi_diags *diags, const char *text, size_t size)
{
    *lx = (struct pxi_lexer){ .text = text, .diags = diags };
    if (size > PXI_SCHEMA_MAX) {
        char limit[16];
        snprintf(limit, sizeof limit, "%d", PXI_SCHEMA_MAX);
        pxi_diag(diags, TOO_LARGE, span(0, 0), limit);
        return false;
    }
    lx->size = (uint32_t)size;
    if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        lx->at = 3; /* a byte order mark says nothing in UTF-8 */
    return check_text(lx);
}

struct docs {
    uint32_t start, end; /* of the run of /// lines; end 0 = none */
    uint32_t last;       /* start of its last line */
};

static uint32_t line_end(const struct pxi_lexer *lx, uint32_t from)
{
    const char *p = memchr(lx->text + from, '\n', lx->size - from);
    return p ? (uint32_t)(p - lx->text) : lx->size;
}

/* A /// behind a token would document what follows it, which nobody means: it is refused. */
static void skip_line_comment(struct pxi_lexer *lx, struct docs *docs, bool first)
{
    uint32_t start = lx->at, end = line_end(lx, start);
    const char *p = lx->text + start;
    bool is_doc = end - start >= 3 && p[2] == '/' && !(end - start >= 4 && p[3] == '/');
    if (is_doc && !first) {
        pxi_diag(lx->diags, DOC_NOWHERE, span(start, end));
    } else if (is_doc) {
        docs->start = docs->end ? docs->start : start;
        docs->end = end;
        docs->last = start;
    }
    lx->at = end;
}

static void skip_block_comment(struct pxi_lexer *lx)
{
    uint32_t start = lx->at;
    const char *p = memmem(lx->text + start + 2, lx->size - start - 2, "*/", 2);
    if (p) {
        lx->at = (uint32_t)(p - lx->text) + 2;
        return;
    }
    pxi_diag(lx->diags, OPEN_COMMENT, span(start, start + 2));
    lx->at = lx->size;
}

/* Moves to the next token; true if a line ended on the way. */
static bool skip_blanks(struct pxi_lexer *lx, struct docs *docs)
{
    bool first = lx->at == 0;
    while (lx->at < lx->size) {
        const char *p = lx->text + lx->at;
        uint32_t left = lx->size - lx->at;
        if (*p == '\n')
            first = true;
        if (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n') {
            lx->at++;
        } else if (left >= 2 && p[0] == '/' && p[1] == '/') {
            skip_line_comment(lx, docs, first);
        } else if (left >= 2 && p[0] == '/' && p[1] == '*') {
            skip_block_comment(lx);
        } else {
            break;
        }
    }
    return first;
}

/* The /// lines of [start, end) without their slashes, one leading blank and trailing blanks;
 * what stands between them (blanks, other comments) is left out. */
static const char *doc_text(struct pxi_lexer *lx, const struct docs *docs)
{
    struct pxi_arena *arena = lx->diags->arena;
    char *text = pxi_arena_get(arena, docs->end - docs->start + 2, 1);
    if (!text)
        return NULL;
    size_t n = 0;
    for (uint32_t at = docs->start; at < docs->end; at = line_end(lx, at) + 1) {
        const char *p = lx->text + at, *end = lx->text + line_end(lx, at);
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        if (end - p < 3 || memcmp(p, "///", 3) != 0)
            continue;
        p += 3;
        p += p < end && *p == ' ';
        while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
            end--;
        if (n > 0)
            text[n++] = '\n';
        memcpy(text + n, p, (size_t)(end - p));
        n += (size_t)(end - p);
    }
    text[n] = 0;
    return text;
}

static void read_name(struct pxi_lexer *lx, struct pxi_token *t)
{
    uint32_t start = lx->at;
    while (lx->at < lx->size && (is_letter(lx->text[lx->at]) || is_digit(lx->text[lx->at])))
        lx->at++;
    uint32_t size = lx->at - start;
    if (size > PXI_NAME_MAX) {
        pxi_diag(lx->diags, LONG_NAME, span(start, lx->at), "63");
        size = PXI_NAME_MAX;
    }
    t->kind = PXI_T_NAME;
    t->text = pxi_arena_text(lx->diags->arena, lx->text + start, size);
}

/* -? digits [. digits]; whatever letters, digits and points follow belong to it, to be refused. */
static void read_number(struct pxi_lexer *lx, struct pxi_token *t)
{
    uint32_t start = lx->at, at = start, points = 0, digits = 0;
    bool good = true;
    at += lx->text[at] == '-';
    for (; at < lx->size; at++) {
        char c = lx->text[at];
        if (is_digit(c)) {
            digits++;
        } else if (c == '.') {
            good = digits > 0 && points++ == 0 && good;
        } else if (is_letter(c)) {
            good = false;
        } else {
            break;
        }
    }
    uint32_t size = at - start;
    good = good && is_digit(lx->text[at - 1]) && size <= PXI_NUMBER_MAX;
    lx->at = at;
    t->kind = PXI_T_NUMBER;
    t->text = pxi_arena_text(lx->diags->arena, lx->text + start, size < 63 ? size : 63);
    if (!good && t->text)
        pxi_diag(lx->diags, NUMBER, span(start, at), t->text);
    if (!good)
        t->text = "0";
}

/* The character that an escape stands for, or 0. */
static char unescape(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case '"':
    case '\\':
        return c;
    default:
        return 0;
    }
}

static void bad_escape(struct pxi_lexer *lx, uint32_t at)
{
    char c[5] = "";
    uint32_t n = pxi_char_at(lx->text + at + 1, lx->size - at - 1).size;
    memcpy(c, lx->text + at + 1, n);
    pxi_diag(lx->diags, ESCAPE, span(at, at + 1 + n), c);
}

/* Where the string that begins at `at` ends: its closing quote, or the end of its line. */
static uint32_t text_end(const struct pxi_lexer *lx, uint32_t at)
{
    uint32_t stop = line_end(lx, at);
    for (at++; at < stop && lx->text[at] != '"'; at++)
        at += lx->text[at] == '\\' && at + 1 < stop;
    return at;
}

static void read_text(struct pxi_lexer *lx, struct pxi_token *t)
{
    uint32_t start = lx->at, end = text_end(lx, start);
    bool closed = end < lx->size && lx->text[end] == '"';
    if (end - start - 1 > PXI_TEXT_MAX)
        pxi_diag(lx->diags, LONG_TEXT, span(start, end), "4096");
    if (!closed)
        pxi_diag(lx->diags, OPEN_STRING, span(start, end));
    t->bad = !closed;
    lx->at = closed ? end + 1 : end;
    t->kind = PXI_T_TEXT;
    char *out = pxi_arena_get(lx->diags->arena, end - start + 1, 1);
    t->text = out;
    for (uint32_t i = start + 1; out && i < end; i++) {
        char c = lx->text[i];
        if (c == '\\' && i + 1 < end) {
            c = unescape(lx->text[i + 1]);
            if (!c)
                bad_escape(lx, i);
            i++;
        }
        if (c)
            *out++ = c;
    }
    if (out)
        *out = 0;
}

static void read_other(struct pxi_lexer *lx, struct pxi_token *t)
{
    const char *p = lx->text + lx->at;
    uint32_t n = pxi_char_at(p, lx->size - lx->at).size;
    t->kind = strchr("{}()[],=?@:", *p) ? *p : PXI_T_STRAY;
    if (*p == '@' && lx->at + 1 < lx->size && p[1] == '@')
        n = 2;
    t->text = pxi_arena_text(lx->diags->arena, p, n);
    lx->at += n;
}

struct pxi_token pxi_lexer_next(struct pxi_lexer *lx)
{
    struct pxi_token t = { .kind = PXI_T_END };
    struct docs docs = { 0 };
    t.first = skip_blanks(lx, &docs);
    if (docs.end) {
        t.doc = doc_text(lx, &docs);
        t.doc_at = span(docs.last, line_end(lx, docs.last));
    }
    uint32_t start = lx->at;
    t.at = span(start, start);
    if (start >= lx->size || lx->diags->arena->full)
        return t;
    char c = lx->text[start];
    if (is_letter(c)) {
        read_name(lx, &t);
    } else if (is_digit(c) || (c == '-' && start + 1 < lx->size && is_digit(lx->text[start + 1]))) {
        read_number(lx, &t);
    } else if (c == '"') {
        read_text(lx, &t);
    } else {
        read_other(lx, &t);
    }
    t.at = span(start, lx->at);
    if (!t.text)
        t.kind = PXI_T_END;
    return t;
}

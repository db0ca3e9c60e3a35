/* lexer.c - see lexer.h. The cursor never passes the file's end, and every call moves it or returns
 * END.
 *
 * What a token says is kept at the token's own place in one copy of the text, with a NUL behind
 * it: that byte is a blank, a quote or a mark, whose text is a constant. Only where two tokens with
 * text touch ("a-5") is the second one put elsewhere. So names cost no memory of their own. */
#include "orm/schema/lexer.h"
#include "orm/schema/text.h"
#include <stdio.h>
#include <string.h>

static struct pxi_span span(uint32_t start, uint32_t end)
{
    return (struct pxi_span){ start, end - start };
}

/* What a byte can be part of, or (MARK) is alone; GAP: of what separates tokens, but for blanks. */
enum { LETTER = 1, DIGIT = 2, PLAIN = 4, MARK = 8, GAP = 16 };
static const uint8_t classes[256] = {
    ['\t'] = PLAIN | GAP,
    ['\n'] = PLAIN | GAP,
    ['\r'] = PLAIN | GAP,
    [' ' ... '\''] = PLAIN,
    ['(' ... ')'] = PLAIN | MARK,
    ['*' ... '+'] = PLAIN,
    [','] = PLAIN | MARK,
    ['-' ... '.'] = PLAIN,
    ['/'] = PLAIN | GAP,
    [':'] = PLAIN | MARK,
    [';' ... '<'] = PLAIN,
    ['='] = PLAIN | MARK,
    ['>'] = PLAIN,
    ['?'] = PLAIN | MARK,
    ['@'] = PLAIN,
    ['['] = PLAIN | MARK,
    ['\\'] = PLAIN,
    [']'] = PLAIN | MARK,
    ['^'] = PLAIN,
    ['`'] = PLAIN,
    ['{'] = PLAIN | MARK,
    ['|'] = PLAIN,
    ['}'] = PLAIN | MARK,
    ['~'] = PLAIN,
    ['0' ... '9'] = PLAIN | DIGIT,
    ['A' ... 'Z'] = PLAIN | LETTER,
    ['a' ... 'z'] = PLAIN | LETTER,
    ['_'] = PLAIN | LETTER,
};

static const char marks[128][2] = {
    ['{'] = "{", ['}'] = "}", ['('] = "(", [')'] = ")", ['['] = "[", [']'] = "]",
    [','] = ",", ['='] = "=", ['?'] = "?", ['@'] = "@", [':'] = ":",
};

static bool is_letter(char c)
{
    return classes[(unsigned char)c] & LETTER;
}

static bool is_digit(char c)
{
    return classes[(unsigned char)c] & DIGIT;
}

/* Whether a character at i may not stand there; *i moves behind it. */
static void check_character(struct pxi_lexer *lx, uint32_t *i)
{
    char shown[16];
    struct pxi_char c = pxi_char_at(lx->text + *i, lx->end - *i);
    if (c.kind == PXI_CHAR_BROKEN) {
        snprintf(shown, sizeof shown, "0x%02x", c.code);
        pxi_diag(lx->diags, NOT_UTF8, span(*i, *i + 1), shown);
    } else if (c.kind == PXI_CHAR_FORBIDDEN) {
        snprintf(shown, sizeof shown, "U+%04X", c.code);
        pxi_diag(lx->diags, CONTROL, span(*i, *i + c.size), shown);
    }
    *i += c.size;
}

/* Whether the next bytes, as many as a vector has, are all printable ASCII, blanks or line ends.
 * Signed, because that is what x86 compares at once; a byte of UTF-8 is negative. */
typedef int8_t vector __attribute__((vector_size(16)));
static bool is_plain_run(const char *p)
{
    vector x;
    uint64_t odd[2];
    memcpy(&x, p, sizeof x);
    vector mark = ((x < 0x20) | (x == 0x7f)) & (x != '\n') & (x != '\t') & (x != '\r');
    memcpy(odd, &mark, sizeof odd);
    return !(odd[0] | odd[1]);
}

static bool check_text(struct pxi_lexer *lx)
{
    uint32_t before = lx->diags->count, i = lx->at;
    while (i < lx->end && !pxi_diag_full(lx->diags)) {
        while (lx->end - i >= sizeof(vector) && is_plain_run(lx->text + i))
            i += sizeof(vector);
        for (uint32_t n = 0; n < sizeof(vector) && i < lx->end; n++) {
            if (classes[(unsigned char)lx->text[i]]) {
                i++;
            } else {
                check_character(lx, &i);
            }
        }
    }
    return lx->diags->count == before;
}

bool pxi_lexer_open(struct pxi_lexer *lx, struct pxi_diags *diags, const char *text,
                    struct pxi_span file)
{
    *lx = (struct pxi_lexer){ .text = text, .start = file.start, .diags = diags };
    lx->end = file.start + file.size;
    if (file.size >= 3 && !memcmp(text + file.start, "\xef\xbb\xbf", 3))
        lx->start += 3; /* a byte order mark says nothing in UTF-8 */
    lx->at = lx->start;
    if (!check_text(lx))
        return false;
    lx->copy = pxi_arena_get(diags->arena, (size_t)file.size + 1, 1);
    return lx->copy;
}

/* Room for a text of size bytes that stands at start, and for its NUL. NULL: out of memory. */
static char *keep_room(struct pxi_lexer *lx, uint32_t start, uint32_t size)
{
    if (start < lx->kept)
        return pxi_arena_get(lx->diags->arena, size + 1, 1);
    lx->kept = start + size + 1;
    return lx->copy + (start - lx->start);
}

/* Most texts are short, and a fixed number of bytes is copied at once: those that are too many
 * stand where nothing is kept yet. */
static const char *keep(struct pxi_lexer *lx, uint32_t start, uint32_t size)
{
    enum { SHORT = 16 };
    if (start < lx->kept)
        return pxi_arena_text(lx->diags->arena, lx->text + start, size);
    char *room = lx->copy + (start - lx->start);
    lx->kept = start + size + 1;
    if (size <= SHORT && lx->end - start >= SHORT) {
        memcpy(room, lx->text + start, SHORT);
    } else {
        memcpy(room, lx->text + start, size);
    }
    room[size] = 0;
    return room;
}

struct docs {
    uint32_t start, end; /* of the run of /// lines; end 0 = none */
    uint32_t last;       /* start of its last line */
};

static uint32_t line_end(const struct pxi_lexer *lx, uint32_t from)
{
    const char *p = memchr(lx->text + from, '\n', lx->end - from);
    return p ? (uint32_t)(p - lx->text) : lx->end;
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
    const char *p = memmem(lx->text + start + 2, lx->end - start - 2, "*/", 2);
    if (p) {
        lx->at = (uint32_t)(p - lx->text) + 2;
        return;
    }
    pxi_diag(lx->diags, OPEN_COMMENT, span(start, start + 2));
    lx->at = lx->end;
}

/* Behind the blanks from p on; indentations and columns are runs of them. */
static const char *skip_spaces(const char *p, const char *end)
{
    const uint64_t spaces = UINT64_C(0x2020202020202020);
    uint64_t x = 0;
    while (end - p >= 8) {
        memcpy(&x, p, 8);
        x ^= spaces;
        if (x && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
            return p + (__builtin_ctzll(x) >> 3);
        if (x)
            break;
        p += 8;
    }
    while (p < end && *p == ' ')
        p++;
    return p;
}

/* Moves to the next token; true if it is the first of its line, as it is if `first`. */
static bool skip_gap(struct pxi_lexer *lx, struct docs *docs, bool first)
{
    const char *p = lx->text + lx->at, *end = lx->text + lx->end;
    for (;;) {
        p = skip_spaces(p, end);
        lx->at = (uint32_t)(p - lx->text);
        if (p == end)
            return first;
        if (*p == '\n' || *p == '\t' || *p == '\r') {
            first |= *p++ == '\n';
        } else if (*p == '/' && end - p >= 2 && p[1] == '/') {
            skip_line_comment(lx, docs, first);
            p = lx->text + lx->at;
        } else if (*p == '/' && end - p >= 2 && p[1] == '*') {
            skip_block_comment(lx);
            p = lx->text + lx->at;
        } else {
            return first;
        }
    }
}

/* The /// lines of [start, end) without their slashes, one leading blank and trailing blanks;
 * what stands between them (blanks, other comments) is left out. */
static const char *doc_text(struct pxi_lexer *lx, const struct docs *docs)
{
    char *text = keep_room(lx, docs->start, docs->end - docs->start);
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
    const char *p = lx->text + lx->at, *end = lx->text + lx->end;
    while (p < end && classes[(unsigned char)*p] & (LETTER | DIGIT))
        p++;
    uint32_t start = lx->at, size = (uint32_t)(p - lx->text) - start;
    lx->at += size;
    if (size > PXI_NAME_MAX) {
        pxi_diag(lx->diags, LONG_NAME, span(start, lx->at), "63");
        size = PXI_NAME_MAX;
    }
    t->kind = PXI_T_NAME;
    t->text = keep(lx, start, size);
}

/* -? digits [. digits]; whatever letters, digits and points follow belong to it, to be refused. */
static void read_number(struct pxi_lexer *lx, struct pxi_token *t)
{
    uint32_t start = lx->at, at = start, points = 0, digits = 0;
    bool good = true;
    at += lx->text[at] == '-';
    for (; at < lx->end; at++) {
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
    t->text = keep(lx, start, size < 63 ? size : 63);
    if (!good && t->text)
        pxi_diag(lx->diags, NUMBER, span(start, at), t->text);
    if (!good)
        t->text = "0";
}

/* The four digits of \uXXXX at p[left]; 0 if they are none, or stand for no character. */
static uint32_t hex_escape(const char *p, size_t left)
{
    uint32_t code = 0;
    for (size_t i = 0; i < 4; i++) {
        char c = '\0';
        if (i < left)
            c = pxi_ascii_lower(p[i]);
        if (!is_digit(c) && !(c >= 'a' && c <= 'f'))
            return 0;
        code = code * 16 + (uint32_t)(is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    return code >= 0xd800 && code <= 0xdfff ? 0 : code;
}

static char *add_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | (code >> 6));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xe0 | (code >> 12));
        *out++ = (char)(0x80 | ((code >> 6) & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* The escape at text[at] becomes a character at *out; returns its bytes in the text, at least 2. */
static uint32_t unescape(struct pxi_lexer *lx, uint32_t at, uint32_t end, char **out)
{
    static const char letters[] = "\"\\ntr", stand_for[] = "\"\\\n\t\r";
    const char *p = lx->text + at, *letter = p[1] ? strchr(letters, p[1]) : NULL;
    uint32_t code = p[1] == 'u' ? hex_escape(p + 2, end - at - 2) : 0;
    if (letter) {
        *(*out)++ = stand_for[letter - letters];
    } else if (code) {
        *out = add_utf8(*out, code);
        return 6;
    } else {
        char c[5] = "";
        uint32_t n = pxi_char_at(p + 1, end - at - 1).size;
        memcpy(c, p + 1, n);
        pxi_diag(lx->diags, ESCAPE, span(at, at + 1 + n), c);
        return 1 + n;
    }
    return 2;
}

/* Where the string that begins at `at` ends: its closing quote, or the end of its line. */
static uint32_t text_end(const struct pxi_lexer *lx, uint32_t at, bool *escapes)
{
    uint32_t stop = line_end(lx, at++);
    const char *p = memchr(lx->text + at, '"', stop - at);
    uint32_t end = p ? (uint32_t)(p - lx->text) : stop;
    *escapes = memchr(lx->text + at, '\\', end - at);
    if (!*escapes)
        return end;
    for (; at < stop && lx->text[at] != '"'; at++)
        at += lx->text[at] == '\\' && at + 1 < stop;
    return at;
}

static void read_text(struct pxi_lexer *lx, struct pxi_token *t)
{
    bool escapes;
    uint32_t start = lx->at, end = text_end(lx, start, &escapes);
    bool closed = end < lx->end && lx->text[end] == '"';
    if (end - start - 1 > PXI_TEXT_MAX)
        pxi_diag(lx->diags, LONG_TEXT, span(start, end), "4096");
    if (!closed)
        pxi_diag(lx->diags, OPEN_STRING, span(start, end));
    t->bad = !closed;
    lx->at = closed ? end + 1 : end;
    t->kind = PXI_T_TEXT;
    if (!escapes) {
        t->text = keep(lx, start + 1, end - start - 1);
        return;
    }
    char *out = keep_room(lx, start, end - start - 1);
    t->text = out;
    for (uint32_t i = start + 1; out && i < end;) {
        if (lx->text[i] == '\\' && i + 1 < end) {
            i += unescape(lx, i, end, &out);
        } else {
            *out++ = lx->text[i++];
        }
    }
    if (out)
        *out = 0;
}

static bool is_triple(const struct pxi_lexer *lx, uint32_t at)
{
    return lx->end - at >= 3 && !memcmp(lx->text + at, "\"\"\"", 3);
}

static void read_triple(struct pxi_lexer *lx, struct pxi_token *t)
{
    uint32_t start = lx->at, from = start + 3;
    const char *p = memmem(lx->text + from, lx->end - from, "\"\"\"", 3);
    uint32_t end = p ? (uint32_t)(p - lx->text) : lx->end;
    if (!p)
        pxi_diag(lx->diags, OPEN_SQL, span(start, from));
    if (end - from > PXI_SQL_MAX)
        pxi_diag(lx->diags, LONG_TEXT, span(start, from), "65536");
    t->bad = !p;
    lx->at = p ? end + 3 : end;
    t->kind = PXI_T_TEXT;
    t->text = keep(lx, from, end - from);
}

/* Behind the quoted text or the comment of SQL that begins at `at`; at itself if there is none. */
static uint32_t skip_quoted(const struct pxi_lexer *lx, uint32_t at)
{
    const char *p = lx->text + at, *end;
    size_t left = lx->end - at;
    if (*p == '\'' || *p == '"') {
        end = memchr(p + 1, *p, left - 1);
        return end ? (uint32_t)(end - lx->text) + 1 : lx->end;
    }
    if (left >= 2 && !memcmp(p, "--", 2))
        return line_end(lx, at);
    if (left >= 2 && !memcmp(p, "/*", 2)) {
        end = memmem(p + 2, left - 2, "*/", 2);
        return end ? (uint32_t)(end - lx->text) + 2 : lx->end;
    }
    return at;
}

/* The ")" that closes what is open at `at`, or the end of the file. */
static uint32_t raw_end(const struct pxi_lexer *lx, uint32_t at)
{
    for (uint32_t depth = 0; at < lx->end;) {
        uint32_t behind = skip_quoted(lx, at);
        char c = lx->text[at];
        if (behind == at && c == ')' && depth-- == 0)
            break;
        depth += behind == at && c == '(';
        at = behind > at ? behind : at + 1;
    }
    return at;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static uint32_t skip_white(const struct pxi_lexer *lx, uint32_t at)
{
    while (at < lx->end && is_blank(lx->text[at]))
        at++;
    return at;
}

/* Behind the string or name that begins at `at`; at itself if there is neither. */
static uint32_t skip_first(const struct pxi_lexer *lx, uint32_t at)
{
    if (is_triple(lx, at)) {
        const char *p = memmem(lx->text + at + 3, lx->end - at - 3, "\"\"\"", 3);
        return p ? (uint32_t)(p - lx->text) + 3 : lx->end;
    }
    if (at < lx->end && lx->text[at] == '"') {
        bool escapes;
        uint32_t end = text_end(lx, at, &escapes);
        return end < lx->end ? end + 1 : end;
    }
    while (at < lx->end && classes[(unsigned char)lx->text[at]] & (LETTER | DIGIT))
        at++;
    return at;
}

bool pxi_lexer_at_raw(const struct pxi_lexer *lx)
{
    uint32_t at = skip_white(lx, lx->at);
    if (at == lx->end || lx->text[at] == ')')
        return false;
    bool text = lx->text[at] == '"';
    uint32_t next = skip_white(lx, skip_first(lx, at));
    if (next == lx->end)
        return !text;
    char c = lx->text[next];
    bool twice = next + 1 < lx->end && lx->text[next + 1] == c;
    return text ? c != ')' && c != ',' : c != ':' || twice;
}

struct pxi_span pxi_lexer_raw_span(const struct pxi_lexer *lx, uint32_t *end)
{
    uint32_t start = lx->at, stop = *end = raw_end(lx, start);
    while (start < stop && is_blank(lx->text[start]))
        start++;
    while (stop > start && is_blank(lx->text[stop - 1]))
        stop--;
    return span(start, stop);
}

void pxi_lexer_raw(struct pxi_lexer *lx, struct pxi_token *t)
{
    *t = (struct pxi_token){ .kind = PXI_T_TEXT };
    t->at = pxi_lexer_raw_span(lx, &lx->at);
    if (t->at.size > PXI_TEXT_MAX)
        pxi_diag(lx->diags, LONG_TEXT, t->at, "4096");
    t->text = keep(lx, t->at.start, t->at.size);
    if (!t->text)
        t->kind = PXI_T_END;
}

static void read_other(struct pxi_lexer *lx, struct pxi_token *t)
{
    const char *p = lx->text + lx->at;
    uint32_t n = 1;
    if (*p == '@') {
        bool twice = lx->at + 1 < lx->end && p[1] == '@';
        n += twice;
        t->kind = '@';
        t->text = twice ? "@@" : marks['@'];
    } else {
        n = pxi_char_at(p, lx->end - lx->at).size;
        t->kind = PXI_T_STRAY;
        t->text = pxi_arena_text(lx->diags->arena, p, n);
    }
    lx->at += n;
}

/* The token at lx->at, which is none of a name, a mark and the end. */
static void read_rare(struct pxi_lexer *lx, struct pxi_token *t)
{
    uint32_t at = lx->at;
    char c = lx->text[at];
    if (is_digit(c) || (c == '-' && at + 1 < lx->end && is_digit(lx->text[at + 1]))) {
        read_number(lx, t);
    } else if (c == '"' && is_triple(lx, at)) {
        read_triple(lx, t);
    } else if (c == '"') {
        read_text(lx, t);
    } else {
        read_other(lx, t);
    }
}

/* What separates this token from the one before, and its documentation. */
static void read_gap(struct pxi_lexer *lx, struct pxi_token *t)
{
    struct docs docs = { 0 };
    t->first = skip_gap(lx, &docs, t->first);
    if (docs.end) {
        t->doc = doc_text(lx, &docs);
        t->doc_at = span(docs.last, line_end(lx, docs.last));
    }
}

void pxi_lexer_next(struct pxi_lexer *lx, struct pxi_token *t)
{
    const char *end = lx->text + lx->end, *p = skip_spaces(lx->text + lx->at, end);
    t->first = lx->at == lx->start;
    t->bad = false;
    t->doc = NULL;
    lx->at = (uint32_t)(p - lx->text);
    if (p < end && classes[(unsigned char)*p] & GAP)
        read_gap(lx, t);
    uint32_t start = lx->at;
    t->kind = PXI_T_END;
    t->text = NULL;
    t->at = span(start, start);
    if (start >= lx->end || lx->diags->arena->full)
        return;
    unsigned char c = (unsigned char)lx->text[start];
    if (classes[c] & LETTER) {
        read_name(lx, t);
    } else if (classes[c] & MARK) {
        lx->at++;
        t->kind = c;
        t->text = marks[c];
    } else {
        read_rare(lx, t);
    }
    t->at.size = lx->at - start;
    if (!t->text)
        t->kind = PXI_T_END;
}

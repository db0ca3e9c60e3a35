/* typed_token.c - SQL as tokens; comments are gone. Of both databases: '' and E'' strings, "" and
 * $tag$ quotes. Bounded by the text; what does not end is a diagnostic. */
#include "orm/schema/text.h"
#include "orm/schema/typed.h"
#include <string.h>

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Behind the quoted text that begins at p, or NULL. backslash: the next character is skipped. */
static const char *quoted_end(const char *p, const char *end, bool backslash)
{
    char quote = *p++;
    for (; p < end; p++) {
        bool twice = *p == quote && p + 1 < end && p[1] == quote;
        if (twice || (backslash && *p == '\\')) {
            p++;
        } else if (*p == quote) {
            return p + 1;
        }
    }
    return NULL;
}

/* $tag$ ... $tag$; p itself if none begins here. */
static const char *dollar_end(const char *p, const char *end)
{
    const char *tag = p + 1;
    while (tag < end && is_word_char(*tag))
        tag++;
    if (tag == end || *tag != '$' || (p[1] >= '0' && p[1] <= '9'))
        return p;
    size_t size = (size_t)(tag + 1 - p);
    for (const char *at = tag + 1; at + size <= end; at++) {
        if (memcmp(at, p, size) == 0)
            return at + size;
    }
    return NULL;
}

/* Behind blanks and comments. */
static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end) {
        if (strchr(" \t\r\n\v\f", *p) && *p) {
            p++;
        } else if (end - p > 1 && p[0] == '-' && p[1] == '-') {
            while (p < end && *p != '\n')
                p++;
        } else if (end - p > 1 && p[0] == '/' && p[1] == '*') {
            const char *close = memmem(p + 2, (size_t)(end - p) - 2, "*/", 2);
            p = close ? close + 2 : end;
        } else {
            return p;
        }
    }
    return end;
}

static const char *word_end(const char *p, const char *end, enum pxi_sql_kind *kind)
{
    *kind = *p >= '0' && *p <= '9' ? PXI_SQL_NUMBER : PXI_SQL_WORD;
    while (p < end && (is_word_char(*p) || (*kind == PXI_SQL_NUMBER && *p == '.')))
        p++;
    return p;
}

/* A parameter is a sign with a word behind it. */
static const char *sign_end(const char *p, const char *end, enum pxi_sql_kind *kind)
{
    static const char *const twos[] = { "::", "<=", ">=", "<>", "!=" };
    *kind = PXI_SQL_SIGN;
    for (size_t i = 0; i < sizeof twos / sizeof *twos; i++) {
        if (end - p > 1 && memcmp(p, twos[i], 2) == 0)
            return p + 2;
    }
    if (*p != ':' || end - p < 2 || !is_word_char(p[1]) || (p[1] >= '0' && p[1] <= '9'))
        return p + 1;
    *kind = PXI_SQL_PARAM;
    for (p++; p < end && is_word_char(*p);)
        p++;
    return p;
}

/* The end of the token at p and its kind; NULL: it does not end. */
static const char *token_end(const char *p, const char *end, enum pxi_sql_kind *kind)
{
    bool escape = (*p == 'e' || *p == 'E') && end - p > 1 && p[1] == '\'';
    *kind = *p == '"' ? PXI_SQL_NAME : PXI_SQL_STRING;
    if (escape || *p == '\'' || *p == '"')
        return quoted_end(p + escape, end, escape);
    const char *dollar = *p == '$' ? dollar_end(p, end) : p;
    if (dollar != p)
        return dollar;
    return is_word_char(*p) ? word_end(p, end, kind) : sign_end(p, end, kind);
}

/* "a""b" becomes a"b; words get small letters. */
static const char *text_of(struct pxi_arena *a, enum pxi_sql_kind kind, const char *p, size_t size)
{
    if (kind == PXI_SQL_PARAM || kind == PXI_SQL_NAME) {
        p++;
        size -= kind == PXI_SQL_NAME ? 2 : 1;
    }
    char *text = pxi_arena_text(a, p, size), *to = text;
    for (const char *from = text; text && *from; from++) {
        char c = *from;
        if (kind == PXI_SQL_WORD)
            c = pxi_ascii_lower(c);
        *to++ = c;
        from += kind == PXI_SQL_NAME && *from == '"';
    }
    if (text)
        *to = '\0';
    return text;
}

bool pxi_sql_scan(struct pxi_typing *t, uint32_t from, uint32_t to)
{
    const char *base = t->src->text, *end = base + to;
    uint16_t depth = 0;
    for (const char *p = skip_blanks(base + from, end), *next; p < end;
         p = skip_blanks(next, end)) {
        enum pxi_sql_kind kind;
        next = token_end(p, end, &kind);
        struct pxi_span at = { (uint32_t)(p - base), 1 };
        if (!next) {
            pxi_diag(t->diags, QUERY_OPEN, at, *p == '"' ? "quoted name" : "string");
            return false;
        }
        at.size = (uint32_t)(next - p);
        depth = (uint16_t)(depth - (*p == ')' && kind == PXI_SQL_SIGN && depth > 0));
        struct pxi_sql_token *token = pxi_list_add(t->arena, &t->tokens);
        if (!token)
            return false;
        *token = (struct pxi_sql_token){
            .kind = kind, .at = at, .text = text_of(t->arena, kind, p, at.size), .depth = depth
        };
        if (!token->text)
            return false;
        depth = (uint16_t)(depth + (*p == '(' && kind == PXI_SQL_SIGN && depth < UINT16_MAX));
    }
    return true;
}

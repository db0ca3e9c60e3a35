/* lexer.h - a schema's text as tokens.
 *
 * Blanks, line ends and comments separate tokens; `///` comments are kept with the token that
 * follows them. A token knows whether it is the first of its line, which is all that line ends
 * mean in the grammar. Errors inside a token are reported here; a character that begins no token
 * is a token of its own, for the parser to reject or to skip.
 */
#ifndef PXI_SCHEMA_LEXER_H
#define PXI_SCHEMA_LEXER_H
#include "orm/schema/schema.h"

enum pxi_token_kind {
    PXI_T_END, /* also when memory ran out: every loop of the parser stops at it */
    PXI_T_NAME,
    PXI_T_TEXT,   /* "...", unescaped, or """...""" as it stands */
    PXI_T_NUMBER, /* -2.50 */
    PXI_T_STRAY,  /* a character of no token */
    /* punctuation is its own character; @@ is '@' with text "@@" */
};

struct pxi_token {
    int kind; /* enum pxi_token_kind, or the character */
    bool first;
    bool bad; /* a string without end: what follows it is part of nothing */
    struct pxi_span at;
    const char *text;       /* NUL-terminated; NULL for END */
    const char *doc;        /* the /// lines in front, without slashes, or NULL */
    struct pxi_span doc_at; /* the last of them, if there are any */
};

struct pxi_lexer {
    const char *text;    /* of the source; positions are bytes of it */
    uint32_t start, end; /* the file's */
    uint32_t at;         /* the cursor */
    uint32_t kept;       /* up to where copy is in use */
    char *copy;          /* copy[i - start] keeps what text[i] says */
    struct pxi_diags *diags;
};

/* Checks the file in [file.start, file.start + file.size) of text as such: size, UTF-8, control
 * characters. False if there was a diagnostic; then tokens would only repeat it. */
bool pxi_lexer_open(struct pxi_lexer *lx, struct pxi_diags *diags, const char *text,
                    struct pxi_span file);
void pxi_lexer_next(struct pxi_lexer *lx, struct pxi_token *t);
/* Behind the "(" of @check: does an expression of SQL stand here? A string alone or with a comma
 * behind it, a named argument and a ")" are none. */
bool pxi_lexer_at_raw(const struct pxi_lexer *lx);
/* Where it stands: up to the ")" that belongs to the "(", without blanks at its ends; quotes and
 * comments of SQL are passed over as a whole. *end: of the ")", or of the file if there is none. */
struct pxi_span pxi_lexer_raw_span(const struct pxi_lexer *lx, uint32_t *end);
/* The same as a TEXT; the ")" is next. */
void pxi_lexer_raw(struct pxi_lexer *lx, struct pxi_token *t);

#endif

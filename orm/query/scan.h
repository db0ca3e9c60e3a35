/* scan.h - SQL text as the databases' lexers see it, as far as raw SQL must know: where literals,
 * quoted names and comments end, where question marks stand, where a statement ends. Pure.
 *
 * No grammar. What is unterminated goes to the end of the text; the database says what it thinks of
 * it. PostgreSQL: standard_conforming_strings is on (it is since 9.1), comments nest, E'' has
 * backslashes, $tag$ quotes.
 */
#ifndef PXI_QUERY_SCAN_H
#define PXI_QUERY_SCAN_H
#include "orm/driver/driver.h"

/* Behind the literal, quoted name or comment that begins at p in text[.. end], or p if none does.
 * before: the character in front of p, '\0' at the beginning. */
const char *pxi_scan_quoted(enum pxi_engine engine, const char *p, const char *end, char before);

struct pxi_marks {
    unsigned single;  /* ? */
    unsigned doubled; /* ?? */
    unsigned dollars; /* $1 */
};
/* Counts; and writes the text with $1, $2, ... for the question marks and ? for the doubled ones to
 * to[room], unless to is NULL. Returns the size that it has, which may be more than room. */
size_t pxi_scan_marks(enum pxi_engine engine, const char *sql, size_t size, struct pxi_marks *marks,
                      char *to, size_t room);

/* The next statement of a script, without blanks and comments around it: *at moves behind its
 * semicolon. Bodies of SQLite's triggers and of PostgreSQL's BEGIN ATOMIC belong to their
 * statement. false: there is none. */
struct pxi_statement {
    const char *text;
    size_t size;
    unsigned line; /* of its first character, from 1 */
};
struct pxi_script {
    enum pxi_engine engine;
    const char *at, *end;
    unsigned line;
};
bool pxi_script_next(struct pxi_script *s, struct pxi_statement *st);

#endif

/* json.h - writes JSON (RFC 8259) into a buffer.
 *
 * The writer puts commas and, with indent > 0, line breaks; strings are escaped, bytes that are no
 * UTF-8 become U+FFFD. Nesting is the caller's duty; an object wants a key before every value.
 */
#ifndef PXI_BASE_JSON_H
#define PXI_BASE_JSON_H
#include "orm/base/buf.h"

struct pxi_json {
    struct pxi_buf *out;
    unsigned depth, indent; /* indent: blanks a level, 0 = one line */
    bool comma, after_key;
};

void pxi_json_begin(struct pxi_json *j, char bracket); /* '{' or '[' */
void pxi_json_end(struct pxi_json *j, char bracket);   /* '}' or ']' */
void pxi_json_key(struct pxi_json *j, const char *key);
void pxi_json_text(struct pxi_json *j, const char *text); /* NULL: null */
void pxi_json_text_n(struct pxi_json *j, const char *text, size_t size);
void pxi_json_u64(struct pxi_json *j, uint64_t x);
void pxi_json_i64(struct pxi_json *j, int64_t x);
void pxi_json_f64(struct pxi_json *j, double x); /* NaN and infinities: null */
void pxi_json_bool(struct pxi_json *j, bool x);
void pxi_json_null(struct pxi_json *j);

enum { PXI_JSON_DEPTH = 1000 }; /* SQLite's limit; deeper is no JSON for us either */
/* Whether text[size] is one JSON value (RFC 8259); *at: the byte where it stops to be.
 * (json_check.c) */
bool pxi_json_check(const char *text, size_t size, size_t *at);

/* The bytes of one well-formed UTF-8 sequence at p[size], or 0. RFC 3629, section 4. */
size_t pxi_utf8_size(const char *p, size_t size);

#endif

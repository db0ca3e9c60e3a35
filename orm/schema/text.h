/* text.h - a schema's characters: what may stand in one, and what a terminal may be shown. */
#ifndef PXI_SCHEMA_TEXT_H
#define PXI_SCHEMA_TEXT_H
#include <stddef.h>
#include <stdint.h>

enum pxi_char_kind {
    PXI_CHAR_GOOD,
    PXI_CHAR_FORBIDDEN, /* a control, or what turns the direction of text */
    PXI_CHAR_BROKEN,    /* a byte that is no UTF-8 */
};
struct pxi_char {
    uint32_t code; /* the code point; of a broken one, the byte */
    uint32_t size; /* bytes, at least 1 */
    enum pxi_char_kind kind;
};

static inline char pxi_ascii_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}
static inline char pxi_ascii_upper(char c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
}

/* The character at p[size]; size > 0. */
struct pxi_char pxi_char_at(const char *p, size_t size);
/* How many characters p[size] has. */
uint32_t pxi_char_count(const char *p, size_t size);

#endif

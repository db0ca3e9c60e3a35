/* text.c - see text.h. Source: RFC 3629; Unicode TR 36 on what text can hide. */
#include "orm/schema/text.h"
#include "orm/base/json.h"
#include <stdbool.h>

static uint32_t code_point(const char *p, size_t size)
{
    const unsigned char *u = (const unsigned char *)p;
    if (size == 1)
        return u[0];
    uint32_t x = u[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++)
        x = (x << 6) | (u[i] & 0x3f);
    return x;
}

/* With a character that turns the direction of text, a reviewer sees another schema than the
 * compiler does. */
static bool is_forbidden(uint32_t c)
{
    bool control = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7f && c < 0xa0);
    bool direction = c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
                     (c >= 0x2066 && c <= 0x2069);
    return control || direction || c == 0x2028 || c == 0x2029;
}

struct pxi_char pxi_char_at(const char *p, size_t size)
{
    if ((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f)
        return (struct pxi_char){ (unsigned char)*p, 1, PXI_CHAR_GOOD };
    size_t n = pxi_utf8_size(p, size);
    if (n == 0)
        return (struct pxi_char){ (unsigned char)*p, 1, PXI_CHAR_BROKEN };
    uint32_t c = code_point(p, n);
    return (struct pxi_char){ c, (uint32_t)n,
                              is_forbidden(c) ? PXI_CHAR_FORBIDDEN : PXI_CHAR_GOOD };
}

uint32_t pxi_char_count(const char *p, size_t size)
{
    uint32_t n = 0;
    for (size_t i = 0; i < size; i += pxi_char_at(p + i, size - i).size)
        n++;
    return n;
}

/* json.c - see json.h. */
#include "orm/base/json.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void before_value(struct pxi_json *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->comma)
        pxi_buf_char(j->out, ',');
    if (j->indent && j->depth) {
        pxi_buf_char(j->out, '\n');
        for (unsigned i = 0; i < j->depth * j->indent; i++)
            pxi_buf_char(j->out, ' ');
    }
}

void pxi_json_begin(struct pxi_json *j, char bracket)
{
    before_value(j);
    pxi_buf_char(j->out, bracket);
    j->depth++;
    j->comma = false;
}

void pxi_json_end(struct pxi_json *j, char bracket)
{
    bool had_values = j->comma;
    j->depth--;
    j->comma = false;
    if (had_values && j->indent) {
        pxi_buf_char(j->out, '\n');
        for (unsigned i = 0; i < j->depth * j->indent; i++)
            pxi_buf_char(j->out, ' ');
    }
    pxi_buf_char(j->out, bracket);
    j->comma = true;
}

/* How long the sequence claims to be, and the range of its second byte. RFC 3629, section 4. */
static size_t utf8_claim(unsigned char first, unsigned char *low, unsigned char *high)
{
    *low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first < 0x80)
        return 1;
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t pxi_utf8_size(const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned char low, high;
    size_t n = size ? utf8_claim(p[0], &low, &high) : 0;
    if (n > size || (n > 1 && (p[1] < low || p[1] > high)))
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

static void escape(struct pxi_buf *b, unsigned char c)
{
    static const char short_of[] = "btnvfr"; /* 8 to 13 */
    if (c == '"' || c == '\\') {
        pxi_buf_fmt(b, "\\%c", c);
    } else if (c >= 8 && c <= 13 && c != 11) {
        pxi_buf_fmt(b, "\\%c", short_of[c - 8]);
    } else {
        pxi_buf_fmt(b, "\\u%04x", c);
    }
}

static void quoted(struct pxi_buf *b, const char *text, size_t size)
{
    pxi_buf_char(b, '"');
    for (size_t i = 0, n; i < size; i += n) {
        unsigned char c = (unsigned char)text[i];
        n = pxi_utf8_size(text + i, size - i);
        if (n == 0) {
            pxi_buf_text(b, "\xef\xbf\xbd");
            n = 1;
        } else if (c == '"' || c == '\\' || c < 0x20 || c == 0x7f) {
            escape(b, c);
        } else {
            pxi_buf_add(b, text + i, n);
        }
    }
    pxi_buf_char(b, '"');
}

void pxi_json_key(struct pxi_json *j, const char *key)
{
    before_value(j);
    quoted(j->out, key, strlen(key));
    pxi_buf_text(j->out, j->indent ? ": " : ":");
    j->comma = true;
    j->after_key = true;
}

void pxi_json_text_n(struct pxi_json *j, const char *text, size_t size)
{
    before_value(j);
    quoted(j->out, text, size);
    j->comma = true;
}

void pxi_json_text(struct pxi_json *j, const char *text)
{
    if (text) {
        pxi_json_text_n(j, text, strlen(text));
    } else {
        pxi_json_null(j);
    }
}

void pxi_json_u64(struct pxi_json *j, uint64_t x)
{
    before_value(j);
    pxi_buf_u64(j->out, x);
    j->comma = true;
}

void pxi_json_i64(struct pxi_json *j, int64_t x)
{
    before_value(j);
    pxi_buf_i64(j->out, x);
    j->comma = true;
}

void pxi_json_f64(struct pxi_json *j, double x)
{
    char text[32];
    int digits = 15; /* the fewest that read back as x: 15 always fit, 17 always suffice */
    before_value(j);
    do {
        snprintf(text, sizeof text, "%.*g", digits, x);
    } while (strtod(text, NULL) != x && ++digits <= 17);
    pxi_buf_text(j->out, isfinite(x) ? text : "null");
    j->comma = true;
}

void pxi_json_bool(struct pxi_json *j, bool x)
{
    before_value(j);
    pxi_buf_text(j->out, x ? "true" : "false");
    j->comma = true;
}

void pxi_json_null(struct pxi_json *j)
{
    before_value(j);
    pxi_buf_text(j->out, "null");
    j->comma = true;
}

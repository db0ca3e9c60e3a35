/* text.c - clean names and figures for people. */
#include "loader/write/text.h"
#include "orm/base/json.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void text__clean(struct pxi_buf *out, const char *text, size_t size, size_t max, bool folded)
{
    size_t start = out->size;
    for (size_t i = 0, n; i < size; i += n) {
        unsigned char c = (unsigned char)text[i];
        n = pxi_utf8_size(text + i, size - i);
        if (max && out->size - start + (n ? n : 3) > max) {
            pxi_buf_text(out, "...");
            return;
        }
        bool control = n == 1 && (c < 0x20 || c == 0x7f);
        bool c1 = n == 2 && c == 0xc2 && (unsigned char)text[i + 1] < 0xa0;
        if (n == 0) {
            pxi_buf_text(out, "\xef\xbf\xbd");
            n = 1;
        } else if (control || c1) {
            pxi_buf_char(out, '?');
        } else if (c == ';' && folded) {
            pxi_buf_char(out, ':');
        } else {
            pxi_buf_add(out, text + i, n);
        }
    }
}

static const char *entity(char c)
{
    return c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : NULL;
}

void text__xml(struct pxi_buf *out, const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0, n; i < size; i += n) {
        n = pxi_utf8_size(text + i, size - i);
        n = n ? n : 1;
        const char *escaped = entity(text[i]);
        if (n == 3 &&
            (memcmp(text + i, "\xef\xbf\xbe", 3) == 0 || memcmp(text + i, "\xef\xbf\xbf", 3) == 0))
            escaped = "?"; /* U+FFFE, U+FFFF: no characters of XML */
        if (escaped) {
            pxi_buf_text(out, escaped);
        } else {
            text__clean(out, text + i, n, 0, false);
        }
    }
}

const char *text__base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

void text__address(struct pxi_buf *out, const struct profile *p, const struct frame *f)
{
    const char *path = f->module   ? p->modules[f->module].path
                       : f->kernel ? "[kernel]"
                                   : "[unknown]";
    const char *base = text__base(path);
    text__clean(out, base, strlen(base), NAME_MAX_BYTES, true);
    pxi_buf_fmt(out, "+0x%" PRIx64, f->address);
}

void text__op(struct pxi_buf *out, const struct operation *o)
{
    pxi_buf_text(out, verb_name(o->verb));
    if (o->model && *o->model) {
        pxi_buf_char(out, ' ');
        text__clean(out, o->model, strlen(o->model), NAME_MAX_BYTES, true);
    }
}

void text__op_exactly(struct pxi_buf *out, const struct operation *o)
{
    text__op(out, o);
    if (o->fingerprint)
        pxi_buf_fmt(out, " %016" PRIx64, o->fingerprint);
}

void text__count(struct pxi_buf *out, uint64_t n)
{
    char digits[32];
    int size = snprintf(digits, sizeof digits, "%" PRIu64, n);
    for (int i = 0; i < size; i++) {
        if (i && (size - i) % 3 == 0)
            pxi_buf_char(out, ',');
        pxi_buf_char(out, digits[i]);
    }
}

/* Three figures that count: 1.23, 12.3, 123. */
static void three(struct pxi_buf *out, double x, const char *unit)
{
    pxi_buf_fmt(out, "%.*f %s", x < 9.995 ? 2 : x < 99.95 ? 1 : 0, x, unit);
}

void text__bytes(struct pxi_buf *out, uint64_t n)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    if (n < 1024) {
        pxi_buf_fmt(out, "%" PRIu64 " B", n);
        return;
    }
    double x = (double)n / 1024;
    size_t unit = 0;
    for (; x >= 999.5 && unit < 5; unit++)
        x /= 1024;
    three(out, x, units[unit]);
}

void text__time(struct pxi_buf *out, uint64_t ns)
{
    if (ns < 1000) {
        pxi_buf_fmt(out, "%" PRIu64 " ns", ns);
    } else if (ns < 999500) {
        three(out, (double)ns / 1e3, "us");
    } else if (ns < 999500000) {
        three(out, (double)ns / 1e6, "ms");
    } else {
        three(out, (double)ns / 1e9, "s");
    }
}

void text__rate(struct pxi_buf *out, uint64_t n, uint64_t ns)
{
    static const char *const units[] = { "/s", "k/s", "M/s", "G/s" };
    double x = ns ? (double)n * 1e9 / (double)ns : 0;
    size_t unit = 0;
    for (; x >= 999.5 && unit < 3; unit++)
        x /= 1000;
    three(out, x, units[unit]);
}

void text__share(struct pxi_buf *out, uint64_t part, uint64_t whole)
{
    double percent = whole ? 100.0 * (double)part / (double)whole : 0;
    pxi_buf_fmt(out, "%.*f %%", percent < 9.95 ? 2 : 1, percent);
}

size_t text__width(const char *text, size_t size)
{
    size_t width = 0;
    for (size_t i = 0; i < size; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

void text__column(struct pxi_buf *out, size_t from, size_t column)
{
    size_t width = 0;
    if (pxi_buf_ok(out) && out->size > from)
        width = text__width(out->data + from, out->size - from);
    pxi_buf_char(out, ' ');
    while (++width < column)
        pxi_buf_char(out, ' ');
}

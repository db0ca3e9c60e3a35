/* buf.c - see buf.h. */
#include "orm/base/buf.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pxi_buf_free(struct pxi_buf *b)
{
    free(b->data);
    *b = (struct pxi_buf){ 0 };
}

void pxi_buf_clear(struct pxi_buf *b)
{
    b->size = 0;
    b->broken = false;
    if (b->data)
        b->data[0] = '\0';
}

bool pxi_buf_reserve(struct pxi_buf *b, size_t more)
{
    size_t need;
    if (b->broken || __builtin_add_overflow(b->size, more, &need) || need > SIZE_MAX / 4) {
        b->broken = true;
        return false;
    }
    if (need + 1 <= b->capacity)
        return true;
    size_t capacity = b->capacity ? b->capacity : 64;
    while (capacity < need + 1)
        capacity *= 2;
    char *data = realloc(b->data, capacity);
    if (!data) {
        b->broken = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

void pxi_buf_add(struct pxi_buf *b, const void *p, size_t size)
{
    if (!pxi_buf_reserve(b, size))
        return;
    if (size)
        memcpy(b->data + b->size, p, size);
    b->size += size;
    b->data[b->size] = '\0';
}

void pxi_buf_text(struct pxi_buf *b, const char *text)
{
    pxi_buf_add(b, text, strlen(text));
}

void pxi_buf_char(struct pxi_buf *b, char c)
{
    pxi_buf_add(b, &c, 1);
}

void pxi_buf_u64(struct pxi_buf *b, uint64_t x)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + x % 10);
    } while (x /= 10);
    pxi_buf_add(b, digits + at, sizeof digits - at);
}

void pxi_buf_i64(struct pxi_buf *b, int64_t x)
{
    if (x < 0)
        pxi_buf_char(b, '-');
    pxi_buf_u64(b, x < 0 ? 0 - (uint64_t)x : (uint64_t)x);
}

void pxi_buf_vfmt(struct pxi_buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0) {
        b->broken = true;
    } else if (pxi_buf_reserve(b, (size_t)n)) {
        vsnprintf(b->data + b->size, (size_t)n + 1, fmt, again);
        b->size += (size_t)n;
    }
    va_end(again);
}

void pxi_buf_fmt(struct pxi_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    pxi_buf_vfmt(b, fmt, ap);
    va_end(ap);
}
